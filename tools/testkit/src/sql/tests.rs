use super::*;
use std::collections::BTreeSet;

#[test]
fn statements_differ_and_have_every_part_of_the_grammar() {
    let statements: BTreeSet<String> = (0..4_000).map(|seed| statement(&mut Choices::seeded(seed))).collect();
    assert!(statements.len() > 3_900, "{}", statements.len());
    for part in [
        "WITH r",
        " UNION ",
        " JOIN ",
        " GROUP BY ",
        " OVER (",
        "EXPLAIN ",
        " FILTER (",
        "generate_series(",
        "CASE WHEN",
    ] {
        assert!(statements.iter().filter(|statement| statement.contains(part)).count() > 10, "{part}");
    }
    for (table, columns) in RELATIONS {
        assert!(statements.iter().any(|statement| statement.contains(table)), "{table}");
        assert!(!columns.is_empty());
    }
}

#[test]
fn a_statement_ends_whatever_the_bytes_are() {
    for bytes in [&[][..], &[0; 3], &[0xff; 4_096], &[31, 7], &[30; 40]] {
        assert!(!statement(&mut Choices::of(bytes)).is_empty());
    }
}

#[test]
fn hostile_statements_are_below_and_beyond_the_bound_of_their_text() {
    let lengths: Vec<usize> = (0..500).map(|seed| hostile(&mut Choices::seeded(seed)).len()).collect();
    assert!(lengths.iter().any(|length| *length > 256 << 10) && lengths.iter().any(|length| *length < 100));
    assert_ne!(worst(0), worst(1));
}
