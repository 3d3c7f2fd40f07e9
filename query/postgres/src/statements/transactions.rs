//! Commands of transactions, in all forms that PostgreSQL reads. The parser lacks some: `DEFERRABLE`, and `ABORT`.
//!
//! ```text
//! tokens ─▶ statements ─┬─ of transactions ─▶ Command; COMMIT in its place, so that the others keep their numbers
//!                       └─ others ─▶ as they are, for the parser
//! ```

use super::command::Command;
use crate::variables::TransactionModes;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};
use std::collections::BTreeMap;

/// Takes the commands of transactions out of `tokens`, with the numbers of their statements, which count from 0 and leave out
/// the empty ones.
pub(super) fn take(tokens: Vec<TokenWithSpan>) -> (Vec<TokenWithSpan>, BTreeMap<usize, Command>) {
    let mut commands = BTreeMap::new();
    let mut left = Vec::with_capacity(tokens.len());
    let mut number = 0;
    for statement in tokens.split_inclusive(|token| token.token == Token::SemiColon) {
        let words: Vec<&Token> = statement
            .iter()
            .map(|token| &token.token)
            .filter(|token| !matches!(token, Token::Whitespace(_) | Token::SemiColon | Token::EOF))
            .collect();
        let is_empty = words.is_empty();
        match Words(&words).command() {
            Some(command) => {
                commands.insert(number, command);
                left.push(TokenWithSpan::wrap(Token::make_keyword("COMMIT")));
                left.extend(
                    statement.iter().filter(|token| matches!(token.token, Token::SemiColon | Token::EOF)).cloned(),
                );
            }
            None => left.extend_from_slice(statement),
        }
        number += usize::from(!is_empty);
    }
    (left, commands)
}

/// The tokens of a statement without spaces.
#[derive(Clone, Copy)]
struct Words<'t>(&'t [&'t Token]);

impl Words<'_> {
    fn command(mut self) -> Option<Command> {
        if self.take("begin") {
            let _ = self.take("work") || self.take("transaction");
            return self.modes(false).map(Command::Begin);
        }
        if self.take("start") {
            return if self.take("transaction") { self.modes(false).map(Command::Begin) } else { None };
        }
        if self.take("commit") || self.take("end") {
            return self.chain().map(|is_chained| Command::Commit { is_chained });
        }
        if self.take("abort") || self.take("rollback") {
            return self.chain().map(|is_chained| Command::Rollback { is_chained });
        }
        if self.take("set") {
            if self.take_all(&["session", "characteristics", "as", "transaction"]) {
                return self.modes(true).map(|modes| Command::SetTransaction { modes, of_session: true });
            }
            let _ = self.take("local");
            if self.take("transaction") {
                return self.modes(true).map(|modes| Command::SetTransaction { modes, of_session: false });
            }
        }
        None
    }

    /// The next word, if it is `word`.
    fn take(&mut self, word: &str) -> bool {
        match self.0.split_first() {
            Some((Token::Word(Word { value, quote_style: None, .. }), rest)) if value.eq_ignore_ascii_case(word) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn take_all(&mut self, words: &[&str]) -> bool {
        let before = *self;
        let are_all = words.iter().all(|word| self.take(word));
        if !are_all {
            *self = before;
        }
        are_all
    }

    /// All that is left, as modes. `None` if it is something else.
    fn modes(mut self, needs_one: bool) -> Option<TransactionModes> {
        let mut modes = TransactionModes::default();
        let mut is_any = false;
        while !self.0.is_empty() {
            if is_any && self.0.first() == Some(&&Token::Comma) {
                self.0 = &self.0[1..];
            }
            is_any = true;
            if self.take_all(&["isolation", "level"]) {
                let levels: [(&[&str], &'static str); 4] = [
                    (&["read", "uncommitted"], "read uncommitted"),
                    (&["read", "committed"], "read committed"),
                    (&["repeatable", "read"], "repeatable read"),
                    (&["serializable"], "serializable"),
                ];
                let level = levels.into_iter().find(|(words, _)| self.take_all(words));
                modes.isolation = Some(level?.1);
            } else if self.take_all(&["read", "only"]) {
                modes.is_read_only = Some(true);
            } else if self.take_all(&["read", "write"]) {
                modes.is_read_only = Some(false);
            } else if self.take_all(&["not", "deferrable"]) {
                modes.is_deferrable = Some(false);
            } else if self.take("deferrable") {
                modes.is_deferrable = Some(true);
            } else {
                return None;
            }
        }
        (is_any || !needs_one).then_some(modes)
    }

    /// Whether a transaction follows at once. `None` if the rest is something else, such as the name of a savepoint.
    fn chain(mut self) -> Option<bool> {
        let _ = self.take("work") || self.take("transaction");
        let is_chained = self.take_all(&["and", "chain"]);
        if !is_chained {
            let _ = self.take_all(&["and", "no", "chain"]);
        }
        self.0.is_empty().then_some(is_chained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    fn taken(text: &str) -> BTreeMap<usize, Command> {
        take(Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().unwrap()).1
    }

    fn one(text: &str) -> Option<Command> {
        taken(text).remove(&0)
    }

    #[test]
    fn all_forms_of_beginning_and_ending_are_read() {
        let modes = |isolation, is_read_only, is_deferrable| {
            Some(Command::Begin(TransactionModes { isolation, is_read_only, is_deferrable }))
        };
        for (text, expected) in [
            ("begin", modes(None, None, None)),
            ("BEGIN WORK", modes(None, None, None)),
            ("begin transaction read only deferrable", modes(None, Some(true), Some(true))),
            ("begin read write", modes(None, Some(false), None)),
            (
                "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, NOT DEFERRABLE",
                modes(Some("serializable"), Some(true), Some(false)),
            ),
            (
                "start transaction isolation level repeatable read read only;",
                modes(Some("repeatable read"), Some(true), None),
            ),
            ("begin isolation level", None),
            ("begin nonsense", None),
            ("start", None),
            ("commit", Some(Command::Commit { is_chained: false })),
            ("end transaction", Some(Command::Commit { is_chained: false })),
            ("commit and chain", Some(Command::Commit { is_chained: true })),
            ("commit and no chain", Some(Command::Commit { is_chained: false })),
            ("abort", Some(Command::Rollback { is_chained: false })),
            ("ABORT WORK", Some(Command::Rollback { is_chained: false })),
            ("rollback to savepoint a", None),
            ("select 1", None),
            ("\"begin\"", None),
        ] {
            assert_eq!(one(text), expected, "{text}");
        }
    }

    #[test]
    fn modes_are_set_for_the_transaction_or_the_session() {
        let read_only = TransactionModes { is_read_only: Some(true), ..TransactionModes::default() };
        let set = |text| one(text).unwrap();
        let session = set("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
        assert_eq!(session, Command::SetTransaction { modes: read_only, of_session: true });
        assert_eq!(set("set transaction read only"), Command::SetTransaction { modes: read_only, of_session: false });
        for text in ["set transaction", "set transaction snapshot 'x'", "set session characteristics", "set a = 1"] {
            assert_eq!(one(text), None, "{text}");
        }
    }

    #[test]
    fn statements_keep_their_numbers() {
        let numbers: Vec<usize> =
            taken(";; select 1; begin read only deferrable; select ';'; commit ;").into_keys().collect();
        assert_eq!(numbers, [1, 3]);
    }
}
