//! The doctor: checks a store's promises and says what is broken. Changes nothing.
//!
//! These are the invariants that crash tests check too, by this same function: every acknowledged record is in
//! the history exactly once or waits in the outbox; the online row is the newest of history and outbox; Delta
//! versions are contiguous and every file they name is there, whole; marks only ever rise; nothing at or below
//! a mark waits. A group that ever took a write for one store only, or a hard delete, can't be held to the
//! comparison of its stores, and is told so.

use std::collections::HashMap;
use std::ops::ControlFlow;

use rand::seq::IteratorRandom;

use super::FeatureStore;
use crate::backend::offline::{Predicate, RowReader, columns};
use crate::catalog::{RunKind, RunState};
use crate::ingest::drain::{drain_mark_name, offline_row};
use crate::model::{Arrival, Error, ErrorKind, EventTime, FeatureGroup, GroupStatus, Result, is_newer};

/// Problems listed for one check; the rest is counted.
const MAX_PROBLEMS: usize = 20;

/// Identifiers of one look-up.
const LOOKED_UP: usize = 512;

const ONLINE_IS_NEWEST: &str = "online is the newest of the history";

/// Name of the check that no load was left half done.
pub const LOADS_ARE_FINISHED: &str = "loads are finished";

/// One promise, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The group it is about; none for the store as a whole.
    pub group: Option<String>,
    /// What was checked, in a few words.
    pub name: &'static str,
    /// What was looked at: `1,250 rows`, or why it could not be checked.
    pub scope: String,
    /// What is broken; empty if the promise holds.
    pub problems: Vec<String>,
}

/// All checks of a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DoctorReport {
    /// In the order they were made.
    pub checks: Vec<Check>,
}

impl DoctorReport {
    /// True if every promise holds.
    pub fn is_healthy(&self) -> bool {
        self.checks.iter().all(|check| check.problems.is_empty())
    }

    fn add(&mut self, group: Option<&FeatureGroup>, name: &'static str, scope: impl Into<String>, mut problems: Vec<String>) {
        if problems.len() > MAX_PROBLEMS {
            let more = problems.len() - MAX_PROBLEMS;
            problems.truncate(MAX_PROBLEMS);
            problems.push(format!("and {more} more"));
        }
        self.checks.push(Check { group: group.map(|group| group.name.to_string()), name, scope: scope.into(), problems });
    }
}

/// The newest version of every identifier that history and outbox know, and what reading them showed.
#[derive(Default)]
struct Newest {
    by_identifier: HashMap<String, (EventTime, Arrival, bool)>,
    rows: u64,
    problems: Vec<String>,
}

impl Newest {
    fn add(&mut self, identifier: String, version: (EventTime, Arrival), is_deleted: bool) {
        self.rows += 1;
        let entry = self.by_identifier.entry(identifier).or_insert((version.0, version.1, is_deleted));
        if is_newer(version, (entry.0, entry.1)) {
            *entry = (version.0, version.1, is_deleted);
        }
    }
}

impl FeatureStore {
    /// Checks everything. Takes as long as reading the store once; other processes may go on meanwhile.
    pub async fn doctor(&self) -> Result<DoctorReport> {
        let mut report = DoctorReport::default();
        let integrity = self.inner.catalog.check_integrity().await?;
        report.add(None, "catalog is sound", self.inner.catalog.path().display().to_string(), integrity);
        let groups = self.list_groups().await?;
        self.check_backlog(&groups, &mut report)?;
        self.check_cache(&mut report).await?;
        self.check_datasets(&mut report).await?;
        for group in &groups {
            self.check_definition(group, &mut report).await?;
            if group.is_external() {
                continue;
            }
            if group.keeps_history() {
                self.check_table(group, &mut report).await?;
            }
            let has_open_load = self.check_loads(group, &mut report).await?;
            let (store, definition) = (self.clone(), group.clone());
            let runtime = tokio::runtime::Handle::current();
            let checks = tokio::task::spawn_blocking(move || store.check_records(&runtime, &definition, has_open_load));
            report.checks.extend(checks.await.map_err(|error| Error::internal("a check stopped").source(error))??.checks);
        }
        Ok(report)
    }

    fn check_backlog(&self, groups: &[FeatureGroup], report: &mut DoctorReport) -> Result<()> {
        let mut problems = Vec::new();
        let backlog = self.inner.online.backlog()?;
        for (id, counts) in &backlog {
            if !groups.iter().any(|group| group.id == *id) {
                problems.push(format!("{} records wait in the outbox of a group that is gone ({id})", counts.outbox_rows));
            }
        }
        let waiting: u64 = backlog.iter().map(|(_, counts)| counts.outbox_rows).sum();
        report.add(None, "outbox belongs to groups", format!("{waiting} records wait"), problems);
        Ok(())
    }

    /// Pieces of the bucket's files on this machine: whoever adds them sees to it that they stay near their limit.
    async fn check_cache(&self, report: &mut DoctorReport) -> Result<()> {
        let offline = self.inner.offline.clone();
        let found = tokio::task::spawn_blocking(move || offline.cache_use()).await;
        let Some(kept) = found.map_err(|error| Error::internal("looking at kept pieces stopped").source(error))? else { return Ok(()) };
        let mebibytes = |bytes: u64| bytes.div_ceil(1 << 20);
        let mut problems = Vec::new();
        if kept.bytes > kept.limit.saturating_mul(2) {
            problems.push("they take twice what they may: remove the folder cache in the store's folder".to_owned());
        }
        let scope = format!("{} pieces, {} of at most {} MiB", kept.pieces, mebibytes(kept.bytes), mebibytes(kept.limit));
        report.add(None, "kept pieces of files are within their limit", scope, problems);
        Ok(())
    }

    async fn check_datasets(&self, report: &mut DoctorReport) -> Result<()> {
        let datasets = self.list_datasets(true).await?;
        let mut problems = Vec::new();
        for dataset in &datasets {
            let label = format!("{}@{}", dataset.name, dataset.version);
            match self.kept_manifest(&dataset.name, dataset.version).await {
                Ok(true) => {}
                Ok(false) => problems.push(format!("{label}: the manifest in the store's folder differs from the catalog")),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    problems.push(format!("{label} has no manifest in the store's folder: a lost catalog could not be rebuilt"));
                }
                Err(error) => problems.push(error.to_string()),
            }
        }
        report.add(None, "manifests of training datasets are kept", format!("{} datasets", datasets.len()), problems);
        Ok(())
    }

    async fn check_definition(&self, group: &FeatureGroup, report: &mut DoctorReport) -> Result<()> {
        let mut problems = Vec::new();
        if group.status != GroupStatus::Created {
            problems.push(format!("its status is {}", group.status));
        }
        match self.inner.offline.read_definition(group).await {
            Ok(Some(kept)) if kept == *group => {}
            Ok(Some(_)) => problems.push("the definition beside the data differs from the catalog".into()),
            Ok(None) => problems.push("there is no definition beside the data: a lost catalog could not be rebuilt".into()),
            Err(error) => problems.push(error.to_string()),
        }
        report.add(Some(group), "definition lies beside the data", format!("{} features", group.schema.len()), problems);
        Ok(())
    }

    async fn check_table(&self, group: &FeatureGroup, report: &mut DoctorReport) -> Result<()> {
        let checked = self.inner.offline.check(group).await?;
        report.add(Some(group), "files are whole and named by the log", checked.scope, checked.problems);
        let mark = match self.inner.offline.snapshot(group).await {
            Ok(snapshot) => snapshot.mark(&drain_mark_name(self.inner.online.as_ref())).unwrap_or(0),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let trimmed = self.inner.online.trim_mark(group.id)?;
        let mut problems = Vec::new();
        if trimmed.0 > mark {
            problems.push(format!("the outbox was trimmed up to {} but the table's mark is {mark}: rows between are lost", trimmed.0));
        }
        let mut stale = 0;
        self.inner.online.outbox(group.id, Arrival(0), &mut |row| {
            stale += u64::from(row.arrival() <= trimmed);
            Ok(if row.arrival() <= trimmed { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        if stale > 0 {
            problems.push(format!("{stale} records wait although they are in the history"));
        }
        report.add(Some(group), "mark and outbox agree", format!("mark {mark}"), problems);
        Ok(())
    }

    /// Tells loads that were begun and not ended. Returns true if there are any: the history may then be ahead of the online store.
    async fn check_loads(&self, group: &FeatureGroup, report: &mut DoctorReport) -> Result<bool> {
        let mut problems = Vec::new();
        let mut is_open = false;
        for run in self.inner.catalog.runs(1_000).await? {
            if run.kind != RunKind::Load || run.group.as_ref() != Some(&group.id) {
                continue;
            }
            is_open |= matches!(run.state, RunState::Running | RunState::Interrupted);
            if run.state == RunState::Interrupted || (run.state == RunState::Running && !run.process.may_be_alive()) {
                problems.push(format!("the load of {} was interrupted; the same `larder ingest` again finishes it", run.started));
            }
        }
        report.add(Some(group), LOADS_ARE_FINISHED, if is_open { "some are open" } else { "none is open" }, problems);
        Ok(is_open)
    }

    /// Reads every online row, every outbox entry and the whole history, and compares them.
    fn check_records(&self, runtime: &tokio::runtime::Handle, group: &FeatureGroup, has_open_load: bool) -> Result<DoctorReport> {
        let mut report = DoctorReport::default();
        let online = self.inner.online.as_ref();
        // Online first: what is written meanwhile can only make the history look newer, and those are looked up again.
        let (mut standing, mut tombstones) = (HashMap::new(), 0u64);
        let mut problems = Vec::new();
        let scanned = online.scan(group.id, None, &mut |row| {
            tombstones += u64::from(row.is_tombstone());
            if row.width() > group.schema.width() {
                problems.push(format!("'{}' has more features than the group", row.identifier().escape_debug()));
            }
            standing.insert(row.identifier().to_owned(), (row.event_time(), row.arrival(), row.is_tombstone()));
            Ok(ControlFlow::Continue(()))
        });
        if let Err(error) = scanned {
            problems.push(error.to_string());
        }
        report.add(Some(group), "online rows are readable", format!("{} rows, {tombstones} of them tombstones", standing.len()), problems);
        if !group.keeps_history() {
            return Ok(report);
        }
        let newest = self.newest_in_history(runtime, group)?;
        report.add(
            Some(group),
            "history and outbox are readable, each record once",
            format!("{} rows", newest.rows),
            newest.problems.clone(),
        );
        if group.online.is_none() {
            return Ok(report);
        }
        if let Some(why) = self.incomparable(group, has_open_load)? {
            report.add(Some(group), ONLINE_IS_NEWEST, why, Vec::new());
            return Ok(report);
        }
        self.compare(group, &newest, standing, None, &mut report)?;
        Ok(report)
    }

    /// Checks only that the online store is the newest of the history: of all records, or of so many that are drawn.
    pub async fn doctor_online(&self, sample: Option<usize>) -> Result<DoctorReport> {
        let mut report = DoctorReport::default();
        if let Some(status) = self.redis_status().await? {
            let mut problems: Vec<String> = status.why.map(|why| format!("it does not answer: {why}")).into_iter().collect();
            problems.extend(status.evicting.iter().map(|server| format!("{server} may throw records away when memory runs short")));
            let is_away = status.shape.is_none();
            report.add(None, "Redis answers and keeps what it is given", format!("{}, {} waiting", status.url, status.waiting), problems);
            if is_away {
                return Ok(report);
            }
        }
        for group in self.list_groups().await? {
            if group.online.is_none() || !group.keeps_history() {
                continue;
            }
            let has_open_load = self.check_loads(&group, &mut report).await?;
            let store = self.clone();
            let runtime = tokio::runtime::Handle::current();
            let checks = tokio::task::spawn_blocking(move || match sample {
                None => store.check_records(&runtime, &group, has_open_load),
                Some(sample) => store.check_sample(&runtime, &group, has_open_load, sample),
            });
            report.checks.extend(checks.await.map_err(|error| Error::internal("a check stopped").source(error))??.checks);
        }
        Ok(report)
    }

    fn check_sample(
        &self,
        runtime: &tokio::runtime::Handle,
        group: &FeatureGroup,
        has_open_load: bool,
        sample: usize,
    ) -> Result<DoctorReport> {
        let mut report = DoctorReport::default();
        if let Some(why) = self.incomparable(group, has_open_load)? {
            report.add(Some(group), ONLINE_IS_NEWEST, why, Vec::new());
            return Ok(report);
        }
        // Online first, as in the whole comparison.
        let mut standing = HashMap::new();
        self.inner.online.scan(group.id, None, &mut |row| {
            standing.insert(row.identifier().to_owned(), (row.event_time(), row.arrival(), row.is_tombstone()));
            Ok(if standing.len() < sample { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        let newest = self.newest_in_history(runtime, group)?;
        report.add(
            Some(group),
            "history and outbox are readable, each record once",
            format!("{} rows", newest.rows),
            newest.problems.clone(),
        );
        self.compare(group, &newest, standing, Some(sample), &mut report)?;
        Ok(report)
    }

    /// Why the two stores of a group can't be held against each other, if so.
    fn incomparable(&self, group: &FeatureGroup, has_open_load: bool) -> Result<Option<&'static str>> {
        Ok(if self.inner.online.counts(group.id)?.one_sided {
            Some("not compared: some writes went to one store only, or were hard deletes")
        } else if has_open_load {
            Some("not compared: a load is not finished")
        } else {
            None
        })
    }

    /// Holds what stands online against the newest of the history; of a sample both are parts.
    fn compare(
        &self,
        group: &FeatureGroup,
        newest: &Newest,
        mut standing: HashMap<String, (EventTime, Arrival, bool)>,
        sample: Option<usize>,
        report: &mut DoctorReport,
    ) -> Result<()> {
        let online = self.inner.online.as_ref();
        let forgets = online.elsewhere().map(|redis| redis.may_have_forgotten(group.id)).transpose()?.unwrap_or(false);
        let chosen: Vec<&String> = match sample {
            None => newest.by_identifier.keys().collect(),
            Some(sample) => newest.by_identifier.keys().choose_multiple(&mut rand::rng(), sample),
        };
        let differs = |identifier: &str, found: Option<(EventTime, Arrival, bool)>| found != newest.by_identifier.get(identifier).copied();
        let doubtful: Vec<&str> = chosen
            .iter()
            .map(|identifier| identifier.as_str())
            .filter(|identifier| differs(identifier, standing.get(*identifier).copied()))
            .collect();
        // Written since the scan, or not part of it?
        let mut problems = Vec::new();
        for portion in doubtful.chunks(LOOKED_UP) {
            online.read_many(group.id, portion, &mut |place, row| match row {
                Ok(Some(row)) => {
                    standing.insert(portion[place].to_owned(), (row.event_time(), row.arrival(), row.is_tombstone()));
                }
                Ok(None) => {}
                Err(error) => problems.push(error.to_string()),
            });
        }
        let mut forgotten = 0u64;
        for identifier in &chosen {
            let Some(expected) = newest.by_identifier.get(*identifier) else { continue };
            match standing.remove(*identifier) {
                Some(found) if found == *expected || is_newer((found.0, found.1), (expected.0, expected.1)) => {}
                Some(found) => {
                    problems.push(format!("'{}' stands at {} online, the history has {}", identifier.escape_debug(), found.0, expected.0));
                }
                None if forgets && !expected.2 => forgotten += 1,
                None => problems.push(format!("'{}' is missing online, the history has {}", identifier.escape_debug(), expected.0)),
            }
        }
        standing.retain(|identifier, _| !newest.by_identifier.contains_key(identifier));
        let mut scope = match sample {
            None => format!("{} identifiers", newest.by_identifier.len()),
            Some(_) => format!("{} of {} identifiers", chosen.len(), newest.by_identifier.len()),
        };
        if forgotten > 0 {
            scope.push_str(&format!(", {forgotten} of them expired and gone"));
        }
        if online.elsewhere().is_some() {
            // Records of other servers that share the online store become history when those drain.
            if !standing.is_empty() {
                scope.push_str(&format!(", {} more in no history yet", standing.len()));
            }
        } else {
            problems.extend(standing.keys().map(|identifier| format!("'{}' is online but in no history", identifier.escape_debug())));
        }
        report.add(Some(group), ONLINE_IS_NEWEST, scope, problems);
        Ok(())
    }

    fn newest_in_history(&self, runtime: &tokio::runtime::Handle, group: &FeatureGroup) -> Result<Newest> {
        let mut newest = Newest::default();
        let online = self.inner.online.as_ref();
        let mut waiting = Vec::new();
        online.outbox(group.id, Arrival(0), &mut |row| {
            match offline_row(&group.schema, row) {
                Ok(row) => waiting.push((row.identifier, (row.event_time, row.arrival), row.is_deleted)),
                Err(error) => newest.problems.push(error.to_string()),
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let mut mark = Arrival(0);
        let mut drained = std::collections::HashSet::new();
        match runtime.block_on(self.inner.offline.snapshot(group)) {
            Ok(snapshot) => {
                mark = Arrival(snapshot.mark(&drain_mark_name(online)).unwrap_or(0));
                let names = [
                    group.schema.identifier().column().to_string(),
                    group.schema.event_time().column().to_string(),
                    columns::WRITE_TIME.to_owned(),
                    columns::API_INVOCATION_TIME.to_owned(),
                    columns::IS_DELETED.to_owned(),
                ];
                for part in self.inner.offline.scan(&snapshot, Some(&names), &Predicate::default())? {
                    let part = match part {
                        Ok(part) => part,
                        Err(error) => {
                            newest.problems.push(error.to_string());
                            continue;
                        }
                    };
                    let reader = RowReader::new(&group.schema, &part.batch);
                    for row in 0..part.batch.num_rows() {
                        let (identifier, write_time) = (reader.identifier(row)?, reader.write_time(row));
                        // A put has a write time of its own; rows of a bulk load share their file's.
                        if write_time == reader.api_invocation_time(row) && !drained.insert((write_time, identifier.clone())) {
                            newest.doubled(&identifier, write_time, &part.file);
                        }
                        newest.add(identifier, (reader.event_time(row)?, write_time), reader.is_deleted(row));
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        for (identifier, version, is_deleted) in waiting.into_iter().filter(|(_, version, _)| version.1 > mark) {
            newest.add(identifier, version, is_deleted);
        }
        Ok(newest)
    }
}

impl Newest {
    fn doubled(&mut self, identifier: &str, write_time: Arrival, file: &str) {
        self.problems.push(format!("'{}' of {} is in the history twice, again in {file}", identifier.escape_debug(), write_time.time()));
    }
}
