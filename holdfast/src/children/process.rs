//! The parent's side: starts a child, watches it, and starts it again when it ends.
//!
//! ```text
//! start ─▶ run: reports ─▶ readiness, metrics, addresses
//!   ▲       ├─ it ended, or was killed over its memory limit ─▶ logged, counted, waits (Backoff) ─────┐
//!   │       └─ stop: "stop" into its standard input, waits for its end                                │
//!   └──────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A child that ends before its first report, at the first start, ends the start of the parent: its configuration is
//! wrong, or its port is taken.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::link::{REPORT_INTERVAL, STOP};
use super::memory;
use super::memory_groups::{MemoryGroup, MemoryGroups};
use super::report::{Addresses, ChildReport};
use crate::health::Component;

/// How often the memory of a child, and the time since its last report, are checked.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// How much lower than its parent's the priority of a child is: what takes events in comes first.
const NICE: &str = "5";
/// A child that has not reported for so long is not ready.
const SILENCE: Duration = REPORT_INTERVAL.saturating_mul(5);

/// How to start a child.
#[derive(Debug, Clone)]
pub(crate) struct ChildSettings {
    /// Its role: the name in the log, in `/readyz` and in the metrics.
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// Environment variables that it does not get: secrets that its role does not need.
    pub(crate) withheld: Vec<String>,
    /// Bytes of memory beyond which it is killed: by the system, or else by this process when they are resident.
    pub(crate) memory_limit: u64,
}

/// What all children reported last, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChildReports(Arc<Mutex<BTreeMap<&'static str, Observed>>>);

/// What the parent knows of one child.
#[derive(Debug, Clone, Default)]
struct Observed {
    process: Option<u32>,
    restarts: u64,
    memory: u64,
    memory_limit: u64,
    metrics: String,
}

impl ChildReports {
    fn update(&self, name: &'static str, change: impl FnOnce(&mut Observed)) {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default());
    }

    /// Metrics of the children and about them, in the OpenMetrics text format without its last line.
    pub(crate) fn metrics(&self) -> String {
        let children = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, suffix: &str, value: fn(&Observed) -> u64| {
            if children.is_empty() {
                return;
            }
            text.push_str(&format!("# HELP holdfast_{name} {help}.\n# TYPE holdfast_{name} {kind}\n"));
            for (role, child) in &children {
                text.push_str(&format!("holdfast_{name}{suffix}{{role=\"{role}\"}} {}\n", value(child)));
            }
        };
        family("child_running", "gauge", "Whether the process of a role runs", "", |child| {
            u64::from(child.process.is_some())
        });
        family(
            "child_restarts",
            "counter",
            "Ends of the process of a role after which it was started again",
            "_total",
            |child| child.restarts,
        );
        family("child_resident_bytes", "gauge", "Resident memory of the process of a role", "", |child| child.memory);
        family(
            "child_memory_limit_bytes",
            "gauge",
            "Memory beyond which the process of a role is killed",
            "",
            |child| child.memory_limit,
        );
        for child in children.values() {
            text.push_str(&child.metrics);
        }
        text
    }
}

/// A child that is supervised.
#[derive(Debug)]
pub(crate) struct ChildProcess {
    settings: ChildSettings,
    groups: MemoryGroups,
    reports: ChildReports,
    component: Component,
    /// Told once: where the child listens, or why its first start failed.
    started: Option<oneshot::Sender<Result<Addresses, String>>>,
}

/// Why one run of a child is over.
enum End {
    Exited(ExitStatus),
    /// It was killed; how, for people.
    OverLimit(String),
    Stopped,
}

/// A started child and its pipes.
struct Running {
    child: Child,
    input: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
    /// `None` if its memory is watched.
    group: Option<MemoryGroup>,
}

impl ChildProcess {
    /// The child, and where it listens when it has started for the first time, or why it did not.
    pub(crate) fn new(
        settings: ChildSettings,
        groups: MemoryGroups,
        reports: ChildReports,
        component: Component,
    ) -> (Self, oneshot::Receiver<Result<Addresses, String>>) {
        let (sender, started) = oneshot::channel();
        reports.update(settings.name, |child| child.memory_limit = settings.memory_limit);
        (Self { settings, groups, reports, component, started: Some(sender) }, started)
    }

    /// Keeps the child running until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let name = self.settings.name;
        let mut backoff = Backoff::default();
        loop {
            let begun = Instant::now();
            let why = match self.start() {
                Ok(running) => match self.watch(running, &stop).await? {
                    End::Stopped => return Ok(()),
                    End::Exited(status) => describe(status),
                    End::OverLimit(why) => why,
                },
                Err(error) => format!("{error:#}"),
            };
            let wait = backoff.after(begun.elapsed());
            self.component.not_ready(format!("its process ended: {why}"));
            self.reports.update(name, |child| {
                child.process = None;
                child.memory = 0;
                child.metrics.clear();
            });
            if let Some(started) = self.started.take() {
                // The supervisor stops everything.
                let _ = started.send(Err(why));
                stop.cancelled().await;
                return Ok(());
            }
            tracing::error!(role = name, reason = %why, wait_seconds = wait.as_secs(), "a process ended; starting it again");
            if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Ok(());
            }
            self.reports.update(name, |child| child.restarts += 1);
        }
    }

    fn start(&self) -> anyhow::Result<Running> {
        let program = &self.settings.program;
        let mut command = Command::new("nice");
        command.args(["-n", NICE]).arg(program);
        let mut child = match self.spawn(command) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                tracing::warn!(
                    role = self.settings.name,
                    "there is no program `nice`; the process has our own priority"
                );
                self.spawn(Command::new(program))
            }
            result => result,
        }
        .with_context(|| format!("start {}", program.display()))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("its pipes are missing");
        };
        let process = child.id();
        tracing::info!(role = self.settings.name, process, "started a process");
        self.reports.update(self.settings.name, |child| child.process = process);
        let ChildSettings { name, memory_limit, .. } = self.settings;
        let group = process.and_then(|process| self.groups.limit(name, process, memory_limit));
        Ok(Running { child, input, reports: BufReader::new(output).lines(), group })
    }

    /// Starts `command` with the arguments, the environment and the pipes of a child.
    fn spawn(&self, mut command: Command) -> std::io::Result<Child> {
        for name in &self.settings.withheld {
            command.env_remove(name);
        }
        command.args(&self.settings.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        // A signal of the terminal reaches the parent alone, which stops its children in order.
        command.process_group(0).spawn()
    }

    /// Watches a running child until it ends, or until `stop` and its end.
    async fn watch(&mut self, running: Running, stop: &CancellationToken) -> anyhow::Result<End> {
        // The group is dropped last, when nothing is in it.
        let Running { group, mut child, mut input, mut reports } = running;
        let mut checks = interval(CHECK_INTERVAL);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_report = Instant::now();
        let mut has_output = true;
        loop {
            tokio::select! {
                status = child.wait() => {
                    let status = status.context("wait for a process")?;
                    if group.as_ref().is_some_and(MemoryGroup::was_exceeded) {
                        let limit = self.settings.memory_limit >> 20;
                        let why = format!("the system killed it: it needed more memory than its limit of {limit} MiB");
                        return Ok(End::OverLimit(why));
                    }
                    return Ok(End::Exited(status));
                }
                line = reports.next_line(), if has_output => match line {
                    Ok(Some(line)) => {
                        last_report = Instant::now();
                        self.take(&line);
                    }
                    // It has closed its output, so its end is near.
                    Ok(None) | Err(_) => has_output = false,
                },
                _ = checks.tick() => {
                    if last_report.elapsed() > SILENCE {
                        self.component.not_ready("it has not reported for some seconds");
                    }
                    let resident = self.resident(&child);
                    if group.is_none() && resident > self.settings.memory_limit {
                        child.kill().await.context("kill a process that is over its memory limit")?;
                        let (held, limit) = (resident >> 20, self.settings.memory_limit >> 20);
                        let why = format!("it was killed: it held {held} MiB of memory, and its limit is {limit} MiB");
                        return Ok(End::OverLimit(why));
                    }
                }
                () = stop.cancelled() => {
                    // If it does not end in time, the supervisor drops this future, and that kills it.
                    let _ = input.write_all(format!("{STOP}\n").as_bytes()).await;
                    let _ = input.flush().await;
                    let drained = async { while let Ok(Some(_)) = reports.next_line().await {} };
                    let (status, ()) = tokio::join!(child.wait(), drained);
                    let status = status.context("wait for a process")?;
                    if !status.success() {
                        bail!("its process failed while it stopped: {}", describe(status));
                    }
                    return Ok(End::Stopped);
                }
            }
        }
    }

    /// Takes a report in.
    fn take(&mut self, line: &str) {
        let report = match ChildReport::parse(line) {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(role = self.settings.name, %error, "a line of a process is not a report");
                return;
            }
        };
        match report.problem() {
            None => self.component.ready(),
            Some(problem) => self.component.not_ready(problem),
        }
        if let Some(started) = self.started.take() {
            let _ = started.send(Ok(report.addresses));
        }
        self.reports.update(self.settings.name, |child| child.metrics = report.metrics);
    }

    /// The resident memory of the child, in bytes; 0 if the system does not tell.
    fn resident(&self, child: &Child) -> u64 {
        let bytes = child.id().and_then(memory::resident).unwrap_or_default();
        self.reports.update(self.settings.name, |observed| observed.memory = bytes);
        bytes
    }
}

/// How a process ended, for people.
fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "for an unknown reason".to_owned(),
    }
}

#[cfg(test)]
mod tests;
