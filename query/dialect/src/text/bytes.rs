//! `bytea`: encodings, parts, casts. Its text is `\x` and two digits for each byte.

use super::budget::Budget;
use super::parts::{count, overlay_places, span};
use crate::SqlError;
use crate::call::Call;
use crate::cast::CastRule;
use crate::function::{Function, form};
use crate::types::PgType::{Bytea, Int4, Int8, Text};
use arrow_array::ArrayRef;
use arrow_array::builder::BinaryBuilder;
use arrow_array::types::Int32Type;
use datafusion::common::Result;
use std::sync::Arc;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let part = |function: Function| {
        function.with_forms_of(Function::new(
            "",
            vec![form([Bytea, Int4], || Bytea, part), form([Bytea, Int4, Int4], || Bytea, part)],
        ))
    };
    let overlay = Function::new(
        "",
        vec![form([Bytea, Bytea, Int4], || Bytea, overlaid), form([Bytea, Bytea, Int4, Int4], || Bytea, overlaid)],
    );
    vec![
        part(super::parts::substring()),
        part(super::parts::substr()),
        super::parts::overlay().with_forms_of(overlay),
        Function::new("encode", vec![form([Bytea, Text], || Text, encode)]),
        Function::new("decode", vec![form([Text, Text], || Bytea, decode)]),
        Function::new("to_hex", vec![form([Int4], || Text, hex_of_int4), form([Int8], || Text, hex_of_int8)]),
        Function::new("get_byte", vec![form([Bytea, Int4], || Int4, get_byte)]),
        Function::new("set_byte", vec![form([Bytea, Int4, Int4], || Bytea, set_byte)]),
        Function::new("convert_from", vec![form([Bytea, Text], || Text, convert_from)]),
        Function::new("convert_to", vec![form([Text, Text], || Bytea, convert_to)]),
    ]
}

/// The operators.
pub(super) fn operators() -> Vec<Function> {
    Vec::new()
}

/// The casts.
pub(super) fn casts() -> Vec<CastRule> {
    vec![CastRule { from: Bytea, to: Text, evaluate: to_text }, CastRule { from: Text, to: Bytea, evaluate: from_text }]
}

fn all_bytes(call: &Call, mut value: impl FnMut(usize) -> Result<Option<Vec<u8>>>) -> Result<ArrayRef> {
    let mut made = BinaryBuilder::new();
    let mut budget = Budget::default();
    for row in 0..call.rows() {
        let bytes = value(row)?;
        budget.take(bytes.as_ref().map_or(0, Vec::len))?;
        made.append_option(bytes);
    }
    Ok(Arc::new(made.finish()))
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The digits of bytes.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn to_text(call: &Call) -> Result<ArrayRef> {
    let values = call.bytea(0);
    let mut budget = Budget::default();
    call.texts(|row| {
        let Some(bytes) = values.get(row) else { return Ok(None) };
        budget.take(bytes.len().saturating_mul(2).saturating_add(2))?;
        Ok(Some(format!("\\x{}", hex(bytes))))
    })
}

fn from_text(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    all_bytes(call, |row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        Ok(Some(match text.strip_prefix("\\x") {
            Some(digits) => from_hex(digits)?,
            None => from_escapes(text)?,
        }))
    })
}

fn from_hex(text: &str) -> Result<Vec<u8>, SqlError> {
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut half: Option<u32> = None;
    for letter in text.chars() {
        let digit = match (letter.to_digit(16), half) {
            (Some(digit), _) => digit,
            (None, None) if matches!(letter, ' ' | '\n' | '\t' | '\r') => continue,
            (None, _) => {
                return Err(SqlError::invalid_parameter(format!("invalid hexadecimal digit: \"{letter}\"")));
            }
        };
        match half.take() {
            None => half = Some(digit),
            Some(first) => bytes.push(u8::try_from(first * 16 + digit).unwrap_or(0)),
        }
    }
    match half {
        None => Ok(bytes),
        Some(_) => Err(SqlError::invalid_parameter("invalid hexadecimal data: odd number of digits")),
    }
}

fn from_escapes(text: &str) -> Result<Vec<u8>, SqlError> {
    let invalid = || SqlError::new("22P02", "invalid input syntax for type bytea");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        if *first != b'\\' {
            bytes.push(*first);
            rest = behind;
            continue;
        }
        match behind {
            [b'\\', behind @ ..] => {
                bytes.push(b'\\');
                rest = behind;
            }
            [first @ b'0'..=b'3', second @ b'0'..=b'7', third @ b'0'..=b'7', behind @ ..] => {
                bytes.push((first - b'0') * 64 + (second - b'0') * 8 + (third - b'0'));
                rest = behind;
            }
            _ => return Err(invalid()),
        }
    }
    Ok(bytes)
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Letters of a line of base64.
const LINE: usize = 76;

fn base64(bytes: &[u8]) -> String {
    let mut made = String::with_capacity(bytes.len() / 3 * 4 + bytes.len() / 57 + 4);
    let mut in_line = 0;
    for part in bytes.chunks(3) {
        if in_line == LINE {
            made.push('\n');
            in_line = 0;
        }
        let byte = |place: usize| u32::from(part.get(place).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let is_filling = place > part.len();
            let letter = BASE64[(bits >> (18 - 6 * place) & 63) as usize];
            made.push(if is_filling { '=' } else { char::from(letter) });
        }
        in_line += 4;
    }
    // A full line ends, also the last one.
    if in_line == LINE {
        made.push('\n');
    }
    made
}

fn from_base64(text: &str) -> Result<Vec<u8>, SqlError> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut letters, mut filling) = (0_u32, 0, 0);
    for letter in text.chars() {
        if matches!(letter, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        let value = if letter == '=' {
            if filling == 0 {
                filling = match letters {
                    2 => 1,
                    3 => 2,
                    _ => return Err(SqlError::invalid_parameter("unexpected \"=\" while decoding base64 sequence")),
                };
            }
            0
        } else {
            let place = u8::try_from(letter).ok().and_then(|letter| BASE64.iter().position(|known| *known == letter));
            let place = place.filter(|_| filling == 0);
            place.and_then(|place| u32::try_from(place).ok()).ok_or_else(|| {
                SqlError::invalid_parameter(format!("invalid symbol \"{letter}\" found while decoding base64 sequence"))
            })?
        };
        bits = bits << 6 | value;
        letters += 1;
        if letters == 4 {
            let three = bits.to_be_bytes();
            let kept = match filling {
                0 => 3,
                known => known,
            };
            bytes.extend_from_slice(&three[1..=kept]);
            (bits, letters) = (0, 0);
        }
    }
    if letters != 0 {
        return Err(SqlError::invalid_parameter("invalid base64 end sequence")
            .with_hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(bytes)
}

fn escapes(bytes: &[u8]) -> String {
    let mut made = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => made.push_str("\\\\"),
            0 | 128.. => made.push_str(&format!("\\{byte:03o}")),
            plain => made.push(char::from(*plain)),
        }
    }
    made
}

fn unrecognized(name: &str) -> SqlError {
    SqlError::invalid_parameter(format!("unrecognized encoding: \"{name}\""))
}

fn encode(call: &Call) -> Result<ArrayRef> {
    let (values, encodings) = (call.bytea(0), call.text(1));
    let mut budget = Budget::default();
    call.texts(|row| {
        let (Some(bytes), Some(encoding)) = (values.get(row), encodings.get(row)) else { return Ok(None) };
        budget.take(bytes.len().saturating_mul(4))?;
        Ok(Some(match encoding.to_ascii_lowercase().as_str() {
            "hex" => hex(bytes),
            "base64" => base64(bytes),
            "escape" => escapes(bytes),
            _ => return Err(unrecognized(encoding).into()),
        }))
    })
}

fn decode(call: &Call) -> Result<ArrayRef> {
    let (texts, encodings) = (call.text(0), call.text(1));
    all_bytes(call, |row| {
        let (Some(text), Some(encoding)) = (texts.get(row), encodings.get(row)) else { return Ok(None) };
        Ok(Some(match encoding.to_ascii_lowercase().as_str() {
            "hex" => from_hex(text)?,
            "base64" => from_base64(text)?,
            "escape" => from_escapes(text)?,
            _ => return Err(unrecognized(encoding).into()),
        }))
    })
}

fn hex_of_int4(call: &Call) -> Result<ArrayRef> {
    let values = call.int4(0);
    call.texts(|row| Ok(values.get(row).map(|value| format!("{value:x}"))))
}

fn hex_of_int8(call: &Call) -> Result<ArrayRef> {
    let values = call.int8(0);
    call.texts(|row| Ok(values.get(row).map(|value| format!("{value:x}"))))
}

fn part(call: &Call) -> Result<ArrayRef> {
    let (values, starts) = (call.bytea(0), call.int4(1));
    let lengths = (call.len() > 2).then(|| call.int4(2));
    all_bytes(call, |row| {
        let (Some(bytes), Some(start)) = (values.get(row), starts.get(row)) else { return Ok(None) };
        let length = match &lengths {
            None => None,
            Some(lengths) => match lengths.get(row) {
                None => return Ok(None),
                length => length,
            },
        };
        let (first, end) = span(start, length)?;
        let end = end.unwrap_or(bytes.len()).min(bytes.len());
        Ok(Some(bytes.get(first.min(end)..end).unwrap_or_default().to_vec()))
    })
}

fn overlaid(call: &Call) -> Result<ArrayRef> {
    let (values, others, starts) = (call.bytea(0), call.bytea(1), call.int4(2));
    let lengths = (call.len() > 3).then(|| call.int4(3));
    all_bytes(call, |row| {
        let (Some(bytes), Some(other), Some(start)) = (values.get(row), others.get(row), starts.get(row)) else {
            return Ok(None);
        };
        let length = match &lengths {
            None => count(other.len()),
            Some(lengths) => match lengths.get(row) {
                None => return Ok(None),
                Some(length) => length,
            },
        };
        let (before, behind) = overlay_places(start, length)?;
        Ok(Some([&bytes[..before.min(bytes.len())], other, &bytes[behind.min(bytes.len())..]].concat()))
    })
}

/// `bytea || bytea`.
pub(super) fn joined(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (call.bytea(0), call.bytea(1));
    all_bytes(call, |row| {
        let (Some(left), Some(right)) = (left.get(row), right.get(row)) else { return Ok(None) };
        Ok(Some([left, right].concat()))
    })
}

/// `ltrim`, `rtrim`, `btrim` over bytes.
pub(super) fn trim(call: &Call, at_left: bool, at_right: bool) -> Result<ArrayRef> {
    let (values, others) = (call.bytea(0), call.bytea(1));
    all_bytes(call, |row| {
        let (Some(mut bytes), Some(trimmed)) = (values.get(row), others.get(row)) else { return Ok(None) };
        let mut is_trimmed = [false; 256];
        trimmed.iter().for_each(|byte| is_trimmed[usize::from(*byte)] = true);
        while let [first, rest @ ..] = bytes
            && at_left
            && is_trimmed[usize::from(*first)]
        {
            bytes = rest;
        }
        while let [rest @ .., last] = bytes
            && at_right
            && is_trimmed[usize::from(*last)]
        {
            bytes = rest;
        }
        Ok(Some(bytes.to_vec()))
    })
}

fn place(bytes: &[u8], place: i32) -> Result<usize, SqlError> {
    usize::try_from(place).ok().filter(|place| *place < bytes.len()).ok_or_else(|| {
        let last = i64::try_from(bytes.len()).unwrap_or(i64::MAX) - 1;
        SqlError::new("2202E", format!("index {place} out of valid range, 0..{last}"))
    })
}

fn get_byte(call: &Call) -> Result<ArrayRef> {
    let (values, places) = (call.bytea(0), call.int4(1));
    call.primitives::<Int32Type>(|row| {
        let (Some(bytes), Some(at)) = (values.get(row), places.get(row)) else { return Ok(None) };
        Ok(Some(i32::from(bytes[place(bytes, at)?])))
    })
}

fn set_byte(call: &Call) -> Result<ArrayRef> {
    let (values, places, others) = (call.bytea(0), call.int4(1), call.int4(2));
    all_bytes(call, |row| {
        let (Some(bytes), Some(at), Some(other)) = (values.get(row), places.get(row), others.get(row)) else {
            return Ok(None);
        };
        let at = place(bytes, at)?;
        let mut bytes = bytes.to_vec();
        // Only the lowest byte counts.
        bytes[at] = other.to_le_bytes()[0];
        Ok(Some(bytes))
    })
}

fn is_utf8(name: &str) -> Result<(), SqlError> {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.to_ascii_lowercase().as_str() {
        "utf8" | "unicode" => Ok(()),
        _ => Err(SqlError::not_supported("encodings of texts other than UTF8 are not supported")),
    }
}

fn convert_from(call: &Call) -> Result<ArrayRef> {
    let (values, encodings) = (call.bytea(0), call.text(1));
    call.texts(|row| {
        let (Some(bytes), Some(encoding)) = (values.get(row), encodings.get(row)) else { return Ok(None) };
        is_utf8(encoding)?;
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        Ok(Some(text.ok_or_else(|| SqlError::new("22021", "invalid byte sequence for encoding \"UTF8\""))?))
    })
}

fn convert_to(call: &Call) -> Result<ArrayRef> {
    let (texts, encodings) = (call.text(0), call.text(1));
    all_bytes(call, |row| {
        let (Some(text), Some(encoding)) = (texts.get(row), encodings.get(row)) else { return Ok(None) };
        is_utf8(encoding)?;
        Ok(Some(text.as_bytes().to_vec()))
    })
}
