//! What is known of every feature at a glance, for lists: its nulls and shape, its drift, who reads it. Nothing is worked out here;
//! what nobody has found out yet is unknown, never zero.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::FeatureStore;
use super::statistics::FeatureStatistics;
use crate::catalog::search::READER_DAYS;
use crate::model::{Error, GroupId, Result};
use crate::statistics::{ColumnProfile, Figures, TopValue, frequencies};

const DAY_SECONDS: i64 = 86_400;

/// What is known of a feature at a glance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FeatureEvidence {
    /// Rows of its history that were looked at; 0 if none were.
    pub rows: u64,
    /// Those without a value.
    pub nulls: u64,
    /// Eight bars of its values; empty where there are none.
    pub shape: Vec<u64>,
    /// Worst level of its last comparison: `alert`, `watch`, `ok`, `few`; none if it was never compared.
    pub drift: Option<String>,
    /// Different readers in the last 30 days; none while reads aren't recorded.
    pub readers: Option<u64>,
}

impl FeatureEvidence {
    /// What a profile says at a glance; `shape` is bars or most frequent values in JSON.
    pub fn of_line(rows: u64, nulls: u64, shape: Option<&str>) -> Self {
        Self { rows, nulls, shape: bars(shape), ..Self::default() }
    }
}

/// Evidence by group and name of the feature in lower case.
pub type EvidenceByGroup = HashMap<GroupId, HashMap<String, FeatureEvidence>>;

impl FeatureStore {
    /// What is known of every feature at a glance, from what the catalog keeps. Features of which nothing is known may be missing.
    pub async fn feature_evidence(&self) -> Result<EvidenceByGroup> {
        self.fold_usage_or_go_on().await;
        let catalog = &self.inner.catalog;
        let mut evidence = EvidenceByGroup::new();
        for ((group, feature), line) in catalog.feature_lines().await? {
            let known = FeatureEvidence::of_line(line.rows, line.nulls, line.shape.as_deref());
            evidence.entry(group).or_default().insert(feature, known);
        }
        for ((group, feature), level) in catalog.drift_levels().await? {
            evidence.entry(group).or_default().entry(feature.to_lowercase()).or_default().drift = Some(level);
        }
        let first_day = self.now().unix_seconds().div_euclid(DAY_SECONDS) - READER_DAYS;
        if let Some(principals) = catalog.principals_since(first_day).await? {
            for (group, feature) in principals.keys().filter(|(_, feature)| !feature.is_empty()) {
                evidence.entry(*group).or_default().entry(feature.clone()).or_default();
            }
            let nobody = HashSet::new();
            for (group, features) in &mut evidence {
                // Who reads whole records reads every feature.
                let of_records = principals.get(&(*group, String::new())).unwrap_or(&nobody);
                for (feature, known) in features {
                    let by_name = principals.get(&(*group, feature.clone())).unwrap_or(&nobody);
                    known.readers = Some(by_name.union(of_records).count() as u64);
                }
            }
        }
        Ok(evidence)
    }

    /// Statistics of one feature over all history as the catalog keeps them; none if it was never profiled. Reads no data.
    ///
    /// # Errors
    /// `NotFound` for the group or the feature, `Corrupt` for statistics that can't be read.
    pub async fn kept_statistics(&self, group: &str, feature: &str) -> Result<Option<FeatureStatistics>> {
        let group = self.group(group).await?;
        let (_, definition) = group.schema.feature(feature)?;
        let Some((figures, state)) = self.inner.catalog.kept_column(&group.id, definition.name.as_str()).await? else { return Ok(None) };
        let unreadable = |why: String| {
            Error::corrupt(format!("the statistics of '{}' can't be read", definition.name))
                .why(why)
                .remedy("make them anew with `larder stats GROUP --refresh`")
        };
        let profile = state.map(|state| ColumnProfile::from_bytes(&state)).transpose().map_err(|error| unreadable(error.to_string()))?;
        let figures = match &profile {
            Some(profile) => profile.figures(),
            None => serde_json::from_str::<Figures>(&figures).map_err(|error| unreadable(error.to_string()))?,
        };
        Ok(Some(FeatureStatistics { name: definition.name.to_string(), type_text: definition.type_text(), figures, profile }))
    }
}

/// What the catalog has of a shape: bars, or most frequent values.
#[derive(Deserialize)]
#[serde(untagged)]
enum Shape {
    Bars(Vec<u64>),
    Frequent(Vec<TopValue>),
}

/// The bars of a shape in JSON; one that can't be read is none.
fn bars(shape: Option<&str>) -> Vec<u64> {
    match shape.and_then(|shape| serde_json::from_str(shape).ok()) {
        Some(Shape::Bars(bars)) => bars,
        Some(Shape::Frequent(top)) => frequencies(&top),
        None => Vec::new(),
    }
}
