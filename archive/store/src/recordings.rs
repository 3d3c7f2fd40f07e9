//! Recording objects: consecutive chunks of one recording, encrypted with age to the content key of their month.
//!
//! An object is never written over. When its name is taken (a replay after a crash, a chunk that came twice), the new one
//! gets a name of its own; the index rows say which object holds which chunk, and an object that no row names is waste,
//! not loss.

use crate::error::ArchiveError;
use crate::keys::{KeyRing, MasterKeyId, Unlocker};
use crate::proof::object_id;
use crate::{Archive, paths};
use bytes::Bytes;
use holdfast_events::Tier;
use holdfast_proof::{Digest32, FileDigest};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions};
use sha2::{Digest, Sha256};
use std::io::{Read, Seek, SeekFrom};

/// What a recording object holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingSpan<'s> {
    /// The session.
    pub session: &'s str,
    /// The recording.
    pub recording: &'s str,
    /// The number of the first chunk.
    pub first: i64,
    /// The number of the last chunk.
    pub last: i64,
}

/// A recording object that was put.
#[derive(Debug, Clone)]
pub struct StoredObject {
    /// Where it is, relative to the archive.
    pub path: Path,
    /// What stands there.
    pub bytes: Bytes,
}

impl StoredObject {
    /// What the proof log says of it.
    pub fn digest(&self) -> FileDigest {
        FileDigest {
            id: object_id(self.path.as_ref()),
            rows: 0,
            size: self.bytes.len() as u64,
            sha256: Digest32(Sha256::digest(&self.bytes).into()),
            time: None,
        }
    }
}

/// Encrypts `chunks` for the holders of `master` and puts them under the span's name. `distinction` is the end of the
/// name if that is taken.
pub async fn put(
    archive: &Archive,
    ring: &KeyRing,
    master: &MasterKeyId,
    span: &RecordingSpan<'_>,
    chunks: &[u8],
    distinction: &str,
) -> Result<StoredObject, ArchiveError> {
    let recipient = ring.recipient(master).await?;
    let path = paths::recording(span.session, span.recording, span.first, span.last, None);
    let object: Bytes = crate::keys::encrypt(&[&recipient], chunks)
        .map_err(|source| ArchiveError::Encrypt { what: path.to_string(), source })?
        .into();
    let other = paths::recording(span.session, span.recording, span.first, span.last, Some(distinction));
    for path in [path, other] {
        let create = PutOptions::from(PutMode::Create);
        match archive.store().put_opts(&path, object.clone().into(), create).await {
            Ok(_) => return Ok(StoredObject { path, bytes: object }),
            Err(object_store::Error::AlreadyExists { .. }) => {
                // A put whose answer was lost is found here by its bytes: no two encryptions are equal.
                if get(archive, &path).await? == object {
                    return Ok(StoredObject { path, bytes: object });
                }
            }
            Err(source) => return Err(ArchiveError::Store { doing: format!("put {path}"), source }),
        }
    }
    Err(ArchiveError::Damaged {
        what: paths::recording(span.session, span.recording, span.first, span.last, Some(distinction)).to_string(),
        why: "an object of that name, which is made up anew every time, is there already".to_owned(),
    })
}

/// The tier of recordings.
pub const TIER: Tier = Tier::Content;

/// Reads `length` bytes at `offset` of the decrypted object at `path`. `class` and `date` are those of the index row.
pub async fn read_chunk(
    archive: &Archive,
    unlocker: &Unlocker,
    class: &str,
    date: i32,
    path: &str,
    offset: u64,
    length: u64,
) -> Result<Bytes, ArchiveError> {
    let identity = unlocker.master(&MasterKeyId::of(TIER, class, date)).await?;
    let location = Path::parse(path).map_err(|error| ArchiveError::Damaged {
        what: format!("the path `{path}` of a recording object"),
        why: error.to_string(),
    })?;
    let object = get(archive, &location).await?;
    let failed = |source| ArchiveError::Decrypt { what: path.to_owned(), source };
    let decryptor = age::Decryptor::new(std::io::Cursor::new(object)).map_err(failed)?;
    let mut reader = decryptor.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(failed)?;
    let mut chunk = Vec::new();
    reader.seek(SeekFrom::Start(offset)).map_err(|error| failed(error.into()))?;
    reader.take(length).read_to_end(&mut chunk).map_err(|error| failed(error.into()))?;
    if (chunk.len() as u64) < length {
        return Err(ArchiveError::Damaged {
            what: path.to_owned(),
            why: format!("it ends before byte {}", offset + length),
        });
    }
    Ok(chunk.into())
}

/// Decrypts a whole object.
pub(crate) fn decrypt_object(
    path: &str,
    object: Bytes,
    identity: &age::x25519::Identity,
) -> Result<Vec<u8>, ArchiveError> {
    let failed = |source| ArchiveError::Decrypt { what: path.to_owned(), source };
    let decryptor = age::Decryptor::new(std::io::Cursor::new(object)).map_err(failed)?;
    let mut reader = decryptor.decrypt(std::iter::once(identity as &dyn age::Identity)).map_err(failed)?;
    let mut plain = Vec::new();
    reader.read_to_end(&mut plain).map_err(|error| failed(error.into()))?;
    Ok(plain)
}

async fn get(archive: &Archive, path: &Path) -> Result<Bytes, ArchiveError> {
    let read = async { archive.store().get(path).await?.bytes().await };
    read.await.map_err(|source| ArchiveError::Store { doing: format!("read {path}"), source })
}
