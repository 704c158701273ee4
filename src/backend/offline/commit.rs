//! What the outcome of a commit means, and how rows get into the table exactly once.
//!
//! A commit is one object, `_delta_log/<version>.json`, created only if it is not there yet. It names the new
//! files and, as Delta's `txn` action, a *mark*: "everything of this source up to here is in the table". Rows and
//! mark become visible in the same instant, so a drain that is repeated, or done by two processes at once, adds
//! its rows once. The rules:
//!
//! 1. A commit goes to the version after the one that was read, without retries by the library.
//! 2. If that number is taken, or nobody knows (no reply), the commit of that number is read. It carries the id of
//!    its attempt: ours means success. Absent after a lost reply means the same bytes are offered again; a late
//!    arrival of the first offer then counts as ours too.
//! 3. If it is somebody else's, state is read again. Our mark reached, or our files named: already applied. Our
//!    mark moved but not that far: [`ErrorKind::Conflict`], since our files hold rows that are in the table, and the
//!    drainer must read the outbox again. Mark where it was: the next version.
//! 4. Success is reported only after the folder of commits was fsynced, also where another process's commit is the
//!    reason, because the outbox is trimmed on our word.
//!
//! A compaction goes the same way with another rule 3: its commit removes files and adds those that hold the same rows.
//! While every file it removes is live, others may have added what they like, and the next version is tried; one that
//! is gone was compacted by somebody else, and then this compaction has come too late. Marks don't move.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use deltalake_core::kernel::transaction::{CommitData, TransactionError};
use deltalake_core::kernel::{Action, Add, Remove, Transaction};
use deltalake_core::logstore::CommitOrBytes;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use serde_json::Value as Json;
use uuid::Uuid;

use super::durable::from_object_store;
use super::log::{self, DataFile, TableState};
use super::parquet_file::StagedFile;
use super::remote::may_have_happened;
use super::table::MAX_ATTEMPTS;
use super::{GroupFolder, OfflineStore};
use crate::model::{Error, ErrorKind, EventTime, FeatureGroup, Result};

/// Key of the attempt's id in a commit's `commitInfo`.
const ATTEMPT_ID: &str = "larderCommit";
/// Offers of one commit whose replies got lost before its outcome is reported as unknown.
const MAX_OFFERS: u32 = 3;

/// How far a source's rows are in the table once a commit has succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The source: `larder-<store id>` for an outbox, an id of its own for a bulk load.
    pub app_id: String,
    /// The mark as it was when the rows were read: the staged files hold what lies after it.
    pub after: Option<u64>,
    /// The last arrival (or step of a load, from 1) that the staged files hold.
    pub upto: u64,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The staged files are in the table as of this version.
    Committed {
        /// Version of the table.
        version: u64,
    },
    /// The rows were in the table already; the staged files are not needed.
    AlreadyApplied {
        /// A version of the table that has them.
        version: u64,
    },
}

impl CommitOutcome {
    /// A version of the table that has the rows.
    pub fn version(self) -> u64 {
        match self {
            Self::Committed { version } | Self::AlreadyApplied { version } => version,
        }
    }
}

/// What became of the commit of a compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replacement {
    /// The new files are in the table in place of the old ones, as of this version.
    Done { version: u64 },
    /// Somebody else has replaced one of the old files; nothing was changed.
    Overtaken,
}

/// One commit offered under one version.
pub(super) struct Attempt {
    version: u64,
    id: String,
    data: CommitData,
}

impl Attempt {
    pub(super) fn new(version: u64, actions: Vec<Action>, operation: DeltaOperation, mark: Option<Transaction>) -> Self {
        let id = Uuid::now_v7().to_string();
        let metadata = HashMap::from([
            (ATTEMPT_ID.to_owned(), Json::from(id.as_str())),
            ("clientVersion".to_owned(), Json::from(concat!("larder.", env!("CARGO_PKG_VERSION")))),
        ]);
        Self { version, data: CommitData::new(actions, operation, metadata, mark.into_iter().collect()), id }
    }

    fn is_ours(&self, actions: &[Action]) -> bool {
        actions.iter().any(|action| match action {
            Action::CommitInfo(info) => info.info.get(ATTEMPT_ID).and_then(Json::as_str) == Some(&self.id),
            _ => false,
        })
    }
}

/// Whether an attempt won its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Won {
    Yes,
    No,
}

pub(super) fn too_busy(folder: &GroupFolder) -> Error {
    Error::new(ErrorKind::Conflict, format!("can't commit to {}", folder.key()))
        .why(format!("other writers were first {MAX_ATTEMPTS} times in a row"))
        .remedy("run the command again")
}

impl OfflineStore {
    /// Adds staged files to a group's table, together with a mark. See the head of this file for the rules.
    ///
    /// With no files and a mark, only the mark moves. A load without a mark is recognised by its files' names.
    ///
    /// # Errors
    /// Conflict if the mark has moved within the staged range: nothing was added, read the outbox again.
    /// OutcomeUnknown if the commit may or may not be there: call again with the same arguments, or start over
    /// from the mark. Full, ReadOnly or Io if it is certain that nothing was added.
    pub async fn commit(&self, group: &FeatureGroup, staged: &[StagedFile], mark: Option<&Mark>) -> Result<CommitOutcome> {
        self.check_writable()?;
        let folder = self.folder(group)?;
        self.commit_in(group, &folder, staged, mark).await.map_err(|error| error.within(format!("group '{}'", group.name)))
    }

    async fn commit_in(
        &self,
        group: &FeatureGroup,
        folder: &GroupFolder,
        staged: &[StagedFile],
        mark: Option<&Mark>,
    ) -> Result<CommitOutcome> {
        let txn = mark.map(transaction).transpose()?;
        for number in 0..MAX_ATTEMPTS {
            let state = self.ensure_state(group, folder).await?;
            if is_applied(&state, staged, mark)? {
                self.disk()?.sync_folder(&folder.log()).await?;
                return Ok(CommitOutcome::AlreadyApplied { version: state.version });
            }
            state.check_writable()?;
            let actions = staged.iter().map(|file| Action::Add(add_action(file))).collect();
            let operation = DeltaOperation::Write { mode: SaveMode::Append, partition_by: None, predicate: None };
            let attempt = Attempt::new(state.version + 1, actions, operation, txn.clone());
            if self.attempt(folder, &attempt).await? == Won::Yes {
                self.checkpoint_if_due(folder, attempt.version).await;
                return Ok(CommitOutcome::Committed { version: attempt.version });
            }
            stand_aside(number).await;
        }
        Err(too_busy(folder))
    }

    /// Puts files into the table that hold the rows of others, and takes those out. See the head of this file.
    ///
    /// # Errors
    /// OutcomeUnknown if the commit may or may not be there: the new files must stay then. Otherwise it is certain that
    /// nothing was changed.
    pub(super) async fn replace(
        &self,
        folder: &GroupFolder,
        old: &[Arc<DataFile>],
        new: &[StagedFile],
        now: EventTime,
    ) -> Result<Replacement> {
        self.check_writable()?;
        let now = millis(now);
        // The place in the order of commits: see `log.rs`.
        let modified = old.iter().map(|file| file.modified).max().unwrap_or(now);
        for number in 0..MAX_ATTEMPTS {
            let Some(state) = self.state(folder).await? else {
                return Err(Error::not_found(format!("the table of {} is gone", folder.key())));
            };
            let live: HashSet<&str> = state.files.iter().map(|file| file.path.as_str()).collect();
            if new.first().is_some_and(|file| live.contains(file.path.as_str())) {
                self.disk()?.sync_folder(&folder.log()).await?;
                return Ok(Replacement::Done { version: state.version });
            }
            if old.iter().any(|file| !live.contains(file.path.as_str())) {
                return Ok(Replacement::Overtaken);
            }
            state.check_writable()?;
            let removals = old.iter().map(|file| Action::Remove(remove_action(file, now)));
            let additions = new.iter().map(|file| Action::Add(Add { data_change: false, modification_time: modified, ..add_action(file) }));
            let operation =
                DeltaOperation::Optimize { predicate: None, target_size: new.iter().map(|file| signed(file.size)).max().unwrap_or(0) };
            let attempt = Attempt::new(state.version + 1, removals.chain(additions).collect(), operation, None);
            if self.attempt(folder, &attempt).await? == Won::Yes {
                self.checkpoint_if_due(folder, attempt.version).await;
                return Ok(Replacement::Done { version: attempt.version });
            }
            stand_aside(number).await;
        }
        Err(too_busy(folder))
    }

    /// Offers a commit under its version until it is known who has that version.
    pub(super) async fn attempt(&self, folder: &GroupFolder, attempt: &Attempt) -> Result<Won> {
        let bytes = attempt.data.get_bytes().map_err(|error| Error::internal("can't encode a commit").source(error))?;
        let log_store = self.log_store(folder)?;
        let location = folder.log_entry(attempt.version);
        let mut last = None;
        for _ in 0..MAX_OFFERS {
            let offer = CommitOrBytes::LogBytes(Bytes::clone(&bytes));
            let error = match log_store.write_commit_entry(attempt.version, offer, Uuid::nil()).await {
                Ok(()) => return Ok(Won::Yes),
                Err(error) => offer_error(attempt.version, error),
            };
            // A request to a bucket may arrive after its sender gave up: as long as the server has not refused it, nobody knows.
            let error = match self.disk()?.is_remote() && may_have_happened(&error) {
                true => unknown(attempt.version, &error),
                false => error,
            };
            // Taken, failed, or unknown: the commit of that number decides, if it can be read.
            match log::read(self.disk()?.as_ref(), &location).await {
                Ok(Some(found)) => {
                    let ours = attempt.is_ours(&log::actions_of(&location, attempt.version, &found)?);
                    // A winner's commit is built on, ours is reported: both must outlive a power cut.
                    self.disk()?.sync_folder(&folder.log()).await.map_err(|error| unknown(attempt.version, &error))?;
                    return Ok(if ours { Won::Yes } else { Won::No });
                }
                Ok(None) if error.kind() == ErrorKind::OutcomeUnknown => last = Some(error),
                Ok(None) => return Err(error),
                Err(read_error) => return Err(unknown(attempt.version, &read_error)),
            }
        }
        Err(last.unwrap_or_else(|| Error::internal("a commit was never offered")))
    }
}

/// Where others go ahead all the time: waits for a moment, each writer for another one.
async fn stand_aside(lost: u32) {
    if lost > 3 {
        let millis = 1 + Uuid::now_v7().as_u128() as u64 % u64::from(lost.min(20));
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

fn unknown(version: u64, error: &Error) -> Error {
    Error::new(ErrorKind::OutcomeUnknown, format!("commit {version} may or may not be in the log"))
        .why(error.to_string())
        .remedy("run the command again: rows that are in the table are not added twice")
}

/// Errors of an offer: certain failures keep their kind; a number that is taken is not an error to report.
fn offer_error(version: u64, error: TransactionError) -> Error {
    let what = format!("can't write commit {version}");
    match error {
        TransactionError::ObjectStore { source } => from_object_store(what, source),
        // Taken, yet gone when read: only possible if somebody deletes commits.
        TransactionError::VersionAlreadyExists(_) => unknown(version, &Error::corrupt("the commit exists but can't be read")),
        other => Error::new(ErrorKind::OutcomeUnknown, what).source(other),
    }
}

/// Whether the rows are in the table; Conflict if some of them are.
fn is_applied(state: &TableState, staged: &[StagedFile], mark: Option<&Mark>) -> Result<bool> {
    if let Some(mark) = mark {
        let now = state.mark(&mark.app_id).unwrap_or(0);
        if now >= mark.upto {
            return Ok(true);
        }
        let after = mark.after.unwrap_or(0);
        if now != after {
            return Err(Error::new(ErrorKind::Conflict, "another process drained some of these records")
                .why(format!("the mark of {} was {after} and is {now}", mark.app_id))
                .remedy("read the outbox again"));
        }
    }
    Ok(staged.first().is_some_and(|first| state.names(&first.path)))
}

fn now_millis() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn transaction(mark: &Mark) -> Result<Transaction> {
    let version = i64::try_from(mark.upto).map_err(|_| Error::internal(format!("mark {} is beyond what the log can hold", mark.upto)))?;
    let mut transaction = Transaction::new(&mark.app_id, version);
    transaction.last_updated = Some(now_millis());
    Ok(transaction)
}

fn add_action(file: &StagedFile) -> Add {
    Add {
        path: file.path.clone(),
        size: signed(file.size),
        modification_time: now_millis(),
        data_change: true,
        stats: Some(file.statistics.to_json()),
        ..Add::default()
    }
}

fn remove_action(file: &DataFile, now: i64) -> Remove {
    Remove {
        path: file.path.clone(),
        data_change: false,
        deletion_timestamp: Some(now),
        extended_file_metadata: Some(true),
        partition_values: Some(HashMap::new()),
        size: Some(signed(file.size)),
        ..Remove::default()
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970, as the log keeps time.
pub(super) fn millis(time: EventTime) -> i64 {
    time.unix_micros().div_euclid(1_000)
}
