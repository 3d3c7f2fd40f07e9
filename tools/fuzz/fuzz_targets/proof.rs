//! Proofs, leaves, notes, bundles and requests to witnesses are from outside. They are either refused, or parsed so that they
//! survive writing and parsing.

#![no_main]

use holdfast_proof::bundle::EventProof;
use holdfast_proof::note::{Purpose, TrustedKeys};
use holdfast_proof::{Leaf, tiles, witness};
use libfuzzer_sys::fuzz_target;

const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fuzz_target!(|bytes: &[u8]| {
    let keys = TrustedKeys::parse(KEY).unwrap();
    if let Ok(proof) = EventProof::parse(bytes) {
        assert!(proof.verify(&keys).is_err(), "only the holder of the key can make a valid proof");
        assert!(EventProof::parse(proof.to_json().as_bytes()).is_ok());
    }
    if let Ok(entries) = tiles::decode_entries(bytes) {
        assert_eq!(tiles::encode_entries(&entries).unwrap(), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(leaf) = Leaf::parse(text) {
            assert_eq!(Leaf::parse(&leaf.to_text()).unwrap(), leaf);
        }
        let _ = keys.open(text, Purpose::Checkpoint);
        let _ = TrustedKeys::parse(text);
        let _ = witness::parse_add_checkpoint(text);
    }
});
