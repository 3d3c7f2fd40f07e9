//! Looks for planted secrets in the raw bytes of a tree of files.
//!
//! ```text
//! every file and name ──▶ as it is ───────────────────────▶ ┐ each secret as it is, as UTF-16, as hex
//!                    └──▶ every gzip and zstd frame in it ─▶ ┘ and as base64 at each of its three alignments
//! ```
//!
//! The frames matter: a Parquet page or a Kafka record batch that was compressed and not encrypted shows nothing of a
//! secret to a plain search, and still gives it to anyone who has the file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem;

use crate::Error;

const CHUNK: usize = 4 * 1024 * 1024;
/// Longer than any pattern; see [`LONGEST`].
const OVERLAP: usize = 4096;
const ZSTD_MAGIC: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD];
const GZIP_MAGIC: &[u8] = &[0x1F, 0x8B, 0x08];
/// A frame is unpacked so far and no further, lest a bomb fill the machine.
const FRAME_LIMIT: u64 = 256 * 1024 * 1024;

/// A secret shorter than this is found by chance, above all in base64.
const SHORTEST: usize = 6;
/// A secret takes at most four times its length, in UTF-16 or in hex.
const LONGEST: usize = OVERLAP / 4;

/// A place where a secret stands in plain sight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// Where it begins; in a compressed frame, where the frame begins; 0 for a name.
    pub offset: u64,
    /// Which secret.
    pub needle: String,
    /// How it stands there.
    pub form: Form,
    /// In what.
    pub place: Place,
}

/// How a secret is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As it is, in UTF-8.
    Plain,
    /// In UTF-16, of either byte order.
    Utf16,
    /// In hexadecimal digits of either case.
    Hex,
    /// In base64 of either alphabet, at any alignment.
    Base64,
}

/// Where a secret was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the path below the folder that was searched.
    Name,
    /// In the file's bytes.
    Bytes,
    /// In what a zstd frame in the file unpacks to.
    Zstd,
    /// In what a gzip member in the file unpacks to.
    Gzip,
}

struct Pattern<'a> {
    needle: &'a str,
    form: Form,
    finder: memmem::Finder<'static>,
}

/// Searches every file below `folder`, and every name, for each of `needles`. Symbolic links are not followed; a file that
/// vanishes meanwhile is passed over. One finding is told for each file, secret, form and place.
///
/// # Errors
///
/// [`Error::Io`] if a file or folder cannot be read.
///
/// # Panics
///
/// If a needle is shorter than six bytes (it would be found by chance) or longer than 1024.
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
            // A whole path would be found again for every file below a folder.
            let name = name.rsplit('/').next().unwrap_or_default();
            search_bytes(name.as_bytes(), &patterns, |pattern, _| found.add(pattern, 0, Place::Name));
            let Some(kind) = present(entry.file_type()).map_err(Error::io("look at", &path))? else { continue };
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
/// If a secret stands in plain sight, or the folder cannot be read.
#[track_caller]
pub fn assert_none(folder: &Path, needles: &[&str]) {
    match scan(folder, needles) {
        Ok(findings) => assert!(findings.is_empty(), "secrets in plain sight: {findings:#?}"),
        Err(error) => panic!("{error}"),
    }
}

fn patterns<'a>(needles: &[&'a str]) -> Vec<Pattern<'a>> {
    let mut patterns = Vec::new();
    for needle in needles {
        assert!(needle.len() >= SHORTEST, "the secret {needle:?} is so short that it is found by chance");
        assert!(needle.len() <= LONGEST, "the secret {needle:?} is longer than the overlap allows");
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

/// The digits that the bytes have in any base64 text in which they begin `alignment` bytes after a multiple of three: the
/// digits at both ends that also hold bits of their neighbours are left out.
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
    // Where two chunks overlap, the same beginning is seen twice.
    frames.sort_unstable_by_key(|(offset, _)| *offset);
    frames.dedup();
    for (offset, place) in frames {
        let Some(mut file) = present(File::open(path))? else { return Ok(()) };
        file.seek(SeekFrom::Start(offset))?;
        let search = |_, bytes: &[u8]| search_bytes(bytes, patterns, |pattern, _| found.add(pattern, offset, place));
        // Not every place that looks like the beginning of a frame is one, and a frame may be cut off: what can be unpacked
        // is searched, and an error only says where that ends.
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

/// Hands out a stream chunk by chunk with the offset of each, so that whatever is shorter than [`OVERLAP`] lies whole in
/// one of them. What was read before an error is handed out too.
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
        let passed = buffer.len().saturating_sub(OVERLAP);
        buffer.drain(..passed);
        base += passed as u64;
    }
}

fn search_bytes<'p>(bytes: &[u8], patterns: &'p [Pattern<'p>], mut found: impl FnMut(&Pattern<'p>, u64)) {
    for pattern in patterns {
        if let Some(offset) = pattern.finder.find(bytes) {
            found(pattern, offset as u64);
        }
    }
}

/// A file that vanished is no error: the program under test may be tidying up.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
