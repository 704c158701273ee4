//! The two programs of a cluster, and statements that it answers.

use std::net::SocketAddr;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use tokio::runtime::Handle;

use super::files::StoreFiles;
use super::{ClusterOptions, ClusterWorker, OnReady};
use crate::dataset::cluster::{Cluster, Scheduler, Worker, WorkerOptions};
use crate::dataset::row_files::{RowFile, RowFolder};
use crate::dataset::{EngineOptions, QueryEngine, QueryOptions, QueryStream};
use crate::model::{ErrorKind, Result};
use crate::store::FeatureStore;
use crate::store::datasets::half_of_memory;

impl From<&ClusterOptions> for Cluster {
    fn from(options: &ClusterOptions) -> Self {
        Self { scheduler: options.scheduler, parts: options.parts }
    }
}

pub(super) async fn run_scheduler(bind: SocketAddr, ready: OnReady<'_>) -> Result<()> {
    let engine = QueryEngine::new(&EngineOptions::default())?;
    let scheduler = Scheduler::bind(bind).await?;
    // It listens: whoever connects from now on waits for an answer and gets one.
    ready(scheduler.address())?;
    scheduler.run(&engine).await
}

pub(super) async fn run_worker(store: &FeatureStore, options: ClusterWorker, ready: OnReady<'_>) -> Result<()> {
    let cores = options.cores.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from)).max(1);
    let memory = options.memory.unwrap_or_else(half_of_memory);
    let folder = options.folder.unwrap_or_else(|| std::env::temp_dir().join("larder-worker"));
    let engine = QueryEngine::new(&EngineOptions {
        memory_limit: usize::try_from(memory).unwrap_or(usize::MAX),
        spill_folder: Some(folder.clone()),
        parallelism: cores,
        ..EngineOptions::default()
    })?;
    let scheduler = options.scheduler;
    let worker = Worker::new(WorkerOptions { scheduler, bind: options.bind, host: options.host, cores, memory, folder })?;
    let (address, joined) = (worker.address(), worker.joined());
    let files = Arc::new(StoreFiles::new(store.clone(), Handle::current()));
    let running = worker.run(&engine, files);
    tokio::pin!(running);
    tokio::select! {
        done = &mut running => return done,
        () = joined => ready(address)?,
    }
    running.await
}

pub(super) async fn query_on(store: &FeatureStore, cluster: &ClusterOptions, sql: &str, max_rows: Option<u64>) -> Result<QueryStream> {
    let options = QueryOptions { now: store.now(), max_rows };
    let (engine, cluster, source) = (store.query_engine()?, Cluster::from(cluster), store.counted_group_source());
    match engine.query_on(cluster, sql, source.clone(), &options).await {
        // Perhaps another machine has just made the group.
        Err(error) if error.kind() == ErrorKind::NotFound && store.look_for_missing().await => {
            engine.query_on(cluster, sql, source, &options).await
        }
        answered => answered,
    }
}

pub(super) async fn query_into(
    store: &FeatureStore,
    cluster: &ClusterOptions,
    sql: &str,
    folder: (&RowFolder, u64),
) -> Result<(SchemaRef, Vec<RowFile>)> {
    let options = QueryOptions { now: store.now(), max_rows: None };
    let (engine, cluster, source) = (store.query_engine()?, Cluster::from(cluster), store.counted_group_source());
    match engine.query_into(cluster, sql, source.clone(), &options, folder).await {
        // Perhaps another machine has just made the group.
        Err(error) if error.kind() == ErrorKind::NotFound && store.look_for_missing().await => {
            engine.query_into(cluster, sql, source, &options, folder).await
        }
        answered => answered,
    }
}
