//! Distinct values: every hash while there are few, a HyperLogLog sketch beyond.
//!
//! The set is exact up to a collision of 64-bit hashes. The estimate of the sketch comes from its registers alone,
//! never from the order in which values came, so that merged profiles give the same figure in any order.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use datasketches::hll::{Coupon, HllSketch, HllType, HllUnion};

use super::codec::{Reader, Writer, corrupt, sketch_failed};
use super::figures::Distinct;
use crate::model::Result;

/// Most hashes that are kept one by one.
const KEPT: usize = 4096;
/// 2^12 registers.
const REGISTERS_LOG2: u8 = 12;
/// Two standard deviations of an estimate from 2^12 registers: 2 · 1.04 / √4096.
const TWO_DEVIATIONS: f64 = 2.0 * 1.04 / 64.0;

/// Hashes are spread already.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

pub(super) type BuildSpread = BuildHasherDefault<Spread>;

/// Which values there are.
#[derive(Debug, Clone)]
pub(super) enum DistinctValues {
    /// The hashes of all.
    Kept(HashSet<u64, BuildSpread>),
    /// More than [`KEPT`].
    Sketched(HllSketch),
}

impl DistinctValues {
    pub(super) fn new() -> Self {
        Self::Kept(HashSet::default())
    }

    /// Adds canonical hashes.
    pub(super) fn extend(&mut self, mut hashes: impl Iterator<Item = u64>) -> Result<()> {
        if let Self::Kept(kept) = self {
            for hash in hashes.by_ref() {
                kept.insert(hash);
                if kept.len() > KEPT {
                    break;
                }
            }
            if kept.len() > KEPT {
                let mut sketch = HllSketch::new(REGISTERS_LOG2, HllType::Hll8).map_err(sketch_failed)?;
                kept.iter().for_each(|hash| sketch.update_with_coupon(Coupon::from_value(*hash)));
                *self = Self::Sketched(sketch);
            }
        }
        if let Self::Sketched(sketch) = self {
            hashes.for_each(|hash| sketch.update_with_coupon(Coupon::from_value(hash)));
        }
        Ok(())
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<()> {
        match other {
            Self::Kept(hashes) => self.extend(hashes.iter().copied()),
            Self::Sketched(theirs) => {
                let mut union = HllUnion::new(REGISTERS_LOG2).map_err(sketch_failed)?;
                union.update(theirs);
                match self {
                    Self::Sketched(ours) => union.update(ours),
                    Self::Kept(hashes) => hashes.iter().for_each(|hash| union.update_value(*hash)),
                }
                *self = Self::Sketched(union.to_sketch(HllType::Hll8));
                Ok(())
            }
        }
    }

    /// How many there are.
    pub(super) fn figures(&self) -> Distinct {
        match self {
            Self::Kept(hashes) => {
                let count = hashes.len() as f64;
                Distinct { estimate: count, low: count, high: count, exact: true }
            }
            Self::Sketched(sketch) => {
                let least = (KEPT + 1) as f64;
                let estimate = sketch.composite_estimate().max(least).round();
                let low = (estimate / (1.0 + TWO_DEVIATIONS)).max(least).floor();
                Distinct { estimate, low, high: (estimate / (1.0 - TWO_DEVIATIONS)).ceil(), exact: false }
            }
        }
    }

    pub(super) fn write(&self, out: &mut Writer) {
        match self {
            Self::Kept(hashes) => {
                let mut hashes: Vec<u64> = hashes.iter().copied().collect();
                hashes.sort_unstable();
                out.byte(0);
                out.length(hashes.len());
                hashes.into_iter().for_each(|hash| out.number(hash));
            }
            Self::Sketched(sketch) => {
                // Half the bytes in store; eight bits a register in memory, where speed counts.
                let packed = HllUnion::new(REGISTERS_LOG2).map(|mut union| {
                    union.update(sketch);
                    union.to_sketch(HllType::Hll4)
                });
                out.byte(1);
                out.block(&packed.as_ref().unwrap_or(sketch).serialize());
            }
        }
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self> {
        match input.byte()? {
            0 => {
                let length = input.length(8)?;
                if length > KEPT {
                    return Err(corrupt("too many hashes"));
                }
                let mut hashes = HashSet::default();
                for _ in 0..length {
                    hashes.insert(input.number()?);
                }
                Ok(Self::Kept(hashes))
            }
            1 => {
                let bytes = input.block()?;
                // Byte 3 is the number of registers: it is checked before the library makes room for them.
                if bytes.get(3) != Some(&REGISTERS_LOG2) {
                    return Err(corrupt("a sketch of distinct values of another size"));
                }
                let sketch = HllSketch::deserialize(bytes).map_err(|error| corrupt(&error.to_string()))?;
                let mut union = HllUnion::new(REGISTERS_LOG2).map_err(sketch_failed)?;
                union.update(&sketch);
                Ok(Self::Sketched(union.to_sketch(HllType::Hll8)))
            }
            _ => Err(corrupt("an unknown form of distinct values")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::canonical::of_integer;
    use super::*;

    fn of(range: std::ops::Range<i64>) -> DistinctValues {
        let mut values = DistinctValues::new();
        values.extend(range.map(of_integer)).unwrap();
        values
    }

    #[test]
    fn counts_exactly_up_to_the_limit() {
        let mut values = of(0..3000);
        values.merge(&of(1000..4096)).unwrap();
        assert_eq!(values.figures(), Distinct { estimate: 4096.0, low: 4096.0, high: 4096.0, exact: true });
        values.merge(&of(4096..4097)).unwrap();
        let figures = values.figures();
        assert!(!figures.exact && figures.low >= 4097.0 && figures.high >= figures.estimate);
    }

    #[test]
    fn bounds_hold_nineteen_times_in_twenty() {
        let within = (0..100i64).filter(|seed| {
            let count = 5_000 + seed * 700;
            let figures = of(seed * 1_000_000..seed * 1_000_000 + count).figures();
            (figures.low..=figures.high).contains(&(count as f64))
        });
        let within = within.count();
        // 95 are due; fewer than 86 in a hundred would be a matter of one in a thousand.
        assert!(within >= 86, "{within} of 100");
    }

    #[test]
    fn order_of_merging_does_not_show() {
        let parts = [of(0..100), of(50..6000), of(5000..30_000), of(29_990..30_100)];
        let mut forwards = DistinctValues::new();
        parts.iter().for_each(|part| forwards.merge(part).unwrap());
        let mut backwards = DistinctValues::new();
        parts.iter().rev().for_each(|part| backwards.merge(part).unwrap());
        assert_eq!(forwards.figures(), backwards.figures());
        assert_eq!(forwards.figures(), of(0..30_100).figures());
    }
}
