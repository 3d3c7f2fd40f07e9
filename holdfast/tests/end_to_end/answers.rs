//! A server's doors, from the outside: users who see what they may, reports, and every look on record.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::place::{LIMIT, Place, stop};
use crate::sender::Sender;

/// A session of a portal: asked for, started and ended, with a line of chat and a rating.
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

/// Who asks over HTTP.
struct Asker<'p> {
    place: &'p Place,
    client: Client,
}

impl Asker<'_> {
    /// Status and body of a request with a password.
    async fn get(&self, user: &str, password: &str, target: &str) -> (StatusCode, String) {
        let request = self.client.get(format!("http://{}{target}", self.place.http)).basic_auth(user, Some(password));
        let response = request.send().await.expect("the server answers");
        (response.status(), response.text().await.expect("the whole answer"))
    }

    /// The rows of a statement.
    async fn rows(&self, user: &str, password: &str, statement: &str) -> Value {
        let url = format!("http://{}/v1/sql", self.place.http);
        let request = self.client.post(url).basic_auth(user, Some(password));
        let response = request.json(&json!({ "statement": statement, "purpose": "weekly numbers" })).send().await;
        let response = response.expect("the server answers");
        let (status, text) = (response.status(), response.text().await.expect("the whole answer"));
        assert_eq!(status, StatusCode::OK, "{statement}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
        answer["rows"].clone()
    }
}

/// Makes a user with a password, and returns the password.
async fn user(place: &Place, name: &str, options: &[&str]) -> String {
    let _ = place.run(&[&["users", "add", name], options].concat()).await.success();
    let _ = place.run(&["users", "password", name]).await.success();
    std::fs::read_to_string(place.secret(&format!("{name}.password"))).expect("a password").trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_see_what_they_may_and_every_look_is_on_record() {
    let place = Place::new().await.in_a_hurry();
    let kim = user(&place, "kim", &["--role", "manager", "--portal", "emea"]).await;
    let bell = user(&place, "bell", &["--role", "alerting"]).await;
    let server = place.serve().await;
    let sender = Sender::new(&place);
    for (id, portal, rating) in [("s-1", "emea/help", 5), ("s-2", "apac/help", 1), ("s-3", "emea", 4)] {
        sender.batch(&session(id, portal, rating)).await;
    }
    let asker = Asker { place: &place, client: Client::builder().no_proxy().timeout(LIMIT).build().unwrap() };
    let deadline = tokio::time::Instant::now() + LIMIT;
    while place.number("SELECT count(*) AS n FROM archive.sessions WHERE rating IS NOT NULL").await < 3 {
        assert!(tokio::time::Instant::now() < deadline, "the sessions do not come");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    // One portal and what is below it, by statement and by report; no content and no name.
    let seen = asker.rows("kim", &kim, "SELECT session, rating FROM sessions ORDER BY session").await;
    assert_eq!(seen, json!([{ "session": "s-1", "rating": 5 }, { "session": "s-3", "rating": 4 }]));
    let told = asker.rows("kim", &kim, "SELECT session, text FROM chat_lines ORDER BY session").await;
    assert_eq!(told, json!([{ "session": "s-1", "text": null }, { "session": "s-3", "text": null }]));
    let (status, report) = asker.get("kim", &kim, "/v1/reports/ratings-by-portal?format=csv").await;
    assert_eq!(status, StatusCode::OK, "{report}");
    assert!(report.contains("emea/help") && !report.contains("apac"), "{report}");
    let (status, plot) = asker.get("kim", &kim, "/v1/reports/busiest-hours?format=svg").await;
    assert!(status == StatusCode::OK && plot.starts_with("<svg"), "{status}: {plot}");

    // Refused: what the role is not for, a wrong password, and whoever was disabled a moment ago.
    let (status, _) = asker.get("bell", &bell, "/v1/reports/busiest-hours").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, _) = asker.get("kim", "not the password", "/v1/reports").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let _ = place.run(&["users", "disable", "kim"]).await.success();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while asker.get("kim", &kim, "/v1/reports").await.0 != StatusCode::UNAUTHORIZED {
        assert!(tokio::time::Instant::now() < deadline, "a disabled user is still let in");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let listed = place.run(&["users", "list"]).await.success();
    assert!(listed.contains("kim") && listed.contains("emea") && listed.contains("disabled"), "{listed}");

    // On the machine that has the keys, with the same text of the report.
    let report = place.run(&["report", "ratings-by-portal", "--format", "csv", "--purpose", "review"]).await.success();
    assert!(report.contains("apac/help"), "{report}");
    let unknown = place.run(&["report", "ratings-by-colour"]).await;
    assert_eq!(unknown.status.code(), Some(2), "{}", unknown.stderr);
    assert!(unknown.stderr.contains("did you mean `ratings-by-portal`"), "{}", unknown.stderr);

    // Nobody writes records of looks from outside.
    let mut forged = session("s-9", "emea", 1).remove(0);
    forged["type"] = "archive.queried".into();
    assert_eq!(sender.event(&forged).await.status(), StatusCode::FORBIDDEN);

    let log = "SELECT \"user\", role, interface, outcome, purpose, rows, reason, statement FROM archive.access_log \
               WHERE \"user\" IN ('kim', 'bell') OR statement LIKE '%Ratings by portal%' ORDER BY time";
    let looks = loop {
        let looks = place.sql(log).await;
        let ended = looks.iter().all(|look| !look["outcome"].is_null());
        if ended && looks.iter().any(|look| look["role"] == "local") {
            break looks;
        }
        assert!(tokio::time::Instant::now() < deadline + LIMIT, "looks are missing: {looks:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    let has = |expected: &[(&str, Value)]| {
        looks.iter().any(|look| expected.iter().all(|(name, value)| look[*name] == *value))
    };
    for expected in [
        &[
            ("user", json!("kim")),
            ("interface", json!("http")),
            ("outcome", json!("complete")),
            ("rows", json!(2)),
            ("purpose", json!("weekly numbers")),
        ][..],
        &[("user", json!("bell")), ("outcome", json!("refused")), ("reason", json!("no_right"))],
        &[("user", json!("kim")), ("outcome", json!("refused")), ("reason", json!("wrong_secret"))],
        &[("user", json!("kim")), ("outcome", json!("refused")), ("reason", json!("disabled"))],
        &[("role", json!("local")), ("interface", json!("cli")), ("purpose", json!("review"))],
    ] {
        assert!(has(expected), "{expected:?} is not in {looks:#?}");
    }
    // A customer may ask who saw them: kim saw no protected data, the command on the machine with all keys did.
    let disclosed = place.run(&["report", "disclosures", "--customer", "account-s-2", "--json"]).await.success();
    assert!(!disclosed.contains("kim"), "{disclosed}");

    // The table that all of this came from can be made anew.
    stop(server).await;
    let before = place.sql("SELECT * FROM archive.sessions ORDER BY session").await;
    let rebuilt = place.run(&["sessions", "rebuild", "--json"]).await.success();
    let rebuilt: Value = serde_json::from_str(&rebuilt).unwrap();
    assert_eq!(rebuilt["sessions"], 3, "{rebuilt}");
    assert_eq!(place.sql("SELECT * FROM archive.sessions ORDER BY session").await, before);
}
