//! Where the browser's data comes from: a small trait, and the store behind it.
//!
//! Everything the screens show passes through here, translated into [`super::model::data`]; no other file of this face knows the store.
//! There is no rule in here, only translation: what a record is, which one is newest and what has expired the store has decided.

pub(crate) mod catalog;
mod compared;
pub(crate) mod datasets;
pub(crate) mod edits;
mod explained;
mod export;
pub(crate) mod files;
pub(crate) mod jobs;
pub(crate) mod lineage;
pub(crate) mod overview;
mod reports;
pub(crate) mod rows;
pub(crate) mod sql;
pub(crate) mod statistics;
mod watched;
pub(crate) mod writes;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use async_trait::async_trait;

use super::model::data::{DemoProgress, Found, Origin, Origins, Saying, Summary, Value, Version};
use crate::model::{Error, ErrorKind, FeatureGroup, FeatureName, FeatureValue, Result};
use crate::store::demo::{self, DemoOptions};
use crate::store::{FeatureStore, GroupSummary, HistoryRow, HistorySource, OnlineRecord};
use crate::sync::{Disagreement, ListedGroup, ListedHistory, listed_group, listed_groups, look_up};
use crate::tui::listing::Listing;

/// Identifiers offered at once.
const OFFERED: usize = 64;
/// Versions of a record that are read.
const VERSIONS: usize = 500;

/// What the browser asks for; each screen of its own has a part of its own.
#[async_trait]
pub(super) trait Source:
    catalog::CatalogSource
    + datasets::DatasetsSource
    + edits::EditsSource
    + files::FilesSource
    + jobs::JobsSource
    + lineage::LineageSource
    + overview::OverviewSource
    + rows::RowsSource
    + sql::SqlSource
    + statistics::StatisticsSource
    + writes::WritesSource
{
    /// A short name of the store.
    fn place(&self) -> String;
    /// The folder of the store, to be watched; none if it lies in none.
    fn folder(&self) -> Option<std::path::PathBuf> {
        None
    }
    /// A token that differs once anybody changed definitions or records.
    async fn changes(&self) -> Result<(i64, u64)> {
        Ok((0, 0))
    }
    /// All groups by name and their features, those that a sync brought in among them, and where these come from.
    async fn groups(&self) -> Result<(Arc<Listing>, Origins)>;
    /// Numbers of these groups.
    async fn summaries(&self, groups: &[Arc<FeatureGroup>]) -> Result<Vec<(String, Result<Summary>)>>;
    /// Some identifiers of a group that begin so, in their order.
    async fn identifiers(&self, group: &str, prefix: &str) -> Result<Vec<String>>;
    /// A record as it is served, and its versions.
    async fn record(&self, group: &str, identifier: &str) -> Result<Found>;
    /// Fills the store with the demo, until it is told to stop.
    async fn fill_demo(&self, stop: Arc<AtomicBool>, progress: Box<dyn Fn(DemoProgress) + Send + Sync>) -> Result<()>;
}

#[async_trait]
impl Source for FeatureStore {
    fn place(&self) -> String {
        let folder = FeatureStore::folder(self);
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        match name {
            // The store that is used when none is named has a folder name that says nothing.
            Some(name) if name != "larder" => name,
            _ => shortened(&folder.to_string_lossy(), std::env::var("HOME").ok().as_deref()),
        }
    }

    fn folder(&self) -> Option<std::path::PathBuf> {
        Some(FeatureStore::folder(self).to_owned())
    }

    async fn changes(&self) -> Result<(i64, u64)> {
        FeatureStore::changes(self).await
    }

    async fn groups(&self) -> Result<(Arc<Listing>, Origins)> {
        let synced = listed_groups(self).await?;
        let origin = |listed: &ListedGroup| Origin {
            source: listed.source.clone(),
            seen: listed.seen.map(|seen| seen.unix_micros()),
            fault: listed.fault.clone(),
            local: listed.local.clone(),
            disagreements: listed.disagreements.iter().map(told).collect(),
            history: listed.history.as_ref().map(Summary::from),
        };
        let origins = synced.iter().map(|listed| (listed.group.name.to_string(), origin(listed))).collect();
        let mut others: Vec<FeatureGroup> = synced.into_iter().map(|listed| Arc::unwrap_or_clone(listed.group)).collect();
        others.sort_by_key(|group| group.name.folded());
        Ok((Arc::new(self.listing(others).await?), origins))
    }

    async fn summaries(&self, groups: &[Arc<FeatureGroup>]) -> Result<Vec<(String, Result<Summary>)>> {
        if let Ok(summaries) = self.group_summaries(groups).await {
            let summary_of = |group: &FeatureGroup| summaries.get(&group.id).map(|summary| Ok(summary.into()));
            return Ok(groups.iter().filter_map(|group| Some((group.name.to_string(), summary_of(group)?))).collect());
        }
        // One of them is damaged; asked one by one, the others still answer.
        let mut answers = Vec::with_capacity(groups.len());
        for group in groups {
            let summary = self.group_summary(group).await.map(|summary| Summary::from(&summary));
            answers.push((group.name.to_string(), summary));
        }
        Ok(answers)
    }

    async fn identifiers(&self, group: &str, prefix: &str) -> Result<Vec<String>> {
        let definition = match self.group(group).await {
            // Nobody tells the identifiers of a group that is kept elsewhere.
            Err(error) if error.kind() == ErrorKind::NotFound && listed_group(self, group).await?.is_some() => return Ok(Vec::new()),
            found => found?,
        };
        if definition.online.is_none() {
            return Ok(Vec::new());
        }
        if prefix.is_empty() {
            return FeatureStore::identifiers(self, group, None, OFFERED).await;
        }
        // Keys are in order, so those that begin with the prefix follow it; the prefix itself may be one.
        let itself = self.look_up(&definition, prefix, Some(&[]))?.map(|record| record.identifier);
        let following = FeatureStore::identifiers(self, group, Some(prefix), OFFERED).await?;
        Ok(itself.into_iter().chain(following.into_iter().take_while(|identifier| identifier.starts_with(prefix))).collect())
    }

    async fn record(&self, group: &str, identifier: &str) -> Result<Found> {
        let definition = match self.group(group).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return record_elsewhere(self, group, identifier).await?.ok_or(error);
            }
            found => found?,
        };
        let mut found = Found { identifier: identifier.to_owned(), ..Found::default() };
        if definition.online.is_some() {
            let started = Instant::now();
            let record = self.look_up(&definition, identifier, None)?;
            found.latency = u64::try_from(started.elapsed().as_micros()).ok();
            if let Some(record) = record {
                found.identifier.clone_from(&record.identifier);
                found.expires = record.expires_at.map(|time| time.unix_micros());
                found.current = Some(served(&record));
            }
        }
        if definition.keeps_history() {
            let rows = self.history(group, identifier, VERSIONS + 1).await?;
            found.truncated = rows.len() > VERSIONS;
            found.versions = rows.iter().take(VERSIONS).map(version).collect();
            found.versions.reverse();
        } else if definition.online.is_none() {
            return Err(
                Error::invalid(format!("'{group}' is read in place and has no records to look up")).remedy("ask it with `larder query`")
            );
        }
        if let Some(current) = &found.current
            && found.versions.last().is_none_or(|last| is_later_than(current, last))
        {
            found.versions.push(current.clone());
        }
        Ok(found)
    }

    async fn fill_demo(&self, stop: Arc<AtomicBool>, progress: Box<dyn Fn(DemoProgress) + Send + Sync>) -> Result<()> {
        let told = move |step: demo::DemoProgress| progress(DemoProgress { what: step.group, done: step.done, total: step.total });
        let options = DemoOptions { cancel: stop, ..DemoOptions::default() };
        FeatureStore::fill_demo(self, &options, Arc::new(told)).await?;
        Ok(())
    }
}

/// The record of a group that a sync brought in, as the source serves it now; none if there is no such group.
async fn record_elsewhere(store: &FeatureStore, group: &str, identifier: &str) -> Result<Option<Found>> {
    let Some(listed) = listed_group(store, group).await? else { return Ok(None) };
    let started = Instant::now();
    let Some(found) = look_up(store, group, &[identifier.to_owned()], None).await? else { return Ok(None) };
    let latency = u64::try_from(started.elapsed().as_micros()).ok();
    let mut shown = Found { identifier: identifier.to_owned(), latency, ..Found::default() };
    if let Some(record) = found.records.into_iter().flatten().next() {
        shown.identifier.clone_from(&record.identifier);
        shown.expires = record.expires_at.map(|time| time.unix_micros());
        // The source may have features by now that no sync has told of yet.
        let value =
            |name: &FeatureName| record.values.iter().find(|(of, ..)| of == name).and_then(|(_, _, value)| value.as_ref().map(value_of));
        let values = listed.group.schema.features().iter().map(|feature| value(&feature.name)).collect();
        let current = Version { place: found.source, values, ..served(&record) };
        shown.versions.push(current.clone());
        shown.current = Some(current);
    }
    Ok(Some(shown))
}

/// True if the served record isn't the newest one of the history but came after it: it was put online only.
fn is_later_than(current: &Version, last: &Version) -> bool {
    let same = current.event_time == last.event_time && !last.deleted && current.values == last.values;
    !same && current.event_time >= last.event_time
}

fn served(record: &OnlineRecord) -> Version {
    Version {
        event_time: record.event_time.unix_micros(),
        event_time_text: record.event_time.to_iso8601(),
        write_time: Some(record.arrival.micros()),
        deleted: false,
        place: "online".to_owned(),
        values: record.values.iter().map(|(_, _, value)| value.as_ref().map(value_of)).collect(),
    }
}

fn version(row: &HistoryRow) -> Version {
    Version {
        event_time: row.event_time.unix_micros(),
        event_time_text: row.event_time.to_iso8601(),
        write_time: Some(row.write_time.micros()),
        deleted: row.is_deleted,
        place: match &row.source {
            HistorySource::Offline { .. } => "offline".to_owned(),
            HistorySource::Outbox => "outbox".to_owned(),
        },
        values: row.values.iter().map(|value| value.as_ref().map(value_of)).collect(),
    }
}

fn value_of(value: &FeatureValue) -> Value {
    Value { text: value.display(), json: value.to_json() }
}

impl From<&GroupSummary> for Summary {
    fn from(summary: &GroupSummary) -> Self {
        Self {
            records: summary.records,
            online_records: summary.online_records,
            files: summary.offline_files,
            bytes: summary.offline_bytes,
            waiting: summary.outbox_rows,
            oldest: summary.oldest_event_time.map(|time| time.unix_micros()),
            newest: summary.newest_event_time.map(|time| time.unix_micros()),
            delta_version: summary.delta_version,
        }
    }
}

impl From<&ListedHistory> for Summary {
    fn from(history: &ListedHistory) -> Self {
        Self {
            records: history.rows,
            files: history.files,
            bytes: history.bytes,
            oldest: history.oldest.map(|time| time.unix_micros()),
            newest: history.newest.map(|time| time.unix_micros()),
            ..Self::default()
        }
    }
}

/// A path below the home folder, with `~` for it.
fn shortened(path: &str, home: Option<&str>) -> String {
    match home.filter(|home| !home.is_empty()).and_then(|home| path.strip_prefix(home)) {
        Some(rest) if rest.starts_with('/') => format!("~{rest}"),
        _ => path.to_owned(),
    }
}

/// The field, and who says what.
fn told(disagreement: &Disagreement) -> (String, Vec<Saying>) {
    let said = disagreement.said.iter().map(|saying| Saying {
        source: saying.source.clone().unwrap_or_else(|| "here".to_owned()),
        says: saying.text().unwrap_or_else(|| crate::tui::units::UNKNOWN.to_owned()),
        is_shown: saying.shown,
    });
    (disagreement.path.clone(), said.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_folder_is_a_tilde_and_nothing_else_is() {
        assert_eq!(shortened("/home/ada/.local/share/larder", Some("/home/ada")), "~/.local/share/larder");
        assert_eq!(shortened("/home/adam/larder", Some("/home/ada")), "/home/adam/larder");
        assert_eq!(shortened("/srv/larder", None), "/srv/larder");
    }
}
