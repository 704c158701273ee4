//! ListFeatureGroups: filters, orders and pages.
//!
//! A page goes on after the last group that was shown, by the value it was sorted by and its name, so that groups that come or go
//! meanwhile neither hide others nor show them twice.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::super::page_token;
use super::super::service::{ServerState, ServiceRequest};
use super::group_json::{arn, offline_status, seconds};
use super::{Answer, faults, parse};
use crate::model::FeatureGroup;

/// Groups of a page unless the request says how many.
const PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    name_contains: Option<String>,
    feature_group_status_equals: Option<String>,
    offline_store_status_equals: Option<String>,
    creation_time_after: Option<Json>,
    creation_time_before: Option<Json>,
    sort_order: Option<String>,
    sort_by: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Where a group stands in the order.
#[derive(Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord, Clone)]
struct Place {
    text: String,
    micros: i64,
    name: String,
}

impl Place {
    fn of(group: &FeatureGroup, sort_by: &str) -> Self {
        let name = group.name.folded();
        match sort_by {
            "FeatureGroupStatus" => Self { text: group.status.as_str().into(), micros: 0, name },
            "OfflineStoreStatus" => Self { text: offline_status(group).unwrap_or_default().into(), micros: 0, name },
            "CreationTime" => Self { text: String::new(), micros: group.created.unix_micros(), name },
            _ => Self { text: String::new(), micros: 0, name },
        }
    }
}

/// An instant of a request, in microseconds.
pub(super) fn micros(time: &Json) -> Option<i64> {
    match time {
        Json::Number(seconds) => seconds.as_f64().map(|seconds| (seconds * 1e6) as i64),
        Json::String(text) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond),
        _ => None,
    }
}

pub(super) async fn list(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: List = parse("ListFeatureGroups", request)?;
    let groups = state.store.list_groups().await.map_err(|error| faults::of_error(&error))?;
    let contains = body.name_contains.map(|text| text.to_lowercase());
    let (after, before) = (body.creation_time_after.as_ref().and_then(micros), body.creation_time_before.as_ref().and_then(micros));
    let is_wanted = |group: &FeatureGroup| {
        let created = group.created.unix_micros();
        request.caller.reaches(group.name.as_str())
            && contains.as_ref().is_none_or(|text| group.name.folded().contains(text))
            && body.feature_group_status_equals.as_ref().is_none_or(|status| group.status.as_str() == status)
            && body.offline_store_status_equals.as_ref().is_none_or(|status| offline_status(group) == Some(status))
            && after.is_none_or(|after| created > after)
            && before.is_none_or(|before| created < before)
    };
    let sort_by = body.sort_by.as_deref().unwrap_or("CreationTime");
    let descending = body.sort_order.as_deref().unwrap_or("Descending") == "Descending";
    let mut found: Vec<(Place, &FeatureGroup)> =
        groups.iter().filter(|group| is_wanted(group)).map(|group| (Place::of(group, sort_by), group)).collect();
    found.sort_by(|(one, _), (other, _)| if descending { other.cmp(one) } else { one.cmp(other) });
    if let Some(token) = &body.next_token {
        let shown: Place = page_token::read(token).ok_or_else(|| faults::validation("Validation Error: NextToken is not valid."))?;
        found.retain(|(place, _)| if descending { *place < shown } else { *place > shown });
    }
    let limit = body.max_results.unwrap_or(PAGE);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let mut answer = json!({ "FeatureGroupSummaries": found.iter().map(|(_, group)| summary(state, request, group)).collect::<Vec<_>>() });
    if let Some((last, _)) = found.last().filter(|_| has_more) {
        answer["NextToken"] = page_token::write(last).into();
    }
    Ok(Some(answer))
}

fn summary(state: &ServerState, request: &ServiceRequest, group: &FeatureGroup) -> Json {
    let mut document = json!({
        "FeatureGroupName": group.name.as_str(),
        "FeatureGroupArn": arn(state, request, group),
        "CreationTime": seconds(group.created),
        "FeatureGroupStatus": group.status.as_str(),
    });
    if let Some(status) = offline_status(group) {
        document["OfflineStoreStatus"] = json!({ "Status": status });
    }
    document
}
