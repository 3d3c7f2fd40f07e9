//! Recordings, chunk by chunk: compares each object with its digest, and each chunk with the hash in its row.

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
    digests: &HashMap<String, FileDigest>,
    report: &mut Report,
) -> Result<(), ArchiveError> {
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
