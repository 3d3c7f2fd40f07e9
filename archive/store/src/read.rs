//! Reads rows without SQL, for tables that are derived from them.

use crate::archive::Archive;
use crate::error::ArchiveError;
use crate::fetch;
use crate::keys::Unlocker;
use crate::log::{DataFile, TableLog, TopicPartition};
use crate::proof::entry::{AddedFile, Entry, read_entry};
use crate::table::Table;
use crate::{file_id, paths};
use arrow_array::RecordBatch;
use bytes::Bytes;
use futures::future::try_join_all;
use holdfast_events::Timestamp;
use object_store::ObjectStoreExt;
use std::collections::BTreeMap;

/// The columns `names` of a file whose keys were prepared. One that the file does not have is left out.
///
/// # Errors
/// When the file cannot be fetched or decrypted.
pub async fn columns(
    archive: &Archive,
    unlocker: &Unlocker,
    file: &DataFile,
    names: &[&str],
) -> Result<Vec<RecordBatch>, ArchiveError> {
    fetch::columns(archive.store(), unlocker, file, names).await
}

/// Whether a file is sealed: it has replaced others.
pub fn is_sealed(file: &DataFile) -> bool {
    file_id::is_sealed(&file.id)
}

/// The id of a sealed file, made from `id`, which must be unique.
pub fn sealed_id(id: &str) -> String {
    file_id::sealed(id)
}

/// What some entries of a log brought into its table.
#[derive(Debug, Clone, Default)]
pub struct Added {
    /// Files with new rows. Some of them may have been sealed into others since.
    pub files: Vec<DataFile>,
    /// Their rows.
    pub rows: u64,
    /// The last of the entries; `None` if there was none to read.
    pub through: Option<u64>,
    /// The offsets that the entries moved, as the last one left them.
    pub offsets: BTreeMap<TopicPartition, i64>,
}

/// Entries that are read at the same time.
const CONCURRENT_READS: u64 = 16;

/// What the entries of `log` after `after` brought into it, up to and including `newest`. Ends earlier with the entry
/// at which there are `max_rows` new rows or more.
///
/// # Errors
/// When an entry is missing or cannot be read.
pub async fn added(
    archive: &Archive,
    log: &TableLog,
    after: Option<u64>,
    newest: u64,
    max_rows: u64,
) -> Result<Added, ArchiveError> {
    let (store, table) = (archive.store().as_ref(), log.table());
    let mut added = Added::default();
    let mut next = after.map_or(0, |after| after + 1);
    while next <= newest {
        let end = newest.min(next + CONCURRENT_READS - 1);
        for bytes in try_join_all((next..=end).map(|version| read_entry(store, table, version))).await? {
            add_entry(&mut added, table, next, bytes)?;
            next += 1;
            if added.rows >= max_rows {
                return Ok(added);
            }
        }
    }
    Ok(added)
}

fn add_entry(added: &mut Added, table: Table, version: u64, bytes: Option<Bytes>) -> Result<(), ArchiveError> {
    let damaged = |why: String| ArchiveError::Damaged { what: paths::delta_log_entry(table, version).to_string(), why };
    let bytes = bytes.ok_or_else(|| damaged("it is missing".to_owned()))?;
    let entry = Entry::parse(version, &bytes).map_err(damaged)?;
    // An entry that removes files adds others with the same rows.
    if entry.removes.is_empty() {
        for add in entry.adds {
            added.rows = added.rows.saturating_add(add.rows);
            let file = data_file(table, add);
            added.files.push(file.ok_or_else(|| damaged("a file's date cannot be read".to_owned()))?);
        }
    }
    added.offsets.extend(entry.offsets);
    added.through = Some(version);
    Ok(())
}

fn data_file(table: Table, add: AddedFile) -> Option<DataFile> {
    let midnight = Timestamp::parse(&format!("{}T00:00:00Z", add.date)).ok()?;
    Some(DataFile {
        path: paths::in_table(table, &add.path),
        id: add.id,
        class: add.class,
        date: i32::try_from(midnight.0.div_euclid(86_400_000_000)).ok()?,
        rows: add.rows,
        size: add.size,
        time: add.time,
    })
}

/// Deletes a file that is no longer part of its table. A file that does not exist is no error.
///
/// # Errors
/// When the store refuses.
pub async fn delete(archive: &Archive, file: &DataFile) -> Result<(), ArchiveError> {
    match archive.store().delete(&file.path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(source) => Err(ArchiveError::Store { doing: format!("delete {}", file.path), source }),
    }
}
