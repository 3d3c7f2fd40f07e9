//! The arguments that all commands share.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::config::{ConfigError, DEFAULT_FILE_NAME, Settings, Sources, load};

/// Which configuration to use.
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// Configuration file [default: ./holdfast.toml; also HOLDFAST_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigArguments {
    /// The path of the configuration file, whether or not it exists.
    fn file(&self) -> PathBuf {
        self.config
            .clone()
            .or_else(|| std::env::var_os("HOLDFAST_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(DEFAULT_FILE_NAME))
    }

    /// The configuration, from a file that must exist.
    pub(crate) fn load(&self) -> Result<Settings, ConfigError> {
        let path = self.file();
        if !path.exists() {
            return Err(ConfigError::Missing { path });
        }
        load(&Sources { file: Some(path), environment: environment() })
    }

    /// The configuration; the defaults when --config is not given and the default file does not exist.
    pub(super) fn load_or_default(&self) -> Result<Settings, ConfigError> {
        let path = self.file();
        if self.config.is_some() || path.exists() {
            return self.load();
        }
        load(&Sources { file: None, environment: environment() })
    }
}

/// The environment variables. Bytes that are not Unicode become replacement characters, so that a variable with
/// Holdfast's prefix is refused rather than silently ignored.
pub(super) fn environment() -> Vec<(String, String)> {
    let text = |value: OsString| value.to_string_lossy().into_owned();
    std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
}
