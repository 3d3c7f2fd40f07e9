//! Cosignatures against one that Go's crypto/ed25519 made, and requests as the specification writes them.

use super::*;
use crate::note::{Purpose, SignedTree, SigningKey, TrustedKeys, generate};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tlog_tiles::record_hash;

const CHECKPOINT: &str = "PeterNeumann\n1000\nmXwAZ8XucWmQ1EpnMacEiQrHlXQBuXYF/fJms8q4tO8=\n\n\
    — PeterNeumann x08go04WuZFn2UqxwypgejJHZ58I9hsw0LboexAramwtnnJCTZcw9uheBjb1e6l6YGfla2HdG17BfeO6S2jo7EwA9gE=\n";
const NAME: &str = "witness.example.com/w1";
const KEY: &str = "witness.example.com/w1+a91e8a43+BN+GARmBG3ZTJJSX8/UQnTezIZRqgCkLwWQCBUNSL47c";
const LINE: &str = "— witness.example.com/w1 \
    qR6KQwAAAABkGFDLgHOrX69bIFok4QOgVJjzCJp8BVym+QpGfZ4uhGe9gntJlt9DvGVbrznXRxkacdlCqIujqfRaFECv72w5PEIJDg==\n";

fn seed() -> [u8; 32] {
    Sha256::digest(b"witness seed").into()
}

fn valid(note: &str) -> Vec<Cosignature> {
    let found = check_cosignatures(note, &[WitnessKey::parse(KEY).unwrap()]).unwrap();
    assert_eq!(found.invalid, []);
    found.valid
}

#[test]
fn a_cosignature_is_byte_for_byte_that_of_go() {
    assert_eq!(cosign(CHECKPOINT, &seed(), NAME, 1_679_315_147).unwrap(), LINE);
    assert_eq!(WitnessKey::of_seed(NAME, &seed()).unwrap().verifier_key(), KEY);
    let cosigned = append_signature_line(CHECKPOINT, LINE).unwrap();
    assert_eq!(cosigned, format!("{CHECKPOINT}{LINE}"));
    assert_eq!(valid(&cosigned), [Cosignature { witness: NAME.to_owned(), timestamp: 1_679_315_147 }]);
    assert_eq!(valid(CHECKPOINT), []);
}

#[test]
fn the_logs_signature_remains_valid_beside_a_cosignature() {
    let pair = generate("example.com/log", [1; 32]).unwrap();
    let key = SigningKey::parse(&pair.private_key).unwrap();
    let note = SignedTree::new(&key, Purpose::Checkpoint, 3, record_hash(b"")).sign(&key).unwrap();
    let cosigned = append_signature_line(&note, cosign(&note, &seed(), NAME, 7).unwrap().trim_end()).unwrap();
    let keys = TrustedKeys::parse(&pair.verifier_key).unwrap();
    assert_eq!(keys.open(&cosigned, Purpose::Checkpoint), keys.open(&note, Purpose::Checkpoint));
    // A witness's key does not sign for the log, even with the log's own seed and name.
    let line = cosign(&note, &[1; 32], "example.com/log", 7).unwrap();
    let (text, _) = note.rsplit_once("\n\n").unwrap();
    assert!(keys.open(&format!("{text}\n\n{line}"), Purpose::Checkpoint).is_err());
}

#[test]
fn a_witness_counts_once_and_with_its_latest_time() {
    let mut note = CHECKPOINT.to_owned();
    for time in [5, 9, 7, 7] {
        note = append_signature_line(&note, &cosign(CHECKPOINT, &seed(), NAME, time).unwrap()).unwrap();
    }
    assert_eq!(note.lines().count(), CHECKPOINT.lines().count() + 3);
    assert_eq!(valid(&note), [Cosignature { witness: NAME.to_owned(), timestamp: 9 }]);
}

#[test]
fn a_cosignature_of_another_tree_or_time_is_reported() {
    let witnesses = [WitnessKey::parse(KEY).unwrap()];
    let other = CHECKPOINT.replace("1000", "1001");
    let found = check_cosignatures(&format!("{other}{LINE}"), &witnesses).unwrap();
    assert_eq!(found.valid, []);
    assert_eq!(found.invalid[0].what, "it was made for another text or by another key");
    let right = Signature::from_bytes(LINE.trim_end().as_bytes()).unwrap();
    for (bytes, what) in [
        (vec![0; 3], "it is too short"),
        (right.signature()[..71].to_vec(), "it does not have 72 bytes"),
        ([right.signature(), &[0]].concat(), "it does not have 72 bytes"),
        ([&[0xff; 8], &right.signature()[8..]].concat(), "its time is out of range"),
        ([&[0; 8], &right.signature()[8..]].concat(), "it was made for another text or by another key"),
    ] {
        let line = Signature::new(NAME.to_owned(), right.id(), bytes).unwrap();
        let note = format!("{CHECKPOINT}{}", String::from_utf8(line.to_bytes()).unwrap());
        let found = check_cosignatures(&note, &witnesses).unwrap();
        assert_eq!((found.valid.len(), found.invalid[0].what), (0, what));
    }
    assert!(cosign(CHECKPOINT, &seed(), NAME, 1 << 63).is_err());
}

#[test]
fn unknown_witnesses_are_ignored() {
    let found = check_cosignatures(&format!("{CHECKPOINT}{LINE}"), &[]).unwrap();
    assert_eq!(found, Cosignatures::default());
    assert!(check_cosignatures("nonsense", &[]).is_err());
}

#[test]
fn a_file_of_witnesses_has_each_key_once() {
    let alias = WitnessKey::of_seed("other.example.com", &seed()).unwrap().verifier_key();
    assert_eq!(WitnessKey::parse_all(&format!("# ours\n\n{KEY}\n")).unwrap().len(), 1);
    assert!(WitnessKey::parse_all("").unwrap().is_empty());
    assert_eq!(
        WitnessKey::parse_all(&format!("{KEY}\n{alias}")).unwrap_err().to_string(),
        "line 2: the key is that of `witness.example.com/w1` as well"
    );
    for wrong in [
        "",
        "w",
        "w+a91e8a43",
        &KEY.replace("/w1", "/w2"),
        &KEY.replace("+a91e8a43+", "++a91e8a4+"),
        &KEY.replace('+', "+ "),
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ] {
        assert!(WitnessKey::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn only_signature_lines_are_appended() {
    for line in ["", "\n", "— w", "- w AAAAAAAA", &format!("{LINE}{LINE}"), &LINE[..LINE.len() - 3]] {
        assert!(append_signature_line(CHECKPOINT, line).is_err(), "{line}");
    }
    assert!(append_signature_line("nonsense", LINE).is_err());
    let mut note = CHECKPOINT.to_owned();
    for time in 0..99 {
        note = append_signature_line(&note, &cosign(CHECKPOINT, &seed(), NAME, time).unwrap()).unwrap();
    }
    assert!(append_signature_line(&note, LINE).is_err(), "a note has at most a hundred");
}

#[test]
fn a_request_is_written_as_specified_and_read_back() {
    let proof = [record_hash(b"a"), record_hash(b"b")];
    let body = add_checkpoint_body(20_852_014, &proof, CHECKPOINT);
    assert_eq!(body, format!("old 20852014\n{}\n{}\n\n{CHECKPOINT}", proof[0], proof[1]));
    let read = parse_add_checkpoint(&body).unwrap();
    assert_eq!(
        read,
        AddCheckpoint { old_size: 20_852_014, consistency: proof.to_vec(), checkpoint: CHECKPOINT.to_owned() }
    );
    let first = parse_add_checkpoint(&add_checkpoint_body(0, &[], CHECKPOINT)).unwrap();
    assert_eq!((first.old_size, first.consistency.len()), (0, 0));
    assert!(parse_add_checkpoint(&add_checkpoint_body(1, &[proof[0]; 63], CHECKPOINT)).is_ok());
    for wrong in [
        add_checkpoint_body(1, &[proof[0]; 64], CHECKPOINT),
        body.replace("old ", "old  "),
        body.replace("old ", "old 0"),
        body.replace("old ", "old +"),
        body.replace("old ", ""),
        body.replace("20852014", "18446744073709551616"),
        body.replace("20852014\n", "20852014\r\n"),
        body.replace(&proof[0].to_string(), "AAAA"),
        body.replace(&proof[0].to_string(), ""),
        body.replace("\n\nPeter", "\nPeter"),
        body[..body.len() - 1].to_owned(),
        format!("old 1\n\n{}", CHECKPOINT.replace("\n\n", "\n")),
        String::new(),
    ] {
        assert!(parse_add_checkpoint(&wrong).is_err(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(body in "(old [0-9+]{0,3}\n)?([A-Za-z0-9=]{0,44}\n){0,3}\n?[\\PC\n]{0,60}") {
        let _ = parse_add_checkpoint(&body);
        let _ = WitnessKey::parse(&body);
        prop_assert!(check_cosignatures(&body, &[]).is_err());
    }
}
