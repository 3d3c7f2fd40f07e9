//! The error of a statement, as psql shows it: the message, the line of the statement with a caret below the place, a
//! detail, a hint. Pure.
//!
//! ```text
//! ERROR:  column "agnt" does not exist
//! LINE 1: SELECT agnt FROM sessions
//!                ^
//! HINT:  Perhaps you meant to reference the column "sessions.agent".
//! ```

use holdfast_query::QueryError;
use unicode_width::UnicodeWidthChar as _;

use super::text::{is_interpreted, printable};

/// The most columns that are shown of a line.
const SHOWN_COLUMNS: usize = 60;
/// The columns that are shown after the place, if the line is cut there.
const COLUMNS_AFTER: usize = 10;
const CUT: &str = "...";

/// The error of `statement` in lines, each with its end. What a terminal would interpret is escaped.
pub(crate) fn statement_error(statement: &str, error: &QueryError) -> String {
    let mut text = format!("ERROR:  {}\n", printable(&error.to_string()));
    let QueryError::Statement(error) = error else { return text };
    if let Some(place) = error.position.and_then(|position| place(statement, position)) {
        text.push_str(&place);
    }
    for (name, more) in [("DETAIL", &error.detail), ("HINT", &error.hint)] {
        if let Some(more) = more {
            text.push_str(&format!("{name}:  {}\n", printable(more)));
        }
    }
    text
}

/// The line of a statement at the character `position`, and a caret below it. `None` if it is beyond the statement.
fn place(statement: &str, position: usize) -> Option<String> {
    let characters: Vec<char> = statement.chars().collect();
    let at = position.checked_sub(1).filter(|at| *at <= characters.len())?;
    let is_end = |character: &char| matches!(character, '\n' | '\r');
    let before = &characters[..at];
    let start = before.iter().rposition(is_end).map_or(0, |end| end + 1);
    let end = characters[at..].iter().position(is_end).map_or(characters.len(), |end| at + end);
    let lines = before.iter().enumerate();
    let ends = lines.filter(|(index, character)| match character {
        '\n' => true,
        // With the next character it is one end.
        '\r' => before.get(index + 1) != Some(&'\n'),
        _ => false,
    });
    let number = ends.count() + 1;
    let line: Vec<char> = characters[start..end].iter().map(|character| shown(*character)).collect();
    let (from, to) = window(&line, at - start);
    let (left, right) = (if from > 0 { CUT } else { "" }, if to < line.len() { CUT } else { "" });
    let head = format!("LINE {number}: {left}");
    let part: String = line[from..to].iter().collect();
    let columns = head.len() + columns(&line[from..at - start]);
    Some(format!("{head}{part}{right}\n{:columns$}^\n", ""))
}

/// The part of a line that is shown: all of it, or what is around the place.
fn window(line: &[char], at: usize) -> (usize, usize) {
    let (mut from, mut to) = (0, line.len());
    if columns(line) <= SHOWN_COLUMNS {
        return (from, to);
    }
    if columns(&line[..at]) + COLUMNS_AFTER < SHOWN_COLUMNS {
        while columns(&line[..to]) > SHOWN_COLUMNS {
            to -= 1;
        }
        return (from, to);
    }
    while to > at && columns(&line[at..to]) > COLUMNS_AFTER {
        to -= 1;
    }
    while columns(&line[from..to]) > SHOWN_COLUMNS {
        from += 1;
    }
    (from.min(at), to)
}

/// The columns that characters take on a terminal.
fn columns(characters: &[char]) -> usize {
    characters.iter().map(|character| character.width().unwrap_or(0)).sum()
}

/// A character as it is shown: a tab takes one column, so that the caret is below the place.
fn shown(character: char) -> char {
    match character {
        '\t' => ' ',
        other if is_interpreted(other) => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_query::StatementError;

    fn error(statement: &str, position: usize) -> String {
        let mut error = StatementError::new("42703", "no");
        error.position = Some(position);
        let text = statement_error(statement, &error.into());
        text.strip_prefix("ERROR:  no\n").unwrap().to_owned()
    }

    #[test]
    fn a_caret_stands_below_the_place() {
        assert_eq!(error("SELECT agnt FROM t", 8), "LINE 1: SELECT agnt FROM t\n               ^\n");
        assert_eq!(error("SELECT 1\r\nFROM\tx\n", 16), "LINE 2: FROM x\n             ^\n");
        assert_eq!(error("SELECT 1 +", 11), "LINE 1: SELECT 1 +\n                  ^\n");
        assert_eq!(error("SELECT '日本', x", 14), "LINE 1: SELECT '日本', x\n                       ^\n");
        assert_eq!(error("SELECT\u{1b} x", 9), "LINE 1: SELECT\u{fffd} x\n                ^\n");
        assert_eq!(error("SELECT", 9), "");
        assert_eq!(error("", 1), "LINE 1: \n        ^\n");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let long = format!("SELECT x{}", ", yyyyyyyy".repeat(30));
        assert_eq!(error(&long, 8), format!("LINE 1: {}...\n               ^\n", &long[..60]));
        let cut = error(&long, 200);
        assert_eq!(cut, format!("LINE 1: ...{}...\n{}^\n", &long[149..209], " ".repeat(8 + 3 + 50)));
        let last = error(&long, long.len());
        assert_eq!(last, format!("LINE 1: ...{}\n{}^\n", &long[long.len() - 60..], " ".repeat(8 + 3 + 59)));
    }

    #[test]
    fn detail_and_hint_follow_and_nothing_reaches_the_terminal_as_a_command() {
        let error = StatementError::new("42000", "a\u{1b}[2J").detail("b").hint("c");
        assert_eq!(statement_error("x", &error.into()), "ERROR:  a\\u{1b}[2J\nDETAIL:  b\nHINT:  c\n");
        let other = statement_error("x", &QueryError::TimedOut);
        assert!(other.starts_with("ERROR:  the statement was cancelled") && other.lines().count() == 1, "{other}");
    }
}
