//! The figures that README promises, each by one command: `cargo bench --bench figures [-- NAME…]`.
//!
//! Names: `online_read`, `durable_put`, `bulk_load`, `process`, `browser`. Everything runs on stores in a temporary
//! folder; processes are the real binary. Timings are printed, never asserted: a slow machine is no defect.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use hdrhistogram::Histogram;
use larder::backend::online::{LmdbOptions, LmdbStore, LoadedRow, OnlineStore, RowWriter};
use larder::model::{Arrival, EventTime, FeatureDefinition, FeatureName, FeatureType, GroupName, RawValue, Schema};
use larder::store::{FeatureStore, NewGroup, OpenOptions, PutOptions};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

const LARDER: &str = env!("CARGO_BIN_EXE_larder");
const RECORDS: u32 = 1_000_000;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let figures: [(&str, fn()); 5] =
        [("online_read", online_read), ("durable_put", durable_put), ("bulk_load", bulk_load), ("process", process), ("browser", browser)];
    for (name, figure) in figures {
        if wanted.is_empty() || wanted.iter().any(|asked| asked == name) {
            println!("\n{name}");
            figure();
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn schema() -> Schema {
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    let mut features = vec![feature("customer_id", FeatureType::String), feature("event_time", FeatureType::Fractional)];
    features.extend((0..8).map(|number| feature(&format!("f{number}"), FeatureType::Fractional)));
    Schema::new(features, "customer_id", "event_time").unwrap()
}

fn print(what: &str, histogram: &Histogram<u64>) {
    let micros = |nanos: u64| nanos as f64 / 1_000.0;
    println!(
        "  {what}: p50 {:.1} µs · p99 {:.1} µs · p99.9 {:.1} µs · mean {:.1} µs over {}",
        micros(histogram.value_at_quantile(0.5)),
        micros(histogram.value_at_quantile(0.99)),
        micros(histogram.value_at_quantile(0.999)),
        histogram.mean() / 1_000.0,
        histogram.len()
    );
}

/// Look-ups of random identifiers among a million records of ten features, in process.
fn online_read() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let store = runtime.block_on(async {
        let store = FeatureStore::open(folder.path(), OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap();
        store.create_group(NewGroup::new(GroupName::parse("bench").unwrap(), schema())).await.unwrap();
        store
    });
    let group = runtime.block_on(store.group("bench")).unwrap();
    let online = LmdbStore::open(&folder.path().join("online"), LmdbOptions::default()).unwrap();
    let mut random = StdRng::seed_from_u64(7);
    for chunk in 0..RECORDS / 50_000 {
        let rows: Vec<LoadedRow> = (chunk * 50_000..(chunk + 1) * 50_000).map(|number| loaded_row(number, &mut random)).collect();
        online.load(group.id, &rows).unwrap();
    }
    let mut by_definition = Histogram::<u64>::new(3).unwrap();
    let mut by_name = Histogram::<u64>::new(3).unwrap();
    for _ in 0..500_000 {
        let identifier = format!("C{:06}", random.random_range(0..RECORDS));
        let started = Instant::now();
        let found = store.look_up(&group, &identifier, None).unwrap();
        by_definition.record(started.elapsed().as_nanos() as u64).unwrap();
        assert!(found.is_some());
    }
    runtime.block_on(async {
        for _ in 0..200_000 {
            let identifier = format!("C{:06}", random.random_range(0..RECORDS));
            let started = Instant::now();
            let found = store.get("bench", &identifier, None).await.unwrap();
            by_name.record(started.elapsed().as_nanos() as u64).unwrap();
            assert!(found.is_some());
        }
    });
    print("look_up, all 10 features", &by_definition);
    print("get by group name       ", &by_name);
}

fn loaded_row(number: u32, random: &mut StdRng) -> LoadedRow {
    let identifier = format!("C{number:06}");
    let mut row = RowWriter::new(&identifier, EventTime::from_unix_seconds(1_700_000_000).unwrap(), 10, 120);
    row.push_text(0, &identifier);
    row.push_text(1, "1700000000.0");
    for position in 2..10 {
        row.push_text(position, &format!("{:.4}", random.random_range(-3.0..3.0)));
    }
    LoadedRow { identifier, bytes: row.stamp(Arrival(1)) }
}

/// Puts from 64 callers, each acknowledged after an fsync, beside what one lone commit costs on this disk.
fn durable_put() {
    let folder = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let store = FeatureStore::open(folder.path(), OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap();
        store.create_group(NewGroup::new(GroupName::parse("bench").unwrap(), schema())).await.unwrap();
        let mut alone = Histogram::<u64>::new(3).unwrap();
        for number in 0..500u32 {
            let started = Instant::now();
            store.put("bench", pairs(number), PutOptions::default()).await.unwrap();
            alone.record(started.elapsed().as_nanos() as u64).unwrap();
        }
        print("one caller  ", &alone);
        let deadline = Instant::now() + Duration::from_secs(5);
        let started = Instant::now();
        let callers: Vec<_> = (0..64u32)
            .map(|caller| {
                let store = store.clone();
                tokio::spawn(async move {
                    let mut latencies = Histogram::<u64>::new(3).unwrap();
                    let mut number = caller * 1_000_000;
                    while Instant::now() < deadline {
                        let put = Instant::now();
                        store.put("bench", pairs(number), PutOptions::default()).await.unwrap();
                        latencies.record(put.elapsed().as_nanos() as u64).unwrap();
                        number += 1;
                    }
                    latencies
                })
            })
            .collect();
        let mut latencies = Histogram::<u64>::new(3).unwrap();
        for caller in callers {
            latencies.add(caller.await.unwrap()).unwrap();
        }
        let rate = latencies.len() as f64 / started.elapsed().as_secs_f64();
        print("64 callers  ", &latencies);
        println!("  {rate:.0} durable puts a second from 64 callers");
        store.close().await.unwrap();
    });
}

fn pairs(number: u32) -> Vec<(String, RawValue)> {
    let mut pairs = vec![
        ("customer_id".to_owned(), RawValue::Text(format!("C{:06}", number % RECORDS))),
        ("event_time".to_owned(), RawValue::Text("1700000000.5".to_owned())),
    ];
    pairs.extend((0..8).map(|feature| (format!("f{feature}"), RawValue::Text(format!("0.{number}")))));
    pairs
}

/// `larder ingest` of one Parquet file of a million rows and ten features, into both stores, as a process.
fn bulk_load() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.parquet");
    write_rows(&file, 100_000);
    let store = folder.path().join("store");
    let run = |arguments: &[&str]| measured(Command::new(LARDER).arg("--store").arg(&store).args(arguments));
    let path = file.to_str().unwrap();
    run(&["create", "bench", "--from", path, "--id", "customer_id", "--event-time", "event_time"]);
    let (seconds, peak) = run(&["ingest", "bench", path]);
    println!("  1,000,000 rows × 10 features, 100,000 identifiers, both stores: {seconds:.2} s, {peak} MB at most");
    let distinct = folder.path().join("distinct.parquet");
    write_rows(&distinct, RECORDS);
    let path = distinct.to_str().unwrap();
    run(&["create", "distinct", "--from", path, "--id", "customer_id", "--event-time", "event_time"]);
    let (seconds, peak) = run(&["ingest", "distinct", path]);
    println!("  the same with 1,000,000 identifiers: {seconds:.2} s, {peak} MB at most");
}

fn write_rows(path: &Path, identifiers: u32) {
    let mut random = StdRng::seed_from_u64(7);
    let start = 1_700_000_000_000i64;
    let names: Vec<String> = (0..RECORDS)
        .map(|row| {
            if identifiers == RECORDS { (u64::from(row) * 7_919 % u64::from(RECORDS)) as u32 } else { random.random_range(0..identifiers) }
        })
        .map(|number| format!("C{number:06}"))
        .collect();
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("customer_id".into(), Arc::new(StringArray::from(names))),
        (
            "event_time".into(),
            Arc::new(TimestampMillisecondArray::from_iter_values((0..i64::from(RECORDS)).map(|row| start + row * 7_776))),
        ),
    ];
    for feature in 0..8 {
        let values: Vec<f64> = (0..RECORDS).map(|_| (random.random_range(-3.0..3.0f64) * 10_000.0).round() / 10_000.0).collect();
        columns.push((format!("f{feature}"), Arc::new(Float64Array::from(values))));
    }
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Runs a command; returns its seconds and its peak resident memory in MB.
fn measured(command: &mut Command) -> (f64, u64) {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    let mut peak = 0;
    let ended = loop {
        peak = field_kb(&status, "VmHWM:").unwrap_or(0).max(peak);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let seconds = started.elapsed().as_secs_f64();
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(ended.success(), "{errors}");
    (seconds, peak / 1024)
}

fn field_kb(status: &Path, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    text.lines().find_map(|line| line.strip_prefix(field))?.trim().trim_end_matches(" kB").parse().ok()
}

/// Whole processes: `larder get` on the demo store, `larder --version`.
fn process() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let (seconds, peak) = measured(Command::new(LARDER).arg("--store").arg(&store).args(["demo", "--no-tui"]));
    println!("  larder demo --no-tui: {seconds:.2} s, {peak} MB at most");
    for (what, arguments) in [
        ("larder get      ", &["get", "customer-features", "C0042"][..]),
        ("larder list     ", &["list"]),
        ("larder --version", &["--version"]),
    ] {
        let mut times = Histogram::<u64>::new(3).unwrap();
        for _ in 0..300 {
            let started = Instant::now();
            let output = Command::new(LARDER).arg("--store").arg(&store).args(arguments).output().unwrap();
            times.record(started.elapsed().as_nanos() as u64).unwrap();
            assert!(output.status.success());
        }
        print(what, &times);
    }
}

/// Resident memory of the idle browser on the demo store, and how soon it has drawn.
fn browser() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    measured(Command::new(LARDER).arg("--store").arg(&store).args(["demo", "--no-tui"]));
    let terminals = portable_pty::native_pty_system();
    let pair = terminals.openpty(portable_pty::PtySize { rows: 50, cols: 160, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = portable_pty::CommandBuilder::new(LARDER);
    command.args(["--store", store.to_str().unwrap()]);
    command.env("TERM", "xterm-256color");
    let started = Instant::now();
    let mut child = pair.slave.spawn_command(command).unwrap();
    let mut reader = pair.master.try_clone_reader().unwrap();
    let (sender, received) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(read @ 1..) = reader.read(&mut buffer) {
            if sender.send((Instant::now(), buffer[..read].to_vec())).is_err() {
                break;
            }
        }
    });
    let mut screen = String::new();
    let mut first = None;
    while let Ok((at, bytes)) = received.recv_timeout(Duration::from_secs(2)) {
        screen.push_str(&String::from_utf8_lossy(&bytes));
        if screen.contains("campaign-features") && first.is_none() {
            first = Some(at.duration_since(started));
        }
    }
    let status = PathBuf::from(format!("/proc/{}/status", child.process_id().unwrap()));
    let resident = field_kb(&status, "VmRSS:").unwrap() as f64 / 1024.0;
    let own = field_kb(&status, "RssAnon:").unwrap() as f64 / 1024.0;
    let idle = received.recv_timeout(Duration::from_secs(5)).is_err();
    let first = first.map_or("never".to_owned(), |after| format!("after {:.0} ms", after.as_secs_f64() * 1_000.0));
    println!("  features on the screen {first}; idle: {resident:.1} MB resident ({own:.1} MB its own), silent for 5 s: {idle}");
    child.kill().unwrap();
}
