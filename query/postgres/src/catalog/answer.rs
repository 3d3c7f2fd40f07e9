//! Statements over the catalog alone: answered from its tables in memory, without the engine and without a record.

use super::provider::{CatalogSchema, SCHEMA};
use super::tables::{encoded, schema};
use crate::sqlstate::Failure;
use crate::variables::{SERVER_VERSION, Variables};
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use holdfast_catalog::{Bounds, Catalog, CatalogError, Plan, Session, parameter, plan};
use holdfast_query::Reader;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

/// About when the server began.
static STARTED: LazyLock<i64> = LazyLock::new(microseconds);

/// A statement over the catalog, and what its plan is made with.
#[derive(Debug)]
pub(crate) struct CatalogQuery {
    text: String,
    /// The types of its parameters that are named; 0 for those that are not.
    types: Vec<u32>,
    catalog: Arc<Catalog>,
    session: Session,
}

/// Ends a statement that nobody waits for any more.
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        Self::new(error.code, error.message)
    }
}

fn microseconds() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

impl CatalogQuery {
    /// The statement `text` of the user of `reader`.
    pub(crate) async fn new(
        text: &str,
        types: Vec<u32>,
        reader: &Reader,
        variables: &Variables,
        backend: i32,
    ) -> Result<Self, Failure> {
        let missing = || Failure::new("XX000", "the catalog is missing");
        let provider = reader.session().extension_schema(SCHEMA).ok_or_else(missing)?;
        let provider: &dyn std::any::Any = provider.as_ref();
        let provider = provider.downcast_ref::<CatalogSchema>().ok_or_else(missing)?;
        let catalog = provider.catalog().await.map_err(|error| Failure::new("58030", error.strip_backtrace()))?;
        let session = Session {
            user: variables.show("session_authorization")?,
            settings: variables.all(),
            version: format!("PostgreSQL {SERVER_VERSION} (Holdfast {})", env!("CARGO_PKG_VERSION")),
            backend,
            now: microseconds(),
            started: *STARTED,
        };
        Ok(Self { text: text.to_owned(), types, catalog, session })
    }

    fn plan(&self) -> Result<Plan, CatalogError> {
        let parsed = Parser::parse_sql(&PostgreSqlDialect {}, &self.text);
        let mut parsed = parsed.map_err(|error| CatalogError { code: "42601", message: error.to_string() })?;
        match parsed.pop() {
            Some(Statement::Query(query)) => plan(&self.catalog, &query, &self.types),
            _ => Err(CatalogError { code: "XX000", message: "the statement is no query".to_owned() }),
        }
    }

    /// The columns of its result, and the types of its parameters. `None` if its form is unknown here.
    pub(crate) async fn describe(self, reader: &Reader) -> Result<Option<(SchemaRef, Vec<u32>)>, Failure> {
        let planned = reader
            .session()
            .on_statement_thread(move || self.plan().map(|plan| (schema(plan.columns()), plan.parameters().to_vec())));
        known(planned.await?)
    }

    /// Its rows. `None` if its form is unknown here.
    pub(crate) async fn run(self, values: Vec<ScalarValue>, reader: &Reader) -> Result<Option<RecordBatch>, Failure> {
        let given_up = GivenUp(Arc::default());
        let bounds = Bounds { given_up: Arc::clone(&given_up.0), ..Bounds::default() };
        let run = reader.session().on_statement_thread(move || {
            let plan = self.plan()?;
            let values = values.iter().zip(plan.parameters());
            let values = values.map(|(value, ty)| parameter(&self.catalog, value.try_as_str().flatten(), *ty));
            let values = values.collect::<Result<Vec<_>, _>>()?;
            let rows = plan.run(&self.catalog, &self.session, values, bounds)?;
            encoded(&self.catalog, plan.columns(), &rows)
        });
        let rows = run.await?;
        drop(given_up);
        known(rows)
    }
}

fn known<T>(result: Result<T, CatalogError>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_unknown_form() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
