//! Errors of statements, compared with PostgreSQL's.
//!
//! `errors.tsv` has a statement in each line, and what PostgreSQL 15 says about it over a table of the same columns: the SQLSTATE,
//! the position, the message. Three more fields follow where Holdfast says something else.

use crate::fixture::{Fixture, MAY, event};
use holdfast_query::{QueryError, Session, StatementError};
use serde_json::{Value, json};

/// Words of libraries and of Rust that no error may have.
const FOREIGN: [&str; 40] = [
    "Error during planning",
    "DataFusion",
    "datafusion",
    "ParserError",
    "SQL error",
    "Schema error",
    "Arrow error",
    "External error",
    "Execution error",
    "Internal error",
    "Optimizer",
    "optimizer",
    "caused by",
    "type_coercion",
    "backtrace",
    "sqlparser",
    "Utf8",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt",
    "Float64",
    "Float32",
    "Decimal128",
    "Decimal256",
    "Timestamp(",
    "Interval(",
    "Duration(",
    "Date32",
    "Time64",
    "List(",
    "Struct(",
    "Some(",
    "None",
    "Expr",
    "::{",
    "{ ",
    "Column: ",
    "Did you mean",
];

async fn archive() -> Fixture {
    let mut fixture = Fixture::empty();
    let line = |n: usize| -> Value {
        let data = json!({"seq": n, "sender": "agent", "text": format!("line {n}")});
        event("chat.line", &format!("e{n}"), "S-1", "2026-05-10T08:00:00Z", data)
    };
    fixture.write(MAY, &[line(1), line(2), line(3)]).await;
    fixture
}

/// The error of a statement. `None` if it is answered.
async fn error_of(session: &Session, statement: &str) -> Option<QueryError> {
    match session.sql(statement).await {
        Err(error) => Some(error),
        Ok(result) => result.collect().await.err(),
    }
}

async fn statement_error(session: &Session, statement: &str) -> StatementError {
    match error_of(session, statement).await {
        Some(QueryError::Statement(error)) => *error,
        other => panic!("{statement}: {other:?}"),
    }
}

/// The SQLSTATE, the position and the message.
fn told(error: &StatementError) -> [String; 3] {
    let position = error.position.map_or(String::new(), |position| position.to_string());
    [error.state.to_owned(), position, error.message.clone()]
}

fn assert_no_foreign_words(statement: &str, error: &StatementError) {
    for text in [Some(&error.message), error.hint.as_ref(), error.detail.as_ref()].into_iter().flatten() {
        for word in FOREIGN {
            assert!(!text.contains(word), "{statement}: {text}");
        }
        assert!(!text.contains('\n') && !text.is_empty(), "{statement}: {text:?}");
    }
    assert_eq!(error.state.len(), 5, "{statement}");
}

#[tokio::test]
async fn a_wrong_statement_is_told_as_postgresql_tells_it() {
    let session = archive().await.as_officer();
    let mut different = Vec::new();
    let answers = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/query/errors.tsv")).unwrap();
    for line in answers.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (statement, expected) = (fields[0], if fields.len() > 4 { &fields[4..7] } else { &fields[1..4] });
        let told = match error_of(&session, statement).await {
            Some(QueryError::Statement(error)) => {
                assert_no_foreign_words(statement, &error);
                told(&error)
            }
            Some(other) => [String::new(), String::new(), other.to_string()],
            None => [String::new(), String::new(), "it is answered".to_owned()],
        };
        if told != expected {
            different.push(format!("{line}\t{}", told.join("\t")));
        }
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

#[tokio::test]
async fn the_nearest_names_are_hints() {
    let session = archive().await.as_officer();
    for (statement, hint) in [
        ("select agnt from events", "Perhaps you meant to reference the column \"events.agent\"."),
        ("select e.agnt from events e", "Perhaps you meant to reference the column \"e.agent\"."),
        ("select event.id from events", "Perhaps you meant to reference the table \"events\"."),
        ("select events.id from events e", "Perhaps you meant to reference the table alias \"e\"."),
        ("select 1 from evnts", "Perhaps you meant \"events\"."),
        ("select 1 from archive.sesions", "Perhaps you meant \"sessions\"."),
        ("select uper(id) from events", "Perhaps you meant the function \"upper\"."),
        ("selct 1", "Perhaps you meant \"SELECT\"."),
    ] {
        let error = statement_error(&session, statement).await;
        assert_eq!(error.hint.as_deref(), Some(hint), "{statement}: {error:?}");
    }
    let error = statement_error(&session, "select colour from events").await;
    assert_eq!(error.hint, None, "no column is called so");
}

#[tokio::test]
async fn a_name_that_occurs_twice_has_the_place_of_the_wrong_one() {
    let session = archive().await.as_officer();
    let statement =
        "select 'agnt', x.agnt\nfrom (select agent as agnt from events) x where agnt > ''\norder by x.agnt, agnts";
    let error = statement_error(&session, statement).await;
    assert_eq!(error.message, "column \"agnts\" does not exist");
    assert_eq!(error.position, Some(statement.find("agnts").unwrap() + 1));
    let statement = "select 'äöü😀', agnt from events where agnt = 'x'";
    let error = statement_error(&session, statement).await;
    // Conditions are planned before what is selected.
    assert_eq!(error.position, Some(39));
}

/// The errors of rows come when the statement runs.
#[tokio::test]
async fn an_error_of_a_row_points_to_the_constant_that_caused_it() {
    let session = archive().await.as_officer();
    let result = session.sql("select kafka_offset / 0 from events").await;
    let error = match result {
        Ok(result) => result.collect().await.unwrap_err(),
        Err(error) => error,
    };
    assert!(matches!(&error, QueryError::Statement(error) if error.state == "22012"), "{error:?}");
}
