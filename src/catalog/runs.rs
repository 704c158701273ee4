//! Runs: each load, drain, sync or build, who does it, how far it came, how it ended.
//!
//! A run that says `running` may belong to a process that was killed. Whoever reads a run is told `Interrupted`
//! then, whether or not anyone has noted it yet. An interrupted run can be taken up again by exactly one process,
//! from the marks it left, if its inputs (the fingerprint) are the same. Marks and counts are written in one
//! transaction, only by the process that holds the run: one that was taken for dead learns it at its next mark.

use std::collections::BTreeMap;
use std::fmt;

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row, Sqlite, Transaction};
use uuid::Uuid;

use super::{Catalog, Process, from_sql, group_rows, to_sql};
use crate::model::{Error, ErrorKind, EventTime, GroupId, Result};

/// Ended runs that are kept; older ones are forgotten.
const KEPT_RUNS: i64 = 10_000;

/// How far the kept ones may be exceeded before they are counted out: forgetting is not for every start.
const SLACK: i64 = 500;

/// Identity of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub Uuid);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type {
            $($(#[$variant_doc])* $variant),+
        }

        impl $type {
            /// The word that is stored and shown.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            fn parse(word: &str) -> std::result::Result<Self, sqlx::Error> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(sqlx::Error::Decode(format!("'{word}' is not one of those this version knows").into())),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// What a run does.
    RunKind {
        /// Bulk load of files into a group.
        Load = "load",
        /// Outbox into Parquet.
        Drain = "drain",
        /// Small files into large ones.
        Compact = "compact",
        /// Sources into the catalog.
        Sync = "sync",
        /// A training dataset.
        Build = "build",
        /// Statistics of a group.
        Profile = "profile",
    }
}

words! {
    /// Where a run stands.
    RunState {
        /// A process works on it.
        Running = "running",
        /// Ended well.
        Done = "done",
        /// Ended badly; its message says why.
        Failed = "failed",
        /// Stopped on request or killed; may be taken up again.
        Interrupted = "interrupted",
    }
}

/// Rows a run has seen, taken and refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunCounts {
    /// Seen.
    pub rows: u64,
    /// Taken.
    pub accepted: u64,
    /// Refused.
    pub rejected: u64,
}

/// A run that is about to start.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// What it does.
    pub kind: RunKind,
    /// The group it works on, with its name, which outlives the group here.
    pub group: Option<(GroupId, String)>,
    /// Digest of its inputs, if it can be taken up again.
    pub fingerprint: Option<String>,
    /// Now.
    pub started: EventTime,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its identity.
    pub id: RunId,
    /// What it does.
    pub kind: RunKind,
    /// The group it works on; none once the group is gone.
    pub group: Option<GroupId>,
    /// That group's name at the start.
    pub group_name: Option<String>,
    /// Where it stands; `Interrupted` if its process is known to be dead.
    pub state: RunState,
    /// Who runs or ran it.
    pub process: Process,
    /// When it was started.
    pub started: EventTime,
    /// When it last said something.
    pub updated: EventTime,
    /// When it ended, if it did.
    pub finished: Option<EventTime>,
    /// What there is to say about its end.
    pub message: Option<String>,
    /// Rows so far.
    pub counts: RunCounts,
    /// Digest of its inputs.
    pub fingerprint: Option<String>,
}

/// The columns of [`decode`], in its order.
macro_rules! select_runs {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, group_id, group_name, state, process_id, process_started, process_machine, started, updated, finished,
                    message, row_count, accepted, rejected, fingerprint
             FROM runs ",
            $rest
        )
    };
}

impl Catalog {
    /// Notes that this process starts a run.
    pub async fn start_run(&self, run: &NewRun) -> Result<Run> {
        let what = "start a run";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        forget_old_runs(&mut transaction).await.map_err(self.fault(what))?;
        let instant = uuid::Timestamp::from_unix(
            uuid::NoContext,
            u64::try_from(run.started.unix_seconds()).unwrap_or(0),
            run.started.subsecond_nanos(),
        );
        let id = RunId(Uuid::new_v7(instant));
        let process = Process::current();
        sqlx::query(
            "INSERT INTO runs (id, kind, group_id, group_name, state, process_id, process_started, process_machine, started, updated, fingerprint)
             VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6, ?7, ?8, ?8, ?9)",
        )
        .bind(id.0.as_bytes().as_slice())
        .bind(run.kind.as_str())
        .bind(run.group.as_ref().map(|(group, _)| group.bytes().as_slice()))
        .bind(run.group.as_ref().map(|(_, name)| name.as_str()))
        .bind(i64::from(process.id))
        .bind(&process.started)
        .bind(&process.machine)
        .bind(run.started.unix_micros())
        .bind(run.fingerprint.as_deref())
        .execute(&mut *transaction)
        .await
        .map_err(self.fault(what))?;
        let started = select_one(&mut transaction, id).await.map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        started.ok_or_else(|| Error::internal("a run that was just started is not there"))
    }

    /// Notes counts and marks of a run of this process, together.
    ///
    /// # Errors
    /// `Conflict` if this process holds the run no longer: it ended, or another process took it up.
    pub async fn record_progress(&self, id: RunId, counts: RunCounts, marks: &[(&str, &str)], now: EventTime) -> Result<()> {
        let what = "note the progress of a run";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        self.hold(&mut transaction, id, counts, now, what).await?;
        for (name, value) in marks {
            sqlx::query("INSERT INTO run_marks (run_id, name, value) VALUES (?1, ?2, ?3) ON CONFLICT (run_id, name) DO UPDATE SET value = excluded.value")
                .bind(id.0.as_bytes().as_slice())
                .bind(name)
                .bind(value)
                .execute(&mut *transaction)
                .await
                .map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await
    }

    /// Ends a run of this process as `Done`, `Failed` or `Interrupted`. Marks are kept only for the last.
    ///
    /// # Errors
    /// As [`Self::record_progress`].
    pub async fn finish_run(&self, id: RunId, state: RunState, message: Option<&str>, counts: RunCounts, now: EventTime) -> Result<()> {
        let what = "end a run";
        if state == RunState::Running {
            return Err(Error::internal("a run can't end as running"));
        }
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        self.end(&mut transaction, (id, state, message), counts, now, what).await?;
        self.commit(transaction, what).await
    }

    /// Ends a run of this process within a transaction, such as the one that makes its outcome visible.
    pub(super) async fn end(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        (id, state, message): (RunId, RunState, Option<&str>),
        counts: RunCounts,
        now: EventTime,
        what: &str,
    ) -> Result<()> {
        self.hold(transaction, id, counts, now, what).await?;
        sqlx::query("UPDATE runs SET state = ?2, finished = ?3, message = ?4 WHERE id = ?1")
            .bind(id.0.as_bytes().as_slice())
            .bind(state.as_str())
            .bind(now.unix_micros())
            .bind(message)
            .execute(&mut **transaction)
            .await
            .map_err(self.fault(what))?;
        if state != RunState::Interrupted {
            sqlx::query("DELETE FROM run_marks WHERE run_id = ?1")
                .bind(id.0.as_bytes().as_slice())
                .execute(&mut **transaction)
                .await
                .map_err(self.fault(what))?;
        }
        Ok(())
    }

    /// Takes up an interrupted run: from now on this process holds it.
    ///
    /// # Errors
    /// `Conflict` if it is not interrupted (any more): of several processes that try, one gets it.
    pub async fn resume_run(&self, id: RunId, now: EventTime) -> Result<Run> {
        let what = "take up a run";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let run = select_one(&mut transaction, id)
            .await
            .map_err(self.fault(what))?
            .ok_or_else(|| Error::not_found(format!("there is no run {id}")))?;
        if run.state != RunState::Interrupted {
            return Err(Error::new(ErrorKind::Conflict, format!("run {id} can't be taken up")).why(match run.state {
                RunState::Running => format!("process {} is at it", run.process.id),
                ended => format!("it is {ended}"),
            }));
        }
        let process = Process::current();
        sqlx::query(
            "UPDATE runs SET state = 'running', process_id = ?2, process_started = ?3, process_machine = ?4, updated = ?5, finished = NULL, message = NULL
             WHERE id = ?1",
        )
        .bind(id.0.as_bytes().as_slice())
        .bind(i64::from(process.id))
        .bind(&process.started)
        .bind(&process.machine)
        .bind(now.unix_micros())
        .execute(&mut *transaction)
        .await
        .map_err(self.fault(what))?;
        let taken = select_one(&mut transaction, id).await.map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        taken.ok_or_else(|| Error::internal("a run that was just taken up is not there"))
    }

    /// Returns a run.
    pub async fn run(&self, id: RunId) -> Result<Option<Run>> {
        let mut reader = self.reader.lock().await;
        select_one(&mut reader, id).await.map_err(self.fault("read a run"))
    }

    /// Returns the latest runs, newest first.
    pub async fn runs(&self, limit: u32) -> Result<Vec<Run>> {
        let what = "read the runs";
        let mut reader = self.reader.lock().await;
        let rows =
            sqlx::query(select_runs!("ORDER BY id DESC LIMIT ?1")).bind(limit).fetch_all(&mut *reader).await.map_err(self.fault(what))?;
        rows.iter().map(decode).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// Returns the newest run of these inputs that was stopped or killed before its end.
    pub async fn find_interrupted(&self, kind: RunKind, fingerprint: &str) -> Result<Option<Run>> {
        Ok(self.unfinished(kind, fingerprint).await?.into_iter().find(|run| run.state == RunState::Interrupted))
    }

    /// Returns the newest run of these inputs that a process is working on, for all we know.
    pub async fn find_running(&self, kind: RunKind, fingerprint: &str) -> Result<Option<Run>> {
        Ok(self.unfinished(kind, fingerprint).await?.into_iter().find(|run| run.state == RunState::Running))
    }

    async fn unfinished(&self, kind: RunKind, fingerprint: &str) -> Result<Vec<Run>> {
        let what = "look for an interrupted run";
        let mut reader = self.reader.lock().await;
        let rows =
            sqlx::query(select_runs!("WHERE fingerprint = ?1 AND kind = ?2 AND state IN ('running', 'interrupted') ORDER BY id DESC"))
                .bind(fingerprint)
                .bind(kind.as_str())
                .fetch_all(&mut *reader)
                .await
                .map_err(self.fault(what))?;
        rows.iter().map(decode).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// Returns the runs of a kind on a group that have not ended: a process works on them, or they were stopped or killed.
    pub async fn unfinished_runs(&self, kind: RunKind, group: GroupId) -> Result<Vec<Run>> {
        let what = "look for runs that have not ended";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(select_runs!("WHERE group_id = ?1 AND kind = ?2 AND state IN ('running', 'interrupted') ORDER BY id DESC"))
            .bind(group.bytes().as_slice())
            .bind(kind.as_str())
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault(what))?;
        rows.iter().map(decode).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// Returns the marks a run has left.
    pub async fn marks(&self, id: RunId) -> Result<BTreeMap<String, String>> {
        let mut reader = self.reader.lock().await;
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT name, value FROM run_marks WHERE run_id = ?1")
            .bind(id.0.as_bytes().as_slice())
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault("read the marks of a run"))?;
        Ok(rows.into_iter().collect())
    }

    /// Notes as interrupted the runs whose processes are dead, and returns them.
    ///
    /// Readers are told so anyway; this is for upkeep, so that the table says it too.
    pub async fn note_interrupted_runs(&self, now: EventTime) -> Result<Vec<Run>> {
        let what = "note interrupted runs";
        if self.dead_runs(&mut *self.reader.lock().await, what).await?.is_empty() {
            return Ok(Vec::new());
        }
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let dead = self.dead_runs(&mut transaction, what).await?;
        for run in &dead {
            sqlx::query(
                "UPDATE runs SET state = 'interrupted', finished = ?2, message = 'the process ended before the run did' WHERE id = ?1",
            )
            .bind(run.id.0.as_bytes().as_slice())
            .bind(now.unix_micros())
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await?;
        Ok(dead)
    }

    async fn dead_runs(&self, connection: &mut SqliteConnection, what: &str) -> Result<Vec<Run>> {
        let rows = sqlx::query(select_runs!("WHERE state = 'running'")).fetch_all(connection).await.map_err(self.fault(what))?;
        let mut runs = rows.iter().map(decode).collect::<std::result::Result<Vec<_>, _>>().map_err(self.fault(what))?;
        runs.retain(|run| run.state == RunState::Interrupted);
        Ok(runs)
    }

    /// Writes the counts of a run if this process holds it, and fails if not.
    async fn hold(
        &self,
        transaction: &mut Transaction<'_, Sqlite>,
        id: RunId,
        counts: RunCounts,
        now: EventTime,
        what: &str,
    ) -> Result<()> {
        let process = Process::current();
        let held = sqlx::query(
            "UPDATE runs SET row_count = ?2, accepted = ?3, rejected = ?4, updated = ?5
             WHERE id = ?1 AND state = 'running' AND process_id = ?6 AND process_started = ?7 AND process_machine = ?8",
        )
        .bind(id.0.as_bytes().as_slice())
        .bind(to_sql(counts.rows))
        .bind(to_sql(counts.accepted))
        .bind(to_sql(counts.rejected))
        .bind(now.unix_micros())
        .bind(i64::from(process.id))
        .bind(&process.started)
        .bind(&process.machine)
        .execute(&mut **transaction)
        .await
        .map_err(self.fault(what))?;
        match held.rows_affected() {
            0 => Err(Error::new(ErrorKind::Conflict, format!("run {id} is not this process's any more"))
                .why("it was ended or taken up by another process")),
            _ => Ok(()),
        }
    }
}

/// Keeps the table from growing for ever. Runs that may still go on are never forgotten.
async fn forget_old_runs(connection: &mut SqliteConnection) -> std::result::Result<(), sqlx::Error> {
    let ended: i64 = sqlx::query_scalar("SELECT count(*) FROM runs WHERE state IN ('done', 'failed')").fetch_one(&mut *connection).await?;
    if ended > KEPT_RUNS + SLACK {
        sqlx::query("DELETE FROM runs WHERE id IN (SELECT id FROM runs WHERE state IN ('done', 'failed') ORDER BY id LIMIT ?1)")
            .bind(ended - KEPT_RUNS)
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn select_one(connection: &mut SqliteConnection, id: RunId) -> std::result::Result<Option<Run>, sqlx::Error> {
    let row = sqlx::query(select_runs!("WHERE id = ?1")).bind(id.0.as_bytes().as_slice()).fetch_optional(connection).await?;
    row.as_ref().map(decode).transpose()
}

fn decode(row: &SqliteRow) -> std::result::Result<Run, sqlx::Error> {
    let uuid = |bytes: &[u8]| Uuid::from_slice(bytes).map_err(|error| sqlx::Error::Decode(error.into()));
    let process = Process { id: u32::try_from(row.try_get::<i64, _>(5)?).unwrap_or(0), started: row.try_get(6)?, machine: row.try_get(7)? };
    let state = match RunState::parse(row.try_get(4)?)? {
        RunState::Running if !process.may_be_alive() => RunState::Interrupted,
        state => state,
    };
    Ok(Run {
        id: RunId(uuid(row.try_get(0)?)?),
        kind: RunKind::parse(row.try_get(1)?)?,
        group: row.try_get::<Option<&[u8]>, _>(2)?.map(uuid).transpose()?.map(GroupId),
        group_name: row.try_get(3)?,
        state,
        process,
        started: group_rows::instant(row.try_get(8)?)?,
        updated: group_rows::instant(row.try_get(9)?)?,
        finished: row.try_get::<Option<i64>, _>(10)?.map(group_rows::instant).transpose()?,
        message: row.try_get(11)?,
        counts: RunCounts { rows: from_sql(row.try_get(12)?), accepted: from_sql(row.try_get(13)?), rejected: from_sql(row.try_get(14)?) },
        fingerprint: row.try_get(15)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::group_rows::samples::{catalog, group};
    use super::*;
    use crate::model::GroupStatus;

    fn at(seconds: i64) -> EventTime {
        EventTime::from_unix_seconds(1_700_000_000 + seconds).unwrap()
    }

    fn load(fingerprint: &str, seconds: i64) -> NewRun {
        NewRun { kind: RunKind::Load, group: None, fingerprint: Some(fingerprint.into()), started: at(seconds) }
    }

    /// Makes a run look like one of a process that was killed.
    async fn kill_process_of(catalog: &Catalog, id: RunId) {
        let mut writer = catalog.writer("test").await.unwrap();
        sqlx::query("UPDATE runs SET process_started = 'long ago' WHERE id = ?1")
            .bind(id.0.as_bytes().as_slice())
            .execute(&mut *writer)
            .await
            .unwrap();
    }

    const COUNTS: RunCounts = RunCounts { rows: 10, accepted: 9, rejected: 1 };

    #[tokio::test]
    async fn a_run_is_noted_from_start_to_end_and_outlives_its_group() {
        let (_folder, catalog) = catalog().await;
        let clicks = group("clicks");
        catalog.insert_group(&clicks).await.unwrap();
        let started = catalog.start_run(&NewRun { group: Some((clicks.id, "clicks".into())), ..load("f", 0) }).await.unwrap();
        assert_eq!((started.state, started.group, &started.process), (RunState::Running, Some(clicks.id), Process::current()));
        catalog.record_progress(started.id, RunCounts { rows: 5, ..RunCounts::default() }, &[("file", "1")], at(1)).await.unwrap();
        assert_eq!(catalog.marks(started.id).await.unwrap(), BTreeMap::from([("file".into(), "1".into())]));
        let unfinished = |kind, group| catalog.unfinished_runs(kind, group);
        assert_eq!(unfinished(RunKind::Load, clicks.id).await.unwrap().iter().map(|run| run.id).collect::<Vec<_>>(), [started.id]);
        assert!(unfinished(RunKind::Sync, clicks.id).await.unwrap().is_empty());
        assert!(unfinished(RunKind::Load, group("other").id).await.unwrap().is_empty());
        catalog.finish_run(started.id, RunState::Done, Some("fine"), COUNTS, at(2)).await.unwrap();
        assert!(catalog.marks(started.id).await.unwrap().is_empty(), "a run that is done needs no marks");
        assert!(unfinished(RunKind::Load, clicks.id).await.unwrap().is_empty());

        catalog.set_status(&clicks.id, GroupStatus::Deleting, None, at(3)).await.unwrap();
        catalog.remove_group(&clicks.id).await.unwrap();
        let ended = catalog.run(started.id).await.unwrap().unwrap();
        assert_eq!((ended.state, ended.group, ended.group_name.as_deref()), (RunState::Done, None, Some("clicks")));
        assert_eq!((ended.updated, ended.finished, ended.message.as_deref(), ended.counts), (at(2), Some(at(2)), Some("fine"), COUNTS));

        let error = catalog.record_progress(started.id, COUNTS, &[], at(4)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(catalog.finish_run(started.id, RunState::Running, None, COUNTS, at(4)).await.is_err());
    }

    #[tokio::test]
    async fn an_interrupted_run_is_found_by_its_inputs_and_taken_up_once() {
        let (_folder, catalog) = catalog().await;
        let run = catalog.start_run(&load("same files", 0)).await.unwrap();
        assert_eq!(catalog.find_running(RunKind::Load, "same files").await.unwrap().unwrap().id, run.id);
        assert_eq!(catalog.find_interrupted(RunKind::Load, "same files").await.unwrap(), None);
        catalog.record_progress(run.id, COUNTS, &[("file", "2"), ("row", "77")], at(1)).await.unwrap();
        catalog.record_progress(run.id, COUNTS, &[("row", "99")], at(1)).await.unwrap();
        catalog.finish_run(run.id, RunState::Interrupted, Some("Ctrl-C"), COUNTS, at(2)).await.unwrap();

        assert_eq!(catalog.find_interrupted(RunKind::Sync, "same files").await.unwrap(), None);
        assert_eq!(catalog.find_interrupted(RunKind::Load, "other files").await.unwrap(), None);
        let found = catalog.find_interrupted(RunKind::Load, "same files").await.unwrap().unwrap();
        assert_eq!(catalog.marks(found.id).await.unwrap(), BTreeMap::from([("file".into(), "2".into()), ("row".into(), "99".into())]));
        let taken = catalog.resume_run(found.id, at(3)).await.unwrap();
        assert_eq!((taken.state, taken.finished, taken.message, taken.counts), (RunState::Running, None, None, COUNTS));
        assert_eq!(catalog.resume_run(found.id, at(3)).await.unwrap_err().kind(), ErrorKind::Conflict);
    }

    #[tokio::test]
    async fn a_run_of_a_dead_process_is_interrupted_and_its_ghost_can_write_no_more() {
        let (_folder, catalog) = catalog().await;
        let dead = catalog.start_run(&load("f", 0)).await.unwrap();
        let alive = catalog.start_run(&load("f", 1)).await.unwrap();
        kill_process_of(&catalog, dead.id).await;
        let states: Vec<_> = catalog.runs(10).await.unwrap().into_iter().map(|run| (run.id, run.state)).collect();
        assert_eq!(states, [(alive.id, RunState::Running), (dead.id, RunState::Interrupted)]);
        assert_eq!(catalog.find_interrupted(RunKind::Load, "f").await.unwrap().unwrap().id, dead.id);
        assert_eq!(catalog.record_progress(dead.id, COUNTS, &[], at(2)).await.unwrap_err().kind(), ErrorKind::Conflict);

        let noted = catalog.note_interrupted_runs(at(3)).await.unwrap();
        assert_eq!(noted.iter().map(|run| run.id).collect::<Vec<_>>(), [dead.id]);
        assert_eq!(catalog.run(dead.id).await.unwrap().unwrap().finished, Some(at(3)));
        assert!(catalog.note_interrupted_runs(at(4)).await.unwrap().is_empty());
        catalog.resume_run(dead.id, at(5)).await.unwrap();
    }

    #[tokio::test]
    async fn old_runs_are_forgotten_and_unfinished_ones_are_not() {
        let (_folder, catalog) = catalog().await;
        let first = catalog.start_run(&load("f", 0)).await.unwrap();
        let mut writer = catalog.writer("test").await.unwrap();
        sqlx::query(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO runs (id, kind, state, process_id, process_started, process_machine, started, updated)
             SELECT unhex(printf('%032X', i)), 'drain', 'done', 1, '', '', 0, 0 FROM n",
        )
        .bind(KEPT_RUNS + SLACK + 1)
        .execute(&mut *writer)
        .await
        .unwrap();
        drop(writer);
        let second = catalog.start_run(&load("g", 1)).await.unwrap();
        let left = catalog.runs(u32::MAX).await.unwrap();
        assert_eq!(left.len() as i64, KEPT_RUNS + 2);
        assert_eq!((left[0].id, left[1].id), (second.id, first.id));
    }
}
