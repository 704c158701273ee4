//! Bulk load: every row in both stores exactly once, whatever stops the load on the way.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use larder::backend::faults::{Faults, Mode};
use larder::backend::offline::{OfflineOptions, OfflineStore, Predicate, RowReader};
use larder::backend::online::{LmdbOptions, LmdbStore, OnlineStore, Targets, get};
use larder::catalog::{Catalog, CatalogOptions, RunState};
use larder::ingest::files::{infer_schema, resolve};
use larder::ingest::load::{LoadContext, LoadPhase, LoadProgress, LoadReport, LoadRequest, OnError, OnProgress, load};
use larder::ingest::writer::Clock;
use larder::model::{
    ErrorKind, EventTime, FeatureGroup, GroupId, GroupName, GroupStatus, OfflineSettings, OnlineSettings, RawValue, Result, Schema,
};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

/// Identifier, event time, and all values as one text.
type HistoryRow = (String, EventTime, String);

/// A store in a folder, opened anew for every attempt as a new process would.
struct Store {
    catalog: Catalog,
    online: Arc<dyn OnlineStore>,
    offline: OfflineStore,
    spool: PathBuf,
    clock: Clock,
}

impl Store {
    async fn open(folder: &Path, faults: Option<Arc<Faults>>) -> Self {
        let lmdb = LmdbOptions { map_size: 1 << 30, faults: faults.clone(), ..LmdbOptions::default() };
        let seconds = AtomicU64::new(1_780_000_000);
        Self {
            catalog: Catalog::open(folder.join("catalog.db"), CatalogOptions { create: true, ..CatalogOptions::default() }).await.unwrap(),
            online: Arc::new(LmdbStore::open(&folder.join("online"), lmdb).unwrap()),
            offline: OfflineStore::open(OfflineOptions { faults, ..OfflineOptions::new(folder.join("s3")) }).unwrap(),
            spool: folder.join("loads"),
            clock: Arc::new(move || EventTime::from_unix_seconds(seconds.fetch_add(1, Ordering::SeqCst) as i64).unwrap()),
        }
    }

    /// Parts are small here, so that a few rows make several.
    fn context(&self) -> LoadContext<'_> {
        LoadContext {
            part_rows: 100,
            catalog: &self.catalog,
            online: &self.online,
            offline: &self.offline,
            spool: &self.spool,
            quarantine: &self.spool,
            clock: &self.clock,
        }
    }

    async fn load(&self, request: &LoadRequest) -> Result<LoadReport> {
        load(self.context(), request.clone(), Arc::new(|_| ()), Arc::default()).await.map(|(report, _)| report)
    }

    /// All rows of the history as text by feature, in the order of their times.
    async fn history(&self, group: &FeatureGroup) -> Vec<HistoryRow> {
        if group.offline.is_none() {
            return Vec::new();
        }
        let snapshot = match self.offline.snapshot(group).await {
            Ok(snapshot) => snapshot,
            Err(error) if error.kind() == ErrorKind::NotFound => return Vec::new(),
            Err(error) => panic!("{error}"),
        };
        let mut rows = Vec::new();
        for scanned in self.offline.scan(&snapshot, None, &Predicate::default()).unwrap() {
            let batch = scanned.unwrap().batch;
            let reader = RowReader::new(&group.schema, &batch);
            for row in 0..batch.num_rows() {
                let values: Vec<String> =
                    reader.values(row).unwrap().into_iter().map(|value| value.map_or("∅".into(), |value| value.display())).collect();
                assert!(!reader.is_deleted(row));
                rows.push((reader.identifier(row).unwrap(), reader.event_time(row).unwrap(), values.join("|")));
            }
        }
        rows.sort();
        rows
    }

    fn online_rows(&self, group: &FeatureGroup) -> BTreeMap<String, String> {
        let mut rows = BTreeMap::new();
        self.online
            .scan(group.id, None, &mut |row| {
                let values: Vec<String> = (0..row.width())
                    .map(|position| match row.value(position) {
                        None => "∅".into(),
                        Some(RawValue::Text(text)) => text,
                        Some(RawValue::List(texts)) => format!("[{}]", texts.join(", ")),
                    })
                    .collect();
                assert!(rows.insert(row.identifier().to_owned(), values.join("|")).is_none());
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        assert_eq!(self.online.counts(group.id).unwrap().records, rows.len() as u64);
        rows
    }

    async fn states(&self) -> Vec<RunState> {
        self.catalog.runs(100).await.unwrap().iter().map(|run| run.state).collect()
    }
}

fn group(schema: Schema, targets: Targets) -> Arc<FeatureGroup> {
    let created = EventTime::from_unix_seconds(1_700_000_000).unwrap();
    Arc::new(FeatureGroup {
        id: GroupId(uuid::Uuid::from_u128(7)),
        name: GroupName::parse("trips").unwrap(),
        description: None,
        owner: None,
        tags: BTreeMap::new(),
        schema,
        online: targets.online.then(OnlineSettings::default),
        offline: targets.offline.then(|| OfflineSettings {
            s3_uri: "s3://larder/feature-store".into(),
            external: None,
            ..OfflineSettings::default()
        }),
        status: GroupStatus::Created,
        failure_reason: None,
        expectations: larder::model::GroupExpectations::default(),
        created,
        modified: created,
    })
}

/// A request with a group that the files themselves suggest.
async fn request(store: &Store, files: &[String], id: &str, time: &str, targets: Targets) -> LoadRequest {
    let inputs = resolve(files).unwrap();
    let group = group(infer_schema(&inputs, id, time, &[]).unwrap().schema, targets);
    if store.catalog.group("trips").await.unwrap().is_none() {
        store.catalog.insert_group(&group).await.unwrap();
    }
    LoadRequest { group, inputs, drop: Vec::new(), targets: Targets::BOTH, on_error: OnError::Stop, rejects: None }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A CSV file heavy in ties; the last column numbers the rows, so that later rows can be told from earlier ones.
fn csv(seed: u64, rows: usize) -> String {
    let mut random = StdRng::seed_from_u64(seed);
    let mut text = "id,at,score,tag,n\n".to_owned();
    for row in 0..rows {
        let score = if random.random_bool(0.3) { String::new() } else { format!("{:.2}", random.random_range(-5.0..5.0)) };
        let tag = ["", "a", "b c", "\"x,y\""][random.random_range(0..4)];
        text.push_str(&format!(
            "k{},2026-01-{:02}T00:00:00Z,{score},{tag},{row}\n",
            random.random_range(0..rows / 2 + 1),
            random.random_range(1..4)
        ));
    }
    text
}

/// Writes the rows of a file into three, which load as three parts.
fn in_three(folder: &Path, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let third = (lines.len() - 1).div_ceil(3);
    let files = lines[1..].chunks(third).enumerate();
    files.map(|(number, rows)| write(folder, &format!("{number}.csv"), &[&lines[..1], rows].concat().join("\n"))).collect()
}

/// What the stores must hold after loading a file of [`csv`]: the slow way.
fn expected(text: &str) -> (Vec<HistoryRow>, BTreeMap<String, String>) {
    let mut history = Vec::new();
    let mut newest: BTreeMap<String, (EventTime, usize, String)> = BTreeMap::new();
    for (row, record) in csv::Reader::from_reader(text.as_bytes()).records().enumerate() {
        let record = record.unwrap();
        let score = match &record[2] {
            "" => "∅".to_owned(),
            text => larder::model::value::format_fractional(text.parse().unwrap()),
        };
        let tag = if record[3].is_empty() { "∅" } else { &record[3] };
        let values = format!("{}|{}|{score}|{tag}|{}", &record[0], &record[1], &record[4]);
        let time = EventTime::parse_text(&record[1], larder::model::TimeMode::Strict).unwrap();
        history.push((record[0].to_owned(), time, values.clone()));
        let entry = newest.entry(record[0].to_owned()).or_insert_with(|| (time, row, values.clone()));
        if time >= entry.0 {
            *entry = (time, row, values);
        }
    }
    history.sort();
    (history, newest.into_iter().map(|(id, (_, _, values))| (id, values)).collect())
}

#[tokio::test]
async fn both_stores_hold_what_the_files_say() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), None).await;
    let text = csv(1, 3_000);
    let (history, newest) = expected(&text);
    // The order of the files counts at equal times.
    let files = in_three(folder.path(), &text);
    let request = request(&store, &files, "id", "at", Targets::BOTH).await;
    let seen = Arc::new(Mutex::new(Vec::<LoadProgress>::new()));
    let progress: OnProgress = {
        let seen = seen.clone();
        Arc::new(move |progress| seen.lock().unwrap().push(progress))
    };
    let (report, _) = load(store.context(), request.clone(), progress, Arc::default()).await.unwrap();
    assert_eq!((report.rows, report.accepted, report.rejected, report.files, report.resumed), (3_000, 3_000, 0, 3, false));
    assert!(report.online_rows >= newest.len() as u64);
    assert_eq!(store.history(&request.group).await, history);
    assert_eq!(store.online_rows(&request.group), newest);
    assert_eq!(store.states().await, [RunState::Done]);
    let seen = seen.lock().unwrap();
    let reading: Vec<_> = seen.iter().filter(|progress| progress.phase == LoadPhase::Reading).collect();
    assert_eq!(reading.last().unwrap().rows, 3_000);
    assert!(reading.iter().all(|progress| progress.bytes <= progress.total_bytes));
    assert!(seen.iter().any(|progress| progress.phase == LoadPhase::Committing));
    assert_eq!(seen.iter().rfind(|progress| progress.phase == LoadPhase::Online).unwrap().rows, 3_000);
    // A look-up answers with the row of the file.
    let (id, values) = newest.iter().next().unwrap();
    let row = get(store.online.as_ref(), request.group.id, id, None, 5, EventTime::MAX).unwrap().unwrap();
    assert_eq!(row.values[4].1, Some(RawValue::Text(values.rsplit('|').next().unwrap().into())));
}

#[tokio::test]
async fn a_load_that_ended_is_done_again_when_asked_and_changes_nothing_online() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), None).await;
    let text = csv(2, 400);
    let file = write(folder.path(), "a.csv", &text);
    let request = request(&store, &[file], "id", "at", Targets::BOTH).await;
    for round in 1..=2 {
        let report = store.load(&request).await.unwrap();
        assert!(!report.resumed);
        assert_eq!(store.history(&request.group).await.len(), 400 * round);
    }
    assert_eq!(store.online_rows(&request.group), expected(&text).1);
}

#[tokio::test]
async fn one_store_alone() {
    for targets in [Targets { online: true, offline: false }, Targets { online: false, offline: true }] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), None).await;
        let text = csv(3, 500);
        let (history, newest) = expected(&text);
        let file = write(folder.path(), "a.csv", &text);
        let request = request(&store, &[file], "id", "at", Targets::BOTH).await;
        let request = LoadRequest { targets, ..request };
        store.load(&request).await.unwrap();
        let found = store.history(&request.group).await;
        assert_eq!(found, if targets.offline { history } else { Vec::new() });
        assert_eq!(store.online_rows(&request.group), if targets.online { newest } else { BTreeMap::new() });
        assert!(store.online.counts(request.group.id).unwrap().one_sided, "{targets:?}");
        let leftovers = std::fs::read_dir(&store.spool).map_or(0, Iterator::count);
        assert_eq!(leftovers, 0);
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), None).await;
    let file = write(folder.path(), "a.csv", &csv(3, 10));
    let only = Targets { online: true, offline: false };
    let request = request(&store, &[file], "id", "at", only).await;
    store.load(&request).await.unwrap();
    assert!(!store.online.counts(request.group.id).unwrap().one_sided, "a group that keeps no history has nothing to differ from");
    let wrong = LoadRequest { targets: Targets { online: false, offline: true }, ..request };
    let error = store.load(&wrong).await.unwrap_err().to_string();
    assert!(error.contains("has no offline store"), "{error}");
}

#[tokio::test]
async fn a_bad_row_stops_the_load_and_nothing_is_visible() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), None).await;
    let good = write(folder.path(), "1.csv", "id,at,n\na,2026-01-01T00:00:00Z,1\n");
    let bad = write(folder.path(), "2.csv", "id,at,n\nb,2026-01-01T00:00:00Z,1\nc,2026-01-01T00:00:00Z,many\n");
    let mut request = request(&store, std::slice::from_ref(&good), "id", "at", Targets::BOTH).await;
    request.inputs = resolve(&[good, bad]).unwrap();
    let error = store.load(&request).await.unwrap_err().to_string();
    assert!(error.contains("2.csv, line 3, 'n': 'many' is not a whole number") && error.contains("--on-error skip"), "{error}");
    assert_eq!((store.history(&request.group).await.len(), store.online_rows(&request.group).len()), (0, 0));
    assert_eq!(store.states().await, [RunState::Failed]);

    let rejects = folder.path().join("rejects.jsonl");
    let request = LoadRequest { on_error: OnError::Skip, rejects: Some(rejects.clone()), ..request };
    let report = store.load(&request).await.unwrap();
    assert_eq!((report.rows, report.accepted, report.rejected), (3, 2, 1));
    assert_eq!((store.history(&request.group).await.len(), store.online_rows(&request.group).len()), (2, 2));
    let line: serde_json::Value = serde_json::from_str(std::fs::read_to_string(&rejects).unwrap().trim()).unwrap();
    assert!(line["file"].as_str().unwrap().ends_with("2.csv"));
    assert_eq!((&line["line"], &line["field"], &line["row"]["n"]), (&3.into(), &"n".into(), &"many".into()));
    // The file of another load is never written over.
    let error = store.load(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_stopped_load_goes_on_where_it_stopped() {
    let text = csv(4, 900);
    let (history, newest) = expected(&text);
    // A bad row in each file, so that the rejects file is resumed too.
    for phase in [LoadPhase::Reading, LoadPhase::Committing, LoadPhase::Online] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), None).await;
        let mut files = in_three(folder.path(), &text);
        for (number, file) in files.iter_mut().enumerate() {
            let rows = std::fs::read_to_string(&*file).unwrap();
            let header = rows.lines().next().unwrap();
            *file = write(folder.path(), &format!("bad-{number}.csv"), &rows.replacen(header, &format!("{header}\nbad,never,,,0"), 1));
        }
        let mut request = request(&store, &files, "id", "at", Targets::BOTH).await;
        request.on_error = OnError::Skip;
        request.rejects = Some(folder.path().join("rejects.jsonl"));
        let cancel = Arc::new(AtomicBool::new(false));
        let (stop, calls) = (cancel.clone(), AtomicU64::new(0));
        let progress: OnProgress = Arc::new(move |progress| {
            // Not at the first call of the phase, so that something of it is done.
            let needed = if phase == LoadPhase::Committing { 0 } else { 1 };
            if progress.phase == phase && calls.fetch_add(1, Ordering::SeqCst) == needed {
                stop.store(true, Ordering::SeqCst);
            }
        });
        let stopped = load(store.context(), request.clone(), progress, cancel).await;
        // So few rows may all be online before the stop is noticed; the phase before stops there for certain.
        if phase == LoadPhase::Online && stopped.is_ok() {
            assert_eq!(store.online_rows(&request.group), newest);
            continue;
        }
        let error = stopped.expect_err("the load was stopped");
        assert_eq!(error.kind(), ErrorKind::Interrupted, "{phase:?}: {error}");
        assert!(error.to_string().contains("run the same command again"), "{error}");
        assert_eq!(store.states().await, [RunState::Interrupted]);
        let visible = store.history(&request.group).await.len();
        assert_eq!(visible, if phase == LoadPhase::Reading { 0 } else { 900 });
        let report = store.load(&request).await.unwrap();
        assert_eq!((report.rows, report.accepted, report.rejected, report.resumed), (903, 900, 3, true), "{phase:?}");
        assert!(store.history(&request.group).await == history, "{phase:?}");
        assert_eq!(store.online_rows(&request.group), newest, "{phase:?}");
        assert_eq!(store.states().await, [RunState::Done]);
        let rejects = std::fs::read_to_string(request.rejects.as_ref().unwrap()).unwrap();
        assert_eq!(rejects.lines().count(), 3, "{phase:?}");
    }
}

/// Steps that change something in a load of three parts.
async fn count_steps(text: &str, targets: Targets) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let counting = Arc::new(Faults::counting());
    let store = Store::open(folder.path(), Some(counting.clone())).await;
    let request = request(&store, &in_three(folder.path(), text), "id", "at", targets).await;
    store.load(&request).await.unwrap();
    assert!(counting.steps() >= 3, "{:?}", counting.names());
    counting.steps()
}

/// After an attempt that may have failed anywhere: nothing is half visible, and the same load makes it whole.
async fn check_and_finish(folder: &Path, text: &str, targets: Targets, told: &str) {
    let (history, newest) = expected(text);
    let store = Store::open(folder, None).await;
    let wanted = request(&store, &in_three_again(folder), "id", "at", targets).await;
    if !store.states().await.contains(&RunState::Done) {
        let before = store.history(&wanted.group).await.len();
        assert!(before == 0 || before == history.len(), "{told}: {before} rows are visible");
        let report = store.load(&wanted).await.unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!((report.rows, report.accepted), (history.len() as u64, history.len() as u64), "{told}");
    }
    let expected_history = if targets.offline { &history[..] } else { &[] };
    assert!(store.history(&wanted.group).await == expected_history, "{told}");
    assert_eq!(store.online_rows(&wanted.group), if targets.online { newest } else { BTreeMap::new() }, "{told}");
    assert!(store.states().await.iter().all(|state| matches!(state, RunState::Done | RunState::Failed)), "{told}");
    assert_eq!(std::fs::read_dir(&store.spool).map_or(0, Iterator::count), 0, "{told}");
}

/// The files that [`in_three`] wrote: writing them again would make another load of it.
fn in_three_again(folder: &Path) -> Vec<String> {
    (0..3).map(|number| folder.join(format!("{number}.csv")).display().to_string()).collect()
}

/// Runs a load whose k-th step fails, for every k, then the same load again without a fault.
async fn fail_every_step(targets: Targets, mode: Mode) {
    let text = csv(5, 300);
    for step in 1..=count_steps(&text, targets).await {
        let folder = tempfile::tempdir().unwrap();
        let files = in_three(folder.path(), &text);
        {
            let faults = Arc::new(Faults::fail_at(step, mode));
            // A step of opening the store fails before there is anything to load.
            let opened = std::panic::AssertUnwindSafe(Store::open(folder.path(), Some(faults)));
            let Ok(store) = futures::FutureExt::catch_unwind(opened).await else { continue };
            let wanted = request(&store, &files, "id", "at", targets).await;
            let _ = store.load(&wanted).await;
        }
        check_and_finish(folder.path(), &text, targets, &format!("{mode:?} at step {step} of {targets:?}")).await;
    }
}

const CHILD: &str = "LARDER_TEST_LOAD_CHILD";

/// Run as a process of its own by the tests below: loads, and is aborted on the way.
#[tokio::test]
async fn child_process_that_is_aborted() {
    let Ok(plan) = std::env::var(CHILD) else { return };
    let [folder, online, offline, how, number] = plan.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let (folder, number): (_, u64) = (Path::new(folder), number.parse().unwrap());
    let targets = Targets { online: online == "true", offline: offline == "true" };
    let faults = match how {
        "before" => Some(Arc::new(Faults::fail_at(number, Mode::AbortBefore))),
        "after" => Some(Arc::new(Faults::fail_at(number, Mode::AbortAfter))),
        _ => None,
    };
    let store = Store::open(folder, faults).await;
    let wanted = request(&store, &in_three_again(folder), "id", "at", targets).await;
    let calls = AtomicU64::new(0);
    let abort_in_progress = how == "progress";
    let progress: OnProgress = Arc::new(move |_| {
        if abort_in_progress && calls.fetch_add(1, Ordering::SeqCst) + 1 == number {
            std::process::abort();
        }
    });
    let _ = load(store.context(), wanted, progress, Arc::default()).await;
}

/// Loads in a process that is aborted; false if it came to its end before.
fn abort_child(folder: &Path, targets: Targets, how: &str, number: u64) -> bool {
    let plan = format!("{}\n{}\n{}\n{how}\n{number}", folder.display(), targets.online, targets.offline);
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["load::child_process_that_is_aborted", "--exact", "--test-threads=1"])
        .env(CHILD, plan)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .unwrap();
    !status.success()
}

#[tokio::test]
async fn no_process_that_dies_at_a_step_loses_or_doubles_a_row() {
    let text = csv(8, 300);
    for targets in [Targets::BOTH, Targets { online: true, offline: false }] {
        for step in 1..=count_steps(&text, targets).await {
            for how in ["before", "after"] {
                let folder = tempfile::tempdir().unwrap();
                in_three(folder.path(), &text);
                let told = format!("abort {how} step {step} of {targets:?}");
                assert!(abort_child(folder.path(), targets, how, step), "{told}: the process lives");
                check_and_finish(folder.path(), &text, targets, &told).await;
            }
        }
    }
}

#[tokio::test]
async fn a_load_that_dies_again_and_again_comes_to_its_end() {
    let text = csv(9, 900);
    for targets in [Targets::BOTH, Targets { online: true, offline: false }] {
        let folder = tempfile::tempdir().unwrap();
        in_three(folder.path(), &text);
        // Each attempt dies one call of the progress later than the one before, the marks of all add up.
        let attempts = (1..40).take_while(|number| abort_child(folder.path(), targets, "progress", *number)).count();
        assert!(attempts >= 3, "{attempts} attempts died");
        check_and_finish(folder.path(), &text, targets, "after all attempts").await;
    }
}

#[tokio::test]
async fn no_failing_step_loses_or_doubles_a_row() {
    fail_every_step(Targets::BOTH, Mode::Before).await;
}

#[tokio::test]
async fn no_lost_reply_loses_or_doubles_a_row() {
    fail_every_step(Targets::BOTH, Mode::AfterLostReply).await;
}

#[tokio::test]
async fn nor_in_a_load_to_one_store() {
    for mode in [Mode::Before, Mode::AfterLostReply] {
        fail_every_step(Targets { online: true, offline: false }, mode).await;
        fail_every_step(Targets { online: false, offline: true }, mode).await;
    }
}

#[tokio::test]
async fn late_files_change_the_history_and_not_the_newest() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), None).await;
    let new = write(folder.path(), "new.csv", "id,at,n\na,2026-01-02T00:00:00Z,2\n");
    let old = write(folder.path(), "old.csv", "id,at,n\na,2026-01-01T00:00:00Z,1\n");
    let same = write(folder.path(), "same.csv", "id,at,n\na,2026-01-02T00:00:00Z,3\n");
    let mut request = request(&store, std::slice::from_ref(&new), "id", "at", Targets::BOTH).await;
    for (file, n, applied) in [(new, "2", 1), (old, "2", 0), (same, "3", 1)] {
        request.inputs = resolve(&[file]).unwrap();
        assert_eq!(store.load(&request).await.unwrap().online_rows, applied);
        assert!(store.online_rows(&request.group)["a"].ends_with(&format!("|{n}")));
    }
    assert_eq!(store.history(&request.group).await.len(), 3);
}

#[tokio::test]
async fn event_times_finer_than_a_microsecond_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), None).await;
    let mut nanos: Vec<u32> = (1..=9).collect();
    nanos.shuffle(&mut StdRng::seed_from_u64(6));
    let mut text = "id,at,n\n".to_owned();
    for n in &nanos {
        text.push_str(&format!("a,2026-01-01T00:00:00.00000000{n}Z,{n}\n"));
    }
    let file = write(folder.path(), "a.csv", &text);
    let request = request(&store, &[file], "id", "at", Targets::BOTH).await;
    store.load(&request).await.unwrap();
    assert!(store.online_rows(&request.group)["a"].ends_with("|9"), "{nanos:?}");
}

#[tokio::test]
async fn files_without_rows_load_as_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), None).await;
    let file = write(folder.path(), "a.csv", "id,at,n\n");
    let request = request(&store, &[file], "id", "at", Targets::BOTH).await;
    let report = store.load(&request).await.unwrap();
    assert_eq!((report.rows, report.files, store.history(&request.group).await.len()), (0, 0, 0));
}

#[tokio::test]
async fn external_groups_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), None).await;
    let file = write(folder.path(), "a.csv", &csv(1, 5));
    let request = request(&store, &[file], "id", "at", Targets::BOTH).await;
    let mut group = FeatureGroup::clone(&request.group);
    group.offline.as_mut().unwrap().external = Some("/somewhere".into());
    let error = store.load(&LoadRequest { group: Arc::new(group), ..request }).await.unwrap_err().to_string();
    assert!(error.contains("is external"), "{error}");
}
