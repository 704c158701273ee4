//! A definition that was read: what a file says of a group, in types that can't be wrong.

use std::collections::BTreeMap;

use super::fault::Place;
use crate::model::{FeatureName, GlueTable, GroupExpectations, GroupName, Schema, Throughput, Ttl};

/// Tag that says what records are about; search filters by it.
pub(super) const ENTITY: &str = "entity";
/// Tag that says how far a group has come; search ranks deprecated ones last.
pub(super) const STAGE: &str = "stage";
/// Tag that says where more is written.
pub(super) const DOCS: &str = "docs";
/// Tag of a group and parameter of a feature: what to use instead.
pub(super) const REPLACED_BY: &str = "replaced_by";
/// Parameter of a feature that should not be used any more; search ranks it last.
pub(super) const DEPRECATED: &str = "deprecated";
/// Parameter of a feature that tells of a person.
pub(super) const PII: &str = "pii";
/// How a yes is written in tags and parameters.
pub(super) const YES: &str = "yes";
/// How a no is written there.
pub(super) const NO: &str = "no";

/// What a file says of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Where it begins.
    pub place: Place,
    /// Name of the group.
    pub name: GroupName,
    /// What it holds.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Labels; entity, stage, docs and the group to use instead are among them.
    pub tags: BTreeMap<String, String>,
    /// Features, record identifier, event time.
    pub schema: Schema,
    /// Features by the name they have now and the one they had before.
    pub renamed: Vec<(FeatureName, String)>,
    /// Features that the group no longer has.
    pub removed: Vec<String>,
    /// How long after its event time a record exists.
    pub ttl: Option<Ttl>,
    /// What is expected of it as a whole.
    pub expectations: GroupExpectations,
    /// Where and how its records are kept; what is not said stays as it is.
    pub storage: Storage,
    /// Declared lineage.
    pub flows: Vec<Flow>,
}

/// What a file says of where and how records are kept; none is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Storage {
    /// Whether there is an online store.
    pub online: Option<bool>,
    /// Its tier.
    pub storage_type: Option<String>,
    /// Its key.
    pub online_kms_key: Option<String>,
    /// Whether there is an offline store.
    pub offline: Option<bool>,
    /// Where its objects go.
    pub s3_uri: Option<String>,
    /// Files that are read in place.
    pub external: Option<String>,
    /// Its key.
    pub offline_kms_key: Option<String>,
    /// Format of its table.
    pub table_format: Option<String>,
    /// Names of its table in the Glue catalog.
    pub glue_table: Option<GlueTable>,
    /// Whether no table is made there.
    pub without_glue_table: Option<bool>,
    /// Throughput that AWS would bill.
    pub throughput: Option<Throughput>,
    /// Role that AWS would write with.
    pub role_arn: Option<String>,
}

/// Data flows from one thing to another, as both are typed: `source:s3://lake/orders`, `trips`, `trips.fare`, `model:churn`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// Where it comes from.
    pub from: String,
    /// Where it goes.
    pub to: String,
}
