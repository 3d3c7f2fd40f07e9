//! Differences from PostgreSQL that are meant to be there. Each corresponds to a sentence of docs/postgres.md.

use super::client::{Answer, Row};
use super::compare::Aspect;
use super::statement::Statement;

/// A difference that is meant to be there.
pub struct Deliberate {
    /// A part of the sentence in docs/postgres.md.
    pub says: &'static str,
    /// Why.
    pub reason: &'static str,
    applies: fn(&Found<'_>) -> bool,
}

/// A difference that was found.
#[derive(Debug)]
pub struct Found<'f> {
    /// What differs.
    pub aspect: &'f Aspect,
    /// The statement, as small as it could be made.
    pub statement: &'f Statement,
    /// PostgreSQL's answer.
    pub theirs: &'f Answer,
    /// Holdfast's answer.
    pub ours: &'f Answer,
}

impl Found<'_> {
    fn mentions(&self, words: &[&str]) -> bool {
        let text = self.statement.sql.to_lowercase();
        words.iter().any(|word| text.contains(word))
    }

    /// Whether the answers are the same but for zeros at the end of numbers.
    fn is_of_zeros(&self) -> bool {
        let (Answer::Rows { rows: theirs, .. }, Answer::Rows { rows: ours, .. }) = (self.theirs, self.ours) else {
            return false;
        };
        let shortened = |rows: &[Row]| {
            let cell = |cell: &Option<String>| cell.as_deref().map(|text| shortened(text).to_owned());
            let mut rows: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
            rows.sort();
            rows
        };
        shortened(theirs) == shortened(ours)
    }
}

/// A number without the zeros at its end.
fn shortened(text: &str) -> &str {
    let is_number = text.contains('.') && text.chars().all(|of| of.is_ascii_digit() || matches!(of, '.' | '-'));
    if is_number { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

const ALL: [Deliberate; 2] = [
    Deliberate {
        says: "without its zeros at the end",
        reason: "the digits that a quotient, a root, a logarithm or a power shows are not kept with it",
        applies: |found| matches!(found.aspect, Aspect::Values) && found.mentions(&["text"]) && found.is_of_zeros(),
    },
    Deliberate {
        says: "Keys, constraints, comments and triggers do not exist",
        reason: "there is nothing that they could describe",
        applies: |found| {
            matches!(found.aspect, Aspect::Values | Aspect::Count)
                && found.mentions(&[
                    "pg_constraint",
                    "pg_trigger",
                    "pg_description",
                    "table_constraints",
                    "key_column_usage",
                ])
        },
    },
];

/// The deliberate difference that this is, if it is one.
#[must_use]
pub(super) fn deliberate(found: &Found<'_>) -> Option<&'static Deliberate> {
    ALL.iter().find(|deliberate| (deliberate.applies)(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_each() {
        let path = crate::tools::workspace().join("docs/postgres.md");
        let text = std::fs::read_to_string(path).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        for deliberate in &ALL {
            assert!(text.contains(deliberate.says), "docs/postgres.md does not say: {}", deliberate.says);
        }
    }
}
