//! The maintained sessions against the same computed from all events at once.

use crate::fixture::{Fixture, JUNE, MAY, event, rows};
use holdfast_archive::{Table, read};
use holdfast_events::Timestamp;
use holdfast_sessions::MaintainerSettings;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) const FROM_EVENTS: &str = include_str!("sessions_from_events.sql");
pub(crate) const MAINTAINED: &str =
    "select session, portal, mode, queue, customer, ticket, agent, requested_at, queued_at, started_at,
    ended_at, first_time, last_time, waited, handled, state, ended_by, resolution, resolved, rating, feedback, events,
    chat_lines, files, reboots, transfers, diagnostics, recordings
    from sessions order by session";

/// What can happen to an archive.
#[derive(Debug, Clone)]
enum Step {
    /// Events are archived: which, by number.
    Archive(Vec<usize>),
    /// The sessions are brought up to date.
    Round,
    /// They are rebuilt from all events.
    Rebuild,
    /// The files of a date are merged.
    Seal(i32),
    /// Callers query the sessions.
    Query,
}

pub(crate) fn settings() -> MaintainerSettings {
    MaintainerSettings {
        max_small_files: 3,
        max_small_rows: 40,
        base_rows: 4,
        rebuild_events: 25,
        fold_events: 10,
        grace: Duration::ZERO,
        ..MaintainerSettings::new("general")
    }
}

/// One of the events that may be archived. Each number always gives the same event.
pub(crate) fn numbered(number: usize) -> Value {
    let session = format!("S-{}", number % 7);
    let date = if number.is_multiple_of(3) { "2026-06-10" } else { "2026-05-10" };
    // Times are not in the order of the numbers, and not unique.
    let time = format!("{date}T{:02}:{:02}:00Z", number * 7 % 24, number * 5 % 11);
    let id = format!("e-{number}");
    let (kind, data) = match number / 7 % 14 {
        0 => ("session.requested", json!({"portal": format!("p{}", number % 4), "mode": "web", "account": "acme"})),
        1 => ("session.queued", json!({"queue": format!("q{}", number % 2), "position": 1})),
        2 => (
            "session.started",
            json!({"agent_id": format!("a{}", number % 5), "customer_id": "c", "waited": number as f64}),
        ),
        3 => ("session.transferred", json!({"from_agent": "a0", "to_agent": format!("a{}", number % 3)})),
        4 => ("chat.line", json!({"seq": number, "sender": "agent", "text": "hello"})),
        5 => ("file.sent", json!({"name": "x", "size": 1, "sha256": "ab"})),
        6 => (
            "session.ended",
            json!({"ended_by": "agent", "resolution": if number.is_multiple_of(2) { "resolved" } else { "unresolved" }}),
        ),
        7 => {
            ("survey.submitted", json!({"rating": number % 5 + 1, "resolved": "yes", "feedback": format!("f{number}")}))
        }
        8 => ("session.linked", json!({"ticket": format!("T-{number}")})),
        9 => ("recording.started", json!({"recording_id": format!("R-{}", number % 2), "media_type": "video/webm"})),
        10 => ("session.abandoned", json!({"reason": "r", "stage": "queue", "waited": 3})),
        11 => ("diagnostics.collected", json!({"kind": "system", "os": "x"})),
        12 => ("reboot.requested", json!({})),
        _ => ("agent.presence", json!({"state": "available"})),
    };
    let mut event = event(kind, &id, &session, &time, data);
    if number.is_multiple_of(6) {
        event["agent"] = json!(format!("by-{}", number % 4));
    }
    event
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => prop::collection::vec(0usize..120, 1..14).prop_map(Step::Archive),
        4 => Just(Step::Round),
        1 => Just(Step::Rebuild),
        2 => prop_oneof![Just(MAY), Just(JUNE)].prop_map(Step::Seal),
        2 => Just(Step::Query),
    ];
    prop::collection::vec(step, 1..24)
}

async fn check(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut fixture = Fixture::empty();
    let mut maintainer = fixture.maintainer(settings());
    // A session that has queried before, and has folded state in memory.
    let regular = fixture.as_officer();
    let query = async |fixture: &Fixture| {
        let expected = rows(&fixture.as_officer(), FROM_EVENTS).await;
        prop_assert_eq!(&rows(&regular, MAINTAINED).await, &expected);
        prop_assert_eq!(&rows(&fixture.as_officer(), MAINTAINED).await, &expected);
        Ok(())
    };
    for (number, step) in steps.iter().enumerate() {
        let now = Timestamp(number as i64);
        match step {
            Step::Archive(events) => {
                // A session's events are on one partition, and each date has its file.
                for partition in 1..3 {
                    for (date, wanted) in [(MAY, false), (JUNE, true)] {
                        let events: Vec<Value> = events
                            .iter()
                            .filter(|number| {
                                (**number % 7 % 2 == 0) == (partition == 1) && (**number % 3 == 0) == wanted
                            })
                            .map(|number| numbered(*number))
                            .collect();
                        if !events.is_empty() {
                            fixture.write_to(partition, date, &events).await;
                        }
                    }
                }
            }
            Step::Round => _ = maintainer.round(now).await.unwrap(),
            Step::Rebuild => _ = maintainer.rebuild(now, |_| {}).await.unwrap(),
            Step::Seal(date) => fixture.seal(*date).await,
            Step::Query => query(&fixture).await?,
        }
    }
    query(&fixture).await?;
    let before = rows(&fixture.as_officer(), "select * from session_states order by session").await;
    maintainer.rebuild(Timestamp(1_000), |_| {}).await.unwrap();
    let after = rows(&fixture.as_officer(), "select * from session_states order by session").await;
    prop_assert_eq!(before, after);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn maintained_sessions_equal_sessions_computed_from_all_events(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(&steps))?;
    }
}

#[tokio::test]
async fn compacted_files_are_deleted_after_the_grace_period() {
    let mut fixture = Fixture::empty();
    let mut maintainer = fixture.maintainer(settings());
    let mut compacted = 0;
    for number in 0..40 {
        fixture.write_to(1, MAY, &[numbered(number * 14 + 1)]).await;
        compacted += maintainer.round(Timestamp(number as i64)).await.unwrap().compacted;
    }
    assert!(compacted > 20, "{compacted}");
    maintainer.round(Timestamp(100)).await.unwrap();
    let live = fixture.archive.table(Table::Sessions).snapshot().await.unwrap();
    let prefix = "tables/sessions/class=general".into();
    let stored: Vec<_> = futures::TryStreamExt::try_collect(fixture.archive.store().list(Some(&prefix))).await.unwrap();
    assert_eq!(stored.len(), live.files.len());
    assert!(live.files.iter().filter(|file| !read::is_sealed(file)).count() <= 4);
}

#[tokio::test]
async fn two_concurrent_maintainers_do_not_conflict() {
    let mut fixture = Fixture::empty();
    let (mut one, mut other) = (fixture.maintainer(settings()), fixture.maintainer(settings()));
    for number in 0..30 {
        fixture.write_to(1, MAY, &[numbered(number * 2)]).await;
        // The maintainer that loses the race starts from what the other wrote.
        let (first, second) = tokio::join!(one.round(Timestamp(0)), other.round(Timestamp(0)));
        assert!(first.is_ok() || second.is_ok());
    }
    let officer = fixture.as_officer();
    assert_eq!(rows(&officer, MAINTAINED).await, rows(&officer, FROM_EVENTS).await);
}

#[tokio::test]
async fn agents_are_listed_in_the_order_in_which_they_joined() {
    let mut fixture = Fixture::empty();
    let at = |second: u32| format!("2026-05-10T08:00:{second:02}Z");
    let moved = |id: &str, second, to: &str| {
        event("session.transferred", id, "S-1", &at(second), json!({"from_agent": "x", "to_agent": to}))
    };
    let started = event("session.started", "1", "S-1", &at(1), json!({"agent_id": "ann", "customer_id": "c"}));
    fixture.write(MAY, &[started, moved("2", 2, "bea"), moved("3", 3, "ann"), moved("4", 4, "cid")]).await;
    let sql = "select agent, agents, transfers, broken_off from sessions";
    assert_eq!(rows(&fixture.as_manager(), sql).await, [r#"cid|["ann","bea","cid"]|3|true"#]);
}

#[tokio::test]
async fn implausible_times_are_null_and_no_duration_is_negative() {
    let mut fixture = Fixture::empty();
    let started = |id: &str, session: &str, time: &str, waited: i64| {
        event("session.started", id, session, time, json!({"agent_id": "ann", "customer_id": "c", "waited": waited}))
    };
    let ended = |id: &str, session: &str, time: &str, duration: i64| {
        let data = json!({"ended_by": "agent", "resolution": "resolved", "duration": duration});
        event("session.ended", id, session, time, data)
    };
    let events = [
        started("1", "S-1", "0001-01-01T00:00:00Z", 5),
        ended("2", "S-1", "9999-12-31T23:59:59.9999999-05:00", 60),
        started("3", "S-2", "2026-05-10T08:00:00Z", -30),
        ended("4", "S-2", "2026-05-10T07:58:00Z", -120),
        started("5", "S-3", "2026-05-10T08:00:00Z", 0),
        event("session.noted", "6", "S-3", "0000-01-01T00:00:00+01:00", json!({"author": "ann"})),
    ];
    fixture.write(MAY, &events).await;
    let sql = "select session, started_at, ended_at, first_time, last_time, waited, handled, state, broken_off
        from sessions order by session";
    let expected = [
        "S-1|||2026-05-10T00:00:00Z|2026-05-10T00:00:00Z|5.0|60.0|ended|false",
        "S-2|2026-05-10T08:00:00Z|2026-05-10T07:58:00Z|2026-05-10T07:58:00Z|2026-05-10T08:00:00Z|||ended|false",
        "S-3|2026-05-10T08:00:00Z||2026-05-10T00:00:00Z|2026-05-10T08:00:00Z|0.0||started|true",
    ];
    assert_eq!(rows(&fixture.as_manager(), sql).await, expected);
    // The table has the same.
    fixture.maintainer(settings()).round(Timestamp(0)).await.unwrap();
    assert_eq!(rows(&fixture.as_manager(), sql).await, expected);
    let sql = "select id, problems from events where problems is not null order by id";
    assert_eq!(rows(&fixture.as_manager(), sql).await, ["3|waited is negative", "4|duration is negative"]);
}
