//! The scale of an axis: round numbers between a lowest and a highest value.

use super::wording::value_text;
use crate::header::Unit;

/// An axis from `low` to `high`, with a tick every `step`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    step: f64,
    unit: Unit,
}

/// Round steps of an axis of seconds.
const SECONDS: [f64; 16] =
    [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 28_800.0];

impl Scale {
    /// An axis that contains all `values` and 0. The axis of ratings is fixed.
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

    /// Lets an axis of ratings start at 1, the lowest rating.
    pub(super) fn starting_at_one(self) -> Self {
        if self.unit == Unit::Stars { Self { low: 1.0, ..self } } else { self }
    }

    /// The position of a value between the ends: 0 to 1.
    pub(super) fn part(self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    /// The ticks with their labels.
    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        let count = ((self.high - self.low) / self.step).round() as i64;
        let tick = |index: i64| self.low + index as f64 * self.step;
        (0..=count).map(|index| (tick(index), value_text(tick(index), self.unit))).collect()
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
    // Counts have no fractions.
    let is_count = matches!(unit, Unit::Sessions | Unit::Tickets | Unit::Devices);
    if is_count { step.max(1.0) } else { step }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], unit: Unit) -> Vec<String> {
        Scale::around(values.iter().copied(), unit, 5).ticks().into_iter().map(|(_, words)| words).collect()
    }

    #[test]
    fn ticks_are_round_and_include_all_values() {
        assert_eq!(labels(&[3.0, 87.0], Unit::Sessions), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(labels(&[2.0], Unit::Sessions), ["0", "1", "2"]);
        assert_eq!(labels(&[61.0], Unit::Percent), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        assert_eq!(labels(&[1100.0], Unit::Seconds), ["0 s", "5 min", "10 min", "15 min", "20 min"]);
        assert_eq!(labels(&[-30.0, 90.0], Unit::Money), ["-50", "0", "50", "100"]);
        assert_eq!(labels(&[], Unit::Number).first().unwrap(), "0");
        assert_eq!(labels(&[0.0], Unit::Hours).len(), 6);
        assert_eq!(labels(&[4.0], Unit::Stars).last().unwrap(), "5");
    }
}
