//! Compaction: files become few and sorted, and nothing else changes, whoever reads, writes, compacts or dies meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arrow::array::AsArray;
use larder::backend::faults::{Faults, Mode};
use larder::backend::offline::columns::rows_to_batch;
use larder::backend::offline::{
    CommitOutcome, CompactionOutcome, CompactionPlan, CompactionTarget, OfflineRow, OfflineStore, OnMerged, Predicate, RowReader,
    Selection, TableSnapshot,
};
use larder::model::{ErrorKind, EventTime, FeatureGroup, FeatureType, RawValue, Result, Schema};
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
