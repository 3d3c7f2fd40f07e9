//! The functions of numbers, with the result's type for each type of the arguments.

use super::decimal::{
    self, LARGEST_SCALE, big, big_power_of_ten, checked, fitted, needed_scale, rescaled, rounded, too_many_digits,
    truncated, whole_quotient,
};
use super::float::{self, of_one};
use super::kernel::{binary, unary};
use super::operators::{larger_scale, powers, remainder};
use super::rows::numerics;
use super::{power, text, whole};
use crate::call::Call;
use crate::error::SqlError;
use crate::function::{Arguments, Evaluate, Form, Function, Returns, Takes, form};
use crate::types::{OPEN_SCALE, PgType, SHOWN_SCALE};
use arrow_array::ArrayRef;
use arrow_array::types::{Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_buffer::i256;
use arrow_schema::DataType;
use datafusion::common::Result;
use num_bigint::BigInt;

use PgType::{Float4, Float8, Int2, Int4, Int8, Numeric, Text};

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let mut all = signs();
    all.extend(roundings());
    all.extend(powers_and_logarithms());
    all.extend(divisions());
    all.extend(scales());
    all
}

/// A form of one numeric.
fn of_numeric(scale: fn(&Arguments<'_>) -> i8, evaluate: Evaluate) -> Form {
    Form::new(vec![Takes::Of(Numeric)], Returns::Scale(scale), evaluate)
}

fn of_numerics(scale: fn(&Arguments<'_>) -> i8, evaluate: Evaluate) -> Form {
    Form::new(vec![Takes::Of(Numeric), Takes::Of(Numeric)], Returns::Scale(scale), evaluate)
}

fn of_float(evaluate: Evaluate) -> Form {
    form([Float8], || Float8, evaluate)
}

fn same_scale(arguments: &Arguments<'_>) -> i8 {
    arguments.scale(0)
}

fn no_scale(_: &Arguments<'_>) -> i8 {
    0
}

/// The scale of a result whose digits the value determines.
fn open_scale(arguments: &Arguments<'_>) -> i8 {
    (0..arguments.len()).map(|argument| arguments.scale(argument)).fold(OPEN_SCALE, i8::max)
}

/// The scale of the call's result.
fn result_scale(call: &Call) -> i8 {
    match call.result() {
        DataType::Decimal256(_, scale) => *scale,
        _ => 0,
    }
}

/// Each value of one numeric; `value` gets its digits and the scale.
fn each(call: &Call, value: impl Fn(i256, i8) -> Result<i256>) -> Result<ArrayRef> {
    let scale = call.scale(0);
    unary::<Decimal256Type, Decimal256Type>(call, call.numeric(0), |digits| value(digits, scale))
}

/// Each whole number of one numeric.
fn each_whole(call: &Call, value: impl Fn(i256, i8) -> i32) -> Result<ArrayRef> {
    let scale = call.scale(0);
    unary::<Decimal256Type, Int32Type>(call, call.numeric(0), |digits| Ok(value(digits, scale)))
}

/// Unary minus, `abs`, `sign` and the bits of NOT.
fn signs() -> Vec<Function> {
    let absolute = || {
        vec![
            form([Int4], || Int4, whole::absolute::<Int32Type>),
            form([Int8], || Int8, whole::absolute::<Int64Type>),
            form([Int2], || Int2, whole::absolute::<Int16Type>),
            of_numeric(same_scale, |call| each(call, |value, _| Ok(value.wrapping_abs()))),
            of_float(float::absolute::<Float64Type>),
            form([Float4], || Float4, float::absolute::<Float32Type>),
        ]
    };
    vec![
        Function::new(
            "pg_negative",
            vec![
                form([Int4], || Int4, whole::negated::<Int32Type>),
                form([Int8], || Int8, whole::negated::<Int64Type>),
                form([Int2], || Int2, whole::negated::<Int16Type>),
                of_numeric(same_scale, |call| each(call, |value, _| Ok(value.wrapping_neg()))),
                of_float(float::negated::<Float64Type>),
                form([Float4], || Float4, float::negated::<Float32Type>),
            ],
        ),
        Function::new(
            "pg_bit_not",
            vec![
                form([Int4], || Int4, whole::not::<Int32Type>),
                form([Int8], || Int8, whole::not::<Int64Type>),
                form([Int2], || Int2, whole::not::<Int16Type>),
            ],
        ),
        Function::new("abs", absolute()),
        Function::new(
            "sign",
            vec![
                of_float(|call| {
                    of_one(call, |value| {
                        Ok(if value > 0.0 {
                            1.0
                        } else if value < 0.0 {
                            -1.0
                        } else {
                            0.0
                        })
                    })
                }),
                of_numeric(no_scale, |call| each(call, |value, _| Ok(value.signum()))),
            ],
        )
        .or("signum"),
    ]
}

/// `ceil`, `floor`, `round` and `trunc`.
fn roundings() -> Vec<Function> {
    let ceil: Evaluate = |call| {
        each(call, |value, scale| {
            let cut = truncated(value, scale, 0)?;
            let has_rest = rescaled(cut, 0, scale).is_ok_and(|whole| whole < value);
            Ok(if has_rest { cut.wrapping_add(i256::ONE) } else { cut })
        })
    };
    let floor: Evaluate = |call| {
        each(call, |value, scale| {
            let cut = truncated(value, scale, 0)?;
            let has_rest = rescaled(cut, 0, scale).is_ok_and(|whole| whole > value);
            Ok(if has_rest { cut.wrapping_sub(i256::ONE) } else { cut })
        })
    };
    let to_digits = |evaluate: Evaluate| {
        Form::new(vec![Takes::Of(Numeric), Takes::Of(Int4)], Returns::Scale(asked_scale), evaluate)
    };
    vec![
        Function::new(
            "ceil",
            vec![of_float(|call| of_one(call, |value| Ok(value.ceil()))), of_numeric(no_scale, ceil)],
        )
        .or("ceiling"),
        Function::new(
            "floor",
            vec![of_float(|call| of_one(call, |value| Ok(value.floor()))), of_numeric(no_scale, floor)],
        ),
        Function::new(
            "round",
            vec![
                of_float(|call| of_one(call, |value| Ok(value.round_ties_even()))),
                of_numeric(no_scale, |call| each(call, |value, scale| rounded(value, scale, 0))),
                to_digits(|call| to_asked(call, rounded)),
                // PostgreSQL has none for floats, and a percentile is one.
                Form::new(vec![Takes::Exactly(Float8), Takes::Of(Int4)], Returns::Of(|| Float8), |call| {
                    binary::<Float64Type, Int32Type, Float64Type>(
                        call,
                        call.float8(0),
                        call.int4(1),
                        |value, digits| Ok(rounded_float(value, digits)),
                    )
                }),
            ],
        ),
        Function::new(
            "trunc",
            vec![
                of_float(|call| of_one(call, |value| Ok(value.trunc()))),
                of_numeric(no_scale, |call| each(call, |value, scale| truncated(value, scale, 0))),
                to_digits(|call| to_asked(call, truncated)),
            ],
        ),
    ]
}

/// A float with so many digits after the point.
fn rounded_float(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits.clamp(-300, 300));
    let rounded = (value * factor).round() / factor;
    if rounded.is_finite() { rounded } else { value }
}

/// The digits that are asked for, if that is constant.
fn asked_scale(arguments: &Arguments<'_>) -> i8 {
    let scale = arguments.scale(0);
    match arguments.constant(1) {
        Some(asked) => asked.clamp(0, scale.max(LARGEST_SCALE).into()) as i8,
        None => scale,
    }
}

/// Each value with the digits that are asked for.
fn to_asked(call: &Call, cut: fn(i256, i8, i8) -> Result<i256>) -> Result<ArrayRef> {
    let (scale, to) = (call.scale(0), result_scale(call));
    binary::<Decimal256Type, Int32Type, Decimal256Type>(call, call.numeric(0), call.int4(1), |value, asked| {
        let asked = asked.clamp(-100, scale.into()) as i8;
        rescaled(cut(value, scale, asked)?, asked, to)
    })
}

/// Powers, roots and logarithms.
fn powers_and_logarithms() -> Vec<Function> {
    let power = || {
        let mut forms = powers();
        forms[1] = of_numerics(open_scale, power::numeric_power);
        forms
    };
    vec![
        Function::new(
            "sqrt",
            vec![of_float(|call| of_one(call, power::float_sqrt)), of_numeric(open_scale, power::numeric_sqrt)],
        ),
        Function::new("cbrt", vec![of_float(|call| of_one(call, |value| Ok(value.cbrt())))]),
        Function::new(
            "exp",
            vec![of_float(|call| of_one(call, power::float_exp)), of_numeric(open_scale, power::numeric_exp)],
        ),
        Function::new(
            "ln",
            vec![of_float(|call| of_one(call, power::float_ln)), of_numeric(open_scale, power::numeric_ln)],
        ),
        Function::new(
            "log",
            vec![
                of_float(|call| of_one(call, power::float_log10)),
                of_numeric(open_scale, power::numeric_log10),
                of_numerics(open_scale, power::numeric_log),
            ],
        ),
        Function::new(
            "log10",
            vec![of_float(|call| of_one(call, power::float_log10)), of_numeric(open_scale, power::numeric_log10)],
        ),
        Function::new("power", power()).or("pow"),
        Function::new("factorial", vec![form([Int8], || Numeric, factorial).returning(Returns::Scale(no_scale))]),
    ]
}

fn factorial(call: &Call) -> Result<ArrayRef> {
    unary::<Int64Type, Decimal256Type>(call, call.int8(0), |value| {
        if value < 0 {
            return Err(SqlError::new("22003", "factorial of a negative number is undefined").into());
        }
        // 58! has 79 digits.
        if value > 58 {
            return Err(too_many_digits().into());
        }
        (2..=value).try_fold(i256::ONE, |product, factor| checked(product.checked_mul(i256::from_i128(factor.into()))))
    })
}

/// `mod`, `div`, `gcd` and `lcm`.
fn divisions() -> Vec<Function> {
    vec![
        Function::new(
            "mod",
            vec![
                form([Int4, Int4], || Int4, whole::remainder::<Int32Type>),
                form([Int8, Int8], || Int8, whole::remainder::<Int64Type>),
                form([Int2, Int2], || Int2, whole::remainder::<Int16Type>),
                of_numerics(larger_scale, remainder),
            ],
        ),
        Function::new(
            "div",
            vec![of_numerics(no_scale, |call| {
                let (one, other) = (call.scale(0), call.scale(1));
                numerics(call, |left, right| whole_quotient((left, one), (right, other)))
            })],
        ),
        Function::new(
            "gcd",
            vec![
                form([Int4, Int4], || Int4, whole::gcd::<Int32Type>),
                form([Int8, Int8], || Int8, whole::gcd::<Int64Type>),
                of_numerics(larger_scale, |call| {
                    let aligned = aligned(call);
                    numerics(call, |left, right| {
                        let (left, right) = aligned(left, right);
                        decimal::small(&divisor(left, right))
                    })
                }),
            ],
        ),
        Function::new(
            "lcm",
            vec![
                form([Int4, Int4], || Int4, whole::lcm::<Int32Type>),
                form([Int8, Int8], || Int8, whole::lcm::<Int64Type>),
                of_numerics(larger_scale, |call| {
                    let aligned = aligned(call);
                    numerics(call, |left, right| {
                        let (left, right) = aligned(left, right);
                        let zero = BigInt::from(0);
                        if left == zero || right == zero {
                            return Ok(i256::ZERO);
                        }
                        let multiple = &left / divisor(left.clone(), right.clone()) * right;
                        decimal::small(&BigInt::from(multiple.magnitude().clone()))
                    })
                }),
            ],
        ),
    ]
}

/// Digits of two numerics of any length, with the larger scale of the two.
fn aligned(call: &Call) -> impl Fn(i256, i256) -> (BigInt, BigInt) {
    let (one, other) = (call.scale(0), call.scale(1));
    let scale = one.max(other);
    let to = move |value: i256, from: i8| big(value) * big_power_of_ten((scale - from).unsigned_abs().into());
    move |left, right| (to(left, one), to(right, other))
}

/// The greatest common divisor.
fn divisor(left: BigInt, right: BigInt) -> BigInt {
    let (mut one, mut other) = (left, right);
    let zero = BigInt::from(0);
    while other != zero {
        let rest = &one % &other;
        (one, other) = (other, rest);
    }
    BigInt::from(one.magnitude().clone())
}

/// The digits that a numeric shows, and numbers that are no functions of others.
fn scales() -> Vec<Function> {
    let scale: Evaluate = |call| {
        if call.scale(0) > SHOWN_SCALE {
            // PostgreSQL's depends on how the value was computed.
            let message = "scale() of a quotient, root, logarithm or power is not supported";
            return Err(SqlError::not_supported(message).into());
        }
        each_whole(call, |_, scale| scale.into())
    };
    let min_scale: Evaluate = |call| each_whole(call, |value, scale| needed_scale(value, scale).max(0).into());
    let trim_scale: Evaluate = |call| {
        let to = result_scale(call);
        each(call, |value, scale| rescaled(value, scale, to))
    };
    vec![
        Function::new("scale", vec![form([Numeric], || Int4, scale)]),
        Function::new("min_scale", vec![form([Numeric], || Int4, min_scale)]),
        Function::new("trim_scale", vec![of_numeric(open_scale, trim_scale)]),
        Function::new(
            "pi",
            vec![form([], || Float8, |call| call.primitives::<Float64Type>(|_| Ok(Some(std::f64::consts::PI))))],
        ),
        Function::new(
            "setseed",
            vec![form(
                [Float8],
                || Text,
                |_| Err(SqlError::not_supported("setseed is not supported: random() has no seed").into()),
            )],
        ),
        Function::new(
            "to_number",
            vec![
                form(
                    [Text, Text],
                    || Numeric,
                    |call| {
                        let (values, patterns) = (call.text(0), call.text(1));
                        let to = result_scale(call);
                        call.primitives::<Decimal256Type>(|row| {
                            let (Some(value), Some(pattern)) = (values.get(row), patterns.get(row)) else {
                                return Ok(None);
                            };
                            let Some(digits) = super::pattern::read(value, pattern)? else { return Ok(None) };
                            let (digits, from) = text::numeric(&digits)?;
                            fitted(digits, from, to).map(Some)
                        })
                    },
                )
                .returning(Returns::Scale(|_| OPEN_SCALE)),
            ],
        ),
    ]
}
