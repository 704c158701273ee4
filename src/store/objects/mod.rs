//! Objects: the files below `<store>/s3` as S3 has them, with buckets, keys, ETags, checksums and uploads in parts.
//!
//! ```text
//! s3://bucket/key  ->  <store>/s3/bucket/key        identical for the names that groups use; [`name`] tells the rest
//! attributes       ->  an extended attribute of the same file, so that bytes and attributes change in one rename
//! being written    ->  <store>/s3/.uploads/…        no bucket can be called so; renamed when complete and safe
//! ```
//!
//! What must stay true: an object that can be seen is complete, and was on the disk before the call that wrote it
//! returned; a file is never changed in place, so that a reader keeps the version it opened; no key leaves its bucket.
//! What others put into the folder (the offline store, a copy by hand) is an object too, with an ETag made of its
//! age and size. One thing S3 allows is refused: a key that is the folder of another (`a` beside `a/b`).
//!
//! All functions block: they are for threads that may.

mod attributes;
mod checksum;
mod fault;
mod listing;
mod name;
mod parts;
mod read;
mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

pub use attributes::{ObjectAttributes, ObjectInfo};
pub use checksum::{Checksum, ChecksumAlgorithm, ChecksumKind, Checksummer};
pub use fault::{ObjectError, ObjectResult, Refusal};
pub use listing::{ListEntry, ListRequest, Listing};
pub use name::{Bucket, ObjectKey};
pub use parts::{CompletedPart, PartInfo, UploadId, UploadInfo};
pub use read::OpenObject;
pub use write::{Expected, ObjectWriter, WriteCondition};

use super::FeatureStore;
use crate::backend::offline::DurableLocal;
use crate::model::{Error, Result};

/// Folder of what is being written.
const UPLOADS: &str = ".uploads";
/// Uploads that nobody touched for so long are taken away.
const UPLOADS_KEPT: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Locks that keys share.
const LOCKS: usize = 64;

/// What all handles of a store's objects share.
#[derive(Default)]
pub(super) struct ObjectLocks {
    locks: Vec<Mutex<()>>,
    is_tidied: std::sync::atomic::AtomicBool,
}

impl ObjectLocks {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { locks: (0..LOCKS).map(|_| Mutex::new(())).collect(), ..Self::default() })
    }
}

/// A bucket in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketInfo {
    /// Its name.
    pub bucket: Bucket,
    /// When its folder was made, as far as the disk tells.
    pub created: SystemTime,
}

/// The objects of a store. Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    store: FeatureStore,
    root: PathBuf,
    locks: Arc<ObjectLocks>,
}

impl FeatureStore {
    /// The objects below the store's `s3` folder.
    pub fn objects(&self) -> Objects {
        Objects { store: self.clone(), root: self.inner.offline.root().to_owned(), locks: self.inner.objects.clone() }
    }
}

impl Objects {
    /// All buckets, by name.
    pub fn buckets(&self) -> Result<Vec<BucketInfo>> {
        let fault = |error| Error::io(format!("can't read the folder {}", self.root.display()), error);
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(fault)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(fault)?;
            let Some(bucket) = entry.file_name().to_str().and_then(|name| Bucket::parse(name).ok()) else { continue };
            if let Ok(metadata) = fs::metadata(entry.path())
                && metadata.is_dir()
            {
                let created = metadata.created().or_else(|_| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
                found.push(BucketInfo { bucket, created });
            }
        }
        found.sort_by(|a, b| a.bucket.cmp(&b.bucket));
        Ok(found)
    }

    /// Whether there is such a bucket.
    pub fn has_bucket(&self, bucket: &Bucket) -> bool {
        self.bucket_folder(bucket).is_dir()
    }

    /// Makes a bucket; returns false if it was there.
    pub fn create_bucket(&self, bucket: &Bucket) -> Result<bool> {
        self.store.check_writable()?;
        let folder = self.bucket_folder(bucket);
        if folder.is_dir() {
            return Ok(false);
        }
        self.settle(&folder)?;
        Ok(true)
    }

    /// Removes an empty bucket.
    ///
    /// # Errors
    /// `NoSuchBucket`, `BucketNotEmpty`.
    pub fn delete_bucket(&self, bucket: &Bucket) -> ObjectResult<()> {
        self.store.check_writable()?;
        self.check_bucket(bucket)?;
        let folder = self.bucket_folder(bucket);
        if !remove_empty(&folder)? {
            return Err(Refusal::BucketNotEmpty.because(format!("the bucket '{bucket}' still holds objects")));
        }
        sync_parent(&folder)?;
        Ok(())
    }

    /// Removes an object; removing what isn't there is the same as having removed it.
    pub fn delete(&self, bucket: &Bucket, key: &ObjectKey) -> ObjectResult<()> {
        self.store.check_writable()?;
        self.check_bucket(bucket)?;
        // A key that no file can have is the key of no object.
        let Ok(path) = self.path(bucket, key) else { return Ok(()) };
        let _lock = self.lock(&path);
        if path.is_dir() {
            return Ok(());
        }
        match fs::remove_file(&path) {
            Ok(()) => Ok(sync_parent(&path)?),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(Error::io(format!("can't remove {}", path.display()), error).into()),
        }
    }

    fn bucket_folder(&self, bucket: &Bucket) -> PathBuf {
        self.root.join(bucket.as_str())
    }

    fn check_bucket(&self, bucket: &Bucket) -> ObjectResult<()> {
        if self.has_bucket(bucket) {
            return Ok(());
        }
        Err(Refusal::NoSuchBucket.because(format!("there is no bucket '{bucket}'")))
    }

    fn path(&self, bucket: &Bucket, key: &ObjectKey) -> ObjectResult<PathBuf> {
        Ok(self.bucket_folder(bucket).join(key.relative_path()?))
    }

    /// Held while an object is checked and replaced. Keys may share one; nobody holds two.
    fn lock(&self, path: &Path) -> MutexGuard<'_, ()> {
        let hash = xxhash_rust::xxh3::xxh3_64(path.as_os_str().as_encoded_bytes());
        // There are as many locks as `new` made; the remainder is always one of them.
        self.locks.locks[(hash % LOCKS as u64) as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a folder, and its chain up to the root safe.
    fn settle(&self, folder: &Path) -> Result<()> {
        let disk: Arc<DurableLocal> = self.store.inner.offline.local()?;
        disk.settle(folder).map_err(|error| Error::io(format!("can't make the folder {}", folder.display()), error))
    }

    fn uploads(&self) -> PathBuf {
        self.root.join(UPLOADS)
    }

    /// The folder for what is being written; the first use by a process takes away what others left there long ago.
    fn staging_folder(&self) -> Result<PathBuf> {
        let folder = self.uploads();
        self.settle(&folder)?;
        if !self.locks.is_tidied.swap(true, std::sync::atomic::Ordering::Relaxed) {
            let latest = SystemTime::now().checked_sub(UPLOADS_KEPT).unwrap_or(SystemTime::UNIX_EPOCH);
            if let Err(error) = remove_older(&folder, latest) {
                tracing::warn!(%error, "left-over uploads can't be removed");
            }
        }
        Ok(folder)
    }
}

/// True where an object is absent: no such file, or a part of its path is another object.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Removes a folder if nothing but folders is below it; returns false if there is more.
fn remove_empty(folder: &Path) -> Result<bool> {
    let fault = |error| Error::io(format!("can't read the folder {}", folder.display()), error);
    for entry in fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        if !entry.file_type().map_err(fault)?.is_dir() || !remove_empty(&entry.path())? {
            return Ok(false);
        }
    }
    match fs::remove_dir(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
        Err(error) => Err(Error::io(format!("can't remove the folder {}", folder.display()), error)),
    }
}

fn remove_older(folder: &Path, latest: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let metadata = fs::metadata(&path)?;
        if metadata.modified()? > latest {
            continue;
        }
        if metadata.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
    }
    Ok(())
}

/// Makes a name in a folder safe.
fn sync_parent(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    crate::backend::offline::durable::sync_folder(folder)
        .map_err(|error| Error::io(format!("can't fsync the folder {}", folder.display()), error))
}
