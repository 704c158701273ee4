//! What happened ([`Msg`]) and what is to be done about it ([`Effect`]).
//!
//! The update turns one into the other and does nothing itself. Every job carries a slot and a generation: a slot holds one
//! question at a time, asking again raises its generation, and an answer of an older generation is dropped when it arrives.

use std::sync::Arc;

use crate::model::FeatureGroup;
use crate::tui::listing::Listing;
use crate::tui::model::data::{DemoProgress, Found, Origins, Summary};
use crate::tui::model::key::Key;
use crate::tui::model::mouse::Mouse;
use crate::tui::model::remote::ErrorText;
use crate::tui::model::{catalog, datasets, edits, files, jobs, lineage, overview, rows, sql, statistics, writes};

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) enum Msg {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted; never read as keys.
    Paste(String),
    /// Something was done with the mouse.
    Mouse(Mouse),
    /// The terminal has this many columns and rows.
    Resize(u16, u16),
    /// The terminal came to the front.
    FocusGained,
    /// The moment came that [`crate::tui::model::Model::next_wake`] asked for.
    Wake,
    /// Somebody changed the store.
    Changed,
    /// A job brings something.
    News(Slot, u64, News),
}

/// A place for one question at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub(crate) enum Slot {
    Groups,
    Summaries,
    Identifiers,
    Record,
    Demo,
    Lineage,
    Sql,
    Datasets,
    Jobs,
    Statistics,
    Edits,
    Drift,
    Days,
    Breaks,
    Manifest,
    Flush,
    Export,
    Evidence,
    Figures,
    Rows,
    Files,
    DatasetRows,
    Cell,
    Check,
    Write,
    Baselines,
    Pin,
    Overview,
    Expectations,
    Gather,
    Find,
}

impl Slot {
    /// How many there are.
    pub(crate) const COUNT: usize = 31;

    /// True if its jobs write: asking again doesn't stop one, and it ends at its next safe place when it is told to stop.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Demo | Self::Flush | Self::Edits | Self::Write | Self::Pin)
    }
}

/// Numbers of the group of that name, or why there are none.
pub(crate) type NamedSummary = (String, Result<Summary, ErrorText>);

/// What a job brings. A job may bring several; the last of them ends it.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// All groups with their features, and where those come from that are not of this store.
    Groups(Result<(Arc<Listing>, Origins), ErrorText>),
    /// Numbers of groups, by name of the group.
    Summaries(Result<Vec<NamedSummary>, ErrorText>),
    /// Identifiers that begin with what was typed.
    Identifiers(Result<Vec<String>, ErrorText>),
    /// A record.
    Record(Result<Found, ErrorText>),
    /// The demo is being made.
    DemoProgress(DemoProgress),
    /// The demo is complete, or failed.
    DemoDone(Result<(), ErrorText>),
    /// Of the graph around a node.
    Lineage(lineage::Answer),
    /// Of statements and their results.
    Sql(sql::Answer),
    /// Of training datasets.
    Datasets(datasets::Answer),
    /// Of what runs and what ran.
    Jobs(jobs::Answer),
    /// Of what values look like and how far they drifted.
    Statistics(statistics::Answer),
    /// Of edits in place.
    Edits(edits::Answer),
    /// Of what is known of features.
    Catalog(catalog::Answer),
    /// Of rows of a history.
    Rows(rows::Answer),
    /// Of the files of a history.
    Files(files::Answer),
    /// Of records written by hand.
    Writes(writes::Answer),
    /// Of documentation, usage and expectations of a group.
    Overview(overview::Answer),
}

/// A question to the store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    /// All groups.
    Groups,
    /// Numbers of these groups.
    Summaries(Vec<Arc<FeatureGroup>>),
    /// Some identifiers of a group that begin so.
    Identifiers {
        /// The group.
        group: String,
        /// What was typed.
        prefix: String,
    },
    /// A record with its history.
    Record {
        /// The group.
        group: String,
        /// The record identifier.
        identifier: String,
    },
    /// Fill the store with the demo.
    FillDemo,
    /// About the graph around a node.
    Lineage(lineage::Question),
    /// About statements and their results.
    Sql(sql::Question),
    /// About training datasets.
    Datasets(datasets::Question),
    /// About what runs and what ran.
    Jobs(jobs::Question),
    /// About what values look like and how far they drifted.
    Statistics(statistics::Question),
    /// To write an edit in place.
    Edits(edits::Question),
    /// About what is known of features.
    Catalog(catalog::Question),
    /// About rows of a history.
    Rows(rows::Question),
    /// About the files of a history.
    Files(files::Question),
    /// To write a record by hand.
    Writes(writes::Question),
    /// About documentation, usage and expectations of a group.
    Overview(overview::Question),
}

/// Something to do outside of the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Ask the store; replaces what the slot was asked before.
    Ask(Slot, u64, Request),
    /// Stop the job of a slot at a safe place.
    Stop(Slot),
    /// Hand text to the terminal's clipboard.
    Copy(String),
    /// Go back to the shell until it wakes us.
    Suspend,
    /// Draw every cell again.
    Redraw,
    /// Take the mouse, or give it to the terminal.
    Mouse(bool),
}
