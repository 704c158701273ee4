//! A training dataset's question in the SQL of other engines: DuckDB and Spark run the printed text over the store's own
//! files and must find what we find, cell by cell; Trino's text is read by a strict parser and run by our own engine, which
//! speaks Trino.
//!
//! DuckDB comes with the readers of [`crate::formats`]; Spark is PySpark in `target/python-spark` and needs Java.
//! `LARDER_SKIP_PYTHON=1` and `LARDER_SKIP_SPARK=1` leave them out, and say so.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::util::display::array_value_to_string;
use futures::StreamExt;
use larder::model::{EventTime, FeatureDefinition, FeatureName, FeatureType, GroupName, OnlineSettings, RawValue, Schema};
use larder::store::datasets::{BuildOptions, BuildOutput, DatasetRequest, FeatureSelection, JoinWatch, SpineSource, SqlDialect};
use larder::store::{DeleteOptions, FeatureStore, IngestOptions, NewGroup, OnError, OpenOptions, OutputFormat, PutOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::cli::Larder;
use crate::formats::environment;

const START: i64 = 1_700_000_000;
const SPARK: [&str; 3] = ["pyspark>=4.0,<5", "pyarrow>=17", "deltalake>=1.0,<2"];

/// Runs statements and compares rows, in order, with Parquet files; the session lies in a zone with summer time.
const COMPARE: &str = r#"
import datetime, json, math, sys
import pyarrow.parquet

def plain(value):
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.timezone.utc)
    return value

def compare(run):
    compared, nulls = 0, 0
    for question in json.load(sys.stdin):
        found = run(question["sql"])
        expected = pyarrow.parquet.read_table(question["expected"])
        assert found.column_names == expected.column_names, (question["name"], found.column_names, expected.column_names)
        found, expected = found.to_pylist(), expected.to_pylist()
        assert len(found) == len(expected), (question["name"], len(found), len(expected))
        for number, (ours, theirs) in enumerate(zip(expected, found)):
            for name in ours:
                compared += 1
                nulls += ours[name] is None
                if plain(ours[name]) != plain(theirs[name]):
                    raise SystemExit(f"{question['name']}, row {number}, {name}: {theirs[name]!r} instead of {ours[name]!r}\n{question['sql']}")
    print(json.dumps({"compared": compared, "nulls": nulls}))
"#;

const DUCKDB: &str = r#"
import duckdb
connection = duckdb.connect()
connection.execute("SET TimeZone = 'America/New_York'")
compare(lambda sql: connection.sql(sql).to_arrow_table())
"#;

const SPARK_RUN: &str = r#"
import os
# A dozen questions about a few rows: compiling them to machine code, twice, would take minutes.
os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1"
from pyspark.sql import SparkSession
settings = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN", "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1", "spark.sql.session.timeZone": "America/New_York"}
builder = SparkSession.builder.master("local[2]").appName("larder")
for name, value in settings.items():
    builder = builder.config(name, value)
session = builder.getOrCreate()
session.sparkContext.setLogLevel("ERROR")
compare(lambda sql: session.sql(sql).toArrow())
"#;

const PARSE: &str = r#"
import json, sys
import sqlglot
for question in json.load(sys.stdin):
    statements = sqlglot.parse(question["sql"], read=question["dialect"], error_level=sqlglot.ErrorLevel.RAISE)
    assert len(statements) == 1 and isinstance(statements[0], sqlglot.exp.Select), question
    assert sqlglot.transpile(question["sql"], read=question["dialect"], write=question["dialect"], unsupported_level=sqlglot.ErrorLevel.RAISE)
print("read")
"#;

/// Groups full of ties, late writes, nulls, deletes and several shapes of files, and spines of every kind of time.
struct Bench {
    folder: tempfile::TempDir,
    store: FeatureStore,
    clock: Arc<AtomicI64>,
}

fn feature(name: &str, kind: FeatureType) -> FeatureDefinition {
    FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind)
}

fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Identifiers as a column of their kind; a third of the numbers have gaps as data frames make them.
fn identifiers(kind: FeatureType, numbers: &[Option<i64>]) -> ArrayRef {
    match kind {
        FeatureType::String => {
            Arc::new(numbers.iter().map(|number| number.map(|number| format!("it's {number}"))).collect::<StringArray>())
        }
        FeatureType::Integral => Arc::new(numbers.iter().map(|number| number.map(|number| number as f64)).collect::<Float64Array>()),
        FeatureType::Fractional => Arc::new(
            numbers.iter().map(|number| number.map(|number| if number == 0 { -0.0 } else { number as f64 })).collect::<Float64Array>(),
        ),
    }
}

fn text_of(kind: FeatureType, number: i64) -> String {
    if kind == FeatureType::String { format!("it's {number}") } else { number.to_string() }
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(START * 1_000_000));
        let turned = clock.clone();
        let now: larder::store::Clock = Arc::new(move || EventTime::from_unix_micros(turned.load(Ordering::Relaxed)).unwrap());
        let options = OpenOptions { create: true, clock: Some(now), ..OpenOptions::default() };
        let store = FeatureStore::open(folder.path().join("store"), options).await.unwrap();
        Self { folder, store, clock }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn group(&self, name: &str, identifier: FeatureType, event_time: FeatureType, ttl: Option<&str>) {
        let features = vec![
            feature("id", identifier),
            feature("at", event_time),
            feature("plan", FeatureType::String),
            feature("score", FeatureType::Fractional),
        ];
        let group = NewGroup {
            online: Some(OnlineSettings { ttl: ttl.map(|ttl| ttl.parse().unwrap()), ..OnlineSettings::default() }),
            ..NewGroup::new(GroupName::parse(name).unwrap(), Schema::new(features, "id", "at").unwrap())
        };
        self.store.create_group(group).await.unwrap();
    }

    /// Puts, deletes and drains; features come up halfway, so that the first files lack one.
    async fn history(&self, name: &str, identifier: FeatureType, event_time: FeatureType, random: &mut StdRng) {
        for step in 0..120 {
            self.clock.store((START + step / 4) * 1_000_000 + step % 3, Ordering::Relaxed);
            if step == 60 {
                self.store.flush(&[]).await.unwrap();
                self.store.add_features(name, vec![feature("visits", FeatureType::Integral)]).await.unwrap();
            }
            let second = START + random.random_range(0..20);
            let when = match event_time {
                FeatureType::String => format!("{}.{:06}9Z", &at(second).to_iso8601()[..19], random.random_range(0..3)),
                _ => second.to_string(),
            };
            let who = text_of(identifier, random.random_range(0..5));
            if random.random_bool(0.15) {
                self.store.delete(name, &who, &when, DeleteOptions::default()).await.unwrap();
                continue;
            }
            let (plan, score, visits) = (format!("p{step}"), format!("{step}.25"), step.to_string());
            let mut values = vec![("id", who.as_str()), ("at", &when)];
            values.extend(
                [("plan", &plan), ("score", &score)]
                    .into_iter()
                    .filter(|_| random.random_bool(0.8))
                    .map(|(name, text)| (name, text.as_str())),
            );
            if step >= 60 {
                values.push(("visits", &visits));
            }
            let pairs = values.into_iter().map(|(name, text)| (name.to_owned(), RawValue::Text(text.to_owned()))).collect();
            self.store.put(name, pairs, PutOptions::default()).await.unwrap();
            if random.random_bool(0.1) {
                self.store.flush(&[]).await.unwrap();
            }
        }
    }

    /// Two loads with the same identifiers and times over and over: only the place in a file tells which row is newer.
    async fn loads(&self, name: &str, identifier: FeatureType, random: &mut StdRng) {
        for load in 0..2 {
            let mut lines = String::from("id,at,plan,score\n");
            for row in 0..60 {
                let (who, when) = (text_of(identifier, random.random_range(0..5)), at(START + random.random_range(0..4)).to_iso8601());
                lines.push_str(&format!("{who},{when},load{load} row{row},{row}.5\n"));
            }
            let path = self.path(&format!("{name}-{load}.csv"));
            std::fs::write(&path, lines).unwrap();
            let files = vec![path.to_str().unwrap().to_owned()];
            let options = IngestOptions { files, drop: Vec::new(), targets: None, on_error: OnError::Stop, rejects: None };
            self.store.ingest(name, options, Arc::new(|_| ()), Arc::default()).await.unwrap();
        }
    }

    /// Somebody else's files, one of which lacks a column; event times as this column. Of two rows with one time only their places
    /// tell which is newer, so there are none where an engine doesn't tell places.
    async fn external(
        &self,
        name: &str,
        (identifier, has_ties): (FeatureType, bool),
        random: &mut StdRng,
        times: impl Fn(Vec<Option<i64>>) -> ArrayRef,
    ) {
        let folder = self.path(name);
        std::fs::create_dir(&folder).unwrap();
        let mut pairs: Vec<(i64, i64)> = (0..6).flat_map(|number| (0..20).map(move |second| (number, second))).collect();
        pairs.shuffle(random);
        if has_ties {
            pairs = pairs.iter().map(|_| (random.random_range(0..6), random.random_range(0..20))).collect();
        }
        for (file, pairs) in pairs.chunks(40).enumerate() {
            let numbers: Vec<Option<i64>> = pairs.iter().map(|pair| random.random_bool(0.95).then_some(pair.0)).collect();
            let seconds = pairs.iter().map(|pair| random.random_bool(0.95).then_some(START + pair.1)).collect();
            let plans: StringArray = (0..40).map(|row| random.random_bool(0.8).then(|| format!("f{file}r{row}"))).collect();
            let mut columns =
                vec![("id", identifiers(identifier, &numbers)), ("at", times(seconds)), ("plan", Arc::new(plans) as ArrayRef)];
            if file != 1 {
                columns.push(("n", Arc::new((0..40).map(|row| (row % 3 != 0).then_some(row)).collect::<Int64Array>())));
            }
            write_parquet(&folder.join(format!("{file}.parquet")), columns);
        }
        let features = vec![
            feature("id", identifier),
            feature("at", FeatureType::String),
            feature("plan", FeatureType::String),
            feature("n", FeatureType::Integral),
        ];
        self.in_place(name, &folder, features, "id", "at").await;
    }

    async fn in_place(&self, name: &str, place: &Path, features: Vec<FeatureDefinition>, id: &str, time: &str) {
        let schema = Schema::new(features, id, time).unwrap();
        let external = Some(place.to_str().unwrap().to_owned());
        let group = NewGroup { online: None, offline: false, external, ..NewGroup::new(GroupName::parse(name).unwrap(), schema) };
        self.store.create_group(group).await.unwrap();
    }

    /// A spine of 40 rows with its times as this column.
    fn spine(&self, name: &str, identifier: FeatureType, random: &mut StdRng, times: impl Fn(Vec<Option<i64>>) -> ArrayRef) -> PathBuf {
        let numbers: Vec<Option<i64>> = (0..40).map(|_| random.random_bool(0.93).then(|| random.random_range(0..7))).collect();
        let seconds = (0..40).map(|_| random.random_bool(0.95).then(|| START + random.random_range(-2..23))).collect();
        let path = self.path(&format!("{name}.parquet"));
        let number: Int64Array = (0..40).map(Some).collect();
        write_parquet(&path, vec![("user", identifiers(identifier, &numbers)), ("when", times(seconds)), ("nr", Arc::new(number))]);
        path
    }

    /// Builds the dataset here, and prints the question.
    async fn asked(&self, name: &str, request: &DatasetRequest, dialect: SqlDialect) -> Value {
        let output = self.path(&format!("{name}-out.parquet"));
        let format = OutputFormat::Parquet;
        let options = BuildOptions {
            name: None,
            description: None,
            output: BuildOutput::File(output.clone()),
            format,
            memory: None,
            watch: JoinWatch::default(),
            cluster: None,
        };
        self.store.build_dataset(request, &options).await.unwrap();
        let sql = self.store.dataset_sql(request, dialect).await.unwrap();
        json!({"name": name, "dialect": dialect.to_string(), "sql": sql, "expected": output.to_str().unwrap()})
    }
}

fn at(seconds: i64) -> EventTime {
    EventTime::from_unix_seconds(seconds).unwrap()
}

fn micros(seconds: Vec<Option<i64>>) -> TimestampMicrosecondArray {
    seconds.into_iter().enumerate().map(|(row, second)| second.map(|second| second * 1_000_000 + row as i64 % 3)).collect()
}

fn request(spine: &Path, features: &[&str], ttls: &[&str], as_of: Option<i64>) -> DatasetRequest {
    DatasetRequest {
        spine: SpineSource::File(spine.to_str().unwrap().to_owned()),
        spine_id: "user".into(),
        spine_time: "when".into(),
        features: features.iter().map(|text| FeatureSelection::parse(text).unwrap()).collect(),
        ttls: ttls.iter().map(|text| text.parse().unwrap()).collect(),
        as_of: as_of.map(|second| at(START + second)),
    }
}

/// Runs a script over questions; its last line.
fn run(python: &Path, script: &str, questions: &Value) -> String {
    let mut child =
        Command::new(python).args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(questions.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

/// The questions of all kinds, each with our own answer.
async fn questions(bench: &Bench, dialect: SqlDialect) -> Value {
    let mut random = StdRng::seed_from_u64(8);
    let mut asked = Vec::new();
    let has_ties = dialect != SqlDialect::Trino;
    let kinds = [FeatureType::String, FeatureType::Integral, FeatureType::Fractional];
    for (number, identifier) in kinds.into_iter().enumerate() {
        let event_time = if number == 1 { FeatureType::Fractional } else { FeatureType::String };
        let name = |what: &str| format!("{what}-{number}");
        bench.group(&name("own"), identifier, event_time, (number == 1).then_some("6s")).await;
        bench.history(&name("own"), identifier, event_time, &mut random).await;
        bench.group(&name("loaded"), identifier, FeatureType::String, None).await;
        bench.loads(&name("loaded"), identifier, &mut random).await;
        bench.group(&name("unused"), identifier, event_time, None).await;
        bench
            .external(&name("theirs"), (identifier, has_ties), &mut random, |seconds| Arc::new(micros(seconds).with_timezone("UTC")))
            .await;
        let spine = bench.spine(&name("spine"), identifier, &mut random, |seconds| match number {
            0 => Arc::new(micros(seconds).with_timezone("UTC")),
            1 => Arc::new(micros(seconds)),
            _ => Arc::new(seconds.into_iter().map(|second| second.map(|second| second as f64 + 0.000_001)).collect::<Float64Array>()),
        });
        let own =
            [format!("own-{number}"), format!("own-{number} as again:score as s,ID"), format!("unused-{number} as nobody:plan as none")];
        let theirs = format!("theirs-{number} as other:plan as their_plan,n");
        let mut features: Vec<&str> = own.iter().map(String::as_str).chain([theirs.as_str()]).collect();
        let loaded = format!("loaded-{number}");
        // What Trino can't tell is not asked of it.
        if has_ties {
            features.push(&loaded);
        }
        let limited = [format!("own-{number}=none"), format!("theirs-{number}=1s")];
        let limited: Vec<&str> = limited.iter().map(String::as_str).collect();
        for (case, ttls, as_of) in [("plain", &[][..], None), ("ttl", &["4s"][..], Some(18)), ("ttls", &limited, Some(9))] {
            asked.push(bench.asked(&format!("{case}-{number}"), &request(&spine, &features, ttls, as_of), dialect).await);
        }
    }
    // Times of other types, in the spine and in somebody else's files.
    let id = FeatureType::String;
    let texts = |seconds: Vec<Option<i64>>| -> ArrayRef {
        let text = |(row, second): (usize, Option<i64>)| {
            second.map(|second| {
                if row % 2 == 0 { at(second).to_iso8601() } else { format!("{}.00000{}9Z", &at(second).to_iso8601()[..19], row % 3) }
            })
        };
        Arc::new(seconds.into_iter().enumerate().map(text).collect::<StringArray>())
    };
    let numbers = |seconds: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(
            seconds
                .into_iter()
                .enumerate()
                .map(|(row, second)| second.map(|second| if row % 2 == 0 { second } else { second * 1_000 }))
                .collect::<Int64Array>(),
        )
    };
    let days = |seconds: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(seconds.into_iter().map(|second| second.map(|second| (second / 86_400 + second % 3) as i32)).collect::<Date32Array>())
    };
    bench.external("texts", (id, has_ties), &mut random, texts).await;
    bench.external("numbers", (id, has_ties), &mut random, numbers).await;
    for (name, spine) in [
        ("of-texts", bench.spine("of_texts", id, &mut random, texts)),
        ("of-numbers", bench.spine("of_numbers", id, &mut random, numbers)),
        ("of-days", bench.spine("of_days", id, &mut random, days)),
    ] {
        asked.push(
            bench.asked(name, &request(&spine, &["own-0", "texts:n as t", "numbers as x:plan as numbered"], &[], None), dialect).await,
        );
    }
    Value::Array(asked)
}

fn checked(answer: &str) {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let (compared, nulls) = (answer["compared"].as_u64().unwrap(), answer["nulls"].as_u64().unwrap());
    assert!(compared > 3_000 && nulls > compared / 10 && nulls < compared / 10 * 9, "the data is too tame: {answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn duckdb_finds_what_we_find() {
    if std::env::var("LARDER_SKIP_PYTHON").is_ok_and(|value| value == "1") {
        eprintln!("LEFT OUT: LARDER_SKIP_PYTHON=1, so DuckDB has not run what is printed for it");
        return;
    }
    let bench = Bench::new().await;
    let questions = questions(&bench, SqlDialect::DuckDb).await;
    let answer =
        tokio::task::spawn_blocking(move || run(&crate::formats::python(), &format!("{COMPARE}\n{DUCKDB}"), &questions)).await.unwrap();
    checked(&answer);
}

pub fn spark() -> PathBuf {
    let has_java = Command::new("java").arg("-version").output().is_ok_and(|output| output.status.success());
    assert!(has_java, "this test runs Spark, which needs Java: install a runtime of 17 or later, or set LARDER_SKIP_SPARK=1");
    environment("python-spark", &SPARK, "import pyspark, pyarrow, deltalake")
}

#[tokio::test(flavor = "multi_thread")]
async fn spark_finds_what_we_find() {
    if ["LARDER_SKIP_PYTHON", "LARDER_SKIP_SPARK"].iter().any(|name| std::env::var(name).is_ok_and(|value| value == "1")) {
        eprintln!("LEFT OUT: LARDER_SKIP_SPARK=1, so Spark has not run what is printed for it");
        return;
    }
    let bench = Bench::new().await;
    let questions = questions(&bench, SqlDialect::Spark).await;
    let answer = tokio::task::spawn_blocking(move || run(&spark(), &format!("{COMPARE}\n{SPARK_RUN}"), &questions)).await.unwrap();
    checked(&answer);
}

fn cells(batches: &[RecordBatch]) -> Vec<Vec<Option<String>>> {
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cell = |column: &ArrayRef| column.is_valid(row).then(|| array_value_to_string(column, row).unwrap());
            rows.push(batch.columns().iter().map(cell).collect());
        }
    }
    // The third column numbers the rows of the spine.
    rows.sort_by_key(|row| row[2].as_ref().unwrap().parse::<i64>().unwrap());
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn trinos_text_means_the_same_to_our_own_engine() {
    let bench = Bench::new().await;
    let questions = questions(&bench, SqlDialect::Trino).await;
    // The tables that hold the spines.
    for (number, kind) in [FeatureType::String, FeatureType::Integral, FeatureType::Fractional].into_iter().enumerate() {
        let features = vec![feature("user", kind), feature("when", FeatureType::String), feature("nr", FeatureType::Integral)];
        bench.in_place(&format!("spine_{number}"), &bench.path(&format!("spine-{number}.parquet")), features, "user", "when").await;
    }
    for name in ["of_texts", "of_numbers", "of_days"] {
        let features =
            vec![feature("user", FeatureType::String), feature("when", FeatureType::String), feature("nr", FeatureType::Integral)];
        bench.in_place(name, &bench.path(&format!("{name}.parquet")), features, "user", "when").await;
    }
    let mut compared = 0;
    for question in questions.as_array().unwrap() {
        let sql = question["sql"].as_str().unwrap();
        let mut stream = bench.store.query(sql, None).await.unwrap_or_else(|error| panic!("{}: {error}\n{sql}", question["name"]));
        let mut found = Vec::new();
        while let Some(batch) = stream.next().await {
            found.push(batch.unwrap_or_else(|error| panic!("{}: {error}\n{sql}", question["name"])));
        }
        let file = std::fs::File::open(question["expected"].as_str().unwrap()).unwrap();
        let expected: Vec<RecordBatch> =
            ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect();
        let names = |batch: &RecordBatch| batch.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        assert_eq!(names(&found[0]), names(&expected[0]));
        assert_eq!(cells(&found), cells(&expected), "{}\n{sql}", question["name"]);
        compared += found.iter().map(RecordBatch::num_rows).sum::<usize>();
    }
    assert_eq!(compared, 12 * 40);
    if std::env::var("LARDER_SKIP_PYTHON").is_ok_and(|value| value == "1") {
        eprintln!("LEFT OUT: LARDER_SKIP_PYTHON=1, so no strict parser has read the text");
        return;
    }
    let read = tokio::task::spawn_blocking(move || run(&parser(), PARSE, &questions)).await.unwrap();
    assert_eq!(read, "read");
}

fn parser() -> PathBuf {
    environment("python-parser", &["sqlglot>=25"], "import sqlglot")
}

#[test]
fn what_can_not_be_said_elsewhere_is_refused() {
    let larder = Larder::with_readings();
    larder.run("ingest readings readings.csv").ok();
    larder.file("labels.csv", "sensor,when\ns1,2026-01-01T12:00:00Z\n");
    let words = ["dataset", "build", "--spine-id", "sensor", "--spine-time", "when", "--features", "readings"];
    let asked = |more: &[&str]| larder.run_words(&[&words[..], more].concat());
    asked(&["--spine", "labels.csv", "--print-sql", "duckdb"]).ended(2).says(&["no Parquet"]);
    asked(&["--spine", "-", "--print-sql", "spark"]).ended(2).says(&["standard input"]);
    asked(&["--spine-sql", "select sensor, at as \"when\" from readings", "--print-sql", "duckdb"]).ended(2).says(&["larder query"]);
    asked(&["--spine", "labels.csv"]).ended(2).says(&["--output"]);
    asked(&["--spine", "labels.csv", "--print-sql", "oracle"]).ended(2).says(&["duckdb"]);

    larder.run_words(&["query", "select sensor, from_iso8601_timestamp(at) as \"when\" from readings", "-o", "labels.parquet"]).ok();
    let printed = asked(&["--spine", "labels.parquet", "--print-sql", "duckdb"]).ok();
    assert!(printed.out.starts_with("-- What") && printed.out.contains("read_parquet('/"), "{printed:?}");
    let told = asked(&["--spine", "labels.parquet", "--print-sql", "trino", "--json"]).ok().json();
    assert_eq!(told["dialect"], "trino");
    assert!(told["sql"].as_str().unwrap().contains("FROM \"sagemaker_featurestore\".\"readings_"), "{told}");
    asked(&["--spine", "labels.parquet", "--print-sql", "spark", "-o", "ask.sql"]).ok();
    assert!(std::fs::read_to_string(larder.path("ask.sql")).unwrap().contains("FROM parquet.`file:///"));
    assert_eq!(larder.run("dataset list --json").ok().json(), json!([]), "nothing was built");
}
