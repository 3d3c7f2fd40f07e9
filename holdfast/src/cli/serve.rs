//! `holdfast serve`
//!
//! ```text
//! serve ─┬─ gateway, archiver, broker: in this process
//!        ├─ query ────┐
//!        ├─ sessions ─┼─ each in a child process, which alone loads private keys (crate::children)
//!        └─ sealer ───┘
//! ```
//!
//! A process that has one of the last three roles and nothing else runs it itself: another machine may have it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use clap::Args;
use futures::future::try_join_all;

use super::arguments::ConfigArguments;
use super::outcome::Outcome;
use super::runtime::block_on;
use super::session_context::Session;
use crate::children::{Addresses, Link, end_first_without_memory};
use crate::config::{Settings, check_servers};
use crate::supervise::{Signals, Stopped};
use crate::wiring::children::{self, ChildRole};
use crate::wiring::lock_file::{LockFile, ProcessKind};
use crate::wiring::pipeline::{Pipeline, Served, Started};
use crate::wiring::{archive, authentication, broker, identities, kafka};

/// Take events in and archive them, until SIGTERM or SIGINT.
///
/// With the built-in broker, one process has all roles. With a Kafka cluster, the roles can be spread over processes
/// and machines. The gateway and the archiver need no private key.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    config: ConfigArguments,
    /// Roles: gateway (takes events in over HTTP), archiver (Kafka into the archive), query (SQL over HTTP and the
    /// PostgreSQL wire protocol), sessions (keeps the table of sessions), sealer (merges the files of closed dates).
    /// The last three read with private keys, each in a process of its own
    /// [default: all; query, sessions and sealer only when query.identities_dir and seal.identities_dir are set]
    #[arg(long, value_name = "ROLE,...", value_delimiter = ',')]
    roles: Vec<Role>,
    /// This process is the child of another `holdfast serve`, which has the other roles.
    #[arg(long, hide = true)]
    child: bool,
    /// Of a child: the address of its parent's built-in broker.
    #[arg(long, hide = true, value_name = "ADDRESS", requires = "child")]
    broker: Option<SocketAddr>,
}

/// What a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Gateway,
    Archiver,
    Query,
    Sessions,
    Sealer,
}

impl Role {
    const ALL: [Self; 5] = [Self::Gateway, Self::Archiver, Self::Query, Self::Sessions, Self::Sealer];

    /// The roles when --roles is not given. A role that reads with private keys needs a configured folder of
    /// identities.
    fn by_default(settings: &Settings) -> BTreeSet<Self> {
        let may_seal = settings.config.seal.identities_dir.get().is_some();
        // On a machine without the identities, the server archives and does not serve queries. This process does not
        // read them: it only sees whether there are files.
        let may_query = settings.config.query.identities_dir.get().is_some()
            && identities::has_files(&authentication::identities_folder(settings));
        let is_enabled = |role: &Self| match role {
            Self::Sealer => may_seal,
            Self::Query | Self::Sessions => may_query,
            Self::Gateway | Self::Archiver => true,
        };
        Self::ALL.into_iter().filter(is_enabled).collect()
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Archiver => "archiver",
            Self::Query => "query",
            Self::Sessions => "sessions",
            Self::Sealer => "sealer",
        }
    }

    /// The role of a child; `None` for a role that needs no private key.
    fn of_child(self) -> Option<ChildRole> {
        match self {
            Self::Gateway | Self::Archiver => None,
            Self::Query => Some(ChildRole::Query),
            Self::Sessions => Some(ChildRole::Sessions),
            Self::Sealer => Some(ChildRole::Sealer),
        }
    }
}

/// Which roles this process runs itself, and which are children. A single role needs no other process. Pure.
fn divide(roles: &BTreeSet<Role>) -> (BTreeSet<Role>, Vec<ChildRole>) {
    if roles.len() == 1 {
        return (roles.clone(), Vec::new());
    }
    let own = roles.iter().copied().filter(|role| role.of_child().is_none()).collect();
    (own, roles.iter().filter_map(|role| role.of_child()).collect())
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
        check_servers(&settings)?;
        session.start_log(&settings);
        let roles: BTreeSet<Role> =
            if self.roles.is_empty() { Role::by_default(&settings) } else { self.roles.into_iter().collect() };
        if self.child {
            let role =
                roles.iter().find_map(|role| role.of_child()).context("a child has one of the roles with keys")?;
            end_first_without_memory();
            block_on(serve_child(&settings, role, self.broker))?;
        } else {
            block_on(serve(&settings, &roles))?;
        }
        Ok(Outcome::Success)
    }
}

async fn serve(settings: &Settings, roles: &BTreeSet<Role>) -> anyhow::Result<()> {
    // From here on a signal stops everything that has been started, in order.
    let mut signals = Signals::of_process()?;
    let (own, children) = divide(roles);
    let has_archive = own.iter().any(|role| *role != Role::Gateway);
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
        if own.contains(&Role::Archiver) {
            pipeline.archiver(archive)?;
        }
        if let Some(role) = own.iter().find_map(|role| role.of_child()) {
            postgres = pipeline.reading_role(role, archive).await?;
        }
    }
    let mut started = Vec::new();
    for role in children {
        started.push(pipeline.child(role, children::settings(settings, role, address)?));
    }
    let Served { supervisor, gateway, mut query, health } = pipeline.http(own.contains(&Role::Gateway), false).await?;

    let names: Vec<String> = roles.iter().map(|role| role.as_str().to_owned()).collect();
    let lock = match address {
        Some(address) => {
            let file = LockFile::new(ProcessKind::Server, names.clone(), address, Some(health));
            Some(file.write(&broker::folder(settings))?)
        }
        None => None,
    };
    let serving = async {
        for addresses in try_join_all(started.into_iter().map(|(role, started)| first_start(role, started))).await? {
            query = query.or(addresses.http);
            postgres = postgres.or(addresses.postgres);
        }
        tracing::info!(
            roles = names.join(","),
            gateway = gateway.map(tracing::field::display),
            health = %health,
            query = query.map(tracing::field::display),
            postgres = postgres.map(tracing::field::display),
            kafka = address.map_or_else(|| settings.config.kafka.brokers.clone(), |address| address.to_string()),
            archive = archive.as_ref().map(|archive| tracing::field::display(archive.url().clone())),
            "serving"
        );
        std::future::pending::<anyhow::Result<()>>().await
    };
    let stopped = supervisor.run_until(&mut signals, serving).await;
    drop(lock);
    match stopped? {
        Stopped::Signal(_) | Stopped::JobDone(()) => Ok(()),
    }
}

/// Where a child listens, when it has started.
async fn first_start(role: ChildRole, started: Started) -> anyhow::Result<Addresses> {
    match started.await {
        Ok(Err(reason)) => bail!(
            "the process of the role {} could not start; its own report stands above; it ended with {reason}",
            role.as_str()
        ),
        Ok(Ok(addresses)) => Ok(addresses),
        // It was stopped before it started.
        Err(_) => Ok(Addresses::default()),
    }
}

/// One role with private keys, for a parent.
async fn serve_child(settings: &Settings, role: ChildRole, broker: Option<SocketAddr>) -> anyhow::Result<()> {
    let (sender, mut signals) = Signals::of_child()?;
    let link = Link::open(sender).context("watch the parent")?;
    let archive = archive::open(settings)?;
    let mut pipeline = Pipeline::child_of(settings, kafka::settings(settings, broker)?);
    let postgres = pipeline.reading_role(role, &archive).await?;
    let supervisor = pipeline.report(link, postgres).await?;
    tracing::info!(role = role.as_str(), "serving");
    match supervisor.run_until(&mut signals, std::future::pending::<anyhow::Result<()>>()).await? {
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
        assert_eq!(refused, "there is no role `console`; the roles are: gateway, archiver, query, sessions, sealer");
    }

    #[test]
    fn roles_with_private_keys_are_children_unless_they_are_alone() {
        let (own, children) = divide(&Role::ALL.into_iter().collect());
        assert_eq!(own, BTreeSet::from([Role::Gateway, Role::Archiver]));
        assert_eq!(children, [ChildRole::Query, ChildRole::Sessions, ChildRole::Sealer]);
        let query = BTreeSet::from([Role::Query]);
        assert_eq!(divide(&query), (query, Vec::new()));
        let (own, children) = divide(&BTreeSet::from([Role::Query, Role::Sealer]));
        assert_eq!((own.len(), children), (0, vec![ChildRole::Query, ChildRole::Sealer]));
    }
}
