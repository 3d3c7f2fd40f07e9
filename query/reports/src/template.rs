//! The text of a report, split at its parameters.
//!
//! A parameter is a literal, its default, followed by a comment with its name: `30.0 /* name */`. Literals are numbers, quoted
//! texts, and quoted texts after `timestamptz`. Every `/* */` comment is such a name. Line comments and quoted texts are
//! skipped as the engine skips them, so they cannot contain parameters.

use crate::error::InvalidReport;
use crate::value::Type;

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Fixed text.
    Text(&'static str),
    /// A parameter with its default.
    Parameter { name: &'static str, literal: &'static str, kind: Type },
}

/// Splits a report's text.
pub(crate) fn split(text: &'static str) -> Result<Vec<Piece>, InvalidReport> {
    let bytes = text.as_bytes();
    let mut pieces = Vec::new();
    let (mut at, mut done) = (0, 0);
    // The start and end of the last token, and of the one before it.
    let mut last: Option<(usize, usize)> = None;
    let mut before: Option<(usize, usize)> = None;
    let end_of = |from: usize, pattern: &str| text[from..].find(pattern).map(|found| from + found + pattern.len());
    while at < bytes.len() {
        let rest = &text[at..];
        if rest.starts_with("--") {
            at = end_of(at, "\n").unwrap_or(bytes.len());
        } else if rest.starts_with("/*") {
            let end = end_of(at, "*/").ok_or_else(|| InvalidReport("a comment without an end".to_owned()))?;
            let name = text[at + 2..end - 2].trim();
            let invalid = || InvalidReport(format!("`/* {name} */` does not follow a literal"));
            let (mut begin, finish) = last.ok_or_else(invalid)?;
            if let Some(keyword) = before
                && text[keyword.0..keyword.1].eq_ignore_ascii_case("timestamptz")
            {
                begin = keyword.0;
            }
            let literal = &text[begin..finish];
            let kind = Type::of(literal).ok_or_else(invalid)?;
            pieces.push(Piece::Text(&text[done..begin]));
            pieces.push(Piece::Parameter { name, literal, kind });
            (done, at) = (finish, end);
            (before, last) = (None, None);
        } else if rest.starts_with(char::is_whitespace) {
            at += rest.chars().next().map_or(1, char::len_utf8);
        } else {
            let end = at + token(rest)?;
            before = last.replace((at, end));
            at = end;
        }
    }
    pieces.push(Piece::Text(&text[done..]));
    Ok(pieces)
}

/// The length of the token at the start of a text.
fn token(text: &str) -> Result<usize, InvalidReport> {
    if text.starts_with('\'') {
        let mut inside = text.char_indices().skip(1).peekable();
        while let Some((index, letter)) = inside.next() {
            if letter != '\'' {
                continue;
            }
            // A doubled quote is part of the text.
            if inside.next_if(|(_, next)| *next == '\'').is_none() {
                return Ok(index + 1);
            }
        }
        return Err(InvalidReport("a quoted text without an end".to_owned()));
    }
    let word = |letter: char| letter.is_ascii_alphanumeric() || "_.".contains(letter);
    let length = text.find(|letter| !word(letter)).unwrap_or(text.len());
    Ok(if length > 0 { length } else { text.chars().next().map_or(1, char::len_utf8) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_comments_after_a_literal_are_parameters() {
        let text =
            "-- it's /* no */\nselect 'a /* no */ ''b' where x >= timestamptz '1970' /* from */ and y = 3.5 /* n */;";
        assert_eq!(
            split(text).unwrap(),
            [
                Piece::Text("-- it's /* no */\nselect 'a /* no */ ''b' where x >= "),
                Piece::Parameter { name: "from", literal: "timestamptz '1970'", kind: Type::Time },
                // The comment stays in the text after the literal.
                Piece::Text(" /* from */ and y = "),
                Piece::Parameter { name: "n", literal: "3.5", kind: Type::Number },
                Piece::Text(" /* n */;"),
            ]
        );
    }

    #[test]
    fn pieces_add_up_to_the_text() {
        for report in crate::all() {
            let text: String = split(report.sql)
                .unwrap()
                .into_iter()
                .map(|piece| match piece {
                    Piece::Text(text) | Piece::Parameter { literal: text, .. } => text,
                })
                .collect();
            assert_eq!(text, report.sql, "{}", report.name);
        }
    }

    #[test]
    fn an_invalid_text_is_refused_with_its_part() {
        for (text, what) in [
            ("select /* a */ 1", "`/* a */`"),
            ("select x /* a */", "`/* a */`"),
            ("/* a", "without an end"),
            ("select 'a", "without an end"),
        ] {
            assert!(split(text).unwrap_err().to_string().contains(what), "{text}");
        }
    }
}
