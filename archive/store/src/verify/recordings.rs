//! Recordings, chunk by chunk: compares each object with its digest, and each chunk with the hash in its row.

use super::attested::AttestedLog;
use super::report::{Finding, Kind, Report};
use super::rows::ChunkRow;
use crate::Archive;
use crate::error::ArchiveError;
use crate::keys::{MasterKeyId, Unlocker};
use crate::paths;
use crate::proof::entry::get;
use crate::proof::object_id;
use crate::recordings::{TIER, decrypt_object};
use futures::TryStreamExt;
use holdfast_proof::{Digest32, FileDigest};
use object_store::ObjectStore;
use object_store::path::Path;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

/// Checks the objects of `chunks`, which all have one class and date.
pub(crate) async fn check(
    archive: &Archive,
    unlocker: &Unlocker,
    (class, date): (&str, i32),
    chunks: Vec<ChunkRow>,
    digests: &HashMap<String, FileDigest>,
    report: &mut Report,
) -> Result<(), ArchiveError> {
    let mut by_object: BTreeMap<String, Vec<ChunkRow>> = BTreeMap::new();
    for chunk in chunks {
        by_object.entry(chunk.object.clone()).or_default().push(chunk);
    }
    let identity = unlocker.master(&MasterKeyId::of(TIER, class, date)).await?;
    for (name, chunks) in by_object {
        let named = |kind, what: &str, chunk: &ChunkRow| {
            Finding::new(kind, what)
                .file(&name)
                .at(&chunk.topic, chunk.partition, chunk.offset, chunk.offset + 1)
                .events(vec![chunk.event.clone()])
        };
        report.checked.objects += 1;
        let bytes = match Path::parse(&name) {
            Ok(path) => get(archive.store().as_ref(), &path).await?,
            Err(_) => None,
        };
        let Some(bytes) = bytes else {
            report
                .findings
                .extend(chunks.iter().map(|chunk| named(Kind::Object, "the object of a recording is missing", chunk)));
            continue;
        };
        check_digest(&name, &bytes, digests, &mut report.findings);
        let plain = match decrypt_object(&name, bytes, &identity) {
            Ok(plain) => plain,
            Err(error) => {
                report
                    .findings
                    .push(Finding::new(Kind::Object, format!("the object of a recording: {error}")).file(&name));
                continue;
            }
        };
        for chunk in &chunks {
            report.checked.chunks += 1;
            let range = usize::try_from(chunk.at).ok().zip(usize::try_from(chunk.size).ok());
            let bytes = range.and_then(|(at, size)| plain.get(at..at.checked_add(size)?));
            let Some(bytes) = bytes else {
                report.findings.push(named(
                    Kind::Chunk,
                    "the object of a recording ends before this chunk does",
                    chunk,
                ));
                continue;
            };
            let found = hexadecimal(&Sha256::digest(bytes));
            if found != chunk.sha256 {
                let finding = named(Kind::Chunk, "a chunk of a recording is not the one that arrived", chunk);
                report.findings.push(finding.expected(&chunk.sha256, found));
            }
        }
    }
    Ok(())
}

/// Checks every stored object without a key: whether each is attested, and whether all attested ones are stored.
pub(crate) async fn check_ciphertext(
    archive: &Archive,
    log: &AttestedLog,
    report: &mut Report,
) -> Result<(), ArchiveError> {
    let digests = &log.objects;
    let folder = paths::recordings();
    let failed = |source| ArchiveError::Store { doing: format!("list {folder}"), source };
    let listed: Vec<_> = archive.store().list(Some(&folder)).try_collect().await.map_err(failed)?;
    let mut missing: HashSet<&String> = digests.keys().collect();
    let mut unnamed = 0u64;
    for object in listed {
        let name = object.location.to_string();
        let id = object_id(&name);
        if !digests.contains_key(&id) {
            // Of a commit that was never made, or joined into another object and not yet swept.
            unnamed += 1;
            continue;
        }
        missing.remove(&id);
        if let Some(bytes) = get(archive.store().as_ref(), &object.location).await? {
            report.checked.objects += 1;
            check_digest(&name, &bytes, digests, &mut report.findings);
        }
    }
    if unnamed > 0 {
        report.notices.push(format!("{unnamed} objects of recordings belong to no commit, or were joined into others"));
    }
    let all = missing.len();
    missing.retain(|id| !log.may_be_joined(id));
    if missing.len() < all {
        report.notices.push(format!(
            "{} objects of recordings are missing whose dates an earlier version sealed, which did not record the \
             objects that it joined; only with the keys of the content is it known that no row needs them",
            all - missing.len()
        ));
    }
    for id in missing {
        let what = "an object of a recording is missing; the expected value is the SHA-256 of its path";
        report.findings.push(Finding::new(Kind::Object, what).file("recordings").expected(id, "no such object"));
    }
    Ok(())
}

/// Compares the bytes of an object with its attested digest.
pub(crate) fn check_digest(
    name: &str,
    bytes: &[u8],
    digests: &HashMap<String, FileDigest>,
    findings: &mut Vec<Finding>,
) {
    let found = Digest32(Sha256::digest(bytes).into());
    match digests.get(&object_id(name)) {
        None => findings.push(Finding::new(Kind::Object, "this object of a recording was not attested").file(name)),
        Some(digest) if digest.sha256 != found => {
            let finding = Finding::new(Kind::Object, "an object of a recording is not the one that was written");
            findings.push(finding.file(name).expected(digest.sha256, found));
        }
        Some(_) => {}
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proof::entry::{AddedFile, Entry, RemovedFile};
    use crate::{Location, Table};
    use holdfast_proof::{Commit, Files, Leaf, Operation};
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use std::sync::Arc;
    use url::Url;

    const CLASS: &str = "general";

    fn digest(id: String, bytes: &[u8]) -> FileDigest {
        let sha256 = Digest32(Sha256::digest(bytes).into());
        FileDigest { id, rows: 0, size: bytes.len() as u64, sha256, time: None }
    }

    fn object(name: &str) -> FileDigest {
        digest(object_id(name), name.as_bytes())
    }

    /// Adds an entry with one file of `date`, which is its name as well.
    fn add(log: &mut AttestedLog, operation: Operation, (date, file): (&str, &str), removed: &[&str], files: Files) {
        let path = |file: &str| paths::data_file(CLASS, date, file);
        let added = AddedFile {
            path: path(file),
            id: file.to_owned(),
            class: CLASS.to_owned(),
            date: date.to_owned(),
            size: 1,
            rows: 0,
            time: None,
        };
        let removes = removed.iter().map(|file| RemovedFile { path: path(file), removed_at: None }).collect();
        let entry = Entry { version: log.entries, adds: vec![added], removes, ..Entry::default() };
        let own = removed.iter().map(|file| (*file).to_owned());
        let remove = own.chain(files.remove).collect();
        let files = Files { add: vec![digest(file.to_owned(), b"x")], remove, objects: files.objects };
        let table = Table::Events.name().to_owned();
        let commit = Commit { table, id: file.to_owned(), operation, dead_letters: None };
        let leaves: Vec<Leaf> = std::iter::once(Leaf::Commit(commit)).chain(files.into_leaves()).collect();
        log.entries += 1;
        log.apply(Table::Events, &entry, &leaves, false);
    }

    fn objects(names: &[&str]) -> Files {
        Files { objects: names.iter().map(|name| object(name)).collect(), ..Files::default() }
    }

    /// Verifies the objects of `log`, of which these are stored, without a key.
    async fn checked(log: &AttestedLog, stored: &[&str]) -> Report {
        let location = Location { url: Url::parse("memory:///").unwrap(), store: Arc::new(InMemory::new()) };
        let archive = Archive::new(location);
        for name in stored {
            archive.store().put(&Path::from(*name), name.as_bytes().to_vec().into()).await.unwrap();
        }
        let mut report = Report::default();
        check_ciphertext(&archive, log, &mut report).await.unwrap();
        report
    }

    const OLD: [&str; 2] = ["recordings/a", "recordings/b"];
    const JOINED: &str = "recordings/joined";
    const DAY: &str = "2026-05-27";

    fn appended() -> AttestedLog {
        let mut log = AttestedLog::default();
        add(&mut log, Operation::Append, (DAY, "one"), &[], objects(&OLD));
        log
    }

    #[tokio::test]
    async fn without_keys_an_object_that_an_earlier_version_may_have_joined_is_a_notice() {
        let mut log = appended();
        let report = checked(&log, &[]).await;
        assert_eq!((report.findings.len(), report.notices.len()), (2, 0));
        add(&mut log, Operation::Seal, (DAY, "sealed"), &["one"], objects(&[JOINED]));
        let report = checked(&log, &[JOINED]).await;
        assert!(report.findings.is_empty(), "{:?}", report.findings);
        assert!(report.notices[0].starts_with("2 objects of recordings are missing"), "{:?}", report.notices);
        // What that entry adds, and what comes after it, must be there, and what is there must be as it was.
        assert_eq!(checked(&log, &[]).await.findings.len(), 1);
        add(&mut log, Operation::Append, (DAY, "late"), &[], objects(&["recordings/late"]));
        assert_eq!(checked(&log, &[JOINED]).await.findings.len(), 1);
        assert_eq!(checked(&log, &[JOINED, "recordings/late"]).await.findings.len(), 0);
    }

    #[tokio::test]
    async fn an_entry_that_records_what_it_joined_excuses_nothing_else() {
        let mut log = appended();
        let removed = Files { remove: vec![object_id(OLD[0])], ..objects(&[JOINED]) };
        add(&mut log, Operation::Seal, (DAY, "sealed"), &["one"], removed);
        let report = checked(&log, &[JOINED]).await;
        assert_eq!((report.findings.len(), report.notices.len()), (1, 0), "the other one is missing");
        // Neither does one that joins nothing, appends, or is of another date.
        let others = [
            (Operation::Seal, DAY, objects(&[])),
            (Operation::Append, DAY, objects(&[JOINED])),
            (Operation::Seal, "2026-05-28", objects(&[JOINED])),
        ];
        for (operation, date, files) in others {
            let mut log = appended();
            let removed: &[&str] = if date == DAY && operation == Operation::Seal { &["one"] } else { &[] };
            add(&mut log, operation, (date, "other"), removed, files);
            assert_eq!(checked(&log, &[JOINED]).await.findings.len(), 2, "{operation:?} {date}");
        }
    }
}
