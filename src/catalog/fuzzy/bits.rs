//! Sets of rows, one bit each: a million rows in 125 kB, and two sets meet in microseconds.

use std::ops::Range;

/// A set of the rows below a length.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bits {
    blocks: Vec<u64>,
    length: usize,
}

impl Bits {
    /// No row of so many.
    pub fn none(length: usize) -> Self {
        Self { blocks: vec![0; length.div_ceil(64)], length }
    }

    /// All of so many rows.
    pub fn all(length: usize) -> Self {
        let mut bits = Self { blocks: vec![u64::MAX; length.div_ceil(64)], length };
        bits.trim();
        bits
    }

    pub(super) fn from_blocks(blocks: Vec<u64>, length: usize) -> Self {
        Self { blocks, length }
    }

    /// Rows beyond the length are never in the set.
    fn trim(&mut self) {
        let left = self.length % 64;
        if let (Some(last), true) = (self.blocks.last_mut(), left > 0) {
            *last &= (1 << left) - 1;
        }
    }

    /// How many rows there could be.
    pub fn length(&self) -> usize {
        self.length
    }

    /// How many are in it.
    pub fn count(&self) -> usize {
        self.blocks.iter().map(|block| block.count_ones() as usize).sum()
    }

    /// True if the row is in it.
    pub fn has(&self, row: usize) -> bool {
        self.blocks.get(row / 64).is_some_and(|block| block >> (row % 64) & 1 == 1)
    }

    /// Puts a row in.
    pub fn put(&mut self, row: usize) {
        if row < self.length {
            self.blocks[row / 64] |= 1 << (row % 64);
        }
    }

    /// Puts the rows of a range in.
    pub fn put_range(&mut self, range: Range<usize>) {
        let mut row = range.start;
        let end = range.end.min(self.length);
        while row < end {
            if row.is_multiple_of(64) && row + 64 <= end {
                self.blocks[row / 64] = u64::MAX;
                row += 64;
            } else {
                self.put(row);
                row += 1;
            }
        }
    }

    /// How many of a range are in it.
    pub fn count_in(&self, range: Range<usize>) -> usize {
        let (start, end) = (range.start, range.end.min(self.length));
        if start >= end {
            return 0;
        }
        let (first, last) = (start / 64, (end - 1) / 64);
        let head = u64::MAX << (start % 64);
        let tail = u64::MAX >> (63 - (end - 1) % 64);
        if first == last {
            return (self.blocks[first] & head & tail).count_ones() as usize;
        }
        let middle: usize = self.blocks[first + 1..last].iter().map(|block| block.count_ones() as usize).sum();
        middle + (self.blocks[first] & head).count_ones() as usize + (self.blocks[last] & tail).count_ones() as usize
    }

    /// Keeps what is in the other as well.
    pub fn keep(&mut self, other: &Self) {
        self.blocks.iter_mut().zip(&other.blocks).for_each(|(block, other)| *block &= other);
    }

    /// Takes out what is in the other.
    pub fn take_out(&mut self, other: &Self) {
        self.blocks.iter_mut().zip(&other.blocks).for_each(|(block, other)| *block &= !other);
    }

    /// Adds what is in the other.
    pub fn add(&mut self, other: &Self) {
        self.blocks.iter_mut().zip(&other.blocks).for_each(|(block, other)| *block |= other);
    }

    /// Its rows in order.
    pub fn rows(&self) -> impl Iterator<Item = usize> + '_ {
        self.blocks.iter().enumerate().flat_map(|(at, block)| each(*block).map(move |bit| at * 64 + bit))
    }

    pub(super) fn block(&self, at: usize) -> u64 {
        self.blocks[at]
    }
}

/// The places of the bits of a block, lowest first.
pub(super) fn each(mut block: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = (block != 0).then(|| block.trailing_zeros() as usize)?;
        block &= block - 1;
        Some(bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_rows_hold_what_was_put_in_at_every_edge() {
        for length in [0, 1, 63, 64, 65, 200] {
            assert_eq!(Bits::all(length).rows().collect::<Vec<_>>(), (0..length).collect::<Vec<_>>());
            for (start, end) in [(0, 1), (0, 64), (10, 130), (63, 65), (64, 128), (5, 5), (70, 300)] {
                let mut bits = Bits::none(length);
                bits.put_range(start..end);
                let expected: Vec<usize> = (start..end.min(length)).collect();
                assert_eq!(bits.rows().collect::<Vec<_>>(), expected, "{start}..{end} of {length}");
                assert_eq!(bits.count(), bits.count_in(0..length));
                assert_eq!(Bits::all(length).count_in(start..end), expected.len());
                let mut rest = Bits::all(length);
                rest.take_out(&bits);
                assert_eq!(rest.count() + bits.count(), length);
                rest.keep(&bits);
                assert_eq!(rest.count(), 0);
            }
        }
    }
}
