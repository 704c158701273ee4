//! What a training dataset is asked to be: a spine, and features of groups as they were at each row's time.
//!
//! ```text
//! group[@spine_column][ as alias][:feature[ as column],…]
//! ```
//!
//! A request is plain data: it stands in the manifest of every dataset that was built, and building it again must
//! mean the same. Names are kept as they were written; whether they exist is found out when it is planned.

mod columns;
mod notation;

pub use columns::{ColumnNames, selected_features, ttls_in_force};
use serde::{Deserialize, Serialize};

use crate::model::{EventTime, Ttl};

/// Where the spine's rows come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpineSource {
    /// A Parquet, CSV or JSON lines file, a folder or a glob.
    File(String),
    /// The rows of an SQL statement over the groups.
    Sql(String),
}

/// One feature that was asked for by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedFeature {
    /// Its name in the group.
    pub name: String,
    /// Its column in the dataset, if that was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

impl SelectedFeature {
    /// Its column in the dataset, unless that name is taken.
    pub fn column(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.name)
    }
}

/// What is asked of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSelection {
    /// Name of the group.
    pub group: String,
    /// Column of the spine that holds the group's identifiers; none is the spine's own identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spine_id: Option<String>,
    /// What this use of the group is called; none is the group's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The features in the order they were asked for; none is all but the identifier and the event time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<SelectedFeature>>,
}

impl FeatureSelection {
    /// What this use of the group is called.
    pub fn alias(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.group)
    }
}

/// How old a feature may be, where the request says otherwise than the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TtlOverride {
    /// Name or alias of the group it is for; none is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The ttl; none is without limit.
    pub ttl: Option<Ttl>,
}

/// A training dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRequest {
    /// Where its rows come from.
    pub spine: SpineSource,
    /// Column of the spine that holds record identifiers.
    pub spine_id: String,
    /// Column of the spine that holds the time of each row.
    pub spine_time: String,
    /// What is asked of which group, in the order of the columns.
    pub features: Vec<FeatureSelection>,
    /// Ttls that differ from those of the groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ttls: Vec<TtlOverride>,
    /// Only records written by then count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<EventTime>,
}
