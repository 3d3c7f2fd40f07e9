//! Numbers: `smallint`, `integer`, `bigint`, `numeric`, `real` and `double precision`.
//!
//! | module | |
//! |---|---|
//! | [`operators`] | the operators, over [`whole`], [`decimal`] and [`float`] |
//! | [`functions`], [`trigonometry`], [`power`], [`bucket`] | the functions; [`series`] computes them for numerics |
//! | [`size`] | numbers of bytes in units |
//! | [`casts`], [`text`] | casts, and how numbers are written and read |
//! | [`compared`] | the type in which numbers are compared |
//! | [`pattern`], [`to_char`] | patterns of `to_char` and `to_number` |
//!
//! What a type does not hold is 22003, a division by zero 22012: never a wrapped number, and no infinity of finite ones.

use crate::cast::CastRule;
use crate::function::Function;
pub(crate) use compared::Compared;

mod bucket;
mod casts;
mod compared;
pub(crate) mod decimal;
mod float;
mod functions;
mod kernel;
mod operators;
mod pattern;
pub(crate) mod power;
mod rows;
mod series;
mod shortest;
mod size;
pub(crate) mod text;
mod to_char;
mod trigonometry;
mod whole;

#[cfg(test)]
mod tests;

/// The functions.
pub(crate) fn functions() -> Vec<Function> {
    let mut all = functions::functions();
    all.extend(trigonometry::functions());
    all.extend(bucket::functions());
    all.extend(size::functions());
    all.extend(to_char::functions());
    all
}

/// The operators.
pub(crate) fn operators() -> Vec<Function> {
    operators::operators()
}

/// The casts.
pub(crate) fn casts() -> Vec<CastRule> {
    casts::casts()
}
