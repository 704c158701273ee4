//! What the readers of all formats hand on: columns in schema order, and where each row stands.
//!
//! Text formats yield Utf8 columns, whatever the feature's type: turning text into values is the same work for
//! CSV, JSON lines and text columns of Parquet, and has one home, [`super::coerce`]. Batches are bounded in
//! rows and in bytes, so that memory does not depend on the file.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringBuilder, new_null_array};
use arrow::datatypes::DataType;
use serde_json::{Map, Value as Json};

use super::reject::{Place, Rejected};
use crate::model::Schema;

/// Most rows of a batch.
pub(super) const BATCH_ROWS: usize = 32_768;
/// Text bytes at which a batch is closed.
pub(super) const BATCH_BYTES: usize = 8 << 20;
/// Most bytes of one line or CSV record; more means a quote that never closes, or a file of another kind.
pub(super) const MAX_RECORD_BYTES: u64 = 64 << 20;

/// Where the rows of a batch stand.
#[derive(Debug, Clone)]
pub enum Places {
    /// Consecutive rows of a Parquet file; the number of the first.
    Rows(u64),
    /// Line of each row.
    Lines(Vec<u64>),
}

impl Places {
    /// Where a row stands.
    pub fn at(&self, row: usize) -> Place {
        match self {
            Self::Rows(first) => Place::Row(first + row as u64),
            Self::Lines(lines) => Place::Line(lines.get(row).copied().unwrap_or_default()),
        }
    }
}

/// Rows as they came from a file, not yet checked.
#[derive(Debug, Clone)]
pub struct SourceBatch {
    /// One column for each feature of the schema, in its order; all null where the file has none.
    pub columns: Vec<ArrayRef>,
    /// Rows in the columns.
    pub rows: usize,
    /// Where they stand.
    pub places: Places,
    /// Rows that could not be split into columns.
    pub rejected: Vec<Rejected>,
    /// Rows of the file this batch used up: those in the columns and the rejected ones.
    pub consumed: u64,
}

impl SourceBatch {
    /// A row's fields by name, as they stood in the input; nulls are left out.
    pub fn row_json(&self, schema: &Schema, row: usize) -> Json {
        let options = arrow::util::display::FormatOptions::new();
        let mut object = Map::new();
        for (feature, column) in schema.features().iter().zip(&self.columns) {
            if column.is_null(row) || column.data_type() == &DataType::Null {
                continue;
            }
            let text = match arrow::util::display::ArrayFormatter::try_new(column, &options) {
                Ok(formatter) => formatter.value(row).try_to_string().unwrap_or_default(),
                Err(error) => error.to_string(),
            };
            let value = match column.data_type() {
                // Numbers stay numbers in the rejects file.
                kind if kind.is_numeric() => serde_json::from_str(&text).unwrap_or(Json::String(text)),
                _ => Json::String(text),
            };
            object.insert(feature.name.to_string(), value);
        }
        Json::Object(object)
    }
}

/// Collects text columns into a batch.
pub(super) struct TextColumns {
    builders: Vec<Option<StringBuilder>>,
    lines: Vec<u64>,
    rejected: Vec<Rejected>,
    bytes: usize,
    consumed: u64,
}

impl TextColumns {
    /// `present` says which features have a column at all.
    pub(super) fn new(present: &[bool]) -> Self {
        let builder = |present: &bool| present.then(|| StringBuilder::with_capacity(4_096, 32_768));
        Self { builders: present.iter().map(builder).collect(), lines: Vec::new(), rejected: Vec::new(), bytes: 0, consumed: 0 }
    }

    /// Appends to a feature's column; every present column gets exactly one call a row.
    pub(super) fn push(&mut self, feature: usize, text: Option<&str>) {
        if let Some(builder) = &mut self.builders[feature] {
            builder.append_option(text);
            self.bytes += text.map_or(0, str::len);
        }
    }

    /// Ends a row.
    pub(super) fn end_row(&mut self, line: u64) {
        self.lines.push(line);
        self.consumed += 1;
    }

    /// Counts a row that could not be split into columns; nothing of it was pushed.
    pub(super) fn reject(&mut self, rejected: Rejected) {
        self.rejected.push(rejected);
        self.consumed += 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.consumed as usize >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    /// The batch so far, or nothing if it has no rows.
    pub(super) fn finish(&mut self) -> Option<SourceBatch> {
        if self.consumed == 0 {
            return None;
        }
        let rows = self.lines.len();
        let columns = self
            .builders
            .iter_mut()
            .map(|builder| match builder {
                Some(builder) => {
                    let column = builder.finish();
                    // The next batch is most likely as large: growing step by step would copy it several times.
                    let bytes = column.value_data().len();
                    *builder = StringBuilder::with_capacity(rows.max(64), (bytes + bytes / 16).min(BATCH_BYTES));
                    Arc::new(column) as ArrayRef
                }
                None => new_null_array(&DataType::Null, rows),
            })
            .collect();
        self.bytes = 0;
        let consumed = std::mem::take(&mut self.consumed);
        Some(SourceBatch {
            columns,
            rows,
            places: Places::Lines(std::mem::take(&mut self.lines)),
            rejected: std::mem::take(&mut self.rejected),
            consumed,
        })
    }
}
