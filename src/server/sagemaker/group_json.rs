//! A feature group as the wire describes it: for descriptions, and with its tags for the search.

use serde_json::{Map, Value as Json, json};

use super::super::service::{ServerState, ServiceRequest};
use crate::model::group::{GLUE_CATALOG, GLUE_DATABASE};
use crate::model::{Collection, EventTime, FeatureDefinition, FeatureGroup, Ttl};

/// The ARN of a group. AWS writes names in lower case there, which is why names differ by more than case.
pub(super) fn arn(state: &ServerState, request: &ServiceRequest, group: &FeatureGroup) -> String {
    format!("arn:aws:sagemaker:{}:{}:feature-group/{}", request.region, state.store.settings().account, group.name.folded())
}

/// An instant as seconds since 1970.
pub(super) fn seconds(time: EventTime) -> Json {
    json!(time.unix_micros() as f64 / 1e6)
}

/// A feature's definition.
pub(super) fn definition(feature: &FeatureDefinition) -> Json {
    let mut document = json!({ "FeatureName": feature.name.as_str(), "FeatureType": feature.feature_type.as_str() });
    if let Some(collection) = feature.collection {
        document["CollectionType"] = collection.as_str().into();
        if let Collection::Vector { dimension } = collection {
            document["CollectionConfig"] = json!({ "VectorConfig": { "Dimension": dimension } });
        }
    }
    document
}

fn ttl(ttl: Ttl) -> Json {
    json!({ "Unit": format!("{:?}", ttl.unit()), "Value": ttl.value() })
}

/// The status of a group's offline store; none if it has none.
pub(super) fn offline_status(group: &FeatureGroup) -> Option<&'static str> {
    group.offline.as_ref().map(|_| "Active")
}

fn online(group: &FeatureGroup) -> Option<Json> {
    let settings = group.online.as_ref()?;
    let mut document = Map::new();
    if let Some(key) = &settings.declared.kms_key {
        document.insert("SecurityConfig".into(), json!({ "KmsKeyId": key }));
    }
    document.insert("EnableOnlineStore".into(), true.into());
    if let Some(of_group) = settings.ttl {
        document.insert("TtlDuration".into(), ttl(of_group));
    }
    document.insert("StorageType".into(), settings.declared.storage_type.as_deref().unwrap_or("Standard").into());
    Some(document.into())
}

fn offline(state: &ServerState, group: &FeatureGroup) -> Option<Json> {
    let settings = group.offline.as_ref()?;
    let mut storage = Map::new();
    storage.insert("S3Uri".into(), settings.s3_uri.as_str().into());
    if let Some(key) = &settings.declared.kms_key {
        storage.insert("KmsKeyId".into(), key.as_str().into());
    }
    if let Some(resolved) = state.store.resolved_uri(group) {
        storage.insert("ResolvedOutputS3Uri".into(), resolved.into());
    }
    let mut document = Map::new();
    document.insert("S3StorageConfig".into(), storage.into());
    document.insert("DisableGlueTableCreation".into(), settings.declared.without_glue_table.into());
    let chosen = settings.declared.glue_table.as_ref();
    if chosen.is_some() || !settings.declared.without_glue_table {
        let (catalog, database) = chosen.map_or((GLUE_CATALOG, GLUE_DATABASE), |names| (names.catalog.as_str(), names.database.as_str()));
        let names = json!({ "TableName": group.glue_table(), "Catalog": catalog, "Database": database });
        document.insert("DataCatalogConfig".into(), names);
    }
    if let Some(format) = &settings.declared.table_format {
        document.insert("TableFormat".into(), format.as_str().into());
    }
    Some(document.into())
}

/// What a search and a description have in common.
pub(super) fn common(state: &ServerState, request: &ServiceRequest, group: &FeatureGroup) -> Map<String, Json> {
    let mut document = Map::new();
    let mut put = |name: &str, value: Json| {
        document.insert(name.to_owned(), value);
    };
    put("FeatureGroupArn", arn(state, request, group).into());
    put("FeatureGroupName", group.name.as_str().into());
    put("RecordIdentifierFeatureName", group.schema.identifier().name.as_str().into());
    put("EventTimeFeatureName", group.schema.event_time().name.as_str().into());
    put("FeatureDefinitions", group.schema.features().iter().map(definition).collect());
    put("CreationTime", seconds(group.created));
    put("LastModifiedTime", seconds(group.modified));
    if let Some(settings) = online(group) {
        put("OnlineStoreConfig", settings);
    }
    if let Some(settings) = offline(state, group) {
        put("OfflineStoreConfig", settings);
    }
    let declared = group.declared();
    if let Some(role) = declared.and_then(|declared| declared.role_arn.as_deref()) {
        put("RoleArn", role.into());
    }
    put("FeatureGroupStatus", group.status.as_str().into());
    if let Some(status) = offline_status(group) {
        put("OfflineStoreStatus", json!({ "Status": status }));
    }
    if declared.is_some_and(|declared| declared.was_updated) {
        put("LastUpdateStatus", json!({ "Status": "Successful" }));
    }
    if let Some(reason) = &group.failure_reason {
        put("FailureReason", reason.as_str().into());
    }
    if let Some(description) = &group.description {
        put("Description", description.as_str().into());
    }
    document
}

/// The throughput of a group.
pub(super) fn throughput(group: &FeatureGroup) -> Json {
    let Some(throughput) = group.declared().and_then(|declared| declared.throughput.as_ref()) else {
        return json!({ "ThroughputMode": "OnDemand" });
    };
    let mut document = json!({ "ThroughputMode": throughput.mode });
    for (name, units) in
        [("ProvisionedReadCapacityUnits", throughput.read_units), ("ProvisionedWriteCapacityUnits", throughput.write_units)]
    {
        if let Some(units) = units {
            document[name] = units.into();
        }
    }
    document
}

/// Tags as a list.
pub(super) fn tags(group: &FeatureGroup) -> Json {
    group.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// A feature as the search and DescribeFeatureMetadata tell it.
pub(super) fn metadata(
    state: &ServerState,
    request: &ServiceRequest,
    group: &FeatureGroup,
    feature: &FeatureDefinition,
) -> Map<String, Json> {
    let mut document = Map::new();
    let mut put = |name: &str, value: Json| {
        document.insert(name.to_owned(), value);
    };
    put("FeatureGroupArn", arn(state, request, group).into());
    put("FeatureGroupName", group.name.as_str().into());
    put("FeatureName", feature.name.as_str().into());
    put("FeatureType", feature.feature_type.as_str().into());
    put("CreationTime", seconds(group.created));
    put("LastModifiedTime", seconds(group.modified));
    if let Some(description) = &feature.description {
        put("Description", description.as_str().into());
    }
    put("Parameters", feature.parameters.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect());
    document
}
