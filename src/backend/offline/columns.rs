//! Columns of the offline store, and the way of records into them and back.
//!
//! Features in definition order, each under the name of its column, which is the first it ever had (String is `Utf8`, Integral `Int64`, Fractional `Float64`, a collection a list of
//! these), then `write_time`, `api_invocation_time` (timestamps in microseconds, UTC), `is_deleted`, and
//! `__event_time`: the event time as a timestamp, whatever type the feature has, for pruning and ordering.
//! Every column may be null, because a feature added later is null in older files and a tombstone has no features.
//!
//! A file is sorted by (record identifier, event time), stably: where both are equal the input order stays, and
//! a later row is the newer one. That is the only place where the order inside a file carries meaning.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, AsArray, BooleanArray, Float64Builder, Int64Builder, ListBuilder, RecordBatch, StringBuilder,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::compute;
use arrow::datatypes::{
    DataType, Field, FieldRef, Float64Type, Int64Type, Schema as ArrowSchema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};

use crate::model::value::format_fractional;
use crate::model::{Arrival, Error, ErrorKind, EventTime, FeatureDefinition, FeatureType, FeatureValue, Result, Scalar, Schema, TimeMode};

/// When a row was stored; the basis of `as of`.
pub const WRITE_TIME: &str = "write_time";
/// When the call that brought a row arrived.
pub const API_INVOCATION_TIME: &str = "api_invocation_time";
/// True for tombstones.
pub const IS_DELETED: &str = "is_deleted";
/// The event time as a timestamp.
pub const EVENT_TIME: &str = "__event_time";
/// Our own columns, in their order after the features.
pub const PLUMBING: [&str; 4] = [WRITE_TIME, API_INVOCATION_TIME, IS_DELETED, EVENT_TIME];

/// Name of a list's element field: what Spark and the Parquet specification call it.
const ELEMENT: &str = "element";

/// One record on its way from the outbox into a file.
#[derive(Debug, Clone, PartialEq)]
pub struct OfflineRow {
    /// Record identifier, as text.
    pub identifier: String,
    /// When it was true.
    pub event_time: EventTime,
    /// By position in the schema; shorter if features were added since. Of a tombstone only the identifier
    /// and the event time are used, and may be left out.
    pub values: Vec<Option<FeatureValue>>,
    /// When it reached the store.
    pub arrival: Arrival,
    /// True for a tombstone.
    pub is_deleted: bool,
}

fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn scalar_type(feature_type: FeatureType) -> DataType {
    match feature_type {
        FeatureType::Integral => DataType::Int64,
        FeatureType::Fractional => DataType::Float64,
        FeatureType::String => DataType::Utf8,
    }
}

fn element(feature_type: FeatureType) -> FieldRef {
    Arc::new(Field::new(ELEMENT, scalar_type(feature_type), true))
}

/// Column of a feature.
pub fn feature_field(feature: &FeatureDefinition) -> Field {
    let data_type = match feature.collection {
        None => scalar_type(feature.feature_type),
        Some(_) => DataType::List(element(feature.feature_type)),
    };
    Field::new(feature.column().as_str(), data_type, true)
}

/// Our own columns.
pub fn plumbing_fields() -> [Field; 4] {
    [
        Field::new(WRITE_TIME, timestamp(), true),
        Field::new(API_INVOCATION_TIME, timestamp(), true),
        Field::new(IS_DELETED, DataType::Boolean, true),
        Field::new(EVENT_TIME, timestamp(), true),
    ]
}

/// Columns of a group's features alone, in definition order: what a bulk load hands in.
pub fn feature_schema(schema: &Schema) -> SchemaRef {
    Arc::new(ArrowSchema::new(schema.features().iter().map(feature_field).collect::<Vec<_>>()))
}

/// All columns of a group's files.
pub fn file_schema(schema: &Schema) -> SchemaRef {
    Arc::new(ArrowSchema::new(schema.features().iter().map(feature_field).chain(plumbing_fields()).collect::<Vec<_>>()))
}

/// The same columns under the names that their features have now.
pub fn shown_schema(schema: &Schema, columns: &SchemaRef) -> SchemaRef {
    if schema.features().iter().all(|feature| feature.former_names.is_empty()) {
        return columns.clone();
    }
    let renamed = columns.fields().iter().map(|field| field.as_ref().clone().with_name(schema.name_of_column(field.name())));
    Arc::new(ArrowSchema::new_with_metadata(renamed.collect::<Vec<_>>(), columns.metadata().clone()))
}

/// Builds the batch of a file from records in order of arrival; the batch is sorted.
///
/// # Errors
/// Conflict if a record has more features than the schema: the group was changed meanwhile, read it again.
pub fn rows_to_batch(schema: &Schema, rows: &[OfflineRow]) -> Result<RecordBatch> {
    let mut order: Vec<&OfflineRow> = rows.iter().collect();
    let identifier = schema.identifier();
    match identifier.feature_type {
        FeatureType::String => order.sort_by(|a, b| (a.identifier.as_bytes(), a.event_time).cmp(&(b.identifier.as_bytes(), b.event_time))),
        kind => {
            let mut keyed = Vec::with_capacity(order.len());
            for row in order {
                let scalar = Scalar::parse(identifier.name.as_str(), kind, row.identifier.clone())?;
                keyed.push((numeric_key(&scalar), row));
            }
            keyed.sort_by_key(|(key, row)| (*key, row.event_time));
            order = keyed.into_iter().map(|(_, row)| row).collect();
        }
    }
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.len() + PLUMBING.len());
    for (position, feature) in schema.features().iter().enumerate() {
        let mut column = Column::new(feature, order.len());
        for row in &order {
            if row.values.len() > schema.len() {
                return Err(Error::new(ErrorKind::Conflict, format!("a record of '{}' has more features than the group", row.identifier))
                    .why("features were added meanwhile")
                    .remedy("read the group's definition again"));
            }
            let is_key = position == schema.identifier_position() || position == schema.event_time_position();
            match row.values.get(position).and_then(Option::as_ref) {
                Some(value) if is_key || !row.is_deleted => column.push(feature, value)?,
                None if position == schema.identifier_position() => {
                    let scalar = Scalar::parse(feature.name.as_str(), feature.feature_type, row.identifier.clone())?;
                    column.push(feature, &FeatureValue::Scalar(scalar))?;
                }
                None if position == schema.event_time_position() => column.push(feature, &event_time_value(feature, row.event_time)?)?,
                _ => column.push_null(),
            }
        }
        columns.push(column.finish());
    }
    let arrivals = || order.iter().map(|row| row.arrival.micros()).collect::<Vec<i64>>();
    columns.push(timestamps(arrivals()));
    columns.push(timestamps(arrivals()));
    columns.push(Arc::new(order.iter().map(|row| Some(row.is_deleted)).collect::<BooleanArray>()));
    columns.push(timestamps(order.iter().map(|row| row.event_time.unix_micros()).collect()));
    RecordBatch::try_new(file_schema(schema), columns)
        .map_err(|error| Error::internal("the batch of a drain does not fit its schema").source(error))
}

/// The event time as a value of the group's event-time feature, for a tombstone that came without one.
fn event_time_value(feature: &FeatureDefinition, time: EventTime) -> Result<FeatureValue> {
    let text = match feature.feature_type {
        FeatureType::String => time.to_iso8601(),
        _ => time.to_unix_text(),
    };
    Scalar::parse(feature.name.as_str(), feature.feature_type, text).map(FeatureValue::Scalar)
}

fn timestamps(micros: Vec<i64>) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(micros).with_timezone("UTC"))
}

/// Finishes the batch of a bulk load: appends our own columns to the features and sorts the rows.
///
/// `features` has the columns of [`feature_schema`]; `event_times` holds one instant per row, in microseconds.
///
/// # Errors
/// Invalid if a row has no identifier or no event time; Internal if columns are not those of the schema.
pub fn with_plumbing(
    schema: &Schema,
    features: &RecordBatch,
    event_times: &[i64],
    write_time: Arrival,
    api_invocation_time: Arrival,
) -> Result<RecordBatch> {
    let rows = features.num_rows();
    if event_times.len() != rows || features.num_columns() != schema.len() {
        return Err(Error::internal(format!("a load of {rows} rows brings {} event times", event_times.len())));
    }
    let identifiers = features.column(schema.identifier_position());
    for key in [identifiers, features.column(schema.event_time_position())] {
        if let Some(row) = (0..rows).find(|row| key.is_null(*row)) {
            return Err(Error::invalid(format!("row {row} has no record identifier or no event time")).remedy("every record needs both"));
        }
    }
    let mut columns = features.columns().to_vec();
    columns.push(timestamps(vec![write_time.micros(); rows]));
    columns.push(timestamps(vec![api_invocation_time.micros(); rows]));
    columns.push(Arc::new(BooleanArray::from(vec![false; rows])));
    columns.push(timestamps(event_times.to_vec()));
    let batch = RecordBatch::try_new(file_schema(schema), columns)
        .map_err(|error| Error::internal("the batch of a load does not fit the group's schema").source(error))?;
    match sorted_order(identifiers, event_times)? {
        None => Ok(batch),
        Some(order) => compute::take_record_batch(&batch, &order).map_err(|error| Error::internal("can't put rows in order").source(error)),
    }
}

/// The stable order of rows by (identifier, event time); none if they lie in it already.
fn sorted_order(identifiers: &dyn Array, event_times: &[i64]) -> Result<Option<UInt32Array>> {
    let too_many = |_| Error::internal(format!("{} rows are too many for one file", event_times.len()));
    let rows = u32::try_from(event_times.len()).map_err(too_many)?;
    let order = match identifiers.data_type() {
        DataType::Utf8 => {
            let texts = identifiers.as_string::<i32>();
            let shared = shared_prefix(texts.iter().flatten());
            // The first eight bytes that differ decide most comparisons without touching the text.
            let head = |row: u32| {
                let rest = &texts.value(row as usize).as_bytes()[shared..];
                let mut bytes = [0u8; 8];
                bytes[..rest.len().min(8)].copy_from_slice(&rest[..rest.len().min(8)]);
                u64::from_be_bytes(bytes)
            };
            let mut keys: Vec<(u64, u32)> = (0..rows).map(|row| (head(row), row)).collect();
            let compare = |a: &(u64, u32), b: &(u64, u32)| {
                a.0.cmp(&b.0)
                    .then_with(|| texts.value(a.1 as usize).as_bytes().cmp(texts.value(b.1 as usize).as_bytes()))
                    .then_with(|| event_times[a.1 as usize].cmp(&event_times[b.1 as usize]))
                    .then(a.1.cmp(&b.1))
            };
            if keys.is_sorted_by(|a, b| compare(a, b).is_le()) {
                return Ok(None);
            }
            keys.sort_unstable_by(compare);
            keys.into_iter().map(|(_, row)| row).collect::<Vec<u32>>()
        }
        DataType::Int64 => {
            let values = identifiers.as_primitive::<Int64Type>();
            match order_by_number(rows, event_times, |row| integer_key(values.value(row))) {
                None => return Ok(None),
                Some(order) => order,
            }
        }
        DataType::Float64 => {
            let values = identifiers.as_primitive::<Float64Type>();
            match order_by_number(rows, event_times, |row| float_key(values.value(row))) {
                None => return Ok(None),
                Some(order) => order,
            }
        }
        other => return Err(Error::internal(format!("a record identifier can't be {other}"))),
    };
    Ok(Some(UInt32Array::from(order)))
}

fn order_by_number(rows: u32, event_times: &[i64], key: impl Fn(usize) -> u64) -> Option<Vec<u32>> {
    let mut keys: Vec<(u64, i64, u32)> = (0..rows).map(|row| (key(row as usize), event_times[row as usize], row)).collect();
    if keys.is_sorted() {
        return None;
    }
    keys.sort_unstable();
    Some(keys.into_iter().map(|(_, _, row)| row).collect())
}

/// Length of the prefix that all texts share.
fn shared_prefix<'a>(mut texts: impl Iterator<Item = &'a str>) -> usize {
    let Some(first) = texts.next().map(str::as_bytes) else { return 0 };
    let mut shared = first.len();
    for text in texts {
        let bytes = text.as_bytes();
        if bytes.len() >= shared && bytes[..shared] == first[..shared] {
            continue;
        }
        shared = first[..shared].iter().zip(bytes).take_while(|(a, b)| a == b).count();
    }
    shared
}

/// Unsigned numbers in the order of the signed ones.
pub(super) fn integer_key(value: i64) -> u64 {
    (value as u64) ^ (1 << 63)
}

/// Unsigned numbers in the total order of doubles.
pub(super) fn float_key(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) }
}

fn numeric_key(scalar: &Scalar) -> u64 {
    match scalar {
        Scalar::Integral { value, .. } => integer_key(*value),
        Scalar::Fractional { value, .. } => float_key(*value),
        Scalar::String(_) => 0,
    }
}

/// A column being filled with the values of one feature.
enum Column {
    Integral(Int64Builder),
    Fractional(Float64Builder),
    Text(StringBuilder),
    Integrals(ListBuilder<Int64Builder>),
    Fractionals(ListBuilder<Float64Builder>),
    Texts(ListBuilder<StringBuilder>),
}

impl Column {
    fn new(feature: &FeatureDefinition, rows: usize) -> Self {
        let field = element(feature.feature_type);
        match (feature.collection.is_some(), feature.feature_type) {
            (false, FeatureType::Integral) => Self::Integral(Int64Builder::with_capacity(rows)),
            (false, FeatureType::Fractional) => Self::Fractional(Float64Builder::with_capacity(rows)),
            (false, FeatureType::String) => Self::Text(StringBuilder::with_capacity(rows, rows * 16)),
            (true, FeatureType::Integral) => Self::Integrals(ListBuilder::new(Int64Builder::new()).with_field(field)),
            (true, FeatureType::Fractional) => Self::Fractionals(ListBuilder::new(Float64Builder::new()).with_field(field)),
            (true, FeatureType::String) => Self::Texts(ListBuilder::new(StringBuilder::new()).with_field(field)),
        }
    }

    fn push(&mut self, feature: &FeatureDefinition, value: &FeatureValue) -> Result<()> {
        match (self, value) {
            (Self::Integral(column), FeatureValue::Scalar(Scalar::Integral { value, .. })) => column.append_value(*value),
            (Self::Fractional(column), FeatureValue::Scalar(Scalar::Fractional { value, .. })) => column.append_value(*value),
            (Self::Text(column), FeatureValue::Scalar(Scalar::String(text))) => column.append_value(text),
            (Self::Integrals(column), FeatureValue::Collection(scalars)) => {
                for scalar in scalars {
                    let Scalar::Integral { value, .. } = scalar else { return Err(misfit(feature)) };
                    column.values().append_value(*value);
                }
                column.append(true);
            }
            (Self::Fractionals(column), FeatureValue::Collection(scalars)) => {
                for scalar in scalars {
                    let Scalar::Fractional { value, .. } = scalar else { return Err(misfit(feature)) };
                    column.values().append_value(*value);
                }
                column.append(true);
            }
            (Self::Texts(column), FeatureValue::Collection(scalars)) => {
                for scalar in scalars {
                    column.values().append_value(scalar.text());
                }
                column.append(true);
            }
            _ => return Err(misfit(feature)),
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match self {
            Self::Integral(column) => column.append_null(),
            Self::Fractional(column) => column.append_null(),
            Self::Text(column) => column.append_null(),
            Self::Integrals(column) => column.append_null(),
            Self::Fractionals(column) => column.append_null(),
            Self::Texts(column) => column.append_null(),
        }
    }

    fn finish(mut self) -> ArrayRef {
        let builder: &mut dyn ArrayBuilder = match &mut self {
            Self::Integral(column) => column,
            Self::Fractional(column) => column,
            Self::Text(column) => column,
            Self::Integrals(column) => column,
            Self::Fractionals(column) => column,
            Self::Texts(column) => column,
        };
        builder.finish()
    }
}

fn misfit(feature: &FeatureDefinition) -> Error {
    Error::internal(format!("a stored value of '{}' is not {}", feature.name, feature.type_text()))
}

/// Reads rows of a scanned batch back into records. Columns that the batch lacks read as null.
pub struct RowReader<'a> {
    schema: &'a Schema,
    batch: &'a RecordBatch,
    columns: Vec<Option<usize>>,
}

impl<'a> RowReader<'a> {
    /// Looks up the columns once for all rows.
    pub fn new(schema: &'a Schema, batch: &'a RecordBatch) -> Self {
        let columns = schema.features().iter().map(|feature| batch.schema_ref().index_of(feature.column().as_str()).ok()).collect();
        Self { schema, batch, columns }
    }

    /// Values of a row by position in the schema, as the outbox held them except for the spelling of numbers.
    pub fn values(&self, row: usize) -> Result<Vec<Option<FeatureValue>>> {
        (0..self.schema.len()).map(|position| self.value(row, position)).collect()
    }

    /// Value of one feature in a row.
    pub fn value(&self, row: usize, position: usize) -> Result<Option<FeatureValue>> {
        let feature = &self.schema.features()[position];
        let Some(column) = self.columns.get(position).copied().flatten().map(|column| self.batch.column(column)) else { return Ok(None) };
        if column.is_null(row) {
            return Ok(None);
        }
        if feature.collection.is_none() {
            return scalar_at(feature, column, row).map(|scalar| Some(FeatureValue::Scalar(scalar)));
        }
        let Some(list) = column.as_list_opt::<i32>() else { return Err(wrong_type(feature, column.data_type())) };
        let elements = list.value(row);
        let scalars = (0..elements.len()).map(|at| scalar_at(feature, &elements, at)).collect::<Result<Vec<_>>>()?;
        Ok(Some(FeatureValue::Collection(scalars)))
    }

    /// Record identifier of a row, as text.
    pub fn identifier(&self, row: usize) -> Result<String> {
        match self.value(row, self.schema.identifier_position())? {
            Some(FeatureValue::Scalar(scalar)) => Ok(scalar.text().to_owned()),
            _ => Err(Error::corrupt(format!("a row of the offline store has no {}", self.schema.identifier().name))),
        }
    }

    /// Event time of a row: that of the feature itself, which may be finer than the microseconds of `__event_time`.
    pub fn event_time(&self, row: usize) -> Result<EventTime> {
        if let Some(FeatureValue::Scalar(scalar)) = self.value(row, self.schema.event_time_position())? {
            return match scalar {
                Scalar::String(text) => EventTime::parse_text(&text, TimeMode::Lenient),
                other => EventTime::parse_fractional(other.text(), TimeMode::Lenient),
            };
        }
        let missing = || Error::corrupt(format!("a row of the offline store has no {}", self.schema.event_time().name));
        self.micros(EVENT_TIME, row).and_then(EventTime::from_unix_micros).ok_or_else(missing)
    }

    /// When the row was stored; the beginning of time if that is unknown.
    pub fn write_time(&self, row: usize) -> Arrival {
        Arrival::from_micros(self.micros(WRITE_TIME, row).unwrap_or(0))
    }

    /// When the call that brought the row arrived.
    pub fn api_invocation_time(&self, row: usize) -> Arrival {
        Arrival::from_micros(self.micros(API_INVOCATION_TIME, row).unwrap_or(0))
    }

    /// True for a tombstone.
    pub fn is_deleted(&self, row: usize) -> bool {
        let column = self.batch.column_by_name(IS_DELETED).and_then(|column| column.as_boolean_opt());
        column.is_some_and(|column| column.is_valid(row) && column.value(row))
    }

    fn micros(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.batch.column_by_name(name)?.as_primitive_opt::<TimestampMicrosecondType>()?;
        column.is_valid(row).then(|| column.value(row))
    }
}

fn wrong_type(feature: &FeatureDefinition, found: &DataType) -> Error {
    Error::corrupt(format!("column '{}' of the offline store is {found}", feature.name))
        .why(format!("the feature is {}", feature.type_text()))
}

fn scalar_at(feature: &FeatureDefinition, column: &dyn Array, row: usize) -> Result<Scalar> {
    let scalar = match feature.feature_type {
        FeatureType::String => column.as_string_opt::<i32>().map(|texts| Scalar::String(texts.value(row).to_owned())),
        FeatureType::Integral => column.as_primitive_opt::<Int64Type>().map(|numbers| {
            let value = numbers.value(row);
            Scalar::Integral { text: value.to_string(), value }
        }),
        FeatureType::Fractional => column.as_primitive_opt::<Float64Type>().map(|numbers| {
            let value = numbers.value(row);
            Scalar::Fractional { text: format_fractional(value), value }
        }),
    };
    scalar.ok_or_else(|| wrong_type(feature, column.data_type()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;
    use crate::model::{Collection, FeatureName, RawValue};
    use arrow::array::{Float64Array, Int64Array, StringArray};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    fn feature(name: &str, feature_type: FeatureType, collection: Option<Collection>) -> FeatureDefinition {
        FeatureDefinition { collection, ..FeatureDefinition::new(FeatureName::parse(name).unwrap(), feature_type) }
    }

    fn schema(identifier: FeatureType) -> Schema {
        let features = vec![
            feature("id", identifier, None),
            feature("at", FeatureType::Fractional, None),
            feature("n", FeatureType::Integral, None),
            feature("tags", FeatureType::String, Some(Collection::Set)),
            feature("v", FeatureType::Fractional, Some(Collection::Vector { dimension: 2 })),
            feature("ns", FeatureType::Integral, Some(Collection::List)),
        ];
        Schema::new(features, "id", "at").unwrap()
    }

    fn row(schema: &Schema, raw: &[Option<RawValue>], arrival: u64, is_deleted: bool) -> OfflineRow {
        let values: Vec<Option<FeatureValue>> = schema
            .features()
            .iter()
            .zip(raw)
            .map(|(feature, raw)| raw.clone().map(|raw| FeatureValue::parse(feature, raw).unwrap()))
            .collect();
        let text = |at: usize| match &raw[at] {
            Some(RawValue::Text(text)) => text.clone(),
            other => panic!("{other:?}"),
        };
        let event_time = EventTime::parse_fractional(&text(1), TimeMode::Lenient).unwrap();
        OfflineRow { identifier: text(0), event_time, values, arrival: Arrival(arrival), is_deleted }
    }

    fn text(text: &str) -> Option<RawValue> {
        Some(RawValue::Text(text.into()))
    }

    fn list(texts: &[&str]) -> Option<RawValue> {
        Some(RawValue::List(texts.iter().map(|text| (*text).to_owned()).collect()))
    }

    #[test]
    fn records_come_back_as_they_went() {
        let schema = schema(FeatureType::Integral);
        let rows = [
            row(&schema, &[text("7"), text("1.5"), text("-3"), list(&["a", ""]), list(&["1.5", "-2.0"]), list(&[])], 10, false),
            row(&schema, &[text("7"), text("1.5"), None, None, None, None], 11, false),
            row(&schema, &[text("-10"), text("2"), text("9"), None, None, None], 12, true),
        ];
        let batch = rows_to_batch(&schema, &rows).unwrap();
        let reader = RowReader::new(&schema, &batch);
        assert_eq!((0..3).map(|row| reader.identifier(row).unwrap()).collect::<Vec<_>>(), ["-10", "7", "7"], "numeric order");
        assert_eq!(reader.values(1).unwrap(), rows[0].values);
        assert_eq!((reader.write_time(1), reader.write_time(2)), (Arrival(10), Arrival(11)), "ties keep their order of arrival");
        assert!(reader.is_deleted(0) && !reader.is_deleted(1));
        assert_eq!(reader.value(0, 2).unwrap(), None, "a tombstone has no features");
        assert_eq!(reader.event_time(0).unwrap(), EventTime::from_unix_seconds(2).unwrap());
    }

    #[test]
    fn a_tombstone_without_values_gets_its_keys_and_older_records_their_nulls() {
        let schema = schema(FeatureType::String);
        let event_time = EventTime::from_unix_micros(1_500_000).unwrap();
        let row = OfflineRow { identifier: "a".into(), event_time, values: vec![], arrival: Arrival(1), is_deleted: true };
        let batch = rows_to_batch(&schema, &[row]).unwrap();
        let reader = RowReader::new(&schema, &batch);
        assert_eq!((reader.identifier(0).unwrap().as_str(), reader.event_time(0).unwrap()), ("a", event_time));
        let long = OfflineRow { identifier: "a".into(), event_time, values: vec![None; 9], arrival: Arrival(1), is_deleted: false };
        assert_eq!(rows_to_batch(&schema, &[long]).unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[test]
    fn loads_are_sorted_stably_whatever_the_identifiers_look_like() {
        let mut random = StdRng::seed_from_u64(7);
        for round in 0..60 {
            let rows = random.random_range(0..200);
            let kind = FeatureType::ALL[round % 3];
            let features = vec![feature("id", kind, None), feature("at", FeatureType::Fractional, None)];
            let schema = Schema::new(features, "id", "at").unwrap();
            let numbers: Vec<i64> = (0..rows).map(|_| random.random_range(-5..5)).collect();
            let times: Vec<i64> = (0..rows).map(|_| random.random_range(-3..3)).collect();
            let prefix = ["", "customer_000000", "é"][round / 3 % 3];
            let ids: ArrayRef = match kind {
                FeatureType::Integral => Arc::new(Int64Array::from(numbers.clone())),
                FeatureType::Fractional => Arc::new(Float64Array::from_iter_values(numbers.iter().map(|n| *n as f64 / 2.0))),
                FeatureType::String => {
                    Arc::new(StringArray::from_iter_values(numbers.iter().map(|n| format!("{prefix}{}", "x".repeat((n + 5) as usize)))))
                }
            };
            // The event-time feature carries the input position, to be found again after the sort.
            let positions: ArrayRef = Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64)));
            let batch = RecordBatch::try_new(feature_schema(&schema), vec![ids, positions]).unwrap();
            let sorted = with_plumbing(&schema, &batch, &times, Arrival(9), Arrival(5)).unwrap();
            let found: Vec<usize> = sorted.column(1).as_primitive::<Float64Type>().values().iter().map(|value| *value as usize).collect();
            let mut expected: Vec<usize> = (0..rows).collect();
            expected.sort_by_key(|row| (numbers[*row], times[*row]));
            assert_eq!(found, expected, "round {round}");
        }
    }

    #[test]
    fn a_load_without_identifier_is_refused() {
        let features = vec![feature("id", FeatureType::String, None), feature("at", FeatureType::Fractional, None)];
        let schema = Schema::new(features, "id", "at").unwrap();
        let ids: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        let batch = RecordBatch::try_new(feature_schema(&schema), vec![ids, Arc::new(Float64Array::from(vec![1.0, 2.0]))]).unwrap();
        let error = with_plumbing(&schema, &batch, &[1, 2], Arrival(1), Arrival(1)).unwrap_err();
        assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("row 1"), "{error}");
    }
}
