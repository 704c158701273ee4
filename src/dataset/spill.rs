//! The folder where running queries put what doesn't fit in memory.
//!
//! Each process has a folder of its own below the given one, beside a lock file it holds for as long as it lives:
//!
//! ```text
//! <spill folder>/<uuid>.lock     held (flock) by the owner
//! <spill folder>/<uuid>/…        spilled batches
//! ```
//!
//! It is removed when the owner ends. A killed owner leaves it behind, but its lock is free again: the next process
//! removes every folder whose lock it can take. A folder in use can never be taken for a left one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::model::error::{Error, Result};

/// This process's own spill folder, removed on drop.
#[derive(Debug)]
pub(super) struct SpillFolder {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl SpillFolder {
    /// Makes the folder, after clearing what killed processes left.
    pub(super) fn create(parent: &Path) -> Result<Self> {
        let failed = |error: io::Error| Error::io(format!("can't make a spill folder in {}", parent.display()), error);
        fs::create_dir_all(parent).map_err(failed)?;
        clear_left_behind(parent);
        let name = Uuid::now_v7().to_string();
        let (path, lock_path) = (parent.join(&name), parent.join(format!("{name}.lock")));
        let lock = OpenOptions::new().create_new(true).write(true).open(&lock_path).map_err(failed)?;
        lock.lock().map_err(failed)?;
        fs::create_dir(&path).map_err(failed)?;
        Ok(Self { path, lock_path, _lock: lock })
    }

    /// Where to spill.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SpillFolder {
    fn drop(&mut self) {
        // Best effort: what stays is cleared by the next process.
        let _ = fs::remove_dir_all(&self.path);
        let _ = fs::remove_file(&self.lock_path);
    }
}

/// Removes folders whose owner is gone. Nothing here may fail a query: a folder that can't be removed stays.
fn clear_left_behind(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let lock_path = entry.path();
        let is_lock = lock_path.extension().is_some_and(|extension| extension == "lock");
        if !is_lock {
            continue;
        }
        let Ok(lock) = OpenOptions::new().write(true).open(&lock_path) else { continue };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(lock_path.with_extension(""));
            let _ = fs::remove_file(&lock_path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_living_owner_keeps_its_folder_and_a_dead_one_loses_it() {
        let parent = tempfile::tempdir().unwrap();
        let living = SpillFolder::create(parent.path()).unwrap();
        fs::write(living.path().join("batch"), "x").unwrap();
        let dead = parent.path().join("0000");
        fs::create_dir(&dead).unwrap();
        fs::write(parent.path().join("0000.lock"), "").unwrap();

        let next = SpillFolder::create(parent.path()).unwrap();
        assert!(!dead.exists());
        assert!(living.path().join("batch").exists());

        let (one, two) = (living.path().to_owned(), next.path().to_owned());
        drop((living, next));
        assert!(!one.exists() && !two.exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
