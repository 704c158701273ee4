//! The figures of search: `cargo bench --bench search [-- fuzzy|cli]`.
//!
//! `fuzzy`: one keystroke over a million feature names on two threads, ours, fuzzy-matcher alone and nucleo-matcher on the same
//! names and threads. `cli`: `larder search` as a whole process over 50,000 features. Printed, never asserted.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

use std::num::NonZeroUsize;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fuzzy_matcher::FuzzyMatcher;
use fuzzy_matcher::skim::SkimMatcherV2;
use hdrhistogram::Histogram;
use larder::model::{FeatureDefinition, FeatureName, FeatureType, GroupName, Schema};
use larder::store::fuzzy::{FuzzyIndexBuilder, Searcher};
use larder::store::{FeatureStore, NewGroup, OpenOptions};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

const NAMES: usize = 1_000_000;
const SHOWN: usize = 100;
const THREADS: usize = 2;
/// What is typed, letter by letter; each prefix is a keystroke.
const TYPED: [(&str, &str); 6] =
    [("empty", ""), ("1 letter", "l"), ("2 letters", "or"), ("typical", "loyalsc"), ("two words", "order avg"), ("no match", "qzxqzx")];

const WORDS: [&str; 40] = [
    "customer", "merchant", "device", "session", "product", "order", "payment", "loyalty", "score", "avg", "sum", "count", "max", "min",
    "last", "first", "days", "since", "amount", "value", "rate", "ratio", "risk", "churn", "click", "view", "basket", "return", "refund",
    "country", "category", "price", "discount", "email", "login", "failed", "distinct", "std", "trend", "share",
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (name, figure) in [("fuzzy", fuzzy as fn()), ("cli", cli)] {
        if wanted.is_empty() || wanted.iter().any(|asked| asked == name) {
            println!("\n{name}");
            figure();
        }
    }
}

fn name(random: &mut StdRng) -> String {
    let mut parts: Vec<&str> = (0..random.random_range(2..5)).map(|_| *WORDS.choose(random).unwrap()).collect();
    let window = ["7d", "30d", "90d", "1h"].choose(random).unwrap();
    parts.push(window);
    format!("{}_{}", parts.join("_"), random.random_range(0..1_000))
}

fn report(what: &str, times: &Histogram<u64>) {
    let millis = |quantile| times.value_at_quantile(quantile) as f64 / 1e6;
    println!("  {what:<32} p50 {:7.2} ms   p99 {:7.2} ms   of {}", millis(0.5), millis(0.99), times.len());
}

fn timed(times: &mut Histogram<u64>, work: impl FnOnce()) {
    let started = Instant::now();
    work();
    times.record(started.elapsed().as_nanos() as u64).unwrap();
}

fn fuzzy() {
    let mut random = StdRng::seed_from_u64(11);
    let names: Vec<String> = (0..NAMES).map(|_| name(&mut random)).collect();
    let started = Instant::now();
    let mut builder = FuzzyIndexBuilder::default();
    for (number, name) in names.iter().enumerate() {
        if number % 50 == 0 {
            builder.group(&format!("team-{}-features-{}", number % 37, number / 50)).unwrap();
        }
        builder.name(name).unwrap();
    }
    let index = Arc::new(builder.build());
    println!("  {NAMES} names built in {:.0} ms, {:.1} MB", started.elapsed().as_secs_f64() * 1e3, index.memory() as f64 / 1e6);
    for (what, text) in TYPED {
        let mut at_once = Histogram::<u64>::new(3).unwrap();
        let mut typing = Histogram::<u64>::new(3).unwrap();
        for _ in 0..100 {
            let fresh = Searcher::new(index.clone(), NonZeroUsize::new(THREADS));
            timed(&mut at_once, || drop(fresh.search(text, SHOWN).unwrap()));
            let searcher = Searcher::new(index.clone(), NonZeroUsize::new(THREADS));
            for end in 1..=text.len() {
                timed(&mut typing, || drop(searcher.search(&text[..end], SHOWN).unwrap()));
            }
        }
        report(&format!("larder, {what}, at once"), &at_once);
        if !typing.is_empty() {
            report(&format!("larder, {what}, each letter"), &typing);
        }
        report(&format!("fuzzy-matcher, {what}"), &peer(&names, text, skim));
        report(&format!("nucleo-matcher, {what}"), &peer(&names, text, nucleo));
    }
}

/// Scores names against a text: score and place of each that matches.
type Scoring = fn(&[String], &str) -> Vec<(i64, usize)>;

/// A peer scores every name on as many threads and keeps the best.
fn peer(names: &[String], text: &str, score: Scoring) -> Histogram<u64> {
    let mut times = Histogram::<u64>::new(3).unwrap();
    for _ in 0..10 {
        timed(&mut times, || {
            let mut best: Vec<(i64, usize)> = std::thread::scope(|scope| {
                let parts: Vec<_> =
                    names.chunks(names.len().div_ceil(THREADS)).map(|part| scope.spawn(move || score(part, text))).collect();
                parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
            });
            let shown = SHOWN.min(best.len().saturating_sub(1));
            if !best.is_empty() {
                best.select_nth_unstable_by_key(shown, |(score, _)| -score);
            }
            std::hint::black_box(best);
        });
    }
    times
}

fn skim(names: &[String], text: &str) -> Vec<(i64, usize)> {
    let matcher = SkimMatcherV2::default().ignore_case();
    let words: Vec<&str> = text.split_whitespace().collect();
    let score = |name: &String| words.iter().map(|word| matcher.fuzzy_match(name, word)).sum::<Option<i64>>();
    names.iter().enumerate().filter_map(|(place, name)| Some((score(name)?, place))).collect()
}

fn nucleo(names: &[String], text: &str) -> Vec<(i64, usize)> {
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(text, CaseMatching::Ignore, Normalization::Never);
    let mut buffer = Vec::new();
    let mut scored = Vec::new();
    for (place, name) in names.iter().enumerate() {
        if let Some(score) = pattern.score(Utf32Str::new(name, &mut buffer), &mut matcher) {
            scored.push((i64::from(score), place));
        }
    }
    scored
}

/// A whole process over 1,000 groups of 50 features each, and what making a group of 2,500 costs.
fn cli() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut random = StdRng::seed_from_u64(12);
    runtime.block_on(async {
        let store = FeatureStore::open(folder.path(), OpenOptions { create: true, ..OpenOptions::default() }).await.unwrap();
        for number in 0..1_000 {
            store.create_group(new_group(&format!("group-{number}"), 50, &mut random)).await.unwrap();
        }
        let wide = new_group("wide", 2_500, &mut random);
        let started = Instant::now();
        store.create_group(wide).await.unwrap();
        println!("  a group of 2,500 features made in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
        store.close().await.unwrap();
    });
    for text in ["loyalty score", "churn", "loyality", "owner:growth type:fractional risk", "c"] {
        let mut times = Histogram::<u64>::new(3).unwrap();
        for _ in 0..50 {
            timed(&mut times, || {
                let mut command = Command::new(env!("CARGO_BIN_EXE_larder"));
                let done = command.args(["search", text, "--json"]).env("LARDER_STORE", folder.path()).output().unwrap();
                assert!(done.status.success());
            });
            std::thread::sleep(Duration::from_millis(2));
        }
        report(&format!("search {text}"), &times);
    }
}

fn new_group(group: &str, width: usize, random: &mut StdRng) -> NewGroup {
    let feature = |name: &str, kind| FeatureDefinition::new(FeatureName::parse(name).unwrap(), kind);
    let mut features = vec![feature("customer_id", FeatureType::String), feature("event_time", FeatureType::String)];
    for number in 0..width {
        let mut feature = feature(&format!("{}_{number}", name(random)), FeatureType::Fractional);
        feature.description = Some(format!("The {} of each customer, by {}", WORDS.choose(random).unwrap(), WORDS.choose(random).unwrap()));
        features.push(feature);
    }
    let schema = Schema::new(features, "customer_id", "event_time").unwrap();
    NewGroup { owner: Some("team:growth".to_owned()), offline: false, ..NewGroup::new(GroupName::parse(group).unwrap(), schema) }
}
