//! Lists a tree of folders as an object store lists its objects: whole paths, in the order of their names.
//!
//! ```text
//! one readdir a folder ─▶ names behind the offset ─▶ one stat each ─▶ sorted
//! ```
//!
//! The offset is compared with the names, before anything else is asked of a file: a log of a hundred thousand entries
//! has the few newest ones at its end, and only these are of interest.

use super::blocking::STORE;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, Result};
use std::fs::DirEntry;
use std::io::ErrorKind;
use std::path::PathBuf;

/// The files below `folder`, whose path in the store is `prefix`. With an `offset`, those whose path is after it.
pub(super) fn list(folder: PathBuf, prefix: &Path, offset: Option<&Path>) -> Result<Vec<ObjectMeta>> {
    let offset: Option<&str> = offset.map(|offset| offset.as_ref());
    let mut found = Vec::new();
    let mut folders = vec![(folder, prefix.to_string())];
    while let Some((folder, prefix)) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Deleted meanwhile, or never there: nothing has this prefix.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(failed(&folder, error)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| failed(&folder, error))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(failed(&entry.path(), ErrorKind::InvalidFilename.into()));
            };
            let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
            let is_after = offset.is_none_or(|offset| path.as_str() > offset);
            let leads_on = offset.is_none_or(|offset| may_hold_later(&path, offset));
            if !is_after && !leads_on {
                continue;
            }
            if is_folder(&entry)? {
                if leads_on {
                    folders.push((entry.path(), path));
                }
            } else if is_after && !is_upload(name) {
                found.extend(object(&entry, &path)?);
            }
        }
    }
    found.sort_unstable_by(|one, other| one.location.cmp(&other.location));
    Ok(found)
}

/// Whether a path in the folder `folder` may be after `offset`. All of them begin with the folder's path and a slash.
fn may_hold_later(folder: &str, offset: &str) -> bool {
    let below = format!("{folder}/");
    below.as_str() > offset || offset.starts_with(&below)
}

/// Whether it is a folder, or leads to one. Only a symbolic link needs a stat.
fn is_folder(entry: &DirEntry) -> Result<bool> {
    let is_folder = match entry.file_type() {
        Ok(kind) if kind.is_symlink() => std::fs::metadata(entry.path()).map(|metadata| metadata.is_dir()),
        kind => kind.map(|kind| kind.is_dir()),
    };
    match is_folder {
        Ok(is_folder) => Ok(is_folder),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed(&entry.path(), error)),
    }
}

/// Whether the name is that of an unfinished put: `<name>#<number>`.
fn is_upload(name: &str) -> bool {
    let number = name.split_once('#').map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What a listing says of a file. `None` for one that was deleted meanwhile, and for what is no file.
fn object(entry: &DirEntry, path: &str) -> Result<Option<ObjectMeta>> {
    let metadata = match std::fs::metadata(entry.path()) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(&entry.path(), error)),
    };
    let modified = metadata.modified().map_err(|error| failed(&entry.path(), error))?;
    Ok(Some(ObjectMeta {
        location: Path::parse(path)?,
        last_modified: modified.into(),
        size: metadata.len(),
        e_tag: None,
        version: None,
    }))
}

fn failed(path: &std::path::Path, error: std::io::Error) -> Error {
    Error::Generic { store: STORE, source: format!("list {}: {error}", path.display()).into() }
}
