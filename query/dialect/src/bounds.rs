//! The bounds of a function's result, where nothing is known of them but its type.
//!
//! The engine compares bounds of one type only. Functions that do not tell the type of theirs make it lose what it knows of
//! the order of rows, and refuse a window that is partitioned by `f(x) > 2`.

use arrow_schema::{Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::{ReturnFieldArgs, ScalarUDFImpl};
use std::sync::Arc;

/// All values of the type that `function` returns for arguments in `input`.
///
/// # Errors
/// The function takes no such arguments.
pub fn unbounded(function: &dyn ScalarUDFImpl, input: &[&Interval]) -> Result<Interval> {
    let field = |interval: &&Interval| -> FieldRef { Arc::new(Field::new("argument", interval.data_type(), true)) };
    let arg_fields: Vec<FieldRef> = input.iter().map(field).collect();
    let constant = |interval: &&&Interval| !interval.lower().is_null() && interval.lower() == interval.upper();
    let scalar_arguments: Vec<Option<&ScalarValue>> =
        input.iter().map(|interval| Some(interval).filter(constant).map(|interval| interval.lower())).collect();
    let of_result = ReturnFieldArgs { arg_fields: &arg_fields, scalar_arguments: &scalar_arguments };
    Interval::make_unbounded(function.return_field_from_args(of_result)?.data_type())
}
