//! Connections: accepted, counted, supervised, and ended in order when the server stops.
//!
//! ```text
//! accept ─┬─ there is room ─▶ negotiate ─▶ log in ─▶ session
//!         └─ there is none ─▶ negotiate ─▶ "too many clients"    (a few at a time; beyond, it is hung up)
//! stop ─▶ nobody is accepted; who waits is told; what runs has time to end; then it is cancelled; then it is dropped
//! ```

use crate::cancel::Cancellations;
use crate::connection::Connection;
use crate::error::PostgresError;
use crate::login::{self, NotIn, Origin};
use crate::negotiate::{Wish, negotiate};
use crate::settings::PostgresSettings;
use crate::sqlstate::Failure;
use crate::statements::Statements;
use crate::variables::Variables;
use crate::wire::{Broken, Wire};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::response::TransactionStatus;
use datafusion_postgres::pgwire::messages::startup::NegotiateProtocolVersion;
use holdfast_query::Authenticator;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Clients that are told at a time that there is no room.
const MOST_REFUSED: usize = 32;
/// Time for telling them.
const REFUSAL_TIME: Duration = Duration::from_secs(5);
/// Pause after a failed accept, which mostly means that there are no more file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// Time that cancelled statements have to end.
const LAST_TIME: Duration = Duration::from_secs(5);
/// The version of the protocol that is served, as it is told.
const PROTOCOL: i32 = 3 << 16;

/// What all connections share.
struct Shared {
    authenticator: Arc<dyn Authenticator>,
    settings: Arc<PostgresSettings>,
    statements: Arc<Statements>,
    cancellations: Arc<Cancellations>,
    stop: CancellationToken,
    killed: CancellationToken,
}

/// Serves clients on `listener` until `stop`.
///
/// # Errors
/// [`PostgresError`] when the server cannot start. What goes wrong on one connection ends that connection alone.
pub async fn serve(
    listener: TcpListener,
    authenticator: Arc<dyn Authenticator>,
    settings: PostgresSettings,
    stop: CancellationToken,
) -> Result<(), PostgresError> {
    let address = listener.local_addr().map_err(PostgresError::Listener)?;
    if settings.require_tls && settings.tls.is_none() && !address.ip().to_canonical().is_loopback() {
        return Err(PostgresError::TlsNeeded(address));
    }
    let room = Arc::new(Semaphore::new(settings.max_connections));
    let refusals = Arc::new(Semaphore::new(MOST_REFUSED));
    let killed = CancellationToken::new();
    let shared = Arc::new(Shared {
        authenticator,
        settings: Arc::new(settings),
        statements: Arc::new(Statements::default()),
        cancellations: Arc::new(Cancellations::default()),
        stop: stop.clone(),
        killed: killed.clone(),
    });
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.tasks.join_next_with_id() => connections.note(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let shared = Arc::clone(&shared);
                    match (Arc::clone(&room).try_acquire_owned(), Arc::clone(&refusals).try_acquire_owned()) {
                        (Ok(place), _) => connections.add(peer, attend(stream, peer, shared, place)),
                        (Err(_), Ok(place)) => connections.add(peer, refuse(stream, shared, place)),
                        (Err(_), Err(_)) => tracing::warn!(%peer, "there is no room for a PostgreSQL client, and none to say so"),
                    }
                }
                Err(error) => {
                    tracing::warn!("a PostgreSQL client could not be accepted: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    connections.drain(&shared.settings, &killed).await;
    Ok(())
}

/// The tasks of the connections, and whose they are.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    peers: HashMap<Id, SocketAddr>,
}

impl Connections {
    fn add(&mut self, peer: SocketAddr, connection: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(connection);
        self.peers.insert(task.id(), peer);
    }

    fn note(&mut self, ended: Result<(Id, ()), JoinError>) {
        match ended {
            Ok((id, ())) => drop(self.peers.remove(&id)),
            Err(error) => {
                let peer = self.peers.remove(&error.id());
                if error.is_panic() {
                    tracing::error!(?peer, "the connection of a PostgreSQL client failed: {error}");
                }
            }
        }
    }

    async fn all(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.note(ended);
        }
    }

    async fn drain(&mut self, settings: &PostgresSettings, killed: &CancellationToken) {
        if timeout(settings.drain_timeout, self.all()).await.is_ok() {
            return;
        }
        tracing::warn!(connections = self.tasks.len(), "statements of PostgreSQL clients are cancelled");
        killed.cancel();
        if timeout(LAST_TIME, self.all()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "connections of PostgreSQL clients are dropped");
            self.tasks.shutdown().await;
        }
    }
}

/// Attends to one client.
async fn attend(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, _place: OwnedSemaphorePermit) {
    let begun = tokio::select! {
        biased;
        () = shared.stop.cancelled() => return,
        begun = timeout(shared.settings.startup_timeout, begin(stream, peer, &shared)) => begun,
    };
    let ended = match begun {
        Ok(Ok(Some(connection))) => connection.run().await,
        Ok(Ok(None)) => return,
        Ok(Err(broken)) => Err(broken),
        Err(_) => {
            tracing::debug!(%peer, "a PostgreSQL client did not log in in time");
            return;
        }
    };
    if let Err(broken) = ended {
        tracing::debug!(%peer, "the connection of a PostgreSQL client broke: {broken}");
    }
}

/// From the first byte to a session; `None` when there is none.
async fn begin(stream: TcpStream, peer: SocketAddr, shared: &Shared) -> Result<Option<Connection>, Broken> {
    stream.set_nodelay(true)?;
    let settings = &shared.settings;
    let (mut wire, is_encrypted, parameters) =
        match negotiate(stream, settings.tls.as_ref(), settings.idle_timeout).await? {
            None => return Ok(None),
            Some(Wish::Cancel { process, secret }) => {
                shared.cancellations.cancel(process, &secret);
                return Ok(None);
            }
            Some(Wish::Session { mut wire, is_encrypted, minor, parameters }) => {
                negotiate_version(&mut wire, minor, &parameters).await?;
                (wire, is_encrypted, parameters)
            }
        };
    let origin = Origin { address: peer.ip(), is_encrypted };
    let end_point = settings.tls.as_ref().and_then(|tls| tls.end_point.clone()).filter(|_| is_encrypted);
    let authenticator = shared.authenticator.as_ref();
    let reader =
        match login::log_in(&mut wire, authenticator, &origin, settings.require_tls, end_point.as_deref(), &parameters)
            .await
        {
            Ok(reader) => reader,
            Err(NotIn::Over(broken)) => return Err(broken),
            Err(NotIn::AuthenticationError(failure)) => return hang_up(wire, failure).await,
        };
    let variables = match variables(&reader.user().name, settings, &parameters) {
        Ok(variables) => variables,
        Err(failure) => return hang_up(wire, failure).await,
    };
    Ok(Some(Connection {
        wire,
        reader,
        entry: shared.cancellations.enter(),
        variables,
        statements: Arc::clone(&shared.statements),
        settings: Arc::clone(settings),
        stop: shared.stop.clone(),
        killed: shared.killed.clone(),
        transaction: TransactionStatus::Idle,
        prepared: BTreeMap::new(),
        portals: BTreeMap::new(),
        is_skipping: false,
    }))
}

/// Tells the client which version of the protocol is served, where it asks for more.
async fn negotiate_version(wire: &mut Wire, minor: u16, parameters: &BTreeMap<String, String>) -> Result<(), Broken> {
    let options: Vec<String> = parameters.keys().filter(|name| name.starts_with("_pq_.")).cloned().collect();
    if minor > 0 || !options.is_empty() {
        let message = NegotiateProtocolVersion::new(PROTOCOL, options);
        wire.put(PgWireBackendMessage::NegotiateProtocolVersion(message)).await?;
    }
    Ok(())
}

async fn hang_up(mut wire: Wire, failure: Failure) -> Result<Option<Connection>, Broken> {
    let failure = Failure { is_fatal: true, ..failure };
    wire.error(failure.info()).await?;
    wire.close().await;
    Ok(None)
}

/// The variables of a session that begins with `parameters`.
fn variables(
    user: &str,
    settings: &PostgresSettings,
    parameters: &BTreeMap<String, String>,
) -> Result<Variables, Failure> {
    let mut variables = Variables::new(user, settings.statement_timeout, settings.max_statement_timeout);
    let options = parameters.get("options").map(|options| set_in_options(options)).unwrap_or_default();
    let own = parameters.iter().filter(|(name, _)| {
        !matches!(name.as_str(), "user" | "database" | "replication" | "options") && !name.starts_with("_pq_.")
    });
    let own = own.map(|(name, value)| (name.clone(), value.clone()));
    for (name, value) in options.into_iter().chain(own) {
        // A warning has no place here: the client does not listen yet.
        variables.set(&name, &value)?;
    }
    variables.begin();
    Ok(variables)
}

/// The variables that the startup parameter `options` sets: `-c name=value`, `-cname=value` or `--name=value`.
fn set_in_options(options: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut letters = options.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => words.last_mut().into_iter().for_each(|word| word.extend(letters.next())),
            letter if letter.is_whitespace() => words.push(String::new()),
            letter => words.last_mut().into_iter().for_each(|word| word.push(letter)),
        }
    }
    let mut set = Vec::new();
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next()
        } else {
            word.strip_prefix("--").or_else(|| word.strip_prefix("-c")).map(str::to_owned)
        };
        if let Some((name, value)) = assignment.as_deref().and_then(|assignment| assignment.split_once('=')) {
            set.push((name.to_owned(), value.to_owned()));
        }
    }
    set
}

/// Tells a client that there is no room for it. It may still cancel a statement.
async fn refuse(stream: TcpStream, shared: Arc<Shared>, _place: OwnedSemaphorePermit) {
    let refusal = async {
        match negotiate(stream, shared.settings.tls.as_ref(), REFUSAL_TIME).await? {
            None => {}
            Some(Wish::Cancel { process, secret }) => shared.cancellations.cancel(process, &secret),
            Some(Wish::Session { wire, .. }) => {
                let most = shared.settings.max_connections;
                let full = Failure::fatal("53300", "sorry, too many clients already");
                hang_up(wire, full.hint(format!("the server accepts {most} connections at a time"))).await?;
            }
        }
        Ok::<(), Broken>(())
    };
    if let Ok(Err(broken)) = timeout(REFUSAL_TIME, refusal).await {
        tracing::debug!("a PostgreSQL client could not be told that there is no room: {broken}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_set_variables() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            set_in_options(r"-c statement_timeout=5s -csearch_path=archive --holdfast.purpose=ticket\ 7 -x"),
            [pair("statement_timeout", "5s"), pair("search_path", "archive"), pair("holdfast.purpose", "ticket 7")]
        );
        assert!(set_in_options(" \\").is_empty());
    }

    #[test]
    fn what_the_client_begins_with_is_what_reset_goes_back_to() {
        let parameters = [("user", "x"), ("application_name", "psql"), ("statement_timeout", "1s")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut variables = variables("ada", &PostgresSettings::default(), &parameters).unwrap();
        variables.set("application_name", "other").unwrap();
        variables.set("statement_timeout", "2s").unwrap();
        variables.reset_all();
        assert_eq!(variables.show("application_name").unwrap(), "psql");
        assert_eq!(variables.show("statement_timeout").unwrap(), "1000ms");
        assert_eq!(variables.show("session_authorization").unwrap(), "ada");
    }
}
