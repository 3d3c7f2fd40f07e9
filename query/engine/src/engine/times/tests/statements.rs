use super::super::{install, register};
use arrow_cast::pretty::pretty_format_batches;
use arrow_schema::{DataType, TimeUnit};
use datafusion::common::Result;
use datafusion::common::config::Dialect;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

fn context() -> SessionContext {
    let mut config = SessionConfig::new();
    config.options_mut().execution.time_zone = Some("UTC".to_owned());
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_expr_planners(holdfast_dialect::planners())
        .with_default_features();
    let mut state = holdfast_dialect::install(install(builder)).build();
    register(&mut state);
    holdfast_dialect::register(&mut state).unwrap();
    SessionContext::new_with_state(state)
}

/// The rows of a statement, cells joined by `|`.
async fn rows(context: &SessionContext, sql: &str) -> Result<Vec<String>> {
    let state = context.state();
    let mut statement = state.sql_to_statement(sql, &Dialect::PostgreSQL)?;
    holdfast_dialect::rewrite(&mut statement)?;
    let plan = state.statement_to_plan(statement).await?;
    let batches = context.execute_logical_plan(plan).await?.collect().await?;
    let table = pretty_format_batches(&batches)?.to_string();
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(1);
    Ok(rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|")).collect())
}

async fn answer(context: &SessionContext, sql: &str) -> Vec<String> {
    rows(context, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Times at the edges of an `i64`, whose least and largest values are infinite times, of nanoseconds, and of the calendars of others.
const EDGES: [&str; 10] = [
    "-9223372036854775807",
    "-8334632851200000001",
    "-62135596800000001",
    "-9223372036854776",
    "0",
    "9223372036854776",
    "253402300800000000",
    "8210266876799999999",
    "9223372036854775806",
    "NULL",
];

/// What is asked of a time `t`, and how many of the edges have an answer: as a time with a zone, and without one.
const EXPRESSIONS: [(&str, [u32; 2]); 34] = [
    // The first month, week, day and bin of all begin before the first microsecond.
    ("date_trunc('month', t)", [8, 8]),
    ("date_trunc('week', t)", [8, 8]),
    ("date_trunc('millennium', t)", [8, 8]),
    ("date_trunc('day', t, 'America/New_York')", [8, 8]),
    ("date_bin(interval '7 days', t)", [8, 8]),
    ("date_bin('15 minutes', t, timestamp '2001-01-01')", [8, 8]),
    ("date_bin(interval '1 month', t, timestamp '2001-01-01')", [8, 8]),
    ("date_part('year', t)", [9, 9]),
    ("date_part('epoch', t)", [9, 9]),
    ("extract(week from t)", [9, 9]),
    ("extract(century from t)", [9, 9]),
    ("to_char(t, 'YYYY-MM')", [9, 9]),
    // Local times are later, and the last time of all has none.
    ("t at time zone 'Europe/Berlin'", [8, 8]),
    ("(t at time zone 'Europe/Berlin') at time zone 'Asia/Tokyo'", [7, 7]),
    ("t + interval '1 month 2 days 3 hours'", [8, 8]),
    ("interval '1 second' + t", [8, 8]),
    ("t - interval '280000 years'", [7, 7]),
    ("t - interval '280000 years' + interval '280000 years'", [7, 7]),
    ("t - timestamp '2026-01-01'", [8, 8]),
    ("timestamp '2026-01-01' - t", [8, 8]),
    ("t - date '2026-01-01'", [8, 8]),
    ("date_part('epoch', t - timestamp '2026-01-01')", [8, 8]),
    ("t - timestamp '2026-01-01' > interval '1 day'", [8, 8]),
    ("(t - timestamp '2026-01-01') between interval '1 second' and interval '40 years'", [8, 8]),
    ("cast(t - timestamp '2026-01-01' as interval)", [8, 8]),
    ("t < now()", [9, 9]),
    ("t between now() - interval '1 year' and now()", [9, 9]),
    ("t in (now(), timestamp '2026-01-01')", [9, 9]),
    ("t = '2026-01-01'", [9, 9]),
    ("t >= date '2026-01-01'", [9, 9]),
    ("cast(t as text)", [9, 9]),
    ("cast(t as date)", [9, 9]),
    ("cast(t + interval '0 days' as date)", [9, 9]),
    ("cast(t as timestamp)", [9, 9]),
];

#[tokio::test]
async fn no_time_fails_a_statement() {
    let context = context();
    let rows_of_edges = EDGES.map(|edge| format!("({edge})")).join(", ");
    for (expression, expected) in EXPRESSIONS {
        let times = ["to_timestamp_micros(v)", "cast(to_timestamp_micros(v) as timestamp)"];
        for (time, expected) in times.into_iter().zip(expected) {
            // The whole is counted, so that no value needs to be written.
            let columns =
                format!("SELECT count({expression}) FROM (SELECT {time} AS t FROM (VALUES {rows_of_edges}) x(v))");
            assert_eq!(answer(&context, &columns).await, [expected.to_string()], "{columns}");
            let mut constants = 0;
            for edge in EDGES {
                let time = time.replace("(v)", &format!("({edge})"));
                let constant = format!("SELECT count({expression}) FROM (SELECT {time} AS t)");
                constants += answer(&context, &constant).await[0].parse::<u32>().unwrap();
            }
            assert_eq!(constants, expected, "{expression} of constants");
        }
    }
}

#[tokio::test]
async fn a_date_of_a_computed_time_reaches_as_far_as_the_time() {
    let context = context();
    let from = "FROM (SELECT v + interval '280000 years' AS t FROM (VALUES (timestamp '2026-01-01')) x(v)) y";
    assert_eq!(answer(&context, &format!("SELECT t::date IS NULL {from}")).await, ["false"]);
    assert_eq!(answer(&context, &format!("SELECT count(*) {from} WHERE t::date > date '2026-01-01'")).await, ["1"]);
}

#[tokio::test]
async fn a_chain_of_intervals_is_one_call() {
    let context = context();
    let chain = |links: usize| {
        let links = " - interval '2 seconds' + interval '1 second'".repeat(links);
        format!("SELECT v{links} AS x FROM (VALUES (timestamp '2026-01-01 00:10:00')) t(v)")
    };
    let state = context.state();
    let plan = state.create_logical_plan(&chain(5)).await.unwrap();
    let plan = state.optimize(&plan).unwrap().display_indent().to_string();
    assert_eq!(plan.matches("time_shift(").count(), 1, "{plan}");
    assert_eq!(answer(&context, &chain(20)).await, ["2026-01-01T00:09:40"]);
    // The signs are those of the operands, and the operands are computed in their order.
    let sql = "SELECT interval '1 day' + v - interval '1 month' + s - interval '1 second' AS x \
               FROM (VALUES (timestamp '2026-03-30', interval '2 hours')) t(v, s)";
    assert_eq!(answer(&context, sql).await, ["2026-02-28T01:59:59"]);
    let sql = "SELECT max(v + interval '1 day') AS a, max(v - interval '1 day') AS b \
               FROM (VALUES (timestamp '2026-03-30')) t(v)";
    assert_eq!(answer(&context, sql).await, ["2026-03-31T00:00:00|2026-03-29T00:00:00"]);
}

#[tokio::test]
async fn nanoseconds_are_compared_as_the_nearest_microseconds() {
    let context = context();
    for (nanoseconds, microseconds) in [(1_499, 1), (1_501, 2), (-1_499, -1), (-1_501, -2), (-1, 0), (0, 0)] {
        let time = format!("arrow_cast({nanoseconds}, 'Timestamp(Nanosecond, Some(\"UTC\"))')");
        let sql = format!("SELECT to_timestamp_micros(v) = {time} AS x FROM (VALUES ({microseconds})) t(v)");
        assert_eq!(answer(&context, &sql).await, ["true"], "{nanoseconds}");
    }
}

#[tokio::test]
async fn expressions_of_grouping_sets_keep_their_names() {
    let context = context();
    let from = "FROM (VALUES (timestamp '2026-01-01', 1), (timestamp '2026-01-02', 1)) t(v, n)";
    let sql = format!("SELECT count(*) AS c {from} GROUP BY ROLLUP(v - interval '1 day') ORDER BY c");
    assert_eq!(answer(&context, &sql).await, ["1", "1", "2"]);
    let sql =
        format!("SELECT v::text AS x, count(*) {from} GROUP BY CUBE(v::text, n) ORDER BY 1 NULLS FIRST, 2 LIMIT 1");
    assert_eq!(answer(&context, &sql).await, ["|2"]);
    let sets = "GROUPING SETS((v - interval '1 day'), (n), ())";
    assert_eq!(answer(&context, &format!("SELECT v - interval '1 day' AS x {from} GROUP BY {sets}")).await.len(), 4);
}

#[tokio::test]
async fn a_union_is_as_nullable_as_its_inputs() {
    let context = context();
    let one = "SELECT now() - timestamptz '2026-01-01' > interval '1 second' AS x, now()::text IS NULL AS y";
    for union in ["UNION", "UNION ALL"] {
        let sql = format!("SELECT x, count(*) FROM ({one} {union} {one}) t GROUP BY x");
        assert_eq!(answer(&context, &sql).await.len(), 1, "{sql}");
    }
    let times = "SELECT now() + interval '1 day' AS t UNION SELECT now() - interval '1 day'";
    assert_eq!(answer(&context, times).await.len(), 2);
}

#[tokio::test]
async fn names_and_groups_stay_as_they_are_written() {
    let context = context();
    let sql = "SELECT t - interval '1 day', max(t - s) FROM (VALUES (now(), now())) v(t, s) \
               GROUP BY t - interval '1 day' ORDER BY t - interval '1 day'";
    let state = context.state();
    let plan = state.create_logical_plan(sql).await.unwrap();
    let optimized = state.optimize(&plan).unwrap();
    assert_eq!(plan.schema().field_names(), optimized.schema().field_names());
    let types = |plan: &datafusion::logical_expr::LogicalPlan| -> Vec<_> {
        plan.schema().fields().iter().map(|field| field.data_type().clone()).collect()
    };
    assert_eq!(types(&plan), types(&optimized));
    assert_eq!(answer(&context, sql).await.len(), 1);
}

#[tokio::test]
async fn times_have_microseconds() {
    let state = context().state();
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    for (expression, expected) in [
        ("now()", instant.clone()),
        ("current_timestamp", instant.clone()),
        ("timestamptz '2026-01-01'", instant.clone()),
        ("now() - interval '1 hour'", instant.clone()),
        ("date_bin('1 hour', now())", instant),
        ("cast(now() as timestamp)", DataType::Timestamp(TimeUnit::Microsecond, None)),
        ("now() - date '2026-01-01'", DataType::Duration(TimeUnit::Microsecond)),
    ] {
        let plan = state.create_logical_plan(&format!("SELECT {expression}")).await.unwrap();
        assert_eq!(plan.schema().field(0).data_type(), &expected, "{expression}");
    }
}

#[tokio::test]
async fn series_of_times_are_made_as_before() {
    let context = context();
    let sql = "SELECT count(*) FROM generate_series(timestamp '2026-01-01', timestamp '2026-01-02', interval '1 hour')";
    assert_eq!(answer(&context, sql).await, ["25"]);
    let beyond = "SELECT * FROM range(timestamp '9999-01-01', timestamp '9999-01-02', interval '1 hour')";
    assert!(rows(&context, beyond).await.is_err());
}

#[tokio::test]
async fn a_filter_on_a_case_selects_by_its_value() {
    let context = context();
    let from = "FROM (SELECT CASE WHEN NOT b THEN v END AS t FROM (VALUES (1, true), (2, true), (3, false), (4, NULL)) x(v, b))";
    assert_eq!(answer(&context, &format!("SELECT t {from} WHERE t >= 2")).await, ["3"]);
    assert_eq!(answer(&context, &format!("SELECT t {from} WHERE 2 <> t OR t IS NULL")).await, ["", "", "3", ""]);
    let state = context.state();
    let plan = state.create_logical_plan(&format!("SELECT t {from} WHERE t >= 2")).await.unwrap();
    let plan = state.optimize(&plan).unwrap().display_indent().to_string();
    let filter = plan.lines().find(|line| line.contains("Filter:")).unwrap();
    assert!(!filter.contains("CASE") && filter.contains("AND"), "{plan}");
}

#[tokio::test]
async fn a_case_that_guards_a_computation_stays() {
    let context = context();
    let from = "FROM (VALUES (0), (5)) t(x)";
    for (condition, expected) in [
        ("CASE WHEN x <> 0 THEN 10 / x END > 1", "5"),
        ("CASE WHEN x <> 0 THEN 10 / x END BETWEEN 1 AND 3", "5"),
        ("CASE WHEN x <> 0 THEN 10 / x END IN (2, 7, 8, 9)", "5"),
        ("CASE WHEN x <> 0 THEN x END > 1", "5"),
        ("CASE WHEN x <> 0 THEN x END BETWEEN 1 AND 5", "5"),
        ("CASE WHEN x <> 0 THEN x END NOT IN (1, 2, 3, 4)", "5"),
        // NULL is not false: below NOT it stays.
        ("NOT (CASE WHEN x <> 0 THEN x END > 7)", "5"),
        ("(CASE WHEN x <> 0 THEN x END > 7) IS NULL", "0"),
        ("CASE WHEN x <> 0 THEN x END > 7 OR x = 0", "0"),
    ] {
        assert_eq!(answer(&context, &format!("SELECT x {from} WHERE {condition}")).await, [expected], "{condition}");
    }
    let text = "SELECT count(*) FROM (VALUES ('1'), ('a')) t(x) WHERE CAST(CASE WHEN x <> 'a' THEN x END AS INT) = 1";
    assert_eq!(answer(&context, text).await, ["1"]);
}
