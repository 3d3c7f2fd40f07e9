//! Whether a `jsonb` contains another one, or a key.

use super::value::{Json, parse};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType::{self, Bool, Text};
use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use datafusion::common::Result;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    vec![Function::new("jsonb_exists", vec![form([Text, Text], || Bool, exists)])]
}

/// The operators.
pub(super) fn operators() -> Vec<Function> {
    let keys = || PgType::Array(Box::new(Text));
    vec![
        Function::new("@>", vec![form([Text, Text], || Bool, |call| contains(call, 0, 1))]),
        Function::new("<@", vec![form([Text, Text], || Bool, |call| contains(call, 1, 0))]),
        Function::new("?", vec![form([Text, Text], || Bool, exists)]),
        Function::new(
            "?|",
            vec![
                form([Text, keys()], || Bool, |call| exist(call, false)),
                form([Text, Text], || Bool, |call| exist_written(call, false)),
            ],
        ),
        Function::new(
            "?&",
            vec![
                form([Text, keys()], || Bool, |call| exist(call, true)),
                form([Text, Text], || Bool, |call| exist_written(call, true)),
            ],
        ),
    ]
}

/// Comparisons of values in one call.
const MOST_COMPARISONS: usize = 10_000_000;

fn is_same(one: &Json, other: &Json) -> bool {
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => plain(one) == plain(other),
        _ => one == other,
    }
}

/// A number without zeros at its end.
pub(super) fn plain(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

fn is_in(whole: &Json, part: &Json, left: &mut usize) -> Result<bool, SqlError> {
    *left = left.checked_sub(1).ok_or_else(|| SqlError::new("54000", "a comparison of jsonb takes too long"))?;
    Ok(match (whole, part) {
        (Json::Object(members), Json::Object(wanted)) => {
            for (key, value) in wanted {
                let Some((_, member)) = members.iter().find(|(known, _)| known == key) else { return Ok(false) };
                let fits = match value {
                    Json::Object(_) | Json::Array(_) => is_in(member, value, left)?,
                    scalar => is_same(member, scalar),
                };
                if !fits {
                    return Ok(false);
                }
            }
            true
        }
        (Json::Array(elements), Json::Array(wanted)) => {
            for value in wanted {
                let mut is_found = false;
                for element in elements {
                    *left = left
                        .checked_sub(1)
                        .ok_or_else(|| SqlError::new("54000", "a comparison of jsonb takes too long"))?;
                    is_found = match value {
                        Json::Object(_) | Json::Array(_) => is_in(element, value, left)?,
                        scalar => is_same(element, scalar),
                    };
                    if is_found {
                        break;
                    }
                }
                if !is_found {
                    return Ok(false);
                }
            }
            true
        }
        _ => false,
    })
}

fn contains(call: &Call, whole: usize, part: usize) -> Result<ArrayRef> {
    let (wholes, parts) = (call.text(whole), call.text(part));
    let mut left = MOST_COMPARISONS;
    let constant = match (parts.is_constant() && call.rows() > 0).then(|| parts.get(0)).flatten() {
        Some(part) => Some(parse(part)?),
        None => None,
    };
    call.bools(|row| {
        let (Some(whole), Some(part)) = (wholes.get(row), parts.get(row)) else { return Ok(None) };
        let of_row;
        let part = match &constant {
            Some(part) => part,
            None => {
                of_row = parse(part)?;
                &of_row
            }
        };
        let whole = parse(whole)?;
        Ok(Some(match (&whole, part) {
            (Json::Object(_), Json::Object(_)) | (Json::Array(_), Json::Array(_)) => is_in(&whole, part, &mut left)?,
            // An array contains a single value as if that were its element.
            (Json::Array(elements), scalar) if !matches!(scalar, Json::Object(_)) => {
                elements.iter().any(|element| is_same(element, scalar))
            }
            (one, other) => is_same(one, other),
        }))
    })
}

fn has(value: &Json, key: &str) -> bool {
    match value {
        Json::Object(members) => members.iter().any(|(known, _)| known == key),
        Json::Array(elements) => elements.iter().any(|element| matches!(element, Json::String(text) if text == key)),
        Json::String(text) => text == key,
        _ => false,
    }
}

fn exists(call: &Call) -> Result<ArrayRef> {
    let (texts, keys) = (call.text(0), call.text(1));
    call.bools(|row| {
        let (Some(text), Some(key)) = (texts.get(row), keys.get(row)) else { return Ok(None) };
        Ok(Some(has(&parse(text)?, key)))
    })
}

fn decided(value: &Json, mut keys: impl Iterator<Item = Option<String>>, all: bool) -> bool {
    let is_in = |key: Option<String>| key.is_some_and(|key| has(value, &key));
    // NULL asks for nothing.
    if all { keys.all(|key| key.is_none() || is_in(key)) } else { keys.any(is_in) }
}

fn exist(call: &Call, all: bool) -> Result<ArrayRef> {
    let (texts, keys) = (call.text(0), call.list(1));
    call.bools(|row| {
        let (Some(text), Some(keys)) = (texts.get(row), keys.get(row)) else { return Ok(None) };
        let keys = keys.as_string_view().iter().map(|key| key.map(str::to_owned));
        Ok(Some(decided(&parse(text)?, keys, all)))
    })
}

fn exist_written(call: &Call, all: bool) -> Result<ArrayRef> {
    let (texts, keys) = (call.text(0), call.text(1));
    call.bools(|row| {
        let (Some(text), Some(keys)) = (texts.get(row), keys.get(row)) else { return Ok(None) };
        Ok(Some(decided(&parse(text)?, crate::array::read_texts(keys)?.into_iter(), all)))
    })
}
