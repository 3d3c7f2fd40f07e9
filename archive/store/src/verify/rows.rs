//! Records from data files: decrypts and hashes every row, and compares the hashes with the batch of the row.
//!
//! ```text
//! file ─▶ digest of its bytes ─▶ decrypt ─▶ rows ─▶ (batch, offset, hash) ─┐
//! file ─▶ ...                                                              ├─▶ by batch: sort, count, root
//! file ─▶ ...                                                              ┘
//! ```

use super::attested::{AttestedBatch, LiveFile};
use super::report::{Finding, Kind};
use crate::keys::Unlocker;
use crate::proof::record::RecordColumns;
use crate::proof::secrets::Secrets;
use crate::subjects::Subjects;
use crate::table::Table;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use holdfast_events::{COLUMNS, Column};
use holdfast_proof::leaf::GROUP_HEIGHT;
use holdfast_proof::{Digest32, Hash, RecordHasher, Salts, Secret, tree};
use object_store::path::Path;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Findings of one kind that are listed for one file.
const MAX_LISTED: usize = 20;
const BATCH_ROWS: usize = 8192;

/// A batch's first offset, the offset after its last, and its index.
type BatchRange = (i64, i64, usize);

/// The batches by topic and partition, and then by offset, to find the batch of a record.
#[derive(Debug)]
pub(crate) struct BatchIndex<'l> {
    by_partition: HashMap<(&'l str, i32), Vec<BatchRange>>,
}

impl<'l> BatchIndex<'l> {
    pub(crate) fn new(batches: &'l [AttestedBatch]) -> Self {
        let mut by_partition: HashMap<(&str, i32), Vec<BatchRange>> = HashMap::new();
        for (index, AttestedBatch { batch, .. }) in batches.iter().enumerate() {
            let key = (batch.topic.as_str(), batch.partition);
            by_partition.entry(key).or_default().push((batch.first, batch.next, index));
        }
        for list in by_partition.values_mut() {
            list.sort_unstable();
        }
        Self { by_partition }
    }

    fn list(&self, topic: &str, partition: i32) -> &[BatchRange] {
        let mut lists = self.by_partition.iter();
        lists.find(|((known, number), _)| *known == topic && *number == partition).map_or(&[], |(_, list)| list)
    }
}

fn find(list: &[BatchRange], offset: i64) -> Option<usize> {
    let place = list.partition_point(|(first, _, _)| *first <= offset).checked_sub(1)?;
    let (_, next, index) = list[place];
    (offset < next).then_some(index)
}

/// A record that was read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Read {
    pub(crate) batch: u32,
    pub(crate) offset: i64,
    pub(crate) hash: Hash,
}

/// A chunk that a row describes.
#[derive(Debug, Clone)]
pub(crate) struct ChunkRow {
    pub(crate) object: String,
    pub(crate) at: i64,
    pub(crate) size: i64,
    pub(crate) sha256: String,
    pub(crate) event: String,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// The number that a source gave to an event: the extensions `sequence` and `sequencetype` of CloudEvents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NumberedEvent {
    pub(crate) source: String,
    pub(crate) sequence: i64,
}

/// The contents of a file.
#[derive(Debug, Default)]
pub(crate) struct FileRead {
    pub(crate) records: Vec<Read>,
    pub(crate) chunks: Vec<ChunkRow>,
    pub(crate) numbered: Vec<NumberedEvent>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) bytes: u64,
}

/// Compares the bytes of a file with its attested digest.
pub(crate) fn check_digest(file: &LiveFile, path: &Path, bytes: &[u8], findings: &mut Vec<Finding>) {
    let Some(digest) = &file.digest else { return };
    if digest.size != bytes.len() as u64 {
        let finding = Finding::new(Kind::FileChanged, "a data file has another length than when it was written");
        findings.push(finding.file(path).expected(digest.size, bytes.len()));
        return;
    }
    let found = Digest32(Sha256::digest(bytes).into());
    if found != digest.sha256 {
        let finding = Finding::new(Kind::FileChanged, "a data file is not the one that was written");
        findings.push(finding.file(path).expected(digest.sha256, found));
    }
}

/// A data file to be read.
pub(crate) struct FileReader<'f> {
    pub(crate) table: Table,
    pub(crate) file: &'f LiveFile,
    pub(crate) path: &'f Path,
    pub(crate) unlocker: &'f Unlocker,
    /// The batches that its records may belong to.
    pub(crate) index: &'f BatchIndex<'f>,
}

impl FileReader<'_> {
    /// Reads the rows of the file. Decryption authenticates each page together with the file's id, so a file in
    /// another's place is refused here.
    pub(crate) fn read(&self, bytes: Bytes) -> FileRead {
        let mut read = FileRead { bytes: bytes.len() as u64, ..FileRead::default() };
        check_digest(self.file, self.path, &bytes, &mut read.findings);
        if let Err(error) = self.read_rows(bytes, &mut read) {
            let what = format!("a data file cannot be read: {error}");
            read.findings.push(Finding::new(Kind::FileUnreadable, what).file(self.path));
        }
        read
    }

    fn read_rows(&self, bytes: Bytes, read: &mut FileRead) -> Result<(), String> {
        let Self { table, file, path, unlocker, index } = *self;
        let decryption = unlocker.decryption(&file.added.id).map_err(|error| error.to_string())?;
        let options = ArrowReaderOptions::new().with_file_decryption_properties(decryption);
        let builder =
            ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options).map_err(|error| error.to_string())?;
        let subjects = Subjects::in_footer(builder.metadata().file_metadata());
        let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(|error| error.to_string())?;
        let mut hidden = Vec::new();
        let (mut hasher, mut secrets) = (RecordHasher::default(), Secrets::default());
        let mut salts: Vec<(Secret, String, i32, Salts)> = Vec::new();
        let (mut added, mut count) = (Vec::new(), 0u64);
        for batch in reader {
            let batch = batch.map_err(|error| error.to_string())?;
            let lacks = || "it lacks columns of its table".to_owned();
            count += batch.num_rows() as u64;
            if file.predates_log {
                continue;
            }
            let columns = RecordColumns::of(table, &batch).ok_or_else(lacks)?;
            let column = Secrets::column(&batch).ok_or_else(lacks)?;
            let mut last = (usize::MAX, &[][..]);
            let before = read.records.len();
            for row in 0..batch.num_rows() {
                let (topic, partition) = (columns.topic.value(row), columns.partition.value(row));
                let offset = columns.offset.value(row);
                let secret = secrets.next(column, row).unwrap_or(Secret([0; 32]));
                let same = |(known, known_topic, known_partition, _): &(Secret, String, i32, Salts)| {
                    *known == secret && *known_partition == partition && known_topic == topic
                };
                if salts.get(last.0).is_none_or(|known| !same(known)) {
                    let place = salts.iter().position(same);
                    let place = place.unwrap_or_else(|| {
                        salts.push((secret, topic.to_owned(), partition, Salts::new(&secret, topic, partition)));
                        salts.len() - 1
                    });
                    last = (place, index.list(topic, partition));
                }
                let Some(number) = find(last.1, offset) else {
                    added.push((event_id(&batch, row), topic.to_owned(), partition, offset));
                    continue;
                };
                hasher.add(|record| columns.append(row, &mut salts[last.0].3, record));
                read.records.push(Read { batch: number as u32, offset, hash: Hash([0; 32]) });
            }
            for (record, hash) in read.records[before..].iter_mut().zip(hasher.hashes()) {
                record.hash = *hash;
            }
            hasher.clear();
            if table == Table::Events {
                chunks(&batch, &columns, &mut read.chunks);
                numbered_events(&batch, &mut read.numbered);
                hidden.extend(
                    subjects
                        .iter()
                        .flat_map(|subjects| rows_outside(&batch, subjects))
                        .map(|row| event_id(&batch, row)),
                );
            }
        }
        if !hidden.is_empty() {
            let what = format!("a query for their session does not find {} records", hidden.len());
            hidden.truncate(MAX_LISTED);
            read.findings.push(Finding::new(Kind::RecordsHidden, what).file(path).events(hidden));
        }
        if count != file.added.rows {
            let finding = Finding::new(Kind::RecordsMissing, "a data file has another number of rows than the log");
            read.findings.push(finding.file(path).expected(file.added.rows, count));
        }
        let more = added.len().saturating_sub(MAX_LISTED);
        for (event, topic, partition, offset) in added.into_iter().take(MAX_LISTED) {
            let finding = Finding::new(Kind::RecordAdded, "a record that was not attested");
            read.findings.push(finding.file(path).at(&topic, partition, offset, offset + 1).events(vec![event]));
        }
        if more > 0 {
            let what = format!("{more} more records in this file that were not attested");
            read.findings.push(Finding::new(Kind::RecordAdded, what).file(path));
        }
        Ok(())
    }
}

/// The ids of the events of a finding: those whose columns do not follow from their own payload, or all events in the
/// finding's range if there are none.
pub(crate) fn affected_events(file: &LiveFile, bytes: Bytes, unlocker: &Unlocker, finding: &Finding) -> Vec<String> {
    let (Some(topic), Some(partition), Some((first, end))) = (&finding.topic, finding.partition, finding.offsets)
    else {
        return Vec::new();
    };
    let Ok(decryption) = unlocker.decryption(&file.added.id) else { return Vec::new() };
    let options = ArrowReaderOptions::new().with_file_decryption_properties(decryption);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(bytes, options)
        .and_then(|builder| builder.with_batch_size(BATCH_ROWS).build());
    let (mut all, mut inconsistent) = (Vec::new(), Vec::new());
    // A file that cannot be read is a finding of its own.
    for batch in reader.into_iter().flatten().map_while(Result::ok) {
        let Some(columns) = RecordColumns::of(Table::Events, &batch) else { break };
        for row in 0..batch.num_rows() {
            let offset = columns.offset.value(row);
            if !(first..end).contains(&offset)
                || columns.partition.value(row) != partition
                || columns.topic.value(row) != topic
            {
                continue;
            }
            all.push(event_id(&batch, row));
            if holdfast_events::is_consistent(&batch, row) == Some(false) {
                inconsistent.push(event_id(&batch, row));
            }
        }
    }
    if inconsistent.is_empty() { all } else { inconsistent }
}

fn text(batch: &RecordBatch, column: Column) -> Option<&arrow_array::StringArray> {
    batch.column_by_name(COLUMNS[column as usize].name)?.as_string_opt()
}

fn event_id(batch: &RecordBatch, row: usize) -> String {
    text(batch, Column::Id).map(|ids| ids.value(row).to_owned()).unwrap_or_default()
}

/// The rows whose subject is not in `subjects`, or not with their type.
fn rows_outside(batch: &RecordBatch, subjects: &Subjects) -> Vec<usize> {
    let (Some(names), Some(types)) = (text(batch, Column::Subject), text(batch, Column::Type)) else {
        return Vec::new();
    };
    let is_outside =
        |row: &usize| names.is_valid(*row) && !subjects.may_have_type(names.value(*row), types.value(*row));
    (0..batch.num_rows()).filter(is_outside).collect()
}

fn chunks(batch: &RecordBatch, columns: &RecordColumns<'_>, chunks: &mut Vec<ChunkRow>) {
    let number = |column: Column| batch.column_by_name(COLUMNS[column as usize].name)?.as_primitive_opt::<Int64Type>();
    let Some(objects) = text(batch, Column::ObjectPath).filter(|paths| paths.null_count() < paths.len()) else {
        return;
    };
    let (Some(at), Some(sizes), Some(digests)) =
        (number(Column::ObjectOffset), number(Column::Size), text(batch, Column::Sha256))
    else {
        return;
    };
    for row in (0..batch.num_rows()).filter(|row| objects.is_valid(*row)) {
        chunks.push(ChunkRow {
            object: objects.value(row).to_owned(),
            at: at.value(row),
            size: sizes.value(row),
            sha256: digests.value(row).to_owned(),
            event: event_id(batch, row),
            topic: columns.topic.value(row).to_owned(),
            partition: columns.partition.value(row),
            offset: columns.offset.value(row),
        });
    }
}

fn numbered_events(batch: &RecordBatch, numbered: &mut Vec<NumberedEvent>) {
    let (Some(extensions), Some(sources)) = (text(batch, Column::Extensions), text(batch, Column::Source)) else {
        return;
    };
    if extensions.null_count() == extensions.len() {
        return;
    }
    for row in (0..batch.num_rows()).filter(|row| extensions.is_valid(*row)) {
        let json = extensions.value(row);
        if !json.contains("\"sequence\"") {
            continue;
        }
        let Ok(all) = serde_json::from_str::<BTreeMap<String, String>>(json) else { continue };
        let is_integer = all.get("sequencetype").is_some_and(|kind| kind == "Integer");
        if let (true, Some(Ok(sequence))) = (is_integer, all.get("sequence").map(|text| text.parse())) {
            numbered.push(NumberedEvent { source: sources.value(row).to_owned(), sequence });
        }
    }
}

/// Compares the records of a class and date with their batches. Returns the offsets of each batch that were found.
pub(crate) fn check_batches(
    batches: &[AttestedBatch],
    mut records: Vec<(Read, u32)>,
    files: &[Path],
    findings: &mut Vec<Finding>,
) -> Vec<Vec<i64>> {
    records.sort_unstable_by_key(|(read, _)| (read.batch, read.offset));
    let mut offsets = vec![Vec::new(); batches.len()];
    let mut at = 0;
    for (number, AttestedBatch { batch, .. }) in batches.iter().enumerate() {
        let end = at + records[at..].partition_point(|(read, _)| read.batch as usize == number);
        let own = &records[at..end];
        at = end;
        let file_of = |place: u32| files[place as usize].to_string();
        let mut hashes = Vec::with_capacity(own.len());
        let found = &mut offsets[number];
        for (read, file) in own {
            if found.last() == Some(&read.offset) {
                let finding = Finding::new(Kind::RecordRepeated, "a record is stored twice").file(file_of(*file));
                findings.push(finding.at(&batch.topic, batch.partition, read.offset, read.offset + 1));
                continue;
            }
            found.push(read.offset);
            hashes.push(read.hash);
        }
        let in_files = || {
            let mut names: Vec<String> = own.iter().map(|(_, file)| file_of(*file)).collect();
            names.sort_unstable();
            names.dedup();
            names.join(", ")
        };
        let place = |finding: Finding, first, end| match own.is_empty() {
            true => finding.at(&batch.topic, batch.partition, first, end),
            false => finding.file(in_files()).at(&batch.topic, batch.partition, first, end),
        };
        if hashes.len() as u64 != batch.count {
            let what = format!("records of class {} and date {} are missing or too many", batch.class, batch.date);
            let finding = place(Finding::new(Kind::RecordsMissing, what), batch.first, batch.next);
            findings.push(finding.expected(format!("{} records", batch.count), format!("{} records", hashes.len())));
            continue;
        }
        let groups = tree::subtree_roots(hashes, GROUP_HEIGHT);
        let root = tree::root_of_subtrees(&groups);
        if root.0 == batch.root.0 {
            continue;
        }
        let what = "these records are not those that were attested";
        if batch.groups.len() != groups.len() {
            let finding = place(Finding::new(Kind::RecordsChanged, what), batch.first, batch.next);
            findings.push(finding.expected(batch.root, root));
            continue;
        }
        for (group, (attested, made)) in batch.groups.iter().zip(&groups).enumerate() {
            if attested.0 != made.0 {
                let first = found[group << GROUP_HEIGHT];
                let last = found[((group + 1) << GROUP_HEIGHT).min(found.len()) - 1];
                let finding = place(Finding::new(Kind::RecordsChanged, what), first, last + 1);
                findings.push(finding.expected(attested, made));
            }
        }
    }
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subjects::SubjectsBuilder;
    use holdfast_events::{EventBatchBuilder, Position, Timestamp, decode_structured};

    #[test]
    fn rows_whose_subject_the_footer_lacks_are_named() {
        let mut builder = EventBatchBuilder::new();
        for (offset, subject) in ["a", "b", "a", "c"].into_iter().enumerate() {
            let line = format!(
                r#"{{"specversion":"1.0","id":"i","source":"s","type":"t","subject":"{subject}","time":"2026-01-01T00:00:00Z"}}"#
            );
            let position = Position { topic: "t", partition: 0, offset: offset as i64 };
            builder.append(&decode_structured(line.as_bytes()).unwrap(), position, Timestamp(0), false, None);
        }
        let batch = builder.finish();
        let filter = |rows: &[(&str, &str)]| {
            let mut builder = SubjectsBuilder::default();
            builder.add(rows.iter().map(|(subject, event_type)| (Some(*subject), Some(*event_type))));
            builder.subjects().unwrap()
        };
        assert!(rows_outside(&batch, &filter(&[("a", "t"), ("b", "t"), ("c", "t")])).is_empty());
        assert_eq!(rows_outside(&batch, &filter(&[("b", "t"), ("c", "t")])), [0, 2]);
        assert_eq!(rows_outside(&batch, &filter(&[("a", "t"), ("b", "u"), ("c", "t")])), [1]);
        assert_eq!(rows_outside(&batch, &filter(&[])), [0, 1, 2, 3]);
    }
}
