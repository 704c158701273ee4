//! The rows of a cluster's answer in files of the store, written by the workers: no row comes to the machine that asks.
//!
//! ```text
//! CoalescePartitionsExec    what was written, one row for each file
//!   RowWriterExec           each partition: blocks of rows to files, hashed
//!     SortExec              by the rows' numbers
//!       RepartitionExec     by hash of the block
//!         PointInTimeExec   each part of the spine
//! ```

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use datafusion::error::Result as EngineResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, lit};
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use futures::StreamExt;

use super::reports::{WrittenPart, files_in};
use super::row_writer::{Layout, RowWriterExec};
use super::run::{LOOK_UP, StoredSpine, stored_join};
use super::{Cluster, config_for};
use crate::dataset::QueryEngine;
use crate::dataset::failure::from_engine;
use crate::dataset::point_in_time::operator::PointInTimeExec;
use crate::dataset::point_in_time::{JoinWatch, PointInTimeJoin};
use crate::dataset::row_files::{RowFile, RowFolder, WrittenRows};
use crate::model::{Error, Result};

impl QueryEngine {
    /// Joins a stored spine on a cluster, whose workers write the rows: the same as [`PointInTimeJoin::run`] gives, in files of
    /// `block_rows` rows. The folder is open, and others may have left files there that are not among those returned.
    ///
    /// # Errors
    /// As [`Self::query_on`]; `Interrupted`.
    pub async fn join_into(
        &self,
        cluster: Cluster,
        join: &PointInTimeJoin,
        spine: &StoredSpine,
        folder: (&RowFolder, u64),
        watch: &JoinWatch,
    ) -> Result<WrittenRows> {
        let (folder, block_rows) = folder;
        watch.rows_to_write.store(spine.rows as u64, Ordering::Relaxed);
        let planning = self.with_config(move |config| config_for(cluster, config));
        let uses = join.snapshots().count();
        let blocks = (spine.rows as u64).div_ceil(block_rows.max(1)).max(1);
        let parts = usize::try_from(blocks).unwrap_or(usize::MAX).min(cluster.parts.max(1));
        let plan = in_blocks(stored_join(join, spine)?, folder.clone(), (block_rows, parts), uses).map_err(from_engine)?;
        let reports = watched(planning.submitted(cluster, &plan)?, watch).await?;
        let WrittenPart { mut files, mut matched } = files_in(&reports)?;
        files.sort_by_key(|file| (file.part, file.number));
        check_whole(&files, spine.rows as u64, block_rows)?;
        matched.resize(uses, 0);
        watch.rows_written.store(spine.rows as u64, Ordering::Relaxed);
        Ok(WrittenRows { files, matched })
    }
}

/// The rows of a join, written block by block in so many parts.
fn in_blocks(
    joined: PointInTimeExec,
    folder: RowFolder,
    (block_rows, parts): (u64, usize),
    counts: usize,
) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let (join, ..) = joined.parts();
    let (columns, _) = join.spine();
    let position = columns.fields().len().saturating_sub(1);
    let number = Arc::new(Column::new(columns.field(position).name(), position));
    let block = Arc::new(BinaryExpr::new(number.clone(), Operator::Divide, lit(block_rows)));
    let parted = Arc::new(RepartitionExec::try_new(Arc::new(joined), Partitioning::Hash(vec![block], parts))?);
    let sorted: Arc<dyn ExecutionPlan> = match LexOrdering::new([PhysicalSortExpr::new_default(number)]) {
        Some(order) => Arc::new(SortExec::new(order, parted).with_preserve_partitioning(true)),
        None => parted,
    };
    let layout = Layout { block_rows, number: Some(position), counts };
    Ok(Arc::new(CoalescePartitionsExec::new(Arc::new(RowWriterExec::new(sorted, folder, layout)))))
}

/// All rows of a stream, unless somebody stops it: then the work stops, too.
async fn watched(mut rows: SendableRecordBatchStream, watch: &JoinWatch) -> Result<Vec<RecordBatch>> {
    let mut found = Vec::new();
    loop {
        tokio::select! {
            batch = rows.next() => match batch {
                Some(batch) => found.push(batch.map_err(from_engine)?),
                None => return Ok(found),
            },
            () = tokio::time::sleep(LOOK_UP) => watch.check()?,
        }
    }
}

/// Refuses files that are not all blocks of so many rows, each once.
fn check_whole(files: &[RowFile], rows: u64, block_rows: u64) -> Result<()> {
    let expected = (0..).zip(files).all(|(number, file)| {
        let left = rows.saturating_sub(number * block_rows);
        file.number == number && file.rows == left.min(block_rows)
    });
    if expected && files.iter().map(|file| file.rows).sum::<u64>() == rows {
        return Ok(());
    }
    Err(Error::internal("the cluster's workers did not write each row once").why(format!("{} files for {rows} rows", files.len())))
}
