//! Casts between numbers and texts.
//!
//! | from | to | |
//! |---|---|---|
//! | float | integer | rounds half to even; 22003 |
//! | numeric | integer | rounds half away from zero; 22003 |
//! | integer | smaller integer | 22003 |
//! | text | number | 22P02, 22003 |
//! | float | numeric | 15 significant digits, 6 of a `real` |
//! | number | `numeric(p, s)` | rounds half away from zero; 22003 |
//! | float, numeric | text | [`super::text`] |

use super::decimal::{big_power_of_ten, big_quotient, fitted, has_digits, rescaled, rounded, small};
use super::kernel::unary;
use super::text;
use crate::call::Call;
use crate::cast::CastRule;
use crate::error::SqlError;
use crate::types::{NUMERIC_DIGITS, OPEN_SCALE, PgType};
use arrow_array::types::{
    ArrowPrimitiveType, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_buffer::i256;
use arrow_schema::DataType;
use datafusion::common::Result;
use num_bigint::BigInt;
use std::sync::Arc;

/// The casts.
pub(super) fn casts() -> Vec<CastRule> {
    use PgType::{Float4, Float8, Int2, Int4, Int8, Numeric, Text};
    let rule = |from: PgType, to: PgType, evaluate: crate::function::Evaluate| CastRule { from, to, evaluate };
    vec![
        rule(Int4, Int2, narrow::<Int32Type, Int16Type>),
        rule(Int8, Int2, narrow::<Int64Type, Int16Type>),
        rule(Int8, Int4, narrow::<Int64Type, Int32Type>),
        rule(Float8, Int2, of_float8::<Int16Type>),
        rule(Float8, Int4, of_float8::<Int32Type>),
        rule(Float8, Int8, of_float8::<Int64Type>),
        rule(Float4, Int2, of_float4::<Int16Type>),
        rule(Float4, Int4, of_float4::<Int32Type>),
        rule(Float4, Int8, of_float4::<Int64Type>),
        rule(Numeric, Int2, of_numeric::<Int16Type>),
        rule(Numeric, Int4, of_numeric::<Int32Type>),
        rule(Numeric, Int8, of_numeric::<Int64Type>),
        rule(Text, Int2, of_text::<Int16Type>),
        rule(Text, Int4, of_text::<Int32Type>),
        rule(Text, Int8, of_text::<Int64Type>),
        rule(Float8, Float4, narrow_float),
        rule(Numeric, Float8, |call| {
            let scale = call.scale(0);
            unary::<_, Float64Type>(call, call.numeric(0), |value| Ok(text::float8_of_numeric(value, scale)))
        }),
        rule(Numeric, Float4, |call| {
            let scale = call.scale(0);
            unary::<_, Float32Type>(call, call.numeric(0), |value| text::float4_of_numeric(value, scale))
        }),
        rule(Text, Float8, |call| {
            let values = call.text(0);
            call.primitives::<Float64Type>(|row| values.get(row).map(text::float8).transpose())
        }),
        rule(Text, Float4, |call| {
            let values = call.text(0);
            call.primitives::<Float32Type>(|row| values.get(row).map(text::float4).transpose())
        }),
        rule(Int2, Numeric, numeric_of_whole::<Int16Type>),
        rule(Int4, Numeric, numeric_of_whole::<Int32Type>),
        rule(Int8, Numeric, numeric_of_whole::<Int64Type>),
        rule(Float8, Numeric, |call| {
            let values = call.float8(0);
            numerics(call, |row| values.get(row).map(|value| text::numeric_of_float(value, 15)).transpose())
        }),
        rule(Float4, Numeric, |call| {
            let values = call.float4(0);
            numerics(call, |row| values.get(row).map(|value| text::numeric_of_float(value.into(), 6)).transpose())
        }),
        rule(Text, Numeric, |call| {
            let values = call.text(0);
            numerics(call, |row| values.get(row).map(text::numeric).transpose())
        }),
        rule(Numeric, Numeric, numeric_of_numeric),
        rule(Float8, Text, |call| {
            let values = call.float8(0);
            texts(call, |row| values.get(row).map(text::of_float8))
        }),
        rule(Float4, Text, |call| {
            let values = call.float4(0);
            texts(call, |row| values.get(row).map(text::of_float4))
        }),
        rule(Numeric, Text, |call| {
            let (values, scale) = (call.numeric(0), call.scale(0));
            texts(call, |row| values.get(row).map(|value| text::of_numeric(value, scale)))
        }),
    ]
}

/// An integer type.
trait Whole: ArrowPrimitiveType {
    const NAME: PgType;
    fn of(value: i64) -> Option<Self::Native>;
    fn wide(value: Self::Native) -> i64;
}

macro_rules! whole {
    ($($arrow:ty, $native:ty, $name:ident;)*) => {$(
        impl Whole for $arrow {
            const NAME: PgType = PgType::$name;
            fn of(value: i64) -> Option<$native> {
                <$native>::try_from(value).ok()
            }
            fn wide(value: $native) -> i64 {
                value.into()
            }
        }
    )*};
}

whole! {
    Int16Type, i16, Int2;
    Int32Type, i32, Int4;
    Int64Type, i64, Int8;
}

fn fit<W: Whole>(value: Option<i64>) -> Result<W::Native> {
    value.and_then(W::of).ok_or_else(|| SqlError::out_of_range(&W::NAME.to_string()).into())
}

fn narrow<F: Whole, W: Whole>(call: &Call) -> Result<ArrayRef> {
    call_unary::<F, W>(call, |value| fit::<W>(Some(F::wide(value))))
}

/// Over the one argument.
fn call_unary<F: ArrowPrimitiveType, W: ArrowPrimitiveType>(
    call: &Call,
    value: impl Fn(F::Native) -> Result<W::Native>,
) -> Result<ArrayRef> {
    unary::<F, W>(call, call.values::<F>(0), value)
}

/// The whole number nearest to a float.
fn nearest(value: f64) -> Option<i64> {
    let rounded = value.round_ties_even();
    // -2^63 is a value of bigint, 2^63 is none.
    let limit = 9_223_372_036_854_775_808_f64;
    (rounded >= -limit && rounded < limit).then_some(rounded as i64)
}

fn of_float8<W: Whole>(call: &Call) -> Result<ArrayRef> {
    call_unary::<Float64Type, W>(call, |value| fit::<W>(nearest(value)))
}

fn of_float4<W: Whole>(call: &Call) -> Result<ArrayRef> {
    call_unary::<Float32Type, W>(call, |value| fit::<W>(nearest(value.into())))
}

fn of_numeric<W: Whole>(call: &Call) -> Result<ArrayRef> {
    let scale = call.scale(0);
    call_unary::<Decimal256Type, W>(call, |value| {
        let whole = rounded(value, scale, 0)?.to_i128();
        fit::<W>(whole.and_then(|whole| i64::try_from(whole).ok()))
    })
}

fn of_text<W: Whole>(call: &Call) -> Result<ArrayRef> {
    let values = call.text(0);
    call.primitives::<W>(|row| values.get(row).map(|text| fit::<W>(Some(text::whole(text, &W::NAME)?))).transpose())
}

fn narrow_float(call: &Call) -> Result<ArrayRef> {
    unary::<_, Float32Type>(call, call.float8(0), |value| {
        let narrow = value as f32;
        if narrow.is_infinite() && !value.is_infinite() {
            return Err(SqlError::new("22003", "value out of range: overflow").into());
        }
        if narrow == 0.0 && value != 0.0 {
            return Err(SqlError::new("22003", "value out of range: underflow").into());
        }
        Ok(narrow)
    })
}

/// The precision and scale of the target, and whether it is a numeric without a precision.
fn target(call: &Call) -> (u8, i8, bool) {
    match call.result() {
        DataType::Decimal256(NUMERIC_DIGITS, scale) => (NUMERIC_DIGITS, *scale, *scale == OPEN_SCALE),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => (*precision, *scale, false),
        _ => (NUMERIC_DIGITS, OPEN_SCALE, true),
    }
}

/// Numerics of any length as the target.
fn numerics(call: &Call, value: impl Fn(usize) -> Result<Option<(BigInt, i32)>>) -> Result<ArrayRef> {
    let (precision, scale, is_open) = target(call);
    let of = |(digits, from): (BigInt, i32)| {
        if is_open || from <= i32::from(scale) {
            return text::within(fitted(digits, from, scale)?, precision, scale);
        }
        let factor = big_power_of_ten((from - i32::from(scale)).unsigned_abs());
        text::within(small(&big_quotient(&digits, &factor))?, precision, scale)
    };
    let made: Vec<Option<i256>> = (0..call.rows()).map(|row| value(row)?.map(of).transpose()).collect::<Result<_>>()?;
    as_target(call, PrimitiveArray::<Decimal256Type>::from(made), scale)
}

/// `values`, which have the target's scale, as the target's Arrow type.
fn as_target(call: &Call, values: PrimitiveArray<Decimal256Type>, scale: i8) -> Result<ArrayRef> {
    if let DataType::Decimal256(..) = call.result() {
        return Ok(Arc::new(values.with_data_type(call.result().clone())));
    }
    let values = values.with_data_type(crate::types::numeric(scale));
    let options = arrow_cast::CastOptions { safe: false, ..Default::default() };
    Ok(arrow_cast::cast_with_options(&values, call.result(), &options)?)
}

fn numeric_of_whole<W: Whole>(call: &Call) -> Result<ArrayRef> {
    let (precision, scale, _) = target(call);
    let array = call.values::<W>(0).array();
    let value = |row: usize| -> Result<Option<i256>> {
        if array.is_null(row) {
            return Ok(None);
        }
        let whole = i256::from_i128(W::wide(array.value(row)).into());
        let value = if scale >= 0 { rescaled(whole, 0, scale)? } else { rounded(whole, 0, scale)? };
        Ok(Some(text::within(value, precision, scale)?))
    };
    let made: Vec<Option<i256>> = (0..array.len()).map(value).collect::<Result<_>>()?;
    as_target(call, PrimitiveArray::<Decimal256Type>::from(made), scale)
}

fn numeric_of_numeric(call: &Call) -> Result<ArrayRef> {
    let (precision, scale, is_open) = target(call);
    let (values, from) = (call.numeric(0), call.scale(0));
    if from == scale && precision == NUMERIC_DIGITS {
        return as_target(call, values.array().clone(), scale);
    }
    let made = values.array().try_unary::<_, Decimal256Type, datafusion::common::DataFusionError>(|value| {
        let value = if is_open { rescaled(value, from, scale)? } else { rounded(value, from, scale)? };
        if has_digits(value, precision) { Ok(value) } else { text::within(value, precision, scale) }
    })?;
    as_target(call, made, scale)
}

/// Texts as the target's Arrow type.
fn texts(call: &Call, text: impl Fn(usize) -> Option<String>) -> Result<ArrayRef> {
    let made = call.texts(|row| Ok(text(row)))?;
    if made.data_type() == call.result() {
        return Ok(made);
    }
    Ok(arrow_cast::cast(&made, call.result())?)
}
