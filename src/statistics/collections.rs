//! Collections: the state of a column of lists, sets or vectors.
//!
//! A collection has a length, a list of numbers a norm too; its elements have a profile of their own. Two collections
//! are one value where their elements are, in order.

use super::codec::{Reader, Writer, corrupt};
use super::distinct::DistinctValues;
use super::figures::{LengthFigures, NormFigures};
use super::lengths::Lengths;
use super::moments::Moments;
use super::profile::ColumnProfile;
use crate::model::Result;

/// State of a column of collections.
#[derive(Debug, Clone)]
pub(super) struct Collections {
    lengths: Lengths,
    empty: u64,
    norms: Norms,
    distinct: DistinctValues,
    pub(super) elements: Box<ColumnProfile>,
}

/// Euclidean norms; the sum is exact, so no order of merging shows.
#[derive(Debug, Clone)]
struct Norms {
    n: u64,
    least: f64,
    greatest: f64,
    sum: Moments,
}

impl Collections {
    /// A column whose elements go into a profile.
    pub(super) fn new(elements: ColumnProfile) -> Self {
        let norms = Norms { n: 0, least: f64::INFINITY, greatest: 0.0, sum: Moments::fractional() };
        Self { lengths: Lengths::NONE, empty: 0, norms, distinct: DistinctValues::new(), elements: Box::new(elements) }
    }

    /// Adds a collection of so many elements with its canonical hash, and its norm if all are finite numbers.
    pub(super) fn add(&mut self, length: u64, hash: u64, norm: Option<f64>) {
        self.lengths.add(length, 1);
        self.empty += u64::from(length == 0);
        if let Some(norm) = norm.filter(|norm| norm.is_finite()) {
            self.norms.n += 1;
            self.norms.least = self.norms.least.min(norm);
            self.norms.greatest = self.norms.greatest.max(norm);
            self.norms.sum.add_float(norm, 1);
        }
        self.distinct.extend(std::iter::once(hash));
    }

    pub(super) fn merge(&mut self, other: &Self) -> Result<()> {
        self.lengths.merge(&other.lengths);
        self.empty += other.empty;
        self.norms.n += other.norms.n;
        self.norms.least = self.norms.least.min(other.norms.least);
        self.norms.greatest = self.norms.greatest.max(other.norms.greatest);
        self.norms.sum.merge(&other.norms.sum);
        self.distinct.merge(&other.distinct);
        self.elements.merge(&other.elements)
    }

    pub(super) fn distinct(&self) -> &DistinctValues {
        &self.distinct
    }

    pub(super) fn empty(&self) -> u64 {
        self.empty
    }

    pub(super) fn lengths(&self) -> Option<LengthFigures> {
        self.lengths.figures()
    }

    pub(super) fn norms(&self) -> Option<NormFigures> {
        let Norms { n, least, greatest, sum } = &self.norms;
        sum.mean(*n).map(|mean| NormFigures { min: *least, mean, max: *greatest })
    }

    pub(super) fn write(&self, out: &mut Writer) {
        self.lengths.write(out);
        out.number(self.empty);
        out.number(self.norms.n);
        out.float(self.norms.least);
        out.float(self.norms.greatest);
        self.norms.sum.sums().into_iter().for_each(|sum| out.wide(sum));
        self.distinct.write(out);
        self.elements.write(out);
    }

    /// Reads the state of a column with `values` values, whose elements `elements` reads.
    pub(super) fn read(
        input: &mut Reader<'_>,
        values: u64,
        elements: impl FnOnce(&mut Reader<'_>) -> Result<ColumnProfile>,
    ) -> Result<Self> {
        let lengths = Lengths::read(input)?;
        let empty = input.number()?;
        let (n, least, greatest) = (input.number()?, input.float()?, input.float()?);
        let mut sum = Moments::fractional();
        let [first, second] = sum.limbs();
        let right = sum.restore(input.wide(first)?, input.wide(second)?);
        let bounded = n == 0 || (least.is_finite() && greatest.is_finite() && least <= greatest);
        if !right || !bounded || lengths.n() != values || empty > values || n > values {
            return Err(corrupt("counts don't add up"));
        }
        let distinct = DistinctValues::read(input)?;
        let elements = Box::new(elements(input)?);
        Ok(Self { lengths, empty, norms: Norms { n, least, greatest, sum }, distinct, elements })
    }
}
