//! What the screens show of the store, apart from groups themselves: numbers of a group, a record with its history.
//!
//! Plain data with instants in microseconds: [`crate::tui::source`] translates the store's types into it, so screens and
//! tests need no store. A version's values stand in schema order, as everywhere.

use crate::tui::units::Micros;

/// Numbers of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Rows of the offline store with those not yet flushed; online records of a group without one.
    pub(crate) records: u64,
    /// Live records online.
    pub(crate) online_records: u64,
    /// Parquet files.
    pub(crate) files: u64,
    /// Their size.
    pub(crate) bytes: u64,
    /// Rows that wait for the next flush.
    pub(crate) waiting: u64,
    /// Earliest event time.
    pub(crate) oldest: Option<Micros>,
    /// Latest event time.
    pub(crate) newest: Option<Micros>,
    /// Version of the Delta table.
    pub(crate) delta_version: Option<u64>,
}

/// One value of a record.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    /// As it was sent; a collection as JSON.
    pub(crate) text: String,
    /// Typed, for copying.
    pub(crate) json: serde_json::Value,
}

/// A record as it was at one time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Version {
    /// When it was true.
    pub(crate) event_time: Micros,
    /// The same with all its digits, for copying.
    pub(crate) event_time_text: String,
    /// When it was stored, if known.
    pub(crate) write_time: Option<Micros>,
    /// True for a tombstone.
    pub(crate) deleted: bool,
    /// Where this version lies: `online`, `outbox`, a file.
    pub(crate) place: String,
    /// Values in schema order; none is null.
    pub(crate) values: Vec<Option<Value>>,
}

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Found {
    /// Who was asked for.
    pub(crate) identifier: String,
    /// The record as it is served now; none if it doesn't exist, is deleted or has expired.
    pub(crate) current: Option<Version>,
    /// When the served record expires.
    pub(crate) expires: Option<Micros>,
    /// Versions, oldest first.
    pub(crate) versions: Vec<Version>,
    /// True if there are older versions than those.
    pub(crate) truncated: bool,
    /// How long the online store took, in microseconds; none for a group without one.
    pub(crate) latency: Option<u64>,
}

impl Found {
    /// Since when the value that a feature has in a version has been the same, and whether older versions could say longer.
    pub(crate) fn held_since(&self, version: usize, feature: usize) -> Option<(Micros, bool)> {
        let value_of = |version: &Version| version.values.get(feature).cloned().flatten().filter(|_| !version.deleted);
        let shown = value_of(self.versions.get(version)?);
        let mut since = self.versions.get(version)?.event_time;
        for (place, earlier) in self.versions.iter().enumerate().take(version).rev() {
            if value_of(earlier) != shown {
                return Some((since, false));
            }
            since = earlier.event_time;
            if place == 0 {
                break;
            }
        }
        Some((since, self.truncated))
    }
}

/// How far filling the demo is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct DemoProgress {
    /// What is being made.
    pub(crate) what: String,
    /// Rows written.
    pub(crate) done: u64,
    /// Rows in all.
    pub(crate) total: u64,
}

/// Where groups come from that a sync brought in, by name of the group.
pub(crate) type Origins = std::collections::BTreeMap<String, Origin>;

/// Where a group comes from that a sync brought in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The source.
    pub(crate) source: String,
    /// When the source was last read.
    pub(crate) seen: Option<Micros>,
    /// Why it could not be read lately.
    pub(crate) fault: Option<String>,
    /// What is noted here, over what the source tells.
    pub(crate) local: Vec<String>,
    /// Where sources say different things: the field, and who says what.
    pub(crate) disagreements: Vec<(String, Vec<Saying>)>,
    /// What the source tells of its history.
    pub(crate) history: Option<Summary>,
}

/// What a source says of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Saying {
    /// The source, or `here`.
    pub(crate) source: String,
    /// What it says.
    pub(crate) says: String,
    /// True for what is shown.
    pub(crate) is_shown: bool,
}
