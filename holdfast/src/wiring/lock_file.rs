//! The lock file of a process with the built-in broker. Other processes with the same configuration find the process by
//! it.
//!
//! ```text
//! owner of the broker ─▶ broker/server.json, written under an exclusive lock that is held until the process ends
//! others              ─▶ try a shared lock: refused = the process runs, and the file has its addresses; granted = no process
//! ```
//!
//! The operating system releases the lock when its process dies, so a stale file is recognised.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

const FILE: &str = "server.json";
/// Attempts to read a file that another process is writing.
const MAX_READS: u32 = 20;
const RETRY_INTERVAL: Duration = Duration::from_millis(25);

/// The content of the file: the process that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LockFile {
    /// Process id.
    pub(crate) process: u32,
    pub(crate) kind: ProcessKind,
    /// Roles that the process has.
    pub(crate) roles: Vec<String>,
    /// Address of the built-in broker, for Kafka clients.
    pub(crate) broker: SocketAddr,
    /// Address of `/readyz`.
    pub(crate) http: Option<SocketAddr>,
    /// RFC 3339.
    pub(crate) started_at: String,
}

/// How long the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProcessKind {
    /// Until a signal stops it.
    Server,
    /// Until a job is done.
    Job,
}

/// The exclusive lock. Dropping it empties and unlocks the file.
#[derive(Debug)]
pub(crate) struct HeldLock(File);

impl LockFile {
    /// The file of this process.
    pub(crate) fn new(kind: ProcessKind, roles: Vec<String>, broker: SocketAddr, http: Option<SocketAddr>) -> Self {
        let started_at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        Self { process: std::process::id(), kind, roles, broker, http, started_at }
    }

    /// Locks and writes the file. Only the process that owns the broker's folder may do so.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<HeldLock> {
        let path = folder.join(FILE);
        let write = || -> std::io::Result<File> {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            // Waits only for processes that read the file at this moment.
            file.lock()?;
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            Ok(file)
        };
        write().map(HeldLock).with_context(|| format!("write {}", path.display()))
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        // Emptied and not removed: another process may have opened it already, to write its own content.
        let _ = self.0.set_len(0);
    }
}

/// The process that holds the lock; `None` if no process runs.
pub(crate) fn find(folder: &Path) -> Option<LockFile> {
    for _ in 0..MAX_READS {
        let mut file = File::open(folder.join(FILE)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {}
            // Not locked, or the file system has no locks.
            Ok(()) | Err(TryLockError::Error(_)) => return None,
        }
        let mut text = String::new();
        if file.read_to_string(&mut text).is_ok()
            && let Ok(content) = serde_json::from_str(&text)
        {
            return Some(content);
        }
        std::thread::sleep(RETRY_INTERVAL);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_while_it_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find(folder.path()), None);
        let content = LockFile::new(
            ProcessKind::Server,
            vec!["gateway".to_owned()],
            "127.0.0.1:8482".parse().unwrap(),
            Some("127.0.0.1:8480".parse().unwrap()),
        );
        let lock = content.write(folder.path()).unwrap();
        assert_eq!(find(folder.path()), Some(content.clone()));
        assert_eq!(find(folder.path()), Some(content.clone()), "reading changes nothing");
        drop(lock);
        assert_eq!(find(folder.path()), None);
        let again = content.write(folder.path()).unwrap();
        assert!(find(folder.path()).is_some());
        drop(again);
    }

    #[test]
    fn the_stale_file_of_a_killed_process_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let content = LockFile::new(ProcessKind::Job, Vec::new(), "127.0.0.1:1".parse().unwrap(), None);
        std::fs::write(folder.path().join(FILE), serde_json::to_vec(&content).unwrap()).unwrap();
        assert_eq!(find(folder.path()), None);
    }
}
