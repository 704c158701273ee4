//! How a group looks in answers: the entry of a list and the page of one group, as text and as JSON.
//!
//! The JSON field names are a contract: scripts rely on them, so they are only ever added to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::console::Console;
use super::exit::Failure;
use super::table::{Facts, Side, Table};
use super::text::{counted, full_count, relative_time, short_bytes, short_count};
use crate::model::{Collection, EventTime, FeatureDefinition, FeatureGroup};
use crate::store::GroupSummary;

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
    location: Option<&'a str>,
    oldest_event_time: Option<String>,
    newest_event_time: Option<String>,
    features: Vec<FeatureEntry<'a>>,
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
}
