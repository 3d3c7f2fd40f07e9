//! The long differential run: generated and written statements on Holdfast and on PostgreSQL, with a report by kinds.

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use holdfast_differential::Pair;
use holdfast_testkit::differential::generator::Generator;
use holdfast_testkit::differential::statement::Statement;
use holdfast_testkit::differential::{Options, run, written_statements};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Statements between two lines of progress.
const STEP: usize = 500;

#[derive(Debug, Args)]
pub(crate) struct DifferentialArguments {
    /// Seed of the generator: the same seed generates the same statements.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Generated statements.
    #[arg(long, default_value_t = 100_000)]
    count: u64,
    /// Number of the first generated statement.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Connections to each server.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    /// Without the written statements.
    #[arg(long)]
    generated_only: bool,
    /// Differences that are reduced; the others are reported as they are.
    #[arg(long, default_value_t = 400)]
    reductions: usize,
    /// Seconds for all reductions.
    #[arg(long, default_value_t = 1_200)]
    reduction_seconds: u64,
    /// The file of the report.
    #[arg(long, default_value = "differential.md")]
    report: PathBuf,
    /// These statements alone, and none that is generated or written.
    statements: Vec<String>,
}

/// Runs, writes the report, and fails if an answer differs silently.
pub(crate) async fn compare(arguments: &DifferentialArguments) -> anyhow::Result<()> {
    let DifferentialArguments { seed, count, first, jobs, .. } = *arguments;
    let generator = Generator::new().map_err(|why| anyhow!(why))?;
    let pair = Pair::start().await??;
    for copied in pair.copied() {
        println!("{}: {} rows", copied.name, copied.rows);
    }
    let (theirs, ours) = pair.versions().await?;
    println!("PostgreSQL {theirs}, Holdfast tells {ours}");
    let mut statements: Vec<Statement> = arguments.statements.iter().map(Statement::plain).collect();
    if statements.is_empty() {
        if !arguments.generated_only {
            statements = written_statements().map_err(|why| anyhow!(why))?;
        }
        statements.extend((first..first + count).map(|number| generator.statement(seed, number)));
    }
    let (all, began) = (statements.len(), Instant::now());
    let options = Options {
        jobs,
        reductions: arguments.reductions,
        time: Duration::from_secs(arguments.reduction_seconds),
        ..Options::default()
    };
    let report = run(&pair.sides(), statements, options, |done| {
        if done % STEP == 0 || done == all {
            println!("{done} of {all} statements, {:.0} s", began.elapsed().as_secs_f64());
            let _ = std::io::stdout().flush();
        }
    })
    .await;
    let path = &arguments.report;
    std::fs::write(path, report.to_string()).with_context(|| format!("write {}", path.display()))?;
    println!("{}\nThe report is in {} ({:.0} s).", report.summary(), path.display(), began.elapsed().as_secs_f64());
    let silent = report.silent().count();
    ensure!(silent == 0, "{silent} statements differ silently");
    Ok(())
}
