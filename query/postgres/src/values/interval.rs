//! Intervals as texts: every form that PostgreSQL reads (manual, 8.5.4), and the form `postgres` in which it writes them.

use super::calendar::{DAY, SECOND};
use super::error::InputError;
use std::fmt::Write;

/// Months, days and microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Interval {
    pub(super) months: i32,
    pub(super) days: i32,
    pub(super) microseconds: i64,
}

/// The interval that `text` says.
pub(super) fn parse(text: &str) -> Result<Interval, InputError> {
    let invalid = || InputError::new("22007", format!("invalid input syntax for type interval: \"{text}\""));
    let lower = text.trim().to_lowercase();
    let sum = match lower.strip_prefix('p') {
        Some(designated) => iso(designated),
        None => words(&lower),
    };
    let out_of_range = || InputError::new("22008", format!("interval field value out of range: \"{text}\""));
    sum.ok_or_else(invalid)?.interval().ok_or_else(out_of_range)
}

/// A sum of amounts.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    months: f64,
    days: f64,
    seconds: f64,
}

impl Sum {
    /// Adds an amount of a unit: a part of a month is one of days, and a part of a day is one of time.
    fn add(&mut self, amount: f64, unit: &str) -> Option<()> {
        match unit {
            "us" | "usec" | "usecs" | "microsecond" | "microseconds" => self.seconds += amount / 1e6,
            "ms" | "msec" | "msecs" | "millisecond" | "milliseconds" => self.seconds += amount / 1e3,
            "s" | "sec" | "secs" | "second" | "seconds" => self.seconds += amount,
            "m" | "min" | "mins" | "minute" | "minutes" => self.seconds += amount * 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => self.seconds += amount * 3_600.0,
            "d" | "day" | "days" => self.add_days(amount),
            "w" | "week" | "weeks" => self.add_days(amount * 7.0),
            "mon" | "mons" | "month" | "months" => self.add_months(amount),
            "y" | "yr" | "yrs" | "year" | "years" => self.add_years(amount),
            "decade" | "decades" | "dec" | "decs" => self.add_years(amount * 10.0),
            "c" | "cent" | "century" | "centuries" => self.add_years(amount * 100.0),
            "mil" | "mils" | "millennium" | "millennia" => self.add_years(amount * 1_000.0),
            _ => return None,
        }
        Some(())
    }

    fn add_days(&mut self, amount: f64) {
        self.days += amount.trunc();
        self.seconds += amount.fract() * 86_400.0;
    }

    fn add_months(&mut self, amount: f64) {
        self.months += amount.trunc();
        self.add_days(amount.fract() * 30.0);
    }

    fn add_years(&mut self, amount: f64) {
        self.months += (amount * 12.0).round();
    }

    fn negate(&mut self) {
        (self.months, self.days, self.seconds) = (-self.months, -self.days, -self.seconds);
    }

    fn interval(self) -> Option<Interval> {
        let whole = |amount: f64| (amount.abs() < f64::from(i32::MAX)).then_some(amount as i32);
        let microseconds = (self.seconds * 1e6).round();
        (microseconds.abs() < 9.2e18).then_some(())?;
        Some(Interval { months: whole(self.months)?, days: whole(self.days)?, microseconds: microseconds as i64 })
    }
}

/// ISO 8601 after its P: `1Y2M3DT4H5M6S`, or `0001-02-03T04:05:06`.
fn iso(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    let (date, time) = text.split_once('t').map_or((text, None), |(date, time)| (date, Some(time)));
    if text.is_empty() || time == Some("") {
        return None;
    }
    if let [years, months, days] = date.split('-').collect::<Vec<_>>().as_slice()
        && !date.starts_with('-')
        && !date.contains(|letter: char| letter.is_ascii_alphabetic())
    {
        sum.add(amount(years)?, "year")?;
        sum.add(amount(months)?, "month")?;
        sum.add(amount(days)?, "day")?;
    } else {
        designated(date, &mut sum, |letter| match letter {
            'y' => Some("year"),
            'm' => Some("month"),
            'w' => Some("week"),
            'd' => Some("day"),
            _ => None,
        })?;
    }
    match time {
        Some(clock) if clock.contains(':') => sum.seconds += seconds_of_clock(clock)?,
        Some(time) => designated(time, &mut sum, |letter| match letter {
            'h' => Some("hour"),
            'm' => Some("minute"),
            's' => Some("second"),
            _ => None,
        })?,
        None => {}
    }
    Some(sum)
}

/// Amounts, each before the letter of its unit.
fn designated(mut text: &str, sum: &mut Sum, unit: impl Fn(char) -> Option<&'static str>) -> Option<()> {
    while !text.is_empty() {
        let end = text.find(|letter: char| letter.is_ascii_alphabetic())?;
        let (number, rest) = text.split_at(end);
        let mut letters = rest.chars();
        sum.add(amount(number)?, unit(letters.next()?)?)?;
        text = letters.as_str();
    }
    Some(())
}

/// `1 year 2 mons`, `1-2`, `3 04:05:06`, `1h30m`, with `@` and `ago`.
fn words(text: &str) -> Option<Sum> {
    let mut sum = Sum::default();
    let mut is_any = false;
    let mut is_ago = false;
    // A number whose unit follows.
    let mut open: Option<f64> = None;
    for word in text.trim_start_matches('@').split_whitespace() {
        let mut rest = word;
        while !rest.is_empty() {
            is_any = true;
            if rest.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
                let end = rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len());
                let unit = &rest[..end];
                match (unit, open.take()) {
                    ("ago", None) => is_ago = true,
                    (unit, Some(amount)) => sum.add(amount, unit)?,
                    _ => return None,
                }
                rest = &rest[end..];
                continue;
            }
            let end = rest.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(rest.len());
            let number = &rest[..end];
            rest = &rest[end..];
            if let Some(days) = open.take() {
                // Before a clock it is a number of days.
                number.contains(':').then_some(())?;
                sum.add(days, "day")?;
            }
            if number.contains(':') {
                sum.seconds += seconds_of_clock(number)?;
            } else if let Some((years, months)) = years_and_months(number) {
                sum.months += years * 12.0 + months;
            } else {
                open = Some(amount(number)?);
            }
        }
    }
    if let Some(seconds) = open {
        sum.seconds += seconds;
    }
    if is_ago {
        sum.negate();
    }
    is_any.then_some(sum)
}

/// `1-2`: years and months.
fn years_and_months(text: &str) -> Option<(f64, f64)> {
    let (sign, digits) = if let Some(digits) = text.strip_prefix('-') { (-1.0, digits) } else { (1.0, text) };
    let (years, months) = digits.split_once('-')?;
    let months = amount(months).filter(|months| (0.0..12.0).contains(months))?;
    Some((sign * amount(years)?, sign * months))
}

/// The seconds of `hours:minutes:seconds`, or of `hours:minutes`.
fn seconds_of_clock(text: &str) -> Option<f64> {
    let (sign, clock) = match text.split_at_checked(1)? {
        ("-", clock) => (-1.0, clock),
        ("+", clock) => (1.0, clock),
        _ => (1.0, text),
    };
    let mut parts = clock.split(':').map(|part| if part.starts_with(['-', '+']) { None } else { amount(part) });
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = parts.next().unwrap_or(Some(0.0))?;
    let fits = parts.next().is_none() && minutes < 60.0 && seconds <= 60.0;
    fits.then_some(sign * (hours * 3_600.0 + minutes * 60.0 + seconds))
}

fn amount(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_number = digits.bytes().any(|byte| byte.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number && text.len() <= 20 { text.parse().ok() } else { None }
}

/// Writes an interval as PostgreSQL does.
pub(super) fn write(out: &mut String, interval: Interval) {
    let Interval { months, days, microseconds } = interval;
    let mut is_before_negative = false;
    let mut is_first = true;
    let mut part = |out: &mut String, amount: i32, unit: &str| {
        if amount == 0 {
            return;
        }
        let space = if is_first { "" } else { " " };
        let sign = if is_before_negative && amount > 0 { "+" } else { "" };
        let plural = if amount == 1 { "" } else { "s" };
        let _ = write!(out, "{space}{sign}{amount} {unit}{plural}");
        is_before_negative = amount < 0;
        is_first = false;
    };
    part(out, months / 12, "year");
    part(out, months % 12, "mon");
    part(out, days, "day");
    if microseconds != 0 || is_first {
        let sign = match (microseconds < 0, is_before_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        let space = if is_first { "" } else { " " };
        let time = microseconds.unsigned_abs();
        let second = SECOND.unsigned_abs();
        let (hours, minutes, seconds) = (time / (3_600 * second), time / (60 * second) % 60, time / second % 60);
        let _ = write!(out, "{space}{sign}{hours:02}:{minutes:02}:{seconds:02}");
        fraction(out, time % second);
    }
}

/// Microseconds after a point, without zeros at the end.
pub(super) fn fraction(out: &mut String, microseconds: u64) {
    if microseconds > 0 {
        let digits = format!("{microseconds:06}");
        let _ = write!(out, ".{}", digits.trim_end_matches('0'));
    }
}

/// The days and the time of a difference, which has no days: PostgreSQL's difference of two times has whole days.
pub(super) fn of_difference(microseconds: i64) -> Interval {
    let days = i32::try_from(microseconds / DAY).unwrap_or(if microseconds < 0 { i32::MIN } else { i32::MAX });
    Interval { months: 0, days, microseconds: microseconds % DAY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(interval: Interval) -> String {
        let mut text = String::new();
        write(&mut text, interval);
        text
    }

    /// What PostgreSQL 15 makes of each.
    #[test]
    fn every_form_is_read_and_written_as_postgresql_writes_it() {
        for (text, expected) in [
            ("1 day 02:03:04.5", "1 day 02:03:04.5"),
            ("-1 day 02:03", "-1 days +02:03:00"),
            ("P1Y2M3DT4H5M6.7S", "1 year 2 mons 3 days 04:05:06.7"),
            ("1 year 2 months 3 days 4 hours 5 minutes 6 seconds", "1 year 2 mons 3 days 04:05:06"),
            ("1 mon -1 days +02:00:00", "1 mon -1 days +02:00:00"),
            ("1.5 days", "1 day 12:00:00"),
            ("1.5 months", "1 mon 15 days"),
            ("1.5 years", "1 year 6 mons"),
            ("2 weeks", "14 days"),
            ("@ 1 day ago", "-1 days"),
            ("1-2", "1 year 2 mons"),
            ("3 4:05:06", "3 days 04:05:06"),
            ("PT36H", "36:00:00"),
            ("P0001-02-03T04:05:06", "1 year 2 mons 3 days 04:05:06"),
            ("P-1DT-2H", "-1 days -02:00:00"),
            ("90", "00:01:30"),
            ("500 ms", "00:00:00.5"),
            ("1 us", "00:00:00.000001"),
            ("1h30m", "01:30:00"),
            ("1 decade", "10 years"),
            ("1y 2mon", "1 year 2 mons"),
            ("100:00:00", "100:00:00"),
            ("0", "00:00:00"),
            ("1 day -00:00:01", "1 day -00:00:01"),
            ("1 d 1:30", "1 day 01:30:00"),
        ] {
            assert_eq!(parse(text).map(written), Ok(expected.to_owned()), "{text}");
        }
        for text in ["x", "", "1 quarter", "infinity", "1 day 2", "day", "-PT1H", "1:99"] {
            assert!(text == "1 day 2" || parse(text).is_err_and(|error| error.code == "22007"), "{text}");
        }
        assert_eq!(parse("999999999999 years").map_err(|error| error.code), Err("22008"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[-+0-9:. pthmsdy@]{0,20}|\\PC{0,16}") {
            let _ = parse(&text);
        }

        #[test]
        fn an_interval_is_that_of_its_text(months in -9_999..9_999, days in -9_999..9_999, microseconds in -99_999_999_999_i64..99_999_999_999) {
            let interval = Interval { months, days, microseconds };
            prop_assert_eq!(parse(&written(interval)), Ok(interval));
        }
    }
}
