//! Statistics of any group that is known here: of our own as the store has them, of those of other places as far as sync has read their
//! files ([`super::sketches`]), else in the words of the files themselves.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::listed::{ListedGroup, listed};
use super::observed::{ObservedFeature, ObservedGroup};
use super::sketches::{self, Faults, SketchBudget, SketchReport};
use super::sources::{sources, synced_groups};
use super::{kinds, lock};
use crate::catalog::{Population, SyncFileRow, SyncGroupRow, SyncProfile};
use crate::model::{Error, ErrorKind, EventTime, FeatureDefinition, FeatureType, GroupId, Result, TimeMode};
use crate::store::statistics::{
    ColumnKind, ColumnProfile, DayLine, FeatureStatistics, Figures, GroupStatistics, Standing, StatisticsOptions, Value,
};
use crate::store::{EvidenceByGroup, FeatureEvidence, FeatureStore};

/// As good as no limit: whoever asks for one group waits for it.
const NO_LIMIT: Duration = Duration::from_secs(u32::MAX as u64);

/// Statistics of a group's features, wherever the group is kept.
///
/// # Errors
/// As [`FeatureStore::statistics`]; `Invalid` for what can't be told of a group of another place.
pub async fn statistics(store: &FeatureStore, group: &str, options: &StatisticsOptions) -> Result<GroupStatistics> {
    match store.statistics(group, options).await {
        Err(error) if error.kind() == ErrorKind::NotFound => match synced(store, group).await? {
            Some(theirs) => theirs.statistics(store, options).await,
            None => Err(error),
        },
        own => own,
    }
}

/// A line over time of a group or of one of its features; there is none of groups of other places.
pub async fn statistics_by_day(store: &FeatureStore, group: &str, feature: Option<&str>) -> Result<Vec<DayLine>> {
    match store.statistics_by_day(group, feature).await {
        Err(error) if error.kind() == ErrorKind::NotFound && synced(store, group).await?.is_some() => Ok(Vec::new()),
        own => own,
    }
}

/// Statistics of one feature as they are kept; none if nothing is known of its values. Reads no data.
pub async fn kept_statistics(store: &FeatureStore, group: &str, feature: &str) -> Result<Option<FeatureStatistics>> {
    match store.kept_statistics(group, feature).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let Some(theirs) = synced(store, group).await? else { return Err(error) };
            let (place, _) = theirs.listed.group.schema.feature(feature)?;
            let mut all = theirs.statistics(store, &StatisticsOptions::of(Population::Events)).await?;
            let says_something = |known: &FeatureStatistics| known.figures.n > 0;
            Ok((place < all.features.len()).then(|| all.features.swap_remove(place)).filter(says_something))
        }
        own => own,
    }
}

/// What is known at a glance of every feature, of this store and of other places.
pub async fn evidence(store: &FeatureStore) -> Result<EvidenceByGroup> {
    let mut evidence = store.feature_evidence().await?;
    let told = synced_groups(store, None).await?;
    if told.is_empty() {
        return Ok(evidence);
    }
    let mut ids: HashMap<String, GroupId> = HashMap::new();
    for synced in told {
        let observed = synced.group.clone();
        let Some(listed) = listed(synced) else { continue };
        ids.insert(listed.group.name.folded(), listed.group.id);
        let Some(history) = observed.history.filter(|history| history.rows > 0) else { continue };
        let known = evidence.entry(listed.group.id).or_default();
        for (feature, nulls) in observed.features.iter().filter_map(|feature| feature.nulls.map(|nulls| (feature, nulls))) {
            known.insert(feature.name.to_lowercase(), FeatureEvidence::of_line(history.rows, nulls, None));
        }
    }
    let owners = store.catalog().sync_groups(None).await?;
    // Those that are shown come first; what others say of the same group is not.
    let mut shown: HashMap<GroupId, (String, String)> = HashMap::new();
    let mut lines = HashMap::new();
    for line in store.catalog().sync_feature_lines().await? {
        lines.entry((line.source.clone(), line.owner.clone())).or_insert_with(Vec::new).push(line);
    }
    for row in owners {
        let place = (row.source.clone(), row.owner());
        if let Some(id) = ids.get(&row.name.to_lowercase())
            && lines.contains_key(&place)
        {
            shown.entry(*id).or_insert(place);
        }
    }
    for (id, place) in shown {
        let known = evidence.entry(id).or_default();
        for line in lines.remove(&place).unwrap_or_default() {
            known.insert(line.feature.to_lowercase(), FeatureEvidence::of_line(line.rows, line.nulls, line.shape.as_deref()));
        }
    }
    Ok(evidence)
}

/// A group of another place.
struct Theirs {
    listed: ListedGroup,
    observed: ObservedGroup,
    /// What each source tells of it, those that are shown first.
    rows: Vec<SyncGroupRow>,
}

async fn synced(store: &FeatureStore, group: &str) -> Result<Option<Theirs>> {
    let Some(synced) = synced_groups(store, Some(group)).await?.into_iter().next() else { return Ok(None) };
    let observed = synced.group.clone();
    let source = synced.source.clone();
    let listed = listed(synced).ok_or_else(|| {
        Error::invalid(format!("'{}' has no statistics", observed.name))
            .why("its source does not say which features identify a record and say when it was true, or has names that are not legal here")
            .remedy(format!(
                "`larder describe {group}` shows what it says; --option id=… and event-time=… of `larder source add` name them"
            ))
    })?;
    let mut rows = store.catalog().sync_groups(Some(group)).await?;
    rows.sort_by_key(|row| row.source != source);
    Ok(Some(Theirs { listed, observed, rows }))
}

impl Theirs {
    async fn statistics(&self, store: &FeatureStore, options: &StatisticsOptions) -> Result<GroupStatistics> {
        let group = &self.listed.group;
        if options.population == Population::Latest {
            return Err(Error::invalid(format!("the latest records of '{}' can't be counted", group.name))
                .why(format!("they are kept elsewhere; source '{}' tells of the group", self.listed.source))
                .remedy("ask for its events"));
        }
        if options.refresh {
            self.read(store, options).await?;
        }
        for row in &self.rows {
            let Some(profile) = store.catalog().sync_profile(&row.source, &row.owner()).await? else { continue };
            let files = store.catalog().sync_files(&row.source, &row.owner()).await?;
            let profiled = store.catalog().sync_profiled_files(&row.source, &row.owner()).await?;
            let is_spoilt = sketches::is_spoilt(&files, &profiled);
            let missing: Vec<&SyncFileRow> = files.iter().filter(|file| is_spoilt || !profiled.contains_key(&file.path)).collect();
            let standing = match missing.len() {
                0 => Standing::Fresh,
                left => Standing::Stale { files: left as u64, rows: missing.iter().map(|file| rows_of(file)).sum() },
            };
            return self.profiled(&profile, standing);
        }
        Ok(self.footers(store))
    }

    /// Reads all values anew.
    async fn read(&self, store: &FeatureStore, options: &StatisticsOptions) -> Result<()> {
        store.check_writable()?;
        let _lock = lock::acquire(store.folder(), Duration::ZERO).await?;
        let known = sources(store).await?;
        for row in &self.rows {
            let Some(place) = known.iter().find(|source| source.name == row.source) else { continue };
            let source = kinds::source((&place.kind, Some(&place.name)), &place.location, &place.options, store)?;
            if !source.holds_values() {
                continue;
            }
            let (mut report, mut faults) = (SketchReport::default(), Faults::new());
            let budget = SketchBudget::new(NO_LIMIT, &options.watch.cancel);
            sketches::of_group(store, source.as_ref(), row, true, &budget, (&mut report, &mut faults)).await?;
            if budget.is_stopped() {
                return Err(Error::interrupted("the statistics were stopped"));
            }
            return match faults.into_iter().next() {
                Some((_, fault)) => Err(fault.error),
                None => Ok(()),
            };
        }
        Err(Error::invalid(format!("the values of '{}' can't be read", self.listed.group.name))
            .why(format!("source '{}' tells of the group and lists no files of it", self.listed.source))
            .remedy("add the folder or bucket that its files lie in as a source of kind parquet"))
    }

    fn profiled(&self, profile: &SyncProfile, standing: Standing) -> Result<GroupStatistics> {
        let mut states: HashMap<&str, ColumnProfile> = HashMap::new();
        for column in &profile.columns {
            states.insert(&column.feature, ColumnProfile::from_bytes(column.state.as_deref().unwrap_or_default())?);
        }
        let features = self.listed.group.schema.features().iter().map(|feature| match states.remove(feature.name.as_str()) {
            Some(state) => statistics_of(feature, state.figures(), Some(state)),
            None => statistics_of(feature, Figures { n: profile.rows, ..ColumnProfile::new(kind_of(feature)).figures() }, None),
        });
        Ok(self.with(standing, (profile.rows, profile.deleted), profile.taken, features.collect()))
    }

    /// What its files say about themselves.
    fn footers(&self, store: &FeatureStore) -> GroupStatistics {
        let rows = self.observed.history.as_ref().map_or(0, |history| history.rows);
        let features = self.listed.group.schema.features().iter().map(|feature| {
            let told = self.observed.features.iter().find(|told| told.name == feature.name.as_str());
            statistics_of(feature, footer_figures(feature, told, rows), None)
        });
        self.with(Standing::Footers, (rows, 0), self.listed.seen.unwrap_or_else(|| store.now()), features.collect())
    }

    fn with(&self, standing: Standing, (rows, deleted): (u64, u64), taken: EventTime, features: Vec<FeatureStatistics>) -> GroupStatistics {
        let history = self.observed.history.as_ref();
        let time = |text: Option<&String>| text.and_then(|text| EventTime::parse_text(text, TimeMode::Lenient).ok());
        GroupStatistics {
            group: Arc::clone(&self.listed.group),
            population: Population::Events,
            standing,
            rows,
            deleted,
            oldest_event_time: time(history.and_then(|history| history.oldest_event_time.as_ref())),
            newest_event_time: time(history.and_then(|history| history.newest_event_time.as_ref())),
            taken,
            features,
        }
    }
}

fn statistics_of(feature: &FeatureDefinition, figures: Figures, profile: Option<ColumnProfile>) -> FeatureStatistics {
    FeatureStatistics { name: feature.name.to_string(), type_text: feature.type_text(), figures, profile }
}

fn kind_of(feature: &FeatureDefinition) -> ColumnKind {
    match (feature.feature_type, feature.collection.is_some()) {
        (FeatureType::Integral, false) => ColumnKind::Integral,
        (FeatureType::Fractional, false) => ColumnKind::Fractional,
        (FeatureType::String, false) => ColumnKind::Text,
        (FeatureType::String, true) => ColumnKind::Texts,
        (_, true) => ColumnKind::Numbers,
    }
}

fn footer_figures(feature: &FeatureDefinition, told: Option<&ObservedFeature>, rows: u64) -> Figures {
    let bound = |text: Option<&String>| {
        let text = text?;
        Some(match kind_of(feature) {
            ColumnKind::Integral => text.parse().map(Value::Integer).unwrap_or_else(|_| Value::Text(text.clone())),
            ColumnKind::Fractional => text.parse().map(Value::Number).unwrap_or_else(|_| Value::Text(text.clone())),
            _ => Value::Text(text.clone()),
        })
    };
    Figures {
        n: rows,
        nulls: told.and_then(|told| told.nulls).unwrap_or(0),
        min: bound(told.and_then(|told| told.min.as_ref())),
        max: bound(told.and_then(|told| told.max.as_ref())),
        exact: false,
        ..ColumnProfile::new(kind_of(feature)).figures()
    }
}

/// Rows of a file, as its footer said.
fn rows_of(file: &SyncFileRow) -> u64 {
    serde_json::from_str::<serde_json::Value>(&file.footer).ok().and_then(|footer| footer["rows"].as_u64()).unwrap_or(0)
}
