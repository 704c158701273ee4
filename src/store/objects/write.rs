//! Writing an object: staged, checked, made safe, and only then seen.
//!
//! ```text
//! bytes -> .uploads/<name> (MD5 and checksum on the way) -> digests compared -> attributes -> fsync -> rename -> fsync the folder
//! ```
//!
//! A writer that is dropped leaves nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use md5::Md5;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::attributes::{Kept, ObjectAttributes, ObjectInfo, keep};
use super::checksum::{Checksum, ChecksumAlgorithm, Checksummer};
use super::fault::{ObjectResult, Refusal};
use super::name::{Bucket, ObjectKey};
use super::{Objects, is_absent, remove_empty, sync_parent};
use crate::model::{Error, Result};

/// Times a rename is tried whose folder others take away.
const ATTEMPTS: usize = 8;

/// What the bytes of an object have to be.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Their number.
    pub size: Option<u64>,
    /// Their MD5.
    pub md5: Option<[u8; 16]>,
    /// Their SHA-256, which was signed.
    pub signed_sha256: Option<[u8; 32]>,
    /// The checksum that came with them, as base64.
    pub checksum: Option<String>,
}

/// What has to hold of the key for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WriteCondition {
    /// Nothing.
    #[default]
    Always,
    /// There is no such object.
    Absent,
    /// There is one, with this ETag, or with any for `*`.
    Matches(String),
}

/// An object on its way.
pub struct ObjectWriter {
    objects: Objects,
    staged: Staged,
    file: File,
    size: u64,
    md5: Md5,
    signed: Option<Sha256>,
    checksum: Option<Checksummer>,
}

/// The digests and the file of all bytes.
pub(super) struct Sealed {
    pub(super) staged: Staged,
    pub(super) file: File,
    pub(super) md5: [u8; 16],
    pub(super) checksum: Option<Checksum>,
}

/// A file nobody sees, removed unless it gets a name.
pub(super) struct Staged(Option<PathBuf>);

impl Staged {
    fn path(&self) -> Result<&Path> {
        self.0.as_deref().ok_or_else(|| Error::internal("an object was given its name twice"))
    }

    /// Gives it its name.
    pub(super) fn rename(&mut self, target: &Path) -> Result<io::Result<()>> {
        let renamed = fs::rename(self.path()?, target);
        if renamed.is_ok() {
            self.0 = None;
        }
        Ok(renamed)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

impl Objects {
    /// Starts an object of a bucket that exists; `checksum` is reckoned on the way, and `is_signed` says that the SHA-256
    /// will be compared.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn writer(&self, bucket: &Bucket, checksum: Option<ChecksumAlgorithm>, is_signed: bool) -> ObjectResult<ObjectWriter> {
        self.store.check_writable()?;
        self.check_bucket(bucket)?;
        Ok(ObjectWriter::new(self, &self.staging_folder()?, checksum, is_signed)?)
    }

    /// Puts a whole object.
    pub fn put(&self, bucket: &Bucket, key: &ObjectKey, bytes: &[u8], attributes: &ObjectAttributes) -> ObjectResult<ObjectInfo> {
        let mut writer = self.writer(bucket, None, false)?;
        writer.write(bytes)?;
        writer.finish(bucket, key, &Expected::default(), &WriteCondition::Always, attributes)
    }

    /// Copies an object; its attributes come along unless there are others.
    ///
    /// # Errors
    /// `NoSuchKey` for the source, `InvalidRequest` for a copy onto itself that changes nothing.
    pub fn copy(
        &self,
        from: (&Bucket, &ObjectKey),
        to: (&Bucket, &ObjectKey),
        attributes: Option<&ObjectAttributes>,
        algorithm: Option<ChecksumAlgorithm>,
    ) -> ObjectResult<ObjectInfo> {
        if from == to && attributes.is_none() {
            return Err(Refusal::InvalidRequest.because("an object is copied onto itself without other metadata: nothing would change"));
        }
        let source = self.open(from.0, from.1)?;
        let info = source.info().clone();
        let algorithm = algorithm.or(info.checksum.as_ref().map(|checksum| checksum.algorithm));
        let mut writer = self.writer(to.0, algorithm, false)?;
        writer.write_range(&source, 0, info.size)?;
        let attributes = attributes.unwrap_or(&info.attributes);
        writer.finish(to.0, to.1, &Expected { size: Some(info.size), ..Expected::default() }, &WriteCondition::Always, attributes)
    }

    /// Gives a complete file the name of a key.
    pub(super) fn publish(&self, mut staged: Staged, bucket: &Bucket, key: &ObjectKey, condition: &WriteCondition) -> ObjectResult<()> {
        let path = self.path(bucket, key)?;
        let folder = path.parent().unwrap_or(&path).to_owned();
        let _lock = self.lock(&path);
        self.check_condition(bucket, key, condition)?;
        for _ in 0..ATTEMPTS {
            match self.settle(&folder) {
                Ok(()) => {}
                Err(_) if has_file_above(&folder) => return Err(folder_and_object(key)),
                Err(error) => return Err(error.into()),
            }
            let named = if *condition == WriteCondition::Absent {
                // A link does not replace: whoever comes second is told so, in another process too.
                fs::hard_link(staged.path()?, &path)
            } else {
                staged.rename(&path)?
            };
            match named {
                Ok(()) => return Ok(sync_parent(&path)?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) if path.is_dir() => {
                    if !remove_empty(&path)? {
                        return Err(folder_and_object(key));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(exists(key)),
                Err(error) => return Err(Error::io(format!("can't rename to {}", path.display()), error).into()),
            }
        }
        Err(Error::io(format!("can't rename to {}", path.display()), io::ErrorKind::NotFound.into()).into())
    }

    fn check_condition(&self, bucket: &Bucket, key: &ObjectKey, condition: &WriteCondition) -> ObjectResult<()> {
        match condition {
            WriteCondition::Always => Ok(()),
            WriteCondition::Absent => match fs::metadata(self.path(bucket, key)?) {
                Ok(found) if found.is_file() => Err(exists(key)),
                Ok(_) => Ok(()),
                Err(error) if is_absent(&error) => Ok(()),
                Err(error) => Err(Error::io(format!("can't look for '{key}'"), error).into()),
            },
            WriteCondition::Matches(etag) => {
                let info = self.info(bucket, key)?;
                if etag == "*" || *etag == info.etag {
                    return Ok(());
                }
                Err(Refusal::PreconditionFailed.because(format!("the ETag of '{key}' is {}, not {etag}", info.etag)))
            }
        }
    }
}

fn exists(key: &ObjectKey) -> super::ObjectError {
    Refusal::PreconditionFailed.because(format!("there is an object '{key}' already"))
}

fn folder_and_object(key: &ObjectKey) -> super::ObjectError {
    Refusal::InvalidRequest
        .because(format!("'{key}' can't be kept: objects are files here, and one key can't be both an object and a folder of others"))
}

/// True if a folder can't be made because an object has its name, or that of a folder above it.
fn has_file_above(folder: &Path) -> bool {
    folder.ancestors().any(|ancestor| ancestor.is_file())
}

impl ObjectWriter {
    pub(super) fn new(objects: &Objects, folder: &Path, checksum: Option<ChecksumAlgorithm>, is_signed: bool) -> Result<Self> {
        let path = folder.join(format!("{}.part", Uuid::now_v7().simple()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| Error::io(format!("can't create {}", path.display()), error))?;
        Ok(Self {
            objects: objects.clone(),
            staged: Staged(Some(path)),
            file,
            size: 0,
            md5: Md5::new(),
            signed: is_signed.then(Sha256::new),
            checksum: checksum.map(Checksummer::new),
        })
    }

    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.md5.update(bytes);
        if let Some(signed) = &mut self.signed {
            signed.update(bytes);
        }
        if let Some(checksum) = &mut self.checksum {
            checksum.update(bytes);
        }
        self.size += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| Error::io("can't write an object", error))
    }

    /// Takes bytes of another object.
    pub fn write_range(&mut self, source: &super::OpenObject, mut offset: u64, end: u64) -> Result<()> {
        const PIECE: u64 = 1 << 20;
        while offset < end {
            let bytes = source.read_at(offset, PIECE.min(end - offset) as usize)?;
            if bytes.is_empty() {
                break;
            }
            offset += bytes.len() as u64;
            self.write(&bytes)?;
        }
        Ok(())
    }

    /// Compares digests and sizes.
    ///
    /// # Errors
    /// `IncompleteBody`, `BadDigest`, `PayloadMismatch`.
    pub(super) fn seal(self, expected: &Expected) -> ObjectResult<Sealed> {
        let Self { staged, file, size, md5, signed, checksum, .. } = self;
        if let Some(expected) = expected.size
            && expected != size
        {
            return Err(Refusal::IncompleteBody.because(format!("{size} bytes came, {expected} were announced")));
        }
        if let Some(expected) = expected.signed_sha256
            && signed.is_none_or(|signed| signed.finalize()[..] != expected)
        {
            return Err(Refusal::PayloadMismatch.because("the bytes are not those that were signed"));
        }
        let md5: [u8; 16] = md5.finalize().into();
        if expected.md5.is_some_and(|expected| expected != md5) {
            return Err(Refusal::BadDigest.because("the Content-MD5 is not that of the bytes"));
        }
        let checksum = checksum.map(Checksummer::checksum);
        if let Some(expected) = &expected.checksum
            && checksum.as_ref().is_none_or(|checksum| checksum.value != *expected)
        {
            let algorithm = checksum.map_or("checksum", |checksum| checksum.algorithm.as_str());
            return Err(Refusal::BadDigest.because(format!("the {algorithm} you specified did not match what we received")));
        }
        Ok(Sealed { staged, file, md5, checksum })
    }

    /// Makes the object seen under its key, if its bytes are those expected and the condition holds.
    ///
    /// # Errors
    /// `IncompleteBody`, `BadDigest`, `PayloadMismatch`, `PreconditionFailed`, `MetadataTooLarge`, `KeyTooLong`, `NoSuchKey` for
    /// an ETag to match where there is no object.
    pub fn finish(
        self,
        bucket: &Bucket,
        key: &ObjectKey,
        expected: &Expected,
        condition: &WriteCondition,
        attributes: &ObjectAttributes,
    ) -> ObjectResult<ObjectInfo> {
        let objects = self.objects.clone();
        let sealed = self.seal(expected)?;
        objects.finish_sealed(sealed, None, bucket, key, condition, attributes)
    }
}

impl Objects {
    /// The last steps of every write; an ETag that is given stands in for the MD5.
    pub(super) fn finish_sealed(
        &self,
        sealed: Sealed,
        etag: Option<String>,
        bucket: &Bucket,
        key: &ObjectKey,
        condition: &WriteCondition,
        attributes: &ObjectAttributes,
    ) -> ObjectResult<ObjectInfo> {
        attributes.check()?;
        self.check_bucket(bucket)?;
        let etag = etag.unwrap_or_else(|| hex(&sealed.md5));
        keep(&sealed.file, &Kept { etag, checksum: sealed.checksum, attributes: attributes.clone() })?;
        let fault = |error| Error::io(format!("can't write '{key}'"), error);
        sealed.file.sync_all().map_err(fault)?;
        let mut info = ObjectInfo::of(&sealed.file).map_err(fault)?;
        // Where the disk keeps no attributes, this is still what was written.
        info.attributes.clone_from(attributes);
        self.publish(sealed.staged, bucket, key, condition)?;
        Ok(info)
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
