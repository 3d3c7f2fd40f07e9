//! The key ring: whether each public key belongs to the private half that stands beside it. With another one in its place,
//! what is archived from then on would open to somebody else, and not to its holders.

use super::report::{Finding, Kind};
use crate::Archive;
use crate::error::ArchiveError;
use crate::keys::{MasterKeyId, Unlocker, announced};
use crate::paths;
use crate::proof::entry::get;
use futures::TryStreamExt;
use object_store::path::Path;

/// Checks every public key of the ring, as far as the caller's keys and the files tell.
pub(crate) async fn check(
    archive: &Archive,
    unlocker: &Unlocker,
    findings: &mut Vec<Finding>,
) -> Result<(), ArchiveError> {
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
            let what = "the private half of a master key is missing: nobody can read what it encrypts";
            findings.push(Finding::new(Kind::Key, what).file(paths::master_private(&id)));
            continue;
        };
        let public = String::from_utf8_lossy(&public).trim().to_owned();
        let expected = match unlocker.master(&id).await {
            Ok(identity) => Some(identity.to_public().to_string()),
            // Not the caller's to open; its header says which one it is, unless it was wrapped anew by another tool.
            Err(ArchiveError::NoKey { .. }) => announced(&private),
            Err(error) => {
                findings.push(Finding::new(Kind::Key, error.to_string()).file(paths::master_private(&id)));
                continue;
            }
        };
        if let Some(expected) = expected.filter(|expected| *expected != public) {
            let what =
                "a public key is not that of its private half: what is encrypted to it does not open to its holders";
            findings.push(Finding::new(Kind::Key, what).file(&object.location).expected(expected, public));
        }
    }
    Ok(())
}
