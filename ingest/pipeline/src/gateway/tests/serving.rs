//! Over a real socket: a rejected body still receives a response, and a shutdown completes requests in progress.

use holdfast_server::{ServeSettings, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;

async fn listening(fixture: &Fixture, drain: Duration) -> (TcpStream, CancellationToken, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let settings = ServeSettings { drain, ..ServeSettings::default() };
    let serving = tokio::spawn(serve(listener, fixture.gateway.router(), settings, shutdown.clone()));
    (TcpStream::connect(address).await.unwrap(), shutdown, serving)
}

fn head(length: usize) -> String {
    format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: {STRUCTURED}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )
}

async fn status_line(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_is_still_writing_receives_the_rejection() {
    let fixture = fixture(Behaviour::Acknowledge);
    let (mut stream, _shutdown, _serving) = listening(&fixture, Duration::from_secs(5)).await;
    stream.write_all(head(50 << 20).as_bytes()).await.unwrap();
    let part = vec![b' '; 1 << 20];
    for _ in 0..50 {
        stream.write_all(&part).await.unwrap();
    }
    assert_eq!(status_line(&mut stream).await, "HTTP/1.1 413 Payload Too Large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_completes_requests_in_progress() {
    let fixture = fixture(Behaviour::AcknowledgeAfter(Duration::from_millis(500)));
    let (mut stream, shutdown, serving) = listening(&fixture, Duration::from_secs(20)).await;
    let body = event("1");
    stream.write_all((head(body.len()) + &body).as_bytes()).await.unwrap();
    while fixture.sent().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shutdown.cancel();
    assert_eq!(status_line(&mut stream).await, "HTTP/1.1 202 Accepted");
    serving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_after_the_drain_time() {
    let fixture = fixture(Behaviour::Hang);
    let (mut stream, shutdown, serving) = listening(&fixture, Duration::from_millis(200)).await;
    let body = event("1");
    stream.write_all((head(body.len()) + &body).as_bytes()).await.unwrap();
    while fixture.sent().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(10), serving).await.unwrap().unwrap();
}
