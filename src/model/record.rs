//! A record, and the one rule that says which of two records is newer.
//!
//! A put replaces the whole record: a feature left out is null. The identifier and the event time must be there.

use super::FeatureType;
use super::error::{Error, Result};
use super::limits;
use super::schema::Schema;
use super::time::{Arrival, EventTime, TimeMode};
use super::value::{FeatureValue, RawValue, Scalar, format_fractional};

/// A record, checked against its group's schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The key of the record, see [`identifier_key`].
    pub identifier: String,
    /// When it was true.
    pub event_time: EventTime,
    /// Values by position in the schema; none is null.
    pub values: Vec<Option<FeatureValue>>,
}

/// The one rule: a record replaces another if its event time is later, or equal and it arrived no earlier.
///
/// SageMaker's guide says "greater than or equal"; arrival makes it a total order, so replaying or reordering
/// writes cannot move a record back. "No earlier" rather than "later": rows of one file of a bulk load share
/// an arrival, and there the later row wins.
pub fn is_newer(candidate: (EventTime, Arrival), current: (EventTime, Arrival)) -> bool {
    candidate >= current
}

impl Record {
    /// Builds a record from name-value pairs.
    ///
    /// # Errors
    /// An unknown feature, a feature given twice, a value its type cannot hold, a missing identifier or event
    /// time, an event time that cannot be read, a record or identifier that is too long.
    pub fn from_pairs<Name: AsRef<str>>(schema: &Schema, pairs: Vec<(Name, RawValue)>, mode: TimeMode) -> Result<Self> {
        let mut values: Vec<Option<FeatureValue>> = vec![None; schema.len()];
        let mut bytes = 0;
        for (name, raw) in pairs {
            let (position, definition) = schema.feature(name.as_ref())?;
            bytes += match &raw {
                RawValue::Text(text) => text.len(),
                RawValue::List(texts) => texts.iter().map(String::len).sum(),
            };
            let value = FeatureValue::parse(definition, raw)?;
            if values[position].replace(value).is_some() {
                return Err(Error::invalid(format!("'{}' is given twice", definition.name)).remedy("give each feature once"));
            }
        }
        if bytes > limits::MAX_RECORD {
            return Err(
                Error::invalid(format!("the record is {bytes} bytes long")).remedy(format!("at most {} are allowed", limits::MAX_RECORD))
            );
        }
        Self::from_values(schema, values, mode)
    }

    /// Builds a record from values by position, which must fit the schema.
    pub fn from_values(schema: &Schema, values: Vec<Option<FeatureValue>>, mode: TimeMode) -> Result<Self> {
        let identifier = identifier_key(schema, key_text(schema, schema.identifier_position(), &values, "record identifier")?)?;
        let text = key_text(schema, schema.event_time_position(), &values, "event time")?;
        let event_time = parse_event_time(schema, text, mode)?;
        Ok(Self { identifier, event_time, values })
    }

    /// The record with its values by slot of a stored row.
    #[must_use]
    pub fn in_slots(self, schema: &Schema) -> Self {
        Self { values: schema.in_slots(self.values), ..self }
    }

    /// Builds the values of a delete marker: identifier and event time, everything else null.
    pub fn tombstone(schema: &Schema, identifier: &str, event_time_text: &str, mode: TimeMode) -> Result<Self> {
        let mut values: Vec<Option<FeatureValue>> = vec![None; schema.len()];
        for (position, text) in [(schema.identifier_position(), identifier), (schema.event_time_position(), event_time_text)] {
            values[position] = Some(FeatureValue::parse(&schema.features()[position], RawValue::Text(text.to_owned()))?);
        }
        Self::from_values(schema, values, mode)
    }
}

/// The key under which records with this identifier are one: the text itself, of a number its canonical text.
///
/// `7`, `+7` and `007` are one record of an Integral identifier, since the offline store holds the number.
pub fn identifier_key(schema: &Schema, text: &str) -> Result<String> {
    let definition = schema.identifier();
    let key = match Scalar::parse(definition.name.as_str(), definition.feature_type, text.to_owned())? {
        Scalar::Integral { value, .. } => value.to_string(),
        // -0 and 0 are one number.
        Scalar::Fractional { value, .. } => format_fractional(value + 0.0),
        Scalar::String(text) => text,
    };
    match key.len() {
        0 => Err(Error::invalid("the record identifier is empty").remedy(format!("give '{}' a value", definition.name))),
        1..=limits::MAX_IDENTIFIER => Ok(key),
        bytes => Err(Error::invalid(format!("the record identifier is {bytes} bytes long"))
            .remedy(format!("at most {} are allowed", limits::MAX_IDENTIFIER))),
    }
}

/// Reads an event time by the type of the group's event-time feature.
pub fn parse_event_time(schema: &Schema, text: &str, mode: TimeMode) -> Result<EventTime> {
    let definition = schema.event_time();
    let time = match definition.feature_type {
        FeatureType::Fractional => EventTime::parse_fractional(text, mode),
        _ => EventTime::parse_text(text, mode),
    };
    time.map_err(|error| error.within(format_args!("'{}'", definition.name)))
}

fn key_text<'a>(schema: &Schema, position: usize, values: &'a [Option<FeatureValue>], role: &str) -> Result<&'a str> {
    match &values[position] {
        Some(FeatureValue::Scalar(scalar)) => Ok(Scalar::text(scalar)),
        _ => {
            let name = &schema.features()[position].name;
            Err(Error::invalid(format!("the record has no {role}")).remedy(format!("give '{name}' a value")))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::{FeatureDefinition, FeatureName};

    fn schema() -> Schema {
        let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
        Schema::new(
            vec![feature("id", FeatureType::Integral), feature("at", FeatureType::Fractional), feature("x", FeatureType::String)],
            "id",
            "at",
        )
        .unwrap()
    }

    fn record(pairs: &[(&str, &str)]) -> Result<Record> {
        let pairs = pairs.iter().map(|(name, text)| ((*name).to_owned(), RawValue::Text((*text).to_owned()))).collect();
        Record::from_pairs(&schema(), pairs, TimeMode::Lenient)
    }

    #[test]
    fn a_feature_left_out_is_null_and_the_keys_must_be_there() {
        let whole = record(&[("AT", "5"), ("id", "007")]).unwrap();
        assert_eq!((whole.identifier.as_str(), whole.event_time.unix_seconds(), &whole.values[2]), ("7", 5, &None));
        for (pairs, told) in [
            (&[("id", "1")][..], "give 'at' a value"),
            (&[("at", "1")], "give 'id' a value"),
            (&[("id", "1"), ("at", "1"), ("ID", "2")], "twice"),
            (&[("id", "1"), ("at", "1"), ("y", "2")], "no feature 'y'"),
            (&[("id", "one"), ("at", "1")], "'one' is not a value for 'id'"),
            (&[("id", "1"), ("at", "1e300")], "not an event time"),
        ] {
            let message = record(pairs).unwrap_err().to_string();
            assert!(message.contains(told), "{message}");
        }
    }

    #[test]
    fn newer_is_later_and_at_equal_times_the_later_arrival() {
        let key = |seconds, arrival| (EventTime::from_unix_seconds(seconds).unwrap(), Arrival(arrival));
        assert!(is_newer(key(2, 1), key(1, 9)));
        assert!(!is_newer(key(1, 9), key(2, 1)));
        assert!(is_newer(key(1, 2), key(1, 1)));
        assert!(!is_newer(key(1, 1), key(1, 2)));
    }
}
