//! One connection: its handshake, its requests, and when it is closed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use super::held_body::HeldBody;
use super::requests::{Requests, Use};
use super::write_timeout::WriteTimeout;
use crate::places::Place;
use crate::tls::{TlsIdentity, name};

/// Requests of one HTTP/2 connection at the same time.
const MAX_STREAMS: u32 = 100;
/// Bytes of the headers of one HTTP/2 request. The router decides on less.
const MAX_HEADER_BYTES: u32 = 64 << 10;
/// How long an idle connection that loses its place may take to send the last bytes of an answer.
const LAST_BYTES: Duration = Duration::from_secs(5);
/// Browsers use nothing but HTTPS for this host for a year (RFC 6797).
const TRANSPORT_SECURITY: &str = "max-age=31536000";

/// An extension of each request on a connection whose client has presented a certificate. An authority that the operator
/// trusts has issued it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The certificate's first URI, else its first DNS name, else its common name: 1 to 255 bytes, no control character.
    pub name: Arc<str>,
}

/// A connection that has been accepted.
pub(super) struct Connection {
    /// Of the client.
    pub(super) remote: SocketAddr,
    /// That the client has connected to.
    pub(super) local: SocketAddr,
    pub(super) place: Arc<Place>,
    pub(super) tls: Option<TlsIdentity>,
    /// How long the first request, the head of each further one, and the next one on an idle connection may take.
    pub(super) header_timeout: Duration,
    /// How long the body of an answer may take.
    pub(super) answer_timeout: Duration,
}

/// What each request, and the answer to it, is given.
struct Marks {
    remote: ConnectInfo<SocketAddr>,
    certificate: Option<ClientCertificate>,
    has_transport_security: bool,
}

impl Connection {
    /// Serves the client until it leaves, is too slow or loses its place. After `stop`, and after the authorities of its
    /// certificate were replaced, until the requests in progress are answered.
    pub(super) async fn serve<S>(self, stream: S, router: Router, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let deadline = Instant::now() + self.header_timeout;
        // Below TLS, so that a handshake is limited as well.
        let stream = WriteTimeout::new(stream, self.header_timeout);
        let mut marks = Marks { remote: ConnectInfo(self.remote), certificate: None, has_transport_security: false };
        let Some(identity) = &self.tls else {
            return self.http(stream, router, marks, deadline, stop.cancelled()).await;
        };
        let encrypted = tokio::select! {
            accepted = identity.acceptor().accept(stream) => accepted,
            () = sleep_until(deadline) => return,
            () = self.place.lost() => return,
            () = stop.cancelled() => return,
        };
        let encrypted = match encrypted {
            Ok(encrypted) => encrypted,
            Err(error) => {
                tracing::debug!(remote = %self.remote, %error, "the TLS handshake of an HTTP client failed");
                return;
            }
        };
        let presented = encrypted.get_ref().1.peer_certificates().and_then(<[_]>::first);
        marks.certificate = presented.and_then(name).map(|name| ClientCertificate { name: name.into() });
        let is_verified = presented.is_some();
        if is_verified && marks.certificate.is_none() {
            tracing::warn!(remote = %self.remote, "a client's certificate has no usable name, so it is not counted");
        }
        // The name of loopback belongs to every program on this machine, and a self-signed certificate is for a start.
        marks.has_transport_security = identity.is_of_authority() && !self.local.ip().to_canonical().is_loopback();
        let ending = async {
            tokio::select! {
                () = stop.cancelled() => {}
                // The authority that has issued the client's certificate may be what was replaced.
                () = identity.replaced(), if is_verified => {}
            }
        };
        self.http(encrypted, router, marks, deadline, ending).await;
    }

    /// After `ending`, requests in progress are answered and the connection is closed.
    async fn http<S, E>(&self, stream: S, router: Router, marks: Marks, deadline: Instant, ending: E)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        E: Future<Output = ()>,
    {
        let mut ending = pin!(ending);
        let requests = Arc::new(Requests::default());
        let (begun, place) = (Arc::clone(&requests), Arc::clone(&self.place));
        let service = service_fn(move |request: Request<Incoming>| {
            let in_progress = begun.begin();
            let hold = place.hold();
            let has_transport_security = marks.has_transport_security;
            let answer = router.clone().call(marks.on(request));
            async move {
                let mut answer = answer.await?;
                drop(in_progress);
                if has_transport_security {
                    let value = HeaderValue::from_static(TRANSPORT_SECURITY);
                    answer.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
                }
                Ok::<_, Infallible>(answer.map(|body| Body::new(HeldBody::new(body, hold))))
            }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.header_timeout);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.header_timeout)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_BYTES);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        // hyper waits without limit for the first bytes, which say which protocol it is, and for requests over HTTP/2.
        let mut check = pin!(sleep_until(deadline));
        let (mut is_ending, mut has_place) = (false, true);
        loop {
            tokio::select! {
                // An error is the client's: it broke off, or does not speak HTTP.
                _ = connection.as_mut() => return,
                () = self.place.lost(), if has_place => {
                    if requests.state() == Use::Silent {
                        return;
                    }
                    (is_ending, has_place) = (true, false);
                    check.as_mut().reset(Instant::now() + LAST_BYTES);
                    connection.as_mut().graceful_shutdown();
                }
                () = ending.as_mut(), if !is_ending => {
                    is_ending = true;
                    check.as_mut().reset(Instant::now() + self.answer_timeout);
                    connection.as_mut().graceful_shutdown();
                }
                () = check.as_mut() => match requests.state() {
                    Use::Silent => return,
                    Use::Busy => check.as_mut().reset(Instant::now() + self.header_timeout),
                    Use::Idle(_) if is_ending => return,
                    Use::Idle(since) if since + self.header_timeout > Instant::now() => {
                        check.as_mut().reset(since + self.header_timeout);
                    }
                    Use::Idle(_) => {
                        // The last answer may still be on the way.
                        is_ending = true;
                        check.as_mut().reset(Instant::now() + self.answer_timeout);
                        connection.as_mut().graceful_shutdown();
                    }
                },
            }
        }
    }
}

impl Marks {
    fn on(&self, mut request: Request<Incoming>) -> Request<Incoming> {
        // The audit trail records the client's address.
        request.extensions_mut().insert(self.remote);
        if let Some(certificate) = &self.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        request
    }
}
