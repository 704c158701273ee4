//! Publishing: what this store knows of groups becomes the next version, if it differs from the newest one.

use std::collections::{BTreeMap, HashSet};

use super::super::aws::AwsPlace;
use super::super::kinds::settled_location;
use super::super::observed::ObservedGroup;
use super::super::sources::{sources, synced_groups};
use super::{Document, PublishedGroup, Shelf};
use crate::model::{Error, ErrorKind, GroupStatus, Result};
use crate::store::FeatureStore;

/// Versions that stay; older ones are cleared away.
const KEPT: usize = 100;
/// How often a publisher tries anew after others made the version it wanted.
const ATTEMPTS: usize = 20;

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The version that says it.
    pub version: u64,
    /// Its groups.
    pub groups: usize,
    /// False if the newest version said the same already.
    pub is_new: bool,
    /// Where it is, as `source add` takes it.
    pub location: String,
}

/// Publishes what this store knows: its own groups and those its sources told of. `endpoint` is the server of this store's records,
/// if there is one.
///
/// # Errors
/// Whatever keeps the place from being read or written; nothing half-written stays.
pub async fn publish(store: &FeatureStore, place: &str, endpoint: Option<&str>) -> Result<Published> {
    let location = settled_location("larder", place)?;
    if location.starts_with("http://") || location.starts_with("https://") {
        return Err(Error::usage(format!("a catalog can't be published to '{}'", place.escape_debug()))
            .remedy("name a folder or s3://BUCKET/PREFIX; who can reach a server needs no published catalog"));
    }
    if let Some(endpoint) = endpoint {
        AwsPlace::of_server(endpoint, &BTreeMap::new())?;
    }
    let groups = known(store, &location, endpoint).await?;
    let shelf = Shelf::open(&location, &store.settings().object_store, true).await?;
    for _ in 0..ATTEMPTS {
        let newest = shelf.newest().await?;
        if let Some((version, newest)) = &newest
            && newest.groups == groups
        {
            return Ok(Published { version: *version, groups: groups.len(), is_new: false, location });
        }
        let version = newest.map_or(0, |(version, _)| version) + 1;
        let bytes = Document::new(store.now().to_iso8601(), groups.clone()).to_bytes()?;
        if shelf.create(version, bytes).await? {
            clear(&shelf).await;
            return Ok(Published { version, groups: groups.len(), is_new: true, location });
        }
    }
    Err(Error::new(ErrorKind::Conflict, format!("others keep publishing to {location}")).remedy("publish from one machine, or try again"))
}

async fn known(store: &FeatureStore, location: &str, endpoint: Option<&str>) -> Result<Vec<PublishedGroup>> {
    let mut groups: Vec<PublishedGroup> = Vec::new();
    for own in store.list_groups().await?.iter().filter(|group| group.status != GroupStatus::Deleting) {
        let mut group = ObservedGroup::from(own);
        group.endpoint = endpoint.filter(|_| own.online.is_some()).map(str::to_owned);
        groups.push(PublishedGroup { incarnation: own.id.to_string(), source: None, group });
    }
    // What came from this very place would never leave it again.
    let from_here: HashSet<String> =
        sources(store).await?.into_iter().filter(|source| source.location == location).map(|source| source.name).collect();
    for synced in synced_groups(store, None).await?.into_iter().filter(|synced| !from_here.contains(&synced.source)) {
        let incarnation = format!("{}@{}", synced.source, synced.group.created.as_deref().unwrap_or_default());
        groups.push(PublishedGroup { incarnation, source: Some(synced.source), group: synced.group });
    }
    groups.sort_by_key(|group| group.group.name.to_lowercase());
    Ok(groups)
}

/// Clears away old versions. One that stays is no harm.
async fn clear(shelf: &Shelf) {
    let versions = shelf.versions().await.unwrap_or_default();
    for version in versions.iter().rev().skip(KEPT) {
        if let Err(error) = shelf.remove(*version).await {
            tracing::debug!(version, %error, "an old version of the published catalog stays");
            return;
        }
    }
}
