//! How a demo group is written down: constant tables of names, types and descriptions, and one function for values.
//!
//! The first feature of a group is its record identifier and the second its event time; a group's function
//! makes the values of all others, in order.

use std::collections::BTreeMap;

use super::draw::Draw;
use crate::model::{Collection, EventTime, FeatureDefinition, FeatureName, FeatureType, Result, Schema};

/// Days of history a demo store has.
pub(super) const DAYS: f64 = 90.0;

/// Which stores keep a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stores {
    Both,
    OnlineOnly,
    OfflineOnly,
}

/// When rows of a group come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// A snapshot of every entity, at intervals.
    Steady,
    /// When people are about: by day and in the evening, more at weekends, and for some entities far more often.
    Lively,
}

/// A feature, as a constant.
pub(super) struct FeatureShape {
    name: &'static str,
    feature_type: FeatureType,
    collection: Option<Collection>,
    description: &'static str,
    parameters: &'static [(&'static str, &'static str)],
}

/// What `unit` parameter a feature has, and whether it tells of a person.
pub(super) type Parameters = &'static [(&'static str, &'static str)];

pub(super) const PLAIN: Parameters = &[];
pub(super) const PII: Parameters = &[("pii", "yes")];
pub(super) const EUR: Parameters = &[("unit", "EUR")];
pub(super) const RATIO: Parameters = &[("unit", "ratio"), ("range", "0 to 1")];
pub(super) const FLAG: Parameters = &[("values", "0 = no / 1 = yes")];
pub(super) const DAYS_UNIT: Parameters = &[("unit", "days")];
pub(super) const HOURS_UNIT: Parameters = &[("unit", "hours")];

const fn shape(name: &'static str, feature_type: FeatureType, description: &'static str, parameters: Parameters) -> FeatureShape {
    FeatureShape { name, feature_type, collection: None, description, parameters }
}

/// A whole number.
pub(super) const fn integral(name: &'static str, description: &'static str, parameters: Parameters) -> FeatureShape {
    shape(name, FeatureType::Integral, description, parameters)
}

/// A number.
pub(super) const fn fractional(name: &'static str, description: &'static str, parameters: Parameters) -> FeatureShape {
    shape(name, FeatureType::Fractional, description, parameters)
}

/// A text.
pub(super) const fn string(name: &'static str, description: &'static str, parameters: Parameters) -> FeatureShape {
    shape(name, FeatureType::String, description, parameters)
}

/// Several texts.
pub(super) const fn texts(name: &'static str, description: &'static str) -> FeatureShape {
    FeatureShape { collection: Some(Collection::List), ..shape(name, FeatureType::String, description, PLAIN) }
}

/// A fixed number of numbers.
pub(super) const fn vector(name: &'static str, dimension: u32, description: &'static str) -> FeatureShape {
    FeatureShape { collection: Some(Collection::Vector { dimension }), ..shape(name, FeatureType::Fractional, description, PLAIN) }
}

/// One value before it is put into a column or a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Integral(i64),
    Fractional(f64),
    Text(String),
    Texts(Vec<&'static str>),
    Vector(Vec<f64>),
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Integral(value)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Integral(i64::from(value))
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Fractional(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Who and when a row is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// Seed of the whole store, for what entities are.
    pub(super) seed: u64,
    /// Number of the entity, from 1.
    pub(super) entity: u32,
    /// When.
    pub(super) time: EventTime,
    /// Days since the history began: 0 to [`DAYS`].
    pub(super) day: f64,
}

/// A group, as a constant.
pub(super) struct GroupShape {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) owner: &'static str,
    pub(super) tags: &'static [(&'static str, &'static str)],
    pub(super) features: &'static [FeatureShape],
    pub(super) stores: Stores,
    pub(super) ttl: Option<&'static str>,
    /// How many different identifiers there are.
    pub(super) entities: u32,
    /// How many rows of history; for a steady group a multiple of `entities`.
    pub(super) rows: u32,
    /// Whether rows come at fixed intervals for each entity, or when something happens.
    pub(super) rhythm: Rhythm,
    /// The identifier of an entity.
    pub(super) identifier: fn(u32) -> Cell,
    /// The values after identifier and event time.
    pub(super) values: fn(&mut Draw, &Moment) -> Vec<Cell>,
}

impl GroupShape {
    /// The schema of the group.
    pub(super) fn schema(&self) -> Result<Schema> {
        let mut features = Vec::with_capacity(self.features.len());
        for shape in self.features {
            features.push(FeatureDefinition {
                collection: shape.collection,
                description: Some(shape.description.to_owned()),
                parameters: owned(shape.parameters),
                ..FeatureDefinition::new(FeatureName::parse(shape.name)?, shape.feature_type)
            });
        }
        Schema::new(features, self.features[0].name, self.features[1].name)
    }

    /// Its tags.
    pub(super) fn tags(&self) -> BTreeMap<String, String> {
        owned(self.tags)
    }
}

fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}
