//! The second half of a load: the newest row of each identifier goes to the online store.
//!
//! Parts are merged a few at a time ([`super::newest`]), so that rows come in the order of their identifiers. One
//! thread merges and encodes; another puts rows into the store, a chunk a transaction. Doing a chunk again changes
//! nothing: newer wins, and an identifier appears once in a merge.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::mpsc::Sender;

use super::marks::{OnlineMark, PartMark};
use super::newest::{Newest, SortedPart};
use super::parts::Shelf;
use super::{is_cancelled, part_arrival};
use crate::backend::online::{LoadedRow, OnlineStore};
use crate::model::{Arrival, Error, FeatureGroup, Result};

/// Parts that are merged at once. A part takes some MiB for its open pages.
const MERGED_PARTS: usize = 8;
/// Rows of one transaction: it blocks other writers, so it should end within a fraction of a second.
pub(super) const CHUNK_ROWS: usize = 32_768;
/// Bytes of one transaction.
const CHUNK_BYTES: usize = 24 << 20;

/// What is to be done.
pub(super) struct Job {
    pub(super) group: Arc<FeatureGroup>,
    pub(super) online: Arc<dyn OnlineStore>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) parts: Vec<PartMark>,
    pub(super) first_arrival: Arrival,
    pub(super) chunk_rows: usize,
    pub(super) from: OnlineMark,
    pub(super) cancel: Arc<AtomicBool>,
}

/// Rows for one transaction, and the mark to note once they are durable.
struct Chunk {
    rows: Vec<LoadedRow>,
    mark: OnlineMark,
}

/// Fills the online store from a mark on; sends a mark after each durable chunk.
pub(super) fn run(job: &Job, done: &Sender<OnlineMark>) -> Result<()> {
    std::thread::scope(|scope| {
        let (chunks, queue) = sync_channel(1);
        let writer = scope.spawn(move || write_chunks(job, &queue, done));
        let read = read_parts(job, &chunks);
        drop(chunks);
        let written = writer.join().unwrap_or_else(|_| Err(Error::internal("the thread that fills the online store stopped")));
        match read {
            Ok(true) => written,
            Ok(false) => written.and(Err(Error::internal("the online store was not filled, without a reason"))),
            // Chunks that were on their way are noted; the reason to stop is the reader's.
            Err(error) => Err(error),
        }
    })
}

fn write_chunks(job: &Job, queue: &Receiver<Chunk>, done: &Sender<OnlineMark>) -> Result<()> {
    let mut applied = job.from.applied;
    while let Ok(Chunk { rows, mark }) = queue.recv() {
        is_cancelled(&job.cancel)?;
        if !rows.is_empty() {
            applied += job.online.load(job.group.id, &rows)?;
        }
        if done.blocking_send(OnlineMark { applied, ..mark }).is_err() {
            return Err(Error::interrupted("the load was given up"));
        }
    }
    Ok(())
}

/// False if the writer has stopped.
fn read_parts(job: &Job, chunks: &SyncSender<Chunk>) -> Result<bool> {
    let accepted_before = |part: usize| part.checked_sub(1).and_then(|before| job.parts.get(before)).map_or(0, |part| part.totals.accepted);
    for first in (0..job.parts.len()).step_by(MERGED_PARTS).skip_while(|first| *first < job.from.part) {
        let end = (first + MERGED_PARTS).min(job.parts.len());
        let mut sorted = Vec::with_capacity(end - first);
        for (number, part) in job.parts.iter().enumerate().take(end).skip(first) {
            let arrival = part_arrival(job.first_arrival, number);
            sorted.push(SortedPart { path: part.path.clone(), reader: job.shelf.read(part)?, arrival });
        }
        let mut newest = Newest::open(&job.group, sorted)?;
        let mut found = 0;
        while first == job.from.part && found < job.from.rows && newest.skip()? {
            found += 1;
        }
        let mut ended = false;
        while !ended {
            is_cancelled(&job.cancel)?;
            let mut rows = Vec::with_capacity(job.chunk_rows);
            let mut bytes = 0;
            while rows.len() < job.chunk_rows && bytes < CHUNK_BYTES {
                let Some(row) = newest.next()? else {
                    ended = true;
                    break;
                };
                bytes += row.bytes.len();
                rows.push(row);
            }
            found += rows.len() as u64;
            let seen = accepted_before(first) + newest.seen();
            let mark = if ended {
                OnlineMark { part: end, rows: 0, seen, applied: 0 }
            } else {
                OnlineMark { part: first, rows: found, seen, applied: 0 }
            };
            if chunks.send(Chunk { rows, mark }).is_err() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}
