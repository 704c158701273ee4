//! Bulk load: whole files into both stores of a group, exactly once, whatever happens on the way.
//!
//! ```text
//! files --read, coerce--> parts: sorted, at most 512 Ki rows --> staged Parquet, durable, unseen   mark: parts
//!   --> one Delta commit with all parts, txn larder-load-<run id> = 1                              mark: committed
//!   --> newest row per identifier, in their order, into the online store, in chunks                mark: online
//! ```
//! Nothing is visible before the commit, so a load that stops at a bad row leaves nothing behind. Every step is
//! either idempotent or guarded by its mark in the catalog's runs: a part that is staged is not read again, a
//! commit is recognised by its application id, an online row replaces itself at most. The same command (same
//! group, files with their sizes and times, options) takes an interrupted run up where it stopped, after Ctrl-C,
//! after an error that was mended, after kill -9. A load that ended is not remembered: the same command then loads
//! again, as it was asked to.
//!
//! All rows share the load's first arrival as their API invocation time; each part has an arrival of its own as
//! write time, out of one block that no put can lie between. Parts come in the order of the input and rows of
//! one part keep it, so at equal event times the later row of the input wins in both stores.
//!
//! Reading, gathering and encoding run on a thread each; a load to the online store alone stages
//! its parts in the spool folder, since it too must not be half visible.

mod marks;
mod newest;
mod online;
mod parts;
mod staging;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use xxhash_rust::xxh3::Xxh3;

use self::marks::{Marks, Totals};
use self::parts::Shelf;
use super::captured::Captured;
use super::files::{Dropped, Input, Reading, RejectsFile};
use super::writer::Clock;
use crate::backend::offline::{Mark, OfflineStore};
use crate::backend::online::{OnlineStore, Targets};
use crate::catalog::{Catalog, NewRun, Run, RunCounts, RunId, RunKind, RunState};
use crate::model::{Arrival, Error, ErrorKind, FeatureGroup, GroupId, Result};

/// Arrivals of a load: one for each part. They run ahead of the clock by as many microseconds.
const ARRIVALS: u64 = 16_384;

/// Arrival of a part. The load's first arrival is no part's: a row whose write time is its API invocation time was
/// put, and stands in the history once; rows of a load may repeat within a part.
fn part_arrival(first: Arrival, number: usize) -> Arrival {
    Arrival(first.0 + 1 + number as u64)
}

/// What to do with a row that can't be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// End the load; nothing of it becomes visible.
    Stop,
    /// Leave the row out and go on.
    Skip,
}

/// A bulk load.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    /// The group, read a moment ago.
    pub group: Arc<FeatureGroup>,
    /// Its files, in order; see [`super::files::resolve`].
    pub inputs: Vec<Input>,
    /// Columns to leave out.
    pub drop: Vec<String>,
    /// Stores to write. [`Targets::BOTH`] means those the group has.
    pub targets: Targets,
    /// What to do with a row that can't be stored.
    pub on_error: OnError,
    /// Where rows that were left out are written, as JSON lines.
    pub rejects: Option<PathBuf>,
}

/// Rows at which a part is closed.
pub const PART_ROWS: usize = 512 * 1_024;

/// What a load works with.
#[derive(Clone, Copy)]
pub struct LoadContext<'a> {
    /// For runs and their marks.
    pub catalog: &'a Catalog,
    /// The online store.
    pub online: &'a Arc<dyn OnlineStore>,
    /// The offline store.
    pub offline: &'a OfflineStore,
    /// Folder for parts of loads that go to the online store alone; made when needed.
    pub spool: &'a Path,
    /// Folder for rows that were set aside; made when needed.
    pub quarantine: &'a Path,
    /// Tells the time.
    pub clock: &'a Clock,
    /// Rows at which a part is closed: [`PART_ROWS`], fewer in tests.
    pub part_rows: usize,
}

/// What a load is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadPhase {
    /// Reading files and writing parts.
    Reading,
    /// Making the parts visible.
    Committing,
    /// Filling the online store.
    Online,
}

/// How far a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// What it is doing.
    pub phase: LoadPhase,
    /// Rows done in this phase.
    pub rows: u64,
    /// Rows of this phase, where they are known.
    pub total_rows: Option<u64>,
    /// Bytes of the files read so far.
    pub bytes: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Rows left out so far.
    pub rejected: u64,
}

/// Is told how far a load is; called from several threads, many times a second.
pub type OnProgress = Arc<dyn Fn(LoadProgress) + Send + Sync>;

/// What a load did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadReport {
    /// Rows of the files.
    pub rows: u64,
    /// Rows that are in the group now.
    pub accepted: u64,
    /// Rows left out.
    pub rejected: u64,
    /// NaN values that became null.
    pub nulled: u64,
    /// Rows that became the newest of their identifier, if the load went to the online store.
    pub online_rows: u64,
    /// Parquet files added to the history.
    pub files: u64,
    /// True if an interrupted run was taken up.
    pub resumed: bool,
    /// Time this took, without that of interrupted attempts.
    pub seconds: f64,
    /// What the user should know though it is no error.
    pub notes: Vec<String>,
}

/// Loads files into a group, and tells the statistics of what it wrote. `cancel` stops it at the next batch; the same request
/// then goes on where it stopped.
///
/// # Errors
/// `Invalid` for files that don't fit the group and, with [`OnError::Stop`], at the first bad row: nothing of the
/// load is visible then. `Interrupted` if it was cancelled. `Conflict` if another process runs the same load. Any
/// other error leaves a run that the same request takes up.
pub async fn load(
    context: LoadContext<'_>,
    request: LoadRequest,
    progress: OnProgress,
    cancel: Arc<AtomicBool>,
) -> Result<(LoadReport, Captured)> {
    let started = Instant::now();
    let targets = effective_targets(&request)?;
    let request = Arc::new(LoadRequest { targets, ..request });
    let fingerprint = fingerprint(&request);
    let (run, is_resumed) = take_run(&context, &request, &fingerprint).await?;
    let captured = Captured::new(&request.group.schema)?;
    let mut work = Work { context, request, run: run.id, progress, cancel, marks: Marks::default(), captured };
    let result = work.run(is_resumed).await;
    match work.end(result).await {
        // Parts that an earlier attempt staged are in no profile; they are read when somebody asks for statistics.
        Ok(report) => Ok((LoadReport { resumed: is_resumed, seconds: started.elapsed().as_secs_f64(), ..report }, work.captured)),
        Err(error) => Err(error),
    }
}

/// Files of a group's history that loads still need: parts that are staged and those from which the online store is being
/// filled. Names are relative to the data folder. A snapshot taken before holds no other file that a load needs.
pub async fn files_of_open_loads(catalog: &Catalog, group: GroupId) -> Result<HashSet<String>> {
    let mut files = HashSet::new();
    for run in catalog.unfinished_runs(RunKind::Load, group).await? {
        // Marks of a load to the online store alone name files in the spool, which no table has.
        let marks = Marks::parse(&catalog.marks(run.id).await?)?;
        files.extend(marks.parts.into_iter().map(|part| part.path));
    }
    Ok(files)
}

fn effective_targets(request: &LoadRequest) -> Result<Targets> {
    let group = &request.group;
    if group.offline.as_ref().is_some_and(|offline| offline.external.is_some()) {
        return Err(Error::invalid(format!("'{}' is external", group.name))
            .why("its files are read in place and never written")
            .remedy("add files to its folder instead, or create another group"));
    }
    let has = Targets { online: group.online.is_some(), offline: group.offline.is_some() };
    if request.targets == Targets::BOTH {
        return Ok(has);
    }
    let lacks = |store: &str, other: &str| {
        Err(Error::usage(format!("'{}' has no {store} store", group.name)).remedy(format!("load it with --to {other}")))
    };
    match (request.targets, has) {
        (Targets { online: true, .. }, Targets { online: false, .. }) => lacks("online", "offline"),
        (Targets { offline: true, .. }, Targets { offline: false, .. }) => lacks("offline", "online"),
        (targets, _) => Ok(targets),
    }
}

/// Digest of everything that makes two commands the same load.
fn fingerprint(request: &LoadRequest) -> String {
    let mut hash = Xxh3::new();
    let mut add = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(&request.group.id.to_string());
    add(&format!("{:?} {:?} {:?}", request.targets, request.on_error, request.rejects));
    request.drop.iter().for_each(|column| add(&column.to_lowercase()));
    add("");
    request.inputs.iter().for_each(|input| add(&input.identity));
    format!("{:032x}", hash.digest128())
}

/// Takes up an interrupted run of the same load, or starts one.
async fn take_run(context: &LoadContext<'_>, request: &LoadRequest, fingerprint: &str) -> Result<(Run, bool)> {
    let catalog = context.catalog;
    let busy = |run: &Run| {
        Error::new(ErrorKind::Conflict, format!("the same load into '{}' is running", request.group.name))
            .why(format!("process {} is at it", run.process.id))
            .remedy("wait for it to end")
    };
    if let Some(run) = catalog.find_running(RunKind::Load, fingerprint).await? {
        return Err(busy(&run));
    }
    if let Some(run) = catalog.find_interrupted(RunKind::Load, fingerprint).await? {
        return Ok((catalog.resume_run(run.id, (context.clock)()).await?, true));
    }
    let group = (request.group.id, request.group.name.to_string());
    let new = NewRun { kind: RunKind::Load, group: Some(group), fingerprint: Some(fingerprint.to_owned()), started: (context.clock)() };
    let run = catalog.start_run(&new).await?;
    // Two processes may both have found nothing: whoever sees the other now gives way, at worst both do.
    let same = |other: &&Run| other.id != run.id && other.fingerprint == run.fingerprint && other.state == RunState::Running;
    if let Some(other) = catalog.runs(1_000).await?.iter().find(same) {
        catalog.finish_run(run.id, RunState::Failed, Some("the same load was running"), RunCounts::default(), (context.clock)()).await?;
        return Err(busy(other));
    }
    Ok((run, false))
}

/// A load under way.
struct Work<'a> {
    context: LoadContext<'a>,
    request: Arc<LoadRequest>,
    run: RunId,
    progress: OnProgress,
    cancel: Arc<AtomicBool>,
    marks: Marks,
    captured: Captured,
}

impl Work<'_> {
    async fn run(&mut self, is_resumed: bool) -> Result<LoadReport> {
        if is_resumed {
            self.marks = Marks::parse(&self.context.catalog.marks(self.run).await?)?;
        }
        let shelf = self.shelf().await?;
        let targets = self.request.targets;
        if targets.offline && !self.marks.committed {
            // Committed just before the process died, perhaps.
            self.marks.committed = self.is_committed().await?;
        }
        if !self.marks.committed && is_resumed {
            self.keep_whole_parts(&shelf).await?;
        }
        let first = self.arrivals().await?;
        let mut report = LoadReport::default();
        if !self.marks.staged {
            report.notes = self.stage(&shelf, first).await?;
        }
        self.note_one_sided().await?;
        if targets.offline {
            self.commit(&shelf).await?;
        }
        if targets.online {
            self.materialise(&shelf, first).await?;
        }
        let Totals { rows, accepted, rejected, nulled } = self.marks.totals;
        Ok(LoadReport {
            rows,
            accepted,
            rejected,
            nulled,
            online_rows: self.marks.online.applied,
            files: if targets.offline { self.marks.parts.len() as u64 } else { 0 },
            ..report
        })
    }

    /// Before anything becomes visible: from now on the two stores of the group may differ.
    async fn note_one_sided(&self) -> Result<()> {
        let group = &self.request.group;
        let has_both = group.online.is_some() && group.offline.is_some();
        if !has_both || self.request.targets == Targets::BOTH || self.marks.parts.is_empty() {
            return Ok(());
        }
        let (online, id) = (self.context.online.clone(), group.id);
        blocking(move || online.note_one_sided(id)).await
    }

    async fn is_committed(&self) -> Result<bool> {
        match self.context.offline.settled_snapshot(&self.request.group).await {
            Ok(snapshot) => Ok(snapshot.mark(&self.app_id()).is_some()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn app_id(&self) -> String {
        format!("larder-load-{}", self.run)
    }

    /// Where parts lie until they are loaded.
    async fn shelf(&self) -> Result<Arc<Shelf>> {
        if self.request.targets.offline {
            let (offline, group) = (self.context.offline.clone(), self.request.group.clone());
            return Ok(Arc::new(Shelf::Table { offline, group, runtime: Handle::current() }));
        }
        parts::sweep(self.context.spool, self.context.catalog).await?;
        let folder = self.context.spool.join(self.run.to_string());
        std::fs::create_dir_all(&folder).map_err(|error| Error::io(format!("can't make folder '{}'", folder.display()), error))?;
        Ok(Arc::new(Shelf::Spool { folder, group: self.request.group.clone() }))
    }

    /// Gives up parts from the first one on whose file is gone, so that they are made again.
    async fn keep_whole_parts(&mut self, shelf: &Shelf) -> Result<()> {
        let mut whole = 0;
        for part in &self.marks.parts {
            if !shelf.holds(part).await? {
                break;
            }
            whole += 1;
        }
        if whole < self.marks.parts.len() {
            self.marks.truncate(whole);
            self.note(&self.marks.truncation()).await?;
        }
        Ok(())
    }

    async fn arrivals(&mut self) -> Result<Arrival> {
        if let Some(first) = self.marks.first_arrival {
            return Ok(first);
        }
        let (online, now) = (self.context.online.clone(), (self.context.clock)());
        let first = blocking(move || online.allocate_arrivals(now, ARRIVALS + 1)).await?;
        self.marks.first_arrival = Some(first);
        self.note(&[("arrivals".into(), first.0.to_string())]).await?;
        Ok(first)
    }

    /// Reads the rest of the inputs into staged parts. Returns notes for the user.
    async fn stage(&mut self, shelf: &Arc<Shelf>, first: Arrival) -> Result<Vec<String>> {
        let rejects = self.open_rejects().await?;
        let (sender, mut staged) = mpsc::channel(1);
        let (request, shelf) = (self.request.clone(), shelf.clone());
        let (progress, cancel, part_rows) = (self.progress.clone(), self.cancel.clone(), self.context.part_rows);
        let (from, totals, _, next_part) = self.marks.reading_from();
        let (quarantine, load) = (self.context.quarantine.join(format!("{}.jsonl", self.request.group.name)), self.run.to_string());
        let worker = tokio::task::spawn_blocking(move || {
            let schema = Arc::new(request.group.schema.clone());
            let reading = Reading::open(request.inputs.clone(), &schema, &Dropped::new(&request.drop), from)?;
            let job = staging::Job {
                request: &request,
                schema,
                shelf: &shelf,
                first_arrival: first,
                part_rows,
                progress: &progress,
                cancel: &cancel,
                is_profiled: request.targets.offline,
                quarantine: &quarantine,
                load,
            };
            staging::run(&job, reading, rejects, totals, next_part, &sender)
        });
        let mut failure = None;
        while let Some(staging::StagedPart { mark, profile }) = staged.recv().await {
            if let Some(profile) = profile {
                self.captured.add(&mark.path, &profile);
            }
            let note = self.marks.add_part(mark);
            if let Err(error) = self.note(&note).await {
                // The worker sees the closed channel and stops.
                failure = Some(error);
                staged.close();
            }
        }
        let result = joined(worker.await);
        if let Some(error) = failure {
            return Err(error);
        }
        let staging::End { totals, rejects_length, notes } = result?;
        let note = self.marks.end_staging(totals, rejects_length);
        self.note(&note).await?;
        Ok(notes)
    }

    /// The rejects file, at the length of the last part. Once the run has noted that it began it, the file is its own.
    async fn open_rejects(&mut self) -> Result<Option<RejectsFile>> {
        let Some(path) = self.request.rejects.clone() else { return Ok(None) };
        if self.marks.rejects_begun {
            let (_, _, length, _) = self.marks.reading_from();
            return RejectsFile::resume(&path, length).map(Some);
        }
        let file = RejectsFile::create(&path)?;
        self.marks.rejects_begun = true;
        self.note(&[("rejects".into(), "begun".into())]).await?;
        Ok(Some(file))
    }

    async fn commit(&mut self, shelf: &Shelf) -> Result<()> {
        if self.marks.committed || self.marks.parts.is_empty() {
            return Ok(());
        }
        self.tell(LoadPhase::Committing, 0);
        let mark = Mark { app_id: self.app_id(), after: None, upto: 1 };
        let staged = self.marks.parts.iter().map(|part| shelf.staged_file(part)).collect::<Result<Vec<_>>>()?;
        self.context.offline.commit(&self.request.group, &staged, Some(&mark)).await?;
        self.marks.committed = true;
        self.note(&[("committed".into(), "true".into())]).await
    }

    async fn materialise(&mut self, shelf: &Arc<Shelf>, first: Arrival) -> Result<()> {
        let (sender, mut done) = mpsc::channel(2);
        let job = online::Job {
            group: self.request.group.clone(),
            online: self.context.online.clone(),
            shelf: shelf.clone(),
            parts: self.marks.parts.clone(),
            first_arrival: first,
            // Small parts ask for small chunks, so that tests see several.
            chunk_rows: online::CHUNK_ROWS.min(self.context.part_rows),
            from: self.marks.online,
            cancel: self.cancel.clone(),
        };
        let worker = tokio::task::spawn_blocking(move || online::run(&job, &sender));
        let mut failure = None;
        while let Some(mark) = done.recv().await {
            self.marks.online = mark;
            self.tell(LoadPhase::Online, mark.seen);
            if let Err(error) = self.note(&[("online".into(), mark.to_text()?)]).await {
                failure = Some(error);
                done.close();
            }
        }
        let result = joined(worker.await);
        failure.map_or(result, Err)
    }

    fn tell(&self, phase: LoadPhase, rows: u64) {
        let total_bytes = self.request.inputs.iter().map(|input| input.bytes).sum();
        let Totals { accepted, rejected, .. } = self.marks.totals;
        (self.progress)(LoadProgress { phase, rows, total_rows: Some(accepted), bytes: total_bytes, total_bytes, rejected });
    }

    fn counts(&self) -> RunCounts {
        let Totals { rows, accepted, rejected, .. } = self.marks.totals;
        RunCounts { rows, accepted, rejected }
    }

    async fn note(&self, marks: &[(String, String)]) -> Result<()> {
        let marks: Vec<(&str, &str)> = marks.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.context.catalog.record_progress(self.run, self.counts(), &marks, (self.context.clock)()).await
    }

    /// Ends the run in the catalog, and tidies up if it will not be taken up again.
    async fn end(&self, result: Result<LoadReport>) -> Result<LoadReport> {
        let now = (self.context.clock)();
        let error = match result {
            Ok(report) => {
                self.context.catalog.finish_run(self.run, RunState::Done, None, self.counts(), now).await?;
                self.clear_spool();
                return Ok(report);
            }
            Err(error) => error,
        };
        let is_final = !self.marks.committed
            && matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Usage | ErrorKind::NotFound | ErrorKind::AlreadyExists);
        let state = if is_final { RunState::Failed } else { RunState::Interrupted };
        if is_final {
            self.discard().await;
        }
        // The error at hand matters more than one about noting it; a run left as running is known by its dead process.
        if let Err(second) = self.context.catalog.finish_run(self.run, state, Some(&error.to_string()), self.counts(), now).await {
            tracing::warn!(error = %second, run = %self.run, "the end of a load was not noted");
        }
        Err(error)
    }

    async fn discard(&self) {
        if !self.request.targets.offline {
            return self.clear_spool();
        }
        let shelf = Shelf::Table { offline: self.context.offline.clone(), group: self.request.group.clone(), runtime: Handle::current() };
        let staged: Vec<_> = self.marks.parts.iter().filter_map(|part| shelf.staged_file(part).ok()).collect();
        if let Err(error) = self.context.offline.discard(&self.request.group, &staged).await {
            tracing::warn!(%error, run = %self.run, "files of a failed load stay as orphans");
        }
    }

    fn clear_spool(&self) {
        if !self.request.targets.offline {
            // What stays is swept by the next load.
            let _ = std::fs::remove_dir_all(self.context.spool.join(self.run.to_string()));
        }
    }
}

fn is_cancelled(cancel: &AtomicBool) -> Result<()> {
    if cancel.load(Ordering::Relaxed) {
        return Err(Error::interrupted("the load was stopped").remedy("run the same command again: it goes on where it stopped"));
    }
    Ok(())
}

/// Runs a call that blocks, away from the runtime's workers.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    joined(tokio::task::spawn_blocking(call).await)
}

fn joined<T>(result: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    result.map_err(|error| Error::internal("a thread of the load stopped").source(error))?
}
