//! Kills the process that answers, at pseudorandom moments under load: events are archived as if nothing happened.
//!
//! A process that ends again and again is started after longer and longer pauses. So after a few kills the whole server is
//! stopped in order and started anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::client::{Client, Ending};
use super::deployment::Deployment;
use super::posting::{Posted, Posting};
use crate::choices::Choices;
use crate::{Error, sql};

const POST_EVERY: Duration = Duration::from_millis(50);
/// Kills between two starts of the server.
const KILLS_A_ROUND: u64 = 4;
/// Clients that send statements, half of them over HTTP.
const CLIENTS: usize = 4;
const STATEMENT_LIMIT: Duration = Duration::from_secs(10);
/// Milliseconds from the moment at which a new process answers to its end.
const DELAY: usize = 2_000;
/// In which there must be a process again that answers.
const RESTART_LIMIT: Duration = Duration::from_secs(120);

/// How many kills.
#[derive(Debug, Clone)]
pub struct KillOptions {
    /// Kills.
    pub count: u64,
    /// Of the statements, and of the moments.
    pub seed: u64,
}

/// What came of the kills.
#[derive(Debug, Clone, Default)]
pub struct Kills {
    /// Processes that were killed.
    pub killed: u64,
    /// Processes that had ended by themselves before they were killed.
    pub ended: u64,
    /// Statements that were answered between them.
    pub answered: u64,
    /// The longest time from a kill until a statement was answered again, pauses between restarts included.
    pub longest_outage: Duration,
    /// The events posted meanwhile.
    pub posted: Posted,
    /// Events of trials in the archive at the end, and how many different ids they have.
    pub archived: (u64, u64),
    /// What the longest delay of an event may be: the flush interval and a second.
    pub allowed_delay: Duration,
}

/// Kills the process that answers statements.
///
/// # Errors
///
/// [`Error`] if it is not started again, or if the server does not take events.
pub async fn kills(deployment: &mut Deployment, options: &KillOptions) -> Result<Kills, Error> {
    let allowed_delay = deployment.flush_interval + Duration::from_secs(1);
    let mut all = Kills { allowed_delay, ..Kills::default() };
    let mut choices = Choices::seeded(options.seed);
    // A process that always ends by itself is not waited for without end.
    while all.killed < options.count && all.ended <= options.count {
        if all.killed + all.ended > 0 {
            deployment.stop().await?;
            deployment.serve().await?;
        }
        round(deployment, options, &mut choices, &mut all).await?;
    }
    all.archived = deployment.archived().await?;
    Ok(all)
}

/// The kills between two starts of the server.
async fn round(
    deployment: &Deployment,
    options: &KillOptions,
    choices: &mut Choices<'_>,
    all: &mut Kills,
) -> Result<(), Error> {
    let posting = Posting::start(deployment, POST_EVERY).await?;
    let load = Load::start(deployment, options.seed.wrapping_add((all.killed + all.ended) << 32))?;
    for _ in 0..KILLS_A_ROUND.min(options.count - all.killed) {
        let process = load.wait_for_answer(deployment).await?;
        tokio::time::sleep(Duration::from_millis(choices.below(DELAY) as u64)).await;
        if deployment.query_process() != Some(process) || !kill(process)? {
            all.ended += 1;
            continue;
        }
        all.killed += 1;
        let killed = Instant::now();
        let answered = load.answered();
        load.wait_for_more(deployment, answered, Some(process)).await?;
        all.longest_outage = all.longest_outage.max(killed.elapsed());
    }
    all.answered += load.stop().await;
    all.posted.add(posting.finish().await?);
    Ok(())
}

/// SIGKILL. `false` if there is no such process: it has ended by itself.
fn kill(process: u32) -> Result<bool, Error> {
    let status = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
    let is_delivered = status.map_err(Error::io("start", "kill"))?.success();
    let place = format!("/proc/{process}");
    if !is_delivered && std::path::Path::new(&place).exists() {
        return Err(Error::io("kill", place)(std::io::ErrorKind::PermissionDenied.into()));
    }
    Ok(is_delivered)
}

/// Clients that send statements until they are stopped.
struct Load {
    clients: JoinSet<()>,
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
}

impl Load {
    fn start(deployment: &Deployment, seed: u64) -> Result<Self, Error> {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let mut client = Client::new(deployment, number, STATEMENT_LIMIT)?;
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            clients.spawn(async move {
                for statement in (number as u64..).step_by(CLIENTS) {
                    if stop.load(Ordering::Acquire) {
                        return;
                    }
                    // Some that run until they are killed, between those that are answered at once.
                    let mut choices = Choices::seeded(seed.wrapping_add(statement));
                    let text = if statement % 3 == 0 { "SELECT 1".to_owned() } else { sql::statement(&mut choices) };
                    let (ending, _) = client.send(&text).await;
                    answered.fetch_add(u64::from(ending == Ending::Answered), Ordering::AcqRel);
                }
            });
        }
        Ok(Self { clients, stop, answered })
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::Acquire)
    }

    /// The process, once there is one and statements are answered.
    async fn wait_for_answer(&self, deployment: &Deployment) -> Result<u32, Error> {
        self.wait_for_more(deployment, self.answered(), None).await
    }

    /// The process, once it is another one than `killed` and more than `before` statements were answered.
    async fn wait_for_more(&self, deployment: &Deployment, before: u64, killed: Option<u32>) -> Result<u32, Error> {
        let deadline = Instant::now() + RESTART_LIMIT;
        loop {
            match deployment.query_process() {
                Some(process) if Some(process) != killed && self.answered() > before => return Ok(process),
                _ => {}
            }
            if Instant::now() > deadline {
                let log = deployment.log();
                return Err(Error::TimedOut {
                    name: "the role query".to_owned(),
                    what: "answer again",
                    limit: RESTART_LIMIT,
                    log,
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Stops the clients, and returns how many statements were answered.
    async fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Release);
        self.clients.shutdown().await;
        self.answered()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_process_that_lives_is_killed() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let process = child.id();
        assert!(kill(process).unwrap());
        assert!(!child.wait().unwrap().success());
        assert!(!kill(process).unwrap());
    }
}
