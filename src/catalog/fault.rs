//! What SQLite says, in this program's words: the kind a caller branches on, the file, the remedy.
//!
//! The table is over SQLite's primary result codes (the low byte of the extended ones); sqlx hands over the extended
//! code as text. A commit that fails for another reason than a lock is [`ErrorKind::OutcomeUnknown`]: the log may
//! have been written when its fsync failed.

use std::path::Path;

use crate::model::{Error, ErrorKind};

/// Result codes of sqlite.org/rescode.html that are told apart.
mod code {
    pub(super) const PERM: i32 = 3;
    pub(super) const BUSY: i32 = 5;
    pub(super) const LOCKED: i32 = 6;
    pub(super) const READONLY: i32 = 8;
    pub(super) const IOERR: i32 = 10;
    pub(super) const CORRUPT: i32 = 11;
    pub(super) const FULL: i32 = 13;
    pub(super) const CANTOPEN: i32 = 14;
    pub(super) const CONSTRAINT: i32 = 19;
    pub(super) const AUTH: i32 = 23;
    pub(super) const NOTADB: i32 = 26;
    /// Extended: the file was moved or removed under an open connection.
    pub(super) const READONLY_DBMOVED: i32 = 8 | (4 << 8);
}

/// The extended result code of an error that came from SQLite itself.
fn extended_code(error: &sqlx::Error) -> Option<i32> {
    match error {
        sqlx::Error::Database(database) => database.code()?.parse().ok(),
        sqlx::Error::Migrate(migrate) => match migrate.as_ref() {
            sqlx::migrate::MigrateError::Execute(inner) | sqlx::migrate::MigrateError::ExecuteMigration(inner, _) => extended_code(inner),
            _ => None,
        },
        _ => None,
    }
}

/// True if SQLite gave up waiting for another connection.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    extended_code(error).is_some_and(|extended| matches!(extended & 0xff, code::BUSY | code::LOCKED))
}

/// True if the file or its folder could not be opened for writing, so that reading may still work.
pub(super) fn is_unwritable(error: &sqlx::Error) -> bool {
    extended_code(error).is_some_and(|extended| {
        extended != code::READONLY_DBMOVED && matches!(extended & 0xff, code::READONLY | code::CANTOPEN | code::PERM | code::AUTH)
    })
}

/// True if a row with the same key exists already.
pub(super) fn is_unique_violation(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(database) if database.is_unique_violation())
}

/// Turns an error of sqlx into ours; `what` says what was being done, `path` is the catalog file.
pub(super) fn explain(what: &str, path: &Path, error: sqlx::Error) -> Error {
    let file = path.display();
    if let Some(extended) = extended_code(&error) {
        let told = match extended & 0xff {
            _ if extended == code::READONLY_DBMOVED => {
                Error::new(ErrorKind::Io, format!("can't {what}: {file} was moved or removed while it was open"))
                    .remedy("start the command again")
            }
            code::BUSY | code::LOCKED => {
                Error::new(ErrorKind::Locked, format!("can't {what}: another process is writing to {file}")).remedy("try again in a moment")
            }
            code::READONLY | code::PERM | code::AUTH => Error::new(ErrorKind::ReadOnly, format!("can't {what}: {file} can't be written"))
                .remedy("check the owner and mode of that file and its folder"),
            code::FULL => Error::new(ErrorKind::Full, format!("can't {what}: the disk of {file} is full"))
                .remedy("free some space and run the command again: nothing acknowledged was lost"),
            code::CORRUPT | code::NOTADB => damaged(path, format!("can't {what}: {file} is damaged or not a catalog")),
            code::CANTOPEN => Error::new(ErrorKind::Io, format!("can't {what}: {file} can't be opened"))
                .remedy("check the owner and mode of that file and its folder"),
            code::IOERR => {
                Error::new(ErrorKind::Io, format!("can't {what}: the system refused to read or write {file}")).remedy("check the disk")
            }
            code::CONSTRAINT => Error::internal(format!("can't {what}: a rule of the catalog forbids it")),
            _ => Error::internal(format!("can't {what} in {file}")),
        };
        return told.source(error);
    }
    match error {
        sqlx::Error::Io(inner) => Error::io(format!("can't {what} in {file}"), inner),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            damaged(path, format!("can't {what}: {file} holds a value of a wrong type")).source(error)
        }
        sqlx::Error::Migrate(inner) => match inner.as_ref() {
            sqlx::migrate::MigrateError::VersionMissing(version) => {
                newer(path, &format!("it has had migration {version}, which this version does not know"))
            }
            _ => damaged(path, format!("can't {what}: {file} has tables this version did not make")).source(*inner),
        },
        other => Error::internal(format!("can't {what} in {file}")).source(other),
    }
}

/// Turns a failed commit into ours: only a lock is known to have changed nothing.
pub(super) fn explain_commit(what: &str, path: &Path, error: sqlx::Error) -> Error {
    let io_failed = extended_code(&error).is_some_and(|extended| matches!(extended & 0xff, code::IOERR));
    if io_failed || matches!(error, sqlx::Error::WorkerCrashed) {
        return Error::new(ErrorKind::OutcomeUnknown, format!("can't tell whether {} could {what}", path.display()))
            .source(error)
            .remedy("check the disk, then look whether the change is there before making it again");
    }
    explain(what, path, error)
}

/// A catalog whose bytes are not a catalog's.
pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Error {
    let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
    Error::corrupt(what).remedy(format!(
        "move {name}, {name}-wal and {name}-shm to another folder: larder rebuilds the catalog from the definitions beside the data"
    ))
}

/// A catalog made by a version that knows more than this one.
pub(super) fn newer(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::NewerFormat, format!("{} was made by a newer larder", path.display()))
        .why(why)
        .remedy("use that version or a later one on this store")
}

/// A change asked of a catalog that was opened for reading only.
pub(super) fn read_only(what: &str, path: &Path) -> Error {
    Error::new(ErrorKind::ReadOnly, format!("can't {what}: {} is open for reading only", path.display()))
        .remedy("leave --read-only out, or use a store that can be written")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_from_sqlite_keeps_its_own_kind() {
        let path = Path::new("/s/catalog.db");
        let full = explain("add a tag", path, sqlx::Error::Io(std::io::ErrorKind::StorageFull.into()));
        assert_eq!(full.kind(), ErrorKind::Full);
        assert_eq!(explain("add a tag", path, sqlx::Error::RowNotFound).kind(), ErrorKind::Internal);
        assert_eq!(explain_commit("add a tag", path, sqlx::Error::WorkerCrashed).kind(), ErrorKind::OutcomeUnknown);
    }

    #[test]
    fn a_migration_of_a_later_version_is_a_newer_format() {
        let error = sqlx::Error::Migrate(Box::new(sqlx::migrate::MigrateError::VersionMissing(99)));
        let error = explain("open the catalog", Path::new("/s/catalog.db"), error);
        assert_eq!(error.kind(), ErrorKind::NewerFormat);
        assert!(error.to_string().contains("migration 99"), "{error}");
    }
}
