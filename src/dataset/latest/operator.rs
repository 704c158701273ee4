//! The operator that reads the winners' rows.
//!
//! Its input is the plan that chooses them; it runs once, whichever output partition asks first, and the others wait
//! for it. After that each partition reads its own share of the files, and of these the chosen rows alone.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::project_schema;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::datasource::physical_plan::parquet::ParquetRowSelection;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result as EngineResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::taken;
use super::winners::Winners;
use crate::dataset::scan::{FilesRead, SharedScan};

/// Reads the newest live rows.
#[derive(Debug)]
pub(super) struct LatestExec {
    scan: SharedScan,
    choice: Arc<dyn ExecutionPlan>,
    /// Positions of the wanted columns in the files.
    wanted: Vec<usize>,
    /// Rows that need not be returned; judged after the choice.
    predicate: Option<Arc<dyn PhysicalExpr>>,
    oldest: Option<i64>,
    /// Numbers of the files each partition reads. The unflushed rows come with the first.
    shares: Vec<Vec<usize>>,
    winners: Arc<OnceCell<Arc<Winners>>>,
    properties: Arc<PlanProperties>,
}

impl LatestExec {
    /// An operator over the plan that chooses.
    pub(super) fn new(
        scan: SharedScan,
        choice: Arc<dyn ExecutionPlan>,
        wanted: Vec<usize>,
        predicate: Option<Arc<dyn PhysicalExpr>>,
        oldest: Option<i64>,
        partitions: usize,
    ) -> EngineResult<Self> {
        let mut by_size: Vec<usize> = (0..scan.files().len()).collect();
        by_size.sort_by_key(|number| std::cmp::Reverse(scan.files()[*number].object().size));
        let mut shares = vec![Vec::new(); partitions.min(by_size.len()).max(1)];
        let count = shares.len();
        for (turn, number) in by_size.into_iter().enumerate() {
            shares[turn % count].push(number);
        }
        let schema = project_schema(scan.schema(), Some(&wanted))?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(count),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { scan, choice, wanted, predicate, oldest, shares, winners: Arc::default(), properties: Arc::new(properties) })
    }

    /// The snapshot, the wanted columns, the oldest record that still exists.
    #[cfg(feature = "cluster")]
    pub(super) fn parts(&self) -> (SharedScan, Vec<usize>, Option<i64>) {
        (self.scan.clone(), self.wanted.clone(), self.oldest)
    }

    fn wanted_schema(&self) -> SchemaRef {
        self.properties.eq_properties.schema().clone()
    }
}

/// Number of rows in a file: from the log, else from the file's own end.
async fn rows_of(scan: &SharedScan, number: usize) -> EngineResult<usize> {
    let file = &scan.files()[number];
    if let Some(statistics) = file.statistics() {
        return Ok(statistics.rows as usize);
    }
    let footer = DFParquetMetadata::new(scan.store().as_ref(), file.object()).fetch_metadata().await?;
    Ok(usize::try_from(footer.file_metadata().num_rows()).unwrap_or_default())
}

impl DisplayAs for LatestExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> = self.wanted.iter().map(|at| self.scan.schema().field(*at).name().as_str()).collect();
        write!(
            f,
            "LatestExec: group={}, files={}, unflushed={}, columns=[{}]",
            self.scan.group().name,
            self.scan.files().len(),
            self.scan.unflushed().num_rows(),
            columns.join(", ")
        )?;
        if let Some(predicate) = &self.predicate {
            write!(f, ", predicate={predicate}")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for LatestExec {
    fn name(&self) -> &'static str {
        "LatestExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.choice]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        self.predicate.as_ref().map_or(Ok(TreeNodeRecursion::Continue), visit)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let Some(choice) = children.pop() else { return Ok(self) };
        Ok(Arc::new(Self {
            choice,
            scan: self.scan.clone(),
            wanted: self.wanted.clone(),
            predicate: self.predicate.clone(),
            oldest: self.oldest,
            shares: self.shares.clone(),
            winners: Arc::default(),
            properties: self.properties.clone(),
        }))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> EngineResult<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> EngineResult<SendableRecordBatchStream> {
        let share = Share {
            scan: self.scan.clone(),
            files: self.shares.get(partition).cloned().unwrap_or_default(),
            takes_unflushed: partition == 0,
            wanted: self.wanted.clone(),
            predicate: self.predicate.clone(),
        };
        let (choice, cell, oldest) = (self.choice.clone(), self.winners.clone(), self.oldest);
        let places = self.scan.files().len() + 1;
        let rows = stream::once(async move {
            let found = async { Winners::find(choice, context.clone(), places, oldest).await.map(Arc::new) };
            let winners = cell.get_or_try_init(|| found).await?.clone();
            share.read(&winners, context).await
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.wanted_schema(), rows.try_flatten())))
    }
}

/// What one partition reads.
struct Share {
    scan: SharedScan,
    files: Vec<usize>,
    takes_unflushed: bool,
    wanted: Vec<usize>,
    predicate: Option<Arc<dyn PhysicalExpr>>,
}

impl Share {
    async fn read(self, winners: &Winners, context: Arc<TaskContext>) -> EngineResult<SendableRecordBatchStream> {
        let schema = project_schema(self.scan.schema(), Some(&self.wanted))?;
        let mut files = Vec::new();
        for number in self.files {
            if winners.is_any_in(number) {
                let selection = winners.selection(number, rows_of(&self.scan, number).await?);
                files.push(self.scan.partitioned_file(number).with_extension(ParquetRowSelection::new(selection)));
            }
        }
        let unflushed = self.scan.files().len();
        let late = if self.takes_unflushed && winners.is_any_in(unflushed) {
            Some(taken(self.scan.unflushed(), &self.wanted, &winners.rows(unflushed))?)
        } else {
            None
        };
        let late = stream::iter(late.map(Ok));
        if files.is_empty() {
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, late)));
        }
        let read = FilesRead {
            groups: vec![FileGroup::new(files)],
            columns: TableSchema::from(self.scan.schema()),
            projection: Some(self.wanted),
            predicate: self.predicate,
            limit: None,
            statistics: None,
        };
        let chosen = self.scan.read_files(&context.runtime_env(), read)?;
        let chosen: Arc<dyn ExecutionPlan> = chosen;
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, chosen.execute(0, context)?.chain(late))))
    }
}
