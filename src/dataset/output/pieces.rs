//! A training dataset as a Parquet file, encoded on several threads.
//!
//! Each piece becomes one row group: a thread takes the next piece, puts it together, encodes its columns, and waits for
//! its turn to append them. So the bytes of the file depend on the rows alone, and memory is one piece a thread.
//!
//! Doubles and times are written plainly: a dictionary of them is rarely smaller than the doubles and takes longer to build than
//! everything else here together. Other columns have dictionaries, and pages are compressed with Zstandard at its fastest
//! level or not, as the caller says.

use std::io::Write;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::Compression;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;

use super::parquet::failed;
use crate::dataset::point_in_time::JoinedRows;
use crate::model::error::{Error, Result};

/// Where the pieces come from; their order is that in which they are taken.
struct Source {
    rows: JoinedRows,
    taken: usize,
    stopped: bool,
}

/// Where they go, one after another.
struct Sink<'a, W: Write + Send> {
    writer: SerializedFileWriter<W>,
    appended: usize,
    failed: bool,
    each: &'a mut (dyn FnMut(&RecordBatch) -> Result<()> + Send),
}

/// Writes a dataset as Parquet and returns what it was written to. `each` is shown every batch, in order, after it was
/// encoded.
pub fn write_pieces<W: Write + Send>(
    rows: JoinedRows,
    threads: usize,
    out: W,
    each: &mut (dyn FnMut(&RecordBatch) -> Result<()> + Send),
) -> Result<W> {
    let schema = rows.schema().clone();
    let properties = file_properties(&schema, rows.piece_rows());
    let writer = ArrowWriter::try_new(out, schema, Some(properties)).map_err(failed)?;
    let (writer, factory) = writer.into_serialized_writer().map_err(failed)?;
    let source = Mutex::new(Source { rows, taken: 0, stopped: false });
    let sink = (Mutex::new(Sink { writer, appended: 0, failed: false, each }), Condvar::new());
    let work = || {
        let done = encode(&source, &sink, &factory);
        if done.is_err() {
            source.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
            sink.0.lock().unwrap_or_else(PoisonError::into_inner).failed = true;
            sink.1.notify_all();
        }
        done
    };
    let results: Vec<Result<()>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let join = |worker: thread::ScopedJoinHandle<'_, Result<()>>| {
            worker.join().unwrap_or_else(|_| Err(Error::internal("a thread that writes the training dataset stopped")))
        };
        workers.into_iter().map(join).collect()
    });
    results.into_iter().collect::<Result<()>>()?;
    let sink = sink.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    sink.writer.into_inner().map_err(failed)
}

/// How the columns of a training dataset are written, in row groups of so many rows.
pub(in crate::dataset) fn file_properties(schema: &Schema, row_group_rows: usize) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(row_group_rows))
        .set_created_by(format!("larder {}", env!("CARGO_PKG_VERSION")));
    for field in
        schema.fields().iter().filter(|field| matches!(field.data_type(), DataType::Float64 | DataType::Float32 | DataType::Timestamp(..)))
    {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(field.name().as_str()), false);
    }
    properties.build()
}

/// What one thread does until there are no more pieces.
fn encode<W: Write + Send>(
    source: &Mutex<Source>,
    sink: &(Mutex<Sink<'_, W>>, Condvar),
    factory: &ArrowRowGroupWriterFactory,
) -> Result<()> {
    loop {
        let (number, piece) = {
            let mut source = source.lock().unwrap_or_else(PoisonError::into_inner);
            if source.stopped {
                return Ok(());
            }
            let Some(piece) = source.rows.next_piece()? else { return Ok(()) };
            source.taken += 1;
            (source.taken - 1, piece)
        };
        let batch = piece.assemble()?;
        let chunks = encoded(factory, number, &batch).map_err(failed)?;
        let turn = sink.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_waiting = |sink: &mut Sink<'_, W>| sink.appended != number && !sink.failed;
        let mut turn = sink.1.wait_while(turn, is_waiting).unwrap_or_else(PoisonError::into_inner);
        if turn.failed {
            return Ok(());
        }
        append(&mut turn.writer, chunks).map_err(failed)?;
        (turn.each)(&batch)?;
        turn.appended += 1;
        sink.1.notify_all();
    }
}

/// The columns of one row group, encoded.
fn encoded(factory: &ArrowRowGroupWriterFactory, number: usize, batch: &RecordBatch) -> ParquetResult<Vec<ArrowColumnChunk>> {
    let mut writers = factory.create_column_writers(number)?.into_iter();
    let mut chunks = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        for leaf in compute_leaves(field, column)? {
            let mut writer = writers.next().ok_or_else(|| ParquetError::General("a column has no writer".into()))?;
            writer.write(&leaf)?;
            chunks.push(writer.close()?);
        }
    }
    Ok(chunks)
}

fn append<W: Write + Send>(writer: &mut SerializedFileWriter<W>, chunks: Vec<ArrowColumnChunk>) -> ParquetResult<()> {
    let mut group = writer.next_row_group()?;
    for chunk in chunks {
        chunk.append_to_row_group(&mut group)?;
    }
    group.close()?;
    Ok(())
}
