//! Reads intervals: `1 day 02:00`, `@ 1 year ago`, `1-2`, `P1DT2H`, and the fields of a literal.
//!
//! Fields are read from the last to the first, as PostgreSQL reads them: a number has the unit that stands behind it.

use super::calendar::{HOUR, MINUTE, SECOND, interval_of};
use super::decode::{Clock, clock};
use super::error::Wrong;
use super::interval_sum::Sum;
use super::rounded::to_digits;
use super::tokens::{Field, Kind, fields, fraction, leading_number};
use super::values::Memo;
use super::words::Unit;
use crate::SqlError;
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType;
use arrow_array::ArrayRef;
use arrow_array::types::{IntervalMonthDayNano, IntervalMonthDayNanoType};
use datafusion::common::Result as DataFusionResult;

/// The fields that a literal keeps, such as `HOUR TO MINUTE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fields {
    /// From this one.
    pub(crate) first: Option<Part>,
    /// To this one.
    pub(crate) last: Option<Part>,
    /// Digits of the seconds.
    pub(crate) precision: Option<u8>,
}

/// A field of an interval literal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// `interval_literal(text, first field, last field, digits)`: the literal `INTERVAL text first TO last(digits)`. A field that
/// is not given is empty, and digits that are not given are 6.
pub(super) fn functions() -> Vec<Function> {
    use PgType::{Int4, Interval, Text};
    vec![Function::new("interval_literal", vec![form([Text, Text, Text, Int4], || Interval, literal)])]
}

fn literal(call: &Call) -> DataFusionResult<ArrayRef> {
    let (texts, firsts, lasts, digits) = (call.text(0), call.text(1), call.text(2), call.int4(3));
    let mut memo = Memo::new();
    call.primitives::<IntervalMonthDayNanoType>(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let part = |name: Option<&str>| -> Result<Option<Part>, SqlError> {
            match name.filter(|name| !name.is_empty()) {
                None => Ok(None),
                Some(name) => Part::named(name)
                    .map(Some)
                    .ok_or_else(|| SqlError::new("42601", format!("syntax error at or near \"{name}\"")).at(name)),
            }
        };
        let precision = digits.get(row).map(|digits| u8::try_from(digits.clamp(0, 6)).unwrap_or(6));
        let of = Fields { first: part(firsts.get(row))?, last: part(lasts.get(row))?, precision };
        Ok(Some(memo.of(text, |text| parse_interval(text, of))?))
    })
}

impl Part {
    fn named(name: &str) -> Option<Self> {
        Some(match Unit::named(&name.to_ascii_lowercase())? {
            Unit::Year => Self::Year,
            Unit::Month => Self::Month,
            Unit::Day => Self::Day,
            Unit::Hour => Self::Hour,
            Unit::Minute => Self::Minute,
            Unit::Second => Self::Second,
            _ => return None,
        })
    }
}

/// An `interval`.
pub(crate) fn parse_interval(text: &str, of: Fields) -> Result<IntervalMonthDayNano, SqlError> {
    read(text, of).map_err(|wrong| wrong.of("interval", text))
}

fn read(text: &str, of: Fields) -> Result<IntervalMonthDayNano, Wrong> {
    let sum = match fields(text).ok_or(Wrong::Format).and_then(|fields| verbose(&fields, of)) {
        Err(Wrong::Format) => super::iso_interval::read(text)?,
        other => other?.into_parts(),
    };
    let interval = interval_of(sum.0, sum.1, sum.2).ok_or(Wrong::Range)?;
    Ok(kept(interval, of))
}

/// The unit of a number that has none.
fn unit_of(of: Fields) -> Unit {
    match of.last.or(of.first) {
        Some(Part::Year) => Unit::Year,
        Some(Part::Month) => Unit::Month,
        Some(Part::Day) => Unit::Day,
        Some(Part::Hour) => Unit::Hour,
        Some(Part::Minute) => Unit::Minute,
        Some(Part::Second) | None => Unit::Second,
    }
}

/// Bits of what has been given; twice is an error.
fn bit(unit: Unit, fraction: f64) -> u16 {
    match unit {
        Unit::Microsecond => 1,
        Unit::Millisecond => 2,
        Unit::Second if fraction == 0.0 => 4,
        Unit::Second => 7,
        Unit::Minute => 8,
        Unit::Hour => 16,
        Unit::Day => 32,
        Unit::Week => 64,
        Unit::Month => 128,
        Unit::Quarter => 0,
        Unit::Year => 256,
        Unit::Decade => 512,
        Unit::Century => 1_024,
        Unit::Millennium => 2_048,
    }
}

/// All of a clock.
const CLOCK: u16 = 31;

fn verbose(fields: &[Field], of: Fields) -> Result<Sum, Wrong> {
    let mut sum = Sum::default();
    let (mut given, mut unit, mut is_before) = (0, None, false);
    for field in fields.iter().rev() {
        let text = field.text.as_str();
        let found = match field.kind {
            Kind::Clock => {
                add_clock(&mut sum, text, of, false)?;
                unit = Some(Unit::Day);
                CLOCK
            }
            Kind::Signed if text.contains(':') => {
                add_clock(&mut sum, &text[1..], of, text.starts_with('-'))?;
                unit = Some(Unit::Day);
                CLOCK
            }
            Kind::Signed | Kind::Date | Kind::Number => {
                let of_number = unit.unwrap_or_else(|| unit_of(of));
                let (of_number, found) = add_number(&mut sum, text, of_number)?;
                // A number before hours without a unit counts days.
                unit = Some(if of_number == Unit::Hour { Unit::Day } else { of_number });
                found
            }
            Kind::Word if text == "ago" => {
                is_before = true;
                unit = None;
                0
            }
            Kind::Word | Kind::SignedWord => {
                unit = Some(Unit::named(text).ok_or(Wrong::Format)?);
                0
            }
        };
        if given & found != 0 {
            return Err(Wrong::Format);
        }
        given |= found;
    }
    if given == 0 {
        return Err(Wrong::Format);
    }
    if is_before { sum.negated().ok_or(Wrong::Interval) } else { Ok(sum) }
}

fn add_clock(sum: &mut Sum, text: &str, of: Fields, is_negative: bool) -> Result<(), Wrong> {
    let has_one_colon = text.bytes().filter(|byte| *byte == b':').count() == 1;
    let is_minutes = of.first == Some(Part::Minute) && of.last == Some(Part::Second);
    let mut of_clock = clock(text).map_err(|wrong| if wrong == Wrong::Field { Wrong::Interval } else { wrong })?;
    if has_one_colon && is_minutes && !text.contains('.') {
        of_clock = Clock { hour: 0, minute: of_clock.hour, second: of_clock.minute, fraction: 0 };
    }
    let Clock { hour, minute, second, fraction } = of_clock;
    let rest = minute.checked_mul(MINUTE).and_then(|minutes| minutes.checked_add(second * SECOND + fraction));
    let time = hour.checked_mul(HOUR).zip(rest).and_then(|(hours, rest)| hours.checked_add(rest));
    let time = time.ok_or(Wrong::Interval)?;
    sum.add_microseconds(if is_negative { -time } else { time }, 0.0, 1)
}

/// Adds a number of a unit; returns the unit that it had.
fn add_number(sum: &mut Sum, text: &str, unit: Unit) -> Result<(Unit, u16), Wrong> {
    let is_negative = text.starts_with('-');
    let (mut value, rest) = match leading_number(text).map_err(|_| Wrong::Interval)? {
        Some(found) => found,
        None if text.starts_with('.') => (0, text),
        None => return Err(Wrong::Format),
    };
    let (mut unit, mut of_unit) = (unit, 0.0);
    if let Some(months) = rest.strip_prefix('-') {
        let (months, rest) = leading_number(months).map_err(|_| Wrong::Interval)?.ok_or(Wrong::Format)?;
        if !(0..12).contains(&months) {
            return Err(Wrong::Interval);
        }
        if !rest.is_empty() {
            return Err(Wrong::Format);
        }
        let months = if is_negative { -months } else { months };
        value = value.checked_mul(12).and_then(|value| value.checked_add(months)).ok_or(Wrong::Interval)?;
        unit = Unit::Month;
    } else if !rest.is_empty() {
        of_unit = fraction(rest).ok_or(Wrong::Format)?;
        if is_negative {
            of_unit = -of_unit;
        }
    }
    sum.add(unit, value, of_unit)?;
    Ok((unit, bit(unit, of_unit)))
}

/// What a literal with these fields keeps of an interval.
pub(super) fn kept(interval: IntervalMonthDayNano, of: Fields) -> IntervalMonthDayNano {
    let IntervalMonthDayNano { mut months, mut days, mut nanoseconds } = interval;
    if let Some(last) = of.last.or(of.first) {
        let whole = |unit: i64| nanoseconds / (unit * 1_000) * (unit * 1_000);
        match last {
            Part::Year => (months, days, nanoseconds) = (months / 12 * 12, 0, 0),
            Part::Month => (days, nanoseconds) = (0, 0),
            Part::Day => nanoseconds = 0,
            Part::Hour => nanoseconds = whole(HOUR),
            Part::Minute => nanoseconds = whole(MINUTE),
            Part::Second => {}
        }
    }
    if let Some(precision) = of.precision.filter(|precision| *precision < 6) {
        let time = nanoseconds / 1_000;
        nanoseconds = to_digits(time, precision.into()).unwrap_or(time).saturating_mul(1_000);
    }
    IntervalMonthDayNano { months, days, nanoseconds }
}
