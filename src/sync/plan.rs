//! What one source would change: list, fetch what changed, compare with what is known, and keep deletions within limits. Nothing is written.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::difference::{FieldChange, difference};
use super::flows::edges_of;
use super::guard::{self, Situation};
use super::kinds;
use super::observed::ObservedGroup;
use super::options::SyncOptions;
use super::run_report::{Change, SourceReport, SourceStatus, empty_report, fault};
use super::scope::{Part, Scope};
use super::source::{Besides, Listed, Listing, Source, SourceError, Trouble};
use crate::catalog::{LineageNote, SyncChangeRow, SyncGroupRow, SyncOutcome, SyncSourceRow};
use crate::model::{Error, Result};
use crate::store::FeatureStore;

/// How often a call is made before passing trouble counts as failure.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// What a source would have written.
pub(super) struct Plan {
    pub(super) report: SourceReport,
    pub(super) outcome: SyncOutcome,
    pub(super) changes: Vec<Change>,
}

/// Reads a source and finds out what it changes; trouble becomes part of the plan.
pub(super) async fn plan(store: &FeatureStore, row: &SyncSourceRow, options: &SyncOptions) -> Plan {
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
