//! Rows of a Parquet file: only the columns that feed a feature are read, batch by batch.
//!
//! A batch is bounded in bytes by the file's own average row size, so that a column of long texts does not make
//! batches of gigabytes. A file that is cut short or damaged is one error; its rows can't be trusted singly.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, new_null_array};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::batch::{BATCH_BYTES, BATCH_ROWS, Places, SourceBatch};
use super::header::Mapping;
use super::sources::Input;
use crate::model::{Error, Result};

/// A Parquet file with its footer read.
pub(super) struct ParquetFile {
    input: Input,
    file: File,
    metadata: ArrowReaderMetadata,
}

impl ParquetFile {
    pub(super) fn open(input: &Input) -> Result<Self> {
        let file = input.open_file()?;
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|error| damaged(input, error))?;
        Ok(Self { input: input.clone(), file, metadata })
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    pub(super) fn column_names(&self) -> Vec<String> {
        self.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    pub(super) fn row_count(&self) -> u64 {
        u64::try_from(self.metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
    }

    /// Reads chosen columns from a row on.
    pub(super) fn rows(self, mapping: &Mapping, skip: u64, count: &Arc<AtomicU64>) -> Result<ParquetRows> {
        let taken: Vec<usize> = mapping.columns.iter().flatten().copied().collect();
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), taken.iter().copied());
        // Columns come in the file's order, whatever order they were asked for.
        let mut in_file = taken;
        in_file.sort_unstable();
        let order = mapping.columns.iter().map(|column| column.and_then(|column| in_file.binary_search(&column).ok())).collect();
        let unpacked: i64 = self.metadata.metadata().row_groups().iter().map(|group| group.total_byte_size()).sum();
        let total = self.row_count();
        let row_bytes = (unpacked.max(0) as u64 / total.max(1)).max(1) as usize;
        let batch_rows = (BATCH_BYTES / row_bytes).clamp(64, BATCH_ROWS);
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.file, self.metadata)
            .with_projection(mask)
            .with_batch_size(batch_rows)
            .with_offset(usize::try_from(skip).unwrap_or(usize::MAX));
        let reader = builder.build().map_err(|error| damaged(&self.input, error))?;
        Ok(ParquetRows { input: self.input, reader, order, next: skip + 1, total, count: Arc::clone(count), counted: 0 })
    }
}

fn damaged(input: &Input, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let error = Error::invalid(format!("can't read '{}' as Parquet", input.name)).source(error);
    error.remedy("the file is cut short or damaged, or not Parquet at all: copy it again")
}

/// Batches of a Parquet file.
pub(super) struct ParquetRows {
    input: Input,
    reader: ParquetRecordBatchReader,
    order: Vec<Option<usize>>,
    next: u64,
    total: u64,
    count: Arc<AtomicU64>,
    counted: u64,
}

impl ParquetRows {
    pub(super) fn next_batch(&mut self) -> Result<Option<SourceBatch>> {
        let batch = match self.reader.next() {
            None => {
                self.report(self.input.bytes);
                return Ok(None);
            }
            Some(Ok(batch)) => batch,
            Some(Err(ArrowError::ParquetError(text))) => return Err(damaged(&self.input, std::io::Error::other(text))),
            Some(Err(error)) => return Err(damaged(&self.input, error)),
        };
        let rows = batch.num_rows();
        let column = |place: &Option<usize>| -> ArrayRef {
            match place {
                Some(place) => Arc::clone(batch.column(*place)),
                None => new_null_array(&DataType::Null, rows),
            }
        };
        let columns = self.order.iter().map(column).collect();
        let places = Places::Rows(self.next);
        self.next += rows as u64;
        // Bytes of the file in proportion to its rows: a reader of columns has no position.
        let share = (self.next - 1) as f64 / self.total.max(1) as f64;
        self.report((self.input.bytes as f64 * share) as u64);
        Ok(Some(SourceBatch { columns, rows, places, rejected: Vec::new(), consumed: rows as u64 }))
    }

    fn report(&mut self, reached: u64) {
        let more = reached.saturating_sub(self.counted);
        self.counted += more;
        self.count.fetch_add(more, Ordering::Relaxed);
    }
}
