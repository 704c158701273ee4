//! Drift: the last days of a group's features against what they were compared with before, or against a pinned baseline,
//! or against the rows of a training dataset.
//!
//! Windows are whole days of event time that are over: a day that still fills up looks like a drift every morning. Record
//! identifier and event time are not compared: they change by their nature.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::group::{Known, Standing, StatisticsOptions, chosen_features};
use super::stored::{alone, states};
use super::{Level, Measure, StatisticsWatch};
use crate::backend::offline::external::ExternalTable;
use crate::catalog::{DriftRow, Population, StoredProfile};
use crate::dataset::profiling::{ProfiledColumns, profile_files};
use crate::dataset::{GroupScan, ScanFile};
use crate::model::{DriftLimits, Error, ErrorKind, EventTime, FeatureGroup, Result};
use crate::statistics::ColumnProfile;
use crate::statistics::drift::{ColumnDrift, Thresholds, compare, compare_volume};
use crate::statistics::windows::{DETAILED_DAYS, day_of};
use crate::store::FeatureStore;

const SECONDS_A_DAY: i64 = 86_400;
/// Windows whose median the rows of the current one are compared with.
const VOLUME_WINDOWS: i32 = 7;

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

/// Some whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first day, counted from 1970-01-01.
    pub first: i32,
    /// The last one.
    pub last: i32,
    /// Rows of them.
    pub rows: u64,
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

/// The days of a group, and what is not in files yet.
struct Days<'a> {
    store: &'a FeatureStore,
    group: &'a FeatureGroup,
    known: &'a Known,
}

/// Merged profiles of some rows.
struct Sample {
    rows: u64,
    columns: BTreeMap<String, ColumnProfile>,
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
        let days = Days { store: self, group: &group, known: &known };
        let length = window_length(options)?;
        let lines = days.lines().await?;
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
        let Some(last) = last_whole_day(&lines, day_of(self.now().unix_micros())) else {
            report.notes.push("no day of event time is over yet".to_owned());
            return Ok(report);
        };
        let first = last.saturating_sub(length - 1);
        let current = days.sample(first, last).await?;
        report.current = Some(Window { first, last, rows: current.rows });
        let reference = match &options.baseline {
            BaselineChoice::Previous => Some((first - length, first - 1)),
            BaselineChoice::Weekday => Some((first - 7, last - 7)),
            BaselineChoice::Pinned(_) | BaselineChoice::Dataset(_) => None,
        };
        let sample = match (reference, &options.baseline) {
            (Some((first, last)), _) => {
                let sample = days.sample(first, last).await?;
                report.reference = Some(Window { first, last, rows: sample.rows });
                sample
            }
            (None, BaselineChoice::Dataset(name)) => self.dataset_sample(&group, name, &options.watch).await?,
            (None, other) => self.pinned_sample(&group, &other.label()).await?,
        };
        let thresholds = Thresholds::default();
        report.volume = compare_volume(current.rows, &windows_before(&lines, first, length), &thresholds);
        for (position, feature) in group.schema.features().iter().enumerate() {
            let name = feature.name.as_str();
            let is_key = position == group.schema.identifier_position() || position == group.schema.event_time_position();
            if is_key && !chosen.contains(name) || !chosen.is_empty() && !chosen.contains(name) {
                continue;
            }
            let (Some(reference), Some(current)) = (sample.columns.get(name), current.columns.get(name)) else { continue };
            if reference.kind() != current.kind() {
                report.notes.push(format!("{name} was of another type in the baseline"));
                continue;
            }
            let drift = compare(reference, current, &thresholds_of(&feature.drift)?)?;
            report.features.push(FeatureDrift { name: name.to_owned(), type_text: feature.type_text(), drift });
        }
        report.features.sort_by_key(|feature| std::cmp::Reverse(feature.drift.level));
        if !self.inner.read_only {
            let rows = rows_to_keep(&report);
            self.inner.catalog.set_drift(&group.id, &report.baseline, &rows, self.now()).await?;
        }
        Ok(report)
    }

    /// Keeps the current window of a group under a name, to compare later ones with.
    pub async fn pin_baseline(&self, group: &str, name: &str, options: &DriftOptions) -> Result<Window> {
        self.check_writable()?;
        let group = self.group(group).await?;
        if name.is_empty()
            || name.len() > 64
            || matches!(name, "previous" | "weekday")
            || name.contains(':')
            || name.contains(char::is_control)
        {
            return Err(Error::usage(format!("'{}' can't name a baseline", name.escape_debug()))
                .remedy("use up to 64 characters without ':', and neither previous nor weekday"));
        }
        let reading = StatisticsOptions { watch: options.watch.clone(), ..StatisticsOptions::of(Population::Events) };
        let known = self.known_profile(&group, &reading).await?;
        let days = Days { store: self, group: &group, known: &known };
        let length = window_length(options)?;
        let lines = days.lines().await?;
        let last = last_whole_day(&lines, day_of(self.now().unix_micros())).ok_or_else(|| {
            Error::invalid(format!("'{}' has no day of event time that is over", group.name))
                .remedy("pin a baseline when it has some records")
        })?;
        let first = last.saturating_sub(length - 1);
        let sample = days.sample(first, last).await?;
        let names: Vec<String> = sample.columns.keys().cloned().collect();
        let columns: Vec<ColumnProfile> = sample.columns.into_values().collect();
        let window = crate::catalog::Window::Baseline(name.to_owned());
        let times = (i64::from(first) * SECONDS_A_DAY * 1_000_000, (i64::from(last) + 1) * SECONDS_A_DAY * 1_000_000 - 1);
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

    async fn no_such_baseline(&self, group: &FeatureGroup, name: &str) -> Error {
        let known = self.inner.catalog.baselines(&group.id).await.unwrap_or_default();
        let error = Error::not_found(format!("'{}' has no baseline '{}'", group.name, name.escape_debug()));
        if known.is_empty() {
            error.remedy(format!("pin one with `larder drift {} --pin NAME`", group.name))
        } else {
            error.remedy(format!("use previous, weekday or {}", known.join(", ")))
        }
    }

    async fn pinned_sample(&self, group: &FeatureGroup, name: &str) -> Result<Sample> {
        let window = crate::catalog::Window::Baseline(name.to_owned());
        match self.inner.catalog.profile(&group.id, Population::Events, &window, true).await? {
            Some(profile) => sample_of(&profile),
            None => Err(self.no_such_baseline(group, name).await),
        }
    }

    /// The rows of a training dataset: what is known of them, else what its file holds.
    async fn dataset_sample(&self, group: &FeatureGroup, name: &str, watch: &StatisticsWatch) -> Result<Sample> {
        let manifest = self.find_dataset(name).await?;
        let window = crate::catalog::Window::Dataset(manifest.label());
        if let Some(profile) = self.inner.catalog.profile(&group.id, Population::Events, &window, true).await? {
            return sample_of(&profile);
        }
        let input = manifest.inputs.iter().find(|input| input.id == group.id).ok_or_else(|| {
            Error::invalid(format!("'{}' was not built from '{}'", manifest.label(), group.name)).remedy("name another dataset or group")
        })?;
        let path = manifest.output.path.clone();
        let table = ExternalTable::open(&path).map_err(|error| {
            error.within(format!("the rows of '{}'", manifest.label())).remedy("build it anew as Parquet with `larder dataset build`")
        })?;
        let columns: Vec<(String, String)> = input
            .features
            .iter()
            .map(|feature| (feature.name.clone(), feature.column.clone().unwrap_or_else(|| feature.name.clone())))
            .filter(|(name, _)| group.schema.position(name).is_some())
            .collect();
        let files: Vec<ScanFile> =
            table.files().iter().map(|file| ScanFile::new(file.object.clone(), Some(file.statistics.clone()))).collect();
        let schema = table.schema().clone();
        let unflushed = arrow::array::RecordBatch::new_empty(schema.clone());
        let numbers: Vec<usize> = (0..files.len()).collect();
        let scan = GroupScan { group: group.clone(), schema, store: table.object_store()?, files, unflushed };
        let wanted: Vec<&str> = columns.iter().map(|(_, column)| column.as_str()).collect();
        let profiled = ProfiledColumns::named(&scan, &wanted)?;
        let (runtime, watch) = (tokio::runtime::Handle::current(), watch.clone());
        let threads = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
        let read = tokio::task::spawn_blocking(move || profile_files(&scan, &profiled, &numbers, threads, runtime, &watch));
        let profile = read.await.map_err(|error| Error::internal("reading a dataset stopped").source(error))??;
        let names: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
        let stored = alone(&names, Population::Events, window, (profile.rows(), 0), None, &profile.whole()?, self.now())?;
        if !self.inner.read_only {
            self.inner.catalog.set_profile(&group.id, &stored).await?;
        }
        sample_of(&stored)
    }

    async fn freshness(&self, group: &FeatureGroup, known: &Known, options: &DriftOptions) -> Result<Option<Freshness>> {
        let stored = self.inner.catalog.profile(&group.id, Population::Events, &crate::catalog::Window::Whole, false).await?;
        let newest = stored
            .and_then(|stored| stored.newest_event_time)
            .into_iter()
            .chain(known.unflushed.event_times().and_then(|(_, newest)| EventTime::from_unix_micros(newest)))
            .max();
        let Some(newest) = newest else { return Ok(None) };
        let age = self.now().seconds_since(newest);
        let ttl = group.ttl().map(|ttl| ttl.seconds() as f64);
        let asked = options.max_age.map(|seconds| seconds as f64);
        let allowed = match (ttl, asked) {
            (Some(ttl), Some(asked)) => Some(ttl.min(asked)),
            (one, other) => one.or(other),
        };
        let level = if allowed.is_some_and(|allowed| age > allowed) { Level::Alert } else { Level::Ok };
        Ok(Some(Freshness { age, allowed, level }))
    }
}

impl Days<'_> {
    /// Rows of every day, in order.
    async fn lines(&self) -> Result<BTreeMap<i32, u64>> {
        let mut lines: BTreeMap<i32, u64> =
            self.store.inner.catalog.day_lines(&self.group.id, None).await?.into_iter().map(|line| (line.day, line.rows)).collect();
        for (day, profile) in self.known.unflushed.days() {
            *lines.entry(*day).or_default() += profile.rows;
        }
        for (day, numbers) in self.known.unflushed.lines() {
            *lines.entry(*day).or_default() += numbers.rows;
        }
        Ok(lines)
    }

    /// All rows from one day to another, as far as their days are kept in detail.
    async fn sample(&self, first: i32, last: i32) -> Result<Sample> {
        let mut sample = Sample { rows: 0, columns: BTreeMap::new() };
        for day in first..=last {
            let window = crate::catalog::Window::Day(day);
            if let Some(profile) = self.store.inner.catalog.profile(&self.group.id, Population::Events, &window, true).await? {
                sample.add(sample_of(&profile)?)?;
            }
            if let Some(profile) = self.known.unflushed.days().get(&day) {
                let names = self.group.schema.features().iter().map(|feature| feature.name.to_string());
                sample.add(Sample { rows: profile.rows, columns: names.zip(profile.columns.iter().cloned()).collect() })?;
            }
        }
        Ok(sample)
    }
}

impl Sample {
    fn add(&mut self, other: Self) -> Result<()> {
        self.rows += other.rows;
        for (name, profile) in other.columns {
            match self.columns.get_mut(&name) {
                Some(known) => known.merge(&profile)?,
                None => {
                    self.columns.insert(name, profile);
                }
            }
        }
        Ok(())
    }
}

fn sample_of(profile: &StoredProfile) -> Result<Sample> {
    Ok(Sample { rows: profile.rows, columns: states(profile)? })
}

/// Limits of a feature's drift: the usual ones, but for those that are set.
fn thresholds_of(limits: &DriftLimits) -> Result<Thresholds> {
    let mut object = serde_json::Map::new();
    for (metric, (watch, alert)) in limits {
        object.insert(metric.clone(), serde_json::json!({"watch": watch.get(), "alert": alert.get()}));
    }
    serde_json::from_value(serde_json::Value::Object(object))
        .map_err(|error| Error::invalid("a limit of drift can't be read").why(error.to_string()))
}

/// Checks that limits name distances there are, and that the alert is not below the watch.
pub(in crate::store) fn check_drift_limits(limits: &DriftLimits) -> Result<()> {
    let known = ["ks", "psi", "l_infinity", "null_share", "mean_shift", "new_categories", "wasserstein", "jensen_shannon", "hellinger"];
    for (metric, (watch, alert)) in limits {
        if !known.contains(&metric.as_str()) {
            return Err(
                Error::usage(format!("'{}' is no distance", metric.escape_debug())).remedy(format!("use one of {}", known.join(", ")))
            );
        }
        if watch > alert {
            return Err(Error::usage(format!("the alert of {metric} is below its watch")).remedy("write the smaller one first"));
        }
    }
    thresholds_of(limits).map(drop)
}

fn window_length(options: &DriftOptions) -> Result<i32> {
    let is_weekday = options.baseline == BaselineChoice::Weekday;
    let days = options.days.unwrap_or(if is_weekday { 1 } else { 7 });
    // Both windows, and the day that is not over, lie within the days that are kept in detail.
    let most = match options.baseline {
        BaselineChoice::Previous => (DETAILED_DAYS as u32 - 1) / 2,
        BaselineChoice::Weekday => 7,
        BaselineChoice::Pinned(_) | BaselineChoice::Dataset(_) => DETAILED_DAYS as u32 - 1,
    };
    match i32::try_from(days) {
        Ok(length) if days >= 1 && days <= most => Ok(length),
        _ => Err(Error::new(ErrorKind::Usage, format!("a window of {days} days can't be compared with '{}'", options.baseline.label()))
            .remedy(format!("use 1 to {most} days"))),
    }
}

/// The newest day with rows that is over; where none is, the newest that is not in the future.
fn last_whole_day(lines: &BTreeMap<i32, u64>, today: Option<i32>) -> Option<i32> {
    let today = today.unwrap_or(i32::MAX);
    lines.range(..today).next_back().or_else(|| lines.range(..=today).next_back()).map(|(day, _)| *day)
}

/// Rows of the windows before the one that begins at `first`, newest last, as far back as there are rows.
fn windows_before(lines: &BTreeMap<i32, u64>, first: i32, length: i32) -> Vec<u64> {
    let Some((oldest, _)) = lines.first_key_value() else { return Vec::new() };
    let mut windows = Vec::new();
    for back in 1..=VOLUME_WINDOWS {
        let from = first.saturating_sub(back.saturating_mul(length));
        // A window that begins before the first row isn't whole.
        if from < *oldest {
            break;
        }
        windows.push(lines.range(from..from + length).map(|(_, rows)| *rows).sum());
    }
    windows.reverse();
    windows
}

fn rows_to_keep(report: &DriftReport) -> Vec<DriftRow> {
    let row = |feature: &str, measure: &Measure| DriftRow {
        feature: feature.to_owned(),
        metric: measure.metric.as_str().to_owned(),
        value: measure.value,
        noise: measure.noise,
        watch: measure.watch,
        alert: measure.alert,
        level: measure.level.as_str().to_owned(),
        detail: measure.detail.clone(),
    };
    let features = report.features.iter().flat_map(|feature| feature.drift.measures.iter().map(|measure| row(&feature.name, measure)));
    features.chain(report.volume.iter().map(|volume| row("", volume))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_day_that_is_not_over_is_no_window() {
        let lines = BTreeMap::from([(10, 5), (11, 5), (12, 1), (40, 1)]);
        assert_eq!(last_whole_day(&lines, Some(12)), Some(11), "today still fills up");
        assert_eq!(last_whole_day(&lines, Some(13)), Some(12));
        assert_eq!(last_whole_day(&BTreeMap::from([(12, 1)]), Some(12)), Some(12), "better than nothing");
        assert_eq!(last_whole_day(&BTreeMap::from([(40, 1)]), Some(12)), None, "the future is no baseline");
    }

    #[test]
    fn volume_is_compared_with_whole_windows_only() {
        let lines: BTreeMap<i32, u64> = (0..20).map(|day: i32| (day, u64::from(day.unsigned_abs()))).collect();
        assert_eq!(windows_before(&lines, 18, 2), [9, 13, 17, 21, 25, 29, 33]);
        assert_eq!(windows_before(&lines, 5, 2), [3, 7], "the window that begins before the first day is left out");
        assert_eq!(windows_before(&BTreeMap::new(), 5, 2), Vec::<u64>::new());
    }

    #[test]
    fn baselines_are_written_as_they_are_read() {
        for text in ["previous", "weekday", "june", "dataset:churn@2"] {
            assert_eq!(text.parse::<BaselineChoice>().unwrap().label(), text);
        }
        assert!("".parse::<BaselineChoice>().is_err());
    }

    #[test]
    fn limits_name_distances() {
        let limits = |metric: &str, watch: f64, alert: f64| {
            DriftLimits::from([(metric.to_owned(), (watch.try_into().unwrap(), alert.try_into().unwrap()))])
        };
        let set = thresholds_of(&limits("ks", 0.3, 0.4)).unwrap();
        assert_eq!((set.ks.watch, set.ks.alert, set.psi), (0.3, 0.4, Thresholds::default().psi));
        assert!(check_drift_limits(&limits("ks", 0.3, 0.4)).is_ok());
        assert!(check_drift_limits(&limits("kss", 0.3, 0.4)).is_err());
        assert!(check_drift_limits(&limits("ks", 0.5, 0.4)).is_err());
    }

    #[test]
    fn both_windows_lie_within_the_days_that_are_kept() {
        let options =
            |baseline, days| DriftOptions { baseline, days, features: Vec::new(), max_age: None, watch: StatisticsWatch::default() };
        assert_eq!(window_length(&options(BaselineChoice::Previous, None)).unwrap(), 7);
        assert_eq!(window_length(&options(BaselineChoice::Weekday, None)).unwrap(), 1);
        assert_eq!(window_length(&options(BaselineChoice::Previous, Some(17))).unwrap(), 17);
        assert!(window_length(&options(BaselineChoice::Previous, Some(18))).is_err());
        assert!(window_length(&options(BaselineChoice::Previous, Some(0))).is_err());
    }
}
