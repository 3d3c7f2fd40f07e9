//! Accesses that have begun, until their end is recorded.

use super::record::{AccessEnd, AccessId, AccessRecord, AuditTrail, AuthenticatedUser, Outcome};
use crate::error::QueryError;
use crate::scan::{StatementTrace, Subjects};
use arrow_array::RecordBatch;
use futures::stream::{BoxStream, StreamExt};
use std::fmt;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// An access that has begun and is not a statement. Dropping it without [`AccessInProgress::end`] records it as
/// cancelled.
pub struct AccessInProgress(OpenAccess);

impl fmt::Debug for AccessInProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessInProgress").field("record", &self.0.record).finish_non_exhaustive()
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
    record: AccessRecord,
    /// `None` if the access continues without a record, or has ended.
    id: Option<AccessId>,
    begun: Instant,
    rows: u64,
    bytes: u64,
    /// `None` if the statement could not be planned.
    trace: Option<Arc<StatementTrace>>,
}

impl OpenAccess {
    /// An access that began at `begun`. `id` is the id of its record.
    pub(super) fn new(
        user: AuthenticatedUser,
        audit_trail: Arc<dyn AuditTrail>,
        record: AccessRecord,
        id: Option<AccessId>,
        begun: Instant,
        trace: Option<Arc<StatementTrace>>,
    ) -> Self {
        Self { user, audit_trail, record, id, begun, rows: 0, bytes: 0, trace }
    }

    pub(super) async fn end(&mut self, outcome: Outcome) {
        let Some(id) = self.id.take() else { return };
        let ending = self.ending(outcome);
        if let Err(error) = self.audit_trail.end(&self.user, &self.record, &id, &ending).await {
            // The beginning is recorded.
            tracing::warn!("{error}");
        }
    }

    fn ending(&self, outcome: Outcome) -> AccessEnd {
        let subjects = self.trace.as_ref().map_or(Subjects::Of(Vec::new()), |trace| trace.subjects());
        AccessEnd { rows: self.rows, bytes: self.bytes, duration: self.begun.elapsed(), outcome, subjects }
    }
}

impl Drop for OpenAccess {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let ending = self.ending(Outcome::Cancelled);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (user, record, audit_trail) = (self.user.clone(), self.record.clone(), Arc::clone(&self.audit_trail));
        runtime.spawn(async move {
            if let Err(error) = audit_trail.end(&user, &record, &id, &ending).await {
                tracing::warn!("{error}");
            }
        });
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
