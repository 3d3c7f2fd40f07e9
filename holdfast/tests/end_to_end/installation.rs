//! A folder that `holdfast init` created, with ports of its own, and functions that run the program in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast_testkit::ports;
use holdfast_testkit::process::{Holdfast, Output, Running};
use serde_json::Value;
use tempfile::TempDir;

/// For a short command, on a machine that is busy with other tests.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(90);

/// A configuration with its archive, its secrets and its ports.
pub(crate) struct Installation {
    folder: TempDir,
    /// The program, which runs in the folder.
    pub(crate) program: Holdfast,
    /// Address of the gateway: `127.0.0.1:PORT`.
    pub(crate) http: String,
    /// Address of queries over HTTP.
    pub(crate) query: String,
    /// Address of the built-in broker.
    pub(crate) broker: String,
}

impl Installation {
    /// Runs `init` in a new folder.
    pub(crate) async fn new() -> Self {
        let installation = Self::empty();
        let created = installation.run(&["init"]).await.success();
        assert!(created.contains("holdfast.toml"), "{created}");
        installation
    }

    /// An empty folder.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("holdfast-installation-").tempdir().expect("a temporary folder");
        let address = || format!("127.0.0.1:{}", ports::free());
        let (http, query, broker) = (address(), address(), address());
        let program = Holdfast::new(env!("CARGO_BIN_EXE_holdfast"), folder.path())
            .expect("a folder for logs")
            .env("HOLDFAST__GATEWAY__LISTEN", &http)
            .env("HOLDFAST__QUERY__LISTEN", &query)
            .env("HOLDFAST__BROKER__LISTEN", &broker)
            .env("HOLDFAST__POSTGRES__LISTEN", "127.0.0.1:0")
            .env("NO_COLOR", "1");
        Self { folder, program, http, query, broker }
    }

    /// With a setting, by the name of its environment variable without `HOLDFAST__`.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.program = self.program.env(format!("HOLDFAST__{name}"), value);
        self
    }

    /// With a short session timeout for consumers of killed processes, and with short and small commits.
    pub(crate) fn with_short_intervals(self) -> Self {
        self.set("KAFKA__SETTINGS__SESSION_TIMEOUT_MS", "2000")
            .set("KAFKA__SETTINGS__HEARTBEAT_INTERVAL_MS", "300")
            .set("ARCHIVE__FLUSH_INTERVAL_SECONDS", "1")
            .set("ARCHIVE__FLUSH_ROWS", "300")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn secret(&self, name: &str) -> PathBuf {
        self.path().join("secrets").join(name)
    }

    /// The token that the gateway requires.
    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.secret("ingest.token")).expect("init created a token").trim().to_owned()
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        self.program.run(arguments, TIMEOUT).await.expect("the command ends in time")
    }

    /// Starts a server and waits until it is ready.
    pub(crate) async fn serve(&self) -> Running {
        let mut server = self.start();
        server.wait_ready(&self.http, TIMEOUT).await.expect("the server gets ready");
        server
    }

    /// Starts a server.
    pub(crate) fn start(&self) -> Running {
        self.program.spawn(&["serve"]).expect("the program starts")
    }

    /// Runs a statement with all keys, and returns the rows.
    #[track_caller]
    pub(crate) fn sql(&self, statement: &str) -> impl Future<Output = Vec<Value>> {
        let statement = statement.to_owned();
        async move {
            let output = self.run(&["sql", &statement, "--format", "json"]).await;
            let text = output.success();
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
        }
    }

    /// The only number in the result of a statement.
    pub(crate) async fn number(&self, statement: &str) -> i64 {
        let rows = self.sql(statement).await;
        let value = rows[0].as_object().and_then(|row| row.values().next()).and_then(Value::as_i64);
        value.unwrap_or_else(|| panic!("no number in {rows:?}"))
    }
}

/// Stops a server with SIGTERM, which must end it with exit code 0. Returns how long that took.
pub(crate) async fn stop(mut server: Running) -> Duration {
    let begun = std::time::Instant::now();
    let status = server.terminate(Duration::from_secs(30)).await.expect("the server stops in time");
    assert!(status.success(), "{status}: {}", server.stderr());
    begun.elapsed()
}
