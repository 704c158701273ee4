//! State of what runs and what ran; and what is asked of the store for it.

use super::remote::ErrorText;

/// What a person has done there.
#[derive(Debug, Default)]
pub(crate) struct JobsScreen {}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Question {}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// It could not be had.
    Failed(ErrorText),
}
