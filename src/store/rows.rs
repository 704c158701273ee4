//! The history of a group as it lies there, for whoever pages through it: some rows by their place, or those that a condition
//! leaves, in an order.
//!
//! By place nothing but the window is read, however long the history is. Rows that wait in the outbox stand behind those in
//! files. Looking is nobody's read: neither way counts in the usage.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Fields, Schema, SchemaRef};

use super::FeatureStore;
use super::queries::quoted;
use crate::backend::offline::columns::{EVENT_TIME, shown_schema};
use crate::backend::offline::{RowWindow, TableSnapshot};
use crate::dataset::QueryStream;
use crate::model::{Error, FeatureGroup, Result};

/// Rows of a history from a place on.
#[derive(Debug, Clone)]
pub struct RowStretch {
    /// Columns of the rows: features in the order of the definition, then what the store adds.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// Rows there are, those in the outbox too.
    pub total: u64,
    /// Differs once places may mean other rows.
    pub edition: u64,
}

/// Which rows, in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowQuery {
    /// A condition in SQL.
    pub condition: Option<String>,
    /// The column that orders them, and whether the greatest come first.
    pub order: Option<(String, bool)>,
}

impl FeatureStore {
    /// Rows of a group's history from a place on, counted from 0, at most so many.
    ///
    /// # Errors
    /// `Invalid` for a group without a history, `Conflict` if its files were compacted away meanwhile.
    pub async fn rows_at(&self, group: &str, from: u64, limit: usize) -> Result<RowStretch> {
        let group = self.group_with_rows(group).await?;
        if group.is_external() {
            let external = self.inner.offline.external(&group).await?;
            let schema = shown(external.schema(), &group);
            let edition = edition(external.files().iter().map(|file| (&file.path, file.object.size, file.object.last_modified)));
            let columns = schema.clone();
            let RowWindow { total, batches } = blocking(move || external.window(&columns, from, limit)).await?;
            return Ok(RowStretch { schema, batches, total, edition });
        }
        let (scan, snapshot) = self.open_scan_and_snapshot(&group).await?;
        let schema = shown(&scan.schema, &group);
        let edition = snapshot.as_ref().map_or(0, |snapshot| snapshot.version() + 1);
        let mut window = match snapshot {
            Some(snapshot) => self.window_of(snapshot, schema.clone(), from, limit).await?,
            None => RowWindow { total: 0, batches: Vec::new() },
        };
        add_waiting(&mut window, &scan.unflushed, &schema, from, limit)?;
        let schema = shown_schema(&group.schema, &schema);
        let named = |batch: RecordBatch| {
            RecordBatch::try_new(schema.clone(), batch.columns().to_vec())
                .map_err(|error| Error::internal("rows can't bear the names of their features").source(error))
        };
        let batches = window.batches.into_iter().map(named).collect::<Result<_>>()?;
        Ok(RowStretch { schema, batches, total: window.total, edition })
    }

    async fn window_of(&self, snapshot: TableSnapshot, schema: SchemaRef, from: u64, limit: usize) -> Result<RowWindow> {
        let store = self.clone();
        blocking(move || store.inner.offline.window(&snapshot, &schema, from, limit)).await
    }

    /// Rows of a group that a condition leaves, in an order, at most so many.
    ///
    /// # Errors
    /// `Invalid` for a group without a history, `Usage` for a condition that can't be read.
    pub async fn rows_where(&self, group: &str, query: &RowQuery, limit: u64) -> Result<QueryStream> {
        let group = self.group_with_rows(group).await?;
        let mut sql = format!("SELECT * FROM {}", quoted(group.name.as_str()));
        if let Some(condition) = &query.condition {
            // The line break ends a comment that the condition may end in.
            sql.push_str(&format!(" WHERE ({condition}\n)"));
        }
        if let Some((column, descending)) = &query.order {
            let way = if *descending { "DESC" } else { "ASC" };
            sql.push_str(&format!(" ORDER BY {} {way} NULLS LAST", quoted(column)));
        }
        self.own_query(&format!("{sql} LIMIT {limit}")).await
    }

    async fn group_with_rows(&self, name: &str) -> Result<Arc<FeatureGroup>> {
        let group = self.group(name).await?;
        if group.offline.is_none() {
            return Err(Error::invalid(format!("'{name}' keeps no history"))
                .why("it has no offline store")
                .remedy("look a record up instead"));
        }
        Ok(group)
    }
}

/// The columns that are shown: all but the hidden one; of an external group its features.
fn shown(schema: &SchemaRef, group: &FeatureGroup) -> SchemaRef {
    let is_feature = |name: &str| group.schema.features().iter().any(|feature| feature.name.as_str().eq_ignore_ascii_case(name));
    let is_shown = |name: &str| if group.is_external() { is_feature(name) } else { name != EVENT_TIME };
    let fields: Fields = schema.fields().iter().filter(|field| is_shown(field.name())).cloned().collect();
    Arc::new(Schema::new(fields))
}

/// Adds the rows of the outbox that the window reaches into.
fn add_waiting(window: &mut RowWindow, waiting: &RecordBatch, schema: &SchemaRef, from: u64, limit: usize) -> Result<()> {
    let (start, rows) = (window.total, waiting.num_rows() as u64);
    window.total += rows;
    let read: usize = window.batches.iter().map(RecordBatch::num_rows).sum();
    let skip = from.saturating_sub(start).min(rows);
    let taken = (rows - skip).min((limit - read.min(limit)) as u64);
    let reaches = from.saturating_add(limit as u64) > start;
    if taken > 0 && reaches {
        let fault = |error| Error::internal("rows of the outbox don't have the columns of the table").source(error);
        let places: Vec<usize> = schema
            .fields()
            .iter()
            .map(|field| waiting.schema_ref().index_of(field.name()))
            .collect::<std::result::Result<_, _>>()
            .map_err(fault)?;
        let batch = waiting.project(&places).map_err(fault)?;
        window.batches.push(batch.slice(usize::try_from(skip).unwrap_or(0), usize::try_from(taken).unwrap_or(0)));
    }
    Ok(())
}

fn edition(files: impl Iterator<Item = impl Hash>) -> u64 {
    let mut hasher = DefaultHasher::new();
    files.for_each(|file| file.hash(&mut hasher));
    hasher.finish()
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal("reading rows stopped").source(error))?
}
