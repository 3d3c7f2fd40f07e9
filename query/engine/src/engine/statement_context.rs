//! What the statements of a session are planned and executed with.

use super::admission::{Admission, Permit, Queue};
use super::held_memory::Statements;
use super::statement_runtime::StatementRuntime;
use crate::catalog::{Caller, Shared};
use std::sync::Arc;

/// What the statements of a session share.
#[derive(Clone)]
pub(super) struct StatementContext {
    pub(super) shared: Arc<Shared>,
    pub(super) runtime: Arc<StatementRuntime>,
    pub(super) admission: Arc<Admission>,
    /// Those that execute.
    pub(super) statements: Arc<Statements>,
    pub(super) caller: Caller,
    /// Whose permits they take.
    pub(super) user: Arc<str>,
}

impl StatementContext {
    /// Waits for a permit of the user.
    pub(super) async fn acquire(&self, queue: Queue) -> Permit {
        self.admission.acquire(queue, &self.user).await
    }
}
