//! Which parts of what sources tell a run takes in (`--only`, `--stats none`).
//!
//! What is out of scope stays as it was: a group that is known keeps its other parts, one that is not known is taken in only if groups are in
//! scope, and nothing is deleted unless they are. Where something was left out the caller must not note that it has read the group, so
//! that a run with more in scope reads it again.

use super::observed::{ObservedFeature, ObservedGroup};

/// A part of what a source tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// That a group is there, and what is said of it as a whole.
    Groups,
    /// Its features and which of them are the keys.
    Features,
    /// Where its data comes from and goes to.
    Lineage,
    /// What its files hold: rows, nulls and ranges.
    Statistics,
}

/// The parts that a run takes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    groups: bool,
    features: bool,
    lineage: bool,
    statistics: bool,
}

impl Default for Scope {
    fn default() -> Self {
        Self::ALL
    }
}

impl Scope {
    /// Everything.
    pub const ALL: Self = Self { groups: true, features: true, lineage: true, statistics: true };

    /// Only these parts.
    pub fn only(parts: &[Part]) -> Self {
        let has = |part| parts.contains(&part);
        Self { groups: has(Part::Groups), features: has(Part::Features), lineage: has(Part::Lineage), statistics: has(Part::Statistics) }
    }

    /// All of it but statistics.
    #[must_use]
    pub fn without_statistics(self) -> Self {
        Self { statistics: false, ..self }
    }

    /// True if a part is in it.
    pub fn has(self, part: Part) -> bool {
        match part {
            Part::Groups => self.groups,
            Part::Features => self.features,
            Part::Lineage => self.lineage,
            Part::Statistics => self.statistics,
        }
    }

    /// The group as it is to be kept, given what was kept before and what was read; none if it is not to be taken in.
    pub(super) fn taken(self, before: Option<&ObservedGroup>, read: &ObservedGroup) -> Option<ObservedGroup> {
        if self == Self::ALL {
            return Some(read.clone());
        }
        let nothing = ObservedGroup::default();
        let before = match before {
            Some(before) => before,
            None if self.groups => &nothing,
            None => return None,
        };
        let mut taken = if self.groups { read.clone() } else { before.clone() };
        let schema = if self.features { read } else { before };
        taken.record_identifier.clone_from(&schema.record_identifier);
        taken.event_time.clone_from(&schema.event_time);
        let figures = if self.statistics { read } else { before };
        taken.features = schema.features.iter().map(|feature| with_figures(feature, figures)).collect();
        taken.history.clone_from(&figures.history);
        taken.flows.clone_from(&if self.lineage { read } else { before }.flows);
        Some(taken)
    }
}

/// A feature with the figures that another reading has of it.
fn with_figures(feature: &ObservedFeature, from: &ObservedGroup) -> ObservedFeature {
    let known = from.features.iter().find(|known| known.name == feature.name);
    let (nulls, min, max) = known.map(|known| (known.nulls, known.min.clone(), known.max.clone())).unwrap_or_default();
    ObservedFeature { nulls, min, max, ..feature.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::observed::{ObservedFlow, ObservedHistory};
    use super::*;

    fn group(owner: &str, features: &[(&str, u64)], rows: u64, flows: usize) -> ObservedGroup {
        let feature = |(name, nulls): &(&str, u64)| ObservedFeature { name: (*name).to_owned(), nulls: Some(*nulls), ..Default::default() };
        ObservedGroup {
            name: "orders".into(),
            owner: Some(owner.into()),
            features: features.iter().map(feature).collect(),
            record_identifier: Some(features[0].0.into()),
            history: Some(ObservedHistory { rows, ..Default::default() }),
            flows: vec![ObservedFlow::default(); flows],
            ..Default::default()
        }
    }

    /// Owner, features with nulls, rows, flows.
    fn parts(group: &ObservedGroup) -> (&str, Vec<(&str, Option<u64>)>, Option<u64>, usize) {
        let features = group.features.iter().map(|feature| (feature.name.as_str(), feature.nulls)).collect();
        (group.owner.as_deref().unwrap_or_default(), features, group.history.as_ref().map(|history| history.rows), group.flows.len())
    }

    #[test]
    fn each_part_is_taken_in_alone_and_the_others_stay() {
        let before = group("old", &[("id", 1), ("fare", 2)], 10, 1);
        let read = group("new", &[("id", 3), ("tip", 4)], 20, 2);
        let taken = |part| Scope::only(&[part]).taken(Some(&before), &read).unwrap();
        assert_eq!(parts(&taken(Part::Groups)), ("new", vec![("id", Some(1)), ("fare", Some(2))], Some(10), 1));
        assert_eq!(parts(&taken(Part::Features)), ("old", vec![("id", Some(1)), ("tip", None)], Some(10), 1));
        assert_eq!(parts(&taken(Part::Lineage)), ("old", vec![("id", Some(1)), ("fare", Some(2))], Some(10), 2));
        assert_eq!(parts(&taken(Part::Statistics)), ("old", vec![("id", Some(3)), ("fare", None)], Some(20), 1));
        assert_eq!(Scope::ALL.taken(Some(&before), &read), Some(read));
    }

    #[test]
    fn a_group_that_is_not_known_is_taken_in_only_with_groups() {
        let read = group("new", &[("id", 3)], 20, 2);
        assert_eq!(Scope::only(&[Part::Features, Part::Statistics]).taken(None, &read), None);
        assert_eq!(parts(&Scope::only(&[Part::Groups]).taken(None, &read).unwrap()), ("new", vec![], None, 0));
        let without = Scope::ALL.without_statistics().taken(None, &read).unwrap();
        assert_eq!(parts(&without), ("new", vec![("id", None)], None, 2));
    }
}
