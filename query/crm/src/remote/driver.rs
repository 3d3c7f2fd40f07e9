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

/// A statement as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RemoteStatement {
    /// The text. It has a marker `?` for each of `values`, in their order.
    pub(crate) sql: String,
    /// Empty if the driver does not bind values; they are in the text then.
    pub(crate) values: Vec<BoundValue>,
}

/// A value that is bound to a marker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum BoundValue {
    /// A text; also a date or a time, which the statement casts.
    Text(String),
    Integer(i64),
    /// A number with `precision` digits, `scale` of them after the point.
    Decimal {
        digits: String,
        precision: u8,
        scale: u8,
    },
    Float(f64),
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
    /// Whether values are bound to markers. A driver does not need it if its sessions read a literal as this crate writes it.
    fn binds_values(&self) -> bool {
        false
    }
    /// The columns of `table`, in their order.
    async fn columns(&self, table: &TableReference) -> Result<Vec<RemoteColumn>, DriverError>;
    /// Executes `statement` and sends its rows as batches of `schema`.
    async fn execute(
        &self,
        statement: &RemoteStatement,
        schema: SchemaRef,
        rows: &BatchSender,
    ) -> Result<(), DriverError>;
}

/// `table` as it is quoted in a statement.
pub(crate) fn quoted(table: &TableReference, quote: char) -> String {
    let doubled: String = [quote, quote].iter().collect();
    let parts = [table.catalog(), table.schema(), Some(table.table())];
    let parts = parts.into_iter().flatten().map(|part| format!("{quote}{}{quote}", part.replace(quote, &doubled)));
    parts.collect::<Vec<_>>().join(".")
}
