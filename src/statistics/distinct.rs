//! Distinct values: every hash while there are few, registers of a HyperLogLog beyond.
//!
//! The set is exact up to a collision of 64-bit hashes. A register is the greatest number of leading zeros among the
//! hashes of its slot; taking a hash in is one comparison, a tenth of what the library's own update costs. Estimating
//! and packing are the library's, which is handed the registers in its stored form. The estimate comes from the registers
//! alone, never from the order in which values came, so merged profiles give the same figure in any order.
//!
//! The stored form, as the DataSketches libraries of all languages write it (little-endian, 8 bits a register):
//!
//! ```text
//! 10 · 1 · 7 · lg k · 0 · flags · 0 · mode · HIP f64 · Σ 2^-r of r < 32 f64 · of the others f64 · zeros u32 · 0 u32 · registers
//! ```

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use datasketches::hll::{HllSketch, HllType, HllUnion};

use super::codec::{Reader, Writer, corrupt, sketch_failed};
use super::figures::Distinct;
use crate::model::Result;

/// Most hashes that are kept one by one.
const KEPT: usize = 4096;
/// 2^12 registers.
const REGISTERS_LOG2: u8 = 12;
const REGISTERS: usize = 1 << REGISTERS_LOG2;
/// Bytes in front of the registers.
const HEAD: usize = 40;
/// Says that the order of updates isn't known: the estimate comes from the registers.
const OUT_OF_ORDER: u8 = 16;
/// Registers of 8 bits, of which there are as many as there can be.
const MODE_EIGHT_BITS: u8 = 2 | (2 << 2);
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
    Sketched(Registers),
}

/// Greatest number of leading zeros of each slot's hashes, and one more; 0 for an empty slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Registers(Box<[u8]>);

impl Registers {
    fn new() -> Self {
        Self(vec![0; REGISTERS].into())
    }

    #[inline]
    fn add(&mut self, hash: u64) {
        // The bits that choose the slot count no zeros.
        let rank = ((hash | ((1 << REGISTERS_LOG2) - 1)).leading_zeros() + 1) as u8;
        let register = &mut self.0[hash as usize % REGISTERS];
        *register = (*register).max(rank);
    }

    fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(ours, theirs)| *ours = (*ours).max(*theirs));
    }

    /// The registers as the library's sketch.
    fn sketch(&self) -> Result<HllSketch> {
        let power = |register: &u8| 2f64.powi(-i32::from(*register));
        let (low, high): (Vec<u8>, Vec<u8>) = self.0.iter().partition(|register| **register < 32);
        let zeros = self.0.iter().filter(|register| **register == 0).count() as u32;
        let mut bytes = vec![10, 1, 7, REGISTERS_LOG2, 0, OUT_OF_ORDER, 0, MODE_EIGHT_BITS];
        for number in [0.0, low.iter().map(power).sum::<f64>(), high.iter().map(power).sum()] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&zeros.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.0);
        HllSketch::deserialize(&bytes).map_err(sketch_failed)
    }

    /// The inverse of [`Self::sketch`], of a sketch of as many registers.
    fn of(sketch: &HllSketch) -> Result<Self> {
        let bytes = as_type(sketch, HllType::Hll8)?.serialize();
        let registers = bytes.get(HEAD..HEAD + REGISTERS).filter(|_| bytes.get(7) == Some(&MODE_EIGHT_BITS));
        let registers = registers.ok_or_else(|| corrupt("a sketch of distinct values of another form"))?;
        if registers.iter().any(|register| *register > 64) {
            return Err(corrupt("a register is too great"));
        }
        Ok(Self(registers.into()))
    }
}

/// The sketch with registers of another width.
fn as_type(sketch: &HllSketch, width: HllType) -> Result<HllSketch> {
    let mut union = HllUnion::new(REGISTERS_LOG2).map_err(sketch_failed)?;
    union.update(sketch);
    Ok(union.to_sketch(width))
}

impl DistinctValues {
    pub(super) fn new() -> Self {
        Self::Kept(HashSet::default())
    }

    /// Adds canonical hashes.
    pub(super) fn extend(&mut self, mut hashes: impl Iterator<Item = u64>) {
        if let Self::Kept(kept) = self {
            for hash in hashes.by_ref() {
                kept.insert(hash);
                if kept.len() > KEPT {
                    break;
                }
            }
            if kept.len() > KEPT {
                let mut registers = Registers::new();
                kept.iter().for_each(|hash| registers.add(*hash));
                *self = Self::Sketched(registers);
            }
        }
        if let Self::Sketched(registers) = self {
            hashes.for_each(|hash| registers.add(hash));
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Kept(hashes)) => self.extend(hashes.iter().copied()),
            (Self::Sketched(ours), Self::Sketched(theirs)) => ours.merge(theirs),
            (Self::Kept(hashes), Self::Sketched(theirs)) => {
                let mut registers = theirs.clone();
                hashes.iter().for_each(|hash| registers.add(*hash));
                *self = Self::Sketched(registers);
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
            Self::Sketched(registers) => {
                let least = (KEPT + 1) as f64;
                // The library refuses only what isn't a sketch.
                let estimate = registers.sketch().map_or(least, |sketch| sketch.composite_estimate().max(least).round());
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
            Self::Sketched(registers) => {
                // Half the bytes in store. Should the library ever refuse, an empty block is what reading complains of.
                let packed = registers.sketch().and_then(|sketch| as_type(&sketch, HllType::Hll4));
                out.byte(1);
                out.block(&packed.map(|sketch| sketch.serialize()).unwrap_or_default());
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
                Ok(Self::Sketched(Registers::of(&sketch)?))
            }
            _ => Err(corrupt("an unknown form of distinct values")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::super::canonical::of_integer;
    use super::*;

    fn of(range: std::ops::Range<i64>) -> DistinctValues {
        let mut values = DistinctValues::new();
        values.extend(range.map(of_integer));
        values
    }

    #[test]
    fn counts_exactly_up_to_the_limit() {
        let mut values = of(0..3000);
        values.merge(&of(1000..4096));
        assert_eq!(values.figures(), Distinct { estimate: 4096.0, low: 4096.0, high: 4096.0, exact: true });
        values.merge(&of(4096..4097));
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
        parts.iter().for_each(|part| forwards.merge(part));
        let mut backwards = DistinctValues::new();
        parts.iter().rev().for_each(|part| backwards.merge(part));
        assert_eq!(forwards.figures(), backwards.figures());
        assert_eq!(forwards.figures(), of(0..30_100).figures());
    }

    #[test]
    fn registers_survive_the_library() {
        let DistinctValues::Sketched(registers) = of(0..100_000) else { panic!("not sketched") };
        let packed = as_type(&registers.sketch().unwrap(), HllType::Hll4).unwrap();
        assert_eq!(Registers::of(&HllSketch::deserialize(&packed.serialize()).unwrap()).unwrap(), registers);
    }
}
