//! A statement from its text to its physical plan, and its execution.

use super::admission::{Queue, queue_of};
use super::aggregates::shows_only_aggregates;
use super::answers::{Answer, Place, Repeatable, Turn, gather};
use super::centroids::check_centroids;
use super::event_order;
use super::few_subjects::{plan_for_few, reads_few_subjects};
use super::fixed_sizes::forget_array_sizes;
use super::functions::{bound_plan, check_constants, check_series_arguments};
use super::given_up::GivenUp;
use super::grouping_sets::check_grouping_sets;
use super::handed_over::{hands_over, to_one_task};
use super::join_conditions::end_joins;
use super::kept_plans::{Kept, Key, Optimized, TEXT_BYTES, Values, can_be_kept, is_repeatable};
use super::named_sessions::{NamedSessions, compares_texts};
use super::parameters::{compare_with_elements, give_array_types, give_types};
use super::placeholders;
use super::read_only;
use super::result::QueryResult;
use super::row_counts::check_row_counts;
use super::shown_names::{shown, with_shown_names};
use super::statement_bounds;
use super::statement_context::StatementContext;
use super::statement_runtime::{Batches, Confined};
use super::statement_tasks::StatementPermit;
use super::waiting_rows::waiting;
use crate::bound::{Bound, COLUMNS};
use crate::catalog::{
    Shared, StatementCatalog, external_tables, inline, reads_only_metadata, withheld_everywhere, withheld_of,
};
use crate::error::QueryError;
use crate::scan::{Notice, StatementTrace};
use crate::statement_memory::{Constants, ExecutionMemory, StatementMemory};
use crate::visibility::{Lineage, analyse};
use arrow_array::RecordBatch;
use arrow_schema::{Field, FieldRef, SchemaRef};
use datafusion::common::config::Dialect;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::sqlparser::dialect::dialect_from_str;
use futures::FutureExt;
use futures::stream::StreamExt;
use holdfast_dialect::{joined_constants, name_columns, rewrite, shown_name};
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout_at};

/// What a statement that executes takes beside its rows, about: its plan, tasks and channels.
const EXECUTING_BYTES: usize = 512 << 10;

/// A statement that is ready to be executed.
pub(crate) struct Planned {
    context: StatementContext,
    text: String,
    plan: Confined<Executable>,
    schema: SchemaRef,
    notices: Vec<Notice>,
    trace: Arc<StatementTrace>,
    aggregates_only: bool,
    is_recorded: bool,
    queue: Queue,
    /// `None` if its next execution may return something else.
    repeatable: Option<Repeatable>,
    /// Where its answer is kept.
    place: Option<Place>,
}

/// A physical plan with the state that it is executed with.
struct Executable {
    state: SessionState,
    physical: Arc<dyn ExecutionPlan>,
    /// What the long constants that were computed for the plan take.
    constants: MemoryReservation,
}

impl Planned {
    /// Plans a statement. Its placeholders stand for `parameters`. To be called on the statement's threads.
    pub(super) async fn new(
        context: StatementContext,
        text: &str,
        dialect: Dialect,
        parameters: Vec<ScalarValue>,
    ) -> Result<Self, QueryError> {
        if parameters.is_empty()
            && dialect == Dialect::PostgreSQL
            && text.len() <= TEXT_BYTES
            && let Some(NamedSessions { text: general, values }) = NamedSessions::of(text)
            // What is wrong with the statement is said of its own text.
            && let Ok(Some(planned)) = Self::of_text(context.clone(), text, Some(&general), dialect, values).await
        {
            return Ok(planned);
        }
        match Self::of_text(context, text, None, dialect, parameters).await? {
            Some(planned) => Ok(planned),
            None => Err(QueryError::Internal("a statement was not planned as it is written".to_owned())),
        }
    }

    /// Plans a statement by its text, or by a `general` one with parameters: `None` if no such plan can be kept.
    async fn of_text(
        context: StatementContext,
        text: &str,
        general: Option<&str>,
        dialect: Dialect,
        parameters: Vec<ScalarValue>,
    ) -> Result<Option<Self>, QueryError> {
        let shared = &context.shared;
        let catalog = StatementCatalog::new(Arc::clone(shared), context.caller.clone());
        let mut state = catalog.state();
        let failed = |error| shared.classify(error);
        // Only the statement of time lines is in this dialect, and only it has the functions.
        if matches!(dialect, Dialect::Generic) {
            event_order::register(&mut state).map_err(failed)?;
        }

        let constants = Arc::new(Constants::default());
        let planning = StatementMemory::Planning(Arc::clone(&constants));
        let values = Values::new(parameters, &state).map_err(failed)?;
        let (planned_text, is_general) = (general.unwrap_or(text), general.is_some());
        let key = Key::of(planned_text, dialect, values.parameters(), &context.caller.visibility);
        let key = if is_general { key.map(Key::of_constants) } else { key };
        let kept = match key.as_ref().and_then(|key| context.plans.get(key)) {
            Some(Some(kept)) => kept.bound(&catalog, failed).await?,
            Some(None) => return Ok(None),
            None => None,
        };
        let (optimized, is_kept) = match kept {
            Some(optimized) => {
                refuse_withheld(&optimized.plan, &optimized.lineage, shared, catalog.trace())?;
                (optimized, true)
            }
            None => {
                let (optimized, can_be_kept) =
                    optimize(&context, &catalog, &state, (planned_text, dialect), &values, &planning).await?;
                let can_be_kept = can_be_kept
                    && key.is_some()
                    && constants.bytes()? == 0
                    && (!is_general || compares_texts(&optimized.plan).map_err(failed)?);
                let kept = if can_be_kept { Kept::of(&optimized).map_err(failed)?.map(Arc::new) } else { None };
                let is_kept = kept.is_some();
                if let Some(key) = key.as_ref().filter(|_| is_kept || is_general) {
                    context.plans.keep(key.clone(), kept);
                }
                if is_general && !is_kept {
                    return Ok(None);
                }
                (optimized, is_kept)
            }
        };
        let Optimized { plan, names, lineage, is_recorded, aggregates_only, queue } = optimized;
        let is_repeatable = is_kept && is_repeatable(&plan).map_err(failed)?;
        let plan = planning.clone().during_call(|| values.put_into(plan, &state)).map_err(failed)?;
        check_row_counts(&plan).map_err(failed)?;
        check_constants(&plan)?;
        check_centroids(&plan).map_err(failed)?;
        if reads_few_subjects(&plan).map_err(failed)? {
            plan_for_few(state.config_mut().options_mut());
        }
        let plan = end_joins(plan).map_err(failed)?;
        let physical = planning.during(state.query_planner().create_physical_plan(&plan, &state));
        let physical = physical.await.map_err(failed)?;
        let reserved = MemoryConsumer::new("constants").register(&state.runtime_env().memory_pool);
        reserved.try_grow(constants.bytes()?).map_err(failed)?;
        let mut notices: Vec<Notice> = Vec::new();
        for (name, origins) in names.iter().zip(&lineage.shown) {
            for notice in origins.iter().filter_map(|origin| catalog.trace().notice(name, origin)) {
                if !notices.contains(&notice) {
                    notices.push(notice);
                }
            }
        }
        let repeatable = key.filter(|_| is_repeatable).map(|key| {
            let (values, snapshots) = (values.into_parameters(), catalog.snapshots());
            Repeatable { key, values, snapshots }
        });
        let trace = Arc::clone(catalog.trace());
        let schema = shown(&physical.schema());
        let plan = Confined::new(Executable { state, physical, constants: reserved }, Arc::clone(&context.runtime));
        let text = text.to_owned();
        Ok(Some(Self {
            context,
            text,
            plan,
            schema,
            notices,
            trace,
            aggregates_only,
            is_recorded,
            queue,
            repeatable,
            place: None,
        }))
    }

    /// The same statement, with the answer of one that was asked before by a caller with the same keys, if there is one in
    /// this state of the archive. If its answer is small, it is kept for the next.
    pub(crate) fn with_kept_answer(mut self) -> Self {
        self.place = self.repeatable.take().map(|repeatable| self.context.answers.place(repeatable));
        self
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
    /// no client fetches holds no permit. At `deadline` it ends with [`QueryError::TimedOut`] and returns its memory,
    /// also if no client requests the next row.
    pub(crate) fn execute(mut self, deadline: Option<Instant>) -> QueryResult {
        let (schema, notices) = (Arc::clone(&self.schema), std::mem::take(&mut self.notices));
        let runtime = Arc::clone(&self.context.runtime);
        let given_up = GivenUp::default();
        let reader = given_up.on_drop();
        let batches = runtime.batches(move |batches| self.send(batches, deadline, given_up).boxed());
        let batches = batches.inspect(move |_| _ = &reader).boxed();
        QueryResult { schema, batches, notices }
    }

    async fn send(mut self, batches: Batches, deadline: Option<Instant>, given_up: GivenUp) {
        let Some(plan) = self.plan.take() else { return };
        let sending = self.answer(plan, &batches, given_up);
        let ended = match deadline {
            Some(deadline) => timeout_at(deadline, sending).await.unwrap_or(Err(QueryError::TimedOut)),
            None => sending.await,
        };
        // The plan is dropped, and its memory is returned, whether or not anybody takes the error.
        if let Err(error) = ended {
            let _ = batches.send(Err(error.located(&self.text))).await;
        }
    }

    /// Sends the answer that is kept, or executes a plan.
    async fn answer(&self, plan: Executable, batches: &Batches, given_up: GivenUp) -> Result<(), QueryError> {
        let turn = match &self.place {
            Some(place) => place.clone().turn().await,
            None => Turn::Alone,
        };
        let keep = match turn {
            Turn::Answered(answer) => {
                self.trace.add_read_again(&answer.subjects);
                send(batches, answer.batches.clone()).await;
                return Ok(());
            }
            Turn::First(place) => Some((place, Arc::clone(&self.trace))),
            Turn::Alone => None,
        };
        send_all(&self.context, plan, self.queue, batches, given_up, keep).await
    }
}

/// Sends rows that are computed, until nobody takes them.
async fn send(batches: &Batches, computed: Vec<RecordBatch>) {
    for batch in computed {
        if batches.send(Ok(batch)).await.is_err() {
            return;
        }
    }
}

/// Where an answer is kept, and the trace of the statement that computes it.
type Keeping = (OwnedMutexGuard<Option<Arc<Answer>>>, Arc<StatementTrace>);

/// Executes a plan until its last row, until nobody takes the rows, or until the process has no memory for it. With
/// `keep`, others wait until its rows are complete, or too many to be kept.
async fn send_all(
    context: &StatementContext,
    plan: Executable,
    queue: Queue,
    batches: &Batches,
    given_up: GivenUp,
    keep: Option<Keeping>,
) -> Result<(), QueryError> {
    let Executable { state, physical, constants: _constants } = plan;
    let failed = |error| context.shared.classify(error);
    // Its tasks end also if this one ends first.
    let _ended = given_up.on_drop();
    let permit = StatementPermit::new(context.acquire(queue).await, given_up.clone());
    let rows_permit = permit.clone();
    let execution = async {
        let mut running = context.statements.start(&context.user, given_up);
        let environment = running.environment(state.runtime_env());
        let own = ExecutionMemory::new(Arc::clone(&environment.memory_pool));
        let base = MemoryConsumer::new("statement").register(&own.pool);
        base.try_grow(EXECUTING_BYTES).map_err(failed)?;
        let memory = StatementMemory::Execution(own.clone());
        let task = context.task(&state, environment);
        let physical = to_one_task(physical);
        let are_counted = hands_over(physical.as_ref());
        let rows = memory.clone().during_call(|| execute_stream(physical, task)).map_err(failed)?;
        let schema = rows.schema();
        let shown_schema = shown(&schema);
        let rows = rows_permit.until_first_row(rows).boxed();
        let rows = if are_counted { rows } else { waiting(rows, schema, state.config().batch_size(), own).boxed() };
        let mut rows = rows.map(|batch| with_shown_names(batch?, &shown_schema));
        let sending = async {
            if let Some((mut place, trace)) = keep {
                let (computed, all) = gather(&mut rows).await.map_err(failed)?;
                if all {
                    *place = Some(Arc::new(Answer { batches: computed.clone(), subjects: trace.subjects() }));
                }
                drop(place);
                send(batches, computed).await;
            }
            // A batch is computed when there is a place for it, so that one waits at most.
            while let Ok(place) = batches.reserve().await {
                let Some(batch) = rows.next().await else { break };
                place.send(Ok(batch.map_err(failed)?));
            }
            Ok::<_, QueryError>(())
        };
        tokio::select! {
            biased;
            error = running.cancelled() => Err(error),
            sent = memory.during(sending) => sent,
        }
    };
    permit.hold(execution).await
}

/// Plans and optimizes a statement, and says whether its plan can be kept: if not, it has its values already.
async fn optimize(
    context: &StatementContext,
    catalog: &StatementCatalog,
    state: &SessionState,
    (text, dialect): (&str, Dialect),
    values: &Values,
    planning: &StatementMemory,
) -> Result<(Optimized, bool), QueryError> {
    let shared = &context.shared;
    let failed = |error| shared.classify(error);
    let plan = logical_plan(shared, state, text, dialect, &known_types(values.parameters())).await?;
    check_row_counts(&plan).map_err(failed)?;

    let is_recorded = !reads_only_metadata(&plan).map_err(failed)?;
    let lineage = analyse(&plan, false, &withheld_of).map_err(failed)?;
    let names: Vec<String> = plan.schema().fields().iter().map(|field| shown_name(field.name()).to_owned()).collect();
    let plan = inline(plan).map_err(failed)?;
    refuse_withheld(&plan, &lineage, shared, catalog.trace())?;
    let queue = queue_of(&plan).map_err(failed)?;
    let external = external_tables(&plan).map_err(failed)?;
    let can_be_kept = external.is_empty() && can_be_kept(&plan).map_err(failed)?;
    catalog.trace().add_reads(|reads| reads.tables.extend(external));

    let plan = if can_be_kept {
        values.typed(plan).map_err(failed)?
    } else if values.parameters().is_empty() {
        plan
    } else {
        plan.with_param_values(ParamValues::from(values.parameters().to_vec())).map_err(failed)?
    };
    let plan = bound_plan(plan).map_err(failed)?;
    let plan = planning.clone().during_call(|| state.optimize(&plan)).map_err(failed)?;
    let aggregates_only = shows_only_aggregates(&plan).map_err(failed)?;
    Ok((Optimized { plan, names, lineage, is_recorded, aggregates_only, queue }, can_be_kept))
}

/// The types of values. What is NULL without a type may become any.
fn known_types(values: &[ScalarValue]) -> Vec<Option<FieldRef>> {
    let types = values.iter().map(|value| Some(value.data_type()).filter(|data_type| !data_type.is_null()));
    types.map(|data_type| data_type.map(|data_type| Arc::new(Field::new("", data_type, true)))).collect()
}

/// The plan of a statement as it is written, if it only reads and keeps its bounds. `known` are the types of its parameters
/// that are known.
pub(super) async fn logical_plan(
    shared: &Shared,
    state: &SessionState,
    text: &str,
    dialect: Dialect,
    known: &[Option<FieldRef>],
) -> Result<LogicalPlan, QueryError> {
    let failed = |error| shared.classify(error);
    if let Some(dialect) = dialect_from_str(dialect) {
        statement_bounds::check(text, dialect.as_ref())?;
    }
    let text = joined_constants(text).map_err(failed)?;
    let mut parsed = state.sql_to_statement(&text, &dialect).map_err(failed)?;
    read_only::check_statement(&parsed)?;
    check_series_arguments(&parsed)?;
    check_grouping_sets(&parsed)?;
    forget_array_sizes(&mut parsed);
    name_columns(&mut parsed);
    give_types(&mut parsed, known).map_err(failed)?;
    let mut of_elements = parsed.clone();
    if compare_with_elements(&mut of_elements) {
        rewrite(&mut of_elements).map_err(failed)?;
        let plan = state.statement_to_plan(of_elements).await.map_err(failed)?;
        give_array_types(&mut parsed, &placeholders::types(&plan).map_err(failed)?);
    }
    rewrite(&mut parsed).map_err(failed)?;
    let plan = state.statement_to_plan(parsed).await.map_err(failed)?;
    read_only::check_plan(&plan)?;
    if plan.schema().fields().len() > COLUMNS { Err(Bound::Columns.into()) } else { Ok(plan) }
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
