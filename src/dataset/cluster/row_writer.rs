//! Writes the rows of its input to files of the store and answers what it wrote: one row for each file.
//!
//! Rows with numbers are those of a training dataset: a partition of the input has whole blocks of them, sorted, and each block
//! becomes a file whose columns are hashed on the way. Rows without are an answer to a statement: a partition becomes as many
//! files as it takes. That no number is missing or comes twice is checked here, where the rows are, and by whoever puts the files
//! together.

use std::fmt;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, UInt64Array};
use arrow::compute::sum;
use arrow::datatypes::{Schema, UInt64Type};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as EngineResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, lit};
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, Partitioning, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::StreamExt;

use super::reports::{WrittenPart, report, schema_of_reports};
use crate::dataset::content_hash::cut;
use crate::dataset::failure::{from_engine, into_engine};
use crate::dataset::row_files::{RowFilesWriter, RowFolder};
use crate::model::{Error, Result};

/// How the rows of an input are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Rows of a file, but for the last.
    pub(super) block_rows: u64,
    /// Position of the rows' numbers; none if they have none.
    pub(super) number: Option<usize>,
    /// Columns at the end that count rows and are not written.
    pub(super) counts: usize,
    /// Whether all rows come in one partition, in an order that is kept.
    pub(super) is_one: bool,
}

/// The column of the rows' numbers.
pub(super) fn number_of(schema: &Schema, position: usize) -> Option<Arc<dyn PhysicalExpr>> {
    Some(Arc::new(Column::new(schema.fields().get(position)?.name(), position)))
}

/// The number of a row's block; none where rows have no numbers.
pub(super) fn block_of(schema: &Schema, layout: Layout) -> Option<Arc<dyn PhysicalExpr>> {
    let number = number_of(schema, layout.number?)?;
    Some(Arc::new(BinaryExpr::new(number, Operator::Divide, lit(layout.block_rows))))
}

/// Writes the rows of its input.
#[derive(Debug)]
pub(super) struct RowWriterExec {
    input: Arc<dyn ExecutionPlan>,
    pub(super) folder: RowFolder,
    pub(super) layout: Layout,
    properties: Arc<PlanProperties>,
}

impl RowWriterExec {
    pub(super) fn new(input: Arc<dyn ExecutionPlan>, folder: RowFolder, layout: Layout) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema_of_reports()),
            Partitioning::UnknownPartitioning(input.output_partitioning().partition_count()),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { input, folder, layout, properties: Arc::new(properties) }
    }
}

impl DisplayAs for RowWriterExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowWriterExec: folder={}", self.folder.path())
    }
}

impl ExecutionPlan for RowWriterExec {
    fn name(&self) -> &'static str {
        "RowWriterExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![match block_of(&self.input.schema(), self.layout) {
            _ if self.layout.is_one => Distribution::SinglePartition,
            Some(block) => Distribution::KeyPartitioned(vec![block]),
            None => Distribution::UnspecifiedDistribution,
        }]
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        let number = self.layout.number.and_then(|position| number_of(&self.input.schema(), position));
        let order = number.and_then(|number| LexOrdering::new([PhysicalSortExpr::new_default(number)]));
        vec![order.map(OrderingRequirements::from)]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
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
        Ok(Arc::new(Self::new(input, self.folder.clone(), self.layout)))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> EngineResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> EngineResult<SendableRecordBatchStream> {
        let mut rows = self.input.execute(partition, context)?;
        let mut writing = Writing::new(self.folder.clone(), self.layout, &self.input.schema());
        let written = async move {
            while let Some(batch) = rows.next().await {
                writing.add(&batch.map_err(from_engine)?).await?;
            }
            report(&writing.finish().await?)
        };
        let reported = futures::stream::once(async move { written.await.map_err(into_engine) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema_of_reports(), reported)))
    }
}

/// One partition on its way into files.
struct Writing {
    layout: Layout,
    /// Positions of the columns that are written.
    columns: Vec<usize>,
    files: RowFilesWriter,
    matched: Vec<u64>,
}

impl Writing {
    fn new(folder: RowFolder, layout: Layout, input: &Schema) -> Self {
        let end = input.fields().len().saturating_sub(layout.counts);
        let columns: Vec<usize> = (0..end).filter(|column| Some(*column) != layout.number).collect();
        let fields: Vec<_> = columns.iter().map(|column| input.field(*column).clone()).collect();
        let files = RowFilesWriter::new(folder, Arc::new(Schema::new(fields)), layout.block_rows, layout.number.is_some());
        Self { layout, columns, files, matched: vec![0; layout.counts] }
    }

    async fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        let unfit = |error| Error::internal("rows of the cluster don't fit their file").source(error);
        let counts = batch.columns().iter().rev().take(self.layout.counts).rev();
        for (matched, counts) in self.matched.iter_mut().zip(counts) {
            *matched += counts.as_primitive_opt::<UInt64Type>().and_then(sum).unwrap_or_default();
        }
        for piece in cut(batch, self.files.held(), self.layout.block_rows) {
            if let Some(position) = self.layout.number {
                self.find_block(&piece, position)?;
            }
            self.files.add(&piece.project(&self.columns).map_err(unfit)?).await?;
        }
        Ok(())
    }

    /// Goes to the block of rows that begin one, and refuses those that are not the next of theirs.
    fn find_block(&mut self, piece: &RecordBatch, position: usize) -> Result<()> {
        let numbers = piece.column(position).as_primitive_opt::<UInt64Type>();
        if self.files.held() == 0 {
            let first = numbers.and_then(|numbers| numbers.values().first()).copied().unwrap_or_default();
            self.files.go_on_at(first / self.layout.block_rows);
        }
        check_numbers(numbers, self.files.number() * self.layout.block_rows + self.files.held())
    }

    async fn finish(self) -> Result<WrittenPart> {
        Ok(WrittenPart { files: self.files.finish().await?, matched: self.matched })
    }
}

/// Refuses rows that are not one after another from this number on.
fn check_numbers(numbers: Option<&UInt64Array>, first: u64) -> Result<()> {
    let is_whole = numbers.is_some_and(|numbers| (first..).zip(numbers.values()).all(|(expected, number)| *number == expected));
    if is_whole { Ok(()) } else { Err(Error::internal(format!("rows are missing or came twice at row {first} of a training dataset"))) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, Int64Array};
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::physical_plan::collect;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::super::reports::files_in;
    use super::*;
    use crate::dataset::content_hash::{BlockDigests, ContentHash, ContentHasher};

    const LAYOUT: Layout = Layout { block_rows: 4, number: Some(1), counts: 1, is_one: false };

    fn batch(numbers: &[u64]) -> RecordBatch {
        let values: Int64Array = numbers.iter().map(|number| Some(*number as i64 * 7)).collect();
        let counts: UInt64Array = numbers.iter().map(|number| u64::from(number % 3 == 0)).collect::<Vec<_>>().into();
        RecordBatch::try_from_iter([
            ("value", Arc::new(values) as ArrayRef),
            ("number", Arc::new(UInt64Array::from(numbers.to_vec()))),
            ("matched", Arc::new(counts)),
        ])
        .unwrap()
    }

    async fn written(partitions: &[Vec<RecordBatch>], layout: Layout) -> EngineResult<WrittenPart> {
        let folder = RowFolder::new(Arc::new(InMemory::new()), Path::from("rows"));
        folder.open().await.unwrap();
        let rows = MemorySourceConfig::try_new_exec(partitions, batch(&[]).schema(), None)?;
        let reports = collect(Arc::new(RowWriterExec::new(rows, folder, layout)), Arc::new(TaskContext::default())).await?;
        Ok(files_in(&reports).unwrap())
    }

    #[tokio::test]
    async fn blocks_written_apart_have_the_hash_of_all_rows() {
        // Two partitions with whole blocks each; batches end elsewhere.
        let partitions = [vec![batch(&[0, 1, 2]), batch(&[3, 8]), batch(&[9])], vec![batch(&[4, 5, 6, 7])]];
        let mut found = written(&partitions, LAYOUT).await.unwrap();
        found.files.sort_by_key(|file| file.number);
        assert_eq!(found.files.iter().map(|file| (file.number, file.rows)).collect::<Vec<_>>(), [(0, 4), (1, 4), (2, 2)]);
        assert_eq!(found.matched, [4], "0, 3, 6 and 9");
        let rows = batch(&(0..10).collect::<Vec<u64>>()).project(&[0]).unwrap();
        let mut hasher = ContentHasher::with_blocks(&rows.schema(), 4);
        hasher.add(&rows).unwrap();
        let blocks: Vec<&BlockDigests> = found.files.iter().map(|file| file.digests.as_ref().unwrap()).collect();
        assert_eq!(ContentHash::of_blocks(&rows.schema(), 4, blocks).unwrap(), hasher.finish());
    }

    #[tokio::test]
    async fn rows_that_are_missing_or_come_twice_are_refused() {
        for wrong in [&[0u64, 1, 3][..], &[0, 0, 1], &[1, 2], &[0, 1, 2, 3, 5]] {
            let error = written(&[vec![batch(wrong)]], LAYOUT).await.unwrap_err();
            assert!(error.to_string().contains("came twice"), "{wrong:?}: {error}");
        }
    }

    #[tokio::test]
    async fn each_partition_of_an_answer_has_files_of_its_own() {
        let partitions = [vec![batch(&[5, 1, 9]), batch(&[2, 2, 7])], vec![], vec![batch(&[3])]];
        let found = written(&partitions, Layout { block_rows: 4, number: None, counts: 0, is_one: false }).await.unwrap();
        let mut places: Vec<_> = found.files.iter().map(|file| (file.number, file.rows, file.digests.is_some())).collect();
        places.sort_unstable();
        assert_eq!(places, [(0, 1, false), (0, 4, false), (1, 2, false)]);
    }
}
