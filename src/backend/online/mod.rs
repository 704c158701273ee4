//! The online store: the latest record per identifier, and the outbox of records not yet in Parquet.
//!
//! Both live behind one trait because they change in one transaction: when [`OnlineStore::apply`] returns, the
//! online row (if it is newer) and the outbox entry are durable together, or neither exists. Methods block;
//! they are called from the writer thread, from blocking tasks, or directly where a read takes microseconds.
//!
//! The rules that every implementation keeps (`tests/it/online_contract.rs` is their suite):
//! - A row replaces another by [`crate::model::is_newer`], so replaying or reordering writes changes nothing.
//! - Arrivals are handed out inside the transaction, strictly increasing over all processes of the store.
//! - A soft delete is a row like any other, a tombstone; a hard delete removes the row, and is refused when a
//!   newer row exists.
//! - Nothing here expires by itself: a reader decides with its own clock ([`row::RowView::is_live`]).
//!
//! Where the online rows lie in Redis, which other machines share, there is no transaction over both; [`redis`] tells what holds instead.

pub mod key;
pub mod lmdb;
pub mod memory;
pub mod redis;
pub mod row;
pub mod write;

pub use lmdb::{LmdbOptions, LmdbStore};
pub use memory::MemoryStore;
pub use redis::{RedisOptions, RedisStore, RedisUrl, WhenAway};
pub use row::{RowView, RowWriter};
pub use write::{LoadedRow, OnlineEffect, RowWrite, Targets, WriteOutcome};

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::model::{Arrival, EventTime, GroupId, RawValue, Result};

/// What the store holds of one group; kept up to date by every transaction, so that asking costs one look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupCounts {
    /// Rows that are not tombstones, expired ones included.
    pub records: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Outbox entries.
    pub outbox_rows: u64,
    /// Bytes of the outbox entries.
    pub outbox_bytes: u64,
    /// True once a write went to one store only, or a hard delete took a row: online and history may then differ for ever.
    pub one_sided: bool,
}

/// Who may drain a group for now. It saves work; correctness never depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Names the holder: process id and start time.
    pub holder: String,
    /// Until when; a lease past it is free.
    pub until: EventTime,
}

/// A record as a look-up returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct OnlineRow {
    /// Text of the record identifier.
    pub identifier: String,
    /// When it was true.
    pub event_time: EventTime,
    /// When it reached the store.
    pub arrival: Arrival,
    /// The last instant at which it exists, if it has a ttl.
    pub expires_at: Option<EventTime>,
    /// Position in the schema and value, in the order asked for; none is null.
    pub values: Vec<(usize, Option<RawValue>)>,
}

impl OnlineRow {
    fn of(row: RowView<'_>, positions: Option<&[usize]>, width: usize) -> Self {
        let mut values = Vec::with_capacity(positions.map_or(width, <[usize]>::len));
        match positions {
            Some(positions) => values.extend(positions.iter().map(|position| (*position, row.value(*position)))),
            None => values.extend((0..width).map(|position| (position, row.value(position)))),
        }
        Self {
            identifier: row.identifier().to_owned(),
            event_time: row.event_time(),
            arrival: row.arrival(),
            expires_at: row.expires_at(),
            values,
        }
    }
}

/// Called for each row or outbox entry of a scan; stops it by returning `Break`.
pub type Visitor<'a> = &'a mut dyn FnMut(RowView<'_>) -> Result<ControlFlow<()>>;

/// The latest record per identifier, and the outbox. See the module for the rules.
pub trait OnlineStore: Send + Sync {
    /// Applies writes in order, in one durable transaction; `now` is the clock for their arrivals.
    ///
    /// A refused hard delete leaves nothing and says so in its outcome; it does not fail the others.
    ///
    /// # Errors
    /// `Full` when the map or the outbox is full: nothing of the batch is kept. `OutcomeUnknown` when the
    /// commit may have happened.
    fn apply(&self, now: EventTime, writes: Vec<RowWrite>) -> Result<Vec<WriteOutcome>>;

    /// Applies rows of a bulk load, which bring their arrivals; nothing goes to the outbox. Returns how many were newer.
    fn load(&self, group: GroupId, rows: &[LoadedRow]) -> Result<u64>;

    /// Hands out `count` arrivals; returns the first. They are gone even if never used.
    fn allocate_arrivals(&self, now: EventTime, count: u64) -> Result<Arrival>;

    /// Shows one row to `visit`, tombstones and expired rows too. Returns false if there is none.
    fn read(&self, group: GroupId, identifier: &str, visit: &mut dyn FnMut(RowView<'_>) -> Result<()>) -> Result<bool>;

    /// Shows several rows, each with its place in the list, in order: none where there is no row. A store that is far away is asked once.
    fn read_many(&self, group: GroupId, identifiers: &[&str], visit: &mut dyn FnMut(usize, Result<Option<RowView<'_>>>)) {
        for (place, identifier) in identifiers.iter().enumerate() {
            let found = self.read(group, identifier, &mut |row| {
                visit(place, Ok(Some(row)));
                Ok(())
            });
            match found {
                Ok(true) => {}
                Ok(false) => visit(place, Ok(None)),
                Err(error) => visit(place, Err(error)),
            }
        }
    }

    /// Shows rows in key order, starting after an identifier; tombstones and expired rows too.
    fn scan(&self, group: GroupId, after: Option<&str>, visit: Visitor<'_>) -> Result<()>;

    /// Shows outbox entries with an arrival above `after`, in order of arrival, from one snapshot.
    fn outbox(&self, group: GroupId, after: Arrival, visit: Visitor<'_>) -> Result<()>;

    /// The same for a drain: stops before the first place to which an entry may still come.
    fn outbox_to_drain(&self, group: GroupId, after: Arrival, visit: Visitor<'_>) -> Result<()> {
        self.outbox(group, after, visit)
    }

    /// Removes outbox entries up to and including an arrival, and remembers it as the group's trim mark. Returns how many.
    fn trim_outbox(&self, group: GroupId, up_to: Arrival) -> Result<u64>;

    /// The greatest arrival ever trimmed from a group's outbox; it never decreases.
    fn trim_mark(&self, group: GroupId) -> Result<Arrival>;

    /// Counts of one group.
    fn counts(&self, group: GroupId) -> Result<GroupCounts>;

    /// Counts of several groups. A store that is far away and does not answer is counted as it was last seen.
    fn counts_of(&self, groups: &[GroupId]) -> Result<HashMap<GroupId, GroupCounts>> {
        groups.iter().map(|group| Ok((*group, self.counts(*group)?))).collect()
    }

    /// Groups with outbox entries, and their counts.
    fn backlog(&self) -> Result<Vec<(GroupId, GroupCounts)>>;

    /// Notes that a load went to one store only; see [`GroupCounts::one_sided`].
    fn note_one_sided(&self, group: GroupId) -> Result<()>;

    /// Removes everything of a group.
    fn drop_group(&self, group: GroupId) -> Result<()>;

    /// Takes or prolongs the drain lease of a group; false if another holder's has not run out.
    fn take_lease(&self, group: GroupId, lease: &Lease, now: EventTime) -> Result<bool>;

    /// Gives a lease back if `holder` has it.
    fn release_lease(&self, group: GroupId, holder: &str) -> Result<()>;

    /// Sixteen random bytes in hexadecimal, made with the store: names its marks in Delta logs.
    fn store_id(&self) -> &str;

    /// Changes with every committed transaction of any process.
    fn generation(&self) -> Result<u64>;

    /// The store elsewhere that holds the rows, if they are not in the folder.
    fn elsewhere(&self) -> Option<&RedisStore> {
        None
    }
}

/// Looks one record up; none if there is none that exists at `now`. Values of `positions` only, or of all `width` features.
pub fn get(
    store: &dyn OnlineStore,
    group: GroupId,
    identifier: &str,
    positions: Option<&[usize]>,
    width: usize,
    now: EventTime,
) -> Result<Option<OnlineRow>> {
    let mut found = None;
    store.read(group, identifier, &mut |row| {
        if row.is_live(now) {
            found = Some(OnlineRow::of(row, positions, width));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Looks several records up at once; see [`get`].
pub fn get_many(
    store: &dyn OnlineStore,
    group: GroupId,
    identifiers: &[&str],
    positions: Option<&[usize]>,
    width: usize,
    now: EventTime,
) -> Result<Vec<Option<OnlineRow>>> {
    let mut found = Vec::with_capacity(identifiers.len());
    store.read_many(group, identifiers, &mut |_, row| {
        found.push(row.map(|row| row.filter(|row| row.is_live(now)).map(|row| OnlineRow::of(row, positions, width))));
    });
    found.into_iter().collect()
}

/// Lists up to `limit` identifiers in key order, starting after one; tombstones only if asked, expired ones never.
pub fn identifiers(
    store: &dyn OnlineStore,
    group: GroupId,
    after: Option<&str>,
    limit: usize,
    with_deleted: bool,
    now: EventTime,
) -> Result<Vec<String>> {
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    store.scan(group, after, &mut |row| {
        if row.is_live(now) || (with_deleted && row.is_tombstone()) {
            found.push(row.identifier().to_owned());
        }
        Ok(if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    })?;
    Ok(found)
}
