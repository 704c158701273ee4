//! When outboxes are drained: on demand, and by size and age.
//!
//! A drain in the background starts when an outbox is large enough; a short-lived process looks once, when it
//! closes. A lease keeps processes from draining one group at once. An explicit flush waits a moment for another's
//! drain, then goes ahead: two drains of one outbox only waste work.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::FeatureStore;
use crate::backend::online::Lease;
use crate::catalog::{Process, Run};
use crate::ingest::captured::Captured;
use crate::ingest::drain::{DrainReport, drain};
use crate::model::{Arrival, ErrorKind, EventTime, FeatureGroup, GroupId, Result};

/// How long a lease holds without being prolonged: longer than any drain of one file.
const LEASE_SECONDS: i64 = 60;
/// How long an explicit flush waits for another's drain.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);
/// Writes between two looks at the outbox.
const LOOK_EVERY: u64 = 1_000;

/// Drains of this handle.
#[derive(Default)]
pub(super) struct Drains {
    writes: AtomicU64,
    running: Mutex<HashSet<GroupId>>,
}

/// Records that are durable and not yet in Parquet, over all groups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Feature groups of the store.
    pub groups: u64,
    /// Records that wait.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Age of the oldest of them.
    pub oldest_seconds: u64,
}

impl FeatureStore {
    /// What waits to become Parquet.
    pub async fn backlog(&self) -> Result<Backlog> {
        let mut backlog = Backlog { groups: self.inner.catalog.group_names().await?.len() as u64, ..Backlog::default() };
        for (id, counts) in self.inner.online.backlog()? {
            backlog.rows += counts.outbox_rows;
            backlog.bytes += counts.outbox_bytes;
            let age = self.now().seconds_since(self.oldest_in_outbox(id)?.unwrap_or(EventTime::MAX));
            backlog.oldest_seconds = backlog.oldest_seconds.max(age.max(0.0) as u64);
        }
        Ok(backlog)
    }

    fn oldest_in_outbox(&self, group: GroupId) -> Result<Option<EventTime>> {
        let mut oldest = None;
        self.inner.online.outbox(group, Arrival(0), &mut |row| {
            oldest = Some(row.arrival().time());
            Ok(ControlFlow::Break(()))
        })?;
        Ok(oldest)
    }

    /// What runs and what ran, latest first, at most so many.
    pub async fn runs(&self, limit: u32) -> Result<Vec<Run>> {
        self.inner.catalog.runs(limit).await
    }

    /// Drains the outboxes of the named groups, or of all; returns when nothing that was acknowledged before is left in them.
    pub async fn flush(&self, groups: &[String]) -> Result<Vec<(String, DrainReport)>> {
        self.check_writable()?;
        self.send_waiting().await?;
        let mut chosen = Vec::new();
        if groups.is_empty() {
            let waiting: HashSet<GroupId> = self.inner.online.backlog()?.into_iter().map(|(id, _)| id).collect();
            chosen.extend(self.list_groups().await?.into_iter().filter(|group| waiting.contains(&group.id)));
        } else {
            for name in groups {
                chosen.push(self.group(name).await?.as_ref().clone());
            }
        }
        let mut reports = Vec::new();
        for group in chosen.iter().filter(|group| group.keeps_history()) {
            let started = std::time::Instant::now();
            let has_lease = loop {
                if self.take_lease(group.id)? {
                    break true;
                }
                if started.elapsed() > FLUSH_PATIENCE {
                    break false;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            reports.push((group.name.to_string(), self.drain_group(group, has_lease).await?));
        }
        Ok(reports)
    }

    fn take_lease(&self, group: GroupId) -> Result<bool> {
        let now = self.now();
        let lease = Lease { holder: holder(), until: now.saturating_add_seconds(LEASE_SECONDS) };
        self.inner.online.take_lease(group, &lease, now)
    }

    async fn drain_group(&self, group: &FeatureGroup, has_lease: bool) -> Result<DrainReport> {
        let mut captured = Captured::new(&group.schema)?;
        let drained = match drain(&self.inner.online, &self.inner.offline, group, &mut captured).await {
            // Features were added by another process: its records need its definition.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.forget_definitions();
                let group = self.group(group.name.as_str()).await?;
                captured = Captured::new(&group.schema)?;
                drain(&self.inner.online, &self.inner.offline, &group, &mut captured).await
            }
            other => other,
        };
        if has_lease {
            self.inner.online.release_lease(group.id, &holder())?;
        }
        let report = drained?;
        if report.files > 0 {
            self.note_summary(group).await?;
            self.note_captured(group, captured).await;
            self.after_drain(group);
        }
        Ok(report)
    }

    /// After acknowledged writes: starts a drain in the background if the outbox has grown large enough.
    pub(super) fn after_writes(&self, group: &FeatureGroup, writes: u64) {
        let before = self.inner.drains.writes.fetch_add(writes, Ordering::Relaxed);
        if before / LOOK_EVERY == (before + writes) / LOOK_EVERY || !group.keeps_history() || !matches!(self.is_due(group.id), Ok(true)) {
            return;
        }
        let lock = |store: &Self| -> Option<()> {
            store.inner.drains.running.lock().unwrap_or_else(PoisonError::into_inner).insert(group.id).then_some(())
        };
        if lock(self).is_none() {
            return;
        }
        let (store, group) = (self.clone(), group.clone());
        tokio::spawn(async move {
            match store.take_lease(group.id) {
                Ok(true) => {
                    if let Err(error) = store.drain_group(&group, true).await {
                        tracing::warn!(group = %group.name, %error, "the outbox could not be drained; it keeps its records");
                    }
                }
                Ok(false) => {}
                Err(error) => tracing::warn!(group = %group.name, %error, "the drain lease could not be taken"),
            }
            store.inner.drains.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&group.id);
        });
    }

    /// True if a group's outbox is large or old enough to be drained.
    fn is_due(&self, group: GroupId) -> Result<bool> {
        let counts = self.inner.online.counts(group)?;
        let settings = &self.inner.settings;
        if counts.outbox_rows == 0 {
            return Ok(false);
        }
        if counts.outbox_rows >= settings.drain_rows || counts.outbox_bytes >= settings.drain_bytes {
            return Ok(true);
        }
        let oldest = self.oldest_in_outbox(group)?.unwrap_or(EventTime::MAX);
        Ok(self.now().seconds_since(oldest) >= settings.drain_age as f64)
    }

    /// Waits for drains in the background, then drains what is due: the last act of a process.
    pub(super) async fn drain_what_is_due(&self) -> Result<()> {
        while !self.inner.drains.running.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if self.inner.drains.writes.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        self.drain_due().await
    }

    /// Drains the outboxes that are large or old enough, of whichever process their records came: what a process that runs
    /// for long does from time to time.
    pub async fn drain_due(&self) -> Result<()> {
        if self.inner.read_only {
            return Ok(());
        }
        for (id, _) in self.inner.online.backlog()? {
            if self.is_due(id)?
                && let Some(group) = self.inner.catalog.group_by_id(&id).await?
                && group.keeps_history()
                && self.take_lease(id)?
            {
                self.drain_group(&group, true).await?;
            }
        }
        Ok(())
    }
}

/// Names this process in leases.
fn holder() -> String {
    let process = Process::current();
    format!("{process:?}").split_whitespace().collect()
}
