//! Statements that run, statements that are refused, and the access records.

use std::sync::atomic::Ordering;

use holdfast_query::{AccessKind, Outcome};
use serde_json::{Value, json};

use crate::server::{Server, problem_of};

#[tokio::test(flavor = "multi_thread")]
async fn without_an_access_record_no_row_is_returned() {
    let server = Server::start().await;
    server.audit_trail.is_unavailable.store(true, Ordering::SeqCst);
    for request in [
        server.post(&json!({"statement": "SELECT id FROM events"})),
        server.get("/v1/sessions/S-1"),
        server.get("/v1/reports/count?type=chat.line"),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "1");
        let text = response.text().await.unwrap();
        assert!(text.contains("\"unrecorded\"") && !text.contains("e-1"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_values_and_never_sql() {
    let server = Server::start().await;
    let count = async |condition: &str, parameters: Value| {
        let statement = format!("SELECT count(*) AS n FROM events WHERE {condition}");
        let response = server.post(&json!({"statement": statement, "parameters": parameters})).send().await.unwrap();
        if response.status() == 200 {
            Ok(response.json::<Value>().await.unwrap()["rows"][0]["n"].as_i64().unwrap())
        } else {
            Err(problem_of(response).await)
        }
    };
    assert_eq!(count("id = $1", json!(["e-1"])).await, Ok(1));
    for injection in ["e-1' OR '1'='1", "' OR 1=1 --", "$1", "\\' OR true", "e-1\u{0}"] {
        assert_eq!(count("id = $1", json!([injection])).await, Ok(0), "{injection}");
    }
    assert_eq!(count("kafka_offset >= $1 AND kafka_offset < $2", json!([5, "7"])).await, Ok(2));
    let time = json!([{"type": "timestamp", "value": "2026-05-10T10:00:15+02:00"}]);
    assert_eq!(count("time >= $1", time).await, Ok(5));
    assert_eq!(count("time >= $1", json!(["2026-05-10T08:00:15Z"])).await, Ok(5));
    for (condition, wrong) in
        [("id = $1", json!(["a", "b"])), ("kafka_offset = $1", json!(["many"])), ("id = $1", json!([["a"]]))]
    {
        assert_eq!(count(condition, wrong).await, Err((400, "invalid_parameter".to_owned())), "{condition}");
    }
    assert_eq!(count("id = $1", json!([])).await.unwrap_err().0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_statements_that_read_are_run() {
    let server = Server::start().await;
    for (statement, reason) in [
        ("DROP TABLE events", "read_only"),
        ("INSERT INTO events VALUES (1)", "read_only"),
        ("COPY events TO '/tmp/x'", "read_only"),
        ("SELECT", "invalid_statement"),
        ("SELECT 1; SELECT 2", "invalid_statement"),
        ("SELECT nothing FROM events", "invalid_statement"),
        ("SELECT * FROM '/etc/passwd'", "invalid_statement"),
    ] {
        assert_eq!(problem_of(server.sql(statement).await).await, (400, reason.to_owned()), "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_a_statement_is_told_with_its_place_and_a_hint() {
    let server = Server::start().await;
    let problem: Value = server.sql("SELECT 'ä', agnt FROM events").await.json().await.unwrap();
    assert_eq!(problem["detail"], "column \"agnt\" does not exist");
    assert_eq!((&problem["sqlstate"], &problem["position"]), (&json!("42703"), &json!(13)));
    assert_eq!(problem["hint"], "Perhaps you meant to reference the column \"events.agent\".");
    let problem: Value = server.sql("SELECT 1 +").await.json().await.unwrap();
    assert_eq!(problem["detail"], "syntax error at end of input");
    assert_eq!(problem["position"], 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn withheld_columns_are_null_and_named_in_notices() {
    let server = Server::start().await;
    let post = |statement: &str, format: &str| {
        let url = format!("{}/v1/sql?format={format}", server.base);
        server.client.post(url).bearer_auth("manager").json(&json!({"statement": statement}))
    };
    let response = post("SELECT id, data FROM events LIMIT 1", "json").send().await.unwrap();
    assert!(response.headers().contains_key("holdfast-notice"));
    let answer: Value = response.json().await.unwrap();
    assert!(answer["notices"][0].as_str().unwrap().contains("`data`"), "{answer}");
    assert_eq!(answer["rows"][0]["data"], Value::Null);
    let response = post("SELECT id, data FROM events LIMIT 1", "csv").send().await.unwrap();
    assert!(response.headers()["holdfast-notice"].to_str().unwrap().contains("`data`"));
    let response = post("SELECT id FROM events WHERE data LIKE '%x%'", "json").send().await.unwrap();
    assert_eq!(problem_of(response).await, (403, "withheld".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_line_of_a_session_is_recorded_as_viewed() {
    let server = Server::start().await;
    let timeline: Value = server.get("/v1/sessions/S-1?purpose=complaint").send().await.unwrap().json().await.unwrap();
    assert_eq!(timeline["row_count"], 10);
    let (_, record) = server.audit_trail.begun().remove(0);
    assert_eq!((record.kind, record.purpose.as_deref()), (AccessKind::Viewed, Some("complaint")));
    assert_eq!(server.audit_trail.outcomes(1).await, [Outcome::Complete]);
    assert_eq!(
        problem_of(server.get("/v1/sessions/none").send().await.unwrap()).await,
        (404, "unknown_session".to_owned())
    );
    let twice = server.get("/v1/sessions/S-1?purpose=a").header("holdfast-purpose", "b").send().await.unwrap();
    assert_eq!(problem_of(twice).await.1, "duplicate_purpose");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_statements_with_arguments() {
    let server = Server::start().await;
    let list: Value = server.get("/v1/reports").send().await.unwrap().json().await.unwrap();
    assert_eq!(list["reports"][0]["name"], "count");
    let csv = server.get("/v1/reports/count?type=chat.line&format=csv").send().await.unwrap();
    assert_eq!(csv.text().await.unwrap(), "events\n20\n");
    let plot = server.get("/v1/reports/count?type=chat.line&format=svg").send().await.unwrap();
    assert_eq!(plot.headers()["content-type"], "image/svg+xml");
    assert!(plot.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    assert!(plot.text().await.unwrap().contains("<text>1</text>"));
    for (target, status) in [("none?type=x", 404), ("count", 400), ("count?kind=x", 400)] {
        let response = server.get(&format!("/v1/reports/{target}")).send().await.unwrap();
        assert_eq!(problem_of(response).await.0, status, "{target}");
    }
}
