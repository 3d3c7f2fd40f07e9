use super::*;
use crate::pushdown::expression::{can_filter, count_values};
use crate::remote::circuit_breaker::SystemClock;
use crate::remote::database::Database;
use crate::remote::driver::BoundValue;
use crate::settings::{CrmSettings, OdbcDialect, Secret, Source, TableMapping};
use arrow_schema::DataType;
use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::prelude::{col, lit};
use std::time::Duration;

fn tickets() -> RemoteTable {
    let columns = [("ticket", "number"), ("opened_at", "opened"), ("owner", "owner_name")];
    let mapping = TableMapping {
        name: "tickets".to_owned(),
        from: "ticket".to_owned(),
        columns: columns.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())).into(),
    };
    let settings = CrmSettings {
        source: Source::Odbc { connection_string: Secret::new("Driver=none"), dialect: OdbcDialect::Generic },
        timeout: Duration::from_secs(1),
        connections: 1,
        tables: vec![mapping.clone()],
    };
    let database = Database::new(&settings, Arc::new(SystemClock)).unwrap().expect("a database");
    RemoteTable::tickets(Arc::new(database), &mapping, TableReference::bare("ticket"))
}

/// A scan of the tickets' numbers.
fn scan(filters: Vec<Expr>) -> LogicalPlanBuilder {
    let source = provider_as_source(Arc::new(tickets()));
    LogicalPlanBuilder::scan_with_filters_fetch("tickets", source, Some(vec![0]), filters, Some(7)).unwrap()
}

fn written(plan: LogicalPlanBuilder, dialect: SqlDialect, binds_values: bool) -> Result<RemoteStatement> {
    write(&plan.build().unwrap(), dialect, binds_values, &|table| Ok(table.assumed_columns()))
}

/// The statement for the tickets for which `filter` is true, with bound values.
fn sent(filter: Expr) -> RemoteStatement {
    written(scan(vec![filter]), SqlDialect::Generic, true).unwrap()
}

fn text(value: &str) -> BoundValue {
    BoundValue::Text(value.to_owned())
}

#[test]
fn no_value_changes_the_text_of_a_statement_with_bound_values() {
    let plain = sent(col("owner").eq(lit("plain")));
    assert_eq!(plain.values, [text("plain")]);
    assert!(plain.sql.contains("= ?)") && !plain.sql.contains('\''), "{}", plain.sql);
    let long = "\\'".repeat(500_000);
    for value in [
        "",
        r"\' OR 1=1 -- ",
        r"\",
        "'",
        "''",
        "\"",
        "`",
        ";",
        "a\0b",
        "?",
        "?0",
        "{fn user()}",
        "N'x'",
        "/* */",
        "李雷 🦀",
        &long,
    ] {
        let statement = sent(col("owner").eq(lit(value)));
        assert_eq!(statement.sql, plain.sql);
        assert_eq!(statement.values, [text(value)]);
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_bound_as_it_is(value in proptest::string::string_regex("(?s)(.|['\"`\\\\;?\0]){0,20}").expect("a pattern")) {
        for dialect in [SqlDialect::Generic, SqlDialect::SqlServer, SqlDialect::Oracle, SqlDialect::Db2] {
            let statement = written(scan(vec![col("owner").eq(lit(value.as_str()))]), dialect, true).expect("a statement");
            proptest::prop_assert_eq!(statement.values, [text(&value)]);
            proptest::prop_assert!(!statement.sql.contains('\''));
        }
    }
}

#[test]
fn values_of_all_kinds_are_bound_in_the_order_of_their_markers() {
    let filter = col("owner")
        .in_list(vec![lit("b"), lit("a")], false)
        .and(col("ticket").not_eq(lit("T-1")))
        .and(lit(-5_i64).lt(lit(ScalarValue::Decimal128(Some(1075), 10, 2))))
        .and(lit(0.5_f64).lt(lit(1e300)))
        .and(col("ticket").is_null().or(col("owner").eq(lit(ScalarValue::Utf8(None)))));
    let statement = sent(filter);
    let decimal = |digits: &str, precision, scale| BoundValue::Decimal { digits: digits.to_owned(), precision, scale };
    let expected = [
        text("b"),
        text("a"),
        text("T-1"),
        BoundValue::Integer(-5),
        decimal("10.75", 4, 2),
        decimal("0.5", 2, 1),
        BoundValue::Float(1e300),
    ];
    assert_eq!(statement.values, expected);
    assert_eq!(statement.sql.matches('?').count(), expected.len(), "{}", statement.sql);
    assert!(statement.sql.contains("CAST(? AS DECIMAL(4,2))"), "{}", statement.sql);
    // A limit is a number of SQL, not a value.
    assert!(statement.sql.ends_with("FETCH FIRST 7 ROWS ONLY"), "{}", statement.sql);
}

#[test]
fn a_time_is_bound_as_a_text_that_the_statement_casts() {
    let time = lit(ScalarValue::TimestampMicrosecond(Some(1), Some("UTC".into())));
    let statement = written(scan(vec![col("opened_at").gt_eq(time)]), SqlDialect::Postgres, true).unwrap();
    assert!(statement.sql.contains(">= CAST(? AS TIMESTAMP)"), "{}", statement.sql);
    assert_eq!(statement.values, [text("1970-01-01 00:00:00.000001+00")]);
}

#[test]
fn a_condition_on_groups_is_bound_but_no_value_within_an_aggregate() {
    let groups = scan(vec![col("owner").eq(lit("x"))]).aggregate(vec![col("ticket")], vec![count(lit(1_i64))]).unwrap();
    let size = Expr::Column(Column::new_unqualified("count(Int64(1))"));
    let plan = groups.filter(size.gt(lit(2_i64))).unwrap().project(vec![col("ticket")]).unwrap();
    let statement = written(plan, SqlDialect::Generic, true).unwrap();
    assert!(statement.sql.contains("HAVING") && statement.sql.contains("count(1) > ?"), "{}", statement.sql);
    assert_eq!(statement.values, [text("x"), BoundValue::Integer(2)]);
}

#[test]
fn a_text_outside_a_condition_is_not_sent_where_values_are_bound() {
    let plan = || scan(vec![]).project(vec![lit("x").alias("kind")]).unwrap();
    let error = written(plan(), SqlDialect::Generic, true).unwrap_err();
    assert!(matches!(CrmError::of(&error), Some(CrmError::Unsendable { .. })), "{error}");
    let statement = written(plan(), SqlDialect::Postgres, false).unwrap();
    assert!(statement.sql.contains("'x'") && statement.values.is_empty(), "{}", statement.sql);
}

#[test]
fn a_text_that_a_driver_could_cut_or_refuse_is_compared_in_the_engine() {
    let schema = Schema::new(vec![Field::new("owner", DataType::Utf8, true)]);
    for dialect in [SqlDialect::Postgres, SqlDialect::MySql, SqlDialect::Sqlite, SqlDialect::Generic] {
        let is_sent = |value: &str| can_filter(&col("owner").eq(lit(value)), &schema, dialect);
        assert!(is_sent("") && is_sent(r"\' OR 1=1 -- ") && is_sent(&"🦀".repeat(2000)));
        assert!(!is_sent("a\0b") && !is_sent("\0") && !is_sent(&"🦀".repeat(2001)) && !is_sent(&"x".repeat(1 << 20)));
    }
}

#[test]
fn values_are_counted_wherever_they_are() {
    assert_eq!(count_values(&col("owner")), 0);
    let filter = col("owner").in_list(vec![lit("a"), lit("b")], true).or(col("ticket").eq(lit(ScalarValue::Null)));
    assert_eq!(count_values(&filter), 3);
}
