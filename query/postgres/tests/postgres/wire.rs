//! Byte by byte: messages that no driver sends.

use crate::fixture::Server;
use holdfast_query::ScramFailure;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(("127.0.0.1", server.port)).await.unwrap()
}

/// All bytes until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A reset closes the connection as well.
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut all)).await;
    let _ = read.expect("the server closes the connection");
    all
}

fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = (3_u32 << 16).to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    let mut message = (body.len() as u32 + 4).to_be_bytes().to_vec();
    message.extend(body);
    message
}

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

#[tokio::test]
async fn plain_text_after_an_ssl_request_is_never_read() {
    let server = Server::start().await;
    let mut stream = connect(&server).await;
    let mut both = SSL_REQUEST.to_vec();
    both.extend(startup(&[("user", "manager")]));
    stream.write_all(&both).await.unwrap();
    let received = rest(&mut stream).await;
    // The request is granted, and the bytes after it end the connection before the handshake.
    assert!(received.is_empty() || received == b"S", "{received:?}");
}

#[tokio::test]
async fn without_a_certificate_an_ssl_request_is_declined() {
    let server = Server::with(|settings| settings.tls = None).await;
    let mut stream = connect(&server).await;
    stream.write_all(&SSL_REQUEST).await.unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"N");
    // The number of requests is limited.
    stream.write_all(&SSL_REQUEST).await.unwrap();
    stream.write_all(&SSL_REQUEST).await.unwrap();
    assert_eq!(rest(&mut stream).await, b"N");
}

#[tokio::test]
async fn invalid_first_messages_close_the_connection() {
    let server = Server::start().await;
    for bytes in [&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], &[0, 0, 0, 4], &[0, 0, 0, 8, 0, 2, 0, 0], &[0xff; 64]] {
        let mut stream = connect(&server).await;
        stream.write_all(bytes).await.unwrap();
        rest(&mut stream).await;
    }
    let mut stream = connect(&server).await;
    stream.write_all(&startup(&[])).await.unwrap();
    let received = String::from_utf8_lossy(&rest(&mut stream).await).into_owned();
    assert!(received.contains("28000") && received.contains("no user is named"), "{received}");
}

#[tokio::test]
async fn a_client_that_still_sends_is_told_why_it_is_refused() {
    let server = Server::start().await;
    let mut stream = connect(&server).await;
    stream.write_all(&startup(&[])).await.unwrap();
    // More than the buffers of the sockets hold: the server must read it, or the connection is reset.
    stream.write_all(&vec![b'x'; 32 << 20]).await.unwrap();
    let received = String::from_utf8_lossy(&rest(&mut stream).await).into_owned();
    assert!(received.contains("no user is named"), "{received}");
}

#[tokio::test]
async fn no_statement_runs_before_the_login() {
    let server = Server::start().await;
    for early in [&b"Q\0\0\0\x0dselect 1\0"[..], b"S\0\0\0\x04", b"p\0\0\0\x05x", b"Q\x3f\xff\xff\xff"] {
        let mut stream = connect(&server).await;
        stream.write_all(&startup(&[("user", "manager")])).await.unwrap();
        stream.write_all(early).await.unwrap();
        let received = String::from_utf8_lossy(&rest(&mut stream).await).into_owned();
        assert!(!received.contains("SELECT"), "{received}");
    }
    assert!(server.accesses().is_empty());
}

#[tokio::test]
async fn a_client_that_does_not_log_in_in_time_is_disconnected() {
    let server = Server::with(|settings| settings.startup_timeout = Duration::from_millis(100)).await;
    let mut silent = connect(&server).await;
    assert!(rest(&mut silent).await.is_empty());
    let mut half = connect(&server).await;
    half.write_all(&startup(&[("user", "manager")])).await.unwrap();
    // The server requests authentication, and closes the connection without a response.
    assert!(rest(&mut half).await.starts_with(b"R"));
}

/// A client's first message of SCRAM-SHA-256.
fn scram_first() -> Vec<u8> {
    let first = b"n,,n=,r=abc";
    let mut message = vec![b'p'];
    message.extend_from_slice(&(4 + 14 + 4 + first.len() as u32).to_be_bytes());
    message.extend_from_slice(b"SCRAM-SHA-256\0");
    message.extend_from_slice(&(first.len() as u32).to_be_bytes());
    message.extend_from_slice(first);
    message
}

/// The failed logins, once there are `count` of them.
async fn failed_logins(server: &Server, count: usize) -> Vec<ScramFailure> {
    for _ in 0..500 {
        let failed: Vec<_> = server.audit_trail.failed_logins.lock().unwrap().iter().map(|failed| failed.2).collect();
        if failed.len() >= count {
            return failed;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a failed login is not recorded");
}

#[tokio::test]
async fn an_exchange_that_the_client_leaves_or_delays_is_recorded_once() {
    let server = Server::with(|settings| settings.startup_timeout = Duration::from_millis(500)).await;
    let mut leaving = connect(&server).await;
    leaving.write_all(&startup(&[("user", "compliance")])).await.unwrap();
    leaving.write_all(&scram_first()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(5).any(|part| part == b"r=abc") {
        assert!(leaving.read_buf(&mut answer).await.unwrap() > 0);
    }
    drop(leaving);
    assert_eq!(failed_logins(&server, 1).await, [ScramFailure::Abandoned]);
    let mut silent = connect(&server).await;
    silent.write_all(&startup(&[("user", "compliance")])).await.unwrap();
    silent.write_all(&scram_first()).await.unwrap();
    rest(&mut silent).await;
    assert_eq!(failed_logins(&server, 2).await, [ScramFailure::Abandoned; 2]);
    let mut wrong = connect(&server).await;
    wrong.write_all(&startup(&[("user", "compliance")])).await.unwrap();
    wrong.write_all(&scram_first()).await.unwrap();
    wrong.write_all(b"p\0\0\0\x05x").await.unwrap();
    assert!(String::from_utf8_lossy(&rest(&mut wrong).await).contains("08P01"));
    let invalid = [ScramFailure::Abandoned, ScramFailure::Abandoned, ScramFailure::Invalid];
    assert_eq!(failed_logins(&server, 3).await, invalid);
}
