//! Profiles of groups of other places: what the values in their files look like. Whoever writes them holds the lock of sync, so that no
//! two merge the same file; a file and its rows are written in one transaction, so that it counts once.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::profiles::StoredColumn;
use super::{Catalog, from_sql, to_sql};
use crate::model::{EventTime, Result};

/// The profile of a group of another place.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncProfile {
    /// Rows it is of, delete markers included.
    pub rows: u64,
    /// Delete markers.
    pub deleted: u64,
    /// When it was last added to.
    pub taken: EventTime,
    /// Its features; each has a state that merges.
    pub columns: Vec<StoredColumn>,
}

/// What lists show of a profiled feature.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncFeatureLine {
    /// The source.
    pub source: String,
    /// Native id and incarnation of the group.
    pub owner: String,
    /// The feature.
    pub feature: String,
    /// Rows that were looked at.
    pub rows: u64,
    /// Those without a value.
    pub nulls: u64,
    /// Bars, or most frequent values, as JSON.
    pub shape: Option<String>,
}

impl Catalog {
    /// Files that are in the profile of a group: versions by path.
    pub async fn sync_profiled_files(&self, source: &str, owner: &str) -> Result<BTreeMap<String, String>> {
        let mut reader = self.reader.lock().await;
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT path, version FROM sync_profiled_files WHERE source = ?1 AND owner = ?2")
            .bind(source)
            .bind(owner)
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault("read which files statistics are of"))?;
        Ok(rows.into_iter().collect())
    }

    /// The profile of a group, if it has one.
    pub async fn sync_profile(&self, source: &str, owner: &str) -> Result<Option<SyncProfile>> {
        let what = "read statistics";
        let mut reader = self.reader.lock().await;
        let head: Option<(i64, i64, i64)> =
            sqlx::query_as("SELECT row_count, deleted_count, taken FROM sync_profiles WHERE source = ?1 AND owner = ?2")
                .bind(source)
                .bind(owner)
                .fetch_optional(&mut *reader)
                .await
                .map_err(self.fault(what))?;
        let Some((rows, deleted, taken)) = head else { return Ok(None) };
        let columns =
            sqlx::query("SELECT feature, n, n_null, mean, figures, state FROM sync_profile_columns WHERE source = ?1 AND owner = ?2")
                .bind(source)
                .bind(owner)
                .fetch_all(&mut *reader)
                .await
                .map_err(self.fault(what))?;
        let columns: std::result::Result<Vec<StoredColumn>, sqlx::Error> = columns.iter().map(column).collect();
        let taken = super::group_rows::instant(taken).map_err(self.fault(what))?;
        Ok(Some(SyncProfile { rows: from_sql(rows), deleted: from_sql(deleted), taken, columns: columns.map_err(self.fault(what))? }))
    }

    /// What lists show of every profiled feature.
    pub async fn sync_feature_lines(&self) -> Result<Vec<SyncFeatureLine>> {
        let what = "read statistics";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT source, owner, feature, n, n_null,
                    CASE json_array_length(figures, '$.spark') WHEN 0 THEN figures -> '$.top' ELSE figures -> '$.spark' END
             FROM sync_profile_columns",
        )
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        let line = |row: &SqliteRow| {
            Ok(SyncFeatureLine {
                source: row.try_get(0)?,
                owner: row.try_get(1)?,
                feature: row.try_get(2)?,
                rows: from_sql(row.try_get(3)?),
                nulls: from_sql(row.try_get(4)?),
                shape: row.try_get(5)?,
            })
        };
        rows.iter().map(line).collect::<std::result::Result<_, sqlx::Error>>().map_err(self.fault(what))
    }

    /// Writes the profile of a group in place of its last one. `added` are paths and versions of the files that came into it; those that
    /// were in it stay, unless it was made anew.
    pub async fn set_sync_profile(
        &self,
        (source, owner): (&str, &str),
        profile: &SyncProfile,
        added: &[(String, String)],
        anew: bool,
    ) -> Result<()> {
        let what = "note statistics";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let mut old = vec!["DELETE FROM sync_profile_columns WHERE source = ?1 AND owner = ?2"];
        if anew {
            old.push("DELETE FROM sync_profiled_files WHERE source = ?1 AND owner = ?2");
        }
        for statement in old {
            sqlx::query(statement).bind(source).bind(owner).execute(&mut *transaction).await.map_err(self.fault(what))?;
        }
        sqlx::query(
            "INSERT INTO sync_profiles (source, owner, row_count, deleted_count, taken) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (source, owner) DO UPDATE SET row_count = ?3, deleted_count = ?4, taken = ?5",
        )
        .bind(source)
        .bind(owner)
        .bind(to_sql(profile.rows))
        .bind(to_sql(profile.deleted))
        .bind(profile.taken.unix_micros())
        .execute(&mut *transaction)
        .await
        .map_err(self.fault(what))?;
        for column in &profile.columns {
            sqlx::query(
                "INSERT INTO sync_profile_columns (source, owner, feature, n, n_null, mean, figures, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )
            .bind(source)
            .bind(owner)
            .bind(&column.feature)
            .bind(to_sql(column.rows))
            .bind(to_sql(column.nulls))
            .bind(column.mean)
            .bind(&column.figures)
            .bind(column.state.as_deref().unwrap_or_default())
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        }
        for (path, version) in added {
            sqlx::query(
                "INSERT INTO sync_profiled_files (source, path, owner, version) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (source, path) DO UPDATE SET owner = ?3, version = ?4",
            )
            .bind(source)
            .bind(path)
            .bind(owner)
            .bind(version)
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await
    }
}

fn column(row: &SqliteRow) -> std::result::Result<StoredColumn, sqlx::Error> {
    Ok(StoredColumn {
        feature: row.try_get(0)?,
        rows: from_sql(row.try_get(1)?),
        nulls: from_sql(row.try_get(2)?),
        mean: row.try_get(3)?,
        distinct: None,
        figures: row.try_get(4)?,
        state: Some(row.try_get(5)?),
    })
}
