//! Feature groups: make, find, change, drop.
//!
//! Making one takes three steps that a crash may part: the catalog row as `Creating`, the table and definition
//! beside the data, `Created`. Whoever next meets a group in `Creating` finishes the last two, which are the same
//! however often they are done. Dropping goes the other way and ends the same way.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::FeatureStore;
use super::following::Asks;
use crate::backend::online::GroupCounts;
use crate::catalog::listing::{Listing, ListingBuilder};
use crate::catalog::{FeatureUpdate, GroupUpdate, OfflineSummary};
use crate::model::suggest::suggest;
use crate::model::{
    Arrival, Declared, Error, ErrorKind, EventTime, FeatureDefinition, FeatureGroup, GroupExpectations, GroupId, GroupName, GroupStatus,
    OfflineSettings, OnlineSettings, Result, Schema,
};

/// Outbox entries and online rows of which a summary reads the event times; beyond it the newest stays unknown.
const MAX_ROWS_READ: u64 = 200_000;

/// A group that is to be made.
#[derive(Debug, Clone)]
pub struct NewGroup {
    /// Its name.
    pub name: GroupName,
    /// Features, record identifier, event time.
    pub schema: Schema,
    /// Set for an online store.
    pub online: Option<OnlineSettings>,
    /// True for an offline store of our own.
    pub offline: bool,
    /// Where its objects go; none is the store's own place.
    pub s3_uri: Option<String>,
    /// What was said of the group and its offline store beside that; see [`Declared`].
    pub declared: Declared,
    /// A folder, file or glob of Parquet that is read in place.
    pub external: Option<String>,
    /// At most 128 characters.
    pub description: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Up to 50 keys with values.
    pub tags: BTreeMap<String, String>,
    /// What is expected of it as a whole.
    pub expectations: GroupExpectations,
}

impl NewGroup {
    /// A group with both stores and nothing written about it.
    pub fn new(name: GroupName, schema: Schema) -> Self {
        Self {
            name,
            schema,
            online: Some(OnlineSettings::default()),
            offline: true,
            s3_uri: None,
            declared: Declared::default(),
            external: None,
            description: None,
            owner: None,
            tags: BTreeMap::new(),
            expectations: GroupExpectations::default(),
        }
    }
}

/// What a group holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupSummary {
    /// Records ever, those in the outbox included; of an online-only group the records it holds.
    pub records: u64,
    /// Records the online store holds, without tombstones.
    pub online_records: u64,
    /// Parquet files of the history.
    pub offline_files: u64,
    /// Bytes of these files.
    pub offline_bytes: u64,
    /// Records not yet in Parquet.
    pub outbox_rows: u64,
    /// Earliest event time, if known.
    pub oldest_event_time: Option<EventTime>,
    /// Latest event time, if known.
    pub newest_event_time: Option<EventTime>,
    /// Version of the Delta table.
    pub delta_version: Option<u64>,
}

impl FeatureStore {
    /// All groups, ordered by name ignoring case.
    pub async fn list_groups(&self) -> Result<Vec<FeatureGroup>> {
        self.follow_bucket(Asks::ToList).await?;
        self.inner.catalog.groups().await
    }

    /// All groups by name, with these others among them, and their features in columns: a list of a million features at a quarter of
    /// the memory that their definitions would take. The others come in the order of their names.
    ///
    /// # Errors
    /// Those of the catalog; `Full` beyond 4 GiB of names or descriptions.
    pub async fn listing(&self, others: Vec<FeatureGroup>) -> Result<Listing> {
        self.follow_bucket(Asks::ToList).await?;
        let listed = move |groups: &mut dyn Iterator<Item = Result<FeatureGroup>>| {
            let mut builder = ListingBuilder::default();
            let mut others = others.into_iter().peekable();
            for group in groups {
                let group = group?;
                let name = group.name.folded();
                while let Some(other) = others.next_if(|other| other.name.folded() < name) {
                    builder.keep(other)?;
                }
                builder.keep(group)?;
            }
            others.try_for_each(|other| builder.keep(other))?;
            Ok(builder.build())
        };
        self.inner.catalog.read_groups(listed).await
    }

    /// The group of that name, ignoring case.
    ///
    /// # Errors
    /// `NotFound`, with the nearest name.
    pub async fn group(&self, name: &str) -> Result<Arc<FeatureGroup>> {
        if let Some(group) = self.group_at_hand(name) {
            return Ok(group);
        }
        // Boxed, because hardly a request comes here and each would carry the room for it.
        Box::pin(self.find_group(name)).await
    }

    /// The group of that name, ignoring case, if this handle read its definition and looked for changes of it within [`super::DEFINITIONS_AGE`].
    pub fn group_at_hand(&self, name: &str) -> Option<Arc<FeatureGroup>> {
        let definitions = self.inner.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        if definitions.are_fresh() { definitions.get(name) } else { None }
    }

    async fn find_group(&self, name: &str) -> Result<Arc<FeatureGroup>> {
        self.follow_bucket(Asks::ToLookUp).await?;
        if let Some(group) = self.known_definition(name).await? {
            return Ok(group);
        }
        let mut found = self.inner.catalog.group(name).await?;
        if found.is_none() && self.look_for_missing().await {
            found = self.inner.catalog.group(name).await?;
        }
        let Some(group) = found else { return Err(self.no_such_group(name).await) };
        let group = match group.status {
            GroupStatus::Creating if !self.inner.read_only => self.finish_creation(&group).await?,
            _ => group,
        };
        let group = Arc::new(group);
        let mut definitions = self.inner.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        definitions.by_name.insert(group.name.folded(), group.clone());
        Ok(group)
    }

    async fn no_such_group(&self, name: &str) -> Error {
        let error = Error::not_found(format!("there is no feature group '{}'", name.escape_debug()));
        if let Some(synced) = self.inner.catalog.sync_groups(Some(name)).await.unwrap_or_default().first() {
            return error
                .why(format!("source '{}' tells of one, whose records are kept there", synced.source))
                .remedy("`larder describe` shows it; read and write its records where they are kept");
        }
        let names = self.inner.catalog.group_names().await.unwrap_or_default();
        match suggest(name, names.iter().map(String::as_str)) {
            Some(near) => error.remedy(format!("did you mean '{near}'?")),
            None if names.is_empty() => error.remedy("the store is empty: `larder create` makes a group, `larder demo` several"),
            None => error.remedy("`larder list` shows those there are"),
        }
    }

    /// A parsed definition, if it was read or checked lately enough.
    async fn known_definition(&self, name: &str) -> Result<Option<Arc<FeatureGroup>>> {
        let lock = || self.inner.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let definitions = lock();
            if definitions.are_fresh() {
                return Ok(definitions.get(name));
            }
        }
        let version = self.inner.catalog.data_version().await?;
        let mut definitions = lock();
        if definitions.version != version {
            definitions.by_name.clear();
            definitions.version = version;
        }
        definitions.checked = Some(Instant::now());
        Ok(definitions.get(name))
    }

    /// Makes a group.
    ///
    /// # Errors
    /// `AlreadyExists` if the name is taken ignoring case; `Invalid` where a rule is broken. Nothing is left then.
    pub async fn create_group(&self, new: NewGroup) -> Result<Arc<FeatureGroup>> {
        self.check_writable()?;
        let group = self.group_to_make(new).await?;
        self.inner.catalog.insert_group(&group).await?;
        self.forget_definitions();
        let created = self.finish_creation(&group).await?;
        self.forget_definitions();
        Ok(Arc::new(created))
    }

    /// The group that is to be made, as `Creating` and with a folder that is free; nothing is written yet.
    pub(super) async fn group_to_make(&self, new: NewGroup) -> Result<FeatureGroup> {
        let now = EventTime::from_unix_micros(self.now().unix_micros()).unwrap_or(EventTime::MAX);
        let s3_uri = new.s3_uri.unwrap_or_else(|| self.inner.settings.s3_uri.clone());
        let offline = (new.offline || new.external.is_some()).then_some(OfflineSettings {
            s3_uri,
            external: new.external,
            declared: new.declared.clone(),
        });
        let mut group = FeatureGroup {
            id: GroupId(uuid::Uuid::now_v7()),
            name: new.name,
            description: new.description.filter(|text| !text.is_empty()),
            owner: new.owner.filter(|text| !text.is_empty()),
            tags: new.tags,
            schema: new.schema,
            online: new.online,
            offline,
            status: GroupStatus::Creating,
            failure_reason: None,
            expectations: new.expectations,
            created: now,
            modified: now,
        };
        if group.offline.is_none()
            && let Some(declared) = group.declared_mut()
        {
            let online = std::mem::replace(declared, new.declared);
            declared.kms_key = online.kms_key;
            declared.storage_type = online.storage_type;
        }
        group.check()?;
        // The second of creation is part of every object name; one that was dropped within it keeps its folder.
        for _ in 0..60 {
            match self.inner.offline.check_folder_is_free(&group).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => group.created = group.created.saturating_add_seconds(1),
                other => {
                    other?;
                    break;
                }
            }
        }
        Ok(group)
    }

    /// The steps of making a group after its catalog row; repeating them changes nothing.
    pub(super) async fn finish_creation(&self, group: &FeatureGroup) -> Result<FeatureGroup> {
        let mut created = group.clone();
        created.status = GroupStatus::Created;
        if group.keeps_history() {
            self.inner.offline.ensure_table(group).await?;
        }
        self.inner.offline.write_definition(&created).await?;
        match self.inner.catalog.set_status(&group.id, GroupStatus::Created, None, group.modified).await {
            // Another process finished it in the same moment.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                let found = self.inner.catalog.group_by_id(&group.id).await?;
                found.filter(|group| group.status == GroupStatus::Created).ok_or(error)
            }
            other => other,
        }
    }

    /// Changes a group; records are not touched.
    pub async fn update_group(&self, name: &str, update: &GroupUpdate) -> Result<Arc<FeatureGroup>> {
        self.check_writable()?;
        let group = self.group(name).await?;
        if let (Some(tier), Some(online)) = (&update.storage_type, &group.online) {
            check_tier_change(online.declared.storage_type.as_deref(), tier)?;
        }
        self.follow_bucket_now().await?;
        let changed = self.inner.catalog.update_group(&group.id, update, self.now()).await?;
        self.after_change(changed).await
    }

    /// Changes what is written about a feature.
    pub async fn update_feature(&self, name: &str, feature: &str, update: &FeatureUpdate) -> Result<Arc<FeatureGroup>> {
        self.check_writable()?;
        let group = self.group(name).await?;
        crate::store::statistics::check_drift_limits(&update.drift_limits)?;
        self.follow_bucket_now().await?;
        let changed = self.inner.catalog.update_feature(&group.id, feature, update, self.now()).await?;
        self.after_change(changed).await
    }

    pub(super) async fn after_change(&self, changed: FeatureGroup) -> Result<Arc<FeatureGroup>> {
        self.forget_definitions();
        if changed.keeps_history() {
            self.inner.offline.ensure_table(&changed).await?;
        }
        self.inner.offline.write_definition(&changed).await?;
        Ok(Arc::new(changed))
    }

    /// Appends features to a group.
    pub async fn add_features(&self, name: &str, features: Vec<FeatureDefinition>) -> Result<Arc<FeatureGroup>> {
        self.update_group(name, &GroupUpdate { add_features: features, ..GroupUpdate::default() }).await
    }

    /// Drops a group: its online records and its place in the catalog go, the objects of its history stay.
    pub async fn drop_group(&self, name: &str) -> Result<Arc<FeatureGroup>> {
        self.check_writable()?;
        let group = self.group(name).await?;
        if group.status != GroupStatus::Deleting {
            self.inner.catalog.set_status(&group.id, GroupStatus::Deleting, None, self.now()).await?;
        }
        self.forget_definitions();
        self.inner.offline.drop_definition(&group).await?;
        let (online, id) = (self.inner.online.clone(), group.id);
        tokio::task::spawn_blocking(move || online.drop_group(id))
            .await
            .map_err(|error| Error::internal("the drop stopped").source(error))??;
        self.inner.catalog.remove_group(&group.id).await?;
        self.forget_definitions();
        Ok(group)
    }

    /// Folder of a group's Delta table on this machine; none for a group without a history of its own,
    /// and for one whose history lies in a bucket.
    pub fn table_folder(&self, group: &FeatureGroup) -> Result<Option<std::path::PathBuf>> {
        if !group.keeps_history() || self.inner.offline.is_remote() {
            return Ok(None);
        }
        Ok(Some(self.inner.offline.root().join(self.inner.offline.folder(group)?.data_key())))
    }

    /// Where the files of a group's history lie, as `s3://bucket/…/data`; none for a group without a history of its own.
    pub fn resolved_uri(&self, group: &FeatureGroup) -> Option<String> {
        let folder = group.keeps_history().then(|| self.inner.offline.folder(group).ok()).flatten()?;
        Some(folder.resolved_uri())
    }

    /// What a group holds, as of now.
    pub async fn group_summary(&self, group: &FeatureGroup) -> Result<GroupSummary> {
        let counts = self.inner.online.counts(group.id)?;
        let offline = if group.keeps_history() {
            self.note_summary(group).await?
        } else if group.is_external() {
            Some(self.external_summary(group).await?)
        } else {
            None
        };
        self.summary_of(group, counts, offline.as_ref())
    }

    /// What every group holds, by its last noted summary: opens no Delta log.
    pub async fn group_summaries(&self, groups: &[impl Borrow<FeatureGroup> + Sync]) -> Result<HashMap<GroupId, GroupSummary>> {
        let noted = self.inner.catalog.offline_summaries().await?;
        let groups: Vec<&FeatureGroup> = groups.iter().map(Borrow::borrow).collect();
        let with_online: Vec<GroupId> =
            groups.iter().filter(|group| group.online.is_some() || group.keeps_history()).map(|group| group.id).collect();
        let counts = self.inner.online.counts_of(&with_online)?;
        let mut summaries = HashMap::with_capacity(groups.len());
        for group in groups {
            let summary = match noted.get(&group.id) {
                // Other machines commit to a bucket without a word to this catalog.
                Some(noted) if self.is_stale(group, noted) => self.group_summary(group).await.unwrap_or_default(),
                None if group.offline.is_some() => self.group_summary(group).await.unwrap_or_default(),
                offline => self.summary_of(group, counts.get(&group.id).copied().unwrap_or_default(), offline)?,
            };
            summaries.insert(group.id, summary);
        }
        Ok(summaries)
    }

    /// What the footers of an external group say.
    async fn external_summary(&self, group: &FeatureGroup) -> Result<OfflineSummary> {
        let external = self.inner.offline.external(group).await?;
        let event_time = group.schema.event_time().name.as_str();
        let (oldest, newest) = external.micros(event_time).unzip();
        Ok(OfflineSummary {
            delta_version: 0,
            files: external.files().len() as u64,
            rows: external.rows(),
            bytes: external.bytes(),
            oldest_event_time: oldest.and_then(EventTime::from_unix_micros),
            newest_event_time: newest.and_then(EventTime::from_unix_micros),
            updated: self.now(),
        })
    }

    /// Reads the table's state and notes it in the catalog.
    pub(super) async fn note_summary(&self, group: &FeatureGroup) -> Result<Option<OfflineSummary>> {
        let snapshot = match self.inner.offline.snapshot(group).await {
            Ok(snapshot) => snapshot,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let (oldest, newest) = snapshot.event_time().unzip();
        let summary = OfflineSummary {
            delta_version: snapshot.version(),
            files: snapshot.files().len() as u64,
            rows: snapshot.rows(),
            bytes: snapshot.bytes(),
            oldest_event_time: oldest.and_then(EventTime::from_unix_micros),
            // The log keeps milliseconds, the upper bound rounded up to the last microsecond of one.
            newest_event_time: newest.map(|micros| micros - micros.rem_euclid(1_000)).and_then(EventTime::from_unix_micros),
            updated: self.now(),
        };
        if !self.inner.read_only {
            let noted = self.inner.catalog.offline_summary(&group.id).await?;
            if noted.is_none_or(|noted| noted.delta_version < summary.delta_version) {
                self.inner.catalog.set_offline_summary(&group.id, &summary).await?;
            }
        }
        Ok(Some(summary))
    }

    fn summary_of(&self, group: &FeatureGroup, counts: GroupCounts, offline: Option<&OfflineSummary>) -> Result<GroupSummary> {
        let mut summary = GroupSummary { online_records: counts.records, outbox_rows: counts.outbox_rows, ..GroupSummary::default() };
        if let Some(offline) = offline {
            summary.records = offline.rows;
            summary.offline_files = offline.files;
            summary.offline_bytes = offline.bytes;
            summary.oldest_event_time = offline.oldest_event_time;
            summary.newest_event_time = offline.newest_event_time;
            summary.delta_version = (!group.is_external()).then_some(offline.delta_version);
        }
        let mut widen = |time: EventTime| {
            summary.oldest_event_time = Some(summary.oldest_event_time.map_or(time, |oldest| oldest.min(time)));
            summary.newest_event_time = Some(summary.newest_event_time.map_or(time, |newest| newest.max(time)));
        };
        let online = self.inner.online.as_ref();
        if counts.outbox_rows <= MAX_ROWS_READ && counts.outbox_rows > 0 {
            online.outbox(group.id, Arrival(0), &mut |row| {
                widen(row.event_time());
                Ok(ControlFlow::Continue(()))
            })?;
        }
        if group.offline.is_none() {
            if counts.records <= MAX_ROWS_READ && online.elsewhere().is_none() {
                online.scan(group.id, None, &mut |row| {
                    if !row.is_tombstone() {
                        widen(row.event_time());
                    }
                    Ok(ControlFlow::Continue(()))
                })?;
            }
            summary.records = counts.records;
        } else {
            summary.records += counts.outbox_rows;
        }
        Ok(summary)
    }
}

/// Feature Store's rule: a tier stays, but for Standard, which may become Standard_V2.
pub(super) fn check_tier_change(before: Option<&str>, after: &str) -> Result<()> {
    let before = before.unwrap_or("Standard");
    if before == after || (before, after) == ("Standard", "Standard_V2") {
        return Ok(());
    }
    Err(Error::invalid(format!("StorageType can't change from {before} to {after}")).remedy("create another group"))
}
