//! Litter: data files that no commit names, left by a process that died between writing and committing, by a
//! drainer that came second, or by a load that was given up.
//!
//! A file is an orphan if *no* commit ever named it, which is read from all commits and not from the live files:
//! a file that compaction has replaced is still needed by readers of older versions (`retired.rs`). Age alone proves nothing,
//! since a commit that will name the file may be on its way; so both are asked for.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use deltalake_core::kernel::Action;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;

use super::durable::from_object_store;
use super::log::{actions_of, read};
use super::{GroupFolder, OfflineStore, layout};
use crate::model::{FeatureGroup, Result};

/// A file that no commit names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// Name relative to the data folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
}

impl OfflineStore {
    /// Finds the orphans of a group that have not been touched for `older_than`.
    pub async fn orphans(&self, group: &FeatureGroup, older_than: Duration) -> Result<Vec<Orphan>> {
        let folder = self.folder(group)?;
        let Some(disk) = self.existing_disk()? else { return Ok(Vec::new()) };
        let fault = |error| from_object_store(format!("can't list the files of '{}'", group.name), error);
        let data = folder.data();
        let latest = SystemTime::now().checked_sub(older_than).unwrap_or(SystemTime::UNIX_EPOCH);
        // Files first, commits second: a file committed in between is then named, not taken for an orphan.
        let files: Vec<_> = disk.list(Some(&data)).try_collect().await.map_err(fault)?;
        let named = self.ever_named(&folder).await?;
        let mut orphans = Vec::new();
        for file in files {
            let Some(relative) = relative_to(&data, &file.location) else { continue };
            let is_data = relative.ends_with(".parquet") && !relative.starts_with(layout::LOG);
            if is_data && SystemTime::from(file.last_modified) <= latest && !named.contains(&relative) {
                orphans.push(Orphan { path: relative, size: file.size });
            }
        }
        Ok(orphans)
    }

    /// Removes orphans, and what interrupted writes left under temporary names.
    pub async fn remove_orphans(&self, group: &FeatureGroup, older_than: Duration) -> Result<Vec<Orphan>> {
        self.check_writable()?;
        let folder = self.folder(group)?;
        let orphans = self.orphans(group, older_than).await?;
        let Some(disk) = self.existing_disk()? else { return Ok(orphans) };
        for orphan in &orphans {
            match disk.delete(&folder.data_file(&orphan.path)).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(from_object_store(format!("can't remove {}", orphan.path), error)),
            }
        }
        disk.remove_staging(&folder.path(), older_than).await?;
        Ok(orphans)
    }

    /// Names of all files that any commit added.
    async fn ever_named(&self, folder: &GroupFolder) -> Result<HashSet<String>> {
        let mut named = HashSet::new();
        let Some(disk) = self.existing_disk()? else { return Ok(named) };
        for version in 0.. {
            let location = folder.log_entry(version);
            let Some(bytes) = read(disk.as_ref(), &location).await? else { break };
            for action in actions_of(&location, version, &bytes)? {
                if let Action::Add(add) = action {
                    named.insert(add.path);
                }
            }
        }
        Ok(named)
    }
}

/// Name of an object below a folder.
pub(super) fn relative_to(folder: &Path, location: &Path) -> Option<String> {
    let rest = location.as_ref().strip_prefix(folder.as_ref())?;
    rest.strip_prefix('/').map(str::to_owned)
}
