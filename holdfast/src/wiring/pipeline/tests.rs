//! A server that has health and metrics alone.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use super::*;
use crate::config::{Sources, load};

/// Long enough for a busy machine; a server that waits for this thread never answers.
const LIMIT: Duration = Duration::from_secs(30);

/// How long `/healthz` took to answer.
fn answered(server: SocketAddr) -> Duration {
    let begun = Instant::now();
    let mut client = TcpStream::connect(server).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    client.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("alive\n"), "{answer}");
    begun.elapsed()
}

#[tokio::test]
async fn health_answers_while_every_thread_of_the_other_parts_is_blocked() {
    let environment = vec![("HOLDFAST__HEALTH__LISTEN".to_owned(), "127.0.0.1:0".to_owned())];
    let settings = load(&Sources { file: None, environment }).unwrap();
    let served = Pipeline::new(&settings, KafkaSettings::default()).http(false, false).await.unwrap();
    // From here on this thread, the only one of the runtime that has made the server, does not yield.
    let fastest = (0..20).map(|_| answered(served.health)).min();
    assert!(fastest.is_some_and(|fastest| fastest < Duration::from_millis(100)), "{fastest:?}");
}
