//! Numbers the rows of a spine, so that they can be put back in order after a join in parts.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as EngineResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::StreamExt;

/// The column that holds the numbers, counted from 0. It is the last.
pub const ROW_NUMBER: &str = "__larder_number";

/// The columns of a spine with the one of numbers.
pub(in crate::dataset) fn with_number(schema: &Schema) -> SchemaRef {
    let number = Arc::new(Field::new(ROW_NUMBER, DataType::UInt64, false));
    Arc::new(Schema::new(schema.fields().iter().cloned().chain([number]).collect::<Vec<_>>()))
}

/// A batch with the numbers of its rows, of which the first is `from`.
pub(super) fn numbered(batch: &RecordBatch, from: u64, schema: &SchemaRef) -> EngineResult<RecordBatch> {
    let numbers = UInt64Array::from_iter_values(from..from + batch.num_rows() as u64);
    let columns = batch.columns().iter().cloned().chain([Arc::new(numbers) as _]).collect();
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// Adds the numbers to its input, which comes in one partition.
#[derive(Debug)]
pub(super) struct NumberedExec {
    input: Arc<dyn ExecutionPlan>,
    /// Whether the input is hidden. Until a plan is complete, an optimizer that saw it would take away or loosen a sort that
    /// nothing above it seems to need: the numbers say the order from here on.
    is_sealed: bool,
    properties: Arc<PlanProperties>,
}

impl NumberedExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(with_number(&input.schema())),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { input, is_sealed: false, properties: Arc::new(properties) }
    }

    /// The same with its input hidden.
    pub(super) fn sealed(self) -> Self {
        Self { is_sealed: true, ..self }
    }

    /// The same with its input open, if it was hidden.
    pub(super) fn unsealed(&self) -> Option<Self> {
        self.is_sealed.then(|| Self::new(self.input.clone()))
    }
}

impl DisplayAs for NumberedExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NumberedExec")
    }
}

impl ExecutionPlan for NumberedExec {
    fn name(&self) -> &'static str {
        "NumberedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        if self.is_sealed { Vec::new() } else { vec![&self.input] }
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition; self.children().len()]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true; self.children().len()]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.children().len()]
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
        let Some(input) = children.pop() else { return Ok(self) };
        Ok(Arc::new(Self::new(input)))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> EngineResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> EngineResult<SendableRecordBatchStream> {
        let schema = self.properties.eq_properties.schema().clone();
        let (with, mut next) = (schema.clone(), 0u64);
        let rows = self.input.execute(partition, context)?.map(move |batch| {
            let batch = numbered(&batch?, next, &with)?;
            next += batch.num_rows() as u64;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{AsArray, Int64Array};
    use arrow::datatypes::UInt64Type;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_plan::collect;

    use super::*;

    #[tokio::test]
    async fn numbers_go_on_from_batch_to_batch() {
        let schema: SchemaRef = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
        let batch = |ids: Vec<Option<i64>>| RecordBatch::try_new(schema.clone(), vec![Arc::new(Int64Array::from(ids))]).unwrap();
        let batches = vec![batch(vec![Some(7), None]), batch(vec![]), batch(vec![Some(7)])];
        let rows = MemorySourceConfig::try_new_exec(&[batches], schema.clone(), None).unwrap();
        let found = collect(Arc::new(NumberedExec::new(rows)), Arc::new(TaskContext::default())).await.unwrap();
        let numbers: Vec<u64> = found.iter().flat_map(|batch| batch.column(1).as_primitive::<UInt64Type>().values().to_vec()).collect();
        assert_eq!(numbers, [0, 1, 2]);
    }
}
