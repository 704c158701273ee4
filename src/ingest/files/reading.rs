//! All inputs of a load as one sequence of batches, from any row on.
//!
//! Every header is checked before the first row is read, so that a load of a hundred files doesn't fail at the
//! ninety-ninth for a column that was wrong from the start. A position (input, row) says how far a load came;
//! reading from it yields the same rows again, because inputs don't change between readings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::batch::SourceBatch;
use super::coerce;
use super::csv_rows::{CsvRecords, CsvRows};
use super::header::{Dropped, Mapping, check_same};
use super::json_rows::{JsonLines, JsonRows};
use super::parquet_rows::{ParquetFile, ParquetRows};
use super::sources::{Format, Input};
use crate::model::{Result, Schema};

/// How far the inputs have been read: rows of one input, all inputs before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Index of the input.
    pub input: usize,
    /// Rows of it that are done, rejected ones included.
    pub rows: u64,
}

enum Rows {
    Parquet(ParquetRows),
    Csv(CsvRows),
    Json(JsonRows),
}

/// Batches of all inputs in their order.
pub struct Reading {
    inputs: Vec<Input>,
    schema: Arc<Schema>,
    dropped: Dropped,
    position: Position,
    current: Option<Rows>,
    bytes_read: Arc<AtomicU64>,
    rows_known: Option<u64>,
    notes: Vec<String>,
}

impl Reading {
    /// Opens every input, checks its columns against the schema, and stands at `from`.
    ///
    /// # Errors
    /// A file that can't be read, a column that fits no feature, files whose columns differ.
    pub fn open(inputs: Vec<Input>, schema: &Arc<Schema>, dropped: &Dropped, from: Position) -> Result<Self> {
        let mut reading = Self {
            inputs,
            schema: Arc::clone(schema),
            dropped: dropped.clone(),
            position: from,
            current: None,
            bytes_read: Arc::default(),
            rows_known: Some(0),
            notes: Vec::new(),
        };
        reading.check_headers()?;
        Ok(reading)
    }

    fn check_headers(&mut self) -> Result<()> {
        let mut first: Option<(&str, Vec<String>)> = None;
        let mut seen = BTreeSet::new();
        let mut all_known = true;
        let mut left_out: BTreeMap<String, &str> = BTreeMap::new();
        let uncounted = Arc::default();
        for input in &self.inputs {
            let (columns, file) = match input.format {
                Format::Parquet => {
                    let file = ParquetFile::open(input)?;
                    self.rows_known = self.rows_known.map(|rows| rows + file.row_count());
                    (file.column_names(), Some(file))
                }
                Format::Csv { delimiter } => (CsvRecords::open(input, delimiter, &uncounted)?.header, None),
                Format::JsonLines => {
                    JsonLines::open(input, &uncounted)?;
                    all_known = false;
                    continue;
                }
            };
            let mapping = Mapping::new(&self.schema, &columns, &self.dropped, &input.name)?;
            if let Some(file) = &file {
                check_types(&self.schema, &mapping, file, &input.name)?;
            }
            seen.extend(columns.iter().map(|column| column.to_lowercase()));
            match &first {
                Some((name, expected)) => check_same((name, expected), (&input.name, &columns), &self.dropped)?,
                None => {
                    for feature in mapping.absent(&self.schema) {
                        self.notes.push(format!("no column for '{feature}' in {}: it will be null", input.name));
                    }
                    first = Some((&input.name, columns));
                }
            }
            for column in mapping.left_out {
                left_out.entry(column).or_insert(&input.name);
            }
        }
        self.notes.extend(left_out.iter().map(|(column, file)| left_out_note(column, file)));
        if self.inputs.iter().any(|input| input.format != Format::Parquet) {
            self.rows_known = None;
        }
        if all_known {
            self.dropped.check(&seen)?;
        }
        Ok(())
    }

    /// What the user should know though it is no error; complete once everything is read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The inputs being read.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Size of all inputs on disk.
    pub fn total_bytes(&self) -> u64 {
        self.inputs.iter().map(|input| input.bytes).sum()
    }

    /// Rows of all inputs, where their formats tell.
    pub fn total_rows(&self) -> Option<u64> {
        self.rows_known
    }

    /// Bytes read from disk so far; another thread may ask.
    pub fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes_read)
    }

    /// How far the reading came.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next batch with the index of its input; none at the end.
    pub fn next_batch(&mut self) -> Result<Option<(usize, SourceBatch)>> {
        loop {
            let Some(input) = self.inputs.get(self.position.input) else { return Ok(None) };
            let rows = match &mut self.current {
                Some(rows) => rows,
                None => {
                    let rows = open(input, &self.schema, &self.dropped, self.position.rows, &self.bytes_read)?;
                    self.current.insert(rows)
                }
            };
            let batch = match rows {
                Rows::Parquet(rows) => rows.next_batch()?,
                Rows::Csv(rows) => rows.next_batch()?,
                Rows::Json(rows) => rows.next_batch()?,
            };
            if let Some(batch) = batch {
                self.position.rows += batch.consumed;
                return Ok(Some((self.position.input, batch)));
            }
            if let Some(Rows::Json(rows)) = &self.current {
                self.notes.extend(rows.left_out.iter().map(|field| left_out_note(field, &input.name)));
            }
            // A file whose footer alone was known has now been read whole; what it claimed to hold is shown as done.
            let done: u64 = self.inputs[..=self.position.input].iter().map(|input| input.bytes).sum();
            self.bytes_read.fetch_max(done, Ordering::Relaxed);
            self.current = None;
            self.position = Position { input: self.position.input + 1, rows: 0 };
        }
    }
}

fn left_out_note(column: &str, file: &str) -> String {
    format!("{file}: '{}' is no feature of the group and is left out", column.escape_debug())
}

fn check_types(schema: &Schema, mapping: &Mapping, file: &ParquetFile, name: &str) -> Result<()> {
    for (position, (feature, column)) in schema.features().iter().zip(&mapping.columns).enumerate() {
        if let Some(column) = column {
            let is_event_time = position == schema.event_time_position();
            coerce::check_type(feature, is_event_time, file.schema().field(*column).data_type(), name)?;
        }
    }
    Ok(())
}

fn open(input: &Input, schema: &Arc<Schema>, dropped: &Dropped, skip: u64, count: &Arc<AtomicU64>) -> Result<Rows> {
    Ok(match input.format {
        Format::Parquet => {
            let file = ParquetFile::open(input)?;
            let mapping = Mapping::new(schema, &file.column_names(), dropped, &input.name)?;
            Rows::Parquet(file.rows(&mapping, skip, count)?)
        }
        Format::Csv { delimiter } => {
            let records = CsvRecords::open(input, delimiter, count)?;
            let mapping = Mapping::new(schema, &records.header, dropped, &input.name)?;
            Rows::Csv(CsvRows::new(records, &mapping, skip)?)
        }
        Format::JsonLines => Rows::Json(JsonRows::new(JsonLines::open(input, count)?, schema, dropped, skip)?),
    })
}
