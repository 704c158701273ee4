//! What is written to an online store, and what became of it.

use super::row::RowWriter;
use crate::model::{Arrival, EventTime, GroupId};

/// Which stores a write goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Targets {
    /// The online row.
    pub online: bool,
    /// The outbox, and from there the history.
    pub offline: bool,
}

impl Targets {
    /// Both stores.
    pub const BOTH: Self = Self { online: true, offline: true };
}

/// One write of a put or a delete.
#[derive(Debug, Clone)]
pub struct RowWrite {
    /// The group.
    pub group: GroupId,
    /// The row, not yet stamped with its arrival.
    pub row: RowWriter,
    /// Where it goes.
    pub targets: Targets,
    /// True for a hard delete: the online row is removed instead of replaced, and refused if it is newer.
    pub hard_delete: bool,
    /// Set for a write that is made of a row that was read: nothing is written unless that very row, not a tombstone, still stands.
    pub replaces: Option<(EventTime, Arrival)>,
}

/// One row of a bulk load, stamped with the arrival of its file.
#[derive(Debug, Clone)]
pub struct LoadedRow {
    /// Text of the record identifier.
    pub identifier: String,
    /// The finished row.
    pub bytes: Vec<u8>,
}

/// What a write did to the online store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnlineEffect {
    /// The row stands now, or is gone after a hard delete.
    Applied,
    /// A newer row stands; the write went to the outbox only.
    Late,
    /// The write was not for the online store.
    NotAsked,
    /// The online store did not answer: the write is durable, in the outbox, and reaches the online store later.
    Queued,
    /// The online store did not answer, and the write left nothing.
    Unreached,
    /// The online store may have taken the write; it is sent again until that is known.
    Unknown,
    /// The row that a write was to replace no longer stands: nothing was written anywhere.
    Overtaken,
    /// A hard delete that is not newer than the row: nothing was written anywhere.
    Refused {
        /// Event time of the row that stands.
        standing: EventTime,
    },
}

/// What became of one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOutcome {
    /// Its arrival, unique in the store.
    pub arrival: Arrival,
    /// What it did online.
    pub online: OnlineEffect,
}
