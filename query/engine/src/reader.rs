//! Somebody who reads, with every look on record.
//!
//! ```text
//! interface ─▶ Authenticator (who is it?) ─▶ Reader ─▶ plan ─▶ record: it begins ─▶ execute ─▶ rows ─▶ record: how it ended
//!                │ refused                               │ cannot be written
//!                └▶ record, and no                       └▶ no answer
//! ```
//!
//! Invariants:
//! - The first row is given away after the record of the look stands. Only statements that show nothing but aggregates of
//!   operational columns may be answered without, and only where the configuration says so.
//! - Statements that read nothing but names (see [`crate::metadata`]) are no looks: they are answered without a record.
//! - A look that began has an end on record also when its rows are dropped half-way, as long as the process lives.

use crate::access_record::{AccessEnd, AccessId, AccessRecord, AuditTrail, AuthenticatedUser, Denial, Outcome};
use crate::error::QueryError;
use crate::session::{Description, Planned, QueryResult, Session};
use crate::trace::StatementTrace;
use crate::{AccessKind, Interface};
use arrow_array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::ScalarValue;
use datafusion::common::config::Dialect;
use futures::stream::{BoxStream, StreamExt};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Bounds of one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Rows of the answer at most; more are an error, never a silent cut.
    pub rows: Option<u64>,
    /// Time until the last row at most.
    pub time: Option<Duration>,
}

/// One statement to be answered.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The statement.
    pub statement: String,
    /// What its placeholders `$1`, `$2`, ... stand for.
    pub parameters: Vec<ScalarValue>,
    /// What it is for, in the user's words.
    pub purpose: Option<String>,
    /// What kind of look it is.
    pub kind: AccessKind,
    /// Its bounds.
    pub limits: Limits,
}

/// What happens when the record of a look cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WithoutRecord {
    /// Nothing is answered.
    #[default]
    Refuse,
    /// Statements that show nothing but aggregates of operational columns are answered.
    AnswerAggregates,
}

/// What a reader may ask for beside statements. A interface looks at it before it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// The built-in reports.
    pub reports: bool,
    /// The timelines of sessions.
    pub timelines: bool,
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self { reports: true, timelines: true };
}

/// Somebody who was let in.
#[derive(Clone)]
pub struct Reader {
    session: Session,
    user: AuthenticatedUser,
    permissions: Permissions,
    audit_trail: Arc<dyn AuditTrail>,
    without_record: WithoutRecord,
}

/// Why somebody is not let in, as they are told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// Who they say they are was not proven.
    #[error("{0}")]
    Credentials(String),
    /// They are known, and may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// There were too many tries.
    #[error("too many failed logins; try again in {} s", .0.as_secs().max(1))]
    TooManyTries(Duration),
    /// Nobody can be let in now.
    #[error("{0}")]
    Unavailable(String),
}

/// Decides who is let in. Refusals are on record when it answers.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// By name and password.
    async fn by_password(
        &self,
        user: &str,
        password: &str,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError>;

    /// By an API token or a token of the OpenID provider.
    async fn by_token(
        &self,
        token: &str,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError>;

    /// The verifier of a user for SCRAM-SHA-256 (RFC 5802, RFC 7677), in the form in which PostgreSQL writes it:
    /// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. One that nothing matches for a user who is not known.
    async fn scram_verifier(&self, user: &str, remote: Option<String>) -> Result<String, AuthenticationError>;

    /// The user of a verifier, when the exchange has succeeded.
    async fn by_scram(&self, user: &str, remote: Option<String>) -> Result<Reader, AuthenticationError>;

    /// Takes note that the exchange with a verifier failed.
    async fn scram_failed(&self, user: &str, remote: Option<String>);
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Reader {
    /// `user`, who reads through `session` and whose looks `audit_trail` writes down.
    pub fn new(
        session: Session,
        user: AuthenticatedUser,
        audit_trail: Arc<dyn AuditTrail>,
        without_record: WithoutRecord,
    ) -> Self {
        Self { session, user, permissions: Permissions::ALL, audit_trail, without_record }
    }

    /// The same, who may ask for less.
    pub fn with_permissions(self, permissions: Permissions) -> Self {
        Self { permissions, ..self }
    }

    /// What may be asked for.
    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// Who it is.
    pub fn user(&self) -> &AuthenticatedUser {
        &self.user
    }

    /// The columns of a statement's answer and the types of its placeholders. Nothing is read, so nothing is recorded.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn describe(&self, statement: &str) -> Result<Description, QueryError> {
        self.session.describe(statement).await
    }

    /// Answers a statement.
    ///
    /// # Errors
    /// See [`QueryError`]. Errors of single rows come through the stream.
    pub async fn query(&self, request: Request) -> Result<QueryResult, QueryError> {
        self.access(request, Dialect::PostgreSQL, None).await
    }

    /// The timeline of the session `id`, as [`crate::timeline`] tells it.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn timeline(&self, id: &str, purpose: Option<String>) -> Result<QueryResult, QueryError> {
        let parameters = vec![ScalarValue::Utf8(Some(id.to_owned()))];
        let statement = crate::timeline::TIMELINE.to_owned();
        let request = Request { statement, parameters, purpose, kind: AccessKind::Viewed, limits: Limits::default() };
        self.access(request, Dialect::Generic, Some(id)).await
    }

    /// Begins a look that is not a statement. It is had when this answers.
    ///
    /// # Errors
    /// [`QueryError::Unrecorded`].
    pub async fn begin(&self, record: AccessRecord) -> Result<AccessInProgress, QueryError> {
        let id = self.audit_trail.begin(&self.user, &record).await.map_err(QueryError::Unrecorded)?;
        let (user, audit_trail) = (self.user.clone(), Arc::clone(&self.audit_trail));
        let (begun, trace) = (Instant::now(), Some(Arc::default()));
        Ok(AccessInProgress(OpenAccess { user, audit_trail, record, id: Some(id), begun, rows: 0, bytes: 0, trace }))
    }

    /// The caller's session, for what belongs to a look that has begun.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Takes note that the user was refused something.
    ///
    /// # Errors
    /// [`QueryError::Unrecorded`].
    pub async fn denied(&self, reason: &str) -> Result<(), QueryError> {
        let AuthenticatedUser { name: user, interface, remote, .. } = self.user.clone();
        let denial = Denial { user, interface, remote, reason: reason.to_owned() };
        self.audit_trail.denied(&denial).await.map_err(QueryError::Unrecorded)
    }

    /// `subject` is whose data it is about, whatever of it is read.
    async fn access(
        &self,
        request: Request,
        dialect: Dialect,
        subject: Option<&str>,
    ) -> Result<QueryResult, QueryError> {
        let Request { statement, parameters, purpose, kind, limits } = request;
        let begun = Instant::now();
        let deadline = limits.time.map(|time| begun + time);
        let recorded = with_parameters(&statement, &parameters);
        let record = AccessRecord { kind, statement: recorded, purpose };
        let plan = self.session.plan(&statement, dialect, parameters);
        let planned = match deadline {
            Some(deadline) => timeout_at(deadline, plan).await.unwrap_or(Err(QueryError::TimedOut)),
            None => plan.await,
        };
        let aggregates_only = planned.as_ref().is_ok_and(|planned| planned.shows_aggregates_only());
        let is_recorded = planned.as_ref().map_or(true, Planned::is_recorded);
        let recorded = if is_recorded { self.audit_trail.begin(&self.user, &record).await.map(Some) } else { Ok(None) };
        let id = match recorded {
            Ok(id) => id,
            Err(error) if aggregates_only && self.without_record == WithoutRecord::AnswerAggregates => {
                tracing::warn!("answering an aggregate without a record: {error}");
                None
            }
            Err(error) => return Err(QueryError::Unrecorded(error)),
        };
        let trace = planned.as_ref().ok().map(|planned| Arc::clone(planned.trace()));
        if let Some(trace) = &trace {
            trace.add_subjects(subject);
        }
        let (user, audit_trail) = (self.user.clone(), Arc::clone(&self.audit_trail));
        // From here on the look has an end on record, whenever it is given up.
        let mut open = OpenAccess { user, audit_trail, record, id, begun, rows: 0, bytes: 0, trace };
        match planned.map(Planned::execute) {
            Ok(QueryResult { schema, batches, notices }) => {
                let batches = Watched { open: Some(open), batches, deadline, most_rows: limits.rows }.stream();
                Ok(QueryResult { schema, batches, notices })
            }
            Err(error) => {
                open.end(Outcome::Failed).await;
                Err(error)
            }
        }
    }
}

/// A statement as it is recorded: what its placeholders stand for is part of what was asked.
fn with_parameters(statement: &str, parameters: &[ScalarValue]) -> String {
    let mut text = statement.to_owned();
    for (index, value) in parameters.iter().enumerate() {
        text.push_str(&format!("\n-- ${} = {value}", index + 1));
    }
    text
}

/// A look that has begun and is not a statement. Dropped without [`AccessInProgress::end`], it ended early.
pub struct AccessInProgress(OpenAccess);

impl fmt::Debug for AccessInProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessInProgress").field("record", &self.0.record).finish_non_exhaustive()
    }
}

impl AccessInProgress {
    /// Ends it: what was given away, and whose.
    pub async fn end<'s>(mut self, rows: u64, bytes: u64, subjects: impl IntoIterator<Item = &'s str>) {
        (self.0.rows, self.0.bytes) = (rows, bytes);
        if let Some(trace) = &self.0.trace {
            trace.add_subjects(subjects);
        }
        self.0.end(Outcome::Complete).await;
    }
}

/// A look that has begun.
struct OpenAccess {
    user: AuthenticatedUser,
    audit_trail: Arc<dyn AuditTrail>,
    record: AccessRecord,
    /// `None` when it goes on without a record, or has ended.
    id: Option<AccessId>,
    begun: Instant,
    rows: u64,
    bytes: u64,
    trace: Option<Arc<StatementTrace>>,
}

impl OpenAccess {
    async fn end(&mut self, outcome: Outcome) {
        let Some(id) = self.id.take() else { return };
        let ending = self.ending(outcome);
        if let Err(error) = self.audit_trail.end(&self.user, &self.record, &id, &ending).await {
            // That it began is on record.
            tracing::warn!("{error}");
        }
    }

    fn ending(&self, outcome: Outcome) -> AccessEnd {
        let subjects = self.trace.as_ref().map_or(crate::Subjects::Of(Vec::new()), |trace| trace.subjects());
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

/// Rows on their way, counted, bounded and with an end on record.
struct Watched {
    open: Option<OpenAccess>,
    batches: BoxStream<'static, Result<RecordBatch, QueryError>>,
    deadline: Option<Instant>,
    most_rows: Option<u64>,
}

impl Watched {
    fn stream(self) -> BoxStream<'static, Result<RecordBatch, QueryError>> {
        futures::stream::unfold(self, |mut watched| async move {
            let next = watched.next().await?;
            Some((next, watched))
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
        let next = match (next, self.most_rows) {
            (Some(Ok(batch)), Some(most)) if open.rows + batch.num_rows() as u64 > most => {
                Some(Err(QueryError::TooManyRows { most }))
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
                // What still runs is ended before its end is written down.
                self.batches = futures::stream::empty().boxed();
                open.end(outcome).await;
                self.open = None;
            }
        }
        next
    }
}
