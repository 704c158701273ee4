//! Sources as they are configured, and what they have told so far.

use std::collections::{BTreeMap, HashSet};

use super::definitions_folder;
use super::kinds;
use super::merged::{Disagreement, disagreements_with, merged};
use super::observed::{ObservedGroup, ObservedKind};
use crate::catalog::{SyncChangeRow, SyncGroupRow, SyncSourceRow};
use crate::model::{Error, EventTime, Result};
use crate::store::FeatureStore;

/// Most characters of a source's name.
const MAX_NAME: usize = 64;

/// A source that is to be added.
#[derive(Debug, Clone, Default)]
pub struct NewSource {
    /// Its name: letters, digits, `-` and `_`.
    pub name: String,
    /// One of [`kinds::KINDS`].
    pub kind: String,
    /// Where it is.
    pub location: String,
    /// What else there is to say of it.
    pub options: BTreeMap<String, String>,
    /// Of two sources that know the same group the higher one is shown.
    pub priority: i64,
}

/// A source and when it was last read.
pub type SourceView = SyncSourceRow;

/// A group that sources told of.
#[derive(Debug, Clone, Default)]
pub struct SyncedGroup {
    /// The source.
    pub source: String,
    /// When the source was last read.
    pub seen: Option<EventTime>,
    /// Why it could not be read lately; what is told is older then.
    pub fault: Option<String>,
    /// What it told, with what other sources and notes say where they are believed.
    pub group: ObservedGroup,
    /// Where they say different things.
    pub disagreements: Vec<Disagreement>,
    /// What is noted here, over what was told: `description`, `tags.team`, `features.fare.description`.
    pub local: Vec<String>,
}

/// Adds a source; it is read by the next sync.
///
/// # Errors
/// `Usage` for a name, kind, place or option that makes no sense; `AlreadyExists`.
pub async fn add_source(store: &FeatureStore, new: NewSource) -> Result<SourceView> {
    store.check_writable()?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if new.name.is_empty() || new.name.len() > MAX_NAME || !new.name.chars().all(allowed) || new.name.starts_with('-') {
        return Err(Error::usage(format!("'{}' is no name for a source", new.name.escape_debug()))
            .remedy(format!("use up to {MAX_NAME} letters, digits, '-' and '_'")));
    }
    let location = kinds::settled_location(&new.kind, &new.location)?;
    kinds::source((&new.kind, None), &location, &new.options, store)?;
    let row = SyncSourceRow {
        name: new.name,
        kind: new.kind,
        location,
        options: new.options,
        priority: new.priority,
        added: store.now(),
        cursor: None,
        seen: None,
    };
    store.catalog().add_sync_source(&row).await?;
    Ok(row)
}

/// Removes a source; what it told stays, unless it is to be forgotten.
///
/// # Errors
/// `NotFound` if there is neither the source nor anything it told.
pub async fn remove_source(store: &FeatureStore, name: &str, forget: bool) -> Result<()> {
    store.check_writable()?;
    match store.catalog().remove_sync_source(name, forget, store.now()).await? {
        true => Ok(()),
        false => Err(no_source(name)),
    }
}

/// All sources by name.
pub async fn sources(store: &FeatureStore) -> Result<Vec<SourceView>> {
    store.catalog().sync_sources().await
}

/// The groups that sources told of and that this store has not itself, one of each name, with what all of them say of it. Of one name if
/// asked.
pub async fn synced_groups(store: &FeatureStore, name: Option<&str>) -> Result<Vec<SyncedGroup>> {
    let mut rows = store.catalog().sync_groups(name).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let own: HashSet<String> = match name {
        Some(name) => store.catalog().group(name).await?.iter().map(|group| group.name.folded()).collect(),
        None => store.list_groups().await?.iter().map(|group| group.name.folded()).collect(),
    };
    rows.retain(|row| !own.contains(&row.name.to_lowercase()));
    let noted = store.catalog().sync_notes(name).await?;
    let intent: HashSet<String> =
        sources(store).await?.into_iter().filter(|row| row.kind == definitions_folder::KIND.name).map(|row| row.name).collect();
    let mut groups = Vec::new();
    let mut told: Vec<SyncedGroup> = Vec::new();
    let folded = |synced: &SyncedGroup| synced.group.name.to_lowercase();
    let merge = |told: &[SyncedGroup]| {
        let name = told.first().map(folded)?;
        let first = noted.partition_point(|note| note.folded_name < name);
        let last = noted.partition_point(|note| note.folded_name <= name);
        merged(told, |source| intent.contains(source), &noted[first..last])
    };
    for row in rows {
        let synced = synced(row)?;
        if synced.group.kind != ObservedKind::Group {
            continue;
        }
        // Rows come by name; an earlier incarnation of a source is not what it says now.
        match told.last() {
            Some(last) if folded(last) != folded(&synced) => {
                groups.extend(merge(&told));
                told = vec![synced];
            }
            Some(_) if told.iter().any(|known| known.source == synced.source) => {}
            _ => told.push(synced),
        }
    }
    groups.extend(merge(&told));
    Ok(groups)
}

/// Where sources say other things of a group than the group of this store, or than each other if the store has none.
pub async fn disagreements(store: &FeatureStore, group: &str) -> Result<Vec<Disagreement>> {
    let Some(own) = store.catalog().group(group).await? else {
        return Ok(synced_groups(store, Some(group)).await?.into_iter().next().map(|synced| synced.disagreements).unwrap_or_default());
    };
    let told: Vec<SyncedGroup> = store.catalog().sync_groups(Some(group)).await?.into_iter().map(synced).collect::<Result<_>>()?;
    let told: Vec<SyncedGroup> = told.into_iter().filter(|synced| synced.group.kind == ObservedKind::Group).collect();
    if told.is_empty() { Ok(Vec::new()) } else { Ok(disagreements_with(&ObservedGroup::from(&own), &told)) }
}

/// Everything that a source tells of, groups first, each kind by name.
///
/// # Errors
/// `NotFound` if there is neither the source nor anything it told.
pub async fn told_by(store: &FeatureStore, source: &str) -> Result<Vec<SyncedGroup>> {
    let rows = store.catalog().sync_groups_of(source).await?;
    if rows.is_empty() && !sources(store).await?.iter().any(|known| known.name == source) {
        return Err(no_source(source));
    }
    let mut told: Vec<SyncedGroup> = rows.into_iter().filter(|row| row.deleted.is_none()).map(synced).collect::<Result<_>>()?;
    told.sort_by(|one, two| (one.group.kind, &one.group.name).cmp(&(two.group.kind, &two.group.name)));
    Ok(told)
}

fn synced(row: SyncGroupRow) -> Result<SyncedGroup> {
    let group = ObservedGroup::from_stored(&row.content).map_err(|error| error.within(&row.name))?;
    Ok(SyncedGroup { source: row.source, seen: row.seen, fault: row.fault, group, ..SyncedGroup::default() })
}

/// What runs changed since an instant, oldest first.
pub async fn changes_since(store: &FeatureStore, since: EventTime) -> Result<Vec<SyncChangeRow>> {
    store.catalog().sync_changes(since).await
}

pub(super) fn no_source(name: &str) -> Error {
    Error::not_found(format!("there is no source '{}'", name.escape_debug())).remedy("`larder source list` shows those there are")
}
