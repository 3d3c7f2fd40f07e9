//! Joins the chunks of one recording from several small objects into one.
//!
//! ```text
//! rows with chunks ─▶ by recording ─▶ runs of consecutive chunks ─┬─ in one object ─▶ kept
//!                                                                 └─ in several ─▶ decrypt, check ─▶ one object
//! ```
//!
//! Each chunk is compared with the SHA-256 in its row before it is written again. One that differs is damage, and its
//! group is not sealed: a new attestation over the damaged bytes would hide the damage.
//!
//! A duplicate chunk with the same bytes is written once, and both rows name that place.

use crate::Archive;
use crate::error::ArchiveError;
use crate::keys::{KeyRing, MasterKeyId, Unlocker};
use crate::proof::entry::get;
use crate::recordings::{self, RecordingSpan, TIER, decrypt_object};
use crate::segment::Partition;
use arrow_array::builder::{Int64Builder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, PrimitiveArray, RecordBatch, StringArray};
use holdfast_events::Column;
use holdfast_proof::FileDigest;
use object_store::path::Path;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::sync::Arc;

/// The outcome of joining the recordings of some rows.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// The digests of the new objects, to be attested.
    pub(crate) digests: Vec<FileDigest>,
    /// All objects that the rows name.
    pub(crate) objects: Vec<Path>,
    /// The number of objects that the rows named before.
    pub(crate) before: u64,
    /// Those of them that they name no longer. All rows with chunks of one object are in one file, so no other file
    /// names them either.
    pub(crate) given_up: Vec<String>,
}

/// Joins the recordings that `batches`, all of one class and date, have chunks of, and updates the rows with the new
/// place of each chunk.
///
/// # Errors
/// `Damaged` with the chunk's place when a chunk does not match its row.
pub(crate) async fn join(
    archive: &Archive,
    ring: &KeyRing,
    unlocker: &Unlocker,
    partition: &Partition,
    max_object_bytes: u64,
    batches: &mut [RecordBatch],
) -> Result<Joined, ArchiveError> {
    let mut joined = Joined::default();
    let mut places: HashMap<usize, Vec<Place>> = HashMap::new();
    let mut objects: BTreeSet<String> = BTreeSet::new();
    {
        let rows = ChunkRows::of(batches)?;
        let before: BTreeSet<String> = rows.chunks.iter().map(|chunk| rows.object(chunk).to_owned()).collect();
        joined.before = before.len() as u64;
        if joined.before == 0 {
            return Ok(joined);
        }
        let mut source = Source {
            archive,
            identity: unlocker.master(&MasterKeyId::of(TIER, &partition.class, partition.date)).await?,
            opened: None,
        };
        let master = MasterKeyId::of(TIER, &partition.class, partition.date);
        for recording in rows.chunks.chunk_by(|one, other| rows.name(one) == rows.name(other)) {
            let (session, name) = rows.name(&recording[0]);
            for run in runs(&rows, recording, max_object_bytes) {
                if let Some(object) = run.object(&rows) {
                    objects.insert(object.to_owned());
                    continue;
                }
                let bytes = source.copy(&rows, &run).await?;
                let span = RecordingSpan { session, recording: name, first: run.first, last: run.last };
                // Unique for every object: an attempt that failed may have left an object with the plain name.
                let suffix = uuid::Uuid::now_v7().to_string();
                let object = recordings::put(archive, ring, &master, &span, &bytes, &suffix).await?;
                let path: Arc<str> = object.path.as_ref().into();
                for (chunk, offset) in run.placed(&rows) {
                    let place = Place { row: chunk.row, object: Arc::clone(&path), offset };
                    places.entry(chunk.batch).or_default().push(place);
                }
                objects.insert(path.to_string());
                joined.digests.push(object.digest());
            }
        }
        joined.given_up = before.difference(&objects).cloned().collect();
    }
    for (batch, places) in places {
        batches[batch] = with_places(&batches[batch], places)?;
    }
    joined.objects = objects.iter().map(|object| object_path(object)).collect::<Result<_, _>>()?;
    Ok(joined)
}

/// The objects that `batches` name.
pub(crate) fn objects_of(batches: &[RecordBatch]) -> BTreeSet<String> {
    let columns = batches.iter().filter_map(|batch| batch.column_by_name("object_path")?.as_string_opt::<i32>());
    columns.flat_map(|paths| paths.iter().flatten().map(str::to_owned)).collect()
}

/// The path of an object that a row names.
pub(crate) fn object_path(path: &str) -> Result<Path, ArchiveError> {
    Path::parse(path).map_err(|error| ArchiveError::Damaged {
        what: format!("the path `{path}` of a recording object"),
        why: error.to_string(),
    })
}

/// A row with a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ChunkRow {
    batch: usize,
    row: usize,
}

/// The new place of a row's chunk.
struct Place {
    row: usize,
    object: Arc<str>,
    offset: i64,
}

/// The rows with chunks, in the order of recording, number and content.
struct ChunkRows<'b> {
    columns: Vec<Option<ChunkColumns<'b>>>,
    chunks: Vec<ChunkRow>,
}

struct ChunkColumns<'b> {
    session: &'b StringArray,
    recording: &'b StringArray,
    seq: &'b PrimitiveArray<Int64Type>,
    size: &'b PrimitiveArray<Int64Type>,
    sha256: &'b StringArray,
    object: &'b StringArray,
    offset: &'b PrimitiveArray<Int64Type>,
    topic: &'b StringArray,
    kafka_partition: &'b PrimitiveArray<Int32Type>,
    kafka_offset: &'b PrimitiveArray<Int64Type>,
}

impl<'b> ChunkRows<'b> {
    fn of(batches: &'b [RecordBatch]) -> Result<Self, ArchiveError> {
        let (mut columns, mut chunks) = (Vec::with_capacity(batches.len()), Vec::new());
        for (batch, rows) in batches.iter().enumerate() {
            let own = ChunkColumns::of(rows).filter(|own| own.object.null_count() < own.object.len());
            if let Some(own) = &own {
                for row in (0..rows.num_rows()).filter(|row| own.object.is_valid(*row)) {
                    if !own.is_complete(row) {
                        return Err(ArchiveError::Damaged {
                            what: own.name(row),
                            why: "its row lacks columns that describe a chunk".to_owned(),
                        });
                    }
                    chunks.push(ChunkRow { batch, row });
                }
            }
            columns.push(own);
        }
        let mut rows = Self { columns, chunks: Vec::new() };
        chunks.sort_unstable_by(|one, other| rows.key(one).cmp(&rows.key(other)));
        rows.chunks = chunks;
        Ok(rows)
    }

    fn columns(&self, chunk: &ChunkRow) -> &ChunkColumns<'b> {
        self.columns[chunk.batch].as_ref().expect("a batch with a chunk has the columns of chunks")
    }

    fn name(&self, chunk: &ChunkRow) -> (&'b str, &'b str) {
        let columns = self.columns(chunk);
        (columns.session.value(chunk.row), columns.recording.value(chunk.row))
    }

    fn seq(&self, chunk: &ChunkRow) -> i64 {
        self.columns(chunk).seq.value(chunk.row)
    }

    /// Length and hash. Chunks with equal length and hash are equal.
    fn content(&self, chunk: &ChunkRow) -> (i64, &'b str) {
        let columns = self.columns(chunk);
        (columns.size.value(chunk.row), columns.sha256.value(chunk.row))
    }

    fn object(&self, chunk: &ChunkRow) -> &'b str {
        self.columns(chunk).object.value(chunk.row)
    }

    fn key(&self, chunk: &ChunkRow) -> impl Ord + 'b {
        let columns = self.columns(chunk);
        let (object, offset) = (columns.object.value(chunk.row), columns.offset.value(chunk.row));
        (self.name(chunk), self.seq(chunk), self.content(chunk), object, offset)
    }
}

impl<'b> ChunkColumns<'b> {
    fn of(batch: &'b RecordBatch) -> Option<Self> {
        let text = |column: Column| batch.column(column as usize).as_string_opt::<i32>();
        let number = |column: Column| batch.column(column as usize).as_primitive_opt::<Int64Type>();
        Some(Self {
            session: text(Column::Subject)?,
            recording: text(Column::RecordingId)?,
            seq: number(Column::Seq)?,
            size: number(Column::Size)?,
            sha256: text(Column::Sha256)?,
            object: text(Column::ObjectPath)?,
            offset: number(Column::ObjectOffset)?,
            topic: text(Column::KafkaTopic)?,
            kafka_partition: batch.column(Column::KafkaPartition as usize).as_primitive_opt()?,
            kafka_offset: number(Column::KafkaOffset)?,
        })
    }

    fn is_complete(&self, row: usize) -> bool {
        let (numbers, texts) = ([self.seq, self.size, self.offset], [self.recording, self.sha256]);
        numbers.iter().all(|column| column.is_valid(row))
            && texts.iter().all(|column| column.is_valid(row))
            && self.size.value(row) >= 0
            && self.offset.value(row) >= 0
    }

    /// The chunk's place in Kafka and in the store, for messages.
    fn name(&self, row: usize) -> String {
        format!(
            "the chunk at {} partition {} offset {} in {}",
            self.topic.value(row),
            self.kafka_partition.value(row),
            self.kafka_offset.value(row),
            self.object.value(row)
        )
    }
}

/// Consecutive chunks of one recording.
#[derive(Debug)]
struct Run {
    first: i64,
    last: i64,
    bytes: u64,
    /// The rows of each chunk; several if there are duplicates.
    chunks: Vec<Vec<ChunkRow>>,
}

/// Splits the chunks of one recording, which are in order, into runs of at most `max_bytes`.
fn runs(rows: &ChunkRows<'_>, chunks: &[ChunkRow], max_bytes: u64) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    // The runs that end before a number. Two different chunks of one number begin two parallel runs.
    let mut open: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for same in
        chunks.chunk_by(|one, other| (rows.seq(one), rows.content(one)) == (rows.seq(other), rows.content(other)))
    {
        let (seq, size) = (rows.seq(&same[0]), rows.content(&same[0]).0 as u64);
        let follows = open.get_mut(&seq).and_then(Vec::pop).filter(|run| runs[*run].bytes + size <= max_bytes);
        let run = follows.unwrap_or_else(|| {
            runs.push(Run { first: seq, last: seq, bytes: 0, chunks: Vec::new() });
            runs.len() - 1
        });
        open.entry(seq.saturating_add(1)).or_default().push(run);
        let run = &mut runs[run];
        run.last = seq;
        run.bytes += size;
        run.chunks.push(same.to_vec());
    }
    runs
}

impl Run {
    /// The one object that contains the whole run, if there is one.
    fn object<'b>(&self, rows: &ChunkRows<'b>) -> Option<&'b str> {
        let mut objects = self.chunks.iter().flatten().map(|chunk| rows.object(chunk));
        let first = objects.next()?;
        objects.all(|object| object == first).then_some(first)
    }

    /// Every row with the offset of its chunk in the joined object.
    fn placed<'r>(&'r self, rows: &'r ChunkRows<'_>) -> impl Iterator<Item = (ChunkRow, i64)> + 'r {
        let mut end = 0;
        self.chunks.iter().flat_map(move |same| {
            let offset = end;
            end += rows.content(&same[0]).0;
            same.iter().map(move |chunk| (*chunk, offset))
        })
    }
}

/// The objects that chunks are copied from. A run takes them one after the other, so only one is kept decrypted.
struct Source<'s> {
    archive: &'s Archive,
    identity: age::x25519::Identity,
    opened: Option<(String, Vec<u8>)>,
}

impl Source<'_> {
    /// The bytes of a run, each chunk checked.
    async fn copy(&mut self, rows: &ChunkRows<'_>, run: &Run) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::with_capacity(run.bytes as usize);
        for same in &run.chunks {
            // One of them is copied. The others must match their rows as well, because their objects are swept later.
            for (number, chunk) in same.iter().enumerate() {
                let found = self.chunk(rows, chunk).await?;
                if number == 0 {
                    bytes.extend_from_slice(found);
                }
            }
        }
        Ok(bytes)
    }

    async fn chunk(&mut self, rows: &ChunkRows<'_>, chunk: &ChunkRow) -> Result<&[u8], ArchiveError> {
        let columns = rows.columns(chunk);
        let object = rows.object(chunk);
        let damaged = |why: String| ArchiveError::Damaged { what: columns.name(chunk.row), why };
        if self.opened.as_ref().is_none_or(|(name, _)| name != object) {
            let bytes = get(self.archive.store().as_ref(), &object_path(object)?).await?;
            let bytes = bytes.ok_or_else(|| damaged("its object is missing".to_owned()))?;
            let (name, identity) = (object.to_owned(), self.identity.clone());
            let opening = tokio::task::spawn_blocking(move || decrypt_object(&name, bytes, &identity));
            let plain = opening.await.map_err(|_| damaged("decrypting its object panicked".to_owned()))?;
            self.opened = Some((object.to_owned(), plain.map_err(|error| damaged(error.to_string()))?));
        }
        let (size, sha256) = rows.content(chunk);
        let start = columns.offset.value(chunk.row) as u64;
        let range = start as usize..(start + size as u64) as usize;
        let bytes = self.opened.as_ref().and_then(|(_, plain)| plain.get(range));
        let bytes = bytes.ok_or_else(|| damaged("its object ends before it does".to_owned()))?;
        let found = hexadecimal(&Sha256::digest(bytes));
        if found != sha256 {
            return Err(damaged(format!("its SHA-256 is {found}, and its row has {sha256}")));
        }
        Ok(bytes)
    }
}

/// The batch with the new places of its chunks.
fn with_places(batch: &RecordBatch, places: Vec<Place>) -> Result<RecordBatch, ArchiveError> {
    let failed = |why: &str| ArchiveError::Damaged { what: "a batch of rows".to_owned(), why: why.to_owned() };
    let lacks = || failed("it lacks the columns of chunks");
    let old = ChunkColumns::of(batch).ok_or_else(lacks)?;
    let mut new: Vec<Option<&Place>> = vec![None; batch.num_rows()];
    for place in &places {
        new[place.row] = Some(place);
    }
    let mut objects = StringBuilder::with_capacity(batch.num_rows(), batch.num_rows() * 64);
    let mut offsets = Int64Builder::with_capacity(batch.num_rows());
    for (row, place) in new.into_iter().enumerate() {
        match place {
            Some(place) => {
                objects.append_value(&place.object);
                offsets.append_value(place.offset);
            }
            None => {
                objects.append_option(old.object.is_valid(row).then(|| old.object.value(row)));
                offsets.append_option(old.offset.is_valid(row).then(|| old.offset.value(row)));
            }
        }
    }
    let mut columns = batch.columns().to_vec();
    columns[Column::ObjectPath as usize] = Arc::new(objects.finish());
    columns[Column::ObjectOffset as usize] = Arc::new(offsets.finish());
    RecordBatch::try_new(batch.schema(), columns).map_err(|error| failed(&error.to_string()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
