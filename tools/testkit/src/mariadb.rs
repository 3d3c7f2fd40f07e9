//! A real MariaDB on loopback: Debian's server, with its data in a temporary folder.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::child::ChildProcess;
use crate::{Error, ports, tools};

/// A user with all privileges.
pub const USER: &str = "testkit";
/// Its password.
pub const PASSWORD: &str = "testkit-secret-password";
/// The database.
pub const DATABASE: &str = "crm";

const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server, killed when this value is dropped.
#[derive(Debug)]
pub struct MariaDb {
    server: PathBuf,
    client: PathBuf,
    folder: TempDir,
    port: u16,
    child: Option<ChildProcess>,
}

impl MariaDb {
    /// Creates a data folder and starts a server with it.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] if the server is not installed; other errors if it does not start.
    pub async fn start() -> Result<Self, Error> {
        let [server, client, install] = tools::mariadb()?;
        let folder = tempfile::Builder::new().prefix("holdfast-mariadb-").tempdir();
        let folder = folder.map_err(Error::io("make", "a folder for MariaDB"))?;
        tools::change_owner(folder.path(), "mysql")?;
        let mut command = tools::unprivileged(&install, "mysql")?;
        command.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        command.arg(format!("--datadir={}", folder.path().join("data").display()));
        tools::run("mariadb-install-db", &mut command)?;
        let mut database = Self { server, client, folder, port: ports::free(), child: None };
        database.restart().await?;
        database.as_root(&format!(
            "CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4; \
             GRANT ALL ON *.* TO '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'"
        ))?;
        Ok(database)
    }

    /// The server's port on 127.0.0.1. It does not change at a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements in the database.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] with the client's output, if one of them fails.
    pub fn execute(&self, sql: &str) -> Result<(), Error> {
        self.as_root(&format!("USE {DATABASE}; {sql}"))
    }

    /// Restarts the server so that it also accepts TLS connections. Both texts are PEM.
    ///
    /// # Errors
    ///
    /// As [`restart`](Self::restart), or the files could not be written.
    pub async fn encrypt(&mut self, certificate: &str, key: &str) -> Result<(), Error> {
        for (name, text) in [(CERTIFICATE, certificate), (KEY, key)] {
            tools::write_private(&self.folder.path().join(name), text, "mysql")?;
        }
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
        let folder = self.folder.path();
        let mut command = tools::unprivileged(&self.server, "mysql")?;
        command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"]);
        command.arg(format!("--port={}", self.port)).arg(format!("--datadir={}", folder.join("data").display()));
        command.arg(format!("--socket={}", folder.join("socket").display()));
        command.arg(format!("--pid-file={}", folder.join("pid").display())).stdin(Stdio::null());
        let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
        if key.exists() {
            command.arg(format!("--ssl-cert={}", certificate.display())).arg(format!("--ssl-key={}", key.display()));
        }
        let mut child = ChildProcess::spawn("mariadbd", &mut command, folder)?;
        child.wait_until(START_LIMIT, || async { self.as_root("SELECT 1").is_ok() }).await?;
        self.child = Some(child);
        Ok(())
    }

    fn as_root(&self, sql: &str) -> Result<(), Error> {
        let mut command = Command::new(&self.client);
        command.args(["--no-defaults", "--user=root", "--default-character-set=utf8mb4"]);
        command.arg(format!("--socket={}", self.folder.path().join("socket").display())).args(["-e", sql]);
        tools::run("mariadb", &mut command)
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill();
    }
}
