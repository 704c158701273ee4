//! From a request to a join that is ready to run: groups found, snapshots taken, columns named, everything checked.
//!
//! Columns of a dataset bear the feature's name; one that is taken already becomes `group__feature`, with the alias where
//! there is one. What the plan read of each group (version, newest write) is kept for the manifest, so that the same rows
//! can be read again.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::max;
use arrow::datatypes::{SchemaRef, TimestampMicrosecondType};
use futures::Stream;
use tokio::runtime::Handle;
use xxhash_rust::xxh3::Xxh3;

use super::output::write_files;
#[cfg(not(feature = "cluster"))]
use super::spine::Batches;
use super::spine::SpineRows;
use crate::backend::offline::Bound;
use crate::backend::offline::columns::WRITE_TIME;
use crate::dataset::content_hash::ContentHash;
use crate::dataset::point_in_time::{JoinFeature, JoinGroup, JoinOptions, JoinWatch, JoinedRows, MIN_MEMORY, PointInTimeJoin};
use crate::dataset::request::{ColumnNames, DatasetRequest, SpineSource, selected_features, ttls_in_force};
use crate::dataset::row_files::{RowFolder, WrittenRows};
use crate::dataset::{GroupScan, ScanFile};
use crate::model::{Error, EventTime, FeatureGroup, FeatureType, GroupId, Result, Ttl};
use crate::store::FeatureStore;
use crate::store::cluster::ClusterOptions;

/// How to plan a dataset.
#[derive(Debug, Clone, Default)]
pub struct PlanOptions {
    /// Bytes the join may hold; none is a quarter of the machine's memory.
    pub memory: Option<u64>,
    /// Threads; none is one a core.
    pub parallelism: Option<usize>,
    /// Only what was written by each row's own time counts.
    pub known_then: bool,
    /// Who watches and may stop it.
    pub watch: JoinWatch,
    /// The cluster that is to run it; none is this machine.
    pub cluster: Option<ClusterOptions>,
    /// Versions of the groups' tables to read instead of the newest, without what was not flushed then.
    pub versions: BTreeMap<GroupId, u64>,
    /// Only rows written by then count, by group.
    pub cuts: BTreeMap<GroupId, EventTime>,
}

/// Where a column of a dataset comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnOrigin {
    /// Carried through from the spine.
    Spine,
    /// A feature.
    Feature {
        /// Position of the use of its group among the inputs.
        input: usize,
        /// Its name in the group.
        feature: String,
    },
}

/// A feature that an input brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFeature {
    /// Its name in the group.
    pub name: String,
    /// Its type, as `describe` shows it.
    pub type_text: String,
    /// Its column in the dataset.
    pub column: String,
}

/// What a dataset reads of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetInput {
    /// The group.
    pub group: String,
    /// What this use of it is called.
    pub alias: String,
    /// Its identity.
    pub id: GroupId,
    /// When that group was made.
    pub created: EventTime,
    /// Version of its table; none for a group that is external or that nothing was ever flushed to.
    pub version: Option<u64>,
    /// Tells the files of an external group, by names, sizes and ages.
    pub fingerprint: Option<String>,
    /// The ttl in force.
    pub ttl: Option<Ttl>,
    /// Column of the spine with its identifiers.
    pub spine_id: String,
    /// What it brings, in the order of the columns.
    pub features: Vec<InputFeature>,
    /// Rows read that were in no file yet.
    pub unflushed: u64,
    /// The newest write time among the rows read.
    pub newest_write: Option<EventTime>,
}

/// A dataset, ready to be built.
pub struct DatasetPlan {
    join: PointInTimeJoin,
    spine: SpineRows,
    origins: Vec<ColumnOrigin>,
    inputs: Vec<DatasetInput>,
    spine_files: Vec<(String, String)>,
    watch: JoinWatch,
    cluster: Option<(FeatureStore, ClusterOptions)>,
}

impl DatasetPlan {
    /// Columns of the dataset: those of the spine, then the features.
    pub fn schema(&self) -> SchemaRef {
        self.join.schema().clone()
    }

    /// Where each column comes from.
    pub fn origins(&self) -> &[ColumnOrigin] {
        &self.origins
    }

    /// What is read of which group, in the order of the request.
    pub fn inputs(&self) -> &[DatasetInput] {
        &self.inputs
    }

    /// Files of the spine, each with what tells it from others; empty for SQL.
    pub fn spine_files(&self) -> &[(String, String)] {
        &self.spine_files
    }

    /// What is read of each use of a group, in the order of the request.
    pub(super) fn snapshots(&self) -> impl Iterator<Item = &GroupScan> {
        self.join.snapshots()
    }

    /// The spine.
    pub(super) fn spine(&self) -> &SpineRows {
        &self.spine
    }

    /// Finds the record of each row; the dataset is then pulled from the result.
    pub async fn run(self) -> Result<JoinedStream> {
        let runtime = Handle::current();
        let columns = self.spine.schema.clone();
        let batches = self.spine.batches();
        let (join, watch, cluster) = (self.join, self.watch, self.cluster);
        let joined = tokio::task::spawn_blocking(move || match cluster {
            None => join.run(batches, &runtime, &watch),
            Some((store, cluster)) => join_on_cluster(&store, cluster, &join, (columns, batches), &watch, &runtime),
        })
        .await;
        let rows = joined.map_err(|error| Error::internal("the join stopped").source(error))??;
        Ok(JoinedStream::of(rows))
    }

    /// Finds the record of each row, and writes the dataset to an open folder in files of `block_rows` rows: by the workers of
    /// the cluster where there is one. A dataset without rows has one file without rows, which tells its columns.
    pub(super) async fn run_into(self, folder: &RowFolder, block_rows: u64) -> Result<(WrittenRows, ContentHash)> {
        let (schema, runtime, place) = (self.schema(), Handle::current(), folder.clone());
        let columns = self.spine.schema.clone();
        let batches = self.spine.batches();
        let (join, watch, cluster) = (self.join, self.watch, self.cluster);
        let written = tokio::task::spawn_blocking(move || match cluster {
            None => write_files(join.run(batches, &runtime, &watch)?, &place, block_rows, &runtime),
            Some((store, cluster)) => {
                join_into_on_cluster(&store, cluster, &join, (columns, batches), (&place, block_rows), &watch, &runtime)
            }
        })
        .await;
        let mut written = written.map_err(|error| Error::internal("the join stopped").source(error))??;
        let hash = ContentHash::of_blocks(&schema, block_rows, written.files.iter().filter_map(|file| file.digests.as_ref()))?;
        if written.files.is_empty() {
            written.files.push(folder.file(&schema, 0, false)?.finish().await?);
        }
        Ok((written, hash))
    }
}

/// The rows of a dataset, in the order of its spine.
pub struct JoinedStream {
    schema: SchemaRef,
    spine_rows: u64,
    rows: JoinedRows,
}

impl JoinedStream {
    pub(super) fn of(rows: JoinedRows) -> Self {
        Self { schema: rows.schema().clone(), spine_rows: rows.rows(), rows }
    }

    /// Its columns.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Rows that found a record, by use of a group, in the order of the request; complete once all rows were read.
    pub fn counts(&self) -> Arc<[AtomicU64]> {
        self.rows.counts()
    }

    /// Rows of the spine, and so of the dataset.
    pub fn spine_rows(&self) -> u64 {
        self.spine_rows
    }

    /// The rows in pieces, which several threads may put together.
    pub fn into_pieces(self) -> JoinedRows {
        self.rows
    }

    /// The rows as batches; each is put together on a thread that may block.
    pub fn into_batches(self) -> Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>> {
        let stopped = |error| Error::internal("the join stopped").source(error);
        Box::pin(futures::stream::try_unfold(self.rows, move |mut rows| async move {
            let next = tokio::task::spawn_blocking(move || {
                let piece = rows.next_piece()?;
                Ok(piece.map(|piece| piece.assemble()).transpose()?.map(|batch| (batch, rows)))
            });
            next.await.map_err(stopped)?
        }))
    }
}

impl FeatureStore {
    /// Plans a dataset: finds spine and groups, takes snapshots, checks everything that can be known before reading.
    ///
    /// # Errors
    /// `NotFound` with a suggestion for a group or feature that is not there, `Invalid` for a column that is not there or
    /// can't be what it is said to be, `Conflict` if files of an asked-for version are gone.
    pub async fn plan_dataset(&self, request: &DatasetRequest, options: &PlanOptions) -> Result<DatasetPlan> {
        if request.features.is_empty() {
            return Err(Error::usage("no features were asked for").remedy("name a group, or features of it: group:feature,feature"));
        }
        let mut groups = Vec::with_capacity(request.features.len());
        for selection in &request.features {
            let group = self.group(&selection.group).await?;
            if group.offline.is_none() {
                return Err(Error::invalid(format!("'{}' has no history", group.name))
                    .why("it has no offline store, and a training dataset looks into the past")
                    .remedy("leave it out"));
            }
            groups.push(group);
        }
        let ttls = ttls_in_force(request, &groups)?;
        let spine = self.open_spine(request, &groups).await?;
        let time = spine.position(&request.spine_time, "--spine-time")?;
        spine.position(&request.spine_id, "--spine-id")?;

        let mut names = ColumnNames::of_spine(&spine.schema)?;
        let mut origins = vec![ColumnOrigin::Spine; spine.schema.fields().len()];
        let mut joined = Vec::with_capacity(groups.len());
        let mut inputs = Vec::with_capacity(groups.len());
        for (number, ((selection, group), ttl)) in request.features.iter().zip(&groups).zip(ttls).enumerate() {
            let features = selected_features(selection, group)?;
            let columns: Vec<JoinFeature> = features
                .iter()
                .map(|(feature, column)| {
                    Ok(JoinFeature { feature: feature.clone(), column: names.take(selection, feature, column.as_deref())? })
                })
                .collect::<Result<_>>()?;
            let spine_id = selection.spine_id.as_deref().unwrap_or(&request.spine_id);
            let spine_id = spine.position(spine_id, "--spine-id")?;
            let read = self.read_group(group, options).await?;
            origins.extend(columns.iter().map(|column| ColumnOrigin::Feature { input: number, feature: column.feature.clone() }));
            inputs.push(DatasetInput {
                group: group.name.to_string(),
                alias: selection.alias().to_owned(),
                id: group.id,
                created: group.created,
                version: read.version,
                fingerprint: read.fingerprint,
                ttl,
                spine_id: spine.schema.field(spine_id).name().clone(),
                features: columns.iter().map(|column| input_feature(group, column)).collect(),
                unflushed: read.scan.unflushed.num_rows() as u64,
                newest_write: read.newest_write,
            });
            let as_of = match (request.as_of, options.cuts.get(&group.id)) {
                (Some(as_of), Some(cut)) => Some(as_of.min(*cut)),
                (as_of, cut) => as_of.or(cut.copied()),
            };
            joined.push(JoinGroup { scan: read.scan, spine_id, features: columns, ttl, as_of });
        }
        let join = PointInTimeJoin::new(spine.schema.clone(), time, joined, self.join_options(options))?;
        let spine_files = spine.files.clone();
        let cluster = options.cluster.map(|cluster| (self.clone(), cluster));
        Ok(DatasetPlan { join, spine, origins, inputs, spine_files, watch: options.watch.clone(), cluster })
    }

    pub(crate) fn join_options(&self, options: &PlanOptions) -> JoinOptions {
        let memory = options.memory.unwrap_or_else(quarter_of_memory);
        JoinOptions {
            known_then: options.known_then,
            memory: usize::try_from(memory).unwrap_or(usize::MAX),
            parallelism: options.parallelism.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from)),
            spill_folder: (!self.inner.read_only).then(|| self.inner.folder.join("spill")),
        }
    }

    pub(super) async fn open_spine(&self, request: &DatasetRequest, groups: &[Arc<FeatureGroup>]) -> Result<SpineRows> {
        match &request.spine {
            SpineSource::Sql(sql) => Ok(SpineRows::of_query(self.query(sql, None).await.map_err(|error| error.within("the spine"))?)),
            SpineSource::File(location) => {
                let is_text = |group: &&FeatureGroup| group.schema.identifier().feature_type == FeatureType::String;
                let columns = request.features.iter().zip(groups).filter(|(_, group)| is_text(&group.as_ref()));
                let columns = columns
                    .map(|(selection, _)| selection.spine_id.clone().unwrap_or_else(|| request.spine_id.clone()))
                    .collect::<Vec<_>>();
                let (location, id, time) = (location.clone(), request.spine_id.clone(), request.spine_time.clone());
                let opened = tokio::task::spawn_blocking(move || SpineRows::of_files(&location, &id, &time, &columns)).await;
                opened.map_err(|error| Error::internal("opening the spine stopped").source(error))?
            }
        }
    }

    async fn read_group(&self, group: &FeatureGroup, options: &PlanOptions) -> Result<GroupRead> {
        if group.is_external() {
            let scan = self.open_scan(group).await?;
            let fingerprint = Some(fingerprint(&scan.files));
            return Ok(GroupRead { scan, version: None, fingerprint, newest_write: None });
        }
        let (scan, version) = match options.versions.get(&group.id) {
            None => self.open_versioned_scan(group).await?,
            Some(version) => {
                let snapshot = self.inner.offline.snapshot_at(group, *version).await?;
                let store = self.inner.offline.object_store()?;
                (GroupScan::of_table(group.clone(), Some(&snapshot), store, None), Some(*version))
            }
        };
        let newest_write = newest_write(&scan);
        Ok(GroupRead { scan, version, fingerprint: None, newest_write })
    }
}

/// A snapshot and what tells it from others.
struct GroupRead {
    scan: GroupScan,
    version: Option<u64>,
    fingerprint: Option<String>,
    newest_write: Option<EventTime>,
}

/// The newest write time of a snapshot, as far as the log and the unflushed rows tell.
fn newest_write(scan: &GroupScan) -> Option<EventTime> {
    let of_file = |file: &ScanFile| match &file.statistics()?.columns.get(WRITE_TIME)?.max {
        Some(Bound::Micros(micros)) => Some(*micros),
        _ => None,
    };
    let waiting = scan.unflushed.column_by_name(WRITE_TIME);
    let waiting = waiting.and_then(|column| max(column.as_primitive_opt::<TimestampMicrosecondType>()?));
    scan.files.iter().filter_map(of_file).chain(waiting).max().and_then(EventTime::from_unix_micros)
}

/// Tells a set of files from another, and from itself after any of them changed.
fn fingerprint(files: &[ScanFile]) -> String {
    let mut hash = Xxh3::new();
    for file in files {
        let object = file.object();
        hash.update(object.location.as_ref().as_bytes());
        hash.update(&object.size.to_le_bytes());
        hash.update(&object.last_modified.timestamp_micros().to_le_bytes());
    }
    format!("{:032x}", hash.digest128())
}

fn input_feature(group: &FeatureGroup, column: &JoinFeature) -> InputFeature {
    let type_text = group.schema.feature(&column.feature).map(|(_, feature)| feature.type_text()).unwrap_or_default();
    InputFeature { name: column.feature.clone(), type_text, column: column.column.clone() }
}

#[cfg(feature = "cluster")]
use crate::store::cluster::spine::{join_into as join_into_on_cluster, join_on as join_on_cluster};

#[cfg(not(feature = "cluster"))]
fn join_on_cluster(
    _store: &FeatureStore,
    _cluster: ClusterOptions,
    _join: &PointInTimeJoin,
    _spine: (SchemaRef, Batches),
    _watch: &JoinWatch,
    _runtime: &Handle,
) -> Result<JoinedRows> {
    Err(crate::store::cluster::not_built())
}

#[cfg(not(feature = "cluster"))]
fn join_into_on_cluster(
    _store: &FeatureStore,
    _cluster: ClusterOptions,
    _join: &PointInTimeJoin,
    _spine: (SchemaRef, Batches),
    _folder: (&RowFolder, u64),
    _watch: &JoinWatch,
    _runtime: &Handle,
) -> Result<WrittenRows> {
    Err(crate::store::cluster::not_built())
}

/// Half of the machine's memory, for a process that has it to itself.
#[cfg(feature = "cluster")]
pub(in crate::store) fn half_of_memory() -> u64 {
    quarter_of_memory().saturating_mul(2)
}

/// A quarter of the machine's memory, or 1 GiB where that can't be told.
fn quarter_of_memory() -> u64 {
    let kilobytes = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    });
    kilobytes.map_or(1 << 30, |kilobytes| kilobytes * 1_024 / 4).max(MIN_MEMORY as u64)
}
