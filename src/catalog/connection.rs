//! Opening the catalog file: which SQLite, which format, for reading or writing, and the two connections.
//!
//! What must stay true:
//! - Each connection runs with `foreign_keys=ON`, `synchronous=FULL` and a busy timeout; the file is in WAL mode. No
//!   memory map: with several writing processes it is a way to see torn pages.
//! - SQLite below 3.51.3 is refused. Older ones can lose commits when two connections write and checkpoint at the
//!   same instant (sqlite.org/wal.html#walresetbug), which is just how larder is used.
//! - An up-to-date catalog is opened with one look at its header (`application_id`, `user_version`), because a whole
//!   `larder get` has a few milliseconds. The migrator runs only behind an older number, inside one
//!   `BEGIN IMMEDIATE`: sqlx does not lock SQLite, and two processes may meet at a new store.
//! - A file with another program's tables is never touched.
//!
//! Read-only media cannot hold the shared-memory file that WAL needs. There, and only there, the file is opened
//! as immutable, which is sound as long as no log with contents lies beside it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use super::fault;
use crate::model::{Error, ErrorKind, Result};

/// The migrations this version knows, embedded.
pub(super) static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// "larc" in the header marks the file as a larder catalog, for us and for file(1).
const APPLICATION_ID: i64 = 0x6c61_7263;

/// The layout of the store's folder that this version reads and writes.
pub const FORMAT_VERSION: i64 = 1;

/// Oldest SQLite without the WAL-reset bug.
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

/// How a catalog is opened.
#[derive(Debug, Clone)]
pub struct CatalogOptions {
    /// Refuse every change.
    pub read_only: bool,
    /// Make the file when there is none.
    pub create: bool,
    /// How long a statement waits for another process before it answers [`ErrorKind::Locked`].
    pub busy_timeout: Duration,
}

impl Default for CatalogOptions {
    fn default() -> Self {
        Self { read_only: false, create: false, busy_timeout: Duration::from_secs(10) }
    }
}

/// A catalog file that was checked and, if need be, migrated.
pub(super) struct Opened {
    /// Where it lies, absolute.
    pub path: PathBuf,
    /// How further connections are opened.
    pub options: SqliteConnectOptions,
    /// The first connection.
    pub connection: SqliteConnection,
    /// Asked for, or found on read-only media.
    pub read_only: bool,
    /// True if this very call made the tables.
    pub is_new: bool,
}

/// What the header of the file says.
struct Header {
    application_id: i64,
    user_version: i64,
    tables: i64,
}

/// The number of the newest migration this version knows.
pub(super) fn newest_migration() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Opens the catalog file, makes or migrates it if asked and allowed.
pub(super) async fn open(path: &Path, asked: &CatalogOptions) -> Result<Opened> {
    // Absolute, because SQLite takes a relative path that starts with `file:` for a URI.
    let path = std::path::absolute(path).map_err(|error| Error::io(format!("can't find {}", path.display()), error))?;
    let exists = path.try_exists().map_err(|error| Error::io(format!("can't look for {}", path.display()), error))?;
    let may_create = asked.create && !asked.read_only;
    if !exists && !may_create {
        return Err(Error::not_found(format!("there is no catalog at {}", path.display()))
            .remedy("name the store with --store, or make one with `larder create` or `larder demo`"));
    }
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(asked.busy_timeout)
        .create_if_missing(may_create)
        .thread_name(|number| format!("catalog-{number}"))
        .disable_statement_logging();

    if asked.read_only {
        return open_for_reading(path, options).await;
    }
    match open_for_writing(&path, &options, may_create, asked.busy_timeout).await {
        Ok((connection, is_new)) => Ok(Opened { path, options, connection, read_only: false, is_new }),
        Err(Failure::Sqlite(error)) if exists && fault::is_unwritable(&error) => match open_for_reading(path.clone(), options).await {
            Ok(opened) => Ok(opened),
            // What kept us from writing is the better explanation, unless the file itself is the matter.
            Err(told) if matches!(told.kind(), ErrorKind::Io | ErrorKind::ReadOnly) => {
                Err(fault::explain("open the catalog", &path, error))
            }
            Err(told) => Err(told),
        },
        Err(Failure::Sqlite(error)) => Err(fault::explain("open the catalog", &path, error)),
        Err(Failure::Told(error)) => Err(error),
    }
}

/// Opens one more connection to a catalog that [`open`] has checked.
pub(super) async fn open_another(path: &Path, options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    options.connect().await.map_err(|error| fault::explain("open the catalog", path, error))
}

/// An error of SQLite that may have a way round, or one that is final.
enum Failure {
    Sqlite(sqlx::Error),
    Told(Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Told(error)
    }
}

async fn open_for_writing(
    path: &Path,
    options: &SqliteConnectOptions,
    may_create: bool,
    patience: Duration,
) -> std::result::Result<(SqliteConnection, bool), Failure> {
    let mut connection = options.connect().await?;
    let header = read_header(&mut connection).await?;
    let mut is_new = false;
    match standing(path, &header)? {
        Standing::Current => {}
        Standing::Empty if !may_create => {
            return Err(Error::not_found(format!("the catalog {} is empty", path.display()))
                .remedy("name the store with --store, or make one with `larder create` or `larder demo`")
                .into());
        }
        Standing::Empty | Standing::Older => {
            switch_to_wal(&mut connection, patience).await?;
            is_new = migrate(path, &mut connection).await?;
        }
    }
    check_format(path, &mut connection).await?;
    Ok((connection, is_new))
}

async fn open_for_reading(path: PathBuf, options: SqliteConnectOptions) -> Result<Opened> {
    let what = "open the catalog";
    let mut options = options.create_if_missing(false).read_only(true);
    let attempt = async |options: &SqliteConnectOptions| -> std::result::Result<(SqliteConnection, Header), sqlx::Error> {
        let mut connection = options.connect().await?;
        let header = read_header(&mut connection).await?;
        Ok((connection, header))
    };
    let (mut connection, header) = match attempt(&options).await {
        Ok(pair) => pair,
        Err(error) if fault::is_unwritable(&error) && log_is_empty(&path) => {
            options = options.immutable(true);
            attempt(&options).await.map_err(|error| fault::explain(what, &path, error))?
        }
        Err(error) if fault::is_unwritable(&error) => {
            return Err(Error::new(ErrorKind::ReadOnly, format!("can't read {}", path.display()))
                .why("changes lie beside it in its -wal file, and this folder can't be written to fold them in")
                .remedy("open the store once where it can be written, then copy it again")
                .source(error));
        }
        Err(error) => return Err(fault::explain(what, &path, error)),
    };
    match standing(&path, &header)? {
        Standing::Current => {}
        Standing::Empty => {
            return Err(Error::not_found(format!("the catalog {} is empty", path.display())).remedy("name the store with --store"));
        }
        Standing::Older => {
            return Err(Error::new(
                ErrorKind::ReadOnly,
                format!("{} was made by an older larder and has to be brought up to date first", path.display()),
            )
            .remedy("open the store once where it can be written, without --read-only"));
        }
    }
    check_format(&path, &mut connection).await?;
    Ok(Opened { path, options, connection, read_only: true, is_new: false })
}

/// True if no log, or one without contents, lies beside the file.
fn log_is_empty(path: &Path) -> bool {
    let mut log = OsString::from(path);
    log.push("-wal");
    std::fs::metadata(log).map_or(true, |found| found.len() == 0)
}

/// Reads the header and refuses a SQLite that may corrupt the file.
async fn read_header(connection: &mut SqliteConnection) -> std::result::Result<Header, sqlx::Error> {
    let row = sqlx::query(
        "SELECT sqlite_version(), (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)",
    )
    .fetch_one(connection)
    .await?;
    let version: String = row.try_get(0)?;
    if !is_sound_sqlite(&version) {
        return Err(sqlx::Error::Configuration(
            format!("SQLite {version} is linked in, which can corrupt a log that several processes write; 3.51.3 or later is needed")
                .into(),
        ));
    }
    Ok(Header { application_id: row.try_get(1)?, user_version: row.try_get(2)?, tables: row.try_get(3)? })
}

/// True from SQLite 3.51.3 on.
fn is_sound_sqlite(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let found = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
    found >= OLDEST_SQLITE
}

/// How a file relates to the migrations we know.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Current,
    Older,
    Empty,
}

fn standing(path: &Path, header: &Header) -> Result<Standing> {
    if header.application_id == 0 && header.user_version == 0 && header.tables == 0 {
        return Ok(Standing::Empty);
    }
    if header.application_id != APPLICATION_ID {
        return Err(fault::damaged(path, format!("{} is a database of another program", path.display())));
    }
    let newest = newest_migration();
    match header.user_version.cmp(&newest) {
        std::cmp::Ordering::Equal => Ok(Standing::Current),
        std::cmp::Ordering::Less => Ok(Standing::Older),
        std::cmp::Ordering::Greater => {
            Err(fault::newer(path, &format!("its tables are at {}, this version knows {newest}", header.user_version)))
        }
    }
}

/// Puts the file into WAL mode, which stays. SQLite does not wait for the exclusive lock this needs, so we do.
async fn switch_to_wal(connection: &mut SqliteConnection, patience: Duration) -> std::result::Result<(), sqlx::Error> {
    let deadline = Instant::now() + patience;
    loop {
        match sqlx::query_scalar::<_, String>("PRAGMA journal_mode = WAL").fetch_one(&mut *connection).await {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(mode) => {
                return Err(sqlx::Error::Configuration(
                    format!("the file system keeps SQLite in {mode} mode; several processes need WAL").into(),
                ));
            }
            Err(error) if fault::is_busy(&error) && Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(error) => return Err(error),
        }
    }
}

/// Brings the tables up to date in one transaction; true if there were none.
async fn migrate(path: &Path, connection: &mut SqliteConnection) -> std::result::Result<bool, Failure> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    // Another process may have done it while this one waited for the lock.
    let header = read_header(&mut transaction).await?;
    let before = standing(path, &header)?;
    if before == Standing::Current {
        transaction.rollback().await?;
        return Ok(false);
    }
    MIGRATOR.run_direct(None, &mut *transaction, false).await.map_err(|error| sqlx::Error::Migrate(Box::new(error)))?;
    // A PRAGMA takes no parameters; both are numbers of our own.
    sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}", newest_migration())))
        .execute(&mut *transaction)
        .await?;
    // A store that an older version filled is searched like any other from here on.
    super::search::refresh(&mut transaction).await?;
    transaction.commit().await?;
    Ok(before == Standing::Empty)
}

/// Refuses a store whose folder is laid out in a way this version does not know.
async fn check_format(path: &Path, connection: &mut SqliteConnection) -> Result<()> {
    let found: Option<String> = sqlx::query_scalar("SELECT value FROM settings WHERE name = 'format_version'")
        .fetch_optional(connection)
        .await
        .map_err(|error| fault::explain("read the store's format", path, error))?;
    match found.as_deref().map(str::parse::<i64>) {
        Some(Ok(version)) if version == FORMAT_VERSION => Ok(()),
        Some(Ok(version)) if version > FORMAT_VERSION => {
            Err(fault::newer(path, &format!("the store has format {version}, this version knows {FORMAT_VERSION}")))
        }
        _ => Err(fault::damaged(path, format!("{} does not say a format this version knows", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn opened(path: &Path) -> Opened {
        open(path, &CatalogOptions { create: true, ..CatalogOptions::default() }).await.unwrap()
    }

    #[tokio::test]
    async fn the_linked_sqlite_is_sound_and_older_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = opened(&folder.path().join("catalog.db")).await;
        let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut first.connection).await.unwrap();
        assert!(is_sound_sqlite(&version), "{version}");
        for sound in ["3.51.3", "3.53.0", "4.0.0"] {
            assert!(is_sound_sqlite(sound), "{sound}");
        }
        for unsound in ["3.51.2", "3.46.0", "3.9.9", ""] {
            assert!(!is_sound_sqlite(unsound), "{unsound}");
        }
    }

    #[tokio::test]
    async fn every_connection_is_durable_and_checks_references() {
        let folder = tempfile::tempdir().unwrap();
        let first = opened(&folder.path().join("catalog.db")).await;
        assert!(first.is_new);
        let mut second = open_another(&first.path, &first.options).await.unwrap();
        for (question, answer) in
            [("PRAGMA foreign_keys", 1), ("PRAGMA synchronous", 2), ("PRAGMA busy_timeout", 10_000), ("PRAGMA mmap_size", 0)]
        {
            let found: i64 = sqlx::query_scalar(question).fetch_one(&mut second).await.unwrap();
            assert_eq!(found, answer, "{question}");
        }
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut second).await.unwrap();
        assert_eq!(mode, "wal");
    }

    #[tokio::test]
    async fn a_second_opening_finds_the_tables_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        assert!(opened(&path).await.is_new);
        assert!(!opened(&path).await.is_new);
    }

    #[tokio::test]
    async fn read_only_media_are_read_as_immutable_unless_a_log_lies_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.db");
        assert!(log_is_empty(&path));
        let first = opened(&path).await;
        assert!(!log_is_empty(&path), "an open catalog that was just made has its changes in the log");
        first.connection.close().await.unwrap();
        assert!(log_is_empty(&path), "the last connection folds the log in");

        let options = SqliteConnectOptions::new().filename(&path).read_only(true).immutable(true);
        let mut connection = options.connect().await.unwrap();
        assert_eq!(read_header(&mut connection).await.unwrap().user_version, newest_migration());
        check_format(&path, &mut connection).await.unwrap();
    }
}
