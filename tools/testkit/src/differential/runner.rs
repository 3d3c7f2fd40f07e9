//! Executes statements on both sides, reduces what differs, and reports.
//!
//! ```text
//! statements ─▶ worker ─▶ PostgreSQL, Holdfast ─▶ compare ─▶ Same, Refused, ...
//!                            │                       └─ Difference ─▶ PostgreSQL with the rows in another order
//!                            │                                           ├─ another answer: Indeterminate
//!                            │                                           └─ the same: reduce ─▶ smallest statement
//!                            └─ some workers, each with a connection of its own to each side
//! ```

use super::client::{Address, Answer, Client};
use super::compare::{Aspect, Outcome, compare, differing_column, is_same_sequence};
use super::deliberate::{Found, deliberate};
use super::kind::type_name;
use super::order::{OrderKey, is_without_order, order_keys};
use super::reduce::{candidates, single_rows};
use super::report::{Difference, Report};
use super::statement::Statement;
use super::syntax::{kind_of, kind_of_item, parse};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Rows of a generated table, at most.
const ROWS: u32 = 24;

/// The servers.
#[derive(Debug, Clone)]
pub struct Sides {
    /// PostgreSQL.
    pub theirs: Address,
    /// PostgreSQL with the same rows in another order, and other plans.
    pub reordered: Address,
    /// Holdfast.
    pub ours: Address,
}

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Connections to each server.
    pub jobs: usize,
    /// Differences that are reduced; the others are reported as they are.
    pub reductions: usize,
    /// Statements that are tried to reduce one.
    pub tries: usize,
    /// The time for all reductions.
    pub time: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { jobs: 4, reductions: 40, tries: 150, time: Duration::from_secs(120) }
    }
}

/// What became of a statement.
#[derive(Debug)]
struct Judged {
    outcome: Outcome,
    theirs: Answer,
    ours: Answer,
}

struct Worker {
    theirs: Client,
    reordered: Client,
    ours: Client,
}

impl Worker {
    fn new(sides: &Sides) -> Self {
        let [theirs, reordered, ours] =
            [&sides.theirs, &sides.reordered, &sides.ours].map(|address| Client::new(address.clone()));
        Self { theirs, reordered, ours }
    }

    async fn judge(&mut self, statement: &Statement) -> Judged {
        let (theirs, ours) = tokio::join!(self.theirs.answer(statement), self.ours.answer(statement));
        let tree = parse(&statement.sql);
        let order = tree.as_ref().map(order_keys).unwrap_or_default();
        let mut outcome = compare(&theirs, &ours, &order);
        let is_of_values = matches!(outcome, Outcome::Difference(Aspect::Count | Aspect::Values | Aspect::Order));
        if is_of_values && tree.as_ref().is_some_and(is_without_order) {
            outcome = Outcome::Indeterminate;
        }
        // A key that no column shows: the order is compared where PostgreSQL answers with it for other rows and plans as well.
        if outcome == Outcome::Same && order.contains(&OrderKey::Hidden) && !is_same_sequence(&theirs, &ours) {
            let again = self.reordered.answer(statement).await;
            if is_same_sequence(&theirs, &again) {
                outcome = Outcome::Difference(Aspect::Order);
            }
        }
        if let Outcome::Difference(Aspect::Count | Aspect::Values | Aspect::Order | Aspect::Code(..)) = outcome {
            let again = self.reordered.answer(statement).await;
            if compare(&theirs, &again, &order) != Outcome::Same && !is_same_refusal(&theirs, &again) {
                outcome = Outcome::Indeterminate;
            }
        }
        Judged { outcome, theirs, ours }
    }

    /// The smallest statement that differs in this way, with its answers.
    async fn reduce(
        &mut self,
        statement: Statement,
        judged: Judged,
        tries: usize,
        until: Instant,
    ) -> (Statement, Judged) {
        let (mut smallest, mut answers) = (statement, judged);
        let mut left = tries;
        let mut skipped = 0;
        loop {
            let list = candidates(&smallest);
            let mut found = None;
            // Those before the place of the last success have failed a moment ago: they come last.
            let count = list.len();
            for step in 0..count {
                let place = (skipped + step) % count;
                if left == 0 || Instant::now() > until {
                    return (smallest, answers);
                }
                left -= 1;
                let judged = self.judge(&list[place]).await;
                if judged.outcome == answers.outcome {
                    found = Some((place, judged));
                    break;
                }
            }
            let Some((place, judged)) = found else { break };
            skipped = place;
            smallest = list.into_iter().nth(place).unwrap_or(smallest);
            answers = judged;
        }
        if answers.outcome == Outcome::Difference(Aspect::Values) {
            for candidate in single_rows(&smallest, ROWS) {
                let judged = self.judge(&candidate).await;
                if judged.outcome == answers.outcome {
                    return (candidate, judged);
                }
            }
        }
        (smallest, answers)
    }
}

fn is_same_refusal(one: &Answer, other: &Answer) -> bool {
    matches!((one, other), (Answer::Refused(one), Answer::Refused(other)) if one.code == other.code)
}

/// Executes the statements, and says after each how many are done.
pub async fn run(sides: &Sides, statements: Vec<Statement>, options: Options, mut done: impl FnMut(usize)) -> Report {
    let statements: Arc<[Statement]> = statements.into();
    let judged = judge_all(sides, &statements, options.jobs, &mut done).await;
    let mut report = Report::default();
    let mut differences = Vec::new();
    for (statement, judged) in statements.iter().zip(judged) {
        let Some(judged) = judged else { continue };
        report.count(statement, &judged.outcome);
        if let Outcome::Difference(aspect) = &judged.outcome {
            differences.push((statement.clone(), aspect.clone(), judged));
        }
    }
    for (statement, original, aspect, judged) in reduce_all(sides, differences, options).await {
        let found = Found { aspect: &aspect, statement: &statement, theirs: &judged.theirs, ours: &judged.ours };
        match deliberate(&found) {
            Some(deliberate) => report.deliberate(&original, deliberate),
            None => {
                let kind = kind_of_difference(&statement, &aspect, &judged);
                let Judged { theirs, ours, .. } = judged;
                report.difference(Difference { aspect, kind, statement, original, theirs, ours });
            }
        }
    }
    report
}

/// The kind of the column that differs, or else of the whole statement; of types, with both.
fn kind_of_difference(statement: &Statement, aspect: &Aspect, judged: &Judged) -> String {
    let place = differing_column(aspect, &judged.theirs, &judged.ours);
    let item = place.and_then(|(place, _)| kind_of_item(&statement.sql, place));
    let kind = item.unwrap_or_else(|| kind_of(&statement.sql));
    match place {
        Some((_, Some((theirs, ours)))) => format!("{kind} is {}, here {}", type_name(theirs), type_name(ours)),
        _ => kind,
    }
}

async fn judge_all(
    sides: &Sides,
    statements: &Arc<[Statement]>,
    jobs: usize,
    done: &mut impl FnMut(usize),
) -> Vec<Option<Judged>> {
    let next = Arc::new(AtomicUsize::new(0));
    let (sender, mut receiver) = mpsc::channel(64);
    for _ in 0..jobs.max(1) {
        let (statements, next, sender) = (Arc::clone(statements), Arc::clone(&next), sender.clone());
        let mut worker = Worker::new(sides);
        tokio::spawn(async move {
            while let Some((number, statement)) = taken(&next, &statements) {
                let judged = worker.judge(statement).await;
                if sender.send((number, judged)).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    let mut all: Vec<Option<Judged>> = Vec::new();
    all.resize_with(statements.len(), || None);
    let mut count = 0;
    while let Some((number, judged)) = receiver.recv().await {
        all[number] = Some(judged);
        count += 1;
        done(count);
    }
    all
}

fn taken<'s, T>(next: &AtomicUsize, all: &'s [T]) -> Option<(usize, &'s T)> {
    let number = next.fetch_add(1, Ordering::Relaxed);
    all.get(number).map(|one| (number, one))
}

type Reduced = (Statement, Statement, Aspect, Judged);

/// Reduces the differences that are worth it: of those that look alike only some.
async fn reduce_all(sides: &Sides, differences: Vec<(Statement, Aspect, Judged)>, options: Options) -> Vec<Reduced> {
    const ALIKE: usize = 3;
    let until = Instant::now() + options.time;
    let mut alike: HashMap<(Aspect, String), usize> = HashMap::new();
    let (mut large, mut all) = (Vec::new(), Vec::new());
    for (statement, aspect, judged) in differences {
        let count = alike.entry((aspect.clone(), kind_of_difference(&statement, &aspect, &judged))).or_default();
        *count += 1;
        if *count <= ALIKE && large.len() < options.reductions {
            large.push(Some((statement, aspect, judged)));
        } else {
            all.push((statement.clone(), statement, aspect, judged));
        }
    }
    let next = Arc::new(AtomicUsize::new(0));
    let large: Arc<[std::sync::Mutex<Option<_>>]> = large.into_iter().map(std::sync::Mutex::new).collect();
    let (sender, mut receiver) = mpsc::channel(64);
    for _ in 0..options.jobs.max(1) {
        let (large, next, sender) = (Arc::clone(&large), Arc::clone(&next), sender.clone());
        let mut worker = Worker::new(sides);
        tokio::spawn(async move {
            while let Some((_, place)) = taken(&next, &large) {
                let taken = place.lock().map(|mut place| place.take()).unwrap_or_default();
                let Some((original, aspect, judged)) = taken else { continue };
                let original: Statement = original;
                let (smallest, judged) = worker.reduce(original.clone(), judged, options.tries, until).await;
                let reduced: Reduced = (smallest, original, aspect, judged);
                if sender.send(reduced).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(sender);
    while let Some(reduced) = receiver.recv().await {
        all.push(reduced);
    }
    all
}
