//! Readers of Parquet files whose errors name the file and tell a damaged one from a missing one.
//!
//! What the engine says of a file is what is wrong inside it, often as mere text. So after a failure, and only then, the
//! file itself is looked at: one that is gone was compacted or dropped after the snapshot was taken, and the query can
//! be run again; one of another size was cut or replaced; anything else is damage inside.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{CachedParquetFileReaderFactory, ParquetFileReaderFactory};
use datafusion::error::Result as EngineResult;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::ParquetMetaData;

use crate::model::error::{Error, ErrorKind};

/// Makes readers over an object store; footers are kept for the next query.
#[derive(Debug)]
pub(super) struct NamingReaders {
    store: Arc<dyn ObjectStore>,
    inner: CachedParquetFileReaderFactory,
}

impl NamingReaders {
    /// Readers over a store that share a cache of footers.
    pub(super) fn new(store: Arc<dyn ObjectStore>, footers: Arc<FileMetadataCache>) -> Self {
        Self { inner: CachedParquetFileReaderFactory::new(store.clone(), footers), store }
    }
}

impl ParquetFileReaderFactory for NamingReaders {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        footer_size: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> EngineResult<Box<dyn AsyncFileReader + Send>> {
        let object = file.object_meta.clone();
        let inner = self.inner.create_reader(partition, file, footer_size, metrics)?;
        Ok(Box::new(NamingReader { inner, store: self.store.clone(), object }))
    }
}

struct NamingReader {
    inner: Box<dyn AsyncFileReader + Send>,
    store: Arc<dyn ObjectStore>,
    object: ObjectMeta,
}

impl AsyncFileReader for NamingReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move {
            match self.inner.get_bytes(range).await {
                Ok(bytes) => Ok(bytes),
                Err(error) => Err(named(self.store.as_ref(), &self.object, error).await),
            }
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move {
            match self.inner.get_byte_ranges(ranges).await {
                Ok(bytes) => Ok(bytes),
                Err(error) => Err(named(self.store.as_ref(), &self.object, error).await),
            }
        }
        .boxed()
    }

    fn get_metadata<'a>(&'a mut self, options: Option<&'a ArrowReaderOptions>) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            match self.inner.get_metadata(options).await {
                Ok(footer) => Ok(footer),
                Err(error) => Err(named(self.store.as_ref(), &self.object, error).await),
            }
        }
        .boxed()
    }
}

/// The error in our words, on its way through the engine.
async fn named(store: &dyn ObjectStore, object: &ObjectMeta, error: ParquetError) -> ParquetError {
    ParquetError::External(Box::new(describe(store, object, &error).await))
}

/// Says what is the matter with a file that couldn't be read.
pub(super) async fn describe(store: &dyn ObjectStore, object: &ObjectMeta, error: &ParquetError) -> Error {
    let name = &object.location;
    match store.head(name).await {
        Err(object_store::Error::NotFound { .. }) => Error::new(ErrorKind::Conflict, format!("{name} is gone"))
            .why("it was compacted or dropped while the query ran")
            .remedy("run the query again; if it fails again, `larder doctor` says what is missing"),
        Err(error) => Error::new(ErrorKind::Io, format!("can't read {name}")).source(error),
        Ok(now) if now.size != object.size => Error::corrupt(format!("{name} is damaged"))
            .why(format!("it has {} bytes instead of {}", now.size, object.size))
            .remedy("restore the file from a backup; `larder doctor` checks all files"),
        Ok(_) => Error::corrupt(format!("{name} is damaged"))
            .why(error.to_string())
            .remedy("restore the file from a backup; `larder doctor` checks all files"),
    }
}
