//! The reader's half of the key ring: what the identities of one caller open.

use super::{KeyMaterial, MasterKeyId};
use crate::{Archive, ArchiveError, DataFile, paths};
use holdfast_events::Tier;
use object_store::ObjectStoreExt;
use parquet::encryption::decrypt::{FileDecryptionProperties, KeyRetriever};
use parquet::errors::ParquetError;
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An age file from the archive is refused when it is larger than this where a key is expected: a header with thousands
/// of stanzas would cost as many key agreements.
const LARGEST_KEY_FILE: usize = 256 * 1024;
/// Data keys that are remembered. One takes about 300 bytes.
const REMEMBERED_DATA_KEYS: usize = 100_000;

/// Opens master keys and data keys with the identities of one caller.
pub struct Unlocker {
    archive: Archive,
    identities: Vec<age::x25519::Identity>,
    opened: Arc<Opened>,
}

/// What has been opened so far. Shared with the key retrievers of the files that are being read.
#[derive(Default)]
struct Opened {
    masters: Mutex<HashMap<MasterKeyId, Access>>,
    data_keys: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

#[derive(Clone)]
enum Access {
    Open(age::x25519::Identity),
    /// The key is there, but not for this caller.
    Withheld,
    /// The key is not there.
    Missing,
}

impl Unlocker {
    /// An unlocker for a caller who has `identities`.
    pub fn new(archive: Archive, identities: Vec<age::x25519::Identity>) -> Self {
        Self { archive, identities, opened: Arc::default() }
    }

    /// Opens the master keys of `files`, as far as the caller may.
    pub async fn prepare(&self, files: &[DataFile]) -> Result<(), ArchiveError> {
        let mut wanted: Vec<MasterKeyId> =
            files.iter().flat_map(|file| Tier::ALL.map(|tier| MasterKeyId::of(tier, &file.class, file.date))).collect();
        wanted.sort();
        wanted.dedup();
        {
            let masters = lock(&self.opened.masters);
            wanted.retain(|id| !masters.contains_key(id));
        }
        for id in wanted {
            let access = self.open_master(&id).await?;
            lock(&self.opened.masters).insert(id, access);
        }
        Ok(())
    }

    /// Whether the caller can read a tier's columns in `file`, which must have been prepared.
    pub fn can_read(&self, tier: Tier, file: &DataFile) -> bool {
        let id = MasterKeyId::of(tier, &file.class, file.date);
        matches!(lock(&self.opened.masters).get(&id), Some(Access::Open(_)))
    }

    /// The tiers of which at least one master key was opened.
    pub fn tiers(&self) -> Vec<Tier> {
        let masters = lock(&self.opened.masters);
        let open =
            |tier: &Tier| masters.iter().any(|(id, access)| id.tier == *tier && matches!(access, Access::Open(_)));
        Tier::ALL.into_iter().filter(open).collect()
    }

    /// What a Parquet reader needs for the data file with this id. A file that carries another id in place of its own is
    /// refused by the reader, because the id is part of what is authenticated.
    pub fn decryption(&self, file_id: &str) -> Result<Arc<FileDecryptionProperties>, ArchiveError> {
        let retriever = Arc::new(Retriever { opened: Arc::clone(&self.opened) });
        FileDecryptionProperties::with_key_retriever(retriever)
            .with_aad_prefix(file_id.as_bytes().to_vec())
            .build()
            .map_err(|source| ArchiveError::Parquet { doing: format!("prepare to decrypt {file_id}"), source })
    }

    /// The identity of a master key.
    pub(crate) async fn master(&self, id: &MasterKeyId) -> Result<age::x25519::Identity, ArchiveError> {
        let known = lock(&self.opened.masters).get(id).cloned();
        let access = match known {
            Some(access) => access,
            None => {
                let access = self.open_master(id).await?;
                lock(&self.opened.masters).insert(id.clone(), access.clone());
                access
            }
        };
        match access {
            Access::Open(identity) => Ok(identity),
            Access::Withheld => Err(ArchiveError::NoKey { id: id.clone() }),
            Access::Missing => Err(ArchiveError::MissingKey { id: id.clone() }),
        }
    }

    async fn open_master(&self, id: &MasterKeyId) -> Result<Access, ArchiveError> {
        if self.identities.is_empty() {
            return Ok(Access::Withheld);
        }
        let path = paths::master_private(id);
        let read = async { self.archive.store().get(&path).await?.bytes().await };
        let file = match read.await {
            Ok(file) => file,
            Err(object_store::Error::NotFound { .. }) => return Ok(Access::Missing),
            Err(source) => return Err(ArchiveError::Store { doing: format!("read {path}"), source }),
        };
        let damaged = |why: &str| ArchiveError::Damaged { what: path.to_string(), why: why.to_owned() };
        match decrypt(&self.identities, &file) {
            Ok(text) => {
                let text = String::from_utf8(text).map_err(|_| damaged("it holds no age identity"))?;
                let line = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-"));
                let line = line.ok_or_else(|| damaged("it holds no age identity"))?;
                Ok(Access::Open(line.trim().parse().map_err(damaged)?))
            }
            Err(age::DecryptError::NoMatchingKeys) => Ok(Access::Withheld),
            Err(source) => Err(ArchiveError::Decrypt { what: path.to_string(), source }),
        }
    }
}

/// Answers the Parquet reader's question for a key. It runs inside the reader and does no I/O.
struct Retriever {
    opened: Arc<Opened>,
}

impl KeyRetriever for Retriever {
    fn retrieve_key(&self, metadata: &[u8]) -> parquet::errors::Result<Vec<u8>> {
        let refuse = |why: String| ParquetError::General(why);
        let material = KeyMaterial::parse(metadata).map_err(|why| refuse(why.to_owned()))?;
        if let Some(key) = lock(&self.opened.data_keys).get(&material.wrapped) {
            return Ok(key.clone());
        }
        let access = lock(&self.opened.masters).get(&material.master).cloned();
        let Some(Access::Open(identity)) = access else {
            return Err(refuse(format!("no key for {}", material.master)));
        };
        let key = decrypt(&[identity], &material.wrapped)
            .map_err(|error| refuse(format!("unwrap a data key of {}: {error}", material.master)))?;
        let mut known = lock(&self.opened.data_keys);
        if known.len() >= REMEMBERED_DATA_KEYS {
            known.clear();
        }
        known.insert(material.wrapped, key.clone());
        Ok(key)
    }
}

/// Decrypts a small age file with any of `identities`.
fn decrypt(identities: &[age::x25519::Identity], file: &[u8]) -> Result<Vec<u8>, age::DecryptError> {
    if file.len() > LARGEST_KEY_FILE {
        return Err(age::DecryptError::InvalidHeader);
    }
    let decryptor = age::Decryptor::new(file)?;
    let mut plain = Vec::new();
    let identities = identities.iter().map(|identity| identity as &dyn age::Identity);
    decryptor.decrypt(identities)?.read_to_end(&mut plain)?;
    Ok(plain)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Only whole entries are put in, so the map is whole also when a holder of the lock panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
