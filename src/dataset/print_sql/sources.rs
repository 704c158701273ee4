//! Where rows come from: the Parquet files of a snapshot, each with what stands in it, or a table by its name.
//!
//! Each file is a part of its own: a later file is newer, and a file that was written before a feature was added has no
//! column of it. What a column is, is told by the file's own types, not by what our writer noted beside them: other
//! engines don't read that.

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::metadata::ParquetMetaData;
use tokio::runtime::Handle;

use super::SqlDialect;
use crate::dataset::GroupScan;
use crate::dataset::point_in_time::JoinWatch;
use crate::dataset::point_in_time::file::{GroupFile, Objects};
use crate::dataset::point_in_time::parallel::in_parallel;
use crate::dataset::scan::position_of;
use crate::model::{Error, Result};

/// Files whose columns are read at once.
const PARALLEL: usize = 8;

/// Where rows come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Parquet files, the newest last.
    Files(Vec<SourceFile>),
    /// A table that the engine's catalog knows.
    Table {
        /// Its name, after that of its schema if there is one.
        name: Vec<String>,
        /// Its columns.
        columns: SchemaRef,
    },
}

/// A Parquet file.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// An absolute path, or a URL.
    pub location: String,
    /// Its columns as any reader sees them.
    pub columns: SchemaRef,
}

impl SourceFile {
    /// A file with what its footer says.
    ///
    /// # Errors
    /// Invalid for a location that engines would take for a pattern.
    pub fn new(location: String, footer: &ParquetMetaData) -> Result<Self> {
        Self::with_columns(location, columns_of(footer)?)
    }

    /// A file with known columns.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_columns(location: String, columns: SchemaRef) -> Result<Self> {
        if location.contains(|letter: char| letter.is_control() || "*?[]{}\\`".contains(letter)) {
            return Err(Error::invalid(format!("'{}' can't be named in SQL", location.escape_debug()))
                .why("engines read such characters of a path as a pattern")
                .remedy("move it to a folder of another name"));
        }
        Ok(Self { location, columns })
    }
}

fn columns_of(footer: &ParquetMetaData) -> Result<SchemaRef> {
    let schema = parquet_to_arrow_schema(footer.file_metadata().schema_descr(), None);
    schema.map(Arc::new).map_err(|error| Error::invalid("a Parquet file has columns of unknown types").source(error))
}

/// The columns that stand in each file of a snapshot; blocks.
pub fn stored_columns(scan: &GroupScan, runtime: &Handle) -> Result<Vec<SchemaRef>> {
    let objects = Objects { store: scan.store.clone(), runtime: runtime.clone() };
    let mut found = in_parallel(PARALLEL, scan.files.len(), &JoinWatch::default(), Vec::new, |found, number| {
        let file = GroupFile::open(&objects, scan.files[number].object())?;
        found.push((number, columns_of(file.metadata())?));
        Ok(())
    })?
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    found.sort_by_key(|(number, _)| *number);
    Ok(found.into_iter().map(|(_, columns)| columns).collect())
}

impl Source {
    /// The parts, each printed, as one.
    pub(super) fn arms(&self, print: impl Fn(&Arm<'_>) -> Result<String>) -> Result<String> {
        let arms: Vec<Arm<'_>> = match self {
            Self::Files(files) if files.is_empty() => vec![Arm::Nothing],
            Self::Files(files) => files.iter().enumerate().map(|(number, file)| Arm::File { number, file }).collect(),
            Self::Table { name, columns } => vec![Arm::Table { name, columns }],
        };
        let printed: Vec<String> = arms.iter().map(print).collect::<Result<_>>()?;
        Ok(printed.join("\nUNION ALL\n"))
    }
}

/// One part of a source.
pub(super) enum Arm<'a> {
    File {
        number: usize,
        file: &'a SourceFile,
    },
    Table {
        name: &'a [String],
        columns: &'a Schema,
    },
    /// No rows at all.
    Nothing,
}

impl Arm<'_> {
    /// The type of a column, if there is such a column.
    pub(super) fn type_of(&self, column: &str) -> Option<&DataType> {
        let columns: &Schema = match self {
            Self::File { file, .. } => &file.columns,
            Self::Table { columns, .. } => columns,
            Self::Nothing => return None,
        };
        position_of(columns, column).map(|position| columns.field(position).data_type())
    }

    /// A column by its name, or nulls under that name.
    pub(super) fn column_or_null(&self, dialect: SqlDialect, column: &str, data_type: &DataType) -> String {
        let name = dialect.name(column);
        match (self.type_of(column), dialect.type_of(data_type)) {
            (Some(_), _) => name,
            (None, Some(data_type)) => format!("CAST(NULL AS {data_type}) AS {name}"),
            // Another file says the type.
            (None, None) => format!("NULL AS {name}"),
        }
    }

    /// A column of ours by its name, or what stands for it where there is no file.
    pub(super) fn plumbing(&self, dialect: SqlDialect, column: &str, missing: &str) -> String {
        if self.type_of(column).is_some() { dialect.name(column) } else { missing.to_owned() }
    }

    /// Numbers of the file and of the row in it, where the engine tells them.
    pub(super) fn place(&self, dialect: SqlDialect) -> Option<(usize, &'static str)> {
        match (self, dialect) {
            (_, SqlDialect::Trino) => None,
            (Self::File { number, .. }, SqlDialect::DuckDb) => Some((*number, "file_row_number")),
            (Self::File { number, .. }, SqlDialect::Spark) => Some((*number, "_metadata.row_index")),
            _ => Some((0, "CAST(0 AS BIGINT)")),
        }
    }

    /// What stands behind FROM.
    pub(super) fn from(&self, dialect: SqlDialect) -> String {
        match (self, dialect) {
            (Self::File { file, .. }, SqlDialect::Spark) => format!("parquet.{}", dialect.name(&file.location)),
            (Self::File { file, .. }, _) => {
                format!("read_parquet({}, file_row_number = true, hive_partitioning = false)", dialect.text(&file.location))
            }
            (Self::Table { name, .. }, _) => name.iter().map(|part| dialect.name(part)).collect::<Vec<_>>().join("."),
            (Self::Nothing, _) => "(SELECT 1 AS nothing) AS no_file WHERE 1 = 0".to_owned(),
        }
    }
}
