//! Verification: whether the archive is what was attested, and whether every acknowledged event is in it.
//!
//! ```text
//! checkpoint ─▶ tiles ─▶ leaves ◀── entries of both Delta logs ─▶ live files, batches, spans
//!    ▲                                                                 │
//! kept, mirrored, given checkpoints                     files: digests, decrypted rows ─▶ roots of batches
//!                                                       recordings: digests, chunks
//!                                                       offsets: each accounted for
//! ```
//!
//! The verifier trusts only the log's public key, and nothing that it reads. It continues after a finding, so that one
//! run reports all of them. Without keys it checks the ciphertext, and reports what it did not check.

mod attested;
mod keys;
mod offsets;
mod recordings;
mod report;
mod rows;
mod scope;
mod sources;
mod tree;

pub use report::{Checked, Finding, Kind, PartitionAccount, Report};
pub use scope::Scope;

use crate::error::ArchiveError;
use crate::keys::{MasterKeyId, Unlocker};
use crate::proof::Mirror;
use crate::proof::entry::get;
use crate::proof::sequence::Position;
use crate::{Archive, DataFile, Table, paths};
use attested::{AttestedBatch, AttestedLog, AttestedTable, LiveFile, TablePartition};
use futures::{StreamExt, stream};
use holdfast_events::{Tier, Timestamp};
use holdfast_proof::note::TrustedKeys;
use holdfast_proof::witness::{self, WitnessKey};
use object_store::path::Path;
use offsets::{Evidence, Place, SpanEvidence, UnreadBatch, runs_of};
use rows::{BatchIndex, FileReader};
use sources::Sources;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often the proof log is read if it grows during the read.
const MAX_ATTEMPTS: u32 = 3;
/// Findings whose events are named. For each, its file is read again.
const MAX_NAMED: usize = 50;

/// What a verification needs.
pub struct Verification<'v> {
    /// The archive.
    pub archive: &'v Archive,
    /// The log's public keys.
    pub keys: &'v TrustedKeys,
    /// The caller's keys.
    pub unlocker: Arc<Unlocker>,
    /// Second stores of checkpoints.
    pub mirrors: &'v [Mirror],
    /// Witnesses whose cosignatures are checked.
    pub witnesses: &'v [WitnessKey],
    /// What is verified.
    pub scope: Scope,
    /// Files that are read and hashed at the same time.
    pub parallelism: usize,
    /// The current time.
    pub now: Timestamp,
}

/// The progress of a verification, for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The proof log and the Delta logs were read; this many records are to be read.
    Records(u64),
    /// This many further records were read.
    Done(u64),
}

impl Verification<'_> {
    /// Verifies. Findings are in the report.
    ///
    /// # Errors
    /// When the store cannot be reached, or `scope.since` is not a checkpoint of this log.
    pub async fn run(&self, progress: impl Fn(Progress)) -> Result<Report, ArchiveError> {
        let store = self.archive.store().as_ref();
        let mut report = Report { origin: self.keys.origin().to_owned(), ..Report::default() };
        let since = self.since_size()?;

        // The readers' snapshot first: later commits belong to the next verification.
        let mut snapshots = BTreeMap::new();
        let mut until = Position::default();
        for table in [Table::Events, Table::DeadLetters] {
            match self.archive.table(table).snapshot().await {
                Ok(snapshot) => {
                    if table == Table::Events {
                        until.events = snapshot.version;
                    } else {
                        until.dead_letters = snapshot.version;
                    }
                    if let Some(why) = &snapshot.damaged_checkpoint {
                        report.findings.push(Finding::new(Kind::Snapshot, why.clone()).file(paths::delta_log(table)));
                    }
                    snapshots.insert(AttestedTable::from(table), snapshot);
                }
                // A store that does not answer says nothing about the archive.
                Err(error @ ArchiveError::Store { .. }) => return Err(error),
                Err(error) => {
                    let what = format!("readers cannot open the Delta log of {}: {error}", table.name());
                    report.findings.push(Finding::new(Kind::Snapshot, what).file(paths::delta_log(table)));
                }
            }
        }
        let tree = self.read_tree(&mut report).await?;
        if let Some(head) = &tree.head {
            (report.size, report.root) = (head.size, head.root.to_string());
        }
        let given: Vec<(String, String)> =
            self.scope.since.iter().map(|note| ("that was given".to_owned(), note.clone())).collect();
        tree.check_others(store, self.mirrors, &given, self.keys, &mut report).await?;
        self.check_witnesses(&tree.note, &mut report);

        let mut log = AttestedLog::read(store, self.keys, &tree, until, self.now).await?;
        report.checked.leaves = tree.size();
        report.checked.entries = log.entries;
        report.findings.append(&mut log.findings);
        if log.pending > 0 {
            report.notices.push(format!("{} leaves of new commits are not in a checkpoint yet", log.pending));
        }
        if log.before > 0 {
            let what = "entries of the Delta log are older than the proof log; their rows are not attested";
            report.notices.push(format!("{} {what}", log.before));
        }
        for (name, snapshot) in &snapshots {
            // Entries may have been added since the snapshot.
            let reached = match name {
                AttestedTable::Events => log.position.events,
                AttestedTable::DeadLetters => log.position.dead_letters,
            };
            if reached == snapshot.version {
                check_snapshot(*name, &snapshot.files, &log, &mut report);
            }
        }

        keys::check(self.archive, &self.unlocker, &mut report).await?;
        let evidence = self.check_partitions(&log, since, &mut report, &progress).await?;
        for ((topic, partition), evidence) in &evidence {
            let (account, mut found) = offsets::account(topic, *partition, evidence);
            report.findings.append(&mut found);
            report.offsets.insert(format!("{topic}/{partition}"), account);
        }
        if !self.scope.is_whole() {
            report.not_checked.push("rows outside the scope; their offsets were counted and not read".to_owned());
        }
        report.findings.sort_by_key(|finding| finding.kind);
        report.intact = report.findings.is_empty();
        Ok(report)
    }

    /// Reads the proof log. While it grows, the integrator deletes partial tiles that wider ones have replaced. So if
    /// there are findings and the checkpoint is newer by then, the log is read again.
    async fn read_tree(&self, report: &mut Report) -> Result<tree::LogTree, ArchiveError> {
        let store = self.archive.store().as_ref();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut read = Report { checked: report.checked.clone(), ..Report::default() };
            let tree = tree::LogTree::read(store, self.keys, &mut read).await?;
            let newest = get(store, &paths::proof_checkpoint()).await?;
            let has_grown = newest.is_some_and(|note| *note != *tree.note.as_bytes());
            if read.findings.is_empty() || !has_grown || attempt == MAX_ATTEMPTS {
                report.checked = read.checked;
                report.findings.append(&mut read.findings);
                return Ok(tree);
            }
        }
    }

    fn since_size(&self) -> Result<u64, ArchiveError> {
        let Some(note) = &self.scope.since else { return Ok(0) };
        let opened = self.keys.open(note, holdfast_proof::note::Purpose::Checkpoint);
        let opened = opened.map_err(|error| ArchiveError::Damaged {
            what: "the checkpoint to start from".to_owned(),
            why: error.to_string(),
        })?;
        Ok(opened.tree.size)
    }

    fn check_witnesses(&self, note: &str, report: &mut Report) {
        if self.witnesses.is_empty() || note.is_empty() {
            return;
        }
        // A note that cannot be read is a finding already.
        let Ok(cosignatures) = witness::check_cosignatures(note, self.witnesses) else { return };
        for cosignature in &cosignatures.valid {
            let time = Timestamp(i64::try_from(cosignature.timestamp).unwrap_or(0).saturating_mul(1_000_000));
            report.witnesses.push(format!("{} at {time}", cosignature.witness));
        }
        for wrong in &cosignatures.invalid {
            let what = format!("the cosignature of the witness {} is not valid: {}", wrong.witness, wrong.what);
            report.findings.push(Finding::new(Kind::Checkpoint, what).file(paths::proof_checkpoint()));
        }
        for witness in self.witnesses {
            let name = witness.name();
            if !cosignatures.valid.iter().any(|known| known.witness == name) {
                report.notices.push(format!("the witness {name} has not cosigned this checkpoint"));
            }
        }
    }

    /// Reads the rows of every partition in scope, and collects the evidence about each offset.
    async fn check_partitions(
        &self,
        log: &AttestedLog,
        since: u64,
        report: &mut Report,
        progress: &impl Fn(Progress),
    ) -> Result<BTreeMap<(String, i32), Evidence>, ArchiveError> {
        let mut evidence: BTreeMap<(String, i32), Evidence> = BTreeMap::new();
        for (key, spans) in &log.spans {
            let spans = spans.iter().map(|(version, span)| SpanEvidence {
                from: span.from,
                next: span.next,
                skipped: span.skipped.clone(),
                version: *version,
            });
            evidence.entry(key.clone()).or_default().spans = spans.collect();
        }
        let mut files: BTreeMap<TablePartition, Vec<(Path, LiveFile)>> = BTreeMap::new();
        for ((name, path), file) in &log.live {
            let part = (*name, file.added.class.clone(), file.added.date.clone());
            let path = paths::in_table(name.table(), path);
            files.entry(part).or_default().push((path, file.clone()));
        }
        let parts: BTreeSet<&TablePartition> = files.keys().chain(log.batches.keys()).collect();
        let is_new = |part: &TablePartition| {
            since == 0 || log.batches.get(part).is_some_and(|all| all.iter().any(|batch| batch.index >= since))
        };
        let in_scope: BTreeSet<&TablePartition> =
            parts.iter().copied().filter(|part| self.scope.has(&part.1, &part.2) && is_new(part)).collect();
        let total = in_scope.iter().flat_map(|part| files.get(*part)).flatten().map(|(_, file)| file.added.rows).sum();
        progress(Progress::Records(total));
        let mut sources = Sources::default();
        let mut unread = BTreeMap::new();
        for part in parts {
            let contents = PartitionContents {
                part,
                batches: log.batches.get(part).map_or(&[][..], Vec::as_slice),
                files: files.get(part).map_or(&[][..], Vec::as_slice),
            };
            let readable = in_scope.contains(part) && self.can_read(part, &mut unread).await?;
            let place = match part.0 {
                AttestedTable::Events => Place::Events,
                AttestedTable::DeadLetters => Place::DeadLetters,
            };
            let found = if readable {
                self.check_rows(&contents, log, &mut sources, report, progress).await?
            } else {
                if in_scope.contains(part) {
                    self.check_ciphertext(contents.files, report, progress).await?;
                }
                vec![Vec::new(); contents.batches.len()]
            };
            for (AttestedBatch { batch, disposed, .. }, offsets) in contents.batches.iter().zip(found) {
                let partition = evidence.entry((batch.topic.clone(), batch.partition)).or_default();
                if readable && !disposed {
                    partition.runs.extend(runs_of(offsets, place));
                } else {
                    let place = if *disposed { Place::Disposed } else { place };
                    let (first, next, count) = (batch.first, batch.next, batch.count);
                    partition.unread.push(UnreadBatch { first, next, count, place });
                }
            }
        }
        if self.scope.is_whole() && unread.is_empty() {
            report.findings.extend(sources.findings());
        }
        if !unread.is_empty() {
            recordings::check_ciphertext(self.archive, log, report).await?;
        }
        for (what, dates) in unread {
            let dates = match dates.as_slice() {
                [one] => one.clone(),
                [first, .., last] => format!("{} dates from {first} to {last}", dates.len()),
                [] => continue,
            };
            report.not_checked.push(format!("{what} ({dates}); digests and numbers were checked"));
        }
        Ok(evidence)
    }

    /// Whether the caller's keys decrypt all tiers of a class and date.
    async fn can_read(
        &self,
        part: &TablePartition,
        unread: &mut BTreeMap<String, Vec<String>>,
    ) -> Result<bool, ArchiveError> {
        let Some(date) = days(&part.2) else { return Ok(false) };
        let representative = DataFile {
            path: Path::default(),
            id: String::new(),
            class: part.1.clone(),
            date,
            rows: 0,
            size: 0,
            time: None,
        };
        self.unlocker.prepare(std::slice::from_ref(&representative)).await?;
        let missing: Vec<String> = Tier::ALL
            .into_iter()
            .filter(|tier| !self.unlocker.can_read(*tier, &representative))
            .map(|tier| MasterKeyId::of(tier, &part.1, date).to_string())
            .collect();
        if missing.is_empty() {
            return Ok(true);
        }
        let what = format!("rows of {}, class {}: no key for {}", part.0.table().name(), part.1, missing.join(", "));
        unread.entry(what).or_default().push(part.2.clone());
        Ok(false)
    }

    /// Reads and checks the rows of a partition. Returns the offsets of each of its batches that were found.
    async fn check_rows(
        &self,
        contents: &PartitionContents<'_>,
        log: &AttestedLog,
        sources: &mut Sources,
        report: &mut Report,
        progress: &impl Fn(Progress),
    ) -> Result<Vec<Vec<i64>>, ArchiveError> {
        let PartitionContents { part, batches, files } = *contents;
        let table = part.0.table();
        let live: Arc<Vec<AttestedBatch>> = Arc::new(batches.iter().filter(|batch| !batch.disposed).cloned().collect());
        let reads = files.iter().map(|(path, file)| {
            let (live, unlocker) = (Arc::clone(&live), Arc::clone(&self.unlocker));
            async move {
                let Some(bytes) = get(self.archive.store().as_ref(), path).await? else { return Ok(None) };
                let (path, file) = (path.clone(), file.clone());
                let read = tokio::task::spawn_blocking(move || {
                    let index = BatchIndex::new(&live);
                    FileReader { table, file: &file, path: &path, unlocker: &unlocker, index: &index }.read(bytes)
                });
                let panicked = |_| ArchiveError::Damaged { what: "a reader".to_owned(), why: "it panicked".to_owned() };
                read.await.map(Some).map_err(panicked)
            }
        });
        let mut reads = stream::iter(reads).buffered(self.parallelism.max(1)).enumerate();
        let (mut records, mut chunks) = (Vec::new(), Vec::new());
        while let Some((place, read)) = reads.next().await {
            let Some(read) = read? else {
                report.findings.push(missing(&files[place].0));
                continue;
            };
            report.checked.files += 1;
            report.checked.bytes += read.bytes;
            report.checked.records += read.records.len() as u64;
            records.extend(read.records.into_iter().map(|record| (record, place as u32)));
            chunks.extend(read.chunks);
            sources.add(read.numbered);
            report.findings.extend(read.findings);
            progress(Progress::Done(files[place].1.added.rows));
        }
        let paths: Vec<Path> = files.iter().map(|(path, _)| path.clone()).collect();
        report.checked.batches += live.len() as u64;
        let (live_batches, mut checked_findings) = (Arc::clone(&live), Vec::new());
        let checking = tokio::task::spawn_blocking(move || {
            let offsets = rows::check_batches(&live_batches, records, &paths, &mut checked_findings);
            (offsets, checked_findings)
        });
        let panicked = |_| ArchiveError::Damaged { what: "a check".to_owned(), why: "it panicked".to_owned() };
        let (offsets, mut found) = checking.await.map_err(panicked)?;
        if part.0 == AttestedTable::Events {
            self.name_events(files, &mut found).await?;
        }
        report.findings.extend(found);
        if let (false, Some(date)) = (chunks.is_empty(), days(&part.2)) {
            let place = (part.1.as_str(), date);
            recordings::check(self.archive, &self.unlocker, place, chunks, &log.objects, report).await?;
        }
        // Back in the order of all batches: those that were disposed of have no rows.
        let mut offsets = offsets.into_iter();
        Ok(batches
            .iter()
            .map(|batch| if batch.disposed { Vec::new() } else { offsets.next().unwrap_or_default() })
            .collect())
    }

    /// Names the events of findings about changed records in one file.
    async fn name_events(&self, files: &[(Path, LiveFile)], findings: &mut [Finding]) -> Result<(), ArchiveError> {
        for finding in findings.iter_mut().filter(|finding| finding.kind == Kind::RecordsChanged).take(MAX_NAMED) {
            let own = files.iter().find(|(path, _)| finding.file.as_deref() == Some(path.as_ref()));
            let Some((path, file)) = own else { continue };
            if let Some(bytes) = get(self.archive.store().as_ref(), path).await? {
                finding.events = rows::affected_events(file, bytes, &self.unlocker, finding);
            }
        }
        Ok(())
    }

    /// Checks without keys that each file exists and is the one that was attested.
    async fn check_ciphertext(
        &self,
        files: &[(Path, LiveFile)],
        report: &mut Report,
        progress: &impl Fn(Progress),
    ) -> Result<(), ArchiveError> {
        for (path, file) in files {
            match get(self.archive.store().as_ref(), path).await? {
                None => report.findings.push(missing(path)),
                Some(bytes) => {
                    report.checked.files += 1;
                    report.checked.bytes += bytes.len() as u64;
                    rows::check_digest(file, path, &bytes, &mut report.findings);
                }
            }
            progress(Progress::Done(file.added.rows));
        }
        Ok(())
    }
}

/// A partition with its batches and its live files.
struct PartitionContents<'l> {
    part: &'l TablePartition,
    batches: &'l [AttestedBatch],
    files: &'l [(Path, LiveFile)],
}

fn missing(path: &Path) -> Finding {
    Finding::new(Kind::FileMissing, "a data file is missing").file(path)
}

/// Compares a reader's snapshot with the entries: a checkpoint of the Delta log could differ from them.
fn check_snapshot(name: AttestedTable, files: &[DataFile], log: &AttestedLog, report: &mut Report) {
    let visible: BTreeSet<Path> = files.iter().map(|file| file.path.clone()).collect();
    let own = log.live.keys().filter(|(table, _)| *table == name);
    let live: BTreeSet<Path> = own.map(|(_, path)| paths::in_table(name.table(), path)).collect();
    for path in live.difference(&visible) {
        let what = "a file of the Delta log's entries is not visible to its readers";
        report.findings.push(Finding::new(Kind::Snapshot, what).file(path));
    }
    for path in visible.difference(&live) {
        let what = "a file that is visible to readers of the Delta log is not in its entries";
        report.findings.push(Finding::new(Kind::Snapshot, what).file(path));
    }
}

fn days(date: &str) -> Option<i32> {
    Some(Timestamp::parse(&format!("{date}T00:00:00Z")).ok()?.days() as i32)
}
