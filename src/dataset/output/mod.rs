//! Results of a query as text or file: aligned table, CSV, JSON, JSON lines, Parquet.
//!
//! Every writer streams: it takes one batch after another and keeps none, so that a result larger than memory can be
//! written. Only the table looks ahead, at most [`table::LOOK_AHEAD`] rows, to find its widths. Rules shared by all:
//!
//! - times are ISO-8601 in UTC, lists are JSON arrays;
//! - null is `∅` in a table, nothing in CSV (an empty text is `""`), `null` in JSON;
//! - a result may have two columns of one name; where names must be unique (JSON, Parquet) the second becomes `name_2`.

mod cells;
mod csv;
mod json;
mod parquet;
mod pieces;
mod table;

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use futures::StreamExt;

pub(super) use parquet::failed as unholdable;
pub(super) use pieces::file_properties;
pub use pieces::write_pieces;

use super::session::QueryStream;
use crate::model::error::{Error, Result};

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Aligned columns for people.
    Table,
    /// RFC 4180 with a header line.
    Csv,
    /// One array of objects, one object a line.
    Json,
    /// One object a line.
    JsonLines,
    /// A Parquet file.
    Parquet,
}

impl OutputFormat {
    /// The formats in the order they are offered.
    pub const ALL: [Self; 5] = [Self::Table, Self::Csv, Self::Json, Self::JsonLines, Self::Parquet];

    /// The name a user gives.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Csv => "csv",
            Self::Json => "json",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
        }
    }

    /// The format a file name asks for by its ending.
    pub fn from_file_name(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "parquet" => Some(Self::Parquet),
            "txt" => Some(Self::Table),
            _ => None,
        }
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for OutputFormat {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| Error::usage(format!("'{text}' is not an output format")).remedy("use table, csv, json, jsonl or parquet"))
    }
}

/// Takes the batches of one result and writes them in one format.
pub trait ResultWriter {
    /// Writes the rows of a batch.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;
    /// Writes what the format needs at its end and flushes. Without it the output is not complete.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Opens a writer; `width` is the number of terminal cells a table may take, none means no limit.
pub fn result_writer<'a, W: Write + Send + 'a>(
    format: OutputFormat,
    schema: &SchemaRef,
    width: Option<usize>,
    out: W,
) -> Result<Box<dyn ResultWriter + Send + 'a>> {
    Ok(match format {
        OutputFormat::Table => Box::new(table::TableWriter::new(schema, width, out)),
        OutputFormat::Csv => Box::new(csv::CsvWriter::new(schema, out)?),
        OutputFormat::Json => Box::new(json::JsonWriter::array(schema, out)),
        OutputFormat::JsonLines => Box::new(json::JsonWriter::lines(schema, out)),
        OutputFormat::Parquet => Box::new(parquet::ParquetWriter::new(schema, out)?),
    })
}

/// Writes a whole result and returns the number of its rows.
pub async fn write_result<W: Write + Send>(mut stream: QueryStream, format: OutputFormat, width: Option<usize>, out: W) -> Result<u64> {
    let mut writer = result_writer(format, &stream.schema(), width, out)?;
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch)?;
    }
    writer.finish()?;
    Ok(rows)
}

pub(crate) fn unwritable(error: io::Error) -> Error {
    Error::io("can't write the result", error)
}

/// The schema with each name made unique by a number.
pub(super) fn with_unique_names(schema: &Schema) -> SchemaRef {
    let mut taken: Vec<String> = Vec::with_capacity(schema.fields().len());
    let mut fields: Vec<Field> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let mut name = field.name().clone();
        let mut number = 1;
        while taken.contains(&name) {
            number += 1;
            name = format!("{}_{number}", field.name());
        }
        taken.push(name.clone());
        fields.push(field.as_ref().clone().with_name(name));
    }
    Schema::new(fields).into()
}

/// The batch under a schema that differs in names only.
pub(super) fn renamed(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &options)
        .map_err(|error| Error::internal("the result doesn't fit its own schema").source(error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use arrow::array::{
        ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, StringArray, StringBuilder, TimestampMicrosecondArray,
    };
    use std::sync::Arc;

    fn sample() -> RecordBatch {
        let mut tags = ListBuilder::new(StringBuilder::new());
        tags.append_value([Some("a,b"), Some("say \"x\"")]);
        tags.append_null();
        tags.append_value([Option::<&str>::None; 0]);
        RecordBatch::try_from_iter_with_nullable([
            ("id", Arc::new(StringArray::from(vec![Some("c,1"), Some(""), None])) as ArrayRef, true),
            ("N", Arc::new(Int64Array::from(vec![Some(1), None, Some(-3)])), true),
            ("x", Arc::new(Float64Array::from(vec![Some(10.0), Some(f64::NAN), Some(1e300)])), true),
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![0, 1_585_698_311_000_001, -1]).with_timezone("UTC")), true),
            ("deleted", Arc::new(BooleanArray::from(vec![true, false, false])), true),
            ("tags", Arc::new(tags.finish()), true),
            ("N", Arc::new(StringArray::from(vec!["line\nbreak", "esc\u{1b}[31m", "名前"])), true),
        ])
        .unwrap()
    }

    fn written(format: OutputFormat, width: Option<usize>, batches: &[RecordBatch]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = result_writer(format, &sample().schema(), width, &mut out).unwrap();
        for batch in batches {
            writer.write(batch).unwrap();
        }
        writer.finish().unwrap();
        out
    }

    fn text(format: OutputFormat, width: Option<usize>, batches: &[RecordBatch]) -> String {
        String::from_utf8(written(format, width, batches)).unwrap()
    }

    #[test]
    fn csv_reads_back_with_null_and_empty_apart() {
        let csv = text(OutputFormat::Csv, None, &[sample()]);
        insta::assert_snapshot!(csv.replace('\u{1b}', "<esc>"), @r#"
        id,N,x,at,deleted,tags,N
        "c,1",1,10.0,1970-01-01T00:00:00Z,true,"[""a,b"",""say \""x\""""]","line
        break"
        "",,NaN,2020-03-31T23:45:11.000001Z,false,,esc<esc>[31m
        ,-3,1e300,1969-12-31T23:59:59.999999Z,false,[],名前
        "#);
        let mut reader = ::csv::Reader::from_reader(csv.as_bytes());
        let rows: Vec<::csv::StringRecord> = reader.records().collect::<std::result::Result<_, _>>().unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!(&rows[0][6], "line\nbreak");
        assert_eq!(&rows[0][5], r#"["a,b","say \"x\""]"#);
    }

    #[test]
    fn json_is_one_array_over_many_batches() {
        let json = text(OutputFormat::Json, None, &[sample().slice(0, 1), sample().slice(1, 2)]);
        let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(rows.as_array().unwrap().len(), 3);
        assert_eq!(
            rows[0],
            serde_json::json!({"id": "c,1", "N": 1, "x": 10.0, "at": "1970-01-01T00:00:00Z", "deleted": true,
                "tags": ["a,b", "say \"x\""], "N_2": "line\nbreak"})
        );
        assert_eq!(rows[1]["x"], serde_json::Value::Null, "JSON has no NaN");
        assert_eq!(rows[1]["at"], "2020-03-31T23:45:11.000001Z");
        assert_eq!(rows[2]["id"], serde_json::Value::Null, "a null is written out");
        assert_eq!(json.lines().count(), 5, "one object a line");
        assert_eq!(text(OutputFormat::Json, None, &[]), "[]\n");
        let lines = text(OutputFormat::JsonLines, None, &[sample()]);
        assert_eq!(
            lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect::<Vec<_>>(),
            *rows.as_array().unwrap()
        );
        assert_eq!(text(OutputFormat::JsonLines, None, &[]), "");
    }

    #[test]
    fn parquet_reads_back_equal() {
        let file = written(OutputFormat::Parquet, None, &[sample(), sample()]);
        let read: Vec<RecordBatch> = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file))
            .unwrap()
            .build()
            .unwrap()
            .collect::<std::result::Result<_, _>>()
            .unwrap();
        let read = arrow::compute::concat_batches(&read[0].schema(), &read).unwrap();
        assert_eq!(read.num_rows(), 6);
        assert_eq!(read.schema().field(6).name(), "N_2");
        for column in [0, 1, 3, 4, 5, 6] {
            assert_eq!(&read.column(column).slice(3, 3), sample().column(column), "column {column}");
        }
        assert!(!written(OutputFormat::Parquet, None, &[]).is_empty(), "an empty result is a readable file");
    }

    #[test]
    fn the_table_lines_up_and_cannot_steer_the_terminal() {
        insta::assert_snapshot!(text(OutputFormat::Table, None, &[sample()]), @r#"
        id    N      x  at                           deleted  tags                 N
        c,1   1   10.0  1970-01-01T00:00:00Z         true     ["a,b","say \"x\""]  line\nbreak
              ∅    NaN  2020-03-31T23:45:11.000001Z  false    ∅                    esc\u{1b}[31m
        ∅    -3  1e300  1969-12-31T23:59:59.999999Z  false    []                   名前
        "#);
    }

    #[test]
    fn a_narrow_terminal_cuts_cells_but_no_row() {
        let narrow = text(OutputFormat::Table, Some(60), &[sample()]);
        assert_eq!(narrow.lines().count(), 4);
        for line in narrow.lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= 60, "{line}");
        }
        assert!(narrow.contains('…'));
        assert_eq!(text(OutputFormat::Table, None, &[]).lines().count(), 1, "the header stands over no rows too");
    }

    #[test]
    fn rows_after_the_first_thousand_are_written_too() {
        let batch = sample();
        let table = text(OutputFormat::Table, None, &vec![batch; 500]);
        assert_eq!(table.lines().count(), 1_501);
    }

    #[test]
    fn formats_are_known_by_name_and_by_file() {
        for format in OutputFormat::ALL {
            assert_eq!(format.as_str().parse::<OutputFormat>().unwrap(), format);
        }
        assert!("xml".parse::<OutputFormat>().unwrap_err().to_string().contains("csv"));
        assert_eq!(OutputFormat::from_file_name("out/a.PARQUET"), Some(OutputFormat::Parquet));
        assert_eq!(OutputFormat::from_file_name("noending"), None);
    }
}
