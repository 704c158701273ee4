//! What a scheduler knows of its workers. Before one goes, all jobs end: see [`super::jobs`] for why none is mended.
//!
//! The order is what matters. A job that is cancelled while the scheduler still counts on the worker gives back the cores that its
//! tasks held on the others; cancelled after it was mended, it was seen to keep them for ever.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::error::Result as ClusterResult;
use ballista_core::serde::protobuf::ExecutorHeartbeat;
use ballista_core::serde::scheduler::{ExecutorData, ExecutorMetadata};
use ballista_scheduler::cluster::memory::InMemoryClusterState;
use ballista_scheduler::cluster::{BoundTask, ClusterState, ClusterStateEventStream, ExecutorSlot};
use ballista_scheduler::config::TaskDistributionPolicy;
use ballista_scheduler::scheduler_server::SchedulerServer;
use ballista_scheduler::state::task_manager::JobInfoCache;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};

use super::jobs::TrustedJobs;

/// The scheduler itself, which is made of what knows its workers.
pub(super) type Server = SchedulerServer<LogicalPlanNode, PhysicalPlanNode>;

/// The workers of a scheduler.
pub(super) struct WatchedWorkers {
    workers: InMemoryClusterState,
    jobs: Arc<TrustedJobs>,
    server: OnceLock<Server>,
}

impl WatchedWorkers {
    pub(super) fn new(jobs: Arc<TrustedJobs>) -> Self {
        Self { workers: InMemoryClusterState::default(), jobs, server: OnceLock::new() }
    }

    /// Lets it end jobs, once there is a scheduler that runs some.
    pub(super) fn serve(&self, server: Server) {
        // A second one would be a mistake that the first one makes good.
        let _ = self.server.set(server);
    }
}

#[async_trait]
impl ClusterState for WatchedWorkers {
    async fn init(&self) -> ClusterResult<()> {
        self.workers.init().await
    }

    async fn bind_schedulable_tasks(
        &self,
        distribution: TaskDistributionPolicy,
        jobs: Arc<HashMap<JobId, JobInfoCache>>,
        workers: Option<HashSet<String>>,
    ) -> ClusterResult<Vec<BoundTask>> {
        self.workers.bind_schedulable_tasks(distribution, jobs, workers).await
    }

    async fn unbind_tasks(&self, slots: Vec<ExecutorSlot>) -> ClusterResult<()> {
        self.workers.unbind_tasks(slots).await
    }

    async fn register_executor(&self, metadata: ExecutorMetadata, data: ExecutorData) -> ClusterResult<()> {
        self.workers.register_executor(metadata, data).await
    }

    async fn save_executor_metadata(&self, metadata: ExecutorMetadata) -> ClusterResult<()> {
        self.workers.save_executor_metadata(metadata).await
    }

    async fn get_executor_metadata(&self, worker: &str) -> ClusterResult<ExecutorMetadata> {
        self.workers.get_executor_metadata(worker).await
    }

    async fn registered_executor_metadata(&self) -> Vec<ExecutorMetadata> {
        self.workers.registered_executor_metadata().await
    }

    async fn save_executor_heartbeat(&self, heartbeat: ExecutorHeartbeat) -> ClusterResult<()> {
        self.workers.save_executor_heartbeat(heartbeat).await
    }

    async fn remove_executor(&self, worker: &str) -> ClusterResult<()> {
        tracing::info!(worker, "a worker is gone: jobs are asked again");
        for job in self.jobs.end() {
            if let Some(server) = self.server.get()
                && let Err(error) = server.cancel_job(job.clone()).await
            {
                tracing::warn!(%job, %error, "a job could not be cancelled");
            }
        }
        self.workers.remove_executor(worker).await
    }

    fn executor_heartbeats(&self) -> HashMap<String, ExecutorHeartbeat> {
        self.workers.executor_heartbeats()
    }

    fn get_executor_heartbeat(&self, worker: &str) -> Option<ExecutorHeartbeat> {
        self.workers.get_executor_heartbeat(worker)
    }

    async fn cluster_state_events(&self) -> ClusterResult<ClusterStateEventStream> {
        self.workers.cluster_state_events().await
    }
}
