//! The key ring: whether each public key belongs to the private half beside it. If a public key was replaced, later
//! events are encrypted to the holder of another key, and not to the tier's holders.

use super::report::{Finding, Kind, Report};
use crate::Archive;
use crate::error::ArchiveError;
use crate::keys::{MasterKeyId, Unlocker, recipient_in_header};
use crate::paths;
use crate::proof::entry::get;
use futures::TryStreamExt;
use object_store::path::Path;

/// Checks every public key of the ring, as far as the caller's keys and the headers of the private halves allow.
pub(crate) async fn check(archive: &Archive, unlocker: &Unlocker, report: &mut Report) -> Result<(), ArchiveError> {
    let store = archive.store().as_ref();
    let folder = Path::from("keys");
    let failed = |source| ArchiveError::Store { doing: format!("list {folder}"), source };
    let listed: Vec<_> = store.list(Some(&folder)).try_collect().await.map_err(failed)?;
    for object in listed {
        let name = object.location.as_ref();
        let id = name.strip_prefix("keys/").and_then(|name| name.strip_suffix(".pub")).and_then(MasterKeyId::parse);
        let Some(id) = id else { continue };
        let Some(public) = get(store, &object.location).await? else { continue };
        let Some(private) = get(store, &paths::master_private(&id)).await? else {
            let what = "the private half of a master key is missing: what it encrypts cannot be decrypted";
            report.findings.push(Finding::new(Kind::Key, what).file(paths::master_private(&id)));
            continue;
        };
        let public = String::from_utf8_lossy(&public).trim().to_owned();
        let expected = match unlocker.master(&id).await {
            Ok(identity) => Some(identity.to_public().to_string()),
            // The caller cannot decrypt it. Its header names the recipient, unless another tool has re-wrapped it.
            Err(ArchiveError::NoKey { .. }) => recipient_in_header(&private),
            Err(error) => {
                report.findings.push(Finding::new(Kind::Key, error.to_string()).file(paths::master_private(&id)));
                continue;
            }
        };
        if let Some(expected) = expected.filter(|expected| *expected != public) {
            let what =
                "a public key is not that of its private half: its holders cannot decrypt what is encrypted to it";
            report.findings.push(Finding::new(Kind::Key, what).file(&object.location).expected(expected, public));
        }
    }
    Ok(())
}
