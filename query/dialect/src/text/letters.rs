//! Cases, padding, trimming, and the codes of letters.

use super::budget::Budget;
use super::parts::place_behind;
use super::regex::{is_alnum, lower, upper};
use crate::SqlError;
use crate::call::Call;
use crate::function::{Function, form};
use crate::types::PgType::{Bytea, Int4, Text};
use arrow_array::ArrayRef;
use arrow_array::types::Int32Type;
use datafusion::common::Result;
use std::collections::{HashMap, HashSet};

/// The functions.
pub(super) fn functions() -> Vec<Function> {
    let padding = |name, evaluate| {
        Function::new(name, vec![form([Text, Int4], || Text, evaluate), form([Text, Int4, Text], || Text, evaluate)])
    };
    let trimming = |name, evaluate, of_bytes| {
        Function::new(
            name,
            vec![
                form([Text], || Text, evaluate),
                form([Text, Text], || Text, evaluate),
                form([Bytea, Bytea], || Bytea, of_bytes),
            ],
        )
    };
    vec![
        Function::new("upper", vec![form([Text], || Text, |call| mapped(call, str::to_ascii_uppercase, upper))]),
        Function::new("lower", vec![form([Text], || Text, |call| mapped(call, str::to_ascii_lowercase, lower))]),
        Function::new("initcap", vec![form([Text], || Text, initcap)]),
        padding("lpad", |call| pad(call, true)),
        padding("rpad", |call| pad(call, false)),
        trimming("ltrim", |call| trim(call, true, false), |call| super::bytes::trim(call, true, false)),
        trimming("rtrim", |call| trim(call, false, true), |call| super::bytes::trim(call, false, true)),
        trimming("btrim", |call| trim(call, true, true), |call| super::bytes::trim(call, true, true)).or("trim"),
        Function::new("translate", vec![form([Text, Text, Text], || Text, translate)]),
        Function::new("ascii", vec![form([Text], || Int4, ascii)]),
        Function::new("chr", vec![form([Int4], || Text, chr)]),
        Function::new("unistr", vec![form([Text], || Text, unistr)]),
    ]
}

fn mapped(call: &Call, of_ascii: fn(&str) -> String, of_letter: fn(char) -> char) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        Ok(Some(if text.is_ascii() { of_ascii(text) } else { text.chars().map(of_letter).collect() }))
    })
}

fn initcap(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| {
        let Some(text) = texts.get(row) else { return Ok(None) };
        let mut made = String::with_capacity(text.len());
        let mut in_word = false;
        for letter in text.chars() {
            made.push(if in_word { lower(letter) } else { upper(letter) });
            in_word = is_alnum(letter);
        }
        Ok(Some(made))
    })
}

fn pad(call: &Call, at_left: bool) -> Result<ArrayRef> {
    let (texts, lengths) = (call.text(0), call.int4(1));
    let fills = (call.len() > 2).then(|| call.text(2));
    let mut budget = Budget::default();
    call.texts(|row| {
        let fill = fills.as_ref().map_or(Some(" "), |fills| fills.get(row));
        let (Some(text), Some(length), Some(fill)) = (texts.get(row), lengths.get(row), fill) else { return Ok(None) };
        let length = usize::try_from(length).unwrap_or(0);
        let letters = text.chars().count();
        if letters >= length || fill.is_empty() {
            return Ok(Some(text[..place_behind(text, length)].to_owned()));
        }
        let missing = length - letters;
        let of_fill = fill.chars().count();
        let bytes = (missing / of_fill + 1).saturating_mul(fill.len()).saturating_add(text.len());
        budget.take(bytes)?;
        let padding = fill.chars().cycle().take(missing);
        Ok(Some(match at_left {
            true => padding.chain(text.chars()).collect(),
            false => text.chars().chain(padding).collect::<String>(),
        }))
    })
}

fn trim(call: &Call, at_left: bool, at_right: bool) -> Result<ArrayRef> {
    let texts = call.text(0);
    let others = (call.len() > 1).then(|| call.text(1));
    // Many letters are looked up, few are compared.
    let constant: Option<HashSet<char>> = others
        .as_ref()
        .filter(|others| others.is_constant() && call.rows() > 0)
        .and_then(|others| Some(others.get(0)?.chars().collect()));
    call.texts(|row| {
        let letters = others.as_ref().map_or(Some(" "), |others| others.get(row));
        let (Some(text), Some(letters)) = (texts.get(row), letters) else { return Ok(None) };
        let of_row: Option<HashSet<char>> =
            (constant.is_none() && letters.len() > 8).then(|| letters.chars().collect());
        let is_trimmed = |letter: char| match constant.as_ref().or(of_row.as_ref()) {
            Some(letters) => letters.contains(&letter),
            None => letters.contains(letter),
        };
        let text = if at_left { text.trim_start_matches(is_trimmed) } else { text };
        Ok(Some(if at_right { text.trim_end_matches(is_trimmed) } else { text }))
    })
}

fn translate(call: &Call) -> Result<ArrayRef> {
    let (texts, froms, tos) = (call.text(0), call.text(1), call.text(2));
    let mut budget = Budget::default();
    call.texts(|row| {
        let (Some(text), Some(from), Some(to)) = (texts.get(row), froms.get(row), tos.get(row)) else {
            return Ok(None);
        };
        let mut map: HashMap<char, Option<char>> = HashMap::new();
        let mut to = to.chars();
        for letter in from.chars() {
            let other = to.next();
            map.entry(letter).or_insert(other);
        }
        budget.take(text.len().saturating_mul(4))?;
        let translated = text.chars().filter_map(|letter| map.get(&letter).copied().unwrap_or(Some(letter)));
        Ok(Some(translated.collect::<String>()))
    })
}

fn ascii(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.primitives::<Int32Type>(|row| {
        let code = |text: &str| text.chars().next().map_or(0, |letter| i32::try_from(u32::from(letter)).unwrap_or(0));
        Ok(texts.get(row).map(code))
    })
}

fn chr(call: &Call) -> Result<ArrayRef> {
    let codes = call.int4(0);
    call.texts(|row| {
        let Some(code) = codes.get(row) else { return Ok(None) };
        let letter = match code {
            0 => return Err(SqlError::new("54000", "null character not permitted").into()),
            ..0 => return Err(SqlError::invalid_parameter("character number must be positive").into()),
            code => u32::try_from(code)
                .ok()
                .filter(|code| *code <= 0x10_ffff)
                .ok_or_else(|| SqlError::new("54000", format!("requested character too large for encoding: {code}")))?,
        };
        let letter = char::from_u32(letter)
            .ok_or_else(|| SqlError::new("54000", format!("requested character not valid for encoding: {letter}")))?;
        Ok(Some(letter.to_string()))
    })
}

fn unistr(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0);
    call.texts(|row| Ok(texts.get(row).map(unescaped).transpose()?))
}

/// Reads `\XXXX`, `\+XXXXXX`, `\uXXXX` and `\UXXXXXXXX`.
fn unescaped(text: &str) -> Result<String, SqlError> {
    let invalid = || {
        SqlError::new("42601", "invalid Unicode escape")
            .with_hint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
    };
    let mut made = String::with_capacity(text.len());
    let mut high: Option<u32> = None;
    let mut rest = text;
    while !rest.is_empty() {
        let Some(behind) = rest.strip_prefix('\\') else {
            if high.is_some() {
                return Err(SqlError::new("42601", "invalid Unicode surrogate pair"));
            }
            let end = rest.find('\\').unwrap_or(rest.len());
            made.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        };
        if let Some(behind) = behind.strip_prefix('\\') {
            if high.is_some() {
                return Err(SqlError::new("42601", "invalid Unicode surrogate pair"));
            }
            made.push('\\');
            rest = behind;
            continue;
        }
        let (skip, digits) = match behind.as_bytes().first() {
            Some(b'+') => (1, 6),
            Some(b'u') => (1, 4),
            Some(b'U') => (1, 8),
            _ => (0, 4),
        };
        let code = behind.get(skip..skip + digits).filter(|code| code.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let code = code.and_then(|code| u32::from_str_radix(code, 16).ok()).ok_or_else(invalid)?;
        rest = &behind[skip + digits..];
        let code = match (high.take(), code) {
            (None, 0xd800..=0xdbff) => {
                high = Some(code);
                continue;
            }
            (Some(high), 0xdc00..=0xdfff) => 0x1_0000 + ((high - 0xd800) << 10) + (code - 0xdc00),
            (None, 0xdc00..=0xdfff) | (Some(_), _) => {
                return Err(SqlError::new("42601", "invalid Unicode surrogate pair"));
            }
            (None, code) => code,
        };
        let letter = char::from_u32(code).filter(|letter| *letter != '\0');
        made.push(letter.ok_or_else(|| SqlError::new("42601", "invalid Unicode code point"))?);
    }
    if high.is_some() {
        return Err(SqlError::new("42601", "invalid Unicode surrogate pair"));
    }
    Ok(made)
}
