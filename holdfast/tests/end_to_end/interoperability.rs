//! Independent implementations read and check what the program wrote: no reader needs Holdfast, and a mistake that our
//! writer and our reader share is found.
//!
//! ```text
//! demo + dead letters ─▶ archive ─┬─▶ proof/, proof of an event ─▶ Go: sumdb/note and sumdb/tlog
//!                                 ├─▶ Parquet, Delta logs       ─▶ Python: PyArrow, pyrage, docs/formats.md
//!                                 └─▶ key ring, recordings      ─▶ the age command
//! ```

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use holdfast_testkit::kafka::clients::{self, Record};
use holdfast_testkit::{require, tools};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::installation::{Installation, TIMEOUT, stop};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_checksum_database_of_go_verifies_the_log_and_a_proof() {
    let checker = require!(tools::go_checker());
    // Small commits, so that the log has more leaves than one tile, and several checkpoints.
    let installation = Installation::new().await.set("ARCHIVE__FLUSH_ROWS", "40").set("PROOF__KEEP_EVERY_SECONDS", "0");
    fill(&installation, 80).await;
    let (log, keys) = (installation.path().join("archive/proof"), installation.secret("signing.pub"));
    let check_log = || run(&checker, &["checkpoint", "--log", text(&log), "--vkey", text(&keys)]);
    let printed = check_log().unwrap();
    let leaves: u64 = printed.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(printed.starts_with("ok ") && leaves > 256, "{printed}");
    assert!(!printed.contains(" 0 kept checkpoints"));
    assert!(printed.contains(", events ") && printed.contains(", dead_letters "));

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

    let event = installation.sql("SELECT id FROM archive.events WHERE type = 'chat.line' ORDER BY time LIMIT 1").await;
    let proof = installation.path().join("event.proof");
    let proven = installation.run(&["prove", event[0]["id"].as_str().unwrap(), "--out", text(&proof)]).await;
    assert_eq!(proven.success(), "");
    let check_proof = || run(&checker, &["proof", "--vkey", text(&keys), text(&proof)]);
    let printed = check_proof().unwrap();
    assert!(printed.starts_with("ok record ") && printed.trim().ends_with(&format!("of {leaves}")), "{printed}");

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
    let installation = Installation::new().await.set("ARCHIVE__FLUSH_INTERVAL_SECONDS", "1");
    fill(&installation, 20).await;
    python_reads(&installation, &python).await;
    age_opens_a_recording(&installation, &age).await;
}

async fn python_reads(installation: &Installation, python: &Path) {
    let archive = installation.path().join("archive");
    let (script, identity) = (tools::foreign_script("read_parquet.py"), installation.secret("compliance.identity"));
    let log = archive.join("tables/events/_delta_log");
    let entry = entries(&log).find(|(_, entry)| entry.contains(r#"{"add":"#)).expect("something was added").0;
    let path = std::fs::read_to_string(&entry).unwrap();
    let mut path = path
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok()?["add"]["path"].as_str().map(str::to_owned));
    let file = format!("tables/events/{}", path.next_back().unwrap());
    let read = || run(python, &[text(&script), text(&archive), text(&identity), &file]);

    let printed = read().unwrap();
    let mut lines: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let same = lines.pop().unwrap()["same"].take();
    let archived = installation.number("SELECT count(*) AS n FROM archive.events").await;
    assert_eq!(same["records"], archived + 2, "every event and both dead letters: {same}");
    assert!(same["leaves"].as_u64() > Some(10) && same["files"].as_u64() > Some(1) && same["passed over"].is_null());

    let rows = lines.remove(0)["rows"].as_u64().unwrap();
    assert!(rows > 0 && rows == lines.len() as u64, "{rows} rows");
    let names = ["type", "subject", "kafka_topic", "kafka_partition", "kafka_offset"];
    let known = installation.sql(&format!("SELECT {} FROM archive.events", names.join(", "))).await;
    for line in lines {
        assert!(known.iter().any(|row| names.iter().all(|name| row[name] == line[name])), "{line} is no row");
    }

    // An attested root that is not the root of the rows, and an entry of the log that is not in any commit.
    let other_root = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        let (before, root) = text.split_once(r#"\"root\":\""#).expect("a batch");
        let first = if root.starts_with('A') { "B" } else { "A" };
        *bytes = format!(r#"{before}\"root\":\"{first}{}"#, &root[1..]).into_bytes();
    };
    let refused = with_a_change(&entry, other_root, read).expect_err("a root was changed");
    assert!(refused.contains("root of batch"), "{refused}");
    let bundles = archive.join("proof/tile/entries");
    // An older partial bundle may still exist. The widest one belongs to the newest tree.
    let width = |path: &std::path::PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let bundle = walk(&bundles).into_iter().max_by_key(width).expect("entries");
    let refused = with_a_change(&bundle, |bytes| bytes[9] ^= 1, read).expect_err("an entry was changed");
    assert!(refused.contains("tile/entries/"), "{refused}");

    // The same events after sealing: all batches are computed again, from other files.
    let done: Value = serde_json::from_str(&installation.run(&["seal", "--now", "--json"]).await.success()).unwrap();
    assert_eq!(done["sealed"]["rows"], same["records"], "{done:#}");
    let printed = run(python, &[text(&script), text(&archive), text(&identity)]).unwrap();
    let sealed: Value = serde_json::from_str(&printed).unwrap();
    for count in ["records", "batches"] {
        assert_eq!(sealed["same"][count], same[count], "{count}: {sealed} after {same}");
    }
}

/// The key ring and a recording by hand, as docs/formats.md describes.
async fn age_opens_a_recording(installation: &Installation, age: &Path) {
    let archive = installation.path().join("archive");
    let statement = "SELECT object_path, object_offset, size, sha256, class, date FROM archive.events \
                     WHERE object_path IS NOT NULL ORDER BY object_path, object_offset";
    let chunks = installation.sql(statement).await;
    let path = chunks[0]["object_path"].as_str().unwrap();
    let chunks: Vec<&Value> = chunks.iter().filter(|chunk| chunk["object_path"] == path).collect();
    let month = chunks[0]["date"].as_str().unwrap().get(..7).unwrap();
    let ring = archive.join(format!("keys/content/{}/{month}.age", chunks[0]["class"].as_str().unwrap()));

    let key = installation.path().join("content.key");
    let opened = decrypt(age, &installation.secret("compliance.identity"), &ring).unwrap();
    std::fs::write(&key, opened).unwrap();
    let recording = decrypt(age, &key, &archive.join(path)).unwrap();
    let mut end = 0;
    for chunk in &chunks {
        let (at, size) = (chunk["object_offset"].as_u64().unwrap() as usize, chunk["size"].as_u64().unwrap() as usize);
        let bytes = &recording[at..at + size];
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(chunk["sha256"], digest, "{chunk}");
        assert_eq!(at, end, "chunks are contiguous");
        end = at + size;
    }
    assert_eq!(end, recording.len(), "{} chunks are the whole object", chunks.len());

    let manager = decrypt(age, &installation.secret("manager.identity"), &ring);
    assert!(manager.is_err_and(|why| why.contains("no identity matched")), "managers have no key to content");
}

/// Archives what the demo generates, and two messages that are not events. Then the server stops, and everything is in
/// the proof log.
async fn fill(installation: &Installation, sessions: usize) {
    let server = installation.serve().await;
    let letters = [
        Record::new("holdfast.events", "no event").key("k").header("producer", "crm-bridge"),
        Record::new("holdfast.recordings", vec![0xff, 0xfe]).key("k"),
    ];
    clients::produce(&installation.broker, &letters).await.expect("the built-in broker acknowledges");
    let arguments = ["demo", "--dir", ".", "--sessions", &sessions.to_string(), "--exit", "--json"];
    let printed = installation.program.run(&arguments, TIMEOUT).await.unwrap().success();
    assert!(printed.contains("archived_events"), "{printed}");
    let mut tries = 60;
    while installation.number("SELECT count(*) AS n FROM archive.dead_letters").await < 2 {
        tries -= 1;
        assert!(tries > 0, "the two messages did not become dead letters in time");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    stop(server).await;
}

/// Standard output of a command; the error is its exit status and standard error.
fn output(command: &mut Command) -> Result<Vec<u8>, String> {
    let output = command.output().unwrap_or_else(|error| panic!("{error}: {command:?}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(output.stdout) } else { Err(format!("{}: {stderr}", output.status)) }
}

fn run(program: &Path, arguments: &[&str]) -> Result<String, String> {
    Ok(String::from_utf8(output(Command::new(program).args(arguments))?).expect("it writes UTF-8"))
}

fn decrypt(age: &Path, identity: &Path, file: &Path) -> Result<Vec<u8>, String> {
    output(Command::new(age).arg("--decrypt").arg("-i").arg(identity).arg(file))
}

/// Runs `then` while a file is changed, and restores the file.
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

/// The entries of a Delta log, with their paths, in order.
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
