//! The rows of a dataset as a Parquet file, read column by column.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, new_empty_array};
use arrow::compute::concat;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::model::{Error, Result};

/// Rows decoded at once.
const BATCH_ROWS: usize = 65_536;

/// A file of rows; one that was made for this goes away with it.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    is_temporary: bool,
}

impl Table {
    /// A dataset's own file.
    pub(super) fn kept(path: &str) -> Self {
        Self { path: PathBuf::from(path), is_temporary: false }
    }

    /// A file in a folder, which is made, that nobody else has. It is yet to be written.
    pub(super) fn temporary(folder: &Path) -> Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        std::fs::create_dir_all(folder).map_err(|error| Error::io(format!("can't make the folder {}", folder.display()), error))?;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(Self { path: folder.join(format!("larder-rows-{}-{number}.parquet", std::process::id())), is_temporary: true })
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if self.is_temporary {
            // A leftover in a folder for such files is the worst that can come of it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Opens a file of rows.
pub(super) fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(|error| Error::io(format!("can't open '{}'", path.display()), error))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map(|builder| builder.with_batch_size(BATCH_ROWS)).map_err(|error| damaged(path, error))
}

/// The error of a file that can't be read.
pub(super) fn damaged(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::corrupt(format!("'{}' can't be read", path.display())).source(error).remedy("build the dataset anew")
}

/// Positions of columns, found whatever their case.
pub(super) fn positions(builder: &ParquetRecordBatchReaderBuilder<File>, path: &Path, names: &[&str]) -> Result<Vec<usize>> {
    let fields = builder.schema().fields();
    let position = |name: &&str| {
        let found = fields.iter().position(|field| field.name() == name);
        found
            .or_else(|| fields.iter().position(|field| field.name().eq_ignore_ascii_case(name)))
            .ok_or_else(|| Error::corrupt(format!("'{}' has no column '{name}'", path.display())).remedy("build the dataset anew"))
    };
    names.iter().map(position).collect()
}

/// One column, whole.
pub(super) fn column(path: &Path, name: &str) -> Result<ArrayRef> {
    let builder = open(path)?;
    let position = positions(&builder, path, &[name])?;
    let data_type = builder.schema().field(position[0]).data_type().clone();
    let mask = ProjectionMask::roots(builder.parquet_schema(), position);
    let mut parts: Vec<ArrayRef> = Vec::new();
    for batch in builder.with_projection(mask).build().map_err(|error| damaged(path, error))? {
        parts.push(batch.map_err(|error| damaged(path, error))?.column(0).clone());
    }
    if parts.is_empty() {
        return Ok(new_empty_array(&data_type));
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    concat(&parts)
        .map_err(|error| Error::invalid(format!("column '{name}' of '{}' is too large to be compared", path.display())).source(error))
}
