//! Finds a part of a JSON text without reading the rest into values.
//!
//! ```text
//! text ─▶ Scanner::value: where does the value end? ─▶ member, element: the value as it is written
//! ```
//!
//! The text is JSON, or a text column that should be: what is not well formed has no parts.

use memchr::memchr2;

/// Where a scanner is in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// What a value is, by its first letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Number,
    Bool,
    Null,
}

impl Kind {
    /// That of a value that is written so.
    pub(super) fn of(value: &str) -> Option<Self> {
        Some(match value.trim_start_matches(is_space).as_bytes().first()? {
            b'{' => Self::Object,
            b'[' => Self::Array,
            b'"' => Self::String,
            b'-' | b'0'..=b'9' => Self::Number,
            b't' | b'f' => Self::Bool,
            b'n' => Self::Null,
            _ => return None,
        })
    }

    /// As `json_typeof` names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "boolean",
            Self::Null => "null",
        }
    }
}

fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn skip_spaces(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.skip_spaces()? == wanted).then(|| self.at += 1)
    }

    /// A string, with its quotes.
    fn string(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let begin = self.at;
        self.take(b'"')?;
        loop {
            self.at += memchr2(b'"', b'\\', bytes.get(self.at..)?)?;
            match bytes[self.at] {
                b'"' => {
                    self.at += 1;
                    return self.text.get(begin..self.at);
                }
                _ => self.at += 2,
            }
        }
    }

    /// The next value, as it is written.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        let first = self.skip_spaces()?;
        let begin = self.at;
        match first {
            b'"' => return self.string(),
            b'{' | b'[' => {
                let bytes = self.text.as_bytes();
                let mut depth = 0_usize;
                loop {
                    // Between strings there is little.
                    let is_end = |byte: &u8| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']');
                    self.at += bytes.get(self.at..)?.iter().position(is_end)?;
                    match bytes[self.at] {
                        b'"' => {
                            self.string()?;
                            continue;
                        }
                        b'{' | b'[' => depth += 1,
                        _ => depth -= 1,
                    }
                    self.at += 1;
                    if depth == 0 {
                        break;
                    }
                }
            }
            _ => {
                let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
                let length = self.text.as_bytes()[begin..].iter().take_while(|byte| is_part(byte)).count();
                if length == 0 {
                    return None;
                }
                self.at += length;
            }
        }
        self.text.get(begin..self.at)
    }

    /// Calls `with` for each member of an object: the key with its quotes, and the value as it is written. `None` if it is no
    /// object.
    pub(super) fn members(mut self, mut with: impl FnMut(&'a str, &'a str)) -> Option<()> {
        self.take(b'{')?;
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            self.skip_spaces()?;
            let key = self.string()?;
            self.take(b':')?;
            let value = self.value()?;
            with(key, value);
            match self.skip_spaces()? {
                b',' => self.at += 1,
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// Calls `with` for each element of an array, until it returns false. `None` if it is no array.
    pub(super) fn elements(mut self, mut with: impl FnMut(&'a str) -> bool) -> Option<()> {
        self.take(b'[')?;
        if self.take(b']').is_some() {
            return Some(());
        }
        loop {
            if !with(self.value()?) {
                return Some(());
            }
            match self.skip_spaces()? {
                b',' => self.at += 1,
                b']' => return Some(()),
                _ => return None,
            }
        }
    }
}

/// The member of an object: of members with the same key the last one.
pub(super) fn member<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut found = None;
    Scanner::new(text).members(|written, value| {
        let inner = &written[1..written.len() - 1];
        let is_it = match inner.contains('\\') {
            false => inner == key,
            true => super::value::unescaped(inner).is_ok_and(|inner| inner == key),
        };
        if is_it {
            found = Some(value);
        }
    })?;
    found
}

/// The element of an array, counted from 0, or from the end if it is below.
pub(super) fn element(text: &str, place: i32) -> Option<&str> {
    let place = match usize::try_from(place) {
        Ok(place) => place,
        Err(_) => length(text)?.checked_sub(place.unsigned_abs() as usize)?,
    };
    let (mut found, mut at) = (None, 0);
    Scanner::new(text).elements(|value| {
        let is_it = at == place;
        if is_it {
            found = Some(value);
        }
        at += 1;
        !is_it
    })?;
    found
}

/// The elements of an array.
pub(super) fn length(text: &str) -> Option<usize> {
    let mut length = 0;
    Scanner::new(text).elements(|_| {
        length += 1;
        true
    })?;
    Some(length)
}

/// The part at a step of a path: a key, or a place in an array.
pub(super) fn step<'a>(text: &'a str, step: &str) -> Option<&'a str> {
    match Kind::of(text)? {
        Kind::Object => member(text, step),
        Kind::Array => element(text, step.trim().parse().ok()?),
        _ => None,
    }
}
