use crate::testing::compare;

#[test]
fn the_answers_are_postgresqls() {
    compare(include_str!("answers.tsv"));
}
