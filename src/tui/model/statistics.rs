//! State of the tabs Stats and Drift: what values look like, and how far they drifted; and what is asked of the store for it.

use super::data::Summary;
use super::list::List;
use super::remote::{ErrorText, Remote};
use crate::tui::units::Micros;

/// What a person has done there.
#[derive(Debug, Default)]
pub(crate) struct StatisticsPage {
    /// The group the numbers are of.
    pub(crate) group: String,
    /// Numbers of the newest records of each identifier, rather than of all events.
    pub(crate) latest: bool,
    /// The numbers.
    pub(crate) numbers: Remote<Numbers>,
    /// The feature under the cursor.
    pub(crate) list: List,
    /// Days of the feature under the cursor, by its name.
    pub(crate) days: Remote<(String, Vec<Day>)>,
    /// Records read for the numbers so far, and of how many.
    pub(crate) progress: (u64, u64),
    /// Baselines besides those that every group has: pinned ones, and training datasets with features of it.
    pub(crate) pinned: Vec<String>,
    /// What drift is measured against: a place among [`StatisticsPage::baselines`].
    pub(crate) baseline: usize,
    /// How far features drifted.
    pub(crate) drift: Remote<Drift>,
    /// What the group held when that was asked.
    pub(crate) drift_of: Option<Summary>,
    /// The drifted feature under the cursor.
    pub(crate) drift_list: List,
}

/// Baselines that every group has.
const BASELINES: [&str; 2] = ["previous", "weekday"];
/// How a training dataset is written as a baseline.
pub(crate) const OF_DATASET: &str = "dataset:";

impl StatisticsPage {
    /// All baselines there are, as they are written.
    pub(crate) fn baselines(&self) -> impl Iterator<Item = &str> + Clone {
        BASELINES.into_iter().chain(self.pinned.iter().map(String::as_str))
    }

    /// The one in use.
    pub(crate) fn chosen_baseline(&self) -> &str {
        self.baselines().nth(self.baseline).unwrap_or(BASELINES[0])
    }

    /// The name of the one in use, if it was pinned.
    pub(crate) fn chosen_pin(&self) -> Option<&str> {
        let chosen = self.chosen_baseline();
        (self.baseline >= BASELINES.len() && !chosen.starts_with(OF_DATASET)).then_some(chosen)
    }
}

/// How far numbers are of the rows that are there now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Of all of them.
    Fresh,
    /// So many rows are in none.
    Stale(u64),
    /// They are the files' own words; no value was read.
    Footers,
}

/// Numbers of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Numbers {
    /// Rows they are of.
    pub(crate) rows: u64,
    /// How far they are of all rows.
    pub(crate) standing: Standing,
    /// When they were found.
    pub(crate) taken: Micros,
    /// Of each feature, in definition order.
    pub(crate) features: Vec<FeatureNumbers>,
}

/// Numbers of one feature.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct FeatureNumbers {
    /// Its name.
    pub(crate) name: String,
    /// Its type.
    pub(crate) kind: String,
    /// Rows.
    pub(crate) rows: u64,
    /// Those without a value.
    pub(crate) nulls: u64,
    /// Values were read, not only footers.
    pub(crate) read: bool,
    /// Distinct values; the second is false for an estimate, whose bounds follow.
    pub(crate) distinct: (f64, bool, f64, f64),
    /// Least and greatest value.
    pub(crate) bounds: Option<(String, String)>,
    /// Mean.
    pub(crate) mean: Option<f64>,
    /// Standard deviation.
    pub(crate) std: Option<f64>,
    /// Kinds of values with their counts: zero, negative, NaN…
    pub(crate) counts: Vec<(&'static str, u64)>,
    /// Quantiles with their names.
    pub(crate) quantiles: Vec<(&'static str, String)>,
    /// Quantiles may be off by this share of the ranks.
    pub(crate) rank_error: f64,
    /// Eight bars.
    pub(crate) spark: Vec<u64>,
    /// Bars of the histogram, and what stands at the ends of its axis.
    pub(crate) bars: Vec<u64>,
    /// The ends of the axis.
    pub(crate) axis: Option<(String, String)>,
    /// Most frequent values with their counts.
    pub(crate) top: Vec<(String, u64)>,
}

/// One day of a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Day {
    /// Rows.
    pub(crate) rows: u64,
    /// Those without a value.
    pub(crate) nulls: u64,
    /// Mean of the values.
    pub(crate) mean: Option<f64>,
}

/// How much a drift matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub(crate) enum Level {
    Few,
    Ok,
    Watch,
    Alert,
}

/// How far the features of a group drifted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drift {
    /// The days that are compared, and with which, in words.
    pub(crate) windows: String,
    /// Each feature, worst first.
    pub(crate) features: Vec<FeatureDrift>,
    /// What could not be compared.
    pub(crate) notes: Vec<String>,
}

/// How far one feature drifted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FeatureDrift {
    /// Its name.
    pub(crate) name: String,
    /// The worst of its measures.
    pub(crate) level: Level,
    /// Measure, value, level, and what it means in words.
    pub(crate) measures: Vec<(&'static str, f64, Level, Option<String>)>,
    /// What the values look like now and in the baseline.
    pub(crate) shapes: Option<Shapes>,
}

/// The values of a feature now and in a baseline, in the same bars.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Shapes {
    /// What stands at the ends of the axis.
    pub(crate) axis: Option<(String, String)>,
    /// The value of each bar; empty where bars are bins of an axis.
    pub(crate) values: Vec<String>,
    /// Share of the baseline in each bar.
    pub(crate) before: Vec<f64>,
    /// Share of the values of now.
    pub(crate) now: Vec<f64>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// Numbers of a group; of the newest records, and read anew, if so.
    Numbers {
        /// The group.
        group: String,
        /// Of the newest record of each identifier.
        latest: bool,
        /// Everything is read anew.
        refresh: bool,
    },
    /// The days of a feature.
    Days {
        /// The group.
        group: String,
        /// The feature.
        feature: String,
    },
    /// How far the features of a group drifted from a baseline.
    Drift {
        /// The group.
        group: String,
        /// The baseline.
        baseline: String,
    },
    /// Baselines of a group besides those that every group has.
    Baselines(String),
    /// To keep the days that are compared under a name.
    Pin {
        /// The group.
        group: String,
        /// The name.
        name: String,
    },
    /// To forget a baseline that was pinned.
    Unpin {
        /// The group.
        group: String,
        /// The name.
        name: String,
    },
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Records read for the numbers so far, and of how many.
    Reading(u64, u64),
    /// Numbers.
    Numbers(Result<Numbers, ErrorText>),
    /// Days of a feature, by its name.
    Days(String, Result<Vec<Day>, ErrorText>),
    /// Drift.
    Drift(Result<Drift, ErrorText>),
    /// Baselines of a group, and the one to use from now on, if it was just pinned.
    Baselines(Result<(Vec<String>, Option<String>), ErrorText>),
    /// The job failed.
    Failed(ErrorText),
}
