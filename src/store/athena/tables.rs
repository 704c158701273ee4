//! Tables that Athena's clients make over files of their own: kept in the store's folder, so that every later statement of
//! every process finds them.
//!
//! ```text
//! <store>/athena/<database>/<table>.json
//! ```
//!
//! A table is its definition; dropping it leaves the files, as Hive's external tables do.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};

use super::rows::UploadedRows;
use super::statement::{CreateTable, TableName};
use crate::backend::offline::durable::sync_folder;
use crate::dataset::FrameRows;
use crate::model::group::GLUE_DATABASE;
use crate::model::{Error, ErrorKind, EventTime, Result};
use crate::store::FeatureStore;
use crate::store::objects::Bucket;

const FOLDER: &str = "athena";

/// How the files of a table are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Format {
    /// Lines of fields.
    Csv(Csv),
    /// Parquet.
    Parquet,
}

/// How lines are split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Csv {
    pub(super) separator: char,
    /// None where fields are never quoted.
    pub(super) quote: Option<char>,
    pub(super) escape: Option<char>,
    /// What stands for null in every type; none for Hive's CSV reader, where only an empty number is null.
    pub(super) null: Option<String>,
    /// Lines before the first row.
    pub(super) skipped: usize,
}

/// A table's definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HiveTable {
    pub(super) database: String,
    pub(super) table: String,
    /// Names and Hive's types.
    pub(super) columns: Vec<(String, String)>,
    pub(super) format: Format,
    pub(super) bucket: String,
    /// What the keys of its files begin with, ending in a slash unless empty.
    pub(super) prefix: String,
    pub(super) created: EventTime,
}

impl HiveTable {
    pub(super) fn of(made: &CreateTable, current: &str, created: EventTime) -> Result<Self> {
        let (bucket, prefix) = location(&made.location)?;
        let table = Self {
            database: made.database.clone().unwrap_or_else(|| current.to_lowercase()),
            table: made.table.clone(),
            columns: made.columns.clone(),
            format: format(made)?,
            bucket,
            prefix,
            created,
        };
        table.schema()?;
        Ok(table)
    }

    /// Columns as they are read.
    ///
    /// # Errors
    /// Usage for a type that is not read here.
    pub(super) fn schema(&self) -> Result<SchemaRef> {
        let field = |(name, data_type): &(String, String)| {
            let data_type = arrow_type(data_type).ok_or_else(|| {
                Error::usage(format!("column '{name}' has type {data_type}"))
                    .why("it is not supported")
                    .remedy("use boolean, tinyint, smallint, int, bigint, float, double, decimal, string, varchar, char, date or timestamp")
            })?;
            Ok(Field::new(name, data_type, true))
        };
        Ok(Arc::new(Schema::new(self.columns.iter().map(field).collect::<Result<Vec<_>>>()?)))
    }

    /// Where its files lie.
    pub(super) fn location(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }
}

/// Bucket and prefix of a location.
fn location(uri: &str) -> Result<(String, String)> {
    let fault = || Error::usage(format!("'{}' is no location", uri.escape_debug())).remedy("write it like s3://bucket/folder/");
    let rest = uri.strip_prefix("s3://").or_else(|| uri.strip_prefix("s3a://")).ok_or_else(fault)?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let bucket = Bucket::parse(bucket).map_err(|_| fault())?;
    let prefix = if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") };
    Ok((bucket.to_string(), prefix))
}

fn arrow_type(hive: &str) -> Option<DataType> {
    let (name, arguments) = hive.split_once('(').map_or((hive, ""), |(name, rest)| (name, rest.trim_end_matches(')')));
    Some(match name {
        "boolean" => DataType::Boolean,
        "tinyint" => DataType::Int8,
        "smallint" => DataType::Int16,
        "int" | "integer" => DataType::Int32,
        "bigint" => DataType::Int64,
        "float" | "real" => DataType::Float32,
        "double" => DataType::Float64,
        "string" | "varchar" | "char" => DataType::Utf8,
        "date" => DataType::Date32,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "decimal" => {
            let mut numbers = arguments.split(',').map(str::trim);
            let precision = numbers.next().filter(|text| !text.is_empty()).map_or(Some(10), |text| text.parse().ok())?;
            let scale = numbers.next().map_or(Some(0), |text| text.parse().ok())?;
            if !(1..=38).contains(&precision) || !(0..=i8::try_from(precision).ok()?).contains(&scale) {
                return None;
            }
            DataType::Decimal128(precision, scale)
        }
        _ => return None,
    })
}

fn format(made: &CreateTable) -> Result<Format> {
    let property = |properties: &[(String, String)], name: &str| {
        properties.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    let serde = made.serde.as_deref().map(|class| class.rsplit('.').next().unwrap_or(class).to_ascii_lowercase());
    let stored = made.stored_as.as_deref();
    if stored == Some("parquet") || serde.as_deref() == Some("parquethiveserde") {
        return Ok(Format::Parquet);
    }
    if !matches!(stored, None | Some("textfile")) {
        return Err(Error::usage(format!("files stored as {} are not read", stored.unwrap_or_default())).remedy("use Parquet or CSV"));
    }
    let skipped = property(&made.properties, "skip.header.line.count").and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let said = |name: &str, usual: char| -> Result<char> {
        let Some(text) = property(&made.serde_properties, name) else { return Ok(usual) };
        match text.chars().next() {
            Some(letter) if letter.is_ascii() => Ok(letter),
            _ => Err(Error::usage(format!("{name} is no single ASCII letter"))),
        }
    };
    let csv = match serde.as_deref() {
        Some("opencsvserde") => {
            let (separator, quote, escape) = (said("separatorChar", ',')?, said("quoteChar", '"')?, said("escapeChar", '\\')?);
            if quote == '`' && made.table.starts_with("dataframe_") {
                // AWS's client uploads what pandas writes, quoted by the standard, and declares another quote. Its own reader
                // then breaks rows at commas within texts; here they are read as they were written.
                Csv { separator, quote: Some('"'), escape: None, null: None, skipped }
            } else {
                Csv { separator, quote: Some(quote), escape: Some(escape), null: None, skipped }
            }
        }
        None | Some("lazysimpleserde") => {
            let separator = if property(&made.serde_properties, "field.delim").is_some() { "field.delim" } else { "serialization.format" };
            let escape = property(&made.serde_properties, "escape.delim").and_then(|text| text.chars().next());
            let null = property(&made.serde_properties, "serialization.null.format").unwrap_or_else(|| "\\N".to_owned());
            Csv { separator: said(separator, '\u{1}')?, quote: None, escape: escape.filter(char::is_ascii), null: Some(null), skipped }
        }
        Some(other) => {
            return Err(Error::usage(format!("the reader {other} is not known")).remedy("use OpenCSVSerde, LazySimpleSerDe or Parquet"));
        }
    };
    Ok(Format::Csv(csv))
}

impl FeatureStore {
    fn uploaded_folder(&self, database: &str) -> PathBuf {
        self.folder().join(FOLDER).join(database)
    }

    /// Keeps a table.
    ///
    /// # Errors
    /// `AlreadyExists`.
    pub(super) fn create_uploaded(&self, table: &HiveTable) -> Result<()> {
        self.check_writable()?;
        let folder = self.uploaded_folder(&table.database);
        let path = folder.join(format!("{}.json", table.table));
        let fault = |error| Error::io(format!("can't write {}", path.display()), error);
        fs::create_dir_all(&folder).map_err(fault)?;
        let text = serde_json::to_vec_pretty(table).map_err(|error| Error::internal("can't encode a table").source(error))?;
        let staged = folder.join(format!("{}.{}.part", table.table, uuid::Uuid::now_v7().simple()));
        let written =
            fs::write(&staged, text).and_then(|()| fs::File::open(&staged)?.sync_all()).and_then(|()| fs::hard_link(&staged, &path));
        let _ = fs::remove_file(&staged);
        match written {
            Ok(()) => sync_folder(&folder).map_err(fault),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::new(ErrorKind::AlreadyExists, format!("table {}.{} exists already", table.database, table.table))
                    .remedy("drop it first, or name it otherwise"))
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// Forgets a table; returns false if there was none.
    pub(super) fn drop_uploaded(&self, name: &TableName, current: &str) -> Result<bool> {
        self.check_writable()?;
        let folder = self.uploaded_folder(name.database.as_deref().unwrap_or(&current.to_lowercase()));
        let path = folder.join(format!("{}.json", name.table));
        match fs::remove_file(&path).and_then(|()| sync_folder(&folder)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io(format!("can't remove {}", path.display()), error)),
        }
    }

    /// Finds a table; names are in lower case, and come from statements: what could leave the folder is no table's.
    pub(super) fn find_uploaded(&self, database: &str, table: &str) -> Result<Option<HiveTable>> {
        let is_name =
            |name: &str| !name.is_empty() && name.len() <= 255 && name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        if !is_name(database) || !is_name(table) {
            return Ok(None);
        }
        let path = self.uploaded_folder(database).join(format!("{table}.json"));
        match fs::read(&path) {
            Ok(text) => {
                let read = serde_json::from_slice(&text);
                read.map(Some).map_err(|error| Error::corrupt(format!("can't read {}", path.display())).source(error))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(format!("can't read {}", path.display()), error)),
        }
    }

    /// All tables of a database, by name.
    pub(super) fn uploaded_tables(&self, database: &str) -> Result<Vec<HiveTable>> {
        let mut names: Vec<String> = match fs::read_dir(self.uploaded_folder(&database.to_lowercase())) {
            Ok(entries) => {
                entries.flatten().filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned())).collect()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(Error::io("can't read the folder of uploaded tables", error)),
        };
        names.sort();
        names.iter().filter_map(|name| self.find_uploaded(&database.to_lowercase(), name).transpose()).collect()
    }

    /// Databases that hold uploaded tables, and the one of the groups.
    pub(super) fn uploaded_databases(&self) -> Vec<String> {
        let mut names = vec![GLUE_DATABASE.to_owned()];
        if let Ok(entries) = fs::read_dir(self.folder().join(FOLDER)) {
            names.extend(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()));
        }
        names.sort();
        names.dedup();
        names
    }

    /// Opens a table in the first of these databases that has it; blocks.
    pub(in crate::store) fn open_uploaded(&self, databases: &[String], table: &str) -> Result<Option<Arc<dyn FrameRows>>> {
        for database in databases {
            if let Some(found) = self.find_uploaded(database, table)? {
                return Ok(Some(Arc::new(UploadedRows::open(self.objects(), found)?)));
            }
        }
        Ok(None)
    }
}
