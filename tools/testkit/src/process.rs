//! The program itself, as its user starts it: arguments, environment, signals, exit codes and output.
//!
//! [`Holdfast`] describes how to start it, [`Running`] is a started process. The output is written to files in its own folder, so
//! that a test can search the logs for secrets.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::child::{ChildProcess, Signal};
use crate::{Error, tools};

/// How to start the program: which binary, in which folder, with which environment.
#[derive(Debug, Clone)]
pub struct Holdfast {
    binary: PathBuf,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    logs: Arc<TempDir>,
    started: Arc<AtomicUsize>,
}

impl Holdfast {
    /// `binary` is `env!("CARGO_BIN_EXE_holdfast")` of the test; `folder` is the working directory.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the folder for the logs cannot be made.
    pub fn new(binary: impl Into<PathBuf>, folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let logs = tempfile::Builder::new()
            .prefix("holdfast-logs-")
            .tempdir()
            .map_err(Error::io("make", "a folder for logs"))?;
        Ok(Self {
            binary: binary.into(),
            folder: folder.into(),
            environment: Vec::new(),
            logs: Arc::new(logs),
            started: Arc::default(),
        })
    }

    /// Adds an environment variable. `HOLDFAST_*` variables of the test's own environment are not passed on.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The folder with the outputs of all processes started from this value.
    #[must_use]
    pub fn logs(&self) -> &Path {
        self.logs.path()
    }

    /// Starts a process in the background.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be started.
    pub fn spawn<S: AsRef<str>>(&self, arguments: &[S]) -> Result<Running, Error> {
        self.start(arguments, Stdio::null())
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if it does not end within `limit`; it is then killed. A failing exit code is not an error.
    pub async fn run<S: AsRef<str>>(&self, arguments: &[S], limit: Duration) -> Result<Output, Error> {
        self.start(arguments, Stdio::null())?.output(limit).await
    }

    /// Runs a command to its end, with `input` on its standard input.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_with_input<S: AsRef<str>>(
        &self,
        arguments: &[S],
        input: &[u8],
        limit: Duration,
    ) -> Result<Output, Error> {
        // A file, not a pipe: then no task has to write while the process reads.
        let path = self.logs.path().join(format!("{}.stdin", self.started.load(Ordering::Relaxed)));
        std::fs::write(&path, input).map_err(Error::io("write", &path))?;
        let file = std::fs::File::open(&path).map_err(Error::io("open", &path))?;
        let output = self.start(arguments, file.into())?.output(limit).await;
        let _ = std::fs::remove_file(&path);
        output
    }

    fn start<S: AsRef<str>>(&self, arguments: &[S], input: Stdio) -> Result<Running, Error> {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let word = arguments.first().map_or("holdfast", AsRef::as_ref);
        let name = format!("{number}-{}", word.trim_start_matches('-').replace(['/', ' '], "_"));
        let mut command = Command::new(&self.binary);
        command.args(arguments.iter().map(AsRef::as_ref)).current_dir(&self.folder).stdin(input);
        // A developer's own settings must not affect a test.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOLDFAST_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Ok(Running {
            child: ChildProcess::spawn(&name, &mut command, self.logs.path())?,
            _logs: Arc::clone(&self.logs),
        })
    }
}

/// The result of a process that has ended.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Its standard error; bytes that are not UTF-8 are replaced.
    pub stderr: String,
}

impl Output {
    /// The standard output of a process that must have succeeded.
    ///
    /// # Panics
    ///
    /// With its output, if its exit code is not 0.
    #[track_caller]
    #[must_use]
    pub fn success(self) -> String {
        assert!(self.status.success(), "{}\n--- stdout\n{}\n--- stderr\n{}", self.status, self.stdout, self.stderr);
        self.stdout
    }
}

/// A running process of the program. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Running {
    child: ChildProcess,
    // Keeps the files of the output while this value can read them.
    _logs: Arc<TempDir>,
}

impl Running {
    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Sends a signal.
    pub fn signal(&mut self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Kills it with SIGKILL, and waits until it has ended.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Sends SIGTERM and waits for the graceful shutdown.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if it runs for longer than `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus, Error> {
        self.child.signal(Signal::Terminate);
        self.child.wait(limit).await
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.ended()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if it runs for longer than `limit`.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus, Error> {
        self.child.wait(limit).await
    }

    /// Waits until `GET http://ADDRESS/readyz` answers 200, where `address` is `127.0.0.1:PORT`.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] if the process ends before, [`Error::TimedOut`] if it takes longer than `limit`; both with the end
    /// of its output.
    pub async fn wait_ready(&mut self, address: &str, limit: Duration) -> Result<(), Error> {
        let url = format!("http://{address}/readyz");
        let client = http_client()?;
        self.child.wait_until(limit, || answers(&client, &url)).await
    }

    /// Its standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        read(self.child.stdout())
    }

    /// Its standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        read(self.child.stderr())
    }

    /// Its peak resident memory in bytes, while it runs (Linux only).
    #[must_use]
    pub fn peak_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
    }

    async fn output(mut self, limit: Duration) -> Result<Output, Error> {
        let status = self.child.wait(limit).await?;
        Ok(Output { status, stdout: self.stdout(), stderr: self.stderr() })
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// An HTTP client that ignores the proxies of the environment, because tests connect to loopback.
pub(crate) fn http_client() -> Result<reqwest::Client, Error> {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(30))
        .build()
        .map_err(|error| Error::Http { request: "client".to_owned(), message: error.to_string() })
}

pub(crate) async fn answers(client: &reqwest::Client, url: &str) -> bool {
    let request = client.get(url).timeout(Duration::from_secs(1)).send();
    request.await.is_ok_and(|response| response.status().is_success())
}

/// Runs a tool to its end and returns its standard output.
///
/// # Errors
///
/// [`Error::Ended`] with its standard error if its exit code is not 0.
pub fn tool(name: &str, arguments: &[&str]) -> Result<Vec<u8>, Error> {
    let binary = tools::command(name)?;
    let output =
        Command::new(&binary).args(arguments).stdin(Stdio::null()).output().map_err(Error::io("start", &binary))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::Ended { name: name.to_owned(), status: output.status, log })
}

#[cfg(test)]
mod tests;
