//! Every look is on record, or is not had.

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

/// What was written down, and whether anything can be.
#[derive(Default)]
struct Book {
    is_closed: AtomicBool,
    begun: Mutex<Vec<AccessRecord>>,
    ended: Mutex<Vec<AccessEnd>>,
    denied: Mutex<Vec<Denial>>,
}

impl Book {
    fn check(&self) -> Result<(), Unrecorded> {
        if self.is_closed.load(Ordering::SeqCst) { Err(Unrecorded("the book is closed".to_owned())) } else { Ok(()) }
    }

    fn last_ending(&self) -> AccessEnd {
        self.ended.lock().unwrap().last().cloned().expect("nothing has ended")
    }
}

#[async_trait]
impl AuditTrail for Book {
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

async fn archive() -> Fixture {
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

fn reader(fixture: &Fixture, book: &Arc<Book>, without_record: WithoutRecord) -> Reader {
    let user = AuthenticatedUser {
        name: "compliance".into(),
        role: "compliance".into(),
        interface: Interface::Http,
        remote: Some("192.0.2.1".into()),
    };
    Reader::new(fixture.as_officer(), user, Arc::clone(book) as Arc<dyn AuditTrail>, without_record)
}

fn ask(statement: &str) -> Request {
    Request { statement: statement.to_owned(), purpose: Some("a test".to_owned()), ..Request::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_turn_waits_no_longer_than_they_may() {
    let (fixture, book) = (archive().await, Arc::new(Book::default()));
    let mut options = fixture.options(&[&fixture.officer]);
    options.statements_at_once = 1;
    let session = holdfast_query::Session::new(options).unwrap();
    let user = reader(&fixture, &book, WithoutRecord::Refuse).user().clone();
    let audit_trail = Arc::clone(&book) as Arc<dyn AuditTrail>;
    let reader = Reader::new(session.clone(), user, audit_trail, WithoutRecord::Refuse);
    let all = "select id from events order by id";
    // Somebody who asks for no row takes no turn.
    let idle = reader.query(ask(all)).await.unwrap();
    assert_eq!(lines(reader.query(ask(all)).await.unwrap()).await.unwrap().len(), 300);
    // Somebody whose first row takes for ever.
    let endless =
        "select count(*) from generate_series(1, 100000000) a cross join generate_series(1, 1000000) b, events";
    let mut slow = session.sql(endless).await.unwrap().batches;
    assert!(tokio::time::timeout(Duration::from_millis(200), slow.next()).await.is_err());
    let limits = Limits { time: Some(Duration::from_millis(50)), rows: None };
    let late = lines(reader.query(Request { limits, ..ask(all) }).await.unwrap()).await;
    assert!(matches!(late, Err(QueryError::TimedOut)), "{late:?}");
    assert_eq!((book.begun.lock().unwrap().len(), book.last_ending().outcome), (3, Outcome::Failed));
    // Names wait for nobody.
    let names = session.sql("select table_name from information_schema.tables").await.unwrap();
    assert!(!lines(names).await.unwrap().is_empty());

    drop(slow);
    assert_eq!(lines(idle).await.unwrap().len(), 300);
}

#[tokio::test]
async fn a_look_has_a_beginning_and_an_end() {
    let (fixture, book) = (archive().await, Arc::new(Book::default()));
    let reader = reader(&fixture, &book, WithoutRecord::Refuse);
    let request = Request {
        parameters: vec![ScalarValue::Utf8(Some("S-1".to_owned()))],
        ..ask("select seq, text from chat_lines where session = $1")
    };
    let answer = reader.query(request).await.unwrap();
    assert_eq!(lines(answer).await.unwrap().len(), 100);
    let begun = book.begun.lock().unwrap().clone();
    assert_eq!(begun.len(), 1);
    assert_eq!((begun[0].kind, begun[0].purpose.as_deref()), (AccessKind::Queried, Some("a test")));
    assert!(begun[0].statement.ends_with("where session = $1\n-- $1 = S-1"), "{}", begun[0].statement);
    let ending = book.last_ending();
    assert_eq!((ending.rows, ending.outcome), (100, Outcome::Complete));
    assert!(ending.bytes > 0);
    // The filter was asked in the scan: nobody else's lines were read.
    assert_eq!(ending.subjects, Subjects::Of(vec!["S-1".to_owned()]));

    let timeline = reader.timeline("S-2", None).await.unwrap();
    assert!(!lines(timeline).await.unwrap().is_empty());
    assert_eq!(book.begun.lock().unwrap()[1].kind, AccessKind::Viewed);
    assert_eq!(book.last_ending().subjects, Subjects::Of(vec!["S-2".to_owned()]));

    // Figures name nobody.
    lines(reader.query(ask("select count(*) from events")).await.unwrap()).await.unwrap();
    assert_eq!(book.last_ending().subjects, Subjects::Of(Vec::new()));
}

#[tokio::test]
async fn what_fails_and_what_is_dropped_ends_on_record() {
    let (fixture, book) = (archive().await, Arc::new(Book::default()));
    let reader = reader(&fixture, &book, WithoutRecord::Refuse);
    assert!(reader.query(ask("select nothing from nowhere")).await.is_err());
    assert_eq!(book.last_ending().outcome, Outcome::Failed);
    assert!(lines(reader.query(ask("select cast(text as int) from chat_lines")).await.unwrap()).await.is_err());
    assert_eq!(book.last_ending().outcome, Outcome::Failed);

    let mut answer = reader.query(ask("select * from chat_lines")).await.unwrap();
    let first = answer.batches.next().await.unwrap().unwrap();
    drop(answer);
    tokio::task::yield_now().await;
    let ending = book.last_ending();
    assert_eq!((ending.outcome, ending.rows), (Outcome::Cancelled, first.num_rows() as u64));
}

#[tokio::test]
async fn without_a_record_nothing_is_shown() {
    let (fixture, book) = (archive().await, Arc::new(Book::default()));
    book.is_closed.store(true, Ordering::SeqCst);
    let strict = reader(&fixture, &book, WithoutRecord::Refuse);
    for sql in ["select * from events", "select count(*) from events", "select nothing from nowhere"] {
        let error = strict.query(ask(sql)).await.unwrap_err();
        assert!(matches!(error, QueryError::Unrecorded(_)), "{sql}: {error}");
    }
    let lenient = reader(&fixture, &book, WithoutRecord::AnswerAggregates);
    for sql in [
        "select count(*) from events",
        "select agent, count(*), avg(rating) from sessions group by agent order by 2",
        "select type, count(*) from events group by type having count(*) > 1",
        "select date_trunc('month', started_at), count(*) from sessions group by portal, date_trunc('month', started_at)",
    ] {
        let answer = lenient.query(ask(sql)).await;
        // Times are not coarse by themselves; what is refused errs on the safe side.
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
    ] {
        let error = lenient.query(ask(sql)).await.expect_err(sql);
        assert!(matches!(error, QueryError::Unrecorded(_)), "{sql}: {error}");
    }
}

#[tokio::test]
async fn limits_end_a_statement_with_a_clear_word() {
    let (fixture, book) = (archive().await, Arc::new(Book::default()));
    let reader = reader(&fixture, &book, WithoutRecord::Refuse);
    let limits = Limits { rows: Some(99), time: None };
    let answer =
        reader.query(Request { limits, ..ask("select seq from chat_lines where session = 'S-1'") }).await.unwrap();
    assert!(matches!(lines(answer).await, Err(QueryError::TooManyRows { most: 99 })));
    assert_eq!(book.last_ending().outcome, Outcome::Failed);
    let limits = Limits { rows: Some(100), time: None };
    let answer =
        reader.query(Request { limits, ..ask("select seq from chat_lines where session = 'S-1'") }).await.unwrap();
    assert_eq!(lines(answer).await.unwrap().len(), 100);

    let limits = Limits { rows: None, time: Some(Duration::from_millis(200)) };
    let endless = "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b";
    let answer = reader.query(Request { limits, ..ask(endless) }).await;
    let error = match answer {
        Err(error) => error,
        Ok(answer) => lines(answer).await.unwrap_err(),
    };
    assert!(matches!(error, QueryError::TimedOut), "{error}");
}
