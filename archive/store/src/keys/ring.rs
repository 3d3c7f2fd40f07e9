//! The writer's half of the key ring: recipients, and master keys generated on first use.
//!
//! A new master key is an age identity. It is encrypted to the tier's holders and then dropped. Two processes may need
//! the same month at the same moment; the one whose `.age` is created first wins. The header of that file names the
//! recipient (as a stanza that age implementations skip), so that the `.pub` can always be written from it, also when
//! the process that created the key died between the two writes.

use super::master_key::MasterKeyId;
use super::material::KeyMaterial;
use crate::{ArchiveError, paths};
use age::secrecy::ExposeSecret;
use age_core::format::{FileKey, Stanza};
use bytes::Bytes;
use holdfast_events::Tier;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// The tag of the stanza that names the recipient of the master key inside.
const RECIPIENT_TAG: &str = "holdfast-recipient";

/// A person or role that may decrypt.
#[derive(Debug, Clone)]
pub struct Holder {
    /// The name.
    pub name: String,
    /// The age recipient.
    pub recipient: age::x25519::Recipient,
    /// The tiers that the holder may decrypt.
    pub tiers: Vec<Tier>,
}

/// The writer's half of the key ring.
#[derive(Debug)]
pub struct KeyRing {
    store: Arc<dyn ObjectStore>,
    holders: Vec<Holder>,
    known: Mutex<HashMap<MasterKeyId, age::x25519::Recipient>>,
}

impl KeyRing {
    /// The ring of the archive in `store`. New master keys are encrypted to `holders`.
    pub fn new(store: Arc<dyn ObjectStore>, holders: Vec<Holder>) -> Result<Self, ArchiveError> {
        for tier in Tier::ALL {
            if !holders.iter().any(|holder| holder.tiers.contains(&tier)) {
                return Err(ArchiveError::NoHolder { tier });
            }
        }
        Ok(Self { store, holders, known: Mutex::default() })
    }

    /// The recipient of a master key, which is generated if it does not exist.
    pub async fn recipient(&self, id: &MasterKeyId) -> Result<age::x25519::Recipient, ArchiveError> {
        if let Some(recipient) = self.known().get(id) {
            return Ok(recipient.clone());
        }
        let recipient = match self.get(&paths::master_public(id)).await? {
            Some(bytes) => parse_recipient(&String::from_utf8_lossy(&bytes), || format!("keys/{id}.pub"))?,
            None => self.create(id).await?,
        };
        self.known().insert(id.clone(), recipient.clone());
        Ok(recipient)
    }

    /// A fresh data key, wrapped for a master key.
    pub async fn data_key(&self, id: &MasterKeyId) -> Result<([u8; 32], KeyMaterial), ArchiveError> {
        use rand::TryRngCore;
        let recipient = self.recipient(id).await?;
        let failed = |source| ArchiveError::Encrypt { what: format!("a data key for {id}"), source };
        let mut key = [0; 32];
        rand::rngs::OsRng.try_fill_bytes(&mut key).map_err(|error| failed(std::io::Error::other(error)))?;
        let wrapped = encrypt(&[&recipient], &key).map_err(failed)?;
        Ok((key, KeyMaterial { master: id.clone(), wrapped }))
    }

    async fn create(&self, id: &MasterKeyId) -> Result<age::x25519::Recipient, ArchiveError> {
        let file =
            self.new_master(id).map_err(|source| ArchiveError::Encrypt { what: format!("keys/{id}.age"), source })?;
        let private = paths::master_private(id);
        let create = PutOptions::from(PutMode::Create);
        match self.store.put_opts(&private, file.into(), create).await {
            // Another process may have been first, or this put may have succeeded with a lost response. The file
            // decides.
            Ok(_) | Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(source) => return Err(ArchiveError::Store { doing: format!("create keys/{id}.age"), source }),
        }
        let file = self.get(&private).await?.ok_or_else(|| ArchiveError::MissingKey { id: id.clone() })?;
        let recipient = recipient_in_header(&file).ok_or_else(|| ArchiveError::Damaged {
            what: format!("keys/{id}.age"),
            why: "its header names no recipient".to_owned(),
        })?;
        let recipient = parse_recipient(&recipient, || format!("keys/{id}.age"))?;
        self.store
            .put(&paths::master_public(id), format!("{recipient}\n").into())
            .await
            .map_err(|source| ArchiveError::Store { doing: format!("write keys/{id}.pub"), source })?;
        Ok(recipient)
    }

    /// The file of a new master key.
    fn new_master(&self, id: &MasterKeyId) -> std::io::Result<Vec<u8>> {
        let identity = age::x25519::Identity::generate();
        let stanza = RecipientStanza(identity.to_public().to_string());
        let mut recipients: Vec<&dyn age::Recipient> = vec![&stanza];
        for holder in self.holders.iter().filter(|holder| holder.tiers.contains(&id.tier)) {
            recipients.push(&holder.recipient);
        }
        let text = format!("# holdfast master key {id}\n{}\n", identity.to_string().expose_secret());
        encrypt(&recipients, text.as_bytes())
    }

    async fn get(&self, path: &object_store::path::Path) -> Result<Option<Bytes>, ArchiveError> {
        let read = async { self.store.get(path).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(ArchiveError::Store { doing: format!("read {path}"), source }),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<MasterKeyId, age::x25519::Recipient>> {
        // Every insert is atomic, so the map is consistent also after a panic under the lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Encrypts `plain` to all of `recipients`.
pub(crate) fn encrypt(recipients: &[&dyn age::Recipient], plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let encryptor = age::Encryptor::with_recipients(recipients.iter().copied()).map_err(std::io::Error::other)?;
    let mut file = Vec::with_capacity(plain.len() + 512);
    let mut writer = encryptor.wrap_output(&mut file)?;
    writer.write_all(plain)?;
    writer.finish()?;
    Ok(file)
}

fn parse_recipient(text: &str, what: impl Fn() -> String) -> Result<age::x25519::Recipient, ArchiveError> {
    text.trim().parse().map_err(|why: &str| ArchiveError::Damaged { what: what(), why: why.to_owned() })
}

/// The recipient that the header of a master key's file names.
pub(crate) fn recipient_in_header(file: &[u8]) -> Option<String> {
    // The header is text and ends with a line that begins with three dashes (age-encryption.org/v1).
    let header = file.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---"));
    header
        .filter_map(|line| std::str::from_utf8(line).ok())
        .find_map(|line| line.strip_prefix("-> ")?.strip_prefix(RECIPIENT_TAG)?.strip_prefix(' ').map(str::to_owned))
}

/// A stanza that names a recipient and wraps no key.
struct RecipientStanza(String);

impl age::Recipient for RecipientStanza {
    fn wrap_file_key(&self, _: &FileKey) -> Result<(Vec<Stanza>, HashSet<String>), age::EncryptError> {
        let stanza = Stanza { tag: RECIPIENT_TAG.to_owned(), args: vec![self.0.clone()], body: Vec::new() };
        Ok((vec![stanza], HashSet::new()))
    }
}
