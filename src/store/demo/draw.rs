//! Random numbers as a company's data has them: skewed, clustered, heavy-tailed.
//!
//! Two kinds. [`Draw`] is a seeded stream: what happened at one moment. [`trait_of`] is a pure function of seed,
//! entity and question: what someone *is*, the same in every group and at every time, so that groups agree with
//! each other without sharing a stream.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A seeded stream of draws.
pub(super) struct Draw(StdRng);

impl Draw {
    /// The stream of one purpose; streams of one seed don't depend on each other.
    pub(super) fn new(seed: u64, purpose: &str) -> Self {
        let purpose = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(StdRng::seed_from_u64(mix(seed ^ purpose)))
    }

    /// Evenly from 0 (included) to 1 (excluded).
    pub(super) fn unit(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// Evenly between two bounds.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number below a bound.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.0.random_range(0..bound.max(1))
    }

    /// True that often.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Bell curve.
    pub(super) fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        mean + deviation * bell(self.unit(), self.unit())
    }

    /// Money, volumes, durations: many small, few huge. `median` is the middle value, `spread` the deviation of its log.
    pub(super) fn log_normal(&mut self, median: f64, spread: f64) -> f64 {
        median * self.normal(0.0, spread).exp()
    }

    /// Waiting times with that mean.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Counts of rare events with that mean.
    pub(super) fn poisson(&mut self, mean: f64) -> i64 {
        if mean > 30.0 {
            return self.normal(mean, mean.sqrt()).round().max(0.0) as i64;
        }
        let limit = (-mean.max(0.0)).exp();
        let mut product = self.unit();
        let mut count = 0;
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// One of several, by weight.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[(T, f64)]) -> T {
        weighted(choices, self.unit())
    }

    /// A number from 1 to `count` of which the small ones come far more often, as active customers do.
    pub(super) fn skewed(&mut self, count: u32) -> u32 {
        1 + ((f64::from(count) * self.unit().powf(1.7)) as u32).min(count - 1)
    }
}

/// Answers a question about an entity, evenly from 0 to 1, always the same.
pub(super) fn trait_of(seed: u64, entity: u32, question: u64) -> f64 {
    let bits = mix(mix(seed ^ (question << 32)) ^ u64::from(entity));
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// The same on a bell curve around 0 with deviation 1.
pub(super) fn bell_trait(seed: u64, entity: u32, question: u64) -> f64 {
    bell(trait_of(seed, entity, question), trait_of(seed, entity, question ^ 0x5bd1_e995))
}

/// The choice at `at` (0–1) of the summed weights.
pub(super) fn weighted<T: Copy>(choices: &[(T, f64)], at: f64) -> T {
    let total: f64 = choices.iter().map(|(_, weight)| weight).sum();
    let mut left = at * total;
    for (choice, weight) in choices {
        left -= weight;
        if left < 0.0 {
            return *choice;
        }
    }
    choices[choices.len() - 1].0
}

/// Two even numbers become one of a bell curve (Box and Muller).
fn bell(one: f64, two: f64) -> f64 {
    (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * two).cos()
}

/// Scatters the bits of a number (splitmix64).
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Money: to the cent.
pub(super) fn cents(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Rates and scores: four digits.
pub(super) fn four_digits(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_shape_they_claim() {
        let mut draw = Draw::new(1, "test");
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let normal: Vec<f64> = (0..20_000).map(|_| draw.normal(5.0, 2.0)).collect();
        assert!((mean(&normal) - 5.0).abs() < 0.1);
        for expected in [0.3, 4.0, 80.0] {
            let counts: Vec<f64> = (0..20_000).map(|_| draw.poisson(expected) as f64).collect();
            assert!((mean(&counts) - expected).abs() < 0.05 * expected + 0.02, "{expected}");
        }
        let waits: Vec<f64> = (0..20_000).map(|_| draw.exponential(3.0)).collect();
        assert!((mean(&waits) - 3.0).abs() < 0.15);
        let numbers: Vec<u32> = (0..20_000).map(|_| draw.skewed(100)).collect();
        assert!(numbers.iter().all(|number| (1..=100).contains(number)));
        assert!(numbers.iter().filter(|number| **number <= 50).count() > 12_000);
    }

    #[test]
    fn traits_are_even_and_streams_are_independent() {
        let even: f64 = (0..10_000).map(|entity| trait_of(1, entity, 7)).sum::<f64>() / 10_000.0;
        assert!((even - 0.5).abs() < 0.01);
        assert_eq!(trait_of(1, 42, 7), trait_of(1, 42, 7));
        assert_ne!(trait_of(1, 42, 7), trait_of(2, 42, 7));
        assert_ne!(Draw::new(1, "a").unit(), Draw::new(1, "b").unit());
        assert_eq!(weighted(&[("a", 1.0), ("b", 3.0)], 0.2), "a");
        assert_eq!(weighted(&[("a", 1.0), ("b", 3.0)], 0.999_999_999), "b");
    }
}
