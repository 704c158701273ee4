//! Times as ISO-8601 text.
//!
//! Reading takes whatever a String event time may be when a record is put: offsets, no zone (UTC), a date alone, Unix
//! time. The functions are told nothing of `store.strict_time`; what was accepted once must stay readable.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Date32Array, Int64Array, StringBuilder};
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::ScalarUDF;

use super::civil::DAY;
use super::kernel::{Faults, Kernel, as_text, unreadable};
use super::utc;
use crate::dataset::instants::instants;
use crate::model::time::EventTime;

/// Reads text as an instant.
pub(in crate::dataset) const FROM_ISO8601_TIMESTAMP: &str = "from_iso8601_timestamp";
const FROM_ISO8601_DATE: &str = "from_iso8601_date";
const TO_ISO8601: &str = "to_iso8601";

const EXAMPLE: &str = "2026-11-23T09:30:00Z";

/// The functions of this file.
pub(super) fn functions() -> Vec<ScalarUDF> {
    let timestamp = Kernel {
        name: FROM_ISO8601_TIMESTAMP,
        arguments: "text",
        takes: text_or_time,
        gives: |_| utc(),
        run: |arguments, faults| {
            let micros = read(FROM_ISO8601_TIMESTAMP, &arguments[0], faults, "a time", EXAMPLE)?;
            Ok(Arc::new(micros.reinterpret_cast::<TimestampMicrosecondType>().with_timezone("UTC")))
        },
    };
    let date = Kernel {
        name: FROM_ISO8601_DATE,
        arguments: "text",
        takes: text_or_time,
        gives: |_| DataType::Date32,
        run: |arguments, faults| {
            let micros = read(FROM_ISO8601_DATE, &arguments[0], faults, "a date", "2026-11-23")?;
            Ok(Arc::new(micros.iter().map(|micros| Some(micros?.div_euclid(DAY) as i32)).collect::<Date32Array>()))
        },
    };
    let text = Kernel { name: TO_ISO8601, arguments: "time", takes: text_or_time, gives: |_| DataType::Utf8, run: to_iso8601 };
    timestamp.partial().into_iter().chain(date.partial()).chain([text.total()]).collect()
}

/// Text, and times too: the event time of an external group may have either type.
pub(super) fn text_or_time(types: &[DataType]) -> Option<Vec<DataType>> {
    match types {
        [time @ (DataType::Timestamp(..) | DataType::Date32)] => Some(vec![time.clone()]),
        [text] => Some(vec![as_text(text)?]),
        _ => None,
    }
}

/// Times as microseconds, null where there is none.
pub(super) fn read(function: &str, times: &ArrayRef, faults: Faults, wanted: &str, example: &str) -> EngineResult<Int64Array> {
    let read = instants(times)?;
    match read.unreadable {
        Some(row) if faults == Faults::Fail => Err(unreadable(function, times, row, wanted, example)),
        _ => Ok(read.micros),
    }
}

/// A date stays a date, and a timestamp without zone gets none: the text says what the value says.
fn to_iso8601(arguments: &[ArrayRef], faults: Faults) -> EngineResult<ArrayRef> {
    let times = &arguments[0];
    let micros = read(TO_ISO8601, times, faults, "a time", EXAMPLE)?;
    let mut texts = StringBuilder::with_capacity(times.len(), times.len() * 20);
    let mut text = String::new();
    for micros in &micros {
        let Some(time) = micros.and_then(EventTime::from_unix_micros) else {
            texts.append_null();
            continue;
        };
        text.clear();
        time.write_iso8601(&mut text);
        match times.data_type() {
            DataType::Date32 => text.truncate(10),
            DataType::Timestamp(_, None) => drop(text.pop()),
            _ => {}
        }
        texts.append_value(&text);
    }
    Ok(Arc::new(texts.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::{AsArray, StringArray, TimestampMicrosecondArray};

    #[test]
    fn text_says_what_the_value_says() {
        let text = |times: ArrayRef| to_iso8601(&[times], Faults::Fail).unwrap().as_string::<i32>().iter().flatten().collect::<Vec<_>>().join(" ");
        let plain = TimestampMicrosecondArray::from(vec![Some(1_500_000), None, Some(-1)]);
        assert_eq!(text(Arc::new(plain.clone())), "1970-01-01T00:00:01.500 1969-12-31T23:59:59.999999");
        assert_eq!(text(Arc::new(plain.with_timezone("+02:00"))), "1970-01-01T00:00:01.500Z 1969-12-31T23:59:59.999999Z");
        assert_eq!(text(Arc::new(Date32Array::from(vec![31]))), "1970-02-01");
    }

    #[test]
    fn what_is_no_time_is_named_or_null() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("1970-01-01T00:00:01Z"), None, Some("soon\n")]));
        let error = read("f", &texts, Faults::Fail, "a time", EXAMPLE).unwrap_err();
        assert!(error.to_string().contains("f can't read 'soon\\n' as a time"), "{error}");
        assert_eq!(read("f", &texts, Faults::Null, "a time", EXAMPLE).unwrap(), Int64Array::from(vec![Some(1_000_000), None, None]));
    }
}
