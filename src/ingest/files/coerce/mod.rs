//! From the columns of a file to the columns of a feature group, wherever nothing is lost.
//!
//! What must stay true: a value that reaches the group equals the value in the file. An integer becomes
//! Fractional only if a double holds it exactly; a float becomes Integral only without a fraction; a decimal
//! becomes Fractional only if its digits come back; dates and timestamps become ISO-8601 text in UTC (no zone
//! means UTC). NaN is what pandas writes for a missing number and becomes null, counted; infinities are refused.
//! Whatever can't be converted rejects its row, with the feature and the reason.
//!
//! Clean columns of the right type pass without a copy; rows are looked at singly only where a check over the
//! whole column failed.

mod list;
mod number;
mod text;
mod time;

pub(super) use list::element_type as list_element_type;
pub(super) use number::{boolean_text, is_nan_text};
pub(super) use time::LEAST_NANOSECONDS;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StringArray, new_null_array};
use arrow::compute::{cast, filter};
use arrow::datatypes::{DataType, Float64Type, Int64Type};

use super::batch::SourceBatch;
use super::reject::Rejected;
use crate::backend::offline::columns::feature_field;
use crate::ingest::expected::{Expected, Violation};
use crate::model::limits::{MAX_IDENTIFIER, MAX_RECORD};
use crate::model::value::MAX_TEXT;
use crate::model::{Collection, Error, EventTime, FeatureDefinition, FeatureType, OnViolation, Result, Schema, TimeMode};

/// Rows that fit the schema.
#[derive(Debug, Clone)]
pub struct Coerced {
    /// One column for each feature in schema order: Int64, Float64, Utf8, or List of one of them.
    pub columns: Vec<ArrayRef>,
    /// Text of each row's record identifier.
    pub identifiers: StringArray,
    /// Each row's event time, to the nanosecond.
    pub event_times: Vec<EventTime>,
    /// Rows left out, in the order of the file.
    pub rejected: Vec<Rejected>,
    /// NaN values that became null.
    pub nulled: u64,
    /// Rows kept although a feature of theirs is not what was expected, by position of the feature.
    pub warned: BTreeMap<usize, u64>,
    /// Rows of the file used up: those in the columns and the rejected ones.
    pub consumed: u64,
}

/// What is wrong with single values of a batch.
#[derive(Default)]
struct Faults {
    found: Vec<(usize, usize, String)>,
    nulled: u64,
}

impl Faults {
    fn add(&mut self, row: usize, feature: usize, reason: String) {
        self.found.push((row, feature, reason));
    }
}

/// How one column is converted; collects the rows that can't be.
struct Conversion<'a> {
    feature: usize,
    definition: &'a FeatureDefinition,
    is_event_time: bool,
    faults: &'a mut Faults,
}

impl Conversion<'_> {
    fn reject(&mut self, row: usize, reason: String) {
        self.faults.add(row, self.feature, reason);
    }
}

/// Checks that values of a file's column type can become values of a feature at all.
pub(super) fn check_type(definition: &FeatureDefinition, is_event_time: bool, source: &DataType, file: &str) -> Result<()> {
    let convertible = match (definition.collection, list::element_type(source)) {
        (Some(_), Some(element)) => scalar_convertible(definition.feature_type, false, element),
        (Some(_), None) => matches!(plain(source), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null),
        (None, Some(_)) => false,
        (None, None) => scalar_convertible(definition.feature_type, is_event_time, source),
    };
    if convertible {
        return Ok(());
    }
    let name = &definition.name;
    Err(Error::invalid(format!("{file}: column '{name}' is {source} and can't become {}", definition.type_text()))
        .remedy(format!("convert it in the file, or leave it out with --drop '{name}'")))
}

/// Dictionaries stand for their values.
fn plain(source: &DataType) -> &DataType {
    match source {
        DataType::Dictionary(_, value) => plain(value),
        other => other,
    }
}

fn scalar_convertible(target: FeatureType, is_event_time: bool, source: &DataType) -> bool {
    let source = plain(source);
    match source {
        DataType::Null | DataType::Boolean | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        kind if kind.is_numeric() => true,
        DataType::Date32 | DataType::Date64 | DataType::Timestamp(..) => {
            target == FeatureType::String || (is_event_time && target == FeatureType::Fractional)
        }
        _ => false,
    }
}

/// Converts a batch; rows that don't fit are left out and told.
///
/// # Errors
/// Only if a column as a whole can't be converted, which [`check_type`] tells beforehand.
pub fn coerce(schema: &Schema, batch: &SourceBatch) -> Result<Coerced> {
    coerce_expecting(schema, batch, None)
}

/// Converts a batch and checks what is expected of its values; rows that don't fit are left out and told.
///
/// # Errors
/// As [`coerce`].
pub(crate) fn coerce_expecting(schema: &Schema, batch: &SourceBatch, expected: Option<&Expected>) -> Result<Coerced> {
    let mut faults = Faults::default();
    let mut columns = Vec::with_capacity(schema.len());
    for (feature, (definition, source)) in schema.features().iter().zip(&batch.columns).enumerate() {
        let is_event_time = feature == schema.event_time_position();
        let mut conversion = Conversion { feature, definition, is_event_time, faults: &mut faults };
        let column = conversion.column(source).map_err(|error| error.within(format_args!("column '{}'", definition.name)))?;
        columns.push(column);
    }
    let identifiers = identifiers(schema, &columns, &mut faults);
    let mut event_times = event_times(schema, batch, &columns, &mut faults);
    check_sizes(&columns, batch.rows, &mut faults);

    let Faults { found, nulled } = faults;
    let mut found: Vec<(usize, usize, String, bool)> =
        found.into_iter().map(|(row, feature, reason)| (row, feature, reason, false)).collect();
    let warned = add_violations(expected, &columns, &mut found);
    let mut rejected = batch.rejected.clone();
    let mut identifiers = identifiers;
    if !found.is_empty() {
        // The first fault of a row is the one that is told.
        found.sort_by_key(|(row, ..)| *row);
        found.dedup_by_key(|(row, ..)| *row);
        let mut keep = vec![true; batch.rows];
        for (row, feature, reason, quarantined) in found {
            keep[row] = false;
            let name = schema.features()[feature].name.to_string();
            rejected.push(Rejected {
                place: batch.places.at(row),
                field: Some(name),
                reason,
                row: batch.row_json(schema, row),
                quarantined,
            });
        }
        let mut kept = keep.iter();
        event_times.retain(|_| kept.next().copied().unwrap_or(false));
        let keep = BooleanArray::from(keep);
        let unfiltered = |error| Error::internal("can't leave out rejected rows").source(error);
        for column in &mut columns {
            *column = filter(column, &keep).map_err(unfiltered)?;
        }
        identifiers = filter(&identifiers, &keep).map_err(unfiltered)?.as_string::<i32>().clone();
    }
    rejected.sort_by_key(|rejected| rejected.place);
    Ok(Coerced { columns, identifiers, event_times, rejected, nulled, warned, consumed: batch.consumed })
}

/// Adds rows that are not what is expected to those that can't be converted; counts those that are kept with a warning.
fn add_violations(
    expected: Option<&Expected>,
    columns: &[ArrayRef],
    found: &mut Vec<(usize, usize, String, bool)>,
) -> BTreeMap<usize, u64> {
    let mut warned = BTreeMap::new();
    let Some(expected) = expected.filter(|expected| !expected.is_empty()) else { return warned };
    let unreadable: HashSet<usize> = found.iter().map(|(row, ..)| *row).collect();
    let violations: Vec<Violation> =
        expected.violations(columns).into_iter().filter(|violation| !unreadable.contains(&violation.row)).collect();
    let kept_out: HashSet<usize> =
        violations.iter().filter(|violation| violation.then != OnViolation::Warn).map(|violation| violation.row).collect();
    for Violation { row, feature, reason, then } in violations {
        match then {
            OnViolation::Warn if kept_out.contains(&row) => {}
            OnViolation::Warn => *warned.entry(feature).or_default() += 1,
            OnViolation::Reject => found.push((row, feature, reason, false)),
            OnViolation::Quarantine => found.push((row, feature, reason, true)),
        }
    }
    // Of a row that is to be refused and one to be set aside for the same row, the refusal is told.
    found.sort_by_key(|(row, _, _, quarantined)| (*row, *quarantined));
    warned
}

impl Conversion<'_> {
    fn column(&mut self, source: &ArrayRef) -> Result<ArrayRef> {
        if source.data_type() == &DataType::Null {
            return Ok(new_null_array(feature_field(self.definition).data_type(), source.len()));
        }
        let source = decode(source)?;
        let column = match self.definition.collection {
            None => self.scalars(&source, &|row| Some(row))?,
            Some(collection) => self.collections(&source, collection)?,
        };
        Ok(column)
    }

    /// Converts single values; `row_of` says which row a value belongs to, none if it belongs to no row.
    fn scalars(&mut self, source: &ArrayRef, row_of: &dyn Fn(usize) -> Option<usize>) -> Result<ArrayRef> {
        let mut bad = Vec::new();
        let converted = match self.definition.feature_type {
            FeatureType::Integral => number::to_integral(source, &mut bad, &mut self.faults.nulled)?,
            FeatureType::Fractional if self.is_event_time && time::is_temporal(source.data_type()) => {
                time::to_unix_seconds(source, &mut bad)?
            }
            FeatureType::Fractional => number::to_fractional(source, &mut bad, &mut self.faults.nulled)?,
            FeatureType::String if time::is_temporal(source.data_type()) => time::to_iso8601(source, &mut bad)?,
            FeatureType::String if self.is_event_time && (source.data_type().is_integer() || source.data_type() == &DataType::Utf8) => {
                time::unix_to_text(source, &mut bad)?
            }
            FeatureType::String => text::to_text(source)?,
        };
        if let Some(texts) = converted.as_string_opt::<i32>() {
            text::check_lengths(texts, MAX_TEXT, &mut bad);
        }
        for (value, reason) in bad {
            if let Some(row) = row_of(value) {
                self.reject(row, reason);
            }
        }
        Ok(converted)
    }

    fn collections(&mut self, source: &ArrayRef, collection: Collection) -> Result<ArrayRef> {
        if source.data_type() == &DataType::Utf8 {
            let (parsed, bad) = list::parse_json(source.as_string::<i32>());
            for (row, reason) in bad {
                self.reject(row, reason);
            }
            return self.lists(&parsed, collection);
        }
        self.lists(&list::to_list(source)?, collection)
    }

    fn lists(&mut self, lists: &arrow::array::ListArray, collection: Collection) -> Result<ArrayRef> {
        let lists = list::compact(lists);
        let offsets = lists.offsets().clone();
        let nulls = lists.nulls().cloned();
        let row_of = |value: usize| -> Option<usize> {
            let row = offsets.partition_point(|offset| (*offset as usize) <= value).checked_sub(1)?;
            nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)).then_some(row)
        };
        let before = self.faults.nulled;
        let elements = self.scalars(&decode(lists.values())?, &row_of)?;
        self.faults.nulled = before;
        for (row, reason) in list::faults(&lists, &elements, collection) {
            self.reject(row, reason);
        }
        list::rebuild(&lists, elements, feature_field(self.definition).data_type())
    }
}

/// Dictionaries and the several forms of text become plain columns.
fn decode(source: &ArrayRef) -> Result<ArrayRef> {
    let target = match plain(source.data_type()) {
        DataType::LargeUtf8 | DataType::Utf8View => &DataType::Utf8,
        other => other,
    };
    if target == source.data_type() {
        return Ok(Arc::clone(source));
    }
    cast(source, target).map_err(|error| Error::invalid(format!("can't be read as {target}")).source(error))
}

/// Texts of the record identifiers; a row without one is rejected.
fn identifiers(schema: &Schema, columns: &[ArrayRef], faults: &mut Faults) -> StringArray {
    let position = schema.identifier_position();
    let texts = match text::of_column(&columns[position]) {
        Some(texts) => texts,
        None => StringArray::new_null(columns[position].len()),
    };
    let lengths = || texts.offsets().lengths();
    if texts.null_count() > 0 || lengths().any(|length| length == 0 || length > MAX_IDENTIFIER) {
        for (row, length) in lengths().enumerate() {
            if texts.is_null(row) {
                faults.add(row, position, "the record identifier is missing".into());
            } else if length == 0 || length > MAX_IDENTIFIER {
                faults.add(row, position, format!("a record identifier of {length} bytes; 1 to {MAX_IDENTIFIER} are allowed"));
            }
        }
    }
    texts
}

/// The event times; a row without one, or with one that can't be read, is rejected.
fn event_times(schema: &Schema, batch: &SourceBatch, columns: &[ArrayRef], faults: &mut Faults) -> Vec<EventTime> {
    let position = schema.event_time_position();
    let (source, column) = (&batch.columns[position], &columns[position]);
    let mut times = Vec::with_capacity(batch.rows);
    let read: Box<dyn Fn(usize) -> Option<EventTime> + '_> = match decode(source) {
        Ok(source) if time::is_temporal(source.data_type()) => time::instants(&source),
        _ => match column.data_type() {
            DataType::Float64 => {
                let seconds = column.as_primitive::<Float64Type>();
                Box::new(move |row| EventTime::from_unix_float(seconds.value(row), TimeMode::Lenient))
            }
            DataType::Utf8 => {
                let texts = column.as_string::<i32>();
                Box::new(move |row| EventTime::parse_text(texts.value(row), TimeMode::Lenient).ok())
            }
            // Schemas allow no other type; should one appear, every row says so.
            _ => Box::new(|_| None),
        },
    };
    for row in 0..batch.rows {
        let time = if column.is_null(row) { None } else { read(row) };
        times.push(time.unwrap_or(EventTime::MIN));
        if time.is_none() {
            let reason = if source.is_null(row) || source.data_type() == &DataType::Null {
                "the event time is missing".to_owned()
            } else {
                match text::of_column(&column.slice(row, 1)) {
                    Some(text) if text.is_valid(0) => {
                        let shown: String = text.value(0).chars().take(60).collect();
                        format!("'{}' is not an event time; write it like 2026-11-23T09:30:00Z or in Unix seconds", shown.escape_debug())
                    }
                    _ => "the event time can't be read".to_owned(),
                }
            };
            faults.add(row, position, reason);
        }
    }
    times
}

/// Rows whose texts together are longer than a record may be.
fn check_sizes(columns: &[ArrayRef], rows: usize, faults: &mut Faults) {
    let texts: Vec<&StringArray> = columns.iter().filter_map(|column| column.as_string_opt::<i32>()).collect();
    if texts.iter().map(|column| column.value_data().len()).sum::<usize>() <= MAX_RECORD {
        return;
    }
    for row in 0..rows {
        let bytes: usize = texts.iter().map(|column| column.value_length(row) as usize).sum();
        if bytes > MAX_RECORD {
            faults.add(row, 0, format!("the record is {bytes} bytes long; at most {MAX_RECORD} are allowed"));
        }
    }
}

/// A whole-number column, for tests and for the text of identifiers.
fn as_int64(column: &ArrayRef) -> Option<&arrow::array::PrimitiveArray<Int64Type>> {
    column.as_primitive_opt::<Int64Type>()
}

#[cfg(test)]
mod tests;
