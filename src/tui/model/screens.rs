//! State of each screen: what a person has done there, never what the store holds.

use super::catalog::{Facets, FeatureName, Shelf, Stock};
use super::data::Found;
use super::filtered::Filtered;
use super::line::Line;
use super::list::List;
use super::remote::Remote;
use crate::model::{Error, Result};
use crate::tui::listing::Order;
use crate::tui::units::Micros;

/// Which screen is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Screen {
    /// All features of all groups, with facets and details.
    #[default]
    Catalog,
    /// All groups.
    Groups,
    /// One group, or one feature of it, with its tabs.
    Group,
    /// The graph around a node.
    Lineage,
    /// Statements and their results.
    Sql,
    /// Training datasets.
    Datasets,
    /// What runs and what ran.
    Jobs,
}

impl Screen {
    /// The screens a key leads to, with the names people give them.
    pub(crate) const NAMED: [(Self, &'static str); 6] = [
        (Self::Catalog, "catalog"),
        (Self::Groups, "groups"),
        (Self::Lineage, "lineage"),
        (Self::Sql, "sql"),
        (Self::Datasets, "datasets"),
        (Self::Jobs, "jobs"),
    ];

    /// The screen of that name.
    ///
    /// # Errors
    /// `Usage` naming those there are.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::NAMED.iter().find(|(_, known)| *known == name).map(|(screen, _)| *screen);
        let names = Self::NAMED.map(|(_, name)| name).join(", ");
        found.ok_or_else(|| Error::usage(format!("no screen '{name}'")).remedy(format!("use one of {names}")))
    }

    /// Its name; none for the page of a group.
    pub(crate) fn name(self) -> Option<&'static str> {
        Self::NAMED.iter().find(|(screen, _)| *screen == self).map(|(_, name)| *name)
    }
}

/// A tab of a group or a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub(crate) enum Tab {
    #[default]
    Overview,
    Schema,
    Stats,
    Drift,
    Lineage,
    Data,
    Online,
    Files,
    Datasets,
    Use,
}

impl Tab {
    /// The tabs in their order, with their titles.
    pub(crate) const ALL: [(Self, &'static str); 10] = [
        (Self::Overview, "Overview"),
        (Self::Schema, "Schema"),
        (Self::Stats, "Stats"),
        (Self::Drift, "Drift"),
        (Self::Lineage, "Lineage"),
        (Self::Data, "Data"),
        (Self::Online, "Online"),
        (Self::Files, "Files"),
        (Self::Datasets, "Datasets"),
        (Self::Use, "Use"),
    ];

    /// The tab that many places further, around the end.
    pub(crate) fn step(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|(tab, _)| *tab == self).unwrap_or(0) as isize;
        let next = (at + by).rem_euclid(Self::ALL.len() as isize) as usize;
        Self::ALL.get(next).map_or(self, |(tab, _)| *tab)
    }
}

/// What a list is sorted by while no filter ranks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub(crate) enum SortBy {
    #[default]
    Name,
    Features,
    Records,
    Newest,
    Owner,
}

impl SortBy {
    /// The column after this one.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Name => Self::Features,
            Self::Features => Self::Records,
            Self::Records => Self::Newest,
            Self::Newest => Self::Owner,
            Self::Owner => Self::Name,
        }
    }
}

/// The list of groups.
#[derive(Debug, Default)]
pub(crate) struct GroupsScreen {
    /// Filter and cursor; rows are places among the groups.
    pub(crate) filtered: Filtered,
    /// Column that sorts.
    pub(crate) sort: SortBy,
    /// True for the other direction than the column's usual one.
    pub(crate) reversed: bool,
}

/// The catalog: all features.
#[derive(Debug, Default)]
pub(crate) struct CatalogScreen {
    /// Filter and cursor; rows are those of the shelf.
    pub(crate) filtered: Filtered,
    /// All features, as soon as the store has told them.
    pub(crate) stock: Option<Stock>,
    /// All features, once they are ready to be searched.
    pub(crate) shelf: Option<Shelf>,
    /// Set if the groups changed since they were gathered.
    pub(crate) gather_due: bool,
    /// Set if something else is known of them since then.
    pub(crate) stand_due: bool,
    /// True while they are being gathered.
    pub(crate) gathering: bool,
    /// Set if the list is to be found again.
    pub(crate) find_due: bool,
    /// Set while the answer that is waited for puts the cursor on the best match.
    pub(crate) to_best: bool,
    /// How many match; more than are shown where words rank them.
    pub(crate) total: usize,
    /// What of the filter could not be answered.
    pub(crate) note: Option<String>,
    /// True if words were taken for misspelt.
    pub(crate) forgiven: bool,
    /// The feature that the cursor is on.
    pub(crate) aim: Option<FeatureName>,
    /// Counts of what is listed.
    pub(crate) facets: Facets,
    /// What orders the list while no words do.
    pub(crate) order: Order,
    /// True for the other direction than the usual one.
    pub(crate) reversed: bool,
}

/// One group.
#[derive(Debug, Default)]
pub(crate) struct GroupScreen {
    /// Its name; the group itself is looked up among those of the store, which may change.
    pub(crate) name: String,
    /// The feature whose page this is; none on the page of the group itself.
    pub(crate) feature: Option<String>,
    /// The tab shown.
    pub(crate) tab: Tab,
    /// Lines scrolled in the overview.
    pub(crate) overview: List,
    /// The schema; rows are places of features.
    pub(crate) schema: Filtered,
    /// The record looked up.
    pub(crate) record: RecordScreen,
    /// The snippet chosen.
    pub(crate) snippets: List,
}

/// A record look-up.
#[derive(Debug, Default)]
pub(crate) struct RecordScreen {
    /// The identifier as typed.
    pub(crate) line: Line,
    /// True while it is being typed.
    pub(crate) typing: bool,
    /// Identifiers on offer.
    pub(crate) offers: Remote<Vec<String>>,
    /// The one chosen among them.
    pub(crate) chosen: Option<usize>,
    /// The answer.
    pub(crate) found: Remote<Found>,
    /// The version shown; the last one is now.
    pub(crate) version: usize,
    /// The feature under the cursor.
    pub(crate) rows: List,
}

/// The help over a screen.
#[derive(Debug, Default)]
pub(crate) struct HelpScreen {
    /// What is searched.
    pub(crate) line: Line,
    /// Cursor and window.
    pub(crate) list: List,
}

/// A short message that leaves by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toast {
    /// What it says.
    pub(crate) text: String,
    /// True for something that went wrong.
    pub(crate) is_error: bool,
    /// When it leaves; an error stays until a key is pressed.
    pub(crate) until: Option<Micros>,
}
