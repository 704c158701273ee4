//! Drift: how far the values of a feature moved from a reference, as effect sizes with a floor of noise.
//!
//! Over millions of rows every shift is significant, so measures are judged by their size; over few rows every sample
//! differs, so a measure only counts where it is above what two samples of one distribution would show
//! ([`Measure::noise`], 99 %). Limits: [`thresholds`]; which measures a column has: [`compare`](mod@compare).

pub mod compare;
mod distances;
pub mod thresholds;

pub use compare::{compare, compare_volume};
pub use thresholds::{Limits, Thresholds};

use serde::{Deserialize, Serialize};

/// What is measured. Larger is worse in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Kolmogorov–Smirnov D: greatest difference of the two cumulative distributions.
    Ks,
    /// Population stability index over ten bins of equal mass of the reference, or its top values.
    Psi,
    /// Greatest change of one category's share.
    LInfinity,
    /// Rise of the share of nulls.
    NullShare,
    /// Distance of the means in standard deviations of the reference.
    MeanShift,
    /// Share of the values that the reference doesn't have.
    NewCategories,
    /// Wasserstein distance in standard deviations of the reference.
    Wasserstein,
    /// Jensen–Shannon divergence in bits.
    JensenShannon,
    /// Hellinger distance.
    Hellinger,
    /// Rows missing against the median of the windows before, as a share of it.
    Volume,
}

impl Metric {
    /// The word for it in JSON, SQL and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ks => "ks",
            Self::Psi => "psi",
            Self::LInfinity => "l_infinity",
            Self::NullShare => "null_share",
            Self::MeanShift => "mean_shift",
            Self::NewCategories => "new_categories",
            Self::Wasserstein => "wasserstein",
            Self::JensenShannon => "jensen_shannon",
            Self::Hellinger => "hellinger",
            Self::Volume => "volume",
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Too few rows to say.
    Few,
    /// No change that matters.
    Ok,
    /// Look at it.
    Watch,
    /// Do something.
    Alert,
}

impl Level {
    /// The word for it in JSON, SQL and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Few => "few",
            Self::Ok => "ok",
            Self::Watch => "watch",
            Self::Alert => "alert",
        }
    }
}

/// One measure of drift. Every number is finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// What is measured.
    pub metric: Metric,
    /// How much.
    pub value: f64,
    /// What two samples of one distribution of these sizes stay below with 99 %; none where chance plays no part.
    pub noise: Option<f64>,
    /// From here on, if above the noise, look at it.
    pub watch: f64,
    /// From here on, if above the noise, do something.
    pub alert: f64,
    /// How bad it is.
    pub level: Level,
    /// What a person wants to know beside the number: the category that changed most, new categories.
    pub detail: Option<String>,
}

/// Drift of one feature: every measure its kind has, and the worst level among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnDrift {
    /// The measures.
    pub measures: Vec<Measure>,
    /// The worst of their levels; `few` only where none could be judged.
    pub level: Level,
}

impl ColumnDrift {
    /// How far its worst measure is on the way to an alert, which begins at 1: puts columns of one level in order.
    /// What chance explains, and what could not be judged, counts as nothing.
    pub fn severity(&self) -> f64 {
        let counts = |measure: &&Measure| {
            measure.level != Level::Few && measure.alert > 0.0 && measure.noise.is_none_or(|noise| measure.value > noise)
        };
        self.measures.iter().filter(counts).map(|measure| measure.value / measure.alert).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_is_the_worst_measure_that_chance_does_not_explain() {
        let measure = |value, noise, level| Measure { metric: Metric::Ks, value, noise, watch: 0.1, alert: 0.2, level, detail: None };
        let of = |measures| ColumnDrift { measures, level: Level::Ok }.severity();
        assert_eq!(of(vec![measure(0.1, Some(0.05), Level::Watch), measure(0.4, Some(0.05), Level::Alert)]), 2.0);
        assert_eq!(of(vec![measure(0.1, Some(0.05), Level::Watch), measure(0.4, Some(0.5), Level::Ok)]), 0.5, "noise");
        assert_eq!(of(vec![measure(0.4, None, Level::Few)]), 0.0, "too few rows");
        assert_eq!(of(Vec::new()), 0.0);
    }
}
