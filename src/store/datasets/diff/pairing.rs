//! Which rows of two datasets are one: those with the same identifier and time, the first with the first, the second with
//! the second.

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use xxhash_rust::xxh3::xxh3_128;

use crate::model::{Error, Result};

/// Rows that are in both.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pairing {
    /// Each of so many rows is where it was.
    Aligned(u64),
    /// Numbers of the row in the first and in the second, in the order of the first.
    Matched(Vec<(u32, u32)>),
}

impl Pairing {
    /// Number of pairs.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Aligned(rows) => *rows,
            Self::Matched(pairs) => pairs.len() as u64,
        }
    }

    /// Number in the second of a pair's row.
    pub(super) fn second(&self, pair: usize) -> u64 {
        match self {
            Self::Aligned(_) => pair as u64,
            Self::Matched(pairs) => u64::from(pairs[pair].1),
        }
    }

    /// A column of the first, in the order of the pairs.
    pub(super) fn of_first(&self, column: &ArrayRef) -> Result<ArrayRef> {
        self.taken(column, |pair| pair.0)
    }

    /// A column of the second, in the order of the pairs.
    pub(super) fn of_second(&self, column: &ArrayRef) -> Result<ArrayRef> {
        self.taken(column, |pair| pair.1)
    }

    fn taken(&self, column: &ArrayRef, row: impl Fn(&(u32, u32)) -> u32) -> Result<ArrayRef> {
        match self {
            Self::Aligned(_) => Ok(column.clone()),
            Self::Matched(pairs) => {
                let rows: UInt32Array = pairs.iter().map(row).collect::<Vec<u32>>().into();
                take(column, &rows, None).map_err(|error| Error::internal("rows can't be put side by side").source(error))
            }
        }
    }

    /// Rows that changed places with others: the fewest that have to be moved so that all are in order again.
    pub(super) fn moved(&self) -> u64 {
        let Self::Matched(pairs) = self else { return 0 };
        // The longest run that kept its order stays; `ends[n]` is the least last row of a run of n + 1.
        let mut ends: Vec<u32> = Vec::new();
        for (_, row) in pairs {
            let place = ends.partition_point(|end| end < row);
            match ends.get_mut(place) {
                Some(end) => *end = *row,
                None => ends.push(*row),
            }
        }
        (pairs.len() - ends.len()) as u64
    }
}

/// Pairs rows by their keys. Returns the pairs, the rows of the first that have no partner, and those of the second.
pub(super) fn pair(first: &[ArrayRef; 2], second: &[ArrayRef; 2]) -> Result<(Pairing, Vec<u32>, Vec<u32>)> {
    let (first, second) = (sorted_keys(first)?, sorted_keys(second)?);
    let (mut pairs, mut removed, mut added) = (Vec::new(), Vec::new(), Vec::new());
    let (mut left, mut right) = (first.iter().peekable(), second.iter().peekable());
    loop {
        match (left.peek(), right.peek()) {
            (Some((one, row)), Some((two, other))) if one == two => {
                pairs.push((*row, *other));
                left.next();
                right.next();
            }
            (Some((one, row)), two) if two.is_none_or(|(two, _)| one < two) => {
                removed.push(*row);
                left.next();
            }
            (_, Some((_, row))) => {
                added.push(*row);
                right.next();
            }
            (_, None) => break,
        }
    }
    pairs.sort_unstable();
    removed.sort_unstable();
    added.sort_unstable();
    Ok((Pairing::Matched(pairs), removed, added))
}

/// A digest of each row's key with the row's number, in order of both.
fn sorted_keys(columns: &[ArrayRef; 2]) -> Result<Vec<(u128, u32)>> {
    let rows = u32::try_from(columns[0].len())
        .map_err(|_| Error::invalid("a dataset of more than 4 294 967 295 rows can't be compared row by row"))?;
    let unprintable = |error| Error::internal("the keys of a spine can't be compared").source(error);
    let options = FormatOptions::new();
    let formatters = columns
        .iter()
        .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(unprintable)?;
    let mut keys = Vec::with_capacity(rows as usize);
    let mut text = String::new();
    for row in 0..rows {
        use std::fmt::Write;
        text.clear();
        for (column, formatter) in columns.iter().zip(&formatters) {
            // No text can stand for null, nor run into the next.
            let is_there = column.is_valid(row as usize);
            let from = text.len();
            let _ = if is_there { write!(text, "{}", formatter.value(row as usize)) } else { Ok(()) };
            let length = text.len() - from;
            let _ = write!(text, "\u{0}{is_there}{length}\u{0}");
        }
        keys.push((xxh3_128(text.as_bytes()), row));
    }
    keys.sort_unstable();
    Ok(keys)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn keys(rows: &[(Option<&str>, Option<i64>)]) -> [ArrayRef; 2] {
        let ids: StringArray = rows.iter().map(|row| row.0).collect();
        let times: Int64Array = rows.iter().map(|row| row.1).collect();
        [Arc::new(ids), Arc::new(times)]
    }

    #[test]
    fn rows_are_found_again_by_key_and_repeats_in_their_order() {
        let first = keys(&[(Some("a"), Some(1)), (Some("b"), Some(1)), (Some("a"), Some(1)), (None, Some(1)), (Some("c"), None)]);
        let second = keys(&[(Some("c"), None), (Some("a"), Some(1)), (Some("b"), Some(2)), (Some("a"), Some(1)), (Some("a"), Some(1))]);
        let (pairing, removed, added) = pair(&first, &second).unwrap();
        assert_eq!(pairing, Pairing::Matched(vec![(0, 1), (2, 3), (4, 0)]));
        assert_eq!((removed, added), (vec![1, 3], vec![2, 4]));
        assert_eq!((pairing.len(), pairing.moved(), pairing.second(2)), (3, 1, 0));
        let column: ArrayRef = Arc::new(Int64Array::from(vec![10, 11, 12, 13, 14]));
        let expected: ArrayRef = Arc::new(Int64Array::from(vec![11, 13, 10]));
        assert_eq!(&pairing.of_second(&column).unwrap(), &expected);
    }

    #[test]
    fn as_few_rows_as_possible_have_moved() {
        let moved = |rows: &[u32]| Pairing::Matched(rows.iter().enumerate().map(|(at, row)| (at as u32, *row)).collect()).moved();
        assert_eq!(moved(&[]), 0);
        assert_eq!(moved(&[5, 6, 9]), 0, "rows that came in between move nobody");
        assert_eq!(moved(&[9, 1, 2, 3]), 1);
        assert_eq!(moved(&[3, 2, 1]), 2);
    }
}
