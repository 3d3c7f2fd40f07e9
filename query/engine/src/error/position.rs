//! Where in a statement an error is. Pure: from the text as it was sent and its tokens.
//!
//! What the planner says about places refers to the statement that it plans, which may not be the one that was sent. So a
//! place counts only if the word is there in the text, and otherwise the word is searched for. A word that occurs twice
//! has no position: a caret at the wrong place is worse than none.

use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Word};

/// What an error points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Near {
    pub(super) what: What,
    /// The line and the column of it in the statement that was parsed, from 1.
    pub(super) at: Option<(u64, u64)>,
}

/// What stands at the place of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// Whatever is there.
    Anything,
    /// All that follows: what begins there does not end.
    Rest,
    /// The end of the text.
    End,
    /// A column, perhaps with its table.
    Column { table: Option<String>, name: String },
    /// A table or a view, by the last part of its name.
    Relation(String),
    /// A table by which columns are named.
    Qualifier(String),
    /// A call of a function.
    Function(String),
    /// An operator.
    Operator(String),
    /// A constant with this value.
    Constant(String),
    /// A word, however it is written.
    Word(String),
}

impl Near {
    pub(super) fn new(what: What) -> Self {
        Self { what, at: None }
    }

    /// The place in `statement`, in characters from 1.
    pub(super) fn position(&self, statement: &str) -> Option<usize> {
        if self.what == What::End {
            return Some(statement.trim_end().chars().count() + 1);
        }
        let at = self.at.and_then(|(line, column)| character(statement, line, column));
        if matches!(self.what, What::Anything | What::Rest) {
            return at;
        }
        let tokens = tokens(statement)?;
        let places = || (0..tokens.len()).filter(|index| self.what.is_at(&tokens, *index));
        let position = |index: usize| tokens[index].position;
        if let Some(at) = at
            && let Some(there) = places().find(|index| self.what.starts_at(&tokens, *index, at))
        {
            return Some(position(self.what.beginning(&tokens, there)));
        }
        let mut found = places().map(|index| position(self.what.beginning(&tokens, index)));
        match (found.next(), found.next()) {
            (Some(only), None) => Some(only),
            (None, _) => self.what.within(statement),
            _ => None,
        }
    }
}

impl What {
    /// Whether the token at `index` is the last of what this is.
    pub(super) fn is_at(&self, tokens: &[Placed], index: usize) -> bool {
        let token = |index: Option<usize>| index.and_then(|index| tokens.get(index)).map(|placed| &placed.token);
        let here = &tokens[index].token;
        let (before, after) = (token(index.checked_sub(1)), token(Some(index + 1)));
        let qualifier = || match before {
            Some(Token::Period) => token(index.checked_sub(2)),
            _ => None,
        };
        match self {
            Self::Anything | Self::Rest | Self::End => false,
            Self::Column { table, name } => {
                let is_defined = matches!(before, Some(Token::Word(word)) if word.keyword == Keyword::AS);
                is_name(here, name)
                    && !matches!(after, Some(Token::Period | Token::LParen))
                    && !is_defined
                    && match (table, qualifier()) {
                        (Some(table), Some(found)) => is_name(found, table),
                        (None, None) => true,
                        _ => false,
                    }
            }
            Self::Relation(name) => {
                let follows = |token: &Token| match token {
                    Token::Word(word) => matches!(word.keyword, Keyword::FROM | Keyword::JOIN | Keyword::TABLE),
                    Token::Comma | Token::LParen | Token::Period => true,
                    _ => false,
                };
                is_name(here, name)
                    && before.is_some_and(follows)
                    && !matches!(after, Some(Token::Period | Token::LParen))
            }
            Self::Qualifier(name) => is_name(here, name) && matches!(after, Some(Token::Period)),
            Self::Function(name) => is_name(here, name) && matches!(after, Some(Token::LParen)),
            Self::Operator(operator) => match here {
                Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(operator),
                other => other.to_string() == *operator,
            },
            Self::Constant(value) => match here {
                Token::SingleQuotedString(found) | Token::EscapedStringLiteral(found) | Token::Number(found, _) => {
                    found == value
                }
                _ => false,
            },
            Self::Word(word) => {
                let written = here.to_string();
                let unquoted = match here {
                    Token::SingleQuotedString(value) | Token::EscapedStringLiteral(value) => value == word,
                    _ => is_name(here, word),
                };
                unquoted || written.eq_ignore_ascii_case(word)
            }
        }
    }

    /// Whether what ends at `index` begins at the character `at`, or its last word does.
    fn starts_at(&self, tokens: &[Placed], index: usize, at: usize) -> bool {
        tokens[index].position == at || tokens[self.beginning(tokens, index)].position == at
    }

    /// The first token of what ends at `index`: that of the qualifiers of a name.
    fn beginning(&self, tokens: &[Placed], index: usize) -> usize {
        let mut first = index;
        if !matches!(self, Self::Operator(_) | Self::Constant(_)) {
            while first >= 2
                && matches!(tokens[first - 1].token, Token::Period)
                && matches!(tokens[first - 2].token, Token::Word(_))
            {
                first -= 2;
            }
        }
        first
    }

    /// The place of words that are several tokens, if they occur once.
    fn within(&self, statement: &str) -> Option<usize> {
        let Self::Word(words) = self else { return None };
        if words.trim().is_empty() {
            return None;
        }
        let mut places = statement.match_indices(words.as_str()).map(|(at, _)| at);
        match (places.next(), places.next()) {
            (Some(at), None) => Some(statement[..at].chars().count() + 1),
            _ => None,
        }
    }
}

/// A token of a statement, and its position in characters from 1.
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) position: usize,
}

/// The tokens of a statement without spaces and comments. `None` if it has none, as an unfinished quotation.
pub(super) fn tokens(statement: &str) -> Option<Vec<Placed>> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, statement).tokenize_with_location().ok()?;
    let mut positions = Positions::new(statement);
    let placed = tokens.into_iter().filter_map(|TokenWithSpan { token, span }| match token {
        Token::Whitespace(_) | Token::EOF => None,
        token => Some(Placed { token, position: positions.of(span.start)? }),
    });
    Some(placed.collect())
}

/// The positions of places in a text, which are asked for in their order.
pub(crate) struct Positions<'s> {
    rest: std::str::Chars<'s>,
    position: usize,
    line: u64,
    column: u64,
}

impl<'s> Positions<'s> {
    pub(crate) fn new(text: &'s str) -> Self {
        Self { rest: text.chars(), position: 1, line: 1, column: 1 }
    }

    /// The position of a place that is not before the last one.
    fn of(&mut self, Location { line, column }: Location) -> Option<usize> {
        while (self.line, self.column) < (line, column) {
            let passed = self.rest.next()?;
            self.position += 1;
            if passed == '\n' {
                (self.line, self.column) = (self.line + 1, 1);
            } else {
                self.column += 1;
            }
        }
        ((self.line, self.column) == (line, column)).then_some(self.position)
    }

    /// The text from a place that is not before the last one.
    pub(crate) fn rest(&mut self, place: Location) -> Option<&'s str> {
        self.of(place)?;
        Some(self.rest.as_str())
    }
}

/// The position of a line and column in a text.
fn character(text: &str, line: u64, column: u64) -> Option<usize> {
    Positions::new(text).of(Location { line, column }).filter(|position| *position <= text.chars().count())
}

/// Whether a token is this name, by PostgreSQL's folding of cases.
fn is_name(token: &Token, name: &str) -> bool {
    match token {
        Token::Word(Word { value, quote_style: None, .. }) => value.to_lowercase() == name.to_lowercase(),
        Token::Word(Word { value, .. }) => value == name,
        _ => false,
    }
}

/// Whether a keyword occurs in a statement outside of quotations and comments.
pub(super) fn has_keyword(statement: &str, keyword: Keyword) -> bool {
    tokens(statement).is_some_and(|tokens| {
        tokens.iter().any(|placed| matches!(&placed.token, Token::Word(word) if word.keyword == keyword))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(what: What, statement: &str) -> Option<usize> {
        Near::new(what).position(statement)
    }

    fn column(table: Option<&str>, name: &str) -> What {
        What::Column { table: table.map(str::to_owned), name: name.to_owned() }
    }

    #[test]
    fn a_name_that_occurs_once_is_found() {
        for (what, statement, position) in [
            (column(None, "agnt"), "SELECT agnt FROM sessions", Some(8)),
            (column(None, "agnt"), "SELECT 'agnt', AGNT -- agnt\nFROM sessions", Some(16)),
            (column(None, "agnt"), "SELECT agnt FROM sessions WHERE agnt = 'x'", None),
            (column(None, "agnt"), "SELECT agnt() FROM sessions s WHERE s.agnt = 1", None),
            (column(None, "x"), "SELECT 1 AS x WHERE x = 1", Some(21)),
            (column(Some("s"), "agnt"), "SELECT agnt, s.agnt FROM sessions s", Some(14)),
            (column(None, "Größe"), "SELECT 'ä😀', \"Größe\" FROM t", Some(14)),
            (What::Relation("evnts".into()), "SELECT evnts.x FROM evnts", Some(21)),
            (What::Relation("evnts".into()), "SELECT 1 FROM archive . evnts", Some(15)),
            (What::Qualifier("t".into()), "SELECT t.a, t FROM x", Some(8)),
            (What::Function("foo".into()), "SELECT foo, foo(1)", Some(13)),
            (What::Operator("+".into()), "SELECT 'a+b' + 1", Some(14)),
            (What::Operator("LIKE".into()), "SELECT 1 like 2", Some(10)),
            (What::Constant("abc".into()), "SELECT abc, 'abc'", Some(13)),
            (What::Word("a b".into()), "SELECT  a b FROM t", Some(9)),
            (What::Word("FROM".into()), "SELECT 'FROM' from t", None),
            (What::End, "SELECT 1 +", Some(11)),
        ] {
            assert_eq!(find(what.clone(), statement), position, "{what:?} in {statement}");
        }
    }

    #[test]
    fn a_place_counts_if_the_word_is_there() {
        let twice = "SELECT agnt\nFROM sessions WHERE agnt = 'x'";
        let near = |at| Near { what: column(None, "agnt"), at: Some(at) };
        assert_eq!(near((1, 8)).position(twice), Some(8));
        assert_eq!(near((2, 21)).position(twice), Some(33));
        assert_eq!(near((2, 1)).position(twice), None);
        assert_eq!(near((9, 9)).position("SELECT agnt"), Some(8));
        let anything = |at| Near { what: What::Anything, at: Some(at) }.position(twice);
        assert_eq!(anything((2, 1)), Some(13));
        assert_eq!(anything((3, 1)), None);
        let qualified = Near { what: column(Some("s"), "a"), at: Some((1, 20)) };
        assert_eq!(qualified.position("SELECT s.a FROM x s, s.a"), None);
    }
}
