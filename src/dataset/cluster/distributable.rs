//! Makes a plan of one machine one that can be cut into tasks.
//!
//! What shares memory between partitions must become one task, what only this machine has must be taken along:
//!
//! ```text
//! NumberedExec          opened, now that nothing is optimized any more
//! LatestExec            one task (see [`super::whole_latest`])
//! NestedLoopJoinExec    one task where rows of the left side without a match are answered: all partitions together know which
//! StreamingTableExec    its rows: uploaded tables, the names of tables
//! UnionExec             branches that do more than read are tasks of their own: those of a union get parts of it, and an
//!                       operator that gets none of its partitions may not know what to do
//! ```

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result as EngineResult;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::streaming::StreamingTableExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect, replace_children_if_necessary};

use super::numbered::NumberedExec;
use super::whole_latest::{Sessions, WholeLatestExec};
use crate::dataset::latest;

/// The same question as a plan that can be cut.
pub(super) async fn distributable(
    plan: Arc<dyn ExecutionPlan>,
    sessions: &Sessions,
    context: &Arc<TaskContext>,
) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let plan = plan
        .transform_down(|node| match node.downcast_ref::<NumberedExec>().and_then(NumberedExec::unsealed) {
            Some(unsealed) => Ok(Transformed::yes(Arc::new(unsealed) as Arc<dyn ExecutionPlan>)),
            None => Ok(Transformed::no(node)),
        })
        .map(|transformed| transformed.data)?;
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
        if node.is::<UnionExec>() {
            let branches = node.children().into_iter().map(|branch| own_stage(branch.clone())).collect();
            return replace_children_if_necessary(node, branches).map(Transformed::yes);
        }
        if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>()
            && answers_unmatched_left(*join.join_type())
            && join.right().output_partitioning().partition_count() > 1
        {
            let children = vec![join.left().clone(), in_one(join.right().clone())];
            return replace_children_if_necessary(node.clone(), children).map(Transformed::yes);
        }
        Ok(Transformed::no(node))
    })
    .map(|transformed| transformed.data)
}

/// A branch of a union, cut off unless it only reads.
fn own_stage(branch: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    if only_reads(branch.as_ref()) {
        return branch;
    }
    match branch.output_ordering().cloned() {
        Some(order) => Arc::new(SortPreservingMergeExec::new(order, branch)),
        None => Arc::new(CoalescePartitionsExec::new(branch)),
    }
}

/// Rows in one partition, and kept there: the scheduler plans the inputs of stages anew, and takes a bare merge away wherever the
/// operator above asks for none. A limit without a limit asks for one.
pub(super) fn in_one(rows: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    Arc::new(GlobalLimitExec::new(Arc::new(CoalescePartitionsExec::new(rows)), 0, None))
}

fn only_reads(plan: &dyn ExecutionPlan) -> bool {
    let reads = plan.children().is_empty() || plan.is::<ProjectionExec>() || plan.is::<FilterExec>() || plan.is::<CooperativeExec>();
    reads && plan.children().into_iter().all(|child| only_reads(child.as_ref()))
}

fn answers_unmatched_left(join: JoinType) -> bool {
    matches!(join, JoinType::Left | JoinType::Full | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark)
}
