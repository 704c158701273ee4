//! What time it is: the same throughout a statement, and the same that `$latest` judges ttl by.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

use super::civil::DAY;
use crate::model::time::EventTime;

/// The functions that tell the time of a statement which began at `now`.
pub(in crate::dataset) fn clock(now: EventTime) -> [ScalarUDF; 4] {
    let micros = now.unix_micros();
    let (day, of_day) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    [
        constant("now", &["current_timestamp"], ScalarValue::TimestampMicrosecond(Some(micros), Some(Arc::from("UTC")))),
        constant("localtimestamp", &[], ScalarValue::TimestampMicrosecond(Some(micros), None)),
        constant("current_date", &["today"], ScalarValue::Date32(Some(day as i32))),
        constant("current_time", &[], ScalarValue::Time64Nanosecond(Some(of_day * 1_000))),
    ]
}

fn constant(name: &'static str, aliases: &[&str], value: ScalarValue) -> ScalarUDF {
    let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
    // Immutable within its statement, and it is known to no other one.
    ScalarUDF::new_from_impl(Constant { name, aliases, value, signature: Signature::nullary(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: &'static str,
    aliases: Vec<String>,
    value: ScalarValue,
    signature: Signature,
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> EngineResult<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _call: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}
