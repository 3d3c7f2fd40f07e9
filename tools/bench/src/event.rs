//! The events of the benchmark: chat lines of about 250 bytes of varied text.

use std::fmt::Write;

const WORDS: [&str; 32] = [
    "printer",
    "connection",
    "again",
    "please",
    "restart",
    "the",
    "update",
    "error",
    "window",
    "account",
    "password",
    "moment",
    "thanks",
    "could",
    "you",
    "see",
    "driver",
    "network",
    "still",
    "working",
    "issue",
    "screen",
    "open",
    "settings",
    "click",
    "message",
    "customer",
    "license",
    "invoice",
    "router",
    "signal",
    "tomorrow",
];

/// Writes the `n`th event into `json`: thirty lines for each session, a thousand sessions at the same time.
pub(crate) fn write(n: u64, json: &mut String) {
    json.clear();
    let (group, within) = (n / 30_000, n % 30_000);
    let (session, seq) = (group * 1_000 + within % 1_000, within / 1_000);
    let second = n / 400 % 86_400;
    let sender = if seq % 2 == 0 { "customer" } else { "agent" };
    let _ = write!(
        json,
        r#"{{"specversion":"1.0","id":"b-{session}-{seq}","source":"urn:bench","type":"chat.line","subject":"b-{session}","time":"2026-11-20T{:02}:{:02}:{:02}.{:03}Z","agent":"agent-{}","portal":"acme/help","data":{{"seq":{seq},"sender":"{sender}","text":""#,
        second / 3600,
        second / 60 % 60,
        second % 60,
        n % 1000,
        session % 40,
    );
    // Pseudorandom words (xorshift): repeated texts would compress too well.
    let mut state = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for word in 0..5 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if word > 0 {
            json.push(' ');
        }
        json.push_str(WORDS[(state % 32) as usize]);
    }
    let _ = write!(json, " {:x}\"}}}}", state >> 44);
}

/// The subject of the `n`th event, which is its key in Kafka.
pub(crate) fn key(n: u64) -> String {
    format!("b-{}", n / 30_000 * 1_000 + n % 30_000 % 1_000)
}
