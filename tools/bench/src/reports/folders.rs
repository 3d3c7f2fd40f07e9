//! Where the benchmark stores its files.

use std::path::{Path, PathBuf};

/// The folders of one benchmark.
pub(super) struct Folders {
    pub(super) archive: PathBuf,
    /// The same rows in unencrypted files.
    pub(super) plain: PathBuf,
    /// Holdfast's result of each report, for the comparison.
    pub(super) results: PathBuf,
    pub(super) spill: PathBuf,
}

impl Folders {
    pub(super) fn below(folder: &Path) -> Self {
        Self {
            archive: folder.join("archive"),
            plain: folder.join("plain"),
            results: folder.join("results"),
            spill: folder.join("spill"),
        }
    }
}
