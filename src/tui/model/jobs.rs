//! State of the jobs: what runs and what ran; and what is asked of the store for it.

use super::list::List;
use super::remote::{ErrorText, Remote};
use crate::tui::units::Micros;

/// What a person has done there.
#[derive(Debug, Default)]
pub(crate) struct JobsScreen {
    /// The runs, latest first.
    pub(crate) runs: Remote<Vec<Run>>,
    /// The run under the cursor.
    pub(crate) list: List,
    /// When a flush was started from here; none while none runs.
    pub(crate) flushing: Option<Micros>,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Run {
    /// Its identity.
    pub(crate) id: String,
    /// What it does.
    pub(crate) kind: &'static str,
    /// The group it works on.
    pub(crate) group: Option<String>,
    /// Where it stands: running, done, failed, interrupted.
    pub(crate) state: &'static str,
    /// Rows seen, taken and refused.
    pub(crate) rows: (u64, u64, u64),
    /// When it began.
    pub(crate) started: Micros,
    /// When it last moved, or ended.
    pub(crate) updated: Micros,
    /// What it has to say.
    pub(crate) message: Option<String>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// The runs.
    Runs,
    /// Move what waits in the outboxes into files.
    Flush,
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// The runs.
    Runs(Result<Vec<Run>, ErrorText>),
    /// Rows and files of the flush.
    Flushed(Result<(u64, u64), ErrorText>),
    /// The job failed.
    Failed(ErrorText),
}
