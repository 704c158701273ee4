//! What the contest needs of a group, read file by file: identifiers, times and delete markers.
//!
//! In a table of ours the event time is `__event_time`, and what the log says to be one value throughout a file (the write
//! time of a bulk load, "nothing is deleted") is not read at all. Somebody else's files have nothing but an identifier and
//! an event time of their own types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, SchemaRef};

use super::file::{GroupFile, Wanted};
use super::identifiers::IdentifierKind;
use super::slots::{Column, Place, Records, RowNumbers};
use crate::backend::offline::bounds::FileStatistics;
use crate::backend::offline::columns::{API_INVOCATION_TIME, IS_DELETED, WRITE_TIME};
use crate::backend::offline::{Bound, ColumnBounds};
use crate::dataset::instants::{holds_instants, instants};
use crate::dataset::scan::{ScanFile, SharedScan};
use crate::model::{Error, Result};

/// Which columns of a group decide the contest.
#[derive(Debug, Clone)]
pub(super) struct KeyColumns {
    pub(super) kind: IdentifierKind,
    pub(super) identifier: String,
    pub(super) event_time: String,
    identifier_field: Arc<Field>,
    dictionary_field: Arc<Field>,
    event_time_field: Arc<Field>,
    /// True for a table of ours.
    pub(super) knows_arrivals: bool,
}

impl KeyColumns {
    /// The columns of a group.
    ///
    /// # Errors
    /// `Invalid` if an external group's columns can't be what the group says they are.
    pub(super) fn of(scan: &SharedScan) -> Result<Self> {
        let kind = IdentifierKind::of(&scan.group().schema);
        let schema: &SchemaRef = scan.schema();
        let identifier = schema.field(scan.identifier);
        let event_time = schema.field(scan.instant.unwrap_or(scan.event_time));
        let misfit = |field: &Field, role: &str| {
            Error::invalid(format!("column '{}' of '{}' can't be its {role}", field.name(), scan.group().name))
                .why(format!("it is {}", field.data_type()))
                .remedy("make the group anew with another column")
        };
        if !kind.accepts(identifier.data_type()) {
            return Err(misfit(identifier, "record identifier"));
        }
        if !holds_instants(event_time.data_type()) {
            return Err(misfit(event_time, "event time"));
        }
        let identifier_as = |is_dictionary| {
            let data_type = kind.read_as(identifier.data_type(), is_dictionary);
            Arc::new(Field::new(identifier.name(), data_type, true))
        };
        Ok(Self {
            kind,
            identifier: identifier.name().clone(),
            event_time: event_time.name().clone(),
            identifier_field: identifier_as(false),
            dictionary_field: identifier_as(true),
            event_time_field: Arc::new(event_time.clone()),
            knows_arrivals: scan.instant.is_some(),
        })
    }

    /// What has to be read of a file.
    pub(super) fn of_file(&self, scan: &SharedScan, file: &ScanFile) -> FileKeys {
        let mut wanted = vec![Wanted { field: self.identifier_field.clone() }, Wanted { field: self.event_time_field.clone() }];
        if !self.knows_arrivals {
            return FileKeys { wanted, invoked: Source::Same(i64::MIN), written: Source::Same(i64::MIN), deleted: Source::Same(false) };
        }
        let known = file.statistics();
        let mut read = |name: &str| {
            let field = scan.schema().field_with_name(name).ok()?;
            wanted.push(Wanted { field: Arc::new(field.clone()) });
            Some(wanted.len() - 1)
        };
        let mut time = |name: &str| match only_value(known, name) {
            Some(Bound::Micros(micros)) => Source::Same(*micros),
            _ => read(name).map_or(Source::Same(i64::MIN), Source::Column),
        };
        let (invoked, written) = (time(API_INVOCATION_TIME), time(WRITE_TIME));
        let deleted = match only_value(known, IS_DELETED) {
            Some(Bound::Bool(deleted)) => Source::Same(*deleted),
            _ => read(IS_DELETED).map_or(Source::Same(false), Source::Column),
        };
        FileKeys { wanted, invoked, written, deleted }
    }

    /// The columns of a file's keys for one row group, in the types that its encoding suggests.
    pub(super) fn wanted_of(&self, keys: &FileKeys, file: &GroupFile, row_group: usize) -> Vec<Wanted> {
        let mut wanted = keys.wanted.clone();
        if file.refers_to_dictionary(row_group, &self.identifier) {
            wanted[0].field = self.dictionary_field.clone();
        }
        wanted
    }

    /// The rows that are in no file, as records of the file after the last.
    pub(super) fn of_unflushed(&self, scan: &SharedScan) -> Result<Records> {
        let rows = scan.unflushed();
        let column = |name: &str| rows.column_by_name(name).cloned();
        let mut columns: Vec<ArrayRef> =
            vec![rows.column(scan.identifier).clone(), rows.column(scan.instant.unwrap_or(scan.event_time)).clone()];
        let mut source = |name: &str| match column(name) {
            Some(found) => {
                columns.push(found);
                Source::Column(columns.len() - 1)
            }
            None => Source::Same(i64::MIN),
        };
        let (invoked, written) = (source(API_INVOCATION_TIME), source(WRITE_TIME));
        let deleted = match column(IS_DELETED) {
            Some(found) => {
                columns.push(found);
                Source::Column(columns.len() - 1)
            }
            None => Source::Same(false),
        };
        let keys = FileKeys { wanted: Vec::new(), invoked, written, deleted };
        keys.records(self.kind, &columns, scan.files().len(), RowNumbers::From(0))
    }
}

/// The one value of a column that has neither nulls nor a second value.
fn only_value<'a>(known: Option<&'a FileStatistics>, name: &str) -> Option<&'a Bound> {
    match known?.columns.get(name)? {
        ColumnBounds { min: Some(min), max: Some(max), nulls: Some(0) } if min == max => Some(min),
        _ => None,
    }
}

/// Where a value of each row comes from.
#[derive(Debug, Clone, Copy)]
enum Source<T> {
    Same(T),
    Column(usize),
}

/// What is read of one file.
#[derive(Debug, Clone)]
pub(super) struct FileKeys {
    wanted: Vec<Wanted>,
    invoked: Source<i64>,
    written: Source<i64>,
    deleted: Source<bool>,
}

impl FileKeys {
    /// Turns a batch of the wanted columns into records.
    pub(super) fn batch(&self, kind: IdentifierKind, batch: &RecordBatch, file: usize, rows: RowNumbers) -> Result<Records> {
        self.records(kind, batch.columns(), file, rows)
    }

    fn records(&self, kind: IdentifierKind, columns: &[ArrayRef], file: usize, rows: RowNumbers) -> Result<Records> {
        let unreadable = |error| Error::internal("identifiers and times of a group can't be read").source(error);
        let time = |source: Source<i64>| match source {
            Source::Same(value) => Column::Constant(value),
            Source::Column(position) => Column::of_times(&as_micros(&columns[position])),
        };
        Ok(Records {
            identifiers: kind.read(&columns[0]).map_err(unreadable)?,
            events: instants(&columns[1]).map_err(unreadable)?.micros,
            invoked: time(self.invoked),
            written: time(self.written),
            deleted: match self.deleted {
                Source::Same(value) => Column::Constant(value),
                Source::Column(position) => columns[position].as_boolean_opt().map_or(Column::Constant(false), Column::of_markers),
            },
            file,
            rows,
        })
    }
}

/// Our own timestamps, which are microseconds.
fn as_micros(times: &ArrayRef) -> Int64Array {
    let cast = arrow::compute::cast(times, &DataType::Int64).ok();
    cast.and_then(|times| times.as_primitive_opt::<Int64Type>().cloned()).unwrap_or_else(|| Int64Array::new_null(times.len()))
}

/// Refuses what places can't number.
pub(super) fn check_limits(scan: &SharedScan, files: &[Option<GroupFile>]) -> Result<()> {
    let longest = files.iter().flatten().map(|file| file.rows(0).start + file.metadata().file_metadata().num_rows().unsigned_abs()).max();
    if scan.files().len() > Place::MAX_FILES || longest.is_some_and(|rows| rows > Place::MAX_ROWS) {
        return Err(Error::invalid(format!("'{}' has more files or rows than a join can tell apart", scan.group().name)).remedy(format!(
            "compact it: at most {} files of {} rows",
            Place::MAX_FILES,
            Place::MAX_ROWS
        )));
    }
    Ok(())
}
