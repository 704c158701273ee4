//! Notes of people over what sources tell of groups. What a path means is the business of the layer above.

use super::{Catalog, process};
use crate::model::{EventTime, Result};

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncNoteRow {
    /// Name of the group, in lower case.
    pub folded_name: String,
    /// What of it.
    pub path: String,
    /// What is said.
    pub value: String,
}

impl Catalog {
    /// Notes by group and path; of one group if asked, whatever the case of its name.
    pub async fn sync_notes(&self, group: Option<&str>) -> Result<Vec<SyncNoteRow>> {
        let mut reader = self.reader.lock().await;
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT folded_name, path, value FROM sync_notes WHERE ?1 IS NULL OR folded_name = ?1 ORDER BY folded_name, path",
        )
        .bind(group.map(str::to_lowercase))
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault("read notes"))?;
        Ok(rows.into_iter().map(|(folded_name, path, value)| SyncNoteRow { folded_name, path, value }).collect())
    }

    /// Writes notes of a group, all of them or none; a path without a value has no note any more.
    pub async fn set_sync_notes(&self, group: &str, notes: &[(String, Option<String>)], now: EventTime) -> Result<()> {
        let what = "write notes";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        for (path, value) in notes {
            let written = match value {
                Some(value) => sqlx::query(
                    "INSERT INTO sync_notes (folded_name, path, value, noted, principal) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (folded_name, path) DO UPDATE SET value = ?3, noted = ?4, principal = ?5",
                )
                .bind(group.to_lowercase())
                .bind(path)
                .bind(value)
                .bind(now.unix_micros())
                .bind(process::principal()),
                None => sqlx::query("DELETE FROM sync_notes WHERE folded_name = ?1 AND path = ?2").bind(group.to_lowercase()).bind(path),
            };
            written.execute(&mut *transaction).await.map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await
    }
}
