//! A benchmark, not a test: `cargo test -p holdfast-query --test query -- --ignored --nocapture measure`.

use crate::fixture::{Fixture, MAY, TOPIC, rows};
use holdfast_events::{EventBatchBuilder, Position, Timestamp, decode_structured};
use std::io::Write;
use std::time::Instant;

/// A million chat lines of about 250 bytes in four files, 50 a session.
#[tokio::test]
#[ignore = "it measures"]
async fn measure() {
    const FILES: i64 = 4;
    const ROWS: i64 = 250_000;
    let mut fixture = Fixture::empty();
    for file in 0..FILES {
        let mut batch = EventBatchBuilder::new();
        for row in 0..ROWS {
            let n = file * ROWS + row;
            let (subject, seq) = (n / 50, n % 50);
            let line = format!(
                r#"{{"specversion":"1.0","id":"line-{n:09}","source":"urn:desk:chat","type":"chat.line","subject":"S-{subject:07}","time":"2026-05-10T{:02}:{:02}:{:02}Z","data":{{"seq":{seq},"sender":"agent","text":"Could you please restart the program and tell me what number {n} says?"}}}}"#,
                n / 3600 / 60 % 24,
                n / 60 % 60,
                n % 60
            );
            let event = decode_structured(line.as_bytes()).unwrap();
            batch.append(&event, Position { topic: TOPIC, partition: 0, offset: n }, Timestamp(0), false, None);
        }
        fixture.commit(MAY, batch.finish(), file * ROWS).await;
    }
    let session = fixture.as_officer();
    let mut out = std::io::stderr();
    for (name, sql) in [
        ("first statement", "select 1"),
        ("count(*), footers cold", "select count(*) from events"),
        ("count(*), footers warm", "select count(*) from events"),
        ("count of one sender", "select count(*) from events where sender = 'agent'"),
        ("lookup of one session", "select id, data from events where subject = 'S-0012345'"),
        ("lookup of one session, again", "select id, data from events where subject = 'S-0012345'"),
        ("chat_lines of one session", "select seq, text from chat_lines where session = 'S-0012345'"),
        ("sessions, one", "select * from sessions where session = 'S-0012345'"),
        ("full text search", "select count(*) from events where data like '%number 777777 %'"),
        ("count(*) of chat_lines", "select count(*) from chat_lines"),
        ("sessions, all", "select count(*), sum(chat_lines) from sessions"),
        ("duplicates, all", "select count(*) from duplicates"),
    ] {
        let start = Instant::now();
        let rows = rows(&session, sql).await;
        let answer = if rows.len() == 1 { rows[0].clone() } else { format!("{} rows", rows.len()) };
        writeln!(out, "{name}: {:.0} ms, {answer}", start.elapsed().as_secs_f64() * 1000.0).unwrap();
    }
    let (footers, bytes) = fixture.footers.usage();
    writeln!(out, "footers cached: {footers}, {} KiB", bytes >> 10).unwrap();
    let start = Instant::now();
    let timeline = holdfast_query::timeline(&session, "S-0012345").await.unwrap();
    let rows = crate::fixture::lines(timeline).await.unwrap().len();
    writeln!(out, "timeline of one session: {:.0} ms, {rows} rows", start.elapsed().as_secs_f64() * 1000.0).unwrap();
}
