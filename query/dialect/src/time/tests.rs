//! Compares with what PostgreSQL answers.

use crate::testing;

#[test]
fn the_answers_are_postgresqls() {
    testing::compare(include_str!("answers.tsv"));
}
