//! The first half of a load: inputs become staged parts, on three threads.
//!
//! ```text
//! read: files to batches --2 waiting--> gather: coerce, collect, sort --none waiting--> write: encode, make durable; profile beside it
//! ```
//! A part is handed over when the writer is free, so at most two exist at once; memory is bounded by them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow::array::RecordBatch;
use tokio::sync::mpsc::Sender;

use super::marks::{PartMark, Totals};
use super::parts::{Gathering, Shelf};
use super::{ARRIVALS, LoadPhase, LoadProgress, LoadRequest, OnError, OnProgress, is_cancelled, part_arrival};
use crate::ingest::captured::profile_or_none;
use crate::ingest::expected::Expected;
use crate::ingest::files::{Coerced, Position, Reading, RejectsFile, SourceBatch, coerce_expecting};
use crate::ingest::quarantine::Quarantine;
use crate::model::{Arrival, Error, ErrorKind, Result, Schema};
use crate::statistics::windows::RowsProfile;

/// Batches that wait to be gathered.
const BATCHES_WAITING: usize = 2;

/// What the threads share.
pub(super) struct Job<'a> {
    pub(super) request: &'a LoadRequest,
    pub(super) schema: Arc<Schema>,
    pub(super) shelf: &'a Shelf,
    pub(super) first_arrival: Arrival,
    pub(super) part_rows: usize,
    pub(super) progress: &'a OnProgress,
    pub(super) cancel: &'a AtomicBool,
    /// Where rows that break an expectation are set aside.
    pub(super) quarantine: &'a Path,
    /// Names the load there.
    pub(super) load: String,
    /// Whether statistics of the rows are wanted.
    pub(super) is_profiled: bool,
}

/// A sorted part on its way to the shelf.
struct Part {
    number: usize,
    batch: RecordBatch,
    position: Position,
    totals: Totals,
    rejects_length: u64,
}

/// A part that is durable.
pub(super) struct StagedPart {
    pub(super) mark: PartMark,
    /// Statistics of its rows.
    pub(super) profile: Option<RowsProfile>,
}

/// How staging ended.
pub(super) struct End {
    pub(super) totals: Totals,
    pub(super) rejects_length: u64,
    /// What the user should know though it is no error.
    pub(super) notes: Vec<String>,
}

/// Stages the rest of the inputs. Each part is sent when it is durable.
pub(super) fn run(
    job: &Job<'_>,
    reading: Reading,
    rejects: Option<RejectsFile>,
    totals: Totals,
    next_part: usize,
    staged: &Sender<StagedPart>,
) -> Result<End> {
    std::thread::scope(|scope| {
        let (parts, queue) = sync_channel(0);
        let writer = scope.spawn(move || write_parts(job, &queue, staged));
        let mut gatherer = Gatherer {
            job,
            gathering: Gathering::new(&job.schema, job.part_rows),
            rejects,
            rejects_length: 0,
            totals,
            position: reading.position(),
            number: next_part,
            expected: Expected::of(&job.schema)?,
            quarantine: Quarantine::new(job.quarantine, &job.load),
            warned: BTreeMap::new(),
            total_rows: reading.total_rows(),
            total_bytes: reading.total_bytes(),
            bytes_read: reading.bytes_read(),
        };
        let (batches, incoming) = sync_channel(BATCHES_WAITING);
        let reader = scope.spawn(move || read_batches(reading, &batches));
        let hand_over = |part| parts.send(part).is_ok();
        let gathered = gatherer.gather(&incoming, hand_over);
        // A reader that waits for a place in the channel stops now.
        drop(incoming);
        let read = reader.join().unwrap_or_else(|_| Err(Error::internal("the thread that reads files stopped")));
        let ended = match (gathered, read) {
            (Ok(true), Ok(notes)) => gatherer.finish(hand_over).map(|whole| whole.then_some(notes)),
            (Ok(true), Err(error)) | (Err(error), _) => Err(error),
            (Ok(false), _) => Ok(None),
        };
        drop(parts);
        let written = writer.join().unwrap_or_else(|_| Err(Error::internal("the thread that writes parts stopped")));
        let mut notes = match (ended?, written) {
            (_, Err(error)) => return Err(error),
            (Some(notes), Ok(())) => notes,
            (None, Ok(())) => return Err(Error::internal("a load stopped without a reason")),
        };
        notes.extend(gatherer.told());
        Ok(End { totals: gatherer.totals, rejects_length: gatherer.rejects_length, notes })
    })
}

/// A batch with the input it is from, and the position behind it.
struct ReadBatch {
    input: usize,
    batch: SourceBatch,
    position: Position,
}

/// Reads to the end, or until nobody listens. Returns notes for the user.
fn read_batches(mut reading: Reading, batches: &SyncSender<ReadBatch>) -> Result<Vec<String>> {
    while let Some((input, batch)) = reading.next_batch()? {
        if batches.send(ReadBatch { input, batch, position: reading.position() }).is_err() {
            break;
        }
    }
    Ok(reading.notes().to_vec())
}

fn write_parts(job: &Job<'_>, queue: &Receiver<Part>, staged: &Sender<StagedPart>) -> Result<()> {
    while let Ok(Part { number, batch, position, totals, rejects_length }) = queue.recv() {
        let (file, profile) = std::thread::scope(|scope| {
            let profile = job.is_profiled.then(|| scope.spawn(|| profile_or_none(&job.schema, &batch)));
            let file = job.shelf.put(number, &batch);
            (file, profile.and_then(|profile| profile.join().ok().flatten()))
        });
        let file = file?;
        drop(batch);
        let mark = PartMark { path: file.path, size: file.size, statistics: file.statistics.to_json(), position, totals, rejects_length };
        if staged.blocking_send(StagedPart { mark, profile }).is_err() {
            return Err(Error::interrupted("the load was given up"));
        }
    }
    Ok(())
}

struct Gatherer<'a> {
    job: &'a Job<'a>,
    gathering: Gathering,
    rejects: Option<RejectsFile>,
    rejects_length: u64,
    totals: Totals,
    position: Position,
    number: usize,
    expected: Expected,
    quarantine: Quarantine,
    /// Rows kept although a feature is not what was expected.
    warned: BTreeMap<usize, u64>,
    total_rows: Option<u64>,
    total_bytes: u64,
    bytes_read: Arc<AtomicU64>,
}

impl Gatherer<'_> {
    /// Takes batches in until there are no more; false if `hand_over` refused a part.
    fn gather(&mut self, batches: &Receiver<ReadBatch>, hand_over: impl Fn(Part) -> bool) -> Result<bool> {
        while let Ok(ReadBatch { input, batch, position }) = batches.recv() {
            is_cancelled(self.job.cancel)?;
            let coerced = coerce_expecting(&self.job.schema, &batch, Some(&self.expected))?;
            drop(batch);
            self.take_rejected(input, &coerced)?;
            self.position = position;
            self.totals.rows += coerced.consumed;
            self.totals.accepted += coerced.event_times.len() as u64;
            self.totals.nulled += coerced.nulled;
            self.gathering.add(coerced);
            (self.job.progress)(LoadProgress {
                phase: LoadPhase::Reading,
                rows: self.totals.rows,
                total_rows: self.total_rows,
                bytes: self.bytes_read.load(Ordering::Relaxed).min(self.total_bytes),
                total_bytes: self.total_bytes,
                rejected: self.totals.rejected,
            });
            if self.gathering.is_full() && !hand_over(self.close()?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Hands the last part over.
    fn finish(&mut self, hand_over: impl Fn(Part) -> bool) -> Result<bool> {
        is_cancelled(self.job.cancel)?;
        if !self.gathering.is_empty() && !hand_over(self.close()?) {
            return Ok(false);
        }
        self.sync_rejects()?;
        Ok(true)
    }

    fn take_rejected(&mut self, input: usize, coerced: &Coerced) -> Result<()> {
        for (feature, rows) in &coerced.warned {
            *self.warned.entry(*feature).or_default() += rows;
        }
        let file = self.job.request.inputs.get(input).map_or("", |input| input.name.as_str());
        let refused = coerced.rejected.iter().find(|rejected| !rejected.quarantined);
        if let Some(refused) = refused.filter(|_| self.job.request.on_error == OnError::Stop) {
            return Err(refused.to_error(file));
        }
        for rejected in coerced.rejected.iter().filter(|rejected| rejected.quarantined) {
            self.quarantine.set_aside(&rejected.to_json(file))?;
        }
        if let Some(rejects) = &mut self.rejects {
            for rejected in &coerced.rejected {
                rejects.write(file, rejected)?;
            }
        }
        self.totals.rejected += coerced.rejected.len() as u64;
        Ok(())
    }

    fn close(&mut self) -> Result<Part> {
        let number = self.number;
        if number as u64 >= ARRIVALS {
            return Err(
                Error::new(ErrorKind::Full, format!("a load of more than {ARRIVALS} parts")).remedy("load the files in several commands")
            );
        }
        self.number += 1;
        // The rejects up to here must be on the disk before a mark says that they are written.
        self.sync_rejects()?;
        let write_time = part_arrival(self.job.first_arrival, number);
        let batch = self.gathering.finish(write_time, self.job.first_arrival)?;
        Ok(Part { number, batch, position: self.position, totals: self.totals, rejects_length: self.rejects_length })
    }

    /// What the user should know of rows that were not as expected.
    fn told(&self) -> Vec<String> {
        let features = self.job.schema.features();
        let kept = self.warned.iter().filter_map(|(feature, rows)| {
            Some(format!("{rows} rows were kept whose {} is not what is expected of it", features.get(*feature)?.name))
        });
        let aside = (self.quarantine.rows() > 0)
            .then(|| format!("{} rows were set aside in {}", self.quarantine.rows(), self.quarantine.path().display()));
        kept.chain(aside).collect()
    }

    fn sync_rejects(&mut self) -> Result<()> {
        if let Some(rejects) = &mut self.rejects {
            self.rejects_length = rejects.sync()?;
        }
        self.quarantine.sync()
    }
}
