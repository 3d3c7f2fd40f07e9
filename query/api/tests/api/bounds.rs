//! Limits, cancellation, clients that disconnect or stop reading, and incomplete responses.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_api::ApiSettings;
use holdfast_query::Outcome;
use serde_json::{Value, json};

use crate::server::{MILLION, Server, problem_of};

#[tokio::test(flavor = "multi_thread")]
async fn the_lower_limit_applies() {
    let server = Server::with(ApiSettings { max_rows: 10, ..ApiSettings::default() }).await;
    let post = |statement: &str, limits: Value| server.post(&json!({"statement": statement, "limits": limits}));
    let all = "SELECT id FROM events";
    assert_eq!(problem_of(server.sql(all).await).await, (413, "too_many_rows".to_owned()));
    assert_eq!(problem_of(post(all, json!({"rows": 100})).send().await.unwrap()).await.0, 413);
    assert_eq!(
        problem_of(post("SELECT id FROM events LIMIT 3", json!({"rows": 2})).send().await.unwrap()).await.0,
        413
    );
    assert_eq!(post("SELECT id FROM events LIMIT 3", json!({"rows": 3})).send().await.unwrap().status(), 200);
    let long = format!(
        "SELECT sum(sin(m.n * k.v)) AS s FROM ({MILLION}) m CROSS JOIN (SELECT unnest(range(0, 100000)) AS v) k"
    );
    assert_eq!(
        problem_of(post(&long, json!({"seconds": 0.2})).send().await.unwrap()).await,
        (504, "statement_timeout".to_owned())
    );
    let large = server.post(&json!({"statement": "x".repeat(2 << 20)})).send().await.unwrap();
    assert_eq!(problem_of(large).await, (413, "body_too_large".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_disconnects_ends_its_statement() {
    let server = Server::start().await;
    let mut response = server.sql(MILLION).await;
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    assert_eq!(server.audit_trail.outcomes(1).await, [Outcome::Cancelled]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_is_disconnected() {
    let server = Server::with(ApiSettings { read_timeout: Duration::from_millis(200), ..ApiSettings::default() }).await;
    let mut response = server.sql(MILLION).await;
    assert_eq!(server.audit_trail.outcomes(1).await, [Outcome::Cancelled]);
    let rest = async {
        while let Some(part) = response.chunk().await? {
            drop(part);
        }
        Ok::<_, reqwest::Error>(())
    };
    assert!(rest.await.is_err(), "a body without its end must not be complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_user_of_a_statement_can_cancel_it() {
    let server = Server::with(ApiSettings { max_statements_per_user: 1, ..ApiSettings::default() }).await;
    let response = server.sql(MILLION).await;
    let id = response.headers()["holdfast-statement"].to_str().unwrap().to_owned();
    let list: Value = server.get("/v1/statements").send().await.unwrap().json().await.unwrap();
    assert_eq!(list["statements"][0]["id"], id.as_str());
    let second = server.sql("SELECT 1").await;
    assert_eq!(second.headers()["retry-after"], "1");
    assert_eq!(problem_of(second).await, (429, "user_statements".to_owned()));

    let delete = |token: &str| server.client.delete(format!("{}/v1/statements/{id}", server.base)).bearer_auth(token);
    assert_eq!(problem_of(delete("manager").send().await.unwrap()).await.0, 404);
    assert_eq!(delete("officer").send().await.unwrap().status(), 204);
    let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(answer["error"]["reason"], "cancelled");
    assert_eq!(answer["rows"].as_array().unwrap().len() as u64, answer["row_count"].as_u64().unwrap());
    assert_eq!(server.audit_trail.outcomes(1).await, [Outcome::Cancelled]);
    // It is taken off the list when its task has ended, which may be after its body has.
    let listed = async || -> Value { server.get("/v1/statements").send().await.unwrap().json().await.unwrap() };
    let empty = async {
        while listed().await["statements"] != json!([]) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), empty).await.expect("a cancelled statement stays on the list");
    assert_eq!(server.sql("SELECT 1").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_statement_ends_when_the_account_of_its_user_changes() {
    let server = Server::start().await;
    // The client does not read, so the statement waits for it.
    let response = server.sql(MILLION).await;
    server.audit_trail.is_account_changed.store(true, Ordering::SeqCst);
    assert_eq!(server.audit_trail.outcomes(1).await, [Outcome::Cancelled]);
    let answer: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(answer["error"]["reason"], "cancelled");
    let denied = async {
        while server.audit_trail.denied().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.audit_trail.denied()
    };
    let denied = tokio::time::timeout(Duration::from_secs(60), denied).await.expect("the refusal is recorded");
    assert_eq!(denied.len(), 1);
    assert_eq!((denied[0].user.as_str(), denied[0].reason.as_str()), ("officer", "disabled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_begins_after_the_account_of_its_user_changed() {
    let server = Server::start().await;
    // The user is authenticated; the change follows before the statement begins.
    server.audit_trail.is_account_changed.store(true, Ordering::SeqCst);
    let refused = (401, "invalid_credentials".to_owned());
    assert_eq!(problem_of(server.sql("SELECT id FROM events").await).await, refused);
    for target in ["/v1/sessions/S-1", "/v1/reports/count?type=chat.line"] {
        assert_eq!(problem_of(server.get(target).send().await.unwrap()).await, refused, "{target}");
    }
    let reasons: Vec<String> = server.audit_trail.denied().into_iter().map(|denial| denial.reason).collect();
    assert_eq!(reasons, ["disabled"; 3]);
    assert!(server.audit_trail.begun().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_after_the_first_rows_is_reported_or_leaves_the_body_incomplete() {
    let server = Server::start().await;
    let failing = format!("SELECT 1 / (n - 900000) AS x, md5(CAST(n AS varchar)) AS filling FROM ({MILLION}) m");
    let fetch = async |format: &str| {
        let request = server.post(&json!({"statement": failing})).query(&[("format", format)]);
        let response = request.send().await.unwrap();
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
    assert_eq!(server.audit_trail.outcomes(5).await, [Outcome::Failed; 5]);
    // Before the first rows it has a status.
    assert_eq!(problem_of(server.sql("SELECT 1 / (kafka_offset - 5) AS x FROM events").await).await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_is_too_large_or_too_deep_is_refused_with_its_bound() {
    let server = Server::start().await;
    let sum = |operators: usize| format!("SELECT 1{}", "+1".repeat(operators));
    for (statement, status, reason) in [
        (sum(2_000), 400, "statement_too_complex"),
        (sum(200_000), 413, "statement_too_large"),
        ("SELECT repeat('x', 2000000000)".to_owned(), 400, "function_limit"),
    ] {
        assert_eq!(problem_of(server.sql(&statement).await).await, (status, reason.to_owned()));
    }
    // Also where the values are cast to the types that the statement expects.
    let described = json!({"statement": format!("{}+$1", sum(2_000)), "parameters": [1]});
    let refused = problem_of(server.post(&described).send().await.unwrap()).await;
    assert_eq!(refused, (400, "statement_too_complex".to_owned()));
    assert_eq!(server.sql("SELECT 1").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_a_statement_includes_waiting_to_be_planned() {
    let settings = ApiSettings { statement_timeout: Duration::from_millis(300), ..ApiSettings::default() };
    let server = Server::with(settings).await;
    // These have all places that one user may have, until `release` is dropped.
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let (begin, mut begun) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..16 {
        let (session, released, begin) = (server.officer.clone(), Arc::clone(&released), begin.clone());
        tokio::spawn(async move {
            let work = move || {
                begin.send(()).unwrap();
                let _ = released.lock().unwrap().recv();
            };
            session.on_statement_thread(work).await.unwrap();
        });
    }
    for _ in 0..4 {
        begun.recv().await.unwrap();
    }
    let late = (504, "statement_timeout".to_owned());
    for request in [
        server.post(&json!({"statement": "SELECT id FROM events WHERE id = $1", "parameters": ["e-1"]})),
        server.get("/v1/sessions/S-1"),
    ] {
        let answer = tokio::time::timeout(Duration::from_secs(20), request.send()).await.expect("it ends in time");
        assert_eq!(problem_of(answer.unwrap()).await, late);
    }
    drop(release);
}
