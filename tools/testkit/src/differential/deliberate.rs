//! Differences from PostgreSQL that are meant to be there. Each corresponds to a sentence of docs/postgres.md.

use super::client::Answer;
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
}

const ALL: [Deliberate; 1] = [Deliberate {
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
}];

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
