//! The bytes of a recording, put together from its chunks.

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail};
use holdfast_archive::Archive;
use holdfast_archive::recordings::{ChunkLocation, read_chunk};
use holdfast_query::Session;
use holdfast_timeline::Range;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::rows::{count, integer, text};
use crate::progress::Bars;
use crate::render::answer;
use crate::render::text::{bytes, counted};
use crate::wiring::query::literal;

/// What was written.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    recording: String,
    chunks: u64,
    bytes: u64,
    /// Numbers of chunks that are not in the archive. Only a later chunk shows that one is missing.
    missing: Vec<Range>,
    sha256: String,
}

impl Written {
    pub(super) fn chunks(&self) -> u64 {
        self.chunks
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn describe(&self, out: &Path) -> String {
        let mut text = format!(
            "Wrote {} ({}, {}) to {}; sha256 {}\n",
            self.recording,
            counted(self.chunks, "chunk", "chunks"),
            bytes(self.bytes),
            out.display(),
            self.sha256
        );
        if !self.missing.is_empty() {
            let numbers: Vec<String> = self.missing.iter().take(20).map(ToString::to_string).collect();
            text.push_str(&format!(
                "{} not in the archive: {}{}\n",
                counted(self.missing.iter().map(Range::count).fold(0, u64::saturating_add), "chunk is", "chunks are"),
                numbers.join(", "),
                if self.missing.len() > 20 { ", ..." } else { "" }
            ));
        }
        text
    }
}

/// Writes the recording to `out`, chunk by chunk, each checked against its hash.
pub(super) async fn write(
    archive: &Archive,
    caller: &Session,
    bars: &Bars,
    session: &str,
    recording: &str,
    out: &Path,
) -> anyhow::Result<Written> {
    let sql = format!(
        "SELECT seq, size, sha256, object_path, object_offset, class, date - DATE '1970-01-01' AS day \
         FROM archive.events \
         WHERE subject = {} AND type = 'recording.chunk' AND recording_id = {} AND object_path IS NOT NULL \
         ORDER BY seq, kafka_offset",
        literal(session),
        literal(recording)
    );
    let chunks = answer::objects(caller.sql(&sql).await?).await?;
    if chunks.is_empty() {
        bail!(
            "session `{session}` has no chunk of a recording `{recording}`; `holdfast session {session}` lists its recordings"
        );
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = || format!("write {}", out.display());
    let mut file = tempfile::Builder::new().prefix(".holdfast-").tempfile_in(folder).with_context(failed)?;
    let total = chunks.iter().filter_map(|chunk| count(chunk, "size")).sum();
    let progress = bars.of_bytes(total, "decrypting");
    let mut written =
        Written { recording: recording.to_owned(), chunks: 0, bytes: 0, missing: Vec::new(), sha256: String::new() };
    let mut whole = Sha256::new();
    let mut last: Option<i64> = None;
    for chunk in &chunks {
        let number = |name: &str| integer(chunk, name).with_context(|| format!("a chunk has no {name}"));
        let seq = number("seq")?;
        if last.is_some_and(|last| seq <= last) {
            // A duplicate.
            continue;
        }
        written.missing.extend(missing_between(last, seq));
        last = Some(seq);
        let (offset, size) = (u64::try_from(number("object_offset")?)?, u64::try_from(number("size")?)?);
        let day = i32::try_from(number("day")?)?;
        let (class, path) = (text(chunk, "class"), text(chunk, "object_path"));
        let location = ChunkLocation { class, date: day, path, offset, length: size };
        let plain =
            read_chunk(archive, caller.unlocker(), &location).await.with_context(|| format!("read chunk {seq}"))?;
        let hash: String = Sha256::digest(&plain).iter().map(|byte| format!("{byte:02x}")).collect();
        if hash != text(chunk, "sha256") {
            bail!("chunk {seq} in {path} does not have the SHA-256 of its row; nothing was written");
        }
        whole.update(&plain);
        file.write_all(&plain).with_context(failed)?;
        written.chunks += 1;
        written.bytes += plain.len() as u64;
        progress.add(size);
    }
    written.sha256 = whole.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    file.as_file().sync_all().with_context(failed)?;
    file.persist(out).with_context(failed)?;
    Ok(written)
}

/// The numbers between a chunk, or the start of the recording, and the next chunk.
fn missing_between(last: Option<i64>, seq: i64) -> Option<Range> {
    let first = last.map_or(Some(0), |last| last.checked_add(1))?;
    (first < seq).then(|| Range { first, last: seq.saturating_sub(1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hole_costs_one_range_however_large_it_is() {
        let range = |first, last| Some(Range { first, last });
        assert_eq!(missing_between(None, 0), None);
        assert_eq!(missing_between(None, 3), range(0, 2));
        assert_eq!(missing_between(Some(4), 5), None);
        assert_eq!(missing_between(Some(4), 6), range(5, 5));
        assert_eq!(missing_between(Some(0), 1 << 62), range(1, (1 << 62) - 1));
        assert_eq!(missing_between(None, i64::MAX), range(0, i64::MAX - 1));
        assert_eq!(missing_between(Some(i64::MAX), i64::MAX), None);
        assert_eq!(missing_between(None, i64::MIN), None);
    }

    #[test]
    fn the_answer_counts_what_is_missing_and_lists_it_as_ranges() {
        let missing = vec![Range { first: 1, last: 1 << 62 }, Range { first: i64::MAX, last: i64::MAX }];
        let written = Written { recording: "r".to_owned(), chunks: 2, bytes: 6, missing, sha256: "00".to_owned() };
        let text = written.describe(Path::new("r.webm"));
        assert!(text.contains("not in the archive: 1-4611686018427387904, 9223372036854775807"), "{text}");
        let json = serde_json::to_value(&written).unwrap();
        assert_eq!(json["missing"][0], serde_json::json!({"first": 1, "last": 1i64 << 62}));
        let whole = Written { missing: Vec::new(), ..written };
        assert!(!whole.describe(Path::new("r.webm")).contains("not in the archive"));
    }
}
