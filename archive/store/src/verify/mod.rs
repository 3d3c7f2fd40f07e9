//! Verification: whether the archive is what was attested, and whether all that was acknowledged is in it.
//!
//! ```text
//! checkpoint ─▶ tiles ─▶ leaves ◀── entries of both Delta logs ─▶ live files, batches, spans
//!    ▲                                                                 │
//! kept, mirrored, given checkpoints                     files: digests, decrypted rows ─▶ roots of batches
//!                                                       recordings: digests, chunks
//!                                                       offsets: every one accounted for
//! ```
//!
//! The verifier trusts the log's public key, and nothing that it reads. It goes on after a finding, so that one run names
//! all of them. Without keys it checks what ciphertext shows, and says what it did not check.

mod keys;
mod ledger;
mod offsets;
mod recordings;
mod report;
mod rows;
mod sources;
mod tree;

pub use report::{Checked, Finding, Kind, PartitionAccount, Report};

use crate::error::ArchiveError;
use crate::keys::{MasterKeyId, Unlocker};
use crate::proof::Mirror;
use crate::proof::entry::get;
use crate::proof::sequence::Position;
use crate::{Archive, DataFile, Table};
use futures::{StreamExt, stream};
use holdfast_events::{Tier, Timestamp};
use holdfast_proof::note::TrustedKeys;
use holdfast_proof::witness::{self, WitnessKey};
use ledger::{Ledger, LedgerBatch, LiveFile, Part, TableName};
use object_store::path::Path;
use offsets::{Blind, Evidence, Place, SpanEvidence, runs_of};
use rows::BatchIndex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often a log that grows while it is read is read again.
const TRIES: u32 = 3;
/// Findings whose events are named. Each takes another look into its file.
const MOST_NAMED: usize = 50;

/// What is verified.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Only this retention class.
    pub class: Option<String>,
    /// Only dates from this one on, `YYYY-MM-DD`.
    pub from: Option<String>,
    /// Only dates up to this one, `YYYY-MM-DD`.
    pub to: Option<String>,
    /// A checkpoint that was verified before: what it covers is not read again, only that it is a past of this log.
    pub since: Option<String>,
    /// Only this part of the dates, between 0 and 1, chosen with the seed.
    pub sample: Option<(f64, u64)>,
}

impl Scope {
    fn is_whole(&self) -> bool {
        self.class.is_none()
            && self.from.is_none()
            && self.to.is_none()
            && self.since.is_none()
            && self.sample.is_none()
    }

    fn has(&self, class: &str, date: &str) -> bool {
        self.class.as_deref().is_none_or(|wanted| wanted == class)
            && self.from.as_deref().is_none_or(|from| from <= date)
            && self.to.as_deref().is_none_or(|to| date <= to)
            && self.sample.is_none_or(|(share, seed)| sampled(class, date, share, seed))
    }
}

/// What a verification needs.
pub struct Verification<'v> {
    /// The archive.
    pub archive: &'v Archive,
    /// The log's public keys.
    pub keys: &'v TrustedKeys,
    /// The caller's keys.
    pub unlocker: Arc<Unlocker>,
    /// Second places of checkpoints.
    pub mirrors: &'v [Mirror],
    /// Witnesses whose cosignatures are looked for.
    pub witnesses: &'v [WitnessKey],
    /// What is verified.
    pub scope: Scope,
    /// Files that are read and hashed at the same time.
    pub parallelism: usize,
    /// Now.
    pub now: Timestamp,
}

/// How far a verification is, for people who wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The proof log and the Delta logs are read; so many records are to be read.
    Records(u64),
    /// So many more records are done.
    Done(u64),
}

impl Verification<'_> {
    /// Verifies. Findings are in the report.
    ///
    /// # Errors
    /// When the store cannot be reached, or `scope.since` is no checkpoint of this log.
    pub async fn run(&self, progress: impl Fn(Progress)) -> Result<Report, ArchiveError> {
        let store = self.archive.store().as_ref();
        let mut report = Report { origin: self.keys.origin().to_owned(), ..Report::default() };
        let mut findings = Vec::new();
        let since = self.since_size()?;

        // The readers' view first: what is committed from here on belongs to the next verification.
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
                    snapshots.insert(TableName::from(table), snapshot);
                }
                Err(error) => {
                    let what = format!("readers cannot open the Delta log of {}: {error}", table.name());
                    findings.push(Finding::new(Kind::Snapshot, what).file(table.directory().join("_delta_log")));
                }
            }
        }
        let tree = self.read_tree(&mut report.checked, &mut findings).await?;
        if let Some(head) = &tree.head {
            (report.size, report.root) = (head.size, head.root.to_string());
        }
        let given: Vec<(String, String)> =
            self.scope.since.iter().map(|note| ("that was given".to_owned(), note.clone())).collect();
        tree.check_others(store, self.mirrors, &given, self.keys, &mut report.checked, &mut findings).await?;
        self.check_witnesses(&tree.note, &mut report, &mut findings);

        let mut ledger = Ledger::read(store, self.keys, &tree, until, self.now).await?;
        report.checked.leaves = tree.size();
        report.checked.entries = ledger.entries;
        findings.append(&mut ledger.findings);
        if ledger.pending > 0 {
            report.notices.push(format!("{} leaves of new commits are not in a checkpoint yet", ledger.pending));
        }
        if ledger.before > 0 {
            let what = "entries of the Delta log are from before the proof log; nothing is known of their rows";
            report.notices.push(format!("{} {what}", ledger.before));
        }
        for (name, snapshot) in &snapshots {
            // The entries may have gone on since the snapshot.
            let reached = match name {
                TableName::Events => ledger.position.events,
                TableName::DeadLetters => ledger.position.dead_letters,
            };
            if reached == snapshot.version {
                check_snapshot(*name, &snapshot.files, &ledger, &mut findings);
            }
        }

        keys::check(self.archive, &self.unlocker, &mut findings).await?;
        let evidence = self.check_parts(&ledger, since, &mut report, &mut findings, &progress).await?;
        for ((topic, partition), evidence) in &evidence {
            let (account, mut found) = offsets::account(topic, *partition, evidence);
            findings.append(&mut found);
            report.offsets.insert(format!("{topic}/{partition}"), account);
        }
        if !self.scope.is_whole() {
            report.not_checked.push("rows outside the scope; their offsets were counted and not looked at".to_owned());
        }
        findings.sort_by_key(|finding| finding.kind);
        report.intact = findings.is_empty();
        report.findings = findings;
        Ok(report)
    }

    /// Reads the log. A log that grows meanwhile deletes partial tiles that wider ones have replaced, so what seems to be
    /// missing is looked for again under the newer checkpoint.
    async fn read_tree(
        &self,
        checked: &mut Checked,
        findings: &mut Vec<Finding>,
    ) -> Result<tree::LogTree, ArchiveError> {
        let store = self.archive.store().as_ref();
        let mut tries = 0;
        loop {
            tries += 1;
            let (mut now_checked, mut found) = (checked.clone(), Vec::new());
            let tree = tree::LogTree::read(store, self.keys, &mut now_checked, &mut found).await?;
            let newest = get(store, &crate::paths::proof_checkpoint()).await?;
            let has_grown = newest.is_some_and(|note| *note != *tree.note.as_bytes());
            if found.is_empty() || !has_grown || tries == TRIES {
                *checked = now_checked;
                findings.append(&mut found);
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

    fn check_witnesses(&self, note: &str, report: &mut Report, findings: &mut Vec<Finding>) {
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
            findings.push(Finding::new(Kind::Checkpoint, what).file(crate::paths::proof_checkpoint()));
        }
        for witness in self.witnesses {
            let name = witness.name();
            if !cosignatures.valid.iter().any(|known| known.witness == name) {
                report.notices.push(format!("the witness {name} has not cosigned this checkpoint"));
            }
        }
    }

    /// Reads the rows of every class and date in scope, and gathers where each offset stands.
    async fn check_parts(
        &self,
        ledger: &Ledger,
        since: u64,
        report: &mut Report,
        findings: &mut Vec<Finding>,
        progress: &impl Fn(Progress),
    ) -> Result<BTreeMap<(String, i32), Evidence>, ArchiveError> {
        let mut evidence: BTreeMap<(String, i32), Evidence> = BTreeMap::new();
        for (key, spans) in &ledger.spans {
            let spans = spans.iter().map(|(version, span)| SpanEvidence {
                from: span.from,
                next: span.next,
                skipped: span.skipped.clone(),
                version: *version,
            });
            evidence.entry(key.clone()).or_default().spans = spans.collect();
        }
        let mut files: BTreeMap<Part, Vec<(Path, LiveFile)>> = BTreeMap::new();
        for ((name, path), file) in &ledger.live {
            let part = (*name, file.added.class.clone(), file.added.date.clone());
            let path = Path::from(format!("{}/{path}", name.table().directory()));
            files.entry(part).or_default().push((path, file.clone()));
        }
        let parts: BTreeSet<&Part> = files.keys().chain(ledger.batches.keys()).collect();
        let is_new = |part: &Part| {
            since == 0 || ledger.batches.get(part).is_some_and(|all| all.iter().any(|batch| batch.index >= since))
        };
        let in_scope: BTreeSet<&Part> =
            parts.iter().copied().filter(|part| self.scope.has(&part.1, &part.2) && is_new(part)).collect();
        let total = in_scope.iter().flat_map(|part| files.get(*part)).flatten().map(|(_, file)| file.added.rows).sum();
        progress(Progress::Records(total));
        let mut sources = sources::Sources::default();
        let mut unread = BTreeMap::new();
        for part in parts {
            let batches = ledger.batches.get(part).map_or(&[][..], Vec::as_slice);
            let own = files.get(part).map_or(&[][..], Vec::as_slice);
            let readable = in_scope.contains(part) && self.can_read(part, &mut unread).await?;
            let place = match part.0 {
                TableName::Events => Place::Events,
                TableName::DeadLetters => Place::DeadLetters,
            };
            let found = if readable {
                self.check_rows(part, batches, own, ledger, &mut sources, report, findings, progress).await?
            } else {
                if in_scope.contains(part) {
                    self.check_ciphertext(own, report, findings, progress).await?;
                }
                vec![Vec::new(); batches.len()]
            };
            for (LedgerBatch { batch, disposed, .. }, offsets) in batches.iter().zip(found) {
                let partition = evidence.entry((batch.topic.clone(), batch.partition)).or_default();
                if readable && !disposed {
                    partition.runs.extend(runs_of(offsets, place));
                } else {
                    let place = if *disposed { Place::Disposed } else { place };
                    partition.blind.push(Blind { first: batch.first, next: batch.next, count: batch.count, place });
                }
            }
        }
        if self.scope.is_whole() && unread.is_empty() {
            findings.extend(sources.findings());
        }
        if !unread.is_empty() {
            recordings::check_ciphertext(self.archive, &ledger.objects, report, findings).await?;
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

    /// Whether the caller's keys open all tiers of a class and date.
    async fn can_read(&self, part: &Part, unread: &mut BTreeMap<String, Vec<String>>) -> Result<bool, ArchiveError> {
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
        let closed: Vec<String> = Tier::ALL
            .into_iter()
            .filter(|tier| !self.unlocker.can_read(*tier, &representative))
            .map(|tier| MasterKeyId::of(tier, &part.1, date).to_string())
            .collect();
        if closed.is_empty() {
            return Ok(true);
        }
        let what = format!("rows of {}, class {}: no key for {}", part.0.table().name(), part.1, closed.join(", "));
        unread.entry(what).or_default().push(part.2.clone());
        Ok(false)
    }

    #[expect(clippy::too_many_arguments, reason = "one step of one run")]
    async fn check_rows(
        &self,
        part: &Part,
        batches: &[LedgerBatch],
        files: &[(Path, LiveFile)],
        ledger: &Ledger,
        sources: &mut sources::Sources,
        report: &mut Report,
        findings: &mut Vec<Finding>,
        progress: &impl Fn(Progress),
    ) -> Result<Vec<Vec<i64>>, ArchiveError> {
        let table = part.0.table();
        let live: Arc<Vec<LedgerBatch>> = Arc::new(batches.iter().filter(|batch| !batch.disposed).cloned().collect());
        let reads = files.iter().map(|(path, file)| {
            let (live, unlocker) = (Arc::clone(&live), Arc::clone(&self.unlocker));
            async move {
                let Some(bytes) = get(self.archive.store().as_ref(), path).await? else { return Ok(None) };
                let (path, file) = (path.clone(), file.clone());
                let read = tokio::task::spawn_blocking(move || {
                    rows::read_file(table, &file, &path, bytes, &unlocker, &BatchIndex::new(&live))
                });
                let died = |_| ArchiveError::Damaged { what: "a reader".to_owned(), why: "it panicked".to_owned() };
                read.await.map(Some).map_err(died)
            }
        });
        let mut reads = stream::iter(reads).buffered(self.parallelism.max(1)).enumerate();
        let (mut records, mut chunks) = (Vec::new(), Vec::new());
        while let Some((place, read)) = reads.next().await {
            let Some(read) = read? else {
                findings.push(missing(&files[place].0));
                continue;
            };
            report.checked.files += 1;
            report.checked.bytes += read.bytes;
            report.checked.records += read.records.len() as u64;
            records.extend(read.records.into_iter().map(|record| (record, place as u32)));
            chunks.extend(read.chunks);
            sources.add(read.counted);
            findings.extend(read.findings);
            progress(Progress::Done(files[place].1.added.rows));
        }
        let paths: Vec<Path> = files.iter().map(|(path, _)| path.clone()).collect();
        report.checked.batches += live.len() as u64;
        let (live_batches, mut checked_findings) = (Arc::clone(&live), Vec::new());
        let checking = tokio::task::spawn_blocking(move || {
            let offsets = rows::check_batches(&live_batches, records, &paths, &mut checked_findings);
            (offsets, checked_findings)
        });
        let died = |_| ArchiveError::Damaged { what: "a check".to_owned(), why: "it panicked".to_owned() };
        let (offsets, mut found) = checking.await.map_err(died)?;
        if part.0 == TableName::Events {
            self.name_events(files, &mut found).await?;
        }
        findings.extend(found);
        if let (false, Some(date)) = (chunks.is_empty(), days(&part.2)) {
            let place = (part.1.as_str(), date);
            let (checked, objects) = (&mut report.checked, &ledger.objects);
            recordings::check(self.archive, &self.unlocker, place, chunks, objects, checked, findings).await?;
        }
        // In the order of all batches again: those that were disposed of have no rows.
        let mut offsets = offsets.into_iter();
        Ok(batches
            .iter()
            .map(|batch| if batch.disposed { Vec::new() } else { offsets.next().unwrap_or_default() })
            .collect())
    }

    /// Names the events of findings that speak of changed records in one file.
    async fn name_events(&self, files: &[(Path, LiveFile)], findings: &mut [Finding]) -> Result<(), ArchiveError> {
        for finding in findings.iter_mut().filter(|finding| finding.kind == Kind::RecordsChanged).take(MOST_NAMED) {
            let own = files.iter().find(|(path, _)| finding.file.as_deref() == Some(path.as_ref()));
            let Some((path, file)) = own else { continue };
            if let Some(bytes) = get(self.archive.store().as_ref(), path).await? {
                finding.events = rows::suspects(file, bytes, &self.unlocker, finding);
            }
        }
        Ok(())
    }

    /// What ciphertext shows: that each file is there and is the one that was written.
    async fn check_ciphertext(
        &self,
        files: &[(Path, LiveFile)],
        report: &mut Report,
        findings: &mut Vec<Finding>,
        progress: &impl Fn(Progress),
    ) -> Result<(), ArchiveError> {
        for (path, file) in files {
            match get(self.archive.store().as_ref(), path).await? {
                None => findings.push(missing(path)),
                Some(bytes) => {
                    report.checked.files += 1;
                    report.checked.bytes += bytes.len() as u64;
                    rows::check_digest(file, path, &bytes, findings);
                }
            }
            progress(Progress::Done(file.added.rows));
        }
        Ok(())
    }
}

fn missing(path: &Path) -> Finding {
    Finding::new(Kind::FileMissing, "a data file is missing").file(path)
}

/// Holds what readers see against what the entries say: a checkpoint of the Delta log could say something else.
fn check_snapshot(name: TableName, files: &[DataFile], ledger: &Ledger, findings: &mut Vec<Finding>) {
    let directory = format!("{}/", name.table().directory());
    let seen: BTreeSet<String> = files
        .iter()
        .map(|file| file.path.as_ref().strip_prefix(&directory).unwrap_or(file.path.as_ref()).to_owned())
        .collect();
    let live: BTreeSet<String> =
        ledger.live.keys().filter(|(table, _)| *table == name).map(|(_, path)| path.clone()).collect();
    for path in live.difference(&seen) {
        let what = "readers of the Delta log do not see a file that its entries have";
        findings.push(Finding::new(Kind::Snapshot, what).file(format!("{directory}{path}")));
    }
    for path in seen.difference(&live) {
        let what = "readers of the Delta log see a file that its entries do not have";
        findings.push(Finding::new(Kind::Snapshot, what).file(format!("{directory}{path}")));
    }
}

fn days(date: &str) -> Option<i32> {
    Some(Timestamp::parse(&format!("{date}T00:00:00Z")).ok()?.days() as i32)
}

/// Whether a class and date is in the sample.
fn sampled(class: &str, date: &str, share: f64, seed: u64) -> bool {
    use sha2::{Digest, Sha256};
    let digest = Sha256::new()
        .chain_update(seed.to_be_bytes())
        .chain_update(class)
        .chain_update([0])
        .chain_update(date)
        .finalize();
    let place = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    f64::from(place) < share * f64::from(u32::MAX)
}
