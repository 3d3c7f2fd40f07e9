//! How fast chat lines are sealed. Not run by itself: `cargo test -p holdfast-archive --test archive -- --ignored
//! speed`.

use super::fixture::*;
use holdfast_archive::{Advance, Table};
use holdfast_events::{EventBatchBuilder, Position, decode_structured};
use std::io::Write;
use std::time::Instant;

const FILES: i64 = 50;
const ROWS: i64 = 20_000;
const WORDS: [&str; 16] = [
    "printer", "offline", "since", "this", "morning", "please", "restart", "the", "spooler", "and", "tell", "me",
    "which", "error", "code", "appears",
];

#[tokio::test]
#[ignore = "a measurement"]
async fn speed_of_sealing_a_million_chat_lines() {
    let fixture = Fixture::new();
    let mut random = 1u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    for file in 0..FILES {
        let mut builder = EventBatchBuilder::new();
        for row in 0..ROWS {
            let number = file * ROWS + row;
            let words: Vec<&str> = (0..6 + next(12)).map(|_| WORDS[next(16) as usize]).collect();
            let session = format!("{:08x}-4f1c-4b7e-9f37-{:012x}", 1_000 + next(400) + file as u64 * 80, next(1));
            let text = format!("{} {}", words.join(" "), next(1_000_000));
            let event = line(&session, number, DATE, &text).replace(&format!("{session}/"), &format!("{number:x}-"));
            let position = Position { topic: "t", partition: 0, offset: number };
            builder.append(&decode_structured(event.as_bytes()).unwrap(), position, NOW, false, None);
        }
        let expected = (file > 0).then_some(file * ROWS);
        let advance = Advance { topic: "t".to_owned(), partition: 0, expected, next: (file + 1) * ROWS };
        fixture.commit(Table::Events, vec![(DATE, builder.finish())], Vec::new(), &[advance]).await;
    }
    let started = Instant::now();
    let sealed = fixture.seal().await;
    let seconds = started.elapsed().as_secs_f64();
    let _ = writeln!(
        std::io::stderr(),
        "{} rows in {} files became {} in {seconds:.2} s: {:.0} rows/s, {:.1} -> {:.1} MB",
        sealed.rows,
        sealed.files_before,
        sealed.files_after,
        sealed.rows as f64 / seconds,
        sealed.bytes_before as f64 / 1e6,
        sealed.bytes_after as f64 / 1e6,
    );
    assert_eq!(sealed.rows, (FILES * ROWS) as u64);
}
