//! Writing merged rows into files of the target's size.
//!
//! A file is ended at the first place behind the target where the identifier changes, and where the log can tell the
//! identifiers apart, which shortens long texts; so identifiers of two outputs don't overlap. An identifier that goes on
//! to twice the target is cut where its event time changes. Rows that are equal in both stay together in any case: what
//! decides between them is their order in a file.

use arrow::array::RecordBatch;
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
        let (Some(staging), Some(last)) = (&self.open, &self.last) else { return Ok(None) };
        let CompactionTarget { rows: most_rows, bytes: most_bytes } = self.output.target;
        let room = most_rows.saturating_sub(staging.rows());
        if room >= rows.num_rows() as u64 && staging.bytes() < most_bytes {
            return Ok(None);
        }
        // Rows that still have room go in; from there on every change of identifier is looked at.
        let first = if staging.bytes() >= most_bytes { 0 } else { usize::try_from(room).unwrap_or(usize::MAX) };
        let is_beyond = |row: usize| {
            staging.rows() + row as u64 >= most_rows.saturating_mul(2) || staging.bytes() >= most_bytes.saturating_mul(2)
        };
        let (before, keys) = (Keys::of(last, self.output.columns)?, Keys::of(rows, self.output.columns)?);
        for row in first..rows.num_rows() {
            let (previous, at) = if row == 0 { (&before, 0) } else { (&keys, row - 1) };
            if compare_identifiers(previous, at, &keys, row).is_ne() {
                let column = self.output.columns.identifier;
                let lower = if row == 0 { bound_at(last.column(column), 0) } else { bound_at(rows.column(column), row - 1) };
                let is_told = match (lower, bound_at(rows.column(column), row)) {
                    (Some(lower), Some(upper)) => lower.is_told_from(&upper),
                    _ => true,
                };
                if is_told || is_beyond(row) {
                    return Ok(Some(row));
                }
            } else if is_beyond(row) && !is_same_instant(previous, at, &keys, row) {
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
