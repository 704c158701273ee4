//! What a run of sync brought: per source, per group. It is told as JSON by `sync --json`, so its names are a contract.

use serde::Serialize;

use super::difference::FieldChange;
use super::guard::Withheld;
use super::sketches::SketchReport;
use super::source::{SourceError, Trouble};
use super::watch::{SyncEvent, SyncWatch};

/// How a source fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceStatus {
    /// Everything was read.
    Complete,
    /// Some of it could not be read.
    Degraded,
    /// Nothing was read, or nothing could be written.
    Failed,
    /// The run was stopped before it.
    Skipped,
}

/// A group, or a whole source, that could not be read.
#[derive(Debug, Clone, Serialize)]
pub struct GroupFault {
    /// The group; none is the source.
    pub object: Option<String>,
    /// `retryable`, `credentials`, `corrupt`, `failed`.
    pub code: &'static str,
    /// True if it may pass.
    pub retryable: bool,
    /// What happened.
    pub message: String,
}

/// What changed of a group.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// `create`, `update`, `revive`, `replace`, `delete`.
    pub op: &'static str,
    /// `group`, `entity`, `service`, `dataset`, `source`.
    pub kind: &'static str,
    /// The source.
    pub source: String,
    /// The group.
    pub id: String,
    /// Its fields, for `update` and `revive`.
    pub fields: Vec<FieldChange>,
}

/// What a source brought. Numbers are groups.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs)] // Each is its name.
pub struct SourceReport {
    pub name: String,
    pub kind: String,
    pub status: SourceStatus,
    pub listed: usize,
    pub fetched: usize,
    pub created: usize,
    pub updated: usize,
    pub unchanged: usize,
    pub deleted: usize,
    pub withheld: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld_because: Option<Withheld>,
    pub faulty: usize,
    pub retries: u64,
    pub duration_ms: u64,
    /// What was read of the values in its files; none if that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<SketchReport>,
    pub errors: Vec<GroupFault>,
}

/// What a run brought.
#[derive(Debug, Default)]
pub struct SyncReport {
    /// The run; none for a dry one.
    pub run_id: Option<String>,
    /// Per source, by name.
    pub sources: Vec<SourceReport>,
    /// Per group.
    pub changes: Vec<Change>,
    /// True if it was stopped before its end.
    pub interrupted: bool,
}

impl SyncReport {
    /// Takes in what a source brought, and tells it to whoever listens.
    pub(super) fn take(&mut self, source: SourceReport, changes: Vec<Change>, watch: &SyncWatch) {
        for change in &changes {
            watch.tells(|| SyncEvent::Change(change.clone()));
        }
        watch.tells(|| SyncEvent::Source(source.clone()));
        self.changes.extend(changes);
        self.sources.push(source);
    }
}

/// Trouble as it is reported.
pub(super) fn fault(object: Option<&str>, error: &SourceError) -> GroupFault {
    GroupFault {
        object: object.map(str::to_owned),
        code: error.trouble.as_str(),
        retryable: error.trouble == Trouble::Passing,
        message: error.error.to_string(),
    }
}

/// The report of a source of which nothing is known yet.
pub(super) fn empty_report(name: &str, kind: &str, status: SourceStatus) -> SourceReport {
    SourceReport {
        name: name.to_owned(),
        kind: kind.to_owned(),
        status,
        listed: 0,
        fetched: 0,
        created: 0,
        updated: 0,
        unchanged: 0,
        deleted: 0,
        withheld: 0,
        withheld_because: None,
        faulty: 0,
        retries: 0,
        duration_ms: 0,
        statistics: None,
        errors: Vec::new(),
    }
}
