//! What runs of sync said of sources, read again.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Catalog, RunId};
use crate::model::Result;

type SqlResult<T> = std::result::Result<T, sqlx::Error>;

/// What a run said of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncReportRow {
    /// The run.
    pub run: RunId,
    /// The source.
    pub source: String,
    /// JSON.
    pub report: String,
}

impl Catalog {
    /// What a run said, by source.
    pub async fn sync_reports_of(&self, run: RunId) -> Result<Vec<SyncReportRow>> {
        let what = "read what a sync said";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query("SELECT run_id, source, report FROM sync_reports WHERE run_id = ?1 ORDER BY source")
            .bind(run.0.as_bytes().as_slice())
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault(what))?;
        rows.iter().map(report_of).collect::<SqlResult<_>>().map_err(self.fault(what))
    }

    /// What was said last of each source. Ids of runs grow with time.
    pub async fn last_sync_reports(&self) -> Result<Vec<SyncReportRow>> {
        let what = "read what syncs said last";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query("SELECT MAX(run_id), source, report FROM sync_reports GROUP BY source ORDER BY source")
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault(what))?;
        rows.iter().map(report_of).collect::<SqlResult<_>>().map_err(self.fault(what))
    }
}

fn report_of(row: &SqliteRow) -> SqlResult<SyncReportRow> {
    let run = uuid::Uuid::from_slice(row.try_get::<&[u8], _>(0)?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(SyncReportRow { run: RunId(run), source: row.try_get(1)?, report: row.try_get(2)? })
}
