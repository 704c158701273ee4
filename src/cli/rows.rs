//! Rows of an answer in the form that was asked for: an aligned table, CSV, one JSON array, or Parquet.
//!
//! Rows are written as they arrive, so an answer larger than memory is no trouble. A table needs its widths before its first row: they
//! are taken from the first [`ROWS_THAT_SET_WIDTHS`], and a wider cell that comes later is shown whole where nothing limits the line.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::WriterBuilder as JsonBuilder;
use arrow::json::writer::{JsonArray, Writer as JsonWriter};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::console::Page;
use super::exit::Failure;
use super::query::Format;
use super::table::{Side, Table, fitted};
use super::text::{NULL, harmless_json, visible};
use crate::model::Error;

const ROWS_THAT_SET_WIDTHS: usize = 1_000;

/// Where rows go; remembers why a write failed, which the writers between would reduce to text.
pub(crate) struct Sink<'a> {
    out: &'a mut (dyn Write + Send),
    failure: Option<io::Error>,
    page: Page,
}

impl<'a> Sink<'a> {
    /// Wraps the stream behind a page.
    pub(crate) fn new(out: &'a mut (dyn Write + Send), page: Page) -> Sink<'a> {
        Sink { out, failure: None, page }
    }

    /// Returns why the last write failed, if it did.
    pub(crate) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn remembered<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        done.map_err(|error| {
            let kind = error.kind();
            self.failure = Some(error);
            kind.into()
        })
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let done = self.out.write(bytes);
        self.remembered(done)
    }

    fn flush(&mut self) -> io::Result<()> {
        let done = self.out.flush();
        self.remembered(done)
    }
}

/// Writes batches in one form.
pub(crate) enum RowWriter<'s, 'a> {
    /// Aligned columns.
    Table(TableWriter<'s, 'a>),
    /// Comma-separated values.
    Csv {
        /// The writer.
        writer: Box<csv::Writer<&'s mut Sink<'a>>>,
        /// Whether a terminal must be spared.
        escapes: bool,
    },
    /// One array of objects.
    Json(JsonWriter<HarmlessJson<'s, 'a>, JsonArray>),
    /// Parquet.
    Parquet(Box<ArrowWriter<&'s mut Sink<'a>>>),
}

impl<'s, 'a> RowWriter<'s, 'a> {
    /// Starts the answer.
    pub(crate) fn start(format: Format, schema: &SchemaRef, sink: &'s mut Sink<'a>) -> Result<Self, Failure> {
        Ok(match format {
            Format::Table => RowWriter::Table(TableWriter::new(schema, sink)),
            Format::Csv => {
                let escapes = sink.page.is_terminal();
                let mut writer = Box::new(csv::Writer::from_writer(sink));
                for field in schema.fields() {
                    write_field(&mut writer, field.name(), escapes)?;
                }
                writer.write_record(None::<&[u8]>).map_err(unwritten)?;
                RowWriter::Csv { writer, escapes }
            }
            Format::Json => RowWriter::Json(JsonBuilder::new().with_explicit_nulls(true).build(HarmlessJson(sink))),
            Format::Parquet => {
                let level = ZstdLevel::try_new(3).map_err(unwritten)?;
                let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
                RowWriter::Parquet(Box::new(ArrowWriter::try_new(sink, schema.clone(), Some(properties)).map_err(unwritten)?))
            }
        })
    }

    /// Writes a batch.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        match self {
            RowWriter::Table(writer) => writer.write(batch),
            RowWriter::Csv { writer, escapes } => write_csv(writer, batch, *escapes),
            RowWriter::Json(writer) => writer.write(batch).map_err(unwritten),
            RowWriter::Parquet(writer) => writer.write(batch).map_err(unwritten),
        }
    }

    /// Ends the answer.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self {
            RowWriter::Table(mut writer) => writer.finish(),
            RowWriter::Csv { mut writer, .. } => writer.flush().map_err(unwritten),
            RowWriter::Json(mut writer) => {
                writer.finish().map_err(unwritten)?;
                writeln!(writer.into_inner()).map_err(unwritten)
            }
            RowWriter::Parquet(writer) => writer.close().map(|_| ()).map_err(unwritten),
        }
    }
}

/// The sink knows better why; this stands where the sink had no part in it.
fn unwritten(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::Error(Error::invalid("the rows can't be written in this form").source(error).remedy("choose another --format"))
}

/// Writes JSON so that nothing in it steers a terminal.
pub(crate) struct HarmlessJson<'s, 'a>(&'s mut Sink<'a>);

impl Write for HarmlessJson<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.page {
            Page::Plain => self.0.write(bytes),
            Page::Terminal { .. } => {
                let text = String::from_utf8_lossy(bytes);
                self.0.write_all(harmless_json(&text).as_bytes())?;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn write_field(writer: &mut csv::Writer<&mut Sink<'_>>, field: &str, escapes: bool) -> Result<(), Failure> {
    let done = if escapes { writer.write_field(visible(field).as_bytes()) } else { writer.write_field(field) };
    done.map_err(unwritten)
}

fn write_csv(writer: &mut csv::Writer<&mut Sink<'_>>, batch: &RecordBatch, escapes: bool) -> Result<(), Failure> {
    let options = FormatOptions::default();
    let columns = formatters(batch, &options).map_err(unwritten)?;
    let mut cell = String::new();
    for row in 0..batch.num_rows() {
        for column in &columns {
            cell.clear();
            column.value(row).write(&mut cell).map_err(unwritten)?;
            write_field(writer, &cell, escapes)?;
        }
        writer.write_record(None::<&[u8]>).map_err(unwritten)?;
    }
    Ok(())
}

fn formatters<'b>(batch: &'b RecordBatch, options: &'b FormatOptions<'b>) -> Result<Vec<ArrayFormatter<'b>>, ArrowError> {
    batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), options)).collect()
}

/// Writes batches as aligned columns.
pub(crate) struct TableWriter<'s, 'a> {
    sink: &'s mut Sink<'a>,
    table: Table,
    rows: usize,
    widths: Option<Vec<usize>>,
}

impl<'s, 'a> TableWriter<'s, 'a> {
    fn new(schema: &SchemaRef, sink: &'s mut Sink<'a>) -> Self {
        let columns: Vec<(&str, Side)> = schema.fields().iter().map(|field| (field.name().as_str(), side_of(field.data_type()))).collect();
        TableWriter { sink, table: Table::new(&columns).keeping_empty_columns(), rows: 0, widths: None }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let options = FormatOptions::default().with_null(NULL);
        let columns = formatters(batch, &options).map_err(unwritten)?;
        for row in 0..batch.num_rows() {
            self.table.row(columns.iter().map(|column| column.value(row).to_string()));
            self.rows += 1;
            if self.rows >= ROWS_THAT_SET_WIDTHS {
                self.write_rows()?;
            }
        }
        Ok(())
    }

    fn write_rows(&mut self) -> Result<(), Failure> {
        let page = self.sink.page;
        let widths = match self.widths.take() {
            Some(widths) => widths,
            None => {
                let widths = fitted(self.table.natural_widths(), page.width());
                self.table.write_heading(self.sink, page.style(), &widths).map_err(unwritten)?;
                widths
            }
        };
        self.table.write_rows(self.sink, &widths, page.is_terminal()).map_err(unwritten)?;
        self.widths = Some(widths);
        self.table.clear_rows();
        self.rows = 0;
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        if self.rows > 0 || self.widths.is_none() {
            self.write_rows()?;
        }
        Ok(())
    }
}

fn side_of(kind: &DataType) -> Side {
    if kind.is_numeric() { Side::Right } else { Side::Left }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, StringArray, TimestampMicrosecondArray};
    use arrow::datatypes::Float64Type;

    use super::*;

    fn sample() -> RecordBatch {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("name", Arc::new(StringArray::from(vec![Some("a,b"), None, Some("esc\u{1b}[0m\u{9b}1m")]))),
            ("count(*)", Arc::new(Int64Array::from(vec![Some(35_612), Some(0), None]))),
            ("mean", Arc::new(Float64Array::from(vec![0.5, 10.0, 1e300]))),
            ("at", Arc::new(TimestampMicrosecondArray::from(vec![0, 1_500_000, 2_000_000]).with_timezone("UTC"))),
            (
                "v",
                Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(vec![Some(vec![Some(0.1), Some(2.0)]), None, Some(vec![])])),
            ),
        ];
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
    }

    fn written(format: Format, batches: &[RecordBatch], page: Page) -> Vec<u8> {
        let mut bytes: Vec<u8> = Vec::new();
        let mut sink = Sink::new(&mut bytes, page);
        let mut writer = RowWriter::start(format, &sample().schema(), &mut sink).unwrap();
        for batch in batches {
            writer.write(batch).unwrap();
        }
        writer.finish().unwrap();
        bytes
    }

    fn text(format: Format, batches: &[RecordBatch]) -> String {
        String::from_utf8(written(format, batches, Page::Plain)).unwrap()
    }

    #[test]
    fn no_form_steers_a_terminal() {
        for format in [Format::Table, Format::Csv, Format::Json] {
            let shown = String::from_utf8(written(
                format,
                &[sample()],
                Page::Terminal { width: 200, style: crate::cli::console::Style::default() },
            ))
            .unwrap();
            assert!(!shown.contains('\u{1b}') && !shown.contains('\u{9b}'), "{format:?}: {shown:?}");
        }
    }

    #[test]
    fn every_form_holds_the_same_rows() {
        insta::assert_snapshot!(text(Format::Table, &[sample()]), @r"
        name                  count(*)   mean  at                        v
        a,b                      35612    0.5  1970-01-01T00:00:00Z      [0.1, 2.0]
        ∅                            0   10.0  1970-01-01T00:00:01.500Z  ∅
        esc\u{1b}[0m\u{9b}1m         ∅  1e300  1970-01-01T00:00:02Z      []
        ");
        assert_eq!(
            text(Format::Csv, &[sample()]),
            "name,count(*),mean,at,v\n\"a,b\",35612,0.5,1970-01-01T00:00:00Z,\"[0.1, 2.0]\"\n,0,10.0,1970-01-01T00:00:01.500Z,\n\
             esc\u{1b}[0m\u{9b}1m,,1e300,1970-01-01T00:00:02Z,[]\n"
        );
        let rows: serde_json::Value = serde_json::from_str(&text(Format::Json, &[sample()])).unwrap();
        assert_eq!(
            rows[0],
            serde_json::json!({"name": "a,b", "count(*)": 35612, "mean": 0.5, "at": "1970-01-01T00:00:00Z", "v": [0.1, 2.0]})
        );
        assert_eq!(rows[1]["name"], serde_json::Value::Null);
        assert_eq!(rows[2]["name"], "esc\u{1b}[0m\u{9b}1m");
        let parquet = written(Format::Parquet, &[sample()], Page::Plain);
        let mut batches = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(bytes::Bytes::from(parquet), 100).unwrap();
        assert_eq!(batches.next().unwrap().unwrap(), sample());
    }

    #[test]
    fn an_answer_without_rows_still_has_its_frame() {
        assert_eq!(text(Format::Table, &[]), "name  count(*)  mean  at  v\n");
        assert_eq!(text(Format::Csv, &[]), "name,count(*),mean,at,v\n");
        assert_eq!(text(Format::Json, &[]), "[]\n");
        assert!(!written(Format::Parquet, &[], Page::Plain).is_empty());
    }

    #[test]
    fn a_long_table_is_written_piece_by_piece_under_one_heading() {
        let many: Vec<RecordBatch> = std::iter::repeat_n(sample(), 1_500).collect();
        let table = text(Format::Table, &many);
        assert_eq!(table.lines().count(), 4_501);
        assert_eq!(table.lines().filter(|line| line.starts_with("name")).count(), 1);
    }

    #[test]
    fn the_reason_of_a_failed_write_is_kept() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(io::ErrorKind::StorageFull.into())
            }
        }
        for format in [Format::Table, Format::Csv, Format::Json, Format::Parquet] {
            let mut full = Full;
            let mut sink = Sink::new(&mut full, Page::Plain);
            let failed = RowWriter::start(format, &sample().schema(), &mut sink).and_then(|mut writer| {
                writer.write(&sample())?;
                writer.finish()
            });
            assert!(failed.is_err(), "{format:?}");
            assert_eq!(sink.take_failure().map(|error| error.kind()), Some(io::ErrorKind::StorageFull), "{format:?}");
        }
    }
}
