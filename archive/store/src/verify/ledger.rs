//! What the Delta logs say, entry by entry, held against what was attested and integrated.
//!
//! ```text
//! sequence ─▶ each entry: attested? its leaves at their place in the tree? its actions those that its leaves name?
//!                └─▶ Ledger: live files with their digests, objects, batches, spans, disposals
//! ```

use super::report::{Finding, Kind};
use super::tree::LogTree;
use crate::error::ArchiveError;
use crate::proof::entry::{AddedFile, Entry, entry_path};
use crate::proof::sequence::{Position, RETIRED, Sequence, Sequenced};
use crate::table::Table;
use holdfast_events::Timestamp;
use holdfast_proof::note::TrustedKeys;
use holdfast_proof::{Batch, Commit, Disposal, FileDigest, Leaf, Operation, Span, record_hash};
use object_store::ObjectStore;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// How long a commit may wait until it is in a checkpoint.
const PATIENCE_MICROS: i64 = 120 * 1_000_000;

/// The rows of one class and date of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TableName {
    Events,
    DeadLetters,
}

/// A table's class and date.
pub(crate) type Part = (TableName, String, String);

/// A live file.
#[derive(Debug, Clone)]
pub(crate) struct LiveFile {
    pub(crate) added: AddedFile,
    /// What was attested of it; `None` when nothing was.
    pub(crate) digest: Option<FileDigest>,
    /// Whether it is from before the archive had a proof log.
    pub(crate) is_old: bool,
}

/// A batch with its place in the log.
#[derive(Debug, Clone)]
pub(crate) struct LedgerBatch {
    pub(crate) index: u64,
    pub(crate) batch: Batch,
    /// Whether it was lawfully disposed of later.
    pub(crate) disposed: bool,
}

/// What the entries say.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: u64,
    /// By table and path relative to the table.
    pub(crate) live: BTreeMap<(TableName, String), LiveFile>,
    pub(crate) objects: HashMap<String, FileDigest>,
    pub(crate) batches: BTreeMap<Part, Vec<LedgerBatch>>,
    /// By topic and partition, in the order of the log, with the version of the entry.
    pub(crate) spans: BTreeMap<(String, i32), Vec<(u64, Span)>>,
    pub(crate) position: Position,
    /// Leaves that are in no checkpoint yet.
    pub(crate) pending: u64,
    /// Entries from before the archive had a proof log.
    pub(crate) before: u64,
    pub(crate) findings: Vec<Finding>,
    commit_ids: HashSet<String>,
    expected_index: u64,
}

impl From<Table> for TableName {
    fn from(table: Table) -> Self {
        // Sessions are derived, and stand in no ledger.
        if table == Table::Events { Self::Events } else { Self::DeadLetters }
    }
}

impl TableName {
    pub(crate) fn table(self) -> Table {
        match self {
            Self::Events => Table::Events,
            Self::DeadLetters => Table::DeadLetters,
        }
    }
}

impl Ledger {
    /// Reads both Delta logs up to `until`, and all of what the checkpoint has.
    pub(crate) async fn read(
        store: &dyn ObjectStore,
        keys: &TrustedKeys,
        tree: &LogTree,
        until: Position,
        now: Timestamp,
    ) -> Result<Self, ArchiveError> {
        let mut ledger = Self::default();
        let integrated = tree.position;
        let mut sequence = Sequence::new(store, keys, Position::default());
        loop {
            let reached = sequence.position().events;
            let wanted = until.events.max(integrated.events);
            if sequence.is_between_commits() && (reached >= wanted && wanted.is_some()) {
                break;
            }
            match sequence.next().await? {
                Some(next) => ledger.take(next, keys, tree, now),
                None if reached < wanted => {
                    let missing = reached.map_or(0, |version| version + 1);
                    let what = format!("entry {missing} of the Delta log of events is missing");
                    let finding = Finding::new(Kind::Entry, what).file(entry_path(Table::Events, missing));
                    let wanted = wanted.unwrap_or_default();
                    ledger.findings.push(
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
                Some(next) => ledger.take_unordered(&next),
                None => {
                    let missing = sequence.position().dead_letters.map_or(0, |version| version + 1);
                    let what = format!("entry {missing} of the Delta log of dead_letters is missing");
                    ledger.findings.push(Finding::new(Kind::Entry, what).file(entry_path(Table::DeadLetters, missing)));
                    sequence.skip_dead_letters();
                }
            }
        }
        ledger.position = sequence.position();
        if ledger.expected_index < tree.size() {
            let what = format!(
                "leaves {}..{} of the proof log stand in no entry of a Delta log",
                ledger.expected_index,
                tree.size()
            );
            let found = format!("{} leaves", ledger.expected_index);
            ledger.findings.push(Finding::new(Kind::Entry, what).expected(format!("{} leaves", tree.size()), found));
        }
        Ok(ledger)
    }

    fn take(&mut self, next: Sequenced, keys: &TrustedKeys, tree: &LogTree, now: Timestamp) {
        self.entries += 1;
        let Sequenced { table, entry, leaves } = next;
        let place = || format!("entry {} of the Delta log of {}", entry.version, table.name());
        let mut is_old = false;
        let leaves = leaves.and_then(|attested| match attested.is_timely(keys, self.expected_index) {
            true => Ok(attested.leaves),
            false => Err(RETIRED.to_owned()),
        });
        let leaves = match leaves {
            Ok(leaves) => {
                self.place_leaves(&entry, table, tree, now);
                leaves
            }
            Err(why) => {
                // An archive that was there before the proof log has entries without.
                is_old = self.expected_index == 0 && entry.attestation.is_none() && !entry.is_unreadable;
                if is_old {
                    self.before += 1;
                } else {
                    let kind = if entry.is_unreadable { Kind::Entry } else { Kind::Unattested };
                    let finding = Finding::new(kind, format!("{}: {why}", place()));
                    self.findings.push(finding.file(entry_path(table, entry.version)));
                }
                Vec::new()
            }
        };
        if let Some(id) = &entry.commit_id
            && !self.commit_ids.insert(format!("{}/{id}", table.name()))
        {
            let what = format!("{} repeats the commit {id}", place());
            self.findings.push(Finding::new(Kind::Entry, what).file(entry_path(table, entry.version)));
        }
        self.apply(table, &entry, &leaves, is_old);
    }

    /// Takes in dead letters that are not integrated yet, because the events that they came with are not committed.
    fn take_unordered(&mut self, next: &Sequenced) {
        self.entries += 1;
        let leaves = next.leaves.as_ref().map_or_else(|_| Vec::new(), |attested| attested.leaves.clone());
        self.pending += leaves.len() as u64;
        if let Err(why) = &next.leaves {
            let what = format!("entry {} of the Delta log of {}: {why}", next.entry.version, next.table.name());
            let file = entry_path(next.table, next.entry.version);
            self.findings.push(Finding::new(Kind::Unattested, what).file(file));
        }
        self.apply(next.table, &next.entry, &leaves, false);
    }

    /// Holds the leaves of an entry against the tree.
    fn place_leaves(&mut self, entry: &Entry, table: Table, tree: &LogTree, now: Timestamp) {
        let Some(attestation) = &entry.attestation else { return };
        let file = entry_path(table, entry.version);
        for (number, leaf) in attestation.leaves.iter().enumerate() {
            let hash = record_hash(leaf.as_bytes());
            if self.expected_index >= tree.size() {
                if let Some(index) = tree.find(&hash) {
                    let what = format!(
                        "entry {} of the Delta log of {} says what leaf {index} of the proof log says, at another place",
                        entry.version,
                        table.name()
                    );
                    self.findings.push(Finding::new(Kind::Entry, what).file(&file));
                    return;
                }
                self.pending += 1;
                let waited = entry.written.map_or(0, |written| now.0 - written * 1_000);
                if waited > PATIENCE_MICROS && number == 0 {
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
                "leaf {} of the proof log is not what entry {} of the Delta log of {} says",
                self.expected_index,
                entry.version,
                table.name()
            );
            let expected = tree.leaf(self.expected_index).map_or_else(String::new, |hash| hash.to_string());
            self.findings.push(Finding::new(Kind::Entry, what).file(&file).expected(expected, hash));
            // Go on behind it, if the leaf stands further on.
            if let Some(index) = tree.find(&hash).filter(|index| *index >= self.expected_index) {
                self.expected_index = index + 1;
            } else {
                return;
            }
        }
    }

    /// Takes in what an entry does, and holds it against what its leaves say.
    fn apply(&mut self, table: Table, entry: &Entry, leaves: &[Leaf], is_old: bool) {
        let name = TableName::from(table);
        let at = entry_path(table, entry.version);
        let first_index = self.expected_index.saturating_sub(leaves.len() as u64);
        let mut digests: HashMap<&str, &FileDigest> = HashMap::new();
        let mut removed: BTreeSet<&str> = BTreeSet::new();
        let mut next: BTreeMap<(String, i32), i64> = BTreeMap::new();
        let mut operation = Operation::Append;
        for (number, leaf) in leaves.iter().enumerate() {
            match leaf {
                Leaf::Commit(Commit { operation: what, .. }) => operation = *what,
                Leaf::Files(files) => {
                    digests.extend(files.add.iter().map(|file| (file.id.as_str(), file)));
                    removed.extend(files.remove.iter().map(String::as_str));
                    for id in &files.remove {
                        self.objects.remove(id);
                    }
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
                    let batch = LedgerBatch { index, batch: batch.clone(), disposed: false };
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
            self.live.insert((name, added.path.clone()), LiveFile { added: added.clone(), digest, is_old });
        }
        if attested {
            for (id, digest) in digests {
                let what = format!("the entry does not add the file {id}, which was attested");
                self.findings
                    .push(Finding::new(Kind::Entry, what).file(&at).expected(describe(digest), "no such file"));
            }
        }
        for path in entry.removes.iter().map(|removed| &removed.path) {
            let id = path.rsplit('/').next().and_then(|name| name.strip_suffix(".parquet")).unwrap_or(path);
            if !removed.remove(id) || operation == Operation::Append {
                let what = format!("the entry removes the file {id}, and nobody attested that");
                self.findings.push(Finding::new(Kind::Unattested, what).file(&at));
            }
            self.live.remove(&(name, path.clone()));
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

    fn dispose(&mut self, name: TableName, disposal: &Disposal) {
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
