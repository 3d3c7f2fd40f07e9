//! Consecutive numbers of chat lines or recording chunks.

use std::fmt;

use serde::Serialize;

/// Consecutive numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The lowest number.
    pub first: i64,
    /// The highest number.
    pub last: i64,
}

/// `4`, or `3-5`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { first, last } if first == last => write!(f, "{first}"),
            Self { first, last } => write!(f, "{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_one_number_shows_that_number() {
        assert_eq!(Range { first: 4, last: 4 }.to_string(), "4");
        assert_eq!(Range { first: 3, last: 5 }.to_string(), "3-5");
    }
}
