//! Compaction: files become few and sorted, and nothing else changes, whoever reads, writes, compacts or dies meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow::array::AsArray;
use futures::StreamExt;
use larder::backend::faults::{Faults, Mode};
use larder::backend::offline::columns::rows_to_batch;
use larder::backend::offline::{
    CommitOutcome, CompactionOutcome, CompactionPlan, CompactionTarget, OfflineRow, OfflineStore, OnMerged, Predicate, RowReader,
    Selection, TableSnapshot,
};
use larder::catalog::{Catalog, CatalogOptions, RunKind, RunState};
use larder::model::{ErrorKind, EventTime, FeatureGroup, FeatureType, GroupName, RawValue, Result, Schema};
use larder::store::{
    CompactionReport, CompactionStatus, DeleteOptions, FeatureStore, HistoryRow, IngestOptions, LoadPhase, LoadProgress, NewGroup, OnError,
    OpenOptions, PutOptions, Settings,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::offline::{assert_exactly_once, drain, feature, group, open, open_with, rows};

const EVERYTHING: CompactionTarget = CompactionTarget { rows: 1 << 20, bytes: 128 << 20 };
const HOUR: Duration = Duration::from_secs(3_600);

fn at(seconds: i64) -> EventTime {
    EventTime::from_unix_seconds(1_800_000_000 + seconds).unwrap()
}

fn nobody() -> OnMerged {
    Arc::new(|_| ())
}

async fn plan(store: &OfflineStore, group: &FeatureGroup, target: CompactionTarget) -> CompactionPlan {
    let snapshot = store.snapshot(group).await.unwrap();
    store.plan_compaction(&snapshot, &HashSet::new(), target, Selection::Everything)
}

async fn compact(store: &OfflineStore, group: &FeatureGroup, target: CompactionTarget) -> Result<CompactionOutcome> {
    let plan = plan(store, group, target).await;
    store.compact(group, &plan, at(0), nobody(), Arc::default()).await
}

/// All rows of a snapshot, one text each, in the order of files and rows.
fn rows_of(store: &OfflineStore, snapshot: &TableSnapshot, group: &FeatureGroup) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in store.scan(snapshot, None, &Predicate::default()).unwrap() {
        let part = part.unwrap();
        let reader = RowReader::new(&group.schema, &part.batch);
        for row in 0..part.batch.num_rows() {
            let values = reader.values(row).unwrap().into_iter().map(|value| value.map_or("∅".into(), |value| value.display()));
            let text = format!(
                "{} {} {} {}",
                values.collect::<Vec<_>>().join("|"),
                reader.api_invocation_time(row).0,
                reader.write_time(row).0,
                reader.is_deleted(row)
            );
            found.push((part.file.to_string(), text));
        }
    }
    found
}

fn sorted(rows: &[(String, String)]) -> Vec<&str> {
    let mut texts: Vec<&str> = rows.iter().map(|(_, text)| text.as_str()).collect();
    texts.sort_unstable();
    texts
}

/// A history that arrives in drains: many ties, nulls, delete markers.
fn history(seed: u64, count: u64) -> Vec<OfflineRow> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut outbox = rows(&mut random, 1, count);
    for row in &mut outbox {
        row.is_deleted = random.random_bool(0.1);
    }
    outbox
}

async fn drained(store: &OfflineStore, group: &FeatureGroup, outbox: &[OfflineRow], drains: usize) {
    for number in 1..=drains {
        drain(store, group, &outbox[..outbox.len() * number / drains]).await.unwrap();
    }
}

#[tokio::test]
async fn many_files_become_few_sorted_ones_and_a_second_time_there_is_nothing_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    let outbox = history(1, 3_000);
    drained(&store, &group, &outbox, 40).await;
    let before = store.snapshot(&group).await.unwrap();
    let rows_before = rows_of(&store, &before, &group);
    let target = CompactionTarget { rows: 700, ..EVERYTHING };
    let outcome = compact(&store, &group, target).await.unwrap();
    let after = store.snapshot(&group).await.unwrap();
    let added = after.files().len() as u64;
    assert_eq!(outcome, CompactionOutcome::Done { version: before.version() + 1, removed: 40, added });
    assert!((4..=5).contains(&added), "700 rows and the rest of an identifier each, and what is left: {added}");
    let rows_after = rows_of(&store, &after, &group);
    assert_eq!(sorted(&rows_before), sorted(&rows_after));
    assert_eq!((after.rows(), after.marks(), after.event_time()), (before.rows(), before.marks(), before.event_time()));
    assert_exactly_once(&store, &group, &outbox).await;

    // No identifier is in two files, and the next file's come later.
    let ranges: Vec<_> = after.files().iter().map(|file| after.identifier_range(file).unwrap()).collect();
    assert!(ranges.windows(2).all(|pair| pair[0].1.compare(&pair[1].0) == Some(std::cmp::Ordering::Less)), "{ranges:?}");
    for file in after.files() {
        footer_is_right(&store.file_path(&after, file).unwrap());
    }
    assert!(plan(&store, &group, target).await.is_empty());
    // The log says that nothing changed.
    let log = folder.path().join(store.folder(&group).unwrap().data_key()).join(format!("_delta_log/{:020}.json", after.version()));
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.matches("\"dataChange\":false").count() as u64, 40 + added);
    assert_eq!((log.matches("\"dataChange\":true").count(), log.matches("\"txn\"").count()), (0, 0));
    assert_eq!(log.matches("\"deletionTimestamp\":1800000000000").count(), 40);
}

/// What readers rely on: sorted by identifier and time, said so, with bounds for row groups and pages.
fn footer_is_right(path: &Path) {
    let file = std::fs::File::open(path).unwrap();
    let footer = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required).parse_and_finish(&file).unwrap();
    let leaves = footer.file_metadata().schema_descr();
    for row_group in footer.row_groups() {
        let order = row_group.sorting_columns().unwrap();
        let names: Vec<&str> =
            order.iter().map(|column| leaves.column(column.column_idx as usize).name().to_owned().leak() as &str).collect();
        assert_eq!(names, ["id", "__event_time"]);
        assert!(row_group.columns().iter().all(|column| column.statistics().is_some()));
    }
    assert!(footer.column_index().is_some() && footer.offset_index().is_some());
    let mut last: Option<(String, i64)> = None;
    for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
        let batch = batch.unwrap();
        let ids = batch.column_by_name("id").unwrap().as_string::<i32>().clone();
        let times = batch.column_by_name("__event_time").unwrap();
        let times = times.as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        for row in 0..batch.num_rows() {
            let next = Some((ids.value(row).to_owned(), times.value(row)));
            assert!(last <= next);
            last = next;
        }
    }
}

/// A file of a group with an identifier of any type, as a load makes it: rows share their arrivals.
async fn load_file(store: &OfflineStore, group: &FeatureGroup, outbox: &[OfflineRow], part: u64) {
    let batch = rows_to_batch(&group.schema, outbox).unwrap();
    let mut columns = batch.columns().to_vec();
    let micros = |value: i64| -> arrow::array::ArrayRef {
        Arc::new(arrow::array::TimestampMicrosecondArray::from(vec![value; outbox.len()]).with_timezone("UTC"))
    };
    let position = |name: &str| batch.schema().index_of(name).unwrap();
    columns[position("write_time")] = micros(10_000 + part as i64);
    columns[position("api_invocation_time")] = micros(10_000);
    let batch = arrow::array::RecordBatch::try_new(batch.schema(), columns).unwrap();
    let staged = [store.stage(group, vec![batch]).await.unwrap()];
    assert!(matches!(store.commit(group, &staged, None).await.unwrap(), CommitOutcome::Committed { .. }));
}

/// Event time, invocation, write time, number of the file, row in it.
type Order = (EventTime, u64, u64, usize, i64);

/// The newest row of each identifier by (event time, invocation, write time, file, row), the slow way.
fn winners(store: &OfflineStore, snapshot: &TableSnapshot, group: &FeatureGroup) -> BTreeMap<String, String> {
    let places: BTreeMap<&str, usize> = snapshot.files().iter().enumerate().map(|(place, file)| (file.path.as_str(), place)).collect();
    let mut newest: BTreeMap<String, (Order, String)> = BTreeMap::new();
    for part in store.scan(snapshot, None, &Predicate::default()).unwrap() {
        let part = part.unwrap();
        let reader = RowReader::new(&group.schema, &part.batch);
        for row in 0..part.batch.num_rows() {
            let place = (places[&*part.file], part.positions.value(row));
            let key = (reader.event_time(row).unwrap(), reader.api_invocation_time(row).0, reader.write_time(row).0, place.0, place.1);
            let text = format!("{:?} {}", reader.values(row).unwrap(), reader.is_deleted(row));
            let entry = newest.entry(reader.identifier(row).unwrap()).or_insert_with(|| (key, text.clone()));
            if key >= entry.0 {
                *entry = (key, text);
            }
        }
    }
    newest.into_iter().map(|(identifier, (_, text))| (identifier, text)).collect()
}

#[tokio::test]
async fn the_newest_row_stays_the_newest_whatever_the_identifier_and_however_often_compacted() {
    let mut random = StdRng::seed_from_u64(2);
    for round in 0..18 {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let kind = FeatureType::ALL[round % 3];
        let features = vec![feature("id", kind), feature("at", FeatureType::Fractional), feature("n", FeatureType::Integral)];
        let group = FeatureGroup { schema: Schema::new(features, "id", "at").unwrap(), ..group("ties") };
        store.ensure_table(&group).await.unwrap();
        let mut number = 0;
        let mut outbox = Vec::new();
        for file in 0..random.random_range(2..9) {
            let new: Vec<OfflineRow> = (0..random.random_range(1..60))
                .map(|_| {
                    number += 1;
                    tied_row(&mut random, &group, number)
                })
                .collect();
            if random.random_bool(0.5) {
                load_file(&store, &group, &new, file).await;
            } else {
                outbox.extend(new);
                drain(&store, &group, &outbox).await.unwrap();
            }
            // Now and then it is compacted on the way.
            if random.random_bool(0.2) {
                compact(&store, &group, CompactionTarget { rows: 40, ..EVERYTHING }).await.unwrap();
            }
        }
        let before = store.snapshot(&group).await.unwrap();
        let expected = (winners(&store, &before, &group), rows_of(&store, &before, &group));
        let target = CompactionTarget { rows: [10, 50, 10_000][round / 6], ..EVERYTHING };
        if !plan(&store, &group, target).await.is_empty() {
            compact(&store, &group, target).await.unwrap();
        }
        let after = store.snapshot(&group).await.unwrap();
        let found = (winners(&store, &after, &group), rows_of(&store, &after, &group));
        assert_eq!(found.0, expected.0, "round {round}");
        assert_eq!(sorted(&found.1), sorted(&expected.1), "round {round}");
        assert!(plan(&store, &group, target).await.is_empty(), "round {round}");
        assert!(store.check(&group).await.unwrap().problems.is_empty());
    }
}

fn tied_row(random: &mut StdRng, group: &FeatureGroup, number: u64) -> OfflineRow {
    let text = |text: String| RawValue::Text(text);
    let id = random.random_range(-3..6);
    let identifier = match group.schema.identifier().feature_type {
        FeatureType::String => format!("customer-with-a-long-name-{id}"),
        FeatureType::Integral => id.to_string(),
        FeatureType::Fractional => format!("{:.1}", f64::from(id) / 2.0),
    };
    // Ties to the microsecond, some of which a double tells apart.
    let seconds = format!("{}{}", 1_700_000_000 + random.random_range(0..3), ["", ".0000004", ".5"][random.random_range(0..3)]);
    let pairs = [("id", identifier), ("at", seconds), ("n", number.to_string())];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), text(value))).into();
    let record = larder::model::Record::from_pairs(&group.schema, pairs, larder::model::TimeMode::Lenient).unwrap();
    OfflineRow {
        identifier: record.identifier,
        event_time: record.event_time,
        values: record.values,
        arrival: larder::model::Arrival(number),
        is_deleted: random.random_bool(0.1),
    }
}

#[tokio::test]
async fn of_two_compactions_of_the_same_files_one_comes_too_late_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let group = group("trips");
    let (store, other) = (open(folder.path()), open(folder.path()));
    let outbox = history(3, 400);
    drained(&store, &group, &outbox, 8).await;
    let (plan, second) = (plan(&store, &group, EVERYTHING).await, plan(&other, &group, EVERYTHING).await);
    let (ours, theirs) = tokio::join!(
        store.compact(&group, &plan, at(0), nobody(), Arc::default()),
        other.compact(&group, &second, at(0), nobody(), Arc::default())
    );
    let outcomes = [ours.unwrap(), theirs.unwrap()];
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == CompactionOutcome::Overtaken).count(), 1, "{outcomes:?}");
    assert_exactly_once(&store, &group, &outbox).await;
    assert_eq!(parquet_files(&store, &group).await, 9, "eight old files and the one that won");
}

async fn parquet_files(store: &OfflineStore, group: &FeatureGroup) -> usize {
    store.objects(group).await.unwrap().iter().filter(|name| name.starts_with("data/year=") && name.ends_with(".parquet")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drains_and_loads_commit_in_the_middle_and_readers_keep_their_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let group = group("trips");
    let (store, other) = (open(folder.path()), open(folder.path()));
    let outbox = history(4, 500);
    drained(&store, &group, &outbox[..400], 10).await;
    let snapshot = store.snapshot(&group).await.unwrap();
    let rows_before = rows_of(&store, &snapshot, &group);
    let plan = plan(&store, &group, EVERYTHING).await;
    // Another process drains and loads while rows are merged: its commits take the version that this one wanted.
    let (runtime, drains) = (tokio::runtime::Handle::current(), Arc::new(AtomicI64::new(0)));
    let in_between: OnMerged = {
        let (group, outbox, drains) = (group.clone(), outbox.clone(), drains.clone());
        Arc::new(move |_| {
            if drains.fetch_add(1, Ordering::SeqCst) == 0 {
                runtime.block_on(drain(&other, &group, &outbox[..450])).unwrap();
                runtime.block_on(load_file(&other, &group, &outbox[450..], 0));
            }
        })
    };
    let outcome = store.compact(&group, &plan, at(0), in_between, Arc::default()).await.unwrap();
    assert_eq!(outcome, CompactionOutcome::Done { version: snapshot.version() + 3, removed: 10, added: 1 });
    assert_eq!(open(folder.path()).check(&group).await.unwrap().rows, 500);
    // Whoever read before reads on, until the files are deleted.
    assert_eq!(rows_of(&store, &snapshot, &group), rows_before);
    // In the order of commits the merged rows come before those that were committed meanwhile.
    let after = store.snapshot(&group).await.unwrap();
    assert_eq!(after.files().iter().map(|file| file.rows().unwrap()).collect::<Vec<_>>(), [400, 50, 50]);
    assert_eq!(store.delete_retired(&group, HOUR, at(3_599)).await.unwrap(), 0);
    assert_eq!(rows_of(&store, &snapshot, &group), rows_before);
    assert_eq!(store.delete_retired(&group, HOUR, at(3_600)).await.unwrap(), 10);
    let error = store.scan(&snapshot, None, &Predicate::default()).unwrap().find_map(Result::err).unwrap();
    assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains("run the command again"), "{error}");
    assert_eq!(rows_of(&store, &after, &group).len(), 500);
}

#[tokio::test]
async fn a_compaction_that_is_stopped_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    let outbox = history(5, 300);
    drained(&store, &group, &outbox, 6).await;
    let objects = store.objects(&group).await.unwrap();
    let plan = plan(&store, &group, EVERYTHING).await;
    let cancel = Arc::new(AtomicBool::new(false));
    let stop: OnMerged = {
        let cancel = cancel.clone();
        Arc::new(move |_| cancel.store(true, Ordering::SeqCst))
    };
    let error = store.compact(&group, &plan, at(0), stop, cancel.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    assert_eq!(store.objects(&group).await.unwrap(), objects);
    cancel.store(false, Ordering::SeqCst);
    assert!(matches!(store.compact(&group, &plan, at(0), nobody(), cancel).await.unwrap(), CompactionOutcome::Done { .. }));
    assert_exactly_once(&store, &group, &outbox).await;
}

/// Drains, compacts, widens the table, compacts again and deletes what was replaced.
async fn script(store: &OfflineStore, group: &FeatureGroup, outbox: &[OfflineRow]) -> Result<()> {
    for end in [9, 21, 40] {
        drain(store, group, &outbox[..end]).await?;
    }
    // Small outputs, so that there are several.
    let target = CompactionTarget { rows: 12, ..EVERYTHING };
    compact(store, group, target).await?;
    let wider = crate::offline::widened(group);
    drain(store, &wider, outbox).await?;
    compact(store, &wider, target).await?;
    store.delete_retired(&wider, Duration::ZERO, at(1)).await?;
    Ok(())
}

#[tokio::test]
async fn whichever_step_fails_every_row_is_there_once_and_the_rest_goes_by_its_age() {
    let group = group("trips");
    let outbox = history(6, 60);
    let counting = Arc::new(Faults::counting());
    let folder = tempfile::tempdir().unwrap();
    script(&open_with(folder.path(), counting.clone()), &group, &outbox).await.unwrap();
    let steps = counting.steps();
    assert!(counting.names().iter().any(|name| name.starts_with("delete")) && steps > 30, "{:?}", counting.names());
    for mode in [Mode::Before, Mode::AfterLostReply] {
        for k in 1..=steps {
            for dead_disk in if mode == Mode::Before { vec![false, true] } else { vec![false] } {
                let what = format!("step {k} of {steps}, {mode:?}, dead disk: {dead_disk}");
                let folder = tempfile::tempdir().unwrap();
                let faults = if dead_disk { Faults::fail_from(k, mode) } else { Faults::fail_at(k, mode) };
                let _ = script(&open_with(folder.path(), Arc::new(faults)), &group, &outbox).await;
                let retry = open(folder.path());
                if let Ok(snapshot) = retry.snapshot(&group).await {
                    let drained = outbox.len().min(snapshot.rows() as usize);
                    assert_exactly_once(&retry, &group, &outbox[..drained]).await;
                }
                script(&retry, &group, &outbox).await.unwrap_or_else(|error| panic!("{what}: {error}"));
                let wider = crate::offline::widened(&group);
                assert_exactly_once(&retry, &wider, &outbox).await;
                // What was left behind is litter, and a day later it is gone; what is live stays.
                let live = retry.snapshot(&wider).await.unwrap().files().len();
                let later = larder::store::system_clock()().saturating_add_seconds(90_000);
                retry.sweep(&wider, &HashSet::new(), Duration::ZERO, later).await.unwrap();
                assert_eq!(parquet_files(&retry, &wider).await, live, "{what}");
                assert_exactly_once(&retry, &wider, &outbox).await;
            }
        }
    }
}

#[tokio::test]
async fn removals_are_remembered_through_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    let outbox = history(7, 140);
    drained(&store, &group, &outbox[..70], 35).await;
    // Checkpoints keep removals of the last week, by the system's clock.
    let now = larder::store::system_clock()();
    let first = plan(&store, &group, EVERYTHING).await;
    store.compact(&group, &first, now, nobody(), Arc::default()).await.unwrap();
    for end in 71..=110 {
        drain(&store, &group, &outbox[..end]).await.unwrap();
    }
    let objects = store.objects(&group).await.unwrap();
    assert!(objects.iter().any(|name| name.ends_with(".checkpoint.parquet")), "{objects:?}");
    // A process that comes later knows the checkpoint and the commits after it.
    let later = open(folder.path());
    let (warm, cold) = (store.snapshot(&group).await.unwrap(), later.snapshot(&group).await.unwrap());
    let names = |snapshot: &TableSnapshot| snapshot.files().iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    assert_eq!(names(&warm), names(&cold), "also the order in which rows were committed");
    assert_eq!(later.delete_retired(&group, HOUR, now.saturating_add_seconds(3_600)).await.unwrap(), 35);
    assert_eq!(parquet_files(&later, &group).await, 41);
    assert_exactly_once(&later, &group, &outbox[..110]).await;
}

#[tokio::test]
async fn nothing_is_swept_before_its_time_and_nothing_stays_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    let outbox = history(8, 60);
    drained(&store, &group, &outbox, 4).await;
    let now = larder::store::system_clock()();
    let first = plan(&store, &group, EVERYTHING).await;
    store.compact(&group, &first, now, nobody(), Arc::default()).await.unwrap();
    let orphan = store.stage(&group, vec![rows_to_batch(&group.schema, &outbox).unwrap()]).await.unwrap();
    let of_a_load = store.stage(&group, vec![rows_to_batch(&group.schema, &outbox).unwrap()]).await.unwrap();
    let data = folder.path().join(store.folder(&group).unwrap().data_key());
    let foreign = data.join("part-00000-of-another-tool.parquet");
    std::fs::write(&foreign, "not in the log").unwrap();
    let spared = HashSet::from([of_a_load.path.clone()]);
    let sweep = |seconds: i64| store.sweep(&group, &spared, HOUR, now.saturating_add_seconds(seconds));
    assert_eq!(sweep(3_000).await.unwrap(), 0, "replaced files are kept for an hour");
    let check = store.check(&group).await.unwrap();
    assert_eq!((check.replaced, check.problems.as_slice()), (4, &[] as &[String]));
    assert!(check.scope.contains("4 replaced files wait"), "{}", check.scope);
    let orphans = store.orphans(&group, Duration::ZERO).await.unwrap();
    let orphans: BTreeSet<&str> = orphans.iter().map(|orphan| orphan.path.as_str()).collect();
    let expected = BTreeSet::from([orphan.path.as_str(), of_a_load.path.as_str(), "part-00000-of-another-tool.parquet"]);
    assert_eq!(orphans, expected, "replaced files are none");
    assert_eq!(sweep(3_700).await.unwrap(), 4);
    assert_eq!(store.check(&group).await.unwrap().replaced, 0);
    assert_eq!(sweep(80_000).await.unwrap(), 0, "a commit may yet name it");
    assert_eq!(sweep(90_000).await.unwrap(), 1);
    assert!(!data.join(&orphan.path).exists() && data.join(&of_a_load.path).exists() && foreign.exists());
    assert_exactly_once(&store, &group, &outbox).await;
}

// From here on the whole store.

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_loaded_in_many_parts_keeps_its_rows_and_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let (store, group) = (open(folder.path()), group("trips"));
    store.ensure_table(&group).await.unwrap();
    let outbox = history(11, 600);
    // Six hundred files of one row, committed at once: more than are open at a time.
    let mut staged = Vec::new();
    for row in &outbox {
        staged.push(store.stage(&group, vec![rows_to_batch(&group.schema, std::slice::from_ref(row)).unwrap()]).await.unwrap());
    }
    store.commit(&group, &staged, None).await.unwrap();
    let before = store.snapshot(&group).await.unwrap();
    let rows_before = rows_of(&store, &before, &group);
    assert!(matches!(compact(&store, &group, EVERYTHING).await.unwrap(), CompactionOutcome::Done { removed: 600, added: 1, .. }));
    let after = store.snapshot(&group).await.unwrap();
    assert_eq!(sorted(&rows_of(&store, &after, &group)), sorted(&rows_before));
    assert_eq!(winners(&store, &after, &group), winners(&store, &before, &group));
    assert_exactly_once(&store, &group, &outbox).await;
}
