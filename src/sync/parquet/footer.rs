//! What the footer of one Parquet file says: rows, columns with their types, nulls and ranges. No data page is ever read.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema as ArrowSchema};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::async_reader::MetadataFetch;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use serde::{Deserialize, Serialize};

use super::folders::File;
use crate::backend::offline::{Bound, footer_statistics};
use crate::model::{Error, Result};

/// Bytes of a file's end that are asked for at first: the footers of most files are smaller.
pub(super) const FIRST_READ: usize = 64 << 10;
/// Bytes of a text bound that are kept.
const MAX_BOUND: usize = 256;

/// A footer, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Footer {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) columns: Vec<Column>,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    /// The type in Arrow's word.
    pub(super) native: String,
    /// Type, collection and dimension as a feature.
    pub(super) kind: (Option<String>, Option<String>, Option<u32>),
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nulls: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<Bound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<Bound>,
}

/// An object whose footer is read.
pub(super) struct Ranges {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) location: Path,
}

impl MetadataFetch for Ranges {
    fn fetch(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move { self.store.get_range(&self.location, range).await.map_err(|error| ParquetError::External(Box::new(error))) }.boxed()
    }
}

/// Reads a footer; `shown` is what a person calls the file.
pub(super) async fn read(store: Arc<dyn ObjectStore>, file: &File, shown: &str) -> Result<Footer> {
    let fault = |error: ParquetError| {
        Error::corrupt(format!("{shown} is no Parquet file that can be read"))
            .source(error)
            .remedy("it may be cut, or not written to its end: copy it again")
    };
    let ranges = Ranges { store, location: Path::from(file.location.as_str()) };
    let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(FIRST_READ));
    let metadata = reader.load_and_finish(ranges, file.size).await.map_err(fault)?;
    let described = metadata.file_metadata();
    let schema = parquet_to_arrow_schema(described.schema_descr(), described.key_value_metadata()).map_err(fault)?;
    Ok(footer_of(&metadata, &schema, file.size))
}

fn footer_of(metadata: &ParquetMetaData, schema: &ArrowSchema, bytes: u64) -> Footer {
    let mut statistics = footer_statistics(metadata, schema);
    let columns = schema.fields().iter().map(|field| {
        let bounds = statistics.columns.remove(field.name()).unwrap_or_default();
        Column {
            name: field.name().clone(),
            native: field.data_type().to_string(),
            kind: kind_of(field.data_type()),
            nulls: bounds.nulls,
            min: bounds.min.filter(is_short),
            max: bounds.max.filter(is_short),
        }
    });
    Footer { rows: statistics.rows, bytes, columns: columns.collect() }
}

fn is_short(bound: &Bound) -> bool {
    !matches!(bound, Bound::Text(text) if text.len() > MAX_BOUND)
}

/// What a column would be as a feature, as files are inferred elsewhere.
fn kind_of(data_type: &DataType) -> (Option<String>, Option<String>, Option<u32>) {
    let word = |word: &str| Some(word.to_owned());
    match data_type {
        DataType::FixedSizeList(element, size)
            if matches!(element.data_type(), DataType::Float16 | DataType::Float32 | DataType::Float64) =>
        {
            (word("Fractional"), word("Vector"), u32::try_from(*size).ok())
        }
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
            (scalar(element.data_type()).map(str::to_owned), word("List"), None)
        }
        other => (scalar(other).map(str::to_owned), None, None),
    }
}

fn scalar(data_type: &DataType) -> Option<&'static str> {
    match data_type {
        DataType::Boolean => Some("Integral"),
        other if other.is_integer() => Some("Integral"),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Some("Fractional"),
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => Some("Fractional"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            Some("String")
        }
        DataType::Dictionary(_, value) => scalar(value),
        _ => None,
    }
}
