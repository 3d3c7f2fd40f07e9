//! `width_bucket`: in which of equally wide buckets, or between which thresholds, a value is.

use super::decimal::{big, big_power_of_ten};
use crate::call::Call;
use crate::error::SqlError;
use crate::function::{Form, Function, Returns, Takes, form};
use crate::types::PgType::{Float8, Int4, Numeric};
use crate::types::{PgType, numeric};
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef};
use arrow_ord::ord::make_comparator;
use arrow_schema::{DataType, SortOptions};
use datafusion::common::Result;
use num_bigint::{BigInt, Sign};
use std::cmp::Ordering;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    vec![Function::new(
        "width_bucket",
        vec![
            form([Float8, Float8, Float8, Int4], || Int4, of_floats),
            form([Numeric, Numeric, Numeric, Int4], || Int4, of_numerics),
            Form::new(vec![Takes::Any, Takes::AnyArray], Returns::Of(|| Int4), of_thresholds),
        ],
    )]
}

fn invalid(message: &str) -> SqlError {
    SqlError::new("2201G", message)
}

fn above(count: i32) -> Result<i32> {
    count.checked_add(1).ok_or_else(|| SqlError::out_of_range("integer").into())
}

fn of_floats(call: &Call) -> Result<ArrayRef> {
    let (values, lows, highs, counts) = (call.float8(0), call.float8(1), call.float8(2), call.int4(3));
    call.primitives::<Int32Type>(|row| {
        let (Some(value), Some(low), Some(high), Some(count)) =
            (values.get(row), lows.get(row), highs.get(row), counts.get(row))
        else {
            return Ok(None);
        };
        of_float(value, low, high, count).map(Some)
    })
}

fn of_float(value: f64, low: f64, high: f64, count: i32) -> Result<i32> {
    if count <= 0 {
        return Err(invalid("count must be greater than zero").into());
    }
    if value.is_nan() || low.is_nan() || high.is_nan() {
        return Err(invalid("operand, lower bound, and upper bound cannot be NaN").into());
    }
    if low.is_infinite() || high.is_infinite() {
        return Err(invalid("lower and upper bounds must be finite").into());
    }
    if low == high {
        return Err(invalid("lower bound cannot equal upper bound").into());
    }
    let (is_below, is_above) = if low < high { (value < low, value >= high) } else { (value > low, value <= high) };
    if is_below {
        return Ok(0);
    }
    if is_above {
        return above(count);
    }
    // Halved, where the width has no float.
    let part = if (high - low).is_infinite() {
        (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)
    } else {
        (value - low) / (high - low)
    };
    // The part may have been rounded up to all.
    let bucket = (f64::from(count) * part) as i32;
    Ok(bucket.min(count - 1) + 1)
}

fn of_numerics(call: &Call) -> Result<ArrayRef> {
    let (values, lows, highs, counts) = (call.numeric(0), call.numeric(1), call.numeric(2), call.int4(3));
    let scales = [call.scale(0), call.scale(1), call.scale(2)];
    let scale = scales.into_iter().fold(0, i8::max);
    let aligned = |value, from: i8| big(value) * big_power_of_ten((scale - from).unsigned_abs().into());
    call.primitives::<Int32Type>(|row| {
        let (Some(value), Some(low), Some(high), Some(count)) =
            (values.get(row), lows.get(row), highs.get(row), counts.get(row))
        else {
            return Ok(None);
        };
        let [value, low, high] = [aligned(value, scales[0]), aligned(low, scales[1]), aligned(high, scales[2])];
        of_numeric(&value, &low, &high, count).map(Some)
    })
}

fn of_numeric(value: &BigInt, low: &BigInt, high: &BigInt, count: i32) -> Result<i32> {
    if count <= 0 {
        return Err(invalid("count must be greater than zero").into());
    }
    if low == high {
        return Err(invalid("lower bound cannot equal upper bound").into());
    }
    let (part, width) = if low < high { (value - low, high - low) } else { (low - value, low - high) };
    if part.sign() == Sign::Minus {
        return Ok(0);
    }
    if part >= width {
        return above(count);
    }
    let bucket = i32::try_from(part * count / width).map_err(|_| SqlError::out_of_range("integer"))?;
    above(bucket)
}

/// The type in which a value and thresholds of two types are compared.
fn common(value: &DataType, threshold: &DataType) -> Result<DataType> {
    if value == threshold {
        return Ok(value.clone());
    }
    let (one, other) = (PgType::of(value), PgType::of(threshold));
    let scale = |data_type: &DataType| match PgType::numeric_of(data_type) {
        DataType::Decimal256(_, scale) => scale,
        _ => 0,
    };
    match (&one, &other) {
        (Numeric, _) | (_, Numeric) if one.becomes(&other) || other.becomes(&one) => {
            if one == Float8 || other == Float8 || one == PgType::Float4 || other == PgType::Float4 {
                return Ok(DataType::Float64);
            }
            Ok(numeric(scale(value).max(scale(threshold))))
        }
        _ if one.becomes(&other) => Ok(threshold.clone()),
        _ if other.becomes(&one) => Ok(value.clone()),
        _ => Err(SqlError::new("42883", format!("function width_bucket({one}, {other}[]) does not exist")).into()),
    }
}

/// How many thresholds are not above the value.
fn of_thresholds(call: &Call) -> Result<ArrayRef> {
    let (values, lists) = (call.any(0), call.list(1));
    let thresholds = lists.array().values();
    let data_type = common(values.array().data_type(), thresholds.data_type())?;
    let cast_values = arrow_cast::cast(values.array(), &data_type)?;
    let cast_thresholds = arrow_cast::cast(thresholds, &data_type)?;
    let compare = make_comparator(&cast_thresholds, &cast_values, SortOptions::default())?;
    call.primitives::<Int32Type>(|row| {
        let (value, list) = (values.index(row), lists.index(row));
        if values.array().is_null(value) || lists.array().is_null(list) {
            return Ok(None);
        }
        let offsets = lists.array().value_offsets();
        let (mut low, mut high) = (offsets[list] as usize, offsets[list + 1] as usize);
        if (low..high).any(|place| cast_thresholds.is_null(place)) {
            return Err(SqlError::new("22004", "thresholds array must not contain NULLs").into());
        }
        let first = low;
        while low < high {
            let middle = low + (high - low) / 2;
            if compare(middle, value) == Ordering::Greater {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        i32::try_from(low - first).map(Some).map_err(|_| SqlError::out_of_range("integer").into())
    })
}
