//! Rows that were set aside because they are not what is expected: JSON lines in one file a group, `quarantine/<group>.jsonl`.
//!
//! Lines are appended, each in one write, so that several processes may set rows aside at once. A load that was interrupted may
//! tell rows twice; each line names its load, file and row. Nothing reads the file but people.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::model::{Error, Result};

/// The quarantine of a group, opened by the first row.
pub struct Quarantine {
    path: PathBuf,
    source: String,
    file: Option<File>,
    rows: u64,
}

impl Quarantine {
    /// The quarantine at a path; `source` says in every line what brought the row.
    pub fn new(path: &Path, source: &str) -> Self {
        Self { path: path.to_owned(), source: source.to_owned(), file: None, rows: 0 }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Rows set aside so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Sets a row aside.
    pub fn set_aside(&mut self, row: &Json) -> Result<()> {
        let mut row = row.clone();
        if let Json::Object(fields) = &mut row {
            fields.insert("source".to_owned(), Json::String(self.source.clone()));
        }
        let line = format!("{row}\n");
        let written = self.open().and_then(|mut file| file.write_all(line.as_bytes()));
        written.map_err(|error| self.unwritable(error))?;
        self.rows += 1;
        Ok(())
    }

    /// Makes what was set aside durable.
    pub fn sync(&mut self) -> Result<()> {
        match &self.file {
            None => Ok(()),
            Some(file) => file.sync_data().map_err(|error| self.unwritable(error)),
        }
    }

    fn open(&mut self) -> std::io::Result<&File> {
        if self.file.is_none() {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            self.file = Some(OpenOptions::new().append(true).create(true).open(&self.path)?);
        }
        self.file.as_ref().ok_or_else(|| std::io::Error::other("the file was not opened"))
    }

    fn unwritable(&self, error: std::io::Error) -> Error {
        Error::io(format!("can't set rows aside in '{}'", self.path.display()), error)
    }
}
