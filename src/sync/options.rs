//! What a run of sync is told.

use std::time::Duration;

use super::guard::{MaxDelete, Prune};
use super::scope::Scope;
use super::watch::SyncWatch;

/// How to sync.
#[derive(Debug, Default)]
pub struct SyncOptions {
    /// Names of sources; none is all.
    pub sources: Vec<String>,
    /// Only groups whose names match; nothing outside is deleted.
    pub groups: Option<glob::Pattern>,
    /// What is taken in of what they tell.
    pub scope: Scope,
    /// Work out statistics from the values in their files, for this long; none leaves the values unread.
    pub sketch: Option<Duration>,
    /// Read every group, changed or not.
    pub full: bool,
    /// Find out what would change, and write nothing.
    pub dry_run: bool,
    /// Whether groups that are gone are marked as deleted.
    pub prune: Prune,
    /// How many may be.
    pub max_delete: MaxDelete,
    /// How long to wait for another sync.
    pub lock_timeout: Duration,
    /// Is told how far the run is.
    pub watch: SyncWatch,
}
