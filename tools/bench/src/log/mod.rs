//! What a commit, a refresh, a round of the integrator and a statement for one event take in a log of many entries.
//!
//! ```text
//! one-row commits in memory, integrated ─▶ copied to a folder or to S3 ─▶ opened ─┐
//!     ┌───────────────────────────────────────────────────────────────────────────┘
//!     └▶ a file and its commit ─▶ a reader's refresh ─▶ integrated ─▶ the event of the commit, by SQL     medians
//! ```
//!
//! Everything is written by the code that an archiver uses, checkpoints included. Of the older commits only the entries
//! exist: no figure depends on the content of their files, and nothing reads them. Of the checkpoints the newest two
//! are copied, which are those that a sweeper leaves.

mod author;

use crate::prove;
use anyhow::{Context, bail, ensure};
use author::Author;
use clap::{Args, ValueEnum};
use futures::{StreamExt, TryStreamExt, stream};
use holdfast_archive::proof::{IntegrateSettings, Integrator};
use holdfast_archive::{Archive, Location, open_store};
use holdfast_proof::note::TrustedKeys;
use holdfast_query::{Session, SessionOptions};
use holdfast_testkit::s3::{BUCKET, S3Server};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Objects that are copied at the same time.
const CONCURRENT_COPIES: usize = 32;
/// Checkpoints of a Delta log that are copied.
const CHECKPOINTS: usize = 2;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Entries of the log, several numbers for a curve.
    #[arg(long, value_delimiter = ',', default_value = "1,1000,10000,100000")]
    entries: Vec<u64>,
    /// Where the archive is. S3 is a server of its own on this machine.
    #[arg(long, value_enum, default_value_t = Place::Folder)]
    store: Place,
    /// Commits of one date.
    #[arg(long, default_value_t = 2_000)]
    a_date: u64,
    /// Leave the files of dates that are over as they are, so that as many files are live as there are entries.
    #[arg(long)]
    unsealed: bool,
    /// Commits that are measured in each log.
    #[arg(long, default_value_t = 25)]
    times: usize,
    /// Print each row as a JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    Folder,
    S3,
}

/// What was measured in one log. Times are in milliseconds, those of the last four medians.
#[derive(Debug, Serialize)]
struct Row {
    entries: u64,
    live_files: usize,
    leaves: u64,
    open: f64,
    commit: f64,
    refresh: f64,
    integrate: f64,
    statement: f64,
}

/// Measures in one log after the other, and prints a row for each.
pub(crate) async fn measure(options: &Options) -> anyhow::Result<()> {
    let server = match options.store {
        Place::Folder => None,
        Place::S3 => Some(S3Server::start().await.context("start an S3 server (`bash .ci/install` installs it)")?),
    };
    if !options.json {
        let names = ["entries", "live files", "leaves", "open", "commit", "refresh", "integrate", "statement"];
        println!("{}", names.map(|name| format!("{name:>11}")).join(" "));
    }
    for entries in &options.entries {
        let row = row(*entries, options, server.as_ref()).await?;
        if options.json {
            println!("{}", serde_json::to_string(&row)?);
            continue;
        }
        let times = [row.open, row.commit, row.refresh, row.integrate, row.statement];
        let times = times.map(|time| format!("{time:>8.2} ms")).join(" ");
        println!("{:>11} {:>11} {:>11} {times}", row.entries, row.live_files, row.leaves);
    }
    Ok(())
}

async fn row(entries: u64, options: &Options, server: Option<&S3Server>) -> anyhow::Result<Row> {
    let identity = age::x25519::Identity::generate();
    let folder = tempfile::tempdir()?;
    let base = folder.path();
    let place = open_store(&base.display().to_string(), base, &BTreeMap::new())?;
    let memory = Archive::new(Location { store: Arc::new(InMemory::new()), ..place.clone() });
    let mut author = Author::new(&memory, &identity, options.a_date)?;
    author.fill(entries, !options.unsealed).await?;
    prove::integrate(&memory).await?;

    let archive = match server {
        None => {
            for object in objects(&memory).await? {
                let path = base.join(object.as_ref());
                std::fs::create_dir_all(path.parent().context("an object is in a folder")?)?;
                std::fs::write(path, memory.store().get(&object).await?.bytes().await?)?;
            }
            Archive::new(place)
        }
        Some(server) => {
            let store_options: BTreeMap<String, String> = server.options().into_iter().collect();
            let archive = Archive::new(open_store(&format!("s3://{BUCKET}/log-{entries}"), base, &store_options)?);
            let (from, to) = (memory.store(), archive.store());
            let copies = objects(&memory).await?.into_iter().map(|object| async move {
                let bytes = from.get(&object).await?.bytes().await?;
                to.put(&object, bytes.into()).await
            });
            stream::iter(copies).buffer_unordered(CONCURRENT_COPIES).try_for_each(|_| async { Ok(()) }).await?;
            archive
        }
    };
    let author = author.moved_to(&archive, &identity)?;
    drop(memory);
    times(author, &archive, identity, entries, options.times).await
}

/// The objects of the archive but superseded checkpoints.
async fn objects(archive: &Archive) -> anyhow::Result<Vec<Path>> {
    let listed: Vec<ObjectMeta> = archive.store().list(None).try_collect().await?;
    let (checkpoints, mut objects): (Vec<Path>, Vec<Path>) = listed
        .into_iter()
        .map(|object| object.location)
        .partition(|path| path.as_ref().ends_with(".checkpoint.parquet"));
    objects.extend(checkpoints.into_iter().rev().take(CHECKPOINTS));
    Ok(objects)
}

/// Measures in the archive that `author` continues.
async fn times(
    mut author: Author,
    archive: &Archive,
    identity: age::x25519::Identity,
    entries: u64,
    times: usize,
) -> anyhow::Result<Row> {
    let began = Instant::now();
    ensure!(author.log.version().await? == Some(entries), "the log has not {entries} entries");
    let open = millis(began);
    let reader = archive.table(author.log.table());
    let live_files = reader.snapshot().await?.files.len();
    let session = Session::new(SessionOptions::new(archive.clone(), vec![identity]))?;
    let mut integrator = integrator(archive)?;
    let (mut commits, mut refreshes, mut rounds, mut statements) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut leaves = 0;
    // The first of each fills caches, and does not count.
    for _ in 0..=times {
        let ready = author.write().await?;
        let began = Instant::now();
        author.put(&ready).await?;
        let version = author.commit(ready).await?;
        commits.push(millis(began));

        let began = Instant::now();
        let found = reader.snapshot().await?.version;
        refreshes.push(millis(began));
        ensure!(found == Some(version), "the reader did not find the commit");

        let began = Instant::now();
        let done = integrator.round(prove::now()).await?;
        rounds.push(millis(began));
        ensure!(done.has_lease && done.leaves > 0 && done.unattested.is_empty(), "nothing was integrated: {done:?}");
        leaves = done.size;

        let statement = author.statement();
        let began = Instant::now();
        let batches = session.sql(&statement).await?.collect().await?;
        statements.push(millis(began));
        let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
        if rows != 1 {
            bail!("{rows} rows instead of one: {statement}");
        }
    }
    Ok(Row {
        entries,
        live_files,
        leaves,
        open,
        commit: median(&commits[1..]),
        refresh: median(&refreshes[1..]),
        integrate: median(&rounds[1..]),
        statement: median(&statements[1..]),
    })
}

fn integrator(archive: &Archive) -> anyhow::Result<Integrator> {
    let key = prove::signing_key()?;
    let trusted = TrustedKeys::parse(key.verifier_key())?;
    let settings = IntegrateSettings {
        holder: "bench-log".to_owned(),
        lease: Duration::from_secs(3_600),
        keep_every: Duration::from_secs(600),
    };
    Ok(Integrator::new(archive.clone(), settings, key, trusted, Vec::new(), Vec::new()))
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

/// The median; 0 of nothing.
fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}
