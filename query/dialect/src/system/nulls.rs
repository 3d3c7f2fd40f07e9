//! How many arguments are NULL.

use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes};
use crate::types::PgType::Int4;
use arrow_array::ArrayRef;
use arrow_array::types::Int32Type;
use datafusion::common::Result;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let count = |name, evaluate| {
        Function::new(name, vec![Form::new(vec![Takes::Any], Returns::Of(|| Int4), evaluate).variadic()])
    };
    vec![count("num_nulls", |call| counted(call, true)), count("num_nonnulls", |call| counted(call, false))]
}

fn counted(call: &Call, nulls: bool) -> Result<ArrayRef> {
    let arguments: Vec<_> = (0..call.len()).map(|argument| (call.any(argument), all_null(call, argument))).collect();
    call.primitives::<Int32Type>(|row| {
        let number = arguments.iter().filter(|(values, all)| (*all || values.is_null(row)) == nulls).count();
        Ok(Some(i32::try_from(number).unwrap_or(i32::MAX)))
    })
}

/// Whether an argument is NULL itself, which has no type.
fn all_null(call: &Call, argument: usize) -> bool {
    call.any(argument).array().data_type().is_null()
}
