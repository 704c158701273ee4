//! Asks the store about training datasets.

use async_trait::async_trait;

use crate::store::FeatureStore;
use crate::tui::jobs::Voice;
use crate::tui::model::datasets::{Answer, Question};

/// What the browser asks.
#[async_trait]
pub(crate) trait DatasetsSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_datasets(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl DatasetsSource for FeatureStore {
    async fn answer_datasets(&self, question: Question, _voice: &Voice) -> Answer {
        match question {}
    }
}
