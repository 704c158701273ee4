//! Compaction of groups: by hand, and by itself after drains.
//!
//! **By itself** it follows a drain, because only a drain (or a load, whose files are large) adds small files, in a task of
//! its own: no put and no drain waits for it. A process that lives on merges whatever is due. One that ends, like
//! `larder put` or `larder flush`, finishes what takes a moment and leaves the rest to the next process: a merge of
//! [`SHORT_ROWS`] rows takes about a tenth of a second once in some thirty drains, and without it a store that is written from
//! the command line alone would gather files for ever. A long merge that is under way when the process ends is
//! stopped; it changes nothing.
//!
//! A run in the catalog stands for the compaction of a group, so that of several processes one does the work; the next one
//! takes up the run of a process that died. Nothing depends on it: two compactions of the same files race for one commit.
//!
//! Replaced files are deleted once the grace period is over: by the next drain or compaction of their group.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::FeatureStore;
use crate::backend::offline::{CompactionOutcome, CompactionPlan, CompactionTarget, Selection, TableSnapshot};
use crate::catalog::{NewRun, Run, RunCounts, RunKind, RunState};
use crate::ingest::load::files_of_open_loads;
use crate::model::{Error, ErrorKind, FeatureGroup, GroupId, GroupStatus, Result};

/// Rows and bytes that a process merges on its way out.
const SHORT_ROWS: u64 = 65_536;
const SHORT_BYTES: u64 = 8 << 20;

/// What became of a group's compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompactionStatus {
    /// Files were merged.
    Compacted,
    /// There was nothing to gain.
    Unchanged,
    /// Another process compacted the same files first; nothing was changed.
    Overtaken,
    /// Another process is compacting the group; nothing was changed.
    Busy,
}

impl CompactionStatus {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Compacted => "compacted",
            Self::Unchanged => "unchanged",
            Self::Overtaken => "overtaken",
            Self::Busy => "busy",
        }
    }
}

/// The history of a group before and after its compaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactionReport {
    /// What became of it.
    pub status: CompactionStatus,
    /// Live files before and after.
    pub files: (u64, u64),
    /// Bytes of live files before and after.
    pub bytes: (u64, u64),
    /// Rows of the history; compaction changes none.
    pub rows: u64,
    /// Files that had been replaced before, and whose grace period was over: now deleted.
    pub removed_files: u64,
    /// Files that stay as they are because a load that is not finished needs them.
    pub spared_files: u64,
}

/// How far the compaction of a group is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactionProgress {
    /// The group.
    pub group: String,
    /// Rows merged.
    pub rows: u64,
    /// Rows to merge.
    pub total_rows: u64,
}

/// Is told how far a compaction is; called from another thread, many times a second.
pub type OnCompactionProgress = Arc<dyn Fn(CompactionProgress) + Send + Sync>;

/// Compactions of this handle that nobody waits for.
#[derive(Default)]
pub(super) struct Upkeep {
    running: Mutex<HashSet<GroupId>>,
    /// Set when the handle is about to end.
    ending: Arc<AtomicBool>,
}

/// Upkeep of a group that is under way, however it ends.
struct Running(FeatureStore, GroupId);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.inner.upkeep.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// A plan, and what it is made from.
struct Planned {
    snapshot: TableSnapshot,
    plan: CompactionPlan,
    spared: HashSet<String>,
}

impl FeatureStore {
    /// Brings the history of the named groups, or of all, into its ideal form. Returns what became of each, in order; it
    /// stops at the first one if `cancel` is set, whose error is `Interrupted` then.
    ///
    /// # Errors
    /// Before anything is done: `NotFound` for a name that is no group, `Invalid` for one that keeps no history of its own.
    pub async fn compact(
        &self,
        groups: &[String],
        progress: OnCompactionProgress,
        cancel: Arc<AtomicBool>,
    ) -> Result<Vec<(String, Result<CompactionReport>)>> {
        self.check_writable()?;
        let mut chosen = Vec::new();
        for name in groups {
            let group = self.group(name).await?;
            if !group.keeps_history() {
                let why = if group.is_external() { "it is external: its files are never written" } else { "it has no offline store" };
                return Err(Error::invalid(format!("'{}' has no history to compact", group.name)).why(why).remedy("leave it out"));
            }
            chosen.push(group.as_ref().clone());
        }
        if groups.is_empty() {
            let is_ready = |group: &FeatureGroup| group.keeps_history() && group.status == GroupStatus::Created;
            chosen.extend(self.list_groups().await?.into_iter().filter(is_ready));
        }
        let mut reports = Vec::new();
        for group in chosen {
            let report = self.compact_by_hand(&group, &progress, &cancel).await;
            let is_interrupted = matches!(&report, Err(error) if error.kind() == ErrorKind::Interrupted);
            reports.push((group.name.to_string(), report));
            if is_interrupted {
                break;
            }
        }
        Ok(reports)
    }

    async fn compact_by_hand(
        &self,
        group: &FeatureGroup,
        progress: &OnCompactionProgress,
        cancel: &Arc<AtomicBool>,
    ) -> Result<CompactionReport> {
        let Some(planned) = self.plan(group, Selection::Everything).await? else {
            let (files, bytes) = ((0, 0), (0, 0));
            return Ok(CompactionReport { status: CompactionStatus::Unchanged, files, bytes, rows: 0, removed_files: 0, spared_files: 0 });
        };
        let Planned { snapshot, plan, spared } = planned;
        let status = match plan.is_empty() {
            true => CompactionStatus::Unchanged,
            false => self.carry_out(group, Selection::Everything, progress, cancel).await?,
        };
        // A compaction that goes on elsewhere has files that are not live yet.
        let mut removed_files = 0;
        if self.inner.catalog.find_running(RunKind::Compact, &fingerprint(group)).await?.is_none() {
            removed_files = self.inner.offline.sweep(group, &spared, self.grace(), self.now()).await?;
        }
        let after = self.inner.offline.snapshot(group).await?;
        Ok(CompactionReport {
            status,
            files: (snapshot.files().len() as u64, after.files().len() as u64),
            bytes: (snapshot.bytes(), after.bytes()),
            rows: after.rows(),
            removed_files,
            spared_files: snapshot.files().iter().filter(|file| spared.contains(&file.path)).count() as u64,
        })
    }

    /// After a drain that added files: deletes replaced files whose time is over, and merges small files if there are many.
    pub(super) fn after_drain(&self, group: &FeatureGroup) {
        if !self.inner.upkeep.running.lock().unwrap_or_else(PoisonError::into_inner).insert(group.id) {
            return;
        }
        let running = Running(self.clone(), group.id);
        let group = group.clone();
        tokio::spawn(async move {
            match running.0.keep_up(&group).await {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => tracing::warn!(group = %group.name, %error, "small files could not be merged; the next drain tries again"),
                Ok(()) => {}
            }
        });
    }

    async fn keep_up(&self, group: &FeatureGroup) -> Result<()> {
        self.inner.offline.delete_retired(group, self.grace(), self.now()).await?;
        let selection = Selection::Small { more_than: self.inner.settings.compact_files };
        let Some(Planned { plan, .. }) = self.plan(group, selection).await? else { return Ok(()) };
        let ending = &self.inner.upkeep.ending;
        let is_short = plan.rows() <= SHORT_ROWS && plan.bytes() <= SHORT_BYTES;
        if plan.is_empty() || (!is_short && ending.load(Ordering::Relaxed)) {
            return Ok(());
        }
        let cancel = if is_short { Arc::default() } else { ending.clone() };
        let progress: OnCompactionProgress = Arc::new(|_| ());
        self.carry_out(group, selection, &progress, &cancel).await.map(drop)
    }

    /// Stops long compactions in the background and waits for short ones: they end within a moment.
    pub(super) async fn end_upkeep(&self) {
        self.inner.upkeep.ending.store(true, Ordering::Relaxed);
        while !self.inner.upkeep.running.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// None if nothing was ever written.
    async fn plan(&self, group: &FeatureGroup, selection: Selection) -> Result<Option<Planned>> {
        let snapshot = match self.inner.offline.snapshot(group).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        // The snapshot first: a load that commits in between is not in it, one that ended in between needs its files no more.
        let spared = files_of_open_loads(&self.inner.catalog, group.id).await?;
        let settings = &self.inner.settings;
        let target = CompactionTarget { rows: settings.compact_rows, bytes: settings.compact_bytes };
        let plan = self.inner.offline.plan_compaction(&snapshot, &spared, target, selection);
        Ok(Some(Planned { snapshot, plan, spared }))
    }

    /// Files that a compaction by hand would merge.
    pub(super) async fn files_to_compact(&self, group: &FeatureGroup) -> Result<usize> {
        Ok(self.plan(group, Selection::Everything).await?.map_or(0, |planned| planned.plan.files().len()))
    }

    /// Compacts as a run of the catalog, unless another process is at it.
    async fn carry_out(
        &self,
        group: &FeatureGroup,
        selection: Selection,
        progress: &OnCompactionProgress,
        cancel: &Arc<AtomicBool>,
    ) -> Result<CompactionStatus> {
        let Some(run) = self.take_compaction(group).await? else { return Ok(CompactionStatus::Busy) };
        let merged_rows = Arc::new(AtomicU64::new(0));
        let result = self.compact_planned(group, selection, progress, cancel, &merged_rows).await;
        let rows = merged_rows.load(Ordering::Relaxed);
        let counts = RunCounts { rows, accepted: if result.is_ok() { rows } else { 0 }, rejected: 0 };
        let (state, message) = match &result {
            Ok((_, message)) => (RunState::Done, message.clone()),
            Err(error) if error.kind() == ErrorKind::Interrupted => (RunState::Interrupted, error.to_string()),
            Err(error) => (RunState::Failed, error.to_string()),
        };
        // What was done stands, and an error at hand matters more; a run left as running is known by its dead process.
        if let Err(error) = self.inner.catalog.finish_run(run.id, state, Some(&message), counts, self.now()).await {
            tracing::warn!(%error, run = %run.id, "the end of a compaction was not noted");
        }
        let (status, _) = result?;
        if status == CompactionStatus::Compacted {
            self.note_summary(group).await?;
        }
        Ok(status)
    }

    /// Plans again, since another process may just have finished, and compacts.
    async fn compact_planned(
        &self,
        group: &FeatureGroup,
        selection: Selection,
        progress: &OnCompactionProgress,
        cancel: &Arc<AtomicBool>,
        merged_rows: &Arc<AtomicU64>,
    ) -> Result<(CompactionStatus, String)> {
        let plan = match self.plan(group, selection).await? {
            Some(Planned { plan, .. }) if !plan.is_empty() => plan,
            _ => return Ok((CompactionStatus::Unchanged, "there was nothing to gain".into())),
        };
        let (name, total_rows) = (group.name.to_string(), plan.rows());
        progress(CompactionProgress { group: name.clone(), rows: 0, total_rows });
        let (tell, merged_rows) = (progress.clone(), merged_rows.clone());
        let on_merged = Arc::new(move |more: u64| {
            let rows = merged_rows.fetch_add(more, Ordering::Relaxed) + more;
            tell(CompactionProgress { group: name.clone(), rows: rows.min(total_rows), total_rows });
        });
        match self.inner.offline.compact(group, &plan, self.now(), on_merged, cancel.clone()).await? {
            CompactionOutcome::Done { removed, added, version } => {
                self.note_compacted(group, version).await;
                Ok((CompactionStatus::Compacted, format!("{removed} files became {added}")))
            }
            CompactionOutcome::Overtaken => Ok((CompactionStatus::Overtaken, "another process compacted the same files first".into())),
        }
    }

    /// Starts a run, or takes up that of a process that died; none if another process is at it.
    async fn take_compaction(&self, group: &FeatureGroup) -> Result<Option<Run>> {
        let catalog = &self.inner.catalog;
        let fingerprint = fingerprint(group);
        if catalog.find_running(RunKind::Compact, &fingerprint).await?.is_some() {
            return Ok(None);
        }
        if let Some(run) = catalog.find_interrupted(RunKind::Compact, &fingerprint).await? {
            return match catalog.resume_run(run.id, self.now()).await {
                Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
                taken => taken.map(Some),
            };
        }
        let subject = Some((group.id, group.name.to_string()));
        let new = NewRun { kind: RunKind::Compact, group: subject, fingerprint: Some(fingerprint.clone()), started: self.now() };
        let run = catalog.start_run(&new).await?;
        // Two processes may both have found nothing: whoever sees the other now gives way, at worst both do.
        let others = catalog.unfinished_runs(RunKind::Compact, group.id).await?;
        if others.iter().any(|other| other.id != run.id && other.state == RunState::Running) {
            let message = Some("another process was compacting");
            catalog.finish_run(run.id, RunState::Failed, message, RunCounts::default(), self.now()).await?;
            return Ok(None);
        }
        Ok(Some(run))
    }

    fn grace(&self) -> Duration {
        Duration::from_secs(self.inner.settings.compact_grace)
    }
}

/// What a compaction works on: the same group, whatever its files.
fn fingerprint(group: &FeatureGroup) -> String {
    format!("compact {}", group.id)
}
