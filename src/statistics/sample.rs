//! Samples of records: the same records in every feature, so that two features can be compared row by row.
//!
//! A sample keeps the values of the 1,024 records whose identifiers hash lowest. Features of one entity keep the same
//! records wherever their files lie (a coordinated bottom-k sample), so two samples have about a thousand records in
//! common without any join, and the share of equal values among these is known to 1.6 points (one standard error).
//! Equal distributions may be unrelated; equal values of the same records are not.
//!
//! Stored form, version 1 ([`super::codec`]): a length, then per record its hash, the value's hash, and the value's
//! number as a double (NaN for none). Values lie in it as numbers or hashes, never as text.

use std::collections::BTreeMap;

use arrow::array::Array;
use serde::{Deserialize, Serialize};

use super::cells::{Cell, cells};
use super::codec::{Reader, Writer, corrupt};
use crate::model::{Error, Result};

const MAGIC: [u8; 4] = *b"LCS\n";
const VERSION: u8 = 1;
/// Records that are kept.
const RECORDS: usize = 1024;
/// Numbers that differ by less than this share of the greater are the same after scaling.
const SAME: f64 = 1e-9;
/// Fewer pairs say nothing about a ratio or a correlation.
const FEWEST_PAIRS: usize = 3;

/// Values of the records whose identifiers hash lowest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CoordinatedSample {
    /// Hash of the identifier, and the record's value.
    records: BTreeMap<u64, Cell>,
}

/// How two features agree on the records they share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Records in both samples, with a value in both.
    pub common: usize,
    /// Share of them with equal values; 0 without any.
    pub equal_share: f64,
    /// The ratio of second to first value in the middle of all ratios, and the share of values that it makes equal:
    /// cents and euros. None where values aren't numbers, where one side is constant, or where the ratio is 1.
    pub scaled_equal: Option<(f64, f64)>,
    /// Spearman's rank correlation; none where values aren't numbers or one side is constant.
    pub spearman: Option<f64>,
}

impl CoordinatedSample {
    /// The sample of no records.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of records in it.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True without records.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Adds records; of one that comes twice the later value counts. Rows without identifier or value are none.
    ///
    /// # Errors
    /// Arrays of unequal length or unknown type.
    pub fn update(&mut self, identifiers: &dyn Array, values: &dyn Array) -> Result<()> {
        if identifiers.len() != values.len() {
            return Err(Error::internal(format!("{} identifiers for {} values", identifiers.len(), values.len())));
        }
        for (identifier, value) in cells(identifiers)?.into_iter().zip(cells(values)?) {
            if let (Some(identifier), Some(value)) = (identifier, value) {
                self.insert(identifier.hash, value);
            }
        }
        Ok(())
    }

    fn insert(&mut self, record: u64, value: Cell) {
        let full = self.records.len() >= RECORDS;
        if full && self.records.last_key_value().is_some_and(|(greatest, _)| record > *greatest) {
            return;
        }
        self.records.insert(record, value);
        if self.records.len() > RECORDS {
            self.records.pop_last();
        }
    }

    /// Adds the records of another sample; of a record in both, the other's value counts.
    ///
    /// # Errors
    /// None so far.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        other.records.iter().for_each(|(record, value)| self.insert(*record, *value));
        Ok(())
    }

    /// The sample as bytes, to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::new(MAGIC, VERSION);
        out.length(self.records.len());
        for (record, value) in &self.records {
            out.number(*record);
            out.number(value.hash);
            out.float(value.number.unwrap_or(f64::NAN));
        }
        out.finish()
    }

    /// The inverse of [`Self::to_bytes`].
    ///
    /// # Errors
    /// Bytes that are damaged, of something else, or of a later version. No bytes make it panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = Reader::open(bytes, MAGIC, VERSION)?;
        let length = input.length(24)?;
        let mut records = BTreeMap::new();
        for _ in 0..length {
            let (record, hash, number) = (input.number()?, input.number()?, input.float()?);
            records.insert(record, Cell { hash, number: Some(number).filter(|number| number.is_finite()) });
        }
        input.end()?;
        if records.len() != length || length > RECORDS {
            return Err(corrupt("records are there twice or too many"));
        }
        Ok(Self { records })
    }
}

/// How two features agree on the records they share.
pub fn agreement(a: &CoordinatedSample, b: &CoordinatedSample) -> Agreement {
    let pairs: Vec<(Cell, Cell)> = a.records.iter().filter_map(|(record, value)| Some((*value, *b.records.get(record)?))).collect();
    let equal = pairs.iter().filter(|(x, y)| x.hash == y.hash).count();
    let share = |count: usize| if pairs.is_empty() { 0.0 } else { count as f64 / pairs.len() as f64 };
    let numbers: Vec<(f64, f64)> = pairs.iter().filter_map(|(x, y)| x.number.zip(y.number)).collect();
    let numeric = numbers.len() == pairs.len() && pairs.len() >= FEWEST_PAIRS && varies(&numbers);
    Agreement {
        common: pairs.len(),
        equal_share: share(equal),
        scaled_equal: if numeric { scaled_equal(&numbers) } else { None },
        spearman: if numeric { Some(spearman(&numbers)) } else { None },
    }
}

/// True where neither side is constant.
fn varies(pairs: &[(f64, f64)]) -> bool {
    let differs = |side: fn(&(f64, f64)) -> f64| pairs.iter().any(|pair| side(pair) != side(&pairs[0]));
    differs(|pair| pair.0) && differs(|pair| pair.1)
}

fn scaled_equal(pairs: &[(f64, f64)]) -> Option<(f64, f64)> {
    let mut ratios: Vec<f64> =
        pairs.iter().filter(|(x, y)| *x != 0.0 && *y != 0.0).map(|(x, y)| y / x).filter(|ratio| ratio.is_finite()).collect();
    ratios.sort_unstable_by(f64::total_cmp);
    let ratio = *ratios.get(ratios.len() / 2)?;
    let same = |(x, y): &&(f64, f64)| (y - ratio * x).abs() <= SAME * y.abs().max((ratio * x).abs());
    let share = pairs.iter().filter(same).count() as f64 / pairs.len() as f64;
    ((ratio - 1.0).abs() > SAME).then_some((ratio, share))
}

/// Correlation of ranks, ties at the mean of their ranks.
fn spearman(pairs: &[(f64, f64)]) -> f64 {
    let first = ranks(&pairs.iter().map(|pair| pair.0).collect::<Vec<f64>>());
    let second = ranks(&pairs.iter().map(|pair| pair.1).collect::<Vec<f64>>());
    // Both means are that of 1…n.
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let (mut both, mut left, mut right) = (0.0, 0.0, 0.0);
    for (x, y) in first.into_iter().zip(second) {
        both += (x - mean) * (y - mean);
        left += (x - mean).powi(2);
        right += (y - mean).powi(2);
    }
    (both / (left * right).sqrt()).clamp(-1.0, 1.0)
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    for ties in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let below = values.iter().filter(|value| **value < values[ties[0]]).count();
        let rank = below as f64 + (ties.len() as f64 + 1.0) / 2.0;
        ties.iter().for_each(|place| ranks[*place] = rank);
    }
    ranks
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Float64Array, Int64Array, StringArray};
    use proptest::prelude::*;

    use super::*;

    fn sample(range: std::ops::Range<i64>, value: impl Fn(i64) -> f64) -> CoordinatedSample {
        let mut sample = CoordinatedSample::new();
        let values = Float64Array::from_iter_values(range.clone().map(value));
        sample.update(&Int64Array::from_iter_values(range), &values).unwrap();
        sample
    }

    #[test]
    fn the_same_records_are_kept_everywhere() {
        let numbers = sample(0..50_000, |id| id as f64);
        let mut texts = CoordinatedSample::new();
        let ids = StringArray::from_iter_values((0..50_000).rev().map(|id| id.to_string()));
        texts.update(&ids, &ids).unwrap();
        let agreed = agreement(&numbers, &texts);
        assert_eq!((agreed.common, agreed.equal_share, agreed.scaled_equal), (1024, 1.0, None));
        assert!((agreed.spearman.unwrap() - 1.0).abs() < 1e-12);
        let half = agreement(&numbers, &sample(25_000..75_000, |id| id as f64));
        assert!((400..=700).contains(&half.common), "{}", half.common);
    }

    #[test]
    fn cents_are_euros() {
        let euros = sample(0..3000, |id| (id * 7 % 1000) as f64 / 4.0);
        let cents = sample(0..3000, |id| (id * 7 % 1000) as f64 * 25.0);
        let agreed = agreement(&euros, &cents);
        assert_eq!(agreed.scaled_equal, Some((100.0, 1.0)));
        // 0 is 0 in both, and no other value is.
        assert!(agreed.equal_share < 0.01);
    }

    #[test]
    fn unrelated_features_of_one_distribution_disagree() {
        let a = sample(0..20_000, |id| (id * 7919 % 10_007) as f64);
        let b = sample(0..20_000, |id| ((id + 13) * 104_729 % 10_007) as f64);
        let agreed = agreement(&a, &b);
        assert!(agreed.equal_share < 0.02 && agreed.spearman.unwrap().abs() < 0.15, "{agreed:?}");
    }

    #[test]
    fn constants_and_texts_have_no_correlation() {
        let agreed = agreement(&sample(0..100, |_| 1.0), &sample(0..100, |id| id as f64));
        assert_eq!((agreed.spearman, agreed.scaled_equal), (None, None));
        assert_eq!(agreement(&CoordinatedSample::new(), &sample(0..9, |id| id as f64)).equal_share, 0.0);
    }

    #[test]
    fn spearman_by_hand() {
        // Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: Σd² = 0.5, with the tie's correction 4.5/√(4.5·5).
        let rho = spearman(&[(1.0, 10.0), (2.0, 30.0), (2.0, 20.0), (9.0, 40.0)]);
        assert!((rho - 4.5 / (4.5f64 * 5.0).sqrt()).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_sample(cut in 0i64..4000) {
            let whole = sample(0..4000, |id| id as f64);
            let mut parts = sample(cut..4000, |id| id as f64);
            parts.merge(&sample(0..cut, |id| id as f64)).unwrap();
            prop_assert_eq!(&parts, &whole);
            prop_assert_eq!(CoordinatedSample::from_bytes(&parts.to_bytes()).unwrap(), whole);
        }

        #[test]
        fn garbage_is_refused(at in 0usize..200, bit in 0u8..8, length in 0usize..200) {
            let mut bytes = sample(0..8, |id| id as f64).to_bytes();
            prop_assert!(CoordinatedSample::from_bytes(&bytes[..length.min(bytes.len() - 1)]).is_err());
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(CoordinatedSample::from_bytes(&bytes).is_err());
        }
    }
}
