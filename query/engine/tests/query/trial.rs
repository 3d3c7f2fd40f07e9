//! Generated statements against a small archive in memory. The fuzz target `sql` includes this file and `fixture.rs`.

use crate::fixture::{Fixture, JUNE, MAY, event};
use futures::StreamExt;
use holdfast_query::{QueryError, Session};
use serde_json::json;
use std::time::Duration;

/// Bytes of memory for all statements.
const MEMORY: usize = 24 << 20;
/// Rows that are read of a result, at most.
const ROWS: usize = 200_000;
/// In which a small statement must be answered after one that was ended. It allows for a busy machine and for a build
/// that looks at every access of memory.
const PROBE_LIMIT: Duration = Duration::from_secs(15);

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ending {
    Answered,
    /// It is wrong.
    Wrong,
    /// It exceeds a bound, or would take too much.
    Bounded,
    /// It was ended at its limit of time or of rows.
    Ended,
}

/// A session with an archive of a few events.
pub(crate) struct Trial {
    session: Session,
    /// For each statement.
    limit: Duration,
}

impl Trial {
    pub(crate) async fn new(limit: Duration) -> Self {
        let mut fixture = Fixture::empty();
        for (date, day) in [(MAY, "2026-05-10"), (JUNE, "2026-06-10")] {
            let mut events = Vec::new();
            for number in 0..12 {
                let (subject, time) = (format!("S-{day}-{}", number % 4), format!("{day}T08:{number:02}:00Z"));
                let (kind, data) = match number / 4 {
                    0 => ("session.started", json!({ "agent_id": "a-1", "customer_id": "c-1" })),
                    1 => ("chat.line", json!({ "seq": number, "sender": "customer", "text": "it's 5 % slower" })),
                    _ => ("survey.submitted", json!({ "rating": number % 5 + 1, "feedback": "thank you" })),
                };
                events.push(event(kind, &format!("{day}-{number}"), &subject, &time, data));
            }
            fixture.write(date, &events).await;
        }
        // A time that no calendar should have to show.
        fixture.write(MAY, &[event("note", "odd", "S-odd", "9999-12-31T23:59:59.999999Z", json!([1]))]).await;
        let mut options = fixture.options(&[&fixture.officer]);
        options.memory_limit = MEMORY;
        Self { session: Session::new(options).expect("a session"), limit }
    }

    /// Executes a statement within the limits. It must be answered or refused for a reason of its own, and the engine
    /// must answer afterwards.
    ///
    /// # Panics
    /// If the engine failed.
    pub(crate) async fn execute(&self, statement: &str) -> Ending {
        let ending = tokio::time::timeout(self.limit, self.rows(statement)).await.unwrap_or(Ending::Ended);
        if ending == Ending::Ended {
            // What was given up must not keep the threads, or the memory.
            let answered = async {
                while self.rows("SELECT count(*) FROM events").await != Ending::Answered {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            let is_answered = tokio::time::timeout(PROBE_LIMIT, answered).await.is_ok();
            assert!(is_answered, "the engine does not answer after: {statement}");
        }
        ending
    }

    async fn rows(&self, statement: &str) -> Ending {
        let mut batches = match self.session.sql(statement).await {
            Ok(result) => result.batches,
            Err(error) => return refused(statement, &error),
        };
        let mut rows = 0;
        while let Some(batch) = batches.next().await {
            match batch {
                Ok(batch) => rows += batch.num_rows(),
                Err(error) => return refused(statement, &error),
            }
            if rows > ROWS {
                return Ending::Ended;
            }
        }
        Ending::Answered
    }
}

#[track_caller]
fn refused(statement: &str, error: &QueryError) -> Ending {
    match error {
        QueryError::Statement(_) | QueryError::ReadOnly(_) => Ending::Wrong,
        QueryError::Bound(_) | QueryError::Function { .. } | QueryError::Memory { .. } => Ending::Bounded,
        other => panic!("{other:?}: {statement}"),
    }
}
