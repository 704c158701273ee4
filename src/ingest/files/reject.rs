//! Rows that can't be loaded: where each stands, what is wrong with it, and the file that collects them.
//!
//! A rejects file is JSON lines, one object a row: `{"file","line"|"row_number","field","reason","row"}`. Text files
//! count lines (the header is line 1, a quoted line break counts), Parquet files count rows from 1. `row`
//! holds the fields as they stood in the input, so that the file can be mended and loaded again.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json};

use crate::model::{Error, Result};

/// Where a row stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Line of a text file on which the row begins.
    Line(u64),
    /// Row of a Parquet file, from 1.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// A row that can't be loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejected {
    /// Where it stands.
    pub place: Place,
    /// The column at fault; none if the row as a whole can't be read.
    pub field: Option<String>,
    /// What is wrong.
    pub reason: String,
    /// Its fields by name, or its text where it has none.
    pub row: Json,
    /// True if it is to be set aside without a word of failure.
    pub quarantined: bool,
}

impl Rejected {
    /// The error that stops a load at this row.
    pub fn to_error(&self, file: &str) -> Error {
        let what = match &self.field {
            Some(field) => format!("{file}, {}, '{field}': {}", self.place, self.reason),
            None => format!("{file}, {}: {}", self.place, self.reason),
        };
        Error::invalid(what).remedy("mend the row, or leave bad rows out with --on-error skip --rejects FILE; nothing was loaded")
    }

    pub(crate) fn to_json(&self, file: &str) -> Json {
        let mut object = Map::new();
        object.insert("file".into(), file.into());
        match self.place {
            Place::Line(line) => object.insert("line".into(), line.into()),
            Place::Row(row) => object.insert("row_number".into(), row.into()),
        };
        object.insert("field".into(), self.field.clone().map_or(Json::Null, Json::String));
        object.insert("reason".into(), self.reason.clone().into());
        object.insert("row".into(), self.row.clone());
        Json::Object(object)
    }
}

/// The rejects file of a load.
pub struct RejectsFile {
    path: PathBuf,
    out: BufWriter<File>,
    written: u64,
}

impl RejectsFile {
    /// Makes the file anew; one that exists already is refused unless it is empty, since it may hold rows of another load.
    pub fn create(path: &Path) -> Result<Self> {
        let unwritable = |error| Error::io(format!("can't write rejects file '{}'", path.display()), error);
        let file = OpenOptions::new().append(false).write(true).create(true).truncate(false).open(path).map_err(unwritable)?;
        let metadata = file.metadata().map_err(unwritable)?;
        if metadata.is_file() && metadata.len() > 0 {
            return Err(Error::new(crate::model::ErrorKind::AlreadyExists, format!("rejects file '{}' is not empty", path.display()))
                .remedy("name another file, or move that one away"));
        }
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file), written: 0 })
    }

    /// Takes up a file at the length it had at a mark of the load; what was written after the mark is cut off.
    pub fn resume(path: &Path, length: u64) -> Result<Self> {
        let unwritable = |error| Error::io(format!("can't write rejects file '{}'", path.display()), error);
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(unwritable)?;
        let metadata = file.metadata().map_err(unwritable)?;
        if metadata.is_file() {
            if metadata.len() < length {
                return Err(Error::invalid(format!("rejects file '{}' lost rows since the load was interrupted", path.display()))
                    .remedy("put it back, or start the load again with --rejects naming another file"));
            }
            file.set_len(length).map_err(unwritable)?;
            file.seek(SeekFrom::Start(length)).map_err(unwritable)?;
        }
        Ok(Self { path: path.to_owned(), out: BufWriter::new(file), written: length })
    }

    /// Appends one row.
    pub fn write(&mut self, file: &str, rejected: &Rejected) -> Result<()> {
        let mut line = rejected.to_json(file).to_string();
        line.push('\n');
        self.written += line.len() as u64;
        self.out.write_all(line.as_bytes()).map_err(|error| self.unwritable(error))
    }

    /// Makes what was written durable and returns the file's length.
    pub fn sync(&mut self) -> Result<u64> {
        self.out.flush().map_err(|error| self.unwritable(error))?;
        // A pipe or /dev/stdout has nothing to sync.
        if self.out.get_ref().metadata().is_ok_and(|metadata| metadata.is_file()) {
            self.out.get_ref().sync_data().map_err(|error| self.unwritable(error))?;
        }
        Ok(self.written)
    }

    fn unwritable(&self, error: std::io::Error) -> Error {
        Error::io(format!("can't write rejects file '{}'", self.path.display()), error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rejected(line: u64) -> Rejected {
        Rejected {
            place: Place::Line(line),
            field: Some("x".into()),
            reason: "'a' is no number".into(),
            row: serde_json::json!({"x": "a"}),
            quarantined: false,
        }
    }

    #[test]
    fn names_file_line_field_and_reason() {
        let error = rejected(7).to_error("a.csv").to_string();
        assert!(error.starts_with("a.csv, line 7, 'x': 'a' is no number"), "{error}");
    }

    #[test]
    fn resuming_cuts_off_what_came_after_the_mark() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.jsonl");
        let mut file = RejectsFile::create(&path).unwrap();
        file.write("a.csv", &rejected(2)).unwrap();
        let mark = file.sync().unwrap();
        file.write("a.csv", &rejected(3)).unwrap();
        drop(file);
        assert!(RejectsFile::create(&path).is_err());
        let mut file = RejectsFile::resume(&path, mark).unwrap();
        file.write("a.csv", &rejected(4)).unwrap();
        file.sync().unwrap();
        let lines: Vec<serde_json::Value> =
            std::fs::read_to_string(&path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.iter().map(|line| line["line"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(lines[0]["row"]["x"], "a");
        std::fs::write(&path, "").unwrap();
        assert!(RejectsFile::resume(&path, mark).is_err());
    }
}
