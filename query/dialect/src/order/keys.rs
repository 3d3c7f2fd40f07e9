//! The keys by which values of some types are compared: of equal values they are the same, and of unequal ones in PostgreSQL's order.
//!
//! | type | key | |
//! |---|---|---|
//! | `real`, `double precision` | the same type | zeros are equal, and NaN is equal to itself and above all |
//! | `interval` | a number of nanoseconds | a month has 30 days, and a day 24 hours |
//! | arrays | bytes | element by element, NULL above all; then by length, then by dimensions |
//!
//! The bytes of an array: of each element 1 and the element's bytes, or 2 for NULL; then 0, and the lengths of its dimensions.

use crate::SqlError;
use crate::array::{flat, lengths};
use crate::call::Call;
use crate::function::{Arguments, Form, Function, Returns, Takes};
use crate::time::length;
use crate::types::PgType;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal256Type, Float32Type, Float64Type, Int64Type, IntervalMonthDayNanoType};
use arrow_array::{Array, ArrayRef, BinaryArray, Decimal128Array, ListArray};
use arrow_buffer::i256;
use arrow_schema::{DataType, IntervalUnit};
use datafusion::common::Result;
use std::sync::Arc;

/// The type of an interval's key.
const LENGTH: DataType = DataType::Decimal128(38, 0);

/// Whether values of this type are compared by a key.
pub(crate) fn have_key(data_type: &DataType) -> bool {
    match data_type {
        DataType::Interval(unit) => *unit == IntervalUnit::MonthDayNano,
        DataType::Float32 | DataType::Float64 => true,
        other => matches!(PgType::of(other), PgType::Array(_)),
    }
}

/// `order_key(x)`.
pub(super) fn function() -> Function {
    let form = Form::new(vec![Takes::Any], Returns::Computed(result), |call: &Call| keys_of(call.any(0).array()));
    Function::new("order_key", vec![form])
}

fn result(arguments: &Arguments<'_>) -> Result<DataType> {
    Ok(match PgType::of(arguments.data_type(0)) {
        PgType::Interval => LENGTH,
        PgType::Array(_) => DataType::Binary,
        _ => arguments.data_type(0).clone(),
    })
}

/// The keys of values; the values themselves if they have none.
///
/// # Errors
/// 0A000 for elements that have no order here.
pub(crate) fn keys_of(values: &ArrayRef) -> Result<ArrayRef> {
    Ok(match values.data_type() {
        DataType::Float32 => Arc::new(values.as_primitive::<Float32Type>().unary::<_, Float32Type>(normal_float4)),
        DataType::Float64 => Arc::new(values.as_primitive::<Float64Type>().unary::<_, Float64Type>(normal_float8)),
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            let intervals = values.as_primitive::<IntervalMonthDayNanoType>();
            let lengths: Decimal128Array = intervals.iter().map(|value| value.map(length)).collect();
            Arc::new(lengths.with_data_type(LENGTH))
        }
        DataType::List(_) => {
            let arrays = values.as_list::<i32>();
            let mut keys = Vec::with_capacity(arrays.len());
            for row in 0..arrays.len() {
                keys.push(if arrays.is_valid(row) { Some(key_of(arrays, row)?) } else { None });
            }
            Arc::new(keys.into_iter().collect::<BinaryArray>())
        }
        _ => Arc::clone(values),
    })
}

fn normal_float4(value: f32) -> f32 {
    // -0 becomes 0, and every NaN the same.
    if value.is_nan() { f32::NAN } else { value + 0.0 }
}

fn normal_float8(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

fn key_of(arrays: &ListArray, row: usize) -> Result<Vec<u8>> {
    let array = arrays.value(row);
    let mut key = Vec::new();
    append(&mut key, &flat(&array))?;
    key.push(0);
    let lengths = lengths(&array);
    for length in std::iter::once(lengths.len()).chain(lengths) {
        key.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    }
    Ok(key)
}

/// Appends the elements.
fn append(key: &mut Vec<u8>, elements: &ArrayRef) -> Result<()> {
    let known = PgType::of(elements.data_type());
    match known {
        PgType::Text | PgType::Bytea => {
            let bytes = arrow_cast::cast(elements, &DataType::LargeBinary)?;
            let bytes = bytes.as_binary::<i64>();
            each(key, elements, |key, place| {
                for byte in bytes.value(place) {
                    key.push(*byte);
                    if *byte == 0 {
                        key.push(u8::MAX);
                    }
                }
                key.extend_from_slice(&[0, 0]);
            });
        }
        PgType::Bool => {
            let values = elements.as_boolean();
            each(key, elements, |key, place| key.push(u8::from(values.value(place))));
        }
        PgType::Int2 | PgType::Int4 | PgType::Int8 | PgType::Date | PgType::Time => {
            let wide = match known {
                PgType::Date => arrow_cast::cast(elements, &DataType::Int32)?,
                _ => Arc::clone(elements),
            };
            let wide = arrow_cast::cast(&wide, &DataType::Int64)?;
            append_wholes(key, &wide);
        }
        PgType::Timestamp | PgType::Timestamptz => append_wholes(key, &arrow_cast::cast(elements, &DataType::Int64)?),
        PgType::Float4 | PgType::Float8 => {
            let values = arrow_cast::cast(elements, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            each(key, elements, |key, place| {
                let bits = normal_float8(values.value(place)).to_bits();
                // Negative ones in the opposite order, below the others.
                let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
                key.extend_from_slice(&ordered.to_be_bytes());
            });
        }
        PgType::Numeric => {
            let values = arrow_cast::cast(elements, &PgType::numeric_of(elements.data_type()))?;
            let values = values.as_primitive::<Decimal256Type>();
            each(key, elements, |key, place| {
                // As a number without sign, counted from the least.
                let bytes = (values.value(place) ^ i256::MIN).to_be_bytes();
                key.extend_from_slice(&bytes);
            });
        }
        PgType::Interval => {
            let values =
                elements.as_primitive_opt::<IntervalMonthDayNanoType>().ok_or_else(|| without_order(&known))?;
            each(key, elements, |key, place| {
                key.extend_from_slice(&(length(values.value(place)) ^ i128::MIN).to_be_bytes());
            });
        }
        PgType::Unknown => each(key, elements, |_, _| {}),
        PgType::Array(_) | PgType::Other => return Err(without_order(&known).into()),
    }
    Ok(())
}

fn append_wholes(key: &mut Vec<u8>, elements: &ArrayRef) {
    let values = elements.as_primitive::<Int64Type>();
    each(key, elements, |key, place| key.extend_from_slice(&(values.value(place) ^ i64::MIN).to_be_bytes()));
}

/// Appends each element: a byte that tells whether it is NULL, and what it is.
fn each(key: &mut Vec<u8>, elements: &ArrayRef, mut value: impl FnMut(&mut Vec<u8>, usize)) {
    for place in 0..elements.len() {
        if elements.is_null(place) || *elements.data_type() == DataType::Null {
            key.push(2);
        } else {
            key.push(1);
            value(key, place);
        }
    }
}

fn without_order(element: &PgType) -> SqlError {
    SqlError::not_supported(format!("arrays of {element} are not compared"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Int32Type;

    #[test]
    fn arrays_are_in_postgresqls_order() {
        let ordered = [
            Some(vec![]),
            Some(vec![Some(-5)]),
            Some(vec![Some(1)]),
            Some(vec![Some(1), Some(2)]),
            Some(vec![Some(1), Some(2), Some(3)]),
            Some(vec![Some(1), None]),
            Some(vec![Some(i32::MAX)]),
            Some(vec![None]),
            Some(vec![None, Some(1)]),
            Some(vec![None, None]),
        ];
        let arrays: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(ordered));
        let keys = keys_of(&arrays).unwrap();
        let keys = keys.as_binary::<i32>();
        let keys: Vec<&[u8]> = keys.iter().flatten().collect();
        assert_eq!(keys.len(), arrays.len());
        assert!(keys.is_sorted_by(|one, other| one < other), "{keys:?}");
    }

    #[test]
    fn zeros_are_equal_and_nan_is_above_all() {
        let floats = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 1.5, f64::INFINITY, f64::NAN, -f64::NAN];
        let floats: ArrayRef = Arc::new(arrow_array::Float64Array::from(floats.to_vec()));
        let keys = keys_of(&floats).unwrap();
        let keys: Vec<f64> = keys.as_primitive::<Float64Type>().values().to_vec();
        assert!(keys.is_sorted_by(|one, other| one.total_cmp(other).is_le()), "{keys:?}");
        assert_eq!(keys[2].to_bits(), keys[3].to_bits());
        assert_eq!(keys[6].to_bits(), keys[7].to_bits());
    }
}
