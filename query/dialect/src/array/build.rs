//! Arrays that are made of others.

use super::elements::{Comparisons, comparator};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes, form};
use crate::text::budget::Budget;
use crate::text::shown::texts;
use crate::types::PgType::{self, Int4, Text};
use arrow_array::builder::{ListBuilder, StringViewBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, UInt32Array, new_empty_array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;
use arrow_select::concat::concat;
use arrow_select::take::take;
use datafusion::common::Result;
use std::cmp::Ordering;
use std::sync::Arc;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let text_array = || PgType::Array(Box::new(Text));
    vec![
        Function::new("array_append", vec![append_form()]),
        Function::new("array_prepend", vec![prepend_form()]),
        Function::new("array_cat", vec![cat_form()]),
        Function::new(
            "array_remove",
            vec![Form::new(vec![Takes::AnyArray, Takes::ElementOf(0)], Returns::SameAs(0), remove)],
        ),
        Function::new(
            "array_replace",
            vec![Form::new(
                vec![Takes::AnyArray, Takes::ElementOf(0), Takes::ElementOf(0)],
                Returns::SameAs(0),
                replace,
            )],
        ),
        Function::new(
            "array_fill",
            vec![Form::new(vec![Takes::Any, Takes::Of(PgType::Array(Box::new(Int4)))], Returns::ArrayOf(0), fill)],
        ),
        Function::new("trim_array", vec![Form::new(vec![Takes::AnyArray, Takes::Of(Int4)], Returns::SameAs(0), trim)]),
        Function::new(
            "array_to_string",
            vec![
                Form::new(vec![Takes::AnyArray, Takes::Of(Text)], Returns::Of(|| Text), to_string),
                Form::new(vec![Takes::AnyArray, Takes::Of(Text), Takes::Of(Text)], Returns::Of(|| Text), to_string),
            ],
        ),
        Function::new(
            "string_to_array",
            vec![
                form([Text, Text], text_array, string_to_array),
                form([Text, Text, Text], text_array, string_to_array),
            ],
        ),
    ]
}

/// The operators.
pub(super) fn operators() -> Vec<Function> {
    vec![Function::new("||", vec![cat_form(), append_form(), prepend_form()])]
}

fn append_form() -> Form {
    Form::new(vec![Takes::AnyArray, Takes::ElementOf(0)], Returns::SameAs(0), append)
}

fn prepend_form() -> Form {
    Form::new(vec![Takes::ElementOf(1), Takes::AnyArray], Returns::SameAs(1), prepend)
}

fn cat_form() -> Form {
    Form::new(vec![Takes::AnyArray, Takes::AnyArray], Returns::SameAs(0), cat)
}

/// Arrays of these elements, of the type of the call's result.
pub(super) fn lists(call: &Call, rows: Vec<Option<ArrayRef>>) -> Result<ArrayRef> {
    let field = match call.result() {
        DataType::List(field) => Arc::clone(field),
        other => return Err(SqlError::not_supported(format!("arrays of the kind {other} are not supported")).into()),
    };
    let mut budget = Budget::default();
    for row in rows.iter().flatten() {
        budget.take(row.get_array_memory_size().min(row.len().saturating_mul(16).saturating_add(bytes_of(row))))?;
    }
    let offsets = OffsetBuffer::from_lengths(rows.iter().map(|row| row.as_ref().map_or(0, |row| row.len())));
    let nulls: Vec<bool> = rows.iter().map(Option::is_some).collect();
    let parts: Vec<&dyn Array> = rows.iter().flatten().map(AsRef::as_ref).collect();
    let values = if parts.is_empty() { new_empty_array(field.data_type()) } else { concat(&parts)? };
    let values =
        if values.data_type() == field.data_type() { values } else { arrow_cast::cast(&values, field.data_type())? };
    Ok(Arc::new(ListArray::try_new(field, offsets, values, Some(nulls.into()))?))
}

/// The bytes of texts.
fn bytes_of(values: &ArrayRef) -> usize {
    match values.as_string_view_opt() {
        Some(texts) => texts.lengths().map(|length| length as usize).fold(0, usize::saturating_add),
        None => values.len().saturating_mul(32),
    }
}

/// Refuses a part that is put to an array of another depth.
fn check_depths(one: &ArrayRef, other: &ArrayRef) -> Result<(), SqlError> {
    let is_nested = |values: &ArrayRef| matches!(PgType::of(values.data_type()), PgType::Array(_));
    if is_nested(one) != is_nested(other) {
        return Err(SqlError::not_supported("arrays of different numbers of dimensions are not put together"));
    }
    Ok(())
}

fn append(call: &Call) -> Result<ArrayRef> {
    with_element(call, 0, 1, |array, element| vec![array, element])
}

fn prepend(call: &Call) -> Result<ArrayRef> {
    with_element(call, 1, 0, |array, element| vec![element, array])
}

fn with_element(
    call: &Call,
    array: usize,
    element: usize,
    order: fn(ArrayRef, ArrayRef) -> Vec<ArrayRef>,
) -> Result<ArrayRef> {
    let (arrays, elements) = (call.list(array), call.any(element));
    let mut rows = Vec::with_capacity(call.rows());
    for row in 0..call.rows() {
        let array = arrays.get(row).unwrap_or_else(|| new_empty_array(&arrays.array().value_type()));
        let element = elements.array().slice(elements.index(row), 1);
        check_depths(&array, &element)?;
        let parts = order(array, element);
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        rows.push(Some(concat(&parts)?));
    }
    lists(call, rows)
}

fn cat(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (call.list(0), call.list(1));
    let mut rows = Vec::with_capacity(call.rows());
    for row in 0..call.rows() {
        rows.push(match (left.get(row), right.get(row)) {
            (Some(left), Some(right)) => {
                check_depths(&left, &right)?;
                if left.data_type() != right.data_type() {
                    let (of_left, of_right) = (PgType::of(left.data_type()), PgType::of(right.data_type()));
                    return Err(SqlError::new(
                        "42883",
                        format!("operator does not exist: {of_left}[] || {of_right}[]"),
                    )
                    .into());
                }
                Some(concat(&[left.as_ref(), right.as_ref()])?)
            }
            (left, right) => left.or(right),
        });
    }
    lists(call, rows)
}

pub(super) fn nested_is_refused(arrays: &ListArray, what: &str) -> Result<(), SqlError> {
    match PgType::of(&arrays.value_type()) {
        PgType::Array(_) => {
            Err(SqlError::not_supported(format!("{what} elements from multidimensional arrays is not supported")))
        }
        _ => Ok(()),
    }
}

fn remove(call: &Call) -> Result<ArrayRef> {
    let (arrays, elements) = (call.list(0), call.any(1));
    nested_is_refused(arrays.array(), "removing")?;
    let compare = comparator(arrays.array().values(), elements.array())?;
    let mut comparisons = Comparisons::default();
    let mut rows = Vec::with_capacity(call.rows());
    for row in 0..call.rows() {
        let Some(array) = arrays.get(row) else {
            rows.push(None);
            continue;
        };
        comparisons.take(array.len())?;
        let first = arrays.array().value_offsets()[arrays.index(row)] as usize;
        let element = elements.index(row);
        let kept: UInt32Array = (0..array.len())
            .filter(|place| compare(first + place, element) != Ordering::Equal)
            .map(|place| place as u32)
            .collect();
        rows.push(Some(take(&array, &kept, None)?));
    }
    lists(call, rows)
}

fn replace(call: &Call) -> Result<ArrayRef> {
    let (arrays, froms, tos) = (call.list(0), call.any(1), call.any(2));
    nested_is_refused(arrays.array(), "replacing")?;
    let compare = comparator(arrays.array().values(), froms.array())?;
    let mut comparisons = Comparisons::default();
    let mut rows = Vec::with_capacity(call.rows());
    for row in 0..call.rows() {
        let Some(array) = arrays.get(row) else {
            rows.push(None);
            continue;
        };
        comparisons.take(array.len())?;
        let first = arrays.array().value_offsets()[arrays.index(row)] as usize;
        let from = froms.index(row);
        // The other element stands behind the array.
        let to = tos.array().slice(tos.index(row), 1);
        let both = concat(&[array.as_ref(), to.as_ref()])?;
        let places: UInt32Array = (0..array.len())
            .map(|place| if compare(first + place, from) == Ordering::Equal { array.len() } else { place } as u32)
            .collect();
        rows.push(Some(take(&both, &places, None)?));
    }
    lists(call, rows)
}

fn fill(call: &Call) -> Result<ArrayRef> {
    let (elements, dimensions) = (call.any(0), call.list(1));
    let mut budget = Budget::default();
    let mut rows = Vec::with_capacity(call.rows());
    for row in 0..call.rows() {
        let null = || SqlError::new("22004", "dimension array or low bound array cannot be null");
        let lengths = dimensions.get(row).ok_or_else(null)?;
        let lengths = lengths.as_primitive::<arrow_array::types::Int32Type>();
        if lengths.null_count() > 0 {
            return Err(SqlError::new("22004", "dimension values cannot be null").into());
        }
        let length = match lengths.values().as_ref() {
            [] => 0,
            [length] => usize::try_from(*length)
                .map_err(|_| SqlError::new("54000", "array size exceeds the maximum allowed"))?,
            _ => return Err(SqlError::not_supported("array_fill with more than one dimension is not supported").into()),
        };
        let element = elements.array().slice(elements.index(row), 1);
        budget.take(length.saturating_mul(bytes_of(&element).saturating_add(16)))?;
        rows.push(Some(take(&element, &UInt32Array::from(vec![0_u32; length]), None)?));
    }
    lists(call, rows)
}

fn trim(call: &Call) -> Result<ArrayRef> {
    let (arrays, numbers) = (call.list(0), call.int4(1));
    let mut rows = Vec::with_capacity(call.rows());
    for row in 0..call.rows() {
        let (Some(array), Some(number)) = (arrays.get(row), numbers.get(row)) else {
            rows.push(None);
            continue;
        };
        let kept =
            usize::try_from(number).ok().and_then(|number| array.len().checked_sub(number)).ok_or_else(|| {
                SqlError::new("2202E", format!("number of elements to trim must be between 0 and {}", array.len()))
            })?;
        rows.push(Some(array.slice(0, kept)));
    }
    lists(call, rows)
}

fn to_string(call: &Call) -> Result<ArrayRef> {
    let (arrays, separators) = (call.list(0), call.text(1));
    let for_null = (call.len() > 2).then(|| call.text(2));
    let mut budget = Budget::default();
    call.texts(|row| {
        let (Some(array), Some(separator)) = (arrays.get(row), separators.get(row)) else { return Ok(None) };
        let for_null = for_null.as_ref().and_then(|for_null| for_null.get(row));
        let texts = texts(&super::nested::flat(&array))?;
        let parts: Vec<&str> = texts.iter().filter_map(|text| text.or(for_null)).collect();
        let bytes = parts.iter().map(|part| part.len().saturating_add(separator.len()));
        budget.take(bytes.fold(0, usize::saturating_add))?;
        Ok(Some(parts.join(separator)))
    })
}

fn string_to_array(call: &Call) -> Result<ArrayRef> {
    let (texts, separators) = (call.text(0), call.text(1));
    let for_null = (call.len() > 2).then(|| call.text(2));
    let mut made = ListBuilder::new(StringViewBuilder::new());
    let mut budget = Budget::default();
    for row in 0..call.rows() {
        let Some(text) = texts.get(row) else {
            made.append_null();
            continue;
        };
        let null = for_null.as_ref().and_then(|for_null| for_null.get(row));
        let mut add = |part: &str| -> Result<(), SqlError> {
            budget.take(part.len().saturating_add(16))?;
            made.values().append_option((Some(part) != null).then_some(part));
            Ok(())
        };
        match separators.get(row) {
            _ if text.is_empty() => {}
            // Each letter.
            None => text.split_inclusive(|_: char| true).try_for_each(&mut add)?,
            Some("") => add(text)?,
            Some(separator) => text.split(separator).try_for_each(&mut add)?,
        }
        made.append(true);
    }
    Ok(Arc::new(made.finish()))
}
