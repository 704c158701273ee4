//! Cells: the canonical hash of each row's value, and its number where it has one.
//!
//! For what looks at rows one by one: elements of collections. Columns as a whole are read in
//! bulk ([`super::columns`]).

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType};

use super::canonical;
use super::kind::{ColumnKind, unknown};
use crate::model::{Error, Result};

/// Hash of every NaN, and of both infinities by their bits.
fn hash_of_float(value: f64) -> u64 {
    if value.is_nan() { canonical::of_float(f64::INFINITY) ^ 1 } else { canonical::of_float(value) }
}

/// A value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cell {
    /// Equal values have equal hashes ([`canonical`]).
    pub(super) hash: u64,
    /// The value as a finite double; text is read as one where it is one.
    pub(super) number: Option<f64>,
}

fn of_float(value: f64) -> Cell {
    Cell { hash: hash_of_float(value), number: Some(value).filter(|value| value.is_finite()) }
}

fn of_text(text: &str) -> Cell {
    let numeric = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    let number = numeric.then(|| text.parse::<f64>().ok()).flatten().filter(|number| number.is_finite());
    Cell { hash: canonical::of_text(text), number }
}

fn recast(values: &dyn Array, to: &DataType) -> Result<ArrayRef> {
    cast(values, to).map_err(|error| Error::invalid(format!("a column of type {} can't be read", values.data_type())).source(error))
}

/// The cells of a column, none for a null; of single values and of collections alike.
pub(super) fn cells(values: &dyn Array) -> Result<Vec<Option<Cell>>> {
    match values.data_type() {
        DataType::Null => return Ok(vec![None; values.len()]),
        DataType::Dictionary(_, plain) => return cells(&recast(values, plain)?),
        _ => {}
    }
    match ColumnKind::of(values.data_type())? {
        ColumnKind::Integral if values.data_type() != &DataType::UInt64 => {
            let whole = recast(values, &DataType::Int64)?;
            let cell = |value: i64| Cell { hash: canonical::of_integer(value), number: Some(value as f64) };
            Ok(whole.as_primitive::<Int64Type>().iter().map(|value| value.map(cell)).collect())
        }
        ColumnKind::Fractional => match values.data_type() {
            DataType::Float64 => Ok(values.as_primitive::<Float64Type>().iter().map(|value| value.map(of_float)).collect()),
            DataType::Float32 | DataType::Float16 => {
                let singles = recast(values, &DataType::Float32)?;
                let cell = |value: f32| of_float(canonical::widen(value));
                Ok(singles.as_primitive::<Float32Type>().iter().map(|value| value.map(cell)).collect())
            }
            // Decimals, as the doubles that their texts read as.
            _ => {
                let texts = recast(values, &DataType::Utf8)?;
                let cell = |text: &str| text.parse().ok().map(of_float);
                Ok(texts.as_string::<i32>().iter().map(|text| text.and_then(cell)).collect())
            }
        },
        // Unsigned numbers past 64 signed bits are the numbers that their texts are.
        ColumnKind::Text | ColumnKind::Integral => {
            let texts = recast(values, &DataType::LargeUtf8)?;
            Ok(texts.as_string::<i64>().iter().map(|text| text.map(of_text)).collect())
        }
        ColumnKind::Time => {
            let micros = recast(values, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
            let cell = |value: i64| Cell { hash: canonical::of_integer(value), number: Some(value as f64) };
            Ok(micros.as_primitive::<TimestampMicrosecondType>().iter().map(|value| value.map(cell)).collect())
        }
        ColumnKind::Numbers | ColumnKind::Texts => {
            let (elements, ranges) = super::columns::lists(values)?;
            let elements = cells(&elements)?;
            let hash = |(start, end): (usize, usize)| {
                let elements = elements.get(start..end).unwrap_or_default();
                Cell { hash: canonical::of_list(elements.iter().map(|cell| cell.map(|cell| cell.hash))), number: None }
            };
            Ok(ranges.into_iter().map(|range| range.map(hash)).collect())
        }
    }
    .and_then(|cells: Vec<Option<Cell>>| if cells.len() == values.len() { Ok(cells) } else { Err(unknown(values.data_type())) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{BooleanArray, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int8Array, StringArray, UInt64Array};
    use arrow::datatypes::Int32Type;

    use super::*;

    fn hashes(values: &dyn Array) -> Vec<Option<u64>> {
        cells(values).unwrap().into_iter().map(|cell| cell.map(|cell| cell.hash)).collect()
    }

    #[test]
    fn equal_values_hash_alike_in_every_type() {
        let integers = hashes(&Int8Array::from(vec![Some(1), None, Some(0)]));
        assert_eq!(hashes(&UInt64Array::from(vec![Some(1), None, Some(0)])), integers);
        assert_eq!(hashes(&BooleanArray::from(vec![Some(true), None, Some(false)])), integers);
        assert_eq!(hashes(&Float64Array::from(vec![Some(1.0), None, Some(-0.0)])), integers);
        assert_eq!(hashes(&StringArray::from(vec![Some("1"), None, Some("0")])), integers);
        let dictionary: DictionaryArray<Int32Type> = vec![Some("1"), None, Some("0")].into_iter().collect();
        assert_eq!(hashes(&dictionary), integers);
        let tenths = hashes(&Float64Array::from(vec![0.1, 25.5]));
        assert_eq!(hashes(&Float32Array::from(vec![0.1, 25.5])), tenths);
        assert_eq!(hashes(&Decimal128Array::from(vec![10, 2550]).with_precision_and_scale(10, 2).unwrap()), tenths);
    }

    #[test]
    fn what_is_no_number_has_none() {
        let numbers: Vec<_> =
            cells(&StringArray::from(vec!["1e3", "inf", "x", ""])).unwrap().into_iter().map(|cell| cell.unwrap().number).collect();
        assert_eq!(numbers, [Some(1000.0), None, None, None]);
        let cells = cells(&Float64Array::from(vec![f64::NAN, f64::INFINITY, -f64::NAN])).unwrap();
        assert_eq!(cells[0], cells[2]);
        assert_ne!(cells[0].unwrap().hash, cells[1].unwrap().hash);
    }
}
