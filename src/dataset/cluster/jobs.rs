//! What a scheduler knows of its jobs, and tells only if it can be trusted.
//!
//! When a worker dies whose rows a running stage needs, the scheduler would run that stage anew. It was seen to leave what the
//! stage's first run had made among the inputs of the next one, so that the answer had rows twice, and to wait for ever where
//! several stages have to run anew. So nothing is mended here: when a worker goes, whoever waits for a job is told that rows were
//! lost, cancels it, and asks again (see [`super::submit`]). And a job of which any stage ran more than once has not succeeded,
//! whatever it says.
//!
//! Whoever asks hears of a job through its subscription alone, and this is where it passes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ballista_core::error::Result as ClusterResult;
use ballista_core::serde::protobuf::{FailedJob, JobStatus, job_status};
use ballista_core::{JobId, JobStatusSubscriber};
use ballista_scheduler::cluster::memory::InMemoryJobState;
use ballista_scheduler::cluster::{JobState, JobStateEventStream};
use ballista_scheduler::state::execution_graph::{ExecutionGraph, ExecutionGraphBox};
use ballista_scheduler::state::execution_stage::ExecutionStage;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::failure::{lost, sealed};

/// The jobs of a scheduler.
pub(super) struct TrustedJobs {
    jobs: InMemoryJobState,
    waiting: Mutex<HashMap<JobId, JobStatusSubscriber>>,
}

impl TrustedJobs {
    pub(super) fn new(jobs: InMemoryJobState) -> Self {
        Self { jobs, waiting: Mutex::default() }
    }

    /// Tells all who wait that their jobs have failed and can be asked again, and returns the jobs.
    pub(super) fn end(&self) -> Vec<JobId> {
        let jobs: Vec<JobId> = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        for job in &jobs {
            let failed = FailedJob { error: sealed(&lost(&"a worker of the cluster is gone")), ..FailedJob::default() };
            let status = JobStatus { job_id: job.clone().into(), status: Some(job_status::Status::Failed(failed)), ..JobStatus::default() };
            self.tell(job, status);
        }
        jobs
    }

    /// Tells whoever waits for a job how it stands, and forgets them at its end.
    fn tell(&self, job: &JobId, status: JobStatus) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = matches!(status.status, Some(job_status::Status::Successful(_) | job_status::Status::Failed(_)));
        let subscriber = if is_over { waiting.remove(job) } else { waiting.get(job).cloned() };
        // Whoever went away has cancelled the job or will.
        if let Some(subscriber) = subscriber
            && subscriber.try_send(status).is_err()
        {
            tracing::debug!(%job, "nobody waits for this job any more");
        }
    }
}

/// Whether any stage ran more than once.
fn ran_again(graph: &dyn ExecutionGraph) -> bool {
    graph.stages().values().any(|stage| match stage {
        ExecutionStage::UnResolved(stage) => stage.stage_attempt_num > 0,
        ExecutionStage::Resolved(stage) => stage.stage_attempt_num > 0,
        ExecutionStage::Running(stage) => stage.stage_attempt_num > 0,
        ExecutionStage::Successful(stage) => stage.stage_attempt_num > 0,
        ExecutionStage::Failed(_) => false,
    })
}

/// How a job stands, as far as that can be trusted.
fn trusted(graph: &dyn ExecutionGraph) -> JobStatus {
    let status = graph.status().clone();
    match status.status {
        Some(job_status::Status::Successful(done)) if ran_again(graph) => {
            let error = sealed(&lost(&"a stage of the job had to be run anew"));
            let failed = FailedJob { error, queued_at: done.queued_at, started_at: done.started_at, ended_at: done.ended_at };
            JobStatus { status: Some(job_status::Status::Failed(failed)), ..status }
        }
        standing => JobStatus { status: standing, ..status },
    }
}

#[async_trait]
impl JobState for TrustedJobs {
    fn accept_job(&self, job: &JobId, name: &str, queued_at: u64) -> ClusterResult<()> {
        self.jobs.accept_job(job, name, queued_at)
    }

    fn pending_job_number(&self) -> usize {
        self.jobs.pending_job_number()
    }

    async fn submit_job(&self, job: JobId, graph: &ExecutionGraphBox, subscriber: Option<JobStatusSubscriber>) -> ClusterResult<()> {
        self.jobs.submit_job(job.clone(), graph, None).await?;
        if let Some(subscriber) = subscriber {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(job.clone(), subscriber);
        }
        // At once, so that whoever asked knows the job and can cancel it.
        self.tell(&job, trusted(graph.as_ref()));
        Ok(())
    }

    async fn get_jobs(&self) -> ClusterResult<HashSet<JobId>> {
        self.jobs.get_jobs().await
    }

    async fn get_all_jobs(&self) -> ClusterResult<HashSet<JobId>> {
        self.jobs.get_all_jobs().await
    }

    async fn get_job_status(&self, job: &JobId) -> ClusterResult<Option<JobStatus>> {
        self.jobs.get_job_status(job).await
    }

    async fn get_execution_graph(&self, job: &JobId) -> ClusterResult<Option<ExecutionGraphBox>> {
        self.jobs.get_execution_graph(job).await
    }

    async fn save_job(&self, job: &JobId, graph: &ExecutionGraphBox) -> ClusterResult<()> {
        let saved = self.jobs.save_job(job, graph).await;
        self.tell(job, trusted(graph.as_ref()));
        saved
    }

    async fn fail_unscheduled_job(&self, job: &JobId, reason: String) -> ClusterResult<()> {
        self.jobs.fail_unscheduled_job(job, reason).await
    }

    async fn remove_job(&self, job: &JobId) -> ClusterResult<()> {
        self.jobs.remove_job(job).await
    }

    async fn try_acquire_job(&self, job: &JobId) -> ClusterResult<Option<ExecutionGraphBox>> {
        self.jobs.try_acquire_job(job).await
    }

    async fn job_state_events(&self) -> ClusterResult<JobStateEventStream> {
        self.jobs.job_state_events().await
    }

    async fn create_or_update_session(&self, session: &str, config: &SessionConfig) -> ClusterResult<Arc<SessionContext>> {
        self.jobs.create_or_update_session(session, config).await
    }

    async fn remove_session(&self, session: &str) -> ClusterResult<()> {
        self.jobs.remove_session(session).await
    }

    fn produce_config(&self) -> SessionConfig {
        self.jobs.produce_config()
    }
}
