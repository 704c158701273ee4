//! Usage: who read what, a row a day.
//!
//! Reads are counted in each process and reach the table from spool files ([`Catalog::fold_usage`]). The name of a file is
//! noted in the transaction that adds its lines, so that a file which is folded again, by another process or after a crash,
//! adds nothing.

use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::{Catalog, from_sql, to_sql};
use crate::model::{EventTime, GroupId, Result};

/// Names of folded files are kept this long: a process that read one before it was removed has ended by then.
const SPOOLS_KEPT: i64 = 2 * 86_400 * 1_000_000;

/// Reads of a day, as a spool file has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageLine {
    /// Days since 1970, UTC.
    pub day: i64,
    /// The group.
    pub group: GroupId,
    /// The feature; empty for whole records.
    pub feature: String,
    /// Who read.
    pub principal: String,
    /// get, batch-get, history, query.
    pub operation: String,
    /// How often.
    pub reads: u64,
}

/// Reads of one day, principal and operation, without the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageDay {
    /// Days since 1970, UTC.
    pub day: i64,
    /// The feature; empty for whole records.
    pub feature: String,
    /// Who read.
    pub principal: String,
    /// get, batch-get, history, query.
    pub operation: String,
    /// How often.
    pub reads: u64,
}

/// Reads of a group or feature by one principal, over days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    /// Who read.
    pub principal: String,
    /// How.
    pub operation: String,
    /// How often.
    pub reads: u64,
    /// The last day, since 1970, UTC.
    pub last_day: i64,
}

impl Catalog {
    /// Adds the lines of a spool file; false if they were added before. Lines of groups that are gone are left out.
    pub async fn fold_usage(&self, spool: &str, lines: &[UsageLine], now: EventTime) -> Result<bool> {
        let what = "add up usage";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        sqlx::query("DELETE FROM usage_spools WHERE folded < ?1")
            .bind(now.unix_micros().saturating_sub(SPOOLS_KEPT))
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        let noted = sqlx::query("INSERT INTO usage_spools (name, folded) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
            .bind(spool)
            .bind(now.unix_micros())
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        if noted.rows_affected() == 0 {
            return Ok(false);
        }
        let cells: Vec<_> = lines
            .iter()
            .map(|line| (line.day, line.group.0.simple().to_string(), &line.feature, &line.principal, &line.operation, to_sql(line.reads)))
            .collect();
        let cells = serde_json::to_string(&cells).map_err(|error| sqlx::Error::Encode(Box::new(error))).map_err(self.fault(what))?;
        sqlx::query(
            "INSERT INTO usage_days (day, group_id, feature, principal, operation, reads)
             SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5 FROM json_each(?1)
             WHERE EXISTS (SELECT 1 FROM feature_groups WHERE id = unhex(value ->> 1))
             ON CONFLICT (day, group_id, feature, principal, operation) DO UPDATE SET reads = reads + excluded.reads",
        )
        .bind(cells)
        .execute(&mut *transaction)
        .await
        .map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(true)
    }

    /// Reads of a group since a day, or of one feature of it, reads of whole records included; most reads first.
    pub async fn usage_of(&self, group: &GroupId, feature: Option<&str>, since_day: i64) -> Result<Vec<UsageRow>> {
        let what = "read usage";
        let mut reader = self.reader.lock().await;
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT principal, operation, sum(reads), max(day) FROM usage_days
             WHERE group_id = ?1 AND day >= ?2 AND (?3 IS NULL OR feature IN (?3, '')) GROUP BY principal, operation
             ORDER BY sum(reads) DESC, principal, operation",
        )
        .bind(group.bytes().as_slice())
        .bind(since_day)
        .bind(feature)
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        let row = |(principal, operation, reads, last_day)| UsageRow { principal, operation, reads: from_sql(reads), last_day };
        Ok(rows.into_iter().map(row).collect())
    }

    /// Reads of a group, day by day.
    pub async fn usage_days(&self, group: &GroupId) -> Result<Vec<UsageDay>> {
        let what = "read usage";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT day, feature, principal, operation, reads FROM usage_days WHERE group_id = ?1 ORDER BY day, feature, principal, operation",
        )
        .bind(group.bytes().as_slice())
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        let day = |row: &sqlx::sqlite::SqliteRow| {
            Ok(UsageDay {
                day: row.try_get(0)?,
                feature: row.try_get(1)?,
                principal: row.try_get(2)?,
                operation: row.try_get(3)?,
                reads: from_sql(row.try_get(4)?),
            })
        };
        rows.iter().map(day).collect::<std::result::Result<_, sqlx::Error>>().map_err(self.fault(what))
    }

    /// The first day of which reads are known.
    pub async fn usage_since(&self) -> Result<Option<i64>> {
        let mut reader = self.reader.lock().await;
        sqlx::query_scalar("SELECT min(day) FROM usage_days").fetch_one(&mut *reader).await.map_err(self.fault("read usage"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::group_rows::samples::{catalog, group};
    use uuid::Uuid;

    use super::*;

    fn line(group: GroupId, feature: &str, principal: &str, reads: u64) -> UsageLine {
        UsageLine { day: 20_000, group, feature: feature.into(), principal: principal.into(), operation: "get".into(), reads }
    }

    #[tokio::test]
    async fn a_spool_is_added_once_and_a_dropped_group_takes_its_usage_along() {
        let (_folder, catalog) = catalog().await;
        let clicks = group("clicks");
        catalog.insert_group(&clicks).await.unwrap();
        let now = EventTime::from_unix_seconds(1_800_000_000).unwrap();
        let lines = [
            line(clicks.id, "", "ann", 3),
            line(clicks.id, "score", "ann", 2),
            line(clicks.id, "other", "bob", 1),
            line(GroupId(Uuid::now_v7()), "", "bob", 9),
        ];
        assert!(catalog.fold_usage("a", &lines, now).await.unwrap());
        assert!(!catalog.fold_usage("a", &lines, now).await.unwrap());
        assert!(catalog.fold_usage("b", &lines[..1], now).await.unwrap());
        let of = async |feature: Option<&'static str>| {
            let rows = catalog.usage_of(&clicks.id, feature, 0).await.unwrap();
            rows.into_iter().map(|row| (row.principal, row.reads)).collect::<Vec<_>>()
        };
        assert_eq!(of(Some("score")).await, [("ann".to_owned(), 8)]);
        assert_eq!(of(None).await, [("ann".to_owned(), 8), ("bob".to_owned(), 1)]);
        assert_eq!(catalog.usage_of(&clicks.id, None, 20_001).await.unwrap(), []);
        assert_eq!(catalog.usage_since().await.unwrap(), Some(20_000));
    }
}
