//! The fields that `to_timestamp` and `to_date` have read, and the time that they are.

use super::calendar::{Date, HOUR, MINUTE, SECOND, days_of_month, first_monday, is_leap, join};
use super::error::Wrong;
use super::pattern::Key;
use crate::SqlError;

/// The Julian day of 1970-01-01.
const JULIAN: i64 = 2_440_588;

/// Whether days are counted by months or by weeks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Convention {
    Gregorian,
    Iso,
}

/// The fields; 0 of those that are not given.
#[derive(Debug, Default)]
pub(super) struct Read {
    convention: Option<Convention>,
    hour: i64,
    minute: i64,
    second: i64,
    second_of_day: i64,
    milliseconds: i64,
    microseconds: i64,
    day_of_week: i64,
    day: i64,
    day_of_year: i64,
    month: i64,
    year: i64,
    year_digits: u8,
    century: i64,
    julian: i64,
    week: i64,
    week_of_month: i64,
    is_afternoon: Option<bool>,
    offset_hour: i64,
    offset_minute: i64,
    /// The sign of the offset, or 0 if there is none.
    pub(super) offset_sign: i64,
    pub(super) is_bc: bool,
    pub(super) is_12_hours: bool,
}

/// A year of less than four digits is the nearest one to 2020.
fn near_2020(year: i64) -> i64 {
    match year {
        ..70 => year + 2_000,
        70..100 => year + 1_900,
        100..520 => year + 2_000,
        520..1_000 => year + 1_000,
        _ => year,
    }
}

impl Read {
    /// Notes to which convention a field belongs.
    pub(super) fn convention(&mut self, convention: Option<Convention>) -> Result<(), SqlError> {
        match (self.convention, convention) {
            (Some(known), Some(new)) if known != new => {
                Err(SqlError::new("22007", "invalid combination of date conventions")
                    .with_hint("Do not mix Gregorian and ISO week date conventions in a formatting template."))
            }
            (None, Some(new)) => {
                self.convention = Some(new);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Notes which half of the day it is.
    pub(super) fn set_half(&mut self, is_afternoon: bool, key: Key) -> Result<(), SqlError> {
        // As PostgreSQL, which takes the first half for not given.
        if self.is_afternoon == Some(true) && !is_afternoon {
            return Err(conflicting(key));
        }
        self.is_afternoon = Some(is_afternoon);
        Ok(())
    }

    /// Notes the value of a field that was written with so many characters.
    pub(super) fn set(&mut self, key: Key, value: i64, used: usize) -> Result<(), SqlError> {
        let of_fraction = |digits: usize| value * 10_i64.pow(digits.saturating_sub(used) as u32);
        let (field, value) = match key {
            Key::Hour12 => {
                self.is_12_hours = true;
                (&mut self.hour, value)
            }
            Key::Hour24 => (&mut self.hour, value),
            Key::Minute => (&mut self.minute, value),
            Key::Second => (&mut self.second, value),
            Key::Milliseconds => (&mut self.milliseconds, of_fraction(3)),
            Key::Microseconds | Key::Fraction(_) => (&mut self.microseconds, of_fraction(6)),
            Key::SecondOfDay => (&mut self.second_of_day, value),
            Key::OffsetHour => (&mut self.offset_hour, value),
            Key::OffsetMinute => {
                if self.offset_sign == 0 {
                    self.offset_sign = 1;
                }
                (&mut self.offset_minute, value)
            }
            Key::MonthName | Key::ShortMonth | Key::Month | Key::RomanMonth => (&mut self.month, value),
            Key::Day | Key::ShortDay | Key::DayOfWeek => (&mut self.day_of_week, value),
            // Sunday is the first day here.
            Key::IsoDayOfWeek => (&mut self.day_of_week, if value >= 7 { 1 } else { value + 1 }),
            Key::DayOfYear | Key::IsoDayOfYear => (&mut self.day_of_year, value),
            Key::DayOfMonth => (&mut self.day, value),
            Key::WeekOfYear | Key::IsoWeek => (&mut self.week, value),
            Key::WeekOfMonth => (&mut self.week_of_month, value),
            Key::Century => (&mut self.century, value),
            Key::Julian => (&mut self.julian, value),
            Key::YearWithComma => {
                self.year_digits = 4;
                (&mut self.year, value)
            }
            Key::Year(digits) | Key::IsoYear(digits) => {
                self.year_digits = digits;
                (&mut self.year, if digits < 4 && used < 4 { near_2020(value) } else { value })
            }
            // A quarter says nothing of the day.
            _ => return Ok(()),
        };
        if *field != 0 && *field != value {
            return Err(conflicting(key));
        }
        *field = value;
        Ok(())
    }

    /// The date, as days since 1970-01-01.
    pub(super) fn day(mut self, text: &str) -> Result<i64, SqlError> {
        self.of_day(text)?;
        self.date(text)
    }

    /// The timestamp. `None` if none holds it.
    pub(super) fn timestamp(mut self, text: &str) -> Result<Option<i64>, SqlError> {
        let of_day = self.of_day(text)?;
        let day = self.date(text)?;
        let Self { offset_hour, offset_minute, offset_sign, .. } = self;
        let mut offset = 0;
        if offset_sign != 0 {
            if !(0..=15).contains(&offset_hour) || !(0..60).contains(&offset_minute) {
                return Err(Wrong::Offset.of("timestamp", text));
            }
            offset = offset_sign * (offset_hour * HOUR + offset_minute * MINUTE);
        }
        Ok(join(day, of_day).and_then(|time| time.checked_sub(offset)))
    }

    fn of_day(&mut self, text: &str) -> Result<i64, SqlError> {
        let total = self.second_of_day;
        let (mut hour, mut minute, mut second) = (total / 3_600, total % 3_600 / 60, total % 60);
        for (given, value) in [(self.hour, &mut hour), (self.minute, &mut minute), (self.second, &mut second)] {
            if given != 0 {
                *value = given;
            }
        }
        if self.is_12_hours {
            if !(1..=12).contains(&hour) {
                return Err(SqlError::new("22007", format!("hour \"{hour}\" is invalid for the 12-hour clock"))
                    .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
            }
            match (self.is_afternoon == Some(true), hour) {
                (true, 1..12) => hour += 12,
                (false, 12) => hour = 0,
                _ => {}
            }
        }
        let fraction = self.milliseconds * 1_000 + self.microseconds;
        let is_right = (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..SECOND).contains(&fraction);
        if !is_right {
            return Err(Wrong::Field.of("timestamp", text));
        }
        Ok(hour * HOUR + minute * MINUTE + second * SECOND + fraction)
    }

    /// The year, in which 0 is 1 BC. `None` if none is given.
    fn year(&self) -> Option<i64> {
        let century = if self.is_bc { -self.century } else { self.century };
        if self.year != 0 {
            if self.century != 0 && self.year_digits <= 2 {
                let year = self.year % 100;
                return Some(match (year, century >= 0) {
                    (0, true) => century * 100,
                    (0, false) => century * 100 + 1,
                    (year, true) => year + (century - 1) * 100,
                    (year, false) => (century + 1) * 100 - year + 1,
                });
            }
            let year = if self.is_bc { -self.year } else { self.year };
            return Some(if year < 0 { year + 1 } else { year });
        }
        (self.century != 0).then(|| if century >= 0 { (century - 1) * 100 + 1 } else { century * 100 + 1 })
    }

    fn date(&self, text: &str) -> Result<i64, SqlError> {
        let is_iso = self.convention == Some(Convention::Iso);
        let given_year = self.year();
        let (mut year, mut month, mut day) = (given_year.unwrap_or(0), 1, 1);
        let (mut has_month, mut has_day) = (false, false);
        let set = |days: i64| {
            let date = Date::of(days);
            (date.year, date.month, date.day)
        };
        let (mut day_of_year, mut day_of_month) = (self.day_of_year, self.day);
        if self.julian != 0 {
            (year, month, day) = set(self.julian - JULIAN);
            (has_month, has_day) = (true, true);
        }
        if self.week != 0 {
            if is_iso {
                let monday = first_monday(year) + (self.week - 1) * 7;
                let of_week = match self.day_of_week {
                    0 => 0,
                    1 => 6,
                    weekday => weekday - 2,
                };
                (year, month, day) = set(monday + of_week);
                (has_month, has_day) = (true, true);
            } else {
                day_of_year = (self.week - 1) * 7 + 1;
            }
        }
        if self.week_of_month != 0 {
            day_of_month = (self.week_of_month - 1) * 7 + 1;
        }
        if day_of_month != 0 {
            (day, has_day) = (day_of_month, true);
        }
        if self.month != 0 {
            (month, has_month) = (self.month, true);
        }
        if day_of_year != 0 && (month <= 1 || day <= 1) {
            if year == 0 && !self.is_bc {
                return Err(SqlError::new("22007", "cannot calculate day of year without year information"));
            }
            if is_iso {
                (year, month, day) = set(first_monday(year) + day_of_year - 1);
            } else {
                let (mut of_month, mut left) = (1, day_of_year);
                while of_month < 12 && left > days_of_month(year, of_month) {
                    left -= days_of_month(year, of_month);
                    of_month += 1;
                }
                if day_of_year > 365 + i64::from(is_leap(year)) {
                    return Err(Wrong::Field.of("timestamp", text));
                }
                if month <= 1 {
                    month = of_month;
                }
                if day <= 1 {
                    day = left;
                }
            }
            (has_month, has_day) = (true, true);
        }
        if (has_month && !(1..=12).contains(&month)) || (has_day && !(1..=31).contains(&day)) {
            return Err(Wrong::MonthOrDay.of("timestamp", text));
        }
        if day > days_of_month(year, month) {
            return Err(Wrong::Field.of("timestamp", text));
        }
        Ok(Date { year, month, day }.days())
    }
}

fn conflicting(key: Key) -> SqlError {
    SqlError::new("22007", format!("conflicting values for \"{key:?}\" field in formatting string"))
        .with_detail("This value contradicts a previous setting for the same field type.")
}
