//! Types as SQL names them, where the engine's own reading doesn't fit the store.
//!
//! A plain `timestamp` is kept in microseconds, because nanoseconds end in the year 2262 and event times don't; one with
//! time zone is UTC, like all instants here, instead of losing its zone.

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo};

/// Reads the names of types.
#[derive(Debug)]
pub(super) struct SqlTypes;

impl TypePlanner for SqlTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> EngineResult<Option<FieldRef>> {
        let SqlType::Timestamp(precision, zone) = sql_type else { return Ok(None) };
        let unit = match precision {
            Some(0) => TimeUnit::Second,
            Some(1..=3) => TimeUnit::Millisecond,
            None | Some(4..=6) => TimeUnit::Microsecond,
            Some(_) => TimeUnit::Nanosecond,
        };
        let zone = match zone {
            TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => Some("UTC".into()),
            TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => None,
        };
        Ok(Some(Field::new("", DataType::Timestamp(unit, zone), true).into()))
    }
}
