//! What a feature is: its type, whether it holds one value or a collection, and its definition.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::expectation::{DriftLimits, Expectation};
use super::name::FeatureName;

/// Type of a feature's value, or of the elements of its collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FeatureType {
    /// Signed 64-bit integer.
    Integral,
    /// Finite IEEE-754 double.
    Fractional,
    /// UTF-8 text, may be empty.
    String,
}

impl FeatureType {
    /// The three types in the order they are offered.
    pub const ALL: [FeatureType; 3] = [Self::Integral, Self::Fractional, Self::String];

    /// SageMaker's name of the type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Integral => "Integral",
            Self::Fractional => "Fractional",
            Self::String => "String",
        }
    }
}

impl fmt::Display for FeatureType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for FeatureType {
    type Err = Error;
    /// Takes SageMaker's names in any case, and the everyday ones.
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "integral" | "int" | "integer" | "bigint" | "bool" | "boolean" => Ok(Self::Integral),
            "fractional" | "float" | "double" => Ok(Self::Fractional),
            "string" | "text" | "timestamp" => Ok(Self::String),
            _ => {
                Err(Error::invalid(format!("'{}' is not a feature type", text.escape_debug())).remedy("use Integral, Fractional or String"))
            }
        }
    }
}

/// How a feature holds several values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub enum Collection {
    /// Ordered values, repeats allowed.
    List,
    /// Values without repeats.
    Set,
    /// Exactly `dimension` Fractional values (1–8192).
    Vector {
        /// Number of values.
        dimension: u32,
    },
}

impl Collection {
    /// SageMaker's name of the collection type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "List",
            Self::Set => "Set",
            Self::Vector { .. } => "Vector",
        }
    }
}

/// Definition of a feature: what a schema holds of it and what people wrote about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureDefinition {
    /// Its name, unique in the group ignoring case.
    pub name: FeatureName,
    /// Type of its value or elements.
    #[serde(rename = "type")]
    pub feature_type: FeatureType,
    /// Set when it holds several values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<Collection>,
    /// What it means, at most 255 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Up to 25 keys with values, as SageMaker's feature parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// What its values are expected to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<Expectation>,
    /// From where on its drift matters, where that differs from the usual.
    #[serde(default, skip_serializing_if = "DriftLimits::is_empty")]
    pub drift: DriftLimits,
    /// Names it had before, the first one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_names: Vec<FeatureName>,
}

impl FeatureDefinition {
    /// A feature with one value and nothing written about it.
    pub fn new(name: FeatureName, feature_type: FeatureType) -> Self {
        Self {
            name,
            feature_type,
            collection: None,
            description: None,
            parameters: BTreeMap::new(),
            expectations: Vec::new(),
            drift: DriftLimits::new(),
            former_names: Vec::new(),
        }
    }

    /// Name of its column in the files of the offline store: the first it ever had, so that a new name leaves every file as it is.
    pub fn column(&self) -> &FeatureName {
        self.former_names.first().unwrap_or(&self.name)
    }

    /// The type as people read it: `Fractional`, `List<String>`, `Vector<384>`.
    pub fn type_text(&self) -> String {
        match self.collection {
            None => self.feature_type.to_string(),
            Some(Collection::Vector { dimension }) => format!("Vector<{dimension}>"),
            Some(collection) => format!("{}<{}>", collection.as_str(), self.feature_type),
        }
    }
}
