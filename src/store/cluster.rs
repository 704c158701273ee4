//! The store on several machines: statements and training datasets that a cluster answers, and the two programs of it.
//!
//! A cluster is a feature of this crate that a build may leave out; what asks for one then says how to get it. The rest of
//! the crate need not know: everything here is there either way.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use arrow::datatypes::SchemaRef;

use super::{FeatureStore, OpenOptions, Settings, attachment};
use crate::dataset::QueryStream;
use crate::dataset::row_files::{RowFile, RowFolder};
use crate::model::Result;

/// The cluster that is to do the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterOptions {
    /// Where its scheduler listens.
    pub scheduler: SocketAddr,
    /// Parts that work is divided into: as many as all workers have cores is right.
    pub parts: usize,
}

/// How a worker is to run.
#[derive(Debug, Clone)]
pub struct ClusterWorker {
    /// Where its scheduler listens.
    pub scheduler: SocketAddr,
    /// Where rows are fetched from it; tasks come to the port after it. Port 0 takes two free ones.
    pub bind: SocketAddr,
    /// What other machines call it; none is the address it listens on.
    pub host: Option<String>,
    /// Tasks it runs at once; none is one a core.
    pub cores: Option<usize>,
    /// Bytes its tasks may hold together; none is half of the machine's.
    pub memory: Option<u64>,
    /// Where rows lie that others will ask for; none is the system's folder for temporary files.
    pub folder: Option<PathBuf>,
}

/// Tells whoever asks for a cluster whether this build has one.
///
/// # Errors
/// `Usage` if it has none, with how to get one.
pub fn check_built() -> Result<()> {
    #[cfg(not(feature = "cluster"))]
    return Err(not_built());
    #[cfg(feature = "cluster")]
    Ok(())
}

/// Called once a program of a cluster is ready, with its address.
pub type OnReady<'a> = &'a mut (dyn FnMut(SocketAddr) -> Result<()> + Send);

/// Runs a scheduler until it is dropped.
///
/// # Errors
/// `Io` if the address is taken, `Usage` if this build has no cluster.
pub async fn run_scheduler(bind: SocketAddr, ready: OnReady<'_>) -> Result<()> {
    programs::run_scheduler(bind, ready).await
}

impl FeatureStore {
    /// Opens a store for a worker. Of a folder no group is changed: the worker reads, and adds files of rows where it is told to.
    /// One of a bucket is made if need be, and learns there of new groups.
    ///
    /// # Errors
    /// As [`FeatureStore::open`].
    pub async fn open_for_worker(folder: &Path, object_store: Option<String>) -> Result<Self> {
        let mut settings = Settings::read(folder, |name| std::env::var(name).ok())?;
        attachment::choose(folder, &mut settings, object_store.as_deref())?;
        let is_local = settings.object_store.url.is_empty();
        let options = OpenOptions { read_only: is_local, create: !is_local, object_store, ..OpenOptions::default() };
        Self::open(folder, options).await
    }

    /// Runs a worker over this store until a signal ends it.
    ///
    /// # Errors
    /// `Io` if the address is taken, `Unavailable` if no scheduler answers, `Usage` if this build has no cluster.
    pub async fn run_worker(&self, options: ClusterWorker, ready: OnReady<'_>) -> Result<()> {
        programs::run_worker(self, options, ready).await
    }

    /// Runs a statement on a cluster: the same rows as [`Self::query`].
    ///
    /// # Errors
    /// As there, `Unavailable` if no scheduler answers, `Usage` if this build has no cluster.
    pub async fn query_on(&self, cluster: &ClusterOptions, sql: &str, max_rows: Option<u64>) -> Result<QueryStream> {
        programs::query_on(self, cluster, sql, max_rows).await
    }
}

/// Runs a statement on a cluster whose workers write the answer to an open folder, in files of at most so many rows. Returns the
/// answer's columns, and its files.
pub(super) async fn query_into(
    store: &FeatureStore,
    cluster: &ClusterOptions,
    sql: &str,
    folder: (&RowFolder, u64),
) -> Result<(SchemaRef, Vec<RowFile>)> {
    programs::query_into(store, cluster, sql, folder).await
}

#[cfg(feature = "cluster")]
mod files;
#[cfg(feature = "cluster")]
mod programs;
#[cfg(feature = "cluster")]
pub(super) mod spine;

#[cfg(not(feature = "cluster"))]
mod programs {
    //! What stands in for a cluster in a build without one.

    use arrow::datatypes::SchemaRef;

    use super::{ClusterOptions, ClusterWorker, OnReady};
    use crate::dataset::QueryStream;
    use crate::dataset::row_files::{RowFile, RowFolder};
    use crate::model::Result;
    use crate::store::FeatureStore;

    pub(super) async fn run_scheduler(_bind: std::net::SocketAddr, _ready: OnReady<'_>) -> Result<()> {
        Err(super::not_built())
    }

    pub(super) async fn run_worker(_store: &FeatureStore, _options: ClusterWorker, _ready: OnReady<'_>) -> Result<()> {
        Err(super::not_built())
    }

    pub(super) async fn query_into(
        _: &FeatureStore,
        _: &ClusterOptions,
        _: &str,
        _: (&RowFolder, u64),
    ) -> Result<(SchemaRef, Vec<RowFile>)> {
        Err(super::not_built())
    }

    pub(super) async fn query_on(_: &FeatureStore, _: &ClusterOptions, _: &str, _: Option<u64>) -> Result<QueryStream> {
        Err(super::not_built())
    }
}

/// What whoever asks for a cluster is told.
#[cfg(not(feature = "cluster"))]
pub(super) fn not_built() -> crate::model::Error {
    crate::model::Error::usage("this larder was built without a cluster")
        .remedy("build one with `cargo install --path . --features cluster`, or leave --cluster out")
}
