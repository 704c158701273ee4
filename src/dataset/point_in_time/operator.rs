//! The join as an operator of the SQL engine: its input is the spine, its output the dataset.
//!
//! Each partition of the input is joined by itself, and rows keep their order within it. With one partition, which is what
//! the SQL function asks for on one machine, that is the order of the spine; partitioned by record identifier, as a cluster
//! has it, every partition looks only into its own identifiers. Asked to count, it adds a column for each use of a group: the
//! first row of a partition tells how many of its rows found a record, all others tell 0, so that a sum over them is the
//! number for the whole. The join blocks, so it runs on a thread that may; dropping the
//! output stops it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::StreamExt;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::{JoinWatch, PointInTimeJoin};
use crate::dataset::failure::{from_engine, into_engine};
use crate::model::{Error, Result};

/// Batches that may wait on either side of the join.
const WAITING: usize = 4;
/// What the columns that count are called, each with the number of its use of a group.
const MATCHED: &str = "__larder_matched_";

/// Joins the rows of its input with the history of groups.
#[derive(Debug)]
pub(in crate::dataset) struct PointInTimeExec {
    spine: Arc<dyn ExecutionPlan>,
    join: Arc<PointInTimeJoin>,
    /// Whether the input may come in partitions by identifier.
    by_identifier: bool,
    /// Whether it tells how many rows found a record.
    counts: bool,
    properties: Arc<PlanProperties>,
}

impl PointInTimeExec {
    /// An operator over a spine whose columns are those the join was made for.
    pub(in crate::dataset) fn new(spine: Arc<dyn ExecutionPlan>, join: Arc<PointInTimeJoin>, by_identifier: bool, counts: bool) -> Self {
        let partitions = if by_identifier { spine.output_partitioning().partition_count() } else { 1 };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(output_schema(&join, counts)),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { spine, join, by_identifier, counts, properties: Arc::new(properties) }
    }

    /// The column that the first group is looked up by. Which part a row is in is a matter of speed alone, so a spine that has
    /// several such columns is parted by one of them.
    pub(in crate::dataset) fn identifier(join: &PointInTimeJoin) -> Option<Arc<dyn PhysicalExpr>> {
        let first = join.groups.first()?.spine_id;
        Some(Arc::new(Column::new(join.spine.field(first).name(), first)))
    }

    /// The join, whether its input may come in partitions, and whether it counts.
    #[cfg(feature = "cluster")]
    pub(in crate::dataset) fn parts(&self) -> (&Arc<PointInTimeJoin>, bool, bool) {
        (&self.join, self.by_identifier, self.counts)
    }
}

impl DisplayAs for PointInTimeExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> = self.join.groups.iter().map(|group| group.scan.group().name.to_string()).collect();
        write!(f, "PointInTimeExec: time={}, groups=[{}]", self.join.spine.field(self.join.time).name(), groups.join(", "))
    }
}

impl ExecutionPlan for PointInTimeExec {
    fn name(&self) -> &'static str {
        "PointInTimeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.spine]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        match Self::identifier(&self.join) {
            Some(identifier) if self.by_identifier => vec![Distribution::KeyPartitioned(vec![identifier])],
            _ => vec![Distribution::SinglePartition],
        }
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        // Parts are sorted by the rows' numbers after the join; a sort before it would be in vain.
        vec![!self.by_identifier]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![self.by_identifier]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let Some(spine) = children.pop() else { return Ok(self) };
        Ok(Arc::new(Self::new(spine, self.join.clone(), self.by_identifier, self.counts)))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> EngineResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> EngineResult<SendableRecordBatchStream> {
        let watch = JoinWatch::default();
        let stop = StopOnDrop(watch.cancel.clone());
        let spine = self.spine.execute(partition, context)?;
        let (feed, rows) = mpsc::channel(WAITING);
        let (sender, found) = mpsc::channel(WAITING);
        let schema = self.properties.eq_properties.schema().clone();
        let (join, counted) = (self.join.clone(), self.counts.then(|| schema.clone()));
        let joined = futures::stream::once(async move {
            // Started with the first poll, on the runtime that polls.
            let runtime = Handle::current();
            let feeding = runtime.spawn(pass_on(spine, feed));
            runtime.clone().spawn_blocking(move || blocking_join(&join, rows, counted.as_ref(), &runtime, &watch, &sender));
            (feeding, found, stop)
        });
        let batches = joined.flat_map(|(feeding, found, stop)| {
            futures::stream::unfold((feeding, found, stop), |(feeding, mut found, stop)| async move {
                let batch: Result<RecordBatch> = found.recv().await?;
                Some((batch.map_err(into_engine), (feeding, found, stop)))
            })
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// The columns of the dataset, and those that count.
fn output_schema(join: &PointInTimeJoin, counts: bool) -> SchemaRef {
    if !counts {
        return join.schema().clone();
    }
    let counted = (0..join.groups.len()).map(|number| Arc::new(Field::new(format!("{MATCHED}{number}"), DataType::UInt64, false)));
    Arc::new(Schema::new(join.schema().fields().iter().cloned().chain(counted).collect::<Vec<_>>()))
}

/// Adds the columns that count to a batch; `matched` is what the first of its rows tells.
fn counted(batch: &RecordBatch, matched: &[u64], schema: &SchemaRef) -> Result<RecordBatch> {
    let told = |matched: &u64| {
        let first = std::iter::once(*matched).chain(std::iter::repeat(0));
        Arc::new(UInt64Array::from_iter_values(first.take(batch.num_rows()))) as ArrayRef
    };
    let columns = batch.columns().iter().cloned().chain(matched.iter().map(told)).collect();
    RecordBatch::try_new(schema.clone(), columns).map_err(|error| Error::internal("rows can't be counted").source(error))
}

/// Stops the join when nobody wants its rows any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn pass_on(mut spine: SendableRecordBatchStream, feed: mpsc::Sender<std::result::Result<RecordBatch, DataFusionError>>) {
    while let Some(batch) = spine.next().await {
        // The join has failed, or nobody wants its rows.
        if feed.send(batch).await.is_err() {
            return;
        }
    }
}

fn blocking_join(
    join: &PointInTimeJoin,
    mut rows: mpsc::Receiver<std::result::Result<RecordBatch, DataFusionError>>,
    with_counts: Option<&SchemaRef>,
    runtime: &Handle,
    watch: &JoinWatch,
    sender: &mpsc::Sender<Result<RecordBatch>>,
) {
    let schema: SchemaRef = join.spine.clone();
    let retyped = |batch: RecordBatch| {
        RecordBatch::try_new(schema.clone(), batch.columns().to_vec())
            .map_err(|error| Error::internal("the spine's rows don't fit its columns").source(error))
    };
    let spine = std::iter::from_fn(|| rows.blocking_recv()).map(|batch| batch.map_err(from_engine).and_then(retyped));
    let mut found = match join.run(spine, runtime, watch) {
        Ok(found) => found,
        Err(error) => {
            // Nobody to tell if the receiver is gone.
            let _ = sender.blocking_send(Err(error));
            return;
        }
    };
    let mut matched = found.matched();
    loop {
        let mut batch = found.next_piece().and_then(|piece| piece.map(super::Piece::assemble).transpose());
        if let Some(schema) = with_counts {
            batch = batch.and_then(|batch| batch.map(|batch| counted(&batch, &matched, schema)).transpose());
            matched.fill(0);
        }
        let is_error = batch.is_err();
        let Some(batch) = batch.transpose() else { return };
        if sender.blocking_send(batch).is_err() || is_error {
            return;
        }
    }
}
