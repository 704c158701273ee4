//! A file that is there whole or not at all.
//!
//! Rows go to a temporary name in the same folder, which takes the final name once everything is written and synced. An error, a signal or
//! a dropped future leaves the old file as it was and removes the temporary one. What is not a regular file (`/dev/null`, a named pipe)
//! is written directly: replacing it would be a surprise.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::model::{Error, Result};

/// A file being written.
pub(crate) struct OutputFile {
    writer: BufWriter<File>,
    target: PathBuf,
    temporary: Option<PathBuf>,
}

impl OutputFile {
    /// Starts writing what is to become `target`.
    pub(crate) fn create(target: &Path) -> Result<OutputFile> {
        let fault = |error| Error::io(format!("can't write '{}'", target.display()), error);
        // A link keeps pointing where it points: the file behind it is replaced.
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        if target.is_dir() {
            return Err(Error::usage(format!("'{}' is a folder", target.display())).remedy("name a file"));
        }
        if fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
            let file = OpenOptions::new().write(true).open(&target).map_err(fault)?;
            return Ok(OutputFile { writer: BufWriter::new(file), target, temporary: None });
        }
        let Some(name) = target.file_name() else {
            return Err(Error::usage(format!("'{}' is not a file name", target.display())).remedy("name a file"));
        };
        let temporary = target.with_file_name(format!(".{}.{}.part", name.to_string_lossy(), std::process::id()));
        let file = File::create(&temporary).map_err(fault)?;
        Ok(OutputFile { writer: BufWriter::new(file), target, temporary: Some(temporary) })
    }

    /// Returns the stream to write to.
    pub(crate) fn writer(&mut self) -> &mut (dyn Write + Send) {
        &mut self.writer
    }

    /// Makes the file appear under its name.
    pub(crate) fn finish(mut self) -> Result<()> {
        let done = self.writer.flush().and_then(|()| match &self.temporary {
            None => Ok(()),
            Some(temporary) => self.writer.get_ref().sync_all().and_then(|()| fs::rename(temporary, &self.target)),
        });
        done.map_err(|error| self.fault(error))?;
        self.temporary = None;
        Ok(())
    }

    /// Names the file in an error that came up while writing it.
    pub(crate) fn fault(&self, error: io::Error) -> Error {
        Error::io(format!("can't write '{}'", self.target.display()), error)
    }
}

impl Drop for OutputFile {
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

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("rows.csv");
        fs::write(&target, "old").unwrap();

        let mut given_up = OutputFile::create(&target).unwrap();
        given_up.writer().write_all(b"half").unwrap();
        drop(given_up);
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");

        let mut finished = OutputFile::create(&target).unwrap();
        finished.writer().write_all(b"new").unwrap();
        finished.finish().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays behind");
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
        let mut null = OutputFile::create(Path::new("/dev/null")).unwrap();
        null.writer().write_all(b"rows").unwrap();
        null.finish().unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }
}
