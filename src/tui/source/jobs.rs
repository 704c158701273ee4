//! Asks the store what runs and what ran, and flushes.

use async_trait::async_trait;

use crate::store::FeatureStore;
use crate::tui::jobs::Voice;
use crate::tui::model::jobs::{Answer, Question, Run};
use crate::tui::model::remote::ErrorText;

/// Runs that are read.
const RUNS: u32 = 500;

/// What the browser asks.
#[async_trait]
pub(crate) trait JobsSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_jobs(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl JobsSource for FeatureStore {
    async fn answer_jobs(&self, question: Question, _voice: &Voice) -> Answer {
        match question {
            Question::Runs => {
                let runs = self.runs(RUNS).await.map(|runs| runs.iter().map(run).collect());
                Answer::Runs(runs.map_err(|error| ErrorText::from(&error)))
            }
            Question::Flush => {
                let flushed = self
                    .flush(&[])
                    .await
                    .map(|reports| reports.iter().fold((0, 0), |(rows, files), (_, report)| (rows + report.rows, files + report.files)));
                Answer::Flushed(flushed.map_err(|error| ErrorText::from(&error)))
            }
        }
    }
}

fn run(run: &crate::store::Run) -> Run {
    Run {
        id: run.id.to_string(),
        kind: run.kind.as_str(),
        group: run.group_name.clone(),
        state: run.state.as_str(),
        rows: (run.counts.rows, run.counts.accepted, run.counts.rejected),
        started: run.started.unix_micros(),
        updated: run.finished.unwrap_or(run.updated).unix_micros(),
        message: run.message.clone(),
    }
}
