//! The key of the broker's files, and the encrypted envelope of each batch.
//!
//! ```text
//! envelope = version (1 byte, 0x01) ‖ salt (32 bytes, random) ‖ AES-256-GCM(plaintext) ‖ tag (16 bytes)
//! key (32 bytes) ‖ nonce (12 bytes) = HKDF-SHA256(spool key, salt, "holdfast broker envelope 1")
//! ```
//!
//! Every envelope has a key of its own, so random nonces do not limit the number of batches. Topic and partition are
//! the associated data, so an envelope that was moved does not decrypt.

use std::{
    fmt,
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use bytes::Bytes;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

use crate::KeyError;

const KEY_LENGTH: usize = 32;
const SALT_LENGTH: usize = 32;
const TAG_LENGTH: usize = 16;
const VERSION: u8 = 1;
const PREFIX: usize = 1 + SALT_LENGTH;
const INFORMATION: &[u8] = b"holdfast broker envelope 1";

/// Bytes that an envelope adds to its plaintext.
pub(crate) const OVERHEAD: usize = PREFIX + TAG_LENGTH;

/// An envelope does not decrypt: another key, other associated data, or altered bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct DecryptError;

/// The 32-byte key that encrypts everything the broker stores. Wiped from memory when dropped.
#[derive(Clone)]
pub struct SpoolKey(Zeroizing<[u8; KEY_LENGTH]>);

impl fmt::Debug for SpoolKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SpoolKey(..)")
    }
}

struct DerivedLength;

impl KeyType for DerivedLength {
    fn len(&self) -> usize {
        KEY_LENGTH + NONCE_LEN
    }
}

impl SpoolKey {
    /// A new random key.
    ///
    /// # Errors
    /// [`KeyError::Random`] if the operating system provides no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
        SystemRandom::new().fill(&mut bytes[..]).map_err(|_| KeyError::Random)?;
        Ok(Self(bytes))
    }

    /// The key with these 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads a key file written by [`SpoolKey::save`].
    ///
    /// # Errors
    /// The file is missing, readable by other users, or not a key.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let file = |source| KeyError::File { path: path.to_owned(), source };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(path).map_err(file)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeyError::Exposed { path: path.to_owned(), mode });
            }
        }
        let text = Zeroizing::new(fs::read(path).map_err(file)?);
        parse(text.trim_ascii()).map(Self).ok_or_else(|| KeyError::Malformed { path: path.to_owned() })
    }

    /// Writes the key as 64 hexadecimal digits into a new file that only its owner may read. Never overwrites a file.
    ///
    /// # Errors
    /// The file exists already or cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_LENGTH + 1));
        for byte in self.0.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
        text.push('\n');
        options
            .open(path)
            .and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()
            })
            .map_err(|source| KeyError::File { path: path.to_owned(), source })
    }

    /// Encrypts `plaintext` with this associated data.
    pub(crate) fn encrypt(&self, associated_data: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut salt = [0; SALT_LENGTH];
        SystemRandom::new().fill(&mut salt).map_err(|_| KeyError::Random)?;
        let (key, nonce) = self.derive(&salt).ok_or(KeyError::Random)?;

        let mut envelope = Vec::with_capacity(plaintext.len() + OVERHEAD);
        envelope.push(VERSION);
        envelope.extend_from_slice(&salt);
        envelope.extend_from_slice(plaintext);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(associated_data), &mut envelope[PREFIX..])
            .map_err(|_| KeyError::Random)?;
        envelope.extend_from_slice(tag.as_ref());
        Ok(envelope)
    }

    /// Decrypts an envelope with its associated data, in place.
    pub(crate) fn decrypt(&self, associated_data: &[u8], mut envelope: Vec<u8>) -> Result<Bytes, DecryptError> {
        let salt: [u8; SALT_LENGTH] = envelope
            .get(1..PREFIX)
            .and_then(|salt| salt.try_into().ok())
            .filter(|_| envelope[0] == VERSION)
            .ok_or(DecryptError)?;
        let (key, nonce) = self.derive(&salt).ok_or(DecryptError)?;
        let length = key
            .open_in_place(nonce, Aad::from(associated_data), &mut envelope[PREFIX..])
            .map_err(|_| DecryptError)?
            .len();
        Ok(Bytes::from(envelope).slice(PREFIX..PREFIX + length))
    }

    fn derive(&self, salt: &[u8]) -> Option<(LessSafeKey, Nonce)> {
        let mut derived = Zeroizing::new([0; KEY_LENGTH + NONCE_LEN]);
        Salt::new(HKDF_SHA256, salt)
            .extract(&self.0[..])
            .expand(&[INFORMATION], DerivedLength)
            .and_then(|output| output.fill(&mut derived[..]))
            .ok()?;
        let key = UnboundKey::new(&AES_256_GCM, &derived[..KEY_LENGTH]).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(&derived[KEY_LENGTH..]).ok()?;
        Some((LessSafeKey::new(key), nonce))
    }
}

fn parse(text: &[u8]) -> Option<Zeroizing<[u8; KEY_LENGTH]>> {
    if text.len() != 2 * KEY_LENGTH {
        return None;
    }
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let mut value = 0;
        for &digit in digits {
            value = value << 4 | char::from(digit).to_digit(16)?;
        }
        *byte = u8::try_from(value).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
