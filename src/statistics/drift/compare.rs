//! Comparing: which measures a kind of column has, and how each is judged.
//!
//! A measure counts where it reaches a threshold and is above its noise. Both sides need enough values, else the measure
//! is there for the curious but its level says that there are too few rows.

use std::collections::HashMap;

use super::distances::{
    TWO_SIDED_99, decile_counts, hellinger, inverse_sizes, jensen_shannon, kolmogorov_smirnov, kolmogorov_smirnov_noise,
    population_stability, population_stability_noise, wasserstein,
};
use super::thresholds::{Limits, Thresholds};
use super::{ColumnDrift, Level, Measure, Metric};
use crate::model::{Error, Result};
use crate::statistics::distribution::Distribution;
use crate::statistics::profile::ColumnProfile;
use crate::statistics::text::Categories;

/// Categories of the reference that have a bin of their own.
const CATEGORIES: usize = 20;
/// Most new categories that are named.
const NAMED: usize = 3;
/// Windows that volume is compared with.
const WINDOWS: usize = 7;
/// Distances in standard deviations stop here: a reference of one value has none.
const MOST_DEVIATIONS: f64 = 1e6;

/// Compares a column with its reference.
///
/// # Errors
/// The two are of different kinds.
pub fn compare(reference: &ColumnProfile, current: &ColumnProfile, thresholds: &Thresholds) -> Result<ColumnDrift> {
    if reference.kind() != current.kind() {
        return Err(Error::invalid(format!(
            "{} statistics can't be compared with {} ones",
            current.kind().as_str(),
            reference.kind().as_str()
        ))
        .remedy("take a new baseline: the type of the feature changed"));
    }
    let mut measures = vec![null_share(reference, current, thresholds)];
    // The times of two windows differ because they are two windows.
    let timed = reference.kind() == super::super::ColumnKind::Time;
    let elements = reference.elements().zip(current.elements());
    let (reference, current) = elements.unwrap_or((reference, current));
    let sides = Sides { reference, current, thresholds };
    if let (Some(p), Some(q), false) = (reference.distribution(), current.distribution(), timed) {
        sides.numeric(&p, &q, &mut measures);
    }
    if let (Some(p), Some(q)) = (reference.categories(), current.categories()) {
        sides.categorical(&p, &q, &mut measures);
    }
    let level = measures.iter().map(|measure| measure.level).max().unwrap_or(Level::Few);
    Ok(ColumnDrift { measures, level })
}

/// Compares the rows of a window with the median of the last seven windows before it, newest last; none where these had none.
pub fn compare_volume(current_rows: u64, previous_windows: &[u64], thresholds: &Thresholds) -> Option<Measure> {
    let mut windows = previous_windows[previous_windows.len().saturating_sub(WINDOWS)..].to_vec();
    windows.sort_unstable();
    let middle = windows.len() / 2;
    let upper = *windows.get(middle)? as f64;
    let median = if windows.len() % 2 == 1 { upper } else { (windows[middle - 1] as f64 + upper) / 2.0 };
    if median == 0.0 {
        return None;
    }
    let missing = (1.0 - current_rows as f64 / median).max(0.0);
    let detail = format!("{current_rows} rows, {median} in the middle of the {} windows before", windows.len());
    Some(judge(Metric::Volume, missing, None, thresholds.volume, true).with_detail(detail))
}

fn judge(metric: Metric, value: f64, noise: Option<f64>, limits: Limits, enough: bool) -> Measure {
    let over = |limit: f64| value >= limit && value > 0.0 && noise.is_none_or(|noise| value > noise);
    let level = match () {
        () if !enough => Level::Few,
        () if over(limits.alert) => Level::Alert,
        () if over(limits.watch) => Level::Watch,
        () => Level::Ok,
    };
    let noise = noise.filter(|noise| noise.is_finite());
    Measure { metric, value, noise, watch: limits.watch, alert: limits.alert, level, detail: None }
}

impl Measure {
    fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// Standard deviation of the difference of two shares, were both samples of one.
fn share_deviation(p: f64, n: u64, q: f64, m: u64) -> f64 {
    let pooled = (p * n as f64 + q * m as f64) / (n as f64 + m as f64);
    (pooled * (1.0 - pooled) * inverse_sizes(n, m)).sqrt()
}

/// The share of nulls, and by how much it rose; a fall is no harm.
fn null_share(reference: &ColumnProfile, current: &ColumnProfile, thresholds: &Thresholds) -> Measure {
    let (n, m) = (reference.rows(), current.rows());
    let share = |nulls: u64, rows: u64| if rows == 0 { 0.0 } else { nulls as f64 / rows as f64 };
    let (p, q) = (share(reference.nulls(), n), share(current.nulls(), m));
    let enough = n.min(m) >= thresholds.min_rows.max(1);
    let noise = enough.then(|| TWO_SIDED_99 * share_deviation(p, n, q, m));
    let detail = format!("{:.2} % of the rows, {:.2} % in the reference", q * 100.0, p * 100.0);
    judge(Metric::NullShare, (q - p).max(0.0), noise, thresholds.null_share, enough).with_detail(detail)
}

struct Sides<'a> {
    reference: &'a ColumnProfile,
    current: &'a ColumnProfile,
    thresholds: &'a Thresholds,
}

impl Sides<'_> {
    fn enough(&self) -> bool {
        self.reference.values().min(self.current.values()) >= self.thresholds.min_rows.max(1)
    }

    /// Adds the bins that every kind has: nulls, and values that are no finite numbers; each only where there are any.
    fn with_rest(&self, (mut p, mut q): (Vec<u64>, Vec<u64>)) -> (Vec<u64>, Vec<u64>) {
        for count in [ColumnProfile::nulls, ColumnProfile::odd] {
            let counts = (count(self.reference), count(self.current));
            if counts.0 + counts.1 > 0 {
                p.push(counts.0);
                q.push(counts.1);
            }
        }
        (p, q)
    }

    fn numeric(&self, p: &Distribution, q: &Distribution, measures: &mut Vec<Measure>) {
        let (thresholds, enough) = (self.thresholds, self.enough());
        let distance = kolmogorov_smirnov(p, q);
        measures.push(judge(Metric::Ks, distance, Some(kolmogorov_smirnov_noise(p, q)), thresholds.ks, enough));

        // A sketch's error of a share is given with 99 %.
        let sketched = (p.share_error.powi(2) + q.share_error.powi(2)).sqrt() / TWO_SIDED_99;
        self.binned(&self.with_rest(decile_counts(p, q)), sketched, measures);

        let (Some((p_mean, p_deviation)), Some((q_mean, q_deviation))) =
            (self.reference.mean_and_deviation(), self.current.mean_and_deviation())
        else {
            return;
        };
        let detail = (p_deviation == 0.0).then(|| format!("the reference is always {p_mean}"));
        let deviations = |distance: f64| match distance {
            0.0 => 0.0,
            _ if p_deviation == 0.0 => MOST_DEVIATIONS,
            _ => (distance / p_deviation).min(MOST_DEVIATIONS),
        };
        let (n, m) = (p.total() as f64, q.total() as f64);
        let relative = deviations(q_deviation);
        let noise = TWO_SIDED_99 * (1.0 / n + relative.powi(2) / m).sqrt();
        let noise = Some(noise).filter(|_| p_deviation > 0.0);
        let shift = judge(Metric::MeanShift, deviations((q_mean - p_mean).abs()), noise, thresholds.mean_shift, enough);
        let moved = judge(Metric::Wasserstein, deviations(wasserstein(p, q)), noise, thresholds.wasserstein, enough);
        measures.extend([shift, moved].map(|measure| Measure { detail: detail.clone(), ..measure }));
    }

    /// Measures over bins: PSI, Jensen–Shannon and Hellinger. For small changes the last two follow from PSI: PSI/8
    /// nats and √(PSI/8), and so do their noises.
    fn binned(&self, (p, q): &(Vec<u64>, Vec<u64>), sketched: f64, measures: &mut Vec<Measure>) {
        let (thresholds, enough) = (self.thresholds, self.enough());
        let noise = population_stability_noise(p, q, sketched);
        measures.push(judge(Metric::Psi, population_stability(p, q), Some(noise), thresholds.psi, enough));
        if self.reference.categories().is_some() {
            let bits = noise / (8.0 * std::f64::consts::LN_2);
            measures.push(judge(Metric::JensenShannon, jensen_shannon(p, q), Some(bits), thresholds.jensen_shannon, enough));
        }
        measures.push(judge(Metric::Hellinger, hellinger(p, q), Some((noise / 8.0).sqrt()), thresholds.hellinger, enough));
    }

    fn categorical(&self, p: &Categories, q: &Categories, measures: &mut Vec<Measure>) {
        if p.total == 0 || q.total == 0 {
            return;
        }
        let top: Vec<String> = self.reference.top(CATEGORIES).into_iter().map(|top| top.value).collect();
        // Without a single frequent value on either side there are no categories: names, texts.
        if !top.is_empty() {
            self.binned(&self.with_rest((p.binned(&top), q.binned(&top))), 0.0, measures);
        }
        measures.extend(self.greatest_change(p, q));
        measures.extend(self.new_categories(p, q));
    }

    /// The category whose share changed most; from sketches their error is part of the noise.
    fn greatest_change(&self, p: &Categories, q: &Categories) -> Option<Measure> {
        let change = |name: &String| {
            let (a, b) = (p.share(name), q.share(name));
            ((b - a).abs(), name.clone(), a, b)
        };
        let names = p.counts.keys().chain(q.counts.keys().filter(|name| !p.counts.contains_key(*name)));
        let (value, name, a, b) = names.map(change).max_by(|x, y| x.0.total_cmp(&y.0).then_with(|| y.1.cmp(&x.1)))?;
        let slack = p.unknown as f64 / p.total as f64 + q.unknown as f64 / q.total as f64;
        // The greatest of many: 99 % of each would be too little for the hundredth.
        let deviations = TWO_SIDED_99 + (p.counts.len().max(q.counts.len()) as f64).ln().sqrt();
        let noise = deviations * share_deviation(a, p.total, b, q.total) + slack;
        let detail = format!("'{name}': {:.1} % of the values, {:.1} % in the reference", b * 100.0, a * 100.0);
        Some(judge(Metric::LInfinity, value, Some(noise), self.thresholds.l_infinity, self.enough()).with_detail(detail))
    }

    /// Share of values in categories that the reference doesn't have; none where the reference's aren't all known.
    ///
    /// A reference that saw many categories only once has missed others: as many rows as it has such are due to be new
    /// (Good and Turing).
    fn new_categories(&self, p: &Categories, q: &Categories) -> Option<Measure> {
        if p.unknown > 0 {
            return None;
        }
        let mut new: Vec<(&String, u64)> =
            q.counts.iter().filter(|(name, _)| !p.counts.contains_key(*name)).map(|(name, (low, _))| (name, *low)).collect();
        new.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let count: u64 = new.iter().map(|(_, count)| count).sum();
        let value = count as f64 / q.total as f64;
        let once = p.counts.values().filter(|(_, high)| *high == 1).count() as f64;
        let (n, m) = (p.total as f64, q.total as f64);
        // The rate of unseen ones, at most, and what a sample of m shows of it, at most: both as of Poisson counts.
        let rate = (once + TWO_SIDED_99 * (once + 1.0).sqrt() + 2.0) / n;
        let noise = rate + (TWO_SIDED_99 * (rate * m).sqrt() + 1.0) / m;
        let names: Vec<String> = new.iter().take(NAMED).map(|(name, _)| format!("'{name}'")).collect();
        let more = if new.len() > NAMED { format!(" and {} more", new.len() - NAMED) } else { String::new() };
        let measure = judge(Metric::NewCategories, value, Some(noise), self.thresholds.new_categories, self.enough());
        Some(if new.is_empty() { measure } else { measure.with_detail(names.join(", ") + &more) })
    }
}

impl Categories {
    /// Counts of some categories, and of all others together.
    fn binned(&self, names: &[String]) -> Vec<u64> {
        let middle = |name: &String| self.counts.get(name).map_or(0, |(low, high)| low.midpoint(*high));
        let mut counts: Vec<u64> = names.iter().map(middle).collect();
        counts.push(self.total.saturating_sub(counts.iter().sum()));
        counts
    }

    fn share(&self, name: &str) -> f64 {
        bounds_share(&self.counts, name, self.total)
    }
}

fn bounds_share(counts: &HashMap<String, (u64, u64)>, name: &str, total: u64) -> f64 {
    counts.get(name).map_or(0.0, |(low, high)| (*low as f64 + *high as f64) / 2.0 / total as f64)
}
