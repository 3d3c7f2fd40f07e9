//! Key metadata is from untrusted files. It is either refused, or parsed so that it survives writing and parsing.

#![no_main]

use holdfast_archive::keys::KeyMaterial;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(material) = KeyMaterial::parse(bytes) {
        assert_eq!(KeyMaterial::parse(&material.to_json(true)), Ok(material));
    }
});
