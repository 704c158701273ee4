//! [`FeatureStore`]: the one handle that every face uses. All rules that join catalog, stores and ingest are here.
//!
//! A store is a folder (design: layout on disk). Several processes may have it open at once, each with its own
//! handle; what one acknowledges, the others see: records at once (LMDB and the Delta log are read fresh each
//! time), definitions within [`DEFINITIONS_AGE`], because a handle keeps parsed definitions that long.

mod answers;
pub mod athena;
mod attachment;
pub mod audit;
pub mod cluster;
mod compaction;
pub mod datasets;
pub mod demo;
pub mod doctor;
pub mod documentation;
mod drains;
pub mod duplicates;
mod evidence;
mod files;
mod following;
mod group_changes;
mod groups;
pub mod lineage;
mod loads;
mod new_folder;
pub mod objects;
mod online;
pub mod output_file;
mod partial_writes;
mod queries;
mod records;
mod rows;
pub mod search;
pub mod settings;
pub mod statistics;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub use crate::backend::faults::{self, Faults};
pub use crate::backend::online::{OnlineEffect, RowView, Targets};
pub use crate::catalog::search::{Facet, FacetCount, Factor, Filter, Kind, Matched, SearchAnswer, SearchHit};
pub use crate::catalog::{FeatureUpdate, GroupUpdate, Run};
pub use crate::catalog::{fuzzy, listing};
pub use crate::dataset::QueryStream;
pub use crate::dataset::{OutputFormat, ResultWriter, result_writer, write_pieces, write_result};
pub use crate::ingest::drain::DrainReport;
pub use crate::ingest::writer::Clock;
pub use answers::StoredAnswer;
pub use compaction::{CompactionProgress, CompactionReport, CompactionStatus, OnCompactionProgress};
pub use datasets::{ColumnOrigin, DatasetInput, DatasetPlan, InputFeature, JoinedStream, PlanOptions};
pub use doctor::{Check, DoctorReport};
pub use drains::Backlog;
pub use evidence::{EvidenceByGroup, FeatureEvidence};
pub use files::{FileLine, GroupFiles};
pub use group_changes::GroupChange;
pub use groups::{GroupSummary, NewGroup};
pub use loads::*;
pub use online::{RebuildReport, RedisStatus};
pub use partial_writes::{BatchEntry, FeatureChange, IdentifierPage};
pub use records::{DeleteOptions, HistoryRow, HistorySource, OnlineRecord, PutOptions, PutReceipt};
pub use rows::{RowQuery, RowStretch};
pub use search::SearchRequest;
pub use settings::Settings;

use foldhash::fast::RandomState;

use crate::backend::offline::{OfflineOptions, OfflineStore};
use crate::backend::online::{LmdbOptions, LmdbStore, OnlineStore, RedisStore};
use crate::catalog::{Catalog, CatalogOptions};
use crate::dataset::QueryEngine;
use crate::ingest::writer::Writer;
use crate::lineage::openlineage::Emitter;
use crate::model::{Error, ErrorKind, EventTime, FeatureGroup, Result};

/// How long a handle trusts definitions it has read before it looks for changes of other processes.
pub const DEFINITIONS_AGE: Duration = Duration::from_millis(50);

/// How to open a store.
#[derive(Clone, Default)]
pub struct OpenOptions {
    /// Refuse every change.
    pub read_only: bool,
    /// Make the store if its folder holds none.
    pub create: bool,
    /// The clock; none is the system's.
    pub clock: Option<Clock>,
    /// Settings; none are those of the folder and the environment.
    pub settings: Option<Settings>,
    /// URL of the bucket that holds the history; comes before the settings.
    pub object_store: Option<String>,
    /// A client to use for the bucket in place of one made from the settings.
    pub objects: Option<Arc<dyn object_store::ObjectStore>>,
    /// Makes steps fail in tests.
    pub faults: Option<Arc<Faults>>,
    /// Rows of a block of a training dataset's hash; none is the usual. Another number gives other hashes: for tests of many blocks.
    pub block_rows: Option<u64>,
}

/// A feature store. Cheap to clone: clones share one state.
#[derive(Clone)]
pub struct FeatureStore {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    settings: Settings,
    read_only: bool,
    clock: Clock,
    catalog: Catalog,
    online: Arc<dyn OnlineStore>,
    offline: OfflineStore,
    writer: Writer,
    definitions: Mutex<Definitions>,
    engine: OnceLock<QueryEngine>,
    drains: drains::Drains,
    faults: Option<Arc<Faults>>,
    /// Rows of a block of a training dataset's hash.
    block_rows: u64,
    upkeep: compaction::Upkeep,
    usage: lineage::usage::Usage,
    emitter: Emitter,
    objects: Arc<objects::ObjectLocks>,
    executions: athena::Executions,
    following: following::Following,
}

/// Parsed definitions by folded name, and when they were last known to be current.
#[derive(Default)]
struct Definitions {
    by_name: HashMap<String, Arc<FeatureGroup>, RandomState>,
    version: i64,
    checked: Option<Instant>,
}

impl Definitions {
    fn are_fresh(&self) -> bool {
        self.checked.is_some_and(|checked| checked.elapsed() < DEFINITIONS_AGE)
    }

    fn get(&self, name: &str) -> Option<Arc<FeatureGroup>> {
        self.by_name.get(name).or_else(|| self.by_name.get(&name.to_ascii_lowercase())).cloned()
    }
}

/// The store used when none is named: `$XDG_DATA_HOME/larder`, else `~/.local/share/larder`.
pub fn default_path() -> Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match (absolute("XDG_DATA_HOME"), absolute("HOME")) {
        (Some(data), _) => Ok(data.join("larder")),
        (None, Some(home)) => Ok(home.join(".local/share/larder")),
        (None, None) => {
            Err(Error::usage("no store is named and there is no home folder").remedy("name one with --store DIR or LARDER_STORE"))
        }
    }
}

/// The system's clock, in whole microseconds: what catalog, Parquet and arrivals can hold.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        EventTime::from_unix_micros(i64::try_from(since.as_micros()).unwrap_or_default()).unwrap_or(EventTime::MAX)
    })
}

impl FeatureStore {
    /// Opens the store in a folder.
    ///
    /// A catalog that is missing beside data is rebuilt from the definitions that lie with the data, and from the manifests
    /// of training datasets.
    ///
    /// # Errors
    /// `NotFound` if there is none and it may not be made, `NewerFormat`, `Corrupt`, `Locked`, `ReadOnly`, `Usage`
    /// for settings that can't be read.
    pub async fn open(folder: impl AsRef<Path>, options: OpenOptions) -> Result<Self> {
        let folder = folder.as_ref().to_owned();
        let exists = folder.join("catalog.db").exists() || folder.join("online/data.mdb").exists() || folder.join("s3").exists();
        let mut settings = match options.settings {
            Some(settings) => settings,
            None => Settings::read(&folder, |name| std::env::var(name).ok())?,
        };
        attachment::choose(&folder, &mut settings, options.object_store.as_deref())?;
        let is_remote = !settings.object_store.url.is_empty();
        if !exists && !options.create && !is_remote {
            return Err(Error::not_found(format!("there is no store in {}", folder.display()))
                .remedy("make one with `larder create` or `larder demo`, or name another with --store DIR"));
        }
        if !options.read_only {
            std::fs::create_dir_all(&folder).map_err(|error| Error::io(format!("can't make the store {}", folder.display()), error))?;
        }
        let lmdb = LmdbOptions {
            read_only: options.read_only,
            map_size: usize::try_from(settings.map_size).unwrap_or(usize::MAX) & !0xffff,
            outbox_limit: settings.outbox_limit,
            faults: options.faults.clone(),
        };
        let offline = OfflineOptions {
            root: folder.join("s3"),
            remote: attachment::client(&settings, options.objects).await?,
            cache: attachment::cache(&folder, &settings, options.read_only),
            account: settings.account.clone(),
            region: settings.region.clone(),
            read_only: options.read_only,
            faults: options.faults.clone(),
        };
        let offline = OfflineStore::open(offline)?;
        if is_remote && !options.read_only {
            attachment::attach(&offline, &folder, &settings.object_store.url).await?;
        }
        let catalog = CatalogOptions { read_only: options.read_only, create: !options.read_only, ..CatalogOptions::default() };
        let catalog = Catalog::open(folder.join("catalog.db"), catalog).await?;
        online::bind(&folder, &settings, options.read_only)?;
        let local = LmdbStore::open(&folder.join("online"), lmdb)?;
        let online: Arc<dyn OnlineStore> = match &settings.redis {
            Some(redis) => Arc::new(RedisStore::open(local, redis.clone(), options.faults.clone())?),
            None => Arc::new(local),
        };
        let clock = options.clock.unwrap_or_else(system_clock);
        let writes = !options.read_only && !catalog.is_read_only();
        let inner = Inner {
            writer: Writer::new(online.clone(), clock.clone()),
            read_only: options.read_only || catalog.is_read_only(),
            offline,
            drains: drains::Drains::default(),
            upkeep: compaction::Upkeep::default(),
            usage: lineage::usage::Usage::new(writes.then_some(folder.as_path()), clock.clone()),
            emitter: lineage::emitter(&settings)?,
            objects: objects::ObjectLocks::new(),
            executions: athena::Executions::default(),
            following: following::Following::default(),
            definitions: Mutex::default(),
            engine: OnceLock::new(),
            faults: options.faults,
            block_rows: options.block_rows.unwrap_or(crate::dataset::content_hash::BLOCK_ROWS).max(1),
            folder,
            settings,
            clock,
            catalog,
            online,
        };
        let store = Self { inner: Arc::new(inner) };
        if store.inner.catalog.is_new() {
            if !is_remote {
                store.take_in_definitions().await?;
            }
            store.take_in_datasets().await?;
            store.take_in_journal().await?;
        }
        Ok(store)
    }

    /// Ends the handle: waits for queued writes and running drains, drains what is due, and stops long compactions.
    pub async fn close(&self) -> Result<()> {
        let drained = if self.inner.read_only { Ok(()) } else { self.drain_what_is_due().await };
        self.end_upkeep().await;
        let inner = self.inner.clone();
        tokio::task::spawn_blocking(move || inner.writer.close())
            .await
            .map_err(|error| Error::internal("the writer did not end").source(error))?;
        if !self.inner.read_only {
            self.fold_large_usage().await;
            self.inner.catalog.fold_log().await?;
        }
        let store = self.clone();
        tokio::task::spawn_blocking(move || store.end_lineage_events())
            .await
            .map_err(|error| Error::internal("sending lineage events did not end").source(error))?;
        drained
    }

    /// The store's folder.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// Its settings.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// True if changes are refused.
    pub fn is_read_only(&self) -> bool {
        self.inner.read_only
    }

    /// The store's time.
    pub fn now(&self) -> EventTime {
        (self.inner.clock)()
    }

    /// A token that differs once another process or this one has changed definitions or online records.
    pub async fn changes(&self) -> Result<(i64, u64)> {
        Ok((self.inner.catalog.data_version().await?, self.inner.online.generation()?))
    }

    /// The catalog, for what is built upon the store.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.inner.catalog
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.inner.read_only {
            return Err(Error::new(ErrorKind::ReadOnly, format!("the store {} can't be changed", self.inner.folder.display()))
                .why("it was opened for reading only, or its files are not writable")
                .remedy("check the owner and mode of the folder, or leave --read-only out"));
        }
        Ok(())
    }

    fn forget_definitions(&self) {
        *self.inner.definitions.lock().unwrap_or_else(PoisonError::into_inner) = Definitions::default();
    }

    /// Builds the catalog from the definitions beside the data. One that can't be read hides no other.
    async fn take_in_definitions(&self) -> Result<()> {
        for found in self.inner.offline.definitions().await? {
            match found.group {
                Ok(group) => {
                    tracing::info!(group = %group.name, "taken into the catalog from its definition");
                    match self.inner.catalog.insert_group(&group).await {
                        // Two incarnations of a name, or another process is rebuilding too: the first one stays.
                        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                        other => other?,
                    }
                }
                Err(error) => tracing::warn!(folder = found.folder.key(), %error, "a definition can't be read; its group is left out"),
            }
        }
        Ok(())
    }
}
