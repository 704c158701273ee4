//! A file that is there whole or not at all, and whose appearance can be taken back.
//!
//! ```text
//! create -> rows to a hidden name beside the target -> seal (synced) -> publish (renamed) -> keep
//! ```
//!
//! An error, a signal or a dropped future leaves the old file as it was and removes the hidden one. A published file that
//! is not kept is taken away again, and what it replaced is put back: so files can appear together with a row in the
//! catalog, or none of them does. What is not a regular file (`/dev/null`, a named pipe) is written directly: replacing it
//! would be a surprise.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::{Error, Result};

/// Tells hidden names of this process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A file being written.
pub struct OutputFile {
    writer: BufWriter<File>,
    hidden: Hidden,
}

/// A file that is complete and safe on the disk, under a hidden name.
pub struct SealedFile {
    hidden: Hidden,
}

/// A file under its name that goes away again unless it is kept.
pub struct PublishedFile {
    target: PathBuf,
    /// What it replaced, under a hidden name.
    replaced: Option<PathBuf>,
    /// False for what was written directly and for what is kept.
    is_revocable: bool,
}

/// The hidden name of a target; removed when it is dropped.
struct Hidden {
    target: PathBuf,
    temporary: Option<PathBuf>,
}

fn fault(target: &Path, error: io::Error) -> Error {
    Error::io(format!("can't write '{}'", target.display()), error)
}

/// A name beside a file that nobody else has.
fn beside(target: &Path, ending: &str) -> Option<PathBuf> {
    let name = target.file_name()?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Some(target.with_file_name(format!(".{}.{}-{number}.{ending}", name.to_string_lossy(), std::process::id())))
}

impl OutputFile {
    /// Starts writing what is to become `target`.
    ///
    /// # Errors
    /// `Usage` for a folder, errors of the system where its folder can't be written.
    pub fn create(target: &Path) -> Result<Self> {
        // A link keeps pointing where it points: the file behind it is replaced.
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        if target.is_dir() {
            return Err(Error::usage(format!("'{}' is a folder", target.display())).remedy("name a file"));
        }
        if !Self::is_replaceable(&target) {
            let file = OpenOptions::new().write(true).open(&target).map_err(|error| fault(&target, error))?;
            return Ok(Self { writer: BufWriter::new(file), hidden: Hidden { target, temporary: None } });
        }
        let Some(temporary) = beside(&target, "part") else {
            return Err(Error::usage(format!("'{}' is not a file name", target.display())).remedy("name a file"));
        };
        let file = File::create(&temporary).map_err(|error| match target.parent() {
            Some(folder) if error.kind() == io::ErrorKind::NotFound => fault(&target, error)
                .why(format!("there is no folder '{}'", folder.display()))
                .remedy("make the folder, or name another file"),
            _ => fault(&target, error),
        })?;
        Ok(Self { writer: BufWriter::new(file), hidden: Hidden { target, temporary: Some(temporary) } })
    }

    /// False for what is written directly: a device, a pipe.
    pub fn is_replaceable(target: &Path) -> bool {
        fs::metadata(target).map_or(true, |found| found.is_file())
    }

    /// Returns the stream to write to.
    pub fn writer(&mut self) -> &mut (dyn Write + Send) {
        &mut self.writer
    }

    /// Makes what was written safe, still hidden.
    pub fn seal(mut self) -> Result<SealedFile> {
        let is_hidden = self.hidden.temporary.is_some();
        let done = self.writer.flush().and_then(|()| if is_hidden { self.writer.get_ref().sync_all() } else { Ok(()) });
        done.map_err(|error| fault(&self.hidden.target, error))?;
        Ok(SealedFile { hidden: self.hidden })
    }

    /// Makes the file appear under its name, for good.
    pub fn finish(self) -> Result<()> {
        self.seal()?.publish()?.keep();
        Ok(())
    }

    /// Names the file in an error that came up while writing it.
    pub fn fault(&self, error: io::Error) -> Error {
        fault(&self.hidden.target, error)
    }
}

impl SealedFile {
    /// Bytes of the file; none for what was written directly.
    pub fn bytes(&self) -> Option<u64> {
        self.hidden.temporary.as_ref().and_then(|temporary| fs::metadata(temporary).ok()).map(|found| found.len())
    }

    /// Makes the file appear under its name, durably.
    pub fn publish(mut self) -> Result<PublishedFile> {
        let target = self.hidden.target.clone();
        let Some(temporary) = &self.hidden.temporary else {
            return Ok(PublishedFile { target, replaced: None, is_revocable: false });
        };
        let replaced = if target.exists() { set_aside(&target)? } else { None };
        let renamed = fs::rename(temporary, &target).and_then(|()| sync_folder(&target));
        if let Err(error) = renamed {
            if let Some(replaced) = &replaced {
                // The old file is there under its own name as well.
                let _ = fs::remove_file(replaced);
            }
            return Err(fault(&target, error));
        }
        self.hidden.temporary = None;
        Ok(PublishedFile { target, replaced, is_revocable: true })
    }
}

/// Gives the old file a second, hidden name; none where the disk knows no second names.
fn set_aside(target: &Path) -> Result<Option<PathBuf>> {
    let Some(aside) = beside(target, "old") else { return Ok(None) };
    match fs::hard_link(target, &aside) {
        Ok(()) => Ok(Some(aside)),
        Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied) => Ok(None),
        Err(error) => Err(fault(target, error)),
    }
}

/// Makes a rename within a file's folder survive a power cut.
fn sync_folder(file: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

impl PublishedFile {
    /// Leaves the file where it is, for good.
    pub fn keep(mut self) {
        self.is_revocable = false;
        if let Some(replaced) = self.replaced.take() {
            // A leftover second name of an old file is the worst that can come of it.
            let _ = fs::remove_file(replaced);
        }
    }
}

impl Drop for PublishedFile {
    fn drop(&mut self) {
        if self.is_revocable {
            // Nothing more can be done if even that fails.
            let _ = match &self.replaced {
                Some(replaced) => fs::rename(replaced, &self.target),
                None => fs::remove_file(&self.target),
            };
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nothing more can be done if even that fails.
            let _ = fs::remove_file(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn written(target: &Path, text: &str) -> OutputFile {
        let mut file = OutputFile::create(target).unwrap();
        file.writer().write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("rows.csv");
        fs::write(&target, "old").unwrap();
        drop(written(&target, "half"));
        drop(written(&target, "whole").seal().unwrap());
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");

        written(&target, "new").finish().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no hidden file stays behind");
    }

    #[test]
    fn what_was_published_can_be_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "old").unwrap();
        let sealed = written(&old, "newer").seal().unwrap();
        assert_eq!(sealed.bytes(), Some(5));
        let published = [sealed.publish().unwrap(), written(&new, "new").seal().unwrap().publish().unwrap()];
        assert_eq!(fs::read_to_string(&old).unwrap(), "newer");
        assert_eq!(fs::read_to_string(&new).unwrap(), "new");
        drop(published);
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_or_a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(OutputFile::create(folder.path()).is_err());
        assert!(OutputFile::create(&folder.path().join("nowhere/rows.csv")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_device_is_written_and_stays_a_device() {
        written(Path::new("/dev/null"), "rows").finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
