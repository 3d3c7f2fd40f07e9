//! Limits, cancelling, readers that go away or stall, and answers that break off.

use std::time::Duration;

use holdfast_api::ApiSettings;
use holdfast_query::Outcome;
use serde_json::{Value, json};

use crate::server::{MILLION, Server, refusal};

#[tokio::test(flavor = "multi_thread")]
async fn the_lower_limit_holds() {
    let server = Server::with(ApiSettings { most_rows: 10, ..ApiSettings::default() }).await;
    let ask = |statement: &str, limits: Value| server.ask(&json!({"statement": statement, "limits": limits}));
    let all = "SELECT id FROM events";
    assert_eq!(refusal(server.sql(all).await).await, (413, "too_many_rows".to_owned()));
    assert_eq!(refusal(ask(all, json!({"rows": 100})).send().await.unwrap()).await.0, 413);
    assert_eq!(refusal(ask("SELECT id FROM events LIMIT 3", json!({"rows": 2})).send().await.unwrap()).await.0, 413);
    assert_eq!(ask("SELECT id FROM events LIMIT 3", json!({"rows": 3})).send().await.unwrap().status(), 200);
    let long = format!(
        "SELECT sum(sin(m.n * k.v)) AS s FROM ({MILLION}) m CROSS JOIN (SELECT unnest(range(0, 100000)) AS v) k"
    );
    assert_eq!(
        refusal(ask(&long, json!({"seconds": 0.2})).send().await.unwrap()).await,
        (504, "statement_timeout".to_owned())
    );
    let large = server.ask(&json!({"statement": "x".repeat(2 << 20)})).send().await.unwrap();
    assert_eq!(refusal(large).await, (413, "body_too_large".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_ends_the_statement() {
    let server = Server::start().await;
    let mut response = server.sql(MILLION).await;
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    assert_eq!(server.book.outcomes(1).await, [Outcome::Cancelled]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_reader_is_cut_off() {
    let server = Server::with(ApiSettings { read_timeout: Duration::from_millis(200), ..ApiSettings::default() }).await;
    let mut response = server.sql(MILLION).await;
    assert_eq!(server.book.outcomes(1).await, [Outcome::Cancelled]);
    let rest = async {
        while let Some(part) = response.chunk().await? {
            drop(part);
        }
        Ok::<_, reqwest::Error>(())
    };
    assert!(rest.await.is_err(), "a body that lacks its end must not seem whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_sender_can_cancel_a_statement() {
    let server = Server::with(ApiSettings { most_statements_per_user: 1, ..ApiSettings::default() }).await;
    let response = server.sql(MILLION).await;
    let id = response.headers()["holdfast-statement"].to_str().unwrap().to_owned();
    let list: Value = server.get("/v1/statements").send().await.unwrap().json().await.unwrap();
    assert_eq!(list["statements"][0]["id"], id.as_str());
    let second = server.sql("SELECT 1").await;
    assert_eq!(second.headers()["retry-after"], "1");
    assert_eq!(refusal(second).await, (429, "user_statements".to_owned()));

    let delete = |token: &str| server.client.delete(format!("{}/v1/statements/{id}", server.base)).bearer_auth(token);
    assert_eq!(refusal(delete("manager").send().await.unwrap()).await.0, 404);
    assert_eq!(delete("officer").send().await.unwrap().status(), 204);
    let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(answer["error"]["reason"], "cancelled");
    assert_eq!(answer["rows"].as_array().unwrap().len() as u64, answer["row_count"].as_u64().unwrap());
    assert_eq!(server.book.outcomes(1).await, [Outcome::Cancelled]);
    let list: Value = server.get("/v1/statements").send().await.unwrap().json().await.unwrap();
    assert_eq!(list["statements"], json!([]));
    assert_eq!(server.sql("SELECT 1").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_after_the_first_rows_is_seen() {
    let server = Server::start().await;
    let failing = format!("SELECT 1 / (n - 900000) AS x, md5(CAST(n AS varchar)) AS filling FROM ({MILLION}) m");
    let fetch = async |format: &str| {
        let ask = server.ask(&json!({"statement": failing})).query(&[("format", format)]);
        let response = ask.send().await.unwrap();
        assert_eq!(response.status(), 200, "{format}");
        response.bytes().await
    };
    let answer: Value = serde_json::from_slice(&fetch("json").await.unwrap()).unwrap();
    assert_eq!(answer["error"]["reason"], "invalid_statement");
    assert!(answer["row_count"].as_u64().unwrap() < 1_000_000);
    let lines = fetch("ndjson").await.unwrap();
    let last = lines.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap();
    let last: Value = serde_json::from_slice(last).unwrap();
    assert_eq!(last["$error"]["reason"], "invalid_statement");
    for format in ["csv", "arrow", "parquet"] {
        assert!(fetch(format).await.is_err(), "{format}");
    }
    assert_eq!(server.book.outcomes(5).await, [Outcome::Failed; 5]);
    // Before the first rows it has a status.
    assert_eq!(refusal(server.sql("SELECT 1 / (kafka_offset - 5) AS x FROM events").await).await.0, 400);
}
