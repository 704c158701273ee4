//! Merging sorted runs into one: a tournament of their next rows.
//!
//! Runs are given in the order in which their rows were committed; of equal rows the earlier run's come first. Memory is
//! a batch of each run, what its reader holds, and the batch being built. Every run is watched: a row that comes before
//! its predecessor stops the merge with the run's name, since a file that is not sorted though it says so must not
//! spoil the order of the others.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::SchemaRef;

use super::order::{Keys, OrderColumns, compare};
use crate::model::{Error, Result};

/// Rows of a batch that comes out.
pub(super) const MERGED_ROWS: usize = 8_192;

/// Why a merge stopped before its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// This run is not sorted.
    Unsorted(Arc<str>),
    /// Something failed.
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Sorted rows, batch by batch, with the columns of the table.
pub(super) struct OpenRun {
    pub(super) name: Arc<str>,
    pub(super) batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send>,
}

/// A place in a run; without keys at its end.
struct Cursor {
    run: OpenRun,
    keys: Option<Keys>,
    /// Where its batch is held.
    slot: usize,
    row: usize,
    rows: usize,
}

impl Cursor {
    /// Goes to the next row.
    fn advance(&mut self, columns: &OrderColumns, held: &mut Vec<RecordBatch>) -> std::result::Result<(), Stopped> {
        let unsorted = || Stopped::Unsorted(self.run.name.clone());
        if let Some(keys) = &self.keys
            && self.row + 1 < self.rows
        {
            if compare(keys, self.row, keys, self.row + 1).is_gt() {
                return Err(unsorted());
            }
            self.row += 1;
            return Ok(());
        }
        let before = self.keys.take();
        for batch in self.run.batches.by_ref() {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            let keys = Keys::of(&batch, columns)?;
            if before.as_ref().is_some_and(|before| compare(before, self.row, &keys, 0).is_gt()) {
                return Err(unsorted());
            }
            (self.keys, self.slot, self.row, self.rows) = (Some(keys), held.len(), 0, batch.num_rows());
            held.push(batch);
            return Ok(());
        }
        Ok(())
    }
}

/// True if the next row of the first cursor comes out before that of the second.
fn is_first(cursors: &[Cursor], a: usize, b: usize) -> bool {
    match (&cursors[a].keys, &cursors[b].keys) {
        (Some(x), Some(y)) => compare(x, cursors[a].row, y, cursors[b].row).then(a.cmp(&b)).is_lt(),
        (Some(_), None) => true,
        (None, Some(_)) => false,
        (None, None) => a < b,
    }
}

/// Merges runs.
pub(super) struct Merge {
    schema: SchemaRef,
    columns: OrderColumns,
    cursors: Vec<Cursor>,
    /// A tree of losers: at 0 the cursor that is first, at every other node the loser of the game played there.
    tree: Vec<usize>,
    /// Batches that rows are picked from.
    held: Vec<RecordBatch>,
    /// Slot and row of the rows that come next.
    picks: Vec<(usize, usize)>,
}

impl Merge {
    /// Reads the first rows of runs, given in the order in which their rows were committed.
    pub(super) fn open(schema: &SchemaRef, columns: &OrderColumns, runs: Vec<OpenRun>) -> std::result::Result<Self, Stopped> {
        let mut held = Vec::with_capacity(2 * runs.len());
        let mut cursors = Vec::with_capacity(runs.len());
        for run in runs {
            let mut cursor = Cursor { run, keys: None, slot: 0, row: 0, rows: 0 };
            cursor.advance(columns, &mut held)?;
            cursors.push(cursor);
        }
        let mut merge =
            Self { schema: schema.clone(), columns: *columns, cursors, tree: Vec::new(), held, picks: Vec::with_capacity(MERGED_ROWS) };
        merge.play_all();
        Ok(merge)
    }

    /// Plays every game once.
    fn play_all(&mut self) {
        let runs = self.cursors.len();
        self.tree = vec![usize::MAX; runs];
        for cursor in 0..runs {
            let mut winner = cursor;
            let mut node = (runs + cursor) / 2;
            while node != 0 && self.tree[node] != usize::MAX {
                if is_first(&self.cursors, self.tree[node], winner) {
                    std::mem::swap(&mut self.tree[node], &mut winner);
                }
                node /= 2;
            }
            self.tree[node] = winner;
        }
    }

    /// Plays the games of the cursor that was first again, after it has moved.
    fn play_again(&mut self) {
        let mut winner = self.tree[0];
        let mut node = (self.cursors.len() + winner) / 2;
        while node != 0 {
            if is_first(&self.cursors, self.tree[node], winner) {
                std::mem::swap(&mut self.tree[node], &mut winner);
            }
            node /= 2;
        }
        self.tree[0] = winner;
    }

    /// The next rows in order; none at the end.
    pub(super) fn next_batch(&mut self) -> std::result::Result<Option<RecordBatch>, Stopped> {
        if self.cursors.is_empty() {
            return Ok(None);
        }
        while self.picks.len() < MERGED_ROWS {
            let first = &mut self.cursors[self.tree[0]];
            if first.keys.is_none() {
                break;
            }
            self.picks.push((first.slot, first.row));
            first.advance(&self.columns, &mut self.held)?;
            self.play_again();
        }
        if self.picks.is_empty() {
            return Ok(None);
        }
        let batch = self.picked()?;
        self.picks.clear();
        self.let_go();
        Ok(Some(batch))
    }

    fn picked(&self) -> Result<RecordBatch> {
        let (slot, row) = self.picks[0];
        if self.picks.iter().enumerate().all(|(at, pick)| *pick == (slot, row + at)) {
            return Ok(self.held[slot].slice(row, self.picks.len()));
        }
        let fault = |error| Error::internal("can't put merged rows together").source(error);
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for position in 0..self.schema.fields().len() {
            let sources: Vec<&dyn Array> = self.held.iter().map(|batch| batch.column(position).as_ref()).collect();
            columns.push(interleave(&sources, &self.picks).map_err(fault)?);
        }
        RecordBatch::try_new(self.schema.clone(), columns).map_err(fault)
    }

    /// Drops the batches that no cursor stands in.
    fn let_go(&mut self) {
        let mut kept = Vec::with_capacity(2 * self.cursors.len());
        for cursor in self.cursors.iter_mut().filter(|cursor| cursor.keys.is_some()) {
            kept.push(self.held[cursor.slot].clone());
            cursor.slot = kept.len() - 1;
        }
        self.held = kept;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::super::samples::{self, Row, batch, rows};
    use super::*;
    use crate::model::{FeatureGroup, FeatureType};

    fn open(group: &FeatureGroup, runs: &[Vec<Row>], batch_rows: usize) -> Vec<OpenRun> {
        let run = |(number, rows): (usize, &Vec<Row>)| {
            let batches: Vec<_> = rows.chunks(batch_rows).map(|rows| Ok(batch(group, rows))).collect();
            // An empty batch among them is nothing to stumble over.
            let empty = std::iter::once(Ok(batch(group, &[])));
            OpenRun { name: number.to_string().into(), batches: Box::new(empty.chain(batches)) }
        };
        runs.iter().enumerate().map(run).collect()
    }

    #[test]
    fn runs_become_one_in_the_order_a_slow_sort_gives() {
        let mut random = StdRng::seed_from_u64(31);
        for round in 0..150 {
            let group = samples::group(FeatureType::ALL[round % 3]);
            let columns = OrderColumns::find(&samples::columns_of(&group), &group).unwrap();
            let mut runs = Vec::new();
            let mut number = 0;
            for _ in 0..random.random_range(0..9) {
                let count = random.random_range(0..40);
                let mut rows = rows(&mut random, number..number + count);
                rows.sort_by_key(Row::key);
                number += count;
                runs.push(rows);
            }
            // A later row of equals is one of a later run, or stands later in its run.
            let mut expected: Vec<Row> = runs.iter().flatten().cloned().collect();
            expected.sort_by_key(Row::key);
            let mut merge = Merge::open(&samples::columns_of(&group), &columns, open(&group, &runs, 1 + round % 7)).unwrap();
            let mut found = Vec::new();
            while let Some(batch) = merge.next_batch().unwrap() {
                found.extend(batch.column(2).as_primitive::<Int64Type>().values().iter().copied());
            }
            assert_eq!(found, expected.iter().map(|row| row.number).collect::<Vec<_>>(), "round {round}");
        }
    }

    #[test]
    fn a_run_that_is_not_sorted_is_named() {
        let group = samples::group(FeatureType::String);
        let columns = OrderColumns::find(&samples::columns_of(&group), &group).unwrap();
        let mut random = StdRng::seed_from_u64(32);
        let mut sorted = rows(&mut random, 0..50);
        sorted.sort_by_key(Row::key);
        let mut swapped = sorted.clone();
        swapped.swap(0, 49);
        for batch_rows in [1, 7, 100] {
            let runs = [sorted.clone(), swapped.clone(), sorted.clone()];
            let merging = Merge::open(&samples::columns_of(&group), &columns, open(&group, &runs, batch_rows));
            let stopped = merging.and_then(|mut merge| {
                while merge.next_batch()?.is_some() {}
                Ok(())
            });
            let Err(Stopped::Unsorted(name)) = stopped else { panic!("nobody noticed, in batches of {batch_rows}") };
            assert_eq!(&*name, "1");
        }
    }
}
