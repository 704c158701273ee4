//! One run of sync over some sources.
//!
//! Sources are read side by side ([`super::plan`]) and written one after another, each in a transaction of its own, so that one that
//! fails stops no other and a stop between two leaves whole ones only.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::stream::{self, StreamExt};

use super::lock;
use super::options::SyncOptions;
use super::plan::{Plan, plan};
use super::run_report::{SourceReport, SourceStatus, SyncReport, empty_report, fault};
use super::scope::Part;
use super::sketches::{self, SketchBudget};
use super::source::{SourceError, Trouble};
use super::sources::{no_source, sources as all_sources};
use crate::catalog::{NewRun, RunCounts, RunKind, RunState, SyncSourceRow};
use crate::model::{Error, Result};
use crate::store::FeatureStore;

/// Sources that are read at the same time.
const AT_ONCE: usize = 4;
/// Syncs. `stop` is looked at between sources; what was begun is finished.
///
/// # Errors
/// `Locked` if another sync runs; `NotFound` for a source that is not there; whatever keeps the catalog from being written.
/// Trouble of a source is no error: the report tells of it.
pub async fn sync(store: &FeatureStore, options: &SyncOptions, stop: &AtomicBool) -> Result<SyncReport> {
    let report = run(store, options, stop).await;
    options.watch.ends();
    report
}

async fn run(store: &FeatureStore, options: &SyncOptions, stop: &AtomicBool) -> Result<SyncReport> {
    let rows = wanted(store, &options.sources).await?;
    options.watch.begins(rows.len());
    if options.dry_run {
        let plans: Vec<Plan> = stream::iter(&rows).map(|row| plan(store, row, options)).buffered(AT_ONCE).collect().await;
        let mut report = SyncReport::default();
        for plan in plans {
            report.take(plan.report, plan.changes, &options.watch);
        }
        return Ok(report);
    }
    store.check_writable()?;
    let _lock = lock::acquire(store.folder(), options.lock_timeout).await?;
    let catalog = store.catalog();
    // Whoever held a run before is dead: the lock was free.
    catalog.note_interrupted_runs(store.now()).await?;
    let run = catalog.start_run(&NewRun { kind: RunKind::Sync, group: None, fingerprint: None, started: store.now() }).await?;
    let mut report = SyncReport { run_id: Some(run.id.to_string()), ..SyncReport::default() };
    let mut plans = stream::iter(&rows).map(|row| plan(store, row, options)).buffered(AT_ONCE);
    let mut next = 0;
    while next < rows.len() && !stop.load(Ordering::Relaxed) {
        let Some(plan) = plans.next().await else { break };
        next += 1;
        let Plan { report: mut of_source, mut outcome, changes } = plan;
        if let Some(note) = &mut outcome.lineage {
            note.run = Some(run.id.0);
        }
        let changes = match catalog.apply_sync(run.id, &of_source.name, &outcome, store.now()).await {
            Ok(()) => changes,
            Err(error) => {
                of_source = empty_report(&of_source.name, &of_source.kind, SourceStatus::Failed);
                of_source.errors.push(fault(None, &SourceError::new(Trouble::Other, error)));
                Vec::new()
            }
        };
        report.take(of_source, changes, &options.watch);
    }
    report.interrupted = next < rows.len();
    if let Some(time) = options.sketch.filter(|_| options.scope.has(Part::Statistics)) {
        sketch(store, &rows[..next], options, &SketchBudget::new(time, stop), &mut report).await;
    }
    report.sources.extend(rows[next..].iter().map(|row| empty_report(&row.name, &row.kind, SourceStatus::Skipped)));
    let all_failed = !report.sources.is_empty() && report.sources.iter().all(|source| source.status == SourceStatus::Failed);
    let state = match (report.interrupted, all_failed) {
        (true, _) => RunState::Interrupted,
        (false, true) => RunState::Failed,
        (false, false) => RunState::Done,
    };
    let sum = |of: fn(&SourceReport) -> usize| report.sources.iter().map(of).sum::<usize>() as u64;
    let counts = RunCounts { rows: sum(|s| s.listed), accepted: sum(|s| s.created + s.updated + s.deleted), rejected: sum(|s| s.faulty) };
    catalog.finish_run(run.id, state, None, counts, store.now()).await?;
    Ok(report)
}

/// Reads values for statistics, source by source; trouble of a file becomes part of its source's report.
async fn sketch(store: &FeatureStore, rows: &[SyncSourceRow], options: &SyncOptions, budget: &SketchBudget<'_>, report: &mut SyncReport) {
    for (row, of_source) in rows.iter().zip(&mut report.sources) {
        if of_source.status == SourceStatus::Failed {
            continue;
        }
        let (told, faults) = match sketches::of_source(store, row, options, budget).await {
            Ok(Some(sketched)) => sketched,
            Ok(None) => continue,
            // What a source told is written by now; trouble with its statistics stops neither it nor the others.
            Err(error) => {
                of_source.errors.push(fault(None, &error.into()));
                of_source.status = SourceStatus::Degraded;
                continue;
            }
        };
        of_source.errors.extend(faults.iter().map(|(object, error)| fault(Some(object), error)));
        if !faults.is_empty() {
            of_source.status = SourceStatus::Degraded;
        }
        of_source.statistics = Some(told);
        report.interrupted |= budget.is_stopped();
    }
}

async fn wanted(store: &FeatureStore, names: &[String]) -> Result<Vec<SyncSourceRow>> {
    let mut rows = all_sources(store).await?;
    if let Some(unknown) = names.iter().find(|name| !rows.iter().any(|row| row.name == **name)) {
        return Err(no_source(unknown));
    }
    if rows.is_empty() {
        return Err(Error::usage("there is no source to sync from").remedy("add one: `larder source add NAME KIND LOCATION`"));
    }
    rows.retain(|row| names.is_empty() || names.contains(&row.name));
    Ok(rows)
}
