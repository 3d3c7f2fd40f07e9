//! The built-in broker: starts it, or finds the one that runs already.
//!
//! ```text
//! kafka.brokers is set ────────────────────────────▶ Cluster
//! start ─┬─ started ───────────────────────────────▶ BuiltIn
//!        └─ folder in use ─┬─ by a server ─────────▶ RunningServer
//!                          └─ by a job, or starting ─▶ wait, try again
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use age::secrecy::ExposeSecret;
use anyhow::{Context as _, bail};
use holdfast_broker::{BrokerError, EmbeddedBroker, SpoolKey};
use zeroize::Zeroizing;

use super::lock_file::{self, LockFile, ProcessKind};
use crate::config::Settings;
use crate::progress::Bars;

/// How long a process may use the broker's folder without a lock file, which has the broker's address.
const LOCK_FILE_TIMEOUT: Duration = Duration::from_secs(15);
const RETRY_INTERVAL: Duration = Duration::from_millis(300);

/// The Kafka that a job uses.
#[derive(Debug)]
pub(crate) enum JobKafka {
    /// A built-in broker in this process.
    BuiltIn(EmbeddedBroker),
    /// The built-in broker of a server that runs already.
    RunningServer(LockFile),
    /// The configured cluster.
    Cluster,
}

impl JobKafka {
    /// Address of the built-in broker.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::BuiltIn(broker) => Some(broker.address()),
            Self::RunningServer(server) => Some(server.broker),
            Self::Cluster => None,
        }
    }
}

/// Folder of the built-in broker.
pub(crate) fn folder(settings: &Settings) -> PathBuf {
    settings.resolve(&settings.config.broker.dir)
}

/// Starts the built-in broker at the configured address.
pub(crate) async fn start(settings: &Settings) -> anyhow::Result<EmbeddedBroker> {
    let listen = settings.config.broker.listen.0;
    let started = EmbeddedBroker::start(start_settings(settings, listen)?).await;
    started.map_err(|error| match error {
        error @ BrokerError::Listen { .. } => {
            anyhow::Error::new(error).context("start the built-in broker; `broker.listen` names another address")
        }
        error => anyhow::Error::new(error).context("start the built-in broker"),
    })
}

/// As [`start`], but on any free port when the configured one is taken. The lock file has the address.
async fn start_on_any_port(settings: &Settings) -> Result<EmbeddedBroker, StartError> {
    let listen = settings.config.broker.listen.0;
    match EmbeddedBroker::start(start_settings(settings, listen)?).await {
        Err(BrokerError::Listen { source, .. }) if source.kind() == std::io::ErrorKind::AddrInUse => {
            tracing::info!(%listen, "the built-in broker's port is taken; using another one");
            let free = SocketAddr::new(listen.ip(), 0);
            Ok(EmbeddedBroker::start(start_settings(settings, free)?).await?)
        }
        result => Ok(result?),
    }
}

/// Why the broker could not be started.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

fn start_settings(settings: &Settings, listen: SocketAddr) -> anyhow::Result<holdfast_broker::Settings> {
    Ok(holdfast_broker::Settings { directory: folder(settings), listen, key: key(settings)? })
}

/// The key that encrypts the messages in the broker.
fn key(settings: &Settings) -> anyhow::Result<SpoolKey> {
    if let Some(path) = settings.broker_key_file() {
        return SpoolKey::load(&path).context("read `broker.key_file`");
    }
    let text = settings.broker_key()?;
    let bytes = parse_key(text.expose_secret())
        .context("the key of the built-in broker in the environment is not 64 hexadecimal digits")?;
    Ok(SpoolKey::from_bytes(*bytes))
}

fn parse_key(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let text = text.trim().as_bytes();
    let mut bytes = Zeroizing::new([0; 32]);
    if text.len() != 64 {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(digits[0])? << 4 | digit(digits[1])?).ok()?;
    }
    Some(bytes)
}

/// The Kafka for a job. Starts a built-in broker only if none runs. Waits while another job uses the folder.
pub(crate) async fn for_job(settings: &Settings, bars: &Bars) -> anyhow::Result<JobKafka> {
    if !super::kafka::is_built_in(settings) {
        return Ok(JobKafka::Cluster);
    }
    let folder = folder(settings);
    let mut without_lock_file_since = Instant::now();
    let mut waiting = None;
    loop {
        let holder = match start_on_any_port(settings).await {
            Ok(broker) => return Ok(JobKafka::BuiltIn(broker)),
            Err(StartError::Broker(BrokerError::InUse { holder, .. })) => holder,
            Err(error) => return Err(anyhow::Error::new(error).context("start the built-in broker")),
        };
        match lock_file::find(&folder) {
            Some(server) if server.kind == ProcessKind::Server => return Ok(JobKafka::RunningServer(server)),
            Some(job) => {
                without_lock_file_since = Instant::now();
                let doing = format!("waiting for process {}, which uses the same broker", job.process);
                waiting.get_or_insert_with(|| bars.open_ended("waiting", "")).doing(doing);
            }
            None if without_lock_file_since.elapsed() > LOCK_FILE_TIMEOUT => {
                bail!("{} is in use by {holder}, which does not report its address; stop it", folder.display());
            }
            None => {}
        }
        tokio::time::sleep(RETRY_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_from_the_environment_have_64_hexadecimal_digits() {
        let text = "00".repeat(31) + "fF\n";
        assert_eq!(parse_key(&text).unwrap()[31], 255);
        assert!(parse_key(&"0".repeat(63)).is_none());
        assert!(parse_key(&"0x".repeat(32)).is_none());
    }
}
