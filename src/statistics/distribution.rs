//! Distributions: values in ascending order with their weights, from exact counts or from a sketch alike.
//!
//! Quantiles, histograms and distances ask only this, so that each has one definition whatever the column's state.
//! Values are kept as integer keys that sort as the values do ([`Scale`]).

use super::figures::Value;
use super::kind::ColumnKind;
use crate::model::EventTime;

/// How keys stand for values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// The number itself.
    Integral,
    /// The bits of a finite double, turned so that they sort as integers.
    Fractional,
    /// Microseconds since 1970.
    Time,
}

/// The key of a finite double; −0 is 0.
pub(super) fn key_of_float(value: f64) -> i64 {
    let bits = (value + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// The inverse of [`key_of_float`].
pub(super) fn float_of_key(key: i64) -> f64 {
    f64::from_bits((key ^ (((key >> 63) as u64) >> 1) as i64) as u64)
}

impl Scale {
    /// The scale of a kind of single numbers; collections and text have none.
    pub(super) fn of(kind: ColumnKind) -> Option<Self> {
        match kind {
            ColumnKind::Integral => Some(Self::Integral),
            ColumnKind::Fractional => Some(Self::Fractional),
            ColumnKind::Time => Some(Self::Time),
            ColumnKind::Text | ColumnKind::Numbers | ColumnKind::Texts => None,
        }
    }

    /// The value as a double; past 2^53 the nearest one.
    pub(super) fn number(self, key: i64) -> f64 {
        match self {
            Self::Integral | Self::Time => key as f64,
            Self::Fractional => float_of_key(key),
        }
    }

    /// The greatest key whose value is no greater than `number`.
    pub(super) fn key_at_most(self, number: f64) -> i64 {
        match self {
            // The cast saturates.
            Self::Integral | Self::Time => number.floor() as i64,
            Self::Fractional => key_of_float(number),
        }
    }

    /// The least key whose value is no less than `number`.
    pub(super) fn key_at_least(self, number: f64) -> i64 {
        match self {
            Self::Integral | Self::Time => number.ceil() as i64,
            Self::Fractional => key_of_float(number),
        }
    }

    /// The value as people read it.
    pub(super) fn value(self, key: i64) -> Value {
        match self {
            Self::Integral => Value::Integer(key),
            Self::Fractional => Value::Number(float_of_key(key)),
            // Past year 9999 only the number is left to show.
            Self::Time => Value::Text(EventTime::from_unix_micros(key).map_or_else(|| key.to_string(), EventTime::to_iso8601)),
        }
    }
}

/// Values in order. Not empty.
#[derive(Debug, Clone)]
pub(super) struct Distribution {
    scale: Scale,
    /// Keys ascending, none twice, each with the number of values up to and with it.
    points: Vec<(i64, u64)>,
    total: u64,
    least: i64,
    greatest: i64,
    /// One-sided rank error with 99 %; 0 where every value was counted.
    pub(super) rank_error: f64,
    /// The same for the share between two values.
    pub(super) share_error: f64,
}

impl Distribution {
    /// From keys with weights in any order; none without weight.
    pub(super) fn new(scale: Scale, mut weighted: Vec<(i64, u64)>, bounds: (i64, i64), errors: (f64, f64)) -> Option<Self> {
        weighted.sort_unstable_by_key(|(key, _)| *key);
        let mut points: Vec<(i64, u64)> = Vec::with_capacity(weighted.len());
        let mut total = 0u64;
        for (key, weight) in weighted {
            total += weight;
            match points.last_mut() {
                Some(last) if last.0 == key => last.1 = total,
                _ => points.push((key, total)),
            }
        }
        (total > 0).then_some(Self {
            scale,
            points,
            total,
            least: bounds.0,
            greatest: bounds.1,
            rank_error: errors.0,
            share_error: errors.1,
        })
    }

    pub(super) fn scale(&self) -> Scale {
        self.scale
    }

    /// Number of values.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn is_exact(&self) -> bool {
        self.rank_error == 0.0
    }

    /// Keys with the number of values up to and with each.
    pub(super) fn points(&self) -> &[(i64, u64)] {
        &self.points
    }

    /// Smallest key of which at least the share `rank` of the values is no greater; the bounds at 0 and 1.
    pub(super) fn quantile(&self, rank: f64) -> i64 {
        if rank <= 0.0 {
            return self.least;
        }
        if rank >= 1.0 {
            return self.greatest;
        }
        // 0.55 · 100 is 55.00000000000001: the 56th value is not meant.
        let due = (rank * self.total as f64 - 1e-9).ceil().max(1.0) as u64;
        let place = self.points.partition_point(|(_, up_to)| *up_to < due);
        self.points.get(place).map_or(self.greatest, |(key, _)| *key)
    }

    /// Values no greater than the key.
    pub(super) fn count_at_most(&self, key: i64) -> u64 {
        let place = self.points.partition_point(|(point, _)| *point <= key);
        if place == 0 { 0 } else { self.points[place - 1].1 }
    }

    /// Values less than the key.
    pub(super) fn count_below(&self, key: i64) -> u64 {
        key.checked_sub(1).map_or(0, |below| self.count_at_most(below))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_sort_as_doubles(a: f64, b: f64) {
            prop_assume!(a.is_finite() && b.is_finite());
            prop_assert_eq!(a.partial_cmp(&b), Some(key_of_float(a).cmp(&key_of_float(b))));
            prop_assert_eq!(float_of_key(key_of_float(a)), a);
        }

        #[test]
        fn quantiles_are_those_of_the_sorted_values(mut values in prop::collection::vec(-9i64..9, 1..60), percent in 0u64..=100) {
            let weighted = values.iter().map(|value| (*value, 1)).collect();
            values.sort_unstable();
            let bounds = (values[0], values[values.len() - 1]);
            let Some(distribution) = Distribution::new(Scale::Integral, weighted, bounds, (0.0, 0.0)) else {
                return Err(TestCaseError::fail("no distribution"));
            };
            // In whole numbers: the place is ⌈percent · n / 100⌉, the first for none.
            let place = (percent * values.len() as u64).div_ceil(100).max(1) as usize;
            prop_assert_eq!(distribution.quantile(percent as f64 / 100.0), values[place - 1]);
            let at = values[values.len() / 2];
            prop_assert_eq!(distribution.count_at_most(at), values.iter().filter(|value| **value <= at).count() as u64);
            prop_assert_eq!(distribution.count_below(at), values.iter().filter(|value| **value < at).count() as u64);
        }
    }

    #[test]
    fn keys_of_whole_numbers_round_towards_the_inside() {
        assert_eq!((Scale::Integral.key_at_most(2.5), Scale::Integral.key_at_least(2.5)), (2, 3));
        assert_eq!(Scale::Integral.key_at_most(f64::INFINITY), i64::MAX);
        assert_eq!(Scale::Time.value(0), Value::Text("1970-01-01T00:00:00Z".into()));
    }
}
