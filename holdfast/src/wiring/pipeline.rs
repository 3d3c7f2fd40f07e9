//! The parts of a server, started in a [`Supervisor`] that stops them in order.
//!
//! Gateway, archiver and broker load no private key: a process that archives needs recipients only, and works when the
//! identities are on another machine. The roles query, sessions and sealer read the archive, so they load private keys;
//! beside others each is a child process ([`crate::children`]).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use age::secrecy::ExposeSecret;
use anyhow::Context as _;
use holdfast_archive::table::GENERAL_CLASS;
use holdfast_archive::{Archive, Table};
use holdfast_broker::EmbeddedBroker;
use holdfast_ingest::archiver::{Archiver, ArchiverMetrics, ArchiverSettings};
use holdfast_ingest::gateway::{ApiToken, Gateway, GatewaySettings, system_clock};
use holdfast_ingest::kafka::{KafkaSettings, ensure_topics, single_copies, trim_archived};
use holdfast_ingest::producer::KafkaProducer;
use holdfast_server::{ServeSettings, Tls};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::archive::key_ring;
use super::children::ChildRole;
use super::interfaces;
use super::kafka::is_built_in;
use super::proof::{self, IntegrationTask};
use super::seal::SealingTask;
use super::sessions::MaintenanceTask;
use super::statement_memory::StatementMemory;
use super::tls;
use crate::children::{Addresses, ChildProcess, ChildReports, ChildSettings, Link, MemoryGroups};
use crate::config::Settings;
use crate::health::{self, Readiness};
use crate::supervise::{Stage, Supervisor};

/// How much longer a gateway waits than its producer, so that the producer's own timeout comes first.
const ACKNOWLEDGEMENT_MARGIN: Duration = Duration::from_secs(5);

/// Connections of an address for health and metrics alone. A few monitors use it.
const HEALTH_CONNECTIONS: usize = 64;

/// How often archived messages are deleted from the built-in broker.
const TRIM_INTERVAL: Duration = Duration::from_secs(60);

/// The parts that have been started.
pub(crate) struct Pipeline<'s> {
    settings: &'s Settings,
    kafka: KafkaSettings,
    registry: Registry,
    readiness: Readiness,
    supervisor: Supervisor,
    /// The HTTP routes of the role query, when this process has it.
    query_routes: Option<axum::Router>,
    children: ChildReports,
    /// `None` as long as there are no children.
    memory_groups: Option<MemoryGroups>,
}

/// What a child tells once: where it listens, or why it did not start.
pub(crate) type Started = oneshot::Receiver<Result<Addresses, String>>;

/// A process whose HTTP servers listen.
pub(crate) struct Served {
    pub(crate) supervisor: Supervisor,
    pub(crate) gateway: Option<SocketAddr>,
    /// SQL, reports and sessions, when this process has the role query.
    pub(crate) query: Option<SocketAddr>,
    /// `/healthz`, `/readyz` and `/metrics`.
    pub(crate) health: SocketAddr,
}

impl<'s> Pipeline<'s> {
    pub(crate) fn new(settings: &'s Settings, kafka: KafkaSettings) -> Self {
        Self {
            settings,
            kafka,
            registry: health::new_registry(),
            readiness: Readiness::default(),
            supervisor: Supervisor::new(Duration::from_secs(settings.config.shutdown.limit_seconds)),
            query_routes: None,
            children: ChildReports::default(),
            memory_groups: None,
        }
    }

    /// The parts of a child, whose metrics its parent shows beside its own.
    pub(crate) fn child_of(settings: &'s Settings, kafka: KafkaSettings) -> Self {
        Self { registry: health::child_registry(), ..Self::new(settings, kafka) }
    }

    /// Starts a role in a process of its own. It is started again when it ends.
    pub(crate) fn child(&mut self, role: ChildRole, settings: ChildSettings) -> (ChildRole, Started) {
        let component = self.readiness.component(role.as_str());
        let groups = self.memory_groups.get_or_insert_with(MemoryGroups::open).clone();
        let (child, started) = ChildProcess::new(settings, groups, self.children.clone(), component);
        // What answers is stopped with the gateway; what writes to the archive, with the archiver.
        let stage = if role == ChildRole::Query { Stage::Intake } else { Stage::Archive };
        self.supervisor.spawn(role.as_str(), stage, |stop| child.run(stop));
        (role, started)
    }

    /// Starts a role with private keys in this process. Returns the address of the PostgreSQL wire protocol, if it
    /// serves that.
    pub(crate) async fn reading_role(
        &mut self,
        role: ChildRole,
        archive: &Archive,
    ) -> anyhow::Result<Option<SocketAddr>> {
        match role {
            ChildRole::Query => return self.query(archive).await.map(Some),
            ChildRole::Sessions => self.sessions(archive)?,
            ChildRole::Sealer => self.sealer(archive)?,
        }
        Ok(None)
    }

    /// Hands the broker to the supervisor, which stops it after the parts that use it.
    pub(crate) fn broker(&mut self, broker: EmbeddedBroker) {
        let component = self.readiness.component("broker");
        component.ready();
        self.supervisor.spawn("broker", Stage::Broker, |stop| async move {
            let _component = component;
            Ok(broker.run_until(stop).await?)
        });
    }

    /// Creates missing topics, unless `kafka.create_topics` is false, and warns of those with events on one disk.
    pub(crate) async fn topics(&self) -> anyhow::Result<()> {
        if self.settings.config.kafka.create_topics {
            ensure_topics(&self.kafka).await.context("prepare Kafka's topics")?;
        }
        if !is_built_in(self.settings) {
            match single_copies(&self.kafka).await {
                Ok(found) => found.iter().for_each(|warning| tracing::warn!("{warning}")),
                Err(error) => tracing::info!(%error, "cannot check on how many disks an acknowledged event is"),
            }
        }
        Ok(())
    }

    /// Starts the archiver.
    pub(crate) fn archiver(&mut self, archive: &Archive) -> anyhow::Result<()> {
        let config = &self.settings.config.archive;
        let settings = ArchiverSettings {
            flush_rows: config.flush_rows,
            flush_bytes: config.flush_bytes,
            flush_interval: Duration::from_secs(config.flush_interval_seconds),
            class: GENERAL_CLASS.to_owned(),
            ..ArchiverSettings::default()
        };
        let ring = key_ring(self.settings, archive)?;
        let key = proof::signing_key(self.settings)?;
        let settings = ArchiverSettings { signing_key: Some(Arc::clone(&key)), ..settings };
        let metrics = ArchiverMetrics::register(&mut self.registry);
        let component = self.readiness.component("archiver");
        let archiver = Archiver::new(self.kafka.clone(), settings, archive.clone(), ring, system_clock(), metrics);
        self.supervisor.spawn("archiver", Stage::Archive, |stop| async move {
            let on_ready = move |is_ready: bool| {
                if is_ready {
                    component.ready();
                } else {
                    component.not_ready("it archives nothing: Kafka gave it no partitions, or a part of it failed");
                }
            };
            archiver.run(stop, on_ready).await.context("archive")
        });
        let component = self.readiness.component("proof log");
        let integration =
            IntegrationTask::new(self.settings, archive, key, system_clock(), &mut self.registry, component)?;
        self.supervisor.spawn("integrator", Stage::Proof, |stop| integration.run(stop));
        if is_built_in(self.settings) {
            self.trim_spool(archive);
        }
        Ok(())
    }

    fn sealer(&mut self, archive: &Archive) -> anyhow::Result<()> {
        let component = self.readiness.component("sealer");
        let sealing = SealingTask::new(self.settings, archive, system_clock(), &mut self.registry, component)?;
        self.supervisor.spawn("sealer", Stage::Archive, |stop| sealing.run(stop));
        Ok(())
    }

    /// Starts the interfaces for queries. Returns the address of the PostgreSQL wire protocol.
    async fn query(&mut self, archive: &Archive) -> anyhow::Result<SocketAddr> {
        let interfaces = interfaces::open(self.settings, archive, &self.kafka, Vec::new())?;
        self.query_routes = Some(interfaces.router);
        let memory_limit = ChildRole::Query.memory_limit(self.settings);
        let memory = StatementMemory::new(interfaces.engine, memory_limit, &mut self.registry);
        self.supervisor.spawn("statement memory", Stage::Intake, |stop| memory.run(stop));
        let listener = listen(self.settings.config.postgres.listen.0, "postgres.listen", false).await?;
        let address = listener.local_addr().context("read the address of the PostgreSQL wire protocol")?;
        let component = self.readiness.component("postgres wire");
        component.ready();
        self.supervisor.spawn("postgres wire", Stage::Intake, |stop| async move {
            let _component = component;
            let served = holdfast_postgres::serve(listener, interfaces.authenticator, interfaces.postgres, stop).await;
            served.context("serve the PostgreSQL wire protocol")
        });
        Ok(address)
    }

    fn sessions(&mut self, archive: &Archive) -> anyhow::Result<()> {
        let component = self.readiness.component("sessions");
        let maintenance = MaintenanceTask::new(self.settings, archive, system_clock(), &mut self.registry, component)?;
        self.supervisor.spawn("sessions maintenance", Stage::Archive, |stop| maintenance.run(stop));
        Ok(())
    }

    /// Deletes archived messages from the built-in broker, which has no retention by time. This machine has the key of
    /// the broker's messages, while only the holders can decrypt the archive.
    fn trim_spool(&mut self, archive: &Archive) {
        let (kafka, log) = (self.kafka.clone(), archive.table(Table::Events));
        self.supervisor.spawn("spool trimmer", Stage::Archive, |stop| async move {
            trim_archived(&kafka, &log, TRIM_INTERVAL, &stop).await.context("delete what is archived from the broker")
        });
    }

    /// Starts the HTTP servers: the gateway if `with_gateway`, the role query if it was started, and always health and
    /// metrics, on the address of the gateway or else of the role query unless `health.listen` names another one. It is
    /// called last, because `/metrics` shows only what the other parts have registered.
    pub(crate) async fn http(mut self, with_gateway: bool, any_port: bool) -> anyhow::Result<Served> {
        let config = &self.settings.config;
        let gateway_routes = if with_gateway { Some(self.gateway_router()?) } else { None };
        let registry = Arc::new(std::mem::take(&mut self.registry));
        let children = self.children.clone();
        let of_children = Arc::new(move || children.metrics());
        let mut health_routes = Some(health::routes(self.readiness.clone(), registry, of_children));
        let (mut gateway, mut query, mut health) = (None, None, None);

        if let Some(mut router) = gateway_routes {
            let listener = listen(config.gateway.listen.0, "gateway.listen", any_port).await?;
            let address = listener.local_addr().context("read the gateway's address")?;
            gateway = Some(address);
            if config.health.listen.is_none()
                && let Some(routes) = health_routes.take()
            {
                router = router.merge(routes);
                health = Some(address);
            }
            let serving = self.serving(tls::of_gateway(self.settings)?, config.gateway.max_connections);
            self.serve("gateway", Stage::Intake, listener, router, serving)?;
        }
        if let Some(mut router) = self.query_routes.take() {
            let listener = listen(config.query.listen.0, "query.listen", any_port).await?;
            let address = listener.local_addr().context("read the address of the role query")?;
            query = Some(address);
            let serving = self.serving_queries()?;
            if config.health.listen.is_none()
                && let Some(routes) = health_routes.take()
            {
                router = router.merge(routes);
                health = Some(address);
            }
            self.serve("query", Stage::Intake, listener, router, serving)?;
        }
        if let Some(router) = health_routes {
            let wanted = config.health.listen.unwrap_or(config.gateway.listen);
            let listener = listen(wanted.0, "health.listen", any_port).await?;
            health = Some(listener.local_addr().context("read the address of /readyz")?);
            let tls = if config.health.listen.is_none() { tls::of_gateway(self.settings)? } else { None };
            let serving = ServeSettings { drain: Duration::from_secs(1), ..self.serving(tls, HEALTH_CONNECTIONS) };
            self.serve("health", Stage::Observation, listener, router, serving)?;
        }
        let health = health.expect("one of the listeners serves it");
        Ok(Served { supervisor: self.supervisor, gateway, query, health })
    }

    /// Starts the HTTP server of a child that has the role query, and reports to the parent, which serves health and
    /// metrics. It is called last, as [`http`](Self::http).
    pub(crate) async fn report(mut self, link: Link, postgres: Option<SocketAddr>) -> anyhow::Result<Supervisor> {
        let registry = Arc::new(std::mem::take(&mut self.registry));
        let mut addresses = Addresses { http: None, postgres };
        if let Some(router) = self.query_routes.take() {
            let listener = listen(self.settings.config.query.listen.0, "query.listen", false).await?;
            addresses.http = Some(listener.local_addr().context("read the address of the role query")?);
            let serving = self.serving_queries()?;
            self.serve("query", Stage::Intake, listener, router, serving)?;
        }
        let readiness = self.readiness.clone();
        self.supervisor.spawn("report to the parent", Stage::Observation, |stop| {
            link.report(readiness, registry, addresses, stop)
        });
        Ok(self.supervisor)
    }

    /// How an HTTP server serves that accepts `connections`, half of them from one address.
    fn serving(&self, tls: Option<Tls>, connections: usize) -> ServeSettings {
        let drain = Duration::from_secs(self.settings.config.shutdown.limit_seconds / 2).max(Duration::from_secs(1));
        ServeSettings { tls, connections, connections_per_address: connections / 2, drain, ..ServeSettings::default() }
    }

    /// How queries are served: an answer may take as long as a statement, and some time more for its last rows.
    fn serving_queries(&self) -> anyhow::Result<ServeSettings> {
        let config = &self.settings.config.query;
        let serving = self.serving(tls::of_queries(self.settings)?, config.max_connections);
        Ok(ServeSettings {
            answer_timeout: Duration::from_secs(config.max_seconds) + serving.answer_timeout,
            ..serving
        })
    }

    /// Serves HTTP, as the component `name`, until the stage stops.
    fn serve(
        &mut self,
        name: &'static str,
        stage: Stage,
        listener: TcpListener,
        router: axum::Router,
        settings: ServeSettings,
    ) -> anyhow::Result<()> {
        let component = self.readiness.component(name);
        component.ready();
        // It must not wait for events of this runtime, whose threads others may block.
        let listener = listener.into_std().context("hand an HTTP listener to the threads of servers")?;
        let spawned = self.supervisor.spawn_server(name, stage, |stop| async move {
            let _component = component;
            let listener = TcpListener::from_std(listener).context("serve HTTP")?;
            holdfast_server::serve(listener, router, settings, stop).await;
            Ok(())
        });
        spawned.context("start the threads of servers")
    }

    /// The supervisor, without HTTP: for a job that ends by itself.
    pub(crate) fn without_http(self) -> Supervisor {
        self.supervisor
    }

    fn gateway_router(&mut self) -> anyhow::Result<axum::Router> {
        let config = &self.settings.config.gateway;
        let token = self.settings.ingest_token()?;
        let settings = GatewaySettings {
            events_topic: self.kafka.events_topic.clone(),
            recordings_topic: self.kafka.recordings_topic.clone(),
            tokens: vec![ApiToken::new("ingest", token.expose_secret())],
            has_client_certificates: config.client_ca_file.get().is_some(),
            max_event_bytes: config.max_event_bytes,
            max_batch_bytes: config.max_batch_bytes,
            max_chunk_bytes: config.max_chunk_bytes,
            max_in_flight: config.max_in_flight,
            max_in_flight_bytes: config.max_in_flight_bytes,
            retry_after: Duration::from_secs(config.retry_after_seconds),
            acknowledgement_timeout: self.kafka.delivery_timeout + ACKNOWLEDGEMENT_MARGIN,
            ..GatewaySettings::default()
        };
        let producer = KafkaProducer::new(&self.kafka).context("prepare the Kafka producer")?;
        let gateway = Gateway::new(settings, Arc::new(producer), system_clock(), &mut self.registry)?;
        Ok(gateway.router())
    }
}

/// Listens on `address`; on any free port if that one is taken and `any_port` is set.
async fn listen(address: SocketAddr, key: &'static str, any_port: bool) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) if any_port && error.kind() == std::io::ErrorKind::AddrInUse => {
            tracing::info!(%address, "the port of `{key}` is taken; using another one");
            TcpListener::bind(SocketAddr::new(address.ip(), 0)).await
        }
        result => result,
    }
    .with_context(|| format!("cannot listen on {address}; `{key}` names another address"))
}

#[cfg(test)]
mod tests;
