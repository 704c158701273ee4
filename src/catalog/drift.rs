//! The last comparison of each feature with each kind of baseline: what lists and search show without comparing anew.

use std::collections::HashMap;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use super::Catalog;
use crate::model::{EventTime, GroupId, Result};

/// One distance of one feature from a baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct DriftRow {
    /// The feature; empty for the group as a whole.
    pub feature: String,
    /// What was measured, by the name `statistics` gives it.
    pub metric: String,
    /// How far apart; none where no number says it.
    pub value: Option<f64>,
    /// What chance alone brings.
    pub noise: Option<f64>,
    /// From where on it is worth a look.
    pub watch: f64,
    /// From where on it is worth being woken.
    pub alert: f64,
    /// `ok`, `watch`, `alert`, or `few` rows to tell.
    pub level: String,
    /// More of it in words.
    pub detail: Option<String>,
}

impl Catalog {
    /// Keeps the comparison of a group with a kind of baseline, in place of the last one. The same numbers again write nothing: whoever
    /// watches the catalog for changes and compares anew at each would never come to rest.
    pub async fn set_drift(&self, group: &GroupId, baseline: &str, rows: &[DriftRow], taken: EventTime) -> Result<()> {
        let what = "note a comparison";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let mut wanted: Vec<DriftRow> = rows.iter().map(kept).collect();
        wanted.sort_by(|one, other| (&one.feature, &one.metric).cmp(&(&other.feature, &other.metric)));
        if comparison(&mut transaction, group, baseline).await.map_err(self.fault(what))? == wanted {
            return Ok(());
        }
        sqlx::query("DELETE FROM drift_results WHERE group_id = ?1 AND baseline = ?2")
            .bind(group.bytes().as_slice())
            .bind(baseline)
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        for row in &wanted {
            sqlx::query(
                "INSERT OR REPLACE INTO drift_results (group_id, feature, baseline, metric, value, noise, watch, alert, level, detail, taken)
                 SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 FROM feature_groups WHERE id = ?1",
            )
            .bind(group.bytes().as_slice())
            .bind(&row.feature)
            .bind(baseline)
            .bind(&row.metric)
            .bind(row.value)
            .bind(row.noise)
            .bind(row.watch)
            .bind(row.alert)
            .bind(&row.level)
            .bind(&row.detail)
            .bind(taken.unix_micros())
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await
    }

    /// The worst level of every feature that was compared, by group and feature: `alert` before `watch` before `ok` before `few`.
    pub async fn drift_levels(&self) -> Result<HashMap<(GroupId, String), String>> {
        let what = "read comparisons";
        let mut reader = self.reader.lock().await;
        let rows = sqlx::query(
            "SELECT group_id, feature, max(CASE level WHEN 'alert' THEN '3alert' WHEN 'watch' THEN '2watch' WHEN 'ok' THEN '1ok' ELSE '0few' END)
             FROM drift_results GROUP BY group_id, feature",
        )
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault(what))?;
        rows.iter().map(level).collect::<std::result::Result<_, _>>().map_err(self.fault(what))
    }
}

/// A row as it can be kept: SQLite has no numbers that aren't finite.
fn kept(row: &DriftRow) -> DriftRow {
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    DriftRow { value: finite(row.value), noise: finite(row.noise), ..row.clone() }
}

/// The last comparison, by feature and metric.
async fn comparison(connection: &mut SqliteConnection, group: &GroupId, baseline: &str) -> std::result::Result<Vec<DriftRow>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT feature, metric, value, noise, watch, alert, level, detail FROM drift_results
         WHERE group_id = ?1 AND baseline = ?2 ORDER BY feature, metric",
    )
    .bind(group.bytes().as_slice())
    .bind(baseline)
    .fetch_all(connection)
    .await?;
    let row = |row: &SqliteRow| {
        Ok(DriftRow {
            feature: row.try_get(0)?,
            metric: row.try_get(1)?,
            value: row.try_get(2)?,
            noise: row.try_get(3)?,
            watch: row.try_get(4)?,
            alert: row.try_get(5)?,
            level: row.try_get(6)?,
            detail: row.try_get(7)?,
        })
    };
    rows.iter().map(row).collect()
}

fn level(row: &SqliteRow) -> std::result::Result<((GroupId, String), String), sqlx::Error> {
    let id = Uuid::from_slice(row.try_get::<&[u8], _>(0)?).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let ranked: &str = row.try_get(2)?;
    Ok(((GroupId(id), row.try_get(1)?), ranked.get(1..).unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::group_rows::samples::{catalog, group};

    #[tokio::test]
    async fn the_worst_level_counts_and_a_new_comparison_replaces_the_last() {
        let (_folder, catalog) = catalog().await;
        let clicks = group("clicks");
        catalog.insert_group(&clicks).await.unwrap();
        let row = |metric: &str, level: &str| DriftRow {
            feature: "price".into(),
            metric: metric.into(),
            value: Some(0.3),
            noise: None,
            watch: 0.1,
            alert: 0.2,
            level: level.into(),
            detail: None,
        };
        let now = EventTime::from_unix_seconds(5).unwrap();
        let level = async || catalog.drift_levels().await.unwrap().get(&(clicks.id, "price".to_owned())).cloned();
        assert_eq!(level().await, None);
        catalog.set_drift(&clicks.id, "previous", &[row("ks", "ok"), row("psi", "alert"), row("nulls", "watch")], now).await.unwrap();
        assert_eq!(level().await.as_deref(), Some("alert"));
        catalog.set_drift(&clicks.id, "previous", &[row("ks", "ok")], now).await.unwrap();
        assert_eq!(level().await.as_deref(), Some("ok"));
        let version = catalog.data_version().await.unwrap();
        let later = EventTime::from_unix_seconds(9).unwrap();
        catalog.set_drift(&clicks.id, "previous", &[row("ks", "ok")], later).await.unwrap();
        assert_eq!(catalog.data_version().await.unwrap(), version, "the same again is written once");
        catalog.set_drift(&clicks.id, "june", &[row("ks", "few")], now).await.unwrap();
        assert_eq!(level().await.as_deref(), Some("ok"));
    }
}
