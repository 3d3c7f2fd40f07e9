//! The answers of PostgreSQL, also over groups, partitions and plans of several steps.

use crate::testing::{self, context, rows, state_of};

#[test]
fn the_answers_are_postgresqls() {
    testing::compare(include_str!("answers.tsv"));
}

#[test]
fn sums_beside_distinct_keep_their_types() {
    let context = context();
    let sql = "SELECT pg_typeof(sum(x))::text, sum(x)::text, count(DISTINCT y)::text, pg_typeof(sum(DISTINCT y))::text \
               FROM (VALUES (1, 7), (2, 7), (3, 8)) t(x, y)";
    let got = rows(&context, sql).unwrap();
    let texts: Vec<&str> = got[0].iter().map(|value| value.as_deref().unwrap()).collect();
    assert_eq!(texts, ["bigint", "6", "2", "bigint"]);
}

#[test]
fn sums_of_many_rows_and_groups_are_exact() {
    let context = context();
    // 1 + 2 + ... + 100000, in 1000 groups.
    let sql = "SELECT sum(s)::text, sum(n)::text, (sum(s) / sum(n))::text FROM \
               (SELECT g % 1000, sum(g) s, count(*) n FROM generate_series(1, 100000) t(g) GROUP BY 1) q";
    let got = rows(&context, sql).unwrap();
    assert_eq!(got[0][0].as_deref(), Some("5000050000"));
    assert_eq!(got[0][1].as_deref(), Some("100000"));
    assert_eq!(got[0][2].as_deref(), Some("50000.5"));
}

#[test]
fn a_sum_that_does_not_fit_is_an_error() {
    let context = context();
    let sql = "SELECT sum(x) FROM (VALUES ('1e308'::float8), ('1e308'::float8)) t(x)";
    assert_eq!(state_of(&rows(&context, sql).expect_err(sql)), "22003");
}
