//! The elements and members of JSON as arrays, of which `json_array_elements`, `json_each` and `json_object_keys` make rows. The
//! functions here have no name in PostgreSQL; what they are called with is `json` or `jsonb` already.

use super::get::as_text;
use super::scan::{Kind, Scanner};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Function, form};
use crate::text::budget::Budget;
use crate::types::PgType::{self, Text};
use arrow_array::ArrayRef;
use arrow_array::builder::{ListBuilder, StringViewBuilder};
use datafusion::common::Result;
use std::borrow::Cow;
use std::sync::Arc;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let texts = || PgType::Array(Box::new(Text));
    vec![
        Function::new("json_elements", vec![form([Text], texts, |call| elements(call, false))]),
        Function::new("json_element_texts", vec![form([Text], texts, |call| elements(call, true))]),
        Function::new("json_keys", vec![form([Text], texts, |call| members(call, Part::Key))]),
        Function::new("json_values", vec![form([Text], texts, |call| members(call, Part::Value))]),
        Function::new("json_value_texts", vec![form([Text], texts, |call| members(call, Part::ValueText))]),
    ]
}

/// A part of a member.
#[derive(Clone, Copy)]
enum Part {
    Key,
    Value,
    ValueText,
}

/// The arrays of texts that `parts` finds in each JSON.
fn arrays(
    call: &Call,
    parts: impl for<'a> Fn(&'a str) -> Result<Vec<Option<Cow<'a, str>>>, SqlError>,
) -> Result<ArrayRef> {
    let texts = call.text(0);
    let mut made = ListBuilder::new(StringViewBuilder::new());
    let mut budget = Budget::default();
    for row in 0..call.rows() {
        let Some(text) = texts.get(row) else {
            made.append_null();
            continue;
        };
        for part in parts(text)? {
            budget.take(part.as_ref().map_or(0, |part| part.len()).saturating_add(16))?;
            made.values().append_option(part);
        }
        made.append(true);
    }
    Ok(Arc::new(made.finish()))
}

fn elements(call: &Call, as_texts: bool) -> Result<ArrayRef> {
    arrays(call, |text| {
        let mut found = Vec::new();
        let is_array = Scanner::new(text).elements(|element| {
            found.push(element);
            true
        });
        if is_array.is_none() {
            return Err(match Kind::of(text) {
                Some(Kind::Object) => SqlError::invalid_parameter("cannot extract elements from an object"),
                _ => SqlError::invalid_parameter("cannot extract elements from a scalar"),
            });
        }
        found.into_iter().map(|element| if as_texts { as_text(element) } else { Ok(Some(element.into())) }).collect()
    })
}

fn members(call: &Call, part: Part) -> Result<ArrayRef> {
    arrays(call, |text| {
        let mut found = Vec::new();
        if Scanner::new(text).members(|key, value| found.push((key, value))).is_none() {
            return Err(match Kind::of(text) {
                Some(Kind::Array) => SqlError::invalid_parameter("cannot deconstruct an array as an object"),
                _ => SqlError::invalid_parameter("cannot deconstruct a scalar"),
            });
        }
        found
            .into_iter()
            .map(|(key, value)| match part {
                Part::Key => as_text(key),
                Part::Value => Ok(Some(value.into())),
                Part::ValueText => as_text(value),
            })
            .collect()
    })
}
