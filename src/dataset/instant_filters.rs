//! Filters on a group's event time, as filters on the hidden instant of its files.
//!
//! A file's log entry tells between which instants its records lie, but a filter like
//! `from_iso8601_timestamp(event_time) >= …` names another column and a function. The function gives just that instant,
//! so for deciding which files to read it is replaced by the hidden column. The filter that is applied to rows stays as
//! it is written; here a file can only be left out.

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::Expr;

use super::functions::{FROM_ISO8601_TIMESTAMP, FROM_UNIXTIME, TRY};
use super::scan::Scan;
use crate::backend::offline::columns::EVENT_TIME;

/// The filters, over the instant where they ask for the time of a record.
pub(super) fn on_instants(scan: &Scan, filters: Vec<Expr>) -> EngineResult<Vec<Expr>> {
    if scan.instant.is_none() {
        return Ok(filters);
    }
    let event_time = scan.schema().field(scan.event_time).name();
    let instant = |expression: Expr| match &expression {
        Expr::ScalarFunction(call) => {
            let name = call.name();
            let reads_time = [FROM_ISO8601_TIMESTAMP, FROM_UNIXTIME].contains(&name.strip_prefix(TRY).unwrap_or(name));
            match call.args.as_slice() {
                [Expr::Column(column)] if reads_time && column.name == *event_time => {
                    Ok(Transformed::yes(Expr::Column(Column::from_name(EVENT_TIME))))
                }
                _ => Ok(Transformed::no(expression)),
            }
        }
        _ => Ok(Transformed::no(expression)),
    };
    filters.into_iter().map(|filter| filter.transform_up(instant).map(|filter| filter.data)).collect()
}
