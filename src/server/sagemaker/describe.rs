//! DescribeFeatureGroup: everything a group is, its features in pages as large as a group may be.

use serde::Deserialize;
use serde_json::Value as Json;

use super::super::page_token;
use super::super::service::{ServerState, ServiceRequest};
use super::{Answer, faults, group_json, groups, parse};
use crate::model::limits::MAX_FEATURES;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    feature_group_name: String,
    next_token: Option<String>,
}

pub(super) async fn describe(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Describe = parse("DescribeFeatureGroup", request)?;
    let group = groups::find(state, request, &body.feature_group_name, false).await?;
    let shown = match &body.next_token {
        None => 0,
        Some(token) => page_token::read::<usize>(token).ok_or_else(|| faults::validation("Validation Error: NextToken is not valid."))?,
    };
    let mut document = group_json::common(state, request, &group);
    document.insert("ThroughputConfig".into(), group_json::throughput(&group));
    if let Some(Json::Array(definitions)) = document.get_mut("FeatureDefinitions") {
        // Features are only ever appended, so a count of those that were shown is a place that stays.
        let rest = definitions.split_off(shown.min(definitions.len()));
        let has_more = rest.len() > MAX_FEATURES;
        *definitions = rest.into_iter().take(MAX_FEATURES).collect();
        if has_more {
            document.insert("NextToken".into(), page_token::write(&(shown + MAX_FEATURES)).into());
        }
    }
    Ok(Some(document.into()))
}
