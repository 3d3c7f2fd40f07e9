//! What the statements of a session are planned and executed with.

use super::admission::{Admission, Permit, Queue};
use super::answers::Answers;
use super::extension::Extension;
use super::held_memory::Statements;
use super::kept_plans::{KeptDescriptions, KeptPlans};
use super::statement_runtime::StatementRuntime;
use crate::catalog::{Caller, Shared};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, TaskContext};
use std::sync::Arc;

/// What the statements of a session share.
#[derive(Clone)]
pub(super) struct StatementContext {
    pub(super) shared: Arc<Shared>,
    pub(super) runtime: Arc<StatementRuntime>,
    pub(super) admission: Arc<Admission>,
    /// The plans of former statements.
    pub(super) plans: Arc<KeptPlans>,
    pub(super) descriptions: Arc<KeptDescriptions>,
    /// Answers of former statements of this caller.
    pub(super) answers: Arc<Answers>,
    /// Those that execute.
    pub(super) statements: Arc<Statements>,
    pub(super) extensions: Arc<[Arc<dyn Extension>]>,
    pub(super) caller: Caller,
    /// Whose permits they take.
    pub(super) user: Arc<str>,
}

impl StatementContext {
    /// With what a plan of this state is executed, in this environment.
    pub(super) fn task(&self, state: &SessionState, environment: Arc<RuntimeEnv>) -> Arc<TaskContext> {
        let task = TaskContext::from(state).with_runtime(environment);
        let config = task.session_config().clone();
        let config = self.extensions.iter().fold(config, |config, extension| extension.for_user(config, &self.user));
        Arc::new(task.with_session_config(config))
    }

    /// Waits for a permit of the user.
    pub(super) async fn acquire(&self, queue: Queue) -> Permit {
        self.admission.acquire(queue, &self.user).await
    }
}
