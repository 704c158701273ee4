//! What each group's offline store held at some Delta version, kept so that listing groups opens no logs.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::{Catalog, from_sql, to_sql};
use crate::model::{EventTime, GroupId, Result};

/// The offline store of a group at one Delta version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfflineSummary {
    /// The version these numbers are of; the log may be ahead.
    pub delta_version: u64,
    /// Data files.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Least event time, to the microsecond.
    pub oldest_event_time: Option<EventTime>,
    /// Greatest event time, to the microsecond.
    pub newest_event_time: Option<EventTime>,
    /// When this was noted.
    pub updated: EventTime,
}

impl Catalog {
    /// Returns the summary of a group's offline store, if one was ever noted.
    pub async fn offline_summary(&self, group: &GroupId) -> Result<Option<OfflineSummary>> {
        let what = "read the summary of an offline store";
        let mut reader = self.reader.lock().await;
        let row = sqlx::query(
            "SELECT group_id, delta_version, files, row_count, bytes, oldest_event_time, newest_event_time, updated
             FROM offline_summaries WHERE group_id = ?1",
        )
        .bind(group.bytes().as_slice())
        .fetch_optional(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        row.map(|row| decode(&row).map(|(_, summary)| summary)).transpose().map_err(self.fault(what))
    }

    /// Returns the summaries of all groups that have one.
    pub async fn offline_summaries(&self) -> Result<HashMap<GroupId, OfflineSummary>> {
        let what = "read the summaries of the offline stores";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT group_id, delta_version, files, row_count, bytes, oldest_event_time, newest_event_time, updated
             FROM offline_summaries",
        )
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        rows.iter().map(decode).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }

    /// Notes a summary, unless a later version has been noted: of two processes, the one that read later wins.
    pub async fn set_offline_summary(&self, group: &GroupId, summary: &OfflineSummary) -> Result<()> {
        let what = "note the summary of an offline store";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        // Selecting from the group makes a summary of one that is just being dropped vanish quietly.
        sqlx::query(
            "INSERT INTO offline_summaries (group_id, delta_version, files, row_count, bytes, oldest_event_time, newest_event_time, updated)
             SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM feature_groups WHERE id = ?1
             ON CONFLICT (group_id) DO UPDATE SET
                 delta_version = excluded.delta_version, files = excluded.files, row_count = excluded.row_count, bytes = excluded.bytes,
                 oldest_event_time = excluded.oldest_event_time, newest_event_time = excluded.newest_event_time, updated = excluded.updated
             WHERE excluded.delta_version >= offline_summaries.delta_version",
        )
        .bind(group.bytes().as_slice())
        .bind(to_sql(summary.delta_version))
        .bind(to_sql(summary.files))
        .bind(to_sql(summary.rows))
        .bind(to_sql(summary.bytes))
        .bind(summary.oldest_event_time.map(EventTime::unix_micros))
        .bind(summary.newest_event_time.map(EventTime::unix_micros))
        .bind(summary.updated.unix_micros())
        .execute(&mut *transaction)
        .await
        .map_err(self.fault(what))?;
        self.commit(transaction, what).await
    }
}

fn decode(row: &SqliteRow) -> std::result::Result<(GroupId, OfflineSummary), sqlx::Error> {
    let id = Uuid::from_slice(row.try_get::<&[u8], _>(0)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let summary = OfflineSummary {
        delta_version: from_sql(row.try_get(1)?),
        files: from_sql(row.try_get(2)?),
        rows: from_sql(row.try_get(3)?),
        bytes: from_sql(row.try_get(4)?),
        oldest_event_time: row.try_get::<Option<i64>, _>(5)?.and_then(EventTime::from_unix_micros),
        newest_event_time: row.try_get::<Option<i64>, _>(6)?.and_then(EventTime::from_unix_micros),
        updated: super::group_rows::instant(row.try_get(7)?)?,
    };
    Ok((GroupId(id), summary))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::group_rows::samples::{catalog, group};

    #[tokio::test]
    async fn a_summary_never_steps_back_to_an_earlier_version() {
        let (_folder, catalog) = catalog().await;
        let clicks = group("clicks");
        let at = |version: u64, rows: u64| OfflineSummary {
            delta_version: version,
            files: 2,
            rows,
            bytes: 4096,
            oldest_event_time: EventTime::from_unix_micros(1),
            newest_event_time: None,
            updated: EventTime::from_unix_seconds(5).unwrap(),
        };
        catalog.set_offline_summary(&clicks.id, &at(0, 1)).await.unwrap();
        assert_eq!(catalog.offline_summary(&clicks.id).await.unwrap(), None, "a group that is gone has no summary");

        catalog.insert_group(&clicks).await.unwrap();
        catalog.set_offline_summary(&clicks.id, &at(7, 70)).await.unwrap();
        catalog.set_offline_summary(&clicks.id, &at(6, 60)).await.unwrap();
        assert_eq!(catalog.offline_summary(&clicks.id).await.unwrap(), Some(at(7, 70)));
        catalog.set_offline_summary(&clicks.id, &at(8, 80)).await.unwrap();
        assert_eq!(catalog.offline_summaries().await.unwrap(), HashMap::from([(clicks.id, at(8, 80))]));
    }
}
