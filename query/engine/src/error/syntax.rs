//! Errors of the parser, as PostgreSQL says them. Pure.

use super::names::{listed, nearest};
use super::position::What;
use super::statement::StatementError;
use super::wording::plain;
use datafusion::sql::sqlparser::parser::ParserError;

/// The words with which people begin statements, and the clauses of queries.
const KEYWORDS: [&str; 34] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "JOIN",
    "INNER",
    "LEFT",
    "RIGHT",
    "FULL",
    "CROSS",
    "NATURAL",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "WITH",
    "VALUES",
    "DISTINCT",
    "BETWEEN",
    "INTERVAL",
    "EXPLAIN",
    "ANALYZE",
    "SHOW",
    "DESCRIBE",
    "WINDOW",
    "PARTITION",
    "FILTER",
    "DECLARE",
    "FETCH",
    "BEGIN",
    "COMMIT",
];

impl StatementError {
    /// The error of a text that is no statement, with its position.
    pub fn of_syntax(error: &ParserError, text: &str) -> Self {
        syntax(error).located(text)
    }
}

/// The error of a text that is no statement. The parser's place is in its message.
pub(super) fn syntax(error: &ParserError) -> StatementError {
    let (text, is_of_tokens) = match error {
        ParserError::ParserError(text) => (text.as_str(), false),
        ParserError::TokenizerError(text) => (text.as_str(), true),
        ParserError::RecursionLimitExceeded => {
            return StatementError::new("54001", "the statement is nested too deeply");
        }
    };
    let (text, place) = split_place(text);
    let error = if is_of_tokens { unfinished(text) } else { unexpected(text, place.is_some()) };
    match place {
        Some((line, column)) => error.at(line, column),
        None => error,
    }
}

/// A message of the parser, and the line and column that stand at its end.
fn split_place(text: &str) -> (&str, Option<(u64, u64)>) {
    let place = || {
        let (message, place) = text.rsplit_once(" at Line: ")?;
        let (line, column) = place.split_once(", Column: ")?;
        let digits = column.find(|c: char| !c.is_ascii_digit()).unwrap_or(column.len());
        Some((message, (line.parse().ok()?, column[..digits].parse().ok()?)))
    };
    match place() {
        Some((message, place)) => (message, Some(place)),
        None => (text, None),
    }
}

/// A quotation or comment that does not end, or a character that no token begins with.
fn unfinished(text: &str) -> StatementError {
    let message = match text {
        "Unterminated string literal" | "Unterminated encoded string literal" => "unterminated quoted string",
        _ if text.starts_with("Unterminated dollar-quoted") => "unterminated dollar-quoted string",
        _ if text.starts_with("Expected close delimiter") => "unterminated quoted identifier",
        _ if text.contains("multi-line comment") => "unterminated /* comment",
        _ => "syntax error",
    };
    StatementError::new("42601", message).near(What::Rest)
}

fn unexpected(text: &str, is_placed: bool) -> StatementError {
    let Some((_, found)) = text.split_once("found: ") else {
        let why = plain(text).filter(|why| !why.is_empty());
        let message = why.map_or("syntax error".to_owned(), |why| format!("syntax error: {why}"));
        return StatementError::new("42601", message).near(What::Anything);
    };
    if found.starts_with("EOF") && !is_placed {
        return StatementError::new("42601", "syntax error at end of input").near(What::End);
    }
    let error = StatementError::new("42601", format!("syntax error at or near \"{found}\"")).near(What::Anything);
    let is_keyword = KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(found));
    let meant = if is_keyword || found.len() < 4 { Vec::new() } else { nearest(found, KEYWORDS) };
    if meant.is_empty() { error } else { error.hint(format!("Perhaps you meant {}.", listed(&meant))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    fn error(statement: &str) -> StatementError {
        syntax(&Parser::parse_sql(&PostgreSqlDialect {}, statement).unwrap_err()).located(statement)
    }

    #[test]
    fn syntax_errors_name_the_word_and_its_place() {
        for (statement, message, position, hint) in [
            ("selct 1", "syntax error at or near \"selct\"", Some(1), Some("Perhaps you meant \"SELECT\".")),
            ("select 1 +", "syntax error at end of input", Some(11), None),
            ("select 1 + ;", "syntax error at or near \";\"", Some(12), None),
            ("select (1", "syntax error at end of input", Some(10), None),
            ("select\n\t'ä' c d", "syntax error at or near \"d\"", Some(15), None),
            ("select 'abc", "unterminated quoted string at or near \"'abc\"", Some(8), None),
            ("select \"abc", "unterminated quoted identifier at or near \"\"abc\"", Some(8), None),
            ("select /* 1", "unterminated /* comment", None, None),
            ("select $$ 1", "unterminated dollar-quoted string", None, None),
        ] {
            let error = error(statement);
            assert!(error.state == "42601" && error.message.starts_with(message), "{statement}: {error:?}");
            assert_eq!(error.hint.as_deref(), hint, "{statement}");
            if position.is_some() {
                assert_eq!(error.position, position, "{statement}");
            }
        }
    }

    #[test]
    fn all_errors_of_the_parser_are_in_plain_words() {
        for error in [
            ParserError::ParserError("Cannot specify both CASCADE and RESTRICT in DROP at Line: 1, Column: 9".into()),
            ParserError::ParserError("expected ParserState { x: Some(1) }".into()),
            ParserError::ParserError(String::new()),
            ParserError::TokenizerError("Expected a valid binary operator after '|' at Line: 1, Column: 3".into()),
            ParserError::RecursionLimitExceeded,
        ] {
            let found = syntax(&error);
            super::super::wording::assert_plain(&found.message);
            assert!(found.state == "42601" || error == ParserError::RecursionLimitExceeded);
        }
    }
}
