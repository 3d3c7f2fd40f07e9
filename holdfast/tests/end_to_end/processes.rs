//! The processes of one server: the one that takes events in has no private key and does not depend on the others.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holdfast_testkit::process::Running;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::installation::{Installation, TIMEOUT, stop};
use crate::sender::{Sender, chat};

/// The processes that `parent` started, by the role on their command line.
fn child_of(parent: u32, role: &str) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").expect("a list of processes");
    processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok()).find(|process| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        // proc(5): the command in parentheses, the state, and then the parent.
        let of_parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1));
        let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        of_parent == Some(&parent.to_string()) && command.split(|byte| *byte == 0).any(|word| word == role.as_bytes())
    })
}

async fn components(installation: &Installation) -> (StatusCode, Value) {
    let client = Client::builder().no_proxy().timeout(TIMEOUT).build().unwrap();
    let response = client.get(format!("http://{}/readyz", installation.http)).send().await.expect("the parent answers");
    let status = response.status();
    (status, response.json().await.expect("a readiness report"))
}

/// Waits until the state of a component satisfies `wanted`.
async fn wait_for_component(installation: &Installation, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + TIMEOUT;
    loop {
        let (_, report) = components(installation).await;
        let component = &report["components"][name];
        if wanted(component) {
            return component.clone();
        }
        assert!(tokio::time::Instant::now() < deadline, "{name} in {report}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_death_of_a_child_is_told_and_stops_nothing_else() {
    let installation = Installation::new().await.with_short_intervals();
    let mut server = installation.serve().await;
    let sender = Sender::new(&installation);
    for role in ["query", "sessions"] {
        let child = child_of(server.pid(), role).unwrap_or_else(|| panic!("{role} has a process"));
        kill(child);
        let state = wait_for_component(&installation, role, |state| state["state"] == "not_ready").await;
        assert!(state["reason"].as_str().is_some_and(|why| why.contains("killed by signal 9")), "{state}");
        let event = chat(&format!("after-{role}"), "s-1", 0, "still taken in");
        assert_eq!(sender.event(&event).await.status(), StatusCode::ACCEPTED);
        wait_for_component(&installation, role, |state| state["state"] == "ready").await;
        let next = child_of(server.pid(), role).expect("it has a process again");
        assert_ne!(next, child);
    }
    let metrics = reqwest::get(format!("http://{}/metrics", installation.http)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("holdfast_child_restarts_total{role=\"query\"} 1\n"), "{metrics}");
    assert!(metrics.contains("holdfast_sessions_written") && metrics.ends_with("# EOF\n"), "{metrics}");
    assert_eq!(server.ended(), None);
    stop(server).await;
    let archived = installation.number("SELECT count(*) AS n FROM archive.chat_lines WHERE session = 's-1'").await;
    assert_eq!(archived, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_process_that_takes_events_in_has_no_private_key_in_memory() {
    let installation = Installation::new().await.with_short_intervals();
    let server = installation.serve().await;
    Sender::new(&installation).batch(&[chat("one", "s-1", 0, "archived by public keys")]).await;
    wait_for_component(&installation, "query", |state| state["state"] == "ready").await;
    let identities: Vec<(String, Vec<u8>)> = std::fs::read_dir(installation.secret(""))
        .expect("the secrets")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "identity"))
        .map(|path| identity(&path))
        .collect();
    assert_eq!(identities.len(), 2, "those of the manager and of compliance");
    let query = child_of(server.pid(), "query").expect("the role query has a process");
    let (parent_memory, query_memory) = (memory(server.pid()), memory(query));
    // Otherwise the search would find nothing anywhere.
    assert!(identities.iter().any(|(_, key)| is_in(&query_memory, key)), "the role query reads with private keys");
    for (text, key) in &identities {
        assert!(!is_in(&parent_memory, text.as_bytes()), "the parent has the text of an identity");
        assert!(!is_in(&parent_memory, key), "the parent has the key of an identity");
    }
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_reads_with_private_keys_has_no_key_that_signs() {
    let installation = Installation::new().await.with_short_intervals();
    let text = std::fs::read_to_string(installation.secret("signing.key")).expect("a signing key");
    // A secret in the environment is in the memory of each process that it is passed on to.
    let installation = installation.set("PROOF__SIGNING_KEY", text.trim());
    // PRIVATE+KEY+<name>+<id>+<base64 of the algorithm and the key>
    let material = text.trim().splitn(5, '+').nth(4).expect("a key in the form of signed notes");
    let key = STANDARD.decode(material).expect("base64").split_off(1);
    assert_eq!(key.len(), 32);
    let server = installation.serve().await;
    Sender::new(&installation).batch(&[chat("one", "s-1", 0, "attested by the archiver")]).await;
    // Otherwise the search would find nothing anywhere.
    let parent_memory = memory(server.pid());
    assert!(is_in(&parent_memory, &key), "the archiver signs");
    assert!(is_in(&parent_memory, material.as_bytes()), "it has the key from its environment");
    for role in ["query", "sessions"] {
        wait_for_component(&installation, role, |state| state["state"] == "ready").await;
        let child = child_of(server.pid(), role).unwrap_or_else(|| panic!("{role} has a process"));
        let child_memory = memory(child);
        assert!(!is_in(&child_memory, material.as_bytes()), "{role} has the text of the signing key");
        assert!(!is_in(&child_memory, &key), "{role} has the signing key");
        let files = std::fs::read_dir(format!("/proc/{child}/fd")).expect("its open files");
        let files = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        assert_eq!(files.filter(|file| file.ends_with("signing.key")).count(), 0, "{role} has opened it");
    }
    let metrics = reqwest::get(format!("http://{}/metrics", installation.http)).await.unwrap().text().await.unwrap();
    // Twice the default of `query.memory_bytes`, and 512 MiB.
    assert!(metrics.contains("holdfast_child_memory_limit_bytes{role=\"query\"} 1610612736\n"), "{metrics}");
    assert!(metrics.contains("holdfast_query_out_of_memory_total 0\n"), "{metrics}");
    stop(server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_do_not_outlive_their_parent() {
    let installation = Installation::new().await.with_short_intervals();
    let mut server = installation.serve().await;
    let children: Vec<u32> = ["query", "sessions"].map(|role| child_of(server.pid(), role).expect("a process")).into();
    server.kill();
    let deadline = tokio::time::Instant::now() + TIMEOUT;
    while children.iter().any(|child| Path::new(&format!("/proc/{child}/exe")).read_link().is_ok()) {
        assert!(tokio::time::Instant::now() < deadline, "a child outlives its parent");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The ports are free for the next server at once.
    stop(installation.serve().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_that_cannot_start_ends_the_start() {
    let installation = Installation::new().await;
    let _taken = std::net::TcpListener::bind(&installation.query).expect("the port is free");
    let mut server: Running = installation.start();
    let status = server.wait(TIMEOUT).await.expect("the start ends");
    let told = server.stderr();
    assert_eq!(status.code(), Some(1), "{told}");
    assert!(told.contains("`query.listen` names another address") && told.contains("the role query"), "{told}");
}

/// SIGKILL, to a process that is not a child of this one.
fn kill(process: u32) {
    let status = std::process::Command::new("kill").args(["-9", &process.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill {process}");
}

/// The text of an identity file's key, and the key.
fn identity(path: &Path) -> (String, Vec<u8>) {
    let text = std::fs::read_to_string(path).expect("an identity file");
    let text = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-1")).expect("a key").to_owned();
    let key = bech32(&text.to_ascii_lowercase());
    assert_eq!(key.len(), 32);
    (text, key)
}

/// The data of a Bech32 text in lower case (BIP 173), without checking its last six characters.
fn bech32(text: &str) -> Vec<u8> {
    const CHARACTERS: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    let (_, data) = text.rsplit_once('1').expect("a separator");
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for character in data[..data.len() - 6].chars() {
        bits = bits << 5 | u32::try_from(CHARACTERS.find(character).expect("a character of Bech32")).unwrap();
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
        bits &= 0xfff;
    }
    bytes
}

/// The readable and writable memory of a process.
fn memory(process: u32) -> Vec<Vec<u8>> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).expect("the maps of a process");
    let mut file = std::fs::File::open(format!("/proc/{process}/mem")).expect("the memory of a process");
    let mut parts = Vec::new();
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|mode| mode.starts_with("rw"))) {
        let (from, to) = line.split(' ').next().and_then(|range| range.split_once('-')).expect("a range");
        let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).expect("an address"));
        // Pages that cannot be read, and those that were never touched, are left out.
        let mut at = from;
        while at < to {
            let mut part = vec![0; usize::try_from((to - at).min(1 << 20)).unwrap()];
            let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut part));
            at += part.len() as u64;
            if read.is_ok() && part.iter().any(|byte| *byte != 0) {
                // A key may lie across two parts.
                match parts.last_mut() {
                    Some((end, last)) if *end == at - part.len() as u64 => {
                        Vec::extend_from_slice(last, &part);
                        *end = at;
                    }
                    _ => parts.push((at, part)),
                }
            }
        }
    }
    parts.into_iter().map(|(_, part)| part).collect()
}

fn is_in(memory: &[Vec<u8>], wanted: &[u8]) -> bool {
    memory.iter().any(|part| holds(part, wanted))
}

fn holds(memory: &[u8], wanted: &[u8]) -> bool {
    let first = wanted[0];
    let mut rest = memory;
    while let Some(at) = rest.iter().position(|byte| *byte == first) {
        rest = &rest[at..];
        if rest.starts_with(wanted) {
            return true;
        }
        rest = &rest[1..];
    }
    false
}
