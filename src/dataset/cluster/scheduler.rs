//! The scheduler: cuts plans into tasks and gives them to workers. It reads no store.

use std::net::SocketAddr;
use std::sync::Arc;

use ballista_core::ConfigProducer;
use ballista_core::config::TaskSchedulingPolicy;
use ballista_core::extension::SessionConfigExt;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::cluster::memory::InMemoryJobState;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use ballista_scheduler::scheduler_server::SessionBuilder;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;
use tokio::net::TcpListener;

use super::MAX_MESSAGE;
use super::codec::PlanCodec;
use super::files::{FileRegistry, NoFiles};
use super::jobs::TrustedJobs;
use super::workers::{Server, WatchedWorkers};
use crate::dataset::QueryEngine;
use crate::dataset::failure::from_engine;
use crate::model::{Error, ErrorKind, Result};

/// Seconds without a word from a worker after which its tasks go to others.
const WORKER_TIMEOUT: u64 = 15;
/// Seconds between two looks for such workers.
const LOOK_FOR_DEAD: u64 = 2;
/// Seconds that rows of a finished job are kept for whoever asked.
const KEEP_ROWS: u64 = 300;

/// A scheduler that listens.
pub struct Scheduler {
    listener: TcpListener,
    address: SocketAddr,
}

impl Scheduler {
    /// Listens at an address; port 0 takes a free one.
    pub async fn bind(address: SocketAddr) -> Result<Self> {
        let fault = |error| Error::io(format!("can't listen on {address}"), error).remedy("name another address with --bind");
        let listener = TcpListener::bind(address).await.map_err(fault)?;
        let address = listener.local_addr().map_err(fault)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until it is dropped.
    pub async fn run(self, engine: &QueryEngine) -> Result<()> {
        let codec = PlanCodec::new(engine.sessions(), Arc::new(NoFiles), engine.join_options().clone());
        let sessions = engine.sessions();
        // Plans name files, which nobody reads here.
        let registry = Arc::new(FileRegistry(Arc::new(NoFiles)));
        let runtime = RuntimeEnvBuilder::new().with_object_store_registry(registry).build_arc().map_err(from_engine)?;
        let session_builder: SessionBuilder = Arc::new(move |config: SessionConfig| {
            let builder = SessionStateBuilder::new_from_existing(sessions()).with_runtime_env(runtime.clone());
            Ok(builder.with_config(config).build())
        });
        let base = engine.sessions();
        let config_producer: ConfigProducer = Arc::new(move || base().config().clone().upgrade_for_ballista());
        let config = SchedulerConfig {
            bind_host: self.address.ip().to_string(),
            external_host: self.address.ip().to_string(),
            bind_port: self.address.port(),
            scheduling_policy: TaskSchedulingPolicy::PushStaged,
            grpc_server_max_decoding_message_size: MAX_MESSAGE,
            grpc_server_max_encoding_message_size: MAX_MESSAGE,
            grpc_client_max_message_size: MAX_MESSAGE,
            executor_timeout_seconds: WORKER_TIMEOUT,
            expire_dead_executor_interval_seconds: LOOK_FOR_DEAD,
            no_executors_grace_period_seconds: 2 * WORKER_TIMEOUT,
            finished_job_data_clean_up_interval_seconds: KEEP_ROWS,
            finished_job_state_clean_up_interval_seconds: KEEP_ROWS,
            override_config_producer: Some(config_producer.clone()),
            override_session_builder: Some(session_builder.clone()),
            override_physical_codec: Some(Arc::new(codec)),
            ..SchedulerConfig::default()
        };
        let fault = |error: ballista_core::error::BallistaError| Error::new(ErrorKind::Io, "the scheduler stopped").why(error.to_string());
        config.validate().map_err(fault)?;
        let jobs = InMemoryJobState::new(config.scheduler_id.clone(), session_builder, config_producer);
        let jobs = Arc::new(TrustedJobs::new(jobs));
        let workers = Arc::new(WatchedWorkers::new(jobs.clone()));
        let cluster = BallistaCluster::new(workers.clone(), jobs);
        let server: Server = create_scheduler(cluster, Arc::new(config)).await.map_err(fault)?;
        workers.serve(server.clone());
        start_grpc_service_with_listener(self.listener, server).await.map_err(fault)
    }
}
