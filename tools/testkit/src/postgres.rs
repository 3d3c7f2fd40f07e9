//! A real PostgreSQL on loopback: Debian's server, with its cluster in a temporary folder.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::child::ChildProcess;
use crate::{Error, ports, tools};

/// The superuser of the server.
pub const USER: &str = "postgres";
/// Its password.
pub const PASSWORD: &str = "testkit-secret-password";
/// The database.
pub const DATABASE: &str = "postgres";

const START_LIMIT: Duration = Duration::from_secs(60);
/// What a server says that is started before all processes of the one before have ended.
const STILL_IN_USE: &str = "pre-existing shared memory block";
/// After how long it is started again then.
const RETRY_AFTER: Duration = Duration::from_millis(200);

/// A running server, killed when this value is dropped.
#[derive(Debug)]
pub struct Postgres {
    binaries: PathBuf,
    folder: TempDir,
    port: u16,
    child: Option<ChildProcess>,
}

impl Postgres {
    /// Creates a cluster and starts a server with it.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if the server is not installed; other errors if it does not start.
    pub async fn start() -> Result<Self, Error> {
        let binaries = tools::postgres()?;
        let folder = tempfile::Builder::new().prefix("holdfast-postgres-").tempdir();
        let folder = folder.map_err(Error::io("make", "a folder for PostgreSQL"))?;
        tools::change_owner(folder.path(), "postgres")?;
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).map_err(Error::io("write", &password))?;
        tools::change_owner(&password, "postgres")?;
        let mut command = tools::unprivileged(&binaries.join("initdb"), "postgres")?;
        command.args(["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync", "-U", USER]);
        command.arg("--pwfile").arg(&password).arg("-D").arg(folder.path().join("data"));
        tools::run("initdb", &mut command)?;
        let mut server = Self { binaries, folder, port: ports::free(), child: None };
        server.restart().await?;
        Ok(server)
    }

    /// The server's port on 127.0.0.1. It does not change at a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements with `psql`.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] with the output of `psql`, if one of them fails.
    pub fn execute(&self, sql: &str) -> Result<(), Error> {
        let mut command = Command::new(self.binaries.join("psql"));
        command.env("PGPASSWORD", PASSWORD).args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", USER]);
        command.args(["-p", &self.port.to_string(), "-d", DATABASE, "-c", sql]);
        tools::run("psql", &mut command)
    }

    /// Restarts the server so that it also accepts TLS connections. Both texts are PEM.
    ///
    /// # Errors
    ///
    /// As [`restart`](Self::restart), or the files could not be written.
    pub async fn encrypt(&mut self, certificate: &str, key: &str) -> Result<(), Error> {
        let data = self.folder.path().join("data");
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            tools::write_private(&data.join(name), text, "postgres")?;
        }
        let settings = data.join("postgresql.auto.conf");
        std::fs::write(&settings, "ssl = on\n").map_err(Error::io("write", &settings))?;
        self.restart().await
    }

    /// Kills the server with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill();
        }
    }

    /// Starts the server again with the same folder and port. Kills it first if it still runs.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] or [`Error::TimedOut`] with the end of the server's log.
    pub async fn restart(&mut self) -> Result<(), Error> {
        self.kill();
        let begun = Instant::now();
        loop {
            let mut command = tools::unprivileged(&self.binaries.join("postgres"), "postgres")?;
            command.arg("-D").arg(self.folder.path().join("data")).args(["-p", &self.port.to_string()]);
            command.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]);
            command.stdin(Stdio::null());
            let mut child = ChildProcess::spawn("postgres", &mut command, self.folder.path())?;
            match child.wait_until(START_LIMIT, || async { self.execute("SELECT 1").is_ok() }).await {
                // The processes of a server that was killed end a moment after it.
                Err(Error::Ended { log, .. }) if log.contains(STILL_IN_USE) && begun.elapsed() < START_LIMIT => {
                    tokio::time::sleep(RETRY_AFTER).await;
                }
                started => {
                    started?;
                    self.child = Some(child);
                    return Ok(());
                }
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}
