//! Rows of sync: sources, what they say of groups, and what each run changed.
//!
//! What a source says is JSON whose meaning belongs to the layer above. One source's outcome is one transaction: observations,
//! tombstones, changes, report and cursor together, so that a process killed at any point leaves the last whole state.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::group_rows::instant;
use super::lineage::{LineageNote, end_told_lineage, note_edges};
use super::{Catalog, RunId, to_sql};
use crate::model::{Error, ErrorKind, EventTime, Result};

type SqlResult<T> = std::result::Result<T, sqlx::Error>;

/// A place to sync from, as it was configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncSourceRow {
    /// Its name in this catalog.
    pub name: String,
    /// Word of its kind.
    pub kind: String,
    /// Path or URL.
    pub location: String,
    /// What else was said of it.
    pub options: BTreeMap<String, String>,
    /// Of two sources that know the same group the higher one is shown.
    pub priority: i64,
    /// When it was added.
    pub added: EventTime,
    /// Where its last run came to.
    pub cursor: Option<String>,
    /// When it was last read.
    pub seen: Option<EventTime>,
}

/// A group as a source told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncGroupRow {
    /// The source.
    pub source: String,
    /// What the source calls it.
    pub native_id: String,
    /// Which of several groups that bore the name one after another.
    pub incarnation: String,
    /// Name to show.
    pub name: String,
    /// Differs once the source changed it; none if the source can't tell.
    pub token: Option<String>,
    /// Digest of the content.
    pub hash: String,
    /// What the source says of it, JSON.
    pub content: String,
    /// Why it could not be read lately; the content is then an older one.
    pub fault: Option<String>,
    /// When it was deleted at the source.
    pub deleted: Option<EventTime>,
    /// When its source was last read.
    pub seen: Option<EventTime>,
}

impl SyncGroupRow {
    /// The group in rows about its files: native id and incarnation.
    pub fn owner(&self) -> String {
        format!("{} {}", self.native_id, self.incarnation)
    }
}

/// One line of what a run changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncChangeRow {
    /// The run; set on reading.
    pub run: Option<RunId>,
    /// The source.
    pub source: String,
    /// When.
    pub at: EventTime,
    /// `create`, `update`, `revive`, `delete`, `replace`.
    pub operation: String,
    /// `group`, `entity`, `service`, `dataset`, `source`.
    pub kind: String,
    /// The group.
    pub name: String,
    /// JSON array of `{path, old, new}`.
    pub fields: String,
}

/// A file of a source, as its footer told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncFileRow {
    /// Where it lies below the source.
    pub path: String,
    /// The group it belongs to: its native id and incarnation.
    pub owner: String,
    /// Differs once the file was replaced.
    pub version: String,
    /// What its footer says, JSON.
    pub footer: String,
}

/// What was learnt of a source's files.
#[derive(Debug, Default)]
pub struct SyncFileChanges {
    /// Files that are new or were replaced.
    pub read: Vec<SyncFileRow>,
    /// Paths of files that are gone.
    pub gone: Vec<String>,
}

/// What one source's part of a run writes.
#[derive(Debug, Default)]
pub struct SyncOutcome {
    /// Groups that are new or differ; one with a tombstone is alive again.
    pub upserts: Vec<SyncGroupRow>,
    /// (native id, incarnation, fault) of known groups that could not be read.
    pub faults: Vec<(String, String, String)>,
    /// (native id, incarnation, reason) of groups that are gone.
    pub tombstones: Vec<(String, String, String)>,
    /// Per group, per field.
    pub changes: Vec<SyncChangeRow>,
    /// What was learnt of its files.
    pub files: SyncFileChanges,
    /// All lineage that the source tells, if any of it may have changed: what it told before and does not tell now has ended.
    pub lineage: Option<LineageNote>,
    /// Where the source was left; none if it was not read.
    pub cursor: Option<Option<String>>,
    /// JSON for whoever asks later.
    pub report: String,
}

impl Catalog {
    /// Adds a source.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken.
    pub async fn add_sync_source(&self, source: &SyncSourceRow) -> Result<()> {
        let what = "add a source";
        let options = serde_json::to_string(&source.options).map_err(|error| Error::internal("options are no JSON").source(error))?;
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let added = sqlx::query(
            "INSERT INTO sync_sources (name, kind, location, options, priority, added) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )
        .bind(&source.name)
        .bind(&source.kind)
        .bind(&source.location)
        .bind(options)
        .bind(source.priority)
        .bind(source.added.unix_micros())
        .execute(&mut *transaction)
        .await
        .map_err(self.fault(what))?;
        if added.rows_affected() == 0 {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("there is a source '{}' already", source.name))
                .remedy(format!("remove it first: `larder source remove {}`", source.name)));
        }
        self.commit(transaction, what).await
    }

    /// Removes a source and, if asked, all it told. True if there was something to remove.
    pub async fn remove_sync_source(&self, name: &str, with_groups: bool, now: EventTime) -> Result<bool> {
        let what = "remove a source";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let mut removed = 0;
        let statements: &[&'static str] = if with_groups {
            &[
                "DELETE FROM sync_sources WHERE name = ?1",
                "DELETE FROM sync_groups WHERE source = ?1",
                "DELETE FROM sync_cursors WHERE source = ?1",
                "DELETE FROM sync_files WHERE source = ?1",
                "DELETE FROM sync_profiles WHERE source = ?1",
                "DELETE FROM sync_profile_columns WHERE source = ?1",
                "DELETE FROM sync_profiled_files WHERE source = ?1",
            ]
        } else {
            &["DELETE FROM sync_sources WHERE name = ?1"]
        };
        for statement in statements {
            removed += sqlx::query(*statement).bind(name).execute(&mut *transaction).await.map_err(self.fault(what))?.rows_affected();
        }
        if with_groups {
            end_told_lineage(&mut transaction, name, None, now).await.map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await?;
        Ok(removed > 0)
    }

    /// What is known of a source's files, of one group.
    pub async fn sync_files(&self, source: &str, owner: &str) -> Result<Vec<SyncFileRow>> {
        let what = "read what is known of files";
        let mut reader = self.reader.lock().await;
        let rows: Vec<(String, String, String)> =
            sqlx::query_as("SELECT path, version, footer FROM sync_files WHERE source = ?1 AND owner = ?2 ORDER BY path")
                .bind(source)
                .bind(owner)
                .fetch_all(&mut *reader)
                .await
                .map_err(self.fault(what))?;
        let row = |(path, version, footer)| SyncFileRow { path, owner: owner.to_owned(), version, footer };
        Ok(rows.into_iter().map(row).collect())
    }

    /// All sources by name.
    pub async fn sync_sources(&self) -> Result<Vec<SyncSourceRow>> {
        let what = "read the sources";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT s.name, s.kind, s.location, s.options, s.priority, s.added, c.cursor, c.seen
             FROM sync_sources s LEFT JOIN sync_cursors c ON c.source = s.name ORDER BY s.name",
        )
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        rows.iter().map(source_of).collect::<SqlResult<_>>().map_err(self.fault(what))
    }

    /// All groups a source ever told of, tombstones included.
    pub async fn sync_groups_of(&self, source: &str) -> Result<Vec<SyncGroupRow>> {
        let what = "read what a source told";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT g.source, g.native_id, g.incarnation, g.name, g.token, g.hash, g.content, g.fault, g.deleted, c.seen
             FROM sync_groups g LEFT JOIN sync_cursors c ON c.source = g.source WHERE g.source = ?1",
        )
        .bind(source)
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        rows.iter().map(group_of).collect::<SqlResult<_>>().map_err(self.fault(what))
    }

    /// Groups that sources tell of, tombstones left out, by name and then the highest priority first; of one name if asked.
    pub async fn sync_groups(&self, name: Option<&str>) -> Result<Vec<SyncGroupRow>> {
        let what = "read synced groups";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT g.source, g.native_id, g.incarnation, g.name, g.token, g.hash, g.content, g.fault, g.deleted, c.seen
             FROM sync_groups g LEFT JOIN sync_cursors c ON c.source = g.source LEFT JOIN sync_sources s ON s.name = g.source
             WHERE g.deleted IS NULL AND (?1 IS NULL OR g.folded_name = ?1)
             ORDER BY g.folded_name, s.priority DESC NULLS LAST, g.source, g.incarnation DESC",
        )
        .bind(name.map(str::to_lowercase))
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        rows.iter().map(group_of).collect::<SqlResult<_>>().map_err(self.fault(what))
    }

    /// Writes one source's part of a run, as a whole or not at all.
    pub async fn apply_sync(&self, run: RunId, source: &str, outcome: &SyncOutcome, now: EventTime) -> Result<()> {
        let what = "write what a source told";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        write_outcome(&mut transaction, run, source, outcome, now.unix_micros()).await.map_err(self.fault(what))?;
        if let Some(note) = &outcome.lineage {
            note_edges(&mut transaction, note, now).await.map_err(self.fault(what))?;
            end_told_lineage(&mut transaction, source, note.run, now).await.map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await
    }

    /// Changes since an instant, oldest first.
    pub async fn sync_changes(&self, since: EventTime) -> Result<Vec<SyncChangeRow>> {
        let what = "read what sync changed";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT run_id, source, at, operation, name, fields, kind FROM sync_changes WHERE at >= ?1 ORDER BY at, run_id, source, position",
        )
        .bind(since.unix_micros())
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        rows.iter().map(change_of).collect::<SqlResult<_>>().map_err(self.fault(what))
    }
}

async fn write_outcome(connection: &mut SqliteConnection, run: RunId, source: &str, outcome: &SyncOutcome, now: i64) -> SqlResult<()> {
    for group in &outcome.upserts {
        sqlx::query(
            "INSERT INTO sync_groups (source, native_id, incarnation, name, folded_name, token, hash, content, first_seen, changed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
             ON CONFLICT (source, native_id, incarnation) DO UPDATE SET name = ?4, folded_name = ?5, token = ?6, hash = ?7, content = ?8,
                 changed = ?9, fault = NULL, deleted = NULL, reason = NULL",
        )
        .bind(source)
        .bind(&group.native_id)
        .bind(&group.incarnation)
        .bind(&group.name)
        .bind(group.name.to_lowercase())
        .bind(group.token.as_deref())
        .bind(&group.hash)
        .bind(&group.content)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    }
    let marks = [
        (
            &outcome.faults,
            "UPDATE sync_groups SET fault = ?4 WHERE source = ?1 AND native_id = ?2 AND incarnation = ?3 AND fault IS NOT ?4 AND ?5 > 0",
        ),
        (&outcome.tombstones, "UPDATE sync_groups SET deleted = ?5, reason = ?4 WHERE source = ?1 AND native_id = ?2 AND incarnation = ?3"),
    ];
    for (rows, statement) in marks {
        for (native_id, incarnation, text) in rows {
            sqlx::query(statement).bind(source).bind(native_id).bind(incarnation).bind(text).bind(now).execute(&mut *connection).await?;
        }
    }
    for (position, change) in outcome.changes.iter().enumerate() {
        sqlx::query("INSERT INTO sync_changes (run_id, source, position, at, operation, name, fields, kind) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
            .bind(run.0.as_bytes().as_slice())
            .bind(source)
            .bind(to_sql(position as u64))
            .bind(now)
            .bind(&change.operation)
            .bind(&change.name)
            .bind(&change.fields)
            .bind(&change.kind)
            .execute(&mut *connection)
            .await?;
    }
    for file in &outcome.files.read {
        sqlx::query(
            "INSERT INTO sync_files (source, path, owner, version, footer) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (source, path) DO UPDATE SET owner = ?3, version = ?4, footer = ?5",
        )
        .bind(source)
        .bind(&file.path)
        .bind(&file.owner)
        .bind(&file.version)
        .bind(&file.footer)
        .execute(&mut *connection)
        .await?;
    }
    for path in &outcome.files.gone {
        sqlx::query("DELETE FROM sync_files WHERE source = ?1 AND path = ?2").bind(source).bind(path).execute(&mut *connection).await?;
    }
    if let Some(cursor) = &outcome.cursor {
        sqlx::query(
            "INSERT INTO sync_cursors (source, cursor, seen) VALUES (?1, ?2, ?3) ON CONFLICT (source) DO UPDATE SET cursor = ?2, seen = ?3",
        )
        .bind(source)
        .bind(cursor.as_deref())
        .bind(now)
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query("INSERT INTO sync_reports (run_id, source, report) VALUES (?1, ?2, ?3)")
        .bind(run.0.as_bytes().as_slice())
        .bind(source)
        .bind(&outcome.report)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

fn source_of(row: &SqliteRow) -> SqlResult<SyncSourceRow> {
    Ok(SyncSourceRow {
        name: row.try_get(0)?,
        kind: row.try_get(1)?,
        location: row.try_get(2)?,
        options: serde_json::from_str(row.try_get(3)?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        priority: row.try_get(4)?,
        added: instant(row.try_get(5)?)?,
        cursor: row.try_get(6)?,
        seen: row.try_get::<Option<i64>, _>(7)?.map(instant).transpose()?,
    })
}

fn group_of(row: &SqliteRow) -> SqlResult<SyncGroupRow> {
    Ok(SyncGroupRow {
        source: row.try_get(0)?,
        native_id: row.try_get(1)?,
        incarnation: row.try_get(2)?,
        name: row.try_get(3)?,
        token: row.try_get(4)?,
        hash: row.try_get(5)?,
        content: row.try_get(6)?,
        fault: row.try_get(7)?,
        deleted: row.try_get::<Option<i64>, _>(8)?.map(instant).transpose()?,
        seen: row.try_get::<Option<i64>, _>(9)?.map(instant).transpose()?,
    })
}

fn change_of(row: &SqliteRow) -> SqlResult<SyncChangeRow> {
    let run = uuid::Uuid::from_slice(row.try_get::<&[u8], _>(0)?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(SyncChangeRow {
        run: Some(RunId(run)),
        source: row.try_get(1)?,
        at: instant(row.try_get(2)?)?,
        operation: row.try_get(3)?,
        name: row.try_get(4)?,
        fields: row.try_get(5)?,
        kind: row.try_get(6)?,
    })
}
