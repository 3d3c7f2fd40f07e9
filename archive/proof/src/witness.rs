//! Witnesses, which cosign checkpoints (C2SP tlog-cosignature, Ed25519, and tlog-witness, add-checkpoint).
//!
//! ```text
//! log:      checkpoint, consistency proof ──add_checkpoint_body──▶ request
//! witness:  request ──parse_add_checkpoint──▶ AddCheckpoint ── checks ──cosign──▶ signature line
//! log:      signature line ──append_signature_line──▶ checkpoint with one more signature
//! reader:   checkpoint, witnesses' keys ──check_cosignatures──▶ valid witnesses, with their times
//! ```
//!
//! A cosignature is over `cosignature/v1`, a line with the time, and the checkpoint's text. It does not prove the log's
//! own signature, which [`crate::note::TrustedKeys::open`] verifies.
//!
//! Invariants:
//! - Lines of unknown keys are ignored, as signed-note requires. A line of a known witness is either valid or reported.
//! - A witness counts once, whatever the number of its lines.

use crate::note::{KeyError, KeyId, NoteError, SignedTree, check_name, key_lines, split};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signer, VerifyingKey};
use signed_note::Signature;
use tlog_tiles::Hash;

/// The type of an Ed25519 key that cosigns (C2SP signed-note, signature types).
const COSIGNATURE_V1: u8 = 4;
/// Consistency proof lines that a request may have (C2SP tlog-witness).
pub const MAX_PROOF_LINES: usize = 63;
/// The latest time that a cosignature may have (C2SP tlog-cosignature).
const MAX_TIMESTAMP: u64 = i64::MAX as u64;

/// The public key of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    id: KeyId,
    key: VerifyingKey,
}

impl WitnessKey {
    /// Reads a verifier key of type 4, `<name>+<id>+<base64>`.
    ///
    /// # Errors
    /// When the text is something else.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let wrong = |what| KeyError::Key { kind: "witness's key", what };
        let form = wrong("it does not have the form <name>+<id>+<base64>");
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(form);
        };
        check_name(name).map_err(wrong)?;
        let material = BASE64.decode(encoded).map_err(|_| form.clone())?;
        if id.len() != 8 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(form);
        }
        let id = KeyId(u32::from_str_radix(id, 16).map_err(|_| form.clone())?);
        if id.0 != signed_note::key_id(name, &material) {
            return Err(wrong("its id is not that of the key; a character is wrong"));
        }
        let public = match material.split_first() {
            Some((&COSIGNATURE_V1, public)) => <&[u8; 32]>::try_from(public).map_err(|_| form)?,
            _ => return Err(wrong("it is not one that cosigns (Ed25519, type 4)")),
        };
        let key = VerifyingKey::from_bytes(public).map_err(|_| wrong("its bytes are not an Ed25519 key"))?;
        Ok(Self { name: name.to_owned(), id, key })
    }

    /// The public key of the key that [`cosign`] signs with, for the same name and seed.
    ///
    /// # Errors
    /// When the name is not valid.
    pub fn of_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        check_name(name).map_err(|what| KeyError::Key { kind: "name of a witness", what })?;
        let key = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key();
        Ok(Self { name: name.to_owned(), id: KeyId(signed_note::key_id(name, &material(&key))), key })
    }

    /// Parses a file with one witness's key per line. Empty lines and lines that begin with `#` are ignored. It may
    /// have no key.
    ///
    /// # Errors
    /// When a line is something else, or a key is listed twice, also under two names: a cosignature does not cover the
    /// name, so one witness could count as two.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, KeyError> {
        let mut witnesses: Vec<Self> = Vec::new();
        for (line, content) in key_lines(text) {
            let wrong = |what: String| KeyError::Line { line, what };
            let witness = Self::parse(content).map_err(|error| wrong(error.to_string()))?;
            if let Some(known) = witnesses.iter().find(|known| known.key == witness.key) {
                return Err(wrong(format!("the key is that of `{}` as well", known.name)));
            }
            witnesses.push(witness);
        }
        Ok(witnesses)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Its text, `<name>+<id>+<base64>`.
    pub fn verifier_key(&self) -> String {
        format!("{}+{}+{}", self.name, self.id, BASE64.encode(material(&self.key)))
    }

    /// The time in the cosignature of `text`, if this key made it.
    fn check(&self, text: &str, cosignature: &[u8]) -> Result<u64, &'static str> {
        let (timestamp, signature) = cosignature.split_first_chunk().ok_or("it is too short")?;
        let timestamp = u64::from_be_bytes(*timestamp);
        let signature = <[u8; 64]>::try_from(signature).map_err(|_| "it does not have 72 bytes")?;
        if timestamp > MAX_TIMESTAMP {
            return Err("its time is out of range");
        }
        let signature = ed25519_dalek::Signature::from_bytes(&signature);
        self.key
            .verify_strict(message(text, timestamp).as_bytes(), &signature)
            .map_err(|_| "it was made for another text or by another key")?;
        Ok(timestamp)
    }
}

fn material(key: &VerifyingKey) -> Vec<u8> {
    [&[COSIGNATURE_V1], key.as_bytes().as_slice()].concat()
}

/// The text that a witness signs.
fn message(text: &str, timestamp: u64) -> String {
    format!("cosignature/v1\ntime {timestamp}\n{text}")
}

/// A witness's statement that it has seen a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// The witness.
    pub witness: String,
    /// The time, in seconds since 1970.
    pub timestamp: u64,
}

/// A line that names a known witness but was not signed by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongCosignature {
    /// The witness that it names.
    pub witness: String,
    /// What is wrong.
    pub what: &'static str,
}

/// The cosignatures of known witnesses on a note.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cosignatures {
    /// The witnesses that have cosigned it, each once, with its latest time.
    pub valid: Vec<Cosignature>,
    /// Lines that are not valid.
    pub invalid: Vec<WrongCosignature>,
}

/// Which of `witnesses` cosigned `note`.
///
/// # Errors
/// When it is not a note.
pub fn check_cosignatures(note: &str, witnesses: &[WitnessKey]) -> Result<Cosignatures, NoteError> {
    let (text, signatures) = split(note)?;
    let mut found = Cosignatures::default();
    for signature in &signatures {
        let names = |key: &&WitnessKey| key.name == signature.name() && key.id.0 == signature.id();
        let Some(key) = witnesses.iter().find(names) else { continue };
        let witness = key.name.clone();
        match key.check(text, signature.signature()) {
            Err(what) => found.invalid.push(WrongCosignature { witness, what }),
            Ok(timestamp) => match found.valid.iter_mut().find(|known| known.witness == witness) {
                Some(known) => known.timestamp = known.timestamp.max(timestamp),
                None => found.valid.push(Cosignature { witness, timestamp }),
            },
        }
    }
    Ok(found)
}

/// A witness's signature line on `note`, with its line break. `timestamp` is the time in seconds since 1970. The
/// witness has checked the log's signature and the consistency with the last checkpoint that it cosigned.
///
/// # Errors
/// When it is not a note, or the name is not valid.
pub fn cosign(note: &str, seed: &[u8; 32], name: &str, timestamp: u64) -> Result<String, NoteError> {
    let (text, _) = split(note)?;
    if timestamp > MAX_TIMESTAMP {
        return Err(NoteError::Malformed { what: "the time is out of range" });
    }
    let bad_name = || NoteError::Malformed { what: "the witness's name is not valid" };
    let witness = WitnessKey::of_seed(name, seed).map_err(|_| bad_name())?;
    let signature = ed25519_dalek::SigningKey::from_bytes(seed).sign(message(text, timestamp).as_bytes());
    let cosignature = [timestamp.to_be_bytes().as_slice(), &signature.to_bytes()].concat();
    let line = Signature::new(witness.name, witness.id.0, cosignature).map_err(|_| bad_name())?;
    String::from_utf8(line.to_bytes()).map_err(|_| bad_name())
}

/// `note` with one more signature line. A line that it already has is not repeated.
///
/// # Errors
/// When `note` is not a note or `line` is not a signature line, and when the note would have too many lines.
pub fn append_signature_line(note: &str, line: &str) -> Result<String, NoteError> {
    let (_, signatures) = split(note)?;
    let line = line.strip_suffix('\n').unwrap_or(line);
    let signature = Signature::from_bytes(line.as_bytes())
        .map_err(|_| NoteError::Malformed { what: "the line to append is not a signature line" })?;
    if signatures.contains(&signature) {
        return Ok(note.to_owned());
    }
    let longer = format!("{note}{line}\n");
    split(&longer)?;
    Ok(longer)
}

/// The request of a log to a witness.
#[derive(Debug, Clone, PartialEq)]
pub struct AddCheckpoint {
    /// The size of the tree that, to the log's knowledge, the witness cosigned last; 0 for none.
    pub old_size: u64,
    /// The proof that this tree is a prefix of the checkpoint's.
    pub consistency: Vec<Hash>,
    /// The checkpoint, a signed note that is not verified yet.
    pub checkpoint: String,
}

/// The body of a POST to `<witness>/add-checkpoint`.
pub fn add_checkpoint_body(old_size: u64, consistency: &[Hash], checkpoint_note: &str) -> String {
    let mut body = format!("old {old_size}\n");
    for hash in consistency {
        body.push_str(&format!("{hash}\n"));
    }
    body.push('\n');
    body.push_str(checkpoint_note);
    body
}

/// Parses such a body. A witness responds with status 400 if it cannot be parsed.
///
/// # Errors
/// When it does not have that form.
pub fn parse_add_checkpoint(body: &str) -> Result<AddCheckpoint, NoteError> {
    let malformed = |what| NoteError::Malformed { what };
    let (head, checkpoint) = body.split_once("\n\n").ok_or(malformed("there is no empty line"))?;
    let mut lines = head.split('\n');
    let size = lines.next().and_then(|line| line.strip_prefix("old "));
    // Only the shortest notation of a number is valid.
    let old_size = size.and_then(|text| text.parse::<u64>().ok().filter(|size| size.to_string() == text));
    let old_size = old_size.ok_or(malformed("the first line is not `old` and a size"))?;
    let mut consistency = Vec::new();
    for line in lines {
        if consistency.len() == MAX_PROOF_LINES {
            return Err(malformed("the consistency proof has more than 63 lines"));
        }
        consistency
            .push(Hash::parse_hash(line).map_err(|_| malformed("a line of the consistency proof is not a hash"))?);
    }
    let (text, _) = split(checkpoint)?;
    SignedTree::parse(text).ok_or(malformed("the text after the empty line is not a checkpoint"))?;
    Ok(AddCheckpoint { old_size, consistency, checkpoint: checkpoint.to_owned() })
}

#[cfg(test)]
mod tests;
