//! The errors of patterns.

use crate::SqlError;

/// The pattern is none.
pub(super) fn invalid(what: &str) -> SqlError {
    SqlError::new("2201B", format!("invalid regular expression: {what}"))
}

/// The pattern takes more than a pattern may.
pub(super) fn too_complex() -> SqlError {
    SqlError::new("54001", "regular expression is too complex")
}
