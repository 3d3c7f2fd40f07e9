//! How a session is set up.

use super::extension::Extension;
use super::statement_runtime::StatementRuntime;
use crate::scan::FooterCache;
use crate::visibility::Visibility;
use holdfast_archive::Archive;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes that sorts, joins and groups may take by default.
pub const DEFAULT_MEMORY_LIMIT: usize = 512 << 20;
/// Bytes of decrypted footers that are cached by default.
pub const DEFAULT_FOOTER_CACHE: usize = 128 << 20;

/// What happens when a statement exceeds its memory limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Spill {
    /// It fails with [`crate::QueryError::Memory`].
    #[default]
    Refuse,
    /// Sorts, joins and groups continue in temporary files. They are encrypted with keys that are never written to
    /// disk.
    Encrypted {
        /// The folder of the files.
        directory: PathBuf,
        /// Bytes that all files together may take.
        limit: u64,
    },
}

/// How a session is set up.
pub struct SessionOptions {
    /// The archive to read.
    pub archive: Archive,
    /// The caller's age identities. Without any, nothing can be read.
    pub identities: Vec<age::x25519::Identity>,
    /// What the caller may see of what the identities open.
    pub visibility: Visibility,
    /// What is added to the engine.
    pub extensions: Vec<Arc<dyn Extension>>,
    /// Bytes that all statements of this session together may take for sorts, joins and groups.
    pub memory_limit: usize,
    /// What happens when a statement exceeds the limit.
    pub spill: Spill,
    /// Decrypted footers. Sessions of different callers may share one cache of the same archive.
    pub footers: Arc<FooterCache>,
    /// Threads that one statement may use.
    pub parallelism: usize,
    /// Statements that may compute their first row at the same time, and half of them for one user. Others wait for a
    /// permit.
    pub concurrent_statements: usize,
    /// The threads of statements. `None`: the session starts its own, [`SessionOptions::parallelism`] of them.
    pub runtime: Option<Arc<StatementRuntime>>,
}

impl SessionOptions {
    /// The defaults for a caller with `identities`.
    pub fn new(archive: Archive, identities: Vec<age::x25519::Identity>) -> Self {
        let parallelism = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            archive,
            identities,
            visibility: Visibility::ALL,
            extensions: Vec::new(),
            memory_limit: DEFAULT_MEMORY_LIMIT,
            spill: Spill::Refuse,
            footers: Arc::new(FooterCache::new(DEFAULT_FOOTER_CACHE)),
            parallelism,
            concurrent_statements: 2 * parallelism,
            runtime: None,
        }
    }
}
