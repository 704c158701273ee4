//! Profiles Parquet files with all cores: `cargo bench --bench statistics -- [--threads N] [--json] FILE…`.
//!
//! One thread a file at a time, the columns of all files merged at the end; identifiers and times are columns like any
//! other. Prints seconds and peak memory of the whole process, and what was found, so that a peer can be held against it
//! (`benches/statistics/run.py`). Nothing is asserted: a slow machine is no defect.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

use std::fs::File;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use larder::statistics::{ColumnKind, ColumnProfile, profile_batch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Rows of one batch: large enough for the loops, small enough for the caches.
const BATCH: usize = 16_384;

struct Options {
    threads: usize,
    json: bool,
    files: Vec<String>,
}

fn options() -> Options {
    let mut options = Options { threads: std::thread::available_parallelism().map_or(1, usize::from), json: false, files: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--threads" => options.threads = words.next().expect("--threads N").parse().expect("--threads N"),
            "--json" => options.json = true,
            // What cargo hands to every bench.
            "--bench" => {}
            _ => options.files.push(word),
        }
    }
    options
}

/// Names and profiles of a file's columns that have figures.
fn profile_file(path: &str) -> Vec<(String, ColumnProfile)> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).expect(path)).expect(path);
    let schema = reader.schema().clone();
    let known: Vec<(usize, ColumnKind)> =
        schema.fields().iter().enumerate().filter_map(|(place, field)| Some((place, ColumnKind::of(field.data_type()).ok()?))).collect();
    let columns: Vec<usize> = known.iter().map(|(place, _)| *place).collect();
    let mut profiles: Vec<ColumnProfile> = known.iter().map(|(_, kind)| ColumnProfile::new(*kind)).collect();
    for batch in reader.with_batch_size(BATCH).build().expect(path) {
        profile_batch(&mut profiles, &batch.expect(path), &columns).expect(path);
    }
    columns.iter().map(|column| schema.field(*column).name().clone()).zip(profiles).collect()
}

fn peak_megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).unwrap_or(0) / 1024
}

fn main() {
    let options = options();
    if options.files.is_empty() {
        println!("no files: cargo bench --bench statistics -- FILE.parquet…");
        return;
    }
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let whole: Mutex<Vec<(String, ColumnProfile)>> = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                while let Some(path) = options.files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = profile_file(path);
                    let mut whole = whole.lock().unwrap();
                    if whole.is_empty() {
                        *whole = found;
                    } else {
                        for ((name, ours), (other, theirs)) in whole.iter_mut().zip(&found) {
                            assert_eq!(name, other, "{path} has other columns");
                            ours.merge(theirs).expect(path);
                        }
                    }
                }
            });
        }
    });
    let whole = whole.into_inner().unwrap();
    let figures: Vec<_> = whole.iter().map(|(name, profile)| (name, profile.figures())).collect();
    let seconds = start.elapsed().as_secs_f64();
    let bytes: usize = whole.iter().map(|(_, profile)| profile.to_bytes().len()).sum();
    let rows = whole.first().map_or(0, |(_, profile)| profile.rows());
    if options.json {
        let columns: Vec<_> = figures.iter().map(|(name, figures)| serde_json::json!({"name": name, "figures": figures})).collect();
        println!(
            "{}",
            serde_json::json!({"rows": rows, "seconds": seconds, "megabytes": peak_megabytes(), "profile_bytes": bytes, "columns": columns})
        );
        return;
    }
    for (name, figures) in &figures {
        let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.6}"));
        println!(
            "{name:<16} {:<10} null {} distinct {:.0}–{:.0} mean {} std {} median {}",
            figures.kind.as_str(),
            figures.nulls,
            figures.distinct.low,
            figures.distinct.high,
            number(figures.mean),
            number(figures.std),
            figures.quantile(0.5).map_or("–".to_owned(), ToString::to_string),
        );
    }
    println!("{rows} rows × {} columns in {seconds:.2} s, {} MB at most, {bytes} bytes of profiles", figures.len(), peak_megabytes());
}
