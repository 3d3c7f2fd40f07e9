//! The text of a report, cut at its parameters.
//!
//! A parameter stands in the text as its default, a literal, with its name in a comment behind it: `30.0 /* name */`.
//! Literals are numbers, quoted texts, and quoted texts behind `timestamptz`. Every `/* */` comment is such a name.
//! Line comments and quoted texts are passed over as the engine does, so that nothing in them looks like a parameter.

use crate::error::MistakeInReport;
use crate::value::Type;

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Passed on as it stands.
    Text(&'static str),
    /// A parameter by name, with its default as it stands.
    Parameter { name: &'static str, literal: &'static str, kind: Type },
}

/// Cuts a report's text.
pub(crate) fn cut(text: &'static str) -> Result<Vec<Piece>, MistakeInReport> {
    let bytes = text.as_bytes();
    let mut pieces = Vec::new();
    let (mut at, mut done) = (0, 0);
    // The last token: where it begins and ends.
    let mut last: Option<(usize, usize)> = None;
    let mut before: Option<(usize, usize)> = None;
    let end_of = |from: usize, pattern: &str| text[from..].find(pattern).map(|found| from + found + pattern.len());
    while at < bytes.len() {
        let rest = &text[at..];
        if rest.starts_with("--") {
            at = end_of(at, "\n").unwrap_or(bytes.len());
        } else if rest.starts_with("/*") {
            let end = end_of(at, "*/").ok_or_else(|| MistakeInReport("a comment without an end".to_owned()))?;
            let name = text[at + 2..end - 2].trim();
            let mistake = || MistakeInReport(format!("`/* {name} */` does not stand behind a literal"));
            let (mut begin, finish) = last.ok_or_else(mistake)?;
            if let Some(keyword) = before
                && text[keyword.0..keyword.1].eq_ignore_ascii_case("timestamptz")
            {
                begin = keyword.0;
            }
            let literal = &text[begin..finish];
            let kind = Type::of(literal).ok_or_else(mistake)?;
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

/// The length of the token that a text begins with.
fn token(text: &str) -> Result<usize, MistakeInReport> {
    if text.starts_with('\'') {
        let mut inside = text.char_indices().skip(1).peekable();
        while let Some((index, letter)) = inside.next() {
            if letter != '\'' {
                continue;
            }
            // Two quotes are one quote inside.
            if inside.next_if(|(_, next)| *next == '\'').is_none() {
                return Ok(index + 1);
            }
        }
        return Err(MistakeInReport("a quoted text without an end".to_owned()));
    }
    let word = |letter: char| letter.is_ascii_alphanumeric() || "_.".contains(letter);
    let length = text.find(|letter| !word(letter)).unwrap_or(text.len());
    Ok(if length > 0 { length } else { text.chars().next().map_or(1, char::len_utf8) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_behind_their_defaults_only() {
        let text =
            "-- it's /* no */\nselect 'a /* no */ ''b' where x >= timestamptz '1970' /* from */ and y = 3.5 /* n */;";
        assert_eq!(
            cut(text).unwrap(),
            [
                Piece::Text("-- it's /* no */\nselect 'a /* no */ ''b' where x >= "),
                Piece::Parameter { name: "from", literal: "timestamptz '1970'", kind: Type::Time },
                // The name stays where it is, behind whatever the literal becomes.
                Piece::Text(" /* from */ and y = "),
                Piece::Parameter { name: "n", literal: "3.5", kind: Type::Number },
                Piece::Text(" /* n */;"),
            ]
        );
    }

    #[test]
    fn pieces_are_the_whole_text() {
        for report in crate::all() {
            let text: String = cut(report.sql)
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
    fn mistakes_are_named() {
        for (text, what) in [
            ("select /* a */ 1", "`/* a */`"),
            ("select x /* a */", "`/* a */`"),
            ("/* a", "without an end"),
            ("select 'a", "without an end"),
        ] {
            assert!(cut(text).unwrap_err().to_string().contains(what), "{text}");
        }
    }
}
