//! Retired files: replaced by a commit, and kept for a grace period because somebody may still read an older version.
//!
//! The log is the only list of them. Two ways lead to their end, and neither touches a live file:
//!
//! - [`OfflineStore::delete_retired`] goes by the log: files whose removal it tells, once the grace period is over. It looks at no folder,
//!   so it may follow every drain.
//! - [`OfflineStore::sweep`] goes by the folder, so that nothing stays for ever: it also finds files whose removal the log remembers no
//!   longer, and those that no commit names (orphans) after a day. Files of loads that may still be taken up are named to it.
//!
//! Files that another tool removed together with their rows stay for a week, Delta's default: their rows are nowhere else.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use object_store::ObjectStoreExt;

use super::commit::millis;
use super::durable::from_object_store;
use super::log::{REMEMBERED_MILLIS, Removal, TableState};
use super::orphans::relative_to;
use super::{GroupFolder, OfflineStore, layout};
use crate::model::{EventTime, FeatureGroup, Result};

/// Age at which a file that no commit names is litter: longer than any writer takes from a file to its commit.
const ORPHAN_AGE: Duration = Duration::from_secs(86_400);

impl OfflineStore {
    /// Deletes retired files that the log tells of and whose grace period is over; returns how many were there.
    pub async fn delete_retired(&self, group: &FeatureGroup, grace: Duration, now: EventTime) -> Result<u64> {
        self.check_writable()?;
        let folder = self.folder(group)?;
        let Some(state) = self.state(&folder).await? else { return Ok(0) };
        let live = live(&state);
        let mut deleted = 0;
        for path in due(&state.removed, grace, now) {
            if is_inside(path) && !live.contains(path) && !self.is_known_deleted(&folder, path) {
                deleted += u64::from(self.delete_file(&folder, path).await?);
            }
        }
        if let Ok(mut known) = self.inner.deleted.lock()
            && let Some(known) = known.get_mut(&folder)
        {
            known.retain(|path| state.removed.contains_key(path));
        }
        Ok(deleted)
    }

    /// Deletes every file of the data folder that is not live and whose time is over, whatever the log remembers of it;
    /// returns how many. `spared` names files that are not live yet.
    ///
    /// Call it only while no other compaction of the group runs: a slow one's files are not live for long.
    pub async fn sweep(&self, group: &FeatureGroup, spared: &HashSet<String>, grace: Duration, now: EventTime) -> Result<u64> {
        self.check_writable()?;
        let folder = self.folder(group)?;
        let Some(disk) = self.existing_disk()? else { return Ok(0) };
        let fault = |error| from_object_store(format!("can't list the files of '{}'", group.name), error);
        let data = folder.data();
        // Files first, the log second: a file committed in between is live then.
        let files: Vec<_> = disk.list(Some(&data)).try_collect().await.map_err(fault)?;
        let Some(state) = self.state(&folder).await? else { return Ok(0) };
        let live = live(&state);
        let due = due(&state.removed, grace, now);
        let mut deleted = 0;
        for file in files {
            let Some(path) = relative_to(&data, &file.location) else { continue };
            if live.contains(path.as_str()) || spared.contains(&path) || !is_inside(&path) {
                continue;
            }
            let is_due = match state.removed.contains_key(&path) {
                true => due.contains(path.as_str()),
                false => layout::is_data_file_name(&path) && is_older(SystemTime::from(file.last_modified), ORPHAN_AGE, now),
            };
            if is_due {
                deleted += u64::from(self.delete_file(&folder, &path).await?);
            }
        }
        disk.remove_staging(&folder.path(), ORPHAN_AGE).await?;
        Ok(deleted)
    }

    /// Files that the log remembers as removed and that still lie on the disk.
    pub(super) async fn replaced_on_disk(&self, folder: &GroupFolder) -> Result<u64> {
        let Some(disk) = self.existing_disk()? else { return Ok(0) };
        let data = folder.data();
        let fault = |error| from_object_store(format!("can't list the files of {}", folder.key()), error);
        let files: Vec<_> = disk.list(Some(&data)).try_collect().await.map_err(fault)?;
        // A log that can't be read has been told of before.
        let Ok(Some(state)) = self.state(folder).await else { return Ok(0) };
        let live = live(&state);
        let is_replaced = |path: &String| state.removed.contains_key(path) && !live.contains(path.as_str());
        Ok(files.iter().filter_map(|file| relative_to(&data, &file.location)).filter(is_replaced).count() as u64)
    }

    /// True if the file was there.
    async fn delete_file(&self, folder: &GroupFolder, path: &str) -> Result<bool> {
        let deleted = match self.disk()?.delete(&folder.data_file(path)).await {
            Ok(()) => true,
            Err(object_store::Error::NotFound { .. }) => false,
            Err(error) => return Err(from_object_store(format!("can't delete {path}"), error)),
        };
        if let Ok(mut known) = self.inner.deleted.lock() {
            known.entry(folder.clone()).or_default().insert(path.to_owned());
        }
        Ok(deleted)
    }

    fn is_known_deleted(&self, folder: &GroupFolder, path: &str) -> bool {
        self.inner.deleted.lock().is_ok_and(|known| known.get(folder).is_some_and(|known| known.contains(path)))
    }
}

fn live(state: &TableState) -> HashSet<&str> {
    state.files.iter().map(|file| file.path.as_str()).collect()
}

/// Removed files whose time is over.
fn due(removed: &BTreeMap<String, Removal>, grace: Duration, now: EventTime) -> HashSet<&str> {
    let grace = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
    let kept_for = |removal: &Removal| if removal.with_rows { grace.max(REMEMBERED_MILLIS) } else { grace };
    let is_over = |removal: &Removal| millis(now).saturating_sub(removal.at) >= kept_for(removal);
    removed.iter().filter(|(_, removal)| is_over(removal)).map(|(path, _)| path.as_str()).collect()
}

fn is_older(modified: SystemTime, age: Duration, now: EventTime) -> bool {
    let modified = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let age = i128::try_from((modified + age).as_nanos()).unwrap_or(i128::MAX);
    now.unix_nanos() >= age
}

/// True for a Parquet file below the data folder. A log may name files elsewhere, of a table that was cloned.
fn is_inside(path: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(':');
    path.ends_with(".parquet") && path.split('/').all(is_plain) && !path.starts_with(layout::LOG)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_are_kept_for_the_grace_period_and_with_their_rows_for_a_week() {
        let now = EventTime::from_unix_seconds(1_700_000_000).unwrap();
        let ago = |seconds: i64, with_rows| Removal { at: millis(now) - seconds * 1_000, with_rows };
        let removed = BTreeMap::from([
            ("new".to_owned(), ago(3_599, false)),
            ("old".to_owned(), ago(3_600, false)),
            ("deleted".to_owned(), ago(3_600, true)),
            ("long deleted".to_owned(), ago(7 * 86_400, true)),
            ("to come".to_owned(), ago(-10, false)),
        ]);
        let hour = Duration::from_secs(3_600);
        assert_eq!(due(&removed, hour, now), HashSet::from(["old", "long deleted"]));
        assert_eq!(due(&removed, Duration::ZERO, now), HashSet::from(["new", "old", "long deleted"]));
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 - 3_600);
        assert!(is_older(modified, hour, now) && !is_older(modified, hour + Duration::from_secs(1), now));
    }

    #[test]
    fn only_files_below_the_folder_are_touched() {
        assert!(is_inside("year=2026/a.parquet") && is_inside("part-0.parquet"));
        for other in
            ["/etc/a.parquet", "../a.parquet", "a/../../b.parquet", "s3://b/a.parquet", "_delta_log/1.checkpoint.parquet", "a.json"]
        {
            assert!(!is_inside(other), "{other}");
        }
    }
}
