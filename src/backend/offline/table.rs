//! The Delta table of a group: making it, following its columns, snapshots of it, checkpoints.
//!
//! Version 0 has protocol (reader 1, writer 2), which every Delta reader knows: no column mapping, no deletion
//! vectors, no partition columns. Its properties forbid other tools to clean up commits, because a deleted
//! commit would let a stalled writer create its number again. A checkpoint is written after every 64th commit by
//! whoever made that commit; if that fails nothing is lost but time, so it is only logged.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::{Field, FieldRef, Schema as ArrowSchema, SchemaRef};
use deltalake_core::DeltaTable;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::{Action, MetadataExt, Protocol, StructType, new_metadata};
use deltalake_core::protocol::checkpoints;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use serde_json::json;

use object_store::ObjectStoreExt;

use super::bounds::Bound;
use super::columns::{PLUMBING, feature_field, plumbing_fields};
use super::commit::Attempt;
use super::durable::from_object_store;
use super::log::{self, DataFile, TableState};
use super::{GroupFolder, OfflineStore};
use crate::model::{Error, ErrorKind, FeatureGroup, Result};

/// Commits from one checkpoint to the next.
const CHECKPOINT_EVERY: u64 = 64;
/// Attempts to commit before somebody else's commits are too many; each one lost means another writer went ahead.
pub(super) const MAX_ATTEMPTS: u32 = 100;

/// A group's table at one version. It stays what it is, whatever is committed later.
#[derive(Debug, Clone)]
pub struct TableSnapshot {
    state: Arc<TableState>,
    folder: GroupFolder,
    identifier: String,
}

impl TableSnapshot {
    /// Version of the table.
    pub fn version(&self) -> u64 {
        self.state.version
    }

    /// Columns of the table.
    pub fn schema(&self) -> &SchemaRef {
        &self.state.schema
    }

    /// Live files in the order in which their rows were committed: a compacted one stands where the newest of those stood
    /// that it replaced.
    pub fn files(&self) -> &[Arc<DataFile>] {
        &self.state.files
    }

    /// Application ids and the newest mark of each.
    pub fn marks(&self) -> &BTreeMap<String, i64> {
        &self.state.marks
    }

    /// The newest mark of an application.
    pub fn mark(&self, app_id: &str) -> Option<u64> {
        self.state.mark(app_id)
    }

    /// The group's folder.
    pub fn folder(&self) -> &GroupFolder {
        &self.folder
    }

    /// Name of the record identifier's column.
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// Smallest and largest record identifier of a file, if the log says.
    pub fn identifier_range(&self, file: &DataFile) -> Option<(Bound, Bound)> {
        file.range(&self.identifier)
    }

    /// Rows of all files; files about which the log says nothing don't count.
    pub fn rows(&self) -> u64 {
        self.state.files.iter().filter_map(|file| file.rows()).sum()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.state.files.iter().map(|file| file.size).sum()
    }

    /// Earliest and latest event time in microseconds since 1970, over the files of which the log says.
    pub fn event_time(&self) -> Option<(i64, i64)> {
        let ranges = self.state.files.iter().filter_map(|file| file.event_time());
        ranges.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}

impl OfflineStore {
    /// Returns the newest state of a group's table.
    ///
    /// # Errors
    /// NotFound if the table was never made, NewerFormat if another tool gave it features this program lacks.
    pub async fn snapshot(&self, group: &FeatureGroup) -> Result<TableSnapshot> {
        let folder = self.folder(group)?;
        match self.state(&folder).await.map_err(|error| error.within(format!("group '{}'", group.name)))? {
            Some(state) => Ok(self.snapshot_of(group, folder, state)),
            None => {
                Err(Error::not_found(format!("'{}' has no offline table", group.name)).remedy("ingest something, or `larder flush` it"))
            }
        }
    }

    /// Returns the state of a group's table as of a version, with files that are still there.
    ///
    /// # Errors
    /// NotFound if the table never had that version; Conflict if files of it were compacted away since.
    pub async fn snapshot_at(&self, group: &FeatureGroup, version: u64) -> Result<TableSnapshot> {
        let newest = self.snapshot(group).await?;
        if newest.version() == version {
            return Ok(newest);
        }
        let within = |error: Error| error.within(format!("group '{}'", group.name));
        let folder = self.folder(group)?;
        let disk = self.disk()?;
        let state = log::load_at(disk.as_ref(), &folder, version).await.map_err(within)?;
        let state = state.ok_or_else(|| {
            Error::not_found(format!("the table of '{}' has no version {version}", group.name))
                .remedy(format!("its newest is {}", newest.version()))
        })?;
        for file in &state.files {
            let location = folder.data_file(&file.path);
            match disk.head(&location).await {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => {
                    return Err(Error::new(ErrorKind::Conflict, format!("version {version} of '{}' can't be read any more", group.name))
                        .why(format!("{} was removed after a compaction", file.path))
                        .remedy("read its newest version"));
                }
                Err(error) => return Err(from_object_store(format!("can't look at {location}"), error)),
            }
        }
        Ok(self.snapshot_of(group, folder, Arc::new(state)))
    }

    /// The same as [`OfflineStore::snapshot`], after making durable what is visible: only then may marks be acted on that another process set.
    /// [`OfflineStore::commit`] has done so when it returns.
    pub async fn settled_snapshot(&self, group: &FeatureGroup) -> Result<TableSnapshot> {
        let snapshot = self.snapshot(group).await?;
        self.disk()?.sync_folder(&snapshot.folder.log()).await?;
        Ok(snapshot)
    }

    pub(super) fn snapshot_of(&self, group: &FeatureGroup, folder: GroupFolder, state: Arc<TableState>) -> TableSnapshot {
        TableSnapshot { state, folder, identifier: group.schema.identifier().column().to_string() }
    }

    /// The newest state, from the cached one if there is one.
    pub(super) async fn state(&self, folder: &GroupFolder) -> Result<Option<Arc<TableState>>> {
        let Some(disk) = self.existing_disk()? else { return Ok(None) };
        let cached = self.cached(folder);
        let state = match cached {
            Some(state) => log::refresh(disk.as_ref(), folder, &state).await?,
            None => match log::load(disk.as_ref(), folder).await? {
                Some(state) => Arc::new(state),
                None => return Ok(None),
            },
        };
        self.cache(folder, &state);
        Ok(Some(state))
    }

    /// Makes the group's table if there is none, and adds the columns it lacks. Returns the newest state.
    pub async fn ensure_table(&self, group: &FeatureGroup) -> Result<TableSnapshot> {
        let folder = self.folder(group)?;
        let state = self.ensure_state(group, &folder).await.map_err(|error| error.within(format!("group '{}'", group.name)))?;
        Ok(self.snapshot_of(group, folder, state))
    }

    pub(super) async fn ensure_state(&self, group: &FeatureGroup, folder: &GroupFolder) -> Result<Arc<TableState>> {
        for _ in 0..MAX_ATTEMPTS {
            let state = self.state(folder).await?;
            if let Some(state) = &state
                && missing_columns(group, &state.schema)?.is_empty()
            {
                return Ok(state.clone());
            }
            self.check_writable()?;
            let (version, actions, operation) = match &state {
                None => self.creation(group)?,
                Some(state) => self.addition(group, state)?,
            };
            let attempt = Attempt::new(version, actions, operation, None);
            // Committed or lost to another writer: either way the next look tells whether the columns are there.
            self.attempt(folder, &attempt).await?;
        }
        Err(super::commit::too_busy(folder))
    }

    /// Actions of version 0.
    fn creation(&self, group: &FeatureGroup) -> Result<(u64, Vec<Action>, DeltaOperation)> {
        let schema = delta_schema(&merged_schema(group, None))?;
        let properties = [
            // Commits are kept for ever: a number that was used must never be free again.
            ("delta.enableExpiredLogCleanup", "false"),
            ("delta.logRetentionDuration", "interval 36500 days"),
            ("delta.checkpointInterval", "64"),
        ];
        let fault = |error| Error::internal("can't describe the table").source(error);
        let metadata = new_metadata(&schema, Vec::<String>::new(), properties)
            .and_then(|metadata| metadata.with_name(group.name.to_string()))
            .map_err(fault)?;
        let protocol: Protocol = serde_json::from_value(json!({ "minReaderVersion": 1, "minWriterVersion": 2 }))
            .map_err(|error| Error::internal("can't describe the table's protocol").source(error))?;
        let location =
            url::Url::parse(&self.folder(group)?.resolved_uri()).map_err(|error| Error::internal("can't name the table").source(error))?;
        let operation =
            DeltaOperation::Create { mode: SaveMode::ErrorIfExists, location, protocol: protocol.clone(), metadata: metadata.clone() };
        Ok((0, vec![Action::Protocol(protocol), Action::Metadata(metadata)], operation))
    }

    /// Actions that add the columns the table lacks.
    fn addition(&self, group: &FeatureGroup, state: &TableState) -> Result<(u64, Vec<Action>, DeltaOperation)> {
        state.check_writable()?;
        let missing = missing_columns(group, &state.schema)?;
        let schema = delta_schema(&merged_schema(group, Some(&state.schema)))?;
        let metadata = state
            .metadata
            .clone()
            .with_schema(&schema)
            .map_err(|error| Error::internal("can't describe the table's new columns").source(error))?;
        let fields = delta_schema(&ArrowSchema::new(missing))?.fields().cloned().collect();
        Ok((state.version + 1, vec![Action::Metadata(metadata)], DeltaOperation::AddColumn { fields }))
    }

    /// Writes a checkpoint if the version is due for one. Its failure costs readers time and nothing else.
    pub(super) async fn checkpoint_if_due(&self, folder: &GroupFolder, version: u64) {
        if version == 0 || !version.is_multiple_of(CHECKPOINT_EVERY) {
            return;
        }
        if let Err(error) = self.checkpoint(folder, version).await {
            tracing::warn!(%error, folder = folder.key(), version, "no checkpoint was written");
        }
    }

    async fn checkpoint(&self, folder: &GroupFolder, version: u64) -> Result<()> {
        let fault = |error| Error::new(ErrorKind::Io, format!("can't write checkpoint {version}")).source(error);
        let mut table = DeltaTable::new(self.log_store(folder)?);
        table.load_version(version).await.map_err(fault)?;
        checkpoints::create_checkpoint(&table, None).await.map_err(fault)
    }
}

/// The columns of a group, those of the table that the group no longer knows, and our own.
fn merged_schema(group: &FeatureGroup, table: Option<&ArrowSchema>) -> ArrowSchema {
    let mut fields: Vec<Field> = group.schema.features().iter().map(feature_field).collect();
    let mut known: HashSet<String> = fields.iter().map(|field| field.name().to_ascii_lowercase()).collect();
    known.extend(PLUMBING.map(str::to_owned));
    for field in table.into_iter().flat_map(|table| table.fields().iter()) {
        if known.insert(field.name().to_ascii_lowercase()) {
            fields.push(field.as_ref().clone());
        }
    }
    fields.extend(plumbing_fields());
    ArrowSchema::new(fields)
}

/// Columns of the group that the table lacks.
fn missing_columns(group: &FeatureGroup, table: &ArrowSchema) -> Result<Vec<Field>> {
    let known: HashMap<String, &FieldRef> = table.fields().iter().map(|field| (field.name().to_ascii_lowercase(), field)).collect();
    let mut missing = Vec::new();
    for field in group.schema.features().iter().map(feature_field).chain(plumbing_fields()) {
        match known.get(&field.name().to_ascii_lowercase()) {
            None => missing.push(field),
            Some(known) if known.data_type() == field.data_type() && known.name() == field.name() => {}
            Some(known) => {
                return Err(Error::corrupt(format!("column '{}' of the offline table is {}", known.name(), known.data_type()))
                    .why(format!("the group says {} {}", field.name(), field.data_type()))
                    .remedy("the definition and the data are of different groups: restore one of them"));
            }
        }
    }
    Ok(missing)
}

fn delta_schema(schema: &ArrowSchema) -> Result<StructType> {
    schema.try_into_kernel().map_err(|error| Error::internal("the group's columns can't be a Delta table").source(error))
}
