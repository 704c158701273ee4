//! Compaction: many files of a table become few sorted ones, in one commit.
//!
//! ```text
//! snapshot --plan--> jobs: files to merge --runs--> sorted runs --merge--> rows in order --write--> staged files
//!   --> one commit: remove the old files, add the new ones --grace period--> old files deleted (`retired.rs`)
//! ```
//! No row changes, comes or goes: duplicates and tombstones are kept, and of two rows the same one is newer as before
//! ([`order`]). Nobody is kept waiting: readers hold the files of their snapshot, which stay for the grace period; drains and
//! loads commit beside it, since only another compaction of the same files is in its way. Whatever stops a compaction
//! before its commit leaves the table as it was, and at worst files that no commit names.
//!
//! What readers may rely on in a file of ours, compacted or not: its rows are sorted by (record identifier, event time),
//! the footer says so, row groups and pages have bounds. Two outputs of one compaction share no identifier unless that
//! one alone fills a file. There is no bloom filter: in sorted files the bounds of log, row groups and pages lead to
//! the one page that may hold an identifier, absent ones included, and reading that page costs no more than a
//! filter of its row group would (131,072 identifiers at a false positive rate of 1 % take 160 KiB, a page of them less).
//!
//! Merging runs on one thread, encoding on another; memory is bounded ([`runs`]).

mod merge;
mod order;
mod plan;
mod runs;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod samples;
mod write;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tokio::runtime::Handle;

pub use plan::{CompactionPlan, CompactionTarget, Selection};

use self::merge::{Merge, Stopped};
use self::order::OrderColumns;
use self::runs::Limits;
use self::write::{Output, Outputs};
use super::commit::Replacement;
use super::parquet_file::StagedFile;
use super::{DataFile, GroupFolder, OfflineStore};
use crate::model::{Error, ErrorKind, EventTime, FeatureGroup, Result};

/// Batches between the thread that merges and the one that encodes.
const BATCHES_WAITING: usize = 4;

/// What became of a compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompactionOutcome {
    /// The table has the new files as of this version.
    Done {
        /// Version of the table.
        version: u64,
        /// Files taken out of it.
        removed: u64,
        /// Files put into it.
        added: u64,
    },
    /// Somebody else compacted the same files first; nothing was changed.
    Overtaken,
}

/// Is told how many rows were merged since it was told last; called from another thread, many times a second.
pub type OnMerged = Arc<dyn Fn(u64) + Send + Sync>;

impl OfflineStore {
    /// Does what a plan says. `cancel` stops it at the next batch, with nothing changed.
    ///
    /// # Errors
    /// `Interrupted` if it was cancelled. `OutcomeUnknown` if the commit may or may not be there: the rows are in the table
    /// once either way. With any other error nothing was changed.
    pub async fn compact(
        &self,
        group: &FeatureGroup,
        plan: &CompactionPlan,
        now: EventTime,
        merged: OnMerged,
        cancel: Arc<AtomicBool>,
    ) -> Result<CompactionOutcome> {
        self.check_writable()?;
        let folder = self.folder(group)?;
        let within = |error: Error| error.within(format!("group '{}'", group.name));
        if let Some(state) = self.state(&folder).await? {
            state.check_writable().map_err(within)?;
        }
        let (store, definition, jobs, runtime) = (self.clone(), group.clone(), plan.clone(), Handle::current());
        let (in_folder, is_cancelled) = (folder.clone(), cancel.clone());
        let work = tokio::task::spawn_blocking(move || {
            let limits = Limits::default();
            let merging =
                Merging { store: &store, runtime: &runtime, group: &definition, folder: &in_folder, cancel: &is_cancelled, limits };
            merging.run(&jobs, &merged)
        });
        let new = match work.await.map_err(|error| Error::internal("the compaction stopped").source(error))? {
            Ok(new) => new,
            Err(error) if error.kind() != ErrorKind::Interrupted && self.is_overtaken(&folder, plan).await? => {
                return Ok(CompactionOutcome::Overtaken);
            }
            Err(error) => return Err(error),
        };
        let old = plan.files();
        match self.replace(&folder, &old, &new, now).await {
            Ok(Replacement::Done { version }) => {
                Ok(CompactionOutcome::Done { version, removed: old.len() as u64, added: new.len() as u64 })
            }
            Ok(Replacement::Overtaken) => {
                self.discard(group, &new).await?;
                Ok(CompactionOutcome::Overtaken)
            }
            Err(error) => {
                // A commit that may be there needs its files.
                if error.kind() != ErrorKind::OutcomeUnknown
                    && let Err(second) = self.discard(group, &new).await
                {
                    tracing::warn!(error = %second, group = %group.name, "files of a failed compaction stay until they are old");
                }
                Err(within(error))
            }
        }
    }

    /// True if a file of the plan is no longer in the table.
    async fn is_overtaken(&self, folder: &GroupFolder, plan: &CompactionPlan) -> Result<bool> {
        let Some(state) = self.state(folder).await? else { return Ok(true) };
        Ok(plan.files().iter().any(|file| !state.names(&file.path)))
    }
}

/// The merges of one compaction.
struct Merging<'a> {
    store: &'a OfflineStore,
    runtime: &'a Handle,
    group: &'a FeatureGroup,
    folder: &'a GroupFolder,
    cancel: &'a AtomicBool,
    limits: Limits,
}

impl Merging<'_> {
    /// Merges all jobs; returns the new files, or leaves none.
    fn run(&self, plan: &CompactionPlan, merged: &OnMerged) -> Result<Vec<StagedFile>> {
        let mut new = Vec::new();
        for files in plan.jobs() {
            let done = self.job(plan, files).and_then(|job| job.run(merged, &mut new));
            if let Err(error) = done {
                self.discard(&new);
                return Err(error);
            }
        }
        Ok(new)
    }

    fn job<'a>(&'a self, plan: &'a CompactionPlan, files: &'a [Arc<DataFile>]) -> Result<Job<'a>> {
        let latest = files.iter().filter_map(|file| file.event_time()).map(|(_, latest)| latest).max().unwrap_or(0);
        Ok(Job {
            store: self.store,
            runtime: self.runtime,
            group: self.group,
            folder: self.folder,
            cancel: self.cancel,
            limits: self.limits,
            schema: plan.schema().clone(),
            columns: OrderColumns::find(plan.schema(), self.group)?,
            target: plan.target(),
            files,
            latest: EventTime::from_unix_micros(latest).unwrap_or(if latest < 0 { EventTime::MIN } else { EventTime::MAX }),
            own: Mutex::default(),
            kept_bytes: AtomicUsize::new(0),
            rows: AtomicU64::new(0),
        })
    }

    fn discard(&self, files: &[StagedFile]) {
        discard(self.store, self.runtime, self.group, files);
    }
}

/// Removes files that no commit names. One that can't be removed goes by its age later.
fn discard(store: &OfflineStore, runtime: &Handle, group: &FeatureGroup, files: &[StagedFile]) {
    if files.is_empty() {
        return;
    }
    if let Err(error) = runtime.block_on(store.discard(group, files)) {
        tracing::warn!(%error, group = %group.name, "files of a compaction stay until they are old");
    }
}

/// The merge of some files.
struct Job<'a> {
    store: &'a OfflineStore,
    runtime: &'a Handle,
    group: &'a FeatureGroup,
    folder: &'a GroupFolder,
    cancel: &'a AtomicBool,
    limits: Limits,
    schema: SchemaRef,
    columns: OrderColumns,
    target: CompactionTarget,
    files: &'a [Arc<DataFile>],
    latest: EventTime,
    /// Files of merged runs that may still be there.
    own: Mutex<Vec<StagedFile>>,
    /// Bytes of runs that are kept in memory.
    kept_bytes: AtomicUsize,
    /// Rows of the files, by their footers.
    rows: AtomicU64,
}

impl Job<'_> {
    fn check_cancelled(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::interrupted("the compaction was stopped").why("nothing was changed"));
        }
        Ok(())
    }

    /// Notes a file that is to go when the job ends.
    fn note_own(&self, file: &StagedFile) {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).push(file.clone());
    }

    fn discard(&self, files: &[StagedFile]) {
        discard(self.store, self.runtime, self.group, files);
        self.own.lock().unwrap_or_else(PoisonError::into_inner).retain(|own| !files.iter().any(|file| file.path == own.path));
    }

    /// Merges the files; adds the new ones to `new`, also those that were ended before an error.
    fn run(&self, merged: &OnMerged, new: &mut Vec<StagedFile>) -> Result<()> {
        let mut unsorted: Vec<Arc<str>> = Vec::new();
        let result = loop {
            let before = new.len();
            match self.merge(&unsorted, merged, new) {
                // Its footer was wrong: once more from the start, with that file taken apart.
                Err(Stopped::Unsorted(name)) if !unsorted.contains(&name) => {
                    tracing::warn!(file = %name, group = %self.group.name, "a file is not sorted as its footer says");
                    self.discard(&new.split_off(before));
                    unsorted.push(name);
                }
                Err(Stopped::Unsorted(name)) => break Err(Error::internal(format!("the pieces of {name} are not sorted"))),
                Err(Stopped::Failed(error)) => break Err(error),
                Ok(()) => break Ok(()),
            }
        };
        let own = std::mem::take(&mut *self.own.lock().unwrap_or_else(PoisonError::into_inner));
        self.discard(&own);
        result
    }

    fn merge(&self, unsorted: &[Arc<str>], merged: &OnMerged, new: &mut Vec<StagedFile>) -> std::result::Result<(), Stopped> {
        let runs = self.runs(unsorted)?;
        let open = self.open(&runs)?;
        let output = Output {
            store: self.store,
            runtime: self.runtime,
            group: self.group,
            schema: &self.schema,
            columns: &self.columns,
            target: self.target,
            latest: self.latest,
        };
        let (written, outcome) = std::thread::scope(|scope| {
            let (sender, queue) = sync_channel(BATCHES_WAITING);
            let writer = scope.spawn(move || write_all(Outputs::new(output), &queue));
            let read = self.merge_runs(open, &sender, merged);
            drop(sender);
            let (written, ended) =
                writer.join().unwrap_or_else(|_| (Vec::new(), Err(Error::internal("the thread that writes merged rows stopped"))));
            // If the writer has failed, the merge only found nobody listening.
            (written, ended.map_err(Stopped::from).and(read))
        });
        let rows: u64 = written.iter().map(|file| file.rows).sum();
        new.extend(written);
        outcome?;
        let expected = self.rows.load(Ordering::Relaxed);
        if rows != expected {
            return Err(Error::internal(format!("of {expected} rows {rows} were merged")).remedy("report this with the log").into());
        }
        Ok(())
    }

    /// Merges open runs into the channel; ends early if nobody listens.
    fn merge_runs(&self, open: Vec<merge::OpenRun>, sender: &SyncSender<Message>, merged: &OnMerged) -> std::result::Result<(), Stopped> {
        let mut merge = Merge::open(&self.schema, &self.columns, open)?;
        loop {
            self.check_cancelled()?;
            let Some(batch) = merge.next_batch()? else { break };
            merged(batch.num_rows() as u64);
            if sender.send(Message::Rows(batch)).is_err() {
                return Ok(());
            }
        }
        // The writer tells why it is gone.
        let _ = sender.send(Message::End);
        Ok(())
    }
}

enum Message {
    Rows(RecordBatch),
    End,
}

/// Writes rows until the end mark; without one the file at hand is given up. Returns the files that were ended.
fn write_all(mut outputs: Outputs<'_>, queue: &Receiver<Message>) -> (Vec<StagedFile>, Result<()>) {
    while let Ok(message) = queue.recv() {
        match message {
            Message::Rows(batch) => {
                if let Err(error) = outputs.write(&batch) {
                    return (outputs.give_up(), Err(error));
                }
            }
            Message::End => return outputs.finish(),
        }
    }
    (outputs.give_up(), Ok(()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    use parquet::arrow::ArrowWriter;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::samples::{self, Row, batch, rows};
    use super::*;
    use crate::backend::offline::{FileStatistics, OfflineOptions, Predicate};
    use crate::model::FeatureType;

    /// A file as another writer makes it: not sorted, and the log says nothing of its columns.
    fn foreign(store: &OfflineStore, group: &FeatureGroup, number: usize, rows: &[Row]) -> StagedFile {
        let path = format!("part-{number:05}.parquet");
        let place = store.staged_path(group, &path).unwrap();
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        let mut writer = ArrowWriter::try_new(std::fs::File::create(&place).unwrap(), samples::columns_of(group), None).unwrap();
        writer.write(&batch(group, rows)).unwrap();
        writer.close().unwrap();
        let size = std::fs::metadata(place).unwrap().len();
        let statistics = FileStatistics { rows: rows.len() as u64, ..FileStatistics::default() };
        StagedFile { path, size, rows: statistics.rows, event_time: None, identifier: None, statistics }
    }

    async fn found(store: &OfflineStore, group: &FeatureGroup) -> Vec<i64> {
        let snapshot = store.snapshot(group).await.unwrap();
        let mut found = Vec::new();
        for part in store.scan(&snapshot, None, &Predicate::default()).unwrap() {
            found.extend(part.unwrap().batch.column(2).as_primitive::<Int64Type>().values().iter().copied());
        }
        found
    }

    #[tokio::test]
    async fn many_runs_and_files_that_are_not_sorted_come_out_in_order_with_little_memory() {
        let mut random = StdRng::seed_from_u64(51);
        for round in 0..24 {
            let folder = tempfile::tempdir().unwrap();
            let store = OfflineStore::open(OfflineOptions::new(folder.path())).unwrap();
            let group = samples::group(FeatureType::ALL[round % 3]);
            let (mut staged, mut expected, mut number) = (Vec::new(), Vec::new(), 0);
            for file in 0..random.random_range(3..14) {
                let count = random.random_range(1..40);
                let mut rows = rows(&mut random, number..number + count);
                number += count;
                if random.random_bool(0.3) {
                    staged.push(foreign(&store, &group, file, &rows));
                } else {
                    // Every tenth file of ours lies about its order.
                    if random.random_bool(0.9) {
                        rows.sort_by_key(Row::key);
                    }
                    staged.push(store.stage(&group, vec![batch(&group, &rows)]).await.unwrap());
                }
                expected.extend(rows);
            }
            expected.sort_by_key(Row::key);
            store.commit(&group, &staged, None).await.unwrap();
            let snapshot = store.snapshot(&group).await.unwrap();
            let target = CompactionTarget { rows: 50, bytes: 1 << 30 };
            let plan = store.plan_compaction(&snapshot, &Default::default(), target, Selection::Everything);
            assert_eq!(plan.files().len(), staged.len(), "round {round}");
            // Two or three runs at once; what they become lies in memory or in files.
            let limits = Limits::tiny(round % 2 == 0);
            let (runtime, cancel) = (Handle::current(), AtomicBool::new(false));
            let (merging_store, merging_group) = (store.clone(), group.clone());
            let merged = tokio::task::spawn_blocking(move || {
                let folder = merging_store.folder(&merging_group).unwrap();
                let merging =
                    Merging { store: &merging_store, runtime: &runtime, group: &merging_group, folder: &folder, cancel: &cancel, limits };
                merging.run(&plan, &(Arc::new(|_| ()) as OnMerged)).map(|new| (plan, new))
            });
            let (plan, new) = merged.await.unwrap().unwrap();
            let folder = store.folder(&group).unwrap();
            store.replace(&folder, &plan.files(), &new, EventTime::MIN).await.unwrap();
            assert_eq!(found(&store, &group).await, expected.iter().map(|row| row.number).collect::<Vec<_>>(), "round {round}");
            assert!(store.check(&group).await.unwrap().problems.is_empty());
            let files = store.objects(&group).await.unwrap().into_iter().filter(|name| name.ends_with(".parquet")).count();
            assert_eq!(files, staged.len() + new.len(), "round {round}: nothing that was made on the way is left");
        }
    }
}
