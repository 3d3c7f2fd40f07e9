//! Connections over memory, with a clock that the tests hold.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::routing::get;
use hyper::body::Frame;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::requests::{Requests, Use};
use super::{HTTP_ALPN, ServeSettings, serve};
use crate::places::Places;
use crate::tls::{Tls, TlsFiles};

const TIMEOUT: Duration = Duration::from_secs(30);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

/// A body of so many parts of 64 KiB: more than fits into the buffers of a connection.
struct Parts(usize);

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
        self.0 = left;
        Poll::Ready(Some(Ok(Frame::data(vec![b'x'; 64 << 10].into()))))
    }
}

fn router() -> Router {
    Router::new()
        .route("/parts", get(|| async { Body::new(Parts(32)) }))
        .route("/large", get(|| async { "x".repeat(1 << 20) }))
        .route("/", get(|ConnectInfo(remote): ConnectInfo<std::net::SocketAddr>| async move { remote.to_string() }))
        .route(
            "/slow",
            get(|| async {
                sleep(TIMEOUT * 4).await;
                "done"
            }),
        )
}

/// A connection in memory to a server.
fn connected(places: &Arc<Places>, tls: Option<&Tls>, stop: CancellationToken) -> (DuplexStream, JoinHandle<()>) {
    connected_to("192.0.2.1:443", places, tls, stop)
}

fn connected_to(
    local: &str,
    places: &Arc<Places>,
    tls: Option<&Tls>,
    stop: CancellationToken,
) -> (DuplexStream, JoinHandle<()>) {
    let (client, server) = tokio::io::duplex(64 << 10);
    let connection = Connection {
        remote: "192.0.2.7:1234".parse().unwrap(),
        local: local.parse().unwrap(),
        place: Arc::new(places.take("192.0.2.7".parse().unwrap()).unwrap()),
        tls: tls.map(Tls::current),
        header_timeout: TIMEOUT,
        answer_timeout: TIMEOUT * 2,
    };
    (client, tokio::spawn(connection.serve(server, router(), stop)))
}

/// Reads until the server closes the connection. Returns what it sent, and after how many seconds it closed.
async fn until_closed(client: &mut DuplexStream, since: Instant) -> (String, u64) {
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await.unwrap();
    (String::from_utf8_lossy(&bytes).into_owned(), (Instant::now() - since).as_secs())
}

async fn answer(client: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = vec![0; 4096];
    let length = client.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_closed_after_the_timeout_and_gives_its_place_back() {
    for sent in [&b""[..], b"G", b"PRI * HTTP/2.0\r\n", b"GET / HTTP/1.1\r\nhost: x\r\n"] {
        let places = Places::new(1, 1);
        let begun = Instant::now();
        let (mut client, serving) = connected(&places, None, CancellationToken::new());
        client.write_all(sent).await.unwrap();
        assert_eq!(until_closed(&mut client, begun).await, (String::new(), TIMEOUT.as_secs()), "{sent:?}");
        serving.await.unwrap();
        assert!(places.take("192.0.2.8".parse().unwrap()).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_a_byte_from_time_to_time_gets_no_more_time() {
    let begun = Instant::now();
    let (mut client, serving) = connected(&Places::new(1, 1), None, CancellationToken::new());
    for byte in GET.iter().take(20) {
        if client.write_all(&[*byte]).await.is_err() {
            break;
        }
        sleep(Duration::from_secs(5)).await;
    }
    serving.await.unwrap();
    assert!(until_closed(&mut client, begun).await.0.is_empty());
    let (mut client, serving) = connected(&Places::new(1, 1), None, CancellationToken::new());
    client.write_all(GET).await.unwrap();
    assert!(answer(&mut client).await.ends_with("192.0.2.7:1234"));
    // The head of a further request has no more time either.
    let since = Instant::now();
    client.write_all(b"GET ").await.unwrap();
    assert_eq!(until_closed(&mut client, since).await.1, TIMEOUT.as_secs());
    serving.await.unwrap();
}

/// The identity of `localhost`, issued by `issuer` or else self-signed; and its certificate.
fn identity(issuer: Option<&Issuer<'_, KeyPair>>) -> (Tls, CertificateDer<'static>) {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let path = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let files = TlsFiles {
        certificate: path("tls.crt", certificate.pem()),
        key: path("tls.key", key.serialize_pem()),
        client_authorities: None,
    };
    (Tls::open(files, HTTP_ALPN).unwrap(), certificate.der().clone())
}

#[tokio::test(start_paused = true)]
async fn other_machines_are_told_to_stay_with_tls_if_an_authority_issued_the_certificate() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let (issued, _) = identity(Some(&authority));
    let (self_signed, own) = identity(None);
    for (tls, root, local, is_told) in [
        (&issued, authority.der(), "192.0.2.1:443", true),
        (&issued, authority.der(), "127.0.0.1:443", false),
        (&issued, authority.der(), "[::ffff:127.0.0.1]:443", false),
        (&self_signed, &own, "192.0.2.1:443", false),
    ] {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (client, _serving) = connected_to(local, &Places::new(1, 1), Some(tls), CancellationToken::new());
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = TlsConnector::from(Arc::new(config)).connect(name, client).await.unwrap();
        client.write_all(GET).await.unwrap();
        let answer = answer(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(answer.contains("strict-transport-security: max-age=31536000\r\n"), is_told, "{local}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_complete_its_handshake_is_closed() {
    let (tls, _) = identity(None);
    let begun = Instant::now();
    let (mut client, serving) = connected(&Places::new(1, 1), Some(&tls), CancellationToken::new());
    client.write_all(&[0x16, 3, 1]).await.unwrap();
    assert_eq!(until_closed(&mut client, begun).await, (String::new(), TIMEOUT.as_secs()));
    serving.await.unwrap();
    // Plain HTTP is not answered in the clear.
    let (mut client, serving) = connected(&Places::new(1, 1), Some(&tls), CancellationToken::new());
    client.write_all(GET).await.unwrap();
    let (answer, seconds) = until_closed(&mut client, Instant::now()).await;
    assert!(!answer.contains("HTTP") && seconds == 0, "{answer}");
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_in_progress_has_its_time_and_an_idle_connection_is_closed() {
    let (mut client, serving) = connected(&Places::new(1, 1), None, CancellationToken::new());
    let begun = Instant::now();
    client.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(answer(&mut client).await.ends_with("done"));
    assert_eq!((Instant::now() - begun).as_secs(), TIMEOUT.as_secs() * 4);
    sleep(TIMEOUT / 2).await;
    client.write_all(GET).await.unwrap();
    assert!(answer(&mut client).await.starts_with("HTTP/1.1 200"));
    let answered = Instant::now();
    assert_eq!(until_closed(&mut client, answered).await, (String::new(), TIMEOUT.as_secs()));
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_answer_is_closed() {
    let begun = Instant::now();
    let (mut client, serving) = connected(&Places::new(1, 1), None, CancellationToken::new());
    client.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    serving.await.unwrap();
    assert_eq!((Instant::now() - begun).as_secs(), TIMEOUT.as_secs());
    assert!(until_closed(&mut client, begun).await.0.len() < 1 << 20);
    // Who reads slowly has the time of an answer.
    let begun = Instant::now();
    let (mut client, serving) = connected(&Places::new(1, 1), None, CancellationToken::new());
    client.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut part = vec![0; 1 << 10];
    while client.read(&mut part).await.unwrap() > 0 {
        sleep(Duration::from_secs(1)).await;
    }
    serving.await.unwrap();
    let seconds = (Instant::now() - begun).as_secs();
    // The rest was in the pipe when the connection was closed.
    assert!(seconds >= TIMEOUT.as_secs() * 3 && seconds < TIMEOUT.as_secs() * 3 + 70, "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_not_asked_loses_its_place_to_a_new_one() {
    let places = Places::new(2, 2);
    let begun = Instant::now();
    let (mut asked, _serving) = connected(&places, None, CancellationToken::new());
    asked.write_all(GET).await.unwrap();
    assert!(answer(&mut asked).await.starts_with("HTTP/1.1 200"));
    let (mut silent, _serving) = connected(&places, None, CancellationToken::new());
    let new = places.take("192.0.2.9".parse().unwrap());
    assert!(new.is_some());
    assert_eq!(until_closed(&mut silent, begun).await, (String::new(), 0));
    asked.write_all(GET).await.unwrap();
    assert!(answer(&mut asked).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(start_paused = true)]
async fn an_idle_client_loses_its_place_if_nobody_is_silent_and_a_busy_one_does_not() {
    let places = Places::new(2, 2);
    let begun = Instant::now();
    let (mut busy, _serving) = connected(&places, None, CancellationToken::new());
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let (mut idle, _serving) = connected(&places, None, CancellationToken::new());
    idle.write_all(GET).await.unwrap();
    assert!(answer(&mut idle).await.starts_with("HTTP/1.1 200"));
    let new = places.take("192.0.2.9".parse().unwrap());
    assert!(new.is_some());
    let (rest, seconds) = until_closed(&mut idle, begun).await;
    assert!(rest.is_empty() && seconds <= 1, "{rest} after {seconds} s");
    // The new one is silent, so it is the next.
    assert!(places.take("192.0.2.10".parse().unwrap()).is_some());
    assert!(answer(&mut busy).await.ends_with("done"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_being_answered_keeps_its_place() {
    let places = Places::new(1, 1);
    let (mut client, _serving) = connected(&places, None, CancellationToken::new());
    client.write_all(b"GET /parts HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(answer(&mut client).await.starts_with("HTTP/1.1 200"));
    assert!(places.take("192.0.2.9".parse().unwrap()).is_none());
    let (mut rest, mut part) = (Vec::new(), vec![0; 64 << 10]);
    while !rest.ends_with(b"\r\n0\r\n\r\n") {
        let length = client.read(&mut part).await.unwrap();
        assert!(length > 0, "closed after {} bytes", rest.len());
        rest.extend_from_slice(&part[..length]);
    }
    assert!(places.take("192.0.2.9".parse().unwrap()).is_some());
}

/// What a client of HTTP/2 sends that opens no window for answers (RFC 9113): the preface, and SETTINGS with
/// INITIAL_WINDOW_SIZE 0.
const WITHOUT_WINDOW: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0";

/// HEADERS of `GET /` of the host `x`, which end the stream `number`.
fn get_over_http_2(number: u8) -> [u8; 15] {
    [0, 0, 6, 1, 5, 0, 0, 0, number, 0x82, 0x86, 0x84, 0x41, 1, b'x']
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_let_its_answer_be_sent_loses_its_place() {
    let places = Places::new(1, 1);
    let (mut client, serving) = connected(&places, None, CancellationToken::new());
    let begun = Instant::now();
    client.write_all(WITHOUT_WINDOW).await.unwrap();
    client.write_all(&get_over_http_2(1)).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    assert!(places.take("192.0.2.9".parse().unwrap()).is_none(), "it has time to take its answer");
    // Further requests give it no more.
    client.write_all(&get_over_http_2(3)).await.unwrap();
    sleep(Duration::from_secs(3)).await;
    let new = places.take("192.0.2.9".parse().unwrap());
    assert!(new.is_some());
    serving.await.unwrap();
    assert!((Instant::now() - begun).as_secs() < TIMEOUT.as_secs(), "it is closed soon");
}

#[tokio::test(start_paused = true)]
async fn a_stop_completes_requests_in_progress_and_closes_other_connections() {
    let (places, stop) = (Places::new(2, 2), CancellationToken::new());
    let begun = Instant::now();
    let (mut busy, busy_serving) = connected(&places, None, stop.clone());
    let (mut silent, silent_serving) = connected(&places, None, stop.clone());
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    stop.cancel();
    assert_eq!(until_closed(&mut silent, begun).await, (String::new(), 1));
    let (answer, seconds) = until_closed(&mut busy, begun).await;
    assert!(answer.ends_with("done") && seconds == TIMEOUT.as_secs() * 4, "{answer} after {seconds} s");
    busy_serving.await.unwrap();
    silent_serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_idle_when_no_request_is_in_progress() {
    let requests = Arc::new(Requests::default());
    assert_eq!(requests.state(), Use::Silent);
    let (one, two) = (requests.begin(), requests.begin());
    drop(one);
    assert_eq!(requests.state(), Use::Busy);
    sleep(Duration::from_secs(7)).await;
    drop(two);
    let answered = Instant::now();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(requests.state(), Use::Idle(answered));
}

/// A client from this address of loopback.
async fn from(address: &str, server: std::net::SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    socket.connect(server).await.unwrap()
}

#[tokio::test]
async fn one_address_does_not_take_all_places() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let settings = ServeSettings { connections: 4, connections_per_address: 2, ..ServeSettings::default() };
    let serving = tokio::spawn(serve(listener, router(), settings, stop.clone()));
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = from("127.0.0.1", address).await;
        client.write_all(GET).await.unwrap();
        let mut first = [0; 12];
        client.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        held.push(client);
    }
    let mut refused = from("127.0.0.1", address).await;
    let mut text = String::new();
    // The rest of the answer may be lost, because the server does not read the request.
    let _ = refused.read_to_string(&mut text).await;
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
    let mut other = from("127.0.0.2", address).await;
    other.write_all(GET).await.unwrap();
    let mut first = [0; 12];
    other.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    drop((held, other));
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(30), serving).await.unwrap().unwrap();
}
