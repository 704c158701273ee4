//! Reading an object: one version of it, whatever happens to its key meanwhile.

use std::fs::File;
use std::io;

use super::attributes::ObjectInfo;
use super::fault::{ObjectResult, Refusal};
use super::name::{Bucket, ObjectKey};
use super::{Objects, is_absent};
use crate::model::{Error, Result};

/// An object that was opened.
#[derive(Debug)]
pub struct OpenObject {
    file: File,
    info: ObjectInfo,
}

impl OpenObject {
    /// What is known of it.
    pub fn info(&self) -> &ObjectInfo {
        &self.info
    }

    /// Up to `length` bytes from an offset; fewer only at its end.
    pub fn read_at(&self, offset: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match read_at(&self.file, &mut bytes[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("can't read an object", error)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Its file, at its start.
    pub(in crate::store) fn into_file(self) -> File {
        self.file
    }
}

impl Objects {
    /// Opens an object.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`.
    pub fn open(&self, bucket: &Bucket, key: &ObjectKey) -> ObjectResult<OpenObject> {
        let absent = || Refusal::NoSuchKey.because(format!("there is no object '{key}' in '{bucket}'"));
        let path = match self.path(bucket, key) {
            Ok(path) => path,
            Err(_) => return Err(self.check_bucket(bucket).err().unwrap_or_else(absent)),
        };
        let fault = |error| Error::io(format!("can't read {}", path.display()), error);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Err(self.check_bucket(bucket).err().unwrap_or_else(absent)),
            Err(error) => return Err(fault(error).into()),
        };
        if !file.metadata().map_err(fault)?.is_file() {
            return Err(absent());
        }
        let info = ObjectInfo::of(&file).map_err(fault)?;
        Ok(OpenObject { file, info })
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// `NoSuchBucket`, `NoSuchKey`.
    pub fn info(&self, bucket: &Bucket, key: &ObjectKey) -> ObjectResult<ObjectInfo> {
        self.open(bucket, key).map(|object| object.info)
    }
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, bytes, offset)
}
