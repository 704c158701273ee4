//! A group as a table: every record ever, those put a moment ago too.
//!
//! ```text
//! UnionExec
//!   DataSourceExec   the Parquet files that can matter; the reader skips row groups, pages and rows by the filter
//!   DataSourceExec   unflushed rows, in memory
//! ```
//!
//! A filter is only ever a help to the reader here: the engine applies it again above, so pruning can make a query
//! faster and never wrong.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, project_schema};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::expressions::Column as PhysicalColumn;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;

use super::instant_filters::on_instants;
use super::planning::{Asked, Planning, planned, scan_by_planning};
use super::scan::{FilesRead, SharedScan, balanced};

/// The names under which a statement knows columns, and the way back to the real ones.
#[derive(Debug, Clone)]
pub(super) struct SpelledColumns {
    real: SchemaRef,
    spelled: SchemaRef,
}

impl SpelledColumns {
    /// Spells the columns of a table.
    pub(super) fn new(real: SchemaRef, spell: impl Fn(&str) -> String) -> Self {
        let fields: Vec<_> = real.fields().iter().map(|field| field.as_ref().clone().with_name(spell(field.name()))).collect();
        Self { spelled: Arc::new(Schema::new(fields)), real }
    }

    /// The columns as the statement spells them.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.spelled
    }

    /// The columns as the table has them.
    pub(super) fn real_names(&self) -> impl Iterator<Item = &str> {
        self.real.fields().iter().map(|field| field.name().as_str())
    }

    /// Filters over the real names.
    pub(super) fn real_filters(&self, filters: &[Expr]) -> EngineResult<Vec<Expr>> {
        let rename = |expression: Expr| match &expression {
            Expr::Column(column) => match self.spelled.index_of(&column.name) {
                Ok(position) => Ok(Transformed::yes(Expr::Column(Column::from_name(self.real.field(position).name())))),
                Err(_) => Ok(Transformed::no(expression)),
            },
            _ => Ok(Transformed::no(expression)),
        };
        filters.iter().map(|filter| filter.clone().transform(rename).map(|renamed| renamed.data)).collect()
    }

    /// Puts the statement's names on a plan that has these columns of the table under their real names.
    pub(super) fn spell_plan(&self, plan: Arc<dyn ExecutionPlan>, projection: Option<&Vec<usize>>) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let wanted = project_schema(&self.spelled, projection)?;
        let have = plan.schema();
        let is_spelled = have.fields().iter().zip(wanted.fields()).all(|(have, want)| have.name() == want.name());
        if is_spelled {
            return Ok(plan);
        }
        let columns = have
            .fields()
            .iter()
            .zip(wanted.fields())
            .enumerate()
            .map(|(position, (have, want))| (Arc::new(PhysicalColumn::new(have.name(), position)) as _, want.name().clone()));
        let columns: Vec<(_, String)> = columns.collect();
        Ok(Arc::new(ProjectionExec::try_new(columns, plan)?))
    }
}

/// A group under its own name.
#[derive(Debug)]
pub(super) struct GroupTable {
    scan: SharedScan,
    columns: SpelledColumns,
}

impl GroupTable {
    /// A table over a snapshot.
    pub(super) fn new(scan: SharedScan, spell: impl Fn(&str) -> String) -> Self {
        let columns = SpelledColumns::new(scan.visible().clone(), |column| spell(scan.group().schema.name_of_column(column)));
        Self { scan, columns }
    }

    /// The group it shows.
    pub(super) fn group(&self) -> &str {
        self.scan.group().name.as_str()
    }

    /// The real names of its columns, in order.
    pub(super) fn column_names(&self) -> impl Iterator<Item = &str> {
        self.columns.real_names().map(|column| self.scan.group().schema.name_of_column(column))
    }

    fn planning(&self, asked: Asked<'_>) -> EngineResult<Planning<'static>> {
        let Asked { session, projection, filters, limit } = asked;
        let scan = &self.scan;
        let positions = projection.cloned().unwrap_or_else(|| (0..scan.visible().fields().len()).collect());
        let filters = on_instants(scan, self.columns.real_filters(filters)?)?;
        let predicate = scan.predicate(session, &filters)?;
        let files = scan.files_for(predicate.as_ref());

        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !files.is_empty() {
            let partitioned = files.iter().map(|number| scan.partitioned_file(*number)).collect();
            let read = FilesRead {
                groups: balanced(partitioned, session.config().target_partitions()),
                columns: TableSchema::from(scan.schema()),
                projection: Some(positions.clone()),
                // The engine pushes its filters down to the reader itself.
                predicate: None,
                limit,
                statistics: Some(scan.statistics(&files)),
            };
            inputs.push(scan.read_files(session.runtime_env(), read)?);
        }
        if scan.unflushed().num_rows() > 0 {
            inputs.push(MemorySourceConfig::try_new_exec(
                &[vec![scan.unflushed().clone()]],
                scan.schema().clone(),
                Some(positions.clone()),
            )?);
        }
        let plan: Arc<dyn ExecutionPlan> = match inputs.len() {
            0 => Arc::new(EmptyExec::new(project_schema(scan.schema(), Some(&positions))?)),
            1 => inputs.remove(0),
            _ => UnionExec::try_new(inputs)?,
        };
        Ok(planned(self.columns.spell_plan(plan, projection)))
    }
}

impl TableProvider for GroupTable {
    fn schema(&self) -> SchemaRef {
        self.columns.schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    scan_by_planning!();
}
