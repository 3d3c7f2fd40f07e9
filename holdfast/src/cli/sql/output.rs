//! Where results go to: standard output, a pager, or a file.
//!
//! ```text
//! result ─▶ Output ─┬▶ standard output
//!                   ├▶ the first lines are buffered ─▶ more than the terminal has ─▶ $PAGER
//!                   └▶ a file with mode 0600, which appears under its name when it is closed
//! ```

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, bail};
use holdfast_query::QueryResult;
use tempfile::NamedTempFile;

use super::describe::row_count;
use crate::render::answer::{self, Format, Layout};
use crate::render::table::Expanded;

/// How results are written.
pub(super) struct Output {
    format: Format,
    /// The command of the pager, if there is one.
    pager: Option<String>,
    file: Option<OutputFile>,
    /// Results that were written to where results go to now.
    results: u64,
    /// Rows of these results.
    rows: u64,
}

struct OutputFile {
    path: PathBuf,
    file: io::BufWriter<NamedTempFile>,
}

/// A file that was closed.
pub(super) struct Closed {
    pub(super) path: PathBuf,
    pub(super) rows: u64,
}

impl Output {
    /// To standard output. `pager` is used if standard input and output are terminals.
    pub(super) fn new(format: Format, pager: Option<String>) -> Self {
        let pager = pager.filter(|_| io::stdin().is_terminal() && io::stdout().is_terminal());
        Self { format, pager, file: None, results: 0, rows: 0 }
    }

    /// The format of rows.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// The width that texts are fitted to; `None` if they are not written to a terminal.
    pub(super) fn width(&self) -> Option<usize> {
        if self.file.is_some() { None } else { answer::terminal_width() }
    }

    /// Writes to a new file from here on. What was written to another file before is complete.
    pub(super) fn open(&mut self, path: &Path) -> anyhow::Result<Option<Closed>> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".holdfast-")
            .tempfile_in(folder)
            .with_context(|| format!("write {}", path.display()))?;
        let closed = self.close()?;
        let file = io::BufWriter::with_capacity(256 << 10, file);
        self.file = Some(OutputFile { path: path.to_owned(), file });
        (self.results, self.rows) = (0, 0);
        Ok(closed)
    }

    /// Writes to standard output from here on. The file gets its name.
    pub(super) fn close(&mut self) -> anyhow::Result<Option<Closed>> {
        let Some(OutputFile { path, file }) = self.file.take() else { return Ok(None) };
        let failed = || format!("write {}", path.display());
        let file = file.into_inner().map_err(io::IntoInnerError::into_error).with_context(failed)?;
        file.as_file().sync_all().with_context(failed)?;
        file.persist(&path).with_context(failed)?;
        let closed = Closed { path, rows: self.rows };
        (self.results, self.rows) = (0, 0);
        Ok(Some(closed))
    }

    /// Writes the rows of a statement; with `is_counted` also their number, after a table.
    pub(super) async fn rows(
        &mut self,
        result: QueryResult,
        expanded: Expanded,
        is_counted: bool,
    ) -> anyhow::Result<()> {
        self.results += 1;
        if self.format == Format::Parquet {
            if self.results > 1 {
                bail!("a Parquet file holds the rows of one statement; write each result to a file of its own");
            }
            if self.file.is_none() && io::stdout().is_terminal() {
                bail!("Parquet is not for a terminal; name a file with --out, or choose another --format");
            }
        }
        let is_table = self.format == Format::Table;
        let is_separate = is_table && self.results > 1 && !is_counted;
        let layout = Layout { limit: self.width(), expanded };
        let format = self.format;
        self.rows += {
            let mut destination = self.destination();
            if is_separate {
                destination.write_all(b"\n")?;
            }
            let footer = |rows| if is_table && is_counted { row_count(rows) + "\n" } else { String::new() };
            let mut written = answer::write_to(result, format, &mut destination, layout).await;
            if let Ok(rows) = written {
                let finished = destination.write_all(footer(rows).as_bytes()).and_then(|()| destination.finish());
                written = finished.map(|()| rows).context("write the result");
            }
            match written {
                Ok(rows) => rows,
                // Whoever reads the pager has seen enough.
                Err(_) if destination.is_left() => 0,
                Err(error) => return Err(error),
            }
        };
        Ok(())
    }

    /// Writes a text.
    pub(super) fn text(&mut self, text: &str) -> anyhow::Result<()> {
        let mut destination = self.destination();
        let written = destination.write_all(text.as_bytes()).and_then(|()| destination.finish());
        if destination.is_left() { Ok(()) } else { written.context("write the result") }
    }

    fn destination(&mut self) -> Destination<'_> {
        match (&mut self.file, &self.pager) {
            (Some(file), _) => Destination::File(&mut file.file),
            (None, Some(command)) => match terminal_size::terminal_size_of(io::stdout()) {
                Some((_, rows)) => Destination::Paged(Paged::new(command, usize::from(rows.0))),
                None => Destination::stdout(),
            },
            (None, None) => Destination::stdout(),
        }
    }
}

/// What one result is written to.
enum Destination<'output> {
    Stdout(io::BufWriter<io::Stdout>),
    File(&'output mut io::BufWriter<NamedTempFile>),
    Paged(Paged<'output>),
}

impl Destination<'_> {
    fn stdout() -> Self {
        Self::Stdout(io::BufWriter::with_capacity(64 << 10, io::stdout()))
    }

    /// The result is complete.
    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Paged(paged) => paged.finish(),
            other => other.flush(),
        }
    }

    /// Whether the pager has ended before the result.
    fn is_left(&self) -> bool {
        matches!(self, Self::Paged(Paged { is_left: true, .. }))
    }
}

impl Write for Destination<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(out) => out.write(bytes),
            Self::Paged(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(out) => out.flush(),
            // What is buffered may still be too short for the pager.
            Self::Paged(_) => Ok(()),
        }
    }
}

/// A text that is buffered until it is longer than the terminal, and then goes to the pager.
struct Paged<'output> {
    command: &'output str,
    /// The lines of the terminal.
    height: usize,
    buffered: Vec<u8>,
    lines: usize,
    pager: Option<Child>,
    is_left: bool,
}

impl<'output> Paged<'output> {
    fn new(command: &'output str, height: usize) -> Self {
        Self { command, height, buffered: Vec::new(), lines: 0, pager: None, is_left: false }
    }

    fn pass_on(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(input) = self.pager.as_mut().and_then(|pager| pager.stdin.as_mut()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let written = input.write_all(bytes);
        self.is_left |= written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        written
    }

    fn finish(&mut self) -> io::Result<()> {
        if self.pager.is_some() {
            self.wait();
            return Ok(());
        }
        let mut out = io::stdout().lock();
        out.write_all(&self.buffered)?;
        self.buffered.clear();
        out.flush()
    }

    /// Closes the input of the pager, and waits until its user has read enough.
    fn wait(&mut self) {
        if let Some(mut pager) = self.pager.take() {
            drop(pager.stdin.take());
            // Its exit code says nothing about the result.
            let _ = pager.wait();
        }
    }
}

impl Write for Paged<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pager.is_some() {
            self.pass_on(bytes)?;
            return Ok(bytes.len());
        }
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        self.buffered.extend_from_slice(bytes);
        // The prompt takes one line.
        if self.lines >= self.height.max(2) {
            self.pager = Some(Command::new("sh").arg("-c").arg(self.command).stdin(Stdio::piped()).spawn()?);
            let buffered = std::mem::take(&mut self.buffered);
            self.pass_on(&buffered)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A statement that is cancelled leaves its pager to its user as well.
impl Drop for Paged<'_> {
    fn drop(&mut self) {
        self.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_longer_than_the_terminal_goes_to_the_pager() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("paged");
        let command = format!("cat > '{}'", path.display());
        let mut paged = Paged::new(&command, 3);
        paged.write_all(b"1\n2\n").unwrap();
        assert!(paged.pager.is_none());
        paged.write_all(b"3\n").unwrap();
        assert!(paged.pager.is_some());
        paged.write_all(b"4\n").unwrap();
        paged.finish().unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "1\n2\n3\n4\n");
    }

    #[test]
    fn a_pager_that_ends_early_is_no_error_of_the_result() {
        let mut paged = Paged::new("true", 2);
        let line = [b'x'; 4096];
        let mut written = paged.write_all(b"\n\n");
        for _ in 0..1000 {
            written = written.and_then(|()| paged.write_all(&line));
        }
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(Destination::Paged(paged).is_left());
    }

    #[test]
    fn a_file_is_for_its_owner_and_appears_when_it_is_closed() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let mut output = Output::new(Format::Table, None);
        assert!(output.open(&path).unwrap().is_none());
        output.text("a\n").unwrap();
        assert!(!path.exists());
        let closed = output.close().unwrap().unwrap();
        assert_eq!((closed.path, closed.rows), (path.clone(), 0));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(output.open(&folder.path().join("missing/out")).is_err());
    }
}
