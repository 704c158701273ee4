//! Several groups made and changed together: all of it happens, or nothing.
//!
//! ```text
//! tables of new groups -> one transaction of the catalog -> definitions beside the data
//! ```
//!
//! The transaction decides. What fails before it leaves no group and takes the new tables away again. After it a new group stands as
//! `Creating` until its definition is written, and whoever meets it finishes that, as with a group that is made alone.

use std::sync::Arc;

use super::FeatureStore;
use super::groups::{NewGroup, check_tier_change};
use crate::model::{Error, ErrorKind, EventTime, FeatureGroup, GroupName, Result};

/// A change of a group, worked out from what it was.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupChange {
    /// What it was.
    pub before: FeatureGroup,
    /// What it is to be; identity, name and the features there are stay. When it was modified is noted here.
    pub after: FeatureGroup,
}

impl FeatureStore {
    /// Makes and changes groups.
    ///
    /// # Errors
    /// `AlreadyExists` for a name that is taken, `Conflict` if a group is not what its change was worked out from, `Invalid` where a rule
    /// is broken: nothing has happened then. A disk that fails after the decision is told as such; the groups are as they were to be, and
    /// [`Self::mend_definitions`] writes what is missing beside the data.
    pub async fn change_groups(&self, made: Vec<NewGroup>, changed: Vec<GroupChange>) -> Result<Vec<Arc<FeatureGroup>>> {
        self.check_writable()?;
        let now = self.now();
        let modified = EventTime::from_unix_micros(now.unix_micros()).unwrap_or(now);
        let mut pairs = Vec::with_capacity(changed.len());
        for GroupChange { before, mut after } in changed {
            check_change(&before, &after).map_err(|error| error.within(format_args!("group '{}'", before.name)))?;
            after.modified = modified;
            pairs.push((before, after));
        }
        let mut groups = Vec::with_capacity(made.len());
        for new in made {
            let name = new.name.clone();
            groups.push(self.group_to_make(new).await.map_err(|error| error.within(format_args!("group '{name}'")))?);
        }
        let decided = match self.prepare(&groups).await {
            Ok(()) => self.inner.catalog.change_groups(&groups, &pairs).await,
            failed => failed,
        };
        self.forget_definitions();
        if let Err(error) = decided {
            if error.kind() != ErrorKind::OutcomeUnknown {
                self.unprepare(&groups).await;
            }
            return Err(error);
        }
        self.finish(&groups, pairs).await
    }

    /// What new groups need before they are there: a table, or files that can be read.
    async fn prepare(&self, groups: &[FeatureGroup]) -> Result<()> {
        for group in groups {
            if group.keeps_history() {
                self.inner.offline.ensure_table(group).await?;
            } else if group.is_external() {
                self.inner.offline.external(group).await?;
            }
        }
        Ok(())
    }

    /// Takes away what was prepared for groups that are not made; a table that stays behind is nobody's and harms nobody.
    async fn unprepare(&self, groups: &[FeatureGroup]) {
        for group in groups.iter().filter(|group| group.keeps_history()) {
            if let Err(error) = self.inner.offline.remove_all(group).await {
                tracing::warn!(group = %group.name, %error, "the table of a group that was not made stays behind");
            }
        }
    }

    async fn finish(&self, made: &[FeatureGroup], changed: Vec<(FeatureGroup, FeatureGroup)>) -> Result<Vec<Arc<FeatureGroup>>> {
        let mut done = Vec::with_capacity(made.len() + changed.len());
        let mut failed: Option<Error> = None;
        for group in made {
            match self.finish_creation(group).await {
                Ok(group) => done.push(Arc::new(group)),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        for (_, after) in changed {
            match self.after_change(after).await {
                Ok(group) => done.push(group),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        self.forget_definitions();
        match failed {
            None => Ok(done),
            Some(error) => Err(error.within("the catalog has all changes, yet a definition beside the data could not be written")),
        }
    }

    /// Writes the definition beside the data of groups where it is not what the catalog says: a disk failed after a change. Returns how many.
    pub async fn mend_definitions(&self, names: &[GroupName]) -> Result<usize> {
        self.check_writable()?;
        let mut mended = 0;
        for name in names {
            let group = self.group(name.as_str()).await?;
            if self.inner.offline.read_definition(&group).await?.as_ref() != Some(&*group) {
                self.after_change(FeatureGroup::clone(&group)).await?;
                mended += 1;
            }
        }
        Ok(mended)
    }
}

/// Rules of a change that stand above the catalog's.
fn check_change(before: &FeatureGroup, after: &FeatureGroup) -> Result<()> {
    if let (Some(old), Some(new)) = (&before.online, &after.online)
        && old.declared.storage_type != new.declared.storage_type
    {
        check_tier_change(old.declared.storage_type.as_deref(), new.declared.storage_type.as_deref().unwrap_or("Standard"))?;
    }
    for feature in after.schema.features() {
        crate::store::statistics::check_drift_limits(&feature.drift)?;
        crate::model::limits::check_rules(feature.name.as_str(), &feature.expectations)?;
    }
    Ok(())
}
