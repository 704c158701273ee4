//! A join beyond memory: the spine on disk, and one use of a group done part by part.
//!
//! ```text
//! spine ──by hash of identifier──> keys of part 0 … n   (identifier, time, row number)
//! part ──contest, features──────> found of part 0 … n   (row number, features), rows ascending
//! rows a..b of the dataset <──── merged from all parts by row number
//! ```
//!
//! All rows of an identifier are in one part, so a part can be decided alone; rows without an identifier are in part 0.
//! Files are Arrow streams in a folder of this process, which is removed at the end and, after a crash, by the next
//! process that spills.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{interleave, take};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, UInt64Type};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::identifiers::Identifiers;
use super::resolve::{GroupPlan, Works};
use crate::dataset::spill::SpillFolder;
use crate::model::{Error, Result};

/// Most parts of one join; more would mean files of a few rows.
const MAX_PARTS: usize = 1_024;
/// Rows of all parts' batches together while they are merged.
const MERGED_ROWS: usize = 65_536;

/// Where spilled rows go; made when the first do.
#[derive(Debug)]
pub(super) struct Folder {
    parent: PathBuf,
    made: OnceLock<SpillFolder>,
    files: AtomicUsize,
}

impl Folder {
    pub(super) fn new(parent: Option<PathBuf>) -> Self {
        let parent = parent.unwrap_or_else(|| std::env::temp_dir().join("larder-spill"));
        Self { parent, made: OnceLock::new(), files: AtomicUsize::new(0) }
    }

    fn next_file(&self) -> Result<PathBuf> {
        let folder = match self.made.get() {
            Some(folder) => folder,
            None => {
                let made = SpillFolder::create(&self.parent)?;
                self.made.get_or_init(|| made)
            }
        };
        Ok(folder.path().join(format!("{:06}.arrow", self.files.fetch_add(1, Ordering::Relaxed))))
    }
}

fn unwritten(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => Error::io("can't spill to disk", source),
        other => Error::internal("rows can't be spilled").source(other),
    }
}

fn unread(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, source) => Error::io("can't read spilled rows", source),
        other => Error::internal("spilled rows can't be read").source(other),
    }
}

/// A stream of batches being written.
struct Writer {
    path: PathBuf,
    stream: StreamWriter<BufWriter<File>>,
}

impl Writer {
    fn create(folder: &Folder, schema: &SchemaRef) -> Result<Self> {
        let path = folder.next_file()?;
        let file = File::create_new(&path).map_err(|error| Error::io("can't spill to disk", error))?;
        let stream = StreamWriter::try_new_buffered(file, schema).map_err(unwritten)?;
        Ok(Self { path, stream })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.stream.write(batch).map_err(unwritten)
    }

    fn finish(mut self) -> Result<PathBuf> {
        self.stream.finish().map_err(unwritten)?;
        Ok(self.path)
    }
}

fn reader(path: &Path) -> Result<StreamReader<BufReader<File>>> {
    let file = File::open(path).map_err(|error| Error::io("can't read spilled rows", error))?;
    StreamReader::try_new_buffered(file, None).map_err(unread)
}

/// The spine on its way to disk: its columns, and behind them the instants.
pub(super) struct SpineSpill {
    writer: Writer,
    schema: SchemaRef,
    spine: SchemaRef,
    folder: Arc<Folder>,
}

impl SpineSpill {
    pub(super) fn new(folder: &Arc<Folder>, spine: &SchemaRef) -> Result<Self> {
        let instants = Arc::new(Field::new("", DataType::Int64, true));
        let schema: SchemaRef = Arc::new(Schema::new(spine.fields().iter().cloned().chain([instants]).collect::<Vec<_>>()));
        Ok(Self { writer: Writer::create(folder, &schema)?, schema, spine: spine.clone(), folder: folder.clone() })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch, instants: &Int64Array) -> Result<()> {
        let columns = batch.columns().iter().cloned().chain([Arc::new(instants.clone()) as ArrayRef]).collect();
        self.writer.write(&RecordBatch::try_new(self.schema.clone(), columns).map_err(unwritten)?)
    }

    pub(super) fn finish(self) -> Result<SpilledRows> {
        Ok(SpilledRows { path: self.writer.finish()?, spine: self.spine, folder: self.folder })
    }
}

/// A spine on disk.
#[derive(Debug)]
pub(super) struct SpilledRows {
    path: PathBuf,
    spine: SchemaRef,
    folder: Arc<Folder>,
}

impl SpilledRows {
    /// Its batches, with the instants behind the columns.
    pub(super) fn read(&self) -> Result<impl Iterator<Item = Result<RecordBatch>> + use<>> {
        Ok(reader(&self.path)?.map(|batch| batch.map_err(unread)))
    }

    /// The instants of such a batch.
    pub(super) fn times(&self, batch: &RecordBatch) -> Result<Int64Array> {
        let instants = batch.columns().last().and_then(|column| column.as_primitive_opt::<Int64Type>());
        instants.cloned().ok_or_else(|| Error::internal("a spilled spine has lost its times"))
    }

    /// The rows once more, for the dataset.
    pub(super) fn into_spine(self) -> Result<SpilledSpine> {
        Ok(SpilledSpine { batches: reader(&self.path)?, columns: self.spine.fields().len(), current: None, _folder: self.folder })
    }
}

/// Reads a spine back from disk.
pub(super) struct SpilledSpine {
    batches: StreamReader<BufReader<File>>,
    columns: usize,
    current: Option<RecordBatch>,
    _folder: Arc<Folder>,
}

impl std::fmt::Debug for SpilledSpine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpilledSpine").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl SpilledSpine {
    /// The next rows.
    pub(super) fn take(&mut self, mut count: usize) -> Result<Vec<RecordBatch>> {
        let positions: Vec<usize> = (0..self.columns).collect();
        let mut taken = Vec::new();
        while count > 0 {
            let batch = match self.current.take() {
                Some(batch) => batch,
                None => self.batches.next().ok_or_else(|| Error::internal("the spine ended early"))?.map_err(unread)?,
            };
            let length = count.min(batch.num_rows());
            taken.push(batch.slice(0, length).project(&positions).map_err(unread)?);
            count -= length;
            if length < batch.num_rows() {
                self.current = Some(batch.slice(length, batch.num_rows() - length));
            }
        }
        Ok(taken)
    }
}

/// Keys of a part: identifier, instant, number of the row in the spine.
fn key_schema(identifiers: &DataType) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("identifier", identifiers.clone(), true),
        Field::new("time", DataType::Int64, true),
        Field::new("row", DataType::UInt64, false),
    ]))
}

/// Features of one use of a group on disk, in parts.
#[derive(Debug)]
pub(super) struct SpilledSide {
    parts: Vec<Part>,
    types: Vec<DataType>,
    matched: u64,
    _folder: Arc<Folder>,
}

impl SpilledSide {
    /// Finds the features of rows, given as columns of identifiers (as the spine has them) and instants, part by part.
    /// `size` is the number of rows, the bytes they would need at once, and the bytes there are.
    pub(super) fn resolve(
        group: &GroupPlan,
        columns: impl Iterator<Item = Result<(ArrayRef, Int64Array)>>,
        (rows, need, memory): (usize, usize, usize),
        folder: &Arc<Folder>,
        works: Works<'_>,
    ) -> Result<Self> {
        let parts = need.div_ceil((memory / 2).max(1)).clamp(1, MAX_PARTS);
        let keys = partition(group, columns, parts, folder, works)?;
        let mut side = Self {
            parts: Vec::with_capacity(parts),
            types: group.features.iter().map(|field| field.data_type().clone()).collect(),
            matched: 0,
            _folder: folder.clone(),
        };
        let batch_rows = (MERGED_ROWS / parts).clamp(256, rows.max(256));
        for path in keys {
            works.watch.check()?;
            let (found, matched) = resolve_part(group, &path, batch_rows, folder, works)?;
            side.matched += matched;
            side.parts.push(Part { batches: reader(&found)?, current: None });
            // Only saves disk: the folder goes anyway.
            let _ = std::fs::remove_file(&path);
        }
        Ok(side)
    }

    /// Spine rows that found a record.
    pub(super) fn matched(&self) -> u64 {
        self.matched
    }

    /// Columns of the features for the next rows.
    pub(super) fn take(&mut self, rows: Range<usize>) -> Result<Vec<ArrayRef>> {
        let mut places = vec![(usize::MAX, 0); rows.len()];
        let mut batches: Vec<RecordBatch> = Vec::new();
        for part in &mut self.parts {
            part.rows_before(rows.end as u64, |batch, row, number| {
                if row == 0 {
                    batches.push(batch.clone());
                }
                if let Some(place) = (number as usize).checked_sub(rows.start).and_then(|at| places.get_mut(at)) {
                    *place = (batches.len() - 1, row);
                }
            })?;
        }
        if places.iter().any(|(batch, _)| *batch == usize::MAX) {
            return Err(Error::internal("a row of the spine was lost while spilling"));
        }
        let column = |position: usize| {
            let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(position + 1).as_ref()).collect();
            interleave(&arrays, &places).map_err(unread)
        };
        (0..self.types.len()).map(column).collect()
    }
}

/// Writes the keys of each part.
fn partition(
    group: &GroupPlan,
    columns: impl Iterator<Item = Result<(ArrayRef, Int64Array)>>,
    parts: usize,
    folder: &Folder,
    works: Works<'_>,
) -> Result<Vec<PathBuf>> {
    let mut writers: Vec<Writer> = Vec::new();
    let mut schema = None;
    let mut first = 0u64;
    for columns in columns {
        works.watch.check()?;
        let (column, times) = columns?;
        let schema = schema.get_or_insert_with(|| key_schema(column.data_type()));
        if writers.is_empty() {
            writers = (0..parts).map(|_| Writer::create(folder, schema)).collect::<Result<_>>()?;
        }
        let identifiers = group.keys.kind.read(&column).map_err(unread)?;
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); parts];
        for row in 0..identifiers.len() {
            let part = identifiers.hash(row).map_or(0, |hash| (hash % parts as u64) as usize);
            rows[part].push(row as u32);
        }
        for (writer, rows) in writers.iter_mut().zip(rows).filter(|(_, rows)| !rows.is_empty()) {
            let numbers = UInt64Array::from_iter_values(rows.iter().map(|row| first + u64::from(*row)));
            let rows = UInt32Array::from(rows);
            let columns = vec![take(&column, &rows, None).map_err(unread)?, take(&times, &rows, None).map_err(unread)?, Arc::new(numbers)];
            writer.write(&RecordBatch::try_new(schema.clone(), columns).map_err(unwritten)?)?;
        }
        first += column.len() as u64;
    }
    writers.into_iter().map(Writer::finish).collect()
}

/// Decides one part and writes its features by row number; returns the file and the rows that found a record.
fn resolve_part(group: &GroupPlan, keys: &Path, batch_rows: usize, folder: &Folder, works: Works<'_>) -> Result<(PathBuf, u64)> {
    let mut columns: Vec<(Identifiers, Int64Array)> = Vec::new();
    let mut numbers: Vec<u64> = Vec::new();
    for batch in reader(keys)? {
        let batch = batch.map_err(unread)?;
        numbers.extend_from_slice(batch.column(2).as_primitive::<UInt64Type>().values());
        columns.push((group.keys.kind.read(batch.column(0)).map_err(unread)?, batch.column(1).as_primitive::<Int64Type>().clone()));
    }
    let side = group.resolve(columns.iter().map(|(identifiers, times)| (identifiers, times)), works)?;
    drop(columns);
    let row = Arc::new(Field::new("", DataType::UInt64, false));
    let fields: Vec<_> = [row].into_iter().chain(group.features.iter().cloned()).collect();
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let mut writer = Writer::create(folder, &schema)?;
    for start in (0..numbers.len()).step_by(batch_rows) {
        works.watch.check()?;
        let rows = start..(start + batch_rows).min(numbers.len());
        let mut columns: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(numbers[rows.clone()].to_vec()))];
        columns.extend(side.features(rows)?);
        writer.write(&RecordBatch::try_new(schema.clone(), columns).map_err(unwritten)?)?;
    }
    Ok((writer.finish()?, side.matched))
}

/// The features of one part, read by row number.
struct Part {
    batches: StreamReader<BufReader<File>>,
    current: Option<RecordBatch>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").finish_non_exhaustive()
    }
}

impl Part {
    /// Hands on all rows with numbers below `end`: batch, row in it, number. Of each batch the first row is row 0.
    fn rows_before(&mut self, end: u64, mut visit: impl FnMut(&RecordBatch, usize, u64)) -> Result<()> {
        loop {
            let batch = match self.current.take() {
                Some(batch) => batch,
                None => match self.batches.next() {
                    Some(batch) => batch.map_err(unread)?,
                    None => return Ok(()),
                },
            };
            let numbers = batch.column(0).as_primitive::<UInt64Type>();
            let count = numbers.values().partition_point(|number| *number < end);
            for row in 0..count {
                visit(&batch, row, numbers.value(row));
            }
            if count < batch.num_rows() {
                self.current = Some(batch.slice(count, batch.num_rows() - count));
                return Ok(());
            }
        }
    }
}
