//! Asks the store about what runs and what ran.

use async_trait::async_trait;

use crate::store::FeatureStore;
use crate::tui::jobs::Voice;
use crate::tui::model::jobs::{Answer, Question};

/// What the browser asks.
#[async_trait]
pub(crate) trait JobsSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_jobs(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl JobsSource for FeatureStore {
    async fn answer_jobs(&self, question: Question, _voice: &Voice) -> Answer {
        match question {}
    }
}
