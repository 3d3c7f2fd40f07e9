//! The statement that holds the most memory is cancelled, and the others go on.

use crate::fixture::{Fixture, rows};
use futures::StreamExt;
use holdfast_query::{QueryError, Session};

/// Holds its rows, 8 bytes each at least, until they are taken.
fn sort(rows: usize) -> String {
    format!("SELECT n FROM generate_series(1, {rows}) AS n ORDER BY n % 1000")
}

type Batches = futures::stream::BoxStream<'static, Result<arrow_array::RecordBatch, QueryError>>;

/// A statement of which the first rows are taken.
async fn begun(session: &Session, rows: usize) -> Batches {
    let mut batches = session.sql(&sort(rows)).await.unwrap().batches;
    assert!(batches.next().await.unwrap().is_ok());
    batches
}

/// The error with which the rest of a statement ends, or the number of its rows.
async fn rest(mut batches: Batches) -> Result<usize, QueryError> {
    let mut rows = 0;
    while let Some(batch) = batches.next().await {
        rows += batch?.num_rows();
    }
    Ok(rows)
}

#[tokio::test]
async fn the_largest_statement_of_all_callers_is_cancelled_and_the_others_go_on() {
    let fixture = Fixture::empty();
    let session = fixture.as_officer();
    assert_eq!(session.cancel_largest(), None, "nothing runs");
    let small = begun(&session.for_user("ann"), 40_000).await;
    let large = begun(&session.for_user("bob"), 400_000).await;
    let other = begun(&session.for_user("eve"), 40_000).await;
    let held = session.for_caller(Vec::new(), session.visibility().clone()).cancel_largest();
    // Some of its rows are taken already.
    assert!(held.is_some_and(|held| held >= 8 * 200_000), "{held:?}");
    let ended = rest(large).await;
    assert!(matches!(ended, Err(QueryError::OutOfMemory { held_mib }) if held_mib >= 1), "{ended:?}");
    for going_on in [small, other] {
        assert!(rest(going_on).await.unwrap() > 30_000);
    }
    assert_eq!(session.cancel_largest(), None, "all have ended");
    assert_eq!(rows(&session, "SELECT count(*) FROM generate_series(1, 10)").await, ["10"]);
}
