//! Edits of what is written about groups and features, and the way back from each.

use std::collections::BTreeMap;

use super::remote::ErrorText;

/// A change of what is written about something. Applying it again with what was there before is its undo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The group.
    pub(crate) group: String,
    /// The feature; none for the group itself.
    pub(crate) feature: Option<String>,
    /// What is written.
    pub(crate) written: Written,
}

/// What is written about something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// Its description; none removes it.
    Description(Option<String>),
    /// All of its tags, or of the parameters of a feature.
    Tags(BTreeMap<String, String>),
    /// Its owner; none removes it.
    Owner(Option<String>),
}

impl Edit {
    /// What the edit is about, in words.
    pub(crate) fn subject(&self) -> String {
        let what = match (&self.written, &self.feature) {
            (Written::Description(_), _) => "description",
            (Written::Tags(_), None) => "tags",
            (Written::Tags(_), Some(_)) => "parameters",
            (Written::Owner(_), _) => "owner",
        };
        match &self.feature {
            Some(feature) => format!("{what} of {}.{feature}", self.group),
            None => format!("{what} of {}", self.group),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// The change.
    pub(crate) edit: Edit,
    /// What was there before: only what differs from it is written, so that what somebody else wrote meanwhile stays.
    pub(crate) before: Written,
    /// It goes back on an earlier one.
    pub(crate) undoes: bool,
    /// What was noted here of a group that a source tells of, before anything of this was written: the way back takes away any other note.
    pub(crate) noted: Vec<String>,
}

impl Question {
    /// The way back.
    pub(crate) fn undone(&self) -> Self {
        let edit = Edit { written: self.before.clone(), ..self.edit.clone() };
        Self { edit, before: self.edit.written.clone(), undoes: true, noted: self.noted.clone() }
    }
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// It is written.
    Done(Question),
    /// It could not be.
    Failed(ErrorText),
}
