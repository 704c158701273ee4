//! What is written about one feature.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::super::service::{ServerState, ServiceRequest};
use super::super::wire::Fault;
use super::{Answer, faults, group_json, groups, parse};
use crate::model::{ErrorKind, FeatureGroup};
use crate::store::FeatureUpdate;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    feature_group_name: String,
    feature_name: String,
    description: Option<String>,
    parameter_additions: Option<Vec<Parameter>>,
    parameter_removals: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    key: Option<String>,
    value: Option<String>,
}

fn no_feature(group: &FeatureGroup, feature: &str) -> Fault {
    let mut fault = faults::no_group(group.name.as_str());
    fault.message = format!("Resource Not Found: FeatureGroup {} has no feature with name {feature}", group.name);
    fault
}

pub(super) async fn update(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Update = parse("UpdateFeatureMetadata", request)?;
    let group = groups::find(state, request, &body.feature_group_name, true).await?;
    let mut added = BTreeMap::new();
    for parameter in body.parameter_additions.unwrap_or_default() {
        let (Some(key), Some(value)) = (parameter.key, parameter.value) else {
            return Err(faults::validation("Validation Error: a parameter needs both Key and Value."));
        };
        added.insert(key, value);
    }
    let change = FeatureUpdate {
        description: body.description.map(|text| Some(text).filter(|text| !text.is_empty())),
        add_parameters: added,
        remove_parameters: body.parameter_removals.unwrap_or_default().into_iter().collect::<BTreeSet<_>>(),
        ..FeatureUpdate::default()
    };
    match state.store.update_feature(group.name.as_str(), &body.feature_name, &change).await {
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(no_feature(&group, &body.feature_name)),
        Err(error) => Err(faults::of_error(&error)),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Describe {
    feature_group_name: String,
    feature_name: String,
}

pub(super) async fn describe(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Describe = parse("DescribeFeatureMetadata", request)?;
    let group = groups::find(state, request, &body.feature_group_name, false).await?;
    let position = group.schema.position(&body.feature_name).ok_or_else(|| no_feature(&group, &body.feature_name))?;
    Ok(Some(group_json::metadata(state, request, &group, &group.schema.features()[position]).into()))
}
