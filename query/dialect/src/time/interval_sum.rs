//! Adds the fields of an interval. A field that its sum does not hold is an error; the fraction of a field goes to smaller ones.

use super::calendar::{DAY, HOUR, MINUTE, SECOND};
use super::error::Wrong;
use super::words::Unit;

/// Days of a month of a fraction.
const MONTH_DAYS: i64 = 30;

/// What has been read so far.
#[derive(Debug, Default)]
pub(super) struct Sum {
    years: i64,
    months: i64,
    days: i64,
    microseconds: i64,
}

impl Sum {
    fn add_years(&mut self, count: i64, each: i64) -> Result<(), Wrong> {
        let sum = count.checked_mul(each).and_then(|years| self.years.checked_add(years));
        self.years = sum.filter(|years| i32::try_from(*years).is_ok()).ok_or(Wrong::Interval)?;
        Ok(())
    }

    fn add_months(&mut self, count: i64, each: i64) -> Result<(), Wrong> {
        let sum = count.checked_mul(each).and_then(|months| self.months.checked_add(months));
        self.months = sum.filter(|months| i32::try_from(*months).is_ok()).ok_or(Wrong::Interval)?;
        Ok(())
    }

    fn add_days(&mut self, count: i64, each: i64) -> Result<(), Wrong> {
        let sum = count.checked_mul(each).and_then(|days| self.days.checked_add(days));
        self.days = sum.filter(|days| i32::try_from(*days).is_ok()).ok_or(Wrong::Interval)?;
        Ok(())
    }

    pub(super) fn add_microseconds(&mut self, count: i64, fraction: f64, each: i64) -> Result<(), Wrong> {
        let sum = count.checked_mul(each).and_then(|time| self.microseconds.checked_add(time));
        self.microseconds = sum.ok_or(Wrong::Interval)?;
        self.add_fraction_of_time(fraction, each)
    }

    fn add_fraction_of_time(&mut self, fraction: f64, each: i64) -> Result<(), Wrong> {
        let time = fraction * each as f64;
        let whole = time.trunc();
        let rest = time - whole;
        let nearest = whole as i64 + i64::from(rest > 0.5) - i64::from(rest < -0.5);
        self.microseconds = self.microseconds.checked_add(nearest).ok_or(Wrong::Interval)?;
        Ok(())
    }

    fn add_fraction_of_days(&mut self, fraction: f64, each: i64) -> Result<(), Wrong> {
        let days = fraction * each as f64;
        self.add_days(days.trunc() as i64, 1)?;
        self.add_fraction_of_time(days - days.trunc(), DAY)
    }

    fn add_fraction_of_months(&mut self, fraction: f64, each: i64) -> Result<(), Wrong> {
        self.add_months((fraction * each as f64).round_ties_even() as i64, 1)
    }

    /// The opposite, if there is one.
    pub(super) fn negated(self) -> Option<Self> {
        Some(Self {
            years: self.years.checked_neg()?,
            months: self.months.checked_neg()?,
            days: self.days.checked_neg()?,
            microseconds: self.microseconds.checked_neg()?,
        })
    }

    /// Adds so many of a unit.
    pub(super) fn add(&mut self, unit: Unit, count: i64, fraction: f64) -> Result<(), Wrong> {
        match unit {
            Unit::Microsecond => self.add_microseconds(count, fraction, 1),
            Unit::Millisecond => self.add_microseconds(count, fraction, 1_000),
            Unit::Second => self.add_microseconds(count, fraction, SECOND),
            Unit::Minute => self.add_microseconds(count, fraction, MINUTE),
            Unit::Hour => self.add_microseconds(count, fraction, HOUR),
            Unit::Day => {
                self.add_days(count, 1)?;
                self.add_fraction_of_time(fraction, DAY)
            }
            Unit::Week => {
                self.add_days(count, 7)?;
                self.add_fraction_of_days(fraction, 7)
            }
            Unit::Month => {
                self.add_months(count, 1)?;
                self.add_fraction_of_days(fraction, MONTH_DAYS)
            }
            Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium => {
                let years = match unit {
                    Unit::Year => 1,
                    Unit::Decade => 10,
                    Unit::Century => 100,
                    _ => 1_000,
                };
                self.add_years(count, years)?;
                self.add_fraction_of_months(fraction, years * 12)
            }
            Unit::Quarter => Err(Wrong::Format),
        }
    }

    /// Months, days and microseconds.
    pub(super) fn into_parts(self) -> (i64, i64, i64) {
        (self.years * 12 + self.months, self.days, self.microseconds)
    }
}
