//! Trigonometric functions of `double precision`, by radians and by degrees.
//!
//! Those by degrees are exact where the angle is a multiple of 30 or 45: they are computed relative to the value there.

use super::float::{of_one, of_two, overflow};
use crate::call::Call;
use crate::error::SqlError;
use crate::function::{Evaluate, Function, form};
use crate::types::PgType::Float8;
use datafusion::common::Result;

/// Radians of a degree.
const DEGREE: f64 = 0.017_453_292_519_943_295;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let one = |name: &'static str, evaluate: Evaluate| Function::new(name, vec![form([Float8], || Float8, evaluate)]);
    vec![
        one("sin", |call| of_one(call, |angle| of_angle(angle, f64::sin))),
        one("cos", |call| of_one(call, |angle| of_angle(angle, f64::cos))),
        one("tan", |call| of_one(call, |angle| of_angle(angle, f64::tan))),
        one("cot", |call| of_one(call, |angle| of_angle(angle, |angle| 1.0 / angle.tan()))),
        one("asin", |call| of_one(call, |value| within_one(value).map(f64::asin))),
        one("acos", |call| of_one(call, |value| within_one(value).map(f64::acos))),
        one("atan", |call| of_one(call, |value| Ok(value.atan()))),
        one("sinh", |call| of_one(call, |value| Ok(value.sinh()))),
        one("cosh", |call| of_one(call, |value| Ok(value.cosh()))),
        one("tanh", |call| of_one(call, |value| Ok(value.tanh()))),
        one("asinh", |call| of_one(call, |value| Ok(value.asinh()))),
        one("acosh", |call| of_one(call, acosh)),
        one("atanh", |call| of_one(call, |value| within_one(value).map(f64::atanh))),
        one("sind", |call| of_one(call, |angle| of_angle(angle, sind))),
        one("cosd", |call| of_one(call, |angle| of_angle(angle, cosd))),
        one("tand", |call| of_one(call, |angle| of_angle(angle, tand))),
        one("cotd", |call| of_one(call, |angle| of_angle(angle, cotd))),
        one("asind", |call| of_one(call, |value| within_one(value).map(asind))),
        one("acosd", |call| of_one(call, |value| within_one(value).map(acosd))),
        one("atand", |call| of_one(call, |value| Ok(value.atan() / 1.0_f64.atan() * 45.0))),
        one("degrees", |call| of_one(call, degrees)),
        one("radians", |call| of_one(call, |value| Ok(value * DEGREE))),
        Function::new(
            "atan2",
            vec![form([Float8, Float8], || Float8, |call: &Call| of_two(call, |y, x| Ok(y.atan2(x))))],
        ),
        Function::new(
            "atan2d",
            vec![form(
                [Float8, Float8],
                || Float8,
                |call: &Call| of_two(call, |y, x| Ok(y.atan2(x) / 1.0_f64.atan() * 45.0)),
            )],
        ),
    ]
}

fn out_of_range() -> SqlError {
    SqlError::new("22003", "input is out of range")
}

fn of_angle(angle: f64, value: impl Fn(f64) -> f64) -> Result<f64> {
    if angle.is_infinite() { Err(out_of_range().into()) } else { Ok(value(angle)) }
}

fn within_one(value: f64) -> Result<f64> {
    if value.abs() > 1.0 { Err(out_of_range().into()) } else { Ok(value) }
}

fn acosh(value: f64) -> Result<f64> {
    if value < 1.0 { Err(out_of_range().into()) } else { Ok(value.acosh()) }
}

fn degrees(value: f64) -> Result<f64> {
    let degrees = value / DEGREE;
    if degrees.is_infinite() && value.is_finite() { Err(overflow().into()) } else { Ok(degrees) }
}

/// The sine of 0 to 30 degrees: a half at 30.
fn small_sine(angle: f64) -> f64 {
    ((angle * DEGREE).sin() / (30.0 * DEGREE).sin()) / 2.0
}

/// The cosine of 0 to 60 degrees: a half at 60.
fn small_cosine(angle: f64) -> f64 {
    let rest = |angle: f64| 1.0 - (angle * DEGREE).cos();
    1.0 - (rest(angle) / rest(60.0)) / 2.0
}

/// The sine of 0 to 90 degrees.
fn quadrant_sine(angle: f64) -> f64 {
    if angle <= 30.0 { small_sine(angle) } else { small_cosine(90.0 - angle) }
}

/// The cosine of 0 to 90 degrees.
fn quadrant_cosine(angle: f64) -> f64 {
    if angle <= 60.0 { small_cosine(angle) } else { small_sine(90.0 - angle) }
}

fn sind(angle: f64) -> f64 {
    let (mut angle, mut sign) = (angle % 360.0, 1.0);
    if angle < 0.0 {
        (angle, sign) = (-angle, -sign);
    }
    if angle > 180.0 {
        (angle, sign) = (360.0 - angle, -sign);
    }
    if angle > 90.0 {
        angle = 180.0 - angle;
    }
    sign * quadrant_sine(angle)
}

fn cosd(angle: f64) -> f64 {
    let (mut angle, mut sign) = ((angle % 360.0).abs(), 1.0);
    if angle > 180.0 {
        angle = 360.0 - angle;
    }
    if angle > 90.0 {
        (angle, sign) = (180.0 - angle, -sign);
    }
    sign * quadrant_cosine(angle)
}

/// An angle of the first quadrant, and the sign that its tangent gets.
fn tangent_angle(angle: f64) -> (f64, f64) {
    let (mut angle, mut sign) = (angle % 360.0, 1.0);
    if angle < 0.0 {
        (angle, sign) = (-angle, -sign);
    }
    if angle > 180.0 {
        (angle, sign) = (360.0 - angle, -sign);
    }
    if angle > 90.0 {
        (angle, sign) = (180.0 - angle, -sign);
    }
    (angle, sign)
}

/// Zero has no sign.
fn unsigned_zero(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value }
}

fn tand(angle: f64) -> f64 {
    let (angle, sign) = tangent_angle(angle);
    let tangent = |angle: f64| quadrant_sine(angle) / quadrant_cosine(angle);
    unsigned_zero(sign * (tangent(angle) / tangent(45.0)))
}

fn cotd(angle: f64) -> f64 {
    let (angle, sign) = tangent_angle(angle);
    let cotangent = |angle: f64| quadrant_cosine(angle) / quadrant_sine(angle);
    unsigned_zero(sign * (cotangent(angle) / cotangent(45.0)))
}

/// The angle of a sine of 0 to 1.
fn quadrant_arcsine(value: f64) -> f64 {
    if value <= 0.5 { (value.asin() / 0.5_f64.asin()) * 30.0 } else { 90.0 - (value.acos() / 0.5_f64.acos()) * 60.0 }
}

/// The angle of a cosine of 0 to 1.
fn quadrant_arccosine(value: f64) -> f64 {
    if value <= 0.5 { 90.0 - (value.asin() / 0.5_f64.asin()) * 30.0 } else { (value.acos() / 0.5_f64.acos()) * 60.0 }
}

fn asind(value: f64) -> f64 {
    if value >= 0.0 { quadrant_arcsine(value) } else { -quadrant_arcsine(-value) }
}

fn acosd(value: f64) -> f64 {
    if value >= 0.0 { quadrant_arccosine(value) } else { 90.0 + quadrant_arcsine(-value) }
}
