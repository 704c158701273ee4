//! The server's own pages: is it alive, would it answer, what did it do.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;

use super::metrics::StoreGauges;
use super::service::{ServerState, ServiceResponse};

const TEXT: &str = "text/plain; charset=utf-8";

/// The process is alive, whatever the store says.
pub(super) fn health() -> ServiceResponse {
    ServiceResponse::of("Health", StatusCode::OK, TEXT, "ok\n")
}

/// The store can be read and the server is not about to stop.
pub(super) async fn ready(state: &ServerState) -> ServiceResponse {
    let verdict = if state.stopping.load(Ordering::Relaxed) {
        Err("stopping\n".to_owned())
    } else {
        state.store.changes().await.map(|_| ()).map_err(|error| {
            tracing::warn!(%error, "the store can't be read");
            "the store can't be read; the log tells why\n".to_owned()
        })
    };
    match verdict {
        Ok(()) => ServiceResponse::of("Ready", StatusCode::OK, TEXT, "ready\n"),
        Err(why) => ServiceResponse::of("Ready", StatusCode::SERVICE_UNAVAILABLE, TEXT, why),
    }
}

/// Counters for Prometheus.
pub(super) async fn metrics(state: &ServerState) -> ServiceResponse {
    let gauges = match state.store.backlog().await {
        Ok(backlog) => StoreGauges {
            outbox_rows: backlog.rows,
            outbox_bytes: backlog.bytes,
            oldest_outbox_seconds: backlog.oldest_seconds,
            groups: backlog.groups,
        },
        Err(error) => {
            tracing::warn!(%error, "the state of the outbox can't be read");
            StoreGauges::default()
        }
    };
    ServiceResponse::of("Metrics", StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", state.metrics.page(gauges))
}
