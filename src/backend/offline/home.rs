//! Where the objects lie, in a folder of this machine or in a bucket, and the bytes of a data file from either.

use std::fs::File;
use std::io::Read;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::Handle;

use super::durable::DurableLocal;
use super::remote::RemoteObjects;
use crate::model::{Error, Result};

/// Bytes fetched at once where a reader goes through a column.
const WINDOW: u64 = 256 << 10;
/// Windows kept of one file: at least one for each column of most groups.
const WINDOWS: usize = 64;

/// The objects of an offline store.
#[derive(Debug, Clone)]
pub(crate) enum Home {
    /// In a folder.
    Local(Arc<DurableLocal>),
    /// In a bucket.
    Remote(Arc<RemoteObjects>),
}

impl Deref for Home {
    type Target = dyn ObjectStore;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Local(local) => local.as_ref(),
            Self::Remote(remote) => remote.as_ref(),
        }
    }
}

impl AsRef<dyn ObjectStore> for Home {
    fn as_ref(&self) -> &(dyn ObjectStore + 'static) {
        self.deref()
    }
}

impl Home {
    pub(crate) fn store(&self) -> Arc<dyn ObjectStore> {
        match self {
            Self::Local(local) => local.clone(),
            Self::Remote(remote) => remote.clone(),
        }
    }

    pub(crate) fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    /// Makes durable what is visible; in a bucket it is.
    pub(crate) async fn sync_folder(&self, location: &Path) -> Result<()> {
        match self {
            Self::Local(local) => local.sync_folder(location).await,
            Self::Remote(_) => Ok(()),
        }
    }

    /// Removes what interrupted writes left. A bucket keeps unfinished uploads unseen, until its lifecycle rule ends them.
    pub(crate) async fn remove_staging(&self, location: &Path, older_than: Duration) -> Result<usize> {
        match self {
            Self::Local(local) => local.remove_staging(location, older_than).await,
            Self::Remote(_) => Ok(0),
        }
    }

    /// The bytes of a data file of `size` bytes, for threads that may block. A remote one is first asked for when it is read.
    pub(crate) fn open_file(&self, location: &Path, size: u64, runtime: Option<&Handle>) -> Result<FileBytes> {
        match self {
            Self::Local(local) => {
                let path: PathBuf = local.file_path(location)?;
                let file = File::open(&path).map_err(|error| Error::io(format!("can't open {}", path.display()), error))?;
                Ok(FileBytes::Local(file))
            }
            Self::Remote(remote) => {
                let runtime = runtime.cloned().or_else(|| Handle::try_current().ok());
                let runtime = runtime.ok_or_else(|| Error::internal("a file of a bucket is read outside the runtime"))?;
                // Such a reader goes through the whole file once: what is read again should not make room for it.
                let store: Arc<dyn ObjectStore> = Arc::new(remote.as_ref().clone().with_cache(None));
                Ok(FileBytes::Remote(RemoteFile { store, location: location.clone(), size, runtime, windows: Mutex::default() }))
            }
        }
    }
}

/// A data file from either place.
pub(crate) enum FileBytes {
    /// On this machine.
    Local(File),
    /// In a bucket.
    Remote(RemoteFile),
}

/// A file in a bucket, read in windows.
pub(crate) struct RemoteFile {
    store: Arc<dyn ObjectStore>,
    location: Path,
    size: u64,
    runtime: Handle,
    /// What was fetched last, oldest first.
    windows: Mutex<Vec<(u64, Bytes)>>,
}

impl RemoteFile {
    /// At least `length` bytes from `start`, unless the file ends before.
    fn bytes_from(&self, start: u64, length: u64) -> ParquetResult<Bytes> {
        let end = start.saturating_add(length).min(self.size);
        let lock = || self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let held = lock().iter().find(|(from, bytes)| *from <= start && end <= from + bytes.len() as u64).cloned();
        if let Some((from, bytes)) = held {
            return Ok(bytes.slice((start - from) as usize..));
        }
        let range = start..start.saturating_add(length.max(WINDOW)).min(self.size);
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let fetched = self.runtime.block_on(self.store.get_range(&self.location, range));
        let fetched = fetched.map_err(|error| ParquetError::External(Box::new(error)))?;
        let mut windows = lock();
        if windows.len() >= WINDOWS {
            windows.remove(0);
        }
        windows.push((start, fetched.clone()));
        Ok(fetched)
    }
}

impl Length for FileBytes {
    fn len(&self) -> u64 {
        match self {
            Self::Local(file) => Length::len(file),
            Self::Remote(remote) => remote.size,
        }
    }
}

impl ChunkReader for FileBytes {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(match self {
            Self::Local(file) => Box::new(file.get_read(start)?),
            Self::Remote(remote) => Box::new(remote.bytes_from(start, 1)?.reader()),
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self {
            Self::Local(file) => file.get_bytes(start, length),
            Self::Remote(remote) => {
                let bytes = remote.bytes_from(start, length as u64)?;
                if bytes.len() < length {
                    return Err(ParquetError::EOF(format!("{} ends before byte {}", remote.location, start + length as u64)));
                }
                Ok(bytes.slice(..length))
            }
        }
    }
}
