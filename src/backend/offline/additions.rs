//! Which version of a table added which of its files: read backwards from the newest commit, since the log's state doesn't remember it.

use std::collections::{HashMap, HashSet};

use deltalake_core::kernel::Action;
use futures::{StreamExt, TryStreamExt};

use super::log::{actions_of, read};
use super::{OfflineStore, TableSnapshot};
use crate::model::Result;

/// Commits that are read back; what was added before them stays unsaid.
const MOST_COMMITS: u64 = 2_000;
/// Commits fetched at once.
const AT_ONCE: usize = 16;

impl OfflineStore {
    /// Versions by name of the live files they added. Files that came longer ago than the commits that are read back are left out.
    pub async fn additions(&self, snapshot: &TableSnapshot) -> Result<HashMap<String, u64>> {
        let Some(disk) = self.existing_disk()? else { return Ok(HashMap::new()) };
        let mut missing: HashSet<&str> = snapshot.files().iter().map(|file| file.path.as_str()).collect();
        let mut found = HashMap::with_capacity(missing.len());
        let newest = snapshot.version();
        let mut commits = futures::stream::iter((newest.saturating_sub(MOST_COMMITS - 1)..=newest).rev())
            .map(|version| async move {
                let location = snapshot.folder().log_entry(version);
                let bytes = read(disk.as_ref(), &location).await?;
                let actions = bytes.map(|bytes| actions_of(&location, version, &bytes)).transpose()?;
                Ok::<_, crate::model::Error>((version, actions.unwrap_or_default()))
            })
            .buffered(AT_ONCE);
        while !missing.is_empty()
            && let Some((version, actions)) = commits.try_next().await?
        {
            for action in actions {
                if let Action::Add(add) = action
                    && missing.remove(add.path.as_str())
                {
                    found.insert(add.path, version);
                }
            }
        }
        Ok(found)
    }
}
