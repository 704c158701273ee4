//! How well the catalog tells what is in the store: a score for each group, what to write next, features that are dead.
//!
//! A score is a weighted mean of parts from 0 to 1. A part that is not known (reads that are not recorded) or makes no sense (a
//! ttl without an online store) is left out and its weight with it, so that nobody is blamed for what nobody can know. "Fix
//! next" names what is missing where most would profit: most readers first, then most training datasets.

use std::collections::HashMap;

use super::FeatureStore;
use crate::catalog::search::{FeatureFigures, FeatureKey, READER_DAYS, Readers};
use crate::model::{FeatureGroup, Result};

const DAY_SECONDS: i64 = 86_400;

/// A group without a ttl counts as fresh if its newest record is at most so old.
const FRESH_SECONDS: i64 = 7 * DAY_SECONDS;

/// Nothing is called "never read" before reads have been recorded for so many days.
const DAYS_TO_JUDGE: i64 = 30;

/// A part of a group's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScorePart {
    /// What it judges.
    pub name: &'static str,
    /// From 0 to 1; none if it is not known or makes no sense.
    pub value: Option<f64>,
    /// Its share of the score, before parts are left out.
    pub weight: f64,
}

/// How well a group is documented.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupDocumentation {
    /// Its name.
    pub group: String,
    /// From 0 to 1.
    pub score: f64,
    /// What it is made of.
    pub parts: Vec<ScorePart>,
    /// Features, and those with a description.
    pub features: u64,
    /// Of these, those with a description.
    pub described: u64,
    /// Principals that read it in 30 days, if reads are recorded.
    pub readers: Option<u64>,
    /// Training datasets with features of it.
    pub datasets: u64,
}

/// Something to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixNext {
    /// Of this group.
    pub group: String,
    /// Of this feature; none is the group itself.
    pub feature: Option<String>,
    /// What is missing: `description`, `owner`, `tags`.
    pub missing: Vec<&'static str>,
    /// Principals that read it in 30 days, if reads are recorded.
    pub readers: Option<u64>,
    /// Training datasets that have it.
    pub datasets: u64,
}

/// A feature that tells nobody anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadFeature {
    /// Its group.
    pub group: String,
    /// Its name.
    pub feature: String,
    /// Why: `all null`, `constant`, `never read`.
    pub reasons: Vec<&'static str>,
    /// Rows its profile looked at, if it was profiled.
    pub rows: Option<u64>,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct DocumentationReport {
    /// Groups, the worst first.
    pub groups: Vec<GroupDocumentation>,
    /// What to write, the most read first.
    pub fix_next: Vec<FixNext>,
    /// Features that could go.
    pub dead: Vec<DeadFeature>,
    /// What could not be judged, as whole sentences in lower case.
    pub notes: Vec<String>,
}

/// What is known of all features.
struct Evidence {
    figures: HashMap<FeatureKey, FeatureFigures>,
    datasets: HashMap<FeatureKey, u64>,
    /// Of the last 30 days.
    readers: Option<HashMap<FeatureKey, Readers>>,
    /// Ever; none unless recorded long enough to judge by.
    ever_read: Option<HashMap<FeatureKey, Readers>>,
}

impl FeatureStore {
    /// Judges one group, or all.
    ///
    /// # Errors
    /// `NotFound` for a group that is not there.
    pub async fn documentation(&self, group: Option<&str>) -> Result<DocumentationReport> {
        let groups = match group {
            Some(name) => vec![FeatureGroup::clone(&*self.group(name).await?)],
            None => self.list_groups().await?,
        };
        self.fold_usage_or_go_on().await;
        let catalog = &self.inner.catalog;
        let today = self.now().unix_seconds().div_euclid(DAY_SECONDS);
        let recorded = catalog.reads_recorded_since().await?;
        let evidence = Evidence {
            figures: catalog.feature_figures().await?,
            datasets: catalog.dataset_counts().await?,
            readers: catalog.readers_since(today - READER_DAYS).await?,
            ever_read: match recorded {
                Some(first) if first <= today - DAYS_TO_JUDGE => catalog.readers_since(i64::MIN).await?,
                _ => None,
            },
        };
        let summaries = self.group_summaries(&groups).await?;
        let mut report = DocumentationReport::default();
        for group in &groups {
            let newest = summaries.get(&group.id).and_then(|summary| summary.newest_event_time);
            let age = newest.map(|newest| self.now().unix_seconds() - newest.unix_seconds());
            report.groups.push(evidence.judge(group, age));
            evidence.push_missing(group, &mut report.fix_next);
            evidence.push_dead(group, &mut report.dead);
        }
        report.groups.sort_by(|one, two| one.score.total_cmp(&two.score).then_with(|| one.group.cmp(&two.group)));
        report.fix_next.sort_by_key(|fix| (std::cmp::Reverse((fix.readers, fix.datasets)), fix.feature.is_some()));
        if evidence.ever_read.is_none() {
            report.notes.push(match recorded {
                None => "reads are not recorded in this store yet, so nothing is known to be never read".to_owned(),
                Some(_) => format!("reads are recorded for less than {DAYS_TO_JUDGE} days, so nothing is known to be never read"),
            });
        }
        let unprofiled = groups.iter().filter(|group| !evidence.figures.keys().any(|(id, _)| *id == group.id)).count();
        if unprofiled > 0 {
            report
                .notes
                .push(format!("{unprofiled} of {} groups have no profile, so what is constant or null in them is not known", groups.len()));
        }
        Ok(report)
    }
}

impl Evidence {
    /// Readers and training datasets of a feature, or of a group by the empty name.
    fn use_of(&self, key: &FeatureKey) -> (Option<u64>, u64) {
        let readers = self.readers.as_ref().map(|readers| readers.get(key).map_or(0, |readers| readers.principals));
        let datasets = if key.1.is_empty() {
            self.datasets.iter().filter(|((id, _), _)| *id == key.0).map(|(_, count)| *count).max().unwrap_or(0)
        } else {
            self.datasets.get(key).copied().unwrap_or(0)
        };
        (readers, datasets)
    }

    fn judge(&self, group: &FeatureGroup, age: Option<i64>) -> GroupDocumentation {
        let (readers, datasets) = self.use_of(&(group.id, String::new()));
        let features = group.schema.len() as u64;
        let described = group.schema.features().iter().filter(|feature| feature.description.is_some()).count() as u64;
        let yes = |holds: bool| Some(f64::from(u8::from(holds)));
        let limit = group.ttl().map_or(FRESH_SECONDS, |ttl| i64::try_from(ttl.seconds()).unwrap_or(i64::MAX));
        let part = |name, weight, value| ScorePart { name, value, weight };
        let parts = vec![
            part("features described", 0.35, Some(described as f64 / features.max(1) as f64)),
            part("description", 0.15, yes(group.description.is_some())),
            part("owner", 0.15, yes(group.owner.is_some())),
            part("tags", 0.1, yes(!group.tags.is_empty())),
            part("ttl", 0.05, group.online.as_ref().and_then(|online| yes(online.ttl.is_some()))),
            part("fresh", 0.1, age.and_then(|age| yes(age <= limit))),
            // A dataset is proof of a reader; without one, only recorded reads can prove that there is none.
            part("consumers", 0.1, if datasets > 0 { Some(1.0) } else { readers.and_then(|readers| yes(readers > 0)) }),
        ];
        GroupDocumentation { group: group.name.to_string(), score: weighted(&parts), parts, features, described, readers, datasets }
    }

    fn push_missing(&self, group: &FeatureGroup, fixes: &mut Vec<FixNext>) {
        let missing = [("description", group.description.is_none()), ("owner", group.owner.is_none()), ("tags", group.tags.is_empty())];
        let missing: Vec<&'static str> = missing.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect();
        let mut push = |feature: Option<String>, missing: Vec<&'static str>| {
            let key = (group.id, feature.as_deref().unwrap_or_default().to_lowercase());
            let (readers, datasets) = self.use_of(&key);
            fixes.push(FixNext { group: group.name.to_string(), feature, missing, readers, datasets });
        };
        if !missing.is_empty() {
            push(None, missing);
        }
        for feature in group.schema.features().iter().filter(|feature| feature.description.is_none()) {
            push(Some(feature.name.to_string()), vec!["description"]);
        }
    }

    fn push_dead(&self, group: &FeatureGroup, dead: &mut Vec<DeadFeature>) {
        let keys = [group.schema.identifier_position(), group.schema.event_time_position()];
        for (_, feature) in group.schema.features().iter().enumerate().filter(|(position, _)| !keys.contains(position)) {
            let key = (group.id, feature.name.folded());
            let figures = self.figures.get(&key);
            let mut reasons = Vec::new();
            if figures.is_some_and(|figures| figures.rows > 0 && figures.nulls == figures.rows) {
                reasons.push("all null");
            }
            // A value that is there or not does tell something, so nulls beside it make a constant none. Bounds of a count may be
            // a hair above it.
            if figures
                .is_some_and(|figures| figures.rows > 1 && figures.nulls == 0 && figures.distinct_at_most.is_some_and(|most| most < 1.5))
            {
                reasons.push("constant");
            }
            let is_read = |read: &HashMap<FeatureKey, Readers>| read.contains_key(&key) || self.datasets.contains_key(&key);
            if self.ever_read.as_ref().is_some_and(|read| !is_read(read)) {
                reasons.push("never read");
            }
            if !reasons.is_empty() {
                let rows = figures.map(|figures| figures.rows);
                dead.push(DeadFeature { group: group.name.to_string(), feature: feature.name.to_string(), reasons, rows });
            }
        }
    }
}

fn weighted(parts: &[ScorePart]) -> f64 {
    let known = || parts.iter().filter_map(|part| part.value.map(|value| (value, part.weight)));
    let weight: f64 = known().map(|(_, weight)| weight).sum();
    if weight > 0.0 { known().map(|(value, weight)| value * weight).sum::<f64>() / weight } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_does_not_count() {
        let part = |value, weight| ScorePart { name: "", value, weight };
        assert!((weighted(&[part(Some(1.0), 0.5), part(None, 0.3), part(Some(0.0), 0.5)]) - 0.5).abs() < 1e-12);
        assert!(weighted(&[part(None, 1.0)]).abs() < 1e-12);
    }
}
