//! The error of a statement that PostgreSQL would refuse too.

/// An error with PostgreSQL's code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// The SQLSTATE: five characters.
    pub state: &'static str,
    /// What is wrong, in PostgreSQL's words.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// A word of the statement to which it points.
    pub near: Option<String>,
}
