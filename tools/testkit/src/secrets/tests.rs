use std::io::Write;

use super::*;

const SECRET: &str = "Zoë's serial 4711-XK";

fn forms_and_places(folder: &Path) -> Vec<(String, Form, Place)> {
    let findings = scan(folder, &[SECRET, "not there at all"]).unwrap();
    assert!(findings.iter().all(|finding| finding.needle == SECRET));
    findings
        .into_iter()
        .map(|finding| (finding.path.file_name().unwrap().to_string_lossy().into_owned(), finding.form, finding.place))
        .collect()
}

/// Bytes without a secret, which do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x1234_5678_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    })
    .take(length)
    .collect()
}

#[test]
fn a_secret_is_found_in_every_encoding() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, [&noise(1000)[..], bytes, &noise(777)].concat()).unwrap();
    };
    let text = format!("some text before, {SECRET}, and some behind");
    let hex: String = SECRET.bytes().map(|byte| format!("{byte:02X}")).collect();
    write("deep/er/plain", text.as_bytes());
    write("utf16", &text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>());
    write("hex", hex.as_bytes());
    for alignment in 0..3 {
        let text = format!("{}{text}", "x".repeat(alignment));
        write(&format!("base64-{alignment}"), base64::engine::general_purpose::STANDARD.encode(text).as_bytes());
    }
    // Huffman coding and back-references hide the secret from a plain search.
    let page = [text.repeat(2).as_bytes(), "chat chat chat ".repeat(500).as_bytes()].concat();
    write("page.zst", &zstd::encode_all(&page[..], 3).unwrap());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&page).unwrap();
    write("page.gz", &gzip.finish().unwrap());
    write(&format!("customer={SECRET}"), b"harmless");
    write("harmless", b"the secret is not here");

    let mut found = forms_and_places(folder.path());
    found.sort_by(|one, other| one.0.cmp(&other.0));
    // A deflate stream may contain a literal run unchanged; then it is found twice.
    found.retain(|(name, _, place)| !(name.starts_with("page") && *place == Place::Bytes));
    let expected = [
        ("base64-0", Form::Base64, Place::Bytes),
        ("base64-1", Form::Base64, Place::Bytes),
        ("base64-2", Form::Base64, Place::Bytes),
        (&format!("customer={SECRET}"), Form::Plain, Place::Name),
        ("hex", Form::Hex, Place::Bytes),
        ("page.gz", Form::Plain, Place::Gzip),
        ("page.zst", Form::Plain, Place::Zstd),
        ("plain", Form::Plain, Place::Bytes),
        ("utf16", Form::Utf16, Place::Bytes),
    ];
    assert_eq!(found, expected.map(|(name, form, place)| (name.to_owned(), form, place)));
}

#[test]
fn a_secret_across_two_chunks_is_found_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let before = CHUNK - SECRET.len() / 2;
    let bytes = [&noise(before)[..], SECRET.as_bytes(), &noise(100)].concat();
    std::fs::write(folder.path().join("large"), bytes).unwrap();
    let findings = scan(folder.path(), &[SECRET]).unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].offset, before as u64);
}

#[test]
fn a_truncated_frame_is_searched_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let page = [SECRET.as_bytes(), &noise(600_000)].concat();
    let frame = zstd::encode_all(&page[..], 3).unwrap();
    std::fs::write(folder.path().join("truncated"), &frame[..frame.len() / 2]).unwrap();
    assert!(forms_and_places(folder.path()).contains(&("truncated".to_owned(), Form::Plain, Place::Zstd)));
}

#[test]
#[should_panic(expected = "secrets in plain text")]
fn a_finding_fails_the_test() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("log"), SECRET).unwrap();
    assert_none(folder.path(), &[SECRET]);
}

#[test]
fn nothing_is_found_in_noise() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("noise"), noise(300_000)).unwrap();
    assert_none(folder.path(), &[SECRET]);
}
