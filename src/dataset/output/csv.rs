//! CSV by RFC 4180, with one addition that readers agree on: null is an empty field, an empty text is `""`.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::json::writer::EncoderOptions;

use super::cells::ColumnText;
use super::{ResultWriter, unwritable};
use crate::model::error::Result;

/// Writes CSV.
pub(super) struct CsvWriter<W> {
    out: W,
    options: EncoderOptions,
}

impl<W: Write> CsvWriter<W> {
    /// Starts with the header line.
    pub(super) fn new(schema: &Schema, mut out: W) -> Result<Self> {
        let mut header = String::new();
        for (position, field) in schema.fields().iter().enumerate() {
            if position > 0 {
                header.push(',');
            }
            push_field(&mut header, field.name());
        }
        header.push('\n');
        out.write_all(header.as_bytes()).map_err(unwritable)?;
        Ok(Self { out, options: EncoderOptions::default() })
    }
}

impl<W: Write> ResultWriter for CsvWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let mut columns = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, array)| ColumnText::new(field, array, &self.options))
            .collect::<Result<Vec<_>>>()?;
        let (mut lines, mut cell) = (String::new(), String::new());
        for row in 0..batch.num_rows() {
            for (position, column) in columns.iter_mut().enumerate() {
                if position > 0 {
                    lines.push(',');
                }
                cell.clear();
                if column.append(row, &mut cell) {
                    push_field(&mut lines, &cell);
                }
            }
            lines.push('\n');
        }
        self.out.write_all(lines.as_bytes()).map_err(unwritable)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.out.flush().map_err(unwritable)
    }
}

fn push_field(line: &mut String, text: &str) {
    if !text.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        line.push_str(text);
        return;
    }
    line.push('"');
    for (position, piece) in text.split('"').enumerate() {
        if position > 0 {
            line.push_str("\"\"");
        }
        line.push_str(piece);
    }
    line.push('"');
}
