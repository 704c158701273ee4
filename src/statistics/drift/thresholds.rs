//! Thresholds of drift: from where on a measure is to be watched, and from where on it alarms.
//!
//! The defaults are effect sizes in common use: PSI 0.1 and 0.25 come from credit scoring, KS 0.1 and 0.2 and the rest
//! are of the same order. Each can be set per feature in a definition file; what is left out there keeps its default.

use serde::{Deserialize, Serialize};

/// The two limits of one measure; a value on a limit is over it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Look at it.
    pub watch: f64,
    /// Do something.
    pub alert: f64,
}

impl Limits {
    /// Limits from two numbers.
    pub const fn new(watch: f64, alert: f64) -> Self {
        Self { watch, alert }
    }
}

/// Limits of every measure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Thresholds {
    /// Rows that both sides need.
    pub min_rows: u64,
    /// Kolmogorov–Smirnov D, 0 to 1.
    pub ks: Limits,
    /// Population stability index, in nats.
    pub psi: Limits,
    /// Greatest change of one category's share, 0 to 1.
    pub l_infinity: Limits,
    /// Rise of the share of nulls, 0 to 1.
    pub null_share: Limits,
    /// Distance of means in standard deviations of the reference.
    pub mean_shift: Limits,
    /// Share of values in categories that the reference doesn't have; a watch of 0 means any.
    pub new_categories: Limits,
    /// Wasserstein distance in standard deviations of the reference.
    pub wasserstein: Limits,
    /// Jensen–Shannon divergence in bits.
    pub jensen_shannon: Limits,
    /// Hellinger distance, 0 to 1.
    pub hellinger: Limits,
    /// Rows missing against the median of the windows before, 0 to 1.
    pub volume: Limits,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            min_rows: 500,
            ks: Limits::new(0.1, 0.2),
            psi: Limits::new(0.1, 0.25),
            l_infinity: Limits::new(0.05, 0.15),
            null_share: Limits::new(0.01, 0.05),
            mean_shift: Limits::new(0.25, 0.5),
            new_categories: Limits::new(0.0, 0.01),
            // Never below the distance of the means, so it has their limits.
            wasserstein: Limits::new(0.25, 0.5),
            // For small changes PSI/8 nats, so PSI's limits in bits.
            jensen_shannon: Limits::new(0.018, 0.045),
            hellinger: Limits::new(0.15, 0.4),
            volume: Limits::new(0.5, 0.9),
        }
    }
}
