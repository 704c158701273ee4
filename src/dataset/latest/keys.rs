//! The key of a row: one number that says which of two rows is newer and where the row lies.
//!
//! ```text
//! bit 255           192           128            64   63..40   39..1   0
//!     event time    invocation    write time          file     row     tombstone?
//! ```
//!
//! Times are microseconds with the sign turned so that bits compare as numbers do. The place makes keys unique and
//! settles ties; the last bit spares a second look at the row. The engine knows the key as a `Decimal256` and needs
//! nothing but its `max`.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Decimal256Array, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, SchemaRef, i256};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::provider_as_source;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result as EngineResult;
use datafusion::functions_aggregate::expr_fn::max;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TableProviderFilterPushDown,
    TableType, Volatility, ident, lit,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;
use parquet::arrow::RowNumber;

use crate::backend::offline::columns::{API_INVOCATION_TIME, IS_DELETED, WRITE_TIME};
use crate::dataset::instants::instants;
use crate::dataset::planning::{Asked, Planning, planned, planned_by, scan_by_planning};
use crate::dataset::scan::{FilesRead, SharedScan, balanced};

/// Columns added to those of the files: which file, and which row of it. No feature can bear such a name.
const FILE: &str = "__larder_file";
const ROW: &str = "__larder_row";

const ROW_BITS: u32 = 39;
const FILE_BITS: u32 = 24;

/// Type of a key.
const KEY: DataType = DataType::Decimal256(76, 0);

/// A key taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// Microseconds since 1970.
    pub(super) event_time: i64,
    /// Number of the file; the number of files stands for the unflushed rows.
    pub(super) file: usize,
    /// Number of the row in it.
    pub(super) row: usize,
    /// True for a tombstone.
    pub(super) is_deleted: bool,
}

impl Key {
    /// Reads a key.
    pub(super) fn read(key: i256) -> Self {
        let (low, high) = key.to_parts();
        let place = low as u64;
        Self {
            event_time: (high >> 64) as i64,
            file: (place >> (ROW_BITS + 1)) as usize,
            row: ((place >> 1) & ((1 << ROW_BITS) - 1)) as usize,
            is_deleted: place & 1 == 1,
        }
    }
}

/// Builds a key; none if a place is beyond what fits.
fn key(event_time: i64, invoked: i64, written: i64, file: i64, row: i64, is_deleted: bool) -> Option<i256> {
    let file = u64::try_from(file).ok().filter(|file| *file < 1 << FILE_BITS)?;
    let row = u64::try_from(row).ok().filter(|row| *row < 1 << ROW_BITS)?;
    let unsigned = |time: i64| u128::from(time.cast_unsigned() ^ (1 << 63));
    let place = file << (ROW_BITS + 1) | row << 1 | u64::from(is_deleted);
    let high = (i128::from(event_time) << 64) | unsigned(invoked).cast_signed();
    Some(i256::from_parts(unsigned(written) << 64 | u128::from(place), high))
}

/// The plan that yields the greatest key of each identifier, one column of them.
pub(super) fn choice(
    session: &dyn Session,
    scan: &SharedScan,
    on_identifier: &[Expr],
    oldest: Option<i64>,
) -> EngineResult<Planning<'static>> {
    let column = |position: usize| ident(scan.schema().field(position).name());
    let identifier = column(scan.identifier);
    let time = column(scan.instant.unwrap_or(scan.event_time));
    let arguments = match scan.instant {
        Some(_) => vec![time.clone(), ident(API_INVOCATION_TIME), ident(WRITE_TIME), ident(IS_DELETED), ident(FILE), ident(ROW)],
        None => vec![time.clone(), lit(0i64), lit(0i64), lit(false), ident(FILE), ident(ROW)],
    };
    let key = ScalarUDF::from(RecordKey { signature: Signature::any(arguments.len(), Volatility::Immutable) }).call(arguments);
    let rows = provider_as_source(Arc::new(KeyedRows::new(scan.clone())));
    let mut plan = LogicalPlanBuilder::scan("rows", rows, None)?.filter(identifier.clone().is_not_null())?;
    for filter in on_identifier {
        plan = plan.filter(filter.clone())?;
    }
    // What is too old now can't be the newest live row, and hides none that is: the ttl counts from the newest.
    if let (Some(oldest), Some(_)) = (oldest, scan.instant) {
        plan = plan.filter(time.gt_eq(lit(ScalarValue::TimestampMicrosecond(Some(oldest), Some("UTC".into())))))?;
    }
    let plan = plan.aggregate(vec![identifier], vec![max(key).alias("key")])?.project(vec![ident("key")])?.build()?;
    planned_by(session, plan)
}

/// The rows of a group with their places.
#[derive(Debug)]
struct KeyedRows {
    scan: SharedScan,
    columns: TableSchema,
}

impl KeyedRows {
    fn new(scan: SharedScan) -> Self {
        let file = Arc::new(Field::new(FILE, DataType::Int64, false));
        let row = Arc::new(Field::new(ROW, DataType::Int64, false).with_extension_type(RowNumber));
        let columns =
            TableSchema::builder(scan.schema().clone()).with_table_partition_cols(vec![file]).with_virtual_columns(vec![row]).build();
        Self { scan, columns }
    }

    fn unflushed(&self) -> EngineResult<RecordBatch> {
        let rows = self.scan.unflushed();
        let mut arrays = rows.columns().to_vec();
        arrays.push(Arc::new(Int64Array::from(vec![self.scan.files().len() as i64; rows.num_rows()])));
        arrays.push(Arc::new(Int64Array::from_iter_values(0..rows.num_rows() as i64)));
        Ok(RecordBatch::try_new(self.columns.table_schema().clone(), arrays)?)
    }

    fn planning(&self, asked: Asked<'_>) -> EngineResult<Planning<'static>> {
        let Asked { session, projection, filters, limit } = asked;
        let predicate = self.scan.predicate(session, filters)?;
        let files = self.scan.files_for(predicate.as_ref());
        let mut inputs: Vec<Arc<dyn ExecutionPlan>> = Vec::new();
        if !files.is_empty() {
            let partitioned = files
                .iter()
                .map(|number| self.scan.partitioned_file(*number).with_partition_values(vec![ScalarValue::Int64(Some(*number as i64))]))
                .collect();
            let read = FilesRead {
                groups: balanced(partitioned, session.config().target_partitions()),
                columns: self.columns.clone(),
                projection: projection.cloned(),
                predicate: None,
                limit,
                statistics: None,
            };
            inputs.push(self.scan.read_files(session.runtime_env(), read)?);
        }
        if self.scan.unflushed().num_rows() > 0 {
            let rows = self.unflushed()?;
            inputs.push(MemorySourceConfig::try_new_exec(&[vec![rows]], self.schema(), projection.cloned())?);
        }
        let plan: Arc<dyn ExecutionPlan> = match inputs.len() {
            0 => Arc::new(EmptyExec::new(datafusion::common::project_schema(&self.schema(), projection)?)),
            1 => inputs.remove(0),
            _ => UnionExec::try_new(inputs)?,
        };
        Ok(planned(Ok(plan)))
    }
}

impl TableProvider for KeyedRows {
    fn schema(&self) -> SchemaRef {
        self.columns.table_schema().clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    scan_by_planning!();
}

/// The function that builds keys from columns.
#[derive(Debug, PartialEq, Eq, Hash)]
struct RecordKey {
    signature: Signature,
}

impl ScalarUDFImpl for RecordKey {
    fn name(&self) -> &str {
        "larder_record_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(KEY)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [time, invoked, written, deleted, file, row] = arrays.as_slice() else {
            return exec_err!("a record key has six parts, not {}", arrays.len());
        };
        let time = instants(time)?.micros;
        let (invoked, written) = (cast(invoked, &DataType::Int64)?, cast(written, &DataType::Int64)?);
        let (invoked, written) = (invoked.as_primitive::<Int64Type>(), written.as_primitive::<Int64Type>());
        let (file, row) = (file.as_primitive::<Int64Type>(), row.as_primitive::<Int64Type>());
        let deleted: &BooleanArray = deleted.as_boolean();
        let mut keys = Vec::with_capacity(time.len());
        for at in 0..time.len() {
            // A row without event time is no record: it can never be the newest.
            if time.is_null(at) {
                keys.push(None);
                continue;
            }
            let built = key(
                time.value(at),
                or_least(invoked, at),
                or_least(written, at),
                file.value(at),
                row.value(at),
                deleted.is_valid(at) && deleted.value(at),
            );
            if built.is_none() {
                return exec_err!(
                    "file {} of the group, row {}: more files or rows than $latest can tell apart",
                    file.value(at),
                    row.value(at)
                );
            }
            keys.push(built);
        }
        Ok(ColumnarValue::Array(Arc::new(keys.into_iter().collect::<Decimal256Array>().with_data_type(KEY))))
    }
}

fn or_least(values: &Int64Array, at: usize) -> i64 {
    if values.is_null(at) { i64::MIN } else { values.value(at) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_order_as_records_do_and_can_be_read_back() {
        let parts = [
            (i64::MIN, 0, 0, 0, 0, false),
            (-1, 5, 5, 1, 1, true),
            (0, -1, 0, 0, 0, false),
            (0, 0, -1, 0, 0, false),
            (0, 0, 0, 0, 0, false),
            (0, 0, 0, 0, 1, true),
            (0, 0, 0, 0, (1 << ROW_BITS) - 1, false),
            (0, 0, 0, 1, 0, false),
            (0, 0, 0, (1 << FILE_BITS) - 1, 0, false),
            (0, 0, 1, 0, 0, false),
            (0, 1, 0, 0, 0, false),
            (0, i64::MAX, i64::MIN, 0, 0, false),
            (i64::MAX, i64::MIN, i64::MIN, 0, 0, true),
        ];
        let keys: Vec<i256> = parts.iter().map(|(e, i, w, f, r, d)| key(*e, *i, *w, *f, *r, *d).unwrap()).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        for (key, (event_time, _, _, file, row, is_deleted)) in keys.iter().zip(parts) {
            assert_eq!(Key::read(*key), Key { event_time, file: file as usize, row: row as usize, is_deleted });
        }
        assert_eq!(key(0, 0, 0, 1 << FILE_BITS, 0, false), None);
        assert_eq!(key(0, 0, 0, 0, 1 << ROW_BITS, false), None);
    }
}
