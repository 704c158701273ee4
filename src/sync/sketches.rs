//! Statistics of groups of other places (`sync --stats sketch`): the values in the files that their sources list, read file by file.
//!
//! ```text
//! files that sync knows - files that are in the profile -> read, two at a time -> merge -> one transaction with the names of the files
//! ```
//! A file counts once, whenever the work is stopped; what is left is read by the next run. A file that was replaced or went away can't
//! be taken out of a profile, so the group's is made anew. The lock of sync is held meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use serde::Serialize;

use super::kinds;
use super::observed::{ObservedGroup, ObservedKind};
use super::options::SyncOptions;
use super::source::{FileProfile, Source, SourceError};
use crate::catalog::{SyncFileRow, SyncGroupRow, SyncProfile, SyncSourceRow};
use crate::model::{ErrorKind, Result};
use crate::store::FeatureStore;
use crate::store::statistics::{ColumnProfile, stored_column};

/// What was read is written at least this often, so that a stop loses little.
const WRITTEN_EACH: Duration = Duration::from_secs(5);
/// How often a stop is looked for.
const GLANCE: Duration = Duration::from_millis(50);

/// What was read of the values in a source's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct SketchReport {
    /// Files that were read.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Files that are still to be read.
    pub files_left: u64,
}

/// How long values may be read.
pub(super) struct SketchBudget<'a> {
    until: Option<Instant>,
    stop: &'a AtomicBool,
}

impl<'a> SketchBudget<'a> {
    /// No file is begun after that time; one that is being read is given up on `stop`.
    pub(super) fn new(time: Duration, stop: &'a AtomicBool) -> Self {
        Self { until: Instant::now().checked_add(time), stop }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.is_stopped() || self.until.is_some_and(|until| Instant::now() >= until)
    }
}

/// Files that could not be read, and why.
pub(super) type Faults = Vec<(String, SourceError)>;

/// Reads what is not yet in the profiles of a source's groups; none for a source without files.
pub(super) async fn of_source(
    store: &FeatureStore,
    row: &SyncSourceRow,
    options: &SyncOptions,
    budget: &SketchBudget<'_>,
) -> Result<Option<(SketchReport, Faults)>> {
    let source = kinds::source((&row.kind, Some(&row.name)), &row.location, &row.options, store)?;
    if !source.holds_values() {
        return Ok(None);
    }
    let (mut report, mut faults) = (SketchReport::default(), Faults::new());
    for group in store.catalog().sync_groups_of(&row.name).await? {
        if group.deleted.is_none() && options.groups.as_ref().is_none_or(|pattern| pattern.matches(&group.name)) {
            options.watch.reads(&row.name, &format!("values of {}", group.name));
            of_group(store, source.as_ref(), &group, false, budget, (&mut report, &mut faults)).await?;
        }
    }
    options.watch.reads_no_more(&row.name);
    Ok(Some((report, faults)))
}

/// Reads what is not yet in the profile of a group, or all of it `anew`.
pub(super) async fn of_group(
    store: &FeatureStore,
    source: &dyn Source,
    group: &SyncGroupRow,
    anew: bool,
    budget: &SketchBudget<'_>,
    (report, faults): (&mut SketchReport, &mut Faults),
) -> Result<()> {
    let (catalog, owner) = (store.catalog(), group.owner());
    let observed = ObservedGroup::from_stored(&group.content)?;
    if observed.kind != ObservedKind::Group {
        return Ok(());
    }
    let files = catalog.sync_files(&group.source, &owner).await?;
    let profiled = catalog.sync_profiled_files(&group.source, &owner).await?;
    let anew = anew || is_spoilt(&files, &profiled);
    let missing: Vec<SyncFileRow> = files.into_iter().filter(|file| anew || !profiled.contains_key(&file.path)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut whole = match catalog.sync_profile(&group.source, &owner).await?.filter(|_| !anew) {
        Some(known) => Whole::from_stored(&known)?,
        None => Whole::default(),
    };
    let cancel = Arc::new(AtomicBool::new(false));
    let (observed, cancelled) = (&observed, &cancel);
    let reads = missing.into_iter().map(|file| async move {
        let read = if budget.is_over() { None } else { Some(source.profile(&file, observed, cancelled.clone()).await) };
        (file, read)
    });
    let at_once = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
    let mut reads = stream::iter(reads).buffered(at_once);
    let (mut added, mut is_first, mut written) = (Vec::new(), true, Instant::now());
    loop {
        let next = tokio::select! {
            next = reads.next() => next,
            () = tokio::time::sleep(GLANCE) => {
                if budget.is_stopped() {
                    cancel.store(true, Ordering::Relaxed);
                }
                continue;
            }
        };
        let is_last = next.is_none();
        match next {
            Some((file, Some(Ok(read)))) => match whole.add(&read) {
                Ok(()) => {
                    added.push((file.path, file.version));
                    report.files += 1;
                    report.rows += read.rows;
                }
                Err(error) => faults.push((file.path, error.into())),
            },
            Some((_, Some(Err(error)))) if error.error.kind() == ErrorKind::Interrupted => report.files_left += 1,
            Some((file, Some(Err(error)))) => faults.push((file.path, error)),
            Some((_, None)) => report.files_left += 1,
            None => {}
        }
        if !added.is_empty() && (is_last || written.elapsed() >= WRITTEN_EACH) {
            let profile = whole.stored(store)?;
            catalog.set_sync_profile((&group.source, &owner), &profile, &added, anew && is_first).await?;
            added.clear();
            (is_first, written) = (false, Instant::now());
        }
        if is_last {
            return Ok(());
        }
    }
}

/// True if a file that is in the profile is gone or was replaced.
pub(super) fn is_spoilt(files: &[SyncFileRow], profiled: &BTreeMap<String, String>) -> bool {
    let live: BTreeMap<&str, &str> = files.iter().map(|file| (file.path.as_str(), file.version.as_str())).collect();
    profiled.iter().any(|(path, version)| live.get(path.as_str()) != Some(&version.as_str()))
}

/// The profile of all files of a group that were read.
#[derive(Default)]
struct Whole {
    rows: u64,
    deleted: u64,
    columns: BTreeMap<String, ColumnProfile>,
}

impl Whole {
    fn from_stored(known: &SyncProfile) -> Result<Self> {
        let mut columns = BTreeMap::new();
        for column in &known.columns {
            columns.insert(column.feature.clone(), ColumnProfile::from_bytes(column.state.as_deref().unwrap_or_default())?);
        }
        Ok(Self { rows: known.rows, deleted: known.deleted, columns })
    }

    /// Adds a file, all of it or nothing. Rows of files without a feature's column have no value of it.
    fn add(&mut self, file: &FileProfile) -> Result<()> {
        let mut columns = self.columns.clone();
        let (alive, earlier) = (file.rows.saturating_sub(file.deleted), self.rows.saturating_sub(self.deleted));
        for (feature, new) in &file.columns {
            match columns.get_mut(feature) {
                Some(known) => known.merge(new).map_err(|error| error.within(feature))?,
                None => {
                    let mut known = new.clone();
                    known.add_nulls(earlier)?;
                    columns.insert(feature.clone(), known);
                }
            }
        }
        for (_, known) in columns.iter_mut().filter(|(feature, _)| !file.columns.contains_key(*feature)) {
            known.add_nulls(alive)?;
        }
        self.columns = columns;
        self.rows += file.rows;
        self.deleted += file.deleted;
        Ok(())
    }

    fn stored(&self, store: &FeatureStore) -> Result<SyncProfile> {
        let columns = self.columns.iter().map(|(feature, state)| stored_column(feature, state)).collect::<Result<_>>()?;
        Ok(SyncProfile { rows: self.rows, deleted: self.deleted, taken: store.now(), columns })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Array, Float64Array, StringArray};

    use super::*;
    use crate::store::statistics::ColumnKind;

    fn file(rows: u64, deleted: u64, columns: &[(&str, ColumnKind, &dyn Array)]) -> FileProfile {
        let profiled = columns.iter().map(|(name, kind, values)| {
            let mut profile = ColumnProfile::new(*kind);
            profile.update(*values).unwrap();
            ((*name).to_owned(), profile)
        });
        FileProfile { rows, deleted, columns: profiled.collect() }
    }

    #[test]
    fn rows_of_files_without_a_column_have_no_value_of_it() {
        let fare = Float64Array::from(vec![Some(1.0), None, Some(3.0)]);
        let tip = Float64Array::from(vec![Some(5.0)]);
        let mut whole = Whole::default();
        whole.add(&file(4, 1, &[("fare", ColumnKind::Fractional, &fare)])).unwrap();
        whole.add(&file(1, 0, &[("tip", ColumnKind::Fractional, &tip)])).unwrap();
        let counts = |name: &str| (whole.columns[name].rows(), whole.columns[name].nulls());
        assert_eq!((whole.rows, counts("fare"), counts("tip")), (5, (4, 2), (4, 3)));
    }

    #[test]
    fn a_file_that_does_not_fit_leaves_nothing_behind() {
        let numbers = Float64Array::from(vec![1.0]);
        let texts = StringArray::from(vec!["x"]);
        let mut whole = Whole::default();
        whole.add(&file(1, 0, &[("a", ColumnKind::Fractional, &numbers), ("b", ColumnKind::Fractional, &numbers)])).unwrap();
        let wrong = file(1, 0, &[("a", ColumnKind::Fractional, &numbers), ("b", ColumnKind::Text, &texts)]);
        assert!(whole.add(&wrong).unwrap_err().to_string().contains('b'));
        assert_eq!((whole.rows, whole.columns["a"].rows()), (1, 1));
    }

    #[test]
    fn a_profile_is_spoilt_once_a_file_of_it_was_replaced_or_went_away() {
        let live = |version: &str| SyncFileRow { path: "a".into(), owner: "g ".into(), version: version.into(), footer: String::new() };
        let profiled = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        assert!(!is_spoilt(&[live("1")], &profiled));
        assert!(is_spoilt(&[live("2")], &profiled));
        assert!(is_spoilt(&[], &profiled));
        assert!(!is_spoilt(&[live("1")], &BTreeMap::new()));
    }
}
