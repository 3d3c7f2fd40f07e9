//! A table at one version: its data files and the next offset of each Kafka partition.

use object_store::path::Path;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The topic and the partition that an offset belongs to.
pub type TopicPartition = (String, i32);

/// A table at one version.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The log's version; `None` when there is no table yet.
    pub version: Option<u64>,
    /// The data files, in no order. Shared, because an archive may have very many.
    pub files: Arc<Vec<DataFile>>,
    /// The next offset of every partition that the table has events of.
    pub offsets: BTreeMap<TopicPartition, i64>,
    /// Why the newest checkpoint was not read, if the log was read from an older one, or from its entries.
    pub damaged_checkpoint: Option<String>,
}

/// A data file as the log describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Its path, relative to the archive.
    pub path: Path,
    /// Its id: its name, and the AAD prefix that it must have been encrypted with.
    pub id: String,
    /// The retention class.
    pub class: String,
    /// The filing date, in days since 1970-01-01.
    pub date: i32,
    /// Its rows.
    pub rows: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The smallest and the greatest value of the time column, in microseconds.
    pub time: Option<(i64, i64)>,
}
