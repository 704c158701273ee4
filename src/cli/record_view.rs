//! How records look in answers, as text and as JSON.
//!
//! Text shows each value exactly as it was stored; JSON gives it its type. Field names are a contract.

use serde::Serialize;
use serde_json::{Map, Value};

use super::console::Console;
use super::exit::Failure;
use super::table::{Side, Table};
use super::text::{NULL, relative_time, visible};
use crate::model::{Arrival, EventTime, FeatureName, FeatureType, FeatureValue, Schema};
use crate::store::{HistoryRow, OnlineRecord};

/// Values of a record with their names and types.
pub(crate) type Values = [(FeatureName, FeatureType, Option<FeatureValue>)];

/// A record of `get --json` and `batch-get --json`.
#[derive(Serialize)]
pub(crate) struct RecordEntry<'a> {
    group: &'a str,
    record_identifier: &'a str,
    event_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    features: Map<String, Value>,
}

/// A version of `history --json`.
#[derive(Serialize)]
pub(crate) struct VersionEntry {
    event_time: String,
    write_time: String,
    api_invocation_time: String,
    is_deleted: bool,
    features: Map<String, Value>,
}

/// Returns a record for JSON.
pub(crate) fn record_entry<'a>(group: &'a str, record: &'a OnlineRecord) -> RecordEntry<'a> {
    RecordEntry {
        group,
        record_identifier: &record.identifier,
        event_time: record.event_time.to_iso8601(),
        expires_at: record.expires_at.map(EventTime::to_iso8601),
        features: typed(&record.values),
    }
}

/// Returns a version for JSON, with the features at these positions of the schema.
pub(crate) fn version_entry(schema: &Schema, positions: &[usize], row: &HistoryRow) -> VersionEntry {
    VersionEntry {
        event_time: row.event_time.to_iso8601(),
        write_time: moment(row.write_time),
        api_invocation_time: moment(row.api_invocation_time),
        is_deleted: row.is_deleted,
        features: positions
            .iter()
            .map(|position| {
                let value = value_at(row, *position).map_or(Value::Null, FeatureValue::to_json);
                (schema.features()[*position].name.to_string(), value)
            })
            .collect(),
    }
}

/// A row written before its group got a feature has no place for it.
fn value_at(row: &HistoryRow, position: usize) -> Option<&FeatureValue> {
    row.values.get(position).and_then(Option::as_ref)
}

fn moment(arrival: Arrival) -> String {
    arrival.time().to_iso8601()
}

fn typed(values: &Values) -> Map<String, Value> {
    values.iter().map(|(name, _, value)| (name.to_string(), value.as_ref().map_or(Value::Null, FeatureValue::to_json))).collect()
}

fn shown(value: Option<&FeatureValue>) -> String {
    value.map_or_else(|| NULL.to_owned(), FeatureValue::display)
}

/// Writes one record, a feature a line.
pub(crate) fn write_record(console: &mut Console, group: &str, record: &OnlineRecord, now: i64) -> Result<(), Failure> {
    let style = console.style();
    let age = relative_time(record.event_time.unix_micros(), now);
    let expiry = record.expires_at.map(|end| format!(", expires {}", relative_time(end.unix_micros(), now))).unwrap_or_default();
    let title = format!("{} of {}", style.strong(&visible(&record.identifier)), visible(group));
    console.line(format!("{title}  {}", style.muted(&format!("as of {} ({age}{expiry})", record.event_time.to_iso8601()))))?;
    console.line("")?;
    let mut table = Table::new(&[("FEATURE", Side::Left), ("VALUE", Side::Left)]);
    for (name, _, value) in &record.values {
        table.row([name.as_str(), &shown(value.as_ref())]);
    }
    console.table(&table)
}

/// Writes several records of a group, one a line.
pub(crate) fn write_records(console: &mut Console, records: &[&OnlineRecord]) -> Result<(), Failure> {
    let Some(first) = records.first() else { return Ok(()) };
    let mut columns = vec![("RECORD", Side::Left), ("AS OF", Side::Left)];
    columns.extend(first.values.iter().map(|(name, kind, _)| (name.as_str(), side_of(*kind))));
    let mut table = Table::new(&columns).keeping_empty_columns();
    for record in records {
        let lead = [record.identifier.clone(), record.event_time.to_iso8601()];
        table.row(lead.into_iter().chain(record.values.iter().map(|(_, _, value)| shown(value.as_ref()))));
    }
    write_wide(console, table)
}

/// Writes the versions of one record, newest first, with the features at these positions of the schema.
pub(crate) fn write_history(console: &mut Console, schema: &Schema, positions: &[usize], rows: &[HistoryRow]) -> Result<(), Failure> {
    if rows.is_empty() {
        return Ok(());
    }
    let any_deleted = rows.iter().any(|row| row.is_deleted);
    let mut columns = vec![("EVENT TIME", Side::Left), ("WRITTEN", Side::Left)];
    columns.extend(any_deleted.then_some(("STATE", Side::Left)));
    columns.extend(positions.iter().map(|position| {
        let feature = &schema.features()[*position];
        (feature.name.as_str(), side_of(feature.feature_type))
    }));
    let mut table = Table::new(&columns).keeping_empty_columns();
    for row in rows {
        let state = any_deleted.then(|| if row.is_deleted { "✖ deleted".to_owned() } else { "stored".to_owned() });
        let lead = [row.event_time.to_iso8601(), moment(row.write_time)].into_iter().chain(state);
        table.row(lead.chain(positions.iter().map(|position| shown(value_at(row, *position)))));
    }
    write_wide(console, table)
}

fn side_of(kind: FeatureType) -> Side {
    if kind == FeatureType::String { Side::Left } else { Side::Right }
}

/// Writes a table of records, leaving out features that a terminal has no room for and saying so.
fn write_wide(console: &mut Console, mut table: Table) -> Result<(), Failure> {
    let hidden = table.keep_columns_that_fit(console.page().width());
    console.table(&table)?;
    if hidden > 0 {
        console.hint(format!("{hidden} more features; choose some with --feature, or use --json"));
    }
    Ok(())
}
