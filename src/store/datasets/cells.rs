//! Cells of datasets, compared and shown one by one.
//!
//! Two cells are equal where the content hash takes them for the same: −0 is 0, a NaN is a NaN, text is text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, make_comparator};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type};
use arrow::json::writer::{EncoderOptions, make_encoder};
use arrow::util::display::array_value_to_string;
use serde_json::Value as Json;

use crate::model::{Error, Result};

/// Which rows of two columns of equal length differ. Columns of different types are compared as text.
pub(super) fn differing(left: &ArrayRef, right: &ArrayRef) -> Result<Vec<bool>> {
    let rows = left.len().min(right.len());
    let (left, right) = (&plain(left)?, &plain(right)?);
    if left.data_type() != right.data_type() {
        return Ok((0..rows).map(|row| text(left, row) != text(right, row)).collect());
    }
    macro_rules! floats {
        ($kind:ty) => {{
            let (left, right) = (left.as_primitive::<$kind>(), right.as_primitive::<$kind>());
            let differ = |row: usize| match (left.is_valid(row), right.is_valid(row)) {
                (true, true) => {
                    let (left, right) = (left.value(row), right.value(row));
                    left != right && !(left.is_nan() && right.is_nan())
                }
                (left, right) => left != right,
            };
            (0..rows).map(differ).collect()
        }};
    }
    Ok(match left.data_type() {
        DataType::Float64 => floats!(Float64Type),
        DataType::Float32 => floats!(Float32Type),
        _ => match make_comparator(left.as_ref(), right.as_ref(), SortOptions::default()) {
            Ok(compare) => (0..rows).map(|row| compare(row, row).is_ne()).collect(),
            // What has no order has a text.
            Err(_) => (0..rows).map(|row| text(left, row) != text(right, row)).collect(),
        },
    })
}

/// The column without the ways in which arrow may keep text.
fn plain(column: &ArrayRef) -> Result<ArrayRef> {
    let plain = match column.data_type() {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Dictionary(_, values) if values.is_string() => DataType::Utf8,
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        _ => return Ok(column.clone()),
    };
    cast(column, &plain).map_err(|error| Error::internal(format!("cells of type {} can't be compared", column.data_type())).source(error))
}

/// A cell as people read it; none for null.
pub(super) fn text(column: &ArrayRef, row: usize) -> Option<String> {
    column.is_valid(row).then(|| array_value_to_string(column, row).unwrap_or_else(|error| error.to_string()))
}

/// A cell with its type; what JSON has no form for is its text.
pub(super) fn json(column: &ArrayRef, row: usize) -> Json {
    if column.is_null(row) {
        return Json::Null;
    }
    let field = Arc::new(Field::new("cell", column.data_type().clone(), true));
    let options = EncoderOptions::default();
    let encoded = make_encoder(&field, column, &options).ok().and_then(|mut encoder| {
        let mut bytes = Vec::new();
        encoder.encode(row, &mut bytes);
        serde_json::from_slice(&bytes).ok()
    });
    encoded.unwrap_or_else(|| text(column, row).map_or(Json::Null, Json::from))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Float64Array, Int64Array, ListArray, StringArray, StringViewArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    #[test]
    fn cells_differ_where_their_values_do() {
        let check = |left: ArrayRef, right: ArrayRef, expected: &[bool]| assert_eq!(differing(&left, &right).unwrap(), expected);
        let floats = |values: [Option<f64>; 4]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
        check(
            floats([Some(0.0), Some(f64::NAN), None, Some(1.0)]),
            floats([Some(-0.0), Some(-f64::NAN), Some(0.0), Some(1.5)]),
            &[false, false, true, true],
        );
        check(
            Arc::new(StringArray::from(vec![Some("a"), None, Some("")])),
            Arc::new(StringViewArray::from(vec![Some("a"), None, None])),
            &[false, false, true],
        );
        check(Arc::new(Int64Array::from(vec![1, 2])), Arc::new(StringArray::from(vec!["1", "3"])), &[false, true]);
        let lists = |last: i64| {
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![Some(last)])]))
                as ArrayRef
        };
        check(lists(1), lists(2), &[false, false, true]);
    }

    #[test]
    fn cells_show_as_text_and_as_json() {
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None]));
        assert_eq!((text(&numbers, 0).as_deref(), text(&numbers, 1)), (Some("1.5"), None));
        assert_eq!((json(&numbers, 0), json(&numbers, 1)), (serde_json::json!(1.5), Json::Null));
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None])]));
        assert_eq!(json(&lists, 0), serde_json::json!([1, null]));
    }
}
