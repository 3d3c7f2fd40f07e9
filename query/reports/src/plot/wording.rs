//! Names, values and days as texts of a plot.

use chrono::{Datelike as _, NaiveDate};

use crate::header::Unit;

/// The name of a column in words.
pub(super) fn column_words(name: &str) -> String {
    name.replace('_', " ")
}

/// A value with its unit, in a short form.
pub(super) fn value_text(value: f64, unit: Unit) -> String {
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

/// A number with at most `decimals` decimals, and commas between thousands.
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

/// The title of an axis.
pub(super) fn axis_title(unit: Unit, column: &str) -> String {
    let name = column_words(column);
    match unit {
        Unit::Seconds => "time".to_owned(),
        Unit::Stars => format!("{name} (1 to 5)"),
        Unit::Money => "currency of the costs".to_owned(),
        Unit::Hour => format!("{name} of the day (UTC)"),
        Unit::Sessions | Unit::Tickets | Unit::Devices => unit.name().to_owned(),
        _ => name,
    }
}

/// A day in words; only its month if all days in `among` are the first of a month.
pub(super) fn day(date: NaiveDate, among: &[NaiveDate]) -> String {
    if among.len() > 1 && among.iter().all(|date| date.day() == 1) {
        date.format("%b %Y").to_string()
    } else {
        date.format("%-d %b %Y").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_a_short_form() {
        assert_eq!(value_text(1_234_567.0, Unit::Sessions), "1,234,567");
        assert_eq!(value_text(-1234.5, Unit::Money), "-1,234");
        assert_eq!(value_text(-0.001, Unit::Percent), "0 %");
        assert_eq!(value_text(4.25, Unit::Stars), "4.25");
        assert_eq!(value_text(7.25, Unit::Seconds), "7.2 s");
        assert_eq!(value_text(90_000.0, Unit::Seconds), "25 h");
        assert_eq!(value_text(7.0, Unit::Hour), "07");
    }
}
