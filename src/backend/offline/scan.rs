//! Reading rows of a table directly, without an SQL engine: for the history of one record and for rebuilds.
//!
//! Three sieves, each cheaper than what it saves: files by the bounds in the log, row groups by the statistics in
//! the footer, rows by a filter that decodes only the identifier and the event time before anything else. Each batch
//! says which file it is from and which rows of it, so that the order inside a file (the tie breaker of a load) can be
//! told. The iterator blocks: call it from a thread that may.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Datum, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray, new_null_array,
};
use arrow::compute;
use arrow::compute::kernels::cmp;
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, Schema as ArrowSchema, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use object_store::path::Path;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{
    ArrowPredicate, ArrowPredicateFn, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowFilter,
};
use parquet::arrow::{ProjectionMask, RowNumber};
use parquet::errors::ParquetError;
use tokio::runtime::Handle;

use super::bounds::{Bound, ColumnBounds};
use super::columns::EVENT_TIME;
use super::table::TableSnapshot;
use super::{DataFile, FileBytes, Home, OfflineStore};
use crate::model::{Error, ErrorKind, Result};

/// Rows decoded at once.
const BATCH_ROWS: usize = 8_192;
/// Name of the column of row positions while a file is read; no feature can have it.
const POSITION: &str = "__row";

/// Which rows are wanted. Everything by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Predicate {
    /// Rows of this record identifier, as text.
    pub identifier: Option<String>,
    /// Rows of this event time or later: microseconds since 1970.
    pub from: Option<i64>,
    /// Rows of this event time or earlier.
    pub to: Option<i64>,
}

/// Rows of one file.
#[derive(Debug, Clone)]
pub struct ScannedBatch {
    /// The file, relative to the data folder.
    pub file: Arc<str>,
    /// Position in the file of each row.
    pub positions: Int64Array,
    /// The rows, with the columns that were asked for.
    pub batch: RecordBatch,
}

impl OfflineStore {
    /// Reads the rows of a snapshot that match. `projection` names columns of the table, ignoring case; none means all
    /// in the table's order. A column that an older file lacks is null there.
    pub fn scan(&self, snapshot: &TableSnapshot, projection: Option<&[String]>, predicate: &Predicate) -> Result<Scan> {
        let schema = projected(snapshot.schema(), projection)?;
        let sieve = Arc::new(Sieve::new(snapshot, predicate)?);
        let mut files = VecDeque::new();
        for file in snapshot.files().iter().filter(|file| sieve.may_hold(file)) {
            files.push_back((Arc::from(file.path.as_str()), snapshot.folder().data_file(&file.path), file.size));
        }
        Ok(Scan { schema, sieve, files, open: None, home: self.existing_disk()?.cloned(), runtime: Handle::try_current().ok() })
    }
}

fn projected(schema: &SchemaRef, projection: Option<&[String]>) -> Result<SchemaRef> {
    let Some(names) = projection else { return Ok(schema.clone()) };
    let mut fields = Vec::with_capacity(names.len());
    for name in names {
        match schema.fields().iter().find(|field| field.name().eq_ignore_ascii_case(name)) {
            Some(field) => fields.push(field.clone()),
            None => return Err(Error::not_found(format!("the table has no column '{}'", name.escape_debug()))),
        }
    }
    Ok(Arc::new(ArrowSchema::new(fields)))
}

/// The predicate in the types of the table's columns.
struct Sieve {
    identifier: Option<(String, Bound)>,
    /// True if the identifier asked for cannot be one of this table's type: no row has it.
    nothing: bool,
    from: Option<i64>,
    to: Option<i64>,
}

impl Sieve {
    fn new(snapshot: &TableSnapshot, predicate: &Predicate) -> Result<Self> {
        let mut sieve = Self { identifier: None, nothing: false, from: predicate.from, to: predicate.to };
        let Some(text) = &predicate.identifier else { return Ok(sieve) };
        let name = snapshot.identifier();
        let field = snapshot.schema().field_with_name(name).map_err(|error| {
            Error::corrupt(format!("the offline table has no column '{name}'")).source(error).remedy("run `larder doctor`")
        })?;
        let bound = match field.data_type() {
            DataType::Int64 => text.parse().ok().map(Bound::Int),
            DataType::Float64 => text.parse().ok().filter(|value: &f64| value.is_finite()).map(Bound::Float),
            DataType::Utf8 => Some(Bound::Text(text.clone())),
            other => return Err(Error::corrupt(format!("the record identifier's column '{name}' is {other}"))),
        };
        sieve.nothing = bound.is_none();
        sieve.identifier = bound.map(|bound| (name.to_owned(), bound));
        Ok(sieve)
    }

    fn may_hold(&self, file: &DataFile) -> bool {
        if self.nothing {
            return false;
        }
        let by_identifier = self.identifier.as_ref().and_then(|(name, value)| Some(file.bounds(name)?.may_hold(value)));
        by_identifier.unwrap_or(true) && file.bounds(EVENT_TIME).is_none_or(|bounds| self.in_time(bounds))
    }

    fn in_time(&self, bounds: &ColumnBounds) -> bool {
        bounds.may_overlap(self.from.map(Bound::Micros).as_ref(), self.to.map(Bound::Micros).as_ref())
    }

    /// Row groups whose statistics allow a match; one without statistics is read.
    fn row_groups(&self, builder: &ParquetRecordBatchReaderBuilder<FileBytes>) -> Vec<usize> {
        let groups = builder.metadata().row_groups();
        let ranges = |name: &str| -> Option<(ArrayRef, ArrayRef)> {
            let converter = StatisticsConverter::try_new(name, builder.schema(), builder.parquet_schema()).ok()?;
            Some((converter.row_group_mins(groups).ok()?, converter.row_group_maxes(groups).ok()?))
        };
        let identifier = self.identifier.as_ref().and_then(|(name, value)| Some((ranges(name)?, value)));
        let time = (self.from.is_some() || self.to.is_some()).then(|| ranges(EVENT_TIME)).flatten();
        let bounds = |ranges: &(ArrayRef, ArrayRef), group| ColumnBounds {
            min: bound_at(&ranges.0, group),
            max: bound_at(&ranges.1, group),
            nulls: None,
        };
        (0..groups.len())
            .filter(|group| identifier.as_ref().is_none_or(|(ranges, value)| bounds(ranges, *group).may_hold(value)))
            .filter(|group| time.as_ref().is_none_or(|ranges| self.in_time(&bounds(ranges, *group))))
            .collect()
    }

    /// The filter of rows; none if every row is wanted.
    fn row_filter(&self, builder: &ParquetRecordBatchReaderBuilder<FileBytes>) -> Option<RowFilter> {
        let mut predicates: Vec<Box<dyn ArrowPredicate>> = Vec::new();
        if let Some((name, value)) = self.identifier.clone() {
            let mask = ProjectionMask::columns(builder.parquet_schema(), [name.as_str()]);
            predicates.push(Box::new(ArrowPredicateFn::new(mask, move |batch| match batch.column_by_name(&name) {
                Some(column) => equals(column, &value),
                // A file without the identifier's column has no record.
                None => Ok(BooleanArray::from(vec![false; batch.num_rows()])),
            })));
        }
        if self.from.is_some() || self.to.is_some() {
            let mask = ProjectionMask::columns(builder.parquet_schema(), [EVENT_TIME]);
            let (from, to) = (self.from.unwrap_or(i64::MIN), self.to.unwrap_or(i64::MAX));
            predicates.push(Box::new(ArrowPredicateFn::new(mask, move |batch| {
                let times = batch.column_by_name(EVENT_TIME).and_then(|column| column.as_primitive_opt::<TimestampMicrosecondType>());
                Ok(match times {
                    Some(times) => times.iter().map(|time| Some(time.is_some_and(|time| (from..=to).contains(&time)))).collect(),
                    None => BooleanArray::from(vec![false; batch.num_rows()]),
                })
            })));
        }
        (!predicates.is_empty()).then(|| RowFilter::new(predicates))
    }
}

/// A value as a bound; none if it is null.
pub(super) fn bound_at(values: &ArrayRef, row: usize) -> Option<Bound> {
    if values.is_null(row) {
        return None;
    }
    match values.data_type() {
        DataType::Int64 => Some(Bound::Int(values.as_primitive::<Int64Type>().value(row))),
        DataType::Float64 => Some(Bound::Float(values.as_primitive::<arrow::datatypes::Float64Type>().value(row))),
        DataType::Utf8 => Some(Bound::Text(values.as_string::<i32>().value(row).to_owned())),
        _ => values.as_primitive_opt::<TimestampMicrosecondType>().map(|values| Bound::Micros(values.value(row))),
    }
}

fn equals(column: &dyn Array, value: &Bound) -> std::result::Result<BooleanArray, ArrowError> {
    let scalar: Box<dyn Datum> = match value {
        Bound::Int(value) => Box::new(Int64Array::new_scalar(*value)),
        Bound::Float(value) => Box::new(Float64Array::new_scalar(*value)),
        Bound::Text(text) => Box::new(StringArray::new_scalar(text)),
        Bound::Bool(_) | Bound::Micros(_) => return Ok(BooleanArray::from(vec![false; column.len()])),
    };
    let found = cmp::eq(&column, scalar.as_ref())?;
    // A null is no match; the reader wants an answer for every row.
    Ok(if found.null_count() == 0 { found } else { compute::prep_null_mask_filter(&found) })
}

/// A file that is gone was in the table when the snapshot was taken.
fn gone(name: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("{name} is gone"))
        .why("it was compacted or dropped meanwhile")
        .remedy("run the command again; if it fails again, `larder doctor` says what is missing")
}

/// True if a bucket said that it has no such object.
fn is_missing(error: &ParquetError) -> bool {
    let ParquetError::External(error) = error else { return false };
    matches!(error.downcast_ref::<object_store::Error>(), Some(object_store::Error::NotFound { .. }))
}

/// Brings a file's batch into columns of the table; one that the file lacks is null.
pub(super) fn conformed(schema: &SchemaRef, path: &str, found: &RecordBatch) -> Result<RecordBatch> {
    let fault =
        |error: ArrowError| Error::corrupt(format!("data file {path} does not fit its table")).source(error).remedy("run `larder doctor`");
    let rows = found.num_rows();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        columns.push(match found.column_by_name(field.name()) {
            None => new_null_array(field.data_type(), rows),
            Some(column) if column.data_type() == field.data_type() => column.clone(),
            Some(column) => compute::cast(column, field.data_type()).map_err(fault)?,
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(fault)
}

/// Rows of a snapshot, file by file.
pub struct Scan {
    schema: SchemaRef,
    sieve: Arc<Sieve>,
    files: VecDeque<(Arc<str>, Path, u64)>,
    home: Option<Home>,
    runtime: Option<Handle>,
    open: Option<OpenFile>,
}

struct OpenFile {
    path: Arc<str>,
    reader: ParquetRecordBatchReader,
}

impl Scan {
    /// Columns of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn open_file(&self, path: Arc<str>, location: &Path, size: u64) -> Result<OpenFile> {
        let fault = |error: ParquetError| {
            if is_missing(&error) {
                return gone(&path);
            }
            Error::corrupt(format!("data file {path} can't be read"))
                .source(error)
                .remedy("run `larder doctor`; restore that file from a backup")
        };
        let home = self.home.as_ref().ok_or_else(|| gone(&path))?;
        let file = home.open_file(location, size, self.runtime.as_ref()).map_err(|error| match error.kind() {
            ErrorKind::NotFound => gone(&path),
            _ => error,
        })?;
        let position: FieldRef = Arc::new(Field::new(POSITION, DataType::Int64, false).with_extension_type(RowNumber));
        let options = ArrowReaderOptions::new().with_virtual_columns(vec![position]).map_err(fault)?;
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(fault)?;
        let names: Vec<&str> = self.schema.fields().iter().map(|field| field.name().as_str()).collect();
        let mask = ProjectionMask::columns(builder.parquet_schema(), names);
        let groups = self.sieve.row_groups(&builder);
        let filter = self.sieve.row_filter(&builder);
        let mut builder = builder.with_projection(mask).with_row_groups(groups).with_batch_size(BATCH_ROWS);
        if let Some(filter) = filter {
            builder = builder.with_row_filter(filter);
        }
        let reader = builder.build().map_err(fault)?;
        Ok(OpenFile { path, reader })
    }

    /// Brings a file's batch into the columns that were asked for.
    fn conform(&self, path: &Arc<str>, found: &RecordBatch) -> Result<ScannedBatch> {
        let batch = conformed(&self.schema, path, found)?;
        let positions = found.column_by_name(POSITION).and_then(|column| column.as_primitive_opt::<Int64Type>()).cloned();
        let positions = positions.ok_or_else(|| Error::internal("a scan lost the positions of its rows"))?;
        Ok(ScannedBatch { file: path.clone(), positions, batch })
    }

    fn advance(&mut self) -> Result<Option<ScannedBatch>> {
        loop {
            if let Some(open) = &mut self.open {
                if let Some(found) = open.reader.next() {
                    let path = open.path.clone();
                    let found = found.map_err(|error| {
                        Error::corrupt(format!("data file {path} can't be read"))
                            .source(error)
                            .remedy("run `larder doctor`; restore that file from a backup")
                    })?;
                    return self.conform(&path, &found).map(Some);
                }
                self.open = None;
            }
            let Some((path, location, size)) = self.files.pop_front() else { return Ok(None) };
            self.open = Some(self.open_file(path, &location, size)?);
        }
    }
}

impl Iterator for Scan {
    type Item = Result<ScannedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let advanced = self.advance();
        if advanced.is_err() {
            // After an error there is nothing more to trust.
            self.files.clear();
            self.open = None;
        }
        advanced.transpose()
    }
}
