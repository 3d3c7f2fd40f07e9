//! The interfaces for queries: SQL over HTTP and over the PostgreSQL wire protocol, behind one authenticator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use holdfast_api::ApiSettings;
use holdfast_archive::Archive;
use holdfast_ingest::gateway::system_clock;
use holdfast_ingest::kafka::KafkaSettings;
use holdfast_ingest::producer::KafkaProducer;
use holdfast_postgres::{PostgresCatalog, PostgresSettings};
use holdfast_query::{AuditTrail, Authenticator, Extension, Session};

use super::audit_trail::KafkaAuditTrail;
use super::authentication::Authentication;
use super::credentials::Credentials;
use super::read_only_store::read_only;
use super::reports::Reports;
use super::tls;
use crate::config::Settings;

/// The HTTP routes, and what the PostgreSQL wire protocol needs.
pub(crate) struct Interfaces {
    /// The routes below `/v1`.
    pub(crate) router: axum::Router,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) postgres: PostgresSettings,
    /// What executes the statements of all interfaces.
    pub(crate) engine: Session,
}

/// Prepares the interfaces to `archive`, which they do not change. `extensions` are added to the engine.
pub(crate) fn open(
    settings: &Settings,
    archive: &Archive,
    kafka: &KafkaSettings,
    mut extensions: Vec<Arc<dyn Extension>>,
) -> anyhow::Result<Interfaces> {
    let producer = KafkaProducer::new(kafka).context("prepare the Kafka producer for access records")?;
    let audit_trail: Arc<dyn AuditTrail> = Arc::new(KafkaAuditTrail::new(
        Arc::new(producer),
        kafka.events_topic.clone(),
        system_clock(),
        kafka.delivery_timeout,
    ));
    let credentials = Credentials::open(settings, Instant::now())?;
    let roles = holdfast_access::Role::ALL.iter().map(|role| role.name().to_owned()).collect();
    extensions.push(Arc::new(PostgresCatalog::new(roles).context("prepare the catalog for PostgreSQL clients")?));
    let authentication = Authentication::open(settings, read_only(archive), credentials, audit_trail, extensions)?;
    let engine = authentication.engine().clone();
    let authenticator: Arc<dyn Authenticator> = Arc::new(authentication);
    let router = holdfast_api::router(Arc::clone(&authenticator), Arc::new(Reports), api(settings))?;
    Ok(Interfaces { router, authenticator, postgres: postgres(settings)?, engine })
}

fn api(settings: &Settings) -> ApiSettings {
    let query = &settings.config.query;
    ApiSettings {
        max_rows: query.max_rows,
        statement_timeout: Duration::from_secs(query.max_seconds),
        ..ApiSettings::default()
    }
}

fn postgres(settings: &Settings) -> anyhow::Result<PostgresSettings> {
    let (query, config) = (&settings.config.query, &settings.config.postgres);
    let max_statement_timeout = Duration::from_secs(query.max_seconds);
    let defaults = PostgresSettings::default();
    Ok(PostgresSettings {
        tls: tls::of_postgres(settings)?,
        require_tls: config.require_tls,
        max_connections: config.max_connections,
        statement_timeout: defaults.statement_timeout.min(max_statement_timeout),
        max_statement_timeout,
        row_limit: Some(query.max_rows),
        ..defaults
    })
}
