//! Sums of times and intervals, and lengths of intervals.

use super::calendar::{DAY, Date, join, split};
use super::zone::Zone;
use arrow_array::types::IntervalMonthDayNano;

/// Nanoseconds of a day.
const DAY_NANOSECONDS: i128 = DAY as i128 * 1_000;
/// Days of a month where intervals are compared.
const MONTH_DAYS: i128 = 30;

/// Whether an interval is added or subtracted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sign {
    Plus,
    Minus,
}

impl Sign {
    /// The operator.
    pub(super) fn symbol(self) -> char {
        match self {
            Self::Plus => '+',
            Self::Minus => '-',
        }
    }

    fn of(self, number: i64) -> i64 {
        match self {
            Self::Plus => number,
            // Of 32 bits, so it has an opposite.
            Self::Minus => -number,
        }
    }
}

/// `time` and `interval`: first its months and days on the calendar of `zone`, then its time. `None` if an `i64` cannot
/// hold the sum.
pub(super) fn shifted(time: i64, interval: IntervalMonthDayNano, sign: Sign, zone: Zone) -> Option<i64> {
    let IntervalMonthDayNano { months, days, nanoseconds } = interval;
    let moved = if months == 0 && days == 0 {
        time
    } else {
        let (day, of_day) = split(zone.local_of(time)?);
        let day = if months == 0 { day } else { Date::of(day).plus_months(sign.of(months.into())).days() };
        zone.time_of(join(day + sign.of(days.into()), of_day)?)?
    };
    if nanoseconds == 0 {
        return Some(moved);
    }
    let (moved, nanoseconds) = (i128::from(moved) * 1_000, i128::from(nanoseconds));
    let sum = match sign {
        Sign::Plus => moved + nanoseconds,
        Sign::Minus => moved - nanoseconds,
    };
    i64::try_from(sum.div_euclid(1_000)).ok()
}

/// The length of an interval in nanoseconds, by which it is compared. A month has 30 days and a day 24 hours.
pub(super) fn length(interval: IntervalMonthDayNano) -> i128 {
    let days = i128::from(interval.months) * MONTH_DAYS + i128::from(interval.days);
    days * DAY_NANOSECONDS + i128::from(interval.nanoseconds)
}

/// The interval of days and a time that has a length in nanoseconds. `None` if it has too many days.
pub(super) fn of_length(length: i128) -> Option<IntervalMonthDayNano> {
    let days = i32::try_from(length / DAY_NANOSECONDS).ok()?;
    let nanoseconds = i64::try_from(length % DAY_NANOSECONDS).ok()?;
    Some(IntervalMonthDayNano::new(0, days, nanoseconds))
}
