//! Counters and latency histograms by operation, in the text format of Prometheus.
//!
//! Labels come from sets that no client can grow: operations and error codes of this program. Counting is a few
//! relaxed atomics, for it stands in the path of every look-up.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use foldhash::fast::RandomState;

/// Upper bounds of the histogram, in microseconds.
const BOUNDS: [u64; 16] =
    [50, 100, 250, 500, 1_000, 1_500, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 5_000_000, 30_000_000];

/// What is counted of one operation.
#[derive(Default)]
struct Operation {
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
    /// Answers by the first digit of their status.
    classes: [AtomicU64; 6],
}

impl Operation {
    fn count(&self, status: u16, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
        self.classes[usize::from(status / 100).min(5)].fetch_add(1, Ordering::Relaxed);
    }
}

/// Counters of a server.
#[derive(Default)]
pub struct Metrics {
    operations: RwLock<HashMap<&'static str, Arc<Operation>, RandomState>>,
    errors: Mutex<BTreeMap<(&'static str, String), u64>>,
    connections: AtomicI64,
    accepted: AtomicU64,
}

/// What `/metrics` tells of the store.
#[derive(Debug, Clone, Copy, Default)]
pub struct StoreGauges {
    /// Records that wait to become Parquet.
    pub outbox_rows: u64,
    /// Their bytes.
    pub outbox_bytes: u64,
    /// Age of the oldest of them, in seconds.
    pub oldest_outbox_seconds: u64,
    /// Feature groups.
    pub groups: u64,
}

impl Metrics {
    /// Counts an answer.
    pub fn count(&self, operation: &'static str, status: u16, error: Option<&str>, took: Duration) {
        let known = self.operations.read().unwrap_or_else(PoisonError::into_inner);
        match known.get(operation) {
            Some(counters) => counters.count(status, took),
            None => {
                drop(known);
                self.operation(operation).count(status, took);
            }
        }
        if let Some(error) = error {
            let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
            *errors.entry((operation, error.to_owned())).or_default() += 1;
        }
    }

    fn operation(&self, name: &'static str) -> Arc<Operation> {
        self.operations.write().unwrap_or_else(PoisonError::into_inner).entry(name).or_default().clone()
    }

    /// Notes that a connection was opened.
    pub fn opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes that a connection was closed.
    pub fn closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// The page.
    pub fn page(&self, store: StoreGauges) -> String {
        let mut page = String::with_capacity(8_192);
        self.write_operations(&mut page);
        self.write_errors(&mut page);
        let gauges: [(&str, &str, &str, i64); 6] = [
            ("larder_connections", "gauge", "Open connections.", self.connections.load(Ordering::Relaxed)),
            (
                "larder_connections_total",
                "counter",
                "Connections accepted.",
                i64::try_from(self.accepted.load(Ordering::Relaxed)).unwrap_or(i64::MAX),
            ),
            ("larder_feature_groups", "gauge", "Feature groups.", signed(store.groups)),
            ("larder_outbox_records", "gauge", "Records that are durable and not yet in Parquet.", signed(store.outbox_rows)),
            ("larder_outbox_bytes", "gauge", "Bytes of these records.", signed(store.outbox_bytes)),
            ("larder_outbox_oldest_seconds", "gauge", "Age of the oldest of these records.", signed(store.oldest_outbox_seconds)),
        ];
        for (name, kind, help, value) in gauges {
            let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
        }
        page
    }

    fn write_operations(&self, page: &mut String) {
        let operations: BTreeMap<&'static str, Arc<Operation>> = self
            .operations
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|(name, counters)| (*name, counters.clone()))
            .collect();
        let _ =
            writeln!(page, "# HELP larder_requests_total Answers by operation and class of status.\n# TYPE larder_requests_total counter");
        for (name, counters) in &operations {
            for (class, count) in counters.classes.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let _ = writeln!(page, "larder_requests_total{{operation=\"{name}\",status=\"{class}xx\"}} {count}");
                }
            }
        }
        let _ = writeln!(
            page,
            "# HELP larder_request_duration_seconds Time from the head of a request to its answer.\n# TYPE larder_request_duration_seconds histogram"
        );
        for (name, counters) in &operations {
            let mut sum = 0;
            for (bound, count) in
                BOUNDS.iter().map(|bound| (*bound as f64 / 1e6).to_string()).chain(["+Inf".to_owned()]).zip(&counters.buckets)
            {
                sum += count.load(Ordering::Relaxed);
                let _ = writeln!(page, "larder_request_duration_seconds_bucket{{operation=\"{name}\",le=\"{bound}\"}} {sum}");
            }
            let seconds = counters.micros.load(Ordering::Relaxed) as f64 / 1e6;
            let _ = writeln!(page, "larder_request_duration_seconds_sum{{operation=\"{name}\"}} {seconds}");
            let _ = writeln!(page, "larder_request_duration_seconds_count{{operation=\"{name}\"}} {sum}");
        }
    }

    fn write_errors(&self, page: &mut String) {
        let _ = writeln!(page, "# HELP larder_errors_total Errors told to clients.\n# TYPE larder_errors_total counter");
        for ((operation, code), count) in self.errors.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(page, "larder_errors_total{{operation=\"{operation}\",code=\"{code}\"}} {count}");
        }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_and_errors_have_a_label() {
        let metrics = Metrics::default();
        for micros in [40, 50, 51, 90_000, 40_000_000] {
            metrics.count("GetRecord", 200, None, Duration::from_micros(micros));
        }
        metrics.count("GetRecord", 404, Some("ResourceNotFound"), Duration::from_micros(60));
        let page = metrics.page(StoreGauges { outbox_rows: 7, ..StoreGauges::default() });
        for line in [
            "larder_requests_total{operation=\"GetRecord\",status=\"2xx\"} 5",
            "larder_requests_total{operation=\"GetRecord\",status=\"4xx\"} 1",
            "larder_request_duration_seconds_bucket{operation=\"GetRecord\",le=\"0.00005\"} 2",
            "larder_request_duration_seconds_bucket{operation=\"GetRecord\",le=\"0.0001\"} 4",
            "larder_request_duration_seconds_bucket{operation=\"GetRecord\",le=\"30\"} 5",
            "larder_request_duration_seconds_bucket{operation=\"GetRecord\",le=\"+Inf\"} 6",
            "larder_request_duration_seconds_count{operation=\"GetRecord\"} 6",
            "larder_errors_total{operation=\"GetRecord\",code=\"ResourceNotFound\"} 1",
            "larder_outbox_records 7",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
