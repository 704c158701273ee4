//! Rows by their place: the window that somebody who pages through a table looks at.
//!
//! Places count through the files in the order of the log and through the rows of each. Only files and row groups that the
//! window reaches into are opened, and rows before it are skipped without being decoded, so that the last row of a
//! history of ten million costs what the first one costs. A file whose rows nobody has counted is counted by its footer. Blocks.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;
use tokio::runtime::Handle;

use super::scan::conformed;
use super::{ExternalTable, FileBytes, Home, OfflineStore, TableSnapshot};
use crate::model::{Error, Result};

/// Some rows, and of how many.
#[derive(Debug, Clone)]
pub struct RowWindow {
    /// Rows of all files.
    pub total: u64,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

/// A file as it is needed here.
pub(crate) struct PlacedFile<O> {
    /// What it is called in errors.
    pub(crate) name: Arc<str>,
    /// Its rows, if they were counted.
    pub(crate) rows: Option<u64>,
    /// Opens it.
    pub(crate) open: O,
}

impl OfflineStore {
    /// Reads rows of a snapshot from a place on, at most so many, with these columns of the table.
    pub fn window(&self, snapshot: &TableSnapshot, schema: &SchemaRef, from: u64, limit: usize) -> Result<RowWindow> {
        let home = self.existing_disk()?.cloned();
        let runtime = Handle::try_current().ok();
        let files = snapshot.files().iter().map(|file| {
            let (home, runtime, location) = (home.as_ref(), runtime.as_ref(), snapshot.folder().data_file(&file.path));
            let open = move || -> Result<FileBytes> {
                let home: &Home =
                    home.ok_or_else(|| Error::not_found("the offline store's folder is gone").remedy("run `larder doctor`"))?;
                home.open_file(&location, file.size, runtime)
            };
            PlacedFile { name: Arc::from(file.path.as_str()), rows: file.rows(), open }
        });
        window_of(files, schema, from, limit)
    }
}

impl ExternalTable {
    /// Reads rows of the files from a place on, at most so many, with these columns.
    pub fn window(&self, schema: &SchemaRef, from: u64, limit: usize) -> Result<RowWindow> {
        let files = self.files().iter().map(|file| {
            let open = || {
                let name = file.path.display();
                std::fs::File::open(&file.path).map_err(|error| Error::io(format!("can't open {name}"), error))
            };
            PlacedFile { name: file.path.to_string_lossy().into(), rows: Some(file.statistics.rows), open }
        });
        window_of(files, schema, from, limit)
    }
}

/// Reads rows of files from a place on, at most so many, with these columns.
pub(crate) fn window_of<R, O>(files: impl Iterator<Item = PlacedFile<O>>, schema: &SchemaRef, from: u64, limit: usize) -> Result<RowWindow>
where
    R: ChunkReader + 'static,
    O: Fn() -> Result<R>,
{
    let mut window = RowWindow { total: 0, batches: Vec::new() };
    let mut wanted = limit;
    for file in files {
        let start = window.total;
        let rows = match file.rows {
            Some(rows) => rows,
            None => counted(&opened(&file)?),
        };
        window.total += rows;
        if wanted == 0 || from >= window.total {
            continue;
        }
        let skip = from.saturating_sub(start);
        for batch in rows_of(&file, opened(&file)?, schema, skip, wanted)? {
            wanted = wanted.saturating_sub(batch.num_rows());
            window.batches.push(batch);
        }
    }
    Ok(window)
}

fn opened<R: ChunkReader + 'static, O: Fn() -> Result<R>>(file: &PlacedFile<O>) -> Result<ParquetRecordBatchReaderBuilder<R>> {
    ParquetRecordBatchReaderBuilder::try_new((file.open)()?).map_err(|error| damaged(&file.name, error))
}

fn counted<R: ChunkReader + 'static>(builder: &ParquetRecordBatchReaderBuilder<R>) -> u64 {
    u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0)
}

/// Rows of one file, of the row groups that hold them alone.
fn rows_of<R: ChunkReader + 'static, O>(
    file: &PlacedFile<O>,
    builder: ParquetRecordBatchReaderBuilder<R>,
    schema: &SchemaRef,
    skip: u64,
    limit: usize,
) -> Result<Vec<RecordBatch>> {
    let (mut first_row, mut skipped, mut groups) = (0, None, Vec::new());
    let end = skip.saturating_add(limit as u64);
    for (number, group) in builder.metadata().row_groups().iter().enumerate() {
        let next = first_row + u64::try_from(group.num_rows()).unwrap_or(0);
        if next > skip && first_row < end {
            skipped.get_or_insert(first_row);
            groups.push(number);
        }
        first_row = next;
    }
    let offset = usize::try_from(skip - skipped.unwrap_or(skip)).unwrap_or(usize::MAX);
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mask = ProjectionMask::columns(builder.parquet_schema(), names);
    let reader = builder
        .with_projection(mask)
        .with_row_groups(groups)
        .with_batch_size(limit.max(1))
        .with_offset(offset)
        .with_limit(limit)
        .build()
        .map_err(|error| damaged(&file.name, error))?;
    let fault = |error: arrow::error::ArrowError| damaged(&file.name, error.into());
    reader.map(|batch| conformed(schema, &file.name, &batch.map_err(fault)?)).collect()
}

fn damaged(name: &str, error: ParquetError) -> Error {
    Error::corrupt(format!("data file {name} can't be read")).source(error).remedy("run `larder doctor`; restore that file from a backup")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};
    use bytes::Bytes;
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;

    /// Files of the numbers from 0 on, with row groups of four rows.
    fn files(rows: &[usize]) -> (SchemaRef, Vec<Bytes>) {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("missing", DataType::Utf8, true)]));
        let mut next = 0;
        let file = |rows: &usize| {
            let numbers: Int64Array = (next..next + *rows as i64).collect();
            next += *rows as i64;
            let batch = RecordBatch::try_from_iter([("n", Arc::new(numbers) as _)]).unwrap();
            let properties = WriterProperties::builder().set_max_row_group_row_count(Some(4)).build();
            let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
            writer.write(&batch).unwrap();
            Bytes::from(writer.into_inner().unwrap())
        };
        (schema, rows.iter().map(file).collect())
    }

    #[test]
    fn every_window_is_the_slice_of_all_rows() {
        let (schema, files) = files(&[10, 0, 3, 9]);
        for from in 0..24 {
            for limit in [0, 1, 5, 30] {
                let placed = files.iter().enumerate().map(|(number, bytes)| {
                    // Nobody has counted the third.
                    let rows = [Some(10), Some(0), None, Some(9)][number];
                    PlacedFile { name: Arc::from("f"), rows, open: || Ok(bytes.clone()) }
                });
                let window = window_of(placed, &schema, from, limit).unwrap();
                assert_eq!(window.total, 22);
                let found: Vec<i64> =
                    window.batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
                let all: Vec<i64> = (0..22).skip(from as usize).take(limit).collect();
                assert_eq!(found, all, "{limit} rows from {from}");
                assert!(window.batches.iter().all(|batch| batch.column(1).null_count() == batch.num_rows()));
            }
        }
    }
}
