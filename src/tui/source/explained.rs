//! Puts into words why a cell of a training dataset is what it is.

use crate::model::EventTime;
use crate::store::datasets::Explanation;
use crate::store::datasets::explain::{self, Outcome, RecordSource};
use crate::tui::model::datasets::{Candidate, Explained};
use crate::tui::units::span as time_span;

const NULL: &str = "∅";

pub(super) fn explained(found: &Explanation, column: &str) -> Explained {
    let (value, why) = match (&found.outcome, found.winning()) {
        (Outcome::Value { text, .. }, Some(winner)) => (Some(text.clone()), origin(winner)),
        (Outcome::Value { text, .. }, None) => (Some(text.clone()), String::new()),
        (Outcome::Null { reason }, _) => (None, reason.as_str().to_owned()),
    };
    Explained {
        row: found.row.unwrap_or(0),
        column: column.to_owned(),
        feature: format!("{}.{}", found.group, found.feature),
        asked: asked(found),
        value,
        why,
        candidates: found.candidates.iter().map(candidate).collect(),
        winner: found.winner,
        left_out: found.left_out,
        note: found.by_write_time.then_some("told from what was written by the time of the build: the version it read is gone"),
    }
}

/// Whom and when the row asks about, and what else limits the records that count.
fn asked(found: &Explanation) -> String {
    let who = found.identifier.as_deref().unwrap_or(NULL);
    let when = found.time.map_or_else(|| NULL.to_owned(), EventTime::to_iso8601);
    let mut asked = format!("{who} at {when}");
    if let Some(ttl) = found.ttl {
        asked.push_str(&format!(", ttl {ttl}"));
    }
    if let Some(as_of) = found.as_of {
        asked.push_str(&format!(", written by {as_of}"));
    }
    asked
}

fn origin(winner: &explain::Candidate) -> String {
    let before =
        winner.age_seconds.map(|seconds| format!(", {} before the row", time_span((seconds.abs() * 1e6) as i64))).unwrap_or_default();
    let written = winner.write_time.map(|written| format!(", written {written}")).unwrap_or_default();
    let place = match &winner.source {
        RecordSource::File { position, .. } => format!(", row {position} of {}", place(&winner.source)),
        RecordSource::Outbox => ", waiting in the outbox".to_owned(),
    };
    let event = winner.event_time.map_or_else(|| NULL.to_owned(), EventTime::to_iso8601);
    format!("from the record of {event}{before}{written}{place}")
}

fn candidate(found: &explain::Candidate) -> Candidate {
    Candidate {
        event_time: found.event_time.map(EventTime::unix_micros),
        before: found.age_seconds,
        written: found.write_time.map(EventTime::unix_micros),
        value: found.value.clone(),
        deleted: found.is_deleted,
        verdict: found.verdict.as_str(),
        place: place(&found.source),
    }
}

/// The file without its folders, which say when its rows were written.
fn place(source: &RecordSource) -> String {
    match source {
        RecordSource::File { file, .. } => file.rsplit('/').next().unwrap_or(file).to_owned(),
        RecordSource::Outbox => "outbox".to_owned(),
    }
}
