//! Functions that Athena has and the engine lacks, or understands otherwise.
//!
//! ```text
//! clock        now, current_timestamp, localtimestamp, current_date, current_time: the instant of the statement
//! iso8601      from_iso8601_timestamp, from_iso8601_date, to_iso8601
//! unix_time    from_unixtime, to_unixtime
//! patterns     to_timestamp, to_date, to_char with Teradata's tokens; date_parse, date_format with MySQL's
//! calendar     date_add, date_diff
//! arrays       contains
//! json         json_extract_scalar
//! ```
//!
//! Forms that the engine has under another name or in another shape are no functions here; [`super::trino`] says them
//! in the engine's words. Whatever reads a time reads it as the store does when a record is put: one rule, in
//! [`super::instants`]. All instants are UTC and in microseconds, like the columns of the store.
//!
//! What can't be read is an error that names the value, as in Trino. Each function that can fail so has a twin that
//! gives null instead; its name begins with `try_`, and `try(f(x))` asks for it.

mod arrays;
mod calendar;
mod civil;
mod clock;
mod iso8601;
mod json;
mod kernel;
mod patterns;
mod unix_time;

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::execution::SessionState;
use datafusion::execution::registry::FunctionRegistry;
use datafusion::logical_expr::ScalarUDF;

pub(super) use clock::clock;
pub(super) use iso8601::FROM_ISO8601_TIMESTAMP;
pub(super) use kernel::{TRY, is_text};
pub(super) use patterns::{TO_CHAR_TERADATA, TO_DATE_TERADATA, TO_TIMESTAMP_TERADATA};
pub(super) use unix_time::FROM_UNIXTIME;

use super::failure::from_engine;
use crate::model::error::Result;

/// An instant, as the store keeps it.
pub(super) fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Makes the functions known to a session; those of the same name that the engine brings are replaced.
pub(super) fn register(state: &mut SessionState) -> Result<()> {
    let families = [iso8601::functions(), unix_time::functions(), patterns::functions(), calendar::functions(), json::functions()];
    add(state, families.into_iter().flatten().chain([arrays::contains()]))
}

/// Makes some functions known to a session.
pub(super) fn add(state: &mut SessionState, functions: impl IntoIterator<Item = ScalarUDF>) -> Result<()> {
    for function in functions {
        state.register_udf(Arc::new(function)).map_err(from_engine)?;
    }
    Ok(())
}
