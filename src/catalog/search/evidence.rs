//! What is known of features besides their definitions: profiles, drift, who reads them, which datasets have them.
//!
//! All of it may be missing: a group that was never profiled, a store whose reads are not recorded. What is missing is unknown,
//! never zero, so every answer here is an `Option` or a map without the entry.

use std::collections::{HashMap, HashSet};

use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use crate::catalog::{Catalog, from_sql};
use crate::model::{GroupId, Result};

type SqlResult<T> = std::result::Result<T, sqlx::Error>;

/// Days over which readers are counted.
pub const READER_DAYS: i64 = 30;

/// A feature of a group, its name in lower case; the empty name is the group as a whole.
pub type FeatureKey = (GroupId, String);

/// What the profile of all history says of a feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureFigures {
    /// Rows that were looked at.
    pub rows: u64,
    /// Those without a value.
    pub nulls: u64,
    /// Most different values there may be, if known.
    pub distinct_at_most: Option<f64>,
}

/// How much something is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readers {
    /// Different principals.
    pub principals: u64,
    /// Reads.
    pub reads: u64,
}

/// What a list shows of a feature's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureLine {
    /// Rows that were looked at.
    pub rows: u64,
    /// Those without a value.
    pub nulls: u64,
    /// Bars of its shape as JSON; where a column has no axis, its most frequent values with their counts.
    pub shape: Option<String>,
}

/// A row of the figures: group, feature, rows, nulls, upper bound of distinct values.
type FiguresRow = (Vec<u8>, String, i64, i64, Option<f64>);

/// A row of the lines: group, feature, rows, nulls, the shape as JSON.
type ColumnRow = (Vec<u8>, String, i64, i64, Option<String>);

impl Catalog {
    /// What the profiles say of each feature that was profiled.
    pub async fn feature_figures(&self) -> Result<HashMap<FeatureKey, FeatureFigures>> {
        let mut reader = self.reader.lock().await;
        let rows: Vec<FiguresRow> = sqlx::query_as(
            "SELECT p.group_id, lower(c.feature), c.n, c.n_null, c.distinct_hi
             FROM profiles p JOIN profile_columns c ON c.profile_id = p.id WHERE p.population = 'events' AND p.grain = 'whole'",
        )
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault("read the profiles of features"))?;
        let figures = |(id, feature, rows, nulls, distinct_at_most): FiguresRow| {
            let figures = FeatureFigures { rows: from_sql(rows), nulls: from_sql(nulls), distinct_at_most };
            Some(((group_id(&id)?, feature), figures))
        };
        Ok(rows.into_iter().filter_map(figures).collect())
    }

    /// What a list shows of the values of each feature that was profiled, over all history.
    pub async fn feature_lines(&self) -> Result<HashMap<FeatureKey, FeatureLine>> {
        let mut reader = self.reader.lock().await;
        let rows: Vec<ColumnRow> = sqlx::query_as(
            "SELECT p.group_id, lower(c.feature), c.n, c.n_null, 
                    CASE json_array_length(c.figures, '$.spark') WHEN 0 THEN c.figures -> '$.top' ELSE c.figures -> '$.spark' END
             FROM profiles p JOIN profile_columns c ON c.profile_id = p.id WHERE p.population = 'events' AND p.grain = 'whole'",
        )
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault("read the shapes of features"))?;
        let line = |(id, feature, rows, nulls, shape): ColumnRow| {
            Some(((group_id(&id)?, feature), FeatureLine { rows: from_sql(rows), nulls: from_sql(nulls), shape }))
        };
        Ok(rows.into_iter().filter_map(line).collect())
    }

    /// Who read each feature by its name, or whole records (the empty name), since a day (days since 1970); none if reads are not recorded.
    pub async fn principals_since(&self, day: i64) -> Result<Option<HashMap<FeatureKey, HashSet<String>>>> {
        let what = "read who uses the features";
        let mut reader = self.reader.lock().await;
        if first_recorded_day(&mut reader).await.map_err(self.fault(what))?.is_none() {
            return Ok(None);
        }
        let rows: Vec<(Vec<u8>, String, String)> =
            sqlx::query_as("SELECT DISTINCT group_id, lower(feature), principal FROM usage_days WHERE day >= ?1")
                .bind(day)
                .fetch_all(&mut *reader)
                .await
                .map_err(self.fault(what))?;
        let mut principals: HashMap<FeatureKey, HashSet<String>> = HashMap::new();
        for (id, feature, principal) in rows {
            let Some(id) = group_id(&id) else { continue };
            principals.entry((id, feature)).or_default().insert(principal);
        }
        Ok(Some(principals))
    }

    /// Figures of one feature over all history as JSON, and what it merges by; none if it was never profiled.
    pub async fn kept_column(&self, group: &GroupId, feature: &str) -> Result<Option<(String, Option<Vec<u8>>)>> {
        let mut reader = self.reader.lock().await;
        sqlx::query_as(
            "SELECT c.figures, s.bytes FROM profiles p JOIN profile_columns c ON c.profile_id = p.id
             LEFT JOIN profile_sketches s ON s.profile_id = p.id AND s.feature = c.feature
             WHERE p.group_id = ?1 AND p.population = 'events' AND p.grain = 'whole' AND c.feature = ?2",
        )
        .bind(group.bytes().as_slice())
        .bind(feature)
        .fetch_optional(&mut *reader)
        .await
        .map_err(self.fault("read the statistics of a feature"))
    }

    /// How many training datasets, by name, have each feature.
    pub async fn dataset_counts(&self) -> Result<HashMap<FeatureKey, u64>> {
        let mut reader = self.reader.lock().await;
        let rows: Vec<(Vec<u8>, String, i64)> = sqlx::query_as(
            "SELECT c.group_id, lower(c.feature), count(DISTINCT d.folded_name)
             FROM dataset_columns c JOIN datasets d ON d.id = c.dataset_id WHERE c.group_id IS NOT NULL GROUP BY 1, 2",
        )
        .fetch_all(&mut *reader)
        .await
        .map_err(self.fault("count the training datasets of features"))?;
        Ok(rows.into_iter().filter_map(|(id, feature, count)| Some(((group_id(&id)?, feature), from_sql(count)))).collect())
    }

    /// The first day (since 1970) of which reads are recorded; none if they are not.
    pub async fn reads_recorded_since(&self) -> Result<Option<i64>> {
        let mut reader = self.reader.lock().await;
        first_recorded_day(&mut reader).await.map_err(self.fault("read since when uses are recorded"))
    }

    /// Who read each feature since a day (days since 1970); none if reads are not recorded.
    pub async fn readers_since(&self, day: i64) -> Result<Option<HashMap<FeatureKey, Readers>>> {
        let mut reader = self.reader.lock().await;
        readers_since(&mut reader, day).await.map_err(self.fault("read who uses the features"))
    }
}

/// Who read each feature since a day; none while no read is recorded.
pub(super) async fn readers_since(connection: &mut SqliteConnection, day: i64) -> SqlResult<Option<HashMap<FeatureKey, Readers>>> {
    if first_recorded_day(connection).await?.is_none() {
        return Ok(None);
    }
    let rows: Vec<(Vec<u8>, String, i64, i64)> = sqlx::query_as(
        "SELECT group_id, lower(coalesce(feature, '')), count(DISTINCT principal), sum(reads) FROM usage_days
         WHERE day >= ?1 GROUP BY 1, 2
         UNION ALL
         SELECT group_id, '', count(DISTINCT principal), sum(reads) FROM usage_days
         WHERE day >= ?1 AND coalesce(feature, '') <> '' GROUP BY 1",
    )
    .bind(day)
    .fetch_all(connection)
    .await?;
    let mut readers: HashMap<FeatureKey, Readers> = HashMap::with_capacity(rows.len());
    for (id, feature, principals, reads) in rows {
        let Some(id) = group_id(&id) else { continue };
        let entry = readers.entry((id, feature)).or_default();
        // A group is read as a whole and by its features: who does both is one reader, so the larger count is the safe one.
        entry.principals = entry.principals.max(from_sql(principals));
        entry.reads += from_sql(reads);
    }
    Ok(Some(readers))
}

/// The first day (since 1970) of which reads are recorded; none if they are not.
pub(super) async fn first_recorded_day(connection: &mut SqliteConnection) -> SqlResult<Option<i64>> {
    sqlx::query_scalar("SELECT min(day) FROM usage_days").fetch_one(connection).await
}

/// The names of models that the lineage knows, with what stands before them.
pub(super) async fn models(connection: &mut SqliteConnection) -> SqlResult<Vec<(String, String)>> {
    /// More are not looked at.
    const MOST_MODELS: i64 = 20_000;
    sqlx::query_as("SELECT DISTINCT namespace, name FROM lineage_nodes WHERE kind = 'model' AND state = 'active' ORDER BY name LIMIT ?1")
        .bind(MOST_MODELS)
        .fetch_all(connection)
        .await
}

fn group_id(bytes: &[u8]) -> Option<GroupId> {
    Uuid::from_slice(bytes).ok().map(GroupId)
}
