//! Histograms: cut from a distribution when they are looked at, to the width of the pane.
//!
//! None is stored, so none is in the way of a merge; two that lie over each other share one list of edges.

use serde::{Deserialize, Serialize};

use super::distribution::Distribution;
use super::figures::Value;

/// Up to so many distinct values each has a bar of its own.
const VALUE_BARS: usize = 20;
/// Fewest and most bins that are chosen.
const BINS: (usize, usize) = (5, 60);
/// Most bins that may be asked for.
const MOST_BINS: usize = 1_000;

/// How a histogram is cut.
#[derive(Debug, Clone, PartialEq)]
pub enum HistogramBins {
    /// One bar for each value up to 20 distinct ones, else as many equal widths as Freedman and Diaconis ask for, 5 to 60.
    Auto,
    /// So many equal widths, at most 1,000.
    Count(usize),
    /// Between these edges, ascending: for two histograms that lie over each other.
    Edges(Vec<f64>),
}

/// A histogram of a column of numbers, or of times in microseconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Edges of the bins, one more than counts; a bin holds its lower edge, the last one both. Empty where bars are values.
    pub edges: Vec<f64>,
    /// The value of each bar, where each bar is one value; else empty.
    pub values: Vec<Value>,
    /// Values in each bin, or of each value.
    pub counts: Vec<u64>,
    /// Values below the first edge.
    pub underflow: u64,
    /// Values above the last edge.
    pub overflow: u64,
    /// True where a logarithmic axis shows more: all values above zero, the 99th percentile over 50 medians.
    pub logarithmic: bool,
    /// Most that the share of a bin may be off by, with 99 % confidence; 0 where counts are exact.
    pub error: f64,
}

/// Cuts a histogram; none between edges that aren't finite and ascending.
pub(super) fn cut(distribution: &Distribution, bins: HistogramBins) -> Option<Histogram> {
    let edges = match bins {
        HistogramBins::Auto if distribution.is_exact() && distribution.points().len() <= VALUE_BARS => return Some(bars(distribution)),
        HistogramBins::Auto => equal_widths(range(distribution), bin_count(distribution)),
        HistogramBins::Count(count) => equal_widths(range(distribution), count.clamp(1, MOST_BINS)),
        HistogramBins::Edges(edges) => edges,
    };
    let ascending = edges.windows(2).all(|pair| pair[0] < pair[1]);
    // One value has one bin of no width.
    let single = edges.len() == 2 && edges[0] == edges[1];
    (edges.len() >= 2 && (ascending || single) && edges.iter().all(|edge| edge.is_finite())).then(|| between(distribution, edges))
}

/// Edges that suit two distributions: over the range of both, in as many bins as the one that needs more.
pub(super) fn shared_edges(a: &Distribution, b: &Distribution, bins: HistogramBins) -> Option<Vec<f64>> {
    let ((a_low, a_high), (b_low, b_high)) = (range(a), range(b));
    let count = match bins {
        HistogramBins::Edges(edges) => return Some(edges),
        HistogramBins::Count(count) => count.clamp(1, MOST_BINS),
        HistogramBins::Auto => bin_count(a).max(bin_count(b)),
    };
    (a.scale() == b.scale()).then(|| equal_widths((a_low.min(b_low), a_high.max(b_high)), count))
}

/// Counts in so many equal widths, what lies outside in the outer ones.
pub(super) fn spark(distribution: &Distribution, cells: usize) -> Vec<u64> {
    let Some(histogram) = cut(distribution, HistogramBins::Count(cells)) else { return Vec::new() };
    let mut counts = histogram.counts;
    if let Some(first) = counts.first_mut() {
        *first += histogram.underflow;
    }
    if let Some(last) = counts.last_mut() {
        *last += histogram.overflow;
    }
    counts
}

fn bars(distribution: &Distribution) -> Histogram {
    let mut before = 0;
    let mut counts = Vec::new();
    for (_, up_to) in distribution.points() {
        counts.push(up_to - before);
        before = *up_to;
    }
    let values = distribution.points().iter().map(|(key, _)| distribution.scale().value(*key)).collect();
    let logarithmic = is_logarithmic(distribution);
    Histogram { edges: Vec::new(), values, counts, underflow: 0, overflow: 0, logarithmic, error: 0.0 }
}

fn between(distribution: &Distribution, edges: Vec<f64>) -> Histogram {
    let scale = distribution.scale();
    let below: Vec<u64> = edges.iter().map(|edge| distribution.count_below(scale.key_at_least(*edge))).collect();
    let up_to_last = edges.last().map_or(0, |edge| distribution.count_at_most(scale.key_at_most(*edge)));
    let last_bin = edges.len() - 2;
    let counts = (0..=last_bin).map(|bin| (if bin == last_bin { up_to_last } else { below[bin + 1] }).saturating_sub(below[bin])).collect();
    Histogram {
        counts,
        underflow: below[0],
        overflow: distribution.total() - up_to_last,
        values: Vec::new(),
        logarithmic: is_logarithmic(distribution),
        error: distribution.share_error,
        edges,
    }
}

fn at(distribution: &Distribution, rank: f64) -> f64 {
    distribution.scale().number(distribution.quantile(rank))
}

fn is_logarithmic(distribution: &Distribution) -> bool {
    at(distribution, 0.0) > 0.0 && at(distribution, 0.99) > 50.0 * at(distribution, 0.5)
}

/// The range that bins cover: all, unless the middle 99 % lie in less than a fifth of it.
fn range(distribution: &Distribution) -> (f64, f64) {
    let (least, greatest) = (at(distribution, 0.0), at(distribution, 1.0));
    let (low, high) = (at(distribution, 0.005), at(distribution, 0.995));
    // Halves, because the range of doubles is wider than a double.
    let narrow = high / 2.0 - low / 2.0 < 0.2 * (greatest / 2.0 - least / 2.0);
    if narrow && low < high { (low, high) } else { (least, greatest) }
}

/// Bins of width 2·IQR·n^(−1/3) (Freedman and Diaconis), ⌈log₂ n⌉ + 1 (Sturges) where half the values are one.
fn bin_count(distribution: &Distribution) -> usize {
    let (low, high) = range(distribution);
    let n = distribution.total() as f64;
    let quartiles = at(distribution, 0.75) / 2.0 - at(distribution, 0.25) / 2.0;
    let count = if quartiles > 0.0 { ((high / 2.0 - low / 2.0) / (2.0 * quartiles) * n.cbrt()).ceil() } else { n.log2().ceil() + 1.0 };
    // A cast of what is past the limit saturates.
    (count as usize).clamp(BINS.0, BINS.1)
}

fn equal_widths((low, high): (f64, f64), count: usize) -> Vec<f64> {
    let place = |edge: usize| {
        let share = edge as f64 / count as f64;
        // Not low + share·(high − low), which may be infinite; rounding must not step past the bounds.
        if edge == count { high } else { (low * (1.0 - share) + high * share).clamp(low, high) }
    };
    let mut edges: Vec<f64> = (0..=count).map(place).collect();
    // Where doubles are too coarse for so many bins there are fewer.
    edges.sort_unstable_by(f64::total_cmp);
    edges.dedup();
    if edges.len() == 1 {
        edges.push(high);
    }
    edges
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::super::distribution::{Scale, key_of_float};
    use super::*;

    fn of(values: &[f64]) -> Distribution {
        let keys: Vec<(i64, u64)> = values.iter().map(|value| (key_of_float(*value), 1)).collect();
        let bounds = (keys.iter().map(|key| key.0).min().unwrap(), keys.iter().map(|key| key.0).max().unwrap());
        Distribution::new(Scale::Fractional, keys, bounds, (0.0, 0.0)).unwrap()
    }

    proptest! {
        #[test]
        fn counts_what_lies_between_edges(values in prop::collection::vec(prop_oneof![-3.0..3.0f64, (-3i32..3).prop_map(f64::from)], 1..80), count in 1usize..9) {
            let distribution = of(&values);
            for bins in [HistogramBins::Count(count), HistogramBins::Edges(vec![-2.0, -0.5, 0.0, 2.0])] {
                let histogram = cut(&distribution, bins).unwrap();
                let edges = &histogram.edges;
                let last = edges.len() - 2;
                for (bin, found) in histogram.counts.iter().enumerate() {
                    let inside = |value: &&f64| **value >= edges[bin] && (**value < edges[bin + 1] || (bin == last && **value == edges[bin + 1]));
                    prop_assert_eq!(*found, values.iter().filter(inside).count() as u64);
                }
                prop_assert_eq!(histogram.underflow, values.iter().filter(|value| **value < edges[0]).count() as u64);
                prop_assert_eq!(histogram.overflow, values.iter().filter(|value| **value > edges[last + 1]).count() as u64);
            }
            prop_assert_eq!(spark(&distribution, 8).iter().sum::<u64>(), values.len() as u64);
        }
    }

    #[test]
    fn few_values_have_bars_of_their_own() {
        let histogram = cut(&of(&[2.0, 1.0, 2.0, 5.0]), HistogramBins::Auto).unwrap();
        assert_eq!(histogram.values, [Value::Number(1.0), Value::Number(2.0), Value::Number(5.0)]);
        assert_eq!(histogram.counts, [1, 2, 1]);
        assert!(histogram.edges.is_empty());
    }

    #[test]
    fn bins_follow_freedman_and_diaconis() {
        // 1,000 values 0…999: IQR 500, so the width is 2·500/10 = 100 of a range of 999.
        let histogram = cut(&of(&(0..1000).map(f64::from).collect::<Vec<_>>()), HistogramBins::Auto).unwrap();
        assert_eq!(histogram.counts.len(), 10);
        assert_eq!((histogram.edges[0], histogram.edges[10]), (0.0, 999.0));
    }

    #[test]
    fn far_outliers_overflow() {
        let mut values: Vec<f64> = (0..1000).map(f64::from).collect();
        values.extend([1e6, -1e6]);
        let histogram = cut(&of(&values), HistogramBins::Auto).unwrap();
        assert!(histogram.edges[0] >= 0.0 && histogram.edges[histogram.edges.len() - 1] <= 1000.0);
        let outside = histogram.underflow + histogram.overflow;
        assert!((2..=12).contains(&outside), "{outside}");
        assert_eq!(histogram.counts.iter().sum::<u64>() + outside, 1002);
    }

    #[test]
    fn the_ends_of_doubles_have_finite_edges() {
        let histogram = cut(&of(&[f64::MAX, -f64::MAX, 0.0]), HistogramBins::Count(4)).unwrap();
        assert!(histogram.edges.iter().all(|edge| edge.is_finite()));
        assert_eq!(histogram.counts, [1, 0, 1, 1]);
        let one = cut(&of(&[7.0; 9]), HistogramBins::Count(8)).unwrap();
        assert_eq!((one.edges, one.counts), (vec![7.0, 7.0], vec![9]));
    }

    #[test]
    fn bad_edges_give_no_histogram() {
        for edges in [vec![], vec![1.0], vec![2.0, 1.0], vec![0.0, f64::NAN], vec![0.0, f64::INFINITY]] {
            assert_eq!(cut(&of(&[1.0]), HistogramBins::Edges(edges)), None);
        }
    }

    #[test]
    fn a_long_tail_asks_for_a_logarithm() {
        let tail: Vec<f64> = (0..1000).map(|i| 10f64.powf(f64::from(i) / 200.0)).collect();
        assert!(cut(&of(&tail), HistogramBins::Auto).unwrap().logarithmic);
        assert!(!cut(&of(&[1.0, 2.0]), HistogramBins::Auto).unwrap().logarithmic);
    }
}
