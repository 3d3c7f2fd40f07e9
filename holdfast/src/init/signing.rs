//! The key that signs the transparency log's checkpoints: Ed25519, in the text forms of C2SP signed-note.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The algorithm's number in signed-note.
const ED25519: u8 = 1;

/// A named Ed25519 key.
pub(crate) struct SigningKey {
    name: String,
    seed: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl SigningKey {
    /// The key of a 32-byte seed. `name` must hold neither spaces nor plus signs.
    pub(crate) fn from_seed(name: &str, seed: &[u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed");
        let public = pair.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes");
        Self { name: name.to_owned(), seed: Zeroizing::new(*seed), public }
    }

    /// `PRIVATE+KEY+<name>+<hash>+<base64 of algorithm and seed>`
    pub(crate) fn private_text(&self) -> Zeroizing<String> {
        let mut key = Zeroizing::new(vec![ED25519]);
        key.extend_from_slice(&*self.seed);
        Zeroizing::new(format!("PRIVATE+KEY+{}+{:08x}+{}", self.name, self.hash(), STANDARD.encode(&*key)))
    }

    /// `<name>+<hash>+<base64 of algorithm and public key>`
    pub(crate) fn verifier_key(&self) -> String {
        format!("{}+{:08x}+{}", self.name, self.hash(), STANDARD.encode(self.public_bytes()))
    }

    fn public_bytes(&self) -> Vec<u8> {
        [&[ED25519], self.public.as_slice()].concat()
    }

    /// First four bytes of SHA-256 of name, newline and public key.
    fn hash(&self) -> u32 {
        let digest =
            Sha256::new().chain_update(&self.name).chain_update(b"\n").chain_update(self.public_bytes()).finalize();
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }
}

/// A name that no other log has, because a key's name is the log's name to its witnesses.
pub(super) fn random_name(random: Zeroizing<[u8; 8]>) -> String {
    format!("holdfast/{:016x}", u64::from_be_bytes(*random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_texts_are_those_of_the_published_example() {
        // The example of golang.org/x/mod/sumdb/note, which defined the format.
        let seed = &STANDARD.decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").unwrap()[1..];
        let key = SigningKey::from_seed("PeterNeumann", seed.try_into().unwrap());
        assert_eq!(key.verifier_key(), "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW");
        assert_eq!(
            &*key.private_text(),
            "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
        );
    }

    #[test]
    fn a_random_name_is_allowed_as_a_key_name() {
        let name = random_name(Zeroizing::new([0, 1, 2, 3, 4, 5, 6, 255]));
        assert_eq!(name, "holdfast/00010203040506ff");
        assert!(!name.contains(['+', ' ', '\n']));
    }
}
