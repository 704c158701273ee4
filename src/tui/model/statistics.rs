//! State of what values look like and how far they drifted: the tabs Stats and Drift; and what is asked of the store for it.

use super::remote::ErrorText;

/// What a person has done there.
#[derive(Debug, Default)]
pub(crate) struct StatisticsPage {}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Question {}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// It could not be had.
    Failed(ErrorText),
}
