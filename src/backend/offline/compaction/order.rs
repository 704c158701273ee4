//! The order of rows in a compacted file.
//!
//! ```text
//! record identifier · event time · api_invocation_time · write_time · commit order of the file · row in the file
//! ```
//! The last two are not compared here: they are the order in which the merge takes equal rows. So the greatest row of
//! an identifier by these six is the same one before and after, and in a compacted file it is also the last.
//!
//! Identifiers compare as everywhere in the offline store: texts by bytes, numbers by the total order of doubles or
//! of integers. Nulls come first; a writer of ours makes none. Event times compare with all their nanoseconds, of
//! which `__event_time` has only the microseconds: the rest is read from the feature, and only where it can matter.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{ArrowPrimitiveType, DataType, Float64Type, Int64Type, Schema as ArrowSchema, TimestampMicrosecondType};

use crate::backend::offline::columns::{API_INVOCATION_TIME, EVENT_TIME, WRITE_TIME, float_key, integer_key};
use crate::model::{Error, EventTime, FeatureGroup, Result, TimeMode};

/// Positions of the columns that order rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct OrderColumns {
    pub(super) identifier: usize,
    pub(super) event_time: usize,
    pub(super) instant: usize,
    invoked: usize,
    written: usize,
}

impl OrderColumns {
    /// Finds them in a table.
    pub(super) fn find(table: &ArrowSchema, group: &FeatureGroup) -> Result<Self> {
        let position = |name: &str| {
            table.index_of(name).map_err(|error| {
                Error::corrupt(format!("the offline table has no column '{name}'")).source(error).remedy("run `larder doctor`")
            })
        };
        Ok(Self {
            identifier: position(group.schema.identifier().column().as_str())?,
            event_time: position(group.schema.event_time().column().as_str())?,
            instant: position(EVENT_TIME)?,
            invoked: position(API_INVOCATION_TIME)?,
            written: position(WRITE_TIME)?,
        })
    }
}

/// What orders the rows of a batch.
pub(super) struct Keys {
    /// The identifier as a number that orders alike, as far as eight bytes tell; nothing where it is null.
    heads: Vec<u64>,
    nulls: Option<NullBuffer>,
    /// The identifier itself where its head may not tell it from another.
    texts: Option<StringArray>,
    instants: TimestampMicrosecondArray,
    event_times: ArrayRef,
    invoked: TimestampMicrosecondArray,
    written: TimestampMicrosecondArray,
}

impl Keys {
    /// Reads the keys of a batch with the columns of its table.
    pub(super) fn of(batch: &RecordBatch, columns: &OrderColumns) -> Result<Self> {
        let identifier = batch.column(columns.identifier);
        let (heads, texts) = match identifier.data_type() {
            DataType::Utf8 => {
                let texts = identifier.as_string::<i32>();
                ((0..texts.len()).map(|row| head(texts.value(row))).collect(), Some(texts.clone()))
            }
            DataType::Int64 => (numbers::<Int64Type>(identifier, integer_key), None),
            DataType::Float64 => (numbers::<Float64Type>(identifier, float_key), None),
            other => return Err(Error::corrupt(format!("the record identifier's column is {other}")).remedy("run `larder doctor`")),
        };
        let times = |position: usize| {
            let column = batch.column(position);
            column.as_primitive_opt::<TimestampMicrosecondType>().cloned().ok_or_else(|| {
                let name = batch.schema_ref().field(position).name();
                Error::corrupt(format!("column '{name}' of the offline table is {}", column.data_type())).remedy("run `larder doctor`")
            })
        };
        Ok(Self {
            heads,
            nulls: identifier.nulls().filter(|nulls| nulls.null_count() > 0).cloned(),
            texts,
            instants: times(columns.instant)?,
            event_times: batch.column(columns.event_time).clone(),
            invoked: times(columns.invoked)?,
            written: times(columns.written)?,
        })
    }

    fn has_identifier(&self, row: usize) -> bool {
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row))
    }

    /// Nanoseconds of the event time that the microseconds leave out.
    fn rest(&self, row: usize) -> u32 {
        if self.event_times.is_null(row) || self.instants.is_null(row) {
            return 0;
        }
        let time = match self.event_times.data_type() {
            DataType::Utf8 => {
                let text = self.event_times.as_string::<i32>().value(row);
                // The common form, with six digits at most.
                if text.len() <= "2026-11-23T09:30:00.000000Z".len() && text.ends_with('Z') {
                    return 0;
                }
                EventTime::parse_text(text, TimeMode::Lenient).ok()
            }
            DataType::Float64 => EventTime::from_unix_float(self.event_times.as_primitive::<Float64Type>().value(row), TimeMode::Lenient),
            _ => None,
        };
        // Another writer's instant may have nothing to do with the feature.
        time.filter(|time| time.unix_micros() == self.instants.value(row)).map_or(0, |time| time.subsecond_nanos() % 1_000)
    }
}

/// Compares the identifiers of two rows.
pub(super) fn compare_identifiers(a: &Keys, i: usize, b: &Keys, j: usize) -> Ordering {
    let by_head = a.has_identifier(i).cmp(&b.has_identifier(j)).then_with(|| a.heads[i].cmp(&b.heads[j]));
    match (&a.texts, &b.texts) {
        (Some(x), Some(y)) if by_head.is_eq() && a.has_identifier(i) => x.value(i).as_bytes().cmp(y.value(j).as_bytes()),
        _ => by_head,
    }
}

/// Compares two rows as far as their values tell.
pub(super) fn compare(a: &Keys, i: usize, b: &Keys, j: usize) -> Ordering {
    compare_identifiers(a, i, b, j)
        .then_with(|| at(&a.instants, i).cmp(&at(&b.instants, j)))
        .then_with(|| a.rest(i).cmp(&b.rest(j)))
        .then_with(|| at(&a.invoked, i).cmp(&at(&b.invoked, j)))
        .then_with(|| at(&a.written, i).cmp(&at(&b.written, j)))
}

/// True if two rows have the same event time, to the microsecond.
pub(super) fn is_same_instant(a: &Keys, i: usize, b: &Keys, j: usize) -> bool {
    at(&a.instants, i) == at(&b.instants, j)
}

fn at(times: &TimestampMicrosecondArray, row: usize) -> Option<i64> {
    times.is_valid(row).then(|| times.value(row))
}

fn head(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut head = [0u8; 8];
    let length = bytes.len().min(8);
    head[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(head)
}

fn numbers<T: ArrowPrimitiveType>(column: &ArrayRef, key: impl Fn(T::Native) -> u64) -> Vec<u64> {
    let values: &PrimitiveArray<T> = column.as_primitive::<T>();
    let mut heads: Vec<u64> = values.values().iter().map(|value| key(*value)).collect();
    if values.null_count() > 0 {
        // What stands in the place of a null means nothing.
        for (row, head) in heads.iter_mut().enumerate() {
            if values.is_null(row) {
                *head = 0;
            }
        }
    }
    heads
}
