//! Writing the rows of a dataset and hashing them on their way.

use std::io::Write;

use crate::dataset::content_hash::{ContentHash, ContentHasher};
use crate::dataset::{OutputFormat, result_writer, write_pieces};
use crate::model::Result;
use crate::store::datasets::JoinedStream;

/// Threads that put pieces together and encode them.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from)
}

/// Writes all rows and returns their hash. Blocks; stops with `Interrupted` if whoever watches the join says so.
pub(super) fn write_output(joined: JoinedStream, format: OutputFormat, out: impl Write + Send) -> Result<ContentHash> {
    let schema = joined.schema();
    let mut hasher = ContentHasher::new(&schema);
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

/// Hashes all rows without writing them. Blocks.
pub(super) fn hash_output(joined: JoinedStream) -> Result<ContentHash> {
    let mut hasher = ContentHasher::new(&joined.schema());
    let mut rows = joined.into_pieces();
    while let Some(piece) = rows.next_piece()? {
        hasher.add(&piece.assemble()?)?;
    }
    Ok(hasher.finish())
}
