//! JSON as values: reading with PostgreSQL's checks, and writing as `jsonb` is written.

use crate::SqlError;

/// A JSON value. Numbers are written as numerics are; members are in the order of `jsonb`, each key once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Arrays and objects inside each other.
const DEEPEST: usize = 500;
/// Digits of a number before and behind its point.
const MOST_DIGITS: i64 = 16_383;

/// A text is no JSON.
fn invalid(detail: impl Into<String>) -> SqlError {
    SqlError::new("22P02", "invalid input syntax for type json").with_detail(detail)
}

/// Whether values are made of what is read, or only its syntax is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Values,
    Nothing,
}

/// Checks a text for the type `json`, which keeps it as it is.
pub(super) fn check(text: &str) -> Result<(), SqlError> {
    read(text, Made::Nothing).map(|_| ())
}

/// Reads a text as `jsonb`.
pub(super) fn parse(text: &str) -> Result<Json, SqlError> {
    read(text, Made::Values)
}

fn read(text: &str, made: Made) -> Result<Json, SqlError> {
    let mut reader = Reader { text, at: 0, made };
    let value = reader.value(0)?;
    reader.skip_spaces();
    match reader.at == text.len() {
        true => Ok(value),
        false => Err(invalid("Expected end of input.")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    made: Made,
}

impl Reader<'_> {
    fn skip_spaces(&mut self) {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Result<u8, SqlError> {
        self.skip_spaces();
        self.text.as_bytes().get(self.at).copied().ok_or_else(|| invalid("The input string ended unexpectedly."))
    }

    fn value(&mut self, depth: usize) -> Result<Json, SqlError> {
        if depth > DEEPEST {
            return Err(SqlError::new("54001", "JSON of more than 500 values inside each other is not supported"));
        }
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => Ok(Json::String(self.string()?)),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 128;
                let length = self.text.as_bytes()[self.at..].iter().take_while(|byte| is_part(byte)).count();
                let word = self.text.get(self.at..self.at + length).unwrap_or_default();
                self.at += length;
                match word {
                    "true" => Ok(Json::Bool(true)),
                    "false" => Ok(Json::Bool(false)),
                    "null" => Ok(Json::Null),
                    _ => Err(invalid("A token is invalid.")),
                }
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, SqlError> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            if self.peek()? != b'"' {
                return Err(invalid("Expected string."));
            }
            let key = self.string()?;
            if self.peek()? != b':' {
                return Err(invalid("Expected \":\"."));
            }
            self.at += 1;
            let value = self.value(depth + 1)?;
            if self.made == Made::Values {
                members.push((key, value));
            }
            let next = self.peek()?;
            self.at += 1;
            match next {
                b',' => {}
                b'}' => return Ok(object(members)),
                _ => return Err(invalid("Expected \",\" or \"}\".")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, SqlError> {
        self.at += 1;
        let mut elements = Vec::new();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Json::Array(elements));
        }
        loop {
            let value = self.value(depth + 1)?;
            if self.made == Made::Values {
                elements.push(value);
            }
            let next = self.peek()?;
            self.at += 1;
            match next {
                b',' => {}
                b']' => return Ok(Json::Array(elements)),
                _ => return Err(invalid("Expected \",\" or \"]\".")),
            }
        }
    }

    fn string(&mut self) -> Result<String, SqlError> {
        let bytes = self.text.as_bytes();
        self.at += 1;
        let begin = self.at;
        loop {
            match bytes.get(self.at) {
                None => return Err(invalid("The input string ended unexpectedly.")),
                Some(b'"') => {
                    let inner = self.text.get(begin..self.at).unwrap_or_default();
                    self.at += 1;
                    return match self.made {
                        Made::Values => unescaped(inner),
                        Made::Nothing => check_escapes(inner).map(|()| String::new()),
                    };
                }
                Some(b'\\') => self.at += 2,
                Some(0..0x20) => return Err(invalid("A control character must be escaped.")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn number(&mut self) -> Result<Json, SqlError> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let length = self.text.as_bytes()[self.at..].iter().take_while(|byte| is_part(byte)).count();
        let text = &self.text[self.at..self.at + length];
        self.at += length;
        let number = Number::of(text).ok_or_else(|| invalid("A token is invalid."))?;
        Ok(match self.made {
            Made::Values => Json::Number(number.normal()?),
            Made::Nothing => Json::Null,
        })
    }
}

/// An object: keys in the order of their lengths and bytes, of the same ones the last.
pub(super) fn object(mut members: Vec<(String, Json)>) -> Json {
    members.reverse();
    members.sort_by(|(one, _), (other, _)| order(one, other));
    members.dedup_by(|(later, _), (first, _)| later == first);
    Json::Object(members)
}

fn order(one: &str, other: &str) -> std::cmp::Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// The parts of a number.
struct Number<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: &'a str,
}

impl<'a> Number<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, Some(exponent)),
            None => (rest, None),
        };
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (mantissa, None),
        };
        let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let has_zero_first = whole.len() > 1 && whole.starts_with('0');
        let of_exponent = |exponent: &str| are_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
        (are_digits(whole) && !has_zero_first && fraction.is_none_or(are_digits) && exponent.is_none_or(of_exponent))
            .then(|| Self {
                is_negative,
                whole,
                fraction: fraction.unwrap_or_default(),
                exponent: exponent.unwrap_or("0"),
            })
    }

    /// As a numeric is written.
    fn normal(&self) -> Result<String, SqlError> {
        let overflow = || SqlError::new("22003", "value overflows numeric format");
        let exponent: i64 = self.exponent.parse().map_err(|_| overflow())?;
        let digits = [self.whole, self.fraction].concat();
        let point = i64::try_from(self.whole.len()).unwrap_or(i64::MAX).saturating_add(exponent);
        let scale = i64::try_from(self.fraction.len()).unwrap_or(i64::MAX).saturating_sub(exponent).max(0);
        if scale > MOST_DIGITS || point > 131_072 {
            return Err(overflow());
        }
        let whole: String = (0..point).map(|place| digit(&digits, place)).collect();
        let fraction: String = (point..point + scale).map(|place| digit(&digits, place)).collect();
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            whole => whole,
        };
        let is_zero = whole == "0" && fraction.bytes().all(|digit| digit == b'0');
        let sign = if self.is_negative && !is_zero { "-" } else { "" };
        Ok(if scale > 0 { format!("{sign}{whole}.{fraction}") } else { format!("{sign}{whole}") })
    }
}

fn digit(digits: &str, place: i64) -> char {
    let digit = usize::try_from(place).ok().and_then(|place| digits.as_bytes().get(place));
    digit.map_or('0', |digit| char::from(*digit))
}

/// Checks the escapes of a string, which is given without its quotes.
fn check_escapes(inner: &str) -> Result<(), SqlError> {
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        rest = &rest[at + 1..];
        let length = match rest.as_bytes().first() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 1,
            Some(b'u') => {
                hex(rest)?;
                5
            }
            _ => return Err(invalid("Escape sequence is invalid.")),
        };
        rest = &rest[length..];
    }
    Ok(())
}

fn hex(escape: &str) -> Result<u32, SqlError> {
    let digits = escape.get(1..5).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    code.ok_or_else(|| invalid("\"\\u\" must be followed by four hexadecimal digits."))
}

/// The text of a string, which is given without its quotes.
pub(super) fn unescaped(inner: &str) -> Result<String, SqlError> {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (letter, length) = match rest.as_bytes().first() {
            Some(b'"') => ('"', 1),
            Some(b'\\') => ('\\', 1),
            Some(b'/') => ('/', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => unicode(rest)?,
            _ => return Err(invalid("Escape sequence is invalid.")),
        };
        text.push(letter);
        rest = &rest[length..];
    }
    text.push_str(rest);
    Ok(text)
}

/// The letter of `uXXXX`, or of two that belong together, and the length of the escapes.
fn unicode(escape: &str) -> Result<(char, usize), SqlError> {
    let first = hex(escape)?;
    match first {
        0 => Err(SqlError::new("22P05", "unsupported Unicode escape sequence")
            .with_detail("\\u0000 cannot be converted to text.")),
        0xd800..=0xdbff => {
            let lonely = || invalid("Unicode low surrogate must follow a high surrogate.");
            let second = escape.get(5..).filter(|second| second.starts_with("\\u")).ok_or_else(lonely)?;
            let second = hex(&second[1..])?;
            if !(0xdc00..=0xdfff).contains(&second) {
                return Err(lonely());
            }
            let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            char::from_u32(code).map(|letter| (letter, 11)).ok_or_else(lonely)
        }
        code => char::from_u32(code)
            .map(|letter| (letter, 5))
            .ok_or_else(|| invalid("Unicode low surrogate must follow a high surrogate.")),
    }
}

/// Writes a string with its quotes.
pub(super) fn write_string(text: &str, to: &mut String) {
    to.push('"');
    for letter in text.chars() {
        match letter {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\u{8}' => to.push_str("\\b"),
            '\u{c}' => to.push_str("\\f"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            control if control < ' ' => to.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => to.push(other),
        }
    }
    to.push('"');
}

impl Json {
    /// Writes it as `jsonb` is written.
    pub(super) fn write(&self, to: &mut String) {
        match self {
            Self::Null => to.push_str("null"),
            Self::Bool(value) => to.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => to.push_str(number),
            Self::String(text) => write_string(text, to),
            Self::Array(elements) => {
                to.push('[');
                for (number, element) in elements.iter().enumerate() {
                    to.push_str(if number > 0 { ", " } else { "" });
                    element.write(to);
                }
                to.push(']');
            }
            Self::Object(members) => {
                to.push('{');
                for (number, (key, value)) in members.iter().enumerate() {
                    to.push_str(if number > 0 { ", " } else { "" });
                    write_string(key, to);
                    to.push_str(": ");
                    value.write(to);
                }
                to.push('}');
            }
        }
    }

    /// As `jsonb` is written.
    pub(super) fn written(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    /// Writes it as `jsonb_pretty` does.
    pub(super) fn write_pretty(&self, depth: usize, to: &mut String) {
        let line = |to: &mut String, depth: usize| {
            to.push('\n');
            to.extend(std::iter::repeat_n(' ', depth * 4));
        };
        match self {
            Self::Array(elements) => {
                to.push('[');
                for (number, element) in elements.iter().enumerate() {
                    to.push_str(if number > 0 { "," } else { "" });
                    line(to, depth + 1);
                    element.write_pretty(depth + 1, to);
                }
                line(to, depth);
                to.push(']');
            }
            Self::Object(members) => {
                to.push('{');
                for (number, (key, value)) in members.iter().enumerate() {
                    to.push_str(if number > 0 { "," } else { "" });
                    line(to, depth + 1);
                    write_string(key, to);
                    to.push_str(": ");
                    value.write_pretty(depth + 1, to);
                }
                line(to, depth);
                to.push('}');
            }
            other => other.write(to),
        }
    }
}
