//! What a statement may be and may take, and that nothing it does stops the caller.

use crate::fixture::{Fixture, MAY, error, event, lines, rows};
use arrow_array::RecordBatch;
use arrow_schema::DataType;
use datafusion::common::ScalarValue;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use futures::StreamExt;
use holdfast_query::{Bound, Extension, QueryError, STATEMENT_BYTES, Session, check_bounds};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The largest `make(n)` that keeps the bounds.
fn largest(make: impl Fn(usize) -> String) -> String {
    let (mut keeps, mut exceeds) = (1, 1 << 20);
    while keeps + 1 < exceeds {
        let middle = (keeps + exceeds) / 2;
        if check_bounds(&make(middle)).is_ok() { keeps = middle } else { exceeds = middle }
    }
    make(keeps)
}

fn chain(first: &str, link: &str, end: &str) -> String {
    largest(|links| format!("SELECT {first}{}{end}", link.repeat(links)))
}

fn nested(open: &str, close: &str) -> String {
    largest(|levels| format!("SELECT {}1{}", open.repeat(levels.min(1000)), close.repeat(levels.min(1000))))
}

/// In a build with debug assertions, the stack is large enough for everything that the bounds let through.
#[tokio::test]
async fn a_statement_at_each_bound_is_planned_executed_and_dropped() {
    let mut fixture = Fixture::empty();
    fixture.write(MAY, &[event("note", "1", "S-1", "2026-05-10T08:00:00Z", json!({}))]).await;
    let session = fixture.as_officer();
    let statements = [
        chain("1", "+1", ""),
        chain("kafka_offset", "+kafka_offset", " FROM events"),
        chain("id", "||id", " FROM events"),
        chain("time", " - interval '1 second'", " FROM events"),
        chain("id", "::text", " FROM events"),
        chain("1 FROM events WHERE id = 'x'", " OR id = subject", ""),
        chain("1 FROM events WHERE id <> 'x'", " AND id <> subject", ""),
        chain("1", " UNION ALL SELECT 1", ""),
        chain("1", " UNION SELECT 2", ""),
        largest(|joins| {
            let joined = |join: usize| format!(" CROSS JOIN (SELECT {join} AS x{join}) s{join}");
            format!("SELECT 1 FROM events{}", (0..joins.min(2_000)).map(joined).collect::<String>())
        }),
        chain("CASE id", " WHEN 'x' THEN 1", " END FROM events"),
        largest(|columns| {
            let column = |column: usize| format!(", {column} AS c{column}");
            format!("SELECT 1{}", (0..columns.min(5_000)).map(column).collect::<String>())
        }),
        chain("id IN ('x'", ",'y'", ") FROM events"),
        nested("(", ")"),
        nested("abs(", ")"),
        nested("ceil(", ")"),
        nested("CASE WHEN true THEN ", " END"),
        nested("(SELECT ", ")"),
        largest(|tables| {
            let more: String = (1..=tables.min(2000))
                .map(|table| format!(", c{table} AS (SELECT a.x FROM c{0} a, c{0} b)", table - 1))
                .collect();
            format!("WITH c0 AS (SELECT 1 AS x){more} SELECT * FROM c{}", tables.min(2000))
        }),
    ];
    for statement in statements {
        let shown: String = statement.chars().take(60).collect();
        match session.sql(&statement).await {
            Ok(result) => drop(lines(result).await.unwrap_or_else(|error| panic!("{shown}: {error}"))),
            // The parser and the planner refuse some nesting before the bounds do.
            Err(QueryError::Bound(_) | QueryError::Statement(_)) => {}
            Err(error) => panic!("{shown}: {error}"),
        }
        let description = session.describe(&statement).await;
        assert!(!matches!(description, Err(QueryError::Internal(_))), "{shown}: {description:?}");
    }
    // Plain ones are answered, whatever refuses others.
    assert_eq!(rows(&session, &format!("SELECT 1{}", "+1".repeat(240))).await.len(), 1);
    assert_eq!(rows(&session, &chain("1 FROM events WHERE id = 'x'", " OR id = subject", "")).await.len(), 0);
}

#[tokio::test]
async fn a_statement_beyond_a_bound_is_refused_and_the_next_one_is_answered() {
    let session = Fixture::empty().as_officer();
    let sum = |operators: usize| format!("SELECT 1{}", "+1".repeat(operators));
    for (statement, bound) in [
        (sum(3_000), Bound::Depth),
        (sum(10_000), Bound::Operators),
        (sum(500_000), Bound::Bytes),
        // A syntax error at its end: what was parsed would be dropped.
        (format!("{}+", sum(3_000)), Bound::Depth),
        (format!("SELECT '{}'", "x".repeat(STATEMENT_BYTES)), Bound::Bytes),
        (format!("SELECT $1 + ${}", u64::MAX), Bound::Parameters),
        (format!("EXPLAIN {}", sum(3_000)), Bound::Depth),
        // Some bounds are seen in the plan only.
        (
            format!(
                "WITH t AS (SELECT {}) SELECT * FROM t a, t b",
                (0..1_000).map(|n| format!("1 AS c{n}")).collect::<Vec<_>>().join(",")
            ),
            Bound::Columns,
        ),
    ] {
        let shown: String = statement.chars().take(40).collect();
        let refused = session.sql(&statement).await.err();
        assert!(matches!(&refused, Some(QueryError::Bound(is)) if *is == bound), "{shown}: {refused:?}");
        let described = session.describe(&statement).await.err();
        assert!(matches!(&described, Some(QueryError::Bound(is)) if *is == bound), "{shown}: {described:?}");
    }
    assert_eq!(rows(&session, "SELECT 1").await, ["1"]);
}

/// A function that takes three seconds and does not yield.
struct Stubborn;

impl Extension for Stubborn {
    fn install(&self, mut builder: SessionStateBuilder) -> SessionStateBuilder {
        let function = create_udf(
            "stubborn",
            vec![DataType::Int64],
            DataType::Int64,
            Volatility::Volatile,
            Arc::new(|_: &[ColumnarValue]| {
                std::thread::sleep(Duration::from_secs(3));
                Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(1))))
            }),
        );
        builder.scalar_functions().get_or_insert_default().push(Arc::new(function));
        builder
    }
}

async fn stubborn_session() -> Session {
    let mut fixture = Fixture::empty();
    fixture.write(MAY, &[event("note", "1", "S-1", "2026-05-10T08:00:00Z", json!({}))]).await;
    let mut options = fixture.options(&[&fixture.officer]);
    options.extensions = vec![Arc::new(Stubborn)];
    options.concurrent_statements = 2;
    Session::new(options).unwrap()
}

/// The test's runtime has one thread: if the statement ran on it, nothing else would.
#[tokio::test]
async fn a_computation_that_does_not_yield_stops_neither_its_caller_nor_other_statements() {
    let session = stubborn_session().await;
    let begun = Instant::now();
    let mut slow = session.sql("SELECT stubborn(kafka_offset) FROM events").await.unwrap().batches;
    let waited = tokio::time::timeout(Duration::from_millis(100), slow.next()).await;
    assert!(waited.is_err());
    // Another user is answered meanwhile.
    let other = session.for_user("other");
    assert_eq!(rows(&other, "SELECT count(*) FROM events").await, ["1"]);
    drop(slow);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    // And so is the same user, who has given the statement up.
    let next = session.sql("SELECT id FROM events").await.unwrap();
    assert_eq!(lines(next).await.unwrap(), ["1"]);
}

#[tokio::test]
async fn a_function_that_makes_much_out_of_little_is_refused_at_any_place() {
    let mut fixture = Fixture::empty();
    fixture.write(MAY, &[event("note", "1", "S-1", "2026-05-10T08:00:00Z", json!({}))]).await;
    let session = fixture.as_officer();
    for statement in [
        "SELECT repeat('x', 2000000000)",
        "SELECT id FROM events ORDER BY repeat(id, 2000000000)",
        "SELECT count(*) FROM events GROUP BY levenshtein(repeat(id, 300000), repeat(type, 300000))",
        "SELECT cardinality(array_repeat(1, 2000000000))",
        "SELECT length(repeat('x', 40000000) || repeat('y', 40000000))",
        "SELECT max(length(t || t)) FROM (SELECT t || t AS t FROM (SELECT t || t AS t FROM \
         (SELECT repeat(id, 20000000) AS t FROM events)))",
        "SELECT count(*) FROM events WHERE repeat('ab' || id, 1000000) ~ '[ab]*a[ab]{60}'",
        "SELECT count(*) FROM events WHERE repeat('ab' || id, 1000000) LIKE '%a____________________________________'",
    ] {
        let refused = match session.sql(statement).await {
            Err(error) => error,
            Ok(result) => lines(result).await.expect_err(statement),
        };
        assert!(matches!(refused, QueryError::Function { .. }), "{statement}: {refused:?}");
    }
}

#[tokio::test]
async fn a_pattern_in_an_argument_of_a_table_function_is_refused() {
    let session = Fixture::empty().as_officer();
    let statement = "SELECT * FROM generate_series(1, CASE WHEN 'a' LIKE '%_' THEN 1 ELSE 2 END)";
    let refused = session.sql(statement).await.err();
    assert!(
        matches!(&refused, Some(QueryError::Statement(why)) if why.message.contains("table function")),
        "{refused:?}"
    );
}

/// A function that does not yield while it waits for a one among its arguments to be let go.
struct Waits {
    /// Calls that wait.
    waiting: Arc<AtomicUsize>,
    let_go: Arc<AtomicBool>,
}

impl Extension for Waits {
    fn install(&self, mut builder: SessionStateBuilder) -> SessionStateBuilder {
        let (waiting, let_go) = (Arc::clone(&self.waiting), Arc::clone(&self.let_go));
        let wait = move |args: &[ColumnarValue]| -> datafusion::common::Result<ColumnarValue> {
            waiting.fetch_add(1, Ordering::SeqCst);
            while !let_go.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(1));
            }
            waiting.fetch_sub(1, Ordering::SeqCst);
            Ok(args[0].clone())
        };
        let function =
            create_udf("waits", vec![DataType::Int64], DataType::Int64, Volatility::Volatile, Arc::new(wait));
        builder.scalar_functions().get_or_insert_default().push(Arc::new(function));
        builder
    }
}

#[tokio::test]
async fn a_task_that_goes_on_after_its_statement_keeps_the_permit() {
    let mut fixture = Fixture::empty();
    fixture.write(MAY, &[event("note", "1", "S-1", "2026-05-10T08:00:00Z", json!({}))]).await;
    let (waiting, let_go) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut options = fixture.options(&[&fixture.officer]);
    options.extensions = vec![Arc::new(Waits { waiting: Arc::clone(&waiting), let_go: Arc::clone(&let_go) })];
    // One for each user.
    options.concurrent_statements = 2;
    // Other tasks have a thread while one waits.
    options.parallelism = 4;
    let session = Session::new(options).unwrap();
    // A union has a task for each part. Constants only are no reason to take no permit.
    let union = "SELECT sum(v) FROM (SELECT waits(n) AS v FROM generate_series(1, 10) AS n \
                 UNION ALL SELECT n FROM generate_series(1, 10) AS n)";
    let mut given_up = session.sql(union).await.unwrap().batches;
    while waiting.load(Ordering::SeqCst) == 0 {
        assert!(tokio::time::timeout(Duration::from_millis(10), given_up.next()).await.is_err());
    }
    drop(given_up);
    assert_eq!(waiting.load(Ordering::SeqCst), 1, "its task goes on");
    // Who needs no permit, and another user, are answered.
    assert_eq!(rows(&session, "SELECT 1").await, ["1"]);
    assert_eq!(rows(&session.for_user("other"), "SELECT count(*) FROM events").await, ["1"]);
    let next = session.sql("SELECT count(*) FROM events").await.unwrap();
    let mut next = Box::pin(lines(next));
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut next).await.is_err(), "there is no permit");
    let_go.store(true, Ordering::SeqCst);
    assert_eq!(next.await.unwrap(), ["1"]);
    assert_eq!(waiting.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_window_over_all_rows_is_refused_when_it_exceeds_the_memory() {
    let fixture = Fixture::empty();
    let mut options = fixture.options(&[&fixture.officer]);
    options.memory_limit = 16 << 20;
    let session = Session::new(options).unwrap();
    let window =
        |rows: usize| format!("SELECT max(s) FROM (SELECT sum(n) OVER () AS s FROM generate_series(1, {rows}) AS n)");
    assert_eq!(rows(&session, &window(1_000)).await, ["500500"]);
    let refused = lines(session.sql(&window(3_000_000)).await.unwrap()).await.unwrap_err();
    assert!(matches!(refused, QueryError::Memory { limit_mib: 16, .. }), "{refused:?}");
}

#[tokio::test]
async fn what_functions_make_counts_against_the_memory_of_their_statement() {
    let mut fixture = Fixture::empty();
    fixture.write(MAY, &[event("note", "1", "S-1", "2026-05-10T08:00:00Z", json!({}))]).await;
    let mut options = fixture.options(&[&fixture.officer]);
    options.memory_limit = 16 << 20;
    let session = Session::new(options).unwrap();
    // Each call alone is within the bound of a call.
    for statement in [
        "SELECT repeat(id, 6000000) AS a, repeat(id, 6000001) AS b, repeat(id, 6000002) AS c FROM events",
        "SELECT id FROM events WHERE repeat(id, 20000000) <> 'x'",
        "SELECT max(length(t)) FROM (SELECT repeat(id, 20000000) AS t FROM events \
         UNION ALL SELECT repeat(type, 5000000) FROM events) parts",
        "SELECT count(*) FROM events GROUP BY repeat(id, 20000000)",
        "SELECT a.id FROM events a JOIN events b ON repeat(a.id, 20000000) = repeat(b.id, 20000000)",
    ] {
        let refused = error(&session, statement).await;
        assert!(matches!(refused, QueryError::Memory { limit_mib: 16, .. }), "{statement}: {refused:?}");
    }
    let constants = "SELECT length(repeat('x', 40000000)) + length(repeat('y', 40000000))";
    let refused = error(&session, constants).await;
    assert!(matches!(refused, QueryError::Function { .. }), "{refused:?}");
    // What they held is returned.
    for _ in 0..4 {
        assert_eq!(rows(&session, "SELECT length(repeat(id, 10000000)) FROM events").await, ["10000000"]);
    }
}

#[tokio::test]
async fn statements_whose_rows_nobody_reads_leave_memory_to_other_users() {
    let mut fixture = Fixture::empty();
    let text = "a word of a long note ".repeat(200);
    let note = |n: usize| {
        let data = json!({"author": "a", "text": format!("{n} {text}")});
        event("note", &n.to_string(), "S-1", "2026-05-10T08:00:00Z", data)
    };
    fixture.write(MAY, &(0..400).map(note).collect::<Vec<_>>()).await;
    let mut options = fixture.options(&[&fixture.officer]);
    options.memory_limit = 16 << 20;
    let session = Session::new(options).unwrap();
    let [ann, bob] = ["ann", "bob"].map(|user| session.for_user(user));
    let mut open = Vec::new();
    let refused = loop {
        let mut result = ann.sql("SELECT id, data FROM events").await.unwrap();
        match result.batches.next().await.unwrap() {
            Ok(first) => open.push((first, result)),
            Err(refused) => break refused,
        }
        assert!(open.len() < 24, "each holds more than 512 KiB");
    };
    assert!(matches!(refused, QueryError::Memory { limit_mib: 16, .. }) && open.len() > 1, "{refused:?}");
    assert!(refused.to_string().contains("the statements of the user hold"), "{refused}");
    assert_eq!(rows(&bob, "SELECT count(*), min(length(data)) > 4000 FROM events").await, ["400|true"]);
    drop(open);
    for _ in 0..4 {
        let read = ann.sql("SELECT id, data FROM events").await.unwrap().collect().await.unwrap();
        assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), 400);
    }
}

/// The engine would allocate for the number before the first row, and the process would end.
#[tokio::test]
async fn a_number_in_a_statement_is_no_size_of_an_allocation() {
    let mut fixture = Fixture::empty();
    fixture.write(MAY, &[event("note", "1", "S-1", "2026-05-10T08:00:00Z", json!({}))]).await;
    let session = fixture.as_officer();
    for (statement, answer) in [
        ("SELECT type, max(id) FROM events GROUP BY type ORDER BY max(id) DESC LIMIT 1000000000000000", "note|1"),
        ("SELECT DISTINCT type FROM events ORDER BY type LIMIT 9223372036854775807", "note"),
        ("SELECT DISTINCT type FROM events LIMIT 9223372036854775807", "note"),
        ("SELECT CAST(nullif([1], [1]) AS BIGINT[2000000000]) IS NULL", "true"),
        ("SELECT nullif([kafka_offset], [kafka_offset])::BIGINT[2000000000][3] IS NULL FROM events", "true"),
        ("SELECT approx_percentile_cont(0.5, 1000) WITHIN GROUP (ORDER BY kafka_offset) FROM events", "0.0"),
    ] {
        assert_eq!(rows(&session, statement).await, [answer], "{statement}");
    }
    for statement in [
        "SELECT approx_percentile_cont(0.5, 10000000000) WITHIN GROUP (ORDER BY kafka_offset) FROM events",
        "SELECT approx_percentile_cont(0.5, 100000 * 100000) WITHIN GROUP (ORDER BY kafka_offset) FROM events",
        "SELECT approx_percentile_cont_with_weight(1.0, 0.5, 10000000000) WITHIN GROUP (ORDER BY kafka_offset) FROM events",
        "SELECT approx_percentile_cont(kafka_offset, 0.5, 10000000000) OVER () FROM events",
    ] {
        let refused = error(&session, statement).await;
        assert!(matches!(refused, QueryError::Function { .. }), "{statement}: {refused:?}");
    }
    for statement in [
        "SELECT arrow_cast(nullif([1], [1]), 'FixedSizeList(2000000000, Int64)')",
        "SELECT arrow_try_cast(nullif([[1]], [[1]]), 'List(FixedSizeList(2000000000, Int64))')",
        "SELECT arrow_cast(arrow_cast(nullif(id, id), 'Binary'), 'FixedSizeBinary(2000000000)') FROM events",
        "SELECT * FROM generate_series(1, cardinality(arrow_cast(nullif([1], [1]), 'Fixed' || 'SizeList(2000000000, Int64)')))",
    ] {
        let refused = error(&session, statement).await;
        assert!(matches!(refused, QueryError::Statement(_)), "{statement}: {refused:?}");
    }
    let cube = format!("SELECT count(*) FROM events GROUP BY CUBE (kafka_offset{})", ", kafka_offset".repeat(40));
    let refused = error(&session, &cube).await;
    assert!(matches!(refused, QueryError::Bound(Bound::GroupingSets)), "{refused:?}");
}

/// A join that lets no pair through does not yield: for hours, with these.
#[tokio::test]
async fn a_join_that_finds_nothing_ends_with_its_statement() {
    let fixture = Fixture::empty();
    let mut options = fixture.options(&[&fixture.officer]);
    options.concurrent_statements = 2;
    let session = Session::new(options).unwrap();
    for condition in ["a.v + b.v < 0", "a.v % 10 = b.v % 10 AND a.v + b.v < 0"] {
        let join = format!(
            "SELECT count(*) FROM generate_series(1, 3000000) AS a(v) JOIN generate_series(1, 10000000) AS b(v) \
             ON {condition}"
        );
        for _ in 0..2 {
            let mut rows = session.sql(&join).await.unwrap().batches;
            assert!(tokio::time::timeout(Duration::from_secs(2), rows.next()).await.is_err(), "{condition}");
            drop(rows);
        }
        let next = lines(session.sql("SELECT count(*) FROM generate_series(1, 10) AS t(v)").await.unwrap());
        let answer = tokio::time::timeout(Duration::from_secs(20), next).await.expect(condition);
        assert_eq!(answer.unwrap(), ["10"]);
    }
}
