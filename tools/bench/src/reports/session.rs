//! A session of the query engine over the archive.

use super::limits::{SPILL, THREADS};
use crate::prove;
use holdfast_query::{FooterCache, Session, SessionOptions, Spill};
use std::path::Path;
use std::sync::Arc;

/// A session with `memory` bytes for its sorts, joins and groups, and the footer cache that it uses.
pub(super) fn open(folder: &Path, spill: &Path, memory: usize) -> anyhow::Result<(Session, Arc<FooterCache>)> {
    let (archive, identities) = prove::open(folder)?;
    let mut options = SessionOptions::new(archive, identities);
    options.memory_limit = memory;
    options.parallelism = THREADS;
    options.spill = Spill::Encrypted { directory: spill.to_owned(), limit: SPILL };
    let footers = Arc::clone(&options.footers);
    Ok((Session::new(options)?, footers))
}
