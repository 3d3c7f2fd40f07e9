//! An archive in memory behind a server on loopback, with users who have different keys, and an audit trail that can be read
//! and made to fail.

use age::x25519::Identity;
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use holdfast_archive::keys::{Holder, KeyRing};
use holdfast_archive::segment::{Partition, SegmentKeys, SegmentWriter};
use holdfast_archive::{Advance, Archive, Location, Table, TableLog};
use holdfast_events::{EventBatchBuilder, Position, Tier, Timestamp, decode_structured};
use holdfast_postgres::{ALPN, PostgresCatalog, PostgresSettings, serve};
use holdfast_query::{
    AccessEnd, AccessId, AccessRecord, Account, AccountChanged, AuditTrail, AuthenticatedUser, AuthenticationError,
    Authenticator, Denial, Interface, Reader, ScramAttempt, ScramFailure, Session, SessionOptions, Unrecorded,
    Visibility, WithoutRecord,
};
use holdfast_server::{Tls, TlsFiles};
use object_store::memory::InMemory;
use ring::{digest, hmac, pbkdf2};
use serde_json::json;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// 2026-05-10.
const MAY: i32 = 20_583;
const TOPIC: &str = "holdfast.events";
/// The users' password.
pub(crate) const PASSWORD: &str = "correct horse";
/// Sessions in the archive, of three events each.
pub(crate) const SESSIONS: usize = 40;

/// An audit trail that can be made unavailable.
#[derive(Default)]
pub(crate) struct MemoryAuditTrail {
    pub(crate) begun: Mutex<Vec<AccessRecord>>,
    pub(crate) ended: Mutex<Vec<AccessEnd>>,
    pub(crate) denied: Mutex<Vec<Denial>>,
    pub(crate) failed_logins: Mutex<Vec<(String, Option<String>, ScramFailure)>>,
    /// How often a user has logged in.
    pub(crate) logins: AtomicU64,
    pub(crate) is_unavailable: AtomicBool,
    /// Whether the accounts of all users have changed since their logins.
    pub(crate) is_account_changed: AtomicBool,
}

impl Account for MemoryAuditTrail {
    fn check(&self) -> Result<(), AccountChanged> {
        let is_changed = self.is_account_changed.load(Ordering::SeqCst);
        if is_changed { Err(AccountChanged { reason: "disabled".to_owned() }) } else { Ok(()) }
    }
}

#[async_trait]
impl AuditTrail for MemoryAuditTrail {
    async fn begin(&self, _: &AuthenticatedUser, record: &AccessRecord) -> Result<AccessId, Unrecorded> {
        if self.is_unavailable.load(Ordering::SeqCst) {
            return Err(Unrecorded("Kafka is unavailable".to_owned()));
        }
        let mut begun = self.begun.lock().unwrap();
        begun.push(record.clone());
        Ok(AccessId(begun.len().to_string()))
    }

    async fn end(
        &self,
        _: &AuthenticatedUser,
        _: &AccessRecord,
        _: &AccessId,
        ending: &AccessEnd,
    ) -> Result<(), Unrecorded> {
        self.ended.lock().unwrap().push(ending.clone());
        Ok(())
    }

    async fn denied(&self, denial: &Denial) -> Result<(), Unrecorded> {
        self.denied.lock().unwrap().push(denial.clone());
        Ok(())
    }
}

/// Authenticates `manager` (operational tier) and `compliance` (all tiers).
struct TestAuthenticator {
    manager: Session,
    compliance: Session,
    audit_trail: Arc<MemoryAuditTrail>,
}

fn verifier(password: &str, salt: &[u8]) -> String {
    let mut salted = [0; 32];
    let iterations = NonZeroU32::new(4096).unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
    let mac = |message: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &salted), message);
    let stored = digest::digest(&digest::SHA256, mac(b"Client Key").as_ref());
    let server = mac(b"Server Key");
    let encoded = |bytes: &[u8]| STANDARD.encode(bytes);
    format!("SCRAM-SHA-256$4096:{}${}:{}", encoded(salt), encoded(stored.as_ref()), encoded(server.as_ref()))
}

#[async_trait]
impl Authenticator for TestAuthenticator {
    async fn by_password(
        &self,
        _: &str,
        _: &str,
        _: Interface,
        _: Option<String>,
    ) -> Result<Reader, AuthenticationError> {
        Err(AuthenticationError::Forbidden("not through this interface".to_owned()))
    }

    async fn by_token(&self, _: &str, _: Interface, _: Option<String>) -> Result<Reader, AuthenticationError> {
        Err(AuthenticationError::Forbidden("not through this interface".to_owned()))
    }

    async fn begin_scram(&self, user: &str, remote: Option<String>) -> Result<ScramAttempt, AuthenticationError> {
        // Some clients refuse a short salt.
        let salt = digest::digest(&digest::SHA256, user.as_bytes()).as_ref()[..16].to_vec();
        let verifier = match user {
            "throttled" => return Err(AuthenticationError::TooManyTries(Duration::from_secs(9))),
            "manager" | "compliance" | "locked" => verifier(PASSWORD, &salt),
            _ => verifier("an unknown password", &salt),
        };
        Ok(ScramAttempt { user: user.to_owned(), remote, verifier, counted_at: SystemTime::UNIX_EPOCH })
    }

    async fn by_scram(&self, attempt: &ScramAttempt) -> Result<Reader, AuthenticationError> {
        let session = match attempt.user.as_str() {
            "manager" => &self.manager,
            "compliance" => &self.compliance,
            _ => return Err(AuthenticationError::Forbidden("this user may not use this interface".to_owned())),
        };
        let user = AuthenticatedUser {
            name: attempt.user.clone(),
            role: attempt.user.clone(),
            interface: Interface::Postgres,
            remote: attempt.remote.clone(),
        };
        self.audit_trail.logins.fetch_add(1, Ordering::SeqCst);
        let reader = Reader::new(session.clone(), user, self.audit_trail.clone(), WithoutRecord::Refuse);
        Ok(reader.with_account(self.audit_trail.clone()))
    }

    async fn scram_failed(&self, attempt: &ScramAttempt, failure: ScramFailure) {
        let failed = (attempt.user.clone(), attempt.remote.clone(), failure);
        self.audit_trail.failed_logins.lock().unwrap().push(failed);
    }
}

/// A server with an archive.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) audit_trail: Arc<MemoryAuditTrail>,
    /// The session of the user `manager`.
    pub(crate) manager: Session,
    /// The certificate, as a file for clients.
    pub(crate) certificate: tempfile::NamedTempFile,
    /// Its key.
    key: tempfile::NamedTempFile,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl Server {
    /// With TLS and the default limits.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With the default settings after `change`.
    pub(crate) async fn with(change: impl FnOnce(&mut PostgresSettings)) -> Self {
        let file = |text: String| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            file
        };
        let (certificate, key) = pair();
        let (certificate, key) = (file(certificate), file(key));
        let files = TlsFiles {
            certificate: certificate.path().to_owned(),
            key: key.path().to_owned(),
            client_authorities: None,
        };
        let tls = Some(Tls::open(files, ALPN).unwrap());
        let mut settings = PostgresSettings { tls, ..PostgresSettings::default() };
        change(&mut settings);

        let audit_trail = Arc::new(MemoryAuditTrail::default());
        let authenticator = Arc::new(authenticator(Arc::clone(&audit_trail)).await);
        let manager = authenticator.manager.for_user("manager");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let serving = tokio::spawn({
            let stop = stop.clone();
            async move { serve(listener, authenticator, settings, stop).await.unwrap() }
        });
        Self { port, audit_trail, manager, certificate, key, stop, serving: Some(serving) }
    }

    /// Replaces the certificate and its key by others.
    pub(crate) fn renew(&self) {
        let (certificate, key) = pair();
        for (file, text) in [(&self.certificate, certificate), (&self.key, key)] {
            let new = file.path().with_extension("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, file.path()).unwrap();
        }
    }

    /// Begins to stop.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(&mut self) {
        let serving = self.serving.take().unwrap();
        tokio::time::timeout(Duration::from_secs(30), serving).await.expect("it stops in time").unwrap();
    }

    /// A client without TLS.
    pub(crate) async fn connect(&self, user: &str) -> tokio_postgres::Client {
        self.connect_with(&format!("user={user} password='{PASSWORD}'")).await.unwrap()
    }

    pub(crate) async fn connect_with(&self, options: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let options = format!("host=127.0.0.1 port={} dbname=holdfast sslmode=disable {options}", self.port);
        let (client, connection) = tokio_postgres::connect(&options, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// The recorded statements.
    pub(crate) fn accesses(&self) -> Vec<String> {
        self.audit_trail.begun.lock().unwrap().iter().map(|record| record.statement.clone()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A self-signed certificate and its key.
fn pair() -> (String, String) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    (certified.cert.pem(), certified.signing_key.serialize_pem())
}

async fn authenticator(audit_trail: Arc<MemoryAuditTrail>) -> TestAuthenticator {
    let (manager, compliance) = (Identity::generate(), Identity::generate());
    let url = url::Url::parse("memory:///").unwrap();
    let archive = Archive::new(Location { url, store: Arc::new(InMemory::new()) });
    fill(&archive, &manager, &compliance).await;
    let catalog: Arc<dyn holdfast_query::Extension> =
        Arc::new(PostgresCatalog::new(vec!["admin".to_owned(), "manager".to_owned()]).unwrap());
    let session = |identity: Identity| {
        let mut options = SessionOptions::new(archive.clone(), vec![identity]);
        options.extensions = vec![Arc::clone(&catalog)];
        options.visibility = Visibility::ALL;
        options.memory_limit = 128 << 20;
        options.parallelism = 2;
        Session::new(options).unwrap()
    };
    TestAuthenticator { manager: session(manager), compliance: session(compliance), audit_trail }
}

async fn fill(archive: &Archive, manager: &Identity, compliance: &Identity) {
    let holder = |name: &str, identity: &Identity, tiers: &[Tier]| Holder {
        name: name.into(),
        recipient: identity.to_public(),
        tiers: tiers.to_vec(),
    };
    let holders = vec![holder("manager", manager, &[Tier::Operational]), holder("compliance", compliance, &Tier::ALL)];
    let ring = KeyRing::new(Arc::clone(archive.store()), holders).unwrap();
    let mut batch = EventBatchBuilder::new();
    let mut offset = 0;
    for number in 0..SESSIONS {
        let (session, minute) = (format!("S-{number:03}"), number);
        for (kind, second, data) in [
            ("session.started", 0, json!({"portal": "help"})),
            ("chat.message", 10, json!({"text": format!("hello from {session}"), "sender": "customer"})),
            ("survey.submitted", 50, json!({"rating": number % 5 + 1, "feedback": format!("feedback of {session}")})),
        ] {
            let event = json!({
                "specversion": "1.0", "id": format!("{session}-{second}"), "source": "urn:test", "type": kind,
                "subject": session, "time": format!("2026-05-10T08:{minute:02}:{second:02}.123456Z"), "data": data,
            });
            let event = serde_json::to_vec(&event).unwrap();
            let event = decode_structured(&event).unwrap();
            let position = Position { topic: TOPIC, partition: 0, offset };
            batch.append(&event, position, Timestamp(i64::from(MAY) * 86_400_000_000), false, None);
            offset += 1;
        }
    }
    let partition = Partition { class: "general".to_owned(), date: MAY };
    let keys = SegmentKeys::new(&ring, Table::Events, &partition, "file-1".to_owned()).await.unwrap();
    let mut writer = SegmentWriter::new(Table::Events, partition, keys).unwrap();
    writer.write(&batch.finish()).unwrap();
    let segment = writer.finish().unwrap();
    let log: TableLog = archive.table(Table::Events);
    log.put(&segment).await.unwrap();
    let advance = Advance { topic: TOPIC.to_owned(), partition: 0, expected: None, next: offset };
    log.commit(&[segment], &[advance], "file-1", Timestamp(0)).await.unwrap();
}
