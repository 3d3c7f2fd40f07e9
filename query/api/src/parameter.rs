//! The value of a placeholder: JSON to a typed value. Pure.
//!
//! Values never become part of a statement's text. Null, booleans, numbers and texts have their JSON type. Other types are
//! named: `{"type": "timestamp", "value": "2026-05-10T10:00:00Z"}`.

use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use serde_json::{Number, Value};

use crate::problem::Problem;

/// The types that a value can name.
pub(crate) const TYPES: [&str; 8] = ["text", "boolean", "bigint", "double", "decimal", "date", "timestamp", "bytes"];
const MAX_DIGITS: usize = 38;

/// The value of the placeholder `$place`.
pub(crate) fn parse(place: usize, value: Value) -> Result<ScalarValue, Problem> {
    let wrong = |what: &str| Problem::invalid_parameter(format!("${place} {what}"));
    match value {
        Value::Null => Ok(ScalarValue::Null),
        Value::Bool(value) => Ok(ScalarValue::Boolean(Some(value))),
        Value::String(text) => Ok(ScalarValue::Utf8(Some(text))),
        Value::Number(number) => untyped(&number).ok_or_else(|| {
            wrong(
                "is a number with more digits than JSON keeps exact; send {\"type\": \"decimal\", \"value\": \"...\"}",
            )
        }),
        Value::Array(_) => Err(wrong("is an array; send each element as a parameter")),
        Value::Object(mut object) => {
            let (kind, value) = (object.remove("type"), object.remove("value"));
            let (Some(Value::String(kind)), Some(value), true) = (kind, value, object.is_empty()) else {
                return Err(wrong("is an object; a typed value has exactly `type`, a text, and `value`"));
            };
            if !TYPES.contains(&kind.as_str()) {
                return Err(wrong(&format!("has an unknown type; it is one of {}", TYPES.join(", "))));
            }
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text),
                Value::Bool(value) => Some(value.to_string()),
                Value::Number(number) => Some(number.to_string()),
                Value::Array(_) | Value::Object(_) => {
                    return Err(wrong("has a `value` that is not a text, number or boolean"));
                }
            };
            typed(&kind, text).ok_or_else(|| wrong(&format!("is not a value of the type {kind}")))
        }
    }
}

/// Casts a value to the type that the statement expects at its place.
pub(crate) fn cast(place: usize, value: ScalarValue, expected: Option<&DataType>) -> Result<ScalarValue, Problem> {
    let Some(expected) = expected else { return Ok(value) };
    if value.data_type() == *expected {
        return Ok(value);
    }
    let mismatch = || {
        Problem::invalid_parameter(format!(
            "${place} is not a value of the type that the statement expects, {expected}"
        ))
    };
    let is_null = value.is_null();
    let cast = value.cast_to(expected).map_err(|_| mismatch())?;
    // A cast returns null for a value that cannot be cast.
    if cast.is_null() && !is_null { Err(mismatch()) } else { Ok(cast) }
}

/// `None` for a whole number that is too large: the JSON reader has rounded it.
fn untyped(number: &Number) -> Option<ScalarValue> {
    if let Some(whole) = number.as_i64() {
        return Some(ScalarValue::Int64(Some(whole)));
    }
    if let Some(whole) = number.as_u64() {
        return Some(ScalarValue::UInt64(Some(whole)));
    }
    let value = number.as_f64()?;
    let is_exact = value.fract() != 0.0 || value.abs() < 9_007_199_254_740_992.0;
    is_exact.then_some(ScalarValue::Float64(Some(value)))
}

fn typed(kind: &str, text: Option<String>) -> Option<ScalarValue> {
    let data_type = match kind {
        "text" => return Some(ScalarValue::Utf8(text)),
        "bytes" => {
            let Some(text) = text else { return Some(ScalarValue::Binary(None)) };
            return Some(ScalarValue::Binary(Some(from_hex(&text)?)));
        }
        "boolean" => DataType::Boolean,
        "bigint" => DataType::Int64,
        "double" => DataType::Float64,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
        "decimal" => DataType::Decimal128(MAX_DIGITS as u8, text.as_deref().map_or(Some(0), scale)?),
        _ => return None,
    };
    let Some(text) = text else { return ScalarValue::try_from(&data_type).ok() };
    let value = ScalarValue::try_from_string(text, &data_type).ok()?;
    (!value.is_null()).then_some(value)
}

/// The number of digits after the point of a decimal number.
fn scale(text: &str) -> Option<i8> {
    let digits = text.trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let fits = whole.len() + fraction.len() <= MAX_DIGITS && text.len() <= digits.len() + 1;
    (is_number && fits).then_some(fraction.len() as i8)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_values_have_their_json_type() {
        assert_eq!(parse(1, json!(null)).unwrap(), ScalarValue::Null);
        assert_eq!(parse(1, json!(true)).unwrap(), ScalarValue::Boolean(Some(true)));
        assert_eq!(parse(1, json!(-7)).unwrap(), ScalarValue::Int64(Some(-7)));
        assert_eq!(parse(1, json!(u64::MAX)).unwrap(), ScalarValue::UInt64(Some(u64::MAX)));
        assert_eq!(parse(1, json!(1.5)).unwrap(), ScalarValue::Float64(Some(1.5)));
        assert_eq!(parse(1, json!("x' OR '1'='1")).unwrap(), ScalarValue::from("x' OR '1'='1"));
    }

    #[test]
    fn typed_values_have_the_named_type() {
        let typed = |kind: &str, value: Value| parse(1, json!({"type": kind, "value": value})).ok();
        let time = Some(Arc::from("UTC"));
        let instant = ScalarValue::TimestampMicrosecond(Some(1_778_407_200_000_000), time);
        assert_eq!(typed("timestamp", json!("2026-05-10T10:00:00Z")), Some(instant.clone()));
        assert_eq!(typed("timestamp", json!("2026-05-10T12:00:00+02:00")), Some(instant));
        assert_eq!(typed("date", json!("2026-05-10")), Some(ScalarValue::Date32(Some(20_583))));
        assert_eq!(typed("decimal", json!("-12.30")), Some(ScalarValue::Decimal128(Some(-1230), 38, 2)));
        assert_eq!(typed("bytes", json!("00fF")), Some(ScalarValue::Binary(Some(vec![0, 255]))));
        assert_eq!(typed("bigint", json!("12")), Some(ScalarValue::Int64(Some(12))));
        assert_eq!(typed("date", json!(null)), Some(ScalarValue::Date32(None)));
        for (kind, value) in [
            ("timestamp", json!("yesterday")),
            ("date", json!("2026-13-01")),
            ("decimal", json!("1e5")),
            ("decimal", json!("--1")),
            ("bytes", json!("0")),
            ("bytes", json!("zz")),
            ("bigint", json!("1.5")),
            ("boolean", json!("perhaps")),
            ("uuid", json!("x")),
            ("text", json!(["x"])),
        ] {
            assert_eq!(typed(kind, value.clone()), None, "{kind} {value}");
        }
    }

    #[test]
    fn values_that_would_lose_digits_are_refused() {
        let large: Value = serde_json::from_str("18446744073709551616").unwrap();
        assert!(parse(1, large).is_err());
        assert!(parse(1, json!([1])).is_err());
        assert!(parse(1, json!({"value": 1})).is_err());
        assert!(cast(1, ScalarValue::from("abc"), Some(&DataType::Int64)).is_err());
        assert_eq!(cast(1, ScalarValue::from("12"), Some(&DataType::Int64)).unwrap(), ScalarValue::Int64(Some(12)));
        assert_eq!(cast(1, ScalarValue::Null, Some(&DataType::Int64)).unwrap(), ScalarValue::Int64(None));
    }
}
