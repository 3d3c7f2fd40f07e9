//! The actions of the log: from the archive's types to Delta's, and back.
//!
//! ```text
//! Segment          ─▶ add      ─▶ DataFile
//! DataFile         ─▶ remove
//! an entry         ─▶ Changes
//! topic, partition ─▶ `appId` of a txn ─▶ topic, partition
//! column           ─▶ Delta's type
//! ```
//!
//! Invariants:
//! - The log is plain text. Besides class and date, it contains of a file's content only the number of rows and the
//!   bounds of the time column.
//! - A removal names a file as its addition did: by the path relative to the table. The Delta library URL-encodes it
//!   when it writes an entry, as the protocol says, and it is decoded where an entry or a checkpoint is read.

use super::snapshot::{DataFile, TopicPartition};
use crate::error::ArchiveError;
use crate::paths;
use crate::segment::Segment;
use crate::table::{PARTITION_COLUMNS, Table};
use arrow_schema::DataType as ArrowType;
use deltalake_core::kernel::{Add, DataType, PrimitiveType, Remove};
use holdfast_events::Timestamp;
use object_store::path::Path;
use serde::Deserialize;
use std::collections::HashMap;

/// The member of a log entry's commit information that holds the commit's own id.
pub(crate) const COMMIT_ID: &str = "holdfastCommit";
/// The member of a log entry's commit information that holds the Kafka cluster's id.
pub(crate) const CLUSTER_ID: &str = "kafkaCluster";

pub(super) fn remove_action(table: Table, file: &DataFile, now: Timestamp, data_change: bool) -> Remove {
    let directory = format!("{}/", paths::table(table));
    let path = file.path.as_ref();
    let date = Timestamp(0).plus_days(file.date.into()).date_text();
    Remove {
        path: path.strip_prefix(&directory).unwrap_or(path).to_owned(),
        data_change,
        deletion_timestamp: Some(now.0 / 1_000),
        extended_file_metadata: Some(true),
        partition_values: Some(HashMap::from([
            (PARTITION_COLUMNS[0].to_owned(), Some(file.class.clone())),
            (PARTITION_COLUMNS[1].to_owned(), Some(date)),
        ])),
        size: Some(file.size as i64),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
    }
}

/// A file as an `add` action describes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct LoggedFile<'l> {
    pub(super) path: &'l str,
    pub(super) class: Option<&'l str>,
    pub(super) date: Option<&'l str>,
    pub(super) size: i64,
    pub(super) stats: Option<&'l str>,
}

pub(super) fn data_file(table: Table, add: &LoggedFile<'_>) -> Result<DataFile, ArchiveError> {
    let path = add.path;
    let damaged =
        |why: &str| ArchiveError::Damaged { what: format!("the Delta log's entry for {path}"), why: why.to_owned() };
    let date = add.date.ok_or_else(|| damaged("it has no date"))?;
    let date = Timestamp::parse(&format!("{date}T00:00:00Z")).map_err(|_| damaged("its date is not a date"))?;
    let stats: serde_json::Value = match add.stats {
        Some(stats) => serde_json::from_str(stats).map_err(|_| damaged("its statistics are not JSON"))?,
        None => serde_json::Value::Null,
    };
    let schema = table.schema();
    let column = schema.field(table.time_column()).name();
    let bound = |which: &str| Timestamp::parse(stats[which][column].as_str()?).ok();
    let relative = paths::logged(path).ok_or_else(|| damaged("its path is no path"))?;
    let id = relative.filename().and_then(|name| name.strip_suffix(".parquet"));
    Ok(DataFile {
        path: paths::in_table(table, &relative),
        id: id.ok_or_else(|| damaged("its name does not end in .parquet"))?.to_owned(),
        class: add.class.ok_or_else(|| damaged("it has no class"))?.to_owned(),
        date: i32::try_from(date.days()).map_err(|_| damaged("its date is not a date"))?,
        rows: stats["numRecords"].as_u64().ok_or_else(|| damaged("it has no number of rows"))?,
        size: u64::try_from(add.size).map_err(|_| damaged("its size is not a size"))?,
        time: bound("minValues").zip(bound("maxValues")).map(|(low, high)| (low.0, high.0)),
    })
}

/// One line of an entry: the action in it, if the state of the log depends on it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    add: Option<AddLine>,
    remove: Option<RemoveLine>,
    txn: Option<TxnLine>,
    commit_info: Option<InfoLine>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AddLine {
    path: String,
    partition_values: HashMap<String, Option<String>>,
    size: i64,
    stats: Option<String>,
}

#[derive(Debug, Deserialize)]
struct RemoveLine {
    path: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TxnLine {
    app_id: String,
    version: i64,
}

#[derive(Debug, Deserialize)]
struct InfoLine {
    // As `COMMIT_ID` and `CLUSTER_ID`.
    #[serde(rename = "holdfastCommit")]
    commit: Option<String>,
    #[serde(rename = "kafkaCluster")]
    cluster: Option<String>,
}

/// What an entry changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) added: Vec<DataFile>,
    pub(super) removed: Vec<Path>,
    pub(super) offsets: Vec<(TopicPartition, i64)>,
    pub(super) commit: Option<String>,
    pub(super) cluster: Option<String>,
}

impl Changes {
    /// Reads the bytes of the entry `version`. One without a line changes nothing.
    pub(super) fn of(table: Table, version: u64, entry: &[u8]) -> Result<Self, ArchiveError> {
        let mut changes = Self::default();
        for line in entry.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let damaged = |why: String| ArchiveError::Damaged {
                what: format!("entry {version} of the Delta log of {}", table.name()),
                why,
            };
            let line: Line = serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
            if let Some(add) = line.add {
                let partition = |name: &str| add.partition_values.get(name)?.as_deref();
                let (class, date) = (partition(PARTITION_COLUMNS[0]), partition(PARTITION_COLUMNS[1]));
                let file = LoggedFile { path: &add.path, class, date, size: add.size, stats: add.stats.as_deref() };
                changes.added.push(data_file(table, &file)?);
            }
            if let Some(remove) = line.remove {
                let relative = paths::logged(&remove.path);
                let relative = relative.ok_or_else(|| damaged("the path of a removal is no path".to_owned()))?;
                changes.removed.push(paths::in_table(table, &relative));
            }
            if let Some(txn) = line.txn
                && let Some(key) = parse_app_id(&txn.app_id)
            {
                changes.offsets.push((key, txn.version));
            }
            if let Some(info) = line.commit_info {
                changes.commit = info.commit;
                changes.cluster = info.cluster;
            }
        }
        Ok(changes)
    }
}

pub(super) fn app_id(topic: &str, partition: i32) -> String {
    format!("kafka:{topic}:{partition}")
}

pub(crate) fn parse_app_id(id: &str) -> Option<TopicPartition> {
    let (topic, partition) = id.strip_prefix("kafka:")?.rsplit_once(':')?;
    Some((topic.to_owned(), partition.parse().ok()?))
}

pub(super) fn relative_path(segment: &Segment) -> Path {
    paths::data_file(&segment.partition.class, &segment.partition.date_text(), &segment.id)
}

/// The log is plain text: the only column with bounds is the time column.
pub(super) fn add_action(segment: &Segment, now: Timestamp, data_change: bool) -> Add {
    let schema = segment.table.schema();
    let column = schema.field(segment.table.time_column()).name();
    let mut stats = serde_json::json!({ "numRecords": segment.rows });
    if let Some((low, high)) = segment.time {
        stats["minValues"] = serde_json::json!({ column: Timestamp(low).to_string() });
        stats["maxValues"] = serde_json::json!({ column: Timestamp(high).to_string() });
    }
    Add {
        path: relative_path(segment).into(),
        partition_values: HashMap::from([
            (PARTITION_COLUMNS[0].to_owned(), Some(segment.partition.class.clone())),
            (PARTITION_COLUMNS[1].to_owned(), Some(segment.partition.date_text())),
        ]),
        size: segment.bytes.len() as i64,
        modification_time: now.0 / 1_000,
        data_change,
        stats: Some(stats.to_string()),
        tags: None,
        deletion_vector: None,
        base_row_id: None,
        default_row_commit_version: None,
        clustering_provider: None,
    }
}

pub(super) fn delta_type(data_type: &ArrowType) -> DataType {
    DataType::Primitive(match data_type {
        ArrowType::Int32 => PrimitiveType::Integer,
        ArrowType::Int64 => PrimitiveType::Long,
        ArrowType::Float64 => PrimitiveType::Double,
        ArrowType::Boolean => PrimitiveType::Boolean,
        ArrowType::Binary => PrimitiveType::Binary,
        ArrowType::Timestamp(..) => PrimitiveType::Timestamp,
        _ => PrimitiveType::String,
    })
}
