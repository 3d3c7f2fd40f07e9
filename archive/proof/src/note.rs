//! Keys, and the tree heads that they sign (C2SP signed-note and tlog-checkpoint).
//!
//! ```text
//! SignedTree ──sign(SigningKey)──▶ note text ──TrustedKeys::open──▶ Opened { tree, keys }
//!
//! example.com/log            the origin: the keys' name, followed by `/commit` in an attestation of one commit
//! 20852163                   leaves
//! CsUYapGGPo4dkMgIAUqom...   root
//!
//! — example.com/log Az3grl...
//! ```
//!
//! Invariants:
//! - A note is used only after the signature of a trusted key was verified.
//! - A checkpoint is never accepted as the attestation of a commit, nor the reverse: their origin lines differ, and no
//!   key's name ends in `/commit`.
//! - A note has one interpretation: text that is not exactly what [`SignedTree`] writes is refused.
//! - A private key is never printed, neither by Debug nor in an error.

mod rotate;

pub use rotate::{with_key, with_others_retired};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use signed_note::{
    Note, Signature, Signer, StandardSigner, StandardVerifier, VerificationError, Verifier, Verifiers,
    new_ed25519_verifier_key,
};
use std::fmt;
use tlog_tiles::{Checkpoint, Hash};

/// The type of an Ed25519 key that signs notes (C2SP signed-note, signature types).
const ED25519: u8 = 1;
/// The suffix of the origin of an attestation of a commit.
const COMMIT_SUFFIX: &str = "/commit";
/// Keys that an error names. A note may have a hundred, with names of any length.
const MAX_KEYS_IN_ERROR: usize = 8;

/// The 32-bit id by which a signature names its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Why a text is not a key, or a file is not a list of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text of one key.
    #[error("not a {kind}: {what}")]
    Key {
        /// The expected kind.
        kind: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// A line of a file.
    #[error("line {line}: {what}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// A file without a key.
    #[error("there is no key; write one verifier key per line")]
    NoKey,
}

/// Why a note is not accepted, or was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not a note, or not one of a tree.
    #[error("malformed note: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
    /// No trusted key signed it.
    #[error("signed by none of the trusted keys; it has signatures of {}", .found.join(", "))]
    Untrusted {
        /// The keys that it names, as `<name>+<id>`; the first few of them.
        found: Vec<String>,
    },
    /// A signature was not made by the key that it names.
    #[error("the signature of {key} is wrong: the note was changed, or was not signed by that key")]
    WrongSignature {
        /// The key, as `<name>+<id>`.
        key: String,
    },
    /// Its origin is another one.
    #[error("the note is of `{found}`, not of `{expected}`")]
    OtherOrigin {
        /// The expected origin line.
        expected: String,
        /// The actual origin line.
        found: String,
    },
    /// Only retired keys signed it, for a tree that is too large for them.
    #[error("signed by {key}, which is retired: it signs for trees of at most {retired_at} leaves, not of {size}")]
    Retired {
        /// The key, as `<name>+<id>`.
        key: String,
        /// The size of the largest tree that it signs for.
        retired_at: u64,
        /// The tree's leaves.
        size: u64,
    },
}

/// The purpose of a signed tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The log's tree: a checkpoint.
    Checkpoint,
    /// The tree over the leaves of one commit.
    Commit,
}

impl Purpose {
    /// The origin line, given the name of the log's keys.
    pub fn origin(self, name: &str) -> String {
        match self {
            Self::Checkpoint => name.to_owned(),
            Self::Commit => format!("{name}{COMMIT_SUFFIX}"),
        }
    }
}

/// A tree's head: the text of a checkpoint (C2SP tlog-checkpoint, note text).
#[derive(Debug, Clone, PartialEq)]
pub struct SignedTree {
    /// The origin line.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Root.
    pub root: Hash,
    /// The lines after these three, none of them empty.
    pub extensions: Vec<String>,
}

/// A tree's head that trusted keys signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The tree.
    pub tree: SignedTree,
    /// The trusted keys that signed it, in the note's order; at least one.
    pub keys: Vec<KeyId>,
}

impl SignedTree {
    /// The head of `key`'s log or commit.
    pub fn new(key: &SigningKey, purpose: Purpose, size: u64, root: Hash) -> Self {
        Self { origin: purpose.origin(key.name()), size, root, extensions: Vec::new() }
    }

    /// The note: this text, signed.
    ///
    /// # Errors
    /// When the origin is not one of the key's, or a line has characters that no note may have.
    pub fn sign(&self, key: &SigningKey) -> Result<String, NoteError> {
        let expected = Purpose::Checkpoint.origin(key.name());
        if self.origin != expected && self.origin != Purpose::Commit.origin(key.name()) {
            return Err(NoteError::OtherOrigin { expected, found: self.origin.clone() });
        }
        let text = self.to_text();
        if Self::parse(&text).as_ref() != Some(self) {
            return Err(NoteError::Malformed { what: "a line is empty or has a line break" });
        }
        let refused = |_| NoteError::Malformed { what: "a line has a control character, or the note is too long" };
        let mut note = Note::new(text.as_bytes(), &[]).map_err(refused)?;
        note.add_sigs(&[&key.signer]).map_err(refused)?;
        String::from_utf8(note.to_bytes()).map_err(|_| NoteError::Malformed { what: "it is not UTF-8" })
    }

    /// The signed text.
    fn to_text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root);
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// Parses the signed text. Does not check a signature.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let checkpoint = Checkpoint::from_bytes(text.as_bytes()).ok()?;
        let tree = Self {
            origin: checkpoint.origin().to_owned(),
            size: checkpoint.size(),
            root: *checkpoint.hash(),
            extensions: checkpoint.extension().lines().map(str::to_owned).collect(),
        };
        // A text must have exactly one interpretation.
        (tree.to_text() == text).then_some(tree)
    }
}

/// A note's text and its signatures.
pub(crate) fn split(note: &str) -> Result<(&str, Vec<Signature>), NoteError> {
    let malformed = NoteError::Malformed { what: "it is not text, an empty line, and lines with signatures" };
    Note::from_bytes(note.as_bytes()).map_err(|_| malformed.clone())?;
    let (text, signatures) = note.rsplit_once("\n\n").ok_or(malformed.clone())?;
    let text = note.get(..=text.len()).ok_or(malformed.clone())?;
    let signatures: Result<_, _> = signatures.lines().map(|line| Signature::from_bytes(line.as_bytes())).collect();
    Ok((text, signatures.map_err(|_| malformed)?))
}

/// `<name>+<id>`, the form of keys in messages.
fn key_text(name: &str, id: KeyId) -> String {
    // Names are untrusted and may be as long as a note.
    let short: String = name.chars().take(100).collect();
    format!("{short}+{id}")
}

/// A private key with which a log signs.
#[derive(Clone)]
pub struct SigningKey {
    signer: StandardSigner,
    verifier_key: String,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", key_text(self.name(), self.id()))
    }
}

/// A new key in its two text forms.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// `PRIVATE+KEY+<name>+<id>+<base64>`: signs for the log.
    pub private_key: String,
    /// `<name>+<id>+<base64>`: verifies.
    pub verifier_key: String,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.verifier_key)
    }
}

/// Generates a key named `name` from 32 random bytes.
///
/// # Errors
/// When the name is not valid for a log.
pub fn generate(name: &str, seed: [u8; 32]) -> Result<KeyPair, KeyError> {
    check_name(name).map_err(|what| KeyError::Key { kind: "name of a log", what })?;
    let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
    let id = KeyId(signed_note::key_id(name, &[&[ED25519], public.as_bytes().as_slice()].concat()));
    let material = BASE64.encode([&[ED25519], seed.as_slice()].concat());
    Ok(KeyPair {
        private_key: format!("PRIVATE+KEY+{name}+{id}+{material}"),
        verifier_key: new_ed25519_verifier_key(name, &public),
    })
}

/// The rules for a log's name. They are stricter than those of signed-note.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if !signed_note::is_key_name_valid(name) {
        Err("a name has at least one character, and neither spaces nor `+`")
    } else if name.chars().any(char::is_control) {
        Err("a name has no control characters")
    } else if name.ends_with(COMMIT_SUFFIX) {
        Err("a name does not end in `/commit`: that marks the attestation of one commit")
    } else {
        Ok(())
    }
}

impl SigningKey {
    /// Reads a private key, `PRIVATE+KEY+<name>+<id>+<base64>`.
    ///
    /// # Errors
    /// When the text is something else; the error does not quote it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let wrong = |what| KeyError::Key { kind: "private key", what };
        let text = text.trim();
        if !text.starts_with("PRIVATE+KEY+") {
            return Err(wrong("it does not begin with PRIVATE+KEY+"));
        }
        let signer = StandardSigner::new(text).map_err(|error| {
            wrong(match error {
                signed_note::SignerError::Format => "it does not have the form PRIVATE+KEY+<name>+<id>+<base64>",
                signed_note::SignerError::Alg => "its algorithm is not Ed25519",
                signed_note::SignerError::Id => "its id is not that of the key",
            })
        })?;
        check_name(signer.name()).map_err(wrong)?;
        // The signer does not expose its public half. Base64 has `+` in its alphabet.
        let material = text.splitn(5, '+').nth(4).and_then(|encoded| BASE64.decode(encoded).ok());
        let seed = material.and_then(|material| material.get(1..).and_then(|seed| <[u8; 32]>::try_from(seed).ok()));
        let seed = seed.ok_or(wrong("its key does not have 32 bytes"))?;
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
        Ok(Self { verifier_key: new_ed25519_verifier_key(signer.name(), &public), signer })
    }

    /// Its name, which is the log's origin.
    pub fn name(&self) -> &str {
        self.signer.name()
    }

    /// Its id.
    pub fn id(&self) -> KeyId {
        KeyId(self.signer.key_id())
    }

    /// Its public half.
    pub fn verifier_key(&self) -> &str {
        &self.verifier_key
    }
}

/// One key of [`TrustedKeys`].
#[derive(Clone)]
struct TrustedKey {
    verifier: StandardVerifier,
    /// The size of the largest tree that it signs for, if it was replaced.
    retired_at: Option<u64>,
}

/// The keys of one log whose signatures are trusted.
#[derive(Clone)]
pub struct TrustedKeys {
    origin: String,
    keys: Vec<TrustedKey>,
}

impl fmt::Debug for TrustedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().map(|key| (KeyId(key.verifier.key_id()).to_string(), key.retired_at));
        f.debug_struct("TrustedKeys").field("origin", &self.origin).field("keys", &keys.collect::<Vec<_>>()).finish()
    }
}

/// Signatures of unknown keys are ignored, as signed-note requires.
impl Verifiers for TrustedKeys {
    fn verifier(&self, name: &str, id: u32) -> Result<&dyn Verifier, VerificationError> {
        let known = self.keys.iter().find(|key| key.verifier.name() == name && key.verifier.key_id() == id);
        match known {
            Some(key) => Ok(&key.verifier),
            None => Err(VerificationError::UnknownKey { name: name.to_owned(), id }),
        }
    }
}

impl TrustedKeys {
    /// Parses a file with one verifier key per line. ` retired-at <leaves>` after a key means that it was replaced and
    /// counts only for trees of at most that size. Empty lines and lines that begin with `#` are ignored.
    ///
    /// # Errors
    /// When a line is something else, when the keys are not all of one name, and when there is none.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut keys: Vec<TrustedKey> = Vec::new();
        for (line, content) in key_lines(text) {
            let wrong = |what: String| KeyError::Line { line, what };
            let key = TrustedKey::parse(content).map_err(|what| wrong(what.to_owned()))?;
            if let Some(first) = keys.first().filter(|first| first.verifier.name() != key.verifier.name()) {
                return Err(wrong(format!(
                    "the key is named `{}`, the ones before it `{}`; all keys of a log have its name",
                    key.verifier.name(),
                    first.verifier.name()
                )));
            }
            if keys.iter().any(|known| known.verifier.key_id() == key.verifier.key_id()) {
                return Err(wrong(format!("the key {} is listed twice", KeyId(key.verifier.key_id()))));
            }
            keys.push(key);
        }
        let origin = keys.first().ok_or(KeyError::NoKey)?.verifier.name().to_owned();
        Ok(Self { origin, keys })
    }

    /// The log's origin, which is the name of all keys.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether the key may sign for a tree of the log with `tree_size` leaves.
    pub fn may_sign(&self, id: KeyId, tree_size: u64) -> bool {
        let known = self.keys.iter().find(|key| key.verifier.key_id() == id.0);
        known.is_some_and(|key| key.retired_at.is_none_or(|retired_at| tree_size <= retired_at))
    }

    /// Verifies the signatures of a note and parses it. For a checkpoint, one of the keys must not be retired. An
    /// attestation of a commit does not contain its place in the log, so its caller must check [`Self::may_sign`].
    ///
    /// # Errors
    /// When it is not a note of a tree, no trusted key signed it, a signature of a trusted key is wrong, its origin is
    /// not that of `purpose` and this log, or only retired keys signed it.
    pub fn open(&self, note: &str, purpose: Purpose) -> Result<Opened, NoteError> {
        let (text, signatures) = split(note)?;
        let parsed = Note::new(text.as_bytes(), &signatures)
            .map_err(|_| NoteError::Malformed { what: "its text is not that of a note" })?;
        let (verified, _) = parsed.verify(self).map_err(|error| match error {
            signed_note::NoteError::InvalidSignature { name, id } => {
                NoteError::WrongSignature { key: key_text(&name, KeyId(id)) }
            }
            signed_note::NoteError::UnverifiedNote => {
                let mut found: Vec<String> = Vec::new();
                for signature in &signatures {
                    let key = key_text(signature.name(), KeyId(signature.id()));
                    if found.len() < MAX_KEYS_IN_ERROR && !found.contains(&key) {
                        found.push(key);
                    }
                }
                NoteError::Untrusted { found }
            }
            _ => NoteError::Malformed { what: "its signatures cannot be read" },
        })?;
        let keys: Vec<KeyId> = verified.iter().map(|signature| KeyId(signature.id())).collect();

        let what = "its text is not an origin, a size, a root, and lines that are not empty";
        let tree = SignedTree::parse(text).ok_or(NoteError::Malformed { what })?;
        let expected = purpose.origin(&self.origin);
        if tree.origin != expected {
            return Err(NoteError::OtherOrigin { expected, found: tree.origin });
        }
        if purpose == Purpose::Checkpoint
            && !keys.iter().any(|id| self.may_sign(*id, tree.size))
            && let Some(retired) = self.keys.iter().find(|key| keys.contains(&KeyId(key.verifier.key_id())))
        {
            let key = key_text(&self.origin, KeyId(retired.verifier.key_id()));
            return Err(NoteError::Retired {
                key,
                retired_at: retired.retired_at.unwrap_or(u64::MAX),
                size: tree.size,
            });
        }
        Ok(Opened { tree, keys })
    }
}

impl TrustedKey {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let mut words = line.split_whitespace();
        let key = words.next().unwrap_or_default();
        let retired_at = match (words.next(), words.next(), words.next()) {
            (None, ..) => None,
            (Some("retired-at"), Some(size), None) => {
                Some(size.parse().map_err(|_| "the size after `retired-at` is not a whole number")?)
            }
            _ => return Err("only `retired-at` and a tree's size may follow the key"),
        };
        if key.starts_with("PRIVATE+KEY+") {
            return Err("this is a private key; write the verifier key, and replace that private key");
        }
        let verifier = StandardVerifier::new(key).map_err(|error| match error {
            signed_note::VerifierError::Format => "the key does not have the form <name>+<id>+<base64>",
            signed_note::VerifierError::Alg => "the key is not one with which a log signs (Ed25519, type 1)",
            signed_note::VerifierError::Id => "the key's id is not that of the key; a character is wrong",
        })?;
        check_name(verifier.name())?;
        Ok(Self { verifier, retired_at })
    }
}

/// The lines of a file of keys that are neither empty nor comments, with their numbers.
pub(crate) fn key_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests;
