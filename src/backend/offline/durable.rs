//! An object store over a local folder whose writes have reached the disk when they return.
//!
//! `LocalFileSystem` never fsyncs, and links a new object before its bytes are safe: after a power cut a commit
//! may be there, empty, and stand in the way of every later one. Here the order is
//!
//! ```text
//! write `name#<digits>` -> fsync it -> link or rename to its name -> fsync the folder
//! ```
//!
//! so whatever can be *seen* is complete, and whatever was *acknowledged* stays. Folders are created one by one
//! and each parent is fsynced; the first use of a folder by a process fsyncs the chain up to the root, because
//! the process that created it may have died before it did. A visible object can still be lost in one window:
//! linked by a process that was killed before the last fsync. Whoever acts on what another process wrote (a
//! drainer that trims by its mark) therefore calls [`DurableLocal::sync_folder`] first.
//!
//! Reading and listing are `LocalFileSystem`'s own; it skips names that end in `#<digits>`. Each call that
//! changes something is one step for [`Faults`].

use std::collections::HashSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, RenameOptions, UploadPart,
};

use crate::backend::faults::{self, Faults};
use crate::model::{Error, ErrorKind, Result};

type StoreResult<T> = object_store::Result<T>;

/// Objects in a local folder, durable when a call returns.
#[derive(Clone)]
pub struct DurableLocal {
    inner: LocalFileSystem,
    root: Arc<PathBuf>,
    /// Folders whose whole chain up to the root this process has fsynced.
    settled: Arc<Mutex<HashSet<PathBuf>>>,
    faults: Option<Arc<Faults>>,
}

impl DurableLocal {
    /// Opens a folder; creates it, durably, if `create` says so.
    pub fn open(root: &FilePath, create: bool, faults: Option<Arc<Faults>>) -> Result<Self> {
        if create {
            create_chain(root).map_err(|error| Error::io(format!("can't create {}", root.display()), error))?;
        }
        let inner =
            LocalFileSystem::new_with_prefix(root).map_err(|error| from_object_store(format!("can't open {}", root.display()), error))?;
        let root = inner
            .path_to_filesystem(&Path::from("x"))
            .ok()
            .and_then(|path| path.parent().map(FilePath::to_owned))
            .unwrap_or_else(|| root.to_owned());
        Ok(Self { inner, root: Arc::new(root), settled: Arc::default(), faults })
    }

    /// Returns where an object lies on disk.
    pub fn file_path(&self, location: &Path) -> Result<PathBuf> {
        self.inner.path_to_filesystem(location).map_err(|error| from_object_store(format!("can't use the name {location}"), error))
    }

    /// Makes durable every name in a folder that is visible now. A folder that does not exist has none.
    pub async fn sync_folder(&self, location: &Path) -> Result<()> {
        let folder = self.folder_path(location);
        let store = self.clone();
        blocking(move || {
            faults::run(
                store.faults.as_deref(),
                || format!("sync folder {}", folder.display()),
                || match sync_folder(&folder) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    other => other.map_err(|error| failure("fsync", &folder, error)),
                },
            )
        })
        .await
        .map_err(|error| from_object_store(format!("can't fsync {location}"), error))
    }

    /// Removes what interrupted writes left in a folder and below, if untouched for `older_than`; returns how many.
    pub async fn remove_staging(&self, location: &Path, older_than: Duration) -> Result<usize> {
        let folder = self.folder_path(location);
        let latest = SystemTime::now().checked_sub(older_than).unwrap_or(SystemTime::UNIX_EPOCH);
        blocking(move || remove_staging(&folder, latest).map_err(|error| failure("clear", &folder, error)))
            .await
            .map_err(|error| from_object_store(format!("can't remove temporary files of {location}"), error))
    }

    /// The same store, its objects named by their absolute paths.
    pub(crate) fn by_absolute_path(&self) -> Self {
        Self { inner: LocalFileSystem::new(), ..self.clone() }
    }

    pub(crate) fn folder_path(&self, location: &Path) -> PathBuf {
        location.parts().fold(self.root.as_ref().clone(), |path, part| path.join(part.as_ref()))
    }

    /// Creates the folder of a file and makes its chain up to the root durable, once per process and folder.
    pub(crate) fn settle(&self, folder: &FilePath) -> io::Result<()> {
        let known = |settled: &Mutex<HashSet<PathBuf>>| settled.lock().is_ok_and(|settled| settled.contains(folder));
        if known(&self.settled) && folder.is_dir() {
            return Ok(());
        }
        create_chain(folder)?;
        for ancestor in folder.ancestors() {
            if ancestor == self.root.as_path() || !ancestor.starts_with(self.root.as_path()) {
                break;
            }
            if let Some(parent) = ancestor.parent() {
                sync_folder(parent)?;
            }
        }
        if let Ok(mut settled) = self.settled.lock() {
            settled.insert(folder.to_owned());
        }
        Ok(())
    }

    fn create_staging(&self, target: &FilePath) -> StoreResult<(File, PathBuf)> {
        let folder = target.parent().unwrap_or(target);
        self.settle(folder).map_err(|error| failure("create the folder", folder, error))?;
        for _ in 0..16 {
            // The name LocalFileSystem gives to uploads in flight: digits after '#'; listings skip it.
            let mut name = target.as_os_str().to_owned();
            name.push(format!("#{}", uuid::Uuid::now_v7().as_u128() & u128::from(u64::MAX)));
            let staging = PathBuf::from(name);
            match OpenOptions::new().write(true).create_new(true).open(&staging) {
                Ok(file) => return Ok((file, staging)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failure("create", &staging, error)),
            }
        }
        Err(failure("create", target, io::ErrorKind::AlreadyExists.into()))
    }

    /// The whole of a put; see the head of this file for the order.
    fn write_object(&self, location: &Path, payload: &PutPayload, mode: &PutMode) -> StoreResult<()> {
        let target = self.inner.path_to_filesystem(location)?;
        let (mut file, staging) = self.create_staging(&target)?;
        let written = payload.iter().try_for_each(|chunk| file.write_all(chunk)).and_then(|()| file.sync_all());
        drop(file);
        let published = written.map_err(|error| failure("write", &target, error)).and_then(|()| publish(&staging, &target, mode, location));
        if published.is_err() || matches!(mode, PutMode::Create) {
            // Create links, so the staging name is still there; after an error it is litter either way.
            let _ = std::fs::remove_file(&staging);
        }
        published?;
        sync_parent(&target)
    }
}

/// Gives a complete, synced file its name.
fn publish(staging: &FilePath, target: &FilePath, mode: &PutMode, location: &Path) -> StoreResult<()> {
    match mode {
        PutMode::Create => std::fs::hard_link(staging, target).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => object_store::Error::AlreadyExists { path: location.to_string(), source: Box::new(error) },
            _ => failure("link", target, error),
        }),
        _ => std::fs::rename(staging, target).map_err(|error| failure("rename to", target, error)),
    }
}

fn sync_parent(target: &FilePath) -> StoreResult<()> {
    let folder = target.parent().unwrap_or(target);
    sync_folder(folder).map_err(|error| failure("fsync", folder, error))
}

/// Creates a folder and its missing ancestors, and fsyncs the parent of each that was missing.
fn create_chain(folder: &FilePath) -> io::Result<()> {
    let missing: Vec<&FilePath> =
        folder.ancestors().take_while(|ancestor| !ancestor.as_os_str().is_empty() && !ancestor.is_dir()).collect();
    for folder in missing.into_iter().rev() {
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) if !folder.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
            _ => {}
        }
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_folder(parent)?;
        }
    }
    Ok(())
}

/// True for the names [`DurableLocal`] gives to files in flight.
fn is_staging(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(_, digits)| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn remove_staging(folder: &FilePath, latest: SystemTime) -> io::Result<usize> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        other => other?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = entry?;
        let metadata = match entry.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        if metadata.is_dir() {
            removed += remove_staging(&entry.path(), latest)?;
        } else if entry.file_name().to_str().is_some_and(is_staging) && metadata.modified()? <= latest {
            match std::fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => removed += 1,
            }
        }
    }
    Ok(removed)
}

#[cfg(unix)]
pub(crate) fn sync_folder(folder: &FilePath) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Windows cannot open a folder as a file; NTFS journals its metadata in order.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_folder: &FilePath) -> io::Result<()> {
    Ok(())
}

fn failure(verb: &str, path: &FilePath, error: io::Error) -> object_store::Error {
    Error::io(format!("can't {verb} {}", path.display()), error).into()
}

/// Lets an error of ours travel through libraries that only know `object_store::Error`.
impl From<Error> for object_store::Error {
    fn from(error: Error) -> Self {
        Self::Generic { store: "offline store", source: Box::new(error) }
    }
}

/// Turns an object store's error into ours: the kind of an error of ours or of the system found beneath it.
pub(crate) fn from_object_store(what: impl Into<String>, error: object_store::Error) -> Error {
    let missing = matches!(error, object_store::Error::NotFound { .. });
    let exists = matches!(error, object_store::Error::AlreadyExists { .. });
    let mut beneath: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = beneath {
        if let Some(ours) = inner.downcast_ref::<Error>() {
            let mut out = Error::new(ours.kind(), what)
                .why(ours.reason().map_or_else(|| ours.what().to_owned(), |why| format!("{}: {why}", ours.what())));
            if let Some(advice) = ours.advice() {
                out = out.remedy(advice);
            }
            return out;
        }
        if let Some(system) = inner.downcast_ref::<io::Error>()
            && !missing
            && !exists
        {
            return Error::io(what, io::Error::new(system.kind(), system.to_string()));
        }
        beneath = inner.source();
    }
    let kind = match &error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::AlreadyExists { .. } => ErrorKind::AlreadyExists,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => ErrorKind::ReadOnly,
        object_store::Error::InvalidPath { .. } => ErrorKind::Invalid,
        _ => ErrorKind::Io,
    };
    Error::new(kind, what).source(error)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> StoreResult<T> + Send + 'static) -> StoreResult<T> {
    tokio::task::spawn_blocking(work).await?
}

impl fmt::Debug for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableLocal({})", self.root.display())
    }
}

impl fmt::Display for DurableLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DurableLocal({})", self.root.display())
    }
}

#[async_trait]
impl ObjectStore for DurableLocal {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        if matches!(options.mode, PutMode::Update(_)) || !options.attributes.is_empty() {
            return Err(object_store::Error::NotImplemented {
                operation: "a put with an e-tag or attributes".into(),
                implementer: self.to_string(),
            });
        }
        let (store, location) = (self.clone(), location.clone());
        blocking(move || {
            let name = || format!("put {location}");
            faults::run(store.faults.as_deref(), name, || store.write_object(&location, &payload, &options.mode))
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn put_multipart_opts(&self, location: &Path, _options: PutMultipartOptions) -> StoreResult<Box<dyn MultipartUpload>> {
        let (store, location) = (self.clone(), location.clone());
        let upload = blocking(move || {
            let target = store.inner.path_to_filesystem(&location)?;
            let (file, staging) = store.create_staging(&target)?;
            Ok(Upload { store, location, target, staging: Some(staging), file: Arc::new(file), offset: 0 })
        })
        .await?;
        Ok(Box::new(upload))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[std::ops::Range<u64>]) -> StoreResult<Vec<bytes::Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        let store = self.clone();
        locations
            .and_then(move |location| {
                let store = store.clone();
                async move {
                    let name = || format!("delete {location}");
                    let one = futures::stream::once(futures::future::ready(Ok(location.clone()))).boxed();
                    let delete = || store.inner.delete_stream(one).try_collect::<Vec<_>>();
                    faults::step(store.faults.as_deref(), name, delete).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        let target = self.inner.path_to_filesystem(to)?;
        let copy = || async {
            self.inner.copy_opts(from, to, options).await?;
            settle_target(self.clone(), target).await
        };
        faults::step(self.faults.as_deref(), || format!("copy to {to}"), copy).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> StoreResult<()> {
        let target = self.inner.path_to_filesystem(to)?;
        let rename = || async {
            self.inner.rename_opts(from, to, options).await?;
            settle_target(self.clone(), target).await
        };
        faults::step(self.faults.as_deref(), || format!("rename to {to}"), rename).await
    }
}

/// Makes a file durable that another call has put in its place.
async fn settle_target(store: DurableLocal, target: PathBuf) -> StoreResult<()> {
    blocking(move || {
        File::open(&target).and_then(|file| file.sync_all()).map_err(|error| failure("fsync", &target, error))?;
        let folder = target.parent().unwrap_or(&target);
        store.settle(folder).map_err(|error| failure("fsync", folder, error))?;
        sync_parent(&target)
    })
    .await
}

/// A large object on its way: parts are written in place into the staging file.
struct Upload {
    store: DurableLocal,
    location: Path,
    target: PathBuf,
    staging: Option<PathBuf>,
    file: Arc<File>,
    offset: u64,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({})", self.location)
    }
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = std::os::windows::fs::FileExt::seek_write(file, bytes, offset)?;
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, payload: PutPayload) -> UploadPart {
        let start = self.offset;
        self.offset += payload.content_length() as u64;
        let (store, file, target, location) = (self.store.clone(), self.file.clone(), self.target.clone(), self.location.clone());
        blocking(move || {
            let name = || format!("put part at {start} of {location}");
            faults::run(store.faults.as_deref(), name, || {
                let mut offset = start;
                for chunk in payload.iter() {
                    write_at(&file, chunk, offset).map_err(|error| failure("write", &target, error))?;
                    offset += chunk.len() as u64;
                }
                Ok(())
            })
        })
        .boxed()
    }

    async fn complete(&mut self) -> StoreResult<PutResult> {
        let Some(staging) = self.staging.take() else {
            return Err(Error::internal(format!("the upload of {} was completed twice", self.location)).into());
        };
        let (store, file, target, location) = (self.store.clone(), self.file.clone(), self.target.clone(), self.location.clone());
        blocking(move || {
            let name = || format!("complete {location}");
            let done = faults::run(store.faults.as_deref(), name, || {
                file.sync_all().map_err(|error| failure("fsync", &target, error))?;
                publish(&staging, &target, &PutMode::Overwrite, &location)?;
                sync_parent(&target)
            });
            if done.is_err() {
                let _ = std::fs::remove_file(&staging);
            }
            done
        })
        .await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> StoreResult<()> {
        match self.staging.take() {
            None => Ok(()),
            Some(staging) => blocking(move || std::fs::remove_file(&staging).map_err(|error| failure("remove", &staging, error))).await,
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(staging) = self.staging.take() {
            let _ = std::fs::remove_file(staging);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::backend::faults::Mode;
    use object_store::ObjectStoreExt;

    fn store(faults: Option<Arc<Faults>>) -> (tempfile::TempDir, DurableLocal) {
        let folder = tempfile::tempdir().unwrap();
        let store = DurableLocal::open(&folder.path().join("a/b"), true, faults).unwrap();
        (folder, store)
    }

    fn create() -> PutOptions {
        PutOptions { mode: PutMode::Create, ..PutOptions::default() }
    }

    #[tokio::test]
    async fn exactly_one_create_wins_and_leaves_no_litter() {
        let (_folder, store) = store(None);
        let path = Path::from("log/deep/00.json");
        let put = |text: &'static str| store.put_opts(&path, PutPayload::from_static(text.as_bytes()), create());
        let results = futures::future::join_all([put("a"), put("b"), put("c"), put("d")]).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert!(
            results
                .iter()
                .filter_map(|result| result.as_ref().err())
                .all(|error| matches!(error, object_store::Error::AlreadyExists { .. }))
        );
        let names: Vec<_> = std::fs::read_dir(store.file_path(&Path::from("log/deep/x")).unwrap().parent().unwrap()).unwrap().collect();
        assert_eq!(names.len(), 1);
    }

    #[tokio::test]
    async fn an_upload_appears_whole_or_not_at_all() {
        let (_folder, store) = store(None);
        let path = Path::from("data/x.parquet");
        let mut upload = store.put_multipart(&path).await.unwrap();
        upload.put_part(PutPayload::from_static(b"hello ")).await.unwrap();
        upload.put_part(PutPayload::from_static(b"world")).await.unwrap();
        assert!(matches!(store.head(&path).await, Err(object_store::Error::NotFound { .. })));
        assert!(store.list(None).try_collect::<Vec<_>>().await.unwrap().is_empty(), "an upload in flight is not listed");
        upload.complete().await.unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "hello world");
        let mut dropped = store.put_multipart(&Path::from("data/y.parquet")).await.unwrap();
        dropped.put_part(PutPayload::from_static(b"gone")).await.unwrap();
        drop(dropped);
        assert_eq!(std::fs::read_dir(store.file_path(&path).unwrap().parent().unwrap()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_folder_removed_meanwhile_is_made_again() {
        let (_folder, store) = store(None);
        let path = Path::from("x/y");
        store.put(&path, PutPayload::from_static(b"1")).await.unwrap();
        std::fs::remove_dir_all(store.file_path(&path).unwrap().parent().unwrap()).unwrap();
        store.put(&path, PutPayload::from_static(b"2")).await.unwrap();
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "2");
    }

    #[tokio::test]
    async fn a_lost_reply_is_its_own_kind_and_the_object_is_there() {
        let (_folder, store) = store(Some(Arc::new(Faults::fail_at(1, Mode::AfterLostReply))));
        let path = Path::from("x");
        let error = store.put_opts(&path, PutPayload::from_static(b"1"), create()).await.unwrap_err();
        assert_eq!(from_object_store("commit", error).kind(), ErrorKind::OutcomeUnknown);
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "1");
    }

    #[test]
    fn a_full_disk_says_so_through_every_layer() {
        let error = failure("write", FilePath::new("/x"), io::ErrorKind::StorageFull.into());
        let error = from_object_store("can't commit", error);
        assert_eq!(error.kind(), ErrorKind::Full);
        assert!(error.advice().is_some(), "{error}");
    }
}
