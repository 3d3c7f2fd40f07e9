//! The identity of a server, read again when its files change.
//!
//! ```text
//! each second: have the files changed since they were last in force?
//!   └─yes─▶ read all of them ─▶ do they fit? ─yes─▶ in force for new connections; those with client certificates end
//!                                    └─no─▶ error in the log, once; the old one stays; again the next second
//! ```

use std::convert::Infallible;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use zeroize::Zeroizing;

use super::identity::{TlsError, TlsIdentity};

/// How often it is looked whether the files have changed.
const INTERVAL: Duration = Duration::from_secs(1);

/// The files of an identity, all of them PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain of certificates, the server's own first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// Authorities whose certificates clients may present; without them no certificate is asked for.
    pub client_authorities: Option<PathBuf>,
}

/// What differs when a file has been written or replaced; `None` if there is no file.
type Stamp = Option<[i64; 7]>;

impl TlsFiles {
    fn load(&self, alpn: &[&[u8]]) -> Result<TlsIdentity, TlsError> {
        let certificate = read(&self.certificate)?;
        let key = Zeroizing::new(read(&self.key)?);
        let authorities = self.client_authorities.as_deref().map(read).transpose()?;
        TlsIdentity::new(&certificate, &key, authorities.as_deref(), alpn)
    }

    fn stamps(&self) -> [Stamp; 3] {
        let stamp = |path: &Path| {
            let file = std::fs::metadata(path).ok()?;
            let (device, inode, size) = (file.dev() as i64, file.ino() as i64, file.size() as i64);
            Some([device, inode, size, file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()])
        };
        [stamp(&self.certificate), stamp(&self.key), self.client_authorities.as_deref().and_then(stamp)]
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::Unreadable { path: path.to_path_buf(), error })
}

/// The identity in force. Cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    files: TlsFiles,
    alpn: &'static [&'static [u8]],
    identity: RwLock<TlsIdentity>,
    seen: Mutex<Seen>,
}

/// The stamps of the files.
struct Seen {
    /// When what is in force was read.
    in_force: [Stamp; 3],
    /// When they could last not be used, as is in the log.
    refused: Option<[Stamp; 3]>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("files", &self.0.files).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files. `alpn` are the protocols that are offered (RFC 7301).
    ///
    /// # Errors
    /// See [`TlsError`]. The server never falls back to plain text because of an invalid identity.
    pub fn open(files: TlsFiles, alpn: &'static [&'static [u8]]) -> Result<Self, TlsError> {
        // Before they are read, so that a change in between is seen later.
        let seen = Mutex::new(Seen { in_force: files.stamps(), refused: None });
        let identity = RwLock::new(files.load(alpn)?);
        Ok(Self(Arc::new(Shared { files, alpn, identity, seen })))
    }

    /// The identity for a new connection.
    pub fn current(&self) -> TlsIdentity {
        self.0.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again whenever they change, until it is dropped. Whoever serves with the identity polls this.
    pub async fn watch(&self) -> Infallible {
        loop {
            tokio::time::sleep(INTERVAL).await;
            let tls = self.clone();
            // A file system that hangs does not stop the clients. A panic is reported by its hook.
            let _ = tokio::task::spawn_blocking(move || tls.refresh()).await;
        }
    }

    /// Reads the files again if they have changed.
    fn refresh(&self) {
        let Shared { files, alpn, identity, seen } = &*self.0;
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = files.stamps();
        if seen.in_force == now {
            return;
        }
        match files.load(alpn) {
            Ok(loaded) => {
                *seen = Seen { in_force: now, refused: None };
                let old = std::mem::replace(&mut *identity.write().unwrap_or_else(PoisonError::into_inner), loaded);
                old.replace();
                tracing::info!(certificate = %files.certificate.display(), "the TLS files have changed and are in force");
            }
            // A read that failed may succeed the next time without a change.
            Err(_) if seen.refused == Some(now) => {}
            Err(error) => {
                seen.refused = Some(now);
                tracing::error!(
                    certificate = %files.certificate.display(),
                    %error,
                    "the TLS files have changed and cannot be used; the identity that was read before stays in force"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    /// Replaces a file by another one, as programs that renew certificates do.
    fn replace(folder: &TempDir, name: &str, text: &str) {
        std::fs::write(folder.path().join("new"), text).unwrap();
        std::fs::rename(folder.path().join("new"), folder.path().join(name)).unwrap();
    }

    fn files(folder: &TempDir, client_authorities: Option<&str>) -> TlsFiles {
        let path = |name: &str| folder.path().join(name);
        TlsFiles {
            certificate: path("tls.crt"),
            key: path("tls.key"),
            client_authorities: client_authorities.map(path),
        }
    }

    fn end_point(tls: &Tls) -> Vec<u8> {
        tls.current().end_point().unwrap().to_vec()
    }

    #[test]
    fn a_pair_that_changed_comes_into_force_together() {
        let folder = tempfile::tempdir().unwrap();
        let ((old, old_key), (new, new_key)) = (pair(), pair());
        replace(&folder, "tls.crt", &old);
        replace(&folder, "tls.key", &old_key);
        let tls = Tls::open(files(&folder, None), &[]).unwrap();
        let first = end_point(&tls);
        tls.refresh();
        assert_eq!(end_point(&tls), first, "nothing has changed");
        // Only one of the two has been replaced yet.
        replace(&folder, "tls.crt", &new);
        tls.refresh();
        assert_eq!(end_point(&tls), first);
        replace(&folder, "tls.key", &new_key);
        tls.refresh();
        let second = end_point(&tls);
        assert_ne!(second, first);
        // Neither a broken file nor a missing one ends what is in force.
        replace(&folder, "tls.key", "no key");
        tls.refresh();
        std::fs::remove_file(folder.path().join("tls.crt")).unwrap();
        tls.refresh();
        assert_eq!(end_point(&tls), second);
        replace(&folder, "tls.crt", &old);
        replace(&folder, "tls.key", &old_key);
        tls.refresh();
        assert_eq!(end_point(&tls), first);
    }

    #[test]
    fn authorities_of_clients_are_read_again_with_the_pair() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = pair();
        replace(&folder, "tls.crt", &certificate);
        replace(&folder, "tls.key", &key);
        let open = || Tls::open(files(&folder, Some("clients.crt")), &[]);
        assert!(matches!(open(), Err(TlsError::Unreadable { path, .. }) if path.ends_with("clients.crt")));
        replace(&folder, "clients.crt", &pair().0);
        let tls = open().unwrap();
        let before = tls.0.seen.lock().unwrap().in_force[2];
        replace(&folder, "clients.crt", &pair().0);
        tls.refresh();
        assert_ne!(tls.0.seen.lock().unwrap().in_force[2], before);
    }

    #[test]
    fn a_read_that_failed_once_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let ((old, old_key), (new, new_key)) = (pair(), pair());
        replace(&folder, "tls.crt", &old);
        replace(&folder, "tls.key", &old_key);
        let tls = Tls::open(files(&folder, None), &[]).unwrap();
        let first = end_point(&tls);
        replace(&folder, "tls.crt", &new);
        tls.refresh();
        let refused = tls.0.seen.lock().unwrap().refused;
        assert!(refused == Some(tls.0.files.stamps()) && end_point(&tls) == first);
        replace(&folder, "tls.key", &new_key);
        // The same files could not be read before, as on a file system that was away for a moment.
        tls.0.seen.lock().unwrap().refused = Some(tls.0.files.stamps());
        tls.refresh();
        assert_ne!(end_point(&tls), first);
        assert!(tls.0.seen.lock().unwrap().refused.is_none());
    }

    #[tokio::test]
    async fn who_uses_an_identity_learns_that_it_was_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let ((old, old_key), (new, new_key)) = (pair(), pair());
        replace(&folder, "tls.crt", &old);
        replace(&folder, "tls.key", &old_key);
        let tls = Tls::open(files(&folder, None), &[]).unwrap();
        let before = tls.current();
        replace(&folder, "tls.crt", &new);
        tls.refresh();
        let is_replaced = tokio::time::timeout(Duration::from_millis(1), before.replaced()).await.is_ok();
        assert!(!is_replaced, "a pair that does not fit replaces nothing");
        replace(&folder, "tls.key", &new_key);
        tls.refresh();
        before.replaced().await;
        assert!(tokio::time::timeout(Duration::from_millis(1), tls.current().replaced()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_noticed_within_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let ((old, old_key), (new, new_key)) = (pair(), pair());
        replace(&folder, "tls.crt", &old);
        replace(&folder, "tls.key", &old_key);
        let tls = Tls::open(files(&folder, None), &[]).unwrap();
        let first = end_point(&tls);
        replace(&folder, "tls.crt", &new);
        replace(&folder, "tls.key", &new_key);
        let watched = tokio::time::timeout(Duration::from_secs(3), tls.watch()).await;
        assert!(watched.is_err() && end_point(&tls) != first);
    }
}
