//! The history in a bucket that several machines share: nothing lost, nothing doubled, and a newcomer needs only the URL.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::StreamExt;
use futures::stream::BoxStream;
use larder::backend::faults::{Faults, Mode};
use larder::model::{ErrorKind, FeatureType, GroupName, RawValue, Result, Schema};
use larder::store::datasets::{DatasetRequest, FeatureSelection, PlanOptions, SpineSource};
use larder::store::{FeatureStore, GroupUpdate, NewGroup, OpenOptions, PutOptions};
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions as PutOptionsOfBucket, PutPayload, PutResult,
};

use crate::cli::Larder;
use crate::offline::feature;
use crate::server::Serving;

const URL: &str = "s3://team/features";

async fn open_with(folder: &Path, bucket: Arc<dyn ObjectStore>, faults: Option<Arc<Faults>>) -> Result<FeatureStore> {
    let options = OpenOptions { create: true, object_store: Some(URL.into()), objects: Some(bucket), faults, ..OpenOptions::default() };
    FeatureStore::open(folder, options).await
}

async fn open(folder: &Path, bucket: &Arc<InMemory>) -> FeatureStore {
    open_with(folder, bucket.clone(), None).await.unwrap()
}

/// A group with a history only, so that the doctor compares no online store that never heard of other machines.
fn new_group(name: &str) -> NewGroup {
    let features = vec![feature("id", FeatureType::String), feature("at", FeatureType::Fractional), feature("n", FeatureType::Integral)];
    NewGroup { online: None, ..NewGroup::new(GroupName::parse(name).unwrap(), Schema::new(features, "id", "at").unwrap()) }
}

async fn put(store: &FeatureStore, id: &str, n: usize) -> Result<()> {
    let pair = |name: &str, text: String| (name.to_owned(), RawValue::Text(text));
    let pairs = vec![pair("id", id.to_owned()), pair("at", n.to_string()), pair("n", n.to_string())];
    store.put("things", pairs, PutOptions::default()).await.map(|_| ())
}

/// The event times of a record, sorted: each was put once.
async fn times(store: &FeatureStore, id: &str) -> Vec<i64> {
    let mut found: Vec<i64> = store.history("things", id, 10_000).await.unwrap().iter().map(|row| row.event_time.unix_seconds()).collect();
    found.sort_unstable();
    found
}

async fn assert_sound(store: &FeatureStore) {
    let report = store.doctor().await.unwrap();
    let problems: Vec<_> = report.checks.iter().filter(|check| !check.problems.is_empty()).collect();
    assert!(problems.is_empty(), "{problems:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_machines_write_one_group_and_each_record_is_there_once() {
    const COMMITS: usize = 30;
    let bucket = Arc::new(InMemory::new());
    let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let first = open(folders[0].path(), &bucket).await;
    first.create_group(new_group("things")).await.unwrap();
    let mut stores = vec![first];
    for folder in &folders[1..] {
        stores.push(open(folder.path(), &bucket).await);
    }
    let writers = stores.iter().enumerate().map(|(number, store)| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..COMMITS {
                put(&store, &format!("w{number}"), n).await.unwrap();
                store.flush(&["things".to_owned()]).await.unwrap();
            }
        })
    });
    for writer in futures::future::join_all(writers).await {
        writer.unwrap();
    }
    let expected: Vec<i64> = (0..COMMITS as i64).collect();
    for store in &stores {
        for number in 0..3 {
            assert_eq!(times(store, &format!("w{number}")).await, expected, "writer {number}");
        }
        assert_sound(store).await;
    }
    let newcomer = tempfile::tempdir().unwrap();
    let newcomer = open(newcomer.path(), &bucket).await;
    assert_eq!(times(&newcomer, "w1").await, expected);
    newcomer.compact(&["things".to_owned()], Arc::new(|_| ()), Arc::new(AtomicBool::new(false))).await.unwrap();
    assert_eq!(times(&stores[2], "w2").await, expected, "after another machine compacted");
    assert_sound(&newcomer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_of_the_catalog_travel_by_the_bucket() {
    let bucket = Arc::new(InMemory::new());
    let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    let (one, two) = (open(folders[0].path(), &bucket).await, open(folders[1].path(), &bucket).await);
    assert!(two.list_groups().await.unwrap().is_empty());
    one.create_group(new_group("things")).await.unwrap();
    let update = GroupUpdate { add_features: vec![feature("later", FeatureType::String)], ..GroupUpdate::default() };
    one.update_group("things", &update).await.unwrap();
    let eventually = async |holds: &dyn Fn(&[larder::model::FeatureGroup]) -> bool| {
        for _ in 0..200 {
            if holds(&two.list_groups().await.unwrap()) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the other machine never noticed");
    };
    eventually(&|groups| groups.iter().any(|group| group.name.as_str() == "things" && group.schema.len() == 4)).await;
    assert_eq!(*two.group("things").await.unwrap(), *one.group("things").await.unwrap());
    one.drop_group("things").await.unwrap();
    eventually(&|groups| groups.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_machine_has_just_made_is_there() {
    let bucket = Arc::new(Counting::default());
    let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    let one = open_with(folders[0].path(), bucket.clone(), None).await.unwrap();
    let two = open_with(folders[1].path(), bucket.clone(), None).await.unwrap();
    assert!(two.list_groups().await.unwrap().is_empty());
    // Sooner than a catalog that was looked after is doubted.
    one.create_group(new_group("things")).await.unwrap();
    assert_eq!(two.group("Things").await.unwrap().name.as_str(), "things");
    one.create_group(new_group("others")).await.unwrap();
    let mut rows = two.query("select count(*) as n from others", None).await.unwrap();
    assert_eq!(rows.next().await.unwrap().unwrap().num_rows(), 1);
    assert_eq!(two.query("select * from elsewhere", None).await.err().unwrap().kind(), ErrorKind::NotFound);

    let before = bucket.asked.load(Ordering::Relaxed);
    let names: Vec<String> = (0..200).map(|number| format!("nobody-made-{number}")).collect();
    for missed in futures::future::join_all(names.iter().map(|name| two.group(name))).await {
        assert_eq!(missed.unwrap_err().kind(), ErrorKind::NotFound);
    }
    let asked = bucket.asked.load(Ordering::Relaxed) - before;
    assert!((1..=10).contains(&asked), "{asked} requests for 200 names that nobody made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_step_fails_an_acknowledged_record_is_in_the_bucket_once() {
    let script = async |store: &FeatureStore, acknowledged: &mut BTreeSet<i64>| -> Result<()> {
        for n in 0..3usize {
            put(store, "a", n).await?;
            acknowledged.insert(n as i64);
            store.flush(&["things".to_owned()]).await?;
        }
        Ok(())
    };
    let run = async |faults: Arc<Faults>| -> BTreeSet<i64> {
        let bucket = Arc::new(InMemory::new());
        let (maker, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        open(maker.path(), &bucket).await.create_group(new_group("things")).await.unwrap();
        let mut acknowledged = BTreeSet::new();
        if let Ok(store) = open_with(folder.path(), bucket.clone(), Some(faults)).await {
            let _ = script(&store, &mut acknowledged).await;
            drop(store);
        }
        let again = open(folder.path(), &bucket).await;
        again.flush(&["things".to_owned()]).await.unwrap();
        let found = times(&again, "a").await;
        // A put whose reply was lost may be there too, but only once.
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len(), "doubled: {found:?}");
        assert!(acknowledged.iter().all(|n| found.contains(n)), "lost: {acknowledged:?} {found:?}");
        assert_sound(&again).await;
        acknowledged
    };
    let counting = Arc::new(Faults::counting());
    assert_eq!(run(counting.clone()).await.len(), 3);
    for k in 1..=counting.steps() {
        for mode in [Mode::Before, Mode::AfterLostReply] {
            run(Arc::new(Faults::fail_at(k, mode))).await;
        }
    }
}

#[tokio::test]
async fn a_folder_belongs_to_one_place() {
    let bucket: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let bound = tempfile::tempdir().unwrap();
    open_with(bound.path(), bucket.clone(), None).await.unwrap();
    let other = OpenOptions { object_store: Some("s3://other".into()), objects: Some(bucket.clone()), ..OpenOptions::default() };
    assert_eq!(FeatureStore::open(bound.path(), other).await.err().unwrap().kind(), ErrorKind::Usage);
    let local = tempfile::tempdir().unwrap();
    let options = OpenOptions { create: true, ..OpenOptions::default() };
    FeatureStore::open(local.path(), options).await.unwrap().create_group(new_group("things")).await.unwrap();
    assert_eq!(open_with(local.path(), bucket, None).await.err().unwrap().kind(), ErrorKind::Usage);
}

/// A bucket that counts what is asked of it, and the bytes of data files.
#[derive(Debug, Default)]
struct Counting {
    inner: InMemory,
    asked: AtomicU64,
    fetched: AtomicU64,
}

impl std::fmt::Display for Counting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Counting")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, location: &ObjectPath, payload: PutPayload, options: PutOptionsOfBucket) -> object_store::Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &ObjectPath,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &ObjectPath, options: GetOptions) -> object_store::Result<GetResult> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let found = self.inner.get_opts(location, options).await?;
        if location.as_ref().ends_with(".parquet") {
            self.fetched.fetch_add(found.range.end - found.range.start, Ordering::Relaxed);
        }
        Ok(found)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<ObjectPath>>,
    ) -> BoxStream<'static, object_store::Result<ObjectPath>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_of_a_bucket_is_not_fetched_again() {
    let bucket = Arc::new(Counting::default());
    let (maker, reader) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = open_with(maker.path(), bucket.clone(), None).await.unwrap();
    made.create_group(new_group("things")).await.unwrap();
    for n in 0..40 {
        put(&made, &format!("w{}", n % 4), n).await.unwrap();
        if n % 10 == 9 {
            made.flush(&["things".to_owned()]).await.unwrap();
        }
    }
    let spine = reader.path().join("spine.csv");
    std::fs::write(&spine, "id,t\nw1,100\nw2,9\n,5\n").unwrap();
    let request = DatasetRequest {
        spine: SpineSource::File(spine.to_str().unwrap().to_owned()),
        spine_id: "id".into(),
        spine_time: "t".into(),
        features: vec![FeatureSelection::parse("things").unwrap()],
        ttls: Vec::new(),
        as_of: None,
    };
    // What a process of its own reads, and how much of it comes from the bucket.
    let read = async || {
        let before = bucket.fetched.load(Ordering::Relaxed);
        let store = open_with(&reader.path().join("store"), bucket.clone(), None).await.unwrap();
        let mut answers: Vec<String> = Vec::new();
        let mut rows = store.query("select sum(n) as s, max(id) as i from things", None).await.unwrap();
        while let Some(batch) = rows.next().await {
            answers.push(format!("{:?}", batch.unwrap()));
        }
        let mut rows = store.open_dataset(&request, &PlanOptions::default()).await.unwrap().into_batches();
        while let Some(batch) = rows.next().await {
            answers.push(format!("{:?}", batch.unwrap()));
        }
        assert_sound(&store).await;
        (answers.concat(), bucket.fetched.load(Ordering::Relaxed) - before)
    };
    let (first, fetched) = read().await;
    assert!(first.contains("780") && fetched > 0, "{first}");
    let pieces = reader.path().join("store/cache");
    let held = || -> Vec<std::path::PathBuf> {
        let folders = std::fs::read_dir(&pieces).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        folders.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())).collect()
    };
    assert!(!held().is_empty());
    // The doctor reads whole files past the pieces, which are for what is read again.
    let (again, by_doctor) = read().await;
    assert_eq!(again, first);
    assert!(by_doctor < fetched, "{by_doctor} of {fetched}");
    for piece in held() {
        std::fs::write(piece, "damage").unwrap();
    }
    let (mended, refetched) = read().await;
    assert_eq!(mended, first);
    assert!(refetched > by_doctor, "what was damaged is fetched again");
    assert_eq!(read().await, (first.clone(), by_doctor));
    std::fs::write(reader.path().join("store/larder.toml"), "[object_store]\ncache = \"none\"\n").unwrap();
    let (without, fetched_anew) = read().await;
    assert_eq!(without, first);
    assert!(fetched_anew >= refetched, "nothing is kept where nothing may be");
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves an empty store; returns its endpoint.
fn serve(folder: &Path) -> (Server, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_larder"))
        .arg("--store")
        .arg(folder)
        .args(["serve", "--bind", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let server = Server(child);
    let line = BufReader::new(output).lines().map_while(std::io::Result::ok).find(|line| line.contains("listening on ")).unwrap();
    let endpoint = line.split("listening on ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    (server, endpoint)
}

#[test]
fn a_machine_with_only_the_url_sees_the_teams_groups_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let served = folder.path().join("served");
    std::fs::create_dir_all(served.join("s3/team")).unwrap();
    let (server, endpoint) = serve(&served);
    let larder = |store: &str, arguments: &[&str]| -> Output {
        Command::new(env!("CARGO_BIN_EXE_larder"))
            .arg("--store")
            .arg(folder.path().join(store))
            .args(["--object-store", URL])
            .args(arguments)
            .env("LARDER_OBJECT_STORE_ENDPOINT", &endpoint)
            .env("LARDER_OBJECT_STORE_ALLOW_HTTP", "true")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test-secret")
            .output()
            .unwrap()
    };
    let done = |output: Output| -> String {
        assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let rows = folder.path().join("rows.csv");
    let lines: String = (0..500).map(|n| format!("C{n},{n},{}\n", n * 2)).collect();
    std::fs::write(&rows, format!("id,at,twice\n{lines}")).unwrap();
    let rows = rows.to_str().unwrap();
    done(larder("one", &["create", "things", "--from", rows, "--id", "id", "--event-time", "at"]));
    done(larder("one", &["ingest", "things", rows]));
    assert!(!folder.path().join("one/s3").join("team").exists(), "the history is not in the folder");
    let listed = done(larder("two", &["list", "--json"]));
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((listed[0]["name"].as_str(), listed[0]["records"].as_u64()), (Some("things"), Some(500)));
    let sum = done(larder("two", &["query", "select sum(twice) as s from things", "--format", "csv"]));
    assert_eq!(sum.lines().nth(1), Some((0..500).map(|n| n * 2).sum::<i32>().to_string().as_str()));
    let spine = folder.path().join("spine.csv");
    std::fs::write(&spine, "id,t\nC7,100\nC300,299\n").unwrap();
    let out = folder.path().join("out.parquet");
    let build = ["dataset", "build", "--spine", spine.to_str().unwrap(), "--spine-id", "id", "--spine-time", "t", "--features", "things"];
    let built = done(larder("two", &[&build[..], &["-o", out.to_str().unwrap(), "--json"]].concat()));
    let built: serde_json::Value = serde_json::from_str(&built).unwrap();
    assert_eq!((built["rows"].as_u64(), built["matched"]["things"].as_u64()), (Some(2), Some(1)), "C300 is of a later time");
    let missing = Command::new(env!("CARGO_BIN_EXE_larder"))
        .arg("--store")
        .arg(folder.path().join("three"))
        .args(["--object-store", "s3://no-such-bucket", "list"])
        .env("LARDER_OBJECT_STORE_ENDPOINT", &endpoint)
        .env("LARDER_OBJECT_STORE_ALLOW_HTTP", "true")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test-secret")
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no bucket 'no-such-bucket'"));
    // A bucket that is away stops no look-up in the online store.
    drop(server);
    assert!(done(larder("one", &["get", "things", "C7"])).contains("14"));
}

#[test]
fn the_keys_of_a_profile_open_the_bucket() {
    let larder = Larder::new();
    std::fs::create_dir_all(larder.path("served/s3/team")).unwrap();
    let serving = Serving::start(&larder.path("served"), Some("AKIDTEAM:a-secret/of+keys"));
    std::fs::create_dir(larder.path(".aws")).unwrap();
    let keys = larder.file("keys.json", r#"{"Version": 1, "AccessKeyId": "AKIDTEAM", "SecretAccessKey": "a-secret/of+keys"}"#);
    let endpoint = format!("http://{}", serving.address);
    larder.file(
        ".aws/config",
        &format!(
            "[default]\nregion = eu-west-1\n[profile team]\nregion = eu-central-1\nendpoint_url = {endpoint}\n\
             [profile program]\ncredential_process = cat {}\nendpoint_url = {endpoint}\n[profile empty]\nregion = eu-west-1\n",
            keys.display()
        ),
    );
    larder.file(
        ".aws/credentials",
        "[default]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = other\n\
         [team]\naws_access_key_id = AKIDTEAM\naws_secret_access_key = a-secret/of+keys\n",
    );
    let list = |store: &str, variables: &[(&str, &str)]| {
        let mut command = larder.command(&["--store", store, "--object-store", URL, "list", "--json"]);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        let done = command.env("LARDER_OBJECT_STORE_ALLOW_HTTP", "true").envs(variables.iter().copied()).output().unwrap();
        (done.status.code(), String::from_utf8(done.stderr).unwrap())
    };
    for profile in ["team", "program"] {
        let (code, said) = list(profile, &[("AWS_PROFILE", profile)]);
        assert_eq!(code, Some(0), "{profile}: {said}");
    }
    let here = ("LARDER_OBJECT_STORE_ENDPOINT", endpoint.as_str());
    let (code, said) = list("default", &[here]);
    assert!(code == Some(1) && said.contains("can't write to s3://team/features"), "{code:?} {said}");
    for profile in ["nobody", "empty"] {
        let (code, said) = list(profile, &[here, ("AWS_PROFILE", profile)]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("no usable AWS credentials for s3://team/features") && said.contains(&format!("'{profile}'")), "{said}");
    }
    // Those of the environment come first, as everywhere.
    let environment = [here, ("AWS_PROFILE", "nobody"), ("AWS_ACCESS_KEY_ID", "AKIDTEAM"), ("AWS_SECRET_ACCESS_KEY", "a-secret/of+keys")];
    let (code, said) = list("environment", &environment);
    assert_eq!(code, Some(0), "{said}");
}
