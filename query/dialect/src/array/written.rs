//! Arrays as texts: `{a,"b c",NULL}`, and `{{1,2},{3,4}}` for arrays of arrays.

use crate::SqlError;
use crate::text::budget::Budget;
use crate::types::PgType;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, StringViewArray};
use datafusion::common::Result;
use std::sync::Arc;

/// How elements that are no arrays become texts.
type TextsOfElements = fn(&ArrayRef) -> Result<StringViewArray>;

/// Arrays as texts.
pub(crate) fn texts(values: &ArrayRef, of_elements: TextsOfElements) -> Result<StringViewArray> {
    let lists = as_lists(values)?;
    let mut budget = Budget::default();
    written(&lists, of_elements, &mut budget)
}

/// Arrays of any kind as those of the canonical kind.
pub(super) fn as_lists(values: &ArrayRef) -> Result<ListArray> {
    if let Some(lists) = values.as_list_opt::<i32>() {
        return Ok(lists.clone());
    }
    let wanted = PgType::of(values.data_type()).arrow();
    Ok(arrow_cast::cast(values, &wanted)?.as_list::<i32>().clone())
}

fn written(lists: &ListArray, of_elements: TextsOfElements, budget: &mut Budget) -> Result<StringViewArray> {
    let is_nested = matches!(PgType::of(&lists.value_type()), PgType::Array(_));
    let elements = match is_nested {
        true => written(&as_lists(lists.values())?, of_elements, budget)?,
        false => of_elements(lists.values())?,
    };
    let mut made = arrow_array::builder::StringViewBuilder::with_capacity(lists.len());
    let offsets = lists.value_offsets();
    for row in 0..lists.len() {
        if lists.is_null(row) {
            made.append_null();
            continue;
        }
        let (begin, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        let mut text = String::from("{");
        for element in begin..end {
            if element > begin {
                text.push(',');
            }
            if elements.is_null(element) {
                text.push_str("NULL");
            } else if is_nested {
                text.push_str(elements.value(element));
            } else {
                write_element(elements.value(element), &mut text);
            }
        }
        text.push('}');
        // An array of empty arrays is an empty one.
        if is_nested && text.bytes().all(|letter| matches!(letter, b'{' | b'}' | b',')) {
            text.truncate(0);
            text.push_str("{}");
        }
        budget.take(text.len())?;
        made.append_value(text);
    }
    Ok(made.finish())
}

/// An element, in quotes if it would be read as something else without.
fn write_element(element: &str, to: &mut String) {
    let is_special =
        |letter: char| matches!(letter, '{' | '}' | ',' | '"' | '\\' | ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}');
    if !element.is_empty() && !element.eq_ignore_ascii_case("null") && !element.contains(is_special) {
        to.push_str(element);
        return;
    }
    to.push('"');
    for letter in element.chars() {
        if matches!(letter, '"' | '\\') {
            to.push('\\');
        }
        to.push(letter);
    }
    to.push('"');
}

/// An array that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Read {
    Element(Option<String>),
    Array(Vec<Read>),
}

/// Reads an array of texts.
pub(crate) fn read_texts(text: &str) -> Result<Vec<Option<String>>, SqlError> {
    let nested = || SqlError::new("22P02", "a path or a list of keys has one dimension");
    read(text)?
        .into_iter()
        .map(|element| match element {
            Read::Element(text) => Ok(text),
            Read::Array(_) => Err(nested()),
        })
        .collect()
}

/// Dimensions of an array.
const MOST_DIMENSIONS: usize = 6;

/// Reads an array.
pub(super) fn read(text: &str) -> Result<Vec<Read>, SqlError> {
    let mut reader = Reader { letters: text, rest: text };
    reader.skip_spaces();
    if reader.rest.starts_with('[') {
        return Err(SqlError::not_supported("arrays that do not begin at 1 are not supported"));
    }
    if !reader.rest.starts_with('{') {
        return Err(malformed(text, "Array value must start with \"{\" or dimension information."));
    }
    let array = reader.array(1)?;
    reader.skip_spaces();
    if !reader.rest.is_empty() {
        return Err(malformed(text, "Junk after closing right brace."));
    }
    Ok(array)
}

fn malformed(text: &str, detail: &str) -> SqlError {
    let mut shown: String = text.chars().take(100).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    SqlError::new("22P02", format!("malformed array literal: \"{shown}\"")).with_detail(detail)
}

struct Reader<'a> {
    letters: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    fn skip_spaces(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    }

    fn end(&self) -> SqlError {
        malformed(self.letters, "Unexpected end of input.")
    }

    fn unexpected(&self, letter: char) -> SqlError {
        malformed(self.letters, &format!("Unexpected \"{letter}\" character."))
    }

    /// An array, from its opening brace on.
    fn array(&mut self, dimension: usize) -> Result<Vec<Read>, SqlError> {
        if dimension > MOST_DIMENSIONS {
            return Err(SqlError::new(
                "54000",
                format!("number of array dimensions ({dimension}) exceeds the maximum allowed ({MOST_DIMENSIONS})"),
            ));
        }
        self.rest = self.rest.get(1..).unwrap_or_default();
        let mut elements: Vec<Read> = Vec::new();
        self.skip_spaces();
        if let Some(rest) = self.rest.strip_prefix('}') {
            self.rest = rest;
            return Ok(elements);
        }
        loop {
            self.skip_spaces();
            let element = match self.rest.chars().next() {
                None => return Err(self.end()),
                Some('{') => Read::Array(self.array(dimension + 1)?),
                Some('"') => Read::Element(Some(self.quoted()?)),
                Some(letter @ (',' | '}')) => return Err(self.unexpected(letter)),
                Some(_) => Read::Element(self.plain()?),
            };
            let fits = match (elements.first(), &element) {
                (None, _) => true,
                (Some(Read::Element(_)), Read::Element(_)) => true,
                (Some(Read::Array(first)), Read::Array(other)) => first.len() == other.len(),
                _ => false,
            };
            if !fits {
                return Err(malformed(
                    self.letters,
                    "Multidimensional arrays must have sub-arrays with matching dimensions.",
                ));
            }
            elements.push(element);
            self.skip_spaces();
            let next = self.rest.chars().next().ok_or_else(|| self.end())?;
            match next {
                ',' => self.rest = &self.rest[1..],
                '}' => {
                    self.rest = &self.rest[1..];
                    return Ok(elements);
                }
                other => return Err(self.unexpected(other)),
            }
        }
    }

    fn quoted(&mut self) -> Result<String, SqlError> {
        let mut element = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((place, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = &self.rest[place + 1..];
                    return Ok(element);
                }
                '\\' => element.push(letters.next().ok_or_else(|| self.end())?.1),
                other => element.push(other),
            }
        }
        Err(self.end())
    }

    /// An element without quotes. `NULL` is no text.
    fn plain(&mut self) -> Result<Option<String>, SqlError> {
        let mut element = String::new();
        // Spaces at the end do not count, unless they are escaped.
        let (mut kept, mut has_escape) = (0, false);
        let mut letters = self.rest.char_indices();
        while let Some((place, letter)) = letters.next() {
            match letter {
                ',' | '}' => {
                    element.truncate(kept);
                    self.rest = &self.rest[place..];
                    let is_null = !has_escape && element.eq_ignore_ascii_case("null");
                    return Ok((!is_null).then_some(element));
                }
                '{' | '"' => return Err(self.unexpected(letter)),
                '\\' => {
                    has_escape = true;
                    element.push(letters.next().ok_or_else(|| self.end())?.1);
                    kept = element.len();
                }
                ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => element.push(letter),
                other => {
                    element.push(other);
                    kept = element.len();
                }
            }
        }
        Err(self.end())
    }
}

/// Arrays of texts of this depth, from what was read.
pub(super) fn to_lists(rows: Vec<Option<Vec<Read>>>, depth: usize) -> Result<ArrayRef, SqlError> {
    let mut nulls = Vec::with_capacity(rows.len());
    let mut lengths = Vec::with_capacity(rows.len());
    let mut inner: Vec<Option<Vec<Read>>> = Vec::new();
    let mut elements: Vec<Option<String>> = Vec::new();
    for row in rows {
        nulls.push(row.is_some());
        let row = row.unwrap_or_default();
        lengths.push(row.len());
        for element in row {
            match (element, depth) {
                (Read::Element(text), 1) => elements.push(text),
                (Read::Array(array), 2..) => inner.push(Some(array)),
                _ => {
                    return Err(SqlError::not_supported(
                        "arrays of another number of dimensions than their type has are not supported",
                    ));
                }
            }
        }
    }
    let values: ArrayRef = match depth {
        0 | 1 => Arc::new(elements.into_iter().collect::<StringViewArray>()),
        _ => to_lists(inner, depth - 1)?,
    };
    let field = arrow_schema::Field::new_list_field(values.data_type().clone(), true);
    let offsets = arrow_buffer::OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::new(Arc::new(field), offsets, values, Some(nulls.into()))))
}
