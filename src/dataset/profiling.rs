//! Profiles of files: what `stats` reads where nobody caught the rows on their way.
//!
//! One row group is one task; each thread has a profile of its own, and they are merged at the end. All features are read,
//! and nothing of our own columns but event time and delete marker.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::FieldRef;
use tokio::runtime::Handle;

use super::GroupScan;
use super::instants::{holds_instants, instants};
use super::point_in_time::JoinWatch;
use super::point_in_time::file::{GroupFile, Objects, Wanted};
use super::point_in_time::parallel::in_parallel;
use super::scan::position_of;
use crate::backend::offline::columns::{EVENT_TIME, IS_DELETED};
use crate::model::{Error, Result};
use crate::statistics::ColumnKind;
use crate::statistics::windows::{Rows, RowsProfile};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 16_384;

/// The columns of a group that a profile is of, and where in its rows they stand.
#[derive(Debug, Clone)]
pub struct ProfiledColumns {
    kinds: Vec<ColumnKind>,
    wanted: Vec<FieldRef>,
    event_time: Option<usize>,
    deleted: Option<usize>,
}

impl ProfiledColumns {
    /// All features of a group, in definition order.
    ///
    /// # Errors
    /// `Invalid` for a column whose type has no statistics, which files read in place may have.
    pub fn of(scan: &GroupScan) -> Result<Self> {
        let mut wanted: Vec<FieldRef> = Vec::new();
        let mut kinds = Vec::new();
        for feature in scan.group.schema.features() {
            let name = feature.column().as_str();
            let position = position_of(&scan.schema, name)
                .ok_or_else(|| Error::invalid(format!("the files of '{}' have no column '{name}'", scan.group.name)))?;
            let field = scan.schema.fields()[position].clone();
            kinds.push(ColumnKind::of(field.data_type()).map_err(|error| error.within(name))?);
            wanted.push(field);
        }
        let features = wanted.len();
        let named = |name: &str| position_of(&scan.schema, name).map(|position| scan.schema.fields()[position].clone());
        let event_time = match named(EVENT_TIME) {
            Some(field) => {
                wanted.push(field);
                Some(features)
            }
            // Files read in place have the event time as they have it.
            None => {
                let name = scan.group.schema.event_time().column().as_str();
                wanted.iter().position(|field| field.name().eq_ignore_ascii_case(name)).filter(|at| holds_instants(wanted[*at].data_type()))
            }
        };
        let deleted = named(IS_DELETED).filter(|_| !scan.group.is_external()).map(|field| {
            wanted.push(field);
            wanted.len() - 1
        });
        Ok(Self { kinds, wanted, event_time, deleted })
    }

    /// Columns of files by their names, without regard to days and delete markers.
    pub fn named(scan: &GroupScan, names: &[&str]) -> Result<Self> {
        let mut wanted: Vec<FieldRef> = Vec::new();
        let mut kinds = Vec::new();
        for name in names {
            let position = position_of(&scan.schema, name).ok_or_else(|| Error::invalid(format!("the files have no column '{name}'")))?;
            let field = scan.schema.fields()[position].clone();
            kinds.push(ColumnKind::of(field.data_type()).map_err(|error| error.within(name))?);
            wanted.push(field);
        }
        Ok(Self { kinds, wanted, event_time: None, deleted: None })
    }

    /// How each feature is profiled.
    pub fn kinds(&self) -> &[ColumnKind] {
        &self.kinds
    }

    /// A profile of no rows.
    pub fn empty(&self) -> RowsProfile {
        RowsProfile::new(&self.kinds)
    }

    /// Takes in rows that have these columns by name, in any order.
    pub fn add(&self, profile: &mut RowsProfile, batch: &RecordBatch) -> Result<()> {
        let columns: Vec<Option<ArrayRef>> = self
            .wanted
            .iter()
            .map(|field| position_of(&batch.schema(), field.name()).map(|position| batch.column(position).clone()))
            .collect();
        self.add_columns(profile, &columns, batch.num_rows())
    }

    fn add_columns(&self, profile: &mut RowsProfile, columns: &[Option<ArrayRef>], rows: usize) -> Result<()> {
        let event_times: Option<Int64Array> = match self.event_time.and_then(|at| columns[at].as_ref()) {
            Some(times) => {
                Some(instants(times).map_err(|error| Error::internal("event times are of no type that holds times").source(error))?.micros)
            }
            None => None,
        };
        let deleted = self.deleted.and_then(|at| columns[at].as_ref()).and_then(|deleted| deleted.as_boolean_opt());
        profile.update(&Rows { columns: &columns[..self.kinds.len()], event_times: event_times.as_ref(), deleted, len: rows })
    }
}

/// Reads files of a snapshot, by their numbers in it. Blocks; `watch` sees the rows and stops it.
pub fn profile_files(
    scan: &GroupScan,
    columns: &ProfiledColumns,
    files: &[usize],
    threads: usize,
    runtime: Handle,
    watch: &JoinWatch,
) -> Result<RowsProfile> {
    let objects = Objects { store: scan.store.clone(), runtime };
    let chosen: Vec<_> = files.iter().filter_map(|number| scan.files.get(*number)).collect();
    let opened = in_parallel(threads, chosen.len(), watch, Vec::new, |opened: &mut Vec<Arc<GroupFile>>, task| {
        opened.push(Arc::new(GroupFile::open(&objects, chosen[task].object())?));
        Ok(())
    })?;
    let tasks: Vec<(Arc<GroupFile>, usize)> =
        opened.into_iter().flatten().flat_map(|file| (0..file.row_groups()).map(move |group| (file.clone(), group))).collect();
    let rows: u64 = tasks.iter().map(|(file, group)| file.rows(*group)).map(|rows| rows.end - rows.start).sum();
    watch.rows_to_read.store(rows, std::sync::atomic::Ordering::Relaxed);
    let wanted: Vec<Wanted> = columns.wanted.iter().map(|field| Wanted { field: field.clone() }).collect();
    let profiles = in_parallel(
        threads,
        tasks.len(),
        watch,
        || columns.empty(),
        |profile, task| {
            let (file, row_group) = &tasks[task];
            for batch in file.read(&wanted, *row_group, None, BATCH_ROWS)? {
                watch.check()?;
                let batch = batch?;
                let arrays: Vec<Option<ArrayRef>> = batch.columns().iter().cloned().map(Some).collect();
                columns.add_columns(profile, &arrays, batch.num_rows())?;
                watch.rows_read.fetch_add(batch.num_rows() as u64, std::sync::atomic::Ordering::Relaxed);
            }
            Ok(())
        },
    )?;
    let mut whole = columns.empty();
    for profile in &profiles {
        whole.merge(profile)?;
    }
    Ok(whole)
}
