//! How a group looks in answers: the entry of a list and the page of one group, as text and as JSON.
//!
//! The JSON field names are a contract: scripts rely on them, so they are only ever added to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::console::Console;
use super::exit::Failure;
use super::table::{Facts, Side, Table};
use super::text::{NULL, UNKNOWN, counted, full_count, relative_time, short_bytes, short_count, to_the_second, visible};
use crate::model::{Collection, EventTime, FeatureDefinition, FeatureGroup, GroupStatus, RemovedFeature, Result};
use crate::store::{FeatureStore, GroupSummary};
use crate::sync::{Disagreement, ObservedGroup, SyncedGroup};

/// What list and page have in common.
#[derive(Serialize)]
pub(crate) struct GroupHead<'a> {
    name: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'a str>,
    online: bool,
    offline: bool,
    external: bool,
    record_identifier: &'a str,
    event_time: &'a str,
    ttl: Option<String>,
    records: u64,
    created: String,
    modified: String,
    owner: Option<&'a str>,
    description: Option<&'a str>,
    tags: &'a BTreeMap<String, String>,
}

/// An entry of `list --json`.
#[derive(Serialize)]
pub(crate) struct GroupEntry<'a> {
    #[serde(flatten)]
    head: GroupHead<'a>,
    features: usize,
    source: Option<&'a str>,
    seen: Option<String>,
}

/// The document of `describe --json`.
#[derive(Serialize)]
pub(crate) struct GroupPage<'a> {
    #[serde(flatten)]
    head: GroupHead<'a>,
    online_records: u64,
    outbox_rows: u64,
    offline_files: u64,
    offline_bytes: u64,
    table_version: Option<u64>,
    location: Option<String>,
    oldest_event_time: Option<String>,
    newest_event_time: Option<String>,
    features: Vec<FeatureEntry<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    removed_features: Vec<RemovedEntry<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    disagreements: &'a [Disagreement],
}

/// A feature of a group.
#[derive(Serialize)]
struct FeatureEntry<'a> {
    name: &'a str,
    r#type: &'static str,
    collection: Option<&'static str>,
    dimension: Option<u32>,
    description: Option<&'a str>,
    parameters: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    former_names: Vec<&'a str>,
}

/// A feature that a group had.
#[derive(Serialize)]
struct RemovedEntry<'a> {
    name: &'a str,
    r#type: String,
    column: &'a str,
    removed: String,
}

impl<'a> GroupHead<'a> {
    fn new(group: &'a FeatureGroup, summary: &GroupSummary) -> GroupHead<'a> {
        GroupHead {
            name: group.name.as_str(),
            status: group.status.as_str(),
            failure_reason: group.failure_reason.as_deref(),
            online: group.online.is_some(),
            offline: group.offline.is_some(),
            external: group.is_external(),
            record_identifier: group.schema.identifier().name.as_str(),
            event_time: group.schema.event_time().name.as_str(),
            ttl: group.ttl().map(|ttl| ttl.to_string()),
            records: summary.records,
            created: group.created.to_iso8601(),
            modified: group.modified.to_iso8601(),
            owner: group.owner.as_deref(),
            description: group.description.as_deref(),
            tags: &group.tags,
        }
    }
}

/// Returns a group as an entry of `list --json`.
pub(crate) fn entry<'a>(group: &'a FeatureGroup, summary: &GroupSummary) -> GroupEntry<'a> {
    GroupEntry { head: GroupHead::new(group, summary), features: group.schema.len(), source: None, seen: None }
}

/// Returns a group as the document of `describe --json`.
pub(crate) fn page<'a>(
    group: &'a FeatureGroup,
    summary: &GroupSummary,
    location: Option<String>,
    disagreements: &'a [Disagreement],
) -> GroupPage<'a> {
    GroupPage {
        head: GroupHead::new(group, summary),
        online_records: summary.online_records,
        outbox_rows: summary.outbox_rows,
        offline_files: summary.offline_files,
        offline_bytes: summary.offline_bytes,
        table_version: summary.delta_version,
        location,
        oldest_event_time: summary.oldest_event_time.map(EventTime::to_iso8601),
        newest_event_time: summary.newest_event_time.map(EventTime::to_iso8601),
        features: group.schema.features().iter().map(feature_entry).collect(),
        removed_features: group.schema.removed().iter().map(removed_entry).collect(),
        disagreements,
    }
}

fn feature_entry(feature: &FeatureDefinition) -> FeatureEntry<'_> {
    FeatureEntry {
        name: feature.name.as_str(),
        r#type: feature.feature_type.as_str(),
        collection: feature.collection.map(Collection::as_str),
        dimension: match feature.collection {
            Some(Collection::Vector { dimension }) => Some(dimension),
            _ => None,
        },
        description: feature.description.as_deref(),
        parameters: &feature.parameters,
        former_names: feature.former_names.iter().map(|former| former.as_str()).collect(),
    }
}

fn removed_entry(gone: &RemovedFeature) -> RemovedEntry<'_> {
    RemovedEntry {
        name: gone.feature.name.as_str(),
        r#type: gone.feature.type_text(),
        column: gone.feature.column().as_str(),
        removed: gone.removed.to_iso8601(),
    }
}

/// Returns a group that a source told of as an entry of `list --json` or, with its features, the document of `describe --json`.
///
/// What the source did not tell is null; records are kept there, so none are counted here.
pub(crate) fn synced(synced: &SyncedGroup, with_features: bool) -> serde_json::Value {
    let group = &synced.group;
    serde_json::json!({
        "name": group.name,
        "status": group.status,
        "online": group.online,
        "offline": group.offline,
        "external": false,
        "record_identifier": group.record_identifier,
        "event_time": group.event_time,
        "ttl": group.ttl,
        "records": null,
        "created": group.created,
        "modified": group.modified,
        "owner": group.owner,
        "description": group.description,
        "tags": group.tags.clone().unwrap_or_default(),
        "entity": group.entity,
        "inferred": group.inferred,
        "history": group.history,
        "features": if with_features { serde_json::json!(group.features) } else { group.features.len().into() },
        "source": synced.source,
        "seen": synced.seen.map(EventTime::to_iso8601),
        "fault": synced.fault,
        "local": synced.local,
        "disagreements": synced.disagreements,
    })
}

/// Writes groups that sources told of as a table, one a line.
pub(crate) fn write_synced(console: &mut Console, groups: &[SyncedGroup], now: i64) -> std::result::Result<(), Failure> {
    let columns = ["NAME", "SOURCE", "SEEN", "FEATURES", "OWNER", "DESCRIPTION"];
    let mut table = Table::new(&columns.map(|name| (name, if name == "FEATURES" { Side::Right } else { Side::Left })));
    for synced in groups {
        let seen = synced.seen.map_or_else(|| UNKNOWN.to_owned(), |seen| relative_time(seen.unix_micros(), now));
        table.row([
            synced.group.name.as_str(),
            &synced.source,
            &seen,
            &synced.group.features.len().to_string(),
            synced.group.owner.as_deref().unwrap_or_default(),
            synced.group.description.as_deref().unwrap_or_default(),
        ]);
    }
    console.table(&table)
}

/// Writes what a source told of a group.
pub(crate) fn write_synced_page(console: &mut Console, synced: &SyncedGroup, now: i64) -> std::result::Result<(), Failure> {
    let style = console.style();
    let group = &synced.group;
    console.line(style.strong(&visible(&group.name)))?;
    if let Some(description) = &group.description {
        console.line(visible(description))?;
    }
    console.line("")?;
    let mut facts = Facts::default();
    facts.fact("source", &synced.source);
    facts.maybe("seen", synced.seen.map(|seen| relative_time(seen.unix_micros(), now)).as_deref());
    facts.maybe("fault", synced.fault.as_deref());
    facts.maybe("status", group.status.as_deref());
    facts.maybe("kind", group.native_kind.as_deref());
    facts.maybe("owner", group.owner.as_deref());
    facts.maybe("entity", group.entity.as_deref());
    facts.maybe("identifier", key(group.record_identifier.as_deref(), group.inferred, "id").as_deref());
    facts.maybe("event time", key(group.event_time.as_deref(), group.inferred, "event-time").as_deref());
    facts.maybe("ttl", group.ttl.as_deref());
    let tags: Vec<String> = group.tags.iter().flatten().map(|(key, value)| format!("{key}={value}")).collect();
    facts.maybe("tags", (!tags.is_empty()).then(|| tags.join("  ")));
    if let Some(history) = &group.history {
        let files = format!("{}, {}", counted(history.files, "file"), short_bytes(history.bytes));
        facts.fact("records", format!("{} in {files}", full_count(history.rows)));
        if let (Some(oldest), Some(newest)) = (&history.oldest_event_time, &history.newest_event_time) {
            facts.fact("event times", format!("{} to {}", to_the_second(oldest), to_the_second(newest)));
        }
    }
    facts.maybe("files", group.location.as_deref().or(group.s3_uri.as_deref()));
    facts.maybe("noted here", (!synced.local.is_empty()).then(|| synced.local.join("  ")));
    for line in facts.lines(style) {
        console.line(line)?;
    }
    console.line("")?;
    write_told_features(console, group)?;
    write_disagreements(console, &synced.disagreements)
}

/// Writes who says what where sources say different things.
pub(crate) fn write_disagreements(console: &mut Console, disagreements: &[Disagreement]) -> std::result::Result<(), Failure> {
    if disagreements.is_empty() {
        return Ok(());
    }
    console.line("")?;
    let mut table = Table::new(&[("SOURCES DISAGREE", Side::Left), ("SHOWN", Side::Left), ("SOURCE", Side::Left), ("SAYS", Side::Left)]);
    for disagreement in disagreements {
        for (number, saying) in disagreement.said.iter().enumerate() {
            let says = saying.text().unwrap_or_else(|| NULL.to_owned());
            table.row([
                if number == 0 { disagreement.path.as_str() } else { "" },
                if saying.shown { "●" } else { "" },
                saying.source.as_deref().unwrap_or("here"),
                &says,
            ]);
        }
    }
    console.table(&table)
}

/// The name of a key; what to do where files alone do not tell it.
fn key(name: Option<&str>, is_inferred: bool, option: &str) -> Option<String> {
    let open = || is_inferred.then(|| format!("not known; name its column: `larder source add … --option {option}=COLUMN`"));
    name.map(str::to_owned).or_else(open)
}

fn write_told_features(console: &mut Console, group: &ObservedGroup) -> std::result::Result<(), Failure> {
    let is_counted = group.history.is_some();
    let mut columns = vec![("FEATURE", Side::Left), ("TYPE", Side::Left)];
    if is_counted {
        columns.extend([("NULLS", Side::Right), ("LEAST", Side::Left), ("GREATEST", Side::Left)]);
    }
    columns.push(("DESCRIPTION", Side::Left));
    let mut table = Table::new(&columns);
    for feature in &group.features {
        let kind = feature.feature_type.as_deref().or(feature.native_type.as_deref()).unwrap_or(UNKNOWN);
        let kind = feature.collection.as_ref().map_or_else(|| kind.to_owned(), |collection| format!("{collection} of {kind}"));
        let mut cells = vec![feature.name.clone(), kind];
        if is_counted {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            cells.extend([feature.nulls.map(full_count).unwrap_or_default(), text(&feature.min), text(&feature.max)]);
        }
        cells.push(feature.description.clone().unwrap_or_default());
        table.row(cells);
    }
    console.table(&table)
}

/// Returns where other programs find a group's history: the folder of its Delta table, or its external files.
pub(crate) fn location(store: &FeatureStore, group: &FeatureGroup) -> Result<Option<String>> {
    if let Some(external) = group.offline.as_ref().and_then(|offline| offline.external.clone()) {
        return Ok(Some(external));
    }
    Ok(store.table_folder(group)?.map(|folder| folder.display().to_string()).or_else(|| store.resolved_uri(group)))
}

/// Returns which stores a group has, in words.
pub(crate) fn stores(group: &FeatureGroup) -> &'static str {
    match (group.online.is_some(), group.offline.is_some(), group.is_external()) {
        (_, _, true) => "external",
        (true, true, _) => "both",
        (true, false, _) => "online",
        _ => "offline",
    }
}

/// Writes groups as a table, one a line.
pub(crate) fn write_list(console: &mut Console, groups: &[(FeatureGroup, GroupSummary)], now: i64) -> std::result::Result<(), Failure> {
    let mut table = Table::new(&[
        ("NAME", Side::Left),
        ("STATUS", Side::Left),
        ("STORES", Side::Left),
        ("FEATURES", Side::Right),
        ("RECORDS", Side::Right),
        ("NEWEST", Side::Right),
        ("OWNER", Side::Left),
        ("DESCRIPTION", Side::Left),
    ]);
    for (group, summary) in groups {
        table.row([
            group.name.as_str(),
            // That a group is in use goes without saying.
            if group.status == GroupStatus::Created { "" } else { group.status.as_str() },
            stores(group),
            &group.schema.len().to_string(),
            &short_count(summary.records),
            &summary.newest_event_time.map_or_else(|| UNKNOWN.to_owned(), |newest| relative_time(newest.unix_micros(), now)),
            group.owner.as_deref().unwrap_or_default(),
            group.description.as_deref().unwrap_or_default(),
        ]);
    }
    console.table(&table)
}

/// Writes all that is known about a group.
pub(crate) fn write_page(
    console: &mut Console,
    group: &FeatureGroup,
    summary: &GroupSummary,
    location: Option<&str>,
    now: i64,
) -> std::result::Result<(), Failure> {
    let style = console.style();
    console.line(style.strong(&visible(group.name.as_str())))?;
    if let Some(description) = &group.description {
        console.line(visible(description))?;
    }
    console.line("")?;
    for line in facts(group, summary, location, now).lines(style) {
        console.line(line)?;
    }
    console.line("")?;
    write_features(console, group)
}

fn facts(group: &FeatureGroup, summary: &GroupSummary, location: Option<&str>, now: i64) -> Facts {
    let mut facts = Facts::default();
    facts.fact("status", group.status.as_str());
    facts.maybe("failed", group.failure_reason.as_deref());
    facts.fact(
        "stores",
        match stores(group) {
            "both" => "online and offline",
            "external" => "offline, external files read in place",
            one => one,
        },
    );
    facts.fact("record identifier", group.schema.identifier().name.as_str());
    facts.fact("event time", group.schema.event_time().name.as_str());
    facts.maybe("ttl", group.ttl().map(|ttl| ttl.to_string()));
    facts.maybe("owner", group.owner.as_deref());
    let tags: Vec<String> = group.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    facts.maybe("tags", (!tags.is_empty()).then(|| tags.join("  ")));
    facts.fact("created", format!("{} ({})", to_the_second(&group.created.to_iso8601()), relative_time(group.created.unix_micros(), now)));
    facts.fact("records", records(group, summary));
    if let (Some(oldest), Some(newest)) = (summary.oldest_event_time, summary.newest_event_time) {
        facts.fact("event times", format!("{} to {}", to_the_second(&oldest.to_iso8601()), to_the_second(&newest.to_iso8601())));
    }
    if let Some(place) = location {
        let files = format!("{}, {}", counted(summary.offline_files, "file"), short_bytes(summary.offline_bytes));
        let version = summary.delta_version.map(|version| format!(", version {version}")).unwrap_or_default();
        facts.fact("files", format!("{files}{version}"));
        facts.fact("table", place);
    }
    facts
}

fn records(group: &FeatureGroup, summary: &GroupSummary) -> String {
    let mut parts = vec![full_count(summary.records)];
    if group.online.is_some() && group.offline.is_some() {
        parts.push(format!("{} online", full_count(summary.online_records)));
    }
    if summary.outbox_rows > 0 {
        parts.push(format!("{} waiting for a file", full_count(summary.outbox_rows)));
    }
    parts.join(", ")
}

/// Writes the features of a group as a table.
pub(crate) fn write_features(console: &mut Console, group: &FeatureGroup) -> std::result::Result<(), Failure> {
    let mut table = Table::new(&[
        ("FEATURE", Side::Left),
        ("TYPE", Side::Left),
        ("ROLE", Side::Left),
        ("DESCRIPTION", Side::Left),
        ("PARAMETERS", Side::Left),
    ]);
    for (position, feature) in group.schema.features().iter().enumerate() {
        let role = match position {
            _ if position == group.schema.identifier_position() => "identifier",
            _ if position == group.schema.event_time_position() => "event time",
            _ => "",
        };
        let parameters: Vec<String> = feature.parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let formerly = feature.former_names.last().map(|former| format!("(formerly {former})"));
        let description: Vec<&str> = feature.description.as_deref().into_iter().chain(formerly.as_deref()).collect();
        table.row([feature.name.as_str(), &feature.type_text(), role, &description.join(" "), &parameters.join("  ")]);
    }
    console.table(&table)?;
    if !group.schema.removed().is_empty() {
        console.line("")?;
    }
    for gone in group.schema.removed() {
        let (name, column, day) = (&gone.feature.name, gone.feature.column(), &gone.removed.to_iso8601()[..10]);
        console.line(format!("{name} was removed on {day}; its history is in the column '{column}' of the files"))?;
    }
    Ok(())
}
