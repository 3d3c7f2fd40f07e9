//! The SQLSTATE of each error. This is the only place that chooses them for errors of the engine and of authentication, but for
//! mistakes of a statement, which have theirs.

use datafusion_postgres::pgwire::error::ErrorInfo;
use holdfast_query::{AuthenticationError, Bound, QueryError, StatementError};

/// An error with its SQLSTATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
    /// The place in the statement, in characters from 1.
    pub(crate) position: Option<usize>,
    /// Whether it ends the connection.
    pub(crate) is_fatal: bool,
}

impl Failure {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), detail: None, hint: None, position: None, is_fatal: false }
    }

    pub(crate) fn fatal(code: &'static str, message: impl Into<String>) -> Self {
        Self { is_fatal: true, ..Self::new(code, message) }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The statement would change something.
    pub(crate) fn read_only(what: &str) -> Self {
        Self::new("25006", format!("the archive is read-only: {what} is refused"))
            .hint("use SELECT, EXPLAIN, SHOW or DESCRIBE")
    }

    /// The server does not support it.
    pub(crate) fn unsupported(what: &str) -> Self {
        Self::new("0A000", format!("{what} is not supported"))
    }

    pub(crate) fn syntax(message: impl Into<String>) -> Self {
        Self::new("42601", message)
    }

    pub(crate) fn protocol(message: impl Into<String>) -> Self {
        Self::fatal("08P01", message)
    }

    pub(crate) fn cancelled() -> Self {
        Self::new("57014", "canceling statement due to user request")
    }

    pub(crate) fn shutdown() -> Self {
        Self::fatal("57P01", "terminating connection because the server is stopping")
    }

    /// The error as a client receives it.
    pub(crate) fn info(&self) -> ErrorInfo {
        let severity = if self.is_fatal { "FATAL" } else { "ERROR" };
        let mut info = info(severity, self.code, self.message.clone(), self.hint.clone());
        info.detail = self.detail.clone();
        info.position = self.position.map(|position| position.to_string());
        info
    }
}

/// A warning, sent as a notice.
pub(crate) fn warning(message: String) -> ErrorInfo {
    warning_of("01000", message)
}

/// A warning with its SQLSTATE.
pub(crate) fn warning_of(code: &str, message: String) -> ErrorInfo {
    info("WARNING", code, message, None)
}

fn info(severity: &str, code: &str, message: String, hint: Option<String>) -> ErrorInfo {
    let mut info = ErrorInfo::new(severity.to_owned(), code.to_owned(), message);
    info.severity_nonlocalized = Some(severity.to_owned());
    info.hint = hint;
    info
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        let code = match &error {
            QueryError::Statement(error) => return (**error).clone().into(),
            QueryError::Bound(bound) => return (*bound).into(),
            QueryError::Withheld { .. } | QueryError::NoKey { .. } => "42501",
            QueryError::ReadOnly(_) => "25006",
            QueryError::Memory { .. } | QueryError::OutOfMemory { .. } => "53200",
            QueryError::TimedOut => "57014",
            QueryError::TooManyRows { .. } | QueryError::NotRecordable { .. } | QueryError::Function { .. } => "54000",
            QueryError::Unrecorded(_) | QueryError::Archive(_) | QueryError::Sessions(_) => "58030",
            QueryError::File { .. } => "XX001",
            QueryError::Internal(_) => "XX000",
        };
        Self::new(code, error.to_string())
    }
}

impl From<Bound> for Failure {
    fn from(bound: Bound) -> Self {
        let code = match bound {
            Bound::Bytes | Bound::Tokens | Bound::Constants => "54000",
            Bound::Nesting
            | Bound::Calls
            | Bound::Depth
            | Bound::Operators
            | Bound::Conjunctions
            | Bound::SetOperations
            | Bound::Relations
            | Bound::GroupingSets => "54001",
            Bound::Columns => "54011",
            Bound::Parameters => "54023",
        };
        Self::new(code, bound.to_string())
    }
}

impl From<&AuthenticationError> for Failure {
    fn from(refused: &AuthenticationError) -> Self {
        match refused {
            // The message is the same for unknown users, so that it does not reveal which users exist.
            AuthenticationError::Credentials(_) => Self::fatal("28P01", "password authentication failed"),
            AuthenticationError::Forbidden(why) => Self::fatal("28000", why.clone()),
            AuthenticationError::TooManyTries(_) => Self::fatal("28000", refused.to_string()),
            AuthenticationError::Unavailable(why) => Self::fatal("57P03", why.clone()),
        }
    }
}

/// What to do about a table that does not exist, if no other name is like it.
const LIST_TABLES: &str =
    "psql lists the tables and views with \\dt and \\dv; a name without a schema is in the schema archive";

impl From<StatementError> for Failure {
    fn from(error: StatementError) -> Self {
        let is_relation = error.state == "42P01" && error.message.starts_with("relation");
        let hint = error.hint.or_else(|| is_relation.then(|| LIST_TABLES.to_owned()));
        let StatementError { state: code, message, detail, position, .. } = error;
        Self { code, message, detail, hint, position, is_fatal: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn errors_of_the_reader_have_their_sqlstate() {
        for (error, code) in [
            (QueryError::ReadOnly("DROP".into()), "25006"),
            (QueryError::TimedOut, "57014"),
            (QueryError::TooManyRows { limit: 1 }, "54000"),
            (QueryError::Bound(Bound::Bytes), "54000"),
            (QueryError::Bound(Bound::Depth), "54001"),
            (QueryError::Bound(Bound::Columns), "54011"),
            (QueryError::Bound(Bound::Parameters), "54023"),
            (QueryError::Function { function: "repeat".into(), what: String::new(), what_to_do: "" }, "54000"),
            (QueryError::Internal(String::new()), "XX000"),
            (QueryError::NotRecordable { what: "the purpose", limit_kib: 1 }, "54000"),
            (QueryError::Memory { limit_mib: 1, what: String::new() }, "53200"),
            (QueryError::OutOfMemory { held_mib: 1 }, "53200"),
            (QueryError::NoKey { class: "general".into(), month: "2026-05".into() }, "42501"),
            (StatementError::new("22007", "no date").into(), "22007"),
        ] {
            assert_eq!(Failure::from(error).code, code);
        }
    }

    #[test]
    fn an_error_of_a_statement_keeps_all_that_it_says() {
        let mut error = StatementError::new("42703", "no column").detail("a detail").hint("a hint");
        error.position = Some(8);
        let info = Failure::from(QueryError::from(error)).info();
        assert_eq!((info.code.as_str(), info.message.as_str()), ("42703", "no column"));
        assert_eq!((info.detail.as_deref(), info.hint.as_deref()), (Some("a detail"), Some("a hint")));
        assert_eq!(info.position.as_deref(), Some("8"));
        let missing = || StatementError::new("42P01", "relation \"x\" does not exist");
        assert_eq!(Failure::from(missing().hint("a hint")).hint.as_deref(), Some("a hint"));
        assert_eq!(Failure::from(missing()).hint.as_deref(), Some(LIST_TABLES));
    }

    #[test]
    fn an_unknown_user_and_a_wrong_password_have_the_same_error() {
        let failure = |why: &str| Failure::from(&AuthenticationError::Credentials(why.into()));
        assert_eq!(failure("no such user"), failure("wrong password"));
        assert_eq!(Failure::from(&AuthenticationError::TooManyTries(Duration::from_secs(9))).code, "28000");
    }
}
