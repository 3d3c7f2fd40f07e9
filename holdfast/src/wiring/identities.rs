//! The private keys (age identities) that read the archive. Commands that read load them, and processes with one of the
//! roles query, sessions and sealer. A process that takes events in does not.

use std::path::{Path, PathBuf};

use age::x25519::Identity;
use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

use crate::config::Settings;

/// Extension of identity files.
const EXTENSION: &str = "identity";
/// Prefix of a line with a private key.
const SECRET_KEY_PREFIX: &str = "AGE-SECRET-KEY-1";

/// The identities in the `named` files; if there are none, the readable identities in `keys.identities_dir`.
pub(crate) fn load(settings: &Settings, named: &[PathBuf]) -> anyhow::Result<Vec<Identity>> {
    if !named.is_empty() {
        return Ok(named.iter().map(|path| read(path)).collect::<anyhow::Result<Vec<_>>>()?.concat());
    }
    Ok(load_folder(&settings.resolve(&settings.config.keys.identities_dir)))
}

/// The readable identities in a folder. A file that cannot be read is logged and skipped.
pub(crate) fn load_folder(folder: &Path) -> Vec<Identity> {
    let mut identities = Vec::new();
    for path in files(folder) {
        match read(&path) {
            Ok(found) => identities.extend(found),
            // The user did not name this file, and other keys may suffice. A later notice names what they do not open.
            Err(error) => tracing::warn!("skipped an identity file: {error:#}"),
        }
    }
    identities
}

/// Whether a folder has identity files. Reads none of them.
pub(crate) fn has_files(folder: &Path) -> bool {
    !files(folder).is_empty()
}

/// Identity files in a folder, sorted by name; none when the folder does not exist or cannot be read.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
        .collect();
    files.sort();
    files
}

fn read(path: &Path) -> anyhow::Result<Vec<Identity>> {
    let text = std::fs::read(path).with_context(|| format!("read the identity file {}", path.display()))?;
    let text = Zeroizing::new(text);
    parse(&text).with_context(|| format!("{} is not usable", path.display()))
}

/// The identities of a file as `age-keygen` writes it: one a line, comments begin with `#`.
fn parse(text: &[u8]) -> anyhow::Result<Vec<Identity>> {
    if text.starts_with(b"age-encryption.org/") || text.starts_with(b"-----BEGIN AGE") {
        bail!("it is encrypted with a passphrase; decrypt it with `age --decrypt` and name the result");
    }
    let Ok(text) = std::str::from_utf8(text) else { bail!("it is not text; name a file that `age-keygen` wrote") };
    let mut identities = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if !line.to_ascii_uppercase().starts_with(SECRET_KEY_PREFIX) {
            bail!("a line in it is not an age identity; name a file that `age-keygen` wrote");
        }
        identities
            .push(line.parse().map_err(|why: &str| anyhow::anyhow!("a line in it is not an age identity: {why}"))?);
    }
    if identities.is_empty() {
        bail!("it contains no age identity; name a file that `age-keygen` wrote");
    }
    Ok(identities)
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn files_of_age_keygen_are_read() {
        let identity = Identity::generate();
        let secret = identity.to_string();
        let text = format!("# created: today\n# public key: {}\n{}\n", identity.to_public(), secret.expose_secret());
        let parsed = parse(text.as_bytes()).unwrap();
        assert_eq!(parsed.len(), 1);
        assert_eq!(parsed[0].to_public().to_string(), identity.to_public().to_string());
    }

    #[test]
    fn other_files_are_refused_without_showing_their_content() {
        let files: [(&[u8], &str); 5] = [
            (b"", "contains no age identity"),
            (b"# only a comment\n", "contains no age identity"),
            (b"hunter2\n", "not an age identity"),
            (b"age-encryption.org/v1\n", "passphrase"),
            (b"\xff\xfe", "not text"),
        ];
        for (text, expected) in files {
            let refused = parse(text).err().unwrap().to_string();
            assert!(refused.contains(expected) && !refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_missing_folder_has_no_identities() {
        assert!(files(Path::new("/nowhere/at/all")).is_empty());
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.identity", "a.identity", "ingest.token"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let found = files(folder.path());
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.identity", "b.identity"]);
    }
}
