//! Where a statement is in the text that a client sent, so that errors point into that text. Pure.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};
use holdfast_query::QueryError;
use std::sync::Arc;

/// A statement in the text that a client sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The characters before it.
    before: usize,
    /// Its text, if another one is run.
    text: Option<Arc<str>>,
}

impl Sent {
    /// The only statement of `text`, which is run as it is, without the space around it.
    pub(super) fn unchanged(text: &str) -> Self {
        Self { before: text.chars().take_while(|c| c.is_whitespace()).count(), text: None }
    }

    /// A statement for which another text is run: the one at `index` of the `count` statements of `text`.
    pub(super) fn rewritten(text: &str, index: usize, count: usize) -> Self {
        let parts = parts(text);
        match parts.as_deref().filter(|parts| parts.len() == count).and_then(|parts| parts.get(index)) {
            Some((before, part)) => Self { before: *before, text: Some(Arc::from(*part)) },
            None => Self { before: 0, text: Some(Arc::from(text)) },
        }
    }

    /// An error of the statement that is run, with its position in what the client sent.
    pub(crate) fn locate(&self, error: QueryError) -> QueryError {
        match &self.text {
            Some(text) => error.located_after(self.before, text),
            None => error.moved(self.before),
        }
    }

    /// The bytes of the text that is kept.
    pub(crate) fn bytes(&self) -> usize {
        self.text.as_ref().map_or(0, |text| text.len())
    }
}

/// The statements of a text, each with the characters before it. `None` if the text has no tokens.
fn parts(text: &str) -> Option<Vec<(usize, &str)>> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().ok()?;
    let mut characters = text.char_indices();
    let (mut place, mut passed) = (Location { line: 1, column: 1 }, 0);
    let (mut parts, mut start, mut is_empty) = (Vec::new(), (0, 0), true);
    for token in tokens {
        match token.token {
            Token::SemiColon => {
                let mut end = text.len();
                while (place.line, place.column) <= (token.span.start.line, token.span.start.column) {
                    let Some((at, character)) = characters.next() else { break };
                    (end, passed) = (at, passed + 1);
                    place = match character {
                        '\n' => Location { line: place.line + 1, column: 1 },
                        _ => Location { line: place.line, column: place.column + 1 },
                    };
                }
                if !is_empty {
                    parts.push((start.0, text.get(start.1..end)?));
                }
                (start, is_empty) = ((passed, end + 1), true);
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => is_empty = false,
        }
    }
    if !is_empty {
        parts.push((start.0, text.get(start.1..)?));
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_text_are_its_statements() {
        assert_eq!(
            parts("select 'ä;'; ;\n select 2; -- ;\nselect 3"),
            Some(vec![(0, "select 'ä;'"), (14, "\n select 2"), (25, " -- ;\nselect 3")])
        );
        assert_eq!(parts(" ; "), Some(Vec::new()));
        assert_eq!(parts("select 'a"), None);
    }

    #[test]
    fn a_statement_knows_its_place() {
        assert_eq!(Sent::unchanged("\n ä").before, 2);
        let text = "select 1; select 2";
        assert_eq!(Sent::rewritten(text, 1, 2), Sent { before: 9, text: Some(" select 2".into()) });
        assert_eq!(Sent::rewritten(text, 0, 3), Sent { before: 0, text: Some(text.into()) });
    }
}
