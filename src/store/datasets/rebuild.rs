//! Building a dataset again from its manifest: the same spine, and of each group the records that were there.
//!
//! The records are those of the recorded Delta version. Where that can't be (its files were removed after a compaction, or
//! records were read from the outbox) they are those of the newest version that were written by the newest write time
//! that was seen: the same, unless a load was under way. Which of the two it was is told.

use std::collections::BTreeMap;
use std::path::Path;

use super::inputs::{changed_files, external_files, spine_files};
use super::manifest::{Manifest, ManifestInput};
use super::plan::{DatasetPlan, PlanOptions};
use crate::backend::offline::TableSnapshot;
use crate::dataset::GroupScan;
use crate::dataset::request::{SelectedFeature, SpineSource};
use crate::model::{Error, ErrorKind, EventTime, FeatureGroup, Result, Schema};
use crate::store::FeatureStore;

/// Which records a dataset was built from again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// Those of the recorded versions.
    Versions,
    /// Those written by the recorded newest write times, because of this.
    Writes(String),
}

/// Records of one group as they were.
pub(super) struct PastRecords {
    /// The table; none if nothing was ever flushed to it.
    pub(super) snapshot: Option<TableSnapshot>,
    /// Only what was written by then counts.
    pub(super) cut: Option<EventTime>,
    /// True if the outbox was read too.
    pub(super) with_outbox: bool,
}

impl ManifestInput {
    /// True if a version of the table is all that was read.
    fn is_whole_version(&self) -> bool {
        self.delta_version.is_some() && self.unflushed == 0
    }

    /// What was written by then was read; nothing, if nothing had ever been written.
    pub(super) fn cut(&self) -> EventTime {
        self.newest_write.unwrap_or(EventTime::MIN)
    }

    fn is_external(&self) -> bool {
        self.fingerprint.is_some()
    }
}

/// Asks for a feature under the name it has now; the column keeps the one it had.
fn follow_renaming(selected: &mut SelectedFeature, schema: &Schema) {
    if schema.position(&selected.name).is_none()
        && let Some(renamed) = schema.renamed(&selected.name)
    {
        let old = std::mem::replace(&mut selected.name, renamed.name.to_string());
        selected.column.get_or_insert(old);
    }
}

impl FeatureStore {
    /// Plans a dataset again.
    ///
    /// # Errors
    /// `Conflict` if one of its groups was made anew since, what planning refuses.
    pub(super) async fn plan_rebuild(&self, manifest: &Manifest, options: &PlanOptions) -> Result<(DatasetPlan, Basis)> {
        let groups = self.groups_of_inputs(manifest).await?;
        let mut request = manifest.pinned_request();
        for (selection, group) in request.features.iter_mut().zip(&groups) {
            selection.features.iter_mut().flatten().for_each(|selected| follow_renaming(selected, &group.schema));
        }
        let own = || manifest.inputs.iter().filter(|input| !input.is_external());
        let pinned = PlanOptions {
            versions: own().filter(|input| input.is_whole_version()).filter_map(|input| Some((input.id, input.delta_version?))).collect(),
            cuts: own().filter(|input| !input.is_whole_version()).map(|input| (input.id, input.cut())).collect(),
            ..options.clone()
        };
        let waited = own().find(|input| input.unflushed > 0).map(|input| format!("records of '{}' waited in the outbox then", input.group));
        match self.plan_dataset(&request, &pinned).await {
            Ok(plan) => Ok((plan, waited.map_or(Basis::Versions, Basis::Writes))),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let cuts = own().map(|input| (input.id, input.cut())).collect();
                let cut = PlanOptions { versions: BTreeMap::new(), cuts, ..options.clone() };
                let why = error.reason().unwrap_or_else(|| error.what().to_owned());
                Ok((self.plan_dataset(&request, &cut).await?, Basis::Writes(why)))
            }
            Err(error) => Err(error),
        }
    }

    /// The groups that the inputs of a manifest were read from, in their order.
    async fn groups_of_inputs(&self, manifest: &Manifest) -> Result<Vec<FeatureGroup>> {
        let mut groups = Vec::with_capacity(manifest.inputs.len());
        for input in &manifest.inputs {
            groups.push(self.group_of_input(input).await?);
        }
        Ok(groups)
    }

    /// The group that an input was read from.
    pub(super) async fn group_of_input(&self, input: &ManifestInput) -> Result<FeatureGroup> {
        let group = self.group(&input.group).await?;
        if group.id != input.id {
            return Err(Error::new(ErrorKind::Conflict, format!("'{}' is another group than the dataset was built from", group.name))
                .why(format!("it was dropped and made anew at {}", group.created))
                .remedy("build the dataset anew"));
        }
        Ok(group.as_ref().clone())
    }

    /// The records of a group that an input was read from.
    pub(super) async fn past_records(&self, group: &FeatureGroup, input: &ManifestInput) -> Result<PastRecords> {
        if let Some(version) = input.delta_version.filter(|_| input.is_whole_version()) {
            match self.inner.offline.snapshot_at(group, version).await {
                Ok(snapshot) => return Ok(PastRecords { snapshot: Some(snapshot), cut: None, with_outbox: false }),
                Err(error) if error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        let snapshot = self.newest_snapshot(group).await?;
        Ok(PastRecords { snapshot, cut: Some(input.cut()), with_outbox: true })
    }

    /// The newest state of a group's table; none if it has none.
    pub(super) async fn newest_snapshot(&self, group: &FeatureGroup) -> Result<Option<TableSnapshot>> {
        match self.inner.offline.snapshot(group).await {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same as a scan for a join, with the time by which records must have been written.
    pub(super) async fn past_scan(&self, group: &FeatureGroup, input: &ManifestInput) -> Result<(GroupScan, Option<EventTime>)> {
        let past = self.past_records(group, input).await?;
        if past.with_outbox {
            return Ok((self.open_versioned_scan(group).await?.0, past.cut));
        }
        let store = self.inner.offline.object_store()?;
        Ok((GroupScan::of_table(group.clone(), past.snapshot.as_ref(), store, None), past.cut))
    }

    /// What is not as it was when a dataset was built, outside of the tables with versions: spine and external files.
    ///
    /// # Errors
    /// `NotFound` if the spine is gone.
    pub(super) async fn changed_sources(&self, manifest: &Manifest) -> Result<Vec<String>> {
        let mut changed = Vec::new();
        let (spine, then) = (manifest.request.spine.clone(), manifest.spine_files.clone());
        if then.iter().any(|file| file.hash.is_none()) {
            return Err(Error::invalid(format!("'{}' can't be built again", manifest.label()))
                .why("its spine came from standard input")
                .remedy("build it from a file"));
        }
        if let Some(gone) = then.iter().find(|file| !Path::new(&file.path).exists()) {
            return Err(Error::not_found(format!("'{}' can't be built again", manifest.label()))
                .why(format!("the spine {} is gone", gone.path))
                .remedy("put that file back"));
        }
        let now = if matches!(spine, SpineSource::Sql(_)) {
            Vec::new()
        } else {
            let hashed = tokio::task::spawn_blocking(move || spine_files(&spine)).await;
            hashed.map_err(|error| Error::internal("reading the spine stopped").source(error))??
        };
        for file in &now {
            match then.iter().find(|known| known.path == file.path) {
                None => changed.push(format!("the spine has a file more: {}", file.path)),
                Some(known) if known.hash != file.hash => changed.push(format!("the spine {} was changed", file.path)),
                Some(_) => {}
            }
        }
        for input in manifest.inputs.iter().filter(|input| input.is_external()) {
            let group = self.group_of_input(input).await?;
            let Some(place) = group.offline.and_then(|offline| offline.external) else { continue };
            let listed = tokio::task::spawn_blocking(move || external_files(&place)).await;
            let now = listed.map_err(|error| Error::internal("listing external files stopped").source(error))??;
            changed.extend(changed_files(input, &now).into_iter().map(|what| format!("of '{}', {what}", input.group)));
        }
        changed.dedup();
        Ok(changed)
    }
}
