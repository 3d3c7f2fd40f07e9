//! Reads the letters of a pattern, also those that are written as escapes.

use super::error::invalid;
use super::letters;
use super::options::Options;
use crate::SqlError;

/// What is read of a pattern, and where.
pub(super) struct Reader {
    pub(super) letters: Vec<char>,
    pub(super) at: usize,
    pub(super) options: Options,
    pub(super) groups: usize,
    /// Groups that are closed already.
    pub(super) closed: usize,
    pub(super) depth: usize,
    pub(super) has_words: bool,
}

impl Reader {
    pub(super) fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += 1;
        Some(letter)
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let length = text.chars().count();
        let is_next =
            self.letters.get(self.at..self.at + length).is_some_and(|next| next.iter().copied().eq(text.chars()));
        if is_next {
            self.at += length;
        }
        is_next
    }

    /// The letter that an escape means; the backslash is read already.
    pub(super) fn escaped_letter(&mut self) -> Result<char, SqlError> {
        let wrong = || invalid(r"invalid escape \ sequence");
        let letter = self.next().ok_or_else(wrong)?;
        Ok(match letter {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'B' => '\\',
            'c' => {
                let control = self.next().ok_or_else(wrong)?;
                char::from_u32(u32::from(control) & 0x1f).ok_or_else(wrong)?
            }
            'e' => '\u{1b}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'u' => self.hex(4, 4)?,
            'U' => self.hex(8, 8)?,
            'x' => self.hex(1, 255)?,
            '0'..='9' => {
                self.at -= 1;
                let digits = self.letters[self.at..].iter().take(3).take_while(|letter| ('0'..='7').contains(*letter));
                let digits: String = digits.collect();
                self.at += digits.len();
                let number = u32::from_str_radix(&digits, 8).map_err(|_| wrong())?;
                char::from_u32(number).ok_or_else(wrong)?
            }
            letter if letter.is_ascii_alphanumeric() => return Err(wrong()),
            letter => letter,
        })
    }

    fn hex(&mut self, least: usize, most: usize) -> Result<char, SqlError> {
        let wrong = || invalid(r"invalid escape \ sequence");
        let digits: String =
            self.letters[self.at..].iter().take(most).take_while(|letter| letter.is_ascii_hexdigit()).collect();
        if digits.len() < least {
            return Err(wrong());
        }
        self.at += digits.len();
        u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).ok_or_else(wrong)
    }
}

/// The class of `\d`, `\s`, `\w`, and whether it is negated.
pub(super) fn shorthand(letter: char) -> Option<(&'static str, bool)> {
    let name = match letter.to_ascii_lowercase() {
        'd' => "digit",
        's' => "space",
        'w' => "word",
        _ => return None,
    };
    Some((letters::class(name)?, letter.is_ascii_uppercase()))
}
