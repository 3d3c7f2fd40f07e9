//! The lines of a file, read by a thread of its own, in batches, with bounded memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use anyhow::{Context as _, bail};
use holdfast_events::BYTE_ORDER_MARK;
use tokio::sync::mpsc;

/// Bytes and lines that end a batch.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_LINES: usize = 10_000;
/// Batches that are read ahead.
const MAX_QUEUED_BATCHES: usize = 4;

/// Lines that were read together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) lines: Vec<Line>,
    /// Bytes that were read, line ends and blank lines included.
    pub(super) bytes: u64,
}

/// A line that is not blank.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: u64,
    /// Without its line end; `None` when it is longer than allowed.
    pub(super) text: Option<Vec<u8>>,
}

/// The lines of a file, as a stream of batches.
#[derive(Debug)]
pub(super) struct Lines {
    batches: mpsc::Receiver<io::Result<Batch>>,
    size: Option<u64>,
}

impl Lines {
    /// Opens `path`, or standard input for `-`. Lines longer than `max_line_bytes` are counted and not kept.
    pub(super) fn open(path: &Path, max_line_bytes: usize) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::of(BufReader::with_capacity(1 << 20, io::stdin()), None, max_line_bytes));
        }
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        let metadata = file.metadata().with_context(|| format!("read the size of {}", path.display()))?;
        if metadata.is_dir() {
            bail!("{} is a folder; name a file with one event a line", path.display());
        }
        let size = metadata.is_file().then_some(metadata.len());
        Ok(Self::of(BufReader::with_capacity(1 << 20, file), size, max_line_bytes))
    }

    fn of(reader: impl BufRead + Send + 'static, size: Option<u64>, max_line_bytes: usize) -> Self {
        let (sender, batches) = mpsc::channel(MAX_QUEUED_BATCHES);
        // A thread of its own: a read of standard input may block forever, and must not stop the runtime from ending.
        std::thread::spawn(move || read(reader, max_line_bytes, &sender));
        Self { batches, size }
    }

    /// Bytes of the file; `None` for standard input.
    pub(super) fn size(&self) -> Option<u64> {
        self.size
    }

    /// The next lines; `None` at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Batch>> {
        self.batches.recv().await.transpose().context("read the lines")
    }
}

fn read(mut reader: impl BufRead, max_line_bytes: usize, sender: &mpsc::Sender<io::Result<Batch>>) {
    let mut number = 0;
    let mut batch = Batch::default();
    let mut kept = 0;
    loop {
        let (bytes, text) = match read_line(&mut reader, max_line_bytes) {
            Ok((0, _)) => break,
            Ok(line) => line,
            Err(error) => {
                // The receiver may be closed.
                let _ = sender.blocking_send(Err(error));
                return;
            }
        };
        number += 1;
        let text = if number == 1 { text.map(without_mark) } else { text };
        batch.bytes += bytes;
        let is_blank = text.as_ref().is_some_and(|text| text.iter().all(u8::is_ascii_whitespace));
        if !is_blank {
            kept += text.as_ref().map_or(0, Vec::len);
            batch.lines.push(Line { number, text });
        }
        if kept >= BATCH_BYTES || batch.lines.len() >= BATCH_LINES {
            kept = 0;
            if sender.blocking_send(Ok(std::mem::take(&mut batch))).is_err() {
                return;
            }
        }
    }
    let _ = sender.blocking_send(Ok(batch));
}

/// The first line without the byte order mark that some shells and spreadsheets write at the start of a file.
fn without_mark(mut line: Vec<u8>) -> Vec<u8> {
    if line.starts_with(BYTE_ORDER_MARK) {
        line.drain(..BYTE_ORDER_MARK.len());
    }
    line
}

/// Bytes that were read, and the line without its line end; no line when it is longer than `max_line_bytes`.
fn read_line(reader: &mut impl BufRead, max_line_bytes: usize) -> io::Result<(u64, Option<Vec<u8>>)> {
    let mut read = 0;
    let mut text = Some(Vec::new());
    loop {
        let buffer = match reader.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        if let Some(kept) = &mut text {
            // One byte more, for a carriage return that is removed below.
            if kept.len() + part.len() > max_line_bytes + 1 {
                text = None;
            } else {
                kept.extend_from_slice(part);
            }
        }
        let consumed = part.len() + usize::from(end.is_some());
        let is_end = end.is_some() || consumed == 0;
        reader.consume(consumed);
        read += consumed as u64;
        if is_end {
            break;
        }
    }
    if let Some(kept) = &mut text {
        if kept.last() == Some(&b'\r') {
            kept.pop();
        }
        if kept.len() > max_line_bytes {
            text = None;
        }
    }
    Ok((read, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(text: &'static [u8], max_line_bytes: usize) -> (Vec<Line>, u64) {
        let mut lines = Lines::of(BufReader::with_capacity(3, text), None, max_line_bytes);
        let (mut found, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = lines.next().await.unwrap() {
            found.extend(batch.lines);
            bytes += batch.bytes;
        }
        (found, bytes)
    }

    fn line(number: u64, text: &str) -> Line {
        Line { number, text: Some(text.into()) }
    }

    #[tokio::test]
    async fn lines_keep_their_numbers_and_blank_ones_are_skipped() {
        let (lines, bytes) = all(b"one\r\n\n  \nfour\nlast", 100).await;
        assert_eq!(lines, [line(1, "one"), line(4, "four"), line(5, "last")]);
        assert_eq!(bytes, 18);
        assert_eq!(all(b"", 100).await, (vec![], 0));
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_reported_and_not_kept() {
        let (lines, _) = all(b"12345\n123456\r\n1234567\n1", 6).await;
        let expected = [line(1, "12345"), line(2, "123456"), Line { number: 3, text: None }, line(4, "1")];
        assert_eq!(lines, expected);
    }

    #[tokio::test]
    async fn a_byte_order_mark_at_the_start_of_a_file_belongs_to_nothing() {
        let (lines, bytes) = all("\u{feff}one\r\n\u{feff}two".as_bytes(), 100).await;
        assert_eq!(lines, [line(1, "one"), line(2, "\u{feff}two")]);
        assert_eq!(bytes, 14);
        assert_eq!(all("\u{feff}\r\none".as_bytes(), 100).await.0, [line(2, "one")]);
        assert_eq!(all("\u{feff}".as_bytes(), 100).await.0, []);
        assert_eq!(all(b"\xef\xbb", 100).await.0[0].text.as_deref(), Some(b"\xef\xbb".as_slice()));
    }

    #[tokio::test]
    async fn bytes_that_are_not_utf8_are_kept() {
        let (lines, _) = all(b"\xff\x00\n", 100).await;
        assert_eq!(lines[0].text.as_deref(), Some(b"\xff\x00".as_slice()));
    }
}
