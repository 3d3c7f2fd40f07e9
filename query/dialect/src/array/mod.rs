//! Arrays.

use crate::cast::CastRule;
use crate::function::Function;

/// The functions.
pub(crate) fn functions() -> Vec<Function> {
    Vec::new()
}

/// The operators.
pub(crate) fn operators() -> Vec<Function> {
    Vec::new()
}

/// The casts.
pub(crate) fn casts() -> Vec<CastRule> {
    Vec::new()
}
