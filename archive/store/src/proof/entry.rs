//! The entries of a Delta log, as evidence: the actions of each, and the attestation of them.

use super::attest::{Attestation, PROOF_MEMBER};
use crate::error::ArchiveError;
use crate::log::{CLUSTER_ID, COMMIT_ID, TopicPartition, parse_app_id};
use crate::paths;
use crate::table::Table;
use bytes::Bytes;
use holdfast_events::Timestamp;
use holdfast_proof::Leaf;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::Value;

/// One entry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    pub(crate) version: u64,
    pub(crate) adds: Vec<AddedFile>,
    pub(crate) removes: Vec<RemovedFile>,
    pub(crate) offsets: Vec<(TopicPartition, i64)>,
    pub(crate) commit_id: Option<String>,
    pub(crate) cluster: Option<String>,
    pub(crate) attestation: Option<Attestation>,
    /// Milliseconds since 1970, by the clock of the Delta library.
    pub(crate) written: Option<i64>,
    /// Whether it is missing or cannot be read.
    pub(crate) is_unreadable: bool,
}

/// A file as its entry adds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddedFile {
    /// Relative to the table.
    pub(crate) path: Path,
    pub(crate) id: String,
    pub(crate) class: String,
    pub(crate) date: String,
    pub(crate) size: u64,
    pub(crate) rows: u64,
    pub(crate) time: Option<(i64, i64)>,
}

/// A file as its entry removes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemovedFile {
    /// Relative to the table.
    pub(crate) path: Path,
    /// Milliseconds since 1970, by the clock of the writer that removed it.
    pub(crate) removed_at: Option<i64>,
}

impl Entry {
    /// Whether it changes files or offsets.
    pub(crate) fn changes(&self) -> bool {
        !self.adds.is_empty() || !self.removes.is_empty() || !self.offsets.is_empty()
    }

    /// The version up to which it names the entries of dead letters, by its first leaf. The signature is not checked.
    pub(crate) fn names_dead_letters(&self) -> Option<u64> {
        match Leaf::parse(self.attestation.as_ref()?.leaves.first()?).ok()? {
            Leaf::Commit(commit) => commit.dead_letters,
            _ => None,
        }
    }

    /// Reads the bytes of an entry. The error describes what is wrong with them.
    pub(crate) fn parse(version: u64, bytes: &[u8]) -> Result<Self, String> {
        let mut entry = Self { version, ..Self::default() };
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let action: Value = serde_json::from_slice(line).map_err(|error| format!("a line is not JSON: {error}"))?;
            let Some((name, content)) = action.as_object().and_then(|action| action.iter().next()) else {
                return Err("a line is not an action".to_owned());
            };
            match name.as_str() {
                "add" => entry.adds.push(added(content).ok_or("an add action is incomplete")?),
                "remove" => {
                    let path = content["path"].as_str().and_then(paths::logged).ok_or("a remove action has no path")?;
                    entry.removes.push(RemovedFile { path, removed_at: content["deletionTimestamp"].as_i64() });
                }
                "txn" => {
                    let id = content["appId"].as_str().and_then(parse_app_id);
                    if let (Some(key), Some(next)) = (id, content["version"].as_i64()) {
                        entry.offsets.push((key, next));
                    }
                }
                "commitInfo" => {
                    entry.commit_id = content[COMMIT_ID].as_str().map(str::to_owned);
                    entry.cluster = content[CLUSTER_ID].as_str().map(str::to_owned);
                    entry.written = content["timestamp"].as_i64();
                    entry.attestation = Attestation::of_json(&content[PROOF_MEMBER]);
                }
                _ => {}
            }
        }
        Ok(entry)
    }
}

fn added(content: &Value) -> Option<AddedFile> {
    let path = paths::logged(content["path"].as_str()?)?;
    let stats: Value = serde_json::from_str(content["stats"].as_str()?).ok()?;
    // The log has bounds of only one column.
    let bound = |which: &str| {
        let (_, value) = stats[which].as_object()?.iter().next()?;
        Some(Timestamp::parse(value.as_str()?).ok()?.0)
    };
    Some(AddedFile {
        id: path.filename()?.strip_suffix(".parquet")?.to_owned(),
        path,
        class: content["partitionValues"]["class"].as_str()?.to_owned(),
        date: content["partitionValues"]["date"].as_str()?.to_owned(),
        size: content["size"].as_u64()?,
        rows: stats["numRecords"].as_u64()?,
        time: bound("minValues").zip(bound("maxValues")),
    })
}

/// The bytes of an entry; `None` if there is no entry of this version.
pub(crate) async fn read_entry(
    store: &dyn ObjectStore,
    table: Table,
    version: u64,
) -> Result<Option<Bytes>, ArchiveError> {
    get(store, &paths::delta_log_entry(table, version)).await
}

/// An object's bytes; `None` if it does not exist.
pub(crate) async fn get(store: &dyn ObjectStore, path: &Path) -> Result<Option<Bytes>, ArchiveError> {
    let read = async { store.get(path).await?.bytes().await };
    match read.await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(source) => Err(ArchiveError::Store { doing: format!("read {path}"), source }),
    }
}
