//! Notes against those that Go's golang.org/x/mod/sumdb/note makes with its published example key.

use super::*;
use proptest::prelude::*;
use tlog_tiles::record_hash;

const PRIVATE: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const CHECKPOINT: &str = "PeterNeumann\n1000\nmXwAZ8XucWmQ1EpnMacEiQrHlXQBuXYF/fJms8q4tO8=\n\n\
    — PeterNeumann x08go04WuZFn2UqxwypgejJHZ58I9hsw0LboexAramwtnnJCTZcw9uheBjb1e6l6YGfla2HdG17BfeO6S2jo7EwA9gE=\n";
const COMMIT: &str = "PeterNeumann/commit\n1000\nmXwAZ8XucWmQ1EpnMacEiQrHlXQBuXYF/fJms8q4tO8=\n\n\
    — PeterNeumann x08gozjaegBSl7xpaJYxwPMPKXem3eDhQAGHDBIsXuqHFo7jzs0EVDNh9l74fCoGb4coT+hdyyW2AkKxQxKHqMCl/Q8=\n";

fn key() -> SigningKey {
    SigningKey::parse(PRIVATE).unwrap()
}

fn trusted() -> TrustedKeys {
    TrustedKeys::parse(PUBLIC).unwrap()
}

/// Another key of the same log.
fn other() -> (SigningKey, KeyPair) {
    let pair = generate("PeterNeumann", [5; 32]).unwrap();
    (SigningKey::parse(&pair.private_key).unwrap(), pair)
}

fn root() -> Hash {
    Hash::parse_hash("mXwAZ8XucWmQ1EpnMacEiQrHlXQBuXYF/fJms8q4tO8=").unwrap()
}

#[test]
fn notes_are_byte_for_byte_those_of_go() {
    assert_eq!(SignedTree::new(&key(), Purpose::Checkpoint, 1000, root()).sign(&key()).unwrap(), CHECKPOINT);
    assert_eq!(SignedTree::new(&key(), Purpose::Commit, 1000, root()).sign(&key()).unwrap(), COMMIT);
    assert_eq!(key().verifier_key(), PUBLIC);
    let opened = trusted().open(CHECKPOINT, Purpose::Checkpoint).unwrap();
    assert_eq!((opened.tree.size, opened.tree.root), (1000, root()));
    assert_eq!(opened.keys, [KeyId(0xc74f_20a3)]);
}

#[test]
fn the_published_example_is_signed_as_published() {
    let text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    let published = "— PeterNeumann \
        x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let mut note = Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&key().signer]).unwrap();
    assert_eq!(note.to_bytes(), format!("{text}\n{published}").as_bytes());
    // It is signed, but it is not a tree.
    let error = trusted().open(&format!("{text}\n{published}"), Purpose::Checkpoint).unwrap_err();
    assert!(matches!(error, NoteError::Malformed { .. }), "{error}");
}

#[test]
fn a_checkpoint_is_not_accepted_for_a_commit_nor_the_reverse() {
    assert!(trusted().open(COMMIT, Purpose::Commit).is_ok());
    assert_eq!(
        trusted().open(COMMIT, Purpose::Checkpoint).unwrap_err().to_string(),
        "the note is of `PeterNeumann/commit`, not of `PeterNeumann`"
    );
    assert!(matches!(trusted().open(CHECKPOINT, Purpose::Commit), Err(NoteError::OtherOrigin { .. })));
    assert!(generate("example.com/commit", [1; 32]).is_err());
    let foreign = SignedTree { origin: "example.com".to_owned(), size: 1, root: root(), extensions: Vec::new() };
    assert!(matches!(foreign.sign(&key()), Err(NoteError::OtherOrigin { .. })));
}

#[test]
fn a_note_of_unknown_keys_names_them() {
    let stranger = generate("example.com/log", [1; 32]).unwrap();
    let keys = TrustedKeys::parse(&stranger.verifier_key).unwrap();
    assert_eq!(
        keys.open(CHECKPOINT, Purpose::Checkpoint),
        Err(NoteError::Untrusted { found: vec!["PeterNeumann+c74f20a3".to_owned()] })
    );
    // The same name with another key is another key.
    let keys = TrustedKeys::parse(&other().1.verifier_key).unwrap();
    assert!(matches!(keys.open(CHECKPOINT, Purpose::Checkpoint), Err(NoteError::Untrusted { .. })));
    let line = CHECKPOINT.lines().last().unwrap();
    let many: String = (0..99).map(|n| format!("{}\n", line.replace("Peter", &format!("Peter{n}")))).collect();
    let Err(NoteError::Untrusted { found }) = keys.open(&format!("{CHECKPOINT}{many}"), Purpose::Checkpoint) else {
        panic!("opened")
    };
    assert_eq!(found.len(), MAX_KEYS_IN_ERROR);
}

#[test]
fn a_changed_text_has_a_wrong_signature() {
    let error = trusted().open(&CHECKPOINT.replace("1000", "1001"), Purpose::Checkpoint).unwrap_err();
    assert_eq!(error, NoteError::WrongSignature { key: "PeterNeumann+c74f20a3".to_owned() });
    // A valid signature does not outweigh a wrong one of another trusted key.
    let (second, pair) = other();
    let keys = TrustedKeys::parse(&format!("{PUBLIC}\n{}", pair.verifier_key)).unwrap();
    let elsewhere = SignedTree::new(&second, Purpose::Checkpoint, 999, root()).sign(&second).unwrap();
    let both = format!("{CHECKPOINT}{}\n", elsewhere.lines().last().unwrap());
    assert!(matches!(keys.open(&both, Purpose::Checkpoint), Err(NoteError::WrongSignature { .. })));
    assert!(trusted().open(&both, Purpose::Checkpoint).is_ok());
}

#[test]
fn a_retired_key_counts_for_the_trees_before() {
    let (second, pair) = other();
    let text = format!("# rotated\n\n{PUBLIC} retired-at 1000\n{}\r\n", pair.verifier_key);
    let keys = TrustedKeys::parse(&text).unwrap();
    assert_eq!(keys.origin(), "PeterNeumann");
    assert!(keys.open(CHECKPOINT, Purpose::Checkpoint).is_ok());
    let sign = |key: &SigningKey, purpose| SignedTree::new(key, purpose, 1001, root()).sign(key).unwrap();
    assert_eq!(
        keys.open(&sign(&key(), Purpose::Checkpoint), Purpose::Checkpoint).unwrap_err().to_string(),
        "signed by PeterNeumann+c74f20a3, which is retired: it signs for trees of at most 1000 leaves, not of 1001"
    );
    // The size of a commit's tree is not that of the log.
    let opened = keys.open(&sign(&key(), Purpose::Commit), Purpose::Commit).unwrap();
    assert!(keys.may_sign(opened.keys[0], 1000));
    assert!(!keys.may_sign(opened.keys[0], 1001));
    assert!(keys.may_sign(second.id(), u64::MAX));
    assert!(!keys.may_sign(KeyId(1), 0));
    // Both signed: the one that is not retired decides.
    let by_second = sign(&second, Purpose::Checkpoint);
    let both = format!("{}{}\n", sign(&key(), Purpose::Checkpoint), by_second.lines().last().unwrap());
    assert_eq!(keys.open(&both, Purpose::Checkpoint).unwrap().keys, [key().id(), second.id()]);
}

#[test]
fn the_error_of_a_file_of_keys_names_the_line() {
    let other_name = generate("example.com/log", [1; 32]).unwrap().verifier_key;
    for (text, expected) in [
        (String::new(), "there is no key; write one verifier key per line"),
        ("# none\n".to_owned(), "there is no key; write one verifier key per line"),
        (format!("{PUBLIC}\n\nnonsense"), "line 3: the key does not have the form <name>+<id>+<base64>"),
        (PUBLIC.replace("Peter", "Petra"), "line 1: the key's id is not that of the key; a character is wrong"),
        (
            format!("{PUBLIC}\n{other_name}"),
            "line 2: the key is named `example.com/log`, the ones before it `PeterNeumann`; all keys of a log have its \
             name",
        ),
        (format!("{PUBLIC}\n{PUBLIC}"), "line 2: the key c74f20a3 is listed twice"),
        (PRIVATE.to_owned(), "line 1: this is a private key; write the verifier key, and replace that private key"),
        (format!("{PUBLIC} retired-at -1"), "line 1: the size after `retired-at` is not a whole number"),
        (format!("{PUBLIC} retired 7"), "line 1: only `retired-at` and a tree's size may follow the key"),
        (format!("{PUBLIC} retired-at 7 8"), "line 1: only `retired-at` and a tree's size may follow the key"),
    ] {
        assert_eq!(TrustedKeys::parse(&text).unwrap_err().to_string(), expected, "{text}");
    }
    let witness = crate::witness::WitnessKey::of_seed("w", &[1; 32]).unwrap().verifier_key();
    assert!(TrustedKeys::parse(&witness).unwrap_err().to_string().contains("type 1"));
}

#[test]
fn a_private_key_is_never_printed() {
    let (key, pair) = other();
    for shown in [format!("{key:?}"), format!("{pair:?}"), format!("{:?}", TrustedKeys::parse(PUBLIC).unwrap())] {
        assert!(!shown.contains("PRIVATE"), "{shown}");
    }
    assert_eq!(format!("{key:?}"), format!("SigningKey(PeterNeumann+{})", key.id()));
    let secret = pair.private_key.splitn(5, '+').nth(4).unwrap();
    for wrong in [
        pair.private_key.replace("Peter", "Petra"),
        pair.private_key.replace("PRIVATE", "PUBLIC"),
        format!("{}A", pair.private_key),
    ] {
        let error = SigningKey::parse(&wrong).unwrap_err().to_string();
        assert!(!error.contains(secret), "{error}");
    }
    assert!(SigningKey::parse(PUBLIC).is_err());
    assert!(SigningKey::parse(&format!(" {PRIVATE}\n")).is_ok());
}

#[test]
fn lines_with_another_interpretation_are_not_signed() {
    let tree = |extensions: &[&str]| SignedTree {
        extensions: extensions.iter().map(|line| (*line).to_owned()).collect(),
        ..SignedTree::new(&key(), Purpose::Checkpoint, 7, root())
    };
    for extensions in [&[""][..], &["a\nb"], &["a", ""], &["a\r"], &["\u{1}"], &["a\n"]] {
        assert!(matches!(tree(extensions).sign(&key()), Err(NoteError::Malformed { .. })), "{extensions:?}");
    }
    let note = tree(&["one", "two"]).sign(&key()).unwrap();
    assert_eq!(trusted().open(&note, Purpose::Checkpoint).unwrap().tree, tree(&["one", "two"]));
}

#[test]
fn invalid_names_of_a_log_are_refused() {
    for name in ["", "a b", "a+b", "a\u{1}", "a\n", "x/commit"] {
        assert!(generate(name, [1; 32]).is_err(), "{name:?}");
    }
}

#[test]
fn every_flipped_bit_of_a_note_is_detected() {
    for at in 0..CHECKPOINT.len() {
        for bit in 0..8 {
            let mut bytes = CHECKPOINT.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            if let Ok(note) = std::str::from_utf8(&bytes) {
                assert!(trusted().open(note, Purpose::Checkpoint).is_err(), "byte {at}, bit {bit}");
            }
        }
    }
}

proptest! {
    #[test]
    fn a_signed_tree_is_read_back(
        size in any::<u64>(),
        seed in any::<[u8; 32]>(),
        lines in prop::collection::vec("[ -~é]{1,20}", 0..3),
    ) {
        let pair = generate("example.com/log", seed).unwrap();
        let key = SigningKey::parse(&pair.private_key).unwrap();
        prop_assert_eq!(key.verifier_key(), &pair.verifier_key);
        let mut tree = SignedTree::new(&key, Purpose::Checkpoint, size, record_hash(&seed));
        tree.extensions = lines;
        let keys = TrustedKeys::parse(&pair.verifier_key).unwrap();
        let opened = keys.open(&tree.sign(&key).unwrap(), Purpose::Checkpoint).unwrap();
        prop_assert_eq!(opened, Opened { tree, keys: vec![key.id()] });
    }

    #[test]
    fn any_text_is_read_or_refused(
        text in "[\\PC\n+— =A-Za-z0-9]{0,80}",
        head in "(PeterNeumann\n)?[0-9+]{0,3}\n[A-Za-z0-9=]{0,44}\n(\n){0,3}",
        lines in "(— [a-z]{1,3} [A-Za-z0-9=]{0,12}\n){0,2}",
    ) {
        let note = head + &lines;
        let _ = (TrustedKeys::parse(&text), SigningKey::parse(&text));
        prop_assert!(trusted().open(&text, Purpose::Checkpoint).is_err());
        prop_assert!(trusted().open(&note, Purpose::Checkpoint).is_err());
    }
}
