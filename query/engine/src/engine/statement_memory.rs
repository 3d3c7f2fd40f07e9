//! The memory of the statement that is being planned or executed, for what its functions make.
//!
//! A statement that is planned keeps the constants that are computed then: what they take stays reserved as long as the
//! plan lives. In execution a result lives until the last operator that holds it drops it.

use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation};
use std::sync::Arc;

tokio::task_local! {
    static MEMORY: StatementMemory;
}

/// Against what the results of calls count.
#[derive(Debug, Clone)]
pub(super) enum StatementMemory {
    /// One reservation for all constants of a plan.
    Planning(Arc<MemoryReservation>),
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
