//! The second half of a load: the newest row per identifier of each part goes to the online store.
//!
//! A part is sorted by (identifier, event time), so the last row of an identifier is its newest, and no other need
//! be written. This thread decodes and encodes rows; another puts them into the store, a chunk a transaction.
//! Doing a chunk again changes nothing: newer wins, and an identifier appears once in a part.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use tokio::sync::mpsc::Sender;

use super::marks::{OnlineMark, PartMark};
use super::parts::Shelf;
use super::{is_cancelled, part_arrival};
use crate::backend::online::{LoadedRow, OnlineStore, RowWriter};
use crate::model::value::format_fractional;
use crate::model::{Arrival, Error, EventTime, FeatureGroup, Result, TimeMode, Ttl};

/// Rows of one transaction: it blocks other writers, so it should end within a fraction of a second.
const CHUNK_ROWS: usize = 32_768;
/// Bytes of one transaction.
const CHUNK_BYTES: usize = 24 << 20;

/// What is to be done.
pub(super) struct Job {
    pub(super) group: Arc<FeatureGroup>,
    pub(super) online: Arc<dyn OnlineStore>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) parts: Vec<PartMark>,
    pub(super) first_arrival: Arrival,
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
    let seen_before = |number: usize| number.checked_sub(1).and_then(|before| job.parts.get(before)).map_or(0, |part| part.totals.accepted);
    for (number, part) in job.parts.iter().enumerate().skip(job.from.part) {
        let skip = if number == job.from.part { job.from.rows } else { 0 };
        let arrival = part_arrival(job.first_arrival, number);
        let mut newest = Newest { skip, ..Newest::new(&job.group, arrival) };
        let mark =
            |newest: &Newest<'_>| OnlineMark { part: number, rows: newest.found, seen: seen_before(number) + newest.seen, applied: 0 };
        for batch in job.shelf.read(part)? {
            is_cancelled(&job.cancel)?;
            let batch = batch.map_err(|error| Error::corrupt(format!("can't read {}", part.path)).source(error))?;
            newest.add(&batch)?;
            if newest.is_full() {
                let mark = mark(&newest);
                if chunks.send(Chunk { rows: newest.take(), mark }).is_err() {
                    return Ok(false);
                }
            }
        }
        newest.finish();
        let mark = OnlineMark { part: number + 1, rows: 0, ..mark(&newest) };
        if chunks.send(Chunk { rows: newest.take(), mark }).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Picks the newest row per identifier out of the batches of a part.
struct Newest<'a> {
    group: &'a FeatureGroup,
    ttl: Option<Ttl>,
    arrival: Arrival,
    /// The last row so far: the newest of its identifier, unless the next batch goes on with it.
    pending: Option<LoadedRow>,
    rows: Vec<LoadedRow>,
    bytes: usize,
    /// Newest rows found, those to skip included.
    found: u64,
    /// Of these, rows that an earlier attempt has written.
    skip: u64,
    /// Rows of the part seen.
    seen: u64,
}

impl<'a> Newest<'a> {
    fn new(group: &'a FeatureGroup, arrival: Arrival) -> Self {
        let ttl = group.online.as_ref().and_then(|online| online.ttl);
        Self { group, ttl, arrival, pending: None, rows: Vec::new(), bytes: 0, found: 0, skip: 0, seen: 0 }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= CHUNK_ROWS || self.bytes >= CHUNK_BYTES
    }

    fn take(&mut self) -> Vec<LoadedRow> {
        self.bytes = 0;
        std::mem::take(&mut self.rows)
    }

    fn push(&mut self, row: LoadedRow) {
        self.found += 1;
        if self.found > self.skip {
            self.bytes += row.bytes.len();
            self.rows.push(row);
        }
    }

    fn finish(&mut self) {
        if let Some(row) = self.pending.take() {
            self.push(row);
        }
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = batch.num_rows();
        if rows == 0 {
            return Ok(());
        }
        let encoder = RowEncoder::new(self.group, batch)?;
        if let Some(row) = self.pending.take()
            && row.identifier != encoder.identifier(0)
        {
            self.push(row);
        }
        for row in 0..rows {
            if row + 1 == rows {
                self.pending = Some(encoder.encode(row, self.ttl, self.arrival)?);
            } else if !encoder.same_identifier(row) {
                if self.found < self.skip {
                    self.found += 1;
                    continue;
                }
                let row = encoder.encode(row, self.ttl, self.arrival)?;
                self.push(row);
            }
        }
        self.seen += rows as u64;
        Ok(())
    }
}

/// A feature's column, by type.
enum Values<'a> {
    Integral(&'a arrow::array::Int64Array),
    Fractional(&'a arrow::array::Float64Array),
    Text(&'a StringArray),
    List(&'a ListArray),
    Absent,
}

impl<'a> Values<'a> {
    fn of(column: &'a ArrayRef) -> Result<Self> {
        Ok(match column.data_type() {
            DataType::Int64 => Self::Integral(column.as_primitive::<Int64Type>()),
            DataType::Float64 => Self::Fractional(column.as_primitive::<Float64Type>()),
            DataType::Utf8 => Self::Text(column.as_string::<i32>()),
            DataType::List(_) => Self::List(column.as_list::<i32>()),
            other => return Err(Error::internal(format!("a part of the load has a column of {other}"))),
        })
    }

    fn text(&self, row: usize) -> Option<String> {
        match self {
            Self::Integral(values) => values.is_valid(row).then(|| values.value(row).to_string()),
            Self::Fractional(values) => values.is_valid(row).then(|| format_fractional(values.value(row))),
            Self::Text(values) => values.is_valid(row).then(|| values.value(row).to_owned()),
            Self::List(_) | Self::Absent => None,
        }
    }

    /// Pushes the value of a row, in the text that a look-up answers with.
    fn push(&self, row: usize, position: usize, writer: &mut RowWriter) -> Result<()> {
        match self {
            Self::Integral(values) if values.is_valid(row) => writer.push_text(position, itoa::Buffer::new().format(values.value(row))),
            Self::Fractional(values) if values.is_valid(row) => writer.push_text(position, ryu::Buffer::new().format(values.value(row))),
            Self::Text(values) if values.is_valid(row) => writer.push_text(position, values.value(row)),
            Self::List(lists) if lists.is_valid(row) => {
                let elements = lists.value(row);
                let values = Values::of(&elements)?;
                let texts: Vec<String> = (0..elements.len()).map(|element| values.text(element).unwrap_or_default()).collect();
                writer.push_list(position, texts.len(), texts.iter().map(String::as_str));
            }
            _ => writer.push_null(position),
        }
        Ok(())
    }
}

/// Encodes rows of a batch.
struct RowEncoder<'a> {
    columns: Vec<Values<'a>>,
    identifier: usize,
    event_time: usize,
}

impl<'a> RowEncoder<'a> {
    fn new(group: &FeatureGroup, batch: &'a RecordBatch) -> Result<Self> {
        let schema = &group.schema;
        let column = |name: &str| batch.column_by_name(name).map_or(Ok(Values::Absent), Values::of);
        let columns = schema.features().iter().map(|feature| column(feature.name.as_str())).collect::<Result<_>>()?;
        Ok(Self { columns, identifier: schema.identifier_position(), event_time: schema.event_time_position() })
    }

    fn identifier(&self, row: usize) -> String {
        self.columns[self.identifier].text(row).unwrap_or_default()
    }

    /// True if the next row has the same identifier.
    fn same_identifier(&self, row: usize) -> bool {
        match &self.columns[self.identifier] {
            Values::Integral(values) => values.value(row) == values.value(row + 1),
            // By bits: -0.0 and 0.0 are looked up by different texts.
            Values::Fractional(values) => values.value(row).to_bits() == values.value(row + 1).to_bits(),
            Values::Text(values) => values.value(row) == values.value(row + 1),
            Values::List(_) | Values::Absent => false,
        }
    }

    fn event_time(&self, row: usize) -> Option<EventTime> {
        match &self.columns[self.event_time] {
            Values::Text(values) => EventTime::parse_text(values.value(row), TimeMode::Lenient).ok(),
            Values::Fractional(values) => EventTime::from_unix_float(values.value(row), TimeMode::Lenient),
            _ => None,
        }
    }

    fn encode(&self, row: usize, ttl: Option<Ttl>, arrival: Arrival) -> Result<LoadedRow> {
        let identifier = self.identifier(row);
        let event_time = self
            .event_time(row)
            .ok_or_else(|| Error::internal(format!("row '{}' of a load lost its event time", identifier.escape_debug())))?;
        let mut writer = RowWriter::new(&identifier, event_time, self.columns.len(), 16 * self.columns.len());
        for (position, values) in self.columns.iter().enumerate() {
            values.push(row, position, &mut writer)?;
        }
        if let Some(ttl) = ttl {
            writer.set_expiry(ttl.expiry(event_time));
        }
        Ok(LoadedRow { identifier, bytes: writer.stamp(arrival) })
    }
}
