//! Parquet, Zstandard-compressed.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{ResultWriter, renamed, unwritable, with_unique_names};
use crate::model::error::{Error, Result};

/// Rows a row group holds: what the writer keeps in memory, encoded, before it writes.
const ROW_GROUP_ROWS: usize = 256 * 1024;

/// Writes one Parquet file.
pub(super) struct ParquetWriter<W: Write + Send> {
    schema: SchemaRef,
    writer: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// Starts a file.
    pub(super) fn new(schema: &Schema, out: W) -> Result<Self> {
        let schema = with_unique_names(schema);
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(failed)?;
        Ok(Self { schema, writer })
    }
}

impl<W: Write + Send> ResultWriter for ParquetWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = renamed(batch, &self.schema)?;
        self.writer.write(&batch).map_err(failed)
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.writer.finish().map_err(failed)?;
        self.writer.inner_mut().flush().map_err(unwritable)
    }
}

pub(in crate::dataset) fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => unwritable(*error),
            Err(source) => Error::new(crate::model::error::ErrorKind::Io, "can't write the result").source(source),
        },
        error => Error::usage("the result has a column that Parquet can't hold").source(error).remedy("cast it to another type"),
    }
}
