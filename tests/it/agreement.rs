//! Online and offline say the same: a look-up now equals the newest live record of the history, whatever was written.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use arrow::array::{Array, AsArray};
use futures::StreamExt;
use larder::model::{EventTime, FeatureDefinition, FeatureName, FeatureType, GroupName, OnlineSettings, RawValue, Schema};
use larder::store::{DeleteOptions, FeatureStore, IngestOptions, NewGroup, OnError, OpenOptions, PutOptions};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const START: i64 = 1_800_000_000;
const IDENTIFIERS: u32 = 15;

fn schema(event_time: FeatureType) -> Schema {
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    Schema::new(vec![feature("Id", FeatureType::String), feature("at", event_time), feature("value", FeatureType::Integral)], "Id", "at")
        .unwrap()
}

fn time_text(kind: FeatureType, seconds: i64) -> String {
    match kind {
        FeatureType::Fractional => seconds.to_string(),
        _ => EventTime::from_unix_seconds(seconds).unwrap().to_iso8601(),
    }
}

/// Newest live records by SQL: identifier to value.
async fn latest(store: &FeatureStore) -> BTreeMap<String, Option<i64>> {
    let mut stream = store.query("select id, value from \"g$latest\"", None).await.unwrap();
    let mut found = BTreeMap::new();
    while let Some(batch) = stream.next().await {
        let batch = batch.unwrap();
        let values = batch.column(1).as_primitive::<arrow::datatypes::Int64Type>();
        for row in 0..batch.num_rows() {
            let identifier = batch.column(0).as_string::<i32>().value(row).to_owned();
            assert!(found.insert(identifier, values.is_valid(row).then(|| values.value(row))).is_none(), "one row an identifier");
        }
    }
    found
}

/// The same by look-ups.
async fn online(store: &FeatureStore) -> BTreeMap<String, Option<i64>> {
    let mut found = BTreeMap::new();
    for number in 0..IDENTIFIERS {
        let identifier = format!("C{number}");
        if let Some(record) = store.get("g", &identifier, Some(&["value".into()])).await.unwrap() {
            found.insert(identifier, record.values[0].2.as_ref().map(|value| value.to_json().as_i64().unwrap()));
        }
    }
    found
}

async fn random_story(seed: u64, kind: FeatureType, ttl: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    let now = Arc::new(Mutex::new(START + 100));
    let clock = now.clone();
    let options = OpenOptions {
        create: true,
        clock: Some(Arc::new(move || EventTime::from_unix_seconds(*clock.lock().unwrap()).unwrap())),
        ..OpenOptions::default()
    };
    let store = FeatureStore::open(folder.path().join("store"), options).await.unwrap();
    let mut group = NewGroup::new(GroupName::parse("G").unwrap(), schema(kind));
    group.online = Some(OnlineSettings { ttl: ttl.map(|text| text.parse().unwrap()), ..OnlineSettings::default() });
    store.create_group(group).await.unwrap();
    let mut random = StdRng::seed_from_u64(seed);
    for step in 0..120 {
        let identifier = format!("C{}", random.random_range(0..IDENTIFIERS));
        // Few instants, so that most are ties.
        let time = time_text(kind, START + random.random_range(0..12));
        match random.random_range(0..20) {
            0..13 => {
                let mut pairs = vec![("id".to_owned(), RawValue::Text(identifier)), ("at".to_owned(), RawValue::Text(time))];
                if random.random_range(0..4) > 0 {
                    pairs.push(("value".to_owned(), RawValue::Text(step.to_string())));
                }
                store.put("g", pairs, PutOptions::default()).await.unwrap();
            }
            13..16 => {
                store.delete("g", &identifier, &time, DeleteOptions::default()).await.unwrap();
            }
            16..18 => {
                let file = folder.path().join(format!("{step}.csv"));
                let mut lines = String::from("Id,at,value\n");
                for row in 0..random.random_range(1..12) {
                    let (number, seconds) = (random.random_range(0..IDENTIFIERS), START + random.random_range(0..12));
                    lines.push_str(&format!("C{number},{},{}\n", time_text(kind, seconds), step * 100 + row));
                }
                std::fs::write(&file, lines).unwrap();
                let files = vec![file.to_string_lossy().into_owned()];
                let options = IngestOptions { files, drop: Vec::new(), targets: None, on_error: OnError::Stop, rejects: None };
                store.ingest("g", options, Arc::new(|_| {}), Arc::new(AtomicBool::new(false))).await.unwrap();
            }
            18 => drop(store.flush(&[]).await.unwrap()),
            _ => *now.lock().unwrap() += random.random_range(0..4),
        }
        if step % 10 == 9 {
            assert_eq!(latest(&store).await, online(&store).await, "seed {seed}, {kind}, ttl {ttl:?}, step {step}");
        }
    }
    let report = store.doctor().await.unwrap();
    assert!(report.is_healthy(), "seed {seed}: {report:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_up_equals_the_newest_live_record_of_the_history() {
    for seed in 1..4 {
        random_story(seed, FeatureType::String, None).await;
        random_story(seed, FeatureType::Fractional, None).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_expire_at_the_same_instant_in_both() {
    for seed in 4..7 {
        random_story(seed, FeatureType::String, Some("100s")).await;
    }
}
