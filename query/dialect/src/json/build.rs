//! JSON of values of any type.

use super::value::{check, parse, write_string};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes};
use crate::text::budget::Budget;
use crate::text::shown;
use crate::text_types::of_elements;
use crate::types::PgType;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringViewArray};
use datafusion::common::Result;
use std::sync::Arc;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let of_any = |name, returns, evaluate| Function::new(name, vec![Form::new(vec![Takes::Any], returns, evaluate)]);
    let (json, jsonb) = (|| Returns::Named("json"), || Returns::Named("jsonb"));
    let of_many = |name, returns, evaluate| {
        let none = Form::new(Vec::new(), returns, evaluate);
        Function::new(name, vec![none, Form::new(vec![Takes::Any], returns, evaluate).variadic()])
    };
    vec![
        of_any("to_json", json(), |call| one(call, false)),
        of_any("to_jsonb", jsonb(), |call| one(call, true)),
        Function::new("array_to_json", vec![Form::new(vec![Takes::AnyArray], json(), |call| one(call, false))]),
        of_any("row_to_json", json(), no_rows),
        of_any("to_json_element", json(), element),
        Function::new("json_of_values", vec![Form::new(vec![Takes::AnyArray], json(), elements)]),
        of_many("row_as_json", json(), |call| row(call, "")),
        of_many("row_as_json_element", json(), |call| row(call, ELEMENT)),
        of_many("json_build_array", json(), |call| array(call, false)),
        of_many("jsonb_build_array", jsonb(), |call| array(call, true)),
        of_many("json_build_object", json(), |call| object(call, false)),
        of_many("jsonb_build_object", jsonb(), |call| object(call, true)),
    ]
}

/// What stands before the JSON of an array or a row, which `json_agg` writes in a line of its own. No JSON has it.
pub(crate) const ELEMENT: &str = "\u{1}";

/// A value as an element of `json_agg`.
fn element(call: &Call) -> Result<ArrayRef> {
    let made = one(call, false)?;
    if !matches!(PgType::of(call.any(0).array().data_type()), PgType::Array(_)) {
        return Ok(made);
    }
    let marked = made.as_string_view().iter().map(|json| json.map(|json| format!("{ELEMENT}{json}")));
    Ok(Arc::new(marked.collect::<StringViewArray>()))
}

/// The elements of an array as `json_agg` writes them.
fn elements(call: &Call) -> Result<ArrayRef> {
    let lists = call.list(0);
    let values = Values::of(lists.array().values(), call.mark(0).and_then(of_elements))?;
    let between = if matches!(values, Values::Arrays(..)) { ", \n " } else { ", " };
    let offsets = lists.array().value_offsets();
    let mut budget = Budget::default();
    call.texts(|row| {
        if lists.is_null(row) {
            return Ok(None);
        }
        let place = lists.index(row);
        let (first, end) = (offsets[place] as usize, offsets[place + 1] as usize);
        let mut text = String::from("[");
        for element in first..end {
            text.push_str(if element > first { between } else { "" });
            values.write(element, &mut text, &mut budget)?;
        }
        text.push(']');
        Ok(Some(text))
    })
}

/// Names and values as the JSON of a row, as `row_to_json` writes it.
fn row(call: &Call, before: &str) -> Result<ArrayRef> {
    let values = values_of(call)?;
    let mut budget = Budget::default();
    call.texts(|row| {
        let mut text = format!("{before}{{");
        for name in (0..call.len()).step_by(2) {
            text.push_str(if name > 0 { "," } else { "" });
            write_string(call.text(name).get(row).unwrap_or_default(), &mut text);
            text.push(':');
            if let Some(value) = values.get(name + 1) {
                value.write(call.any(name + 1).index(row), &mut text, &mut budget)?;
            }
        }
        text.push('}');
        Ok(Some(text))
    })
}

fn no_rows(_: &Call) -> Result<ArrayRef> {
    Err(SqlError::not_supported("row_to_json is not supported here")
        .with_hint("json_build_object(..) makes an object of columns.")
        .into())
}

/// How the values of an argument are written.
enum Values {
    /// As they are: numbers, truth values, JSON.
    Plain(StringViewArray),
    Quoted(StringViewArray),
    /// Numbers that may be none (NaN).
    Numbers(StringViewArray),
    /// Arrays, and the mark of their elements.
    Arrays(ArrayRef, Option<&'static str>),
}

impl Values {
    fn of(values: &ArrayRef, mark: Option<&str>) -> Result<Self> {
        let with = |change: fn(&str) -> String| -> Result<StringViewArray> {
            Ok(shown::texts(values)?.iter().map(|text| text.map(change)).collect())
        };
        Ok(match PgType::of(values.data_type()) {
            PgType::Text if matches!(mark, Some("json" | "jsonb")) => Self::Plain(shown::texts(values)?),
            PgType::Bool => Self::Plain(with(|text| if text == "t" { "true" } else { "false" }.to_owned())?),
            PgType::Int2 | PgType::Int4 | PgType::Int8 => Self::Plain(shown::texts(values)?),
            PgType::Float4 | PgType::Float8 | PgType::Numeric => Self::Numbers(shown::texts(values)?),
            PgType::Timestamp => Self::Quoted(with(|text| text.replacen(' ', "T", 1))?),
            PgType::Timestamptz => Self::Quoted(with(with_minutes)?),
            PgType::Array(_) => Self::Arrays(ArrayRef::clone(values), mark.and_then(of_elements)),
            _ => Self::Quoted(shown::texts(values)?),
        })
    }

    fn write(&self, place: usize, to: &mut String, budget: &mut Budget) -> Result<()> {
        let (texts, is_quoted) = match self {
            Self::Arrays(lists, mark) => return write_array(lists, *mark, place, to, budget),
            Self::Plain(texts) => (texts, false),
            Self::Quoted(texts) => (texts, true),
            Self::Numbers(texts) => {
                let is_number = texts.is_valid(place)
                    && texts.value(place).trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit());
                (texts, !is_number)
            }
        };
        if texts.is_null(place) {
            to.push_str("null");
            return Ok(());
        }
        let text = texts.value(place);
        budget.take(text.len().saturating_mul(if is_quoted { 6 } else { 1 }).saturating_add(8))?;
        if is_quoted {
            write_string(text, to);
        } else {
            to.push_str(text);
        }
        Ok(())
    }
}

/// A time with the minutes of its offset, and a `T` before its hour.
fn with_minutes(text: &str) -> String {
    let text = text.replacen(' ', "T", 1);
    let (time, era) = match text.strip_suffix(" BC") {
        Some(time) => (time, " BC"),
        None => (text.as_str(), ""),
    };
    match time.rsplit_once(['+', '-']) {
        Some((_, hours)) if hours.len() == 2 && time.contains('T') => format!("{time}:00{era}"),
        _ => text,
    }
}

fn write_array(
    lists: &ArrayRef,
    mark: Option<&'static str>,
    place: usize,
    to: &mut String,
    budget: &mut Budget,
) -> Result<()> {
    let lists = lists.as_list::<i32>();
    if lists.is_null(place) {
        to.push_str("null");
        return Ok(());
    }
    let elements = lists.value(place);
    let values = Values::of(&elements, mark)?;
    to.push('[');
    for element in 0..elements.len() {
        to.push_str(if element > 0 { "," } else { "" });
        values.write(element, to, budget)?;
    }
    to.push(']');
    Ok(())
}

/// The text, anew if it is to be a `jsonb`.
fn finished(text: String, is_jsonb: bool) -> Result<String, SqlError> {
    if is_jsonb { parse(&text).map(|value| value.written()) } else { Ok(text) }
}

fn values_of(call: &Call) -> Result<Vec<Values>> {
    (0..call.len()).map(|argument| Values::of(call.any(argument).array(), call.mark(argument))).collect()
}

fn one(call: &Call, is_jsonb: bool) -> Result<ArrayRef> {
    let values = Values::of(call.any(0).array(), call.mark(0))?;
    let given = call.any(0);
    let mut budget = Budget::default();
    call.texts(|row| {
        if given.is_null(row) {
            return Ok(None);
        }
        let mut text = String::new();
        values.write(given.index(row), &mut text, &mut budget)?;
        Ok(Some(finished(text, is_jsonb)?))
    })
}

fn array(call: &Call, is_jsonb: bool) -> Result<ArrayRef> {
    let values = values_of(call)?;
    let mut budget = Budget::default();
    call.texts(|row| {
        let mut text = String::from("[");
        for (argument, values) in values.iter().enumerate() {
            text.push_str(if argument > 0 { ", " } else { "" });
            values.write(call.any(argument).index(row), &mut text, &mut budget)?;
        }
        text.push(']');
        Ok(Some(finished(text, is_jsonb)?))
    })
}

fn object(call: &Call, is_jsonb: bool) -> Result<ArrayRef> {
    if !call.len().is_multiple_of(2) {
        return Err(SqlError::invalid_parameter("argument list must have even number of elements")
            .with_hint("The arguments must consist of alternating keys and values.")
            .into());
    }
    let values = values_of(call)?;
    let keys = (0..call.len())
        .step_by(2)
        .map(|argument| match PgType::of(call.any(argument).array().data_type()) {
            PgType::Array(_) => {
                Err(SqlError::invalid_parameter("key value must be scalar, not array, composite, or json"))
            }
            _ if matches!(call.mark(argument), Some("json" | "jsonb")) => {
                Err(SqlError::invalid_parameter("key value must be scalar, not array, composite, or json"))
            }
            PgType::Unknown => Ok(None),
            _ => Ok(Some(argument)),
        })
        .map(|argument| argument?.map(|argument| shown::Texts::key_of(call, argument)).transpose())
        .collect::<Result<Vec<_>>>()?;
    let mut budget = Budget::default();
    call.texts(|row| {
        let mut text = String::from("{");
        for (pair, key) in keys.iter().enumerate() {
            text.push_str(if pair > 0 { ", " } else { "" });
            let key = key.as_ref().and_then(|key| key.get(row)).ok_or_else(|| {
                SqlError::invalid_parameter(match is_jsonb {
                    true => format!("argument {}: key must not be null", 2 * pair + 1),
                    false => format!("argument {} cannot be null", 2 * pair + 1),
                })
            })?;
            budget.take(key.len().saturating_mul(6))?;
            write_string(key, &mut text);
            text.push_str(" : ");
            values[2 * pair + 1].write(call.any(2 * pair + 1).index(row), &mut text, &mut budget)?;
        }
        text.push('}');
        check(&text)?;
        Ok(Some(finished(text, is_jsonb)?))
    })
}
