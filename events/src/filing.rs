//! The filing date of an event: its own date if that is plausible, otherwise the day of its arrival.
//!
//! Sources with an empty clock battery date events to 1970, faulty ones to 2090, and those that have no time to their
//! language's first or last one, in the years 1 and 9999. Each date is a partition, and the date decides how long the
//! partition is kept, so an implausible date must not become one. The claimed time stays in the event; the row records
//! that it is not filed under it.

use crate::time::Timestamp;

/// How far an event's time may be from its arrival, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilingBounds {
    /// Days before the arrival. Generous, because archives of other systems are imported late.
    pub days_before: i64,
    /// Days after the arrival: tolerance for a clock that is ahead and a zone that is wrong.
    pub days_after: i64,
}

impl Default for FilingBounds {
    fn default() -> Self {
        Self { days_before: 25 * 366, days_after: 1 }
    }
}

/// The date that an event is filed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilingDate {
    /// Days since 1970-01-01.
    pub days: i64,
    /// Whether the claimed time was out of bounds.
    pub implausible: bool,
}

impl FilingBounds {
    /// Files an event of time `claimed` that arrives at `arrival`.
    pub fn file(&self, claimed: Timestamp, arrival: Timestamp) -> FilingDate {
        let (claimed, arrival) = (claimed.days(), arrival.days());
        let bounds = arrival.saturating_sub(self.days_before)..=arrival.saturating_add(self.days_after);
        let plausible = bounds.contains(&claimed);
        FilingDate { days: if plausible { claimed } else { arrival }, implausible: !plausible }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implausible_dates_are_filed_under_the_arrival() {
        let arrival = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        let file = |text: &str| {
            let filed = FilingBounds::default().file(Timestamp::parse(text).unwrap(), arrival);
            (Timestamp(0).plus_days(filed.days).date_text(), filed.implausible)
        };
        assert_eq!(file("2026-06-14T23:59:59Z"), ("2026-06-14".to_owned(), false));
        assert_eq!(file("2026-06-16T23:59:59Z"), ("2026-06-16".to_owned(), false));
        assert_eq!(file("2026-06-17T00:00:00Z"), ("2026-06-15".to_owned(), true));
        assert_eq!(file("2009-01-01T00:00:00Z"), ("2009-01-01".to_owned(), false));
        assert_eq!(file("1970-01-01T00:00:00Z"), ("2026-06-15".to_owned(), true));
        assert_eq!(file("2090-01-01T00:00:00Z"), ("2026-06-15".to_owned(), true));
        // The zero time of Go and .NET, their last one in New York, and the zero time east of Greenwich.
        assert_eq!(file("0001-01-01T00:00:00Z"), ("2026-06-15".to_owned(), true));
        assert_eq!(file("9999-12-31T23:59:59.9999999-05:00"), ("2026-06-15".to_owned(), true));
        assert_eq!(file("0000-01-01T00:00:00+01:00"), ("2026-06-15".to_owned(), true));
    }

    #[test]
    fn no_time_and_no_bound_overflows() {
        let edges = [i64::MIN, -1, 0, 1, i64::MAX];
        for (claimed, arrival) in edges.iter().flat_map(|claimed| edges.map(|arrival| (*claimed, arrival))) {
            for days in [0, i64::MAX] {
                let bounds = FilingBounds { days_before: days, days_after: days };
                let (claimed, arrival) = (Timestamp(claimed), Timestamp(arrival));
                let filed = bounds.file(claimed, arrival);
                assert_eq!(filed.implausible, days == 0 && claimed.days() != arrival.days());
                assert_eq!(filed.days, if filed.implausible { arrival.days() } else { claimed.days() });
            }
        }
    }
}
