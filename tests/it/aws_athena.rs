//! SQL as Athena runs it: executions, their results in S3, tables over uploaded files.

use std::time::Duration;

use larder::store::athena::{Execution, ExecutionRequest, ExecutionState, StatementType};
use larder::store::objects::{Bucket, ObjectAttributes, ObjectKey};
use larder::store::{FeatureStore, OpenOptions};

const LONG: Duration = Duration::from_secs(60);

async fn store(folder: &std::path::Path) -> FeatureStore {
    FeatureStore::open(folder, OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap()
}

fn request(sql: &str) -> ExecutionRequest {
    ExecutionRequest { query: sql.to_owned(), output: Some("s3://results/x".to_owned()), ..ExecutionRequest::default() }
}

async fn run(store: &FeatureStore, sql: &str) -> Execution {
    let id = store.start_execution(request(sql)).unwrap();
    store.execution(&id, LONG).await.unwrap()
}

fn object(store: &FeatureStore, location: &str) -> String {
    let (bucket, key) = location.strip_prefix("s3://").unwrap().split_once('/').unwrap();
    let object = store.objects().open(&Bucket::parse(bucket).unwrap(), &ObjectKey::parse(key).unwrap()).unwrap();
    String::from_utf8(object.read_at(0, 1 << 20).unwrap()).unwrap()
}

fn upload(store: &FeatureStore, key: &str, text: &str) {
    let bucket = Bucket::parse("uploads").unwrap();
    store.objects().create_bucket(&bucket).unwrap();
    store.objects().put(&bucket, &ObjectKey::parse(key).unwrap(), text.as_bytes(), &ObjectAttributes::default()).unwrap();
}

#[tokio::test]
async fn a_result_lies_whole_in_its_place_and_is_read_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let sql = "select value as n, case when value % 2 = 0 then 'say \"' || cast(value as varchar) || '\",\n' end as t \
               from generate_series(1, 2500) order by 1;";
    let done = run(&store, sql).await;
    assert_eq!((done.state, done.statement_type), (ExecutionState::Succeeded, StatementType::Dml), "{:?}", done.reason);
    assert_eq!(done.location, format!("s3://results/x/{}.csv", done.id));
    let text = object(&store, &done.location);
    assert!(text.starts_with("\"n\",\"t\"\n\"1\",\n\"2\",\"say \"\"2\"\",\n\"\n\"3\",\n"), "{}", &text[..60]);
    let (mut rows, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        let (_, page) = store.execution_result(&done.id, at, 999).await.unwrap();
        assert!(page.rows.len() <= 999);
        rows.extend(page.rows);
        from = page.next;
    }
    assert_eq!(rows.len(), 2_501);
    for (number, row) in rows.iter().enumerate().skip(1) {
        let text = number.is_multiple_of(2).then(|| format!("say \"{number}\",\n"));
        assert_eq!(*row, [Some(number.to_string()), text]);
    }
}

#[tokio::test]
async fn a_failure_says_why_and_leaves_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    for (sql, part) in [
        ("select * from nowhere", "nowhere"),
        ("selec 1", "can't be read"),
        ("create table x as select 1", "not supported"),
        ("drop table nowhere", "nowhere"),
        ("select 1 / 0 from generate_series(1, 3)", ""),
        ("create external table t (a map) location 's3://uploads/t'", "not supported"),
    ] {
        let done = run(&store, sql).await;
        assert_eq!(done.state, ExecutionState::Failed, "{sql}");
        assert!(done.is_users_fault && done.reason.as_ref().is_some_and(|reason| reason.contains(part)), "{sql}: {:?}", done.reason);
        assert!(store.execution_result(&done.id, 0, 1).await.is_err());
    }
    assert!(!folder.path().join("s3/results/x").exists(), "no result of a failure is seen");
    assert!(std::fs::read_dir(folder.path().join("s3/.uploads")).unwrap().next().is_none());
    assert!(store.start_execution(request("  ")).is_err());
    assert!(store.start_execution(ExecutionRequest { output: Some("results".into()), ..request("select 1") }).is_err());
    assert!(store.execution("nobody", LONG).await.is_err());
}

#[tokio::test]
async fn stopping_ends_the_work_and_the_same_token_is_the_same_execution() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let endless = "select count(*) from generate_series(1, 1000000) a cross join generate_series(1, 1000000) b";
    let tokened = ExecutionRequest { token: Some("t".repeat(32)), ..request(endless) };
    let id = store.start_execution(tokened.clone()).unwrap();
    assert_eq!(store.start_execution(tokened).unwrap(), id);
    assert!(store.start_execution(ExecutionRequest { token: Some("t".repeat(32)), ..request("select 1") }).is_err());
    // More than run at once: the last ones wait.
    let others: Vec<String> = (0..5).map(|_| store.start_execution(request(endless)).unwrap()).collect();
    for id in others.iter().chain([&id]) {
        assert!(!store.execution(id, Duration::ZERO).await.unwrap().state.is_final());
        store.stop_execution(id).unwrap();
        assert_eq!(store.execution(id, Duration::ZERO).await.unwrap().state, ExecutionState::Cancelled);
    }
    // None of them holds its place any more.
    assert_eq!(run(&store, "select 1").await.state, ExecutionState::Succeeded);
    assert_eq!(store.execution(&id, LONG).await.unwrap().state, ExecutionState::Cancelled);
    assert_eq!(store.execution_ids().len(), 7);
}

#[tokio::test]
async fn uploaded_tables_outlive_the_process_and_read_what_pandas_writes() {
    let folder = tempfile::tempdir().unwrap();
    let ddl = "CREATE EXTERNAL TABLE dataframe_base_1 (Id STRING, n INT, x DOUBLE, b BOOLEAN, at TIMESTAMP) ROW FORMAT SERDE \
               'org.apache.hadoop.hive.serde2.OpenCSVSerde' WITH SERDEPROPERTIES (\"separatorChar\" = \",\", \"quoteChar\" = \"`\", \
               \"escapeChar\" = \"\\\\\") LOCATION 's3://uploads/base';";
    {
        let store = store(folder.path()).await;
        upload(&store, "base/1.csv", "\"a,1\",1,1.5,True,2026-01-01 00:00:00\n\"say \"\"x\"\"\",,,,\n");
        upload(&store, "base/_hidden.csv", "nonsense");
        upload(&store, "based.csv", "other,2,2,False,\n");
        let done = run(&store, ddl).await;
        assert_eq!((done.state, done.statement_type), (ExecutionState::Succeeded, StatementType::Ddl), "{:?}", done.reason);
        assert_eq!(object(&store, &done.location), "");
        assert_eq!(run(&store, ddl).await.state, ExecutionState::Failed, "it exists");
        store.close().await.unwrap();
    }
    let store = store(folder.path()).await;
    upload(&store, "base/2.csv", "`tick`,-3,1e10,false,\n");
    for name in
        ["dataframe_base_1", "\"sagemaker_featurestore\".\"dataframe_base_1\"", "AwsDataCatalog.sagemaker_featurestore.DataFrame_Base_1"]
    {
        let done = run(&store, &format!("SELECT id, \"N\", x, b, at FROM {name} ORDER BY n")).await;
        assert_eq!(done.state, ExecutionState::Succeeded, "{name}: {:?}", done.reason);
        assert_eq!(
            object(&store, &done.location),
            "\"id\",\"n\",\"x\",\"b\",\"at\"\n\"`tick`\",\"-3\",\"1.0E10\",\"false\",\n\
             \"a,1\",\"1\",\"1.5\",\"true\",\"2026-01-01 00:00:00.000\"\n\"say \"\"x\"\"\",,,,\n"
        );
    }
    assert_eq!(store.glue_table("sagemaker_featurestore", "dataframe_base_1").await.unwrap().columns[0].data_type, "string");
    upload(&store, "base/3.csv", "z,many,,,\n");
    let done = run(&store, "select count(n) from dataframe_base_1").await;
    assert!(done.reason.as_ref().is_some_and(|reason| reason.contains("base/3.csv, row 1")), "{:?}", done.reason);
    assert_eq!(run(&store, "drop table dataframe_base_1").await.state, ExecutionState::Succeeded);
    assert_eq!(run(&store, "select * from dataframe_base_1").await.state, ExecutionState::Failed);
    assert_eq!(run(&store, "drop table if exists dataframe_base_1").await.state, ExecutionState::Succeeded);
    let kept = ObjectKey::parse("base/1.csv").unwrap();
    assert!(store.objects().open(&Bucket::parse("uploads").unwrap(), &kept).is_ok(), "its files stay");
}
