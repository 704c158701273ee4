//! One use of a group, from the spine's identifiers and times to the features of each row, in memory.
//!
//! ```text
//! files that can matter -> identifiers and times -> contest -> winners      [`super::records`], [`super::slots`]
//! winners -> rows to read -> feature columns of these rows, in chunks       [`super::selection`]
//! row of the spine -> slot -> chunk and row -> value                        [`Side::features`]
//! ```
//!
//! The columns of a record are read only if it won. Threads take row groups one by one; what they find does not depend on
//! which thread found it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{concat, filter_record_batch, interleave};
use arrow::datatypes::{DataType, FieldRef};

use super::extent::Extent;
use super::file::{GroupFile, Objects, Wanted};
use super::identifiers::{Identifiers, NONE};
use super::parallel::in_parallel;
use super::records::{FileKeys, KeyColumns, check_limits};
use super::selection::{ChunkPlan, Selection, Source};
use super::slots::{Admission, Contest, FullRank, Place, Rank, RowNumbers, ShortRank, SpineIndex};
use super::{JoinOptions, JoinWatch};
use crate::dataset::scan::SharedScan;
use crate::model::{Error, Result};

/// Records looked at in one step.
const KEY_ROWS: usize = 16_384;
/// Winning rows decoded in one step; of those around them, ten times as many may be decoded along.
const FEATURE_ROWS: usize = 4_096;

/// One use of a group, checked.
#[derive(Debug)]
pub(super) struct GroupPlan {
    pub(super) scan: SharedScan,
    pub(super) keys: KeyColumns,
    /// The features' columns as the group has them, in the order of the request.
    pub(super) features: Vec<FieldRef>,
    /// Position in the spine of the identifiers.
    pub(super) spine_id: usize,
    /// As it was asked for.
    #[cfg(feature = "cluster")]
    pub(super) asked_ttl: Option<crate::model::Ttl>,
    /// Microseconds.
    pub(super) ttl: Option<i64>,
    pub(super) admission: Admission,
}

/// Tells whoever looks for lost time where it went.
struct Stages(Instant);

impl Stages {
    fn new() -> Self {
        Self(Instant::now())
    }

    fn ended(&self, stage: &str, count: usize) {
        tracing::debug!(count, seconds = self.0.elapsed().as_secs_f64(), "{stage}");
    }
}

/// How and where to work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Works<'a> {
    pub(super) options: &'a JoinOptions,
    pub(super) runtime: &'a tokio::runtime::Handle,
    pub(super) watch: &'a JoinWatch,
}

/// Features of spine rows.
#[derive(Debug)]
pub(super) struct Side {
    row_slots: Vec<u32>,
    /// By slot.
    sources: Vec<Source>,
    /// By feature, then by chunk; behind the chunks of each one more that is a single null.
    columns: Vec<Vec<ArrayRef>>,
    types: Vec<DataType>,
    /// Spine rows that found a record.
    pub(super) matched: u64,
}

impl Side {
    /// Columns of the features for a range of spine rows.
    pub(super) fn features(&self, rows: Range<usize>) -> Result<Vec<ArrayRef>> {
        let nothing = self.columns.first().map_or(0, |chunks| chunks.len().saturating_sub(1));
        let place = |slot: &u32| {
            let source = if *slot == NONE { Source::NOTHING } else { self.sources[*slot as usize] };
            if source == Source::NOTHING { (nothing, 0) } else { (source.chunk as usize, source.row as usize) }
        };
        let length = rows.len();
        if nothing == 0 {
            return Ok(self.types.iter().map(|data_type| new_null_array(data_type, length)).collect());
        }
        let places: Vec<(usize, usize)> = self.row_slots[rows].iter().map(place).collect();
        let column = |chunks: &Vec<ArrayRef>| {
            let chunks: Vec<&dyn Array> = chunks.iter().map(AsRef::as_ref).collect();
            interleave(&chunks, &places).map_err(|error| Error::internal("features can't be put in the order of the spine").source(error))
        };
        self.columns.iter().map(column).collect()
    }

    /// Bytes it holds.
    pub(super) fn bytes(&self) -> usize {
        let columns: usize = self.columns.iter().flatten().map(|chunk| chunk.get_array_memory_size()).sum();
        columns + self.sources.len() * size_of::<Source>() + self.row_slots.len() * 4
    }
}

impl GroupPlan {
    /// Bytes that the contest of so many rows takes, without the features.
    pub(super) fn contest_bytes(&self, rows: usize, threads: usize) -> usize {
        let rank = if self.keys.knows_arrivals { size_of::<FullRank>() } else { size_of::<ShortRank>() };
        // Identifier table and column, times, slots, sources; one set of ranks a thread.
        rows * (72 + rank * threads)
    }

    /// Bytes of one row's features, guessed from what the files say of themselves; never less than the fixed widths.
    pub(super) fn feature_bytes(&self) -> usize {
        let width = |field: &FieldRef| match field.data_type().primitive_width() {
            Some(width) => width + 1,
            None => 48,
        };
        self.features.iter().map(width).sum()
    }

    /// Finds the features of rows, given as columns of identifiers and times.
    pub(super) fn resolve<'a>(&self, rows: impl IntoIterator<Item = (&'a Identifiers, &'a Int64Array)>, works: Works<'_>) -> Result<Side> {
        let stages = Stages::new();
        let index = SpineIndex::build(self.keys.kind, rows);
        stages.ended("arranged the spine", index.len());
        let types: Vec<DataType> = self.features.iter().map(|field| field.data_type().clone()).collect();
        let nothing = |index: &SpineIndex| Side {
            row_slots: index.row_slots().to_vec(),
            sources: vec![Source::NOTHING; index.len()],
            columns: vec![Vec::new(); types.len()],
            types: types.clone(),
            matched: 0,
        };
        let Some(extent) = Extent::of(&index, self.ttl) else { return Ok(nothing(&index)) };
        let files = self.open_files(&extent, works)?;
        stages.ended("opened files", files.iter().flatten().count());
        check_limits(&self.scan, &files)?;
        let winners = match self.keys.knows_arrivals {
            true => self.winners::<FullRank>(&index, &extent, &files, works)?,
            false => self.winners::<ShortRank>(&index, &extent, &files, works)?,
        };
        stages.ended("found the records", winners.len());
        let selection = Selection::of(&winners, &files, self.scan.unflushed().num_rows());
        let sources = selection.sources(&winners, &files);
        drop(winners);
        let columns = self.gather(&selection.plans, &files, works)?;
        stages.ended("read their features", selection.plans.len());
        let row_slots = index.row_slots().to_vec();
        let is_match = |slot: &&u32| **slot != NONE && sources[**slot as usize] != Source::NOTHING;
        let matched = row_slots.iter().filter(is_match).count() as u64;
        Ok(Side { row_slots, sources, columns, types, matched })
    }

    /// Opens the files that can matter.
    fn open_files(&self, extent: &Extent, works: Works<'_>) -> Result<Vec<Option<GroupFile>>> {
        let objects = Objects { store: self.scan.store().clone(), runtime: works.runtime.clone() };
        let is_wanted = |number: usize| match self.scan.files()[number].statistics() {
            Some(statistics) => extent.wants_file(statistics, &self.keys.identifier, &self.keys.event_time),
            None => true,
        };
        let wanted: Vec<usize> = (0..self.scan.files().len()).filter(|number| is_wanted(*number)).collect();
        let opened = in_parallel(works.options.parallelism, wanted.len(), works.watch, Vec::new, |opened, task| {
            let number = wanted[task];
            opened.push((number, GroupFile::open(&objects, self.scan.files()[number].object())?));
            Ok(())
        })?;
        let mut files: Vec<Option<GroupFile>> = (0..self.scan.files().len()).map(|_| None).collect();
        for (number, file) in opened.into_iter().flatten() {
            files[number] = Some(file);
        }
        Ok(files)
    }

    fn winners<R: Rank>(&self, index: &SpineIndex, extent: &Extent, files: &[Option<GroupFile>], works: Works<'_>) -> Result<Vec<Place>> {
        let mut tasks: Vec<KeyTask<'_>> = Vec::new();
        for (number, file) in files.iter().enumerate().filter_map(|(number, file)| Some((number, file.as_ref()?))) {
            let keys = Arc::new(self.keys.of_file(&self.scan, &self.scan.files()[number]));
            for (row_group, rows) in extent.row_groups(file, &self.keys.identifier, &self.keys.event_time) {
                tasks.push(KeyTask { number, file, keys: keys.clone(), row_group, rows });
            }
        }
        let to_read: usize = tasks.iter().map(KeyTask::count).sum();
        works.watch.rows_to_read.fetch_add(to_read as u64, Ordering::Relaxed);
        let contest = || Contest::<R>::new(index, self.admission.known_then);
        let contests = in_parallel(works.options.parallelism, tasks.len(), works.watch, contest, |contest, task| {
            tasks[task].enter(self, index, contest, works.watch)
        })?;
        let mut contests = contests.into_iter();
        let mut whole = contests.next().unwrap_or_else(contest);
        if self.scan.unflushed().num_rows() > 0 {
            whole.enter(index, &self.keys.of_unflushed(&self.scan)?, self.admission.as_of);
        }
        whole.settle(index);
        contests.for_each(|mut other| {
            other.settle(index);
            whole.merge(&other);
        });
        Ok(whole.winners(index, self.ttl))
    }

    /// Reads the features of the winners: by feature, the chunks, and one null behind them.
    fn gather(&self, plans: &[ChunkPlan], files: &[Option<GroupFile>], works: Works<'_>) -> Result<Vec<Vec<ArrayRef>>> {
        let wanted: Vec<Wanted> = self.features.iter().map(|field| Wanted { field: field.clone() }).collect();
        let read = in_parallel(works.options.parallelism, plans.len(), works.watch, Vec::new, |read, task| {
            let plan = &plans[task];
            let columns = match files.get(plan.file) {
                Some(Some(file)) => chunk(&wanted, file, plan)?,
                _ => self.unflushed_chunk(plan)?,
            };
            read.push((task, columns));
            Ok(())
        })?;
        let mut columns: Vec<Vec<Option<ArrayRef>>> = vec![vec![None; plans.len()]; self.features.len()];
        for (chunk, arrays) in read.into_iter().flatten() {
            for (column, array) in columns.iter_mut().zip(arrays) {
                column[chunk] = Some(array);
            }
        }
        let finish = |(field, chunks): (&FieldRef, Vec<Option<ArrayRef>>)| {
            let mut chunks: Vec<ArrayRef> = chunks.into_iter().flatten().collect();
            chunks.push(new_null_array(field.data_type(), 1));
            chunks
        };
        Ok(self.features.iter().zip(columns).map(finish).collect())
    }

    fn unflushed_chunk(&self, plan: &ChunkPlan) -> Result<Vec<ArrayRef>> {
        let fault = |error| Error::internal("unflushed rows can't be chosen").source(error);
        let chosen = filter_record_batch(self.scan.unflushed(), &BooleanArray::new(plan.rows.clone(), None)).map_err(fault)?;
        let column = |field: &FieldRef| match chosen.column_by_name(field.name()) {
            Some(column) => column.clone(),
            None => new_null_array(field.data_type(), chosen.num_rows()),
        };
        Ok(self.features.iter().map(column).collect())
    }
}

/// A row group whose records are to compete.
struct KeyTask<'a> {
    number: usize,
    file: &'a GroupFile,
    keys: Arc<FileKeys>,
    row_group: usize,
    /// The rows that can matter; none is all.
    rows: Option<BooleanBuffer>,
}

impl KeyTask<'_> {
    fn count(&self) -> usize {
        match &self.rows {
            Some(rows) => rows.count_set_bits(),
            None => (self.file.rows(self.row_group).end - self.file.rows(self.row_group).start) as usize,
        }
    }

    fn enter<R: Rank>(&self, plan: &GroupPlan, index: &SpineIndex, contest: &mut Contest<R>, watch: &JoinWatch) -> Result<()> {
        let first = self.file.rows(self.row_group).start;
        let mut numbers = self.rows.as_ref().map(BooleanBuffer::set_indices);
        let mut done = 0u64;
        let wanted = plan.keys.wanted_of(&self.keys, self.file, self.row_group);
        for batch in self.file.read(&wanted, self.row_group, self.rows.clone(), KEY_ROWS)? {
            let batch: RecordBatch = batch?;
            let count = batch.num_rows();
            let rows = match &mut numbers {
                None => RowNumbers::From(first + done),
                Some(numbers) => RowNumbers::Each(numbers.take(count).map(|row| first + row as u64).collect()),
            };
            contest.enter(index, &self.keys.batch(plan.keys.kind, &batch, self.number, rows)?, plan.admission.as_of);
            done += count as u64;
            watch.rows_read.fetch_add(count as u64, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The chosen rows of a row group, one array a column.
fn chunk(wanted: &[Wanted], file: &GroupFile, plan: &ChunkPlan) -> Result<Vec<ArrayRef>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let rows = (plan.count < plan.rows.len()).then(|| plan.rows.clone());
    let batches = file.read(wanted, plan.row_group, rows, FEATURE_ROWS)?.collect::<Result<Vec<_>>>()?;
    let read: usize = batches.iter().map(RecordBatch::num_rows).sum();
    if read != plan.count {
        return Err(Error::internal(format!("{read} rows were read where {} were chosen", plan.count)));
    }
    let column = |position: usize| {
        let parts: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(position).as_ref()).collect();
        concat(&parts).map_err(|error| Error::invalid("the features of one row group are too large").source(error))
    };
    (0..wanted.len()).map(column).collect()
}
