//! `holdfast serve`

use std::collections::BTreeSet;
use std::str::FromStr;

use clap::Args;

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::runtime::block_on;
use super::session_context::Session;
use crate::config::Settings;
use crate::supervise::{Signals, Stopped};
use crate::wiring::lock_file::{LockFile, ProcessKind};
use crate::wiring::pipeline::Pipeline;
use crate::wiring::{archive, authentication, broker, identities, kafka};

/// Take events in and archive them, until SIGTERM or SIGINT.
///
/// With the built-in broker, one process has all roles. With a Kafka cluster, the roles can be spread over processes
/// and machines. The gateway and the archiver need no private key.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    config: ConfigArguments,
    /// Roles of this process: gateway (HTTP), archiver (Kafka into the archive), query (SQL over HTTP and the
    /// PostgreSQL wire protocol; needs private keys), sealer (merges the files of closed dates; needs private keys)
    /// [default: all; query and sealer only when query.identities_dir and seal.identities_dir are set]
    #[arg(long, value_name = "ROLE,...", value_delimiter = ',')]
    roles: Vec<Role>,
}

/// What a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Gateway,
    Archiver,
    Query,
    Sealer,
}

impl Role {
    const ALL: [Self; 4] = [Self::Gateway, Self::Archiver, Self::Query, Self::Sealer];

    /// The roles when --roles is not given. A role that reads with private keys needs a configured folder of
    /// identities.
    fn by_default(settings: &Settings) -> BTreeSet<Self> {
        let may_seal = settings.config.seal.identities_dir.get().is_some();
        // On a machine without the identities, the server archives and does not serve queries.
        let may_query = settings.config.query.identities_dir.get().is_some()
            && !identities::load_folder(&authentication::identities_folder(settings)).is_empty();
        let is_enabled = |role: &Self| match role {
            Self::Sealer => may_seal,
            Self::Query => may_query,
            Self::Gateway | Self::Archiver => true,
        };
        Self::ALL.into_iter().filter(is_enabled).collect()
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Archiver => "archiver",
            Self::Query => "query",
            Self::Sealer => "sealer",
        }
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|role| role.as_str() == text.trim()).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|role| role.as_str()).collect();
            format!("there is no role `{}`; the roles are: {}", text.trim(), known.join(", "))
        })
    }
}

impl Serve {
    pub(crate) fn run(self, session: &Session) -> anyhow::Result<Outcome> {
        let settings = self.config.load()?;
        session.start_log(&settings);
        let roles: BTreeSet<Role> =
            if self.roles.is_empty() { Role::by_default(&settings) } else { self.roles.into_iter().collect() };
        block_on(serve(&settings, &roles))?;
        Ok(Outcome::Success)
    }
}

async fn serve(settings: &Settings, roles: &BTreeSet<Role>) -> anyhow::Result<()> {
    // From here on a signal stops everything that has been started, in order.
    let mut signals = Signals::of_process()?;
    let has_archive = roles.iter().any(|role| *role != Role::Gateway);
    let archive = if has_archive { Some(archive::open(settings)?) } else { None };
    // A process that only seals needs no Kafka, and must not take the broker's folder from a process that does.
    let seals_only = roles.iter().all(|role| *role == Role::Sealer);
    let broker = if kafka::is_built_in(settings) && !seals_only { Some(broker::start(settings).await?) } else { None };
    let address = broker.as_ref().map(|broker| broker.address());

    let mut pipeline = Pipeline::new(settings, kafka::settings(settings, address)?);
    if let Some(broker) = broker {
        pipeline.broker(broker);
    }
    if !seals_only {
        pipeline.topics().await?;
    }
    let mut postgres = None;
    if let Some(archive) = &archive {
        if roles.contains(&Role::Archiver) {
            pipeline.archiver(archive)?;
        }
        if roles.contains(&Role::Sealer) {
            pipeline.sealer(archive)?;
        }
        if roles.contains(&Role::Query) {
            postgres = Some(pipeline.query(archive, false).await?);
        }
    }
    let (supervisor, gateway, health) = pipeline.http(roles.contains(&Role::Gateway), false).await?;

    let names: Vec<String> = roles.iter().map(|role| role.as_str().to_owned()).collect();
    let lock = match address {
        Some(address) => {
            let file = LockFile::new(ProcessKind::Server, names.clone(), address, Some(health));
            Some(file.write(&broker::folder(settings))?)
        }
        None => None,
    };
    tracing::info!(
        roles = names.join(","),
        gateway = gateway.map(tracing::field::display),
        health = %health,
        postgres = postgres.map(tracing::field::display),
        kafka = address.map_or_else(|| settings.config.kafka.brokers.clone(), |address| address.to_string()),
        archive = archive.as_ref().map(|archive| tracing::field::display(archive.url().clone())),
        "serving"
    );
    let stopped = supervisor.run_until(&mut signals, std::future::pending::<anyhow::Result<()>>()).await;
    drop(lock);
    match stopped? {
        Stopped::Signal(_) | Stopped::JobDone(()) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_role_is_refused_with_the_known_ones() {
        assert_eq!("gateway".parse::<Role>(), Ok(Role::Gateway));
        let refused = "console".parse::<Role>().unwrap_err();
        assert_eq!(refused, "there is no role `console`; the roles are: gateway, archiver, query, sealer");
    }
}
