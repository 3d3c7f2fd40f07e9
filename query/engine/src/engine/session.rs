//! One caller's session with the archive.

use super::admission::{Admission, Queue};
use super::extension::Extension;
use super::held_memory::Statements;
use super::kept_plans::{can_be_described, descriptions, plans};
use super::options::SessionOptions;
use super::placeholders;
use super::planned::{Planned, logical_plan};
use super::result::{Description, QueryResult};
use super::setup::session_state;
use super::shown_names::shown;
use super::statement_context::StatementContext;
use super::statement_runtime::StatementRuntime;
use crate::bound::{Bound, STATEMENT_BYTES};
use crate::catalog::{Caller, MetadataCatalog, Shared, StatementCatalog};
use crate::error::QueryError;
use crate::visibility::Visibility;
use arrow_schema::FieldRef;
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::common::config::Dialect;
use datafusion::common::{DataFusionError, ParamValues, ScalarValue};
use holdfast_archive::keys::Unlocker;
use std::fmt;
use std::sync::Arc;

/// A caller's session. Statements are independent of each other: each reads the archive as it is when it starts.
#[derive(Clone)]
pub struct Session {
    context: StatementContext,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

impl Session {
    /// A session with `options`. Reads nothing yet. Its statements are those of one user without a name.
    ///
    /// # Errors
    /// [`QueryError::Internal`] if the threads cannot be started. [`QueryError::Statement`] if an extension does not fit.
    pub fn new(options: SessionOptions) -> Result<Self, QueryError> {
        let base = session_state(&options).map_err(|error| QueryError::classify(error, options.memory_limit))?;
        let SessionOptions {
            archive,
            identities,
            visibility,
            extensions,
            memory_limit,
            footers,
            parallelism,
            concurrent_statements,
            runtime,
            ..
        } = options;
        let runtime = match runtime {
            Some(runtime) => runtime,
            None => Arc::new(StatementRuntime::new(parallelism).map_err(|error| {
                QueryError::Internal(format!("the threads of statements could not be started: {error}"))
            })?),
        };
        let shared = Arc::new(Shared::new(archive, footers, base, memory_limit));
        let caller = Caller::new(&shared, identities, visibility);
        let admission = Arc::new(Admission::new(concurrent_statements));
        let (statements, user) = (Arc::new(Statements::default()), Arc::from(""));
        let extensions: Arc<[Arc<dyn Extension>]> = extensions.into();
        let (plans, descriptions, answers) = (Arc::new(plans()), Arc::new(descriptions()), Arc::default());
        let context = StatementContext {
            shared,
            runtime,
            admission,
            plans,
            descriptions,
            answers,
            statements,
            extensions,
            caller,
            user,
        };
        let session = Self { context };
        let metadata = session.metadata();
        let schemas = session.context.extensions.iter().flat_map(|extension| extension.schemas(&metadata)).collect();
        session.context.shared.schemas.get_or_init(|| schemas);
        Ok(session)
    }

    /// A session of another caller with the same archive and engine. Logs, footers, memory, admission and extensions
    /// are shared, keys and answers are not.
    pub fn for_caller(&self, identities: Vec<age::x25519::Identity>, visibility: Visibility) -> Self {
        let caller = Caller::new(&self.context.shared, identities, visibility);
        Self { context: StatementContext { caller, answers: Arc::default(), ..self.context.clone() } }
    }

    /// The same session for the statements of `user`, who shares the permits for statements with other users.
    pub fn for_user(&self, user: &str) -> Self {
        Self { context: StatementContext { user: Arc::from(user), ..self.context.clone() } }
    }

    /// Cancels the executing statement that holds the most memory, of all sessions of this engine, or the oldest if none
    /// holds a mebibyte. It ends with [`QueryError::OutOfMemory`]. Returns the bytes that were counted for it; `None` if
    /// none executes.
    pub fn cancel_largest(&self) -> Option<usize> {
        self.context.statements.cancel_largest()
    }

    /// A schema that an extension has added.
    pub fn extension_schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let mut schemas = self.context.shared.schemas.get()?.iter();
        schemas.find(|(known, _)| known == name).map(|(_, schema)| Arc::clone(schema))
    }

    /// The caller's keys, for reading recordings.
    pub fn unlocker(&self) -> &Arc<Unlocker> {
        &self.context.caller.unlocker
    }

    /// What the caller may see.
    pub fn visibility(&self) -> &Visibility {
        &self.context.caller.visibility
    }

    /// The tables and views that a statement can name, and their columns. They have no rows.
    fn metadata(&self) -> Arc<dyn CatalogProviderList> {
        // A weak reference, because the schemas that extensions make from the catalog are stored in what it refers to.
        let shared = &self.context.shared;
        let without_keys = Caller::new(shared, Vec::new(), Visibility::NONE);
        Arc::new(MetadataCatalog::new(Arc::downgrade(shared), without_keys))
    }

    /// The columns of a statement's result and the types of its placeholders. Executes nothing.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn describe(&self, text: &str) -> Result<Description, QueryError> {
        self.describe_with(text, Vec::new()).await
    }

    /// As [`Session::describe`], with the types of those placeholders `$1`, `$2`, ... whose types the caller knows.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn describe_with(&self, text: &str, known: Vec<Option<FieldRef>>) -> Result<Description, QueryError> {
        let text = checked_size(text)?.to_owned();
        let describe =
            move |context| async move { describe(&context, &text, &known).await.map_err(|error| error.located(&text)) };
        self.on_thread(describe).await
    }

    /// Does `work` on one of the threads that plan statements: the stacks of other threads may be too small for what is
    /// parsed from a statement.
    ///
    /// # Errors
    /// [`QueryError::Internal`] if it panics.
    pub async fn on_statement_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, QueryError> {
        self.on_thread(move |_| async move { Ok::<_, QueryError>(work()) }).await
    }

    /// Waits for a permit, and then for what `start` makes on a thread for statements.
    async fn on_thread<T, F>(&self, start: impl FnOnce(StatementContext) -> F + Send + 'static) -> Result<T, QueryError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, QueryError>>,
    {
        let permit = self.context.acquire(Queue::Planning).await;
        let context = self.context.clone();
        self.context.runtime.on_thread(permit, move || start(context)).await
    }

    /// Executes one statement.
    ///
    /// # Errors
    /// See [`QueryError`]. Errors of single rows come through the stream.
    pub async fn sql(&self, text: &str) -> Result<QueryResult, QueryError> {
        self.run(text, Dialect::PostgreSQL, Vec::new()).await
    }

    /// Executes one statement whose placeholders `$1`, `$2`, ... stand for `parameters`.
    ///
    /// # Errors
    /// See [`QueryError`]. Errors of single rows come through the stream.
    pub async fn sql_with(&self, text: &str, parameters: Vec<ScalarValue>) -> Result<QueryResult, QueryError> {
        self.run(text, Dialect::PostgreSQL, parameters).await
    }

    pub(super) async fn run(
        &self,
        text: &str,
        dialect: Dialect,
        parameters: Vec<ScalarValue>,
    ) -> Result<QueryResult, QueryError> {
        Ok(self.plan(text, dialect, parameters).await?.execute(None))
    }

    /// Plans one statement.
    pub(crate) async fn plan(
        &self,
        text: &str,
        dialect: Dialect,
        parameters: Vec<ScalarValue>,
    ) -> Result<Planned, QueryError> {
        let text = checked_size(text)?.to_owned();
        let plan = move |context| async move {
            Planned::new(context, &text, dialect, parameters).await.map_err(|error| error.located(&text))
        };
        self.on_thread(plan).await
    }
}

/// A text that is copied only if it is not too long.
fn checked_size(text: &str) -> Result<&str, Bound> {
    if text.len() > STATEMENT_BYTES { Err(Bound::Bytes) } else { Ok(text) }
}

async fn describe(
    context: &StatementContext,
    text: &str,
    known: &[Option<FieldRef>],
) -> Result<Description, QueryError> {
    let key = (text.to_owned(), known.to_vec());
    if let Some(description) = context.descriptions.get(&key) {
        return Ok(description);
    }
    let shared = &context.shared;
    let catalog = StatementCatalog::new(Arc::clone(shared), context.caller.clone());
    let plan = logical_plan(shared, &catalog.state(), text, Dialect::PostgreSQL, known).await?;
    let parameters = placeholders::types(&plan).map_err(|error| shared.classify(error))?;
    // With the types of its parameters the statement is planned as it will be when they have values.
    let mut types = known.to_vec();
    types.resize(types.len().max(parameters.len()), None);
    for (known, told) in types.iter_mut().zip(&parameters) {
        *known = known.take().or_else(|| told.clone());
    }
    let typed = if types == known {
        None
    } else {
        logical_plan(shared, &catalog.state(), text, Dialect::PostgreSQL, &types).await.ok()
    };
    let described = typed.as_ref().unwrap_or(&plan);
    // The types of branches and of set operations are known when they are coerced. A parameter without a type, as each text is, may have to
    // have a value for that.
    let state = catalog.state();
    let analyze = |plan| state.analyzer().execute_and_check(plan, state.config_options(), |_, _| {});
    let analyzed = analyze(described.clone())
        .or_else(|_| analyze(described.clone().with_param_values(ParamValues::from(nulls_of(&types)?))?));
    let schema = analyzed.as_ref().map_or(described.schema(), |analyzed| analyzed.schema());
    let description = Description { schema: shown(schema.inner()), parameters };
    if can_be_described(text, &plan).map_err(|error| shared.classify(error))? {
        context.descriptions.keep(key, description.clone());
    }
    Ok(description)
}

/// NULL of each type, and of texts where none is known.
fn nulls_of(types: &[Option<FieldRef>]) -> Result<Vec<ScalarValue>, DataFusionError> {
    let null = |field: &Option<FieldRef>| match field {
        Some(field) => ScalarValue::try_new_null(field.data_type()),
        None => Ok(ScalarValue::Utf8(None)),
    };
    types.iter().map(null).collect()
}

#[cfg(test)]
mod tests {
    use super::super::kept_plans::Key;
    use super::*;
    use crate::visibility::Rows;
    use arrow_schema::{DataType, Field};
    use holdfast_archive::{Archive, Location};
    use holdfast_events::Tier;
    use object_store::memory::InMemory;
    use url::Url;

    #[tokio::test]
    async fn a_plan_is_kept_for_all_sessions_that_are_named() {
        let url = Url::parse("memory:///").unwrap();
        let archive = Archive::new(Location { url, store: Arc::new(InMemory::new()) });
        let session = Session::new(SessionOptions::new(archive, Vec::new())).unwrap();
        let visibility = Visibility::new(Tier::ALL, Rows::All);
        let session = session.for_caller(Vec::new(), visibility.clone());
        let kept = |text: &str, values: usize| {
            let parameters = vec![ScalarValue::from("S-1"); values];
            let key = Key::of(text, Dialect::PostgreSQL, &parameters, &visibility).unwrap();
            let key = if values > 0 { key.of_constants() } else { key };
            session.context.plans.get(&key).map(|kept| kept.is_some())
        };
        let count = "select count(*) from chat_lines where session = ";
        for name in ["'S-1'", "'S-2'"] {
            session.sql(&format!("{count}{name}")).await.unwrap();
            assert_eq!(kept(&format!("{count}{name}"), 0), None);
        }
        assert_eq!(kept(&format!("{count}$1"), 1), Some(true));
        // A text has no type until it has a value, and the branches beside it do.
        let known = vec![Some(Arc::new(Field::new("", DataType::Utf8, true)))];
        let union = "select null, upper($1) union all select true, $2";
        let description = session.describe_with(union, known).await.unwrap();
        assert_eq!(*description.schema.field(0).data_type(), DataType::Boolean);
        // Here a parameter is not compared with a text.
        let of_numbers = "select count(*) from (select seq as session from chat_lines) t where session = ";
        session.sql(&format!("{of_numbers}'1'")).await.unwrap();
        assert_eq!(kept(&format!("{of_numbers}$1"), 1), Some(false));
        assert_eq!(kept(&format!("{of_numbers}'1'"), 0), Some(true));
    }
}
