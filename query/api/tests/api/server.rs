//! An archive in memory, its users, the audit trail, and the API served on loopback.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use age::x25519::Identity;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use datafusion::common::ScalarValue;
use holdfast_api::{
    ApiSettings, ReportArgument, ReportDescription, ReportProblem, ReportSource, ReportStatement, router,
};
use holdfast_archive::keys::{Holder, KeyRing};
use holdfast_archive::segment::{Partition, SegmentKeys, SegmentWriter};
use holdfast_archive::{Advance, Archive, Location, Table};
use holdfast_events::{EventBatchBuilder, Position, Tier, Timestamp, decode_structured};
use holdfast_query::{
    AccessEnd, AccessId, AccessRecord, Account, AccountChanged, AuditTrail, AuthenticatedUser, AuthenticationError,
    Authenticator, Denial, Interface, Outcome, Permissions, Reader, ScramAttempt, ScramFailure, Session,
    SessionOptions, Unrecorded, WithoutRecord,
};
use object_store::memory::InMemory;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

/// 2026-05-10.
const MAY: i32 = 20_583;
const TOPIC: &str = "holdfast.events";

/// A million rows of more than a hundred bytes.
pub(crate) const MILLION: &str = "SELECT a.v * 1000 + b.v AS n, repeat('x', 100) AS filling \
     FROM (SELECT unnest(range(0, 1000)) AS v) a CROSS JOIN (SELECT unnest(range(0, 1000)) AS v) b \
     CROSS JOIN (SELECT count(*) AS events FROM events) c";

/// An audit trail that can be made unavailable.
#[derive(Default)]
pub(crate) struct MemoryAuditTrail {
    pub(crate) is_unavailable: AtomicBool,
    /// Whether the accounts of all users changed after they were authenticated.
    pub(crate) is_account_changed: AtomicBool,
    begun: Mutex<Vec<(AuthenticatedUser, AccessRecord)>>,
    ended: Mutex<Vec<AccessEnd>>,
    denied: Mutex<Vec<Denial>>,
}

impl Account for MemoryAuditTrail {
    fn check(&self) -> Result<(), AccountChanged> {
        let is_changed = self.is_account_changed.load(Ordering::SeqCst);
        if is_changed { Err(AccountChanged { reason: "disabled".to_owned() }) } else { Ok(()) }
    }
}

impl MemoryAuditTrail {
    pub(crate) fn begun(&self) -> Vec<(AuthenticatedUser, AccessRecord)> {
        self.begun.lock().unwrap().clone()
    }

    /// The denials.
    pub(crate) fn denied(&self) -> Vec<Denial> {
        self.denied.lock().unwrap().clone()
    }

    /// The outcomes of the accesses, once `count` of them have ended.
    pub(crate) async fn outcomes(&self, count: usize) -> Vec<Outcome> {
        let waiting = async {
            loop {
                let ended: Vec<Outcome> = self.ended.lock().unwrap().iter().map(|ending| ending.outcome).collect();
                if ended.len() >= count {
                    return ended;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("an access has no recorded end")
    }
}

#[async_trait]
impl AuditTrail for MemoryAuditTrail {
    async fn begin(&self, user: &AuthenticatedUser, record: &AccessRecord) -> Result<AccessId, Unrecorded> {
        if self.is_unavailable.load(Ordering::SeqCst) {
            return Err(Unrecorded("the audit trail is unavailable".to_owned()));
        }
        let mut begun = self.begun.lock().unwrap();
        begun.push((user.clone(), record.clone()));
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

/// Authenticates an officer with keys of all tiers, a manager with keys of the operational tier, and a monitor without the
/// permissions for reports and time lines.
struct TestAuthenticator {
    officer: Session,
    manager: Session,
    audit_trail: Arc<MemoryAuditTrail>,
}

impl TestAuthenticator {
    fn reader(&self, user: &str, interface: Interface, remote: Option<String>) -> Option<Reader> {
        let session = match user {
            "officer" => &self.officer,
            "manager" | "monitor" => &self.manager,
            _ => return None,
        };
        let user = AuthenticatedUser { name: user.to_owned(), role: user.to_owned(), interface, remote };
        let audit_trail = Arc::clone(&self.audit_trail) as Arc<dyn AuditTrail>;
        let is_permitted = user.name != "monitor";
        let permissions = Permissions { reports: is_permitted, timelines: is_permitted };
        let reader = Reader::new(session.clone(), user, audit_trail, WithoutRecord::Refuse);
        let account = Arc::clone(&self.audit_trail) as Arc<dyn Account>;
        Some(reader.with_permissions(permissions).with_account(account))
    }
}

#[async_trait]
impl Authenticator for TestAuthenticator {
    async fn by_password(
        &self,
        user: &str,
        password: &str,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError> {
        let reader = self.reader(user, interface, remote).filter(|_| password == "right");
        reader.ok_or_else(|| AuthenticationError::Credentials("the name or the password is wrong".to_owned()))
    }

    async fn by_token(
        &self,
        token: &str,
        interface: Interface,
        remote: Option<String>,
    ) -> Result<Reader, AuthenticationError> {
        match token {
            "ingest" => Err(AuthenticationError::Forbidden("this token is for sending events".to_owned())),
            "throttled" => Err(AuthenticationError::TooManyTries(Duration::from_secs(42))),
            "unavailable" => Err(AuthenticationError::Unavailable("the users cannot be read".to_owned())),
            user => self
                .reader(user, interface, remote)
                .ok_or_else(|| AuthenticationError::Credentials("this token is not valid".to_owned())),
        }
    }

    async fn begin_scram(&self, _: &str, _: Option<String>) -> Result<ScramAttempt, AuthenticationError> {
        Err(AuthenticationError::Unavailable("not here".to_owned()))
    }

    async fn by_scram(&self, _: &ScramAttempt) -> Result<Reader, AuthenticationError> {
        Err(AuthenticationError::Unavailable("not here".to_owned()))
    }

    async fn scram_failed(&self, _: &ScramAttempt, _: ScramFailure) {}
}

/// One report: the number of events of a type.
struct TestReports;

impl ReportSource for TestReports {
    fn list(&self) -> Vec<ReportDescription> {
        let argument = ReportArgument { name: "type".into(), description: "a type".into(), required: true };
        vec![ReportDescription {
            name: "count".into(),
            title: "Events".into(),
            description: "The number of events of a type".into(),
            arguments: vec![argument],
            has_plot: true,
        }]
    }

    fn statement(&self, name: &str, arguments: &[(String, String)]) -> Result<ReportStatement, ReportProblem> {
        if name != "count" {
            return Err(ReportProblem::Unknown { name: name.to_owned() });
        }
        let [(argument, value)] = arguments else {
            return Err(ReportProblem::Argument { name: "type".into(), why: "is missing".into() });
        };
        if argument != "type" {
            return Err(ReportProblem::Argument { name: argument.clone(), why: "is unknown".into() });
        }
        let statement = "SELECT count(*) AS events FROM events WHERE type = $1".to_owned();
        Ok(ReportStatement { statement, parameters: vec![ScalarValue::from(value.as_str())] })
    }

    fn plot(&self, _: &str, _: &SchemaRef, batches: &[RecordBatch]) -> Result<String, ReportProblem> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        Ok(format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><text>{rows}</text></svg>"))
    }
}

/// The served API.
pub(crate) struct Server {
    pub(crate) base: String,
    pub(crate) audit_trail: Arc<MemoryAuditTrail>,
    /// The session of the user `officer`.
    pub(crate) officer: Session,
    pub(crate) client: Client,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(ApiSettings::default()).await
    }

    pub(crate) async fn with(settings: ApiSettings) -> Self {
        let (archive, officer, manager) = archive().await;
        let session = |identity: Identity| {
            let mut options = SessionOptions::new(archive.clone(), vec![identity]);
            options.parallelism = 2;
            Session::new(options).unwrap()
        };
        let audit_trail = Arc::new(MemoryAuditTrail::default());
        let authenticator = TestAuthenticator {
            officer: session(officer),
            manager: session(manager),
            audit_trail: Arc::clone(&audit_trail),
        };
        let officer = authenticator.officer.for_user("officer");
        let routes = router(Arc::new(authenticator), Arc::new(TestReports), settings).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        Self { base, audit_trail, officer, client: Client::new() }
    }

    /// A request of the officer to run a statement.
    pub(crate) fn post(&self, body: &Value) -> RequestBuilder {
        self.client.post(format!("{}/v1/sql", self.base)).bearer_auth("officer").json(body)
    }

    pub(crate) async fn sql(&self, statement: &str) -> Response {
        self.post(&json!({"statement": statement})).send().await.unwrap()
    }

    pub(crate) fn get(&self, target: &str) -> RequestBuilder {
        self.client.get(format!("{}{target}", self.base)).bearer_auth("officer")
    }
}

/// The status of a response and the reason of its problem.
pub(crate) async fn problem_of(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    (status, problem["reason"].as_str().unwrap().to_owned())
}

/// Twenty chat lines of two sessions.
async fn archive() -> (Archive, Identity, Identity) {
    let url = url::Url::parse("memory:///").unwrap();
    let archive = Archive::new(Location { url, store: Arc::new(InMemory::new()) });
    let (officer, manager) = (Identity::generate(), Identity::generate());
    let holder = |name: &str, identity: &Identity, tiers: &[Tier]| Holder {
        name: name.into(),
        recipient: identity.to_public(),
        tiers: tiers.to_vec(),
    };
    let holders = vec![holder("officer", &officer, &Tier::ALL), holder("manager", &manager, &[Tier::Operational])];
    let ring = KeyRing::new(Arc::clone(archive.store()), holders).unwrap();
    let mut batch = EventBatchBuilder::new();
    for number in 0..20 {
        let event = json!({
            "specversion": "1.0", "id": format!("e-{number}"), "source": "urn:test", "type": "chat.line",
            "subject": format!("S-{}", number % 2), "time": format!("2026-05-10T08:00:{number:02}Z"),
            "data": {"seq": number, "sender": "agent", "text": format!("line \"{number}\",\nGröße")},
        });
        let event = serde_json::to_vec(&event).unwrap();
        let position = Position { topic: TOPIC, partition: 0, offset: number };
        let arrived = Timestamp(i64::from(MAY) * 86_400_000_000);
        batch.append(&decode_structured(&event).unwrap(), position, arrived, false, None);
    }
    let partition = Partition { class: "general".to_owned(), date: MAY };
    let keys = SegmentKeys::new(&ring, Table::Events, &partition, "file-1".to_owned()).await.unwrap();
    let mut writer = SegmentWriter::new(Table::Events, partition, keys).unwrap();
    writer.write(&batch.finish()).unwrap();
    let segment = writer.finish().unwrap();
    let events = archive.table(Table::Events);
    events.put(&segment).await.unwrap();
    let advance = Advance { topic: TOPIC.to_owned(), partition: 0, expected: None, next: 20 };
    events.commit(&[segment], &[advance], "file-1", Timestamp(0)).await.unwrap();
    (archive, officer, manager)
}
