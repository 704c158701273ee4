//! State of the tab Overview beyond the group itself: how well it is documented, who reads it, whether it is as expected; and what is asked
//! of the store for it.

use super::data::Saying;
use super::remote::{ErrorText, Remote};
use crate::tui::units::Micros;

/// Days of reads that are shown.
pub(crate) const READ_DAYS: usize = 30;

/// What is known of the group that is open.
#[derive(Debug, Default)]
pub(crate) struct OverviewPage {
    /// The group.
    pub(crate) group: String,
    /// Documentation and usage.
    pub(crate) known: Remote<Known>,
    /// Its expectations, checked in this session, and when.
    pub(crate) checked: Remote<(Micros, Vec<Rule>)>,
}

/// Documentation and usage of a group.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Known {
    /// How well it is documented, from 0 to 1.
    pub(crate) score: f64,
    /// What the score is made of; none is not known.
    pub(crate) parts: Vec<(&'static str, Option<f64>)>,
    /// What to write next, most read first: the feature, or none for the group; and what is missing.
    pub(crate) fix: Vec<(Option<String>, String)>,
    /// Training datasets with features of it.
    pub(crate) datasets: u64,
    /// Reads of each of the last days, the last one today; none while reads aren't recorded.
    pub(crate) reads: Option<Vec<u64>>,
    /// Who read most, with their reads.
    pub(crate) readers: Vec<(String, u64)>,
    /// Where sources say other things than this store: the field, and who says what.
    pub(crate) disagreements: Vec<(String, Vec<Saying>)>,
}

/// One expectation, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    /// The feature; none for the group as a whole.
    pub(crate) feature: Option<String>,
    /// As it is written.
    pub(crate) rule: String,
    /// It holds.
    pub(crate) holds: bool,
    /// Rows that break it, of how many.
    pub(crate) broken: (u64, u64),
    /// More of it in words.
    pub(crate) detail: Option<String>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// Documentation and usage of a group.
    Known(String),
    /// Whether a group is as expected.
    Check(String),
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Documentation and usage.
    Known(Result<Known, ErrorText>),
    /// Its expectations.
    Checked(Result<Vec<Rule>, ErrorText>),
}
