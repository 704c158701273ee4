//! The whole state of the browser, and nothing but state.
//!
//! Only [`crate::tui::update`] changes it, only [`crate::tui::view`] draws it. No terminal library, database or clock is named in
//! here or in `update` (a test reads the imports), so every behaviour can be tested with plain values.

pub(crate) mod catalog;
pub(crate) mod columns;
pub(crate) mod data;
pub(crate) mod datasets;
pub(crate) mod drawing;
pub(crate) mod edits;
pub(crate) mod export;
pub(crate) mod files;
pub(crate) mod filtered;
pub(crate) mod grid;
pub(crate) mod jobs;
pub(crate) mod key;
pub(crate) mod layer;
pub(crate) mod line;
pub(crate) mod lineage;
pub(crate) mod list;
pub(crate) mod mouse;
pub(crate) mod overview;
pub(crate) mod remote;
pub(crate) mod rows;
pub(crate) mod screens;
pub(crate) mod sql;
pub(crate) mod statistics;
mod waiting;
pub(crate) mod writes;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::FeatureGroup;
use crate::tui::keymap::{Focus, Keymap};
use crate::tui::msg::{Effect, Request, Slot};
use crate::tui::units::{Micros, SECOND};
use data::{DemoProgress, Summary};
use remote::Remote;
use screens::{CatalogScreen, GroupScreen, GroupsScreen, HelpScreen, Screen, Tab, Toast};

/// How long waiting stays invisible: most answers are here before anybody could read a word.
pub(crate) const PATIENCE: Micros = SECOND * 12 / 100;
/// How long a begun sequence of keys waits before the ways on are shown.
pub(crate) const WAYS_AFTER: Micros = SECOND * 2 / 5;
/// How long a frame of the spinner lasts.
pub(crate) const SPINNER_STEP: Micros = SECOND / 10;

/// Everything the browser knows.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// The time, as of the last message.
    pub(crate) now: Micros,
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    /// The store's name in the first line.
    pub(crate) place: String,
    /// Nothing may be changed.
    pub(crate) read_only: bool,
    /// All groups, by name.
    pub(crate) groups: Remote<Vec<Arc<FeatureGroup>>>,
    /// Where those of them come from that a sync brought in.
    pub(crate) origins: data::Origins,
    /// Numbers of groups, by name of the group.
    pub(crate) summaries: BTreeMap<String, Remote<Summary>>,
    /// The screen shown.
    pub(crate) screen: Screen,
    /// The screens that Esc goes back to.
    pub(crate) back: Vec<Screen>,
    /// State of the list of groups.
    pub(crate) groups_screen: GroupsScreen,
    /// State of the list of features.
    pub(crate) catalog_screen: CatalogScreen,
    /// What is known of features besides their definitions.
    pub(crate) known: catalog::Known,
    /// State of the group that is or was open.
    pub(crate) group_screen: GroupScreen,
    /// The graph around a node.
    pub(crate) lineage: lineage::LineageScreen,
    /// Statements and their results.
    pub(crate) sql: sql::SqlScreen,
    /// Training datasets.
    pub(crate) datasets: datasets::DatasetsScreen,
    /// What runs and what ran.
    pub(crate) jobs: jobs::JobsScreen,
    /// The tabs Stats and Drift.
    pub(crate) statistics: statistics::StatisticsPage,
    /// What the tab Overview says beyond the group itself.
    pub(crate) overview: overview::OverviewPage,
    /// The tab Data.
    pub(crate) rows: rows::RowsPage,
    /// The tab Files.
    pub(crate) files: files::FilesPage,
    /// Identifiers looked up in each group, latest first.
    pub(crate) recent: BTreeMap<String, Vec<String>>,
    /// Columns that are not wanted.
    pub(crate) hidden_columns: columns::HiddenColumns,
    /// The help, while it is open.
    pub(crate) help: Option<HelpScreen>,
    /// Messages at the bottom, latest last.
    pub(crate) toasts: Vec<Toast>,
    /// What lies over the screen.
    pub(crate) layer: Option<layer::Layer>,
    /// What every key does.
    pub(crate) keymap: Keymap,
    /// Keys that begin a sequence.
    pub(crate) pressed: Vec<key::Key>,
    /// When the first of them was pressed.
    pub(crate) pressed_at: Micros,
    /// Names of the themes there are.
    pub(crate) themes: Vec<String>,
    /// The one in use.
    pub(crate) theme: String,
    /// True while the mouse is ours.
    pub(crate) mouse: bool,
    /// Nothing moves by itself.
    pub(crate) still: bool,
    /// What was said lately: when, whether it went wrong, what.
    pub(crate) said: Vec<(Micros, bool, String)>,
    /// Edits in place that can be gone back on, latest last.
    pub(crate) written: Vec<edits::Question>,
    /// Screens that Forward goes to, next last.
    pub(crate) ahead: Vec<Screen>,
    /// The last click: when and where.
    pub(crate) clicked: Option<(Micros, u16, u16)>,
    /// Where a click does something: what the last frame drew.
    pub(crate) targets: RefCell<Vec<(mouse::Place, mouse::Target)>>,
    /// Filling the demo.
    pub(crate) demo: Remote<DemoProgress>,
    /// Generation of the question each slot waits for.
    generations: [u64; Slot::COUNT],
    /// Set once the browser shall close.
    pub(crate) quit: bool,
}

impl Model {
    /// A browser that knows nothing yet.
    pub(crate) fn new(place: String, read_only: bool, size: (u16, u16), now: Micros) -> Self {
        Self { now, size, place, read_only, mouse: true, ..Self::default() }
    }

    /// The group that is open, if it still exists.
    pub(crate) fn open_group(&self) -> Option<&Arc<FeatureGroup>> {
        self.group_named(&self.group_screen.name)
    }

    /// The group of that name.
    pub(crate) fn group_named(&self, name: &str) -> Option<&Arc<FeatureGroup>> {
        self.groups.value()?.iter().find(|group| group.name.as_str() == name)
    }

    /// The group under the cursor of the list of groups.
    pub(crate) fn group_under_cursor(&self) -> Option<&Arc<FeatureGroup>> {
        self.groups.value()?.get(self.groups_screen.filtered.selected()?)
    }

    /// Group and place of the feature under the cursor of the list of features.
    pub(crate) fn feature_under_cursor(&self) -> Option<(&Arc<FeatureGroup>, usize)> {
        let screen = &self.catalog_screen;
        screen.shelf.as_ref()?.listing().place(screen.filtered.selected()?)
    }

    /// The numbers of a group, as far as they are known.
    pub(crate) fn summary(&self, group: &str) -> Option<&Summary> {
        self.summaries.get(group).and_then(Remote::value)
    }

    /// True once it is known that the store holds nothing.
    pub(crate) fn is_empty_store(&self) -> bool {
        self.groups.value().is_some_and(Vec::is_empty)
    }

    /// What has the keys.
    pub(crate) fn focus(&self) -> Focus {
        if self.help.is_some() {
            return Focus::Help;
        }
        self.focus_below_help()
    }

    /// What would have the keys if the help were closed; the help is about this.
    pub(crate) fn focus_below_help(&self) -> Focus {
        if self.layer.is_some() { Focus::Layer } else { self.focus_below_layer() }
    }

    /// What has the keys once nothing lies over the screen.
    pub(crate) fn focus_below_layer(&self) -> Focus {
        if self.groups.value().is_none() {
            // What is looked for can be typed before there is anything to look through.
            let typing = match self.screen {
                Screen::Groups => self.groups_screen.filtered.typing,
                Screen::Catalog => self.catalog_screen.filtered.typing,
                _ => false,
            };
            return if typing && self.groups.error().is_none() { Focus::FilterInput } else { Focus::Waiting };
        }
        match self.screen {
            Screen::Groups | Screen::Catalog if self.is_empty_store() => Focus::FirstRun,
            Screen::Groups if self.groups_screen.filtered.typing => Focus::FilterInput,
            Screen::Groups => Focus::Groups,
            Screen::Catalog if self.catalog_screen.filtered.typing => Focus::FilterInput,
            Screen::Catalog if self.catalog_screen.facets.focused => Focus::Facets,
            Screen::Catalog => Focus::Catalog,
            Screen::Lineage => Focus::Lineage,
            Screen::Sql if self.sql.typing => Focus::SqlInput,
            Screen::Sql => Focus::Sql,
            Screen::Datasets if self.datasets.open.is_some() => Focus::Cells,
            Screen::Datasets => Focus::Datasets,
            Screen::Jobs => Focus::Jobs,
            Screen::Group => match self.group_screen.tab {
                Tab::Overview => Focus::Overview,
                Tab::Stats => Focus::Stats,
                Tab::Drift => Focus::Drift,
                Tab::Lineage => Focus::LineageTab,
                Tab::Data if self.rows.typing => Focus::ConditionInput,
                Tab::Data => Focus::Rows,
                Tab::Files => Focus::Files,
                Tab::Datasets if self.datasets.open.is_some() => Focus::Cells,
                Tab::Datasets => Focus::DatasetsTab,
                Tab::Schema if self.group_screen.schema.typing => Focus::FilterInput,
                Tab::Schema => Focus::Schema,
                Tab::Online if self.group_screen.record.typing => Focus::IdentifierInput,
                Tab::Online => Focus::Record,
                Tab::Use => Focus::Use,
            },
        }
    }

    /// Puts a question; the slot forgets any older one.
    pub(crate) fn ask(&mut self, slot: Slot, request: Request) -> Effect {
        let generation = &mut self.generations[slot as usize];
        *generation += 1;
        Effect::Ask(slot, *generation, request)
    }

    /// Makes any answer to the slot's last question come too late.
    pub(crate) fn forget(&mut self, slot: Slot) {
        self.generations[slot as usize] += 1;
    }

    /// True if an answer of that generation is the one waited for.
    pub(crate) fn awaits(&self, slot: Slot, generation: u64) -> bool {
        generation > 0 && self.generations[slot as usize] == generation
    }

    /// When something on the screen changes by itself: the next step of a spinner, the end of a message. None when idle,
    /// and then nothing wakes the process.
    pub(crate) fn next_wake(&self) -> Option<Micros> {
        let spinner = self.waiting_since().filter(|_| !self.still).map(|since| {
            let shown_from = since + PATIENCE;
            if self.now < shown_from { shown_from } else { self.now + SPINNER_STEP }
        });
        let toast = self.toasts.iter().filter_map(|toast| toast.until).min();
        let ways = Some(self.pressed_at + WAYS_AFTER).filter(|at| !self.pressed.is_empty() && *at > self.now);
        [spinner, toast, ways, self.known.due].into_iter().flatten().min()
    }
}
