//! Searches the raw bytes of a tree of files for planted secrets.
//!
//! ```text
//! every file and name ──▶ as it is ───────────────────────▶ ┐ each secret as UTF-8, as UTF-16, as hex
//!                    └──▶ every gzip and zstd frame in it ─▶ ┘ and as base64 at each of its three alignments
//! ```
//!
//! The frames matter: in a Parquet page or a Kafka record batch that is compressed and not encrypted a plain search does not find
//! a secret, but anyone with the file can read it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;

use crate::Error;

const CHUNK: usize = 4 * 1024 * 1024;
/// Longer than any pattern; see [`MAX_SECRET_BYTES`].
const OVERLAP: usize = 4096;
const ZSTD_MAGIC: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
const GZIP_MAGIC: &[u8] = &[0x1F, 0x8B, 0x08];
/// The greatest number of bytes of a frame that are decompressed, because of decompression bombs.
const FRAME_LIMIT: u64 = 256 * 1024 * 1024;

/// A shorter secret could be found by chance, especially in base64.
const MIN_SECRET_BYTES: usize = 6;
/// A pattern has at most four times the length of its secret, in UTF-16 or in hex.
const MAX_SECRET_BYTES: usize = OVERLAP / 4;

/// An occurrence of a secret in plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// The offset of the secret; in a compressed frame, the offset of the frame; 0 for a name.
    pub offset: u64,
    /// The secret.
    pub needle: String,
    /// How it is encoded.
    pub form: Form,
    /// Where it was found.
    pub place: Place,
}

/// The encoding of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// UTF-8.
    Plain,
    /// UTF-16, in either byte order.
    Utf16,
    /// Hexadecimal digits, in either case.
    Hex,
    /// Base64, in either alphabet, at any alignment.
    Base64,
}

/// Where a secret was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path below the folder that was searched.
    Name,
    /// In the file's bytes.
    Bytes,
    /// In the decompressed bytes of a zstd frame in the file.
    Zstd,
    /// In the decompressed bytes of a gzip member in the file.
    Gzip,
}

struct Pattern<'a> {
    needle: &'a str,
    form: Form,
    finder: memmem::Finder<'static>,
}

/// Searches every file below `folder`, and every name, for each of `needles`. Symbolic links are not followed; a file that is
/// deleted meanwhile is skipped. Returns one finding for each file, secret, form and place.
///
/// # Errors
///
/// [`Error::Io`] if a file or folder cannot be read.
///
/// # Panics
///
/// If a needle is shorter than 6 bytes, which could be found by chance, or longer than 1024.
pub fn scan(folder: &Path, needles: &[&str]) -> Result<Vec<Finding>, Error> {
    let patterns = patterns(needles);
    let mut findings = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let Some(entries) = present(std::fs::read_dir(&current)).map_err(Error::io("list", &current))? else {
            continue;
        };
        for entry in entries {
            let entry = entry.map_err(Error::io("list", &current))?;
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            let mut found = Found { path: &path, findings: &mut findings };
            // Only the last part: the name of a folder would be found again for every file below it.
            let name = name.rsplit('/').next().unwrap_or_default();
            search_bytes(name.as_bytes(), &patterns, |pattern, _| found.add(pattern, 0, Place::Name));
            let Some(kind) = present(entry.file_type()).map_err(Error::io("examine", &path))? else { continue };
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                search_file(&path, &patterns, &mut found).map_err(Error::io("read", &path))?;
            }
        }
    }
    findings.sort_by(|one, other| (&one.path, one.offset).cmp(&(&other.path, other.offset)));
    Ok(findings)
}

/// Fails a test with every finding, if there is one.
///
/// # Panics
///
/// If a secret is found in plain text, or the folder cannot be read.
#[track_caller]
pub fn assert_none(folder: &Path, needles: &[&str]) {
    match scan(folder, needles) {
        Ok(findings) => assert!(findings.is_empty(), "secrets in plain text: {findings:#?}"),
        Err(error) => panic!("{error}"),
    }
}

fn patterns<'a>(needles: &[&'a str]) -> Vec<Pattern<'a>> {
    let mut patterns = Vec::new();
    for needle in needles {
        assert!(needle.len() >= MIN_SECRET_BYTES, "the secret {needle:?} is so short that it could be found by chance");
        assert!(needle.len() <= MAX_SECRET_BYTES, "the secret {needle:?} is longer than the overlap allows");
        let bytes = needle.as_bytes();
        let mut add = |form, bytes: Vec<u8>| {
            patterns.push(Pattern { needle, form, finder: memmem::Finder::new(&bytes).into_owned() });
        };
        add(Form::Plain, bytes.to_vec());
        add(Form::Utf16, needle.encode_utf16().flat_map(u16::to_le_bytes).collect());
        add(Form::Utf16, needle.encode_utf16().flat_map(u16::to_be_bytes).collect());
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        add(Form::Hex, hex.to_uppercase().into_bytes());
        add(Form::Hex, hex.into_bytes());
        for alignment in 0..3 {
            let standard = base64_inside(bytes, alignment, &STANDARD_NO_PAD);
            let url_safe = base64_inside(bytes, alignment, &URL_SAFE_NO_PAD);
            if url_safe != standard {
                add(Form::Base64, url_safe);
            }
            add(Form::Base64, standard);
        }
    }
    patterns
}

/// The digits of the bytes in any base64 text in which they start `alignment` bytes after a multiple of three. The digits at both
/// ends that also contain bits of the neighbouring bytes are left out.
fn base64_inside(bytes: &[u8], alignment: usize, engine: &impl Engine) -> Vec<u8> {
    let mut padded = vec![0; alignment];
    padded.extend_from_slice(bytes);
    let text = engine.encode(&padded);
    let first = (alignment * 8).div_ceil(6);
    let last = padded.len() * 8 / 6;
    text.as_bytes()[first..last].to_vec()
}

struct Found<'a> {
    path: &'a Path,
    findings: &'a mut Vec<Finding>,
}

impl Found<'_> {
    fn add(&mut self, pattern: &Pattern<'_>, offset: u64, place: Place) {
        let finding = Finding {
            path: self.path.to_owned(),
            offset,
            needle: pattern.needle.to_owned(),
            form: pattern.form,
            place,
        };
        let known = |other: &Finding| {
            other.path == finding.path
                && other.needle == finding.needle
                && other.form == finding.form
                && other.place == finding.place
        };
        if !self.findings.iter().any(known) {
            self.findings.push(finding);
        }
    }
}

fn search_file(path: &Path, patterns: &[Pattern<'_>], found: &mut Found<'_>) -> io::Result<()> {
    let Some(file) = present(File::open(path))? else { return Ok(()) };
    let mut frames = Vec::new();
    search_stream(file, |base, bytes| {
        search_bytes(bytes, patterns, |pattern, offset| found.add(pattern, base + offset, Place::Bytes));
        for (magic, place) in [(ZSTD_MAGIC, Place::Zstd), (GZIP_MAGIC, Place::Gzip)] {
            frames.extend(memmem::find_iter(bytes, magic).map(|offset| (base + offset as u64, place)));
        }
    })?;
    // Where two chunks overlap, the same start of a frame is found twice.
    frames.sort_unstable_by_key(|(offset, _)| *offset);
    frames.dedup();
    for (offset, place) in frames {
        let Some(mut file) = present(File::open(path))? else { return Ok(()) };
        file.seek(SeekFrom::Start(offset))?;
        let search = |_, bytes: &[u8]| search_bytes(bytes, patterns, |pattern, _| found.add(pattern, offset, place));
        // Not every match is the start of a frame, and a frame may be truncated: the bytes that can be decompressed are searched,
        // and an error only ends them.
        let _ = match place {
            Place::Gzip => {
                search_stream(flate2::bufread::GzDecoder::new(BufReader::new(file)).take(FRAME_LIMIT), search)
            }
            _ => zstd::stream::read::Decoder::new(file)
                .and_then(|decoder| search_stream(decoder.single_frame().take(FRAME_LIMIT), search)),
        };
    }
    Ok(())
}

/// Passes a stream chunk by chunk, with the offset of each, to `search`. Chunks overlap, so anything shorter than [`OVERLAP`] is
/// complete in one of them. The bytes before an error are passed too.
fn search_stream(mut stream: impl Read, mut search: impl FnMut(u64, &[u8])) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(CHUNK + OVERLAP);
    let mut base = 0;
    loop {
        let kept = buffer.len();
        let result = stream.by_ref().take(CHUNK as u64).read_to_end(&mut buffer);
        search(base, &buffer);
        result?;
        if buffer.len() == kept {
            return Ok(());
        }
        let searched = buffer.len().saturating_sub(OVERLAP);
        buffer.drain(..searched);
        base += searched as u64;
    }
}

fn search_bytes<'p>(bytes: &[u8], patterns: &'p [Pattern<'p>], mut found: impl FnMut(&Pattern<'p>, u64)) {
    for pattern in patterns {
        if let Some(offset) = pattern.finder.find(bytes) {
            found(pattern, offset as u64);
        }
    }
}

/// A missing file is not an error: the program under test may delete files.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
