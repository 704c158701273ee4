//! Asks the store about records of any group: the chooser, and what is written.

use async_trait::async_trait;

use crate::store::FeatureStore;
use crate::tui::jobs::Voice;
use crate::tui::model::online::{Answer, Question};

/// What the browser asks.
#[async_trait]
pub(crate) trait OnlineSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_online(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl OnlineSource for FeatureStore {
    async fn answer_online(&self, question: Question, _voice: &Voice) -> Answer {
        match question {}
    }
}
