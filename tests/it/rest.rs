//! Questions come to rest: asked again about a store that stays as it is, they write nothing.
//!
//! Whoever shows a store and asks anew at each change (the browser does) would otherwise be woken by its own questions for ever, and two
//! of them by each other's.

use std::sync::Arc;

use futures::StreamExt;
use larder::store::demo::DemoOptions;
use larder::store::lineage::{Change, LineageQuestion};
use larder::store::statistics::{BaselineChoice, DriftOptions, Population, StatisticsOptions, StatisticsWatch};
use larder::store::{FeatureStore, GroupUpdate, OpenOptions, RowQuery};

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
        for change in Change::ALL {
            store.impact(group, change).await.unwrap();
        }
        look_at_rows(store, group).await;
        store.datasets_using(group, None).await.unwrap();
        store.documentation(Some(group)).await.unwrap();
        store.usage_days(&store.group(group).await.unwrap()).await.unwrap();
        store.baselines(group).await.unwrap();
    }
}

/// Rows by place and by a condition, and the files they lie in. The rows are all there, whichever way one looks.
async fn look_at_rows(store: &FeatureStore, group: &str) {
    let all = store.rows_at(group, 0, 7).await.unwrap().total;
    let mut rows = 0;
    for from in (0..all).step_by(500) {
        rows += store.rows_at(group, from, 500).await.unwrap().batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
    }
    assert_eq!(rows, all, "every row has a place");
    let files = store.files(group).await.unwrap();
    let in_files: u64 = files.files.iter().filter_map(|file| file.rows).sum();
    assert_eq!(in_files + files.waiting, all);
    assert!(files.files.iter().all(|file| file.version.is_some()), "the log says which version added each");
    let query = RowQuery { condition: Some("customer_id = 'C0001' -- one of them".to_owned()), order: None };
    let mut found = store.rows_where(group, &query, 10_000).await.unwrap();
    let mut of_one = 0;
    while let Some(batch) = found.next().await {
        of_one += batch.unwrap().num_rows();
    }
    assert!(of_one > 0 && (of_one as u64) < all, "{of_one} of {all}");
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
