//! Writes what people say about groups and features: of those of this store into their definitions, of those that a source tells of as notes
//! over what it says.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use crate::model::{ErrorKind, Result};
use crate::store::FeatureStore;
use crate::store::{FeatureUpdate, GroupUpdate};
use crate::sync::{annotate, synced_groups};
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
    let is_told_of = match store.group(group).await {
        Err(error) if error.kind() == ErrorKind::NotFound => !synced_groups(store, Some(group)).await?.is_empty(),
        _ => false,
    };
    let path_of = |what: &str| feature.as_ref().map_or_else(|| what.to_owned(), |name| format!("features.{name}.{what}"));
    // What was not noted before was the source's word, which shows again once there is no note.
    let is_to_go = |path: String| is_told_of && question.undoes && !question.noted.contains(&path);
    let text_of = |what: &str, text: &Option<String>| Some(text.clone().filter(|_| !is_to_go(path_of(what))));
    let pairs_of = |what: &str, pairs: &Pairs| {
        let (added, mut removed) = changed(&question.before, pairs);
        let (gone, added): (Pairs, Pairs) = added.into_iter().partition(|(key, _)| is_to_go(path_of(&format!("{what}.{key}"))));
        removed.extend(gone.into_keys());
        (added, removed)
    };
    let (mut of_group, mut of_feature) = (GroupUpdate::default(), FeatureUpdate::default());
    match (feature, written) {
        (None, Written::Description(text)) => of_group.description = text_of("description", text),
        (None, Written::Owner(owner)) => of_group.owner = text_of("owner", owner),
        (None, Written::Tags(tags)) => (of_group.add_tags, of_group.remove_tags) = pairs_of("tags", tags),
        (Some(_), Written::Description(text)) => of_feature.description = text_of("description", text),
        (Some(_), Written::Tags(pairs)) => (of_feature.add_parameters, of_feature.remove_parameters) = pairs_of("parameters", pairs),
        // Features have no owner of their own.
        (Some(_), Written::Owner(_)) => return Ok(()),
    }
    let of_feature = feature.as_deref().map(|name| (name, &of_feature));
    match of_feature {
        _ if is_told_of => drop(annotate(store, group, &of_group, of_feature).await?),
        Some((name, change)) => drop(store.update_feature(group, name, change).await?),
        None => drop(store.update_group(group, &of_group).await?),
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
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::atomic::AtomicBool;

    use crate::store::OpenOptions;
    use crate::sync::{NewSource, SyncOptions, add_source, sync};

    #[test]
    fn only_what_was_changed_is_written() {
        let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Pairs>();
        let before = Written::Tags(pairs(&[("kept", "1"), ("changed", "1"), ("gone", "1")]));
        let (added, removed) = changed(&before, &pairs(&[("kept", "1"), ("changed", "2"), ("new", "1")]));
        assert_eq!(added, pairs(&[("changed", "2"), ("new", "1")]));
        assert_eq!(removed, BTreeSet::from(["gone".to_owned()]));
    }

    const FILE: &str = "\
apiVersion: larder/v1
kind: FeatureGroup
name: trips
owner: team:mobility
tags: {domain: transport}
record_identifier: id
event_time: at
features:
  - {name: id, type: String}
  - {name: at, type: String}
  - {name: fare, type: Integral, description: Meter fare, parameters: {unit: usd}}
";

    /// A store whose only group is told of by a folder of definition files.
    async fn reader(folder: &std::path::Path) -> FeatureStore {
        let files = folder.join("git");
        std::fs::create_dir(&files).unwrap();
        std::fs::write(files.join("trips.larder.yaml"), FILE).unwrap();
        let options = OpenOptions { create: true, ..OpenOptions::default() };
        let store = FeatureStore::open(folder.join("store"), options).await.unwrap();
        let source = NewSource {
            name: "git".into(),
            kind: "definitions".into(),
            location: files.to_string_lossy().into_owned(),
            options: BTreeMap::new(),
            priority: 0,
        };
        add_source(&store, source).await.unwrap();
        sync(&store, &SyncOptions::default(), &AtomicBool::new(false)).await.unwrap();
        store
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_written_about_a_group_of_a_source_is_a_note_and_its_undo_takes_it_away() {
        let folder = tempfile::tempdir().unwrap();
        let store = reader(folder.path()).await;
        let seen = async || synced_groups(&store, Some("trips")).await.unwrap().remove(0);
        let pairs = |pairs: &[(&str, &str)]| Written::Tags(pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect());
        let owner = |owner: &str| Written::Owner(Some(owner.into()));
        for (feature, before, after) in [
            (None, owner("team:mobility"), owner("us")),
            (None, pairs(&[("domain", "transport")]), pairs(&[("domain", "taxis"), ("stage", "prod")])),
            (Some("fare"), Written::Description(Some("Meter fare".into())), Written::Description(Some("With tips".into()))),
            (Some("fare"), pairs(&[("unit", "usd")]), pairs(&[("unit", "eur")])),
        ] {
            let told = seen().await;
            let edit = Edit { group: "trips".into(), feature: feature.map(str::to_owned), written: after };
            let question = Question { edit, before, undoes: false, noted: told.local.clone() };
            write(&store, &question).await.unwrap();
            let noted = seen().await;
            assert!(noted.group != told.group && !noted.local.is_empty(), "{question:?}");
            write(&store, &question.undone()).await.unwrap();
            let undone = seen().await;
            assert_eq!((undone.group, undone.local), (told.group, Vec::new()), "{question:?}");
        }
        // What was noted before comes back as the note it was.
        let edit = |written| Edit { group: "trips".into(), feature: None, written };
        let first = Question { edit: edit(owner("us")), before: owner("team:mobility"), undoes: false, noted: Vec::new() };
        write(&store, &first).await.unwrap();
        let second = Question { edit: edit(owner("them")), before: owner("us"), undoes: false, noted: seen().await.local };
        write(&store, &second).await.unwrap();
        write(&store, &second.undone()).await.unwrap();
        assert_eq!((seen().await.group.owner.as_deref(), seen().await.local), (Some("us"), vec!["owner".to_owned()]));
        let nobody = Question { edit: Edit { group: "nobody".into(), ..first.edit.clone() }, ..first };
        assert_eq!(write(&store, &nobody).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
