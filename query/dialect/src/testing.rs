//! What PostgreSQL answers, and what this dialect answers.
//!
//! A file `answers.tsv` has lines `expression⇥type⇥text`: the type as `pg_typeof` tells it, and the value cast to text, or
//! `error⇥SQLSTATE` for an expression that PostgreSQL refuses. `NULL` stands for NULL. Lines that begin with `#` are
//! remarks. The answers are those of PostgreSQL 15 with the time zone UTC.

use crate::SqlError;
use arrow_array::cast::AsArray;
use datafusion::common::DataFusionError;
use datafusion::common::config::Dialect;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

/// An engine with the dialect.
pub(crate) fn context() -> SessionContext {
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    let builder =
        SessionStateBuilder::new().with_config(config).with_expr_planners(crate::planners()).with_default_features();
    let mut state = crate::install(builder).build();
    crate::register(&mut state).unwrap();
    SessionContext::new_with_state(state)
}

/// The rows of a statement, as texts.
pub(crate) fn rows(context: &SessionContext, sql: &str) -> Result<Vec<Vec<Option<String>>>, DataFusionError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let state = context.state();
        let sql = crate::joined_constants(sql)?;
        let mut statement = state.sql_to_statement(&sql, &Dialect::PostgreSQL)?;
        crate::statement::rewrite(&mut statement)?;
        let plan = state.statement_to_plan(statement).await?;
        let batches = context.execute_logical_plan(plan).await?.collect().await?;
        let mut rows = Vec::new();
        for batch in batches {
            let columns: Vec<_> = batch
                .columns()
                .iter()
                .map(|column| arrow_cast::cast(column, &arrow_schema::DataType::Utf8))
                .collect::<Result<_, _>>()?;
            for row in 0..batch.num_rows() {
                let value = |column: &arrow_array::ArrayRef| {
                    let texts = column.as_string::<i32>();
                    arrow_array::Array::is_valid(texts, row).then(|| texts.value(row).to_owned())
                };
                rows.push(columns.iter().map(value).collect());
            }
        }
        Ok(rows)
    })
}

/// The SQLSTATE of an error of this dialect; others are `?????`.
pub(crate) fn state_of(error: &DataFusionError) -> String {
    if let DataFusionError::External(inner) = error.find_root()
        && let Some(error) = inner.downcast_ref::<SqlError>()
    {
        return error.state.to_owned();
    }
    if let DataFusionError::Collection(errors) = error.find_root()
        && let Some(first) = errors.first()
    {
        return state_of(first);
    }
    format!("????? {error}")
}

/// Compares the answers of a file `answers.tsv` with this dialect's.
pub(crate) fn compare(answers: &str) {
    let context = context();
    let mut wrong = Vec::new();
    let mut compared = 0;
    for line in answers.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        compared += 1;
        let [expression, data_type, text] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else {
            panic!("no line of three parts: {line}")
        };
        let sql = format!("SELECT pg_typeof({expression})::text, ({expression})::text");
        let got = match rows(&context, &sql) {
            Ok(rows) => {
                let value = |column: usize| rows[0][column].clone().unwrap_or_else(|| "NULL".to_owned());
                (value(0), value(1))
            }
            Err(error) => ("error".to_owned(), state_of(&error)),
        };
        if got != (data_type.to_owned(), text.to_owned()) {
            wrong
                .push(format!("{expression}\n    PostgreSQL: {data_type} {text}\n    here:       {} {}", got.0, got.1));
        }
    }
    assert!(compared > 0, "no answers to compare");
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn constants_and_names_are_postgresqls() {
    let context = context();
    for (sql, name) in [("SELECT 1", "?column?"), ("SELECT max(x) FROM (VALUES (1)) t(x)", "max")] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let state = context.state();
            let mut statement = state.sql_to_statement(sql, &Dialect::PostgreSQL).unwrap();
            crate::rewrite(&mut statement).unwrap();
            let plan = state.statement_to_plan(statement).await.unwrap();
            assert_eq!(plan.schema().field(0).name(), name);
        });
    }
    for (sql, text) in [
        ("SELECT pg_typeof(1)", "integer"),
        ("SELECT pg_typeof(3000000000)", "bigint"),
        ("SELECT pg_typeof(-2147483648)", "integer"),
        ("SELECT pg_typeof(-9223372036854775808)", "bigint"),
        ("SELECT pg_typeof(9223372036854775808)", "numeric"),
        ("SELECT pg_typeof(1.5)", "numeric"),
        ("SELECT pg_typeof(1e3)", "numeric"),
        ("SELECT 1e3", "1000"),
        ("SELECT pg_typeof('x')", "unknown"),
        ("SELECT pg_typeof('x'::text)", "text"),
        ("SELECT pg_typeof(x) FROM (VALUES (1)) t(x) ORDER BY 1 LIMIT 1", "integer"),
        ("SELECT count(*) FROM (SELECT 1, 1) t", "1"),
        ("SELECT (1, 2) < (1, 3)", "true"),
        ("SELECT count(*) FROM generate_series(1, 3) AS d WHERE d > 1", "2"),
        ("SELECT generate_series FROM generate_series(5, 5)", "5"),
        ("SELECT sum(x) OVER (ORDER BY x ROWS 1 PRECEDING) FROM (VALUES (4)) t(x) FETCH FIRST ROW ONLY", "4"),
    ] {
        let got = rows(&context, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(got[0][0].as_deref(), Some(text), "{sql}");
    }
}

#[test]
fn branches_have_their_common_type() {
    let context = context();
    for (sql, text) in [
        ("SELECT pg_typeof(CASE WHEN x THEN 1 ELSE 2.5 END) FROM (VALUES (true)) t(x)", "numeric"),
        ("SELECT (CASE WHEN x THEN 1 ELSE 2.5 END)::text FROM (VALUES (false)) t(x)", "2.5"),
        ("SELECT max(y)::text FROM (SELECT 1 AS y UNION SELECT 2.5) t", "2.5"),
        ("SELECT pg_typeof(coalesce(1.5, x)) FROM (VALUES (1::float8)) t(x)", "double precision"),
        ("SELECT pg_typeof(coalesce(now(), x)) FROM (VALUES (date '2026-01-01')) t(x)", "timestamp with time zone"),
        ("SELECT coalesce(x, 2.5)::text FROM (VALUES (NULL::int)) t(x)", "2.5"),
        ("SELECT pg_typeof(y) FROM (SELECT NULL AS y UNION ALL SELECT 1) t LIMIT 1", "integer"),
    ] {
        let got = rows(&context, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(got[0][0].as_deref(), Some(text), "{sql}");
    }
}

#[test]
fn subqueries_are_values() {
    let context = context();
    for (sql, text) in [
        ("SELECT EXISTS (SELECT 1 FROM (VALUES (1), (2)) t(x) WHERE x > 1)", "true"),
        ("SELECT EXISTS (SELECT 1 FROM (VALUES (1), (2)) t(x) WHERE x > 2 ORDER BY x LIMIT 1)", "false"),
        ("SELECT NOT EXISTS (SELECT x FROM (VALUES (1), (2)) t(x) WHERE x > 2)", "true"),
        ("SELECT EXISTS (SELECT 1)", "true"),
        ("SELECT EXISTS (SELECT count(*) FROM (VALUES (1)) t(x) WHERE x > 1)", "true"),
        ("SELECT EXISTS (SELECT x FROM (VALUES (1)) t(x) LIMIT 0)", "false"),
        ("SELECT EXISTS (SELECT x FROM (VALUES (1)) t(x) OFFSET 1)", "false"),
        ("SELECT EXISTS (SELECT 1 WHERE false UNION ALL SELECT 2)", "true"),
        ("SELECT EXISTS (WITH s AS (SELECT 1 AS x) SELECT x FROM s WHERE x > 1)", "false"),
        ("SELECT CASE WHEN EXISTS (SELECT 1 FROM (VALUES (1)) t(x)) THEN 'some' ELSE 'none' END", "some"),
        (
            "SELECT string_agg(y::text, ',') FROM (SELECT EXISTS (SELECT 1 FROM (VALUES (1), (2)) t(x) WHERE t.x = s.x) AS y \
             FROM (VALUES (1), (3), (NULL)) s(x)) q",
            "true,false,false",
        ),
        ("SELECT 1 IN (SELECT x FROM (VALUES (1), (2)) t(x))", "true"),
        ("SELECT 3 IN (SELECT x FROM (VALUES (1), (2)) t(x))", "false"),
        ("SELECT (3 IN (SELECT x FROM (VALUES (1), (NULL)) t(x))) IS NULL", "true"),
        ("SELECT (NULL::int IN (SELECT x FROM (VALUES (1)) t(x))) IS NULL", "true"),
        ("SELECT NULL::int IN (SELECT x FROM (VALUES (1)) t(x) WHERE x > 1)", "false"),
        ("SELECT 1 NOT IN (SELECT x FROM (VALUES (1), (2)) t(x))", "false"),
        ("SELECT (3 NOT IN (SELECT x FROM (VALUES (1), (NULL)) t(x))) IS NULL", "true"),
        ("SELECT 2 = ANY (SELECT x FROM (VALUES (1), (2)) t(x))", "true"),
        ("SELECT 2 <> ALL (SELECT x FROM (VALUES (1), (2)) t(x))", "false"),
        ("SELECT count(*) FROM (VALUES (1), (2), (3)) s(y) WHERE y >= ALL (SELECT x FROM (VALUES (1), (3)) t(x))", "1"),
        ("SELECT count(*) FROM (VALUES (1), (2), (3)) s(y) WHERE y > ANY (SELECT x FROM (VALUES (1), (2)) t(x))", "2"),
        (
            "SELECT count(*) FROM (VALUES (1), (2), (3)) s(y) WHERE y < ALL (SELECT x FROM (VALUES (1)) t(x) WHERE x > 1)",
            "3",
        ),
        (
            "SELECT count(*) FROM (VALUES (1), (2), (3)) s(y) WHERE y > ANY (SELECT x FROM (VALUES (1)) t(x) WHERE x > 1)",
            "0",
        ),
        ("SELECT count(*) FROM (VALUES (1), (2), (3)) s(y) WHERE y = ALL (SELECT x FROM (VALUES (3), (3)) t(x))", "1"),
        ("SELECT count(*) FROM (VALUES (1), (2), (3)) s(y) WHERE y <> ANY (SELECT x FROM (VALUES (3), (3)) t(x))", "2"),
        ("SELECT count(*) FROM (VALUES (1), (2), (3)) s(y) WHERE y <> ALL (SELECT x FROM (VALUES (3), (1)) t(x))", "1"),
        (
            "SELECT count(*) FROM (VALUES (1), (2), (3)) s(y) WHERE y > ALL (SELECT x FROM (VALUES (1), (NULL)) t(x))",
            "0",
        ),
        (
            "SELECT count(*) FROM (VALUES (1), (2), (3)) s(y) WHERE y = ANY (SELECT x FROM (VALUES (1), (NULL)) t(x))",
            "1",
        ),
        ("SELECT (5 > ALL (SELECT x FROM (VALUES (1), (NULL)) t(x))) IS NULL", "true"),
        (
            "SELECT count(*) FROM (VALUES (1, 'a'), (2, 'b'), (3, NULL)) t(x, y) WHERE (x, y) IN (SELECT x, y FROM (VALUES (2, 'b'), (1, 'b'), (3, NULL)) u(x, y))",
            "1",
        ),
        (
            "SELECT count(*) FROM (VALUES (1, 'a'), (2, 'b')) t(x, y) WHERE x > 0 AND ((x + 1, upper(y)) IN (SELECT u.x, 'A' FROM (VALUES (2), (3)) u(x)))",
            "1",
        ),
        ("SELECT 'b' IN (SELECT x FROM (VALUES ('a'), ('b')) t(x))", "true"),
        ("SELECT 1.5 IN (SELECT x FROM (VALUES (1.50)) t(x))", "true"),
        (
            "SELECT count(*) FROM (VALUES (1), (2)) s(x) WHERE EXISTS (SELECT 1 FROM (VALUES (2)) t(x) WHERE t.x = s.x)",
            "1",
        ),
    ] {
        let got = rows(&context, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(got[0][0].as_deref(), Some(text), "{sql}");
    }
}

#[test]
fn constants_of_limits_are_read_as_bigints() {
    let context = context();
    for (limit, count) in [
        ("LIMIT '2'", "2"),
        ("LIMIT 2.5", "3"),
        ("LIMIT 1e0", "1"),
        ("LIMIT NULL", "4"),
        ("OFFSET ' 1 '", "3"),
        ("LIMIT ALL", "4"),
    ] {
        let sql = format!("SELECT count(*) FROM (SELECT unnest FROM unnest(ARRAY[1, 2, 3, 4]) {limit}) t");
        let got = rows(&context, &sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(got[0][0].as_deref(), Some(count), "{sql}");
    }
    for (limit, state) in [
        ("LIMIT 'x'", "22P02"),
        ("LIMIT 99999999999999999999", "22003"),
        ("LIMIT -1", "2201W"),
        ("OFFSET -0.5", "2201X"),
        ("OFFSET '-1'", "2201X"),
    ] {
        let error = rows(&context, &format!("SELECT 1 {limit}")).expect_err(limit);
        assert_eq!(state_of(&error), state, "{limit}");
    }
}

#[test]
fn texts_in_series_of_times_are_read() {
    let context = context();
    for (sql, text) in [
        (
            "SELECT count(d)::text FROM (SELECT generate_series(date '2026-10-24', date '2026-10-26', '1 day') AS d) t",
            "3",
        ),
        (
            "SELECT count(d)::text FROM (SELECT generate_series('2026-10-24'::timestamp, '2026-10-26', '6 hours') AS d) t",
            "9",
        ),
    ] {
        let got = rows(&context, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(got[0][0].as_deref(), Some(text), "{sql}");
    }
}

#[test]
fn columns_of_lateral_subqueries_keep_their_names() {
    let context = context();
    rows(&context, "CREATE TABLE u AS VALUES (1, 5), (1, 7), (2, 6)").unwrap();
    for (sql, text) in [
        (
            "SELECT string_agg(format('%s %s %s', t.x, r.column1, r.n), ',' ORDER BY t.x) FROM (VALUES (1), (2), (3)) t(x) \
             LEFT JOIN LATERAL (SELECT max(i.column1) AS column1, count(*) AS n FROM u AS i WHERE i.column1 = t.x) AS r ON true",
            "1 1 2,2 2 1,3  0",
        ),
        (
            "SELECT string_agg(format('%s %s', t.x, r.column1), ',' ORDER BY t.x, r.column1) FROM (VALUES (1), (2), (3)) t(x), \
             LATERAL (SELECT column2 AS column1 FROM u WHERE u.column1 = t.x) AS r",
            "1 5,1 7,2 6",
        ),
    ] {
        let got = rows(&context, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(got[0][0].as_deref(), Some(text), "{sql}");
    }
}

#[test]
fn written_casts_of_rows_tell_their_types() {
    let context = context();
    for (sql, text) in [
        ("'2026-10-25'::timestamp), (NULL::timestamptz::timestamp", "timestamp without time zone"),
        ("('2026-10-25'::timestamptz)::timestamp), (timestamp '2026-10-25'", "timestamp without time zone"),
        ("'2026-10-25'::date), (NULL::timestamptz", "timestamp with time zone"),
        ("(1.5::float8)::numeric), (2.5::numeric", "numeric"),
        ("1.5::float8), (2.5::numeric", "double precision"),
    ] {
        let sql = format!("SELECT pg_typeof(column1)::text FROM (VALUES ({sql})) v");
        let got = rows(&context, &sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(got[0][0].as_deref(), Some(text), "{sql}");
    }
}
