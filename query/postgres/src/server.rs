//! Accepts, limits and supervises connections, and ends them in order when the server stops.
//!
//! ```text
//! accept ─┬─ a place before the login is left ─▶ negotiate ─▶ log in ─┬─ a place of a session is left ─▶ session
//!         │                                                          └─ none ─▶ "too many clients"
//!         └─ none for the address ─▶ negotiate ─▶ "too many clients"
//!                                                 (up to MAX_REFUSALS at a time; then the connection is closed)
//! stop ─▶ no connection is accepted; idle sessions end; statements have `drain_timeout` to end; then they are cancelled;
//!         then their connections are closed
//! ```

use crate::error::PostgresError;
use crate::login::{LoginError, Origin, log_in};
use crate::session::{CancelKeys, Session};
use crate::session_places::{NoPlace, SessionPlaces};
use crate::settings::PostgresSettings;
use crate::sqlstate::Failure;
use crate::statements::Statements;
use crate::variables::Variables;
use crate::wire::{StartupRequest, Wire, WireError, negotiate};
use datafusion_postgres::pgwire::messages::PgWireBackendMessage;
use datafusion_postgres::pgwire::messages::response::TransactionStatus;
use datafusion_postgres::pgwire::messages::startup::NegotiateProtocolVersion;
use holdfast_query::Authenticator;
use holdfast_server::{Place, Places, Tls, TlsIdentity};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The most connections that are being refused at a time.
const MAX_REFUSALS: usize = 32;
/// The time for refusing a connection.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause after a failed accept. Its usual cause is a lack of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);
/// The time that cancelled statements have to end.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);
/// The supported version of the protocol, 3.0.
const PROTOCOL_VERSION: i32 = 3 << 16;

/// The state that all connections share.
struct Shared {
    authenticator: Arc<dyn Authenticator>,
    settings: Arc<PostgresSettings>,
    statements: Arc<Statements>,
    cancel_keys: Arc<CancelKeys>,
    places: Arc<SessionPlaces>,
    stop: CancellationToken,
    killed: CancellationToken,
}

/// Serves clients on `listener` until `stop`.
///
/// # Errors
/// [`PostgresError`] if the server cannot start. An error of one connection ends only that connection.
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
    let places = SessionPlaces::new(settings.max_connections);
    let logins = Places::new(settings.max_logins, settings.max_logins_per_address);
    let refusals = Arc::new(Semaphore::new(MAX_REFUSALS));
    let killed = CancellationToken::new();
    let shared = Arc::new(Shared {
        authenticator,
        settings: Arc::new(settings),
        statements: Arc::new(Statements),
        cancel_keys: Arc::new(CancelKeys::default()),
        places,
        stop: stop.clone(),
        killed: killed.clone(),
    });
    let mut connections = Connections::default();
    let mut watch = pin!(watch(shared.settings.tls.as_ref()));
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = watch.as_mut() => {}
            Some(ended) = connections.tasks.join_next_with_id() => connections.remove(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let shared = Arc::clone(&shared);
                    match (logins.take(peer.ip()), Arc::clone(&refusals).try_acquire_owned()) {
                        (Some(place), _) => connections.add(peer, serve_client(stream, peer, shared, place)),
                        (None, Ok(slot)) => connections.add(peer, refuse(stream, shared, slot)),
                        (None, Err(_)) => tracing::warn!(%peer, "too many PostgreSQL clients; closed a connection without an error"),
                    }
                }
                Err(error) => {
                    tracing::warn!("a connection of a PostgreSQL client could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            },
        }
    }
    drop(listener);
    connections.drain(&shared.settings, &killed).await;
    Ok(())
}

/// Reads the certificate and key again when they change. Does not end.
async fn watch(tls: Option<&Tls>) {
    match tls {
        Some(tls) => match tls.watch().await {},
        None => std::future::pending().await,
    }
}

/// The tasks of the connections, and their peers.
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

    fn remove(&mut self, ended: Result<(Id, ()), JoinError>) {
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

    async fn join_all(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.remove(ended);
        }
    }

    async fn drain(&mut self, settings: &PostgresSettings, killed: &CancellationToken) {
        if timeout(settings.drain_timeout, self.join_all()).await.is_ok() {
            return;
        }
        tracing::warn!(connections = self.tasks.len(), "cancelling the statements of PostgreSQL clients");
        killed.cancel();
        if timeout(CANCEL_TIMEOUT, self.join_all()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "closing the connections of PostgreSQL clients");
            self.tasks.shutdown().await;
        }
    }
}

/// Serves one client. It has a place before the login until it has logged in.
async fn serve_client(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, place: Place) {
    let started = tokio::select! {
        biased;
        () = shared.stop.cancelled() => return,
        () = place.lost() => {
            tracing::info!(%peer, "closed the connection of a PostgreSQL client for a new one, before it had logged in");
            return;
        }
        started = timeout(shared.settings.startup_timeout, start_session(stream, peer, &shared)) => started,
    };
    drop(place);
    let ended = match started {
        Ok(Ok(Some(session))) => session.run().await,
        Ok(Ok(None)) => return,
        Ok(Err(error)) => Err(error),
        Err(_) => {
            tracing::debug!(%peer, "a PostgreSQL client did not log in in time");
            return;
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, "the connection of a PostgreSQL client failed: {error}");
    }
}

/// Negotiates and logs in; `None` if no session starts.
async fn start_session(stream: TcpStream, peer: SocketAddr, shared: &Shared) -> Result<Option<Session>, WireError> {
    stream.set_nodelay(true)?;
    let settings = &shared.settings;
    // The one of this connection: its channel binding is that of the certificate in the handshake.
    let identity = settings.tls.as_ref().map(Tls::current);
    let (mut wire, is_encrypted, parameters) = match negotiate(stream, identity.as_ref(), settings.idle_timeout).await?
    {
        None => return Ok(None),
        Some(StartupRequest::Cancel { process, secret }) => {
            shared.cancel_keys.cancel(process, &secret);
            return Ok(None);
        }
        Some(StartupRequest::Session { mut wire, is_encrypted, minor, parameters }) => {
            negotiate_version(&mut wire, minor, &parameters).await?;
            (wire, is_encrypted, parameters)
        }
    };
    let origin = Origin { address: peer.ip(), is_encrypted };
    let end_point = identity.as_ref().and_then(TlsIdentity::end_point).filter(|_| is_encrypted);
    let reader =
        match log_in(&mut wire, &shared.authenticator, &origin, settings.require_tls, end_point, &parameters).await {
            Ok(reader) => reader,
            Err(LoginError::Connection(error)) => return Err(error),
            Err(LoginError::Refused(failure)) => return refuse_session(wire, failure).await,
        };
    let place = match shared.places.take(&reader.user().name) {
        Ok(place) => place,
        Err(none) => {
            let hint = match none {
                NoPlace::All(max) => format!("the server accepts {max} sessions at a time"),
                NoPlace::OfUser(max) => format!("the server accepts {max} sessions of one user at a time"),
            };
            return refuse_session(wire, too_many_clients(hint)).await;
        }
    };
    let variables = match variables(&reader.user().name, settings, &parameters) {
        Ok(variables) => variables.of_connection(is_encrypted),
        Err(failure) => return refuse_session(wire, failure).await,
    };
    let session = Session {
        wire,
        reader,
        cancel_key: shared.cancel_keys.register(),
        variables,
        statements: Arc::clone(&shared.statements),
        settings: Arc::clone(settings),
        stop: shared.stop.clone(),
        killed: shared.killed.clone(),
        transaction: TransactionStatus::Idle,
        prepared: BTreeMap::new(),
        portals: BTreeMap::new(),
        place,
        discards_until_sync: false,
    };
    Ok(Some(session))
}

fn too_many_clients(hint: String) -> Failure {
    Failure::fatal("53300", "sorry, too many clients already").hint(hint)
}

/// Sends the supported version of the protocol if the client requests a newer one or unknown options.
async fn negotiate_version(
    wire: &mut Wire,
    minor: u16,
    parameters: &BTreeMap<String, String>,
) -> Result<(), WireError> {
    let options: Vec<String> = parameters.keys().filter(|name| name.starts_with("_pq_.")).cloned().collect();
    if minor > 0 || !options.is_empty() {
        let message = NegotiateProtocolVersion::new(PROTOCOL_VERSION, options);
        wire.put(PgWireBackendMessage::NegotiateProtocolVersion(message)).await?;
    }
    Ok(())
}

async fn refuse_session(wire: Wire, failure: Failure) -> Result<Option<Session>, WireError> {
    let failure = Failure { is_fatal: true, ..failure };
    wire.close_with(failure.info()).await?;
    Ok(None)
}

/// The variables of a session with these startup parameters.
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
        // Warnings are dropped: the client does not expect notices yet.
        variables.set(&name, &value)?;
    }
    variables.set_defaults();
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

/// Refuses a client because of the limits of clients that log in. A cancel request is still handled.
async fn refuse(stream: TcpStream, shared: Arc<Shared>, _slot: OwnedSemaphorePermit) {
    let refusal = async {
        match negotiate(stream, shared.settings.tls.as_ref().map(Tls::current).as_ref(), REFUSAL_TIMEOUT).await? {
            None => {}
            Some(StartupRequest::Cancel { process, secret }) => shared.cancel_keys.cancel(process, &secret),
            Some(StartupRequest::Session { wire, .. }) => {
                let most = shared.settings.max_logins_per_address;
                let hint = format!("at a time {most} clients may log in from one address; try again");
                refuse_session(wire, too_many_clients(hint)).await?;
            }
        }
        Ok::<(), WireError>(())
    };
    if let Ok(Err(error)) = timeout(REFUSAL_TIMEOUT, refusal).await {
        tracing::debug!("the error could not be sent to a refused PostgreSQL client: {error}");
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
    fn reset_restores_the_startup_parameters() {
        let parameters = [("user", "x"), ("application_name", "psql"), ("statement_timeout", "1s")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut variables = variables("ada", &PostgresSettings::default(), &parameters).unwrap();
        variables.set("application_name", "other").unwrap();
        variables.set("statement_timeout", "2s").unwrap();
        variables.reset_all();
        assert_eq!(variables.show("application_name").unwrap(), "psql");
        assert_eq!(variables.show("statement_timeout").unwrap(), "1s");
        assert_eq!(variables.show("session_authorization").unwrap(), "ada");
    }
}
