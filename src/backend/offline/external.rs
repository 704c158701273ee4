//! Parquet that somebody else keeps: a file, a folder or a glob, read in place and never written.
//!
//! Columns have the files' own types. Files of one group may differ in columns (one that is missing is null) but not in
//! the type of a column, and which file disagrees with which is told by name. Rows and ranges come from the footers, so
//! opening costs one small read per file; nothing is kept, since the files may change under us at any time. Hidden names
//! (`_delta_log`, `_SUCCESS`, `.crc`) are passed over, as every reader of such folders does.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema as ArrowSchema, SchemaRef, TimeUnit};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;

use super::OfflineStore;
use super::bounds::{Bound, ColumnBounds, FileStatistics};
use crate::model::{Error, FeatureGroup, Result};

/// Most files of one external group: beyond it a table format is due.
const MAX_FILES: usize = 100_000;
/// Folders within folders that are followed.
const MAX_DEPTH: usize = 32;

/// An external file.
#[derive(Debug, Clone)]
pub struct ExternalFile {
    /// Where it lies in [`ExternalTable::object_store`], its size and its age.
    pub object: ObjectMeta,
    /// Where it lies on this machine.
    pub path: PathBuf,
    /// Rows and ranges of its columns, from its footer.
    pub statistics: FileStatistics,
}

impl ExternalFile {
    /// Earliest and latest value of a timestamp or date column in microseconds since 1970, if the footer says.
    pub fn micros(&self, column: &str) -> Option<(i64, i64)> {
        match self.statistics.columns.get(column)? {
            ColumnBounds { min: Some(Bound::Micros(min)), max: Some(Bound::Micros(max)), .. } => Some((*min, *max)),
            _ => None,
        }
    }
}

/// External files with the columns they have together.
#[derive(Debug, Clone)]
pub struct ExternalTable {
    schema: SchemaRef,
    files: Vec<ExternalFile>,
}

/// The disk of this machine, where external files lie.
pub(crate) fn disk() -> Arc<dyn ObjectStore> {
    Arc::new(LocalFileSystem::new())
}

impl OfflineStore {
    /// Opens the files of an external group.
    pub async fn external(&self, group: &FeatureGroup) -> Result<ExternalTable> {
        let location = group.offline.as_ref().and_then(|offline| offline.external.clone());
        let location =
            location.ok_or_else(|| Error::invalid(format!("'{}' is not external", group.name)).remedy("read its own table instead"))?;
        let opened = tokio::task::spawn_blocking(move || ExternalTable::open(&location)).await;
        let opened = opened.map_err(|error| Error::internal("reading external files stopped").source(error))?;
        opened.map_err(|error| error.within(format!("group '{}'", group.name)))
    }
}

impl ExternalTable {
    /// Columns of all files, in the order in which they were first seen. Metadata of the files is left out.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The files in order of their names.
    pub fn files(&self) -> &[ExternalFile] {
        &self.files
    }

    /// The store that [`ExternalFile::object`] is in: the disk of this machine.
    pub fn object_store(&self) -> Result<Arc<dyn ObjectStore>> {
        Ok(disk())
    }

    /// Earliest and latest value of a timestamp or date column over all files whose footers say.
    pub fn micros(&self, column: &str) -> Option<(i64, i64)> {
        self.files.iter().filter_map(|file| file.micros(column)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// Opens a file, a folder with everything below it, or a glob. Reads footers only; blocks.
    ///
    /// # Errors
    /// NotFound if there is no Parquet file, Corrupt if a footer can't be read, Invalid if files disagree on a type.
    pub fn open(location: &str) -> Result<Self> {
        let mut fields: Vec<(Field, PathBuf)> = Vec::new();
        let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
        let mut files = Vec::new();
        for path in list(location)? {
            let (schema, file) = open_file(path)?;
            for field in schema.fields() {
                match by_name.get(field.name()) {
                    None => {
                        by_name.insert(field.name().clone(), fields.len());
                        fields.push((Field::new(field.name(), field.data_type().clone(), true), file.path.clone()));
                    }
                    Some(known) => {
                        let (known, first) = &fields[*known];
                        if !known.data_type().equals_datatype(field.data_type()) {
                            return Err(Error::invalid(format!(
                                "column '{}' is {} in {}",
                                field.name(),
                                field.data_type(),
                                file.path.display()
                            ))
                            .why(format!("it is {} in {}", known.data_type(), first.display()))
                            .remedy("give files of different shape groups of their own"));
                        }
                    }
                }
            }
            files.push(file);
        }
        let fields: Vec<Field> = fields.into_iter().map(|(field, _)| field).collect();
        Ok(Self { schema: Arc::new(ArrowSchema::new(fields)), files })
    }

    /// Rows of all files.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.statistics.rows).sum()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.object.size).sum()
    }
}

/// Parquet files of a location, in order of their names.
pub fn list(location: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let path = Path::new(location);
    if path.exists() {
        collect(path, 0, &mut found)?;
    } else if location.contains(['*', '?', '[']) {
        let matches = glob::glob(location).map_err(|error| Error::invalid(format!("'{location}' is not a pattern")).source(error))?;
        for matched in matches {
            let matched = matched.map_err(|error| {
                let what = format!("can't read {}", error.path().display());
                Error::io(what, error.into())
            })?;
            collect(&matched, 0, &mut found)?;
        }
    } else {
        return Err(Error::not_found(format!("there is no file or folder '{location}'"))
            .remedy("give the path of a Parquet file, a folder, or a pattern"));
    }
    if found.is_empty() {
        return Err(Error::not_found(format!("there is no Parquet file in '{location}'")).remedy("file names must end in .parquet"));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn collect(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        // A file that is named outright need not end in .parquet.
        if depth == 0 || path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet")) {
            found.push(path.to_owned());
        }
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(
            Error::invalid(format!("{} is more than {MAX_DEPTH} folders deep", path.display())).remedy("name a folder nearer to the files")
        );
    }
    let fault = |error| Error::io(format!("can't read the folder {}", path.display()), error);
    for entry in std::fs::read_dir(path).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let hidden = entry.file_name().to_str().is_none_or(|name| name.starts_with(['.', '_']));
        if !hidden {
            collect(&entry.path(), depth + 1, found)?;
        }
        if found.len() > MAX_FILES {
            return Err(
                Error::invalid(format!("{} holds more than {MAX_FILES} files", path.display())).remedy("merge them into larger ones")
            );
        }
    }
    Ok(())
}

fn open_file(path: PathBuf) -> Result<(SchemaRef, ExternalFile)> {
    let file = File::open(&path).map_err(|error| Error::io(format!("can't open {}", path.display()), error))?;
    let metadata = file.metadata().map_err(|error| Error::io(format!("can't read {}", path.display()), error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| {
        Error::corrupt(format!("{} is not a Parquet file that can be read", path.display()))
            .source(error)
            .remedy("it may be truncated: copy it again")
    })?;
    let fault = |error| Error::io(format!("can't read {}", path.display()), error);
    let modified = metadata.modified().map_err(fault)?;
    let absolute = std::path::absolute(&path).map_err(fault)?;
    let location = ObjectPath::from_absolute_path(&absolute)
        .map_err(|error| Error::invalid(format!("{} can't be read in place", path.display())).source(error).remedy("rename it"))?;
    let object = ObjectMeta { location, last_modified: modified.into(), size: metadata.len(), e_tag: None, version: None };
    let statistics = footer_statistics(builder.metadata(), builder.schema());
    Ok((builder.schema().clone(), ExternalFile { object, path, statistics }))
}

/// Rows and ranges as the footer tells them; what it does not tell is absent.
pub(crate) fn footer_statistics(metadata: &ParquetMetaData, schema: &ArrowSchema) -> FileStatistics {
    let groups = metadata.row_groups();
    let rows = metadata.file_metadata().num_rows();
    let mut statistics = FileStatistics { rows: u64::try_from(rows).unwrap_or(0), columns: BTreeMap::new() };
    for field in schema.fields() {
        let Ok(converter) = StatisticsConverter::try_new(field.name(), schema, metadata.file_metadata().schema_descr()) else { continue };
        let (Ok(mins), Ok(maxes), Ok(nulls)) =
            (converter.row_group_mins(groups), converter.row_group_maxes(groups), converter.row_group_null_counts(groups))
        else {
            continue;
        };
        let mut bounds = ColumnBounds { min: None, max: None, nulls: Some(0) };
        let mut known = true;
        for (at, group) in groups.iter().enumerate() {
            let null_rows = nulls.is_valid(at).then(|| nulls.value(at));
            bounds.nulls = bounds.nulls.zip(null_rows).map(|(sum, nulls)| sum + nulls);
            let all_null = null_rows == u64::try_from(group.num_rows()).ok();
            match (bound_at(&mins, at, false), bound_at(&maxes, at, true)) {
                (Some(min), Some(max)) => {
                    bounds.min = Some(outer(bounds.min.take(), min, std::cmp::Ordering::Less));
                    bounds.max = Some(outer(bounds.max.take(), max, std::cmp::Ordering::Greater));
                }
                _ if all_null => {}
                _ => known = false,
            }
        }
        if !known {
            bounds = ColumnBounds { min: None, max: None, nulls: bounds.nulls };
        }
        if bounds != ColumnBounds::default() {
            statistics.columns.insert(field.name().clone(), bounds);
        }
    }
    statistics
}

fn outer(known: Option<Bound>, new: Bound, outward: std::cmp::Ordering) -> Bound {
    match known {
        Some(known) if new.compare(&known) != Some(outward) => known,
        _ => new,
    }
}

/// One value of a row group's statistics; times that are finer than microseconds are rounded outwards.
pub fn bound_at(values: &ArrayRef, at: usize, upper: bool) -> Option<Bound> {
    if values.is_null(at) {
        return None;
    }
    let one = values.slice(at, 1);
    let integer = |one: &ArrayRef| {
        let integers = compute::cast(one, &DataType::Int64).ok()?;
        let integers = integers.as_primitive_opt::<Int64Type>()?;
        integers.is_valid(0).then(|| integers.value(0))
    };
    match values.data_type() {
        DataType::Timestamp(unit, _) => {
            let ticks = integer(&one)?;
            match unit {
                TimeUnit::Second => ticks.checked_mul(1_000_000),
                TimeUnit::Millisecond => ticks.checked_mul(1_000),
                TimeUnit::Microsecond => Some(ticks),
                TimeUnit::Nanosecond => {
                    let micros = ticks.div_euclid(1_000);
                    Some(if upper && ticks.rem_euclid(1_000) != 0 { micros + 1 } else { micros })
                }
            }
            .map(Bound::Micros)
        }
        DataType::Date32 => {
            let days = integer(&compute::cast(&one, &DataType::Int32).ok()?)?;
            days.checked_mul(86_400_000_000).map(Bound::Micros)
        }
        DataType::Boolean => Some(Bound::Bool(one.as_boolean_opt()?.value(0))),
        data_type if data_type.is_integer() => integer(&one).map(Bound::Int),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let value = compute::cast(&one, &DataType::Float64).ok()?.as_primitive_opt::<Float64Type>()?.value(0);
            value.is_finite().then_some(Bound::Float(value))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let text = compute::cast(&one, &DataType::Utf8).ok()?;
            Some(Bound::Text(text.as_string_opt::<i32>()?.value(0).to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{Float32Array, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray};
    use parquet::arrow::ArrowWriter;

    fn write(path: &Path, columns: Vec<(&str, ArrayRef)>) {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    fn id(ids: &[i32]) -> ArrayRef {
        Arc::new(Int32Array::from(ids.to_vec()))
    }

    #[test]
    fn files_join_their_columns_and_tell_their_ranges() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("deep/_delta_log")).unwrap();
        std::fs::write(folder.path().join("deep/_delta_log/x.parquet"), "no parquet").unwrap();
        std::fs::write(folder.path().join("_SUCCESS"), "").unwrap();
        let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![Some(1_500), None, Some(-1)]));
        write(&folder.path().join("deep/a.parquet"), vec![("id", id(&[3, 1, 2])), ("at", times)]);
        let scores: ArrayRef = Arc::new(Float32Array::from(vec![0.5]));
        write(&folder.path().join("b.parquet"), vec![("id", id(&[9])), ("score", scores)]);
        let table = ExternalTable::open(folder.path().to_str().unwrap()).unwrap();
        let names: Vec<&str> = table.schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!((names, table.rows()), (vec!["id", "score", "at"], 4));
        let deep = table.files.iter().find(|file| file.path.ends_with("deep/a.parquet")).unwrap();
        assert_eq!(deep.micros("at"), Some((-1, 2)), "rounded outwards");
        assert_eq!(deep.statistics.columns["id"], ColumnBounds { min: Some(Bound::Int(1)), max: Some(Bound::Int(3)), nulls: Some(0) });
        let one = ExternalTable::open(&format!("{}/deep/*.parquet", folder.path().display())).unwrap();
        assert_eq!(one.files.len(), 1);
    }

    #[test]
    fn says_which_file_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().to_str().unwrap();
        assert!(ExternalTable::open(place).unwrap_err().to_string().contains("no Parquet file"));
        assert!(ExternalTable::open("/no/such/place").is_err());
        write(&folder.path().join("a.parquet"), vec![("id", id(&[1]))]);
        write(&folder.path().join("b.parquet"), vec![("id", Arc::new(StringArray::from(vec!["1"])) as ArrayRef)]);
        let error = ExternalTable::open(place).unwrap_err().to_string();
        assert!(error.contains("b.parquet") && error.contains("a.parquet") && error.contains("'id'"), "{error}");
        let bytes = std::fs::read(folder.path().join("a.parquet")).unwrap();
        std::fs::write(folder.path().join("b.parquet"), &bytes[..bytes.len() / 2]).unwrap();
        let error = ExternalTable::open(place).unwrap_err().to_string();
        assert!(error.contains("b.parquet") && error.contains("copy it again"), "{error}");
    }
}
