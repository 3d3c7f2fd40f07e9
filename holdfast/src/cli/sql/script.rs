//! Statements of a file or of standard input, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, bail};

/// The longest line, in bytes: several of the longest statements.
const LINE_BYTES: u64 = 4 << 20;
/// What some editors write at the beginning of a file.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// Where statements are read from.
pub(super) struct Script {
    /// Its name in errors.
    pub(super) name: String,
    reader: Box<dyn BufRead + Send>,
}

impl Script {
    /// A file; `-` is standard input.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self::stdin());
        }
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        Ok(Self { name: path.display().to_string(), reader: Box::new(BufReader::new(file)) })
    }

    pub(super) fn stdin() -> Self {
        Self { name: "<stdin>".to_owned(), reader: Box::new(BufReader::new(io::stdin())) }
    }
}

/// The lines of a script. They are read on a thread of their own, because a pipe may let a reader wait.
pub(super) struct Lines {
    name: String,
    /// `None` while a line is read.
    reader: Option<Box<dyn BufRead + Send>>,
    line: usize,
}

impl Lines {
    pub(super) fn new(Script { name, reader }: Script) -> Self {
        Self { name, reader: Some(reader), line: 0 }
    }

    /// The next line with its end. `None` after the last one.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<String>> {
        let mut reader = self.reader.take().context("a line is being read already")?;
        let read = move || {
            let line = read_line(reader.as_mut());
            (reader, line)
        };
        let (reader, line) = tokio::task::spawn_blocking(read).await.context("read a line")?;
        self.reader = Some(reader);
        self.line += 1;
        let line = line.with_context(|| format!("read line {} of {}", self.line, self.name))?;
        let is_first = self.line == 1;
        Ok(line.map(|line| match line.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if is_first => rest.to_owned(),
            _ => line,
        }))
    }
}

fn read_line(reader: &mut dyn BufRead) -> anyhow::Result<Option<String>> {
    let mut line = Vec::new();
    reader.take(LINE_BYTES + 1).read_until(b'\n', &mut line)?;
    if line.len() as u64 > LINE_BYTES {
        bail!("it is longer than {} MiB", LINE_BYTES >> 20);
    }
    let line = String::from_utf8(line).context("it is not UTF-8")?;
    Ok((!line.is_empty()).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(bytes: &'static [u8]) -> anyhow::Result<Vec<String>> {
        let script = Script { name: "x.sql".to_owned(), reader: Box::new(bytes) };
        let mut lines = Lines::new(script);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await? {
            all.push(line);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn lines_keep_their_ends_and_lose_a_byte_order_mark() {
        assert_eq!(
            lines(b"\xef\xbb\xbfselect\n\xef\xbb\xbf1;\r\n\nlast").await.unwrap(),
            ["select\n", "\u{feff}1;\r\n", "\n", "last"]
        );
        assert!(lines(b"").await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_no_text_is_refused_with_its_line() {
        let error = format!("{:#}", lines(b"select\n\xff\n").await.unwrap_err());
        assert!(error.starts_with("read line 2 of x.sql: it is not UTF-8"), "{error}");
        let long: &'static [u8] = Box::leak(vec![b'x'; LINE_BYTES as usize + 1].into_boxed_slice());
        let error = format!("{:#}", lines(long).await.unwrap_err());
        assert_eq!(error, "read line 1 of x.sql: it is longer than 4 MiB");
    }
}
