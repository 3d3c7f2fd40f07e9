//! The benchmark of archiving and proving: one command, one line a figure.
//!
//! ```text
//! limit     events in memory ─▶ decode ─▶ columns ─▶ Parquet, plain and encrypted          one thread, nothing else
//! archive   backlog in Apache Kafka ─▶ the archiver in a process of its own ─▶ a folder     CPU, wall, memory, bytes
//! prove     what was archived ─▶ sealed, verified before and after, each in a process of its own                CPU, wall
//! freshness one event at a time, acknowledged ─▶ in the log that every query reads
//! ```
//!
//! CPU time is that of the archiving process, all of its threads, user and system, as the kernel counts it. The limit is
//! measured in the same run on the same bytes.

#![allow(clippy::print_stdout, reason = "printing figures is what this program is for")]

mod archive;
mod event;
mod limit;
mod process;
mod prove;

use clap::{Parser, Subcommand};
use std::path::PathBuf;

#[derive(Parser)]
#[command(about = "Measures how fast Holdfast archives, and prints one line a figure.")]
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
