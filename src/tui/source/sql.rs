//! Asks the store about statements and their results.

use async_trait::async_trait;

use crate::store::FeatureStore;
use crate::tui::jobs::Voice;
use crate::tui::model::sql::{Answer, Question};

/// What the browser asks.
#[async_trait]
pub(crate) trait SqlSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_sql(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl SqlSource for FeatureStore {
    async fn answer_sql(&self, question: Question, _voice: &Voice) -> Answer {
        match question {}
    }
}
