//! What a group is compared with: days before, rows that were pinned under a name, the rows of a training dataset.

use std::str::FromStr;

use super::days::{Days, Sample};
use super::{DriftOptions, Window};
use crate::catalog::Population;
use crate::dataset::GroupScan;
use crate::dataset::profiling::ProfiledColumns;
use crate::model::{Error, FeatureGroup, Result};
use crate::statistics::ColumnProfile;
use crate::store::FeatureStore;
use crate::store::statistics::StatisticsWatch;
use crate::store::statistics::group::StatisticsOptions;
use crate::store::statistics::known::profile_in_parallel;
use crate::store::statistics::stored::alone;

const MICROS_A_DAY: i64 = 86_400_000_000;
/// Longest name of a baseline, in bytes.
const MAX_NAME: usize = 64;

/// What is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaselineChoice {
    /// As many days as the window has, just before it.
    Previous,
    /// The same days of the week before.
    Weekday,
    /// Rows that were pinned under a name.
    Pinned(String),
    /// The rows of a training dataset: `name` or `name@version`.
    Dataset(String),
}

impl BaselineChoice {
    /// As it is written.
    pub fn label(&self) -> String {
        match self {
            Self::Previous => "previous".to_owned(),
            Self::Weekday => "weekday".to_owned(),
            Self::Pinned(name) => name.clone(),
            Self::Dataset(name) => format!("dataset:{name}"),
        }
    }
}

impl FromStr for BaselineChoice {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "" => Err(Error::usage("a baseline has a name").remedy("use previous, weekday, a pinned name or dataset:NAME")),
            "previous" => Ok(Self::Previous),
            "weekday" => Ok(Self::Weekday),
            _ => Ok(text.strip_prefix("dataset:").map_or_else(|| Self::Pinned(text.to_owned()), |name| Self::Dataset(name.to_owned()))),
        }
    }
}

impl FeatureStore {
    /// Keeps the current window of a group under a name, to compare later ones with.
    pub async fn pin_baseline(&self, group: &str, name: &str, options: &DriftOptions) -> Result<Window> {
        self.check_writable()?;
        let group = self.group(group).await?;
        check_name(name)?;
        let reading = StatisticsOptions { watch: options.watch.clone(), ..StatisticsOptions::of(Population::Events) };
        let known = self.known_profile(&group, &reading).await?;
        let days = Days::of(self, &group, &known).await?;
        let (first, last) = days.current(options)?.ok_or_else(|| {
            Error::invalid(format!("'{}' has no day of event time that is over", group.name))
                .remedy("pin a baseline when it has some records")
        })?;
        let sample = days.sample(first, last).await?;
        let (names, columns): (Vec<String>, Vec<ColumnProfile>) = sample.columns.into_iter().unzip();
        let window = crate::catalog::Window::Baseline(name.to_owned());
        let times = (i64::from(first) * MICROS_A_DAY, (i64::from(last) + 1) * MICROS_A_DAY - 1);
        let profile = alone(&names, Population::Events, window, (sample.rows, 0), Some(times), &columns, self.now())?;
        self.inner.catalog.set_profile(&group.id, &profile).await?;
        Ok(Window { first, last, rows: sample.rows })
    }

    /// Forgets a pinned baseline.
    pub async fn unpin_baseline(&self, group: &str, name: &str) -> Result<()> {
        self.check_writable()?;
        let group = self.group(group).await?;
        if self.inner.catalog.remove_baseline(&group.id, name).await? { Ok(()) } else { Err(self.no_such_baseline(&group, name).await) }
    }

    /// Names of the baselines that are pinned of a group.
    pub async fn baselines(&self, group: &str) -> Result<Vec<String>> {
        let group = self.group(group).await?;
        self.inner.catalog.baselines(&group.id).await
    }

    async fn no_such_baseline(&self, group: &FeatureGroup, name: &str) -> Error {
        let known = self.inner.catalog.baselines(&group.id).await.unwrap_or_default();
        let error = Error::not_found(format!("'{}' has no baseline '{}'", group.name, name.escape_debug()));
        if known.is_empty() {
            error.remedy(format!("pin one with `larder drift {} --pin NAME`", group.name))
        } else {
            error.remedy(format!("use previous, weekday or {}", known.join(", ")))
        }
    }

    pub(super) async fn pinned_sample(&self, group: &FeatureGroup, name: &str) -> Result<Sample> {
        let window = crate::catalog::Window::Baseline(name.to_owned());
        match self.inner.catalog.profile(&group.id, Population::Events, &window, true).await? {
            Some(profile) => Sample::of(&profile),
            None => Err(self.no_such_baseline(group, name).await),
        }
    }

    /// The rows of a training dataset: what is known of them, else what its file holds.
    pub(super) async fn dataset_sample(&self, group: &FeatureGroup, name: &str, watch: &StatisticsWatch) -> Result<Sample> {
        let manifest = self.find_dataset(name).await?;
        let window = crate::catalog::Window::Dataset(manifest.label());
        if let Some(profile) = self.inner.catalog.profile(&group.id, Population::Events, &window, true).await? {
            return Sample::of(&profile);
        }
        let input = manifest.inputs.iter().find(|input| input.id == group.id).ok_or_else(|| {
            Error::invalid(format!("'{}' was not built from '{}'", manifest.label(), group.name)).remedy("name another dataset or group")
        })?;
        let (schema, store, files) = self.output_scan(&manifest).await.map_err(|error| {
            error.within(format!("the rows of '{}'", manifest.label())).remedy("build it anew as Parquet with `larder dataset build`")
        })?;
        let columns: Vec<(String, String)> = input
            .features
            .iter()
            .map(|feature| (feature.name.clone(), feature.column.clone().unwrap_or_else(|| feature.name.clone())))
            .filter(|(name, _)| group.schema.position(name).is_some())
            .collect();
        let numbers = (0..files.len()).collect();
        let unflushed = arrow::array::RecordBatch::new_empty(schema.clone());
        let scan = GroupScan { group: group.clone(), schema, store, files, unflushed };
        let wanted: Vec<&str> = columns.iter().map(|(_, column)| column.as_str()).collect();
        let profiled = ProfiledColumns::named(&scan, &wanted)?;
        let profile = profile_in_parallel(scan, profiled, numbers, watch.clone()).await?;
        let names: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
        let stored = alone(&names, Population::Events, window, (profile.rows(), 0), None, &profile.whole()?, self.now())?;
        if !self.inner.read_only {
            self.inner.catalog.set_profile(&group.id, &stored).await?;
        }
        Sample::of(&stored)
    }
}

fn check_name(name: &str) -> Result<()> {
    let is_taken = matches!(name, "previous" | "weekday") || name.contains(':');
    if name.is_empty() || name.len() > MAX_NAME || is_taken || name.contains(char::is_control) {
        return Err(Error::usage(format!("'{}' can't name a baseline", name.escape_debug()))
            .remedy(format!("use up to {MAX_NAME} characters without ':', and neither previous nor weekday")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn baselines_are_written_as_they_are_read() {
        for text in ["previous", "weekday", "june", "dataset:churn@2"] {
            assert_eq!(text.parse::<BaselineChoice>().unwrap().label(), text);
        }
        assert!("".parse::<BaselineChoice>().is_err());
    }
}
