//! A child process that is killed when its value is dropped, and whose output is written to files.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Error;

const POLL: Duration = Duration::from_millis(10);
const TAIL_BYTES: u64 = 4096;

/// A signal that a test sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Requests a graceful shutdown.
    Terminate,
    /// The signal of ^C in a terminal.
    Interrupt,
    /// Ends the process at once.
    Kill,
    /// Stops the process, for instance to make a zombie consumer that still believes it owns its partitions.
    Stop,
    /// Continues a stopped process.
    Continue,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "TERM",
            Self::Interrupt => "INT",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        }
    }
}

#[derive(Debug)]
pub(crate) struct ChildProcess {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl ChildProcess {
    /// Starts `command` with its output appended to `NAME.stdout` and `NAME.stderr` in `logs`.
    pub(crate) fn spawn(name: &str, command: &mut Command, logs: &Path) -> Result<Self, Error> {
        let stdout = logs.join(format!("{name}.stdout"));
        let stderr = logs.join(format!("{name}.stderr"));
        let append = |path: &Path| {
            std::fs::OpenOptions::new().create(true).append(true).open(path).map_err(Error::io("open", path))
        };
        command.stdout(append(&stdout)?).stderr(append(&stderr)?);
        let child = command.spawn().map_err(Error::io("start", command.get_program()))?;
        Ok(Self { name: name.to_owned(), child, stdout, stderr })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdout(&self) -> &Path {
        &self.stdout
    }

    pub(crate) fn stderr(&self) -> &Path {
        &self.stderr
    }

    /// The exit status of the process, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal. It is not an error if the process has ended.
    pub(crate) fn signal(&mut self, signal: Signal) {
        // After the process was waited for, its id may belong to another process.
        if self.ended().is_some() {
            return;
        }
        if signal == Signal::Kill {
            let _ = self.child.kill();
            return;
        }
        // The shell's own kill: the standard library sends only SIGKILL, and a crate for one call is not worth it.
        let script = format!("kill -{} {}", signal.name(), self.pid());
        let _ = Command::new("sh").arg("-c").arg(script).stdin(Stdio::null()).stderr(Stdio::null()).status();
    }

    /// Kills the process and waits until it has ended.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until the process ends by itself.
    pub(crate) async fn wait(&mut self, limit: Duration) -> Result<ExitStatus, Error> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if start.elapsed() >= limit {
                return Err(self.timed_out("end", limit));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until `ready` returns true. It is an error if the process ends before.
    pub(crate) async fn wait_until<F>(&mut self, limit: Duration, mut ready: impl FnMut() -> F) -> Result<(), Error>
    where
        F: Future<Output = bool>,
    {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Err(Error::Ended { name: self.name.clone(), status, log: self.tail() });
            }
            if ready().await {
                return Ok(());
            }
            if start.elapsed() >= limit {
                return Err(self.timed_out("get ready", limit));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    pub(crate) fn timed_out(&self, what: &'static str, limit: Duration) -> Error {
        Error::TimedOut { name: self.name.clone(), what, limit, log: self.tail() }
    }

    /// The last 4 KiB of each output.
    pub(crate) fn tail(&self) -> String {
        format!("{}{}", tail_of(&self.stdout), tail_of(&self.stderr))
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn tail_of(path: &Path) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}
