//! An authenticated user who reads the archive.
//!
//! Invariants:
//! - Access is recorded before it is granted: the first row is returned after the record of its access is stored. Only
//!   statements that show nothing but aggregates of operational columns may run without a record, and only if the
//!   configuration allows it.
//! - Statements that read catalog metadata only are no access, and are not recorded.
//! - An access that has begun has a recorded end even if its rows are dropped, as long as the process lives.

use super::in_progress::{AccessInProgress, OpenAccess, RecordedRows};
use super::record::{AccessId, AccessKind, AccessRecord, AuditTrail, AuthenticatedUser, Denial, Outcome};
use crate::engine::{Description, Planned, QueryResult, Session, TIMELINE};
use crate::error::QueryError;
use crate::scan::StatementTrace;
use datafusion::common::ScalarValue;
use datafusion::common::config::Dialect;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Limits of one statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Maximum rows of the result. More rows are an error; the result is never truncated silently.
    pub rows: Option<u64>,
    /// Maximum time until the last row.
    pub time: Option<Duration>,
}

/// One statement to execute.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The statement.
    pub statement: String,
    /// The values of its placeholders `$1`, `$2`, ...
    pub parameters: Vec<ScalarValue>,
    /// Its purpose, in the user's words.
    pub purpose: Option<String>,
    /// The kind of access.
    pub kind: AccessKind,
    /// Its limits.
    pub limits: Limits,
}

/// What happens when an access cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WithoutRecord {
    /// No statement runs.
    #[default]
    Refuse,
    /// Statements that show nothing but aggregates of operational columns run.
    AnswerAggregates,
}

/// What a user may request beside statements. The interfaces check it before they make a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// The built-in reports.
    pub reports: bool,
    /// The time lines of sessions.
    pub timelines: bool,
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self { reports: true, timelines: true };
}

/// An authenticated user with a session.
#[derive(Clone)]
pub struct Reader {
    session: Session,
    user: AuthenticatedUser,
    permissions: Permissions,
    audit_trail: Arc<dyn AuditTrail>,
    without_record: WithoutRecord,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Reader {
    /// `user` reads through `session`; each access is recorded in `audit_trail`. The permissions are
    /// [`Permissions::ALL`].
    pub fn new(
        session: Session,
        user: AuthenticatedUser,
        audit_trail: Arc<dyn AuditTrail>,
        without_record: WithoutRecord,
    ) -> Self {
        Self { session, user, permissions: Permissions::ALL, audit_trail, without_record }
    }

    /// The same user with other permissions.
    pub fn with_permissions(self, permissions: Permissions) -> Self {
        Self { permissions, ..self }
    }

    /// What the user may request beside statements.
    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// The user.
    pub fn user(&self) -> &AuthenticatedUser {
        &self.user
    }

    /// The columns of a statement's result and the types of its placeholders. Nothing is read, so nothing is recorded.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn describe(&self, statement: &str) -> Result<Description, QueryError> {
        self.session.describe(statement).await
    }

    /// Executes a statement.
    ///
    /// # Errors
    /// See [`QueryError`]. Errors of single rows come through the stream.
    pub async fn query(&self, request: Request) -> Result<QueryResult, QueryError> {
        self.access(request, Dialect::PostgreSQL, None).await
    }

    /// The time line of the session `id`; see [`crate::timeline`].
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn timeline(&self, id: &str, purpose: Option<String>) -> Result<QueryResult, QueryError> {
        let parameters = vec![ScalarValue::Utf8(Some(id.to_owned()))];
        let statement = TIMELINE.to_owned();
        let request = Request { statement, parameters, purpose, kind: AccessKind::Viewed, limits: Limits::default() };
        self.access(request, Dialect::Generic, Some(id)).await
    }

    /// Begins an access that is not a statement. It is granted when this returns.
    ///
    /// # Errors
    /// [`QueryError::Unrecorded`].
    pub async fn begin(&self, record: AccessRecord) -> Result<AccessInProgress, QueryError> {
        let id = self.audit_trail.begin(&self.user, &record).await.map_err(QueryError::Unrecorded)?;
        Ok(AccessInProgress::new(self.open(record, Some(id), Instant::now(), Some(Arc::default()))))
    }

    /// The user's session, for reads that belong to an access that has begun.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Records that the user was refused something.
    ///
    /// # Errors
    /// [`QueryError::Unrecorded`].
    pub async fn denied(&self, reason: &str) -> Result<(), QueryError> {
        let AuthenticatedUser { name, interface, remote, .. } = self.user.clone();
        let denial = Denial { user: name, interface, remote, reason: reason.to_owned() };
        self.audit_trail.denied(&denial).await.map_err(QueryError::Unrecorded)
    }

    /// Executes a statement. `subject` is recorded as read, whichever of its rows are read.
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
                tracing::warn!("executing an aggregate without a record: {error}");
                None
            }
            Err(error) => return Err(QueryError::Unrecorded(error)),
        };
        let trace = planned.as_ref().ok().map(|planned| Arc::clone(planned.trace()));
        if let Some(trace) = &trace {
            trace.add_subjects(subject);
        }
        // From here on the end of the access is recorded, whenever it is dropped.
        let mut open = self.open(record, id, begun, trace);
        match planned.map(Planned::execute) {
            Ok(QueryResult { schema, batches, notices }) => {
                let batches = RecordedRows { open: Some(open), batches, deadline, max_rows: limits.rows }.stream();
                Ok(QueryResult { schema, batches, notices })
            }
            Err(error) => {
                open.end(Outcome::Failed).await;
                Err(error)
            }
        }
    }

    fn open(
        &self,
        record: AccessRecord,
        id: Option<AccessId>,
        begun: Instant,
        trace: Option<Arc<StatementTrace>>,
    ) -> OpenAccess {
        OpenAccess::new(self.user.clone(), Arc::clone(&self.audit_trail), record, id, begun, trace)
    }
}

/// A statement as it is recorded, with the values of its placeholders.
fn with_parameters(statement: &str, parameters: &[ScalarValue]) -> String {
    let mut text = statement.to_owned();
    for (index, value) in parameters.iter().enumerate() {
        text.push_str(&format!("\n-- ${} = {value}", index + 1));
    }
    text
}
