use super::bounded::bounded as bounds_of;
use super::growth::growth_of;
use super::*;
use crate::bound::{Bound, CONSTANT_BYTES};
use crate::error::QueryError;
use arrow_cast::pretty::pretty_format_batches;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::prelude::SessionContext;

fn state() -> SessionState {
    build(SessionStateBuilder::new())
}

fn build(builder: SessionStateBuilder) -> SessionState {
    let mut state = builder.with_default_features().build();
    datafusion_functions_json::register_all(&mut state).unwrap();
    state
}

fn bounded() -> SessionContext {
    let mut state = build(SessionStateBuilder::new().with_expr_planners(vec![Arc::new(BoundedOperators)]));
    bound_functions(&mut state).unwrap();
    SessionContext::new_with_state(state)
}

async fn answer(context: &SessionContext, sql: &str) -> Result<String> {
    let batches = context.sql(sql).await?.collect().await?;
    Ok(pretty_format_batches(&batches)?.to_string())
}

fn cause(error: DataFusionError) -> QueryError {
    QueryError::classify(error, 0)
}

#[test]
fn the_growth_of_every_function_of_the_engine_is_known() {
    let state = state();
    let functions = state.scalar_functions().values();
    let unknown: Vec<&str> = functions.map(|f| f.name()).filter(|name| growth_of(name).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[tokio::test]
async fn a_call_that_makes_much_out_of_little_or_takes_long_is_refused() {
    let context = bounded();
    for (call, function) in [
        ("repeat('x', 100000000)", "repeat"),
        ("repeat('x', 9223372036854775807)", "repeat"),
        ("lpad('x', 2000000000)", "lpad"),
        ("rpad('x', 20000000, 'y')", "rpad"),
        ("range(0, 9000000000)", "range"),
        ("range(9223372036854775807, -9223372036854775807, -1)", "range"),
        ("generate_series(0, 10000000)", "generate_series"),
        (
            "generate_series(timestamp '2020-01-01', timestamp '2021-01-01', interval '1 microsecond')",
            "generate_series",
        ),
        ("cardinality(array_repeat(1, 2000000000))", "array_repeat"),
        ("array_resize([1], 1000000000)", "array_resize"),
        ("levenshtein(repeat('a', 300000), repeat('b', 300000))", "levenshtein"),
        ("replace(repeat('x', 1000000), 'x', repeat('y', 1000))", "replace"),
        ("array_to_string(range(0, 1000000), repeat('-', 1000))", "array_to_string"),
        ("to_char(now(), repeat('%A', 10000000))", "to_char"),
        ("regexp_count(repeat('a', 10), '(a{1000}){1000}')", "regexp_count"),
        ("regexp_replace(repeat('a', 100000), 'a', repeat('b', 10000), 'g')", "regexp_replace"),
    ] {
        let refused = answer(&context, &format!("SELECT {call}")).await.map_err(cause);
        match refused {
            Err(QueryError::Function { function: named, .. }) => assert_eq!(named, function, "{call}"),
            other => panic!("{call}: {other:?}"),
        }
    }
    // For each row, a constant is copied.
    let copies = "SELECT concat(v, repeat('x', 60000000)) FROM (VALUES ('a'), ('b')) t(v)";
    assert!(matches!(answer(&context, copies).await.map_err(cause), Err(QueryError::Function { .. })));
    let rows = "SELECT levenshtein(repeat(v, 50000), repeat(v, 50000)) FROM (VALUES ('a'), ('b')) t(v)";
    assert!(matches!(answer(&context, rows).await.map_err(cause), Err(QueryError::Function { .. })));
}

#[tokio::test]
async fn other_calls_have_the_names_plans_and_results_of_the_engine() {
    let patterns = [
        "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
        "\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?(Z|[+-]\\d{2}:\\d{2})",
        "((25[0-5]|2[0-4]\\d|1?\\d{1,2})\\.){3}(25[0-5]|2[0-4]\\d|1?\\d{1,2})",
    ];
    let searches = patterns.map(|pattern| {
        format!(
            "SELECT regexp_match(v, '{pattern}'), regexp_replace(v, '{pattern}', '#', 'g'), \
             regexp_count(v, '{pattern}') FROM (VALUES ('at 2026-01-02T03:04:05Z from 10.0.0.1'), (NULL)) t(v)"
        )
    });
    let (plain, bounded) = (SessionContext::new_with_state(state()), bounded());
    for sql in [
        "SELECT length(repeat('x', 1000000)), repeat('x', -1), repeat(NULL, 5), repeat('x', 0)",
        "SELECT lpad('x', 10, 'é'), rpad('x', 3), lpad('abc', 2), lpad('abc', -5)",
        "SELECT range(3), range(1, 10, 3), generate_series(5, 1, -2), cardinality(range(0, 1000000))",
        "SELECT range(date '2026-01-01', date '2026-02-01', interval '1 week')",
        "SELECT array_repeat('a', 3), array_resize([1, 2], 4, 0), array_replace_all([1, 2, 1], 1, 5)",
        "SELECT levenshtein('kitten', 'sitting'), replace('abcb', 'b', 'xyz'), replace('abc', '', 'x')",
        "SELECT regexp_replace('a1b2', '[0-9]', '#', 'g'), regexp_count('aaa', 'a'), regexp_like('a', '\\w{3}')",
        "SELECT array_to_string([1, 2, 3], '-'), to_char(date '2026-01-02', 'YYYY/MM')",
        "SELECT concat('a', v, NULL), concat_ws('-', v, v), array_has_any([v], ['a']) FROM (VALUES ('a'), ('b')) t(v)",
        "SELECT list_repeat(1, 2), repeat(v, 2) AS twice FROM (VALUES ('a'), (NULL)) t(v) WHERE repeat(v, 2) <> 'bb'",
        "SELECT [1, 2] @> [2], [3] <@ [1, 2], [1] || [2, 3], [1] || 2, MAP {'a': 1}, concat_ws('', v, v) \
         FROM (VALUES ('a'), ('b')) t(v)",
        "SELECT array_has([v, 'a'], v) FROM (VALUES ('a'), ('b')) t(v)",
        // A session that has not ended, one that ended, and one whose clocks differ.
        "SELECT generate_series(started, ended, interval '1 second') FROM (VALUES \
         (timestamp '2026-01-01 00:00:00', NULL), \
         (timestamp '2026-01-01 00:00:00', timestamp '2026-01-01 00:00:02'), \
         (timestamp '2026-01-01 00:00:00', timestamp '1980-01-01 00:00:00')) t(started, ended)",
        "SELECT range(9000000000, 0), range(0, 9000000000, -1)",
        "SELECT range(timestamp '2026-01-01', timestamp '2026-06-01', interval '1 month -1 day')",
    ]
    .into_iter()
    .chain(searches.iter().map(String::as_str))
    {
        assert_eq!(answer(&bounded, sql).await.unwrap(), answer(&plain, sql).await.unwrap(), "{sql}");
        let explained = format!("EXPLAIN {sql}");
        assert_eq!(answer(&bounded, &explained).await.unwrap(), answer(&plain, &explained).await.unwrap(), "{sql}");
    }
}

#[tokio::test]
async fn constants_that_become_columns_are_bounded() {
    let context = bounded();
    let check = async |columns: &str, from: &str| {
        let plan = context.sql(&format!("SELECT {columns} {from}")).await.unwrap().into_optimized_plan().unwrap();
        check_constants(&plan)
    };
    let from = "FROM (VALUES ('a'), ('b')) t(v)";
    let constant = |bytes: usize| format!("v, repeat('x', {bytes}) AS c");
    assert!(check(&constant(CONSTANT_BYTES), from).await.is_ok());
    let refused = check(&constant(CONSTANT_BYTES + 1), from).await;
    assert!(matches!(refused, Err(QueryError::Bound(Bound::Constants))), "{refused:?}");
    let in_case = format!("CASE v WHEN 'a' THEN repeat('x', {}) END", CONSTANT_BYTES + 1);
    assert!(check(&in_case, from).await.is_err());
    // One row of constants is one row, and a list of values is no column.
    assert!(check("repeat('x', 1000000) AS c", "").await.is_ok());
    let list = vec!["'abcdefgh'"; 10_000].join(", ");
    assert!(check(&format!("v IN ({list}) AS c"), from).await.is_ok());
}

#[tokio::test]
async fn a_call_that_the_engine_plans_for_an_operator_is_bounded() {
    let context = bounded();
    for sql in ["SELECT range(400000) @> range(400000)", "SELECT range(400000) <@ range(400000)"] {
        match answer(&context, sql).await.map_err(cause) {
            Err(QueryError::Function { function, .. }) => assert_eq!(function, "array_has_all", "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    // It is computed while the statement is planned, and without its value there is no argument.
    let argument = "SELECT * FROM generate_series(1, CASE WHEN range(400000) @> range(400000) THEN 2 ELSE 3 END)";
    assert!(answer(&context, argument).await.is_err());
    // Planned by the engine's parser, without a planner of expressions.
    let plan = context.sql("SELECT v FROM (VALUES ([1])) t(v) WHERE 1 = ANY(v)").await.unwrap().into_unoptimized_plan();
    assert_eq!(unbounded_calls(&plan), 1);
    assert_eq!(unbounded_calls(&bound_plan(plan).unwrap()), 0);
}

/// The answer to a statement whose plan has its bounds, as the engine plans it.
async fn planned_answer(context: &SessionContext, sql: &str) -> Result<String> {
    let plan = bound_plan(context.sql(sql).await?.into_unoptimized_plan())?;
    let batches = context.execute_logical_plan(plan).await?.collect().await?;
    Ok(pretty_format_batches(&batches)?.to_string())
}

#[tokio::test]
async fn operators_over_texts_have_the_names_and_results_of_the_engine() {
    let (plain, bounded) = (SessionContext::new_with_state(state()), bounded());
    let texts = "FROM (VALUES ('abc', 'a', 1), ('Äbc', '%b_', 2), (NULL, 'c', 3), ('xyz', NULL, 4)) t(v, p, n)";
    for columns in [
        "'a' || 'b', 'a' || NULL, v || p, v || n, n || v, v || '-' || p",
        "n || v || n || p || 1, 'a' || 'b' || 'c' || NULL, (v || (n || p)) || v, 'x' || v || 'y' || n, v || p || arrow_cast('z', 'LargeUtf8') || arrow_cast(v, 'Utf8View') || n",
        "v ~ p, v ~* p, v !~ p, v !~* p, v ~ 'b.', v ~* '^A', v !~ '[x-z]+', v !~* 'B|y'",
        "v LIKE p, v NOT LIKE p, v ILIKE p, v NOT ILIKE p, v LIKE '%b%', v LIKE '%_________', v LIKE NULL, NULL LIKE p",
        "v ~~ p, v !~~ p, v ~~* p, v !~~* p, v SIMILAR TO p, v NOT SIMILAR TO '(a|x).*'",
        "regexp_like(v, 'b.'), regexp_like(v, p), regexp_like(v, 'abc')",
        "count(*) FILTER (WHERE v LIKE p || '%'), max(v || p)",
    ] {
        let sql = format!("SELECT {columns} {texts}");
        assert_eq!(planned_answer(&bounded, &sql).await.unwrap(), answer(&plain, &sql).await.unwrap(), "{sql}");
    }
    let grouped = format!("SELECT v || p, count(*) AS c {texts} GROUP BY v || p ORDER BY v || p");
    assert_eq!(planned_answer(&bounded, &grouped).await.unwrap(), answer(&plain, &grouped).await.unwrap());
}

#[tokio::test]
async fn an_operator_over_texts_that_makes_much_or_takes_long_is_refused() {
    let context = bounded();
    let hard = "'[ab]*a[ab]{60}'";
    for (sql, operator) in [
        // Constants, which are computed while the statement is planned.
        ("SELECT length(repeat('x', 40000000) || repeat('y', 40000000))".to_owned(), "||"),
        (format!("SELECT repeat('ab', 1000000) ~ {hard}"), "~"),
        (format!("SELECT repeat('ab', 1000000) !~* {hard}"), "!~*"),
        (format!("SELECT repeat('ab', 1000000) SIMILAR TO {hard}"), "SIMILAR TO"),
        (format!("SELECT repeat('ab', 1000000) LIKE '%a{}'", "_".repeat(60)), "LIKE"),
        (format!("SELECT repeat('ab', 1000000) ILIKE '%a{}'", "_".repeat(60)), "ILIKE"),
        // Columns: a text that doubles in each query, and patterns that are compiled anew for each row.
        (
            "WITH a AS (SELECT repeat(chr(value + 96), 3000000) AS t FROM generate_series(1, 8)), \
             b AS (SELECT t || t AS t FROM a), c AS (SELECT t || t AS t FROM b) SELECT max(length(t || t)) FROM c"
                .to_owned(),
            "||",
        ),
        (format!("SELECT count(*) {TEXTS} WHERE t LIKE '%' || left(t, 1) || '%' || value || '%'"), "LIKE"),
        (format!("SELECT count(*) {TEXTS} WHERE t ~ (value || '[ab]')"), "~"),
        // Where the engine simplifies a call to an operator.
        (format!("SELECT regexp_like(repeat('ab', 1000000) || v, {hard}) FROM (VALUES ('a'), ('b')) t(v)"), "~"),
    ] {
        match planned_answer(&context, &sql).await.map_err(cause) {
            Err(QueryError::Function { function, .. }) => assert_eq!(function, operator, "{sql}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    // An argument of a table function is computed while the statement is planned.
    let argument = "SELECT * FROM generate_series(1, length(repeat('x', 40000000) || repeat('y', 40000000)))";
    assert!(context.sql(argument).await.is_err());
}

#[tokio::test]
async fn a_search_that_takes_long_for_its_texts_ends_and_a_usual_one_does_not() {
    let context = bounded();
    let sums: Vec<String> = (0..28).map(|number| format!("md5(value || '-{number}')")).collect();
    // Texts of 896 letters in no order, of two letters only.
    let letters = format!("translate({}, '0123456789cdef', 'ababababababab')", sums.join(" || "));
    let from = format!("FROM (SELECT {letters} AS t FROM generate_series(1, 8192))");
    let search = async |pattern: &str| {
        planned_answer(&context, &format!("SELECT count(*) AS n {from} WHERE t ~ '{pattern}'")).await.map_err(cause)
    };
    // After each letter another set of its states is followed.
    match search("[ab]*a[ab]{60}[xy]").await {
        Err(QueryError::Function { function, .. }) => assert_eq!(function, "~"),
        other => panic!("{other:?}"),
    }
    for usual in ["[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}", "[0-9]+", "^(aa|bb)$", "x|y"] {
        assert!(search(usual).await.unwrap().contains("| 0 |"), "{usual}");
    }
}

#[tokio::test]
async fn a_long_constant_array_is_not_taken_apart() {
    let context = bounded();
    let sql = "SELECT count(*) FROM generate_series(1, 100) WHERE array_has(range(0, 2000000), value)";
    let refused = planned_answer(&context, sql).await.map_err(cause);
    assert!(matches!(refused, Err(QueryError::Function { .. })), "{refused:?}");
    let few = "SELECT count(*) AS n FROM generate_series(1, 100) WHERE array_has(range(0, 50), value)";
    assert!(planned_answer(&context, few).await.unwrap().contains("49"));
}

fn unbounded_calls(plan: &LogicalPlan) -> usize {
    let mut calls = 0;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|part| {
                if let Expr::ScalarFunction(call) = part {
                    calls += usize::from(bounds_of(&call.func).is_some());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })
    .unwrap();
    calls
}

/// Of 8192 texts of 1 KiB, `t`.
const TEXTS: &str = "FROM (SELECT value, repeat(chr(CAST(97 + value % 9 AS bigint)), 1020) || '1234' AS t \
                     FROM generate_series(1, 8192))";

#[tokio::test]
async fn all_arguments_of_a_function_that_puts_them_together_count() {
    let context = bounded();
    for call in [
        format!("length(concat({}))", vec!["t"; 40].join(", ")),
        format!("length(concat_ws('', {}))", vec!["t"; 40].join(", ")),
        format!("cardinality([{}])", vec!["t"; 40].join(", ")),
        format!("length(concat_ws(repeat('-', 1000), {}))", ["left(t, 1)"; 12].join(", ")),
    ] {
        let refused = answer(&context, &format!("SELECT max({call}) {TEXTS}")).await;
        assert!(matches!(refused.map_err(cause), Err(QueryError::Function { .. })), "{call}");
    }
    let few = answer(&context, &format!("SELECT max(length(concat(t, '-', t))) AS n {TEXTS}")).await.unwrap();
    assert!(few.contains("2049"), "{few}");
}

#[tokio::test]
async fn replacements_count_as_often_as_the_pattern_matches() {
    let context = bounded();
    let sql = |replace: &str| format!("SELECT max(length(regexp_replace({replace}))) AS n {TEXTS}");
    let numbers = answer(&context, &sql("t, '[0-9]+', '[number]', 'g'")).await.unwrap();
    assert!(numbers.contains("1028"), "{numbers}");
    let folded = answer(&context, &sql("t, '[A-C][0-9]+', '[number]', 'gi'")).await;
    assert!(folded.is_ok(), "{folded:?}");
    for refused in ["t, '[a-z]', '[letter]', 'g'", "t, '(.*)', '\\1\\1\\1\\1\\1\\1\\1\\1'"] {
        let refused = answer(&context, &sql(refused)).await.map_err(cause);
        assert!(matches!(refused, Err(QueryError::Function { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn a_long_list_that_is_not_copied_may_be_searched_in_for_each_row() {
    let context = bounded();
    let list = (0..1_500).map(|number| format!("'abcdefgh{number}'")).collect::<Vec<_>>().join(", ");
    for call in [format!("array_has([{list}], t)"), format!("array_has_any([t], [{list}])")] {
        let counted = answer(&context, &format!("SELECT count(*) AS n {TEXTS} WHERE NOT {call}")).await.unwrap();
        assert!(counted.contains("8192"), "{counted}");
    }
}
