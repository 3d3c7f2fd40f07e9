//! Accepts connections within limits, and drains requests in progress when the server stops.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use crate::places::Places;
use crate::tls::Tls;

/// The protocols that an HTTP server offers over TLS (RFC 7301), the better one first.
pub const HTTP_ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];

/// The pause after the system refused to accept, for want of file descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// What a client gets for which there is no place.
const NO_PLACE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 5\r\nconnection: close\r\n\r\n";

/// How a server serves.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// The certificate and key, with [`HTTP_ALPN`]. Without them requests are in the clear.
    pub tls: Option<Tls>,
    /// Connections at the same time. Beyond them, a new one gets the place of one that has not sent a request, or none.
    pub connections: usize,
    /// Of these, from one address; for IPv6 from one /64 network.
    pub connections_per_address: usize,
    /// How long the first request may take to arrive, handshake included, the head of each further one, and the next one
    /// on an idle connection.
    pub header_timeout: Duration,
    /// How long the body of an answer may take, after which a connection without another request is closed. While the
    /// client reads nothing, `header_timeout` counts.
    pub answer_timeout: Duration,
    /// How long requests in progress may take when the server stops.
    pub drain: Duration,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            tls: None,
            connections: 512,
            connections_per_address: 256,
            header_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(30),
        }
    }
}

/// Serves until `stop`. Then accepts no more connections, completes the requests in progress, and returns when all are
/// answered, or after the drain time. Requests have the extensions `ConnectInfo<SocketAddr>` and, if the client has
/// presented one, [`ClientCertificate`](super::ClientCertificate).
pub async fn serve(listener: TcpListener, router: Router, settings: ServeSettings, stop: CancellationToken) {
    let places = Places::new(settings.connections, settings.connections_per_address);
    let mut watch = pin!(watch(settings.tls.as_ref()));
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = watch.as_mut() => {}
            Some(ended) = connections.join_next() => report(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    let (Some(place), Ok(local)) = (places.take(remote.ip()), stream.local_addr()) else {
                        refuse(&stream, remote.ip(), settings.tls.is_some());
                        continue;
                    };
                    // Answers are written whole; waiting for more of them only delays the last packet.
                    let _ = stream.set_nodelay(true);
                    let connection = Connection {
                        remote,
                        local,
                        place: Arc::new(place),
                        tls: settings.tls.as_ref().map(Tls::current),
                        header_timeout: settings.header_timeout,
                        answer_timeout: settings.answer_timeout,
                    };
                    connections.spawn(connection.serve(stream, router.clone(), stop.clone()));
                }
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let drained = async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    };
    if tokio::time::timeout(settings.drain, drained).await.is_err() {
        let (open, seconds) = (connections.len(), settings.drain.as_secs());
        tracing::warn!(open, seconds, "stopped before all requests were complete");
    }
}

/// Does not end.
async fn watch(tls: Option<&Tls>) {
    match tls {
        Some(tls) => match tls.watch().await {},
        None => std::future::pending().await,
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("an HTTP connection failed: {error}");
    }
}

/// The client went away before its connection was accepted.
fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}

fn refuse(stream: &TcpStream, address: IpAddr, is_encrypted: bool) {
    tracing::debug!(%address, "a connection was refused, because there are too many");
    if !is_encrypted {
        // It fits into the empty buffer of a new connection.
        let _ = stream.try_write(NO_PLACE);
    }
}
