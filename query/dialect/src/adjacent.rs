//! Constant texts one after the other: with a line's end between them they are one (PostgreSQL 15, 4.1.2.1). Otherwise the second
//! one is a syntax error, which the parser would read as a name. `interval(0) '1.6 s'`, whose digits the parser forgets, is refused.

use crate::SqlError;
use datafusion::common::Result;
use std::borrow::Cow;

/// The statement with such texts joined. What stands between them stands behind them, so that all else keeps its place.
///
/// # Errors
/// Two texts without a line's end between them, or a text with the digits of an interval before it.
pub fn joined_constants(statement: &str) -> Result<Cow<'_, str>> {
    let mut joined: Option<String> = None;
    // Where the part begins that is not in `joined` yet.
    let mut copied = 0;
    let mut place = 0;
    while let Some(next) = next_text(statement, place) {
        if let Some(of_interval) = digits_of_interval(&statement[..next.start]) {
            let message = format!("{of_interval} before a constant is not supported");
            let hint = format!("Write '..'::{of_interval}.");
            return Err(SqlError::not_supported(message).with_hint(hint).at(of_interval).into());
        }
        let mut end = next.end;
        let mut between = String::new();
        while let Some(gap) = gap_behind(statement, end) {
            let start = end + gap;
            if !statement[end..start].contains(['\n', '\r']) {
                let behind = text_end(statement, start + 1, next.is_escaped);
                let second = &statement[start..behind];
                return Err(SqlError::new("42601", format!("syntax error at or near \"{second}\"")).at(second).into());
            }
            // The quotes between the texts are left out, and blanks stand where the second one stood.
            let joined = joined.get_or_insert_default();
            joined.push_str(&statement[copied..end - 1]);
            between.push_str(&statement[end..start]);
            copied = start + 1;
            end = text_end(statement, start + 1, next.is_escaped);
            between.extend(statement[start..end].chars().map(|_| ' '));
        }
        if let Some(joined) = joined.as_mut().filter(|_| !between.is_empty()) {
            joined.push_str(&statement[copied..end]);
            joined.push_str(&between);
            copied = end;
        }
        place = end;
    }
    Ok(match joined {
        Some(mut joined) => {
            joined.push_str(&statement[copied..]);
            Cow::Owned(joined)
        }
        None => Cow::Borrowed(statement),
    })
}

/// A constant text in a statement.
struct Text {
    /// The place of its opening quote.
    start: usize,
    /// The place behind its closing quote.
    end: usize,
    /// Whether a backslash in it escapes.
    is_escaped: bool,
}

/// The next text in single quotes that begins at `place` or behind it. Comments, names in quotes and texts in dollars have no
/// texts in them.
fn next_text(statement: &str, mut place: usize) -> Option<Text> {
    let bytes = statement.as_bytes();
    while let Some(byte) = bytes.get(place) {
        let rest = &statement.as_bytes()[place..];
        match byte {
            b'\'' => {
                let is_letter = |at: usize| bytes.get(at).is_some_and(|byte| is_of_name(*byte));
                let is_escaped =
                    place >= 1 && matches!(bytes[place - 1], b'e' | b'E') && (place < 2 || !is_letter(place - 2));
                return Some(Text { start: place, end: text_end(statement, place + 1, is_escaped), is_escaped });
            }
            b'"' => place = behind(statement, place + 1, "\""),
            b'-' if rest.starts_with(b"--") => place = line_end(statement, place),
            b'/' if rest.starts_with(b"/*") => place = comment_end(bytes, place),
            b'$' if place == 0 || !is_of_name(bytes[place - 1]) => {
                place = match dollars(statement, place) {
                    Some(tag) => behind(statement, place + tag.len(), tag),
                    None => place + 1,
                };
            }
            _ => place += 1,
        }
    }
    None
}

/// `interval (digits)`, if that ends here.
fn digits_of_interval(before: &str) -> Option<&str> {
    let end = before.trim_end();
    let digits = end.strip_suffix(')')?.trim_end();
    let name = digits.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let name = name.trim_end().strip_suffix('(').filter(|_| name.len() < digits.len())?.trim_end();
    let start = name.len().checked_sub("interval".len())?;
    let is_name = name.get(start..)?.eq_ignore_ascii_case("interval");
    let is_whole = start == 0 || !is_of_name(name.as_bytes()[start - 1]);
    (is_name && is_whole).then(|| &end[start..])
}

/// Whether a byte may stand in a name.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || !byte.is_ascii()
}

/// The place behind the quote that closes a text whose letters begin at `place`.
fn text_end(statement: &str, mut place: usize, is_escaped: bool) -> usize {
    let bytes = statement.as_bytes();
    while let Some(byte) = bytes.get(place) {
        match byte {
            b'\\' if is_escaped => place += 2,
            b'\'' if bytes.get(place + 1) == Some(&b'\'') => place += 2,
            b'\'' => return place + 1,
            _ => place += 1,
        }
    }
    bytes.len()
}

/// The place behind the next `end`.
fn behind(statement: &str, place: usize, end: &str) -> usize {
    statement.get(place..).and_then(|rest| rest.find(end)).map_or(statement.len(), |found| place + found + end.len())
}

fn line_end(statement: &str, place: usize) -> usize {
    statement[place..].find(['\n', '\r']).map_or(statement.len(), |found| place + found)
}

/// The place behind a comment, in which there may be others.
fn comment_end(bytes: &[u8], mut place: usize) -> usize {
    let mut depth = 0_usize;
    while place < bytes.len() {
        if bytes[place..].starts_with(b"/*") {
            (depth, place) = (depth + 1, place + 2);
        } else if bytes[place..].starts_with(b"*/") {
            (depth, place) = (depth - 1, place + 2);
            if depth == 0 {
                return place;
            }
        } else {
            place += 1;
        }
    }
    place
}

/// `$tag$` at `place`.
fn dollars(statement: &str, place: usize) -> Option<&str> {
    let rest = &statement[place..];
    let close = rest[1..].find('$')? + 1;
    let tag = &rest[1..close];
    let is_tag = tag.bytes().all(|byte| is_of_name(byte) && byte != b'$')
        && !tag.starts_with(|first: char| first.is_ascii_digit());
    is_tag.then(|| &rest[..=close])
}

/// The bytes of white space and comments between a text and the text that follows it; `None` if none follows.
fn gap_behind(statement: &str, end: usize) -> Option<usize> {
    let bytes = statement.as_bytes();
    let mut place = end;
    loop {
        match bytes.get(place)? {
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c' => place += 1,
            b'-' if bytes.get(place + 1) == Some(&b'-') => place = line_end(statement, place),
            b'\'' if place > end => return Some(place - end),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_on_several_lines_are_one() {
        for (written, joined) in [
            ("SELECT 'a'\n  'b', x", "SELECT 'ab'\n     , x"),
            ("SELECT 'a' -- 'c'\n\t'b'\r\n'c'", "SELECT 'abc' -- 'c'\n\t   \r\n   "),
            ("SELECT E'a\\''\n'b\\''", "SELECT E'a\\'b\\''\n     "),
            ("SELECT 'it''s'\n'''b'", "SELECT 'it''s''b'\n     "),
            ("SELECT 'a'\n'b' || 'c'\n'd'", "SELECT 'ab'\n    || 'cd'\n   "),
        ] {
            assert_eq!(joined_constants(written).unwrap(), joined, "{written}");
        }
    }

    #[test]
    fn all_else_is_left() {
        for written in [
            "SELECT 'a', 'b'",
            "SELECT 'a''b'",
            "SELECT '' || ''",
            "SELECT \"a'\" 'b'",
            "SELECT $$'a' 'b'$$, $x$ 'a' $$ 'b' $x$, $1",
            "/* 'a' /* 'b' */ 'c' 'd' */ SELECT 1 -- 'a' 'b'",
            "SELECT 'a' /* c */\n",
            "SELECT 'ä",
            "SELECT E'a\\",
            "SELECT 'x' AS y -- 'a' 'b'",
        ] {
            assert!(matches!(joined_constants(written).unwrap(), Cow::Borrowed(_)), "{written}");
        }
    }

    #[test]
    fn digits_before_an_interval_are_refused() {
        for written in ["SELECT interval(0) '1.6 s'", "SELECT INTERVAL ( 3 )'1 s'", "interval(6)\n'1 s'"] {
            let error = joined_constants(written).unwrap_err();
            assert_eq!(crate::testing::state_of(&error), "0A000", "{written}");
        }
        for written in
            ["SELECT interval '1 s'", "SELECT f(3) 'a'", "SELECT my_interval(3) 'a'", "SELECT (3) 'a'", "')'"]
        {
            assert!(joined_constants(written).is_ok(), "{written}");
        }
    }

    #[test]
    fn texts_on_one_line_are_a_syntax_error() {
        for written in ["SELECT 'a' 'b'", "SELECT 'a'\n'b' 'c'", "SELECT E'a\\'' 'b'"] {
            let error = joined_constants(written).unwrap_err();
            assert_eq!(crate::testing::state_of(&error), "42601", "{written}");
        }
    }
}
