//! The first half of a load: inputs become staged parts, on two threads.
//!
//! This thread reads, coerces, gathers and sorts; another encodes and writes the part before. The channel between
//! them holds nothing: a part is handed over when the other thread is free, so at most two exist at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use arrow::array::RecordBatch;
use tokio::sync::mpsc::Sender;

use super::marks::{PartMark, Totals};
use super::parts::{Gathering, Shelf};
use super::{ARRIVALS, LoadPhase, LoadProgress, LoadRequest, OnError, OnProgress, is_cancelled, part_arrival};
use crate::ingest::files::{Coerced, Position, Reading, RejectsFile, coerce};
use crate::model::{Arrival, Error, ErrorKind, Result, Schema};

/// What the threads share.
pub(super) struct Job<'a> {
    pub(super) request: &'a LoadRequest,
    pub(super) schema: Arc<Schema>,
    pub(super) shelf: &'a Shelf,
    pub(super) first_arrival: Arrival,
    pub(super) part_rows: usize,
    pub(super) progress: &'a OnProgress,
    pub(super) cancel: &'a AtomicBool,
}

/// A sorted part on its way to the shelf.
struct Part {
    number: usize,
    batch: RecordBatch,
    position: Position,
    totals: Totals,
    rejects_length: u64,
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
    staged: &Sender<PartMark>,
) -> Result<End> {
    std::thread::scope(|scope| {
        let (parts, queue) = sync_channel(0);
        let writer = scope.spawn(move || write_parts(job.shelf, &queue, staged));
        let mut reader = Reader { job, reading, rejects, rejects_length: 0, totals, number: next_part };
        let read = reader.read_all(|part| parts.send(part).is_ok());
        drop(parts);
        let written = writer.join().unwrap_or_else(|_| Err(Error::internal("the thread that writes parts stopped")));
        // A writer that failed is why the reader stopped, unless the reader has a reason of its own.
        match (read, written) {
            (Ok(true), written) => written,
            (Ok(false), written) => written.and(Err(Error::internal("a load stopped without a reason"))),
            (Err(error), _) => Err(error),
        }?;
        Ok(End { totals: reader.totals, rejects_length: reader.rejects_length, notes: reader.reading.notes().to_vec() })
    })
}

fn write_parts(shelf: &Shelf, queue: &Receiver<Part>, staged: &Sender<PartMark>) -> Result<()> {
    while let Ok(Part { number, batch, position, totals, rejects_length }) = queue.recv() {
        let file = shelf.put(number, &batch)?;
        drop(batch);
        let mark = PartMark { path: file.path, size: file.size, statistics: file.statistics.to_json(), position, totals, rejects_length };
        if staged.blocking_send(mark).is_err() {
            return Err(Error::interrupted("the load was given up"));
        }
    }
    Ok(())
}

struct Reader<'a> {
    job: &'a Job<'a>,
    reading: Reading,
    rejects: Option<RejectsFile>,
    rejects_length: u64,
    totals: Totals,
    number: usize,
}

impl Reader<'_> {
    /// Reads to the end; false if `hand_over` refused a part.
    fn read_all(&mut self, hand_over: impl Fn(Part) -> bool) -> Result<bool> {
        let mut gathering = Gathering::new(&self.job.schema, self.job.part_rows);
        let bytes_read = self.reading.bytes_read();
        let total_bytes = self.reading.total_bytes();
        loop {
            is_cancelled(self.job.cancel)?;
            let Some((input, batch)) = self.reading.next_batch()? else { break };
            let coerced = coerce(&self.job.schema, &batch)?;
            drop(batch);
            self.take_rejected(input, &coerced)?;
            self.totals.rows += coerced.consumed;
            self.totals.accepted += coerced.event_times.len() as u64;
            self.totals.nulled += coerced.nulled;
            gathering.add(coerced);
            (self.job.progress)(LoadProgress {
                phase: LoadPhase::Reading,
                rows: self.totals.rows,
                total_rows: self.reading.total_rows(),
                bytes: bytes_read.load(Ordering::Relaxed).min(total_bytes),
                total_bytes,
                rejected: self.totals.rejected,
            });
            if gathering.is_full() && !hand_over(self.close(&mut gathering)?) {
                return Ok(false);
            }
        }
        if !gathering.is_empty() && !hand_over(self.close(&mut gathering)?) {
            return Ok(false);
        }
        self.sync_rejects()?;
        Ok(true)
    }

    fn take_rejected(&mut self, input: usize, coerced: &Coerced) -> Result<()> {
        let Some(first) = coerced.rejected.first() else { return Ok(()) };
        let file = self.reading.inputs().get(input).map_or("", |input| input.name.as_str());
        if self.job.request.on_error == OnError::Stop {
            return Err(first.to_error(file));
        }
        if let Some(rejects) = &mut self.rejects {
            for rejected in &coerced.rejected {
                rejects.write(file, rejected)?;
            }
        }
        self.totals.rejected += coerced.rejected.len() as u64;
        Ok(())
    }

    fn close(&mut self, gathering: &mut Gathering) -> Result<Part> {
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
        let batch = gathering.finish(write_time, self.job.first_arrival)?;
        Ok(Part { number, batch, position: self.reading.position(), totals: self.totals, rejects_length: self.rejects_length })
    }

    fn sync_rejects(&mut self) -> Result<()> {
        if let Some(rejects) = &mut self.rejects {
            self.rejects_length = rejects.sync()?;
        }
        Ok(())
    }
}
