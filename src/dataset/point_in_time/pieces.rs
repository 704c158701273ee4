//! The dataset in pieces: the spine's rows in their order, each with the features that were found for it.
//!
//! A piece is taken in order by whoever holds the result and put together by any thread, so that several can encode a
//! file at once. How many rows a piece has depends on its columns alone, never on threads or memory.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

use super::identifiers::Identifiers;
use super::resolve::{GroupPlan, Side, Works};
use super::spill::{Folder, SpilledRows, SpilledSide, SpilledSpine, SpineSpill};
use super::{JoinWatch, MIN_MEMORY, PointInTimeJoin};
use crate::model::{Error, Result};

/// Most rows of a piece.
const PIECE_ROWS: usize = 131_072;
/// Bytes of a piece, about.
const PIECE_BYTES: usize = 64 << 20;

/// The dataset, piece by piece, in the order of the spine.
#[derive(Debug)]
pub struct JoinedRows {
    schema: SchemaRef,
    rows: usize,
    next: usize,
    piece_rows: usize,
    spine: SpineRows,
    sides: Vec<FoundSide>,
    matched: Arc<[AtomicU64]>,
    watch: JoinWatch,
}

#[derive(Debug)]
enum SpineRows {
    Held {
        batches: Vec<RecordBatch>,
        current: usize,
        offset: usize,
    },
    Spilled(Box<SpilledSpine>),
    /// Rows that were joined elsewhere: their features are among the columns.
    Arriving(Arriving),
}

/// Batches of whole rows of a dataset, in order.
pub type JoinedBatches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

struct Arriving {
    batches: JoinedBatches,
    /// What is left of the batch that came last.
    rest: Option<RecordBatch>,
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving").field("rest", &self.rest.as_ref().map(RecordBatch::num_rows)).finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum FoundSide {
    Held(Arc<Side>),
    Spilled(SpilledSide),
}

/// Some consecutive rows of the dataset.
#[derive(Debug)]
pub struct Piece {
    schema: SchemaRef,
    rows: Range<usize>,
    spine: Vec<RecordBatch>,
    sides: Vec<PieceSide>,
}

#[derive(Debug)]
enum PieceSide {
    Held(Arc<Side>),
    Ready(Vec<ArrayRef>),
}

impl Piece {
    /// Numbers of its rows.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Puts spine and features together.
    pub fn assemble(self) -> Result<RecordBatch> {
        let fault = |error| Error::internal("rows of the training dataset can't be put together").source(error);
        let mut columns: Vec<ArrayRef> = match self.spine.as_slice() {
            [one] => one.columns().to_vec(),
            [] => Vec::new(),
            [first, ..] => concat_batches(&first.schema(), &self.spine).map_err(fault)?.columns().to_vec(),
        };
        for side in self.sides {
            match side {
                PieceSide::Held(side) => columns.extend(side.features(self.rows.clone())?),
                PieceSide::Ready(features) => columns.extend(features),
            }
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        RecordBatch::try_new_with_options(self.schema, columns, &options).map_err(fault)
    }
}

impl JoinedRows {
    /// Rows that were joined elsewhere and arrive in order, with the columns of the dataset. Whoever makes `batches` counts
    /// the rows that found a record, by use of a group, while they are read.
    pub fn arriving(schema: SchemaRef, rows: usize, batches: JoinedBatches, matched: Arc<[AtomicU64]>, watch: JoinWatch) -> Self {
        watch.rows_to_write.store(rows as u64, Ordering::Relaxed);
        let spine = SpineRows::Arriving(Arriving { batches, rest: None });
        Self { piece_rows: piece_rows(&schema), schema, rows, next: 0, spine, sides: Vec::new(), matched, watch }
    }

    /// Its columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Its rows: as many as the spine has.
    pub fn rows(&self) -> u64 {
        self.rows as u64
    }

    /// Rows that found a record, by use of a group, in the order of the request.
    pub fn matched(&self) -> Vec<u64> {
        self.matched.iter().map(|count| count.load(Ordering::Relaxed)).collect()
    }

    /// The same counts, to look at once all rows were read: those of rows that were joined elsewhere come with the rows.
    pub fn counts(&self) -> Arc<[AtomicU64]> {
        self.matched.clone()
    }

    /// Most rows of a piece.
    pub fn piece_rows(&self) -> usize {
        self.piece_rows
    }

    /// The next piece; none at the end.
    pub fn next_piece(&mut self) -> Result<Option<Piece>> {
        self.watch.check()?;
        if self.next >= self.rows {
            return Ok(None);
        }
        let rows = self.next..(self.next + self.piece_rows).min(self.rows);
        let spine = self.spine.take(rows.len())?;
        let mut sides = Vec::with_capacity(self.sides.len());
        for side in &mut self.sides {
            sides.push(match side {
                FoundSide::Held(side) => PieceSide::Held(side.clone()),
                FoundSide::Spilled(side) => PieceSide::Ready(side.take(rows.clone())?),
            });
        }
        self.next = rows.end;
        self.watch.rows_written.store(rows.end as u64, Ordering::Relaxed);
        Ok(Some(Piece { schema: self.schema.clone(), rows, spine, sides }))
    }
}

impl SpineRows {
    /// The next rows, in as many batches as they lie in.
    fn take(&mut self, mut count: usize) -> Result<Vec<RecordBatch>> {
        match self {
            Self::Spilled(spine) => spine.take(count),
            Self::Arriving(arriving) => arriving.take(count),
            Self::Held { batches, current, offset } => {
                let mut taken = Vec::new();
                while count > 0 {
                    let batch = batches.get(*current).ok_or_else(|| Error::internal("the spine ended early"))?;
                    let length = count.min(batch.num_rows() - *offset);
                    taken.push(batch.slice(*offset, length));
                    count -= length;
                    *offset += length;
                    if *offset == batch.num_rows() {
                        (*current, *offset) = (*current + 1, 0);
                    }
                }
                Ok(taken)
            }
        }
    }
}

impl Arriving {
    fn take(&mut self, mut count: usize) -> Result<Vec<RecordBatch>> {
        let mut taken = Vec::new();
        while count > 0 {
            let batch = match self.rest.take() {
                Some(rest) => rest,
                None => self.batches.next().transpose()?.ok_or_else(|| Error::internal("the rows of the join ended early"))?,
            };
            let length = count.min(batch.num_rows());
            if length < batch.num_rows() {
                self.rest = Some(batch.slice(length, batch.num_rows() - length));
            }
            if length > 0 {
                taken.push(batch.slice(0, length));
            }
            count -= length;
        }
        Ok(taken)
    }
}

/// The spine as it was read: rows with their instants, held or spilled.
enum ReadSpine {
    Held { batches: Vec<RecordBatch>, times: Vec<Int64Array> },
    Spilled(SpilledRows),
}

/// Does the join up to the point where pieces can be taken.
pub(super) fn join(plan: &PointInTimeJoin, spine: impl Iterator<Item = Result<RecordBatch>>, works: Works<'_>) -> Result<JoinedRows> {
    let folder = Arc::new(Folder::new(works.options.spill_folder.clone()));
    let (spine, rows, mut held) = read_spine(plan, spine, works, &folder)?;
    works.watch.rows_to_write.store(rows as u64, Ordering::Relaxed);
    let mut sides = Vec::with_capacity(plan.groups.len());
    let mut matched = Vec::with_capacity(plan.groups.len());
    for group in &plan.groups {
        // What is left, but never so little that parts become countless.
        let memory = works.options.memory.saturating_sub(held).max(MIN_MEMORY / 2);
        let need = group.contest_bytes(rows, works.options.parallelism) + rows * group.feature_bytes();
        let held_columns = match &spine {
            ReadSpine::Held { batches, times } if need <= memory / 4 * 3 => Some(identifiers(group, batches)?.into_iter().zip(times)),
            _ => None,
        };
        if let Some(columns) = held_columns {
            let columns: Vec<(Identifiers, &Int64Array)> = columns.collect();
            let side = group.resolve(columns.iter().map(|(identifiers, times)| (identifiers, *times)), works)?;
            held += side.bytes();
            matched.push(side.matched);
            sides.push(FoundSide::Held(Arc::new(side)));
            continue;
        }
        let side = match &spine {
            ReadSpine::Held { batches, times } => {
                let batches = batches.iter().zip(times).map(|(batch, times)| Ok((batch.column(group.spine_id).clone(), times.clone())));
                SpilledSide::resolve(group, batches, (rows, need, memory), &folder, works)?
            }
            ReadSpine::Spilled(spilled) => {
                let batches = spilled.read()?.map(|batch| {
                    let batch = batch?;
                    let times = spilled.times(&batch)?;
                    Ok((batch.column(group.spine_id).clone(), times))
                });
                SpilledSide::resolve(group, batches, (rows, need, memory), &folder, works)?
            }
        };
        matched.push(side.matched());
        sides.push(FoundSide::Spilled(side));
    }
    let spine = match spine {
        ReadSpine::Held { batches, .. } => SpineRows::Held { batches, current: 0, offset: 0 },
        ReadSpine::Spilled(spilled) => SpineRows::Spilled(Box::new(spilled.into_spine()?)),
    };
    let piece_rows = piece_rows(&plan.schema);
    let matched = matched.into_iter().map(AtomicU64::new).collect();
    Ok(JoinedRows { schema: plan.schema.clone(), rows, next: 0, piece_rows, spine, sides, matched, watch: works.watch.clone() })
}

/// Rows of a piece: by the width of its columns.
fn piece_rows(schema: &SchemaRef) -> usize {
    let width: usize = schema.fields().iter().map(|field| field.data_type().primitive_width().unwrap_or(32)).sum();
    let rows = PIECE_BYTES / width.max(1);
    // A power of two, so that the boundary does not move with every added column.
    (rows + 1).next_power_of_two().div_euclid(2).clamp(1_024, PIECE_ROWS)
}

fn identifiers(group: &GroupPlan, batches: &[RecordBatch]) -> Result<Vec<Identifiers>> {
    let fault = |error| Error::invalid("the identifiers of the spine can't be read").source(error);
    batches.iter().map(|batch| group.keys.kind.read(batch.column(group.spine_id)).map_err(fault)).collect()
}

/// Reads the spine, into memory as far as it goes. Returns its rows and the bytes held.
fn read_spine(
    plan: &PointInTimeJoin,
    spine: impl Iterator<Item = Result<RecordBatch>>,
    works: Works<'_>,
    folder: &Arc<Folder>,
) -> Result<(ReadSpine, usize, usize)> {
    let (mut rows, mut bytes) = (0usize, 0usize);
    let (mut batches, mut times) = (Vec::new(), Vec::new());
    let mut spill: Option<SpineSpill> = None;
    for batch in spine {
        works.watch.check()?;
        let batch = batch?;
        if batch.num_rows() == 0 {
            continue;
        }
        let instants = plan.times(&batch, rows as u64)?;
        rows += batch.num_rows();
        if let Some(spill) = &mut spill {
            spill.write(&batch, &instants)?;
            continue;
        }
        bytes += batch.get_array_memory_size() + instants.len() * 8;
        batches.push(batch);
        times.push(instants);
        if bytes > works.options.memory / 3 {
            let mut writer = SpineSpill::new(folder, &plan.spine)?;
            for (batch, instants) in batches.drain(..).zip(times.drain(..)) {
                writer.write(&batch, &instants)?;
            }
            bytes = 0;
            spill = Some(writer);
        }
    }
    match spill {
        Some(spill) => Ok((ReadSpine::Spilled(spill.finish()?), rows, 0)),
        None => Ok((ReadSpine::Held { batches, times }, rows, bytes)),
    }
}
