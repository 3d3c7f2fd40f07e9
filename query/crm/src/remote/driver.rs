//! A driver connects to one kind of database and reads from it.

use crate::error::CrmError;
use crate::remote::dialect::SqlDialect;
use crate::remote::error::DriverError;
use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::common::TableReference;
use std::fmt;
use tokio::sync::mpsc::Sender;

/// A column of a table in the CRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteColumn {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    /// Whether the CRM compares and joins its values as `data_type`. If not, the statement casts them first: a UUID, an
    /// enumeration or JSON is read as text, but the CRM does not compare it as text.
    pub(crate) is_exact: bool,
}

/// Takes the rows of a statement.
pub(crate) type BatchSender = Sender<Result<RecordBatch, CrmError>>;

pub(crate) async fn send(rows: &BatchSender, batch: RecordBatch) -> Result<(), DriverError> {
    rows.send(Ok(batch)).await.map_err(|_| DriverError::Cancelled)
}

/// Connects to one kind of database. Read-only.
#[async_trait]
pub(crate) trait Driver: Send + Sync + fmt::Debug {
    /// The SQL dialect of the database.
    fn dialect(&self) -> SqlDialect;
    /// The columns of `table`, in their order.
    async fn columns(&self, table: &TableReference) -> Result<Vec<RemoteColumn>, DriverError>;
    /// Executes `sql` and sends its rows as batches of `schema`.
    async fn execute(&self, sql: &str, schema: SchemaRef, rows: &BatchSender) -> Result<(), DriverError>;
}

/// `table` as it is quoted in a statement.
pub(crate) fn quoted(table: &TableReference, quote: char) -> String {
    let doubled: String = [quote, quote].iter().collect();
    let parts = [table.catalog(), table.schema(), Some(table.table())];
    let parts = parts.into_iter().flatten().map(|part| format!("{quote}{}{quote}", part.replace(quote, &doubled)));
    parts.collect::<Vec<_>>().join(".")
}
