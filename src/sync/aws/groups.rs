//! One group at a time: its description and its tags, where the listing has only its name.

use serde_json::json;

use super::super::observed::ObservedGroup;
use super::client::Client;
use super::fault::{CallFault, FaultKind};
use super::listing::pages;
use super::wire::{TagPage, WireGroup, pairs};
use crate::model::Error;

/// Tags of a page: a group has fifty at most.
const TAGS: usize = 100;

/// Describes a group, with its tags.
pub(super) async fn describe(client: &Client, name: &str) -> Result<ObservedGroup, CallFault> {
    let mut whole: Option<WireGroup> = None;
    pages(client, "DescribeFeatureGroup", json!({ "FeatureGroupName": name }), |mut page: WireGroup| {
        let token = page.next_token.take();
        match &mut whole {
            // Later pages bring further features.
            Some(first) => first.feature_definitions.append(&mut page.feature_definitions),
            None => whole = Some(page),
        }
        token
    })
    .await?;
    let Some(mut group) = whole else {
        return Err(CallFault::new(FaultKind::Unreadable, Error::corrupt(format!("the description of '{name}' is empty"))));
    };
    if group.tags.is_none()
        && let Some(arn) = group.feature_group_arn.clone()
    {
        let mut tags = Vec::new();
        pages(client, "ListTags", json!({ "ResourceArn": arn, "MaxResults": TAGS }), |page: TagPage| {
            tags.extend(page.tags);
            page.next_token
        })
        .await?;
        group.tags = Some(tags);
    }
    let tags = group.tags.take().map(pairs);
    Ok(ObservedGroup { tags, ..group.observed(client.runtime()) })
}
