//! The SQLSTATE of each error. This is the only place that chooses them for errors of the engine and of authentication.

use datafusion_postgres::pgwire::error::ErrorInfo;
use holdfast_query::{AuthenticationError, Bound, QueryError};

/// An error with its SQLSTATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    /// Whether it ends the connection.
    pub(crate) is_fatal: bool,
}

impl Failure {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, is_fatal: false }
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
        info(severity, self.code, self.message.clone(), self.hint.clone())
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
            QueryError::Statement(text) => return statement(text),
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

/// The SQLSTATE of an error of the engine, derived from its text: the engine's errors have no codes. The texts have been stable
/// for years, and each is tested against the engine.
fn statement(text: &str) -> Failure {
    // The engine names the steps that failed above the cause, each on its line.
    let cause = text.rsplit("caused by\n").next().unwrap_or(text);
    let has = |part: &str| text.contains(part);
    let code = if cause.starts_with("SQL error") {
        "42601"
    } else if has("Ambiguous reference") || has("ambiguous") {
        "42702"
    } else if has("No field named") {
        "42703"
    } else if cause.starts_with("This feature is not implemented") {
        "0A000"
    } else if has("Invalid function '") || (has("unction '") && has("not found")) {
        "42883"
    } else if has("table '") && has("not found") {
        "42P01"
    } else if has("failed to resolve schema") {
        "3F000"
    } else if has("must appear in the GROUP BY")
        || has("must be part of GROUP BY")
        || has("could not be resolved from available columns")
    {
        "42803"
    } else if has("Failed to coerce arguments")
        || has("No function matches")
        || has("There isn't a common type to coerce")
    {
        "42883"
    } else if has("LIMIT must not be negative") {
        "2201W"
    } else if has("OFFSET must not be negative") {
        "2201X"
    } else if has("Divide by zero") {
        "22012"
    } else if has("verflow") {
        "22003"
    } else if has("Cast error") || has("Parser error") || has("Error parsing") || has("Cannot cast") {
        "22P02"
    } else if has("No value found for placeholder") || has("Placeholder") {
        "08P01"
    } else if cause.starts_with("Error during planning") || cause.starts_with("Schema error") {
        "42000"
    } else if cause.starts_with("Arrow error") || cause.starts_with("Execution error") {
        "22000"
    } else {
        "XX000"
    };
    let failure = Failure::new(code, text.to_owned());
    if code == "42P01" {
        failure.hint(
            "psql lists the tables and views with \\dt and \\dv; a name without a schema is in the schema archive",
        )
    } else {
        failure
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
            (QueryError::Statement("type_coercion\ncaused by\nError during planning: no".into()), "42000"),
            (QueryError::Statement("something else".into()), "XX000"),
        ] {
            assert_eq!(Failure::from(error).code, code);
        }
    }

    #[test]
    fn an_unknown_user_and_a_wrong_password_have_the_same_error() {
        let failure = |why: &str| Failure::from(&AuthenticationError::Credentials(why.into()));
        assert_eq!(failure("no such user"), failure("wrong password"));
        assert_eq!(Failure::from(&AuthenticationError::TooManyTries(Duration::from_secs(9))).code, "28000");
    }
}
