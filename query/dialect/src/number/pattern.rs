//! Patterns of numbers, as `to_char` and `to_number` take them.
//!
//! ```text
//! pattern ─▶ parts: digits, points, signs, literals ─▶ what they say together: digits before and after the point, flags
//! ```

use crate::error::SqlError;
use datafusion::common::Result;

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// `9`, and `0`, for which a zero is shown.
    Digit { is_zero: bool },
    /// `.` and `D`.
    Point,
    /// `,` and `G`.
    Group,
    /// `L`.
    Currency,
    /// `RN` and `rn`.
    Roman { is_upper: bool },
    /// `TH` and `th`.
    Ordinal { is_upper: bool },
    /// `MI`.
    Minus,
    /// `PL`.
    Plus,
    /// `SG`.
    Sign,
    /// What is shown by the digits beside it: `S`, `PR`, `FM`, `V`, `B`, `C`, `SP`, `EEEE`.
    Silent,
    /// A character that is copied.
    Literal(char),
}

/// Where the sign `S` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Before,
    After,
}

/// A pattern.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    pub(super) parts: Vec<Part>,
    /// Digits before the point, and behind it.
    pub(super) before: usize,
    pub(super) behind: usize,
    /// Digits behind `V`.
    pub(super) shifted: usize,
    /// Digits before the first `0`; digits up to the last one.
    pub(super) first_zero: Option<usize>,
    pub(super) last_zero: usize,
    /// `S`, and digits before it.
    pub(super) sign: Option<(Anchor, usize)>,
    pub(super) is_filled: bool,
    pub(super) has_point: bool,
    pub(super) has_minus: bool,
    pub(super) has_plus: bool,
    pub(super) has_brackets: bool,
    pub(super) has_shift: bool,
    pub(super) is_scientific: bool,
    pub(super) is_roman: bool,
}

fn syntax(message: &str) -> SqlError {
    SqlError::new("42601", message)
}

/// The words of patterns, longer ones before those with which they begin.
const WORDS: [&str; 17] =
    ["EEEE", "FM", "MI", "PL", "PR", "RN", "SG", "SP", "TH", "B", "C", "D", "G", "L", "S", "V", "."];

/// The word with which a text begins: all in capitals, or all in small letters.
fn word(text: &str) -> Option<(&'static str, bool)> {
    WORDS.iter().find_map(|word| {
        let head = text.get(..word.len())?;
        let is_upper = head == *word;
        (is_upper || (head.eq_ignore_ascii_case(word) && !head.bytes().any(|byte| byte.is_ascii_uppercase())))
            .then_some((*word, is_upper))
    })
}

impl Pattern {
    /// Reads a pattern.
    pub(super) fn new(text: &str) -> Result<Self> {
        let mut pattern = Self {
            parts: Vec::new(),
            before: 0,
            behind: 0,
            shifted: 0,
            first_zero: None,
            last_zero: 0,
            sign: None,
            is_filled: false,
            has_point: false,
            has_minus: false,
            has_plus: false,
            has_brackets: false,
            has_shift: false,
            is_scientific: false,
            is_roman: false,
        };
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some((word, is_upper)) = word(rest) {
                pattern.add(word, is_upper)?;
                rest = &rest[word.len()..];
            } else if matches!(first, '0' | '9' | ',') {
                pattern.add(&rest[..1], true)?;
                rest = &rest[1..];
            } else if first == '"' {
                rest = pattern.quoted(&rest[1..]);
            } else {
                let escaped = rest.strip_prefix('\\').filter(|after| after.starts_with('"'));
                let (literal, after) = match escaped {
                    Some(after) => ('"', &after[1..]),
                    None => (first, &rest[first.len_utf8()..]),
                };
                pattern.parts.push(Part::Literal(literal));
                rest = after;
            }
        }
        Ok(pattern)
    }

    /// Adds the characters up to the closing quote; gives what is behind it.
    fn quoted<'a>(&mut self, text: &'a str) -> &'a str {
        let mut characters = text.char_indices();
        while let Some((place, character)) = characters.next() {
            match character {
                '"' => return &text[place + 1..],
                '\\' => {
                    let literal = characters.next().map_or('\\', |(_, escaped)| escaped);
                    self.parts.push(Part::Literal(literal));
                }
                literal => self.parts.push(Part::Literal(literal)),
            }
        }
        ""
    }

    fn add(&mut self, word: &str, is_upper: bool) -> Result<()> {
        if self.is_scientific && word != "EEEE" {
            return Err(syntax("\"EEEE\" must be the last pattern used").into());
        }
        let part = match word {
            "9" | "0" => {
                if self.has_brackets {
                    return Err(syntax(&format!("\"{word}\" must be ahead of \"PR\"")).into());
                }
                self.add_digit(word == "0");
                Part::Digit { is_zero: word == "0" }
            }
            "." | "D" => {
                if self.has_point {
                    return Err(syntax("multiple decimal points").into());
                }
                if self.has_shift {
                    return Err(syntax("cannot use \"V\" and decimal point together").into());
                }
                self.has_point = true;
                Part::Point
            }
            "," | "G" => Part::Group,
            "L" => Part::Currency,
            "RN" => {
                self.is_roman = true;
                Part::Roman { is_upper }
            }
            "TH" => Part::Ordinal { is_upper },
            "MI" | "PL" | "SG" => {
                if self.sign.is_some() {
                    return Err(syntax(&format!("cannot use \"S\" and \"{word}\" together")).into());
                }
                self.has_minus |= word != "PL";
                self.has_plus |= word != "MI";
                match word {
                    "MI" => Part::Minus,
                    "PL" => Part::Plus,
                    _ => Part::Sign,
                }
            }
            "S" => {
                if self.sign.is_some() {
                    return Err(syntax("cannot use \"S\" twice").into());
                }
                if self.has_plus || self.has_minus || self.has_brackets {
                    return Err(syntax("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together").into());
                }
                let anchor = if self.has_point { Anchor::After } else { Anchor::Before };
                self.sign = Some((anchor, self.before));
                Part::Silent
            }
            "PR" => {
                if self.sign.is_some() || self.has_plus || self.has_minus {
                    return Err(syntax("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together").into());
                }
                self.has_brackets = true;
                Part::Silent
            }
            "V" => {
                if self.has_point {
                    return Err(syntax("cannot use \"V\" and decimal point together").into());
                }
                self.has_shift = true;
                Part::Silent
            }
            "FM" => {
                self.is_filled = true;
                Part::Silent
            }
            "EEEE" => {
                self.add_exponent()?;
                Part::Silent
            }
            _ => Part::Silent,
        };
        self.parts.push(part);
        Ok(())
    }

    fn add_digit(&mut self, is_zero: bool) {
        if is_zero {
            if self.first_zero.is_none() && !self.has_point {
                self.first_zero = Some(self.before);
            }
            if self.has_point {
                self.behind += 1;
            } else {
                self.before += 1;
            }
            self.last_zero = self.before + self.behind;
        } else if self.has_shift {
            self.shifted += 1;
        } else if self.has_point {
            self.behind += 1;
        } else {
            self.before += 1;
        }
    }

    fn add_exponent(&mut self) -> Result<()> {
        if self.is_scientific {
            return Err(syntax("cannot use \"EEEE\" twice").into());
        }
        let has_others = self.is_filled
            || self.sign.is_some()
            || self.has_brackets
            || self.has_minus
            || self.has_plus
            || self.is_roman
            || self.has_shift;
        if has_others {
            return Err(syntax("\"EEEE\" is incompatible with other formats")
                .with_detail("\"EEEE\" may only be used together with digit and decimal point patterns.")
                .into());
        }
        self.is_scientific = true;
        Ok(())
    }
}

/// What `to_number` reads of a text: a numeric in digits. `None` for an empty pattern.
pub(super) fn read(text: &str, pattern: &str) -> Result<Option<String>> {
    if pattern.is_empty() {
        return Ok(None);
    }
    let pattern = Pattern::new(pattern)?;
    if pattern.is_scientific {
        return Err(SqlError::not_supported("\"EEEE\" not supported for input").into());
    }
    if pattern.is_roman {
        return Err(SqlError::not_supported("\"RN\" not supported for input").into());
    }
    let mut reader = Reader {
        pattern: &pattern,
        text: text.chars().collect(),
        place: 0,
        sign: None,
        digits: String::new(),
        before: 0,
        behind: 0,
        has_point: false,
    };
    reader.read();
    let digits = reader.digits.strip_suffix('.').unwrap_or(&reader.digits);
    let sign = reader.sign.map_or(String::from(" "), String::from);
    let exponent = if pattern.has_shift { format!("e-{}", pattern.shifted) } else { String::new() };
    if digits.is_empty() {
        return Err(SqlError::invalid_text("numeric", &sign).into());
    }
    Ok(Some(format!("{sign}{digits}{exponent}")))
}

/// Reads a text by a pattern.
struct Reader<'a> {
    pattern: &'a Pattern,
    text: Vec<char>,
    place: usize,
    sign: Option<char>,
    digits: String,
    before: usize,
    behind: usize,
    has_point: bool,
}

impl Reader<'_> {
    fn read(&mut self) {
        let mut is_in_number = false;
        for part in &self.pattern.parts {
            if self.place >= self.text.len() {
                break;
            }
            match part {
                Part::Digit { .. } | Part::Point => {
                    is_in_number = true;
                    self.read_digit(matches!(part, Part::Digit { .. }));
                    self.place += 1;
                }
                Part::Group => {
                    if (is_in_number || !self.pattern.is_filled) && self.at(self.place) == Some(',') {
                        self.place += 1;
                    }
                }
                Part::Minus | Part::Sign if self.sign.is_none() && self.at(self.place) == Some('-') => {
                    self.sign = Some('-');
                    self.place += 1;
                }
                Part::Currency | Part::Minus | Part::Plus | Part::Sign => self.skip(1),
                Part::Ordinal { .. } => self.skip(2),
                Part::Literal(_) => self.place += 1,
                Part::Silent | Part::Roman { .. } => {}
            }
        }
    }

    fn at(&self, place: usize) -> Option<char> {
        self.text.get(place).copied()
    }

    /// Skips up to `most` characters that are no part of a number.
    fn skip(&mut self, most: usize) {
        for _ in 0..most {
            match self.at(self.place) {
                Some(character) if !"0123456789.,+-".contains(character) => self.place += 1,
                _ => break,
            }
        }
    }

    /// Reads what stands where the pattern has a digit or a point. The caller goes on by one character.
    fn read_digit(&mut self, is_digit: bool) {
        if self.at(self.place) == Some(' ') {
            self.place += 1;
        }
        let Some(mut character) = self.at(self.place) else { return };
        if self.sign.is_none() && is_digit && self.before + self.behind == 0 {
            let is_anchored_before = matches!(self.pattern.sign, Some((Anchor::Before, _)));
            let sign = match character {
                '-' => Some('-'),
                '<' if self.pattern.has_brackets && !is_anchored_before => Some('-'),
                '+' => Some('+'),
                _ => None,
            };
            if let Some(sign) = sign {
                self.sign = Some(sign);
                self.place += 1;
            }
            match self.at(self.place) {
                Some(next) => character = next,
                None => return,
            }
        }
        let mut has_read = false;
        if character.is_ascii_digit() {
            if self.has_point && self.behind == self.pattern.behind {
                return;
            }
            self.digits.push(character);
            if self.has_point {
                self.behind += 1;
            } else {
                self.before += 1;
            }
            has_read = true;
        } else if self.pattern.has_point && !self.has_point && character == '.' {
            self.digits.push('.');
            self.has_point = true;
            has_read = true;
        }
        if self.sign.is_none() && self.before + self.behind > 0 {
            self.read_sign_behind(has_read);
        }
    }

    /// A sign behind the last digit.
    fn read_sign_behind(&mut self, has_read: bool) {
        let next = self.at(self.place + 1);
        if self.pattern.sign.is_some() && has_read && next.is_some_and(|next| !next.is_ascii_digit()) {
            if let Some(sign @ ('-' | '+')) = next {
                self.sign = Some(sign);
                self.place += 1;
            }
        } else if !has_read
            && self.pattern.sign.is_none()
            && (self.pattern.has_plus || self.pattern.has_minus)
            && let Some(sign @ ('-' | '+')) = self.at(self.place)
        {
            self.sign = Some(sign);
        }
    }
}
