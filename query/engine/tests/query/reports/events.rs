//! The events that the reports read: eight sessions, seven tickets, two agents, two devices and seven accesses.
//!
//! ```text
//! session  day       from   waited  handled  portal    queue  ticket  agent  outcome     rating
//! S-1      10 May    08:00      60      600  web/vip   fast   T-1     ann    resolved    5, yes
//! S-2      10 May    08:30     120    1,200  web/vip   fast   T-2     ann    unresolved  2, no
//! S-3      10 May    09:00     300      600  web/shop  slow   T-2     bea    resolved    -
//! S-4      10 May    09:10      90        -  web/shop  slow   T-4     -      abandoned   -
//! S-5      10 May    10:00      30        -  web/shop  -      T-5     bea    open        -
//! S-6      10 June   08:00      10      300  web/vip   fast   T-1     ann    unknown     4, -
//! S-7      10 June       -       -      900  -         -      T-404   bea    resolved    -
//! S-8      10 June   08:20       -        -  web/shop  slow   -       -      waiting     -
//! ```
//!
//! 10 May 2026 is a Sunday, 10 June a Wednesday. S-1 to S-3 are of the customer acme, S-4 of globex.

use crate::fixture::{Fixture, JUNE, MAY, event};
use serde_json::{Value, json};

/// An event's envelope with more attributes.
fn with(mut event: Value, attributes: &[(&str, &str)]) -> Value {
    for (name, value) in attributes {
        event[*name] = json!(value);
    }
    event
}

fn may(time: &str) -> String {
    format!("2026-05-10T{time}Z")
}

fn june(time: &str) -> String {
    format!("2026-06-10T{time}Z")
}

fn requested(session: &str, time: &str, portal: &str, attributes: &[(&str, &str)]) -> Value {
    let data = json!({"portal": portal, "mode": "web"});
    with(event("session.requested", &format!("{session}-requested"), session, time, data), attributes)
}

fn queued(session: &str, time: &str, queue: &str) -> Value {
    event("session.queued", &format!("{session}-queued"), session, time, json!({"queue": queue, "position": 1}))
}

fn started(session: &str, time: &str, agent: &str) -> Value {
    let data = json!({"agent_id": agent, "customer_id": format!("customer of {session}")});
    event("session.started", &format!("{session}-start"), session, time, data)
}

fn ended(session: &str, time: &str, resolution: &str) -> Value {
    let data = json!({"ended_by": "agent", "resolution": resolution});
    event("session.ended", &format!("{session}-end"), session, time, data)
}

fn survey(session: &str, time: &str, data: Value) -> Value {
    event("survey.submitted", &format!("{session}-survey"), session, time, data)
}

fn ticket(kind: &str, ticket: &str, time: &str, data: Value) -> Value {
    event(&format!("ticket.{kind}"), &format!("{ticket}-{kind}"), ticket, time, data)
}

fn presence(agent: &str, time: &str, state: &str) -> Value {
    event("agent.presence", &format!("{agent}-{time}"), agent, time, json!({"state": state}))
}

fn diagnostics(session: &str, time: &str, mut data: Value) -> Value {
    data["kind"] = json!("system");
    event("diagnostics.collected", &format!("{session}-{time}"), session, time, data)
}

/// The record that an access has begun, as the audit trail writes it.
fn access_begun(record: &str, kind: &str, user: &str, time: &str, purpose: Option<&str>) -> Value {
    let mut data = json!({
        "user": user, "role": "compliance", "interface": "postgres", "remote_ip": "192.0.2.7", "access_id": record,
        "stage": "begun", "statement": format!("statement of {record}"), "tables": ["events"], "tiers": ["operational"],
    });
    if let Some(purpose) = purpose {
        data["purpose"] = json!(purpose);
    }
    with(event(&format!("archive.{kind}"), record, user, time, data), &[("source", "holdfast:access")])
}

/// The record that an access has begun, with what it may read: `reads` has members of the event's data; null removes one.
fn access_begun_with(record: &str, time: &str, reads: Value) -> Value {
    let mut event = access_begun(record, "queried", "ada", time, None);
    for (name, value) in reads.as_object().unwrap() {
        event["data"][name.as_str()] = value.clone();
    }
    event["data"].as_object_mut().unwrap().retain(|_, value| !value.is_null());
    event
}

/// The record of how an access ended; `found` has its outcome, rows and subjects.
fn access_ended(record: &str, kind: &str, user: &str, time: &str, found: (&str, i64, Value)) -> Value {
    let (outcome, rows, subjects) = found;
    let mut data = json!({
        "user": user, "role": "compliance", "interface": "postgres", "remote_ip": "192.0.2.7", "access_id": record,
        "stage": "ended", "outcome": outcome, "rows": rows, "bytes": rows * 100, "duration": 0.5,
    });
    match subjects {
        Value::Array(_) => data["subjects"] = subjects,
        Value::Bool(_) => data["all_subjects"] = subjects,
        _ => {}
    }
    with(
        event(&format!("archive.{kind}"), &format!("{record}/end"), user, time, data),
        &[("source", "holdfast:access")],
    )
}

fn sessions_of_may() -> Vec<Value> {
    vec![
        requested("S-1", &may("08:00:00"), "web/vip", &[("ticket", "T-1"), ("customer", "acme")]),
        queued("S-1", &may("08:00:01"), "fast"),
        started("S-1", &may("08:01:00"), "ann"),
        ended("S-1", &may("08:11:00"), "resolved"),
        survey("S-1", &may("08:12:00"), json!({"rating": 5, "resolved": "yes"})),
        requested("S-2", &may("08:30:00"), "web/vip", &[("ticket", "T-2"), ("customer", "acme")]),
        queued("S-2", &may("08:30:01"), "fast"),
        started("S-2", &may("08:32:00"), "ann"),
        ended("S-2", &may("08:52:00"), "unresolved"),
        survey("S-2", &may("08:53:00"), json!({"rating": 2, "resolved": "no"})),
        requested("S-3", &may("09:00:00"), "web/shop", &[("ticket", "T-2"), ("customer", "acme")]),
        queued("S-3", &may("09:00:01"), "slow"),
        started("S-3", &may("09:05:00"), "bea"),
        // Delivered twice: it counts once.
        started("S-3", &may("09:05:00"), "bea"),
        ended("S-3", &may("09:15:00"), "resolved"),
        requested("S-4", &may("09:10:00"), "web/shop", &[("ticket", "T-4"), ("customer", "globex")]),
        queued("S-4", &may("09:10:01"), "slow"),
        event(
            "session.abandoned",
            "S-4-abandoned",
            "S-4",
            &may("09:11:30"),
            json!({"reason": "gave up", "stage": "queue", "waited": 90}),
        ),
        requested("S-5", &may("10:00:00"), "web/shop", &[("ticket", "T-5")]),
        started("S-5", &may("10:00:30"), "bea"),
    ]
}

fn sessions_of_june() -> Vec<Value> {
    let mut with_duration = ended("S-7", &june("09:20:00"), "resolved");
    with_duration["data"]["duration"] = json!(900);
    vec![
        requested("S-6", &june("08:00:00"), "web/vip", &[("ticket", "T-1")]),
        queued("S-6", &june("08:00:01"), "fast"),
        started("S-6", &june("08:00:10"), "ann"),
        ended("S-6", &june("08:05:10"), "unknown"),
        survey("S-6", &june("08:06:00"), json!({"rating": 4})),
        with(started("S-7", &june("09:00:00"), "bea"), &[("ticket", "T-404")]),
        with_duration,
        requested("S-8", &june("08:20:00"), "web/shop", &[]),
        queued("S-8", &june("08:20:01"), "slow"),
    ]
}

/// T-1 and T-2 had sessions, T-5 has an open one; T-3, T-6 and T-7 had none, and T-4 only one that never started.
fn tickets_of_may() -> Vec<Value> {
    let printer = |priority: &str| json!({"issue_type": "printer", "priority": priority});
    vec![
        ticket("opened", "T-1", &may("07:00:00"), printer("low")),
        ticket("closed", "T-1", &may("09:00:00"), Value::Null),
        ticket("opened", "T-2", &may("08:00:00"), printer("high")),
        ticket("closed", "T-2", &may("12:00:00"), Value::Null),
        ticket("opened", "T-3", &may("08:00:00"), printer("High")),
        ticket("closed", "T-3", &may("18:00:00"), Value::Null),
        ticket("opened", "T-4", &may("08:00:00"), json!({"issue_type": "vpn", "priority": "P3"})),
        ticket("opened", "T-5", &may("09:00:00"), json!({"issue_type": "vpn"})),
        ticket("opened", "T-6", &may("10:00:00"), Value::Null),
        ticket("closed", "T-6", &may("11:00:00"), Value::Null),
    ]
}

/// Every event but the accesses.
pub(super) async fn support() -> Fixture {
    let mut fixture = Fixture::empty();
    let mut events = sessions_of_may();
    events.extend(tickets_of_may());
    events.extend([
        presence("ann", &may("08:00:00"), "available"),
        // Delivered twice.
        presence("ann", &may("09:00:00"), "in_session"),
        presence("ann", &may("09:00:00"), "in_session"),
        presence("ann", &may("11:00:00"), "away"),
        presence("ann", &may("12:00:00"), "offline"),
        presence("bea", &may("20:00:00"), "away"),
        diagnostics("S-1", &may("08:01:30"), json!({"device_serial": "D-1", "os_version": "9", "memory": 4})),
        diagnostics(
            "S-1",
            &may("08:02:00"),
            json!({
                "device_serial": "D-1", "os_version": "10", "memory": 8, "disks": [{"name": "C", "size": 100}],
                "apps": [{"name": "x", "version": "1.0"}, {"name": "y", "version": "2.0"}],
            }),
        ),
        diagnostics(
            "S-3",
            &may("09:06:00"),
            json!({"device_serial": "D-2", "os_version": "10", "apps": [{"name": "x", "version": "1.0"}, {"name": "w"}]}),
        ),
        // A report without a device.
        diagnostics("S-5", &may("10:01:00"), json!({"os_version": "7", "apps": [{"name": "x", "version": "0.1"}]})),
    ]);
    fixture.write(MAY, &events).await;
    let next_day = |time: &str| format!("2026-05-11T{time}Z");
    let events = [
        presence("ann", &next_day("08:00:00"), "available"),
        presence("ann", &next_day("10:00:00"), "offline"),
        ticket("closed", "T-4", &next_day("14:00:00"), Value::Null),
    ];
    fixture.write(MAY + 1, &events).await;
    let mut events = sessions_of_june();
    events.extend([
        ticket("opened", "T-7", &june("08:00:00"), json!({"issue_type": "printer", "priority": "urgent"})),
        presence("bea", &june("08:00:00"), "in_session"),
        diagnostics(
            "S-6",
            &june("08:01:00"),
            json!({
                "device_serial": "D-1", "os_version": "11", "memory": 16,
                "disks": [{"name": "C", "size": 100}, {"name": "D", "size": 50}],
                "apps": [{"name": "x", "version": "1.1"}, {"name": "z", "version": "3.0"}],
            }),
        ),
    ]);
    fixture.write(JUNE, &events).await;
    fixture
}

/// With accesses: complete, cancelled, to all subjects, to no protected data, without an end, and refused.
pub(super) async fn with_accesses() -> Fixture {
    let mut fixture = support().await;
    let nothing = Value::Null;
    let refused = json!({
        "user": "mallory", "interface": "http", "remote_ip": "198.51.100.9", "access_id": "A-6", "reason": "the password is wrong",
    });
    let accesses = [
        access_begun("A-1", "queried", "ada", &june("10:00:00"), Some("audit")),
        access_ended("A-1", "queried", "ada", &june("10:00:01"), ("complete", 12, json!(["S-1", "S-4", "T-1"]))),
        // A ticket also has a customer.
        with(ticket("changed", "T-1", &june("06:00:00"), Value::Null), &[("customer", "initech")]),
        // Delivered twice: it is one access.
        access_begun("A-2", "viewed", "bob", &june("11:00:00"), None),
        access_begun("A-2", "viewed", "bob", &june("11:00:00"), None),
        access_ended("A-2", "viewed", "bob", &june("11:00:01"), ("cancelled", 1, json!(["S-3"]))),
        access_begun("A-3", "exported", "eve", &june("12:00:00"), Some("subpoena 7")),
        access_ended("A-3", "exported", "eve", &june("12:00:01"), ("complete", 900, json!(true))),
        access_begun("A-4", "queried", "ada", &june("13:00:00"), Some("totals")),
        access_ended("A-4", "queried", "ada", &june("13:00:01"), ("complete", 5, nothing)),
        access_begun("A-5", "queried", "ada", &june("14:00:00"), None),
        with(event("archive.denied", "A-6", "mallory", &june("15:00:00"), refused), &[("source", "holdfast:access")]),
        // A session whose id needs escapes in JSON.
        requested("S \"9\"", &june("07:00:00"), "web/vip", &[("customer", "quo'te")]),
        access_begun("A-7", "viewed", "bob", &june("16:00:00"), Some("request")),
        access_ended("A-7", "viewed", "bob", &june("16:00:01"), ("complete", 1, json!(["S \"9\""]))),
    ];
    fixture.write(JUNE, &accesses).await;
    // It began more than a day after the export of all subjects.
    let later = requested("S-9", "2026-06-11T12:30:00Z", "web/vip", &[("customer", "acme")]);
    fixture.write(JUNE + 1, &[later]).await;
    fixture
}

/// With accesses whose end is not on record, and one with an end that read less than it could.
pub(super) async fn with_open_accesses() -> Fixture {
    let mut fixture = support().await;
    let protected = json!(["operational", "content"]);
    let accesses = [
        access_begun_with("B-1", &june("10:00:00"), json!({"tiers": protected, "subjects": ["S-1", "S-4"]})),
        access_begun_with("B-2", &june("11:00:00"), json!({"tiers": protected, "customers": ["acme"]})),
        access_begun_with("B-3", &june("12:00:00"), json!({"tiers": protected, "tickets": ["T-4"]})),
        access_begun_with("B-4", &june("13:00:00"), json!({"tiers": protected, "all_subjects": true})),
        // It began after the access to all subjects, by a time that a sender claims: by less than a day.
        requested("S-9", &june("13:30:00"), "web/vip", &[("customer", "globex")]),
        access_begun_with("B-5", &june("14:00:00"), json!({})),
        access_begun_with("B-6", &june("15:00:00"), json!({"tiers": protected, "all_subjects": true})),
        access_ended("B-6", "queried", "ada", &june("15:00:01"), ("complete", 1, json!(["S-3"]))),
        // From before the records said what an access may read.
        access_begun_with("B-7", &june("16:00:00"), json!({"tiers": null, "tables": null})),
    ];
    fixture.write(JUNE, &accesses).await;
    fixture
}
