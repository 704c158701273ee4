//! CreateFeatureGroup, and the parts of definitions that an update shares with it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::super::constraints::violated;
use super::super::service::{ServerState, ServiceRequest};
use super::super::wire::Fault;
use super::group_json::arn;
use super::{Answer, faults, parse};
use crate::model::ttl::TtlUnit;
use crate::model::{
    Collection, Declared, ErrorKind, FeatureDefinition, FeatureName, FeatureType, GlueTable, GroupName, OnlineSettings, Schema, Throughput,
    Ttl,
};
use crate::store::NewGroup;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    feature_group_name: String,
    record_identifier_feature_name: String,
    event_time_feature_name: String,
    feature_definitions: Vec<WireDefinition>,
    online_store_config: Option<Online>,
    offline_store_config: Option<Offline>,
    throughput_config: Option<WireThroughput>,
    role_arn: Option<String>,
    description: Option<String>,
    #[serde(default)]
    tags: Option<Vec<WireTag>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Online {
    security_config: Option<Security>,
    enable_online_store: Option<bool>,
    ttl_duration: Option<WireTtl>,
    storage_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Security {
    kms_key_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Offline {
    #[serde(rename = "S3StorageConfig")]
    storage: Storage,
    disable_glue_table_creation: Option<bool>,
    data_catalog_config: Option<DataCatalog>,
    table_format: Option<String>,
}

#[derive(Deserialize)]
struct Storage {
    #[serde(rename = "S3Uri")]
    uri: String,
    #[serde(rename = "KmsKeyId")]
    kms_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataCatalog {
    table_name: String,
    catalog: String,
    database: String,
}

/// A tag on the wire.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireTag {
    key: String,
    value: String,
}

/// Tags by key; the last of equal keys stays.
pub(super) fn tags_of(tags: Vec<WireTag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}

/// A throughput on the wire.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireThroughput {
    pub(super) throughput_mode: String,
    pub(super) provisioned_read_capacity_units: Option<i64>,
    pub(super) provisioned_write_capacity_units: Option<i64>,
}

impl From<WireThroughput> for Throughput {
    fn from(wire: WireThroughput) -> Self {
        Self {
            mode: wire.throughput_mode,
            read_units: wire.provisioned_read_capacity_units,
            write_units: wire.provisioned_write_capacity_units,
        }
    }
}

/// A ttl on the wire; both members missing means none.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireTtl {
    unit: Option<TtlUnit>,
    value: Option<u32>,
}

impl WireTtl {
    pub(super) fn into_ttl(self) -> Result<Option<Ttl>, Fault> {
        match (self.value, self.unit) {
            (None, None) => Ok(None),
            (Some(value), Some(unit)) => Ttl::new(value, unit).map(Some).map_err(|error| faults::of_error(&error)),
            _ => Err(faults::validation("Validation Error: TtlDuration needs both Unit and Value.")),
        }
    }
}

/// A feature definition on the wire.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireDefinition {
    feature_name: String,
    feature_type: FeatureType,
    collection_type: Option<String>,
    collection_config: Option<CollectionConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CollectionConfig {
    vector_config: Option<VectorConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VectorConfig {
    dimension: u32,
}

impl WireDefinition {
    pub(super) fn into_definition(self) -> Result<FeatureDefinition, Fault> {
        let dimension = self.collection_config.and_then(|config| config.vector_config).map(|vector| vector.dimension);
        let told = |what: &str| faults::validation(format!("Validation Error: feature '{}' {what}.", self.feature_name));
        let collection = match (self.collection_type.as_deref(), dimension) {
            (None, None) => None,
            (Some("List"), None) => Some(Collection::List),
            (Some("Set"), None) => Some(Collection::Set),
            (Some("Vector"), Some(dimension)) => Some(Collection::Vector { dimension }),
            (Some("Vector"), None) => return Err(told("is a Vector and needs CollectionConfig.VectorConfig.Dimension")),
            (_, _) => return Err(told("has a VectorConfig and is no Vector")),
        };
        let name = FeatureName::parse(&self.feature_name).map_err(|error| faults::of_error(&error))?;
        Ok(FeatureDefinition { collection, ..FeatureDefinition::new(name, self.feature_type) })
    }
}

pub(super) async fn create(state: &ServerState, request: &ServiceRequest) -> Answer {
    let body: Create = parse("CreateFeatureGroup", request)?;
    faults::check_access(request, &body.feature_group_name, true)?;
    let of_error = |error| faults::of_error(&error);
    let name = GroupName::parse(&body.feature_group_name).map_err(of_error)?;
    let definitions = body.feature_definitions.into_iter().map(WireDefinition::into_definition).collect::<Result<Vec<_>, _>>()?;
    for (role, wanted) in
        [("RecordIdentifierFeatureName", &body.record_identifier_feature_name), ("EventTimeFeatureName", &body.event_time_feature_name)]
    {
        if !definitions.iter().any(|definition| definition.name.as_str() == wanted) {
            return Err(faults::validation(format!("Validation Error: {role} '{wanted}' must be one of the FeatureDefinitions.")));
        }
    }
    let schema = Schema::new(definitions, &body.record_identifier_feature_name, &body.event_time_feature_name).map_err(of_error)?;
    let online = body.online_store_config.map(online_settings).transpose()?.flatten();
    if body.offline_store_config.is_some() && body.role_arn.is_none() {
        return Err(faults::validation(format!(
            "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: {}",
            "Member must not be null, since the FeatureGroup has an offline store"
        )));
    }
    let mut declared =
        Declared { role_arn: body.role_arn, throughput: body.throughput_config.map(Throughput::from), ..Declared::default() };
    let s3_uri = body.offline_store_config.map(|offline| offline_settings(offline, &mut declared)).transpose()?;
    let new = NewGroup {
        online,
        offline: s3_uri.is_some(),
        s3_uri,
        declared,
        description: body.description,
        tags: tags_of(body.tags.unwrap_or_default()),
        ..NewGroup::new(name, schema)
    };
    let group = state.store.create_group(new).await.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => faults::name_taken(&body.feature_group_name),
        _ => faults::of_error(&error),
    })?;
    Ok(Some(json!({ "FeatureGroupArn": arn(state, request, &group) })))
}

/// Settings of the online store; none if it is not enabled.
fn online_settings(online: Online) -> Result<Option<OnlineSettings>, Fault> {
    let ttl = online.ttl_duration.map(WireTtl::into_ttl).transpose()?.flatten();
    if online.enable_online_store != Some(true) {
        if ttl.is_some() {
            return Err(faults::validation("Validation Error: TtlDuration needs an online store: set EnableOnlineStore to true."));
        }
        return Ok(None);
    }
    let declared = Declared {
        kms_key: online.security_config.and_then(|security| security.kms_key_id),
        storage_type: online.storage_type,
        ..Declared::default()
    };
    Ok(Some(OnlineSettings { ttl, declared }))
}

/// The place of the offline store; what was said of it goes into `declared`.
fn offline_settings(offline: Offline, declared: &mut Declared) -> Result<String, Fault> {
    if offline.table_format.as_deref() == Some("Iceberg") {
        return Err(faults::validation(
            "Validation Error: TableFormat Iceberg is not supported: offline stores are Delta tables of Parquet files. Use Glue or Default.",
        ));
    }
    if let Some(catalog) = &offline.data_catalog_config {
        check_catalog(catalog)?;
    }
    declared.kms_key = offline.storage.kms_key;
    declared.table_format = offline.table_format;
    declared.without_glue_table = offline.disable_glue_table_creation.unwrap_or(false);
    declared.glue_table =
        offline.data_catalog_config.map(|names| GlueTable { catalog: names.catalog, database: names.database, table: names.table_name });
    Ok(offline.storage.uri)
}

fn check_catalog(names: &DataCatalog) -> Result<(), Fault> {
    let told = |value: &str, path: &str, constraint: &str| {
        Err(faults::validation(format!(
            "1 validation error detected: {}",
            violated(value, &format!("offlineStoreConfig.dataCatalogConfig.{path}"), constraint)
        )))
    };
    if names.catalog != crate::model::group::GLUE_CATALOG {
        return told(&names.catalog, "catalog", "Member must be AwsDataCatalog");
    }
    for (value, path, most) in [(&names.database, "database", 255), (&names.table_name, "tableName", 252)] {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if value.len() > most || !value.bytes().all(legal) || value.starts_with(|first: char| first.is_ascii_digit()) {
            return told(value, path, "Member must consist of lower-case letters, digits and '_', and not begin with a digit");
        }
    }
    Ok(())
}
