//! Marks of a load: how far it is, so that the same command goes on from there.
//!
//! | mark | value |
//! |---|---|
//! | `arrivals` | the first arrival of its block |
//! | `rejects` | `begun` once the rejects file is this run's own |
//! | `parts` | number of parts that count |
//! | `part-00000` … | a part as JSON: its file, the position of the inputs behind it, totals up to there |
//! | `staged` | totals as JSON once the inputs are read to their end |
//! | `committed` | `true` |
//! | `online` | parts, and identifiers of those being merged, that are in the online store |
//!
//! Marks can't be removed, so `parts` says which of them count and an empty `staged` is none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ingest::files::Position;
use crate::model::{Arrival, Error, Result};

/// Rows so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) rows: u64,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) nulled: u64,
}

/// A staged part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PartMark {
    /// Its file: relative to the table's data folder, or to the spool folder.
    pub(super) path: String,
    /// Bytes of it.
    pub(super) size: u64,
    /// Its statistics, as a Delta log has them.
    pub(super) statistics: String,
    /// Where reading goes on behind it.
    pub(super) position: Position,
    /// Totals up to there.
    pub(super) totals: Totals,
    /// Length of the rejects file up to there.
    pub(super) rejects_length: u64,
}

/// How far the online store is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct OnlineMark {
    /// Parts before this one are done; it is the first of those that are merged.
    pub(super) part: usize,
    /// Identifiers of that merge that are done.
    pub(super) rows: u64,
    /// Rows of files they stand for, for progress.
    pub(super) seen: u64,
    /// Of all rows done, those that were newer than what stood.
    pub(super) applied: u64,
}

impl OnlineMark {
    pub(super) fn to_text(self) -> Result<String> {
        json(&self)
    }
}

#[derive(Serialize, Deserialize)]
struct StagedMark {
    totals: Totals,
    rejects_length: u64,
}

/// All marks of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    pub(super) first_arrival: Option<Arrival>,
    pub(super) rejects_begun: bool,
    pub(super) parts: Vec<PartMark>,
    pub(super) staged: bool,
    pub(super) totals: Totals,
    pub(super) committed: bool,
    pub(super) online: OnlineMark,
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("can't write a mark").source(error))
}

fn part_name(number: usize) -> String {
    format!("part-{number:05}")
}

impl Marks {
    pub(super) fn parse(marks: &BTreeMap<String, String>) -> Result<Self> {
        let broken = |name: &str| {
            Error::corrupt(format!("mark '{name}' of an interrupted load can't be read"))
                .remedy("change an option of the command, for instance --rejects, to load from the start")
        };
        let mut read = Self::default();
        if let Some(text) = marks.get("arrivals") {
            read.first_arrival = Some(Arrival(text.parse().map_err(|_| broken("arrivals"))?));
        }
        read.rejects_begun = marks.contains_key("rejects");
        let parts: usize = marks.get("parts").map_or(Ok(0), |text| text.parse()).map_err(|_| broken("parts"))?;
        for number in 0..parts {
            let name = part_name(number);
            let part: PartMark = marks.get(&name).and_then(|text| serde_json::from_str(text).ok()).ok_or_else(|| broken(&name))?;
            read.totals = part.totals;
            read.parts.push(part);
        }
        if let Some(text) = marks.get("staged").filter(|text| !text.is_empty()) {
            let staged: StagedMark = serde_json::from_str(text).map_err(|_| broken("staged"))?;
            (read.staged, read.totals) = (true, staged.totals);
        }
        read.committed = marks.contains_key("committed");
        if let Some(text) = marks.get("online") {
            read.online = serde_json::from_str(text).map_err(|_| broken("online"))?;
        }
        Ok(read)
    }

    /// Takes a part in; returns the marks to note.
    pub(super) fn add_part(&mut self, part: PartMark) -> Vec<(String, String)> {
        let name = part_name(self.parts.len());
        self.totals = part.totals;
        let text = json(&part).unwrap_or_default();
        self.parts.push(part);
        vec![(name, text), ("parts".into(), self.parts.len().to_string())]
    }

    /// Forgets parts behind the first `whole`.
    pub(super) fn truncate(&mut self, whole: usize) {
        self.parts.truncate(whole);
        self.staged = false;
        self.totals = self.parts.last().map(|part| part.totals).unwrap_or_default();
        self.online = OnlineMark::default();
    }

    /// Marks to note after [`Self::truncate`].
    pub(super) fn truncation(&self) -> Vec<(String, String)> {
        let online = self.online.to_text().unwrap_or_default();
        vec![("parts".into(), self.parts.len().to_string()), ("staged".into(), String::new()), ("online".into(), online)]
    }

    /// Notes that the inputs are read to their end.
    pub(super) fn end_staging(&mut self, totals: Totals, rejects_length: u64) -> Vec<(String, String)> {
        self.totals = totals;
        self.staged = true;
        vec![("staged".into(), json(&StagedMark { totals, rejects_length }).unwrap_or_default())]
    }

    /// Where reading goes on: position, totals, length of the rejects file, number of the next part.
    pub(super) fn reading_from(&self) -> (Position, Totals, u64, usize) {
        match self.parts.last() {
            Some(part) => (part.position, part.totals, part.rejects_length, self.parts.len()),
            None => Default::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn part(rows: u64) -> PartMark {
        let totals = Totals { rows, accepted: rows - 1, rejected: 1, nulled: 0 };
        PartMark {
            path: format!("p{rows}"),
            size: 10,
            statistics: "{}".into(),
            position: Position { input: 0, rows },
            totals,
            rejects_length: 7,
        }
    }

    #[test]
    fn marks_read_back_as_they_were_noted() {
        let mut noted = BTreeMap::new();
        let mut marks = Marks { first_arrival: Some(Arrival(5)), ..Marks::default() };
        noted.insert("arrivals".to_owned(), "5".to_owned());
        for rows in [10, 20, 30] {
            noted.extend(marks.add_part(part(rows)));
        }
        noted.extend(marks.end_staging(Totals { rows: 31, accepted: 29, rejected: 2, nulled: 1 }, 9));
        let read = Marks::parse(&noted).unwrap();
        assert_eq!((read.first_arrival, &read.parts, read.staged, read.totals), (Some(Arrival(5)), &marks.parts, true, marks.totals));

        marks.truncate(1);
        noted.extend(marks.truncation());
        let read = Marks::parse(&noted).unwrap();
        assert_eq!(
            (read.parts.len(), read.staged, read.totals.rows),
            (1, false, 10),
            "parts behind the first don't count, though their marks are there"
        );
        assert_eq!(read.reading_from(), (Position { input: 0, rows: 10 }, part(10).totals, 7, 1));

        noted.insert("online".into(), "?".into());
        assert!(Marks::parse(&noted).is_err());
    }
}
