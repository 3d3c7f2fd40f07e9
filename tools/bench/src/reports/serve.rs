//! The HTTP API over the archive. As in a server, the audit trail is written to Kafka.

use super::limits::{MEMORY, SPILL, THREADS};
use crate::{archive, process, prove};
use async_trait::async_trait;
use holdfast_api::{ApiSettings, ReportDescription, ReportProblem, ReportSource, ReportStatement};
use holdfast_ingest::producer::{KafkaProducer, Publisher, Record};
use holdfast_query::{
    AccessEnd, AccessId, AccessRecord, AuditTrail, AuthenticatedUser, AuthenticationError, Authenticator, Denial,
    Interface, Reader, ScramAttempt, ScramFailure, Session, SessionOptions, Spill, Unrecorded, WithoutRecord,
};
use holdfast_reports::Arguments;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::AsyncReadExt;

/// The serving process: prints the address that it listens on, serves until its standard input ends, and reports.
pub(crate) async fn child(folder: &Path, spill: &Path, brokers: &str) -> anyhow::Result<()> {
    let (store, identities) = prove::open(folder)?;
    let mut options = SessionOptions::new(store, identities);
    options.memory_limit = MEMORY;
    options.parallelism = THREADS;
    options.spill = Spill::Encrypted { directory: spill.to_owned(), limit: SPILL };
    let settings = archive::settings(brokers, "bench");
    let audit_trail = Arc::new(CountingAuditTrail {
        producer: KafkaProducer::new(&settings)?,
        topic: settings.events_topic,
        written: AtomicU64::new(0),
    });
    let authenticator = AcceptAll { session: Session::new(options)?, audit_trail: Arc::clone(&audit_trail) };
    let routes = holdfast_api::router(Arc::new(authenticator), Arc::new(Reports), ApiSettings::default())?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    let until_closed = async {
        // The parent sends no data. It closes the input to stop the server.
        let _ = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
    };
    axum::serve(listener, service).with_graceful_shutdown(until_closed).await?;
    let report = serde_json::json!({
        "records": audit_trail.written.load(Ordering::Relaxed),
        "memory": process::peak_memory()?,
        "cpu": process::cpu_time()?.as_secs_f64(),
    });
    println!("{report}");
    Ok(())
}

/// The built-in reports by name.
struct Reports;

impl ReportSource for Reports {
    fn list(&self) -> Vec<ReportDescription> {
        Vec::new()
    }

    fn statement(&self, name: &str, arguments: &[(String, String)]) -> Result<ReportStatement, ReportProblem> {
        let unknown = || ReportProblem::Unknown { name: name.to_owned() };
        let report = holdfast_reports::find(name).map_err(|_| unknown())?;
        let mut given = Arguments::new();
        for (name, value) in arguments {
            given.set(name.clone(), value.clone());
        }
        let statement = report.statement(&given).map_err(|_| unknown())?;
        Ok(ReportStatement { statement, parameters: Vec::new() })
    }

    fn plot(
        &self,
        name: &str,
        _: &arrow_schema::SchemaRef,
        _: &[arrow_array::RecordBatch],
    ) -> Result<String, ReportProblem> {
        Err(ReportProblem::NoPlot { name: name.to_owned() })
    }
}

/// Authenticates all requests. The token is the user's name.
struct AcceptAll {
    session: Session,
    audit_trail: Arc<CountingAuditTrail>,
}

impl AcceptAll {
    fn reader(&self, user: &str, interface: Interface, remote: Option<String>) -> Reader {
        let user = AuthenticatedUser { name: user.to_owned(), role: "manager".to_owned(), interface, remote };
        let audit_trail = Arc::clone(&self.audit_trail) as Arc<dyn AuditTrail>;
        Reader::new(self.session.clone(), user, audit_trail, WithoutRecord::Refuse)
    }
}

#[async_trait]
impl Authenticator for AcceptAll {
    async fn by_password(
        &self,
        user: &str,
        _: &str,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError> {
        Ok(self.reader(user, interface, remote))
    }

    async fn by_token(
        &self,
        token: &str,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError> {
        Ok(self.reader(token, interface, remote))
    }

    async fn begin_scram(&self, _: &str, _: Option<String>) -> Result<ScramAttempt, AuthenticationError> {
        Err(AuthenticationError::Unavailable("this server has no PostgreSQL interface".to_owned()))
    }

    async fn by_scram(&self, _: &ScramAttempt) -> Result<Reader, AuthenticationError> {
        Err(AuthenticationError::Unavailable("this server has no PostgreSQL interface".to_owned()))
    }

    async fn scram_failed(&self, _: &ScramAttempt, _: ScramFailure) {}
}

/// Writes access records to Kafka and counts them.
struct CountingAuditTrail {
    producer: KafkaProducer,
    topic: String,
    written: AtomicU64,
}

impl CountingAuditTrail {
    async fn write(&self, user: &str, data: serde_json::Value) -> Result<String, Unrecorded> {
        let id = format!("access-{}-{}", user, self.written.fetch_add(1, Ordering::Relaxed));
        let event = serde_json::json!({
            "specversion": "1.0",
            "id": id,
            "source": "urn:bench",
            "type": "archive.queried",
            "subject": user,
            "data": data,
        });
        let value = event.to_string();
        let record = Record { topic: &self.topic, key: user.as_bytes(), value: value.as_bytes(), headers: &[] };
        let delivery = self.producer.publish(record).map_err(|error| Unrecorded(error.to_string()))?;
        delivery.await.map_err(|error| Unrecorded(error.to_string()))?;
        Ok(id)
    }
}

#[async_trait]
impl AuditTrail for CountingAuditTrail {
    async fn begin(&self, user: &AuthenticatedUser, record: &AccessRecord) -> Result<AccessId, Unrecorded> {
        self.write(&user.name, serde_json::json!({ "statement": record.statement })).await.map(AccessId)
    }

    async fn end(
        &self,
        user: &AuthenticatedUser,
        _: &AccessRecord,
        id: &AccessId,
        ending: &AccessEnd,
    ) -> Result<(), Unrecorded> {
        self.write(&user.name, serde_json::json!({ "access_id": id.0, "rows": ending.rows })).await.map(drop)
    }

    async fn denied(&self, denial: &Denial) -> Result<(), Unrecorded> {
        self.write(&denial.user, serde_json::json!({ "reason": denial.reason })).await.map(drop)
    }
}
