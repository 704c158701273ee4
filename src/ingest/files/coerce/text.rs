//! Text: from every type that has one canonical text, and the limits on its length.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type, UInt64Type};

use super::as_int64;
use super::number::Bad;
use crate::model::value::{format_fractional, format_fractional_f32};
use crate::model::{Error, Result};

/// Text of every value: numbers in their shortest form, booleans as `true` and `false`.
pub(super) fn to_text(array: &ArrayRef) -> Result<ArrayRef> {
    fn build<V>(length: usize, values: impl Iterator<Item = Option<V>>, mut write: impl FnMut(V, &mut StringBuilder)) -> ArrayRef {
        let mut builder = StringBuilder::with_capacity(length, length * 8);
        for value in values {
            match value {
                Some(value) => write(value, &mut builder),
                None => builder.append_null(),
            }
        }
        Arc::new(builder.finish())
    }
    let length = array.len();
    Ok(match array.data_type() {
        DataType::Utf8 => Arc::clone(array),
        DataType::Boolean => build(length, array.as_boolean().iter(), |value, out| out.append_value(if value { "true" } else { "false" })),
        DataType::UInt64 => {
            build(length, array.as_primitive::<UInt64Type>().iter(), |value, out| out.append_value(itoa::Buffer::new().format(value)))
        }
        kind if kind.is_integer() => {
            let wide = cast(array, &DataType::Int64).map_err(|error| Error::internal("can't widen integers").source(error))?;
            integers(&wide)
        }
        DataType::Float16 => {
            build(length, array.as_primitive::<Float16Type>().iter(), |value, out| out.append_value(format_fractional_f32(value.to_f32())))
        }
        DataType::Float32 => {
            build(length, array.as_primitive::<Float32Type>().iter(), |value, out| out.append_value(format_fractional_f32(value)))
        }
        DataType::Float64 => {
            build(length, array.as_primitive::<Float64Type>().iter(), |value, out| out.append_value(format_fractional(value)))
        }
        kind if kind.is_decimal() => cast(array, &DataType::Utf8).map_err(|error| Error::internal("can't print decimals").source(error))?,
        other => return Err(Error::invalid(format!("{other} can't become String"))),
    })
}

fn integers(array: &ArrayRef) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 8);
    if let Some(values) = as_int64(array) {
        let mut digits = itoa::Buffer::new();
        for value in values {
            builder.append_option(value.map(|value| digits.format(value)));
        }
    }
    Arc::new(builder.finish())
}

/// Text of a feature's column, as a record identifier is looked up by.
pub(super) fn of_column(column: &ArrayRef) -> Option<StringArray> {
    to_text(column).ok().and_then(|texts| texts.as_string_opt::<i32>().cloned())
}

/// Marks texts that are longer than a value may be.
pub(super) fn check_lengths(texts: &StringArray, limit: usize, bad: &mut Bad) {
    if texts.value_data().len() <= limit {
        return;
    }
    for (row, length) in texts.offsets().lengths().enumerate() {
        if length > limit {
            bad.push((row, format!("a text of {length} bytes; at most {limit} are allowed")));
        }
    }
}
