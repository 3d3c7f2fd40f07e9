//! An archive in memory, callers with different keys, and results as text.

use age::x25519::Identity;
use arrow_array::{ArrayRef, BinaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_cast::pretty::pretty_format_batches;
use datafusion::arrow::compute::{concat_batches, sort_to_indices, take_record_batch};
use holdfast_archive::keys::{Holder, KeyRing, Unlocker};
use holdfast_archive::segment::{Partition, SegmentKeys, SegmentWriter};
use holdfast_archive::{Advance, Archive, Change, DataFile, Location, Table, TableLog, read};
use holdfast_events::{EventBatchBuilder, Position, Tier, Timestamp, decode_structured};
use holdfast_query::{FooterCache, QueryError, QueryResult, Session, SessionOptions, shown_batch};
use holdfast_sessions::{Maintainer, MaintainerSettings};
use object_store::memory::InMemory;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// 2026-05-10 and 2026-06-10.
pub(crate) const MAY: i32 = 20_583;
pub(crate) const JUNE: i32 = 20_614;
pub(crate) const TOPIC: &str = "holdfast.events";

pub(crate) struct Fixture {
    pub(crate) archive: Archive,
    pub(crate) footers: Arc<FooterCache>,
    pub(crate) manager: Identity,
    pub(crate) officer: Identity,
    /// May read everything from June on, and only the operational tier before.
    pub(crate) newcomer: Identity,
    events: TableLog,
    next: i64,
    /// The next offset of each partition but the first.
    others: BTreeMap<i32, i64>,
}

/// One CloudEvent. `data` may be null.
pub(crate) fn event(kind: &str, id: &str, subject: &str, time: &str, data: Value) -> Value {
    let mut event = json!({
        "specversion": "1.0", "id": id, "source": "urn:test", "type": kind, "subject": subject, "time": time,
    });
    if !data.is_null() {
        event["data"] = data;
    }
    event
}

impl Fixture {
    pub(crate) fn empty() -> Self {
        let url = url::Url::parse("memory:///").unwrap();
        let archive = Archive::new(Location { url, store: Arc::new(InMemory::new()) });
        Self {
            footers: Arc::new(FooterCache::new(64 << 20)),
            manager: Identity::generate(),
            officer: Identity::generate(),
            newcomer: Identity::generate(),
            events: archive.table(Table::Events),
            archive,
            next: 0,
            others: BTreeMap::new(),
        }
    }

    pub(crate) fn ring(&self, date: i32) -> KeyRing {
        let holder = |name: &str, identity: &Identity, tiers: &[Tier]| Holder {
            name: name.into(),
            recipient: identity.to_public(),
            tiers: tiers.to_vec(),
        };
        let newcomers: &[Tier] = if date >= JUNE - 9 { &Tier::ALL } else { &[Tier::Operational] };
        let holders = vec![
            holder("manager", &self.manager, &[Tier::Operational]),
            holder("compliance", &self.officer, &Tier::ALL),
            holder("newcomer", &self.newcomer, newcomers),
        ];
        KeyRing::new(Arc::clone(self.archive.store()), holders).unwrap()
    }

    /// Archives one file of events.
    pub(crate) async fn write(&mut self, date: i32, events: &[Value]) -> String {
        let first = self.next;
        let mut batch = EventBatchBuilder::new();
        for event in events {
            let bytes = serde_json::to_vec(event).unwrap();
            let event = decode_structured(&bytes).unwrap();
            let position = Position { topic: TOPIC, partition: 0, offset: self.next };
            let arrived = Timestamp(i64::from(date) * 86_400_000_000);
            let implausible = (event.time.0 - arrived.0).abs() > 100 * 86_400_000_000;
            batch.append(&event, position, arrived, implausible, None);
            self.next += 1;
        }
        self.commit(date, batch.finish(), first).await
    }

    /// Archives one file of a finished batch, whose offsets begin at `first`.
    pub(crate) async fn commit(&mut self, date: i32, batch: RecordBatch, first: i64) -> String {
        let id = format!("file-{date}-{first}");
        let partition = Partition { class: "general".to_owned(), date };
        let keys = SegmentKeys::new(&self.ring(date), Table::Events, &partition, id.clone()).await.unwrap();
        let mut writer = SegmentWriter::new(Table::Events, partition, keys).unwrap();
        writer.write(&batch).unwrap();
        let segment = writer.finish().unwrap();
        self.events.put(&segment).await.unwrap();
        self.next = first + batch.num_rows() as i64;
        let advance =
            Advance { topic: TOPIC.to_owned(), partition: 0, expected: (first > 0).then_some(first), next: self.next };
        self.events.commit(&[segment], &[advance], &id, Timestamp(0)).await.unwrap();
        id
    }

    /// Archives one file of events of a partition other than the first.
    pub(crate) async fn write_to(&mut self, kafka_partition: i32, date: i32, events: &[Value]) {
        let first = self.others.get(&kafka_partition).copied();
        let mut next = first.unwrap_or_default();
        let mut batch = EventBatchBuilder::new();
        for event in events {
            let bytes = serde_json::to_vec(event).unwrap();
            let position = Position { topic: TOPIC, partition: kafka_partition, offset: next };
            let arrived = Timestamp(i64::from(date) * 86_400_000_000);
            batch.append(&decode_structured(&bytes).unwrap(), position, arrived, false, None);
            next += 1;
        }
        let id = format!("file-{date}-{kafka_partition}-{next}");
        let partition = Partition { class: "general".to_owned(), date };
        let keys = SegmentKeys::new(&self.ring(date), Table::Events, &partition, id.clone()).await.unwrap();
        let mut writer = SegmentWriter::new(Table::Events, partition, keys).unwrap();
        writer.write(&batch.finish()).unwrap();
        let segment = writer.finish().unwrap();
        self.events.put(&segment).await.unwrap();
        let advance = Advance { topic: TOPIC.to_owned(), partition: kafka_partition, expected: first, next };
        self.events.commit(&[segment], &[advance], &id, Timestamp(0)).await.unwrap();
        self.others.insert(kafka_partition, next);
    }

    /// Replaces all files of a date by one sorted file, as sealing does.
    pub(crate) async fn seal(&self, date: i32) {
        let snapshot = self.events.snapshot().await.unwrap();
        let removed: Vec<DataFile> =
            snapshot.files.iter().filter(|file| file.date == date && !read::is_sealed(file)).cloned().collect();
        if removed.is_empty() {
            return;
        }
        let unlocker = Unlocker::new(self.archive.clone(), vec![self.officer.clone()]);
        unlocker.prepare(&removed).await.unwrap();
        let schema = Table::Events.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mut batches = Vec::new();
        for file in &removed {
            for batch in read::columns(&self.archive, &unlocker, file, &names).await.unwrap() {
                batches.push(RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec()).unwrap());
            }
        }
        let rows = concat_batches(&schema, &batches).unwrap();
        let order = sort_to_indices(rows.column(3), None, None).unwrap();
        let id = read::sealed_id(&format!("{date}-{}", snapshot.version.unwrap()));
        let partition = Partition { class: "general".to_owned(), date };
        let keys = SegmentKeys::new(&self.ring(date), Table::Events, &partition, id.clone()).await.unwrap();
        let mut writer = SegmentWriter::sealed(Table::Events, partition, keys).unwrap();
        writer.write(&take_record_batch(&rows, &order).unwrap()).unwrap();
        let segment = writer.finish().unwrap();
        self.events.put(&segment).await.unwrap();
        let change =
            Change { segments: &[segment], removed: &removed, advances: &[], commit_id: &id, attestation: None };
        self.events.change(&change, Timestamp(0)).await.unwrap();
    }

    /// Maintains the table of sessions.
    pub(crate) fn maintainer(&self, settings: MaintainerSettings) -> Maintainer {
        let unlocker = Unlocker::new(self.archive.clone(), vec![self.officer.clone()]);
        // Time is what each call says.
        Maintainer::new(self.archive.clone(), Arc::new(unlocker), Arc::new(self.ring(MAY)), settings)
            .with_clock(Arc::new(|| Timestamp(0)))
    }

    /// Archives one dead letter in May.
    pub(crate) async fn write_dead_letter(&self, reason: &str, value: &[u8]) {
        let time = || TimestampMicrosecondArray::from(vec![i64::from(MAY) * 86_400_000_000]).with_timezone("UTC");
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![TOPIC])),
            Arc::new(Int32Array::from(vec![0])),
            Arc::new(Int64Array::from(vec![7])),
            Arc::new(time()),
            Arc::new(time()),
            Arc::new(StringArray::from(vec![reason])),
            Arc::new(StringArray::from(vec!["it is not JSON"])),
            Arc::new(BinaryArray::from(vec![None])),
            Arc::new(StringArray::from(vec![None::<&str>])),
            Arc::new(BinaryArray::from(vec![Some(value)])),
            Arc::new(BinaryArray::from(vec![None])),
        ];
        let batch = RecordBatch::try_new(Table::DeadLetters.schema(), columns).unwrap();
        let partition = Partition { class: "general".to_owned(), date: MAY };
        let ring = self.ring(MAY);
        let keys = SegmentKeys::new(&ring, Table::DeadLetters, &partition, "dead-1".to_owned()).await.unwrap();
        let mut writer = SegmentWriter::new(Table::DeadLetters, partition, keys).unwrap();
        writer.write(&batch).unwrap();
        let segment = writer.finish().unwrap();
        let log = self.archive.table(Table::DeadLetters);
        log.put(&segment).await.unwrap();
        log.commit(&[segment], &[], "dead-1", Timestamp(0)).await.unwrap();
    }

    pub(crate) fn options(&self, identities: &[&Identity]) -> SessionOptions {
        let identities = identities.iter().map(|identity| (*identity).clone()).collect();
        let mut options = SessionOptions::new(self.archive.clone(), identities);
        options.footers = Arc::clone(&self.footers);
        options.parallelism = 2;
        options
    }

    pub(crate) fn session(&self, identities: &[&Identity]) -> Session {
        Session::new(self.options(identities)).unwrap()
    }

    pub(crate) fn as_manager(&self) -> Session {
        self.session(&[&self.manager])
    }

    pub(crate) fn as_officer(&self) -> Session {
        self.session(&[&self.officer])
    }

    pub(crate) fn as_newcomer(&self) -> Session {
        self.session(&[&self.newcomer])
    }
}

/// A statement's rows, cells joined by `|`, and its notices.
pub(crate) async fn rows_and_notices(session: &Session, sql: &str) -> (Vec<String>, Vec<String>) {
    let result = session.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let notices = result.notices.iter().map(ToString::to_string).collect();
    (lines(result).await.unwrap_or_else(|error| panic!("{sql}: {error}")), notices)
}

/// A statement's rows, cells joined by `|`.
pub(crate) async fn rows(session: &Session, sql: &str) -> Vec<String> {
    rows_and_notices(session, sql).await.0
}

/// The error of a statement, from its planning or from its rows.
pub(crate) async fn error(session: &Session, sql: &str) -> QueryError {
    match session.sql(sql).await {
        Err(error) => error,
        Ok(result) => lines(result).await.expect_err(sql),
    }
}

pub(crate) async fn lines(result: QueryResult) -> Result<Vec<String>, QueryError> {
    let batches: Vec<RecordBatch> = result.collect().await?.iter().map(|batch| shown_batch(batch).unwrap()).collect();
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(1);
    Ok(rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join("|")).collect())
}
