//! Bodies: compressed, damaged, too large, too slow.

use std::io::Write as _;

use axum::body::Bytes;
use futures::stream;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn encoded(encoding: &str, content_type: &str, body: Vec<u8>) -> Request<Body> {
    let request = events_request().header("content-type", content_type).header("content-encoding", encoding);
    request.body(body.into()).unwrap()
}

#[tokio::test]
async fn compressed_bodies_are_decompressed() {
    let fixture = fixture(Behaviour::Acknowledge);
    let plain = batch((0..90).map(|id| id.to_string()));
    let two_members = [gzip(&plain.as_bytes()[..50]), gzip(&plain.as_bytes()[50..])].concat();
    for (encoding, body) in [
        ("gzip", gzip(plain.as_bytes())),
        ("GZIP", two_members),
        ("zstd", zstd(plain.as_bytes())),
        ("identity", plain.clone().into_bytes()),
    ] {
        let response = fixture.send(encoded(encoding, BATCH, body)).await;
        assert_eq!((response.status, &response.body["accepted"]), (StatusCode::ACCEPTED, &90.into()), "{encoding}");
    }
    assert_eq!(fixture.sent().len(), 360);
    assert_eq!(fixture.sent()[359].value, event("89").into_bytes());
    fixture.assert_idle();
}

#[tokio::test]
async fn a_decompression_bomb_is_too_large_and_stays_within_the_budget() {
    let fixture = fixture(Behaviour::Acknowledge);
    // 60 MB of spaces: 60 kB in gzip, a few kB in zstd; 150 times what a batch may have.
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..60 {
        gzip.write_all(&spaces).unwrap();
        zstd.write_all(&spaces).unwrap();
    }
    for (encoding, body) in [("gzip", gzip.finish().unwrap()), ("zstd", zstd.finish().unwrap())] {
        assert!(body.len() < 100_000);
        let response = fixture.send(encoded(encoding, BATCH, body)).await;
        assert_eq!(
            (response.status, response.reason()),
            (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            "{encoding}"
        );
        fixture.assert_idle();
    }
}

#[tokio::test]
async fn a_zstd_window_larger_than_http_allows_is_refused() {
    let fixture = fixture(Behaviour::Acknowledge);
    let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    writer.window_log(27).unwrap();
    writer.write_all(event("1").as_bytes()).unwrap();
    let response = fixture.send(encoded("zstd", STRUCTURED, writer.finish().unwrap())).await;
    assert_eq!((response.status, response.reason()), (StatusCode::BAD_REQUEST, "invalid_compression"));
}

#[tokio::test]
async fn damaged_and_unknown_compression_is_refused() {
    let fixture = fixture(Behaviour::Acknowledge);
    let plain = event("1").into_bytes();
    let (mut flipped, whole) = (gzip(&plain), gzip(&plain));
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    for (encoding, body) in [
        ("gzip", plain.clone()),
        ("zstd", plain.clone()),
        ("gzip", whole[..whole.len() - 9].to_vec()),
        ("gzip", [whole.as_slice(), b"more"].concat()),
        ("gzip", flipped),
        ("zstd", zstd(&plain)[..20].to_vec()),
        ("zstd", whole.clone()),
    ] {
        let response = fixture.send(encoded(encoding, STRUCTURED, body)).await;
        assert_eq!(
            (response.status, response.reason()),
            (StatusCode::BAD_REQUEST, "invalid_compression"),
            "{encoding}"
        );
    }
    for encoding in ["br", "deflate", "gzip, zstd", "gzip, gzip"] {
        let response = fixture.send(encoded(encoding, STRUCTURED, whole.clone())).await;
        assert_eq!((response.status, response.reason()), (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding"));
        assert_eq!(response.header("accept-encoding"), Some("gzip, zstd"));
    }
    assert_eq!(fixture.sent(), []);
    fixture.assert_idle();
}

#[tokio::test]
async fn fifty_megabytes_are_too_large_with_and_without_a_content_length() {
    let fixture = fixture(Behaviour::Acknowledge);
    let part = Bytes::from(vec![b' '; 1 << 20]);
    let announced = fixture.post(BATCH, vec![b' '; 50 << 20]).await;
    let parts = stream::iter((0..50).map(move |_| Ok::<_, std::io::Error>(part.clone())));
    let streamed = fixture.post(BATCH, Body::from_stream(parts)).await;
    for response in [announced, streamed] {
        assert_eq!((response.status, response.reason()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"));
        assert!(response.detail().contains("400000 bytes"));
    }
    fixture.assert_idle();
}

#[tokio::test]
async fn every_limit_has_its_own_reason() {
    let fixture = fixture(Behaviour::Acknowledge);
    let padded = |size: usize| event("1").replace("hello", &"x".repeat(size));
    let just = padded(100_000 - event("1").len() + 5);
    assert_eq!(just.len(), 100_000);
    assert_eq!(fixture.post(STRUCTURED, just.clone()).await.status, StatusCode::ACCEPTED);
    let over = just.replace("xx\"", "xxx\"");
    let response = fixture.post(STRUCTURED, over.clone()).await;
    assert_eq!((response.status, response.reason()), (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"));
    let response = fixture.post(BATCH, format!("[{},{over}]", event("1"))).await;
    assert_eq!((response.status, response.reason()), (StatusCode::PAYLOAD_TOO_LARGE, "event_too_large"));
    assert_eq!(response.body["index"], 1);
    let response = fixture.post(BATCH, batch((0..101).map(|id| id.to_string()))).await;
    assert_eq!((response.status, response.reason()), (StatusCode::PAYLOAD_TOO_LARGE, "too_many_events"));
    assert_eq!(fixture.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_times_out() {
    let fixture = fixture(Behaviour::Acknowledge);
    let response =
        fixture.post(STRUCTURED, Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())).await;
    assert_eq!((response.status, response.reason()), (StatusCode::REQUEST_TIMEOUT, "body_timeout"));
    let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("reset"))]);
    let response = fixture.post(STRUCTURED, Body::from_stream(broken)).await;
    assert_eq!((response.status, response.reason()), (StatusCode::BAD_REQUEST, "incomplete_body"));
    fixture.assert_idle();
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_does_not_delay_other_requests() {
    let fixture = fixture(Behaviour::Acknowledge);
    let slow = stream::unfold(0, |part| async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let text = event("slow");
        let half = text.len() / 2;
        match part {
            0 => Some((Ok::<_, std::io::Error>(Bytes::from(text[..half].to_owned())), 1)),
            1 => Some((Ok(Bytes::from(text[half..].to_owned())), 2)),
            _ => None,
        }
    });
    let (slow, quick) =
        tokio::join!(fixture.post(STRUCTURED, Body::from_stream(slow)), fixture.post(STRUCTURED, event("quick")));
    assert_eq!([slow.status, quick.status], [StatusCode::ACCEPTED; 2]);
    assert_eq!(fixture.sent()[0].key, "s-quick");
    fixture.assert_idle();
}
