//! What an auditor does: verify, keep a checkpoint, check the proof of one event, and detect an alteration.

use crate::installation::{Installation, stop};
use crate::sender::{Sender, chat};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use holdfast_proof::note::{Purpose, TrustedKeys};
use holdfast_proof::witness::{WitnessKey, cosign, parse_add_checkpoint};
use holdfast_proof::{Hash, tree};
use serde_json::Value;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A witness (C2SP tlog-witness): it cosigns only checkpoints that are consistent with the last one.
struct Witness {
    keys: TrustedKeys,
    seed: [u8; 32],
    /// Size and root of the last checkpoint.
    last: Mutex<(u64, Hash)>,
}

const WITNESS: &str = "witness.example/one";

async fn add_checkpoint(State(witness): State<Arc<Witness>>, body: String) -> (StatusCode, String) {
    let Ok(request) = parse_add_checkpoint(&body) else { return (StatusCode::BAD_REQUEST, String::new()) };
    let Ok(opened) = witness.keys.open(&request.checkpoint, Purpose::Checkpoint) else {
        return (StatusCode::FORBIDDEN, String::new());
    };
    let mut last = witness.last.lock().unwrap();
    if request.old_size != last.0 {
        return (StatusCode::CONFLICT, format!("{}\n", last.0));
    }
    let (size, root) = (opened.tree.size, opened.tree.root);
    if !tree::check_consistency(&request.consistency, last.0, last.1, size, root) {
        return (StatusCode::UNPROCESSABLE_ENTITY, String::new());
    }
    *last = (size, root);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    (StatusCode::OK, cosign(&request.checkpoint, &witness.seed, WITNESS, now).unwrap())
}

/// Starts a witness of this installation's log, and adds it to the configuration.
async fn start_witness(installation: &Installation) {
    let keys = std::fs::read_to_string(installation.secret("signing.pub")).unwrap();
    let seed = [5; 32];
    let witness = Witness { keys: TrustedKeys::parse(&keys).unwrap(), seed, last: Mutex::new((0, tree::root(&[]))) };
    let router = Router::new().route("/add-checkpoint", post(add_checkpoint)).with_state(Arc::new(witness));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let key = WitnessKey::of_seed(WITNESS, &seed).unwrap().verifier_key();
    let mut config = std::fs::OpenOptions::new().append(true).open(installation.path().join("holdfast.toml")).unwrap();
    writeln!(config, "\n[[proof.witnesses]]\nurl = \"http://{address}\"\npublic_key = \"{key}\"").unwrap();
}

async fn verify(installation: &Installation, more: &[&str]) -> (Option<i32>, Value) {
    let output = installation.run(&[&["verify", "--json"], more].concat()).await;
    let report = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error} in {output:?}"));
    (output.status.code(), report)
}

fn number(report: &Value, path: &str) -> u64 {
    report.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {report:#}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auditor_verifies_an_intact_archive_and_detects_an_alteration() {
    let installation = Installation::new()
        .await
        .with_short_intervals()
        .set("PROOF__MIRROR_URL", "mirror")
        .set("PROOF__KEEP_EVERY_SECONDS", "0");
    start_witness(&installation).await;
    let server = installation.serve().await;
    let sender = Sender::new(&installation);
    let line =
        |number: i64| chat(&format!("a-{number}"), &format!("s-{}", number % 5), number as usize, "said and done");
    for round in 0..3 {
        sender.batch(&(round * 100..round * 100 + 100).map(line).collect::<Vec<_>>()).await;
        sender.chunk("s-1", "r-1", round as usize, vec![round as u8; 70_000]).await;
        tokio::time::sleep(Duration::from_millis(1300)).await;
    }
    // A commit is in the proof log after at most ten seconds.
    let mut report = Value::Null;
    for _ in 0..40 {
        report = verify(&installation, &[]).await.1;
        if report["checked"]["records"] == 303 && report["notices"] == serde_json::json!([]) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!((&report["intact"], number(&report, "/checked/records")), (&true.into(), 303), "{report:#}");
    assert_eq!(number(&report, "/checked/chunks"), 3);
    assert!(report["witnesses"][0].as_str().unwrap().starts_with(WITNESS), "{report:#}");
    assert!(number(&report, "/checked/checkpoints") >= 3, "the newest, kept and mirrored checkpoints: {report:#}");
    let refused = installation.run(&["keys", "rotate", "signing"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stdout);
    assert!(refused.stderr.contains("stop everything that archives"), "{}", refused.stderr);
    stop(server).await;

    let text = installation.run(&["verify", "--save", "checkpoint"]).await.success();
    assert!(text.ends_with("Intact.\n"), "{text}");
    let (code, report) = verify(&installation, &["--since", "checkpoint"]).await;
    assert_eq!((code, number(&report, "/checked/records")), (Some(0), 0), "nothing was archived since: {report:#}");
    let (code, report) = verify(&installation, &["--without-keys"]).await;
    assert_eq!((code, &report["intact"]), (Some(0), &true.into()), "{report:#}");
    assert!(!report["not_checked"].as_array().unwrap().is_empty());
    let status: Value = serde_json::from_str(&installation.run(&["status", "--json"]).await.success()).unwrap();
    assert!(status["proof"]["size"].as_u64() > Some(0) && status["proof"]["problem"].is_null(), "{status:#}");

    // The proof of one event, for a holder of nothing but the public key.
    let _ = installation.run(&["prove", "a-142", "--out", "a-142.proof"]).await.success();
    let checked =
        installation.run(&["verify-proof", "a-142.proof", "--public-keys", "secrets/signing.pub", "--json"]).await;
    let proven: Value = serde_json::from_str(&checked.success()).unwrap();
    assert_eq!((&proven["event"]["id"], &proven["event"]["data"]["text"]), (&"a-142".into(), &"said and done".into()));
    let file = installation.path().join("a-142.proof");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "the proof has the content of the event");
    let proof = std::fs::read_to_string(file).unwrap();
    let record = proof.find("\"record\"").unwrap() + 200;
    let mut altered = proof.into_bytes();
    altered[record] = if altered[record] == b'A' { b'B' } else { b'A' };
    std::fs::write(installation.path().join("altered.proof"), altered).unwrap();
    let refused = installation.run(&["verify-proof", "altered.proof", "--public-keys", "secrets/signing.pub"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stdout);

    // Few large files replace many small ones. Nothing else changes.
    let counts = "SELECT count(*) AS n, count(DISTINCT subject) AS s, sum(seq) AS q FROM archive.events";
    let before = installation.sql(counts).await;
    let done: Value = serde_json::from_str(&installation.run(&["seal", "--now", "--json"]).await.success()).unwrap();
    assert!(number(&done, "/sealed/files_before") > number(&done, "/sealed/files_after"), "{done:#}");
    assert_eq!((number(&done, "/sealed/rows"), number(&done, "/sealed/objects_after")), (303, 1), "{done:#}");
    assert_eq!(installation.sql(counts).await, before);
    let (code, report) = verify(&installation, &[]).await;
    assert_eq!((code, number(&report, "/checked/records")), (Some(0), 303), "{report:#}");
    let recording = installation.run(&["session", "s-1", "--recording", "r-1", "--out", "r-1.webm"]).await;
    let _ = recording.success();
    assert_eq!(std::fs::metadata(installation.path().join("r-1.webm")).unwrap().len(), 210_000);

    // A new key signs from here on, and signatures of the old key stay valid.
    let old = std::fs::read_to_string(installation.secret("signing.pub")).unwrap();
    let old_key = std::fs::read_to_string(installation.secret("signing.key")).unwrap();
    let rotated: Value =
        serde_json::from_str(&installation.run(&["keys", "rotate", "signing", "--json"]).await.success()).unwrap();
    let keys = std::fs::read_to_string(installation.secret("signing.pub")).unwrap();
    let size = number(&rotated, "/retired_at");
    assert_eq!(keys, format!("{}\n{} retired-at {size}\n", rotated["key"].as_str().unwrap(), old.trim()));
    std::fs::write(
        installation.path().join("more.jsonl"),
        (300..320).map(|n| format!("{}\n", line(n))).collect::<String>(),
    )
    .unwrap();
    // A process with the old key does not start.
    let new_key = std::fs::read_to_string(installation.secret("signing.key")).unwrap();
    std::fs::write(installation.secret("signing.key"), old_key).unwrap();
    let refused = installation.run(&["import", "more.jsonl"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stdout);
    assert!(refused.stderr.contains("needs the newest `signing.key`"), "{}", refused.stderr);
    std::fs::write(installation.secret("signing.key"), new_key).unwrap();
    let _ = installation.run(&["import", "more.jsonl"]).await.success();
    let (code, report) = verify(&installation, &["--since", "checkpoint"]).await;
    // The new records, those that were sealed since, and the access records meanwhile.
    let accesses = installation.number("SELECT count(*) AS n FROM archive.events WHERE type LIKE 'archive.%'").await;
    assert!(accesses > 0);
    let accesses = accesses.unsigned_abs();
    let since = number(&report, "/checked/records");
    assert!(code == Some(0) && (320..=323 + accesses).contains(&since), "{report:#}");
    let (code, report) = verify(&installation, &[]).await;
    assert_eq!((code, number(&report, "/checked/records")), (Some(0), 323 + accesses), "{report:#}");
    let uncosigned = report["notices"].as_array().unwrap().iter().any(|notice| notice.to_string().contains(WITNESS));
    assert!(uncosigned, "the witness does not have the new key: {report:#}");
    let _ = installation.run(&["verify-proof", "a-142.proof", "--public-keys", "secrets/signing.pub"]).await.success();
    // With only the old public key, signatures of the new key do not verify.
    std::fs::write(installation.path().join("old.pub"), old).unwrap();
    let _ = installation.run(&["verify-proof", "a-142.proof", "--public-keys", "old.pub"]).await.success();
    let _ = installation.run(&["prove", "a-310", "--out", "a-310.proof"]).await.success();
    let refused = installation.run(&["verify-proof", "a-310.proof", "--public-keys", "old.pub"]).await;
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stdout);

    // One changed bit, and the exit code reports it.
    let table = installation.path().join("archive/tables/events/class=general");
    let date = std::fs::read_dir(table).unwrap().next().unwrap().unwrap().path();
    let mut files = std::fs::read_dir(date).unwrap().map(|entry| entry.unwrap().path());
    let is_sealed = |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("sealed-");
    let sealed = files.find(is_sealed).unwrap();
    let mut bytes = std::fs::read(&sealed).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&sealed, bytes).unwrap();
    let found = installation.run(&["verify"]).await;
    assert_eq!((found.status.code(), found.stderr.as_str()), (Some(1), ""), "{}", found.stdout);
    let name = sealed.file_name().unwrap().to_string_lossy().into_owned();
    assert!(found.stdout.contains(&name) && found.stdout.contains("Not intact"), "{}", found.stdout);
}
