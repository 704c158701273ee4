//! `larder put`: records by hand or from another program.

use clap::{Args, ValueEnum};

use super::json_record::{Pairs, parse_value};
use crate::model::{RawValue, Ttl};

/// Which of a group's stores are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stores {
    /// The latest record and the history
    Both,
    /// The latest record only
    Online,
    /// The history only
    Offline,
}

/// Store a record; a feature left out is null
#[derive(Args, Debug)]
#[command(after_help = "\
Values are stored and echoed exactly as written. A record with an older event time than the one online goes
into the history only. With --json-record, each object is one record and numbers keep their text.

Examples:
  larder put customer-features customer_id=C7 event_time=2026-11-23T09:00:00Z total_purchases=12.50
  larder put customer-features customer_id=C7 event_time=2026-11-23T09:00:00Z 'embedding:=[0.1, 0.2]'
  echo '{\"customer_id\": \"C7\", \"event_time\": \"2026-11-23T09:00:00Z\"}' | larder put customer-features --json-record -
  larder put customer-features --json-record records.jsonl --to offline")]
pub(crate) struct Put {
    /// Name of the group
    group: String,
    /// Features of one record; name:=JSON for a list
    #[arg(value_name = "NAME=VALUE", value_parser = parse_field, required_unless_present = "json_record")]
    fields: Vec<Field>,
    /// Read records as JSON objects from this file, or from standard input for '-'
    #[arg(long, value_name = "FILE", conflicts_with = "fields")]
    json_record: Option<String>,
    /// Write these stores of the group
    #[arg(long, value_name = "STORES", value_enum, default_value = "both")]
    to: Stores,
    /// Let the record expire this long after its event time: 90s, 30m, 12h, 7d, 4w
    #[arg(long, value_name = "TTL")]
    ttl: Option<Ttl>,
}

/// One feature of a record as it was typed; no value where it was `name:=null`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: String,
    value: Option<RawValue>,
}

fn parse_field(text: &str) -> Result<Field, String> {
    let (name, value) = super::pairs::parse_pair(text)?;
    if let Some(name) = name.strip_suffix(':') {
        let value = parse_value(name, &value).map_err(|error| error.to_string())?;
        return Ok(Field { name: name.to_owned(), value });
    }
    Ok(Field { name, value: Some(RawValue::Text(value)) })
}

fn pairs_of(fields: Vec<Field>) -> Pairs {
    fields.into_iter().filter_map(|field| field.value.map(|value| (field.name, value))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_field_is_text_unless_it_says_json() {
        let fields: Vec<Field> =
            ["id=C7", "note=a=b", "v:=[0.10, 2]", "empty=", "gone:=null"].into_iter().map(|text| parse_field(text).unwrap()).collect();
        assert_eq!(
            pairs_of(fields),
            [
                ("id".to_owned(), RawValue::Text("C7".into())),
                ("note".to_owned(), RawValue::Text("a=b".into())),
                ("v".to_owned(), RawValue::List(vec!["0.10".into(), "2".into()])),
                ("empty".to_owned(), RawValue::Text(String::new())),
            ]
        );
        for bad in ["id", "=C7", "v:=[1", "v:=electronics"] {
            assert!(parse_field(bad).is_err(), "{bad}");
        }
    }
}
