//! Comparisons of arrays, and of a value with the elements of an array.
//!
//! `x = ANY (array)` is the call `any_eq(x, array)`, `x < ALL (array)` is `all_lt(x, array)`: NULL if the elements that are
//! known do not decide.

use super::elements::{Comparisons, comparator};
use super::nested::flat;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes, form};
use crate::types::PgType::{self, Bool, Float8, Int8, Numeric, Text};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::InList;
use std::cmp::Ordering;

/// Elements of a constant array that become a list of values.
const MOST_IN_LIST: usize = 1_000;

/// The operators.
pub(super) fn operators() -> Vec<Function> {
    let operator = |symbol, evaluate| {
        let takes = vec![Takes::AnyArray, Takes::AnyArray];
        Function::new(symbol, vec![Form::new(takes, Returns::Of(|| Bool), evaluate)])
    };
    vec![
        operator("=", |call| ordered(call, Ordering::is_eq)),
        operator("<>", |call| ordered(call, Ordering::is_ne)),
        operator("!=", |call| ordered(call, Ordering::is_ne)),
        operator("<", |call| ordered(call, Ordering::is_lt)),
        operator("<=", |call| ordered(call, Ordering::is_le)),
        operator(">", |call| ordered(call, Ordering::is_gt)),
        operator(">=", |call| ordered(call, Ordering::is_ge)),
        operator("@>", |call| contains(call, 0, 1)),
        operator("<@", |call| contains(call, 1, 0)),
        operator("&&", overlaps),
    ]
}

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    vec![
        any("any_eq", |call| decided(call, Ordering::is_eq, true)).simplified(in_list),
        any("any_ne", |call| decided(call, Ordering::is_ne, true)),
        any("any_lt", |call| decided(call, Ordering::is_lt, true)),
        any("any_le", |call| decided(call, Ordering::is_le, true)),
        any("any_gt", |call| decided(call, Ordering::is_gt, true)),
        any("any_ge", |call| decided(call, Ordering::is_ge, true)),
        any("all_eq", |call| decided(call, Ordering::is_eq, false)),
        any("all_ne", |call| decided(call, Ordering::is_ne, false)).simplified(not_in_list),
        any("all_lt", |call| decided(call, Ordering::is_lt, false)),
        any("all_le", |call| decided(call, Ordering::is_le, false)),
        any("all_gt", |call| decided(call, Ordering::is_gt, false)),
        any("all_ge", |call| decided(call, Ordering::is_ge, false)),
    ]
}

fn any(name: &'static str, evaluate: crate::function::Evaluate) -> Function {
    let mut forms = vec![Form::new(vec![Takes::ElementOf(1), Takes::AnyArray], Returns::Of(|| Bool), evaluate)];
    // Two constants, and a value of a wider type than that of the elements.
    forms.extend(
        [Text, Int8, Numeric, Float8]
            .map(|wider| form([wider.clone(), PgType::Array(Box::new(wider))], || Bool, evaluate)),
    );
    Function::new(name, forms)
}

/// The elements of a constant array as expressions. `None` if it is none, or a long one.
fn constants(array: &Expr) -> Option<Vec<Expr>> {
    let Expr::Literal(ScalarValue::List(lists), _) = array else { return None };
    if lists.len() != 1 || lists.is_null(0) {
        return None;
    }
    let elements = lists.value(0);
    if elements.len() > MOST_IN_LIST || matches!(PgType::of(elements.data_type()), PgType::Array(_)) {
        return None;
    }
    (0..elements.len())
        .map(|place| ScalarValue::try_from_array(&elements, place).ok().map(|value| Expr::Literal(value, None)))
        .collect()
}

/// The engine has PostgreSQL's answers for a list of values, and knows what it means for statistics.
fn in_list(arguments: &[Expr]) -> Option<Expr> {
    list(arguments, false)
}

fn not_in_list(arguments: &[Expr]) -> Option<Expr> {
    list(arguments, true)
}

fn list(arguments: &[Expr], negated: bool) -> Option<Expr> {
    let [value, array] = arguments else { return None };
    let elements = constants(array)?;
    if elements.is_empty() {
        return None;
    }
    Some(Expr::InList(InList::new(Box::new(value.clone()), elements, negated)))
}

/// Compares arrays: their elements one after the other, then their lengths.
fn ordered(call: &Call, is_so: fn(Ordering) -> bool) -> Result<ArrayRef> {
    let (left, right) = (call.list(0), call.list(1));
    let mut comparisons = Comparisons::default();
    call.bools(|row| {
        let (Some(left), Some(right)) = (left.get(row), right.get(row)) else { return Ok(None) };
        let (elements, others) = (flat(&left), flat(&right));
        comparisons.take(elements.len().min(others.len()) + 1)?;
        let compare = comparator(&elements, &others)?;
        let common = elements.len().min(others.len());
        let unequal = (0..common).map(|place| compare(place, place)).find(|ordering| ordering.is_ne());
        let ordering =
            unequal.unwrap_or_else(|| elements.len().cmp(&others.len())).then_with(|| left.len().cmp(&right.len()));
        Ok(Some(is_so(ordering)))
    })
}

/// Whether all elements of one array are in the other one. NULL is in none.
fn contains(call: &Call, whole: usize, part: usize) -> Result<ArrayRef> {
    let (wholes, parts) = (call.list(whole), call.list(part));
    let mut comparisons = Comparisons::default();
    call.bools(|row| {
        let (Some(whole), Some(part)) = (wholes.get(row), parts.get(row)) else { return Ok(None) };
        let (whole, part) = (flat(&whole), flat(&part));
        comparisons.take(whole.len().saturating_mul(part.len()))?;
        let compare = comparator(&part, &whole)?;
        let is_in = |place: usize| part.is_valid(place) && (0..whole.len()).any(|other| compare(place, other).is_eq());
        Ok(Some((0..part.len()).all(is_in)))
    })
}

fn overlaps(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (call.list(0), call.list(1));
    let mut comparisons = Comparisons::default();
    call.bools(|row| {
        let (Some(left), Some(right)) = (left.get(row), right.get(row)) else { return Ok(None) };
        let (left, right) = (flat(&left), flat(&right));
        comparisons.take(left.len().saturating_mul(right.len()))?;
        let compare = comparator(&left, &right)?;
        let is_in = |place: usize| left.is_valid(place) && (0..right.len()).any(|other| compare(place, other).is_eq());
        Ok(Some((0..left.len()).any(is_in)))
    })
}

/// Whether the comparison is `deciding` for an element; the opposite if it is not for any.
fn decided(call: &Call, is_so: fn(Ordering) -> bool, deciding: bool) -> Result<ArrayRef> {
    let (values, arrays) = (call.any(0), call.list(1));
    let elements = ArrayRef::clone(arrays.array().values());
    let is_nested = elements.as_list_opt::<i32>().is_some();
    let compare = if is_nested { None } else { Some(comparator(values.array(), &elements)?) };
    let mut comparisons = Comparisons::default();
    call.bools(|row| {
        let Some(array) = arrays.get(row) else { return Ok(None) };
        let value = values.index(row);
        let is_null = values.array().is_null(value);
        let array = flat(&array);
        comparisons.take(array.len())?;
        let by_row = match &compare {
            Some(_) => None,
            None => Some(comparator(values.array(), &array)?),
        };
        let first = if by_row.is_some() { 0 } else { arrays.array().value_offsets()[arrays.index(row)] as usize };
        let Some(compare) = compare.as_ref().or(by_row.as_ref()) else { return Ok(None) };
        let mut is_open = false;
        for place in 0..array.len() {
            if is_null || array.is_null(place) {
                is_open = true;
            } else if is_so(compare(value, first + place)) == deciding {
                return Ok(Some(deciding));
            }
        }
        Ok(if is_open { None } else { Some(!deciding) })
    })
}
