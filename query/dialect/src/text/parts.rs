//! Lengths, parts, places and replacing. Letters are counted, not bytes, and from 1.

use super::budget::Budget;
use super::regex::{substring_by_pattern, substring_similar};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Function, Returns, form};
use crate::text_types::VARCHAR;
use crate::types::PgType::{Bool, Bytea, Int4, Text};
use arrow_array::ArrayRef;
use arrow_array::types::Int32Type;
use datafusion::common::Result;

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    vec![
        Function::new("length", vec![form([Text], || Int4, letters), form([Bytea], || Int4, bytes)]),
        Function::new("char_length", vec![form([Text], || Int4, letters)]).or("character_length"),
        Function::new("octet_length", vec![form([Text], || Int4, octets), form([Bytea], || Int4, bytes)]),
        Function::new("bit_length", vec![form([Text], || Int4, bits), form([Bytea], || Int4, bits_of_bytes)]),
        Function::new("left", vec![form([Text, Int4], || Text, left)]),
        Function::new("right", vec![form([Text, Int4], || Text, right)]),
        Function::new("strpos", vec![form([Text, Text], || Int4, strpos)]),
        Function::new("position", vec![form([Text, Text], || Int4, strpos)]),
        Function::new("replace", vec![form([Text, Text, Text], || Text, replace)]),
        Function::new("split_part", vec![form([Text, Text, Int4], || Text, split_part)]),
        Function::new("reverse", vec![form([Text], || Text, reverse)]),
        Function::new("repeat", vec![form([Text, Int4], || Text, repeat)]),
        Function::new(
            "to_varchar_type",
            vec![form([Text, Int4], || Text, to_varchar).returning(Returns::Named(VARCHAR))],
        ),
        Function::new("starts_with", vec![form([Text, Text], || Bool, starts_with)]),
    ]
}

/// The operators.
pub(super) fn operators() -> Vec<Function> {
    vec![Function::new("^@", vec![form([Text, Text], || Bool, starts_with)])]
}

/// `substring`, in all of its forms over texts.
pub(super) fn substring() -> Function {
    Function::new(
        "substring",
        vec![
            form([Text, Int4], || Text, part),
            form([Text, Int4, Int4], || Text, part),
            form([Text, Text], || Text, substring_by_pattern),
            form([Text, Text, Text], || Text, substring_similar),
        ],
    )
}

/// `substr` over texts.
pub(super) fn substr() -> Function {
    Function::new("substr", vec![form([Text, Int4], || Text, part), form([Text, Int4, Int4], || Text, part)])
}

/// `overlay` over texts.
pub(super) fn overlay() -> Function {
    Function::new(
        "overlay",
        vec![form([Text, Text, Int4], || Text, overlaid), form([Text, Text, Int4, Int4], || Text, overlaid)],
    )
}

/// A number of letters or bytes as `integer`. Texts are far shorter than it counts.
pub(super) fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn counted(call: &Call, counted: impl Fn(&str) -> usize) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.primitives::<Int32Type>(|row| Ok(texts.get(row).map(|text| count(counted(text)))))
}

fn letters(call: &Call) -> Result<ArrayRef> {
    counted(call, |text| if text.is_ascii() { text.len() } else { text.chars().count() })
}

fn octets(call: &Call) -> Result<ArrayRef> {
    counted(call, str::len)
}

fn bits(call: &Call) -> Result<ArrayRef> {
    counted(call, |text| text.len().saturating_mul(8))
}

fn bytes(call: &Call) -> Result<ArrayRef> {
    let values = call.bytea(0);
    call.primitives::<Int32Type>(|row| Ok(values.get(row).map(|bytes| count(bytes.len()))))
}

fn bits_of_bytes(call: &Call) -> Result<ArrayRef> {
    let values = call.bytea(0);
    call.primitives::<Int32Type>(|row| Ok(values.get(row).map(|bytes| count(bytes.len().saturating_mul(8)))))
}

/// Where the letter behind the first `letters` begins; the end if there are fewer.
pub(super) fn place_behind(text: &str, letters: usize) -> usize {
    if letters >= text.len() {
        return text.len();
    }
    if text.is_ascii() {
        return letters;
    }
    text.char_indices().nth(letters).map_or(text.len(), |(place, _)| place)
}

/// Where the last `letters` begin; 0 if there are fewer.
fn place_before_last(text: &str, letters: usize) -> usize {
    match letters {
        0 => text.len(),
        letters => text.char_indices().rev().nth(letters - 1).map_or(0, |(place, _)| place),
    }
}

fn left(call: &Call) -> Result<ArrayRef> {
    let (texts, numbers) = (call.text(0), call.int4(1));
    call.texts(|row| {
        let (Some(text), Some(number)) = (texts.get(row), numbers.get(row)) else { return Ok(None) };
        let letters = number.unsigned_abs() as usize;
        let end = if number >= 0 { place_behind(text, letters) } else { place_before_last(text, letters) };
        Ok(Some(&text[..end]))
    })
}

/// `x::varchar(n)`: the first letters.
fn to_varchar(call: &Call) -> Result<ArrayRef> {
    let (texts, lengths) = (call.text(0), call.int4(1));
    call.texts(|row| {
        let (Some(text), Some(length)) = (texts.get(row), lengths.get(row)) else { return Ok(None) };
        if length < 1 {
            return Err(SqlError::invalid_parameter("length for type varchar must be at least 1").into());
        }
        Ok(Some(&text[..place_behind(text, length.unsigned_abs() as usize)]))
    })
}

fn right(call: &Call) -> Result<ArrayRef> {
    let (texts, numbers) = (call.text(0), call.int4(1));
    call.texts(|row| {
        let (Some(text), Some(number)) = (texts.get(row), numbers.get(row)) else { return Ok(None) };
        // The smallest number has no opposite, and leaves everything.
        let letters = if number == i32::MIN { 0 } else { number.unsigned_abs() as usize };
        let begin = if number >= 0 { place_before_last(text, letters) } else { place_behind(text, letters) };
        Ok(Some(&text[begin..]))
    })
}

/// The first place, counted from 0, and the place behind the last one, of `length` places from `start`, which is counted
/// from 1 and may be below. `None` as the end is the end of the text.
pub(super) fn span(start: i32, length: Option<i32>) -> Result<(usize, Option<usize>), SqlError> {
    let first = i64::from(start) - 1;
    let end = match length {
        Some(length) if length < 0 => return Err(SqlError::new("22011", "negative substring length not allowed")),
        Some(length) => Some(first + i64::from(length)),
        None => None,
    };
    let place = |place: i64| usize::try_from(place.max(0)).unwrap_or(usize::MAX);
    Ok((place(first), end.map(place)))
}

fn part(call: &Call) -> Result<ArrayRef> {
    let (texts, starts) = (call.text(0), call.int4(1));
    let lengths = (call.len() > 2).then(|| call.int4(2));
    call.texts(|row| {
        let (Some(text), Some(start)) = (texts.get(row), starts.get(row)) else { return Ok(None) };
        let length = match &lengths {
            None => None,
            Some(lengths) => match lengths.get(row) {
                None => return Ok(None),
                length => length,
            },
        };
        let (first, end) = span(start, length)?;
        let from = place_behind(text, first);
        let part = &text[from..];
        Ok(Some(match end {
            None => part,
            Some(end) => &part[..place_behind(part, end.saturating_sub(first))],
        }))
    })
}

fn strpos(call: &Call) -> Result<ArrayRef> {
    let (texts, parts) = (call.text(0), call.text(1));
    call.primitives::<Int32Type>(|row| {
        let (Some(text), Some(part)) = (texts.get(row), parts.get(row)) else { return Ok(None) };
        Ok(Some(text.find(part).map_or(0, |at| count(text[..at].chars().count() + 1))))
    })
}

fn overlaid(call: &Call) -> Result<ArrayRef> {
    let (texts, others, starts) = (call.text(0), call.text(1), call.int4(2));
    let lengths = (call.len() > 3).then(|| call.int4(3));
    let mut budget = Budget::default();
    call.texts(|row| {
        let (Some(text), Some(other), Some(start)) = (texts.get(row), others.get(row), starts.get(row)) else {
            return Ok(None);
        };
        let length = match &lengths {
            None => count(other.chars().count()),
            Some(lengths) => match lengths.get(row) {
                None => return Ok(None),
                Some(length) => length,
            },
        };
        let (before, behind) = overlay_places(start, length)?;
        budget.take(text.len().saturating_mul(2).saturating_add(other.len()))?;
        let before = &text[..place_behind(text, before)];
        let behind = &text[place_behind(text, behind)..];
        Ok(Some(format!("{before}{other}{behind}")))
    })
}

/// The places that stay before what is laid over, and the first place that stays behind it.
pub(super) fn overlay_places(start: i32, length: i32) -> Result<(usize, usize), SqlError> {
    if start <= 0 {
        return Err(SqlError::new("22011", "negative substring length not allowed"));
    }
    let behind = start.checked_add(length).ok_or_else(|| SqlError::out_of_range("integer"))?;
    let before = usize::try_from(start - 1).unwrap_or(0);
    Ok((before, usize::try_from(i64::from(behind) - 1).unwrap_or(0)))
}

fn replace(call: &Call) -> Result<ArrayRef> {
    let (texts, froms, tos) = (call.text(0), call.text(1), call.text(2));
    let mut budget = Budget::default();
    call.texts(|row| {
        let (Some(text), Some(from), Some(to)) = (texts.get(row), froms.get(row), tos.get(row)) else {
            return Ok(None);
        };
        if from.is_empty() {
            return Ok(Some(text.to_owned()));
        }
        if to.len() > from.len() {
            let added = text.matches(from).count().saturating_mul(to.len() - from.len());
            budget.take(added.saturating_add(text.len()))?;
        } else {
            budget.take(text.len())?;
        }
        Ok(Some(text.replace(from, to)))
    })
}

fn split_part(call: &Call) -> Result<ArrayRef> {
    let (texts, separators, fields) = (call.text(0), call.text(1), call.int4(2));
    call.texts(|row| {
        let (Some(text), Some(separator), Some(field)) = (texts.get(row), separators.get(row), fields.get(row)) else {
            return Ok(None);
        };
        if field == 0 {
            return Err(SqlError::invalid_parameter("field position must not be zero").into());
        }
        let number = field.unsigned_abs() as usize - 1;
        if text.is_empty() {
            return Ok(Some(""));
        }
        if separator.is_empty() {
            return Ok(Some(if number == 0 { text } else { "" }));
        }
        let part = match field > 0 {
            true => text.split(separator).nth(number),
            false => {
                // The parts are those that are found from the left.
                let parts = text.matches(separator).count() + 1;
                parts.checked_sub(number + 1).and_then(|number| text.split(separator).nth(number))
            }
        };
        Ok(Some(part.unwrap_or("")))
    })
}

fn reverse(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| Ok(texts.get(row).map(|text| text.chars().rev().collect::<String>())))
}

fn repeat(call: &Call) -> Result<ArrayRef> {
    let (texts, times) = (call.text(0), call.int4(1));
    let mut budget = Budget::default();
    call.texts(|row| {
        let (Some(text), Some(times)) = (texts.get(row), times.get(row)) else { return Ok(None) };
        let times = usize::try_from(times).unwrap_or(0);
        budget.take(text.len().saturating_mul(times))?;
        Ok(Some(text.repeat(times)))
    })
}

fn starts_with(call: &Call) -> Result<ArrayRef> {
    let (texts, beginnings) = (call.text(0), call.text(1));
    call.bools(|row| {
        let (Some(text), Some(beginning)) = (texts.get(row), beginnings.get(row)) else { return Ok(None) };
        Ok(Some(text.starts_with(beginning)))
    })
}
