//! Statements that are executed again: their plans are kept, and what they answer is of their own time, values and caller.

use crate::fixture::{Fixture, MAY, error, event, lines, rows, rows_and_notices};
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use datafusion::common::ScalarValue;
use holdfast_events::Tier;
use holdfast_query::{QueryError, Rows, Scope, Session, Visibility};
use serde_json::json;

fn line(id: &str, subject: &str, seq: u64, text: &str) -> serde_json::Value {
    let data = json!({"seq": seq, "sender": "customer", "visibility": "all", "text": text});
    event("chat.line", id, subject, "2026-05-10T08:00:00Z", data)
}

async fn archive() -> Fixture {
    let mut fixture = Fixture::empty();
    fixture.write(MAY, &[line("1", "S-1", 1, "one"), line("2", "S-2", 1, "two"), line("3", "S-2", 2, "three")]).await;
    fixture
}

async fn with(session: &Session, sql: &str, values: Vec<ScalarValue>) -> Vec<String> {
    let result = session.sql_with(sql, values).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    lines(result).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

const CHAT: &str = "select session, seq, text from chat_lines where session = $1 order by seq";

#[tokio::test]
async fn each_execution_reads_the_archive_as_it_is_and_has_its_own_values() {
    let mut fixture = archive().await;
    let session = fixture.as_officer();
    for _ in 0..2 {
        assert_eq!(with(&session, CHAT, vec!["S-1".into()]).await, ["S-1|1|one"]);
        assert_eq!(with(&session, CHAT, vec!["S-2".into()]).await, ["S-2|1|two", "S-2|2|three"]);
        assert_eq!(with(&session, CHAT, vec!["S-3".into()]).await, Vec::<String>::new());
    }
    fixture.write(MAY, &[line("4", "S-1", 2, "later")]).await;
    assert_eq!(with(&session, CHAT, vec!["S-1".into()]).await, ["S-1|1|one", "S-1|2|later"]);
}

#[tokio::test]
async fn a_value_of_another_type_or_without_one_is_another_statement() {
    let session = archive().await.as_officer();
    let sql = "select id from events where seq = $1 or $1 is null order by id";
    for _ in 0..2 {
        assert_eq!(with(&session, sql, vec![ScalarValue::Int32(Some(2))]).await, ["3"]);
        assert_eq!(with(&session, sql, vec![ScalarValue::Int64(Some(2))]).await, ["3"]);
        assert_eq!(with(&session, sql, vec![ScalarValue::Int64(None)]).await, ["1", "2", "3"]);
    }
}

#[tokio::test]
async fn counts_of_rows_are_values() {
    let session = archive().await.as_officer();
    let sql = "select id from events order by id desc limit $1 offset $2";
    for (limit, offset, expected) in [(Some(1), 0, vec!["3"]), (Some(2), 1, vec!["2", "1"]), (None, 2, vec!["1"])] {
        let values = vec![ScalarValue::Int64(limit), ScalarValue::Int64(Some(offset))];
        assert_eq!(with(&session, sql, values).await, expected);
    }
    let negative = vec![ScalarValue::Int64(Some(-1)), ScalarValue::Int64(Some(0))];
    let error = session.sql_with(sql, negative).await.unwrap_err();
    assert!(error.to_string().contains("LIMIT must not be negative"), "{error}");
}

#[tokio::test]
async fn the_time_is_that_of_each_execution() {
    let session = archive().await.as_officer();
    let now = async || {
        let result = session.sql("select now() as moment from events limit 1").await.unwrap();
        let batches = result.collect().await.unwrap();
        batches[0].column(0).as_primitive::<TimestampMicrosecondType>().value(0)
    };
    let first = now().await;
    assert!(now().await > first);
    let recent = "select count(*) from events where time > now() - interval '1000 years' and time < now()";
    for _ in 0..2 {
        assert_eq!(rows(&session, recent).await, ["3"]);
    }
}

#[tokio::test]
async fn callers_get_what_they_may_see() {
    let fixture = archive().await;
    let officer = fixture.as_officer();
    let (shown, computed) =
        ("select seq, text from chat_lines order by session, seq", "select upper(text) from chat_lines");
    let scope = Scope { portals: None, agents: Some(Vec::new()) };
    let own = fixture.officer.clone();
    let nobody = officer.for_caller(vec![own.clone()], Visibility::new(Tier::ALL, Rows::Sessions(scope)));
    let operational = officer.for_caller(vec![own], Visibility::new([Tier::Operational], Rows::All));
    let manager = officer.for_caller(vec![fixture.manager.clone()], Visibility::new(Tier::ALL, Rows::All));
    for _ in 0..2 {
        assert_eq!(
            rows_and_notices(&officer, shown).await,
            (vec!["1|one".into(), "1|two".into(), "2|three".into()], vec![])
        );
        assert_eq!(rows(&nobody, shown).await, Vec::<String>::new());
        for withheld in [&operational, &manager] {
            let (rows, notices) = rows_and_notices(withheld, shown).await;
            assert_eq!((rows, notices.len()), (vec!["1|".into(), "1|".into(), "2|".into()], 1));
            let refused = error(withheld, computed).await;
            assert!(matches!(&refused, QueryError::Withheld { column, .. } if column == "text"), "{refused:?}");
        }
        assert_eq!(rows(&officer, computed).await.len(), 3);
    }
}

#[tokio::test]
async fn sessions_that_are_named_in_the_text_are_values() {
    let mut fixture = archive().await;
    let session = fixture.as_officer();
    let chat = |name: &str| CHAT.replace("$1", &format!("'{name}'"));
    for _ in 0..2 {
        assert_eq!(rows(&session, &chat("S-1")).await, ["S-1|1|one"]);
        assert_eq!(rows(&session, &chat("S-2")).await, ["S-2|1|two", "S-2|2|three"]);
        assert_eq!(rows(&session, &chat("it''s")).await, Vec::<String>::new());
    }
    let both = "select a.text, b.text from chat_lines a, chat_lines b where a.session = '{}' and b.session = '{}' order by 1, 2";
    let both = |a: &str, b: &str| both.replacen("{}", a, 1).replacen("{}", b, 1);
    for _ in 0..2 {
        assert_eq!(rows(&session, &both("S-1", "S-1")).await, ["one|one"]);
        assert_eq!(rows(&session, &both("S-1", "S-2")).await, ["one|three", "one|two"]);
        assert_eq!(rows(&session, &both("S-2", "S-1")).await, ["three|one", "two|one"]);
    }
    fixture.write(MAY, &[line("4", "S-1", 2, "later")]).await;
    assert_eq!(rows(&session, &chat("S-1")).await, ["S-1|1|one", "S-1|2|later"]);
}

#[tokio::test]
async fn a_constant_keeps_its_meaning_where_another_column_is_called_a_session() {
    let session = archive().await.as_officer();
    let numbers = |value: &str| {
        format!("select count(*) from (select seq as session from chat_lines) t where session = '{value}'")
    };
    let moments = |value: &str| {
        format!("select count(*) from (select time as subject from chat_lines) t where subject = '{value}' and true")
    };
    for _ in 0..2 {
        assert_eq!(rows(&session, &numbers("1")).await, ["2"]);
        assert_eq!(rows(&session, &numbers(" 2 ")).await, ["1"]);
        let error = error(&session, &numbers("S-1")).await;
        assert!(error.to_string().contains("invalid input syntax"), "{error}");
        assert_eq!(rows(&session, &moments("2026-05-10 10:00+02")).await, ["3"]);
        assert_eq!(rows(&session, &moments("infinity")).await, ["0"]);
    }
    let unknown = error(&session, "select nothing from chat_lines where session = 'S-1'").await;
    assert!(unknown.to_string().contains("nothing"), "{unknown}");
}
