//! The schema of a feature group: its features in definition order, and the two that every record must have.
//!
//! Stored rows refer to features by **slot**, files by the name of their **column**. Both are given once and never to another feature:
//! features are appended, one that is removed keeps its slot and its column, and one that is renamed keeps the column it always had
//! ([`super::evolution`]). So nothing that was written has to be written again. Names are unique ignoring case.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::evolution::RemovedFeature;
use super::expectation::{DriftLimits, Expectation};
use super::feature::{Collection, FeatureDefinition, FeatureType};
use super::features::{FeatureKeeper, Features, Shape, free_slots};
use super::limits;
use super::name::FeatureName;
use super::suggest::suggest;

/// Features of a group, its record identifier and its event time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Schema {
    features: Features,
    /// By slot.
    removed: Vec<RemovedFeature>,
    identifier: usize,
    event_time: usize,
}

/// Two are the same if they say the same, wherever their features are.
impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        let keys = |schema: &Self| (schema.len(), schema.identifier, schema.event_time);
        keys(self) == keys(other) && self.removed == other.removed && self.features() == other.features()
    }
}

impl Eq for Schema {}

/// The form kept in definition files.
#[derive(Serialize, Deserialize)]
struct Written {
    record_identifier: String,
    event_time: String,
    features: Vec<FeatureDefinition>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    removed: Vec<RemovedFeature>,
}

impl TryFrom<Written> for Schema {
    type Error = Error;
    fn try_from(written: Written) -> Result<Self> {
        Self::with_history(written.features, written.removed, &written.record_identifier, &written.event_time)
    }
}

impl From<Schema> for Written {
    fn from(schema: Schema) -> Self {
        Self {
            record_identifier: schema.identifier().name.to_string(),
            event_time: schema.event_time().name.to_string(),
            features: schema.features().to_vec(),
            removed: schema.removed,
        }
    }
}

/// What people wrote about a feature, to be changed.
#[derive(Debug)]
pub struct WrittenAbout<'a> {
    /// Its name, which never changes.
    pub name: &'a FeatureName,
    /// What it means.
    pub description: &'a mut Option<String>,
    /// Keys with values.
    pub parameters: &'a mut std::collections::BTreeMap<String, String>,
    /// What its values are expected to be.
    pub expectations: &'a mut Vec<Expectation>,
    /// From where on its drift matters.
    pub drift: &'a mut DriftLimits,
}

impl Schema {
    /// Builds a schema and checks every rule of it.
    ///
    /// # Errors
    /// No features or too many, names that repeat ignoring case or are reserved, an identifier or event time
    /// that is not among them or of a type it cannot have, more than one Vector.
    pub fn new(features: Vec<FeatureDefinition>, identifier: &str, event_time: &str) -> Result<Self> {
        Self::with_history(features, Vec::new(), identifier, event_time)
    }

    /// Builds the schema of a group that has had other features, too.
    ///
    /// # Errors
    /// As [`Self::new`]; also a name that was another feature's, and slots that don't fit together.
    pub fn with_history(
        features: Vec<FeatureDefinition>,
        mut removed: Vec<RemovedFeature>,
        identifier: &str,
        event_time: &str,
    ) -> Result<Self> {
        let width = features.len() + removed.len();
        if features.is_empty() || width > limits::MAX_FEATURES {
            let counted = if removed.is_empty() { String::new() } else { format!(" and {} that were removed", removed.len()) };
            return Err(Error::invalid(format!("a group of {} features{counted}", features.len()))
                .remedy(format!("define 1 to {}", limits::MAX_FEATURES)));
        }
        removed.sort_by_key(|removed| removed.slot);
        let slots = free_slots(width, &removed);
        if slots.len() != features.len() {
            return Err(Error::corrupt("two features that were removed have one slot, or one beyond all")
                .remedy("restore the group's definition from a backup"));
        }
        let mut by_name = HashMap::with_capacity(features.len());
        for (position, feature) in features.iter().enumerate() {
            check_feature(feature)?;
            if let Some(earlier) = by_name.insert(feature.name.folded(), position) {
                let earlier: &FeatureDefinition = &features[earlier];
                return Err(Error::invalid(format!("'{}' and '{}' are the same feature name", earlier.name, feature.name))
                    .why("names differ only in case")
                    .remedy("rename one of them"));
            }
        }
        if features.iter().filter(|feature| matches!(feature.collection, Some(Collection::Vector { .. }))).count() > 1 {
            return Err(Error::invalid("more than one Vector in a group").remedy("keep one Vector, make the others Lists"));
        }
        let features = Features::AtHand(Shape { features, slots, by_name });
        let mut schema = Self { features, removed, identifier: 0, event_time: 0 };
        schema.check_former_names()?;
        schema.identifier = schema.key_position("record identifier", identifier, &FeatureType::ALL)?;
        schema.event_time = schema.key_position("event time", event_time, &[FeatureType::String, FeatureType::Fractional])?;
        if schema.identifier == schema.event_time {
            return Err(
                Error::invalid(format!("'{identifier}' is both record identifier and event time")).remedy("name two different features")
            );
        }
        Ok(schema)
    }

    /// A schema of features that were checked before, each at its own slot.
    pub(super) fn unchecked(features: Vec<FeatureDefinition>, identifier: usize, event_time: usize) -> Self {
        Self { features: Features::AtHand(Shape::of_checked(features, &[])), removed: Vec::new(), identifier, event_time }
    }

    /// The same schema with its features left to a keeper, under the number it knows the group by.
    pub fn kept_by(self, keeper: Arc<dyn FeatureKeeper>, group: usize) -> Self {
        Self { features: Features::kept(keeper, group, self.len()), ..self }
    }

    fn shape(&self) -> &Shape {
        self.features.shape(&self.removed)
    }

    fn key_position(&self, role: &str, name: &str, types: &[FeatureType]) -> Result<usize> {
        let (position, feature) = self.feature(name).map_err(|error| error.within(role))?;
        if feature.collection.is_some() || !types.contains(&feature.feature_type) {
            let names: Vec<&str> = types.iter().map(|kind| kind.as_str()).collect();
            return Err(Error::invalid(format!("'{name}' can't be the {role}"))
                .why(format!("it is {}", feature.type_text()))
                .remedy(format!("use a feature of type {}", names.join(" or "))));
        }
        Ok(position)
    }

    /// All features in definition order.
    pub fn features(&self) -> &[FeatureDefinition] {
        &self.shape().features
    }

    /// For the catalog, which changes what people wrote about a feature but not what it is.
    pub fn features_mut(&mut self) -> impl Iterator<Item = WrittenAbout<'_>> {
        self.features.features_mut(&self.removed).iter_mut().map(|feature| WrittenAbout {
            name: &feature.name,
            description: &mut feature.description,
            parameters: &mut feature.parameters,
            expectations: &mut feature.expectations,
            drift: &mut feature.drift,
        })
    }

    /// Number of features.
    pub fn len(&self) -> usize {
        self.features.count()
    }

    /// Never true: a schema has at least its identifier and event time.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where a feature stands in stored rows.
    pub fn slot(&self, position: usize) -> usize {
        self.shape().slots.get(position).copied().unwrap_or(position)
    }

    /// The feature that stands at a slot of stored rows; none if it was removed.
    pub fn at_slot(&self, slot: usize) -> Option<usize> {
        self.shape().slots.binary_search(&slot).ok()
    }

    /// Slots of a row: one for each feature that ever was.
    pub fn width(&self) -> usize {
        self.len() + self.removed.len()
    }

    /// Values of the features, as a stored row has them: a feature that was removed has none.
    pub fn in_slots<T>(&self, values: Vec<Option<T>>) -> Vec<Option<T>> {
        if self.removed.is_empty() {
            return values;
        }
        let mut row: Vec<Option<T>> = std::iter::repeat_with(|| None).take(self.width()).collect();
        for (slot, value) in self.shape().slots.iter().zip(values) {
            row[*slot] = value;
        }
        row
    }

    /// The features that were removed, by slot.
    pub fn removed(&self) -> &[RemovedFeature] {
        &self.removed
    }

    /// Position of the record identifier.
    pub fn identifier_position(&self) -> usize {
        self.identifier
    }

    /// Position of the event time.
    pub fn event_time_position(&self) -> usize {
        self.event_time
    }

    /// The record identifier's definition.
    pub fn identifier(&self) -> &FeatureDefinition {
        &self.features()[self.identifier]
    }

    /// The event time's definition.
    pub fn event_time(&self) -> &FeatureDefinition {
        &self.features()[self.event_time]
    }

    /// Position of a feature, ignoring case.
    pub fn position(&self, name: &str) -> Option<usize> {
        // Almost every look-up uses the exact spelling of an all-lower-case name.
        let by_name = &self.shape().by_name;
        by_name.get(name).copied().or_else(|| by_name.get(&name.to_ascii_lowercase()).copied())
    }

    /// A feature by name, ignoring case; the error suggests the nearest one.
    pub fn feature(&self, name: &str) -> Result<(usize, &FeatureDefinition)> {
        match self.position(name) {
            Some(position) => Ok((position, &self.features()[position])),
            None => {
                let error = Error::not_found(format!("there is no feature '{}'", name.escape_debug()));
                if let Some(renamed) = self.renamed(name) {
                    return Err(error.why(format!("it was renamed to '{}'", renamed.name)).remedy("use that name"));
                }
                if let Some(gone) = self.removed_as(name) {
                    return Err(error
                        .why(format!("it was removed on {}", &gone.removed.to_iso8601()[..10]))
                        .remedy(format!("its history stays in the column '{}' of the files", gone.feature.column())));
                }
                Err(match suggest(name, self.features().iter().map(|feature| feature.name.as_str())) {
                    Some(near) => error.remedy(format!("did you mean '{near}'?")),
                    None => error.remedy("`larder describe GROUP` lists them"),
                })
            }
        }
    }
}

fn check_feature(feature: &FeatureDefinition) -> Result<()> {
    let name = &feature.name;
    if name.is_reserved() {
        return Err(Error::invalid(format!("'{name}' can't be a feature name"))
            .why("the offline store has a column of that name")
            .remedy("rename the feature"));
    }
    if let Some(Collection::Vector { dimension }) = feature.collection {
        if feature.feature_type != FeatureType::Fractional {
            return Err(
                Error::invalid(format!("'{name}' is a Vector of {}", feature.feature_type)).remedy("a Vector holds Fractional values")
            );
        }
        if !(1..=limits::MAX_DIMENSION).contains(&dimension) {
            return Err(Error::invalid(format!("'{name}' is a Vector of dimension {dimension}"))
                .remedy(format!("use 1 to {}", limits::MAX_DIMENSION)));
        }
    }
    if let Some(description) = &feature.description {
        limits::check_feature_description(name.as_str(), description)?;
    }
    limits::check_parameters(name.as_str(), &feature.parameters)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::EventTime;

    fn feature(name: &str, feature_type: FeatureType) -> FeatureDefinition {
        FeatureDefinition::new(FeatureName::parse(name).unwrap(), feature_type)
    }

    fn base() -> Vec<FeatureDefinition> {
        vec![feature("id", FeatureType::String), feature("at", FeatureType::String), feature("Score", FeatureType::Fractional)]
    }

    #[test]
    fn finds_features_ignoring_case_and_suggests() {
        let schema = Schema::new(base(), "ID", "at").unwrap();
        assert_eq!(schema.position("sCORE"), Some(2));
        let message = schema.feature("scor").unwrap_err().to_string();
        assert!(message.contains("did you mean 'Score'?"), "{message}");
    }

    #[test]
    fn refuses_what_breaks_a_rule() {
        let with = |extra: FeatureDefinition| base().into_iter().chain([extra]).collect::<Vec<_>>();
        assert!(Schema::new(with(feature("SCORE", FeatureType::String)), "id", "at").is_err());
        assert!(Schema::new(with(feature("is_deleted", FeatureType::Integral)), "id", "at").is_err());
        assert!(Schema::new(with(feature("n", FeatureType::Integral)), "id", "n").is_err(), "an Integral event time");
        assert!(Schema::new(base(), "id", "id").is_err());
        assert!(Schema::new(base(), "nobody", "at").is_err());
        assert!(Schema::new(Vec::new(), "id", "at").is_err());
    }

    #[test]
    fn appends_features_and_keeps_positions() {
        let schema = Schema::new(base(), "id", "at").unwrap();
        let wider = schema.with_added(vec![feature("late", FeatureType::Integral)]).unwrap();
        assert_eq!(wider.position("Score"), schema.position("Score"));
        assert_eq!(wider.position("late"), Some(3));
        assert!(wider.with_added(vec![feature("LATE", FeatureType::Integral)]).is_err());
        let text = serde_json::to_string(&wider).unwrap();
        assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), wider);
    }

    struct Keeper(Vec<FeatureDefinition>);

    impl FeatureKeeper for Keeper {
        fn features(&self, _: usize) -> Vec<FeatureDefinition> {
            self.0.clone()
        }
    }

    #[test]
    fn a_schema_whose_features_are_kept_is_the_same_schema() {
        let at_hand = Schema::new(base(), "id", "at").unwrap().with_removed("score", EventTime::MAX).unwrap();
        let at_hand = at_hand.with_added(vec![feature("late", FeatureType::Integral)]).unwrap();
        let mut kept = at_hand.clone().kept_by(Arc::new(Keeper(at_hand.features().to_vec())), 0);
        assert_eq!((kept.len(), kept.width()), (at_hand.len(), at_hand.width()));
        assert_eq!(kept, at_hand);
        assert_eq!((kept.slot(2), kept.position("LATE"), kept.at_slot(2)), (3, Some(2), None));
        assert_eq!(serde_json::to_string(&kept).unwrap(), serde_json::to_string(&at_hand).unwrap());
        kept.features_mut().for_each(|about| *about.description = Some("new".into()));
        assert!(kept.features().iter().all(|feature| feature.description.is_some()));
        assert_ne!(kept, at_hand);
    }
}
