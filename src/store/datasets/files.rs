//! The files a dataset was written to, to be read again: on this machine, or in the bucket of the store.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use tokio::runtime::Handle;

use super::manifest::{Manifest, ManifestOutput};
use crate::backend::offline::{ExternalTable, FileBytes, from_object_store};
use crate::dataset::ScanFile;
use crate::model::{Error, Result};
use crate::store::FeatureStore;
use crate::store::new_folder::BUCKET;

/// Rows decoded at once.
const BATCH_ROWS: usize = 65_536;

/// One of them.
#[derive(Clone)]
pub(super) struct DatasetFile {
    place: Place,
    /// Its size when it was written.
    bytes: u64,
    /// Its rows, where it is one of several.
    rows: Option<u64>,
}

#[derive(Clone)]
enum Place {
    Disk(PathBuf),
    Bucket(FeatureStore, ObjectPath),
}

impl FeatureStore {
    /// The files of an output, in the order of their rows.
    pub(super) fn files_of(&self, output: &ManifestOutput) -> Vec<DatasetFile> {
        if output.files.is_empty() {
            return vec![DatasetFile { place: Place::Disk(PathBuf::from(&output.path)), bytes: output.bytes, rows: None }];
        }
        let place = |name: &str| match output.path.strip_prefix(BUCKET) {
            Some(folder) => Place::Bucket(self.clone(), ObjectPath::from(folder).join(name)),
            None => Place::Disk(Path::new(&output.path).join(name)),
        };
        output.files.iter().map(|file| DatasetFile { place: place(&file.name), bytes: file.bytes, rows: Some(file.rows) }).collect()
    }

    /// The rows of a dataset as files to scan, with their columns and the objects they lie among.
    ///
    /// # Errors
    /// `NotFound` if they are gone, `Invalid` if they are not what was written.
    pub(in crate::store) async fn output_scan(&self, manifest: &Manifest) -> Result<(SchemaRef, Arc<dyn ObjectStore>, Vec<ScanFile>)> {
        let (files, store, output) = (self.files_of(&manifest.output), self.clone(), manifest.output.clone());
        let scan = move || {
            if files.iter().all(|file| file.path().is_some()) {
                let table = ExternalTable::open(&output.path)?;
                check_bytes(&output, table.bytes())?;
                let files = table.files().iter().map(|file| ScanFile::new(file.object.clone(), Some(file.statistics.clone())));
                return Ok((table.schema().clone(), table.object_store()?, files.collect()));
            }
            let objects = store.inner.offline.object_store()?;
            let head = |file: &DatasetFile| match &file.place {
                Place::Bucket(_, location) => Handle::current()
                    .block_on(objects.head(location))
                    .map_err(|error| from_object_store(format!("can't look at {}", file.name()), error)),
                Place::Disk(_) => Err(Error::internal("a dataset of several places")),
            };
            let found = files.iter().map(head).collect::<Result<Vec<_>>>()?;
            check_bytes(&output, found.iter().map(|object| object.size).sum())?;
            let (schema, _) = all_rows(&files)?;
            Ok((schema, objects, found.into_iter().map(|object| ScanFile::new(object, None)).collect()))
        };
        tokio::task::spawn_blocking(scan).await.map_err(|error| Error::internal("looking for a training dataset stopped").source(error))?
    }
}

impl DatasetFile {
    /// Its place, for people.
    pub(super) fn name(&self) -> String {
        match &self.place {
            Place::Disk(path) => path.display().to_string(),
            Place::Bucket(_, location) => format!("{BUCKET}{location}"),
        }
    }

    /// Its rows, where it is one of several.
    pub(super) fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// Its size when it was written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where it lies on this machine; none if it does not.
    pub(super) fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Disk(path) => Some(path),
            Place::Bucket(..) => None,
        }
    }

    /// Its size now; none if it is gone. Blocks.
    pub(super) fn size(&self) -> Result<Option<u64>> {
        let fault = |error| Error::io(format!("can't look at {}", self.name()), error);
        match &self.place {
            Place::Disk(path) => match std::fs::metadata(path) {
                Ok(found) => Ok(Some(found.len())),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
                Err(error) => Err(fault(error)),
            },
            Place::Bucket(store, location) => {
                let objects = store.inner.offline.object_store()?;
                match Handle::current().block_on(objects.head(location)) {
                    Ok(found) => Ok(Some(found.size)),
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    Err(error) => Err(from_object_store(format!("can't look at {}", self.name()), error)),
                }
            }
        }
    }

    /// True if it is there with its size. Blocks.
    pub(super) fn is_there(&self) -> bool {
        self.size().is_ok_and(|size| size == Some(self.bytes))
    }

    /// Its bytes. Blocks.
    pub(super) fn open(&self) -> Result<FileBytes> {
        match &self.place {
            Place::Disk(path) => {
                let file = File::open(path).map_err(|error| Error::io(format!("can't open '{}'", path.display()), error))?;
                Ok(FileBytes::Local(file))
            }
            Place::Bucket(store, location) => store.inner.offline.open_object(location, self.bytes),
        }
    }

    /// Reads it. Blocks.
    pub(super) fn parquet(&self) -> Result<ParquetRecordBatchReaderBuilder<FileBytes>> {
        let builder = ParquetRecordBatchReaderBuilder::try_new(self.open()?).map_err(|error| self.damaged(error))?;
        Ok(builder.with_batch_size(BATCH_ROWS))
    }

    /// The error of a file that can't be read.
    pub(super) fn damaged(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::corrupt(format!("'{}' can't be read", self.name())).source(error).remedy("build the dataset anew")
    }
}

/// Refuses files that are larger or smaller than what was written.
fn check_bytes(output: &ManifestOutput, bytes: u64) -> Result<()> {
    if bytes == output.bytes {
        return Ok(());
    }
    Err(Error::invalid(format!("'{}' is not what was written", output.path))
        .why(format!("it has {bytes} bytes instead of {}", output.bytes))
        .remedy("build the dataset anew"))
}

/// The columns of files, and their rows one after another. Blocks.
pub(super) fn all_rows(files: &[DatasetFile]) -> Result<(SchemaRef, impl Iterator<Item = Result<RecordBatch>>)> {
    let first = files.first().ok_or_else(|| Error::internal("a dataset without files"))?;
    let schema = Arc::clone(first.parquet()?.schema());
    let opened = |file: &DatasetFile| -> Result<ParquetRecordBatchReader> { file.parquet()?.build().map_err(|error| file.damaged(error)) };
    let rows = files.iter().flat_map(move |file| {
        let (reader, error) = match opened(file) {
            Ok(reader) => (Some(reader), None),
            Err(error) => (None, Some(Err(error))),
        };
        let rows = reader.into_iter().flatten().map(|batch| batch.map_err(|error| file.damaged(error)));
        error.into_iter().chain(rows)
    });
    Ok((schema, rows))
}
