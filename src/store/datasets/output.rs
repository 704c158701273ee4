//! Writing the rows of a dataset and hashing them on their way. `block_rows` are those of a block of the hash.

use std::io::Write;

use tokio::runtime::Handle;

use crate::dataset::content_hash::{ContentHash, ContentHasher};
use crate::dataset::point_in_time::JoinedRows;
use crate::dataset::row_files::{RowFilesWriter, RowFolder, WrittenRows};
use crate::dataset::{OutputFormat, result_writer, write_pieces};
use crate::model::Result;
use crate::store::datasets::JoinedStream;

/// Threads that put pieces together and encode them.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Writes all rows and returns their hash. Blocks; stops with `Interrupted` if whoever watches the join says so.
pub(super) fn write_output(joined: JoinedStream, format: OutputFormat, out: impl Write + Send, block_rows: u64) -> Result<ContentHash> {
    let schema = joined.schema();
    let mut hasher = ContentHasher::with_blocks(&schema, block_rows);
    if format == OutputFormat::Parquet {
        write_pieces(joined.into_pieces(), threads(), out, &mut |batch| hasher.add(batch))?.flush().map_err(crate::dataset::unwritable)?;
        return Ok(hasher.finish());
    }
    let mut writer = result_writer(format, &schema, None, out)?;
    let mut rows = joined.into_pieces();
    while let Some(piece) = rows.next_piece()? {
        let batch = piece.assemble()?;
        writer.write(&batch)?;
        hasher.add(&batch)?;
    }
    writer.finish()?;
    Ok(hasher.finish())
}

/// Writes all rows to a folder, a file for each block. Blocks, as [`write_output`] does.
pub(super) fn write_files(mut rows: JoinedRows, folder: &RowFolder, block_rows: u64, runtime: &Handle) -> Result<WrittenRows> {
    let mut files = RowFilesWriter::new(folder.clone(), rows.schema().clone(), block_rows, true);
    while let Some(piece) = rows.next_piece()? {
        runtime.block_on(files.add(&piece.assemble()?))?;
    }
    Ok(WrittenRows { files: runtime.block_on(files.finish())?, matched: rows.matched() })
}

/// Hashes all rows without writing them. Blocks.
pub(super) fn hash_output(joined: JoinedStream, block_rows: u64) -> Result<ContentHash> {
    let mut hasher = ContentHasher::with_blocks(&joined.schema(), block_rows);
    let mut rows = joined.into_pieces();
    while let Some(piece) = rows.next_piece()? {
        hasher.add(&piece.assemble()?)?;
    }
    Ok(hasher.finish())
}
