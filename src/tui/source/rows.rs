//! Asks the store about the rows and files of a group: the tabs Data and Files.

use async_trait::async_trait;

use crate::store::FeatureStore;
use crate::tui::jobs::Voice;
use crate::tui::model::rows::{Answer, Question};

/// What the browser asks.
#[async_trait]
pub(crate) trait RowsSource: Send + Sync + 'static {
    /// Answers; may say partial answers before.
    async fn answer_rows(&self, question: Question, voice: &Voice) -> Answer;
}

#[async_trait]
impl RowsSource for FeatureStore {
    async fn answer_rows(&self, question: Question, _voice: &Voice) -> Answer {
        match question {}
    }
}
