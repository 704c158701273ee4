//! The spine of a training dataset, from a file or from SQL.
//!
//! Parquet keeps its columns and types, whatever they are called. Text formats are read as `ingest` reads them: a column
//! is a number only if every value of it comes back unchanged, so that a code with leading zeros stays text; a column that
//! has to be looked up in a group of text identifiers is text. Rows without an identifier or a time are rows all the same.
//! A row that can't be read is an error with file and line: a label that went missing would not be noticed.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef};
use futures::StreamExt;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::ParquetMetaData;
use tokio::sync::mpsc;

use crate::dataset::QueryStream;
use crate::ingest::files::{Dropped, Format, Input, Position, Reading, SourceBatch, infer_schema, resolve};
use crate::model::suggest::suggest;
use crate::model::{Error, FeatureType, Result, Schema};

/// Rows read at once.
const BATCH_ROWS: usize = 65_536;
/// Batches of a query that may wait.
const WAITING: usize = 4;

/// Rows of a spine, with their columns known before the first is read.
pub(super) struct SpineRows {
    pub(super) schema: SchemaRef,
    /// Names of the files, with what tells them from others; empty for SQL.
    pub(super) files: Vec<(String, String)>,
    rows: Rows,
}

enum Rows {
    Parquet(Vec<(Input, ArrowReaderMetadata)>),
    Text { inputs: Vec<Input>, schema: Arc<Schema> },
    Query(QueryStream),
}

/// A stream of batches that blocks.
pub(in crate::store) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

impl SpineRows {
    /// Opens files; blocks. `text` names the columns that are text whatever they look like, where the format doesn't say.
    pub(super) fn of_files(location: &str, id: &str, time: &str, text: &[String]) -> Result<Self> {
        let inputs = resolve(&[location.to_owned()])?;
        let files = inputs.iter().map(|input| (input.name.clone(), input.identity.clone())).collect();
        if inputs.iter().all(|input| input.format == Format::Parquet) {
            let (schema, opened) = open_parquet(inputs)?;
            return Ok(Self { schema, files, rows: Rows::Parquet(opened) });
        }
        let inferred = infer_schema(&inputs, id, time, &[]).map_err(without_drop)?.schema;
        let is_text = |name: &str| text.iter().any(|text| text.eq_ignore_ascii_case(name));
        let features = inferred.features().iter().cloned().map(|mut feature| {
            if is_text(feature.name.as_str()) && feature.collection.is_none() {
                feature.feature_type = FeatureType::String;
            }
            feature
        });
        // The roles don't matter for reading, so the time may be of any type.
        let schema = Arc::new(Schema::new(features.collect(), id, time)?);
        let field = |feature: &crate::model::FeatureDefinition| {
            let data_type = match (feature.collection, feature.feature_type) {
                (None, FeatureType::Integral) => DataType::Int64,
                (None, FeatureType::Fractional) => DataType::Float64,
                _ => DataType::Utf8,
            };
            Field::new(feature.name.as_str(), data_type, true)
        };
        let fields: Vec<Field> = schema.features().iter().map(field).collect();
        Ok(Self { schema: Arc::new(ArrowSchema::new(fields)), files, rows: Rows::Text { inputs, schema } })
    }

    /// The rows of a query.
    pub(super) fn of_query(stream: QueryStream) -> Self {
        Self { schema: without_metadata(&stream.schema()), files: Vec::new(), rows: Rows::Query(stream) }
    }

    /// Its Parquet files with their footers; none for a spine of another kind.
    pub(super) fn parquet_files(&self) -> Option<impl Iterator<Item = (&Path, &ParquetMetaData)>> {
        match &self.rows {
            Rows::Parquet(files) => Some(files.iter().map(|(input, footer)| (input.path.as_path(), footer.metadata().as_ref()))),
            Rows::Text { .. } | Rows::Query(_) => None,
        }
    }

    /// Position of a column, found whatever its case.
    pub(super) fn position(&self, name: &str, flag: &str) -> Result<usize> {
        let fields = self.schema.fields();
        let found = fields.iter().position(|field| field.name() == name);
        if let Some(position) = found.or_else(|| fields.iter().position(|field| field.name().eq_ignore_ascii_case(name))) {
            return Ok(position);
        }
        let error = Error::invalid(format!("the spine has no column '{}'", name.escape_debug()));
        Err(match suggest(name, fields.iter().map(|field| field.name().as_str())) {
            Some(near) => error.remedy(format!("did you mean {flag} '{near}'?")),
            None => {
                let names: Vec<String> = fields.iter().take(12).map(|field| field.name().escape_debug().to_string()).collect();
                error.remedy(format!("its columns are {}", names.join(", ")))
            }
        })
    }

    /// The rows. A query runs on the runtime and is read from a thread that may block.
    pub(super) fn batches(self) -> Batches {
        let schema = self.schema;
        match self.rows {
            Rows::Parquet(files) => Box::new(ParquetBatches { schema, files: files.into_iter(), current: None }),
            Rows::Text { inputs, schema: typed } => Box::new(TextBatches { schema, typed, inputs, reading: None, failed: false }),
            Rows::Query(mut stream) => {
                let (sender, mut receiver) = mpsc::channel(WAITING);
                tokio::spawn(async move {
                    while let Some(batch) = stream.next().await {
                        // The reader is gone: whoever wanted the rows has given up.
                        if sender.send(batch).await.is_err() {
                            break;
                        }
                    }
                });
                let retyped = move |batch: RecordBatch| RecordBatch::try_new(schema.clone(), batch.columns().to_vec());
                let fault = |error| Error::internal("a row of the spine's query doesn't fit its columns").source(error);
                Box::new(
                    std::iter::from_fn(move || receiver.blocking_recv())
                        .map(move |batch| batch.and_then(|batch| retyped(batch).map_err(fault))),
                )
            }
        }
    }
}

/// Advice about a flag that a spine doesn't have.
fn without_drop(error: Error) -> Error {
    match error.advice() {
        Some(advice) if advice.contains("--drop") => {
            let what = error.repeated();
            what.remedy("rename or convert the column, or write the spine as Parquet, which takes any column")
        }
        Some(advice) if advice.contains("--event-time") || advice.contains("--id") => {
            let advice = advice.replace("--event-time", "--spine-time").replace("--id", "--spine-id");
            error.repeated().remedy(advice)
        }
        _ => error,
    }
}

/// What data frames write beside the schema would describe other columns than the dataset has.
fn without_metadata(schema: &ArrowSchema) -> SchemaRef {
    Arc::new(ArrowSchema::new(schema.fields().clone()))
}

fn damaged(name: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid(format!("can't read '{name}' as Parquet")).source(error).remedy("the file is cut short or damaged: copy it again")
}

/// Opens Parquet files, which must agree on their columns.
fn open_parquet(inputs: Vec<Input>) -> Result<(SchemaRef, Vec<(Input, ArrowReaderMetadata)>)> {
    let mut opened: Vec<(Input, ArrowReaderMetadata)> = Vec::with_capacity(inputs.len());
    for input in inputs {
        let file = input.open_file()?;
        let footer = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|error| damaged(&input.name, error))?;
        if let Some((first, expected)) = opened.first()
            && expected.schema().fields() != footer.schema().fields()
        {
            return Err(Error::invalid(format!("'{}' has other columns than '{}'", input.name, first.name))
                .remedy("give the files of a spine the same columns, types and order"));
        }
        opened.push((input, footer));
    }
    let schema = opened.first().map(|(_, footer)| without_metadata(footer.schema()));
    Ok((schema.ok_or_else(|| Error::usage("the spine is no file"))?, opened))
}

struct ParquetBatches {
    schema: SchemaRef,
    files: std::vec::IntoIter<(Input, ArrowReaderMetadata)>,
    current: Option<(String, parquet::arrow::arrow_reader::ParquetRecordBatchReader)>,
}

impl ParquetBatches {
    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some((name, reader)) = &mut self.current {
                if let Some(batch) = reader.next() {
                    let batch = batch.map_err(|error| damaged(name, error))?;
                    let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec());
                    return batch.map(Some).map_err(|error| damaged(name, error));
                }
                self.current = None;
            }
            let Some((input, footer)) = self.files.next() else { return Ok(None) };
            let file: File = input.open_file()?;
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer).with_batch_size(BATCH_ROWS);
            let reader = builder.build().map_err(|error| damaged(&input.name, error))?;
            self.current = Some((input.name, reader));
        }
    }
}

impl Iterator for ParquetBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

struct TextBatches {
    schema: SchemaRef,
    typed: Arc<Schema>,
    inputs: Vec<Input>,
    reading: Option<Reading>,
    failed: bool,
}

impl TextBatches {
    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        let reading = match &mut self.reading {
            Some(reading) => reading,
            None => {
                let opened = Reading::open(self.inputs.clone(), &self.typed, &Dropped::new(&[]), Position::default());
                self.reading.insert(opened.map_err(without_drop)?)
            }
        };
        let Some((input, batch)) = reading.next_batch()? else { return Ok(None) };
        let name = &self.inputs[input].name;
        if let Some(bad) = batch.rejected.first() {
            return Err(bad.to_error(name).remedy("mend the row, or take it out of the spine"));
        }
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for (position, field) in self.schema.fields().iter().enumerate() {
            columns.push(typed(&batch, position, field).map_err(|(row, shown)| {
                Error::invalid(format!("'{name}', {}: '{}' is no number", batch.places.at(row), shown.escape_debug()))
                    .why(format!("the other values of column '{}' are numbers", field.name()))
                    .remedy("mend the value, or leave it empty")
            })?);
        }
        let batch = RecordBatch::try_new(self.schema.clone(), columns);
        batch.map(Some).map_err(|error| Error::internal("the spine's rows don't fit its columns").source(error))
    }
}

impl Iterator for TextBatches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let advanced = self.advance();
        self.failed = advanced.is_err();
        advanced.transpose()
    }
}

/// A column of texts in its type; else the row that doesn't fit and what it holds.
fn typed(batch: &SourceBatch, position: usize, field: &Field) -> std::result::Result<ArrayRef, (usize, String)> {
    let column = &batch.columns[position];
    let Some(texts) = column.as_string_opt::<i32>() else { return Ok(new_null_array(field.data_type(), batch.rows)) };
    macro_rules! numbers {
        ($array:ty, $read:expr) => {{
            let mut values = Vec::with_capacity(texts.len());
            for (row, text) in texts.iter().enumerate() {
                let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else {
                    values.push(None);
                    continue;
                };
                values.push(Some($read(text).ok_or_else(|| (row, text.chars().take(60).collect()))?));
            }
            Arc::new(<$array>::from(values)) as ArrayRef
        }};
    }
    Ok(match field.data_type() {
        DataType::Int64 => numbers!(Int64Array, |text: &str| text.parse().ok().or_else(|| truth(text))),
        DataType::Float64 => numbers!(Float64Array, |text: &str| text.parse().ok()),
        _ => column.clone(),
    })
}

/// Columns of true and false are Integral, as everywhere.
fn truth(text: &str) -> Option<i64> {
    match text {
        "true" | "True" | "TRUE" => Some(1),
        "false" | "False" | "FALSE" => Some(0),
        _ => None,
    }
}
