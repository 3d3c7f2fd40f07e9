//! A statement from its text to its physical plan, and its execution.

use super::admission::{Admission, Queue, queue_of};
use super::aggregates::shows_only_aggregates;
use super::read_only;
use super::result::QueryResult;
use crate::catalog::{Caller, Shared, StatementCatalog, inline, reads_only_metadata, withheld_everywhere, withheld_of};
use crate::error::QueryError;
use crate::scan::{Notice, StatementTrace};
use crate::visibility::{Lineage, analyse};
use datafusion::common::config::Dialect;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::sync::Arc;

/// A statement that is ready to be executed.
pub(crate) struct Planned {
    shared: Arc<Shared>,
    admission: Arc<Admission>,
    state: SessionState,
    physical: Arc<dyn ExecutionPlan>,
    notices: Vec<Notice>,
    trace: Arc<StatementTrace>,
    aggregates_only: bool,
    is_recorded: bool,
    queue: Queue,
}

impl Planned {
    /// Plans a statement of `caller`. Its placeholders stand for `parameters`.
    pub(super) async fn new(
        shared: &Arc<Shared>,
        admission: &Arc<Admission>,
        caller: &Caller,
        text: &str,
        dialect: Dialect,
        parameters: Vec<ScalarValue>,
    ) -> Result<Self, QueryError> {
        let catalog = StatementCatalog::new(Arc::clone(shared), caller.clone());
        let state = catalog.state();
        let failed = |error| shared.classify(error);

        let plan = logical_plan(shared, &state, text, dialect).await?;
        let plan = if parameters.is_empty() {
            plan
        } else {
            plan.with_param_values(ParamValues::from(parameters)).map_err(failed)?
        };

        let is_recorded = !reads_only_metadata(&plan).map_err(failed)?;
        let lineage = analyse(&plan, false, &withheld_of).map_err(failed)?;
        let names: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        let plan = inline(plan).map_err(failed)?;
        refuse_withheld(&plan, &lineage, shared, catalog.trace())?;
        let queue = queue_of(&plan).map_err(failed)?;

        let plan = state.optimize(&plan).map_err(failed)?;
        let aggregates_only = shows_only_aggregates(&plan).map_err(failed)?;
        let physical = state.query_planner().create_physical_plan(&plan, &state).await.map_err(failed)?;
        let mut notices: Vec<Notice> = Vec::new();
        for (name, origins) in names.iter().zip(&lineage.shown) {
            for notice in origins.iter().filter_map(|origin| catalog.trace().notice(name, origin)) {
                if !notices.contains(&notice) {
                    notices.push(notice);
                }
            }
        }
        let (shared, admission) = (Arc::clone(shared), Arc::clone(admission));
        let trace = Arc::clone(catalog.trace());
        Ok(Self { shared, admission, state, physical, notices, trace, aggregates_only, is_recorded, queue })
    }

    /// Whether the statement reads more than catalog metadata, so that its execution is recorded.
    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// Whether the result shows nothing but aggregates of operational columns.
    pub(crate) fn shows_aggregates_only(&self) -> bool {
        self.aggregates_only
    }

    pub(crate) fn trace(&self) -> &Arc<StatementTrace> {
        &self.trace
    }

    /// The result. The statement waits for its permit, and starts, when the first row is requested. A cursor from which
    /// no client fetches holds no permit.
    pub(crate) fn execute(self) -> QueryResult {
        let Self { shared, admission, state, physical, notices, queue, .. } = self;
        let schema = physical.schema();
        let started = async move {
            let permit = admission.acquire(queue).await;
            let rows = execute_stream(physical, Arc::new(TaskContext::from(&state)))?;
            Ok::<_, DataFusionError>(permit.until_first_row(rows))
        };
        let batches = stream::once(started).try_flatten().map_err(move |error| shared.classify(error)).boxed();
        QueryResult { schema, batches, notices }
    }
}

/// The plan of a statement as it is written, if it only reads.
pub(super) async fn logical_plan(
    shared: &Shared,
    state: &SessionState,
    text: &str,
    dialect: Dialect,
) -> Result<LogicalPlan, QueryError> {
    let failed = |error| shared.classify(error);
    let parsed = state.sql_to_statement(text, &dialect).map_err(failed)?;
    read_only::check_statement(&parsed)?;
    let plan = state.statement_to_plan(parsed).await.map_err(failed)?;
    read_only::check_plan(&plan)?;
    Ok(plan)
}

/// If every file withholds a tier, refuses to compute with it now. If some files withhold it, the scan refuses when it
/// has selected the files that the statement reads.
fn refuse_withheld(
    plan: &LogicalPlan,
    lineage: &Lineage,
    shared: &Shared,
    trace: &StatementTrace,
) -> Result<(), QueryError> {
    for (name, origin) in &lineage.computed {
        if withheld_everywhere(plan, origin).map_err(|error| shared.classify(error))? {
            return Err(QueryError::Withheld { column: name.clone(), tier: origin.tier });
        }
        trace.add_computed(name.clone(), origin.clone());
    }
    Ok(())
}
