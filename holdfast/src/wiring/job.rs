//! A job that needs the pipeline: with the running server where there is one, else with the parts of it in this process.

use std::future::Future;

use anyhow::bail;
use holdfast_archive::Archive;
use holdfast_ingest::kafka::KafkaSettings;

use super::broker::Way;
use super::pipeline::Pipeline;
use super::presence::{Announcement, Kind, Presence};
use super::{broker, kafka, lag};
use crate::config::Settings;
use crate::progress::Bars;
use crate::supervise::{Signals, Stopped, Supervisor};

/// What is ready for a job.
pub(crate) struct Job {
    pub(crate) kafka: KafkaSettings,
    /// Whether somebody else archives.
    pub(crate) is_attached: bool,
    /// Where the gateway and `/readyz` are, if they are here.
    pub(crate) http: Option<std::net::SocketAddr>,
    supervisor: Supervisor,
    signals: Signals,
    announcement: Option<Announcement>,
}

impl Job {
    /// Starts what is missing for events to be archived. With `serves`, HTTP as well, and others find it as a server.
    pub(crate) async fn start(
        settings: &Settings,
        bars: &Bars,
        archive: &Archive,
        serves: bool,
    ) -> anyhow::Result<Self> {
        let signals = Signals::of_process()?;
        let way = {
            let _progress = bars.open_ended("starting", "");
            broker::way(settings, bars).await?
        };
        let address = way.address();
        let kafka = kafka::settings(settings, address)?;
        let mut pipeline = Pipeline::new(settings, kafka.clone());
        let is_attached = match way {
            Way::Own(broker) => {
                pipeline.broker(broker);
                pipeline.topics().await?;
                false
            }
            Way::Running(presence) => {
                if !presence.roles.iter().any(|role| role == "archiver") {
                    bail!(
                        "the server that runs with this configuration (process {}) has no archiver; \
                         start it with the role archiver",
                        presence.process
                    );
                }
                tracing::info!(process = presence.process, "using the server that runs already");
                true
            }
            Way::Cluster => {
                pipeline.topics().await?;
                // Where nobody can say, an archiver more does no harm: it shares the group's partitions while it runs.
                lag::group_is_at_work(&kafka).await.unwrap_or_else(|error| {
                    tracing::debug!("could not ask who archives: {error:#}");
                    false
                })
            }
        };
        if !is_attached {
            pipeline.archiver(archive)?;
        }
        let (supervisor, http) = if serves && !is_attached {
            let (supervisor, gateway, health) = pipeline.http(true, true).await?;
            (supervisor, gateway.or(Some(health)))
        } else {
            (pipeline.without_http(), None)
        };
        let announcement = match address {
            Some(address) if !is_attached => {
                let (kind, roles): (_, &[&str]) =
                    if serves { (Kind::Server, &["archiver", "gateway"]) } else { (Kind::Job, &["archiver"]) };
                let roles = roles.iter().map(|role| (*role).to_owned()).collect();
                Some(Presence::new(kind, roles, address, http).announce(&broker::folder(settings))?)
            }
            _ => None,
        };
        Ok(Self { kafka, is_attached, http, supervisor, signals, announcement })
    }

    /// Starts what is missing for events to reach Kafka. Whoever archives next archives them.
    pub(crate) async fn for_records(settings: &Settings, bars: &Bars) -> anyhow::Result<Self> {
        let signals = Signals::of_process()?;
        let way = broker::way(settings, bars).await?;
        let address = way.address();
        let kafka = kafka::settings(settings, address)?;
        let mut pipeline = Pipeline::new(settings, kafka.clone());
        let is_attached = match way {
            Way::Own(broker) => {
                pipeline.broker(broker);
                pipeline.topics().await?;
                false
            }
            Way::Running(_) => true,
            Way::Cluster => {
                pipeline.topics().await?;
                true
            }
        };
        let announcement = match address.filter(|_| !is_attached) {
            Some(address) => {
                let presence = Presence::new(Kind::Job, Vec::new(), address, None);
                Some(presence.announce(&broker::folder(settings))?)
            }
            None => None,
        };
        let supervisor = pipeline.without_http();
        Ok(Self { kafka, is_attached, http: None, supervisor, signals, announcement })
    }

    /// Runs the job, and then stops what was started for it.
    pub(crate) async fn run<T>(self, job: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Stopped<T>> {
        let Self { supervisor, mut signals, announcement, .. } = self;
        let stopped = supervisor.run_until(&mut signals, job).await;
        drop(announcement);
        Ok(stopped?)
    }
}

/// The result of a job that nobody interrupted.
pub(crate) fn done<T>(stopped: Stopped<T>) -> anyhow::Result<T> {
    match stopped {
        Stopped::JobDone(value) => Ok(value),
        Stopped::Signal(signal) => bail!("interrupted by {signal}; what Kafka has acknowledged will be archived"),
    }
}
