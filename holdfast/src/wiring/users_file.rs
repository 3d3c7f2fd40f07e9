//! The file with the users: read as a whole, replaced as a whole, changed by one process at a time.
//!
//! ```text
//! change: lock beside the file ─▶ read ─▶ change in memory ─▶ new file, 0600, synced ─▶ rename over the old one
//! ```
//!
//! Readers need no lock: the rename is atomic.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use holdfast_access::{Directory, ProcessKey, SystemRandomness};
use zeroize::Zeroizing;

/// Bytes of the file that are read.
const MAX_BYTES: u64 = 64 << 20;

/// The text of the file.
pub(crate) fn text(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Reads the file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Directory> {
    let text = text(path).with_context(|| {
        format!(
            "read the users from {}; `holdfast users add` creates the file, `access.users_file` names it",
            path.display()
        )
    })?;
    Directory::parse(&text).with_context(|| format!("{} is not usable", path.display()))
}

/// Changes the file, or creates it. When `change` fails, the file stays unchanged.
pub(crate) fn change<T>(path: &Path, change: impl FnOnce(&mut Directory) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let folder = folder(path);
    if !folder.is_dir() {
        bail!("{} is not a folder; create it, or name another file with `access.users_file`", folder.display());
    }
    let lock_path = lock_path(path);
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock_path);
    let lock = lock.with_context(|| format!("open {}", lock_path.display()))?;
    // Held until the end of this function. The operating system releases it when the process dies.
    lock.lock().with_context(|| format!("lock {}", lock_path.display()))?;
    let mut directory = match text(path) {
        Ok(text) => Directory::parse(&text).with_context(|| format!("{} is not usable", path.display()))?,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Directory::empty(ProcessKey::generate(&mut SystemRandomness)?)
        }
        Err(error) => return Err(error).with_context(|| format!("read the users from {}", path.display())),
    };
    let outcome = change(&mut directory)?;
    write_secret(path, &directory.to_toml())?;
    Ok(outcome)
}

/// Replaces a file with a secret, or creates it, atomically and durably, with mode 0600.
pub(crate) fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = folder(path);
    let write = || {
        let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("replace {}", path.display()))
}

/// Creates a file with a secret, with mode 0600. An existing file is not overwritten.
pub(crate) fn new_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().with_context(|| format!("create {}", path.display()))
}

pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_a_secret_is_for_its_owner_only_also_if_it_was_for_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("event.proof");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        write_secret(&path, "one").unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write_secret(&path, "two").unwrap();
        assert_eq!((mode(), std::fs::read_to_string(&path).unwrap().as_str()), (0o600, "two"));
        assert!(write_secret(&folder.path().join("nowhere/event.proof"), "three").is_err());
    }
}
