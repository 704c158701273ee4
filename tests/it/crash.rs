//! Nothing acknowledged is lost and nothing is doubled, whatever step fails and whenever the process is killed.
//!
//! Two kinds of test share one check. In the first a script of puts, deletes, drains, compactions and a bulk load runs once to
//! count its effectful steps, then again for every step with that step failing: before it takes effect, with its
//! reply lost, or with the process aborting right before or after it. In the second, child processes (this test
//! binary, executed again) write until they are killed at a random moment. Afterwards the store is opened anew,
//! work is taken up where it stopped, and `doctor` and the history must agree with what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use futures::StreamExt;
use larder::model::{ErrorKind, FeatureDefinition, FeatureName, FeatureType, GroupName, RawValue, Result, Schema};
use larder::store::doctor::{Check, LOADS_ARE_FINISHED};
use larder::store::faults::{Faults, Mode};
use larder::store::{DeleteOptions, FeatureStore, IngestOptions, NewGroup, OnError, OpenOptions, PutOptions};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const GROUP: &str = "crash-group";
/// Set for a child: its store, what it does, its seed or step.
const CHILD: &str = "LARDER_TEST_CHILD";

fn new_group() -> NewGroup {
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    let features = vec![feature("id", FeatureType::String), feature("at", FeatureType::Fractional), feature("token", FeatureType::String)];
    NewGroup::new(GroupName::parse(GROUP).unwrap(), Schema::new(features, "id", "at").unwrap())
}

async fn open(folder: &Path, faults: Option<Arc<Faults>>) -> Result<FeatureStore> {
    FeatureStore::open(folder, OpenOptions { create: true, faults, ..OpenOptions::default() }).await
}

fn pairs(identifier: &str, seconds: u64, token: &str) -> Vec<(String, RawValue)> {
    [("id", identifier.to_owned()), ("at", seconds.to_string()), ("token", token.to_owned())]
        .map(|(name, text)| (name.to_owned(), RawValue::Text(text)))
        .into()
}

async fn make_group(store: &FeatureStore) -> Result<()> {
    match store.group(GROUP).await {
        Err(error) if error.kind() == ErrorKind::NotFound => match store.create_group(new_group()).await {
            // Another writer made it in the same moment.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other.map(drop),
        },
        other => other.map(drop),
    }
}

/// How often each token is in the history, the outbox included.
async fn tokens(store: &FeatureStore) -> BTreeMap<String, i64> {
    let sql = format!("select token, count(*) as times from \"{GROUP}\" where token is not null group by token");
    let mut stream = store.query(&sql, None).await.unwrap();
    let mut found = BTreeMap::new();
    while let Some(batch) = stream.next().await {
        let batch = batch.unwrap();
        let (tokens, times) = (batch.column(0).as_string::<i32>(), batch.column(1).as_primitive::<Int64Type>());
        for row in 0..batch.num_rows() {
            found.insert(tokens.value(row).to_owned(), times.value(row));
        }
    }
    found
}

/// The check that all tests share; `finished` says that no load may be open.
async fn check(store: &FeatureStore, acknowledged: &BTreeSet<String>, finished: bool, what: &str) {
    let found = tokens(store).await;
    let lost: Vec<&String> = acknowledged.iter().filter(|token| !found.contains_key(*token)).collect();
    assert!(lost.is_empty(), "{what}: acknowledged and lost: {lost:?}");
    let doubled: Vec<_> = found.iter().filter(|(_, times)| **times != 1).collect();
    assert!(doubled.is_empty(), "{what}: more than once: {doubled:?}");
    let report = store.doctor().await.unwrap();
    let broken = |check: &&Check| !check.problems.is_empty() && (finished || check.name != LOADS_ARE_FINISHED);
    let problems: Vec<_> = report.checks.iter().filter(broken).collect();
    assert!(problems.is_empty(), "{what}: {problems:#?}");
}

fn said(acknowledged: &mut BTreeSet<String>, token: &str) {
    acknowledged.insert(token.to_owned());
    // A child's parent reads these; one line at a time, after the acknowledgement.
    println!("acknowledged {token}");
    std::io::stdout().flush().unwrap();
}

/// Everything that changes a store. Stops at the first error, as a program would.
async fn script(folder: &Path, faults: Option<Arc<Faults>>, file: &Path, acknowledged: &mut BTreeSet<String>) -> Result<()> {
    let store = open(folder, faults).await?;
    make_group(&store).await?;
    for (identifier, seconds, token) in [("A", 10, "t1"), ("A", 5, "t2-late"), ("B", 10, "t3")] {
        store.put(GROUP, pairs(identifier, seconds, token), PutOptions::default()).await?;
        said(acknowledged, token);
    }
    store.flush(&[]).await?;
    store.put(GROUP, pairs("A", 20, "t4"), PutOptions::default()).await?;
    said(acknowledged, "t4");
    store.delete(GROUP, "B", "30", DeleteOptions::default()).await?;
    store.flush(&[]).await?;
    compact(&store).await?;
    load(&store, file).await?;
    for token in FILE_TOKENS {
        said(acknowledged, token);
    }
    store.put(GROUP, pairs("C", 100, "t5"), PutOptions::default()).await?;
    said(acknowledged, "t5");
    store.flush(&[]).await?;
    compact(&store).await?;
    store.close().await
}

async fn compact(store: &FeatureStore) -> Result<()> {
    for (_, report) in store.compact(&[], Arc::new(|_| ()), Arc::default()).await? {
        report?;
    }
    Ok(())
}

const FILE_TOKENS: [&str; 4] = ["f1", "f2", "f3-late", "f4-tie"];

fn write_file(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("rows.csv");
    std::fs::write(&path, "id,at,token\nC,50,f1\nD,50,f2\nA,1,f3-late\nD,50,f4-tie\n").unwrap();
    path
}

async fn load(store: &FeatureStore, file: &Path) -> Result<()> {
    let options = IngestOptions {
        files: vec![file.to_string_lossy().into_owned()],
        drop: Vec::new(),
        targets: None,
        on_error: OnError::Stop,
        rejects: None,
    };
    let report = store.ingest(GROUP, options, Arc::new(|_| {}), Arc::new(AtomicBool::new(false))).await?;
    assert_eq!(report.accepted, 4);
    Ok(())
}

/// Takes up what a failed script left: the same load again unless it was acknowledged, and a flush.
async fn take_up(folder: &Path, file: &Path, acknowledged: &mut BTreeSet<String>, what: &str) {
    let store = open(folder, None).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    make_group(&store).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    check(&store, acknowledged, false, what).await;
    if !acknowledged.contains("f1") {
        load(&store, file).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        acknowledged.extend(FILE_TOKENS.map(str::to_owned));
    }
    store.flush(&[]).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    check(&store, acknowledged, true, what).await;
    compact(&store).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    check(&store, acknowledged, true, what).await;
    let d = store.get(GROUP, "D", None).await.unwrap().unwrap();
    assert_eq!(d.values[2].2.as_ref().unwrap().display(), "f4-tie", "{what}: the later row of a tie stands online");
    store.close().await.unwrap();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs the script without a fault; returns the names of its steps.
fn steps() -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = write_file(folder.path());
    let faults = Arc::new(Faults::counting());
    let mut acknowledged = BTreeSet::new();
    runtime().block_on(async {
        script(&folder.path().join("store"), Some(faults.clone()), &file, &mut acknowledged).await.unwrap();
        take_up(&folder.path().join("store"), &file, &mut acknowledged, "no fault").await;
    });
    assert!(faults.steps() > 20, "the script has steps: {:?}", faults.names());
    faults.names()
}

fn every_step_fails(mode: Mode) {
    let names = steps();
    for (at, name) in names.iter().enumerate() {
        let what = format!("step {} of {}, {mode:?}: {name}", at + 1, names.len());
        let folder = tempfile::tempdir().unwrap();
        let file = write_file(folder.path());
        let store = folder.path().join("store");
        let mut acknowledged = BTreeSet::new();
        runtime().block_on(async {
            let faults = Arc::new(Faults::fail_at(at as u64 + 1, mode));
            // An error may also be healed on the way: a lost reply is recognised, a lease is done without.
            let _ = script(&store, Some(faults), &file, &mut acknowledged).await;
        });
        runtime().block_on(take_up(&store, &file, &mut acknowledged, &what));
    }
}

#[test]
fn every_step_may_fail_before_it_takes_effect() {
    every_step_fails(Mode::Before);
}

#[test]
fn every_step_may_lose_its_reply() {
    every_step_fails(Mode::AfterLostReply);
}

fn every_step_aborts(mode: &str) {
    let names = steps();
    for (at, name) in names.iter().enumerate() {
        let what = format!("step {} of {}, {mode}: {name}", at + 1, names.len());
        let folder = tempfile::tempdir().unwrap();
        let file = write_file(folder.path());
        let store = folder.path().join("store");
        let mut child = spawn(&store, &format!("{mode} {}", at + 1));
        let mut acknowledged = acknowledgements(&mut child);
        child.wait().unwrap();
        runtime().block_on(take_up(&store, &file, &mut acknowledged, &what));
    }
}

#[test]
fn every_step_may_be_the_last_before_an_abort() {
    every_step_aborts("abort-before");
}

#[test]
fn every_step_may_be_followed_by_an_abort() {
    every_step_aborts("abort-after");
}

fn spawn(store: &Path, job: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{job} {}", store.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Reads a child's acknowledgements until it ends; a line cut off by its death does not count.
fn acknowledgements(child: &mut Child) -> BTreeSet<String> {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut found = BTreeSet::new();
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        if let Some((_, token)) = line.strip_suffix('\n').and_then(|line| line.split_once("acknowledged ")) {
            found.insert(token.to_owned());
        }
        line.clear();
    }
    found
}

/// What a child does when this binary is executed again for it; in an ordinary run there is nothing to do.
#[test]
fn child() {
    let Ok(job) = std::env::var(CHILD) else { return };
    let mut words = job.splitn(3, ' ');
    let (kind, number, store) = (words.next().unwrap(), words.next().unwrap(), Path::new(words.next().unwrap()));
    let number: u64 = number.parse().unwrap();
    match kind {
        "abort-before" | "abort-after" => {
            let mode = if kind == "abort-before" { Mode::AbortBefore } else { Mode::AbortAfter };
            let file = store.parent().unwrap().join("rows.csv");
            let _ = runtime().block_on(script(store, Some(Arc::new(Faults::fail_at(number, mode))), &file, &mut BTreeSet::new()));
        }
        "write" => runtime().block_on(write_until_killed(store, number)),
        other => panic!("no job {other}"),
    }
}

/// Puts from several tasks, deletes nothing, flushes now and then, for ever.
async fn write_until_killed(folder: &Path, seed: u64) {
    let store = open(folder, None).await.unwrap();
    make_group(&store).await.unwrap();
    let tasks = (0..6u64).map(|task| {
        let store = store.clone();
        tokio::spawn(async move {
            let mut random = StdRng::seed_from_u64(seed * 100 + task);
            for number in 0u64.. {
                let token = format!("w{seed}-{task}-{number}");
                let identifier = format!("C{}", random.random_range(0..40));
                store.put(GROUP, pairs(&identifier, random.random_range(0..50), &token), PutOptions::default()).await.unwrap();
                println!("acknowledged {token}");
                std::io::stdout().flush().unwrap();
                if task == 0 && random.random_range(0..25) == 0 {
                    // Two processes may drain at once; who loses the race starts over. Now and then one compacts as well.
                    store.flush(&[]).await.unwrap();
                    if random.random_range(0..4) == 0 {
                        compact(&store).await.unwrap();
                    }
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}

fn kill_loop(writers: u64) {
    let seed = std::env::var("LARDER_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| {
        u64::from(std::process::id()) ^ std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
    });
    eprintln!("LARDER_SEED={seed} gives the same kills again");
    let mut random = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let mut acknowledged = BTreeSet::new();
    let started = Instant::now();
    let mut rounds = 0;
    while started.elapsed() < Duration::from_secs(12) || rounds < 5 {
        let mut children: Vec<Child> = (0..writers).map(|writer| spawn(&store, &format!("write {}", rounds * writers + writer))).collect();
        let readers: Vec<_> = children
            .iter_mut()
            .map(|child| {
                let mut reader = BufReader::new(child.stdout.take().unwrap());
                std::thread::spawn(move || {
                    let mut found = Vec::new();
                    let mut line = String::new();
                    while reader.read_line(&mut line).unwrap() > 0 {
                        if let Some((_, token)) = line.strip_suffix('\n').and_then(|line| line.split_once("acknowledged ")) {
                            found.push(token.to_owned());
                        }
                        line.clear();
                    }
                    found
                })
            })
            .collect();
        for child in &mut children {
            std::thread::sleep(Duration::from_millis(random.random_range(30..450)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        for reader in readers {
            acknowledged.extend(reader.join().unwrap());
        }
        rounds += 1;
        runtime().block_on(async {
            let store = open(&store, None).await.unwrap();
            if store.group(GROUP).await.is_ok() {
                check(&store, &acknowledged, true, &format!("seed {seed}, round {rounds}")).await;
            }
            store.close().await.unwrap();
        });
    }
    eprintln!("{rounds} kills of {writers} writers, {} acknowledged records", acknowledged.len());
    assert!(acknowledged.len() > 100, "the writers were killed before they wrote: {}", acknowledged.len());
}

#[test]
fn a_writer_killed_again_and_again_loses_and_doubles_nothing() {
    kill_loop(1);
}

#[test]
fn three_writers_killed_again_and_again_lose_and_double_nothing() {
    kill_loop(3);
}
