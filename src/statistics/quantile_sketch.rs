//! Quantiles of many values: a KLL sketch that is filled in bulk.
//!
//! The library's sketch takes values one by one and sorts and halves them level by level. Here a chunk of values is
//! sorted once and every 2^j-th of it is kept from a random place on, which is what j halvings would leave, at a
//! fraction of the cost. What is kept goes into the library's own stored form, as items of weight 2^j, and is merged by
//! the library. A value's rank in a chunk is off by less than 2^j, without bias; with the strides chosen here the error
//! of all chunks together stays well below the sketch's own, so that the library's bounds hold (a test counts).
//!
//! The stored form, as the DataSketches libraries of all languages write it (little-endian):
//!
//! ```text
//! 5 · 1 · 15 · flags · k u16 · 8 · 0 · n u64 · least k u16 · levels u8 · 0
//! offset of each level u32 … · least item · greatest item · items of each level, level 0 first
//! ```
//! Offsets count from the end of a room of fixed capacity: the last level ends at it.

use std::hash::{BuildHasher, Hasher, RandomState};

use datasketches::kll::KllSketch;

use super::codec::{Reader, Writer, corrupt, sketch_failed};
use super::distribution::{Distribution, Scale};
use crate::model::Result;

/// Rank error 0.68 %, error of a share 0.86 %, each with 99 %.
const K: u16 = 400;
/// Least capacity of a level, fixed by the format.
const LEAST_CAPACITY: u64 = 8;
/// Values that are sorted and thinned at once.
const CHUNK: usize = 4096;
/// Most items of one piece that goes to the library: every number of levels has room for them.
const PIECE: usize = 256;
/// Strides for chunks: of few values enough are kept to be as good as all; of many, no more than matter.
const STRIDES: (u64, u64) = (8, 64);

const LEVEL_ZERO_SORTED: u8 = 1 << 1;

/// A sketch of keys, and those that wait for their chunk to fill.
#[derive(Debug, Clone)]
pub(super) struct QuantileSketch {
    sketch: KllSketch<i64>,
    waiting: Vec<i64>,
    random: u64,
}

impl QuantileSketch {
    pub(super) fn new() -> Result<Self> {
        let sketch = KllSketch::new(K).map_err(sketch_failed)?;
        // Chance makes the error unbiased; a fixed seed would make equal errors add up over files.
        Ok(Self { sketch, waiting: Vec::new(), random: RandomState::new().build_hasher().finish() })
    }

    /// Number of values.
    pub(super) fn n(&self) -> u64 {
        self.sketch.n() + self.waiting.len() as u64
    }

    /// Adds keys.
    pub(super) fn extend(&mut self, mut keys: &[i64]) -> Result<()> {
        while !keys.is_empty() {
            let taken = keys.len().min(CHUNK - self.waiting.len());
            self.waiting.extend_from_slice(&keys[..taken]);
            keys = &keys[taken..];
            if self.waiting.len() == CHUNK {
                self.take_in()?;
            }
        }
        Ok(())
    }

    /// Adds keys, ascending, each with a weight above zero.
    pub(super) fn extend_weighted(&mut self, weighted: &[(i64, u64)]) -> Result<()> {
        let (Some(first), Some(last)) = (weighted.first(), weighted.last()) else { return Ok(()) };
        let total: u64 = weighted.iter().map(|(_, weight)| weight).sum();
        // As many as a sketch keeps, several times over: this happens once to a column.
        let stride = prior_power_of_two(total / (8 * u64::from(K)));
        let (mut place, mut up_to) = (0, first.1);
        self.thin(total, stride, (first.0, last.0), |position| {
            while position >= up_to && place + 1 < weighted.len() {
                place += 1;
                up_to += weighted[place].1;
            }
            weighted[place].0
        })
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<()> {
        self.sketch.merge(&other.sketch).map_err(sketch_failed)?;
        self.extend(&other.waiting)
    }

    /// The distribution between known bounds; exact while nothing was thrown away.
    pub(super) fn distribution(&self, scale: Scale, bounds: (i64, i64)) -> Result<Option<Distribution>> {
        let sketch = &self.sketch;
        let errors = match sketch.is_estimation_mode() {
            true => (sketch.normalized_rank_error(), sketch.normalized_pmf_error()),
            false => (0.0, 0.0),
        };
        // Those that wait stand for themselves: reading twice gives the same.
        let mut weighted = items(sketch)?;
        weighted.extend(self.waiting.iter().map(|key| (*key, 1)));
        Ok(Distribution::new(scale, weighted, bounds, errors))
    }

    pub(super) fn write(&self, out: &mut Writer) {
        let mut whole = self.clone();
        // The library takes what it defines. Should it ever refuse, the counts of what is written don't add up, and
        // reading says so.
        let _ = whole.take_in();
        out.block(&whole.sketch.serialize());
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self> {
        let sketch: KllSketch<i64> = KllSketch::deserialize(input.block()?).map_err(|error| corrupt(&error.to_string()))?;
        if sketch.k() != K {
            return Err(corrupt("a sketch of quantiles of another size"));
        }
        Ok(Self { sketch, ..Self::new()? })
    }

    /// Sorts what waits and merges every 2^j-th of it.
    fn take_in(&mut self) -> Result<()> {
        let mut chunk = std::mem::take(&mut self.waiting);
        chunk.sort_unstable();
        if let (Some(least), Some(greatest)) = (chunk.first(), chunk.last()) {
            let n = self.sketch.n() + chunk.len() as u64;
            let stride = prior_power_of_two(n / 16_384).clamp(STRIDES.0, STRIDES.1).min(prior_power_of_two(n / 512));
            self.thin(chunk.len() as u64, stride, (*least, *greatest), |position| chunk[position as usize])?;
        }
        chunk.clear();
        self.waiting = chunk;
        Ok(())
    }

    /// Merges one of each `stride` of `total` sorted values between `bounds`. What doesn't fill a stride goes, from the
    /// lower end, in groups of smaller powers of two, so that the weights add up to the total. Positions are asked for in order.
    fn thin(&mut self, total: u64, stride: u64, bounds: (i64, i64), mut at: impl FnMut(u64) -> i64) -> Result<()> {
        let mut start = 0;
        let mut pieces = Vec::new();
        for level in 0..stride.trailing_zeros() {
            let group = 1u64 << level;
            if total & group != 0 {
                pieces.push((level, vec![at(start + self.chance(group))]));
                start += group;
            }
        }
        let kept = (total - start) / stride;
        let offset = start + self.chance(stride);
        let mut items: Vec<i64> = (0..kept).map(|number| at(offset + number * stride)).collect();
        while !items.is_empty() {
            let rest = items.split_off(items.len().min(PIECE));
            pieces.push((stride.trailing_zeros(), items));
            items = rest;
        }
        for (level, items) in pieces {
            if level == 0 {
                items.into_iter().for_each(|item| self.sketch.update(item));
            } else {
                let piece = KllSketch::deserialize(&stored_form(level, &items, bounds)).map_err(sketch_failed)?;
                self.sketch.merge(&piece).map_err(sketch_failed)?;
            }
        }
        Ok(())
    }

    /// A number below a power of two.
    fn chance(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) & (below - 1)
    }
}

/// The greatest power of two that is not above a number; 1 for 0.
fn prior_power_of_two(number: u64) -> u64 {
    1 << number.max(1).ilog2()
}

/// Items of one level above 0 in the library's stored form.
fn stored_form(level: u32, items: &[i64], bounds: (i64, i64)) -> Vec<u8> {
    let levels = level + 1;
    // The capacity of all levels is that of the room that offsets count in.
    let capacity: u64 = (0..levels).map(capacity_at_depth).sum();
    let mut bytes = Vec::with_capacity(20 + 4 * levels as usize + 8 * (items.len() + 2));
    bytes.extend_from_slice(&[5, 1, 15, LEVEL_ZERO_SORTED]);
    bytes.extend_from_slice(&K.to_le_bytes());
    bytes.extend_from_slice(&[LEAST_CAPACITY as u8, 0]);
    bytes.extend_from_slice(&((items.len() as u64) << level).to_le_bytes());
    bytes.extend_from_slice(&K.to_le_bytes());
    bytes.extend_from_slice(&[levels as u8, 0]);
    let offset = capacity as u32 - items.len() as u32;
    (0..levels).for_each(|_| bytes.extend_from_slice(&offset.to_le_bytes()));
    for item in [bounds.0, bounds.1].iter().chain(items) {
        bytes.extend_from_slice(&item.to_le_bytes());
    }
    bytes
}

/// Capacity of a level so many below the top: k·(2/3)^depth, rounded as the libraries do, at least 8.
fn capacity_at_depth(depth: u32) -> u64 {
    // Beyond 30 levels below the top all have the least capacity.
    let depth = depth.min(30);
    (((u64::from(K) << (depth + 1)) / 3u64.pow(depth)).div_ceil(2)).max(LEAST_CAPACITY)
}

/// The items of a sketch with their weights.
fn items(sketch: &KllSketch<i64>) -> Result<Vec<(i64, u64)>> {
    let bytes = sketch.serialize();
    let wrong = || corrupt("a sketch of quantiles has another form");
    let number = |at: usize| bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map(i64::from_le_bytes);
    if sketch.is_empty() {
        return Ok(Vec::new());
    }
    if sketch.n() == 1 {
        return Ok(vec![(number(8).ok_or_else(wrong)?, 1)]);
    }
    let levels = usize::from(*bytes.get(18).ok_or_else(wrong)?);
    let offset = |level: usize| bytes.get(20 + 4 * level..24 + 4 * level).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    let mut at = 20 + 4 * levels + 16;
    let mut found = Vec::with_capacity(sketch.num_retained());
    for level in 0..levels {
        let start = offset(level).ok_or_else(wrong)?;
        let end = match level + 1 < levels {
            true => offset(level + 1).ok_or_else(wrong)?,
            // The last level takes what is left.
            false => start + u32::try_from((bytes.len() - at) / 8).map_err(|_| wrong())?,
        };
        for _ in start..end {
            found.push((number(at).ok_or_else(wrong)?, 1u64 << level));
            at += 8;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rand::rngs::StdRng;
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn rank_errors(sketch: &QuantileSketch, sorted: &[i64]) -> Vec<f64> {
        let bounds = (sorted[0], sorted[sorted.len() - 1]);
        let distribution = sketch.distribution(Scale::Integral, bounds).unwrap().unwrap();
        assert_eq!(distribution.total(), sorted.len() as u64);
        (1..20)
            .map(|twentieth| {
                let key = sorted[sorted.len() * twentieth / 20];
                let true_rank = sorted.partition_point(|value| *value <= key) as f64;
                (distribution.count_at_most(key) as f64 - true_rank).abs() / sorted.len() as f64
            })
            .collect()
    }

    /// Of very many ranks over seeds, sizes, orders and merges at most 1 % are off by more than the stated 0.68 %.
    #[test]
    fn rank_error_stays_within_the_bound() {
        let (mut over, mut asked, mut worst) = (0, 0, 0.0f64);
        for seed in 0..60u64 {
            let mut random = StdRng::seed_from_u64(seed);
            let n: usize = [1_500, 5_000, 30_000, 120_000][seed as usize % 4];
            let mut values: Vec<i64> = (0..n).map(|_| (random.random::<f64>().powi(3) * 1e9) as i64).collect();
            match seed % 3 {
                0 => values.sort_unstable(),
                1 => values.shuffle(&mut random),
                _ => {}
            }
            let parts = 1 + seed as usize % 7;
            let mut whole = QuantileSketch::new().unwrap();
            for part in values.chunks(n.div_ceil(parts)) {
                let mut sketch = QuantileSketch::new().unwrap();
                for batch in part.chunks(1 + random.random_range(0..9_000)) {
                    sketch.extend(batch).unwrap();
                }
                whole.merge(&sketch).unwrap();
            }
            values.sort_unstable();
            for error in rank_errors(&whole, &values) {
                asked += 1;
                over += usize::from(error > 0.0068);
                worst = worst.max(error);
            }
        }
        assert!(over * 100 <= asked, "{over} of {asked} ranks over the bound, the worst by {worst}");
    }

    #[test]
    fn weighted_values_are_as_good_as_repeated_ones() {
        let (mut over, mut asked) = (0, 0);
        for seed in 0..40u64 {
            let mut random = StdRng::seed_from_u64(seed);
            let weighted: Vec<(i64, u64)> = (0..1_025).map(|key| (key, 1 + random.random_range(0..200))).collect();
            let mut sketch = QuantileSketch::new().unwrap();
            sketch.extend_weighted(&weighted).unwrap();
            let sorted: Vec<i64> = weighted.iter().flat_map(|(key, weight)| std::iter::repeat_n(*key, *weight as usize)).collect();
            for error in rank_errors(&sketch, &sorted) {
                asked += 1;
                over += usize::from(error > 0.0068);
            }
        }
        assert!(over * 100 <= asked, "{over} of {asked}");
    }

    #[test]
    fn every_total_keeps_its_weight() {
        for total in 1..600 {
            for stride in [1, 2, 8, 64, 512] {
                let mut sketch = QuantileSketch::new().unwrap();
                sketch.thin(total, stride, (0, total as i64 - 1), |position| position as i64).unwrap();
                let items = items(&sketch.sketch).unwrap();
                assert_eq!(items.iter().map(|(_, weight)| weight).sum::<u64>(), total);
                assert_eq!(sketch.n(), total);
            }
        }
    }

    #[test]
    fn capacities_are_those_of_the_library() {
        // The library refuses offsets past its own capacity, and finds the last level short before it: with the room
        // filled exactly, one item more is refused.
        for level in 1..40 {
            let items: Vec<i64> = (0..8).collect();
            let piece: KllSketch<i64> = KllSketch::deserialize(&stored_form(level, &items, (0, 7))).unwrap();
            assert_eq!(piece.n(), 8 << level);
            assert_eq!(piece.num_retained(), 8);
        }
    }
}
