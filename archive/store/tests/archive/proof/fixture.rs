//! A small archive that is written as the archiver writes it, with everything that an archive has: two dates, two
//! partitions, a recording in two objects, a dead letter, offsets that Kafka skipped, and a checkpoint after each
//! commit.

use arrow_array::builder::{BinaryBuilder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{RecordBatch, new_null_array};
use futures::TryStreamExt;
use holdfast_archive::keys::{Holder, KeyRing, MasterKeyId, Unlocker};
use holdfast_archive::proof::{Attestation, BatchTrees, IntegrateSettings, Integrator, Mirror, file_digests};
use holdfast_archive::recordings::{self, RecordingSpan};
use holdfast_archive::segment::{Partition, Segment, SegmentKeys, SegmentWriter};
use holdfast_archive::verify::{Kind, Report, Scope, Verification};
use holdfast_archive::{Advance, Archive, Change, Location, Table, TableLog};
use holdfast_events::{ChunkPlace, EventBatchBuilder, Position, Tier, Timestamp, decode_structured};
use holdfast_proof::note::{SigningKey, TrustedKeys, generate};
use holdfast_proof::{Commit, FileDigest, Files, Leaf, Operation, Secret, Skip, SkipReason, Span};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

pub(crate) const EVENTS: &str = "holdfast.events";
pub(crate) const RECORDINGS: &str = "holdfast.recordings";
pub(crate) const SESSION: &str = "s-1";
pub(crate) const RECORDING: &str = "r-1";
/// 2026-11-23.
pub(crate) const DATE: i32 = 20_780;
pub(crate) const NOW: Timestamp = Timestamp(1_795_550_000_000_000);

/// A commit under construction.
#[derive(Default)]
pub(crate) struct Draft {
    rows: BTreeMap<Partition, EventBatchBuilder>,
    objects: Vec<FileDigest>,
    /// By topic and partition: what was skipped, and the next offset.
    reach: BTreeMap<(String, i32), (Vec<Skip>, i64)>,
}

/// The archive, its keys, and the next offset of each partition.
pub(crate) struct Fixture {
    pub(crate) archive: Archive,
    pub(crate) mirror: Arc<dyn ObjectStore>,
    pub(crate) identity: age::x25519::Identity,
    pub(crate) ring: Arc<KeyRing>,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) trusted: TrustedKeys,
    pub(crate) next: BTreeMap<(String, i32), i64>,
    secret: Secret,
    commits: u32,
}

pub(crate) fn partition(date: i32) -> Partition {
    Partition { class: "general".to_owned(), date }
}

fn archive_in(store: Arc<dyn ObjectStore>) -> Archive {
    Archive::new(Location { url: Url::parse("memory:///").unwrap(), store })
}

pub(crate) fn signing_key(name: &str, seed: u8) -> Arc<SigningKey> {
    Arc::new(SigningKey::parse(&generate(name, [seed; 32]).unwrap().private_key).unwrap())
}

impl Fixture {
    /// An empty archive.
    pub(crate) fn new() -> Self {
        let archive = archive_in(Arc::new(InMemory::new()));
        let identity = age::x25519::Identity::generate();
        let holder =
            Holder { name: "compliance".to_owned(), recipient: identity.to_public(), tiers: Tier::ALL.to_vec() };
        let ring = Arc::new(KeyRing::new(Arc::clone(archive.store()), vec![holder]).unwrap());
        let key = signing_key("holdfast/test", 1);
        let trusted = TrustedKeys::parse(key.verifier_key()).unwrap();
        let (next, secret) = (BTreeMap::new(), Secret([7; 32]));
        Self { archive, mirror: Arc::new(InMemory::new()), identity, ring, key, trusted, next, secret, commits: 0 }
    }

    /// An archive with everything.
    pub(crate) async fn whole() -> Self {
        let mut fixture = Self::new();
        let mut draft = Draft::default();
        // More than 256 records in one batch, so that a change is located within groups.
        for number in 0..600 {
            fixture.chat(&mut draft, 0, DATE, number, "hello");
        }
        for number in 600..610 {
            fixture.chat(&mut draft, 1, DATE + 1, number, "good morning");
        }
        fixture.commit(draft).await;
        fixture.letter(b"{").await;
        let mut draft = Draft::default();
        fixture.skip(&mut draft, EVENTS, 0, 2);
        fixture.chat(&mut draft, 0, DATE, 700, "still there?");
        fixture.chunks(&mut draft, 0, &[b"first chunk", b"second"]).await;
        fixture.commit(draft).await;
        let mut draft = Draft::default();
        fixture.chunks(&mut draft, 2, &[b"third chunk of the recording"]).await;
        fixture.chat(&mut draft, 1, DATE, 800, "thanks");
        fixture.commit(draft).await;
        fixture
    }

    fn take_offset(&mut self, draft: &mut Draft, topic: &str, number: i32) -> i64 {
        let next = self.next.entry((topic.to_owned(), number)).or_default();
        *next += 1;
        draft.reach.entry((topic.to_owned(), number)).or_default().1 = *next;
        *next - 1
    }

    /// Offsets that Kafka does not deliver.
    pub(crate) fn skip(&mut self, draft: &mut Draft, topic: &str, number: i32, count: i64) {
        let next = self.next.entry((topic.to_owned(), number)).or_default();
        let skip = Skip { start: *next, end: *next + count, why: SkipReason::Transactions };
        *next += count;
        let reach = draft.reach.entry((topic.to_owned(), number)).or_default();
        reach.0.push(skip);
        reach.1 = *next;
    }

    /// A chat line.
    pub(crate) fn chat(&mut self, draft: &mut Draft, number: i32, date: i32, seq: u32, text: &str) {
        let time = Timestamp(i64::from(date) * 86_400_000_000 + i64::from(seq) * 1_000_000);
        let json = format!(
            r#"{{"specversion":"1.0","id":"e-{seq}","source":"urn:test","type":"chat.line","subject":"s-{}","time":"{time}","agent":"ann","data":{{"seq":{seq},"sender":"agent","text":"{text}"}}}}"#,
            seq % 7
        );
        self.event(draft, number, date, &json);
    }

    /// Any event.
    pub(crate) fn event(&mut self, draft: &mut Draft, number: i32, date: i32, json: &str) {
        let offset = self.take_offset(draft, EVENTS, number);
        let position = Position { topic: EVENTS, partition: number, offset };
        let event = decode_structured(json.as_bytes()).unwrap();
        draft.rows.entry(partition(date)).or_default().append(&event, position, NOW, false, None);
    }

    /// Consecutive chunks of the recording, in one object.
    pub(crate) async fn chunks(&mut self, draft: &mut Draft, first: i64, chunks: &[&[u8]]) {
        let span =
            RecordingSpan { session: SESSION, recording: RECORDING, first, last: first + chunks.len() as i64 - 1 };
        let master = MasterKeyId::of(Tier::Content, "general", DATE);
        let object =
            recordings::put(&self.archive, &self.ring, &master, &span, &chunks.concat(), "other").await.unwrap();
        let mut at = 0;
        for (number, chunk) in chunks.iter().enumerate() {
            let seq = first + number as i64;
            let digest: String = Sha256::digest(chunk).iter().map(|byte| format!("{byte:02x}")).collect();
            let time = Timestamp(i64::from(DATE) * 86_400_000_000 + seq * 1_000_000);
            let json = format!(
                r#"{{"specversion":"1.0","id":"c-{seq}","source":"urn:test","type":"recording.chunk","subject":"{SESSION}","time":"{time}","data":{{"recording_id":"{RECORDING}","seq":{seq},"first_ms":{},"last_ms":{},"size":{},"sha256":"{digest}"}}}}"#,
                seq * 1000,
                seq * 1000 + 999,
                chunk.len()
            );
            let offset = self.take_offset(draft, RECORDINGS, 0);
            let position = Position { topic: RECORDINGS, partition: 0, offset };
            let place = ChunkPlace { path: object.path.as_ref(), offset: at };
            let event = decode_structured(json.as_bytes()).unwrap();
            draft.rows.entry(partition(DATE)).or_default().append(&event, position, NOW, false, Some(place));
            at += chunk.len() as i64;
        }
        draft.objects.push(object.digest());
    }

    /// Encrypts rows into a file of their own, and puts it.
    pub(crate) async fn file(&self, log: &TableLog, partition: &Partition, rows: &RecordBatch) -> Segment {
        let id = uuid::Uuid::now_v7().to_string();
        let keys = SegmentKeys::new(&self.ring, log.table(), partition, id).await.unwrap();
        let mut writer = SegmentWriter::new(log.table(), partition.clone(), keys).unwrap();
        writer.write(rows).unwrap();
        let segment = writer.finish().unwrap();
        log.put(&segment).await.unwrap();
        segment
    }

    /// Commits a draft with its attestation, and integrates it.
    pub(crate) async fn commit(&mut self, draft: Draft) {
        self.commit_signed(draft, Some(Arc::clone(&self.key))).await;
        self.integrate().await;
    }

    /// Commits a draft, attested with `key` or not at all.
    pub(crate) async fn commit_signed(&mut self, draft: Draft, key: Option<Arc<SigningKey>>) {
        let log = self.archive.table(Table::Events);
        let mut trees = BatchTrees::new(Table::Events);
        let mut segments = Vec::new();
        for (partition, mut builder) in draft.rows {
            let rows = trees.add(&partition, &builder.finish(), &self.secret).unwrap();
            segments.push(self.file(&log, &partition, &rows).await);
        }
        self.commits += 1;
        let id = format!("commit-{}", self.commits);
        let before = self.archive.table(Table::DeadLetters).version().await.unwrap();
        let mut leaves = vec![commit(Table::Events, &id, before)];
        leaves.extend(Files { add: file_digests(&segments), remove: Vec::new(), objects: draft.objects }.into_leaves());
        let known = log.offsets().await.unwrap();
        let mut advances = Vec::new();
        for ((topic, partition), (skipped, next)) in draft.reach {
            let expected = known.get(&(topic.clone(), partition)).copied();
            let span =
                Span { cluster: Some("c".to_owned()), topic: topic.clone(), partition, from: expected, next, skipped };
            leaves.extend(span.into_leaves());
            advances.push(Advance { topic, partition, expected, next });
        }
        leaves.extend(trees.finish());
        let attestation = key.map(|key| Attestation::sign(&key, &leaves).unwrap());
        let change = Change {
            segments: &segments,
            removed: &[],
            advances: &advances,
            commit_id: &id,
            attestation: attestation.as_ref(),
        };
        log.change(&change, NOW).await.unwrap();
    }

    /// A dead letter. The next commit of events advances over its offset.
    pub(crate) async fn letter(&mut self, value: &[u8]) {
        let mut draft = Draft::default();
        let offset = self.take_offset(&mut draft, EVENTS, 0);
        let log = self.archive.table(Table::DeadLetters);
        let (rows, partition) = (letters(&[(offset, value)]), partition(DATE));
        let mut trees = BatchTrees::new(Table::DeadLetters);
        let rows = trees.add(&partition, &rows, &self.secret).unwrap();
        let segment = self.file(&log, &partition, &rows).await;
        let id = format!("letter-{offset}");
        let mut leaves = vec![commit(Table::DeadLetters, &id, None)];
        leaves.extend(Files { add: file_digests([&segment]), ..Files::default() }.into_leaves());
        leaves.extend(trees.finish());
        let attestation = Attestation::sign(&self.key, &leaves).unwrap();
        let expected = log.offsets().await.unwrap().get(&(EVENTS.to_owned(), 0)).copied();
        let advance = Advance { topic: EVENTS.to_owned(), partition: 0, expected, next: offset + 1 };
        let change = Change {
            segments: &[segment],
            removed: &[],
            advances: &[advance],
            commit_id: &id,
            attestation: Some(&attestation),
        };
        log.change(&change, NOW).await.unwrap();
    }

    pub(crate) fn integrator(&self, holder: &str) -> Integrator {
        let settings =
            IntegrateSettings { holder: holder.to_owned(), lease: Duration::from_secs(30), keep_every: Duration::ZERO };
        let mirror = Mirror { name: "second place".to_owned(), store: Arc::clone(&self.mirror) };
        let (key, trusted) = (Arc::clone(&self.key), self.trusted.clone());
        Integrator::new(self.archive.clone(), settings, key, trusted, Vec::new(), vec![mirror])
    }

    pub(crate) async fn integrate(&self) {
        let done = self.integrator("one").finish(NOW).await.unwrap();
        assert_eq!((done.has_lease, done.unattested, done.failed), (true, Vec::new(), Vec::new()));
    }

    /// The same archive in another place, to be altered. The mirror is the same one.
    pub(crate) async fn copy(&self) -> Self {
        let copy = archive_in(Arc::new(InMemory::new()));
        for path in self.objects("").await {
            copy.store().put(&path, self.read(path.as_ref()).await.into()).await.unwrap();
        }
        let holder =
            Holder { name: "compliance".to_owned(), recipient: self.identity.to_public(), tiers: Tier::ALL.to_vec() };
        Self {
            ring: Arc::new(KeyRing::new(Arc::clone(copy.store()), vec![holder]).unwrap()),
            archive: copy,
            mirror: Arc::clone(&self.mirror),
            identity: self.identity.clone(),
            key: Arc::clone(&self.key),
            trusted: self.trusted.clone(),
            next: self.next.clone(),
            secret: self.secret,
            commits: self.commits,
        }
    }

    pub(crate) async fn read(&self, path: &str) -> Vec<u8> {
        self.archive.store().get(&Path::from(path)).await.unwrap().bytes().await.unwrap().to_vec()
    }

    pub(crate) async fn write(&self, path: &str, bytes: Vec<u8>) {
        self.archive.store().put(&Path::from(path), bytes.into()).await.unwrap();
    }

    pub(crate) async fn delete(&self, path: &str) {
        self.archive.store().delete(&Path::from(path)).await.unwrap();
    }

    /// The names of all objects that begin with `prefix`, sorted.
    pub(crate) async fn objects(&self, prefix: &str) -> Vec<Path> {
        let listed: Vec<_> = self.archive.store().list(None).try_collect().await.unwrap();
        let mut paths: Vec<Path> = listed.into_iter().map(|object| object.location).collect();
        paths.retain(|path| path.as_ref().starts_with(prefix));
        paths.sort();
        paths
    }

    pub(crate) fn unlocker(&self) -> Arc<Unlocker> {
        Arc::new(Unlocker::new(self.archive.clone(), vec![self.identity.clone()]))
    }

    /// Verifies all of it, with all keys, an hour later.
    pub(crate) async fn verify(&self) -> Report {
        self.verify_with(Scope::default(), self.unlocker()).await
    }

    pub(crate) async fn verify_with(&self, scope: Scope, unlocker: Arc<Unlocker>) -> Report {
        let mirrors = [Mirror { name: "second place".to_owned(), store: Arc::clone(&self.mirror) }];
        let verification = Verification {
            archive: &self.archive,
            keys: &self.trusted,
            unlocker,
            mirrors: &mirrors,
            witnesses: &[],
            scope,
            parallelism: 2,
            now: Timestamp(NOW.0 + 3_600_000_000),
        };
        verification.run(|_| {}).await.unwrap()
    }
}

pub(crate) fn kinds(report: &Report) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = report.findings.iter().map(|finding| finding.kind).collect();
    kinds.dedup();
    kinds
}

pub(crate) fn commit(table: Table, id: &str, dead_letters: Option<u64>) -> Leaf {
    let (table, id) = (table.name().to_owned(), id.to_owned());
    Leaf::Commit(Commit { table, id, operation: Operation::Append, dead_letters })
}

/// Rows of dead letters of the first partition.
fn letters(letters: &[(i64, &[u8])]) -> RecordBatch {
    let mut topic = StringBuilder::new();
    let mut number = Int32Builder::new();
    let mut offset = Int64Builder::new();
    let mut archived_at = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let mut reason = StringBuilder::new();
    let mut message = StringBuilder::new();
    let mut value = BinaryBuilder::new();
    for (at, bytes) in letters {
        topic.append_value(EVENTS);
        number.append_value(0);
        offset.append_value(*at);
        archived_at.append_value(NOW.0);
        reason.append_value("invalid_json");
        message.append_value("it is not JSON");
        value.append_value(bytes);
    }
    let schema = Table::DeadLetters.schema();
    let null = |column: usize| new_null_array(schema.field(column).data_type(), letters.len());
    let columns: Vec<arrow_array::ArrayRef> = vec![
        Arc::new(topic.finish()),
        Arc::new(number.finish()),
        Arc::new(offset.finish()),
        null(3),
        Arc::new(archived_at.finish()),
        Arc::new(reason.finish()),
        Arc::new(message.finish()),
        null(7),
        null(8),
        Arc::new(value.finish()),
        null(10),
    ];
    RecordBatch::try_new(schema.clone(), columns).unwrap()
}
