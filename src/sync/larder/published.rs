//! The catalog that somebody published in a folder or bucket: its newest version is the listing.
//!
//! Look-ups go to the server that a group names as its own, if it names one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::super::aws::{Account, AwsPlace};
use super::super::observed::ObservedGroup;
use super::super::published::Shelf;
use super::super::source::{Fetched, Listed, Listing, LookUp, Source, SourceError, Trouble};
use crate::backend::offline::RemoteSettings;
use crate::model::{Error, ErrorKind};
use crate::store::OnlineRecord;

/// A published catalog.
pub struct PublishedCatalog {
    location: String,
    settings: RemoteSettings,
    /// Groups of the last listing by native id.
    listed: Mutex<HashMap<String, ObservedGroup>>,
}

impl PublishedCatalog {
    /// The catalog published there.
    pub fn new(location: &str, settings: &RemoteSettings) -> Self {
        Self { location: location.to_owned(), settings: settings.clone(), listed: Mutex::default() }
    }
}

#[async_trait]
impl Source for PublishedCatalog {
    async fn list(&self, _cursor: Option<&str>) -> Result<Listing, SourceError> {
        let shelf = Shelf::open(&self.location, &self.settings, false).await?;
        let Some((version, document)) = shelf.newest().await? else {
            let error = Error::not_found(format!("no catalog was published in {}", self.location));
            let remedy = format!("publish one: `larder export catalog {}`", self.location);
            return Err(SourceError::new(Trouble::Other, error.remedy(remedy)));
        };
        let mut listing = Listing { complete: true, cursor: Some(version.to_string()), ..Listing::default() };
        let mut listed = HashMap::with_capacity(document.groups.len());
        for published in document.groups {
            let native_id = published.group.name.to_lowercase();
            listing.groups.push(Listed {
                native_id: native_id.clone(),
                incarnation: published.incarnation,
                name: published.group.name.clone(),
                token: Some(published.group.stored()?.1),
            });
            listed.insert(native_id, published.group);
        }
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = listed;
        Ok(listing)
    }

    async fn fetch(&self, wanted: &[Listed]) -> Result<Vec<Fetched>, SourceError> {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = |group: &Listed| SourceError::new(Trouble::Other, Error::not_found(format!("'{}' was not listed", group.name)));
        Ok(wanted.iter().map(|group| (group.clone(), listed.get(&group.native_id).cloned().ok_or_else(|| missing(group)))).collect())
    }

    async fn look_up(&self, look_up: &LookUp<'_>) -> Result<Option<OnlineRecord>, SourceError> {
        let Some(endpoint) = look_up.group.endpoint.as_deref() else {
            let error = Error::new(ErrorKind::NotFound, format!("records of '{}' can't be looked up", look_up.group.name))
                .why("its catalog was published without a server")
                .remedy("let the publisher say `larder export catalog … --endpoint http://HOST:PORT`");
            return Err(SourceError::new(Trouble::Other, error));
        };
        Account::new(AwsPlace::of_server(endpoint, &BTreeMap::new())?).look_up(look_up).await
    }
}
