//! Of how many rows a value is made, and how many rows it becomes.

use super::calls::function_name;
use super::level::each_part;
use super::row_functions::columns_of;
use datafusion::sql::sqlparser::ast::{Expr, Function};

/// Aggregates (PostgreSQL 15, 9.21): a list with one of them has one row.
const AGGREGATES: [&str; 39] = [
    "any_value",
    "array_agg",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "every",
    "json_agg",
    "json_object_agg",
    "jsonb_agg",
    "jsonb_object_agg",
    "max",
    "min",
    "mode",
    "percentile_cont",
    "percentile_disc",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "string_agg",
    "sum",
    "var_pop",
    "var_samp",
    "variance",
];

/// Whether the value is made of several rows.
pub(super) fn is_of_several(value: &Expr) -> bool {
    has_call(value, |function| {
        function.over.is_some()
            || !function.within_group.is_empty()
            || function_name(&function.name).is_some_and(|name| AGGREGATES.contains(&name.as_str()))
    })
}

/// Whether the value is one of each row.
pub(super) fn is_of_one_row(value: &Expr) -> bool {
    !is_of_several(value) && !returns_rows(value)
}

/// Whether the value is made of all rows.
pub(super) fn is_aggregate(value: &Expr) -> bool {
    is_of_several(value) && !has_window(value)
}

pub(super) fn has_window(value: &Expr) -> bool {
    has_call(value, |function| function.over.is_some())
}

/// Whether a row becomes several, which are numbered later than a window numbers them.
pub(super) fn returns_rows(value: &Expr) -> bool {
    has_call(value, |function| {
        let name = function_name(&function.name).unwrap_or_default();
        name == "generate_series" || columns_of(&name).is_some()
    })
}

fn has_call(value: &Expr, is_it: impl Fn(&Function) -> bool) -> bool {
    let found = each_part(&mut value.clone(), |part| match part {
        Expr::Function(function) if is_it(function) => Err(()),
        _ => Ok(()),
    });
    found.is_err()
}
