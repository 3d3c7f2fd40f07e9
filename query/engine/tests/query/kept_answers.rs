//! What many ask is computed once, and is what each of them would have been answered.

use crate::access::{MemoryAuditTrail, archive, reader, request};
use crate::fixture::{Fixture, MAY, event, lines};
use arrow_array::RecordBatch;
use datafusion::common::ScalarValue;
use holdfast_events::Tier;
use holdfast_query::{
    AuditTrail, Limits, Outcome, QueryError, Reader, Request, Rows, Scope, Subjects, Visibility, WithoutRecord,
};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const REPORT: &str = "select subject, count(*) as lines, max(data ->> 'text') as last from events \
    where seq >= $1 group by subject order by subject";

fn report(first: i64) -> Request {
    let parameters = vec![ScalarValue::Int64(Some(first))];
    Request { parameters, is_asked_often: true, ..request(REPORT) }
}

async fn answer(reader: &Reader, request: Request) -> Vec<RecordBatch> {
    reader.query(request).await.unwrap().collect().await.unwrap()
}

fn texts(batches: &[RecordBatch]) -> Vec<String> {
    let values = |batch: &RecordBatch, row: usize| {
        let columns = batch.columns().iter();
        let texts = columns.map(|column| arrow_cast::display::array_value_to_string(column, row).unwrap());
        texts.collect::<Vec<_>>().join("|")
    };
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| values(batch, row))).collect()
}

/// Whether these are the very same rows in memory.
fn are_one(one: &[RecordBatch], other: &[RecordBatch]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| one.columns().iter().zip(other.columns()).all(|(a, b)| Arc::ptr_eq(a, b)))
}

fn user(fixture: &Fixture, trail: &Arc<MemoryAuditTrail>) -> Reader {
    reader(fixture, trail, WithoutRecord::Refuse)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_many_ask_at_once_is_computed_once_and_recorded_for_each() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let ann = user(&fixture, &trail);
    let answers = futures::future::join_all((0..20).map(|_| answer(&ann, report(3)))).await;
    assert_eq!(texts(&answers[0]), ["S-0|99|line 99", "S-1|99|line 97", "S-2|99|line 98"]);
    assert!(answers.iter().all(|other| are_one(&answers[0], other)));
    assert_eq!(trail.begun.lock().unwrap().len(), 20);
    let ended = trail.ended.lock().unwrap().clone();
    assert_eq!(ended.len(), 20);
    for end in ended {
        let subjects = ["S-0", "S-1", "S-2"].map(str::to_owned).to_vec();
        assert_eq!((end.rows, end.outcome, end.subjects), (3, Outcome::Complete, Subjects::Of(subjects)));
        assert!(end.bytes > 0);
    }
    // Other values, and a statement of which nothing says that many ask it, are computed by themselves.
    assert_eq!(texts(&answer(&ann, report(297)).await), ["S-0|1|line 297", "S-1|1|line 298", "S-2|1|line 299"]);
    let own = answer(&ann, Request { is_asked_often: false, ..report(3) }).await;
    assert!(!are_one(&own, &answers[0]) && texts(&own) == texts(&answers[0]));
}

#[tokio::test]
async fn an_answer_is_of_the_archive_as_it_is() {
    let (mut fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let ann = user(&fixture, &trail);
    let first = answer(&ann, report(299)).await;
    assert_eq!(texts(&first), ["S-2|1|line 299"]);
    assert!(are_one(&first, &answer(&ann, report(299)).await));
    let data = json!({"seq": 300, "sender": "agent", "text": "one more"});
    fixture.write(MAY, &[event("chat.line", "300", "S-0", "2026-05-10T08:00:00Z", data)]).await;
    assert_eq!(texts(&answer(&ann, report(299)).await), ["S-0|1|one more", "S-2|1|line 299"]);
}

#[tokio::test]
async fn callers_with_other_keys_or_visibility_have_answers_of_their_own() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let ann = user(&fixture, &trail);
    let all = answer(&ann, report(3)).await;
    let scope = Scope { portals: None, agents: Some(Vec::new()) };
    let reads = |key: &age::x25519::Identity, visibility: Visibility| {
        let session = ann.session().for_caller(vec![key.clone()], visibility);
        Reader::new(session, ann.user().clone(), Arc::clone(&trail) as Arc<dyn AuditTrail>, WithoutRecord::Refuse)
    };
    let nobody = reads(&fixture.officer, Visibility::new(Tier::ALL, Rows::Sessions(scope)));
    let manager = reads(&fixture.manager, Visibility::new(Tier::ALL, Rows::All));
    for _ in 0..2 {
        assert_eq!(texts(&answer(&nobody, report(3)).await), Vec::<String>::new());
        let refused = manager.query(report(3)).await.map(|_| ()).unwrap_err();
        assert!(matches!(&refused, QueryError::Withheld { .. }), "{refused:?}");
        assert!(are_one(&all, &answer(&ann, report(3)).await));
    }
}

#[tokio::test]
async fn what_depends_on_time_or_chance_is_computed_each_time() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let ann = user(&fixture, &trail);
    for statement in [
        "select count(*) as n, max(now()) as at from events",
        "select count(*) as n, max(random()) as drawn from events",
        "select id from events where time < now() order by id limit 3",
    ] {
        let often = || Request { is_asked_often: true, ..request(statement) };
        let [first, second] = [answer(&ann, often()).await, answer(&ann, often()).await];
        assert!(!are_one(&first, &second), "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_does_not_stop_those_who_wait() {
    let (fixture, trail) = (archive().await, Arc::new(MemoryAuditTrail::default()));
    let ann = user(&fixture, &trail);
    let slow = "select count(*) from events a, events b, events c where a.id <> b.id and b.id <> c.id";
    let asked = |millis| {
        let limits = Limits { time: Some(Duration::from_millis(millis)), rows: None };
        let request = Request { limits, is_asked_often: true, ..request(slow) };
        async { lines(ann.query(request).await?).await }
    };
    let (hurried, patient) = futures::join!(asked(150), asked(120_000));
    assert!(matches!(hurried, Err(QueryError::TimedOut)), "{hurried:?}");
    assert_eq!(patient.unwrap(), ["26820300"]);
}
