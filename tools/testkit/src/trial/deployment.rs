//! A server on a small archive, in a folder of its own, with users who may ask.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Holdfast, Running, http_client};
use crate::{Error, ports};

/// For a command, and for a server to get ready or to stop.
const LIMIT: Duration = Duration::from_secs(300);
/// The source of the events that trials post.
pub(super) const SOURCE: &str = "urn:holdfast:trial";

/// What a deployment begins with.
#[derive(Debug, Clone)]
pub struct DeploymentOptions {
    /// The program.
    pub program: PathBuf,
    /// Generated sessions in the archive; 0 for an empty archive.
    pub sessions: u64,
    /// Users with the role compliance, to whom all columns are visible.
    pub users: usize,
    /// Seconds after which the archiver flushes.
    pub flush_seconds: u64,
}

/// A user of the query interfaces.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
    pub(super) token: String,
}

/// A server. It is killed when this value is dropped.
#[derive(Debug)]
pub struct Deployment {
    folder: TempDir,
    program: Holdfast,
    server: Option<Running>,
    client: Client,
    pub(super) gateway: String,
    pub(super) query: String,
    pub(super) postgres_port: u16,
    pub(super) broker: String,
    pub(super) token: String,
    pub(super) users: Vec<User>,
    pub(super) flush_interval: Duration,
}

impl Deployment {
    /// Makes a configuration with users, and an archive, and starts the server.
    ///
    /// # Errors
    ///
    /// [`Error::Ended`] if a command fails, [`Error::TimedOut`] if one takes minutes.
    pub async fn start(options: &DeploymentOptions) -> Result<Self, Error> {
        let folder = tempfile::Builder::new().prefix("holdfast-trial-").tempdir();
        let folder = folder.map_err(Error::io("make", "a folder for a trial"))?;
        let address = || format!("127.0.0.1:{}", ports::free());
        let (gateway, query, broker, postgres_port) = (address(), address(), address(), ports::free());
        let program = Holdfast::new(&options.program, folder.path())?
            .env("HOLDFAST__GATEWAY__LISTEN", &gateway)
            .env("HOLDFAST__QUERY__LISTEN", &query)
            .env("HOLDFAST__BROKER__LISTEN", &broker)
            .env("HOLDFAST__POSTGRES__LISTEN", format!("127.0.0.1:{postgres_port}"))
            .env("HOLDFAST__ARCHIVE__FLUSH_INTERVAL_SECONDS", options.flush_seconds.to_string())
            // A client of a trial keeps all rows of an answer.
            .env("HOLDFAST__QUERY__MAX_ROWS", "50000")
            .env("NO_COLOR", "1");
        let mut deployment = Self {
            folder,
            program,
            server: None,
            client: http_client()?,
            gateway,
            query,
            postgres_port,
            broker,
            token: String::new(),
            users: Vec::new(),
            flush_interval: Duration::from_secs(options.flush_seconds),
        };
        if options.sessions == 0 {
            deployment.run(&["init"]).await?;
        } else {
            let sessions = options.sessions.to_string();
            deployment.run(&["demo", "--dir", ".", "--exit", "--sessions", &sessions, "--json"]).await?;
        }
        deployment.token = deployment.secret("ingest.token")?;
        for number in 0..options.users {
            let name = format!("trial-{number}");
            deployment.run(&["users", "add", &name, "--role", "compliance"]).await?;
            deployment.run(&["users", "password", &name]).await?;
            let password = deployment.secret(&format!("{name}.password"))?;
            let token = deployment.run(&["users", "token", "add", &name, "--name", "trial"]).await?.trim().to_owned();
            deployment.users.push(User { name, password, token });
        }
        deployment.serve().await?;
        Ok(deployment)
    }

    /// Starts the server, and waits until it is ready.
    pub(super) async fn serve(&mut self) -> Result<(), Error> {
        let mut server = self.program.spawn(&["serve"])?;
        server.wait_ready(&self.gateway, LIMIT).await?;
        self.server = Some(server);
        Ok(())
    }

    /// Stops the server in order.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if that takes minutes, [`Error::Ended`] if it fails.
    pub async fn stop(&mut self) -> Result<(), Error> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let status = server.terminate(LIMIT).await?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Ended { name: "holdfast serve".to_owned(), status, log: server.stderr() })
    }

    /// Runs a command that must succeed, and returns its output.
    async fn run(&self, arguments: &[&str]) -> Result<String, Error> {
        let output = self.program.run(arguments, LIMIT).await?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(Error::Ended { name: arguments.join(" "), status: output.status, log: output.stderr })
    }

    fn secret(&self, name: &str) -> Result<String, Error> {
        let path = self.folder.path().join("secrets").join(name);
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", path))?;
        Ok(text.trim().to_owned())
    }

    /// The folder of the log of the archive's events.
    pub(super) fn events_log(&self) -> PathBuf {
        self.folder.path().join("archive/tables/events/_delta_log")
    }

    /// The output of all processes that were started.
    #[must_use]
    pub fn logs(&self) -> &Path {
        self.program.logs()
    }

    /// What the server has told, for people.
    pub(super) fn log(&self) -> String {
        self.server.as_ref().map(Running::stderr).unwrap_or_default()
    }

    /// How many events of trials are in the archive, and how many of them have an id that no other one has.
    pub(super) async fn archived(&self) -> Result<(u64, u64), Error> {
        let statement = format!(
            "SELECT count(*) AS events, count(DISTINCT id) AS ids FROM archive.events WHERE source = '{SOURCE}'"
        );
        let text = self.run(&["sql", &statement, "--format", "json"]).await?;
        let rows: Value = serde_json::from_str(&text).unwrap_or_default();
        match (rows[0]["events"].as_u64(), rows[0]["ids"].as_u64()) {
            (Some(events), Some(ids)) => Ok((events, ids)),
            _ => Err(Error::Unreadable { path: "holdfast sql".into(), reason: format!("no count in {text}") }),
        }
    }

    /// A figure of `/metrics`, by its name and labels as they are printed; `None` while it has no such figure.
    pub(super) async fn metric(&self, name: &str) -> Result<Option<u64>, Error> {
        let url = format!("http://{}/metrics", self.gateway);
        let failed = |error: reqwest::Error| Error::Http { request: format!("GET {url}"), message: error.to_string() };
        let text = self.client.get(&url).send().await.map_err(failed)?.text().await.map_err(failed)?;
        Ok(text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok()))
    }

    /// The process that answers statements; `None` while there is none.
    pub(super) fn query_process(&self) -> Option<u32> {
        child_of(self.server.as_ref()?.pid(), "query")
    }
}

/// The process of a role that `parent` started, by its command line.
fn child_of(parent: u32, role: &str) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?;
    processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok()).find(|process| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // proc(5): the command in parentheses, the state, and then the parent.
        let mut fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
        let (state, of) = (fields.next(), fields.next());
        let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        state != Some("Z")
            && of.and_then(|of| of.parse().ok()) == Some(parent)
            && command.split(|byte| *byte == 0).any(|word| word == role.as_bytes())
    })
}
