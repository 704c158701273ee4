//! The writer dies, or its question or answer is lost, at each step between reserving a write and acknowledging it.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use larder::model::Result;
use larder::store::faults::{Faults, Mode};
use larder::store::{DeleteOptions, FeatureStore, OpenOptions, PutOptions, Settings};

use super::server::{Redis, options};
use super::store::{GROUP, new_group, pairs};

/// Set for a child: URL of its Redis, step, mode, store.
const CHILD: &str = "LARDER_TEST_REDIS_CHILD";

async fn open(folder: &Path, url: &str, faults: Option<Arc<Faults>>) -> Result<FeatureStore> {
    let settings = Some(Settings { redis: Some(options(url)), ..Settings::default() });
    FeatureStore::open(folder, OpenOptions { create: true, settings, faults, ..OpenOptions::default() }).await
}

fn said(acknowledged: &mut BTreeSet<String>, text: &str) {
    acknowledged.insert(text.to_owned());
    // A child's parent reads these; one line at a time, after the acknowledgement.
    println!("acknowledged {text}");
    std::io::stdout().flush().unwrap();
}

/// Puts, a late put, a delete and drains; stops at the first error, as a program would.
async fn script(folder: &Path, url: &str, faults: Option<Arc<Faults>>, acknowledged: &mut BTreeSet<String>) -> Result<()> {
    let store = open(folder, url, faults).await?;
    store.create_group(new_group()).await?;
    for (identifier, seconds, text) in [("A", 10, "t1"), ("A", 5, "t2-late"), ("B", 10, "t3")] {
        store.put(GROUP, pairs(identifier, seconds, text), PutOptions::default()).await?;
        said(acknowledged, text);
    }
    store.flush(&[]).await?;
    store.delete(GROUP, "A", "20", DeleteOptions::default()).await?;
    store.put(GROUP, pairs("A", 30, "t4"), PutOptions::default()).await?;
    said(acknowledged, "t4");
    store.put(GROUP, pairs("C", 30, "t5"), PutOptions::default()).await?;
    said(acknowledged, "t5");
    store.flush(&[]).await?;
    store.close().await
}

/// Opens what is left, lets it replay, and checks it.
async fn check(folder: &Path, url: &str, acknowledged: &BTreeSet<String>, what: &str) {
    let store = open(folder, url, None).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    if store.group(GROUP).await.is_err() {
        assert!(acknowledged.is_empty(), "{what}");
        return;
    }
    assert_eq!(store.send_waiting().await.unwrap(), 0, "{what}");
    let mut found = Vec::new();
    for identifier in ["A", "B", "C"] {
        for row in store.history(GROUP, identifier, 99).await.unwrap() {
            found.extend(row.values[2].as_ref().map(|value| value.display()));
        }
    }
    let once: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(once.len(), found.len(), "{what}: more than once: {found:?}");
    assert!(once.is_superset(acknowledged), "{what}: {found:?} lacks some of {acknowledged:?}");
    let report = store.doctor().await.unwrap();
    assert!(report.is_healthy(), "{what}: {report:#?}");
    store.flush(&[]).await.unwrap();
    assert!(store.doctor().await.unwrap().is_healthy(), "{what}, after a drain");
    store.close().await.unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Steps of the script that are about Redis.
fn steps() -> Vec<(u64, String)> {
    let redis = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Faults::counting());
    runtime().block_on(async {
        let mut acknowledged = BTreeSet::new();
        script(folder.path(), &redis.url(), Some(faults.clone()), &mut acknowledged).await.unwrap();
        assert_eq!(acknowledged.len(), 5);
        check(folder.path(), &redis.url(), &acknowledged, "no fault").await;
    });
    let about_redis = |name: &str| name.contains("Redis") || name.contains("writes");
    let steps: Vec<_> =
        faults.names().into_iter().enumerate().map(|(at, name)| (at as u64 + 1, name)).filter(|(_, name)| about_redis(name)).collect();
    assert!(steps.len() >= 18, "{steps:?}");
    steps
}

#[test]
fn a_lost_question_or_answer_loses_and_doubles_nothing() {
    for mode in [Mode::Before, Mode::AfterLostReply] {
        for (number, name) in steps() {
            let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
            let mut acknowledged = BTreeSet::new();
            runtime().block_on(async {
                let _ = script(folder.path(), &redis.url(), Some(Arc::new(Faults::fail_at(number, mode))), &mut acknowledged).await;
            });
            runtime().block_on(check(folder.path(), &redis.url(), &acknowledged, &format!("step {number}, {mode:?}: {name}")));
        }
    }
}

#[test]
fn a_writer_that_dies_between_outbox_and_redis_loses_and_doubles_nothing() {
    for mode in ["before", "after"] {
        for (number, name) in steps() {
            let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "redis::crash::child", "--nocapture", "--test-threads=1"])
                .env(CHILD, format!("{} {number} {mode} {}", redis.url(), folder.path().display()))
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .output()
                .unwrap();
            assert!(!child.status.success(), "step {number} of the child was not its last");
            let said = String::from_utf8_lossy(&child.stdout).into_owned();
            let acknowledged: BTreeSet<String> =
                said.lines().filter_map(|line| Some(line.split_once("acknowledged ")?.1.to_owned())).collect();
            runtime().block_on(check(folder.path(), &redis.url(), &acknowledged, &format!("step {number}, abort {mode}: {name}")));
        }
    }
}

/// What a child does when this binary is executed again for it; in an ordinary run there is nothing to do.
#[test]
fn child() {
    let Ok(job) = std::env::var(CHILD) else { return };
    let words: Vec<&str> = job.splitn(4, ' ').collect();
    let mode = if words[2] == "before" { Mode::AbortBefore } else { Mode::AbortAfter };
    let faults = Arc::new(Faults::fail_at(words[1].parse().unwrap(), mode));
    let mut acknowledged = BTreeSet::new();
    let _ = runtime().block_on(script(Path::new(words[3]), words[0], Some(faults), &mut acknowledged));
}
