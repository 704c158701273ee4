//! Writing merged rows into files of the target's size.
//!
//! A file is ended at the first place behind the target where the identifier changes, and where the log can tell the
//! identifiers apart, which shortens long texts; so identifiers of two outputs don't overlap. An identifier that goes on
//! to twice the target is cut where its event time changes. Rows that are equal in both stay together in any case: what
//! decides between them is their order in a file.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use tokio::runtime::Handle;

use super::CompactionTarget;
use super::order::{Keys, OrderColumns, compare_identifiers, is_same_instant};
use crate::backend::offline::OfflineStore;
use crate::backend::offline::parquet_file::{StagedFile, Staging};
use crate::backend::offline::scan::bound_at;
use crate::model::{EventTime, FeatureGroup, Result};

/// What outputs are written with.
pub(super) struct Output<'a> {
    pub(super) store: &'a OfflineStore,
    pub(super) runtime: &'a Handle,
    pub(super) group: &'a FeatureGroup,
    pub(super) schema: &'a SchemaRef,
    pub(super) columns: &'a OrderColumns,
    pub(super) target: CompactionTarget,
    /// The latest event of the rows, for the files' names.
    pub(super) latest: EventTime,
}

/// Files that are being written, one after another.
pub(super) struct Outputs<'a> {
    output: Output<'a>,
    open: Option<Staging>,
    done: Vec<StagedFile>,
    /// The row that was written last.
    last: Option<RecordBatch>,
}

impl<'a> Outputs<'a> {
    pub(super) fn new(output: Output<'a>) -> Self {
        Self { output, open: None, done: Vec::new(), last: None }
    }

    /// Appends rows in order.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let mut rest = batch.clone();
        while rest.num_rows() > 0 {
            let end = match self.cut(&rest)? {
                Some(0) => {
                    self.end_file()?;
                    continue;
                }
                Some(row) => row,
                None => rest.num_rows(),
            };
            self.append(&rest.slice(0, end))?;
            rest = rest.slice(end, rest.num_rows() - end);
        }
        Ok(())
    }

    fn append(&mut self, batch: &RecordBatch) -> Result<()> {
        let Output { store, runtime, group, schema, latest, .. } = &self.output;
        let staging = match &mut self.open {
            Some(staging) => staging,
            None => self.open.insert(Staging::open(store, runtime, group, (*schema).clone(), *latest)?),
        };
        staging.write(batch)?;
        self.last = Some(batch.slice(batch.num_rows() - 1, 1));
        Ok(())
    }

    fn end_file(&mut self) -> Result<()> {
        if let Some(staging) = self.open.take() {
            self.done.push(staging.finish()?);
        }
        Ok(())
    }

    /// The first row of these before which the file at hand should end; none while it has room.
    fn cut(&self, rows: &RecordBatch) -> Result<Option<usize>> {
        let CompactionTarget { rows: most_rows, bytes: most_bytes } = self.output.target;
        let (written, bytes) = self.open.as_ref().map_or((0, 0), |staging| (staging.rows(), staging.bytes()));
        // Rows that still have room go in, one at least; from there on every place is looked at.
        let room = if bytes < most_bytes { most_rows.saturating_sub(written) } else { 0 };
        let first = usize::try_from(room).unwrap_or(usize::MAX).max(usize::from(written == 0));
        if first >= rows.num_rows() {
            return Ok(None);
        }
        let columns = self.output.columns;
        let keys = Keys::of(rows, columns)?;
        let before = self.last.as_ref().map(|last| Keys::of(last, columns).map(|keys| (last, keys))).transpose()?;
        let is_beyond = |row: usize| written + row as u64 >= most_rows.saturating_mul(2) || bytes >= most_bytes.saturating_mul(2);
        for row in first..rows.num_rows() {
            // Where the first row is looked at, the file holds rows before it.
            let (previous, last, at) = match (&before, row) {
                (Some((last, before)), 0) => (before, *last, 0),
                (None, 0) => continue,
                _ => (&keys, rows, row - 1),
            };
            let is_place = if compare_identifiers(previous, at, &keys, row).is_ne() {
                is_beyond(row) || are_told_apart(last.column(columns.identifier), at, rows.column(columns.identifier), row)
            } else {
                is_beyond(row) && !is_same_instant(previous, at, &keys, row)
            };
            if is_place {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Ends the last file; returns all.
    pub(super) fn finish(mut self) -> (Vec<StagedFile>, Result<()>) {
        let ended = self.end_file();
        (self.done, ended)
    }

    /// Gives the file at hand up; returns those that were ended before.
    pub(super) fn give_up(mut self) -> Vec<StagedFile> {
        if let Some(staging) = self.open.take() {
            // There is an error to tell already; what is left is litter that goes by its age.
            let _ = staging.give_up();
        }
        self.done
    }
}

/// True if the log can tell identifiers up to the first one from those from the second on. Nulls are told by their count.
fn are_told_apart(first: &ArrayRef, at: usize, second: &ArrayRef, row: usize) -> bool {
    match (bound_at(first, at), bound_at(second, row)) {
        (Some(lower), Some(upper)) => lower.is_told_from(&upper),
        _ => true,
    }
}
