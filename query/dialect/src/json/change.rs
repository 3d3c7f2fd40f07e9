//! A `jsonb` that is made of another one.

use super::get::{steps, written_steps};
use super::value::{Json, object, parse};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Form, Function, Returns, form};
use crate::text::budget::Budget;
use crate::types::PgType::{self, Bool, Int4, Text};
use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use datafusion::common::Result;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let path = || PgType::Array(Box::new(Text));
    let jsonb = |form: Form| form.returning(Returns::Named("jsonb"));
    vec![
        Function::new("jsonb_pretty", vec![form([Text], || Text, pretty)]),
        Function::new("jsonb_strip_nulls", vec![jsonb(form([Text], || Text, strip_nulls))]),
        Function::new(
            "json_strip_nulls",
            vec![form([Text], || Text, strip_nulls_of_json).returning(Returns::Named("json"))],
        ),
        Function::new(
            "jsonb_set",
            vec![
                jsonb(form([Text, path(), Text], || Text, set)),
                jsonb(form([Text, path(), Text, Bool], || Text, set)),
            ],
        ),
        concat_function(),
        delete_function(),
        delete_path_function(),
    ]
}

/// The operators.
pub(super) fn operators() -> Vec<Function> {
    vec![delete_path_named("#-")]
}

/// `jsonb || jsonb`.
pub(super) fn concat_function() -> Function {
    Function::new("jsonb_concat", vec![form([Text, Text], || Text, concat).returning(Returns::Named("jsonb"))])
}

/// `jsonb - key`.
pub(super) fn delete_function() -> Function {
    let keys = || PgType::Array(Box::new(Text));
    let forms = [
        form([Text, Text], || Text, delete_key),
        form([Text, Int4], || Text, delete_place),
        form([Text, keys()], || Text, delete_keys),
    ];
    Function::new("jsonb_delete", forms.map(|form| form.returning(Returns::Named("jsonb"))).into())
}

fn delete_path_function() -> Function {
    delete_path_named("jsonb_delete_path")
}

fn delete_path_named(name: &'static str) -> Function {
    let path = || PgType::Array(Box::new(Text));
    let forms = [form([Text, path()], || Text, delete_path), form([Text, Text], || Text, delete_written_path)];
    Function::new(name, forms.map(|form| form.returning(Returns::Named("jsonb"))).into())
}

fn changed(call: &Call, mut change: impl FnMut(usize, Json) -> Result<Option<Json>>) -> Result<ArrayRef> {
    let texts = call.text(0);
    let mut budget = Budget::default();
    call.texts(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let made = change(row, parse(text)?)?.map(|value| value.written());
        budget.take(made.as_ref().map_or(0, String::len))?;
        Ok(made)
    })
}

fn pretty(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    let mut budget = Budget::default();
    call.texts(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        // Each value stands in a line of its own, behind some spaces for each value that it is in.
        let value = parse(text)?;
        budget.take(pretty_bytes(&value, 0))?;
        let mut made = String::new();
        value.write_pretty(0, &mut made);
        Ok(Some(made))
    })
}

/// About the bytes of a value that `jsonb_pretty` writes.
fn pretty_bytes(value: &Json, depth: usize) -> usize {
    let inside = match value {
        Json::Array(elements) => elements.iter().map(|element| pretty_bytes(element, depth + 1)).sum(),
        Json::Object(members) => {
            members.iter().map(|(key, value)| key.len() * 6 + 4 + pretty_bytes(value, depth + 1)).sum()
        }
        Json::String(text) => text.len() * 6 + 2,
        Json::Number(number) => number.len(),
        _ => 5,
    };
    inside + 2 * (depth * 4 + 4)
}

fn without_nulls(value: Json) -> Json {
    match value {
        Json::Array(elements) => Json::Array(elements.into_iter().map(without_nulls).collect()),
        Json::Object(members) => {
            let kept = members.into_iter().filter(|(_, value)| *value != Json::Null);
            Json::Object(kept.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        other => other,
    }
}

fn strip_nulls(call: &Call) -> Result<ArrayRef> {
    changed(call, |_, value| Ok(Some(without_nulls(value))))
}

/// Of a `json` the order of the keys stays, and keys that are there twice.
fn strip_nulls_of_json(call: &Call) -> Result<ArrayRef> {
    use super::scan::{Kind, Scanner};
    fn strip(text: &str, to: &mut String) {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        match Kind::of(text) {
            Some(Kind::Object) => {
                to.push('{');
                let mut is_first = true;
                let _ = Scanner::new(text).members(|key, value| {
                    if Kind::of(value) == Some(Kind::Null) {
                        return;
                    }
                    to.push_str(if is_first { "" } else { "," });
                    is_first = false;
                    to.push_str(key);
                    to.push(':');
                    strip(value, to);
                });
                to.push('}');
            }
            Some(Kind::Array) => {
                to.push('[');
                let mut is_first = true;
                let _ = Scanner::new(text).elements(|value| {
                    to.push_str(if is_first { "" } else { "," });
                    is_first = false;
                    strip(value, to);
                    true
                });
                to.push(']');
            }
            _ => to.push_str(text),
        }
    }
    let texts = call.text(0);
    call.texts(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        super::value::check(text)?;
        let mut made = String::with_capacity(text.len());
        strip(text, &mut made);
        Ok(Some(made))
    })
}

fn concat(call: &Call) -> Result<ArrayRef> {
    let others = call.text(1);
    changed(call, |row, value| {
        let Some(other) = others.get(row) else { return Ok(None) };
        let other = parse(other)?;
        Ok(Some(match (value, other) {
            (Json::Object(mut members), Json::Object(more)) => {
                members.extend(more);
                object(members)
            }
            (one, other) => {
                let elements = |value: Json| match value {
                    Json::Array(elements) => elements,
                    other => vec![other],
                };
                let mut all = elements(one);
                all.extend(elements(other));
                Json::Array(all)
            }
        }))
    })
}

fn without_key(value: Json, key: &str) -> Result<Json, SqlError> {
    match value {
        Json::Object(members) => Ok(Json::Object(members.into_iter().filter(|(known, _)| known != key).collect())),
        Json::Array(elements) => Ok(Json::Array(
            elements.into_iter().filter(|element| !matches!(element, Json::String(text) if text == key)).collect(),
        )),
        _ => Err(SqlError::invalid_parameter("cannot delete from scalar")),
    }
}

fn delete_key(call: &Call) -> Result<ArrayRef> {
    let keys = call.text(1);
    changed(call, |row, value| Ok(keys.get(row).map(|key| without_key(value, key)).transpose()?))
}

fn delete_keys(call: &Call) -> Result<ArrayRef> {
    let lists = call.list(1);
    changed(call, |row, mut value| {
        let Some(keys) = lists.get(row) else { return Ok(None) };
        if !matches!(value, Json::Object(_) | Json::Array(_)) {
            return Err(SqlError::invalid_parameter("cannot delete from scalar").into());
        }
        for key in keys.as_string_view().iter().flatten() {
            value = without_key(value, key)?;
        }
        Ok(Some(value))
    })
}

/// The place that a number means, which counts from the end if it is below 0.
fn place(number: i64, length: usize) -> Option<usize> {
    match usize::try_from(number) {
        Ok(place) => Some(place),
        Err(_) => length.checked_sub(usize::try_from(number.unsigned_abs()).ok()?),
    }
}

fn delete_place(call: &Call) -> Result<ArrayRef> {
    let places = call.int4(1);
    changed(call, |row, value| {
        let Some(number) = places.get(row) else { return Ok(None) };
        match value {
            Json::Array(mut elements) => {
                if let Some(place) = place(i64::from(number), elements.len()).filter(|place| *place < elements.len()) {
                    elements.remove(place);
                }
                Ok(Some(Json::Array(elements)))
            }
            Json::Object(_) => Err(SqlError::invalid_parameter("cannot delete from object using integer index").into()),
            _ => Err(SqlError::invalid_parameter("cannot delete from scalar").into()),
        }
    })
}

fn not_a_place(step: &str, at: usize) -> SqlError {
    SqlError::new("22P02", format!("path element at position {at} is not an integer: \"{step}\""))
}

/// Changes what is at a path: `with` gets what is there, and returns what is to be there.
fn at_path(
    value: Json,
    path: &[String],
    at: usize,
    with: &mut dyn FnMut(Option<Json>) -> Option<Json>,
) -> Result<Json, SqlError> {
    let Some((step, rest)) = path.split_first() else { return Ok(value) };
    match value {
        Json::Object(mut members) => {
            let found = members.iter().position(|(key, _)| key == step);
            match (found, rest.is_empty()) {
                (Some(found), true) => {
                    let (key, old) = members.remove(found);
                    if let Some(new) = with(Some(old)) {
                        members.insert(found, (key, new));
                    }
                }
                (Some(found), false) => {
                    let (key, old) = members.remove(found);
                    members.insert(found, (key, at_path(old, rest, at + 1, with)?));
                }
                (None, true) => {
                    if let Some(new) = with(None) {
                        members.push((step.clone(), new));
                        return Ok(object(members));
                    }
                }
                (None, false) => {}
            }
            Ok(Json::Object(members))
        }
        Json::Array(mut elements) => {
            let number: i64 = step.trim().parse::<i32>().map(i64::from).map_err(|_| not_a_place(step, at))?;
            match (place(number, elements.len()).filter(|place| *place < elements.len()), rest.is_empty()) {
                (Some(place), true) => {
                    let old = elements.remove(place);
                    if let Some(new) = with(Some(old)) {
                        elements.insert(place, new);
                    }
                }
                (Some(place), false) => {
                    let old = std::mem::replace(&mut elements[place], Json::Null);
                    elements[place] = at_path(old, rest, at + 1, with)?;
                }
                (None, true) => {
                    if let Some(new) = with(None) {
                        let place = if number < 0 { 0 } else { elements.len() };
                        elements.insert(place, new);
                    }
                }
                (None, false) => {}
            }
            Ok(Json::Array(elements))
        }
        other => Ok(other),
    }
}

fn set(call: &Call) -> Result<ArrayRef> {
    let (paths, news) = (call.list(1), call.text(2));
    let creates = (call.len() > 3).then(|| call.bool(3));
    changed(call, |row, value| {
        let creates = creates.as_ref().map_or(Some(true), |creates| creates.get(row));
        let (Some(path), Some(new), Some(creates)) = (paths.get(row), news.get(row), creates) else { return Ok(None) };
        let path = path_of(&path)?;
        let new = parse(new)?;
        if !matches!(value, Json::Object(_) | Json::Array(_)) {
            return Err(SqlError::invalid_parameter("cannot set path in scalar").into());
        }
        Ok(Some(at_path(value, &path, 1, &mut |old| (old.is_some() || creates).then(|| new.clone()))?))
    })
}

fn path_of(path: &ArrayRef) -> Result<Vec<String>, SqlError> {
    steps(path).ok_or_else(|| SqlError::new("22004", "path element is null"))
}

fn delete_at(value: Json, path: &[String]) -> Result<Json, SqlError> {
    if !matches!(value, Json::Object(_) | Json::Array(_)) {
        return Err(SqlError::invalid_parameter("cannot delete path in scalar"));
    }
    at_path(value, path, 1, &mut |_| None)
}

fn delete_path(call: &Call) -> Result<ArrayRef> {
    let paths = call.list(1);
    changed(call, |row, value| {
        let Some(path) = paths.get(row) else { return Ok(None) };
        Ok(Some(delete_at(value, &path_of(&path)?)?))
    })
}

fn delete_written_path(call: &Call) -> Result<ArrayRef> {
    let paths = call.text(1);
    changed(call, |row, value| {
        let Some(path) = paths.get(row) else { return Ok(None) };
        let path = written_steps(path)?.ok_or_else(|| SqlError::new("22004", "path element is null"))?;
        Ok(Some(delete_at(value, &path)?))
    })
}
