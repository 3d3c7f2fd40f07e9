//! Encrypted temporary files for DataFusion.
//!
//! ```text
//! rows ─▶ frames of at most 128 KiB ─▶ AES-256-GCM, nonce = number of the frame ─▶ length, ciphertext ─▶ file
//! ```
//!
//! Each file has a random key of its own, which is in memory only, and is deleted with its last user. Files that a
//! crash leaves behind cannot be decrypted.

use bytes::Bytes;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::NamedTempFile;

const FRAME_BYTES: usize = 128 << 10;
const TAG_BYTES: usize = 16;

/// Creates encrypted temporary files in one folder.
pub(super) struct EncryptedTempFiles {
    directory: PathBuf,
    quota: Arc<Quota>,
}

/// The bytes that all files together may take, and take.
struct Quota {
    limit: u64,
    used: AtomicU64,
}

impl EncryptedTempFiles {
    /// Files in `directory` that together take at most `limit` bytes.
    pub(super) fn new(directory: PathBuf, limit: u64) -> Self {
        Self { directory, quota: Arc::new(Quota { limit, used: AtomicU64::new(0) }) }
    }
}

impl TempFileFactory for EncryptedTempFiles {
    fn create_temp_file(&self, _: &str) -> Result<Arc<dyn SpillFile>> {
        std::fs::create_dir_all(&self.directory)?;
        let file = tempfile::Builder::new().prefix("holdfast-spill-").tempfile_in(&self.directory)?;
        let mut key = [0; 32];
        SystemRandom::new().fill(&mut key).map_err(io::Error::other)?;
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(io::Error::other)?;
        let content = Content {
            file,
            key: LessSafeKey::new(key),
            frames: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            quota: Arc::clone(&self.quota),
        };
        Ok(Arc::new(EncryptedFile(Arc::new(content))))
    }
}

struct EncryptedFile(Arc<Content>);

struct Content {
    file: NamedTempFile,
    key: LessSafeKey,
    frames: AtomicU64,
    bytes: AtomicU64,
    quota: Arc<Quota>,
}

impl Drop for Content {
    fn drop(&mut self) {
        self.quota.used.fetch_sub(self.bytes.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl fmt::Debug for EncryptedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptedFile")
    }
}

fn nonce(frame: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[..8].copy_from_slice(&frame.to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

impl SpillFile for EncryptedFile {
    fn size(&self) -> Option<u64> {
        Some(self.0.bytes.load(Ordering::Relaxed))
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        let reader = Reader { file: self.0.file.reopen()?, content: Arc::clone(&self.0), next: 0 };
        let frames = futures::stream::try_unfold(reader, |mut reader| async move {
            let read = tokio::task::spawn_blocking(move || {
                let frame = reader.frame()?;
                Ok::<_, io::Error>(frame.map(|frame| (frame, reader)))
            });
            Ok(read.await.map_err(io::Error::other)??)
        });
        Ok(Box::pin(frames))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        let file = self.0.file.as_file().try_clone()?;
        Ok(Box::new(Writer { file, content: Arc::clone(&self.0), plain: Vec::with_capacity(FRAME_BYTES + TAG_BYTES) }))
    }
}

struct Reader {
    file: File,
    content: Arc<Content>,
    next: u64,
}

impl Reader {
    /// The next frame, or `None` after the last complete one.
    fn frame(&mut self) -> io::Result<Option<Bytes>> {
        if self.next == self.content.frames.load(Ordering::Acquire) {
            return Ok(None);
        }
        let mut length = [0; 4];
        self.file.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > FRAME_BYTES + TAG_BYTES {
            return Err(io::Error::other("a temporary file was altered"));
        }
        let mut frame = vec![0; length];
        self.file.read_exact(&mut frame)?;
        let plain = self.content.key.open_in_place(nonce(self.next), Aad::empty(), &mut frame);
        let length = plain.map_err(|_| io::Error::other("a temporary file was altered"))?.len();
        frame.truncate(length);
        self.next += 1;
        Ok(Some(frame.into()))
    }
}

struct Writer {
    file: File,
    content: Arc<Content>,
    plain: Vec<u8>,
}

impl Writer {
    fn seal(&mut self) -> io::Result<()> {
        if self.plain.is_empty() {
            return Ok(());
        }
        let Content { key, frames, bytes, quota, .. } = self.content.as_ref();
        let size = (self.plain.len() + TAG_BYTES + 4) as u64;
        if quota.used.fetch_add(size, Ordering::Relaxed) + size > quota.limit {
            quota.used.fetch_sub(size, Ordering::Relaxed);
            let limit = quota.limit >> 20;
            let full = format!("temporary files would take more than their limit of {limit} MiB");
            return Err(io::Error::other(DataFusionError::ResourcesExhausted(full)));
        }
        bytes.fetch_add(size, Ordering::Relaxed);
        let frame = frames.load(Ordering::Acquire);
        key.seal_in_place_append_tag(nonce(frame), Aad::empty(), &mut self.plain).map_err(io::Error::other)?;
        self.file.write_all(&(self.plain.len() as u32).to_le_bytes())?;
        self.file.write_all(&self.plain)?;
        self.plain.clear();
        frames.store(frame + 1, Ordering::Release);
        Ok(())
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = FRAME_BYTES - self.plain.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.plain.extend_from_slice(taken);
        if self.plain.len() == FRAME_BYTES {
            self.seal()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.seal()
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        Ok(self.seal()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::TryStreamExt;

    #[tokio::test]
    async fn spilled_rows_are_read_back_and_are_encrypted_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let files = EncryptedTempFiles::new(folder.path().to_owned(), 1 << 20);
        let file = files.create_temp_file("test").unwrap();
        let text = "a planted secret. ".repeat(20_000);
        let mut writer = file.open_writer().unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        writer.finish().unwrap();

        let frames: Vec<Bytes> = file.read_stream().unwrap().try_collect().await.unwrap();
        assert_eq!(frames.concat(), text.as_bytes());
        let entry = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        let raw = std::fs::read(entry.path()).unwrap();
        assert!(!raw.windows(14).any(|window| window == b"planted secret"));
        assert_eq!(file.size(), Some(raw.len() as u64));
        drop((file, writer));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn files_do_not_exceed_their_limit() {
        let folder = tempfile::tempdir().unwrap();
        let files = EncryptedTempFiles::new(folder.path().to_owned(), 200 << 10);
        let file = files.create_temp_file("test").unwrap();
        let mut writer = file.open_writer().unwrap();
        assert!(writer.write_all(&[7; 300 << 10]).is_err());
        drop((file, writer));
        let file = files.create_temp_file("test").unwrap();
        file.open_writer().unwrap().write_all(&[7; 130 << 10]).unwrap();
    }

    #[tokio::test]
    async fn an_altered_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = EncryptedTempFiles::new(folder.path().to_owned(), 1 << 20);
        let file = files.create_temp_file("test").unwrap();
        let mut writer = file.open_writer().unwrap();
        writer.write_all(b"some rows").unwrap();
        writer.finish().unwrap();
        let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        let mut raw = std::fs::read(&path).unwrap();
        raw[10] ^= 1;
        std::fs::write(&path, raw).unwrap();
        assert!(file.read_stream().unwrap().try_collect::<Vec<_>>().await.is_err());
    }
}
