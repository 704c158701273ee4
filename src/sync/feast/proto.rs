//! Feast's messages, as far as a catalog needs them, after `protos/feast/core/*.proto` (Apache-2.0).
//!
//! Field numbers are Feast's and never change; fields that are left out are skipped on decoding. Bodies of functions are left out on
//! purpose: they are pickled code. The members of a oneof stand beside each other as optional messages, which is the same on the
//! wire. The same types read `feast registry-dump`, the protobuf JSON of these messages ([`super::json`]).

use std::collections::BTreeMap;

use prost::Message;
use serde::Deserialize;

use super::json;
pub(crate) use super::storage::{DataSource, Duration, FileOptions, SavedDatasetStorage, Timestamp};

type Texts = BTreeMap<String, String>;

/// `feast.core.Registry`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Registry {
    #[prost(message, repeated, tag = "1")]
    pub(crate) entities: Vec<Entity>,
    #[prost(string, tag = "3")]
    pub(crate) registry_schema_version: String,
    #[prost(string, tag = "4")]
    pub(crate) version_id: String,
    #[prost(message, optional, tag = "5")]
    pub(crate) last_updated: Option<Timestamp>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) feature_views: Vec<FeatureView>,
    #[prost(message, repeated, tag = "7")]
    pub(crate) feature_services: Vec<FeatureService>,
    #[prost(message, repeated, tag = "8")]
    pub(crate) on_demand_feature_views: Vec<OnDemandFeatureView>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) saved_datasets: Vec<SavedDataset>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) data_sources: Vec<DataSource>,
    #[prost(message, repeated, tag = "14")]
    pub(crate) stream_feature_views: Vec<StreamFeatureView>,
    #[prost(message, repeated, tag = "15")]
    pub(crate) project_metadata: Vec<ProjectMetadata>,
    #[prost(message, repeated, tag = "17")]
    pub(crate) projects: Vec<Project>,
    #[prost(message, repeated, tag = "19")]
    pub(crate) label_views: Vec<LabelView>,
}

/// `feast.core.Project`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Project {
    #[prost(message, optional, tag = "1")]
    pub(crate) spec: Option<ProjectSpec>,
}

/// `feast.core.ProjectSpec`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ProjectSpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

/// `feast.core.ProjectMetadata`, what there was before projects.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ProjectMetadata {
    #[prost(string, tag = "1")]
    pub(crate) project: String,
}

/// `feast.core.EntityMeta` and the others of its form: when something was made and last changed.
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Meta {
    #[prost(message, optional, tag = "1")]
    pub(crate) created_timestamp: Option<Timestamp>,
    #[prost(message, optional, tag = "2")]
    pub(crate) last_updated_timestamp: Option<Timestamp>,
}

/// `feast.core.Entity`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Entity {
    #[prost(message, optional, tag = "1")]
    pub(crate) spec: Option<EntitySpec>,
    #[prost(message, optional, tag = "2")]
    pub(crate) meta: Option<Meta>,
}

/// `feast.core.EntitySpecV2`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EntitySpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int32, tag = "2")]
    #[serde(deserialize_with = "json::value_type")]
    pub(crate) value_type: i32,
    #[prost(string, tag = "3")]
    pub(crate) description: String,
    #[prost(string, tag = "4")]
    pub(crate) join_key: String,
    #[prost(btree_map = "string, string", tag = "8")]
    pub(crate) tags: Texts,
    #[prost(string, tag = "9")]
    pub(crate) project: String,
    #[prost(string, tag = "10")]
    pub(crate) owner: String,
}

/// `feast.core.FeatureSpecV2`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Feature {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int32, tag = "2")]
    #[serde(deserialize_with = "json::value_type")]
    pub(crate) value_type: i32,
    #[prost(btree_map = "string, string", tag = "3")]
    pub(crate) tags: Texts,
    #[prost(string, tag = "4")]
    pub(crate) description: String,
    #[prost(int32, tag = "7")]
    pub(crate) vector_length: i32,
}

/// `feast.core.FeatureView`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FeatureView {
    #[prost(message, optional, tag = "1")]
    pub(crate) spec: Option<FeatureViewSpec>,
    #[prost(message, optional, tag = "2")]
    pub(crate) meta: Option<Meta>,
}

/// `feast.core.FeatureViewSpec`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FeatureViewSpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) project: String,
    #[prost(string, repeated, tag = "3")]
    pub(crate) entities: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) features: Vec<Feature>,
    #[prost(btree_map = "string, string", tag = "5")]
    pub(crate) tags: Texts,
    #[prost(message, optional, tag = "6")]
    pub(crate) ttl: Option<Duration>,
    #[prost(message, optional, tag = "7")]
    pub(crate) batch_source: Option<DataSource>,
    #[prost(bool, tag = "8")]
    pub(crate) online: bool,
    #[prost(message, optional, tag = "9")]
    pub(crate) stream_source: Option<DataSource>,
    #[prost(string, tag = "10")]
    pub(crate) description: String,
    #[prost(string, tag = "11")]
    pub(crate) owner: String,
    #[prost(message, repeated, tag = "12")]
    pub(crate) entity_columns: Vec<Feature>,
    #[prost(message, repeated, tag = "14")]
    pub(crate) source_views: Vec<FeatureViewSpec>,
    #[prost(message, optional, tag = "15")]
    pub(crate) feature_transformation: Option<Transformation>,
    #[prost(bool, tag = "20")]
    pub(crate) disabled: bool,
}

/// `feast.core.StreamFeatureView`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct StreamFeatureView {
    #[prost(message, optional, tag = "1")]
    pub(crate) spec: Option<StreamFeatureViewSpec>,
    #[prost(message, optional, tag = "2")]
    pub(crate) meta: Option<Meta>,
}

/// `feast.core.StreamFeatureViewSpec`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct StreamFeatureViewSpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) project: String,
    #[prost(string, repeated, tag = "3")]
    pub(crate) entities: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) features: Vec<Feature>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) entity_columns: Vec<Feature>,
    #[prost(string, tag = "6")]
    pub(crate) description: String,
    #[prost(btree_map = "string, string", tag = "7")]
    pub(crate) tags: Texts,
    #[prost(string, tag = "8")]
    pub(crate) owner: String,
    #[prost(message, optional, tag = "9")]
    pub(crate) ttl: Option<Duration>,
    #[prost(message, optional, tag = "10")]
    pub(crate) batch_source: Option<DataSource>,
    #[prost(message, optional, tag = "11")]
    pub(crate) stream_source: Option<DataSource>,
    #[prost(bool, tag = "12")]
    pub(crate) online: bool,
    #[prost(message, repeated, tag = "15")]
    pub(crate) aggregations: Vec<Aggregation>,
    #[prost(string, tag = "16")]
    pub(crate) timestamp_field: String,
    #[prost(message, optional, tag = "17")]
    pub(crate) feature_transformation: Option<Transformation>,
    #[prost(bool, tag = "23")]
    pub(crate) disabled: bool,
}

/// `feast.core.FeatureTransformationV2`, of which only that there is one is of interest.
#[derive(Clone, PartialEq, Message, Deserialize)]
pub(crate) struct Transformation {}

/// `feast.core.Aggregation`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Aggregation {
    #[prost(string, tag = "1")]
    pub(crate) column: String,
}

/// `feast.core.OnDemandFeatureView`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct OnDemandFeatureView {
    #[prost(message, optional, tag = "1")]
    pub(crate) spec: Option<OnDemandFeatureViewSpec>,
    #[prost(message, optional, tag = "2")]
    pub(crate) meta: Option<Meta>,
}

/// `feast.core.OnDemandFeatureViewSpec`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct OnDemandFeatureViewSpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) project: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) features: Vec<Feature>,
    #[prost(btree_map = "string, message", tag = "4")]
    pub(crate) sources: BTreeMap<String, OnDemandSource>,
    #[prost(string, tag = "6")]
    pub(crate) description: String,
    #[prost(btree_map = "string, string", tag = "7")]
    pub(crate) tags: Texts,
    #[prost(string, tag = "8")]
    pub(crate) owner: String,
    #[prost(bool, tag = "12")]
    pub(crate) write_to_online_store: bool,
    #[prost(string, repeated, tag = "13")]
    pub(crate) entities: Vec<String>,
    #[prost(message, repeated, tag = "14")]
    pub(crate) entity_columns: Vec<Feature>,
    #[prost(bool, tag = "19")]
    pub(crate) disabled: bool,
}

/// `feast.core.OnDemandSource`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct OnDemandSource {
    #[prost(message, optional, tag = "1")]
    pub(crate) feature_view: Option<FeatureView>,
    #[prost(message, optional, tag = "2")]
    pub(crate) request_data_source: Option<DataSource>,
    #[prost(message, optional, tag = "3")]
    pub(crate) feature_view_projection: Option<Projection>,
}

/// `feast.core.LabelView`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LabelView {
    #[prost(message, optional, tag = "1")]
    pub(crate) spec: Option<LabelViewSpec>,
    #[prost(message, optional, tag = "2")]
    pub(crate) meta: Option<Meta>,
}

/// `feast.core.LabelViewSpec`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct LabelViewSpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) project: String,
    #[prost(string, repeated, tag = "3")]
    pub(crate) entities: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) features: Vec<Feature>,
    #[prost(btree_map = "string, string", tag = "5")]
    pub(crate) tags: Texts,
    #[prost(message, optional, tag = "6")]
    pub(crate) ttl: Option<Duration>,
    #[prost(message, optional, tag = "7")]
    pub(crate) source: Option<DataSource>,
    #[prost(bool, tag = "8")]
    pub(crate) online: bool,
    #[prost(string, tag = "9")]
    pub(crate) description: String,
    #[prost(string, tag = "10")]
    pub(crate) owner: String,
    #[prost(message, repeated, tag = "11")]
    pub(crate) entity_columns: Vec<Feature>,
}

/// `feast.core.FeatureViewProjection`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Projection {
    #[prost(string, tag = "1")]
    pub(crate) feature_view_name: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) feature_columns: Vec<Feature>,
}

/// `feast.core.FeatureService`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FeatureService {
    #[prost(message, optional, tag = "1")]
    pub(crate) spec: Option<FeatureServiceSpec>,
    #[prost(message, optional, tag = "2")]
    pub(crate) meta: Option<Meta>,
}

/// `feast.core.FeatureServiceSpec`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct FeatureServiceSpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) project: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) features: Vec<Projection>,
    #[prost(btree_map = "string, string", tag = "4")]
    pub(crate) tags: Texts,
    #[prost(string, tag = "5")]
    pub(crate) description: String,
    #[prost(string, tag = "6")]
    pub(crate) owner: String,
}

/// `feast.core.SavedDataset`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SavedDataset {
    #[prost(message, optional, tag = "1")]
    pub(crate) spec: Option<SavedDatasetSpec>,
    #[prost(message, optional, tag = "2")]
    pub(crate) meta: Option<Meta>,
}

/// `feast.core.SavedDatasetSpec`
#[derive(Clone, PartialEq, Message, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SavedDatasetSpec {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) project: String,
    /// `view:feature`
    #[prost(string, repeated, tag = "3")]
    pub(crate) features: Vec<String>,
    #[prost(message, optional, tag = "6")]
    pub(crate) storage: Option<SavedDatasetStorage>,
    #[prost(btree_map = "string, string", tag = "7")]
    pub(crate) tags: Texts,
    #[prost(string, tag = "8")]
    pub(crate) feature_service_name: String,
    #[prost(string, tag = "11")]
    pub(crate) description: String,
}
