//! The Gregorian calendar before and after 1582, in whole numbers.

use arrow_array::types::IntervalMonthDayNano;

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// `infinity` and `-infinity` of timestamps and dates.
pub(super) const LATE: i64 = i64::MAX;
pub(super) const EARLY: i64 = i64::MIN;
pub(super) const LATE_DATE: i32 = i32::MAX;
pub(super) const EARLY_DATE: i32 = i32::MIN;

/// The first day of PostgreSQL, 4714-11-24 BC, as days since 1970-01-01; the number of its Julian day is 0.
pub(super) const FIRST_DAY: i64 = -2_440_588;
/// The day after the last date, 5874897-12-31.
pub(super) const END_DAY: i64 = 2_145_042_906;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;
/// Days of 400 years.
const ERA: i64 = 146_097;

/// A date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    /// 0 is 1 BC, -1 is 2 BC.
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
}

impl Date {
    /// The date that is `days` days after 1970-01-01.
    pub(super) fn of(days: i64) -> Self {
        // Years begin in March, so that the leap day is their last: https://howardhinnant.github.io/date_algorithms.html
        let days = days + EPOCH;
        let (era, of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Self { year: year + era * 400 + i64::from(month <= 2), month, day }
    }

    /// The first day of a month.
    pub(super) fn first(year: i64, month: i64) -> Self {
        Self { year, month, day: 1 }
    }

    /// Days since 1970-01-01.
    pub(super) fn days(self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
        let month = if self.month > 2 { self.month - 3 } else { self.month + 9 };
        let of_year = (153 * month + 2) / 5 + self.day - 1;
        era * ERA + year * 365 + year / 4 - year / 100 + of_year - EPOCH
    }

    /// The same day of the month that is `months` later, or the last day of that month if it is shorter.
    pub(super) fn plus_months(self, months: i64) -> Self {
        let months = self.year * 12 + self.month - 1 + months;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        Self { year, month, day: self.day.min(days_of_month(year, month)) }
    }

    /// The day of its year, from 1.
    pub(super) fn day_of_year(self) -> i64 {
        self.days() - Self::first(self.year, 1).days() + 1
    }
}

/// Whether a year has a 29 February.
pub(super) fn is_leap(year: i64) -> bool {
    year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0)
}

/// The days of a month.
pub(super) fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The number by which a year is called: there is no year 0, and 1 BC is -1.
pub(super) fn named_year(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

/// 0 for Sunday to 6 for Saturday.
pub(super) fn day_of_week(day: i64) -> i64 {
    (day + 4).rem_euclid(7)
}

/// The year and the number of the week from Monday to Sunday that a day is in. A week belongs to the year of its Thursday.
pub(super) fn iso_week(day: i64) -> (i64, i64) {
    let thursday = day - (day + 3).rem_euclid(7) + 3;
    let year = Date::of(thursday).year;
    (year, (thursday - Date::first(year, 1).days()) / 7 + 1)
}

/// The Monday with which the first week of a year begins.
pub(super) fn first_monday(iso_year: i64) -> i64 {
    let fourth = Date { year: iso_year, month: 1, day: 4 }.days();
    fourth - (fourth + 3).rem_euclid(7)
}

/// The days since 1970-01-01 and the microseconds of the day.
pub(super) fn split(time: i64) -> (i64, i64) {
    (time.div_euclid(DAY), time.rem_euclid(DAY))
}

/// The time that [`split`] would split. `None` if no timestamp holds it.
pub(super) fn join(days: i64, of_day: i64) -> Option<i64> {
    let time = i128::from(days) * i128::from(DAY) + i128::from(of_day);
    i64::try_from(time).ok().filter(|time| is_finite(*time))
}

/// Whether a timestamp is a moment.
pub(super) fn is_finite(time: i64) -> bool {
    time != LATE && time != EARLY
}

/// Whether a date is a day.
pub(super) fn is_finite_date(date: i32) -> bool {
    date != LATE_DATE && date != EARLY_DATE
}

/// Whether PostgreSQL has the date.
pub(super) fn has_date(day: i64) -> bool {
    (FIRST_DAY..END_DAY).contains(&day)
}

/// An interval of months, days and microseconds. `None` if it holds them not.
pub(super) fn interval_of(months: i64, days: i64, microseconds: i64) -> Option<IntervalMonthDayNano> {
    let (months, days) = (i32::try_from(months).ok()?, i32::try_from(days).ok()?);
    Some(IntervalMonthDayNano::new(months, days, microseconds.checked_mul(1_000)?))
}

/// The microseconds of an interval's time.
pub(super) fn microseconds(interval: IntervalMonthDayNano) -> i64 {
    interval.nanoseconds / 1_000
}
