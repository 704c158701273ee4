//! Pairs of features that a person said are no duplicates.

use std::collections::HashSet;

use uuid::Uuid;

use super::evidence::FeatureKey;
use crate::catalog::Catalog;
use crate::model::{EventTime, GroupId, Result};

/// The pair in the order it is kept, whichever way round it was named.
fn ordered<'a>(one: &'a FeatureKey, other: &'a FeatureKey) -> (&'a FeatureKey, &'a FeatureKey) {
    if one <= other { (one, other) } else { (other, one) }
}

impl Catalog {
    /// Remembers that two features, by group and name in lower case, are no duplicates; again changes nothing.
    pub async fn dismiss_duplicate(&self, one: &FeatureKey, other: &FeatureKey, now: EventTime) -> Result<()> {
        let what = "dismiss a pair of duplicates";
        let (one, other) = ordered(one, other);
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        sqlx::query("INSERT OR IGNORE INTO duplicate_dismissals VALUES (?1, ?2, ?3, ?4, ?5)")
            .bind(one.0.bytes().as_slice())
            .bind(&one.1)
            .bind(other.0.bytes().as_slice())
            .bind(&other.1)
            .bind(now.unix_micros())
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        self.commit(transaction, what).await
    }

    /// Takes a dismissal back; false if there was none.
    pub async fn recall_duplicate(&self, one: &FeatureKey, other: &FeatureKey) -> Result<bool> {
        let what = "take back the dismissal of a pair of duplicates";
        let (one, other) = ordered(one, other);
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let done = sqlx::query(
            "DELETE FROM duplicate_dismissals WHERE one_group = ?1 AND one_feature = ?2 AND other_group = ?3 AND other_feature = ?4",
        )
        .bind(one.0.bytes().as_slice())
        .bind(&one.1)
        .bind(other.0.bytes().as_slice())
        .bind(&other.1)
        .execute(&mut *transaction)
        .await
        .map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(done.rows_affected() > 0)
    }

    /// The dismissed pairs, each the lesser feature first.
    pub async fn dismissed_duplicates(&self) -> Result<HashSet<(FeatureKey, FeatureKey)>> {
        let mut reader = self.reader.lock().await;
        let rows: Vec<(Vec<u8>, String, Vec<u8>, String)> =
            sqlx::query_as("SELECT one_group, one_feature, other_group, other_feature FROM duplicate_dismissals")
                .fetch_all(&mut *reader)
                .await
                .map_err(self.fault("read the dismissed pairs of duplicates"))?;
        let id = |bytes: &[u8]| Uuid::from_slice(bytes).ok().map(GroupId);
        let pair = |(one, one_feature, other, other_feature): (Vec<u8>, String, Vec<u8>, String)| {
            Some(((id(&one)?, one_feature), (id(&other)?, other_feature)))
        };
        Ok(rows.into_iter().filter_map(pair).collect())
    }
}
