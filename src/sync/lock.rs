//! One sync at a time: a lock on a file beside the catalog, which the system lets go when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::model::{Error, ErrorKind, Result};

/// How often a waiting sync looks again.
const PAUSE: Duration = Duration::from_millis(100);

/// Held as long as it lives.
pub struct SyncLock {
    _file: File,
}

/// Takes the lock, waiting as long as `patience`.
///
/// # Errors
/// `Locked`, naming the process that holds it.
pub async fn acquire(folder: &Path, patience: Duration) -> Result<SyncLock> {
    let path = folder.join("catalog.db.sync.lock");
    let fault = |error| Error::io(format!("can't lock {}", path.display()), error);
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(fault)?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: whoever holds the lock may be about to write it.
                let _ = (&file).take(20).read_to_string(&mut holder);
                let error = Error::new(ErrorKind::Locked, "another sync is running");
                let error = if holder.trim().parse::<u32>().is_ok() { error.why(format!("process {}", holder.trim())) } else { error };
                return Err(error.remedy("wait for it with --lock-timeout 5m"));
            }
            Err(TryLockError::Error(error)) => return Err(fault(error)),
        }
    }
    file.set_len(0).and_then(|()| write!(file, "{}", std::process::id())).map_err(fault)?;
    Ok(SyncLock { _file: file })
}
