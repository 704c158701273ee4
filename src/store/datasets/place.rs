//! Where the rows of a dataset go: a file of this machine with its manifest beside it, or a folder of the store with its manifest in it.
//!
//! ```text
//! <home>/datasets/<name in lower case>/<identity>/00000-00000-….parquet …  _manifest.json
//! ```
//!
//! What must stay true: a folder is complete and has its manifest before anybody is told of it, and is gone with everything in
//! it if the build comes to nothing. What a killed process left goes with a later build, after a day.

use std::path::{Path, PathBuf};
use std::time::Duration;

use object_store::path::Path as ObjectPath;
use uuid::Uuid;

use super::manifest::{ManifestOutput, OutputPart, sidecar};
use crate::dataset::OutputFormat;
use crate::dataset::row_files::{RowFile, RowFolder};
use crate::model::name::nearest_legal;
use crate::model::{DatasetName, Error, Result};
use crate::store::FeatureStore;
use crate::store::output_file::OutputFile;

/// What stands before the name of a folder of the store.
const STORE: &str = "store:";
/// Folder of the datasets, below the store's home.
const FOLDER: &str = "datasets";
/// How long the end of a build that was given up may take.
const FAREWELL: Duration = Duration::from_secs(3);

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

/// A folder of the store that is removed again unless it is kept.
pub(super) struct NewFolder {
    store: FeatureStore,
    pub(super) folder: RowFolder,
    is_kept: bool,
}

impl NewFolder {
    /// Makes a folder and lets files be added. What killed processes left is removed first.
    pub(super) async fn create(store: &FeatureStore, name: &DatasetName, id: Uuid, format: OutputFormat) -> Result<Self> {
        store.check_writable().map_err(|error| error.within("a training dataset in the store"))?;
        if format != OutputFormat::Parquet {
            return Err(Error::usage(format!("a training dataset in the store can't be {format}"))
                .why("it is kept as Parquet files")
                .remedy("leave --format out, or name a file with -o"));
        }
        let above = ObjectPath::from(format!("{}/{FOLDER}", store.inner.offline.home_prefix()?));
        let objects = store.inner.offline.object_store()?;
        match RowFolder::remove_left_behind(&objects, &above).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "folders of builds that were killed are gone"),
            Err(error) => tracing::info!(%error, "folders of builds that were killed could not be looked for"),
        }
        let folder = RowFolder::new(objects, above.join(name.folded()).join(id.to_string()));
        let new = Self { store: store.clone(), folder, is_kept: false };
        new.folder.open().await?;
        Ok(new)
    }

    /// Lets no more files be added, removes those that are not of the dataset, and says what it is made of.
    pub(super) async fn close(&self, files: &[RowFile]) -> Result<ManifestOutput> {
        self.folder.close(files).await?;
        self.store.inner.offline.remove_staging(self.folder.path()).await?;
        let part = |file: &RowFile| OutputPart { name: file.name.clone(), rows: file.rows, bytes: file.bytes };
        Ok(ManifestOutput {
            path: self.store.place_of(self.folder.path())?,
            format: OutputFormat::Parquet.to_string(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            files: files.iter().map(part).collect(),
        })
    }

    /// Keeps the folder.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Removes the folder if what was done failed.
    pub(super) async fn unless_failed<T>(&mut self, done: Result<T>) -> Result<T> {
        if done.is_err() && !self.is_kept {
            if let Err(error) = remove(&self.store, &self.folder).await {
                tracing::info!(%error, "a training dataset that came to nothing left files in the store");
            }
            self.is_kept = true;
        }
        done
    }
}

async fn remove(store: &FeatureStore, folder: &RowFolder) -> Result<()> {
    folder.remove().await?;
    store.inner.offline.remove_staging(folder.path()).await
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let (store, folder) = (self.store.clone(), self.folder.clone());
        // On a runtime of its own, and waited for: the one that built may be about to end with the process.
        let removing = move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            let removed = runtime.block_on(async { tokio::time::timeout(FAREWELL, remove(&store, &folder)).await });
            if !matches!(removed, Ok(Ok(()))) {
                tracing::warn!(folder = %folder.path(), "a training dataset that was given up left files in the store");
            }
        };
        // A thread that panicked has no more to say.
        let _ = std::thread::spawn(removing).join();
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
