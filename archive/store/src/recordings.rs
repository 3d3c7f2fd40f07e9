//! Recording objects: consecutive chunks of one recording, encrypted with age to the content key of their month.
//!
//! An object is never overwritten. If its name is taken (a replay after a crash, a duplicate chunk), the new object
//! gets a name with a suffix. The index rows name the object of each chunk. An object that no row names is waste, not
//! loss.

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

/// The chunks of a recording object.
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
    /// Its path, relative to the archive.
    pub path: Path,
    /// Its encrypted bytes.
    pub bytes: Bytes,
}

impl StoredObject {
    /// Its digest, as the proof log attests it.
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

/// Encrypts `chunks` for the holders of `master` and puts them under the span's name. If that name is taken, `suffix`,
/// which must be unique, is appended to it.
pub async fn put(
    archive: &Archive,
    ring: &KeyRing,
    master: &MasterKeyId,
    span: &RecordingSpan<'_>,
    chunks: &[u8],
    suffix: &str,
) -> Result<StoredObject, ArchiveError> {
    let recipient = ring.recipient(master).await?;
    let path = paths::recording(span.session, span.recording, span.first, span.last, None);
    let object: Bytes = crate::keys::encrypt(&[&recipient], chunks)
        .map_err(|source| ArchiveError::Encrypt { what: path.to_string(), source })?
        .into();
    let other = paths::recording(span.session, span.recording, span.first, span.last, Some(suffix));
    for path in [path, other] {
        let create = PutOptions::from(PutMode::Create);
        match archive.store().put_opts(&path, object.clone().into(), create).await {
            Ok(_) => return Ok(StoredObject { path, bytes: object }),
            Err(object_store::Error::AlreadyExists { .. }) => {
                // A put whose response was lost is recognised by its bytes: no two encryptions are equal.
                if get(archive, &path).await? == object {
                    return Ok(StoredObject { path, bytes: object });
                }
            }
            Err(source) => return Err(ArchiveError::Store { doing: format!("put {path}"), source }),
        }
    }
    Err(ArchiveError::Damaged {
        what: paths::recording(span.session, span.recording, span.first, span.last, Some(suffix)).to_string(),
        why: "an object with this name exists already, although the suffix must be unique".to_owned(),
    })
}

/// The tier of recordings.
pub const TIER: Tier = Tier::Content;

/// Where a chunk is, as its index row names it.
#[derive(Debug, Clone, Copy)]
pub struct ChunkLocation<'r> {
    /// The retention class.
    pub class: &'r str,
    /// The filing date, in days since 1970-01-01.
    pub date: i32,
    /// The object's path, relative to the archive.
    pub path: &'r str,
    /// The first byte of the chunk in the decrypted object.
    pub offset: u64,
    /// The bytes of the chunk.
    pub length: u64,
}

/// Reads and decrypts one chunk.
///
/// # Errors
/// When the caller's keys do not decrypt the object, or the object cannot be read or ends before the chunk does.
pub async fn read_chunk(
    archive: &Archive,
    unlocker: &Unlocker,
    chunk: &ChunkLocation<'_>,
) -> Result<Bytes, ArchiveError> {
    let ChunkLocation { class, date, path, offset, length } = *chunk;
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
