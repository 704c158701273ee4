//! Tasks that fail in our words: what a worker finds wrong reaches whoever asked as one sentence with its remedy.
//!
//! Faults of the cluster itself, such as rows that another worker no longer has, pass unchanged: by them the scheduler knows
//! what to do again.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::serde::protobuf::{RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport};
use ballista_executor::execution_engine::{ExecutionEngine, QueryStageExecutor};
use datafusion::arrow::error::ArrowError;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::prelude::SessionConfig;

use super::failure::sealed;
use crate::dataset::failure::from_engine;
use crate::model::Error;

/// Runs tasks as another does, and tells why they fail.
pub(super) struct TellingEngine<E>(pub(super) E);

impl<E: ExecutionEngine> ExecutionEngine for TellingEngine<E> {
    fn create_query_stage_exec(
        &self,
        job: JobId,
        stage: usize,
        task: usize,
        partitions: Vec<usize>,
        plan: Arc<dyn ExecutionPlan>,
        folder: &str,
        config: &SessionConfig,
    ) -> EngineResult<Arc<dyn QueryStageExecutor>> {
        let stage = self.0.create_query_stage_exec(job, stage, task, partitions, plan, folder, config).map_err(told)?;
        Ok(Arc::new(TellingStage(stage)))
    }
}

#[derive(Debug)]
struct TellingStage(Arc<dyn QueryStageExecutor>);

impl fmt::Display for TellingStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[async_trait]
impl QueryStageExecutor for TellingStage {
    async fn execute_query_stage(&self, task: usize, context: Arc<TaskContext>) -> EngineResult<Vec<ShuffleWritePartition>> {
        self.0.execute_query_stage(task, context).await.map_err(told)
    }

    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        self.0.collect_plan_metrics()
    }

    fn collect_runtime_stats_reports(&self) -> Vec<RuntimeStatsReport> {
        self.0.collect_runtime_stats_reports()
    }

    fn collect_window_state_reports(&self) -> EngineResult<Vec<WindowStateReport>> {
        self.0.collect_window_state_reports()
    }

    fn collect_column_stats(&self) -> Vec<TaskColumnStats> {
        self.0.collect_column_stats()
    }
}

/// The error in our words, where it is about the question or its data.
fn told(error: DataFusionError) -> DataFusionError {
    let is_of_the_question = match error.find_root() {
        DataFusionError::External(source) => source.is::<Error>(),
        DataFusionError::ArrowError(error, _) => !matches!(error.as_ref(), ArrowError::ExternalError(_) | ArrowError::IoError(..)),
        DataFusionError::Execution(_) | DataFusionError::ResourcesExhausted(_) | DataFusionError::ParquetError(_) => true,
        _ => false,
    };
    if is_of_the_question { DataFusionError::Execution(sealed(&from_engine(error))) } else { error }
}
