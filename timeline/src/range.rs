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

impl Range {
    /// How many numbers it has.
    pub fn count(&self) -> u64 {
        // Both ends of i64 are 2^64 - 1 apart, and the range has one number more.
        if self.last < self.first { 0 } else { self.last.abs_diff(self.first).saturating_add(1) }
    }
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

    #[test]
    fn a_range_counts_its_numbers_without_listing_them() {
        let count = |first, last| Range { first, last }.count();
        assert_eq!((count(4, 4), count(3, 5), count(-1, 1), count(5, 4)), (1, 3, 3, 0));
        assert_eq!((count(0, i64::MAX), count(i64::MIN, i64::MAX)), (1 << 63, u64::MAX));
    }
}
