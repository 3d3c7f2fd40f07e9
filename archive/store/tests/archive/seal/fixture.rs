//! A small archive that is written as an archiver writes it, and what a reader reads from it.

use arrow_array::builder::{BinaryBuilder, Int32Builder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, BinaryArray, RecordBatch};
use arrow_row::{RowConverter, SortField};
use bytes::Bytes;
use holdfast_archive::keys::{Holder, KeyRing, MasterKeyId, Unlocker};
use holdfast_archive::proof::{Attestation, BatchTrees, IntegrateSettings, Integrator, file_digests};
use holdfast_archive::recordings::{self, ChunkLocation, RecordingSpan};
use holdfast_archive::seal::{Progress, SealSettings, Sealed, Sealer, Sweeper, Swept};
use holdfast_archive::segment::{Partition, SegmentKeys, SegmentWriter};
use holdfast_archive::verify::{Report, Scope, Verification};
use holdfast_archive::{Advance, Archive, ArchiveError, Change, DataFile, Location, Table, paths};
use holdfast_events::{
    ChunkPlace, Decoder, EventBatchBuilder, Position, Tier, Timestamp, decode_binary, decode_structured,
};
use holdfast_proof::note::{SigningKey, TrustedKeys, generate};
use holdfast_proof::{Commit, FileDigest, Files, Leaf, Operation, Secret, Span};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// When everything is archived, sealed and swept, unless a test says otherwise: long after all dates.
pub(crate) const NOW: Timestamp = Timestamp(1_795_000_000_000_000);
/// The first date of events.
pub(crate) const DATE: i32 = 20_600;
pub(crate) const CLASS: &str = "general";
const TOPIC: &str = "holdfast.events";
const RECORDINGS: &str = "holdfast.recordings";

/// Topic and partition, and the next offset.
type Offsets = BTreeMap<(String, i32), i64>;

pub(crate) struct Fixture {
    pub(crate) archive: Archive,
    pub(crate) ring: Arc<KeyRing>,
    pub(crate) officer: age::x25519::Identity,
    pub(crate) manager: age::x25519::Identity,
    pub(crate) key: Arc<SigningKey>,
    trusted: TrustedKeys,
    offsets: Mutex<Offsets>,
    secrets: Mutex<BTreeMap<Partition, Secret>>,
    integrator: tokio::sync::Mutex<Integrator>,
}

/// Filing date, session, recording, and its chunks from this number on.
pub(crate) type Pieces = (i32, &'static str, &'static str, i64, Vec<Vec<u8>>);

/// The contents of one commit.
#[derive(Default, Clone)]
pub(crate) struct Unit {
    /// Kafka partition, filing date, the event in structured JSON.
    pub(crate) events: Vec<(i32, i32, String)>,
    /// Each becomes one object.
    pub(crate) chunks: Vec<Pieces>,
    /// Filing date and message.
    pub(crate) dead_letters: Vec<(i32, &'static [u8])>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(InMemory::new()))
    }

    pub(crate) fn over(store: Arc<dyn ObjectStore>) -> Self {
        let archive = Archive::new(Location { url: url::Url::parse("memory:///").unwrap(), store });
        let (manager, officer) = (age::x25519::Identity::generate(), age::x25519::Identity::generate());
        let holders = vec![
            Holder { name: "manager".into(), recipient: manager.to_public(), tiers: vec![Tier::Operational] },
            Holder { name: "compliance".into(), recipient: officer.to_public(), tiers: Tier::ALL.to_vec() },
        ];
        let ring = Arc::new(KeyRing::new(Arc::clone(archive.store()), holders).unwrap());
        let pair = generate("holdfast.test/log", [7; 32]).unwrap();
        let key = Arc::new(SigningKey::parse(&pair.private_key).unwrap());
        let trusted = TrustedKeys::parse(&pair.verifier_key).unwrap();
        let settings = IntegrateSettings {
            holder: "test".to_owned(),
            lease: Duration::from_secs(60),
            keep_every: Duration::from_secs(3600),
        };
        let (signer, keys) = (Arc::clone(&key), trusted.clone());
        let integrator = Integrator::new(archive.clone(), settings, signer, keys, Vec::new(), Vec::new());
        Self {
            archive,
            ring,
            officer,
            manager,
            key,
            trusted,
            offsets: Mutex::default(),
            secrets: Mutex::default(),
            integrator: tokio::sync::Mutex::new(integrator),
        }
    }

    /// The same archive through another store.
    pub(crate) fn through(&self, store: Arc<dyn ObjectStore>) -> Archive {
        Archive::new(Location { url: self.archive.url().clone(), store })
    }

    pub(crate) fn unlocker(&self) -> Arc<Unlocker> {
        Arc::new(Unlocker::new(self.archive.clone(), vec![self.officer.clone()]))
    }

    pub(crate) fn sealer(&self) -> Sealer {
        self.sealer_of(self.archive.clone())
    }

    pub(crate) fn sealer_of(&self, archive: Archive) -> Sealer {
        let (ring, key) = (Arc::clone(&self.ring), Arc::clone(&self.key));
        let unlocker = Arc::new(Unlocker::new(archive.clone(), vec![self.officer.clone()]));
        Sealer { archive, ring, unlocker, key, settings: SealSettings::default(), lock: None }
    }

    pub(crate) async fn seal(&self) -> Sealed {
        seal(&self.sealer()).await.unwrap()
    }

    pub(crate) async fn sweep_later(&self) -> Swept {
        let mut sweeper = Sweeper::new(self.archive.clone(), self.unlocker(), Duration::from_secs(60));
        sweeper.sweep(later(120)).await.unwrap()
    }

    fn secret(&self, partition: &Partition) -> Secret {
        let mut secrets = self.secrets.lock().unwrap();
        let next = secrets.len() as u8 + 1;
        *secrets.entry(partition.clone()).or_insert(Secret([next; 32]))
    }

    /// Archives a unit, with one file for each date.
    pub(crate) async fn append(&self, unit: Unit) {
        self.append_dead_letters(&unit).await;
        let mut offsets = self.offsets.lock().unwrap().clone();
        let before = offsets.clone();
        let mut next = |topic: &str, partition| {
            let offset = offsets.entry((topic.to_owned(), partition)).or_default();
            *offset += 1;
            *offset - 1
        };
        let mut builders: BTreeMap<i32, EventBatchBuilder> = BTreeMap::new();
        for (partition, date, line) in &unit.events {
            let position = Position { topic: TOPIC, partition: *partition, offset: next(TOPIC, *partition) };
            let event = decode_structured(line.as_bytes()).unwrap();
            builders.entry(*date).or_default().append(&event, position, NOW, false, None);
        }
        let mut objects = Vec::new();
        for (date, session, recording, first, chunks) in &unit.chunks {
            let master = MasterKeyId::of(recordings::TIER, CLASS, *date);
            let last = first + chunks.len() as i64 - 1;
            let span = RecordingSpan { session, recording, first: *first, last };
            let distinction = uuid::Uuid::now_v7().to_string();
            let bytes = chunks.concat();
            let object =
                recordings::put(&self.archive, &self.ring, &master, &span, &bytes, &distinction).await.unwrap();
            let mut at = 0;
            for (number, bytes) in chunks.iter().enumerate() {
                let position = Position { topic: RECORDINGS, partition: 0, offset: next(RECORDINGS, 0) };
                let event = chunk(session, recording, first + number as i64, bytes, *date);
                let place = ChunkPlace { path: object.path.as_ref(), offset: at };
                let event = event.describing_chunk(&mut Decoder::default()).unwrap();
                builders.entry(*date).or_default().append(&event, position, NOW, false, Some(place));
                at += bytes.len() as i64;
            }
            objects.push(object.digest());
        }
        let advances: Vec<Advance> = offsets
            .iter()
            .filter(|(key, next)| before.get(key) != Some(next))
            .map(|(key, next)| Advance {
                topic: key.0.clone(),
                partition: key.1,
                expected: before.get(key).copied(),
                next: *next,
            })
            .collect();
        let batches: Vec<(i32, RecordBatch)> =
            builders.into_iter().map(|(date, mut builder)| (date, builder.finish())).collect();
        self.commit(Table::Events, batches, objects, &advances).await;
        *self.offsets.lock().unwrap() = offsets;
    }

    async fn append_dead_letters(&self, unit: &Unit) {
        if unit.dead_letters.is_empty() {
            return;
        }
        let key = ("dead".to_owned(), 0);
        let before = self.offsets.lock().unwrap().get(&key).copied();
        let mut batches: BTreeMap<i32, Vec<(i64, &[u8])>> = BTreeMap::new();
        let mut next = before.unwrap_or(0);
        for (date, value) in &unit.dead_letters {
            batches.entry(*date).or_default().push((next, value));
            next += 1;
        }
        let batches = batches.into_iter().map(|(date, rows)| (date, dead_letters(&rows))).collect();
        let advance = Advance { topic: key.0.clone(), partition: 0, expected: before, next };
        self.commit(Table::DeadLetters, batches, Vec::new(), std::slice::from_ref(&advance)).await;
        // The log of events advances over these offsets as well.
        self.commit(Table::Events, Vec::new(), Vec::new(), &[advance]).await;
        self.offsets.lock().unwrap().insert(key, next);
    }

    pub(crate) async fn commit(
        &self,
        table: Table,
        batches: Vec<(i32, RecordBatch)>,
        objects: Vec<FileDigest>,
        advances: &[Advance],
    ) {
        let dead_letters = match table {
            Table::Events => self.archive.table(Table::DeadLetters).version().await.unwrap(),
            Table::DeadLetters | Table::Sessions => None,
        };
        self.commit_naming(dead_letters, table, batches, objects, advances).await;
    }

    /// A commit whose entry names the dead letters up to this version.
    pub(crate) async fn commit_naming(
        &self,
        dead_letters: Option<u64>,
        table: Table,
        batches: Vec<(i32, RecordBatch)>,
        objects: Vec<FileDigest>,
        advances: &[Advance],
    ) {
        let log = self.archive.table(table);
        let mut trees = BatchTrees::new(table);
        let mut segments = Vec::new();
        for (date, batch) in batches {
            let partition = Partition { class: CLASS.to_owned(), date };
            let rows = trees.add(&partition, &batch, &self.secret(&partition)).unwrap();
            let id = uuid::Uuid::now_v7().to_string();
            let keys = SegmentKeys::new(&self.ring, table, &partition, id).await.unwrap();
            let mut writer = SegmentWriter::new(table, partition, keys).unwrap();
            writer.write(&rows).unwrap();
            let segment = writer.finish().unwrap();
            log.put(&segment).await.unwrap();
            segments.push(segment);
        }
        let id = uuid::Uuid::now_v7().to_string();
        let name = table.name().to_owned();
        let mut leaves =
            vec![Leaf::Commit(Commit { table: name, id: id.clone(), operation: Operation::Append, dead_letters })];
        leaves.extend(Files { add: file_digests(&segments), remove: Vec::new(), objects }.into_leaves());
        if table == Table::Events {
            leaves.extend(advances.iter().map(|advance| {
                Leaf::Span(Span {
                    cluster: None,
                    topic: advance.topic.clone(),
                    partition: advance.partition,
                    from: advance.expected,
                    next: advance.next,
                    skipped: Vec::new(),
                })
            }));
        }
        leaves.extend(trees.finish());
        let attestation = Attestation::sign(&self.key, &leaves).unwrap();
        let change =
            Change { segments: &segments, removed: &[], advances, commit_id: &id, attestation: Some(&attestation) };
        log.change(&change, NOW).await.unwrap();
    }

    /// Integrates what is committed and verifies everything.
    pub(crate) async fn verify(&self) -> Report {
        self.verify_with(self.unlocker()).await
    }

    /// The same with other keys.
    pub(crate) async fn verify_with(&self, unlocker: Arc<Unlocker>) -> Report {
        self.verify_through(&self.archive, unlocker).await.unwrap()
    }

    /// The same of an archive that reads from the same store.
    pub(crate) async fn verify_through(
        &self,
        archive: &Archive,
        unlocker: Arc<Unlocker>,
    ) -> Result<Report, ArchiveError> {
        self.integrator.lock().await.finish(NOW).await.unwrap();
        let verification = Verification {
            archive,
            keys: &self.trusted,
            unlocker,
            mirrors: &[],
            witnesses: &[],
            scope: Scope::default(),
            parallelism: 2,
            now: NOW,
        };
        verification.run(|_| ()).await
    }

    #[track_caller]
    pub(crate) fn is_intact(report: &Report) {
        assert!(report.intact, "{:#?}", report.findings);
        assert!(report.not_checked.is_empty(), "{:?}", report.not_checked);
    }

    pub(crate) async fn files(&self, table: Table) -> Vec<DataFile> {
        self.archive.table(table).snapshot().await.unwrap().files.to_vec()
    }

    /// All rows of the table as comparable bytes, with the content of every chunk instead of its place.
    pub(crate) async fn rows(&self, table: Table) -> Vec<Vec<u8>> {
        self.rows_of(table, &self.files(table).await).await
    }

    pub(crate) async fn rows_of(&self, table: Table, files: &[DataFile]) -> Vec<Vec<u8>> {
        let mut rows = Vec::new();
        for file in files {
            for batch in self.batches(file).await {
                rows.extend(self.comparable(table, file, &batch).await);
            }
        }
        rows.sort();
        rows
    }

    /// The rows of a file, with the secret in every row.
    pub(crate) async fn batches(&self, file: &DataFile) -> Vec<RecordBatch> {
        let unlocker = self.unlocker();
        unlocker.prepare(std::slice::from_ref(file)).await.unwrap();
        let bytes = self.archive.store().get(&file.path).await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes.len() as u64, file.size);
        let options = ArrowReaderOptions::new().with_file_decryption_properties(unlocker.decryption(&file.id).unwrap());
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).unwrap();
        let mut secret: Option<Vec<u8>> = None;
        let with_secrets = |batch: RecordBatch| {
            let last = batch.num_columns() - 1;
            let mut columns = batch.columns().to_vec();
            let spread: BinaryArray = columns[last]
                .as_binary::<i32>()
                .iter()
                .map(|own| {
                    secret = own.map(<[u8]>::to_vec).or(secret.take());
                    secret.clone()
                })
                .collect();
            columns[last] = Arc::new(spread);
            RecordBatch::try_new(batch.schema(), columns).unwrap()
        };
        reader.build().unwrap().map(Result::unwrap).map(with_secrets).collect()
    }

    async fn comparable(&self, table: Table, file: &DataFile, batch: &RecordBatch) -> Vec<Vec<u8>> {
        let hidden = ["object_path", "object_offset"];
        let schema = table.schema();
        assert_eq!(batch.num_columns(), schema.fields().len());
        let shown: Vec<usize> =
            (0..batch.num_columns()).filter(|index| !hidden.contains(&schema.field(*index).name().as_str())).collect();
        let fields = shown.iter().map(|index| SortField::new(batch.column(*index).data_type().clone())).collect();
        let columns: Vec<ArrayRef> = shown.iter().map(|index| Arc::clone(batch.column(*index))).collect();
        let converted = RowConverter::new(fields).unwrap().convert_columns(&columns).unwrap();
        let mut rows: Vec<Vec<u8>> = converted.iter().map(|row| row.as_ref().to_vec()).collect();
        let Some(paths) = batch.column_by_name("object_path") else { return rows };
        let paths = paths.as_string::<i32>();
        let number = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int64Type>();
        let (offsets, sizes) = (number("object_offset"), number("size"));
        let unlocker = self.unlocker();
        for row in (0..batch.num_rows()).filter(|row| paths.is_valid(*row)) {
            let (offset, size) = (offsets.value(row) as u64, sizes.value(row) as u64);
            let (class, path) = (file.class.as_str(), paths.value(row));
            let location = ChunkLocation { class, date: file.date, path, offset, length: size };
            let chunk = recordings::read_chunk(&self.archive, &unlocker, &location).await;
            rows[row].extend_from_slice(&chunk.unwrap());
        }
        rows
    }

    /// The objects that live rows of events name.
    pub(crate) async fn objects(&self) -> BTreeSet<String> {
        let mut objects = BTreeSet::new();
        for file in self.files(Table::Events).await {
            for batch in self.batches(&file).await {
                let paths = batch.column_by_name("object_path").unwrap().as_string::<i32>();
                objects.extend(paths.iter().flatten().map(str::to_owned));
            }
        }
        objects
    }

    /// The names below `prefix` in the store.
    pub(crate) async fn names(&self, prefix: &str) -> BTreeSet<String> {
        use futures::TryStreamExt;
        let prefix = prefix.into();
        let listed: Vec<_> = self.archive.store().list(Some(&prefix)).try_collect().await.unwrap();
        let names = listed.into_iter().map(|object| object.location.to_string());
        names.filter(|name| !name.contains("_delta_log")).collect()
    }

    /// Asserts that the store has exactly the live files and objects.
    pub(crate) async fn has_no_waste(&self) {
        let live = |files: Vec<DataFile>| files.into_iter().map(|file| file.path.to_string()).collect::<BTreeSet<_>>();
        for table in [Table::Events, Table::DeadLetters] {
            assert_eq!(self.names(paths::table(table).as_ref()).await, live(self.files(table).await));
        }
        assert_eq!(self.names("recordings").await, self.objects().await);
    }
}

pub(crate) async fn seal(sealer: &Sealer) -> Result<Sealed, ArchiveError> {
    let (total, done) = (Mutex::new(0), Mutex::new(0));
    let sealed = sealer
        .seal(NOW, false, |progress| match progress {
            Progress::Rows(rows) => *total.lock().unwrap() += rows,
            Progress::Done(rows) => *done.lock().unwrap() += rows,
        })
        .await?;
    assert_eq!(*total.lock().unwrap(), *done.lock().unwrap());
    Ok(sealed)
}

/// This many seconds after [`NOW`].
pub(crate) fn later(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds * 1_000_000)
}

/// A chat line of a date's noon.
pub(crate) fn line(session: &str, seq: i64, date: i32, text: &str) -> String {
    let time = Timestamp(0).plus_days(date.into()).0 + 43_200_000_000 + seq * 1_000_000;
    let time = Timestamp(time);
    serde_json::json!({
        "specversion": "1.0", "id": format!("{session}/{seq}"), "source": "urn:chat", "type": "chat.line",
        "subject": session, "time": time.to_string(), "agent": "a-7", "externalkey": "e",
        "data": { "seq": seq, "sender": "agent", "visibility": "all", "text": text },
    })
    .to_string()
}

fn chunk(session: &str, recording: &str, seq: i64, bytes: &[u8], date: i32) -> holdfast_events::Event<'static> {
    let time = Timestamp(Timestamp(0).plus_days(date.into()).0 + 50_000_000_000 + seq * 1_000_000).to_string();
    let attributes = [
        ("specversion", "1.0".to_owned()),
        ("id", format!("{session}/{recording}/{seq}")),
        ("source", "urn:recorder".to_owned()),
        ("type", "recording.chunk".to_owned()),
        ("subject", session.to_owned()),
        ("time", time),
        ("recordingid", recording.to_owned()),
        ("seq", seq.to_string()),
        ("firstms", (seq * 1_000).to_string()),
        ("lastms", (seq * 1_000 + 999).to_string()),
    ];
    let attributes = attributes.iter().map(|(name, value)| (*name, value.as_bytes()));
    decode_binary(attributes, Some("video/webm"), bytes).unwrap().into_owned()
}

fn dead_letters(rows: &[(i64, &[u8])]) -> RecordBatch {
    let (mut topic, mut reason, mut message) = (StringBuilder::new(), StringBuilder::new(), StringBuilder::new());
    let (mut partition, mut offset) = (Int32Builder::new(), Int64Builder::new());
    let time = || TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let (mut kafka_time, mut archived_at) = (time(), time());
    let (mut key, mut value, mut secret) = (BinaryBuilder::new(), BinaryBuilder::new(), BinaryBuilder::new());
    let mut headers = StringBuilder::new();
    for (number, bytes) in rows {
        topic.append_value("dead");
        partition.append_value(0);
        offset.append_value(*number);
        kafka_time.append_option((number % 2 == 0).then_some(5));
        archived_at.append_value(NOW.0);
        reason.append_value("invalid_json");
        message.append_value("it is not JSON");
        key.append_option((number % 3 == 0).then_some(b"key"));
        headers.append_null();
        value.append_value(bytes);
        secret.append_null();
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(topic.finish()),
        Arc::new(partition.finish()),
        Arc::new(offset.finish()),
        Arc::new(kafka_time.finish()),
        Arc::new(archived_at.finish()),
        Arc::new(reason.finish()),
        Arc::new(message.finish()),
        Arc::new(key.finish()),
        Arc::new(headers.finish()),
        Arc::new(value.finish()),
        Arc::new(secret.finish()),
    ];
    RecordBatch::try_new(Table::DeadLetters.schema(), columns).unwrap()
}

/// Bytes of a chunk, different for every number.
pub(crate) fn media(number: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| number ^ (at % 251) as u8).collect()
}

/// Replaces the bytes of an object, encrypted to the same master key: a change that decrypts.
pub(crate) async fn exchange_object(fixture: &Fixture, path: &str, date: i32, bytes: &[u8]) {
    let master = MasterKeyId::of(recordings::TIER, CLASS, date);
    let recipient = fixture.ring.recipient(&master).await.unwrap();
    let object = age::encrypt(&recipient, bytes).unwrap();
    fixture.archive.store().put(&path.into(), Bytes::from(object).into()).await.unwrap();
}

/// SHA-256 of every object in the store.
pub(crate) async fn fingerprint(fixture: &Fixture) -> BTreeMap<String, [u8; 32]> {
    use futures::TryStreamExt;
    let listed: Vec<_> = fixture.archive.store().list(None).try_collect().await.unwrap();
    let mut fingerprint = BTreeMap::new();
    for object in listed {
        let bytes = fixture.archive.store().get(&object.location).await.unwrap().bytes().await.unwrap();
        fingerprint.insert(object.location.to_string(), Sha256::digest(&bytes).into());
    }
    fingerprint
}

/// Two dates, two partitions, recordings in pieces, dead letters, in several commits.
pub(crate) async fn filled(fixture: &Fixture) {
    for round in 0..4i64 {
        let mut unit = Unit::default();
        for number in 0..30 {
            let seq = round * 30 + number;
            let date = DATE + (number % 2) as i32;
            let session = ["s-b", "s-a", "s-c"][(number % 3) as usize];
            let text = format!("line {seq} {}", "ü".repeat((seq % 7) as usize));
            unit.events.push(((seq % 2) as i32, date, line(session, seq, date, &text)));
        }
        unit.events.push((0, DATE, r#"{"specversion":"1.0","id":"none","source":"s","type":"unknown.kind","subject":"s-a","time":"2026-05-27T00:00:00Z"}"#.to_owned()));
        let pieces = (0..3).map(|number| media((round * 3 + number) as u8, 100_000 + number as usize)).collect();
        unit.chunks.push((DATE, "s-a", "r-1", round * 3, pieces));
        if round == 0 {
            unit.chunks.push((DATE + 1, "s-b", "whole", 0, vec![media(77, 10), media(78, 70_000)]));
        }
        unit.dead_letters.push((DATE, b"{"));
        unit.dead_letters.push((DATE + 1, b"\xff\x00"));
        fixture.append(unit).await;
    }
}
