//! The reader's half of the key ring: the keys that the identities of one caller decrypt.

use super::master_key::MasterKeyId;
use super::material::KeyMaterial;
use crate::{Archive, ArchiveError, DataFile, paths};
use holdfast_events::Tier;
use object_store::ObjectStoreExt;
use parquet::encryption::decrypt::{FileDecryptionProperties, KeyRetriever};
use parquet::errors::ParquetError;
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of an age file that holds a key. A larger one is refused: a header with thousands of stanzas would cost as
/// many key agreements.
const MAX_KEY_FILE_BYTES: usize = 256 * 1024;
/// Data keys that are cached. One takes about 300 bytes.
const MAX_CACHED_DATA_KEYS: usize = 100_000;

/// Decrypts master keys and data keys with the identities of one caller.
pub struct Unlocker {
    archive: Archive,
    identities: Vec<age::x25519::Identity>,
    cache: Arc<KeyCache>,
}

/// The keys that were decrypted so far. Shared with the key retrievers of the files that are being read.
#[derive(Default)]
struct KeyCache {
    masters: Mutex<HashMap<MasterKeyId, MasterKey>>,
    data_keys: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

#[derive(Clone)]
enum MasterKey {
    Decrypted(age::x25519::Identity),
    /// None of the caller's identities decrypts it.
    Withheld,
    /// It does not exist.
    Missing,
}

impl Unlocker {
    /// An unlocker for a caller with these `identities`.
    pub fn new(archive: Archive, identities: Vec<age::x25519::Identity>) -> Self {
        Self { archive, identities, cache: Arc::default() }
    }

    /// Decrypts the master keys of `files`, as far as the caller's identities allow.
    pub async fn prepare(&self, files: &[DataFile]) -> Result<(), ArchiveError> {
        let mut wanted: Vec<MasterKeyId> =
            files.iter().flat_map(|file| Tier::ALL.map(|tier| MasterKeyId::of(tier, &file.class, file.date))).collect();
        wanted.sort();
        wanted.dedup();
        {
            let masters = lock(&self.cache.masters);
            wanted.retain(|id| !masters.contains_key(id));
        }
        for id in wanted {
            let key = self.open_master(&id).await?;
            lock(&self.cache.masters).insert(id, key);
        }
        Ok(())
    }

    /// Whether the caller can read a tier's columns in `file`. The file must have been prepared.
    pub fn can_read(&self, tier: Tier, file: &DataFile) -> bool {
        let id = MasterKeyId::of(tier, &file.class, file.date);
        matches!(lock(&self.cache.masters).get(&id), Some(MasterKey::Decrypted(_)))
    }

    /// The tiers of which at least one master key was decrypted.
    pub fn tiers(&self) -> Vec<Tier> {
        let masters = lock(&self.cache.masters);
        let open =
            |tier: &Tier| masters.iter().any(|(id, key)| id.tier == *tier && matches!(key, MasterKey::Decrypted(_)));
        Tier::ALL.into_iter().filter(open).collect()
    }

    /// The decryption properties of the data file with this id, for a Parquet reader. The reader refuses a file with
    /// another id, because the id is authenticated.
    pub fn decryption(&self, file_id: &str) -> Result<Arc<FileDecryptionProperties>, ArchiveError> {
        let retriever = Arc::new(Retriever { cache: Arc::clone(&self.cache) });
        FileDecryptionProperties::with_key_retriever(retriever)
            .with_aad_prefix(file_id.as_bytes().to_vec())
            .build()
            .map_err(|source| ArchiveError::Parquet { doing: format!("prepare to decrypt {file_id}"), source })
    }

    /// The identity of a master key.
    pub(crate) async fn master(&self, id: &MasterKeyId) -> Result<age::x25519::Identity, ArchiveError> {
        let known = lock(&self.cache.masters).get(id).cloned();
        let key = match known {
            Some(key) => key,
            None => {
                let key = self.open_master(id).await?;
                lock(&self.cache.masters).insert(id.clone(), key.clone());
                key
            }
        };
        match key {
            MasterKey::Decrypted(identity) => Ok(identity),
            MasterKey::Withheld => Err(ArchiveError::NoKey { id: id.clone() }),
            MasterKey::Missing => Err(ArchiveError::MissingKey { id: id.clone() }),
        }
    }

    async fn open_master(&self, id: &MasterKeyId) -> Result<MasterKey, ArchiveError> {
        if self.identities.is_empty() {
            return Ok(MasterKey::Withheld);
        }
        let path = paths::master_private(id);
        let read = async { self.archive.store().get(&path).await?.bytes().await };
        let file = match read.await {
            Ok(file) => file,
            Err(object_store::Error::NotFound { .. }) => return Ok(MasterKey::Missing),
            Err(source) => return Err(ArchiveError::Store { doing: format!("read {path}"), source }),
        };
        let damaged = |why: &str| ArchiveError::Damaged { what: path.to_string(), why: why.to_owned() };
        match decrypt(&self.identities, &file) {
            Ok(text) => {
                let text = String::from_utf8(text).map_err(|_| damaged("it contains no age identity"))?;
                let line = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-"));
                let line = line.ok_or_else(|| damaged("it contains no age identity"))?;
                Ok(MasterKey::Decrypted(line.trim().parse().map_err(damaged)?))
            }
            Err(age::DecryptError::NoMatchingKeys) => Ok(MasterKey::Withheld),
            Err(source) => Err(ArchiveError::Decrypt { what: path.to_string(), source }),
        }
    }
}

/// Gives keys to the Parquet reader. It runs inside the reader and does no I/O.
struct Retriever {
    cache: Arc<KeyCache>,
}

impl KeyRetriever for Retriever {
    fn retrieve_key(&self, metadata: &[u8]) -> parquet::errors::Result<Vec<u8>> {
        let refuse = |why: String| ParquetError::General(why);
        let material = KeyMaterial::parse(metadata).map_err(|why| refuse(why.to_owned()))?;
        if let Some(key) = lock(&self.cache.data_keys).get(&material.wrapped) {
            return Ok(key.clone());
        }
        let master = lock(&self.cache.masters).get(&material.master).cloned();
        let Some(MasterKey::Decrypted(identity)) = master else {
            return Err(refuse(format!("no key for {}", material.master)));
        };
        let key = decrypt(&[identity], &material.wrapped)
            .map_err(|error| refuse(format!("unwrap a data key of {}: {error}", material.master)))?;
        let mut known = lock(&self.cache.data_keys);
        if known.len() >= MAX_CACHED_DATA_KEYS {
            known.clear();
        }
        known.insert(material.wrapped, key.clone());
        Ok(key)
    }
}

/// Decrypts a small age file with any of `identities`.
fn decrypt(identities: &[age::x25519::Identity], file: &[u8]) -> Result<Vec<u8>, age::DecryptError> {
    if file.len() > MAX_KEY_FILE_BYTES {
        return Err(age::DecryptError::InvalidHeader);
    }
    let decryptor = age::Decryptor::new(file)?;
    let mut plain = Vec::new();
    let identities = identities.iter().map(|identity| identity as &dyn age::Identity);
    decryptor.decrypt(identities)?.read_to_end(&mut plain)?;
    Ok(plain)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every insert is atomic, so the map is consistent also after a panic under the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
