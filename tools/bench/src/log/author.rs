//! Writes one-row commits and seals dates, as an archiver and a sealer do.
//!
//! ```text
//! event ─▶ row ─▶ encrypted file ─▶ leaves, signed ─▶ entry        `write`: a file that exists
//!                 └ one for all ──▶ leaves, signed ─▶ entry        `name`: no file is put, and no statement reads it
//! ```

use crate::prove;
use anyhow::Context;
use holdfast_archive::keys::{Holder, KeyRing};
use holdfast_archive::proof::{Attestation, BatchTrees, file_digests};
use holdfast_archive::segment::{Partition, Segment, SegmentKeys, SegmentWriter};
use holdfast_archive::{Advance, Archive, Change, DataFile, Table, TableLog};
use holdfast_events::{EventBatchBuilder, Position, Tier, Timestamp, decode_structured};
use holdfast_proof::note::SigningKey;
use holdfast_proof::{Batch, Commit, FileDigest, Files, Leaf, Operation, Secret, Span};
use std::sync::Arc;

const TOPIC: &str = "bench.log";
const CLASS: &str = "general";
/// 2026-01-01.
const FIRST_DATE: i32 = 20_454;
const DAY: i64 = 86_400_000_000;

/// A commit that is ready.
pub(super) struct Ready {
    segment: Segment,
    attestation: Attestation,
    id: String,
}

/// The file, its digest and its rows of which others are copies.
#[derive(Clone)]
struct Model {
    segment: Segment,
    digest: FileDigest,
    batch: Batch,
}

/// The only writer of an archive.
pub(super) struct Author {
    pub(super) log: TableLog,
    ring: Arc<KeyRing>,
    key: Arc<SigningKey>,
    /// Commits of one date.
    a_date: u64,
    /// The number of the next event, which is its offset.
    next: u64,
    model: Option<Model>,
    /// The files of the current date.
    open: Vec<DataFile>,
}

impl Author {
    pub(super) fn new(archive: &Archive, identity: &age::x25519::Identity, a_date: u64) -> anyhow::Result<Self> {
        Ok(Self {
            log: archive.table(Table::Events),
            ring: ring(archive, identity)?,
            key: prove::signing_key()?,
            a_date: a_date.max(1),
            next: 0,
            model: None,
            open: Vec::new(),
        })
    }

    /// Goes on in a copy of the archive.
    pub(super) fn moved_to(self, archive: &Archive, identity: &age::x25519::Identity) -> anyhow::Result<Self> {
        Ok(Self { log: archive.table(Table::Events), ring: ring(archive, identity)?, ..self })
    }

    /// The statement that finds the event of the newest commit.
    pub(super) fn statement(&self) -> String {
        let number = self.next.saturating_sub(1);
        let (from, until) = (self.time(number), Timestamp(self.time(number).0 + 1));
        format!(
            "SELECT time, data FROM archive.events WHERE subject = 's-{number}' AND time >= '{from}' AND time < '{until}'"
        )
    }

    /// Commits until the log has `entries` entries after the first. With `seals`, the files of a date that is over are
    /// replaced by one.
    pub(super) async fn fill(&mut self, entries: u64, seals: bool) -> anyhow::Result<()> {
        let mut version = 0;
        while version < entries {
            let is_new_date = self.next.is_multiple_of(self.a_date);
            if is_new_date && seals && !self.open.is_empty() {
                version = self.seal().await?;
                continue;
            }
            if is_new_date {
                self.open.clear();
                // The keys of the date's month, which statements ask for.
                SegmentKeys::new(&self.ring, Table::Events, &self.partition(self.next), "key".to_owned()).await?;
            }
            let ready = self.name().await?;
            version = self.commit(ready).await?;
        }
        Ok(())
    }

    /// A commit whose file is written.
    pub(super) async fn write(&self) -> anyhow::Result<Ready> {
        let model = self.model_of(self.next).await?;
        self.ready(model)
    }

    /// Puts the file of a commit.
    pub(super) async fn put(&self, ready: &Ready) -> anyhow::Result<()> {
        Ok(self.log.put(&ready.segment).await?)
    }

    /// Makes a commit. Returns the version.
    pub(super) async fn commit(&mut self, ready: Ready) -> anyhow::Result<u64> {
        let Ready { segment, attestation, id } = ready;
        let offset = self.next as i64;
        let advance = Advance {
            topic: TOPIC.to_owned(),
            partition: 0,
            expected: (offset > 0).then_some(offset),
            next: offset + 1,
        };
        let change = Change {
            segments: std::slice::from_ref(&segment),
            removed: &[],
            advances: &[advance],
            commit_id: &id,
            attestation: Some(&attestation),
        };
        let version = self.log.change(&change, prove::now()).await?;
        self.open.push(self.log.file_of(&segment));
        self.next += 1;
        Ok(version)
    }

    /// A commit of which only the entry will exist.
    async fn name(&mut self) -> anyhow::Result<Ready> {
        if self.model.is_none() {
            self.model = Some(self.model_of(0).await?);
        }
        let mut model = self.model.clone().context("there is a model")?;
        let (time, partition) = (self.time(self.next).0, self.partition(self.next));
        model.segment.id = self.id(self.next);
        model.segment.time = Some((time, time));
        model.digest.id.clone_from(&model.segment.id);
        model.digest.time = model.segment.time;
        model.batch.date = partition.date_text();
        (model.batch.first, model.batch.next) = (self.next as i64, self.next as i64 + 1);
        model.segment.partition = partition;
        self.ready(model)
    }

    fn ready(&self, model: Model) -> anyhow::Result<Ready> {
        let id = format!("append-{}", self.next);
        let offset = self.next as i64;
        let span = Span {
            cluster: None,
            topic: TOPIC.to_owned(),
            partition: 0,
            from: (offset > 0).then_some(offset),
            next: offset + 1,
            skipped: Vec::new(),
        };
        let mut leaves = vec![commit_leaf(&id, Operation::Append)];
        leaves.extend(Files { add: vec![model.digest], ..Files::default() }.into_leaves());
        leaves.extend(span.into_leaves());
        leaves.push(Leaf::Batch(model.batch));
        let attestation = Attestation::sign(&self.key, &leaves)?;
        Ok(Ready { segment: model.segment, attestation, id })
    }

    /// Writes the file of an event.
    async fn model_of(&self, number: u64) -> anyhow::Result<Model> {
        let time = self.time(number);
        let json = format!(
            r#"{{"specversion":"1.0","id":"l-{number}","source":"urn:bench","type":"chat.line","subject":"s-{number}","time":"{time}","agent":"ann","portal":"acme/help","data":{{"seq":{number},"sender":"agent","text":"One line of a chat, as long as most of them are."}}}}"#
        );
        let event = decode_structured(json.as_bytes())?;
        let position = Position { topic: TOPIC, partition: 0, offset: number as i64 };
        let mut builder = EventBatchBuilder::new();
        builder.append(&event, position, time, false, None);
        let partition = self.partition(number);
        let mut trees = BatchTrees::new(Table::Events);
        let rows = trees.add(&partition, &builder.finish(), &Secret([7; 32]))?;
        let keys = SegmentKeys::new(&self.ring, Table::Events, &partition, self.id(number)).await?;
        let mut writer = SegmentWriter::new(Table::Events, partition, keys)?;
        writer.write(&rows)?;
        let segment = writer.finish()?;
        let digest = file_digests([&segment]).pop().context("a file has a digest")?;
        let batch = trees.finish().into_iter().find_map(|leaf| match leaf {
            Leaf::Batch(batch) => Some(batch),
            _ => None,
        });
        Ok(Model { segment, digest, batch: batch.context("a row has a batch")? })
    }

    /// Replaces the files of the current date by one, of which only the entry will exist. Returns the version.
    async fn seal(&mut self) -> anyhow::Result<u64> {
        let mut model = self.model.clone().context("there is a model")?;
        let (first, last) = (self.next - self.open.len() as u64, self.next - 1);
        model.segment.id = format!("sealed-{}", self.id(last));
        model.segment.partition = self.partition(last);
        model.segment.rows = self.open.len() as u64;
        model.segment.time = Some((self.time(first).0, self.time(last).0));
        let digest = FileDigest {
            id: model.segment.id.clone(),
            rows: model.segment.rows,
            time: model.segment.time,
            ..model.digest
        };
        let removed = std::mem::take(&mut self.open);
        let id = format!("seal-{last}");
        let remove = removed.iter().map(|file| file.id.clone()).collect();
        let mut leaves = vec![commit_leaf(&id, Operation::Seal)];
        leaves.extend(Files { add: vec![digest], remove, objects: Vec::new() }.into_leaves());
        let attestation = Attestation::sign(&self.key, &leaves)?;
        let change = Change {
            segments: std::slice::from_ref(&model.segment),
            removed: &removed,
            advances: &[],
            commit_id: &id,
            attestation: Some(&attestation),
        };
        Ok(self.log.change(&change, prove::now()).await?)
    }

    fn time(&self, number: u64) -> Timestamp {
        let date = i64::from(self.partition(number).date);
        Timestamp(date * DAY + (number % self.a_date) as i64 * (DAY / self.a_date as i64))
    }

    fn partition(&self, number: u64) -> Partition {
        Partition { class: CLASS.to_owned(), date: FIRST_DATE + (number / self.a_date) as i32 }
    }

    /// In the form of a UUID of version 7, with the event's time as that at which the file was begun.
    fn id(&self, number: u64) -> String {
        let millis = self.time(number).0 / 1_000;
        format!("{:08x}-{:04x}-7000-8000-{number:012x}", millis >> 16, millis & 0xffff)
    }
}

fn ring(archive: &Archive, identity: &age::x25519::Identity) -> anyhow::Result<Arc<KeyRing>> {
    let holder = Holder { name: "bench".to_owned(), recipient: identity.to_public(), tiers: Tier::ALL.to_vec() };
    Ok(Arc::new(KeyRing::new(Arc::clone(archive.store()), vec![holder])?))
}

fn commit_leaf(id: &str, operation: Operation) -> Leaf {
    Leaf::Commit(Commit { table: Table::Events.name().to_owned(), id: id.to_owned(), operation, dead_letters: None })
}
