//! The source `feast`: the registry of a Feast repository, as protobuf file, as SQL registry on SQLite, or as `feast registry-dump`.
//!
//! ```text
//! place --bytes--> registry (protobuf, SQL, JSON: one set of messages) --translate--> groups, entities, services, data sources, datasets
//! ```
//!
//! Views of every kind become groups; the rest keeps its kind. Nothing in a registry is ever run: functions are pickled Python, and their
//! bytes are not even decoded. A registry that is not whole is a fault of the source, never a shorter listing.

mod json;
mod objects;
mod place;
mod places;
mod proto;
mod registry;
mod sql;
mod storage;
mod translate;
mod types;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::kinds::{Kind, SourcePlace, absolute_path};
use super::observed::ObservedGroup;
use super::source::{Fetched, Listed, Listing, Source, SourceError, Trouble};
use crate::backend::offline::RemoteSettings;
use crate::model::{Error, ErrorKind, Result};
use registry::{Item, Objects};
use translate::Context;

/// The kind `feast`.
pub(super) const KIND: Kind = Kind {
    name: "feast",
    location: "a Feast repository, its registry file (s3:// too), or the JSON of `feast registry-dump`",
    options: &[("project", "the project, where the registry has several")],
    settle,
    make,
};

/// How long the one who rewrites a registry file is given to finish.
const REWRITE: Duration = Duration::from_millis(300);

fn settle(location: &str) -> Result<String> {
    if location.starts_with("s3://") {
        return Ok(RemoteSettings::of_url(location)?.url);
    }
    if location.contains("://") {
        return Err(Error::usage(format!("a source of kind feast can't be read from '{}'", location.escape_debug()))
            .remedy("name a folder, a file or s3://BUCKET/KEY; dump other registries with `feast registry-dump`"));
    }
    absolute_path(location)
}

fn make(place: &SourcePlace<'_>) -> Result<Box<dyn Source>> {
    Ok(Box::new(FeastRegistry {
        location: place.location.to_owned(),
        project: place.options.get("project").cloned(),
        bucket: place.store.settings().object_store.clone(),
        listed: Mutex::default(),
    }))
}

/// A Feast registry.
struct FeastRegistry {
    location: String,
    project: Option<String>,
    bucket: RemoteSettings,
    /// Objects of the last listing: one read of the registry tells of all, so that they are of one moment.
    listed: Mutex<BTreeMap<Listed, std::result::Result<ObservedGroup, SourceError>>>,
}

impl FeastRegistry {
    async fn items(&self) -> Result<Vec<Item>> {
        let found = place::find(&self.location)?;
        let asked = self.project.clone().or_else(|| found.project.clone());
        let (project, objects) = self.objects(&found.place, asked.as_deref()).await?;
        objects.items(Context { project, repository: found.repository, ..Context::default() })
    }

    async fn objects(&self, place: &str, project: Option<&str>) -> Result<(String, Objects)> {
        let bytes = place::bytes(place, &self.bucket).await?;
        if bytes.starts_with(sql::MAGIC) {
            if place.contains("://") {
                return Err(Error::usage(format!("'{place}' is a database in a bucket")).remedy("download it and name the file"));
            }
            return sql::of_database(Path::new(place), project).await;
        }
        if is_json(place, &bytes) {
            let text = std::str::from_utf8(&bytes).map_err(|error| Error::corrupt(format!("{place} is no JSON")).source(error))?;
            return registry::of_dump(text, place, project);
        }
        match registry::of_file(&bytes, place, project) {
            // Feast writes the file in place: what looks cut may be half of what is whole in a moment.
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                tokio::time::sleep(REWRITE).await;
                registry::of_file(&place::bytes(place, &self.bucket).await?, place, project)
            }
            read => read,
        }
    }
}

/// A registry file begins with a line feed, the tag of its first field; so a brace alone means JSON.
fn is_json(place: &str, bytes: &[u8]) -> bool {
    let is_named = Path::new(place).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    is_named || bytes.first() == Some(&b'{')
}

#[async_trait]
impl Source for FeastRegistry {
    async fn list(&self, _cursor: Option<&str>) -> std::result::Result<Listing, SourceError> {
        let items = self.items().await?;
        let groups = items.iter().map(|(listed, _)| listed.clone()).collect();
        *self.listed.lock().await = items.into_iter().collect();
        Ok(Listing { groups, complete: true, ..Listing::default() })
    }

    async fn fetch(&self, wanted: &[Listed]) -> std::result::Result<Vec<Fetched>, SourceError> {
        let mut listed = self.listed.lock().await;
        let missing = |group: &Listed| SourceError::new(Trouble::Other, Error::not_found(format!("'{}' was not listed", group.name)));
        Ok(wanted.iter().map(|group| (group.clone(), listed.remove(group).unwrap_or_else(|| Err(missing(group))))).collect())
    }
}
