//! Makes a plan of one machine one that can be cut into tasks.
//!
//! What shares memory between partitions must become one task, what only this machine has must be taken along:
//!
//! ```text
//! LatestExec            one task (see [`super::whole_latest`])
//! NestedLoopJoinExec    one task where rows of the left side without a match are answered: all partitions together know which
//! StreamingTableExec    its rows: uploaded tables, the names of tables
//! CooperativeExec       gone: a task is stopped by its worker
//! ```

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result as EngineResult;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::streaming::StreamingTableExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect, replace_children_if_necessary};

use super::whole_latest::{Sessions, WholeLatestExec};
use crate::dataset::latest;

/// The same question as a plan that can be cut.
pub(super) async fn distributable(
    plan: Arc<dyn ExecutionPlan>,
    sessions: &Sessions,
    context: &Arc<TaskContext>,
) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let mut streamed: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
    plan.apply(|node| {
        if node.is::<StreamingTableExec>() {
            streamed.push(node.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut taken_along: Vec<(Arc<dyn ExecutionPlan>, Arc<dyn ExecutionPlan>)> = Vec::with_capacity(streamed.len());
    for table in streamed {
        let rows = collect(table.clone(), context.clone()).await?;
        let schema = table.schema();
        taken_along.push((table, MemorySourceConfig::try_new_exec(&[rows], schema, None)?));
    }
    plan.transform_up(|node| {
        if let Some((_, rows)) = taken_along.iter().find(|(table, _)| Arc::ptr_eq(table, &node)) {
            return Ok(Transformed::yes(rows.clone()));
        }
        if let Some((scan, wanted, oldest)) = latest::parts_of(node.as_ref()) {
            let whole = WholeLatestExec::new(scan, wanted, oldest, sessions.clone())?;
            return Ok(Transformed::yes(Arc::new(CoalescePartitionsExec::new(Arc::new(whole))) as _));
        }
        if node.is::<CooperativeExec>() {
            let inner = node.children().first().map(|inner| (*inner).clone());
            return Ok(inner.map_or_else(|| Transformed::no(node), Transformed::yes));
        }
        if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>()
            && answers_unmatched_left(*join.join_type())
            && join.right().output_partitioning().partition_count() > 1
        {
            let right: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(join.right().clone()));
            let children = vec![join.left().clone(), right];
            return replace_children_if_necessary(node.clone(), children).map(Transformed::yes);
        }
        Ok(Transformed::no(node))
    })
    .map(|transformed| transformed.data)
}

fn answers_unmatched_left(join: JoinType) -> bool {
    matches!(join, JoinType::Left | JoinType::Full | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark)
}
