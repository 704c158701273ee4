//! Settings of the store: names with values, few and small.

use std::collections::BTreeMap;

use super::Catalog;
use crate::model::{Error, Result};

/// The setting that holds the store's identity.
pub const STORE_ID: &str = "store_id";

/// Set by the migrations and checked when the catalog is opened.
const FORMAT: &str = "format_version";

/// Most characters of a value: settings are facts, not documents.
const MAX_VALUE: usize = 65_536;

impl Catalog {
    /// Returns the value of a setting, if it is set.
    pub async fn setting(&self, name: &str) -> Result<Option<String>> {
        let mut reader = self.reader.lock().await;
        sqlx::query_scalar("SELECT value FROM settings WHERE name = ?1")
            .bind(name)
            .fetch_optional(&mut *reader)
            .await
            .map_err(self.fault("read a setting"))
    }

    /// Returns all settings by name.
    pub async fn settings(&self) -> Result<BTreeMap<String, String>> {
        let mut reader = self.reader.lock().await;
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT name, value FROM settings").fetch_all(&mut *reader).await.map_err(self.fault("read the settings"))?;
        Ok(rows.into_iter().collect())
    }

    /// Sets a value, whether or not there was one.
    pub async fn set_setting(&self, name: &str, value: &str) -> Result<()> {
        let what = "change a setting";
        check(name, value)?;
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        sqlx::query("INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(name)
            .bind(value)
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        self.commit(transaction, what).await
    }

    /// Sets a value unless there is one, and returns the one that holds.
    ///
    /// Of several processes that do so at once, all get the value of the first: this is how a store gets its one id.
    pub async fn setting_or_insert(&self, name: &str, value: &str) -> Result<String> {
        let what = "change a setting";
        if let Some(found) = self.setting(name).await? {
            return Ok(found);
        }
        check(name, value)?;
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        sqlx::query("INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .bind(value)
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        let holds = sqlx::query_scalar("SELECT value FROM settings WHERE name = ?1")
            .bind(name)
            .fetch_one(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(holds)
    }

    /// Removes a setting; one that is not set is no error.
    pub async fn remove_setting(&self, name: &str) -> Result<()> {
        let what = "remove a setting";
        check(name, "")?;
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        sqlx::query("DELETE FROM settings WHERE name = ?1").bind(name).execute(&mut *transaction).await.map_err(self.fault(what))?;
        self.commit(transaction, what).await
    }
}

fn check(name: &str, value: &str) -> Result<()> {
    if name == FORMAT {
        return Err(Error::internal("the store's format is changed by migrations only"));
    }
    if value.chars().count() > MAX_VALUE {
        return Err(
            Error::invalid(format!("the value of setting '{name}' is too long")).remedy(format!("use at most {MAX_VALUE} characters"))
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::catalog::CatalogOptions;

    #[tokio::test]
    async fn settings_are_set_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let catalog =
            Catalog::open(folder.path().join("catalog.db"), CatalogOptions { create: true, ..CatalogOptions::default() }).await.unwrap();
        assert_eq!(catalog.setting("region").await.unwrap(), None);
        catalog.set_setting("region", "eu-central-1").await.unwrap();
        catalog.set_setting("region", "local").await.unwrap();
        assert_eq!(catalog.settings().await.unwrap().get("region").map(String::as_str), Some("local"));
        catalog.remove_setting("region").await.unwrap();
        assert_eq!(catalog.setting("region").await.unwrap(), None);
        assert!(catalog.set_setting("format_version", "9").await.is_err());
        assert!(catalog.set_setting("x", &"y".repeat(MAX_VALUE + 1)).await.is_err());
    }

    #[tokio::test]
    async fn the_first_of_two_processes_names_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        let options = CatalogOptions { create: true, ..CatalogOptions::default() };
        let (one, two) = (Catalog::open(&path, options.clone()).await.unwrap(), Catalog::open(&path, options).await.unwrap());
        let (first, second) = tokio::join!(one.setting_or_insert(STORE_ID, "1"), two.setting_or_insert(STORE_ID, "2"));
        assert_eq!(first.unwrap(), second.unwrap());
    }
}
