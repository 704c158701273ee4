//! What can be done to feature groups: make, find, change, tag, move along their life, remove.
//!
//! A change names a group by its id, so that one meant for a group that was dropped and made again under its name
//! meets nothing instead of the wrong group. Names are looked up ignoring case. Status moves only along
//! [`GroupStatus::may_become`]; a group is removed only from `Deleting`, so that a crash midway is seen.

use std::collections::{BTreeMap, BTreeSet};

use super::{Catalog, audit, fault, group_rows};
use crate::model::schema::WrittenAbout;
use crate::model::{
    DriftLimits, Error, ErrorKind, EventTime, Expectation, FeatureDefinition, FeatureGroup, FeatureName, GroupExpectations, GroupId,
    GroupStatus, Result, Ttl,
};

/// Groups that are read before they are taken.
const READ_AHEAD: usize = 256;
/// Longest failure reason that is kept, in characters.
const MAX_FAILURE_REASON: usize = 1_024;

/// A change of a group; what is `None` or empty stays as it is. The inner `None` removes.
#[derive(Debug, Clone, Default)]
pub struct GroupUpdate {
    /// New description.
    pub description: Option<Option<String>>,
    /// New owner.
    pub owner: Option<Option<String>>,
    /// New ttl, for records that are put from now on.
    pub ttl: Option<Option<Ttl>>,
    /// New tier of the online store.
    pub storage_type: Option<String>,
    /// New throughput.
    pub throughput: Option<crate::model::Throughput>,
    /// Notes that the API updated the group.
    pub note_update: bool,
    /// Features to rename: what each is called, and what it is to be called. First of all.
    pub rename_features: Vec<(String, FeatureName)>,
    /// Features to remove.
    pub remove_features: Vec<String>,
    /// Features to append, or to bring back.
    pub add_features: Vec<FeatureDefinition>,
    /// Tags to add or replace.
    pub add_tags: BTreeMap<String, String>,
    /// Keys of tags to remove; removed first, those that are not there are no error.
    pub remove_tags: BTreeSet<String>,
    /// New expectations of the group as a whole.
    pub expectations: Option<GroupExpectations>,
}

/// A change of what is written about one feature.
#[derive(Debug, Clone, Default)]
pub struct FeatureUpdate {
    /// New description; the inner `None` removes it.
    pub description: Option<Option<String>>,
    /// Parameters to add or replace.
    pub add_parameters: BTreeMap<String, String>,
    /// Keys of parameters to remove; removed first, those that are not there are no error.
    pub remove_parameters: BTreeSet<String>,
    /// Removes what was expected and the limits of drift, before others are added.
    pub clear_expectations: bool,
    /// Rules to add, or to put in place of one of the same form.
    pub add_expectations: Vec<Expectation>,
    /// Limits of drift to set.
    pub drift_limits: DriftLimits,
}

impl Catalog {
    /// Returns all groups, ordered by name ignoring case.
    pub async fn groups(&self) -> Result<Vec<FeatureGroup>> {
        let mut reader = self.reader.lock().await;
        group_rows::select_all(&mut reader).await.map_err(self.fault("read the feature groups"))
    }

    /// Hands all groups in that order to `take`, one by one while they are read, so that they need never be in memory together. It runs on a
    /// thread for work that takes its time.
    ///
    /// # Errors
    /// Those of reading, and what `take` returns.
    pub async fn read_groups<T: Send + 'static>(
        &self,
        take: impl FnOnce(&mut dyn Iterator<Item = Result<FeatureGroup>>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let what = "read the feature groups";
        let (sender, mut receiver) = tokio::sync::mpsc::channel(READ_AHEAD);
        let path = self.path.clone();
        let taking = tokio::task::spawn_blocking(move || {
            let row = std::iter::from_fn(|| receiver.blocking_recv());
            take(&mut row.map(|row| group_rows::decode(&row).map_err(|error| fault::explain(what, &path, error))))
        });
        let sent = {
            let mut reader = self.reader.lock().await;
            group_rows::send_all(&mut reader, sender).await
        };
        let taken = taking.await.map_err(|error| Error::internal("the feature groups could not be read").source(error))?;
        sent.map_err(self.fault(what))?;
        taken
    }

    /// Returns the names of all groups in that order, without reading the groups: for suggestions and completion.
    pub async fn group_names(&self) -> Result<Vec<String>> {
        let mut reader = self.reader.lock().await;
        sqlx::query_scalar("SELECT name FROM feature_groups ORDER BY folded_name")
            .fetch_all(&mut *reader)
            .await
            .map_err(self.fault("read the names of the feature groups"))
    }

    /// Returns the group of that name, ignoring case.
    pub async fn group(&self, name: &str) -> Result<Option<FeatureGroup>> {
        let mut reader = self.reader.lock().await;
        group_rows::select_by_name(&mut reader, name).await.map_err(self.fault("read a feature group"))
    }

    /// Returns the group of that id.
    pub async fn group_by_id(&self, id: &GroupId) -> Result<Option<FeatureGroup>> {
        let mut reader = self.reader.lock().await;
        group_rows::select_by_id(&mut reader, id).await.map_err(self.fault("read a feature group"))
    }

    /// Takes in a group as it is, whatever its status.
    ///
    /// Instants are kept to the microsecond.
    ///
    /// # Errors
    /// `AlreadyExists` if a group has that name but for case, or that id.
    pub async fn insert_group(&self, group: &FeatureGroup) -> Result<()> {
        self.insert_groups(std::slice::from_ref(group)).await
    }

    /// Takes in several groups in one transaction: all of them or none.
    pub async fn insert_groups(&self, groups: &[FeatureGroup]) -> Result<()> {
        let what = "add a feature group";
        for group in groups {
            group.check()?;
        }
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        for group in groups {
            if let Some(holder) = group_rows::select_by_name(&mut transaction, group.name.as_str()).await.map_err(self.fault(what))? {
                return Err(name_is_taken(&holder));
            }
            match group_rows::insert(&mut transaction, group).await {
                Ok(()) => {}
                Err(error) if fault::is_unique_violation(&error) => {
                    return Err(Error::new(
                        ErrorKind::AlreadyExists,
                        format!("a feature group with the id {} is in the catalog already", group.id),
                    ));
                }
                Err(error) => return Err(fault::explain(what, &self.path, error)),
            }
            audit::created(&mut transaction, group).await.map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await
    }

    /// Changes a group and returns it as it is then.
    ///
    /// # Errors
    /// `NotFound` if it is gone, `Conflict` if it is being deleted, `Invalid` if a limit or a rule of the schema
    /// would be broken; then nothing has changed.
    pub async fn update_group(&self, id: &GroupId, update: &GroupUpdate, modified: EventTime) -> Result<FeatureGroup> {
        self.change_group(id, "change a feature group", |group| {
            if let Some(description) = &update.description {
                group.description = description.clone().filter(|text| !text.is_empty());
            }
            if let Some(owner) = &update.owner {
                group.owner = owner.clone().filter(|text| !text.is_empty());
            }
            if let Some(ttl) = update.ttl {
                match &mut group.online {
                    Some(online) => online.ttl = ttl,
                    None => {
                        return Err(Error::invalid(format!("'{}' can't have a ttl", group.name))
                            .why("it has no online store")
                            .remedy("give the ttl to the training dataset instead"));
                    }
                }
            }
            if let (Some(tier), Some(online)) = (&update.storage_type, &mut group.online) {
                online.declared.storage_type = Some(tier.clone());
            }
            if let Some(declared) = group.declared_mut() {
                declared.throughput = update.throughput.clone().or(declared.throughput.take());
                declared.was_updated |= update.note_update;
            }
            let is_reshaped = !(update.rename_features.is_empty() && update.remove_features.is_empty() && update.add_features.is_empty());
            if is_reshaped && group.is_external() {
                return Err(Error::invalid(format!("the features of '{}' are those of its files", group.name))
                    .why("it reads external files as they are")
                    .remedy("ingest the files into a group of its own"));
            }
            for (from, to) in &update.rename_features {
                group.schema = group.schema.with_renamed(from, to)?;
            }
            for name in &update.remove_features {
                group.schema = group.schema.with_removed(name, modified)?;
            }
            if !update.add_features.is_empty() {
                group.schema = group.schema.with_added(update.add_features.clone())?;
            }
            if let Some(expectations) = &update.expectations {
                group.expectations.clone_from(expectations);
            }
            group.tags.retain(|key, _| !update.remove_tags.contains(key));
            group.tags.extend(update.add_tags.clone());
            group.modified = modified;
            Ok(())
        })
        .await
    }

    /// Changes what is written about a feature and returns its group as it is then.
    ///
    /// # Errors
    /// As [`Self::update_group`]; `NotFound` also for a feature the group does not have.
    pub async fn update_feature(&self, id: &GroupId, feature: &str, update: &FeatureUpdate, modified: EventTime) -> Result<FeatureGroup> {
        self.change_group(id, "change a feature", |group| {
            let (wanted, _) = group.schema.feature(feature)?;
            if let Some(WrittenAbout { name, description, parameters, expectations, drift }) = group.schema.features_mut().nth(wanted) {
                if let Some(text) = &update.description {
                    *description = text.clone().filter(|text| !text.is_empty());
                }
                if let Some(text) = description {
                    crate::model::limits::check_feature_description(name.as_str(), text)?;
                }
                parameters.retain(|key, _| !update.remove_parameters.contains(key));
                parameters.extend(update.add_parameters.clone());
                crate::model::limits::check_parameters(name.as_str(), parameters)?;
                if update.clear_expectations {
                    expectations.clear();
                    drift.clear();
                }
                for added in &update.add_expectations {
                    // A rule of the same form takes the place of the one there was.
                    expectations.retain(|known| std::mem::discriminant(&known.rule) != std::mem::discriminant(&added.rule));
                    expectations.push(added.clone());
                }
                crate::model::limits::check_rules(name.as_str(), expectations)?;
                drift.extend(update.drift_limits.clone());
            }
            group.modified = modified;
            Ok(())
        })
        .await
    }

    /// Moves a group along its life and returns it as it is then; `failure_reason` goes with the two failed ones.
    ///
    /// # Errors
    /// `Conflict` if the status may not follow the present one, `NotFound` if the group is gone.
    pub async fn set_status(
        &self,
        id: &GroupId,
        next: GroupStatus,
        failure_reason: Option<&str>,
        modified: EventTime,
    ) -> Result<FeatureGroup> {
        let what = "change the status of a feature group";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let old = group_rows::select_by_id(&mut transaction, id).await.map_err(self.fault(what))?.ok_or_else(|| gone(id))?;
        if !old.status.may_become(next) {
            return Err(Error::new(ErrorKind::Conflict, format!("'{}' can't become {next}", old.name)).why(format!("it is {}", old.status)));
        }
        let mut new = old.clone();
        new.status = next;
        new.failure_reason = failure_reason.map(|reason| reason.chars().take(MAX_FAILURE_REASON).collect());
        new.modified = modified;
        group_rows::update(&mut transaction, &old, &new).await.map_err(self.fault(what))?;
        if next == GroupStatus::Deleting {
            audit::deleted(&mut transaction, &new).await.map_err(self.fault(what))?;
        }
        self.commit(transaction, what).await?;
        Ok(new)
    }

    /// Removes a group that is `Deleting`, with features, tags and summary; its runs stay, under its name.
    ///
    /// A group that is gone already is no error: the one who removes it may have been told nothing.
    ///
    /// # Errors
    /// `Conflict` if it has another status.
    pub async fn remove_group(&self, id: &GroupId) -> Result<()> {
        let what = "remove a feature group";
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let Some(group) = group_rows::select_by_id(&mut transaction, id).await.map_err(self.fault(what))? else {
            return Ok(());
        };
        if group.status != GroupStatus::Deleting {
            return Err(Error::new(ErrorKind::Conflict, format!("'{}' can't be removed", group.name))
                .why(format!("it is {}, not Deleting", group.status)));
        }
        sqlx::query("DELETE FROM feature_groups WHERE id = ?1")
            .bind(id.bytes().as_slice())
            .execute(&mut *transaction)
            .await
            .map_err(self.fault(what))?;
        self.commit(transaction, what).await
    }

    /// Reads a group, lets `change` have it, checks it and writes what differs, all under the write lock.
    async fn change_group(&self, id: &GroupId, what: &str, change: impl FnOnce(&mut FeatureGroup) -> Result<()>) -> Result<FeatureGroup> {
        let mut writer = self.writer(what).await?;
        let mut transaction = self.begin(&mut writer, what).await?;
        let old = group_rows::select_by_id(&mut transaction, id).await.map_err(self.fault(what))?.ok_or_else(|| gone(id))?;
        if matches!(old.status, GroupStatus::Deleting | GroupStatus::DeleteFailed) {
            return Err(Error::new(ErrorKind::Conflict, format!("'{}' can't be changed", old.name)).why(format!("it is {}", old.status)));
        }
        let mut new = old.clone();
        change(&mut new)?;
        new.check()?;
        group_rows::update(&mut transaction, &old, &new).await.map_err(self.fault(what))?;
        audit::changed(&mut transaction, &old, &new).await.map_err(self.fault(what))?;
        self.commit(transaction, what).await?;
        Ok(new)
    }
}

impl Catalog {
    /// Makes a group what its definition beside the data says, whichever machine wrote that; does nothing if it is so already.
    ///
    /// # Errors
    /// `NotFound` if the catalog has no such group, `Conflict` if it is being deleted or the definition takes back features.
    pub async fn follow_definition(&self, definition: &FeatureGroup) -> Result<FeatureGroup> {
        self.change_group(&definition.id, "follow a definition", |group| {
            if !definition.schema.continues(&group.schema) {
                return Err(Error::new(ErrorKind::Conflict, format!("the definition of '{}' lacks features the catalog has", group.name))
                    .remedy("restore the definition beside the data from a backup"));
            }
            group.clone_from(definition);
            Ok(())
        })
        .await
    }
}

fn gone(id: &GroupId) -> Error {
    Error::not_found("the feature group is gone")
        .why(format!("nothing has the id {id} any more"))
        .remedy("`larder list` shows what there is")
}

pub(super) fn name_is_taken(holder: &FeatureGroup) -> Error {
    let error = Error::new(ErrorKind::AlreadyExists, format!("there is a feature group '{}' already", holder.name));
    match holder.status {
        GroupStatus::Created => error.remedy("choose another name; names that differ only in case are the same"),
        status => error.why(format!("it is {status}")).remedy(format!("`larder drop {}` removes what is left of it", holder.name)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::super::group_rows::samples::{catalog, feature, group};
    use super::*;
    use crate::model::{FeatureType, OfflineSettings};

    fn later() -> EventTime {
        EventTime::from_unix_seconds(1_800_000_000).unwrap()
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[tokio::test]
    async fn a_group_comes_back_as_it_went_in() {
        let (_folder, catalog) = catalog().await;
        let (one, mut two) = (group("Clicks"), group("baskets"));
        two.online = None;
        two.offline =
            Some(OfflineSettings { s3_uri: "s3://larder".into(), external: Some("/data/*.parquet".into()), ..OfflineSettings::default() });
        two.tags.clear();
        two.description = None;
        two.owner = None;
        two.status = GroupStatus::CreateFailed;
        two.failure_reason = Some("disk".into());
        catalog.insert_groups(&[one.clone(), two.clone()]).await.unwrap();
        assert_eq!(catalog.group("cLICKS").await.unwrap(), Some(one.clone()));
        assert_eq!(catalog.group_by_id(&two.id).await.unwrap(), Some(two.clone()));
        assert_eq!(catalog.groups().await.unwrap(), vec![two, one]);
        assert_eq!(catalog.group_names().await.unwrap(), ["baskets", "Clicks"]);
        assert_eq!(catalog.group("click").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_name_is_taken_whatever_its_case_and_nothing_is_half_inserted() {
        let (_folder, catalog) = catalog().await;
        catalog.insert_group(&group("Clicks")).await.unwrap();
        let error = catalog.insert_groups(&[group("other"), group("CLICKS")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("'Clicks'"), "{error}");
        assert_eq!(catalog.group_names().await.unwrap(), ["Clicks"]);

        let mut twin = catalog.group("clicks").await.unwrap().unwrap();
        twin.name = crate::model::GroupName::parse("twin").unwrap();
        assert_eq!(catalog.insert_group(&twin).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }

    #[tokio::test]
    async fn an_update_changes_what_it_names_and_nothing_else() {
        let (_folder, catalog) = catalog().await;
        let before = group("clicks");
        catalog.insert_group(&before).await.unwrap();
        let update = GroupUpdate {
            description: Some(Some("new".into())),
            owner: Some(None),
            ttl: Some(None),
            rename_features: Vec::new(),
            remove_features: Vec::new(),
            add_features: vec![feature("late", FeatureType::Integral)],
            add_tags: map(&[("stage", "prod"), ("tier", "1")]),
            remove_tags: BTreeSet::from(["a.b".to_owned(), "never there".to_owned()]),
            expectations: Some(GroupExpectations { unique: true, max_age: None, min_rows: Some(3) }),
            storage_type: Some("InMemory".into()),
            throughput: None,
            note_update: true,
        };
        let after = catalog.update_group(&before.id, &update, later()).await.unwrap();
        assert_eq!(catalog.group("clicks").await.unwrap(), Some(after.clone()));
        assert_eq!((after.description.as_deref(), after.owner.as_deref(), after.ttl()), (Some("new"), None, None));
        assert_eq!(after.tags, map(&[("stage", "prod"), ("tier", "1")]));
        assert_eq!(after.schema.features()[..4], before.schema.features()[..]);
        assert_eq!(after.schema.position("late"), Some(4));
        assert_eq!(after.online.as_ref().and_then(|online| online.declared.storage_type.as_deref()), Some("InMemory"));
        assert!(after.declared().is_some_and(|declared| declared.was_updated) && !before.declared().unwrap().was_updated);
        assert_eq!((after.created, after.modified), (before.created, later()));

        let same = catalog.update_group(&before.id, &GroupUpdate::default(), later()).await.unwrap();
        assert_eq!(same, after);
    }

    #[tokio::test]
    async fn what_breaks_a_limit_changes_nothing() {
        let (_folder, catalog) = catalog().await;
        let before = group("clicks");
        catalog.insert_group(&before).await.unwrap();
        let many: BTreeMap<String, String> = (0..60).map(|i| (format!("k{i}"), "v".to_owned())).collect();
        for update in [
            GroupUpdate { description: Some(Some("x".repeat(129))), ..GroupUpdate::default() },
            GroupUpdate { add_tags: many.clone(), ..GroupUpdate::default() },
            GroupUpdate { add_tags: map(&[("a\tb", "")]), ..GroupUpdate::default() },
            GroupUpdate { add_features: vec![feature("SCORE", FeatureType::String)], ..GroupUpdate::default() },
        ] {
            assert_eq!(catalog.update_group(&before.id, &update, later()).await.unwrap_err().kind(), ErrorKind::Invalid, "{update:?}");
        }
        for update in [
            FeatureUpdate { description: Some(Some("x".repeat(256))), ..FeatureUpdate::default() },
            FeatureUpdate { add_parameters: many.clone(), ..FeatureUpdate::default() },
            FeatureUpdate { add_parameters: map(&[("unit", "")]), ..FeatureUpdate::default() },
        ] {
            assert_eq!(
                catalog.update_feature(&before.id, "score", &update, later()).await.unwrap_err().kind(),
                ErrorKind::Invalid,
                "{update:?}"
            );
        }
        assert_eq!(catalog.group("clicks").await.unwrap(), Some(before));

        let mut offline_only = group("archive");
        offline_only.online = None;
        catalog.insert_group(&offline_only).await.unwrap();
        let ttl = GroupUpdate { ttl: Some(Some("7d".parse().unwrap())), ..GroupUpdate::default() };
        assert_eq!(catalog.update_group(&offline_only.id, &ttl, later()).await.unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[tokio::test]
    async fn what_is_written_about_a_feature_changes_and_its_type_does_not() {
        let (_folder, catalog) = catalog().await;
        let before = group("clicks");
        catalog.insert_group(&before).await.unwrap();
        let update = FeatureUpdate {
            description: Some(Some(String::new())),
            add_parameters: map(&[("pii", "yes"), ("source", "web")]),
            remove_parameters: BTreeSet::from(["unit".to_owned()]),
            ..FeatureUpdate::default()
        };
        let after = catalog.update_feature(&before.id, "sCORE", &update, later()).await.unwrap();
        let (_, score) = after.schema.feature("score").unwrap();
        assert_eq!(score.description, None, "an empty description is none");
        assert_eq!(score.parameters, map(&[("pii", "yes"), ("source", "web")]));
        assert_eq!(score.feature_type, FeatureType::Fractional);
        assert_eq!(catalog.group("clicks").await.unwrap(), Some(after));
        let error = catalog.update_feature(&before.id, "scor", &update, later()).await.unwrap_err();
        assert!(error.to_string().contains("did you mean 'Score'?"), "{error}");
    }

    #[tokio::test]
    async fn status_moves_only_along_a_groups_life() {
        use GroupStatus::{CreateFailed, Created, Creating, DeleteFailed, Deleting};
        let all = [Creating, Created, CreateFailed, Deleting, DeleteFailed];
        let (_folder, catalog) = catalog().await;
        for (number, from) in all.into_iter().enumerate() {
            for to in all {
                let mut sample = group(&format!("{to}-{number}"));
                sample.status = from;
                catalog.insert_group(&sample).await.unwrap();
                let answer = catalog.set_status(&sample.id, to, Some("why"), later()).await;
                let found = catalog.group_by_id(&sample.id).await.unwrap().unwrap();
                if from.may_become(to) {
                    assert_eq!(answer.unwrap(), found);
                    assert_eq!((found.status, found.failure_reason.as_deref()), (to, Some("why")));
                } else {
                    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Conflict, "{from} to {to}");
                    assert_eq!(found, sample);
                }
            }
        }
    }

    #[tokio::test]
    async fn a_group_is_removed_from_deleting_only_and_its_name_is_free_again() {
        let (_folder, catalog) = catalog().await;
        let mut first = group("clicks");
        first.status = GroupStatus::Created;
        catalog.insert_group(&first).await.unwrap();
        assert_eq!(catalog.remove_group(&first.id).await.unwrap_err().kind(), ErrorKind::Conflict);
        catalog.set_status(&first.id, GroupStatus::Deleting, None, later()).await.unwrap();
        let error = catalog.update_group(&first.id, &GroupUpdate::default(), later()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let error = catalog.insert_group(&group("clicks")).await.unwrap_err();
        assert!(error.to_string().contains("it is Deleting"), "{error}");
        catalog.remove_group(&first.id).await.unwrap();
        catalog.remove_group(&first.id).await.unwrap();
        assert_eq!(catalog.update_group(&first.id, &GroupUpdate::default(), later()).await.unwrap_err().kind(), ErrorKind::NotFound);
        catalog.insert_group(&group("Clicks")).await.unwrap();
        assert!(catalog.check_integrity().await.unwrap().is_empty());
    }
}
