//! Distances between two samples, over shares of the same bins or over whole distributions.
//!
//! With p the reference's shares and q the current ones: PSI = Σ (q−p)·ln(q/p); Jensen–Shannon = ½KL(p‖m) + ½KL(q‖m)
//! with m = (p+q)/2, in bits; Hellinger = √(1 − Σ √(p·q)). Empty bins get half a count on both sides, so that all stay
//! finite and a distance to oneself is 0. Every noise floor is a 99 % quantile under no change.

use crate::statistics::distribution::Distribution;

/// 99 % quantiles of χ² with 1 to 24 degrees of freedom.
const CHI_SQUARED_99: [f64; 24] = [
    6.635, 9.210, 11.345, 13.277, 15.086, 16.812, 18.475, 20.090, 21.666, 23.209, 24.725, 26.217, 27.688, 29.141, 30.578, 32.000, 33.409,
    34.805, 36.191, 37.566, 38.932, 40.289, 41.638, 42.980,
];
/// c(0.01) of the two-sample Kolmogorov–Smirnov test.
const KOLMOGOROV_99: f64 = 1.628;
/// Standard deviations that 99 % lie within.
pub(super) const TWO_SIDED_99: f64 = 2.576;
/// Points at which quantile functions are compared.
const GRID: u32 = 99;

/// Shares of counts, half a count more in each bin.
fn shares(counts: &[u64]) -> Vec<f64> {
    let total = counts.iter().sum::<u64>() as f64 + counts.len() as f64 / 2.0;
    counts.iter().map(|count| (*count as f64 + 0.5) / total).collect()
}

/// Population stability index of two samples over the same bins, in nats.
pub(super) fn population_stability(reference: &[u64], current: &[u64]) -> f64 {
    shares(reference).iter().zip(shares(current)).map(|(p, q)| (q - p) * (q / p).ln()).sum()
}

/// What PSI stays below with 99 % under no change: (1/n + 1/m)·χ²(bins − 1), after Yurdakul and Naranjo; sketches whose
/// shares of bins deviate by `sketch_deviation` add their own.
pub(super) fn population_stability_noise(reference: &[u64], current: &[u64], sketch_deviation: f64) -> f64 {
    let bins = reference.len();
    let chi_squared = match bins.checked_sub(2) {
        None => return 0.0,
        Some(place) => CHI_SQUARED_99[place.min(CHI_SQUARED_99.len() - 1)],
    };
    let sampled = chi_squared * inverse_sizes(reference.iter().sum(), current.iter().sum());
    sampled + (bins as f64 * sketch_deviation).powi(2)
}

/// 1/n + 1/m; infinite without rows.
pub(super) fn inverse_sizes(n: u64, m: u64) -> f64 {
    1.0 / n as f64 + 1.0 / m as f64
}

/// Jensen–Shannon divergence in bits, 0 to 1.
pub(super) fn jensen_shannon(reference: &[u64], current: &[u64]) -> f64 {
    let half = |p: f64, middle: f64| 0.5 * p * (p / middle).log2();
    let sum: f64 = shares(reference)
        .iter()
        .zip(shares(current))
        .map(|(p, q)| {
            let middle = (p + q) / 2.0;
            half(*p, middle) + half(q, middle)
        })
        .sum();
    sum.clamp(0.0, 1.0)
}

/// Hellinger distance, 0 to 1.
pub(super) fn hellinger(reference: &[u64], current: &[u64]) -> f64 {
    // 1 − Σ √(pq) is half of Σ (√p − √q)², which is 0 to the last digit for equal shares.
    let squares: f64 = shares(reference).iter().zip(shares(current)).map(|(p, q)| (p.sqrt() - q.sqrt()).powi(2)).sum();
    (squares / 2.0).sqrt().min(1.0)
}

/// Kolmogorov–Smirnov D: the greatest difference of the two cumulative shares. Less than both sketches' errors is 0.
pub(super) fn kolmogorov_smirnov(reference: &Distribution, current: &Distribution) -> f64 {
    let (n, m) = (reference.total() as f64, current.total() as f64);
    let (mut places, mut counts, mut greatest) = ((0, 0), (0, 0), 0.0f64);
    let (a, b) = (reference.points(), current.points());
    // Both point lists ascend: one walk along their union.
    while let Some(key) = [a.get(places.0), b.get(places.1)].into_iter().flatten().map(|(key, _)| *key).min() {
        if let Some((_, up_to)) = a.get(places.0).filter(|(point, _)| *point == key) {
            (places.0, counts.0) = (places.0 + 1, *up_to);
        }
        if let Some((_, up_to)) = b.get(places.1).filter(|(point, _)| *point == key) {
            (places.1, counts.1) = (places.1 + 1, *up_to);
        }
        greatest = greatest.max((counts.0 as f64 / n - counts.1 as f64 / m).abs());
    }
    if greatest < reference.rank_error + current.rank_error { 0.0 } else { greatest }
}

/// What D stays below with 99 % under no change: 1.628·√(1/n + 1/m), and the sketches' errors.
pub(super) fn kolmogorov_smirnov_noise(reference: &Distribution, current: &Distribution) -> f64 {
    KOLMOGOROV_99 * inverse_sizes(reference.total(), current.total()).sqrt() + reference.rank_error + current.rank_error
}

/// Wasserstein distance: mean distance of the quantiles at 1, 2, … 99 percent.
pub(super) fn wasserstein(reference: &Distribution, current: &Distribution) -> f64 {
    let at = |distribution: &Distribution, percent: u32| distribution.scale().number(distribution.quantile(f64::from(percent) / 100.0));
    (1..=GRID).map(|percent| (at(reference, percent) - at(current, percent)).abs() / f64::from(GRID)).sum()
}

/// Counts of both in ten bins of equal mass of the reference, open at both ends; equal edges are one.
pub(super) fn decile_counts(reference: &Distribution, current: &Distribution) -> (Vec<u64>, Vec<u64>) {
    let mut edges: Vec<i64> = (1..10).map(|tenth| reference.quantile(f64::from(tenth) / 10.0)).collect();
    edges.dedup();
    let counts = |distribution: &Distribution| {
        let mut before = 0;
        let mut counts = Vec::with_capacity(edges.len() + 1);
        for edge in &edges {
            let up_to = distribution.count_at_most(*edge);
            counts.push(up_to - before);
            before = up_to;
        }
        counts.push(distribution.total() - before);
        counts
    };
    (counts(reference), counts(current))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::statistics::distribution::Scale;

    fn of(values: &[i64]) -> Distribution {
        let bounds = (*values.iter().min().unwrap(), *values.iter().max().unwrap());
        Distribution::new(Scale::Integral, values.iter().map(|value| (*value, 1)).collect(), bounds, (0.0, 0.0)).unwrap()
    }

    #[test]
    fn agrees_with_hand_computation() {
        // Half a count more each: shares 3/4, 1/4 against 1/4, 3/4. PSI is ½·ln 3 twice.
        let (p, q) = ([7, 2], [2, 7]);
        assert!((population_stability(&p, &q) - 3f64.ln()).abs() < 1e-12);
        // ½·(¾·log₂ 1.5 + ¼·log₂ ½)·2
        let bits = 0.75 * 1.5f64.log2() - 0.25;
        assert!((jensen_shannon(&p, &q) - bits).abs() < 1e-12);
        assert!((hellinger(&p, &q) - (1.0 - 2.0 * (3f64 / 16.0).sqrt()).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn quantile_functions_a_shift_apart_are_that_far_apart() {
        let reference: Vec<i64> = (0..1000).collect();
        let current: Vec<i64> = reference.iter().map(|value| value + 250).collect();
        assert_eq!(wasserstein(&of(&reference), &of(&current)).round(), 250.0);
        assert!((kolmogorov_smirnov(&of(&reference), &of(&current)) - 0.25).abs() < 1e-12);
        let (p, q) = decile_counts(&of(&reference), &of(&current));
        assert_eq!(p, [100; 10]);
        assert_eq!(q.iter().sum::<u64>(), 1000);
        assert_eq!((q[0], q[1], q[9]), (0, 0, 350));
    }

    #[test]
    fn ties_collapse_bins() {
        let mut values = vec![0; 90];
        values.extend(1..=10);
        let (p, q) = decile_counts(&of(&values), &of(&[0, 5, 20]));
        assert_eq!((p, q), (vec![90, 10], vec![1, 2]));
    }

    proptest! {
        #[test]
        fn distances_are_symmetric_finite_and_nought_to_oneself(pairs in prop::collection::vec((0u64..50, 0u64..50), 2..12)) {
            let (p, q): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
            for distance in [population_stability, jensen_shannon, hellinger] {
                prop_assert_eq!(distance(&p, &p), 0.0);
                let there = distance(&p, &q);
                prop_assert!(there.is_finite() && there >= 0.0);
                prop_assert!((there - distance(&q, &p)).abs() < 1e-12);
            }
        }

        #[test]
        fn ks_is_the_greatest_gap_at_any_value(a in prop::collection::vec(-6i64..6, 1..40), b in prop::collection::vec(-6i64..6, 1..40)) {
            let share = |values: &[i64], at: i64| values.iter().filter(|value| **value <= at).count() as f64 / values.len() as f64;
            let slow = (-6..6).map(|at| (share(&a, at) - share(&b, at)).abs()).fold(0.0, f64::max);
            prop_assert!((kolmogorov_smirnov(&of(&a), &of(&b)) - slow).abs() < 1e-12);
            prop_assert_eq!(kolmogorov_smirnov(&of(&a), &of(&a)), 0.0);
        }
    }
}
