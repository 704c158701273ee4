//! Where the online rows lie: in the folder, or in a Redis that other stores share; and filling an online store from the history.
//!
//! A folder whose rows went to Redis once remembers it (`online-store`), so that a command without the setting does not read and write
//! the folder's own, old rows instead.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::Path;

use super::FeatureStore;
use super::settings::Settings;
use crate::backend::offline::{Predicate, RowReader};
pub use crate::backend::online::redis::RedisStatus;
use crate::backend::online::{LoadedRow, RowWriter};
use crate::ingest::drain::{drain_mark_name, offline_row};
use crate::model::{Arrival, Error, ErrorKind, EventTime, FeatureGroup, FeatureValue, Record, Result, is_newer};

/// File in the store's folder with the URL of its Redis.
const BOUND: &str = "online-store";
/// Rows of one load.
const PORTION: usize = 8_192;

/// What a rebuild did for one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RebuildReport {
    /// The group.
    pub group: String,
    /// Rows of the history that were read.
    pub rows: u64,
    /// Rows that were newer than what stood online.
    pub restored: u64,
}

/// Remembers that a folder's online rows lie in Redis.
///
/// # Errors
/// `Usage` if they do and the settings name none.
pub(super) fn bind(folder: &Path, settings: &Settings, read_only: bool) -> Result<()> {
    let path = folder.join(BOUND);
    let bound = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text.trim().to_owned()),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => None,
        Err(error) => return Err(Error::io(format!("can't read {}", path.display()), error)),
    };
    match (&settings.redis, bound) {
        (None, Some(url)) => Err(Error::usage(format!("the store {} has its online records in {url}", folder.display()))
            .why("online.url names nothing")
            .remedy(format!(
                "set online.url or LARDER_ONLINE_URL; to keep them in the folder, remove {} and run `larder online rebuild`",
                path.display()
            ))),
        (Some(redis), bound) if !read_only && bound.as_deref() != Some(&redis.url.to_string()) => {
            std::fs::write(&path, format!("{}\n", redis.url))
                .and_then(|()| std::fs::File::open(&path)?.sync_all())
                .map_err(|error| Error::io(format!("can't write {}", path.display()), error))
        }
        _ => Ok(()),
    }
}

/// Gathers rows, and keeps the newest of each identifier, until there are enough for a load.
struct Portion<'a> {
    store: &'a FeatureStore,
    group: &'a FeatureGroup,
    newest: HashMap<String, ((EventTime, Arrival), Vec<u8>)>,
    report: RebuildReport,
}

impl Portion<'_> {
    fn add(&mut self, record: Record, expires_at: Option<EventTime>, is_deleted: bool, arrival: Arrival) -> Result<()> {
        self.report.rows += 1;
        let version = (record.event_time, arrival);
        if self.newest.get(&record.identifier).is_some_and(|(standing, _)| !is_newer(version, *standing)) {
            return Ok(());
        }
        let record = record.in_slots(&self.group.schema);
        let row = RowWriter::of_record(&record, expires_at, is_deleted).stamp(arrival);
        self.newest.insert(record.identifier, (version, row));
        if self.newest.len() >= PORTION { self.load() } else { Ok(()) }
    }

    fn load(&mut self) -> Result<()> {
        let rows: Vec<LoadedRow> = self.newest.drain().map(|(identifier, (_, bytes))| LoadedRow { identifier, bytes }).collect();
        if !rows.is_empty() {
            self.report.restored += self.store.inner.online.load(self.group.id, &rows)?;
        }
        Ok(())
    }
}

impl FeatureStore {
    /// What the Redis that holds the online rows says of itself; none if they lie in the folder.
    pub async fn redis_status(&self) -> Result<Option<RedisStatus>> {
        let online = self.inner.online.clone();
        tokio::task::spawn_blocking(move || online.elsewhere().map(|redis| redis.status()).transpose())
            .await
            .map_err(|error| Error::internal("asking Redis stopped").source(error))?
    }

    /// Sends writes that wait for the online store; returns how many still wait.
    pub async fn send_waiting(&self) -> Result<u64> {
        if self.inner.read_only {
            return Ok(0);
        }
        let online = self.inner.online.clone();
        tokio::task::spawn_blocking(move || online.elsewhere().map_or(Ok(0), |redis| redis.replay()))
            .await
            .map_err(|error| Error::internal("sending what waits stopped").source(error))?
    }

    /// Fills the online store from the history of the named groups, or of all. What is online and newer stays; doing it again changes
    /// nothing. A record's own ttl is in no history: rows get that of their group.
    pub async fn rebuild_online(&self, names: &[String]) -> Result<Vec<RebuildReport>> {
        self.check_writable()?;
        let mut chosen = Vec::new();
        if names.is_empty() {
            chosen.extend(self.list_groups().await?.into_iter().filter(|group| group.online.is_some() && group.keeps_history()));
        }
        for name in names {
            let group = self.group(name).await?;
            if group.online.is_none() || !group.keeps_history() {
                let lacks = if group.online.is_none() { "online store" } else { "history" };
                return Err(Error::invalid(format!("'{}' can't be rebuilt", group.name)).why(format!("it has no {lacks}")));
            }
            chosen.push(group.as_ref().clone());
        }
        let mut reports = Vec::with_capacity(chosen.len());
        for group in chosen {
            let store = self.clone();
            let runtime = tokio::runtime::Handle::current();
            let rebuilt = tokio::task::spawn_blocking(move || store.rebuild_group(&runtime, &group));
            reports.push(rebuilt.await.map_err(|error| Error::internal("the rebuild stopped").source(error))??);
        }
        Ok(reports)
    }

    fn rebuild_group(&self, runtime: &tokio::runtime::Handle, group: &FeatureGroup) -> Result<RebuildReport> {
        let expiry = |event_time: EventTime, is_deleted: bool| group.ttl().filter(|_| !is_deleted).map(|ttl| ttl.expiry(event_time));
        let report = RebuildReport { group: group.name.to_string(), rows: 0, restored: 0 };
        let mut portion = Portion { store: self, group, newest: HashMap::new(), report };
        // Outbox first, files second: what a drain moves in between is seen twice, which changes nothing.
        let mut waiting = Vec::new();
        self.inner.online.outbox(group.id, Arrival(0), &mut |row| {
            waiting.push((offline_row(&group.schema, row)?, row.expires_at()));
            Ok(ControlFlow::Continue(()))
        })?;
        let mut mark = Arrival(0);
        match runtime.block_on(self.inner.offline.snapshot(group)) {
            Ok(snapshot) => {
                mark = Arrival(snapshot.mark(&drain_mark_name(self.inner.online.as_ref())).unwrap_or(0));
                for part in self.inner.offline.scan(&snapshot, None, &Predicate::default())? {
                    let part = part?;
                    let reader = RowReader::new(&group.schema, &part.batch);
                    for row in 0..part.batch.num_rows() {
                        let values: Vec<Option<FeatureValue>> = reader.values(row)?;
                        let record = Record { identifier: reader.identifier(row)?, event_time: reader.event_time(row)?, values };
                        let is_deleted = reader.is_deleted(row);
                        let expires_at = expiry(record.event_time, is_deleted);
                        portion.add(record, expires_at, is_deleted, reader.write_time(row))?;
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        for (row, expires_at) in waiting.into_iter().filter(|(row, _)| row.arrival > mark) {
            let record = Record { identifier: row.identifier, event_time: row.event_time, values: row.values };
            portion.add(record, expires_at, row.is_deleted, row.arrival)?;
        }
        portion.load()?;
        Ok(portion.report)
    }
}
