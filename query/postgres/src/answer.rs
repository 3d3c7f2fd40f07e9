//! One statement's answer: asked for, and its rows sent as they come.
//!
//! Invariants:
//! - Rows are never gathered: a batch is written down and sent before the next is asked for.
//! - Whatever waits here ends at once when the client cancels or goes away, or when the server must stop; the rows that
//!   were still to come are dropped with it.

use crate::rows::Columns;
use crate::sqlstate::Failure;
use crate::wire::{Broken, Wire};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use futures::stream::{BoxStream, StreamExt};
use holdfast_query::QueryError;
use std::fmt;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Why something did not come to its end.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The client is told.
    Failed(Failure),
    /// The connection is over.
    Over(Broken),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<QueryError> for Ended {
    fn from(error: QueryError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Broken> for Ended {
    fn from(broken: Broken) -> Self {
        Self::Over(broken)
    }
}

/// What ends a statement before its time.
#[derive(Debug, Clone)]
pub(crate) struct Interruption {
    /// The client cancels it.
    pub(crate) cancelled: CancellationToken,
    /// The server waits no longer.
    pub(crate) killed: CancellationToken,
}

impl Interruption {
    /// The result of `work`, unless it is ended before.
    pub(crate) async fn or<T>(&self, wire: &mut Wire, work: impl Future<Output = T>) -> Result<T, Ended> {
        tokio::select! {
            biased;
            () = self.cancelled.cancelled() => Err(Failure::cancelled().into()),
            () = self.killed.cancelled() => Err(Failure::shutdown().into()),
            done = work => Ok(done),
            broken = wire.gone() => Err(broken.into()),
        }
    }
}

/// An answer, of which a part may have been sent.
pub(crate) struct Answer {
    pub(crate) schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
    /// What is left of the batch that was sent last.
    left: Option<RecordBatch>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// How far an answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) rows: u64,
    pub(crate) is_finished: bool,
}

impl Answer {
    pub(crate) fn new(schema: SchemaRef, batches: BoxStream<'static, Result<RecordBatch, QueryError>>) -> Self {
        Self { schema, batches, left: None }
    }

    /// Rows of texts, which are there already.
    pub(crate) fn of_texts(names: &[&str], rows: Vec<Vec<String>>) -> Result<Self, Failure> {
        let schema = schema_of_texts(names);
        let columns = (0..names.len())
            .map(|column| Arc::new(StringArray::from_iter(rows.iter().map(|row| row.get(column)))) as ArrayRef);
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect());
        let batch = batch.map_err(|error| Failure::new("XX000", error.to_string()))?;
        Ok(Self { schema, batches: futures::stream::empty().boxed(), left: Some(batch) })
    }

    /// Sends rows as `columns` were described, at most `most` of them.
    pub(crate) async fn send(
        &mut self,
        wire: &mut Wire,
        columns: &Columns,
        most: Option<u64>,
        interruption: &Interruption,
    ) -> Result<Sent, Ended> {
        let mut sent = 0;
        loop {
            if let Some(batch) = self.left.take() {
                let mut rows = columns.rows(&batch)?;
                while let Some(row) = rows.next() {
                    wire.put(PgWireBackendMessage::DataRow(row?)).await?;
                    sent += 1;
                    if most.is_some_and(|most| sent >= most) {
                        let left = rows.left();
                        self.left = Some(batch.slice(batch.num_rows() - left, left));
                        return Ok(Sent { rows: sent, is_finished: false });
                    }
                }
            }
            match interruption.or(wire, self.batches.next()).await? {
                Some(batch) => self.left = Some(batch?),
                None => return Ok(Sent { rows: sent, is_finished: true }),
            }
        }
    }
}

/// Columns of text.
pub(crate) fn schema_of_texts(names: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>()))
}
