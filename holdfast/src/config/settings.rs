//! The configuration in force, with its origins and the secrets of the environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::environment_secrets::EnvironmentSecrets;
use super::origin::Origin;
use super::sections::Config;

/// A checked configuration, with the folder of its relative paths and the secrets of the environment.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// The file that was read, if any.
    pub(crate) file: Option<PathBuf>,
    /// Folder that relative paths start from.
    pub(crate) base: PathBuf,
    /// By dotted key. A value that is the default has none.
    pub(crate) origins: BTreeMap<String, Origin>,
    pub(crate) secrets: EnvironmentSecrets,
}

impl Settings {
    /// The path as the process can open it. Relative paths start from the folder of the configuration file.
    pub(crate) fn resolve(&self, path: impl AsRef<Path>) -> PathBuf {
        self.base.join(path)
    }
}
