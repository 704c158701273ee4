//! The store in another folder, whose catalog is opened for reading only.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::super::observed::ObservedGroup;
use super::super::source::{Fetched, Listed, Listing, LookUp, Source, SourceError, Trouble};
use crate::catalog::{Catalog, CatalogOptions};
use crate::model::{Error, GroupStatus};
use crate::store::{FeatureStore, OnlineRecord, OpenOptions};

/// A store in a folder.
pub struct LarderFolder {
    folder: PathBuf,
    /// Groups of the last listing by incarnation: one read of the catalog tells of all, so that they are of one moment.
    listed: Mutex<HashMap<String, ObservedGroup>>,
}

impl LarderFolder {
    /// The store in that folder.
    ///
    /// # Errors
    /// Usage if it is the store that is synced.
    pub fn new(folder: PathBuf, own: &Path) -> crate::model::Result<Self> {
        let same = |a: &Path, b: &Path| std::fs::canonicalize(a).ok().zip(std::fs::canonicalize(b).ok()).is_some_and(|(a, b)| a == b);
        if same(&folder, own) {
            return Err(Error::usage("a store can't be a source of itself").remedy("name the folder of another store"));
        }
        Ok(Self { folder, listed: Mutex::default() })
    }
}

#[async_trait]
impl Source for LarderFolder {
    async fn list(&self, _cursor: Option<&str>) -> Result<Listing, SourceError> {
        let options = CatalogOptions { read_only: true, ..CatalogOptions::default() };
        let catalog = Catalog::open(self.folder.join("catalog.db"), options).await?;
        let groups = catalog.groups().await?;
        catalog.close().await?;
        let mut listed = self.listed.lock().await;
        listed.clear();
        let mut listing = Listing { complete: true, ..Listing::default() };
        for group in groups.iter().filter(|group| group.status != GroupStatus::Deleting) {
            let observed = ObservedGroup::from(group);
            let incarnation = group.id.to_string();
            let (_, hash) = observed.stored()?;
            listing.groups.push(Listed {
                native_id: group.name.folded().to_owned(),
                incarnation: incarnation.clone(),
                name: group.name.as_str().to_owned(),
                token: Some(hash),
            });
            listed.insert(incarnation, observed);
        }
        Ok(listing)
    }

    async fn fetch(&self, wanted: &[Listed]) -> Result<Vec<Fetched>, SourceError> {
        let listed = self.listed.lock().await;
        let missing = |group: &Listed| SourceError::new(Trouble::Other, Error::not_found(format!("'{}' was not listed", group.name)));
        let read = |group: &Listed| listed.get(&group.incarnation).cloned().ok_or_else(|| missing(group));
        Ok(wanted.iter().map(|group| (group.clone(), read(group))).collect())
    }

    async fn look_up(&self, look_up: &LookUp<'_>) -> Result<Option<OnlineRecord>, SourceError> {
        let store = FeatureStore::open(&self.folder, OpenOptions { read_only: true, ..OpenOptions::default() }).await?;
        let found = store.get(&look_up.group.name, look_up.identifier, look_up.features).await;
        store.close().await?;
        Ok(found?)
    }
}
