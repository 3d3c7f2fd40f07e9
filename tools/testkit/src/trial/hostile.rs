//! How long posting an event takes while clients run the worst statements that the bounds allow, against without them.

use std::time::Duration;

use tokio::task::JoinSet;

use super::client::Client;
use super::deployment::Deployment;
use super::posting::{Posting, percentile};
use crate::{Error, sql};

/// A statement runs until its client is stopped.
const STATEMENT_LIMIT: Duration = Duration::from_secs(120);
/// Until all clients have a statement that runs, and until what they left has ended.
const SETTLE: Duration = Duration::from_secs(2);

/// What is measured.
#[derive(Debug, Clone)]
pub struct HostileOptions {
    /// Pairs of measurements, one with the clients and one without.
    pub pairs: usize,
    /// The length of a measurement.
    pub length: Duration,
    /// Clients at once.
    pub clients: usize,
    /// An event is posted so often.
    pub post_every: Duration,
}

/// The 99th percentile of the time until the 202, without and with the clients, one after the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Without them.
    pub without: Duration,
    /// With them.
    pub with: Duration,
    /// Events without a 202, in both.
    pub unknown: u64,
}

impl Pair {
    /// How many times as long it takes with them.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.with.as_secs_f64() / self.without.as_secs_f64().max(1e-9)
    }
}

/// Measures pairs. Every other pair begins with the clients, so that what drifts affects both alike.
///
/// # Errors
///
/// [`Error`] if the server does not take events.
pub async fn hostile(deployment: &Deployment, options: &HostileOptions) -> Result<Vec<Pair>, Error> {
    let mut pairs = Vec::new();
    for number in 0..options.pairs {
        let mut pair = Pair { without: Duration::ZERO, with: Duration::ZERO, unknown: 0 };
        let order = if number.is_multiple_of(2) { [false, true] } else { [true, false] };
        for is_with in order {
            let clients = if is_with { options.clients } else { 0 };
            let (latency, unknown) = measure(deployment, options, clients, number).await?;
            pair.unknown += unknown;
            if is_with {
                pair.with = latency;
            } else {
                pair.without = latency;
            }
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

/// One measurement: the 99th percentile, and the events without a 202.
async fn measure(
    deployment: &Deployment,
    options: &HostileOptions,
    clients: usize,
    pair: usize,
) -> Result<(Duration, u64), Error> {
    let mut running = JoinSet::new();
    for number in 0..clients {
        let mut client = Client::new(deployment, number, STATEMENT_LIMIT)?;
        running.spawn(async move {
            // Each begins with another statement.
            for turn in 0.. {
                client.send(&sql::worst(pair + number + turn * clients)).await;
            }
        });
    }
    tokio::time::sleep(SETTLE).await;
    let posting = Posting::start(deployment, options.post_every).await?;
    tokio::time::sleep(options.length).await;
    // Before the events are waited for, which is not measured.
    running.shutdown().await;
    let posted = posting.finish().await?;
    Ok((percentile(&posted.latencies, 0.99), posted.unknown + posted.lost))
}
