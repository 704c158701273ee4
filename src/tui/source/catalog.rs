//! Asks the store what is known of features at a glance, and more of the one under the cursor.

use async_trait::async_trait;

use super::statistics::feature_numbers;
use crate::store::{FeatureEvidence, FeatureStore};
use crate::tui::model::catalog::{Answer, Evidence, Line, Question};
use crate::tui::model::remote::ErrorText;
use crate::tui::model::statistics::Level;

/// What the browser asks.
#[async_trait]
pub(crate) trait CatalogSource: Send + Sync + 'static {
    /// Answers.
    async fn answer_catalog(&self, question: Question) -> Answer;
}

#[async_trait]
impl CatalogSource for FeatureStore {
    async fn answer_catalog(&self, question: Question) -> Answer {
        let text = |error| ErrorText::from(&error);
        match question {
            Question::Evidence => {
                let found = self.feature_evidence().await.map_err(text);
                let lines = |found: crate::store::EvidenceByGroup| {
                    found.into_iter().map(|(group, of)| (group, of.into_iter().map(|(name, of)| (name, line(of))).collect())).collect()
                };
                Answer::Evidence(found.map(|found| Evidence { lines: lines(found) }))
            }
            Question::Figures((group, feature)) => {
                let found = self.kept_statistics(&group, &feature).await.map_err(text);
                Answer::Figures(found.map(|found| Box::new(found.as_ref().map(feature_numbers))))
            }
        }
    }
}

fn line(known: FeatureEvidence) -> Line {
    let level = |level: &str| match level {
        "alert" => Some(Level::Alert),
        "watch" => Some(Level::Watch),
        "ok" => Some(Level::Ok),
        _ => None,
    };
    Line {
        nulls: (known.rows > 0).then_some((known.nulls, known.rows)),
        shape: known.shape,
        drift: known.drift.as_deref().and_then(level),
        readers: known.readers,
    }
}
