//! SQL: gives the query engine its groups, as snapshots that see records put a moment ago.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;

use super::FeatureStore;
use super::lineage::usage::Operation;
use crate::backend::offline::TableSnapshot;
use crate::backend::offline::columns::rows_to_batch;
use crate::dataset::{EngineOptions, FrameRows, GlueTable, GroupScan, GroupSource, QueryEngine, QueryOptions, QueryStream, ScanFile};
use crate::ingest::drain::{drain_mark_name, unflushed};
use crate::model::group::GLUE_DATABASE;
use crate::model::{Arrival, Error, ErrorKind, FeatureGroup, Result};

impl FeatureStore {
    /// Runs a statement; rows come as the stream is polled, and it stops when the stream is dropped.
    pub async fn query(&self, sql: &str, max_rows: Option<u64>) -> Result<QueryStream> {
        self.query_in(None, sql, max_rows).await
    }

    /// A statement that the store itself has reason to ask: nobody's read is counted.
    pub(super) async fn own_query(&self, sql: &str) -> Result<QueryStream> {
        let options = QueryOptions { now: self.now(), max_rows: None };
        self.query_engine()?.query(sql, self.group_source(), &options).await
    }

    /// The same as [`Self::query`], where uploaded tables that are named without a database are looked for in this one first.
    pub(super) async fn query_in(&self, database: Option<&str>, sql: &str, max_rows: Option<u64>) -> Result<QueryStream> {
        let options = QueryOptions { now: self.now(), max_rows };
        let source = Arc::new(Groups { store: self.clone(), counts: true, database: database.map(str::to_owned) });
        let engine = self.query_engine()?;
        match engine.query(sql, source.clone(), &options).await {
            // Perhaps another machine has just made the group.
            Err(error) if error.kind() == ErrorKind::NotFound && self.look_for_missing().await => engine.query(sql, source, &options).await,
            answered => answered,
        }
    }

    /// The engine, made by the first statement.
    pub(super) fn query_engine(&self) -> Result<QueryEngine> {
        Ok(match self.inner.engine.get() {
            Some(engine) => engine.clone(),
            None => {
                let engine = QueryEngine::new(&EngineOptions {
                    memory_limit: usize::try_from(self.inner.settings.query_memory).unwrap_or(usize::MAX),
                    spill_folder: (!self.inner.read_only).then(|| self.inner.folder.join("spill")),
                    ..EngineOptions::default()
                })?;
                self.inner.engine.get_or_init(|| engine).clone()
            }
        })
    }

    /// The groups as the engine finds them, for questions that read no row.
    pub(super) fn group_source(&self) -> Arc<dyn GroupSource> {
        Arc::new(Groups { store: self.clone(), counts: false, database: None })
    }

    /// The same, where opening a group is a read of it.
    #[cfg(feature = "cluster")]
    pub(super) fn counted_group_source(&self) -> Arc<dyn GroupSource> {
        Arc::new(Groups { store: self.clone(), counts: true, database: None })
    }

    pub(super) async fn open_scan(&self, group: &FeatureGroup) -> Result<GroupScan> {
        if group.is_external() {
            return self.open_external_scan(group).await;
        }
        self.open_versioned_scan(group).await.map(|(scan, _)| scan)
    }

    /// A snapshot of a group's own table with what is not in it yet, and the table's version, if there is a table.
    pub(super) async fn open_versioned_scan(&self, group: &FeatureGroup) -> Result<(GroupScan, Option<u64>)> {
        let (scan, snapshot) = self.open_scan_and_snapshot(group).await?;
        Ok((scan, snapshot.as_ref().map(TableSnapshot::version)))
    }

    /// The same with the snapshot itself.
    pub(super) async fn open_scan_and_snapshot(&self, group: &FeatureGroup) -> Result<(GroupScan, Option<TableSnapshot>)> {
        let store = self.inner.offline.object_store()?;
        // Outbox first, table second: a drain in between shows a record in both, and the mark drops it here.
        let mut waiting = unflushed(self.inner.online.as_ref(), group, Arrival(0))?;
        let snapshot = match self.inner.offline.snapshot(group).await {
            Ok(snapshot) => Some(snapshot),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let mark = snapshot.as_ref().and_then(|snapshot| snapshot.mark(&drain_mark_name(self.inner.online.as_ref()))).unwrap_or(0);
        waiting.retain(|row| row.arrival > Arrival(mark));
        let unflushed = rows_to_batch(&group.schema, &waiting)?;
        Ok((GroupScan::of_table(group.clone(), snapshot.as_ref(), store, Some(unflushed)), snapshot))
    }

    async fn open_external_scan(&self, group: &FeatureGroup) -> Result<GroupScan> {
        let external = self.inner.offline.external(group).await?;
        let files = external.files().iter().map(|file| ScanFile::new(file.object.clone(), Some(file.statistics.clone()))).collect();
        let schema = external.schema().clone();
        let unflushed = RecordBatch::new_empty(schema.clone());
        Ok(GroupScan { group: group.clone(), schema, store: external.object_store()?, files, unflushed })
    }
}

/// A name as it stands in SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[derive(Clone)]
struct Groups {
    store: FeatureStore,
    /// Whether opening a group is a read of it.
    counts: bool,
    /// Where uploaded tables are looked for first.
    database: Option<String>,
}

impl std::fmt::Debug for Groups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Groups").field(&self.store.folder()).finish()
    }
}

#[async_trait]
impl GroupSource for Groups {
    async fn group_names(&self) -> Result<Vec<String>> {
        let groups = self.store.list_groups().await?;
        Ok(groups.into_iter().filter(|group| group.offline.is_some()).map(|group| group.name.into()).collect())
    }

    async fn glue_tables(&self) -> Result<Vec<GlueTable>> {
        let groups = self.store.list_groups().await?;
        let table = |group: FeatureGroup| GlueTable {
            database: group.glue_database().to_owned(),
            table: group.glue_table(),
            group: group.name.into(),
        };
        Ok(groups.into_iter().filter(|group| group.offline.is_some()).map(table).collect())
    }

    async fn open_frame(&self, database: Option<&str>, table: &str) -> Result<Option<Arc<dyn FrameRows>>> {
        let (store, table) = (self.store.clone(), table.to_owned());
        let databases: Vec<String> = match (database, &self.database) {
            (Some(database), _) => vec![database.to_owned()],
            (None, Some(current)) => vec![current.to_lowercase(), GLUE_DATABASE.to_owned()],
            (None, None) => vec![GLUE_DATABASE.to_owned(), "default".to_owned()],
        };
        let opened = tokio::task::spawn_blocking(move || store.open_uploaded(&databases, &table)).await;
        opened.map_err(|error| Error::internal("opening an uploaded table stopped").source(error))?
    }

    async fn open_group(&self, name: &str) -> Result<GroupScan> {
        let group = self.store.group(name).await?;
        if self.counts {
            self.store.inner.usage.count(&group, None, Operation::Query);
        }
        match self.store.open_scan(&group).await {
            // Features were added meanwhile: its records need the new definition.
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.store.forget_definitions();
                let group = self.store.group(name).await?;
                self.store.open_scan(&group).await
            }
            other => other,
        }
    }
}
