//! Answers that are given again: what several ask of the same state of the archive is computed once.
//!
//! ```text
//! text, values, state of the tables ─▶ answered before? ── yes ───────────────────────────────▶ its rows
//!                                        │ no ─▶ the first computes ─▶ complete and small: kept ─┘
//!                                        └▶ others wait for the first, and compute by themselves if it kept none
//! ```
//!
//! Invariants:
//! - An answer is given again only to callers with the same keys and visibility, and only for the very snapshots that it was
//!   computed from, so it is what the statement would return if it were executed.
//! - What depends on time or chance, or reads other tables than the archive's, is not kept.
//! - Who waits holds no permit, and waits for one execution at most.

use super::kept_plans::Key;
use super::recent::Recent;
use crate::catalog::Snapshots;
use crate::scan::Subjects;
use arrow_array::RecordBatch;
use datafusion::common::{Result, ScalarValue};
use datafusion::physical_plan::spill::get_record_batch_memory_size;
use futures::stream::{Stream, StreamExt};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Answers that are kept for one caller.
const ANSWERS: usize = 32;
/// Bytes of an answer that is kept.
const ANSWER_BYTES: usize = 512 << 10;

/// The rows of a statement, and whose protected data they were computed from.
pub(super) struct Answer {
    pub(super) batches: Vec<RecordBatch>,
    pub(super) subjects: Subjects,
}

/// A statement that always has the same answer in the same state of the archive.
#[derive(Clone)]
pub(super) struct Repeatable {
    pub(super) key: Key,
    pub(super) values: Vec<ScalarValue>,
    pub(super) snapshots: Snapshots,
}

/// The answers for one caller.
pub(super) struct Answers(Recent<(Key, Vec<ScalarValue>), (Snapshots, Place)>);

impl Default for Answers {
    fn default() -> Self {
        Self(Recent::new(ANSWERS))
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answers")
    }
}

impl Answers {
    /// Where the answer of a statement is, or will be. Those of former states of its tables are dropped.
    pub(super) fn place(&self, statement: Repeatable) -> Place {
        let Repeatable { key, values, snapshots } = statement;
        self.0.forget(|(of, _)| of.are_former(&snapshots));
        let asked = (key, values);
        match self.0.get(&asked) {
            Some((of, place)) if of == snapshots => place,
            _ => {
                let place = Place::default();
                self.0.keep(asked, (snapshots, place.clone()));
                place
            }
        }
    }
}

/// The place of an answer. Who computes it holds the lock.
#[derive(Clone, Default)]
pub(super) struct Place(Arc<Mutex<Option<Arc<Answer>>>>);

/// What a statement does.
pub(super) enum Turn {
    /// It has this answer.
    Answered(Arc<Answer>),
    /// It computes its answer for others as well.
    First(OwnedMutexGuard<Option<Arc<Answer>>>),
    /// It computes its answer for itself.
    Alone,
}

impl Place {
    /// Waits until the first has kept its answer, or has given up. One that has waited does not let others wait for it:
    /// else statements that are given up early could hold up the rest one after the other.
    pub(super) async fn turn(self) -> Turn {
        match Arc::clone(&self.0).try_lock_owned() {
            Ok(place) => match place.as_ref() {
                Some(answer) => Turn::Answered(Arc::clone(answer)),
                None => Turn::First(place),
            },
            Err(_) => match self.0.lock().await.as_ref() {
                Some(answer) => Turn::Answered(Arc::clone(answer)),
                None => Turn::Alone,
            },
        }
    }
}

/// The first of `rows`: all of them, unless they take more than an answer that is kept may. Says whether they are all.
pub(super) async fn gather<S>(rows: &mut S) -> Result<(Vec<RecordBatch>, bool)>
where
    S: Stream<Item = Result<RecordBatch>> + Unpin,
{
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        bytes += get_record_batch_memory_size(&batch);
        batches.push(batch);
        if bytes > ANSWER_BYTES {
            return Ok((batches, false));
        }
    }
    Ok((batches, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::visibility::Visibility;
    use arrow_array::{ArrayRef, Int64Array};
    use datafusion::common::config::Dialect;
    use futures::FutureExt;
    use futures::stream;

    fn statement(value: i64, snapshots: &Snapshots) -> Repeatable {
        let values = vec![ScalarValue::Int64(Some(value))];
        let key = Key::of("select $1", Dialect::PostgreSQL, &values, &Visibility::ALL).unwrap();
        Repeatable { key, values, snapshots: snapshots.clone() }
    }

    fn batch(rows: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        RecordBatch::try_from_iter([("n", numbers)]).unwrap()
    }

    fn answer() -> Arc<Answer> {
        Arc::new(Answer { batches: vec![batch(3)], subjects: Subjects::Of(vec!["S-1".to_owned()]) })
    }

    #[tokio::test]
    async fn others_wait_for_the_first_and_have_its_answer() {
        let (answers, state) = (Answers::default(), Snapshots::default());
        let Turn::First(mut first) = answers.place(statement(1, &state)).turn().await else { panic!("not the first") };
        let mut second = Box::pin(answers.place(statement(1, &state)).turn());
        assert!((&mut second).now_or_never().is_none());
        // Another value is another statement.
        assert!(matches!(answers.place(statement(2, &state)).turn().await, Turn::First(_)));
        *first = Some(answer());
        drop(first);
        assert!(matches!(second.await, Turn::Answered(_)));
        let Turn::Answered(again) = answers.place(statement(1, &state)).turn().await else { panic!("not answered") };
        assert_eq!(again.batches, answer().batches);
        assert_eq!(again.subjects, answer().subjects);
    }

    #[tokio::test]
    async fn who_waited_for_nothing_computes_alone_and_the_next_is_first_again() {
        let (answers, state) = (Answers::default(), Snapshots::default());
        let Turn::First(first) = answers.place(statement(1, &state)).turn().await else { panic!("not the first") };
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(answers.place(statement(1, &state)).turn())).collect();
        for turn in &mut waiting {
            assert!(turn.now_or_never().is_none());
        }
        drop(first);
        for turn in waiting {
            assert!(matches!(turn.await, Turn::Alone));
        }
        assert!(matches!(answers.place(statement(1, &state)).turn().await, Turn::First(_)));
    }

    #[tokio::test]
    async fn the_answer_of_a_former_state_is_dropped() {
        let (answers, state) = (Answers::default(), Snapshots::of_no_files([0]));
        let place = answers.place(statement(1, &state));
        let Turn::First(mut first) = place.turn().await else { panic!("not the first") };
        *first = Some(answer());
        drop(first);
        assert!(matches!(answers.place(statement(1, &state)).turn().await, Turn::Answered(_)));
        // Another statement sees the new state first.
        drop(answers.place(statement(2, &Snapshots::of_no_files([0]))));
        assert!(matches!(answers.place(statement(1, &state)).turn().await, Turn::First(_)));
        // Of another table, the first is not a former state.
        let Turn::First(mut first) = answers.place(statement(1, &state)).turn().await else { panic!("not the first") };
        *first = Some(answer());
        drop(first);
        drop(answers.place(statement(2, &Snapshots::of_no_files([1]))));
        assert!(matches!(answers.place(statement(1, &state)).turn().await, Turn::Answered(_)));
    }

    #[tokio::test]
    async fn a_large_answer_is_not_gathered_whole() {
        let mut few = stream::iter([Ok(batch(10)), Ok(batch(20))]);
        let (batches, all) = gather(&mut few).await.unwrap();
        assert!(all && batches.len() == 2);
        let mut many = stream::iter((0..100).map(|_| Ok(batch(8192))));
        let (batches, all) = gather(&mut many).await.unwrap();
        assert!(!all && batches.len() == ANSWER_BYTES / (8 * 8192) + 1);
        assert_eq!(many.count().await, 100 - batches.len());
        let mut none = stream::iter([]);
        assert!(matches!(gather(&mut none).await.unwrap(), (batches, true) if batches.is_empty()));
    }
}
