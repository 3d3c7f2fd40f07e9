//! Axes: round numbers between a smallest and a greatest, and values in words.

use crate::header::Unit;

/// An axis from `low` to `high`, with a tick every `step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    step: f64,
    unit: Unit,
}

/// Steps of an axis of seconds that are round for people.
const SECONDS: [f64; 16] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0];

impl Scale {
    /// An axis that holds all of `values`, and 0 unless the unit has another beginning.
    pub(super) fn around(values: impl Iterator<Item = f64>, unit: Unit, ticks: usize) -> Self {
        let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        if unit == Unit::Stars {
            return Self { low: 0.0, high: 5.0, step: 1.0, unit };
        }
        let high = match unit {
            Unit::Percent if high > 40.0 && high <= 100.0 => 100.0,
            _ if high <= low => low + 1.0,
            _ => high,
        };
        let step = step((high - low) / ticks.max(1) as f64, unit);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step, unit }
    }

    /// The axis of ratings, which begin at 1.
    pub(super) fn beginning_at_one(self) -> Self {
        if self.unit == Unit::Stars { Self { low: 1.0, ..self } } else { self }
    }

    /// Where a value lies between the ends: 0 to 1.
    pub(super) fn part(self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The ticks with their words.
    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        let count = ((self.high - self.low) / self.step).round() as i64;
        let tick = |index: i64| self.low + index as f64 * self.step;
        (0..=count).map(|index| (tick(index), say(tick(index), self.unit))).collect()
    }
}

fn step(wanted: f64, unit: Unit) -> f64 {
    if unit == Unit::Seconds
        && let Some(step) = SECONDS.iter().find(|step| **step >= wanted)
    {
        return *step;
    }
    let power = 10_f64.powf(wanted.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().find(|round| round * power >= wanted * 0.999).unwrap_or(10.0) * power;
    // There is no half of a session.
    let is_count = matches!(unit, Unit::Sessions | Unit::Tickets | Unit::Devices);
    if is_count { step.max(1.0) } else { step }
}

/// A value with its unit, short.
pub(super) fn say(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds => seconds(value),
        Unit::Percent => format!("{} %", number(value, 1)),
        Unit::Hours => format!("{} h", number(value, 1)),
        Unit::Stars => number(value, 2),
        Unit::Hour => format!("{value:02.0}"),
        Unit::Money if value.abs() >= 100.0 => number(value, 0),
        _ => number(value, 2),
    }
}

fn seconds(value: f64) -> String {
    let size = value.abs();
    if size < 99.5 {
        format!("{} s", number(value, if size < 10.0 { 1 } else { 0 }))
    } else if size < 5_400.0 {
        format!("{} min", number(value / 60.0, 1))
    } else {
        format!("{} h", number(value / 3600.0, 1))
    }
}

/// A number with at most so many decimals, and commas between thousands.
fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if digits == "0" { "" } else { sign };
    fraction.map_or_else(|| format!("{sign}{grouped}"), |fraction| format!("{sign}{grouped}.{fraction}"))
}

/// What an axis shows, in words.
pub(super) fn axis(unit: Unit, column: &str) -> String {
    let name = super::words(column);
    match unit {
        Unit::Seconds => "time".to_owned(),
        Unit::Stars => format!("{name} (1 to 5)"),
        Unit::Money => "currency of the costs".to_owned(),
        Unit::Hour => format!("{name} of the day (UTC)"),
        Unit::Sessions | Unit::Tickets | Unit::Devices => unit.name().to_owned(),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], unit: Unit) -> Vec<String> {
        Scale::around(values.iter().copied(), unit, 5).ticks().into_iter().map(|(_, words)| words).collect()
    }

    #[test]
    fn ticks_are_round_and_hold_all_values() {
        assert_eq!(labels(&[3.0, 87.0], Unit::Sessions), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(labels(&[2.0], Unit::Sessions), ["0", "1", "2"]);
        assert_eq!(labels(&[61.0], Unit::Percent), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        assert_eq!(labels(&[1100.0], Unit::Seconds), ["0 s", "5 min", "10 min", "15 min", "20 min"]);
        assert_eq!(labels(&[-30.0, 90.0], Unit::Money), ["-50", "0", "50", "100"]);
        assert_eq!(labels(&[], Unit::Number).first().unwrap(), "0");
        assert_eq!(labels(&[0.0], Unit::Hours).len(), 6);
        assert_eq!(labels(&[4.0], Unit::Stars).last().unwrap(), "5");
    }

    #[test]
    fn values_are_said_short() {
        assert_eq!(say(1_234_567.0, Unit::Sessions), "1,234,567");
        assert_eq!(say(-1234.5, Unit::Money), "-1,234");
        assert_eq!(say(-0.001, Unit::Percent), "0 %");
        assert_eq!(say(4.25, Unit::Stars), "4.25");
        assert_eq!(say(7.25, Unit::Seconds), "7.2 s");
        assert_eq!(say(90_000.0, Unit::Seconds), "25 h");
        assert_eq!(say(7.0, Unit::Hour), "07");
    }
}
