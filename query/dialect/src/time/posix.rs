//! Time zones by the rules of POSIX: `FOO+2`, `<+02>-2`, `EST5EDT4,M3.2.0/2,M11.1.0`.

use super::calendar::{Date, SECOND, day_of_week, days_of_month, is_leap};

/// The rules: seconds to the east, and when summer time begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Posix {
    standard: i64,
    summer: Option<(i64, Change, Change)>,
}

/// A day of the year and a second of the day, on the clocks before the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    day: DayOfYear,
    second: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayOfYear {
    /// 1 to 365; 29 February is never counted.
    WithoutLeapDay(i64),
    /// 0 to 365.
    Counted(i64),
    /// Month, week (5 is the last one) and day of the week.
    Week(i64, i64, i64),
}

impl Posix {
    /// The rules that a text states.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (_, rest) = name(text)?;
        // An offset alone has no name.
        let (standard, rest) = offset(rest)?;
        if rest.is_empty() {
            return Some(Self { standard: -standard, summer: None });
        }
        let (summer_name, rest) = name(rest)?;
        if summer_name.is_empty() {
            return None;
        }
        let (summer, rest) = if rest.is_empty() || rest.starts_with(',') {
            (3_600 - standard, rest)
        } else {
            let (offset, rest) = offset(rest)?;
            (-offset, rest)
        };
        let rules = if rest.is_empty() { "M3.2.0,M11.1.0" } else { rest.strip_prefix(',')? };
        let (start, rest) = change(rules)?;
        let (end, rest) = change(rest.strip_prefix(',')?)?;
        rest.is_empty().then_some(Self { standard: -standard, summer: Some((summer, start, end)) })
    }

    /// Seconds to the east at a time in microseconds.
    pub(super) fn offset_at(&self, time: i64) -> i64 {
        let Some((summer, start, end)) = self.summer else { return self.standard };
        let time = time.div_euclid(SECOND);
        let year = Date::of((time + self.standard).div_euclid(86_400)).year;
        let start = start.of_year(year) - self.standard;
        let end = end.of_year(year) - summer;
        let is_summer = if start < end { (start..end).contains(&time) } else { !(end..start).contains(&time) };
        if is_summer { summer } else { self.standard }
    }
}

impl Change {
    /// Seconds since 1970 on the clocks.
    fn of_year(self, year: i64) -> i64 {
        let first = Date::first(year, 1).days();
        let day = match self.day {
            DayOfYear::WithoutLeapDay(day) => first + day - 1 + i64::from(is_leap(year) && day >= 60),
            DayOfYear::Counted(day) => first + day,
            DayOfYear::Week(month, week, weekday) => {
                let first = Date::first(year, month).days();
                let mut day = (weekday - day_of_week(first)).rem_euclid(7) + (week - 1) * 7;
                while day >= days_of_month(year, month) {
                    day -= 7;
                }
                first + day
            }
        };
        day * 86_400 + self.second
    }
}

/// A name, which may be empty, and what follows.
fn name(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('<') {
        return quoted.split_once('>');
    }
    let end = text.find(|c: char| c.is_ascii_digit() || matches!(c, ',' | '+' | '-')).unwrap_or(text.len());
    Some(text.split_at(end))
}

/// Seconds that are written as `[+-]hh[:mm[:ss]]`, and what follows.
fn offset(text: &str) -> Option<(i64, &str)> {
    let (sign, text) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let (hours, mut rest) = number(text, 167)?;
    let mut seconds = hours * 3_600;
    for unit in [60, 1] {
        let Some(more) = rest.strip_prefix(':') else { break };
        let (count, after) = number(more, 60)?;
        seconds += count * unit;
        rest = after;
    }
    Some((sign * seconds, rest))
}

fn change(text: &str) -> Option<(Change, &str)> {
    let (day, rest) = if let Some(rest) = text.strip_prefix('J') {
        let (day, rest) = number(rest, 365)?;
        (DayOfYear::WithoutLeapDay(day), rest)
    } else if let Some(rest) = text.strip_prefix('M') {
        let (month, rest) = number(rest, 12)?;
        let (week, rest) = number(rest.strip_prefix('.')?, 5)?;
        let (weekday, rest) = number(rest.strip_prefix('.')?, 6)?;
        if month == 0 || week == 0 {
            return None;
        }
        (DayOfYear::Week(month, week, weekday), rest)
    } else {
        let (day, rest) = number(text, 365)?;
        (DayOfYear::Counted(day), rest)
    };
    match rest.strip_prefix('/') {
        Some(rest) => offset(rest).map(|(second, rest)| (Change { day, second }, rest)),
        None => Some((Change { day, second: 7_200 }, rest)),
    }
}

/// A number up to `most`.
fn number(text: &str, most: i64) -> Option<(i64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: i64 = text[..end].parse().ok()?;
    (number <= most).then(|| (number, &text[end..]))
}
