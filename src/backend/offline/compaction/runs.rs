//! What is merged: sorted runs of rows, and how many of them can be open at once.
//!
//! A data file of ours is a run. Another writer's file need not be sorted: its rows are read in pieces, each sorted and
//! made a run. An open run costs memory: the page and the dictionary of each column that are being read, and a
//! batch. The footer tells about how much; where the runs of a merge cost more than 160 MiB together, or are more than
//! 192, neighbours are merged first, into memory if they are tiny and else into files beside the data that go away with
//! the compaction. A thousand small drains take one such level of a few megabytes, a thousand large ones a level or two
//! that write every row again.
//!
//! So the memory of a compaction is at most 160 MiB for its runs, whatever their number, a row group being encoded, and a
//! few batches and chunks between the threads.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

use super::Job;
use super::merge::{Merge, OpenRun, Stopped};
use super::order::{Keys, compare};
use crate::backend::offline::FileBytes;
use crate::backend::offline::parquet_file::{StagedFile, Staging};
use crate::backend::offline::scan::conformed;
use crate::model::{Error, Result};

/// What a merge may take. Tests take less, so that little data goes every way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Bytes of memory of all open runs.
    memory: u64,
    /// Most runs that are open at once: each holds a file open.
    runs: usize,
    /// Bytes of a run that stays in memory though it is not open, and of all such runs together.
    kept: (usize, usize),
    /// Rows of a piece of a file that is not sorted, and their bytes in memory.
    piece: (usize, usize),
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 160 << 20, runs: 192, kept: (8 << 20, 32 << 20), piece: (1 << 17, 24 << 20) }
    }
}

impl Limits {
    /// True if these runs can be open at once.
    fn allow(&self, runs: &[Run], more: &[Run]) -> bool {
        runs.len() + more.len() <= self.runs && runs.iter().chain(more).map(|run| run.cost).sum::<u64>() <= self.memory
    }
}

/// Rows decoded at once, of the runs together and of one.
const BATCH_ROWS: (usize, usize) = (1 << 17, 8_192);
/// Fewest rows decoded at once.
const LEAST_BATCH_ROWS: usize = 1_024;
/// Rows of a page that is full.
const PAGE_ROWS: u64 = 20_000;

/// A run that is not open.
pub(super) struct Run {
    name: Arc<str>,
    place: Place,
    /// Memory while it is open.
    cost: u64,
}

enum Place {
    /// A file of the table, and its bytes.
    Table(String, u64),
    /// A file of this compaction's own.
    Own(StagedFile),
    /// No file.
    Memory(Vec<RecordBatch>),
}

impl Job<'_> {
    /// The runs of the files, few enough to be merged at once. Files that are known not to be sorted, `unsorted`, are
    /// taken apart.
    pub(super) fn runs(&self, unsorted: &[Arc<str>]) -> std::result::Result<Vec<Run>, Stopped> {
        let mut runs = Vec::with_capacity(self.files.len());
        self.rows.store(0, Ordering::Relaxed);
        for file in self.files {
            self.check_cancelled()?;
            let name: Arc<str> = Arc::from(file.path.as_str());
            let builder = self.reader(&name, &file.path, file.size)?;
            let rows = builder.metadata().file_metadata().num_rows();
            self.rows.fetch_add(u64::try_from(rows).unwrap_or(0), Ordering::Relaxed);
            if unsorted.contains(&name) || !self.says_sorted(builder.metadata()) {
                self.pieces(&name, builder, &mut runs)?;
            } else {
                runs.push(Run { name, cost: cost_of(builder.metadata(), BATCH_ROWS.1), place: Place::Table(file.path.clone(), file.size) });
            }
        }
        self.merge_neighbours(runs)
    }

    /// Opens runs.
    pub(super) fn open(&self, runs: &[Run]) -> Result<Vec<OpenRun>> {
        let rows = (BATCH_ROWS.0 / runs.len().max(1)).clamp(LEAST_BATCH_ROWS, BATCH_ROWS.1);
        let mut open = Vec::with_capacity(runs.len());
        for run in runs {
            let (path, size) = match &run.place {
                Place::Table(path, size) => (path, *size),
                Place::Own(file) => (&file.path, file.size),
                Place::Memory(batches) => {
                    open.push(OpenRun { name: run.name.clone(), batches: Box::new(batches.clone().into_iter().map(Ok)) });
                    continue;
                }
            };
            let builder = self.reader(&run.name, path, size)?.with_batch_size(rows);
            open.push(OpenRun { name: run.name.clone(), batches: self.batches(&run.name, builder)? });
        }
        Ok(open)
    }

    /// Gives back what merged runs took.
    fn clear(&self, runs: Vec<Run>) {
        for run in runs {
            match run.place {
                Place::Table(..) => {}
                Place::Own(file) => self.discard(&[file]),
                Place::Memory(_) => {
                    self.kept_bytes.fetch_sub(run.cost as usize, Ordering::Relaxed);
                }
            }
        }
    }

    fn reader(&self, name: &str, path: &str, size: u64) -> Result<ParquetRecordBatchReaderBuilder<FileBytes>> {
        let file = self.store.disk()?.open_file(&self.folder.data_file(path), size, Some(self.runtime))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unreadable(name, error))?;
        let columns: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
        Ok(builder.with_projection(mask))
    }

    /// The batches of a file with the columns of the table.
    fn batches(
        &self,
        name: &Arc<str>,
        builder: ParquetRecordBatchReaderBuilder<FileBytes>,
    ) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>> + Send>> {
        let reader = builder.build().map_err(|error| unreadable(name, error))?;
        let (schema, name) = (self.schema.clone(), name.clone());
        Ok(Box::new(reader.map(move |batch| {
            let batch = batch.map_err(|error| unreadable(&name, error))?;
            conformed(&schema, &name, &batch)
        })))
    }

    /// True if the footer says that each row group is sorted as ours are.
    fn says_sorted(&self, footer: &ParquetMetaData) -> bool {
        let leaves = footer.file_metadata().schema_descr();
        let leaf = |position: usize| {
            let name = self.schema.field(position).name();
            (0..leaves.num_columns()).find(|leaf| leaves.column(*leaf).path().parts() == [name.as_str()])
        };
        let (Some(identifier), Some(instant)) = (leaf(self.columns.identifier), leaf(self.columns.instant)) else { return false };
        let says = |group: &RowGroupMetaData| match group.sorting_columns().map(Vec::as_slice) {
            Some([first, second, ..]) => [(first, identifier), (second, instant)]
                .into_iter()
                .all(|(column, leaf)| column.column_idx as usize == leaf && !column.descending && column.nulls_first),
            _ => false,
        };
        footer.row_groups().iter().all(says)
    }

    /// Takes a file that is not sorted apart into runs.
    fn pieces(
        &self,
        name: &Arc<str>,
        builder: ParquetRecordBatchReaderBuilder<FileBytes>,
        runs: &mut Vec<Run>,
    ) -> std::result::Result<(), Stopped> {
        let mut gathered: Vec<RecordBatch> = Vec::new();
        let (mut rows, mut bytes) = (0, 0);
        for batch in self.batches(name, builder.with_batch_size(BATCH_ROWS.1))? {
            self.check_cancelled()?;
            let batch = batch?;
            rows += batch.num_rows();
            bytes += batch.get_array_memory_size();
            gathered.push(batch);
            if rows >= self.limits.piece.0 || bytes >= self.limits.piece.1 {
                runs.push(self.piece(name, &std::mem::take(&mut gathered))?);
                (rows, bytes) = (0, 0);
            }
        }
        if rows > 0 {
            runs.push(self.piece(name, &gathered)?);
        }
        Ok(())
    }

    /// Sorts a piece of a file; equal rows keep their order.
    fn piece(&self, name: &Arc<str>, gathered: &[RecordBatch]) -> Result<Run> {
        let fault = |error| Error::internal("can't sort a piece of a file").source(error);
        let whole = concat_batches(&self.schema, gathered).map_err(fault)?;
        let keys = Keys::of(&whole, &self.columns)?;
        let rows = u32::try_from(whole.num_rows()).map_err(|_| Error::internal("a piece of a file has too many rows"))?;
        let mut order: Vec<u32> = (0..rows).collect();
        order.sort_by(|a, b| compare(&keys, *a as usize, &keys, *b as usize));
        let sorted = take_record_batch(&whole, &UInt32Array::from(order)).map_err(fault)?;
        self.keep(name, std::iter::once(Ok(sorted)))
    }

    /// Merges neighbours until the rest can be merged at once.
    fn merge_neighbours(&self, mut runs: Vec<Run>) -> std::result::Result<Vec<Run>, Stopped> {
        while runs.len() > 2 && !self.limits.allow(&runs, &[]) {
            let mut merged: Vec<Run> = Vec::new();
            let mut waiting = runs.into_iter().peekable();
            while waiting.peek().is_some() {
                let mut neighbours: Vec<Run> = Vec::new();
                while let Some(run) =
                    waiting.next_if(|run| neighbours.len() < 2 || self.limits.allow(&neighbours, std::slice::from_ref(run)))
                {
                    neighbours.push(run);
                }
                merged.push(if neighbours.len() == 1 { neighbours.remove(0) } else { self.merge_into_one(neighbours)? });
            }
            runs = merged;
        }
        Ok(runs)
    }

    fn merge_into_one(&self, runs: Vec<Run>) -> std::result::Result<Run, Stopped> {
        let mut merge = Merge::open(&self.schema, &self.columns, self.open(&runs)?)?;
        let mut unsorted = None;
        let name: Arc<str> = Arc::from("merged runs");
        let batches = std::iter::from_fn(|| match self.check_cancelled().map_err(Stopped::from).and_then(|()| merge.next_batch()) {
            Ok(batch) => batch.map(Ok),
            Err(Stopped::Failed(error)) => Some(Err(error)),
            Err(Stopped::Unsorted(name)) => {
                unsorted = Some(name.clone());
                Some(Err(Error::corrupt(format!("{name} is not sorted"))))
            }
        });
        let merged = self.keep(&name, batches);
        self.clear(runs);
        match (merged, unsorted) {
            (_, Some(name)) => Err(Stopped::Unsorted(name)),
            (merged, None) => Ok(merged?),
        }
    }

    /// Keeps sorted rows until they are merged.
    fn keep(&self, name: &Arc<str>, batches: impl Iterator<Item = Result<RecordBatch>>) -> Result<Run> {
        let mut batches = batches.fuse();
        let mut kept = Vec::new();
        let mut bytes = 0;
        while bytes <= self.limits.kept.0 && self.kept_bytes.load(Ordering::Relaxed) + bytes <= self.limits.kept.1 {
            let Some(batch) = batches.next() else {
                self.kept_bytes.fetch_add(bytes, Ordering::Relaxed);
                return Ok(Run { name: name.clone(), cost: bytes as u64, place: Place::Memory(kept) });
            };
            let batch = batch?;
            bytes += batch.get_array_memory_size();
            kept.push(batch);
        }
        let mut staging = Staging::open(self.store, self.runtime, self.group, self.schema.clone(), self.latest)?;
        for batch in kept.into_iter().map(Ok).chain(batches) {
            if let Err(error) = batch.and_then(|batch| staging.write(&batch)) {
                // The first error is the one that is told.
                let _ = staging.give_up();
                return Err(error);
            }
        }
        let file = staging.finish()?;
        self.note_own(&file);
        let cost = cost_of(self.reader(&file.path, &file.path, file.size)?.metadata(), BATCH_ROWS.1);
        Ok(Run { name: name.clone(), cost, place: Place::Own(file) })
    }
}

fn unreadable(name: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::corrupt(format!("data file {name} can't be read")).source(error).remedy("run `larder doctor`; restore that file from a backup")
}

/// About how much memory a file takes while it is read: of each column a page, its dictionary, and twice a batch.
fn cost_of(footer: &ParquetMetaData, batch_rows: usize) -> u64 {
    let of_group = |group: &RowGroupMetaData| -> u64 {
        let rows = u64::try_from(group.num_rows()).unwrap_or(0).max(1);
        let columns = group.columns().iter().map(|column| {
            let whole = u64::try_from(column.uncompressed_size()).unwrap_or(0);
            let stored = u64::try_from(column.compressed_size()).unwrap_or(0).max(1);
            let dictionary = column.dictionary_page_offset().map_or(0, |from| column.data_page_offset().saturating_sub(from));
            let dictionary = (u64::try_from(dictionary).unwrap_or(0) * whole.div_ceil(stored)).min(whole);
            let page = (whole - dictionary) * PAGE_ROWS.min(rows) / rows;
            // A text may stand in the dictionary once and in a batch many times.
            let texts = column.unencoded_byte_array_data_bytes().map_or(0, |bytes| u64::try_from(bytes).unwrap_or(0));
            let width = 8 + (texts / rows).max((whole - dictionary) / rows);
            dictionary + page + 2 * width * rows.min(batch_rows as u64)
        });
        columns.sum()
    };
    64 * 1_024 + footer.row_groups().iter().map(of_group).max().unwrap_or(0)
}

#[cfg(test)]
impl Limits {
    /// A few rows fill everything; merged runs stay in memory or go to files.
    pub(super) fn tiny(in_memory: bool) -> Self {
        Self { memory: 200 << 10, runs: 3, kept: if in_memory { (1 << 20, 1 << 20) } else { (0, 0) }, piece: (7, 1 << 20) }
    }
}
