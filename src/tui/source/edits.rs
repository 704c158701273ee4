//! Writes what people say about groups and features.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::model::Result;
use crate::store::FeatureStore;
use crate::store::{FeatureUpdate, GroupUpdate};
use crate::tui::model::edits::{Answer, Edit, Question, Written};
use crate::tui::model::remote::ErrorText;

/// What the browser asks.
#[async_trait]
pub(crate) trait EditsSource: Send + Sync + 'static {
    /// Writes a change.
    async fn answer_edits(&self, question: Question) -> Answer;
}

#[async_trait]
impl EditsSource for FeatureStore {
    async fn answer_edits(&self, question: Question) -> Answer {
        match write(self, &question.edit).await {
            Ok(()) => Answer::Done(question),
            Err(error) => Answer::Failed(ErrorText::from(&error)),
        }
    }
}

async fn write(store: &FeatureStore, edit: &Edit) -> Result<()> {
    let group = store.group(&edit.group).await?;
    match &edit.feature {
        None => {
            let mut update = GroupUpdate::default();
            match &edit.written {
                Written::Description(text) => update.description = Some(text.clone()),
                Written::Owner(owner) => update.owner = Some(owner.clone()),
                Written::Tags(tags) => {
                    update.remove_tags = gone(&group.tags, tags);
                    update.add_tags = tags.clone();
                }
            }
            store.update_group(&edit.group, &update).await?;
        }
        Some(feature) => {
            let mut update = FeatureUpdate::default();
            match &edit.written {
                Written::Description(text) => update.description = Some(text.clone()),
                Written::Owner(_) => return Ok(()),
                Written::Tags(parameters) => {
                    let known = group.schema.features().iter().find(|known| known.name.as_str() == feature);
                    update.remove_parameters = known.map(|known| gone(&known.parameters, parameters)).unwrap_or_default();
                    update.add_parameters = parameters.clone();
                }
            }
            store.update_feature(&edit.group, feature, &update).await?;
        }
    }
    Ok(())
}

fn gone(before: &std::collections::BTreeMap<String, String>, after: &std::collections::BTreeMap<String, String>) -> BTreeSet<String> {
    before.keys().filter(|key| !after.contains_key(*key)).cloned().collect()
}
