//! Bytes that were altered, deleted or moved without any key. Each alteration is found and named.

use super::fixture::{DATE, Draft, Fixture, kinds};
use holdfast_archive::Table;
use holdfast_archive::verify::{Kind, Report, Scope};
use holdfast_events::Timestamp;

const EVENTS_LOG: &str = "tables/events/_delta_log";

async fn data_files(fixture: &Fixture, table: Table) -> Vec<String> {
    let prefix = format!("tables/{}/class=", table.name());
    fixture.objects(&prefix).await.into_iter().map(|path| path.to_string()).collect()
}

/// Flips one bit at a place between the beginning (0.0) and the end (1.0) of an object.
async fn flip(fixture: &Fixture, path: &str, place: f64) {
    let mut bytes = fixture.read(path).await;
    let at = ((bytes.len() - 1) as f64 * place) as usize;
    bytes[at] ^= 1;
    fixture.write(path, bytes).await;
}

/// Replaces a text in an object, which must have it.
async fn replace(fixture: &Fixture, path: &str, from: &str, to: &str) {
    let text = String::from_utf8(fixture.read(path).await).unwrap();
    assert!(text.contains(from), "{from} is not in {path}: {text}");
    fixture.write(path, text.replacen(from, to, 1).into_bytes()).await;
}

#[track_caller]
fn assert_found(report: &Report, kind: Kind, name: &str) {
    assert!(!report.intact);
    let named = report.findings.iter().any(|finding| {
        finding.kind == kind
            && (finding.what.contains(name) || finding.file.as_deref().is_some_and(|file| file.contains(name)))
    });
    assert!(named, "no {kind:?} that names {name} in {:#?}", report.findings);
}

#[tokio::test]
async fn an_unaltered_archive_has_no_findings() {
    let fixture = Fixture::whole().await;
    let report = fixture.verify().await;
    assert_eq!(report.findings, []);
    assert!(report.intact && report.not_checked.is_empty() && report.notices.is_empty(), "{report:#?}");
    assert_eq!((report.checked.records, report.checked.chunks, report.checked.objects), (616, 3, 2));
    let account = &report.offsets["holdfast.events/0"];
    assert_eq!((account.first, account.next, account.archived, account.dead_letters), (0, 604, 601, 1));
    assert_eq!(account.skipped["transactions"], 2);
    assert_eq!(account.missing, 0);
}

#[tokio::test]
async fn a_flipped_bit_is_found_wherever_it_is() {
    let fixture = Fixture::whole().await;
    let data = data_files(&fixture, Table::Events).await;
    let letters = data_files(&fixture, Table::DeadLetters).await;
    let recordings = fixture.objects("recordings/").await;
    // A page, the footer, the magic at the end.
    for place in [0.05, 0.5, 0.97, 1.0] {
        for file in [&data[0], &letters[0]] {
            let altered = fixture.copy().await;
            flip(&altered, file, place).await;
            assert_found(&altered.verify().await, Kind::FileChanged, file);
        }
        let altered = fixture.copy().await;
        flip(&altered, recordings[0].as_ref(), place).await;
        assert_found(&altered.verify().await, Kind::Object, recordings[0].as_ref());
    }
    for (prefix, kind) in
        [("proof/tile/0/", Kind::Tile), ("proof/tile/entries/", Kind::Tile), ("proof/checkpoints/", Kind::Checkpoint)]
    {
        for path in fixture.objects(prefix).await {
            // Partial tiles of trees before the newest are not read.
            if prefix.contains("tile") && !path.as_ref().ends_with(&format!("/{}", fixture.verify().await.size)) {
                continue;
            }
            let altered = fixture.copy().await;
            flip(&altered, path.as_ref(), 0.5).await;
            let report = altered.verify().await;
            let size = path.filename().unwrap().trim_start_matches('0');
            assert_found(&report, kind, if kind == Kind::Tile { path.as_ref() } else { size });
        }
    }
    for place in [0.0, 0.2, 0.5, 0.99] {
        let altered = fixture.copy().await;
        flip(&altered, "proof/checkpoint", place).await;
        assert_found(&altered.verify().await, Kind::Checkpoint, "proof/checkpoint");
    }
}

#[tokio::test]
async fn a_changed_entry_of_the_delta_log_is_found() {
    let fixture = Fixture::whole().await;
    let entry = format!("{EVENTS_LOG}/{:020}.json", 1);
    for (from, to) in [
        // Another number of rows, size, offset, path, date; another leaf; another signature.
        (r#"\"numRecords\":600"#, r#"\"numRecords\":599"#),
        (r#""size":"#, r#""size":1"#),
        (r#""version":600"#, r#""version":601"#),
        (r#"date=2026-11-23/"#, r#"date=2026-11-22/"#),
        (r#"\"count\":600"#, r#"\"count\":599"#),
        ("holdfast/test/commit\\n", "holdfast/test/commits\\n"),
        (r#""holdfastCommit":"commit-1""#, r#""holdfastCommit":"commit-9""#),
    ] {
        let altered = fixture.copy().await;
        replace(&altered, &entry, from, to).await;
        let report = altered.verify().await;
        assert!(!report.intact, "{from}");
        let named = |kind| {
            report.findings.iter().any(|finding| finding.kind == kind && finding.file.as_deref() == Some(&entry))
        };
        assert!(named(Kind::Entry) || named(Kind::Unattested), "{from}: {:#?}", report.findings);
    }
    // A time in the log's statistics decides which files a query reads.
    let altered = fixture.copy().await;
    replace(&altered, &entry, r#"\"maxValues\":{\"time\":\"2026"#, r#"\"maxValues\":{\"time\":\"2025"#).await;
    assert_found(&altered.verify().await, Kind::Unattested, &entry);
}

#[tokio::test]
async fn deleted_objects_and_entries_are_found() {
    let fixture = Fixture::whole().await;
    for table in [Table::Events, Table::DeadLetters] {
        for file in data_files(&fixture, table).await {
            let altered = fixture.copy().await;
            altered.delete(&file).await;
            let report = altered.verify().await;
            assert_found(&report, Kind::FileMissing, &file);
            assert_found(&report, Kind::RecordsMissing, "2026-11-2");
            assert_found(&report, Kind::OffsetsMissing, "");
        }
    }
    for (prefix, kind) in [("recordings/", Kind::Object), ("proof/checkpoint", Kind::Checkpoint)] {
        let altered = fixture.copy().await;
        let path = altered.objects(prefix).await[0].to_string();
        altered.delete(&path).await;
        assert_found(&altered.verify().await, kind, &path);
    }
    // A file and the entry that added it: the newest, so that readers do not notice.
    let altered = fixture.copy().await;
    let newest = format!("{EVENTS_LOG}/{:020}.json", 3);
    altered.delete(&newest).await;
    altered.delete(data_files(&fixture, Table::Events).await.last().unwrap()).await;
    let report = altered.verify().await;
    assert_found(&report, Kind::Entry, &newest);
    // One in the middle.
    let altered = fixture.copy().await;
    let middle = format!("{EVENTS_LOG}/{:020}.json", 2);
    altered.delete(&middle).await;
    assert_found(&altered.verify().await, Kind::Entry, &middle);
    // The whole of the dead letters' log.
    let altered = fixture.copy().await;
    for path in altered.objects("tables/dead_letters/_delta_log/").await {
        altered.delete(path.as_ref()).await;
    }
    assert_found(&altered.verify().await, Kind::Entry, "tables/dead_letters/_delta_log/");
    // One action out of an entry.
    let altered = fixture.copy().await;
    let entry = format!("{EVENTS_LOG}/{:020}.json", 1);
    let text = String::from_utf8(altered.read(&entry).await).unwrap();
    let kept: Vec<&str> = text.lines().filter(|line| !line.contains("2026-11-24/")).collect();
    assert_eq!(kept.len() + 1, text.lines().count());
    altered.write(&entry, kept.join("\n").into_bytes()).await;
    assert_found(&altered.verify().await, Kind::Entry, &entry);
}

#[tokio::test]
async fn swapped_objects_are_found() {
    let fixture = Fixture::whole().await;
    for prefix in ["tables/events/class=", "recordings/", "tables/events/_delta_log/"] {
        let altered = fixture.copy().await;
        let paths = altered.objects(prefix).await;
        let (one, other) = (paths[paths.len() - 2].to_string(), paths[paths.len() - 1].to_string());
        let (first, second) = (altered.read(&one).await, altered.read(&other).await);
        altered.write(&one, second).await;
        altered.write(&other, first).await;
        let report = altered.verify().await;
        for path in [&one, &other] {
            let named = report.findings.iter().any(|finding| finding.file.as_deref() == Some(path));
            assert!(named, "{path} is not in {:#?}", report.findings);
        }
    }
}

#[tokio::test]
async fn a_restored_older_state_is_found_by_checkpoints_that_others_kept() {
    let mut fixture = Fixture::whole().await;
    let old = fixture.copy().await;
    let note = String::from_utf8(fixture.read("proof/checkpoint").await).unwrap();
    let mut draft = Draft::default();
    fixture.chat(&mut draft, 0, DATE, 900, "one more");
    fixture.commit(draft).await;
    assert_eq!(fixture.verify().await.findings, []);
    // All of it restored: consistent in itself, and older than the mirror.
    let report = old.verify().await;
    assert_eq!(kinds(&report), [Kind::Fork]);
    assert!(report.findings[0].what.contains("second place"), "{}", report.findings[0].what);
    // The same with a checkpoint that an auditor kept.
    let newer = String::from_utf8(fixture.read("proof/checkpoint").await).unwrap();
    let scope = Scope { since: Some(newer), ..Scope::default() };
    let report = old.verify_with(scope, old.unlocker()).await;
    assert!(report.findings.iter().any(|finding| finding.what.contains("that was given")), "{:#?}", report.findings);
    // In the other direction, the old checkpoint is of a prefix of the log.
    let scope = Scope { since: Some(note), ..Scope::default() };
    let report = fixture.verify_with(scope, fixture.unlocker()).await;
    assert_eq!(report.findings, []);
    // Only the checkpoint restored, by one: the entries after it are in none.
    let altered = fixture.copy().await;
    altered.write("proof/checkpoint", old.read("proof/checkpoint").await).await;
    let report = altered.verify().await;
    assert!(kinds(&report).contains(&Kind::Fork) && !report.intact, "{:#?}", report.findings);
}

#[tokio::test]
async fn a_commit_that_is_not_integrated_in_time_is_found() {
    let mut fixture = Fixture::whole().await;
    let mut draft = Draft::default();
    fixture.chat(&mut draft, 0, DATE, 900, "waits");
    fixture.commit_signed(draft, Some(std::sync::Arc::clone(&fixture.key))).await;
    // The entry's own time is that of the Delta library's clock.
    let now = Timestamp(clock());
    let at = async |now| {
        let verification = holdfast_archive::verify::Verification {
            archive: &fixture.archive,
            keys: &fixture.trusted,
            unlocker: fixture.unlocker(),
            mirrors: &[],
            witnesses: &[],
            scope: Scope::default(),
            parallelism: 1,
            now,
        };
        verification.run(|_| {}).await.unwrap()
    };
    let report = at(now).await;
    assert!(report.intact && report.notices.iter().any(|notice| notice.contains("not in a checkpoint yet")));
    let report = at(Timestamp(now.0 + 600_000_000)).await;
    assert_eq!(kinds(&report), [Kind::NotIntegrated]);
}

fn clock() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_micros() as i64
}
