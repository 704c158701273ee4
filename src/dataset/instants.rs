//! Event times of any column type as microseconds since 1970, the resolution in which the history compares them.
//!
//! Finer times are rounded towards the past, before 1970 too. Text is read as `model::time` reads it in lenient mode,
//! numbers as Unix seconds (whose magnitude tells milliseconds and microseconds). A double that is not a number is what
//! data frames write for "no time", so it is null and no mistake.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type, Int64Type, TimeUnit};
use arrow::error::ArrowError;

use crate::model::time::{EventTime, TimeMode};

/// A column of instants.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Instants {
    /// Microseconds since 1970; null where there is none or it can't be read.
    pub(super) micros: Int64Array,
    /// The first row that has something which is no time.
    pub(super) unreadable: Option<usize>,
}

/// Whether a column of this type can hold times at all.
pub(super) fn holds_instants(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => holds_instants(values),
        DataType::Null | DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => true,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        other => other.is_numeric(),
    }
}

/// Reads a column of times; an error if its type holds none.
pub(super) fn instants(times: &ArrayRef) -> Result<Instants, ArrowError> {
    match times.data_type() {
        DataType::Null => Ok(Instants { micros: Int64Array::new_null(times.len()), unreadable: None }),
        DataType::Timestamp(unit, _) => {
            let ticks = cast(times, &DataType::Int64)?;
            let ticks = ticks.as_primitive::<Int64Type>();
            Ok(match unit {
                TimeUnit::Second => scaled(ticks, 1_000_000),
                TimeUnit::Millisecond => scaled(ticks, 1_000),
                TimeUnit::Microsecond => Instants { micros: ticks.clone(), unreadable: None },
                TimeUnit::Nanosecond => Instants { micros: ticks.unary(|ticks| ticks.div_euclid(1_000)), unreadable: None },
            })
        }
        DataType::Date32 => {
            let days = cast(&cast(times, &DataType::Int32)?, &DataType::Int64)?;
            Ok(scaled(days.as_primitive::<Int64Type>(), 86_400_000_000))
        }
        DataType::Date64 => Ok(scaled(cast(times, &DataType::Int64)?.as_primitive::<Int64Type>(), 1_000)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = cast(times, &DataType::Utf8View)?;
            let texts = texts.as_string_view();
            Ok(collected((0..texts.len()).map(|row| {
                texts.is_valid(row).then(|| EventTime::parse_text(texts.value(row), TimeMode::Lenient).ok().map(EventTime::unix_micros))
            })))
        }
        DataType::Dictionary(_, values) => instants(&cast(times, values)?),
        number if number.is_integer() && *number != DataType::UInt64 => {
            let seconds = cast(times, &DataType::Int64)?;
            let instant = |seconds: i64| {
                let text = itoa::Buffer::new().format(seconds).to_owned();
                EventTime::parse_fractional(&text, TimeMode::Lenient).ok().map(EventTime::unix_micros)
            };
            Ok(collected(seconds.as_primitive::<Int64Type>().iter().map(|seconds| seconds.map(instant))))
        }
        number if number.is_numeric() => {
            let seconds = cast(times, &DataType::Float64)?;
            let instant = |seconds: f64| EventTime::from_unix_float(seconds, TimeMode::Lenient).map(EventTime::unix_micros);
            let seconds = seconds.as_primitive::<Float64Type>();
            Ok(collected(seconds.iter().map(|seconds| seconds.filter(|seconds| !seconds.is_nan()).map(instant))))
        }
        other => Err(ArrowError::CastError(format!("an event time can't be of type {other}"))),
    }
}

/// Whole units of so many microseconds; beyond what microseconds can hold there is no time.
fn scaled(ticks: &Int64Array, micros: i64) -> Instants {
    collected(ticks.iter().map(|ticks| ticks.map(|ticks| ticks.checked_mul(micros))))
}

/// From rows that are null (none) or hold something that may be no time (some none).
fn collected(rows: impl Iterator<Item = Option<Option<i64>>>) -> Instants {
    let mut unreadable = None;
    let micros = rows
        .enumerate()
        .map(|(row, found)| {
            if found == Some(None) && unreadable.is_none() {
                unreadable = Some(row);
            }
            found.flatten()
        })
        .collect();
    Instants { micros, unreadable }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{Date32Array, Float32Array, StringArray, TimestampNanosecondArray, TimestampSecondArray, UInt64Array};

    use super::*;

    #[test]
    fn event_times_of_any_type_become_instants() {
        let check = |array: ArrayRef, expected: &[Option<i64>], unreadable| {
            assert_eq!(instants(&array).unwrap(), Instants { micros: Int64Array::from(expected.to_vec()), unreadable });
        };
        check(Arc::new(TimestampSecondArray::from(vec![Some(2), None])), &[Some(2_000_000), None], None);
        check(Arc::new(TimestampNanosecondArray::from(vec![-1, 1_999])), &[Some(-1), Some(1)], None);
        check(Arc::new(Date32Array::from(vec![1, -1])), &[Some(86_400_000_000), Some(-86_400_000_000)], None);
        check(Arc::new(StringArray::from(vec!["1970-01-01T00:00:01Z", "soon", "x"])), &[Some(1_000_000), None, None], Some(1));
        check(Arc::new(Float32Array::from(vec![1.5, f32::NAN])), &[Some(1_500_000), None], None);
        check(
            Arc::new(Int64Array::from(vec![Some(1), None, Some(1_700_000_000_000)])),
            &[Some(1_000_000), None, Some(1_700_000_000_000_000)],
            None,
        );
        check(Arc::new(UInt64Array::from(vec![2])), &[Some(2_000_000)], None);
        assert!(instants(&(Arc::new(arrow::array::BooleanArray::from(vec![true])) as ArrayRef)).is_err());
    }
}
