//! Asks the store about the graph around a node.

use async_trait::async_trait;

use crate::store::FeatureStore;
use crate::tui::jobs::Voice;
use crate::tui::model::lineage::{Answer, Question};

/// What the browser asks.
#[async_trait]
pub(crate) trait LineageSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_lineage(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl LineageSource for FeatureStore {
    async fn answer_lineage(&self, question: Question, _voice: &Voice) -> Answer {
        match question {}
    }
}
