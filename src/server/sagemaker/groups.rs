//! Groups by name or ARN; updating and deleting them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::super::service::{ServerState, ServiceRequest};
use super::super::wire::Fault;
use super::create::{WireDefinition, WireThroughput, WireTtl};
use super::group_json::arn;
use super::{Answer, faults, parse};
use crate::model::{ErrorKind, FeatureGroup, Throughput};
use crate::store::GroupUpdate;

/// The name in a name or an ARN.
pub(super) fn name_of(name_or_arn: &str) -> &str {
    name_or_arn.rsplit_once(":feature-group/").map_or(name_or_arn, |(_, name)| name)
}

/// The group of a name or an ARN, if it exists and the caller may have it.
pub(super) async fn find(
    state: &ServerState,
    request: &ServiceRequest,
    name_or_arn: &str,
    writes: bool,
) -> Result<Arc<FeatureGroup>, Fault> {
    let name = name_of(name_or_arn);
    faults::check_access(request, name, writes)?;
    state.store.group(name).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => faults::no_group(name),
        _ => faults::of_error(&error),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Update {
    feature_group_name: String,
    feature_additions: Option<Vec<WireDefinition>>,
    online_store_config: Option<OnlineUpdate>,
    throughput_config: Option<ThroughputUpdate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OnlineUpdate {
    /// Members missing or null mean: none from now on. boto3 can send only the empty structure.
    ttl_duration: Option<WireTtl>,
    storage_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ThroughputUpdate {
    throughput_mode: Option<String>,
    provisioned_read_capacity_units: Option<i64>,
    provisioned_write_capacity_units: Option<i64>,
}

pub(super) async fn update(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Update = parse("UpdateFeatureGroup", request)?;
    let group = find(state, request, &body.feature_group_name, true).await?;
    let given = [body.feature_additions.is_some(), body.online_store_config.is_some(), body.throughput_config.is_some()];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err(faults::validation(
            "Validation Error: exactly one of FeatureAdditions, OnlineStoreConfig and ThroughputConfig must be given.",
        ));
    }
    let mut change = GroupUpdate { note_update: true, ..GroupUpdate::default() };
    if let Some(additions) = body.feature_additions {
        change.add_features = additions.into_iter().map(WireDefinition::into_definition).collect::<Result<_, _>>()?;
    }
    if let Some(online) = body.online_store_config {
        if group.online.is_none() {
            return Err(faults::validation(
                "Validation Error: the FeatureGroup has no online store, so OnlineStoreConfig can't be updated.",
            ));
        }
        change.storage_type = online.storage_type;
        match online.ttl_duration {
            Some(ttl) => change.ttl = Some(ttl.into_ttl()?),
            // A structure with nothing but a tier leaves the ttl alone; one with nothing at all takes it away.
            None if change.storage_type.is_none() => change.ttl = Some(None),
            None => {}
        }
    }
    if let Some(throughput) = body.throughput_config {
        let before = group.declared().and_then(|declared| declared.throughput.clone());
        let mode = throughput.throughput_mode.or(before.map(|before| before.mode)).unwrap_or_else(|| "OnDemand".into());
        let wire = WireThroughput {
            throughput_mode: mode,
            provisioned_read_capacity_units: throughput.provisioned_read_capacity_units,
            provisioned_write_capacity_units: throughput.provisioned_write_capacity_units,
        };
        change.throughput = Some(Throughput::from(wire));
    }
    let group = state.store.update_group(group.name.as_str(), &change).await.map_err(|error| faults::of_error(&error))?;
    Ok(Some(json!({ "FeatureGroupArn": arn(state, request, &group) })))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delete {
    feature_group_name: String,
}

pub(super) async fn delete(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Delete = parse("DeleteFeatureGroup", request)?;
    let group = find(state, request, &body.feature_group_name, true).await?;
    state.store.drop_group(group.name.as_str()).await.map_err(|error| faults::of_error(&error))?;
    Ok(None)
}
