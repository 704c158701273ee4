//! SQL over groups: a real offline table in a folder, rows not yet in files beside it, and questions about both.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, Int32Array, RecordBatch, TimestampNanosecondArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use async_trait::async_trait;
use larder::backend::offline::columns::rows_to_batch;
use larder::backend::offline::{OfflineOptions, OfflineRow, OfflineStore};
use larder::dataset::{EngineOptions, GroupScan, GroupSource, OutputFormat, QueryEngine, QueryOptions, ScanFile, write_result};
use larder::model::{
    Arrival, Error, ErrorKind, EventTime, FeatureDefinition, FeatureGroup, FeatureName, FeatureType, FeatureValue, GroupId, GroupName,
    GroupStatus, OfflineSettings, OnlineSettings, RawValue, Result, Schema, TimeMode, Ttl,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::differential::Engines;

/// One group and what lies of it where.
#[derive(Debug, Clone)]
struct Kept {
    group: FeatureGroup,
    unflushed: Vec<OfflineRow>,
}

/// Groups over a folder; stands in for the store.
#[derive(Clone)]
struct Groups {
    offline: OfflineStore,
    kept: BTreeMap<String, Kept>,
}

impl std::fmt::Debug for Groups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Groups").field("kept", &self.kept.keys()).finish_non_exhaustive()
    }
}

#[async_trait]
impl GroupSource for Groups {
    async fn group_names(&self) -> Result<Vec<String>> {
        Ok(self.kept.keys().cloned().collect())
    }

    async fn open_group(&self, name: &str) -> Result<GroupScan> {
        let kept = self.kept.get(name).ok_or_else(|| Error::internal(format!("asked for '{name}'")))?;
        if kept.group.is_external() {
            let table = self.offline.external(&kept.group).await?;
            let files = table.files().iter().map(|file| ScanFile::new(file.object.clone(), Some(file.statistics.clone()))).collect();
            let (schema, store) = (table.schema().clone(), table.object_store()?);
            let unflushed = RecordBatch::new_empty(schema.clone());
            return Ok(GroupScan { group: kept.group.clone(), schema, store, files, unflushed });
        }
        let snapshot = match self.offline.snapshot(&kept.group).await {
            Ok(snapshot) => Some(snapshot),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let unflushed = rows_to_batch(&kept.group.schema, &kept.unflushed)?;
        Ok(GroupScan::of_table(kept.group.clone(), snapshot.as_ref(), self.offline.object_store()?, Some(unflushed)))
    }
}

struct Bench {
    folder: tempfile::TempDir,
    groups: Groups,
    engine: QueryEngine,
    now: EventTime,
    cluster: Engines,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(adjust: impl Fn(&mut EngineOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let offline = OfflineStore::open(OfflineOptions::new(folder.path().join("s3"))).unwrap();
        let mut options = EngineOptions { spill_folder: Some(folder.path().join("spill")), parallelism: 2, ..EngineOptions::default() };
        adjust(&mut options);
        let engine = QueryEngine::new(&options).unwrap();
        let now = instant("2024-06-01T00:00:00Z");
        Self { folder, groups: Groups { offline, kept: BTreeMap::new() }, engine, now, cluster: Engines::default() }
    }

    fn group(&mut self, name: &str, features: &[(&str, FeatureType)], ttl: Option<Ttl>) {
        let definitions = features.iter().map(|(name, kind)| FeatureDefinition::new(FeatureName::parse(name).unwrap(), *kind)).collect();
        let schema = Schema::new(definitions, features[0].0, features[1].0).unwrap();
        let group = FeatureGroup {
            id: GroupId(uuid::Uuid::now_v7()),
            name: GroupName::parse(name).unwrap(),
            description: None,
            owner: None,
            tags: BTreeMap::new(),
            schema,
            online: Some(OnlineSettings { ttl, ..OnlineSettings::default() }),
            offline: Some(OfflineSettings { s3_uri: "s3://larder/feature-store".into(), external: None, ..OfflineSettings::default() }),
            status: GroupStatus::Created,
            failure_reason: None,
            expectations: larder::model::GroupExpectations::default(),
            created: self.now,
            modified: self.now,
        };
        self.groups.kept.insert(name.to_owned(), Kept { group, unflushed: Vec::new() });
    }

    /// Puts rows into one new file.
    async fn flush(&self, name: &str, rows: &[OfflineRow]) {
        let group = &self.groups.kept[name].group;
        let batch = rows_to_batch(&group.schema, rows).unwrap();
        let staged = self.groups.offline.stage(group, vec![batch]).await.unwrap();
        self.groups.offline.commit(group, &[staged], None).await.unwrap();
    }

    fn keep(&mut self, name: &str, rows: Vec<OfflineRow>) {
        self.groups.kept.get_mut(name).unwrap().unflushed = rows;
    }

    fn row(&self, name: &str, arrival: u64, values: &[&str]) -> OfflineRow {
        let schema = &self.groups.kept[name].group.schema;
        let values: Vec<Option<FeatureValue>> = schema
            .features()
            .iter()
            .zip(values)
            .map(|(feature, text)| (!text.is_empty()).then(|| FeatureValue::parse(feature, RawValue::Text((*text).to_owned())).unwrap()))
            .collect();
        let text = |position: usize| values[position].as_ref().unwrap().display();
        let time = &text(schema.event_time_position());
        let event_time = match schema.event_time().feature_type {
            FeatureType::Fractional => EventTime::parse_fractional(time, TimeMode::Lenient).unwrap(),
            _ => instant(time),
        };
        OfflineRow { identifier: text(schema.identifier_position()), event_time, values, arrival: Arrival(arrival), is_deleted: false }
    }

    async fn try_query(&self, sql: &str) -> Result<RecordBatch> {
        let answer = self.try_query_here(sql).await;
        for kept in self.groups.kept.values() {
            let files = match kept.group.is_external() {
                true => self.groups.offline.external(&kept.group).await.and_then(|table| table.object_store()),
                false => self.groups.offline.object_store(),
            };
            // A test may have taken the files away.
            files.into_iter().for_each(|files| self.cluster.knows(kept.group.id, files));
        }
        let options = QueryOptions { now: self.now, max_rows: None };
        self.cluster.statement(Arc::new(self.groups.clone()), &options, sql, &answer).await;
        answer
    }

    async fn try_query_here(&self, sql: &str) -> Result<RecordBatch> {
        let options = QueryOptions { now: self.now, max_rows: None };
        let stream = self.engine.query(sql, Arc::new(self.groups.clone()), &options).await?;
        let schema = stream.schema();
        Ok(concat_batches(&schema, &stream.collect().await?).unwrap())
    }

    async fn query(&self, sql: &str) -> RecordBatch {
        self.try_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// All cells as text, null as `-`, rows in the order of the answer.
    async fn cells(&self, sql: &str) -> Vec<Vec<String>> {
        cells(&self.query(sql).await)
    }

    async fn count(&self, sql: &str) -> i64 {
        self.query(sql).await.column(0).as_primitive::<Int64Type>().value(0)
    }

    async fn fault(&self, sql: &str) -> Error {
        self.try_query(sql).await.err().unwrap_or_else(|| panic!("{sql} was answered"))
    }

    /// Number of files a statement reads, by its plan.
    async fn files_read(&self, sql: &str) -> usize {
        let plan = self.query(&format!("explain {sql}")).await;
        let text = cells(&plan).into_iter().flatten().collect::<String>();
        text.matches(".parquet").count()
    }
}

fn cells(batch: &RecordBatch) -> Vec<Vec<String>> {
    let cell = |column: &Arc<dyn Array>, row| {
        if column.is_null(row) { "-".to_owned() } else { array_value_to_string(column, row).unwrap() }
    };
    (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| cell(column, row)).collect()).collect()
}

fn instant(text: &str) -> EventTime {
    EventTime::parse_text(text, TimeMode::Lenient).unwrap()
}

fn names(batch: &RecordBatch) -> Vec<String> {
    batch.schema().fields().iter().map(|field| field.name().clone()).collect()
}

const TRIPS: [(&str, FeatureType); 4] = [
    ("trip_id", FeatureType::String),
    ("pickup", FeatureType::String),
    ("PULocationID", FeatureType::Integral),
    ("fare", FeatureType::Fractional),
];

/// Trips of four months, a file each, and one trip that is in no file.
async fn trips() -> Bench {
    let mut bench = Bench::new();
    bench.group("Trips", &TRIPS, None);
    for month in 1..=4_u64 {
        let rows: Vec<OfflineRow> = (0..50_u64)
            .map(|trip| {
                let time = format!("2024-{month:02}-{:02}T10:00:00Z", 1 + trip % 28);
                bench.row("Trips", month * 1_000 + trip, &[&format!("t{month}-{trip}"), &time, &trip.to_string(), "7.5"])
            })
            .collect();
        bench.flush("Trips", &rows).await;
    }
    let late = bench.row("Trips", 9_000, &["t5-0", "2024-05-01T10:00:00Z", "", "99.0"]);
    bench.keep("Trips", vec![late]);
    bench
}

#[tokio::test]
async fn rows_of_files_and_rows_put_a_moment_ago_are_one_table() {
    let bench = trips().await;
    assert_eq!(bench.count("select count(*) from trips").await, 201);
    assert_eq!(bench.count("select count(pulocationid) from trips").await, 200);
    assert_eq!(bench.cells("select trip_id, fare, pulocationid from trips where fare > 10").await, [["t5-0", "99.0", "-"]]);
    let all = bench.query("select * from trips limit 1").await;
    assert_eq!(names(&all), ["trip_id", "pickup", "PULocationID", "fare", "write_time", "api_invocation_time", "is_deleted"]);
}

#[tokio::test]
async fn names_are_found_in_any_case_quoted_or_not() {
    let mut bench = trips().await;
    bench.group("Customer-Features", &[("id", FeatureType::String), ("at", FeatureType::String), ("fare", FeatureType::Integral)], None);
    let row = bench.row("Customer-Features", 1, &["t1-0", "2024-01-01T00:00:00Z", "3"]);
    bench.keep("Customer-Features", vec![row]);
    for table in ["Trips", "trips", "TRIPS", "\"trips\"", "\"tRiPs\"", "larder.main.trips"] {
        assert_eq!(bench.count(&format!("select count(*) from {table}")).await, 201, "{table}");
    }
    for column in ["PULocationID", "pulocationid", "\"PULOCATIONID\"", "T.PuLocationId", "t.\"pulocationid\""] {
        let answer = bench.query(&format!("select {column} from trips T where trip_id = 't1-7'")).await;
        assert_eq!((names(&answer), cells(&answer)), (vec!["PULocationID".into()], vec![vec!["7".into()]]), "{column}");
    }
    let joined = bench
        .query(
            "WITH Spine AS (SELECT id, Fare AS \"Base Fare\" FROM \"customer-features\")
             SELECT s.ID, S.\"base fare\" + 1 AS Total, t.fare FROM spine s JOIN \"TRIPS\" t ON t.Trip_Id = s.id
             WINDOW W AS (ORDER BY total) ORDER BY TOTAL",
        )
        .await;
    assert_eq!(
        (names(&joined), cells(&joined)),
        (vec!["id".into(), "Total".into(), "fare".into()], vec![vec!["t1-0".into(), "4".into(), "7.5".into()]])
    );
    assert_eq!(bench.cells("select COUNT(*), Max(FARE), substr('AbC', 1, 2) from trips").await, [["201", "99.0", "Ab"]]);
}

#[tokio::test]
async fn two_groups_may_spell_one_column_differently() {
    let mut bench = trips().await;
    bench.group("zones", &[("ID", FeatureType::String), ("at", FeatureType::String), ("puLOCATIONid", FeatureType::Integral)], None);
    let rows = vec![bench.row("zones", 1, &["z", "2024-01-01T00:00:00Z", "7"])];
    bench.flush("zones", &rows).await;
    let sql = "select t.trip_id, z.pulocationid from zones z join trips t using (PULocationID) where z.PUlocationID = 7 order by 1";
    assert_eq!(bench.cells(sql).await, [["t1-7", "7"], ["t2-7", "7"], ["t3-7", "7"], ["t4-7", "7"]]);
    assert_eq!(bench.cells("select \"PULOCATIONID\" from \"zones$latest\" where pulocationid > 0").await, [["7"]]);
}

#[tokio::test]
async fn files_outside_the_time_range_are_not_read() {
    let bench = trips().await;
    assert_eq!(bench.files_read("select fare from trips").await, 4);
    for (filter, files) in [
        ("pickup >= '2024-04-01'", 1),
        ("pickup > '2024-02-15T00:00:00Z' and pickup < '2024-03-02'", 2),
        ("pickup between '2024-01-01' and '2024-01-31'", 1),
        ("pickup like '2024-03%'", 1),
        ("trip_id = 't2-3'", 1),
        ("write_time < to_timestamp_micros(1500)", 1),
        ("pickup >= '2025'", 0),
    ] {
        assert_eq!(bench.files_read(&format!("select fare from trips where {filter}")).await, files, "{filter}");
    }
    assert_eq!(bench.count("select count(*) from trips where pickup >= '2024-04-01'").await, 51);
}

#[tokio::test]
async fn leaving_files_out_never_changes_an_answer() {
    let mut bench = Bench::new();
    bench.group(
        "g",
        &[("id", FeatureType::String), ("at", FeatureType::Fractional), ("n", FeatureType::Integral), ("s", FeatureType::String)],
        None,
    );
    let mut random = StdRng::seed_from_u64(17);
    for _ in 0..8 {
        let base: i64 = random.random_range(0..1_000);
        let mut rows = Vec::new();
        for _ in 0..random.random_range(1..60) {
            let at = format!("{}.5", base + random.random_range(0..200_i64));
            let n = if random.random_bool(0.2) { String::new() } else { (base / 10 + random.random_range(-5..5_i64)).to_string() };
            // Longer than the bounds in the log, which are cut.
            let s = format!("{}{}", "é".repeat(random.random_range(0..80)), random.random_range(0..9));
            rows.push(bench.row("g", random.random_range(1..10_000), &[&format!("i{}", random.random_range(0..50)), &at, &n, &s]));
        }
        bench.flush("g", &rows).await;
    }
    let mut was_pruned = 0;
    for _ in 0..60 {
        let (low, high) = (random.random_range(0..1_200), random.random_range(0..1_200));
        let (filter, unprunable) = match random.random_range(0..5) {
            0 => (format!("at >= {low} and at < {high}"), format!("at + 0 * length(s) >= {low} and at + 0 * length(s) < {high}")),
            1 => (format!("n = {}", low / 10), format!("n + 0 * length(s) = {}", low / 10)),
            2 => (format!("n is null or at > {high}"), format!("(n + length(s)) is null or at + 0 * length(s) > {high}")),
            3 => {
                let text = format!("{}{}", "é".repeat(low / 15), high % 9);
                (format!("s > '{text}'"), format!("concat(s, '') > '{text}'"))
            }
            _ => (format!("id in ('i{}', 'i{}')", low % 60, high % 60), format!("concat(id, '') in ('i{}', 'i{}')", low % 60, high % 60)),
        };
        let all = "select id, at, n, s, write_time from g where";
        let pruned = bench.cells(&format!("{all} {filter} order by 1, 2, 3, 4, 5")).await;
        assert_eq!(pruned, bench.cells(&format!("{all} {unprunable} order by 1, 2, 3, 4, 5")).await, "{filter}");
        let files = bench.query(&format!("explain select id from g where {filter}")).await;
        was_pruned += usize::from(!cells(&files).concat().concat().contains("8 groups") && !pruned.is_empty());
    }
    assert!(was_pruned > 0);
}

#[tokio::test]
async fn a_feature_added_later_is_null_in_older_files() {
    let mut bench = trips().await;
    let kept = bench.groups.kept.get_mut("Trips").unwrap();
    let tip = FeatureDefinition::new(FeatureName::parse("Tip").unwrap(), FeatureType::Integral);
    kept.group.schema = kept.group.schema.with_added(vec![tip]).unwrap();
    kept.unflushed.clear();
    let row = bench.row("Trips", 20_000, &["t6-0", "2024-06-01T00:00:00Z", "1", "1.0", "5"]);
    bench.flush("Trips", &[row]).await;
    assert_eq!(bench.cells("select count(*), count(tip), sum(tip) from trips").await, [["201", "1", "5"]]);
    assert_eq!(bench.cells("select trip_id from trips where tip = 5").await, [["t6-0"]]);
    assert_eq!(bench.count("select count(*) from trips where tip is null").await, 200);
    assert_eq!(bench.count("select count(*) from \"trips$latest\" where tip is null").await, 200);
}

/// The obvious way: look at every row, keep the newest of each identifier.
fn newest<'a>(files: &[Vec<&'a OfflineRow>], oldest: Option<EventTime>) -> BTreeMap<&'a str, &'a OfflineRow> {
    let mut newest: BTreeMap<&str, &OfflineRow> = BTreeMap::new();
    for row in files.iter().flatten().copied() {
        let is_newer =
            newest.get(row.identifier.as_str()).is_none_or(|known| (row.event_time, row.arrival) >= (known.event_time, known.arrival));
        if is_newer {
            newest.insert(&row.identifier, row);
        }
    }
    newest.retain(|_, row| !row.is_deleted && oldest.is_none_or(|oldest| row.event_time >= oldest));
    newest
}

#[tokio::test]
async fn latest_is_the_newest_live_record_whatever_the_ties() {
    for seed in 0..12 {
        let mut random = StdRng::seed_from_u64(seed);
        let ttl: Option<Ttl> = (seed % 3 == 0).then(|| "40s".parse().unwrap());
        let mut bench = Bench::new();
        bench.group("g", &[("id", FeatureType::String), ("at", FeatureType::String), ("n", FeatureType::Integral)], ttl);
        bench.now = instant("1970-01-01T00:01:40Z");
        let files: Vec<Vec<OfflineRow>> = (0..random.random_range(1..6_u64))
            .map(|file| {
                // One arrival for a whole file, as a bulk load has it, or one for each row.
                let of_a_load = random.random_bool(0.5);
                (0..random.random_range(0..80_u64))
                    .map(|row| {
                        let at = EventTime::from_unix_seconds(random.random_range(50..100)).unwrap().to_iso8601();
                        let arrival = if of_a_load { file * 1_000 } else { file * 1_000 + row / 2 };
                        let id = format!("i{}", random.random_range(0..12));
                        let mut made = bench.row("g", arrival, &[&id, &at, &(file * 1_000 + row).to_string()]);
                        made.is_deleted = random.random_bool(0.2);
                        made
                    })
                    .collect()
            })
            .collect();
        let (last, flushed) = files.split_last().unwrap();
        for rows in flushed.iter().filter(|rows| !rows.is_empty()) {
            bench.flush("g", rows).await;
        }
        bench.keep("g", last.clone());

        let oldest = ttl.map(|_| instant("1970-01-01T00:01:00Z"));
        let in_order: Vec<Vec<&OfflineRow>> = files.iter().map(|rows| rows.iter().collect()).collect();
        let expected: Vec<Vec<String>> = newest(&in_order, oldest)
            .values()
            .map(|row| row.values[..3].iter().map(|value| value.as_ref().unwrap().display()).collect())
            .collect();
        assert_eq!(bench.cells("select id, at, n from \"g$latest\" order by id").await, expected, "seed {seed}");
        assert_eq!(bench.count("select count(*) from \"G$Latest\"").await as usize, expected.len(), "seed {seed}");
        let one = format!("i{}", random.random_range(0..12));
        let of_one: Vec<_> = expected.iter().filter(|row| row[0] == one).cloned().collect();
        assert_eq!(bench.cells(&format!("select id, at, n from g$latest where id = '{one}'")).await, of_one, "seed {seed}");
        // A filter on another column must not change who is newest.
        let small: Vec<_> = expected.iter().filter(|row| row[2].parse::<u64>().unwrap() < 1_020).cloned().collect();
        assert_eq!(bench.cells("select id, at, n from g$latest where n < 1020 order by id").await, small, "seed {seed}");
    }
}

#[tokio::test]
async fn latest_shows_features_and_write_time_and_joins_like_a_table() {
    let bench = trips().await;
    let all = bench.query("select * from \"Trips$latest\" where trip_id = 't5-0'").await;
    assert_eq!(names(&all), ["trip_id", "pickup", "PULocationID", "fare", "write_time"]);
    assert_eq!(all.num_rows(), 1);
    let sql = "select count(*) from trips$latest a join trips$latest b on a.trip_id = b.trip_id where a.fare = b.fare";
    assert_eq!(bench.count(sql).await, 201);
}

#[tokio::test]
async fn a_group_without_any_row_is_an_empty_table() {
    let mut bench = Bench::new();
    bench.group("empty", &TRIPS, None);
    assert_eq!(bench.count("select count(*) from empty").await, 0);
    assert_eq!(bench.query("select * from empty").await.num_columns(), 7);
    assert_eq!(bench.query("select * from \"empty$latest\"").await.num_rows(), 0);
}

#[tokio::test]
async fn faults_say_what_is_meant_instead() {
    let mut bench = trips().await;
    bench.group("customer-features", &TRIPS, None);
    for (sql, kind, text) in [
        ("select * from tripz", ErrorKind::NotFound, "no group 'tripz'; did you mean Trips?"),
        ("select * from \"costumer-features$latest\"", ErrorKind::NotFound, "did you mean \"customer-features\"?"),
        ("select * from customer-features", ErrorKind::Usage, "in double quotes: \"customer-features\""),
        ("select pulocation from trips", ErrorKind::NotFound, "no column 'pulocation'; did you mean 'PULocationID'?"),
        ("select * from trips where trip_id = \"x\"", ErrorKind::NotFound, "'single quotes'"),
        ("select fare frm trips where", ErrorKind::Usage, "at line 1, column"),
        ("select nofunction(fare) from trips", ErrorKind::Usage, "nofunction"),
        ("select * from other.trips", ErrorKind::NotFound, "no table other.trips"),
        ("select cast('x' as bigint) from trips", ErrorKind::Invalid, "Cannot cast string 'x'"),
        ("", ErrorKind::Usage, "empty"),
    ] {
        let error = bench.fault(sql).await;
        assert_eq!(error.kind(), kind, "{sql}: {error}");
        assert!(error.to_string().contains(text), "{sql}: {error}");
        assert!(!error.to_string().contains('\n'), "{sql}: {error}");
    }
}

#[tokio::test]
async fn nothing_can_be_written_by_sql() {
    let bench = trips().await;
    let target = bench.folder.path().join("out.parquet");
    for sql in [
        "insert into trips values ('a', 'b', 1, 2.0)",
        "create table t as select * from trips",
        "create view v as select * from trips",
        "create external table e stored as csv location '/etc/passwd'",
        "delete from trips",
        "update trips set fare = 0",
        "drop table trips",
        "truncate table trips",
        &format!("copy trips to '{}'", target.display()),
        &format!("copy (select * from trips) to '{}' stored as parquet", target.display()),
        "set datafusion.execution.batch_size = 1",
        "select * into t from trips",
        "with t as (select 1) insert into trips select * from t",
        "explain insert into trips values ('a', 'b', 1, 2.0)",
        "prepare p as select 1",
    ] {
        let error = bench.fault(sql).await;
        assert!(matches!(error.kind(), ErrorKind::Usage | ErrorKind::NotFound), "{sql}: {error:?}");
    }
    assert!(!target.exists());
    assert!(bench.fault("insert into trips values (1)").await.to_string().contains("SQL only reads"));
    assert_eq!(bench.count("select count(*) from trips").await, 201);
}

#[tokio::test]
async fn the_catalog_of_names_can_be_asked() {
    let mut bench = trips().await;
    bench.group("customer-features", &TRIPS, None);
    assert_eq!(bench.cells("SHOW TABLES").await, [["Trips"], ["customer-features"]]);
    assert_eq!(bench.cells("show tables like 'Tr%'").await, [["Trips"]]);
    assert_eq!(bench.cells("describe trips").await[2], ["PULocationID", "Int64", "YES"]);
    let columns = "select Column_Name from INFORMATION_SCHEMA.columns where table_name = 'Trips' order by ordinal_position limit 2";
    assert_eq!(bench.cells(columns).await, [["trip_id"], ["pickup"]]);
}

#[tokio::test]
async fn the_shapes_of_generated_sql_are_understood() {
    let bench = trips().await;
    let nested = "WITH fg AS (WITH table_x AS (SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY origin.\"trip_id\", origin.\"pickup\"
            ORDER BY origin.\"api_invocation_time\" DESC, origin.\"write_time\" DESC) AS dedup_row FROM \"trips\" origin) WHERE dedup_row = 1)
        SELECT table_x.trip_id, table_x.fare FROM (SELECT * FROM table_x WHERE NOT is_deleted UNION ALL SELECT * FROM table_x WHERE is_deleted) AS table_x)
        SELECT trip_id, \"fare.1\" FROM (SELECT fg.trip_id, fg.\"fare\" AS \"fare.1\", row_number() OVER (PARTITION BY fg.trip_id) AS recent FROM fg)
        WHERE recent <= 1 ORDER BY trip_id LIMIT 1;
        ";
    assert_eq!(bench.cells(nested).await, [["t1-0", "7.5"]]);
    assert_eq!(bench.count("select count(*) from trips where pickup = (select max(pickup) from trips);").await, 1);
}

#[tokio::test]
async fn an_answer_can_be_cut_and_every_format_holds_it() {
    let bench = trips().await;
    let run = |max_rows| {
        let options = QueryOptions { now: bench.now, max_rows };
        let (engine, groups) = (bench.engine.clone(), Arc::new(bench.groups.clone()));
        async move { engine.query("select trip_id, fare from trips order by 1", groups, &options).await.unwrap() }
    };
    assert_eq!(run(Some(10)).await.collect().await.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 10);
    let mut cut = run(Some(10)).await;
    while let Some(batch) = futures::StreamExt::next(&mut cut).await {
        batch.unwrap();
    }
    assert!(cut.was_cut());
    for format in OutputFormat::ALL {
        let mut out = Vec::new();
        assert_eq!(write_result(run(None).await, format, None, &mut out).await.unwrap(), 201);
        match format {
            OutputFormat::Table => assert_eq!(String::from_utf8(out).unwrap().lines().count(), 202),
            OutputFormat::Csv => {
                assert_eq!(csv::Reader::from_reader(out.as_slice()).records().filter(|row| row.as_ref().unwrap().len() == 2).count(), 201);
            }
            OutputFormat::Json => assert_eq!(serde_json::from_slice::<Vec<serde_json::Value>>(&out).unwrap()[0]["fare"], 7.5),
            OutputFormat::JsonLines => assert_eq!(String::from_utf8(out).unwrap().lines().count(), 201),
            OutputFormat::Parquet => {
                let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(out)).unwrap();
                assert_eq!(reader.metadata().file_metadata().num_rows(), 201);
            }
        }
    }
}

#[tokio::test]
async fn a_sort_larger_than_its_memory_spills_and_leaves_nothing() {
    let mut bench = Bench::with(|options| options.memory_limit = 12 << 20);
    bench.group(
        "big",
        &[("id", FeatureType::String), ("at", FeatureType::Fractional), ("n", FeatureType::Integral), ("text", FeatureType::String)],
        None,
    );
    let mut random = StdRng::seed_from_u64(3);
    for _ in 0..3 {
        let rows: Vec<OfflineRow> = (0..30_000)
            .map(|row: u64| {
                bench.row("big", row, &[&format!("{:032x}", random.random::<u128>()), "1.5", &row.to_string(), &"x".repeat(250)])
            })
            .collect();
        bench.flush("big", &rows).await;
    }
    let sorted = bench.query("select id, n, text from big order by n desc, id").await;
    assert_eq!(sorted.num_rows(), 90_000);
    let values = sorted.column(1).as_primitive::<Int64Type>();
    assert!(values.values().is_sorted_by(|a, b| a >= b));
    let analyzed = cells(&bench.query("explain analyze select id, n, text from big order by n desc, id").await).concat().concat();
    let spills: Vec<&str> = analyzed.split("spill_count=").skip(1).map(|rest| rest.split([',', ']']).next().unwrap()).collect();
    assert!(spills.iter().any(|count| *count != "0"), "{analyzed}");
    assert_eq!(bench.count("select count(*) from \"big$latest\"").await, 90_000);

    let error = bench.fault("select array_agg(text), array_agg(id) from big").await;
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    let spill = bench.folder.path().join("spill");
    drop(bench.engine);
    assert_eq!(std::fs::read_dir(spill).unwrap().count(), 0);
}

#[tokio::test]
async fn a_query_stops_when_its_stream_is_dropped() {
    let bench = trips().await;
    // 200^5 rows: nobody waits for the end of it. On one thread, the other branch gets its turns only if the query gives way.
    let joins =
        "join trips b on a.fare = b.fare join trips c on a.fare = c.fare join trips d on a.fare = d.fare join trips e on a.fare = e.fare";
    let options = QueryOptions { now: bench.now, max_rows: None };
    let sql = format!("select count(*) from trips a {joins}");
    let endless = bench.engine.query(&sql, Arc::new(bench.groups.clone()), &options).await.unwrap().collect();
    let a_while = async {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = endless => panic!("that was quick"),
        () = a_while => {}
    }
    assert_eq!(bench.count("select count(*) from trips").await, 201);
}

#[tokio::test]
async fn a_truncated_file_is_one_clear_error() {
    let bench = trips().await;
    let snapshot = bench.groups.offline.snapshot(&bench.groups.kept["Trips"].group).await.unwrap();
    let path = bench.groups.offline.file_path(&snapshot, &snapshot.files()[1]).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = bench.fault("select max(fare) from trips").await;
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
    std::fs::remove_file(&path).unwrap();
    let error = bench.fault("select max(fare) from trips").await;
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
}

/// Writes a Parquet file as any other tool would.
fn foreign_file(path: &std::path::Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[tokio::test]
async fn parquet_of_others_is_read_in_place_with_its_own_types() {
    let mut bench = Bench::new();
    let folder = bench.folder.path().join("theirs");
    std::fs::create_dir(&folder).unwrap();
    let times = |days: [i64; 3]| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from_iter(days.iter().map(|day| (*day >= 0).then_some(day * 86_400_000_000_000))))
    };
    let ids = |ids: [i32; 3]| -> ArrayRef { Arc::new(Int32Array::from(ids.to_vec())) };
    let scores = |scores: [f32; 3]| -> ArrayRef { Arc::new(Float32Array::from(scores.to_vec())) };
    let junk: ArrayRef = Arc::new(Int32Array::from(vec![0, 0, 0]));
    // Driver 1 has two rows of one time in one file: the later row counts. Driver 2 has them in two files: the later file.
    foreign_file(
        &folder.join("a.parquet"),
        vec![("ID", ids([1, 1, 2])), ("at", times([5, 5, 7])), ("Score", scores([0.1, 0.2, 0.3])), ("junk", junk)],
    );
    foreign_file(&folder.join("b.parquet"), vec![("ID", ids([2, 3, 4])), ("at", times([7, 9, -1])), ("Score", scores([0.4, 0.5, 0.6]))]);
    let features =
        [("id", FeatureType::Integral), ("at", FeatureType::String), ("score", FeatureType::Fractional), ("unknown", FeatureType::String)];
    bench.group("theirs", &features, None);
    let group = &mut bench.groups.kept.get_mut("theirs").unwrap().group;
    group.offline = Some(OfflineSettings {
        s3_uri: "s3://larder/feature-store".into(),
        external: Some(folder.display().to_string()),
        ..OfflineSettings::default()
    });

    let all = bench.query("select * from theirs order by 1, 3").await;
    assert_eq!(names(&all), ["ID", "at", "Score", "unknown"], "features alone, as the files spell them");
    assert_eq!(all.column(2).data_type(), &arrow::datatypes::DataType::Float32);
    assert_eq!(bench.count("select count(*) from theirs where unknown is null").await, 6);
    assert_eq!(bench.files_read("select id from theirs where at >= timestamp '1970-01-09'").await, 1);
    assert_eq!(bench.files_read("select id from theirs where id = 1").await, 1);
    assert_eq!(bench.cells("select id, score from theirs where at >= timestamp '1970-01-09'").await, [["3", "0.5"]]);
    // A time is a time whatever the files keep it as, where a feature of ours would be text.
    let as_text = "select id from theirs where from_iso8601_timestamp(at) >= from_unixtime(691200) and at < now()";
    assert_eq!(bench.cells(as_text).await, [["3"]]);
    // A row without event time is no record.
    assert_eq!(bench.cells("select id, score from \"theirs$latest\" order by id").await, [["1", "0.2"], ["2", "0.4"], ["3", "0.5"]]);
}
