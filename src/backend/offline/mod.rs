//! The offline store: every record ever, as Parquet files under a Delta log, one table per feature group.
//!
//! ```text
//! rows or batches --columns--> sorted batch --parquet_file--> staged file --commit--> _delta_log/<n>.json
//!                                              (durable, unseen)              (visible, with its mark)
//! snapshot (log) --> live files with bounds --> scan: files, row groups and rows that can match
//!                                           --> compaction: many files become few sorted ones, in one commit
//! ```
//!
//! What must stay true: a row is in the table exactly once, whoever drained it and however often ([`commit`]); what
//! can be seen is complete and what was acknowledged is on the disk ([`durable`]); names are formatted in one place
//! ([`layout`]); any Delta reader can open the table as it is ([`table`]). The log is the truth about what exists: a
//! file that no commit names is litter ([`orphans`]), one that was replaced stays for those who still read it ([`retired`]),
//! and the definition beside the data ([`definitions`]) is enough
//! to find the table again after the catalog is lost.
//!
//! Objects are reached through `object_store`, so that a real S3 can stand in for the folder; encoding and decoding
//! are plain functions on blocking threads.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use deltalake_core::logstore::{LogStoreRef, StorageConfig, default_logstore};
use object_store::ObjectStore;
use object_store::prefix::PrefixStore;

mod additions;
pub mod bounds;
mod bucket_keys;
pub mod cached;
pub mod check;
pub mod columns;
pub mod commit;
pub mod compaction;
pub mod definitions;
pub mod durable;
pub mod external;
mod home;
pub mod layout;
mod log;
pub mod orphans;
pub mod parquet_file;
pub mod remote;
pub mod retired;
pub mod scan;
pub mod table;
pub mod window;

pub use bounds::{Bound, ColumnBounds, FileStatistics};
pub use cached::{CacheUse, PieceCache};
pub use check::OfflineCheck;
pub use columns::{OfflineRow, RowReader};
pub use commit::{CommitOutcome, Mark};
pub use compaction::{CompactionOutcome, CompactionPlan, CompactionTarget, OnMerged, Selection};
pub use definitions::FoundDefinition;
pub(crate) use definitions::parse as parse_definition;
pub use durable::DurableLocal;
pub(crate) use durable::from_object_store;
pub(crate) use external::footer_statistics;
pub use external::{ExternalFile, ExternalTable};
pub use layout::{DEFAULT_S3_URI, GroupFolder, Layout};
pub use log::DataFile;
pub(crate) use log::live_files;
pub use orphans::Orphan;
pub use parquet_file::StagedFile;
pub use remote::{RemoteObjects, RemoteSettings};
pub use scan::{Predicate, ScannedBatch};
pub use table::TableSnapshot;
pub use window::RowWindow;

use crate::backend::faults::Faults;
use crate::model::{Error, ErrorKind, FeatureGroup, Result};
pub(crate) use home::{FileBytes, Home};
use log::TableState;

/// Tables whose state is kept in memory; beyond it the cache starts over.
const MAX_CACHED: usize = 4_096;

/// Settings of the offline store.
#[derive(Debug, Clone)]
pub struct OfflineOptions {
    /// Folder that stands for `s3://`, unless `remote` says otherwise.
    pub root: PathBuf,
    /// URL of the bucket that holds the objects, and the client for it.
    pub remote: Option<(String, Arc<dyn ObjectStore>)>,
    /// Where pieces of the bucket's files are kept on this machine.
    pub cache: Option<Arc<PieceCache>>,
    /// Account in object names: 12 digits.
    pub account: String,
    /// Region in object names.
    pub region: String,
    /// Refuse every write, and don't create the root.
    pub read_only: bool,
    /// For tests: which step fails.
    pub faults: Option<Arc<Faults>>,
}

impl OfflineOptions {
    /// The usual settings for a folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            remote: None,
            cache: None,
            account: layout::DEFAULT_ACCOUNT.into(),
            region: layout::DEFAULT_REGION.into(),
            read_only: false,
            faults: None,
        }
    }
}

/// The offline store. Clones share one cache; any number of processes may share the folder.
#[derive(Clone)]
pub struct OfflineStore {
    inner: Arc<Inner>,
}

struct Inner {
    options: OfflineOptions,
    layout: Layout,
    home: OnceLock<Home>,
    /// The folder, which a store in a bucket needs too: for objects that belong to no group.
    folder: OnceLock<Arc<DurableLocal>>,
    tables: Mutex<HashMap<GroupFolder, Arc<TableState>>>,
    /// Files that this process knows to be deleted, so that it need not try again.
    deleted: Mutex<HashMap<GroupFolder, HashSet<String>>>,
}

impl OfflineStore {
    /// Opens the store. The folder is made with the first write.
    pub fn open(options: OfflineOptions) -> Result<Self> {
        let layout = Layout::new(&options.account, &options.region)?;
        Ok(Self {
            inner: Arc::new(Inner {
                options,
                layout,
                home: OnceLock::new(),
                folder: OnceLock::new(),
                tables: Mutex::default(),
                deleted: Mutex::default(),
            }),
        })
    }

    /// Folder that stands for `s3://`.
    pub fn root(&self) -> &Path {
        &self.inner.options.root
    }

    /// How objects are named.
    pub fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// Folder of a group that keeps its history here.
    pub fn folder(&self, group: &FeatureGroup) -> Result<GroupFolder> {
        self.inner.layout.folder(group)
    }

    /// True if the objects lie in a bucket, not in a folder of this machine.
    pub fn is_remote(&self) -> bool {
        self.inner.options.remote.is_some()
    }

    /// What is kept of the bucket's files on this machine, if anything may be. Blocks.
    pub fn cache_use(&self) -> Option<CacheUse> {
        self.inner.options.cache.as_ref().map(|cache| cache.in_use())
    }

    /// The bucket, for what only a bucket needs.
    pub(crate) fn bucket(&self) -> Result<Option<Arc<RemoteObjects>>> {
        Ok(match self.disk()? {
            Home::Local(_) => None,
            Home::Remote(remote) => Some(remote.clone()),
        })
    }

    /// The bytes of a staged file of a group; `path` is relative to its data folder. Read them on a thread that may block.
    pub(crate) fn open_staged(&self, group: &FeatureGroup, path: &str, size: u64, runtime: &tokio::runtime::Handle) -> Result<FileBytes> {
        self.disk()?.open_file(&self.folder(group)?.data_file(path), size, Some(runtime))
    }

    /// Where a live file of a snapshot lies on this machine; for a store in a folder.
    pub fn file_path(&self, snapshot: &TableSnapshot, file: &DataFile) -> Result<PathBuf> {
        self.local()?.file_path(&snapshot.folder().data_file(&file.path))
    }

    /// Where a staged file of a group lies on this machine; `path` is relative to its data folder.
    pub fn staged_path(&self, group: &FeatureGroup, path: &str) -> Result<PathBuf> {
        self.local()?.file_path(&self.folder(group)?.data_file(path))
    }

    /// Bucket and prefix below which groups lie unless they say otherwise.
    pub(crate) fn home_prefix(&self) -> Result<String> {
        layout::parse_s3_uri(self.inner.options.remote.as_ref().map_or(DEFAULT_S3_URI, |(url, _)| url))
    }

    /// The bytes of an object of `size` bytes, for threads that may block, on whose runtime it is fetched.
    pub(crate) fn open_object(&self, location: &object_store::path::Path, size: u64) -> Result<FileBytes> {
        self.disk()?.open_file(location, size, None)
    }

    /// Removes what interrupted writes left in a folder that nobody writes to any more.
    pub(crate) async fn remove_staging(&self, folder: &object_store::path::Path) -> Result<()> {
        self.disk()?.remove_staging(folder, std::time::Duration::ZERO).await.map(drop)
    }

    /// The objects themselves.
    pub fn object_store(&self) -> Result<Arc<dyn ObjectStore>> {
        Ok(self.disk()?.store())
    }

    /// The folder of objects, for what is no table.
    pub(crate) fn local(&self) -> Result<Arc<DurableLocal>> {
        let Inner { options, folder, .. } = self.inner.as_ref();
        if let Some(known) = folder.get() {
            return Ok(known.clone());
        }
        let opened = DurableLocal::open(&options.root, !options.read_only, options.faults.clone())?;
        Ok(folder.get_or_init(|| Arc::new(opened)).clone())
    }

    fn check_writable(&self) -> Result<()> {
        if self.inner.options.read_only {
            return Err(Error::new(ErrorKind::ReadOnly, "the store was opened read-only").remedy("leave --read-only out"));
        }
        Ok(())
    }

    fn disk(&self) -> Result<&Home> {
        let Inner { options, home, .. } = self.inner.as_ref();
        if let Some(home) = home.get() {
            return Ok(home);
        }
        let opened = match &options.remote {
            Some((url, client)) => {
                let objects = RemoteObjects::new(url, client.clone(), options.faults.clone())?;
                Home::Remote(Arc::new(objects.with_cache(options.cache.clone())))
            }
            None => Home::Local(self.local()?),
        };
        Ok(home.get_or_init(|| opened))
    }

    /// The objects, or none if nothing was ever written.
    fn existing_disk(&self) -> Result<Option<&Home>> {
        if !self.is_remote() && self.inner.home.get().is_none() && !self.root().is_dir() {
            return Ok(None);
        }
        self.disk().map(Some)
    }

    /// The `deltalake` crate's access to a table's log.
    fn log_store(&self, folder: &GroupFolder) -> Result<LogStoreRef> {
        let disk = self.disk()?;
        let table: Arc<dyn ObjectStore> = Arc::new(PrefixStore::new(disk.store(), folder.data()));
        // For checkpoints the crate goes by URL: of a folder of this machine, or of the bucket, whose path has no bucket.
        let (root, location): (Arc<dyn ObjectStore>, _) = match disk {
            Home::Local(local) => {
                let location = local.folder_path(&folder.data());
                let location = url::Url::from_directory_path(&location)
                    .map_err(|()| Error::internal(format!("{} is not an absolute path", location.display())))?;
                (Arc::new(local.by_absolute_path()), location)
            }
            Home::Remote(remote) => (remote.physical_store(), remote.url_of(&folder.data())?),
        };
        Ok(default_logstore(table, root, &location, &StorageConfig::default()))
    }

    fn cached(&self, folder: &GroupFolder) -> Option<Arc<TableState>> {
        self.inner.tables.lock().ok()?.get(folder).cloned()
    }

    fn forget(&self, folder: &GroupFolder) {
        if let Ok(mut tables) = self.inner.tables.lock() {
            tables.remove(folder);
        }
    }

    /// Keeps the newer of two states.
    fn cache(&self, folder: &GroupFolder, state: &Arc<TableState>) {
        let Ok(mut tables) = self.inner.tables.lock() else { return };
        if tables.len() >= MAX_CACHED {
            tables.clear();
        }
        match tables.get(folder) {
            Some(known) if known.version >= state.version => {}
            _ => {
                tables.insert(folder.clone(), state.clone());
            }
        }
    }
}
