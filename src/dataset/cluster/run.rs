//! What an engine does on a cluster: statements, and the joins of training datasets.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::sum;
use arrow::datatypes::{SchemaRef, UInt64Type};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::StreamExt;
use object_store::ObjectMeta;
use tokio::runtime::Handle;

use super::codec::PlanCodec;
use super::distributable::distributable;
use super::files::{NoFiles, store_url};
use super::join::{joined, ordered};
use super::submit::submit;
use super::{Cluster, config_for, joining_by_hash, numbered};
use crate::dataset::QueryEngine;
use crate::dataset::failure::from_engine;
use crate::dataset::point_in_time::operator::PointInTimeExec;
use crate::dataset::point_in_time::{JoinWatch, JoinedBatches, JoinedRows, PointInTimeJoin};
use crate::dataset::session::{GroupSource, PlannedStatement, QueryOptions, QueryStream};
use crate::model::{Error, Result};

/// What the engine says where it has pushed an order below a join of sorted rows that can't keep it, as it does on a cluster. A join by
/// hash takes none.
const UNKEPT_ORDER: &str = "does not satisfy order requirements";
/// How long a join that nobody wants any more may go on unnoticed.
pub(super) const LOOK_UP: Duration = Duration::from_millis(50);

/// A spine that lies in files of the store, its rows numbered and divided into parts.
#[derive(Debug, Clone)]
pub struct StoredSpine {
    /// The files of each part; none is without any.
    pub parts: Vec<Vec<ObjectMeta>>,
    /// Rows of all of them.
    pub rows: usize,
}

/// The columns that the files of such a spine have.
pub fn stored_schema(spine: &SchemaRef) -> SchemaRef {
    numbered::with_number(spine)
}

/// A batch of a spine as it is stored; `from` is the number of its first row.
pub fn stored_rows(batch: &RecordBatch, from: u64, schema: &SchemaRef) -> Result<RecordBatch> {
    numbered::numbered(batch, from, schema).map_err(from_engine)
}

impl QueryEngine {
    /// Runs a statement on a cluster; rows come as the stream is polled, and the work stops when the stream is dropped.
    ///
    /// # Errors
    /// As [`Self::query`], and `Unavailable` if the cluster does not answer.
    pub async fn query_on(&self, cluster: Cluster, sql: &str, source: Arc<dyn GroupSource>, options: &QueryOptions) -> Result<QueryStream> {
        let (planning, PlannedStatement { plan, task, explains }) = self.planned_on(cluster, sql, source, options).await?;
        if explains {
            let rows = execute_stream(plan.clone(), task).map_err(from_engine)?;
            return Ok(self.stream(rows, plan, options.max_rows));
        }
        let rows = planning.submitted(cluster, &plan)?;
        Ok(self.stream(rows, plan, options.max_rows))
    }

    /// Plans a statement for a cluster, and with what settings; one that only explains is left as it is.
    pub(super) async fn planned_on(
        &self,
        cluster: Cluster,
        sql: &str,
        source: Arc<dyn GroupSource>,
        options: &QueryOptions,
    ) -> Result<(Self, PlannedStatement)> {
        let mut planning = self.with_config(move |config| config_for(cluster, config));
        let planned = match planning.physical(sql, source.clone(), options).await {
            Err(error) if error.to_string().contains(UNKEPT_ORDER) => {
                planning = self.with_config(move |config| joining_by_hash(config_for(cluster, config)));
                planning.physical(sql, source, options).await?
            }
            planned => planned?,
        };
        if planned.explains {
            return Ok((planning, planned));
        }
        let PlannedStatement { plan, task, explains } = planned;
        let plan = distributable(plan, &self.sessions(), &task).await.map_err(from_engine)?;
        Ok((planning, PlannedStatement { plan, task, explains }))
    }

    /// Joins a stored spine on a cluster: the same rows as [`PointInTimeJoin::run`] gives, in the same order.
    ///
    /// Returns at once; the rows come as they are read, on a thread that may block. What is `kept` goes when they do.
    ///
    /// # Errors
    /// As [`Self::query_on`].
    pub fn join_on(
        &self,
        cluster: Cluster,
        join: &PointInTimeJoin,
        spine: &StoredSpine,
        watch: &JoinWatch,
        kept: Box<dyn Any + Send>,
    ) -> Result<JoinedRows> {
        let planning = self.with_config(move |config| config_for(cluster, config));
        let plan = ordered(stored_join(join, spine)?).map_err(from_engine)?;
        let rows = planning.submitted(cluster, &plan)?;
        let schema = join.schema().clone();
        let matched: Arc<[AtomicU64]> = join.snapshots().map(|_| AtomicU64::new(0)).collect();
        let batches: JoinedBatches = Box::new(Rows {
            rows,
            runtime: Handle::current(),
            schema: schema.clone(),
            number: join.spine().0.fields().len(),
            matched: matched.clone(),
            watch: watch.clone(),
            _kept: kept,
        });
        Ok(JoinedRows::arriving(schema, spine.rows, batches, matched, watch.clone()))
    }

    pub(super) fn submitted(&self, cluster: Cluster, plan: &Arc<dyn ExecutionPlan>) -> Result<SendableRecordBatchStream> {
        let codec = PlanCodec::new(self.sessions(), Arc::new(NoFiles), self.join_options().clone());
        submit(cluster.scheduler, plan, (self.sessions())().config(), &codec)
    }
}

/// The join of a stored spine, which counts.
pub(super) fn stored_join(join: &PointInTimeJoin, spine: &StoredSpine) -> Result<PointInTimeExec> {
    let (columns, time) = join.spine();
    let stored = stored_schema(columns);
    let files = |part: &Vec<ObjectMeta>| part.iter().map(|file| PartitionedFile::new_from_meta(file.clone())).collect();
    let groups: Vec<FileGroup> = spine.parts.iter().map(|part| FileGroup::new(files(part))).collect();
    let source = Arc::new(ParquetSource::new(TableSchema::from(&stored)));
    let scan = FileScanConfigBuilder::new(store_url()?, source).with_file_groups(groups).build();
    let numbered = Arc::new(PointInTimeJoin::new(stored, time, join.groups(), join.options().clone())?);
    Ok(joined(DataSourceExec::from_data_source(scan), numbered, true))
}

/// The rows of a join as they come, without the columns that only the way needs.
struct Rows {
    rows: SendableRecordBatchStream,
    runtime: Handle,
    schema: SchemaRef,
    /// Position of the rows' numbers.
    number: usize,
    matched: Arc<[AtomicU64]>,
    watch: JoinWatch,
    /// Dropped last.
    _kept: Box<dyn Any + Send>,
}

impl Rows {
    fn of_dataset(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let (columns, counts) = batch.columns().split_at(batch.num_columns().saturating_sub(self.matched.len()));
        for (matched, counts) in self.matched.iter().zip(counts) {
            let counted = counts.as_primitive_opt::<UInt64Type>().and_then(sum).unwrap_or_default();
            matched.fetch_add(counted, Ordering::Relaxed);
        }
        let columns = columns.iter().enumerate().filter(|(position, _)| *position != self.number).map(|(_, column)| column.clone());
        RecordBatch::try_new(self.schema.clone(), columns.collect())
            .map_err(|error| Error::internal("rows of the cluster don't fit the training dataset").source(error))
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let (runtime, watch) = (self.runtime.clone(), self.watch.clone());
        let next = runtime.block_on(async {
            loop {
                tokio::select! {
                    batch = self.rows.next() => return Ok(batch),
                    () = tokio::time::sleep(LOOK_UP) => watch.check()?,
                }
            }
        });
        match next {
            Err(error) => Some(Err(error)),
            Ok(None) => None,
            Ok(Some(batch)) => Some(batch.map_err(from_engine).and_then(|batch| self.of_dataset(&batch))),
        }
    }
}
