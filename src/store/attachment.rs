//! A store whose history lies in a bucket that other machines share: which bucket, and how their changes are noticed.
//!
//! A folder belongs to one bucket for good. The first time one is named its URL is written into the folder (`object-store`), so that a later
//! command without it does not begin a second history beside the first. Then the server is asked, once, whether it keeps its word about
//! conditional puts, on which every commit rests.
//!
//! The definitions in the bucket are the truth, the catalog is a copy. Each change of a definition also changes one small object; whoever
//! uses the catalog looks at that object at most every [`FOLLOW_EVERY`], and reads definitions only if it differs from what was seen last.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use object_store::ObjectStore;

use super::{FeatureStore, Settings};
use crate::backend::offline::cached::DEFAULT_CACHE;
use crate::backend::offline::{DEFAULT_S3_URI, OfflineStore, PieceCache, RemoteSettings};
use crate::catalog::OfflineSummary;
use crate::model::{Error, ErrorKind, FeatureGroup, GroupStatus, Result};

/// File in the store's folder with the URL of its bucket.
const BOUND: &str = "object-store";
/// Folder in the store's folder with pieces of the bucket's files.
const CACHE: &str = "cache";
/// How long a handle trusts its catalog before it looks for changes of other machines.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Age in seconds at which a noted summary of a group in a bucket is made anew.
const SUMMARY_AGE: f64 = 2.0;

/// What a handle knows of its bucket.
#[derive(Default)]
pub(super) struct Following {
    state: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    looked: Option<Instant>,
    /// The last change whose definitions are in the catalog.
    change: Option<String>,
}

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
pub(super) fn client(settings: &Settings, given: Option<Arc<dyn ObjectStore>>) -> Result<Option<(String, Arc<dyn ObjectStore>)>> {
    let remote = &settings.object_store;
    if remote.url.is_empty() {
        return Ok(None);
    }
    let client = given.map_or_else(|| remote.connect(), Ok)?;
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

impl FeatureStore {
    /// Takes in what other machines changed, if it was not looked for lately. The first look of a handle is awaited; later ones run
    /// beside the caller, whose look-ups in the online store must not wait for a bucket.
    ///
    /// # Errors
    /// Those of the first look where the catalog is new. An older one is good enough to go on with while the bucket is away.
    pub(super) async fn follow_bucket(&self) -> Result<()> {
        if !self.inner.offline.is_remote() || self.inner.read_only {
            return Ok(());
        }
        let is_first = {
            let mut seen = self.inner.following.state.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.looked.is_some_and(|looked| looked.elapsed() < FOLLOW_EVERY) {
                return Ok(());
            }
            seen.looked.replace(Instant::now()).is_none()
        };
        let store = self.clone();
        let look = async move {
            let looked = match tokio::time::timeout(PATIENCE, store.follow_bucket_now()).await {
                Ok(looked) => looked,
                Err(_) => Err(Error::new(ErrorKind::Io, "the bucket does not answer").why(format!("{} s went by", PATIENCE.as_secs()))),
            };
            looked.inspect_err(|error| tracing::warn!(%error, "changes of other machines were not looked for"))
        };
        if is_first {
            let looked = look.await;
            return if self.inner.catalog.is_new() { looked } else { Ok(()) };
        }
        tokio::spawn(look);
        Ok(())
    }

    /// Takes in what other machines changed up to now.
    pub(super) async fn follow_bucket_now(&self) -> Result<()> {
        if !self.inner.offline.is_remote() || self.inner.read_only {
            return Ok(());
        }
        let change = self.inner.offline.last_change().await?;
        let known = || self.inner.following.state.lock().unwrap_or_else(PoisonError::into_inner).change.clone();
        if change.is_none() || change == known() {
            return Ok(());
        }
        // The mark was read first: a change made meanwhile shows in the next look.
        self.follow_definitions().await?;
        self.inner.following.state.lock().unwrap_or_else(PoisonError::into_inner).change = change;
        Ok(())
    }

    async fn follow_definitions(&self) -> Result<()> {
        let mut dropped = HashSet::new();
        for found in self.inner.offline.dropped_definitions().await? {
            let Ok(group) = found.group else { continue };
            dropped.insert(group.id);
            if let Some(known) = self.inner.catalog.group_by_id(&group.id).await? {
                self.forget_group(&known).await?;
            }
        }
        for found in self.inner.offline.definitions().await? {
            let group = match found.group {
                Ok(group) if dropped.contains(&group.id) => continue,
                Ok(group) => group,
                Err(error) => {
                    tracing::warn!(folder = found.folder.key(), %error, "a definition can't be read; its group is left as it is");
                    continue;
                }
            };
            let taken = match self.inner.catalog.group_by_id(&group.id).await? {
                None => self.inner.catalog.insert_group(&group).await,
                Some(known) if known == group => Ok(()),
                Some(_) => self.inner.catalog.follow_definition(&group).await.map(|_| ()),
            };
            match taken {
                Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::Conflict) => {
                    tracing::warn!(group = %group.name, %error, "a definition in the bucket was not taken in");
                }
                other => other?,
            }
        }
        self.forget_definitions();
        Ok(())
    }

    /// Ends here what another machine has dropped.
    async fn forget_group(&self, group: &FeatureGroup) -> Result<()> {
        if group.status != GroupStatus::Deleting {
            self.inner.catalog.set_status(&group.id, GroupStatus::Deleting, None, self.now()).await?;
        }
        let (online, id) = (self.inner.online.clone(), group.id);
        tokio::task::spawn_blocking(move || online.drop_group(id))
            .await
            .map_err(|error| Error::internal("the drop stopped").source(error))??;
        self.inner.catalog.remove_group(&group.id).await
    }

    /// True if a noted summary of a group in a bucket may be behind what other machines committed.
    pub(super) fn is_stale(&self, group: &FeatureGroup, noted: &OfflineSummary) -> bool {
        self.inner.offline.is_remote() && group.keeps_history() && self.now().seconds_since(noted.updated) > SUMMARY_AGE
    }
}
