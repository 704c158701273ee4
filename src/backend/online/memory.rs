//! The online store in memory: what tests and short-lived stores use, and the plainest statement of the rules.
//!
//! Maps under one lock stand for LMDB's databases and its single writer. Nothing survives the process.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::{Bound, ControlFlow};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::key::{group_end, outbox_key, record_key};
use super::row::RowView;
use super::write::{LoadedRow, OnlineEffect, RowWrite, Targets, WriteOutcome};
use super::{GroupCounts, Lease, OnlineStore, Visitor};
use crate::model::{Arrival, EventTime, GroupId, Result, is_newer};

#[derive(Default)]
struct State {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    outbox: BTreeMap<Vec<u8>, Vec<u8>>,
    trim_marks: HashMap<GroupId, Arrival>,
    leases: HashMap<GroupId, Lease>,
    one_sided: HashSet<GroupId>,
    arrival: Arrival,
    generation: u64,
}

/// An online store that ends with the process.
pub struct MemoryStore {
    state: Mutex<State>,
    store_id: String,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { state: Mutex::default(), store_id: uuid::Uuid::now_v7().simple().to_string() }
    }
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn standing(&self, key: &[u8]) -> Result<Option<((EventTime, Arrival), bool)>> {
        self.records.get(key).map(|bytes| RowView::open(bytes).map(|row| (row.version(), row.is_tombstone()))).transpose()
    }

    fn range(map: &BTreeMap<Vec<u8>, Vec<u8>>, group: GroupId) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        map.range::<[u8], _>((Bound::Included(&group.bytes()[..]), Bound::Excluded(&group_end(group)[..])))
    }

    fn counts(&self, group: GroupId) -> Result<GroupCounts> {
        let mut counts = GroupCounts { one_sided: self.one_sided.contains(&group), ..GroupCounts::default() };
        for (_, bytes) in Self::range(&self.records, group) {
            if RowView::open(bytes)?.is_tombstone() {
                counts.tombstones += 1;
            } else {
                counts.records += 1;
            }
        }
        for (_, bytes) in Self::range(&self.outbox, group) {
            counts.outbox_rows += 1;
            counts.outbox_bytes += bytes.len() as u64;
        }
        Ok(counts)
    }
}

impl OnlineStore for MemoryStore {
    fn apply(&self, now: EventTime, writes: Vec<RowWrite>) -> Result<Vec<WriteOutcome>> {
        let mut state = self.lock();
        let mut outcomes = Vec::with_capacity(writes.len());
        for RowWrite { group, row, targets, hard_delete, replaces } in writes {
            let arrival = state.arrival.next(now);
            state.arrival = arrival;
            let key = record_key(group, row.identifier());
            let version = (row.event_time(), arrival);
            let standing = if targets.online { state.standing(&key)? } else { None };
            if replaces.is_some_and(|row| standing != Some((row, false))) {
                outcomes.push(WriteOutcome { arrival, online: OnlineEffect::Overtaken });
                continue;
            }
            if let (true, Some((current, false))) = (hard_delete, standing)
                && !is_newer(version, current)
            {
                outcomes.push(WriteOutcome { arrival, online: OnlineEffect::Refused { standing: current.0 } });
                continue;
            }
            if hard_delete || targets != Targets::BOTH {
                state.one_sided.insert(group);
            }
            let bytes = row.stamp(arrival);
            let online = if !targets.online {
                OnlineEffect::NotAsked
            } else if hard_delete {
                state.records.remove(&key);
                OnlineEffect::Applied
            } else if standing.is_none_or(|(current, _)| is_newer(version, current)) {
                state.records.insert(key, bytes.clone());
                OnlineEffect::Applied
            } else {
                OnlineEffect::Late
            };
            if targets.offline {
                state.outbox.insert(outbox_key(group, arrival).to_vec(), bytes);
            }
            outcomes.push(WriteOutcome { arrival, online });
        }
        state.generation += 1;
        Ok(outcomes)
    }

    fn load(&self, group: GroupId, rows: &[LoadedRow]) -> Result<u64> {
        let mut state = self.lock();
        let mut applied = 0;
        for loaded in rows {
            let key = record_key(group, &loaded.identifier);
            let version = RowView::open(&loaded.bytes)?.version();
            if state.standing(&key)?.is_none_or(|(current, _)| is_newer(version, current)) {
                state.records.insert(key, loaded.bytes.clone());
                applied += 1;
            }
        }
        state.generation += 1;
        Ok(applied)
    }

    fn allocate_arrivals(&self, now: EventTime, count: u64) -> Result<Arrival> {
        let mut state = self.lock();
        let first = state.arrival.next(now);
        state.arrival = Arrival(first.0 + count.max(1) - 1);
        state.generation += 1;
        Ok(first)
    }

    fn read(&self, group: GroupId, identifier: &str, visit: &mut dyn FnMut(RowView<'_>) -> Result<()>) -> Result<bool> {
        match self.lock().records.get(&record_key(group, identifier)) {
            Some(bytes) => visit(RowView::open(bytes)?).map(|()| true),
            None => Ok(false),
        }
    }

    fn scan(&self, group: GroupId, after: Option<&str>, visit: Visitor<'_>) -> Result<()> {
        let after = after.map(|identifier| record_key(group, identifier));
        for (key, bytes) in State::range(&self.lock().records, group) {
            if after.as_ref().is_some_and(|after| key <= after) {
                continue;
            }
            if visit(RowView::open(bytes)?)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn outbox(&self, group: GroupId, after: Arrival, visit: Visitor<'_>) -> Result<()> {
        for (key, bytes) in State::range(&self.lock().outbox, group) {
            if key.as_slice() > &outbox_key(group, after)[..] && visit(RowView::open(bytes)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn trim_outbox(&self, group: GroupId, up_to: Arrival) -> Result<u64> {
        let mut state = self.lock();
        let last = outbox_key(group, up_to);
        let keys: Vec<Vec<u8>> =
            State::range(&state.outbox, group).map(|(key, _)| key.clone()).filter(|key| key.as_slice() <= &last[..]).collect();
        for key in &keys {
            state.outbox.remove(key);
        }
        let mark = state.trim_marks.entry(group).or_default();
        *mark = (*mark).max(up_to);
        state.generation += 1;
        Ok(keys.len() as u64)
    }

    fn trim_mark(&self, group: GroupId) -> Result<Arrival> {
        Ok(self.lock().trim_marks.get(&group).copied().unwrap_or_default())
    }

    fn counts(&self, group: GroupId) -> Result<GroupCounts> {
        self.lock().counts(group)
    }

    fn backlog(&self) -> Result<Vec<(GroupId, GroupCounts)>> {
        let state = self.lock();
        let mut groups: Vec<GroupId> = state.outbox.keys().filter_map(|key| uuid::Uuid::from_slice(&key[..16]).ok()).map(GroupId).collect();
        groups.dedup();
        groups.into_iter().map(|group| state.counts(group).map(|counts| (group, counts))).collect()
    }

    fn note_one_sided(&self, group: GroupId) -> Result<()> {
        self.lock().one_sided.insert(group);
        Ok(())
    }

    fn drop_group(&self, group: GroupId) -> Result<()> {
        let mut state = self.lock();
        let belongs = |key: &[u8]| key.starts_with(group.bytes());
        state.records.retain(|key, _| !belongs(key));
        state.outbox.retain(|key, _| !belongs(key));
        state.trim_marks.remove(&group);
        state.leases.remove(&group);
        state.one_sided.remove(&group);
        state.generation += 1;
        Ok(())
    }

    fn take_lease(&self, group: GroupId, lease: &Lease, now: EventTime) -> Result<bool> {
        let mut state = self.lock();
        if state.leases.get(&group).is_some_and(|standing| standing.holder != lease.holder && standing.until >= now) {
            return Ok(false);
        }
        state.leases.insert(group, lease.clone());
        Ok(true)
    }

    fn release_lease(&self, group: GroupId, holder: &str) -> Result<()> {
        let mut state = self.lock();
        if state.leases.get(&group).is_some_and(|lease| lease.holder == holder) {
            state.leases.remove(&group);
        }
        Ok(())
    }

    fn store_id(&self) -> &str {
        &self.store_id
    }

    fn generation(&self) -> Result<u64> {
        Ok(self.lock().generation)
    }
}
