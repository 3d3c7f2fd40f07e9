//! Casts of truth values: their words are `true` and `false`, and the beginnings of several words are read.

use crate::SqlError;
use crate::call::Call;
use crate::cast::CastRule;
use crate::types::PgType::{Bool, Int4, Text};
use arrow_array::ArrayRef;
use arrow_array::types::Int32Type;
use datafusion::common::Result;

/// The casts.
pub(super) fn casts() -> Vec<CastRule> {
    vec![
        CastRule { from: Text, to: Bool, evaluate: from_text },
        CastRule { from: Bool, to: Text, evaluate: to_text },
        CastRule { from: Int4, to: Bool, evaluate: from_int4 },
        CastRule { from: Bool, to: Int4, evaluate: to_int4 },
    ]
}

/// What a word means: one that is so, or begins one, if that is enough to know it.
fn read(text: &str) -> Option<bool> {
    let word = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']).to_ascii_lowercase();
    match word.as_str() {
        "" => None,
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        word if "true".starts_with(word) || "yes".starts_with(word) => Some(true),
        word if "false".starts_with(word) || "no".starts_with(word) => Some(false),
        _ => None,
    }
}

fn from_text(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.bools(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        Ok(Some(read(text).ok_or_else(|| SqlError::invalid_text("boolean", text))?))
    })
}

fn to_text(call: &Call) -> Result<ArrayRef> {
    let values = call.bool(0);
    call.texts(|row| Ok(values.get(row).map(|value| if value { "true" } else { "false" })))
}

fn from_int4(call: &Call) -> Result<ArrayRef> {
    let values = call.int4(0);
    call.bools(|row| Ok(values.get(row).map(|value| value != 0)))
}

fn to_int4(call: &Call) -> Result<ArrayRef> {
    let values = call.bool(0);
    call.primitives::<Int32Type>(|row| Ok(values.get(row).map(i32::from)))
}
