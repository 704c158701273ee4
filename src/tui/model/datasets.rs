//! State of the training datasets: the list, what verifying and comparing said, the rows of the one that is open with the cell that is
//! explained; and what is asked of the store for it.

use super::grid::{Grid, Stretch};
use super::list::List;
use super::remote::{ErrorText, Remote};
use crate::tui::units::Micros;

/// What a person has done there.
#[derive(Debug, Default)]
pub(crate) struct DatasetsScreen {
    /// The group, and the feature of it, whose datasets are listed; none lists all.
    pub(crate) of: Option<(String, Option<String>)>,
    /// The datasets, by name, newest version first.
    pub(crate) datasets: Remote<Vec<Dataset>>,
    /// The one under the cursor.
    pub(crate) list: List,
    /// What the manifest of one says, by its reference.
    pub(crate) manifest: Remote<(String, Manifest)>,
    /// References of those to be compared, the first one first.
    pub(crate) marked: Vec<String>,
    /// What verifying or comparing said.
    pub(crate) report: Remote<Report>,
    /// What is verified or compared, in words.
    pub(crate) asked: String,
    /// Records read for it, and of how many.
    pub(crate) progress: (u64, u64),
    /// The one whose rows are shown.
    pub(crate) open: Option<OpenDataset>,
}

/// A dataset whose rows are shown.
#[derive(Debug, Default)]
pub(crate) struct OpenDataset {
    /// `name@version`.
    pub(crate) reference: String,
    /// Its rows.
    pub(crate) grid: Grid,
    /// The cell under the cursor is explained.
    pub(crate) explaining: bool,
    /// Why it is what it is.
    pub(crate) cell: Remote<Explained>,
}

/// A training dataset in a list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dataset {
    /// `name@version`.
    pub(crate) reference: String,
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: u64,
    /// Its rows.
    pub(crate) rows: u64,
    /// When it was built.
    pub(crate) built: Micros,
    /// What it is for.
    pub(crate) description: Option<String>,
    /// Its file.
    pub(crate) path: String,
    /// Hash of its rows.
    pub(crate) hash: String,
    /// Its columns that come from the group or feature asked about.
    pub(crate) columns: Vec<String>,
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manifest {
    /// The files of the spine.
    pub(crate) spine: Vec<String>,
    /// What was read of each group.
    pub(crate) inputs: Vec<Input>,
    /// Columns.
    pub(crate) columns: Vec<Column>,
    /// Seconds the build took.
    pub(crate) seconds: f64,
    /// Files in its folder; none is one file without a folder.
    pub(crate) files: usize,
    /// Size of its file, or of all files.
    pub(crate) bytes: u64,
}

/// A column of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: String,
    /// Its type.
    pub(crate) kind: String,
    /// The feature it comes from, as `group.feature`; none is the spine.
    pub(crate) origin: Option<String>,
}

/// What was read of one group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Input {
    /// The group, and what its use is called.
    pub(crate) name: String,
    /// Features that were taken.
    pub(crate) features: usize,
    /// Rows that found a record.
    pub(crate) matched: u64,
    /// Version of its table.
    pub(crate) version: Option<u64>,
    /// The ttl that was in force.
    pub(crate) ttl: Option<String>,
}

/// What verifying or comparing said, line by line.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Report {
    /// What it is about.
    pub(crate) title: String,
    /// What was found.
    pub(crate) lines: Vec<(Tone, String)>,
}

/// How a line of a report is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Tone {
    Good,
    Bad,
    Plain,
    Heading,
}

/// Why a cell is what it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Explained {
    /// The row, from 0.
    pub(crate) row: u64,
    /// The column.
    pub(crate) column: String,
    /// The feature, as `group.feature`.
    pub(crate) feature: String,
    /// Identifier and time of the row, and what else limits the records.
    pub(crate) asked: String,
    /// The value; none is null.
    pub(crate) value: Option<String>,
    /// Where it comes from, or why there is none.
    pub(crate) why: String,
    /// Records of the identifier, newest first.
    pub(crate) candidates: Vec<Candidate>,
    /// The one that wins.
    pub(crate) winner: Option<usize>,
    /// Records that are not listed.
    pub(crate) left_out: u64,
    /// What is to be known about the answer.
    pub(crate) note: Option<&'static str>,
}

/// A record that could have been the one.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Candidate {
    /// When it was true.
    pub(crate) event_time: Option<Micros>,
    /// Seconds before the row; negative behind it.
    pub(crate) before: Option<f64>,
    /// When it was stored.
    pub(crate) written: Option<Micros>,
    /// Its value; none is null.
    pub(crate) value: Option<String>,
    /// It is a tombstone.
    pub(crate) deleted: bool,
    /// What became of it.
    pub(crate) verdict: &'static str,
    /// Where it lies.
    pub(crate) place: String,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// The datasets.
    List,
    /// Those with features of a group, or with one feature of it.
    Using {
        /// The group.
        group: String,
        /// The feature.
        feature: Option<String>,
    },
    /// The manifest of one.
    Manifest(String),
    /// Rows of one by their place.
    Rows {
        /// The dataset.
        reference: String,
        /// The first row.
        from: u64,
        /// At most so many.
        limit: u64,
    },
    /// Why a cell is what it is.
    Explain {
        /// The dataset.
        reference: String,
        /// The row, from 0.
        row: u64,
        /// The column.
        column: String,
    },
    /// Whether building it again gives the same.
    Verify(String),
    /// What differs between two.
    Compare(String, String),
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The datasets.
    List(Result<Vec<Dataset>, ErrorText>),
    /// A manifest, by its reference.
    Manifest(String, Result<Manifest, ErrorText>),
    /// Rows of a dataset, by its reference.
    Rows(String, Result<Stretch, ErrorText>),
    /// Why a cell is what it is.
    Explained(Result<Explained, ErrorText>),
    /// Records read for a report so far, and of how many.
    Reading(u64, u64),
    /// What verifying or comparing said.
    Report(Result<Report, ErrorText>),
    /// The job failed.
    Failed(ErrorText),
}
