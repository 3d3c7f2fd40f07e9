//! The broker that is built in, or the way to the one that runs already.
//!
//! ```text
//! kafka.brokers is set ────────────────────────────▶ Cluster
//! start ─┬─ started ───────────────────────────────▶ Own
//!        └─ folder in use ─┬─ by a server ─────────▶ Running
//!                          └─ by a job, or starting ─▶ wait, try again
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use age::secrecy::ExposeSecret;
use anyhow::{Context as _, bail};
use holdfast_broker::{BrokerError, EmbeddedBroker, SpoolKey};
use zeroize::Zeroizing;

use super::presence::{self, Kind, Presence};
use crate::config::Settings;
use crate::progress::Bars;

/// How long somebody may hold the broker's folder without saying where the broker is.
const SILENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(300);

/// How a job reaches Kafka.
#[derive(Debug)]
pub(crate) enum Way {
    /// A broker in this process.
    Own(EmbeddedBroker),
    /// The broker of a server that runs already, and archives.
    Running(Presence),
    /// A cluster.
    Cluster,
}

impl Way {
    /// Where the built-in broker is.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Own(broker) => Some(broker.address()),
            Self::Running(presence) => Some(presence.broker),
            Self::Cluster => None,
        }
    }
}

/// Folder of the broker.
pub(crate) fn folder(settings: &Settings) -> PathBuf {
    settings.resolve(&settings.config.broker.dir)
}

/// Starts the broker where the configuration says.
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

/// As [`start`], but on any free port when the configured one is taken: for a process that tells its address.
pub(crate) async fn start_anywhere(settings: &Settings) -> Result<EmbeddedBroker, StartError> {
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

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

fn start_settings(settings: &Settings, listen: SocketAddr) -> anyhow::Result<holdfast_broker::Settings> {
    Ok(holdfast_broker::Settings { directory: folder(settings), listen, key: key(settings)? })
}

/// The key of what waits in the broker.
fn key(settings: &Settings) -> anyhow::Result<SpoolKey> {
    if let Some(path) = settings.broker_key_file() {
        return SpoolKey::load(&path).context("read `broker.key_file`");
    }
    let text = settings.broker_key()?;
    let bytes = parse_key(text.expose_secret())
        .context("the environment's key of the built-in broker is not 64 hexadecimal digits")?;
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

/// The way to Kafka for a job: a broker of its own only where none runs.
pub(crate) async fn way(settings: &Settings, bars: &Bars) -> anyhow::Result<Way> {
    if !super::kafka::is_built_in(settings) {
        return Ok(Way::Cluster);
    }
    let folder = folder(settings);
    let mut silent_since = Instant::now();
    let mut waiting = None;
    loop {
        let holder = match start_anywhere(settings).await {
            Ok(broker) => return Ok(Way::Own(broker)),
            Err(StartError::Broker(BrokerError::InUse { holder, .. })) => holder,
            Err(error) => return Err(anyhow::Error::new(error).context("start the built-in broker")),
        };
        match presence::find(&folder) {
            Some(presence) if presence.kind == Kind::Server => return Ok(Way::Running(presence)),
            Some(presence) => {
                silent_since = Instant::now();
                let doing = format!("waiting for process {}, which is at work here", presence.process);
                waiting.get_or_insert_with(|| bars.open_ended("waiting", "")).doing(doing);
            }
            None if silent_since.elapsed() > SILENCE => {
                bail!("{} is in use by {holder}, which does not say where its broker is; stop it", folder.display());
            }
            None => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_from_the_environment_are_64_digits() {
        let text = "00".repeat(31) + "fF\n";
        assert_eq!(parse_key(&text).unwrap()[31], 255);
        assert!(parse_key(&"0".repeat(63)).is_none());
        assert!(parse_key(&"0x".repeat(32)).is_none());
    }
}
