//! Times as Unix seconds.
//!
//! A number whose size tells that it is milliseconds or microseconds is read as such, as in a Fractional event time;
//! so `from_unixtime(event_time)` is always the event time. What is not a number (NaN) is null, as in data frames.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::ScalarUDF;

use super::iso8601::{read, text_or_time};
use super::kernel::{Faults, Kernel};
use super::utc;

/// Reads Unix seconds as an instant.
pub(in crate::dataset) const FROM_UNIXTIME: &str = "from_unixtime";
const TO_UNIXTIME: &str = "to_unixtime";

/// The functions of this file.
pub(super) fn functions() -> Vec<ScalarUDF> {
    let from = Kernel { name: FROM_UNIXTIME, arguments: "seconds", takes: number, gives: |_| utc(), run: from_unixtime };
    let to = Kernel { name: TO_UNIXTIME, arguments: "time", takes: text_or_time, gives: |_| DataType::Float64, run: to_unixtime };
    from.partial().into_iter().chain(to.partial()).collect()
}

fn number(types: &[DataType]) -> Option<Vec<DataType>> {
    match types {
        [DataType::Null] => Some(vec![DataType::Float64]),
        [integer] if integer.is_integer() => Some(vec![DataType::Int64]),
        [other] if other.is_numeric() => Some(vec![DataType::Float64]),
        _ => None,
    }
}

fn from_unixtime(arguments: &[ArrayRef], faults: Faults) -> EngineResult<ArrayRef> {
    let micros = read(FROM_UNIXTIME, &arguments[0], faults, "a time", "1763890200.25 (Unix seconds)")?;
    Ok(Arc::new(micros.reinterpret_cast::<TimestampMicrosecondType>().with_timezone("UTC")))
}

fn to_unixtime(arguments: &[ArrayRef], faults: Faults) -> EngineResult<ArrayRef> {
    let micros = read(TO_UNIXTIME, &arguments[0], faults, "a time", "2026-11-23T09:30:00Z")?;
    Ok(Arc::new(micros.iter().map(|micros| Some(micros? as f64 / 1e6)).collect::<Float64Array>()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{Array, TimestampMicrosecondArray};
    use proptest::prelude::*;

    proptest! {
        /// Microseconds survive the double, as long as doubles are that fine (until the year 2242).
        #[test]
        fn seconds_as_a_double_lead_back(micros in 0i64..8_589_934_592_000_000) {
            let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC"));
            let seconds = to_unixtime(std::slice::from_ref(&times), Faults::Fail).unwrap();
            prop_assert_eq!(&from_unixtime(&[seconds], Faults::Fail).unwrap(), &times);
        }
    }

    #[test]
    fn what_is_no_number_is_null_and_what_is_no_time_an_error() {
        let seconds: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None, Some(f64::NAN)]));
        assert_eq!(from_unixtime(&[seconds], Faults::Fail).unwrap().null_count(), 2);
        let endless: ArrayRef = Arc::new(Float64Array::from(vec![f64::INFINITY]));
        assert!(from_unixtime(std::slice::from_ref(&endless), Faults::Fail).is_err());
        assert_eq!(from_unixtime(&[endless], Faults::Null).unwrap().null_count(), 1);
    }
}
