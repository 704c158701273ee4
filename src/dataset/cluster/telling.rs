//! Tasks that fail in our words: what a worker finds wrong reaches whoever asked as one sentence with its remedy.
//!
//! Rows that another worker no longer has are told so, too. The scheduler would run again what it takes for the missing part,
//! and was seen to take the wrong one, which doubles rows; whoever asked runs the whole job again instead (see [`super::submit`]).
//! Other faults of a machine pass unchanged: by them the scheduler knows to try a task again.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::error::BallistaError;
use ballista_core::serde::protobuf::{RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport};
use ballista_executor::execution_engine::{ExecutionEngine, QueryStageExecutor};
use datafusion::arrow::error::ArrowError;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::prelude::SessionConfig;

use super::failure::{lost, sealed};
use crate::dataset::failure::{from_engine, from_shared};
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

/// Whether rows of an earlier stage could not be fetched.
fn is_lost(error: &(dyn std::error::Error + 'static)) -> bool {
    match error.downcast_ref::<BallistaError>() {
        Some(BallistaError::FetchFailed(..)) => true,
        Some(BallistaError::DataFusionError(inner)) => is_lost(inner.as_ref()),
        _ => error.source().is_some_and(is_lost),
    }
}

/// What is wrong with a value, where Ballista has wrapped it in an error of its own.
fn of_values(error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    match error.downcast_ref::<BallistaError>() {
        Some(BallistaError::ArrowError(error)) if !matches!(error.as_ref(), ArrowError::ExternalError(_) | ArrowError::IoError(..)) => {
            Some(Error::invalid("the query failed").why(error.to_string()))
        }
        Some(BallistaError::DataFusionError(inner)) => of_values(inner.as_ref()),
        _ => error.source().and_then(of_values),
    }
}

/// The engine's own error, where Ballista has taken it into one of its own.
fn innermost(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Shared(shared) => innermost(shared),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => innermost(inner),
        DataFusionError::External(source) => match (source.downcast_ref::<DataFusionError>(), source.downcast_ref::<BallistaError>()) {
            (Some(inner), _) => innermost(inner),
            (None, Some(BallistaError::DataFusionError(inner))) => innermost(inner),
            _ => error,
        },
        _ => error,
    }
}

/// The error in our words, where it is about the question or its data.
fn told(error: DataFusionError) -> DataFusionError {
    if is_lost(&error) {
        return DataFusionError::Execution(sealed(&lost(&error)));
    }
    if let Some(own) = of_values(&error) {
        return DataFusionError::Execution(sealed(&own));
    }
    let found = innermost(&error);
    let is_of_the_question = match found.find_root() {
        DataFusionError::External(source) => source.is::<Error>(),
        DataFusionError::ObjectStore(error) => error.source().is_some_and(|source| source.is::<Error>()),
        DataFusionError::ArrowError(error, _) => !matches!(error.as_ref(), ArrowError::ExternalError(_) | ArrowError::IoError(..)),
        DataFusionError::Execution(_) | DataFusionError::ResourcesExhausted(_) | DataFusionError::ParquetError(_) => true,
        _ => false,
    };
    match is_of_the_question {
        true if std::ptr::eq(found, &error) => DataFusionError::Execution(sealed(&from_engine(error))),
        true => DataFusionError::Execution(sealed(&from_shared(found))),
        false => error,
    }
}
