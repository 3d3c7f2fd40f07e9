//! Parts of JSON, as they are written, or as texts.

use super::scan::{Kind, element, length, member, step};
use super::value::{check, parse, unescaped};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Form, Function, Returns, Takes, form};
use crate::types::PgType::{self, Int4, Text};
use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use datafusion::common::Result;
use std::borrow::Cow;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let path = |name, returns, evaluate| {
        Function::new(name, vec![Form::new(vec![Takes::Of(Text), Takes::Of(Text)], returns, evaluate).variadic()])
    };
    let length_of = |name| Function::new(name, vec![form([Text], || Int4, array_length)]);
    let type_of = |name| Function::new(name, vec![form([Text], || Text, type_of)]);
    let mut functions = vec![
        Function::new("to_json_type", vec![form([Text], || Text, to_json_type).returning(Returns::Named("json"))]),
        Function::new("to_jsonb_type", vec![form([Text], || Text, to_jsonb_type).returning(Returns::Named("jsonb"))]),
        length_of("json_array_length"),
        length_of("jsonb_array_length"),
        type_of("json_typeof"),
        type_of("jsonb_typeof"),
        path("json_extract_path", Returns::Named("json"), extract_path),
        path("jsonb_extract_path", Returns::Named("jsonb"), extract_path),
        path("json_extract_path_text", Returns::Of(|| Text), extract_path_text),
        path("jsonb_extract_path_text", Returns::Of(|| Text), extract_path_text),
    ];
    let of_paths = [
        "jsonb_path_query",
        "jsonb_path_query_array",
        "jsonb_path_query_first",
        "jsonb_path_exists",
        "jsonb_path_match",
    ];
    functions.extend(of_paths.map(|name| {
        Function::new(
            name,
            vec![Form::new(vec![Takes::Of(Text), Takes::Any], Returns::Of(|| Text), no_paths).variadic()],
        )
    }));
    functions
}

/// The operators.
pub(super) fn operators() -> Vec<Function> {
    let path = || PgType::Array(Box::new(Text));
    let json = || Returns::NamedAs(0, "json");
    vec![
        Function::new(
            "->",
            vec![
                form([Text, Text], || Text, by_key).returning(json()),
                form([Text, Int4], || Text, by_place).returning(json()),
            ],
        ),
        Function::new(
            "->>",
            vec![form([Text, Text], || Text, text_by_key), form([Text, Int4], || Text, text_by_place)],
        ),
        Function::new(
            "#>",
            vec![
                form([Text, path()], || Text, by_path).returning(json()),
                form([Text, Text], || Text, by_written_path).returning(json()),
            ],
        ),
        Function::new(
            "#>>",
            vec![form([Text, path()], || Text, text_by_path), form([Text, Text], || Text, text_by_written_path)],
        ),
    ]
}

fn no_paths(_: &Call) -> Result<ArrayRef> {
    Err(SqlError::not_supported("SQL/JSON paths are not supported")
        .with_hint("#> and #>> take a path as an array of keys.")
        .into())
}

/// `x::json`: the text as it is.
fn to_json_type(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    if matches!(call.mark(0), Some("json" | "jsonb")) {
        return call.texts(|row| Ok(texts.get(row)));
    }
    call.texts(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        check(text)?;
        Ok(Some(text))
    })
}

/// `x::jsonb`: the text as `jsonb` is written.
fn to_jsonb_type(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    if call.mark(0) == Some("jsonb") {
        return call.texts(|row| Ok(texts.get(row)));
    }
    call.texts(|row| Ok(texts.get(row).map(parse).transpose()?.map(|value| value.written())))
}

/// A value as a text: a string without quotes and escapes, NULL for `null`.
pub(super) fn as_text(value: &str) -> Result<Option<Cow<'_, str>>, SqlError> {
    Ok(match Kind::of(value) {
        None | Some(Kind::Null) => None,
        Some(Kind::String) => {
            let inner = value.trim_matches([' ', '\t', '\n', '\r']);
            let inner = inner.get(1..inner.len().saturating_sub(1)).unwrap_or_default();
            Some(if inner.contains('\\') { Cow::Owned(unescaped(inner)?) } else { Cow::Borrowed(inner) })
        }
        Some(_) => Some(Cow::Borrowed(value)),
    })
}

fn by_key(call: &Call) -> Result<ArrayRef> {
    let (texts, keys) = (call.text(0), call.text(1));
    call.texts(|row| Ok(texts.get(row).zip(keys.get(row)).and_then(|(text, key)| member(text, key))))
}

/// The element of a row's array at its place. To `jsonb` a value that is no array and no object is the one element of an array.
fn at_place(call: &Call, row: usize) -> Option<&str> {
    let (text, place) = (call.text(0).get(row)?, call.int4(1).get(row)?);
    let is_scalar = || Kind::of(text).is_some_and(|kind| !matches!(kind, Kind::Array | Kind::Object));
    if call.mark(0) == Some("jsonb") && matches!(place, 0 | -1) && is_scalar() {
        return Some(text);
    }
    element(text, place)
}

fn by_place(call: &Call) -> Result<ArrayRef> {
    call.texts(|row| Ok(at_place(call, row)))
}

fn text_by_key(call: &Call) -> Result<ArrayRef> {
    let (texts, keys) = (call.text(0), call.text(1));
    call.texts(|row| {
        let value = texts.get(row).zip(keys.get(row)).and_then(|(text, key)| member(text, key));
        Ok(value.map(as_text).transpose()?.flatten())
    })
}

fn text_by_place(call: &Call) -> Result<ArrayRef> {
    call.texts(|row| Ok(at_place(call, row).map(as_text).transpose()?.flatten()))
}

/// The steps of a path that an array is. A NULL among them leads nowhere.
pub(super) fn steps(path: &ArrayRef) -> Option<Vec<String>> {
    path.as_string_view().iter().map(|step| step.map(str::to_owned)).collect()
}

fn follow<'a>(text: &'a str, steps: &[String]) -> Option<&'a str> {
    steps.iter().try_fold(text, |part, key| step(part, key))
}

fn at_path(call: &Call, row: usize) -> Option<&str> {
    let text = call.text(0).get(row)?;
    follow(text, &steps(&call.list(1).get(row)?)?)
}

fn at_written_path(call: &Call, row: usize) -> Result<Option<&str>> {
    let (Some(text), Some(path)) = (call.text(0).get(row), call.text(1).get(row)) else { return Ok(None) };
    Ok(written_steps(path)?.and_then(|steps| follow(text, &steps)))
}

/// The steps of a path that is written as an array.
pub(super) fn written_steps(path: &str) -> Result<Option<Vec<String>>, SqlError> {
    Ok(crate::array::read_texts(path)?.into_iter().collect())
}

fn by_path(call: &Call) -> Result<ArrayRef> {
    call.texts(|row| Ok(at_path(call, row)))
}

fn text_by_path(call: &Call) -> Result<ArrayRef> {
    call.texts(|row| Ok(at_path(call, row).map(as_text).transpose()?.flatten()))
}

fn by_written_path(call: &Call) -> Result<ArrayRef> {
    call.texts(|row| at_written_path(call, row))
}

fn text_by_written_path(call: &Call) -> Result<ArrayRef> {
    call.texts(|row| Ok(at_written_path(call, row)?.map(as_text).transpose()?.flatten()))
}

fn at_steps(call: &Call, row: usize) -> Option<&str> {
    let text = call.text(0).get(row)?;
    (1..call.len()).try_fold(text, |part, argument| step(part, call.text(argument).get(row)?))
}

fn extract_path(call: &Call) -> Result<ArrayRef> {
    call.texts(|row| Ok(at_steps(call, row)))
}

fn extract_path_text(call: &Call) -> Result<ArrayRef> {
    call.texts(|row| Ok(at_steps(call, row).map(as_text).transpose()?.flatten()))
}

/// The kind of a whole text, which is checked unless its type tells that it is JSON.
fn kind(call: &Call, text: &str) -> Result<Kind, SqlError> {
    if !matches!(call.mark(0), Some("json" | "jsonb")) {
        check(text)?;
    }
    Kind::of(text).ok_or_else(|| SqlError::new("22P02", "invalid input syntax for type json"))
}

fn array_length(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.primitives::<Int32Type>(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        match kind(call, text)? {
            Kind::Array => Ok(length(text).map(|length| i32::try_from(length).unwrap_or(i32::MAX))),
            Kind::Object => Err(SqlError::invalid_parameter("cannot get array length of a non-array").into()),
            _ => Err(SqlError::invalid_parameter("cannot get array length of a scalar").into()),
        }
    })
}

fn type_of(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| Ok(texts.get(row).map(|text| kind(call, text)).transpose()?.map(Kind::name)))
}
