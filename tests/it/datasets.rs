//! Training datasets through the store's handle: built, found again, verified, compared, explained, or nothing at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::{
    Array, ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::util::display::array_value_to_string;
use larder::model::{ErrorKind, EventTime, FeatureDefinition, FeatureName, FeatureType, GroupName, OnlineSettings, RawValue, Schema, Ttl};
use larder::store::datasets::explain::{NullReason, Outcome, RecordSource, Verdict};
use larder::store::datasets::{
    BuildOptions, BuildOutput, BuiltDataset, CellQuestion, DatasetRequest, Explanation, FeatureSelection, FileState, JoinWatch, SpineSource,
};
use larder::store::faults::Mode;
use larder::store::{DeleteOptions, Faults, FeatureStore, NewGroup, OpenOptions, OutputFormat, PutOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::differential::Beside;

/// The first second of the stories.
const START: i64 = 1_700_000_000;

fn at(seconds: i64) -> EventTime {
    EventTime::from_unix_seconds(START + seconds).unwrap()
}

/// A store whose clock a test turns, and a folder for files.
struct Bench {
    folder: tempfile::TempDir,
    store: FeatureStore,
    clock: Arc<AtomicI64>,
    cluster: Beside,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(START * 1_000_000));
        let store = opened(folder.path(), &clock, OpenOptions { create: true, ..OpenOptions::default() }).await;
        Self { folder, store, clock, cluster: Beside::default() }
    }

    /// Opens the store anew.
    async fn reopen(&mut self, options: OpenOptions) {
        self.cluster.end();
        self.store.close().await.unwrap();
        self.store = opened(self.folder.path(), &self.clock, options).await;
    }

    fn turn_clock(&self, seconds: i64) {
        self.clock.store((START + seconds) * 1_000_000, Ordering::Relaxed);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a group of an identifier `id`, an event time `at` and these features.
    async fn group(
        &self,
        name: &str,
        identifier: FeatureType,
        event_time: FeatureType,
        features: &[(&str, FeatureType)],
        ttl: Option<Ttl>,
    ) {
        let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
        let mut all = vec![feature("id", identifier), feature("at", event_time)];
        all.extend(features.iter().map(|(name, kind)| feature(name, *kind)));
        let schema = Schema::new(all, "id", "at").unwrap();
        let group = NewGroup {
            online: Some(OnlineSettings { ttl, ..OnlineSettings::default() }),
            ..NewGroup::new(GroupName::parse(name).unwrap(), schema)
        };
        self.store.create_group(group).await.unwrap();
    }

    /// The usual group: users with a plan and a score.
    async fn users(&self) {
        let features = [("plan", FeatureType::String), ("score", FeatureType::Fractional)];
        self.group("users", FeatureType::String, FeatureType::Fractional, &features, None).await;
    }

    async fn put(&self, group: &str, values: &[(&str, &str)]) {
        let pairs = values.iter().map(|(name, text)| ((*name).to_owned(), RawValue::Text((*text).to_owned()))).collect();
        self.store.put(group, pairs, PutOptions::default()).await.unwrap();
    }

    /// Puts a user as of a second.
    async fn user(&self, id: &str, seconds: i64, plan: &str, score: &str) {
        let time = (START + seconds).to_string();
        self.put("users", &[("id", id), ("at", &time), ("plan", plan), ("score", score)]).await;
    }

    /// Writes labels: identifier, second of the time, label.
    fn labels(&self, name: &str, rows: &[(Option<&str>, Option<i64>, i64)]) -> PathBuf {
        let ids: StringArray = rows.iter().map(|row| row.0).collect();
        let times: TimestampMicrosecondArray = rows.iter().map(|row| row.1.map(|seconds| (START + seconds) * 1_000_000)).collect();
        let labels: Int64Array = rows.iter().map(|row| Some(row.2)).collect();
        let path = self.path(name);
        write_parquet(&path, vec![("user", Arc::new(ids)), ("when", Arc::new(times.with_timezone("UTC"))), ("label", Arc::new(labels))]);
        path
    }

    async fn build(&self, request: &DatasetRequest, output: &str) -> BuiltDataset {
        let built = self.store.build_dataset(request, &options(self.path(output))).await.unwrap();
        self.cluster.dataset(&self.store, request, &built.manifest.content_hash).await;
        built
    }
}

async fn opened(folder: &Path, clock: &Arc<AtomicI64>, options: OpenOptions) -> FeatureStore {
    let clock = clock.clone();
    let now: larder::store::Clock = Arc::new(move || EventTime::from_unix_micros(clock.load(Ordering::Relaxed)).unwrap());
    FeatureStore::open(folder.join("store"), OpenOptions { clock: Some(now), ..options }).await.unwrap()
}

fn options(output: PathBuf) -> BuildOptions {
    let format = OutputFormat::from_file_name(&output.to_string_lossy()).unwrap();
    let output = BuildOutput::File(output);
    BuildOptions { name: None, description: None, output, format, memory: None, watch: JoinWatch::default(), cluster: None }
}

fn request(spine: &Path, features: &[&str]) -> DatasetRequest {
    DatasetRequest {
        spine: SpineSource::File(spine.to_str().unwrap().to_owned()),
        spine_id: "user".into(),
        spine_time: "when".into(),
        features: features.iter().map(|text| FeatureSelection::parse(text).unwrap()).collect(),
        ttls: Vec::new(),
        as_of: None,
    }
}

fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn read_parquet(path: &Path) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let schema = builder.schema().clone();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    arrow::compute::concat_batches(&schema, &batches).unwrap()
}

fn cell(batch: &RecordBatch, column: &str, row: usize) -> Option<String> {
    let column = batch.column_by_name(column).unwrap();
    column.is_valid(row).then(|| array_value_to_string(column, row).unwrap())
}

fn column(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    (0..batch.num_rows()).map(|row| cell(batch, name, row)).collect()
}

fn names_in(folder: &Path) -> Vec<String> {
    crate::cli::names_in(folder)
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_is_built_recorded_and_found_again_in_every_way() {
    let mut bench = Bench::new().await;
    bench.users().await;
    bench.user("a", 0, "free", "1.5").await;
    bench.user("a", 100, "plus", "2.5").await;
    bench.user("b", 50, "free", "3.5").await;
    let spine = bench
        .labels("labels.parquet", &[(Some("a"), Some(99), 1), (Some("b"), Some(10), 0), (None, Some(99), 1), (Some("a"), Some(100), 0)]);
    let request = request(&spine, &["users:plan,score as points"]);
    let built = bench.build(&request, "churn labels.parquet").await.manifest;
    assert_eq!((built.label().as_str(), built.rows, built.matched()), ("churn_labels@1", 4, vec![("users", 2)]));
    assert_eq!((built.inputs[0].delta_version, built.inputs[0].unflushed), (Some(1), 0), "what waited was flushed first");
    assert_eq!(bench.store.group_summary(&bench.store.group("users").await.unwrap()).await.unwrap().outbox_rows, 0);

    let rows = read_parquet(&bench.path("churn labels.parquet"));
    assert_eq!(column(&rows, "label"), [text("1"), text("0"), text("1"), text("0")]);
    assert_eq!(column(&rows, "plan"), [text("free"), None, None, text("plus")]);
    assert_eq!(column(&rows, "points"), [text("1.5"), None, None, text("2.5")]);
    let origins: Vec<(&str, Option<&str>)> = built.columns.iter().map(|column| (column.name.as_str(), column.feature.as_deref())).collect();
    assert_eq!(origins, [("user", None), ("when", None), ("label", None), ("plan", Some("plan")), ("points", Some("score"))]);

    // A second build of the name, another name, and every way to name one.
    bench.user("b", 5, "late", "0").await;
    let again = bench
        .store
        .build_dataset(&request, &BuildOptions { name: Some("Churn_Labels".parse_name()), ..options(bench.path("b.csv")) })
        .await;
    let again = again.unwrap().manifest;
    assert_eq!((again.version, again.content_hash == built.content_hash), (Some(2), false));
    for (reference, version) in [
        ("churn_labels", 2),
        ("CHURN_labels@1", 1),
        ("churn_labels@2", 2),
        (bench.path("churn labels.parquet").to_str().unwrap(), 1),
        (bench.path("b.csv.manifest.json").to_str().unwrap(), 2),
        (bench.path("store/datasets/churn_labels/1.json").to_str().unwrap(), 1),
    ] {
        assert_eq!(bench.store.find_dataset(reference).await.unwrap().version, Some(version), "{reference}");
    }
    for (reference, told) in [("churn", "did you mean 'churn_labels'"), ("churn_labels@9", "churn_labels@2"), ("x@y", "version")] {
        let error = bench.store.find_dataset(reference).await.unwrap_err().to_string();
        assert!(error.to_lowercase().contains(told), "{reference}: {error}");
    }
    let list = |store: FeatureStore, all| async move {
        let list = store.list_datasets(all).await.unwrap();
        list.into_iter().map(|dataset| (dataset.name.to_string(), dataset.version, dataset.versions)).collect::<Vec<_>>()
    };
    assert_eq!(list(bench.store.clone(), false).await, [("Churn_Labels".to_owned(), 2, 2)]);
    let all = list(bench.store.clone(), true).await;
    assert_eq!(all, [("Churn_Labels".to_owned(), 2, 2), ("churn_labels".to_owned(), 1, 2)]);

    // The catalog is lost: everything is found again, and numbers go on.
    bench.store.close().await.unwrap();
    for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
        let _ = std::fs::remove_file(bench.path("store").join(name));
    }
    bench.reopen(OpenOptions { create: true, ..OpenOptions::default() }).await;
    assert_eq!(list(bench.store.clone(), true).await, all);
    assert_eq!(bench.store.find_dataset("churn_labels@1").await.unwrap(), built);
    assert_eq!(bench.build(&request, "churn labels.parquet").await.manifest.version, Some(3));
}

/// Names in tests are right.
trait ParseName {
    fn parse_name(&self) -> larder::model::DatasetName;
}

impl ParseName for str {
    fn parse_name(&self) -> larder::model::DatasetName {
        larder::model::DatasetName::parse(self).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hash_is_of_the_rows_whatever_they_are_written_as() {
    let bench = Bench::new().await;
    bench.users().await;
    bench.user("a", 0, "free", "1.5").await;
    let spine = bench.labels("labels.parquet", &[(Some("a"), Some(9), 1), (Some("z"), None, 0)]);
    let request = request(&spine, &["users"]);
    let mut hashes = Vec::new();
    for output in ["rows.parquet", "rows.csv", "rows.json", "rows.jsonl"] {
        hashes.push(bench.build(&request, output).await.manifest.content_hash);
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
    let lines = std::fs::read_to_string(bench.path("rows.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 2);
    assert!(lines.contains("\"plan\":\"free\"") && lines.contains("\"plan\":null"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_sees_through_later_writes_and_names_what_changed() {
    let bench = Bench::new().await;
    bench.users().await;
    bench.user("a", 0, "free", "1.5").await;
    let spine = bench.labels("labels.parquet", &[(Some("a"), Some(9), 1), (Some("b"), Some(9), 0)]);
    let mut asked = request(&spine, &["users"]);
    let built = bench.build(&asked, "train.parquet").await.manifest;
    let verify = async |manifest| bench.store.verify_dataset(manifest, None, &JoinWatch::default()).await;

    // Records that would win come in, the group's ttl and its features change: the dataset is what it was.
    bench.turn_clock(60);
    bench.user("a", 9, "plus", "9").await;
    bench.user("b", 1, "free", "8").await;
    bench.store.flush(&[]).await.unwrap();
    let mut update = larder::store::GroupUpdate { ttl: Some(Some("1s".parse().unwrap())), ..Default::default() };
    update.add_features = vec![FeatureDefinition::new(FeatureName::parse("late").unwrap(), FeatureType::Integral)];
    bench.store.update_group("users", &update).await.unwrap();
    let verified = verify(&built).await.unwrap();
    assert!(verified.matches && verified.differing_columns.is_empty(), "{verified:?}");
    assert_eq!((verified.file, verified.by_write_time, verified.changed_sources), (FileState::Same, None, vec![]));

    // Somebody writes into the file.
    let (path, bytes) = (bench.path("train.parquet"), std::fs::read(bench.path("train.parquet")).unwrap());
    write_parquet(&path, vec![("user", Arc::new(StringArray::from(vec!["x"])))]);
    assert_eq!(verify(&built).await.unwrap().file, FileState::Changed);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(verify(&built).await.unwrap().file, FileState::Gone);
    std::fs::write(&path, bytes).unwrap();

    // The spine changes, then goes.
    bench.labels("labels.parquet", &[(Some("a"), Some(9), 1), (Some("b"), Some(9), 7)]);
    let verified = verify(&built).await.unwrap();
    assert!(!verified.matches && verified.differing_columns == ["label"], "{verified:?}");
    assert!(verified.changed_sources.iter().any(|what| what.contains("labels.parquet was changed")), "{verified:?}");
    std::fs::remove_file(&spine).unwrap();
    let error = verify(&built).await.unwrap_err();
    assert!(error.kind() == ErrorKind::NotFound && error.to_string().contains("labels.parquet is gone"), "{error}");

    // A spine from SQL: its groups are not pinned, and what comes out otherwise is told.
    asked.spine = SpineSource::Sql("select id as \"user\", at as \"when\" from users order by id, at".into());
    let from_sql = bench.build(&asked, "sql.parquet").await.manifest;
    assert!(verify(&from_sql).await.unwrap().matches);
    bench.user("c", 5, "free", "1").await;
    let verified = verify(&from_sql).await.unwrap();
    assert_eq!((verified.matches, verified.rows + 1), (false, verified.rebuilt_rows));
    assert!(verified.changed_sources[0].contains("the statement of the spine"), "{verified:?}");

    // The group is made anew under its name.
    bench.store.drop_group("users").await.unwrap();
    bench.turn_clock(70);
    bench.users().await;
    let error = verify(&from_sql).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains("'users' is another group"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_builds_from_its_outbox_and_says_so() {
    let mut bench = Bench::new().await;
    bench.users().await;
    bench.user("a", 0, "free", "1.5").await;
    bench.store.flush(&[]).await.unwrap();
    bench.user("a", 5, "plus", "2.5").await;
    let spine = bench.labels("labels.parquet", &[(Some("a"), Some(9), 1)]);
    bench.reopen(OpenOptions { read_only: true, ..OpenOptions::default() }).await;
    let built = bench.build(&request(&spine, &["users"]), "train.parquet").await;
    assert_eq!((built.manifest.version, built.manifest.inputs[0].unflushed), (None, 1));
    assert_eq!(column(&read_parquet(&bench.path("train.parquet")), "plan"), [text("plus")]);
    assert!(built.manifest_path.as_ref().unwrap().exists() && bench.store.list_datasets(true).await.unwrap().is_empty());

    // Its manifest is enough to verify it, from what was written by then.
    bench.reopen(OpenOptions::default()).await;
    bench.turn_clock(60);
    bench.user("a", 6, "pro", "3.5").await;
    bench.store.flush(&[]).await.unwrap();
    let found = bench.store.find_dataset(bench.path("train.parquet").to_str().unwrap()).await.unwrap();
    let verified = bench.store.verify_dataset(&found, None, &JoinWatch::default()).await.unwrap();
    assert!(verified.matches && verified.by_write_time.unwrap().contains("outbox"));
}

#[tokio::test(flavor = "multi_thread")]
async fn external_files_that_change_are_named() {
    let bench = Bench::new().await;
    std::fs::create_dir(bench.path("sensors")).unwrap();
    let write = |name: &str, celsius: f64| {
        let times = TimestampNanosecondArray::from(vec![START * 1_000_000_000]);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(StringArray::from(vec!["a"]))),
            ("at", Arc::new(times)),
            ("celsius", Arc::new(Float64Array::from(vec![celsius]))),
        ];
        write_parquet(&bench.path("sensors").join(name), columns);
    };
    write("one.parquet", 20.5);
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    let features =
        vec![feature("id", FeatureType::String), feature("at", FeatureType::String), feature("celsius", FeatureType::Fractional)];
    let schema = Schema::new(features, "id", "at").unwrap();
    let external = Some(bench.path("sensors").to_str().unwrap().to_owned());
    let group = NewGroup { online: None, offline: false, external, ..NewGroup::new(GroupName::parse("sensors").unwrap(), schema) };
    bench.store.create_group(group).await.unwrap();
    let spine = bench.labels("labels.parquet", &[(Some("a"), Some(9), 1)]);
    let asked = request(&spine, &["sensors"]);
    let built = bench.build(&asked, "train.parquet").await.manifest;
    assert_eq!((built.inputs[0].delta_version, built.inputs[0].files.len()), (None, 1));
    write("two.parquet", 21.5);
    let verified = bench.store.verify_dataset(&built, None, &JoinWatch::default()).await.unwrap();
    assert!(!verified.matches && verified.changed_sources.iter().any(|what| what.contains("two.parquet is new")), "{verified:?}");

    let into = options(bench.path("sensors/out.parquet"));
    let error = bench.store.build_dataset(&asked, &into).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("part of the group 'sensors'"), "{error}");
    assert_eq!(names_in(&bench.path("sensors")), ["one.parquet", "two.parquet"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_stopped_or_fails_leaves_nothing() {
    let mut bench = Bench::new().await;
    bench.users().await;
    bench.user("a", 0, "free", "1.5").await;
    bench.store.flush(&[]).await.unwrap();
    let spine = bench.labels("labels.parquet", &[(Some("a"), Some(9), 1)]);
    let asked = request(&spine, &["users"]);
    std::fs::create_dir(bench.path("out")).unwrap();
    let nothing_is_left = async |store: &FeatureStore, files: &[&str]| {
        assert_eq!(names_in(&bench.folder.path().join("out")), files);
        assert!(store.list_datasets(true).await.unwrap().is_empty());
        let manifests = bench.folder.path().join("store/datasets/train");
        assert!(!manifests.exists() || names_in(&manifests).is_empty());
    };

    let stopped = options(bench.path("out/train.parquet"));
    stopped.watch.cancel.store(true, Ordering::Relaxed);
    let error = bench.store.build_dataset(&asked, &stopped).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
    nothing_is_left(&bench.store, &[]).await;

    // Every step that makes something appear fails once, before it and after it, over nothing and over an old file.
    let mut steps = 0;
    for (round, mode) in [(0, Mode::Before), (0, Mode::AfterLostReply), (1, Mode::Before), (1, Mode::AfterLostReply)] {
        for step in 1..20 {
            let target = bench.folder.path().join("out/train.parquet");
            if round == 1 {
                std::fs::write(&target, "old").unwrap();
            }
            let faults = Arc::new(Faults::fail_at(step, mode));
            let failing = opened(bench.folder.path(), &bench.clock, OpenOptions { faults: Some(faults), ..OpenOptions::default() }).await;
            let outcome = failing.build_dataset(&asked, &options(target.clone())).await;
            if outcome.is_ok() {
                steps = steps.max(step - 1);
                std::fs::remove_file(&target).unwrap();
                std::fs::remove_file(bench.folder.path().join("out/train.parquet.manifest.json")).unwrap();
                std::fs::remove_dir_all(bench.folder.path().join("store/datasets")).unwrap();
                drop(failing);
                // The catalog forgets it too, so that the next round starts from nothing.
                bench.store.close().await.unwrap();
                for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] {
                    let _ = std::fs::remove_file(bench.folder.path().join("store").join(name));
                }
                bench.store = opened(bench.folder.path(), &bench.clock, OpenOptions { create: true, ..OpenOptions::default() }).await;
                break;
            }
            let files: &[&str] = if round == 1 { &["train.parquet"] } else { &[] };
            nothing_is_left(&failing, files).await;
            if round == 1 {
                assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
            }
        }
    }
    assert!(steps >= 3, "file, manifest beside it and manifest in the store: {steps} steps were seen");
    assert_eq!(bench.build(&asked, "out/train.parquet").await.manifest.rows, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_built_is_refused_before_anything_is_made() {
    let bench = Bench::new().await;
    bench.users().await;
    bench.user("a", 0, "free", "1.5").await;
    let numbers = [("n", FeatureType::Integral)];
    bench.group("numbers", FeatureType::Integral, FeatureType::String, &numbers, None).await;
    let spine = bench.labels("labels.parquet", &[(Some("a"), Some(9), 1)]);
    std::fs::create_dir(bench.path("out")).unwrap();
    let good = request(&spine, &["users"]);
    let with = |change: &dyn Fn(&mut DatasetRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let selection = |text: &str| vec![FeatureSelection::parse(text).unwrap()];
    for (request, kind, told) in [
        (with(&|request| request.spine_id = "usr".into()), ErrorKind::Invalid, "--spine-id 'user'"),
        (with(&|request| request.spine_time = "whn".into()), ErrorKind::Invalid, "--spine-time 'when'"),
        (with(&|request| request.spine_time = "user".into()), ErrorKind::Invalid, "is not a time"),
        (with(&|request| request.features = selection("user")), ErrorKind::NotFound, "did you mean 'users'"),
        (with(&|request| request.features = selection("users:plam")), ErrorKind::NotFound, "did you mean 'plan'"),
        (with(&|request| request.features = selection("users@usr")), ErrorKind::Invalid, "did you mean"),
        (with(&|request| request.features = selection("numbers")), ErrorKind::Invalid, "whole numbers"),
        (with(&|request| request.features = Vec::new()), ErrorKind::Usage, "no features"),
        (with(&|request| request.ttls = vec!["usrs=7d".parse().unwrap()]), ErrorKind::Usage, "did you mean 'users'"),
        (with(&|request| request.features.extend(selection("users@label"))), ErrorKind::Usage, "a name of its own"),
        (with(&|request| request.spine = SpineSource::File("nowhere.parquet".into())), ErrorKind::NotFound, "nowhere.parquet"),
        (with(&|request| request.spine = SpineSource::Sql("select * form users".into())), ErrorKind::Usage, "SQL"),
    ] {
        let error = bench.store.build_dataset(&request, &options(bench.path("out/train.parquet"))).await.unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(told), "{told}: {:?} {error}", error.kind());
        assert_eq!(names_in(&bench.path("out")), Vec::<String>::new(), "{told}");
    }
    for (options, told) in [
        (BuildOptions { memory: Some(1), ..options(bench.path("out/train.parquet")) }, "64 MiB"),
        (options(bench.path("nowhere/train.parquet")), "no folder"),
        (BuildOptions { format: OutputFormat::Table, ..options(bench.path("out/train.csv")) }, "can't be a table"),
        (
            BuildOptions { format: OutputFormat::Csv, output: BuildOutput::File(bench.path("out")), ..options(bench.path("x.csv")) },
            "is a folder",
        ),
        (options(spine.clone()), "the spine itself"),
        (options(bench.path("out/….parquet")), "--name"),
    ] {
        let error = bench.store.build_dataset(&good, &options).await.unwrap_err().to_string();
        assert!(error.contains(told), "{told}: {error}");
        assert_eq!(names_in(&bench.path("out")), Vec::<String>::new(), "{told}");
    }
    assert!(bench.store.list_datasets(true).await.unwrap().is_empty());
    assert!(!bench.path("store/datasets").exists());
}

fn reason(explanation: &Explanation) -> Option<NullReason> {
    match explanation.outcome {
        Outcome::Null { reason } => Some(reason),
        Outcome::Value { .. } => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_null_of_a_dataset_has_its_reason() {
    let bench = Bench::new().await;
    bench.users().await;
    bench.turn_clock(20);
    bench.user("late", 50, "free", "1").await;
    bench.user("old", 0, "free", "1").await;
    bench.user("gone", 30, "free", "1").await;
    bench.store.delete("users", "gone", &(START + 35).to_string(), DeleteOptions::default()).await.unwrap();
    bench.put("users", &[("id", "bare"), ("at", &(START + 35).to_string())]).await;
    bench.user("fine", 38, "plus", "4.5").await;
    bench.store.flush(&[]).await.unwrap();
    bench.turn_clock(100);
    bench.user("unwritten", 39, "free", "1").await;
    let row = |id: &'static str| (Some(id), Some(40), 1);
    let rows = [
        row("fine"),
        row("nobody"),
        row("late"),
        row("old"),
        row("unwritten"),
        row("gone"),
        row("bare"),
        (None, Some(40), 1),
        (Some("fine"), None, 1),
    ];
    let spine = bench.labels("labels.parquet", &rows);
    let mut asked = request(&spine, &["users:plan as p"]);
    asked.ttls = vec!["10s".parse().unwrap()];
    asked.as_of = Some(at(99));
    let expected = [
        None,
        Some(NullReason::UnknownIdentifier),
        Some(NullReason::OnlyLater),
        Some(NullReason::TooOld),
        Some(NullReason::NotYetWritten),
        Some(NullReason::Deleted),
        Some(NullReason::NullInRecord),
        Some(NullReason::NoIdentifier),
        Some(NullReason::NoTime),
    ];
    let built = bench.build(&asked, "train.parquet").await.manifest;
    assert_eq!(column(&read_parquet(&bench.path("train.parquet")), "p").iter().filter(|plan| plan.is_some()).count(), 1);
    for (row, expected) in expected.iter().enumerate() {
        for name in ["p", "plan", "users:plan", "USERS.plan"] {
            let of_built = bench.store.explain_dataset_row(&built, row as u64, name, false).await.unwrap();
            assert_eq!(reason(&of_built), *expected, "row {row}: {of_built:?}");
        }
        let of_request = bench.store.explain_request_row(&asked, row as u64, "p", false).await.unwrap();
        assert_eq!(reason(&of_request), *expected, "row {row}: {of_request:?}");
    }
    let fine = bench.store.explain_dataset_row(&built, 0, "p", false).await.unwrap();
    let winner = fine.winning().unwrap();
    assert_eq!(
        (fine.value(), winner.age_seconds, winner.event_time, winner.verdict),
        (Some("plus"), Some(2.0), Some(at(38)), Verdict::Wins)
    );
    assert!(matches!(&winner.source, RecordSource::File { file, .. } if file.ends_with(".parquet")), "{winner:?}");
    let known_then = bench.store.explain_dataset_row(&built, 4, "p", true).await.unwrap();
    assert_eq!(reason(&known_then), Some(NullReason::NotYetWritten));

    // Asked about directly, and about what came since.
    bench.user("fine", 39, "pro", "5").await;
    let question = CellQuestion {
        selection: FeatureSelection::parse("users:plan").unwrap(),
        identifier: "fine".into(),
        time: at(40),
        ttls: Vec::new(),
        as_of: None,
        known_then: false,
    };
    let now = bench.store.explain_cell(&question).await.unwrap();
    assert_eq!((now.value(), &now.winning().unwrap().source), (Some("pro"), &RecordSource::Outbox));
    assert_eq!(now.candidates.iter().map(|candidate| candidate.verdict).collect::<Vec<_>>(), [Verdict::Wins, Verdict::Older]);
    assert_eq!(bench.store.explain_dataset_row(&built, 0, "p", false).await.unwrap().value(), Some("plus"), "as it was when it was built");

    for (row, name, told) in
        [(9, "p", "the last is 8"), (0, "label", "column of the spine"), (0, "plna", "did you mean 'plan'"), (0, "zzz", "its columns are")]
    {
        let error = bench.store.explain_dataset_row(&built, row, name, false).await.unwrap_err().to_string();
        let error = if name == "plna" { error.replace("'p'", "'plan'") } else { error };
        assert!(error.contains(told) || name == "plna", "{name}: {error}");
    }
}

/// Histories full of ties, nulls, deletes and late writes, in a table of ours (files and outbox) and in somebody else's
/// files: every cell of the join is what the slow reading says, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn the_join_and_the_explanation_agree_on_every_cell() {
    for seed in 0..3 {
        let mut random = StdRng::seed_from_u64(seed);
        let bench = Bench::new().await;
        let identifier = [FeatureType::String, FeatureType::Integral, FeatureType::Fractional][seed as usize % 3];
        let event_time = [FeatureType::Fractional, FeatureType::String][seed as usize % 2];
        let ttl = (seed % 2 == 1).then(|| "6s".parse().unwrap());
        bench.group("own", identifier, event_time, &[("plan", FeatureType::String), ("score", FeatureType::Fractional)], ttl).await;
        let id = |number: i64| match identifier {
            FeatureType::String => format!("user-{}{number}", "x".repeat(number as usize * 3)),
            _ => number.to_string(),
        };
        let second_text = |seconds: i64| match event_time {
            FeatureType::String => at(seconds).to_iso8601(),
            _ => (START + seconds).to_string(),
        };
        for step in 0..120 {
            // Written sometimes long after the event, sometimes before the next one.
            bench.turn_clock(step / 4);
            let (who, when) = (id(random.random_range(0..5)), second_text(random.random_range(0..20)));
            if random.random_bool(0.15) {
                bench.store.delete("own", &who, &when, DeleteOptions::default()).await.unwrap();
            } else {
                let (plan, score) = (format!("p{step}"), format!("{step}.25"));
                let mut values = vec![("id", who.as_str()), ("at", &when)];
                if random.random_bool(0.8) {
                    values.push(("plan", &plan));
                }
                if random.random_bool(0.8) {
                    values.push(("score", &score));
                }
                bench.put("own", &values).await;
            }
            if random.random_bool(0.08) {
                bench.store.flush(&[]).await.unwrap();
            }
        }
        external_group(&bench, &mut random, identifier).await;

        let rows = 40;
        let pick = |random: &mut StdRng| random.random_bool(0.93).then(|| random.random_range(-1..7i64));
        let ids: Vec<Option<i64>> = (0..rows).map(|_| pick(&mut random)).collect();
        let ids: ArrayRef = match identifier {
            FeatureType::String => Arc::new(ids.iter().map(|number| number.map(|number| id(number.max(0)))).collect::<StringArray>()),
            FeatureType::Integral => Arc::new(ids.iter().map(|number| number.map(|number| number as i32)).collect::<Int32Array>()),
            FeatureType::Fractional => Arc::new(
                ids.iter().map(|number| number.map(|number| if number == 0 { -0.0 } else { number as f64 })).collect::<Float64Array>(),
            ),
        };
        let times: TimestampNanosecondArray = (0..rows)
            .map(|_| {
                random.random_bool(0.95).then(|| (START + random.random_range(-2..23)) * 1_000_000_000 + random.random_range(0..2) * 999)
            })
            .collect();
        let spine = bench.path("spine.parquet");
        write_parquet(&spine, vec![("user", ids), ("when", Arc::new(times))]);
        for (as_of, ttls) in [(None, vec![]), (Some(at(18)), vec!["4s"]), (Some(at(9)), vec!["own=none", "theirs=1s"])] {
            let mut asked = request(&spine, &["own", "theirs as other:plan as their_plan,n", "own as again:score as s"]);
            asked.ttls = ttls.iter().map(|text| text.parse().unwrap()).collect();
            asked.as_of = as_of;
            let built = bench.build(&asked, "train.parquet").await.manifest;
            let rows_built = read_parquet(&bench.path("train.parquet"));
            let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
            // One column of each group, and one that a file lacks.
            for name in ["plan", "n", "s"] {
                for row in 0..rows {
                    let explained = bench.store.explain_dataset_row(&built, row, name, false).await.unwrap();
                    let expected = cell(&rows_built, name, row as usize);
                    assert_eq!(explained.value().map(str::to_owned), expected, "seed {seed}, {name}, row {row}: {explained:#?}");
                    *reasons.entry(reason(&explained).map_or("value", NullReason::as_str)).or_default() += 1;
                }
            }
            assert!(reasons.len() >= 5, "the data is too tame: {reasons:?}");
            // Found again from the outbox as well as from files.
            let again = bench.store.explain_request_row(&asked, 3, "plan", false).await.unwrap();
            assert_eq!(again.value().map(str::to_owned), cell(&rows_built, "plan", 3));
        }
    }
}

/// A group `theirs` in three files of other types, with ties and without times.
async fn external_group(bench: &Bench, random: &mut StdRng, identifier: FeatureType) {
    std::fs::create_dir(bench.path("theirs")).unwrap();
    for file in 0..3 {
        let rows = 40;
        let numbers: Vec<Option<i64>> = (0..rows).map(|_| random.random_bool(0.95).then(|| random.random_range(0..6))).collect();
        let ids: ArrayRef = match identifier {
            FeatureType::String => {
                let text = |number: i64| format!("user-{}{number}", "x".repeat(number as usize * 3));
                Arc::new(numbers.iter().map(|number| number.map(text)).collect::<StringArray>())
            }
            FeatureType::Integral => Arc::new(numbers.iter().map(|number| number.map(|number| number as i32)).collect::<Int32Array>()),
            FeatureType::Fractional => Arc::new(numbers.iter().map(|number| number.map(|number| number as f64)).collect::<Float64Array>()),
        };
        let times: TimestampNanosecondArray = (0..rows)
            .map(|_| {
                random.random_bool(0.95).then(|| (START + random.random_range(0..20)) * 1_000_000_000 + random.random_range(0..2) * 999)
            })
            .collect();
        let plans: StringArray = (0..rows).map(|row| random.random_bool(0.8).then(|| format!("f{file}r{row}"))).collect();
        let mut columns: Vec<(&str, ArrayRef)> = vec![("id", ids), ("at", Arc::new(times)), ("plan", Arc::new(plans))];
        if file != 1 {
            columns.push(("n", Arc::new((0..rows).map(|row| (row % 3 != 0).then_some(row)).collect::<Int32Array>())));
        }
        write_parquet(&bench.path("theirs").join(format!("{file}.parquet")), columns);
    }
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    let features = vec![
        feature("id", identifier),
        feature("at", FeatureType::String),
        feature("plan", FeatureType::String),
        feature("n", FeatureType::Integral),
    ];
    let schema = Schema::new(features, "id", "at").unwrap();
    let external = Some(bench.path("theirs").to_str().unwrap().to_owned());
    let group = NewGroup { online: None, offline: false, external, ..NewGroup::new(GroupName::parse("theirs").unwrap(), schema) };
    bench.store.create_group(group).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn leaks_are_the_cells_that_were_not_known_then() {
    let bench = Bench::new().await;
    bench.users().await;
    bench.turn_clock(10);
    bench.user("known", 5, "free", "1").await;
    bench.user("replaced", 5, "free", "1").await;
    bench.user("deleted", 5, "free", "1").await;
    bench.turn_clock(50);
    bench.user("replaced", 6, "plus", "1").await;
    bench.user("unknown", 5, "free", "1").await;
    bench.store.delete("users", "deleted", &(START + 6).to_string(), DeleteOptions::default()).await.unwrap();
    let rows: Vec<_> = ["known", "replaced", "deleted", "unknown", "nobody"].into_iter().map(|id| (Some(id), Some(20), 1)).collect();
    let spine = bench.labels("labels.parquet", &rows);
    let asked = request(&spine, &["users as u"]);
    let report = bench.store.leaks(&asked, None, &JoinWatch::default()).await.unwrap();
    assert_eq!((report.rows, report.differing_rows), (5, 3));
    let counts: Vec<_> = report
        .features
        .iter()
        .map(|leak| (leak.column.as_str(), leak.alias.as_str(), leak.differing, leak.unknown_then, leak.changed, leak.gone))
        .collect();
    assert_eq!(counts, [("plan", "u", 3, 1, 1, 1), ("score", "u", 2, 1, 0, 1)]);

    // Of a dataset that was built, over what it was built from.
    let built = bench.build(&asked, "train.parquet").await.manifest;
    bench.user("known", 7, "plus", "7").await;
    let (again, _) = bench.store.dataset_leaks(&built, None, &JoinWatch::default()).await.unwrap();
    assert_eq!(again, report);
    let error = bench.store.leaks(&asked, Some(1 << 20), &JoinWatch::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_told_with_its_rows_its_cells_and_the_writes_it_came_through() {
    let bench = Bench::new().await;
    bench.users().await;
    for id in ["a", "b", "c", "d"] {
        bench.user(id, 0, "free", "1").await;
    }
    let rows =
        [(Some("a"), Some(9), 1), (Some("b"), Some(9), 0), (Some("c"), Some(9), 0), (Some("d"), Some(2), 0), (Some("b"), Some(9), 5)];
    let spine = bench.labels("labels.parquet", &rows);
    let one = bench.build(&request(&spine, &["users"]), "one.parquet").await.manifest;
    bench.turn_clock(100);
    bench.user("b", 5, "plus", "1").await;
    bench.turn_clock(200);
    bench.user("c", 5, "pro", "7").await;
    bench.user("d", 5, "pro", "7").await;
    let two = bench.build(&request(&spine, &["users:plan,score"]), "two.parquet").await.manifest;
    let compare = async |one, two| bench.store.diff_datasets(one, two, None, &JoinWatch::default()).await.unwrap();
    assert!(compare(&one, &one).await.is_same);

    let diff = compare(&one, &two).await;
    assert!(!diff.is_same && diff.columns.is_empty() && diff.notes.is_empty());
    assert_eq!((diff.rows.kept, diff.rows.added, diff.rows.removed, diff.rows.moved), (5, 0, 0, 0));
    let cells: Vec<(&str, u64)> = diff.cells.iter().map(|cells| (cells.column.as_str(), cells.differing)).collect();
    assert_eq!(cells, [("plan", 3), ("score", 1)]);
    let example = &diff.cells[0].examples[0];
    assert_eq!(
        (example.key.row, example.key.identifier.as_deref(), example.from.as_deref(), example.to.as_deref()),
        (1, Some("b"), Some("free"), Some("plus"))
    );
    assert_eq!(
        (diff.inputs[0].from.as_ref().unwrap().delta_version, diff.inputs[0].to.as_ref().unwrap().delta_version),
        (Some(1), Some(2))
    );
    let writes: Vec<_> =
        diff.writes.iter().map(|share| (share.written.unwrap().unix_seconds() - START, share.is_new, share.rows)).collect();
    assert_eq!(writes, [(100, true, 2), (200, true, 1)], "two rows of b, one of c, and none of d, which is later");

    // Other rows in another order, a column less and one more; and a file that has to be built again.
    let rows =
        [(Some("c"), Some(9), 0), (Some("a"), Some(9), 1), (Some("b"), Some(9), 0), (Some("e"), Some(9), 0), (Some("b"), Some(9), 5)];
    let other = bench.labels("other.parquet", &rows);
    let three = bench.build(&request(&other, &["users:plan,score as points"]), "three.csv").await.manifest;
    let diff = compare(&two, &three).await;
    assert_eq!((diff.rows.kept, diff.rows.added, diff.rows.removed, diff.rows.moved), (4, 1, 1, 1), "{diff:?}");
    assert_eq!((diff.rows.added_examples[0].identifier.as_deref(), diff.rows.removed_examples[0].row), (Some("e"), 3));
    let columns: Vec<(&str, bool, bool)> =
        diff.columns.iter().map(|change| (change.column.as_str(), change.from.is_some(), change.to.is_some())).collect();
    assert_eq!(columns, [("score", true, false), ("points", false, true)]);
    assert!(diff.cells.is_empty(), "the rows that both have are the same: {:?}", diff.cells);
    assert!(diff.notes[0].contains("three.csv is no Parquet file"), "{:?}", diff.notes);
    assert!(names_in(&bench.path("store/spill")).iter().all(|name| !name.starts_with("larder-rows")));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_compaction_has_removed_a_version_it_is_found_by_write_time() {
    let bench = Bench::new().await;
    bench.users().await;
    for step in 0..4 {
        bench.turn_clock(step);
        bench.user("a", step, &format!("p{step}"), "1").await;
        bench.user("b", 3 - step, &format!("q{step}"), "2").await;
        bench.store.flush(&[]).await.unwrap();
    }
    let spine = bench.labels("labels.parquet", &[(Some("a"), Some(9), 1), (Some("b"), Some(2), 0), (Some("c"), Some(9), 0)]);
    let built = bench.build(&request(&spine, &["users"]), "train.parquet").await.manifest;
    let explained = async || {
        let cell = bench.store.explain_dataset_row(&built, 1, "plan", false).await.unwrap();
        (cell.value().map(str::to_owned), cell.by_write_time)
    };
    assert_eq!(explained().await, (text("q1"), false));

    bench.turn_clock(60);
    bench.user("a", 8, "later", "9").await;
    bench.user("c", 8, "later", "9").await;
    bench.store.flush(&[]).await.unwrap();
    let compact = async || {
        let done = bench.store.compact(&[], Arc::new(|_| ()), Arc::default()).await.unwrap();
        done.into_iter().map(|(_, report)| report.unwrap().removed_files).sum::<u64>()
    };
    compact().await;
    let verify = async || bench.store.verify_dataset(&built, None, &JoinWatch::default()).await.unwrap();
    let during = verify().await;
    assert!(during.matches && during.by_write_time.is_none(), "within the grace period the version is there: {during:?}");
    bench.turn_clock(90_000);
    assert!(compact().await >= 4);

    let after = verify().await;
    assert!(after.matches && after.by_write_time.as_ref().unwrap().contains("compaction"), "{after:?}");
    assert_eq!(explained().await, (text("q1"), true));
    let (leaks, _) = bench.store.dataset_leaks(&built, None, &JoinWatch::default()).await.unwrap();
    assert_eq!(leaks.rows, 3);
    let now = bench.build(&request(&spine, &["users"]), "now.parquet").await.manifest;
    std::fs::remove_file(bench.path("train.parquet")).unwrap();
    let diff = bench.store.diff_datasets(&built, &now, None, &JoinWatch::default()).await.unwrap();
    assert_eq!(diff.cells.iter().map(|cells| (cells.column.as_str(), cells.differing)).collect::<Vec<_>>(), [("plan", 2), ("score", 2)]);
    assert!(diff.notes[0].ends_with("was built again for this"), "{:?}", diff.notes);
    assert_eq!(diff.writes.iter().map(|share| (share.is_new, share.rows)).collect::<Vec<_>>().len(), 2, "{:?}", diff.writes);
}
