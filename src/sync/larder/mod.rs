//! The kind `larder`: another store of this program, wherever it is.
//!
//! ```text
//! http(s)://…            a server, over the AWS API              (super::aws)
//! a folder with a store  its catalog, opened for reading only    (folder)
//! a folder or s3://…     the catalog that somebody published there (published)
//! ```

mod folder;
mod published;

use std::path::Path;

use super::aws::{Account, AwsPlace, SERVER_OPTIONS};
use super::kinds::{Kind, SourcePlace, absolute_path};
use super::published::FOLDER;
use super::source::Source;
use crate::backend::offline::RemoteSettings;
use crate::model::{Error, Result};

/// Another store.
pub(super) const KIND: Kind = Kind {
    name: "larder",
    location: "another larder: http(s)://HOST:PORT of its server, the folder of its store, or\n\
               where a catalog was published: a folder or s3://BUCKET/PREFIX",
    options: SERVER_OPTIONS,
    settle,
    make,
};

fn is_server(location: &str) -> bool {
    location.starts_with("http://") || location.starts_with("https://")
}

fn settle(location: &str) -> Result<String> {
    if is_server(location) {
        return Ok(location.trim_end_matches('/').to_owned());
    }
    if location.contains("://") {
        return Ok(RemoteSettings::of_url(location)?.url);
    }
    absolute_path(location)
}

fn make(place: &SourcePlace<'_>) -> Result<Box<dyn Source>> {
    if is_server(place.location) {
        return Ok(Box::new(Account::new(AwsPlace::of_server(place.location, place.options)?)));
    }
    if let Some(option) = place.options.keys().next() {
        return Err(Error::usage(format!("this location has no option '{option}'")).remedy("leave it out: it is one of servers"));
    }
    let folder = Path::new(place.location);
    let is_published = place.location.contains("://") || !folder.join("catalog.db").exists() && folder.join(FOLDER).is_dir();
    if is_published {
        return Ok(Box::new(published::PublishedCatalog::new(place.location, &place.store.settings().object_store)));
    }
    Ok(Box::new(folder::LarderFolder::new(place.location.into(), place.store.folder())?))
}
