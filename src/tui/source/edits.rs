//! Writes what people say about groups and features.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use crate::model::Result;
use crate::store::FeatureStore;
use crate::store::{FeatureUpdate, GroupUpdate};
use crate::tui::model::edits::{Answer, Edit, Question, Written};
use crate::tui::model::remote::ErrorText;

/// Keys with values.
type Pairs = BTreeMap<String, String>;

/// What the browser asks.
#[async_trait]
pub(crate) trait EditsSource: Send + Sync + 'static {
    /// Writes a change.
    async fn answer_edits(&self, question: Question) -> Answer;
}

#[async_trait]
impl EditsSource for FeatureStore {
    async fn answer_edits(&self, question: Question) -> Answer {
        match write(self, &question).await {
            Ok(()) => Answer::Done(question),
            Err(error) => Answer::Failed(ErrorText::from(&error)),
        }
    }
}

async fn write(store: &FeatureStore, question: &Question) -> Result<()> {
    let Edit { group, feature, written } = &question.edit;
    match feature {
        None => {
            let mut update = GroupUpdate::default();
            match written {
                Written::Description(text) => update.description = Some(text.clone()),
                Written::Owner(owner) => update.owner = Some(owner.clone()),
                Written::Tags(tags) => (update.add_tags, update.remove_tags) = changed(&question.before, tags),
            }
            store.update_group(group, &update).await?;
        }
        Some(feature) => {
            let mut update = FeatureUpdate::default();
            match written {
                Written::Description(text) => update.description = Some(text.clone()),
                // Features have no owner of their own.
                Written::Owner(_) => return Ok(()),
                Written::Tags(tags) => (update.add_parameters, update.remove_parameters) = changed(&question.before, tags),
            }
            store.update_feature(group, feature, &update).await?;
        }
    }
    Ok(())
}

/// What is to be added or replaced, and what removed, to come from one set of pairs to another.
fn changed(before: &Written, after: &Pairs) -> (Pairs, BTreeSet<String>) {
    let nothing = Pairs::new();
    let before = if let Written::Tags(before) = before { before } else { &nothing };
    let added = after.iter().filter(|(key, value)| before.get(*key) != Some(value)).map(|(key, value)| (key.clone(), value.clone()));
    (added.collect(), before.keys().filter(|key| !after.contains_key(*key)).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_changed_is_written() {
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Pairs>();
        let before = Written::Tags(pairs(&[("kept", "1"), ("changed", "1"), ("gone", "1")]));
        let (added, removed) = changed(&before, &pairs(&[("kept", "1"), ("changed", "2"), ("new", "1")]));
        assert_eq!(added, pairs(&[("changed", "2"), ("new", "1")]));
        assert_eq!(removed, BTreeSet::from(["gone".to_owned()]));
    }
}
