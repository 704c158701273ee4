//! Where the rows of a dataset or of an answer go: a file of this machine, or a folder of the store ([`crate::store::new_folder`]).
//!
//! A user says which in one word: `store:NAME` is a folder of the store, anything else the path of a file.

use std::path::{Path, PathBuf};

use super::manifest::{ManifestOutput, OutputPart, sidecar};
use crate::dataset::OutputFormat;
use crate::dataset::row_files::RowFile;
use crate::model::name::nearest_legal;
use crate::model::{DatasetName, Error, Result};
use crate::store::new_folder::NewFolder;
use crate::store::output_file::OutputFile;

/// What stands before the name of a folder of the store.
const STORE: &str = "store:";

/// Where a dataset is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildOutput {
    /// A file of this machine.
    File(PathBuf),
    /// Files in a new folder of the store, below this name.
    Store(DatasetName),
}

impl BuildOutput {
    /// Reads what a user gives: `store:NAME`, or the path of a file.
    ///
    /// # Errors
    /// `Usage` for a name that no dataset can have.
    pub fn parse(text: &Path) -> Result<Self> {
        match text.to_str().and_then(|text| text.strip_prefix(STORE)) {
            None => Ok(Self::File(text.to_owned())),
            Some(name) => Ok(Self::Store(DatasetName::parse(name).map_err(|error| {
                Error::usage(format!("'{}' names no folder of the store", text.display()))
                    .why(error.to_string())
                    .remedy("write it like -o store:churn; a file of that name is ./store:…")
            })?)),
        }
    }

    /// The name of a dataset that was given none.
    pub(super) fn name(&self) -> Result<DatasetName> {
        match self {
            Self::Store(name) => Ok(name.clone()),
            Self::File(target) => {
                let stem = target.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                let name = nearest_legal(&stem).ok_or_else(|| {
                    Error::usage(format!("the file '{}' gives the training dataset no name", target.display()))
                        .remedy("give it one with --name")
                })?;
                DatasetName::parse(&name)
            }
        }
    }
}

/// A place that was made ready, with nothing to be seen there yet.
pub(super) enum Place {
    File(NewFile),
    Folder(NewFolder),
}

/// The hidden files of a build.
pub(super) struct NewFile {
    pub(super) target: PathBuf,
    pub(super) rows: OutputFile,
    pub(super) manifest: OutputFile,
}

impl NewFile {
    pub(super) fn create(target: &Path, format: OutputFormat) -> Result<Self> {
        let target = std::path::absolute(target).map_err(|error| Error::io(format!("can't find '{}'", target.display()), error))?;
        if format == OutputFormat::Table {
            return Err(Error::usage("a training dataset can't be a table").remedy("write parquet, csv, json or jsonl"));
        }
        if !OutputFile::is_replaceable(&target) && !target.is_dir() {
            return Err(Error::usage(format!("'{}' is no file that can be kept", target.display()))
                .remedy("name a file, or stream the rows with -o -"));
        }
        Ok(Self { rows: OutputFile::create(&target)?, manifest: OutputFile::create(&sidecar(&target))?, target })
    }
}

/// What a manifest says of files in a folder that lies there.
pub(super) fn output_in(path: String, files: &[RowFile]) -> ManifestOutput {
    let part = |file: &RowFile| OutputPart { name: file.name.clone(), rows: file.rows, bytes: file.bytes };
    ManifestOutput {
        path,
        format: OutputFormat::Parquet.to_string(),
        bytes: files.iter().map(|file| file.bytes).sum(),
        files: files.iter().map(part).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_of_the_store_is_told_from_a_file() {
        let parsed = |text: &str| BuildOutput::parse(Path::new(text));
        assert_eq!(parsed("store:Churn").unwrap(), BuildOutput::Store(DatasetName::parse("Churn").unwrap()));
        assert_eq!(parsed("./store:churn").unwrap(), BuildOutput::File("./store:churn".into()));
        assert_eq!(parsed("out/train.parquet").unwrap().name().unwrap().as_str(), "train");
        for bad in ["store:", "store:a/b", "store:../x"] {
            assert!(parsed(bad).unwrap_err().to_string().contains("names no folder"), "{bad}");
        }
    }
}
