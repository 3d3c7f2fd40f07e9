//! The order of the log: both Delta logs in one sequence, which follows from them alone.
//!
//! ```text
//! events        0      1 (dead letters up to 0)      2      3 (dead letters up to 2)
//! dead letters         0                                    1  2
//! sequence      e0  d0 e1                            e2     d1 d2 e3
//! ```
//!
//! An entry of events names the version of the log of dead letters whose leaves precede its own. Every reader of both
//! logs gets the same sequence, at any time.

use super::entry::{Entry, read_entry};
use crate::error::ArchiveError;
use crate::table::Table;
use bytes::Bytes;
use holdfast_proof::note::{KeyId, Purpose, TrustedKeys};
use holdfast_proof::{Commit, Leaf, tree};
use object_store::ObjectStore;
use std::collections::VecDeque;

/// The newest version of each Delta log whose leaves are in the proof log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) events: Option<u64>,
    pub(crate) dead_letters: Option<u64>,
}

const EVENTS_LINE: &str = "events ";
const DEAD_LETTERS_LINE: &str = "dead_letters ";

impl Position {
    /// The extension lines of a checkpoint.
    pub(crate) fn to_lines(self) -> Vec<String> {
        let line = |name: &str, version: Option<u64>| version.map(|version| format!("{name}{version}"));
        [line(EVENTS_LINE, self.events), line(DEAD_LETTERS_LINE, self.dead_letters)].into_iter().flatten().collect()
    }

    /// Reads the extension lines of a checkpoint.
    pub(crate) fn of_lines(lines: &[String]) -> Self {
        let find = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name)?.parse().ok());
        Self { events: find(EVENTS_LINE), dead_letters: find(DEAD_LETTERS_LINE) }
    }
}

/// An entry in the sequence.
#[derive(Debug)]
pub(crate) struct Sequenced {
    pub(crate) table: Table,
    pub(crate) entry: Entry,
    /// Its leaves and the keys that signed them, or why it adds none although it should.
    pub(crate) leaves: Result<Attested, String>,
}

/// Leaves whose signature is that of a trusted key.
#[derive(Debug, Default)]
pub(crate) struct Attested {
    pub(crate) leaves: Vec<Leaf>,
    signed_by: Vec<KeyId>,
}

impl Attested {
    /// Whether one of the keys may sign for leaves after the first `size`. A key that was retired before may not.
    pub(crate) fn is_timely(&self, keys: &TrustedKeys, size: u64) -> bool {
        let size = size + self.leaves.len() as u64;
        self.leaves.is_empty() || self.signed_by.iter().any(|key| keys.may_sign(*key, size))
    }
}

/// Why the leaves of a retired key are not integrated.
pub(crate) const RETIRED: &str = "it was signed with a key that is no longer in use";

/// Reads both Delta logs in order.
pub(crate) struct Sequence<'s> {
    store: &'s dyn ObjectStore,
    keys: &'s TrustedKeys,
    position: Position,
    ready: VecDeque<Sequenced>,
    events: ReadAhead,
    dead_letters: ReadAhead,
}

/// Read-ahead of the entries of one Delta log: a remote store serves many requests at once as fast as one.
#[derive(Debug)]
struct ReadAhead {
    /// The version of the first of them.
    first: u64,
    entries: VecDeque<Bytes>,
    /// How many are read the next time. It doubles as long as all of them exist.
    count: usize,
}

/// Entries that are read at the same time.
const MAX_READ_AHEAD: usize = 32;

impl Default for ReadAhead {
    fn default() -> Self {
        Self { first: 0, entries: VecDeque::new(), count: 1 }
    }
}

impl ReadAhead {
    async fn entry(
        &mut self,
        store: &dyn ObjectStore,
        table: Table,
        version: u64,
    ) -> Result<Option<Bytes>, ArchiveError> {
        if self.first != version || self.entries.is_empty() {
            let versions = version..version + self.count as u64;
            let read = futures::future::try_join_all(versions.map(|version| read_entry(store, table, version))).await?;
            // An entry that does not exist now may exist when it is needed.
            self.entries = read.into_iter().map_while(|bytes| bytes).collect();
            let found_all = self.entries.len() == self.count;
            self.count = if found_all { (self.count * 2).min(MAX_READ_AHEAD) } else { 1 };
        }
        self.first = version + 1;
        Ok(self.entries.pop_front())
    }
}

impl<'s> Sequence<'s> {
    /// Starts after `position`.
    pub(crate) fn new(store: &'s dyn ObjectStore, keys: &'s TrustedKeys, position: Position) -> Self {
        Self {
            store,
            keys,
            position,
            ready: VecDeque::new(),
            events: ReadAhead::default(),
            dead_letters: ReadAhead::default(),
        }
    }

    /// The current position. Once [`Sequence::next`] has returned `None`, it has returned every entry up to here.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Whether the last entry of events and all dead letters that precede it were returned.
    pub(crate) fn is_between_commits(&self) -> bool {
        self.ready.is_empty()
    }

    /// The next entry; `None` at the end of the log of events.
    pub(crate) async fn next(&mut self) -> Result<Option<Sequenced>, ArchiveError> {
        if let Some(next) = self.ready.pop_front() {
            return Ok(Some(next));
        }
        let version = self.position.events.map_or(0, |version| version + 1);
        let Some(events) = self.read(Table::Events, version).await? else { return Ok(None) };
        let before = events.leaves.as_ref().ok().and_then(|attested| match attested.leaves.first() {
            Some(Leaf::Commit(commit)) => commit.dead_letters,
            _ => None,
        });
        let mut next = self.position.dead_letters.map_or(0, |version| version + 1);
        while before.is_some_and(|before| next <= before) {
            let missing = || Sequenced {
                table: Table::DeadLetters,
                entry: Entry { version: next, is_unreadable: true, ..Entry::default() },
                leaves: Err(format!("it is missing, and entry {version} of events names it")),
            };
            let letters = self.read(Table::DeadLetters, next).await?.unwrap_or_else(missing);
            self.ready.push_back(letters);
            self.position.dead_letters = Some(next);
            next += 1;
        }
        self.position.events = Some(version);
        self.ready.push_back(events);
        Ok(self.ready.pop_front())
    }

    async fn read(&mut self, table: Table, version: u64) -> Result<Option<Sequenced>, ArchiveError> {
        let ahead = if table == Table::Events { &mut self.events } else { &mut self.dead_letters };
        let Some(bytes) = ahead.entry(self.store, table, version).await? else { return Ok(None) };
        let (entry, leaves) = match Entry::parse(version, &bytes) {
            Ok(entry) => {
                let leaves = attested(&entry, table, self.keys);
                (entry, leaves)
            }
            Err(why) => (Entry { version, is_unreadable: true, ..Entry::default() }, Err(why)),
        };
        Ok(Some(Sequenced { table, entry, leaves }))
    }

    /// Skips a missing entry of events.
    pub(crate) fn skip(&mut self) {
        self.position.events = Some(self.position.events.map_or(0, |version| version + 1));
    }

    /// Skips a missing entry of dead letters.
    pub(crate) fn skip_dead_letters(&mut self) {
        self.position.dead_letters = Some(self.position.dead_letters.map_or(0, |version| version + 1));
    }

    /// The next entry of dead letters, whether or not an entry of events names it.
    pub(crate) async fn next_dead_letters(&mut self) -> Result<Option<Sequenced>, ArchiveError> {
        let version = self.position.dead_letters.map_or(0, |version| version + 1);
        let next = self.read(Table::DeadLetters, version).await?;
        if next.is_some() {
            self.position.dead_letters = Some(version);
        }
        Ok(next)
    }
}

/// The leaves of an entry, if a trusted key signed them. An entry that changes nothing needs none.
pub(crate) fn attested(entry: &Entry, table: Table, keys: &TrustedKeys) -> Result<Attested, String> {
    let Some(attestation) = &entry.attestation else {
        return if entry.changes() { Err("it has no attestation".to_owned()) } else { Ok(Attested::default()) };
    };
    let opened = keys.open(&attestation.note, Purpose::Commit).map_err(|error| error.to_string())?;
    let tree = opened.tree;
    let hashes = attestation.hashes();
    if tree.size != hashes.len() as u64 || tree.root != tree::root(&hashes) {
        return Err("its leaves are not those that were signed".to_owned());
    }
    let leaves: Vec<Leaf> = attestation
        .leaves
        .iter()
        .map(|leaf| Leaf::parse(leaf))
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    match leaves.first() {
        Some(Leaf::Commit(Commit { table: own, id, .. }))
            if own == table.name() && entry.commit_id.as_ref() == Some(id) =>
        {
            Ok(Attested { leaves, signed_by: opened.keys })
        }
        _ => Err("its leaves were signed for another commit".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::delta_log_entry;
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    #[tokio::test]
    async fn entries_are_read_ahead_in_order_and_later_entries_are_found() {
        let store = InMemory::new();
        let put = async |version: u64| {
            let path = delta_log_entry(Table::Events, version);
            store.put(&path, version.to_string().into()).await.unwrap();
        };
        for version in (0..100).chain(102..110) {
            put(version).await;
        }
        let mut ahead = ReadAhead::default();
        let mut read = async |version| {
            let bytes = ahead.entry(&store, Table::Events, version).await.unwrap();
            bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        };
        for version in 0..100 {
            assert_eq!(read(version).await, Some(version.to_string()));
        }
        assert_eq!(read(100).await, None);
        put(100).await;
        assert_eq!(read(100).await.as_deref(), Some("100"));
        assert_eq!(read(101).await, None);
        // Skipped ahead, then back, then ahead again.
        for version in [102, 103, 104, 7, 8, 9, 103] {
            assert_eq!(read(version).await, Some(version.to_string()));
        }
        assert_eq!(read(110).await, None);
    }

    #[test]
    fn positions_are_read_back_from_a_checkpoints_lines() {
        for position in [
            Position::default(),
            Position { events: Some(0), dead_letters: None },
            Position { events: Some(17), dead_letters: Some(3) },
        ] {
            assert_eq!(Position::of_lines(&position.to_lines()), position);
        }
        assert_eq!(Position::of_lines(&["other 1".to_owned()]), Position::default());
    }
}
