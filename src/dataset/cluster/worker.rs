//! A worker: runs tasks on the files of its store, and keeps the rows they make until they are asked for.
//!
//! It has two ports: rows are fetched from the first, tasks come to the second.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::extension::SessionConfigExt;
use ballista_core::registry::BallistaFunctionRegistry;
use ballista_executor::execution_engine::DefaultExecutionEngine;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::executor_server::TERMINATING;
use ballista_executor::health::ExecutorHealth;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;

use super::MAX_MESSAGE;
use super::codec::PlanCodec;
use super::connections::Connections;
use super::files::{ClusterFiles, FileRegistry, ToldLater};
use super::telling::TellingEngine;
use crate::dataset::QueryEngine;
use crate::dataset::point_in_time::{JoinOptions, MIN_MEMORY};
use crate::dataset::spill::SpillFolder;
use crate::model::{Error, ErrorKind, Result};

/// Seconds between two signs of life.
const HEARTBEAT: u64 = 3;

/// How a worker is to run.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Where its scheduler listens.
    pub scheduler: SocketAddr,
    /// Where rows are fetched from it; port 0 takes a free one.
    pub bind: SocketAddr,
    /// What other machines call it; none is the address it listens on.
    pub host: Option<String>,
    /// Tasks it runs at once.
    pub cores: usize,
    /// Bytes its tasks may hold together.
    pub memory: u64,
    /// Where rows lie that others will ask for, and what does not fit in memory.
    pub folder: PathBuf,
}

/// A worker that is ready to join a cluster.
pub struct Worker {
    options: WorkerOptions,
    port: u16,
    control_port: u16,
    folder: SpillFolder,
    health: ExecutorHealth,
}

impl Worker {
    /// Chooses ports and makes the folder for rows.
    pub fn new(options: WorkerOptions) -> Result<Self> {
        let port = port_of(options.bind.ip(), options.bind.port())?;
        let control_port = port_of(options.bind.ip(), if options.bind.port() == 0 { 0 } else { port.saturating_add(1) })?;
        let folder = SpillFolder::create(&options.folder)?;
        Ok(Self { options, port, control_port, folder, health: ExecutorHealth::new() })
    }

    /// Where rows are fetched from it.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.options.bind.ip(), self.port)
    }

    /// Waits until the scheduler knows it.
    pub fn joined(&self) -> impl Future<Output = ()> + use<> {
        let health = self.health.clone();
        async move {
            while !health.is_ready() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Works until it is told to stop: by a signal, which lets running tasks end, or by being dropped.
    pub async fn run(self, engine: &QueryEngine, files: Arc<dyn ClusterFiles>) -> Result<()> {
        let Self { options, port, control_port, folder, health } = self;
        let cores = options.cores.max(1);
        let memory = usize::try_from(options.memory).unwrap_or(usize::MAX) / cores;
        // The join counts its own memory, beside that of the engine's operators.
        let join = JoinOptions {
            known_then: false,
            memory: (memory / 2).max(MIN_MEMORY),
            parallelism: 1,
            spill_folder: Some(folder.path().to_owned()),
        };
        let files: Arc<dyn ClusterFiles> = Arc::new(ToldLater(files));
        let codec = PlanCodec::new(engine.sessions(), files.clone(), join);
        let sessions = engine.sessions();
        let producer = move || sessions().config().clone().upgrade_for_ballista();
        let spill = folder.path().to_owned();
        let runtime = move |_: &SessionConfig| {
            let registry = Arc::new(FileRegistry(files.clone()));
            RuntimeEnvBuilder::new().with_temp_file_path(spill.clone()).with_object_store_registry(registry).build_arc()
        };
        let config = ExecutorProcessConfig {
            bind_host: options.bind.ip().to_string(),
            external_host: Some(options.host.unwrap_or_else(|| options.bind.ip().to_string())),
            port,
            grpc_port: control_port,
            scheduler_host: options.scheduler.ip().to_string(),
            scheduler_port: options.scheduler.port(),
            scheduler_connect_timeout_seconds: 10,
            vcores: cores,
            task_scheduling_policy: TaskSchedulingPolicy::PushStaged,
            work_dir: Some(folder.path().display().to_string()),
            grpc_max_decoding_message_size: MAX_MESSAGE,
            grpc_max_encoding_message_size: MAX_MESSAGE,
            executor_heartbeat_interval_seconds: HEARTBEAT,
            memory_pool_size: Some((memory / 2 * cores) as u64),
            override_execution_engine: Some(Arc::new(TellingEngine(DefaultExecutionEngine::with_client_pool(Arc::new(
                Connections::default(),
            ))))),
            override_function_registry: Some(Arc::new(functions(engine))),
            override_runtime_producer: Some(Arc::new(runtime)),
            override_config_producer: Some(Arc::new(producer)),
            override_physical_codec: Some(Arc::new(codec)),
            health,
            ..ExecutorProcessConfig::default()
        };
        // That a worker was told to stop is remembered for the whole process. One that begins was not.
        TERMINATING.store(false, Ordering::Release);
        let done = start_executor_process(Arc::new(config)).await;
        drop(folder);
        done.map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("the worker could not join the cluster at {}", options.scheduler))
                .why(error.to_string())
                .remedy("start one with `larder cluster scheduler`, or name its address with --scheduler")
        })
    }
}

/// The functions that a statement of this engine can call.
fn functions(engine: &QueryEngine) -> BallistaFunctionRegistry {
    let state = (engine.sessions())();
    let mut registry = BallistaFunctionRegistry::default();
    registry.scalar_functions.extend(state.scalar_functions().clone());
    registry.aggregate_functions.extend(state.aggregate_functions().clone());
    registry.window_functions.extend(state.window_functions().clone());
    registry
}

/// That port, or a free one for 0.
fn port_of(address: IpAddr, port: u16) -> Result<u16> {
    let asked = SocketAddr::new(address, port);
    let bound = TcpListener::bind(asked).and_then(|listener| listener.local_addr());
    bound
        .map(|bound| bound.port())
        .map_err(|error| Error::io(format!("can't listen on {asked}"), error).remedy("name another address with --bind"))
}
