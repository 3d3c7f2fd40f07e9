//! Errors of values while a statement is computed, as PostgreSQL says them. Pure.
//!
//! An error that a filter of a scan met is known by its text only, which may be inside of another text. So each is searched
//! for in the whole of it.

use super::planning::between;
use super::position::What;
use super::statement::StatementError;
use super::types::{first_type, type_named};

/// The error of a value that a sentence of the engine means. `None` if the sentence is not known.
pub(super) fn values(text: &str) -> Option<StatementError> {
    if text.contains("ivide by zero") || text.contains("DivideByZero") {
        return Some(StatementError::new("22012", "division by zero"));
    }
    input(text).or_else(|| range(text)).or_else(|| argument(text))
}

/// A text that is no value of a type.
fn input(text: &str) -> Option<StatementError> {
    if let Some((value, rest)) = quoted(text, "Cannot cast string '", "' to value of ") {
        let data_type = type_named(rest.split_once(" type").map_or(rest, |(data_type, _)| data_type));
        return Some(invalid(&data_type, value));
    }
    if let Some((value, _)) = quoted(text, "Cannot cast value '", "' to value of Boolean") {
        return Some(invalid("boolean", value));
    }
    if let Some((value, _)) = quoted(text, "Error parsing timestamp from '", "': ") {
        return Some(invalid("timestamp", value));
    }
    if let Some((value, _)) = quoted(text, "Failed to parse '", "' as time") {
        return Some(invalid("time", value));
    }
    if let Some(value) = between(text, "can't parse the string value ", " to decimal") {
        return Some(invalid("numeric", value));
    }
    if let Some((_, rest)) = text.split_once("nvalid input syntax for type interval: ") {
        let value = rest.split(". Repeated").next().unwrap_or(rest).trim_matches(['"', '\\']);
        return Some(invalid("interval", value));
    }
    let amount = between(text, "Failed to parse ", " as interval amount")?;
    Some(invalid("interval", amount.trim_matches(['"', '\\'])))
}

/// The value between two parts of a text, which may itself have quotes in it, and what follows.
fn quoted<'t>(text: &'t str, before: &str, after: &str) -> Option<(&'t str, &'t str)> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after)
}

/// A text that is no value of a type, or is one that is too large for it.
fn invalid(data_type: &str, value: &str) -> StatementError {
    let is_number = {
        let digits = value.trim().trim_start_matches(['-', '+']);
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
    };
    let is_of_times = |c: char| c.is_ascii_digit() || "-:. TZ+/".contains(c);
    let is_time = value.starts_with(|c: char| c.is_ascii_digit())
        && value.contains(['-', ':', '/'])
        && value.chars().all(is_of_times);
    let error = match data_type {
        "smallint" | "integer" | "bigint" if is_number => {
            StatementError::new("22003", format!("value \"{value}\" is out of range for type {data_type}"))
        }
        "date" | "time" | "timestamp" if is_time => {
            StatementError::new("22008", format!("date/time field value out of range: \"{value}\""))
        }
        _ => {
            let state = match data_type {
                "date" | "time" | "timestamp" | "interval" => "22007",
                _ => "22P02",
            };
            StatementError::new(state, format!("invalid input syntax for type {data_type}: \"{value}\""))
        }
    };
    error.near(What::Constant(value.to_owned()))
}

/// A value that its type does not hold.
fn range(text: &str) -> Option<StatementError> {
    let has = |part: &str| text.contains(part);
    if let Some((_, rest)) = text.split_once("Can't cast value ") {
        let (value, data_type) = rest.split_once(" to type ")?;
        let error = StatementError::new("22003", format!("{} out of range", first_type(data_type)));
        return Some(error.near(What::Constant(value.to_owned())));
    }
    if let Some((_, rest)) = text.split_once("value of ")
        && let Some((value, data_type)) = rest.split_once(" is out of range ")
    {
        let error = StatementError::new("22003", format!("{} out of range", first_type(data_type)));
        return Some(error.near(What::Constant(value.to_owned())));
    }
    if has("Cannot cast to Decimal")
        || has("parse decimal overflow")
        || has("to store in a Decimal")
        || has("overflows for output scale")
        || has("The scale causes overflow")
    {
        let error = StatementError::new("22003", "numeric field overflow");
        let field =
            between(text, "Cannot cast to Decimal", ")").and_then(|field| field.split_once('(')?.1.split_once(", "));
        return Some(match field {
            Some((precision, scale)) => {
                error.detail(format!("The field has {precision} digits, of which {scale} are after the point."))
            }
            None => error,
        });
    }
    if let Some((_, operation)) = text.split_once("Overflow happened on: ") {
        return Some(StatementError::new("22003", format!("{} out of range", type_that_overflowed(operation))));
    }
    if has("Overflow converting ")
        || has("to datetime")
        || has("imestamp") && (has("out of range") || has("verflow"))
        || has("Date64 value")
    {
        return Some(StatementError::new("22008", "timestamp out of range"));
    }
    if has("nterval") && (has("Unable to represent") || has("verflow") || has("out of range"))
        || has("Unable to represent ")
    {
        return Some(StatementError::new("22008", "interval out of range"));
    }
    (has("verflow") || has("out of range")).then(|| StatementError::new("22003", "value out of range"))
}

/// The integer whose operation overflowed, by its operands: one of them needs that type.
fn type_that_overflowed(operation: &str) -> &'static str {
    let operands = operation.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<u128>().ok());
    match operands.max().unwrap_or(u128::MAX) {
        0..=0x8000 => "smallint",
        0x8001..=0x8000_0000 => "integer",
        0x8000_0001..=0x8000_0000_0000_0000 => "bigint",
        _ => "numeric",
    }
}

/// A wrong argument of a function.
fn argument(text: &str) -> Option<StatementError> {
    let has = |part: &str| text.contains(part);
    if has("regex parse error") || has("Regular expression did not compile") || has("ompiling regex") {
        let unescaped = text.replace("\\n", "\n");
        let why = unescaped.lines().rev().find_map(|line| line.trim().strip_prefix("error: ").map(str::to_owned));
        let why = why.map_or(String::new(), |why| format!(": {}", why.trim_end_matches(['"', ')', '\'', ' '])));
        return Some(StatementError::new("2201B", format!("invalid regular expression{why}")));
    }
    if let Some(part) = between(text, "Date part '", "' not supported") {
        let error = StatementError::new("22023", format!("unit \"{part}\" not recognized"));
        return Some(error.near(What::Word(part.to_owned())));
    }
    if let Some(zone) = between(text, "time zone \"", "\" not recognized")
        .or_else(|| between(text, "nvalid timezone \"", "\""))
        .or_else(|| between(text, "nvalid timezone \\\"", "\\\""))
    {
        let error = StatementError::new("22023", format!("time zone \"{zone}\" not recognized"));
        return Some(error.near(What::Constant(zone.to_owned())));
    }
    if has("square root of a negative number") {
        return Some(StatementError::new("2201F", "cannot take square root of a negative number"));
    }
    if has("Input range of LN") || has("Input range of LOG") {
        return Some(StatementError::new("2201E", "cannot take logarithm of a negative number"));
    }
    if let Some(function) = between(text, "Input range of ", " contains out-of-domain") {
        return Some(StatementError::new("22003", format!("input of {} is out of range", function.to_lowercase())));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overflow_is_of_the_type_of_its_operands() {
        for (operation, name) in [
            ("32767 + 1", "smallint"),
            ("2147483647 + 1", "integer"),
            ("-9223372036854775808 - 1", "bigint"),
            ("99999999999999999999 * 9", "numeric"),
        ] {
            let error = values(&format!("Overflow happened on: {operation}")).unwrap();
            assert_eq!((error.state, error.message), ("22003", format!("{name} out of range")));
        }
    }

    #[test]
    fn a_text_is_no_value_or_too_large_a_one() {
        for (text, state, message) in [
            (
                "Cannot cast string 'it's' to value of Int32 type",
                "22P02",
                "invalid input syntax for type integer: \"it's\"",
            ),
            (
                "Cannot cast string '99999999999' to value of Int32 type",
                "22003",
                "value \"99999999999\" is out of range for type integer",
            ),
            (
                "x: CastError(\"Cannot cast string 'abc' to value of Float64 type\")",
                "22P02",
                "invalid input syntax for type double precision: \"abc\"",
            ),
            (
                "Error parsing timestamp from '2026-13-01': bad",
                "22008",
                "date/time field value out of range: \"2026-13-01\"",
            ),
            ("Error parsing timestamp from 'x': bad", "22007", "invalid input syntax for type timestamp: \"x\""),
            ("Can't cast value 300 to type Int8", "22003", "smallint out of range"),
            ("CastError(\"Can't cast value 3000000000 to type Int32\")", "22003", "integer out of range"),
        ] {
            let error = values(text).unwrap();
            assert_eq!((error.state, error.message.as_str()), (state, message));
        }
        assert_eq!(values("it is fine"), None);
    }
}
