//! The figures of the browser: `cargo bench --bench browser [-- FEATURES…]`, or `-- make DIR FEATURES` to make a store and leave it.
//!
//! Makes a seeded catalog of so many features (100,000 and a million unless told otherwise), opens it with the real binary behind a
//! pseudo-terminal, and prints: the first frame, when the list is complete, how long a keystroke takes to its frame, what the process holds
//! in memory, and what it does in five seconds in which nobody touches it. Printed, never asserted.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use larder::catalog::{Catalog, CatalogOptions};
use larder::model::{
    EventTime, FeatureDefinition, FeatureGroup, FeatureName, FeatureType, GroupExpectations, GroupId, GroupName, GroupStatus,
    OnlineSettings, Schema,
};
use larder::store::{FeatureStore, OpenOptions};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Features of each group, its two keys among them.
const WIDTH: usize = 50;
const SILENCE: Duration = Duration::from_secs(5);
const LIMIT: Duration = Duration::from_secs(300);

const WORDS: [&str; 40] = [
    "customer", "merchant", "device", "session", "product", "order", "payment", "loyalty", "score", "avg", "sum", "count", "max", "min",
    "last", "first", "days", "since", "amount", "value", "rate", "ratio", "risk", "churn", "click", "view", "basket", "return", "refund",
    "country", "category", "price", "discount", "email", "login", "failed", "distinct", "std", "trend", "share",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [make, folder, features] = arguments.as_slice()
        && make == "make"
    {
        stock(Path::new(folder), features.parse().unwrap());
        return;
    }
    let sizes: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    for features in if sizes.is_empty() { vec![100_000, 1_000_000] } else { sizes } {
        let folder = tempfile::tempdir().unwrap();
        stock(folder.path(), features);
        figures(folder.path(), features);
    }
}

/// Makes a store whose catalog has so many features, in one transaction.
fn stock(folder: &Path, features: usize) {
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = FeatureStore::open(folder, OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap();
        store.close().await.unwrap();
        let catalog = Catalog::open(folder.join("catalog.db"), CatalogOptions::default()).await.unwrap();
        let mut random = StdRng::seed_from_u64(17);
        let groups: Vec<FeatureGroup> = (0..features.div_ceil(WIDTH)).map(|number| group(number, &mut random)).collect();
        catalog.insert_groups(&groups).await.unwrap();
        catalog.close().await.unwrap();
    });
    println!("\n{features} features in {} groups, made in {:.1} s", features.div_ceil(WIDTH), started.elapsed().as_secs_f64());
}

fn group(number: usize, random: &mut StdRng) -> FeatureGroup {
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    let word = |random: &mut StdRng| *WORDS.choose(random).unwrap();
    let mut features = vec![feature("record_id", FeatureType::String), feature("event_time", FeatureType::String)];
    for place in 2..WIDTH {
        let parts: Vec<&str> = (0..random.random_range(2..5)).map(|_| word(random)).collect();
        let window = *["7d", "30d", "90d", "1h"].choose(random).unwrap();
        let kind = FeatureType::ALL[random.random_range(0..3)];
        let mut made = feature(&format!("{}_{window}_{place}", parts.join("_")), kind);
        if random.random_bool(0.7) {
            made.description = Some(format!("The {} of each {}, over the {} {}", word(random), word(random), word(random), word(random)));
        }
        if random.random_bool(0.1) {
            made.parameters = BTreeMap::from([("pii".to_owned(), ["yes", "no"].choose(random).unwrap().to_string())]);
        }
        features.push(made);
    }
    let made = EventTime::from_unix_micros(1_790_000_000_000_000).unwrap();
    FeatureGroup {
        id: GroupId(uuid::Uuid::from_u128(random.random())),
        name: GroupName::parse(&format!("{}-{}-{number}", word(random), word(random))).unwrap(),
        description: Some(format!("What is known of each {}", word(random))),
        owner: Some(format!("team:{}", word(random))),
        tags: BTreeMap::from([("team".to_owned(), word(random).to_owned()), ("stage".to_owned(), "prod".to_owned())]),
        schema: Schema::new(features, "record_id", "event_time").unwrap(),
        online: Some(OnlineSettings::default()),
        offline: None,
        expectations: GroupExpectations::default(),
        status: GroupStatus::Created,
        failure_reason: None,
        created: made,
        modified: made,
    }
}

struct Seen {
    terminal: vt100::Parser,
    bytes: usize,
}

fn figures(folder: &Path, features: usize) {
    let pair = native_pty_system().openpty(PtySize { rows: 50, cols: 160, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_larder"));
    command.args(["--store", folder.to_str().unwrap(), "tui", "--screen", "catalog"]);
    let own = tempfile::tempdir().unwrap();
    for variable in ["XDG_CONFIG_HOME", "XDG_STATE_HOME"] {
        command.env(variable, own.path());
    }
    command.env("TERM", "xterm-256color");
    let started = Instant::now();
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let mut keyboard = pair.master.take_writer().unwrap();
    let seen = Arc::new((
        Mutex::new(Seen { terminal: vt100::Parser::new(NonZeroU16::new(50).unwrap(), NonZeroU16::new(160).unwrap(), 0), bytes: 0 }),
        Condvar::new(),
    ));
    let to = seen.clone();
    std::thread::spawn(move || {
        let mut buffer = [0_u8; 16_384];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            let mut seen = to.0.lock().unwrap();
            seen.terminal.process(&buffer[..count]);
            seen.bytes += count;
            to.1.notify_all();
        }
    });
    let wait = |is_there: &dyn Fn(&Seen) -> bool| {
        let until = Instant::now() + LIMIT;
        let mut state = seen.0.lock().unwrap();
        while !is_there(&state) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the screen shows\n{}", state.terminal.screen().contents());
            state = seen.1.wait_timeout(state, left).unwrap().0;
        }
    };
    let shows = |text: &'static str| move |seen: &Seen| seen.terminal.screen().contents().contains(text);
    wait(&shows("larder"));
    println!("  first frame                 {:8.1} ms", started.elapsed().as_secs_f64() * 1e3);
    keyboard.write_all(b"/").unwrap();
    wait(&|seen| seen.terminal.screen().contents().lines().any(|line| line.contains(" / ")));
    println!("  typing possible             {:8.1} ms", started.elapsed().as_secs_f64() * 1e3);
    wait(&shows("FACETS"));
    wait(&shows("event_time"));
    println!("  the list is there           {:8.1} ms", started.elapsed().as_secs_f64() * 1e3);
    std::thread::sleep(Duration::from_secs(2));
    let mut echoes = Histogram::<u64>::new(3).unwrap();
    for _ in 0..20 {
        for letter in ["l", "o", "y", "a", "l", "s", "c", "\x15"] {
            let before = seen.0.lock().unwrap().bytes;
            let pressed = Instant::now();
            keyboard.write_all(letter.as_bytes()).unwrap();
            wait(&|seen| seen.bytes > before);
            echoes.record(pressed.elapsed().as_micros() as u64).unwrap();
            std::thread::sleep(Duration::from_millis(80));
        }
    }
    let millis = |quantile| echoes.value_at_quantile(quantile) as f64 / 1e3;
    println!("  a keystroke to its frame    {:8.1} ms p50, {:.1} ms p99 of {}", millis(0.5), millis(0.99), echoes.len());
    std::thread::sleep(Duration::from_secs(1));
    let pid = child.process_id().unwrap();
    println!("  memory                      {:8.1} MB of {features} features", resident(pid));
    let (bytes, ticks, wakes) = (seen.0.lock().unwrap().bytes, ticks(pid), wakes(pid));
    std::thread::sleep(SILENCE);
    let written = seen.0.lock().unwrap().bytes - bytes;
    println!("  five seconds of silence     {written} bytes, {} ticks, {} wake-ups", self::ticks(pid) - ticks, self::wakes(pid) - wakes);
    keyboard.write_all(b"\x11").unwrap();
    let _ = child.wait();
}

/// Memory that the process alone holds, in MB.
fn resident(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1e3
}

/// Ticks of processor time.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// How often any of its threads gave the processor up and was woken again.
fn wakes(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |status: String| {
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?.to_owned();
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("status")).ok().and_then(of)).sum()
}
