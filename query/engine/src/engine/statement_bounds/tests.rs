use super::*;
use proptest::prelude::*;

fn chain(first: &str, link: &str, links: usize) -> String {
    format!("SELECT {first}{}", link.repeat(links))
}

fn nested(open: &str, close: &str, levels: usize) -> String {
    format!("SELECT {}1{}", open.repeat(levels), close.repeat(levels))
}

/// Each `c<n>` joins the one before with itself.
fn doubled(tables: usize) -> String {
    let mut text = "WITH c0 AS (SELECT 1 AS x)".to_owned();
    for table in 1..=tables {
        text.push_str(&format!(", c{table} AS (SELECT a.x FROM c{0} a, c{0} b)", table - 1));
    }
    format!("{text} SELECT * FROM c{tables}")
}

/// The depth of `SELECT 1`.
const SHALLOWEST: usize = 1 + SELECT_DEPTH;

#[test]
fn a_statement_at_a_bound_passes_and_one_more_is_refused() {
    let columns = |columns: usize| format!("SELECT {}", vec!["1"; columns].join(","));
    let literals = |bytes: usize| format!("SELECT '{}'", "x".repeat(bytes - "SELECT ''".len()));
    // SELECT, 1, IN and the parentheses, and a comma for each value but the first.
    let list = |tokens: usize| format!("SELECT 1 IN ({})", vec!["1"; (tokens - 4) / 2].join(","));
    // Expressions of a hundred operators each, which are not deep.
    let operators = |operators: usize| {
        let whole = vec![format!("1{}", "+1".repeat(100)); operators / 100].join(",");
        format!("SELECT {whole},1{}", "+1".repeat(operators % 100))
    };
    let relations = |relations: usize| format!("SELECT 1 FROM {}", vec!["t"; relations].join(","));
    let joins = |relations: usize| format!("SELECT 1 FROM t{}", " CROSS JOIN t".repeat(relations - 1));
    let parameters = |number: usize| format!("SELECT ${number}");
    type Make<'m> = &'m dyn Fn(usize) -> String;
    let make: [(Make<'_>, usize, Bound); 15] = [
        (&literals, STATEMENT_BYTES, Bound::Bytes),
        (&|levels| nested("(", ")", levels), NESTING, Bound::Nesting),
        (&|levels| nested("CASE WHEN ", " THEN 1 END", levels), NESTING, Bound::Nesting),
        (&|levels| nested("[", "]", levels), NESTING, Bound::Nesting),
        (&|links| chain("1", "+1", links), DEPTH - SHALLOWEST, Bound::Depth),
        (&|links| chain("'a'", "||'a'", links), DEPTH - SHALLOWEST, Bound::Depth),
        (&|links| chain("true", " OR true", links), DEPTH - SHALLOWEST, Bound::Depth),
        (&|links| chain("1", "::int", links), DEPTH - SHALLOWEST, Bound::Depth),
        (&|links| chain("a", "[1]", links), DEPTH - SHALLOWEST - 1, Bound::Depth),
        (&operators, OPERATORS, Bound::Operators),
        (&|links| chain("1", " UNION ALL SELECT 1", links), SET_OPERATIONS, Bound::SetOperations),
        (&relations, RELATIONS, Bound::Relations),
        (&joins, RELATIONS, Bound::Relations),
        (&columns, COLUMNS, Bound::Columns),
        (&parameters, PARAMETERS, Bound::Parameters),
    ];
    for (make, bound, refused) in make {
        assert_eq!(check_bounds(&make(bound)), Ok(()), "{refused:?}");
        assert_eq!(check_bounds(&make(bound + 1)), Err(refused), "{refused:?}");
    }
    assert_eq!(check_bounds(&list(TOKENS)), Ok(()));
    assert_eq!(check_bounds(&list(TOKENS + 2)), Err(Bound::Tokens));
    // Spread over nested queries, the ANDs are not deep where they stand, but the optimizer collects them.
    let condition = |ands: usize| format!("WHERE true{}", " AND true".repeat(ands));
    let ands = |ands: usize| {
        let (half, rest) = (condition(ands / 2), condition(ands - ands / 2));
        format!("SELECT 1 FROM (SELECT 1 FROM t {half}) a, (SELECT 1 FROM t {rest}) b")
    };
    assert_eq!(check_bounds(&ands(CONJUNCTIONS)), Ok(()));
    assert_eq!(check_bounds(&ands(CONJUNCTIONS + 1)), Err(Bound::Conjunctions));
}

#[test]
fn calls_inside_one_another_are_bounded_by_what_the_parser_reads() {
    let deepest = |open: &str| (1..).find(|levels| check_bounds(&nested(open, ")", *levels)).is_err());
    // The parser reads the innermost argument 2^n times, and 3^n times where a call has a syntax of its own.
    assert_eq!(deepest("abs("), Some(18));
    assert_eq!(deepest("ceil("), Some(12));
    assert_eq!(check_bounds(&nested("abs(", ")", 18)), Err(Bound::Calls));
    // Parentheses after a keyword are no call.
    assert_eq!(check_bounds(&format!("SELECT 1 WHERE {}1{}", "true AND (".repeat(30), ")".repeat(30))), Ok(()));
}

#[test]
fn a_common_table_expression_counts_as_often_as_it_is_used() {
    // 2^6 relations at the bottom, and those above them.
    assert_eq!(check_bounds(&doubled(5)), Ok(()));
    assert_eq!(check_bounds(&doubled(6)), Err(Bound::Relations));
    assert_eq!(check_bounds(&doubled(3_000)), Err(Bound::Relations));
    // A name in another place, or with a schema, is not a use.
    let columns = "WITH c (x, y) AS NOT MATERIALIZED (SELECT 1, 2) SELECT c.x, c.y, x AS c FROM s.c, c";
    assert_eq!(check_bounds(columns), Ok(()));
    let definition = |operators: usize| {
        let deep = format!("1{}", "+1".repeat(operators));
        format!("WITH \"A\" AS (SELECT {deep} AS x), b AS (SELECT x{} FROM (a)) SELECT * FROM b", "+x".repeat(400))
    };
    assert_eq!(check_bounds(&definition(400)), Ok(()));
    assert_eq!(check_bounds(&definition(600)), Err(Bound::Depth));
}

#[test]
fn ordinary_statements_keep_the_bounds() {
    for text in [
        "",
        ";;",
        "SELECT",
        "'",
        ")) END END ((",
        "SELECT extract(year FROM time), trim(both ' ' FROM x) FROM events WHERE a IS DISTINCT FROM b",
        "SELECT * EXCEPT (data) FROM events e, LATERAL (SELECT 1) x WHERE e.case = 1 ORDER BY 1, 2",
        "SELECT catalog.schema.table.column.field, $1, $1, $1 FROM events WINDOW w AS (PARTITION BY id)",
        "EXPLAIN ANALYZE SELECT 1",
    ] {
        assert_eq!(check_bounds(text), Ok(()), "{text}");
    }
    // Each statement of a text has bounds of its own.
    let two = format!("{0}; {0}", chain("1", "+1", DEPTH - SHALLOWEST));
    assert_eq!(check_bounds(&two), Ok(()));
    let many_in_list = format!("SELECT x FROM t WHERE x IN ({})", vec!["'abc'"; 20_000].join(", "));
    assert_eq!(check_bounds(&many_in_list), Ok(()));
    // So are negative numbers and casts in lists, but not other operators.
    for value in ["-1", "+1.5", "'2026-01-01'::date", "-1::int"] {
        let list = vec![value; OPERATORS + 1].join(", ");
        assert_eq!(check_bounds(&format!("SELECT x FROM t WHERE x IN ({list})")), Ok(()), "{value}");
        let rows = vec![format!("({value})"); OPERATORS + 1].join(", ");
        assert_eq!(check_bounds(&format!("VALUES {rows}")), Ok(()), "{value}");
    }
    for value in ["- x", "-(1)", "2-1", "- -1"] {
        let list = vec![value; OPERATORS + 1].join(", ");
        assert_eq!(check_bounds(&format!("SELECT x FROM t WHERE x IN ({list})")), Err(Bound::Operators), "{value}");
    }
}

#[test]
fn a_refusal_says_the_bound_and_what_to_do() {
    assert_eq!(
        Bound::Bytes.to_string(),
        "the statement has more than 262144 bytes; shorten it, or pass long values as parameters"
    );
    assert!(Bound::Relations.to_string().contains("100"));
    assert!(Bound::Calls.to_string().contains("subquery"));
}

fn pieces() -> impl Strategy<Value = Vec<&'static str>> {
    let piece = prop::sample::select(vec![
        "SELECT",
        "FROM",
        "WHERE",
        "AND",
        "OR",
        "UNION",
        "ALL",
        "JOIN",
        "WITH",
        "AS",
        "CASE",
        "WHEN",
        "THEN",
        "END",
        "IN",
        "NOT",
        "(",
        ")",
        "[",
        "]",
        ",",
        ";",
        ".",
        "+",
        "||",
        "::",
        "a",
        "b",
        "\"A\"",
        "f",
        "ceil",
        "1",
        "'x'",
        "$1",
        "$99",
        "$0",
        "DISTINCT",
        "LATERAL",
        "MATERIALIZED",
        "*",
        "->>",
        "{",
        "}",
    ]);
    prop::collection::vec(piece, 0..300)
}

proptest! {
    #[test]
    fn blanks_and_comments_change_nothing(pieces in pieces()) {
        let plain = check_bounds(&pieces.join(" "));
        prop_assert_eq!(plain, check_bounds(&pieces.join("\n\t  ")));
        prop_assert_eq!(plain, check_bounds(&pieces.join(" /* + ( SELECT */ ")));
    }

    #[test]
    fn no_text_panics(text in ".{0,400}") {
        let _ = check_bounds(&text);
    }

    #[test]
    fn operators_are_bounded_in_a_chain_and_in_the_statement(columns in 1..60_usize, operators in 0..1_100_usize) {
        let text = format!("SELECT {}", vec![format!("1{}", "+1".repeat(operators)); columns].join(","));
        let expected = if 2 * columns * (operators + 1) > TOKENS {
            Err(Bound::Tokens)
        } else if columns * operators > OPERATORS {
            Err(Bound::Operators)
        } else if operators > DEPTH - SHALLOWEST {
            Err(Bound::Depth)
        } else {
            Ok(())
        };
        prop_assert_eq!(check_bounds(&text), expected);
    }
}
