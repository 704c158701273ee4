//! Smallest and largest values of columns, as they stand in the Delta log's `stats` and as pruning uses them.
//!
//! A bound may be loose but never wrong: no value of the file lies outside. Where that cannot be said (a
//! column that is all null, a double that is not finite, a list, a text whose shortened form has no upper
//! neighbour) the bound is absent, and a file without a bound is always read. Texts are shortened to 64
//! characters. Timestamps are written with microseconds; engines that shorten them to milliseconds (Spark
//! does) make the lower bound smaller, and allow for a larger upper one when they read.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use crate::model::{EventTime, TimeMode};

/// Characters of a text bound.
const MAX_CHARACTERS: usize = 64;
/// Columns with statistics in the log besides the four of our own: readers look at the first 32 only.
const MAX_INDEXED: usize = 32;

/// One end of a column's range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Bound {
    /// Of an Integral column.
    Int(i64),
    /// Of a Fractional column; finite.
    Float(f64),
    /// Of a String column; perhaps shortened.
    Text(String),
    /// Of a boolean column.
    Bool(bool),
    /// Of a timestamp column: microseconds since 1970.
    Micros(i64),
}

impl Bound {
    /// Compares two bounds of one column; none if they are of different types.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) | (Self::Micros(a), Self::Micros(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// True if a log can tell values up to this one from those from `next` on: its bounds are shortened.
    pub(crate) fn is_told_from(&self, next: &Self) -> bool {
        match (shortened(self.clone(), true), shortened(next.clone(), false)) {
            (Some(upper), Some(lower)) => upper.compare(&lower) == Some(Ordering::Less),
            _ => false,
        }
    }

    /// True if values from this bound on, as a log has it, reach below the upper bound of another file. Bounds made of
    /// one and the same text by shortening it count as touching only: nobody knows, and a cut through such texts is
    /// made where there is no better place.
    pub(crate) fn reaches_below(&self, upper: &Self) -> bool {
        if self.compare(upper) != Some(Ordering::Less) {
            return false;
        }
        match self {
            Self::Text(text) if text.chars().count() == MAX_CHARACTERS => {
                let raised = shortened(Self::Text(format!("{text}.")), true);
                raised.as_ref() != Some(upper)
            }
            _ => true,
        }
    }

    fn to_json(&self) -> Json {
        match self {
            Self::Int(value) => json!(value),
            Self::Float(value) => json!(value),
            Self::Text(text) => json!(text),
            Self::Bool(value) => json!(value),
            Self::Micros(micros) => match EventTime::from_unix_micros(*micros) {
                Some(time) => json!(with_micros(time)),
                None => Json::Null,
            },
        }
    }

    fn from_json(value: &Json, data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Int64 => value.as_i64().map(Self::Int),
            DataType::Float64 => value.as_f64().map(Self::Float),
            DataType::Utf8 => value.as_str().map(|text| Self::Text(text.to_owned())),
            DataType::Boolean => value.as_bool().map(Self::Bool),
            DataType::Timestamp(..) => {
                let time = EventTime::parse_text(value.as_str()?, TimeMode::Lenient).ok()?;
                Some(Self::Micros(time.unix_micros()))
            }
            _ => None,
        }
    }
}

/// `2026-11-23T09:30:00.000000Z`: always six digits, the form other writers use.
fn with_micros(time: EventTime) -> String {
    let whole = EventTime::from_unix_seconds(time.unix_seconds()).unwrap_or(time).to_iso8601();
    format!("{}.{:06}Z", whole.trim_end_matches('Z'), time.subsecond_nanos() / 1_000)
}

/// Range of one column in one file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ColumnBounds {
    /// No value is smaller.
    pub min: Option<Bound>,
    /// No value is larger.
    pub max: Option<Bound>,
    /// Number of nulls, if known.
    pub nulls: Option<u64>,
}

impl ColumnBounds {
    /// True unless no value of the column can equal `value`.
    pub fn may_hold(&self, value: &Bound) -> bool {
        self.may_overlap(Some(value), Some(value))
    }

    /// True unless no value of the column can lie in the closed range.
    pub fn may_overlap(&self, from: Option<&Bound>, to: Option<&Bound>) -> bool {
        let below = |a: Option<&Bound>, b: Option<&Bound>| matches!((a, b), (Some(a), Some(b)) if a.compare(b) == Some(Ordering::Less));
        !below(self.max.as_ref(), from) && !below(to, self.min.as_ref())
    }
}

/// Statistics of one file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileStatistics {
    /// Number of rows.
    pub rows: u64,
    /// Ranges by column name; columns without any knowledge are absent.
    pub columns: BTreeMap<String, ColumnBounds>,
}

/// Gathers the statistics of a file batch by batch.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    statistics: FileStatistics,
    /// Columns in which a value without order was seen.
    unbounded: BTreeSet<String>,
}

impl Gathering {
    /// Takes in a batch. The first 32 columns and those in `always` count.
    pub(crate) fn add(&mut self, batch: &RecordBatch, always: &[String]) {
        self.statistics.rows += batch.num_rows() as u64;
        for (position, field) in batch.schema_ref().fields().iter().enumerate() {
            let name = field.name();
            if (position >= MAX_INDEXED && !always.contains(name)) || self.unbounded.contains(name) {
                continue;
            }
            let column = batch.column(position);
            let Some((min, max)) = range(column) else {
                self.statistics.columns.remove(name);
                self.unbounded.insert(name.clone());
                continue;
            };
            let nulls = column.null_count() as u64;
            match self.statistics.columns.get_mut(name) {
                None => {
                    self.statistics.columns.insert(name.clone(), ColumnBounds { min, max, nulls: Some(nulls) });
                }
                Some(known) => {
                    known.min = wider(known.min.take(), min, Ordering::Less);
                    known.max = wider(known.max.take(), max, Ordering::Greater);
                    known.nulls = known.nulls.map(|known| known + nulls);
                }
            }
        }
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.statistics.rows
    }

    pub(crate) fn finish(self) -> FileStatistics {
        self.statistics
    }
}

impl FileStatistics {
    /// The JSON text that stands in an `add` action.
    pub fn to_json(&self) -> String {
        let (mut min, mut max, mut nulls) = (Map::new(), Map::new(), Map::new());
        for (name, bounds) in &self.columns {
            if let Some(bound) = bounds.min.clone().and_then(|bound| shortened(bound, false)) {
                min.insert(name.clone(), bound.to_json());
            }
            if let Some(bound) = bounds.max.clone().and_then(|bound| shortened(bound, true)) {
                max.insert(name.clone(), bound.to_json());
            }
            if let Some(count) = bounds.nulls {
                nulls.insert(name.clone(), json!(count));
            }
        }
        json!({ "numRecords": self.rows, "minValues": min, "maxValues": max, "nullCount": nulls }).to_string()
    }

    /// Reads the text of an `add` action; `type_of` names the columns of the table. Texts that are not
    /// statistics yield none: they are an optional field that other writers may fill as they like.
    pub fn from_json(text: &str, type_of: impl Fn(&str) -> Option<DataType>) -> Option<Self> {
        let stats: Json = serde_json::from_str(text).ok()?;
        let mut columns: BTreeMap<String, ColumnBounds> = BTreeMap::new();
        let bound = |name: &str, value: &Json| Bound::from_json(value, &type_of(name)?);
        if let Some(values) = stats["minValues"].as_object() {
            for (name, value) in values {
                columns.entry(name.clone()).or_default().min = bound(name, value);
            }
        }
        if let Some(values) = stats["maxValues"].as_object() {
            for (name, value) in values {
                columns.entry(name.clone()).or_default().max = bound(name, value).map(allow_for_milliseconds);
            }
        }
        if let Some(values) = stats["nullCount"].as_object() {
            for (name, value) in values {
                columns.entry(name.clone()).or_default().nulls = value.as_u64();
            }
        }
        Some(Self { rows: stats["numRecords"].as_u64()?, columns })
    }
}

/// A largest timestamp of whole milliseconds may have been shortened by its writer.
fn allow_for_milliseconds(bound: Bound) -> Bound {
    match bound {
        Bound::Micros(micros) if micros % 1_000 == 0 => Bound::Micros(micros.saturating_add(999)),
        other => other,
    }
}

/// The outer of two bounds. An absent one means "no value" here, since every batch's range is known.
fn wider(a: Option<Bound>, b: Option<Bound>, outward: Ordering) -> Option<Bound> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.compare(&a) == Some(outward) { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Smallest and largest value; `None` for a type without range or a double that is not finite.
fn range(column: &dyn Array) -> Option<(Option<Bound>, Option<Bound>)> {
    match column.data_type() {
        DataType::Int64 => {
            let values = column.as_primitive::<Int64Type>();
            Some((compute::min(values).map(Bound::Int), compute::max(values).map(Bound::Int)))
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>();
            let (min, max) = (compute::min(values), compute::max(values));
            if min.into_iter().chain(max).any(|value| !value.is_finite()) {
                return None;
            }
            Some((min.map(Bound::Float), max.map(Bound::Float)))
        }
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            let text = |value: Option<&str>| value.map(|text| Bound::Text(text.to_owned()));
            Some((text(compute::min_string(values)), text(compute::max_string(values))))
        }
        DataType::Boolean => {
            let values = column.as_boolean();
            Some((compute::min_boolean(values).map(Bound::Bool), compute::max_boolean(values).map(Bound::Bool)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let values = column.as_primitive::<TimestampMicrosecondType>();
            Some((compute::min(values).map(Bound::Micros), compute::max(values).map(Bound::Micros)))
        }
        _ => None,
    }
}

/// A text bound cut to its first characters: a prefix is never larger, and a prefix whose last character is
/// raised is larger than everything that starts with it.
fn shortened(bound: Bound, upper: bool) -> Option<Bound> {
    let Bound::Text(text) = bound else { return Some(bound) };
    let Some((end, _)) = text.char_indices().nth(MAX_CHARACTERS) else { return Some(Bound::Text(text)) };
    let prefix = &text[..end];
    if !upper {
        return Some(Bound::Text(prefix.to_owned()));
    }
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // The surrogates have no characters; the next one lies behind them.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            characters.push(next);
            return Some(Bound::Text(characters.into_iter().collect()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
    use std::sync::Arc;

    fn batch() -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(vec![
            ("i", Arc::new(Int64Array::from(vec![Some(3), None, Some(i64::MIN)])) as ArrayRef, true),
            ("f", Arc::new(Float64Array::from(vec![0.1, -2.5, 1e300])) as ArrayRef, true),
            ("nan", Arc::new(Float64Array::from(vec![f64::NAN, 1.0, 2.0])) as ArrayRef, true),
            ("s", Arc::new(StringArray::from(vec!["b", "é", ""])) as ArrayRef, true),
            ("b", Arc::new(BooleanArray::from(vec![false, false, true])) as ArrayRef, true),
            ("t", Arc::new(TimestampMicrosecondArray::from(vec![-1, 0, 1_700_000_000_123_456]).with_timezone("UTC")) as ArrayRef, true),
            ("empty", Arc::new(Int64Array::from(vec![None, None, None])) as ArrayRef, true),
        ])
        .unwrap()
    }

    #[test]
    fn survive_the_log() {
        let batch = batch();
        let mut gathering = Gathering::default();
        gathering.add(&batch.slice(0, 2), &[]);
        gathering.add(&batch.slice(2, 1), &[]);
        assert_eq!(gathering.rows(), 3);
        let statistics = gathering.finish();
        let text = statistics.to_json();
        let read = FileStatistics::from_json(&text, |name| Some(batch.schema().field_with_name(name).ok()?.data_type().clone())).unwrap();
        assert_eq!(read, statistics, "{text}");
        assert_eq!(read.columns["i"], ColumnBounds { min: Some(Bound::Int(i64::MIN)), max: Some(Bound::Int(3)), nulls: Some(1) });
        assert!(!read.columns.contains_key("nan"), "a double that is not a number has no bounds");
        assert_eq!(read.columns["empty"], ColumnBounds { min: None, max: None, nulls: Some(3) });
        assert!(text.contains("1969-12-31T23:59:59.999999Z"), "{text}");
        assert!(FileStatistics::from_json("not json", |_| None).is_none());
    }

    #[test]
    fn shortened_texts_still_enclose() {
        for tail in ["zz", "\u{10FFFF}\u{10FFFF}", "\u{D7FF}x", ""] {
            let long = format!("{}{tail}{}", "a".repeat(63), "\u{10FFFF}".repeat(9));
            let low = shortened(Bound::Text(long.clone()), false).unwrap();
            let high = shortened(Bound::Text(long.clone()), true).unwrap();
            assert_ne!(low.compare(&Bound::Text(long.clone())), Some(Ordering::Greater));
            assert_eq!(high.compare(&Bound::Text(long.clone())), Some(Ordering::Greater), "{tail:?}");
        }
        assert_eq!(shortened(Bound::Text("\u{10FFFF}".repeat(70)), true), None);
    }

    #[test]
    fn texts_that_are_shortened_alike_touch_and_no_more() {
        let long = |tail: &str| Bound::Text(format!("{}{tail}", "a".repeat(64)));
        let text = |text: &str| Bound::Text(text.into());
        assert!(text("a").is_told_from(&text("b")) && !text("b").is_told_from(&text("b")));
        assert!(Bound::Int(-1).is_told_from(&Bound::Int(0)) && !Bound::Float(-0.0).is_told_from(&Bound::Float(0.0)));
        assert!(!long("x").is_told_from(&long("y")), "the log has the first 64 characters of both");
        assert!(long("x").is_told_from(&text("b")));
        let (low, high) = (shortened(long("y"), false).unwrap(), shortened(long("x"), true).unwrap());
        assert!(!low.reaches_below(&high) && low.compare(&high) == Some(Ordering::Less));
        assert!(low.reaches_below(&text("b")) && text("a").reaches_below(&text("b")) && !text("b").reaches_below(&text("b")));
    }

    #[test]
    fn pruning_keeps_what_may_match() {
        let bounds = ColumnBounds { min: Some(Bound::Int(5)), max: Some(Bound::Int(9)), nulls: None };
        for (value, kept) in [(4, false), (5, true), (9, true), (10, false)] {
            assert_eq!(bounds.may_hold(&Bound::Int(value)), kept);
        }
        assert!(bounds.may_hold(&Bound::Text("other type".into())));
        assert!(ColumnBounds::default().may_hold(&Bound::Int(1)), "no knowledge, no pruning");
        assert!(bounds.may_overlap(None, Some(&Bound::Int(5))) && !bounds.may_overlap(None, Some(&Bound::Int(4))));
    }
}
