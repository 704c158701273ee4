//! The point-in-time join over real groups: against the definition looked up record by record, against the same question
//! in SQL, against the online store, and against itself with other threads, other memory and other files.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use larder::dataset::point_in_time::{JoinFeature, JoinGroup, JoinOptions, JoinWatch, MIN_MEMORY, PointInTimeJoin};
use larder::dataset::request::{DatasetRequest, FeatureSelection, SelectedFeature, SpineSource, TtlOverride};
use larder::dataset::{GroupScan, ScanFile, write_pieces};
use larder::model::{ErrorKind, EventTime, FeatureDefinition, FeatureName, FeatureType, GroupName, OnlineSettings, RawValue, Schema, Ttl};
use larder::store::{DatasetPlan, DeleteOptions, FeatureStore, IngestOptions, NewGroup, OnError, OpenOptions, PlanOptions, PutOptions};
use parquet::arrow::ArrowWriter;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::differential::Beside;

const START: i64 = 1_800_000_000;
const IDENTIFIERS: i64 = 9;

/// Identifier and time of a row of the spine.
type SpineRow = (Option<i64>, Option<i64>);

/// A record as the test remembers it, in the order of arrival.
#[derive(Debug, Clone)]
struct Remembered {
    identifier: i64,
    event: i64,
    written: i64,
    is_deleted: bool,
    value: Option<i64>,
}

/// A store with one group and everything that was ever written to it.
struct Story {
    folder: tempfile::TempDir,
    store: FeatureStore,
    now: Arc<Mutex<i64>>,
    records: Vec<Remembered>,
    identifier: FeatureType,
    event_time: FeatureType,
    cluster: Beside,
}

fn named(kind: FeatureType, identifier: i64) -> String {
    match kind {
        FeatureType::String if identifier % 2 == 0 => format!("C{identifier}"),
        FeatureType::String => format!("a customer with a long name {identifier}"),
        FeatureType::Integral => (identifier - 4).to_string(),
        FeatureType::Fractional => (identifier as f64 / 2.0).to_string(),
    }
}

fn time_text(kind: FeatureType, seconds: i64) -> String {
    match kind {
        FeatureType::String => EventTime::from_unix_seconds(seconds).unwrap().to_iso8601(),
        _ => seconds.to_string(),
    }
}

impl Story {
    async fn begin(identifier: FeatureType, event_time: FeatureType, ttl: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(Mutex::new(START));
        let clock = now.clone();
        // Half past, so that whatever happens in a second is after its start and before its end.
        let clock = Arc::new(move || EventTime::from_unix_micros(*clock.lock().unwrap() * 1_000_000 + 500_000).unwrap());
        let options = OpenOptions { create: true, clock: Some(clock), ..OpenOptions::default() };
        let store = FeatureStore::open(folder.path().join("store"), options).await.unwrap();
        let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
        let features = vec![
            feature("id", identifier),
            feature("at", event_time),
            feature("value", FeatureType::Integral),
            feature("note", FeatureType::String),
        ];
        let mut group = NewGroup::new(GroupName::parse("G").unwrap(), Schema::new(features, "id", "at").unwrap());
        group.online = Some(OnlineSettings { ttl: ttl.map(|text| text.parse().unwrap()), ..OnlineSettings::default() });
        store.create_group(group).await.unwrap();
        Self { folder, store, now, records: Vec::new(), identifier, event_time, cluster: Beside::default() }
    }

    /// Puts, deletes, loads, drains and clock steps; few instants, so that most are ties.
    async fn go_on(&mut self, random: &mut StdRng, steps: usize, loads: bool) {
        for step in 0..steps {
            let (identifier, event) = (random.random_range(0..IDENTIFIERS - 1), START + random.random_range(0..12));
            let written = *self.now.lock().unwrap();
            match random.random_range(0..20) {
                0..12 => {
                    let value = (random.random_range(0..4) > 0).then(|| random.random_range(0..1_000_000));
                    let mut pairs = vec![("id", named(self.identifier, identifier)), ("at", time_text(self.event_time, event))];
                    pairs.extend(value.map(|value| ("value", value.to_string())));
                    let pairs = pairs.into_iter().map(|(name, text)| (name.to_owned(), RawValue::Text(text))).collect();
                    self.store.put("g", pairs, PutOptions::default()).await.unwrap();
                    self.records.push(Remembered { identifier, event, written, is_deleted: false, value });
                }
                12..15 => {
                    let (name, time) = (named(self.identifier, identifier), time_text(self.event_time, event));
                    self.store.delete("g", &name, &time, DeleteOptions::default()).await.unwrap();
                    self.records.push(Remembered { identifier, event, written, is_deleted: true, value: None });
                }
                15..17 if loads => {
                    let file = self.folder.path().join(format!("{step}-{}.csv", self.records.len()));
                    let mut lines = String::from("id,at,value,note\n");
                    for row in 0..random.random_range(1..12) {
                        let (identifier, event) = (random.random_range(0..IDENTIFIERS - 1), START + random.random_range(0..12));
                        lines.push_str(&format!("{},{},{row},\n", named(self.identifier, identifier), time_text(self.event_time, event)));
                        self.records.push(Remembered { identifier, event, written, is_deleted: false, value: Some(row) });
                    }
                    std::fs::write(&file, lines).unwrap();
                    let files = vec![file.to_string_lossy().into_owned()];
                    let options = IngestOptions { files, drop: Vec::new(), targets: None, on_error: OnError::Stop, rejects: None };
                    self.store.ingest("g", options, Arc::new(|_| {}), Arc::new(AtomicBool::new(false))).await.unwrap();
                }
                17 => drop(self.store.flush(&[]).await.unwrap()),
                _ => *self.now.lock().unwrap() += random.random_range(1..4),
            }
        }
    }

    /// The rows of a request, which a cluster must find as well.
    async fn joined(&self, request: &DatasetRequest, options: &PlanOptions) -> RecordBatch {
        let found = rows_of(self.store.plan_dataset(request, options).await.unwrap()).await;
        self.cluster.joined(&self.store, request, options, &found).await;
        found
    }

    /// The answer to a statement, which a cluster must give as well.
    async fn ask(&self, sql: &str) -> larder::model::Result<RecordBatch> {
        let here = async {
            let stream = self.store.query(sql, None).await?;
            let schema = stream.schema();
            stream.collect().await.map(|batches| concat_batches(&schema, &batches).unwrap())
        };
        let answer = here.await;
        self.cluster.statement(&self.store, sql, &answer).await;
        answer
    }

    /// The value that the definition gives a row, looked up record by record.
    fn expected(&self, row: SpineRow, as_of: Option<i64>, known_then: bool, ttl: Option<i64>) -> Option<i64> {
        let (identifier, time) = (row.0?, row.1?);
        let is_candidate = |record: &&Remembered| {
            record.identifier == identifier
                && record.event <= time
                && ttl.is_none_or(|ttl| record.event >= time - ttl)
                && as_of.is_none_or(|as_of| record.written < as_of)
                && (!known_then || record.written < time)
        };
        let winner = self.records.iter().filter(is_candidate).enumerate().max_by_key(|(order, record)| (record.event, *order))?.1;
        if winner.is_deleted { None } else { winner.value }
    }
}

fn write_parquet(path: &Path, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

/// A spine with gaps in both columns, and its file.
fn spine(story: &Story, random: &mut StdRng, rows: usize) -> (Vec<SpineRow>, String) {
    let row = |_| {
        let identifier = (random.random_range(0..12) > 0).then(|| random.random_range(0..IDENTIFIERS));
        let time = (random.random_range(0..12) > 0).then(|| START + random.random_range(-2..16));
        (identifier, time)
    };
    let rows: Vec<SpineRow> = (0..rows).map(row).collect();
    let names = rows.iter().map(|(identifier, _)| identifier.map(|identifier| named(story.identifier, identifier)));
    let identifiers: ArrayRef = match story.identifier {
        FeatureType::String => Arc::new(names.collect::<StringArray>()),
        FeatureType::Integral => Arc::new(names.map(|name| name.map(|name| name.parse::<i64>().unwrap())).collect::<Int64Array>()),
        FeatureType::Fractional => Arc::new(names.map(|name| name.map(|name| name.parse::<f64>().unwrap())).collect::<Float64Array>()),
    };
    let times: ArrayRef = Arc::new(rows.iter().map(|(_, time)| time.map(|time| time * 1_000)).collect::<TimestampMillisecondArray>());
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows.len() as i64));
    let batch =
        RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("who", identifiers, true), ("Time", times, true)]).unwrap();
    let path = story.folder.path().join("spine.parquet");
    write_parquet(&path, &batch);
    (rows, path.to_string_lossy().into_owned())
}

fn request(spine: SpineSource) -> DatasetRequest {
    let values = vec![SelectedFeature { name: "VALUE".into(), column: None }];
    let features = vec![FeatureSelection { group: "g".into(), spine_id: None, alias: None, features: Some(values) }];
    DatasetRequest { spine, spine_id: "who".into(), spine_time: "time".into(), features, ttls: Vec::new(), as_of: None }
}

async fn rows_of(plan: DatasetPlan) -> RecordBatch {
    let schema = plan.schema();
    let batches: Vec<RecordBatch> = plan.run().await.unwrap().into_batches().try_collect().await.unwrap();
    concat_batches(&schema, &batches).unwrap()
}

fn values(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch.column_by_name(column).unwrap().as_primitive::<Int64Type>().iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_row_sees_what_the_definition_says() {
    let kinds = [FeatureType::String, FeatureType::Integral, FeatureType::Fractional];
    for seed in 0..6u64 {
        let mut random = StdRng::seed_from_u64(seed);
        let identifier = kinds[seed as usize % 3];
        let event_time = if seed % 2 == 0 { FeatureType::String } else { FeatureType::Fractional };
        let own_ttl = (seed % 3 == 1).then_some("5s");
        let mut story = Story::begin(identifier, event_time, own_ttl).await;
        for round in 0..4 {
            story.go_on(&mut random, 40, true).await;
            *story.now.lock().unwrap() += 1;
            let (rows, file) = spine(&story, &mut random, 60);
            for turn in 0..4 {
                let mut request = request(SpineSource::File(file.clone()));
                let as_of = (turn == 1).then(|| START + random.random_range(0..20));
                let known_then = turn == 2;
                request.as_of = as_of.map(|as_of| EventTime::from_unix_micros(as_of * 1_000_000 - 1).unwrap());
                let ttl = match turn {
                    3 => Some(random.random_range(1..8)),
                    _ => own_ttl.map(|_| 5),
                };
                if turn == 3 {
                    let ttl = ttl.map(|ttl| format!("{ttl}s").parse::<Ttl>().unwrap());
                    request.ttls = vec![TtlOverride { group: (round % 2 == 0).then(|| "G".into()), ttl }];
                }
                let options = PlanOptions { known_then, parallelism: Some(1 + turn % 2), ..PlanOptions::default() };
                let found = story.joined(&request, &options).await;
                assert_eq!(values(&found, "n"), (0..60).map(Some).collect::<Vec<_>>(), "one row for each, in order");
                let expected: Vec<_> = rows.iter().map(|row| story.expected(*row, as_of, known_then, ttl)).collect();
                assert_eq!(
                    values(&found, "value"),
                    expected,
                    "seed {seed}, round {round}, turn {turn}, as of {as_of:?}, ttl {ttl:?}: {rows:?} of {:#?}",
                    story.records
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_with_window_functions_says_the_same() {
    for seed in 10..13 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut story = Story::begin(FeatureType::String, FeatureType::Fractional, None).await;
        // Rows of a load are told apart by their order alone, which SQL does not know.
        story.go_on(&mut random, 150, false).await;
        let (_, file) = spine(&story, &mut random, 80);
        let inferred = story.store.infer_schema(std::slice::from_ref(&file), "who", "Time", &[]).await.unwrap();
        let mut labels = NewGroup::new(GroupName::parse("labels").unwrap(), inferred.schema);
        (labels.online, labels.offline, labels.external) = (None, false, Some(file.clone()));
        story.store.create_group(labels).await.unwrap();
        let sql = "
            with seen as (
                select l.n, g.value, g.is_deleted,
                       row_number() over (partition by l.n order by g.at desc, g.api_invocation_time desc, g.write_time desc) as place
                from labels l join g on l.who = g.id and g.at <= extract(epoch from l.\"Time\"))
            select l.n, case when is_deleted then null else value end as value
            from labels l left join (select * from seen where place = 1) s on l.n = s.n order by l.n";
        let expected = story.ask(sql).await.unwrap();
        let found = story.joined(&request(SpineSource::File(file)), &PlanOptions::default()).await;
        assert_eq!(values(&found, "value"), values(&expected, "value"), "seed {seed}");
        assert!(found.column_by_name("value").unwrap().null_count() < 80);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_up_now_is_the_join_at_now() {
    for (seed, ttl) in [(20, None), (21, Some("12s")), (22, Some("6s"))] {
        let mut random = StdRng::seed_from_u64(seed);
        let mut story = Story::begin(FeatureType::String, FeatureType::String, ttl).await;
        for _ in 0..5 {
            story.go_on(&mut random, 30, true).await;
            *story.now.lock().unwrap() += 12;
            let now = story.store.now().to_iso8601();
            let ids: Vec<String> = (0..IDENTIFIERS).map(|identifier| named(FeatureType::String, identifier)).collect();
            let lines: String = ids.iter().map(|id| format!("{id},{now}\n")).collect();
            let file = story.folder.path().join("now.csv");
            std::fs::write(&file, format!("who,time\n{lines}")).unwrap();
            let request = request(SpineSource::File(file.to_string_lossy().into_owned()));
            let found = story.joined(&request, &PlanOptions::default()).await;
            let mut online = Vec::new();
            for id in &ids {
                let record = story.store.get("g", id, Some(&["value".into()])).await.unwrap();
                online.push(record.and_then(|record| record.values[0].2.as_ref().map(|value| value.to_json().as_i64().unwrap())));
            }
            assert_eq!(values(&found, "value"), online, "seed {seed}");
            *story.now.lock().unwrap() -= 12;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_uses_of_a_group_have_columns_of_their_own() {
    let mut random = StdRng::seed_from_u64(30);
    let mut story = Story::begin(FeatureType::Integral, FeatureType::String, None).await;
    story.go_on(&mut random, 150, true).await;
    let last = START + 15;
    let sql = format!(
        "select 3 as who, -1 as \"other\", 7 as value, timestamp '{}' as time union all select null, 2, 8, null",
        EventTime::from_unix_seconds(last).unwrap().to_iso8601().trim_end_matches('Z')
    );
    let mut request = request(SpineSource::Sql(format!("select * from ({sql}) order by value")));
    let selection = |spine_id: Option<&str>, alias: Option<&str>, name: &str, column: Option<&str>| FeatureSelection {
        group: "G".into(),
        spine_id: spine_id.map(str::to_owned),
        alias: alias.map(str::to_owned),
        features: Some(vec![SelectedFeature { name: name.into(), column: column.map(str::to_owned) }]),
    };
    request.features = vec![
        selection(None, None, "value", None),
        selection(Some("other"), Some("o"), "value", None),
        selection(Some("other"), None, "value", Some("renamed")),
    ];
    let plan = story.store.plan_dataset(&request, &PlanOptions::default()).await.unwrap();
    let names: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["who", "other", "value", "time", "G__value", "o__value", "renamed"]);
    let found = rows_of(plan).await;
    assert_eq!(story.joined(&request, &PlanOptions::default()).await, found);
    let of = |identifier: i64| story.expected((Some(identifier + 4), Some(last)), None, false, None);
    assert_eq!(values(&found, "G__value"), [of(3), None]);
    assert_eq!(values(&found, "o__value"), [of(-1), None]);
    assert_eq!(values(&found, "renamed"), [of(-1), None]);
    request.features.push(selection(Some("other"), Some("o"), "value", None));
    let error = story.store.plan_dataset(&request, &PlanOptions::default()).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("asked for twice"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_work_is_refused_before_anything_is_read() {
    let mut random = StdRng::seed_from_u64(40);
    let story = Story::begin(FeatureType::String, FeatureType::String, None).await;
    let (_, file) = spine(&story, &mut random, 5);
    let refused = async |change: &dyn Fn(&mut DatasetRequest)| {
        let mut request = request(SpineSource::File(file.clone()));
        change(&mut request);
        story.store.plan_dataset(&request, &PlanOptions::default()).await.err().expect("refused").to_string()
    };
    for (change, hint) in [
        (
            &(|request: &mut DatasetRequest| request.spine_id = "wo".into()) as &dyn Fn(&mut DatasetRequest),
            "did you mean --spine-id 'who'?",
        ),
        (&|request| request.spine_time = "tim".into(), "did you mean --spine-time 'Time'?"),
        (&|request| request.features[0].group = "h".into(), "no feature group 'h'"),
        (
            &|request| request.features[0].features = Some(vec![SelectedFeature { name: "valeu".into(), column: None }]),
            "did you mean 'value'?",
        ),
        (&|request| request.spine_id = "n".into(), "the group's identifiers ('id') are text"),
        (&|request| request.ttls = vec![TtlOverride { group: Some("x".into()), ttl: None }], "which no features are asked of"),
        (&|request| request.features.clear(), "no features were asked for"),
        (&|request| request.spine = SpineSource::File("/no/such.parquet".into()), "no/such.parquet"),
    ] {
        let error = refused(change).await;
        assert!(error.contains(hint), "{error}");
    }
    let little = PlanOptions { memory: Some(1 << 20), ..PlanOptions::default() };
    let error = story.store.plan_dataset(&request(SpineSource::File(file)), &little).await.err().unwrap();
    assert!(error.to_string().contains("give it 64 MiB or more"), "{error}");
    let csv = story.folder.path().join("bad.csv");
    std::fs::write(&csv, "who,time\nC1,2026-01-01\nC2,soon\n").unwrap();
    let plan = story.store.plan_dataset(&request(SpineSource::File(csv.to_string_lossy().into())), &PlanOptions::default()).await.unwrap();
    let error = plan.run().await.err().unwrap().to_string();
    assert!(error.contains("row 1 of the spine: 'soon' is not a time"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compaction_in_the_middle_of_a_build_changes_nothing() {
    for (seed, identifier) in [(70, FeatureType::String), (71, FeatureType::Fractional)] {
        let mut random = StdRng::seed_from_u64(seed);
        let mut story = Story::begin(identifier, FeatureType::String, None).await;
        for _ in 0..8 {
            story.go_on(&mut random, 25, true).await;
            story.store.flush(&[]).await.unwrap();
        }
        let (rows, file) = spine(&story, &mut random, 300);
        let request = request(SpineSource::File(file));
        let plan = async || story.store.plan_dataset(&request, &PlanOptions::default()).await.unwrap();
        let (before, amid) = (rows_of(plan().await).await, plan().await);
        let version = amid.inputs()[0].version;
        let compacted = story.store.compact(&["g".into()], Arc::new(|_| {}), Arc::new(AtomicBool::new(false))).await.unwrap();
        let report = compacted[0].1.as_ref().unwrap();
        assert!(report.files.1 < report.files.0, "{report:?}");
        // Planned on the files as they were, run after they were replaced.
        assert_eq!(rows_of(amid).await, before, "seed {seed}");
        assert!(plan().await.inputs()[0].version > version);
        assert_eq!(story.joined(&request, &PlanOptions::default()).await, before, "seed {seed}");
        let expected: Vec<_> = rows.iter().map(|row| story.expected(*row, None, false, None)).collect();
        assert_eq!(values(&before, "value"), expected, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_asks_for_the_join_as_a_table() {
    let mut random = StdRng::seed_from_u64(60);
    let mut story = Story::begin(FeatureType::String, FeatureType::String, None).await;
    story.go_on(&mut random, 200, true).await;
    let (rows, file) = spine(&story, &mut random, 300);
    let inferred = story.store.infer_schema(std::slice::from_ref(&file), "who", "Time", &[]).await.unwrap();
    let mut labels = NewGroup::new(GroupName::parse("Labels").unwrap(), inferred.schema);
    (labels.online, labels.offline, labels.external) = (None, false, Some(file));
    story.store.create_group(labels).await.unwrap();
    let ask = async |sql: &str| story.ask(sql).await;
    let expected = |ttl| rows.iter().map(|row| story.expected(*row, None, false, ttl)).collect::<Vec<_>>();
    let found = ask("select N, \"value\" from asof('labels', 'WHO', 'time', 'g:value')").await.unwrap();
    assert_eq!(values(&found, "n"), (0..300).map(Some).collect::<Vec<_>>(), "in the order of the spine");
    assert_eq!(values(&found, "value"), expected(None));
    let found = ask("select x.n, x.old, y.value from asof('labels', 'who', 'time', 'G:value as old', 'ttl=2s') x
                     join asof('select * from labels where n < 50', 'who', 'time', 'g') y on x.n = y.n where x.n < 40 order by x.n")
    .await
    .unwrap();
    assert_eq!(values(&found, "old"), expected(Some(2))[..40]);
    assert_eq!(values(&found, "value"), expected(None)[..40]);
    let found = ask("select count(*) as all_rows, count(value) as found from asof('labels', 'who', 'time', 'g')").await.unwrap();
    assert_eq!(
        (values(&found, "all_rows"), values(&found, "found")),
        (vec![Some(300)], vec![Some(expected(None).iter().flatten().count() as i64)])
    );
    for (sql, hint) in [
        ("select * from asof('labels', 'who')", "asof('SPINE', 'identifier column'"),
        ("select * from asof('labels', 'who', 'time')", "no features are asked for"),
        ("select * from asof('labels', 'who', n, 'g')", "is no text in single quotes"),
        ("select * from asof('labels', 'whom', 'time', 'g')", "did you mean 'who'?"),
        ("select * from asof('labels', 'who', 'time', 'gg')", "no group 'gg'"),
        ("select * from asof('labels', 'who', 'time', 'g:valu')", "did you mean 'value'?"),
        ("select * from asof('select * from lables', 'who', 'time', 'g')", "the spine of asof"),
        ("select * from asof('select * from asof(''labels'', ''who'', ''time'', ''g'')', 'who', 'time', 'g')", "in one call"),
    ] {
        let error = ask(sql).await.err().unwrap_or_else(|| panic!("{sql}")).to_string();
        assert!(error.contains(hint), "{sql}: {error}");
    }
}

/// A large join with little memory spills, and says the same to the byte.
#[test]
fn spilled_parallel_and_serial_runs_give_the_same_bytes() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (rows, records, identifiers) = (400_000i64, 60_000i64, 5_000i64);
    let mut random = StdRng::seed_from_u64(50);
    let mut features = Vec::new();
    for file in 0..3 {
        let ids: ArrayRef = Arc::new(
            (0..records / 3).map(|_| Some(format!("customer number {}", random.random_range(0..identifiers)))).collect::<StringArray>(),
        );
        let times: ArrayRef =
            Arc::new(TimestampMillisecondArray::from_iter_values((0..records / 3).map(|_| random.random_range(0..50_000))));
        let text: ArrayRef = Arc::new((0..records / 3).map(|row| (row % 7 > 0).then(|| format!("{file} {row}"))).collect::<StringArray>());
        let number: ArrayRef = Arc::new(Float64Array::from_iter((0..records / 3).map(|row| (row % 5 > 0).then(|| row as f64 / 3.0))));
        let batch = RecordBatch::try_from_iter([("id", ids), ("at", times), ("text", text), ("number", number)]).unwrap();
        write_parquet(&folder.path().join(format!("{file}.parquet")), &batch);
        features.push(batch);
    }
    let ids: ArrayRef = Arc::new(
        (0..rows)
            .map(|row| (row % 100 > 0).then(|| format!("customer number {}", random.random_range(0..identifiers))))
            .collect::<StringArray>(),
    );
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from_iter_values((0..rows).map(|_| random.random_range(0..60_000))));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    let labels = RecordBatch::try_from_iter([("id", ids), ("time", times), ("n", numbers)]).unwrap();

    let store = runtime.block_on(async {
        let options = OpenOptions { create: true, ..OpenOptions::default() };
        let store = FeatureStore::open(folder.path().join("store"), options).await.unwrap();
        let from = folder.path().join("*.parquet").to_string_lossy().into_owned();
        let schema = store.infer_schema(std::slice::from_ref(&from), "id", "at", &[]).await.unwrap().schema;
        let mut group = NewGroup::new(GroupName::parse("f").unwrap(), schema);
        (group.online, group.offline, group.external) = (None, false, Some(from));
        store.create_group(group).await.unwrap();
        store
    });
    let scan = runtime.block_on(async {
        let offline =
            larder::backend::offline::OfflineStore::open(larder::backend::offline::OfflineOptions::new(folder.path().join("s3"))).unwrap();
        let group = store.group("f").await.unwrap();
        let table = offline.external(&group).await.unwrap();
        let files = table.files().iter().map(|file| ScanFile::new(file.object.clone(), Some(file.statistics.clone()))).collect();
        let unflushed = RecordBatch::new_empty(table.schema().clone());
        GroupScan { group: group.as_ref().clone(), schema: table.schema().clone(), store: table.object_store().unwrap(), files, unflushed }
    });
    let run = |memory: usize, parallelism: usize| -> (Vec<u8>, Vec<u64>, u64) {
        let feature = |name: &str| JoinFeature { feature: name.into(), column: name.into() };
        let group =
            JoinGroup { scan: scan.clone(), spine_id: 0, features: vec![feature("text"), feature("number")], ttl: None, as_of: None };
        let spill = folder.path().join("spill");
        let options = JoinOptions { known_then: false, memory, parallelism, spill_folder: Some(spill.clone()) };
        let join = PointInTimeJoin::new(labels.schema(), 1, vec![group], options).unwrap();
        let batches = (0..rows).step_by(30_000).map(|from| Ok(labels.slice(from as usize, 30_000.min(rows - from) as usize)));
        let found = join.run(batches, runtime.handle(), &JoinWatch::default()).unwrap();
        let spilled = std::fs::read_dir(&spill).map_or(0, |entries| entries.count() as u64);
        let matched = found.matched().to_vec();
        let bytes = write_pieces(found, parallelism, Vec::new(), &mut |_| Ok(())).unwrap();
        assert_eq!(std::fs::read_dir(&spill).map_or(0, |entries| entries.count()), 0, "nothing of the spilling stays");
        (bytes, matched, spilled)
    };
    let (serial, matched, none) = run(1 << 30, 1);
    assert_eq!(none, 0);
    assert!(matched[0] > 200_000 && matched[0] < 400_000);
    let (parallel, _, none) = run(1 << 30, 2);
    assert_eq!(none, 0);
    assert!(serial == parallel, "threads change nothing");
    let (spilled, also_matched, some) = run(MIN_MEMORY, 2);
    assert!(some > 0, "so little memory makes it spill");
    assert_eq!(also_matched, matched);
    assert!(serial == spilled, "memory changes nothing");
}
