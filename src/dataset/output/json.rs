//! JSON: one array with an object a line, or the lines alone.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::json::writer::LineDelimited;
use arrow::json::{Writer, WriterBuilder};

use super::{ResultWriter, renamed, unwritable, with_unique_names};
use crate::model::error::{Error, Result};

/// Writes JSON or JSON lines.
pub(super) struct JsonWriter<W> {
    out: W,
    schema: SchemaRef,
    encoder: Writer<Vec<u8>, LineDelimited>,
    is_array: bool,
    has_rows: bool,
}

impl<W: Write> JsonWriter<W> {
    /// One array.
    pub(super) fn array(schema: &Schema, out: W) -> Self {
        Self::new(schema, out, true)
    }

    /// One object a line.
    pub(super) fn lines(schema: &Schema, out: W) -> Self {
        Self::new(schema, out, false)
    }

    fn new(schema: &Schema, out: W, is_array: bool) -> Self {
        let encoder = WriterBuilder::new().with_explicit_nulls(true).build(Vec::new());
        Self { out, schema: with_unique_names(schema), encoder, is_array, has_rows: false }
    }
}

impl<W: Write> ResultWriter for JsonWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.encoder
            .write(&renamed(batch, &self.schema)?)
            .map_err(|error| Error::usage("the result has a column that JSON can't hold").source(error).remedy("cast it to text"))?;
        let lines = self.encoder.get_mut();
        if !self.is_array {
            self.out.write_all(lines).map_err(unwritable)?;
        } else {
            // A line break inside a text is escaped, so each line is one whole object.
            for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let before: &[u8] = if self.has_rows { b",\n" } else { b"[\n" };
                self.has_rows = true;
                self.out.write_all(before).and_then(|()| self.out.write_all(line)).map_err(unwritable)?;
            }
        }
        lines.clear();
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        if self.is_array {
            let end: &[u8] = if self.has_rows { b"\n]\n" } else { b"[]\n" };
            self.out.write_all(end).map_err(unwritable)?;
        }
        self.out.flush().map_err(unwritable)
    }
}
