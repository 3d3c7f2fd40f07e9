//! Brackets: `[a-z]`, `[^[:alpha:]_]`.

use super::letters;
use super::parse::{Parser, invalid, shorthand};
use crate::SqlError;

/// Ranges of one bracket.
const MOST_RANGES: usize = 2_000;

/// Reads a bracket, whose opening one is read already, into a class of crate `regex`.
pub(super) fn read(parser: &mut Parser) -> Result<String, SqlError> {
    let open = || invalid("brackets [] not balanced");
    let is_negated = parser.peek() == Some('^');
    if is_negated {
        parser.at += 1;
    }
    let mut class = Class { text: String::new(), ranges: 0, ignores_case: parser.options.ignores_case };
    let mut is_first = true;
    loop {
        let letter = parser.peek().ok_or_else(open)?;
        if letter == ']' && !is_first {
            parser.at += 1;
            break;
        }
        is_first = false;
        let from = match element(parser, &mut class)? {
            Element::Letter(letter) => letter,
            Element::Class => {
                // A class is no end of a range.
                if parser.peek() == Some('-') && parser.letters.get(parser.at + 1).is_some_and(|next| *next != ']') {
                    return Err(invalid("invalid character range"));
                }
                continue;
            }
        };
        let is_range = parser.peek() == Some('-') && parser.letters.get(parser.at + 1).is_some_and(|next| *next != ']');
        if !is_range {
            class.range(from, from)?;
            continue;
        }
        parser.at += 1;
        let Element::Letter(to) = element(parser, &mut class)? else {
            return Err(invalid("invalid character range"));
        };
        if to < from {
            return Err(invalid("invalid character range"));
        }
        class.range(from, to)?;
        // `a-c-e`
        if parser.peek() == Some('-') && parser.letters.get(parser.at + 1).is_some_and(|next| *next != ']') {
            return Err(invalid("invalid character range"));
        }
    }
    if is_negated && parser.options.stops_at_lines {
        class.text.push_str(r"\n");
    }
    Ok(format!("[{}{}]", if is_negated { "^" } else { "" }, class.text))
}

enum Element {
    Letter(char),
    Class,
}

/// One letter, which may begin a range, or a class, which is added.
fn element(parser: &mut Parser, class: &mut Class) -> Result<Element, SqlError> {
    let open = || invalid("brackets [] not balanced");
    let letter = parser.next().ok_or_else(open)?;
    let second = parser.peek();
    match (letter, second) {
        ('\\', Some(second)) => {
            if let Some((text, is_negated)) = shorthand(second) {
                parser.at += 1;
                class.add(&if is_negated { format!("[^{text}]") } else { text.to_owned() })?;
                return Ok(Element::Class);
            }
            parser.escaped_letter().map(Element::Letter)
        }
        ('\\', None) => Err(invalid(r"invalid escape \ sequence")),
        ('[', Some(kind @ (':' | '.' | '='))) => {
            parser.at += 1;
            let begin = parser.at;
            let end = (begin..parser.letters.len())
                .find(|at| parser.letters[*at] == kind && parser.letters.get(at + 1) == Some(&']'))
                .ok_or_else(open)?;
            let name: String = parser.letters[begin..end].iter().collect();
            parser.at = end + 2;
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
            return Err(SqlError::new("54001", "regular expression is too complex"));
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
