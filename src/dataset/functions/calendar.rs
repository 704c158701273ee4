//! `date_add(unit, number, time)` and `date_diff(unit, from, to)`.
//!
//! Months, quarters and years are those of the calendar in UTC: a day that the month lacks becomes its last (31 January
//! and a month is 28 February). All other units are lengths of time. A difference counts whole units, towards zero; in
//! months it is the largest number that can be added to the earlier time without passing the later one, as in Trino.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Date32Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Date32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::ScalarUDF;
use jiff::Span;

use super::civil::{DAY, civil};
use super::kernel::{Faults, Kernel, as_text};
use super::utc;
use crate::dataset::failure::into_engine;
use crate::model::error::{Error, Result};
use crate::model::time::EventTime;

/// The functions of this file.
pub(super) fn functions() -> Vec<ScalarUDF> {
    let add = Kernel {
        name: "date_add",
        arguments: "unit, number, time",
        takes: |types| match types {
            [unit, number, time] if number.is_integer() || number.is_null() => Some(vec![as_text(unit)?, DataType::Int64, as_time(time)?]),
            _ => None,
        },
        gives: |types| types[2].clone(),
        run: date_add,
    };
    let difference = Kernel {
        name: "date_diff",
        arguments: "unit, from, to",
        takes: |types| match types {
            [unit, from, to] => Some(vec![as_text(unit)?, as_time(from)?, as_time(to)?]),
            _ => None,
        },
        gives: |_| DataType::Int64,
        run: date_diff,
    };
    vec![add.total(), difference.total()]
}

/// The type in which a time is reckoned: a date, or microseconds.
fn as_time(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Date32 => Some(DataType::Date32),
        DataType::Timestamp(_, zone) => Some(DataType::Timestamp(TimeUnit::Microsecond, zone.clone())),
        text => as_text(text).map(|_| utc()),
    }
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    /// So many microseconds.
    Length(i64),
    /// So many months.
    Months(i64),
}

impl Unit {
    fn parse(text: &str) -> Result<Self> {
        let text = text.to_lowercase();
        Ok(match text.strip_suffix('s').unwrap_or(&text) {
            "millisecond" => Self::Length(1_000),
            "second" => Self::Length(1_000_000),
            "minute" => Self::Length(60_000_000),
            "hour" => Self::Length(3_600_000_000),
            "day" => Self::Length(DAY),
            "week" => Self::Length(7 * DAY),
            "month" => Self::Months(1),
            "quarter" => Self::Months(3),
            "year" => Self::Months(12),
            _ => {
                let shown: String = text.chars().take(30).collect();
                return Err(Error::usage(format!("'{}' is not a unit of time", shown.escape_debug()))
                    .remedy("use millisecond, second, minute, hour, day, week, month, quarter or year"));
            }
        })
    }
}

/// Units as a column brings them; the same one again and again, as a rule.
struct Units<'a> {
    texts: &'a StringArray,
    last: Option<(&'a str, Unit)>,
}

impl<'a> Units<'a> {
    fn new(texts: &'a ArrayRef) -> Self {
        Self { texts: texts.as_string(), last: None }
    }

    /// The unit of a row; none where it is null.
    fn of(&mut self, row: usize) -> Result<Option<Unit>> {
        if self.texts.is_null(row) {
            return Ok(None);
        }
        let text = self.texts.value(row);
        match self.last {
            Some((known, unit)) if known == text => Ok(Some(unit)),
            _ => {
                let unit = Unit::parse(text)?;
                self.last = Some((text, unit));
                Ok(Some(unit))
            }
        }
    }
}

/// Later by so many units; none beyond years 0 to 9999.
fn later(micros: i64, number: i64, unit: Unit) -> Option<i64> {
    let moved = match unit {
        Unit::Length(length) => micros.checked_add(number.checked_mul(length)?)?,
        Unit::Months(months) => {
            let span = Span::new().try_months(number.checked_mul(months)?).ok()?;
            super::civil::micros(civil(micros)?.checked_add(span).ok()?)?
        }
    };
    EventTime::from_unix_micros(moved).map(|_| moved)
}

/// Whole units from one time to another; none beyond what the calendar holds.
fn between(from: i64, to: i64, unit: Unit) -> Option<i64> {
    match unit {
        Unit::Length(length) => to.checked_sub(from)?.checked_div(length),
        Unit::Months(_) if to < from => Some(-between(to, from, unit)?),
        Unit::Months(months) => {
            let month = |micros: i64| {
                let civil = civil(micros)?;
                Some(i64::from(civil.year()) * 12 + i64::from(civil.month()))
            };
            let apart = month(to)? - month(from)?;
            let passes = later(from, apart, Unit::Months(1)).is_none_or(|moved| moved > to);
            Some((apart - i64::from(passes)) / months)
        }
    }
}

fn beyond() -> Error {
    Error::invalid("a date lies outside the years 0000 to 9999")
}

fn date_add(arguments: &[ArrayRef], _faults: Faults) -> EngineResult<ArrayRef> {
    let numbers = arguments[1].as_primitive::<Int64Type>();
    let times = micros(&arguments[2]);
    let mut units = Units::new(&arguments[0]);
    let is_date = arguments[2].data_type() == &DataType::Date32;
    let moved = (0..times.len()).map(|row| {
        let Some(unit) = units.of(row)? else { return Ok(None) };
        if numbers.is_null(row) || times.is_null(row) {
            return Ok(None);
        }
        if is_date && matches!(unit, Unit::Length(length) if length < DAY) {
            return Err(Error::usage("a date has no time of day to add to").remedy("cast it to a timestamp"));
        }
        later(times.value(row), numbers.value(row), unit).map(Some).ok_or_else(beyond)
    });
    let moved: Int64Array = moved.collect::<Result<_>>().map_err(into_engine)?;
    Ok(match arguments[2].data_type() {
        DataType::Date32 => Arc::new(moved.iter().map(|micros| Some(micros?.div_euclid(DAY) as i32)).collect::<Date32Array>()),
        DataType::Timestamp(_, zone) => Arc::new(in_zone(&moved, zone.clone())),
        other => return Err(into_engine(Error::internal(format!("date_add was given {other}")))),
    })
}

fn in_zone(micros: &Int64Array, zone: Option<Arc<str>>) -> TimestampMicrosecondArray {
    micros.reinterpret_cast::<TimestampMicrosecondType>().with_timezone_opt(zone)
}

fn date_diff(arguments: &[ArrayRef], _faults: Faults) -> EngineResult<ArrayRef> {
    let (from, to) = (micros(&arguments[1]), micros(&arguments[2]));
    let mut units = Units::new(&arguments[0]);
    let apart = (0..from.len()).map(|row| {
        let Some(unit) = units.of(row)? else { return Ok(None) };
        if from.is_null(row) || to.is_null(row) {
            return Ok(None);
        }
        between(from.value(row), to.value(row), unit).map(Some).ok_or_else(beyond)
    });
    Ok(Arc::new(apart.collect::<Result<Int64Array>>().map_err(into_engine)?))
}

/// Dates and timestamps of the type that was asked for, as microseconds.
fn micros(times: &ArrayRef) -> Int64Array {
    fn of<T: ArrowPrimitiveType>(times: &ArrayRef, micros: impl Fn(T::Native) -> i64) -> Int64Array {
        times.as_primitive::<T>().unary(micros)
    }
    match times.data_type() {
        DataType::Date32 => of::<Date32Type>(times, |days| i64::from(days) * DAY),
        _ => of::<TimestampMicrosecondType>(times, |micros| micros),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::time::TimeMode;
    use proptest::prelude::*;

    fn at(text: &str) -> i64 {
        EventTime::parse_text(text, TimeMode::Lenient).unwrap().unix_micros()
    }

    fn text(micros: i64) -> String {
        EventTime::from_unix_micros(micros).unwrap().to_iso8601()
    }

    #[test]
    fn units_are_added_by_the_calendar() {
        let added = |time: &str, number, unit: &str| later(at(time), number, Unit::parse(unit).unwrap()).map(text);
        assert_eq!(added("2024-01-31", 1, "month").as_deref(), Some("2024-02-29T00:00:00Z"));
        assert_eq!(added("2024-02-29T10:00:00Z", -1, "YEARS").as_deref(), Some("2023-02-28T10:00:00Z"));
        assert_eq!(added("2024-01-31", -3, "quarter").as_deref(), Some("2023-04-30T00:00:00Z"));
        assert_eq!(added("2024-01-01", 2, "week").as_deref(), Some("2024-01-15T00:00:00Z"));
        assert_eq!(added("2024-01-01", -1, "millisecond").as_deref(), Some("2023-12-31T23:59:59.999Z"));
        for unit in ["month", "year", "day", "millisecond"] {
            assert_eq!(added("9999-12-31T23:59:59.999Z", 1, unit), None, "{unit}");
            assert_eq!(added("2024-01-01", i64::MAX, unit), None, "{unit}");
        }
        assert!(Unit::parse("fortnight").is_err());
    }

    /// The slow way: add one unit after another until the later time is passed.
    fn counted(from: i64, to: i64, unit: Unit) -> i64 {
        if to < from {
            return -counted(to, from, unit);
        }
        (1..).find(|number| later(from, *number, unit).is_none_or(|moved| moved > to)).unwrap() - 1
    }

    proptest! {
        #[test]
        fn differences_are_what_can_be_added(days in -2_000i64..2_000, apart in -1_200i64..1_200, ends in prop::array::uniform2(0i64..3), unit in 0usize..5) {
            let unit = Unit::parse(["day", "week", "month", "quarter", "year"][unit]).unwrap();
            // Ends of days, a microsecond before and after.
            let (from, to) = (days * DAY + ends[0] - 1, (days + apart) * DAY + ends[1] - 1);
            prop_assert_eq!(between(from, to, unit), Some(counted(from, to, unit)));
        }
    }

    #[test]
    fn ends_of_months_are_whole_months() {
        let apart = |from: &str, to: &str| between(at(from), at(to), Unit::Months(1)).unwrap();
        assert_eq!((apart("2024-01-31", "2024-02-29"), apart("2024-02-29", "2024-01-31")), (1, -1));
        assert_eq!((apart("2024-01-31", "2024-02-28"), apart("2024-02-28", "2024-01-31")), (0, 0));
        assert_eq!(apart("0000-01-01", "9999-12-31T23:59:59.999999Z"), 119_999);
    }
}
