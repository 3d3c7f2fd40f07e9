//! Every access is recorded before it is granted.

use crate::fixture::{Fixture, MAY, event, lines};
use async_trait::async_trait;
use datafusion::common::ScalarValue;
use futures::StreamExt;
use holdfast_query::{
    AccessEnd, AccessId, AccessKind, AccessRecord, AuditTrail, AuthenticatedUser, Denial, Interface, Limits, Outcome,
    QueryError, Reader, Request, Subjects, Unrecorded, WithoutRecord,
};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Keeps records in memory, unless it is unavailable.
#[derive(Default)]
pub(crate) struct MemoryAuditTrail {
    is_unavailable: AtomicBool,
    pub(crate) begun: Mutex<Vec<AccessRecord>>,
    pub(crate) ended: Mutex<Vec<AccessEnd>>,
    denied: Mutex<Vec<Denial>>,
}

impl MemoryAuditTrail {
    fn check(&self) -> Result<(), Unrecorded> {
        if self.is_unavailable.load(Ordering::SeqCst) {
            Err(Unrecorded("the audit trail is unavailable".to_owned()))
        } else {
            Ok(())
        }
    }

    pub(crate) fn last_ending(&self) -> AccessEnd {
        self.ended.lock().unwrap().last().cloned().expect("nothing has ended")
    }
}

#[async_trait]
impl AuditTrail for MemoryAuditTrail {
    async fn begin(&self, _: &AuthenticatedUser, record: &AccessRecord) -> Result<AccessId, Unrecorded> {
        self.check()?;
        let mut begun = self.begun.lock().unwrap();
        begun.push(record.clone());
        Ok(AccessId(begun.len().to_string()))
    }

    async fn end(
        &self,
        _: &AuthenticatedUser,
        _: &AccessRecord,
        _: &AccessId,
        ending: &AccessEnd,
    ) -> Result<(), Unrecorded> {
        self.ended.lock().unwrap().push(ending.clone());
        self.check()
    }

    async fn denied(&self, denial: &Denial) -> Result<(), Unrecorded> {
        self.check()?;
        self.denied.lock().unwrap().push(denial.clone());
        Ok(())
    }
}

pub(crate) async fn archive() -> Fixture {
    let mut fixture = Fixture::empty();
    let mut events = Vec::new();
    for number in 0..300 {
        let id = number.to_string();
        let session = format!("S-{}", number % 3);
        let data = json!({"seq": number, "sender": "agent", "text": format!("line {number}")});
        events.push(event("chat.line", &id, &session, "2026-05-10T08:00:00Z", data));
    }
    fixture.write(MAY, &events).await;
    fixture
}

pub(crate) fn reader(fixture: &Fixture, trail: &Arc<MemoryAuditTrail>, without_record: WithoutRecord) -> Reader {
    let user = AuthenticatedUser {
        name: "compliance".into(),
        role: "compliance".into(),
        interface: Interface::Http,
        remote: Some("192.0.2.1".into()),
    };
    Reader::new(fixture.as_officer(), user, Arc::clone(trail) as Arc<dyn AuditTrail>, without_record)
}

pub(crate) fn request(statement: &str) -> Request {
    Request { statement: statement.to_owned(), purpose: Some("a test".to_owned()), ..Request::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_limit_includes_the_wait_for_a_permit() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let mut options = fixture.options(&[&fixture.officer]);
    options.concurrent_statements = 1;
    let session = holdfast_query::Session::new(options).unwrap();
    let user = reader(&fixture, &trail, WithoutRecord::Refuse).user().clone();
    let reader = Reader::new(session.clone(), user, Arc::clone(&trail) as Arc<dyn AuditTrail>, WithoutRecord::Refuse);
    let all = "select id from events order by id";
    // A caller who requests no row holds no permit.
    let idle = reader.query(request(all)).await.unwrap();
    assert_eq!(lines(reader.query(request(all)).await.unwrap()).await.unwrap().len(), 300);
    // A statement whose first row never arrives.
    let endless =
        "select count(*) from generate_series(1, 100000000) a cross join generate_series(1, 1000000) b, events";
    let mut slow = session.sql(endless).await.unwrap().batches;
    assert!(tokio::time::timeout(Duration::from_millis(200), slow.next()).await.is_err());
    let limits = Limits { time: Some(Duration::from_millis(500)), rows: None };
    let late = lines(reader.query(Request { limits, ..request(all) }).await.unwrap()).await;
    assert!(matches!(late, Err(QueryError::TimedOut)), "{late:?}");
    assert_eq!((trail.begun.lock().unwrap().len(), trail.last_ending().outcome), (3, Outcome::Failed));
    // Catalog metadata waits for no permit.
    let names = session.sql("select table_name from information_schema.tables").await.unwrap();
    assert!(!lines(names).await.unwrap().is_empty());

    drop(slow);
    assert_eq!(lines(idle).await.unwrap().len(), 300);
}

#[tokio::test]
async fn the_beginning_and_the_end_of_an_access_are_recorded() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let reader = reader(&fixture, &trail, WithoutRecord::Refuse);
    let by_parameter = Request {
        parameters: vec![ScalarValue::Utf8(Some("S-1".to_owned()))],
        ..request("select seq, text from chat_lines where session = $1")
    };
    let answer = reader.query(by_parameter).await.unwrap();
    assert_eq!(lines(answer).await.unwrap().len(), 100);
    let begun = trail.begun.lock().unwrap().clone();
    assert_eq!(begun.len(), 1);
    assert_eq!((begun[0].kind, begun[0].purpose.as_deref()), (AccessKind::Queried, Some("a test")));
    let statement = &begun[0].statement;
    assert!(statement.starts_with("-- $1 = S-1\nselect") && statement.ends_with("session = $1"), "{statement}");
    let ending = trail.last_ending();
    assert_eq!((ending.rows, ending.outcome), (100, Outcome::Complete));
    assert!(ending.bytes > 0);
    // The filter was evaluated in the scan: no lines of other sessions were read.
    assert_eq!(ending.subjects, Subjects::Of(vec!["S-1".to_owned()]));

    let timeline = reader.timeline("S-2", None, Limits::default()).await.unwrap();
    assert!(!lines(timeline).await.unwrap().is_empty());
    assert_eq!(trail.begun.lock().unwrap()[1].kind, AccessKind::Viewed);
    assert_eq!(trail.last_ending().subjects, Subjects::Of(vec!["S-2".to_owned()]));

    // Aggregates read no protected data.
    lines(reader.query(request("select count(*) from events")).await.unwrap()).await.unwrap();
    assert_eq!(trail.last_ending().subjects, Subjects::Of(Vec::new()));
}

#[tokio::test]
async fn the_end_of_failed_and_dropped_statements_is_recorded() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let reader = reader(&fixture, &trail, WithoutRecord::Refuse);
    assert!(reader.query(request("select nothing from nowhere")).await.is_err());
    assert_eq!(trail.last_ending().outcome, Outcome::Failed);
    assert!(lines(reader.query(request("select cast(text as int) from chat_lines")).await.unwrap()).await.is_err());
    assert_eq!(trail.last_ending().outcome, Outcome::Failed);

    let mut answer = reader.query(request("select * from chat_lines")).await.unwrap();
    let first = answer.batches.next().await.unwrap().unwrap();
    drop(answer);
    tokio::task::yield_now().await;
    let ending = trail.last_ending();
    assert_eq!((ending.outcome, ending.rows), (Outcome::Cancelled, first.num_rows() as u64));
}

#[tokio::test]
async fn no_statement_runs_without_a_record() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    trail.is_unavailable.store(true, Ordering::SeqCst);
    let strict = reader(&fixture, &trail, WithoutRecord::Refuse);
    for sql in ["select * from events", "select count(*) from events", "select nothing from nowhere"] {
        let error = strict.query(request(sql)).await.unwrap_err();
        assert!(matches!(error, QueryError::Unrecorded(_)), "{sql}: {error}");
    }
    let lenient = reader(&fixture, &trail, WithoutRecord::AnswerAggregates);
    for sql in [
        "select count(*) from events",
        "select agent, count(*), avg(rating) from sessions group by agent order by 2",
        "select type, count(*) from events group by type having count(*) > 1",
        "select max(waited), sum(handled), count(distinct agent) from sessions where portal like 'web%' and rating > 3",
        "select count(*) filter (where state = 'ended') from sessions where started_at >= '2026-05-01T00:00:00Z'",
        "select date_trunc('month', started_at), count(*) from sessions group by portal, date_trunc('month', started_at)",
    ] {
        let answer = lenient.query(request(sql)).await;
        // Times are not of low cardinality, whatever function is applied to them.
        if sql.contains("date_trunc") {
            assert!(matches!(answer, Err(QueryError::Unrecorded(_))));
        } else {
            assert!(lines(answer.unwrap_or_else(|error| panic!("{sql}: {error}"))).await.is_ok(), "{sql}");
        }
    }
    for sql in [
        "select * from events",
        "select distinct subject from events",
        "select subject, count(*) from events group by subject",
        "select max(subject) from events",
        "select array_agg(rating) from sessions",
        "select count(*), (select max(text) from chat_lines) from events",
        "select count(data) from events",
        "select count(*) from events union all select seq from chat_lines",
        "select 1 where exists (select 1 from events where subject = 'S-1')",
        "explain analyze select count(*) from events",
        // What is chosen by one session, customer or anything that may be in one row only.
        "select max(rating) from sessions where session = 'S-1'",
        "select count(*) from events where subject = 'S-1'",
        "select count(*) from sessions where customer = 'acme'",
        "select count(*) from events where seq = 7",
        "select count(*) filter (where subject = 'S-1') from events",
        "select max(case when session = 'S-1' then rating end) from sessions",
        "select avg(rating) from (select rating from sessions limit 1)",
        "select count(*) from events a join events b on a.subject = b.subject",
        "select count(*) from events where subject in (select session from sessions)",
        "select agent, count(*) from (select subject as agent from events) group by agent",
        "select count(*) from (select count(*) as n from events group by type) where n = 1",
        // What is no plain figure.
        "select max(ascii(substr(agent, 1, 1))) from sessions",
        "select max(length(agent)) from sessions",
        "select max(kafka_offset) from events",
        "select bit_xor(events) from sessions",
        "select max(started_at) from sessions",
    ] {
        let error = lenient.query(request(sql)).await.expect_err(sql);
        assert!(matches!(error, QueryError::Unrecorded(_)), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_statement_that_exceeds_a_limit_fails_with_the_limit() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let reader = reader(&fixture, &trail, WithoutRecord::Refuse);
    let limits = Limits { rows: Some(99), time: None };
    let answer =
        reader.query(Request { limits, ..request("select seq from chat_lines where session = 'S-1'") }).await.unwrap();
    assert!(matches!(lines(answer).await, Err(QueryError::TooManyRows { limit: 99 })));
    assert_eq!(trail.last_ending().outcome, Outcome::Failed);
    let limits = Limits { rows: Some(100), time: None };
    let answer =
        reader.query(Request { limits, ..request("select seq from chat_lines where session = 'S-1'") }).await.unwrap();
    assert_eq!(lines(answer).await.unwrap().len(), 100);

    let limits = Limits { rows: None, time: Some(Duration::from_millis(200)) };
    let endless = "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b";
    let answer = reader.query(Request { limits, ..request(endless) }).await;
    let error = match answer {
        Err(error) => error,
        Ok(answer) => lines(answer).await.unwrap_err(),
    };
    assert!(matches!(error, QueryError::TimedOut), "{error}");
}
