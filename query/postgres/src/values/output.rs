//! Values in PostgreSQL's texts and binary forms.
//!
//! Each value is written at once into the row. The type in memory is one of those that [`super::types::written`] names.

use super::calendar::{DAY, SECOND, date};
use super::input::{EPOCH_DAYS, EPOCH_MICROSECONDS};
use super::interval::{self, Interval};
use super::numeric;
use super::types::element_of;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, DurationMicrosecondType, Float32Type, Float64Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};
use datafusion_postgres::pgwire::api::Type;
use std::io::Write;

/// Why a value cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum OutputError {
    #[error("values of this type cannot be written")]
    Type,
    #[error("the arrays of an array have different lengths")]
    Dimensions,
    #[error("the text is no value of the type")]
    Text,
}

/// Appends the value at `row`, which is not NULL.
pub(super) fn write(
    out: &mut Vec<u8>,
    array: &dyn Array,
    row: usize,
    wire_type: &Type,
    is_binary: bool,
) -> Result<(), OutputError> {
    match array.data_type() {
        DataType::Boolean => {
            let value = array.as_boolean().value(row);
            out.push(if is_binary {
                u8::from(value)
            } else if value {
                b't'
            } else {
                b'f'
            });
        }
        DataType::Int16 => number(out, i64::from(array.as_primitive::<Int16Type>().value(row)), 2, is_binary),
        DataType::Int32 => {
            let value = array.as_primitive::<Int32Type>().value(row);
            let is_unsigned = *wire_type == Type::OID || *wire_type == Type::XID;
            let shown = if is_unsigned && !is_binary { i64::from(value.cast_unsigned()) } else { i64::from(value) };
            number(out, shown, 4, is_binary);
        }
        DataType::Int64 => number(out, array.as_primitive::<Int64Type>().value(row), 8, is_binary),
        DataType::Float32 => {
            let value = array.as_primitive::<Float32Type>().value(row);
            if is_binary {
                out.extend(value.to_be_bytes())
            } else {
                float(out, f64::from(value), &format!("{value:e}"), 6)
            }
        }
        DataType::Float64 => {
            let value = array.as_primitive::<Float64Type>().value(row);
            if is_binary { out.extend(value.to_be_bytes()) } else { float(out, value, &format!("{value:e}"), 15) }
        }
        DataType::Decimal128(_, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row).to_string();
            decimal(out, &numeric::text(&value, *scale), is_binary);
        }
        DataType::Decimal256(_, scale) => {
            let value = array.as_primitive::<Decimal256Type>().value(row).to_string();
            decimal(out, &numeric::text(&value, *scale), is_binary);
        }
        DataType::Utf8 => text(out, array.as_string::<i32>().value(row), wire_type, is_binary)?,
        DataType::LargeUtf8 => text(out, array.as_string::<i64>().value(row), wire_type, is_binary)?,
        DataType::Utf8View => text(out, array.as_string_view().value(row), wire_type, is_binary)?,
        DataType::Binary => bytes(out, array.as_binary::<i32>().value(row), is_binary),
        DataType::BinaryView => bytes(out, array.as_binary_view().value(row), is_binary),
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().value(row);
            match (is_binary, days) {
                (true, i32::MIN | i32::MAX) => out.extend(days.to_be_bytes()),
                (true, days) => out.extend(days.saturating_sub(EPOCH_DAYS).to_be_bytes()),
                (false, i32::MAX) => out.extend(b"infinity"),
                (false, i32::MIN) => out.extend(b"-infinity"),
                (false, days) => {
                    let era = date_text(out, i64::from(days));
                    out.extend(era.as_bytes());
                }
            }
        }
        DataType::Time64(TimeUnit::Microsecond) => {
            let time = array.as_primitive::<Time64MicrosecondType>().value(row);
            if is_binary { out.extend(time.to_be_bytes()) } else { time_text(out, time) }
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let time = array.as_primitive::<TimestampMicrosecondType>().value(row);
            match (is_binary, time) {
                (true, i64::MIN | i64::MAX) => out.extend(time.to_be_bytes()),
                (true, time) => out.extend(time.saturating_sub(EPOCH_MICROSECONDS).to_be_bytes()),
                (false, time) => timestamp(out, time, zone.is_some()),
            }
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let value = array.as_primitive::<IntervalMonthDayNanoType>().value(row);
            let microseconds = value.nanoseconds / 1_000;
            interval_value(out, Interval { months: value.months, days: value.days, microseconds }, is_binary);
        }
        DataType::Duration(TimeUnit::Microsecond) => {
            let difference = array.as_primitive::<DurationMicrosecondType>().value(row);
            interval_value(out, interval::of_difference(difference), is_binary);
        }
        DataType::List(_) => {
            let elements = array.as_list::<i32>().value(row);
            let element = element_of(wire_type).ok_or(OutputError::Type)?;
            if is_binary { array_binary(out, &elements, &element)? } else { array_text(out, &elements, &element)? }
        }
        _ => return Err(OutputError::Type),
    }
    Ok(())
}

/// A number of `size` bytes.
fn number(out: &mut Vec<u8>, value: i64, size: usize, is_binary: bool) {
    if is_binary {
        out.extend(&value.to_be_bytes()[8 - size..]);
    } else {
        append(out, format_args!("{value}"));
    }
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing into memory does not fail.
    let _ = out.write_fmt(text);
}

/// A float by its shortest digits, which `scientific` has: as they are up to `digits` before the point, and with an exponent
/// beyond that.
fn float(out: &mut Vec<u8>, value: f64, scientific: &str, digits: i32) {
    if value.is_nan() {
        return out.extend(b"NaN");
    }
    if value.is_infinite() {
        return out.extend(if value > 0.0 { b"Infinity".as_slice() } else { b"-Infinity" });
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..digits).contains(&exponent) {
        let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
        let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
        let scale = i32::try_from(all.len()).unwrap_or(1) - 1 - exponent;
        let plain = numeric::text(&all, i8::try_from(scale).unwrap_or(0));
        append(out, format_args!("{sign}{plain}"));
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        append(out, format_args!("{mantissa}e{sign}{:02}", exponent.unsigned_abs()));
    }
}

fn decimal(out: &mut Vec<u8>, text: &str, is_binary: bool) {
    if is_binary { numeric::to_binary(out, text) } else { out.extend(text.as_bytes()) }
}

fn text(out: &mut Vec<u8>, text: &str, wire_type: &Type, is_binary: bool) -> Result<(), OutputError> {
    match (wire_type, is_binary) {
        (&Type::CHAR, true) => out.push(text.bytes().next().unwrap_or(0)),
        (&Type::JSONB, true) => {
            // The form has a version before the text.
            out.push(1);
            out.extend(text.as_bytes());
        }
        (&Type::UUID, true) => {
            let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
            let value = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32);
            out.extend(value.ok_or(OutputError::Text)?.to_be_bytes());
        }
        (&Type::NUMERIC, true) => numeric::to_binary(out, text),
        _ => out.extend(text.as_bytes()),
    }
    Ok(())
}

fn bytes(out: &mut Vec<u8>, value: &[u8], is_binary: bool) {
    if is_binary {
        return out.extend(value);
    }
    out.extend(b"\\x");
    let digit = |value: u8| char::from_digit(u32::from(value), 16).map_or(b'0', |digit| digit as u8);
    out.extend(value.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]));
}

/// Appends the date, and returns what follows it or its time.
fn date_text(out: &mut Vec<u8>, days: i64) -> &'static str {
    let (year, month, day) = date(days);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    append(out, format_args!("{year:04}-{month:02}-{day:02}"));
    era
}

fn time_text(out: &mut Vec<u8>, time: i64) {
    let seconds = time / SECOND;
    append(out, format_args!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60));
    let mut rest = String::new();
    interval::fraction(&mut rest, (time % SECOND).unsigned_abs());
    out.extend(rest.as_bytes());
}

/// Appends the text of a time in UTC.
pub(super) fn timestamp(out: &mut Vec<u8>, time: i64, has_zone: bool) {
    match time {
        i64::MAX => return out.extend(b"infinity"),
        i64::MIN => return out.extend(b"-infinity"),
        _ => {}
    }
    let era = date_text(out, time.div_euclid(DAY));
    out.push(b' ');
    time_text(out, time.rem_euclid(DAY));
    if has_zone {
        out.extend(b"+00");
    }
    out.extend(era.as_bytes());
}

fn interval_value(out: &mut Vec<u8>, value: Interval, is_binary: bool) {
    if is_binary {
        out.extend(value.microseconds.to_be_bytes());
        out.extend(value.days.to_be_bytes());
        out.extend(value.months.to_be_bytes());
    } else {
        let mut text = String::new();
        interval::write(&mut text, value);
        out.extend(text.as_bytes());
    }
}

fn array_text(out: &mut Vec<u8>, elements: &ArrayRef, element: &Type) -> Result<(), OutputError> {
    out.push(b'{');
    for row in 0..elements.len() {
        if row > 0 {
            out.push(b',');
        }
        if elements.is_null(row) {
            out.extend(b"NULL");
        } else if let DataType::List(_) = elements.data_type() {
            array_text(out, &elements.as_list::<i32>().value(row), element)?;
        } else {
            let mut value = Vec::new();
            write(&mut value, elements.as_ref(), row, element, false)?;
            quoted(out, &value);
        }
    }
    out.push(b'}');
    Ok(())
}

/// An element of an array, in quotes if it would be read as something else.
fn quoted(out: &mut Vec<u8>, value: &[u8]) {
    let is_special = |byte: &u8| b"{},\"\\".contains(byte) || byte.is_ascii_whitespace() || *byte == 0x0b;
    if !value.is_empty() && !value.eq_ignore_ascii_case(b"null") && !value.iter().any(is_special) {
        return out.extend(value);
    }
    out.push(b'"');
    for byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

fn array_binary(out: &mut Vec<u8>, elements: &ArrayRef, element: &Type) -> Result<(), OutputError> {
    let mut lengths = Vec::new();
    let mut leaves = Vec::new();
    let mut has_nulls = false;
    collect(elements, 0, element, &mut lengths, &mut leaves, &mut has_nulls)?;
    let lengths = if lengths.contains(&0) { Vec::new() } else { lengths };
    let count = |number: usize| i32::try_from(number).map_err(|_| OutputError::Dimensions);
    out.extend(count(lengths.len())?.to_be_bytes());
    out.extend(i32::from(has_nulls).to_be_bytes());
    out.extend(element.oid().to_be_bytes());
    for length in lengths {
        out.extend(count(length)?.to_be_bytes());
        out.extend(1_i32.to_be_bytes());
    }
    out.extend(leaves);
    Ok(())
}

/// Collects the lengths of all dimensions, and the innermost elements with their lengths in bytes.
fn collect(
    elements: &ArrayRef,
    depth: usize,
    element: &Type,
    lengths: &mut Vec<usize>,
    leaves: &mut Vec<u8>,
    has_nulls: &mut bool,
) -> Result<(), OutputError> {
    match lengths.get(depth) {
        None => lengths.push(elements.len()),
        Some(length) if *length == elements.len() => {}
        Some(_) => return Err(OutputError::Dimensions),
    }
    let is_nested = matches!(elements.data_type(), DataType::List(_));
    for row in 0..elements.len() {
        if elements.is_null(row) {
            if is_nested {
                return Err(OutputError::Dimensions);
            }
            *has_nulls = true;
            leaves.extend((-1_i32).to_be_bytes());
        } else if is_nested {
            collect(&elements.as_list::<i32>().value(row), depth + 1, element, lengths, leaves, has_nulls)?;
        } else {
            sized(leaves, |leaves| write(leaves, elements.as_ref(), row, element, true))?;
        }
    }
    Ok(())
}

/// Appends what `value` appends, after its length.
pub(super) fn sized(
    out: &mut Vec<u8>,
    value: impl FnOnce(&mut Vec<u8>) -> Result<(), OutputError>,
) -> Result<(), OutputError> {
    let start = out.len();
    out.extend([0; 4]);
    value(out)?;
    let length = i32::try_from(out.len() - start - 4).map_err(|_| OutputError::Dimensions)?;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests;
