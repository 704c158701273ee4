//! The words of the engines: names, literals, types, and arithmetic with instants.
//!
//! An instant is a whole number of microseconds since 1970 where the engine can tell it exactly, which also keeps the
//! session's time zone out of it; in Trino it is a timestamp with time zone.

use std::fmt;

use arrow::datatypes::DataType;

use crate::model::EventTime;

/// An engine's SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlDialect {
    /// DuckDB, from 1.1 on.
    DuckDb,
    /// Spark (and Databricks), from 3.5 on.
    Spark,
    /// Trino and Athena.
    Trino,
}

impl fmt::Display for SqlDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DuckDb => "duckdb",
            Self::Spark => "spark",
            Self::Trino => "trino",
        })
    }
}

impl SqlDialect {
    /// True if the engine tells which row of which file a row is. Trino reads tables, by any file.
    pub(super) fn tells_places(self) -> bool {
        self != Self::Trino
    }

    /// A name, whatever it holds.
    pub(super) fn name(self, name: &str) -> String {
        match self {
            Self::Spark => format!("`{}`", name.replace('`', "``")),
            Self::DuckDb | Self::Trino => format!("\"{}\"", name.replace('"', "\"\"")),
        }
    }

    /// A text.
    pub(super) fn text(self, text: &str) -> String {
        match self {
            Self::Spark => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            Self::DuckDb | Self::Trino => format!("'{}'", text.replace('\'', "''")),
        }
    }

    /// The type of texts.
    pub(super) fn text_type(self) -> &'static str {
        if self == Self::Spark { "STRING" } else { "VARCHAR" }
    }

    /// A type of features; none for one that only other engines' files have.
    pub(super) fn type_of(self, data_type: &DataType) -> Option<String> {
        Some(match data_type {
            DataType::Int64 => "BIGINT".to_owned(),
            DataType::Float64 => "DOUBLE".to_owned(),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => self.text_type().to_owned(),
            DataType::List(element) => {
                let element = self.type_of(element.data_type())?;
                match self {
                    Self::DuckDb => format!("{element}[]"),
                    Self::Spark => format!("ARRAY<{element}>"),
                    Self::Trino => format!("ARRAY({element})"),
                }
            }
            _ => return None,
        })
    }

    /// A cast that gives null where the value doesn't fit.
    pub(super) fn try_cast(self, value: &str, to: &str) -> String {
        format!("TRY_CAST({value} AS {to})")
    }

    /// True of a number that is none.
    pub(super) fn is_nan(self, value: &str) -> String {
        if self == Self::Trino { format!("is_nan({value})") } else { format!("isnan({value})") }
    }

    /// A timestamp as the files hold them.
    pub(super) fn timestamp(self, time: EventTime) -> String {
        let whole = EventTime::from_unix_micros(time.unix_micros()).unwrap_or(time).to_iso8601();
        match self {
            Self::DuckDb => format!("TIMESTAMPTZ '{}'", whole.replace('T', " ").replace('Z', "+00")),
            Self::Spark => format!("TIMESTAMP '{whole}'"),
            Self::Trino => format!("from_iso8601_timestamp_nanos('{whole}')"),
        }
    }

    /// An instant that lies so many seconds before another.
    pub(super) fn earlier(self, instant: &str, seconds: u64) -> String {
        match self {
            Self::Trino => format!("{instant} - INTERVAL '{seconds}' SECOND"),
            Self::DuckDb | Self::Spark => format!("{instant} - {}", u128::from(seconds) * 1_000_000),
        }
    }

    /// An instant from microseconds since 1970.
    pub(super) fn of_micros(self, micros: &str) -> String {
        match self {
            Self::Trino => format!("from_unixtime_nanos(({micros}) * 1000)"),
            Self::DuckDb | Self::Spark => micros.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_and_texts_stay_what_they_are() {
        assert_eq!(SqlDialect::Spark.name("a`b"), "`a``b`");
        assert_eq!(SqlDialect::Trino.name("a\"b"), "\"a\"\"b\"");
        assert_eq!(SqlDialect::Spark.text("it's \\ so"), "'it\\'s \\\\ so'");
        assert_eq!(SqlDialect::DuckDb.text("it's \\ so"), "'it''s \\ so'");
    }

    #[test]
    fn times_are_cut_to_what_files_hold() {
        let time = EventTime::from_unix_nanos(1_500_000_999).unwrap();
        assert_eq!(SqlDialect::DuckDb.timestamp(time), "TIMESTAMPTZ '1970-01-01 00:00:01.500+00'");
        assert_eq!(SqlDialect::Spark.timestamp(time), "TIMESTAMP '1970-01-01T00:00:01.500Z'");
    }
}
