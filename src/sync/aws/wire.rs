//! What the service answers, read leniently: a member that is missing is absent, one that is new is ignored.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::super::observed::{ObservedFeature, ObservedGroup};
use crate::model::{EventTime, TimeMode, Ttl};

/// A page of Search.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SearchPage {
    #[serde(default)]
    pub(super) results: Vec<SearchResult>,
    pub(super) next_token: Option<String>,
    pub(super) total_hits: Option<TotalHits>,
}

/// How many results there are over all pages.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TotalHits {
    pub(super) value: Option<u64>,
    pub(super) relation: Option<String>,
}

impl TotalHits {
    /// The number, where it is one and not a lower bound.
    pub(super) fn exactly(&self) -> Option<u64> {
        self.value.filter(|_| self.relation.as_deref().is_none_or(|relation| relation == "EqualTo"))
    }
}

/// One result; what it is about depends on what was searched for.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SearchResult {
    /// Read one by one: a group that can't be read hides no other.
    pub(super) feature_group: Option<Json>,
    pub(super) feature_metadata: Option<WireMetadata>,
}

/// A page of ListFeatureGroups.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPage {
    #[serde(default)]
    pub(super) feature_group_summaries: Vec<WireSummary>,
    pub(super) next_token: Option<String>,
}

/// A group in a list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireSummary {
    pub(super) feature_group_name: String,
    pub(super) feature_group_arn: Option<String>,
    pub(super) creation_time: Option<Json>,
}

/// A page of ListTags.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagPage {
    #[serde(default)]
    pub(super) tags: Vec<Pair>,
    pub(super) next_token: Option<String>,
}

/// A tag or a parameter.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Pair {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

/// What is written about a feature.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireMetadata {
    pub(super) feature_group_name: String,
    pub(super) feature_name: String,
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) parameters: Vec<Pair>,
}

/// A group, as a search and a description tell it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireGroup {
    pub(super) feature_group_arn: Option<String>,
    pub(super) feature_group_name: String,
    record_identifier_feature_name: Option<String>,
    event_time_feature_name: Option<String>,
    #[serde(default)]
    pub(super) feature_definitions: Vec<WireFeature>,
    pub(super) creation_time: Option<Json>,
    last_modified_time: Option<Json>,
    online_store_config: Option<Online>,
    offline_store_config: Option<Offline>,
    feature_group_status: Option<String>,
    description: Option<String>,
    pub(super) tags: Option<Vec<Pair>>,
    pub(super) next_token: Option<String>,
}

/// A feature.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WireFeature {
    feature_name: String,
    feature_type: Option<String>,
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
    dimension: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Online {
    enable_online_store: Option<bool>,
    ttl_duration: Option<WireTtl>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireTtl {
    unit: Option<String>,
    value: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Offline {
    s3_storage_config: Option<Storage>,
    data_catalog_config: Option<Table>,
}

#[derive(Deserialize)]
struct Storage {
    #[serde(rename = "S3Uri")]
    s3_uri: Option<String>,
    #[serde(rename = "ResolvedOutputS3Uri")]
    resolved: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    database: Option<String>,
    table_name: Option<String>,
}

/// An instant: seconds since 1970 with a fraction, or ISO-8601.
pub(super) fn instant(value: Option<&Json>) -> Option<EventTime> {
    match value? {
        Json::Number(seconds) => EventTime::from_unix_micros((seconds.as_f64()? * 1e6).round() as i64),
        Json::String(text) => EventTime::parse_text(text, TimeMode::Lenient).ok(),
        _ => None,
    }
}

impl WireGroup {
    /// The group in our words; `endpoint` is where its records are looked up if it serves any.
    pub(super) fn observed(self, endpoint: &str) -> ObservedGroup {
        let online = self.online_store_config.as_ref().is_some_and(|online| online.enable_online_store.unwrap_or(false));
        let ttl = self.online_store_config.and_then(|online| online.ttl_duration);
        // `7 Days` is written as `7d`.
        let ttl = ttl.and_then(|ttl| format!("{}{}", ttl.value?, ttl.unit?.chars().next()?.to_ascii_lowercase()).parse::<Ttl>().ok());
        let offline = self.offline_store_config.as_ref().is_some();
        let (storage, table) =
            self.offline_store_config.map_or((None, None), |offline| (offline.s3_storage_config, offline.data_catalog_config));
        let iso = |value: &Option<Json>| instant(value.as_ref()).map(EventTime::to_iso8601);
        ObservedGroup {
            description: self.description.filter(|text| !text.is_empty()),
            tags: self.tags.map(pairs),
            features: self.feature_definitions.into_iter().map(WireFeature::observed).collect(),
            record_identifier: self.record_identifier_feature_name,
            event_time: self.event_time_feature_name,
            ttl: ttl.map(|ttl| ttl.to_string()),
            online: Some(online),
            offline: Some(offline),
            s3_uri: storage.and_then(|storage| storage.resolved.or(storage.s3_uri)),
            table: table.and_then(|table| Some(format!("{}.{}", table.database?, table.table_name?))),
            status: self.feature_group_status,
            created: iso(&self.creation_time),
            modified: iso(&self.last_modified_time),
            endpoint: online.then(|| endpoint.to_owned()),
            name: self.feature_group_name,
            ..ObservedGroup::default()
        }
    }
}

impl WireFeature {
    fn observed(self) -> ObservedFeature {
        let dimension = self.collection_config.and_then(|config| config.vector_config).and_then(|vector| vector.dimension);
        let is_known = |word: &String| ["Integral", "Fractional", "String"].contains(&word.as_str());
        ObservedFeature {
            name: self.feature_name,
            native_type: self.feature_type.clone().filter(|word| !is_known(word)),
            feature_type: self.feature_type.filter(is_known),
            collection: self.collection_type,
            dimension,
            ..ObservedFeature::default()
        }
    }
}

/// Keys with values.
pub(super) fn pairs(pairs: Vec<Pair>) -> BTreeMap<String, String> {
    pairs.into_iter().map(|pair| (pair.key, pair.value)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_description_becomes_a_group_whatever_it_leaves_out() {
        let whole: WireGroup = serde_json::from_value(json!({
            "FeatureGroupArn": "arn:aws:sagemaker:eu-west-1:123456789012:feature-group/orders", "FeatureGroupName": "Orders",
            "RecordIdentifierFeatureName": "id", "EventTimeFeatureName": "at", "CreationTime": 1606940562.123, "LastModifiedTime": 1606940563,
            "FeatureDefinitions": [
                {"FeatureName": "id", "FeatureType": "String"},
                {"FeatureName": "v", "FeatureType": "Fractional", "CollectionType": "Vector", "CollectionConfig": {"VectorConfig": {"Dimension": 3}}},
                {"FeatureName": "new", "FeatureType": "Decimal"}],
            "OnlineStoreConfig": {"EnableOnlineStore": true, "TtlDuration": {"Unit": "Days", "Value": 7}},
            "OfflineStoreConfig": {"S3StorageConfig": {"S3Uri": "s3://b/x", "ResolvedOutputS3Uri": "s3://b/x/y/data"},
                                   "DataCatalogConfig": {"Catalog": "AwsDataCatalog", "Database": "d", "TableName": "t"}},
            "FeatureGroupStatus": "Created", "Tags": [{"Key": "team", "Value": "growth"}], "SomethingNew": {"A": 1}
        }))
        .unwrap();
        let group = whole.observed("https://host");
        assert_eq!(
            (group.ttl.as_deref(), group.table.as_deref(), group.s3_uri.as_deref()),
            (Some("7d"), Some("d.t"), Some("s3://b/x/y/data"))
        );
        assert_eq!((group.created.as_deref(), group.endpoint.as_deref()), (Some("2020-12-02T20:22:42.123Z"), Some("https://host")));
        assert_eq!((group.features[1].dimension, group.features[2].native_type.as_deref()), (Some(3), Some("Decimal")));
        assert_eq!(group.tags.unwrap()["team"], "growth");
        let bare: WireGroup = serde_json::from_value(json!({"FeatureGroupName": "x"})).unwrap();
        let group = bare.observed("https://host");
        assert_eq!((group.online, group.tags, group.endpoint), (Some(false), None, None));
    }

    #[test]
    fn a_lower_bound_is_no_number_of_hits() {
        let hits = |json: Json| serde_json::from_value::<TotalHits>(json).unwrap().exactly();
        assert_eq!(hits(json!({"Value": 3, "Relation": "EqualTo"})), Some(3));
        assert_eq!(hits(json!({"Value": 3, "Relation": "GreaterThanOrEqualTo"})), None);
    }
}
