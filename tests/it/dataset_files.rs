//! Training datasets as files in a folder of the store: written here and by a cluster's workers, they hold what one file holds, or
//! nothing is left of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use futures::TryStreamExt;
use larder::backend::faults::{Faults, Mode};
use larder::model::{DatasetName, Error, ErrorKind, FeatureType, GroupName, RawValue, Schema};
use larder::store::cluster::ClusterOptions;
use larder::store::datasets::{
    BuildOptions, BuildOutput, DatasetRequest, FeatureSelection, FileState, JoinWatch, Manifest, PlanOptions, SpineSource,
};
use larder::store::{FeatureStore, NewGroup, OpenOptions, OutputFormat, PutOptions};
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::differential::Beside;
use crate::offline::feature;

const START: i64 = 1_700_000_000;
/// Rows of a block in these tests; not a divisor of the rows, so that the last file is a short one.
const BLOCK: u64 = 16;
const ROWS: usize = 100;

/// A store in a folder, or in a bucket, with users, some of whose records are in no file yet.
struct Bench {
    folder: tempfile::TempDir,
    bucket: Option<Arc<InMemory>>,
    store: FeatureStore,
    cluster: Beside,
}

impl Bench {
    async fn new(in_bucket: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bucket = in_bucket.then(|| Arc::new(InMemory::new()));
        let store = opened(folder.path(), bucket.as_ref(), None).await;
        let features = ["id", "at", "plan", "visits"].into_iter().zip([
            FeatureType::String,
            FeatureType::Fractional,
            FeatureType::String,
            FeatureType::Integral,
        ]);
        let schema = Schema::new(features.map(|(name, kind)| feature(name, kind)).collect(), "id", "at").unwrap();
        store.create_group(NewGroup::new(GroupName::parse("users").unwrap(), schema)).await.unwrap();
        for step in 0..60i64 {
            let pair = |name: &str, text: String| (name.to_owned(), RawValue::Text(text));
            let mut pairs = vec![pair("id", format!("u{}", step * 7 % 11)), pair("at", (START + step).to_string())];
            if step % 5 != 0 {
                pairs.push(pair("plan", format!("plan {}", step % 4)));
            }
            pairs.push(pair("visits", step.to_string()));
            store.put("users", pairs, PutOptions::default()).await.unwrap();
            if step == 40 {
                store.flush(&[]).await.unwrap();
            }
        }
        Self { folder, bucket, store, cluster: Beside::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A spine of so many rows: users that are there and not, times, numbers.
    fn spine(&self, rows: usize) -> DatasetRequest {
        let users: StringArray = (0..rows).map(|row| (row % 13 != 0).then(|| format!("u{}", row * 5 % 14))).collect();
        let times: TimestampMicrosecondArray =
            (0..rows as i64).map(|row| (row % 17 != 0).then_some((START + row * 37 % 80) * 1_000_000)).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("user", Arc::new(users)),
            ("when", Arc::new(times.with_timezone("UTC"))),
            ("nr", Arc::new(Int64Array::from_iter_values(0..rows as i64))),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap();
        let path = self.path(&format!("spine-{rows}.parquet"));
        let mut writer = ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        DatasetRequest {
            spine: SpineSource::File(path.to_str().unwrap().to_owned()),
            spine_id: "user".to_owned(),
            spine_time: "when".to_owned(),
            features: vec![FeatureSelection::parse("users:plan,visits").unwrap()],
            ttls: Vec::new(),
            as_of: None,
        }
    }

    async fn build(&self, request: &DatasetRequest, output: BuildOutput, cluster: Option<ClusterOptions>) -> Result<Manifest, Error> {
        let options = BuildOptions {
            name: None,
            description: None,
            output,
            format: OutputFormat::Parquet,
            memory: None,
            watch: JoinWatch::default(),
            cluster,
        };
        self.store.build_dataset(request, &options).await.map(|built| built.manifest)
    }

    /// The objects of the store below its datasets and spines, and their bytes.
    async fn objects(&self) -> Vec<String> {
        let objects: Arc<dyn ObjectStore> = match &self.bucket {
            Some(bucket) => bucket.clone(),
            None => {
                let root = self.path("store/s3/larder");
                Arc::new(object_store::local::LocalFileSystem::new_with_prefix(root).unwrap())
            }
        };
        let found: Vec<ObjectMeta> = objects.list(None).try_collect().await.unwrap();
        let names = found.into_iter().map(|object| object.location.to_string());
        let ours = ["/datasets/", "/answers/", "/_larder/spines/"];
        names.filter(|name| ours.iter().any(|folder| name.contains(folder))).collect()
    }

    /// The rows of a dataset's files in the order of their names, as a reader that knows nothing of them gets them.
    async fn rows(&self, manifest: &Manifest) -> RecordBatch {
        let files: Vec<_> = manifest.output.files.iter().map(|file| (file.name.as_str(), file.bytes)).collect();
        self.rows_in(&manifest.output.path, &files).await
    }

    async fn rows_in(&self, folder: &str, files: &[(&str, u64)]) -> RecordBatch {
        let mut batches = Vec::new();
        for (name, size) in files {
            let bytes = match (&self.bucket, folder.strip_prefix("s3://team/")) {
                (Some(bucket), Some(key)) => bucket.get(&ObjectPath::from(key).join(*name)).await.unwrap().bytes().await.unwrap(),
                _ => std::fs::read(Path::new(folder).join(name)).unwrap().into(),
            };
            assert_eq!(bytes.len() as u64, *size);
            batches.extend(read(bytes));
        }
        concat_batches(&batches[0].schema(), &batches).unwrap()
    }
}

async fn opened(folder: &Path, bucket: Option<&Arc<InMemory>>, faults: Option<Arc<Faults>>) -> FeatureStore {
    let options = OpenOptions {
        create: true,
        block_rows: Some(BLOCK),
        object_store: bucket.map(|_| "s3://team/features".to_owned()),
        objects: bucket.map(|bucket| bucket.clone() as Arc<dyn ObjectStore>),
        faults,
        ..OpenOptions::default()
    };
    FeatureStore::open(folder.join("store"), options).await.unwrap()
}

fn read(bytes: bytes::Bytes) -> Vec<RecordBatch> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let schema = builder.schema().clone();
    let mut batches: Vec<RecordBatch> = builder.build().unwrap().collect::<Result<_, _>>().unwrap();
    batches.push(RecordBatch::new_empty(schema));
    batches
}

fn stored(name: &str) -> BuildOutput {
    BuildOutput::Store(DatasetName::parse(name).unwrap())
}

/// What tells two datasets apart, but for where and when.
fn content(manifest: &Manifest) -> (u64, &str, Vec<&str>, Vec<(&str, u64)>) {
    let hashes = manifest.columns.iter().map(|column| column.hash.as_str()).collect();
    (manifest.rows, &manifest.content_hash, hashes, manifest.matched())
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_the_store_hold_what_one_file_holds() {
    for in_bucket in [false, true] {
        let bench = Bench::new(in_bucket).await;
        let request = bench.spine(ROWS);
        let file = bench.path("train.parquet");
        let one = bench.build(&request, BuildOutput::File(file.clone()), None).await.unwrap();
        let expected = read(std::fs::read(&file).unwrap().into());
        let expected = concat_batches(&expected[0].schema(), &expected).unwrap();
        let mut folders = vec![bench.build(&request, stored("here"), None).await.unwrap()];
        if let Some(cluster) = bench.cluster.of(&bench.store) {
            for parts in [1, 3, 20] {
                let cluster = ClusterOptions { parts, ..cluster };
                folders.push(bench.build(&request, stored("There"), Some(cluster)).await.unwrap());
            }
        }
        for manifest in &folders {
            assert_eq!(content(manifest), content(&one), "{}", manifest.label());
            let rows: Vec<u64> = manifest.output.files.iter().map(|file| file.rows).collect();
            assert_eq!(rows, [16, 16, 16, 16, 16, 16, 4]);
            assert!(manifest.output.files.is_sorted_by(|one, next| one.name < next.name), "{:?}", manifest.output.files);
            assert_eq!(bench.rows(manifest).await, expected);
            assert_eq!(manifest.output.bytes, manifest.output.files.iter().map(|file| file.bytes).sum::<u64>());

            // Everything that knows datasets knows these.
            let verified = bench.store.verify_dataset(manifest, None, &JoinWatch::default()).await.unwrap();
            assert_eq!((verified.matches, verified.file), (true, FileState::Same));
            assert!(bench.store.diff_datasets(manifest, &one, None, &JoinWatch::default()).await.unwrap().is_same);
            for (from, limit) in [(0, 5), (14, 5), (30, 40), (95, 100), (100, 1)] {
                let stretch = bench.store.dataset_rows(manifest, from, limit).await.unwrap();
                let found = concat_batches(&stretch.schema, &stretch.batches).unwrap();
                let length = limit.min(ROWS.saturating_sub(from as usize));
                assert_eq!(found.columns(), expected.slice(from as usize, length).columns(), "{limit} rows from {from}");
                assert_eq!(stretch.total, ROWS as u64);
            }
            for row in [0, 15, 16, 50, 99] {
                let why = bench.store.explain_dataset_row(manifest, row, "visits", false).await.unwrap();
                let cell = arrow::util::display::array_value_to_string(expected.column(4), row as usize).unwrap();
                assert_eq!(why.value().unwrap_or_default(), cell, "row {row}");
            }
        }
        let versions: Vec<_> = folders.iter().map(Manifest::label).collect();
        assert_eq!(versions[0], "here@1");
        let listed = bench.store.list_datasets(true).await.unwrap();
        assert_eq!(listed.len(), folders.len() + 1);
        if !in_bucket {
            let found = bench.store.find_dataset(&folders[0].output.path).await.unwrap();
            assert_eq!(found, folders[0], "by its folder");
        }
        let left: Vec<String> = bench.objects().await;
        assert!(!left.iter().any(|name| name.contains("spines") || name.ends_with("_open")), "{left:?}");
        assert_eq!(left.len(), folders.len() * 8, "7 files and a manifest each");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn datasets_of_other_rows_are_compared_cell_by_cell() {
    for in_bucket in [false, true] {
        let bench = Bench::new(in_bucket).await;
        let cluster = bench.cluster.of(&bench.store);
        let request = bench.spine(ROWS);
        let wide = bench.build(&request, stored("wide"), cluster).await.unwrap();
        let narrow = DatasetRequest { ttls: vec!["5s".parse().unwrap()], ..request };
        let narrow = bench.build(&narrow, stored("narrow"), cluster).await.unwrap();
        let diff = bench.store.diff_datasets(&wide, &narrow, None, &JoinWatch::default()).await.unwrap();
        assert_eq!(diff.notes, [""; 0], "both are read from their files");
        let (before, after) = (bench.rows(&wide).await, bench.rows(&narrow).await);
        for (position, name) in [(3, "plan"), (4, "visits")] {
            let text = |rows: &RecordBatch, row| arrow::util::display::array_value_to_string(rows.column(position), row).unwrap();
            let differing = (0..ROWS).filter(|row| text(&before, *row) != text(&after, *row)).count() as u64;
            let found = diff.cells.iter().find(|cells| cells.column == name).map_or(0, |cells| cells.differing);
            assert!(differing > 0 && found == differing, "{name}: {found} instead of {differing}");
        }
        assert!(!diff.writes.is_empty(), "the writes that the differing rows see are told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spine_without_rows_has_one_file_that_tells_the_columns() {
    let bench = Bench::new(false).await;
    let request = bench.spine(0);
    let one = bench.build(&request, BuildOutput::File(bench.path("none.parquet")), None).await.unwrap();
    for cluster in [None, bench.cluster.of(&bench.store)] {
        let none = bench.build(&request, stored("none"), cluster).await.unwrap();
        assert_eq!(content(&none), content(&one));
        assert_eq!((none.rows, none.output.files.len()), (0, 1));
        assert_eq!(bench.rows(&none).await.num_columns(), 5);
        assert_eq!(bench.store.verify_dataset(&none, None, &JoinWatch::default()).await.unwrap().file, FileState::Same);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_changed_or_gone_are_noticed() {
    let bench = Bench::new(false).await;
    let built = bench.build(&bench.spine(ROWS), stored("train"), None).await.unwrap();
    let state = async || bench.store.verify_dataset(&built, None, &JoinWatch::default()).await.unwrap().file;
    let file = |number: usize| Path::new(&built.output.path).join(&built.output.files[number].name);
    // Two files change places: each is whole, but the rows are not in order.
    let (first, second) = (std::fs::read(file(0)).unwrap(), std::fs::read(file(1)).unwrap());
    std::fs::write(file(0), &second).unwrap();
    std::fs::write(file(1), &first).unwrap();
    assert_eq!(state().await, FileState::Changed);
    std::fs::write(file(0), &first).unwrap();
    std::fs::write(file(1), &second).unwrap();
    assert_eq!(state().await, FileState::Same);
    std::fs::remove_file(file(6)).unwrap();
    assert_eq!(state().await, FileState::Gone);
    let error = bench.store.dataset_rows(&built, 0, 5).await.unwrap_err();
    assert!(error.kind() == ErrorKind::NotFound && error.to_string().contains("the file of train@1 is gone"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_comes_to_nothing_leaves_nothing() {
    for in_bucket in [false, true] {
        let bench = Bench::new(in_bucket).await;
        let request = bench.spine(ROWS);
        for cluster in [None, bench.cluster.of(&bench.store)] {
            // Stopped before it began, and somewhere on the way; dropped on the way.
            let options = |watch: &JoinWatch| BuildOptions {
                name: None,
                description: None,
                output: stored("stopped"),
                format: OutputFormat::Parquet,
                memory: None,
                watch: watch.clone(),
                cluster,
            };
            for millis in [0, 5, 60] {
                let watch = JoinWatch::default();
                let options = options(&watch);
                let stop = async {
                    tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
                    watch.cancel.store(true, Ordering::Relaxed);
                };
                let (built, ()) = tokio::join!(bench.store.build_dataset(&request, &options), stop);
                match built {
                    // It was faster.
                    Ok(built) => drop_dataset(&bench, &built.manifest).await,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}"),
                }
                let (watch, patience) = (JoinWatch::default(), std::time::Duration::from_millis(millis));
                if let Ok(built) = tokio::time::timeout(patience, bench.store.build_dataset(&request, &dropped(&options, &watch))).await {
                    drop_dataset(&bench, &built.unwrap().manifest).await;
                }
            }
            // A time that can't be read comes late.
            let bad = bench.path("bad.csv");
            let mut text = "user,when\n".to_owned();
            (0..ROWS).for_each(|row| text.push_str(&format!("u1,{}\n", if row == 90 { "soon" } else { "2023-11-14T22:13:40Z" })));
            std::fs::write(&bad, text).unwrap();
            let bad = DatasetRequest { spine: SpineSource::File(bad.to_str().unwrap().to_owned()), ..request.clone() };
            let error = bench.build(&bad, stored("bad"), cluster).await.unwrap_err();
            assert!(error.to_string().contains("row 90 of the spine"), "{error}");
        }
        // Tasks that nobody hears any more may take a moment.
        let mut whole = BTreeSet::new();
        for round in 0.. {
            drop_known(&bench, &mut whole).await;
            let left = bench.objects().await;
            if left.is_empty() {
                break;
            }
            assert!(round < 100, "{left:?}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let known = bench.store.list_datasets(true).await.unwrap();
        assert!(known.iter().all(|dataset| dataset.name.as_str() == "stopped"), "{known:?}");
    }
}

/// The same options with another watch.
fn dropped(options: &BuildOptions, watch: &JoinWatch) -> BuildOptions {
    BuildOptions { watch: watch.clone(), ..options.clone() }
}

/// Removes the files of datasets that were dropped when the catalog knew them already: each is whole when it is first seen.
async fn drop_known(bench: &Bench, whole: &mut BTreeSet<u64>) {
    let left = bench.objects().await;
    for known in bench.store.list_datasets(true).await.unwrap() {
        let is_of = |object: &String| object.rsplit_once('/').is_some_and(|(folder, _)| known.path.ends_with(folder));
        if !left.iter().any(is_of) {
            continue;
        }
        let manifest = bench.store.find_dataset(&format!("{}@{}", known.name, known.version)).await.unwrap();
        if whole.insert(known.version) {
            let verified = bench.store.verify_dataset(&manifest, None, &JoinWatch::default()).await.unwrap();
            assert_eq!(verified.file, FileState::Same);
        }
        drop_dataset(bench, &manifest).await;
    }
}

/// Removes the files of a dataset that was built against the odds.
async fn drop_dataset(bench: &Bench, manifest: &Manifest) {
    match (&bench.bucket, manifest.output.path.strip_prefix("s3://team/")) {
        (Some(bucket), Some(key)) => {
            let found: Vec<ObjectMeta> = bucket.list(Some(&ObjectPath::from(key))).try_collect().await.unwrap();
            for object in found {
                bucket.delete(&object.location).await.unwrap();
            }
        }
        _ => std::fs::remove_dir_all(&manifest.output.path).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_leaves_a_whole_dataset_or_none() {
    let counted = Arc::new(Faults::counting());
    let mut steps = None;
    for round in 0.. {
        let mut bench = Bench::new(false).await;
        let request = bench.spine(40);
        bench.store.close().await.unwrap();
        let faults = if round == 0 { counted.clone() } else { Arc::new(Faults::fail_at(round, Mode::Before)) };
        bench.store = opened(bench.folder.path(), None, Some(faults.clone())).await;
        let before = faults.steps();
        let built = bench.build(&request, stored("train"), None).await;
        if round == 0 {
            steps = Some((before, faults.steps()));
            assert!(built.is_ok() && faults.steps() > before + 6, "files, marker and manifests are steps: {:?}", faults.names());
            continue;
        }
        let (first, last) = steps.unwrap();
        if round > last {
            break;
        }
        if round <= first {
            continue;
        }
        let left = bench.objects().await;
        let known = bench.store.list_datasets(true).await.unwrap();
        match built {
            Ok(manifest) => {
                assert_eq!((known.len(), bench.rows(&manifest).await.num_rows()), (1, 40), "step {round} of {last}");
                assert_eq!(bench.store.verify_dataset(&manifest, None, &JoinWatch::default()).await.unwrap().file, FileState::Same);
            }
            Err(error) => {
                assert!(known.is_empty(), "step {round}: {error}");
                assert_eq!(left, [""; 0], "step {round}: {error}");
            }
        }
    }
}

/// The rows of a batch as text, in their order or sorted.
fn lines(rows: &RecordBatch, is_sorted: bool) -> Vec<String> {
    let cell = |row, column: &ArrayRef| arrow::util::display::array_value_to_string(column, row).unwrap();
    let line = |row| rows.columns().iter().map(|column| cell(row, column)).collect::<Vec<_>>().join(",");
    let mut lines: Vec<String> = (0..rows.num_rows()).map(line).collect();
    if is_sorted {
        lines.sort();
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_in_the_store_are_those_of_one_machine() {
    for in_bucket in [false, true] {
        let bench = Bench::new(in_bucket).await;
        let name = DatasetName::parse("answer").unwrap();
        let mut folders = 0;
        for (sql, has_order) in [
            ("select * from users order by visits desc", true),
            ("select id, visits from users order by id, visits limit 33", true),
            ("select id, plan, visits from users where visits > 3", false),
            ("select plan, count(*) as n, max(visits) as high from users group by plan", false),
            ("select a.id, b.visits from users a join users b on a.id = b.id order by b.visits, a.visits", true),
            ("select id, visits from users where visits > 1000", false),
            ("select id from users order by visits desc", true),
            ("select visits % 7 as seventh from users order by visits % 7, visits", true),
            ("select id, row_number() over (order by visits) as n from users order by n", true),
            ("select id from users union all select plan from users order by 1", true),
            ("select 1 as one", false),
        ] {
            let here: Vec<RecordBatch> = bench.store.query(sql, None).await.unwrap().try_collect().await.unwrap();
            let here: Vec<String> = here.iter().flat_map(|rows| lines(rows, false)).collect();
            for cluster in [None, bench.cluster.of(&bench.store)] {
                let answer = bench.store.query_into(cluster.as_ref(), sql, &name, OutputFormat::Parquet).await.unwrap();
                folders += 1;
                let files: Vec<_> = answer.files.iter().map(|file| (file.name.as_str(), file.bytes)).collect();
                assert!(!has_order || files.is_sorted(), "{files:?}");
                let found = bench.rows_in(&answer.path, &files).await;
                let mut expected = here.clone();
                if !has_order {
                    expected.sort();
                }
                assert_eq!(lines(&found, !has_order), expected, "{sql}");
                assert_eq!(answer.rows(), here.len() as u64);
                assert!(answer.files.iter().all(|file| file.rows <= BLOCK), "{sql}");
            }
        }
        for cluster in [None, bench.cluster.of(&bench.store)] {
            let failing = "select cast(plan as bigint) from users where plan is not null";
            assert_eq!(
                bench.store.query_into(cluster.as_ref(), failing, &name, OutputFormat::Parquet).await.unwrap_err().kind(),
                ErrorKind::Invalid
            );
        }
        let left = bench.objects().await;
        assert_eq!(left.iter().filter(|name| name.ends_with("_manifest.json")).count(), folders, "{left:?}");
        assert!(!left.iter().any(|name| name.ends_with("_open")), "{left:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_a_folder_of_the_store_is_refused() {
    let bench = Bench::new(false).await;
    let request = bench.spine(3);
    let options = BuildOptions {
        name: None,
        description: None,
        output: stored("t"),
        format: OutputFormat::Csv,
        memory: None,
        watch: JoinWatch::default(),
        cluster: None,
    };
    let error = bench.store.build_dataset(&request, &options).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("Parquet files"), "{error}");
    let name = DatasetName::parse("t").unwrap();
    let error = bench.store.query_into(None, "select 1", &name, OutputFormat::Csv).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("Parquet files"), "{error}");
    let only = OpenOptions { read_only: true, ..OpenOptions::default() };
    let reader = FeatureStore::open(bench.path("store"), only).await.unwrap();
    let options = BuildOptions { format: OutputFormat::Parquet, ..options };
    assert_eq!(reader.build_dataset(&request, &options).await.unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(bench.objects().await, [""; 0]);
    // The rows themselves can still be had.
    assert_eq!(reader.open_dataset(&request, &PlanOptions::default()).await.unwrap().spine_rows(), 3);
}
