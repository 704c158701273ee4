//! Lengths: least, greatest and sum of whole numbers such as the bytes of a text or the elements of a list.

use super::codec::{Reader, Writer, corrupt};
use super::figures::LengthFigures;
use crate::model::Result;

/// Lengths of some things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lengths {
    n: u64,
    least: u64,
    greatest: u64,
    sum: u128,
}

impl Lengths {
    pub(super) const NONE: Self = Self { n: 0, least: u64::MAX, greatest: 0, sum: 0 };

    /// Adds `count` things of one length.
    pub(super) fn add(&mut self, length: u64, count: u64) {
        self.n += count;
        self.least = self.least.min(length);
        self.greatest = self.greatest.max(length);
        self.sum += u128::from(length) * u128::from(count);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.sum += other.sum;
    }

    pub(super) fn n(&self) -> u64 {
        self.n
    }

    pub(super) fn figures(&self) -> Option<LengthFigures> {
        (self.n > 0).then(|| LengthFigures { min: self.least, mean: self.sum as f64 / self.n as f64, max: self.greatest })
    }

    pub(super) fn write(&self, out: &mut Writer) {
        for number in [self.n, self.least, self.greatest, self.sum as u64, (self.sum >> 64) as u64] {
            out.number(number);
        }
    }

    pub(super) fn read(input: &mut Reader<'_>) -> Result<Self> {
        let (n, least, greatest) = (input.number()?, input.number()?, input.number()?);
        let (low, high) = (input.number()?, input.number()?);
        let sum = u128::from(low) | (u128::from(high) << 64);
        // A quarter of the range holds 2^48 lengths of 2^64, and no merge of what passes can overflow.
        if sum > u128::MAX / 4 || n > 1 << 48 {
            return Err(corrupt("a sum of lengths is too great"));
        }
        Ok(Self { n, least, greatest, sum })
    }
}
