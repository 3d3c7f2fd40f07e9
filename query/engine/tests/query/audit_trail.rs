//! The audit trail has no holes: what is on record of an access, whatever the caller does.

use crate::access::{MemoryAuditTrail, archive, reader, request};
use crate::fixture::{Fixture, JUNE, event, lines};
use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::catalog::{CatalogProviderList, MemorySchemaProvider, SchemaProvider};
use datafusion::common::ScalarValue;
use datafusion::datasource::MemTable;
use futures::FutureExt;
use holdfast_events::Tier;
use holdfast_query::{
    AccessEnd, AccessId, AccessKind, AccessRecord, AuditTrail, AuthenticatedUser, Denial, Extension, Limits, Outcome,
    QueryError, Reader, Reads, Request, Rows, Scope, Session, Subjects, Unrecorded, Visibility, WithoutRecord,
};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// What the record says that a statement may read, before it reads.
async fn reads(reader: &Reader, trail: &MemoryAuditTrail, sql: &str) -> Reads {
    let answer = reader.query(request(sql)).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let begun = trail.begun.lock().unwrap().last().cloned().unwrap();
    drop(answer);
    begun.reads
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn of(names: &[&str]) -> Subjects {
    Subjects::Of(names.iter().map(|name| (*name).to_owned()).collect())
}

#[tokio::test]
async fn the_record_of_a_beginning_says_what_may_be_read() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let reader = reader(&fixture, &trail, WithoutRecord::Refuse);
    let of_lines = reads(&reader, &trail, "select text from chat_lines where session in ('S-1', 'S-2')").await;
    assert_eq!(of_lines.tables, names(&["events"]));
    assert_eq!(of_lines.tiers, BTreeSet::from([Tier::Operational, Tier::Content]));
    assert_eq!((of_lines.subjects, of_lines.all_subjects), (names(&["S-1", "S-2"]), false));

    let of_customer = reads(&reader, &trail, "select data from events where customer = 'acme' and seq > 1").await;
    assert_eq!((of_customer.customers, of_customer.all_subjects), (names(&["acme"]), false));
    let of_ticket = reads(&reader, &trail, "select feedback from sessions where ticket = 'T-1'").await;
    assert_eq!((of_ticket.tables, of_ticket.tickets), (names(&["sessions"]), names(&["T-1"])));

    for of_anybody in [
        "select data from events",
        "select data from events where subject <> 'S-1'",
        "select data from events where subject = 'S-1' or seq = 7",
        "select count(*) from events where data like '%line 7%'",
        "select data from events where subject = 'S-1' union all select data from events where seq = 7",
        "select id from events where subject = (select max(subject) from events where data like '%7%')",
    ] {
        let reads = reads(&reader, &trail, of_anybody).await;
        assert!(reads.all_subjects && reads.subjects.is_empty(), "{of_anybody}: {reads:?}");
    }
    // Operational columns are of nobody, and a statement without a plan reads nothing.
    let counted = reads(&reader, &trail, "select count(*) from events where subject = 'S-1'").await;
    assert_eq!(counted.tiers, BTreeSet::from([Tier::Operational]));
    assert!(!counted.all_subjects && counted.subjects.is_empty());
    assert!(reader.query(request("select nothing from nowhere")).await.is_err());
    assert_eq!(trail.begun.lock().unwrap().last().unwrap().reads, Reads::default());

    drop(reader.timeline("S-2", None, Limits::default()).await.unwrap());
    let of_timeline = trail.begun.lock().unwrap().last().unwrap().reads.clone();
    assert_eq!((of_timeline.subjects, of_timeline.all_subjects), (names(&["S-2"]), false));
    // It has the time of its limits, also to be planned.
    let at_once = Limits { time: Some(std::time::Duration::ZERO), ..Limits::default() };
    let late = match reader.timeline("S-2", None, at_once).await {
        Ok(result) => result.collect().await.map(drop),
        Err(error) => Err(error),
    };
    assert!(matches!(late, Err(QueryError::TimedOut)), "{late:?}");
}

#[tokio::test]
async fn what_the_keys_do_not_open_is_not_what_may_be_read() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let user = reader(&fixture, &trail, WithoutRecord::Refuse).user().clone();
    let trail_of = || Arc::clone(&trail) as Arc<dyn AuditTrail>;
    let manager = Reader::new(fixture.as_manager(), user.clone(), trail_of(), WithoutRecord::Refuse);
    let shown = reads(&manager, &trail, "select * from events").await;
    assert_eq!((shown.tiers, shown.all_subjects), (BTreeSet::from([Tier::Operational]), false));

    let scope = Scope { portals: Some(vec!["web".to_owned()]), agents: None };
    let bounded = fixture
        .as_officer()
        .for_caller(vec![fixture.officer.clone()], Visibility::new(Tier::ALL, Rows::Sessions(scope)));
    let bounded = Reader::new(bounded, user, trail_of(), WithoutRecord::Refuse);
    let nothing = reads(&bounded, &trail, "select data from events where subject = 'S-1'").await;
    assert_eq!((nothing.subjects, nothing.all_subjects), (names(&[]), false));
}

#[tokio::test]
async fn what_a_filter_on_content_tests_is_read() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let reader = reader(&fixture, &trail, WithoutRecord::Refuse);
    for (sql, subjects) in [
        ("select count(*) from events where subject = 'S-1' and data like '%zzz%'", of(&["S-1"])),
        ("select id from events where data like '%zzz%'", of(&["S-0", "S-1", "S-2"])),
        ("select id from events where data = 'x' and seq = 7", of(&["S-1"])),
        ("select id from events where data = 'x' or seq = 7", of(&["S-0", "S-1", "S-2"])),
        ("select id from events where personal is not null and subject in ('S-0', 'S-2')", of(&["S-0", "S-2"])),
        ("select session from chat_lines where text = 'none' and session = 'S-2'", of(&["S-2"])),
        ("select id from events where subject = 'S-9' and data like '%zzz%'", of(&[])),
        ("select id from events where seq = 7", of(&[])),
        ("select data from events where seq = 7", of(&["S-1"])),
        ("select data from deduplicated_events where subject in ('S-1', 'S-2') and seq = 7", of(&["S-1"])),
        ("select data from deduplicated_events where subject in ('S-1', 'S-2')", of(&["S-1", "S-2"])),
    ] {
        let answer = reader.query(request(sql)).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        lines(answer).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(trail.last_ending().subjects, subjects, "{sql}");
    }
}

#[tokio::test]
async fn a_bounded_user_tests_the_content_of_visible_sessions_only() {
    let (mut fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let requested = |session: &str, portal: &str| {
        let data = json!({"portal": portal, "mode": "web"});
        let mut requested = event("session.requested", &format!("r-{session}"), session, "2026-06-10T08:00:00Z", data);
        requested["portal"] = json!(portal);
        requested
    };
    fixture.write(JUNE, &[requested("S-1", "web"), requested("S-2", "shop")]).await;
    let user = reader(&fixture, &trail, WithoutRecord::Refuse).user().clone();
    let scope = Scope { portals: Some(vec!["web".to_owned()]), agents: None };
    let visibility = Visibility::new(Tier::ALL, Rows::Sessions(scope));
    let session = fixture.as_officer().for_caller(vec![fixture.officer.clone()], visibility);
    let reader = Reader::new(session, user, Arc::clone(&trail) as Arc<dyn AuditTrail>, WithoutRecord::Refuse);
    for sql in ["select id from events where data like '%zzz%'", "select id from events where data = 'zzz'"] {
        lines(reader.query(request(sql)).await.unwrap()).await.unwrap();
        assert_eq!(trail.last_ending().subjects, of(&["S-1"]), "{sql}");
    }
}

#[tokio::test]
async fn a_statement_that_its_record_does_not_hold_is_refused_and_none_is_cut() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let reader = reader(&fixture, &trail, WithoutRecord::Refuse);
    let padded = format!("{}select id from events where subject = 'S-1'", " ".repeat(200 << 10));
    drop(reader.query(request(&padded)).await.unwrap());
    assert_eq!(trail.begun.lock().unwrap().last().unwrap().statement, padded);
    let long = |bytes: usize| Request {
        parameters: vec![ScalarValue::Utf8(Some("x".repeat(bytes)))],
        ..request("select id from events where subject = $1")
    };
    drop(reader.query(long(400 << 10)).await.unwrap());
    let recorded = trail.begun.lock().unwrap().last().unwrap().statement.clone();
    assert!(recorded.len() > 400 << 10 && recorded.ends_with("subject = $1"));

    let recorded = trail.begun.lock().unwrap().len();
    for (refused, what) in [
        (long(512 << 10), "the statement"),
        (request(&padded.repeat(3)), "the statement"),
        (Request { purpose: Some("x".repeat((64 << 10) + 1)), ..request("select id from events") }, "the purpose"),
    ] {
        let error = reader.query(refused).await.unwrap_err();
        let is_named = matches!(&error, QueryError::NotRecordable { .. } | QueryError::Bound(_));
        assert!(is_named && error.to_string().contains(what), "{error}");
    }
    let error = reader.timeline(&"x".repeat(1 << 20), None, Limits::default()).await.unwrap_err();
    assert!(matches!(error, QueryError::NotRecordable { .. }), "{error}");
    let record = AccessRecord {
        kind: AccessKind::Viewed,
        statement: "x".repeat(1 << 20),
        purpose: None,
        reads: Reads::everything(),
    };
    assert!(matches!(reader.begin(record).await, Err(QueryError::Bound(_))));
    assert_eq!(trail.begun.lock().unwrap().len(), recorded);
}

#[tokio::test]
async fn an_access_that_is_dropped_may_have_read_what_it_named() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let reader = reader(&fixture, &trail, WithoutRecord::Refuse);
    let record = AccessRecord {
        kind: AccessKind::Exported,
        statement: "recording R-1 of session S-1".to_owned(),
        purpose: None,
        reads: Reads::everything_of("S-1"),
    };
    drop(reader.begin(record).await.unwrap());
    tokio::task::yield_now().await;
    let ending = trail.last_ending();
    assert_eq!((ending.outcome, ending.subjects), (Outcome::Cancelled, of(&["S-1"])));
}

/// An audit trail whose acknowledgements wait until they are let through.
#[derive(Default)]
struct SlowAuditTrail {
    inner: MemoryAuditTrail,
    let_through: Notify,
    ended: Notify,
}

#[async_trait]
impl AuditTrail for SlowAuditTrail {
    async fn begin(&self, user: &AuthenticatedUser, record: &AccessRecord) -> Result<AccessId, Unrecorded> {
        let id = self.inner.begin(user, record).await;
        self.let_through.notified().await;
        id
    }

    async fn end(
        &self,
        user: &AuthenticatedUser,
        record: &AccessRecord,
        id: &AccessId,
        ending: &AccessEnd,
    ) -> Result<(), Unrecorded> {
        let recorded = self.inner.end(user, record, id, ending).await;
        self.ended.notify_one();
        recorded
    }

    async fn denied(&self, denial: &Denial) -> Result<(), Unrecorded> {
        self.inner.denied(denial).await
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_the_beginning_is_recorded_leaves_an_end() {
    let fixture = archive().await;
    let trail = Arc::new(SlowAuditTrail::default());
    let user = reader(&fixture, &Arc::default(), WithoutRecord::Refuse).user().clone();
    let reader =
        Reader::new(fixture.as_officer(), user, Arc::clone(&trail) as Arc<dyn AuditTrail>, WithoutRecord::Refuse);
    let mut waiting = Box::pin(reader.query(request("select data from events")));
    while trail.inner.begun.lock().unwrap().is_empty() {
        assert!(waiting.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop(waiting);
    trail.let_through.notify_one();
    trail.ended.notified().await;
    let ending = trail.inner.last_ending();
    assert_eq!((ending.outcome, ending.rows, ending.subjects), (Outcome::Cancelled, 0, of(&[])));
}

/// A schema `crm` with one table of numbers.
struct Crm;

impl Extension for Crm {
    fn schemas(&self, _: &Arc<dyn CatalogProviderList>) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let batch = RecordBatch::try_from_iter([("rating", numbers)]).unwrap();
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
        let schema = MemorySchemaProvider::new();
        schema.register_table("accounts".to_owned(), Arc::new(table)).unwrap();
        let schema: Arc<dyn SchemaProvider> = Arc::new(schema);
        vec![("crm".to_owned(), schema)]
    }
}

/// Refuses to record, and keeps what was to be recorded.
#[derive(Default)]
struct Unavailable(Mutex<Vec<AccessRecord>>);

#[async_trait]
impl AuditTrail for Unavailable {
    async fn begin(&self, _: &AuthenticatedUser, record: &AccessRecord) -> Result<AccessId, Unrecorded> {
        self.0.lock().unwrap().push(record.clone());
        Err(Unrecorded("it is unavailable".to_owned()))
    }

    async fn end(
        &self,
        _: &AuthenticatedUser,
        _: &AccessRecord,
        _: &AccessId,
        _: &AccessEnd,
    ) -> Result<(), Unrecorded> {
        Err(Unrecorded("it is unavailable".to_owned()))
    }

    async fn denied(&self, _: &Denial) -> Result<(), Unrecorded> {
        Err(Unrecorded("it is unavailable".to_owned()))
    }
}

#[tokio::test]
async fn tables_of_the_crm_are_named_and_never_answered_without_a_record() {
    let fixture: Fixture = archive().await;
    let mut options = fixture.options(&[&fixture.officer]);
    options.extensions.push(Arc::new(Crm));
    let user = reader(&fixture, &Arc::default(), WithoutRecord::Refuse).user().clone();
    let trail = Arc::new(Unavailable::default());
    let session = Session::new(options).unwrap();
    let lenient =
        Reader::new(session, user, Arc::clone(&trail) as Arc<dyn AuditTrail>, WithoutRecord::AnswerAggregates);
    assert!(lenient.query(request("select count(*), max(rating) from sessions")).await.is_ok());
    for sql in [
        "select count(*) from crm.accounts",
        "select max(rating) from crm.accounts",
        "select (select count(*) from crm.accounts) as accounts, count(*) as events from events",
    ] {
        let error = lenient.query(request(sql)).await.expect_err(sql);
        assert!(matches!(error, QueryError::Unrecorded(_)), "{sql}: {error}");
    }
    let tables = |index: usize| trail.0.lock().unwrap()[index].reads.tables.clone();
    assert_eq!(tables(1), names(&["crm.accounts"]));
    assert_eq!(tables(3), names(&["crm.accounts", "events"]));
}
