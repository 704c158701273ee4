//! The rows of a cluster's answer in files of the store, written by the workers: no row comes to the machine that asks.
//!
//! ```text
//! GlobalLimitExec               keeps the merge in its place
//!   CoalescePartitionsExec      what was written, one row for each file
//!     RowWriterExec             each partition: blocks of rows to files, hashed
//!       SortExec                by the rows' numbers
//!         RepartitionExec       by hash of the block
//!           PointInTimeExec     each part of the spine
//! ```
//!
//! An answer to a statement is written as its last stage has it: by one writer if it is in one partition, as it is if it has an order, by as many as
//! there are partitions else.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::internal_err;
use datafusion::error::Result as EngineResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalSortExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::StreamExt;

use super::distributable::in_one;
use super::join::in_its_order;
use super::reports::{WrittenPart, files_in};
use super::row_writer::{Layout, RowWriterExec, block_of, number_of};
use super::run::{LOOK_UP, StoredSpine, stored_join};
use super::{Cluster, config_for};
use crate::dataset::QueryEngine;
use crate::dataset::failure::from_engine;
use crate::dataset::point_in_time::operator::PointInTimeExec;
use crate::dataset::point_in_time::{JoinWatch, PointInTimeJoin};
use crate::dataset::row_files::{RowFile, RowFolder, WrittenRows};
use crate::dataset::session::{GroupSource, PlannedStatement, QueryOptions};
use crate::model::{Error, ErrorKind, Result};

/// How often rows are written at most where a worker is lost that has told of some.
const ATTEMPTS: usize = 3;

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
        let WrittenPart { mut files, mut matched } = planning.written(cluster, plan, watch).await?;
        files.sort_by_key(|file| file.number);
        check_whole(&files, spine.rows as u64, block_rows)?;
        matched.resize(uses, 0);
        watch.rows_written.store(spine.rows as u64, Ordering::Relaxed);
        Ok(WrittenRows { files, matched })
    }

    /// Runs a statement on a cluster, whose workers write the answer to an open folder in files of at most `file_rows` rows. In
    /// the order of their names they hold the rows in order, if it has one. An answer without rows has no files; its columns are
    /// returned.
    ///
    /// # Errors
    /// As [`Self::query_on`]; `Usage` for a statement that only explains another.
    pub async fn query_into(
        &self,
        cluster: Cluster,
        sql: &str,
        source: Arc<dyn GroupSource>,
        options: &QueryOptions,
        folder: (&RowFolder, u64),
    ) -> Result<(SchemaRef, Vec<RowFile>)> {
        let (planning, PlannedStatement { plan, explains, .. }) = self.planned_on(cluster, sql, source, options).await?;
        if explains {
            return Err(Error::usage("how a statement runs is not kept in the store").remedy("leave -o out"));
        }
        let schema = plan.schema();
        // What a bare merge would bring together is written where it is.
        let parts = match plan.downcast_ref::<CoalescePartitionsExec>() {
            Some(merge) if merge.fetch().is_none() => merge.input().clone(),
            _ => plan,
        };
        let (folder, block_rows) = folder;
        let is_one = parts.output_partitioning().partition_count() == 1;
        let rows = if is_one { in_its_order(parts) } else { parts };
        let layout = Layout { block_rows: block_rows.max(1), number: None, counts: 0, is_one };
        let writer = RowWriterExec::new(rows, folder.clone(), layout);
        let WrittenPart { mut files, .. } = planning.written(cluster, Arc::new(writer), &JoinWatch::default()).await?;
        files.sort_by_key(|file| file.number);
        Ok((schema, files))
    }

    /// What the writers of a plan report. No row of theirs is of use alone, so a worker that is lost with some is no end.
    async fn written(&self, cluster: Cluster, writers: Arc<dyn ExecutionPlan>, watch: &JoinWatch) -> Result<WrittenPart> {
        let plan = in_one(writers);
        let mut attempt = 1;
        loop {
            match watched(self.submitted(cluster, &plan)?, watch).await {
                Err(error) if error.kind() == ErrorKind::Conflict && attempt < ATTEMPTS => {
                    tracing::info!(%error, "the rows are written again");
                    attempt += 1;
                }
                reports => return files_in(&reports?),
            }
        }
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
    let layout = Layout { block_rows: block_rows.max(1), number: Some(position), counts, is_one: parts == 1 };
    let (number, block) = (number_of(columns, position), block_of(columns, layout));
    let (Some(number), Some(block)) = (number, block) else { return internal_err!("rows without numbers are of no block") };
    let parted = Arc::new(RepartitionExec::try_new(Arc::new(joined), Partitioning::Hash(vec![block], parts))?);
    let Some(order) = LexOrdering::new([PhysicalSortExpr::new_default(number)]) else { return internal_err!("an order without columns") };
    let sorted = Arc::new(SortExec::new(order, parted).with_preserve_partitioning(true));
    Ok(Arc::new(RowWriterExec::new(sorted, folder, layout)))
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
