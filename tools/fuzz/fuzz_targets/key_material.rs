//! Key metadata comes from files that anybody may have written. It is refused or read, and what is read is written back.

#![no_main]

use holdfast_archive::keys::KeyMaterial;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(material) = KeyMaterial::parse(bytes) {
        assert_eq!(KeyMaterial::parse(&material.to_json(true)), Ok(material));
    }
});
