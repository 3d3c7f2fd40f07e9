//! What the scans of one statement need beside the table that they read.

use super::footer::FooterCache;
use super::trace::StatementTrace;
use crate::visibility::Tiers;
use holdfast_archive::Archive;
use holdfast_archive::keys::Unlocker;
use std::sync::Arc;

/// The archive, the caller's keys and tiers, and the statement's trace.
#[derive(Clone)]
pub(crate) struct ScanContext {
    pub(crate) archive: Archive,
    /// The caller's keys.
    pub(crate) unlocker: Arc<Unlocker>,
    /// The tiers that are visible to the caller, whatever the keys open.
    pub(crate) visible: Tiers,
    pub(crate) footers: Arc<FooterCache>,
    pub(crate) trace: Arc<StatementTrace>,
}
