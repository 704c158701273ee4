//! Rows of an uploaded table: its files, one after the other, as batches of its types.
//!
//! The files are listed when a statement names the table; one that goes away before it is read is an error, not a gap. A
//! field that can't be read in its column's type is an error with its file and row: a label that went missing would not be
//! noticed. Rows may have fewer fields than the table (the others are null) or more (which are left out), as in Hive.

use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, PrimitiveBuilder, RecordBatch, RecordBatchOptions, StringBuilder,
    TimestampMicrosecondBuilder, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, SchemaRef,
};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::tables::{Csv, Format, HiveTable};
use crate::dataset::{FrameBatches, FrameRows};
use crate::model::{Error, EventTime, Result, TimeMode};
use crate::store::objects::{Bucket, ListEntry, ListRequest, ObjectKey, Objects};

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;
/// Keys of a page of the list.
const PAGE: usize = 1_000;
/// Most files of a table.
const MOST_FILES: usize = 100_000;

/// A table with the files it had when it was opened.
pub(super) struct UploadedRows {
    objects: Objects,
    table: HiveTable,
    schema: SchemaRef,
    keys: Vec<ObjectKey>,
}

impl std::fmt::Debug for UploadedRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadedRows").field("table", &self.table.table).field("files", &self.keys.len()).finish_non_exhaustive()
    }
}

impl UploadedRows {
    pub(super) fn open(objects: Objects, table: HiveTable) -> Result<Self> {
        let schema = table.schema()?;
        let bucket = Bucket::parse(&table.bucket)?;
        let mut keys = Vec::new();
        let mut request = ListRequest { prefix: table.prefix.clone(), limit: PAGE, ..ListRequest::default() };
        loop {
            let page = objects.list(&bucket, &request)?;
            for entry in &page.entries {
                // Names that begin so are hidden from readers of such folders, and folders of some tools are empty objects.
                let is_hidden = entry.name()[table.prefix.len()..].split('/').any(|piece| piece.starts_with(['.', '_']));
                if let ListEntry::Object(key, info) = entry
                    && !is_hidden
                    && info.size > 0
                {
                    keys.push(ObjectKey::parse(key.clone())?);
                }
            }
            if keys.len() > MOST_FILES {
                return Err(Error::invalid(format!("table '{}' has more than {MOST_FILES} files", table.table)).remedy("merge them"));
            }
            match page.entries.last() {
                Some(last) if page.is_truncated => request.after = Some(last.name().to_owned()),
                _ => break,
            }
        }
        Ok(Self { objects, table, schema, keys })
    }
}

impl FrameRows for UploadedRows {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn batches(&self) -> Result<FrameBatches> {
        let bucket = Bucket::parse(&self.table.bucket)?;
        let (objects, schema, format) = (self.objects.clone(), self.schema.clone(), self.table.format.clone());
        let files = self.keys.clone().into_iter().map(move |key| -> Result<FrameBatches> {
            let file = objects.open(&bucket, &key)?.into_file();
            let name = format!("s3://{bucket}/{key}");
            Ok(match &format {
                Format::Csv(csv) => Box::new(CsvBatches::new(csv, schema.clone(), name, file)),
                Format::Parquet => Box::new(ParquetBatches::new(schema.clone(), name, file)?),
            })
        });
        Ok(Box::new(files.flat_map(|file| match file {
            Ok(batches) => batches,
            Err(error) => Box::new(std::iter::once(Err(error))) as FrameBatches,
        })))
    }
}

/// Rows of a Parquet file: its columns by name, in the types of the table.
struct ParquetBatches {
    schema: SchemaRef,
    name: String,
    reader: ParquetRecordBatchReader,
}

impl ParquetBatches {
    fn new(schema: SchemaRef, name: String, file: File) -> Result<Self> {
        let fault = |error| Error::invalid(format!("can't read '{name}' as Parquet")).source(error);
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(fault)?.with_batch_size(BATCH_ROWS).build().map_err(fault)?;
        Ok(Self { schema, name, reader })
    }

    fn typed(&self, batch: &RecordBatch) -> std::result::Result<RecordBatch, arrow::error::ArrowError> {
        let fields = batch.schema();
        let columns = self.schema.fields().iter().map(|field| {
            match fields.fields().iter().position(|found| found.name().eq_ignore_ascii_case(field.name())) {
                Some(at) => cast_with_options(batch.column(at), field.data_type(), &CastOptions { safe: false, ..CastOptions::default() }),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            }
        });
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns.collect::<std::result::Result<_, _>>()?, &options)
    }
}

impl Iterator for ParquetBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?.and_then(|batch| self.typed(&batch));
        Some(batch.map_err(|error| Error::invalid(format!("can't read '{}'", self.name)).source(error)))
    }
}

/// Rows of a CSV file.
struct CsvBatches {
    schema: SchemaRef,
    name: String,
    reader: csv::Reader<Box<dyn Read + Send>>,
    null: Option<String>,
    escape: Option<char>,
    /// Where quotes are off the reader does not undo escapes.
    unescape: bool,
    row: u64,
    ended: bool,
}

impl CsvBatches {
    fn new(format: &Csv, schema: SchemaRef, name: String, file: File) -> Self {
        let bytes: Box<dyn Read + Send> = if name.ends_with(".gz") {
            Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file)))
        } else {
            Box::new(BufReader::with_capacity(1 << 16, file))
        };
        let mut bytes = bytes;
        skip_lines(&mut bytes, format.skipped);
        let ascii = |letter: char| u8::try_from(letter).unwrap_or(b',');
        let mut builder = csv::ReaderBuilder::new();
        builder.has_headers(false).flexible(true).delimiter(ascii(format.separator));
        match format.quote {
            Some(quote) => builder.quote(ascii(quote)).double_quote(true).escape(format.escape.map(ascii)),
            None => builder.quoting(false),
        };
        let unescape = format.quote.is_none() && format.escape.is_some();
        Self {
            schema,
            name,
            reader: builder.from_reader(bytes),
            null: format.null.clone(),
            escape: format.escape,
            unescape,
            row: 0,
            ended: false,
        }
    }

    fn read(&mut self) -> Result<Option<RecordBatch>> {
        let mut columns: Vec<Column> = self.schema.fields().iter().map(|field| Column::of(field.data_type())).collect::<Result<_>>()?;
        let mut record = csv::ByteRecord::new();
        let mut rows = 0;
        while rows < BATCH_ROWS {
            let more = self.reader.read_byte_record(&mut record);
            if !more.map_err(|error| Error::invalid(format!("can't read '{}'", self.name)).source(error))? {
                break;
            }
            rows += 1;
            self.row += 1;
            for (position, column) in columns.iter_mut().enumerate() {
                let field = self.field(&record, position)?;
                if column.push(field.as_deref()).is_none() {
                    let field = field.unwrap_or_default();
                    let shown: String = field.chars().take(60).collect();
                    return Err(Error::invalid(format!(
                        "{}, row {}: '{}' is no value of column '{}'",
                        self.name,
                        self.row,
                        shown.escape_debug(),
                        self.schema.field(position).name()
                    ))
                    .why(format!("the column is {}", self.schema.field(position).data_type())));
                }
            }
        }
        if rows == 0 {
            return Ok(None);
        }
        let arrays: Vec<ArrayRef> = columns.into_iter().map(Column::finish).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), arrays);
        batch.map(Some).map_err(|error| Error::internal("rows don't fit their table").source(error))
    }

    /// A field's text; none for null.
    fn field(&self, record: &csv::ByteRecord, position: usize) -> Result<Option<String>> {
        let Some(bytes) = record.get(position) else { return Ok(None) };
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Error::invalid(format!("{}, row {}: not UTF-8", self.name, self.row)).source(error))?;
        if self.null.as_deref() == Some(text) {
            return Ok(None);
        }
        let Some(escape) = self.escape.filter(|_| self.unescape) else { return Ok(Some(text.to_owned())) };
        let (mut plain, mut letters) = (String::with_capacity(text.len()), text.chars());
        while let Some(letter) = letters.next() {
            plain.push(if letter == escape { letters.next().unwrap_or(letter) } else { letter });
        }
        Ok(Some(plain))
    }
}

impl Iterator for CsvBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.read().transpose();
        self.ended = !matches!(batch, Some(Ok(_)));
        batch
    }
}

fn skip_lines(bytes: &mut impl Read, lines: usize) {
    let mut byte = [0];
    for _ in 0..lines {
        while bytes.read(&mut byte).is_ok_and(|count| count == 1) && byte[0] != b'\n' {}
    }
}

/// Builds one column from texts.
enum Column {
    Boolean(BooleanBuilder),
    Int8(PrimitiveBuilder<Int8Type>),
    Int16(PrimitiveBuilder<Int16Type>),
    Int32(PrimitiveBuilder<Int32Type>),
    Int64(PrimitiveBuilder<Int64Type>),
    Float32(PrimitiveBuilder<Float32Type>),
    Float64(PrimitiveBuilder<Float64Type>),
    Text(StringBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
    Decimal(Decimal128Builder, u8, i8),
}

fn push<T: ArrowPrimitiveType>(builder: &mut PrimitiveBuilder<T>, text: Option<&str>) -> Option<()>
where
    T::Native: std::str::FromStr,
{
    builder.append_option(text.map(|text| text.trim().parse().ok()).map_or(Some(None), |value| value.map(Some))?);
    Some(())
}

impl Column {
    fn of(data_type: &DataType) -> Result<Self> {
        Ok(match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int8 => Self::Int8(PrimitiveBuilder::new()),
            DataType::Int16 => Self::Int16(PrimitiveBuilder::new()),
            DataType::Int32 => Self::Int32(PrimitiveBuilder::new()),
            DataType::Int64 => Self::Int64(PrimitiveBuilder::new()),
            DataType::Float32 => Self::Float32(PrimitiveBuilder::new()),
            DataType::Float64 => Self::Float64(PrimitiveBuilder::new()),
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Date32 => Self::Date(Date32Builder::new()),
            DataType::Timestamp(..) => Self::Timestamp(TimestampMicrosecondBuilder::new()),
            DataType::Decimal128(precision, scale) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(data_type.clone()), *precision, *scale)
            }
            other => return Err(Error::internal(format!("a table has a column of type {other}"))),
        })
    }

    /// Adds a value; none if the text is none of the type. An empty field is null unless the column holds text.
    fn push(&mut self, text: Option<&str>) -> Option<()> {
        let value = text.filter(|text| !text.trim().is_empty());
        match self {
            Self::Text(builder) => builder.append_option(text),
            Self::Boolean(builder) => builder.append_option(match value.map(|text| text.trim().to_ascii_lowercase()).as_deref() {
                None => None,
                Some("true" | "t" | "1") => Some(true),
                Some("false" | "f" | "0") => Some(false),
                Some(_) => return None,
            }),
            Self::Int8(builder) => push(builder, value)?,
            Self::Int16(builder) => push(builder, value)?,
            Self::Int32(builder) => push(builder, value)?,
            Self::Int64(builder) => push(builder, value)?,
            Self::Float32(builder) => push(builder, value)?,
            Self::Float64(builder) => push(builder, value)?,
            Self::Date(builder) => match value {
                None => builder.append_null(),
                Some(text) => builder.append_value(i32::try_from(instant(&format!("{}T00:00:00", text.trim()))? / 86_400_000_000).ok()?),
            },
            Self::Timestamp(builder) => match value {
                None => builder.append_null(),
                Some(text) => builder.append_value(timestamp(text.trim())?),
            },
            Self::Decimal(builder, precision, scale) => match value {
                None => builder.append_null(),
                Some(text) => {
                    builder.append_value(
                        arrow::compute::kernels::cast_utils::parse_decimal::<Decimal128Type>(text.trim(), *precision, *scale).ok()?,
                    );
                }
            },
        }
        Some(())
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Boolean(mut builder) => Arc::new(builder.finish()),
            Self::Int8(mut builder) => Arc::new(builder.finish()),
            Self::Int16(mut builder) => Arc::new(builder.finish()),
            Self::Int32(mut builder) => Arc::new(builder.finish()),
            Self::Int64(mut builder) => Arc::new(builder.finish()),
            Self::Float32(mut builder) => Arc::new(builder.finish()),
            Self::Float64(mut builder) => Arc::new(builder.finish()),
            Self::Text(mut builder) => Arc::new(builder.finish()),
            Self::Date(mut builder) => Arc::new(builder.finish()),
            Self::Timestamp(mut builder) => Arc::new(builder.finish()),
            Self::Decimal(mut builder, ..) => Arc::new(builder.finish()),
        }
    }
}

/// Microseconds of a timestamp: Unix milliseconds, as Hive's CSV reader has it, or a date and time, as pandas writes it.
fn timestamp(text: &str) -> Option<i64> {
    match text.parse::<i64>() {
        Ok(milliseconds) => milliseconds.checked_mul(1_000),
        Err(_) => instant(&text.replacen(' ', "T", 1)).or_else(|| instant(&format!("{text}T00:00:00"))),
    }
}

fn instant(text: &str) -> Option<i64> {
    EventTime::parse_text(text, TimeMode::Lenient).ok().map(EventTime::unix_micros)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::util::display::array_value_to_string;

    fn column(data_type: &DataType, texts: &[Option<&str>]) -> Option<Vec<String>> {
        let mut column = Column::of(data_type).unwrap();
        for text in texts {
            column.push(*text)?;
        }
        let array = column.finish();
        Some(
            (0..array.len())
                .map(|row| if array.is_null(row) { "-".to_owned() } else { array_value_to_string(&array, row).unwrap() })
                .collect(),
        )
    }

    #[test]
    fn fields_become_values_and_only_texts_may_be_empty() {
        let cases = [
            (DataType::Boolean, vec![Some("True"), Some("false"), Some(""), None], vec!["true", "false", "-", "-"]),
            (DataType::Int32, vec![Some("5"), Some(" -7 "), Some("")], vec!["5", "-7", "-"]),
            (DataType::Float64, vec![Some("1e3"), Some("nan"), Some("")], vec!["1000.0", "NaN", "-"]),
            (DataType::Utf8, vec![Some(""), Some(" a "), None], vec!["", " a ", "-"]),
            (DataType::Date32, vec![Some("2024-02-29"), Some("1969-12-31")], vec!["2024-02-29", "1969-12-31"]),
            (DataType::Decimal128(5, 2), vec![Some("1.5"), Some("-0.25")], vec!["1.50", "-0.25"]),
            (
                DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None),
                vec![Some("2020-01-01 00:00:01.5"), Some("1579059880000"), Some("2020-01-01"), Some("")],
                vec!["2020-01-01T00:00:01.500", "2020-01-15T03:44:40", "2020-01-01T00:00:00", "-"],
            ),
        ];
        for (data_type, texts, values) in cases {
            assert_eq!(column(&data_type, &texts).unwrap(), values, "{data_type}");
        }
        for (data_type, bad) in [(DataType::Int32, "5.0"), (DataType::Int8, "128"), (DataType::Boolean, "yes"), (DataType::Date32, "soon")]
        {
            assert_eq!(column(&data_type, &[Some(bad)]), None, "{bad}");
        }
    }
}
