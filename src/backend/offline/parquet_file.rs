//! Writing a Parquet data file: encoded on a blocking thread, uploaded under its final name, durable before
//! anybody hears of it. No commit names it yet, so until then it is an orphan that nobody reads.
//!
//! A file has column statistics, page indexes, dictionaries, and says in its metadata that it is sorted by
//! (record identifier, event time). Row groups of 131,072 rows are large enough to compress well and small enough
//! that an identifier look-up decodes little. Memory is bounded by one row group (at most 64 MiB encoded) and
//! three chunks of 8 MiB on their way to the disk, whatever the size of the file.
//!
//! Compression is zstd level 1. Measured on this project's data (one core, the same codecs through pyarrow,
//! row groups of 131,072; size, time to write, time to read):
//!
//! ```text
//! rows × columns                 snappy                   zstd 1                   zstd 3
//! taxi trips    498,568 × 22     9.5 MB 0.14 s 0.04 s     7.7 MB 0.16 s 0.03 s     7.6 MB 0.18 s 0.03 s
//! loans         486,846 × 13    11.1 MB 0.12 s 0.03 s     9.7 MB 0.14 s 0.04 s     9.1 MB 0.15 s 0.03 s
//! customers     300,000 × 10     7.6 MB 0.09 s 0.02 s     6.6 MB 0.10 s 0.02 s     6.3 MB 0.11 s 0.02 s
//! ```
//!
//! An eighth to a fifth less to store and to fetch from an object store, for a tenth more time to write and
//! none to read; level 3 adds time and hardly saves.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use bytes::{Bytes, BytesMut};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::OfflineStore;
use super::bounds::{Bound, FileStatistics, Gathering};
use super::columns::{EVENT_TIME, PLUMBING};
use super::durable::from_object_store;
use super::layout;
use crate::model::{Error, EventTime, FeatureGroup, Result};

/// Most rows of a row group.
const ROW_GROUP_ROWS: usize = 131_072;
/// Most encoded bytes of a row group.
const ROW_GROUP_BYTES: usize = 64 << 20;
/// Bytes of a chunk on its way to the store; S3 wants parts of 5 MiB or more.
const CHUNK: usize = 8 << 20;
/// Chunks that may wait for the disk.
const CHUNKS_WAITING: usize = 2;

/// A data file that is durable and that no commit names yet.
#[derive(Debug, Clone, PartialEq)]
pub struct StagedFile {
    /// Name relative to the data folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Number of rows.
    pub rows: u64,
    /// Earliest and latest event time in microseconds since 1970; none if every row lacks one.
    pub event_time: Option<(i64, i64)>,
    /// Smallest and largest record identifier, if known.
    pub identifier: Option<(Bound, Bound)>,
    /// Ranges of all columns that have one.
    pub statistics: FileStatistics,
}

impl OfflineStore {
    /// Writes a data file for a group: the batches one after another, which together are sorted by (record
    /// identifier, event time). Nobody sees its rows before [`OfflineStore::commit`].
    pub async fn stage(&self, group: &FeatureGroup, batches: Vec<RecordBatch>) -> Result<StagedFile> {
        let (store, group, runtime) = (self.clone(), group.clone(), Handle::current());
        tokio::task::spawn_blocking(move || store.stage_blocking(&runtime, &group, &batches))
            .await
            .map_err(|error| Error::internal("the writer of a data file stopped").source(error))?
    }

    /// The same from a thread that may block and is none of the runtime's workers; `runtime` does the input and output.
    pub fn stage_blocking(&self, runtime: &Handle, group: &FeatureGroup, batches: &[RecordBatch]) -> Result<StagedFile> {
        let Some(first) = batches.first() else {
            return Err(Error::internal("a data file without rows"));
        };
        let mut staging = Staging::open(self, runtime, group, first.schema(), latest_event(batches))?;
        for batch in batches {
            staging.write(batch)?;
        }
        staging.finish()
    }

    /// Removes staged files that were not committed; a file that is in the table stays.
    pub async fn discard(&self, group: &FeatureGroup, staged: &[StagedFile]) -> Result<()> {
        let folder = self.folder(group)?;
        let state = self.state(&folder).await?;
        for file in staged {
            if state.as_ref().is_some_and(|state| state.names(&file.path)) {
                continue;
            }
            match self.disk()?.delete(&folder.data_file(&file.path)).await {
                Err(object_store::Error::NotFound { .. }) | Ok(()) => {}
                Err(error) => return Err(from_object_store(format!("can't remove {}", file.path), error)),
            }
        }
        Ok(())
    }
}

pub(crate) fn micros_range(statistics: &FileStatistics) -> Option<(i64, i64)> {
    match range_of(statistics, EVENT_TIME)? {
        (Bound::Micros(min), Bound::Micros(max)) => Some((min, max)),
        _ => None,
    }
}

pub(crate) fn range_of(statistics: &FileStatistics, column: &str) -> Option<(Bound, Bound)> {
    let bounds = statistics.columns.get(column)?;
    Some((bounds.min.clone()?, bounds.max.clone()?))
}

/// The latest event of the batches, for the file's name.
fn latest_event(batches: &[RecordBatch]) -> EventTime {
    let latest = |batch: &RecordBatch| {
        let column = batch.column_by_name(EVENT_TIME)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        compute::max(column)
    };
    let micros = batches.iter().filter_map(latest).max().unwrap_or(0);
    EventTime::from_unix_micros(micros).unwrap_or(if micros < 0 { EventTime::MIN } else { EventTime::MAX })
}

/// Encodes batches into a sink: what [`OfflineStore::stage`] does, without a store.
pub fn encode(batches: &[RecordBatch], identifier: &str, event_time: &str, sink: impl Write + Send) -> Result<FileStatistics> {
    let Some(first) = batches.first() else {
        return Err(Error::internal("a data file without rows"));
    };
    let mut encoder = Encoder::new(first.schema(), identifier, event_time, sink)?;
    for batch in batches {
        encoder.write(batch)?;
    }
    Ok(encoder.finish()?.0)
}

/// Batches on their way into one Parquet file.
struct Encoder<W: Write + Send> {
    writer: ArrowWriter<W>,
    gathering: Gathering,
    /// Columns with statistics in the log wherever they stand.
    always: Vec<String>,
}

fn not_encoded(error: parquet::errors::ParquetError) -> Error {
    Error::internal("can't encode a data file").source(error)
}

impl<W: Write + Send> Encoder<W> {
    fn new(schema: SchemaRef, identifier: &str, event_time: &str, sink: W) -> Result<Self> {
        let sorting = [identifier, EVENT_TIME]
            .into_iter()
            .filter_map(|name| leaf_position(&schema, name))
            .map(|column| SortingColumn { column_idx: column, descending: false, nulls_first: true })
            .collect();
        let level = ZstdLevel::try_new(1).map_err(not_encoded)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_sorting_columns(Some(sorting))
            .set_created_by(format!("larder {}", env!("CARGO_PKG_VERSION")))
            .build();
        let always = PLUMBING.into_iter().chain([identifier, event_time]).map(str::to_owned).collect();
        let writer = ArrowWriter::try_new(sink, schema, Some(properties)).map_err(not_encoded)?;
        Ok(Self { writer, gathering: Gathering::default(), always })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.gathering.add(batch, &self.always);
        self.writer.write(batch).map_err(not_encoded)
    }

    /// Writes the footer; returns what the rows are like, and the sink.
    fn finish(self) -> Result<(FileStatistics, W)> {
        let sink = self.writer.into_inner().map_err(not_encoded)?;
        Ok((self.gathering.finish(), sink))
    }
}

/// A data file of a group that is being written batch by batch; nothing of it is left unless [`Self::finish`] returns it.
///
/// Its methods block: they are for a thread that may, and that is none of the runtime's workers.
pub(super) struct Staging {
    path: String,
    /// For messages: `group 'trips'`.
    group: String,
    identifier: String,
    /// None once the file was given up.
    encoder: Option<Encoder<Chunks>>,
    upload: JoinHandle<Result<()>>,
    runtime: Handle,
}

impl Staging {
    /// Begins a file; `latest` is the latest event in it, for its name.
    pub(super) fn open(store: &OfflineStore, runtime: &Handle, group: &FeatureGroup, schema: SchemaRef, latest: EventTime) -> Result<Self> {
        store.check_writable()?;
        let path = layout::data_file_name(latest, &layout::new_token());
        let location = store.folder(group)?.data_file(&path);
        let objects: Arc<dyn ObjectStore> = store.disk()?.store();
        let identifier = group.schema.identifier().column().to_string();
        let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
        let sink = Chunks { sender, buffer: BytesMut::with_capacity(CHUNK.min(1 << 20)), written: 0 };
        let encoder = Encoder::new(schema, &identifier, group.schema.event_time().column().as_str(), sink)?;
        let upload = runtime.spawn(upload(objects, location, receiver));
        Ok(Self { path, group: format!("group '{}'", group.name), identifier, encoder: Some(encoder), upload, runtime: runtime.clone() })
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.encoder.as_ref().map_or(0, |encoder| encoder.gathering.rows())
    }

    /// Bytes of the row groups that are complete.
    pub(super) fn bytes(&self) -> u64 {
        self.encoder.as_ref().map_or(0, |encoder| encoder.writer.bytes_written() as u64)
    }

    /// Appends rows, which come after those before them in the order of the file. After an error the file is given up.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some(encoder) = &mut self.encoder else { return Err(given_up()) };
        let Err(error) = encoder.write(batch) else { return Ok(()) };
        // Without its sink the upload ends. If it had failed, the encoder only found the way closed.
        self.encoder = None;
        self.uploaded().and(Err(error.within(&self.group)))
    }

    /// Ends the file; it is durable when this returns.
    pub(super) fn finish(mut self) -> Result<StagedFile> {
        let encoded = self.encoder.take().ok_or_else(given_up)?.finish().and_then(|(statistics, mut sink)| {
            sink.finish().map_err(|error| Error::io("can't pass a data file on", error))?;
            Ok((statistics, sink.written))
        });
        self.uploaded()?;
        let (statistics, size) = encoded.map_err(|error| error.within(&self.group))?;
        let Self { path, identifier, .. } = self;
        Ok(StagedFile {
            path,
            size,
            rows: statistics.rows,
            event_time: micros_range(&statistics),
            identifier: range_of(&statistics, &identifier),
            statistics,
        })
    }

    /// Gives the file up; nothing of it is left when this returns.
    pub(super) fn give_up(mut self) -> Result<()> {
        self.encoder = None;
        self.uploaded()
    }

    /// Waits for the upload; without an end mark it leaves nothing.
    fn uploaded(&mut self) -> Result<()> {
        let uploaded = self.runtime.block_on(&mut self.upload);
        uploaded
            .map_err(|error| Error::internal("the upload of a data file stopped").source(error))?
            .map_err(|error| error.within(&self.group))
    }
}

fn given_up() -> Error {
    Error::internal("a data file that was given up is written to")
}

/// Position of a column among the leaves: each of our columns, a list too, has exactly one.
fn leaf_position(schema: &arrow::datatypes::Schema, name: &str) -> Option<i32> {
    schema.index_of(name).ok().and_then(|position| i32::try_from(position).ok())
}

enum Message {
    Chunk(Bytes),
    End,
}

/// The encoder's end of the way to the store.
struct Chunks {
    sender: mpsc::Sender<Message>,
    buffer: BytesMut,
    written: u64,
}

impl Chunks {
    fn send(&mut self, message: Message) -> io::Result<()> {
        // The receiver is gone only after its upload failed, and then that error is the one that is told.
        self.sender.blocking_send(message).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }

    fn finish(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let rest = self.buffer.split().freeze();
            self.send(Message::Chunk(rest))?;
        }
        self.send(Message::End)
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        self.written += taken as u64;
        if self.buffer.len() == CHUNK {
            let chunk = self.buffer.split().freeze();
            self.send(Message::Chunk(chunk))?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The store's end: one put for a small file, parts for a large one, nothing without the end mark.
async fn upload(store: Arc<dyn ObjectStore>, location: Path, mut chunks: mpsc::Receiver<Message>) -> Result<()> {
    let fault = |error| from_object_store("can't write a data file", error);
    let Some(Message::Chunk(first)) = chunks.recv().await else { return Ok(()) };
    let second = match chunks.recv().await {
        None => return Ok(()),
        Some(Message::End) => return store.put(&location, PutPayload::from_bytes(first)).await.map(|_| ()).map_err(fault),
        Some(Message::Chunk(second)) => second,
    };
    let mut parts = store.put_multipart(&location).await.map_err(fault)?;
    for chunk in [first, second] {
        parts.put_part(PutPayload::from_bytes(chunk)).await.map_err(fault)?;
    }
    while let Some(message) = chunks.recv().await {
        match message {
            Message::Chunk(chunk) => parts.put_part(PutPayload::from_bytes(chunk)).await.map_err(fault)?,
            Message::End => return parts.complete().await.map(|_| ()).map_err(fault),
        }
    }
    parts.abort().await.map_err(fault)
}
