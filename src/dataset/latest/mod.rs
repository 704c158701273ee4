//! `"group$latest"`: the newest live record of each identifier, as the online store would answer at this moment.
//!
//! Newest is the greatest (event time, api invocation time, write time, position), where position is the row's place:
//! files in order, rows in order, unflushed rows last. Rows of one load can be equal in all three times; then the later
//! row of the input is the newer one, and files keep the input's order. A record whose newest row is a tombstone, or
//! older than the group's ttl, does not exist.
//!
//! Two passes over the files, so that memory depends on the number of identifiers and not on the width of records:
//!
//! ```text
//! 1  identifier, times, place  -> the greatest key per identifier   (an ordinary aggregate: parallel, spills)
//!                              -> one bit per row: is it a winner?  [`winners`]
//! 2  the wanted columns of the rows whose bit is set                [`operator`]
//! ```
//!
//! The key of a row is one 256-bit number ([`keys`]), so that the engine's `max` compares rows without knowing why.

mod keys;
mod operator;
mod winners;

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions, UInt64Array};
use arrow::datatypes::{Fields, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};

use self::operator::LatestExec;
use super::planning::{Asked, Planning, scan_by_planning};
use super::scan::SharedScan;
use super::table::SpelledColumns;
use crate::backend::offline::columns::{API_INVOCATION_TIME, IS_DELETED, WRITE_TIME};
use crate::model::time::EventTime;

/// The newest live records of a group.
#[derive(Debug)]
pub(super) struct LatestTable {
    scan: SharedScan,
    /// Positions of the table's columns among those of the files.
    positions: Vec<usize>,
    columns: SpelledColumns,
    /// Records with an earlier event time, in microseconds since 1970, do not exist any more.
    oldest: Option<i64>,
}

impl LatestTable {
    /// A table over a snapshot, judged at an instant.
    pub(super) fn new(scan: SharedScan, now: EventTime, spell: impl Fn(&str) -> String) -> Self {
        let is_plumbing = |name: &str| name == API_INVOCATION_TIME || name == IS_DELETED;
        let positions: Vec<usize> = match scan.instant {
            Some(_) => (0..scan.visible().fields().len()).filter(|at| !is_plumbing(scan.visible().field(*at).name())).collect(),
            None => (0..scan.visible().fields().len()).collect(),
        };
        debug_assert!(scan.instant.is_none() || scan.visible().index_of(WRITE_TIME).is_ok());
        let fields: Fields = positions.iter().map(|at| scan.visible().fields()[*at].clone()).collect();
        let columns = SpelledColumns::new(Arc::new(Schema::new(fields)), |column| spell(scan.group().schema.name_of_column(column)));
        let oldest = scan.group().ttl().map(|ttl| {
            let length = i64::try_from(ttl.seconds()).unwrap_or(i64::MAX).saturating_mul(1_000_000);
            now.unix_micros().saturating_sub(length)
        });
        Self { scan, positions, columns, oldest }
    }

    /// The group it shows.
    pub(super) fn group(&self) -> &str {
        self.scan.group().name.as_str()
    }

    /// The real names of its columns, in order.
    pub(super) fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.real_names().map(|column| self.scan.group().schema.name_of_column(column))
    }

    /// The plan that chooses, and over it what reads the chosen rows.
    fn planning(&self, asked: Asked<'_>) -> EngineResult<Planning<'static>> {
        let Asked { session, projection, filters, .. } = asked;
        let filters = self.columns.real_filters(filters)?;
        // Only a filter on the identifier may come before the choice of the newest: any other would choose among
        // the rows it lets through.
        let identifier = self.scan.schema().field(self.scan.identifier).name();
        let on_identifier: Vec<Expr> = filters
            .iter()
            .filter(|filter| {
                let used = filter.column_refs();
                !used.is_empty() && used.iter().all(|column| column.name == *identifier)
            })
            .cloned()
            .collect();
        let choice = keys::choice(session, &self.scan, &on_identifier, self.oldest)?;
        let wanted: Vec<usize> = match projection {
            Some(projection) => projection.iter().map(|at| self.positions[*at]).collect(),
            None => self.positions.clone(),
        };
        let predicate = self.scan.predicate(session, &filters)?;
        let partitions = session.config().target_partitions();
        let (scan, oldest, columns, projection) = (self.scan.clone(), self.oldest, self.columns.clone(), projection.cloned());
        Ok(Box::pin(async move {
            let plan = LatestExec::new(scan, choice.await?, wanted, predicate, oldest, partitions)?;
            columns.spell_plan(Arc::new(plan), projection.as_ref())
        }))
    }
}

impl TableProvider for LatestTable {
    fn schema(&self) -> SchemaRef {
        self.columns.schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    scan_by_planning!();
}

/// The plan of the newest live rows of a snapshot; `wanted` are positions of columns in the files.
#[cfg(feature = "cluster")]
pub(super) fn plan(
    session: &dyn datafusion::catalog::Session,
    scan: SharedScan,
    wanted: Vec<usize>,
    oldest: Option<i64>,
) -> EngineResult<Planning<'static>> {
    let choice = keys::choice(session, &scan, &[], oldest)?;
    let partitions = session.config().target_partitions();
    Ok(Box::pin(async move {
        let plan: Arc<dyn datafusion::physical_plan::ExecutionPlan> =
            Arc::new(LatestExec::new(scan, choice.await?, wanted, None, oldest, partitions)?);
        Ok(plan)
    }))
}

/// What such an operator reads: the snapshot, the wanted columns, the oldest record that still exists.
#[cfg(feature = "cluster")]
pub(super) fn parts_of(plan: &dyn datafusion::physical_plan::ExecutionPlan) -> Option<(SharedScan, Vec<usize>, Option<i64>)> {
    plan.downcast_ref::<LatestExec>().map(LatestExec::parts)
}

/// Rows of a batch by their numbers, of some columns.
fn taken(batch: &RecordBatch, columns: &[usize], rows: &UInt64Array) -> EngineResult<RecordBatch> {
    let batch = batch.project(columns)?;
    let arrays = batch.columns().iter().map(|column| arrow::compute::take(column, rows, None)).collect::<Result<Vec<_>, _>>()?;
    // Without columns the number of rows has to be told: `count(*)` asks for none.
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(batch.schema(), arrays, &options)?)
}
