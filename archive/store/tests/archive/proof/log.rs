//! The log itself: it grows, a crash does not fork it, and lawful disposals are accounted for.

use super::fixture::{DATE, Draft, EVENTS, Fixture, NOW, commit, kinds, partition};
use holdfast_archive::keys::Unlocker;
use holdfast_archive::proof::{Attestation, ProveError, RecordPlace, prove};
use holdfast_archive::verify::{Kind, Scope};
use holdfast_archive::{Change, Table};
use holdfast_proof::note::TrustedKeys;
use holdfast_proof::{Commit, Disposal, Files, Leaf, Operation};
use std::sync::Arc;

#[tokio::test]
async fn integrating_twice_or_after_a_crash_gives_the_same_log() {
    let mut fixture = Fixture::whole().await;
    let mut draft = Draft::default();
    fixture.chat(&mut draft, 0, DATE, 900, "a line");
    fixture.commit_signed(draft, Some(Arc::clone(&fixture.key))).await;
    // One integrates as usual. The other died after its tiles were written and before its checkpoint was: the first's
    // tiles beside the old checkpoint.
    let crashed = fixture.copy().await;
    fixture.integrate().await;
    for path in fixture.objects("proof/tile/").await {
        crashed.write(path.as_ref(), fixture.read(path.as_ref()).await).await;
    }
    crashed.integrate().await;
    assert_eq!(fixture.read("proof/checkpoint").await, crashed.read("proof/checkpoint").await);
    // Integrated from scratch, the tree is the same.
    let anew = fixture.copy().await;
    for path in anew.objects("proof/").await {
        anew.delete(path.as_ref()).await;
    }
    anew.integrate().await;
    assert_eq!(fixture.read("proof/checkpoint").await, anew.read("proof/checkpoint").await);
    assert_eq!(anew.verify().await.findings, []);
}

#[tokio::test]
async fn a_log_of_many_tiles_verifies() {
    let mut fixture = Fixture::new();
    for number in 0..120 {
        let mut draft = Draft::default();
        fixture.chat(&mut draft, number % 3, DATE, number as u32, "line");
        fixture.commit_signed(draft, Some(Arc::clone(&fixture.key))).await;
        if number % 7 == 0 {
            fixture.integrate().await;
        }
    }
    fixture.integrate().await;
    let report = fixture.verify().await;
    assert_eq!(report.findings, []);
    assert!(report.size > 256 && report.checked.checkpoints > 10, "{}", report.size);
    // Readers begin at the Delta log's own checkpoint, which the library wrote. One that is damaged is found.
    let paths = fixture.objects("tables/events/_delta_log/").await;
    let checkpoint = paths.iter().find(|path| path.as_ref().ends_with(".checkpoint.parquet"));
    let altered = fixture.copy().await;
    let mut bytes = altered.read(checkpoint.expect("there were a hundred commits").as_ref()).await;
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0);
    altered.write(checkpoint.unwrap().as_ref(), bytes).await;
    let found = kinds(&altered.verify().await);
    assert!(found.contains(&Kind::Snapshot), "{found:?}");
}

#[tokio::test]
async fn an_entry_with_times_beyond_the_years_of_four_digits_is_intact() {
    let mut fixture = Fixture::whole().await;
    let mut draft = Draft::default();
    for time in ["9999-12-31T23:59:59.9999999-05:00", "0001-01-01T00:00:00Z"] {
        let json = format!(
            r#"{{"specversion":"1.0","id":"{time}","source":"urn:test","type":"agent.presence","subject":"ann","time":"{time}","data":{{"state":"away"}}}}"#
        );
        fixture.event(&mut draft, 0, DATE, &json);
    }
    fixture.commit(draft).await;
    assert_eq!(fixture.verify().await.findings, []);
    let entry = fixture.read(&format!("tables/events/_delta_log/{:020}.json", 4)).await;
    let entry = String::from_utf8(entry).unwrap();
    assert!(entry.contains("10000-01-01T04:59:59.999999Z") && entry.contains("0001-01-01T00:00:00.000000Z"), "{entry}");
}

#[tokio::test]
async fn numbered_events_that_never_arrived_are_named() {
    let mut fixture = Fixture::whole().await;
    let mut draft = Draft::default();
    for count in [1, 2, 4, 5] {
        let json = format!(
            r#"{{"specversion":"1.0","id":"n-{count}","source":"urn:counting","type":"agent.presence","subject":"ann","time":"2026-11-23T12:00:00Z","sequencetype":"Integer","sequence":"{count}","data":{{"state":"away"}}}}"#
        );
        fixture.event(&mut draft, 0, DATE, &json);
    }
    fixture.commit(draft).await;
    let report = fixture.verify().await;
    assert_eq!(kinds(&report), [Kind::SourceCount]);
    let what = &report.findings[0].what;
    assert!(what.contains("urn:counting") && what.ends_with(": 3"), "{what}");
}

#[tokio::test]
async fn two_integrators_do_not_interfere_with_each_other() {
    let mut fixture = Fixture::whole().await;
    let (mut one, mut two) = (fixture.integrator("one"), fixture.integrator("two"));
    let mut holders = 0;
    for number in 0..6 {
        let mut draft = Draft::default();
        fixture.chat(&mut draft, 0, DATE, 900 + number, "line");
        fixture.commit_signed(draft, Some(Arc::clone(&fixture.key))).await;
        let (first, second) = tokio::join!(one.round(NOW), two.round(NOW));
        holders += u32::from(first.unwrap().has_lease) + u32::from(second.unwrap().has_lease);
    }
    assert_eq!(holders, 6, "one of them each time");
    one.finish(NOW).await.unwrap();
    two.finish(NOW).await.unwrap();
    assert_eq!(fixture.verify().await.findings, []);
}

#[tokio::test]
async fn the_proof_of_an_event_verifies_without_the_archive() {
    let fixture = Fixture::whole().await;
    for offset in [0, 300, 599] {
        let place = RecordPlace {
            table: Table::Events,
            class: "general".to_owned(),
            date: DATE,
            topic: EVENTS.to_owned(),
            partition: 0,
            offset,
        };
        let proof = prove(&fixture.archive, &fixture.trusted, &fixture.unlocker(), &place).await.unwrap();
        let verified = proof.verify(&fixture.trusted).unwrap();
        assert_eq!((verified.batch.count, verified.checkpoint.size), (600, fixture.verify().await.size));
        let record = holdfast_archive::proof::read_record(&proof.record).unwrap();
        assert_eq!((record.offset, &record.event["id"]), (offset, &format!("e-{offset}").into()));
        let mut other = proof.clone();
        other.record[60] ^= 1;
        assert!(other.verify(&fixture.trusted).is_err());
    }
    let nowhere = RecordPlace {
        table: Table::Events,
        class: "general".to_owned(),
        date: DATE,
        topic: EVENTS.to_owned(),
        partition: 0,
        offset: 602,
    };
    let refused = prove(&fixture.archive, &fixture.trusted, &fixture.unlocker(), &nowhere).await;
    assert!(matches!(refused, Err(ProveError::Unattested)), "{refused:?}");
}

#[tokio::test]
async fn without_keys_digests_and_counts_are_checked() {
    let fixture = Fixture::whole().await;
    let without = |fixture: &Fixture| Arc::new(Unlocker::new(fixture.archive.clone(), Vec::new()));
    let report = fixture.verify_with(Scope::default(), without(&fixture)).await;
    assert_eq!(report.findings, []);
    assert_eq!((report.checked.records, report.checked.objects), (0, 2));
    assert!(!report.not_checked.is_empty());
    assert_eq!(report.offsets["holdfast.events/0"].archived, 601);
    // Changes of the ciphertext are found.
    for prefix in ["tables/events/class", "tables/dead_letters/class", "recordings/"] {
        for deleted in [false, true] {
            let altered = fixture.copy().await;
            let path = altered.objects(prefix).await[0].to_string();
            if deleted {
                altered.delete(&path).await;
            } else {
                let mut bytes = altered.read(&path).await;
                bytes[40] ^= 1;
                altered.write(&path, bytes).await;
            }
            let report = altered.verify_with(Scope::default(), without(&altered)).await;
            assert!(!report.intact, "{path}");
        }
    }
}

#[tokio::test]
async fn a_verification_with_a_scope_reads_less_and_reports_that() {
    let fixture = Fixture::whole().await;
    let scope = Scope { from: Some("2026-11-24".to_owned()), ..Scope::default() };
    let report = fixture.verify_with(scope, fixture.unlocker()).await;
    assert_eq!((report.findings.as_slice(), report.checked.records), (&[][..], 10));
    assert!(!report.not_checked.is_empty());
    let scope = Scope { sample: Some((0.5, 1)), ..Scope::default() };
    let report = fixture.verify_with(scope, fixture.unlocker()).await;
    assert_eq!(report.findings, []);
}

#[tokio::test]
async fn lawfully_disposed_records_are_accounted_for() {
    let fixture = Fixture::whole().await;
    let log = fixture.archive.table(Table::Events);
    let snapshot = log.snapshot().await.unwrap();
    let removed: Vec<_> = snapshot.files.iter().filter(|file| file.date == DATE + 1).cloned().collect();
    assert_eq!(removed.len(), 1);
    let leaves = [
        Leaf::Commit(Commit {
            table: "events".to_owned(),
            id: "dispose-1".to_owned(),
            operation: Operation::Dispose,
            dead_letters: Some(1),
        }),
        Leaf::Files(Files { remove: removed.iter().map(|file| file.id.clone()).collect(), ..Files::default() }),
        Leaf::Disposal(Disposal {
            table: "events".to_owned(),
            class: "general".to_owned(),
            date: partition(DATE + 1).date_text(),
            plan: "plan-1".to_owned(),
            rows: 10,
        }),
    ];
    let attestation = Attestation::sign(&fixture.key, &leaves).unwrap();
    let change = Change {
        segments: &[],
        removed: &removed,
        advances: &[],
        commit_id: "dispose-1",
        attestation: Some(&attestation),
    };
    log.change(&change, NOW).await.unwrap();
    fixture.integrate().await;
    fixture.delete(removed[0].path.as_ref()).await;
    let report = fixture.verify().await;
    assert_eq!(report.findings, []);
    assert_eq!(report.offsets["holdfast.events/1"].disposed, 10);
    assert_eq!(
        commit(Table::Events, "x", None).to_text(),
        r#"{"leaf":"commit","table":"events","id":"x","operation":"append"}"#
    );
}

#[tokio::test]
async fn a_retired_key_still_verifies_what_it_signed() {
    let mut fixture = Fixture::whole().await;
    let size = fixture.verify().await.size;
    let old = fixture.key.verifier_key().to_owned();
    let new = super::fixture::signing_key("holdfast/test", 2);
    fixture.key = Arc::clone(&new);
    fixture.trusted = TrustedKeys::parse(&format!("{}\n{old} retired-at {size}\n", new.verifier_key())).unwrap();
    assert_eq!(fixture.verify().await.findings, []);
    let mut draft = Draft::default();
    fixture.chat(&mut draft, 0, DATE, 900, "after the rotation");
    fixture.commit(draft).await;
    assert_eq!(fixture.verify().await.findings, []);
    // Signatures that the old key makes from now on are not valid.
    fixture.key = super::fixture::signing_key("holdfast/test", 1);
    let mut draft = Draft::default();
    fixture.chat(&mut draft, 0, DATE, 901, "by the old key");
    fixture.commit_signed(draft, Some(Arc::clone(&fixture.key))).await;
    fixture.key = new;
    let done = fixture.integrator("two").finish(NOW).await.unwrap();
    assert_eq!(done.unattested.len(), 1);
    assert!(!kinds(&fixture.verify().await).is_empty());
}
