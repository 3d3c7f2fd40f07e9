//! Reads PostgreSQL's regular expressions (POSIX with its escapes, "ARE").
//!
//! ```text
//! pattern ─▶ director (***=, ***:) ─▶ options (?i) ─▶ branches ─▶ atoms with quantifiers ─▶ Node
//! ```
//!
//! What the automata of crate `regex` cannot do is refused: references back to a group, texts that are looked at before
//! and behind. Basic (`(?b)`) and extended (`(?e)`) expressions of POSIX are refused as well.

use super::ast::{Node, Preference};
use super::bracket;
use super::error::{invalid, too_complex};
use super::letters;
use super::options::Options;
use super::reader::{Reader, shorthand};
use crate::SqlError;

/// The largest number of a quantifier.
const MOST_TIMES: u32 = 255;
/// Groups inside each other.
const DEEPEST: usize = 200;

/// A pattern that was read.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) node: Node,
    pub(super) groups: usize,
    /// Whether it looks for the beginning or the end of a word.
    pub(super) has_words: bool,
}

/// Reads a pattern.
pub(super) fn parse(pattern: &str, mut options: Options) -> Result<Parsed, SqlError> {
    let mut rest = pattern;
    if !options.is_literal {
        if let Some(text) = rest.strip_prefix("***=") {
            options.is_literal = true;
            rest = text;
        } else if let Some(text) = rest.strip_prefix("***:") {
            rest = text;
        } else if rest.starts_with("***") {
            return Err(invalid("quantifier operand invalid"));
        }
    }
    if !options.is_literal
        && let Some(text) = rest.strip_prefix("(?")
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
    {
        let (letters, after) = text.split_once(')').ok_or_else(|| invalid("invalid embedded option"))?;
        for letter in letters.chars() {
            if !letter.is_ascii_alphabetic() || !options.add(letter)? {
                return Err(invalid("invalid embedded option"));
            }
        }
        rest = after;
    }
    let mut reader =
        Reader { letters: rest.chars().collect(), at: 0, options, groups: 0, closed: 0, depth: 0, has_words: false };
    let node = if options.is_literal {
        Node::Concat(rest.chars().map(|letter| reader.letter(letter)).collect())
    } else {
        let node = reader.branches()?;
        if reader.at < reader.letters.len() {
            return Err(invalid("parentheses () not balanced"));
        }
        node
    };
    Ok(Parsed { node, groups: reader.groups, has_words: reader.has_words })
}

impl Reader {
    /// Skips comments, and white space in expanded syntax.
    fn skip(&mut self) -> Result<(), SqlError> {
        loop {
            let before = self.at;
            if self.options.is_expanded {
                while self.peek().is_some_and(|letter| letter.is_ascii_whitespace() || letter == '\u{b}') {
                    self.at += 1;
                }
                if self.peek() == Some('#') {
                    while self.peek().is_some_and(|letter| letter != '\n') {
                        self.at += 1;
                    }
                }
            }
            if self.take("(?#") {
                while self.next().is_some_and(|letter| letter != ')') {}
            }
            if self.at == before {
                return Ok(());
            }
        }
    }

    fn branches(&mut self) -> Result<Node, SqlError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(too_complex());
        }
        let mut branches = vec![self.branch()?];
        while self.peek() == Some('|') {
            self.at += 1;
            branches.push(self.branch()?);
        }
        self.depth -= 1;
        Ok(match (branches.len(), branches.pop()) {
            (1, Some(only)) => only,
            (_, Some(last)) => {
                branches.push(last);
                Node::Alternate(branches)
            }
            (_, None) => Node::Concat(Vec::new()),
        })
    }

    fn branch(&mut self) -> Result<Node, SqlError> {
        let mut parts = Vec::new();
        loop {
            self.skip()?;
            match self.peek() {
                None | Some('|' | ')') => break,
                _ => {
                    let atom = self.atom()?;
                    parts.push(self.quantified(atom)?);
                }
            }
        }
        Ok(match parts.len() {
            1 => parts.remove(0),
            _ => Node::Concat(parts),
        })
    }

    fn atom(&mut self) -> Result<Node, SqlError> {
        let Some(letter) = self.next() else { return Ok(Node::Concat(Vec::new())) };
        let lines = self.options.anchors_at_lines;
        Ok(match letter {
            '^' => Node::Place(if lines { "(?m:^)" } else { r"\A" }),
            '$' => Node::Place(if lines { "(?m:$)" } else { r"\z" }),
            '.' => Node::One(if self.options.stops_at_lines { r"[^\n]" } else { "(?s:.)" }.to_owned()),
            '(' => return self.group(),
            '[' => {
                if let Some(place) = self.word_bracket() {
                    return Ok(place);
                }
                Node::One(bracket::read(self)?)
            }
            '\\' => return self.escape(),
            '*' | '+' | '?' => return Err(invalid("quantifier operand invalid")),
            '{' if self.peek().is_some_and(|next| next.is_ascii_digit()) => {
                return Err(invalid("quantifier operand invalid"));
            }
            letter => self.letter(letter),
        })
    }

    fn word_bracket(&mut self) -> Option<Node> {
        let place = if self.take("[:<:]]") {
            r"\b{start}"
        } else if self.take("[:>:]]") {
            r"\b{end}"
        } else {
            return None;
        };
        self.has_words = true;
        Some(Node::Place(place))
    }

    fn group(&mut self) -> Result<Node, SqlError> {
        let number = if self.take("?:") {
            None
        } else if self.take("?=") || self.take("?!") || self.take("?<=") || self.take("?<!") {
            return Err(SqlError::not_supported(
                "regular expressions that look ahead or behind, such as (?=...), are not supported",
            ));
        } else {
            if self.peek() == Some('?') {
                return Err(invalid("quantifier operand invalid"));
            }
            self.groups += 1;
            Some(self.groups)
        };
        let inner = self.branches()?;
        if self.next() != Some(')') {
            return Err(invalid("parentheses () not balanced"));
        }
        if number.is_some() {
            self.closed += 1;
        }
        Ok(Node::Group(number, Box::new(inner)))
    }

    fn quantified(&mut self, atom: Node) -> Result<Node, SqlError> {
        self.skip()?;
        let (min, max, is_exact) = match self.peek() {
            Some('*') => (0, None, false),
            Some('+') => (1, None, false),
            Some('?') => (0, Some(1), false),
            Some('{') if self.letters.get(self.at + 1).is_some_and(char::is_ascii_digit) => {
                self.at += 1;
                self.bounds()?
            }
            _ => return Ok(atom),
        };
        if matches!(atom, Node::Place(_)) {
            return Err(invalid("quantifier operand invalid"));
        }
        self.at += 1;
        let greedy = self.peek() != Some('?');
        if !greedy {
            self.at += 1;
        }
        self.skip()?;
        let again = match self.peek() {
            Some('*' | '+' | '?') => true,
            Some('{') => self.letters.get(self.at + 1).is_some_and(char::is_ascii_digit),
            _ => false,
        };
        if again {
            return Err(invalid("quantifier operand invalid"));
        }
        let preference = match greedy {
            _ if is_exact => None,
            true => Some(Preference::Longest),
            false => Some(Preference::Shortest),
        };
        Ok(match (min, max, preference) {
            (1, Some(1), None) => atom,
            _ => Node::Repeat { node: Box::new(atom), min, max, preference },
        })
    }

    /// `m}`, `m,}` or `m,n}`, and whether it is the first one; the place is left at the brace.
    fn bounds(&mut self) -> Result<(u32, Option<u32>, bool), SqlError> {
        let wrong = || invalid("invalid repetition count(s)");
        let min = self.number()?.ok_or_else(wrong)?;
        let is_exact = self.peek() != Some(',');
        let max = if is_exact {
            Some(min)
        } else {
            self.at += 1;
            self.number()?
        };
        match self.peek() {
            Some('}') => {}
            None => return Err(invalid("braces {} not balanced")),
            Some(_) => return Err(wrong()),
        }
        if max.is_some_and(|max| max < min) { Err(wrong()) } else { Ok((min, max, is_exact)) }
    }

    fn number(&mut self) -> Result<Option<u32>, SqlError> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|letter| letter.to_digit(10)) {
            let value = number.unwrap_or(0) * 10 + digit;
            if value > MOST_TIMES {
                return Err(invalid("invalid repetition count(s)"));
            }
            number = Some(value);
            self.at += 1;
        }
        Ok(number)
    }

    /// What stands after a backslash outside brackets.
    fn escape(&mut self) -> Result<Node, SqlError> {
        let Some(letter) = self.peek() else { return Err(invalid(r"invalid escape \ sequence")) };
        let place = match letter {
            'A' => Some(r"\A"),
            'Z' => Some(r"\z"),
            'm' => Some(r"\b{start}"),
            'M' => Some(r"\b{end}"),
            'y' => Some(r"\b"),
            'Y' => Some(r"\B"),
            _ => None,
        };
        if let Some(place) = place {
            self.at += 1;
            self.has_words |= !matches!(letter, 'A' | 'Z');
            return Ok(Node::Place(place));
        }
        if let Some((class, is_negated)) = shorthand(letter) {
            self.at += 1;
            return Ok(Node::One(format!("[{}{class}]", if is_negated { "^" } else { "" })));
        }
        if ('1'..='9').contains(&letter) {
            let mut digits = self.letters[self.at..].iter().take_while(|letter| letter.is_ascii_digit()).count();
            let number: usize =
                self.letters[self.at..self.at + digits].iter().collect::<String>().parse().unwrap_or(usize::MAX);
            if digits == 1 || number <= self.closed {
                digits = digits.min(3);
                self.at += digits;
                return Err(if number <= self.closed {
                    SqlError::not_supported("references back to a group of a regular expression are not supported")
                } else {
                    invalid("invalid backreference number")
                });
            }
        }
        let letter = self.escaped_letter()?;
        Ok(self.letter(letter))
    }

    /// One letter, in both cases if these make no difference.
    fn letter(&self, letter: char) -> Node {
        let (upper, lower) = (letters::upper(letter), letters::lower(letter));
        if !self.options.ignores_case || (upper == letter && lower == letter) {
            return Node::One(regex::escape(letter.encode_utf8(&mut [0; 4])));
        }
        let letters: String = [letter, upper, lower].into_iter().map(bracket::written).collect();
        Node::One(format!("[{letters}]"))
    }
}
