//! Brackets: `[a-z]`, `[^[:alpha:]_]`.

use super::error::{invalid, too_complex};
use super::letters;
use super::reader::{Reader, shorthand};
use crate::SqlError;

/// Ranges of one bracket.
const MOST_RANGES: usize = 2_000;

/// Reads a bracket, whose opening one is read already, into a class of crate `regex`.
pub(super) fn read(reader: &mut Reader) -> Result<String, SqlError> {
    let open = || invalid("brackets [] not balanced");
    let is_negated = reader.peek() == Some('^');
    if is_negated {
        reader.at += 1;
    }
    let mut class = Class { text: String::new(), ranges: 0, ignores_case: reader.options.ignores_case };
    let mut is_first = true;
    loop {
        let letter = reader.peek().ok_or_else(open)?;
        if letter == ']' && !is_first {
            reader.at += 1;
            break;
        }
        is_first = false;
        let from = match element(reader, &mut class)? {
            Element::Letter(letter) => letter,
            Element::Class => {
                // A class is no end of a range.
                if reader.peek() == Some('-') && reader.letters.get(reader.at + 1).is_some_and(|next| *next != ']') {
                    return Err(invalid("invalid character range"));
                }
                continue;
            }
        };
        let is_range = reader.peek() == Some('-') && reader.letters.get(reader.at + 1).is_some_and(|next| *next != ']');
        if !is_range {
            class.range(from, from)?;
            continue;
        }
        reader.at += 1;
        let Element::Letter(to) = element(reader, &mut class)? else {
            return Err(invalid("invalid character range"));
        };
        if to < from {
            return Err(invalid("invalid character range"));
        }
        class.range(from, to)?;
        // `a-c-e`
        if reader.peek() == Some('-') && reader.letters.get(reader.at + 1).is_some_and(|next| *next != ']') {
            return Err(invalid("invalid character range"));
        }
    }
    if is_negated && reader.options.stops_at_lines {
        class.text.push_str(r"\n");
    }
    Ok(format!("[{}{}]", if is_negated { "^" } else { "" }, class.text))
}

enum Element {
    Letter(char),
    Class,
}

/// One letter, which may begin a range, or a class, which is added.
fn element(reader: &mut Reader, class: &mut Class) -> Result<Element, SqlError> {
    let open = || invalid("brackets [] not balanced");
    let letter = reader.next().ok_or_else(open)?;
    let second = reader.peek();
    match (letter, second) {
        ('\\', Some(second)) => {
            if let Some((text, is_negated)) = shorthand(second) {
                reader.at += 1;
                class.add(&if is_negated { format!("[^{text}]") } else { text.to_owned() })?;
                return Ok(Element::Class);
            }
            reader.escaped_letter().map(Element::Letter)
        }
        ('\\', None) => Err(invalid(r"invalid escape \ sequence")),
        ('[', Some(kind @ (':' | '.' | '='))) => {
            reader.at += 1;
            let begin = reader.at;
            let end = (begin..reader.letters.len())
                .find(|at| reader.letters[*at] == kind && reader.letters.get(at + 1) == Some(&']'))
                .ok_or_else(open)?;
            let name: String = reader.letters[begin..end].iter().collect();
            reader.at = end + 2;
            if kind == ':' {
                let name = match name.as_str() {
                    "upper" | "lower" if class.ignores_case => "alpha",
                    other => other,
                };
                class.add(letters::class(name).ok_or_else(|| invalid("invalid character class"))?)?;
                return Ok(Element::Class);
            }
            let mut only = name.chars();
            match (only.next(), only.next(), kind) {
                (Some(letter), None, '.') => Ok(Element::Letter(letter)),
                (Some(letter), None, _) => {
                    class.range(letter, letter)?;
                    Ok(Element::Class)
                }
                (None, ..) => Err(invalid("invalid collating element")),
                _ => {
                    Err(SqlError::not_supported("names of collating elements in regular expressions are not supported"))
                }
            }
        }
        (letter, _) => Ok(Element::Letter(letter)),
    }
}

struct Class {
    text: String,
    ranges: usize,
    ignores_case: bool,
}

impl Class {
    fn add(&mut self, text: &str) -> Result<(), SqlError> {
        self.ranges += 1;
        if self.ranges > MOST_RANGES {
            return Err(too_complex());
        }
        self.text.push_str(text);
        Ok(())
    }

    fn range(&mut self, from: char, to: char) -> Result<(), SqlError> {
        self.add(&match from == to {
            true => written(from),
            false => format!("{}-{}", written(from), written(to)),
        })?;
        if self.ignores_case {
            let cased = letters::cased();
            let first = cased.partition_point(|letter| *letter < from);
            for letter in cased[first..].iter().take_while(|letter| **letter <= to) {
                for other in [letters::upper(*letter), letters::lower(*letter)] {
                    if !(from..=to).contains(&other) {
                        self.text.push_str(&written(other));
                    }
                }
            }
        }
        Ok(())
    }
}

/// A letter in a class of crate `regex`.
pub(super) fn written(letter: char) -> String {
    format!(r"\x{{{:x}}}", u32::from(letter))
}
