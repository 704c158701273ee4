//! How the changes that other machines make to definitions are noticed in a store whose history lies in a bucket.
//!
//! The definitions in the bucket are the truth, the catalog is a copy. Each change of a definition also changes one small object; whoever
//! uses the catalog looks at that object at most every [`FOLLOW_EVERY`], and reads definitions only if it differs from what was seen last.
//!
//! A look-up of what the catalog has does not wait for a bucket, a listing does for a while. What the catalog does not have is looked for in
//! the bucket before anybody is told that it does not exist: whoever made it may have been told so a moment ago. All who miss something
//! share one look, and the next begins [`MISS_EVERY`] later at the soonest, so names that nobody made are no way to hammer a bucket.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::FeatureStore;
use crate::catalog::OfflineSummary;
use crate::model::{Error, ErrorKind, FeatureGroup, GroupStatus, Result};

/// How long a handle trusts its catalog before it looks for changes of other machines.
const FOLLOW_EVERY: Duration = Duration::from_secs(2);
/// Between the beginnings of two looks for what is missing.
const MISS_EVERY: Duration = Duration::from_millis(250);
/// How long a look may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a listing, or whoever misses something, waits for one.
const WAIT: Duration = Duration::from_secs(2);
/// Age in seconds at which a noted summary of a group in a bucket is made anew.
const SUMMARY_AGE: f64 = 2.0;

/// What a handle knows of its bucket.
#[derive(Default)]
pub(super) struct Following {
    state: Mutex<Seen>,
    /// When the last look for something missing began. Locked while one is under way.
    missing: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Seen {
    looked: Option<Instant>,
    /// The last change whose definitions are in the catalog.
    change: Option<String>,
}

/// Who asks for changes of other machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// A look-up, which takes the catalog as it is and lets the look run beside it.
    ToLookUp,
    /// A listing, which waits for the look.
    ToList,
}

impl FeatureStore {
    /// Takes in what other machines changed, if it was not looked for lately. The first look of a handle is awaited by all.
    ///
    /// # Errors
    /// Those of the first look where the catalog is new. An older one is good enough to go on with while the bucket is away.
    pub(super) async fn follow_bucket(&self, asks: Asks) -> Result<()> {
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
        let looking = tokio::spawn(look);
        if asks == Asks::ToList {
            // It goes on if it takes longer: the next listing will show what it finds.
            let _ = tokio::time::timeout(WAIT, looking).await;
        }
        Ok(())
    }

    /// Looks in the bucket for what the catalog does not have; true if it may have it now. The look began after this was called.
    ///
    /// A bucket that is away is no error: then the catalog is all there is to go by.
    pub(super) async fn look_for_missing(&self) -> bool {
        if !self.inner.offline.is_remote() || self.inner.read_only {
            return false;
        }
        let asked = Instant::now();
        let look = async {
            let mut last = self.inner.following.missing.lock().await;
            match *last {
                // Another one who missed something has looked meanwhile.
                Some(began) if began >= asked => return Ok(()),
                Some(began) => tokio::time::sleep(MISS_EVERY.saturating_sub(began.elapsed())).await,
                None => {}
            }
            *last = Some(Instant::now());
            self.follow_bucket_now().await
        };
        match tokio::time::timeout(WAIT, look).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "something that is missing could not be looked for in the bucket");
                false
            }
            Err(_) => false,
        }
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
                None => match self.inner.catalog.insert_group(&group).await {
                    // Another look at the bucket was faster, of this process or of another over the same folder.
                    Err(error)
                        if error.kind() == ErrorKind::AlreadyExists && self.inner.catalog.group_by_id(&group.id).await?.is_some() =>
                    {
                        Ok(())
                    }
                    inserted => inserted,
                },
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
