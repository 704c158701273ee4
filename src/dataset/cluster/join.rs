//! The plan of a point-in-time join in parts.
//!
//! ```text
//! SortPreservingMergeExec   by the rows' numbers: the spine's order
//!   SortExec                each part
//!     PointInTimeExec       each part: looks only for its own identifiers
//!       RepartitionExec     by hash of the identifier
//!         rows of the spine with their numbers
//! ```
//!
//! A spine that lies in the store was divided when it was written there, and is not repartitioned.

use std::sync::Arc;

use datafusion::common::internal_err;
use datafusion::error::Result as EngineResult;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalSortExpr};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::numbered::NumberedExec;
use crate::dataset::point_in_time::PointInTimeJoin;
use crate::dataset::point_in_time::operator::PointInTimeExec;

/// A spine of any plan with the numbers of its rows as last column, closed to optimizers.
pub(in crate::dataset) fn numbered_spine(spine: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    Arc::new(NumberedExec::new(in_its_order(spine)).sealed())
}

/// The rows of a plan in one partition, in their order if they have one.
///
/// The plan is a stage of its own, which nobody plans anew: below a merge the scheduler leaves plans as they are, and a merge of
/// one partition passes rows on in their order, whatever it says it goes by.
pub(super) fn in_its_order(rows: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    let is_one = rows.output_partitioning().partition_count() == 1;
    let first = rows.schema().fields().first().map(|field| Column::new(field.name(), 0));
    let order = first.and_then(|column| LexOrdering::new([PhysicalSortExpr::new_default(Arc::new(column))]));
    match order {
        Some(order) if is_one => Arc::new(SortPreservingMergeExec::new(order, rows)),
        _ => Arc::new(CoalescePartitionsExec::new(rows)),
    }
}

/// The join of such a spine, in its order. The numbers stay where the join was told they are: last of the spine's columns.
pub(in crate::dataset) fn ordered_join(
    spine: Arc<dyn ExecutionPlan>,
    join: Arc<PointInTimeJoin>,
    parts: usize,
    counts: bool,
) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let Some(identifier) = PointInTimeExec::identifier(&join) else { return internal_err!("a join without groups has no parts") };
    let parted = RepartitionExec::try_new(spine, Partitioning::Hash(vec![identifier], parts))?;
    ordered(joined(Arc::new(parted), join, counts))
}

/// The join of a spine that is divided already, part by part.
pub(super) fn joined(parts: Arc<dyn ExecutionPlan>, join: Arc<PointInTimeJoin>, counts: bool) -> PointInTimeExec {
    PointInTimeExec::new(parts, join, true, counts)
}

/// The parts of a join, put together in the order of the rows' numbers.
pub(super) fn ordered(joined: PointInTimeExec) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let (join, ..) = joined.parts();
    let (columns, _) = join.spine();
    let number = columns.fields().len().saturating_sub(1);
    let number = Column::new(columns.field(number).name(), number);
    let Some(order) = LexOrdering::new([PhysicalSortExpr::new_default(Arc::new(number))]) else {
        return internal_err!("an order without columns");
    };
    let sorted = SortExec::new(order.clone(), Arc::new(joined)).with_preserve_partitioning(true);
    Ok(Arc::new(SortPreservingMergeExec::new(order, Arc::new(sorted))))
}
