//! The parts of a server: gateway, archiver, broker, sealer and query, started in a [`Supervisor`] that stops them in
//! order.
//!
//! Gateway, archiver and broker load no private key: a process that archives needs recipients only, and works when the
//! identities are on another machine. Sealer and query read the archive, so they load private keys.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use age::secrecy::ExposeSecret;
use anyhow::Context as _;
use holdfast_archive::table::GENERAL_CLASS;
use holdfast_archive::{Archive, Table};
use holdfast_broker::EmbeddedBroker;
use holdfast_ingest::archiver::{Archiver, ArchiverMetrics, ArchiverSettings};
use holdfast_ingest::gateway::{self, ApiToken, Gateway, GatewaySettings, system_clock};
use holdfast_ingest::kafka::{KafkaSettings, ensure_topics, trim_archived};
use holdfast_ingest::producer::KafkaProducer;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use super::archive::key_ring;
use super::interfaces;
use super::kafka::is_built_in;
use super::proof::{self, IntegrationTask};
use super::seal::SealingTask;
use super::sessions::MaintenanceTask;
use crate::config::Settings;
use crate::health::{self, Readiness};
use crate::supervise::{Stage, Supervisor};

/// How much longer a gateway waits than its producer, so that the producer's own timeout comes first.
const ACKNOWLEDGEMENT_MARGIN: Duration = Duration::from_secs(5);

/// How often archived messages are deleted from the built-in broker.
const TRIM_INTERVAL: Duration = Duration::from_secs(60);

/// The parts that have been started.
pub(crate) struct Pipeline<'s> {
    settings: &'s Settings,
    kafka: KafkaSettings,
    registry: Registry,
    readiness: Readiness,
    supervisor: Supervisor,
    /// The HTTP routes of the role query.
    query_routes: Option<axum::Router>,
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
        }
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

    /// Creates missing topics, unless `kafka.create_topics` is false.
    pub(crate) async fn topics(&self) -> anyhow::Result<()> {
        if self.settings.config.kafka.create_topics {
            ensure_topics(&self.kafka).await.context("prepare Kafka's topics")?;
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
                if is_ready { component.ready() } else { component.not_ready("no partitions are assigned") }
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

    /// Starts the sealer, which has private keys.
    pub(crate) fn sealer(&mut self, archive: &Archive) -> anyhow::Result<()> {
        let component = self.readiness.component("sealer");
        let sealing = SealingTask::new(self.settings, archive, system_clock(), &mut self.registry, component)?;
        self.supervisor.spawn("sealer", Stage::Archive, |stop| sealing.run(stop));
        Ok(())
    }

    /// Starts the interfaces for queries, and the maintenance of the table of sessions. Both read with private keys.
    /// Returns the address of the PostgreSQL wire protocol.
    pub(crate) async fn query(&mut self, archive: &Archive, any_port: bool) -> anyhow::Result<SocketAddr> {
        let interfaces = interfaces::open(self.settings, archive, &self.kafka, Vec::new())?;
        self.query_routes = Some(interfaces.router);
        let listener = listen(self.settings.config.postgres.listen.0, "postgres.listen", any_port).await?;
        let address = listener.local_addr().context("read the address of the PostgreSQL wire protocol")?;
        let component = self.readiness.component("postgres wire");
        component.ready();
        self.supervisor.spawn("postgres wire", Stage::Intake, |stop| async move {
            let _component = component;
            let served = holdfast_postgres::serve(listener, interfaces.authenticator, interfaces.postgres, stop).await;
            served.context("serve the PostgreSQL wire protocol")
        });
        let component = self.readiness.component("sessions");
        let maintenance = MaintenanceTask::new(self.settings, archive, system_clock(), &mut self.registry, component)?;
        self.supervisor.spawn("sessions maintenance", Stage::Archive, |stop| maintenance.run(stop));
        Ok(address)
    }

    /// Deletes archived messages from the built-in broker, which has no retention by time. This machine has the key of
    /// the broker's messages, while only the holders can decrypt the archive.
    fn trim_spool(&mut self, archive: &Archive) {
        let (kafka, log) = (self.kafka.clone(), archive.table(Table::Events));
        self.supervisor.spawn("spool trimmer", Stage::Archive, |stop| async move {
            trim_archived(&kafka, &log, TRIM_INTERVAL, &stop).await.context("delete what is archived from the broker")
        });
    }

    /// Starts the HTTP servers: the gateway if `with_gateway`, the routes of the role query if it was started, and
    /// always health and metrics. Returns the supervisor, the gateway's address and the address of `/readyz`. It is
    /// called last, because `/metrics` shows only what the other parts have registered.
    pub(crate) async fn http(
        mut self,
        with_gateway: bool,
        any_port: bool,
    ) -> anyhow::Result<(Supervisor, Option<SocketAddr>, SocketAddr)> {
        let config = &self.settings.config;
        let gateway = if with_gateway { Some(self.gateway_router()?) } else { None };
        let router = match (gateway, self.query_routes.take()) {
            (Some(gateway), Some(query)) => Some(gateway.merge(query)),
            (one, other) => one.or(other),
        };
        let health = health::routes(self.readiness.clone(), Arc::new(std::mem::take(&mut self.registry)));
        let drain = Duration::from_secs(config.shutdown.limit_seconds / 2).max(Duration::from_secs(1));
        let (mut gateway_address, mut health_address) = (None, None);
        let mut health_routes = Some(health);

        if let Some(mut router) = router {
            if config.health.listen.is_none() {
                router = router.merge(health_routes.take().expect("the health routes are not served yet"));
            }
            let listener = listen(config.gateway.listen.0, "gateway.listen", any_port).await?;
            let address = listener.local_addr().context("read the gateway's address")?;
            gateway_address = Some(address);
            if config.health.listen.is_none() {
                health_address = Some(address);
            }
            let component = self.readiness.component("gateway");
            component.ready();
            self.supervisor.spawn("gateway", Stage::Intake, |stop| async move {
                let _component = component;
                Ok(gateway::serve(listener, router, stop, drain).await?)
            });
        }
        if let Some(router) = health_routes {
            let (wanted, key) = match config.health.listen {
                Some(listen) => (listen.0, "health.listen"),
                None => (config.gateway.listen.0, "health.listen"),
            };
            let listener = listen(wanted, key, any_port).await?;
            health_address = Some(listener.local_addr().context("read the address of /readyz")?);
            self.supervisor.spawn("health", Stage::Observation, |stop| async move {
                Ok(gateway::serve(listener, router, stop, Duration::from_secs(1)).await?)
            });
        }
        let health_address = health_address.expect("one of the two listeners serves it");
        Ok((self.supervisor, gateway_address, health_address))
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
