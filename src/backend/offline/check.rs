//! The invariants of a group's table, for `larder doctor` and for every crash test:
//!
//! - commits are numbered 0, 1, 2, … without a gap, and each can be read;
//! - marks never decrease;
//! - every live file exists, has the recorded size, and its footer has the recorded number of rows.
//!
//! A check never stops at the first fault and never changes anything.

use std::collections::BTreeMap;

use deltalake_core::kernel::Action;
use futures::TryStreamExt;
use object_store::ObjectStoreExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::durable::from_object_store;
use super::layout::version_of;
use super::log::{DataFile, actions_of, read};
use super::{GroupFolder, OfflineStore};
use crate::model::{Error, FeatureGroup, Result};

/// What a check saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfflineCheck {
    /// Number of commits.
    pub commits: u64,
    /// Number of live files.
    pub files: u64,
    /// Rows of the live files, by their footers.
    pub rows: u64,
    /// Files that were replaced and still lie on the disk, for readers of older versions.
    pub replaced: u64,
    /// The same as one line: `12 commits, 5 files, 1807 rows, 32 replaced files wait to be deleted`.
    pub scope: String,
    /// Everything that is wrong, each with its place and remedy; empty for a sound table.
    pub problems: Vec<String>,
}

impl OfflineCheck {
    fn find(&mut self, place: &str, what: &str, remedy: &str) {
        self.problems.push(format!("{place}: {what}; {remedy}"));
    }
}

const RESTORE: &str = "restore it from a backup";

impl OfflineStore {
    /// Checks a group's table. A group without a table has nothing to find.
    pub async fn check(&self, group: &FeatureGroup) -> Result<OfflineCheck> {
        let mut check = OfflineCheck::default();
        let folder = self.folder(group)?;
        if self.existing_disk()?.is_none() {
            return Ok(check);
        }
        self.check_commits(&folder, &mut check).await?;
        // From the log alone: a state kept in memory would hide what happened to the disk.
        self.forget(&folder);
        match self.state(&folder).await {
            Ok(None) => {}
            Err(error) => check.find(folder.key(), &error.to_string(), RESTORE),
            Ok(Some(state)) => {
                for file in &state.files {
                    check.files += 1;
                    match self.check_file(&folder, file).await {
                        Ok(rows) => check.rows += rows,
                        Err(error) => check.find(&file.path, &error.to_string(), RESTORE),
                    }
                }
            }
        }
        check.replaced = self.replaced_on_disk(&folder).await?;
        check.scope = format!("{} commits, {} files, {} rows", check.commits, check.files, check.rows);
        if check.replaced > 0 {
            check.scope.push_str(&format!(", {} replaced files wait to be deleted", check.replaced));
        }
        Ok(check)
    }

    async fn check_commits(&self, folder: &GroupFolder, check: &mut OfflineCheck) -> Result<()> {
        let disk = self.disk()?;
        let listed = disk.list_with_delimiter(Some(&folder.log())).await;
        let listed = match listed {
            Err(object_store::Error::NotFound { .. }) => return Ok(()),
            other => other.map_err(|error| from_object_store(format!("can't list the commits of {}", folder.key()), error))?,
        };
        let mut versions: Vec<u64> = listed.objects.iter().filter_map(|object| version_of(object.location.filename()?)).collect();
        versions.sort_unstable();
        let mut marks: BTreeMap<String, i64> = BTreeMap::new();
        let mut expected = 0;
        for version in versions {
            let location = folder.log_entry(version);
            if version != expected {
                check.find(location.as_ref(), &format!("commit {expected} is missing before it"), RESTORE);
            }
            expected = version + 1;
            check.commits += 1;
            let actions = match read(disk.as_ref(), &location).await {
                Ok(Some(bytes)) if bytes.is_empty() => Err(Error::corrupt("the commit is empty")),
                Ok(Some(bytes)) => actions_of(&location, version, &bytes),
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            let actions = match actions {
                Ok(actions) => actions,
                Err(error) => {
                    check.find(location.as_ref(), &error.to_string(), RESTORE);
                    continue;
                }
            };
            for action in actions {
                let Action::Txn(mark) = action else { continue };
                let before = marks.insert(mark.app_id.clone(), mark.version);
                if before.is_some_and(|before| before > mark.version) {
                    let what = format!("the mark of {} goes back from {} to {}", mark.app_id, before.unwrap_or(0), mark.version);
                    check.find(location.as_ref(), &what, "some rows may be in the table twice: report this with the log");
                }
            }
        }
        Ok(())
    }

    /// Returns the rows of a sound file.
    async fn check_file(&self, folder: &GroupFolder, file: &DataFile) -> Result<u64> {
        let location = folder.data_file(&file.path);
        let found = self.disk()?.head(&location).await.map_err(|error| from_object_store("can't find the file", error))?;
        if found.size != file.size {
            return Err(Error::corrupt(format!("the file has {} bytes", found.size)).why(format!("the log says {}", file.size)));
        }
        let opened = self.disk()?.open_file(&location, file.size, None)?;
        let footer = move || -> Result<i64> {
            let builder = ParquetRecordBatchReaderBuilder::try_new(opened)
                .map_err(|error| Error::corrupt("the footer can't be read").source(error))?;
            Ok(builder.metadata().file_metadata().num_rows())
        };
        let rows =
            tokio::task::spawn_blocking(footer).await.map_err(|error| Error::internal("the check of a file stopped").source(error))??;
        let rows = u64::try_from(rows).unwrap_or(0);
        match file.rows() {
            Some(said) if said != rows => Err(Error::corrupt(format!("the file has {rows} rows")).why(format!("the log says {said}"))),
            _ => Ok(rows),
        }
    }

    /// Files below a group's folder, for tests and reports: all that is there, named by the log or not.
    pub async fn objects(&self, group: &FeatureGroup) -> Result<Vec<String>> {
        let folder = self.folder(group)?;
        let Some(disk) = self.existing_disk()? else { return Ok(Vec::new()) };
        let fault = |error| from_object_store(format!("can't list the objects of '{}'", group.name), error);
        let listed: Vec<_> = disk.list(Some(&folder.path())).try_collect().await.map_err(fault)?;
        Ok(listed.into_iter().filter_map(|object| super::orphans::relative_to(&folder.path(), &object.location)).collect())
    }
}
