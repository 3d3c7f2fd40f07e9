//! A proof verifies as it was made, and in no other form.

use super::*;
use crate::leaf::{Digest32, Disposal};
use crate::note::{SigningKey, generate};
use crate::tree;
use proptest::prelude::*;

const NAME: &str = "example.com/log";

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::parse(&generate(NAME, [seed; 32]).unwrap().private_key).unwrap()
}

fn keys() -> TrustedKeys {
    TrustedKeys::parse(signing_key(1).verifier_key()).unwrap()
}

/// The proof of record `index` of a batch of `count`, in a log of `size` leaves.
fn proof(index: u64, count: u64, size: u64) -> EventProof {
    let record = |n: u64| format!("salt and record {n}").into_bytes();
    let records: Vec<Hash> = (0..count).map(|n| record_hash(&record(n))).collect();
    let leaf = Leaf::Batch(Batch {
        table: "events".to_owned(),
        class: "general".to_owned(),
        date: "2026-11-25".to_owned(),
        topic: "holdfast.events".to_owned(),
        partition: 2,
        first: 10,
        next: 10 + count as i64,
        count,
        root: Digest32(tree::root(&records).0),
        groups: Vec::new(),
    })
    .to_text();
    proof_of_leaf(
        record(index),
        InclusionProof { index, path: tree::inclusion_path(&records, index).unwrap() },
        leaf,
        size,
    )
}

fn proof_of_leaf(record: Vec<u8>, batch: InclusionProof, leaf: String, size: u64) -> EventProof {
    let place = size / 2;
    let mut leaves: Vec<Hash> = (0..size).map(|n| record_hash(&n.to_be_bytes())).collect();
    leaves[place as usize] = record_hash(leaf.as_bytes());
    let key = signing_key(1);
    let head = SignedTree::new(&key, Purpose::Checkpoint, size, tree::root(&leaves));
    let log = InclusionProof { index: place, path: tree::inclusion_path(&leaves, place).unwrap() };
    EventProof { record, batch, leaf, log, checkpoint: head.sign(&key).unwrap() }
}

#[test]
fn a_proof_is_read_back_and_verifies() {
    let proof = proof(4, 9, 7);
    let file = proof.to_json();
    let read = EventProof::parse(file.as_bytes()).unwrap();
    assert_eq!(read, proof);
    let verified = read.verify(&keys()).unwrap();
    assert_eq!((verified.batch.count, verified.checkpoint.size), (9, 7));
    assert_eq!(verified.keys, [signing_key(1).id()]);
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&file).unwrap();
    let mut names: Vec<&str> = members.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["batch", "checkpoint", "holdfast", "leaf", "log", "record"]);
    assert_eq!(members["holdfast"], "proof 1");
}

#[test]
fn every_flipped_bit_of_a_proof_is_detected() {
    let file = proof(2, 5, 3).to_json().into_bytes();
    let keys = keys();
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            let verified = EventProof::parse(&changed).is_ok_and(|proof| proof.verify(&keys).is_ok());
            assert!(!verified, "byte {at}, bit {bit}: {}", String::from_utf8_lossy(&changed));
        }
    }
}

#[test]
fn every_changed_byte_fails_in_its_step() {
    let good = proof(2, 5, 3);
    let keys = keys();
    let refused = |change: &dyn Fn(&mut EventProof)| {
        let mut proof = good.clone();
        change(&mut proof);
        proof.verify(&keys).unwrap_err()
    };
    for at in 0..good.record.len() {
        assert!(matches!(refused(&|proof| proof.record[at] ^= 1), ProofError::Record { .. }));
    }
    for (hash, byte) in (0..good.batch.path.len()).flat_map(|hash| (0..32).map(move |byte| (hash, byte))) {
        assert!(matches!(refused(&|proof| proof.batch.path[hash].0[byte] ^= 1), ProofError::Record { .. }));
    }
    for (hash, byte) in (0..good.log.path.len()).flat_map(|hash| (0..32).map(move |byte| (hash, byte))) {
        assert!(matches!(refused(&|proof| proof.log.path[hash].0[byte] ^= 1), ProofError::Log { .. }));
    }
    for at in 0..good.leaf.len() {
        let changed = refused(&|proof| {
            let mut bytes = std::mem::take(&mut proof.leaf).into_bytes();
            bytes[at] ^= 1;
            proof.leaf = String::from_utf8(bytes).unwrap();
        });
        assert!(!matches!(changed, ProofError::Checkpoint(_)), "{changed}");
    }
    for at in 0..good.checkpoint.len() {
        let mut bytes = good.checkpoint.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(checkpoint) = String::from_utf8(bytes) else { continue };
        assert!(matches!(refused(&|proof| proof.checkpoint.clone_from(&checkpoint)), ProofError::Checkpoint(_)));
    }
    assert!(matches!(refused(&|proof| proof.batch.index += 1), ProofError::Record { .. }));
    assert!(matches!(refused(&|proof| proof.log.index += 1), ProofError::Log { .. }));
    assert!(matches!(refused(&|proof| proof.batch.path.clear()), ProofError::Record { .. }));
    assert!(matches!(refused(&|proof| proof.log.path = vec![Hash([0; 32]); 65]), ProofError::Log { .. }));
}

#[test]
fn a_truncated_file_is_not_a_proof() {
    let file = proof(0, 1, 1).to_json();
    for length in 0..file.trim_end().len() {
        assert!(matches!(EventProof::parse(&file.as_bytes()[..length]), Err(ProofError::Format { .. })), "{length}");
    }
    assert!(EventProof::parse(file.trim_end().as_bytes()).unwrap().verify(&keys()).is_ok());
}

#[test]
fn a_proof_signed_by_another_key_is_refused() {
    let strange = TrustedKeys::parse(signing_key(2).verifier_key()).unwrap();
    let error = proof(0, 1, 1).verify(&strange).unwrap_err();
    assert!(matches!(error, ProofError::Checkpoint(NoteError::Untrusted { .. })), "{error}");
    let retired = format!("{} retired-at 2", signing_key(1).verifier_key());
    let retired = TrustedKeys::parse(&retired).unwrap();
    assert!(proof(0, 1, 2).verify(&retired).is_ok());
    let error = proof(0, 1, 3).verify(&retired).unwrap_err();
    assert!(matches!(error, ProofError::Checkpoint(NoteError::Retired { .. })), "{error}");
}

#[test]
fn an_attestation_of_a_commit_is_not_a_checkpoint() {
    let mut proof = proof(0, 1, 1);
    let key = signing_key(1);
    let head = SignedTree::new(&key, Purpose::Commit, 1, record_hash(proof.leaf.as_bytes()));
    proof.checkpoint = head.sign(&key).unwrap();
    let error = proof.verify(&keys()).unwrap_err();
    assert!(matches!(error, ProofError::Checkpoint(NoteError::OtherOrigin { .. })), "{error}");
}

#[test]
fn a_leaf_that_is_not_of_a_batch_proves_no_record() {
    let disposal = Leaf::Disposal(Disposal {
        table: "events".to_owned(),
        class: "general".to_owned(),
        date: "2026-11-25".to_owned(),
        plan: "p".to_owned(),
        rows: 1,
    });
    let place = InclusionProof { index: 0, path: Vec::new() };
    let proof = proof_of_leaf(b"record".to_vec(), place.clone(), disposal.to_text(), 1);
    assert!(matches!(proof.verify(&keys()), Err(ProofError::NoBatch)));
    let proof = proof_of_leaf(b"record".to_vec(), place, "{}".to_owned(), 1);
    assert!(matches!(proof.verify(&keys()), Err(ProofError::Leaf(_))));
}

#[test]
fn anything_but_exactly_a_proof_is_refused() {
    let file = proof(0, 2, 2).to_json();
    let hash = "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"";
    let path = |count: usize| format!("\"path\": [{}]", vec![hash; count].join(","));
    let with_path = |count| {
        let start = file.find("\"path\"").unwrap();
        let end = start + file[start..].find(']').unwrap() + 1;
        format!("{}{}{}", &file[..start], path(count), &file[end..])
    };
    assert!(EventProof::parse(with_path(64).as_bytes()).is_ok());
    for wrong in [
        with_path(65),
        file.replacen('{', "{\"more\": 1,", 1),
        file.replacen("\"index\"", "\"more\": 1, \"index\"", 1),
        file.replacen('{', "{\"leaf\": \"\",", 1),
        file.replace("proof 1", "proof 2"),
        file.replacen("\"record\": \"", "\"record\": \"=", 1),
        file.replacen("\"path\": [", "\"path\": [\"AAAA\",", 1),
        file.replacen("\"index\": 0", "\"index\": -1", 1),
        format!("{file}{{}}"),
        "null".to_owned(),
        " ".repeat(MAX_PROOF_BYTES + 1),
    ] {
        let short = &wrong[..wrong.len().min(300)];
        assert!(matches!(EventProof::parse(wrong.as_bytes()), Err(ProofError::Format { .. })), "{short}");
    }
}

#[test]
fn an_error_about_a_file_quotes_nothing_of_it() {
    let error = EventProof::parse(br#"{"holdfast":"proof 1","Jane Doe":1}"#).unwrap_err().to_string();
    assert!(!error.contains("Jane"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_record_of_every_batch_is_proven(
        count in 1u64..600,
        size in 1u64..300,
        index in any::<prop::sample::Index>(),
    ) {
        let proof = proof(index.index(count as usize) as u64, count, size);
        let read = EventProof::parse(proof.to_json().as_bytes()).unwrap();
        prop_assert!(read.verify(&keys()).is_ok());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "\\PC{0,60}") {
        prop_assert!(EventProof::parse(&bytes).is_err());
        prop_assert!(EventProof::parse(text.as_bytes()).is_err());
    }
}
