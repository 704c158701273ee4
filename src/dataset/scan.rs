//! What one statement reads of one group: the files of a snapshot and the rows not yet in files.
//!
//! Both have the columns of the group's files: features, `write_time`, `api_invocation_time`, `is_deleted`, and last
//! the hidden `__event_time`. A file written before a feature was added reads null there. A group kept elsewhere
//! (external) has the columns of its own files and no unflushed rows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Fields, Schema, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DFSchema, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result as EngineResult;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_expr::PhysicalExpr;
use object_store::{ObjectMeta, ObjectStore};

use super::failure::from_engine;
use super::pruning::files_to_read;
use super::reader::NamingReaders;
use crate::backend::offline::bounds::FileStatistics;
use crate::backend::offline::columns::{EVENT_TIME, feature_field, file_schema};
use crate::backend::offline::{DataFile, TableSnapshot};
use crate::model::error::{Error, Result};
use crate::model::group::FeatureGroup;

/// A Parquet file of a group.
#[derive(Debug, Clone)]
pub struct ScanFile {
    object: ObjectMeta,
    known: Known,
}

/// Where a file's statistics come from.
#[derive(Debug, Clone)]
enum Known {
    /// The table's log, read when they are asked for.
    Log(Arc<DataFile>),
    /// Whoever listed the file.
    Told(Option<Arc<FileStatistics>>),
}

impl ScanFile {
    /// A file with what is known of its rows and bounds.
    pub fn new(object: ObjectMeta, statistics: Option<FileStatistics>) -> Self {
        Self { object, known: Known::Told(statistics.map(Arc::new)) }
    }

    /// What tells its rows from those of any other file: the name where names are never used twice, else size and age too.
    pub fn identity(&self) -> String {
        match &self.known {
            Known::Log(file) => file.path.clone(),
            Known::Told(_) => {
                let ObjectMeta { location, size, last_modified, e_tag, .. } = &self.object;
                format!("{location}|{size}|{}|{}", last_modified.timestamp_micros(), e_tag.as_deref().unwrap_or_default())
            }
        }
    }

    /// Where it lies, its size and its age.
    pub fn object(&self) -> &ObjectMeta {
        &self.object
    }

    /// Rows and bounds, if they are known.
    pub fn statistics(&self) -> Option<&FileStatistics> {
        match &self.known {
            Known::Log(file) => file.statistics(),
            Known::Told(statistics) => statistics.as_deref(),
        }
    }
}

/// A snapshot of a group, taken by the store.
#[derive(Debug, Clone)]
pub struct GroupScan {
    /// The group as it is defined now.
    pub group: FeatureGroup,
    /// Columns of the files; those of ours end with `__event_time`.
    pub schema: SchemaRef,
    /// Where the files lie.
    pub store: Arc<dyn ObjectStore>,
    /// The files; where nothing else tells which of two rows is newer, those of a later file are.
    pub files: Vec<ScanFile>,
    /// Rows that are in none of these files, in order of arrival, with the columns of the files.
    pub unflushed: RecordBatch,
}

impl GroupScan {
    /// A group that keeps its history in a table of ours; none if nothing was ever written to it.
    pub fn of_table(
        group: FeatureGroup,
        snapshot: Option<&TableSnapshot>,
        store: Arc<dyn ObjectStore>,
        unflushed: Option<RecordBatch>,
    ) -> Self {
        let schema = file_schema(&group.schema);
        let files = snapshot.map_or_else(Vec::new, |snapshot| {
            let file = |file: &Arc<DataFile>| {
                // A name is never used twice, so the file's age tells nothing.
                let location = snapshot.folder().data_file(&file.path);
                let object = ObjectMeta { location, ..PartitionedFile::new("", file.size).object_meta };
                ScanFile { object, known: Known::Log(file.clone()) }
            };
            snapshot.files().iter().map(file).collect()
        });
        let unflushed = unflushed.unwrap_or_else(|| RecordBatch::new_empty(schema.clone()));
        Self { group, schema, store, files, unflushed }
    }
}

/// A checked snapshot that the tables of a statement share.
#[derive(Debug, Clone)]
pub(super) struct SharedScan(Arc<Scan>);

impl std::ops::Deref for SharedScan {
    type Target = Scan;
    fn deref(&self) -> &Scan {
        &self.0
    }
}

/// A checked snapshot.
#[derive(Debug)]
pub(super) struct Scan {
    snapshot: GroupScan,
    url: ObjectStoreUrl,
    /// Position of the record identifier in the files.
    pub(super) identifier: usize,
    /// Position of the event time feature in the files.
    pub(super) event_time: usize,
    /// Position of `__event_time`, where the files have it.
    pub(super) instant: Option<usize>,
    visible: SchemaRef,
}

impl SharedScan {
    /// Checks a snapshot.
    pub(super) fn new(mut snapshot: GroupScan) -> Result<Self> {
        if snapshot.group.is_external() {
            snapshot = with_features_only(snapshot);
        }
        let schema = &snapshot.schema;
        if snapshot.unflushed.schema().fields() != schema.fields() {
            return Err(Error::internal(format!("unflushed rows of '{}' don't have the columns of its files", snapshot.group.name)));
        }
        let position = |name: &str| {
            position_of(schema, name).ok_or_else(|| {
                Error::corrupt(format!("the files of group '{}' have no column '{name}'", snapshot.group.name))
                    .remedy("put the files back as they were, or drop the group and create it anew")
            })
        };
        let definition = &snapshot.group.schema;
        let identifier = position(definition.identifier().column().as_str())?;
        let event_time = position(definition.event_time().column().as_str())?;
        let instant = schema.index_of(EVENT_TIME).ok();
        let visible: Fields = schema.fields().iter().filter(|field| field.name() != EVENT_TIME).cloned().collect();
        let url = ObjectStoreUrl::parse(format!("larder://{}", snapshot.group.id.0.simple())).map_err(from_engine)?;
        let visible = Arc::new(Schema::new(visible));
        Ok(Self(Arc::new(Scan { url, identifier, event_time, instant, visible, snapshot })))
    }
}

pub(super) fn position_of(schema: &Schema, name: &str) -> Option<usize> {
    schema.index_of(name).ok().or_else(|| schema.fields().iter().position(|field| field.name().eq_ignore_ascii_case(name)))
}

/// External files may hold more than the group defines: its table has the features, in definition order, with the types
/// and names of the files. A feature that no file has reads null.
fn with_features_only(snapshot: GroupScan) -> GroupScan {
    let features =
        snapshot.group.schema.features().iter().filter_map(|feature| match position_of(&snapshot.schema, feature.name.as_str()) {
            Some(position) => Some(snapshot.schema.fields()[position].clone()),
            // Without these two there is no table, and that is said where they are looked for.
            None if snapshot.group.schema.identifier() == feature || snapshot.group.schema.event_time() == feature => None,
            None => Some(Arc::new(feature_field(feature))),
        });
    let schema: SchemaRef = Arc::new(Schema::new(features.collect::<Fields>()));
    GroupScan { unflushed: RecordBatch::new_empty(schema.clone()), schema, ..snapshot }
}

impl Scan {
    /// The snapshot as the store handed it in.
    pub(super) fn snapshot(&self) -> &GroupScan {
        &self.snapshot
    }

    /// All columns, the hidden one too.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.snapshot.schema
    }

    /// The columns `SELECT *` shows. They are the first of [`Self::schema`], at the same positions.
    pub(super) fn visible(&self) -> &SchemaRef {
        &self.visible
    }

    /// Names of the visible columns, of features the ones they have now.
    pub(super) fn column_names(&self) -> impl Iterator<Item = String> {
        self.visible.fields().iter().map(|field| self.group().schema.name_of_column(field.name()).to_owned())
    }

    /// Position of a visible column by that name.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        match self.group().schema.position(name) {
            Some(position) => position_of(&self.visible, self.group().schema.features()[position].column().as_str()),
            None => position_of(&self.visible, name),
        }
    }

    /// The group.
    pub(super) fn group(&self) -> &FeatureGroup {
        &self.snapshot.group
    }

    /// All files.
    pub(super) fn files(&self) -> &[ScanFile] {
        &self.snapshot.files
    }

    /// Where the files lie.
    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.snapshot.store
    }

    /// Rows in no file.
    pub(super) fn unflushed(&self) -> &RecordBatch {
        &self.snapshot.unflushed
    }

    /// The conjunction of filters over the files' columns, ready to evaluate.
    pub(super) fn predicate(&self, session: &dyn Session, filters: &[Expr]) -> EngineResult<Option<Arc<dyn PhysicalExpr>>> {
        let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(None) };
        let columns = DFSchema::try_from(self.schema().clone())?;
        session.create_physical_expr(filter, &columns).map(Some)
    }

    /// Numbers of the files that can hold rows the predicate lets through.
    pub(super) fn files_for(&self, predicate: Option<&Arc<dyn PhysicalExpr>>) -> Vec<usize> {
        let Some(predicate) = predicate else { return (0..self.files().len()).collect() };
        let statistics: Vec<Option<&FileStatistics>> = self.files().iter().map(|file| file.statistics()).collect();
        let kept = files_to_read(predicate.clone(), self.schema(), &statistics);
        (0..self.files().len()).filter(|number| kept[*number]).collect()
    }

    /// Rows and nulls of these files, exact where the log tells them. Unknown numbers are never guessed: the engine
    /// answers `count(*)` from here.
    pub(super) fn statistics(&self, files: &[usize]) -> Statistics {
        let mut whole = Statistics::new_unknown(self.schema());
        let known: Option<Vec<&FileStatistics>> = files.iter().map(|number| self.files()[*number].statistics()).collect();
        let Some(known) = known else { return whole };
        whole.num_rows = Precision::Exact(known.iter().map(|file| file.rows as usize).sum());
        for (column, field) in whole.column_statistics.iter_mut().zip(self.schema().fields()) {
            let nulls: Option<u64> = known.iter().map(|file| file.columns.get(field.name()).and_then(|bounds| bounds.nulls)).sum();
            if let Some(nulls) = nulls {
                *column = ColumnStatistics { null_count: Precision::Exact(nulls as usize), ..ColumnStatistics::new_unknown() };
            }
        }
        whole
    }
}

/// One read of some files of a group.
pub(super) struct FilesRead {
    /// The files with what to read of each, in as many groups as should be read at once.
    pub(super) groups: Vec<FileGroup>,
    /// Columns of the files and those the reader adds.
    pub(super) columns: TableSchema,
    /// Positions of the wanted columns.
    pub(super) projection: Option<Vec<usize>>,
    /// Rows the reader may leave out; it need not.
    pub(super) predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Rows after which the reader may stop.
    pub(super) limit: Option<usize>,
    /// What is known before reading.
    pub(super) statistics: Option<Statistics>,
}

impl Scan {
    /// A file of the snapshot as the engine takes it.
    pub(super) fn partitioned_file(&self, number: usize) -> PartitionedFile {
        PartitionedFile::new_from_meta(self.files()[number].object.clone())
    }

    /// The operator that reads files.
    pub(super) fn read_files(&self, runtime: &RuntimeEnv, read: FilesRead) -> EngineResult<Arc<DataSourceExec>> {
        runtime.register_object_store(self.url.as_ref(), self.store().clone());
        let footers = runtime.cache_manager.get_file_metadata_cache();
        let mut source = ParquetSource::new(read.columns)
            .with_parquet_file_reader_factory(Arc::new(NamingReaders::new(self.store().clone(), footers)))
            .with_pushdown_filters(true)
            .with_reorder_filters(true)
            .with_enable_page_index(true);
        if let Some(predicate) = read.predicate {
            source = source.with_predicate(predicate);
        }
        let mut config = FileScanConfigBuilder::new(self.url.clone(), Arc::new(source))
            .with_file_groups(read.groups)
            .with_projection_indices(read.projection)?
            .with_limit(read.limit);
        if let Some(statistics) = read.statistics {
            config = config.with_statistics(statistics);
        }
        Ok(DataSourceExec::from_data_source(config.build()))
    }
}

/// Spreads files over at most `count` groups of about the same size.
pub(super) fn balanced(mut files: Vec<PartitionedFile>, count: usize) -> Vec<FileGroup> {
    files.sort_by_key(|file| std::cmp::Reverse(file.object_meta.size));
    let mut groups: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); count.max(1).min(files.len())];
    for file in files {
        let Some((size, group)) = groups.iter_mut().min_by_key(|(size, _)| *size) else { break };
        // An empty file costs something too.
        *size += file.object_meta.size.max(1);
        group.push(file);
    }
    groups.into_iter().map(|(_, files)| FileGroup::new(files)).collect()
}
