//! The online store in LMDB: every rule of LMDB that is easy to get wrong has its place here, and nowhere else.
//!
//! - One environment per folder and process (LMDB breaks when a process opens a file twice): handles of one
//!   process share it through a registry.
//! - A fixed, large map: address space, not disk. All processes use one size, so none is ever surprised by a
//!   resize. A full map is `ErrorKind::Full` with the remedy.
//! - Read transactions without thread-local slots, never held across an `.await`; slots of killed processes are
//!   cleared at open and when slots run out, since a dead one would keep pages from being reused for ever.
//! - Databases are opened in a transaction of their own that commits, else a second process gets EINVAL.
//! - Network file systems are refused: LMDB's locks are those of one machine.
//! - Every commit is an fsync. One transaction holds a whole batch of writes.
//!
//! This is the only file with `unsafe`: opening a memory map (another process could truncate the file under
//! us; we own the folder and never shrink it) and asking the kernel which file system a folder lies on.
//!
//! Databases: `records` and `outbox` (see [`super::key`], both hold [`super::row`] bytes), `groups` (group id →
//! six little-endian u64: records, tombstones, outbox rows, outbox bytes, trim mark, one-sided), `meta` (format, store id,
//! last arrival, drain leases), and `waiting` where the online rows lie in another store ([`waiting`]).
#![allow(unsafe_code)]

pub(super) mod waiting;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::{Bound, ControlFlow};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, MdbError, RoTxn, RwTxn, WithoutTls};

use super::key::{group_end, outbox_key, record_key};
use super::row::RowView;
use super::write::{LoadedRow, OnlineEffect, RowWrite, Targets, WriteOutcome};
use super::{GroupCounts, Lease, OnlineStore, Visitor};
use crate::backend::faults::{self, Faults};
use crate::model::{Arrival, Error, ErrorKind, EventTime, GroupId, Result, TimeMode, is_newer};

/// Format of the databases. A store with a higher one is refused.
const FORMAT: u32 = 1;
/// Address space for the map: 256 GiB.
const MAP_SIZE: usize = 256 << 30;
/// Readers of all processes at once.
const MAX_READERS: u32 = 2_048;
/// Entries of an outbox that one transaction trims: a long backlog must not keep puts waiting while it goes.
const TRIM_ROWS: u64 = 4_096;

type Table = Database<'static, Bytes, Bytes>;

/// How to open the store.
#[derive(Debug, Clone)]
pub struct LmdbOptions {
    /// Open for reading only.
    pub read_only: bool,
    /// Bytes of the map.
    pub map_size: usize,
    /// Most bytes a group's outbox may hold; writes beyond are refused until a drain.
    pub outbox_limit: u64,
    /// Makes steps fail in tests.
    pub faults: Option<Arc<Faults>>,
}

impl Default for LmdbOptions {
    fn default() -> Self {
        Self { read_only: false, map_size: MAP_SIZE, outbox_limit: 8 << 30, faults: None }
    }
}

struct Shared {
    env: Env<WithoutTls>,
    records: Table,
    outbox: Table,
    groups: Table,
    meta: Table,
    waiting: OnceLock<Table>,
    store_id: String,
    read_only: bool,
}

/// The online store of one folder.
pub struct LmdbStore {
    shared: Arc<Shared>,
    options: LmdbOptions,
}

/// Environments this process has open, by canonical path.
static OPEN: Mutex<Option<HashMap<PathBuf, Weak<Shared>>>> = Mutex::new(None);

/// What the `groups` database holds of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct GroupState {
    counts: GroupCounts,
    trim_mark: u64,
}

impl GroupState {
    fn decode(bytes: &[u8]) -> Self {
        let word = |index: usize| bytes.get(index * 8..index * 8 + 8).and_then(|eight| eight.try_into().ok()).map_or(0, u64::from_le_bytes);
        Self {
            counts: GroupCounts {
                records: word(0),
                tombstones: word(1),
                outbox_rows: word(2),
                outbox_bytes: word(3),
                one_sided: word(5) != 0,
            },
            trim_mark: word(4),
        }
    }

    fn encode(&self) -> [u8; 48] {
        let counts = &self.counts;
        let mut bytes = [0; 48];
        for (index, word) in
            [counts.records, counts.tombstones, counts.outbox_rows, counts.outbox_bytes, self.trim_mark, u64::from(counts.one_sided)]
                .into_iter()
                .enumerate()
        {
            bytes[index * 8..index * 8 + 8].copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Moves the row counts from what stood under a key to what stands now (true for a tombstone).
    fn replace(&mut self, before: Option<bool>, after: Option<bool>) {
        let counts = &mut self.counts;
        for (state, step) in [(before, -1i64), (after, 1)] {
            match state {
                Some(false) => counts.records = counts.records.saturating_add_signed(step),
                Some(true) => counts.tombstones = counts.tombstones.saturating_add_signed(step),
                None => {}
            }
        }
    }
}

/// Translates LMDB's errors into kinds with remedies.
fn fault(error: heed::Error) -> Error {
    let full = |what: &str, remedy: &str| Error::new(ErrorKind::Full, what).remedy(remedy);
    match error {
        heed::Error::Mdb(MdbError::MapFull) => {
            full("the online store's map is full", "raise `online.map_size` in larder.toml, or drop groups that nobody reads")
        }
        heed::Error::Mdb(MdbError::ReadersFull) => {
            full("the online store has no free reader slot", "end processes that hold it open, then try again")
        }
        heed::Error::Mdb(MdbError::VersionMismatch | MdbError::Invalid | MdbError::Corrupted | MdbError::PageNotFound) => {
            Error::corrupt("the online store is damaged")
                .source(error)
                .remedy("move the `online` folder away; what was drained can be loaded again from the offline store")
        }
        heed::Error::Io(io) => Error::io("the online store can't be used", io),
        other => Error::new(ErrorKind::Io, "the online store can't be used").source(other),
    }
}

impl LmdbStore {
    /// Opens the store in a folder, making it unless opened for reading only.
    ///
    /// # Errors
    /// `NotFound` for reading where nothing is, `NewerFormat`, `ReadOnly`, `Corrupt`, `Usage` on a network file system.
    pub fn open(folder: &Path, options: LmdbOptions) -> Result<Self> {
        if !options.read_only {
            std::fs::create_dir_all(folder).map_err(|error| Error::io(format!("can't make the folder {}", folder.display()), error))?;
        } else if !folder.join("data.mdb").exists() {
            return Err(Error::not_found(format!("there is no online store in {}", folder.display())));
        }
        let place = folder.canonicalize().map_err(|error| Error::io(format!("can't open {}", folder.display()), error))?;
        refuse_network_file_systems(&place)?;

        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let open = open.get_or_insert_default();
        if let Some(shared) = open.get(&place).and_then(Weak::upgrade)
            && (options.read_only || !shared.read_only)
        {
            return Ok(Self { shared, options });
        }
        let shared = Arc::new(Shared::open(&place, &options).map_err(|error| error.within(place.display()))?);
        open.insert(place, Arc::downgrade(&shared));
        Ok(Self { shared, options })
    }

    fn read_txn(&self) -> Result<RoTxn<'_, WithoutTls>> {
        match self.shared.env.read_txn() {
            Err(heed::Error::Mdb(MdbError::ReadersFull)) => {
                self.shared.env.clear_stale_readers().map_err(fault)?;
                self.shared.env.read_txn().map_err(fault)
            }
            other => other.map_err(fault),
        }
    }

    fn write_txn(&self) -> Result<RwTxn<'_>> {
        if self.shared.read_only {
            return Err(Error::new(ErrorKind::ReadOnly, "the store was opened for reading only").remedy("open it without --read-only"));
        }
        self.shared.env.write_txn().map_err(fault)
    }

    fn commit(&self, txn: RwTxn<'_>, what: &'static str) -> Result<()> {
        let number = txn.id();
        let committed = || txn.commit().map_err(|error| self.commit_fault(error, number));
        faults::run(self.options.faults.as_deref(), || format!("commit {what} to the online store"), committed)
    }

    /// A failed commit that did not become the last transaction left no trace; else nobody knows. LMDB answers a
    /// write that came out short, as one on a full disk does, with EIO.
    fn commit_fault(&self, error: heed::Error, number: usize) -> Error {
        let left_no_trace = self.shared.env.info().last_txn_id < number;
        match fault(error) {
            error if error.kind() != ErrorKind::Io => error,
            error if left_no_trace => Error::new(ErrorKind::Io, "the write was not stored")
                .source(error)
                .remedy("see whether the disk has space left and is sound, then write again"),
            error => Error::new(ErrorKind::OutcomeUnknown, "the write may or may not have been stored")
                .source(error)
                .remedy("read it back, then write again if it is missing"),
        }
    }

    /// Trims the oldest part of an outbox. Gives the rows that went, and whether none up to `up_to` are left. The mark follows each part.
    fn trim_portion(&self, group: GroupId, up_to: Arrival) -> Result<(u64, bool)> {
        let mut txn = self.write_txn()?;
        let mut state = self.state(&txn, group)?;
        let (lower, mut upper) = (outbox_key(group, Arrival(0)), outbox_key(group, up_to));
        let (mut rows, mut bytes, mut mark) = (0, 0, up_to);
        for entry in self.shared.outbox.range(&txn, &(Bound::Included(&lower[..]), Bound::Included(&upper[..]))).map_err(fault)? {
            let (key, row) = entry.map_err(fault)?;
            rows += 1;
            bytes += row.len() as u64;
            if rows == TRIM_ROWS {
                mark = RowView::open(row)?.arrival().min(up_to);
                upper.copy_from_slice(key);
                break;
            }
        }
        let finished = rows < TRIM_ROWS;
        if rows == 0 && state.trim_mark >= up_to.0 {
            return Ok((0, true));
        }
        self.shared.outbox.delete_range(&mut txn, &(Bound::Included(&lower[..]), Bound::Included(&upper[..]))).map_err(fault)?;
        state.counts.outbox_rows = state.counts.outbox_rows.saturating_sub(rows);
        state.counts.outbox_bytes = state.counts.outbox_bytes.saturating_sub(bytes);
        state.trim_mark = state.trim_mark.max(mark.0);
        self.put_states(&mut txn, &HashMap::from([(group, state)]))?;
        self.commit(txn, "a trimmed outbox")?;
        Ok((rows, finished))
    }

    fn state(&self, txn: &RoTxn<'_>, group: GroupId) -> Result<GroupState> {
        Ok(self.shared.groups.get(txn, group.bytes()).map_err(fault)?.map(GroupState::decode).unwrap_or_default())
    }

    fn put_states(&self, txn: &mut RwTxn<'_>, states: &HashMap<GroupId, GroupState>) -> Result<()> {
        for (group, state) in states {
            self.shared.groups.put(txn, group.bytes(), &state.encode()).map_err(fault)?;
        }
        Ok(())
    }

    fn last_arrival(&self, txn: &RoTxn<'_>) -> Result<Arrival> {
        let bytes = self.shared.meta.get(txn, b"arrival").map_err(fault)?;
        Ok(Arrival(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)))
    }

    fn put_last_arrival(&self, txn: &mut RwTxn<'_>, arrival: Arrival) -> Result<()> {
        self.shared.meta.put(txn, b"arrival", &arrival.0.to_le_bytes()).map_err(fault)
    }

    /// What stands under a key: its version and whether it is a tombstone. A damaged row counts as none, so
    /// that a new write heals it instead of failing everyone who writes with it.
    fn standing(&self, txn: &RoTxn<'_>, key: &[u8], identifier: &str) -> Result<Option<((EventTime, Arrival), bool)>> {
        let Some(bytes) = self.shared.records.get(txn, key).map_err(fault)? else { return Ok(None) };
        match RowView::open(bytes) {
            Ok(row) if row.identifier() == identifier => Ok(Some((row.version(), row.is_tombstone()))),
            Ok(row) => Err(Error::invalid(format!("the identifiers '{identifier}' and '{}' share a key", row.identifier()))
                .remedy("shorten one of them")),
            Err(error) => {
                tracing::warn!(identifier, %error, "a damaged row is replaced");
                Ok(None)
            }
        }
    }

    /// Applies one write inside a transaction.
    fn apply_one(&self, txn: &mut RwTxn<'_>, state: &mut GroupState, write: RowWrite, arrival: Arrival) -> Result<WriteOutcome> {
        let RowWrite { group, row, targets, hard_delete, replaces } = write;
        let key = record_key(group, row.identifier());
        let version = (row.event_time(), arrival);
        let is_tombstone = row.is_tombstone();
        let standing = if targets.online { self.standing(txn, &key, row.identifier())? } else { None };
        if replaces.is_some_and(|row| standing != Some((row, false))) {
            return Ok(WriteOutcome { arrival, online: OnlineEffect::Overtaken });
        }
        if let (true, Some((current, false))) = (hard_delete, standing)
            && !is_newer(version, current)
        {
            return Ok(WriteOutcome { arrival, online: OnlineEffect::Refused { standing: current.0 } });
        }
        state.counts.one_sided |= hard_delete || targets != Targets::BOTH;
        let bytes = row.stamp(arrival);
        let online = if !targets.online {
            OnlineEffect::NotAsked
        } else if hard_delete {
            self.shared.records.delete(txn, &key).map_err(fault)?;
            state.replace(standing.map(|(_, dead)| dead), None);
            OnlineEffect::Applied
        } else if standing.is_none_or(|(current, _)| is_newer(version, current)) {
            self.shared.records.put(txn, &key, &bytes).map_err(fault)?;
            state.replace(standing.map(|(_, dead)| dead), Some(is_tombstone));
            OnlineEffect::Applied
        } else {
            OnlineEffect::Late
        };
        if targets.offline {
            self.shared.outbox.put(txn, &outbox_key(group, arrival), &bytes).map_err(fault)?;
            state.counts.outbox_rows += 1;
            state.counts.outbox_bytes += bytes.len() as u64;
        }
        Ok(WriteOutcome { arrival, online })
    }
}

impl Shared {
    fn open(folder: &Path, options: &LmdbOptions) -> Result<Self> {
        let mut builder = EnvOpenOptions::new().read_txn_without_tls();
        builder.map_size(options.map_size).max_readers(MAX_READERS).max_dbs(8);
        if options.read_only {
            // SAFETY: READ_ONLY takes rights away, it cannot break an invariant of the map.
            unsafe { builder.flags(EnvFlags::READ_ONLY) };
        }
        // SAFETY: the folder is ours; no process of ours truncates or rewrites the file, and the registry
        // keeps this process from opening it twice.
        let env = unsafe { builder.open(folder) }.map_err(fault)?;
        if !options.read_only {
            env.clear_stale_readers().map_err(fault)?;
        }
        let opened = if options.read_only { Self::open_tables(&env)? } else { Self::make_tables(&env)? };
        let Some([records, outbox, groups, meta]) = opened else {
            return Err(Error::not_found("the online store is empty").remedy("open the store once without --read-only"));
        };
        let store_id = Self::check_format(&env, meta)?;
        Ok(Self { env, records, outbox, groups, meta, waiting: OnceLock::new(), store_id, read_only: options.read_only })
    }

    fn open_tables(env: &Env<WithoutTls>) -> Result<Option<[Table; 4]>> {
        let txn = env.read_txn().map_err(fault)?;
        let opened = env.open_databases_and_commit(txn, |opener, txn| {
            let mut tables = Vec::with_capacity(4);
            for name in ["records", "outbox", "groups", "meta"] {
                let Some(table) = opener.open_database::<Bytes, Bytes>(txn, Some(name))? else {
                    return Ok::<_, heed::Error>(CommitOrAbort::Abort(()));
                };
                tables.push(table);
            }
            Ok(match <[_; 4]>::try_from(tables) {
                Ok(tables) => CommitOrAbort::Commit(tables),
                Err(_) => CommitOrAbort::Abort(()),
            })
        });
        match opened.map_err(fault)? {
            CommitOrAbort::Commit(tables) => Ok(Some(tables)),
            CommitOrAbort::Abort(()) => Ok(None),
        }
    }

    /// Opens the tables, making what is missing: a store that exists costs no write transaction.
    fn make_tables(env: &Env<WithoutTls>) -> Result<Option<[Table; 4]>> {
        if let Some(tables) = Self::open_tables(env)? {
            return Ok(Some(tables));
        }
        let txn = env.write_txn().map_err(fault)?;
        let made = env.create_databases_and_commit(txn, |opener, txn| {
            let records = opener.create_database::<Bytes, Bytes>(txn, Some("records"))?;
            let outbox = opener.create_database::<Bytes, Bytes>(txn, Some("outbox"))?;
            let groups = opener.create_database::<Bytes, Bytes>(txn, Some("groups"))?;
            let meta = opener.create_database::<Bytes, Bytes>(txn, Some("meta"))?;
            // Two processes may come here at once; the second finds the first one's identity.
            if meta.get(txn, b"format")?.is_none() {
                meta.put(txn, b"format", &FORMAT.to_le_bytes())?;
                meta.put(txn, b"store", uuid::Uuid::now_v7().simple().to_string().as_bytes())?;
            }
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit([records, outbox, groups, meta]))
        });
        match made.map_err(fault)? {
            CommitOrAbort::Commit(tables) => Ok(Some(tables)),
            CommitOrAbort::Abort(()) => Ok(None),
        }
    }

    fn check_format(env: &Env<WithoutTls>, meta: Table) -> Result<String> {
        let txn = env.read_txn().map_err(fault)?;
        let format = meta.get(&txn, b"format").map_err(fault)?.and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        match format {
            Some(format) if format <= FORMAT => {}
            Some(format) => {
                return Err(Error::new(ErrorKind::NewerFormat, format!("the online store has format {format}"))
                    .why(format!("this version knows {FORMAT}"))
                    .remedy("use a newer larder"));
            }
            None => return Err(Error::corrupt("the online store names no format").remedy("move the `online` folder away")),
        }
        let id = meta.get(&txn, b"store").map_err(fault)?.and_then(|bytes| std::str::from_utf8(bytes).ok());
        id.map(str::to_owned).ok_or_else(|| Error::corrupt("the online store has no id").remedy("move the `online` folder away"))
    }
}

/// LMDB's locks hold between processes of one machine only.
#[cfg(target_os = "linux")]
fn refuse_network_file_systems(folder: &Path) -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    // Magic numbers of NFS, SMB, CIFS, SMB2, AFS, Ceph and 9P (linux/magic.h).
    const NETWORK: [u64; 7] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x5346_414f, 0x00c3_6400, 0x0102_1997];
    let Ok(path) = std::ffi::CString::new(folder.as_os_str().as_bytes()) else { return Ok(()) };
    let mut answer = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `path` ends with a zero byte and `answer` is memory of the right size, all zero before the call.
    let kind = unsafe {
        if libc::statfs(path.as_ptr(), answer.as_mut_ptr()) != 0 {
            return Ok(());
        }
        answer.assume_init().f_type
    };
    if NETWORK.contains(&(kind as u64 & 0xffff_ffff)) {
        return Err(Error::usage(format!("{} lies on a network file system", folder.display()))
            .why("the online store's locks hold on one machine only")
            .remedy("put the store on a local disk"));
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn refuse_network_file_systems(_folder: &Path) -> Result<()> {
    Ok(())
}

impl OnlineStore for LmdbStore {
    fn apply(&self, now: EventTime, writes: Vec<RowWrite>) -> Result<Vec<WriteOutcome>> {
        let mut txn = self.write_txn()?;
        let mut arrival = self.last_arrival(&txn)?;
        let mut states: HashMap<GroupId, GroupState> = HashMap::new();
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            let group = write.group;
            let state = match states.entry(group) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(self.state(&txn, group)?),
            };
            if write.targets.offline && state.counts.outbox_bytes >= self.options.outbox_limit {
                return Err(Error::new(ErrorKind::Full, "the outbox is full")
                    .why(format!("{} records wait to be written to Parquet", state.counts.outbox_rows))
                    .remedy("run `larder flush` and see what it says"));
            }
            arrival = arrival.next(now);
            outcomes.push(self.apply_one(&mut txn, state, write, arrival)?);
        }
        self.put_states(&mut txn, &states)?;
        self.put_last_arrival(&mut txn, arrival)?;
        self.commit(txn, "writes")?;
        Ok(outcomes)
    }

    fn load(&self, group: GroupId, rows: &[LoadedRow]) -> Result<u64> {
        let mut txn = self.write_txn()?;
        let mut state = self.state(&txn, group)?;
        let mut applied = 0;
        for loaded in rows {
            let row = RowView::open(&loaded.bytes)?;
            let key = record_key(group, &loaded.identifier);
            let standing = self.standing(&txn, &key, &loaded.identifier)?;
            if standing.is_none_or(|(current, _)| is_newer(row.version(), current)) {
                self.shared.records.put(&mut txn, &key, &loaded.bytes).map_err(fault)?;
                state.replace(standing.map(|(_, dead)| dead), Some(row.is_tombstone()));
                applied += 1;
            }
        }
        self.put_states(&mut txn, &HashMap::from([(group, state)]))?;
        self.commit(txn, "loaded rows")?;
        Ok(applied)
    }

    fn allocate_arrivals(&self, now: EventTime, count: u64) -> Result<Arrival> {
        let mut txn = self.write_txn()?;
        let first = self.last_arrival(&txn)?.next(now);
        self.put_last_arrival(&mut txn, Arrival(first.0 + count.max(1) - 1))?;
        self.commit(txn, "arrivals")?;
        Ok(first)
    }

    fn read(&self, group: GroupId, identifier: &str, visit: &mut dyn FnMut(RowView<'_>) -> Result<()>) -> Result<bool> {
        let txn = self.read_txn()?;
        let Some(bytes) = self.shared.records.get(&txn, &record_key(group, identifier)).map_err(fault)? else { return Ok(false) };
        let row = RowView::open(bytes).map_err(|error| error.within(format_args!("record '{}'", identifier.escape_debug())))?;
        if row.identifier() != identifier {
            return Ok(false);
        }
        visit(row)?;
        Ok(true)
    }

    fn scan(&self, group: GroupId, after: Option<&str>, visit: Visitor<'_>) -> Result<()> {
        let txn = self.read_txn()?;
        let start = after.map(|identifier| record_key(group, identifier));
        let lower = start.as_deref().map_or(Bound::Included(&group.bytes()[..]), Bound::Excluded);
        let end = group_end(group);
        for entry in self.shared.records.range(&txn, &(lower, Bound::Excluded(&end[..]))).map_err(fault)? {
            let (_, bytes) = entry.map_err(fault)?;
            if visit(RowView::open(bytes)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn outbox(&self, group: GroupId, after: Arrival, visit: Visitor<'_>) -> Result<()> {
        let txn = self.read_txn()?;
        let (lower, upper) = (outbox_key(group, after), outbox_key(group, Arrival(u64::MAX)));
        for entry in self.shared.outbox.range(&txn, &(Bound::Excluded(&lower[..]), Bound::Included(&upper[..]))).map_err(fault)? {
            let (_, bytes) = entry.map_err(fault)?;
            if visit(RowView::open(bytes)?)? == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }

    fn trim_outbox(&self, group: GroupId, up_to: Arrival) -> Result<u64> {
        let mut trimmed = 0;
        loop {
            let (rows, finished) = self.trim_portion(group, up_to)?;
            trimmed += rows;
            if finished {
                return Ok(trimmed);
            }
        }
    }

    fn trim_mark(&self, group: GroupId) -> Result<Arrival> {
        let txn = self.read_txn()?;
        Ok(Arrival(self.state(&txn, group)?.trim_mark))
    }

    fn counts(&self, group: GroupId) -> Result<GroupCounts> {
        let txn = self.read_txn()?;
        Ok(self.state(&txn, group)?.counts)
    }

    fn backlog(&self) -> Result<Vec<(GroupId, GroupCounts)>> {
        let txn = self.read_txn()?;
        let mut found = Vec::new();
        for entry in self.shared.groups.iter(&txn).map_err(fault)? {
            let (key, bytes) = entry.map_err(fault)?;
            let counts = GroupState::decode(bytes).counts;
            if let (true, Ok(id)) = (counts.outbox_rows > 0, uuid::Uuid::from_slice(key)) {
                found.push((GroupId(id), counts));
            }
        }
        Ok(found)
    }

    fn note_one_sided(&self, group: GroupId) -> Result<()> {
        let mut txn = self.write_txn()?;
        let mut state = self.state(&txn, group)?;
        if !state.counts.one_sided {
            state.counts.one_sided = true;
            self.put_states(&mut txn, &HashMap::from([(group, state)]))?;
            self.commit(txn, "a note")?;
        }
        Ok(())
    }

    fn drop_group(&self, group: GroupId) -> Result<()> {
        let mut txn = self.write_txn()?;
        let end = group_end(group);
        let range = (Bound::Included(&group.bytes()[..]), Bound::Excluded(&end[..]));
        self.shared.records.delete_range(&mut txn, &range).map_err(fault)?;
        self.shared.outbox.delete_range(&mut txn, &range).map_err(fault)?;
        self.shared.groups.delete(&mut txn, group.bytes()).map_err(fault)?;
        self.shared.meta.delete(&mut txn, &lease_key(group)).map_err(fault)?;
        self.drop_waiting(&mut txn, group)?;
        self.commit(txn, "a dropped group")
    }

    fn take_lease(&self, group: GroupId, lease: &Lease, now: EventTime) -> Result<bool> {
        let mut txn = self.write_txn()?;
        let key = lease_key(group);
        let standing = self.shared.meta.get(&txn, &key).map_err(fault)?.and_then(decode_lease);
        if standing.is_some_and(|standing| standing.holder != lease.holder && standing.until >= now) {
            return Ok(false);
        }
        self.shared.meta.put(&mut txn, &key, format!("{} {}", lease.until, lease.holder).as_bytes()).map_err(fault)?;
        self.commit(txn, "a lease")?;
        Ok(true)
    }

    fn release_lease(&self, group: GroupId, holder: &str) -> Result<()> {
        let mut txn = self.write_txn()?;
        let key = lease_key(group);
        let held = self.shared.meta.get(&txn, &key).map_err(fault)?.and_then(decode_lease);
        if held.is_some_and(|lease| lease.holder == holder) {
            self.shared.meta.delete(&mut txn, &key).map_err(fault)?;
            self.commit(txn, "a lease")?;
        }
        Ok(())
    }

    fn store_id(&self) -> &str {
        &self.shared.store_id
    }

    fn generation(&self) -> Result<u64> {
        Ok(self.shared.env.info().last_txn_id as u64)
    }
}

fn lease_key(group: GroupId) -> [u8; 22] {
    let mut key = *b"lease:0123456789abcdef";
    key[6..].copy_from_slice(group.bytes());
    key
}

fn decode_lease(bytes: &[u8]) -> Option<Lease> {
    let (until, holder) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
    Some(Lease { holder: holder.to_owned(), until: EventTime::parse_text(until, TimeMode::Strict).ok()? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_store_of_a_newer_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        {
            let store = LmdbStore::open(folder.path(), LmdbOptions::default()).unwrap();
            let mut txn = store.shared.env.write_txn().unwrap();
            store.shared.meta.put(&mut txn, b"format", &(FORMAT + 1).to_le_bytes()).unwrap();
            txn.commit().unwrap();
        }
        let error = LmdbStore::open(folder.path(), LmdbOptions::default()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NewerFormat);
        assert!(error.to_string().contains("use a newer larder"), "{error}");
    }

    #[test]
    fn a_damaged_row_is_told_to_readers_and_healed_by_the_next_write() {
        use crate::backend::online::{RowWriter, Targets};
        let folder = tempfile::tempdir().unwrap();
        let store = LmdbStore::open(folder.path(), LmdbOptions::default()).unwrap();
        let group = GroupId(uuid::Uuid::from_u128(1));
        let at = |seconds| EventTime::from_unix_seconds(seconds).unwrap();
        let put = |seconds| RowWrite {
            group,
            row: RowWriter::new("A", at(seconds), 0, 0),
            targets: Targets::BOTH,
            hard_delete: false,
            replaces: None,
        };
        store.apply(at(0), vec![put(10)]).unwrap();
        let mut txn = store.shared.env.write_txn().unwrap();
        let mut bytes = store.shared.records.get(&txn, &record_key(group, "A")).unwrap().unwrap().to_vec();
        bytes[5] ^= 1;
        store.shared.records.put(&mut txn, &record_key(group, "A"), &bytes).unwrap();
        txn.commit().unwrap();
        assert_eq!(store.read(group, "A", &mut |_| Ok(())).unwrap_err().kind(), ErrorKind::Corrupt);
        store.apply(at(0), vec![put(5)]).unwrap();
        assert!(store.read(group, "A", &mut |_| Ok(())).unwrap());
    }
}
