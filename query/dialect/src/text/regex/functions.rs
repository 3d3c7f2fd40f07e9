//! The functions over regular expressions.

use super::operators;
use super::options::Options;
use super::patterns::Patterns;
use super::search::{Match, Pattern};
use super::similar::to_regular;
use crate::SqlError;
use crate::array::written;
use crate::call::Call;
use crate::function::{Function, form};
use crate::text::budget::Budget;
use crate::types::PgType::{self, Bool, Int4, Text};
use arrow_array::builder::{ArrayBuilder, ListBuilder, StringViewBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, ListArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;
use datafusion::common::Result;
use std::ops::Range;
use std::sync::Arc;

/// Reads the letters of flags.
fn flags(letters: &str, function: &str, takes_global: bool) -> Result<Options, SqlError> {
    let mut options = Options::default();
    for letter in letters.chars() {
        if letter == 'g' {
            options.is_global = true;
        } else if !options.add(letter)? {
            return Err(SqlError::invalid_parameter(format!("invalid regular expression option: \"{letter}\"")));
        }
    }
    if options.is_global && !takes_global {
        return Err(SqlError::invalid_parameter(format!("{function}() does not support the \"global\" option")));
    }
    Ok(options)
}

fn wrong(parameter: &str, value: i32) -> SqlError {
    SqlError::invalid_parameter(format!("invalid value for parameter \"{parameter}\": {value}"))
}

/// The functions.
pub(in crate::text) fn functions() -> Vec<Function> {
    let texts = || PgType::Array(Box::new(Text));
    let mut all = vec![
        Function::new(
            "regexp_match",
            vec![form([Text, Text], texts, regexp_match), form([Text, Text, Text], texts, regexp_match)],
        ),
        Function::new(
            "regexp_matches",
            vec![form([Text, Text], texts, set_returning), form([Text, Text, Text], texts, set_returning)],
        ),
        Function::new(
            "regexp_match_texts",
            vec![form([Text, Text], texts, match_texts), form([Text, Text, Text], texts, match_texts)],
        ),
        Function::new(
            "regexp_split_to_table",
            vec![form([Text, Text], || Text, set_returning), form([Text, Text, Text], || Text, set_returning)],
        ),
        Function::new(
            "regexp_split_to_array",
            vec![form([Text, Text], texts, split_to_array), form([Text, Text, Text], texts, split_to_array)],
        ),
        Function::new(
            "regexp_like",
            vec![form([Text, Text], || Bool, regexp_like), form([Text, Text, Text], || Bool, regexp_like)],
        ),
        Function::new(
            "regexp_count",
            vec![
                form([Text, Text], || Int4, regexp_count),
                form([Text, Text, Int4], || Int4, regexp_count),
                form([Text, Text, Int4, Text], || Int4, regexp_count),
            ],
        ),
        Function::new(
            "regexp_instr",
            (2..=7)
                .map(|arguments| {
                    let takes = [Text, Text, Int4, Int4, Int4, Text, Int4].into_iter().take(arguments);
                    form(takes, || Int4, regexp_instr)
                })
                .collect(),
        ),
        Function::new(
            "regexp_substr",
            (2..=6)
                .map(|arguments| {
                    let takes = [Text, Text, Int4, Int4, Text, Int4].into_iter().take(arguments);
                    form(takes, || Text, regexp_substr)
                })
                .collect(),
        ),
        Function::new(
            "regexp_replace",
            vec![
                form([Text, Text, Text], || Text, regexp_replace),
                form([Text, Text, Text, Text], || Text, regexp_replace),
                form([Text, Text, Text, Int4], || Text, regexp_replace_from),
                form([Text, Text, Text, Int4, Int4], || Text, regexp_replace_from),
                form([Text, Text, Text, Int4, Int4, Text], || Text, regexp_replace_from),
            ],
        ),
    ];
    all.extend(operators::functions());
    all
}

/// What returns many rows cannot be evaluated for one.
fn set_returning(_: &Call) -> Result<ArrayRef> {
    Err(SqlError::not_supported("set-returning functions are not supported here")
        .with_hint("unnest(..) of an array gives its elements as rows, for example unnest(regexp_split_to_array(..)).")
        .into())
}

/// An optional argument: the given one, or another value if none is given. The inner `None` is NULL.
macro_rules! optional {
    ($call:expr, $kind:ident, $place:expr, $row:expr, $otherwise:expr) => {
        if $call.len() > $place { $call.$kind($place).get($row) } else { Some($otherwise) }
    };
}

fn arrays(call: &Call, mut row: impl FnMut(usize) -> Result<Option<Vec<Option<String>>>>) -> Result<ArrayRef> {
    let mut lists = ListBuilder::new(StringViewBuilder::new());
    let mut budget = Budget::default();
    for number in 0..call.rows() {
        let Some(texts) = row(number)? else {
            lists.append_null();
            continue;
        };
        for text in texts {
            budget.take(16 + text.as_deref().map_or(0, str::len))?;
            lists.values().append_option(text);
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

fn part(text: &str, range: &Range<usize>) -> String {
    text[range.clone()].to_owned()
}

fn regexp_match(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut compiled = Patterns::new();
    arrays(call, |row| {
        let (Some(text), Some(pattern), Some(letters)) =
            (texts.get(row), patterns.get(row), optional!(call, text, 2, row, ""))
        else {
            return Ok(None);
        };
        let pattern = compiled.get(pattern, flags(letters, "regexp_match", false)?)?;
        Ok(pattern.search(text)?.find_groups(0)?.map(|found| match found.groups.as_slice() {
            [] => vec![Some(part(text, &found.whole))],
            groups => groups.iter().map(|group| group.as_ref().map(|group| part(text, group))).collect(),
        }))
    })
}

/// The rows of `regexp_matches`, each the text of an array.
fn match_texts(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut compiled = Patterns::new();
    let mut matches = ListBuilder::new(StringViewBuilder::new());
    let mut budget = Budget::default();
    let mut lengths = Vec::with_capacity(call.rows());
    for row in 0..call.rows() {
        let before = matches.len();
        if let (Some(text), Some(pattern), Some(letters)) =
            (texts.get(row), patterns.get(row), optional!(call, text, 2, row, ""))
        {
            let options = flags(letters, "regexp_matches", true)?;
            let is_global = options.is_global;
            let pattern = compiled.get(pattern, options)?;
            let mut search = pattern.search(text)?;
            let mut at = 0;
            while let Some(found) = search.find_groups(at)? {
                at = search.after(&found.whole);
                let whole = [Some(found.whole.clone())];
                let groups = if found.groups.is_empty() { whole.as_slice() } else { found.groups.as_slice() };
                for group in groups {
                    budget.take(40 + group.as_ref().map_or(0, ExactSizeIterator::len))?;
                    matches.values().append_option(group.as_ref().map(|group| part(text, group)));
                }
                matches.append(true);
                if !is_global {
                    break;
                }
            }
        }
        lengths.push(matches.len() - before);
    }
    let rows: ArrayRef = Arc::new(matches.finish());
    let texts: ArrayRef = Arc::new(written::texts(&rows, |texts| Ok(texts.as_string_view().clone()))?);
    let DataType::List(field) = call.result() else {
        return Err(SqlError::new("XX000", "regexp_match_texts gives texts").into());
    };
    Ok(Arc::new(ListArray::try_new(Arc::clone(field), OffsetBuffer::from_lengths(lengths), texts, None)?))
}

fn split_to_array(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut compiled = Patterns::new();
    arrays(call, |row| {
        let (Some(text), Some(pattern), Some(letters)) =
            (texts.get(row), patterns.get(row), optional!(call, text, 2, row, ""))
        else {
            return Ok(None);
        };
        let pattern = compiled.get(pattern, flags(letters, "regexp_split_to_array", false)?)?;
        let mut search = pattern.search(text)?;
        let (mut parts, mut begin, mut at) = (Vec::new(), 0, 0);
        let mut budget = Budget::default();
        while let Some(found) = search.find(at)? {
            at = search.after(&found);
            // Empty matches at an end, or behind another match, split nothing.
            if found.start < text.len() && found.end > begin {
                budget.take(40 + found.start - begin)?;
                parts.push(Some(part(text, &(begin..found.start))));
                begin = found.end;
            }
        }
        parts.push(Some(part(text, &(begin..text.len()))));
        Ok(Some(parts))
    })
}

fn regexp_like(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut compiled = Patterns::new();
    call.bools(|row| {
        let (Some(text), Some(pattern), Some(letters)) =
            (texts.get(row), patterns.get(row), optional!(call, text, 2, row, ""))
        else {
            return Ok(None);
        };
        Ok(Some(compiled.get(pattern, flags(letters, "regexp_like", false)?)?.is_match(text)?))
    })
}

/// Where the letter with this number begins. `None` if the text has fewer.
fn place_of(text: &str, letter: i32) -> Option<usize> {
    let before = usize::try_from(letter - 1).ok()?;
    text.char_indices().map(|(place, _)| place).chain([text.len()]).nth(before)
}

/// The match with this number, counted from `start`.
fn nth_match(pattern: &Pattern, text: &str, start: i32, number: i32) -> Result<Option<Match>> {
    let Some(mut at) = place_of(text, start) else { return Ok(None) };
    let mut search = pattern.search(text)?;
    for _ in 1..number {
        let Some(found) = search.find(at)? else { return Ok(None) };
        at = search.after(&found);
    }
    Ok(search.find_groups(at)?)
}

fn positive(parameter: &str, value: i32) -> Result<i32, SqlError> {
    if value > 0 { Ok(value) } else { Err(wrong(parameter, value)) }
}

fn not_negative(parameter: &str, value: i32) -> Result<usize, SqlError> {
    usize::try_from(value).map_err(|_| wrong(parameter, value))
}

fn regexp_count(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut compiled = Patterns::new();
    call.primitives::<Int32Type>(|row| {
        let (Some(text), Some(pattern), Some(start), Some(letters)) =
            (texts.get(row), patterns.get(row), optional!(call, int4, 2, row, 1), optional!(call, text, 3, row, ""))
        else {
            return Ok(None);
        };
        let start = positive("start", start)?;
        let pattern = compiled.get(pattern, flags(letters, "regexp_count", false)?)?;
        let Some(mut at) = place_of(text, start) else { return Ok(Some(0)) };
        let mut search = pattern.search(text)?;
        let mut count = 0;
        while let Some(found) = search.find(at)? {
            at = search.after(&found);
            count += 1;
        }
        Ok(Some(count))
    })
}

/// What a match or one of its groups is.
fn chosen(found: &Match, group: usize) -> Option<Range<usize>> {
    if group == 0 { Some(found.whole.clone()) } else { found.groups.get(group - 1).cloned().flatten() }
}

fn regexp_instr(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut compiled = Patterns::new();
    call.primitives::<Int32Type>(|row| {
        let (Some(text), Some(pattern), Some(start), Some(number)) =
            (texts.get(row), patterns.get(row), optional!(call, int4, 2, row, 1), optional!(call, int4, 3, row, 1))
        else {
            return Ok(None);
        };
        let (Some(at_end), Some(letters), Some(group)) =
            (optional!(call, int4, 4, row, 0), optional!(call, text, 5, row, ""), optional!(call, int4, 6, row, 0))
        else {
            return Ok(None);
        };
        let (start, number) = (positive("start", start)?, positive("n", number)?);
        if !(0..=1).contains(&at_end) {
            return Err(wrong("endoption", at_end).into());
        }
        let group = not_negative("subexpr", group)?;
        let pattern = compiled.get(pattern, flags(letters, "regexp_instr", false)?)?;
        let found = nth_match(&pattern, text, start, number)?.and_then(|found| chosen(&found, group));
        let Some(found) = found else { return Ok(Some(0)) };
        let place = if at_end == 1 { found.end } else { found.start };
        Ok(Some(i32::try_from(text[..place].chars().count()).unwrap_or(i32::MAX).saturating_add(1)))
    })
}

fn regexp_substr(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut compiled = Patterns::new();
    call.texts(|row| {
        let (Some(text), Some(pattern), Some(start), Some(number)) =
            (texts.get(row), patterns.get(row), optional!(call, int4, 2, row, 1), optional!(call, int4, 3, row, 1))
        else {
            return Ok(None);
        };
        let (Some(letters), Some(group)) = (optional!(call, text, 4, row, ""), optional!(call, int4, 5, row, 0)) else {
            return Ok(None);
        };
        let (start, number) = (positive("start", start)?, positive("n", number)?);
        let group = not_negative("subexpr", group)?;
        let pattern = compiled.get(pattern, flags(letters, "regexp_substr", false)?)?;
        let found = nth_match(&pattern, text, start, number)?.and_then(|found| chosen(&found, group));
        Ok(found.map(|found| &text[found]))
    })
}

/// `substring(text from pattern)`: the first group, or the match if there is no group.
pub(in crate::text) fn substring_by_pattern(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns) = (call.text(0), call.text(1));
    let mut compiled = Patterns::new();
    call.texts(|row| {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)) else { return Ok(None) };
        let pattern = compiled.get(pattern, Options::default())?;
        substring(&pattern, text)
    })
}

fn substring<'a>(pattern: &Pattern, text: &'a str) -> Result<Option<&'a str>> {
    let found = pattern.search(text)?.find_groups(0)?;
    let group = usize::from(pattern.groups() > 0);
    Ok(found.and_then(|found| chosen(&found, group)).map(|found| &text[found]))
}

/// `substring(text SIMILAR pattern ESCAPE escape)`.
pub(in crate::text) fn substring_similar(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns, escapes) = (call.text(0), call.text(1), call.text(2));
    let mut compiled = Patterns::new();
    call.texts(|row| {
        let (Some(text), Some(pattern), Some(escape)) = (texts.get(row), patterns.get(row), escapes.get(row)) else {
            return Ok(None);
        };
        let pattern = compiled.get(&to_regular(pattern, escape)?, Options::default())?;
        substring(&pattern, text)
    })
}

/// What a replacement is made of.
enum Piece<'a> {
    Text(&'a str),
    /// 0 is the whole match.
    Group(usize),
}

fn pieces(replacement: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        if at > 0 {
            pieces.push(Piece::Text(&rest[..at]));
        }
        let behind = &rest[at + 1..];
        let (piece, length) = match behind.as_bytes().first() {
            Some(digit @ b'1'..=b'9') => (Piece::Group(usize::from(digit - b'0')), 1),
            Some(b'&') => (Piece::Group(0), 1),
            Some(b'\\') => (Piece::Text("\\"), 1),
            // Any other letter stays with its backslash.
            _ => (Piece::Text("\\"), 0),
        };
        pieces.push(piece);
        rest = &behind[length..];
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// Replaces the match with this number, counted from the letter `start`; all if it is 0.
fn replaced(
    pattern: &Pattern,
    text: &str,
    replacement: &str,
    start: i32,
    number: i32,
    budget: &mut Budget,
) -> Result<String> {
    let pieces = pieces(replacement);
    let takes_groups = pieces.iter().any(|piece| matches!(piece, Piece::Group(1..)));
    let mut made = String::new();
    let (mut copied, mut count) = (0, 0);
    let mut search = pattern.search(text)?;
    let mut at = place_of(text, start).unwrap_or(text.len() + 1);
    budget.take(text.len())?;
    while let Some(found) = if takes_groups {
        search.find_groups(at)?
    } else {
        search.find(at)?.map(|whole| Match { whole, groups: Vec::new() })
    } {
        at = search.after(&found.whole);
        count += 1;
        if number > 0 && count < number {
            continue;
        }
        made.push_str(&text[copied..found.whole.start]);
        for piece in &pieces {
            let added = match piece {
                Piece::Text(text) => text,
                Piece::Group(group) => chosen(&found, *group).map_or("", |group| &text[group]),
            };
            budget.take(added.len())?;
            made.push_str(added);
        }
        copied = found.whole.end;
        if number > 0 {
            break;
        }
    }
    made.push_str(&text[copied..]);
    Ok(made)
}

fn regexp_replace(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns, replacements) = (call.text(0), call.text(1), call.text(2));
    let mut compiled = Patterns::new();
    let mut budget = Budget::default();
    call.texts(|row| {
        let (Some(text), Some(pattern), Some(replacement), Some(letters)) =
            (texts.get(row), patterns.get(row), replacements.get(row), optional!(call, text, 3, row, ""))
        else {
            return Ok(None);
        };
        let options = flags(letters, "regexp_replace", true).map_err(|error| {
            match letters.starts_with(|first: char| first.is_ascii_digit()) {
                true => error.with_hint(
                    "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer \
                     explicitly.",
                ),
                false => error,
            }
        })?;
        let number = if options.is_global { 0 } else { 1 };
        let pattern = compiled.get(pattern, Options { is_global: false, ..options })?;
        replaced(&pattern, text, replacement, 1, number, &mut budget).map(Some)
    })
}

fn regexp_replace_from(call: &Call) -> Result<ArrayRef> {
    let (texts, patterns, replacements) = (call.text(0), call.text(1), call.text(2));
    let mut compiled = Patterns::new();
    let mut budget = Budget::default();
    call.texts(|row| {
        let (Some(text), Some(pattern), Some(replacement)) = (texts.get(row), patterns.get(row), replacements.get(row))
        else {
            return Ok(None);
        };
        let (Some(start), Some(letters)) = (call.int4(3).get(row), optional!(call, text, 5, row, "")) else {
            return Ok(None);
        };
        let options = flags(letters, "regexp_replace", true)?;
        let otherwise = if options.is_global { 0 } else { 1 };
        let Some(number) = optional!(call, int4, 4, row, otherwise) else { return Ok(None) };
        let start = positive("start", start)?;
        if number < 0 {
            return Err(wrong("n", number).into());
        }
        let pattern = compiled.get(pattern, Options { is_global: false, ..options })?;
        replaced(&pattern, text, replacement, start, number, &mut budget).map(Some)
    })
}
