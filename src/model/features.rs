//! The features of a schema: at hand, or kept elsewhere in a denser form until somebody looks at them.
//!
//! A definition is five times the size of what it says, which nobody minds in one group and everybody in a list of a million features. A list
//! therefore keeps what they say in columns and is their [`FeatureKeeper`]; whoever asks a group of it for its features still gets them, read
//! once and at hand from then on. What is kept was a schema before, so nothing is checked again.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::evolution::RemovedFeature;
use super::feature::FeatureDefinition;

/// Keeps the features of groups.
pub trait FeatureKeeper: Send + Sync {
    /// The features of the group of that number, in definition order, as they were when the keeper took them.
    fn features(&self, group: usize) -> Vec<FeatureDefinition>;
}

/// Features with what is needed to find one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) features: Vec<FeatureDefinition>,
    /// Where each feature stands in stored rows, in ascending order.
    pub(super) slots: Vec<usize>,
    /// Position of each, by its name in lower case.
    pub(super) by_name: HashMap<String, usize>,
}

impl Shape {
    /// Of features that were checked before. Slots that removed features hold are passed over.
    pub(super) fn of_checked(features: Vec<FeatureDefinition>, removed: &[RemovedFeature]) -> Self {
        let slots = free_slots(features.len() + removed.len(), removed);
        let by_name = features.iter().enumerate().map(|(position, feature)| (feature.name.folded(), position)).collect();
        Self { features, slots, by_name }
    }
}

/// The slots below a width that no removed feature holds; `removed` is in the order of slots.
pub(super) fn free_slots(width: usize, removed: &[RemovedFeature]) -> Vec<usize> {
    let is_taken = |slot: &usize| removed.binary_search_by_key(slot, |removed| removed.slot).is_ok();
    (0..width).filter(|slot| !is_taken(slot)).collect()
}

/// Where the features of a schema are.
#[derive(Clone)]
pub(super) enum Features {
    AtHand(Shape),
    Kept(Kept),
}

/// Features that a keeper has.
pub(super) struct Kept {
    keeper: Arc<dyn FeatureKeeper>,
    group: usize,
    count: usize,
    read: OnceLock<Box<Shape>>,
}

impl Features {
    pub(super) fn kept(keeper: Arc<dyn FeatureKeeper>, group: usize, count: usize) -> Self {
        Self::Kept(Kept { keeper, group, count, read: OnceLock::new() })
    }

    /// How many there are; reads none.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::AtHand(shape) => shape.features.len(),
            Self::Kept(kept) => kept.count,
        }
    }

    /// The features, read now if they were not before.
    pub(super) fn shape(&self, removed: &[RemovedFeature]) -> &Shape {
        match self {
            Self::AtHand(shape) => shape,
            Self::Kept(kept) => kept.read.get_or_init(|| Box::new(Shape::of_checked(kept.keeper.features(kept.group), removed))),
        }
    }

    /// The features to be changed: at hand from now on.
    pub(super) fn features_mut(&mut self, removed: &[RemovedFeature]) -> &mut [FeatureDefinition] {
        if let Self::Kept(_) = self {
            *self = Self::AtHand(self.shape(removed).clone());
        }
        match self {
            Self::AtHand(shape) => &mut shape.features,
            Self::Kept(_) => &mut [],
        }
    }
}

/// A copy reads for itself: it does not take over what the first one has read.
impl Clone for Kept {
    fn clone(&self) -> Self {
        Self { keeper: self.keeper.clone(), group: self.group, count: self.count, read: OnceLock::new() }
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtHand(shape) => shape.features.fmt(out),
            Self::Kept(kept) => out.debug_struct("Kept").field("group", &kept.group).field("count", &kept.count).finish_non_exhaustive(),
        }
    }
}
