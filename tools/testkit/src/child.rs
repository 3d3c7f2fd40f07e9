//! A child process that leaves with the value that holds it, and whose output is kept in files.

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
    /// Asks for an orderly end.
    Terminate,
    /// As a terminal's ^C.
    Interrupt,
    /// Ends the process at whatever instruction it is.
    Kill,
    /// Freezes it: the way to make a zombie that believes it still owns its partitions.
    Stop,
    /// Thaws it.
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
pub(crate) struct Guarded {
    name: String,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Guarded {
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

    /// How the process ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Sends a signal; one that comes too late is no error.
    pub(crate) fn signal(&mut self, signal: Signal) {
        // A process that was waited for has given its number back: it may belong to another by now.
        if self.ended().is_some() {
            return;
        }
        if signal == Signal::Kill {
            let _ = self.child.kill();
            return;
        }
        // The shell's own kill: the standard library sends nothing but SIGKILL, and a crate for one call is not worth it.
        let script = format!("kill -{} {}", signal.name(), self.pid());
        let _ = Command::new("sh").arg("-c").arg(script).stdin(Stdio::null()).stderr(Stdio::null()).status();
    }

    /// Ends the process at once and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until the process has ended by itself.
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

    /// Waits until `ready` says so; an end of the process before that is an error.
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

    /// The last few kilobytes of both outputs.
    pub(crate) fn tail(&self) -> String {
        format!("{}{}", tail_of(&self.stdout), tail_of(&self.stderr))
    }
}

impl Drop for Guarded {
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
