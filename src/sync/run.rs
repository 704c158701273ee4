//! One run of sync over some sources.
//!
//! Sources are read side by side and written one after another, each in a transaction of its own, so that one that fails stops
//! no other and a stop between two leaves whole ones only.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::Value;

use super::difference::{FieldChange, difference};
use super::flows::edges_of;
use super::guard::{self, MaxDelete, Prune, Situation, Withheld};
use super::observed::ObservedGroup;
use super::scope::{Part, Scope};
use super::sketches::{self, SketchBudget, SketchReport};
use super::source::{Besides, Listed, Listing, Source, SourceError, Trouble};
use super::sources::{no_source, sources as all_sources};
use super::watch::{SyncEvent, SyncWatch};
use super::{kinds, lock};
use crate::catalog::{LineageNote, NewRun, RunCounts, RunKind, RunState, SyncChangeRow, SyncGroupRow, SyncOutcome, SyncSourceRow};
use crate::model::{Error, Result};
use crate::store::FeatureStore;

/// Sources that are read at the same time.
const AT_ONCE: usize = 4;
/// How often a call is made before passing trouble counts as failure.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

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

/// What a source would have written.
struct Plan {
    report: SourceReport,
    outcome: SyncOutcome,
    changes: Vec<Change>,
}

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
        sketch(store, &rows[..next], options, &SketchBudget::new(time, stop), &mut report).await?;
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

impl SyncReport {
    fn take(&mut self, source: SourceReport, changes: Vec<Change>, watch: &SyncWatch) {
        for change in &changes {
            watch.tells(|| SyncEvent::Change(change.clone()));
        }
        watch.tells(|| SyncEvent::Source(source.clone()));
        self.changes.extend(changes);
        self.sources.push(source);
    }
}

/// Reads values for statistics, source by source; trouble of a file becomes part of its source's report.
async fn sketch(
    store: &FeatureStore,
    rows: &[SyncSourceRow],
    options: &SyncOptions,
    budget: &SketchBudget<'_>,
    report: &mut SyncReport,
) -> Result<()> {
    for (row, of_source) in rows.iter().zip(&mut report.sources) {
        if of_source.status == SourceStatus::Failed {
            continue;
        }
        let Some(sketched) = sketches::of_source(store, row, options, budget).await? else { continue };
        let (told, faults) = sketched;
        of_source.errors.extend(faults.iter().map(|(object, error)| fault(Some(object), error)));
        if !faults.is_empty() {
            of_source.status = SourceStatus::Degraded;
        }
        of_source.statistics = Some(told);
        report.interrupted |= budget.is_stopped();
    }
    Ok(())
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

/// Reads a source and finds out what it changes; trouble becomes part of the plan.
async fn plan(store: &FeatureStore, row: &SyncSourceRow, options: &SyncOptions) -> Plan {
    let begun = Instant::now();
    let mut retries = 0;
    options.watch.reads(&row.name, "listing");
    let made = match kinds::source((&row.kind, Some(&row.name)), &row.location, &row.options, store) {
        Ok(source) => {
            let made = plan_from(store, row, source.as_ref(), options).await;
            retries = source.retries();
            made
        }
        Err(error) => Err(error.into()),
    };
    let mut plan = made.unwrap_or_else(|error| {
        let mut report = empty_report(&row.name, &row.kind, SourceStatus::Failed);
        report.errors.push(fault(None, &error));
        Plan { report, outcome: SyncOutcome::default(), changes: Vec::new() }
    });
    options.watch.has_read(&row.name);
    plan.report.retries = retries;
    plan.report.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    plan.outcome.report = serde_json::to_string(&plan.report).unwrap_or_default();
    plan
}

async fn listing(source: &dyn Source, cursor: Option<&str>) -> std::result::Result<Listing, SourceError> {
    let mut pause = FIRST_PAUSE;
    let attempts = if source.repeats_itself() { 1 } else { ATTEMPTS };
    for _ in 1..attempts {
        match source.list(cursor).await {
            Err(error) if error.trouble == Trouble::Passing => tokio::time::sleep(pause).await,
            other => return other,
        }
        pause *= 2;
    }
    source.list(cursor).await
}

async fn plan_from(
    store: &FeatureStore,
    row: &SyncSourceRow,
    source: &dyn Source,
    options: &SyncOptions,
) -> std::result::Result<Plan, SourceError> {
    let in_scope = |name: &str| options.groups.as_ref().is_none_or(|pattern| pattern.matches(name));
    let mut listing = listing(source, row.cursor.as_deref()).await?;
    listing.groups.retain(|listed| in_scope(&listed.name));
    let known = store.catalog().sync_groups_of(&row.name).await?;
    let by_identity: HashMap<(&str, &str), &SyncGroupRow> =
        known.iter().map(|group| ((group.native_id.as_str(), group.incarnation.as_str()), group)).collect();
    let find = |listed: &Listed| by_identity.get(&(listed.native_id.as_str(), listed.incarnation.as_str())).copied();
    // A source with a cursor tells by it what tokens don't: without one every group may have changed.
    let tokens_tell = listing.cursor.is_none() || row.cursor.is_some();
    let is_current = |listed: &Listed| {
        let known = find(listed).filter(|known| known.deleted.is_none() && known.fault.is_none());
        let may_be = tokens_tell && !options.full && !listing.touched.contains(&listed.native_id);
        may_be && known.is_some_and(|known| listed.token.is_some() && known.token == listed.token)
    };
    let changed: Vec<Listed> = listing.groups.iter().filter(|listed| !is_current(listed)).cloned().collect();
    options.watch.reads(&row.name, &format!("{} of {} groups to read", changed.len(), listing.groups.len()));
    let fetched = if changed.is_empty() { Vec::new() } else { source.fetch(&changed).await? };
    let Besides { faults, files } = source.besides().await;

    let mut report = empty_report(&row.name, &row.kind, SourceStatus::Complete);
    let (mut outcome, mut changes) = (SyncOutcome { files, ..SyncOutcome::default() }, Vec::new());
    report.listed = listing.groups.len();
    report.fetched = fetched.len();
    let alive: HashSet<&str> = known.iter().filter(|group| group.deleted.is_none()).map(|group| group.native_id.as_str()).collect();
    // New groups and those that are gone are left out together.
    let mut left_out = !options.scope.has(Part::Groups);
    for (mut listed, read) in fetched {
        let before = find(&listed);
        let observed = match read {
            Ok(observed) => observed,
            Err(error) => {
                let fault = fault(Some(&listed.name), &error);
                // What can't be read may not tell when it was made.
                let same = |group: &&SyncGroupRow| group.deleted.is_none() && group.native_id == listed.native_id;
                if let Some(before) = before.or_else(|| known.iter().find(same)) {
                    outcome.faults.push((before.native_id.clone(), before.incarnation.clone(), fault.message.clone()));
                }
                report.errors.push(fault);
                report.faulty += 1;
                continue;
            }
        };
        let observed = if options.scope == Scope::ALL {
            observed
        } else {
            let known = before.map(|known| ObservedGroup::from_stored(&known.content)).transpose()?;
            let Some(taken) = options.scope.taken(known.as_ref(), &observed) else { continue };
            if taken != observed {
                // Not all of it was taken in, so that it is read again by a run with more in scope.
                listed.token = None;
                left_out = true;
            }
            taken
        };
        let (content, hash) = observed.stored()?;
        if before.is_some_and(|known| known.hash == hash && known.deleted.is_none() && known.fault.is_none() && known.token == listed.token)
        {
            continue;
        }
        let fields = before.map(|known| fields_between(&known.content, &content)).transpose()?.unwrap_or_default();
        let op = match before {
            None if alive.contains(listed.native_id.as_str()) => Some("replace"),
            None => Some("create"),
            Some(known) if known.deleted.is_some() => Some("revive"),
            Some(_) if fields.is_empty() => None,
            Some(_) => Some("update"),
        };
        match op {
            Some("update") => report.updated += 1,
            Some(_) => report.created += 1,
            None => {}
        }
        let kind = observed.kind.as_str();
        changes.extend(op.map(|op| Change { op, kind, source: row.name.clone(), id: observed.name.clone(), fields }));
        outcome.upserts.push(SyncGroupRow {
            source: row.name.clone(),
            native_id: listed.native_id,
            incarnation: listed.incarnation,
            name: observed.name,
            token: listed.token,
            hash,
            content,
            fault: None,
            deleted: None,
            seen: None,
        });
    }
    // A source that answers more than it was asked must not bring the count below nothing.
    report.unchanged = report.listed.saturating_sub(report.created + report.updated + report.faulty);
    report.errors.extend(faults.iter().map(|(object, error)| fault(Some(object), error)));
    if report.faulty > 0 || !faults.is_empty() || !listing.complete {
        report.status = SourceStatus::Degraded;
    }
    let known_in_scope: Vec<&SyncGroupRow> = known.iter().filter(|group| group.deleted.is_none() && in_scope(&group.name)).collect();
    if options.scope.has(Part::Groups) {
        delete_what_is_gone(&known_in_scope, &listing, options, &mut report, &mut outcome, &mut changes);
    }
    let changes_anything = !outcome.upserts.is_empty() || !outcome.tombstones.is_empty();
    if changes_anything && !options.dry_run {
        outcome.lineage = Some(lineage_of(store, &row.name, &known, &outcome).await?);
    }
    if listing.complete && options.groups.is_none() && !left_out {
        outcome.cursor = Some(listing.cursor);
    }
    outcome.changes = changes.iter().map(|change| change_row(change, store)).collect::<Result<_>>()?;
    Ok(Plan { report, outcome, changes })
}

/// All lineage that a source tells once an outcome is written.
async fn lineage_of(store: &FeatureStore, source: &str, known: &[SyncGroupRow], outcome: &SyncOutcome) -> Result<LineageNote> {
    let told: HashSet<(&str, &str)> = outcome.upserts.iter().map(identity).collect();
    let gone: HashSet<(&str, &str)> =
        outcome.tombstones.iter().map(|(native_id, incarnation, _)| (native_id.as_str(), incarnation.as_str())).collect();
    let stays = |group: &&SyncGroupRow| group.deleted.is_none() && !told.contains(&identity(group)) && !gone.contains(&identity(group));
    let rows = known.iter().filter(stays).chain(&outcome.upserts);
    let groups: Vec<ObservedGroup> = rows.map(|row| ObservedGroup::from_stored(&row.content)).collect::<Result<_>>()?;
    store.told_lineage(source, edges_of(groups.iter(), &store.lineage_names())).await
}

fn identity(group: &SyncGroupRow) -> (&str, &str) {
    (&group.native_id, &group.incarnation)
}

/// Tombstones: for what is not listed any more, if the guard lets them through, and for older groups of a name that was made anew.
fn delete_what_is_gone(
    known: &[&SyncGroupRow],
    listing: &Listing,
    options: &SyncOptions,
    report: &mut SourceReport,
    outcome: &mut SyncOutcome,
    changes: &mut Vec<Change>,
) {
    let names: HashSet<&str> = listing.groups.iter().map(|listed| listed.native_id.as_str()).collect();
    let identities: HashSet<(&str, &str)> =
        listing.groups.iter().map(|listed| (listed.native_id.as_str(), listed.incarnation.as_str())).collect();
    let gone: Vec<&SyncGroupRow> = known.iter().copied().filter(|group| !names.contains(group.native_id.as_str())).collect();
    let taken_in: HashSet<&str> = outcome.upserts.iter().map(|group| group.native_id.as_str()).collect();
    // The old one goes only once the new one could be read.
    let replaced = known.iter().filter(|group| {
        taken_in.contains(group.native_id.as_str()) && !identities.contains(&(group.native_id.as_str(), group.incarnation.as_str()))
    });
    outcome.tombstones.extend(replaced.map(|group| (group.native_id.clone(), group.incarnation.clone(), "made anew".to_owned())));
    let degraded = report.status != SourceStatus::Complete;
    let situation = Situation { known: known.len(), listed: listing.groups.len(), gone: gone.len(), degraded };
    if let Some(why) = guard::withheld(situation, options.prune, options.max_delete) {
        report.withheld = gone.len();
        report.withheld_because = Some(why);
        return;
    }
    report.deleted = gone.len();
    for group in gone {
        outcome.tombstones.push((group.native_id.clone(), group.incarnation.clone(), "not listed any more".to_owned()));
        let kind = ObservedGroup::from_stored(&group.content).unwrap_or_default().kind.as_str();
        changes.push(Change { op: "delete", kind, source: report.name.clone(), id: group.name.clone(), fields: Vec::new() });
    }
}

fn fields_between(old: &str, new: &str) -> Result<Vec<FieldChange>> {
    let parse = |text: &str| {
        serde_json::from_str::<Value>(text).map_err(|error| Error::corrupt("what a source told of a group can't be read").source(error))
    };
    Ok(difference(&parse(old)?, &parse(new)?))
}

fn change_row(change: &Change, store: &FeatureStore) -> Result<SyncChangeRow> {
    Ok(SyncChangeRow {
        run: None,
        source: change.source.clone(),
        at: store.now(),
        operation: change.op.to_owned(),
        kind: change.kind.to_owned(),
        name: change.id.clone(),
        fields: serde_json::to_string(&change.fields).map_err(|error| Error::internal("a change is no JSON").source(error))?,
    })
}

fn fault(object: Option<&str>, error: &SourceError) -> GroupFault {
    GroupFault {
        object: object.map(str::to_owned),
        code: error.trouble.as_str(),
        retryable: error.trouble == Trouble::Passing,
        message: error.error.to_string(),
    }
}

fn empty_report(name: &str, kind: &str, status: SourceStatus) -> SourceReport {
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
