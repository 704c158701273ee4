//! Dates and timestamps of any unit and zone. Arrow keeps a zoned timestamp in UTC, and one without a zone is read as UTC.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Builder, StringBuilder};
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};

use super::number::Bad;
use super::text;
use crate::model::{Error, EventTime, Result, TimeMode};

pub(super) fn is_temporal(kind: &DataType) -> bool {
    matches!(kind, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))
}

/// An instant from a count of `per_second` units since 1970.
fn instant(value: i64, per_second: i64) -> Option<EventTime> {
    let nanos = value.rem_euclid(per_second) * (1_000_000_000 / per_second);
    EventTime::new(value.div_euclid(per_second), u32::try_from(nanos).ok()?)
}

/// The instant at each row; none where it lies outside years 0 to 9999.
pub(super) fn instants(array: &ArrayRef) -> Box<dyn Fn(usize) -> Option<EventTime>> {
    macro_rules! column {
        ($type:ty, $per_second:expr) => {{
            let column = array.as_primitive::<$type>().clone();
            Box::new(move |row| instant(column.value(row), $per_second))
        }};
    }
    match array.data_type() {
        DataType::Date32 => {
            let days = array.as_primitive::<Date32Type>().clone();
            Box::new(move |row| EventTime::from_unix_seconds(i64::from(days.value(row)) * 86_400))
        }
        DataType::Date64 => column!(Date64Type, 1_000),
        DataType::Timestamp(TimeUnit::Second, _) => column!(TimestampSecondType, 1),
        DataType::Timestamp(TimeUnit::Millisecond, _) => column!(TimestampMillisecondType, 1_000),
        DataType::Timestamp(TimeUnit::Microsecond, _) => column!(TimestampMicrosecondType, 1_000_000),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => column!(TimestampNanosecondType, 1_000_000_000),
        _ => Box::new(|_| None),
    }
}

const OUT_OF_RANGE: &str = "a time outside years 0 to 9999";

/// ISO-8601 text in UTC.
pub(super) fn to_iso8601(array: &ArrayRef, bad: &mut Bad) -> Result<ArrayRef> {
    let read = instants(array);
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 24);
    let mut buffer = String::with_capacity(32);
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        match read(row) {
            Some(time) => {
                buffer.clear();
                time.write_iso8601(&mut buffer);
                builder.append_value(&buffer);
            }
            None => {
                bad.push((row, OUT_OF_RANGE.into()));
                builder.append_null();
            }
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// Unix seconds, for an event time that is Fractional; only where the double means the same instant.
pub(super) fn to_unix_seconds(array: &ArrayRef, bad: &mut Bad) -> Result<ArrayRef> {
    let read = instants(array);
    let mut builder = Float64Builder::with_capacity(array.len());
    for row in 0..array.len() {
        if array.is_null(row) {
            builder.append_null();
            continue;
        }
        let Some(time) = read(row) else {
            bad.push((row, OUT_OF_RANGE.into()));
            builder.append_null();
            continue;
        };
        let seconds = time.to_unix_text().parse::<f64>().ok();
        let exact = seconds.filter(|seconds| EventTime::from_unix_float(*seconds, TimeMode::Lenient) == Some(time));
        if exact.is_none() {
            bad.push((row, format!("{time} is finer than a Fractional event time can hold")));
        }
        builder.append_option(exact);
    }
    Ok(Arc::new(builder.finish()))
}

/// Nanoseconds since 1970 lie beyond every time that text of Unix seconds, milliseconds or microseconds can mean.
pub(in super::super) const LEAST_NANOSECONDS: u64 = 253_402_300_800_000_000;

/// Text of whole Unix times in a String event time: kept as written, except nanoseconds, which become ISO-8601.
pub(super) fn unix_to_text(array: &ArrayRef, bad: &mut Bad) -> Result<ArrayRef> {
    let kept = text::to_text(array)?;
    let texts = kept.as_string_opt::<i32>().ok_or_else(|| Error::internal("integers without a text"))?;
    let nanos = |text: &str| text.parse::<i64>().ok().filter(|value| value.unsigned_abs() >= LEAST_NANOSECONDS);
    if !texts.iter().flatten().any(|text| nanos(text).is_some()) {
        return Ok(kept);
    }
    let mut builder = StringBuilder::with_capacity(texts.len(), texts.len() * 24);
    for row in 0..texts.len() {
        match (texts.is_valid(row)).then(|| texts.value(row)) {
            None => builder.append_null(),
            Some(text) => match nanos(text).map(|value| EventTime::from_unix_nanos(i128::from(value))) {
                None => builder.append_value(text),
                Some(Some(time)) => builder.append_value(time.to_iso8601()),
                Some(None) => {
                    bad.push((row, OUT_OF_RANGE.into()));
                    builder.append_null();
                }
            },
        }
    }
    Ok(Arc::new(builder.finish()))
}
