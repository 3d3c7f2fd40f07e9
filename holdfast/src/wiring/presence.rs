//! How a process with the built-in broker tells others of the same configuration that it is there, and where.
//!
//! ```text
//! owner of the broker ─▶ broker/server.json, written under an exclusive lock that is held until the end
//! others              ─▶ lock it for a moment: refused = somebody is there, and the file says where; granted = nobody is
//! ```
//!
//! The operating system gives the lock up when its process dies, so a file that was left behind misleads nobody.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

const FILE: &str = "server.json";
/// How often a file that is just being written is looked at again.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(25);

/// Who is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Presence {
    pub(crate) process: u32,
    pub(crate) kind: Kind,
    /// What runs in it.
    pub(crate) roles: Vec<String>,
    /// Where Kafka clients connect.
    pub(crate) broker: SocketAddr,
    /// Where `/readyz` is.
    pub(crate) http: Option<SocketAddr>,
    /// RFC 3339.
    pub(crate) started_at: String,
}

/// How long it will be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Until it is told to stop.
    Server,
    /// Until a job is done.
    Job,
}

/// Dropped when the process is not there any more.
#[derive(Debug)]
pub(crate) struct Announcement(File);

impl Presence {
    pub(crate) fn new(kind: Kind, roles: Vec<String>, broker: SocketAddr, http: Option<SocketAddr>) -> Self {
        let started_at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        Self { process: std::process::id(), kind, roles, broker, http, started_at }
    }

    /// Announces it. Only the owner of the broker's folder may.
    pub(crate) fn announce(&self, folder: &Path) -> anyhow::Result<Announcement> {
        let path = folder.join(FILE);
        let announce = || -> std::io::Result<File> {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            // Held by nobody but one who is just looking.
            file.lock()?;
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            Ok(file)
        };
        announce().map(Announcement).with_context(|| format!("write {}", path.display()))
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Emptied and not removed: another process may have it open already, to announce itself.
        let _ = self.0.set_len(0);
    }
}

/// Who is there; nobody is the usual answer.
pub(crate) fn find(folder: &Path) -> Option<Presence> {
    for _ in 0..LOOKS {
        let mut file = File::open(folder.join(FILE)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {}
            // Free, or without a way to find out.
            Ok(()) | Err(TryLockError::Error(_)) => return None,
        }
        let mut text = String::new();
        if file.read_to_string(&mut text).is_ok()
            && let Ok(presence) = serde_json::from_str(&text)
        {
            return Some(presence);
        }
        std::thread::sleep(PAUSE);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_for_as_long_as_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find(folder.path()), None);
        let presence = Presence::new(
            Kind::Server,
            vec!["gateway".to_owned()],
            "127.0.0.1:8482".parse().unwrap(),
            Some("127.0.0.1:8480".parse().unwrap()),
        );
        let announcement = presence.announce(folder.path()).unwrap();
        assert_eq!(find(folder.path()), Some(presence.clone()));
        assert_eq!(find(folder.path()), Some(presence.clone()), "looking changes nothing");
        drop(announcement);
        assert_eq!(find(folder.path()), None);
        let again = presence.announce(folder.path()).unwrap();
        assert!(find(folder.path()).is_some());
        drop(again);
    }

    #[test]
    fn what_a_killed_process_left_behind_misleads_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let presence = Presence::new(Kind::Job, Vec::new(), "127.0.0.1:1".parse().unwrap(), None);
        std::fs::write(folder.path().join(FILE), serde_json::to_vec(&presence).unwrap()).unwrap();
        assert_eq!(find(folder.path()), None);
    }
}
