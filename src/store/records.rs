//! Records: put, delete, look up, history.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::FeatureStore;
use super::lineage::usage::Operation;
use crate::backend::offline::{OfflineStore, Predicate, RowReader, TableSnapshot};
use crate::backend::online::{self, OnlineEffect, OnlineRow, RowView, RowWrite, RowWriter, Targets};
use crate::ingest::drain::{drain_mark_name, offline_row};
use crate::ingest::expected::Expected;
use crate::ingest::quarantine::Quarantine;
use crate::model::record::identifier_key;
use crate::model::{
    Arrival, Error, ErrorKind, EventTime, FeatureGroup, FeatureName, FeatureType, FeatureValue, GroupStatus, OnViolation, RawValue, Record,
    Result, Ttl,
};

/// How to put a record.
#[derive(Debug, Clone, Copy, Default)]
pub struct PutOptions {
    /// Stores it goes to; none is all the group has.
    pub targets: Option<Targets>,
    /// The record's own ttl; none is the group's.
    pub ttl: Option<Ttl>,
}

/// How to delete a record.
#[derive(Debug, Clone, Copy, Default)]
pub struct DeleteOptions {
    /// Removes the online row instead of leaving a tombstone; refused if it is older than the row.
    pub hard: bool,
    /// Stores it goes to; none is all the group has.
    pub targets: Option<Targets>,
}

/// An acknowledged write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutReceipt {
    /// When it was stored.
    pub arrival: Arrival,
    /// What it did to the online store.
    pub online: OnlineEffect,
}

/// The latest record of an identifier.
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineRecord {
    /// Record identifier.
    pub identifier: String,
    /// When it was true.
    pub event_time: EventTime,
    /// When it was stored.
    pub arrival: Arrival,
    /// The last instant at which it exists.
    pub expires_at: Option<EventTime>,
    /// Values in the order asked for, else in definition order; none is null.
    pub values: Vec<(FeatureName, FeatureType, Option<FeatureValue>)>,
}

/// Where a row of a history lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistorySource {
    /// In a Parquet file, relative to the group's data folder.
    Offline {
        /// The file.
        file: String,
    },
    /// In the outbox, not yet in Parquet.
    Outbox,
}

/// One record of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRow {
    /// When it was true.
    pub event_time: EventTime,
    /// When it was stored.
    pub write_time: Arrival,
    /// When the call that brought it arrived.
    pub api_invocation_time: Arrival,
    /// True for a delete marker.
    pub is_deleted: bool,
    /// Where it lies.
    pub source: HistorySource,
    /// Values in definition order; none is null.
    pub values: Vec<Option<FeatureValue>>,
}

impl FeatureStore {
    /// Puts a record; returns when it is durable.
    pub async fn put(&self, group: &str, pairs: Vec<(String, RawValue)>, options: PutOptions) -> Result<PutReceipt> {
        self.check_writable()?;
        let group = self.group(group).await?;
        self.put_into(&group, pairs, options).await
    }

    /// Puts a record into a group whose definition is at hand; returns when it is durable.
    pub async fn put_into<Name: AsRef<str>>(
        &self,
        group: &FeatureGroup,
        pairs: Vec<(Name, RawValue)>,
        options: PutOptions,
    ) -> Result<PutReceipt> {
        self.check_writable()?;
        let write = self.write_of(group, &Expected::of(&group.schema)?, pairs, options)?;
        let outcomes = self.inner.writer.write(vec![write]).await?;
        self.after_writes(group, 1);
        let outcome = outcomes.first().ok_or_else(|| Error::internal("a put had no outcome"))?;
        Ok(PutReceipt { arrival: outcome.arrival, online: outcome.online })
    }

    /// Puts records of one group, all or nothing; in order, so that the later of two equals wins.
    pub async fn put_many(&self, group: &str, records: Vec<Vec<(String, RawValue)>>, options: PutOptions) -> Result<Vec<PutReceipt>> {
        self.check_writable()?;
        let group = self.group(group).await?;
        let mut writes = Vec::with_capacity(records.len());
        let expected = Expected::of(&group.schema)?;
        for (number, pairs) in records.into_iter().enumerate() {
            let write = self
                .write_of(&group, &expected, pairs, options)
                .map_err(|error| if number == 0 { error } else { error.within(format_args!("record {}", number + 1)) })?;
            writes.push(write);
        }
        let outcomes = self.inner.writer.write(writes).await?;
        self.after_writes(&group, outcomes.len() as u64);
        Ok(outcomes.into_iter().map(|outcome| PutReceipt { arrival: outcome.arrival, online: outcome.online }).collect())
    }

    /// Refuses a record that is not what is expected of its group's values.
    pub(super) fn check_expected(&self, group: &FeatureGroup, expected: &Expected, record: &Record) -> Result<()> {
        let violations = expected.violations_of(&record.values);
        let Some(worst) = violations.iter().find(|violation| violation.then != OnViolation::Warn) else {
            for violation in violations {
                let feature = &group.schema.features()[violation.feature].name;
                tracing::warn!(group = %group.name, %feature, reason = violation.reason, "a record is kept that is not as expected");
            }
            return Ok(());
        };
        let feature = &group.schema.features()[worst.feature].name;
        let error = Error::invalid(format!("'{feature}' of record '{}': {}", record.identifier.escape_debug(), worst.reason));
        if worst.then == OnViolation::Reject {
            return Err(error.remedy("mend the value, or change what is expected with `larder update`"));
        }
        let mut quarantine = Quarantine::new(&self.inner.folder.join("quarantine").join(format!("{}.jsonl", group.name)), "put");
        let values = group.schema.features().iter().zip(&record.values);
        let row: serde_json::Map<String, serde_json::Value> =
            values.filter_map(|(feature, value)| Some((feature.name.to_string(), value.as_ref()?.to_json()))).collect();
        quarantine.set_aside(&serde_json::json!({"field": feature.as_str(), "reason": worst.reason, "row": row}))?;
        quarantine.sync()?;
        Err(error.why(format!("it was set aside in {}", quarantine.path().display())).remedy("mend the value and put it again"))
    }

    /// The write of a record that is put, checked against its group.
    pub(super) fn write_of<Name: AsRef<str>>(
        &self,
        group: &FeatureGroup,
        expected: &Expected,
        pairs: Vec<(Name, RawValue)>,
        options: PutOptions,
    ) -> Result<RowWrite> {
        let targets = check_targets(group, options.targets)?;
        if options.ttl.is_some() && group.online.is_none() {
            return Err(Error::invalid(format!("'{}' has no online store, so a record of it can't have a ttl", group.name))
                .remedy("leave the ttl out"));
        }
        let record = Record::from_pairs(&group.schema, pairs, self.inner.settings.time_mode)?;
        self.check_expected(group, expected, &record)?;
        let expires_at = options.ttl.or(group.ttl()).map(|ttl| ttl.expiry(record.event_time));
        let row = RowWriter::of_record(&record.in_slots(&group.schema), expires_at, false);
        Ok(RowWrite { group: group.id, row, targets, hard_delete: false, replaces: None })
    }

    /// Deletes a record: a tombstone, or with `hard` its removal; the history gets a delete marker either way.
    ///
    /// # Errors
    /// `Invalid` if a hard delete is older than the record: nothing is written then.
    pub async fn delete(&self, group: &str, identifier: &str, event_time: &str, options: DeleteOptions) -> Result<PutReceipt> {
        self.check_writable()?;
        let group = self.group(group).await?;
        let targets = check_targets(&group, options.targets)?;
        let record = Record::tombstone(&group.schema, identifier, event_time, self.inner.settings.time_mode)?;
        let event_time = record.event_time;
        let row = RowWriter::of_record(&record.in_slots(&group.schema), None, true);
        let hard_delete = options.hard && targets.online;
        let outcomes = self.inner.writer.write(vec![RowWrite { group: group.id, row, targets, hard_delete, replaces: None }]).await?;
        let outcome = outcomes.into_iter().next().ok_or_else(|| Error::internal("a delete had no outcome"))?;
        if let OnlineEffect::Refused { standing } = outcome.online {
            return Err(Error::invalid(format!("'{}' was not deleted", identifier.escape_debug()))
                .why(format!("the record's event time is {standing}, later than the delete's {event_time}"))
                .remedy("give an event time that is not earlier"));
        }
        self.after_writes(&group, 1);
        Ok(PutReceipt { arrival: outcome.arrival, online: outcome.online })
    }

    /// Looks up the latest record of an identifier; none if there is none, or it is deleted or expired.
    pub async fn get(&self, group: &str, identifier: &str, features: Option<&[String]>) -> Result<Option<OnlineRecord>> {
        let group = self.group(group).await?;
        let positions = feature_positions(&group, features)?;
        self.inner.usage.count(&group, positions.as_deref(), Operation::Get);
        self.find(&group, identifier, positions.as_deref())
    }

    /// Looks up several identifiers of a group, from the same group definition; none where there is no record.
    pub async fn batch_get(&self, group: &str, identifiers: &[String], features: Option<&[String]>) -> Result<Vec<Option<OnlineRecord>>> {
        let group = self.group(group).await?;
        let positions = feature_positions(&group, features)?;
        let Some(first) = identifiers.first() else { return Ok(Vec::new()) };
        check_has_online(&group, first)?;
        let keys = keys_of(&group, identifiers.iter().map(String::as_str));
        let known: Vec<&str> = keys.iter().flatten().map(String::as_str).collect();
        let slots = slots_of(&group, positions.as_deref());
        let rows = online::get_many(self.inner.online.as_ref(), group.id, &known, slots.as_deref(), group.schema.width(), self.now())?;
        let mut rows = rows.into_iter();
        let mut found = Vec::with_capacity(identifiers.len());
        for key in &keys {
            self.inner.usage.count(&group, positions.as_deref(), Operation::BatchGet);
            let row = key.as_ref().and_then(|_| rows.next().flatten());
            found.push(row.map(|row| online_record(&group, row)).transpose()?);
        }
        Ok(found)
    }

    /// The look-up itself: a plain function on a definition at hand. Counts as one read of these features, or of all.
    pub fn look_up(&self, group: &FeatureGroup, identifier: &str, positions: Option<&[usize]>) -> Result<Option<OnlineRecord>> {
        self.inner.usage.count(group, positions, Operation::Get);
        self.find(group, identifier, positions)
    }

    fn find(&self, group: &FeatureGroup, identifier: &str, positions: Option<&[usize]>) -> Result<Option<OnlineRecord>> {
        check_has_online(group, identifier)?;
        // An identifier that no record can have has none.
        let Ok(key) = identifier_key(&group.schema, identifier) else { return Ok(None) };
        let slots = slots_of(group, positions);
        let row = online::get(self.inner.online.as_ref(), group.id, &key, slots.as_deref(), group.schema.width(), self.now())?;
        row.map(|row| online_record(group, row)).transpose()
    }

    /// Shows the latest record of an identifier as it lies in the store, without a copy; none if there is none, or it is
    /// deleted or expired. What stands where in the row, [`crate::model::Schema::slot`] says.
    /// Counts as one read of the features asked for, which `show` picks, or of all.
    /// An online store that is far away is asked for all who wait at once, and no thread waits.
    pub async fn view<T: Send>(
        &self,
        group: &FeatureGroup,
        identifier: &str,
        positions: Option<&[usize]>,
        mut show: impl FnMut(RowView<'_>) -> T + Send,
    ) -> Result<Option<T>> {
        check_has_online(group, identifier)?;
        self.inner.usage.count(group, positions, Operation::Get);
        let Ok(key) = identifier_key(&group.schema, identifier) else { return Ok(None) };
        let now = self.now();
        let mut shown = None;
        let mut visit = |row: RowView<'_>| {
            if row.is_live(now) {
                shown = Some(show(row));
            }
        };
        match self.inner.online.elsewhere() {
            Some(redis) => redis.read_together(group.id, &key, visit).await?,
            None => self.inner.online.read(group.id, &key, &mut |row| {
                visit(row);
                Ok(())
            })?,
        };
        Ok(shown)
    }

    /// Shows several records as [`Self::view`] does, each with its place in the list; an online store that is far away is asked once.
    pub fn view_many(
        &self,
        group: &FeatureGroup,
        identifiers: &[String],
        positions: Option<&[usize]>,
        show: &mut dyn FnMut(usize, Result<Option<RowView<'_>>>),
    ) -> Result<()> {
        let Some(first) = identifiers.first() else { return Ok(()) };
        check_has_online(group, first)?;
        let keys = keys_of(group, identifiers.iter().map(String::as_str));
        let known: Vec<(usize, &str)> = keys.iter().enumerate().filter_map(|(place, key)| Some((place, key.as_deref()?))).collect();
        let asked: Vec<&str> = known.iter().map(|(_, key)| *key).collect();
        let now = self.now();
        self.inner.online.read_many(group.id, &asked, &mut |place, row| {
            show(known[place].0, row.map(|row| row.filter(|row| row.is_live(now))));
        });
        for _ in identifiers {
            self.inner.usage.count(group, positions, Operation::Get);
        }
        Ok(())
    }

    /// Identifiers of a group's online records in key order, starting after one.
    pub async fn identifiers(&self, group: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
        let group = self.group(group).await?;
        online::identifiers(self.inner.online.as_ref(), group.id, after, limit, false, self.now())
    }

    /// Every record of an identifier, newest first: from the history and the outbox.
    pub async fn history(&self, group: &str, identifier: &str, limit: usize) -> Result<Vec<HistoryRow>> {
        let group = self.group(group).await?;
        if !group.keeps_history() {
            let why = if group.is_external() { "it is external" } else { "it has no offline store" };
            return Err(Error::invalid(format!("'{}' has no history of records", group.name))
                .why(why)
                .remedy("ask SQL, or look the record up with `larder get`"));
        }
        self.inner.usage.count(&group, None, Operation::History);
        let Ok(key) = identifier_key(&group.schema, identifier) else { return Ok(Vec::new()) };
        // Outbox first, table second: a drain in between shows a record twice, and the mark drops the second.
        let mut waiting = Vec::new();
        self.inner.online.outbox(group.id, Arrival(0), &mut |row| {
            if row.identifier() == key {
                waiting.push(offline_row(&group.schema, row)?);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut rows = Vec::new();
        match self.inner.offline.snapshot(&group).await {
            Ok(snapshot) => {
                let mark = Arrival(snapshot.mark(&drain_mark_name(self.inner.online.as_ref())).unwrap_or(0));
                waiting.retain(|row| row.arrival > mark);
                let (offline, definition) = (self.inner.offline.clone(), group.clone());
                let wanted = Predicate { identifier: Some(key), ..Predicate::default() };
                let scanned = tokio::task::spawn_blocking(move || rows_in_files(&offline, &snapshot, &definition, &wanted));
                rows = scanned.await.map_err(|error| Error::internal("the look into the history stopped").source(error))??;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        rows.extend(waiting.into_iter().map(|row| HistoryRow {
            event_time: row.event_time,
            write_time: row.arrival,
            api_invocation_time: row.arrival,
            is_deleted: row.is_deleted,
            source: HistorySource::Outbox,
            values: row.values,
        }));
        // Stable, on rows in the order of files and rows: where all three are equal the later row is the newer one.
        rows.sort_by_key(|row| (row.event_time, row.api_invocation_time, row.write_time));
        rows.reverse();
        rows.truncate(limit);
        Ok(rows)
    }
}

fn rows_in_files(offline: &OfflineStore, snapshot: &TableSnapshot, group: &FeatureGroup, wanted: &Predicate) -> Result<Vec<HistoryRow>> {
    let mut rows = Vec::new();
    for part in offline.scan(snapshot, None, wanted)? {
        let part = part?;
        let reader = RowReader::new(&group.schema, &part.batch);
        for row in 0..part.batch.num_rows() {
            rows.push(HistoryRow {
                event_time: reader.event_time(row)?,
                write_time: reader.write_time(row),
                api_invocation_time: reader.api_invocation_time(row),
                is_deleted: reader.is_deleted(row),
                source: HistorySource::Offline { file: part.file.to_string() },
                values: reader.values(row)?,
            });
        }
    }
    Ok(rows)
}

/// The keys of identifiers; none for one that no record can have.
fn keys_of<'a>(group: &FeatureGroup, identifiers: impl Iterator<Item = &'a str>) -> Vec<Option<String>> {
    identifiers.map(|identifier| identifier_key(&group.schema, identifier).ok()).collect()
}

fn check_has_online(group: &FeatureGroup, identifier: &str) -> Result<()> {
    if group.online.is_some() {
        return Ok(());
    }
    let error = Error::invalid(format!("'{}' has no online store", group.name));
    Err(if group.is_external() {
        error.why("its files are read in place").remedy(format!("ask SQL: `larder query 'select * from \"{}\"'`", group.name))
    } else {
        error.remedy(format!("ask its history: `larder history {} {}`", group.name, identifier.escape_debug()))
    })
}

pub(super) fn check_targets(group: &FeatureGroup, asked: Option<Targets>) -> Result<Targets> {
    if group.status != GroupStatus::Created {
        return Err(Error::new(ErrorKind::Conflict, format!("'{}' takes no records", group.name)).why(format!("it is {}", group.status)));
    }
    if group.is_external() {
        return Err(Error::invalid(format!("'{}' takes no records", group.name))
            .why("it reads external files in place")
            .remedy("make a group of its own with `larder create`"));
    }
    let has = Targets { online: group.online.is_some(), offline: group.keeps_history() };
    let targets = asked.unwrap_or(has);
    for (wanted, there, store) in [(targets.online, has.online, "online"), (targets.offline, has.offline, "offline")] {
        if wanted && !there {
            return Err(Error::invalid(format!("'{}' has no {store} store", group.name)).remedy("leave that store out of the targets"));
        }
    }
    if !targets.online && !targets.offline {
        return Err(Error::invalid("a record must go to one store at least").remedy("name online, offline or both"));
    }
    Ok(targets)
}

/// Positions of the named features; none for all.
fn feature_positions(group: &FeatureGroup, features: Option<&[String]>) -> Result<Option<Vec<usize>>> {
    let Some(features) = features else { return Ok(None) };
    features.iter().map(|name| group.schema.feature(name).map(|(position, _)| position)).collect::<Result<_>>().map(Some)
}

/// Where these features stand in rows; none for all that ever were. Without removed features that is where they are defined.
fn slots_of<'a>(group: &FeatureGroup, positions: Option<&'a [usize]>) -> Option<Cow<'a, [usize]>> {
    positions.map(|positions| match group.schema.removed().is_empty() {
        true => Cow::Borrowed(positions),
        false => positions.iter().map(|position| group.schema.slot(*position)).collect(),
    })
}

fn online_record(group: &FeatureGroup, row: OnlineRow) -> Result<OnlineRecord> {
    let mut values = Vec::with_capacity(row.values.len());
    for (slot, raw) in row.values {
        let Some(position) = group.schema.at_slot(slot) else { continue };
        let definition = &group.schema.features()[position];
        let value = raw.map(|raw| FeatureValue::parse(definition, raw)).transpose()?;
        values.push((definition.name.clone(), definition.feature_type, value));
    }
    Ok(OnlineRecord { identifier: row.identifier, event_time: row.event_time, arrival: row.arrival, expires_at: row.expires_at, values })
}
