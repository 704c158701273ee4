//! Collections: arrow's several kinds of list, JSON arrays in text, and the rules of Set and Vector.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray, StringBuilder};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use serde_json::value::RawValue;

use super::super::json_rows::scalar_text;
use super::number::{Bad, shown};
use crate::model::value::{MAX_TEXT, format_fractional};
use crate::model::{Collection, Error, Result};

/// The type of a list's elements; none for what is no list.
pub(in super::super) fn element_type(kind: &DataType) -> Option<&DataType> {
    match kind {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::ListView(field)
        | DataType::LargeListView(field) => Some(field.data_type()),
        _ => None,
    }
}

/// Any kind of list as a plain one.
pub(super) fn to_list(source: &ArrayRef) -> Result<ListArray> {
    if let Some(list) = source.as_list_opt::<i32>() {
        return Ok(list.clone());
    }
    let kind = source.data_type();
    let Some(element) = element_type(kind) else {
        return Err(Error::invalid(format!("{kind} is no list")));
    };
    let target = DataType::List(Arc::new(Field::new_list_field(element.clone(), true)));
    let list = cast(source, &target).map_err(|error| Error::invalid(format!("{kind} can't be read as a list")).source(error))?;
    list.as_list_opt::<i32>().cloned().ok_or_else(|| Error::internal(format!("{kind} was not cast to a list")))
}

/// The same lists over exactly their own elements: a slice shares those of its neighbours.
pub(super) fn compact(lists: &ListArray) -> ListArray {
    let offsets = lists.offsets();
    let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    if first == 0 && last as usize == lists.values().len() {
        return lists.clone();
    }
    let values = lists.values().slice(first as usize, (last - first) as usize);
    let offsets = OffsetBuffer::new(offsets.iter().map(|offset| offset - first).collect());
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    ListArray::new(field, offsets, values, lists.nulls().cloned())
}

/// Lists of the same shape over converted elements, as a column of the given list type.
pub(super) fn rebuild(lists: &ListArray, elements: ArrayRef, target: &DataType) -> Result<ArrayRef> {
    let DataType::List(field) = target else { return Err(Error::internal(format!("{target} is no list"))) };
    let rebuilt = ListArray::try_new(Arc::clone(field), lists.offsets().clone(), elements, lists.nulls().cloned());
    Ok(Arc::new(rebuilt.map_err(|error| Error::internal("can't build a list column").source(error))?))
}

/// Reads JSON arrays of scalars: `[1, 2.5]`.
pub(super) fn parse_json(texts: &StringArray) -> (ListArray, Bad) {
    let mut bad = Bad::new();
    let mut elements = StringBuilder::new();
    let mut lengths = Vec::with_capacity(texts.len());
    let mut count = 0;
    let mut valid = Vec::with_capacity(texts.len());
    for row in 0..texts.len() {
        let before = count;
        valid.push(texts.is_valid(row));
        if texts.is_valid(row) {
            match serde_json::from_str::<Vec<&RawValue>>(texts.value(row)) {
                Err(_) => bad.push((row, format!("{} is no JSON array (the feature is a collection)", shown(texts.value(row))))),
                Ok(values) => {
                    for value in values {
                        match scalar_text(value) {
                            Ok(text) => elements.append_option(text),
                            Err(_) => {
                                bad.push((row, "a list or object within the list".into()));
                                elements.append_value("");
                            }
                        }
                        count += 1;
                    }
                }
            }
        }
        lengths.push(count - before);
    }
    let elements: ArrayRef = Arc::new(elements.finish());
    let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
    (ListArray::new(field, OffsetBuffer::from_lengths(lengths), elements, Some(NullBuffer::from(valid))), bad)
}

/// Rows whose lists break a rule: nulls inside, too long, repeats in a Set, the wrong length for a Vector.
///
/// `elements` are the converted ones; an element that could not be converted is null there and told elsewhere.
pub(super) fn faults(lists: &ListArray, elements: &ArrayRef, collection: Collection) -> Bad {
    let mut bad = Bad::new();
    for row in 0..lists.len() {
        if lists.is_null(row) {
            continue;
        }
        let start = lists.value_offsets()[row] as usize;
        let length = lists.value_length(row) as usize;
        let mut values = start..start + length;
        if length > MAX_TEXT {
            bad.push((row, format!("a list of {length} values; at most {MAX_TEXT} are allowed")));
        } else if elements.null_count() > 0 && values.clone().any(|value| elements.is_null(value)) {
            bad.push((row, "a missing value within the list".into()));
        } else if let Collection::Vector { dimension } = collection {
            if length != dimension as usize {
                bad.push((row, format!("{length} values; a Vector of {dimension} is due")));
            }
        } else if collection == Collection::Set {
            let mut seen = HashSet::with_capacity(length);
            if let Some(repeat) = values.find(|value| !seen.insert(canonical(elements, *value))) {
                bad.push((row, format!("{} appears twice; a Set holds each value once", shown(&canonical(elements, repeat)))));
            }
        }
    }
    bad
}

fn canonical(elements: &ArrayRef, value: usize) -> String {
    if let Some(doubles) = elements.as_primitive_opt::<Float64Type>() {
        // -0 and 0 are one value.
        format_fractional(doubles.value(value) + 0.0)
    } else if let Some(integers) = elements.as_primitive_opt::<Int64Type>() {
        integers.value(value).to_string()
    } else {
        elements.as_string_opt::<i32>().map(|texts| texts.value(value).to_owned()).unwrap_or_default()
    }
}
