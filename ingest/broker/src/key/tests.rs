use super::*;

#[test]
fn an_envelope_decrypts_only_with_its_key_and_associated_data() {
    let key = SpoolKey::generate().unwrap();
    let envelope = key.encrypt(b"events/0", b"hello").unwrap();
    assert_eq!(envelope.len(), 5 + OVERHEAD);
    assert_eq!(&key.decrypt(b"events/0", envelope.clone()).unwrap()[..], b"hello");
    assert_eq!(key.decrypt(b"events/1", envelope.clone()), Err(DecryptError));
    assert_eq!(SpoolKey::generate().unwrap().decrypt(b"events/0", envelope.clone()), Err(DecryptError));
    for position in 0..envelope.len() {
        let mut altered = envelope.clone();
        altered[position] ^= 1;
        assert_eq!(key.decrypt(b"events/0", altered), Err(DecryptError), "byte {position}");
    }
    for length in 0..envelope.len() {
        assert_eq!(key.decrypt(b"events/0", envelope[..length].to_vec()), Err(DecryptError), "length {length}");
    }
}

#[test]
fn the_envelope_format_is_stable() {
    let mut envelope = vec![1];
    envelope.extend([7; SALT_LENGTH]);
    let key = SpoolKey::from_bytes([9; 32]);
    let (aead, nonce) = key.derive(&[7; SALT_LENGTH]).unwrap();
    let mut text = *b"golden";
    let tag = aead.seal_in_place_separate_tag(nonce, Aad::from(b"place"), &mut text).unwrap();
    envelope.extend(text);
    envelope.extend(tag.as_ref());
    let hex: String = envelope[PREFIX..].iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "a02847f561b5713c3cadd5791c58042c9f8cd141500d");
    assert_eq!(&key.decrypt(b"place", envelope).unwrap()[..], b"golden");
}

#[test]
fn a_key_file_is_private_and_never_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broker.key");
    let key = SpoolKey::generate().unwrap();
    key.save(&path).unwrap();
    assert_eq!(SpoolKey::load(&path).unwrap().0, key.0);
    assert!(matches!(key.save(&path), Err(KeyError::File { .. })));
    assert!(matches!(SpoolKey::load(&directory.path().join("missing")), Err(KeyError::File { .. })));

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = SpoolKey::load(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    for wrong in ["", "12", &"g".repeat(64), &"0".repeat(65)] {
        fs::write(&path, wrong).unwrap();
        assert!(matches!(SpoolKey::load(&path), Err(KeyError::Malformed { .. })), "{wrong:?}");
    }
    assert_eq!(format!("{key:?}"), "SpoolKey(..)");
}
