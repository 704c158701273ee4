//! State of the tabs Stats and Drift: what values look like, and how far they drifted; and what is asked of the store for it.

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
    /// What drift is measured against: a place in [`BASELINES`].
    pub(crate) baseline: usize,
    /// How far features drifted.
    pub(crate) drift: Remote<Drift>,
    /// The drifted feature under the cursor.
    pub(crate) drift_list: List,
}

/// Baselines there are without naming any.
pub(crate) const BASELINES: [&str; 2] = ["previous", "weekday"];

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
        baseline: &'static str,
    },
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Numbers.
    Numbers(Result<Numbers, ErrorText>),
    /// Days of a feature, by its name.
    Days(String, Result<Vec<Day>, ErrorText>),
    /// Drift.
    Drift(Result<Drift, ErrorText>),
    /// The job failed.
    Failed(ErrorText),
}
