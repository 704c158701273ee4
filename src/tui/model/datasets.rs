//! State of the training datasets; and what is asked of the store for them.

use super::list::List;
use super::remote::{ErrorText, Remote};
use crate::tui::units::Micros;

/// What a person has done there.
#[derive(Debug, Default)]
pub(crate) struct DatasetsScreen {
    /// The datasets, by name, newest version first.
    pub(crate) datasets: Remote<Vec<Dataset>>,
    /// The one under the cursor.
    pub(crate) list: List,
    /// What the manifest of one says, by its reference.
    pub(crate) manifest: Remote<(String, Manifest)>,
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
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Manifest {
    /// The files of the spine.
    pub(crate) spine: Vec<String>,
    /// What was read of each group.
    pub(crate) inputs: Vec<Input>,
    /// Columns with their types.
    pub(crate) columns: Vec<(String, String)>,
    /// Seconds the build took.
    pub(crate) seconds: f64,
    /// Size of its file.
    pub(crate) bytes: u64,
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

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// The datasets.
    List,
    /// The manifest of one.
    Manifest(String),
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The datasets.
    List(Result<Vec<Dataset>, ErrorText>),
    /// A manifest, by its reference.
    Manifest(String, Result<Manifest, ErrorText>),
    /// The job failed.
    Failed(ErrorText),
}
