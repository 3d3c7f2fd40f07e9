//! One caller: their keys, their visibility, and the sessions as their keys show them.

use super::shared::Shared;
use crate::scan::Ids;
use crate::visibility::Visibility;
use holdfast_archive::keys::Unlocker;
use holdfast_events::Tier;
use holdfast_sessions::{Current, Projection};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The sessions that are visible to a caller, and the state of all sessions that they were computed from.
pub(super) type VisibleSessions = (Arc<Current>, Ids);

/// The caller of a statement.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) unlocker: Arc<Unlocker>,
    pub(crate) visibility: Arc<Visibility>,
    /// All sessions, folded from what the caller's keys open.
    pub(super) projection: Arc<Mutex<Projection>>,
    pub(super) visible_sessions: Arc<Mutex<Option<VisibleSessions>>>,
}

impl Caller {
    pub(crate) fn new(shared: &Shared, identities: Vec<age::x25519::Identity>, visibility: Visibility) -> Self {
        let unlocker = Arc::new(Unlocker::new(shared.archive.clone(), identities));
        let [events, _, sessions] = shared.logs.clone();
        let with_content = visibility.tiers().has(Tier::Content);
        let projection =
            Projection::with_logs(shared.archive.clone(), events, sessions, Arc::clone(&unlocker), with_content);
        Self {
            unlocker,
            visibility: Arc::new(visibility),
            projection: Arc::new(projection.into()),
            visible_sessions: Arc::default(),
        }
    }
}
