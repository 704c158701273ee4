//! Parts of a load: gathered from batches, sorted, and put on a shelf until they are loaded.
//!
//! A part is at most 512 Ki rows or 48 MiB, whichever comes first, so that memory does not depend on the input. Its
//! shelf is the group's table, where it becomes a file of the history by the commit, or the spool folder if the
//! load goes to the online store alone.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat, take};
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use tokio::runtime::Handle;

use super::marks::PartMark;
use crate::backend::offline::columns::{feature_schema, file_schema, with_plumbing};
use crate::backend::offline::parquet_file::{encode, micros_range, range_of};
use crate::backend::offline::{FileBytes, FileStatistics, OfflineStore, StagedFile};
use crate::catalog::{Catalog, RunId, RunState};
use crate::ingest::files::Coerced;
use crate::model::{Arrival, Error, EventTime, FeatureGroup, Result, Schema};

/// Bytes in memory at which a part is closed.
const PART_BYTES: usize = 48 << 20;
/// Rows decoded at once when a part is read back.
const READ_ROWS: usize = 4_096;

/// Gathers batches into a part.
pub(super) struct Gathering {
    schema: Arc<Schema>,
    columns: Vec<Vec<ArrayRef>>,
    event_times: Vec<EventTime>,
    bytes: usize,
    most_rows: usize,
}

impl Gathering {
    pub(super) fn new(schema: &Arc<Schema>, most_rows: usize) -> Self {
        Self { schema: Arc::clone(schema), columns: vec![Vec::new(); schema.len()], event_times: Vec::new(), bytes: 0, most_rows }
    }

    pub(super) fn add(&mut self, coerced: Coerced) {
        if coerced.event_times.is_empty() {
            return;
        }
        for (gathered, column) in self.columns.iter_mut().zip(coerced.columns) {
            self.bytes += column.get_buffer_memory_size();
            gathered.push(column);
        }
        self.event_times.extend(coerced.event_times);
    }

    pub(super) fn is_full(&self) -> bool {
        self.event_times.len() >= self.most_rows || self.bytes >= PART_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.event_times.is_empty()
    }

    /// The part as a sorted batch with all columns of the offline store; gathering starts anew.
    pub(super) fn finish(&mut self, write_time: Arrival, api_invocation_time: Arrival) -> Result<RecordBatch> {
        let fault = |error| Error::internal("can't put a part of the load together").source(error);
        let mut columns = Vec::with_capacity(self.columns.len());
        for gathered in &mut self.columns {
            // Column by column, so that only one exists twice.
            let batches = std::mem::take(gathered);
            let arrays: Vec<&dyn Array> = batches.iter().map(AsRef::as_ref).collect();
            columns.push(concat(&arrays).map_err(fault)?);
        }
        self.bytes = 0;
        let mut event_times = std::mem::take(&mut self.event_times);
        if let Some(order) = finer_order(&event_times) {
            for column in &mut columns {
                *column = take(column, &order, None).map_err(fault)?;
            }
            event_times = order.values().iter().map(|row| event_times[*row as usize]).collect();
        }
        let features = RecordBatch::try_new(feature_schema(&self.schema), columns).map_err(fault)?;
        let micros: Vec<i64> = event_times.iter().map(|time| time.unix_micros()).collect();
        drop(event_times);
        with_plumbing(&self.schema, &features, &micros, write_time, api_invocation_time)
    }
}

/// Files are sorted by microseconds, stably; where event times are finer than that they must lie in order beforehand.
fn finer_order(event_times: &[EventTime]) -> Option<UInt32Array> {
    if event_times.iter().all(|time| time.subsecond_nanos() % 1_000 == 0) {
        return None;
    }
    let rows = u32::try_from(event_times.len()).ok()?;
    let mut order: Vec<u32> = (0..rows).collect();
    order.sort_by_key(|row| event_times[*row as usize]);
    Some(UInt32Array::from(order))
}

/// Where parts lie until they are loaded.
pub(super) enum Shelf {
    /// In the group's table, unseen until the commit.
    Table { offline: OfflineStore, group: Arc<FeatureGroup>, runtime: Handle },
    /// In a folder of this run.
    Spool { folder: PathBuf, group: Arc<FeatureGroup> },
}

impl Shelf {
    fn group(&self) -> &FeatureGroup {
        match self {
            Self::Table { group, .. } | Self::Spool { group, .. } => group,
        }
    }

    /// Writes a part; it is durable when this returns. Call it from a thread that may block.
    pub(super) fn put(&self, number: usize, batch: &RecordBatch) -> Result<StagedFile> {
        match self {
            Self::Table { offline, group, runtime } => offline.stage_blocking(runtime, group, std::slice::from_ref(batch)),
            Self::Spool { folder, group } => {
                let path = format!("part-{number:05}.parquet");
                let location = folder.join(&path);
                let unwritable = |error| Error::io(format!("can't write '{}'", location.display()), error);
                let mut file = File::create(&location).map_err(unwritable)?;
                let schema = &group.schema;
                let statistics = encode(
                    std::slice::from_ref(batch),
                    schema.identifier().column().as_str(),
                    schema.event_time().column().as_str(),
                    &mut file,
                )?;
                file.sync_all().map_err(unwritable)?;
                sync_folders(folder).map_err(unwritable)?;
                let size = file.metadata().map_err(unwritable)?.len();
                Ok(staged_file(group, path, size, statistics))
            }
        }
    }

    /// True if a part's file is still there.
    pub(super) async fn holds(&self, part: &PartMark) -> Result<bool> {
        match self {
            Self::Spool { folder, .. } => Ok(std::fs::metadata(folder.join(&part.path)).is_ok_and(|metadata| metadata.len() == part.size)),
            Self::Table { offline, group, .. } => {
                let location = offline.folder(group)?.data_file(&part.path);
                match offline.object_store()?.head(&location).await {
                    Ok(found) => Ok(found.size == part.size),
                    Err(object_store::Error::NotFound { .. }) => Ok(false),
                    Err(error) => Err(Error::new(crate::model::ErrorKind::Io, format!("can't look for {}", part.path)).source(error)),
                }
            }
        }
    }

    /// The part as the offline store knows it.
    pub(super) fn staged_file(&self, part: &PartMark) -> Result<StagedFile> {
        let columns = file_schema(&self.group().schema);
        let type_of = |name: &str| columns.field_with_name(name).ok().map(|field| field.data_type().clone());
        let statistics = FileStatistics::from_json(&part.statistics, type_of).ok_or_else(|| {
            Error::corrupt(format!("the mark of {} can't be read", part.path))
                .remedy("change an option of the command to load from the start")
        })?;
        Ok(staged_file(self.group(), part.path.clone(), part.size, statistics))
    }

    /// Reads a part back, in its order. Call it from a thread that may block.
    pub(super) fn read(&self, part: &PartMark) -> Result<ParquetRecordBatchReader> {
        let file = match self {
            Self::Spool { folder, .. } => {
                let location = folder.join(&part.path);
                FileBytes::Local(File::open(&location).map_err(|error| Error::io(format!("can't read '{}'", location.display()), error))?)
            }
            Self::Table { offline, group, runtime } => offline.open_staged(group, &part.path, part.size, runtime)?,
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.with_batch_size(READ_ROWS).build());
        reader.map_err(|error| Error::corrupt(format!("can't read {}", part.path)).source(error))
    }
}

fn staged_file(group: &FeatureGroup, path: String, size: u64, statistics: FileStatistics) -> StagedFile {
    let identifier = range_of(&statistics, group.schema.identifier().column().as_str());
    StagedFile { path, size, rows: statistics.rows, event_time: micros_range(&statistics), identifier, statistics }
}

/// A file is there after a power cut only if its folder, and those made for it, are on the disk.
fn sync_folders(folder: &Path) -> std::io::Result<()> {
    for folder in folder.ancestors().take(3) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Removes spool folders of runs that will not be taken up again.
pub(super) async fn sweep(spool: &Path, catalog: &Catalog) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(spool) else { return Ok(()) };
    for entry in entries.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| uuid::Uuid::parse_str(name).ok()) else { continue };
        let run = catalog.run(RunId(id)).await?;
        if run.is_none_or(|run| matches!(run.state, RunState::Done | RunState::Failed)) {
            // A folder that can't be removed now is tried by the next load.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}
