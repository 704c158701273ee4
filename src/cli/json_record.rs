//! Records written as JSON: `{"customer_id": "C0042", "total_purchases": 1.50}`, one object after another.
//!
//! Numbers keep the text they were written with, so `1.50` is stored and echoed as `1.50`; a parse to a double and back would lose
//! it. `null` leaves the feature out, an array holds the values of a collection. Booleans are refused rather than guessed at: whether
//! `true` means `1` or `"true"` depends on the feature.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue as JsonText;

use crate::model::{Error, RawValue, Result};

/// A record as it was written: names with values, in their order.
pub(crate) type Pairs = Vec<(String, RawValue)>;

/// Reads every record of a text of JSON objects, with or without line breaks between them.
pub(crate) fn parse_records(text: &str) -> Result<Vec<Pairs>> {
    let mut records = Vec::new();
    for object in serde_json::Deserializer::from_str(text).into_iter::<Object<'_>>() {
        let number = records.len() + 1;
        let object = object.map_err(|error| {
            Error::invalid(format!("record {number} is not a JSON object of names and values"))
                .why(error.to_string())
                .remedy("write one object per record, as {\"id\": 7, \"amount\": 1.50}")
        })?;
        let mut pairs = Pairs::with_capacity(object.members.len());
        for (name, json) in object.members {
            if let Some(value) = parse_value(&name, json.get()).map_err(|error| error.within(format!("record {number}")))? {
                pairs.push((name, value));
            }
        }
        records.push(pairs);
    }
    Ok(records)
}

/// Reads one JSON value of a feature; `None` where it is null.
pub(crate) fn parse_value(name: &str, json: &str) -> Result<Option<RawValue>> {
    let json = json.trim();
    let value = match json.as_bytes().first() {
        Some(b'n') => return checked(name, json).map(|()| None),
        Some(b'[') => {
            let elements: Vec<&JsonText> = serde_json::from_str(json).map_err(|error| not_json(name, &error))?;
            let mut texts = Vec::with_capacity(elements.len());
            for element in elements {
                texts.push(scalar_text(name, element.get())?);
            }
            RawValue::List(texts)
        }
        _ => {
            checked(name, json)?;
            RawValue::Text(scalar_text(name, json)?)
        }
    };
    Ok(Some(value))
}

fn checked(name: &str, json: &str) -> Result<()> {
    serde_json::from_str::<&JsonText>(json).map(|_| ()).map_err(|error| not_json(name, &error))
}

fn not_json(name: &str, error: &serde_json::Error) -> Error {
    Error::invalid(format!("the value of '{name}' is not JSON")).why(error.to_string()).remedy("quote texts, as in \"electronics\"")
}

/// Returns the text of a JSON number or string.
fn scalar_text(name: &str, json: &str) -> Result<String> {
    let refused = |what: &str, remedy: &str| Err(Error::invalid(format!("the value of '{name}' holds {what}")).remedy(remedy));
    match json.as_bytes().first() {
        Some(b'"') => serde_json::from_str(json).map_err(|error| not_json(name, &error)),
        Some(b't' | b'f') => refused("a JSON boolean", "write 1 or 0 for a number, \"true\" or \"false\" for a text"),
        Some(b'n') => refused("a null inside a list", "leave the element out"),
        Some(b'{') => refused("a JSON object", "write a number, a text, or a list of them"),
        Some(b'[') => refused("a list inside a list", "write a number, a text, or a list of them"),
        _ => Ok(json.to_owned()),
    }
}

/// The members of a JSON object as written: in order, repeats kept so that they can be refused later.
struct Object<'a> {
    members: Vec<(String, &'a JsonText)>,
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de JsonText>()? {
                    members.push(member);
                }
                Ok(Object { members })
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(value: &str) -> RawValue {
        RawValue::Text(value.into())
    }

    #[test]
    fn numbers_keep_the_text_they_were_written_with() {
        let records = parse_records("{\"id\": \"C1\", \"price\": 1.50, \"big\": 12345678901234567890, \"tiny\": 1E-7}\n").unwrap();
        assert_eq!(
            records,
            [vec![
                ("id".to_owned(), text("C1")),
                ("price".to_owned(), text("1.50")),
                ("big".to_owned(), text("12345678901234567890")),
                ("tiny".to_owned(), text("1E-7")),
            ]]
        );
    }

    #[test]
    fn null_is_left_out_and_an_array_is_a_collection() {
        let records = parse_records(r#"{"a": null, "v": [1, 2.50, "x\n"], "empty": []} {"b": ""}"#).unwrap();
        assert_eq!(
            records[0],
            [("v".to_owned(), RawValue::List(vec!["1".into(), "2.50".into(), "x\n".into()])), ("empty".to_owned(), RawValue::List(vec![]))]
        );
        assert_eq!(records[1], [("b".to_owned(), text(""))]);
        assert!(parse_records(" \n ").unwrap().is_empty());
    }

    #[test]
    fn what_is_not_a_record_is_named() {
        for (input, place) in [
            ("{\"a\": 1}\n[1]", "record 2"),
            ("{\"a\": 1", "record 1"),
            ("{\"a\": true}", "'a' holds a JSON boolean"),
            ("{\"a\": [null]}", "null inside a list"),
            ("{\"a\": [[1]]}", "list inside a list"),
            ("{\"a\": {\"b\": 1}}", "'a' holds a JSON object"),
            ("7", "record 1"),
            ("nonsense", "record 1"),
        ] {
            let message = parse_records(input).unwrap_err().to_string();
            assert!(message.contains(place), "{input}: {message}");
        }
    }

    #[test]
    fn one_value_may_be_json_too() {
        assert_eq!(parse_value("v", " [0.10, 0.20] ").unwrap(), Some(RawValue::List(vec!["0.10".into(), "0.20".into()])));
        assert_eq!(parse_value("v", "7").unwrap(), Some(text("7")));
        assert_eq!(parse_value("v", "null").unwrap(), None);
        for bad in ["", "[1", "7 8", "electronics", "nul"] {
            assert!(parse_value("v", bad).is_err(), "{bad}");
        }
    }
}
