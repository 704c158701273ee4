//! A whole store over Redis: look-ups agree with the history, what Redis lost comes back, servers side by side.

use std::path::Path;
use std::time::{Duration, Instant};

use larder::model::{ErrorKind, FeatureDefinition, FeatureName, FeatureType, GroupName, RawValue, Schema};
use larder::store::{DeleteOptions, FeatureChange, FeatureStore, NewGroup, OnlineEffect, OpenOptions, PutOptions, Settings};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::server::{Redis, options};

pub const GROUP: &str = "orders";

pub fn settings(redis: &Redis) -> Settings {
    Settings { redis: Some(options(&redis.url())), ..Settings::default() }
}

async fn open(folder: &Path, redis: &Redis) -> FeatureStore {
    FeatureStore::open(folder, OpenOptions { create: true, settings: Some(settings(redis)), ..OpenOptions::default() }).await.unwrap()
}

pub fn new_group() -> NewGroup {
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    let features = vec![feature("id", FeatureType::String), feature("at", FeatureType::Fractional), feature("value", FeatureType::String)];
    NewGroup::new(GroupName::parse(GROUP).unwrap(), Schema::new(features, "id", "at").unwrap())
}

pub fn pairs(identifier: &str, seconds: i64, text: &str) -> Vec<(String, RawValue)> {
    [("id", identifier.to_owned()), ("at", seconds.to_string()), ("value", text.to_owned())]
        .map(|(name, text)| (name.to_owned(), RawValue::Text(text)))
        .into()
}

async fn value(store: &FeatureStore, identifier: &str) -> Option<String> {
    let record = store.get(GROUP, identifier, None).await.unwrap()?;
    record.values[2].2.as_ref().map(|value| value.display())
}

async fn fill(store: &FeatureStore, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    for step in 0..200 {
        let (identifier, seconds) = (format!("C{}", random.random_range(0..20)), random.random_range(0..8));
        if random.random_range(0..6) == 0 {
            store.delete(GROUP, &identifier, &seconds.to_string(), DeleteOptions::default()).await.unwrap();
        } else {
            store.put(GROUP, pairs(&identifier, seconds, &step.to_string()), PutOptions::default()).await.unwrap();
        }
        if step % 60 == 59 {
            store.flush(&[]).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_lost_comes_back_from_the_history_and_the_doctor_sees_both() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &redis).await;
    store.create_group(new_group()).await.unwrap();
    fill(&store, 1).await;
    assert!(store.doctor().await.unwrap().is_healthy());
    let before: Vec<Option<String>> = value_of_all(&store).await;
    assert!(before.iter().flatten().count() > 5);
    redis.say(&["FLUSHALL"]);
    assert!(value_of_all(&store).await.iter().all(Option::is_none));
    for report in [store.doctor_online(None).await.unwrap(), store.doctor_online(Some(5)).await.unwrap()] {
        assert!(!report.is_healthy(), "{report:#?}");
        assert!(report.checks.iter().flat_map(|check| &check.problems).any(|problem| problem.contains("missing online")), "{report:#?}");
    }
    let reports = store.rebuild_online(&[]).await.unwrap();
    assert_eq!((reports.len(), reports[0].rows), (1, 200));
    assert_eq!(value_of_all(&store).await, before);
    for report in [store.doctor_online(None).await.unwrap(), store.doctor_online(Some(5)).await.unwrap(), store.doctor().await.unwrap()] {
        assert!(report.is_healthy(), "{report:#?}");
    }
    let again = store.rebuild_online(&[GROUP.into()]).await.unwrap();
    assert_eq!(again[0].rows, 200, "doing it again changes nothing");
    assert_eq!(value_of_all(&store).await, before);
    store.drop_group(GROUP).await.unwrap();
    assert_eq!(redis.say(&["DBSIZE"]), "0");
}

async fn value_of_all(store: &FeatureStore) -> Vec<Option<String>> {
    let identifiers: Vec<String> = (0..20).map(|number| format!("C{number}")).collect();
    let mut single = Vec::new();
    for identifier in &identifiers {
        single.push(value(store, identifier).await);
    }
    let many = store.batch_get(GROUP, &identifiers, None).await.unwrap();
    let many: Vec<_> =
        many.into_iter().map(|record| record.and_then(|record| record.values[2].2.as_ref().map(|value| value.display()))).collect();
    assert_eq!(single, many, "a batch finds what single look-ups find");
    single
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_single_features_by_two_stores_both_last() {
    let redis = Redis::start();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut group = new_group();
    group.offline = false;
    let a = open(folders[0].path(), &redis).await;
    let made = a.create_group(group.clone()).await.unwrap();
    // Two folders know the same group as they would from one bucket.
    a.close().await.unwrap();
    std::fs::create_dir_all(folders[1].path()).unwrap();
    std::fs::copy(folders[0].path().join("catalog.db"), folders[1].path().join("catalog.db")).unwrap();
    let (a, b) = (open(folders[0].path(), &redis).await, open(folders[1].path(), &redis).await);
    assert_eq!(b.group(GROUP).await.unwrap().id, made.id);
    a.put(GROUP, pairs("A", 10, ""), PutOptions::default()).await.unwrap();
    let tasks: Vec<_> = [a.clone(), b.clone()]
        .into_iter()
        .enumerate()
        .map(|(number, store)| {
            tokio::spawn(async move {
                for step in 0..25 {
                    // Read, append, write: a change that is lost leaves a gap.
                    loop {
                        let standing = store.get(GROUP, "A", None).await.unwrap().unwrap();
                        let seconds = standing.event_time.unix_seconds() + 1;
                        let change = FeatureChange {
                            identifier: "A".into(),
                            pairs: vec![
                                ("at".into(), RawValue::Text(seconds.to_string())),
                                ("value".into(), RawValue::Text(format!("{number}-{step}"))),
                            ],
                            targets: None,
                            ttl: None,
                        };
                        match store.update_record(GROUP, change).await {
                            Ok(_) => break,
                            Err(error) if error.kind() == ErrorKind::Conflict => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let record = b.get(GROUP, "A", None).await.unwrap().unwrap();
    assert!(record.event_time.unix_seconds() >= 35, "{record:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_groups_are_listed_and_records_are_told_to_be_out_of_reach() {
    let mut redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &redis).await;
    store.create_group(new_group()).await.unwrap();
    store.put(GROUP, pairs("A", 10, "x"), PutOptions::default()).await.unwrap();
    let groups = store.list_groups().await.unwrap();
    assert_eq!(store.group_summaries(&groups).await.unwrap()[&groups[0].id].online_records, 1);
    redis.kill();
    let started = Instant::now();
    let summaries = store.group_summaries(&groups).await.unwrap();
    assert_eq!(summaries[&groups[0].id].online_records, 1, "as last seen");
    assert_eq!(store.get(GROUP, "A", None).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(store.put(GROUP, pairs("A", 11, "y"), PutOptions::default()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(store.history(GROUP, "A", 9).await.unwrap().len(), 1, "nothing of it became history");
    assert!(started.elapsed() < Duration::from_secs(3));
    let report = store.doctor_online(None).await.unwrap();
    assert!(report.checks[0].problems[0].contains("does not answer"), "{report:#?}");
    // The folder's own rows must not pass for the records.
    store.close().await.unwrap();
    drop(store);
    let error = FeatureStore::open(folder.path(), OpenOptions { settings: Some(Settings::default()), ..OpenOptions::default() })
        .await
        .err()
        .unwrap();
    assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("LARDER_ONLINE_URL"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_started_again_in_the_middle_loses_no_acknowledged_write() {
    let mut redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(&redis);
    if let Some(redis) = settings.redis.as_mut() {
        redis.when_away = larder::backend::online::WhenAway::Queue;
    }
    let store =
        FeatureStore::open(folder.path(), OpenOptions { create: true, settings: Some(settings), ..OpenOptions::default() }).await.unwrap();
    store.create_group(new_group()).await.unwrap();
    let writers: Vec<_> = (0..4i64)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let (mut queued, started) = (0, Instant::now());
                let mut last = 0;
                while started.elapsed() < Duration::from_secs(4) {
                    last += 1;
                    let receipt =
                        store.put(GROUP, pairs(&format!("W{writer}"), last, &last.to_string()), PutOptions::default()).await.unwrap();
                    queued += u64::from(receipt.online == OnlineEffect::Queued);
                }
                (last, queued)
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(800)).await;
    tokio::task::block_in_place(|| redis.kill());
    tokio::time::sleep(Duration::from_millis(700)).await;
    tokio::task::block_in_place(|| assert!(redis.resume()));
    let mut ends = Vec::new();
    for writer in writers {
        ends.push(writer.await.unwrap());
    }
    let started = Instant::now();
    while store.send_waiting().await.unwrap() > 0 {
        assert!(started.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ends.iter().any(|(_, queued)| *queued > 0), "nobody met the gap: {ends:?}");
    for (writer, (last, _)) in ends.iter().enumerate() {
        assert_eq!(value(&store, &format!("W{writer}")).await, Some(last.to_string()));
    }
    let report = store.doctor().await.unwrap();
    assert!(report.is_healthy(), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_callers_at_once_each_gets_its_own_record_or_the_same_refusal() {
    let mut redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &redis).await;
    store.create_group(new_group()).await.unwrap();
    for number in 0..100 {
        store.put(GROUP, pairs(&format!("C{number}"), number, "x"), PutOptions::default()).await.unwrap();
    }
    let group = store.group(GROUP).await.unwrap();
    let asked = |number: i64| {
        let (store, group) = (store.clone(), group.clone());
        tokio::spawn(async move {
            let seen = |row: larder::backend::online::RowView<'_>| (row.identifier().to_owned(), row.event_time());
            (number, store.view(&group, &format!("C{number}"), None, seen).await)
        })
    };
    // Some are of records that do not exist, and some callers go away before they are answered.
    let callers: Vec<_> = (0..2_000).map(|caller| asked(caller % 130)).collect();
    callers.iter().step_by(13).for_each(tokio::task::JoinHandle::abort);
    let mut answered = 0;
    for caller in callers {
        let Ok((number, found)) = caller.await else { continue };
        let expected = (number < 100).then(|| (format!("C{number}"), larder::model::EventTime::from_unix_seconds(number).unwrap()));
        assert_eq!(found.unwrap(), expected);
        answered += 1;
    }
    assert!(answered >= 1_800, "{answered}");
    tokio::task::block_in_place(|| redis.kill());
    for caller in (0..50).map(asked).collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap().1.unwrap_err().kind(), ErrorKind::Unavailable);
    }
}

#[test]
fn a_single_threaded_program_may_use_it_too() {
    let redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = open(folder.path(), &redis).await;
        store.create_group(new_group()).await.unwrap();
        store.put(GROUP, pairs("A", 10, "x"), PutOptions::default()).await.unwrap();
        assert_eq!(value(&store, "A").await.as_deref(), Some("x"));
        store.close().await.unwrap();
    });
}
