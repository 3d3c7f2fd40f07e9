//! A data file: Parquet, every column encrypted with its tier's key, the footer with the operational key.
//!
//! Each file has its own id, which is its name and its AAD prefix. Everything decrypted from the file is authenticated
//! together with that id, so a file in another's place is refused.
//!
//! Parquet's bloom filters are off, because parquet 59 writes those of encrypted columns in plain text. The footer has
//! filters of the subjects instead ([`crate::subjects`]).

use crate::error::ArchiveError;
use crate::keys::{KeyRing, MasterKeyId};
use crate::subjects::SubjectsBuilder;
use crate::table::Table;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use bytes::Bytes;
use holdfast_events::{Tier, Timestamp};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::encryption::encrypt::FileEncryptionProperties;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use std::sync::Arc;

/// Rows in a row group. A row group is a reader's unit of pruning and of memory.
const ROW_GROUP_ROWS: usize = 256 * 1024;
/// Rows in a row group of a sealed file, whose rows are sorted: smaller groups let a query prune more.
const SEALED_ROW_GROUP_ROWS: usize = 128 * 1024;
/// Rows in a page of a sealed file. A page is a reader's unit of pruning inside a row group.
const SEALED_PAGE_ROWS: usize = 16 * 1024;
/// Bytes in a page of the texts of [`LARGE_OPERATIONAL`] in a sealed file, about. Few rows have a large text, and a query that
/// wants some of these reads their pages only.
const SEALED_LARGE_PAGE_BYTES: usize = 64 * 1024;
/// The operational column that may have large texts: what devices report is in it.
const LARGE_OPERATIONAL: &str = "operational";
/// The compression level of sealed files, which are written once and kept for years.
const SEALED_ZSTD_LEVEL: i32 = 3;
/// Operational columns that queries filter by: a sealed file has statistics of each of their pages.
const FILTER_COLUMNS: [&str; 11] = [
    "subject",
    "session",
    "time",
    "first_time",
    "requested_at",
    "type",
    "agent",
    "ticket",
    "customer",
    "portal",
    "kafka_offset",
];

/// The partition that a data file belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The retention class.
    pub class: String,
    /// The filing date, in days since 1970-01-01.
    pub date: i32,
}

/// The data keys of one data file.
#[derive(Debug, Clone)]
pub struct SegmentKeys {
    id: String,
    encryption: Option<Arc<FileEncryptionProperties>>,
}

impl SegmentKeys {
    /// Fresh data keys for a new file of `table` with the id `id`.
    pub async fn new(ring: &KeyRing, table: Table, partition: &Partition, id: String) -> Result<Self, ArchiveError> {
        let mut keys = Vec::with_capacity(Tier::ALL.len());
        for tier in Tier::ALL {
            let master = MasterKeyId::of(tier, &partition.class, partition.date);
            keys.push((tier, ring.data_key(&master).await?));
        }
        let key_of = |tier| &keys.iter().find(|(known, _)| *known == tier).expect("every tier has a key").1;
        let (footer, material) = key_of(Tier::Operational);
        let mut encryption = FileEncryptionProperties::builder(footer.to_vec())
            .with_footer_key_metadata(material.to_json(true))
            .with_aad_prefix(id.as_bytes().to_vec())
            .with_aad_prefix_storage(true);
        for (index, field) in table.schema().fields().iter().enumerate() {
            let (key, material) = key_of(table.tier(index));
            encryption = encryption.with_column_key_and_metadata(field.name(), key.to_vec(), material.to_json(false));
        }
        let encryption = encryption
            .build()
            .map_err(|source| ArchiveError::Parquet { doing: format!("set up the encryption of {id}"), source })?;
        Ok(Self { id, encryption: Some(encryption) })
    }

    /// No encryption. Only for measuring the cost of encryption.
    pub fn unencrypted_for_measurement(id: String) -> Self {
        Self { id, encryption: None }
    }
}

/// Writes one data file into memory.
pub struct SegmentWriter {
    table: Table,
    partition: Partition,
    id: String,
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
    time: Option<(i64, i64)>,
    subjects: SubjectsBuilder,
}

/// A finished data file that is not yet in the store.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The table that it belongs to.
    pub table: Table,
    /// The partition that it belongs to.
    pub partition: Partition,
    /// Its id, which is also its name.
    pub id: String,
    /// Its rows.
    pub rows: u64,
    /// The smallest and the greatest value of the time column, in microseconds; `None` in a file without rows.
    pub time: Option<(i64, i64)>,
    /// Its bytes.
    pub bytes: Bytes,
}

impl SegmentWriter {
    /// Starts a file of `table`.
    pub fn new(table: Table, partition: Partition, keys: SegmentKeys) -> Result<Self, ArchiveError> {
        let properties = column_properties(table).set_max_row_group_row_count(Some(ROW_GROUP_ROWS));
        Self::start(table, partition, keys, properties)
    }

    /// Starts a file of `table` that replaces others. The caller must write its rows in sorted order.
    pub fn sealed(table: Table, partition: Partition, keys: SegmentKeys) -> Result<Self, ArchiveError> {
        Self::start(table, partition, keys, sealed_properties(table))
    }

    fn start(
        table: Table,
        partition: Partition,
        keys: SegmentKeys,
        mut properties: WriterPropertiesBuilder,
    ) -> Result<Self, ArchiveError> {
        if let Some(encryption) = keys.encryption {
            properties = properties.with_file_encryption_properties(encryption);
        }
        let options = ArrowWriterOptions::new().with_properties(properties.build()).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), table.schema(), options)
            .map_err(|source| ArchiveError::Parquet { doing: format!("start {}", keys.id), source })?;
        Ok(Self { table, partition, id: keys.id, writer, rows: 0, time: None, subjects: SubjectsBuilder::default() })
    }

    /// Appends rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ArchiveError> {
        let times = batch.column(self.table.time_column()).as_primitive::<TimestampMicrosecondType>();
        if let (Some(least), Some(most)) = (arrow_arith::aggregate::min(times), arrow_arith::aggregate::max(times)) {
            let (low, high) = self.time.unwrap_or((least, most));
            self.time = Some((low.min(least), high.max(most)));
        }
        if let Some(subject) = self.table.subject_column() {
            let subjects = batch.column(subject).as_string::<i32>().iter();
            match self.table.type_column() {
                Some(types) => self.subjects.add(subjects.zip(batch.column(types).as_string::<i32>().iter())),
                None => self.subjects.add(subjects.map(|subject| (subject, None))),
            }
        }
        self.rows += batch.num_rows() as u64;
        self.writer.write(batch).map_err(|source| ArchiveError::Parquet { doing: format!("write {}", self.id), source })
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// About how many bytes of memory the file takes so far.
    pub fn memory(&self) -> usize {
        self.writer.memory_size() + self.writer.bytes_written() + self.subjects.memory()
    }

    /// Ends the file.
    pub fn finish(mut self) -> Result<Segment, ArchiveError> {
        let failed = |source| ArchiveError::Parquet { doing: format!("finish {}", self.id), source };
        if self.table.subject_column().is_some() {
            for entry in self.subjects.finish().map_err(failed)? {
                self.writer.append_key_value_metadata(entry);
            }
        }
        let bytes = self.writer.into_inner().map_err(failed)?;
        Ok(Segment {
            table: self.table,
            partition: self.partition,
            id: self.id,
            rows: self.rows,
            time: self.time,
            bytes: bytes.into(),
        })
    }
}

impl Partition {
    /// The partition's date as `2026-01-31`.
    pub fn date_text(&self) -> String {
        Timestamp(0).plus_days(self.date.into()).date_text()
    }
}

/// The encoding of the columns. Growing numbers are delta encoded. Texts that hardly ever repeat have no dictionary.
/// Columns that queries filter by have statistics.
fn column_properties(table: Table) -> WriterPropertiesBuilder {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("1 is a level of zstd")))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_bloom_filter_enabled(false)
        .set_created_by("holdfast".to_owned());
    let plain = |name: &str| ColumnPath::from(name);
    for name in ["time", "archived_at", "kafka_offset", "seq", "kafka_time"] {
        properties = properties
            .set_column_dictionary_enabled(plain(name), false)
            .set_column_encoding(plain(name), Encoding::DELTA_BINARY_PACKED);
    }
    for name in ["id", "data", "data_binary", "value", "key", "sha256", "feedback", "fold"] {
        properties = properties
            .set_column_dictionary_enabled(plain(name), false)
            .set_column_statistics_enabled(plain(name), EnabledStatistics::None);
    }
    if table == Table::Events {
        for name in ["id", "sha256"] {
            properties = properties.set_column_statistics_enabled(plain(name), EnabledStatistics::Chunk);
        }
        for name in ["time", "subject"] {
            properties = properties.set_column_statistics_enabled(plain(name), EnabledStatistics::Page);
        }
    }
    properties
}

/// The encoding of the columns of a sealed file: as in any other file, but with a higher compression level, smaller row
/// groups and pages, and statistics of operational columns only. Statistics of the other tiers would be encrypted with
/// their keys, but no query filters by those columns.
///
/// Events are sorted by session, so that the offsets of neighbours are far apart. Split into their bytes they take less than
/// their differences do, and a reader picks some without decoding those between.
fn sealed_properties(table: Table) -> WriterPropertiesBuilder {
    let mut properties = column_properties(table)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(SEALED_ZSTD_LEVEL).expect("3 is a level of zstd")))
        .set_max_row_group_row_count(Some(SEALED_ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(SEALED_PAGE_ROWS);
    for (index, field) in table.schema().fields().iter().enumerate() {
        let statistics = match table.tier(index) {
            Tier::Operational if FILTER_COLUMNS.contains(&field.name().as_str()) => EnabledStatistics::Page,
            // Not visible to statements, so no query filters by it.
            Tier::Operational if field.name() == "fold" => EnabledStatistics::None,
            Tier::Operational => EnabledStatistics::Chunk,
            Tier::Personal | Tier::Content => EnabledStatistics::None,
        };
        properties = properties.set_column_statistics_enabled(ColumnPath::from(field.name().as_str()), statistics);
    }
    if table == Table::Events {
        let large = || ColumnPath::from(LARGE_OPERATIONAL);
        properties = properties
            .set_column_encoding(ColumnPath::from("kafka_offset"), Encoding::BYTE_STREAM_SPLIT)
            // A dictionary of large texts would be read for each of them.
            .set_column_dictionary_enabled(large(), false)
            .set_column_data_page_size_limit(large(), SEALED_LARGE_PAGE_BYTES);
    }
    properties
}

#[cfg(test)]
mod tests;
