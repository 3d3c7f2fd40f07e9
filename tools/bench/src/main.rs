//! The benchmark: one command for archiving and proving, one for queries. Each figure is one line.
//!
//! ```text
//! limit     events in memory ─▶ decode ─▶ columns ─▶ Parquet, plain and encrypted          one thread, nothing else
//! archive   backlog in Apache Kafka ─▶ the archiver in a process of its own ─▶ a folder     CPU, wall, memory, bytes
//! prove     the archive ─▶ sealed, verified before and after, each in a process of its own  CPU, wall
//! freshness one event at a time, acknowledged ─▶ in the log that every query reads
//! ```
//!
//! [`log`] has what a commit and a statement take in an archive with very many commits.
//!
//! [`reports`] has the queries: the built-in reports beside DuckDB, single sessions, many concurrent clients.
//!
//! [`stall`] has what becomes of events when Kafka stands still for minutes.
//!
//! [`differential`] has how the answers differ from those of a real PostgreSQL.
//!
//! [`trial`] has what stops a server, if anything does: generated statements, kills, and the worst statements at once.
//!
//! CPU time is the user and system time of all threads of the archiving process, as the kernel counts it. The limit is
//! measured in the same run on the same bytes.

#![allow(clippy::print_stdout, reason = "printing figures is what this program is for")]

mod archive;
mod differential;
mod event;
mod figure;
mod limit;
mod log;
mod process;
mod prove;
mod reports;
mod stall;
mod trial;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use tikv_jemallocator::Jemalloc;

/// As in the program whose parts are measured.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[derive(Parser)]
#[command(about = "Measures how fast Holdfast archives and queries, and prints each figure on a line.")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Chat-line events in the backlog.
    #[arg(long, default_value_t = 5_000_000)]
    events: u64,
    /// How often the backlog is archived with encryption and without it; the best run of each counts.
    #[arg(long, default_value_t = 2)]
    runs: u32,
}

#[derive(Subcommand)]
enum Command {
    /// Measures queries, beside DuckDB on the same rows in plain Parquet.
    Reports {
        /// Events of a generated service desk.
        #[arg(long, default_value_t = 10_000_000)]
        events: u64,
        /// Folder that keeps the archive; an archive that exists there is used again.
        #[arg(long)]
        folder: Option<PathBuf>,
    },
    /// Sends generated statements to a server, and shows that none stops it.
    Statements(trial::StatementArguments),
    /// Executes statements on Holdfast and on a real PostgreSQL with the same rows, and reports what differs.
    Differential(differential::DifferentialArguments),
    /// Kills the process that answers statements again and again, and shows that no event is late.
    Kills(trial::KillArguments),
    /// Measures posting events while clients run the worst statements that the bounds allow, against without them.
    Hostile(trial::HostileArguments),
    /// Lets Kafka stand still while the archiver runs, and shows that it goes on and that no event is missing or doubled.
    Stall(stall::StallArguments),
    /// Measures commits, refreshes, the proof log and a statement in logs of more and more entries.
    Log(log::Options),
    /// (internal) Archives a backlog and prints a report. The benchmark runs it in a process of its own.
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
    /// (internal) Verifies an archive and prints a report.
    #[command(hide = true)]
    Verify {
        #[arg(long)]
        folder: PathBuf,
    },
    /// (internal) Seals an archive and prints a report.
    #[command(hide = true)]
    Seal {
        #[arg(long)]
        folder: PathBuf,
    },
    /// Prints the plan of a report, or of a statement, with the time and memory of each operator.
    Profile {
        /// The folder of `reports`.
        #[arg(long)]
        folder: PathBuf,
        /// How often the statement is executed before, for a profiler.
        #[arg(long, default_value_t = 3)]
        times: u32,
        /// MiB of memory for its sorts, joins and groups.
        #[arg(long, default_value_t = 512)]
        memory: usize,
        /// A report's name, or a statement.
        statement: String,
    },
    /// (internal) Builds the table of sessions and prints a report.
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
    /// (internal) Runs every report in both engines and prints a report.
    #[command(hide = true)]
    Compare {
        #[arg(long)]
        folder: PathBuf,
        #[arg(long)]
        plain: PathBuf,
        #[arg(long)]
        results: PathBuf,
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
    /// (internal) Queries an archive and prints a report.
    #[command(hide = true)]
    Query {
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
            let variant = archive::Variant { encrypt: !plain, proofs: !without_proofs };
            runtime.block_on(archive::child(brokers, &folder, events, group, variant))
        }
        Some(Command::Statements(arguments)) => runtime.block_on(trial::statements(&arguments)),
        Some(Command::Differential(arguments)) => runtime.block_on(differential::compare(&arguments)),
        Some(Command::Kills(arguments)) => runtime.block_on(trial::kills(&arguments)),
        Some(Command::Hostile(arguments)) => runtime.block_on(trial::hostile(&arguments)),
        Some(Command::Stall(arguments)) => runtime.block_on(stall::measure(&arguments)),
        Some(Command::Log(options)) => runtime.block_on(log::measure(&options)),
        Some(Command::Verify { folder }) => runtime.block_on(prove::verify(&folder)),
        Some(Command::Seal { folder }) => runtime.block_on(prove::seal(&folder)),
        Some(Command::Reports { events, folder }) => runtime.block_on(reports::measure(events, folder)),
        Some(Command::Profile { folder, times, memory, statement }) => {
            runtime.block_on(reports::profile(&folder, &statement, times, memory << 20))
        }
        Some(Command::Project { folder }) => runtime.block_on(reports::project(&folder)),
        Some(Command::Export { folder, plain }) => runtime.block_on(reports::export(&folder, &plain)),
        Some(Command::Compare { folder, plain, results, spill }) => {
            runtime.block_on(reports::compare(&folder, &plain, &results, &spill))
        }
        Some(Command::Sort { folder, spill }) => runtime.block_on(reports::sort(&folder, &spill)),
        Some(Command::Serve { brokers, folder, spill }) => runtime.block_on(reports::serve(&folder, &spill, &brokers)),
        Some(Command::Query { folder }) => runtime.block_on(prove::query(&folder)),
        None => {
            let limit = limit::measure(&runtime)?;
            runtime.block_on(archive::measure(arguments.events, arguments.runs.max(1), limit))
        }
    }
}
