//! Code from outside reads what the program wrote, and checks it: no reader needs Holdfast, and no mistake of ours that
//! writes and reads alike stays unseen.
//!
//! ```text
//! demo + dead letters ─▶ archive ─┬─▶ proof/, proof of an event ─▶ Go: sumdb/note and sumdb/tlog
//!                                 ├─▶ Parquet, Delta logs       ─▶ Python: PyArrow, pyrage, docs/formats.md
//!                                 └─▶ key ring, recordings      ─▶ the stock age command
//! ```

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use holdfast_testkit::kafka::clients::{self, Record};
use holdfast_testkit::{require, tools};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::place::{LIMIT, Place, stop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checksum_database_of_go_verifies_the_log_and_a_proof() {
    let checker = require!(tools::go_checker());
    // Small commits, so that the log has more leaves than one tile, and several checkpoints.
    let place = Place::new().await.set("ARCHIVE__FLUSH_ROWS", "40").set("PROOF__KEEP_EVERY_SECONDS", "0");
    fill(&place, 80).await;
    let (log, keys) = (place.path().join("archive/proof"), place.secret("signing.pub"));
    let check_log = || run(&checker, &["checkpoint", "--log", text(&log), "--vkey", text(&keys)]);
    let said = check_log().unwrap();
    let leaves: u64 = said.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(said.starts_with("ok ") && leaves > 256, "{said}");
    assert!(!said.contains(" 0 kept checkpoints") && said.contains(", events ") && said.contains(", dead_letters "));

    let oldest = walk(&log.join("checkpoints")).into_iter().min().unwrap();
    let upper = walk(&log.join("tile/1")).into_iter().max().unwrap();
    for (file, expected) in [
        (log.join("tile/0/000"), "tile/0/000 has not the hashes of its entries"),
        (upper, "the tiles are not those of the checkpoint"),
        (log.join("tile/entries/000"), "the entries are not those of the checkpoint"),
        (log.join("checkpoint"), "checkpoint: "),
        (oldest, "checkpoints/"),
    ] {
        let refused = with_a_change(&file, |bytes| bytes[7] ^= 1, check_log).expect_err("a byte was changed");
        assert!(refused.contains(expected), "{}: {refused}", file.display());
    }
    check_log().unwrap();

    let event = place.sql("SELECT id FROM archive.events WHERE type = 'chat.line' ORDER BY time LIMIT 1").await;
    let proof = place.path().join("event.proof");
    let proven = place.run(&["prove", event[0]["id"].as_str().unwrap(), "--out", text(&proof)]).await;
    assert_eq!(proven.success(), "");
    let check_proof = || run(&checker, &["proof", "--vkey", text(&keys), text(&proof)]);
    let said = check_proof().unwrap();
    assert!(said.starts_with("ok record ") && said.trim().ends_with(&format!("of {leaves}")), "{said}");

    let whole: Value = serde_json::from_slice(&std::fs::read(&proof).unwrap()).unwrap();
    for (member, expected) in [
        ("record", "the record is not in the batch"),
        ("leaf", "the leaf is not in the log"),
        ("checkpoint", "checkpoint: "),
    ] {
        let mut changed = whole.clone();
        let value = changed[member].as_str().unwrap();
        let other = match member {
            "record" => value.replacen('a', "b", 1),
            "leaf" => value.replacen("holdfast.events", "holdfast.evenst", 1),
            _ => value.replacen('\n', "\n1", 1),
        };
        assert_ne!(other, value);
        changed[member] = other.into();
        let refused = with_a_change(&proof, |bytes| *bytes = changed.to_string().into_bytes(), check_proof);
        let refused = refused.expect_err("the proof was changed");
        assert!(refused.contains(expected), "{member}: {refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pyarrow_and_age_read_what_was_archived() {
    let (python, age) = (require!(tools::python()), require!(tools::age()));
    let place = Place::new().await.set("ARCHIVE__FLUSH_INTERVAL_SECONDS", "1");
    fill(&place, 20).await;
    python_reads(&place, &python).await;
    age_opens_a_recording(&place, &age).await;
}

async fn python_reads(place: &Place, python: &Path) {
    let archive = place.path().join("archive");
    let (script, identity) = (tools::foreign_script("read_parquet.py"), place.secret("compliance.identity"));
    let log = archive.join("tables/events/_delta_log");
    let entry = entries(&log).find(|(_, entry)| entry.contains(r#"{"add":"#)).expect("something was added").0;
    let path = std::fs::read_to_string(&entry).unwrap();
    let mut path = path
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["add"]["path"].as_str().map(str::to_owned));
    let file = format!("tables/events/{}", path.next_back().unwrap());
    let read = || run(python, &[text(&script), text(&archive), text(&identity), &file]);

    let said = read().unwrap();
    let mut lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let same = lines.pop().unwrap()["same"].take();
    let archived = place.number("SELECT count(*) AS n FROM archive.events").await;
    assert_eq!(same["records"], archived + 2, "every event and both dead letters: {same}");
    assert!(same["leaves"].as_u64() > Some(10) && same["files"].as_u64() > Some(1) && same["passed over"].is_null());

    let rows = lines.remove(0)["rows"].as_u64().unwrap();
    assert!(rows > 0 && rows == lines.len() as u64, "{rows} rows");
    let names = ["type", "subject", "kafka_topic", "kafka_partition", "kafka_offset"];
    let known = place.sql(&format!("SELECT {} FROM archive.events", names.join(", "))).await;
    for line in lines {
        assert!(known.iter().any(|row| names.iter().all(|name| row[name] == line[name])), "{line} is no row");
    }

    // An attested root that is not that of the rows, and an entry of the log that no commit brought.
    let other_root = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        let (before, root) = text.split_once(r#"\"root\":\""#).expect("a batch");
        let first = if root.starts_with('A') { "B" } else { "A" };
        *bytes = format!(r#"{before}\"root\":\"{first}{}"#, &root[1..]).into_bytes();
    };
    let refused = with_a_change(&entry, other_root, read).expect_err("a root was changed");
    assert!(refused.contains("root of batch"), "{refused}");
    let bundles = archive.join("proof/tile/entries");
    // Of partial bundles the one before may still be there; the widest is that of the newest tree.
    let width = |path: &std::path::PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let bundle = walk(&bundles).into_iter().max_by_key(width).expect("entries");
    let refused = with_a_change(&bundle, |bytes| bytes[9] ^= 1, read).expect_err("an entry was changed");
    assert!(refused.contains("tile/entries/"), "{refused}");

    // The same events once they are sealed: every batch is computed anew from other files.
    let done: Value = serde_json::from_str(&place.run(&["seal", "--now", "--json"]).await.success()).unwrap();
    assert_eq!(done["sealed"]["rows"], same["records"], "{done:#}");
    let said = run(python, &[text(&script), text(&archive), text(&identity)]).unwrap();
    let sealed: Value = serde_json::from_str(&said).unwrap();
    for count in ["records", "batches"] {
        assert_eq!(sealed["same"][count], same[count], "{count}: {sealed} after {same}");
    }
}

/// The key ring and a recording by hand, as docs/formats.md says.
async fn age_opens_a_recording(place: &Place, age: &Path) {
    let archive = place.path().join("archive");
    let statement = "SELECT object_path, object_offset, size, sha256, class, date FROM archive.events \
                     WHERE object_path IS NOT NULL ORDER BY object_path, object_offset";
    let chunks = place.sql(statement).await;
    let path = chunks[0]["object_path"].as_str().unwrap();
    let chunks: Vec<&Value> = chunks.iter().filter(|chunk| chunk["object_path"] == path).collect();
    let month = chunks[0]["date"].as_str().unwrap().get(..7).unwrap();
    let ring = archive.join(format!("keys/content/{}/{month}.age", chunks[0]["class"].as_str().unwrap()));

    let key = place.path().join("content.key");
    let opened = decrypt(age, &place.secret("compliance.identity"), &ring).unwrap();
    std::fs::write(&key, opened).unwrap();
    let recording = decrypt(age, &key, &archive.join(path)).unwrap();
    let mut end = 0;
    for chunk in &chunks {
        let (at, size) = (chunk["object_offset"].as_u64().unwrap() as usize, chunk["size"].as_u64().unwrap() as usize);
        let bytes = &recording[at..at + size];
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(chunk["sha256"], digest, "{chunk}");
        assert_eq!(at, end, "chunks lie one behind the other");
        end = at + size;
    }
    assert_eq!(end, recording.len(), "{} chunks are the whole object", chunks.len());

    let manager = decrypt(age, &place.secret("manager.identity"), &ring);
    assert!(manager.is_err_and(|why| why.contains("no identity matched")), "managers have no key to content");
}

/// Archives what the demo makes up, and two messages that are no events; then everything is in the proof log.
async fn fill(place: &Place, sessions: usize) {
    let server = place.serve().await;
    let letters = [
        Record::new("holdfast.events", "no event").key("k").header("who", "nobody"),
        Record::new("holdfast.recordings", vec![0xff, 0xfe]).key("k"),
    ];
    clients::produce(&place.broker, &letters).await.expect("the built-in broker acknowledges");
    let arguments = ["demo", "--dir", ".", "--sessions", &sessions.to_string(), "--exit", "--json"];
    let told = place.program.run(&arguments, LIMIT).await.unwrap().success();
    assert!(told.contains("archived_events"), "{told}");
    let mut tries = 60;
    while place.number("SELECT count(*) AS n FROM archive.dead_letters").await < 2 {
        tries -= 1;
        assert!(tries > 0, "two messages are no events");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    stop(server).await;
}

/// What a command says; the error is how it ended and what it complained of.
fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().unwrap_or_else(|error| panic!("{error}: {command:?}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(output.stdout) } else { Err(format!("{}: {complaint}", output.status)) }
}

fn run(program: &Path, arguments: &[&str]) -> Result<String, String> {
    Ok(String::from_utf8(output(Command::new(program).args(arguments))?).expect("it writes UTF-8"))
}

fn decrypt(age: &Path, identity: &Path, file: &Path) -> Result<Vec<u8>, String> {
    output(Command::new(age).arg("--decrypt").arg("-i").arg(identity).arg(file))
}

/// Does something while a file is another one, and puts the file back.
fn with_a_change<T>(file: &Path, change: impl FnOnce(&mut Vec<u8>), then: impl FnOnce() -> T) -> T {
    let before = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut after = before.clone();
    change(&mut after);
    assert_ne!(before, after, "{}", file.display());
    std::fs::write(file, after).unwrap();
    let result = then();
    std::fs::write(file, before).unwrap();
    result
}

/// The entries of a Delta log and their texts, in order.
fn entries(log: &Path) -> impl Iterator<Item = (PathBuf, String)> {
    let mut paths = walk(log);
    paths.retain(|path| path.extension() == Some(OsStr::new("json")));
    paths.sort();
    paths.into_iter().map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path, text)
    })
}

/// All files in a folder and below.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is UTF-8")
}
