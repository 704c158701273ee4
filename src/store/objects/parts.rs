//! Objects uploaded in parts: each part a file of the upload's folder, put together when all are there.
//!
//! ```text
//! .uploads/<upload id>/upload.json                 where it goes and what was said about it
//!                      00003-<md5>.uploaded        the newest part of this number
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::attributes::ObjectAttributes;
use super::checksum::{Checksum, ChecksumAlgorithm, ChecksumKind, Checksummer};
use super::fault::{ObjectError, ObjectResult, Refusal};
use super::name::{Bucket, ObjectKey};
use super::write::{Expected, ObjectWriter, WriteCondition, hex};
use super::{Objects, is_absent, sync_parent};
use crate::model::{Error, EventTime, Result};

/// Fewest bytes of a part that is not the last.
const SMALLEST_PART: u64 = 5 << 20;
/// Highest number of a part.
const MOST_PARTS: u16 = 10_000;
/// Ending of a part.
const ENDING: &str = ".uploaded";
/// What was said about an upload.
const UPLOAD: &str = "upload.json";

/// Names an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadId(Uuid);

impl UploadId {
    /// Reads an id.
    ///
    /// # Errors
    /// `NoSuchUpload` for what can't be one.
    pub fn parse(text: &str) -> ObjectResult<Self> {
        let id = (text.len() == 32).then(|| Uuid::try_parse(text).ok()).flatten();
        id.map(Self).ok_or_else(|| Refusal::NoSuchUpload.because("there is no such upload: it may have been ended or aborted"))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// An upload in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadInfo {
    /// Its name.
    pub id: UploadId,
    /// The key it is to become.
    pub key: String,
    /// When it was started.
    pub started: SystemTime,
}

/// A part that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartInfo {
    /// From 1.
    pub number: u16,
    /// The MD5 of its bytes in hexadecimal.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// When it came.
    pub modified: SystemTime,
    /// The checksum it came with; not kept for lists.
    pub checksum: Option<Checksum>,
}

/// A part that the object is to be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedPart {
    /// Its number.
    pub number: u16,
    /// The ETag its upload was answered with, without quotes.
    pub etag: String,
    /// Its checksum, if the client says it again.
    pub checksum: Option<String>,
}

/// What is kept of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Upload {
    bucket: String,
    key: String,
    started: EventTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
    attributes: ObjectAttributes,
}

impl Objects {
    /// Starts an upload; `checksum` is how parts and object are to be summed.
    ///
    /// # Errors
    /// `NoSuchBucket`, `KeyTooLong`, `MetadataTooLarge`.
    pub fn create_upload(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
        attributes: ObjectAttributes,
    ) -> ObjectResult<UploadId> {
        self.store.check_writable()?;
        self.check_bucket(bucket)?;
        key.relative_path()?;
        attributes.check()?;
        let id = UploadId(Uuid::now_v7());
        let folder = self.staging_folder()?.join(id.to_string());
        self.settle(&folder)?;
        let upload = Upload { bucket: bucket.to_string(), key: key.to_string(), started: self.store.now(), checksum, attributes };
        let text = serde_json::to_vec(&upload).map_err(|error| Error::internal("can't encode an upload").source(error))?;
        let path = folder.join(UPLOAD);
        let written = fs::write(&path, text).and_then(|()| File::open(&path)?.sync_all());
        written.map_err(|error| Error::io(format!("can't write {}", path.display()), error))?;
        sync_parent(&path)?;
        Ok(id)
    }

    /// How the parts of an upload are summed.
    ///
    /// # Errors
    /// `NoSuchUpload`.
    pub fn upload_checksum(&self, bucket: &Bucket, key: &ObjectKey, id: &UploadId) -> ObjectResult<Option<ChecksumAlgorithm>> {
        Ok(self.upload(bucket, key, id)?.checksum.map(|(algorithm, _)| algorithm))
    }

    /// Starts a part of an upload.
    ///
    /// # Errors
    /// `NoSuchUpload`.
    pub fn part_writer(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: &UploadId,
        checksum: Option<ChecksumAlgorithm>,
        is_signed: bool,
    ) -> ObjectResult<ObjectWriter> {
        self.store.check_writable()?;
        self.upload(bucket, key, id)?;
        Ok(ObjectWriter::new(self, &self.upload_folder(id), checksum, is_signed)?)
    }

    /// Ends a part; it replaces one of the same number.
    ///
    /// # Errors
    /// `InvalidRequest` for a number out of 1 to 10,000, and those of [`ObjectWriter::finish`].
    pub fn finish_part(&self, id: &UploadId, number: u16, writer: ObjectWriter, expected: &Expected) -> ObjectResult<PartInfo> {
        if !(1..=MOST_PARTS).contains(&number) {
            return Err(Refusal::InvalidRequest.because(format!("a part has a number from 1 to {MOST_PARTS}")));
        }
        let size = writer.size();
        let mut sealed = writer.seal(expected)?;
        let fault = |error| Error::io("can't write a part of an upload", error);
        sealed.file.sync_all().map_err(fault)?;
        let etag = hex(&sealed.md5);
        let folder = self.upload_folder(id);
        let path = folder.join(part_name(number, &etag));
        let _lock = self.lock(&folder);
        for part in self.parts_of(id)?.into_iter().filter(|part| part.number == number && part.etag != etag) {
            let _ = fs::remove_file(folder.join(part_name(number, &part.etag)));
        }
        sealed.staged.rename(&path)?.map_err(|error| if is_absent(&error) { gone(id) } else { fault(error).into() })?;
        sync_parent(&path)?;
        Ok(PartInfo { number, etag, size, modified: SystemTime::now(), checksum: sealed.checksum })
    }

    /// Parts of an upload that have come, by number.
    ///
    /// # Errors
    /// `NoSuchUpload`.
    pub fn parts(&self, bucket: &Bucket, key: &ObjectKey, id: &UploadId) -> ObjectResult<Vec<PartInfo>> {
        self.upload(bucket, key, id)?;
        self.parts_of(id)
    }

    /// Uploads of a bucket that were started and neither ended nor aborted, by key and age.
    pub fn uploads_of(&self, bucket: &Bucket) -> ObjectResult<Vec<UploadInfo>> {
        self.check_bucket(bucket)?;
        let mut found = Vec::new();
        let entries = match fs::read_dir(self.uploads()) {
            Err(error) if is_absent(&error) => return Ok(found),
            other => other.map_err(|error| Error::io("can't read the folder of uploads", error))?,
        };
        for entry in entries.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| UploadId::parse(name).ok()) else { continue };
            if let Ok(upload) = self.read_upload(&id)
                && upload.bucket == bucket.as_str()
            {
                let started =
                    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(upload.started.unix_micros()).unwrap_or_default());
                found.push(UploadInfo { id, key: upload.key, started });
            }
        }
        found.sort_by(|a, b| (&a.key, a.started).cmp(&(&b.key, b.started)));
        Ok(found)
    }

    /// Ends an upload: its parts become the object.
    ///
    /// # Errors
    /// `NoSuchUpload`, `InvalidPart`, `InvalidPartOrder`, `EntityTooSmall`, `InvalidRequest` for no parts, `BadDigest` for a
    /// checksum that is not the object's, `PreconditionFailed`.
    pub fn complete_upload(
        &self,
        bucket: &Bucket,
        key: &ObjectKey,
        id: &UploadId,
        parts: &[CompletedPart],
        expected: &Expected,
        condition: &WriteCondition,
    ) -> ObjectResult<super::ObjectInfo> {
        self.store.check_writable()?;
        let upload = self.upload(bucket, key, id)?;
        let files = self.chosen_parts(id, parts)?;
        let mut writer = ObjectWriter::new(self, &self.staging_folder()?, None, false)?;
        let mut whole = upload.checksum.map(|(algorithm, _)| Checksummer::new(algorithm));
        let (mut sums, mut md5s) = (Vec::new(), Vec::new());
        for (path, part) in &files {
            let (md5, sum) = append(&mut writer, path, whole.as_mut(), id)?;
            if hex(&md5) != part.etag {
                return Err(Error::corrupt(format!("part {} of an upload is not what was uploaded", part.number)).into());
            }
            if let (Some(said), Some(sum)) = (&part.checksum, &sum)
                && *said != STANDARD.encode(sum)
            {
                return Err(Refusal::InvalidPart.because(format!("part {} has another checksum", part.number)));
            }
            md5s.extend(md5);
            sums.extend(sum.unwrap_or_default());
        }
        let mut sealed = writer.seal(&Expected { size: expected.size, ..Expected::default() })?;
        sealed.checksum = upload.checksum.zip(whole).map(|((algorithm, kind), whole)| match kind {
            ChecksumKind::FullObject => whole.checksum(),
            ChecksumKind::Composite => composite(algorithm, &sums, files.len()),
        });
        check_checksum(expected.checksum.as_deref(), sealed.checksum.as_ref())?;
        let etag = format!("{}-{}", hex(&Md5::digest(&md5s)), files.len());
        let info = self.finish_sealed(sealed, Some(etag), bucket, key, condition, &upload.attributes)?;
        self.remove_upload(id)?;
        Ok(info)
    }

    /// Gives an upload up.
    ///
    /// # Errors
    /// `NoSuchUpload`.
    pub fn abort_upload(&self, bucket: &Bucket, key: &ObjectKey, id: &UploadId) -> ObjectResult<()> {
        self.store.check_writable()?;
        self.upload(bucket, key, id)?;
        Ok(self.remove_upload(id)?)
    }

    fn upload_folder(&self, id: &UploadId) -> PathBuf {
        self.uploads().join(id.to_string())
    }

    fn upload(&self, bucket: &Bucket, key: &ObjectKey, id: &UploadId) -> ObjectResult<Upload> {
        let upload = self.read_upload(id)?;
        if upload.bucket != bucket.as_str() || upload.key != key.as_str() {
            return Err(gone(id));
        }
        Ok(upload)
    }

    fn read_upload(&self, id: &UploadId) -> ObjectResult<Upload> {
        let path = self.upload_folder(id).join(UPLOAD);
        let text = fs::read(&path).map_err(|error| {
            if is_absent(&error) { gone(id) } else { Error::io(format!("can't read {}", path.display()), error).into() }
        })?;
        Ok(serde_json::from_slice(&text).map_err(|error| Error::corrupt(format!("can't read {}", path.display())).source(error))?)
    }

    fn parts_of(&self, id: &UploadId) -> ObjectResult<Vec<PartInfo>> {
        let folder = self.upload_folder(id);
        let fault = |error| Error::io(format!("can't read the folder {}", folder.display()), error);
        let mut found = Vec::new();
        let entries = fs::read_dir(&folder).map_err(|error| if is_absent(&error) { gone(id) } else { fault(error).into() })?;
        for entry in entries {
            let entry = entry.map_err(fault)?;
            let name = entry.file_name();
            let Some((number, etag)) = name.to_str().and_then(|name| name.strip_suffix(ENDING)).and_then(|name| name.split_once('-'))
            else {
                continue;
            };
            let (Ok(number), Ok(metadata)) = (number.parse(), entry.metadata()) else { continue };
            let modified = metadata.modified().map_err(fault)?;
            found.push(PartInfo { number, etag: etag.to_owned(), size: metadata.len(), modified, checksum: None });
        }
        found.sort_by_key(|part| part.number);
        Ok(found)
    }

    /// The files of the parts that were named.
    fn chosen_parts<'a>(&self, id: &UploadId, parts: &'a [CompletedPart]) -> ObjectResult<Vec<(PathBuf, &'a CompletedPart)>> {
        if parts.is_empty() {
            return Err(Refusal::InvalidRequest.because("an object needs at least one part"));
        }
        if parts.windows(2).any(|pair| pair[0].number >= pair[1].number) {
            return Err(Refusal::InvalidPartOrder.because("the parts are not in ascending order"));
        }
        let known: BTreeMap<u16, PartInfo> = self.parts_of(id)?.into_iter().map(|part| (part.number, part)).collect();
        let mut chosen = Vec::with_capacity(parts.len());
        for (position, part) in parts.iter().enumerate() {
            let Some(found) = known.get(&part.number).filter(|found| found.etag == part.etag) else {
                return Err(Refusal::InvalidPart.because(format!("part {} was not uploaded, or has another ETag", part.number)));
            };
            if position + 1 < parts.len() && found.size < SMALLEST_PART {
                return Err(Refusal::EntityTooSmall.because(format!("part {} has {} bytes, 5 MiB are the least", part.number, found.size)));
            }
            chosen.push((self.upload_folder(id).join(part_name(part.number, &part.etag)), part));
        }
        Ok(chosen)
    }

    fn remove_upload(&self, id: &UploadId) -> Result<()> {
        let folder = self.upload_folder(id);
        match fs::remove_dir_all(&folder) {
            Err(error) if !is_absent(&error) => Err(Error::io(format!("can't remove {}", folder.display()), error)),
            _ => Ok(()),
        }
    }
}

/// Appends a part; returns its MD5 and the bytes of its checksum.
fn append(
    writer: &mut ObjectWriter,
    path: &Path,
    mut whole: Option<&mut Checksummer>,
    id: &UploadId,
) -> ObjectResult<(Vec<u8>, Option<Vec<u8>>)> {
    let fault = |error| Error::io(format!("can't read {}", path.display()), error);
    let mut file = File::open(path).map_err(|error| if is_absent(&error) { gone(id) } else { fault(error).into() })?;
    let mut md5 = Md5::new();
    let mut sum = whole.as_ref().map(|whole| Checksummer::new(whole.algorithm()));
    let mut piece = vec![0; 1 << 20];
    loop {
        let count = std::io::Read::read(&mut file, &mut piece).map_err(fault)?;
        let bytes = &piece[..count];
        if bytes.is_empty() {
            return Ok((md5.finalize().to_vec(), sum.map(Checksummer::finish)));
        }
        md5.update(bytes);
        for summer in whole.as_deref_mut().into_iter().chain(sum.as_mut()) {
            summer.update(bytes);
        }
        writer.write(bytes)?;
    }
}

fn composite(algorithm: ChecksumAlgorithm, sums: &[u8], parts: usize) -> Checksum {
    let mut summer = Checksummer::new(algorithm);
    summer.update(sums);
    Checksum { algorithm, kind: ChecksumKind::Composite, value: format!("{}-{parts}", STANDARD.encode(summer.finish())) }
}

/// A composite checksum may be said with or without the number of parts.
fn check_checksum(said: Option<&str>, found: Option<&Checksum>) -> ObjectResult<()> {
    match (said, found) {
        (Some(said), Some(found)) if found.value != said && found.value.split('-').next() != Some(said) => {
            Err(Refusal::BadDigest.because(format!("the {} of the object is {}", found.algorithm, found.value)))
        }
        _ => Ok(()),
    }
}

fn part_name(number: u16, etag: &str) -> String {
    // An ETag of a client is compared before it becomes part of a path.
    format!("{number:05}-{etag}{ENDING}")
}

fn gone(id: &UploadId) -> ObjectError {
    Refusal::NoSuchUpload.because(format!("there is no upload {id} of this key: it may have been ended or aborted"))
}
