//! Supervision of named tasks, and an orderly stop. A task that ends before it is asked to stop ends the process with
//! an error.
//!
//! ```text
//! signal ─┐                ┌▶ Stage::Intake   cancelled, awaited
//! job ────┼▶ run_until ────┼▶ Stage::Archive  cancelled, awaited   each stage logs what it waits for
//!         │                ├▶ Stage::Proof    cancelled, awaited
//! death ──┘                └▶ Stage::Broker   cancelled, awaited
//! second signal, or the limit ──────────────▶ aborted, named in the error
//! ```
//!
//! The stages stop in the direction of the data: first the intake of events, then the archiver when all events are
//! archived, and then the broker, which both use.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

/// How often an orderly stop logs what it still waits for.
const REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// The time that each stage gets, even when the stages before it used up the limit: the broker must close its database.
const MIN_STAGE_TIMEOUT: Duration = Duration::from_secs(2);

/// When a task is stopped. The stages stop in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stage {
    /// Servers that accept events and queries.
    Intake,
    /// Tasks that write to the archive. The archiver flushes before it ends.
    Archive,
    /// The integrator, which adds the last commits to the proof log.
    Proof,
    /// The built-in broker, which the other stages use.
    Broker,
    /// Health and metrics, which are served until the end.
    Observation,
}

impl Stage {
    const ORDER: [Self; 5] = [Self::Intake, Self::Archive, Self::Proof, Self::Broker, Self::Observation];
}

/// Why everything stopped.
#[derive(Debug)]
pub(crate) enum Stopped<T> {
    /// The job is done.
    JobDone(T),
    /// A signal with this name.
    Signal(&'static str),
}

/// A stop that was not orderly, or that no signal requested.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SuperviseError {
    #[error(
        "the task `{name}` ended unexpectedly; in this process; its reason follows, start again when it is corrected"
    )]
    Died { name: String, source: anyhow::Error },
    #[error(
        "the task `{name}` failed while it stopped; in this process; nothing acknowledged is lost, the next start resumes"
    )]
    FailedToStop { name: String, source: anyhow::Error },
    #[error(
        "gave up waiting for {}; after {seconds} s; nothing acknowledged is lost, the next start resumes; \
         `shutdown.limit_seconds` allows more time", waiting.join(", ")
    )]
    TimedOut { waiting: Vec<String>, seconds: u64 },
    #[error("stopped at once by a second signal, without waiting for {}; nothing acknowledged is lost, the next start resumes", waiting.join(", "))]
    Forced { waiting: Vec<String> },
    #[error("the job failed")]
    Job(#[source] anyhow::Error),
}

/// Owns the tasks of the process.
#[derive(Debug)]
pub(crate) struct Supervisor {
    tasks: JoinSet<anyhow::Result<()>>,
    running: HashMap<Id, (String, Stage)>,
    stops: HashMap<Stage, CancellationToken>,
    limit: Duration,
    servers: ServerRuntime,
}

/// Threads for servers alone, started when the first one is. What blocks the threads of other parts does not keep health
/// and gateway from answering.
#[derive(Debug, Default)]
struct ServerRuntime(Option<Runtime>);

impl ServerRuntime {
    fn handle(&mut self) -> std::io::Result<Handle> {
        if let Some(runtime) = &self.0 {
            return Ok(runtime.handle().clone());
        }
        let runtime = Builder::new_multi_thread().enable_all().thread_name("holdfast-http").build()?;
        let handle = runtime.handle().clone();
        self.0 = Some(runtime);
        Ok(handle)
    }
}

impl Drop for ServerRuntime {
    fn drop(&mut self) {
        // A supervisor is dropped in a task, where waiting for threads is not allowed.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Supervisor {
    /// `limit` is what the whole of an orderly stop may take.
    pub(crate) fn new(limit: Duration) -> Self {
        let stops = Stage::ORDER.into_iter().map(|stage| (stage, CancellationToken::new())).collect();
        Self { tasks: JoinSet::new(), running: HashMap::new(), stops, limit, servers: ServerRuntime::default() }
    }

    /// The token that is cancelled when the tasks of this stage must stop.
    pub(crate) fn token(&self, stage: Stage) -> CancellationToken {
        self.stops[&stage].clone()
    }

    /// Starts a task. It must run until its token is cancelled, and end soon afterwards.
    pub(crate) fn spawn<F, Fut>(&mut self, name: impl Into<String>, stage: Stage, task: F)
    where
        F: FnOnce(CancellationToken) -> Fut,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let handle = self.tasks.spawn(task(self.token(stage)));
        self.running.insert(handle.id(), (name.into(), stage));
    }

    /// As [`spawn`](Self::spawn), on the threads of servers.
    ///
    /// # Errors
    ///
    /// When these threads cannot be started.
    pub(crate) fn spawn_server<F, Fut>(&mut self, name: impl Into<String>, stage: Stage, task: F) -> std::io::Result<()>
    where
        F: FnOnce(CancellationToken) -> Fut,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let servers = self.servers.handle()?;
        let handle = self.tasks.spawn_on(task(self.token(stage)), &servers);
        self.running.insert(handle.id(), (name.into(), stage));
        Ok(())
    }

    /// Runs until a signal arrives, the job is done or a task dies; then stops everything in order.
    ///
    /// # Errors
    ///
    /// [`SuperviseError`], the first failure. All tasks have been stopped or aborted when this returns.
    pub(crate) async fn run_until<T>(
        mut self,
        signals: &mut Signals,
        job: impl Future<Output = anyhow::Result<T>>,
    ) -> Result<Stopped<T>, SuperviseError> {
        let mut failure = None;
        let outcome = tokio::select! {
            biased;
            signal = signals.next() => {
                info!(signal, "stopping");
                Some(Stopped::Signal(signal))
            }
            dead = next_end(&mut self.tasks, &mut self.running) => {
                let (name, result) = dead;
                let source = result.err().unwrap_or_else(|| anyhow::anyhow!("it returned as if its work were done"));
                error!(task = %name, reason = format!("{source:#}"), "a task died; stopping the others");
                failure = Some(SuperviseError::Died { name, source });
                None
            }
            done = job => match done {
                Ok(value) => Some(Stopped::JobDone(value)),
                Err(source) => {
                    failure = Some(SuperviseError::Job(source));
                    None
                }
            },
        };
        let stopped = self.stop(signals).await;
        match (failure, stopped, outcome) {
            (Some(failure), Err(second), _) => {
                warn!(reason = %second, "the other tasks did not stop in order");
                Err(failure)
            }
            (Some(failure), Ok(()), _) => Err(failure),
            (None, Err(failure), _) => Err(failure),
            (None, Ok(()), outcome) => Ok(outcome.expect("without a failure there is an outcome")),
        }
    }

    async fn stop(&mut self, signals: &mut Signals) -> Result<(), SuperviseError> {
        let begun = Instant::now();
        let deadline = begun + self.limit;
        let mut failure = None;
        for stage in Stage::ORDER {
            self.stops[&stage].cancel();
            let stage_deadline = deadline.max(Instant::now() + MIN_STAGE_TIMEOUT.min(self.limit));
            match self.stop_stage(stage, stage_deadline, begun, signals).await {
                Ok(()) => {}
                Err(forced @ SuperviseError::Forced { .. }) => {
                    self.tasks.abort_all();
                    return Err(forced);
                }
                Err(other) => {
                    error!(reason = format!("{other:#}"), "while stopping");
                    failure.get_or_insert(other);
                }
            }
        }
        // Aborts the tasks whose stage timed out.
        self.tasks.abort_all();
        failure.map_or(Ok(()), Err)
    }

    async fn stop_stage(
        &mut self,
        stage: Stage,
        deadline: Instant,
        begun: Instant,
        signals: &mut Signals,
    ) -> Result<(), SuperviseError> {
        let mut failure = None;
        let mut next_report = Instant::now() + REPORT_INTERVAL;
        while self.running.values().any(|(_, running)| *running == stage) {
            tokio::select! {
                biased;
                _ = signals.next() => return Err(SuperviseError::Forced { waiting: self.waiting(None) }),
                (name, result) = next_end(&mut self.tasks, &mut self.running) => match result {
                    Ok(()) => info!(task = %name, "stopped"),
                    Err(source) => {
                        failure.get_or_insert(SuperviseError::FailedToStop { name, source });
                    }
                },
                () = sleep_until(deadline) => {
                    let waiting = self.waiting(Some(stage));
                    // Removed, so that later stages do not wait for them.
                    self.running.retain(|_, (_, running)| *running != stage);
                    return Err(SuperviseError::TimedOut { waiting, seconds: begun.elapsed().as_secs() });
                }
                () = sleep_until(next_report) => {
                    warn!(waiting_for = self.waiting(Some(stage)).join(", "), "still stopping");
                    next_report += REPORT_INTERVAL;
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Names of the tasks that still run, sorted.
    fn waiting(&self, stage: Option<Stage>) -> Vec<String> {
        let mut names: Vec<String> = self
            .running
            .values()
            .filter(|(_, running)| stage.is_none_or(|stage| stage == *running))
            .map(|(name, _)| name.clone())
            .collect();
        names.sort();
        names
    }
}

/// The next task that ends, with a result or a panic. Pending if no task runs.
async fn next_end(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    running: &mut HashMap<Id, (String, Stage)>,
) -> (String, anyhow::Result<()>) {
    loop {
        let (id, result) = match tasks.join_next_with_id().await {
            Some(Ok((id, result))) => (id, result),
            Some(Err(failure)) => (failure.id(), Err(anyhow::anyhow!(describe(failure)))),
            None => std::future::pending().await,
        };
        // A task of a stage that timed out may still end. It is not reported again.
        if let Some((name, _)) = running.remove(&id) {
            return (name, result);
        }
    }
}

fn describe(failure: JoinError) -> String {
    if failure.is_cancelled() {
        return "it was cancelled".to_owned();
    }
    let payload: Box<dyn Any + Send> = failure.into_panic();
    let message = payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    format!("it panicked: {message}")
}

/// Requests to stop, by name.
pub(crate) struct Signals(mpsc::Receiver<&'static str>);

impl fmt::Debug for Signals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Signals")
    }
}

impl Signals {
    /// SIGTERM and SIGINT of this process. From here on they do not end the process.
    ///
    /// # Errors
    ///
    /// When the handlers cannot be installed.
    pub(crate) fn of_process() -> std::io::Result<Self> {
        Self::of_child().map(|(_, signals)| signals)
    }

    /// SIGTERM alone, for a process that handles SIGINT itself.
    ///
    /// # Errors
    ///
    /// When the handler cannot be installed.
    pub(crate) fn of_shell() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let (sender, signals) = Self::channel();
        tokio::spawn(async move { while terminate.recv().await.is_some() && sender.send("SIGTERM").await.is_ok() {} });
        Ok(signals)
    }

    /// As [`of_process`](Self::of_process), and what the parent of this process asks for.
    ///
    /// # Errors
    ///
    /// When the handlers cannot be installed.
    pub(crate) fn of_child() -> std::io::Result<(mpsc::Sender<&'static str>, Self)> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, signals) = Self::channel();
        let of_parent = sender.clone();
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if sender.send(name).await.is_err() {
                    break;
                }
            }
        });
        Ok((of_parent, signals))
    }

    /// Signals from a channel.
    pub(crate) fn channel() -> (mpsc::Sender<&'static str>, Self) {
        let (sender, receiver) = mpsc::channel(4);
        (sender, Self(receiver))
    }

    async fn next(&mut self) -> &'static str {
        match self.0.recv().await {
            Some(name) => name,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
