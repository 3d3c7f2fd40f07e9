//! One broker per directory: the lock file, and the file that verifies the key.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    path::Path,
};

use crate::{BrokerError, SpoolKey};

const LOCK_FILE: &str = "broker.lock";
const CHECK_FILE: &str = "broker.check";
/// The associated data of the check file.
const CHECK_DATA: &[u8] = b"check";
/// The plaintext of the check file, before the cluster's id.
const CHECK_PREFIX: &str = "holdfast broker ";

/// The database file.
pub(crate) const DATABASE_FILE: &str = "broker.db";

/// The lock of a directory while the broker runs. The operating system releases it when the process ends.
#[derive(Debug)]
pub(crate) struct DirectoryLock {
    _file: File,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BrokerError {
    let path = path.to_owned();
    move |source| BrokerError::Directory { action, path, source }
}

/// Creates the directory, accessible only to its owner.
pub(crate) fn create_directory(directory: &Path) -> Result<(), BrokerError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory).map_err(failed("create", directory))
}

/// Locks the directory for this process.
pub(crate) fn lock_directory(directory: &Path) -> Result<DirectoryLock, BrokerError> {
    let path = directory.join(LOCK_FILE);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let holder = match file.read_to_string(&mut holder) {
                Ok(length) if length > 0 => holder.trim().to_owned(),
                _ => "another process".to_owned(),
            };
            return Err(BrokerError::InUse { directory: directory.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "process {}", std::process::id()))
        .map_err(failed("write", &path))?;
    Ok(DirectoryLock { _file: file })
}

/// Rejects a key that the directory was not written with. In a new directory, creates the file that verifies its key.
/// The file contains a new cluster id, which distinguishes this broker's offsets from those of another one in the same
/// directory.
pub(crate) fn check_key(directory: &Path, key: &SpoolKey) -> Result<String, BrokerError> {
    let path = directory.join(CHECK_FILE);
    match fs::read(&path) {
        Ok(envelope) => match key.decrypt(CHECK_DATA, envelope) {
            Ok(text) => std::str::from_utf8(&text)
                .ok()
                .and_then(|text| text.strip_prefix(CHECK_PREFIX))
                .map(str::to_owned)
                .ok_or_else(|| BrokerError::WrongKey { directory: directory.to_owned() }),
            Err(_) => Err(BrokerError::WrongKey { directory: directory.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if directory.join(DATABASE_FILE).exists() {
                return Err(BrokerError::KeyCheckMissing {
                    directory: directory.to_owned(),
                    database: DATABASE_FILE,
                    check: CHECK_FILE,
                });
            }
            // Written to another file and renamed, so that a crash leaves either no file or a complete one.
            let temporary = directory.join("broker.check.new");
            let cluster = format!("holdfast-{}", uuid::Uuid::new_v4());
            let envelope = key.encrypt(CHECK_DATA, format!("{CHECK_PREFIX}{cluster}").as_bytes())?;
            File::create(&temporary)
                .and_then(|mut file| {
                    file.write_all(&envelope)?;
                    file.sync_all()
                })
                .and_then(|()| fs::rename(&temporary, &path))
                .and_then(|()| File::open(directory)?.sync_all())
                .map_err(failed("write", &path))?;
            Ok(cluster)
        }
        Err(source) => Err(failed("read", &path)(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_directory_reports_the_process_that_holds_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let first = lock_directory(directory.path()).unwrap();
        let error = lock_directory(directory.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(first);
        lock_directory(directory.path()).unwrap();
    }

    #[test]
    fn another_key_is_rejected() {
        let directory = tempfile::tempdir().unwrap();
        let key = SpoolKey::generate().unwrap();
        check_key(directory.path(), &key).unwrap();
        check_key(directory.path(), &key).unwrap();
        let other = SpoolKey::generate().unwrap();
        assert!(matches!(check_key(directory.path(), &other), Err(BrokerError::WrongKey { .. })));
        fs::write(directory.path().join(DATABASE_FILE), b"x").unwrap();
        fs::remove_file(directory.path().join(CHECK_FILE)).unwrap();
        assert!(matches!(check_key(directory.path(), &key), Err(BrokerError::KeyCheckMissing { .. })));
    }
}
