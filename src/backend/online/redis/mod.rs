//! The online store in Redis, which several machines share: one server, a cluster, or a server that a sentinel names; Valkey too.
//!
//! Only the online rows are there. Outbox, arrivals, leases and marks stay in the folder's LMDB, durable without anybody's help.
//!
//! **A write** takes two local commits around one question:
//! ```text
//! 1 reserve   LMDB { arrival; entry in `waiting` }        fsync: from here on a crash loses nothing
//! 2 ask       Redis, one script per record ([`write.lua`](self)): newer wins, there and then, whoever else writes
//! 3 settle    LMDB { entry gone; row in the outbox }      fsync, then acknowledge
//! ```
//! The row becomes history in 3, so a hard delete that is refused, or a change that was overtaken, leaves nothing: reserve, ask, confirm or
//! cancel. After a crash between 1 and 3 the question is asked again ([`replay`]), by whichever process opens the folder next. Asking again
//! is harmless: a row that stands answers as it did the first time, an older one is late, and a hard delete leaves a *grave*, the version
//! it removed with, for [`GRAVE`]; without it a put that was accepted before the delete and is sent again after it would bring the row back.
//!
//! **Order between stores.** Newer is (event time, arrival), compared by the script as bytes. Arrivals come from each store's own clock:
//! - Two stores may hand out the same arrival. The script sees two different rows of one version and answers *tied*; the second row gets a
//!   new arrival before it becomes history. So no two rows of one record share a version, and the order online is the order offline.
//! - A store whose clock is behind would lose to a row that it must replace, as an equal event time replaces. At the first attempt the
//!   script answers *behind*, and the row gets an arrival above the other's, if that is less than [`MAX_SKEW`] ahead of our clock; the
//!   store's arrivals go on from there. Beyond, and in a replay, it is late, online and offline alike.
//! - What is left: rows of a bulk load bear their part's arrival and can't get another. A load that writes the very microsecond and event
//!   time of another store's put of the same record is decided by order online and by the order of commits offline.
//!
//! **While Redis is away** `online.when_away` decides. `fail`: nothing is written, and the caller is told. `queue`: the row goes to the
//! outbox, is acknowledged as queued, and waits for Redis; deletes for good and changes of single features fail all the same, since only
//! Redis can answer them. A question whose answer was lost stays in `waiting` and is asked again until it is known.
//!
//! **Reads** are one GET, or one pipeline; look-ups of a server's callers that come at once are one, too ([`together`]). Listing walks a sorted set per bucket, merged: SCAN has no order and would visit every key of
//! every group. An expired row is judged by the reader's clock like everywhere; Redis forgets it only [`RedisOptions::keep_expired`] later,
//! because until then it keeps older rows out. After that a late record with a ttl of its own that outlives it may show.
//!
//! **Not promised**: Redis replicates without waiting. A server that fails over may forget rows it has confirmed, and one that evicts does
//! so at will; the history has them, and `larder online rebuild` brings them back.

mod address;
mod keys;
mod replay;
mod rows;
mod servers;
mod together;
mod topology;
mod writes;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

pub use address::RedisUrl;

use super::lmdb::LmdbStore;
use super::row::RowView;
use super::write::{LoadedRow, RowWrite, WriteOutcome};
use super::{GroupCounts, Lease, OnlineStore, Visitor};
use crate::backend::faults::Faults;
use crate::model::{Arrival, Error, ErrorKind, EventTime, GroupId, Result};
use keys::Bucket;
use servers::{Answer, Fault, Servers};

/// How long a hard delete keeps out what was accepted before it.
const GRAVE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How far another store's clock may be ahead and still be followed, in microseconds.
const MAX_SKEW: u64 = 60_000_000;

/// What a write is to do while Redis does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenAway {
    /// Refuse it.
    #[default]
    Fail,
    /// Accept it into the outbox, and say so.
    Queue,
}

/// How to use Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct RedisOptions {
    /// Where it is.
    pub url: RedisUrl,
    /// What all keys begin with.
    pub prefix: String,
    /// What a write does while it does not answer.
    pub when_away: WhenAway,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// How long past its expiry Redis keeps a row; none keeps it for ever.
    pub keep_expired: Option<Duration>,
    /// Certificate in PEM that signed those of the servers; none believes what the system believes.
    pub ca_certificate: Option<PathBuf>,
    /// Most connections of this process to each server.
    pub connections: usize,
}

impl RedisOptions {
    /// The defaults for a URL.
    pub fn new(url: RedisUrl) -> Self {
        Self {
            url,
            prefix: "larder:".into(),
            when_away: WhenAway::default(),
            timeout: Duration::from_secs(1),
            keep_expired: Some(Duration::from_secs(24 * 3_600)),
            ca_certificate: None,
            connections: 32,
        }
    }
}

/// What Redis says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisStatus {
    /// Where it is, without user and password.
    pub url: String,
    /// One server, or a cluster of so many; none if it does not answer.
    pub shape: Option<String>,
    /// Why it does not answer.
    pub why: Option<String>,
    /// Writes that are durable here and not yet there.
    pub waiting: u64,
    /// Servers that may throw records away when memory runs short, and their policy.
    pub evicting: Vec<String>,
}

struct Inner {
    servers: Servers,
    options: RedisOptions,
    journal: LmdbStore,
    faults: Option<Arc<Faults>>,
    /// Arrivals that a caller of this process is asking for.
    in_flight: Mutex<HashSet<u64>>,
    look_ups: together::LookUps,
    replaying: Mutex<replay::State>,
    woken: Condvar,
}

/// The online store whose rows are in Redis.
pub struct RedisStore {
    inner: Arc<Inner>,
}

impl RedisStore {
    /// Uses Redis for the rows, and a folder's LMDB for everything else. Asks Redis nothing yet: whoever only lists groups needs no Redis.
    ///
    /// # Errors
    /// `Usage` for options that can't be used.
    pub fn open(journal: LmdbStore, options: RedisOptions, faults: Option<Arc<Faults>>) -> Result<Self> {
        if options.prefix.contains(['{', '}']) || options.prefix.chars().any(char::is_control) || options.prefix.len() > 100 {
            return Err(Error::usage(format!("'{}' is not a value for online.prefix", options.prefix.escape_debug()))
                .remedy("write at most 100 letters, without braces"));
        }
        // Two providers of ciphers are linked; without a choice the library could make none. Another choice made before is as good.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let seeds = options.url.connect_to(options.ca_certificate.as_deref())?;
        let servers = Servers::new(options.url.clone(), seeds, writes::SCRIPT, options.timeout, options.connections);
        let inner = Inner {
            servers,
            options,
            journal,
            faults,
            in_flight: Mutex::default(),
            look_ups: together::LookUps::default(),
            replaying: Mutex::default(),
            woken: Condvar::new(),
        };
        let store = Self { inner: Arc::new(inner) };
        replay::prepare(&store.inner);
        if !store.inner.journal.is_read_only() && store.inner.journal.waiting_count()? > 0 {
            replay::start(&store.inner);
        }
        Ok(store)
    }

    /// What Redis says about itself.
    pub fn status(&self) -> Result<RedisStatus> {
        let servers = &self.inner.servers;
        let (shape, why, evicting) = match servers.shape() {
            Ok(shape) => match servers.ask_each(redis::cmd("INFO").arg("memory")) {
                Ok(answers) => (Some(shape), None, rows::evicting(answers)),
                Err(fault) => (Some(shape), Some(fault.text().to_owned()), Vec::new()),
            },
            Err(fault) => (None, Some(fault.text().to_owned()), Vec::new()),
        };
        let waiting = self.inner.journal.waiting_count()?;
        Ok(RedisStatus { url: servers.url().to_string(), shape, why, waiting, evicting })
    }

    /// True if Redis may have forgotten records of a group because they expired long ago.
    pub fn may_have_forgotten(&self, group: GroupId) -> Result<bool> {
        self.inner.may_have_forgotten(group)
    }

    /// Sends what waits; returns how many writes still wait.
    pub fn replay(&self) -> Result<u64> {
        replay::once(&self.inner)?;
        self.inner.journal.waiting_count()
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        replay::stop(&self.inner);
    }
}

impl Inner {
    fn bucket(&self, group: GroupId, identifier: &str) -> Bucket {
        Bucket::of(&self.options.prefix, group, identifier)
    }

    fn buckets(&self, group: GroupId) -> impl Iterator<Item = Bucket> {
        Bucket::all(&self.options.prefix, group)
    }

    /// The error for a question that Redis has not answered.
    fn away(&self, fault: &Fault) -> Error {
        let what = match fault {
            Fault::Refused(_) => "the online store refused",
            Fault::NotDone(_) | Fault::Unknown(_) => "the online store does not answer",
        };
        Error::new(ErrorKind::Unavailable, format!("{what}: {}", self.servers.url()))
            .why(fault.text().to_owned())
            .remedy("see whether Redis runs and online.url names it")
    }

    fn answered(&self, answer: Answer) -> Result<redis::Value> {
        answer.map_err(|fault| self.away(&fault))
    }

    fn fly(&self, arrivals: impl Iterator<Item = Arrival>) {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).extend(arrivals.map(|arrival| arrival.0));
    }

    fn land(&self, arrivals: impl Iterator<Item = Arrival>) {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        for arrival in arrivals {
            in_flight.remove(&arrival.0);
        }
    }

    fn is_in_flight(&self, arrival: Arrival) -> bool {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).contains(&arrival.0)
    }
}

impl OnlineStore for RedisStore {
    fn apply(&self, now: EventTime, writes: Vec<RowWrite>) -> Result<Vec<WriteOutcome>> {
        self.inner.apply(now, writes)
    }

    fn load(&self, group: GroupId, rows: &[LoadedRow]) -> Result<u64> {
        self.inner.load(group, rows)
    }

    fn allocate_arrivals(&self, now: EventTime, count: u64) -> Result<Arrival> {
        self.inner.journal.allocate_arrivals(now, count)
    }

    fn read(&self, group: GroupId, identifier: &str, visit: &mut dyn FnMut(RowView<'_>) -> Result<()>) -> Result<bool> {
        self.inner.read(group, identifier, visit)
    }

    fn read_many(&self, group: GroupId, identifiers: &[&str], visit: &mut dyn FnMut(usize, Result<Option<RowView<'_>>>)) {
        self.inner.read_many(group, identifiers, visit);
    }

    fn scan(&self, group: GroupId, after: Option<&str>, visit: Visitor<'_>) -> Result<()> {
        self.inner.scan(group, after, visit)
    }

    fn outbox(&self, group: GroupId, after: Arrival, visit: Visitor<'_>) -> Result<()> {
        self.inner.journal.outbox(group, after, visit)
    }

    fn outbox_to_drain(&self, group: GroupId, after: Arrival, visit: Visitor<'_>) -> Result<()> {
        LmdbStore::outbox_to_drain(&self.inner.journal, group, after, visit)
    }

    fn trim_outbox(&self, group: GroupId, up_to: Arrival) -> Result<u64> {
        self.inner.journal.trim_outbox(group, up_to)
    }

    fn trim_mark(&self, group: GroupId) -> Result<Arrival> {
        self.inner.journal.trim_mark(group)
    }

    fn counts(&self, group: GroupId) -> Result<GroupCounts> {
        self.inner.counts(group)
    }

    fn counts_of(&self, groups: &[GroupId]) -> Result<HashMap<GroupId, GroupCounts>> {
        self.inner.counts_of(groups)
    }

    fn backlog(&self) -> Result<Vec<(GroupId, GroupCounts)>> {
        self.inner.journal.backlog()
    }

    fn note_one_sided(&self, group: GroupId) -> Result<()> {
        self.inner.journal.note_one_sided(group)?;
        self.inner.tell_one_sided(group);
        Ok(())
    }

    fn drop_group(&self, group: GroupId) -> Result<()> {
        self.inner.drop_rows(group)?;
        self.inner.journal.drop_group(group)
    }

    fn take_lease(&self, group: GroupId, lease: &Lease, now: EventTime) -> Result<bool> {
        self.inner.journal.take_lease(group, lease, now)
    }

    fn release_lease(&self, group: GroupId, holder: &str) -> Result<()> {
        self.inner.journal.release_lease(group, holder)
    }

    fn store_id(&self) -> &str {
        self.inner.journal.store_id()
    }

    fn generation(&self) -> Result<u64> {
        self.inner.journal.generation()
    }

    fn elsewhere(&self) -> Option<&RedisStore> {
        Some(self)
    }
}
