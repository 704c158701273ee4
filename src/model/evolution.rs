//! How a schema changes while its history stays: features are added, renamed, removed, and brought back.
//!
//! What a name once meant it means for ever: neither the former name of a feature nor that of one that was removed can become another
//! feature's, since the files of the history have a column of that name. A feature that is added under the name of one that was removed
//! is that feature again, and must have its type.

use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::feature::FeatureDefinition;
use super::name::FeatureName;
use super::schema::Schema;
use super::time::EventTime;

/// A feature that a group had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedFeature {
    /// Where it stands in stored rows.
    pub slot: usize,
    /// What it was.
    pub feature: FeatureDefinition,
    /// When it was removed.
    pub removed: EventTime,
}

impl FeatureDefinition {
    fn had_name(&self, name: &str) -> bool {
        self.former_names.iter().any(|former| former.as_str().eq_ignore_ascii_case(name))
    }
}

impl Schema {
    /// The feature that had this name before it was renamed.
    pub fn renamed(&self, name: &str) -> Option<&FeatureDefinition> {
        self.features().iter().find(|feature| feature.had_name(name))
    }

    /// The feature that had this name when it was removed, or before.
    pub fn removed_as(&self, name: &str) -> Option<&RemovedFeature> {
        self.removed().iter().find(|gone| gone.feature.name.as_str().eq_ignore_ascii_case(name) || gone.feature.had_name(name))
    }

    /// Name of the feature that a column of the files holds; the column's own name if none does.
    pub fn name_of_column<'a>(&'a self, column: &'a str) -> &'a str {
        match self.position(column) {
            // Almost always, and then nobody else has the column.
            Some(position) if self.features()[position].former_names.is_empty() => column,
            _ => {
                let found = self.features().iter().find(|feature| feature.column().as_str().eq_ignore_ascii_case(column));
                found.map_or(column, |feature| feature.name.as_str())
            }
        }
    }

    /// The same schema with features appended. One that was removed comes back where it stood, with what is said of it now.
    ///
    /// # Errors
    /// As [`Schema::new`]; also for a name that belongs to the history of another feature, or to one of another type.
    pub fn with_added(&self, added: Vec<FeatureDefinition>) -> Result<Self> {
        let mut removed = self.removed().to_vec();
        let mut placed: Vec<(usize, FeatureDefinition)> =
            self.features().iter().cloned().enumerate().map(|(position, feature)| (self.slot(position), feature)).collect();
        let mut next = self.width();
        for mut feature in added {
            let held = removed.iter().position(|gone| gone.feature.name.as_str().eq_ignore_ascii_case(feature.name.as_str()));
            let slot = match held {
                Some(at) => {
                    let gone = removed.remove(at);
                    if (gone.feature.feature_type, gone.feature.collection) != (feature.feature_type, feature.collection) {
                        return Err(Error::invalid(format!("'{}' can't be {}", feature.name, feature.type_text()))
                            .why(format!("a feature of that name was removed, and its history is {}", gone.feature.type_text()))
                            .remedy(format!("add it as {} again, or choose another name", gone.feature.type_text())));
                    }
                    feature.former_names = gone.feature.former_names;
                    feature.name = gone.feature.name;
                    gone.slot
                }
                None => {
                    next += 1;
                    next - 1
                }
            };
            placed.push((slot, feature));
        }
        placed.sort_by_key(|(slot, _)| *slot);
        let features = placed.into_iter().map(|(_, feature)| feature).collect();
        Self::with_history(features, removed, self.identifier().name.as_str(), self.event_time().name.as_str())
    }

    /// The same schema with a feature under another name.
    ///
    /// # Errors
    /// `NotFound` if there is no such feature, `Invalid` for a name that is or was another feature's.
    pub fn with_renamed(&self, from: &str, to: &FeatureName) -> Result<Self> {
        let (position, _) = self.feature(from)?;
        let mut features = self.features().to_vec();
        let renamed = &mut features[position];
        if renamed.name != *to {
            let old = std::mem::replace(&mut renamed.name, to.clone());
            // The first stays whatever happens: it is the column's.
            let first = renamed.former_names.first().cloned();
            renamed.former_names.retain(|former| Some(former) == first.as_ref() || former != to);
            if !renamed.former_names.contains(&old) {
                renamed.former_names.push(old);
            }
        }
        let role = |known: usize| features[known].name.to_string();
        let (identifier, event_time) = (role(self.identifier_position()), role(self.event_time_position()));
        Self::with_history(features, self.removed().to_vec(), &identifier, &event_time)
    }

    /// The same schema without a feature; its slot and its column stay as they are.
    ///
    /// # Errors
    /// `NotFound` if there is no such feature, `Invalid` for record identifier and event time.
    pub fn with_removed(&self, name: &str, now: EventTime) -> Result<Self> {
        let (position, feature) = self.feature(name)?;
        for (key, role) in [(self.identifier_position(), "record identifier"), (self.event_time_position(), "event time")] {
            if position == key {
                return Err(Error::invalid(format!("'{}' can't be removed", feature.name))
                    .why(format!("it is the {role}"))
                    .remedy("make another group"));
            }
        }
        let mut features = self.features().to_vec();
        let mut removed = self.removed().to_vec();
        removed.push(RemovedFeature { slot: self.slot(position), feature: features.remove(position), removed: now });
        Self::with_history(features, removed, self.identifier().name.as_str(), self.event_time().name.as_str())
    }

    /// Every feature that ever was, in the order of slots, under the names of their columns: what a row from the outbox is written by, which
    /// may still have values of a feature that was removed since.
    pub fn of_rows(&self) -> Self {
        let of_column = |feature: &FeatureDefinition| {
            let mut feature = feature.clone();
            feature.name = feature.column().clone();
            feature.former_names.clear();
            feature
        };
        let mut placed: Vec<(usize, FeatureDefinition)> =
            self.features().iter().enumerate().map(|(position, feature)| (self.slot(position), of_column(feature))).collect();
        placed.extend(self.removed().iter().map(|gone| (gone.slot, of_column(&gone.feature))));
        placed.sort_by_key(|(slot, _)| *slot);
        let features = placed.into_iter().map(|(_, feature)| feature).collect();
        Self::unchecked(features, self.slot(self.identifier_position()), self.slot(self.event_time_position()))
    }

    /// True if rows and files that were written by an earlier schema are read rightly by this one.
    pub fn continues(&self, earlier: &Self) -> bool {
        let (now, before) = (self.of_rows(), earlier.of_rows());
        let same = |(new, old): (&FeatureDefinition, &FeatureDefinition)| {
            (&new.name, new.feature_type, new.collection) == (&old.name, old.feature_type, old.collection)
        };
        let keys = |schema: &Self| (schema.identifier_position(), schema.event_time_position());
        now.len() >= before.len() && keys(&now) == keys(&before) && now.features().iter().zip(before.features()).all(same)
    }

    /// Features whose names differ from those in an earlier schema: what they were called, and what they are called now.
    pub fn renamed_since(&self, earlier: &Self) -> Vec<(FeatureName, FeatureName)> {
        let changed = |(position, old): (usize, &FeatureDefinition)| {
            let now = &self.features()[self.at_slot(earlier.slot(position))?];
            (now.name != old.name).then(|| (old.name.clone(), now.name.clone()))
        };
        earlier.features().iter().enumerate().filter_map(changed).collect()
    }

    /// Checks that no name is or was that of two features.
    pub(super) fn check_former_names(&self) -> Result<()> {
        let taken = |name: &FeatureName, why: String| {
            Err(Error::invalid(format!("'{name}' can't be a feature's name")).why(why).remedy("choose another name"))
        };
        for (position, feature) in self.features().iter().enumerate() {
            for former in &feature.former_names {
                if self.position(former.as_str()).is_some_and(|holder| holder != position) {
                    return taken(former, format!("it was that of '{}', and the history has a column of that name", feature.name));
                }
            }
            if let Some(gone) = self.removed_as(feature.name.as_str()) {
                return taken(&feature.name, format!("it was that of '{}', which was removed", gone.feature.name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::FeatureType;

    fn name(text: &str) -> FeatureName {
        FeatureName::parse(text).unwrap()
    }

    fn feature(text: &str, feature_type: FeatureType) -> FeatureDefinition {
        FeatureDefinition::new(name(text), feature_type)
    }

    fn base() -> Schema {
        let features = vec![
            feature("id", FeatureType::String),
            feature("at", FeatureType::String),
            feature("fare", FeatureType::Fractional),
            feature("tip", FeatureType::Integral),
        ];
        Schema::new(features, "id", "at").unwrap()
    }

    fn now() -> EventTime {
        EventTime::from_unix_seconds(1_800_000_000).unwrap()
    }

    fn names(schema: &Schema) -> Vec<&str> {
        schema.features().iter().map(|feature| feature.name.as_str()).collect()
    }

    #[test]
    fn a_renamed_feature_keeps_slot_and_column_and_tells_of_its_old_name() {
        let schema = base().with_renamed("FARE", &name("price")).unwrap().with_renamed("price", &name("cost")).unwrap();
        assert_eq!(names(&schema), ["id", "at", "cost", "tip"]);
        let (position, cost) = schema.feature("cost").unwrap();
        assert_eq!((schema.slot(position), cost.column().as_str()), (2, "fare"));
        assert_eq!(
            (schema.name_of_column("fare"), schema.name_of_column("tip"), schema.name_of_column("write_time")),
            ("cost", "tip", "write_time")
        );
        for old in ["fare", "price"] {
            let message = schema.feature(old).unwrap_err().to_string();
            assert!(message.contains("renamed to 'cost'"), "{message}");
            assert!(schema.with_added(vec![feature(old, FeatureType::Fractional)]).is_err(), "{old} means cost for ever");
            assert!(schema.with_renamed("tip", &name(old)).is_err());
        }
        assert!(schema.with_renamed("tip", &name("COST")).is_err(), "another feature has that name");
        let back = schema.with_renamed("cost", &name("fare")).unwrap();
        assert_eq!((back.feature("fare").unwrap().1.column().as_str(), back.renamed("price").is_some()), ("fare", true));
        assert!(back.continues(&base()) && schema.continues(&back));
        assert_eq!(schema.renamed_since(&base()), [(name("fare"), name("cost"))]);
        let keys = base().with_renamed("id", &name("who")).unwrap();
        assert_eq!((keys.identifier().name.as_str(), keys.identifier().column().as_str()), ("who", "id"));
    }

    #[test]
    fn a_removed_feature_keeps_its_slot_and_its_name_stays_its_own() {
        let schema = base().with_removed("fare", now()).unwrap();
        assert_eq!((names(&schema), schema.width(), schema.slot(2), schema.at_slot(2)), (vec!["id", "at", "tip"], 4, 3, None));
        assert_eq!(schema.in_slots(vec![Some(1), Some(2), Some(3)]), [Some(1), Some(2), None, Some(3)]);
        let message = schema.feature("fare").unwrap_err().to_string();
        assert!(message.contains("was removed on 2027-01-15") && message.contains("column 'fare'"), "{message}");
        let error = schema.with_added(vec![feature("fare", FeatureType::String)]).unwrap_err().to_string();
        assert!(error.contains("its history is Fractional"), "{error}");
        assert!(schema.with_renamed("tip", &name("fare")).is_err());
        for key in ["id", "at"] {
            assert!(schema.with_removed(key, now()).is_err(), "{key}");
        }
        let wider = schema.with_added(vec![feature("late", FeatureType::String)]).unwrap();
        assert_eq!((wider.slot(3), wider.width()), (4, 5));
        let back = wider.with_added(vec![feature("fare", FeatureType::Fractional)]).unwrap();
        assert_eq!((names(&back), back.width(), back.removed().len()), (vec!["id", "at", "fare", "tip", "late"], 5, 0));
        assert!(schema.continues(&base()) && wider.continues(&schema) && back.continues(&wider) && !base().continues(&wider));
    }

    #[test]
    fn rows_are_written_by_every_feature_that_ever_was() {
        let schema = base().with_renamed("tip", &name("gratuity")).unwrap().with_removed("fare", now()).unwrap();
        let rows = schema.of_rows();
        assert_eq!((names(&rows), rows.identifier_position()), (vec!["id", "at", "fare", "tip"], 0));
        let text = serde_json::to_string(&schema).unwrap();
        assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), schema);
        assert!(serde_json::from_str::<Schema>(&text.replace("\"slot\":2", "\"slot\":9")).is_err());
    }
}
