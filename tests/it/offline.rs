//! The offline store as its users see it: rows are in the table exactly once, whatever fails on the way.
//!
//! A *drain* here is what the store's drainer does: read the mark, stage what lies after it, commit both. The rows
//! come from a list in memory that stands for the outbox.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use larder::backend::faults::{Faults, Mode};
use larder::backend::offline::columns::rows_to_batch;
use larder::backend::offline::{CommitOutcome, Mark, OfflineOptions, OfflineRow, OfflineStore, Predicate, RowReader, TableSnapshot};
use larder::model::{
    Arrival, ErrorKind, EventTime, FeatureDefinition, FeatureGroup, FeatureName, FeatureType, FeatureValue, GroupId, GroupName,
    GroupStatus, OfflineSettings, Scalar, Schema,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

pub const APP: &str = "larder-test";

pub fn feature(name: &str, feature_type: FeatureType) -> FeatureDefinition {
    FeatureDefinition::new(FeatureName::parse(name).unwrap(), feature_type)
}

pub fn group(name: &str) -> FeatureGroup {
    let features = vec![
        feature("id", FeatureType::String),
        feature("at", FeatureType::String),
        feature("score", FeatureType::Fractional),
        feature("visits", FeatureType::Integral),
    ];
    let created = EventTime::from_unix_seconds(1_700_000_000).unwrap();
    FeatureGroup {
        id: GroupId(Uuid::now_v7()),
        name: GroupName::parse(name).unwrap(),
        description: None,
        owner: None,
        tags: BTreeMap::new(),
        schema: Schema::new(features, "id", "at").unwrap(),
        online: None,
        offline: Some(OfflineSettings { s3_uri: "s3://larder/feature-store".into(), external: None, ..OfflineSettings::default() }),
        status: GroupStatus::Created,
        failure_reason: None,
        expectations: larder::model::GroupExpectations::default(),
        created,
        modified: created,
    }
}

pub fn row(identifier: &str, seconds: i64, score: Option<f64>, visits: Option<i64>, arrival: u64) -> OfflineRow {
    let event_time = EventTime::from_unix_seconds(seconds).unwrap();
    let scalar = |scalar: Scalar| Some(FeatureValue::Scalar(scalar));
    let values = vec![
        scalar(Scalar::String(identifier.into())),
        scalar(Scalar::String(event_time.to_iso8601())),
        score.and_then(|value| scalar(Scalar::Fractional { text: value.to_string(), value })),
        visits.and_then(|value| scalar(Scalar::Integral { text: value.to_string(), value })),
    ];
    OfflineRow { identifier: identifier.into(), event_time, values, arrival: Arrival(arrival), is_deleted: false }
}

/// `count` rows with arrivals `first..first + count`; many ties, many nulls.
pub fn rows(random: &mut StdRng, first: u64, count: u64) -> Vec<OfflineRow> {
    (first..first + count)
        .map(|arrival| {
            let identifier = format!("customer-{:02}", random.random_range(0..40));
            let score = random.random_bool(0.7).then(|| f64::from(random.random_range(-50..50)) / 4.0);
            let visits = random.random_bool(0.5).then(|| random.random_range(-3..3));
            row(&identifier, 1_700_000_000 + random.random_range(0..5) * 3_600, score, visits, arrival)
        })
        .collect()
}

pub fn open(folder: &Path) -> OfflineStore {
    OfflineStore::open(OfflineOptions::new(folder)).unwrap()
}

pub fn open_with(folder: &Path, faults: Arc<Faults>) -> OfflineStore {
    OfflineStore::open(OfflineOptions { faults: Some(faults), ..OfflineOptions::new(folder) }).unwrap()
}

/// One drain: everything after the mark in one file.
pub async fn drain(store: &OfflineStore, group: &FeatureGroup, outbox: &[OfflineRow]) -> larder::model::Result<Option<CommitOutcome>> {
    store.ensure_table(group).await?;
    let after = store.settled_snapshot(group).await?.mark(APP);
    let waiting: Vec<OfflineRow> = outbox.iter().filter(|row| row.arrival.0 > after.unwrap_or(0)).cloned().collect();
    let Some(last) = waiting.last() else { return Ok(None) };
    let mark = Mark { app_id: APP.into(), after, upto: last.arrival.0 };
    let staged = [store.stage(group, vec![rows_to_batch(&group.schema, &waiting)?]).await?];
    match store.commit(group, &staged, Some(&mark)).await {
        Ok(outcome) => Ok(Some(outcome)),
        Err(error) => {
            if error.kind() == ErrorKind::Conflict {
                store.discard(group, &staged).await?;
            }
            Err(error)
        }
    }
}

/// Arrivals in the table, sorted: exactly once means no gap and no repeat.
async fn arrivals(store: &OfflineStore, group: &FeatureGroup) -> Vec<u64> {
    let snapshot = store.snapshot(group).await.unwrap();
    let mut found = Vec::new();
    for part in store.scan(&snapshot, Some(&["write_time".to_owned()]), &Predicate::default()).unwrap() {
        let part = part.unwrap();
        let reader = RowReader::new(&group.schema, &part.batch);
        found.extend((0..part.batch.num_rows()).map(|row| reader.write_time(row).0));
    }
    found.sort_unstable();
    found
}

pub async fn assert_exactly_once(store: &OfflineStore, group: &FeatureGroup, outbox: &[OfflineRow]) {
    let expected: Vec<u64> = outbox.iter().map(|row| row.arrival.0).collect();
    assert_eq!(arrivals(store, group).await, expected);
    let check = store.check(group).await.unwrap();
    assert_eq!((check.problems.as_slice(), check.rows), (&[] as &[String], expected.len() as u64), "{}", check.scope);
}

#[tokio::test]
async fn a_commit_repeated_adds_its_rows_once() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    let outbox = rows(&mut StdRng::seed_from_u64(1), 1, 100);
    let batch = rows_to_batch(&group.schema, &outbox).unwrap();
    let staged = [store.stage(&group, vec![batch.clone()]).await.unwrap()];
    let mark = Mark { app_id: APP.into(), after: None, upto: 100 };
    assert_eq!(store.commit(&group, &staged, Some(&mark)).await.unwrap(), CommitOutcome::Committed { version: 1 });
    assert_eq!(store.commit(&group, &staged, Some(&mark)).await.unwrap(), CommitOutcome::AlreadyApplied { version: 1 });
    // Another process staged the same records under another name.
    let other = open(folder.path());
    let again = [other.stage(&group, vec![batch.clone()]).await.unwrap()];
    assert_eq!(other.commit(&group, &again, Some(&mark)).await.unwrap(), CommitOutcome::AlreadyApplied { version: 1 });
    other.discard(&group, &again).await.unwrap();
    other.discard(&group, &staged).await.unwrap();
    assert_exactly_once(&other, &group, &outbox).await;
    // Without a mark, a load is recognised by its files.
    let load = [store.stage(&group, vec![batch]).await.unwrap()];
    let first = store.commit(&group, &load, None).await.unwrap();
    assert_eq!(other.commit(&group, &load, None).await.unwrap(), CommitOutcome::AlreadyApplied { version: first.version() });
    assert_eq!(store.snapshot(&group).await.unwrap().rows(), 200);
}

#[tokio::test]
async fn a_drain_that_overlaps_another_is_told_to_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    let outbox = rows(&mut StdRng::seed_from_u64(2), 1, 30);
    let stage = |rows: &[OfflineRow]| {
        let batch = rows_to_batch(&group.schema, rows).unwrap();
        let (store, group) = (store.clone(), group.clone());
        async move { [store.stage(&group, vec![batch]).await.unwrap()] }
    };
    let long = stage(&outbox).await;
    let short = stage(&outbox[..10]).await;
    let mark = |after, upto| Mark { app_id: APP.into(), after, upto };
    store.commit(&group, &short, Some(&mark(None, 10))).await.unwrap();
    let error = store.commit(&group, &long, Some(&mark(None, 30))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    store.discard(&group, &long).await.unwrap();
    drain(&store, &group, &outbox).await.unwrap();
    assert_exactly_once(&store, &group, &outbox).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_drains_add_every_row_once() {
    let folder = tempfile::tempdir().unwrap();
    let group = group("trips");
    let outbox = Arc::new(rows(&mut StdRng::seed_from_u64(3), 1, 120));
    // Each handle has a cache of its own, as a process has; each sees the outbox grow in other steps.
    let drainers = (1..=3usize).map(|step| {
        let (store, group, outbox) = (open(folder.path()), group.clone(), outbox.clone());
        tokio::spawn(async move {
            for end in (0..=outbox.len()).step_by(step * 5).chain([outbox.len()]) {
                while let Err(error) = drain(&store, &group, &outbox[..end]).await {
                    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                }
            }
        })
    });
    for drainer in drainers.collect::<Vec<_>>() {
        drainer.await.unwrap();
    }
    assert_exactly_once(&open(folder.path()), &group, &outbox).await;
}

/// A script of everything that writes. It may stop anywhere and be started again.
async fn script(store: &OfflineStore, group: &FeatureGroup, wider: &FeatureGroup, outbox: &[OfflineRow]) -> larder::model::Result<()> {
    store.write_definition(group).await?;
    drain(store, group, &outbox[..7]).await?;
    drain(store, group, &outbox[..15]).await?;
    store.write_definition(wider).await?;
    drain(store, wider, outbox).await?;
    Ok(())
}

pub fn widened(group: &FeatureGroup) -> FeatureGroup {
    let schema = group.schema.with_added(vec![feature("note", FeatureType::String)]).unwrap();
    FeatureGroup { schema, ..group.clone() }
}

#[tokio::test]
async fn whichever_step_fails_a_retry_leaves_every_row_once() {
    let group = group("trips");
    let wider = widened(&group);
    let outbox = rows(&mut StdRng::seed_from_u64(4), 1, 25);
    let counting = Arc::new(Faults::counting());
    let folder = tempfile::tempdir().unwrap();
    script(&open_with(folder.path(), counting.clone()), &group, &wider, &outbox).await.unwrap();
    let steps = counting.steps();
    assert!(steps >= 9, "definitions, creation, three files, three commits, a column: {:?}", counting.names());
    for mode in [Mode::Before, Mode::AfterLostReply] {
        for k in 1..=steps {
            // A disk that dies stays dead; a reply that is lost is lost once.
            for dead_disk in if mode == Mode::Before { vec![false, true] } else { vec![false] } {
                let folder = tempfile::tempdir().unwrap();
                let faults = if dead_disk { Faults::fail_from(k, mode) } else { Faults::fail_at(k, mode) };
                let outcome = script(&open_with(folder.path(), Arc::new(faults)), &group, &wider, &outbox).await;
                if dead_disk {
                    assert!(outcome.is_err(), "step {k} failed for good and nobody noticed");
                }
                let retry = open(folder.path());
                script(&retry, &group, &wider, &outbox).await.unwrap();
                assert_exactly_once(&retry, &wider, &outbox).await;
                assert_eq!(retry.read_definition(&wider).await.unwrap().as_ref(), Some(&wider), "step {k} {mode:?}");
            }
        }
    }
}

/// Runs this test binary again as a process of its own that does one task and then ends, or dies.
fn child(task: &str, folder: &Path) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "offline::task_of_a_child_process", "--nocapture"]).env(TASK, task).env(FOLDER, folder);
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command
}

const TASK: &str = "LARDER_TEST_OFFLINE_TASK";
const FOLDER: &str = "LARDER_TEST_OFFLINE_FOLDER";

/// The same in parent and children: they must agree on the group and its records.
fn shared_group() -> FeatureGroup {
    FeatureGroup { id: GroupId(Uuid::from_u128(7)), ..group("trips") }
}

/// `abort <k> before|after` runs the script and dies at a step; `drain <step>` drains an outbox that grows.
#[tokio::test]
async fn task_of_a_child_process() {
    let (Ok(task), Ok(folder)) = (std::env::var(TASK), std::env::var(FOLDER)) else { return };
    let (group, folder) = (shared_group(), Path::new(&folder).to_owned());
    let words: Vec<&str> = task.split(' ').collect();
    match words.as_slice() {
        ["abort", k, when] => {
            let mode = if *when == "before" { Mode::AbortBefore } else { Mode::AbortAfter };
            let outbox = rows(&mut StdRng::seed_from_u64(4), 1, 25);
            let store = open_with(&folder, Arc::new(Faults::fail_at(k.parse().unwrap(), mode)));
            script(&store, &group, &widened(&group), &outbox).await.unwrap();
        }
        ["drain", step] => {
            let outbox = rows(&mut StdRng::seed_from_u64(3), 1, 120);
            let store = open(&folder);
            for end in (0..=outbox.len()).step_by(step.parse().unwrap()).chain([outbox.len()]) {
                while let Err(error) = drain(&store, &group, &outbox[..end]).await {
                    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                }
            }
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_process_that_dies_at_any_step_loses_and_doubles_nothing() {
    let group = shared_group();
    let wider = widened(&group);
    let outbox = rows(&mut StdRng::seed_from_u64(4), 1, 25);
    let counting = Arc::new(Faults::counting());
    let folder = tempfile::tempdir().unwrap();
    script(&open_with(folder.path(), counting.clone()), &group, &wider, &outbox).await.unwrap();
    for k in 1..=counting.steps() {
        for when in ["before", "after"] {
            let folder = tempfile::tempdir().unwrap();
            let status = child(&format!("abort {k} {when}"), folder.path()).status().unwrap();
            assert!(!status.success(), "the child was to die at step {k}");
            let retry = open(folder.path());
            script(&retry, &group, &wider, &outbox).await.unwrap();
            assert_exactly_once(&retry, &wider, &outbox).await;
        }
    }
}

#[tokio::test]
async fn racing_processes_add_every_row_once() {
    let folder = tempfile::tempdir().unwrap();
    let group = shared_group();
    let outbox = rows(&mut StdRng::seed_from_u64(3), 1, 120);
    let mut children: Vec<_> = [7, 11, 13, 5].iter().map(|step| child(&format!("drain {step}"), folder.path()).spawn().unwrap()).collect();
    // One of them is killed on its way; whatever it was doing, the others and a last drain make it whole.
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none())
        && open(folder.path()).snapshot(&group).await.map_or(0, |snapshot| snapshot.version()) < 3
    {
        tokio::task::yield_now().await;
    }
    let mut killed = children.remove(3);
    killed.kill().unwrap();
    killed.wait().unwrap();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_exactly_once(&open(folder.path()), &group, &outbox).await;
}

#[tokio::test]
async fn a_lost_reply_to_a_commit_is_recognised_at_once() {
    let group = group("trips");
    let outbox = rows(&mut StdRng::seed_from_u64(5), 1, 10);
    let folder = tempfile::tempdir().unwrap();
    let counting = Arc::new(Faults::counting());
    drain(&open_with(folder.path(), counting.clone()), &group, &outbox).await.unwrap();
    let commit = counting.names().iter().rposition(|name| name.contains("_delta_log") && name.starts_with("put")).unwrap() as u64 + 1;
    let folder = tempfile::tempdir().unwrap();
    let store = open_with(folder.path(), Arc::new(Faults::fail_at(commit, Mode::AfterLostReply)));
    assert_eq!(drain(&store, &group, &outbox).await.unwrap(), Some(CommitOutcome::Committed { version: 1 }));
    assert_exactly_once(&store, &group, &outbox).await;
}

#[tokio::test]
async fn a_feature_added_later_is_null_in_older_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    let wider = widened(&group);
    let other = open(folder.path());
    drain(&store, &group, &[row("a", 1, Some(1.0), None, 1)]).await.unwrap();
    drain(&other, &group, &[row("a", 1, Some(1.0), None, 1), row("a", 2, Some(2.0), None, 2)]).await.unwrap();
    let mut late = row("a", 3, None, Some(3), 3);
    late.values.push(Some(FeatureValue::Scalar(Scalar::String("new".into()))));
    drain(&store, &wider, &[late]).await.unwrap();
    // The other handle knew the table before; a process with the older definition still writes.
    drain(&other, &group, &[row("b", 4, Some(4.0), None, 4)]).await.unwrap();
    let snapshot = other.snapshot(&wider).await.unwrap();
    let names: Vec<&str> = snapshot.schema().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["id", "at", "score", "visits", "note", "write_time", "api_invocation_time", "is_deleted", "__event_time"]);
    let mut notes = BTreeMap::new();
    for part in other.scan(&snapshot, None, &Predicate::default()).unwrap() {
        let part = part.unwrap();
        let reader = RowReader::new(&wider.schema, &part.batch);
        for row in 0..part.batch.num_rows() {
            notes.insert(reader.write_time(row).0, reader.value(row, 4).unwrap().map(|value| value.display()));
        }
    }
    assert_eq!(notes, BTreeMap::from([(1, None), (2, None), (3, Some("new".into())), (4, None)]));
}

fn found(store: &OfflineStore, snapshot: &TableSnapshot, group: &FeatureGroup, predicate: &Predicate) -> Vec<(u64, String, Option<i64>)> {
    let mut found = Vec::new();
    for part in store.scan(snapshot, None, predicate).unwrap() {
        let part = part.unwrap();
        let reader = RowReader::new(&group.schema, &part.batch);
        for (row, position) in part.positions.values().iter().enumerate() {
            let visits = reader.value(row, 3).unwrap().map(|value| value.display().parse().unwrap());
            found.push((reader.write_time(row).0, format!("{}#{position}", part.file), visits));
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn sieves_let_through_exactly_the_rows_a_full_scan_finds() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    let mut random = StdRng::seed_from_u64(6);
    let outbox = rows(&mut random, 1, 2_000);
    for end in [1, 17, 400, 401, 1_999, 2_000] {
        drain(&store, &group, &outbox[..end]).await.unwrap();
    }
    let snapshot = store.snapshot(&group).await.unwrap();
    let everything = found(&store, &snapshot, &group, &Predicate::default());
    assert_eq!(everything.len(), 2_000);
    let by_arrival: BTreeMap<u64, &(u64, String, Option<i64>)> = everything.iter().map(|row| (row.0, row)).collect();
    for round in 0..200 {
        let identifier = random.random_bool(0.7).then(|| format!("customer-{:02}", random.random_range(0..45)));
        let time = |random: &mut StdRng| random.random_bool(0.5).then(|| (1_700_000_000 + random.random_range(-1..6) * 3_600) * 1_000_000);
        let predicate = Predicate { identifier, from: time(&mut random), to: time(&mut random) };
        let wanted = |row: &&OfflineRow| {
            let micros = row.event_time.unix_micros();
            predicate.identifier.as_ref().is_none_or(|identifier| *identifier == row.identifier)
                && predicate.from.is_none_or(|from| from <= micros)
                && predicate.to.is_none_or(|to| micros <= to)
        };
        let expected: Vec<_> = outbox.iter().filter(wanted).map(|row| by_arrival[&row.arrival.0].clone()).collect();
        assert_eq!(found(&store, &snapshot, &group, &predicate), expected, "round {round} {predicate:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_with_checkpoints_reads_the_same_with_and_without_them() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    let outbox = rows(&mut StdRng::seed_from_u64(7), 1, 140);
    for end in 1..=140 {
        drain(&store, &group, &outbox[..end]).await.unwrap();
    }
    let objects = store.objects(&group).await.unwrap();
    let checkpoints = objects.iter().filter(|name| name.ends_with(".checkpoint.parquet")).count();
    assert_eq!(checkpoints, 2, "after commits 64 and 128");
    let commits = objects.iter().filter(|name| name.ends_with(".json") && name.contains("_delta_log")).count();
    assert_eq!(commits, 141, "commits are kept for ever");
    let fresh = open(folder.path());
    assert_exactly_once(&fresh, &group, &outbox).await;
    let (warm, cold) = (store.snapshot(&group).await.unwrap(), open(folder.path()).snapshot(&group).await.unwrap());
    let names = |snapshot: &TableSnapshot| {
        snapshot.files().iter().map(|file| (file.path.clone(), file.size, file.event_time())).collect::<Vec<_>>()
    };
    assert_eq!((names(&warm), warm.marks()), (names(&cold), cold.marks()));
    let log = fresh.folder(&group).unwrap().data_key();
    let log = folder.path().join(log).join("_delta_log");
    // It is read: nothing before it is missed.
    let (from, to) = (|version: u64| log.join(format!("{version:020}.json")), |version: u64| folder.path().join(version.to_string()));
    (0..=128).for_each(|version| std::fs::rename(from(version), to(version)).unwrap());
    assert_eq!(names(&open(folder.path()).snapshot(&group).await.unwrap()), names(&warm));
    (0..=128).for_each(|version| std::fs::rename(to(version), from(version)).unwrap());
    // And it is a short cut: damaged or gone, the commits are enough.
    std::fs::write(log.join("00000000000000000128.checkpoint.parquet"), "damaged").unwrap();
    assert_eq!(names(&open(folder.path()).snapshot(&group).await.unwrap()), names(&warm));
    std::fs::write(log.join("_last_checkpoint"), "{").unwrap();
    assert_eq!(names(&open(folder.path()).snapshot(&group).await.unwrap()), names(&warm));
    // With both checkpoints the crate that wrote them agrees.
    std::fs::remove_file(log.join("00000000000000000128.checkpoint.parquet")).unwrap();
    std::fs::remove_file(log.join("_last_checkpoint")).unwrap();
    let url = url::Url::from_directory_path(log.parent().unwrap()).unwrap();
    let table = deltalake_core::open_table(url).await.unwrap();
    assert_eq!(table.version(), Some(warm.version()));
    let mut theirs: Vec<String> = table.snapshot().unwrap().log_data().iter().map(|file| file.path().to_string()).collect();
    let mut ours: Vec<String> = warm.files().iter().map(|file| file.path.clone()).collect();
    theirs.sort();
    ours.sort();
    assert_eq!(theirs, ours);
}

#[tokio::test]
async fn doctor_sees_what_happened_to_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    let outbox = rows(&mut StdRng::seed_from_u64(8), 1, 20);
    for end in [5, 10, 20] {
        drain(&store, &group, &outbox[..end]).await.unwrap();
    }
    let data = folder.path().join(store.folder(&group).unwrap().data_key());
    let snapshot = store.snapshot(&group).await.unwrap();
    let files: Vec<_> = snapshot.files().iter().map(|file| data.join(&file.path)).collect();
    let bytes = std::fs::read(&files[0]).unwrap();
    std::fs::write(&files[0], &bytes[..bytes.len() - 9]).unwrap();
    std::fs::remove_file(&files[1]).unwrap();
    let check = store.check(&group).await.unwrap();
    assert_eq!(check.problems.len(), 2, "{:#?}", check.problems);
    let error = store.scan(&snapshot, None, &Predicate::default()).unwrap().find_map(Result::err).unwrap();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.to_string().contains(&snapshot.files()[0].path), "{error}");
    std::fs::remove_file(data.join("_delta_log/00000000000000000001.json")).unwrap();
    let check = store.check(&group).await.unwrap();
    assert!(check.problems.iter().any(|problem| problem.contains("commit 1 is missing")), "{:#?}", check.problems);
}

#[tokio::test]
async fn litter_is_found_and_live_files_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    let outbox = rows(&mut StdRng::seed_from_u64(9), 1, 20);
    drain(&store, &group, &outbox).await.unwrap();
    let abandoned = store.stage(&group, vec![rows_to_batch(&group.schema, &outbox).unwrap()]).await.unwrap();
    assert!(store.orphans(&group, Duration::from_secs(3_600)).await.unwrap().is_empty(), "too young to be judged");
    let orphans = store.remove_orphans(&group, Duration::ZERO).await.unwrap();
    assert_eq!(orphans.iter().map(|orphan| orphan.path.as_str()).collect::<Vec<_>>(), [abandoned.path.as_str()]);
    assert!(store.orphans(&group, Duration::ZERO).await.unwrap().is_empty());
    assert_exactly_once(&store, &group, &outbox).await;
}

#[tokio::test]
async fn definitions_outlive_the_catalog_and_dropped_groups_stay_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(store.definitions().await.unwrap().is_empty());
    let (mut trips, payments) = (group("trips"), group("payments"));
    let online_only = FeatureGroup { offline: None, ..group("sessions") };
    for group in [&trips, &payments, &online_only] {
        store.write_definition(group).await.unwrap();
    }
    store.ensure_table(&payments).await.unwrap();
    trips.description = Some("changed".into());
    store.write_definition(&trips).await.unwrap();
    store.drop_definition(&payments).await.unwrap();
    store.drop_definition(&payments).await.unwrap();
    let found: Vec<FeatureGroup> = open(folder.path()).definitions().await.unwrap().into_iter().map(|found| found.group.unwrap()).collect();
    assert_eq!(found, [online_only, trips.clone()]);
    assert!(store.snapshot(&payments).await.is_ok(), "the rows of a dropped group stay");
    // A namesake made in the same second would share the folder.
    let namesake = FeatureGroup { id: GroupId(Uuid::now_v7()), ..payments };
    assert_eq!(store.write_definition(&namesake).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    // A definition from the future hides no other.
    let place = folder.path().join(store.folder(&trips).unwrap().key()).join("group.json");
    std::fs::write(&place, r#"{"version": 2, "group": {"shape": "unknown"}}"#).unwrap();
    let kinds: Vec<_> = store.definitions().await.unwrap().into_iter().map(|found| found.group.map_err(|error| error.kind())).collect();
    assert!(kinds.iter().any(|kind| matches!(kind, Err(ErrorKind::NewerFormat))) && kinds.iter().any(Result::is_ok), "{kinds:?}");
}

#[tokio::test]
async fn a_table_another_tool_made_newer_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    drain(&store, &group, &rows(&mut StdRng::seed_from_u64(10), 1, 3)).await.unwrap();
    let log = folder.path().join(store.folder(&group).unwrap().data_key()).join("_delta_log");
    let upgrade = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}}"#;
    std::fs::write(log.join("00000000000000000002.json"), upgrade).unwrap();
    let error = store.snapshot(&group).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NewerFormat, "{error}");
    std::fs::write(log.join("00000000000000000002.json"), "{\"add\": tru").unwrap();
    let error = open(folder.path()).snapshot(&group).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains("00000000000000000002.json"), "{error}");
}

#[tokio::test]
async fn a_read_only_store_reads_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let group = group("trips");
    let missing = OfflineOptions { read_only: true, ..OfflineOptions::new(folder.path().join("none")) };
    let store = OfflineStore::open(missing).unwrap();
    assert_eq!(store.snapshot(&group).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(!folder.path().join("none").exists());
    let outbox = rows(&mut StdRng::seed_from_u64(11), 1, 5);
    drain(&open(folder.path()), &group, &outbox).await.unwrap();
    let store = OfflineStore::open(OfflineOptions { read_only: true, ..OfflineOptions::new(folder.path()) }).unwrap();
    assert_exactly_once(&store, &group, &outbox).await;
    let batch = rows_to_batch(&group.schema, &outbox).unwrap();
    assert_eq!(store.stage(&group, vec![batch]).await.unwrap_err().kind(), ErrorKind::ReadOnly);
}
