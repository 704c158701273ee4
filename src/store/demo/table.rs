//! Rows of cells as an Arrow batch or as the name-value pairs of a put.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder, Int64Builder, ListBuilder, RecordBatch, StringBuilder};
use arrow::datatypes::{Field, Schema as ArrowSchema};

use super::shape::Cell;
use crate::model::{Error, FeatureType, RawValue, Result, Schema};

/// Builds a batch with one column for each feature, in definition order.
pub(super) fn batch(schema: &Schema, rows: &[Vec<Cell>]) -> Result<RecordBatch> {
    let mut fields = Vec::with_capacity(schema.len());
    let mut columns = Vec::with_capacity(schema.len());
    for (position, feature) in schema.features().iter().enumerate() {
        let cells = rows.iter().map(|row| &row[position]);
        let column = column(feature.feature_type, feature.collection.is_some(), cells)
            .ok_or_else(|| Error::internal(format!("the demo made a value of another type for '{}'", feature.name)))?;
        fields.push(Field::new(feature.name.as_str(), column.data_type().clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns)
        .map_err(|error| Error::internal("the demo's columns don't make a table").source(error))
}

/// None if a cell is not of the column's type.
fn column<'a>(feature_type: FeatureType, is_collection: bool, cells: impl Iterator<Item = &'a Cell>) -> Option<ArrayRef> {
    Some(match (feature_type, is_collection) {
        (FeatureType::Integral, false) => {
            let mut builder = Int64Builder::new();
            for cell in cells {
                match cell {
                    Cell::Null => builder.append_null(),
                    Cell::Integral(value) => builder.append_value(*value),
                    _ => return None,
                }
            }
            Arc::new(builder.finish())
        }
        (FeatureType::Fractional, false) => {
            let mut builder = Float64Builder::new();
            for cell in cells {
                match cell {
                    Cell::Null => builder.append_null(),
                    Cell::Fractional(value) => builder.append_value(*value),
                    _ => return None,
                }
            }
            Arc::new(builder.finish())
        }
        (FeatureType::String, false) => {
            let mut builder = StringBuilder::new();
            for cell in cells {
                match cell {
                    Cell::Null => builder.append_null(),
                    Cell::Text(value) => builder.append_value(value),
                    _ => return None,
                }
            }
            Arc::new(builder.finish())
        }
        (FeatureType::String, true) => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for cell in cells {
                match cell {
                    Cell::Null => builder.append_null(),
                    Cell::Texts(values) => builder.append_value(values.iter().map(Some)),
                    _ => return None,
                }
            }
            Arc::new(builder.finish())
        }
        (FeatureType::Fractional, true) => {
            let mut builder = ListBuilder::new(Float64Builder::new());
            for cell in cells {
                match cell {
                    Cell::Null => builder.append_null(),
                    Cell::Vector(values) => builder.append_value(values.iter().copied().map(Some)),
                    _ => return None,
                }
            }
            Arc::new(builder.finish())
        }
        (FeatureType::Integral, true) => return None,
    })
}

/// The name-value pairs of one row; nulls are left out, as a put wants it.
pub(super) fn pairs(schema: &Schema, row: Vec<Cell>) -> Vec<(String, RawValue)> {
    let mut pairs = Vec::with_capacity(row.len());
    for (feature, cell) in schema.features().iter().zip(row) {
        let raw = match cell {
            Cell::Null => continue,
            Cell::Integral(value) => RawValue::Text(value.to_string()),
            Cell::Fractional(value) => RawValue::Text(crate::model::value::format_fractional(value)),
            Cell::Text(text) => RawValue::Text(text),
            Cell::Texts(texts) => RawValue::List(texts.into_iter().map(str::to_owned).collect()),
            Cell::Vector(values) => RawValue::List(values.into_iter().map(crate::model::value::format_fractional).collect()),
        };
        pairs.push((feature.name.to_string(), raw));
    }
    pairs
}
