//! How identifiers and instants are read from a column, in each dialect as the join reads them.
//!
//! Text times must have the documented form (`2026-11-23T09:30:00.25Z`): each engine has its own idea of the others, so
//! one that is written otherwise ends the query and is named. Finer times than microseconds are cut, towards the past.

use arrow::datatypes::{DataType, TimeUnit};

use super::SqlDialect;
use super::sources::Arm;
use crate::model::{Error, FeatureType, Result};

/// Seconds of the year 10000: what is greater is milliseconds, and a thousand times that microseconds.
const SECONDS: i64 = 253_402_300_800;
/// The form of text times.
const FORM: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$";
/// What is said of a text that has another.
const NO_TIME: &str = "not a time like 2026-11-23T09:30:00Z: ";

/// A column as identifiers of this kind; null where it holds none.
pub(super) fn identifier(dialect: SqlDialect, kind: FeatureType, arm: &Arm<'_>, column: &str) -> Result<String> {
    let name = dialect.name(column);
    let Some(data_type) = arm.type_of(column) else { return Ok(null(kind, dialect)) };
    Ok(match kind {
        FeatureType::String => format!("CAST({name} AS {})", dialect.text_type()),
        // Zero has two signs and is one number.
        FeatureType::Fractional => format!("CAST({name} AS DOUBLE) + 0E0"),
        FeatureType::Integral if *data_type == DataType::Null => null(kind, dialect),
        FeatureType::Integral if data_type.is_integer() => dialect.try_cast(&name, "BIGINT"),
        FeatureType::Integral => {
            // A fraction is nobody's identifier.
            let number = format!("CAST({name} AS DOUBLE)");
            let bound = "9.223372036854775808E18";
            format!(
                "CASE WHEN {number} = floor({number}) AND {number} >= -{bound} AND {number} < {bound} THEN CAST({number} AS BIGINT) END"
            )
        }
    })
}

fn null(kind: FeatureType, dialect: SqlDialect) -> String {
    let data_type = match kind {
        FeatureType::String => dialect.text_type(),
        FeatureType::Integral => "BIGINT",
        FeatureType::Fractional => "DOUBLE",
    };
    format!("CAST(NULL AS {data_type})")
}

/// A column as instants.
///
/// # Errors
/// Invalid for a type that the engine reads as something else.
pub(super) fn instant(dialect: SqlDialect, arm: &Arm<'_>, column: &str) -> Result<String> {
    let name = dialect.name(column);
    let Some(data_type) = arm.type_of(column) else { return Ok(dialect.of_micros("CAST(NULL AS BIGINT)")) };
    Ok(match data_type {
        DataType::Null => dialect.of_micros("CAST(NULL AS BIGINT)"),
        DataType::Timestamp(TimeUnit::Nanosecond, _) if dialect == SqlDialect::Spark => {
            return Err(Error::invalid(format!("Spark can't read the column '{}'", column.escape_debug()))
                .why("its times are in nanoseconds")
                .remedy("write it in microseconds"));
        }
        DataType::Timestamp(unit, zone) => timestamp(dialect, &name, *unit, zone.is_some()),
        DataType::Date32 => match dialect {
            SqlDialect::DuckDb => format!("epoch_us(CAST({name} AS TIMESTAMP))"),
            SqlDialect::Spark => format!("unix_date({name}) * 86400000000"),
            SqlDialect::Trino => format!("CAST({name} AS timestamp(6) with time zone)"),
        },
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => text(dialect, &name),
        number if number.is_integer() => whole_number(dialect, &dialect.try_cast(&name, "BIGINT")),
        number if number.is_numeric() => fraction(dialect, &format!("CAST({name} AS DOUBLE)")),
        other => {
            return Err(Error::invalid(format!("the column '{}' holds no times", column.escape_debug()))
                .why(format!("it is {other}"))
                .remedy("write it as timestamps"));
        }
    })
}

fn timestamp(dialect: SqlDialect, name: &str, unit: TimeUnit, has_zone: bool) -> String {
    match dialect {
        // Division cuts towards 1970, which before it is the wrong way.
        SqlDialect::DuckDb if unit == TimeUnit::Nanosecond && !has_zone => {
            format!("(epoch_ns({name}) - ((epoch_ns({name}) % 1000) + 1000) % 1000) // 1000")
        }
        SqlDialect::DuckDb => format!("epoch_us({name})"),
        SqlDialect::Spark if has_zone => format!("unix_micros({name})"),
        // Said in parts, or the session's zone would have a say.
        SqlDialect::Spark => format!(
            "unix_date(CAST({name} AS DATE)) * 86400000000 + hour({name}) * 3600000000L + minute({name}) * 60000000L \
             + CAST(extract(SECOND FROM {name}) * 1000000 AS BIGINT)"
        ),
        SqlDialect::Trino => format!("CAST({name} AS timestamp(6) with time zone)"),
    }
}

fn text(dialect: SqlDialect, name: &str) -> String {
    let micros = format!("CAST(rpad(regexp_extract({name}, '[.]([0-9]{{1,6}})', 1), 6, '0') AS BIGINT)");
    match dialect {
        SqlDialect::DuckDb => format!(
            "CASE WHEN {name} IS NULL THEN NULL WHEN regexp_matches({name}, '{FORM}') \
             THEN epoch_us(CAST(left({name}, 19) AS TIMESTAMP)) + {micros} ELSE CAST(error('{NO_TIME}' || {name}) AS BIGINT) END"
        ),
        SqlDialect::Spark => format!(
            "CASE WHEN {name} IS NULL THEN NULL WHEN {name} RLIKE '{FORM}' \
             THEN unix_micros(CAST(concat(left({name}, 19), 'Z') AS TIMESTAMP)) + {micros} \
             ELSE CAST(raise_error(concat('{NO_TIME}', {name})) AS BIGINT) END"
        ),
        SqlDialect::Trino => format!(
            "from_iso8601_timestamp_nanos(CASE WHEN {name} IS NULL THEN NULL WHEN regexp_like({name}, '{FORM}') \
             THEN regexp_replace({name}, '([.][0-9]{{6}})[0-9]+', '$1') ELSE concat('{NO_TIME}', {name}) END)"
        ),
    }
}

/// Unix seconds, whose size tells milliseconds and microseconds.
fn whole_number(dialect: SqlDialect, number: &str) -> String {
    let micros = format!(
        "CASE WHEN abs({number}) < {SECONDS} THEN {number} * 1000000 WHEN abs({number}) < {SECONDS}000 THEN {number} * 1000 ELSE {number} END"
    );
    dialect.of_micros(&micros)
}

/// The same of a double, by its shortest decimal text.
fn fraction(dialect: SqlDialect, number: &str) -> String {
    let exact = format!("CAST(CAST({number} AS {}) AS DECIMAL(27, 9))", dialect.text_type());
    let micros = format!(
        "CASE WHEN {number} IS NULL OR {} THEN NULL WHEN abs({number}) < {SECONDS}E0 THEN CAST(floor({exact} * 1000000) AS BIGINT) \
         WHEN abs({number}) < {SECONDS}000E0 THEN CAST(floor({exact} * 1000) AS BIGINT) ELSE CAST(floor({exact}) AS BIGINT) END",
        dialect.is_nan(number)
    );
    dialect.of_micros(&micros)
}
