//! Compaction of whole stores: every answer stays what it was, whatever else goes on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use larder::catalog::{Catalog, CatalogOptions, RunKind, RunState};
use larder::model::{ErrorKind, EventTime, FeatureType, GroupName, RawValue, Result, Schema};
use larder::store::{
    CompactionReport, CompactionStatus, DeleteOptions, FeatureStore, HistoryRow, IngestOptions, LoadPhase, LoadProgress, NewGroup, OnError,
    OpenOptions, PutOptions, Settings,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::offline::feature;

fn new_group(name: &str) -> NewGroup {
    let features = vec![feature("id", FeatureType::String), feature("at", FeatureType::Fractional), feature("note", FeatureType::String)];
    NewGroup::new(GroupName::parse(name).unwrap(), Schema::new(features, "id", "at").unwrap())
}

async fn store_in(folder: &Path, clock: Option<&Arc<AtomicI64>>, settings: Settings) -> FeatureStore {
    let clock = clock.map(|seconds| -> larder::store::Clock {
        let seconds = seconds.clone();
        // The clock of a store never stands still.
        let ticks = AtomicI64::new(0);
        Arc::new(move || {
            let micros = (1_900_000_000 + seconds.load(Ordering::SeqCst)) * 1_000_000 + ticks.fetch_add(1, Ordering::SeqCst);
            EventTime::from_unix_micros(micros).unwrap()
        })
    });
    let options = OpenOptions { create: true, clock, settings: Some(settings), ..OpenOptions::default() };
    FeatureStore::open(folder, options).await.unwrap()
}

fn pairs(identifier: &str, seconds: i64, note: &str) -> Vec<(String, RawValue)> {
    [("id", identifier.to_owned()), ("at", seconds.to_string()), ("note", note.to_owned())]
        .map(|(name, text)| (name.to_owned(), RawValue::Text(text)))
        .into()
}

async fn compact_all(store: &FeatureStore) -> CompactionReport {
    let mut reports = store.compact(&[], Arc::new(|_| ()), Arc::default()).await.unwrap();
    assert_eq!(reports.len(), 1);
    reports.remove(0).1.unwrap()
}

async fn answers(store: &FeatureStore, sql: &str) -> Vec<String> {
    let mut stream = store.query(sql, None).await.unwrap();
    let mut lines = Vec::new();
    while let Some(batch) = stream.next().await {
        let text = arrow::util::pretty::pretty_format_batches(&[batch.unwrap()]).unwrap().to_string();
        lines.extend(text.lines().filter(|line| line.starts_with('|')).map(str::to_owned));
    }
    lines
}

/// Everything a user can ask of `things`.
async fn everything(store: &FeatureStore) -> (Vec<Vec<HistoryRow>>, Vec<Vec<String>>, Vec<String>) {
    let (mut histories, mut online) = (Vec::new(), Vec::new());
    for number in 0..7 {
        let id = format!("C{number}");
        let mut history = store.history("things", &id, 10_000).await.unwrap();
        // Where a row lies is what compaction changes.
        history.iter_mut().for_each(|row| row.source = larder::store::HistorySource::Outbox);
        histories.push(history);
        online.push(format!("{:?}", store.get("things", &id, None).await.unwrap()));
    }
    let sql = [
        "select count(*), count(distinct id), sum(at), count(note) from things",
        "select id, at, note from \"things$latest\" order by id",
        "select id, at, note, write_time, is_deleted from things where id between 'C2' and 'C4' order by id, at, write_time, note",
        "select min(at), max(at) from things where note is not null and id = 'C3'",
    ];
    let mut tables = Vec::new();
    for sql in sql {
        tables.push(answers(store, sql).await);
    }
    (histories, tables, online)
}

async fn ingest(store: &FeatureStore, file: &Path) -> Result<larder::store::LoadReport> {
    ingest_watched(store, file, Arc::new(|_| ()), Arc::default()).await
}

async fn ingest_watched(
    store: &FeatureStore,
    file: &Path,
    progress: larder::store::OnProgress,
    cancel: Arc<AtomicBool>,
) -> Result<larder::store::LoadReport> {
    let options = IngestOptions {
        files: vec![file.to_string_lossy().into_owned()],
        drop: Vec::new(),
        targets: None,
        on_error: OnError::Stop,
        rejects: None,
    };
    store.ingest("things", options, progress, cancel).await
}

fn file_of_rows(folder: &Path, name: &str, seed: u64, rows: usize) -> std::path::PathBuf {
    let mut random = StdRng::seed_from_u64(seed);
    let mut text = "id,at,note\n".to_owned();
    for row in 0..rows {
        text.push_str(&format!("C{},{},{name}-{row}\n", random.random_range(0..7), random.random_range(0..5)));
    }
    let path = folder.join(format!("{name}.csv"));
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_changes() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder.path().join("store"), None, Settings { compact_rows: 60, ..Settings::default() }).await;
    store.create_group(new_group("things")).await.unwrap();
    let mut random = StdRng::seed_from_u64(9);
    for drain in 0..12 {
        for number in 0..random.random_range(1..20) {
            let id = format!("C{}", random.random_range(0..7));
            if random.random_bool(0.1) {
                store.delete("things", &id, &random.random_range(0..5).to_string(), DeleteOptions::default()).await.unwrap();
            } else {
                let note = format!("put-{drain}-{number}");
                store.put("things", pairs(&id, random.random_range(0..5), &note), PutOptions::default()).await.unwrap();
            }
        }
        store.flush(&[]).await.unwrap();
        if drain % 5 == 0 {
            ingest(&store, &file_of_rows(folder.path(), &format!("load{drain}"), drain, 40)).await.unwrap();
        }
    }
    store.put("things", pairs("C3", 4, "waits"), PutOptions::default()).await.unwrap();
    let before = everything(&store).await;
    let report = compact_all(&store).await;
    assert_eq!(report.status, CompactionStatus::Compacted);
    assert!(report.files.0 == 15 && (2..7).contains(&report.files.1), "{report:?}");
    assert_eq!(everything(&store).await, before);
    let again = compact_all(&store).await;
    assert_eq!((again.status, again.files), (CompactionStatus::Unchanged, (report.files.1, report.files.1)));
    let summary = store.group_summary(&store.group("things").await.unwrap()).await.unwrap();
    assert_eq!(summary.offline_files, report.files.1);
    assert!(store.doctor().await.unwrap().is_healthy(), "{:#?}", store.doctor().await.unwrap());
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_files_are_merged_by_themselves_and_deleted_after_the_grace_period() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(0));
    let settings = Settings { compact_files: 5, ..Settings::default() };
    let files = |store: &FeatureStore| {
        let store = store.clone();
        async move { store.group_summary(&store.group("things").await.unwrap()).await.unwrap().offline_files }
    };
    let on_disk = || count_parquet(&folder.path().join("s3"));
    let put_and_close = async |number: i64| {
        let store = store_in(folder.path(), Some(&clock), settings.clone()).await;
        store.put("things", pairs(&format!("C{}", number % 7), number, "x"), PutOptions::default()).await.unwrap();
        store.flush(&[]).await.unwrap();
        // A process that ends finishes what takes a moment.
        store.close().await.unwrap();
    };
    store_in(folder.path(), Some(&clock), settings.clone()).await.create_group(new_group("things")).await.unwrap();
    for number in 0..5 {
        put_and_close(number).await;
    }
    let store = store_in(folder.path(), Some(&clock), settings.clone()).await;
    assert_eq!(files(&store).await, 5, "not more than the limit");
    put_and_close(5).await;
    assert_eq!((files(&store).await, on_disk()), (1, 7), "six became one, and wait for their end");
    let catalog = Catalog::open(folder.path().join("catalog.db"), CatalogOptions::default()).await.unwrap();
    let runs = catalog.runs(10).await.unwrap();
    let compactions: Vec<_> = runs.iter().filter(|run| run.kind == RunKind::Compact).collect();
    assert_eq!(
        compactions.iter().map(|run| (run.state, run.counts.rows, run.message.as_deref())).collect::<Vec<_>>(),
        [(RunState::Done, 6, Some("6 files became 1"))]
    );
    clock.store(3_598, Ordering::SeqCst);
    put_and_close(6).await;
    assert_eq!(on_disk(), 8, "a second before the grace period is over");
    assert!(store.doctor().await.unwrap().is_healthy());
    clock.store(3_602, Ordering::SeqCst);
    put_and_close(7).await;
    assert_eq!((files(&store).await, on_disk()), (3, 3));
    assert!(store.doctor().await.unwrap().is_healthy());
    assert_eq!(answers(&store, "select count(*) from things").await[1], "| 8        |");
}

fn count_parquet(folder: &Path) -> usize {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let is_file =
                path.extension().is_some_and(|extension| extension == "parquet") && !path.to_string_lossy().contains("checkpoint");
            if path.is_dir() { count_parquet(&path) } else { usize::from(is_file) }
        })
        .sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_an_unfinished_load_needs_stay_until_it_is_finished() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder.path().join("store"), None, Settings::default()).await;
    store.create_group(new_group("things")).await.unwrap();
    for number in 0..3 {
        store.put("things", pairs(&format!("C{number}"), 100, "put"), PutOptions::default()).await.unwrap();
        store.flush(&[]).await.unwrap();
    }
    // The load is stopped after its commit and before the online store is filled.
    let file = file_of_rows(folder.path(), "late", 10, 200);
    let cancel = Arc::new(AtomicBool::new(false));
    let stop: larder::store::OnProgress = {
        let cancel = cancel.clone();
        Arc::new(move |progress: LoadProgress| {
            if progress.phase == LoadPhase::Committing {
                cancel.store(true, Ordering::SeqCst);
            }
        })
    };
    let error = ingest_watched(&store, &file, stop, cancel).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    assert_eq!(answers(&store, "select count(*) from things").await[1], "| 203      |", "it is in the history");
    let report = compact_all(&store).await;
    assert_eq!((report.status, report.files, report.spared_files), (CompactionStatus::Compacted, (4, 2), 1));
    let loaded = ingest(&store, &file).await.unwrap();
    assert!(loaded.resumed && loaded.online_rows > 0, "{loaded:?}");
    assert!(store.doctor().await.unwrap().is_healthy(), "{:#?}", store.doctor().await.unwrap());
    let report = compact_all(&store).await;
    assert_eq!((report.status, report.files, report.spared_files), (CompactionStatus::Compacted, (2, 1), 0));
    assert!(store.doctor().await.unwrap().is_healthy());
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_compact_one_group_do_the_work_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path(), None, Settings::default()).await;
    store.create_group(new_group("things")).await.unwrap();
    for number in 0..8 {
        store.put("things", pairs(&format!("C{}", number % 7), number, "x"), PutOptions::default()).await.unwrap();
        store.flush(&[]).await.unwrap();
    }
    let other = store_in(folder.path(), None, Settings::default()).await;
    let before = everything(&store).await;
    // The second one is asked while the first one has its files and not yet its commit.
    let (runtime, asked) = (tokio::runtime::Handle::current(), Arc::new(Mutex::new(None)));
    let progress: larder::store::OnCompactionProgress = {
        let (other, asked) = (other.clone(), asked.clone());
        Arc::new(move |progress: larder::store::CompactionProgress| {
            if progress.rows > 0 && asked.lock().unwrap().is_none() {
                *asked.lock().unwrap() = Some(runtime.block_on(compact_all(&other)));
            }
        })
    };
    let mut reports = store.compact(&["things".to_owned()], progress, Arc::default()).await.unwrap();
    assert_eq!(reports.remove(0).1.unwrap().status, CompactionStatus::Compacted);
    let second = asked.lock().unwrap().take().unwrap();
    assert_eq!((second.status, second.files), (CompactionStatus::Busy, (8, 8)));
    assert_eq!(everything(&other).await, before);
    assert_eq!(compact_all(&other).await.status, CompactionStatus::Unchanged);
    assert!(other.doctor().await.unwrap().is_healthy());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_that_was_stopped_is_taken_up_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path(), None, Settings::default()).await;
    for name in ["others", "things"] {
        store.create_group(new_group(name)).await.unwrap();
        for number in 0..4 {
            store.put(name, pairs(&format!("C{number}"), number, "x"), PutOptions::default()).await.unwrap();
            store.flush(&[]).await.unwrap();
        }
    }
    let before = everything(&store).await;
    let cancel = Arc::new(AtomicBool::new(false));
    let stop: larder::store::OnCompactionProgress = {
        let cancel = cancel.clone();
        Arc::new(move |progress: larder::store::CompactionProgress| {
            if progress.group == "things" && progress.rows > 0 {
                cancel.store(true, Ordering::SeqCst);
            }
        })
    };
    let reports = store.compact(&[], stop, cancel).await.unwrap();
    assert_eq!(reports.iter().map(|(group, _)| group.as_str()).collect::<Vec<_>>(), ["others", "things"]);
    assert_eq!(reports[0].1.as_ref().unwrap().status, CompactionStatus::Compacted, "what was done stays done");
    assert_eq!(reports[1].1.as_ref().unwrap_err().kind(), ErrorKind::Interrupted);
    assert_eq!(everything(&store).await, before);
    let catalog = Catalog::open(folder.path().join("catalog.db"), CatalogOptions::default()).await.unwrap();
    let stopped = catalog.runs(10).await.unwrap().into_iter().find(|run| run.group_name.as_deref() == Some("things")).unwrap();
    assert_eq!((stopped.kind, stopped.state), (RunKind::Compact, RunState::Interrupted));
    let reports = store.compact(&["things".to_owned()], Arc::new(|_| ()), Arc::default()).await.unwrap();
    assert_eq!(reports[0].1.as_ref().unwrap().files, (4, 1));
    let ended = catalog.run(stopped.id).await.unwrap().unwrap();
    assert_eq!((ended.state, ended.message.as_deref()), (RunState::Done, Some("4 files became 1")));
    assert_eq!(everything(&store).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_reads_on_while_its_files_are_replaced_and_the_next_one_reads_what_replaced_them() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(AtomicI64::new(0));
    let store = store_in(folder.path(), Some(&clock), Settings::default()).await;
    store.create_group(new_group("things")).await.unwrap();
    for number in 0..4 {
        store.put("things", pairs(&format!("C{number}"), number, "x"), PutOptions::default()).await.unwrap();
        store.flush(&[]).await.unwrap();
    }
    let rows = async |mut stream: larder::store::QueryStream| {
        let mut rows = 0;
        while let Some(batch) = stream.next().await {
            rows += batch?.num_rows();
        }
        Ok::<usize, larder::model::Error>(rows)
    };
    let early = store.query("select id, note from things", None).await.unwrap();
    compact_all(&store).await;
    assert_eq!(rows(early).await.unwrap(), 4);
    clock.store(4_000, Ordering::SeqCst);
    assert_eq!(compact_all(&store).await.removed_files, 4);
    assert_eq!(rows(store.query("select id, note from things", None).await.unwrap()).await.unwrap(), 4);
}

#[tokio::test]
async fn groups_without_a_history_of_their_own_are_refused_by_name_and_passed_over_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(&folder.path().join("store"), None, Settings::default()).await;
    store.create_group(NewGroup { offline: false, ..new_group("sessions") }).await.unwrap();
    store.create_group(new_group("things")).await.unwrap();
    let compact = |names: &[&str]| {
        let (store, names) = (store.clone(), names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        async move { store.compact(&names, Arc::new(|_| ()), Arc::default()).await }
    };
    let error = compact(&["things", "sessions"]).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("'sessions'"), "{error}");
    assert_eq!(compact(&["thing"]).await.unwrap_err().kind(), ErrorKind::NotFound);
    let reports = compact(&[]).await.unwrap();
    assert_eq!(reports.len(), 1);
    let report = reports[0].1.as_ref().unwrap();
    assert_eq!((reports[0].0.as_str(), report.status, report.files), ("things", CompactionStatus::Unchanged, (0, 0)));
    store.close().await.unwrap();
    let options = OpenOptions { read_only: true, ..OpenOptions::default() };
    let read_only = FeatureStore::open(folder.path().join("store"), options).await.unwrap();
    let error = read_only.compact(&[], Arc::new(|_| ()), Arc::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
}
