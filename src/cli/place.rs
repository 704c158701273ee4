//! Which store a command works on.

use std::path::PathBuf;

/// The store that was named on the command line, or none.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    folder: Option<PathBuf>,
}

impl Place {
    /// Takes what `--store` said.
    pub(crate) fn new(folder: Option<PathBuf>) -> Place {
        Place { folder }
    }

    /// Returns what `--store` said.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.folder.clone()
    }
}
