//! What the catalog knows of a group's rows, and what it lacks: read here where that is little or was asked for.
//!
//! Files that were never profiled are found by their names. A profiled file that is no longer part of the group (somebody
//! compacted without telling, an external folder changed) spoils the sum, which must then be made anew from all files.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::StatisticsWatch;
use super::group::{Standing, StatisticsOptions, rows_of};
use crate::catalog::ProfiledFiles;
use crate::dataset::GroupScan;
use crate::dataset::profiling::{ProfiledColumns, profile_files};
use crate::ingest::captured::Captured;
use crate::model::{Error, EventTime, FeatureGroup, Result};
use crate::statistics::windows::RowsProfile;
use crate::store::FeatureStore;

/// Rows that are read without being asked to, so that statistics are not behind: about a second.
pub(super) const ROWS_READ_UNASKED: u64 = 2_000_000;

/// A group's profile as far as it is known, beside what the catalog has.
pub(super) struct Known {
    pub(super) scan: GroupScan,
    pub(super) columns: ProfiledColumns,
    pub(super) standing: Standing,
    /// Rows to be added to the catalog's: those in no file yet, and those that were read but can't be kept in a store that is
    /// read-only.
    pub(super) loose: Vec<RowsProfile>,
    /// True if the loose rows are all there are, and the catalog's are among them.
    pub(super) is_replaced: bool,
}

impl Known {
    /// Earliest and latest event times of the loose rows.
    pub(super) fn event_times(&self) -> impl Iterator<Item = EventTime> {
        let times = self.loose.iter().filter_map(RowsProfile::event_times);
        times.flat_map(|(oldest, newest)| [oldest, newest]).filter_map(EventTime::from_unix_micros)
    }
}

impl FeatureStore {
    /// Finds what the catalog's profile of a group lacks, and reads it where that is little or was asked for.
    pub(super) async fn known_profile(&self, group: &Arc<FeatureGroup>, options: &StatisticsOptions) -> Result<Known> {
        let scan = self.open_scan(group).await?;
        let columns = ProfiledColumns::of(&scan)?;
        let mut unflushed = columns.empty();
        columns.add(&mut unflushed, &scan.unflushed)?;
        let live: BTreeMap<String, (usize, u64)> =
            scan.files.iter().enumerate().map(|(number, file)| (file.identity(), (number, rows_of(file)))).collect();
        let all_rows: u64 = live.values().map(|(_, rows)| rows).sum();
        let mut profiled = self.inner.catalog.profiled_files(&group.id).await?;
        let is_spoilt = profiled.keys().any(|file| !live.contains_key(file));
        let is_made_anew = options.refresh || is_spoilt && all_rows <= ROWS_READ_UNASKED;
        let mut known = Known { scan, columns, standing: Standing::Fresh, loose: vec![unflushed], is_replaced: false };
        if is_made_anew {
            known.is_replaced = self.inner.read_only;
            profiled = ProfiledFiles::new();
        } else if is_spoilt {
            known.standing = Standing::Stale { files: live.len() as u64, rows: all_rows };
            return Ok(known);
        }
        let missing: BTreeMap<&String, (usize, u64)> =
            live.iter().filter(|(file, _)| !profiled.contains_key(*file)).map(|(file, place)| (file, *place)).collect();
        let rows: u64 = missing.values().map(|(_, rows)| rows).sum();
        if rows > ROWS_READ_UNASKED && !options.refresh {
            known.standing = Standing::Stale { files: missing.len() as u64, rows };
            return Ok(known);
        }
        if is_made_anew && !self.inner.read_only {
            self.inner.catalog.forget_profiles(&group.id).await?;
        }
        if missing.is_empty() {
            return Ok(known);
        }
        let numbers = missing.values().map(|(number, _)| *number).collect();
        let profile = profile_in_parallel(known.scan.clone(), known.columns.clone(), numbers, options.watch.clone()).await?;
        if self.inner.read_only {
            known.loose.push(profile);
        } else {
            let files = missing.into_iter().map(|(file, (_, rows))| (file.clone(), rows)).collect();
            // Not merged means that another process was faster with the same files.
            self.merge_captured(group, Captured { files, profile }).await?;
        }
        Ok(known)
    }
}

/// Reads files of a snapshot on all cores, away from the runtime's workers.
pub(super) async fn profile_in_parallel(
    scan: GroupScan,
    columns: ProfiledColumns,
    files: Vec<usize>,
    watch: StatisticsWatch,
) -> Result<RowsProfile> {
    let runtime = Handle::current();
    let threads = std::thread::available_parallelism().map_or(2, NonZeroUsize::get);
    let read = tokio::task::spawn_blocking(move || profile_files(&scan, &columns, &files, threads, runtime, &watch));
    read.await.map_err(|error| Error::internal("reading for statistics stopped").source(error))?
}
