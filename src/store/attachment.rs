//! A store whose history lies in a bucket that other machines share: which bucket.
//!
//! A folder belongs to one bucket for good. The first time one is named its URL is written into the folder (`object-store`), so that a later
//! command without it does not begin a second history beside the first. Then the server is asked, once, whether it keeps its word about
//! conditional puts, on which every commit rests.

use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;

use super::Settings;
use crate::backend::offline::cached::DEFAULT_CACHE;
use crate::backend::offline::{DEFAULT_S3_URI, OfflineStore, PieceCache, RemoteSettings};
use crate::model::{Error, Result};

/// File in the store's folder with the URL of its bucket.
const BOUND: &str = "object-store";
/// Folder in the store's folder with pieces of the bucket's files.
const CACHE: &str = "cache";

/// Settles which bucket the store has: the one that was named, else the one its folder is bound to.
///
/// # Errors
/// Usage if the folder is bound to another, or if groups would lie elsewhere.
pub(super) fn choose(folder: &Path, settings: &mut Settings, named: Option<&str>) -> Result<()> {
    if let Some(url) = named {
        settings.object_store.url = RemoteSettings::of_url(url)?.url;
    }
    let bound = match std::fs::read_to_string(folder.join(BOUND)) {
        Ok(text) => Some(RemoteSettings::of_url(text.trim()).map_err(|error| error.within(folder.join(BOUND).display()))?.url),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => None,
        Err(error) => return Err(Error::io(format!("can't read {}", folder.join(BOUND).display()), error)),
    };
    let url = &mut settings.object_store.url;
    match bound {
        Some(bound) if url.is_empty() => *url = bound,
        Some(bound) if bound != *url => {
            return Err(Error::usage(format!("the store {} has its history in {bound}", folder.display()))
                .why(format!("{url} was named"))
                .remedy("use another folder for another bucket"));
        }
        Some(_) => {}
        None if url.is_empty() => return Ok(()),
        None if folder.join("catalog.db").exists() || folder.join("s3").exists() => {
            return Err(Error::usage(format!("the store {} has its history in its own folder", folder.display()))
                .why(format!("{url} was named"))
                .remedy("begin an empty folder for the bucket, with --store DIR"));
        }
        None => {}
    }
    if settings.s3_uri == DEFAULT_S3_URI {
        settings.s3_uri.clone_from(&settings.object_store.url);
    }
    Ok(())
}

/// The client for the store's bucket, if it has one.
pub(super) async fn client(settings: &Settings, given: Option<Arc<dyn ObjectStore>>) -> Result<Option<(String, Arc<dyn ObjectStore>)>> {
    let remote = &settings.object_store;
    if remote.url.is_empty() {
        return Ok(None);
    }
    let client = match given {
        Some(given) => given,
        None => remote.connect().await?,
    };
    Ok(Some((remote.url.clone(), client)))
}

/// Where pieces of the bucket's files are kept, if the store has a bucket and they may take any room.
pub(super) fn cache(folder: &Path, settings: &Settings, read_only: bool) -> Option<Arc<PieceCache>> {
    let limit = settings.object_store.cache.unwrap_or(DEFAULT_CACHE);
    let is_wanted = !settings.object_store.url.is_empty() && limit > 0;
    is_wanted.then(|| Arc::new(PieceCache::new(folder.join(CACHE), limit, read_only)))
}

/// Binds a folder to its bucket, if it is not yet, after asking whether the bucket will do.
pub(super) async fn attach(offline: &OfflineStore, folder: &Path, url: &str) -> Result<()> {
    let Some(bucket) = offline.bucket()? else { return Ok(()) };
    let bound = folder.join(BOUND);
    if bound.exists() {
        return Ok(());
    }
    bucket.probe().await?;
    std::fs::write(&bound, format!("{url}\n"))
        .and_then(|()| std::fs::File::open(&bound)?.sync_all())
        .map_err(|error| Error::io(format!("can't write {}", bound.display()), error))
}
