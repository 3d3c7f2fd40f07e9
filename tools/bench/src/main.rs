//! The benchmark: one command for archiving and proving, one for questions, one line a figure.
//!
//! ```text
//! limit     events in memory ─▶ decode ─▶ columns ─▶ Parquet, plain and encrypted          one thread, nothing else
//! archive   backlog in Apache Kafka ─▶ the archiver in a process of its own ─▶ a folder     CPU, wall, memory, bytes
//! prove     what was archived ─▶ sealed, verified before and after, each in a process of its own                CPU, wall
//! freshness one event at a time, acknowledged ─▶ in the log that every query reads
//! ```
//!
//! [`reports`] has the other: the built-in reports beside DuckDB, single sessions, many clients at once.
//!
//! CPU time is that of the archiving process, all of its threads, user and system, as the kernel counts it. The limit is
//! measured in the same run on the same bytes.

#![allow(clippy::print_stdout, reason = "printing figures is what this program is for")]

mod archive;
mod event;
mod limit;
mod process;
mod prove;
mod reports;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "Measures how fast Holdfast archives and answers, and prints one line a figure.")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Chat-line events in the backlog.
    #[arg(long, default_value_t = 5_000_000)]
    events: u64,
    /// How often the backlog is archived with encryption and without; the best of each counts.
    #[arg(long, default_value_t = 2)]
    runs: u32,
}

#[derive(Subcommand)]
enum Command {
    /// Measures how fast questions are answered, beside DuckDB on the same rows in plain Parquet.
    Reports {
        /// Events of a made-up service desk.
        #[arg(long, default_value_t = 10_000_000)]
        events: u64,
        /// Where the archive is made and kept; what is there already is asked again.
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// (internal) Archives a backlog and prints what it took. Run by the benchmark itself, in a process of its own.
    #[command(hide = true)]
    Archive {
        #[arg(long)]
        brokers: String,
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        events: u64,
        #[arg(long)]
        group: String,
        #[arg(long)]
        plain: bool,
        #[arg(long)]
        without_proofs: bool,
    },
    /// (internal) Verifies an archive and prints what it took.
    #[command(hide = true)]
    Verify {
        #[arg(long)]
        folder: PathBuf,
    },
    /// (internal) Seals an archive and prints what it took.
    #[command(hide = true)]
    Seal {
        #[arg(long)]
        folder: PathBuf,
    },
    /// Prints the plan of a report, or of a statement, with the time and memory of each operator.
    Profile {
        /// The folder that `reports` was given.
        #[arg(long)]
        folder: PathBuf,
        /// How often it is asked before, for who watches with a profiler.
        #[arg(long, default_value_t = 3)]
        times: u32,
        /// MiB of memory for its sorts, joins and groups.
        #[arg(long, default_value_t = 512)]
        memory: usize,
        /// A report's name, or a statement.
        what: String,
    },
    /// (internal) Makes the table of sessions and prints what it took.
    #[command(hide = true)]
    Project {
        #[arg(long)]
        folder: PathBuf,
    },
    /// (internal) Writes an archive's rows to unencrypted files.
    #[command(hide = true)]
    Export {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        plain: PathBuf,
    },
    /// (internal) Asks for every report and prints how long the answers took.
    #[command(hide = true)]
    Answer {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        plain: PathBuf,
        #[arg(long)]
        answers: PathBuf,
        #[arg(long)]
        spill: PathBuf,
    },
    /// (internal) Sorts all events in little memory.
    #[command(hide = true)]
    Sort {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        spill: PathBuf,
    },
    /// (internal) Serves the HTTP API until its input ends.
    #[command(hide = true)]
    Serve {
        #[arg(long)]
        brokers: String,
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        spill: PathBuf,
    },
    /// (internal) Asks an archive and prints how long the answers took.
    #[command(hide = true)]
    Ask {
        #[arg(long)]
        folder: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter("warn,buoyant_kernel=error").init();
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match arguments.command {
        Some(Command::Archive { brokers, folder, events, group, plain, without_proofs }) => {
            let kind = archive::Variant { encrypt: !plain, proofs: !without_proofs };
            runtime.block_on(archive::child(brokers, &folder, events, group, kind))
        }
        Some(Command::Verify { folder }) => runtime.block_on(prove::verify(&folder)),
        Some(Command::Seal { folder }) => runtime.block_on(prove::seal(&folder)),
        Some(Command::Reports { events, folder }) => runtime.block_on(reports::measure(events, folder)),
        Some(Command::Profile { folder, times, memory, what }) => {
            runtime.block_on(reports::profile(&folder, &what, times, memory << 20))
        }
        Some(Command::Project { folder }) => runtime.block_on(reports::project(&folder)),
        Some(Command::Export { folder, plain }) => runtime.block_on(reports::export(&folder, &plain)),
        Some(Command::Answer { folder, plain, answers, spill }) => {
            runtime.block_on(reports::answer(&folder, &plain, &answers, &spill))
        }
        Some(Command::Sort { folder, spill }) => runtime.block_on(reports::sort(&folder, &spill)),
        Some(Command::Serve { brokers, folder, spill }) => runtime.block_on(reports::serve(&folder, &spill, &brokers)),
        Some(Command::Ask { folder }) => runtime.block_on(prove::ask(&folder)),
        None => {
            let limit = limit::measure(&runtime)?;
            runtime.block_on(archive::measure(arguments.events, arguments.runs.max(1), limit))
        }
    }
}

/// Prints one figure.
fn figure(name: &str, value: impl std::fmt::Display, unit: &str) {
    println!("{name:<52} {value:>14} {unit}");
}
