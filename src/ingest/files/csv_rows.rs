//! CSV with a header line, read a record at a time, each with the line on which it begins.
//!
//! An empty field is null. A record with too few or too many fields, or one that is not UTF-8, is rejected
//! alone. Quoted fields may hold line breaks, which count as lines. An opening quote that never closes would
//! swallow the rest of the file: a record is therefore limited in size, and the error names where it begins.

use std::io::{BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use csv::ByteRecord;

use super::batch::{MAX_RECORD_BYTES, SourceBatch, TextColumns};
use super::header::Mapping;
use super::reject::{Place, Rejected};
use super::sources::Input;
use crate::model::{Error, Result};

/// What went into the CSV reader, seen from outside.
#[derive(Default)]
struct Delivered {
    since_record: AtomicU64,
    bytes: AtomicU64,
    ends_in_line_feed: AtomicBool,
}

/// Fails when one record takes more than it may.
struct Limited {
    inner: Box<dyn BufRead + Send>,
    delivered: Arc<Delivered>,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.delivered.since_record.load(Ordering::Relaxed) > MAX_RECORD_BYTES {
            return Err(std::io::Error::other(RunawayRecord));
        }
        let read = self.inner.read(buffer)?;
        self.delivered.since_record.fetch_add(read as u64, Ordering::Relaxed);
        self.delivered.bytes.fetch_add(read as u64, Ordering::Relaxed);
        if read > 0 {
            self.delivered.ends_in_line_feed.store(buffer[read - 1] == b'\n', Ordering::Relaxed);
        }
        Ok(read)
    }
}

#[derive(Debug)]
struct RunawayRecord;

impl std::fmt::Display for RunawayRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a record is longer than 64 MiB")
    }
}

impl std::error::Error for RunawayRecord {}

/// Records of a CSV file in order, behind its header.
pub(super) struct CsvRecords {
    input: Input,
    reader: csv::Reader<Limited>,
    delivered: Arc<Delivered>,
    record: ByteRecord,
    /// With CRLF the reader stops between the two, so that the line feed is counted with the next record.
    crlf: bool,
    pub(super) header: Vec<String>,
    /// Line on which the current record begins.
    pub(super) line: u64,
}

impl CsvRecords {
    pub(super) fn open(input: &Input, delimiter: u8, count: &Arc<AtomicU64>) -> Result<Self> {
        let mut stream = input.open_text(count)?;
        let start = stream.fill_buf().map_err(|error| input.unreadable(error))?;
        if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) {
            return Err(Error::invalid(format!("{} is UTF-16 text", input.name)).remedy("convert it to UTF-8: iconv -f UTF-16 -t UTF-8"));
        }
        let crlf = start.iter().position(|byte| *byte == b'\n').is_some_and(|at| at > 0 && start[at - 1] == b'\r');
        let delivered = Arc::new(Delivered::default());
        let limited = Limited { inner: stream, delivered: Arc::clone(&delivered) };
        let reader =
            csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).buffer_capacity(1 << 17).from_reader(limited);
        let mut records = Self { input: input.clone(), reader, delivered, record: ByteRecord::new(), crlf, header: Vec::new(), line: 1 };
        if !records.advance()? {
            return Err(Error::invalid(format!("{} is empty", input.name)).remedy("a CSV file begins with a line of column names"));
        }
        records.header = records.read_header()?;
        Ok(records)
    }

    /// Column names; a column without one is called by its position, as the index column that pandas writes.
    fn read_header(&self) -> Result<Vec<String>> {
        let mut names = Vec::with_capacity(self.record.len());
        for (position, field) in self.record.iter().enumerate() {
            let name = std::str::from_utf8(field).map_err(|_| {
                Error::invalid(format!("{}, line 1: the name of column {} is not UTF-8", self.input.name, position + 1))
                    .remedy("convert the file to UTF-8")
            })?;
            let name = name.trim();
            names.push(if name.is_empty() { format!("column_{}", position + 1) } else { name.to_owned() });
        }
        Ok(names)
    }

    /// Reads the next record; false at the end.
    pub(super) fn advance(&mut self) -> Result<bool> {
        self.delivered.since_record.store(0, Ordering::Relaxed);
        let before = self.reader.position().line();
        let more = self.reader.read_byte_record(&mut self.record).map_err(|error| self.broken(error, before))?;
        if !more {
            return Ok(false);
        }
        let after = self.reader.position().line();
        // The record began where it ended, less the line breaks inside it. Blank lines before it thus don't matter.
        let inside = if after - before > 1 || (self.crlf && after > before) {
            self.record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64
        } else {
            0
        };
        let at_end = self.reader.position().byte() == self.delivered.bytes.load(Ordering::Relaxed);
        let terminated = !at_end || self.delivered.ends_in_line_feed.load(Ordering::Relaxed);
        let terminator = u64::from(!self.crlf && terminated);
        self.line = after.saturating_sub(inside + terminator).max(1);
        Ok(true)
    }

    fn broken(&self, error: csv::Error, line: u64) -> Error {
        match error.into_kind() {
            csv::ErrorKind::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<RunawayRecord>()) => {
                Error::invalid(format!("{}, line {line}: a record is longer than 64 MiB", self.input.name))
                    .remedy("most likely a quote opens there and never closes")
            }
            csv::ErrorKind::Io(error) => self.input.unreadable(error),
            kind => Error::invalid(format!("{}, line {line}: can't be read as CSV", self.input.name)).why(format!("{kind:?}")),
        }
    }

    pub(super) fn fields(&self) -> &ByteRecord {
        &self.record
    }

    fn rejected(&self, field: Option<String>, reason: String) -> Rejected {
        let texts = self.record.iter().map(|field| String::from_utf8_lossy(field).into_owned().into());
        Rejected { place: Place::Line(self.line), field, reason, row: serde_json::Value::Array(texts.collect()), quarantined: false }
    }

    /// What is wrong with the current record as a whole, if anything.
    pub(super) fn fault(&self) -> Option<Rejected> {
        if self.record.len() != self.header.len() {
            return Some(self.rejected(None, format!("{} fields where the header has {}", self.record.len(), self.header.len())));
        }
        if self.record.as_slice().is_ascii() {
            return None;
        }
        let bad = self.record.iter().position(|field| std::str::from_utf8(field).is_err())?;
        Some(self.rejected(Some(self.header[bad].clone()), "not UTF-8".into()))
    }
}

/// Batches of a CSV file.
pub(super) struct CsvRows {
    records: CsvRecords,
    /// Feature and column positions, for columns that feed a feature.
    taken: Vec<(usize, usize)>,
    columns: TextColumns,
}

impl CsvRows {
    pub(super) fn new(records: CsvRecords, mapping: &Mapping, skip: u64) -> Result<Self> {
        let taken = mapping.columns.iter().enumerate().filter_map(|(feature, column)| Some((feature, (*column)?))).collect();
        let present: Vec<bool> = mapping.columns.iter().map(Option::is_some).collect();
        let mut rows = Self { records, taken, columns: TextColumns::new(&present) };
        for _ in 0..skip {
            rows.records.advance()?;
        }
        Ok(rows)
    }

    pub(super) fn next_batch(&mut self) -> Result<Option<SourceBatch>> {
        while !self.columns.is_full() && self.records.advance()? {
            if let Some(rejected) = self.records.fault() {
                self.columns.reject(rejected);
                continue;
            }
            for (feature, column) in &self.taken {
                let field = self.records.record.get(*column).unwrap_or_default();
                // The fault check has seen that it is UTF-8.
                let text = std::str::from_utf8(field).unwrap_or_default();
                self.columns.push(*feature, (!text.is_empty()).then_some(text));
            }
            self.columns.end_row(self.records.line);
        }
        Ok(self.columns.finish())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lines(text: &str) -> Vec<(u64, usize)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, text).unwrap();
        let input = super::super::sources::resolve(&[path.display().to_string()]).unwrap().remove(0);
        let mut records = CsvRecords::open(&input, b',', &Arc::default()).unwrap();
        let mut found = Vec::new();
        while records.advance().unwrap() {
            found.push((records.line, records.fields().len()));
        }
        found
    }

    #[test]
    fn knows_the_line_of_every_record_whatever_ends_it() {
        assert_eq!(lines("a,b\n1,2\n3,4\n"), [(2, 2), (3, 2)]);
        assert_eq!(lines("a,b\r\n1,2\r\n3,4\r\n5,6"), [(2, 2), (3, 2), (4, 2)]);
        assert_eq!(lines("a,b\n1,2\n3,4"), [(2, 2), (3, 2)]);
        assert_eq!(lines("a,b\n\"x\ny\nz\",2\n3,4\n\n\n5,6\n"), [(2, 2), (5, 2), (8, 2)]);
        assert_eq!(lines("a,b\r\n\"x\r\ny\",2\r\n\r\n3,4\r\n\"p\nq\",1"), [(2, 2), (5, 2), (6, 2)]);
        assert_eq!(lines("\u{feff}a,b\n1,2,3\n"), [(2, 3)]);
        assert_eq!(lines("a,b\n\"1\n\",\"2\n\""), [(2, 2)]);
    }
}
