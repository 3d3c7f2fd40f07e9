//! An authenticated user who reads the archive.
//!
//! Invariants:
//! - Access is recorded before it is granted: the first row is returned after the record of its access is stored, with the
//!   whole statement and what the plan may read. What the record does not hold is refused before it is planned. Only
//!   statements that show nothing but aggregates of operational columns may run without a record, and only if the
//!   configuration allows it.
//! - Statements that read catalog metadata only are no access, and are not recorded.
//! - An access that has begun has a recorded end even if its rows are dropped, as long as the process lives.

use super::account::{Account, AccountChanged};
use super::in_progress::{AccessInProgress, OpenAccess, RecordedRows};
use super::record::{AccessKind, AccessRecord, AuditTrail, AuthenticatedUser, Denial, Outcome};
use super::recorded_text::{check_purpose, recorded_statement};
use crate::engine::{Description, Planned, QueryResult, Session, TIMELINE};
use crate::error::QueryError;
use crate::scan::StatementTrace;
use arrow_schema::FieldRef;
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
    /// Whether many ask the same, as of reports. Then its answer, if it is small and depends on the archive alone, is
    /// computed once for all with the same keys and visibility, until the archive changes. Each access is recorded.
    pub is_asked_often: bool,
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
    /// `None` if the user has no account: a command on the machine that holds the keys.
    account: Option<Arc<dyn Account>>,
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
        let session = session.for_user(&user.name);
        Self { session, user, permissions: Permissions::ALL, account: None, audit_trail, without_record }
    }

    /// The same user with other permissions.
    pub fn with_permissions(self, permissions: Permissions) -> Self {
        Self { permissions, ..self }
    }

    /// The same user, with the account that the user was authenticated with.
    pub fn with_account(self, account: Arc<dyn Account>) -> Self {
        Self { account: Some(account), ..self }
    }

    /// Whether the user's account is as it was when the user was authenticated. An interface asks before each statement
    /// and while one runs.
    ///
    /// # Errors
    /// [`AccountChanged`]. The interface records it with [`Reader::denied`] and ends the connection.
    pub fn check_account(&self) -> Result<(), AccountChanged> {
        self.account.as_ref().map_or(Ok(()), |account| account.check())
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

    /// As [`Reader::describe`], with the types of those placeholders `$1`, `$2`, ... whose types the caller knows.
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn describe_with(
        &self,
        statement: &str,
        known: Vec<Option<FieldRef>>,
    ) -> Result<Description, QueryError> {
        self.session.describe_with(statement, known).await
    }

    /// Executes a statement.
    ///
    /// # Errors
    /// See [`QueryError`]. Errors of single rows come through the stream.
    pub async fn query(&self, request: Request) -> Result<QueryResult, QueryError> {
        self.access(request, Dialect::PostgreSQL, None).await
    }

    /// The time line of the session `id`, within `limits`; see [`crate::timeline`].
    ///
    /// # Errors
    /// See [`QueryError`].
    pub async fn timeline(&self, id: &str, purpose: Option<String>, limits: Limits) -> Result<QueryResult, QueryError> {
        let parameters = vec![ScalarValue::Utf8(Some(id.to_owned()))];
        let statement = TIMELINE.to_owned();
        let request =
            Request { statement, parameters, purpose, kind: AccessKind::Viewed, limits, is_asked_often: false };
        self.access(request, Dialect::Generic, Some(id)).await
    }

    /// Begins an access that is not a statement. It is granted when this returns.
    ///
    /// # Errors
    /// [`QueryError::NotRecordable`] and [`QueryError::Unrecorded`].
    pub async fn begin(&self, record: AccessRecord) -> Result<AccessInProgress, QueryError> {
        check_purpose(record.purpose.as_deref())?;
        let record = AccessRecord { statement: recorded_statement(&record.statement, &[])?, ..record };
        let trace = StatementTrace::default();
        // If it is dropped, it may have read what the record names.
        trace.add_subjects(record.reads.subjects.iter().map(String::as_str));
        let open = self.open(Instant::now(), Some(Arc::new(trace)));
        Ok(AccessInProgress::new(open.record(record).await.map_err(QueryError::Unrecorded)?))
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
        let Request { statement, parameters, purpose, kind, limits, is_asked_often } = request;
        let begun = Instant::now();
        let deadline = limits.time.map(|time| begun + time);
        check_purpose(purpose.as_deref())?;
        let recorded = recorded_statement(&statement, &parameters)?;
        let plan = self.session.plan(&statement, dialect, parameters);
        let planned = match deadline {
            Some(deadline) => timeout_at(deadline, plan).await.unwrap_or(Err(QueryError::TimedOut)),
            None => plan.await,
        };
        let planned = planned.map(|planned| if is_asked_often { planned.with_kept_answer() } else { planned });
        let aggregates_only = planned.as_ref().is_ok_and(|planned| planned.shows_aggregates_only());
        let is_recorded = planned.as_ref().map_or(true, Planned::is_recorded);
        let trace = planned.as_ref().ok().map(|planned| Arc::clone(planned.trace()));
        let reads = trace.as_ref().map(|trace| trace.reads()).unwrap_or_default();
        let record = AccessRecord { kind, statement: recorded, purpose, reads };
        // From here on the end of an access whose beginning is recorded is recorded, whenever this is dropped.
        let open = self.open(begun, trace.clone());
        let opened = if is_recorded { open.record(record).await } else { Ok(open) };
        let mut open = match opened {
            Ok(open) => open,
            Err(error) if aggregates_only && self.without_record == WithoutRecord::AnswerAggregates => {
                tracing::warn!("executing an aggregate without a record: {error}");
                self.open(begun, trace.clone())
            }
            Err(error) => return Err(QueryError::Unrecorded(error)),
        };
        if let Some(trace) = &trace {
            trace.add_subjects(subject);
        }
        match planned.map(|planned| planned.execute(deadline)) {
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

    /// An access whose beginning is not recorded yet.
    fn open(&self, begun: Instant, trace: Option<Arc<StatementTrace>>) -> OpenAccess {
        OpenAccess::without_record(self.user.clone(), Arc::clone(&self.audit_trail), begun, trace)
    }
}
