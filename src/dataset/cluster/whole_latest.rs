//! `"group$latest"` in one task.
//!
//! On one machine the partitions of the operator share what was chosen. Tasks of a cluster share nothing, so the choice and
//! the reading of the chosen rows are one leaf here: the worker that gets it plans both anew, from the same snapshot, and
//! uses its own cores.

use std::fmt;
use std::sync::Arc;

use datafusion::common::project_schema;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result as EngineResult;
use datafusion::execution::{SendableRecordBatchStream, SessionState, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execute_stream};
use futures::{TryStreamExt, stream};

use crate::dataset::latest;
use crate::dataset::scan::SharedScan;

/// Makes sessions that plan for the machine they are made on.
pub(super) type Sessions = Arc<dyn Fn() -> SessionState + Send + Sync>;

/// The newest live rows of a group.
pub(super) struct WholeLatestExec {
    pub(super) scan: SharedScan,
    /// Positions of the wanted columns in the files.
    pub(super) wanted: Vec<usize>,
    /// Records with an earlier event time do not exist any more.
    pub(super) oldest: Option<i64>,
    sessions: Sessions,
    properties: Arc<PlanProperties>,
}

impl WholeLatestExec {
    pub(super) fn new(scan: SharedScan, wanted: Vec<usize>, oldest: Option<i64>, sessions: Sessions) -> EngineResult<Self> {
        let schema = project_schema(scan.schema(), Some(&wanted))?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self { scan, wanted, oldest, sessions, properties: Arc::new(properties) })
    }
}

impl fmt::Debug for WholeLatestExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WholeLatestExec").field("scan", &self.scan).field("wanted", &self.wanted).finish_non_exhaustive()
    }
}

impl DisplayAs for WholeLatestExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WholeLatestExec: group={}, files={}", self.scan.group().name, self.scan.files().len())
    }
}

impl ExecutionPlan for WholeLatestExec {
    fn name(&self) -> &'static str {
        "WholeLatestExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> EngineResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> EngineResult<SendableRecordBatchStream> {
        let planning = latest::plan(&(self.sessions)(), self.scan.clone(), self.wanted.clone(), self.oldest)?;
        let rows = stream::once(async move { execute_stream(planning.await?, context) }).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.properties.eq_properties.schema().clone(), rows)))
    }
}
