//! Asks the store about what values look like and how far they drifted: the tabs Stats and Drift.

use async_trait::async_trait;

use crate::store::FeatureStore;
use crate::tui::jobs::Voice;
use crate::tui::model::statistics::{Answer, Question};

/// What the browser asks.
#[async_trait]
pub(crate) trait StatisticsSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_statistics(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl StatisticsSource for FeatureStore {
    async fn answer_statistics(&self, question: Question, _voice: &Voice) -> Answer {
        match question {}
    }
}
