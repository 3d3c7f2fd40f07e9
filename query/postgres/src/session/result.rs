//! The result of one statement: its rows are sent as they are computed.
//!
//! Invariants:
//! - Rows are never collected: a batch is encoded and sent before the next one is requested.
//! - When a client has fetched the last row, the end of the result is known, so the end of the access is on record.
//! - At the deadline of its statement a result ends and returns its memory, also while the client asks for nothing.
//! - Every wait ends at once when the client cancels or disconnects, or when the server must stop, and within half a second
//!   when the account of the user changes. The rest of the rows is dropped.

use crate::sqlstate::Failure;
use crate::values::Columns;
use crate::wire::{Wire, WireError};
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use futures::stream::{BoxStream, StreamExt};
use holdfast_query::{AccountChanged, QueryError, Reader};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often a running statement asks whether the account of its user changed.
const ACCOUNT_CHECK_INTERVAL: Duration = Duration::from_millis(500);

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
    /// The account of the user changes.
    pub(crate) account: Arc<AccountWatch>,
}

/// Watches the account of a user while a statement runs.
#[derive(Debug)]
pub(crate) struct AccountWatch {
    reader: Reader,
    next_check: Mutex<Instant>,
}

impl AccountWatch {
    /// A watch that checks for the first time after an interval.
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, next_check: Mutex::new(Instant::now() + ACCOUNT_CHECK_INTERVAL) }
    }

    /// Waits until the account is not as it was at the login.
    async fn changed(&self) -> AccountChanged {
        loop {
            let next_check = *self.next_check.lock().unwrap_or_else(PoisonError::into_inner);
            tokio::time::sleep_until(next_check).await;
            if let Err(changed) = self.reader.check_account() {
                return changed;
            }
            let following = Instant::now() + ACCOUNT_CHECK_INTERVAL;
            *self.next_check.lock().unwrap_or_else(PoisonError::into_inner) = following;
        }
    }
}

/// Records that a user's account changed. The failure ends the connection, so that the client logs in anew.
pub(crate) async fn refuse(reader: &Reader, changed: &AccountChanged) -> Failure {
    if let Err(error) = reader.denied(&changed.reason).await {
        tracing::warn!("a refusal was not recorded: {error}");
    }
    Failure::fatal("57P01", format!("terminating connection: {changed}"))
}

impl Interruption {
    /// The result of `work`, unless it is interrupted or the client disconnects.
    pub(crate) async fn or<T>(&self, wire: &mut Wire, work: impl Future<Output = T>) -> Result<T, SessionError> {
        let changed = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => return Err(Failure::cancelled().into()),
            () = self.killed.cancelled() => return Err(Failure::shutdown().into()),
            changed = self.account.changed() => changed,
            done = work => return Ok(done),
            error = wire.disconnected() => return Err(error.into()),
        };
        Err(refuse(&self.account.reader, &changed).await.into())
    }

    /// Sends the buffered messages, unless it is interrupted. So a client that reads slowly, or not at all, keeps no
    /// statement.
    pub(crate) async fn flush(&self, wire: &mut Wire) -> Result<(), SessionError> {
        let changed = tokio::select! {
            biased;
            () = self.cancelled.cancelled() => return Err(Failure::cancelled().into()),
            () = self.killed.cancelled() => return Err(Failure::shutdown().into()),
            changed = self.account.changed() => changed,
            flushed = wire.flush() => return Ok(flushed?),
        };
        Err(refuse(&self.account.reader, &changed).await.into())
    }
}

/// The rows of a result that are not sent yet.
pub(crate) struct ResultRows {
    pub(crate) schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
    /// The unsent rows of the current batch.
    rest: Option<RecordBatch>,
    /// Why there are no more rows, if it became known when no row was requested.
    failure: Option<QueryError>,
    /// When the statement must have ended. `None` if it has.
    deadline: Option<Instant>,
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
    pub(crate) fn new(
        schema: SchemaRef,
        batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
        deadline: Instant,
    ) -> Self {
        Self { schema, batches, rest: None, failure: None, deadline: Some(deadline) }
    }

    /// Rows of texts in memory.
    pub(crate) fn of_texts(names: &[&str], rows: Vec<Vec<String>>) -> Result<Self, Failure> {
        let schema = schema_of_texts(names);
        let columns = (0..names.len())
            .map(|column| Arc::new(StringArray::from_iter(rows.iter().map(|row| row.get(column)))) as ArrayRef);
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns.collect());
        let batch = batch.map_err(|error| Failure::new("XX000", error.to_string()))?;
        let batches = futures::stream::empty().boxed();
        Ok(Self { schema, batches, rest: Some(batch), failure: None, deadline: None })
    }

    /// Rows of the catalog in memory.
    pub(crate) fn of_batch(batch: RecordBatch) -> Self {
        let batches = futures::stream::empty().boxed();
        let rest = (batch.num_rows() > 0).then(|| batch.clone());
        Self { schema: batch.schema(), batches, rest, failure: None, deadline: None }
    }

    /// When the statement must have ended. `None` if it has.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Ends the statement at its deadline. If there are rows that were not requested, they are dropped, with those that
    /// were not sent, and the next fetch fails: rows never vanish without an error.
    pub(crate) async fn end_at_deadline(&mut self) {
        self.deadline = None;
        if let Some(next) = self.batches.next().await {
            self.rest = None;
            self.failure = Some(next.err().unwrap_or(QueryError::TimedOut));
        }
        self.batches = futures::stream::empty().boxed();
    }

    /// The bytes of the batch with the rows that are not sent yet.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.rest.as_ref().map_or(0, RecordBatch::get_array_memory_size)
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
                    if wire.buffer(PgWireBackendMessage::DataRow(row?))? {
                        interruption.flush(wire).await?;
                    }
                    sent += 1;
                    if max_rows.is_some_and(|max_rows| sent >= max_rows) {
                        let rest = rows.remaining();
                        self.rest = (rest > 0).then(|| batch.slice(batch.num_rows() - rest, rest));
                        let is_finished = !self.has_more(wire, interruption).await?;
                        return Ok(Sent { rows: sent, is_finished });
                    }
                }
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure.into());
            }
            match interruption.or(wire, self.batches.next()).await? {
                Some(batch) => self.rest = Some(batch?),
                None => return Ok(Sent { rows: sent, is_finished: true }),
            }
        }
    }

    /// Whether rows follow, or a failure that belongs to them. If a fetch ends with a batch, the next batch is requested:
    /// a client that fetches exactly the rows that there are would otherwise leave the access without an end.
    async fn has_more(&mut self, wire: &mut Wire, interruption: &Interruption) -> Result<bool, SessionError> {
        while self.rest.is_none() && self.failure.is_none() {
            match interruption.or(wire, self.batches.next()).await? {
                Some(Ok(batch)) => self.rest = (batch.num_rows() > 0).then_some(batch),
                Some(Err(error)) => self.failure = Some(error),
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// A schema of text columns.
pub(crate) fn schema_of_texts(names: &[&str]) -> SchemaRef {
    Arc::new(Schema::new(names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A result of which a row is not sent, and these batches are not requested.
    fn result(batches: Vec<Result<RecordBatch, QueryError>>) -> ResultRows {
        let unsent = batch();
        let rows = ResultRows::new(unsent.schema(), futures::stream::iter(batches).boxed(), Instant::now());
        ResultRows { rest: Some(unsent), ..rows }
    }

    fn batch() -> RecordBatch {
        let rows: ArrayRef = Arc::new(StringArray::from(vec!["row"]));
        RecordBatch::try_new(schema_of_texts(&["text"]), vec![rows]).unwrap()
    }

    #[tokio::test]
    async fn at_the_deadline_no_row_vanishes_without_an_error() {
        // All rows are computed, and some of them were not requested.
        for batches in [vec![Ok(batch())], vec![Ok(batch()), Ok(batch())], vec![Ok(batch()), Err(QueryError::TimedOut)]]
        {
            let mut rows = result(batches);
            rows.end_at_deadline().await;
            assert!(matches!(rows.failure, Some(QueryError::TimedOut)), "{:?}", rows.failure);
            assert_eq!((rows.unsent_bytes(), rows.deadline()), (0, None));
            assert!(rows.batches.next().await.is_none());
        }
        let mut rows = result(vec![Err(QueryError::OutOfMemory { held_mib: 1 })]);
        rows.end_at_deadline().await;
        assert!(matches!(rows.failure, Some(QueryError::OutOfMemory { .. })) && rows.unsent_bytes() == 0);
        // The rest is all that there is.
        let mut rows = result(Vec::new());
        rows.end_at_deadline().await;
        assert!(rows.failure.is_none() && rows.unsent_bytes() > 0 && rows.deadline().is_none());
    }
}
