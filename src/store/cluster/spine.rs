//! A spine on its way to the workers: in Parquet files of the store, one part beside another, each row with its number.
//!
//! ```text
//! <home>/_larder/spines/<uuid>/00000.parquet …
//! ```
//!
//! They are removed once the dataset was read, or given up. What a killed process left goes with a later build, after a day.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::ClusterOptions;
use super::files::wait_for;
use crate::backend::offline::from_object_store;
use crate::dataset::cluster::{StoredSpine, stored_rows, stored_schema};
use crate::dataset::point_in_time::{Division, JoinWatch, JoinedRows, PointInTimeJoin};
use crate::dataset::row_files::{RowFolder, WrittenRows};
use crate::model::{Error, Result};
use crate::store::FeatureStore;
use crate::store::datasets::SpineBatches;

/// Most rows of a file.
const FILE_ROWS: usize = 262_144;
/// Rows that are held until their parts' files are full.
const HELD_ROWS: usize = 1 << 22;
/// Fewest rows of a file, but for the last of a part: a request to the store costs more than a few rows.
const LEAST_ROWS: usize = 8_192;
/// How long files are left alone that may belong to a build.
const LEFT: Duration = Duration::from_secs(24 * 60 * 60);

/// Joins a spine on a cluster. Blocks until the spine is in the store; the rows come as they are read.
///
/// # Errors
/// `Invalid` for a time of the spine that can't be read, errors of reading it and of writing to the store, `ReadOnly`.
pub(crate) fn join_on(
    store: &FeatureStore,
    cluster: ClusterOptions,
    join: &PointInTimeJoin,
    spine: (SchemaRef, SpineBatches),
    watch: &JoinWatch,
    runtime: &Handle,
) -> Result<JoinedRows> {
    let (stored, kept) = stored(store, cluster, join, spine, watch, runtime)?;
    store.query_engine()?.join_on((&cluster).into(), join, &stored, watch, Box::new(kept))
}

/// Joins a spine on a cluster whose workers write the rows to a folder of the store. Blocks until they are there.
///
/// # Errors
/// As [`join_on`].
pub(crate) fn join_into(
    store: &FeatureStore,
    cluster: ClusterOptions,
    join: &PointInTimeJoin,
    spine: (SchemaRef, SpineBatches),
    folder: (&RowFolder, u64),
    watch: &JoinWatch,
    runtime: &Handle,
) -> Result<WrittenRows> {
    let (stored, _kept) = stored(store, cluster, join, spine, watch, runtime)?;
    let engine = store.query_engine()?;
    wait_for(runtime, engine.join_into((&cluster).into(), join, &stored, folder, watch))?
}

/// Brings a spine into the store, divided for a cluster.
fn stored(
    store: &FeatureStore,
    cluster: ClusterOptions,
    join: &PointInTimeJoin,
    spine: (SchemaRef, SpineBatches),
    watch: &JoinWatch,
    runtime: &Handle,
) -> Result<(StoredSpine, KeptSpine)> {
    store.check_writable().map_err(|error| error.within("the spine of a training dataset that a cluster builds"))?;
    let (columns, batches) = spine;
    let mut kept = KeptSpine::new(store, runtime)?;
    kept.remove_left_behind();
    let schema = stored_schema(&columns);
    let division = Division::of(join, cluster.parts);
    let file_rows = (HELD_ROWS / division.parts()).clamp(LEAST_ROWS, FILE_ROWS);
    let mut parts: Vec<Part> = (0..division.parts()).map(|_| Part::default()).collect();
    let mut rows = 0;
    for batch in batches {
        watch.check()?;
        let batch = batch?;
        join.check_times(&batch, rows as u64)?;
        let numbered = stored_rows(&batch, rows as u64, &schema)?;
        rows += batch.num_rows();
        for (part, batch) in division.divide(&numbered)? {
            parts[part].add(&batch)?;
            if parts[part].pending >= file_rows {
                kept.put(&mut parts[part])?;
            }
        }
    }
    for part in &mut parts {
        kept.put(part)?;
    }
    parts.retain(|part| !part.files.is_empty());
    if parts.is_empty() {
        let mut none = Part::default();
        none.add(&RecordBatch::new_empty(schema))?;
        kept.put(&mut none)?;
        parts.push(none);
    }
    Ok((StoredSpine { parts: parts.into_iter().map(|part| part.files).collect(), rows }, kept))
}

/// A part on its way: its files, and the one that is being written.
#[derive(Default)]
struct Part {
    files: Vec<ObjectMeta>,
    writer: Option<ArrowWriter<Vec<u8>>>,
    /// Rows of the file at hand.
    pending: usize,
}

impl Part {
    fn add(&mut self, rows: &RecordBatch) -> Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => self.writer.insert(writer(&rows.schema())?),
        };
        writer.write(rows).map_err(unwritable)?;
        self.pending += rows.num_rows();
        Ok(())
    }

    /// The file at hand, if it was begun.
    fn file(&mut self) -> Result<Option<Vec<u8>>> {
        self.pending = 0;
        self.writer.take().map(|writer| writer.into_inner().map_err(unwritable)).transpose()
    }
}

fn writer(schema: &SchemaRef) -> Result<ArrowWriter<Vec<u8>>> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).map_err(unwritable)
}

fn unwritable(error: parquet::errors::ParquetError) -> Error {
    Error::usage("the spine has a column that can't be sent to a cluster")
        .source(error)
        .remedy("convert the column, or leave --cluster out")
}

/// The files of a spine, removed when this goes.
struct KeptSpine {
    objects: Arc<dyn ObjectStore>,
    runtime: Handle,
    spines: Path,
    folder: Path,
    files: Vec<ObjectMeta>,
}

impl KeptSpine {
    fn new(store: &FeatureStore, runtime: &Handle) -> Result<Self> {
        let home = store.inner.offline.home_prefix()?;
        let spines = Path::from(format!("{home}/_larder/spines"));
        let folder = Path::from(format!("{spines}/{}", Uuid::now_v7()));
        Ok(Self { objects: store.inner.offline.object_store()?, runtime: runtime.clone(), spines, folder, files: Vec::new() })
    }

    /// Writes the file that a part has at hand.
    fn put(&mut self, part: &mut Part) -> Result<()> {
        let Some(bytes) = part.file()? else { return Ok(()) };
        let location = Path::from(format!("{}/{:05}.parquet", self.folder, self.files.len()));
        let size = bytes.len() as u64;
        let fault = |error| from_object_store("can't write the spine to the store", error);
        wait_for(&self.runtime, self.objects.put(&location, PutPayload::from(bytes)))?.map_err(fault)?;
        // The workers see the same size and age: a footer they keep is never taken for that of another file.
        let mut meta = wait_for(&self.runtime, self.objects.head(&location))?.map_err(fault)?;
        meta.size = size;
        self.files.push(meta.clone());
        part.files.push(meta);
        Ok(())
    }

    /// Removes what killed processes left. Nothing here may fail a build.
    fn remove_left_behind(&self) {
        let Some(before) = SystemTime::now().checked_sub(LEFT) else { return };
        let removed = wait_for(&self.runtime, async {
            let found: Vec<ObjectMeta> = self.objects.list(Some(&self.spines)).try_collect().await?;
            for left in found.iter().filter(|found| SystemTime::from(found.last_modified) < before) {
                self.objects.delete(&left.location).await?;
            }
            Ok::<_, object_store::Error>(())
        });
        if let Ok(Err(error)) | Err(error) = removed.map(|removed| removed.map_err(|error| from_object_store("old spines", error))) {
            tracing::info!(%error, "spines of earlier builds could not be removed");
        }
    }
}

impl Drop for KeptSpine {
    fn drop(&mut self) {
        let removed = wait_for(&self.runtime, async {
            for file in &self.files {
                if let Err(error) = self.objects.delete(&file.location).await {
                    tracing::info!(%error, location = %file.location, "a spine could not be removed");
                }
            }
        });
        if let Err(error) = removed {
            tracing::info!(%error, "a spine was left in the store");
        }
    }
}
