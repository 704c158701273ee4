//! Profiles of the values of one Parquet file, for statistics. Data pages are read here and nowhere else in sync.
//!
//! A file is read batch by batch on a thread of its own; what is read of it counts as a whole or not at all.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, not, prep_null_mask_filter};
use arrow::datatypes::DataType;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::{AsyncFileReader, ParquetRecordBatchStreamBuilder};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use tokio::runtime::Handle;

use super::super::source::FileProfile;
use super::folders::version_of;
use crate::model::{Error, Result};
use crate::statistics::{ColumnKind, ColumnProfile, profile_batch};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 16_384;
/// The column that marks deletions, in SageMaker's layout.
const IS_DELETED: &str = "is_deleted";

/// A file whose values are wanted.
pub(super) struct Wanted {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) location: Path,
    /// What a person calls it.
    pub(super) shown: String,
    /// The version it was listed with.
    pub(super) version: String,
    /// Features by the names of their columns in lower case.
    pub(super) features: BTreeMap<String, String>,
    pub(super) cancel: Arc<AtomicBool>,
}

/// Reads a file's values.
///
/// # Errors
/// `Interrupted` if it was cancelled, `Corrupt` for what is no Parquet or was replaced since it was listed.
pub(super) async fn profile(wanted: Wanted) -> Result<FileProfile> {
    let runtime = Handle::current();
    let read = tokio::task::spawn_blocking(move || runtime.block_on(read(wanted)));
    read.await.map_err(|error| Error::internal("reading values stopped").source(error))?
}

async fn read(wanted: Wanted) -> Result<FileProfile> {
    let fault = |error: ParquetError| {
        Error::corrupt(format!("the values of {} can't be read", wanted.shown)).source(error).remedy("it may be damaged: copy it again")
    };
    let head = wanted.objects.head(&wanted.location).await;
    let head = head.map_err(|error| crate::backend::offline::from_object_store(format!("can't read {}", wanted.shown), error))?;
    if version_of(&head) != wanted.version {
        return Err(Error::corrupt(format!("{} was replaced while it was read", wanted.shown)).remedy("the next sync reads it"));
    }
    let object = Object { store: wanted.objects.clone(), location: wanted.location.clone(), size: head.size };
    let builder = ParquetRecordBatchStreamBuilder::new(object).await.map_err(fault)?;
    let schema = builder.schema().clone();
    let is_marker = |name: &str, data_type: &DataType| {
        name.eq_ignore_ascii_case(IS_DELETED) && data_type == &DataType::Boolean && !wanted.features.contains_key(IS_DELETED)
    };
    let (mut roots, mut features, mut profiles, mut marker) = (Vec::new(), Vec::new(), Vec::new(), None);
    for (root, field) in schema.fields().iter().enumerate() {
        if is_marker(field.name(), field.data_type()) {
            marker = Some(roots.len());
            roots.push(root);
        } else if let (Some(feature), Ok(kind)) = (wanted.features.get(&field.name().to_lowercase()), ColumnKind::of(field.data_type())) {
            features.push((feature.clone(), roots.len()));
            profiles.push(ColumnProfile::new(kind));
            roots.push(root);
        }
    }
    let columns: Vec<usize> = features.iter().map(|(_, column)| *column).collect();
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let mut batches = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(fault)?;
    let mut deleted = 0;
    while let Some(batch) = batches.try_next().await.map_err(fault)? {
        if wanted.cancel.load(Ordering::Relaxed) {
            return Err(Error::interrupted("reading values was stopped"));
        }
        let alive = match marker {
            Some(marker) => without_deleted(&batch, marker)?,
            None => batch.clone(),
        };
        deleted += (batch.num_rows() - alive.num_rows()) as u64;
        profile_batch(&mut profiles, &alive, &columns).map_err(|error| error.within(&wanted.shown))?;
    }
    let columns = features.into_iter().map(|(feature, _)| feature).zip(profiles).collect();
    Ok(FileProfile { rows, deleted, columns })
}

/// Rows that are no delete markers.
fn without_deleted(batch: &RecordBatch, marker: usize) -> Result<RecordBatch> {
    let fault = |error| Error::internal("rows can't be told apart").source(error);
    let deleted: &BooleanArray = batch.column(marker).as_boolean();
    let deleted = if deleted.null_count() > 0 { prep_null_mask_filter(deleted) } else { deleted.clone() };
    filter_record_batch(batch, &not(&deleted).map_err(fault)?).map_err(fault)
}

/// An object as the Parquet reader wants it.
struct Object {
    store: Arc<dyn ObjectStore>,
    location: Path,
    size: u64,
}

impl AsyncFileReader for Object {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move { self.store.get_range(&self.location, range).await.map_err(|error| ParquetError::External(Box::new(error))) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.location, &ranges).await.map_err(|error| ParquetError::External(Box::new(error))) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.size;
            let ranges = super::footer::Ranges { store: self.store.clone(), location: self.location.clone() };
            let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(super::footer::FIRST_READ));
            reader.load_and_finish(ranges, size).await.map(Arc::new)
        }
        .boxed()
    }
}
