//! Why a statement over the catalog is refused.

/// An error with its SQLSTATE.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CatalogError {
    /// The SQLSTATE.
    pub code: &'static str,
    /// The message, in PostgreSQL's words where it has the same error.
    pub message: String,
}

pub(crate) type Result<T> = std::result::Result<T, CatalogError>;

impl CatalogError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn unsupported(what: impl std::fmt::Display) -> Self {
        Self::new("0A000", format!("{what} is not supported in a statement over the catalog"))
    }

    pub(crate) fn datatype(message: impl Into<String>) -> Self {
        Self::new("42804", message)
    }

    /// Whether the statement has a form, or names a function, that is unknown here and that another engine may know.
    pub fn is_unknown_form(&self) -> bool {
        matches!(self.code, "0A000" | "42883")
    }
}
