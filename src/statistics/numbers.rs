//! Numbers: the state of a column of numbers or times.
//!
//! While there are few distinct values each is counted, and everything else follows from the counts, exactly. With one
//! value too many the counts go into exact sums, bounds and sketches, and later values straight into these. Which of
//! the two a column is in depends on its distinct values alone, so merging in any order ends in the same.

use std::collections::HashMap;

use datasketches::frequencies::{ErrorType, FrequentItemsSketch};
use foldhash::fast::FixedState;

use super::canonical;
use super::codec::{Reader, Writer, corrupt, sketch_failed};
use super::distinct::DistinctValues;
use super::distribution::{Distribution, Scale};
use super::figures::Distinct;
use super::moments::Moments;
use super::quantile_sketch::QuantileSketch;
use crate::model::Result;

/// Most distinct values that are counted one by one: as many as take the room of the sketches.
pub(super) const COUNTED: usize = 1024;
/// Size of the map of frequent items; the error is at most 3.5/512 of all values.
pub(super) const FREQUENT: usize = 512;

/// State of a column of numbers.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    scale: Scale,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    /// Every distinct key with its count.
    Counted(HashMap<i64, u64, FixedState>),
    /// More than [`COUNTED`] distinct keys.
    Sketched(Box<Sketched>),
}

#[derive(Debug, Clone)]
struct Sketched {
    /// None for times: a mean of times is no figure here.
    moments: Option<Moments>,
    zeros: u64,
    negatives: u64,
    bounds: (i64, i64),
    quantiles: QuantileSketch,
    distinct: DistinctValues,
    /// Only of whole numbers: doubles with so many distinct values hardly repeat.
    frequent: Option<FrequentItemsSketch<i64>>,
}

/// Figures that counts and exact sums give.
#[derive(Debug, Default, PartialEq)]
pub(super) struct NumberTotals {
    pub(super) n: u64,
    pub(super) zeros: u64,
    pub(super) negatives: u64,
    pub(super) bounds: Option<(i64, i64)>,
    pub(super) mean: Option<f64>,
    pub(super) deviation: Option<f64>,
    pub(super) sum: Option<i128>,
}

impl Numbers {
    pub(super) fn new(scale: Scale) -> Self {
        Self { scale, state: State::Counted(HashMap::default()) }
    }

    pub(super) fn scale(&self) -> Scale {
        self.scale
    }

    /// Adds keys of values.
    pub(super) fn extend(&mut self, mut keys: &[i64]) -> Result<()> {
        if let State::Counted(counts) = &mut self.state {
            while let Some((key, rest)) = keys.split_first() {
                if counts.len() > COUNTED {
                    break;
                }
                *counts.entry(*key).or_insert(0) += 1;
                keys = rest;
            }
        }
        self.sketch_if_many()?;
        match &mut self.state {
            State::Sketched(sketched) if !keys.is_empty() => sketched.extend(self.scale, keys),
            _ => Ok(()),
        }
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<()> {
        match (&mut self.state, &other.state) {
            (State::Counted(ours), State::Counted(theirs)) => {
                theirs.iter().for_each(|(key, count)| *ours.entry(*key).or_insert(0) += count);
                self.sketch_if_many()
            }
            (State::Sketched(ours), State::Counted(theirs)) => ours.extend_counted(self.scale, theirs),
            (State::Sketched(ours), State::Sketched(theirs)) => ours.merge(theirs),
            (State::Counted(ours), State::Sketched(theirs)) => {
                let mut sketched = theirs.clone();
                sketched.extend_counted(self.scale, ours)?;
                self.state = State::Sketched(sketched);
                Ok(())
            }
        }
    }

    fn sketch_if_many(&mut self) -> Result<()> {
        if let State::Counted(counts) = &self.state
            && counts.len() > COUNTED
        {
            let mut sketched = Sketched::new(self.scale)?;
            sketched.extend_counted(self.scale, counts)?;
            self.state = State::Sketched(Box::new(sketched));
        }
        Ok(())
    }

    /// True while every value is counted.
    pub(super) fn is_exact(&self) -> bool {
        matches!(self.state, State::Counted(_))
    }

    pub(super) fn distribution(&self) -> Result<Option<Distribution>> {
        match &self.state {
            State::Counted(counts) => {
                let bounds = counts.keys().fold((i64::MAX, i64::MIN), |(least, most), key| (least.min(*key), most.max(*key)));
                let weighted = counts.iter().map(|(key, count)| (*key, *count)).collect();
                Ok(Distribution::new(self.scale, weighted, bounds, (0.0, 0.0)))
            }
            State::Sketched(sketched) => sketched.quantiles.distribution(self.scale, sketched.bounds),
        }
    }

    pub(super) fn distinct(&self) -> Distinct {
        match &self.state {
            State::Counted(counts) => {
                let count = counts.len() as f64;
                Distinct { estimate: count, low: count, high: count, exact: true }
            }
            State::Sketched(sketched) => sketched.distinct.figures(),
        }
    }

    /// Every key with its count, most frequent first, the smaller of two equals first; none where they aren't counted.
    pub(super) fn counts(&self) -> Option<Vec<(i64, u64)>> {
        let State::Counted(counts) = &self.state else { return None };
        let mut counts: Vec<(i64, u64)> = counts.iter().map(|(key, count)| (*key, *count)).collect();
        counts.sort_unstable_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
        Some(counts)
    }

    /// The most frequent keys with bounds of their counts; empty where none stands out.
    pub(super) fn top(&self, k: usize) -> Vec<(i64, u64, u64)> {
        let mut top: Vec<(i64, u64, u64)> = match (self.counts(), &self.state) {
            (Some(counts), _) => counts.into_iter().map(|(key, count)| (key, count, count)).collect(),
            (None, State::Sketched(sketched)) => {
                let rows = sketched.frequent.as_ref().map(|frequent| frequent.frequent_items(ErrorType::NoFalsePositives));
                let rows = rows.unwrap_or_default();
                let mut rows: Vec<_> = rows.iter().map(|row| (*row.item(), row.lower_bound(), row.upper_bound())).collect();
                rows.sort_unstable_by_key(|(key, low, _)| (std::cmp::Reverse(*low), *key));
                rows
            }
            (None, State::Counted(_)) => Vec::new(),
        };
        top.truncate(k);
        top
    }

    pub(super) fn totals(&self) -> NumberTotals {
        match &self.state {
            State::Counted(counts) => {
                let mut totals = NumberTotals::default();
                let mut moments = Sketched::moments(self.scale);
                for (key, count) in counts {
                    totals.n += count;
                    totals.zeros += if *key == 0 { *count } else { 0 };
                    totals.negatives += if *key < 0 { *count } else { 0 };
                    let (least, most) = totals.bounds.unwrap_or((*key, *key));
                    totals.bounds = Some((least.min(*key), most.max(*key)));
                    add_counted(&mut moments, self.scale, *key, *count);
                }
                totals.with_moments(self.scale, moments.as_ref())
            }
            State::Sketched(sketched) => NumberTotals {
                n: sketched.quantiles.n(),
                zeros: sketched.zeros,
                negatives: sketched.negatives,
                bounds: Some(sketched.bounds),
                ..NumberTotals::default()
            }
            .with_moments(self.scale, sketched.moments.as_ref()),
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match &self.state {
            State::Counted(counts) => {
                let mut counts: Vec<_> = counts.iter().collect();
                counts.sort_unstable();
                out.byte(0);
                out.length(counts.len());
                for (key, count) in counts {
                    out.signed(*key);
                    out.number(*count);
                }
            }
            State::Sketched(sketched) => {
                out.byte(1);
                sketched.write(out);
            }
        }
    }

    /// Reads the state of a column with `values` values.
    pub(super) fn read(input: &mut Reader<'_>, scale: Scale, values: u64) -> Result<Self> {
        let state = match input.byte()? {
            0 => {
                let length = input.length(16)?;
                let mut counts = HashMap::default();
                let mut total = 0u64;
                for _ in 0..length {
                    let (key, count) = (input.signed()?, input.number()?);
                    total = total.saturating_add(count);
                    if count == 0 || counts.insert(key, count).is_some() {
                        return Err(corrupt("a value is counted wrong"));
                    }
                }
                if total != values || length > COUNTED {
                    return Err(corrupt("counts don't add up"));
                }
                State::Counted(counts)
            }
            1 => State::Sketched(Box::new(Sketched::read(input, scale, values)?)),
            _ => return Err(corrupt("an unknown form of numbers")),
        };
        Ok(Self { scale, state })
    }
}

impl NumberTotals {
    fn with_moments(mut self, scale: Scale, moments: Option<&Moments>) -> Self {
        self.mean = moments.and_then(|moments| moments.mean(self.n));
        self.deviation = moments.and_then(|moments| moments.deviation(self.n));
        self.sum = moments.filter(|_| scale == Scale::Integral && self.n > 0).map(Moments::integral_sum);
        self
    }
}

fn add_counted(moments: &mut Option<Moments>, scale: Scale, key: i64, count: u64) {
    match (moments, scale) {
        (Some(moments), Scale::Fractional) => moments.add_float(scale.number(key), count),
        (Some(moments), _) => moments.add_integer(key, count),
        (None, _) => {}
    }
}

fn hash_of(scale: Scale, key: i64) -> u64 {
    match scale {
        Scale::Fractional => canonical::of_float(scale.number(key)),
        Scale::Integral | Scale::Time => canonical::of_integer(key),
    }
}

impl Sketched {
    fn moments(scale: Scale) -> Option<Moments> {
        match scale {
            Scale::Integral => Some(Moments::integral()),
            Scale::Fractional => Some(Moments::fractional()),
            Scale::Time => None,
        }
    }

    fn new(scale: Scale) -> Result<Self> {
        let frequent = match scale {
            Scale::Integral => Some(FrequentItemsSketch::new(FREQUENT).map_err(sketch_failed)?),
            Scale::Fractional | Scale::Time => None,
        };
        Ok(Self {
            moments: Self::moments(scale),
            zeros: 0,
            negatives: 0,
            bounds: (i64::MAX, i64::MIN),
            quantiles: QuantileSketch::new()?,
            distinct: DistinctValues::new(),
            frequent,
        })
    }

    fn extend(&mut self, scale: Scale, keys: &[i64]) -> Result<()> {
        let (mut zeros, mut negatives, (mut least, mut most)) = (0u64, 0u64, self.bounds);
        for key in keys {
            zeros += u64::from(*key == 0);
            negatives += u64::from(*key < 0);
            least = least.min(*key);
            most = most.max(*key);
        }
        self.zeros += zeros;
        self.negatives += negatives;
        self.bounds = (least, most);
        match (&mut self.moments, scale) {
            (Some(moments), Scale::Fractional) => {
                let numbers: Vec<f64> = keys.iter().map(|key| scale.number(*key)).collect();
                self.distinct.extend(numbers.iter().map(|number| canonical::of_float(*number)));
                moments.add_floats(&numbers);
            }
            (moments, _) => {
                self.distinct.extend(keys.iter().map(|key| canonical::of_integer(*key)));
                moments.iter_mut().for_each(|moments| moments.add_integers(keys));
            }
        }
        if let Some(frequent) = &mut self.frequent {
            keys.iter().for_each(|key| frequent.update(*key));
        }
        self.quantiles.extend(keys)
    }

    fn extend_counted(&mut self, scale: Scale, counts: &HashMap<i64, u64, FixedState>) -> Result<()> {
        let mut weighted: Vec<(i64, u64)> = counts.iter().map(|(key, count)| (*key, *count)).collect();
        weighted.sort_unstable();
        for (key, count) in &weighted {
            self.zeros += if *key == 0 { *count } else { 0 };
            self.negatives += if *key < 0 { *count } else { 0 };
            self.bounds = (self.bounds.0.min(*key), self.bounds.1.max(*key));
            add_counted(&mut self.moments, scale, *key, *count);
            if let Some(frequent) = &mut self.frequent {
                frequent.update_with_count(*key, *count);
            }
        }
        self.distinct.extend(weighted.iter().map(|(key, _)| hash_of(scale, *key)));
        self.quantiles.extend_weighted(&weighted)
    }

    fn merge(&mut self, other: &Self) -> Result<()> {
        self.zeros += other.zeros;
        self.negatives += other.negatives;
        self.bounds = (self.bounds.0.min(other.bounds.0), self.bounds.1.max(other.bounds.1));
        if let (Some(ours), Some(theirs)) = (&mut self.moments, &other.moments) {
            ours.merge(theirs);
        }
        if let (Some(ours), Some(theirs)) = (&mut self.frequent, &other.frequent) {
            ours.merge(theirs);
        }
        self.distinct.merge(&other.distinct);
        self.quantiles.merge(&other.quantiles)
    }

    fn write(&self, out: &mut Writer) {
        [self.zeros, self.negatives].into_iter().for_each(|count| out.number(count));
        out.signed(self.bounds.0);
        out.signed(self.bounds.1);
        if let Some(moments) = &self.moments {
            moments.sums().into_iter().for_each(|sum| out.wide(sum));
        }
        if let Some(frequent) = &self.frequent {
            out.block(&frequent.serialize());
        }
        self.distinct.write(out);
        self.quantiles.write(out);
    }

    fn read(input: &mut Reader<'_>, scale: Scale, values: u64) -> Result<Self> {
        let mut read = Self::new(scale)?;
        read.zeros = input.number()?;
        read.negatives = input.number()?;
        read.bounds = (input.signed()?, input.signed()?);
        if read.zeros.saturating_add(read.negatives) > values || read.bounds.0 > read.bounds.1 {
            return Err(corrupt("counts don't add up"));
        }
        if let Some(moments) = &mut read.moments {
            let [sum, squares] = moments.limbs();
            if !moments.restore(input.wide(sum)?, input.wide(squares)?) {
                return Err(corrupt("a sum of squares is below zero"));
            }
        }
        if read.frequent.is_some() {
            read.frequent = Some(read_frequent(input.block()?, values)?);
        }
        read.distinct = DistinctValues::read(input)?;
        read.quantiles = QuantileSketch::read(input)?;
        if read.quantiles.n() != values {
            return Err(corrupt("counts don't add up"));
        }
        Ok(read)
    }
}

/// Reads frequent items of so many values; sizes are checked before the library makes room for them.
pub(super) fn read_frequent<T>(bytes: &[u8], values: u64) -> Result<FrequentItemsSketch<T>>
where
    T: datasketches::frequencies::FrequentItemValue,
{
    let size = FREQUENT.trailing_zeros() as u8;
    if bytes.get(3) != Some(&size) || bytes.get(4).is_none_or(|current| *current > size) {
        return Err(corrupt("a sketch of frequent values of another size"));
    }
    let sketch = FrequentItemsSketch::deserialize(bytes).map_err(|error| corrupt(&error.to_string()))?;
    if sketch.total_weight() != values || sketch.maximum_error() > values {
        return Err(corrupt("counts don't add up"));
    }
    Ok(sketch)
}
