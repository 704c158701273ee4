//! Records written by hand: a form with a field for each feature, and what is asked of the store for it.
//!
//! Nothing is written before what would change was seen and taken. An empty field is null, as a feature left out of a put is; `""` is the
//! empty text.

use super::line::Line;
use super::list::List;
use super::remote::ErrorText;

/// A record under edit, or one that is about to be deleted.
#[derive(Debug)]
pub(crate) struct RecordForm {
    /// The group.
    pub(crate) group: String,
    /// What is done with it.
    pub(crate) act: Act,
    /// The fields.
    pub(crate) fields: Vec<Field>,
    /// The field that has the caret.
    pub(crate) list: List,
    /// What would change is shown, to be taken or not.
    pub(crate) confirming: bool,
    /// It is being written.
    pub(crate) sent: bool,
    /// What is wrong.
    pub(crate) complaint: Option<String>,
}

/// What is done with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// It is put; the place of the field of its identifier.
    Put(usize),
    /// It is deleted; its identifier must be typed.
    Delete(String),
}

/// One field.
#[derive(Debug)]
pub(crate) struct Field {
    /// The feature, or what is asked.
    pub(crate) name: String,
    /// Its type, or how it is written.
    pub(crate) kind: String,
    /// What is typed.
    pub(crate) line: Line,
    /// The value online now, as it is typed.
    pub(crate) before: String,
    /// It is one of the keys of the group.
    pub(crate) is_key: bool,
}

impl RecordForm {
    /// Fields whose text is not what was there before.
    pub(crate) fn changed(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.line.text() != field.before)
    }

    /// The text of a field.
    pub(crate) fn text(&self, place: usize) -> &str {
        self.fields.get(place).map_or("", |field| field.line.text())
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// To put a record.
    Put {
        /// The group.
        group: String,
        /// Its identifier.
        identifier: String,
        /// Features with their values as typed.
        values: Vec<(String, String)>,
    },
    /// To delete one.
    Delete {
        /// The group.
        group: String,
        /// Its identifier.
        identifier: String,
        /// As of then.
        event_time: String,
        /// The row online is removed, no tombstone stays.
        hard: bool,
    },
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// It is written: whose record, and what to say of it.
    Done(String, String),
    /// Nothing was.
    Failed(ErrorText),
}
