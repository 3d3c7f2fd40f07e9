//! Reads rows without SQL, for tables that are derived from them.

use crate::archive::Archive;
use crate::error::ArchiveError;
use crate::fetch;
use crate::keys::Unlocker;
use crate::log::{DataFile, TableLog};
use crate::proof::entry::{AddedFile, Entry, read_entry};
use crate::table::Table;
use crate::{file_id, paths};
use arrow_array::RecordBatch;
use holdfast_events::Timestamp;
use object_store::ObjectStoreExt;

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

/// The files that brought new rows into `log`, by its entries after `after` up to and including `through`. Some of them
/// may have been sealed into others since.
///
/// # Errors
/// When an entry is missing or cannot be read.
pub async fn added(
    archive: &Archive,
    log: &TableLog,
    after: Option<u64>,
    through: u64,
) -> Result<Vec<DataFile>, ArchiveError> {
    let table = log.table();
    let mut files = Vec::new();
    for version in after.map_or(0, |after| after + 1)..=through {
        let damaged =
            |why: String| ArchiveError::Damaged { what: paths::delta_log_entry(table, version).to_string(), why };
        let bytes = read_entry(archive.store().as_ref(), table, version).await?;
        let entry =
            Entry::parse(version, &bytes.ok_or_else(|| damaged("it is missing".to_owned()))?).map_err(&damaged)?;
        // An entry that removes files adds others with the same rows.
        if entry.removes.is_empty() {
            for add in entry.adds {
                files.push(data_file(table, add).ok_or_else(|| damaged("a file's date cannot be read".to_owned()))?);
            }
        }
    }
    Ok(files)
}

fn data_file(table: Table, add: AddedFile) -> Option<DataFile> {
    let midnight = Timestamp::parse(&format!("{}T00:00:00Z", add.date)).ok()?;
    Some(DataFile {
        path: format!("{}/{}", paths::table(table), add.path).into(),
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
