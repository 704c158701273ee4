//! What the catalog shows of features besides their definitions, and what is asked of the store for it.
//!
//! A line of evidence for every feature comes at once; the figures of the one under the cursor are asked for when the cursor rests.

use std::collections::HashMap;

use super::remote::{ErrorText, Remote};
use super::statistics::{FeatureNumbers, Level};
use crate::model::{FeatureGroup, GroupId};
use crate::tui::units::Micros;

/// A feature: its group's name and its own.
pub(crate) type FeatureName = (String, String);

/// What is known of features.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Of all of them, a line each.
    pub(crate) evidence: Remote<Evidence>,
    /// Of the one under the cursor; none if it was never profiled.
    pub(crate) figures: Remote<Option<FeatureNumbers>>,
    /// Whose figures those are, or will be.
    pub(crate) figures_of: Option<FeatureName>,
    /// When figures were asked for last.
    pub(crate) asked: Micros,
    /// When figures of the one under the cursor are to be asked for.
    pub(crate) due: Option<Micros>,
}

/// Lines of evidence, by group and name of the feature in lower case.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Evidence {
    /// The lines.
    pub(crate) lines: HashMap<GroupId, HashMap<String, Line>>,
}

impl Evidence {
    /// What is known of a feature.
    pub(crate) fn of(&self, group: &FeatureGroup, feature: &str) -> Option<&Line> {
        self.lines.get(&group.id)?.get(&feature.to_lowercase())
    }

    /// How many features are at a level.
    pub(crate) fn at(&self, level: Level) -> usize {
        self.lines.values().flat_map(HashMap::values).filter(|line| line.drift == Some(level)).count()
    }
}

/// What is known of one feature at a glance.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Line {
    /// Rows without a value, and rows; none if none were looked at.
    pub(crate) nulls: Option<(u64, u64)>,
    /// Bars.
    pub(crate) shape: Vec<u64>,
    /// Worst level of the last comparison.
    pub(crate) drift: Option<Level>,
    /// Different readers in 30 days.
    pub(crate) readers: Option<u64>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Question {
    /// A line for every feature.
    Evidence,
    /// The figures of one.
    Figures(FeatureName),
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Lines.
    Evidence(Result<Evidence, ErrorText>),
    /// Figures of the feature that was asked about last.
    Figures(Result<Box<Option<FeatureNumbers>>, ErrorText>),
}
