//! The table of events: pruning, consistency, refusals.

use crate::fixture::{Fixture, JUNE, MAY, error, event, rows, rows_and_notices};
use futures::TryStreamExt;
use holdfast_events::Timestamp;
use holdfast_query::{QueryError, Spill};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::{Value, json};

fn line(n: usize, subject: &str, time: &str) -> Value {
    event(
        "chat.line",
        &format!("l{n}"),
        subject,
        time,
        json!({"seq": n, "sender": "agent", "text": format!("line {n}")}),
    )
}

/// Two files in May, one in June.
async fn archive() -> Fixture {
    let mut fixture = Fixture::empty();
    fixture.write(MAY, &[line(0, "S-1", "2026-05-10T08:00:00Z"), line(1, "S-2", "2026-05-10T08:00:01Z")]).await;
    fixture.write(MAY, &[line(2, "S-1", "2026-05-10T12:00:00Z"), line(3, "S-3", "1970-01-01T00:00:00Z")]).await;
    fixture.write(JUNE, &[line(4, "S-1", "2026-06-10T08:00:00Z")]).await;
    fixture
}

#[tokio::test]
async fn queries_on_an_empty_archive_are_empty() {
    let fixture = Fixture::empty();
    for session in [fixture.as_officer(), fixture.as_manager(), fixture.session(&[])] {
        assert_eq!(rows(&session, "select count(*) from events").await, ["0"]);
        assert!(rows(&session, "select * from events where data like '%x%'").await.is_empty());
        for view in ["chat_lines", "diagnostics", "surveys", "file_transfers", "recordings", "duplicates"] {
            assert!(rows(&session, &format!("select * from {view}")).await.is_empty(), "{view}");
        }
        assert!(rows(&session, "select * from dead_letters").await.is_empty());
    }
}

#[tokio::test]
async fn events_are_found_by_any_of_their_columns() {
    let session = archive().await.as_officer();
    assert_eq!(rows(&session, "select count(*) from events").await, ["5"]);
    assert_eq!(rows(&session, "select count(*) from holdfast.archive.events where subject = 'S-1'").await, ["3"]);
    assert_eq!(rows(&session, "select id from archive.events where date = '2026-06-10'").await, ["l4"]);
    assert_eq!(rows(&session, "select distinct class from events").await, ["general"]);
    assert_eq!(
        rows(&session, "select id, date from events where time < '2000-01-01' order by id").await,
        ["l3|2026-05-10"]
    );
    assert_eq!(rows(&session, "select id from events where data ->> 'text' = 'line 2'").await, ["l2"]);
    assert_eq!(rows(&session, "select id from events order by time desc limit 2").await, ["l4", "l2"]);
    assert_eq!(rows(&session, "select id from events where date = (select max(date) from events)").await, ["l4"]);
    assert_eq!(rows(&session, "select count(*) from events where time between now() and now()").await, ["0"]);
}

async fn explained(session: &holdfast_query::Session, sql: &str) -> String {
    rows(session, &format!("explain {sql}")).await.join("\n")
}

fn files(plan: &str) -> usize {
    plan.matches(".parquet").count()
}

#[tokio::test]
async fn only_files_that_may_contain_matching_rows_are_read() {
    let session = archive().await.as_officer();
    let of = async |filter: &str| files(&explained(&session, &format!("select id from events where {filter}")).await);
    assert_eq!(of("true").await, 3);
    assert_eq!(of("date = '2026-06-10'").await, 1);
    assert_eq!(of("date = '2027-06-10'").await, 0);
    assert_eq!(of("class = 'finance'").await, 0);
    assert_eq!(of("time >= '2026-06-01T00:00:00Z'").await, 1);
    assert_eq!(of("time between '2026-05-10T09:00:00Z' and '2026-05-10T13:00:00Z'").await, 1);
    // The file with the event of 1970 has a wide range; the date of its partition is that of its arrival.
    assert_eq!(of("time < '2000-01-01'").await, 1);
    // A file's footer lists the subjects that it may have rows of.
    assert_eq!(of("subject = 'S-1'").await, 3);
    assert_eq!(of("subject = 'S-3'").await, 1);
    assert_eq!(of("subject in ('S-2', 'S-4')").await, 1);
    assert_eq!(of("subject = 'S-2' and time >= '2026-06-01T00:00:00Z'").await, 0);
    assert_eq!(of("subject = 'S-4'").await, 0);
    assert_eq!(of("subject <> 'S-4'").await, 3);
    assert_eq!(of("subject = 'S-4' or time >= '2026-06-01T00:00:00Z'").await, 3);
    // And the types that each of them has there.
    assert_eq!(of("subject = 'S-1' and type in ('chat.line', 'chat.redacted')").await, 3);
    assert_eq!(of("subject = 'S-1' and type = 'chat.redacted'").await, 0);
    let plan = explained(&session, "select id from events where subject = 'S-1'").await;
    assert!(plan.contains("predicate=subject"), "{plan}");
    assert!(plan.contains("pruning_predicate="), "{plan}");
}

#[tokio::test]
async fn a_filter_on_the_session_reaches_the_scan_through_every_view() {
    let mut fixture = archive().await;
    let session = fixture.as_officer();
    for (view, event_type) in [
        ("chat_lines", "chat.redacted"),
        ("diagnostics", "diagnostics.collected"),
        ("surveys", "survey.submitted"),
        ("file_transfers", "file.sent"),
        ("recordings", "recording.started"),
    ] {
        let statement = format!("select * from {view} where session = 'S-1'");
        let before = files(&explained(&session, &statement).await);
        fixture.write(MAY, &[event(event_type, view, "S-1", "2026-05-10T08:00:00Z", json!({"seq": 1}))]).await;
        let plan = explained(&session, &statement).await;
        assert!(files(&plan) > before, "{view}: {plan}");
        let scans = plan.lines().filter(|line| line.contains("DataSourceExec")).count();
        let filtered = plan
            .lines()
            .filter(|line| {
                line.contains("DataSourceExec") && line.contains("predicate=") && line.contains("subject@3 = S-1")
            })
            .count();
        assert!(scans > 0 && scans == filtered, "{view}: {plan}");
    }
}

#[tokio::test]
async fn a_filter_on_the_session_reaches_the_files_of_sessions() {
    let fixture = archive().await;
    let settings = holdfast_sessions::MaintainerSettings::new("general");
    fixture.maintainer(settings).rebuild(Timestamp(0), |_| {}).await.unwrap();
    let officer = fixture.as_officer();
    let plan = explained(&officer, "select * from sessions where session = 'S-1'").await;
    assert!(plan.contains("DataSourceExec") && plan.contains("predicate=session@0 = S-1"), "{plan}");
    assert_eq!(files(&explained(&officer, "select * from sessions where session = 'S-4'").await), 0);
}

#[tokio::test]
async fn filters_are_evaluated_by_the_scan_of_events_and_above_that_of_sessions() {
    let fixture = archive().await;
    let settings = holdfast_sessions::MaintainerSettings::new("general");
    fixture.maintainer(settings).rebuild(Timestamp(0), |_| {}).await.unwrap();
    let officer = fixture.as_officer();
    for (sql, is_above) in [
        ("select agent from events where type = 'session.ended'", false),
        ("select agent from sessions where handled > 1", true),
        ("select agent from sessions where session = 'S-1'", false),
        // What is recorded as read is what the filters select.
        ("select feedback from sessions where handled > 1", false),
    ] {
        let plan = explained(&officer, sql).await;
        assert!(plan.contains("predicate="), "{sql}: {plan}");
        assert_eq!(plan.contains("FilterExec"), is_above, "{sql}: {plan}");
    }
}

#[tokio::test]
async fn only_queries_are_executed() {
    let session = archive().await.as_officer();
    for statement in [
        "create table x as select * from events",
        "create view x as select 1",
        "create external table x stored as csv location '/etc/passwd'",
        "insert into events select * from events",
        "update events set id = 'x'",
        "delete from events",
        "drop table events",
        "truncate table events",
        "copy (select 1) to '/tmp/x.csv'",
        "set datafusion.execution.batch_size = 1",
        "prepare p as select 1",
        "explain insert into events select * from events",
        "select * into x from events",
        "begin",
    ] {
        let error = error(&session, statement).await;
        assert!(matches!(error, QueryError::ReadOnly(_)), "{statement}: {error:?}");
    }
    for wrong in ["selec 1", "select * from nothing", "select nothing from events", "select 1; select 2", ""] {
        let error = error(&session, wrong).await;
        assert!(matches!(error, QueryError::Statement(_)), "{wrong}: {error:?}");
    }
    assert!(matches!(error(&session, "select * from '/etc/passwd'").await, QueryError::Statement(_)));
    assert!(matches!(error(&session, "select 1 / 0").await, QueryError::Statement(_)));
    assert!(rows(&session, "show tables").await.iter().any(|row| row.contains("chat_lines|VIEW")));
    assert!(rows(&session, "describe sessions").await.iter().any(|row| row.starts_with("broken_off|Boolean")));
    assert!(!rows(&session, "explain select * from sessions").await.is_empty());
    let columns = "select count(*) from information_schema.columns where table_name = 'events'";
    assert_eq!(rows(&session, columns).await, ["49"]);
}

#[tokio::test]
async fn a_file_stored_under_another_files_name_is_refused() {
    let fixture = archive().await;
    let paths = rows(&fixture.as_officer(), "explain select id from events").await.join("\n");
    let name = |id: &str| {
        let at = paths.find(id).unwrap();
        let start = paths[..at].rfind("tables/").unwrap();
        Path::from(&paths[start..at + paths[at..].find(".parquet").unwrap() + 8])
    };
    let (one, other) = (name("file-20583-0"), name("file-20583-2"));
    fixture.archive.store().copy(&one, &other).await.unwrap();
    let refused = error(&fixture.as_officer(), "select id from events").await;
    assert!(matches!(&refused, QueryError::File { file, .. } if file.contains("file-20583-2")), "{refused}");
    // A statement that does not read the file succeeds.
    assert_eq!(rows(&fixture.as_officer(), "select id from events where date = '2026-06-10'").await, ["l4"]);
    // Both files may hold rows of that time; which of the two is read first is open, so both are deleted.
    fixture.archive.store().delete(&one).await.unwrap();
    fixture.archive.store().delete(&other).await.unwrap();
    let missing = error(
        &fixture.as_officer(),
        "select id from events where time < '2026-05-10T09:00:00Z' and time > '2026-01-01'",
    )
    .await;
    assert!(matches!(missing, QueryError::Archive(_)), "{missing:?}");
}

#[tokio::test]
async fn footers_are_cached_by_the_tiers_that_their_reader_may_open() {
    let fixture = archive().await;
    let sql = "select count(*) from events where subject = 'S-1'";
    let officer = fixture.as_officer();
    rows(&officer, sql).await;
    rows(&officer, sql).await;
    assert_eq!(fixture.footers.usage().0, 3);
    // Another caller with the same keys uses the same footers; a caller with fewer keys reads its own.
    rows(&fixture.as_officer(), sql).await;
    assert_eq!(fixture.footers.usage().0, 3);
    rows(&fixture.as_manager(), sql).await;
    assert_eq!(fixture.footers.usage().0, 6);
    // The manager does not get the officer's footers.
    let refused = error(&fixture.as_manager(), "select id from events where data is null").await;
    assert!(matches!(refused, QueryError::Withheld { .. }));
    assert!(matches!(error(&fixture.session(&[]), sql).await, QueryError::NoKey { .. }));
}

#[tokio::test]
async fn a_cached_footer_is_not_read_again() {
    let fixture = archive().await;
    let officer = fixture.as_officer();
    let sql = "select count(*) from events";
    assert_eq!(rows(&officer, sql).await, ["5"]);
    let store = fixture.archive.store();
    let files = store.list(Some(&Path::from("tables/events/class=general"))).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(files.len(), 3);
    for file in files {
        store.delete(&file.location).await.unwrap();
    }
    assert_eq!(rows(&officer, sql).await, ["5"]);
    assert!(matches!(error(&fixture.as_manager(), sql).await, QueryError::Archive(_)));
}

#[tokio::test]
async fn the_content_of_dead_letters_is_shown_with_its_key_only() {
    let fixture = Fixture::empty();
    fixture.write_dead_letter("invalid_json", b"{oops").await;
    let sql = "select reason, kafka_offset, value from dead_letters where reason = 'invalid_json'";
    assert_eq!(rows(&fixture.as_officer(), sql).await, ["invalid_json|7|7b6f6f7073"]);
    let (shown, notices) = rows_and_notices(&fixture.as_manager(), sql).await;
    assert_eq!((shown, notices.len()), (vec!["invalid_json|7|".to_owned()], 1));
    let refused = error(&fixture.as_manager(), "select count(value) from dead_letters").await;
    assert!(matches!(refused, QueryError::Withheld { .. }));
    let plan = explained(&fixture.as_officer(), "select * from dead_letters where archived_at > '2030-01-01'").await;
    assert_eq!(files(&plan), 0, "{plan}");
}

#[tokio::test]
async fn a_sort_that_does_not_fit_in_memory_is_refused_or_spilled() {
    let mut fixture = Fixture::empty();
    let text = "x".repeat(300);
    let many: Vec<Value> = (0..60_000)
        .map(|n| {
            event(
                "clipboard.shared",
                &format!("c{n}"),
                "S",
                "2026-05-10T08:00:00Z",
                json!({"content": format!("{text}{n}")}),
            )
        })
        .collect();
    for part in many.chunks(30_000) {
        fixture.write(MAY, part).await;
    }
    // Files of this size have a page index, which is read for callers who may read every tier.
    let one = "select id from events where time = '2026-05-10T08:00:00Z' and id = 'c31234'";
    assert_eq!(rows(&fixture.as_officer(), one).await, ["c31234"]);
    assert_eq!(rows(&fixture.as_manager(), one).await, ["c31234"]);

    let sql = "select count(*) from (select id, data, row_number() over (order by data desc) as n from events) where length(data) + n > 0";
    let mut options = fixture.options(&[&fixture.officer]);
    options.memory_limit = 12 << 20;
    let refused = error(&holdfast_query::Session::new(options).unwrap(), sql).await;
    assert!(matches!(refused, QueryError::Memory { .. }), "{refused:?}");

    let folder = tempfile::tempdir().unwrap();
    let session = |mib: usize, limit: u64| {
        let mut options = fixture.options(&[&fixture.officer]);
        options.memory_limit = mib << 20;
        options.parallelism = 1;
        options.spill = Spill::Encrypted { directory: folder.path().to_owned(), limit };
        holdfast_query::Session::new(options).unwrap()
    };
    let refused = error(&session(32, 1 << 20), sql).await;
    assert!(matches!(&refused, QueryError::Memory { .. }), "{refused:?}");

    // How much is held beside the sort is the engine's, so the memory with which it spills is looked for.
    let mut has_spilled = false;
    for mib in [32, 36, 40, 44, 48, 52] {
        let session = session(mib, 1 << 30);
        let Ok(result) = session.sql(sql).await else { continue };
        let Ok(answer) = crate::fixture::lines(result).await else { continue };
        assert_eq!(answer, ["60000"]);
        let plan = rows(&session, &format!("explain analyze {sql}")).await.join("\n");
        has_spilled |= plan.split("spill_count=").skip(1).any(|rest| !rest.starts_with('0'));
    }
    assert!(has_spilled, "no sort has spilled and been answered");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_statement_sees_one_snapshot_and_the_next_one_sees_more() {
    let mut fixture = archive().await;
    let session = fixture.as_officer();
    let result = session.sql("select count(*) from events a join events b on a.id = b.id").await.unwrap();
    fixture.write(JUNE, &[line(9, "S-9", "2026-06-10T09:00:00Z")]).await;
    assert_eq!(crate::fixture::lines(result).await.unwrap(), ["5"]);
    assert_eq!(rows(&session, "select count(*) from events").await, ["6"]);
    assert!(rows_and_notices(&session, "select * from events").await.1.is_empty());
}

#[tokio::test]
async fn the_first_rows_of_a_union_are_found_by_all_keys() {
    let session = archive().await.as_officer();
    let sql = "select 'b' as label, seq from events union all select 'a', seq from events order by 1, 2 limit 3";
    // Each part has one label. A sort by `seq` alone would share its bound with the other part.
    let plan = rows(&session, &format!("explain {sql}")).await.join("\n");
    assert!(plan.contains("TopK(fetch=3), expr=[label@0 ASC NULLS LAST, seq@1 ASC NULLS LAST]"), "{plan}");
    let first = rows(&session, sql).await;
    assert!(first.len() == 3 && first.iter().all(|row| row.starts_with("a|")), "{first:?}");
}
