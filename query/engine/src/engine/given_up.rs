//! Tells what computes for a statement that nobody waits for it any more.
//!
//! ```text
//! rows are dropped, deadline, cancelled ─▶ GivenUp ◀─ asked by conditions of joins, for each batch of pairs
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a statement was given up.
#[derive(Debug, Clone, Default)]
pub(super) struct GivenUp(Arc<AtomicBool>);

impl GivenUp {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets it when the guard is dropped.
    pub(super) fn on_drop(&self) -> GivesUp {
        GivesUp(self.clone())
    }
}

/// Gives its statement up when it is dropped.
#[derive(Debug)]
pub(super) struct GivesUp(GivenUp);

impl Drop for GivesUp {
    fn drop(&mut self) {
        self.0.set();
    }
}
