//! A feature group: what it is called, what its records look like, which stores keep them.
//!
//! Its serialised form is the definition file that lies beside the group's data, from which a lost catalog is
//! rebuilt; fields may be added to it, with a default, and never change their meaning.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::{Error, Result};
use super::expectation::GroupExpectations;
use super::limits;
use super::name::GroupName;
use super::schema::Schema;
use super::time::EventTime;
use super::ttl::Ttl;

/// The Glue catalog that Feature Store registers tables in.
pub const GLUE_CATALOG: &str = "AwsDataCatalog";
/// The Glue database that Feature Store registers tables in, unless it is told another.
pub const GLUE_DATABASE: &str = "sagemaker_featurestore";

/// Identity of one incarnation of a group: a group dropped and made again under its name is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GroupId(pub Uuid);

impl GroupId {
    /// The sixteen bytes that stand before every key of the group in the online store.
    pub fn bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for GroupId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self).map_err(|error| Error::corrupt(format!("'{text}' is not a group id")).source(error))
    }
}

/// Where a group stands in its life, with SageMaker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GroupStatus {
    /// Being made.
    Creating,
    /// In use.
    Created,
    /// Could not be made; the failure reason says why.
    CreateFailed,
    /// Being removed.
    Deleting,
    /// Could not be removed.
    DeleteFailed,
}

impl GroupStatus {
    /// SageMaker's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Created => "Created",
            Self::CreateFailed => "CreateFailed",
            Self::Deleting => "Deleting",
            Self::DeleteFailed => "DeleteFailed",
        }
    }

    /// True where the status may become `next`.
    pub fn may_become(self, next: Self) -> bool {
        use GroupStatus::{CreateFailed, Created, Creating, DeleteFailed, Deleting};
        matches!(
            (self, next),
            (Creating, Created | CreateFailed | Deleting) | (Created | CreateFailed | DeleteFailed, Deleting) | (Deleting, DeleteFailed)
        )
    }
}

impl fmt::Display for GroupStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for GroupStatus {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        [Self::Creating, Self::Created, Self::CreateFailed, Self::Deleting, Self::DeleteFailed]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| Error::corrupt(format!("'{text}' is not a group status")))
    }
}

/// What SageMaker's API lets a caller say of a store: kept and told again, since programs compare what they said with what
/// they are told. Nothing here changes how this program stores a record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Declared {
    /// ARN of the role that AWS would write with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// Key that AWS would encrypt with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Tier of the online store: `Standard`, `Standard_V2`, `InMemory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_type: Option<String>,
    /// Format of the offline store: `Default`, `Glue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_format: Option<String>,
    /// True if no table is to be made in the Glue catalog.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_glue_table: bool,
    /// Names of the table in the Glue catalog, if the caller chose them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glue_table: Option<GlueTable>,
    /// Throughput that AWS would bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<Throughput>,
    /// True once the group was updated through the API.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub was_updated: bool,
}

impl Declared {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Names of a table in the Glue catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlueTable {
    /// The catalog, [`GLUE_CATALOG`] always.
    pub catalog: String,
    /// The database.
    pub database: String,
    /// The table.
    pub table: String,
}

/// Throughput that AWS would bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throughput {
    /// `OnDemand` or `Provisioned`.
    pub mode: String,
    /// Units for reading, if provisioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_units: Option<i64>,
    /// Units for writing, if provisioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_units: Option<i64>,
}

/// Settings of a group's online store.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OnlineSettings {
    /// Ttl of records that don't bring their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Ttl>,
    /// What was said of it beside that.
    #[serde(default, skip_serializing_if = "Declared::is_empty")]
    pub declared: Declared,
}

/// Settings of a group's offline store.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OfflineSettings {
    /// Where its objects go: `s3://bucket/prefix`.
    pub s3_uri: String,
    /// Set for a folder, file or glob of Parquet that is read in place and never written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<String>,
    /// What was said of it beside that.
    #[serde(default, skip_serializing_if = "Declared::is_empty")]
    pub declared: Declared,
}

/// A feature group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureGroup {
    /// Identity of this incarnation.
    pub id: GroupId,
    /// Unique in the store ignoring case.
    pub name: GroupName,
    /// At most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it: `team:growth`, a name, an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Up to 50 keys with values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Features, record identifier, event time.
    pub schema: Schema,
    /// Set if it keeps the latest record per identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online: Option<OnlineSettings>,
    /// Set if it keeps every record ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline: Option<OfflineSettings>,
    /// What is expected of it as a whole.
    #[serde(default, skip_serializing_if = "GroupExpectations::is_empty")]
    pub expectations: GroupExpectations,
    /// Where it stands in its life.
    pub status: GroupStatus,
    /// Why making or removing it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it was made; whole seconds of it are part of its object names.
    pub created: EventTime,
    /// When its definition last changed.
    pub modified: EventTime,
}

impl FeatureGroup {
    /// Ttl of its records, if any.
    pub fn ttl(&self) -> Option<Ttl> {
        self.online.as_ref().and_then(|online| online.ttl)
    }

    /// What was said of the group as a whole: it stands with its offline store, of a group without one with its online store.
    pub fn declared(&self) -> Option<&Declared> {
        self.offline.as_ref().map(|offline| &offline.declared).or(self.online.as_ref().map(|online| &online.declared))
    }

    /// The same, to be changed.
    pub fn declared_mut(&mut self) -> Option<&mut Declared> {
        self.offline.as_mut().map(|offline| &mut offline.declared).or(self.online.as_mut().map(|online| &mut online.declared))
    }

    /// True for a folder of Parquet read in place.
    pub fn is_external(&self) -> bool {
        self.offline.as_ref().is_some_and(|offline| offline.external.is_some())
    }

    /// True if something is expected of its values or of the group as a whole.
    pub fn expects_something(&self) -> bool {
        !self.expectations.is_empty() || self.schema.features().iter().any(|feature| !feature.expectations.is_empty())
    }

    /// True if records are appended to an offline store of our own.
    pub fn keeps_history(&self) -> bool {
        self.offline.is_some() && !self.is_external()
    }

    /// Name of its table in the Glue catalog: the one that was chosen, else as Feature Store makes it: the name in lower case with `_` for `-`, and the
    /// second of its creation, so that a group made anew has a table of its own.
    pub fn glue_table(&self) -> String {
        if let Some(chosen) = self.offline.as_ref().and_then(|offline| offline.declared.glue_table.as_ref()) {
            return chosen.table.clone();
        }
        format!("{}_{}", self.name.as_str().to_lowercase().replace('-', "_"), self.created.unix_seconds())
    }

    /// The Glue database that its table is in.
    pub fn glue_database(&self) -> &str {
        let chosen = self.offline.as_ref().and_then(|offline| offline.declared.glue_table.as_ref());
        chosen.map_or(GLUE_DATABASE, |chosen| chosen.database.as_str())
    }

    /// True if the Glue catalog names it: it keeps history, and was not made without a table.
    pub fn has_glue_table(&self) -> bool {
        let declared = self.offline.as_ref().map(|offline| &offline.declared);
        declared.is_some_and(|declared| !declared.without_glue_table || declared.glue_table.is_some())
    }

    /// Checks what the types of its fields don't: lengths, tags, that at least one store keeps its records.
    pub fn check(&self) -> Result<()> {
        if let Some(description) = &self.description {
            limits::check_group_description(description)?;
        }
        if self.owner.as_ref().is_some_and(|owner| owner.chars().count() > limits::MAX_GROUP_DESCRIPTION) {
            return Err(
                Error::invalid("the owner is too long").remedy(format!("write at most {} characters", limits::MAX_GROUP_DESCRIPTION))
            );
        }
        limits::check_tags(&self.tags)?;
        if self.online.is_none() && self.offline.is_none() {
            return Err(Error::invalid(format!("'{}' has no store", self.name)).remedy("keep the online store, the offline store or both"));
        }
        if self.is_external() && self.online.is_some() {
            return Err(Error::invalid(format!("'{}' is external and can't have an online store", self.name))
                .remedy("ingest the files into a group of their own instead"));
        }
        Ok(())
    }
}
