//! What a definition file holds, as it is written: the types that the JSON Schema is generated from and that export writes.
//!
//! Texts are still texts here; [`super::rules`] parses them into types that can't be wrong. Fields stand in the order in which a file is
//! written. Fields may be added, with a default; none changes its meaning within `larder/v1`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum ApiVersion {
    #[serde(rename = "larder/v1")]
    V1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum GroupKind {
    FeatureGroup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum DefaultsKind {
    Defaults,
}

/// How far a group has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stage {
    Draft,
    Prod,
    Deprecated,
}

impl Stage {
    pub(super) const ALL: [Self; 3] = [Self::Draft, Self::Prod, Self::Deprecated];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Prod => "prod",
            Self::Deprecated => "deprecated",
        }
    }
}

/// A feature group
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "FeatureGroup")]
pub(super) struct GroupDocument {
    #[serde(rename = "apiVersion")]
    pub(super) api_version: ApiVersion,
    pub(super) kind: GroupKind,
    /// Name of the group, unique ignoring case
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-zA-Z0-9]([_-]*[a-zA-Z0-9])*$"))]
    pub(super) name: String,
    /// What the group holds
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub(super) description: Option<String>,
    /// Where more is written about it: a path or an address
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub(super) docs: Option<String>,
    /// Who answers for it, as team:growth
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub(super) owner: Option<String>,
    /// How far it has come
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stage: Option<Stage>,
    /// The group to use instead of one that is deprecated
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub(super) replaced_by: Option<String>,
    /// What its records are about, as customer
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub(super) entity: Option<String>,
    /// Labels
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 50))]
    pub(super) tags: BTreeMap<String, String>,
    /// The feature that says whom a record is about
    #[schemars(length(min = 1, max = 64))]
    pub(super) record_identifier: String,
    /// The feature that says when it was true; String (ISO-8601) or Fractional (Unix seconds)
    #[schemars(length(min = 1, max = 64))]
    pub(super) event_time: String,
    /// The features; new ones are added at the end, whatever their place here
    #[schemars(length(min = 1, max = 2500))]
    pub(super) features: Vec<FeatureDocument>,
    /// Features that the group had: one that it still has is removed, its history stays in the files
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2500))]
    pub(super) removed: Vec<String>,
    /// The store of the newest record of each identifier
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) online: Option<OnlineDocument>,
    /// The store of every record ever
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) offline: Option<OfflineDocument>,
    /// Throughput that AWS would bill
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) throughput: Option<ThroughputDocument>,
    /// Role that AWS would write with
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 20, max = 2048), regex(pattern = "^arn:aws[a-z-]*:iam::[0-9]{12}:role/"))]
    pub(super) role_arn: Option<String>,
    /// How old the newest record may be
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) freshness: Option<FreshnessDocument>,
    /// What is expected of the group as a whole
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expectations: Option<GroupExpectationsDocument>,
    /// What fills the group
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub(super) sources: Vec<SourceDocument>,
    /// Who uses it
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000))]
    pub(super) consumers: Vec<ConsumerDocument>,
}

/// What the groups of a folder have in common
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Defaults")]
pub(super) struct DefaultsDocument {
    #[serde(rename = "apiVersion")]
    pub(super) api_version: ApiVersion,
    pub(super) kind: DefaultsKind,
    /// Owner of groups that name none
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    pub(super) owner: Option<String>,
    /// Stage of groups that name none
    #[serde(default)]
    pub(super) stage: Option<Stage>,
    /// Entity of groups that name none
    #[serde(default)]
    #[schemars(length(min = 1, max = 256))]
    pub(super) entity: Option<String>,
    /// Labels of all groups, where they have no other value
    #[serde(default)]
    #[schemars(extend("maxProperties" = 50))]
    pub(super) tags: BTreeMap<String, String>,
    /// Role of groups that name none
    #[serde(default)]
    #[schemars(length(min = 20, max = 2048), regex(pattern = "^arn:aws[a-z-]*:iam::[0-9]{12}:role/"))]
    pub(super) role_arn: Option<String>,
    /// Place of the offline store of groups that name none
    #[serde(default)]
    #[schemars(length(max = 1024), regex(pattern = "^(https|s3)://[^/]+/?.*$"))]
    pub(super) s3_uri: Option<String>,
}

/// A feature
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FeatureDocument {
    /// Name of the feature, unique in the group ignoring case
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-zA-Z0-9]([_-]*[a-zA-Z0-9])*$"))]
    pub(super) name: String,
    /// The name it had before: a feature of that name is renamed, its history stays
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub(super) renamed_from: Option<String>,
    /// Type of its value or elements: Integral (int, integer, bigint, bool, boolean), Fractional (float, double), String (text, timestamp)
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["Integral", "Fractional", "String", "int", "integer", "bigint", "bool", "boolean", "float", "double", "string", "text", "timestamp"]))]
    pub(super) feature_type: String,
    /// How it holds several values
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collection: Option<CollectionDocument>,
    /// Number of values of a vector
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 8192))]
    pub(super) dimension: Option<u32>,
    /// What it means
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub(super) description: Option<String>,
    /// Keys with values
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 25))]
    pub(super) parameters: BTreeMap<String, String>,
    /// Whether it tells of a person; kept as the parameter pii
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pii: Option<bool>,
    /// Whether it should not be used any more; kept as the parameter deprecated
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deprecated: Option<bool>,
    /// The feature to use instead; kept as the parameter replaced_by
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 129))]
    pub(super) replaced_by: Option<String>,
    /// What its values are expected to be
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expectations: Option<ExpectationsDocument>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum CollectionDocument {
    List,
    Set,
    Vector,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum ViolationDocument {
    Reject,
    Quarantine,
    Warn,
}

/// Rules of a feature; each in a short form, or as a mapping with what happens to rows that break it
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectationsDocument {
    /// Rows have a value: true for all, or at least a share of them
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_null: Option<NotNull>,
    /// Numbers lie between two bounds, which belong to it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) between: Option<Between>,
    /// Values are among these
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) one_of: Option<OneOf>,
    /// Texts match a regular expression
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) matches: Option<Matches>,
    /// Watch and alert of a distance, as ks: [0.1, 0.2]
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) drift: BTreeMap<String, [f64; 2]>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum NotNull {
    All(bool),
    Full(NotNullRule),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NotNullRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub(super) at_least: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) on_violation: Option<ViolationDocument>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Between {
    Both([f64; 2]),
    Full(BetweenRule),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BetweenRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) on_violation: Option<ViolationDocument>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum OneOf {
    Values(Vec<String>),
    Full(OneOfRule),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OneOfRule {
    pub(super) values: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) on_violation: Option<ViolationDocument>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Matches {
    Pattern(String),
    Full(MatchesRule),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MatchesRule {
    pub(super) pattern: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) on_violation: Option<ViolationDocument>,
}

/// The store of the newest record of each identifier
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlineDocument {
    /// Whether there is one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enabled: Option<bool>,
    /// Tier of Feature Store
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) storage: Option<StorageTier>,
    /// How long after its event time a record exists, as 7d
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[1-9][0-9]{0,9}[smhdw]$"))]
    pub(super) ttl: Option<String>,
    /// Key that AWS would encrypt with
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub(super) kms_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum StorageTier {
    Standard,
    #[serde(rename = "Standard_V2")]
    StandardV2,
    InMemory,
}

impl StorageTier {
    pub(super) const ALL: [Self; 3] = [Self::Standard, Self::StandardV2, Self::InMemory];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::StandardV2 => "Standard_V2",
            Self::InMemory => "InMemory",
        }
    }
}

/// The store of every record ever
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OfflineDocument {
    /// Whether there is one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enabled: Option<bool>,
    /// Where its objects go
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), regex(pattern = "^(https|s3)://[^/]+/?.*$"))]
    pub(super) s3_uri: Option<String>,
    /// A folder, file or glob of Parquet that is read in place
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub(super) external: Option<String>,
    /// Format of the table as AWS would make it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<TableFormat>,
    /// Names of the table in the Glue catalog
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) glue: Option<GlueDocument>,
    /// Whether to make no table in the Glue catalog
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) disable_glue: Option<bool>,
    /// Key that AWS would encrypt with
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub(super) kms_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum TableFormat {
    Default,
    Glue,
}

impl TableFormat {
    pub(super) const ALL: [Self; 2] = [Self::Default, Self::Glue];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Default => "Default",
            Self::Glue => "Glue",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GlueDocument {
    #[schemars(length(min = 1, max = 255), regex(pattern = "^[a-z_][a-z0-9_]*$"))]
    pub(super) database: String,
    #[schemars(length(min = 1, max = 252), regex(pattern = "^[a-z_][a-z0-9_]*$"))]
    pub(super) table: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ThroughputDocument {
    pub(super) mode: ThroughputMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000_000))]
    pub(super) read_units: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000_000))]
    pub(super) write_units: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum ThroughputMode {
    OnDemand,
    Provisioned,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FreshnessDocument {
    /// The newest event time is no older than this, as 7d
    #[schemars(regex(pattern = "^[1-9][0-9]{0,9}[smhdw]$"))]
    pub(super) error_after: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupExpectationsDocument {
    /// There are at least so many records
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) row_count: Option<RowCountDocument>,
    /// No two records have the same values of these: record identifier and event time
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 2))]
    pub(super) unique: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RowCountDocument {
    #[schemars(range(min = 1))]
    pub(super) min: u64,
}

/// What fills a group
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceDocument {
    /// What it is; a table, file or stream if nothing is said
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<OutsideKind>,
    /// Its name: s3://lake/orders, /data/orders.csv, postgres/shop.orders
    #[schemars(length(min = 1, max = 1024))]
    pub(super) name: String,
    /// The features that it fills; none are all
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2500))]
    pub(super) features: Vec<String>,
}

/// Who uses a group
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsumerDocument {
    /// What it is
    pub(super) kind: OutsideKind,
    /// Its name
    #[schemars(length(min = 1, max = 1024))]
    pub(super) name: String,
    /// The features that it uses; none are all
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2500))]
    pub(super) uses: Vec<String>,
}

/// What lies outside of the store and can be said to exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum OutsideKind {
    Source,
    Job,
    View,
    Model,
    Endpoint,
    Dashboard,
    Notebook,
    Service,
    Consumer,
}

impl OutsideKind {
    pub(super) const ALL: [Self; 9] =
        [Self::Source, Self::Job, Self::View, Self::Model, Self::Endpoint, Self::Dashboard, Self::Notebook, Self::Service, Self::Consumer];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Job => "job",
            Self::View => "view",
            Self::Model => "model",
            Self::Endpoint => "endpoint",
            Self::Dashboard => "dashboard",
            Self::Notebook => "notebook",
            Self::Service => "service",
            Self::Consumer => "consumer",
        }
    }
}
