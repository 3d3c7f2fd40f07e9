//! The result of one statement: its rows are sent as they are computed.
//!
//! Invariants:
//! - Rows are never collected: a batch is encoded and sent before the next one is requested.
//! - Every wait ends at once when the client cancels or disconnects, or when the server must stop. The rest of the rows is
//!   dropped.

use crate::sqlstate::Failure;
use crate::values::Columns;
use crate::wire::{Wire, WireError};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use futures::stream::{BoxStream, StreamExt};
use holdfast_query::QueryError;
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Why a command failed or a session ended.
#[derive(Debug)]
pub(crate) enum SessionError {
    /// The command failed. The client receives the error.
    Failed(Failure),
    /// The connection ended.
    Connection(WireError),
}

impl From<Failure> for SessionError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<QueryError> for SessionError {
    fn from(error: QueryError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<WireError> for SessionError {
    fn from(error: WireError) -> Self {
        Self::Connection(error)
    }
}

/// What interrupts a statement.
#[derive(Debug, Clone)]
pub(crate) struct Interruption {
    /// The client cancels the statement.
    pub(crate) cancelled: CancellationToken,
    /// The server stops waiting for statements.
    pub(crate) killed: CancellationToken,
}

impl Interruption {
    /// The result of `work`, unless it is interrupted or the client disconnects.
    pub(crate) async fn or<T>(&self, wire: &mut Wire, work: impl Future<Output = T>) -> Result<T, SessionError> {
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => Err(Failure::cancelled().into()),
            () = self.killed.cancelled() => Err(Failure::shutdown().into()),
            done = work => Ok(done),
            error = wire.disconnected() => Err(error.into()),
        }
    }
}

/// The rows of a result that are not sent yet.
pub(crate) struct ResultRows {
    pub(crate) schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
    /// The unsent rows of the current batch.
    rest: Option<RecordBatch>,
}

impl fmt::Debug for ResultRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultRows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// The progress of sending rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) rows: u64,
    pub(crate) is_finished: bool,
}

impl ResultRows {
    pub(crate) fn new(schema: SchemaRef, batches: BoxStream<'static, Result<RecordBatch, QueryError>>) -> Self {
        Self { schema, batches, rest: None }
    }

    /// Rows of texts in memory.
    pub(crate) fn of_texts(names: &[&str], rows: Vec<Vec<String>>) -> Result<Self, Failure> {
        let schema = schema_of_texts(names);
        let columns = (0..names.len())
            .map(|column| Arc::new(StringArray::from_iter(rows.iter().map(|row| row.get(column)))) as ArrayRef);
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect());
        let batch = batch.map_err(|error| Failure::new("XX000", error.to_string()))?;
        Ok(Self { schema, batches: futures::stream::empty().boxed(), rest: Some(batch) })
    }

    /// Sends at most `max_rows` rows in the form of `columns`.
    pub(crate) async fn send(
        &mut self,
        wire: &mut Wire,
        columns: &Columns,
        max_rows: Option<u64>,
        interruption: &Interruption,
    ) -> Result<Sent, SessionError> {
        let mut sent = 0;
        loop {
            if let Some(batch) = self.rest.take() {
                let mut rows = columns.rows(&batch)?;
                while let Some(row) = rows.next() {
                    wire.put(PgWireBackendMessage::DataRow(row?)).await?;
                    sent += 1;
                    if max_rows.is_some_and(|max_rows| sent >= max_rows) {
                        let rest = rows.remaining();
                        self.rest = Some(batch.slice(batch.num_rows() - rest, rest));
                        return Ok(Sent { rows: sent, is_finished: false });
                    }
                }
            }
            match interruption.or(wire, self.batches.next()).await? {
                Some(batch) => self.rest = Some(batch?),
                None => return Ok(Sent { rows: sent, is_finished: true }),
            }
        }
    }
}

/// A schema of text columns.
pub(crate) fn schema_of_texts(names: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>()))
}
