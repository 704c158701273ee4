//! Writes on their way to an online store that lies elsewhere, durable before they are sent.
//!
//! ```text
//! reserve: arrival + entry here (fsync) → the store elsewhere decides → settle: entry gone, row in the outbox (fsync) → acknowledge
//! ```
//! What stands here is nobody's record yet: drains and queries read the outbox only. So a write that the other store refuses leaves
//! nothing, and one that may have been lost on the way is still here, to be sent again. A queued entry is acknowledged: its row is in
//! the outbox already, and only the other store has not got it.
//!
//! An entry that is not queued holds drains back: a drain's mark says that everything up to it is in files, so it may not pass a
//! write that may still come to the outbox ([`LmdbStore::outbox_to_drain`]).
//!
//! Key: 0, or 1 for a queued entry · arrival (8, big-endian).
//! Value: group (16) · flags (1) · the row that must stand: seconds (8), nanoseconds (4), arrival (8) · row.

use std::collections::HashMap;
use std::ops::{Bound, ControlFlow};

use heed::types::Bytes;
use heed::{CommitOrAbort, RoTxn, RwTxn};

use super::{GroupState, LmdbStore, Table, fault};
use crate::backend::online::Visitor;
use crate::backend::online::key::outbox_key;
use crate::backend::online::row::{RowView, restamped};
use crate::backend::online::write::{OnlineEffect, RowWrite, Targets, WriteOutcome};
use crate::model::{Arrival, Error, ErrorKind, EventTime, GroupId, Result};

const NAME: &str = "waiting";
const HEAD: usize = 37;

const OFFLINE: u8 = 1;
const HARD: u8 = 2;
const REPLACES: u8 = 4;
const QUEUED: u8 = 8;

fn key_of(arrival: Arrival, is_queued: bool) -> [u8; 9] {
    let mut key = [u8::from(is_queued); 9];
    key[1..].copy_from_slice(&arrival.0.to_be_bytes());
    key
}

/// A write that waits for the other store.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The group.
    pub group: GroupId,
    /// Its arrival, by which it is known.
    pub arrival: Arrival,
    /// True if it goes to the history too.
    pub offline: bool,
    /// See [`RowWrite::hard_delete`].
    pub hard_delete: bool,
    /// See [`RowWrite::replaces`].
    pub replaces: Option<(EventTime, Arrival)>,
    /// True if it is acknowledged.
    pub is_queued: bool,
    /// The finished row.
    pub row: Vec<u8>,
}

impl Waiting {
    /// True if the other store must be asked whether the write takes place at all.
    pub fn is_conditional(&self) -> bool {
        self.hard_delete || self.replaces.is_some()
    }

    /// True if the group's two stores may differ after it.
    pub fn is_one_sided(&self) -> bool {
        self.hard_delete || !self.offline
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.row.len());
        let flag = |flag: u8, is_set: bool| if is_set { flag } else { 0 };
        bytes.extend_from_slice(self.group.bytes());
        bytes.push(
            flag(OFFLINE, self.offline)
                | flag(HARD, self.hard_delete)
                | flag(REPLACES, self.replaces.is_some())
                | flag(QUEUED, self.is_queued),
        );
        let (event_time, arrival) = self.replaces.unwrap_or((EventTime::MIN, Arrival(0)));
        bytes.extend_from_slice(&event_time.unix_seconds().to_le_bytes());
        bytes.extend_from_slice(&event_time.subsecond_nanos().to_le_bytes());
        bytes.extend_from_slice(&arrival.0.to_le_bytes());
        bytes.extend_from_slice(&self.row);
        bytes
    }

    fn decode(key: &[u8], bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::corrupt("a write that waits for the online store is damaged").remedy("run `larder doctor`");
        let eight = |at: usize| bytes.get(at..at + 8).and_then(|eight| <[u8; 8]>::try_from(eight).ok());
        let group = bytes.get(..16).and_then(|id| uuid::Uuid::from_slice(id).ok()).ok_or_else(damaged)?;
        let flags = *bytes.get(16).ok_or_else(damaged)?;
        let nanos = bytes.get(25..29).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes).ok_or_else(damaged)?;
        let event_time = eight(17).and_then(|seconds| EventTime::new(i64::from_le_bytes(seconds), nanos)).ok_or_else(damaged)?;
        let standing = Arrival(eight(29).map(u64::from_le_bytes).ok_or_else(damaged)?);
        Ok(Self {
            group: GroupId(group),
            arrival: Arrival(key.get(1..).and_then(|key| key.try_into().ok()).map(u64::from_be_bytes).ok_or_else(damaged)?),
            offline: flags & OFFLINE != 0,
            hard_delete: flags & HARD != 0,
            replaces: (flags & REPLACES != 0).then_some((event_time, standing)),
            is_queued: flags & QUEUED != 0,
            row: bytes.get(HEAD..).ok_or_else(damaged)?.to_vec(),
        })
    }
}

/// What becomes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// The other store has decided, and the write took place: to the outbox, and gone.
    Confirm,
    /// Acknowledged without the other store: to the outbox, and kept.
    Queue,
    /// It did not take place: gone without a trace.
    Cancel,
}

/// What reserving a write made of it.
#[derive(Debug)]
pub enum Reserved {
    /// It waits for the other store.
    Waiting(Waiting),
    /// It was not for the other store, and is done.
    Done(WriteOutcome),
}

fn entry_of(table: Table, txn: &RoTxn<'_>, arrival: Arrival) -> Result<Option<Waiting>> {
    for is_queued in [false, true] {
        let key = key_of(arrival, is_queued);
        if let Some(bytes) = table.get(txn, &key).map_err(fault)? {
            return Waiting::decode(&key, bytes).map(Some);
        }
    }
    Ok(None)
}

impl LmdbStore {
    /// The table, made unless the store was opened for reading only.
    fn waiting_table(&self) -> Result<Option<Table>> {
        let shared = &self.shared;
        if let Some(table) = shared.waiting.get() {
            return Ok(Some(*table));
        }
        let txn = shared.env.read_txn().map_err(fault)?;
        let opened = shared.env.open_databases_and_commit(txn, |opener, txn| {
            Ok::<_, heed::Error>(match opener.open_database::<Bytes, Bytes>(txn, Some(NAME))? {
                Some(table) => CommitOrAbort::Commit(table),
                None => CommitOrAbort::Abort(()),
            })
        });
        let table = match opened.map_err(fault)? {
            CommitOrAbort::Commit(table) => table,
            CommitOrAbort::Abort(()) if shared.read_only => return Ok(None),
            CommitOrAbort::Abort(()) => {
                let txn = shared.env.write_txn().map_err(fault)?;
                let made = shared.env.create_databases_and_commit(txn, |opener, txn| {
                    let table = opener.create_database::<Bytes, Bytes>(txn, Some(NAME))?;
                    Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(table))
                });
                match made.map_err(fault)? {
                    CommitOrAbort::Commit(table) => table,
                    CommitOrAbort::Abort(()) => return Ok(None),
                }
            }
        };
        Ok(Some(*shared.waiting.get_or_init(|| table)))
    }

    fn writable_waiting(&self) -> Result<Table> {
        self.waiting_table()?.ok_or_else(|| Error::new(ErrorKind::ReadOnly, "the store was opened for reading only"))
    }

    /// Notes writes durably, each with its arrival. Those that are for the history only are in the outbox afterwards.
    ///
    /// # Errors
    /// `Full` if too much waits in a group's outbox or here: nothing is kept.
    pub fn reserve(&self, now: EventTime, writes: Vec<RowWrite>) -> Result<Vec<Reserved>> {
        let table = self.writable_waiting()?;
        let mut txn = self.write_txn()?;
        let mut arrival = self.last_arrival(&txn)?;
        let mut states: HashMap<GroupId, GroupState> = HashMap::new();
        let mut bytes = self.waiting_bytes(&txn)?;
        let mut reserved = Vec::with_capacity(writes.len());
        for write in writes {
            let RowWrite { group, row, targets, hard_delete, replaces } = write;
            if let std::collections::hash_map::Entry::Vacant(unknown) = states.entry(group) {
                unknown.insert(self.state(&txn, group)?);
            }
            let Some(state) = states.get_mut(&group) else { continue };
            if state.counts.outbox_bytes.max(bytes) >= self.options.outbox_limit {
                return Err(Error::new(ErrorKind::Full, "the outbox is full")
                    .why("records wait to be written to Parquet, or to be taken by the online store")
                    .remedy("run `larder flush` and see what it says"));
            }
            arrival = arrival.next(now);
            let row = row.stamp(arrival);
            if targets.online {
                let waiting = Waiting { group, arrival, offline: targets.offline, hard_delete, replaces, is_queued: false, row };
                let entry = waiting.encode();
                bytes += entry.len() as u64;
                table.put(&mut txn, &key_of(arrival, false), &entry).map_err(fault)?;
                reserved.push(Reserved::Waiting(waiting));
            } else {
                state.counts.one_sided |= targets != Targets::BOTH;
                self.append(&mut txn, state, group, arrival, &row)?;
                reserved.push(Reserved::Done(WriteOutcome { arrival, online: OnlineEffect::NotAsked }));
            }
        }
        self.put_states(&mut txn, &states)?;
        self.put_last_arrival(&mut txn, arrival)?;
        self.put_waiting_bytes(&mut txn, bytes)?;
        self.commit(txn, "writes that wait for the online store")?;
        Ok(reserved)
    }

    /// Ends entries, in one durable transaction. One that is gone was settled by another process, and stays so.
    pub fn settle(&self, settlements: &[(Arrival, Settlement)]) -> Result<()> {
        if settlements.is_empty() {
            return Ok(());
        }
        let table = self.writable_waiting()?;
        let mut txn = self.write_txn()?;
        let mut states: HashMap<GroupId, GroupState> = HashMap::new();
        let mut freed = 0;
        for (arrival, settlement) in settlements {
            let Some(mut waiting) = entry_of(table, &txn, *arrival)? else { continue };
            let key = key_of(*arrival, waiting.is_queued);
            let length = (HEAD + waiting.row.len()) as u64;
            if let std::collections::hash_map::Entry::Vacant(unknown) = states.entry(waiting.group) {
                unknown.insert(self.state(&txn, waiting.group)?);
            }
            let Some(state) = states.get_mut(&waiting.group) else { continue };
            if *settlement != Settlement::Cancel && !waiting.is_queued {
                state.counts.one_sided |= waiting.is_one_sided();
                if waiting.offline {
                    self.append(&mut txn, state, waiting.group, *arrival, &waiting.row)?;
                }
            }
            table.delete(&mut txn, &key).map_err(fault)?;
            if *settlement == Settlement::Queue {
                waiting.is_queued = true;
                table.put(&mut txn, &key_of(*arrival, true), &waiting.encode()).map_err(fault)?;
            } else {
                freed += length;
            }
        }
        self.put_states(&mut txn, &states)?;
        let bytes = self.waiting_bytes(&txn)?.saturating_sub(freed);
        self.put_waiting_bytes(&mut txn, bytes)?;
        self.commit(txn, "settled writes")
    }

    /// Gives entries an arrival above another one; returns them in order, none for one that is gone. The row of a queued
    /// entry stays in the history under its old arrival too.
    pub fn restamp(&self, entries: &[(Arrival, Arrival)], now: EventTime) -> Result<Vec<Option<Waiting>>> {
        let table = self.writable_waiting()?;
        let mut txn = self.write_txn()?;
        let mut last = self.last_arrival(&txn)?;
        let mut found = Vec::with_capacity(entries.len());
        for (arrival, above) in entries {
            let Some(waiting) = entry_of(table, &txn, *arrival)? else {
                found.push(None);
                continue;
            };
            let key = key_of(*arrival, waiting.is_queued);
            last = last.max(*above).next(now);
            let waiting = Waiting { row: restamped(&waiting.row, last)?, arrival: last, is_queued: false, ..waiting };
            table.delete(&mut txn, &key).map_err(fault)?;
            table.put(&mut txn, &key_of(last, false), &waiting.encode()).map_err(fault)?;
            found.push(Some(waiting));
        }
        self.put_last_arrival(&mut txn, last)?;
        self.commit(txn, "restamped writes")?;
        Ok(found)
    }

    /// Entries after one, those that are not queued first, in order of arrival; at most so many.
    pub fn waiting(&self, after: Option<&Waiting>, limit: usize) -> Result<Vec<Waiting>> {
        let Some(table) = self.waiting_table()? else { return Ok(Vec::new()) };
        let txn = self.read_txn()?;
        let lower = after.map_or([0; 9], |after| key_of(after.arrival, after.is_queued));
        let mut found = Vec::new();
        for entry in table.range(&txn, &(Bound::Excluded(&lower[..]), Bound::Unbounded)).map_err(fault)?.take(limit) {
            let (key, bytes) = entry.map_err(fault)?;
            found.push(Waiting::decode(key, bytes)?);
        }
        Ok(found)
    }

    /// Shows outbox entries as [`crate::backend::online::OnlineStore::outbox`] does, up to the first write that may still come before one.
    pub fn outbox_to_drain(&self, group: GroupId, after: Arrival, visit: Visitor<'_>) -> Result<()> {
        let table = self.waiting_table()?;
        // One snapshot for both tables, or a write could come to the outbox between two looks.
        let txn = self.read_txn()?;
        let mut limit = Arrival(u64::MAX);
        if let Some(table) = table {
            let queued = key_of(Arrival(0), true);
            for entry in table.range(&txn, &(Bound::Unbounded, Bound::Excluded(&queued[..]))).map_err(fault)? {
                let (key, bytes) = entry.map_err(fault)?;
                let waiting = Waiting::decode(key, bytes)?;
                if waiting.group == group && waiting.offline {
                    limit = waiting.arrival;
                    break;
                }
            }
        }
        let (lower, upper) = (outbox_key(group, after), outbox_key(group, limit));
        for entry in self.shared.outbox.range(&txn, &(Bound::Excluded(&lower[..]), Bound::Excluded(&upper[..]))).map_err(fault)? {
            let (_, bytes) = entry.map_err(fault)?;
            if visit(RowView::open(bytes)?)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    /// How many entries there are.
    pub fn waiting_count(&self) -> Result<u64> {
        let Some(table) = self.waiting_table()? else { return Ok(0) };
        let txn = self.read_txn()?;
        table.len(&txn).map_err(fault)
    }

    /// Notes how many records a group has in the other store, for the time when it can't be asked.
    pub fn note_counts(&self, counts: &[(GroupId, u64, u64)]) -> Result<()> {
        let mut txn = self.write_txn()?;
        for (group, records, tombstones) in counts {
            let mut state = self.state(&txn, *group)?;
            (state.counts.records, state.counts.tombstones) = (*records, *tombstones);
            self.shared.groups.put(&mut txn, group.bytes(), &state.encode()).map_err(fault)?;
        }
        self.commit(txn, "noted counts")
    }

    /// True if changes are refused.
    pub fn is_read_only(&self) -> bool {
        self.shared.read_only || self.options.read_only
    }

    pub(super) fn drop_waiting(&self, txn: &mut RwTxn<'_>, group: GroupId) -> Result<()> {
        let Some(table) = self.shared.waiting.get() else { return Ok(()) };
        let mut keys = Vec::new();
        for entry in table.iter(txn).map_err(fault)? {
            let (key, bytes) = entry.map_err(fault)?;
            if bytes.starts_with(group.bytes()) {
                keys.push((key.to_vec(), bytes.len() as u64));
            }
        }
        let mut freed = 0;
        for (key, length) in keys {
            table.delete(txn, &key).map_err(fault)?;
            freed += length;
        }
        let bytes = self.waiting_bytes(txn)?.saturating_sub(freed);
        self.put_waiting_bytes(txn, bytes)
    }

    fn append(&self, txn: &mut RwTxn<'_>, state: &mut GroupState, group: GroupId, arrival: Arrival, row: &[u8]) -> Result<()> {
        debug_assert!(RowView::open(row).is_ok());
        self.shared.outbox.put(txn, &outbox_key(group, arrival), row).map_err(fault)?;
        state.counts.outbox_rows += 1;
        state.counts.outbox_bytes += row.len() as u64;
        Ok(())
    }

    fn waiting_bytes(&self, txn: &RoTxn<'_>) -> Result<u64> {
        let bytes = self.shared.meta.get(txn, b"waiting").map_err(fault)?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes))
    }

    fn put_waiting_bytes(&self, txn: &mut RwTxn<'_>, bytes: u64) -> Result<()> {
        self.shared.meta.put(txn, b"waiting", &bytes.to_le_bytes()).map_err(fault)
    }
}
