//! The demo as a user meets it: a small one, filled into a store through the public handle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use larder::model::{ErrorKind, EventTime, FeatureDefinition, FeatureName, FeatureType, GroupName, Schema, TimeMode};
use larder::store::demo::{DemoOptions, OnDemoProgress};
use larder::store::{FeatureStore, NewGroup, OpenOptions};

fn now() -> EventTime {
    EventTime::parse_text("2026-11-23T09:30:00Z", TimeMode::Strict).unwrap()
}

async fn store(folder: &std::path::Path) -> FeatureStore {
    let clock: larder::store::Clock = Arc::new(now);
    FeatureStore::open(folder, OpenOptions { create: true, clock: Some(clock), ..OpenOptions::default() }).await.unwrap()
}

fn small() -> DemoOptions {
    DemoOptions { percent: 1, ..DemoOptions::default() }
}

fn silent() -> OnDemoProgress {
    Arc::new(|_| {})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filled_store_answers_and_filling_it_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let report = store.fill_demo(&small(), silent()).await.unwrap();
    assert!(report.groups.len() >= 8 && report.features() >= 120);
    assert!(report.groups.iter().all(|group| group.rows > 100 && !group.was_there && group.late >= 16));

    let customer = store.get("customer-features", "C0042", None).await.unwrap().expect("the known customer is there");
    assert_eq!(customer.values.len(), 7);
    let mut records = 0;
    for (group, filled) in store.list_groups().await.unwrap().iter().zip(sorted_by_name(&report.groups)) {
        assert_eq!(group.name.as_str(), filled.name);
        assert!(group.owner.is_some() && group.description.is_some() && !group.tags.is_empty());
        let summary = store.group_summary(group).await.unwrap();
        if group.keeps_history() {
            assert_eq!(summary.records, filled.rows, "{}: every row is in the history once", group.name);
        }
        assert!(summary.records > 0);
        records += summary.records;
    }

    // Someone was deleted: gone online, marked in the history.
    let deleted = deleted_of(&store, "customer-features").await;
    assert_eq!(deleted.len(), 6);
    assert_eq!(store.get("customer-features", &deleted[0], None).await.unwrap(), None);

    // Its training dataset is a real one: as it was built, with features found for most of its labels.
    let dataset = store.find_dataset(&report.dataset.name).await.unwrap();
    assert_eq!((dataset.rows, report.dataset.was_there), (report.dataset.rows, false));
    assert!(dataset.matched().iter().any(|(_, matched)| *matched * 10 > dataset.rows), "{:?}", dataset.matched());
    assert!(store.verify_dataset(&dataset, None, &Default::default()).await.unwrap().matches);

    let again = store.fill_demo(&small(), silent()).await.unwrap();
    assert!(again.dataset.was_there);
    assert!(again.groups.iter().all(|group| group.was_there && group.rows == 0));
    let mut records_again = 0;
    for group in store.list_groups().await.unwrap() {
        records_again += store.group_summary(&group).await.unwrap().records;
    }
    assert_eq!(records_again, records);
    let left: Vec<_> = std::fs::read_dir(folder.path().join("spool")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    store.close().await.unwrap();
}

fn sorted_by_name(groups: &[larder::store::demo::FilledGroup]) -> Vec<&larder::store::demo::FilledGroup> {
    let mut sorted: Vec<_> = groups.iter().collect();
    sorted.sort_by(|one, two| one.name.cmp(&two.name));
    sorted
}

/// Identifiers whose newest row is a delete marker.
async fn deleted_of(store: &FeatureStore, group: &str) -> Vec<String> {
    use arrow::array::AsArray;
    use futures::TryStreamExt;
    let sql = format!("select customer_id from \"{group}\" where is_deleted order by customer_id");
    let batches: Vec<_> = store.query(&sql, None).await.unwrap().try_collect().await.unwrap();
    batches
        .iter()
        .flat_map(|batch| batch.column(0).as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect::<Vec<_>>())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_the_users_own_is_never_touched() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let feature = |name: &str| FeatureDefinition::new(FeatureName::parse(name).unwrap(), FeatureType::String);
    let schema = Schema::new(vec![feature("id"), feature("at")], "id", "at").unwrap();
    store.create_group(NewGroup::new(GroupName::parse("Product-Features").unwrap(), schema)).await.unwrap();
    let error = store.fill_demo(&small(), silent()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
    assert_eq!(store.list_groups().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fill_that_was_stopped_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let cancel = Arc::new(AtomicBool::new(false));
    let options = DemoOptions { cancel: cancel.clone(), ..small() };
    let seen: OnDemoProgress = Arc::new(move |step| {
        if step.group == "support-features" {
            cancel.store(true, Ordering::Relaxed);
        }
    });
    let error = store.fill_demo(&options, seen).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    let made = store.list_groups().await.unwrap().len();
    let report = store.fill_demo(&small(), silent()).await.unwrap();
    assert_eq!(report.groups.iter().filter(|group| group.was_there).count(), made);
    assert_eq!(store.list_groups().await.unwrap().len(), report.groups.len());
}
