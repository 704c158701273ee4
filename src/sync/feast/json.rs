//! The protobuf JSON of Feast's messages, where it differs from what serde reads by itself: enumerations are words, times and spans texts.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::Value;

use super::proto::{Duration, Timestamp};
use super::types::{source_type_number, value_type_number};
use crate::model::{EventTime, TimeMode};

/// A value type: its word or its number.
pub(super) fn value_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    enumeration(deserializer, value_type_number)
}

/// A type of data source: its word or its number.
pub(super) fn source_type<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    enumeration(deserializer, source_type_number)
}

fn enumeration<'de, D: Deserializer<'de>>(deserializer: D, number: fn(&str) -> i32) -> Result<i32, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(word) => Ok(number(&word)),
        Value::Number(known) => {
            known.as_i64().and_then(|known| i32::try_from(known).ok()).ok_or_else(|| D::Error::custom("no enumeration"))
        }
        _ => Err(D::Error::custom("neither the word nor the number of an enumeration")),
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant = EventTime::parse_text(&text, TimeMode::Lenient).map_err(D::Error::custom)?;
        Ok(Self { seconds: instant.unix_seconds(), nanos: i32::try_from(instant.subsecond_nanos()).unwrap_or(0) })
    }
}

impl<'de> Deserialize<'de> for Duration {
    /// `86400s`, `0.5s`; parts of seconds are of no interest to a ttl.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let whole = text.strip_suffix('s').map(|number| number.split('.').next().unwrap_or_default());
        let seconds = whole.and_then(|whole| whole.parse().ok()).ok_or_else(|| D::Error::custom("a span that is not like 86400s"))?;
        Ok(Self { seconds, nanos: 0 })
    }
}
