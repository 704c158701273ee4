//! What is known of an object besides its bytes: ETag, checksum, the headers and metadata it was given.
//!
//! They lie in an extended attribute of the file itself, so that bytes and attributes appear in one rename and no reader
//! sees those of one version with those of another. Where the file system has no such attributes, and for files that
//! others wrote, the ETag is made of what the disk knows (number, size, age), in the form S3 gives to objects in parts,
//! which nobody takes for an MD5.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::checksum::Checksum;
use super::fault::{ObjectResult, Refusal};
use crate::model::Error;

/// Bytes of metadata that S3 takes with an object.
const MOST_METADATA: usize = 2_048;
/// Name of the extended attribute.
#[cfg(any(target_os = "linux", target_os = "macos"))]
const NAME: &str = "user.larder.object";
/// Bytes that the attribute may have: what ext4 keeps in one block.
#[cfg(any(target_os = "linux", target_os = "macos"))]
const MOST_BYTES: usize = 4_096;

/// What whoever writes an object says about it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ObjectAttributes {
    /// Headers that come back as they were given: `content-type`, `content-encoding`, `cache-control`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Metadata by its name without `x-amz-meta-`, in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

impl ObjectAttributes {
    /// Checks the size of the metadata.
    pub(super) fn check(&self) -> ObjectResult<()> {
        let bytes: usize = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MOST_METADATA {
            return Err(Refusal::MetadataTooLarge.because(format!("the metadata has {bytes} bytes, {MOST_METADATA} are allowed")));
        }
        Ok(())
    }
}

/// What is kept with the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) checksum: Option<Checksum>,
    #[serde(flatten)]
    pub(super) attributes: ObjectAttributes,
}

/// All that is known of an object but its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: SystemTime,
    /// The MD5 of its bytes in hexadecimal, or another text that changes when they do; without quotes.
    pub etag: String,
    /// The checksum it came with.
    pub checksum: Option<Checksum>,
    /// What its writer said about it.
    pub attributes: ObjectAttributes,
}

impl ObjectInfo {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let modified = metadata.modified()?;
        let kept = read(file)?.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
        let kept =
            kept.unwrap_or_else(|| Kept { etag: etag_of(&metadata, modified), checksum: None, attributes: ObjectAttributes::default() });
        Ok(Self { size: metadata.len(), modified, etag: kept.etag, checksum: kept.checksum, attributes: kept.attributes })
    }
}

fn etag_of(metadata: &Metadata, modified: SystemTime) -> String {
    let mut bytes = Vec::with_capacity(32);
    bytes.extend(modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_le_bytes());
    bytes.extend(metadata.len().to_le_bytes());
    #[cfg(unix)]
    bytes.extend(std::os::unix::fs::MetadataExt::ino(metadata).to_le_bytes());
    format!("{:032x}-1", xxhash_rust::xxh3::xxh3_128(&bytes))
}

/// Puts attributes on a file that nobody sees yet.
pub(super) fn keep(file: &File, kept: &Kept) -> ObjectResult<()> {
    let bytes = serde_json::to_vec(kept).map_err(|error| Error::internal("can't encode the attributes of an object").source(error))?;
    match write(file, &bytes) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            tracing::warn!("this file system keeps no attributes: ETags are made of size and age, metadata of objects is lost");
            Ok(())
        }
        Err(error) if is_too_large(&error) => {
            Err(Refusal::MetadataTooLarge.because("the headers and metadata are more than this file system keeps with a file"))
        }
        Err(error) => Err(Error::io("can't keep the attributes of an object", error).into()),
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn is_too_large(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::NOSPC, Errno::TOOBIG, Errno::RANGE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn write(file: &File, bytes: &[u8]) -> io::Result<()> {
    if bytes.len() > MOST_BYTES {
        return Err(rustix::io::Errno::TOOBIG.into());
    }
    rustix::fs::fsetxattr(file, NAME, bytes, rustix::fs::XattrFlags::empty()).map_err(io::Error::from)
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn read(file: &File) -> io::Result<Option<Vec<u8>>> {
    use rustix::io::Errno;
    let mut bytes = vec![0; MOST_BYTES];
    match rustix::fs::fgetxattr(file, NAME, bytes.as_mut_slice()) {
        Ok(length) => {
            bytes.truncate(length);
            Ok(Some(bytes))
        }
        // There is none (ENODATA, or ENOATTR), the file system has none, or somebody else's is longer than ours can be.
        Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn is_too_large(_error: &io::Error) -> bool {
    false
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn write(_file: &File, _bytes: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn read(_file: &File) -> io::Result<Option<Vec<u8>>> {
    Ok(None)
}
