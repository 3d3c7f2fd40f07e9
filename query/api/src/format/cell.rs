//! Single values as JSON, and so as CSV, for types of which JSON or its writer would lose digits.
//!
//! | value | as |
//! |---|---|
//! | whole numbers beyond ±(2^53 - 1) | a text, as I-JSON requires (RFC 7493, section 2.2) |
//! | decimals | a text with all their digits; of a quotient or an average without the zeros at the end |
//! | NaN and infinities | `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | instants | RFC 3339 in UTC, with microseconds |

use std::io::Write as _;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt64Type,
};
use arrow_array::{Array, PrimitiveArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_json::writer::{Encoder, EncoderFactory, EncoderOptions, NullableEncoder};
use arrow_schema::{ArrowError, DataType, FieldRef, TimeUnit};
use chrono::DateTime;
use holdfast_query::shown_values;

/// The largest whole number that every JSON reader keeps exact.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The options with which the cells of all columns are encoded.
pub(crate) fn options() -> EncoderOptions {
    EncoderOptions::default().with_explicit_nulls(true).with_encoder_factory(std::sync::Arc::new(ExactEncoders))
}

#[derive(Debug)]
struct ExactEncoders;

struct CellEncoder<F>(F);

impl<F: FnMut(usize, &mut Vec<u8>)> Encoder for CellEncoder<F> {
    fn encode(&mut self, index: usize, out: &mut Vec<u8>) {
        (self.0)(index, out);
    }
}

impl EncoderFactory for ExactEncoders {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Box<dyn Encoder + 'a> = match array.data_type() {
            DataType::Int64 => {
                let values: &PrimitiveArray<Int64Type> = array.as_primitive();
                Box::new(CellEncoder(move |row, out: &mut Vec<u8>| {
                    let value = values.value(row);
                    whole(value, value.unsigned_abs() <= MAX_SAFE_INTEGER, out);
                }))
            }
            DataType::UInt64 => {
                let values: &PrimitiveArray<UInt64Type> = array.as_primitive();
                Box::new(CellEncoder(move |row, out: &mut Vec<u8>| {
                    let value = values.value(row);
                    whole(value, value <= MAX_SAFE_INTEGER, out);
                }))
            }
            DataType::Float16 => {
                let values: &PrimitiveArray<Float16Type> = array.as_primitive();
                Box::new(CellEncoder(move |row, out: &mut Vec<u8>| float(values.value(row).to_f32(), out)))
            }
            DataType::Float32 => {
                let values: &PrimitiveArray<Float32Type> = array.as_primitive();
                Box::new(CellEncoder(move |row, out: &mut Vec<u8>| float(values.value(row), out)))
            }
            DataType::Float64 => {
                let values: &PrimitiveArray<Float64Type> = array.as_primitive();
                Box::new(CellEncoder(move |row, out: &mut Vec<u8>| float(values.value(row), out)))
            }
            DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
                let shown = shown_values(&array.slice(0, array.len()))
                    .map_err(|error| ArrowError::ExternalError(Box::new(error)))?;
                match shown.as_string_view_opt().cloned() {
                    Some(shown) => Box::new(CellEncoder(move |row, out: &mut Vec<u8>| {
                        text(format_args!("{}", shown.value(row)), out);
                    })),
                    None => {
                        const PLAIN: FormatOptions<'static> = FormatOptions::new();
                        let formatter = ArrayFormatter::try_new(array, &PLAIN)?;
                        Box::new(CellEncoder(move |row, out: &mut Vec<u8>| {
                            text(format_args!("{}", formatter.value(row)), out);
                        }))
                    }
                }
            }
            DataType::Timestamp(unit, zone) => instants(array, *unit, zone.is_some()),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(encoder, array.nulls().cloned())))
    }
}

fn instants<'a>(array: &'a dyn Array, unit: TimeUnit, is_zoned: bool) -> Box<dyn Encoder + 'a> {
    match unit {
        TimeUnit::Second => {
            let values: &PrimitiveArray<TimestampSecondType> = array.as_primitive();
            Box::new(CellEncoder(move |row, out: &mut Vec<u8>| instant(values.value(row), 1, is_zoned, out)))
        }
        TimeUnit::Millisecond => {
            let values: &PrimitiveArray<TimestampMillisecondType> = array.as_primitive();
            Box::new(CellEncoder(move |row, out: &mut Vec<u8>| instant(values.value(row), 1_000, is_zoned, out)))
        }
        TimeUnit::Microsecond => {
            let values: &PrimitiveArray<TimestampMicrosecondType> = array.as_primitive();
            Box::new(CellEncoder(move |row, out: &mut Vec<u8>| instant(values.value(row), 1_000_000, is_zoned, out)))
        }
        TimeUnit::Nanosecond => {
            let values: &PrimitiveArray<TimestampNanosecondType> = array.as_primitive();
            Box::new(CellEncoder(move |row, out: &mut Vec<u8>| {
                instant(values.value(row), 1_000_000_000, is_zoned, out)
            }))
        }
    }
}

/// Writes an instant as RFC 3339, without an offset if its type has no zone. An instant outside the calendar's range is
/// written as a fraction of seconds since 1970.
fn instant(value: i64, per_second: i64, is_zoned: bool, out: &mut Vec<u8>) {
    let nanoseconds = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
    match DateTime::from_timestamp(value.div_euclid(per_second), nanoseconds as u32) {
        Some(instant) if is_zoned => text(format_args!("{}", instant.format("%Y-%m-%dT%H:%M:%S%.6fZ")), out),
        Some(instant) => text(format_args!("{}", instant.format("%Y-%m-%dT%H:%M:%S%.6f")), out),
        None => text(format_args!("{value}/{per_second} s after 1970-01-01T00:00:00Z"), out),
    }
}

fn whole(value: impl std::fmt::Display, is_safe: bool, out: &mut Vec<u8>) {
    if is_safe { put(format_args!("{value}"), out) } else { text(format_args!("{value}"), out) }
}

fn float<F: Into<f64> + Copy + serde::Serialize>(value: F, out: &mut Vec<u8>) {
    let wide: f64 = value.into();
    if wide.is_nan() {
        text(format_args!("NaN"), out);
    } else if wide.is_infinite() {
        text(format_args!("{}Infinity", if wide < 0.0 { "-" } else { "" }), out);
    } else {
        // The shortest digits that parse to the same number. Writing into memory does not fail.
        let _ = serde_json::to_writer(out, &value);
    }
}

/// Writes a text that needs no escapes.
fn text(words: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
    out.push(b'"');
    put(words, out);
    out.push(b'"');
}

fn put(words: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
    // Writing into memory does not fail.
    let _ = out.write_fmt(words);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, Decimal128Array, Float64Array, Int64Array, TimestampMicrosecondArray, TimestampSecondArray,
        UInt64Array,
    };
    use arrow_json::writer::make_encoder;
    use arrow_schema::Field;

    use super::*;

    fn written(array: ArrayRef) -> Vec<String> {
        let field: FieldRef = Arc::new(Field::new("x", array.data_type().clone(), true));
        let options = options();
        let mut encoder = make_encoder(&field, array.as_ref(), &options).unwrap();
        let cell = |row| {
            let mut out = Vec::new();
            if encoder.is_null(row) {
                out.extend(b"null")
            } else {
                encoder.encode(row, &mut out)
            }
            String::from_utf8(out).unwrap()
        };
        (0..array.len()).map(cell).collect()
    }

    #[test]
    fn numbers_keep_all_digits() {
        let limit = MAX_SAFE_INTEGER as i64;
        assert_eq!(
            written(Arc::new(Int64Array::from(vec![Some(limit), Some(-limit - 1), None, Some(i64::MIN)]))),
            ["9007199254740991", "\"-9007199254740992\"", "null", "\"-9223372036854775808\""]
        );
        assert_eq!(written(Arc::new(UInt64Array::from(vec![7, u64::MAX]))), ["7", "\"18446744073709551615\""]);
        let decimals = Decimal128Array::from(vec![1230, -5]).with_precision_and_scale(38, 2).unwrap();
        assert_eq!(written(Arc::new(decimals)), ["\"12.30\"", "\"-0.05\""]);
        let floats = vec![0.1, f64::NAN, f64::NEG_INFINITY, 1e300];
        assert_eq!(written(Arc::new(Float64Array::from(floats))), ["0.1", "\"NaN\"", "\"-Infinity\"", "1e+300"]);
    }

    #[test]
    fn instants_have_microseconds() {
        let values = vec![1_778_407_200_000_001, -1];
        let zoned = TimestampMicrosecondArray::from(values.clone()).with_timezone("UTC");
        assert_eq!(written(Arc::new(zoned)), ["\"2026-05-10T10:00:00.000001Z\"", "\"1969-12-31T23:59:59.999999Z\""]);
        assert_eq!(written(Arc::new(TimestampMicrosecondArray::from(values)))[0], "\"2026-05-10T10:00:00.000001\"");
        let beyond = written(Arc::new(TimestampSecondArray::from(vec![i64::MAX])));
        assert_eq!(beyond, ["\"9223372036854775807/1 s after 1970-01-01T00:00:00Z\""]);
    }
}
