//! Reading the Delta log: which files are live, which marks are set, at which version.
//!
//! State is replayed from the newest checkpoint and the commits after it. A checkpoint is only a short cut, and
//! `_last_checkpoint` only a hint at it: if either is missing, damaged or of a form that other writers use
//! (parts, sidecars), the replay starts at commit 0, which is always there because commits are kept for ever.
//! The newest version is found by asking for the next number until it is not there, never by listing; so a
//! reader whose state is current pays for one look-up.
//!
//! Rows of a checkpoint are the same actions as the lines of a commit. They are turned into those lines, so that
//! there is one way to read an action, the `deltalake` crate's.
//!
//! The order of live files is that in which their rows were committed: it decides between rows that nothing else tells
//! apart. A commit that only rearranges rows puts its files where the newest of those was that it replaces, not behind
//! all. A checkpoint knows no order; there `modificationTime` stands for it, and whoever rearranges hands it on.
//!
//! Files that were replaced lie on the disk for a while, for readers of older versions. The state remembers them with
//! the time of their removal for a week, as checkpoints do; see `retired.rs`.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{Schema as ArrowSchema, SchemaRef};
use bytes::Bytes;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake_core::kernel::{Action, Add, Metadata, Protocol, Remove, StructType};
use deltalake_core::logstore::get_actions;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value as Json;

use super::bounds::{Bound, ColumnBounds, FileStatistics};
use super::durable::from_object_store;
use super::layout::GroupFolder;
use super::parquet_file::{micros_range, range_of};
use crate::model::{Error, ErrorKind, Result};

/// How long the removal of a file is remembered: Delta's own default. What is still on the disk then is judged by age.
pub(crate) const REMEMBERED_MILLIS: i64 = 7 * 86_400_000;
/// Commits fetched at once while catching up.
const READ_AHEAD: usize = 16;
/// The newest protocol this program reads: no column mapping, no deletion vectors.
const MAX_READER_VERSION: i64 = 1;
/// The newest protocol this program writes.
const MAX_WRITER_VERSION: i64 = 2;

/// A live data file.
#[derive(Debug)]
pub struct DataFile {
    /// Name relative to the data folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When its rows were committed, in milliseconds since 1970.
    pub(super) modified: i64,
    stats: Option<String>,
    schema: SchemaRef,
    parsed: OnceLock<Option<FileStatistics>>,
}

impl DataFile {
    pub(super) fn new(add: Add, schema: &SchemaRef) -> Self {
        let size = u64::try_from(add.size).unwrap_or(0);
        Self { path: add.path, size, modified: add.modification_time, stats: add.stats, schema: schema.clone(), parsed: OnceLock::new() }
    }

    /// What the log says about the file's columns; none if another writer said nothing.
    pub fn statistics(&self) -> Option<&FileStatistics> {
        let type_of = |name: &str| Some(self.schema.field_with_name(name).ok()?.data_type().clone());
        self.parsed.get_or_init(|| FileStatistics::from_json(self.stats.as_deref()?, type_of)).as_ref()
    }

    /// When its rows were committed, in milliseconds since 1970.
    pub fn committed(&self) -> i64 {
        self.modified
    }

    /// Number of rows, if the log says.
    pub fn rows(&self) -> Option<u64> {
        self.statistics().map(|statistics| statistics.rows)
    }

    /// Earliest and latest event time in microseconds since 1970, if the log says.
    pub fn event_time(&self) -> Option<(i64, i64)> {
        self.statistics().and_then(micros_range)
    }

    /// Range of a column, if the log says.
    pub fn bounds(&self, column: &str) -> Option<&ColumnBounds> {
        self.statistics()?.columns.get(column)
    }

    /// Smallest and largest value of a column, if the log has both.
    pub fn range(&self, column: &str) -> Option<(Bound, Bound)> {
        range_of(self.statistics()?, column)
    }
}

/// When and why a file left the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Removal {
    /// Milliseconds since 1970.
    pub(crate) at: i64,
    /// True if its rows left with it, false if they were only moved into other files.
    pub(crate) with_rows: bool,
}

/// The table at one version.
#[derive(Debug, Clone)]
pub(crate) struct TableState {
    pub(crate) version: u64,
    pub(crate) metadata: Metadata,
    /// The table's columns.
    pub(crate) schema: SchemaRef,
    pub(crate) writer_version: i64,
    /// Live files, in the order in which their rows were committed.
    pub(crate) files: Vec<Arc<DataFile>>,
    /// Files that were removed within a week before the newest removal.
    pub(crate) removed: Arc<BTreeMap<String, Removal>>,
    /// Application id and its newest mark.
    pub(crate) marks: BTreeMap<String, i64>,
}

/// Reads an object; none if it does not exist.
pub(crate) async fn read(store: &dyn ObjectStore, location: &Path) -> Result<Option<Bytes>> {
    let fault = |error| from_object_store(format!("can't read {location}"), error);
    match store.get(location).await {
        Ok(found) => found.bytes().await.map(Some).map_err(fault),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(fault(error)),
    }
}

/// Parses a commit.
pub(crate) fn actions_of(location: &Path, version: u64, bytes: &Bytes) -> Result<Vec<Action>> {
    get_actions(version, bytes).map_err(|error| {
        Error::corrupt(format!("commit {location} can't be read"))
            .source(error)
            .remedy("run `larder doctor`; restore that file from a backup")
    })
}

/// Loads the newest state; none if there is no table.
pub(crate) async fn load(store: &dyn ObjectStore, folder: &GroupFolder) -> Result<Option<TableState>> {
    let mut draft = Draft::default();
    match checkpoint(store, folder).await {
        Ok(Some((version, actions))) => draft.apply(version, actions)?,
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, folder = folder.key(), "checkpoint passed over, reading all commits"),
    }
    if draft.version.is_none() {
        let location = folder.log_entry(0);
        let Some(bytes) = read(store, &location).await? else { return Ok(None) };
        draft.apply(0, actions_of(&location, 0, &bytes)?)?;
    }
    draft.catch_up(store, folder).await?;
    draft.finish(folder).map(Some)
}

/// Names of the live files of a Delta table that somebody else keeps, relative to its root; none if there is no table.
pub(crate) async fn live_files(store: &dyn ObjectStore, root: &Path) -> Result<Option<Vec<String>>> {
    let state = load(store, &GroupFolder::of_table(root)).await?;
    Ok(state.map(|state| state.files.iter().map(|file| file.path.clone()).collect()))
}

/// Loads the state as of a version, from the commits alone, which are kept for ever; none if there is no such version.
pub(crate) async fn load_at(store: &dyn ObjectStore, folder: &GroupFolder, version: u64) -> Result<Option<TableState>> {
    let mut draft = Draft::default();
    draft.replay(store, folder, 0..=version).await?;
    if draft.version != Some(version) {
        return Ok(None);
    }
    draft.finish(folder).map(Some)
}

/// Brings a state up to the newest version; the same state if there is nothing new.
pub(crate) async fn refresh(store: &dyn ObjectStore, folder: &GroupFolder, state: &Arc<TableState>) -> Result<Arc<TableState>> {
    let next = folder.log_entry(state.version + 1);
    let Some(bytes) = read(store, &next).await? else { return Ok(state.clone()) };
    let mut draft = Draft::from(state.as_ref().clone());
    draft.apply(state.version + 1, actions_of(&next, state.version + 1, &bytes)?)?;
    draft.catch_up(store, folder).await?;
    draft.finish(folder).map(Arc::new)
}

/// Actions of the newest checkpoint in one piece, if the hint names one.
async fn checkpoint(store: &dyn ObjectStore, folder: &GroupFolder) -> Result<Option<(u64, Vec<Action>)>> {
    let Some(hint) = read(store, &folder.last_checkpoint()).await? else { return Ok(None) };
    let hint: Json = serde_json::from_slice(&hint).map_err(|error| Error::corrupt("the checkpoint hint is damaged").source(error))?;
    let Some(version) = hint["version"].as_u64().filter(|_| hint["parts"].is_null()) else { return Ok(None) };
    let location = folder.checkpoint(version);
    let Some(bytes) = read(store, &location).await? else { return Ok(None) };
    let parse = move || checkpoint_actions(version, bytes);
    let actions =
        tokio::task::spawn_blocking(parse).await.map_err(|error| Error::internal("reading a checkpoint stopped").source(error))?;
    actions.map(|actions| Some((version, actions))).map_err(|error| error.within(location))
}

/// Column of a checkpoint that names files which go on where it ends.
const SIDECAR: &str = "sidecar";

/// The plain function: rows of a checkpoint become lines of a commit and are parsed as such.
fn checkpoint_actions(version: u64, bytes: Bytes) -> Result<Vec<Action>> {
    let fault = |error: parquet::errors::ParquetError| Error::corrupt("a checkpoint can't be read").source(error);
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(fault)?;
    let wanted = ["add", "remove", "txn", "metaData", "protocol", SIDECAR];
    let mask = ProjectionMask::columns(builder.parquet_schema(), wanted);
    let mut lines = arrow::json::LineDelimitedWriter::new(Vec::new());
    for batch in builder.with_projection(mask).build().map_err(fault)? {
        let mut batch: RecordBatch = batch.map_err(|error| Error::corrupt("a checkpoint can't be read").source(error))?;
        // Writers give every checkpoint the column; only one whose files are listed elsewhere has anything in it.
        if let Ok(position) = batch.schema().index_of(SIDECAR) {
            let sidecars = batch.remove_column(position);
            if sidecars.null_count() < sidecars.len() {
                return Err(Error::corrupt("a checkpoint of version 2").why("its files are listed elsewhere"));
            }
        }
        lines.write(&batch).map_err(|error| Error::corrupt("a checkpoint can't be read").source(error))?;
    }
    lines.finish().map_err(|error| Error::corrupt("a checkpoint can't be read").source(error))?;
    let lines = Bytes::from(lines.into_inner());
    let mut actions = get_actions(version, &lines).map_err(|error| Error::corrupt("a checkpoint can't be read").source(error))?;
    // A checkpoint has no order; files were committed in the order of their times.
    actions.sort_by_cached_key(|action| match action {
        Action::Add(add) => (add.modification_time, add.path.clone()),
        _ => (i64::MIN, String::new()),
    });
    Ok(actions)
}

/// A state being replayed.
#[derive(Default)]
struct Draft {
    version: Option<u64>,
    metadata: Option<Metadata>,
    schema: Option<SchemaRef>,
    writer_version: i64,
    files: Vec<Arc<DataFile>>,
    removed: Arc<BTreeMap<String, Removal>>,
    marks: BTreeMap<String, i64>,
}

impl From<TableState> for Draft {
    fn from(state: TableState) -> Self {
        Self {
            version: Some(state.version),
            metadata: Some(state.metadata),
            schema: Some(state.schema),
            writer_version: state.writer_version,
            files: state.files,
            removed: state.removed,
            marks: state.marks,
        }
    }
}

impl Draft {
    async fn catch_up(&mut self, store: &dyn ObjectStore, folder: &GroupFolder) -> Result<()> {
        let first = self.version.map_or(0, |version| version + 1);
        self.replay(store, folder, first..=u64::MAX).await
    }

    /// Applies commits until one is not there.
    async fn replay(&mut self, store: &dyn ObjectStore, folder: &GroupFolder, versions: RangeInclusive<u64>) -> Result<()> {
        let mut entries = futures::stream::iter(versions)
            .map(|version| {
                let location = folder.log_entry(version);
                async move { Ok::<_, Error>((version, read(store, &location).await?, location)) }
            })
            .buffered(READ_AHEAD)
            .boxed();
        while let Some((version, bytes, location)) = entries.try_next().await? {
            let Some(bytes) = bytes else { break };
            self.apply(version, actions_of(&location, version, &bytes)?)?;
        }
        Ok(())
    }

    fn apply(&mut self, version: u64, actions: Vec<Action>) -> Result<()> {
        // The schema first: files of the same commit are read with it, wherever it stands in the commit.
        for action in &actions {
            match action {
                Action::Metadata(metadata) => {
                    self.schema = Some(schema_of(metadata)?);
                    self.metadata = Some(metadata.clone());
                }
                Action::Protocol(protocol) => self.writer_version = check_protocol(protocol)?,
                _ => {}
            }
        }
        let no_schema = || Error::corrupt(format!("commit {version} comes before the table's columns")).remedy("run `larder doctor`");
        let mut removals = Vec::new();
        let mut added = Vec::new();
        let mut changes_rows = false;
        for action in actions {
            match action {
                Action::Add(add) if add.deletion_vector.is_some() => return Err(too_new("it has deletion vectors")),
                Action::Add(add) => {
                    changes_rows |= add.data_change;
                    added.push(Arc::new(DataFile::new(add, self.schema.as_ref().ok_or_else(no_schema)?)));
                }
                Action::Remove(remove) => removals.push(remove),
                Action::Txn(mark) => {
                    self.marks.insert(mark.app_id, mark.version);
                }
                _ => {}
            }
        }
        self.place(added, &removals, changes_rows);
        self.remember(removals);
        self.version = Some(version);
        Ok(())
    }

    /// Takes files out of the list and puts others in.
    fn place(&mut self, added: Vec<Arc<DataFile>>, removals: &[Remove], changes_rows: bool) {
        if self.files.is_empty() || (added.is_empty() && removals.is_empty()) {
            self.files.extend(added);
            return;
        }
        let removed: HashSet<&str> = removals.iter().map(|remove| remove.path.as_str()).collect();
        // A commit may name a file again (with other statistics): the newer naming counts.
        let renamed: HashSet<&str> = added.iter().map(|file| file.path.as_str()).collect();
        let mut place = None;
        let mut kept = Vec::with_capacity(self.files.len() + added.len());
        for file in self.files.drain(..) {
            if removed.contains(file.path.as_str()) {
                place = Some(kept.len());
            } else if !renamed.contains(file.path.as_str()) {
                kept.push(file);
            }
        }
        let place = place.filter(|_| !changes_rows).unwrap_or(kept.len());
        kept.splice(place..place, added);
        self.files = kept;
    }

    /// Notes removals, forgets those of long ago and those of files that are back.
    fn remember(&mut self, removals: Vec<Remove>) {
        if removals.is_empty() {
            return;
        }
        let live: HashSet<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        let known = Arc::make_mut(&mut self.removed);
        for remove in removals {
            if let Some(at) = remove.deletion_timestamp {
                known.insert(remove.path, Removal { at, with_rows: remove.data_change });
            }
        }
        let newest = known.values().map(|removal| removal.at).max().unwrap_or(0);
        known.retain(|path, removal| removal.at > newest.saturating_sub(REMEMBERED_MILLIS) && !live.contains(path.as_str()));
    }

    fn finish(self, folder: &GroupFolder) -> Result<TableState> {
        let (Some(version), Some(metadata), Some(schema)) = (self.version, self.metadata, self.schema) else {
            return Err(Error::corrupt(format!("the log of {} describes no table", folder.key())).remedy("run `larder doctor`"));
        };
        Ok(TableState {
            version,
            metadata,
            schema,
            writer_version: self.writer_version,
            files: self.files,
            removed: self.removed,
            marks: self.marks,
        })
    }
}

/// The columns a metadata action describes, as the `deltalake` crate knows them.
fn delta_schema_of(metadata: &Metadata) -> Result<StructType> {
    let damaged =
        |error: serde_json::Error| Error::corrupt("the table's columns can't be read").source(error).remedy("run `larder doctor`");
    let json = serde_json::to_value(metadata).map_err(damaged)?;
    serde_json::from_str(json["schemaString"].as_str().unwrap_or_default()).map_err(damaged)
}

fn schema_of(metadata: &Metadata) -> Result<SchemaRef> {
    let columns = delta_schema_of(metadata)?;
    let schema: ArrowSchema = (&columns)
        .try_into_arrow()
        .map_err(|error| Error::new(ErrorKind::NewerFormat, "the table has a column of an unknown type").source(error))?;
    Ok(Arc::new(schema))
}

/// Returns the writer version after checking that the table can be read.
fn check_protocol(protocol: &Protocol) -> Result<i64> {
    let json = serde_json::to_value(protocol).map_err(|error| Error::corrupt("the table's protocol can't be read").source(error))?;
    let reader = json["minReaderVersion"].as_i64().unwrap_or(i64::MAX);
    if reader > MAX_READER_VERSION {
        return Err(too_new(&format!("it asks for Delta reader version {reader}")));
    }
    Ok(json["minWriterVersion"].as_i64().unwrap_or(i64::MAX))
}

fn too_new(why: &str) -> Error {
    Error::new(ErrorKind::NewerFormat, "the offline table can't be read by this version")
        .why(why)
        .remedy("upgrade larder, or undo the change that another tool made to the table")
}

impl TableState {
    /// Refuses to write to a table that another tool has given a newer protocol.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.writer_version > MAX_WRITER_VERSION {
            return Err(too_new(&format!("it asks for Delta writer version {}", self.writer_version)));
        }
        Ok(())
    }

    /// The newest mark of an application. Ours are never negative; another tool's that is counts as none.
    pub(crate) fn mark(&self, app_id: &str) -> Option<u64> {
        self.marks.get(app_id).and_then(|mark| u64::try_from(*mark).ok())
    }

    /// True if a file of that name is live.
    pub(crate) fn names(&self, path: &str) -> bool {
        self.files.iter().any(|file| file.path == path)
    }
}
