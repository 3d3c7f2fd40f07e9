//! The memory of the statement that is being planned or executed: for what its functions make, for what its scans have
//! read, and for rows that wait.
//!
//! The constants that are computed while a statement is planned have a bound of their own, and what they take is reserved
//! as long as the plan lives. In execution a result is reserved until the last who holds it, operator or reader, drops it.

use crate::error::{QueryError, SHORTER_RESULTS};
use datafusion::execution::memory_pool::MemoryPool;
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Bytes of the long constants of a plan.
const PLAN_BYTES: usize = 64 << 20;

tokio::task_local! {
    static MEMORY: StatementMemory;
}

/// Against what it counts.
#[derive(Debug, Clone)]
pub(crate) enum StatementMemory {
    Planning(Arc<Constants>),
    Execution(ExecutionMemory),
}

impl StatementMemory {
    /// That of the current task. `None` outside of statements.
    pub(crate) fn current() -> Option<Self> {
        MEMORY.try_with(Self::clone).ok()
    }

    /// Does `work`, whose calls count against this.
    pub(crate) async fn during<W: Future>(self, work: W) -> W::Output {
        MEMORY.scope(self, work).await
    }

    /// The same for work that does not wait.
    pub(crate) fn during_call<T>(self, work: impl FnOnce() -> T) -> T {
        MEMORY.sync_scope(self, work)
    }
}

/// The memory of a statement that executes.
#[derive(Debug, Clone)]
pub(crate) struct ExecutionMemory {
    pub(crate) pool: Arc<dyn MemoryPool>,
    /// Where the buffers are for which memory is reserved as long as they live.
    counted: Arc<Mutex<HashSet<usize>>>,
}

impl ExecutionMemory {
    pub(crate) fn new(pool: Arc<dyn MemoryPool>) -> Self {
        Self { pool, counted: Arc::default() }
    }

    /// Notes that memory is reserved for the buffers at these addresses.
    pub(crate) fn add_counted(&self, addresses: &[usize]) {
        self.counted().extend(addresses);
    }

    /// Notes that none is reserved for them any more.
    pub(crate) fn remove_counted(&self, addresses: &[usize]) {
        let mut counted = self.counted();
        for address in addresses {
            counted.remove(address);
        }
    }

    /// Whether memory is reserved for one of the buffers at these addresses.
    pub(crate) fn is_counted(&self, addresses: &[usize]) -> bool {
        let counted = self.counted();
        addresses.iter().any(|address| counted.contains(address))
    }

    fn counted(&self) -> MutexGuard<'_, HashSet<usize>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The long constants that are computed while a statement is planned.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    bytes: AtomicUsize,
    /// The function whose call was refused. The optimizer keeps a call that fails, so the refusal is kept here.
    refused: OnceLock<String>,
}

impl Constants {
    /// Counts what a call of `function` makes, before it is made.
    ///
    /// # Errors
    /// The plan has too many of them.
    pub(crate) fn add(&self, function: &str, bytes: usize) -> Result<(), QueryError> {
        if self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > PLAN_BYTES {
            let _ = self.refused.set(function.to_owned());
        }
        self.bytes().map(drop)
    }

    /// What they take.
    ///
    /// # Errors
    /// A call was refused.
    pub(crate) fn bytes(&self) -> Result<usize, QueryError> {
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
