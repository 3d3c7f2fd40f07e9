//! Authentication, permissions, methods and formats.

use reqwest::Method;
use serde_json::{Value, json};

use crate::server::{Server, problem_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_valid_credentials_is_refused() {
    let server = Server::start().await;
    for (method, target) in [
        (Method::POST, "/v1/sql"),
        (Method::GET, "/v1/statements"),
        (Method::DELETE, "/v1/statements/x"),
        (Method::GET, "/v1/sessions/S-1"),
        (Method::GET, "/v1/reports"),
        (Method::GET, "/v1/reports/count"),
    ] {
        let url = format!("{}{target}", server.base);
        let bare = server.client.request(method.clone(), &url).send().await.unwrap();
        assert_eq!(bare.headers().get_all("www-authenticate").iter().count(), 2, "{target}");
        assert_eq!(problem_of(bare).await, (401, "missing_credentials".to_owned()), "{target}");
        let wrong = server.client.request(method, &url).bearer_auth("nobody").send().await.unwrap();
        assert_eq!(problem_of(wrong).await, (401, "invalid_credentials".to_owned()), "{target}");
    }
    assert!(server.audit_trail.begun().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_has_a_status_and_a_time_to_retry() {
    let server = Server::start().await;
    for (token, status, wait) in
        [("ingest", 403, None), ("throttled", 429, Some("42")), ("unavailable", 503, Some("1"))]
    {
        let request = server.client.post(format!("{}/v1/sql", server.base)).bearer_auth(token);
        let response = request.json(&json!({"statement": "SELECT 1"})).send().await.unwrap();
        assert_eq!(response.status(), status);
        let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap());
        assert_eq!(retry_after, wait);
    }
    let basic = server.client.post(format!("{}/v1/sql", server.base)).basic_auth("officer", Some("right"));
    let response = basic
        .json(&json!({"statement": "SELECT 1 AS one FROM events LIMIT 1", "purpose": "audit"}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["rows"], json!([{"one": 1}]));
    let (user, record) = server.audit_trail.begun().remove(0);
    assert_eq!((user.name.as_str(), user.remote.as_deref()), ("officer", Some("127.0.0.1")));
    assert_eq!(
        (record.statement.as_str(), record.purpose.as_deref()),
        ("SELECT 1 AS one FROM events LIMIT 1", Some("audit"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_without_the_permissions_for_reports_and_time_lines_is_refused_and_recorded() {
    let server = Server::start().await;
    let get = |target: &str| server.client.get(format!("{}{target}", server.base)).bearer_auth("monitor").send();
    for target in ["/v1/reports/count?type=chat.line", "/v1/sessions/S-1"] {
        assert_eq!(problem_of(get(target).await.unwrap()).await, (403, "forbidden".to_owned()), "{target}");
    }
    let denied = server.audit_trail.denied();
    assert_eq!(denied.len(), 2);
    assert!(denied.iter().all(|denial| denial.user == "monitor" && denial.reason == "no_permission"), "{denied:?}");
    assert!(server.audit_trail.begun().is_empty());
    assert_eq!(get("/v1/reports").await.unwrap().status(), 200);
    let statement = json!({"statement": "SELECT count(*) AS n FROM events"});
    let sql = server.client.post(format!("{}/v1/sql", server.base)).bearer_auth("monitor").json(&statement);
    assert_eq!(sql.send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_and_formats_are_refused() {
    let server = Server::start().await;
    for (method, target, status) in [
        (Method::GET, "/v1/sql", 405),
        (Method::HEAD, "/v1/sql", 405),
        (Method::PUT, "/v1/sql", 405),
        (Method::OPTIONS, "/v1/sql", 204),
        (Method::HEAD, "/v1/sessions/S-1", 405),
        (Method::HEAD, "/v1/reports/count", 405),
        (Method::HEAD, "/v1/reports", 200),
        (Method::POST, "/v1/statements", 405),
    ] {
        let request = server.client.request(method.clone(), format!("{}{target}", server.base)).bearer_auth("officer");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {target}");
        assert_eq!(response.headers().contains_key("allow"), status != 200, "{method} {target}");
        assert_eq!(response.headers()["cache-control"], "no-store");
    }
    let post = || server.post(&json!({"statement": "SELECT 1"}));
    assert_eq!(problem_of(post().header("accept", "text/html").send().await.unwrap()).await.0, 406);
    assert_eq!(problem_of(post().query(&[("format", "xlsx")]).send().await.unwrap()).await.0, 400);
    for site in ["cross-site", "same-site", "new-word", ""] {
        let response = post().header("sec-fetch-site", site).send().await.unwrap();
        assert_eq!(problem_of(response).await.1, "cross_site", "{site}");
    }
    for site in ["same-origin", "none"] {
        assert_eq!(post().header("sec-fetch-site", site).send().await.unwrap().status(), 200, "{site}");
    }
    assert_eq!(problem_of(post().header("x-long", "x".repeat(40_000)).send().await.unwrap()).await.0, 431);
    let form = server.client.post(format!("{}/v1/sql", server.base)).bearer_auth("officer").form(&[("q", "SELECT 1")]);
    assert_eq!(problem_of(form.send().await.unwrap()).await.0, 415);
    assert!(server.audit_trail.begun().is_empty());
}
