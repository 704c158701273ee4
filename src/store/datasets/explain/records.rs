//! Every record of one identifier, from every file and the outbox, read plainly.

use std::fs::File;
use std::path::PathBuf;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use arrow::util::display::array_value_to_string;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::cells::{json, text};
use super::verdict::{FoundRecord, RecordSource};
use crate::backend::offline::columns::{API_INVOCATION_TIME, EVENT_TIME, IS_DELETED, WRITE_TIME, rows_to_batch};
use crate::backend::offline::{OfflineStore, Predicate, TableSnapshot};
use crate::ingest::drain::{drain_mark_name, unflushed};
use crate::model::{Arrival, Error, EventTime, FeatureGroup, FeatureType, Result, TimeMode};
use crate::store::FeatureStore;

/// Which records are looked at.
pub(super) enum Basis {
    /// All there are.
    Newest,
    /// Those of a version of the table.
    Version(TableSnapshot),
    /// Those that were written by then.
    WrittenBy(EventTime),
}

/// An identifier as the group's type has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Identifier {
    Text(String),
    Whole(i64),
    Number(f64),
}

impl Identifier {
    /// Reads an identifier that is written as text.
    pub(super) fn parse(group: &FeatureGroup, text: &str) -> Result<Self> {
        let definition = group.schema.identifier();
        let read = match definition.feature_type {
            FeatureType::String => Some(Self::Text(text.to_owned())),
            FeatureType::Integral => text.trim().parse().ok().or_else(|| whole(text.trim().parse().ok()?)).map(Self::Whole),
            FeatureType::Fractional => text.trim().parse().ok().map(Self::Number),
        };
        read.ok_or_else(|| {
            Error::invalid(format!("'{}' can't be an identifier of '{}'", text.escape_debug(), group.name))
                .why(format!("'{}' is {}", definition.name, definition.feature_type))
                .remedy("give a number")
        })
    }

    /// True if a cell holds this identifier.
    fn is_at(&self, column: &ArrayRef, row: usize) -> bool {
        if column.is_null(row) {
            return false;
        }
        let one = column.slice(row, 1);
        let number = || Some(cast(&one, &DataType::Float64).ok()?.as_primitive_opt::<Float64Type>()?.value(0));
        match self {
            Self::Text(text) => {
                cast(&one, &DataType::Utf8).ok().is_some_and(|one| one.as_string_opt::<i32>().is_some_and(|one| one.value(0) == text))
            }
            Self::Whole(wanted) if is_fractional(one.data_type()) => number().and_then(whole) == Some(*wanted),
            Self::Whole(wanted) => cast(&one, &DataType::Int64)
                .ok()
                .and_then(|one| one.as_primitive_opt::<Int64Type>().filter(|one| one.is_valid(0)).map(|one| one.value(0)))
                .is_some_and(|found| found == *wanted),
            // −0 and 0 are one number.
            Self::Number(wanted) => number().is_some_and(|found| found == *wanted),
        }
    }
}

fn is_fractional(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_fractional(values),
        other => other.is_floating() || other.is_decimal(),
    }
}

fn whole(number: f64) -> Option<i64> {
    let fits = number.fract() == 0.0 && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    fits.then_some(number as i64)
}

/// The instant in a cell of any type that can hold one, in microseconds rounded towards the past.
pub(super) fn instant_at(column: &ArrayRef, row: usize) -> Option<i64> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => column.as_primitive::<TimestampSecondType>().value(row).checked_mul(1_000_000),
        DataType::Timestamp(TimeUnit::Millisecond, _) => column.as_primitive::<TimestampMillisecondType>().value(row).checked_mul(1_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => Some(column.as_primitive::<TimestampMicrosecondType>().value(row)),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => Some(column.as_primitive::<TimestampNanosecondType>().value(row).div_euclid(1_000)),
        DataType::Date32 => Some(i64::from(column.as_primitive::<Date32Type>().value(row)) * 86_400_000_000),
        DataType::Date64 => column.as_primitive::<Date64Type>().value(row).checked_mul(1_000),
        DataType::Dictionary(_, values) => instant_at(&cast(&column.slice(row, 1), values).ok()?, 0),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let text = array_value_to_string(column, row).ok()?;
            EventTime::parse_text(&text, TimeMode::Lenient).ok().map(EventTime::unix_micros)
        }
        number if number.is_integer() => {
            let text = array_value_to_string(column, row).ok()?;
            EventTime::parse_fractional(&text, TimeMode::Lenient).ok().map(EventTime::unix_micros)
        }
        number if number.is_numeric() => {
            let seconds = cast(&column.slice(row, 1), &DataType::Float64).ok()?;
            let seconds = seconds.as_primitive_opt::<Float64Type>()?.value(0);
            EventTime::from_unix_float(seconds, TimeMode::Lenient).map(EventTime::unix_micros)
        }
        _ => None,
    }
}

impl FeatureStore {
    /// All records of an identifier, in no order.
    pub(super) async fn records_of(
        &self,
        group: &FeatureGroup,
        feature: &str,
        identifier: &Identifier,
        basis: &Basis,
    ) -> Result<Vec<FoundRecord>> {
        let stopped = |error| Error::internal("reading records stopped").source(error);
        // What a dataset knows by a name from before a change of it is the column's own name.
        let feature = group.schema.position(feature).map_or(feature, |position| group.schema.features()[position].column().as_str());
        let (definition, feature, wanted) = (group.clone(), feature.to_owned(), identifier.clone());
        if group.is_external() {
            let table = self.inner.offline.external(group).await?;
            let files: Vec<PathBuf> = table.files().iter().map(|file| file.path.clone()).collect();
            let read = tokio::task::spawn_blocking(move || in_external_files(&definition, &feature, &wanted, &files));
            return read.await.map_err(stopped)?;
        }
        // Outbox first, table second, as everywhere: what is drained in between is dropped by its mark.
        let mut waiting = match basis {
            Basis::Version(_) => Vec::new(),
            _ => unflushed(self.inner.online.as_ref(), group, Arrival(0))?,
        };
        let snapshot = match basis {
            Basis::Version(snapshot) => Some(snapshot.clone()),
            _ => self.newest_snapshot(group).await?,
        };
        let mark = snapshot.as_ref().and_then(|snapshot| snapshot.mark(&drain_mark_name(self.inner.online.as_ref())));
        waiting.retain(|row| row.arrival > Arrival(mark.unwrap_or(0)));
        let offline = self.inner.offline.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut found = Vec::new();
            if let Some(snapshot) = &snapshot {
                in_table(&offline, snapshot, &definition, &feature, &wanted, &mut found)?;
            }
            let batch = rows_to_batch(&definition.schema, &waiting)?;
            let last = snapshot.as_ref().map_or(0, |snapshot| snapshot.files().len());
            let place = |row: usize| ((last, row as u64), RecordSource::Outbox);
            found.extend(own_records(&batch, &definition, &feature, &wanted, place)?);
            Ok::<_, Error>(found)
        });
        let mut found = read.await.map_err(stopped)??;
        if let Basis::WrittenBy(cut) = basis {
            found.retain(|record| record.written.is_none_or(|written| written <= cut.unix_micros()));
        }
        Ok(found)
    }
}

/// Records in the files of a table.
fn in_table(
    offline: &OfflineStore,
    snapshot: &TableSnapshot,
    group: &FeatureGroup,
    feature: &str,
    wanted: &Identifier,
    found: &mut Vec<FoundRecord>,
) -> Result<()> {
    let keys = [group.schema.identifier().column().as_str(), WRITE_TIME, API_INVOCATION_TIME, IS_DELETED, EVENT_TIME];
    let has = |name: &str| snapshot.schema().fields().iter().any(|field| field.name().eq_ignore_ascii_case(name));
    // A version from before the feature was added has no column of it.
    let names: Vec<String> = keys.into_iter().chain([feature]).filter(|name| has(name)).map(str::to_owned).collect();
    let predicate = match wanted {
        Identifier::Text(text) => Predicate { identifier: Some(text.clone()), ..Predicate::default() },
        Identifier::Whole(number) => Predicate { identifier: Some(number.to_string()), ..Predicate::default() },
        // Both zeros are one identifier, and a file tells them apart.
        Identifier::Number(_) => Predicate::default(),
    };
    for part in offline.scan(snapshot, Some(&names), &predicate)? {
        let part = part?;
        let number = snapshot.files().iter().position(|file| *file.path == *part.file).unwrap_or(0);
        let place = |row: usize| {
            let position = part.positions.value(row).unsigned_abs();
            ((number, position), RecordSource::File { file: part.file.to_string(), position })
        };
        found.extend(own_records(&part.batch, group, feature, wanted, place)?);
    }
    Ok(())
}

/// Records of a batch with our own columns.
fn own_records(
    batch: &RecordBatch,
    group: &FeatureGroup,
    feature: &str,
    wanted: &Identifier,
    place: impl Fn(usize) -> ((usize, u64), RecordSource),
) -> Result<Vec<FoundRecord>> {
    let column = |name: &str| batch.column_by_name(name);
    let name = group.schema.identifier().column().as_str();
    let identifiers = column(name).ok_or_else(|| Error::corrupt(format!("the table of '{}' has no column '{name}'", group.name)))?;
    let micros = |name: &str, row: usize| {
        let times = column(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        times.is_valid(row).then(|| times.value(row))
    };
    let is_deleted = |row: usize| {
        let markers = column(IS_DELETED).and_then(|markers| markers.as_boolean_opt());
        markers.is_some_and(|markers| markers.is_valid(row) && markers.value(row))
    };
    let rows = (0..batch.num_rows()).filter(|row| wanted.is_at(identifiers, *row));
    let record = |row: usize| {
        let (place, source) = place(row);
        FoundRecord {
            event: micros(EVENT_TIME, row),
            invoked: micros(API_INVOCATION_TIME, row),
            written: micros(WRITE_TIME, row),
            is_deleted: is_deleted(row),
            place,
            source,
            value: column(feature).and_then(|values| shown(values, row)),
        }
    };
    Ok(rows.map(record).collect())
}

fn shown(values: &ArrayRef, row: usize) -> Option<(String, serde_json::Value)> {
    text(values, row).map(|text| (text, json(values, row)))
}

/// Records in somebody else's files.
fn in_external_files(group: &FeatureGroup, feature: &str, wanted: &Identifier, files: &[PathBuf]) -> Result<Vec<FoundRecord>> {
    let mut found = Vec::new();
    for (number, path) in files.iter().enumerate() {
        let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::corrupt(format!("{} can't be read", path.display())).source(error).remedy("copy it again")
        };
        let file = File::open(path).map_err(|error| Error::io(format!("can't open {}", path.display()), error))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(error.into()))?;
        let fields = builder.schema().fields().clone();
        let position = |name: &str| {
            fields
                .iter()
                .position(|field| field.name() == name)
                .or_else(|| fields.iter().position(|field| field.name().eq_ignore_ascii_case(name)))
        };
        let identifier = position(group.schema.identifier().name.as_str());
        let event_time = position(group.schema.event_time().name.as_str());
        // A file without either has no records.
        let (Some(identifier), Some(event_time)) = (identifier, event_time) else { continue };
        let value = position(feature);
        let mask = ProjectionMask::roots(builder.parquet_schema(), [identifier, event_time].into_iter().chain(value));
        let name = |position: usize| fields[position].name().clone();
        let (identifier, event_time, value) = (name(identifier), name(event_time), value.map(name));
        let mut row_in_file = 0u64;
        for batch in builder.with_projection(mask).build().map_err(|error| damaged(error.into()))? {
            let batch = batch.map_err(|error| damaged(error.into()))?;
            let column = |name: &str| batch.column_by_name(name).ok_or_else(|| Error::internal(format!("column '{name}' got lost")));
            let (identifiers, times) = (column(&identifier)?, column(&event_time)?);
            let values = value.as_deref().map(column).transpose()?;
            for row in (0..batch.num_rows()).filter(|row| wanted.is_at(identifiers, *row)) {
                let position = row_in_file + row as u64;
                found.push(FoundRecord {
                    event: instant_at(times, row),
                    invoked: None,
                    written: None,
                    is_deleted: false,
                    place: (number, position),
                    source: RecordSource::File { file: path.display().to_string(), position },
                    value: values.and_then(|values| shown(values, row)),
                });
            }
            row_in_file += batch.num_rows() as u64;
        }
    }
    Ok(found)
}
