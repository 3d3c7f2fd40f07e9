//! Values of parameters from their texts and their binary forms.
//!
//! The types of PostgreSQL whose values the engine has are read as PostgreSQL reads them, and with its codes where they are
//! wrong. A text that is no value is never NULL, and no bytes panic.

use super::error::{InputError, name};
use super::types::{element_of, in_memory};
use super::{array_input, interval, numeric, time_input};
use arrow_schema::DataType;
use datafusion::common::ScalarValue;
use datafusion_postgres::pgwire::api::Type;

/// Microseconds and days from 1970 to 2000, PostgreSQL's epoch.
pub(super) const EPOCH_MICROSECONDS: i64 = 946_684_800_000_000;
pub(super) const EPOCH_DAYS: i32 = 10_957;

/// NULL of a type.
pub(super) fn null(wire_type: &Type) -> Result<ScalarValue, InputError> {
    let data_type = in_memory(wire_type).ok_or_else(|| InputError::unsupported(wire_type))?;
    ScalarValue::try_from(&data_type).map_err(|_| InputError::unsupported(wire_type))
}

/// The value of a text. `now` are the microseconds of the clock, for texts such as `today`.
pub(super) fn from_text(text: &str, wire_type: &Type, now: i64) -> Result<ScalarValue, InputError> {
    if let Some(element) = element_of(wire_type) {
        let array = array_input::from_text(text, |text| from_text(text, &element, now))?;
        return list(array, &element);
    }
    let trimmed = text.trim();
    Ok(match *wire_type {
        Type::BOOL => ScalarValue::Boolean(Some(boolean(trimmed).ok_or_else(|| InputError::text(wire_type, text))?)),
        Type::INT2 => ScalarValue::Int16(Some(whole(trimmed, wire_type)?)),
        Type::INT4 => ScalarValue::Int32(Some(whole(trimmed, wire_type)?)),
        Type::INT8 => ScalarValue::Int64(Some(whole(trimmed, wire_type)?)),
        Type::OID => {
            let oid: i64 = whole(trimmed, wire_type)?;
            let oid = u32::try_from(oid).ok().or_else(|| i32::try_from(oid).ok().map(i32::cast_unsigned));
            ScalarValue::Int32(Some(oid.ok_or_else(|| out_of_range(trimmed, wire_type))?.cast_signed()))
        }
        Type::FLOAT4 => ScalarValue::Float32(Some(float(trimmed, wire_type)? as f32)),
        Type::FLOAT8 => ScalarValue::Float64(Some(float(trimmed, wire_type)?)),
        Type::NUMERIC => numeric::parse(text)?,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::CHAR => {
            ScalarValue::Utf8(Some(text.to_owned()))
        }
        Type::JSON | Type::JSONB => json(text, wire_type)?,
        Type::UUID => ScalarValue::Utf8(Some(uuid(trimmed).ok_or_else(|| InputError::text(wire_type, text))?)),
        Type::BYTEA => ScalarValue::Binary(Some(bytea(text)?)),
        Type::DATE => ScalarValue::Date32(Some(time_input::date_of(text, now)?)),
        Type::TIME => ScalarValue::Time64Nanosecond(Some(time_input::time_of(text, now)? * 1_000)),
        Type::TIMESTAMP => ScalarValue::TimestampMicrosecond(Some(time_input::timestamp_of(text, now)?), None),
        Type::TIMESTAMPTZ => {
            ScalarValue::TimestampMicrosecond(Some(time_input::timestamptz_of(text, now)?), Some("UTC".into()))
        }
        Type::INTERVAL => interval_value(interval::parse(text)?)?,
        _ => return Err(InputError::unsupported(wire_type)),
    })
}

/// The value of a binary form.
pub(super) fn from_binary(bytes: &[u8], wire_type: &Type) -> Result<ScalarValue, InputError> {
    if let Some(element) = element_of(wire_type) {
        let array = array_input::from_binary(bytes, element.oid(), |bytes| from_binary(bytes, &element));
        return list(array?.ok_or_else(|| InputError::binary(wire_type))?, &element);
    }
    let wrong = || InputError::binary(wire_type);
    let of_text = || std::str::from_utf8(bytes).map_err(|_| InputError::new("22021", "a text is not valid UTF-8"));
    let i64_of = || bytes.try_into().map(i64::from_be_bytes).map_err(|_| wrong());
    let i32_of = || bytes.try_into().map(i32::from_be_bytes).map_err(|_| wrong());
    Ok(match *wire_type {
        Type::BOOL => match bytes {
            [byte] => ScalarValue::Boolean(Some(*byte != 0)),
            _ => return Err(wrong()),
        },
        Type::INT2 => ScalarValue::Int16(Some(i16::from_be_bytes(bytes.try_into().map_err(|_| wrong())?))),
        Type::INT4 | Type::OID => ScalarValue::Int32(Some(i32_of()?)),
        Type::INT8 => ScalarValue::Int64(Some(i64_of()?)),
        Type::FLOAT4 => ScalarValue::Float32(Some(f32::from_be_bytes(bytes.try_into().map_err(|_| wrong())?))),
        Type::FLOAT8 => ScalarValue::Float64(Some(f64::from_be_bytes(bytes.try_into().map_err(|_| wrong())?))),
        Type::NUMERIC => numeric::parse(&numeric::from_binary(bytes).ok_or_else(wrong)?)?,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::CHAR => {
            ScalarValue::Utf8(Some(of_text()?.to_owned()))
        }
        Type::JSON => json(of_text()?, wire_type)?,
        Type::JSONB => {
            // The form has a version before the text.
            let text = bytes.strip_prefix(&[1]).ok_or_else(wrong)?;
            json(std::str::from_utf8(text).map_err(|_| wrong())?, wire_type)?
        }
        Type::UUID => {
            let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| wrong())?;
            ScalarValue::Utf8(Some(uuid_text(bytes)))
        }
        Type::BYTEA => ScalarValue::Binary(Some(bytes.to_vec())),
        Type::DATE => {
            let days = i32_of()?;
            refuse_infinity(days == i32::MAX || days == i32::MIN, wire_type)?;
            ScalarValue::Date32(Some(days.checked_add(EPOCH_DAYS).ok_or_else(|| field_out_of_range("date"))?))
        }
        Type::TIME => {
            let time = i64_of()?;
            let is_time = (0..=super::calendar::DAY).contains(&time);
            ScalarValue::Time64Nanosecond(Some(if is_time { time * 1_000 } else { return Err(wrong()) }))
        }
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            let time = i64_of()?;
            refuse_infinity(time == i64::MAX || time == i64::MIN, wire_type)?;
            let time = time.checked_add(EPOCH_MICROSECONDS).ok_or_else(|| field_out_of_range("timestamp"))?;
            let zone = (*wire_type == Type::TIMESTAMPTZ).then(|| "UTC".into());
            ScalarValue::TimestampMicrosecond(Some(time), zone)
        }
        Type::INTERVAL => {
            let (time, rest) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
            let (days, months) = rest.split_first_chunk::<4>().ok_or_else(wrong)?;
            interval_value(interval::Interval {
                months: i32::from_be_bytes(months.try_into().map_err(|_| wrong())?),
                days: i32::from_be_bytes(*days),
                microseconds: i64::from_be_bytes(*time),
            })?
        }
        _ => return Err(InputError::unsupported(wire_type)),
    })
}

/// An array of elements. Numerics of other scales get the largest, as the engine has one for all elements.
fn list(elements: Vec<ScalarValue>, element: &Type) -> Result<ScalarValue, InputError> {
    let unsupported = || InputError::unsupported(element);
    let data_type = match element {
        &Type::NUMERIC => numeric_type(&elements),
        _ => in_memory(element).ok_or_else(unsupported)?,
    };
    let elements = elements.into_iter().map(|value| match value {
        ScalarValue::Null => ScalarValue::try_from(&data_type).map_err(|_| unsupported()),
        value if value.data_type() == data_type => Ok(value),
        value => value.cast_to(&data_type).map_err(|_| unsupported()),
    });
    let elements = elements.collect::<Result<Vec<_>, _>>()?;
    if elements.is_empty() {
        let empty = ScalarValue::new_list_nullable(&[], &data_type);
        return Ok(ScalarValue::List(empty));
    }
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(&elements, &data_type)))
}

/// The type that holds all of these numerics.
fn numeric_type(elements: &[ScalarValue]) -> DataType {
    let digits = elements.iter().filter_map(|value| match value.data_type() {
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            Some((precision.saturating_sub(scale.unsigned_abs()), scale))
        }
        _ => None,
    });
    let (whole, scale) =
        digits.fold((1, 0), |(whole, scale), (other, other_scale)| (whole.max(other), scale.max(other_scale)));
    let precision = whole.saturating_add(scale.unsigned_abs());
    if precision <= 38 {
        DataType::Decimal128(precision, scale)
    } else {
        DataType::Decimal256(precision.min(76), scale)
    }
}

fn refuse_infinity(is_infinite: bool, wire_type: &Type) -> Result<(), InputError> {
    if is_infinite {
        let name = name(wire_type);
        return Err(InputError::new("0A000", format!("infinity as a parameter of type {name} is not supported")));
    }
    Ok(())
}

fn field_out_of_range(what: &str) -> InputError {
    InputError::new("22008", format!("{what} out of range"))
}

fn interval_value(interval: interval::Interval) -> Result<ScalarValue, InputError> {
    let interval::Interval { months, days, microseconds } = interval;
    // The engine counts nanoseconds.
    let nanoseconds = microseconds.checked_mul(1_000).ok_or_else(|| field_out_of_range("interval"))?;
    Ok(ScalarValue::new_interval_mdn(months, days, nanoseconds))
}

fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_lowercase();
    let is_short_for = |word: &str, least: usize| lower.len() >= least && word.starts_with(&lower);
    if is_short_for("true", 1) || is_short_for("yes", 1) || lower == "on" || lower == "1" {
        Some(true)
    } else if is_short_for("false", 1) || is_short_for("no", 1) || is_short_for("off", 2) || lower == "0" {
        Some(false)
    } else {
        None
    }
}

fn whole<N: TryFrom<i64>>(text: &str, wire_type: &Type) -> Result<N, InputError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(InputError::text(wire_type, text));
    }
    let number = text.parse::<i64>().ok().and_then(|number| N::try_from(number).ok());
    number.ok_or_else(|| out_of_range(text, wire_type))
}

fn out_of_range(text: &str, wire_type: &Type) -> InputError {
    InputError::new("22003", format!("value \"{text}\" is out of range for type {}", name(wire_type)))
}

fn float(text: &str, wire_type: &Type) -> Result<f64, InputError> {
    let value = match text.to_lowercase().as_str() {
        "nan" => f64::NAN,
        "infinity" | "+infinity" | "inf" | "+inf" => return Ok(f64::INFINITY),
        "-infinity" | "-inf" => return Ok(f64::NEG_INFINITY),
        // Rust reads other words as numbers too.
        number if number.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e".contains(&byte)) => {
            number.parse().map_err(|_| InputError::text(wire_type, text))?
        }
        _ => return Err(InputError::text(wire_type, text)),
    };
    let is_too_large = value.is_infinite() || (*wire_type == Type::FLOAT4 && (value as f32).is_infinite());
    if is_too_large { Err(out_of_range(text, wire_type)) } else { Ok(value) }
}

fn json(text: &str, wire_type: &Type) -> Result<ScalarValue, InputError> {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => Ok(ScalarValue::Utf8(Some(text.to_owned()))),
        Err(_) => Err(InputError::new("22P02", format!("invalid input syntax for type {}", wire_type.name()))),
    }
}

/// A UUID in the form that PostgreSQL writes, from one of those that it reads: with braces, and with a hyphen after any group
/// of four digits.
fn uuid(text: &str) -> Option<String> {
    let inner = match text.strip_prefix('{') {
        Some(braced) => braced.strip_suffix('}')?,
        None => text,
    };
    let mut digits = String::with_capacity(32);
    for letter in inner.chars() {
        match letter {
            '-' if digits.len().is_multiple_of(4) && !digits.is_empty() && digits.len() < 32 => {}
            digit if digit.is_ascii_hexdigit() => digits.push(digit.to_ascii_lowercase()),
            _ => return None,
        }
    }
    (digits.len() == 32 && !inner.contains("--")).then(|| with_hyphens(&digits))
}

fn uuid_text(bytes: [u8; 16]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    with_hyphens(&digits)
}

fn with_hyphens(digits: &str) -> String {
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

/// Bytes in one of PostgreSQL's two forms: `\x` and hexadecimal digits, or bytes of which the others are written `\ooo`.
fn bytea(text: &str) -> Result<Vec<u8>, InputError> {
    if let Some(digits) = text.strip_prefix("\\x") {
        return hexadecimal(digits);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        let octal = |digit: u8| (b'0'..=b'7').contains(&digit).then(|| u32::from(digit - b'0'));
        match *rest {
            [b'\\', ..] => {
                bytes.push(b'\\');
                rest = &rest[1..];
            }
            [high, middle, low, ..] => {
                let value = octal(high).zip(octal(middle)).zip(octal(low));
                let value = value.and_then(|((high, middle), low)| u8::try_from(high * 64 + middle * 8 + low).ok());
                bytes.push(value.ok_or_else(|| InputError::text(&Type::BYTEA, text))?);
                rest = &rest[3..];
            }
            _ => return Err(InputError::text(&Type::BYTEA, text)),
        }
    }
    Ok(bytes)
}

fn hexadecimal(text: &str) -> Result<Vec<u8>, InputError> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(InputError::new("22023", "invalid hexadecimal data: odd number of digits"));
    }
    let digit = |byte: u8| {
        let value = char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        value.ok_or_else(|| InputError::new("22023", "invalid hexadecimal digit"))
    };
    pairs.iter().map(|[high, low]| Ok(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests;
