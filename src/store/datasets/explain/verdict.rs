//! The rule, record by record: which one a row sees, and what is the matter with each of the others.
//!
//! Times are whole microseconds since 1970. A record counts if its event time is not after the row's, not more than the
//! ttl before it (both ends inclusive), and it was written by the time that was asked for. Of those that count the
//! greatest (event time, api invocation time, write time, place) wins; if it is a tombstone, the cell is null.

use serde::Serialize;
use serde_json::Value as Json;

use crate::model::EventTime;

/// What is asked of the records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// The row's time; none if it has none.
    pub(super) time: Option<i64>,
    /// How old a record may be.
    pub(super) ttl: Option<i64>,
    /// Only records written by then count.
    pub(super) as_of: Option<i64>,
    /// Only records written by the row's time count.
    pub(super) known_then: bool,
}

/// A record as it was read.
#[derive(Debug, Clone)]
pub(super) struct FoundRecord {
    /// When it was true; none if it says no time.
    pub(super) event: Option<i64>,
    /// When the call that brought it arrived; files of others don't say.
    pub(super) invoked: Option<i64>,
    /// When it was written; files of others don't say.
    pub(super) written: Option<i64>,
    pub(super) is_deleted: bool,
    /// Number of its file, in order of commits, and of the row in it.
    pub(super) place: (usize, u64),
    pub(super) source: RecordSource,
    /// The feature's value; none is null.
    pub(super) value: Option<(String, Json)>,
}

/// Where a record lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "in")]
pub enum RecordSource {
    /// In a file.
    File {
        /// Relative to the group's data folder; of an external group its path.
        file: String,
        /// Number of the row in it, from 0.
        position: u64,
    },
    /// In the outbox, not yet in a file.
    Outbox,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is the one the row sees.
    Wins,
    /// It happened after the row's time.
    LaterEvent,
    /// It was written after the time that was asked for.
    WrittenLater,
    /// It is older than the ttl allows.
    TooOld,
    /// A newer one wins.
    Older,
    /// It says no time.
    NoEventTime,
}

impl Verdict {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wins => "wins",
            Self::LaterEvent => "later than the row",
            Self::WrittenLater => "not yet written then",
            Self::TooOld => "too old",
            Self::Older => "a newer one wins",
            Self::NoEventTime => "no event time",
        }
    }
}

/// Why a cell is null.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NullReason {
    /// The row has no identifier.
    NoIdentifier,
    /// The row has no time.
    NoTime,
    /// The group has no record of the identifier.
    UnknownIdentifier,
    /// All its records happened after the row's time.
    OnlyLater,
    /// The newest record before the row's time is older than the ttl allows.
    TooOld,
    /// A record would have counted, but was written too late.
    NotYetWritten,
    /// The newest record is a delete marker.
    Deleted,
    /// The newest record has no value of the feature.
    NullInRecord,
}

impl NullReason {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoIdentifier => "the row has no identifier",
            Self::NoTime => "the row has no time",
            Self::UnknownIdentifier => "the group has no record of this identifier",
            Self::OnlyLater => "all records of this identifier are later than the row",
            Self::TooOld => "the newest record before the row is older than the ttl allows",
            Self::NotYetWritten => "the record that would count was written too late",
            Self::Deleted => "the record was deleted by then",
            Self::NullInRecord => "the record has no value of this feature",
        }
    }
}

/// What the cell is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Outcome {
    /// A value.
    Value {
        /// As people read it.
        text: String,
        /// With its type.
        value: Json,
    },
    /// Null.
    Null {
        /// Why.
        reason: NullReason,
    },
}

/// A record of the identifier, judged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// When it was true.
    pub event_time: Option<EventTime>,
    /// When it was written; files of others don't say.
    pub write_time: Option<EventTime>,
    /// Seconds from its event time to the row's time; negative if it is later.
    pub age_seconds: Option<f64>,
    /// True for a delete marker.
    pub is_deleted: bool,
    /// The feature's value as people read it; none is null.
    pub value: Option<String>,
    /// Where it lies.
    pub source: RecordSource,
    /// What became of it.
    pub verdict: Verdict,
}

/// The answer with its reasons.
pub(super) struct Decision {
    pub(super) outcome: Outcome,
    pub(super) winner: Option<usize>,
    pub(super) candidates: Vec<Candidate>,
}

/// Judges the records of one identifier. At most `most` of them come back, those next to the row's time; always the winner.
pub(super) fn decide(rule: &Rule, has_identifier: bool, mut records: Vec<FoundRecord>, most: usize) -> Decision {
    let null = |reason| Decision { outcome: Outcome::Null { reason }, winner: None, candidates: Vec::new() };
    if !has_identifier {
        return null(NullReason::NoIdentifier);
    }
    let Some(time) = rule.time else { return null(NullReason::NoTime) };
    if records.is_empty() {
        return null(NullReason::UnknownIdentifier);
    }
    // Newest first; what can't be known is oldest.
    records.sort_by_key(|record| std::cmp::Reverse((record.event, record.invoked, record.written, record.place)));

    let mut verdicts: Vec<Verdict> = records.iter().map(|record| judge(rule, time, record)).collect();
    let winner = verdicts.iter().position(|verdict| *verdict == Verdict::Wins);
    for verdict in verdicts.iter_mut().skip(winner.map_or(usize::MAX, |winner| winner + 1)) {
        if *verdict == Verdict::Wins {
            *verdict = Verdict::Older;
        }
    }
    let outcome = match winner.map(|winner| &records[winner]) {
        Some(record) if record.is_deleted => Outcome::Null { reason: NullReason::Deleted },
        Some(record) => match &record.value {
            Some((text, value)) => Outcome::Value { text: text.clone(), value: value.clone() },
            None => Outcome::Null { reason: NullReason::NullInRecord },
        },
        // Nothing counts. What came nearest to it?
        None if verdicts.contains(&Verdict::WrittenLater) => Outcome::Null { reason: NullReason::NotYetWritten },
        None if verdicts.contains(&Verdict::TooOld) => Outcome::Null { reason: NullReason::TooOld },
        None if verdicts.contains(&Verdict::LaterEvent) => Outcome::Null { reason: NullReason::OnlyLater },
        None => Outcome::Null { reason: NullReason::UnknownIdentifier },
    };

    // Around the winner, or where it would stand.
    let centre = winner.unwrap_or_else(|| verdicts.iter().take_while(|verdict| **verdict == Verdict::LaterEvent).count());
    let first = centre.saturating_sub(most / 2).min(records.len().saturating_sub(most));
    let candidate = |(record, verdict): (FoundRecord, Verdict)| Candidate {
        event_time: record.event.and_then(EventTime::from_unix_micros),
        write_time: record.written.and_then(EventTime::from_unix_micros),
        age_seconds: record.event.map(|event| (i128::from(time) - i128::from(event)) as f64 / 1e6),
        is_deleted: record.is_deleted,
        value: record.value.map(|(text, _)| text),
        source: record.source,
        verdict,
    };
    let candidates = records.into_iter().zip(verdicts).skip(first).take(most).map(candidate).collect();
    Decision { outcome, winner: winner.map(|winner| winner - first), candidates }
}

/// What is the matter with a record; `Wins` if nothing is.
fn judge(rule: &Rule, time: i64, record: &FoundRecord) -> Verdict {
    let Some(event) = record.event else { return Verdict::NoEventTime };
    if event > time {
        return Verdict::LaterEvent;
    }
    if rule.ttl.is_some_and(|ttl| event < time.saturating_sub(ttl)) {
        return Verdict::TooOld;
    }
    // What doesn't say when it was written was always there.
    let written = record.written.unwrap_or(i64::MIN);
    if rule.as_of.is_some_and(|as_of| written > as_of) || (rule.known_then && written > time) {
        return Verdict::WrittenLater;
    }
    Verdict::Wins
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn record(event: i64, written: i64, value: Option<&str>) -> FoundRecord {
        FoundRecord {
            event: Some(event),
            invoked: Some(written),
            written: Some(written),
            is_deleted: false,
            place: (0, 0),
            source: RecordSource::Outbox,
            value: value.map(|text| (text.to_owned(), Json::from(text))),
        }
    }

    fn rule(time: i64) -> Rule {
        Rule { time: Some(time), ttl: None, as_of: None, known_then: false }
    }

    fn reason(rule: &Rule, records: Vec<FoundRecord>) -> Option<NullReason> {
        match decide(rule, true, records, 50).outcome {
            Outcome::Null { reason } => Some(reason),
            Outcome::Value { .. } => None,
        }
    }

    #[test]
    fn each_null_has_one_reason() {
        let deleted = FoundRecord { is_deleted: true, ..record(5, 5, None) };
        assert_eq!(reason(&rule(9), vec![]), Some(NullReason::UnknownIdentifier));
        assert_eq!(reason(&rule(9), vec![record(10, 1, Some("a")), record(11, 1, Some("b"))]), Some(NullReason::OnlyLater));
        assert_eq!(
            reason(&Rule { ttl: Some(3), ..rule(9) }, vec![record(5, 1, Some("a")), record(10, 1, Some("b"))]),
            Some(NullReason::TooOld)
        );
        assert_eq!(reason(&Rule { as_of: Some(7), ..rule(9) }, vec![record(5, 8, Some("a"))]), Some(NullReason::NotYetWritten));
        assert_eq!(reason(&Rule { known_then: true, ..rule(9) }, vec![record(5, 10, Some("a"))]), Some(NullReason::NotYetWritten));
        assert_eq!(reason(&rule(9), vec![record(4, 1, Some("a")), deleted]), Some(NullReason::Deleted));
        assert_eq!(reason(&rule(9), vec![record(4, 1, Some("a")), record(5, 1, None)]), Some(NullReason::NullInRecord));
        assert_eq!(reason(&Rule { time: None, ..rule(0) }, vec![record(4, 1, Some("a"))]), Some(NullReason::NoTime));
        let without = decide(&rule(9), false, vec![], 50);
        assert_eq!(without.outcome, Outcome::Null { reason: NullReason::NoIdentifier });
        let silent = FoundRecord { event: None, ..record(0, 0, Some("a")) };
        assert_eq!(reason(&rule(9), vec![silent]), Some(NullReason::UnknownIdentifier), "a record without a time is no record");
    }

    #[test]
    fn both_ends_of_the_window_are_in_it() {
        let within = Rule { ttl: Some(4), ..rule(9) };
        assert_eq!(reason(&within, vec![record(5, 1, Some("a"))]), None);
        assert_eq!(reason(&within, vec![record(9, 1, Some("a"))]), None);
        assert_eq!(reason(&within, vec![record(4, 1, Some("a"))]), Some(NullReason::TooOld));
        assert_eq!(reason(&Rule { as_of: Some(1), ..rule(9) }, vec![record(9, 1, Some("a"))]), None);
        let endless = Rule { ttl: Some(i64::MAX), ..rule(i64::MIN + 1) };
        assert_eq!(reason(&endless, vec![record(i64::MIN, 1, Some("a"))]), None);
    }

    #[test]
    fn ties_go_to_the_later_call_then_the_later_write_then_the_later_place() {
        let placed = |invoked, written, place, value| FoundRecord { invoked: Some(invoked), place, ..record(5, written, Some(value)) };
        let won = |records: Vec<FoundRecord>| match decide(&rule(9), true, records, 50).outcome {
            Outcome::Value { text, .. } => text,
            Outcome::Null { .. } => String::new(),
        };
        assert_eq!(won(vec![placed(2, 1, (0, 0), "a"), placed(1, 9, (9, 9), "b")]), "a");
        assert_eq!(won(vec![placed(1, 2, (0, 0), "a"), placed(1, 1, (9, 9), "b")]), "a");
        assert_eq!(won(vec![placed(1, 1, (1, 0), "a"), placed(1, 1, (0, 9), "b")]), "a");
        assert_eq!(won(vec![placed(1, 1, (1, 0), "a"), placed(1, 1, (1, 1), "b")]), "b");
    }

    #[test]
    fn of_many_candidates_the_nearest_are_told_and_always_the_winner() {
        for winner_at in [0, 3, 500, 999] {
            let records: Vec<FoundRecord> = (0..1_000).map(|event| record(event, 1, Some("a"))).collect();
            let decided = decide(&rule(winner_at), true, records, 50);
            assert_eq!(decided.candidates.len(), 50);
            let winner = &decided.candidates[decided.winner.unwrap()];
            assert_eq!((winner.verdict, winner.event_time.unwrap().unix_micros()), (Verdict::Wins, winner_at));
            assert_eq!(decided.candidates.iter().filter(|candidate| candidate.verdict == Verdict::Wins).count(), 1);
        }
    }
}
