//! A validating JSON scanner that builds no values: it reads the bytes once and returns the places of values.
//!
//! It is stricter than RFC 8259 where two readers could differ: a duplicate key in an object and an unpaired surrogate
//! are errors (as in I-JSON, RFC 7493, sections 2.1 and 2.3). [`crate::MAX_DEPTH`] bounds the nesting. Every event
//! passes this scanner, so it is optimised; the tests compare it with serde_json.

use crate::{BYTE_ORDER_MARK, DecodeError, MAX_DEPTH};
use std::borrow::Cow;
use std::collections::HashSet;

/// The six kinds of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonKind {
    /// The kind's name with an article, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// A value's place in the scanned text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    /// For strings the bytes between the quotes, for all others the whole value.
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) kind: JsonKind,
    /// Whether a string contains escapes.
    pub(crate) escaped: bool,
}

/// A member of an object: its key and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) key: Value,
    pub(crate) value: Value,
}

/// Keys of one object above which duplicates are found with a hash set instead of comparisons.
const MAX_COMPARED_KEYS: usize = 32;

/// An earlier key, with a fingerprint of its text: different fingerprints mean different keys.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    fingerprint: u64,
    place: Value,
}

pub(crate) struct Scanner<'a, 'k> {
    text: &'a str,
    at: usize,
    /// Keys of the objects that are open, outermost first.
    keys: &'k mut Vec<Key>,
}

impl<'a, 'k> Scanner<'a, 'k> {
    /// `keys` is scratch space, which the caller reuses.
    pub(crate) fn new(text: &'a str, keys: &'k mut Vec<Key>) -> Self {
        keys.clear();
        Self { text, at: 0, keys }
    }

    fn fail<T>(&self, what: &'static str) -> Result<T, DecodeError> {
        Err(DecodeError::InvalidJson { offset: self.at, what })
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    pub(crate) fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Skips a byte order mark, which may be at the start of a text and nowhere else.
    pub(crate) fn skip_mark(&mut self) {
        if self.text.as_bytes().starts_with(BYTE_ORDER_MARK) {
            self.at = BYTE_ORDER_MARK.len();
        }
    }

    pub(crate) fn at_object(&self) -> bool {
        self.peek() == Some(b'{')
    }

    pub(crate) fn at_array(&self) -> bool {
        self.peek() == Some(b'[')
    }

    /// How many bytes have been read.
    pub(crate) fn offset(&self) -> u32 {
        self.at as u32
    }

    /// Succeeds when nothing but white space is left.
    pub(crate) fn finish(&mut self) -> Result<(), DecodeError> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { self.fail("expected the end after the value") }
    }

    /// The raw text of `value`.
    #[inline]
    pub(crate) fn raw(&self, value: Value) -> &'a str {
        &self.text[value.start as usize..value.end as usize]
    }

    /// Scans one value with everything in it. `depth` is the depth of the value, from 0.
    pub(crate) fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        self.skip_space();
        let start = self.at;
        let kind = match self.peek() {
            Some(b'"') => return self.string(),
            Some(b'{') => {
                self.members(depth, |scanner, _| scanner.value(depth + 1).map(drop))?;
                JsonKind::Object
            }
            Some(b'[') => {
                self.elements(depth, |scanner| scanner.value(depth + 1).map(drop))?;
                JsonKind::Array
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                JsonKind::Number
            }
            Some(b't') => self.literal("true", JsonKind::Bool)?,
            Some(b'f') => self.literal("false", JsonKind::Bool)?,
            Some(b'n') => self.literal("null", JsonKind::Null)?,
            Some(_) => return self.fail("expected a value"),
            None => return self.fail("the text ends where a value is expected"),
        };
        Ok(Value { start: start as u32, end: self.at as u32, kind, escaped: false })
    }

    /// Scans an object. `on_key` is called after the colon and must scan the value.
    pub(crate) fn members(
        &mut self,
        depth: usize,
        mut on_key: impl FnMut(&mut Self, Value) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.check_depth(depth)?;
        self.at += 1;
        let base = self.keys.len();
        let mut seen: Option<HashSet<Cow<'a, str>>> = None;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return self.fail("expected a key in double quotes");
            }
            let key = self.string()?;
            self.refuse_duplicate(base, key, &mut seen)?;
            self.skip_space();
            if self.peek() != Some(b':') {
                return self.fail("expected `:` after the key");
            }
            self.at += 1;
            on_key(self, key)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    self.keys.truncate(base);
                    return Ok(());
                }
                _ => return self.fail("expected `,` or `}`"),
            }
        }
    }

    /// Scans an array. `on_element` is called before each element and must scan it.
    pub(crate) fn elements(
        &mut self,
        depth: usize,
        mut on_element: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.check_depth(depth)?;
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            on_element(self)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("expected `,` or `]`"),
            }
        }
    }

    fn check_depth(&self, depth: usize) -> Result<(), DecodeError> {
        if depth >= MAX_DEPTH {
            return Err(DecodeError::NestedTooDeep { offset: self.at, limit: MAX_DEPTH });
        }
        Ok(())
    }

    fn refuse_duplicate(
        &mut self,
        base: usize,
        key: Value,
        seen: &mut Option<HashSet<Cow<'a, str>>>,
    ) -> Result<(), DecodeError> {
        let duplicate = if let Some(seen) = seen {
            !seen.insert(self.name(key))
        } else {
            let fingerprint = fingerprint(&self.name(key));
            let earlier = &self.keys[base..];
            let same = |other: &Key| other.fingerprint == fingerprint && self.name(other.place) == self.name(key);
            let duplicate = earlier.iter().any(same);
            if earlier.len() == MAX_COMPARED_KEYS {
                let mut all: HashSet<_> = earlier.iter().map(|other| self.name(other.place)).collect();
                all.insert(self.name(key));
                *seen = Some(all);
            }
            self.keys.push(Key { fingerprint, place: key });
            duplicate
        };
        if duplicate {
            return Err(DecodeError::DuplicateKey { offset: key.start as usize });
        }
        Ok(())
    }

    /// The text of a string value without its escapes.
    #[inline]
    pub(crate) fn name(&self, value: Value) -> Cow<'a, str> {
        if value.escaped { unescape(self.raw(value)) } else { Cow::Borrowed(self.raw(value)) }
    }

    fn literal(&mut self, word: &'static str, kind: JsonKind) -> Result<JsonKind, DecodeError> {
        if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            Ok(kind)
        } else {
            self.fail("expected true, false or null")
        }
    }

    fn number(&mut self) -> Result<(), DecodeError> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return self.fail("expected a digit"),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.fail("expected a digit after the point");
            }
            self.digits();
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.fail("expected a digit in the exponent");
            }
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Result<Value, DecodeError> {
        self.at += 1;
        let start = self.at as u32;
        let mut escaped = false;
        loop {
            self.at += plain_length(&self.text.as_bytes()[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    let end = self.at as u32;
                    self.at += 1;
                    return Ok(Value { start, end, kind: JsonKind::String, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return self.fail("a control character must be escaped in a string"),
                None => return self.fail("the text ends inside a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<(), DecodeError> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.at += 1;
                let unit = self.four_hex_digits()?;
                match unit {
                    0xD800..=0xDBFF => {
                        if !self.text.as_bytes()[self.at..].starts_with(b"\\u") {
                            return self.fail("unpaired surrogate in a string");
                        }
                        self.at += 2;
                        match self.four_hex_digits()? {
                            0xDC00..=0xDFFF => Ok(()),
                            _ => self.fail("unpaired surrogate in a string"),
                        }
                    }
                    0xDC00..=0xDFFF => self.fail("unpaired surrogate in a string"),
                    _ => Ok(()),
                }
            }
            _ => self.fail("unknown escape in a string"),
        }
    }

    fn four_hex_digits(&mut self) -> Result<u32, DecodeError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        match digits.and_then(hex_unit) {
            Some(unit) => {
                self.at += 4;
                Ok(unit)
            }
            None => self.fail("expected four hexadecimal digits"),
        }
    }
}

/// The first seven bytes of a key, and its length.
fn fingerprint(key: &str) -> u64 {
    let mut bytes = [0; 8];
    let length = key.len().min(7);
    bytes[..length].copy_from_slice(&key.as_bytes()[..length]);
    bytes[7] = key.len() as u8;
    u64::from_le_bytes(bytes)
}

fn hex_unit(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

/// How many bytes from the start are neither a quote, a backslash nor a control character. Eight bytes at a time: a
/// byte of `word - 0x20..` borrows only where it is less than 0x20, and `x ^ 0x22..` is zero only where it is a quote.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    while let Some(chunk) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(chunk.try_into().expect("the slice has eight bytes"));
        let zero_in = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
        let special = zero_in(word ^ (ONES * 0x22))
            | zero_in(word ^ (ONES * 0x5C))
            | (word.wrapping_sub(ONES * 0x20) & !word & HIGHS);
        if special != 0 {
            return at + (special.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if *byte < 0x20 || *byte == b'"' || *byte == b'\\' {
            break;
        }
        at += 1;
    }
    at
}

/// Resolves the escapes of a string's inside, which a scanner has accepted. All other text is unchanged.
pub fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        let mut length = 2;
        match escape {
            b'b' => text.push('\u{8}'),
            b'f' => text.push('\u{c}'),
            b'n' => text.push('\n'),
            b'r' => text.push('\r'),
            b't' => text.push('\t'),
            b'u' => {
                let unit = |from: usize| rest.as_bytes().get(at + from..at + from + 4).and_then(hex_unit);
                let first = unit(2).unwrap_or(0xFFFD);
                length = 6;
                let mut code = first;
                if (0xD800..=0xDBFF).contains(&first)
                    && let Some(second @ 0xDC00..=0xDFFF) = unit(8)
                {
                    length = 12;
                    code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                }
                text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            other => text.push(char::from(other)),
        }
        rest = rest.get(at + length..).unwrap_or("");
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// Appends `text` as a JSON string with its quotes.
pub fn escape_into(out: &mut String, text: &str) {
    use std::fmt::Write;
    out.push('"');
    let mut rest = text;
    loop {
        let plain = plain_length(rest.as_bytes());
        out.push_str(&rest[..plain]);
        match rest.as_bytes().get(plain) {
            None => break,
            Some(b'"') => out.push_str("\\\""),
            Some(b'\\') => out.push_str("\\\\"),
            Some(b'\n') => out.push_str("\\n"),
            Some(b'\r') => out.push_str("\\r"),
            Some(b'\t') => out.push_str("\\t"),
            Some(control) => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        rest = &rest[plain + 1..];
    }
    out.push('"');
}

/// The top-level members of a JSON object, parsed once, for callers that read fields by name.
#[derive(Debug)]
pub struct JsonObject<'a> {
    text: &'a str,
    members: Vec<Member>,
}

impl<'a> JsonObject<'a> {
    /// Reads `text`, which must be one JSON object.
    pub fn parse(text: &'a str) -> Result<Self, DecodeError> {
        let mut keys = Vec::new();
        let mut members = Vec::new();
        let mut scanner = Scanner::new(text, &mut keys);
        scanner.skip_space();
        if scanner.peek() != Some(b'{') {
            let found = scanner.value(0)?.kind.name();
            return Err(DecodeError::NotAnEvent { expected: "an object", found });
        }
        object_members(&mut scanner, 0, &mut members)?;
        scanner.finish()?;
        Ok(Self { text, members })
    }

    /// The raw JSON of a member, with the quotes of a string.
    pub fn raw(&self, name: &str) -> Option<(JsonKind, &'a str)> {
        let member = self.members.iter().find(|member| self.key(member) == name)?;
        let (start, end) = (member.value.start as usize, member.value.end as usize);
        Some(match member.value.kind {
            JsonKind::String => (JsonKind::String, &self.text[start - 1..end + 1]),
            kind => (kind, &self.text[start..end]),
        })
    }

    /// The text of a member that is a string.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        match self.raw(name)? {
            (JsonKind::String, raw) => Some(unescape(&raw[1..raw.len() - 1])),
            _ => None,
        }
    }

    fn key(&self, member: &Member) -> Cow<'a, str> {
        let raw = &self.text[member.key.start as usize..member.key.end as usize];
        if member.key.escaped { unescape(raw) } else { Cow::Borrowed(raw) }
    }
}

/// Scans an object and collects its members. `depth` is the depth of the object.
pub(crate) fn object_members(
    scanner: &mut Scanner<'_, '_>,
    depth: usize,
    members: &mut Vec<Member>,
) -> Result<(), DecodeError> {
    scanner.members(depth, |scanner, key| {
        let value = scanner.value(depth + 1)?;
        members.push(Member { key, value });
        Ok(())
    })
}

#[cfg(test)]
mod tests;
