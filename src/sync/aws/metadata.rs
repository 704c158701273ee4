//! What is written about features: descriptions and parameters.
//!
//! The service keeps them apart from the group, with times of their own, so a group can look unchanged while a feature of it was
//! described anew. [`touched`] asks which; [`read`] fetches those of the groups that are wanted, by whichever way takes fewest requests.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value as Json, json};

use super::super::observed::ObservedGroup;
use super::account::AT_ONCE;
use super::client::Client;
use super::fault::{CallFault, FaultKind};
use super::listing::{PAGE, pages};
use super::place::Dialect;
use super::wire::{SearchPage, WireMetadata, pairs};
use crate::model::EventTime;

/// What is written about one feature.
#[derive(Default)]
struct About {
    description: Option<String>,
    parameters: BTreeMap<String, String>,
}

/// By folded name of the group and name of the feature.
#[derive(Default)]
pub(super) struct Metadata(HashMap<String, HashMap<String, About>>);

impl Metadata {
    /// Writes it into a group.
    pub(super) fn apply(&mut self, group: &mut ObservedGroup) {
        let Some(mut features) = self.0.remove(&group.name.to_lowercase()) else { return };
        for feature in &mut group.features {
            if let Some(about) = features.remove(&feature.name) {
                feature.description = about.description;
                feature.parameters = about.parameters;
            }
        }
    }

    fn add(&mut self, told: WireMetadata) {
        let about = About { description: told.description.filter(|text| !text.is_empty()), parameters: pairs(told.parameters) };
        self.0.entry(told.feature_group_name.to_lowercase()).or_default().insert(told.feature_name, about);
    }
}

/// Folded names of the groups of which a feature was described since an instant; none if the service can't tell.
pub(super) async fn touched(client: &Client, since: EventTime) -> Result<Option<HashSet<String>>, CallFault> {
    // The documented form has neither fraction nor zone.
    let time: String = since.to_iso8601().chars().take(19).collect();
    let filter = json!([{ "Name": "LastModifiedTime", "Operator": "GreaterThanOrEqualTo", "Value": time }]);
    let mut names = HashSet::new();
    let asked = search(client, Some(filter), |told| {
        names.insert(told.feature_group_name.to_lowercase());
    });
    match asked.await {
        Ok(()) => Ok(Some(names)),
        Err(fault) if matches!(fault.kind, FaultKind::Denied | FaultKind::Unsupported | FaultKind::Refused) => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Reads what is written about the features of some groups; `all_features` is how many the account has.
pub(super) async fn read(client: &Client, dialect: Dialect, groups: &[&ObservedGroup], all_features: usize) -> Result<Metadata, CallFault> {
    let single: usize = groups.iter().map(|group| group.features.len().div_ceil(PAGE).max(1)).sum();
    let searched = if dialect == Dialect::Amazon && all_features.div_ceil(PAGE) < single {
        everything(client).await
    } else {
        of_each(client, groups, Way::Search).await
    };
    match searched {
        Err(fault) if matches!(fault.kind, FaultKind::Denied | FaultKind::Unsupported | FaultKind::Refused) => {
            match of_each(client, groups, Way::Describe).await {
                // Neither way is there: such a service keeps nothing about features.
                Err(fault) if fault.kind == FaultKind::Unsupported => Ok(Metadata::default()),
                other => other,
            }
        }
        other => other,
    }
}

async fn everything(client: &Client) -> Result<Metadata, CallFault> {
    let mut metadata = Metadata::default();
    search(client, None, |told| metadata.add(told)).await?;
    Ok(metadata)
}

/// How one group's features are read.
#[derive(Clone, Copy)]
enum Way {
    Search,
    Describe,
}

async fn of_each(client: &Client, groups: &[&ObservedGroup], way: Way) -> Result<Metadata, CallFault> {
    let mut each = Vec::with_capacity(groups.len());
    for group in groups {
        each.push(of_one(client, group, way));
    }
    let mut parts = stream::iter(each).buffer_unordered(AT_ONCE);
    let mut all = Metadata::default();
    while let Some(part) = parts.try_next().await? {
        all.0.extend(part.0);
    }
    Ok(all)
}

async fn of_one(client: &Client, group: &ObservedGroup, way: Way) -> Result<Metadata, CallFault> {
    match way {
        Way::Search => of_group(client, group).await,
        Way::Describe => described(client, group).await,
    }
}

async fn of_group(client: &Client, group: &ObservedGroup) -> Result<Metadata, CallFault> {
    let filter = json!([{ "Name": "FeatureGroupName", "Operator": "Equals", "Value": group.name }]);
    let mut metadata = Metadata::default();
    search(client, Some(filter), |told| metadata.add(told)).await?;
    Ok(metadata)
}

async fn described(client: &Client, group: &ObservedGroup) -> Result<Metadata, CallFault> {
    let mut metadata = Metadata::default();
    for feature in &group.features {
        let request = json!({ "FeatureGroupName": group.name, "FeatureName": feature.name });
        match client.call::<WireMetadata>("DescribeFeatureMetadata", &request).await {
            Ok(told) => metadata.add(told),
            // The group went between the listing and now; what is known of it is shown once more.
            Err(fault) if fault.kind == FaultKind::NotFound => break,
            Err(fault) => return Err(fault),
        }
    }
    Ok(metadata)
}

async fn search(client: &Client, filters: Option<Json>, mut take: impl FnMut(WireMetadata)) -> Result<(), CallFault> {
    let mut request = json!({ "Resource": "FeatureMetadata", "SortBy": "CreationTime", "SortOrder": "Ascending", "MaxResults": PAGE });
    if let Some(filters) = filters {
        request["SearchExpression"] = json!({ "Filters": filters });
    }
    pages(client, "Search", request, |page: SearchPage| {
        page.results.into_iter().filter_map(|result| result.feature_metadata).for_each(&mut take);
        page.next_token
    })
    .await
}
