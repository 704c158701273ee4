//! What a source says of a feature group, in words of our own but without our rules.
//!
//! Names and types are texts here: a source may hold what this store would refuse, and it is to be shown as it is. What a source
//! cannot know is absent, not empty, so that an absence never overrides what another source knows. Everything that lasts stands in
//! ordered collections: the digest of the serialised form decides whether a group changed.
//!
//! A source may tell of more than groups: entities, services, datasets, data sources ([`ObservedKind`]). They are told in the same form, so
//! that they are compared, guarded and remembered like groups; only groups are listed as such.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalog::NodeKind;
use crate::model::{Collection, Error, FeatureGroup, Result};

/// What a source tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ObservedKind {
    /// A feature group.
    #[default]
    Group,
    /// What records are about, with the key by which they are joined.
    Entity,
    /// A saved selection of features.
    Service,
    /// A saved training dataset.
    Dataset,
    /// A table, file or stream that groups are filled from.
    Source,
}

impl ObservedKind {
    /// Its word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Entity => "entity",
            Self::Service => "service",
            Self::Dataset => "dataset",
            Self::Source => "source",
        }
    }

    fn is_group(&self) -> bool {
        *self == Self::Group
    }
}

/// A group as a source tells of it, or something else of its [`ObservedKind`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ObservedGroup {
    /// What it is.
    #[serde(skip_serializing_if = "ObservedKind::is_group")]
    pub kind: ObservedKind,
    /// Its name.
    pub name: String,
    /// What the source calls this kind of thing, where that says more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_kind: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The thing its records are about, where the source names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity: Option<String>,
    /// Keys with values; none if the source can't say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<BTreeMap<String, String>>,
    /// Features in definition order.
    pub features: Vec<ObservedFeature>,
    /// Name of the record identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_identifier: Option<String>,
    /// Name of the event time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_time: Option<String>,
    /// How long a record lives, as `7d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<String>,
    /// Whether it has an online store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online: Option<bool>,
    /// Whether it has an offline store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline: Option<bool>,
    /// Where its history lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3_uri: Option<String>,
    /// Name of its table, `database.table`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Where it stands in its life, in the source's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// When it was made, ISO-8601 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// When its definition last changed, ISO-8601 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// Where look-ups go, if somebody serves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// True if the schema was read off files instead of a definition.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub inferred: bool,
    /// Where it lies, for what is no group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// What the files of its history hold, where the source counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<ObservedHistory>,
    /// Where data comes from and goes to, as the source says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flows: Vec<ObservedFlow>,
}

/// What the files of a group hold together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ObservedHistory {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// The earliest event time, ISO-8601 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_event_time: Option<String>,
    /// The latest event time, ISO-8601 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_event_time: Option<String>,
}

/// That data flows from one thing to another.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ObservedFlow {
    /// Where it comes from.
    pub from: ObservedNode,
    /// Where it goes.
    pub to: ObservedNode,
    /// The kind of edge, a word of lineage.
    pub kind: String,
    /// OpenLineage's subtype; empty if the source does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub transform: String,
    /// Field to field; empty for a whole. None at all: whole to whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
}

/// An end of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Default, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ObservedNode {
    /// A word of lineage: group, source, view, dataset, model and so on.
    pub kind: String,
    /// Where its name means something; empty for groups, whose names are those of the catalog.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ObservedNode {
    /// A group.
    pub fn group(name: impl Into<String>) -> Self {
        Self { kind: NodeKind::Group.as_str().to_owned(), namespace: String::new(), name: name.into() }
    }

    /// Something outside.
    pub fn outside(kind: NodeKind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind: kind.as_str().to_owned(), namespace: namespace.into(), name: name.into() }
    }
}

/// A feature as a source tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ObservedFeature {
    /// Its name.
    pub name: String,
    /// `Integral`, `Fractional` or `String`; none if the source's type has no such counterpart.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub feature_type: Option<String>,
    /// The type in the source's own word, where that says more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_type: Option<String>,
    /// `List`, `Set` or `Vector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// Number of values of a vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimension: Option<u32>,
    /// What it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Keys with values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Its column in the group's files, where that has another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Nulls among its values, where the source counts them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nulls: Option<u64>,
    /// No value is smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// No value is larger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
}

impl ObservedGroup {
    /// The form that is stored, and its SHA-256 in hexadecimal digits.
    pub fn stored(&self) -> Result<(String, String)> {
        let text = serde_json::to_string(self).map_err(|error| Error::internal("an observed group is no JSON").source(error))?;
        let hash = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((text, hash))
    }

    /// Reads the stored form.
    pub fn from_stored(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::corrupt("what a source told of a group can't be read").source(error))
    }
}

impl From<&FeatureGroup> for ObservedGroup {
    fn from(group: &FeatureGroup) -> Self {
        let features = group.schema.features().iter().map(|feature| ObservedFeature {
            name: feature.name.as_str().to_owned(),
            feature_type: Some(feature.feature_type.as_str().to_owned()),
            native_type: None,
            collection: feature.collection.map(|collection| collection.as_str().to_owned()),
            dimension: match feature.collection {
                Some(Collection::Vector { dimension }) => Some(dimension),
                _ => None,
            },
            description: feature.description.clone(),
            parameters: feature.parameters.clone(),
            ..ObservedFeature::default()
        });
        Self {
            name: group.name.as_str().to_owned(),
            description: group.description.clone(),
            owner: group.owner.clone(),
            entity: None,
            tags: Some(group.tags.clone()),
            features: features.collect(),
            record_identifier: Some(group.schema.identifier().name.as_str().to_owned()),
            event_time: Some(group.schema.event_time().name.as_str().to_owned()),
            ttl: group.ttl().map(|ttl| ttl.to_string()),
            online: Some(group.online.is_some()),
            offline: Some(group.offline.is_some()),
            s3_uri: group.offline.as_ref().map(|offline| offline.s3_uri.clone()),
            table: group.has_glue_table().then(|| format!("{}.{}", group.glue_database(), group.glue_table())),
            status: Some(group.status.as_str().to_owned()),
            created: Some(group.created.to_iso8601()),
            modified: Some(group.modified.to_iso8601()),
            ..Self::default()
        }
    }
}
