//! A server's query interfaces: the visibility of each user, reports, and the audit trail.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::installation::{Installation, TIMEOUT, stop};
use crate::sender::Sender;

/// A session of a portal: requested, started and ended, with a line of chat and a rating.
fn session(id: &str, portal: &str, rating: i64) -> Vec<Value> {
    let event = |minute: u32, event_type: &str, data: Value| {
        json!({
            "specversion": "1.0", "id": format!("{id}-{event_type}"), "source": "urn:holdfast:sender",
            "type": event_type, "subject": id, "time": format!("2026-11-20T10:{minute:02}:00Z"),
            "agent": "a-1", "portal": portal, "customer": format!("account-{id}"), "data": data,
        })
    };
    vec![
        event(0, "session.requested", json!({ "portal": portal, "mode": "web" })),
        event(2, "session.started", json!({ "agent_id": "a-1", "customer_name": "Rosa Luft" })),
        event(3, "chat.line", json!({ "seq": 0, "sender": "customer", "text": "my printer is on fire" })),
        event(9, "session.ended", json!({ "ended_by": "agent", "resolution": "resolved" })),
        event(12, "survey.submitted", json!({ "rating": rating, "feedback": "thank you" })),
    ]
}

/// An HTTP client of the query interface.
struct QueryClient<'i> {
    installation: &'i Installation,
    client: Client,
}

impl QueryClient<'_> {
    /// Status and body of a request with a password.
    async fn get(&self, user: &str, password: &str, target: &str) -> (StatusCode, String) {
        let request =
            self.client.get(format!("http://{}{target}", self.installation.query)).basic_auth(user, Some(password));
        let response = request.send().await.expect("the server answers");
        (response.status(), response.text().await.expect("the whole body"))
    }

    /// The rows of a statement.
    async fn rows(&self, user: &str, password: &str, statement: &str) -> Value {
        let url = format!("http://{}/v1/sql", self.installation.query);
        let request = self.client.post(url).basic_auth(user, Some(password));
        let response = request.json(&json!({ "statement": statement, "purpose": "weekly numbers" })).send().await;
        let response = response.expect("the server answers");
        let (status, text) = (response.status(), response.text().await.expect("the whole body"));
        assert_eq!(status, StatusCode::OK, "{statement}: {text}");
        let result: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        result["rows"].clone()
    }
}

/// Adds a user with a password, and returns the password.
async fn user(installation: &Installation, name: &str, options: &[&str]) -> String {
    let _ = installation.run(&[&["users", "add", name], options].concat()).await.success();
    let _ = installation.run(&["users", "password", name]).await.success();
    std::fs::read_to_string(installation.secret(&format!("{name}.password"))).expect("a password").trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_outside_a_users_scope_are_not_visible_and_every_access_is_recorded() {
    let installation = Installation::new().await.with_short_intervals();
    let kim = user(&installation, "kim", &["--role", "manager", "--portal", "emea"]).await;
    let bell = user(&installation, "bell", &["--role", "alerting"]).await;
    let server = installation.serve().await;
    let sender = Sender::new(&installation);
    for (id, portal, rating) in [("s-1", "emea/help", 5), ("s-2", "apac/help", 1), ("s-3", "emea", 4)] {
        sender.batch(&session(id, portal, rating)).await;
    }
    let queries = QueryClient {
        installation: &installation,
        client: Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap(),
    };
    let deadline = tokio::time::Instant::now() + TIMEOUT;
    while installation.number("SELECT count(*) AS n FROM archive.sessions WHERE rating IS NOT NULL").await < 3 {
        assert!(tokio::time::Instant::now() < deadline, "the sessions are not in SQL in time");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    // One portal and those below it, by statement and by report; no content and no name.
    let visible = queries.rows("kim", &kim, "SELECT session, rating FROM sessions ORDER BY session").await;
    assert_eq!(visible, json!([{ "session": "s-1", "rating": 5 }, { "session": "s-3", "rating": 4 }]));
    let chat = queries.rows("kim", &kim, "SELECT session, text FROM chat_lines ORDER BY session").await;
    assert_eq!(chat, json!([{ "session": "s-1", "text": null }, { "session": "s-3", "text": null }]));
    let (status, report) = queries.get("kim", &kim, "/v1/reports/ratings-by-portal?format=csv").await;
    assert_eq!(status, StatusCode::OK, "{report}");
    assert!(report.contains("emea/help") && !report.contains("apac"), "{report}");
    let (status, plot) = queries.get("kim", &kim, "/v1/reports/busiest-hours?format=svg").await;
    assert!(status == StatusCode::OK && plot.starts_with("<svg"), "{status}: {plot}");

    // Refused: a role without the privilege, a wrong password, and a user who was just disabled.
    let (status, _) = queries.get("bell", &bell, "/v1/reports/busiest-hours").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = queries.get("kim", "not the password", "/v1/reports").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let _ = installation.run(&["users", "disable", "kim"]).await.success();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while queries.get("kim", &kim, "/v1/reports").await.0 != StatusCode::UNAUTHORIZED {
        assert!(tokio::time::Instant::now() < deadline, "a disabled user is still authenticated");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let listed = installation.run(&["users", "list"]).await.success();
    assert!(listed.contains("kim") && listed.contains("emea") && listed.contains("disabled"), "{listed}");

    // The command on the machine with the keys runs the same report.
    let report =
        installation.run(&["report", "ratings-by-portal", "--format", "csv", "--purpose", "review"]).await.success();
    assert!(report.contains("apac/help"), "{report}");
    let unknown = installation.run(&["report", "ratings-by-colour"]).await;
    assert_eq!(unknown.status.code(), Some(2), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("did you mean `ratings-by-portal`"), "{}", unknown.stderr);

    // The gateway refuses forged access records.
    let mut forged = session("s-9", "emea", 1).remove(0);
    forged["type"] = "archive.queried".into();
    assert_eq!(sender.event(&forged).await.status(), StatusCode::FORBIDDEN);

    let log = "SELECT \"user\", role, interface, outcome, purpose, rows, reason, statement FROM archive.access_log \
               WHERE \"user\" IN ('kim', 'bell') OR statement LIKE '%Ratings by portal%' ORDER BY time";
    let records = loop {
        let records = installation.sql(log).await;
        let ended = records.iter().all(|record| !record["outcome"].is_null());
        if ended && records.iter().any(|record| record["role"] == "local") {
            break records;
        }
        assert!(tokio::time::Instant::now() < deadline + TIMEOUT, "access records are missing: {records:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let has = |expected: &[(&str, Value)]| {
        records.iter().any(|record| expected.iter().all(|(name, value)| record[*name] == *value))
    };
    for expected in [
        &[
            ("user", json!("kim")),
            ("interface", json!("http")),
            ("outcome", json!("complete")),
            ("rows", json!(2)),
            ("purpose", json!("weekly numbers")),
        ][..],
        &[("user", json!("bell")), ("outcome", json!("refused")), ("reason", json!("no_permission"))],
        &[("user", json!("kim")), ("outcome", json!("refused")), ("reason", json!("wrong_secret"))],
        &[("user", json!("kim")), ("outcome", json!("refused")), ("reason", json!("disabled"))],
        &[("role", json!("local")), ("interface", json!("cli")), ("purpose", json!("review"))],
    ] {
        assert!(has(expected), "{expected:?} is not in {records:#?}");
    }
    // The accounting of disclosures: kim had no access to protected columns. Statements on the machine with all keys are
    // told with their texts, which name kim.
    let disclosed = installation.run(&["report", "disclosures", "--customer", "account-s-2", "--json"]).await.success();
    let disclosed: Vec<Value> = serde_json::from_str(&disclosed).unwrap();
    assert!(disclosed.iter().all(|access| access["recipient"] != "kim"), "{disclosed:?}");

    // The table of sessions can be rebuilt from the events.
    stop(server).await;
    let before = installation.sql("SELECT * FROM archive.sessions ORDER BY session").await;
    let rebuilt = installation.run(&["sessions", "rebuild", "--json"]).await.success();
    let rebuilt: Value = serde_json::from_str(&rebuilt).unwrap();
    assert_eq!(rebuilt["sessions"], 3, "{rebuilt}");
    assert_eq!(installation.sql("SELECT * FROM archive.sessions ORDER BY session").await, before);
}
