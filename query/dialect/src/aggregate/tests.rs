//! The answers of PostgreSQL, also over groups, partitions and plans of several steps.

use crate::testing::{self, context, rows, state_of};
use std::sync::Arc;

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

#[test]
fn no_function_of_the_engine_comes_back() {
    let state = context().state();
    let aggregates = state.aggregate_functions();
    for (name, function) in aggregates {
        assert!(Arc::ptr_eq(function, &aggregates[function.name()]), "{name} is another {}", function.name());
    }
    let windows = state.window_functions();
    for (name, function) in windows {
        assert!(Arc::ptr_eq(function, &windows[function.name()]), "{name} is another {}", function.name());
    }
    let scalars = state.scalar_functions();
    for (name, function) in scalars {
        assert!(Arc::ptr_eq(function, &scalars[function.name()]), "{name} is another {}", function.name());
    }
    for name in
        ["stddev_samp", "stddev_pop", "var_samp", "var_pop", "variance", "stddev", "every", "bool_or", "covar_samp"]
    {
        assert!(aggregates.contains_key(name), "{name}");
    }
}

#[test]
fn percentiles_are_of_all_partitions() {
    let context = context();
    let of = "(SELECT x FROM (VALUES (1.5::float8)) a(x) WHERE x > random() + 9 UNION ALL SELECT y FROM (VALUES (2.5::float8), (3.5)) b(y)) t";
    for (aggregate, shown) in [
        ("percentile_cont(0.5) WITHIN GROUP (ORDER BY x)", "3"),
        ("percentile_cont('0.5'::float8) WITHIN GROUP (ORDER BY x DESC)", "3"),
        ("percentile_cont(ARRAY[0.5, 1]) WITHIN GROUP (ORDER BY x)", "{3,3.5}"),
        ("percentile_disc(0.5) WITHIN GROUP (ORDER BY x)", "2.5"),
        ("mode() WITHIN GROUP (ORDER BY x)", "2.5"),
    ] {
        let sql = format!("SELECT ({aggregate})::text FROM {of}");
        let got = rows(&context, &sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(got[0][0].as_deref(), Some(shown), "{sql}");
    }
}
