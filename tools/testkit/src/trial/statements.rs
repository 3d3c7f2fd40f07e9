//! Generated statements against the process that answers them: it must not end, and no statement may take longer or more
//! than its bounds, while events are archived.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::client::{Client, Ending};
use super::deployment::Deployment;
use super::posting::{Posted, Posting};
use crate::choices::Choices;
use crate::{Error, sql};

/// How often an event is posted meanwhile.
const POST_EVERY: Duration = Duration::from_millis(100);
/// How often the process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A client must know within this time after a statement's limit how it ended.
const LATE: Duration = Duration::from_secs(1);
/// Reasons and SQLSTATEs of statements that were refused or ended at a bound.
const BOUNDS: [&str; 12] = [
    "statement_too_complex",
    "statement_too_large",
    "body_too_large",
    "function_limit",
    "not_recordable",
    "too_many_rows",
    "statement_timeout",
    "memory",
    "user_statements",
    "all_statements",
    "53200",
    "57014",
];

/// How many statements, and of which kind.
#[derive(Debug, Clone)]
pub struct StatementOptions {
    /// Statements.
    pub count: u64,
    /// Of the generator.
    pub seed: u64,
    /// Clients at once: half of them over HTTP, half over PostgreSQL.
    pub clients: usize,
    /// Seconds that one statement may take.
    pub limit_seconds: u64,
}

/// What came of the statements.
#[derive(Debug, Clone, Default)]
pub struct Statements {
    /// Statements that were sent.
    pub ran: u64,
    /// By interface and kind of end: `answered`, a reason of HTTP, a SQLSTATE, `disconnected` or `silent`.
    pub endings: BTreeMap<(&'static str, String), u64>,
    /// Statements whose client knew of their end later than a second after their limit.
    pub late: u64,
    /// The slowest, and how long it took.
    pub slowest: (Duration, String),
    /// Ends of the process that answers.
    pub crashes: u64,
    /// Statements without an answer: why not, and their text. Their connection ended, could not be made, or was silent.
    pub disconnected: Vec<(String, String)>,
    /// Statements that the server answered as its own failure, and the kinds of their ends.
    pub failed: Vec<(String, String)>,
    /// The largest resident memory of the process that was seen, in bytes.
    pub memory: u64,
    /// What it may be, in bytes: the process is ended beyond it.
    pub memory_limit: u64,
    /// The events posted meanwhile.
    pub posted: Posted,
    /// Events of trials in the archive at the end, and how many different ids they have.
    pub archived: (u64, u64),
}

impl Statements {
    /// Statements that were answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.endings.iter().filter(|((_, kind), _)| kind == "answered").map(|(_, count)| count).sum()
    }

    /// Statements that a bound refused or ended.
    #[must_use]
    pub fn bounded(&self) -> u64 {
        self.endings.iter().filter(|((_, kind), _)| is_bound(kind)).map(|(_, count)| count).sum()
    }

    /// Other errors, by interface and reason, of PostgreSQL by the class of its SQLSTATE.
    #[must_use]
    pub fn errors(&self) -> BTreeMap<String, u64> {
        let mut errors = BTreeMap::new();
        for ((interface, kind), count) in &self.endings {
            if kind != "answered" && !is_bound(kind) {
                let is_sqlstate = *interface == "postgres" && kind.len() == 5;
                let class = if is_sqlstate { format!("{}xxx", &kind[..2]) } else { kind.clone() };
                *errors.entry(format!("{interface} {class}")).or_default() += count;
            }
        }
        errors
    }

    fn add(&mut self, interface: &'static str, statement: String, ending: Ending, took: Duration, limit: Duration) {
        self.ran += 1;
        self.late += u64::from(took > limit + LATE);
        let kind = match ending {
            Ending::Answered => "answered".to_owned(),
            Ending::Refused(reason) => reason,
            Ending::Disconnected(why) => {
                self.disconnected.push((why, statement.clone()));
                "disconnected".to_owned()
            }
            Ending::Silent => {
                self.disconnected.push(("silent".to_owned(), statement.clone()));
                "silent".to_owned()
            }
        };
        if is_failure(&kind) {
            self.failed.push((kind.clone(), statement.clone()));
        }
        if took > self.slowest.0 {
            self.slowest = (took, statement);
        }
        *self.endings.entry((interface, kind)).or_default() += 1;
    }

    fn merge(&mut self, other: Self) {
        self.ran += other.ran;
        self.late += other.late;
        self.disconnected.extend(other.disconnected);
        self.failed.extend(other.failed);
        if other.slowest.0 > self.slowest.0 {
            self.slowest = other.slowest;
        }
        for (key, count) in other.endings {
            *self.endings.entry(key).or_default() += count;
        }
    }
}

fn is_bound(kind: &str) -> bool {
    BOUNDS.contains(&kind) || (kind.len() == 5 && kind.starts_with("54"))
}

/// Whether the server says that it failed, or does not say why.
fn is_failure(kind: &str) -> bool {
    matches!(kind, "without_reason" | "internal") || (kind.len() == 5 && kind.starts_with("XX"))
}

/// Sends generated statements, and watches what else the server does.
///
/// # Errors
///
/// [`Error`] if the server does not take events or does not tell its metrics.
pub async fn statements(deployment: &Deployment, options: &StatementOptions) -> Result<Statements, Error> {
    let before = restarts(deployment).await?;
    let posting = Posting::start(deployment, POST_EVERY).await?;
    let next = Arc::new(AtomicU64::new(0));
    let limit = Duration::from_secs(options.limit_seconds);
    let mut clients = JoinSet::new();
    for number in 0..options.clients {
        let client = Client::new(deployment, number, limit)?;
        clients.spawn(send(client, Arc::clone(&next), options.clone()));
    }
    let is_done = AtomicBool::new(false);
    let sending = async {
        let mut all = Statements::default();
        while let Some(one) = clients.join_next().await {
            all.merge(one.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())));
        }
        is_done.store(true, Ordering::Release);
        all
    };
    let (mut all, (memory, processes)) = tokio::join!(sending, look(deployment, &is_done));
    all.memory = memory;
    all.memory_limit =
        deployment.metric("holdfast_child_memory_limit_bytes{role=\"query\"}").await?.unwrap_or_default();
    // A process that ended and was started again counts, and so does one that was seen before it was counted.
    let restarted = restarts(deployment).await?.saturating_sub(before);
    all.crashes = restarted.max((processes.len() as u64).saturating_sub(1));
    all.posted = posting.finish().await?;
    all.archived = deployment.archived().await?;
    Ok(all)
}

async fn restarts(deployment: &Deployment) -> Result<u64, Error> {
    Ok(deployment.metric("holdfast_child_restarts_total{role=\"query\"}").await?.unwrap_or_default())
}

/// The largest resident memory of the process that answers, and the ids that it had, until the end.
async fn look(deployment: &Deployment, is_done: &AtomicBool) -> (u64, BTreeSet<u32>) {
    let (mut memory, mut processes) = (0, BTreeSet::new());
    while !is_done.load(Ordering::Acquire) {
        if let Some(process) = deployment.query_process() {
            processes.insert(process);
            memory = memory.max(resident(process).unwrap_or_default());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    (memory, processes)
}

/// The resident memory of a process, in bytes.
fn resident(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// Sends statements until all are sent.
async fn send(mut client: Client, next: Arc<AtomicU64>, options: StatementOptions) -> Statements {
    let limit = Duration::from_secs(options.limit_seconds);
    let mut sent = Statements::default();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= options.count {
            return sent;
        }
        let statement = sql::statement(&mut Choices::seeded(options.seed.wrapping_add(number)));
        let (ending, took) = client.send(&statement).await;
        sent.add(client.interface(), statement, ending, took, limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_counted_by_bound_and_by_class() {
        let mut all = Statements::default();
        let second = Duration::from_secs(1);
        for (interface, reason) in [
            ("http", "function_limit"),
            ("http", "invalid_statement"),
            ("postgres", "54001"),
            ("postgres", "42703"),
            ("postgres", "42P01"),
        ] {
            all.add(interface, "one".to_owned(), Ending::Refused(reason.to_owned()), second, second);
        }
        all.add("http", "slow".to_owned(), Ending::Answered, 3 * second, second);
        all.add("postgres", "gone".to_owned(), Ending::Disconnected("reset".to_owned()), second, second);
        assert_eq!((all.ran, all.answered(), all.bounded(), all.late), (7, 1, 2, 1));
        assert_eq!(all.slowest, (3 * second, "slow".to_owned()));
        assert_eq!(all.disconnected, [("reset".to_owned(), "gone".to_owned())]);
        assert_eq!(all.failed, []);
        all.add("postgres", "odd".to_owned(), Ending::Refused("XX000".to_owned()), second, second);
        assert_eq!(all.failed, [("XX000".to_owned(), "odd".to_owned())]);
        let errors: Vec<(String, u64)> = all.errors().into_iter().collect();
        let expected =
            [("http invalid_statement", 1), ("postgres 42xxx", 2), ("postgres XXxxx", 1), ("postgres disconnected", 1)];
        assert_eq!(errors, expected.map(|(name, count)| (name.to_owned(), count)));
    }
}
