//! Which files of a group can hold rows that a predicate lets through.
//!
//! Bounds come from the table's log: per file and column the smallest and largest value and the number of nulls. They
//! may be loose, never wrong, and an absent one means "unknown", so leaving a file out is always safe. The predicate is
//! compared with the bounds of the very column it names: an event time kept as text is compared as text, because that
//! is what the user's comparison does too. One that reads the event time as an instant is compared with the bounds of the
//! hidden instant (see `instant_filters`), which are taken a little wider: the instant was made from the number as it was
//! written, the comparison sees the double it became.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use crate::backend::offline::bounds::{Bound, ColumnBounds, FileStatistics};
use crate::backend::offline::columns::EVENT_TIME;

/// Microseconds by which bounds of the instant are wider than they are told: more than two doubles of seconds lie apart
/// in the year 9999.
const WIDER: i64 = 100;

/// Returns for each file whether it has to be read. What can't be judged is read.
pub(super) fn files_to_read(predicate: Arc<dyn PhysicalExpr>, schema: &SchemaRef, files: &[Option<&FileStatistics>]) -> Vec<bool> {
    let all = || vec![true; files.len()];
    let Ok(pruning) = PruningPredicateBuilder::new().with_file_schema(schema.clone()).try_build(predicate) else { return all() };
    if pruning.always_true() {
        return all();
    }
    pruning.prune(&Bounds { schema, files }).unwrap_or_else(|_| all())
}

/// The bounds of all files, column by column.
struct Bounds<'a> {
    schema: &'a SchemaRef,
    files: &'a [Option<&'a FileStatistics>],
}

impl Bounds<'_> {
    fn column<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Option<&'s ColumnBounds>> + 's {
        self.files.iter().map(move |file| file.and_then(|file| file.columns.get(name)))
    }

    fn ends(&self, column: &Column, wider: i64, end: impl Fn(&ColumnBounds) -> Option<&Bound>) -> Option<ArrayRef> {
        let data_type = self.schema.field_with_name(&column.name).ok()?.data_type();
        let unknown = ScalarValue::try_from(data_type).ok()?;
        let known = |bounds: &ColumnBounds| match end(bounds)? {
            Bound::Micros(micros) if column.name == EVENT_TIME => scalar(&Bound::Micros(micros.saturating_add(wider)), data_type),
            bound => scalar(bound, data_type),
        };
        let values = self.column(&column.name).map(|bounds| bounds.and_then(known).unwrap_or_else(|| unknown.clone()));
        ScalarValue::iter_to_array(values).ok()
    }
}

/// The bound as a value of the column's type; none if they don't match. External files have types of their own, and
/// bounds that were widened from these types fit back into them.
fn scalar(bound: &Bound, data_type: &DataType) -> Option<ScalarValue> {
    let value = match bound {
        Bound::Int(value) if data_type.is_integer() => ScalarValue::Int64(Some(*value)),
        Bound::Float(value) if data_type.is_floating() => ScalarValue::Float64(Some(*value)),
        Bound::Text(text) if data_type.is_string() => ScalarValue::Utf8(Some(text.clone())),
        Bound::Bool(value) if *data_type == DataType::Boolean => ScalarValue::Boolean(Some(*value)),
        Bound::Micros(micros) => match data_type {
            DataType::Timestamp(_, zone) => ScalarValue::TimestampMicrosecond(Some(*micros), zone.clone()),
            DataType::Date32 => ScalarValue::TimestampMicrosecond(Some(*micros), None),
            _ => return None,
        },
        _ => return None,
    };
    value.cast_to(data_type).ok().filter(|value| !value.is_null())
}

impl PruningStatistics for Bounds<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.ends(column, -WIDER, |bounds| bounds.min.as_ref())
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.ends(column, WIDER, |bounds| bounds.max.as_ref())
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let counts: UInt64Array = self.column(&column.name).map(|bounds| bounds.and_then(|bounds| bounds.nulls)).collect();
        Some(Arc::new(counts))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts: UInt64Array = self.files.iter().map(|file| file.map(|file| file.rows)).collect();
        Some(Arc::new(counts))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::datatypes::{Field, Schema, TimeUnit};
    use datafusion::common::DFSchema;
    use datafusion::prelude::{Expr, SessionContext, col, lit};

    fn judged(filter: Expr) -> Vec<bool> {
        let schema: SchemaRef =
            Arc::new(Schema::new(vec![Field::new("time", DataType::Utf8, true), Field::new("n", DataType::Int64, true)]));
        let file = |from: &str, to: &str, n: Option<(i64, i64)>| {
            let mut file = FileStatistics { rows: 10, ..FileStatistics::default() };
            let text = |text: &str| Some(Bound::Text(text.to_owned()));
            file.columns.insert("time".to_owned(), ColumnBounds { min: text(from), max: text(to), nulls: Some(0) });
            let (min, max) = n.unzip();
            let nulls = if n.is_none() { 10 } else { 0 };
            file.columns.insert("n".to_owned(), ColumnBounds { min: min.map(Bound::Int), max: max.map(Bound::Int), nulls: Some(nulls) });
            file
        };
        let files = [file("2020-01", "2020-02", Some((1, 5))), file("2020-02", "2020-03", Some((6, 9))), file("2020-04", "2020-05", None)];
        let mut statistics: Vec<Option<&FileStatistics>> = files.iter().map(Some).collect();
        statistics.push(None);
        let context = SessionContext::new();
        let filter = context.state().create_physical_expr(filter, &DFSchema::try_from(schema.clone()).unwrap()).unwrap();
        files_to_read(filter, &schema, &statistics)
    }

    #[test]
    fn bounds_fit_the_types_of_other_writers() {
        let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
        assert_eq!(scalar(&Bound::Micros(2), &nanos), Some(ScalarValue::TimestampNanosecond(Some(2_000), None)));
        assert_eq!(scalar(&Bound::Micros(i64::MAX), &nanos), None, "beyond what nanoseconds can hold: unknown");
        assert_eq!(scalar(&Bound::Micros(172_800_000_000), &DataType::Date32), Some(ScalarValue::Date32(Some(2))));
        assert_eq!(scalar(&Bound::Int(7), &DataType::UInt8), Some(ScalarValue::UInt8(Some(7))));
        assert_eq!(scalar(&Bound::Float(0.5), &DataType::Float32), Some(ScalarValue::Float32(Some(0.5))));
        assert_eq!(scalar(&Bound::Text("a".into()), &DataType::Utf8View), Some(ScalarValue::Utf8View(Some("a".into()))));
        assert_eq!(scalar(&Bound::Int(7), &DataType::Utf8), None);
    }

    #[test]
    fn files_outside_the_range_are_left_out_and_unknown_ones_are_read() {
        assert_eq!(judged(col("time").gt_eq(lit("2020-03-15"))), [false, false, true, true]);
        assert_eq!(judged(col("time").eq(lit("2020-02"))), [true, true, false, true]);
        assert_eq!(judged(col("time").lt(lit("2020-02")).and(col("n").gt(lit(5i64)))), [false, false, false, true]);
        assert_eq!(judged(col("n").is_not_null()), [true, true, false, true]);
        assert_eq!(judged(col("n").eq(lit(7i64)).or(col("time").eq(lit("2020-01")))), [true, true, false, true]);
        assert_eq!(judged(lit(true)), [true; 4]);
    }
}
