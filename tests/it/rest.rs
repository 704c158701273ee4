//! Questions come to rest: asked again about a store that stays as it is, they write nothing.
//!
//! Whoever shows a store and asks anew at each change (the browser does) would otherwise be woken by its own questions for ever, and two
//! of them by each other's.

use std::sync::Arc;

use larder::store::demo::DemoOptions;
use larder::store::lineage::{Change, LineageQuestion};
use larder::store::statistics::{BaselineChoice, DriftOptions, Population, StatisticsOptions, StatisticsWatch};
use larder::store::{FeatureStore, GroupUpdate, OpenOptions};

/// Everything that a screen asks again when the store has changed.
async fn ask_all(store: &FeatureStore) {
    let groups = store.list_groups().await.unwrap();
    store.group_summaries(&groups).await.unwrap();
    store.feature_evidence().await.unwrap();
    store.list_datasets(true).await.unwrap();
    store.runs(100).await.unwrap();
    for group in groups.iter().map(|group| group.name.as_str()).filter(|name| name.starts_with("customer")) {
        for population in [Population::Events, Population::Latest] {
            store.statistics(group, &StatisticsOptions::of(population)).await.unwrap();
        }
        store.statistics_by_day(group, None).await.unwrap();
        for baseline in [BaselineChoice::Previous, BaselineChoice::Weekday] {
            let options = DriftOptions { baseline, days: None, features: Vec::new(), max_age: None, watch: StatisticsWatch::default() };
            store.drift(group, &options).await.unwrap();
        }
        store.lineage(&LineageQuestion::about(group)).await.unwrap();
        store.impact(group, Change::Remove).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_asked_again_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::open(folder.path(), OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap();
    store.fill_demo(&DemoOptions { percent: 5, ..DemoOptions::default() }, Arc::new(|_| {})).await.unwrap();
    ask_all(&store).await;
    let rest = store.changes().await.unwrap();
    ask_all(&store).await;
    assert_eq!(store.changes().await.unwrap(), rest, "a question that was asked before wrote something");
    let update = GroupUpdate { owner: Some(None), ..GroupUpdate::default() };
    store.update_group("customer-features", &update).await.unwrap();
    assert_ne!(store.changes().await.unwrap(), rest, "a change shows");
    store.close().await.unwrap();
}
