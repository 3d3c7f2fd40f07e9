//! A job that needs the pipeline. It uses the running server if there is one, else it starts the parts in this process.

use std::future::Future;

use anyhow::bail;
use holdfast_archive::Archive;
use holdfast_ingest::kafka::KafkaSettings;

use super::broker::JobKafka;
use super::lock_file::{HeldLock, LockFile, ProcessKind};
use super::pipeline::Pipeline;
use super::{broker, kafka, lag};
use crate::config::{Settings, check_servers};
use crate::progress::Bars;
use crate::supervise::{Signals, Stopped, Supervisor};

/// A prepared job.
pub(crate) struct Job {
    pub(crate) kafka: KafkaSettings,
    /// Whether another process archives.
    pub(crate) is_attached: bool,
    /// Address of the gateway and `/readyz`, if this process serves them.
    pub(crate) http: Option<std::net::SocketAddr>,
    supervisor: Supervisor,
    signals: Signals,
    lock: Option<HeldLock>,
}

impl Job {
    /// Starts the parts that are missing for events to be archived. With `serves`, also HTTP, and other processes find
    /// this one as a server.
    pub(crate) async fn start(
        settings: &Settings,
        bars: &Bars,
        archive: &Archive,
        serves: bool,
    ) -> anyhow::Result<Self> {
        let signals = Signals::of_process()?;
        let job_kafka = {
            let _progress = bars.open_ended("starting", "");
            broker::for_job(settings, bars).await?
        };
        let address = job_kafka.address();
        let kafka = kafka::settings(settings, address)?;
        let mut pipeline = Pipeline::new(settings, kafka.clone());
        let is_attached = match job_kafka {
            JobKafka::BuiltIn(broker) => {
                pipeline.broker(broker);
                pipeline.topics().await?;
                false
            }
            JobKafka::RunningServer(server) => {
                if !server.roles.iter().any(|role| role == "archiver") {
                    bail!(
                        "the server that runs with this configuration (process {}) has no archiver; \
                         start it with the role archiver",
                        server.process
                    );
                }
                tracing::info!(process = server.process, "using the running server");
                true
            }
            JobKafka::Cluster => {
                pipeline.topics().await?;
                // If this is unknown, one more archiver does no harm: it shares the group's partitions while it runs.
                lag::group_has_members(&kafka).await.unwrap_or_else(|error| {
                    tracing::debug!("could not list the members of the archiver's group: {error:#}");
                    false
                })
            }
        };
        if !is_attached {
            pipeline.archiver(archive)?;
        }
        let (supervisor, http) = if serves && !is_attached {
            check_servers(settings)?;
            let served = pipeline.http(true, true).await?;
            (served.supervisor, served.gateway.or(Some(served.health)))
        } else {
            (pipeline.without_http(), None)
        };
        let lock = match address {
            Some(address) if !is_attached => {
                let (kind, roles): (_, &[&str]) = if serves {
                    (ProcessKind::Server, &["archiver", "gateway"])
                } else {
                    (ProcessKind::Job, &["archiver"])
                };
                let roles = roles.iter().map(|role| (*role).to_owned()).collect();
                Some(LockFile::new(kind, roles, address, http).write(&broker::folder(settings))?)
            }
            _ => None,
        };
        Ok(Self { kafka, is_attached, http, supervisor, signals, lock })
    }

    /// Starts the parts that are missing for access records to reach Kafka. The next archiver archives them.
    pub(crate) async fn for_access_records(settings: &Settings, bars: &Bars) -> anyhow::Result<Self> {
        Self::with_signals(Signals::of_process()?, settings, bars).await
    }

    /// As [`for_access_records`](Self::for_access_records), for a job that handles SIGINT itself.
    pub(crate) async fn for_shell(settings: &Settings, bars: &Bars) -> anyhow::Result<Self> {
        Self::with_signals(Signals::of_shell()?, settings, bars).await
    }

    async fn with_signals(signals: Signals, settings: &Settings, bars: &Bars) -> anyhow::Result<Self> {
        let job_kafka = broker::for_job(settings, bars).await?;
        let address = job_kafka.address();
        let kafka = kafka::settings(settings, address)?;
        let mut pipeline = Pipeline::new(settings, kafka.clone());
        let is_attached = match job_kafka {
            JobKafka::BuiltIn(broker) => {
                pipeline.broker(broker);
                pipeline.topics().await?;
                false
            }
            JobKafka::RunningServer(_) => true,
            JobKafka::Cluster => {
                pipeline.topics().await?;
                true
            }
        };
        let lock = match address.filter(|_| !is_attached) {
            Some(address) => {
                let file = LockFile::new(ProcessKind::Job, Vec::new(), address, None);
                Some(file.write(&broker::folder(settings))?)
            }
            None => None,
        };
        let supervisor = pipeline.without_http();
        Ok(Self { kafka, is_attached, http: None, supervisor, signals, lock })
    }

    /// Runs the job, and then stops what was started for it.
    pub(crate) async fn run<T>(self, job: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Stopped<T>> {
        let Self { supervisor, mut signals, lock, .. } = self;
        let stopped = supervisor.run_until(&mut signals, job).await;
        drop(lock);
        Ok(stopped?)
    }
}

/// The result of a job; an error if a signal interrupted it.
pub(crate) fn done<T>(stopped: Stopped<T>) -> anyhow::Result<T> {
    match stopped {
        Stopped::JobDone(value) => Ok(value),
        Stopped::Signal(signal) => bail!("interrupted by {signal}; what Kafka has acknowledged will be archived"),
    }
}
