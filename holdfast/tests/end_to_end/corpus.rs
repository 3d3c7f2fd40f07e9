//! A real corpus of chats, imported with `holdfast import` and queried in SQL.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use holdfast_testkit::{chitchat, require};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::installation::Installation;

/// All of it: 258,145 lines of chat.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_returns_the_chat_corpus_as_it_was_imported() {
    let corpus = require!(chitchat::fetch(None));
    let summary = &corpus.summary;
    let installation = Installation::new().await;
    let begun = Instant::now();
    let file = corpus.events_path.display().to_string();
    let imported = installation.program.run(&["import", &file, "--json"], Duration::from_secs(240)).await.unwrap();
    let imported: Value = serde_json::from_str(&imported.success()).unwrap();
    println!("imported {} events in {:?}", summary.events, begun.elapsed());
    assert_eq!(imported["events"].as_u64(), Some(summary.events), "{imported}");
    assert_eq!(imported["dead_letters"], 0);

    let counts = installation
        .sql(
            "SELECT count(*) AS events, count(*) FILTER (WHERE type = 'chat.line') AS chat_lines, \
             count(*) FILTER (WHERE type = 'survey.submitted') AS surveys, count(DISTINCT subject) AS sessions, \
             to_char(min(time), 'YYYY-MM-DD\"T\"HH24:MI:SS.US') AS first, to_char(max(time), 'YYYY-MM-DD\"T\"HH24:MI:SS.US') AS last \
             FROM archive.events",
        )
        .await;
    let count = |name: &str| counts[0][name].as_u64();
    assert_eq!(count("events"), Some(summary.events));
    assert_eq!(count("chat_lines"), Some(summary.chat_lines));
    assert_eq!(count("surveys"), Some(summary.surveys));
    assert_eq!(count("sessions"), Some(summary.sessions));
    for (name, expected) in [("first", &summary.first), ("last", &summary.last)] {
        let found = counts[0][name].as_str().unwrap();
        assert_eq!(instant(&format!("{found}Z")), instant(expected), "{name}");
    }

    let rows = installation.sql("SELECT rating, count(*) AS n FROM archive.surveys GROUP BY rating").await;
    let ratings: BTreeMap<String, u64> =
        rows.iter().map(|row| (row["rating"].to_string(), row["n"].as_u64().unwrap())).collect();
    assert_eq!(ratings, summary.ratings);

    let lines = installation.sql("SELECT session, sender, text FROM archive.chat_lines ORDER BY session, seq").await;
    let mut digests: BTreeMap<&str, Sha256> = BTreeMap::new();
    for line in &lines {
        let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}"));
        let digest = digests.entry(text("session")).or_default();
        digest.update(format!("{}\t{}\n", text("sender"), text("text")));
    }
    let digests: BTreeMap<String, String> = digests
        .into_iter()
        .map(|(session, digest)| {
            let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            (session.to_owned(), hex)
        })
        .collect();
    let differing = summary.transcript_sha256.iter().filter(|(session, hash)| digests.get(*session) != Some(*hash));
    assert_eq!(differing.count(), 0, "transcripts differ");
    assert_eq!(digests.len(), summary.transcript_sha256.len());
    println!("imported and queried in {:?}", begun.elapsed());
}

fn instant(text: &str) -> holdfast_events::Timestamp {
    holdfast_events::Timestamp::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}
