//! Cuts a WebM file into chunks at its clusters, without decoding it.
//!
//! A file that is not WebM, or a cluster larger than a chunk, is cut by size. The chunks joined in order are the file, byte for
//! byte.

use std::ops::Range;

/// Bytes of the largest chunk: a broker's usual limit for a message is one MiB.
const MAX_CHUNK_BYTES: usize = 512 * 1024;
/// Length in milliseconds of a piece whose length is unknown.
const UNKNOWN_MS: u64 = 2_000;

const SEGMENT: u32 = 0x1853_8067;
const CLUSTER: u32 = 0x1f43_b675;
const INFO: u32 = 0x1549_a966;
const SCALE: u32 = 0x2a_d7b1;
const TIMESTAMP: u32 = 0xe7;

/// One chunk of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Its bytes in the file.
    pub(crate) bytes: Range<usize>,
    /// Its first millisecond.
    pub(crate) first_ms: u32,
    /// Its last millisecond, inclusive.
    pub(crate) last_ms: u32,
}

/// The pieces of a file, in order and without a gap. An empty file has none.
pub(crate) fn pieces(file: &[u8]) -> Vec<Piece> {
    let mut marks = clusters(file);
    if marks.is_empty() {
        marks.push((0, 0));
    }
    // The first chunk includes the bytes before the first cluster, the last one those after the last cluster.
    marks[0].0 = 0;
    let mut pieces = Vec::new();
    for (index, &(start, time)) in marks.iter().enumerate() {
        let (end, until) = match marks.get(index + 1) {
            Some(&(end, until)) => (end, until.max(time + 1)),
            None => (file.len(), time + UNKNOWN_MS),
        };
        let parts = (end - start).div_ceil(MAX_CHUNK_BYTES).max(1);
        for part in 0..parts {
            let at = |part: usize| start + (end - start) * part / parts;
            let when = |part: usize| time + (until - time) * part as u64 / parts as u64;
            if at(part) < at(part + 1) {
                pieces.push(Piece {
                    bytes: at(part)..at(part + 1),
                    first_ms: saturate(when(part)),
                    last_ms: saturate(when(part + 1).saturating_sub(1).max(when(part))),
                });
            }
        }
    }
    pieces
}

fn saturate(milliseconds: u64) -> u32 {
    u32::try_from(milliseconds).unwrap_or(u32::MAX)
}

/// Offset and time (ms) of every cluster.
fn clusters(file: &[u8]) -> Vec<(usize, u64)> {
    let mut found = Vec::new();
    let mut scale = 1_000_000u64;
    let mut at = 0;
    while let Some((id, size, body)) = element(file, at) {
        let end = size.and_then(|size| body.checked_add(size));
        match id {
            // Containers are entered; all other elements are skipped. A cluster is entered as well, because its size may be
            // unknown: it ends where the next one starts.
            SEGMENT | INFO => at = body,
            CLUSTER => {
                found.push((at, 0));
                at = body;
            }
            TIMESTAMP | SCALE => {
                let Some(end) = end.filter(|end| *end <= file.len() && *end - body <= 8) else { break };
                let value = file[body..end].iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
                if id == SCALE {
                    scale = value.max(1);
                } else if let Some((_, time)) = found.last_mut() {
                    *time = (u128::from(value) * u128::from(scale) / 1_000_000).min(u128::from(u32::MAX)) as u64;
                }
                at = end;
            }
            _ => {
                let Some(end) = end else { break };
                at = end;
            }
        }
    }
    found
}

/// Id, size (`None` if unknown) and start of the body of the element at `at`.
fn element(file: &[u8], at: usize) -> Option<(u32, Option<usize>, usize)> {
    let first = *file.get(at)?;
    let id_length = first.leading_zeros() as usize + 1;
    if id_length > 4 {
        return None;
    }
    let id = file.get(at..at + id_length)?.iter().fold(0u32, |id, byte| id << 8 | u32::from(*byte));
    let at = at + id_length;
    let first = *file.get(at)?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let bytes = file.get(at..at + length)?;
    let mask = (1u64 << (7 * length)) - 1;
    let value = bytes.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte)) & mask;
    let size = if value == mask { None } else { Some(usize::try_from(value).ok()?) };
    Some((id, size, at + length))
}
