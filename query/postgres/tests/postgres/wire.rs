//! Byte by byte: what no driver would send.

use crate::fixture::Server;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(("127.0.0.1", server.port)).await.unwrap()
}

/// Everything that the server says until it hangs up.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // Being cut off is a way of being hung up on.
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut all)).await;
    let _ = read.expect("the server hangs up");
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

const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

#[tokio::test]
async fn plain_text_behind_a_wish_for_tls_is_never_read() {
    let server = Server::start().await;
    let mut stream = connect(&server).await;
    let mut both = TLS_REQUEST.to_vec();
    both.extend(startup(&[("user", "manager")]));
    stream.write_all(&both).await.unwrap();
    let said = rest(&mut stream).await;
    // The wish is granted, and what came with it ends the connection before any handshake.
    assert!(said.is_empty() || said == b"S", "{said:?}");
}

#[tokio::test]
async fn without_a_certificate_the_wish_for_tls_is_declined() {
    let server = Server::with(|settings| settings.tls = None).await;
    let mut stream = connect(&server).await;
    stream.write_all(&TLS_REQUEST).await.unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"N");
    // For ever it is not asked.
    stream.write_all(&TLS_REQUEST).await.unwrap();
    stream.write_all(&TLS_REQUEST).await.unwrap();
    assert_eq!(rest(&mut stream).await, b"N");
}

#[tokio::test]
async fn nonsense_is_hung_up_on() {
    let server = Server::start().await;
    for bytes in [&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], &[0, 0, 0, 4], &[0, 0, 0, 8, 0, 2, 0, 0], &[0xff; 64]] {
        let mut stream = connect(&server).await;
        stream.write_all(bytes).await.unwrap();
        rest(&mut stream).await;
    }
    let mut stream = connect(&server).await;
    stream.write_all(&startup(&[])).await.unwrap();
    let said = String::from_utf8_lossy(&rest(&mut stream).await).into_owned();
    assert!(said.contains("28000") && said.contains("no user is named"), "{said}");
}

#[tokio::test]
async fn nothing_is_answered_before_the_proof() {
    let server = Server::start().await;
    for early in [&b"Q\0\0\0\x0dselect 1\0"[..], b"S\0\0\0\x04", b"p\0\0\0\x05x", b"Q\x3f\xff\xff\xff"] {
        let mut stream = connect(&server).await;
        stream.write_all(&startup(&[("user", "manager")])).await.unwrap();
        stream.write_all(early).await.unwrap();
        let said = String::from_utf8_lossy(&rest(&mut stream).await).into_owned();
        assert!(!said.contains("SELECT"), "{said}");
    }
    assert!(server.accesses().is_empty());
}

#[tokio::test]
async fn who_says_nothing_is_hung_up_on() {
    let server = Server::with(|settings| settings.startup_timeout = Duration::from_millis(100)).await;
    let mut silent = connect(&server).await;
    assert!(rest(&mut silent).await.is_empty());
    let mut half = connect(&server).await;
    half.write_all(&startup(&[("user", "manager")])).await.unwrap();
    // It is asked for its proof, gives none, and that is the end.
    assert!(rest(&mut half).await.starts_with(b"R"));
}
