//! One caller's way into the archive.

use crate::admission::{self, Admission, Queue};
use crate::aggregates;
use crate::catalog::{CATALOG, MetadataCatalog, SCHEMA, StatementCatalog, TABLES};
use crate::error::QueryError;
use crate::extension::Extension;
use crate::footer::FooterCache;
use crate::lineage;
use crate::membership::Ids;
use crate::memory::Memory;
use crate::metadata;
use crate::placeholders;
use crate::spill::EncryptedTempFiles;
use crate::table::STORE_URL;
use crate::trace::{Notice, StatementTrace};
use crate::views;
use crate::visibility::Visibility;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::common::config::Dialect;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::execution::{FunctionRegistry, SessionState, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SQLOptions, SessionConfig};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::Statement;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use holdfast_archive::keys::Unlocker;
use holdfast_archive::{Archive, TableLog};
use holdfast_events::Tier;
use holdfast_sessions::{Current, Projection};
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use url::Url;

/// Memory that a statement's sorts, joins and groups may take unless the options say otherwise.
pub const DEFAULT_MEMORY_LIMIT: usize = 512 << 20;
/// Bytes of decrypted footers that are kept unless the options say otherwise.
pub const DEFAULT_FOOTER_CACHE: usize = 128 << 20;
const LARGEST_CONSUMERS_NAMED: NonZeroUsize = NonZeroUsize::new(3).expect("three is not zero");

/// What happens when a statement needs more memory than it may have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Spill {
    /// It fails with [`QueryError::Memory`].
    #[default]
    Refuse,
    /// Sorts, joins and groups go on in temporary files, which are encrypted with keys that are never written anywhere.
    Encrypted {
        /// The folder for the files.
        directory: PathBuf,
        /// Bytes that the files may take together.
        limit: u64,
    },
}

/// How a session is set up.
pub struct SessionOptions {
    /// What to read.
    pub archive: Archive,
    /// The caller's age identities. Without any, nothing can be read.
    pub identities: Vec<age::x25519::Identity>,
    /// What the caller may see of what those open.
    pub visibility: Visibility,
    /// What is added to the engine.
    pub extensions: Vec<Arc<dyn Extension>>,
    /// Bytes that the statements of this session may take together for sorting, joining and grouping.
    pub memory_limit: usize,
    /// What happens when that is not enough.
    pub spill: Spill,
    /// Decrypted footers. Sessions of different callers may share one cache of the same archive.
    pub footers: Arc<FooterCache>,
    /// Threads that one statement may keep busy.
    pub parallelism: usize,
    /// Statements that may be on their way to their first row at once; others wait for their permit.
    pub statements_at_once: usize,
}

impl SessionOptions {
    /// The defaults for a caller with `identities`.
    pub fn new(archive: Archive, identities: Vec<age::x25519::Identity>) -> Self {
        let parallelism = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            archive,
            identities,
            visibility: Visibility::ALL,
            extensions: Vec::new(),
            memory_limit: DEFAULT_MEMORY_LIMIT,
            spill: Spill::Refuse,
            footers: Arc::new(FooterCache::new(DEFAULT_FOOTER_CACHE)),
            parallelism,
            statements_at_once: 2 * parallelism,
        }
    }
}

/// What the statements of all callers have in common.
pub(crate) struct Shared {
    pub(crate) archive: Archive,
    /// The logs of [`TABLES`]; they remember what they have read of them.
    pub(crate) logs: [TableLog; TABLES.len()],
    pub(crate) footers: Arc<FooterCache>,
    /// The schemas that extensions added, by name.
    pub(crate) schemas: OnceLock<Vec<(String, Arc<dyn SchemaProvider>)>>,
    base: SessionState,
    memory_limit: usize,
    admission: Admission,
}

/// The sessions that a caller sees, and the moment that they are of.
pub(crate) type Seen = (Arc<Current>, Ids);

/// Who asks.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) unlocker: Arc<Unlocker>,
    pub(crate) visibility: Arc<Visibility>,
    /// The sessions as the caller's keys show them.
    pub(crate) projection: Arc<tokio::sync::Mutex<Projection>>,
    /// The sessions that the caller sees, and the moment that they are of.
    pub(crate) seen: Arc<tokio::sync::Mutex<Option<Seen>>>,
}

impl Caller {
    fn new(shared: &Shared, identities: Vec<age::x25519::Identity>, visibility: Visibility) -> Self {
        let unlocker = Arc::new(Unlocker::new(shared.archive.clone(), identities));
        let [events, _, sessions] = shared.logs.clone();
        let with_content = visibility.tiers().has(Tier::Content);
        let projection =
            Projection::with_logs(shared.archive.clone(), events, sessions, Arc::clone(&unlocker), with_content);
        Self {
            unlocker,
            visibility: Arc::new(visibility),
            projection: Arc::new(projection.into()),
            seen: Arc::default(),
        }
    }
}

impl Shared {
    /// The engine's state for a statement that can use the names of `catalog`.
    pub(crate) fn state(&self, catalog: &StatementCatalog) -> SessionState {
        let names = Arc::new(catalog.clone());
        let mut state = SessionStateBuilder::new_from_existing(self.base.clone()).with_catalog_list(names).build();
        // This is the moment that now() means.
        let options = Arc::clone(state.config_options());
        state.execution_props_mut().mark_start_execution(options);
        state
    }

    pub(crate) fn classify(&self, error: DataFusionError) -> QueryError {
        QueryError::classify(error, self.memory_limit)
    }
}

/// A caller who asks. Statements are independent of each other; each sees the archive as it is when it starts.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
    caller: Caller,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

/// What a statement will answer with, before it is executed.
#[derive(Debug)]
pub struct Description {
    /// The columns of the answer.
    pub schema: SchemaRef,
    /// The types of the placeholders `$1`, `$2`, ... in order; `None` where the statement does not tell.
    pub parameters: Vec<Option<DataType>>,
}

/// A statement that is ready to be executed.
pub(crate) struct Planned {
    shared: Arc<Shared>,
    state: SessionState,
    physical: Arc<dyn ExecutionPlan>,
    notices: Vec<Notice>,
    trace: Arc<StatementTrace>,
    aggregates_only: bool,
    is_recorded: bool,
    queue: Queue,
}

impl Planned {
    /// Whether anything but names is read.
    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// Whether nothing but aggregates of operational columns will be shown.
    pub(crate) fn shows_aggregates_only(&self) -> bool {
        self.aggregates_only
    }

    pub(crate) fn trace(&self) -> &Arc<StatementTrace> {
        &self.trace
    }

    /// The answer. The statement waits for its permit, and begins, when the first row is asked for: who asks for none, as a
    /// cursor that nobody fetches from, takes no permit from others.
    pub(crate) fn execute(self) -> QueryResult {
        let Self { shared, state, physical, notices, queue, .. } = self;
        let schema = physical.schema();
        let waiting = Arc::clone(&shared);
        let begun = async move {
            let permit = waiting.admission.acquire(queue).await;
            let rows = execute_stream(physical, Arc::new(TaskContext::from(&state)))?;
            Ok::<_, DataFusionError>(permit.until_first_row(rows))
        };
        let batches = stream::once(begun).try_flatten().map_err(move |error| shared.classify(error)).boxed();
        QueryResult { schema, batches, notices }
    }
}

/// The answer to a statement. Rows are computed while they are taken from the stream; dropping it ends the statement.
pub struct QueryResult {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
    /// Columns that are shown as NULL because the caller's keys do not open them.
    pub notices: Vec<Notice>,
}

impl fmt::Debug for QueryResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryResult").field("notices", &self.notices).finish_non_exhaustive()
    }
}

impl QueryResult {
    /// All rows at once.
    pub async fn collect(self) -> Result<Vec<RecordBatch>, QueryError> {
        self.batches.try_collect().await
    }
}

impl Session {
    /// A session with `options`. Nothing is read yet.
    pub fn new(options: SessionOptions) -> Result<Self, QueryError> {
        let SessionOptions {
            archive,
            identities,
            visibility,
            extensions,
            memory_limit,
            spill,
            footers,
            parallelism,
            statements_at_once,
        } = options;
        let base = engine(&archive, memory_limit, spill, parallelism, &extensions)
            .map_err(|error| QueryError::classify(error, memory_limit))?;
        let logs = TABLES.map(|table| archive.table(table));
        let admission = Admission::new(statements_at_once);
        let shared =
            Arc::new(Shared { archive, logs, footers, schemas: OnceLock::new(), base, memory_limit, admission });
        let caller = Caller::new(&shared, identities, visibility);
        let session = Self { shared, caller };
        let names = session.names();
        let schemas = extensions.iter().flat_map(|extension| extension.schemas(&names)).collect();
        session.shared.schemas.get_or_init(|| schemas);
        Ok(session)
    }

    /// The same archive and engine for another caller: logs, footers, memory and extensions are shared, keys are not.
    pub fn for_caller(&self, identities: Vec<age::x25519::Identity>, visibility: Visibility) -> Self {
        let caller = Caller::new(&self.shared, identities, visibility);
        Self { shared: Arc::clone(&self.shared), caller }
    }

    /// The caller's keys, for reading recordings.
    pub fn unlocker(&self) -> &Arc<Unlocker> {
        &self.caller.unlocker
    }

    /// What the caller may see.
    pub fn visibility(&self) -> &Visibility {
        &self.caller.visibility
    }

    /// The tables and views that a statement can name, and their columns. Nothing can be read through them.
    fn names(&self) -> Arc<dyn CatalogProviderList> {
        // Weak, because what is made of it is kept in what it leads to.
        let nobody = Caller::new(&self.shared, Vec::new(), Visibility::NONE);
        Arc::new(MetadataCatalog::new(Arc::downgrade(&self.shared), nobody))
    }

    /// The columns of a statement's answer and the types of its placeholders, as far as they can be told. Nothing is
    /// executed.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn describe(&self, text: &str) -> Result<Description, QueryError> {
        let catalog = StatementCatalog::new(Arc::clone(&self.shared), self.caller.clone());
        let state = self.shared.state(&catalog);
        let plan = self.written(&state, text, Dialect::PostgreSQL).await?;
        let failed = |error| self.shared.classify(error);
        let parameters = placeholders::types(&plan).map_err(failed)?;
        Ok(Description { schema: Arc::clone(plan.schema().inner()), parameters })
    }

    /// Answers one statement.
    ///
    /// # Errors
    /// See [`QueryError`]. Errors of single rows come through the stream.
    pub async fn sql(&self, text: &str) -> Result<QueryResult, QueryError> {
        self.run(text, Dialect::PostgreSQL, Vec::new()).await
    }

    /// Answers one statement whose placeholders `$1`, `$2`, ... stand for `parameters`.
    ///
    /// # Errors
    /// See [`QueryError`]. Errors of single rows come through the stream.
    pub async fn sql_with(&self, text: &str, parameters: Vec<ScalarValue>) -> Result<QueryResult, QueryError> {
        self.run(text, Dialect::PostgreSQL, parameters).await
    }

    pub(crate) async fn run(
        &self,
        text: &str,
        dialect: Dialect,
        parameters: Vec<ScalarValue>,
    ) -> Result<QueryResult, QueryError> {
        Ok(self.plan(text, dialect, parameters).await?.execute())
    }

    /// The plan of a statement as it was written.
    async fn written(&self, state: &SessionState, text: &str, dialect: Dialect) -> Result<LogicalPlan, QueryError> {
        let failed = |error| self.shared.classify(error);
        let parsed = state.sql_to_statement(text, &dialect).map_err(failed)?;
        only_reading(&parsed)?;
        let plan = state.statement_to_plan(parsed).await.map_err(failed)?;
        // The statement's kind was looked at already; this looks at every part of its plan.
        let reading = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        reading.verify_plan(&plan).map_err(|error| QueryError::ReadOnly(error.strip_backtrace()))?;
        Ok(plan)
    }

    /// Everything about a statement but its execution.
    pub(crate) async fn plan(
        &self,
        text: &str,
        dialect: Dialect,
        parameters: Vec<ScalarValue>,
    ) -> Result<Planned, QueryError> {
        let catalog = StatementCatalog::new(Arc::clone(&self.shared), self.caller.clone());
        let state = self.shared.state(&catalog);
        let failed = |error| self.shared.classify(error);

        let plan = self.written(&state, text, dialect).await?;
        let plan = if parameters.is_empty() {
            plan
        } else {
            plan.with_param_values(ParamValues::from(parameters)).map_err(failed)?
        };

        let is_recorded = !metadata::is_all_that_is_read(&plan).map_err(failed)?;
        let lineage = lineage::analyse(&plan, false, &views::withheld_of).map_err(failed)?;
        let names: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
        let plan = views::inline(plan).map_err(failed)?;
        self.refuse_what_is_withheld(&plan, &catalog, &lineage)?;
        let queue = admission::queue_of(&plan).map_err(failed)?;

        let plan = state.optimize(&plan).map_err(failed)?;
        let aggregates_only = aggregates::shows_nothing_else(&plan).map_err(failed)?;
        let physical = state.query_planner().create_physical_plan(&plan, &state).await.map_err(failed)?;
        let mut notices: Vec<Notice> = Vec::new();
        for (name, origins_of_column) in names.iter().zip(&lineage.shown) {
            for notice in origins_of_column.iter().filter_map(|origin| catalog.trace().notice(name, origin)) {
                if !notices.contains(&notice) {
                    notices.push(notice);
                }
            }
        }
        let trace = Arc::clone(catalog.trace());
        let shared = Arc::clone(&self.shared);
        Ok(Planned { shared, state, physical, notices, trace, aggregates_only, is_recorded, queue })
    }

    /// Where a tier is withheld in every file, computing with it is refused now; where it is withheld in some, when the
    /// files that the statement reads are known.
    fn refuse_what_is_withheld(
        &self,
        plan: &LogicalPlan,
        catalog: &StatementCatalog,
        lineage: &lineage::Lineage,
    ) -> Result<(), QueryError> {
        for (name, origin) in &lineage.computed {
            if views::withheld_everywhere(plan, origin).map_err(|error| self.shared.classify(error))? {
                return Err(QueryError::Withheld { column: name.clone(), tier: origin.tier });
            }
            catalog.trace().compute(name.clone(), origin.clone());
        }
        Ok(())
    }
}

fn engine(
    archive: &Archive,
    memory_limit: usize,
    spill: Spill,
    parallelism: usize,
    extensions: &[Arc<dyn Extension>],
) -> Result<SessionState, DataFusionError> {
    let disk = DiskManagerBuilder::default();
    let (pool, disk): (Arc<dyn MemoryPool>, _) = match spill {
        Spill::Refuse => {
            let pool = TrackConsumersPool::new(GreedyMemoryPool::new(memory_limit), LARGEST_CONSUMERS_NAMED);
            (Arc::new(pool), disk.with_mode(DiskManagerMode::Disabled))
        }
        Spill::Encrypted { directory, limit } => {
            let pool = TrackConsumersPool::new(Memory::new(memory_limit), LARGEST_CONSUMERS_NAMED);
            let files = EncryptedTempFiles::new(directory, limit);
            (Arc::new(pool), disk.with_mode(DiskManagerMode::Custom(Arc::new(files))))
        }
    };
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).with_disk_manager_builder(disk).build()?;
    let url = Url::parse(STORE_URL).map_err(|error| DataFusionError::External(Box::new(error)))?;
    runtime.register_object_store(&url, Arc::clone(archive.store()));

    // Sorted runs are merged a batch of each at a time, by what has an eighth of the memory at least. A row of whole events was
    // seen to be counted as some 8 KiB there.
    let mut config = SessionConfig::new()
        .with_batch_size((memory_limit / (256 << 10)).clamp(128, 8192))
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(true)
        .with_target_partitions(parallelism.max(1));
    let options = config.options_mut();
    options.execution.time_zone = Some("UTC".to_owned());
    options.execution.parquet.pushdown_filters = true;
    // What a sort sets aside for merging, for each of its threads.
    options.execution.sort_spill_reservation_bytes = (memory_limit / 32).min(10 << 20);
    let builder =
        SessionStateBuilder::new().with_config(config).with_runtime_env(Arc::new(runtime)).with_default_features();
    let mut state = extensions.iter().fold(builder, |builder, extension| extension.install(builder)).build();
    datafusion_functions_json::register_all(&mut state)?;
    for function in holdfast_aggregation::functions() {
        state.register_udaf(Arc::new(function))?;
    }
    Ok(state)
}

/// Refuses whatever is not a question.
fn only_reading(parsed: &Parsed) -> Result<(), QueryError> {
    let kind = match parsed {
        Parsed::Explain(explain) => return only_reading(&explain.statement),
        Parsed::Statement(statement) => match statement.as_ref() {
            Statement::Query(_)
            | Statement::ExplainTable { .. }
            | Statement::ShowTables { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowVariable { .. }
            | Statement::ShowFunctions { .. } => return Ok(()),
            Statement::Explain { statement, .. } => {
                return only_reading(&Parsed::Statement(statement.clone()));
            }
            other => first_word(&other.to_string()),
        },
        Parsed::CreateExternalTable(_) => "CREATE EXTERNAL TABLE".to_owned(),
        Parsed::CopyTo(_) => "COPY".to_owned(),
        Parsed::Reset(_) => "RESET".to_owned(),
    };
    Err(QueryError::ReadOnly(kind))
}

fn first_word(statement: &str) -> String {
    statement.split_whitespace().next().unwrap_or_default().to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_names_the_statement() {
        assert_eq!(first_word("drop table x"), "DROP");
        assert_eq!(first_word(""), "");
    }
}
