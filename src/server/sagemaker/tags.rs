//! Tags of groups, named by ARN.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::super::page_token;
use super::super::service::{ServerState, ServiceRequest};
use super::super::wire::Fault;
use super::create::{WireTag, tags_of};
use super::{Answer, faults, group_json, groups, parse};
use crate::model::FeatureGroup;
use crate::store::GroupUpdate;

/// The group of an ARN; other resources have no tags here.
async fn tagged(state: &ServerState, request: &ServiceRequest, arn: &str, writes: bool) -> Result<Arc<FeatureGroup>, Fault> {
    if !arn.contains(":feature-group/") {
        let mut fault = faults::no_group(arn);
        fault.message = format!("Resource Not Found: there is no resource with ARN {arn}");
        return Err(fault);
    }
    groups::find(state, request, arn, writes).await
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Add {
    resource_arn: String,
    tags: Vec<WireTag>,
}

pub(super) async fn add(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Add = parse("AddTags", request)?;
    let group = tagged(state, request, &body.resource_arn, true).await?;
    let change = GroupUpdate { add_tags: tags_of(body.tags), ..GroupUpdate::default() };
    let group = state.store.update_group(group.name.as_str(), &change).await.map_err(|error| faults::of_error(&error))?;
    Ok(Some(json!({ "Tags": group_json::tags(&group) })))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct List {
    resource_arn: String,
    next_token: Option<String>,
}

pub(super) async fn list(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: List = parse("ListTags", request)?;
    let group = tagged(state, request, &body.resource_arn, false).await?;
    // A page has at least fifty and a group at most fifty, so that no token of ours was ever given out.
    if body.next_token.is_some_and(|token| page_token::read::<String>(&token).is_none()) {
        return Err(faults::validation("Validation Error: NextToken is not valid."));
    }
    Ok(Some(json!({ "Tags": group_json::tags(&group) })))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delete {
    resource_arn: String,
    tag_keys: Vec<String>,
}

pub(super) async fn delete(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Delete = parse("DeleteTags", request)?;
    let group = tagged(state, request, &body.resource_arn, true).await?;
    let change = GroupUpdate { remove_tags: body.tag_keys.into_iter().collect(), ..GroupUpdate::default() };
    state.store.update_group(group.name.as_str(), &change).await.map_err(|error| faults::of_error(&error))?;
    Ok(None)
}
