//! Statistics of what was just written, into the catalog; and which files they are of.
//!
//! A failure here is told to the log and to nobody else: the data is safe, and files that have no statistics are found and
//! read when somebody asks for them.

use std::collections::BTreeSet;

use super::stored::{merged, windows_of};
use crate::backend::offline::TableSnapshot;
use crate::catalog::ProfiledFiles;
use crate::ingest::captured::Captured;
use crate::model::{FeatureGroup, Result};
use crate::statistics::windows::DETAILED_DAYS;
use crate::store::FeatureStore;

impl FeatureStore {
    /// Merges the statistics of committed files into those of their group.
    pub(in crate::store) async fn note_captured(&self, group: &FeatureGroup, captured: Captured) {
        if captured.files.is_empty() {
            return;
        }
        if let Err(error) = self.merge_captured(group, captured).await {
            tracing::warn!(group = %group.name, %error, "statistics of new rows were not noted; `larder stats` will read them");
        }
    }

    /// The same for those who ask. False if some of the files were in already.
    pub(super) async fn merge_captured(&self, group: &FeatureGroup, captured: Captured) -> Result<bool> {
        let Captured { files, profile } = captured;
        let (names, now) = (group.schema.features().iter().map(|feature| feature.name.to_string()).collect::<Vec<_>>(), self.now());
        let windows = windows_of(&profile);
        let merge = move |found| merged(&names, &profile, found, now);
        self.inner.catalog.merge_profiles(&group.id, &files, &windows, DETAILED_DAYS, merge).await
    }

    /// After a compaction at this version: its files hold the rows of those it replaced.
    pub(in crate::store) async fn note_compacted(&self, group: &FeatureGroup, version: u64) {
        if let Err(error) = self.follow_compaction(group, version).await {
            tracing::warn!(group = %group.name, %error, "statistics are to be made anew after this compaction");
        }
    }

    async fn follow_compaction(&self, group: &FeatureGroup, version: u64) -> Result<()> {
        let before = files_of(&self.inner.offline.snapshot_at(group, version.saturating_sub(1)).await?);
        let after = files_of(&self.inner.offline.snapshot_at(group, version).await?);
        let kept: BTreeSet<&String> = before.keys().filter(|path| after.contains_key(*path)).collect();
        let removed: Vec<String> = before.keys().filter(|path| !kept.contains(path)).cloned().collect();
        let added: ProfiledFiles =
            after.iter().filter(|(path, _)| !kept.contains(path)).map(|(path, rows)| (path.clone(), *rows)).collect();
        self.inner.catalog.replace_profiled_files(&group.id, &removed, &added).await
    }
}

/// The live files of a snapshot with their rows.
pub(super) fn files_of(snapshot: &TableSnapshot) -> ProfiledFiles {
    snapshot.files().iter().map(|file| (file.path.clone(), file.rows().unwrap_or(0))).collect()
}
