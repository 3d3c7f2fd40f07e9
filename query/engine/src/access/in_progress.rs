//! Accesses that have begun, until their end is recorded.

use super::record::{AccessEnd, AccessId, AccessRecord, AuditTrail, AuthenticatedUser, Outcome};
use crate::error::{QueryError, Unrecorded};
use crate::scan::{StatementTrace, Subjects};
use arrow_array::RecordBatch;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{BoxStream, StreamExt};
use std::fmt;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// An access that has begun and is not a statement. Dropping it without [`AccessInProgress::end`] records it as
/// cancelled.
pub struct AccessInProgress(OpenAccess);

impl fmt::Debug for AccessInProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessInProgress").field("recorded", &self.0.recorded).finish_non_exhaustive()
    }
}

impl AccessInProgress {
    pub(super) fn new(open: OpenAccess) -> Self {
        Self(open)
    }

    /// Ends the access, with the rows and bytes that were returned and the subjects that they are of.
    pub async fn end<'s>(mut self, rows: u64, bytes: u64, subjects: impl IntoIterator<Item = &'s str>) {
        (self.0.rows, self.0.bytes) = (rows, bytes);
        if let Some(trace) = &self.0.trace {
            trace.add_subjects(subjects);
        }
        self.0.end(Outcome::Complete).await;
    }
}

/// An access that has begun.
pub(super) struct OpenAccess {
    user: AuthenticatedUser,
    audit_trail: Arc<dyn AuditTrail>,
    /// `None` if the access continues without a record, or has ended.
    recorded: Option<(AccessId, AccessRecord)>,
    begun: Instant,
    rows: u64,
    bytes: u64,
    /// `None` if the statement could not be planned.
    trace: Option<Arc<StatementTrace>>,
}

impl OpenAccess {
    /// An access that began at `begun` and continues without a record.
    pub(super) fn without_record(
        user: AuthenticatedUser,
        audit_trail: Arc<dyn AuditTrail>,
        begun: Instant,
        trace: Option<Arc<StatementTrace>>,
    ) -> Self {
        Self { user, audit_trail, recorded: None, begun, rows: 0, bytes: 0, trace }
    }

    /// Records the beginning of an access. If the caller stops waiting, the record is still written, and then that the
    /// access was cancelled.
    pub(super) async fn record(mut self, record: AccessRecord) -> Result<Self, Unrecorded> {
        let recording = tokio::spawn(async move {
            let id = self.audit_trail.begin(&self.user, &record).await?;
            self.recorded = Some((id, record));
            Ok::<_, Unrecorded>(self)
        });
        recording.await.unwrap_or_else(|error| Err(Unrecorded(error.to_string())))
    }

    /// Records the end, also if the caller stops waiting.
    pub(super) async fn end(&mut self, outcome: Outcome) {
        if let Some(recording) = self.recording_of_end(outcome)
            && let Err(error) = tokio::spawn(recording).await
        {
            tracing::warn!("{error}");
        }
    }

    /// Records the end. `None` if there is nothing to record, or it is recorded.
    fn recording_of_end(&mut self, outcome: Outcome) -> Option<BoxFuture<'static, ()>> {
        let (id, record) = self.recorded.take()?;
        let subjects = self.trace.as_ref().map_or(Subjects::Of(Vec::new()), |trace| trace.subjects());
        let ending =
            AccessEnd { rows: self.rows, bytes: self.bytes, duration: self.begun.elapsed(), outcome, subjects };
        let (user, audit_trail) = (self.user.clone(), Arc::clone(&self.audit_trail));
        let recording = async move {
            if let Err(error) = audit_trail.end(&user, &record, &id, &ending).await {
                // The beginning is recorded.
                tracing::warn!("{error}");
            }
        };
        Some(recording.boxed())
    }
}

impl Drop for OpenAccess {
    fn drop(&mut self) {
        let Some(recording) = self.recording_of_end(Outcome::Cancelled) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(recording);
        }
    }
}

/// The rows of an access: counted, bounded, and their end recorded.
pub(super) struct RecordedRows {
    /// `None` when the end is recorded.
    pub(super) open: Option<OpenAccess>,
    pub(super) batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
    pub(super) deadline: Option<Instant>,
    pub(super) max_rows: Option<u64>,
}

impl RecordedRows {
    pub(super) fn stream(self) -> BoxStream<'static, Result<RecordBatch, QueryError>> {
        futures::stream::unfold(self, |mut rows| async move {
            let next = rows.next().await?;
            Some((next, rows))
        })
        .boxed()
    }

    async fn next(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        let open = self.open.as_mut()?;
        let next = match self.deadline {
            Some(deadline) => {
                timeout_at(deadline, self.batches.next()).await.unwrap_or(Some(Err(QueryError::TimedOut)))
            }
            None => self.batches.next().await,
        };
        let next = match (next, self.max_rows) {
            // It was computed in time, and is requested too late.
            (Some(Ok(_)), _) if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) => {
                Some(Err(QueryError::TimedOut))
            }
            (Some(Ok(batch)), Some(limit)) if open.rows + batch.num_rows() as u64 > limit => {
                Some(Err(QueryError::TooManyRows { limit }))
            }
            (next, _) => next,
        };
        match &next {
            Some(Ok(batch)) => {
                open.rows += batch.num_rows() as u64;
                open.bytes += batch.get_array_memory_size() as u64;
            }
            Some(Err(_)) | None => {
                let outcome = if next.is_none() { Outcome::Complete } else { Outcome::Failed };
                // Stops the execution before its end is recorded.
                self.batches = futures::stream::empty().boxed();
                open.end(outcome).await;
                self.open = None;
            }
        }
        next
    }
}
