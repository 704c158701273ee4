//! A new folder of the store for files of rows: there with its manifest once it is complete, gone with everything in it else.
//!
//! ```text
//! <home>/datasets/<name in lower case>/<identity>/00000-….parquet …  _manifest.json      training datasets
//! <home>/answers/<name in lower case>/<identity>/…                                             answers to statements
//! ```
//!
//! What must stay true: nobody is told of a folder that is not complete, and whatever fails or is dropped on the way leaves no
//! file. What a killed process left goes with a later one that writes there, after a day.

use std::time::Duration;

use object_store::path::Path;
use uuid::Uuid;

use super::FeatureStore;
use crate::dataset::OutputFormat;
use crate::dataset::row_files::{RowFile, RowFolder};
use crate::model::{DatasetName, Error, Result};

/// How long the end of work that was given up may take.
const FAREWELL: Duration = Duration::from_secs(3);
/// What the place of a folder in a bucket begins with.
pub(super) const BUCKET: &str = "s3://";

/// What the rows of a folder are, and so where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    Dataset,
    Answer,
}

impl RowKind {
    fn folder(self) -> &'static str {
        match self {
            Self::Dataset => "datasets",
            Self::Answer => "answers",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Dataset => "a training dataset in the store",
            Self::Answer => "an answer in the store",
        }
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
    ///
    /// # Errors
    /// `ReadOnly`; `Usage` for another format than Parquet.
    pub(super) async fn create(store: &FeatureStore, kind: RowKind, name: &DatasetName, id: Uuid, format: OutputFormat) -> Result<Self> {
        store.check_writable().map_err(|error| error.within(kind.words()))?;
        if format != OutputFormat::Parquet {
            return Err(Error::usage(format!("{} can't be {format}", kind.words()))
                .why("it is kept as Parquet files")
                .remedy("leave --format out, or name a file with -o"));
        }
        let above = Path::from(format!("{}/{}", store.inner.offline.home_prefix()?, kind.folder()));
        let objects = store.inner.offline.object_store()?;
        match RowFolder::remove_left_behind(&objects, &above).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "folders of processes that were killed are gone"),
            Err(error) => tracing::info!(%error, "folders of processes that were killed could not be looked for"),
        }
        let folder = RowFolder::new(objects, above.join(name.folded()).join(id.to_string()));
        let new = Self { store: store.clone(), folder, is_kept: false };
        let folder = new.folder.clone();
        let (new, opened) = new.uninterrupted(async move { folder.open().await }).await?;
        opened.map(|()| new)
    }

    /// Says what the files are, in words for any reader.
    pub(super) async fn describe(self, manifest: String) -> Result<Self> {
        let folder = self.folder.clone();
        let (mut new, described) = self.uninterrupted(async move { folder.describe(manifest).await }).await?;
        new.unless_failed(described).await?;
        Ok(new)
    }

    /// Does what makes an object. Whoever asked may be dropped before it is there; then the folder goes after it, not before.
    async fn uninterrupted(self, work: impl Future<Output = Result<()>> + Send + 'static) -> Result<(Self, Result<()>)> {
        let task = async move {
            let done = work.await;
            (self, done)
        };
        tokio::spawn(task).await.map_err(|error| Error::internal("writing to the store stopped").source(error))
    }

    /// Lets no more files be added, and removes those that are not to be kept. Returns where the folder lies: a folder of this
    /// machine, or a URL.
    pub(super) async fn close(&self, files: &[RowFile]) -> Result<String> {
        self.folder.close(files).await?;
        self.store.inner.offline.remove_staging(self.folder.path()).await?;
        self.store.place_of(self.folder.path())
    }

    /// Keeps the folder.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Removes the folder if what was done failed.
    pub(super) async fn unless_failed<T>(&mut self, done: Result<T>) -> Result<T> {
        if done.is_err() && !self.is_kept {
            if let Err(error) = remove(&self.store, &self.folder).await {
                tracing::info!(%error, "what came to nothing left files in the store");
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
        // On a runtime of its own, and waited for: the one that worked may be about to end with the process.
        let removing = move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            let removed = runtime.block_on(async { tokio::time::timeout(FAREWELL, remove(&store, &folder)).await });
            if !matches!(removed, Ok(Ok(()))) {
                tracing::warn!(folder = %folder.path(), "what was given up left files in the store");
            }
        };
        // A thread that panicked has no more to say.
        let _ = std::thread::spawn(removing).join();
    }
}

impl FeatureStore {
    /// Where a folder of the store is found by others: a folder of this machine, or a URL.
    fn place_of(&self, folder: &Path) -> Result<String> {
        if self.inner.offline.is_remote() {
            return Ok(format!("{BUCKET}{folder}"));
        }
        let path = self.inner.offline.local()?.file_path(folder)?;
        path.into_os_string()
            .into_string()
            .map_err(|path| Error::invalid(format!("the store's folder '{}' is not UTF-8", path.display())).remedy("move the store"))
    }
}
