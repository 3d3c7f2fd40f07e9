//! Splits the text of a time or an interval into fields, as PostgreSQL splits it.
//!
//! ```text
//! Nov 20 2026 05:00:00.5 +02   ─▶   Word "nov", Number "20", Number "2026", Clock "05:00:00.5", Signed "+02"
//! ```

/// Fields of which PostgreSQL takes no more.
const MOST_FIELDS: usize = 25;

/// What a field looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Digits, with a point perhaps.
    Number,
    /// Digits with `-`, `/` or `.` between, or a name with punctuation inside.
    Date,
    /// Digits and `:`.
    Clock,
    /// A sign and digits.
    Signed,
    Word,
    /// A sign and letters.
    SignedWord,
}

/// A field, in small letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) kind: Kind,
    pub(super) text: String,
}

/// The fields of a text. `None` if it has none or too many, or something that is in no field.
pub(super) fn fields(text: &str) -> Option<Vec<Field>> {
    let mut rest = text.as_bytes();
    if !text.is_ascii() {
        return None;
    }
    let mut fields = Vec::new();
    while let Some(first) = rest.first() {
        if is_space(*first) {
            rest = &rest[1..];
            continue;
        }
        let Some((kind, length, skipped)) = field(rest)? else {
            rest = &rest[1..];
            continue;
        };
        if fields.len() == MOST_FIELDS {
            return None;
        }
        let mut text: Vec<u8> = rest[..length].to_ascii_lowercase();
        if skipped > 0 {
            text.drain(1..=skipped);
        }
        fields.push(Field { kind, text: String::from_utf8(text).ok()? });
        rest = &rest[length..];
    }
    Some(fields)
}

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// Bytes from `from` on for which `is_part` holds: where they end.
fn run(text: &[u8], from: usize, is_part: impl Fn(u8) -> bool) -> usize {
    text[from..].iter().position(|byte| !is_part(*byte)).map_or(text.len(), |end| from + end)
}

/// The kind of the first field, its length, and the spaces after its sign. `None` inside for punctuation between fields.
fn field(text: &[u8]) -> Option<Option<(Kind, usize, usize)>> {
    let at = |place: usize| text.get(place).copied().unwrap_or(0);
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let found = match at(0) {
        b'0'..=b'9' => {
            let end = run(text, 0, is_digit);
            match at(end) {
                b':' => (Kind::Clock, run(text, end, |byte| is_digit(byte) || matches!(byte, b':' | b'.')), 0),
                delimiter @ (b'-' | b'/' | b'.') if is_digit(at(end + 1)) => {
                    let end = run(text, end + 1, is_digit);
                    if at(end) == delimiter {
                        (Kind::Date, run(text, end, |byte| is_digit(byte) || byte == delimiter), 0)
                    } else if delimiter == b'.' {
                        (Kind::Number, end, 0)
                    } else {
                        (Kind::Date, end, 0)
                    }
                }
                delimiter @ (b'-' | b'/' | b'.') => {
                    (Kind::Date, run(text, end + 1, |byte| byte.is_ascii_alphanumeric() || byte == delimiter), 0)
                }
                _ => (Kind::Number, end, 0),
            }
        }
        b'.' => (Kind::Number, run(text, 1, is_digit), 0),
        first if first.is_ascii_alphabetic() => {
            let end = run(text, 0, |byte| byte.is_ascii_alphabetic());
            let is_date = match at(end) {
                b'-' | b'/' | b'.' => true,
                next => {
                    (next == b'+' || is_digit(next))
                        && super::words::of_date(&String::from_utf8_lossy(&text[..end]).to_ascii_lowercase()).is_none()
                }
            };
            if is_date {
                let is_part =
                    |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'/' | b'_' | b'.' | b':');
                (Kind::Date, run(text, end, is_part), 0)
            } else {
                (Kind::Word, end, 0)
            }
        }
        b'+' | b'-' => {
            let start = run(text, 1, is_space);
            let first = at(start);
            if is_digit(first) {
                (Kind::Signed, run(text, start, |byte| is_digit(byte) || matches!(byte, b':' | b'.' | b'-')), start - 1)
            } else if first.is_ascii_alphabetic() {
                (Kind::SignedWord, run(text, start, |byte| byte.is_ascii_alphabetic()), start - 1)
            } else {
                return None;
            }
        }
        other if other.is_ascii_punctuation() => return Some(None),
        _ => return None,
    };
    Some(Some(found))
}

/// A whole number with a sign at the beginning of `text`, and what follows. `Err` if it is too large.
pub(super) fn leading_number(text: &str) -> Result<Option<(i64, &str)>, TooLarge> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = text.len() - digits.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if end == text.len() - digits.len() {
        return Ok(None);
    }
    text[..end].parse().map(|number| Some((number, &text[end..]))).map_err(|_| TooLarge)
}

/// A number is too large for its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge;

/// The value of `.digits`. `None` if it is something else.
pub(super) fn fraction(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('.')?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if digits.is_empty() { Some(0.0) } else { format!("0.{digits}").parse().ok() }
}

/// The microseconds of `.digits`, the nearest ones.
pub(super) fn fraction_in_microseconds(text: &str) -> Option<i64> {
    fraction(text).map(|fraction| (fraction * 1_000_000.0).round_ties_even() as i64)
}
