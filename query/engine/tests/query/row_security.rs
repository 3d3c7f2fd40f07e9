//! Callers with some visible rows, who try to read others.

use crate::fixture::{Fixture, MAY, error, event, rows};
use holdfast_events::Tier;
use holdfast_query::{Rows, Scope, Session, Visibility};
use serde_json::json;

/// Two sessions by two agents through two portals, and what belongs to no session.
async fn archive() -> Fixture {
    let mut fixture = Fixture::empty();
    let at = |minute: u32| format!("2026-05-10T08:{minute:02}:00Z");
    let mut events = Vec::new();
    for (number, (session, agent, portal)) in
        [("S-1", "ann", "help"), ("S-2", "bea", "sales/vip")].into_iter().enumerate()
    {
        let id = |kind: &str| format!("{session}-{kind}");
        let minute = 10 * number as u32;
        events.extend([
            event(
                "session.requested",
                &id("r"),
                session,
                &at(minute),
                json!({"portal": portal, "mode": "web", "account": format!("account-{agent}")}),
            ),
            event(
                "session.started",
                &id("s"),
                session,
                &at(minute + 1),
                json!({"agent_id": agent, "customer_id": "c"}),
            ),
            event(
                "chat.line",
                &id("c"),
                session,
                &at(minute + 2),
                json!({"seq": 0, "sender": "agent", "text": format!("secret of {agent}")}),
            ),
            event(
                "survey.submitted",
                &id("v"),
                session,
                &at(minute + 3),
                json!({"rating": 1 + 3 * number, "feedback": format!("words about {agent}")}),
            ),
        ]);
    }
    events.push(event("agent.presence", "p", "bea", &at(30), json!({"state": "available"})));
    events.push(event(
        "archive.queried",
        "q",
        "compliance",
        &at(31),
        json!({"user": "compliance", "statement": "select 'bea'"}),
    ));
    fixture.write(MAY, &events).await;
    fixture.write_dead_letter("unreadable", b"bea").await;
    fixture
}

fn bounded(fixture: &Fixture, portals: Option<&[&str]>, agents: Option<&[&str]>) -> Session {
    let own = |names: Option<&[&str]>| names.map(|names| names.iter().map(ToString::to_string).collect());
    let scope = Scope { portals: own(portals), agents: own(agents) };
    let visibility = Visibility::new(Tier::ALL, Rows::Sessions(scope));
    fixture.as_officer().for_caller(vec![fixture.officer.clone()], visibility)
}

#[tokio::test]
async fn only_rows_of_sessions_in_the_scope_are_visible() {
    let fixture = archive().await;
    for (portals, agents) in [(Some(&["help"][..]), None), (None, Some(&["ann"][..]))] {
        let session = bounded(&fixture, portals, agents);
        assert_eq!(rows(&session, "select session, agent, rating from sessions").await, ["S-1|ann|1"]);
        assert_eq!(rows(&session, "select distinct subject from events").await, ["S-1"]);
        assert_eq!(rows(&session, "select text from chat_lines").await, ["secret of ann"]);
        assert_eq!(rows(&session, "select count(*) from events").await, ["4"]);
        assert_eq!(rows(&session, "select count(*) from dead_letters").await, ["0"]);
        assert_eq!(rows(&session, "select count(*) from session_states").await, ["1"]);
    }
    // A portal includes its sub-portals.
    let sales = bounded(&fixture, Some(&["sales"]), None);
    assert_eq!(rows(&sales, "select session from sessions").await, ["S-2"]);
    let none = bounded(&fixture, Some(&["sale"]), None);
    assert_eq!(rows(&none, "select count(*) from events").await, ["0"]);
    let nothing =
        fixture.as_officer().for_caller(vec![fixture.officer.clone()], Visibility::new(Tier::ALL, Rows::None));
    for table in ["events", "sessions", "dead_letters", "chat_lines", "duplicates"] {
        assert_eq!(rows(&nothing, &format!("select count(*) from {table}")).await, ["0"], "{table}");
    }
}

#[tokio::test]
async fn a_session_that_enters_the_scope_becomes_visible() {
    let mut fixture = archive().await;
    let session = bounded(&fixture, None, Some(&["ann"]));
    assert_eq!(rows(&session, "select count(*) from sessions").await, ["1"]);
    let data = json!({"from_agent": "bea", "to_agent": "ann"});
    fixture.write(MAY, &[event("session.transferred", "t", "S-2", "2026-05-10T08:20:00Z", data)]).await;
    assert_eq!(rows(&session, "select session from sessions order by session").await, ["S-1", "S-2"]);
    assert_eq!(rows(&session, "select count(*) from events where subject = 'S-2'").await, ["5"]);
}

/// No statement shows a row of another session, or that the row exists.
#[tokio::test]
async fn no_statement_reveals_rows_that_are_not_visible() {
    let mut fixture = archive().await;
    let session = bounded(&fixture, None, Some(&["ann"]));
    // An error on an invisible row would reveal its content. A filter of the statement that runs first would raise it.
    for sql in [
        "select count(*) from events where 1 / (case when subject = 'S-2' then 0 else 1 end) = 1",
        "select count(*) from events where cast(case when data like '%bea%' then 'x' else '1' end as int) = 1",
        "select count(*) from sessions where 10 / (4 - rating) >= 0",
        "select count(*) from (select * from events where 1 / (case when subject = 'S-2' then 0 else 1 end) = 1 limit 5)",
        "select count(*) from events e join sessions s on s.session = e.subject and 1 / (4 - s.rating) <> 7",
        "select max(1 / (4 - rating)) from sessions",
        "select count(*) from chat_lines where arrow_cast(case when text like '%bea%' then 'x' else '1' end, 'Int64') = 1",
    ] {
        let answer = rows(&session, sql).await;
        assert_eq!(answer.len(), 1, "{sql}: {answer:?}");
    }
    // Naming an invisible row does not make it visible.
    for sql in [
        "select * from events where subject = 'S-2'",
        "select * from sessions where session = 'S-2' or agent = 'bea'",
        "select * from events where subject in (select session from sessions where agent = 'bea')",
        "select * from duplicates where subject = 'S-2'",
        "select * from events e where exists (select 1 from events o where o.subject = 'S-2')",
        "select * from diagnostics union all select * from diagnostics where session = 'S-2'",
        "with recursive r as (select subject, 1 as n from events where subject = 'S-2' union all select subject, n + 1 from r where n < 3) select * from r",
        "select * from events where subject not in (select session from sessions)",
    ] {
        assert_eq!(rows(&session, sql).await, Vec::<String>::new(), "{sql}");
    }
    for sql in [
        "explain select * from events where subject = 'S-2'",
        "explain verbose select * from sessions where rating > 3",
        "explain analyze select count(*) from events",
        "explain analyze select * from sessions",
        "explain analyze verbose select * from chat_lines",
        "explain format tree select * from events",
        "show tables",
        "select * from information_schema.columns",
        "select * from information_schema.views",
        "show all",
        "select min(subject), max(subject), approx_distinct(subject) from events",
    ] {
        let shown = rows(&session, sql).await.join("\n");
        for secret in ["S-2", "bea", "sales", "general/", "file-2"] {
            let is_in_statement = sql.contains(secret);
            assert!(is_in_statement || !shown.contains(secret), "{sql} reveals {secret}:\n{shown}");
        }
        // The total number of rows is not revealed either.
        assert!(!shown.contains("output_rows=10"), "{sql}:\n{shown}");
    }
    // An invisible session is indistinguishable from one that does not exist, also by the number of files read.
    let data = json!({"seq": 1, "sender": "agent", "text": "more"});
    fixture.write(MAY, &[event("chat.line", "more", "S-2", "2026-05-10T08:13:00Z", data)]).await;
    let plan = async |id: &str| {
        rows(&session, &format!("explain select count(*) from events where subject = '{id}'")).await.join("\n")
    };
    assert_eq!(plan("S-2").await, plan("S-9").await.replace("S-9", "S-2"));
    let both = "select distinct subject from events where subject in ('S-1', 'S-2')";
    assert_eq!(rows(&session, both).await, ["S-1"]);
    for sql in ["select * from events where 1 / (rating - rating) = 1", "select cast(data as int) from events"] {
        let message = error(&session, sql).await.to_string();
        assert!(!message.contains("bea") && !message.contains("S-2"), "{message}");
    }
}

#[tokio::test]
async fn tiers_outside_the_visibility_are_withheld_whatever_the_keys_open() {
    let fixture = archive().await;
    let visibility = Visibility::new([Tier::Operational], Rows::All);
    let manager = fixture.as_officer().for_caller(vec![fixture.officer.clone()], visibility);
    assert_eq!(rows(&manager, "select count(*) from events").await, ["10"]);
    assert_eq!(rows(&manager, "select data from events where id = 'S-1-c'").await, [""]);
    assert_eq!(rows(&manager, "select feedback from sessions where session = 'S-1'").await, [""]);
    for sql in [
        "select count(*) from events where data like '%secret%'",
        "select count(data) from events",
        "select count(*) from sessions where feedback like '%bea%'",
        "select text from chat_lines order by text",
        "select max(personal) from events",
    ] {
        let refused = error(&manager, sql).await;
        assert!(matches!(refused, holdfast_query::QueryError::Withheld { .. }), "{sql}: {refused}");
    }
}
