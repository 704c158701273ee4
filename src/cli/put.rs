//! `larder put`: records by hand or from another program.

use clap::{Args, ValueEnum};

use serde::Serialize;

use super::console::Console;
use super::exit::{Exit, Verdict};
use super::json_record::{Pairs, parse_records, parse_value};
use super::place::Place;
use super::read_text;
use super::text::counted;
use crate::model::{Error, FeatureGroup, RawValue, Record, Result, Ttl};
use crate::store::{OnlineEffect, PutOptions, Targets};

/// Records that are stored in one go, all or none of them.
const RECORDS_AT_ONCE: usize = 1_000;

/// Which of a group's stores are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stores {
    Both,
    Online,
    Offline,
}

impl From<Stores> for Targets {
    fn from(stores: Stores) -> Targets {
        Targets { online: stores != Stores::Offline, offline: stores != Stores::Online }
    }
}

/// Store a record; a feature left out is null
#[derive(Args, Debug)]
#[command(after_help = "\
Values are stored and echoed exactly as written. A record with an older event time than the one online goes \
into the history only. With --json-record each object is one record, and numbers keep their text.

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
    /// Write only these stores of the group [default: all it has]
    #[arg(long, value_name = "STORES", value_enum)]
    to: Option<Stores>,
    /// Let the record expire this long after its event time: 90s, 30m, 12h, 7d, 4w
    #[arg(long, value_name = "TTL")]
    ttl: Option<Ttl>,
}

/// The document of `put --json`.
#[derive(Serialize)]
struct Receipt<'a> {
    group: &'a str,
    records: u64,
    /// Records whose event time is older than the one online: they went into the history only.
    late: u64,
    /// Records that are durable and reach the online store once it answers again.
    queued: u64,
}

impl Put {
    pub(crate) async fn run(self, place: &Place, console: &mut Console) -> Verdict {
        let from_json = self.json_record.is_some();
        let mut records = match &self.json_record {
            Some(argument) => parse_records(&read_text(argument).await?)?,
            None => vec![pairs_of(self.fields)],
        };
        if records.is_empty() {
            return Err(Error::invalid("there is no record to store").remedy("write one JSON object per record").into());
        }
        let store = place.open().await?;
        let group = store.group(&self.group).await?;
        if !from_json {
            for record in &mut records {
                read_lists(&group, record)?;
            }
        } else if records.len() > 1 {
            // Every record is checked before the first is stored, so that a bad one changes nothing however long the input.
            for (number, record) in records.iter().enumerate() {
                Record::from_pairs(&group.schema, record.clone(), store.settings().time_mode)
                    .map_err(|error| error.within(format!("record {}", number + 1)))?;
            }
        }
        let options = PutOptions { targets: self.to.map(Targets::from), ttl: self.ttl };
        let (mut stored, mut late, mut queued) = (0, 0, 0);
        let mut records = records.into_iter();
        loop {
            let portion: Vec<Pairs> = records.by_ref().take(RECORDS_AT_ONCE).collect();
            if portion.is_empty() {
                break;
            }
            match store.put_many(group.name.as_str(), portion, options).await {
                Ok(receipts) => {
                    stored += receipts.len() as u64;
                    let count = |effect| receipts.iter().filter(|receipt| receipt.online == effect).count() as u64;
                    late += count(OnlineEffect::Late);
                    queued += count(OnlineEffect::Queued);
                }
                Err(error) if stored == 0 => return Err(error.into()),
                Err(error) => {
                    console.complain(error.to_string());
                    console
                        .complain(format!("the first {} are stored, those after them are not; put those again", counted(stored, "record")));
                    store.close().await?;
                    return Ok(Exit::Partly);
                }
            }
        }
        store.close().await?;
        let receipt = Receipt { group: group.name.as_str(), records: stored, late, queued };
        console.confirm(format!("stored {} in {}", counted(stored, "record"), group.name), &receipt)?;
        if late > 0 {
            let which = if stored == 1 { "the record".to_owned() } else { counted(late, "record") };
            console.hint(format!("{which} went into the history only: the online store holds a newer one"));
        }
        if queued > 0 {
            console.hint(format!("{} queued: the online store does not answer and gets them later", counted(queued, "record")));
        }
        Ok(Exit::Done)
    }
}

/// Reads `name=[1, 2]` as a list where the feature is one, so that `:=` is needed only by those who want to be exact.
fn read_lists(group: &FeatureGroup, record: &mut Pairs) -> Result<()> {
    for (name, value) in record {
        let RawValue::Text(text) = value else { continue };
        let is_collection = group.schema.feature(name).is_ok_and(|(_, feature)| feature.collection.is_some());
        if is_collection
            && text.trim_start().starts_with('[')
            && let Some(list) = parse_value(name, text)?
        {
            *value = list;
        }
    }
    Ok(())
}

/// One feature of a record as it was typed; no value where it was `name:=null`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    name: String,
    value: Option<RawValue>,
}

fn parse_field(text: &str) -> std::result::Result<Field, String> {
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
