//! One caller's session with the archive.

use super::admission::Admission;
use super::options::SessionOptions;
use super::placeholders;
use super::planned::{Planned, logical_plan};
use super::result::{Description, QueryResult};
use super::setup::session_state;
use crate::catalog::{Caller, MetadataCatalog, Shared, StatementCatalog};
use crate::error::QueryError;
use crate::visibility::Visibility;
use datafusion::catalog::CatalogProviderList;
use datafusion::common::ScalarValue;
use datafusion::common::config::Dialect;
use holdfast_archive::keys::Unlocker;
use std::fmt;
use std::sync::Arc;

/// A caller's session. Statements are independent of each other: each reads the archive as it is when it starts.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
    admission: Arc<Admission>,
    caller: Caller,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

impl Session {
    /// A session with `options`. Reads nothing yet.
    pub fn new(options: SessionOptions) -> Result<Self, QueryError> {
        let base = session_state(&options).map_err(|error| QueryError::classify(error, options.memory_limit))?;
        let SessionOptions {
            archive,
            identities,
            visibility,
            extensions,
            memory_limit,
            footers,
            concurrent_statements,
            ..
        } = options;
        let shared = Arc::new(Shared::new(archive, footers, base, memory_limit));
        let caller = Caller::new(&shared, identities, visibility);
        let session = Self { shared, admission: Arc::new(Admission::new(concurrent_statements)), caller };
        let metadata = session.metadata();
        let schemas = extensions.iter().flat_map(|extension| extension.schemas(&metadata)).collect();
        session.shared.schemas.get_or_init(|| schemas);
        Ok(session)
    }

    /// A session of another caller with the same archive and engine. Logs, footers, memory, admission and extensions
    /// are shared, keys are not.
    pub fn for_caller(&self, identities: Vec<age::x25519::Identity>, visibility: Visibility) -> Self {
        let caller = Caller::new(&self.shared, identities, visibility);
        Self { shared: Arc::clone(&self.shared), admission: Arc::clone(&self.admission), caller }
    }

    /// The caller's keys, for reading recordings.
    pub fn unlocker(&self) -> &Arc<Unlocker> {
        &self.caller.unlocker
    }

    /// What the caller may see.
    pub fn visibility(&self) -> &Visibility {
        &self.caller.visibility
    }

    /// The tables and views that a statement can name, and their columns. They have no rows.
    fn metadata(&self) -> Arc<dyn CatalogProviderList> {
        // A weak reference, because the schemas that extensions make from the catalog are stored in what it refers to.
        let without_keys = Caller::new(&self.shared, Vec::new(), Visibility::NONE);
        Arc::new(MetadataCatalog::new(Arc::downgrade(&self.shared), without_keys))
    }

    /// The columns of a statement's result and the types of its placeholders. Executes nothing.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn describe(&self, text: &str) -> Result<Description, QueryError> {
        let catalog = StatementCatalog::new(Arc::clone(&self.shared), self.caller.clone());
        let state = catalog.state();
        let plan = logical_plan(&self.shared, &state, text, Dialect::PostgreSQL).await?;
        let parameters = placeholders::types(&plan).map_err(|error| self.shared.classify(error))?;
        Ok(Description { schema: Arc::clone(plan.schema().inner()), parameters })
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
        Ok(self.plan(text, dialect, parameters).await?.execute())
    }

    /// Plans one statement.
    pub(crate) async fn plan(
        &self,
        text: &str,
        dialect: Dialect,
        parameters: Vec<ScalarValue>,
    ) -> Result<Planned, QueryError> {
        Planned::new(&self.shared, &self.admission, &self.caller, text, dialect, parameters).await
    }
}
