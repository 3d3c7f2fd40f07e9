//! The Delta logs, entry by entry, compared with what was attested and integrated.
//!
//! ```text
//! sequence ─▶ each entry: attested? its leaves at their index in the tree? its actions those that its leaves name?
//!                └─▶ AttestedLog: live files with their digests, objects, batches, spans, disposals
//! ```

use super::report::{Finding, Kind};
use super::tree::LogTree;
use crate::error::ArchiveError;
use crate::paths::delta_log_entry;
use crate::proof::entry::{AddedFile, Entry};
use crate::proof::sequence::{Position, RETIRED, Sequence, Sequenced};
use crate::table::Table;
use holdfast_events::Timestamp;
use holdfast_proof::note::TrustedKeys;
use holdfast_proof::{Batch, Commit, Disposal, FileDigest, Leaf, Operation, Span, record_hash};
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// The time within which a commit must be in a checkpoint.
const INTEGRATION_TIMEOUT_MICROS: i64 = 120 * 1_000_000;

/// A table whose rows are attested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AttestedTable {
    Events,
    DeadLetters,
}

/// A partition of a table: the table, the retention class and the filing date.
pub(crate) type TablePartition = (AttestedTable, String, String);

/// A retention class and a filing date.
type ClassDate = (String, String);

/// A live file.
#[derive(Debug, Clone)]
pub(crate) struct LiveFile {
    pub(crate) added: AddedFile,
    /// Its attested digest; `None` if it is not attested.
    pub(crate) digest: Option<FileDigest>,
    /// Whether it is older than the proof log.
    pub(crate) predates_log: bool,
}

/// A batch with its index in the log.
#[derive(Debug, Clone)]
pub(crate) struct AttestedBatch {
    pub(crate) index: u64,
    pub(crate) batch: Batch,
    /// Whether a later entry disposes of it lawfully.
    pub(crate) disposed: bool,
}

/// What the entries attest, and which files are live.
#[derive(Debug, Default)]
pub(crate) struct AttestedLog {
    pub(crate) entries: u64,
    /// By table and path relative to the table.
    pub(crate) live: BTreeMap<(AttestedTable, Path), LiveFile>,
    pub(crate) objects: HashMap<String, FileDigest>,
    /// Of each object: which of the entries attests it, and the classes and dates of the files of that entry.
    origins: HashMap<String, (u64, Arc<BTreeSet<ClassDate>>)>,
    /// By class and date, the last entry of sealing that adds objects and does not name those that they replace, as
    /// earlier versions wrote it.
    unnamed_joins: HashMap<ClassDate, u64>,
    pub(crate) batches: BTreeMap<TablePartition, Vec<AttestedBatch>>,
    /// By topic and partition, in the order of the log, with the version of the entry.
    pub(crate) spans: BTreeMap<(String, i32), Vec<(u64, Span)>>,
    pub(crate) position: Position,
    /// Leaves that are in no checkpoint yet.
    pub(crate) pending: u64,
    /// Entries that are older than the proof log.
    pub(crate) before: u64,
    pub(crate) findings: Vec<Finding>,
    commit_ids: HashSet<String>,
    expected_index: u64,
}

impl From<Table> for AttestedTable {
    fn from(table: Table) -> Self {
        // Sessions are derived and not attested.
        if table == Table::Events { Self::Events } else { Self::DeadLetters }
    }
}

impl AttestedTable {
    pub(crate) fn table(self) -> Table {
        match self {
            Self::Events => Table::Events,
            Self::DeadLetters => Table::DeadLetters,
        }
    }
}

impl AttestedLog {
    /// Reads both Delta logs up to `until`, and at least up to the position of the checkpoint.
    pub(crate) async fn read(
        store: &dyn ObjectStore,
        keys: &TrustedKeys,
        tree: &LogTree,
        until: Position,
        now: Timestamp,
    ) -> Result<Self, ArchiveError> {
        let mut log = Self::default();
        let integrated = tree.position;
        let mut sequence = Sequence::new(store, keys, Position::default());
        loop {
            let reached = sequence.position().events;
            let wanted = until.events.max(integrated.events);
            if sequence.is_between_commits() && (reached >= wanted && wanted.is_some()) {
                break;
            }
            match sequence.next().await? {
                Some(next) => log.add(next, keys, tree, now),
                None if reached < wanted => {
                    let missing = reached.map_or(0, |version| version + 1);
                    let what = format!("entry {missing} of the Delta log of events is missing");
                    let finding = Finding::new(Kind::Entry, what).file(delta_log_entry(Table::Events, missing));
                    let wanted = wanted.unwrap_or_default();
                    log.findings.push(
                        finding.expected(format!("entries up to {wanted}"), format!("none of version {missing}")),
                    );
                    sequence.skip();
                }
                None => break,
            }
        }
        // Dead letters that no entry of events names yet.
        while sequence.position().dead_letters < until.dead_letters.max(integrated.dead_letters) {
            match sequence.next_dead_letters().await? {
                Some(next) => log.add_unordered(&next),
                None => {
                    let missing = sequence.position().dead_letters.map_or(0, |version| version + 1);
                    let what = format!("entry {missing} of the Delta log of dead_letters is missing");
                    log.findings
                        .push(Finding::new(Kind::Entry, what).file(delta_log_entry(Table::DeadLetters, missing)));
                    sequence.skip_dead_letters();
                }
            }
        }
        log.position = sequence.position();
        if log.expected_index < tree.size() {
            let what = format!(
                "leaves {}..{} of the proof log are in no entry of a Delta log",
                log.expected_index,
                tree.size()
            );
            let found = format!("{} leaves", log.expected_index);
            log.findings.push(Finding::new(Kind::Entry, what).expected(format!("{} leaves", tree.size()), found));
        }
        Ok(log)
    }

    fn add(&mut self, next: Sequenced, keys: &TrustedKeys, tree: &LogTree, now: Timestamp) {
        self.entries += 1;
        let Sequenced { table, entry, leaves } = next;
        let place = || format!("entry {} of the Delta log of {}", entry.version, table.name());
        let mut predates_log = false;
        let leaves = leaves.and_then(|attested| match attested.is_timely(keys, self.expected_index) {
            true => Ok(attested.leaves),
            false => Err(RETIRED.to_owned()),
        });
        let leaves = match leaves {
            Ok(leaves) => {
                self.check_leaves(&entry, table, tree, now);
                leaves
            }
            Err(why) => {
                // An archive that is older than its proof log has entries without attestation.
                predates_log = self.expected_index == 0 && entry.attestation.is_none() && !entry.is_unreadable;
                if predates_log {
                    self.before += 1;
                } else {
                    let kind = if entry.is_unreadable { Kind::Entry } else { Kind::Unattested };
                    let finding = Finding::new(kind, format!("{}: {why}", place()));
                    self.findings.push(finding.file(delta_log_entry(table, entry.version)));
                }
                Vec::new()
            }
        };
        if let Some(id) = &entry.commit_id
            && !self.commit_ids.insert(format!("{}/{id}", table.name()))
        {
            let what = format!("{} repeats the commit {id}", place());
            self.findings.push(Finding::new(Kind::Entry, what).file(delta_log_entry(table, entry.version)));
        }
        self.apply(table, &entry, &leaves, predates_log);
    }

    /// Adds dead letters that are not integrated yet, because the events consumed with them are not committed.
    fn add_unordered(&mut self, next: &Sequenced) {
        self.entries += 1;
        let leaves = next.leaves.as_ref().map_or_else(|_| Vec::new(), |attested| attested.leaves.clone());
        self.pending += leaves.len() as u64;
        if let Err(why) = &next.leaves {
            let what = format!("entry {} of the Delta log of {}: {why}", next.entry.version, next.table.name());
            let file = delta_log_entry(next.table, next.entry.version);
            self.findings.push(Finding::new(Kind::Unattested, what).file(file));
        }
        self.apply(next.table, &next.entry, &leaves, false);
    }

    /// Compares the leaves of an entry with the tree.
    fn check_leaves(&mut self, entry: &Entry, table: Table, tree: &LogTree, now: Timestamp) {
        let Some(attestation) = &entry.attestation else { return };
        let file = delta_log_entry(table, entry.version);
        for (number, leaf) in attestation.leaves.iter().enumerate() {
            let hash = record_hash(leaf.as_bytes());
            if self.expected_index >= tree.size() {
                if let Some(index) = tree.find(&hash) {
                    let what = format!(
                        "entry {} of the Delta log of {} has leaf {index} of the proof log, at another place",
                        entry.version,
                        table.name()
                    );
                    self.findings.push(Finding::new(Kind::Entry, what).file(&file));
                    return;
                }
                self.pending += 1;
                let waited = entry.written.map_or(0, |written| now.0 - written * 1_000);
                if waited > INTEGRATION_TIMEOUT_MICROS && number == 0 {
                    let what = format!(
                        "entry {} of the Delta log of {} was written {} s ago and is in no checkpoint",
                        entry.version,
                        table.name(),
                        waited / 1_000_000
                    );
                    self.findings.push(Finding::new(Kind::NotIntegrated, what).file(&file));
                }
                continue;
            }
            if tree.leaf(self.expected_index) == Some(hash) {
                self.expected_index += 1;
                continue;
            }
            let what = format!(
                "leaf {} of the proof log is not the one in entry {} of the Delta log of {}",
                self.expected_index,
                entry.version,
                table.name()
            );
            let expected = tree.leaf(self.expected_index).map_or_else(String::new, |hash| hash.to_string());
            self.findings.push(Finding::new(Kind::Entry, what).file(&file).expected(expected, hash));
            // Continue after the leaf, if it is further on in the tree.
            if let Some(index) = tree.find(&hash).filter(|index| *index >= self.expected_index) {
                self.expected_index = index + 1;
            } else {
                return;
            }
        }
    }

    /// Whether an object may have been joined into another one by an entry that does not say so. Only the rows of its
    /// date show whether it was.
    pub(super) fn may_be_joined(&self, object: &str) -> bool {
        self.origins.get(object).is_some_and(|(entry, parts)| {
            parts.iter().any(|part| self.unnamed_joins.get(part).is_some_and(|joined| joined > entry))
        })
    }

    /// Applies the actions of an entry, and compares them with its leaves.
    pub(super) fn apply(&mut self, table: Table, entry: &Entry, leaves: &[Leaf], predates_log: bool) {
        let name = AttestedTable::from(table);
        let at = delta_log_entry(table, entry.version);
        let first_index = self.expected_index.saturating_sub(leaves.len() as u64);
        let mut digests: HashMap<&str, &FileDigest> = HashMap::new();
        let mut removed: BTreeSet<&str> = BTreeSet::new();
        let mut next: BTreeMap<(String, i32), i64> = BTreeMap::new();
        let mut operation = Operation::Append;
        let parts = entry.adds.iter().map(|added| (added.class.clone(), added.date.clone()));
        let parts: Arc<BTreeSet<ClassDate>> = Arc::new(parts.collect());
        let mut adds_objects = false;
        for (number, leaf) in leaves.iter().enumerate() {
            match leaf {
                Leaf::Commit(Commit { operation: what, .. }) => operation = *what,
                Leaf::Files(files) => {
                    digests.extend(files.add.iter().map(|file| (file.id.as_str(), file)));
                    removed.extend(files.remove.iter().map(String::as_str));
                    for id in &files.remove {
                        self.objects.remove(id);
                        self.origins.remove(id);
                    }
                    adds_objects |= !files.objects.is_empty();
                    let origin = |object: &FileDigest| (object.id.clone(), (self.entries, Arc::clone(&parts)));
                    self.origins.extend(files.objects.iter().map(origin));
                    self.objects.extend(files.objects.iter().map(|object| (object.id.clone(), object.clone())));
                }
                Leaf::Span(span) => {
                    let key = (span.topic.clone(), span.partition);
                    next.insert(key.clone(), span.next);
                    self.spans.entry(key).or_default().push((entry.version, span.clone()));
                }
                Leaf::Batch(batch) => {
                    let part = (name, batch.class.clone(), batch.date.clone());
                    let index = first_index + number as u64;
                    let batch = AttestedBatch { index, batch: batch.clone(), disposed: false };
                    self.batches.entry(part).or_default().push(batch);
                }
                Leaf::Disposal(disposal) => self.dispose(name, disposal),
            }
        }
        let attested = !leaves.is_empty();
        for added in &entry.adds {
            let digest = digests.remove(added.id.as_str()).cloned();
            let fits = digest
                .as_ref()
                .is_some_and(|digest| (digest.size, digest.rows, digest.time) == (added.size, added.rows, added.time))
                && added.path == crate::paths::data_file(&added.class, &added.date, &added.id);
            if attested && !fits {
                let what = format!("the entry adds the file {}, which is not the one that was attested", added.id);
                let expected = digest.as_ref().map_or("no such file".to_owned(), describe);
                let found = format!(
                    "{} in class {}, date {}: {} rows in {} bytes{}",
                    added.path,
                    added.class,
                    added.date,
                    added.rows,
                    added.size,
                    times(added.time)
                );
                self.findings.push(Finding::new(Kind::Unattested, what).file(&at).expected(expected, found));
            }
            self.live.insert((name, added.path.clone()), LiveFile { added: added.clone(), digest, predates_log });
        }
        if attested {
            for (id, digest) in digests {
                let what = format!("the entry does not add the file {id}, which was attested");
                self.findings
                    .push(Finding::new(Kind::Entry, what).file(&at).expected(describe(digest), "no such file"));
            }
        }
        for path in entry.removes.iter().map(|removed| &removed.path) {
            let id = path.filename().and_then(|name| name.strip_suffix(".parquet")).unwrap_or(path.as_ref());
            if !removed.remove(id) || operation == Operation::Append {
                let what = format!("the entry removes the file {id}, which was not attested");
                self.findings.push(Finding::new(Kind::Unattested, what).file(&at));
            }
            self.live.remove(&(name, path.clone()));
        }
        // What is left in `removed` are objects.
        if operation == Operation::Seal && adds_objects && removed.is_empty() {
            self.unnamed_joins.extend(parts.iter().map(|part| (part.clone(), self.entries)));
        }
        for ((topic, partition), offset) in &entry.offsets {
            let span = next.remove(&(topic.clone(), *partition));
            if attested && table == Table::Events && span != Some(*offset) {
                let what = "the entry moves the offset to another place than was attested";
                let finding = Finding::new(Kind::Entry, what).file(&at).at(topic, *partition, *offset, *offset);
                self.findings
                    .push(finding.expected(span.map_or("no move".to_owned(), |next| next.to_string()), offset));
            }
        }
        for ((topic, partition), span) in next {
            let what = "the entry does not move the offset that was attested";
            let finding = Finding::new(Kind::Entry, what).file(&at).at(&topic, partition, span, span);
            self.findings.push(finding.expected(span, "no move"));
        }
    }

    fn dispose(&mut self, name: AttestedTable, disposal: &Disposal) {
        let part = (name, disposal.class.clone(), disposal.date.clone());
        for batch in self.batches.entry(part).or_default() {
            batch.disposed = true;
        }
    }
}

fn describe(digest: &FileDigest) -> String {
    format!("{} rows in {} bytes{}, SHA-256 {}", digest.rows, digest.size, times(digest.time), digest.sha256)
}

fn times(time: Option<(i64, i64)>) -> String {
    time.map_or_else(String::new, |(least, most)| format!(" from {} to {}", Timestamp(least), Timestamp(most)))
}
