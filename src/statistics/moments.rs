//! Moments: exact sums of values and of their squares, and from them mean and standard deviation.
//!
//! The sums are whole numbers ([`super::wide`]), so any split and any order of merging gives the same bits, and the
//! deviation of identifiers around 10^15 is as right as that of shares: `n·Σx² − (Σx)²` cancels only when rounded.
//! Doubles are added by exponent: all values of one exponent go into one pair of 128-bit integers, which costs two or
//! three instructions a value, and the pairs into the wide sums once a batch.

use super::wide::{Wide, difference, load_exponent, product, quotient, scaled};

/// Limbs of a sum of up to 2^64 doubles: 2,098 bits of a double's range, 64 of the count, and the sign.
const SUM_LIMBS: usize = 36;
/// The same for squares, which have twice the range.
const SQUARE_LIMBS: usize = 70;
/// Exponent of the unit that every double is a whole number of.
const DOUBLE_UNIT: i32 = -1074;
/// A square has 106 bits, so so many fit 128.
const MOST_AT_ONCE: usize = 1 << 20;
/// Fewer values are not worth the bins.
const FEWEST_IN_BINS: usize = 64;

/// Exact sums of numbers and of their squares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moments {
    sum: Wide,
    squares: Wide,
    /// Exponent of the sum's unit; that of the squares is twice as low.
    unit: i32,
}

/// Sums of the values of one exponent.
#[derive(Clone, Copy, Default)]
struct Bin {
    sum: i128,
    squares: u128,
}

/// Significand and biased exponent of a finite double: it is `significand · 2^(exponent − 1 − 1074)`.
fn parts(value: f64) -> (u64, u32) {
    let bits = value.to_bits();
    let exponent = (bits >> 52) as u32 & 0x7ff;
    let fraction = bits & ((1 << 52) - 1);
    if exponent == 0 { (fraction, 1) } else { (fraction | (1 << 52), exponent) }
}

impl Moments {
    /// Sums of whole numbers.
    pub(super) fn integral() -> Self {
        Self { sum: Wide::new(3), squares: Wide::new(4), unit: 0 }
    }

    /// Sums of doubles.
    pub(super) fn fractional() -> Self {
        Self { sum: Wide::new(SUM_LIMBS), squares: Wide::new(SQUARE_LIMBS), unit: DOUBLE_UNIT }
    }

    /// Adds whole numbers to integral sums.
    pub(super) fn add_integers(&mut self, values: &[i64]) {
        let (mut sum, mut low, mut high) = (0i128, 0u128, 0u64);
        for value in values {
            sum += i128::from(*value);
            let magnitude = u128::from(value.unsigned_abs());
            let (added, over) = low.overflowing_add(magnitude * magnitude);
            low = added;
            high += u64::from(over);
        }
        self.sum.add(sum.unsigned_abs(), 0, sum < 0);
        self.squares.add(low, 0, false);
        self.squares.add(u128::from(high), 128, false);
    }

    /// Adds a whole number `count` times.
    pub(super) fn add_integer(&mut self, value: i64, count: u64) {
        self.add_product(value.unsigned_abs(), 0, value < 0, count);
    }

    /// Adds finite doubles to fractional sums.
    pub(super) fn add_floats(&mut self, values: &[f64]) {
        for chunk in values.chunks(MOST_AT_ONCE) {
            if chunk.len() < FEWEST_IN_BINS {
                chunk.iter().for_each(|value| self.add_float(*value, 1));
            } else {
                self.add_in_bins(chunk);
            }
        }
    }

    fn add_in_bins(&mut self, values: &[f64]) {
        let (mut lowest, mut highest) = (u32::MAX, 0);
        for value in values {
            // Zeros would stretch the range down to the smallest doubles, and add nothing.
            let exponent = parts(*value).1;
            lowest = lowest.min(if *value == 0.0 { u32::MAX } else { exponent });
            highest = highest.max(if *value == 0.0 { 0 } else { exponent });
        }
        if highest == 0 {
            return;
        }
        let mut bins = vec![Bin::default(); (highest - lowest + 1) as usize];
        for value in values {
            let (significand, exponent) = parts(*value);
            if significand == 0 {
                continue;
            }
            let sign = (value.to_bits() as i64) >> 63;
            let signed = (significand as i64 ^ sign) - sign;
            if let Some(bin) = bins.get_mut((exponent - lowest) as usize) {
                bin.sum += i128::from(signed);
                bin.squares += u128::from(significand) * u128::from(significand);
            }
        }
        for (exponent, bin) in (lowest..).zip(&bins) {
            if bin.squares > 0 {
                self.sum.add(bin.sum.unsigned_abs(), exponent - 1, bin.sum < 0);
                self.squares.add(bin.squares, 2 * (exponent - 1), false);
            }
        }
    }

    /// Adds a finite double `count` times.
    pub(super) fn add_float(&mut self, value: f64, count: u64) {
        let (significand, exponent) = parts(value);
        self.add_product(significand, exponent - 1, value < 0.0, count);
    }

    fn add_product(&mut self, magnitude: u64, shift: u32, negative: bool, count: u64) {
        self.sum.add(u128::from(magnitude) * u128::from(count), shift, negative);
        let square = u128::from(magnitude) * u128::from(magnitude);
        self.squares.add(u128::from(square as u64) * u128::from(count), 2 * shift, false);
        self.squares.add((square >> 64) * u128::from(count), 2 * shift + 64, false);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.sum.merge(&other.sum);
        self.squares.merge(&other.squares);
    }

    /// Mean of `n` values, correctly rounded; none without any.
    pub(super) fn mean(&self, n: u64) -> Option<f64> {
        if n == 0 {
            return None;
        }
        // 128 bits below the point, more than any rounding needs.
        let mut magnitude = vec![0, 0];
        magnitude.extend(self.sum.magnitude());
        let (top, exponent) = scaled(&quotient(&magnitude, n));
        let mean = load_exponent(top as f64, exponent - 128 + self.unit);
        Some(if self.sum.is_negative() { -mean } else { mean }).filter(|mean| mean.is_finite())
    }

    /// Sample standard deviation (n − 1) of `n` values; none below two, or where it is past the range of doubles.
    pub(super) fn deviation(&self, n: u64) -> Option<f64> {
        if n < 2 {
            return None;
        }
        let sum = self.sum.magnitude();
        // n·Σx² is never below (Σx)²: the sums are exact.
        let spread = difference(&product(&self.squares.magnitude(), &[n]), &product(&sum, &sum));
        let (top, exponent) = scaled(&spread);
        let pairs = u128::from(n) * u128::from(n - 1);
        let (mut variance, mut exponent) = (top as f64 / pairs as f64, exponent + 2 * self.unit);
        if exponent % 2 != 0 {
            variance *= 2.0;
            exponent -= 1;
        }
        Some(load_exponent(variance.sqrt(), exponent / 2)).filter(|deviation| deviation.is_finite())
    }

    /// The sum of whole numbers, exactly: 2^48 of them stay within 111 bits.
    pub(super) fn integral_sum(&self) -> i128 {
        let magnitude = self.sum.magnitude();
        let limb = |place: usize| i128::from(magnitude.get(place).copied().unwrap_or(0));
        let value = limb(0) | (limb(1) << 64);
        if self.sum.is_negative() { -value } else { value }
    }

    /// Both sums, for storing.
    pub(super) fn sums(&self) -> [&Wide; 2] {
        [&self.sum, &self.squares]
    }

    /// Limbs of both sums of the kind this is.
    pub(super) fn limbs(&self) -> [usize; 2] {
        if self.unit == 0 { [3, 4] } else { [SUM_LIMBS, SQUARE_LIMBS] }
    }

    /// Puts stored sums in; false where squares are below zero.
    pub(super) fn restore(&mut self, sum: Wide, squares: Wide) -> bool {
        let right = !squares.is_negative();
        self.sum = sum;
        self.squares = squares;
        right
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> Moments {
        let mut moments = Moments::fractional();
        moments.add_floats(values);
        moments
    }

    /// Two passes, the textbook way.
    fn two_passes(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
    }

    #[test]
    fn keeps_what_cancels() {
        // Around 10^15 a double has eighths left; the textbook formula gives nonsense, or the root of a negative number.
        let values: Vec<f64> = (0..1000).map(|i| 1e15 + f64::from(i % 4)).collect();
        let moments = of(&values);
        assert_eq!(moments.mean(1000), Some(1e15 + 1.5));
        // Variance of 0, 1, 2, 3 in equal parts is 5/4, by n − 1: 1250/999.
        assert!((moments.deviation(1000).unwrap() - (1250.0f64 / 999.0).sqrt()).abs() < 1e-15);
        let swamped = of(&[1e300, 1.0, -1e300, 1.0]);
        assert_eq!(swamped.mean(4), Some(0.5));
    }

    #[test]
    fn reaches_both_ends_of_doubles() {
        let least = f64::from_bits(1);
        assert_eq!(of(&[least, least]).mean(2), Some(least));
        assert_eq!(of(&[least, least]).deviation(2), Some(0.0));
        let most = of(&[f64::MAX, f64::MAX]);
        assert_eq!(most.mean(2), Some(f64::MAX));
        assert_eq!(most.deviation(2), Some(0.0));
        // √2 · the greatest double is none.
        assert_eq!(of(&[f64::MAX, -f64::MAX]).deviation(2), None);
        assert_eq!(of(&[0.0; 100]).mean(100), Some(0.0));
    }

    #[test]
    fn whole_numbers_keep_every_digit() {
        let mut moments = Moments::integral();
        moments.add_integers(&[i64::MAX, i64::MAX, i64::MAX, i64::MIN, i64::MIN, i64::MIN]);
        assert_eq!(moments.integral_sum(), -3);
        assert_eq!(moments.mean(6), Some(-0.5));
        // All are 2^63 from zero but for a half.
        assert!((moments.deviation(6).unwrap() / 2f64.powi(63) - 1.2f64.sqrt()).abs() < 1e-15);
        let mut weighted = Moments::integral();
        weighted.add_integer(i64::MAX, 3);
        weighted.add_integer(i64::MIN, 3);
        assert_eq!(weighted, moments);
    }

    fn doubles() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>().prop_filter("finite", |value| value.is_finite()),
            -1e3..1e3f64,
            Just(0.0),
            Just(-0.0),
            (0u32..9).prop_map(f64::from)
        ]
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_bits(values in prop::collection::vec(doubles(), 0..300), cut in 0usize..300) {
            let whole = of(&values);
            let cut = cut.min(values.len());
            let mut parts = of(&values[cut..]);
            for value in values[..cut].iter().rev() {
                parts.add_float(*value, 1);
            }
            prop_assert_eq!(parts, whole);
        }

        #[test]
        fn agrees_with_two_passes(values in prop::collection::vec(-1e6..1e6f64, 2..200)) {
            let (mean, deviation) = two_passes(&values);
            let moments = of(&values);
            let n = values.len() as u64;
            prop_assert!((moments.mean(n).unwrap() - mean).abs() <= 1e-9);
            prop_assert!((moments.deviation(n).unwrap() - deviation).abs() <= 1e-9 * deviation.max(1.0));
        }
    }
}
