//! Hands a plan to a scheduler, waits for its word, and fetches the rows of its last stage from the workers.
//!
//! A job that nobody waits for any more is cancelled: dropping the rows says so to the scheduler, before anything else of
//! this process ends. When a worker dies, the whole job is run again, as long as no row was handed on.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use ballista_core::BALLISTA_VERSION;
use ballista_core::client::BallistaClient;
use ballista_core::extension::{BallistaGrpcMetadataInterceptor, SessionConfigExt};
use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{CancelJobParams, ExecuteQueryParams, KeyValuePair, PartitionLocation, job_status};
use ballista_core::utils::{GrpcClientConfig, create_grpc_client_endpoint};
use ballista_core::version::BALLISTA_VERSION_HEADER;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionConfig;
use datafusion_proto::physical_plan::{AsExecutionPlan, PhysicalExtensionCodec};
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::StreamExt;
use uuid::Uuid;

use super::{MAX_MESSAGE, failure};
use crate::dataset::failure::{from_engine, into_engine};
use crate::model::{Error, ErrorKind, Result};

/// How often a job is run at most.
const ATTEMPTS: usize = 4;
/// How long the end of this process waits for a job to be cancelled.
const FAREWELL: Duration = Duration::from_secs(3);

/// Starts a plan on a cluster; rows come as the stream is polled.
pub(super) fn submit(
    scheduler: SocketAddr,
    plan: &Arc<dyn ExecutionPlan>,
    config: &SessionConfig,
    codec: &dyn PhysicalExtensionCodec,
) -> Result<SendableRecordBatchStream> {
    let unable = |error: datafusion::error::DataFusionError| {
        Error::usage("this statement can't run on a cluster").why(from_engine(error).to_string()).remedy("leave --cluster out")
    };
    let message = PhysicalPlanNode::try_from_physical_plan(plan.clone(), codec).map_err(unable)?;
    let mut bytes = Vec::new();
    message.try_encode(&mut bytes).map_err(unable)?;
    let settings = config.options().entries().into_iter().map(|entry| KeyValuePair { key: entry.key, value: entry.value });
    let question = Question {
        scheduler,
        plan: bytes,
        settings: settings.collect(),
        grpc: GrpcClientConfig::from(&config.ballista_config()),
        session: Uuid::now_v7().to_string(),
    };
    let answer = Answer { question, locations: VecDeque::new(), current: None, attempt: 0, is_running: false, has_answered: false };
    let rows = futures::stream::try_unfold(answer, |mut answer| async move {
        let batch = answer.next().await.map_err(into_engine)?;
        Ok(batch.map(|batch| (batch, answer)))
    });
    Ok(Box::pin(RecordBatchStreamAdapter::new(plan.schema(), rows)))
}

type Client = SchedulerGrpcClient<tonic_service::Intercepted>;

/// The client's type, which its crate does not name.
mod tonic_service {
    use ballista_core::extension::BallistaGrpcMetadataInterceptor;

    pub(super) type Intercepted =
        tonic::service::interceptor::InterceptedService<tonic::transport::Channel, BallistaGrpcMetadataInterceptor>;
}

/// What is asked, as often as it takes.
struct Question {
    scheduler: SocketAddr,
    plan: Vec<u8>,
    settings: Vec<KeyValuePair>,
    grpc: GrpcClientConfig,
    session: String,
}

async fn connect(scheduler: SocketAddr, grpc: &GrpcClientConfig) -> Result<Client> {
    let fault = |error: &(dyn std::error::Error + 'static)| failure::unreachable(scheduler, failure::deepest(error));
    let endpoint = create_grpc_client_endpoint(format!("http://{scheduler}"), Some(grpc)).map_err(|error| fault(&error))?;
    let channel = endpoint.connect().await.map_err(|error| fault(&error))?;
    let version = HashMap::from([(BALLISTA_VERSION_HEADER.to_owned(), BALLISTA_VERSION.to_owned())]);
    let client = SchedulerGrpcClient::with_interceptor(channel, BallistaGrpcMetadataInterceptor::new(version));
    Ok(client.max_encoding_message_size(MAX_MESSAGE as usize).max_decoding_message_size(MAX_MESSAGE as usize))
}

impl Question {
    /// Runs the job and returns where the rows of its last stage lie.
    async fn ask(&self) -> Result<VecDeque<PartitionLocation>> {
        let fault = |error: &dyn std::fmt::Display| failure::unreachable(self.scheduler, error);
        let mut client = connect(self.scheduler, &self.grpc).await?;
        let query = ExecuteQueryParams {
            session_id: self.session.clone(),
            settings: self.settings.clone(),
            operation_id: Uuid::now_v7().to_string(),
            query: Some(Query::PhysicalPlan(self.plan.clone())),
        };
        let mut standing = client.execute_query_push(query).await.map_err(|status| fault(&status.message()))?.into_inner();
        let mut running = Running { job: None, scheduler: self.scheduler };
        // Only what is told unasked has passed the scheduler's own doubts.
        while let Some(told) = standing.next().await {
            let Some(status) = told.map_err(|status| fault(&status.message()))?.status else { continue };
            running.job = Some(status.job_id);
            match status.status {
                Some(job_status::Status::Successful(done)) => {
                    running.job = None;
                    return Ok(done.partition_location.into());
                }
                // It may be that only its answer is not wanted any more; then it is cancelled on the way out.
                Some(job_status::Status::Failed(failed)) => return Err(failure::failed(&failed.error)),
                Some(job_status::Status::Queued(_) | job_status::Status::Running(_)) | None => {}
            }
        }
        Err(failure::failed("the scheduler went away"))
    }
}

/// A job that is cancelled when this goes.
struct Running {
    job: Option<String>,
    scheduler: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(job_id) = self.job.take() else { return };
        let scheduler = self.scheduler;
        // On a runtime of its own, and waited for: the one that polled us may be about to end with the process.
        let cancel = move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
            let told = runtime.block_on(async {
                let telling = async {
                    let mut client = connect(scheduler, &GrpcClientConfig::default()).await.ok()?;
                    client.cancel_job(CancelJobParams { job_id }).await.ok()
                };
                tokio::time::timeout(FAREWELL, telling).await
            });
            if !matches!(told, Ok(Some(_))) {
                tracing::warn!(%scheduler, "a job that nobody waits for could not be cancelled");
            }
        };
        // A thread that panicked has no more to say.
        let _ = std::thread::spawn(cancel).join();
    }
}

/// The rows of a job.
struct Answer {
    question: Question,
    /// Partitions of the last stage that were not fetched yet.
    locations: VecDeque<PartitionLocation>,
    current: Option<SendableRecordBatchStream>,
    attempt: usize,
    is_running: bool,
    /// Whether rows were handed on: then the job can't be run again.
    has_answered: bool,
}

impl Answer {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            match self.attempt().await {
                Ok(batch) => {
                    self.has_answered |= batch.is_some();
                    return Ok(batch);
                }
                Err(error) if error.kind() == ErrorKind::Conflict && !self.has_answered && self.attempt < ATTEMPTS => {
                    tracing::info!(%error, "the job is run again");
                    self.is_running = false;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn attempt(&mut self) -> Result<Option<RecordBatch>> {
        if !self.is_running {
            self.start().await?;
        }
        self.fetch().await
    }

    async fn start(&mut self) -> Result<()> {
        self.attempt += 1;
        self.current = None;
        self.locations = self.question.ask().await?;
        self.is_running = true;
        Ok(())
    }

    async fn fetch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(rows) = &mut self.current {
                match rows.next().await {
                    Some(batch) => return batch.map(Some).map_err(|error| failure::lost(&error)),
                    None => self.current = None,
                }
            }
            let Some(location) = self.locations.pop_front() else { return Ok(None) };
            self.current = Some(open(location).await?);
        }
    }
}

/// The rows of one partition, from the worker that has them.
async fn open(location: PartitionLocation) -> Result<SendableRecordBatchStream> {
    let layout = location.layout();
    let (Some(worker), Some(partition)) = (location.executor_meta, location.partition_id) else {
        return Err(failure::failed("the scheduler doesn't say where the rows are"));
    };
    let port = u16::try_from(worker.port).unwrap_or_default();
    let client = BallistaClient::try_new(&worker.host, port, MAX_MESSAGE as usize, false, None, 1, 100, 0, 0).await;
    let mut client = client.map_err(|error| failure::lost(&error))?;
    client.fetch_partition(&worker.id, &partition.into(), location.file_id, layout, true).await.map_err(|error| failure::lost(&error))
}
