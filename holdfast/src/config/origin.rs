//! Where a value in force comes from.

/// The layer that sets a value, when it is not the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Line (from 1) of the configuration file.
    File { line: usize },
    /// Name of the environment variable.
    Environment { variable: String },
}
