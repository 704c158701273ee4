//! Writes that are parts of others: some features of a record, records of which each may fail alone; and the pages in which a
//! group's identifiers are listed.
//!
//! A change of some features reads the record, merges, and writes only if the very row that was read still stands; else
//! it begins again. So two changes of one record at the same moment both last, whichever process they come from.

use std::sync::Arc;

use super::records::check_targets;
use super::{FeatureStore, OnlineEffect, PutOptions, PutReceipt, Targets};
use crate::backend::online::{self, RowWrite, RowWriter};
use crate::ingest::expected::Expected;
use crate::model::record::identifier_key;
use crate::model::{Arrival, Error, ErrorKind, EventTime, FeatureGroup, FeatureValue, RawValue, Record, Result, Ttl};

/// How often a change begins again before it gives up: each time another one was faster.
const ATTEMPTS: usize = 100;

/// One record of a batch.
#[derive(Debug, Clone)]
pub struct BatchEntry {
    /// Name of its group.
    pub group: String,
    /// Names and values.
    pub pairs: Vec<(String, RawValue)>,
    /// How to put it.
    pub options: PutOptions,
}

/// Some features of a record.
#[derive(Debug, Clone)]
pub struct FeatureChange {
    /// Which record.
    pub identifier: String,
    /// Features with their new values; the event time may be among them.
    pub pairs: Vec<(String, RawValue)>,
    /// Stores it goes to; none is all the group has.
    pub targets: Option<Targets>,
    /// A new ttl, from the event time that must then be given; none keeps the record's expiry.
    pub ttl: Option<Ttl>,
}

/// Identifiers in key order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierPage {
    /// At most as many as asked for.
    pub identifiers: Vec<String>,
    /// True if more follow the last one.
    pub has_more: bool,
}

/// A record as it stood when it was read for a change.
struct Standing {
    version: (EventTime, Arrival),
    expires_at: Option<EventTime>,
    values: Vec<Option<RawValue>>,
}

impl FeatureStore {
    /// Puts records of any groups in order; each fails alone. Those that are well-formed share one transaction.
    pub async fn put_batch(&self, entries: Vec<BatchEntry>) -> Result<Vec<Result<PutReceipt>>> {
        self.check_writable()?;
        let mut answers: Vec<Option<Result<PutReceipt>>> = Vec::with_capacity(entries.len());
        let mut writes = Vec::with_capacity(entries.len());
        let mut written: Vec<(usize, Arc<FeatureGroup>)> = Vec::with_capacity(entries.len());
        for (place, entry) in entries.into_iter().enumerate() {
            let prepared = match self.group(&entry.group).await {
                Ok(group) => Expected::of(&group.schema)
                    .and_then(|expected| self.write_of(&group, &expected, entry.pairs, entry.options))
                    .map(|write| (group, write)),
                Err(error) => Err(error),
            };
            match prepared {
                Ok((group, write)) => {
                    writes.push(write);
                    written.push((place, group));
                    answers.push(None);
                }
                Err(error) => answers.push(Some(Err(error))),
            }
        }
        let outcomes = if writes.is_empty() { Vec::new() } else { self.inner.writer.write(writes).await? };
        for ((place, group), outcome) in written.into_iter().zip(outcomes) {
            answers[place] = Some(Ok(PutReceipt { arrival: outcome.arrival, online: outcome.online }));
            self.after_writes(&group, 1);
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or_else(|| Err(Error::internal("a put had no outcome")))).collect())
    }

    /// Changes some features of the latest record of an identifier; the others stay as they are.
    ///
    /// # Errors
    /// `NotFound` if there is no record, or it is deleted or expired; `Conflict` if the event time that is given is earlier
    /// than the record's; `Invalid` for a value that its feature can't hold, or a ttl without an event time.
    pub async fn update_record(&self, group: &str, change: FeatureChange) -> Result<PutReceipt> {
        self.check_writable()?;
        let group = self.group(group).await?;
        if group.online.is_none() {
            return Err(Error::invalid(format!("'{}' has no online store", group.name)).remedy("put the whole record instead"));
        }
        let targets = check_targets(&group, change.targets)?;
        for _ in 0..ATTEMPTS {
            let key = identifier_key(&group.schema, &change.identifier)?;
            let absent = || {
                Error::not_found(format!("there is no record '{}' in '{}'", change.identifier.escape_debug(), group.name))
                    .remedy("put the whole record first")
            };
            let standing = self.standing_record(&group, &key)?.ok_or_else(absent)?;
            let row = self.merged(&group, &key, &change, &standing)?;
            let write =
                RowWrite { group: group.id, row, targets, hard_delete: false, replaces: targets.online.then_some(standing.version) };
            let outcomes = self.inner.writer.write(vec![write]).await?;
            let outcome = outcomes.into_iter().next().ok_or_else(|| Error::internal("an update had no outcome"))?;
            if outcome.online != OnlineEffect::Overtaken {
                self.after_writes(&group, 1);
                return Ok(PutReceipt { arrival: outcome.arrival, online: outcome.online });
            }
        }
        Err(Error::new(ErrorKind::Locked, format!("the record '{}' is being changed by others", change.identifier.escape_debug()))
            .remedy("try again"))
    }

    fn standing_record(&self, group: &FeatureGroup, key: &str) -> Result<Option<Standing>> {
        let now = self.now();
        let mut found = None;
        self.inner.online.read(group.id, key, &mut |row| {
            if row.is_live(now) {
                let values = (0..group.schema.len()).map(|position| row.value(group.schema.slot(position))).collect();
                found = Some(Standing { version: row.version(), expires_at: row.expires_at(), values });
            }
            Ok(())
        })?;
        Ok(found)
    }

    fn merged(&self, group: &FeatureGroup, key: &str, change: &FeatureChange, standing: &Standing) -> Result<RowWriter> {
        let mode = self.inner.settings.time_mode;
        let mut given = vec![false; group.schema.len()];
        let mut raw = standing.values.clone();
        for (name, value) in &change.pairs {
            let (position, definition) = group.schema.feature(name)?;
            if std::mem::replace(&mut given[position], true) {
                return Err(Error::invalid(format!("'{}' is given twice", definition.name)).remedy("give each feature once"));
            }
            raw[position] = Some(value.clone());
        }
        let event_time_given = given[group.schema.event_time_position()];
        if change.ttl.is_some() && !event_time_given {
            return Err(
                Error::invalid("a ttl needs an event time").remedy(format!("give '{}' a value too", group.schema.event_time().name))
            );
        }
        let mut values: Vec<Option<FeatureValue>> = Vec::with_capacity(raw.len());
        for (definition, value) in group.schema.features().iter().zip(raw) {
            values.push(value.map(|value| FeatureValue::parse(definition, value)).transpose()?);
        }
        let record = Record::from_values(&group.schema, values, mode)?;
        if record.identifier != key {
            return Err(Error::invalid(format!("'{}' can't be changed", group.schema.identifier().name))
                .why("it is the record identifier")
                .remedy("leave it out, or put a record of its own"));
        }
        if record.event_time < standing.version.0 {
            return Err(Error::new(ErrorKind::Conflict, format!("the event time {} is too early", record.event_time))
                .why(format!("the record's is {}", standing.version.0))
                .remedy("give one that is not earlier, or leave it out"));
        }
        self.check_expected(group, &Expected::of(&group.schema)?, &record)?;
        let expires_at = change.ttl.map_or(standing.expires_at, |ttl| Some(ttl.expiry(record.event_time)));
        Ok(RowWriter::of_record(&record.in_slots(&group.schema), expires_at, false))
    }

    /// A page of a group's identifiers in key order, starting after one; soft-deleted ones only if asked, expired ones never.
    pub async fn identifier_page(&self, group: &str, after: Option<&str>, limit: usize, with_deleted: bool) -> Result<IdentifierPage> {
        let group = self.group(group).await?;
        if group.online.is_none() {
            return Err(Error::invalid(format!("'{}' has no online store", group.name)));
        }
        let online = self.inner.online.as_ref();
        let mut identifiers = online::identifiers(online, group.id, after, limit.saturating_add(1), with_deleted, self.now())?;
        let has_more = identifiers.len() > limit;
        identifiers.truncate(limit);
        Ok(IdentifierPage { identifiers, has_more })
    }
}
