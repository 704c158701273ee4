//! Statistics of a group: what its features look like, whether they have changed, whether they are what was promised.
//!
//! ```text
//! drain, load --profile beside the file--> [`capture`] --one transaction--> catalog: whole history, days
//! compaction  --names of files, no rows--> [`capture`]
//! stats       --what is in no profile yet: read it ([`known`])--> figures, quantiles, histograms
//! drift       --days, a baseline or a dataset against days ([`drift`])--> distances and levels
//! ```
//! Profiles of files are merged once each, by name; so statistics can be behind the data, never beside it, and say how far.

mod capture;
mod check;
mod drift;
mod group;
mod known;
mod stored;

pub use check::{CheckReport, CheckedRule};
pub use drift::check_drift_limits;
pub use drift::{BaselineChoice, DriftOptions, DriftReport, FeatureDrift, Freshness, Shapes as DriftShapes, Window as DriftWindow};
pub use group::{FeatureStatistics, GroupStatistics, Standing, StatisticsOptions};
pub use stored::stored_column;

pub use crate::catalog::{DayLine, Population};
pub use crate::dataset::point_in_time::JoinWatch as StatisticsWatch;
pub use crate::statistics::drift::{ColumnDrift, Level, Measure, Metric};
pub use crate::statistics::{
    ColumnKind, ColumnProfile, Distinct, Figures, Histogram, HistogramBins, QUANTILE_RANKS, Quantile, TopValue, Value,
};
