//! Divides the rows of a spine into parts that are joined apart, on a cluster.
//!
//! ```text
//! records of the first group, file by file:   [a … f] [f … m]   [n … s] [t … z]      sorted, as a compaction leaves them
//! ranges of identifiers:                      └──── before n ─┘ └── from n on ─┘      cut between files, about equally many records each
//! parts of a range, by hash:                     0          1      2          3
//! ```
//!
//! A part reads only files that its identifiers can be in, so with ranges the history is read once by all parts together and not once
//! by each. Where files are not sorted there is nothing to cut, and the parts are made by hash alone. Few records that were written since
//! the last compaction don't count: each part looks into their files, too.
//!
//! A cut is a matter of speed alone. Any division gives the same rows.

use std::cmp::Ordering;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;

use super::PointInTimeJoin;
use super::identifiers::IdentifierKind;
use crate::backend::offline::bounds::Bound;
use crate::dataset::scan::GroupScan;
use crate::model::{Error, Result};

/// The smallest files, with one of so many records together, do not keep others from being told apart.
const FEW: u64 = 20;

/// Says which part a row of a spine belongs to.
#[derive(Debug)]
pub struct Division {
    kind: IdentifierKind,
    /// Position in the spine of the identifiers of the first group. Other groups' are in these parts, too.
    spine_id: usize,
    /// Where a range ends and the next begins, ascending.
    cuts: Vec<Bound>,
    /// Parts of a range.
    within: usize,
}

impl Division {
    /// Divides the spine of a join into at most so many parts.
    pub fn of(join: &PointInTimeJoin, parts: usize) -> Self {
        let parts = parts.max(1);
        let Some(first) = join.groups.first() else {
            return Self { kind: IdentifierKind::Text, spine_id: 0, cuts: Vec::new(), within: 1 };
        };
        let cuts = cuts(&files(first.scan.snapshot(), &first.keys.identifier), parts);
        let within = parts / (cuts.len() + 1);
        Self { kind: first.keys.kind, spine_id: first.spine_id, cuts, within }
    }

    /// Number of parts.
    pub fn parts(&self) -> usize {
        (self.cuts.len() + 1) * self.within
    }

    /// The rows of a batch by part, in their order; parts that have none are left out.
    pub fn divide(&self, batch: &RecordBatch) -> Result<Vec<(usize, RecordBatch)>> {
        if self.parts() == 1 {
            return Ok(vec![(0, batch.clone())]);
        }
        let fault = |error| Error::internal("the rows of a spine can't be divided").source(error);
        let identifiers = self.kind.read(batch.column(self.spine_id)).map_err(fault)?;
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); self.parts()];
        for row in 0..batch.num_rows() {
            // Rows without an identifier find nothing, wherever they are.
            let part = identifiers.hash(row).map_or(row % self.parts(), |hash| {
                let range = identifiers.bound(row).map_or(0, |found| {
                    self.cuts.partition_point(|cut| matches!(cut.compare(&found), Some(Ordering::Less | Ordering::Equal)))
                });
                range * self.within + (hash % self.within as u64) as usize
            });
            rows[part].push(u32::try_from(row).unwrap_or(u32::MAX));
        }
        let filled = rows.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty());
        filled.map(|(part, rows)| Ok((part, take_record_batch(batch, &UInt32Array::from(rows)).map_err(fault)?))).collect()
    }
}

/// A file's smallest and largest identifier and the number of its records.
type Extent = (Bound, Bound, u64);

/// The files of a group; none if of any large one it is not known what it holds.
fn files(scan: &GroupScan, identifier: &str) -> Vec<Extent> {
    let known = |file: &crate::dataset::scan::ScanFile| {
        let statistics = file.statistics()?;
        let bounds = statistics.columns.get(identifier)?;
        Some((bounds.min.clone()?, bounds.max.clone()?, statistics.rows))
    };
    scan.files.iter().map(known).collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// At most `parts − 1` identifiers between which files lie, with about equally many records from one to the next.
fn cuts(files: &[Extent], parts: usize) -> Vec<Bound> {
    let all: u64 = files.iter().map(|(_, _, rows)| rows).sum();
    let mut large: Vec<&Extent> = files.iter().collect();
    large.sort_by_key(|(_, _, rows)| *rows);
    let mut few = all / FEW;
    large.retain(|(_, _, rows)| match few.checked_sub(*rows) {
        Some(left) => {
            few = left;
            false
        }
        None => true,
    });
    large.sort_by(|(a, ..), (b, ..)| a.compare(b).unwrap_or(Ordering::Equal));
    let counted: u64 = large.iter().map(|(_, _, rows)| rows).sum();
    let (mut cuts, mut before): (Vec<Bound>, u64) = (Vec::new(), 0);
    let mut highest: Option<&Bound> = None;
    for (min, max, rows) in large {
        let is_gap = highest.is_some_and(|highest| matches!(highest.compare(min), Some(Ordering::Less | Ordering::Equal)));
        // Where the next range is due, counted in records: the first gap at or after it.
        let due = (cuts.len() as u64 + 1).saturating_mul(counted) / parts as u64;
        if is_gap && before >= due && cuts.len() + 1 < parts {
            cuts.push(min.clone());
        }
        before += rows;
        if highest.is_none_or(|highest| highest.compare(max) == Some(Ordering::Less)) {
            highest = Some(max);
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn file(min: &str, max: &str, rows: u64) -> Extent {
        (Bound::Text(min.into()), Bound::Text(max.into()), rows)
    }

    fn found(files: &[Extent], parts: usize) -> Vec<String> {
        let text = |bound| match bound {
            Bound::Text(text) => text,
            other => format!("{other:?}"),
        };
        cuts(files, parts).into_iter().map(text).collect()
    }

    #[test]
    fn sorted_files_are_cut_into_ranges_of_about_equal_size() {
        let sorted = [file("n", "s", 100), file("a", "f", 100), file("t", "z", 100), file("f", "m", 100)];
        assert_eq!(found(&sorted, 2), ["n"]);
        assert_eq!(found(&sorted, 4), ["f", "n", "t"]);
        assert_eq!(found(&sorted, 100), ["f", "n", "t"], "not within a file");
        assert_eq!(found(&sorted, 1), [""; 0]);
        assert_eq!(found(&[file("a", "b", 1_000), file("c", "d", 100), file("e", "f", 100)], 2), ["c"], "a large file is a range");
    }

    #[test]
    fn what_is_not_sorted_is_not_cut() {
        assert_eq!(found(&[file("a", "z", 100), file("b", "y", 100)], 4), [""; 0]);
        assert_eq!(found(&[], 4), [""; 0]);
        // A few late records all over.
        assert_eq!(found(&[file("a", "f", 100), file("a", "z", 2), file("n", "z", 100)], 2), ["n"]);
    }
}
