//! Trials of a real `holdfast serve`: of what a reader asks, and of the death of the process that answers.

use crate::figure::figure;
use anyhow::{Context, ensure};
use clap::Args;
use holdfast_testkit::trial::{
    self, Deployment, DeploymentOptions, HostileOptions, KillOptions, Pair, Posted, StatementOptions, Statements,
    percentile,
};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

const USERS: usize = 4;
/// Statements that are shown of those without an answer.
const SHOWN: usize = 10;
/// How many times as long posting may take while clients run the worst statements: the median of the pairs.
const MAX_RATIO: f64 = 1.5;

#[derive(Debug, Args)]
struct Server {
    /// The program; otherwise the one beside this one.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Seconds after which the archiver flushes.
    #[arg(long, default_value_t = 5)]
    flush_seconds: u64,
    /// Generated sessions in the archive.
    #[arg(long, default_value_t = 60)]
    sessions: u64,
}

#[derive(Debug, Args)]
pub(crate) struct StatementArguments {
    /// Statements.
    #[arg(long, default_value_t = 200_000)]
    count: u64,
    /// Seed of the generator: the same seed generates the same statements.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Clients at once, half of them over HTTP, half over PostgreSQL.
    #[arg(long, default_value_t = 6)]
    clients: usize,
    /// Seconds that one statement may take.
    #[arg(long, default_value_t = 1)]
    limit_seconds: u64,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct KillArguments {
    /// Kills.
    #[arg(long, default_value_t = 200)]
    count: u64,
    /// Seed of the statements and of the moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct HostileArguments {
    /// Pairs of measurements, with and without the clients.
    #[arg(long, default_value_t = 10)]
    pairs: usize,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Clients at once.
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Events a second.
    #[arg(long, default_value_t = 100)]
    events: u32,
    #[command(flatten)]
    server: Server,
}

impl Server {
    async fn start(&self) -> anyhow::Result<Deployment> {
        let program = match &self.program {
            Some(program) => program.canonicalize().with_context(|| format!("find {}", program.display()))?,
            None => std::env::current_exe()?.with_file_name("holdfast"),
        };
        ensure!(program.exists(), "{} does not exist: build it with `cargo build -p holdfast`", program.display());
        let options =
            DeploymentOptions { program, sessions: self.sessions, users: USERS, flush_seconds: self.flush_seconds };
        Ok(Deployment::start(&options).await?)
    }
}

/// Sends generated statements, and prints how they ended.
pub(crate) async fn statements(arguments: &StatementArguments) -> anyhow::Result<()> {
    let mut deployment = arguments.server.start().await?;
    let StatementArguments { count, seed, clients, limit_seconds, .. } = *arguments;
    let options = StatementOptions { count, seed, clients, limit_seconds };
    let all = trial::statements(&deployment, &options).await?;
    figure("statements", all.ran, "");
    figure("answered", all.answered(), "");
    figure("refused or ended at a bound", all.bounded(), "");
    for (kind, count) in all.errors() {
        figure(&format!("other errors: {kind}"), count, "");
    }
    figure("known later than a second after its limit", all.late, "");
    figure("slowest", seconds(all.slowest.0), "s");
    println!("slowest: {}", shown(&all.slowest.1));
    figure("ends of the process that answers", all.crashes, "");
    figure("its largest resident memory", all.memory >> 20, "MiB");
    figure("its limit", all.memory_limit >> 20, "MiB");
    print_posted(&all.posted, all.archived);
    for (why, statement) in all.disconnected.iter().take(SHOWN) {
        println!("without an answer, {why}: {}", shown(statement));
    }
    let kinds: BTreeSet<&String> = all.failed.iter().map(|(kind, _)| kind).collect();
    for kind in kinds {
        for (_, statement) in all.failed.iter().filter(|(other, _)| other == kind).take(SHOWN) {
            println!("failed with {kind}: {}", shown(statement));
        }
    }
    let answers = check_answers(&all);
    if answers.is_err() {
        println!("the output of the processes: {}", kept(&deployment)?);
    }
    deployment.stop().await?;
    answers?;
    check(&all.posted, all.archived)
}

/// The process that answers stayed within its bounds, and every statement ended in time and in order. Failures that the
/// server reports are figures only.
fn check_answers(all: &Statements) -> anyhow::Result<()> {
    ensure!(all.crashes == 0, "the process that answers ended {} times", all.crashes);
    ensure!(all.disconnected.is_empty(), "{} statements had no answer", all.disconnected.len());
    ensure!(all.late == 0, "{} statements ended late", all.late);
    ensure!(all.memory > 0 && all.memory <= all.memory_limit, "the process had more memory than its limit");
    Ok(())
}

/// Kills the process that answers, and prints what became of the events.
pub(crate) async fn kills(arguments: &KillArguments) -> anyhow::Result<()> {
    let mut deployment = arguments.server.start().await?;
    let options = KillOptions { count: arguments.count, seed: arguments.seed };
    let all = trial::kills(&mut deployment, &options).await?;
    figure("kills of the process that answers", all.killed, "");
    figure("ends of it before it was killed", all.ended, "");
    figure("statements answered between them", all.answered, "");
    figure("longest time without an answer", seconds(all.longest_outage), "s");
    print_posted(&all.posted, all.archived);
    figure("the longest delay may be", seconds(all.allowed_delay), "s");
    deployment.stop().await?;
    check(&all.posted, all.archived)?;
    ensure!(all.killed == arguments.count && all.ended == 0, "the process ended {} times by itself", all.ended);
    ensure!(all.posted.longest_delay() <= all.allowed_delay, "an event was archived late");
    Ok(())
}

/// Measures pairs, and prints each and their ratio.
pub(crate) async fn hostile(arguments: &HostileArguments) -> anyhow::Result<()> {
    ensure!(arguments.events > 0 && arguments.pairs > 0, "there is nothing to measure");
    let mut deployment = arguments.server.start().await?;
    let options = HostileOptions {
        pairs: arguments.pairs,
        length: Duration::from_secs(arguments.seconds),
        clients: arguments.clients,
        post_every: Duration::from_secs(1) / arguments.events,
    };
    let pairs = trial::hostile(&deployment, &options).await?;
    deployment.stop().await?;
    for pair in &pairs {
        let (without, with) = (milliseconds(pair.without), milliseconds(pair.with));
        figure("p99 of posting: without, with, ratio", format!("{without} {with} {:.2}", pair.ratio()), "ms");
    }
    let [least, median, most] = ratios(&pairs);
    figure("ratio: least, median, most", format!("{least:.2} {median:.2} {most:.2}"), "");
    let unknown: u64 = pairs.iter().map(|pair| pair.unknown).sum();
    figure("events that were not acknowledged or not archived", unknown, "");
    ensure!(unknown == 0, "events were not acknowledged, or not archived");
    check_ratio(median)
}

/// The least, the median and the most of at least one pair.
fn ratios(pairs: &[Pair]) -> [f64; 3] {
    let mut ratios: Vec<f64> = pairs.iter().map(Pair::ratio).collect();
    ratios.sort_by(f64::total_cmp);
    [0, ratios.len() / 2, ratios.len() - 1].map(|place| ratios[place])
}

fn check_ratio(median: f64) -> anyhow::Result<()> {
    ensure!(median <= MAX_RATIO, "posting took {median:.2} times as long, and may take {MAX_RATIO} times");
    Ok(())
}

fn print_posted(posted: &Posted, (events, ids): (u64, u64)) {
    figure("events acknowledged", posted.acknowledged, "");
    figure("events without an acknowledgement", posted.unknown, "");
    figure("events in the archive, and their ids", format!("{events} {ids}"), "");
    figure("acknowledged events that are not in the archive", posted.lost, "");
    figure("p99 of posting", milliseconds(percentile(&posted.latencies, 0.99)), "ms");
    figure("longest time from the 202 to the archive", seconds(posted.longest_delay()), "s");
}

/// Nothing that was acknowledged is missing, and nothing is doubled.
fn check(posted: &Posted, (events, ids): (u64, u64)) -> anyhow::Result<()> {
    ensure!(posted.lost == 0 && events >= posted.acknowledged, "acknowledged events are not in the archive");
    ensure!(events == ids && events <= posted.acknowledged + posted.unknown, "events are doubled");
    Ok(())
}

/// Copies the output of the server to where it stays.
fn kept(deployment: &Deployment) -> anyhow::Result<String> {
    let folder = tempfile::Builder::new().prefix("holdfast-trial-logs-").tempdir()?.keep();
    for entry in std::fs::read_dir(deployment.logs())? {
        let entry = entry?;
        std::fs::copy(entry.path(), folder.join(entry.file_name()))?;
    }
    Ok(folder.display().to_string())
}

fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}

/// The beginning of a statement.
fn shown(statement: &str) -> String {
    statement.chars().take(1_000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_fails_when_a_statement_or_the_process_passes_its_bounds() {
        let good = || Statements { memory: 1 << 20, memory_limit: 1 << 20, ..Statements::default() };
        check_answers(&good()).unwrap();
        // A failure that the server reports is a figure.
        check_answers(&Statements { failed: vec![("XX000".to_owned(), "odd".to_owned())], ..good() }).unwrap();
        for (bad, expected) in [
            (Statements { crashes: 1, ..good() }, "ended 1 times"),
            (
                Statements { disconnected: vec![("reset".to_owned(), "gone".to_owned())], ..good() },
                "1 statements had no answer",
            ),
            (Statements { late: 2, ..good() }, "2 statements ended late"),
            (Statements { memory: (1 << 20) + 1, ..good() }, "more memory"),
            (Statements::default(), "more memory"),
        ] {
            let refused = check_answers(&bad).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn the_median_of_the_pairs_decides() {
        let pair =
            |with: u64| Pair { without: Duration::from_millis(10), with: Duration::from_millis(with), unknown: 0 };
        let of = |with: [u64; 3]| ratios(&with.map(pair))[1];
        check_ratio(of([90, 15, 9])).unwrap();
        assert!(check_ratio(of([16, 9, 17])).is_err());
        assert_eq!(ratios(&[pair(20)]), [2.0; 3]);
    }
}
