//! What is wrong with a statement, as PostgreSQL reports it.

use super::far_tables::is_named_far_away;
use super::names::{listed, nearest};
use super::position::{Near, What, has_keyword};
use super::refine::{alias_of, call_at};
use datafusion::sql::sqlparser::keywords::Keyword;
use holdfast_dialect::SqlError;

/// What is wrong with a statement, as PostgreSQL reports it: for people, so in no words of a library.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StatementError {
    /// The SQLSTATE: five characters.
    pub state: &'static str,
    /// What is wrong, on one line, in PostgreSQL's words where it has words.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// The place in the statement to which it points, in characters from 1.
    pub position: Option<usize>,
    pub(super) near: Option<Near>,
}

impl StatementError {
    /// An error that points to no place.
    pub fn new(state: &'static str, message: impl Into<String>) -> Self {
        Self { state, message: message.into(), detail: None, hint: None, position: None, near: None }
    }

    /// With what to do.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// With more about it.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    pub(super) fn near(self, what: What) -> Self {
        Self { near: Some(Near::new(what)), ..self }
    }

    /// With the place of what it points to, as the planner says it. An error that points to nothing has none.
    pub(super) fn at(mut self, line: u64, column: u64) -> Self {
        if let Some(near) = &mut self.near {
            near.at = Some((line, column));
        }
        self
    }

    /// With the nearest of `known` as a hint, if it is about a table that does not exist.
    pub(super) fn with_nearest_relation(self, known: impl FnOnce() -> Vec<String>) -> Self {
        let Some(Near { what: What::Relation(name), .. }) = &self.near else { return self };
        let known = known();
        // Of a name with a schema, the last part is the name.
        let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        let lasts: Vec<String> = known.iter().map(|name| last(name)).collect();
        let near = nearest(name, lasts.iter().map(String::as_str));
        let meant: Vec<&String> = known.iter().filter(|name| near.contains(&last(name).as_str())).take(2).collect();
        if meant.is_empty() { self } else { self.hint(format!("Perhaps you meant {}.", listed(&meant))) }
    }

    /// Whether the planner says where it is.
    pub(super) fn has_place(&self) -> bool {
        self.near.as_ref().is_some_and(|near| near.at.is_some())
    }

    /// With its position in `statement`, the text as it was sent.
    #[must_use]
    pub fn located(mut self, statement: &str) -> Self {
        self.position = self.near.as_ref().and_then(|near| near.position(statement));
        let is_unfinished = self.near.as_ref().is_some_and(|near| near.what == What::Rest);
        if let Some(position) = self.position.filter(|_| is_unfinished && !self.message.contains(AT_OR_NEAR)) {
            let rest: String = statement.chars().skip(position - 1).collect();
            self.message = format!("{}{AT_OR_NEAR}\"{}\"", self.message, rest.trim_end());
        }
        if self.message.starts_with(WHERE_ARGUMENT) {
            self.message = self.message.replacen("WHERE", clause_of_conditions(statement), 1);
        }
        self.refined(statement)
    }

    /// With what the statement says about a call without types, and about a table that has an alias.
    fn refined(mut self, statement: &str) -> Self {
        match self.near.as_ref().map(|near| &near.what) {
            Some(What::Function(name)) if self.message == format!("function {name} does not exist") => {
                if let Some(call) = self.position.and_then(|position| call_at(statement, position, name)) {
                    self.message = format!("function {call} does not exist");
                }
            }
            Some(What::Qualifier(name)) if self.message.starts_with("missing FROM-clause") => {
                if is_named_far_away(statement, name) {
                    self.state = "0A000";
                    self.message = format!("a column of \"{name}\" in a subquery of a subquery is not supported");
                    self.hint =
                        Some(format!("Join \"{name}\" in the subquery, or name its column one level further out."));
                } else if let Some(alias) = alias_of(statement, name) {
                    self.message = format!("invalid reference to FROM-clause entry for table \"{name}\"");
                    self.hint = Some(format!("Perhaps you meant to reference the table alias \"{alias}\"."));
                }
            }
            _ => {}
        }
        self
    }

    /// With its position in a text of several statements, of which `statement` begins after `before` characters.
    #[must_use]
    pub fn located_after(self, before: usize, statement: &str) -> Self {
        let located = self.located(statement);
        Self { position: located.position.map(|position| before + position), ..located }
    }
}

impl From<&SqlError> for StatementError {
    fn from(error: &SqlError) -> Self {
        let SqlError { state, message, detail, hint, near } = error.clone();
        let near = near.map(|word| Near::new(What::Word(word)));
        Self { state, message, detail, hint, position: None, near }
    }
}

/// Before the text to which an error of the syntax points.
const AT_OR_NEAR: &str = " at or near ";

/// The beginning of the message about a condition that is no boolean.
pub(super) const WHERE_ARGUMENT: &str = "argument of WHERE";

/// The clause with the condition: the engine does not say which one it is.
fn clause_of_conditions(statement: &str) -> &'static str {
    let has = |keyword| has_keyword(statement, keyword);
    match (has(Keyword::WHERE), has(Keyword::HAVING), has(Keyword::JOIN)) {
        (false, true, false) => "HAVING",
        (false, false, true) => "JOIN/ON",
        _ => "WHERE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters_before_the_statement() {
        let error = StatementError::new("42703", "x").near(What::Column { table: None, name: "agnt".into() });
        assert_eq!(error.position, None);
        let located = error.located_after(10, "SELECT agnt");
        assert_eq!(located.position, Some(18));
        assert_eq!(located.located("SELECT 1").position, None);
    }

    #[test]
    fn a_condition_is_of_the_only_clause_that_has_one() {
        let message =
            |statement| StatementError::new("42804", "argument of WHERE must be x").located(statement).message;
        assert_eq!(message("SELECT 1 WHERE 1"), "argument of WHERE must be x");
        assert_eq!(message("SELECT 1 HAVING 'WHERE'"), "argument of HAVING must be x");
        assert_eq!(message("SELECT 1 FROM a JOIN b ON 1"), "argument of JOIN/ON must be x");
        assert_eq!(message("SELECT 1 FROM a JOIN b ON 1 HAVING 1"), "argument of WHERE must be x");
    }
}
