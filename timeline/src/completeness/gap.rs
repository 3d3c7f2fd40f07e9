//! Time of a recording that no chunk covers.

use serde::Serialize;

/// Milliseconds between two chunks of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The number of the chunk before it.
    pub after: i64,
    /// The number of the chunk behind it.
    pub before: i64,
    /// The first millisecond that is not covered.
    pub first_ms: i64,
    /// The last millisecond that is not covered.
    pub last_ms: i64,
    /// How many milliseconds it is.
    pub milliseconds: i64,
}
