//! Whether a connection is used.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Requests(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    in_progress: usize,
    /// When the last request was answered.
    answered: Option<Instant>,
}

/// How a connection is used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// No request has arrived yet.
    Silent,
    /// A request is in progress.
    Busy,
    /// All requests are answered, the last one then. Its body may still be on the way.
    Idle(Instant),
}

/// A request that is in progress until this is dropped.
#[derive(Debug)]
pub(super) struct InProgress(Arc<Requests>);

impl Requests {
    pub(super) fn begin(self: &Arc<Self>) -> InProgress {
        self.lock().in_progress += 1;
        InProgress(Arc::clone(self))
    }

    pub(super) fn state(&self) -> Use {
        let counts = self.lock();
        match (counts.in_progress, counts.answered) {
            (0, None) => Use::Silent,
            (0, Some(answered)) => Use::Idle(answered),
            _ => Use::Busy,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        let mut counts = self.0.lock();
        counts.in_progress -= 1;
        counts.answered = Some(Instant::now());
    }
}
