//! Errors with PostgreSQL's codes (PostgreSQL 15, appendix A).

use datafusion::common::DataFusionError;

/// An error with PostgreSQL's code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// SQLSTATE, five characters.
    pub state: &'static str,
    /// What is wrong, in PostgreSQL's words where it has words for it.
    pub message: String,
    /// More about what is wrong.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// A word of the statement to which it points.
    pub near: Option<String>,
}

impl SqlError {
    /// An error without a detail and a hint.
    pub fn new(state: &'static str, message: impl Into<String>) -> Self {
        Self { state, message: message.into(), detail: None, hint: None, near: None }
    }

    /// `what` is not supported here (0A000).
    pub fn not_supported(what: impl Into<String>) -> Self {
        Self::new("0A000", what)
    }

    /// A value does not fit its type (22003).
    pub fn out_of_range(data_type: &str) -> Self {
        Self::new("22003", format!("{data_type} out of range"))
    }

    /// 22012.
    pub fn division_by_zero() -> Self {
        Self::new("22012", "division by zero")
    }

    /// A text is no value of a type (22P02). The text is content, which no error repeats if it is long.
    pub fn invalid_text(data_type: &str, text: &str) -> Self {
        Self::new("22P02", format!("invalid input syntax for type {data_type}: \"{}\"", shortened(text)))
    }

    /// A wrong value of an argument (22023).
    pub fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new("22023", message)
    }

    /// With a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With a detail.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With the word of the statement to which it points.
    #[must_use]
    pub fn at(mut self, near: impl Into<String>) -> Self {
        self.near = Some(near.into());
        self
    }
}

/// Characters of a text that an error repeats.
const REPEATED: usize = 100;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(REPEATED) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

impl From<SqlError> for DataFusionError {
    fn from(error: SqlError) -> Self {
        Self::External(Box::new(error))
    }
}
