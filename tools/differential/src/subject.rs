//! Holdfast's PostgreSQL interface on loopback, with the generated tables beside the archive.

use crate::archive::filled;
use age::x25519::Identity;
use async_trait::async_trait;
use datafusion::catalog::{CatalogProviderList, MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::MemTable;
use holdfast_access::{SCRAM_ITERATIONS, ScramVerifier};
use holdfast_postgres::{PostgresCatalog, PostgresSettings, serve};
use holdfast_query::{
    AccessEnd, AccessId, AccessRecord, AuditTrail, AuthenticatedUser, AuthenticationError, Authenticator, Denial,
    Extension, Interface, Reader, ScramAttempt, ScramFailure, Session, SessionOptions, Unrecorded, Visibility,
    WithoutRecord,
};
use holdfast_testkit::differential::client::Address;
use holdfast_testkit::differential::data::Table;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The user on both sides.
pub const USER: &str = "compliance";
const PASSWORD: &str = "differential-password";

/// A server, which stops when this value is dropped.
pub struct Subject {
    port: u16,
    _stop: DropGuard,
}

impl Subject {
    /// Starts a server with these tables in the schema `d`.
    ///
    /// # Errors
    ///
    /// If a table cannot be made, or the archive or the server does not start.
    pub async fn start(tables: &[Table]) -> anyhow::Result<Self> {
        let identity = Identity::generate();
        let archive = filled(&identity).await?;
        let mut options = SessionOptions::new(archive, vec![identity]);
        let catalog = PostgresCatalog::new(vec![USER.to_owned()])?;
        options.extensions = vec![Arc::new(catalog), Arc::new(GeneratedTables(schema(tables)?))];
        options.visibility = Visibility::ALL;
        // Statements of many connections at once: none may wait for the memory of others.
        options.concurrent_statements = 32;
        options.parallelism = 2;
        let authenticator = Arc::new(OneUser { session: Session::new(options)?, verifier: verifier() });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let stop = CancellationToken::new();
        let settings = PostgresSettings::default();
        tokio::spawn(serve(listener, authenticator, settings, stop.clone()));
        Ok(Self { port, _stop: stop.drop_guard() })
    }

    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> Address {
        Address {
            port: self.port,
            database: "holdfast".to_owned(),
            user: USER.to_owned(),
            password: PASSWORD.to_owned(),
            setup: vec!["SET statement_timeout = '15s'".to_owned()],
        }
    }
}

fn schema(tables: &[Table]) -> anyhow::Result<Arc<dyn SchemaProvider>> {
    let schema = MemorySchemaProvider::new();
    for table in tables {
        let batch = table.batch()?;
        let table_of = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
        schema.register_table(table.name.to_owned(), Arc::new(table_of))?;
    }
    Ok(Arc::new(schema))
}

struct GeneratedTables(Arc<dyn SchemaProvider>);

impl Extension for GeneratedTables {
    fn schemas(&self, _: &Arc<dyn CatalogProviderList>) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        vec![("d".to_owned(), Arc::clone(&self.0))]
    }
}

fn verifier() -> String {
    let iterations = NonZeroU32::new(SCRAM_ITERATIONS).unwrap_or(NonZeroU32::MIN);
    ScramVerifier::derive(PASSWORD, b"differential-salt".to_vec(), iterations).to_text().to_string()
}

/// Authenticates the one user.
struct OneUser {
    session: Session,
    verifier: String,
}

#[async_trait]
impl Authenticator for OneUser {
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
        let verifier = self.verifier.clone();
        Ok(ScramAttempt { user: user.to_owned(), remote, verifier, counted_at: SystemTime::UNIX_EPOCH })
    }

    async fn by_scram(&self, attempt: &ScramAttempt) -> Result<Reader, AuthenticationError> {
        let user = AuthenticatedUser {
            name: attempt.user.clone(),
            role: attempt.user.clone(),
            interface: Interface::Postgres,
            remote: attempt.remote.clone(),
        };
        Ok(Reader::new(self.session.clone(), user, Arc::new(Unread), WithoutRecord::Refuse))
    }

    async fn scram_failed(&self, _: &ScramAttempt, _: ScramFailure) {}
}

/// An audit trail that nobody reads: what is archived here is generated.
struct Unread;

#[async_trait]
impl AuditTrail for Unread {
    async fn begin(&self, _: &AuthenticatedUser, _: &AccessRecord) -> Result<AccessId, Unrecorded> {
        Ok(AccessId(String::new()))
    }

    async fn end(
        &self,
        _: &AuthenticatedUser,
        _: &AccessRecord,
        _: &AccessId,
        _: &AccessEnd,
    ) -> Result<(), Unrecorded> {
        Ok(())
    }

    async fn denied(&self, _: &Denial) -> Result<(), Unrecorded> {
        Ok(())
    }
}
