//! Drift: the last days of a group's features against what they were before, against a pinned baseline, or against the rows of a
//! training dataset.
//!
//! Windows are whole days of event time that are over: a day that still fills up looks like a drift every morning. Record
//! identifier and event time are not compared: they change by their nature.

mod baseline;
mod days;
mod limits;
mod shapes;

pub use baseline::BaselineChoice;
pub use days::Window;
pub use limits::check_drift_limits;
pub use shapes::Shapes;

use self::days::{Days, Sample, windows_before};
use self::limits::thresholds_of;
use super::group::{Standing, StatisticsOptions, chosen_features};
use super::known::Known;
use super::{Level, Measure, StatisticsWatch};
use crate::catalog::{DriftRow, Population};
use crate::model::{Error, ErrorKind, FeatureGroup, Result};
use crate::statistics::drift::{ColumnDrift, Thresholds, compare, compare_volume};
use crate::store::FeatureStore;

/// How to compare.
#[derive(Debug, Clone)]
pub struct DriftOptions {
    /// With what.
    pub baseline: BaselineChoice,
    /// Days of the current window; none is 7, and 1 against the same weekday.
    pub days: Option<u32>,
    /// Features to compare, all if empty.
    pub features: Vec<String>,
    /// Seconds after which the newest record is too old, besides the group's own ttl.
    pub max_age: Option<u64>,
    /// Sees what is read, and stops it.
    pub watch: StatisticsWatch,
}

/// How old the newest record is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Freshness {
    /// Seconds since its event time; negative for one from the future.
    pub age: f64,
    /// Seconds that are allowed, by ttl or request.
    pub allowed: Option<f64>,
    /// `alert` when it is older than that.
    pub level: Level,
}

/// One feature, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureDrift {
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_text: String,
    /// The distances, and the worst of their levels.
    pub drift: ColumnDrift,
    /// What the values of both look like; none of features that have no picture.
    pub shapes: Option<Shapes>,
}

/// A group, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftReport {
    /// The group.
    pub group: String,
    /// What with, as it is written.
    pub baseline: String,
    /// The current window; none for a group without a day that is over.
    pub current: Option<Window>,
    /// The days compared with, where it is days.
    pub reference: Option<Window>,
    /// Each feature, worst first.
    pub features: Vec<FeatureDrift>,
    /// Rows against the windows before.
    pub volume: Option<Measure>,
    /// Age of the newest record.
    pub freshness: Option<Freshness>,
    /// What could not be compared, and why.
    pub notes: Vec<String>,
}

impl DriftReport {
    /// The worst level of all.
    pub fn level(&self) -> Level {
        let features = self.features.iter().map(|feature| feature.drift.level);
        let others = self.volume.iter().map(|volume| volume.level).chain(self.freshness.iter().map(|freshness| freshness.level));
        features.chain(others).max().unwrap_or(Level::Few)
    }
}

impl FeatureStore {
    /// Compares a group's features with a baseline, and keeps the result for lists and search.
    ///
    /// # Errors
    /// `NotFound` for a baseline or dataset nobody knows, `Usage` for a window too long to have a window before it.
    pub async fn drift(&self, group: &str, options: &DriftOptions) -> Result<DriftReport> {
        let group = self.group(group).await?;
        let chosen = chosen_features(&group, &options.features)?;
        let reading = StatisticsOptions { watch: options.watch.clone(), ..StatisticsOptions::of(Population::Events) };
        let known = self.known_profile(&group, &reading).await?;
        let days = Days::of(self, &group, &known).await?;
        let mut report = DriftReport {
            group: group.name.to_string(),
            baseline: options.baseline.label(),
            current: None,
            reference: None,
            features: Vec::new(),
            volume: None,
            freshness: self.freshness(&group, &known, options).await?,
            notes: Vec::new(),
        };
        if let Standing::Stale { files, rows } = known.standing {
            report.notes.push(format!("{rows} rows in {files} files were never read: `larder stats {} --refresh` reads them", group.name));
        }
        let Some((first, last)) = days.current(options)? else {
            report.notes.push("no day of event time is over yet".to_owned());
            return Ok(report);
        };
        let current = days.sample(first, last).await?;
        report.current = Some(Window { first, last, rows: current.rows });
        let reference = self.reference(&group, &days, (first, last), options, &mut report).await?;
        report.volume = compare_volume(current.rows, &windows_before(&days.rows, first, last - first + 1), &Thresholds::default());
        for (position, feature) in group.schema.features().iter().enumerate() {
            let name = feature.name.as_str();
            let is_key = position == group.schema.identifier_position() || position == group.schema.event_time_position();
            if chosen.is_empty() && is_key || !chosen.is_empty() && !chosen.contains(name) {
                continue;
            }
            let (Some(reference), Some(current)) = (reference.columns.get(name), current.columns.get(name)) else { continue };
            if reference.kind() != current.kind() {
                report.notes.push(format!("{name} was of another type in the baseline"));
                continue;
            }
            let drift = compare(reference, current, &thresholds_of(&feature.drift)?)?;
            let shapes = Shapes::of(reference, current);
            report.features.push(FeatureDrift { name: name.to_owned(), type_text: feature.type_text(), drift, shapes });
        }
        report.features.sort_by_key(|feature| std::cmp::Reverse(feature.drift.level));
        if !self.inner.read_only {
            let rows = rows_to_keep(&report);
            self.inner.catalog.set_drift(&group.id, &report.baseline, &rows, self.now()).await?;
        }
        Ok(report)
    }

    /// Compares every group with a history. Groups that have no baseline of that name, or no part in that dataset, are left out.
    ///
    /// # Errors
    /// `NotFound` if that leaves none.
    pub async fn drift_of_all(&self, options: &DriftOptions) -> Result<Vec<DriftReport>> {
        let is_named = matches!(options.baseline, BaselineChoice::Pinned(_) | BaselineChoice::Dataset(_));
        let mut reports = Vec::new();
        for group in self.list_groups().await?.into_iter().filter(|group| group.offline.is_some()) {
            match self.drift(group.name.as_str(), options).await {
                Ok(report) => reports.push(report),
                Err(error) if is_named && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Invalid) => {}
                Err(error) => return Err(error),
            }
        }
        if reports.is_empty() && is_named {
            return Err(Error::not_found(format!("no group has a baseline '{}'", options.baseline.label()))
                .remedy("pin one with `larder drift GROUP --pin NAME`"));
        }
        Ok(reports)
    }

    /// The rows that the current window is compared with; the report says which days they are of.
    async fn reference(
        &self,
        group: &FeatureGroup,
        days: &Days<'_>,
        (first, last): (i32, i32),
        options: &DriftOptions,
        report: &mut DriftReport,
    ) -> Result<Sample> {
        let length = last - first + 1;
        let (first, last) = match &options.baseline {
            BaselineChoice::Previous => (first - length, first - 1),
            BaselineChoice::Weekday => (first - 7, last - 7),
            BaselineChoice::Pinned(name) => return self.pinned_sample(group, name).await,
            BaselineChoice::Dataset(name) => return self.dataset_sample(group, name, &options.watch).await,
        };
        let sample = days.sample(first, last).await?;
        report.reference = Some(Window { first, last, rows: sample.rows });
        Ok(sample)
    }

    async fn freshness(&self, group: &FeatureGroup, known: &Known, options: &DriftOptions) -> Result<Option<Freshness>> {
        let stored = self.inner.catalog.profile(&group.id, Population::Events, &crate::catalog::Window::Whole, false).await?;
        let stored = stored.filter(|_| !known.is_replaced).and_then(|stored| stored.newest_event_time);
        let Some(newest) = stored.into_iter().chain(known.event_times()).max() else { return Ok(None) };
        let age = self.now().seconds_since(newest);
        let ttl = group.ttl().map(|ttl| ttl.seconds() as f64);
        let asked = options.max_age.map(|seconds| seconds as f64);
        let allowed = ttl.into_iter().chain(asked).reduce(f64::min);
        let level = if allowed.is_some_and(|allowed| age > allowed) { Level::Alert } else { Level::Ok };
        Ok(Some(Freshness { age, allowed, level }))
    }
}

fn rows_to_keep(report: &DriftReport) -> Vec<DriftRow> {
    let row = |feature: &str, measure: &Measure| DriftRow {
        feature: feature.to_owned(),
        metric: measure.metric.as_str().to_owned(),
        value: Some(measure.value),
        noise: measure.noise,
        watch: measure.watch,
        alert: measure.alert,
        level: measure.level.as_str().to_owned(),
        detail: measure.detail.clone(),
    };
    let features = report.features.iter().flat_map(|feature| feature.drift.measures.iter().map(|measure| row(&feature.name, measure)));
    features.chain(report.volume.iter().map(|volume| row("", volume))).collect()
}
