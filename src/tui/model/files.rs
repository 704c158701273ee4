//! State of the tab Files: the files in which a history lies; and what is asked of the store for it.

use super::list::List;
use super::remote::{ErrorText, Remote};
use crate::tui::units::Micros;

/// What a person has done there.
#[derive(Debug, Default)]
pub(crate) struct FilesPage {
    /// The group the files are of.
    pub(crate) group: String,
    /// The files.
    pub(crate) files: Remote<Files>,
    /// The file under the cursor.
    pub(crate) list: List,
    /// What orders them.
    pub(crate) by: By,
    /// True for the other direction.
    pub(crate) reversed: bool,
}

/// What files are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub(crate) enum By {
    /// As their rows were committed, the newest first.
    #[default]
    Commit,
    Rows,
    Bytes,
    EventTime,
    Identifier,
}

impl By {
    /// The one after this.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Commit => Self::Rows,
            Self::Rows => Self::Bytes,
            Self::Bytes => Self::EventTime,
            Self::EventTime => Self::Identifier,
            Self::Identifier => Self::Commit,
        }
    }
}

/// The files of a group.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Files {
    /// Version of the table; none where no table is kept.
    pub(crate) version: Option<u64>,
    /// The files, in the order shown.
    pub(crate) files: Vec<File>,
    /// Rows in no file yet.
    pub(crate) waiting: u64,
    /// Files that a compaction would merge.
    pub(crate) to_compact: usize,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct File {
    /// Its place in the order of commits.
    pub(crate) place: usize,
    /// Where it lies.
    pub(crate) name: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// Its rows, if known.
    pub(crate) rows: Option<u64>,
    /// Earliest and latest event time, if known.
    pub(crate) times: Option<(Micros, Micros)>,
    /// Least and greatest identifier, if known.
    pub(crate) identifiers: Option<(String, String)>,
    /// The version of the table that added it, if known.
    pub(crate) version: Option<u64>,
    /// When it was written, if known.
    pub(crate) written: Option<Micros>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// The files of a group.
    Of(String),
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The files, or why there are none.
    Of(Result<Files, ErrorText>),
}
