//! What the catalog shows of features besides their definitions, and what is asked of the store for it.
//!
//! A line of evidence for every feature comes at once; the figures of the one under the cursor are asked for when the cursor rests.

use std::collections::HashMap;
use std::sync::Arc;

use super::data::Origins;
use super::list::List;
use super::remote::{ErrorText, Remote};
use super::statistics::{FeatureNumbers, Level};
use crate::model::{FeatureGroup, GroupId};
use crate::tui::listing::{Asked, Finder, Listed, ListedFacet, Listing};
use crate::tui::units::Micros;

/// A feature: its group's name and its own.
pub(crate) type FeatureName = (String, String);

/// What is known of features.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Of all of them, a line each.
    pub(crate) evidence: Remote<Arc<Evidence>>,
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
    /// The lines, by what they are of.
    pub(crate) lines: HashMap<GroupId, HashMap<String, Line>>,
    /// Whether any line has figures, and any has readers.
    has: (bool, bool),
}

impl Evidence {
    /// Evidence of these lines.
    pub(crate) fn new(lines: HashMap<GroupId, HashMap<String, Line>>) -> Self {
        let all = || lines.values().flat_map(HashMap::values);
        let has = (all().any(|line| line.nulls.is_some()), all().any(|line| line.readers.is_some()));
        Self { lines, has }
    }

    /// True if figures of any feature are known.
    pub(crate) fn has_figures(&self) -> bool {
        self.has.0
    }

    /// True if readers of any feature are known.
    pub(crate) fn has_readers(&self) -> bool {
        self.has.1
    }

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

/// All groups and features as the store last told them.
#[derive(Debug, Clone)]
pub(crate) struct Stock(pub(crate) Arc<Listing>);

impl PartialEq for Stock {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// All features with how they stand, ready to be searched beside the browser.
#[derive(Debug, Clone)]
pub(crate) struct Shelf(pub(crate) Arc<Finder>);

impl PartialEq for Shelf {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Shelf {
    /// What is listed.
    pub(crate) fn listing(&self) -> &Listing {
        &self.0.listing
    }
}

/// What is known of groups and features while they are listed.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Knowledge {
    /// Lines of evidence, if they are here.
    pub(crate) evidence: Option<Arc<Evidence>>,
    /// Newest event times, by name of the group.
    pub(crate) newest: HashMap<String, Micros>,
    /// Where groups come from that are not of this store.
    pub(crate) origins: Origins,
}

/// The counts beside the list.
#[derive(Debug, Default)]
pub(crate) struct Facets {
    /// The counts of what is listed.
    pub(crate) all: Vec<ListedFacet>,
    /// True while they have the keys.
    pub(crate) focused: bool,
    /// Cursor and window over the lines.
    pub(crate) list: List,
}

/// A line of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FacetLine<'a> {
    /// The name of a facet.
    Name(&'static str),
    /// Name, value and count.
    Value(&'static str, &'a str, usize),
}

impl Facets {
    /// Its lines: each facet's name, then its values.
    pub(crate) fn lines(&self) -> Vec<FacetLine<'_>> {
        let lines = self.all.iter().flat_map(|facet| {
            let values = facet.values.iter().map(|value| FacetLine::Value(facet.name, &value.value, value.count));
            std::iter::once(FacetLine::Name(facet.name)).chain(values)
        });
        lines.collect()
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Question {
    /// To make all features ready to be searched.
    Gather(Stock, Knowledge),
    /// The same features, of which something else is known by now.
    Stand(Shelf, Knowledge),
    /// To find features.
    Find(Shelf, Asked),
    /// A line for every feature.
    Evidence,
    /// The figures of one.
    Figures(FeatureName),
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Lines.
    Evidence(Result<Arc<Evidence>, ErrorText>),
    /// They are ready.
    Gathered(Result<Shelf, ErrorText>),
    /// What was found; once more if descriptions add to it.
    Found(Result<Listed, ErrorText>),
    /// Figures of the feature that was asked about last.
    Figures(Result<Box<Option<FeatureNumbers>>, ErrorText>),
}
