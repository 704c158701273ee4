//! What exists: groups, features, tags, settings, offline summaries, statistics, runs and training datasets, in one SQLite
//! file; and how to find it: a search index over all of them, which each commit brings up to date.
//!
//! The catalog is an index. Every group's definition lies beside its data as well, every dataset's manifest in the
//! store's folder, and a catalog that is lost is rebuilt from there; so nothing may be kept only here except what may be lost: run history,
//! resumable marks, and who changed what.
//!
//! Each process has at most two connections. The first serves reads and is all that `larder get` ever opens. The
//! second is opened by the first change and serves changes only, so that a change which waits for another process
//! delays no read. Since every commit comes from another connection than the reading one, SQLite's `data_version`
//! of the reading one tells of all of them, our own included: see [`Catalog::data_version`].
//!
//! Every change is one `BEGIN IMMEDIATE` transaction that reads what it decides upon inside it. Plain
//! `BEGIN` would let two processes read, and then fail one of them at its first write.

mod audit;
mod connection;
mod datasets;
mod drift;
mod fault;
pub mod fuzzy;
mod group_changes;
mod group_rows;
mod groups;
mod lineage;
mod lineage_entities;
mod lineage_reads;
mod lineage_usage;
pub mod listing;
mod process;
mod profile_rows;
mod profiles;
mod renaming;
mod runs;
pub mod search;
mod settings;
mod summaries;
mod sync;
mod sync_notes;
mod sync_profiles;
mod sync_reports;

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Sqlite, Transaction};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

pub use audit::{Actor, AuditFilter, AuditRow, AuditedChange, AuditedField, acting_as};
pub use connection::{CatalogOptions, FORMAT_VERSION};
pub use datasets::{ColumnSource, DatasetColumn, DatasetId, DatasetRow};
pub use drift::DriftRow;
pub use groups::{FeatureUpdate, GroupUpdate};
pub use lineage::{EdgeKind, EdgeMethod, LineageNote, NewEdge, NodeKey, NodeKind, Noted, Statement, sync_job};
pub use lineage_entities::{AssociationRow, EntityContent, EntityId, EntityKind, EntityPage, EntityRow, EntitySource};
pub use lineage_reads::{EdgeRow, EdgesWanted, Link, LinkSide, MethodSince, NodeRow};
pub use lineage_usage::{UsageDay, UsageLine, UsageRow};
pub use process::{Process, principal};
pub use profiles::{DayLine, Population, ProfiledFiles, StoredColumn, StoredProfile, Window};
pub use runs::{NewRun, Run, RunCounts, RunId, RunKind, RunState};
pub use settings::STORE_ID;
pub use summaries::OfflineSummary;
pub use sync::{SyncChangeRow, SyncFileChanges, SyncFileRow, SyncGroupRow, SyncOutcome, SyncSourceRow};
pub use sync_notes::SyncNoteRow;
pub use sync_profiles::{SyncFeatureLine, SyncProfile};
pub use sync_reports::SyncReportRow;

use crate::model::Result;

/// An open catalog. All methods may be called at once from many tasks and from several processes.
pub struct Catalog {
    path: PathBuf,
    options: SqliteConnectOptions,
    read_only: bool,
    is_new: bool,
    reader: Mutex<SqliteConnection>,
    writer: Mutex<Option<SqliteConnection>>,
}

impl Catalog {
    /// Opens the catalog file; makes it if asked, brings older tables up to date.
    ///
    /// A file that cannot be written is opened for reading, and every change then fails as such.
    ///
    /// # Errors
    /// [`ErrorKind`](crate::model::ErrorKind): `NotFound` without a file, unless `create`; `NewerFormat` for one made
    /// by a later version; `Corrupt` for one that is damaged or no catalog; `Locked` if another process holds it
    /// longer than the busy timeout; `ReadOnly` for older tables that may not be brought up to date.
    pub async fn open(path: impl AsRef<Path>, options: CatalogOptions) -> Result<Self> {
        let opened = connection::open(path.as_ref(), &options).await?;
        Ok(Self {
            path: opened.path,
            options: opened.options,
            read_only: opened.read_only,
            is_new: opened.is_new,
            reader: Mutex::new(opened.connection),
            writer: Mutex::new(None),
        })
    }

    /// Where the file lies, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True if changes are refused, by wish or because the file cannot be written.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// True if this handle made the tables: groups whose definitions lie beside their data are still to be taken in.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns a number that differs after any commit, by this or another process.
    ///
    /// It costs microseconds and reads no table. Numbers of two handles are not comparable.
    pub async fn data_version(&self) -> Result<i64> {
        let mut reader = self.reader.lock().await;
        sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *reader).await.map_err(self.fault("look for changes"))
    }

    /// Folds the log into the file, if this handle changed something and nobody else is at the catalog right now.
    ///
    /// Everything that was answered is durable without it. It is for the end of a process: the next one to start
    /// need not read the log. A later change opens its connection anew.
    pub async fn fold_log(&self) -> Result<()> {
        let what = "fold the catalog's log";
        let Some(mut writer) = self.writer.lock().await.take() else { return Ok(()) };
        // Whoever is reading or writing meanwhile folds the log at their end; waiting for them is not worth it.
        sqlx::raw_sql("PRAGMA busy_timeout = 0; PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut writer).await.map_err(self.fault(what))?;
        writer.close().await.map_err(self.fault(what))
    }

    /// Closes both connections and waits until they are; the last one of all processes folds the log into the file.
    pub async fn close(self) -> Result<()> {
        if let Some(writer) = self.writer.into_inner() {
            writer.close().await.map_err(|error| fault::explain("close the catalog", &self.path, error))?;
        }
        self.reader.into_inner().close().await.map_err(|error| fault::explain("close the catalog", &self.path, error))
    }

    /// Looks through the whole file for damage; empty if there is none.
    pub async fn check_integrity(&self) -> Result<Vec<String>> {
        let what = "check the catalog";
        let mut reader = self.reader.lock().await;
        let mut faults: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check(100)").fetch_all(&mut *reader).await.map_err(self.fault(what))?;
        faults.retain(|line| line != "ok");
        let dangling: Vec<String> =
            sqlx::query_scalar("SELECT \"table\" || ' row refers to a missing ' || parent FROM pragma_foreign_key_check LIMIT 100")
                .fetch_all(&mut *reader)
                .await
                .map_err(self.fault(what))?;
        faults.extend(dangling);
        Ok(faults)
    }

    /// Turns sqlx's errors into ours while doing `what`.
    fn fault<'a>(&'a self, what: &'a str) -> impl Fn(sqlx::Error) -> crate::model::Error + 'a {
        move |error| fault::explain(what, &self.path, error)
    }

    /// The connection for changes, opened by the first of them.
    async fn writer(&self, what: &str) -> Result<MappedMutexGuard<'_, SqliteConnection>> {
        if self.read_only {
            return Err(fault::read_only(what, &self.path));
        }
        let mut slot = self.writer.lock().await;
        let connection = match slot.take() {
            Some(connection) => connection,
            None => connection::open_another(&self.path, &self.options).await?,
        };
        Ok(MutexGuard::map(slot, |slot| slot.insert(connection)))
    }

    /// Takes the one write lock of the file, waiting for other processes as long as the busy timeout.
    async fn begin<'c>(&self, writer: &'c mut SqliteConnection, what: &str) -> Result<Transaction<'c, Sqlite>> {
        writer.begin_with("BEGIN IMMEDIATE").await.map_err(self.fault(what))
    }

    /// Takes a change into the search index and makes it durable.
    async fn commit(&self, mut transaction: Transaction<'_, Sqlite>, what: &str) -> Result<()> {
        search::refresh(&mut transaction).await.map_err(self.fault(what))?;
        transaction.commit().await.map_err(|error| fault::explain_commit(what, &self.path, error))
    }
}

/// Counts fit SQLite's signed integers; one that would not is a bug elsewhere and is held at the largest.
fn to_sql(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The other way; a negative count was never written.
fn from_sql(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::group_rows::samples::{catalog, group};
    use super::*;
    use crate::model::ErrorKind;

    #[tokio::test]
    async fn a_full_disk_refuses_a_change_as_a_whole() {
        let (_folder, catalog) = catalog().await;
        catalog.insert_group(&group("before")).await.unwrap();
        let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *catalog.reader.lock().await).await.unwrap();
        let mut writer = catalog.writer("test").await.unwrap();
        // SQLite answers a file that may not grow as it answers a disk that cannot.
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", pages + 2))).execute(&mut *writer).await.unwrap();
        drop(writer);
        let many: Vec<_> = (0..200).map(|number| group(&format!("group-{number}"))).collect();
        let error = catalog.insert_groups(&many).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Full, "{error}");
        assert_eq!(catalog.group_names().await.unwrap(), ["before"]);
        assert!(catalog.check_integrity().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_data_version_moves_with_commits_of_anyone_and_only_then() {
        let (_folder, catalog) = catalog().await;
        let other = Catalog::open(catalog.path(), CatalogOptions::default()).await.unwrap();
        let before = catalog.data_version().await.unwrap();
        assert_eq!(catalog.data_version().await.unwrap(), before);
        catalog.set_setting("ours", "1").await.unwrap();
        let after_ours = catalog.data_version().await.unwrap();
        assert_ne!(after_ours, before);
        other.set_setting("theirs", "1").await.unwrap();
        assert_ne!(catalog.data_version().await.unwrap(), after_ours);
        assert_eq!(catalog.setting("theirs").await.unwrap().as_deref(), Some("1"));
    }

    #[tokio::test]
    async fn the_log_is_folded_in_unless_someone_is_reading() {
        let (_folder, catalog) = catalog().await;
        let log = catalog.path().with_file_name("catalog.db-wal");
        let length = || std::fs::metadata(&log).unwrap().len();
        catalog.set_setting("a", "1").await.unwrap();
        assert!(length() > 0);
        catalog.fold_log().await.unwrap();
        assert_eq!(length(), 0);

        catalog.set_setting("b", "1").await.unwrap();
        let mut other = connection::open_another(catalog.path(), &catalog.options).await.unwrap();
        let mut reading = other.begin().await.unwrap();
        sqlx::query("SELECT name FROM settings").fetch_all(&mut *reading).await.unwrap();
        catalog.set_setting("c", "1").await.unwrap();
        catalog.fold_log().await.unwrap();
        assert!(length() > 0, "a reader still needs it");
        assert_eq!(catalog.settings().await.unwrap().len(), 4, "the format and the three that were set");
    }

    #[tokio::test]
    async fn damage_inside_the_file_is_found() {
        let (_folder, catalog) = catalog().await;
        catalog.insert_group(&group("clicks")).await.unwrap();
        assert!(catalog.check_integrity().await.unwrap().is_empty());
        let mut writer = catalog.writer("test").await.unwrap();
        for statement in ["PRAGMA foreign_keys = OFF", "DELETE FROM feature_groups"] {
            sqlx::query(statement).execute(&mut *writer).await.unwrap();
        }
        drop(writer);
        let faults = catalog.check_integrity().await.unwrap();
        assert!(faults.iter().any(|fault| fault == "features row refers to a missing feature_groups"), "{faults:?}");
    }
}
