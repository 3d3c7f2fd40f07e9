//! The memory of the statement that is being planned or executed, for what its functions make.
//!
//! The constants that are computed while a statement is planned have a bound of their own, and what they take is reserved
//! as long as the plan lives. In execution a result is reserved until the last who holds it, operator or reader, drops it.

use crate::error::{QueryError, SHORTER_RESULTS};
use datafusion::execution::memory_pool::MemoryPool;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Bytes of the long constants of a plan.
const PLAN_BYTES: usize = 64 << 20;

tokio::task_local! {
    static MEMORY: StatementMemory;
}

/// Against what the results of calls count.
#[derive(Debug, Clone)]
pub(super) enum StatementMemory {
    Planning(Arc<Constants>),
    /// A reservation of each result.
    Execution(Arc<dyn MemoryPool>),
}

impl StatementMemory {
    /// That of the current task. `None` outside of statements.
    pub(super) fn current() -> Option<Self> {
        MEMORY.try_with(Self::clone).ok()
    }

    /// Does `work`, whose calls count against this.
    pub(super) async fn during<W: Future>(self, work: W) -> W::Output {
        MEMORY.scope(self, work).await
    }

    /// The same for work that does not wait.
    pub(super) fn during_call<T>(self, work: impl FnOnce() -> T) -> T {
        MEMORY.sync_scope(self, work)
    }
}

/// The long constants that are computed while a statement is planned.
#[derive(Debug, Default)]
pub(super) struct Constants {
    bytes: AtomicUsize,
    /// The function whose call was refused. The optimizer keeps a call that fails, so the refusal is kept here.
    refused: OnceLock<String>,
}

impl Constants {
    /// Counts what a call of `function` makes, before it is made.
    ///
    /// # Errors
    /// The plan has too many of them.
    pub(super) fn add(&self, function: &str, bytes: usize) -> Result<(), QueryError> {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > PLAN_BYTES {
            let _ = self.refused.set(function.to_owned());
        }
        self.bytes().map(drop)
    }

    /// What they take.
    ///
    /// # Errors
    /// A call was refused.
    pub(super) fn bytes(&self) -> Result<usize, QueryError> {
        match self.refused.get() {
            None => Ok(self.bytes.load(Ordering::Relaxed)),
            Some(function) => Err(QueryError::Function {
                function: function.clone(),
                what: format!("make the constants of the statement longer than {} MiB together", PLAN_BYTES >> 20),
                what_to_do: SHORTER_RESULTS,
            }),
        }
    }
}
