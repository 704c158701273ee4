//! The rows of a dataset in Parquet files of this machine, read column by column.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, RecordBatch, new_empty_array};
use arrow::compute::concat;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::ChunkReader;

use crate::model::{Error, Result};
use crate::store::datasets::files::DatasetFile;

/// Rows decoded at once.
const BATCH_ROWS: usize = 65_536;
/// Bytes copied at once.
const COPY_BYTES: usize = 8 << 20;

/// Some columns of all rows, batch after batch.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// Files of rows; those that were made for this go away with it.
#[derive(Debug)]
pub(super) struct Table {
    paths: Vec<PathBuf>,
    is_temporary: bool,
}

impl Table {
    /// A dataset's own files, if all lie on this machine; else copies of them in a folder, which is made. Blocks.
    pub(super) fn of_files(files: &[DatasetFile], folder: &Path) -> Result<Self> {
        let own: Option<Vec<PathBuf>> = files.iter().map(|file| file.path().map(Path::to_owned)).collect();
        if let Some(paths) = own {
            return Ok(Self { paths, is_temporary: false });
        }
        let mut copies = Self { paths: Vec::with_capacity(files.len()), is_temporary: true };
        for file in files {
            let path = new_path(folder)?;
            copies.paths.push(path.clone());
            copy(file, &path)?;
        }
        Ok(copies)
    }

    /// A file in a folder, which is made, that nobody else has, and where it lies. It is yet to be written.
    pub(super) fn temporary(folder: &Path) -> Result<(Self, PathBuf)> {
        let path = new_path(folder)?;
        Ok((Self { paths: vec![path.clone()], is_temporary: true }, path))
    }

    /// Columns by name, in this order, whatever their case. Opens the first file; the others as the rows are read.
    pub(super) fn columns(&self, names: &[&str]) -> Result<(SchemaRef, Batches)> {
        let first = self.paths.first().ok_or_else(|| Error::internal("a dataset without files"))?;
        let builder = open(first)?;
        let fields = positions(&builder, first, names)?.into_iter().map(|position| builder.schema().field(position).clone());
        let schema = Schema::new(fields.collect::<Vec<_>>()).into();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let rows = self.paths.clone().into_iter().flat_map(move |path| match rows_of(&path, &names) {
            Ok(rows) => rows,
            Err(error) => Box::new(std::iter::once(Err(error))) as Batches,
        });
        Ok((schema, Box::new(rows)))
    }

    /// One column, whole.
    pub(super) fn column(&self, name: &str) -> Result<ArrayRef> {
        let (schema, batches) = self.columns(&[name])?;
        let mut parts: Vec<ArrayRef> = Vec::new();
        for batch in batches {
            parts.push(batch?.column(0).clone());
        }
        if parts.is_empty() {
            return Ok(new_empty_array(schema.field(0).data_type()));
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        concat(&parts).map_err(|error| Error::invalid(format!("column '{name}' is too large to be compared")).source(error))
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if self.is_temporary {
            for path in &self.paths {
                // A leftover in a folder for such files is the worst that can come of it.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// A name in a folder, which is made, that nobody else has.
fn new_path(folder: &Path) -> Result<PathBuf> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    std::fs::create_dir_all(folder).map_err(|error| Error::io(format!("can't make the folder {}", folder.display()), error))?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Ok(folder.join(format!("larder-rows-{}-{number}.parquet", std::process::id())))
}

fn copy(file: &DatasetFile, path: &Path) -> Result<()> {
    let fault = |error| Error::io(format!("can't write '{}'", path.display()), error);
    let mut out = File::create(path).map_err(fault)?;
    let (bytes, mut from) = (file.open()?, 0);
    while from < file.bytes() {
        let length = COPY_BYTES.min(usize::try_from(file.bytes() - from).unwrap_or(COPY_BYTES));
        let piece = bytes.get_bytes(from, length).map_err(|error| file.damaged(error))?;
        std::io::Write::write_all(&mut out, &piece).map_err(fault)?;
        from += piece.len() as u64;
    }
    Ok(())
}

fn open(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>> {
    let file = File::open(path).map_err(|error| Error::io(format!("can't open '{}'", path.display()), error))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map(|builder| builder.with_batch_size(BATCH_ROWS)).map_err(|error| damaged(path, error))
}

fn rows_of(path: &Path, names: &[String]) -> Result<Batches> {
    let builder = open(path)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let wanted = positions(&builder, path, &names)?;
    // The reader gives columns in the order of the file, each once.
    let mut read = wanted.clone();
    read.sort_unstable();
    read.dedup();
    let order: Vec<usize> = wanted.iter().map(|position| read.partition_point(|other| other < position)).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), read);
    let reader = builder.with_projection(mask).build().map_err(|error| damaged(path, error))?;
    let path = path.to_owned();
    Ok(Box::new(reader.map(move |batch| batch.and_then(|batch| batch.project(&order)).map_err(|error| damaged(&path, error)))))
}

/// The error of a file that can't be read.
fn damaged(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::corrupt(format!("'{}' can't be read", path.display())).source(error).remedy("build the dataset anew")
}

/// Positions of columns, found whatever their case.
fn positions(builder: &ParquetRecordBatchReaderBuilder<File>, path: &Path, names: &[&str]) -> Result<Vec<usize>> {
    let fields = builder.schema().fields();
    let position = |name: &&str| {
        let found = fields.iter().position(|field| field.name() == name);
        found
            .or_else(|| fields.iter().position(|field| field.name().eq_ignore_ascii_case(name)))
            .ok_or_else(|| Error::corrupt(format!("'{}' has no column '{name}'", path.display())).remedy("build the dataset anew"))
    };
    names.iter().map(position).collect()
}
